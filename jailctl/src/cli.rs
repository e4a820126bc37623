//! The arguments, as clap reads them. Help, completions and man pages are made of this.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use jail::door::decision::CONFIG_DIRECTORY;

use crate::{
    commands::{build::Build, import::Import, presets, rollback::Rollback, update::Update},
    doctor::kinds::KINDS,
    door::Door,
    mend,
};

/// Explains, checks and changes who is jailed where
///
/// Exit status: 0 when all is fine, 1 when there is something to report (findings of check, a login that explain says
/// would be refused), 2 for wrong arguments, 3 when the command failed. `jailctl enter` ends as what it runs ends.
#[derive(Debug, Parser)]
#[command(name = "jailctl", version, disable_help_subcommand = true, after_long_help = EXAMPLES)]
pub(crate) struct Cli {
    /// Read config.toml and users.d below this directory
    ///
    /// For trying a config before it is installed; the doors always read /etc/login-jail.
    #[arg(long, global = true, value_name = "DIR", default_value = CONFIG_DIRECTORY, value_hint = ValueHint::DirPath)]
    pub(crate) config: PathBuf,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  jailctl --config /root/new check          try the config in /root/new before it is installed
  jailctl --config /root/new explain ann    what it would do with ann";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Explain(Explain),
    Check(Check),
    Mend(Mend),
    List(List),
    Status(Status),
    Sessions(Sessions),
    Kick(Kick),
    Add(Add),
    Release(Release),
    Migrate(Migrate),
    Enter(Enter),
    Build(Build),
    Import(Import),
    Presets(presets::List),
    Update(Update),
    Rollback(Rollback),
    Completions(Completions),
    #[command(hide = true)]
    Man(Man),
    #[command(hide = true)]
    Rehearse(Rehearse),
    #[command(hide = true)]
    Accomplice(Accomplice),
    #[command(hide = true)]
    Unwalled(Unwalled),
    #[command(hide = true)]
    KillAll(KillAll),
    #[command(hide = true)]
    Commands(Commands),
    #[command(hide = true)]
    Watch(Watch),
}

/// How a command reports.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Output {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Say what a login of a user would do, and why
///
/// Prints the rule that decides, with file and line, the rules that name the user and lost, and the plan of the login step
/// by step, with the values it would use. For root it also rehearses the login, as check does, and looks at the account as PAM and sshd
/// will: what is found is listed with the command that mends it. Needs no root for oneself where the config is readable.
#[derive(Debug, Args)]
#[command(after_long_help = EXPLAIN_EXAMPLES)]
pub(crate) struct Explain {
    /// The account
    #[arg(value_hint = ValueHint::Username)]
    pub(crate) user: String,
    /// The door the user comes through; by default the one that the user has
    #[arg(long, value_enum)]
    pub(crate) door: Option<Door>,
    /// The command that ssh or su is asked for, instead of a shell
    #[arg(long, value_name = "CMD", value_hint = ValueHint::CommandString)]
    pub(crate) command: Option<OsString>,
    #[command(flatten)]
    pub(crate) output: Output,
}

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  jailctl explain ann                                           what her next login would do
  jailctl explain --door pam postgres                           what a job of cron for postgres would do
  jailctl explain --door force-command --command 'ls -l' ann    what ssh ann@host ls -l would do
  jailctl explain --json ann                                    the same for a program";

