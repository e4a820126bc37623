//! Why a program can't start in a root, and what mends it.

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
};

use nix::errno::Errno;

use crate::code::Code;

/// Why a program can't start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgramFault {
    /// It is not there, or not for this user.
    Missing(PathBuf, Errno),
    /// It is a symbolic link; what it leads to is not there.
    Dangling(PathBuf, PathBuf),
    /// It is a directory, a device or the like.
    NotRegular(PathBuf, &'static str),
    /// It is there; what the kernel starts it by is not.
    Interpreter(PathBuf, PathBuf),
    /// It is there; these libraries of it or of its libraries are not.
    Libraries(PathBuf, Vec<OsString>),
    /// The root itself could not be opened.
    Root(Errno),
    /// None of the known places has an sftp-server.
    SftpMissing,
    /// The record of transfers would be held by this shell, which starts the sftp-server.
    SftpByShell(PathBuf),
    /// The sftp-server is there, the /dev/null it can't do without is not.
    SftpWithoutNull,
    /// An sftp-server is all that is to be started, and the client does not speak SFTP.
    SftpNotWanted,
}

impl ProgramFault {
    /// Gives the code the user is told.
    pub(crate) fn code(&self) -> Code {
        match self {
            ProgramFault::Missing(_, Errno::EMFILE | Errno::ENFILE)
            | ProgramFault::Root(Errno::EMFILE | Errno::ENFILE) => Code::Step,
            ProgramFault::Missing(..)
            | ProgramFault::Dangling(..)
            | ProgramFault::NotRegular(..)
            | ProgramFault::Root(_) => Code::ShellMissing,
            ProgramFault::Interpreter(..) => Code::InterpreterMissing,
            ProgramFault::Libraries(..) => Code::LibraryMissing,
            ProgramFault::SftpMissing
            | ProgramFault::SftpByShell(_)
            | ProgramFault::SftpWithoutNull => Code::SftpMissing,
            ProgramFault::SftpNotWanted => Code::Usage,
        }
    }
}

impl fmt::Display for ProgramFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProgramFault::Missing(_, errno @ (Errno::EMFILE | Errno::ENFILE))
            | ProgramFault::Root(errno @ (Errno::EMFILE | Errno::ENFILE)) => write!(
                f,
                "open a file in the jail: {}; raise limits.nofile, or the caller's own limit (ulimit -n)",
                errno.desc()
            ),
            ProgramFault::Dangling(program, to) => write!(
                f,
                "find {} in the jail: it is a link to {}, which is not in the jail; copy that file into the root",
                program.display(),
                to.display()
            ),
            ProgramFault::Missing(program, Errno::ELOOP) => write!(
                f,
                "find {} in the jail: it is a link that leads in a circle; put the program in its place",
                program.display()
            ),
            ProgramFault::Missing(program, errno) => write!(
                f,
                "find {} in the jail: {}; install it there, or correct the jail's `shell` or `commands`",
                program.display(),
                errno.desc()
            ),
            ProgramFault::NotRegular(program, kind) => {
                write!(
                    f,
                    "find {} in the jail: it is a {kind}, not a program",
                    program.display()
                )
            }
            ProgramFault::Interpreter(program, interpreter) => write!(
                f,
                "start {} in the jail: its interpreter {} is missing; run: jailctl check",
                program.display(),
                interpreter.display()
            ),
            ProgramFault::Libraries(program, libraries) => lacks(program, libraries, f),
            ProgramFault::SftpNotWanted => f.write_str(
                "the account's command is an sftp-server, and the client speaks no SFTP: it asked for a shell",
            ),
            ProgramFault::SftpMissing => f.write_str(
                "sftp was asked for, and no sftp-server is in the jail; run: jailctl mend sftp-server-missing USER, or \
                 install it where the jail's base is",
            ),
            ProgramFault::SftpByShell(shell) => write!(
                f,
                "start sftp-server: the jail's shell {} would start it, and sftp.log and record = \"terminal\" need one that no shell \
                 starts; write commands = [\"sftp\"] in the jail, or remove the key",
                shell.display()
            ),
            ProgramFault::SftpWithoutNull => f.write_str(
                "sftp was asked for, and sftp-server needs /dev/null in the jail; run: jailctl mend null-missing USER",
            ),
            ProgramFault::Root(errno) => write!(f, "open / in the jail: {}", errno.desc()),
        }
    }
}

fn lacks(program: &Path, libraries: &[OsString], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "start {} in the jail: required libraries are missing:",
        program.display()
    )?;
    let mut separator = " ";
    for library in libraries {
        write!(f, "{separator}{}", Path::new(library).display())?;
        separator = ", ";
    }
    f.write_str("; run: jailctl check")
}
