//! Why a login is refused: one enum, by stage.

use std::{error, ffi::OsString, fmt, path::PathBuf};

use jail_config::{Faults, Rule, TemplateError};
use nix::errno::Errno;

use crate::{
    account::identity::IdentityError,
    plan::{PlanFault, request::RequestFault},
    process::{
        descriptors::BadDescriptor,
        home::HomeFault,
        privilege::{Missing, PrivilegeFault},
        program::ProgramFault,
        start::{DEADLINE, StartFault},
    },
    trust::{NO_OPENAT2, Untrusted, UntrustedSource},
    world::host_files::HostFilesFault,
};

pub use crate::{code::Code, fault::StepFault};

/// Why a login is refused. `Display` is the reason as the administrator reads it in the log.
#[derive(Debug)]
pub enum Refusal {
    /// The arguments make no request; the text says how.
    Usage(String),
    /// Root called the door.
    CalledByRoot,
    /// The set-user-ID bit had no effect.
    Privilege(Missing),
    /// A standard descriptor is refused.
    Descriptor(BadDescriptor),
    /// The account facts could not be had.
    Identity(IdentityError),
    /// There is no config file.
    ConfigMissing(PathBuf),
    /// The config file can't be read.
    ConfigUnreadable(PathBuf, Errno),
    /// The config file or a directory above it could be written by somebody else.
    ConfigUnsafe(Untrusted),
    /// The config has errors.
    ConfigWrong(Faults),
    /// The user's name can't be the name of a file in `users.d`.
    UserFileName(jail_config::UnsafeName),
    /// A template of the config can't be filled for this account.
    Template(TemplateError),
    /// No rule names the user; the rule is the `unlisted` setting.
    NoRule(Rule),
    /// The rule exempts the user from jails.
    Exempt(Rule),
    /// The target of a plan has uid 0.
    UidZero,
    /// The jail wants what can't be had in another program's process; what, and what mends it.
    BehindPam(&'static str),
    /// The password has expired, and sshd would start passwd(1) in the jail.
    PasswordExpired,
    /// Root code of a host program must not read what is inside.
    HostFiles(HostFilesFault),
    /// The root directory is refused.
    Root(Untrusted),
    /// The base is refused.
    Base(Untrusted),
    /// The source of a mount is refused.
    Mount(UntrustedSource),
    /// The shell can't run in this root.
    Program(ProgramFault),
    /// The home directory can't be entered.
    Home(PathBuf, Errno),
    /// The user may not search the root directory.
    RootUnsearchable(Errno),
    /// An sftp-server was asked for by a command that only a shell can read; and why.
    SftpCommand(String),
    /// sshd's forced command is an sftp-server, and the client asked for this.
    SftpOnly(OsString),
    /// A step failed; what was tried and what the kernel said.
    Step(&'static str, StepFault),
    /// What is looked at and built was not done when the deadline came: the directories of the host that it looks at.
    Overdue(Vec<PathBuf>),
    /// A child that looked and built for this process was refused: the code and the reason.
    OfChild(Code, String),
    /// execve(2) returned.
    Exec(PathBuf, Errno),
}

impl Refusal {
    /// Tells whether the client wants something else than SFTP of an account that has nothing else.
    #[must_use]
    pub fn is_for_want_of_sftp(&self) -> bool {
        matches!(
            self,
            Refusal::SftpOnly(_) | Refusal::Program(ProgramFault::SftpNotWanted)
        )
    }

    /// Gives the exit status: that of the code, but 1 where the login itself is not refused.
    #[must_use]
    pub fn status(&self) -> u8 {
        if self.is_for_want_of_sftp() {
            1
        } else {
            self.code().status()
        }
    }

    /// Gives the code that the user is told.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Refusal::Usage(_) | Refusal::SftpCommand(_) | Refusal::SftpOnly(_) => Code::Usage,
            Refusal::CalledByRoot => Code::Root,
            Refusal::Privilege(missing) => missing.code(),
            Refusal::Descriptor(_) => Code::Descriptor,
            Refusal::Identity(_)
            | Refusal::UserFileName(_)
            | Refusal::Template(_)
            | Refusal::PasswordExpired => Code::Account,
            Refusal::ConfigMissing(_) => Code::ConfigMissing,
            Refusal::ConfigUnreadable(..) => Code::ConfigUnreadable,
            Refusal::ConfigUnsafe(_) => Code::ConfigUnsafe,
            Refusal::ConfigWrong(_) => Code::ConfigWrong,
            Refusal::NoRule(_) => Code::NoRule,
            Refusal::Exempt(_) => Code::Exempt,
            Refusal::UidZero => Code::UidZero,
            Refusal::BehindPam(_) => Code::ConfigWrong,
            Refusal::HostFiles(fault) => fault.code(),
            Refusal::Root(untrusted) | Refusal::Base(untrusted) => untrusted.root_code(),
            Refusal::Mount(untrusted) => untrusted.code(),
            Refusal::Program(fault) => fault.code(),
            Refusal::Home(..) => Code::HomeMissing,
            Refusal::RootUnsearchable(_) => Code::RootUnsearchable,
            Refusal::Step(..) | Refusal::Overdue(_) => Code::Step,
            Refusal::OfChild(code, _) => *code,
            Refusal::Exec(..) => Code::Exec,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Usage(what) => f.write_str(what),
            Refusal::CalledByRoot => f.write_str("called by root: root is not jailed"),
            Refusal::Privilege(missing) => missing.fmt(f),
            Refusal::Descriptor(bad) => bad.fmt(f),
            Refusal::Identity(error) => error.fmt(f),
            Refusal::ConfigMissing(path) => write!(
                f,
                "open config {}: it does not exist; install one that names this user",
                path.display()
            ),
            Refusal::ConfigUnreadable(path, Errno::ENOSYS) => {
                write!(f, "read config {}: {NO_OPENAT2}", path.display())
            }
            Refusal::ConfigUnreadable(path, errno) => {
                write!(f, "read config {}: {}", path.display(), errno.desc())
            }
            // The module may be told another config.
            Refusal::ConfigUnsafe(untrusted) if untrusted.path.starts_with(INSTALLED) => {
                write!(
                    f,
                    "open config {}",
                    untrusted.with_mend("config-unsafe", false)
                )
            }
            Refusal::ConfigUnsafe(untrusted) => write!(f, "open config {untrusted}"),
            Refusal::ConfigWrong(faults) => {
                let mut separator = "";
                for fault in faults.iter() {
                    write!(f, "{separator}{}", fault.one_line())?;
                    separator = "; ";
                }
                Ok(())
            }
            Refusal::UserFileName(error) => error.fmt(f),
            Refusal::Template(error) => error.fmt(f),
            Refusal::NoRule(rule) if rule.line == 0 => {
                write!(f, "no rule names this user; {ADD_RULE}")
            }
            Refusal::NoRule(rule) => write!(f, "no rule names this user ({rule}); {ADD_RULE}"),
            Refusal::Exempt(rule) => write!(
                f,
                "{rule} exempts this user, and jail-shell serves nobody unjailed; \
                 give the user an ordinary login shell (usermod -s) or take the exemption away"
            ),
            Refusal::UidZero => f.write_str("uid 0 is never put into a jail"),
            Refusal::BehindPam(why) => write!(f, "behind PAM can't be had {why}"),
            Refusal::PasswordExpired => f.write_str(
                "password-expired: sshd would start passwd in the jail, which can't change the password; set a new one \
                 (passwd USER), end its ageing (chage -M -1 USER), or have sshd ask for it before the session \
                 (KbdInteractiveAuthentication yes)",
            ),
            Refusal::HostFiles(fault) => fault.fmt(f),
            Refusal::Root(untrusted) => {
                write!(f, "open root {}", untrusted.with_mend("root", true))
            }
            Refusal::Base(untrusted) => {
                write!(f, "open base {}", untrusted.with_mend("base", true))
            }
            Refusal::Mount(untrusted) => write!(f, "open the source of a mount {untrusted}"),
            Refusal::Program(fault) => fault.fmt(f),
            Refusal::Home(path, errno) => write!(
                f,
                "enter home {} in the jail: {}; {}",
                path.display(),
                errno.desc(),
                match errno {
                    Errno::EACCES => {
                        "it must belong to the user, who must be able to search what is above it; run: jailctl mend \
                         home-missing USER"
                    }
                    _ => "set the jail's `home`, or make it: jailctl mend home-missing USER",
                }
            ),
            Refusal::RootUnsearchable(errno) => write!(
                f,
                "enter the root directory as the user: {}; run: jailctl mend root-unsearchable USER",
                errno.desc()
            ),
            Refusal::SftpCommand(why) => write!(
                f,
                "sftp was asked for by a command that only a shell can read: {why}; a shell would read files of the user's first; \
                 name the server's path and its options alone, as in ForceCommand /usr/lib/openssh/sftp-server -u 027"
            ),
            Refusal::SftpOnly(command) => write!(
                f,
                "the account's forced command is an sftp-server, and the client asked for {command:?}"
            ),
            Refusal::Step(step, StepFault::Failed(call, errno)) => {
                write!(
                    f,
                    "step {step}: {call}: {}{}",
                    errno.desc(),
                    step_hint(call, *errno)
                )
            }
            Refusal::Step(step, fault) => write!(f, "step {step}: {fault}"),
            Refusal::Overdue(paths) => {
                write!(
                    f,
                    "build the jail: not done after {DEADLINE} s; a file system does not answer: see"
                )?;
                paths
                    .iter()
                    .try_for_each(|path| write!(f, " {}", path.display()))
            }
            Refusal::OfChild(_, reason) => f.write_str(reason),
            Refusal::Exec(path, errno) => write!(
                f,
                "execute {} in the jail: {}{}",
                path.display(),
                errno.desc(),
                exec_hint(*errno)
            ),
        }
    }
}