/// Find what is wrong with the config, the jails and the doors
///
/// Each finding names the thing, its state, and the command that mends it. Every jail is entered as a login would enter it,
/// as the user and behind every wall, up to the last step before the shell is started; nothing of the user's runs.
/// Needs root. Notes alone leave the exit status at 0; what could not be checked is said, and makes it 1.
#[derive(Debug, Args)]
#[command(after_long_help = format!("{WALLS}\n\n{KINDS}\n\n{CHECK_EXAMPLES}"))]
pub(crate) struct Check {
    /// The accounts; by default all whom a rule puts into a jail
    #[arg(value_hint = ValueHint::Username)]
    pub(crate) users: Vec<String>,
    /// Run the fixes that only take something away, and only from a jail and its user; show each change, and check again
    #[arg(long)]
    pub(crate) fix: bool,
    /// Try to get out of each jail, as its user, and say which wall stopped each try
    ///
    /// The probes are this program's own, change nothing and leave nothing; some 100 for each jail, in less than a second.
    /// One that gets through a wall that the config raises is an error. One that gets through where the config has taken
    /// its walls down says which line did, and is none.
    #[arg(long)]
    pub(crate) attack: bool,
    /// sshd's config, for hosts that start it with another one
    #[arg(long, value_name = "FILE", default_value = "/etc/ssh/sshd_config", value_hint = ValueHint::FilePath)]
    pub(crate) sshd_config: PathBuf,
    #[command(flatten)]
    pub(crate) output: Output,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  jailctl check                                              every jailed user, every root and every door
  jailctl check ann bob                                      these two, and the doors as they find them
  jailctl check --fix                                        mend what only takes something away, then check again
  jailctl check --attack ann                                 and which wall stops each known way out
  jailctl check --sshd-config /etc/ssh/sshd_sftp.conf ann    where an sshd has a config of its own
  jailctl check --json                                       for a program; exit status 1 says that something was found";

/// Mend what check has found, one thing at a time
///
/// `jailctl check` prints these commands. KIND is the word in brackets behind the finding, WHAT is the file, directory or
/// user that it is about. The state is looked at again first: where it is in order by now, nothing is done.
///
/// A jail's user may be at work in it at the same time, so everything is done by descriptor, from the root down: no symbolic
/// link is followed, no mount is entered, and what was looked at is what is changed. A file that has further hard links is
/// not changed, because one of them may be the host's. What a mount of the config shows is data, and is never changed.
/// Each change is printed. Needs root. Exit status 0 also when there was nothing to mend, 3 when it was refused.
#[derive(Debug, Args)]
#[command(after_long_help = MEND_EXAMPLES)]
pub(crate) struct Mend {
    /// What is wrong, by the word that check calls it by
    #[arg(value_parser = mend::KindParser)]
    pub(crate) kind: mend::Kind,
    /// The path or user that check names
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) what: Option<OsString>,
    /// WHAT has a backslash and three octal digits for each byte that a terminal can't show
    #[arg(long)]
    pub(crate) escaped: bool,
    /// sshd's config, as it was given to check
    #[arg(long, value_name = "FILE", default_value = "/etc/ssh/sshd_config", value_hint = ValueHint::FilePath)]
    pub(crate) sshd_config: PathBuf,
    /// Go by this rule as if the config had it already; JAIL is the name of a jail or a root directory
    ///
    /// jailctl add prints it where what it needs is missing.
    #[arg(long, value_name = "USER=JAIL")]
    pub(crate) rule: Option<String>,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

const MEND_EXAMPLES: &str = "\
Examples:
  jailctl mend home-missing ann                             make her home in the jail
  jailctl mend set-id /srv/jails/ann/usr/bin/su             take the set-user-ID bit away
  jailctl mend --dry-run home-missing ann                   only show what would change
  jailctl mend --rule bob=web root /srv/jails/bob           make a root for bob, whom jailctl add is to put into the jail web
  jailctl mend --json set-id /srv/jails/ann/bin/su          what was changed, for a program
  jailctl mend --escaped set-id '/srv/jails/ann/a\\012b'     a name with a line break, as check prints it
  jailctl mend --sshd-config /root/sshd_config set-id /srv/jails/ann/bin/su     with another config of sshd's";

/// The names of walls, which stay the same from release to release.
pub(crate) const WALLS: &str = "\
The walls that --attack names: bounding-set (with the locked securebits), closed-descriptors, ipc-namespace, landlock, \
landlock-ports, mount-flags (nosuid and nodev), network-namespace, no-new-privs, own-proc, pid-namespace, privileges (the \
user's ids, no capabilities), root (no path leads out), seccomp, session-keyring. \"No wall of the jail\" is the kernel, or a \
setting of it that is the host's own.";

/// List who is jailed where, by which rule and through which door
#[derive(Debug, Args)]
#[command(after_long_help = LIST_EXAMPLES)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) output: Output,
}

