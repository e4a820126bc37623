//! Why a login is refused: one enum by stage, and the code that a person is told.

use std::{error, fmt, path::PathBuf};

use jail_config::{Faults, Rule, TemplateError};
use nix::errno::Errno;

use crate::{
    host_files::HostFilesFault,
    identity::IdentityError,
    privilege::Missing,
    program::ProgramFault,
    start::BadDescriptor,
    trust::{Untrusted, raw},
};

/// The short code of a refusal and, as its number, the exit status of `jail-shell`.
///
/// A user is told the code only. The reason goes to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// The arguments make no request.
    Usage = 100,
    /// Root called.
    Root,
    /// No rule names the user.
    NoRule,
    /// A rule says that the user is never jailed.
    Exempt,
    /// There is no config.
    ConfigMissing,
    /// The config can't be read.
    ConfigUnreadable,
    /// The config, or a directory above it, is not root's alone.
    ConfigUnsafe,
    /// The config has errors.
    ConfigWrong,
    /// The account database has no usable answer.
    Account,
    /// The target has uid 0.
    UidZero,
    /// The root directory, or one above it, does not exist.
    RootMissing,
    /// The root, or a component above it, is not a directory.
    RootNotDirectory,
    /// The root, or a directory above it, is not root's alone.
    RootUnsafe,
    /// The shell is not there.
    ShellMissing,
    /// The shell is there, its interpreter is not.
    InterpreterMissing,
    /// The shell is there, one of its libraries is not.
    LibraryMissing,
    /// The home directory can't be entered.
    HomeMissing,
    /// sftp was asked for, and the jail has no sftp-server.
    SftpMissing,
    /// Standard input, output or error is something that must not come in.
    Descriptor,
    /// The binary is not set-user-ID root.
    NoSetuid,
    /// The binary is on a file system mounted `nosuid`.
    Nosuid,
    /// The caller has set no_new_privs.
    NoNewPrivs,
    /// Root's capabilities are not really there.
    Capabilities,
    /// A step of entering failed.
    Step,
    /// execve(2) of the shell failed.
    Exec,
    /// The user may not search the root directory.
    RootUnsearchable,
}

impl Code {
    /// Every code, in the order of their exit statuses.
    pub const ALL: [Code; 26] = [
        Code::Usage,
        Code::Root,
        Code::NoRule,
        Code::Exempt,
        Code::ConfigMissing,
        Code::ConfigUnreadable,
        Code::ConfigUnsafe,
        Code::ConfigWrong,
        Code::Account,
        Code::UidZero,
        Code::RootMissing,
        Code::RootNotDirectory,
        Code::RootUnsafe,
        Code::ShellMissing,
        Code::InterpreterMissing,
        Code::LibraryMissing,
        Code::HomeMissing,
        Code::SftpMissing,
        Code::Descriptor,
        Code::NoSetuid,
        Code::Nosuid,
        Code::NoNewPrivs,
        Code::Capabilities,
        Code::Step,
        Code::Exec,
        Code::RootUnsearchable,
    ];

    /// Gives the exit status, 100 to 125: above the usual ones of programs, below those a shell makes of signals.
    #[must_use]
    pub fn status(self) -> u8 {
        self as u8
    }

