//! Locks between runs of this program, for files that are read, changed and replaced.
//!
//! A lock is a file of its own that only root can open: no user can keep it locked.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rustix::fs::{FlockOperation, OFlags, flock};

use crate::fault::Fault;

/// A lock, held as long as it lives.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held for its lock")] File);

impl Lock {
    /// Waits until nobody else holds the lock of this file, which is made where it is missing.
    ///
    /// # Errors
    /// open(2), flock(2).
    pub fn take(path: &Path) -> Result<Lock, Fault> {
        let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .custom_flags(flags)
            .open(path)
            .map_err(Fault::io("lock", path))?;
        loop {
            match flock(&file, FlockOperation::LockExclusive) {
                Ok(()) => return Ok(Lock(file)),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(Fault::io("lock", path)(io::Error::from(errno))),
            }
        }
    }
}
