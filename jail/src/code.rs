//! The codes that a refused user is told, and the exit statuses that they are.

use std::fmt;

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

    /// Gives the code with this exit status.
    pub(crate) fn of_status(status: u8) -> Option<Code> {
        Code::ALL.into_iter().find(|code| code.status() == status)
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
