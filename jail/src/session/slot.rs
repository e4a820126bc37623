//! `limits.sessions`: each open session of a user holds one slot of theirs.
//!
//! A slot is one locked byte of a file that root alone can open: whoever can open it can lock it. Nothing here waits for a lock,
//! and each user has a file of their own: a session that is stopped holds its slot, and delays nobody.

use std::{os::fd::OwnedFd, path::Path};

use nix::errno::Errno;

use crate::{
    fault::StepFault,
    lock,
    marked::Marked,
    own,
    trust::{self, Flaw},
    world::run,
};

/// Where the files are, one for each user, by uid. The directories are made at the first login.
const SESSIONS: &str = "sessions";
const DIRECTORY: &str = "/run/login-jail/sessions";

/// What is tried with such a file, in the log.
const OPENING: &str = "open the user's file of sessions";

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
    let directory = run::directory(SESSIONS)?;
    run::file(&directory, DIRECTORY, &uid.to_string(), OPENING)
}

/// Opens the user's file where there is one.
fn find(uid: u32) -> Result<Option<OwnedFd>, StepFault> {
    let directory = match trust::open_directory(Path::new(DIRECTORY)) {
        Err(untrusted) if matches!(untrusted.flaw, Flaw::Missing) => return Ok(None),
        opened => opened.map_err(own::unfit)?,
    };
    match run::existing_file(&directory, DIRECTORY, &uid.to_string(), OPENING) {
        Err(StepFault::Failed(_, Errno::ENOENT)) => Ok(None),
        opened => opened.map(Some),
    }
}