const LIST_EXAMPLES: &str = "\
Examples:
  jailctl list           a line for each user and each rule
  jailctl list --json    the same for a program";

/// Say whether the doors are in working order, and what jailed users have running
///
/// A process is inside where root and namespaces are those of the jail that the config gives the user now: what a weaker one
/// holds since before a change counts as outside, and so does what can't be judged. systemd's user manager and its PAM
/// session, which each login by pam_systemd starts, are not counted; what this manager runs is outside of the jail, and is
/// named by unit. Needs root. Exit status 1 when a root can't be opened, or a jailed user has a process outside of the jail.
#[derive(Debug, Args)]
#[command(after_long_help = STATUS_EXAMPLES)]
pub(crate) struct Status {
    /// Only say what this kernel can do for jails
    ///
    /// It needs neither root nor a config. Exit status 1 when the kernel lacks a part of Landlock that a jail by default uses.
    #[arg(long)]
    pub(crate) kernel: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

const STATUS_EXAMPLES: &str = "\
Examples:
  jailctl status             the doors, the roots and what is running
  jailctl status --kernel    whether this kernel has what jails need
  jailctl status --json      all of it for a program";

/// List the sessions that are in a jail: who, since when, from where, on which terminal, with what
///
/// A session is what one login has running, background processes included; where the login has ended and processes linger,
/// the column DOOR has a dash. The address is the other side of sshd's connection, as the kernel has it; the command is what the
/// process calls itself. The jail is the one that the config gives the user now. A login that is not in its jail yet is
/// listed as "entering": its processes still run as root. Needs root.
#[derive(Debug, Args)]
#[command(after_long_help = SESSIONS_EXAMPLES)]
pub(crate) struct Sessions {
    /// The accounts; by default all whom a rule puts into a jail
    #[arg(value_hint = ValueHint::Username)]
    pub(crate) users: Vec<String>,
    #[command(flatten)]
    pub(crate) output: Output,
}

const SESSIONS_EXAMPLES: &str = "\
Examples:
  jailctl sessions            everybody's
  jailctl sessions ann bob    those of these two
  jailctl sessions --json     the same for a program";

/// End all that a jailed user has running
///
/// Asks every process of the user to end (SIGTERM and SIGHUP), waits, and kills all that is left in one call, which no
/// process outruns: those in the jail, what lingers in the background, and what stands around them, such as sshd's process
/// for the connection, and those of root's that are about to let the user in. Nobody else's processes are touched, and the user can log in again. Exit status 1 when a process would not end. Needs root.
#[derive(Debug, Args)]
#[command(after_long_help = KICK_EXAMPLES)]
pub(crate) struct Kick {
    /// The account
    #[arg(value_hint = ValueHint::Username)]
    pub(crate) user: String,
    /// How long the processes get to end by themselves, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_hint = ValueHint::Other)]
    pub(crate) grace: u16,
    /// Also when no rule jails the user
    #[arg(long)]
    pub(crate) any: bool,
    /// Show what would be ended, and end nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

const KICK_EXAMPLES: &str = "\
Examples:
  jailctl kick ann                 end what ann has running
  jailctl kick --grace 0 ann       kill at once
  jailctl kick --dry-run ann       only show what would be ended
  jailctl kick --any --json bob    bob is in no jail";

/// Put a user into a jail
///
/// Writes the rule to [users] of config.toml and keeps its comments and layout, then makes jail-shell the login shell. The
/// new config is checked before it takes the place of the old one, which stays beside it as config.toml~. With --config DIR
/// only that config changes, and never an account.
///
/// It makes no account, no root and no home: useradd(8), `jailctl build` or `jailctl import`, and install(1) do; with
/// base = "host" a home below the root is enough. `jailctl check USER` says what is missing.
#[derive(Debug, Args)]
#[command(after_long_help = ADD_EXAMPLES)]
pub(crate) struct Add {
    /// The account
    #[arg(value_hint = ValueHint::Username)]
    pub(crate) user: String,
    /// A jail of the config; with neither this nor --root the rule that there is stays, and its door is opened
    #[arg(long, value_name = "NAME", conflicts_with = "root", value_hint = ValueHint::Other)]
    pub(crate) jail: Option<String>,
    /// A root directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) root: Option<String>,
    /// What keeps the user inside
    #[arg(long, value_enum, default_value_t = Through::LoginShell)]
    pub(crate) door: Through,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

const ADD_EXAMPLES: &str = "\
Examples:
  jailctl add --jail web ann               into the jail [jails.web] of the config
  jailctl add --root /srv/jails/bob bob    into a root, with the keys of [defaults]
  jailctl add --jail web --door pam ann    kept inside by pam_jail.so: the login shell stays
  jailctl add ann                          a rule of hers, or of a group, is there: only the login shell changes
  jailctl add --jail web --dry-run ann     only show what would change";

/// What puts a user into the jail of their rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Through {
    /// jail-shell becomes the login shell
    LoginShell,
    /// ForceCommand in sshd's config: only the rule is written
    Sshd,
    /// pam_jail.so in PAM stacks: only the rule is written, after a look at what the module would look at
    Pam,
}

/// Take a user out of their jail
///
/// Gives the account the login shell that it had, then takes the rule out of [users] or renames users.d/NAME.toml. What the
/// mends of `jailctl check` have written for this user goes too: lines of cron.deny and at.deny, the user's block in
/// login-jail's files below /etc/ssh/sshd_config.d, the mask of the user's systemd manager.
///
/// Where a rule for a group jails the user all the same, --exempt or --from-group says what is done about it; at a terminal
/// it is asked for, and else nothing is changed. With --config DIR only that config changes, and never an account.
#[derive(Debug, Args)]
#[command(after_long_help = RELEASE_EXAMPLES)]
pub(crate) struct Release {
    /// The account
    #[arg(value_hint = ValueHint::Username)]
    pub(crate) user: String,
    /// The login shell from now on; by default the one from before `jailctl add`, or /bin/bash where that is not known
    #[arg(long, value_name = "SHELL", value_hint = ValueHint::FilePath)]
    pub(crate) shell: Option<PathBuf>,
    /// Write the user into exempt, which comes before every rule
    #[arg(long, conflicts_with = "from_group")]
    pub(crate) exempt: bool,
    /// Take the user out of the groups whose rules jail them
    #[arg(long)]
    pub(crate) from_group: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

const RELEASE_EXAMPLES: &str = "\
Examples:
  jailctl release ann                              back to the host, with the shell from before
  jailctl release --exempt ann                     a group's rule jails her: she is exempt from it
  jailctl release --from-group ann                 or she leaves the group
  jailctl release --shell /usr/sbin/nologin ann    out of the jail, and not onto the host
  jailctl release --dry-run ann                    only show what would change";

/// Print the config that does what jailkit, sshd or pam_chroot does now
///
/// Reads their configuration and the accounts, and writes nothing: what is printed is a config.toml that login-jail takes,
/// by which every account of this machine comes into the root that it comes into now. Lines that could not be carried over
/// stand in it as comments, and make the exit status 1: whom they jail or refuse now is refused, or stays where sshd keeps
/// them, and is never let in unjailed; only root is never jailed. What remains to be done stands at its end, in an order in
/// which nobody is let in unjailed in between.
#[derive(Debug, Args)]
#[command(after_long_help = MIGRATIONS)]
pub(crate) struct Migrate {
    #[command(subcommand)]
    pub(crate) from: Source,
}

const MIGRATIONS: &str = "\
Examples:
  jailctl migrate sshd >config.toml; jailctl --config . explain ann    what it would do with ann, before it is installed
  jailctl migrate sshd --file /etc/ssh/sshd_sftp.conf                  where an sshd has a config of its own
  jailctl migrate jailkit --passwd passwd --directory jailkit          from files of another machine
  jailctl migrate pam_chroot --file chroot.conf --pam pam.d            the same";

/// Where users are put into roots until now.
#[derive(Debug, Subcommand)]
pub(crate) enum Source {
    Jailkit(FromJailkit),
    Sshd(FromSshd),
    #[command(name = "pam_chroot")]
    PamChroot(FromPamChroot),
}

/// Users of jk_chrootsh
#[derive(Debug, Args)]
pub(crate) struct FromJailkit {
    /// Where jailkit's files are
    #[arg(long, value_name = "DIR", default_value = "/etc/jailkit", value_hint = ValueHint::DirPath)]
    pub(crate) directory: PathBuf,
    /// Accounts from a file like /etc/passwd, in place of those of this machine
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) passwd: Option<PathBuf>,
}

/// ChrootDirectory and ForceCommand internal-sftp of sshd_config(5)
#[derive(Debug, Args)]
pub(crate) struct FromSshd {
    /// sshd's config; what it includes is read, too
    #[arg(long, value_name = "FILE", default_value = "/etc/ssh/sshd_config", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
}

/// Lines of pam_chroot's chroot.conf
#[derive(Debug, Args)]
pub(crate) struct FromPamChroot {
    /// pam_chroot's file
    #[arg(long, value_name = "FILE", default_value = "/etc/security/chroot.conf", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// The PAM stacks, for the module's options
    #[arg(long, value_name = "DIR", default_value = "/etc/pam.d", value_hint = ValueHint::DirPath)]
    pub(crate) pam: PathBuf,
}

/// Run a command in a root directory as root, or rehearse a user's login
///
/// With a directory this is chroot(1): the command keeps root's powers and no wall stands around it, so it is for rescue and
/// maintenance, not for keeping anybody in. Without a command it starts the shell that $SHELL names, or else /bin/sh.
///
/// What users can change in a root would then run as root. So the root, the directories above it, the program, and all that is in
/// the directories of programs, libraries and settings must belong to root, and nobody else may be able to write it.
#[derive(Debug, Args)]
#[command(
    override_usage = "jailctl enter [--mount] [--trust-user-files] ROOT [-- COMMAND...]\n       \
                            jailctl enter --user NAME [--door DOOR] [-- COMMAND...]",
    after_long_help = ENTER_EXAMPLES
)]
pub(crate) struct Enter {
    /// The root directory
    #[arg(required_unless_present = "user", value_name = "ROOT", value_hint = ValueHint::DirPath)]
    pub(crate) root: Option<PathBuf>,
    /// Log this user in: the decision, the plan and every step are those of a login
    #[arg(long, value_name = "NAME", conflicts_with_all = ["root", "mount"], value_hint = ValueHint::Username)]
    pub(crate) user: Option<String>,
    /// The door of the rehearsal; by default the one that the user has
    ///
    /// Behind pam the account's own login shell is started, as su(1) would start it with "-".
    #[arg(long, value_enum, requires = "user")]
    pub(crate) door: Option<Door>,
    /// Mount /proc, /sys, /dev and resolv.conf in it, for this command alone
    #[arg(long)]
    pub(crate) mount: bool,
    /// Enter also where users can change the program or its libraries, and run those as root
    #[arg(long, conflicts_with = "user")]
    pub(crate) trust_user_files: bool,
    /// The command and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

const ENTER_EXAMPLES: &str = "\
Examples:
  jailctl enter /srv/images/debian                              a shell in a root that is root's alone, as root
  jailctl enter --mount /srv/images/debian -- apt-get update    with /proc, /sys, /dev and resolv.conf for as long as it runs
  jailctl enter --trust-user-files /srv/jails/ann               the same in a root of a user's, whose programs run as root then
  jailctl enter --user ann                                      her login, before she does it
  jailctl enter --user ann --door pam                           the same as behind pam_jail.so
  jailctl enter --user ann -- id -un                            one command of hers";

/// Print the completions for a shell
#[derive(Debug, Args)]
#[command(after_long_help = COMPLETIONS_EXAMPLES)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  jailctl completions bash >/usr/share/bash-completion/completions/jailctl
  jailctl completions zsh >/usr/share/zsh/vendor-completions/_jailctl
  jailctl completions fish >/usr/share/fish/vendor_completions.d/jailctl.fish";

/// Write the man pages of this tool into a directory
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The directory
    pub(crate) directory: PathBuf,
}