impl error::Error for Refusal {}

impl From<StartFault> for Refusal {
    fn from(fault: StartFault) -> Refusal {
        match fault {
            StartFault::Descriptor(bad) => Refusal::Descriptor(bad),
            StartFault::Step(fault) => Refusal::Step("start", fault),
        }
    }
}

impl From<PrivilegeFault> for Refusal {
    fn from(fault: PrivilegeFault) -> Refusal {
        match fault {
            PrivilegeFault::CalledByRoot => Refusal::CalledByRoot,
            PrivilegeFault::Missing(missing) => Refusal::Privilege(missing),
            PrivilegeFault::Step(fault) => Refusal::Step("privilege", fault),
        }
    }
}

impl From<PlanFault> for Refusal {
    fn from(fault: PlanFault) -> Refusal {
        match fault {
            PlanFault::UidZero => Refusal::UidZero,
            PlanFault::BehindPam(why) => Refusal::BehindPam(why),
        }
    }
}

impl From<RequestFault> for Refusal {
    fn from(fault: RequestFault) -> Refusal {
        match fault {
            RequestFault::Usage(what) => Refusal::Usage(what),
            RequestFault::SftpCommand(why) => Refusal::SftpCommand(why),
            RequestFault::SftpOnly(command) => Refusal::SftpOnly(command),
        }
    }
}

