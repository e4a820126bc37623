//! The kinds of findings: the one place that has the word for each, what it is, its group, and its severity where that
//! is always the same. `jailctl check --help`, its man page and the page on troubles are made of this, or tested against it.

use clap::ValueEnum;
use serde::{Serialize, Serializer};

/// How bad a finding is, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// A login is refused, or there is a way around a jail.
    Error,
    /// More can be reached than a jail is meant to let through, or will be.
    Warning,
    /// Something that users will miss.
    Note,
}

impl Severity {
    /// Gives the word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// A kind of finding. Its word stays the same from release to release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub(crate) enum FindingKind {
    /// The config could not be read
    Config,
    /// There is no config
    ConfigMissing,
    /// Users other than root can change the config
    ConfigUnsafe,
    /// The config has a mistake
    ConfigWrong,
    /// A rule is for a group of a directory, whose accounts check can't list
    DirectoryGroup,
    /// No rule jails the user who was named
    NotJailed,
    /// Check can't find out whether an account is jailed
    Undecided,
    /// A rule names a group that does not exist
    UnknownGroup,
    /// [check] accepts a kind of finding that does not exist
    UnknownKind,
    /// A rule names an account that does not exist
    UnknownUser,
    /// [check] accepts something that was not found
    UnusedAcceptance,
    /// A file in users.d that no login reads
    UsersFile,

    /// The path to a root is missing, or users other than root can change it
    Root,
    /// The path to a base is missing, or users other than root can change it
    Base,
    /// The path to a mount's source is missing, or users other than root can change it
    Mount,

    /// A key of the jail is not available behind PAM
    BehindPam,
    /// A program of the list of commands is not in the jail, or can't start
    CommandMissing,
    /// A device of the list of devices is not on this host
    DeviceMissing,
    /// The files in the home are not limited as `disk` says
    DiskUnlimited,
    /// /etc of the jail lacks what programs look for
    EtcMissing,
    /// The shell can't be started
    Exec,
    /// The home is not in the jail, or its user can't enter it
    HomeMissing,
    /// The user can't write in the home
    HomeNotWritable,
    /// Programs of the host would read, as root, files that the user can change
    HostFiles,
    /// The program that starts the shell is missing
    InterpreterMissing,
    /// A library of the shell is missing
    LibraryMissing,
    /// The jail has no locale
    LocaleMissing,
    /// The account's login shell is not in the jail
    LoginShell,
    /// nsswitch.conf of the jail names a service without a library
    NssLibraryMissing,
    /// The jail has no /dev/null
    NullMissing,
    /// The jail's passwd has another uid for the user than the host
    PasswdDisagrees,
    /// The jail's passwd has no line for the user
    PasswdLineMissing,
    /// A program in the root can't start
    ProgramBroken,
    /// The login is refused for another reason
    Refused,
    /// The jail has no resolv.conf
    ResolverMissing,
    /// The user can't search the root
    RootUnsearchable,
    /// The jail's passwd has a second account with uid 0
    SecondRoot,
    /// A service of the list of services is not on this host
    ServiceMissing,
    /// SFTP is asked for, and the jail has no server
    SftpMissing,
    /// The config and the jail together refuse SFTP
    SftpRefused,
    /// The SFTP server in the jail can't start
    SftpServerBroken,
    /// The jail has no SFTP server
    SftpServerMissing,
    /// The shell is missing in the jail
    ShellMissing,
    /// A step of the login fails
    Step,
    /// The jail has no descriptions of terminals
    TerminfoMissing,
    /// The jail has no time zone
    TimeZoneMissing,
    /// The root or the home is missing, and the first login will make it
    ToBeMade,
    /// The kernel lacks a part of Landlock
    Weakened,

    /// A device that no jail needs
    Device,
    /// A program with file capabilities
    FileCapabilities,
    /// A file that also has a name outside of the root
    HardLink,
    /// A root has more findings of this kind than are listed
    More,
    /// A part of the host is mounted in the root
    MountInRoot,
    /// A program that is set-user-ID or set-group-ID
    SetId,
    /// A program, library or account file that belongs to the user
    SystemOwner,
    /// A program, library or account file that the user can write
    SystemWritable,
    /// A file that everybody can write
    WorldWritable,

