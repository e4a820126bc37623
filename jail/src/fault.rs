//! What can go wrong with a step of entering, and the error numbers of three libraries in one type.

use std::io;

use nix::errno::Errno;

/// What was wrong with a step of entering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepFault {
    /// The system call failed.
    Failed(&'static str, Errno),
    /// The system call succeeded, the state after it is not what was asked for.
    NotInForce(String),
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

/// Turns rustix's error number into nix's: the two libraries each have their own.
pub(crate) fn raw(errno: rustix::io::Errno) -> Errno {
    Errno::from_raw(errno.raw_os_error())
}

/// Gives the number of an error of std's.
pub(crate) fn number(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}
