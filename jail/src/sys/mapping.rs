//! mmap(2): numbers that processes share.

use std::{
    os::fd::{AsFd, AsRawFd},
    ptr::{self, NonNull},
    slice,
    sync::atomic::AtomicU64,
};

use nix::errno::Errno;

/// How many bytes of a file are mapped.
pub(crate) const LENGTH: usize = 4096;

/// The first bytes of a file, which all processes see that have them mapped. A child has them as well, and a program that is
/// started has not: execve(2).
#[derive(Debug)]
pub(crate) struct Shared(NonNull<AtomicU64>);

impl Shared {
    /// Maps a file for reading and writing. All of [`LENGTH`] must be there and stay: where a page can't be had, the kernel ends
    /// the process that touches it, by SIGBUS.
    ///
    /// # Errors
    /// As mmap(2).
    pub(crate) fn map(file: impl AsFd) -> Result<Shared, Errno> {
        let wanted = libc::PROT_READ | libc::PROT_WRITE;
        let fd = file.as_fd().as_raw_fd();
        // SAFETY: a mapping of its own, where the kernel likes: none of ours is replaced.
        let at = unsafe { libc::mmap(ptr::null_mut(), LENGTH, wanted, libc::MAP_SHARED, fd, 0) };
        if at == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        NonNull::new(at.cast()).map(Shared).ok_or(Errno::EFAULT)
    }

    /// Gives the numbers.
    pub(crate) fn numbers(&self) -> &[AtomicU64] {
        let count = LENGTH / size_of::<AtomicU64>();
        // SAFETY: the mapping has that many, begins at a page, and lives as long as this value. Any bytes are a number, and it is
        // changed by atomic instructions alone, in every process.
        unsafe { slice::from_raw_parts(self.0.as_ptr(), count) }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: it is the mapping that was made, and no reference to it outlives this value.
        let unmapped = unsafe { libc::munmap(self.0.as_ptr().cast(), LENGTH) };
        debug_assert_eq!(unmapped, 0);
    }
}