    /// Gives the word the user is told.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Code::Usage => "usage",
            Code::Root => "root",
            Code::NoRule => "no-rule",
            Code::Exempt => "exempt",
            Code::ConfigMissing => "config-missing",
            Code::ConfigUnreadable => "config-unreadable",
            Code::ConfigUnsafe => "config-unsafe",
            Code::ConfigWrong => "config-wrong",
            Code::Account => "account",
            Code::UidZero => "uid-zero",
            Code::RootMissing => "root-missing",
            Code::RootNotDirectory => "root-not-directory",
            Code::RootUnsafe => "root-unsafe",
            Code::ShellMissing => "shell-missing",
            Code::InterpreterMissing => "interpreter-missing",
            Code::LibraryMissing => "library-missing",
            Code::HomeMissing => "home-missing",
            Code::SftpMissing => "sftp-missing",
            Code::Descriptor => "descriptor",
            Code::NoSetuid => "no-setuid",
            Code::Nosuid => "nosuid",
            Code::NoNewPrivs => "no-new-privs",
            Code::Capabilities => "capabilities",
            Code::Step => "step",
            Code::Exec => "exec",
            Code::RootUnsearchable => "root-unsearchable",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

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
    /// Root code of a host program must not read what is inside.
    HostFiles(HostFilesFault),
    /// The root directory is refused.
    Root(Untrusted),
    /// The base is refused.
    Base(Untrusted),
    /// The source of a mount is refused.
    Mount(Untrusted),
    /// The shell can't run in this root.
    Program(ProgramFault),
    /// The home directory can't be entered.
    Home(PathBuf, Errno),
    /// The user may not search the root directory.
    RootUnsearchable(Errno),
    /// None of the known places has an sftp-server.
    SftpMissing,
    /// The sftp-server is there, the /dev/null it can't do without is not.
    SftpWithoutNull,
    /// A step failed; what was tried and what the kernel said.
    Step(&'static str, StepFault),
    /// execve(2) returned.
    Exec(PathBuf, Errno),
}

/// What was wrong with a step of entering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepFault {
    /// The system call failed.
    Failed(&'static str, Errno),
    /// The system call succeeded, the state after it is not what was asked for.
    NotInForce(String),
}

impl Refusal {
    /// Gives the code that the user is told and the exit status.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Refusal::Usage(_) => Code::Usage,
            Refusal::CalledByRoot => Code::Root,
            Refusal::Privilege(missing) => missing.code(),
            Refusal::Descriptor(_) => Code::Descriptor,
            Refusal::Identity(_) | Refusal::UserFileName(_) | Refusal::Template(_) => Code::Account,
            Refusal::ConfigMissing(_) => Code::ConfigMissing,
            Refusal::ConfigUnreadable(..) => Code::ConfigUnreadable,
            Refusal::ConfigUnsafe(_) => Code::ConfigUnsafe,
            Refusal::ConfigWrong(_) => Code::ConfigWrong,
            Refusal::NoRule(_) => Code::NoRule,
            Refusal::Exempt(_) => Code::Exempt,
            Refusal::UidZero => Code::UidZero,
            Refusal::BehindPam(_) => Code::ConfigWrong,
            Refusal::HostFiles(fault) => fault.code(),
            Refusal::Root(untrusted) | Refusal::Base(untrusted) | Refusal::Mount(untrusted) => {
                untrusted.root_code()
            }
            Refusal::Program(fault) => fault.code(),
            Refusal::Home(..) => Code::HomeMissing,
            Refusal::SftpMissing | Refusal::SftpWithoutNull => Code::SftpMissing,
            Refusal::RootUnsearchable(_) => Code::RootUnsearchable,
            Refusal::Step(..) => Code::Step,
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
            Refusal::ConfigUnreadable(path, errno) => {
                write!(f, "read config {}: {}", path.display(), errno.desc())
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
            Refusal::NoRule(rule) if rule.line == 0 => write!(f, "no rule names this user; {ADD_RULE}"),
            Refusal::NoRule(rule) => write!(f, "no rule names this user ({rule}); {ADD_RULE}"),
            Refusal::Exempt(rule) => write!(
                f,
                "{rule} exempts this user, and jail-shell serves nobody unjailed; \
                 give the user an ordinary login shell (usermod -s) or take the exemption away"
            ),
            Refusal::UidZero => f.write_str("uid 0 is never put into a jail"),
            Refusal::BehindPam(why) => write!(f, "behind PAM can't be had {why}"),
            Refusal::HostFiles(fault) => fault.fmt(f),
            Refusal::Root(untrusted) => write!(f, "open root {untrusted}"),
            Refusal::Base(untrusted) => write!(f, "open base {untrusted}"),
            Refusal::Mount(untrusted) => write!(f, "open the source of a mount {untrusted}"),
            Refusal::Program(fault) => fault.fmt(f),
            Refusal::Home(path, errno) => write!(
                f,
                "enter home {} in the jail: {}; {}",
                path.display(),
                errno.desc(),
                match errno {
                    Errno::EACCES => "chown it to the user, and let them search what is above it",
                    _ => "make it, or set the jail's `home`",
                }
            ),
            Refusal::RootUnsearchable(errno) => write!(
                f,
                "enter the root directory as the user: {}; chmod go+x the root directory",
                errno.desc()
            ),
            Refusal::SftpMissing => f.write_str(
                "sftp was asked for, and no sftp-server is in the jail; \
                 copy the host's, and the libraries that ldd names for it, to the same paths inside",
            ),
            Refusal::SftpWithoutNull => f.write_str(
                "sftp was asked for, and sftp-server needs /dev/null in the jail; \
                 mknod -m 666 dev/null c 1 3 in the root directory",
            ),
            Refusal::Step(step, StepFault::Failed(call, errno)) => {
                write!(f, "step {step}: {call}: {}{}", errno.desc(), step_hint(call, *errno))
            }
            Refusal::Step(step, StepFault::NotInForce(what)) => write!(f, "step {step}: {what}"),
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

/// Names the system call for a step's fault.
pub(crate) fn failed(call: &'static str) -> impl Fn(rustix::io::Errno) -> StepFault {
    move |errno| StepFault::Failed(call, raw(errno))
}

/// Insists on something that a step should have brought about, whatever its calls have said.
pub(crate) fn hold(what: &str, true_now: bool) -> Result<(), StepFault> {
    if true_now {
        return Ok(());
    }
    Err(StepFault::NotInForce(format!(
        "{what} did not come into force"
    )))
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn every_code_has_its_own_status_and_name() {
        for (index, code) in Code::ALL.iter().enumerate() {
            assert_eq!(usize::from(code.status()), 100 + index, "{code}");
            assert_eq!(
                Code::ALL
                    .iter()
                    .filter(|other| other.name() == code.name())
                    .count(),
                1,
                "{code}"
            );
        }
    }
}
