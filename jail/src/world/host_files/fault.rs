//! Why root code must not read what is inside.

use std::{error, fmt, path::PathBuf};

use crate::{code::Code, trust::Untrusted};

/// Why root code must not read what is inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostFilesFault {
    /// Somebody besides root could have written it.
    Untrusted(Untrusted),
    /// It could not be read.
    Unreadable(PathBuf, nix::errno::Errno),
    /// A mount of the config's lies over or below it, and is not looked into.
    Mount(PathBuf),
    /// The jail's passwd(5) gives the user other ids than the host: the file, the line, what is wrong.
    Passwd(PathBuf, usize, String),
    /// The login shell is jail-shell, and that is not in the jail.
    NoDoor(PathBuf),
    /// The jail's group(5) gives the user other groups than the host.
    Group(PathBuf, String),
}

impl HostFilesFault {
    /// Gives the code that the user is told.
    pub(crate) fn code(&self) -> Code {
        match self {
            HostFilesFault::Passwd(..) | HostFilesFault::Group(..) => Code::Account,
            HostFilesFault::NoDoor(_) => Code::ShellMissing,
            _ => Code::RootUnsafe,
        }
    }
}

impl fmt::Display for HostFilesFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("root code of the login program reads the jail's files: ")?;
        match self {
            HostFilesFault::Untrusted(untrusted) => untrusted.fmt(f),
            HostFilesFault::Unreadable(path, errno) => {
                write!(f, "{} can't be read: {}", path.display(), errno.desc())
            }
            HostFilesFault::Mount(target) => write!(
                f,
                "mounts has the target {}, which covers some of these files; behind PAM choose another target",
                target.display()
            ),
            HostFilesFault::Passwd(path, line, what) => {
                write!(f, "{}:{line} {what}", path.display())
            }
            HostFilesFault::NoDoor(door) => write!(
                f,
                "the login shell {} will be started in the jail and is not there; give the user a login shell that is \
                 inside (usermod -s)",
                door.display()
            ),
            HostFilesFault::Group(path, what) => write!(f, "{} {what}", path.display()),
        }
    }
}

impl error::Error for HostFilesFault {}
