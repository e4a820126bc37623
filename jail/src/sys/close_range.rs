//! close_range(2), Linux 5.9.

use nix::errno::Errno;

/// Closes every descriptor from `first` up, whatever RLIMIT_NOFILE says.
///
/// A loop up to the limit would miss descriptors above a lowered limit. No `OwnedFd` of this process may be alive:
/// the caller runs this before it opens anything.
///
/// # Errors
/// ENOSYS before Linux 5.9.
pub(crate) fn close_range_from(first: u32) -> Result<(), Errno> {
    close_range_between(first, u32::MAX)
}

/// Has every descriptor from `first` on closed at the next execve(2), with `CLOSE_RANGE_CLOEXEC` of Linux 5.11.
///
/// # Errors
/// EINVAL on an older kernel.
pub(crate) fn close_range_on_exec_from(first: u32) -> Result<(), Errno> {
    call(first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC)
}

/// Closes every descriptor from `first` to `last`.
///
/// # Errors
/// EINVAL where `last` is below `first`, ENOSYS before Linux 5.9.
pub(crate) fn close_range_between(first: u32, last: u32) -> Result<(), Errno> {
    call(first, last, 0)
}

fn call(first: u32, last: u32, flags: libc::c_uint) -> Result<(), Errno> {
    // SAFETY: close_range takes three integers and touches no memory of ours. The caller keeps no `OwnedFd` of what is closed.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    Errno::result(result).map(drop)
}
