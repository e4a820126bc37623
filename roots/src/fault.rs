//! Why something about a root could not be done.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use crate::terminal::shown;

/// Why something that was asked for could not be done.
#[derive(Debug)]
pub enum Fault {
    /// It was asked for something that makes no sense.
    Usage(String),
    /// An action on an object failed.
    Io {
        /// What was done, as a verb.
        action: &'static str,
        /// To what.
        object: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Anything else that stopped it.
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
