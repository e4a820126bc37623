//! What a home was limited by before it was limited as the config says, so that it can be taken back.

use std::{os::fd::OwnedFd, path::PathBuf};

use jail::{
    fault::StepFault,
    resolve::openat2,
    world::quota::{self, Before},
};
use jail_config::Disk;
use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags},
    io::Errno,
};
use serde::{Deserialize, Serialize};

use crate::{failure::Failure, shell::shown};

/// A home that gets a limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DiskLimit {
    pub(crate) user: String,
    uid: u32,
    home: PathBuf,
    bytes: Option<u64>,
    files: Option<u64>,
    /// The project of the home before, and whether what was made in it was of that project.
    project_before: Option<(u32, bool)>,
    blocks_before: [u64; 2],
    files_before: [u64; 2],
}

/// The homes that get limits, as one change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DiskLimits {
    pub(crate) homes: Vec<DiskLimit>,
}

impl DiskLimits {
    /// Tells whether any home is limited otherwise than before.
    pub(crate) fn is_done(&self) -> Result<bool, Failure> {
        for home in &self.homes {
            if home.is_done()? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Names a limit of the kernel's.
fn limit(number: u64) -> String {
    match number {
        0 => "unlimited".to_owned(),
        number => number.to_string(),
    }
}

impl DiskLimit {
    pub(crate) fn new(
        (user, uid): (String, u32),
        (home, before): (PathBuf, Before),
        disk: Disk,
    ) -> DiskLimit {
        DiskLimit {
            user,
            uid,
            home,
            bytes: disk.bytes,
            files: disk.files,
            project_before: before.project,
            blocks_before: before.blocks,
            files_before: before.files,
        }
    }

    fn disk(&self) -> Disk {
        Disk {
            bytes: self.bytes,
            files: self.files,
        }
    }

    fn before(&self) -> Before {
        Before {
            project: self.project_before,
            blocks: self.blocks_before,
            files: self.files_before,
        }
    }

    pub(crate) fn shown(&self) -> String {
        format!("{}: limited to {}", shown(&self.home), self.disk())
    }

    /// Says what limited the home before, and that no undo puts it back: for a change that no journal has.
    pub(crate) fn shown_before(&self) -> String {
        let [blocks, files] = [self.blocks_before, self.files_before].map(|it| it.map(limit));
        let kind = match self.project_before {
            Some(_) => "project",
            None => "user",
        };
        format!(
            "the {kind} quota of {} was before: {} KiB (soft {}), {} files (soft {}); jailctl undo does not put it back, setquota(8) does",
            self.uid, blocks[0], blocks[1], files[0], files[1]
        )
    }

    /// Tells whether the home is limited otherwise than before.
    pub(crate) fn is_done(&self) -> Result<bool, Failure> {
        let Some(home) = self.open()? else {
            return Ok(false);
        };
        let now = quota::before(&home, self.uid).map_err(|fault| self.failed(&fault))?;
        Ok(now != self.before())
    }

    /// Puts back what limited the home before. Tells whether it was so; a quota that somebody has changed since stays.
    pub(crate) fn take_back(&self) -> Result<bool, Failure> {
        let Some(home) = self.open()? else {
            return Ok(false);
        };
        let done = quota::take_back(&home, self.uid, self.disk(), self.before());
        done.map_err(|fault| self.failed(&fault))
    }

    fn failed(&self, fault: &StepFault) -> Failure {
        Failure::Failed(format!("{}: {fault}", shown(&self.home)))
    }

    /// Opens the home; nothing where it is gone. What of the way is the user's can lead only to what is counted for the user.
    fn open(&self) -> Result<Option<OwnedFd>, Failure> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match openat2(
            CWD,
            &self.home,
            flags,
            Mode::empty(),
            ResolveFlags::NO_SYMLINKS,
        ) {
            Ok(home) => Ok(Some(home)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(Failure::io("open", &self.home, &errno.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use jail::world::quota::Before;
    use jail_config::Disk;

    use super::DiskLimit;

    #[test]
    fn what_limited_a_home_before_is_said_where_no_journal_has_it() {
        let before = |project| Before {
            project,
            blocks: [9000, 0],
            files: [0, 90],
        };
        for (project, kind) in [(Some((0, false)), "project"), (None, "user")] {
            let user = ("ann".to_owned(), 1001);
            let home = ("/srv/jails/ann/home/ann".into(), before(project));
            let shown = DiskLimit::new(user, home, Disk::default()).shown_before();
            let wanted = format!(
                "the {kind} quota of 1001 was before: 9000 KiB (soft unlimited), unlimited files (soft 90); "
            );
            assert!(shown.starts_with(&wanted), "{shown}");
        }
    }
}
