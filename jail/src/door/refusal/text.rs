//! What the log says of a refusal.

use std::{fmt, path::Path};

use jail_config::{Faults, Rule};
use nix::errno::Errno;

use super::Refusal;
use crate::{
    fault::StepFault,
    process::start::DEADLINE,
    trust::{NO_OPENAT2, Untrusted},
};

/// Where `jailctl` looks for a config that nobody has named.
const INSTALLED: &str = "/etc/login-jail";

const PASSWORD_EXPIRED: &str = "password-expired: sshd would start passwd in the jail, which can't change the password; set a new one \
     (passwd USER), end its ageing (chage -M -1 USER), or have sshd ask for it before the session \
     (KbdInteractiveAuthentication yes)";

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Usage(what) => f.write_str(what),
            Refusal::CalledByRoot => f.write_str("called by root: root is not jailed"),
            Refusal::Privilege(missing) => missing.fmt(f),
            Refusal::Descriptor(bad) => bad.fmt(f),
            Refusal::Identity(error) => error.fmt(f),
            Refusal::Unanswered(what) => write!(
                f,
                "look up {what}: the services of /etc/nsswitch.conf have not answered in {DEADLINE} s; see getent passwd USER and \
                 id USER, and mend the directory or its client (sssd, nslcd)"
            ),
            Refusal::ConfigMissing(path) => config_missing(path, f),
            Refusal::ConfigUnreadable(path, errno) => config_unreadable(path, *errno, f),
            Refusal::ConfigUnsafe(untrusted) => config_unsafe(untrusted, f),
            Refusal::ConfigWrong(faults) => config_wrong(faults, f),
            Refusal::UserFileName(error) => error.fmt(f),
            Refusal::Template(error) => error.fmt(f),
            Refusal::NoRule(rule) => no_rule(rule, f),
            Refusal::Exempt(rule) => write!(
                f,
                "{rule} exempts this user, and jail-shell serves nobody unjailed; \
                 give the user an ordinary login shell (usermod -s), take the user out of sshd's ForceCommand, \
                 or take the exemption away"
            ),
            Refusal::UidZero => f.write_str("uid 0 is never put into a jail"),
            Refusal::BehindPam(why) => write!(f, "behind PAM can't be had {why}"),
            Refusal::PasswordExpired => f.write_str(PASSWORD_EXPIRED),
            Refusal::Sessions(limit) => write!(
                f,
                "sessions: the user has as many sessions open as limits.sessions allows, which is {limit}; to see them: jailctl sessions USER"
            ),
            Refusal::Until(until) => write!(
                f,
                "until: the account was open until {until}; to open it again, write a later date, or remove until"
            ),
            Refusal::HostFiles(fault) => fault.fmt(f),
            Refusal::Root(untrusted) => {
                write!(f, "open root {}", untrusted.with_mend("root", true))
            }
            Refusal::Base(untrusted) => {
                write!(f, "open base {}", untrusted.with_mend("base", true))
            }
            Refusal::Mount(untrusted) => write!(f, "open the source of a mount {untrusted}"),
            Refusal::Service(untrusted) => write!(f, "open a service {untrusted}"),
            Refusal::Program(fault) => fault.fmt(f),
            Refusal::Home(path, errno) => home(path, *errno, f),
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
            Refusal::NotAllowed(what) => write!(f, "commands: {what}"),
            Refusal::NoTerminal => f.write_str(
                "record = \"terminal\": a shell was asked for, and standard input, output and error are not a terminal; \
                 have the user connect with ssh -t, or add the program to the jail's commands",
            ),
            Refusal::Step(step, fault) => failed_step(step, fault, f),
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
            Refusal::Exec(path, errno) => exec(path, *errno, f),
        }
    }
}

fn config_missing(path: &Path, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "open config {}: it does not exist; install one that names this user",
        path.display()
    )
}

fn config_unreadable(path: &Path, errno: Errno, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let why = match errno {
        Errno::ENOSYS => NO_OPENAT2,
        other => other.desc(),
    };
    write!(f, "read config {}: {why}", path.display())
}

fn config_unsafe(untrusted: &Untrusted, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    // The module may be told another config.
    if untrusted.path.starts_with(INSTALLED) {
        let mended = untrusted.with_mend("config-unsafe", false);
        write!(f, "open config {mended}")
    } else {
        write!(f, "open config {untrusted}")
    }
}

fn config_wrong(faults: &Faults, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut separator = "";
    for fault in faults.iter() {
        write!(f, "{separator}{}", fault.one_line())?;
        separator = "; ";
    }
    Ok(())
}

fn no_rule(rule: &Rule, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("no rule names this user")?;
    if rule.line != 0 {
        write!(f, " ({rule})")?;
    }
    f.write_str(
        "; add the user or a group of theirs to [users] or [groups], or make users.d/NAME.toml",
    )
}

fn home(path: &Path, errno: Errno, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mend = match errno {
        Errno::EACCES => {
            "it must belong to the user, who must be able to search what is above it; run: jailctl mend \
             home-missing USER"
        }
        _ => {
            "correct the jail's `home` or `sftp.directory`, or run: jailctl mend home-missing USER"
        }
    };
    write!(
        f,
        "enter {} in the jail, where the session starts: {}; {mend}",
        path.display(),
        errno.desc()
    )
}

fn failed_step(step: &str, fault: &StepFault, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "step {step}: {fault}")?;
    match fault {
        StepFault::Failed(call, errno) => f.write_str(step_hint(call, *errno)),
        _ => Ok(()),
    }
}

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
        ("timer_create", Errno::EAGAIN) => {
            "; the user may have no more signals pending: raise the caller's limit (ulimit -i)"
        }
        ("fork", Errno::EAGAIN) => "; raise limits.nproc, or the host's pid limits",
        (_, Errno::EPERM) if call.starts_with("setrlimit") => {
            "; the limit is above the caller's hard limit, and raising that takes CAP_SYS_RESOURCE"
        }
        _ => "",
    }
}

fn exec(path: &Path, errno: Errno, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "execute {} in the jail: {}{}",
        path.display(),
        errno.desc(),
        exec_hint(errno)
    )
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
