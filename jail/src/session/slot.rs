//! `limits.sessions`: each open session of a user holds one slot of theirs.
//!
//! A slot is one byte of a file that root alone can open, locked through an open file description: fcntl_locking(2). The kernel
//! gives the lock back with the last descriptor, however the processes end that have it. Nothing here waits for a lock, and each
//! user has a file of their own: a session that is stopped holds its slot, and delays nobody.

use std::{mem::forget, os::fd::OwnedFd, path::Path};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, fcntl},
};
use rustix::fs::{FileType, Mode, OFlags, RawMode, ResolveFlags, Stat, fstat};

use crate::{
    fault::{StepFault, failed},
    resolve::openat2,
    served,
    trust::{self, Flaw},
};

/// Where the files are, one for each user, by uid. The directories are made at the first login.
const RUN: &str = "/run";
const OURS: &str = "login-jail";
const SESSIONS: &str = "sessions";
const DIRECTORY: &str = "/run/login-jail/sessions";

/// The most slots that a user can have, and the most that are counted: a config allows no more.
const MOST: u64 = jail_config::MOST_SESSIONS;

/// Any permission for group or others: whoever can open a file can lock it.
const OPEN_TO_OTHERS: RawMode = 0o077;

/// A session of a user's that counts, for as long as any process has this descriptor. It is closed at execve(2).
#[derive(Debug)]
#[must_use = "the session counts no longer than this value lives"]
pub struct Slot {
    /// Nothing once it is given back.
    locked: Option<OwnedFd>,
    /// Device and inode of the file.
    number: Option<(u64, u64)>,
}

impl Slot {
    fn of(locked: OwnedFd) -> Slot {
        Slot {
            number: served::number_of(&locked).ok(),
            locked: Some(locked),
        }
    }
}

impl Drop for Slot {
    /// A host program closes what it does not know, and opens something else under the same number. That is not closed here.
    fn drop(&mut self) {
        if let Some(locked) = self.locked.take()
            && served::number_of(&locked).ok() != self.number
        {
            forget(locked);
        }
    }
}

/// What came of asking for a slot.
#[derive(Debug)]
pub(crate) enum Taken {
    /// The session has it.
    Yes(Slot),
    /// As many sessions of the user are open as the config allows.
    None,
}

/// Takes one of so many slots of a user.
///
/// # Errors
/// The file can't be made, opened or locked, or is not root's alone.
pub(crate) fn take(uid: u32, limit: u64) -> Result<Taken, StepFault> {
    let file = open(uid)?;
    for slot in 0..limit.min(MOST) {
        if lock(&file, slot)? {
            // Sessions from before the limit was lowered can have slots above it. This one has its own by now, so that of two
            // that look at the same time not both go in.
            let is_lower = held(&file, limit, 0)? && count(&file)? >= limit;
            return Ok(match is_lower {
                true => Taken::None,
                false => Taken::Yes(Slot::of(file)),
            });
        }
    }
    Ok(Taken::None)
}

/// Counts the sessions of a user that have a slot. It holds up nobody.
///
/// # Errors
/// The file can't be opened or read.
pub fn open_sessions(uid: u32) -> Result<u64, StepFault> {
    match find(uid)? {
        Some(file) => count(&file),
        None => Ok(0),
    }
}

/// Counts the slots that others have.
fn count(file: &OwnedFd) -> Result<u64, StepFault> {
    let mut number = 0;
    for slot in 0..MOST {
        if held(file, slot, 1)? {
            number += 1;
        }
    }
    Ok(number)
}

/// Locks a slot, and tells whether it was free.
fn lock(file: &OwnedFd, slot: u64) -> Result<bool, StepFault> {
    match fcntl(file, FcntlArg::F_OFD_SETLK(&range(slot, 1)?)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(StepFault::Failed("fcntl F_OFD_SETLK", errno)),
    }
}

/// Tells whether others have a slot in a range; 0 is all that follow.
fn held(file: &OwnedFd, first: u64, length: u64) -> Result<bool, StepFault> {
    let mut found = range(first, length)?;
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut found))
        .map_err(|errno| StepFault::Failed("fcntl F_OFD_GETLK", errno))?;
    Ok(i32::from(found.l_type) != libc::F_UNLCK)
}

