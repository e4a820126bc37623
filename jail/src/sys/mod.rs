//! The system calls that no library wraps safely.
//!
//! All unsafe code of the core is in this directory: one safe function per call, named as in the kernel.
//! Nothing here decides anything.

pub(crate) mod close_range;
pub(crate) mod environment;
pub(crate) mod exit;
pub(crate) mod glob;
pub(crate) mod keyctl;
pub(crate) mod landlock;
pub(crate) mod mapping;
pub(crate) mod memory;
pub(crate) mod mount;
pub(crate) mod net;
pub(crate) mod nss;
pub(crate) mod process;
pub(crate) mod quota;
pub(crate) mod seccomp;
pub(crate) mod signal;
pub(crate) mod terminal;
pub(crate) mod timer;
pub(crate) mod zone;
