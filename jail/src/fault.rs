//! What can go wrong with a step of entering, and the error numbers of three libraries in one type.

use std::{fmt, io};

use nix::errno::Errno;

/// What was wrong with a step of entering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepFault {
    /// The system call failed.
    Failed(&'static str, Errno),
    /// The system call failed because whoever started this process keeps something from it; what, and where.
    Withheld(&'static str, Errno, String),
    /// The system call succeeded, the state after it is not what was asked for; what should be in force.
    NotInForce(&'static str),
    /// Something of the jail or of this machine does not allow it: the thing, its state and what mends it.
    Unfit(String),
    /// The other process of the session is gone.
    PeerGone(&'static str),
    /// A fault of this program's own, which nobody outside of it can bring about.
    Bug(&'static str),
}

impl fmt::Display for StepFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StepFault::Failed(call, errno) => write!(f, "{call}: {}", errno.desc()),
            StepFault::Withheld(call, errno, why) => write!(f, "{call}: {}; {why}", errno.desc()),
            StepFault::NotInForce(what) => write!(f, "{what} did not come into force"),
            StepFault::Unfit(what) => f.write_str(what),
            StepFault::PeerGone(who) => write!(f, "{who} is gone"),
            StepFault::Bug(what) => {
                write!(f, "{what}: this is a fault of login-jail; please report it")
            }
        }
    }
}

/// An error of a system call, as one of three libraries has it.
pub(crate) trait Numbered {
    /// Gives its number; zero where it has none.
    fn number(self) -> Errno;
}

impl Numbered for Errno {
    fn number(self) -> Errno {
        self
    }
}

impl Numbered for rustix::io::Errno {
    fn number(self) -> Errno {
        errno_of(self)
    }
}

impl Numbered for io::Error {
    fn number(self) -> Errno {
        errno_of_io(&self)
    }
}

/// Names the system call for a step's fault.
pub(crate) fn failed<E: Numbered>(call: &'static str) -> impl Fn(E) -> StepFault + Copy {
    move |error: E| StepFault::Failed(call, error.number())
}

/// Insists on something that a step should have brought about, whatever its calls have said.
pub(crate) fn expect_in_force(what: &'static str, true_now: bool) -> Result<(), StepFault> {
    if true_now {
        Ok(())
    } else {
        Err(StepFault::NotInForce(what))
    }
}

/// Turns rustix's error number into nix's: the two libraries each have their own.
pub(crate) fn errno_of(errno: rustix::io::Errno) -> Errno {
    Errno::from_raw(errno.raw_os_error())
}

/// Gives the number of an error of std's.
pub(crate) fn errno_of_io(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}
