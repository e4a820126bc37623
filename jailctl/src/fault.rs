//! How a command of jailctl ends when it does not end well, and what it found when it does.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use crate::terminal::shown;

/// What a command that ran to its end says: exit status 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is as it should be.
    Fine,
    /// Something was found that somebody should look at.
    Findings,
}

impl Verdict {
    /// Gives [`Verdict::Findings`] if there are any.
    #[must_use]
    pub fn of(findings: bool) -> Verdict {
        if findings {
            Verdict::Findings
        } else {
            Verdict::Fine
        }
    }

    /// The exit status of the program.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Verdict::Fine => 0,
            Verdict::Findings => 1,
        }
    }
}

/// Why a command could not do what it was asked for.
#[derive(Debug)]
pub enum Fault {
    /// It was asked for something that makes no sense: exit status 2.
    Usage(String),
    /// An action on an object failed: exit status 3.
    Io {
        /// What was done, as a verb.
        action: &'static str,
        /// To what.
        object: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Anything else that stopped it: exit status 3.
    Failed(String),
}

impl Fault {
    /// Names action and object for an error of the system's.
    pub fn io<E: Into<io::Error>>(action: &'static str, object: &Path) -> impl FnOnce(E) -> Fault {
        let object = object.to_owned();
        move |error| Fault::Io {
            action,
            object,
            error: error.into(),
        }
    }

    /// The exit status of the program.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Fault::Usage(_) => 2,
            Fault::Io { .. } | Fault::Failed(_) => 3,
        }
    }
}

/// One line, whatever names are in it.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Usage(what) | Fault::Failed(what) => f.write_str(&shown(what)),
            Fault::Io {
                action,
                object,
                error,
            } => write!(f, "{action} {}: {error}", shown(object)),
        }
    }
}

impl std::error::Error for Fault {}
