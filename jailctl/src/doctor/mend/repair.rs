//! What mends a finding, as a value: printed as the `jailctl mend` command that does it.
//!
//! A value names what is wrong and where, and nothing that is to be done: [`super::execute`] looks again before it changes
//! anything. So a command that was printed an hour ago, or typed by hand, can do no more than `jailctl check` would ask for.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use jail::door::decision::CONFIG_DIRECTORY;

use crate::shell::quoted;

/// sshd's config.
const SSHD_CONFIG: &str = "/etc/ssh/sshd_config";

/// How far a fix goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// It is done.
    Whole,
    /// It is looked what would be done.
    DryRun,
}

/// What is wrong, by the word that `jailctl check` calls it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Forbid a user at(1): its jobs run on the host
    At,
    /// Remove the jobs of at(1) of a user that wait to run on the host
    AtJobs,
    /// Make the way to a base root's alone
    Base,
    /// Write an empty config, which serves nobody
    ConfigMissing,
    /// Make the config and the way to it root's alone
    ConfigUnsafe,
    /// Forbid a user crontab(1): its jobs run on the host
    Cron,
    /// Move a user's crontab, which runs on the host, to root's home
    Crontab,
    /// Remove a device of a root that no jail needs
    Device,
    /// Let the shell of a jail be executed
    Exec,
    /// Remove the capabilities of a file of a root
    FileCapabilities,
    /// Write the user's groups of the host into the jail's group file
    GroupDisagrees,
    /// Put a copy in the place of a file of a root that has other names, outside of the root too
    HardLink,
    /// Give a user a home on the host that the jail does not reach, and take the keys along
    HomeInReach,
    /// Make the home in the jail, or give it to its user
    HomeMissing,
    /// Give the home in the jail to its user
    HomeNotWritable,
    /// Let only root own and write a file of a root which programs of the host read as root
    HostFiles,
    /// Copy the shell of a jail with all that it needs from the host
    InterpreterMissing,
    /// Take away the permission to replace jail-shell
    JailShellWritable,
    /// Copy the shell of a jail with all that it needs from the host
    LibraryMissing,
    /// End the lingering of a user's services on the host
    Linger,
    /// Copy the host's locales into the root
    LocaleMissing,
    /// Copy the user's login shell with all that it needs from the host
    LoginShell,
    /// Unmount a part of the host that is mounted below a root
    MountInRoot,
    /// Take a service without a library out of the jail's nsswitch.conf
    NssLibraryMissing,
    /// Make /dev/null in the root
    NullMissing,
    /// Take away the permission to replace pam_jail.so
    PamModule,
    /// Write the user's line of the host into the jail's passwd
    PasswdDisagrees,
    /// Write the user's line into the jail's passwd
    PasswdLineMissing,
    /// Copy a program that can't start, with all that it needs, from the host; remove it where the host has none
    ProgramBroken,
    /// Copy the host's resolv.conf into the root
    ResolverMissing,
    /// Make the way to a root root's alone
    Root,
    /// Let the user search the root directory
    RootUnsearchable,
    /// Take accounts with uid 0 besides root out of the jail's passwd
    SecondRoot,
    /// Remove the set-user-ID and set-group-ID bits of a file of a root
    SetId,
    /// Copy sftp-server with all that it needs from the host
    SftpServerBroken,
    /// Copy sftp-server with all that it needs from the host
    SftpServerMissing,
    /// Copy the shell of a jail with all that it needs from the host
    ShellMissing,
    /// Take jail-shell out of /etc/shells
    Shells,
    /// Copy a user's keys to /etc/ssh/authorized_keys.d
    SshdKeys,
    /// Let nobody but the user write the user's keys on the host and the directories they are in, so that sshd obeys them
    SshdKeysIgnored,
    /// Copy the keys in the jail's home to the home on the host, where sshd looks
    SshdKeysInside,
    /// Give a program, library or account file of a root back to root
    SystemOwner,
    /// Take away the write permission for programs, libraries and account files of a root
    SystemWritable,
    /// Copy the host's descriptions of terminals into the root
    TerminfoMissing,
    /// Copy the host's time zone into the root
    TimeZoneMissing,
    /// Mask a user's systemd user manager: it runs on the host what is written to the home from inside the jail
    UserManager,
    /// Take away the write permission that everybody has for a file of a root
    WorldWritable,
}

