//! `limits.sessions`: each open session of a user holds one slot of theirs.
//!
//! A slot is one locked byte of a file that root alone can open: whoever can open it can lock it. Nothing here waits for a lock,
//! and each user has a file of their own: a session that is stopped holds its slot, and delays nobody.

use std::{os::fd::OwnedFd, path::Path};

use nix::errno::Errno;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};

use crate::{
    fault::{StepFault, failed},
    lock,
    marked::Marked,
    own,
    resolve::openat2,
    trust::{self, Flaw},
};

/// Where the files are, one for each user, by uid. The directories are made at the first login.
const RUN: &str = "/run";
const OURS: &str = "login-jail";
const SESSIONS: &str = "sessions";
const DIRECTORY: &str = "/run/login-jail/sessions";

/// The most slots that a user can have, and the most that are counted: a config allows no more.
const MOST: u64 = jail_config::MOST_SESSIONS;

/// A session of a user's that counts, for as long as any process has this descriptor. It is closed at execve(2).
#[derive(Debug)]
#[must_use = "the session counts no longer than this value lives"]
pub struct Slot {
    _locked: Marked,
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
        if lock::take(&file, slot, 1)? {
            // Sessions from before the limit was lowered can have slots above it. This one has its own by now, so that of two
            // that look at the same time not both go in.
            let is_lower = lock::held(&file, limit, 0)?.is_some() && count(&file)? >= limit;
            return Ok(match is_lower {
                true => Taken::None,
                false => Taken::Yes(Slot {
                    _locked: Marked::of(file),
                }),
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
        if lock::held(file, slot, 1)?.is_some() {
            number += 1;
        }
    }
    Ok(number)
}

/// Opens the user's file, which is made where it is missing.
fn open(uid: u32) -> Result<OwnedFd, StepFault> {
    let run = trust::open_directory(Path::new(RUN)).map_err(own::unfit)?;
    let ours = own::subdirectory(&run, RUN, OURS)?;
    let directory = own::subdirectory(&ours, "/run/login-jail", SESSIONS)?;
    own::insist_on_private(&directory, DIRECTORY, FileType::Directory)?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NONBLOCK;
    open_file(&directory, uid, flags)
}

/// Opens the user's file where there is one.
fn find(uid: u32) -> Result<Option<OwnedFd>, StepFault> {
    let directory = match trust::open_directory(Path::new(DIRECTORY)) {
        Err(untrusted) if matches!(untrusted.flaw, Flaw::Missing) => return Ok(None),
        opened => opened.map_err(own::unfit)?,
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
    own::insist_on_private(&file, &format!("{DIRECTORY}/{name}"), FileType::RegularFile)?;
    Ok(file)
}
