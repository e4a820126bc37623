//! What the trusted walk refuses: the component, its state, and what mends it.

use std::{fmt, path::PathBuf};

use nix::errno::Errno;

use crate::{code::Code, fault::StepFault, served};

/// Accounts below are the system's: login.defs(5), UID_MIN. A service may need what belongs to one.
const FIRST_ORDINARY: u32 = 1000;

/// A component of a path that can't be trusted, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untrusted {
    /// The path that was asked for.
    pub path: PathBuf,
    /// The component of it that stopped the walk.
    pub component: PathBuf,
    /// What is wrong with that component.
    pub flaw: Flaw,
}

/// The source of a mount that can't be trusted. What it shows is data, so the words are others than those about a
/// directory that must be root's: nothing that belongs to somebody is to be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntrustedSource(pub Untrusted);

/// What is wrong with a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It does not exist.
    Missing,
    /// It is a symbolic link.
    SymbolicLink,
    /// It is no directory; what it is instead.
    NotDirectory(&'static str),
    /// It is no regular file; what it is instead.
    NotRegular(&'static str),
    /// It is neither directory, regular file nor socket; what it is instead.
    NoSource(&'static str),
    /// It belongs to this uid, not to root.
    Owner(u32),
    /// Its mode lets group or others write.
    Writable(u32),
    /// It is the host's own root directory, mounted once more.
    HostRoot,
    /// It is on a file system (FUSE) that this uid serves.
    Served(u32),
    /// It could not be opened.
    Io(Errno),
}

impl Untrusted {
    /// Tells whether `jailctl mend` can put it right: it is nobody else's, and nobody else needs it as it is.
    #[must_use]
    pub fn can_be_mended(&self) -> bool {
        match self.flaw {
            Flaw::Missing => true,
            Flaw::Owner(uid) => uid >= FIRST_ORDINARY,
            Flaw::Writable(mode) => mode & 0o1000 == 0,
            _ => false,
        }
    }

    /// Says what is wrong, and the command that mends it: `jailctl mend` with these words, and the path where it is to be
    /// named. Where there is no such command, or the path can't be typed, it says the same as `Display`.
    pub(crate) fn with_mend(&self, words: &str, names_path: bool) -> String {
        let path = self.path.to_string_lossy();
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+@".contains(letter);
        if !self.can_be_mended() || names_path && !path.chars().all(is_plain) {
            return self.to_string();
        }
        let path = if names_path {
            format!(" {path}")
        } else {
            String::new()
        };
        format!("{}; run: jailctl mend {words}{path}", State(self))
    }

    /// Gives the code of a refused root directory.
    pub(crate) fn root_code(&self) -> Code {
        match self.flaw {
            Flaw::Missing => Code::RootMissing,
            Flaw::NotDirectory(_) => Code::RootNotDirectory,
            _ => Code::RootUnsafe,
        }
    }
}

/// The path, the component and its state.
struct State<'a>(&'a Untrusted);

impl fmt::Display for State<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Untrusted {
            path,
            component,
            flaw,
        } = self.0;
        write!(f, "{}: {} ", path.display(), component.display())?;
        match flaw {
            Flaw::Missing => f.write_str("does not exist"),
            Flaw::SymbolicLink => f.write_str("is a symbolic link"),
            Flaw::NotDirectory(kind) => write!(f, "is a {kind}, not a directory"),
            Flaw::NotRegular(kind) => write!(f, "is a {kind}, not a regular file"),
            Flaw::NoSource(kind) => write!(
                f,
                "is a {kind}, and a mount shows a directory, a regular file or a socket"
            ),
            Flaw::Owner(uid) => write!(f, "belongs to uid {uid}, not to root"),
            Flaw::Writable(mode) => write!(f, "is mode {mode:04o}"),
            Flaw::HostRoot => {
                f.write_str("is the host's own root directory, mounted there; that is no jail")
            }
            Flaw::Served(uid) => f.write_str(&served::state(*uid)),
            Flaw::Io(Errno::ENOSYS) => write!(f, "can't be opened: {NO_OPENAT2}"),
            Flaw::Io(errno) => write!(f, "can't be opened: {}", errno.desc()),
        }
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        State(self).fmt(f)?;
        f.write_str(match self.flaw {
            Flaw::Missing => "; make it, or correct the path",
            Flaw::SymbolicLink => "; write the path it leads to instead",
            Flaw::Owner(uid) if uid < FIRST_ORDINARY => {
                "; that is an account of the system, whose service needs it: choose another place"
            }
            Flaw::Owner(_) => "; give it to root, or choose another place",
            Flaw::Writable(mode) if mode & 0o1000 != 0 => {
                "; others need it so: choose another place"
            }
            Flaw::Writable(_) => "; let only root write it, or choose another place",
            _ => "",
        })
    }
}

impl std::error::Error for Untrusted {}

impl From<Untrusted> for StepFault {
    fn from(untrusted: Untrusted) -> StepFault {
        StepFault::Unfit(untrusted.to_string())
    }
}

impl UntrustedSource {
    /// Tells whether there is nothing at all.
    pub(crate) fn is_missing(&self) -> bool {
        self.0.flaw == Flaw::Missing
    }

    /// Gives the code of a refused source.
    pub(crate) fn code(&self) -> Code {
        self.0.root_code()
    }
}

impl fmt::Display for UntrustedSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Untrusted {
            path,
            component,
            flaw,
        } = &self.0;
        let state = match flaw {
            Flaw::Missing => {
                return write!(
                    f,
                    "{}: {} does not exist; make it, or correct the source in the config",
                    path.display(),
                    component.display()
                );
            }
            Flaw::Owner(uid) => format!("belongs to uid {uid}"),
            Flaw::Writable(mode) => format!("is mode {mode:04o}"),
            _ => return self.0.fmt(f),
        };
        write!(
            f,
            "{}: {} {state}, so that others than root could put something else below it; make {} the source, or \
             choose a source whose path only root can change",
            path.display(),
            component.display(),
            component.display()
        )
    }
}

impl std::error::Error for UntrustedSource {}

/// What is wrong where nothing can be opened at all.
pub(crate) const NO_OPENAT2: &str = "openat2 needs Linux 5.6 or newer; for a service unit, see RestrictSUIDSGID= and SystemCallFilter=";