    /// at(1) runs the user's jobs on the host
    At,
    /// Jobs of at(1) wait to run on the host
    AtJobs,
    /// cron runs the user's jobs on the host
    Cron,
    /// The user has a crontab that runs on the host
    Crontab,
    /// No door leads into the jail, or one leads past it
    Door,
    /// jail-shell is the login shell of an exempt user, or sshd forces it on one
    Exempt,
    /// vsftpd serves outside of the jail
    Ftp,
    /// The user can write the home on the host from inside the jail
    HomeInReach,
    /// jail-shell is missing or can't work
    JailShell,
    /// Users other than root can write jail-shell
    JailShellWritable,
    /// systemd runs the user's services on the host
    Linger,
    /// An administrator can't log in any more
    LockOut,
    /// Mail for the user runs programs on the host
    MailForward,
    /// A key of the jail has no effect behind PAM
    NoEffect,
    /// The login shell lets nobody in
    NoLogin,
    /// jail-shell is the login shell of a user without a rule
    NoRule,
    /// A PAM stack reads another config
    PamConfig,
    /// A line of pam_jail.so does not refuse
    PamControl,
    /// PAM takes variables from the user's home
    PamEnvironment,
    /// Only one of two stacks of a program has pam_jail.so
    PamHalf,
    /// pam_jail.so is missing, or users other than root can write it
    PamModule,
    /// A stack has a session line and no account line
    PamNoAccount,
    /// A stack has an account line and no session line
    PamNoSession,
    /// A line of pam_jail.so has a wrong option
    PamOptions,
    /// pam_jail.so stands at the wrong place of a stack
    PamOrder,
    /// A stack without pam_jail.so may let users in
    PamOther,
    /// A stack refuses people without a rule
    PamRefuses,
    /// A line of a stack leads past pam_jail.so
    PamSkip,
    /// A stack has pam_jail.so twice
    PamTwice,
    /// Two accounts have one uid
    SharedUid,
    /// /etc/shells lists jail-shell
    Shells,
    /// sshd takes dangerous variables from the client
    SshdAcceptEnv,
    /// sshd changes the root by itself
    SshdChroot,
    /// ForceCommand does not lead into the jail
    SshdForced,
    /// sshd forwards ports, the agent or X11 for the user on the host
    SshdForwarding,
    /// ForceCommand replaces the command of a key
    SshdKeyCommand,
    /// The user can write the file of keys from inside the jail
    SshdKeys,
    /// The account is locked for an sshd without PAM
    SshdLocked,
    /// sshd does not ask the PAM stack that jails
    SshdPam,
    /// sshd serves SFTP outside of the jail
    SshdSftp,
    /// sshd forwards unix sockets or tunnels for the user on the host
    SshdSockets,
    /// Keys that check can't read may lead out of the jail
    SshdUnseenKeys,
    /// sshd sets variables from the user's home
    SshdUserEnvironment,
    /// sshd runs ~/.ssh/rc on the host
    SshdUserRc,
    /// sudo lets the user run commands on the host
    Sudo,
    /// A login goes through two doors
    TwoDoors,
    /// An account with uid 0 has a rule
    UidZero,
    /// A setting of a service unit stops or weakens logins
    Unit,
    /// The user can write units in the jail that systemd runs on the host
    UserManager,

    /// The account has expired
    AccountExpired,
    /// By what limits of memory, tasks, cpu and io are enforced
    AccountLimits,
    /// The account has neither a password nor a key
    AccountLocked,
    /// A file system of the jail is full
    DiskFull,
    /// The account's home on the host is missing
    HostHomeMissing,
    /// The account's login shell is missing on the host
    HostShell,
    /// Nobody but root may log in for now
    Nologin,
    /// A line of a PAM stack refuses the user
    PamDenies,
    /// pam_shells refuses the login shell
    PamShells,
    /// The password has expired
    PasswordExpired,
    /// The lists of users and groups in sshd's config refuse the user
    SshdDenied,
    /// sshd ignores a file of keys that others can write
    SshdKeysIgnored,
    /// The keys are in the jail, where sshd does not look
    SshdKeysInside,
    /// The end of the account that the config sets has come, or is near
    Until,
    /// Sessions that are open at the end of the account stay open
    UntilStays,

