//! Locks between runs of this program, for files that are read, changed and replaced.
//!
//! A lock is a file of its own that only root can open: no user can keep it locked.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process, thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, OFlags, flock},
    io::Errno,
};

use crate::fault::Fault;

/// How long somebody waits before they are told for whom, and how often it is tried until then.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);

/// A lock, held as long as it lives.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held for its lock")] File);

impl Lock {
    /// Waits until nobody else holds the lock of this file, which is made where it is missing.
    ///
    /// # Errors
    /// open(2), flock(2).
    pub fn take(path: &Path) -> Result<Lock, Fault> {
        let file = open(path)?;
        hold(&file, FlockOperation::LockExclusive).map_err(Fault::io("lock", path))?;
        Ok(Lock(file))
    }

    /// As [`Lock::take`], and says who has it after a moment of waiting: the process that has written its id there.
    ///
    /// # Errors
    /// As [`Lock::take`], and write(2).
    pub fn take_as_process(path: &Path, waits: impl FnOnce(Option<u32>)) -> Result<Lock, Fault> {
        let mut file = open(path)?;
        let end = Instant::now() + PATIENCE;
        loop {
            match hold(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::WOULDBLOCK) if Instant::now() < end => thread::sleep(PAUSE),
                Err(Errno::WOULDBLOCK) => {
                    let text = fs::read_to_string(path).unwrap_or_default();
                    waits(text.trim().parse().ok());
                    hold(&file, FlockOperation::LockExclusive).map_err(Fault::io("lock", path))?;
                    break;
                }
                Err(errno) => return Err(Fault::io("lock", path)(errno)),
            }
        }
        let written = file
            .set_len(0)
            .and_then(|()| writeln!(file, "{}", process::id()));
        // On a disk that is full, the lock is one all the same.
        drop(written);
        Ok(Lock(file))
    }
}

fn open(path: &Path) -> Result<File, Fault> {
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .custom_flags(flags)
        .open(path)
        .map_err(Fault::io("lock", path))
}

fn hold(file: &File, operation: FlockOperation) -> Result<(), Errno> {
    loop {
        match flock(file, operation) {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
}
