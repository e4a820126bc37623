//! Locks of ranges of a file, through an open file description: fcntl_locking(2). The kernel gives a lock back with the last
//! descriptor, however the processes end that have it. Nothing here waits for one.

use std::os::fd::OwnedFd;

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, fcntl},
};

use crate::fault::{StepFault, failed};

/// Locks a range, and tells whether it was free.
pub(crate) fn take(file: &OwnedFd, first: u64, length: u64) -> Result<bool, StepFault> {
    match fcntl(file, FcntlArg::F_OFD_SETLK(&range(first, length)?)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(StepFault::Failed("fcntl F_OFD_SETLK", errno)),
    }
}

/// Gives the length of the first lock that others have in a range, whose length 0 means all that follows.
pub(crate) fn held(file: &OwnedFd, first: u64, length: u64) -> Result<Option<u64>, StepFault> {
    let mut found = range(first, length)?;
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut found)).map_err(failed("fcntl F_OFD_GETLK"))?;
    let is_held = i32::from(found.l_type) != libc::F_UNLCK;
    // A length of 0 has no end.
    let length = u64::try_from(found.l_len).ok().filter(|it| *it > 0);
    Ok(is_held.then(|| length.unwrap_or(u64::MAX)))
}

fn range(first: u64, length: u64) -> Result<libc::flock, StepFault> {
    let number = |number: u64| {
        libc::off_t::try_from(number).map_err(|_| StepFault::Bug("the number of a byte to lock"))
    };
    let short = |number: i32| {
        libc::c_short::try_from(number).map_err(|_| StepFault::Bug("a constant of fcntl(2)"))
    };
    Ok(libc::flock {
        l_type: short(libc::F_WRLCK)?,
        l_whence: short(libc::SEEK_SET)?,
        l_start: number(first)?,
        l_len: number(length)?,
        l_pid: 0,
    })
}