    /// A probe of --attack got out of the jail
    Reached,
}

/// What kinds are about, in the order of [`FindingKind`]: the heading, and the first kind below it.
const GROUPS: [(&str, FindingKind); 7] = [
    ("The config", FindingKind::Config),
    ("The way to a root", FindingKind::Root),
    ("What a login finds inside", FindingKind::BehindPam),
    ("The files of a root", FindingKind::Device),
    ("The doors", FindingKind::At),
    ("The account", FindingKind::AccountExpired),
    ("What --attack finds", FindingKind::Reached),
];

impl FindingKind {
    /// Gives the word for it.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Gives the kind of this word.
    pub(crate) fn named(word: &str) -> Option<FindingKind> {
        FindingKind::from_str(word, false).ok()
    }

    /// Says in a line what it is.
    fn about(self) -> String {
        let value = self.to_possible_value();
        let help = value.as_ref().and_then(|value| value.get_help());
        help.map(ToString::to_string).unwrap_or_default()
    }

    /// Gives the severity, for a kind that always has the same.
    pub(crate) fn severity(self) -> Option<Severity> {
        use FindingKind as K;
        match self {
            K::Door | K::HardLink | K::HomeMissing | K::MountInRoot | K::PamSkip | K::PamTwice => {
                None
            }
            K::AccountLocked => None,
            K::SetId | K::SftpRefused | K::SshdDenied | K::SshdKeys | K::SshdKeysIgnored => None,
            K::SshdKeysInside | K::SshdUnseenKeys | K::SshdUserRc | K::TwoDoors | K::Unit => None,
            K::Undecided | K::UnknownGroup | K::UnknownUser | K::UntilStays | K::Weakened => None,
            K::At | K::Cron | K::FileCapabilities | K::HomeInReach => Some(Severity::Warning),
            K::HostHomeMissing | K::NoEffect | K::NssLibraryMissing | K::NullMissing => {
                Some(Severity::Warning)
            }
            K::PamConfig | K::PamDenies | K::PamOther | K::PamRefuses | K::PasswdDisagrees => {
                Some(Severity::Warning)
            }
            K::SftpServerBroken | K::SshdKeyCommand | K::Sudo | K::UnknownKind | K::UsersFile => {
                Some(Severity::Warning)
            }
            K::SshdForwarding | K::WorldWritable => Some(Severity::Warning),
            K::AccountLimits => Some(Severity::Note),
            K::EtcMissing | K::HomeNotWritable | K::LocaleMissing | K::More | K::NoLogin => {
                Some(Severity::Note)
            }
            K::NotJailed | K::PamNoAccount | K::PasswdLineMissing | K::ProgramBroken => {
                Some(Severity::Note)
            }
            K::ResolverMissing | K::SftpServerMissing | K::TerminfoMissing | K::TimeZoneMissing => {
                Some(Severity::Note)
            }
            K::DeviceMissing | K::ServiceMissing | K::ToBeMade => Some(Severity::Note),
            K::DirectoryGroup | K::UnusedAcceptance => Some(Severity::Note),
            K::Until => Some(Severity::Note),
            _ => Some(Severity::Error),
        }
    }
}

/// JSON has the word.
impl Serialize for FindingKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

/// Lists all kinds, as the help of `jailctl check` does.
pub(crate) fn listed() -> String {
    let mut text = String::from(
        "Kinds of findings. Each finding ends with its kind, in brackets. If a login is refused, the code that the user sees \
         stands before the kind, in parentheses. In this list, a severity in parentheses means that the kind always has it.",
    );
    for kind in FindingKind::value_variants() {
        if let Some((heading, _)) = GROUPS.iter().find(|(_, first)| first == kind) {
            text.push_str(&format!("\n\n{heading}:"));
        }
        let severity = match kind.severity() {
            Some(severity) => format!(" ({})", severity.word()),
            None => String::new(),
        };
        text.push_str(&format!("\n  {}{severity}: {}", kind.name(), kind.about()));
    }
    text
}

#[cfg(test)]
mod tests;
