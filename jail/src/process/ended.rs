//! How a process has ended.

use rustix::process::WaitStatus;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By exit(2), with this status.
    Exited(u8),
    /// By this signal.
    Killed(i32),
}

impl Ended {
    /// Reads a status of wait(2); nothing where the process goes on.
    pub(crate) fn of(status: WaitStatus) -> Option<Ended> {
        if let Some(signal) = status.terminating_signal() {
            return Some(Ended::Killed(signal));
        }
        // An exit status is one byte: wait(2).
        status
            .exit_status()
            .map(|status| Ended::Exited(u8::try_from(status & 0xff).unwrap_or(u8::MAX)))
    }
}
