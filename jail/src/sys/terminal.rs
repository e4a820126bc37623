//! ioctl_tty(2): TIOCSCTTY, TIOCNOTTY.

use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;

/// Makes `terminal` the controlling terminal of this session, and takes it from another session that has it.
///
/// # Errors
/// EPERM when this process leads no session, or the terminal is another session's and CAP_SYS_ADMIN is missing.
pub(crate) fn take_terminal(terminal: impl AsFd) -> Result<(), Errno> {
    const STEAL: libc::c_int = 1;
    // SAFETY: TIOCSCTTY takes an integer and touches no memory of ours.
    let result = unsafe { libc::ioctl(terminal.as_fd().as_raw_fd(), libc::TIOCSCTTY, STEAL) };
    Errno::result(result).map(drop)
}

/// Gives `terminal` up as the controlling terminal of this session, which this process leads: it is free for another session then. The
/// kernel sends SIGHUP and SIGCONT to its foreground.
///
/// # Errors
/// ENOTTY when it is not this session's.
pub(crate) fn give_up_terminal(terminal: impl AsFd) -> Result<(), Errno> {
    // SAFETY: TIOCNOTTY takes no argument.
    let result = unsafe { libc::ioctl(terminal.as_fd().as_raw_fd(), libc::TIOCNOTTY) };
    Errno::result(result).map(drop)
}
