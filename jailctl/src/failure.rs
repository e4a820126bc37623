//! How a command of this tool ends: fine, with findings, or not at all.

use std::{error, fmt, io, path::Path};

use jail::refusal::Refusal;

/// How a command that did its work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// There is nothing to report: exit status 0.
    Fine,
    /// There is: exit status 1.
    Findings,
}

impl Verdict {
    /// Tells by whether anything was found.
    pub(crate) fn of(found: bool) -> Verdict {
        if found {
            Verdict::Findings
        } else {
            Verdict::Fine
        }
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments contradict each other or the config: exit status 2.
    Usage(String),
    /// The core refuses, for the reason that a login would have in the log.
    Refused(Refusal),
    /// Anything else, in words.
    Failed(String),
}

impl Failure {
    /// Gives the exit status.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Failure::Usage(_) => 2,
            Failure::Refused(_) | Failure::Failed(_) => 3,
        }
    }

    /// Says which action on which path failed.
    pub(crate) fn io(action: &str, path: &Path, error: &io::Error) -> Failure {
        Failure::Failed(format!("{action} {}: {error}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(what) | Failure::Failed(what) => f.write_str(what),
            // Several lines, with the place in the file: this is a terminal, not a log.
            Failure::Refused(Refusal::ConfigWrong(faults)) => {
                write!(
                    f,
                    "the config has errors, and every login that depends on it is refused:\n\n{faults}"
                )
            }
            Failure::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl error::Error for Failure {}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure::Refused(refusal)
    }
}