/// What the second word of the command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    /// A path: below the root of a jail, or one that the config or PAM names, as a root, a base or the module.
    Path,
    /// A jailed user.
    User,
    /// Nothing: it is one thing of the host's.
    Host,
}

impl Kind {
    /// Gives the word for it, which is also the finding's.
    pub(crate) fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    /// Says what it is about.
    pub(crate) fn object(self) -> Object {
        match self {
            Kind::Base
            | Kind::Device
            | Kind::FileCapabilities
            | Kind::HardLink
            | Kind::HostFiles
            | Kind::MountInRoot
            | Kind::PamModule
            | Kind::ProgramBroken
            | Kind::Root
            | Kind::SetId
            | Kind::SystemOwner
            | Kind::SystemWritable
            | Kind::WorldWritable => Object::Path,
            Kind::At
            | Kind::AtJobs
            | Kind::Cron
            | Kind::Crontab
            | Kind::Exec
            | Kind::GroupDisagrees
            | Kind::HomeInReach
            | Kind::HomeMissing
            | Kind::HomeNotWritable
            | Kind::InterpreterMissing
            | Kind::LibraryMissing
            | Kind::Linger
            | Kind::LocaleMissing
            | Kind::LoginShell
            | Kind::NssLibraryMissing
            | Kind::NullMissing
            | Kind::PasswdDisagrees
            | Kind::PasswdLineMissing
            | Kind::ResolverMissing
            | Kind::RootUnsearchable
            | Kind::SecondRoot
            | Kind::SftpServerBroken
            | Kind::SftpServerMissing
            | Kind::ShellMissing
            | Kind::SshdKeys
            | Kind::SshdKeysIgnored
            | Kind::SshdKeysInside
            | Kind::TerminfoMissing
            | Kind::TimeZoneMissing
            | Kind::UserManager => Object::User,
            Kind::ConfigMissing | Kind::ConfigUnsafe | Kind::JailShellWritable | Kind::Shells => {
                Object::Host
            }
        }
    }

    /// Tells whether it only takes something away, of a jail and its user and of nothing else. Only such fixes are left to
    /// `--fix`.
    fn only_takes_away(self) -> bool {
        matches!(
            self,
            Kind::At
                | Kind::ConfigUnsafe
                | Kind::Cron
                | Kind::FileCapabilities
                | Kind::JailShellWritable
                | Kind::Linger
                | Kind::PamModule
                | Kind::Root
                | Kind::SetId
                | Kind::Shells
                | Kind::SystemWritable
                | Kind::UserManager
                | Kind::WorldWritable
        )
    }
}

/// A fix that jailctl executes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repair {
    pub(crate) kind: Kind,
    pub(crate) what: OsString,
    /// The directory of the config that it goes by.
    config: PathBuf,
    /// sshd's config, for fixes that go by it, where it is not the usual one.
    sshd_config: Option<PathBuf>,
    /// A rule that it supposes, which is not in the config yet.
    rule: Option<String>,
    /// Whether it may concern more than the jail: another name of the file, or data that is only shown there.
    shared: bool,
}

impl Repair {
    /// Makes a fix for a path.
    pub(crate) fn of_path(kind: Kind, path: &Path) -> Repair {
        Repair::new(kind, path.as_os_str())
    }

    /// Makes a fix for the host.
    pub(crate) fn of_host(kind: Kind) -> Repair {
        Repair::new(kind, OsStr::new(""))
    }

    /// Makes a fix for a user's jail.
    pub(crate) fn of_user(kind: Kind, user: &OsStr) -> Repair {
        Repair::new(kind, user)
    }

    pub(crate) fn new(kind: Kind, what: &OsStr) -> Repair {
        Repair {
            kind,
            what: what.to_owned(),
            config: CONFIG_DIRECTORY.into(),
            sshd_config: None,
            rule: None,
            shared: false,
        }
    }

    /// Says that it may concern more than the jail, and is left to the administrator.
    pub(crate) fn not_only_of_jail(self, shared: bool) -> Repair {
        Repair {
            shared: self.shared || shared,
            ..self
        }
    }

    /// Goes by another config.
    pub(crate) fn with_config(self, directory: &Path) -> Repair {
        Repair {
            config: directory.to_owned(),
            ..self
        }
    }