/// Enter a user's jail and print what is seen inside, a line of JSON for each
#[derive(Debug, Args)]
pub(crate) struct Rehearse {
    /// The door that the user comes through
    #[arg(long, value_enum)]
    pub(crate) door: Door,
    /// Try the probes instead of looking around; what they are told, as JSON
    #[arg(long, value_name = "JSON")]
    pub(crate) attack: Option<String>,
    /// The account
    pub(crate) user: String,
}

/// Stand outside of a jail for the probes to reach, until the end of standard input
#[derive(Debug, Args)]
pub(crate) struct Accomplice {
    /// The account
    pub(crate) user: String,
}

/// Try the probes where no wall stands, to show that each gets through there
#[derive(Debug, Args)]
pub(crate) struct Unwalled {
    /// As root, not as the user
    #[arg(long)]
    pub(crate) root: bool,
    /// What the probes are told, as JSON
    #[arg(long, value_name = "JSON")]
    pub(crate) told: Option<String>,
    /// The account whose process stands outside
    pub(crate) user: String,
}

/// Kill all processes with a user id, by that user
#[derive(Debug, Args)]
pub(crate) struct KillAll {
    /// The user id
    pub(crate) uid: u32,
}

/// Print what processes run, a line of JSON for each
#[derive(Debug, Args)]
pub(crate) struct Commands {
    /// The process ids
    pub(crate) pids: Vec<i32>,
}

