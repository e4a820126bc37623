//! Where the caller stands in its terminal: in the foreground or not.

use std::{
    fs::File,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::fs::FileExt,
    },
};

use nix::unistd::{getpgrp, getppid, tcgetpgrp};
use rustix::fs::fstat;

use crate::fault::{StepFault, failed};

/// How it is known whether the caller is in the foreground of its terminal.
#[derive(Debug)]
pub(crate) enum Place {
    /// It is the terminal of the caller's own session.
    Own,
    /// `su -c` has made a session of its own, which has no terminal: what counts is where su itself is. Its
    /// /proc/PID/stat, open, and the device number of the terminal as that has it.
    OfParent(File, u64),
    /// It can't be known. Then it never is.
    Unknown,
}

impl Place {
    pub(crate) fn of(terminal: BorrowedFd<'_>, own: bool) -> Result<Place, StepFault> {
        if own {
            return Ok(Place::Own);
        }
        let device = fstat(terminal)
            .map_err(failed("fstat of the terminal"))?
            .st_rdev;
        let Ok(stat) = File::open(format!("/proc/{}/stat", getppid())) else {
            return Ok(Place::Unknown);
        };
        // new_encode_dev of the kernel: twelve bits of major between two parts of minor.
        let (major, minor) = (
            u64::from(rustix::fs::major(device)),
            u64::from(rustix::fs::minor(device)),
        );
        Ok(Place::OfParent(
            stat,
            minor & 0xff | major << 8 | (minor & !0xff) << 12,
        ))
    }

    pub(crate) fn is_foreground(&self, terminal: &OwnedFd) -> bool {
        match self {
            Place::Own => tcgetpgrp(terminal) == Ok(getpgrp()),
            Place::OfParent(stat, device) => parent_is_foreground(stat, *device).unwrap_or(false),
            Place::Unknown => false,
        }
    }
}

/// The most that is read of a process's stat, in bytes: one page, which is more than it has.
const LONGEST_STAT: usize = 4096;

/// Reads process group, terminal and the terminal's foreground group of a process: proc_pid_stat(5). Nothing where
/// it has ended.
fn parent_is_foreground(stat: &File, device: u64) -> Option<bool> {
    let mut text = [0; LONGEST_STAT];
    let length = stat.read_at(&mut text, 0).ok()?;
    let text = std::str::from_utf8(text.get(..length)?).ok()?;
    // The name is in parentheses, and may have any character in it. State and parent follow.
    let (_, after) = text.rsplit_once(')')?;
    let mut fields = after.split_whitespace().skip(2);
    let (group, _session, terminal, foreground) = (
        fields.next()?,
        fields.next()?,
        fields.next()?,
        fields.next()?,
    );
    Some(terminal.parse() == Ok(device) && group == foreground)
}
