//! fork(2).

use nix::{
    errno::Errno,
    unistd::{ForkResult, Pid},
};

/// Which side of a fork this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The process that called; the child's pid as this process sees it.
    Parent(Pid),
    /// The new process.
    Child,
}

/// Makes a copy of this process.
///
/// # Errors
/// EAGAIN at RLIMIT_NPROC or pid_max, ENOMEM also when the pid namespace for children has lost its init.
pub(crate) fn fork() -> Result<Side, Errno> {
    // SAFETY: this program has one thread, so that the child may do whatever the parent could.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Side::Parent(child)),
        ForkResult::Child => Ok(Side::Child),
    }
}