/// Run this program with other arguments, and end all that comes of it
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// How long it may take, in seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) longest: u64,
    /// The arguments
    #[arg(last = true, value_name = "ARGUMENT")]
    pub(crate) arguments: Vec<OsString>,
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use clap::{CommandFactory, ValueEnum};

    use super::{Cli, KINDS, WALLS, mend};

    /// Lists the files below a directory.
    fn files(directory: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(directory).unwrap();
        entries
            .map(|entry| entry.unwrap().path())
            .flat_map(|path| {
                if path.is_dir() {
                    files(&path)
                } else {
                    vec![path]
                }
            })
            .collect()
    }

    /// Gives the words that the sources of `check` call findings by.
    fn kinds() -> Vec<String> {
        let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctor/check");
        let mut kinds = Vec::new();
        for file in files(Path::new(sources)) {
            let text = std::fs::read_to_string(file).unwrap();
            for call in ["::error(", "::warning(", "::note(", "::refused("] {
                let arguments = text.split(call).skip(1).map(str::trim_start);
                let words = arguments.filter_map(|it| it.strip_prefix('"')?.split('"').next());
                kinds.extend(words.map(str::to_owned));
            }
        }
        kinds
    }

    #[test]
    fn the_help_lists_every_kind_of_finding() {
        assert!(kinds().len() > 50);
        for kind in kinds() {
            let listed = KINDS
                .split([' ', ',', '.', ';', '\n'])
                .any(|word| word == kind);
            assert!(listed, "{kind}");
        }
    }

    #[test]
    fn what_is_mended_is_a_kind_of_finding() {
        for kind in mend::Kind::value_variants() {
            let name = kind.name();
            let listed = KINDS
                .split([' ', ',', '.', ';', '\n'])
                .any(|word| word == name);
            // The jail's group file is a part of what host-files is about.
            assert!(listed || name == "group-disagrees", "{name}");
        }
    }

    #[test]
    fn the_help_lists_every_wall() {
        for wall in crate::attack::wall_names() {
            let listed = WALLS.split([' ', ',', '.']).any(|word| word == wall);
            assert!(listed, "{wall}");
        }
    }

    #[test]
    fn the_arguments_contradict_each_other_nowhere() {
        Cli::command().debug_assert();
    }
}
