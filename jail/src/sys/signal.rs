//! rt_sigaction(2), raw: glibc's wrapper refuses signals 32 and 33, which a caller may have set to be ignored.

use std::{
    os::fd::{AsFd, AsRawFd},
    ptr,
};

use nix::{errno::Errno, unistd::Pid};

/// What a signal may be set to here: never a handler.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Disposition {
    /// SIG_DFL
    Default = 0,
    /// SIG_IGN; as a side effect the kernel discards the signal if it is pending.
    Ignore = 1,
}

/// The highest signal number of Linux on the architectures we build for: signal(7).
pub(crate) const LAST_SIGNAL: i32 = 64;

/// Sets what `signal` does.
///
/// # Errors
/// EINVAL for SIGKILL, SIGSTOP and numbers that are no signal.
pub(crate) fn rt_sigaction(signal: i32, disposition: Disposition) -> Result<(), Errno> {
    // The kernel's struct sigaction: the handler is its first word and no flag, restorer or mask is wanted, so
    // zeroes after it are right whatever their order. Its size is at most five words.
    let action: [usize; 5] = [disposition as usize, 0, 0, 0, 0];
    // SAFETY: `action` is valid for reads of the kernel's struct sigaction, no old action is asked for, and a
    // disposition that is no handler can run no code.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            signal,
            action.as_ptr(),
            ptr::null_mut::<usize>(),
            size_of::<u64>(),
        )
    };
    Errno::result(result).map(drop)
}

/// Sets the mask of blocked signals: all, or none. Raw for the same reason: glibc would leave 32 and 33 as they are.
///
/// # Errors
/// None that a correct call can have.
pub(crate) fn rt_sigprocmask(blocked: u64) -> Result<(), Errno> {
    // SAFETY: `blocked` is a kernel sigset of eight bytes, valid for reads, and no old mask is asked for.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const blocked,
            ptr::null_mut::<u64>(),
            size_of::<u64>(),
        )
    };
    Errno::result(result).map(drop)
}

/// Gives the signals that are blocked and have arrived, signal 1 in the lowest bit.
///
/// # Errors
/// None that a correct call can have.
pub(crate) fn rt_sigpending() -> Result<u64, Errno> {
    let mut pending = 0_u64;
    // SAFETY: `pending` is a kernel sigset of eight bytes, valid for writes.
    let result =
        unsafe { libc::syscall(libc::SYS_rt_sigpending, &raw mut pending, size_of::<u64>()) };
    Errno::result(result).map(|_| pending)
}

/// Sends `signal`, real-time ones included, to the process `pid`.
///
/// # Errors
/// ESRCH, EPERM, or EINVAL for a number that is no signal.
pub(crate) fn kill(pid: Pid, signal: i32) -> Result<(), Errno> {
    // SAFETY: kill takes two integers and touches no memory of ours.
    let result = unsafe { libc::kill(pid.as_raw(), signal) };
    Errno::result(result).map(drop)
}

/// Has the kernel send `signal` to the process `pid` whenever there is something new to read from the socket `fd`:
/// fcntl(2), F_SETSIG.
///
/// # Errors
/// EINVAL for a number that is no signal, EPERM where a filter forbids it.
pub(crate) fn send_signal_when_readable(fd: impl AsFd, pid: Pid, signal: i32) -> Result<(), Errno> {
    // F_SETSIG, which libc lacks: fcntl.h has the same number on every architecture.
    const F_SETSIG: libc::c_int = 10;
    for (command, argument) in [
        (F_SETSIG, signal),
        (libc::F_SETOWN, pid.as_raw()),
        (libc::F_SETFL, libc::O_ASYNC),
    ] {
        // SAFETY: each of these commands takes an integer and touches no memory of ours.
        let result = unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), command, argument) };
        Errno::result(result)?;
    }
    Ok(())
}
