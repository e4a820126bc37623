//! How a command of this tool ends: fine, with findings, or not at all. What the library of roots says is part of it.

use std::{error, fmt, io, path::Path};

use jail::door::refusal::{Code, Refusal};
use jail_roots::fault::Fault;
use rustix::process::geteuid;

/// What a command that ran to its end says: exit status 0, 1 or 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All is as it should be.
    Fine,
    /// Something was found that somebody should look at.
    Findings,
    /// The host differs from what is declared, and was only looked at: exit status 4.
    Drift,
}

impl Verdict {
    /// Gives [`Verdict::Findings`] if there are any.
    pub(crate) fn of(findings: bool) -> Verdict {
        if findings {
            Verdict::Findings
        } else {
            Verdict::Fine
        }
    }

    /// The exit status of the program.
    pub(crate) fn status(self) -> u8 {
        match self {
            Verdict::Fine => 0,
            Verdict::Findings => 1,
            Verdict::Drift => 4,
        }
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments contradict each other or the config: exit status 2.
    Usage(String),
    /// A command about root directories failed, or its arguments make no sense.
    Roots(Fault),
    /// The core refuses, for the reason that a login would have in the log.
    Refused(Refusal),
    /// Anything else, in words.
    Failed(String),
}

impl Failure {
    /// Gives the exit status.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Failure::Usage(_) | Failure::Roots(Fault::Usage(_)) => 2,
            Failure::Roots(_) | Failure::Refused(_) | Failure::Failed(_) => 3,
        }
    }

    /// Says which action on which path failed.
    pub(crate) fn io(action: &str, path: &Path, error: &io::Error) -> Failure {
        Failure::Failed(format!("{action} {}: {error}", path.display()))
    }
}

/// Insists on being root.
pub(crate) fn need_root(what: &str) -> Result<(), Failure> {
    if geteuid().is_root() {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "{what}: this takes root; run it as root"
    )))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(what) | Failure::Failed(what) => f.write_str(what),
            // Several lines, with the place in the file: this is a terminal, not a log.
            Failure::Refused(Refusal::ConfigWrong(faults)) => {
                write!(
                    f,
                    "the config has errors, and every login that depends on it is refused ({}):\n\n{faults}",
                    Code::ConfigWrong
                )
            }
            // What the user is told, to be looked for.
            Failure::Refused(refusal) => write!(f, "{refusal} ({})", refusal.code()),
            Failure::Roots(fault) => fault.fmt(f),
        }
    }
}

impl error::Error for Failure {}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure::Refused(refusal)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure::Roots(fault)
    }
}