    /// Goes by another config of sshd's.
    pub(crate) fn with_sshd_config(self, file: &Path) -> Repair {
        let other = (file != Path::new(SSHD_CONFIG)).then(|| file.to_owned());
        Repair {
            sshd_config: other,
            ..self
        }
    }

    /// Supposes a rule that is not in the config yet.
    pub(crate) fn with_rule(self, rule: Option<&str>) -> Repair {
        Repair {
            rule: rule.map(str::to_owned),
            ..self
        }
    }

    /// Gives the rule that it supposes.
    pub(crate) fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }

    /// Gives sshd's config.
    pub(crate) fn sshd_config(&self) -> &Path {
        self.sshd_config
            .as_deref()
            .unwrap_or(Path::new(SSHD_CONFIG))
    }

    /// Tells whether `--fix` may execute it.
    pub(crate) fn is_safe(&self) -> bool {
        self.kind.only_takes_away() && !self.shared
    }
}

/// The command, on one line and in letters that a terminal can show.
impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("jailctl ")?;
        if self.config != Path::new(CONFIG_DIRECTORY) {
            write!(f, "--config {} ", quoted(&self.config))?;
        }
        write!(f, "mend ")?;
        if let Some(file) = &self.sshd_config {
            write!(f, "--sshd-config {} ", quoted(file))?;
        }
        if let Some(rule) = &self.rule {
            write!(f, "--rule {} ", quoted(rule))?;
        }
        let bytes = self.what.as_bytes();
        // sh(1) takes newlines off the end of what a command prints, so this can't be left to printf(1).
        let is_plain = bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
        let name = self.kind.name();
        if self.kind.object() == Object::Host {
            return f.write_str(&name);
        }
        if !is_plain {
            return write!(f, "--escaped {name} {}", quoted(escaped(bytes)));
        }
        let end = if bytes.starts_with(b"-") { "-- " } else { "" };
        write!(f, "{name} {end}{}", quoted(&self.what))
    }
}

/// Writes bytes that can't be shown as a backslash and three octal digits.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        if (b' '..=b'~').contains(byte) && *byte != b'\\' {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("\\{byte:03o}"));
        }
    }
    text
}

/// Reads what `escaped` has written; nothing of what it has not.
pub(crate) fn unescaped(text: &OsStr) -> Option<OsString> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        if *byte != b'\\' {
            bytes.push(*byte);
            rest = behind;
            continue;
        }
        let (digits, behind) = behind.split_at_checked(3)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()?);
        rest = behind;
    }
    Some(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

    use super::{Kind, Repair, escaped, unescaped};

    #[test]
    fn a_command_is_one_line_whatever_the_name() {
        for (name, command) in [
            ("/srv/a", "jailctl mend set-id /srv/a"),
            ("/srv/a b;c", "jailctl mend set-id '/srv/a b;c'"),
            ("/srv/a\n", r"jailctl mend --escaped set-id '/srv/a\012'"),
            (
                "/srv/\u{1b}[2J\\",
                r"jailctl mend --escaped set-id '/srv/\033[2J\134'",
            ),
            (
                "/srv/\u{e9}",
                r"jailctl mend --escaped set-id '/srv/\303\251'",
            ),
        ] {
            let repair = Repair::of_path(Kind::SetId, Path::new(name));
            assert_eq!(repair.to_string(), command);
        }
        let user = Repair::of_user(Kind::HomeMissing, OsStr::new("-ann"));
        assert_eq!(user.to_string(), "jailctl mend home-missing -- -ann");
        let other = user.with_config(Path::new("/root/new"));
        assert_eq!(
            other.to_string(),
            "jailctl --config /root/new mend home-missing -- -ann"
        );
    }

    #[test]
    fn what_was_escaped_is_read_as_it_was() {
        let name: Vec<u8> = (0..=255).collect();
        let name = OsStr::from_bytes(&name);
        let text = escaped(name.as_bytes());
        assert_eq!(unescaped(OsStr::new(&text)).as_deref(), Some(name));
        for wrong in [r"\", r"\01", r"\8", r"\777"] {
            assert_eq!(unescaped(OsStr::new(wrong)), None, "{wrong}");
        }
    }
}
