//! rt_sigaction(2), raw: glibc's wrapper refuses signals 32 and 33, which a caller may have set to be ignored.

use std::ptr;

use nix::errno::Errno;

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
