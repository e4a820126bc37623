//! The record of sessions: a file of root's own, one line of JSON for each event, which nothing that a user controls can reach.
//!
//! It is opened by the trusted walk before privileges are given up, and each line is one write(2) at the end of the file.

use std::{
    fmt,
    fs::File,
    io::Write,
    os::fd::{AsFd, BorrowedFd},
    path::Path,
    time::SystemTime,
};

use nix::{
    errno::Errno,
    sys::resource::{RLIM_INFINITY, Resource, getrlimit},
};
use rustix::fs::{Gid, fchown, fstat};

use super::{event::Event, json};
use crate::{
    fault::errno_of_io,
    own,
    trust::{self, Untrusted},
};

/// Where the record is.
pub const DIRECTORY: &str = "/var/log/login-jail";

/// Its file of today. Those that were rotated away have something behind this name.
pub const FILE: &str = "sessions.jsonl";

/// How large the file may be for a refusal to be written as well. Who is refused can come again at once: the log bounds that,
/// a file does not.
const MOST_FOR_REFUSALS: u64 = 64 * 1024 * 1024;

/// How much room below the limit of a file's size there must be: others write as well.
const ROOM: u64 = 1024 * 1024;

/// Why something can't be recorded.
#[derive(Debug)]
pub enum Unrecorded {
    /// The file can't be opened, or is not root's alone.
    File(Untrusted),
    /// It can't be written.
    Write(Errno),
}

impl fmt::Display for Unrecorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unrecorded::File(untrusted) => write!(f, "open the record of sessions {untrusted}"),
            Unrecorded::Write(errno) => write!(
                f,
                "write the record of sessions {DIRECTORY}/{FILE}: {}",
                errno.desc()
            ),
        }
    }
}

/// The open record.
#[derive(Debug)]
pub(super) struct Record(File);

impl AsFd for Record {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Record {
    /// Opens the record, and makes it where it is missing.
    pub(super) fn open() -> Result<Record, Unrecorded> {
        let shown = Path::new(DIRECTORY);
        let directory = trust::open_or_make_directory(shown).map_err(Unrecorded::File)?;
        let file = own::open_for_appending(&directory, shown, Path::new(FILE))
            .map_err(Unrecorded::File)?;
        Ok(Record(file))
    }

    /// Writes the line of an event.
    pub(super) fn write(&self, event: &Event<'_>) -> Result<(), Unrecorded> {
        let stat =
            fstat(&self.0).map_err(|errno| Unrecorded::Write(crate::fault::errno_of(errno)))?;
        let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
        let is_refusal = matches!(event, Event::Refused { .. } | Event::WrongWords { .. });
        if is_refusal && size > MOST_FOR_REFUSALS {
            return Err(Unrecorded::Write(Errno::EFBIG));
        }
        // Past the limit the kernel sends SIGXFSZ, which would end a host program.
        let (limit, _) = getrlimit(Resource::RLIMIT_FSIZE).map_err(Unrecorded::Write)?;
        if limit != RLIM_INFINITY && size.saturating_add(ROOM) > limit {
            return Err(Unrecorded::Write(Errno::EFBIG));
        }
        if stat.st_size == 0 && stat.st_gid != 0 {
            // Just made, by a program that had the user's group.
            let (Ok(()) | Err(_)) = fchown(&self.0, None, Some(Gid::ROOT));
        }
        let line = json::line(event, SystemTime::now());
        match (&self.0).write(line.as_bytes()) {
            Ok(written) if written == line.len() => Ok(()),
            // The rest is left out: a reader finds the next line all the same.
            Ok(_) => Err(Unrecorded::Write(Errno::ENOSPC)),
            Err(error) => Err(Unrecorded::Write(errno_of_io(&error))),
        }
    }
}
