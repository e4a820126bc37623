//! clone(2), with and without a signal.

use nix::{errno::Errno, unistd::Pid};

/// Which side of a fork this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The process that called; the child's pid as this process sees it.
    Parent(Pid),
    /// The new process.
    Child,
}

/// Makes a copy of this process. The C library's handlers of fork(3) do not run: they write to pages that the two would share, and
/// a program with one thread has nothing to hold for them.
///
/// # Errors
/// EAGAIN at RLIMIT_NPROC or pid_max, ENOMEM also when the pid namespace for children has lost its init.
pub(crate) fn fork() -> Result<Side, Errno> {
    clone(libc::SIGCHLD)
}

/// Makes a copy of this process whose end sends no signal and that only a wait with `__WALL` sees: a program that this is a
/// guest in never learns of it.
///
/// # Errors
/// As [`fork`].
pub(crate) fn clone_without_signal() -> Result<Side, Errno> {
    clone(0)
}

fn clone(signal: libc::c_int) -> Result<Side, Errno> {
    // SAFETY: with no flags but a signal, and no stack, this is fork. This program has one thread, and a caller in another one has
    // made sure of being the only thread, so that the child may do whatever the parent could.
    let pid = unsafe { libc::syscall(libc::SYS_clone, signal, 0, 0, 0, 0) };
    match Errno::result(pid)? {
        0 => Ok(Side::Child),
        child => libc::pid_t::try_from(child)
            .map(|child| Side::Parent(Pid::from_raw(child)))
            .map_err(|_| Errno::EOVERFLOW),
    }
}