impl From<IdentityError> for Refusal {
    fn from(error: IdentityError) -> Refusal {
        Refusal::Identity(error)
    }
}

impl From<HomeFault> for Refusal {
    fn from(fault: HomeFault) -> Refusal {
        match fault {
            HomeFault::RootUnsearchable(errno) => Refusal::RootUnsearchable(errno),
            HomeFault::Home(path, errno) => Refusal::Home(path, errno),
        }
    }
}

impl From<ProgramFault> for Refusal {
    fn from(fault: ProgramFault) -> Refusal {
        Refusal::Program(fault)
    }
}

/// Where `jailctl` looks for a config that nobody has named.
const INSTALLED: &str = "/etc/login-jail";

/// What mends a missing rule.
const ADD_RULE: &str =
    "add the user or a group of theirs to [users] or [groups], or make users.d/NAME.toml";

/// Says what usually mends a failed step.
fn step_hint(call: &str, errno: Errno) -> &'static str {
    match (call, errno) {
        ("unshare" | "unshare CLONE_NEWPID", Errno::EPERM) => {
            "; this host allows no new namespaces: give CAP_SYS_ADMIN, or set isolation = \"chroot\""
        }
        ("unshare" | "unshare CLONE_NEWPID", Errno::ENOSPC) => {
            "; the host's limit of namespaces is reached: see sysctl user.max_pid_namespaces and its like"
        }
        ("pivot_root", Errno::EINVAL) => {
            "; the host's root is an initramfs, which can't be left: set isolation = \"chroot\""
        }
        ("fork", Errno::EAGAIN) => "; raise limits.nproc, or the host's pid limits",
        (_, Errno::EPERM) if call.starts_with("setrlimit") => {
            "; the limit is above the caller's hard limit, and raising that takes CAP_SYS_RESOURCE"
        }
        _ => "",
    }
}

/// Says what usually mends a failed execve(2).
fn exec_hint(errno: Errno) -> &'static str {
    match errno {
        Errno::E2BIG => {
            "; the environment and command are larger than the stack limit allows (ulimit -s)"
        }
        Errno::EAGAIN => "; the user runs as many processes as limits.nproc allows",
        Errno::ENOEXEC => "; it is not a program for this machine, or a script without a #! line",
        Errno::EACCES => "; it needs the execute bit, on a file system that is not mounted noexec",
        _ => "",
    }
}