fn range(first: u64, length: u64) -> Result<libc::flock, StepFault> {
    let number = |number: u64| {
        libc::off_t::try_from(number).map_err(|_| StepFault::Bug("the number of a slot"))
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

/// Opens the user's file, which is made where it is missing.
fn open(uid: u32) -> Result<OwnedFd, StepFault> {
    let run = trust::open_directory(Path::new(RUN))
        .map_err(|untrusted| StepFault::Unfit(untrusted.to_string()))?;
    make(&run, OURS)?;
    let ours = subdirectory(&run, RUN, OURS)?;
    make(&ours, SESSIONS)?;
    let directory = subdirectory(&ours, "/run/login-jail", SESSIONS)?;
    insist_on_private(&directory, DIRECTORY, FileType::Directory)?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NONBLOCK;
    open_file(&directory, uid, flags)
}

/// Opens the user's file where there is one.
fn find(uid: u32) -> Result<Option<OwnedFd>, StepFault> {
    let directory = match trust::open_directory(Path::new(DIRECTORY)) {
        Err(untrusted) if matches!(untrusted.flaw, Flaw::Missing) => return Ok(None),
        opened => opened.map_err(|untrusted| StepFault::Unfit(untrusted.to_string()))?,
    };
    match open_file(&directory, uid, OFlags::RDONLY | OFlags::NONBLOCK) {
        Err(StepFault::Failed(_, Errno::ENOENT)) => Ok(None),
        opened => opened.map(Some),
    }
}

fn open_file(directory: &OwnedFd, uid: u32, flags: OFlags) -> Result<OwnedFd, StepFault> {
    let name = uid.to_string();
    let flags = flags | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
    let mode = if flags.contains(OFlags::CREATE) {
        Mode::RUSR | Mode::WUSR
    } else {
        Mode::empty()
    };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let file = openat2(directory, name.as_str(), flags, mode, resolve)
        .map_err(failed("open the user's file of sessions"))?;
    insist_on_private(&file, &format!("{DIRECTORY}/{name}"), FileType::RegularFile)?;
    Ok(file)
}

fn make(directory: &OwnedFd, name: &str) -> Result<(), StepFault> {
    trust::make_directory(directory, Path::new(name)).map_err(failed("mkdir below /run"))
}

fn subdirectory(directory: &OwnedFd, shown: &str, name: &str) -> Result<OwnedFd, StepFault> {
    trust::open_subdirectory(directory, Path::new(shown), Path::new(name))
        .map_err(|untrusted| StepFault::Unfit(untrusted.to_string()))
}

/// Insists on something that nobody but root can open.
fn insist_on_private(opened: &OwnedFd, path: &str, wanted: FileType) -> Result<(), StepFault> {
    let stat: Stat = fstat(opened).map_err(failed("fstat below /run"))?;
    if FileType::from_raw_mode(stat.st_mode) != wanted {
        let wanted = trust::kind(wanted);
        return Err(StepFault::Unfit(format!(
            "{path} is no {wanted}; remove it"
        )));
    }
    if stat.st_uid != 0 || stat.st_mode & OPEN_TO_OTHERS != 0 {
        return Err(StepFault::Unfit(format!(
            "{path} belongs to uid {} and has mode {:04o}; others could lock it; run: chown root {path}; chmod go= {path}",
            stat.st_uid,
            stat.st_mode & 0o7777
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        os::fd::AsRawFd,
    };

    use super::Slot;

    #[test]
    fn what_a_host_program_has_put_into_the_place_of_a_slot_is_not_closed() {
        let mut slot = Slot::of(File::open("/dev/null").unwrap().into());
        let mut place = slot.locked.take().unwrap();
        let number = place.as_raw_fd();
        rustix::io::dup2(File::open("/dev/zero").unwrap(), &mut place).unwrap();
        slot.locked = Some(place);
        drop(slot);
        let shown = fs::read_link(format!("/proc/self/fd/{number}")).unwrap();
        assert_eq!(shown.to_str(), Some("/dev/zero"));
    }
}
