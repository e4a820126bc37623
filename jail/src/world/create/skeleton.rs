//! What a new home begins with: a copy of a directory that root alone can change, of regular files, directories and links.
//!
//! It is copied with root's ids into a directory that nobody but root can reach, and then given to the user: what the user could
//! do meanwhile, there is no way to.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use jail_config::Skeleton;
use rustix::{
    fs::{
        AtFlags, FileType, Gid, Mode, OFlags, Uid, chownat, fstat, openat, readlinkat, statat,
        symlinkat,
    },
    io::Errno,
};

use crate::{
    fault::{StepFault, errno_of, errno_of_io, failed},
    served::follows_links,
    trust::{self, Flaw, check_owner_and_mode, kind},
    world::create::new::{expect_owner, give, list, new_directory},
};

/// The most files, directories and links that are copied, how deep, and the most bytes in them: a login waits for it.
const MOST: u32 = 1000;
const DEEPEST: u32 = 16;
const LARGEST: u64 = 16 << 20;

/// The rights that are copied. Set-id bits are not among them.
const RIGHTS: u32 = 0o777;

/// Copies a skeleton into a new home. `ids` are the owner and group of what is made.
pub(super) fn copy(skeleton: &Skeleton, home: &OwnedFd, ids: (u32, u32)) -> Result<(), StepFault> {
    let Some(path) = skeleton.directory() else {
        return Ok(());
    };
    let from = match trust::open_directory(path) {
        Err(untrusted) if *skeleton == Skeleton::Usual && untrusted.flaw == Flaw::Missing => {
            return Ok(());
        }
        opened => opened.map_err(|it| StepFault::Unfit(format!("the skeleton {it}")))?,
    };
    let mut copying = Copying {
        shown: path.to_owned(),
        ids,
        files: MOST,
        bytes: LARGEST,
    };
    copying.directory(&from, home, DEEPEST)
}

struct Copying {
    /// Where it is at the moment.
    shown: PathBuf,
    ids: (u32, u32),
    /// What may still be copied.
    files: u32,
    bytes: u64,
}

impl Copying {
    fn directory(&mut self, from: &OwnedFd, to: &OwnedFd, deep: u32) -> Result<(), StepFault> {
        let names = list(from).map_err(|errno| {
            self.flawed(match errno {
                Errno::NOENT => Flaw::Missing,
                other => Flaw::Io(errno_of(other)),
            })
        })?;
        for name in names {
            self.shown.push(&name);
            self.entry(from, to, &name, deep)?;
            self.shown.pop();
        }
        Ok(())
    }

    fn entry(
        &mut self,
        from: &OwnedFd,
        to: &OwnedFd,
        name: &OsStr,
        deep: u32,
    ) -> Result<(), StepFault> {
        let Some(left) = self.files.checked_sub(1).filter(|_| deep > 0) else {
            return Err(self.unfit(&format!(
                "is more than is copied: at most {MOST} files, {DEEPEST} directories deep"
            )));
        };
        self.files = left;
        let opened = trust::open_entry(from, Path::new(name)).map_err(|it| self.flawed(it))?;
        let stat = fstat(&opened).map_err(failed("fstat in the skeleton"))?;
        let mode = Mode::from_raw_mode(stat.st_mode & RIGHTS);
        let check = || check_owner_and_mode(&stat, None).map_err(|it| self.flawed(it));
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                check()?;
                let made = new_directory(to, name)?;
                self.directory(&opened, &made, deep - 1)?;
                give(&made, self.ids, mode)
            }
            FileType::RegularFile => self.file(from, to, name, mode),
            FileType::Symlink => {
                let path = readlinkat(&opened, c"", Vec::new())
                    .map_err(failed("readlink in the skeleton"))?;
                symlinkat(path, to, name).map_err(failed("symlink in a new home"))?;
                // It stays root's where the server would give away what it leads to.
                if follows_links(to).map_err(failed("fstatfs of a new home"))? {
                    return Ok(());
                }
                let (uid, gid) = (Uid::from_raw(self.ids.0), Gid::from_raw(self.ids.1));
                let flags = AtFlags::SYMLINK_NOFOLLOW;
                chownat(to, name, Some(uid), Some(gid), flags)
                    .map_err(failed("chown of a link in a new home"))?;
                let stat =
                    statat(to, name, flags).map_err(failed("stat of a link in a new home"))?;
                expect_owner(&stat, self.ids)
            }
            other => Err(self.unfit(&format!("is a {}; remove it", kind(other)))),
        }
    }

    fn file(
        &mut self,
        from: &OwnedFd,
        to: &OwnedFd,
        name: &OsStr,
        mode: Mode,
    ) -> Result<(), StepFault> {
        let above = self.shown.parent().unwrap_or(&self.shown);
        let source = trust::open_file(from, above, Path::new(name))
            .map_err(|it| StepFault::Unfit(format!("the skeleton {it}")))?;
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = openat(to, name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(failed("create a file in a new home"))?;
        let mut made = File::from(made);
        let copied = io::copy(&mut source.take(self.bytes + 1), &mut made).map_err(|error| {
            StepFault::Failed("copy a file into a new home", errno_of_io(&error))
        })?;
        self.bytes = self.bytes.checked_sub(copied).ok_or_else(|| {
            self.unfit(&format!("is more than is copied: at most {LARGEST} bytes"))
        })?;
        give(&made.into(), self.ids, mode)
    }

    fn flawed(&self, flaw: Flaw) -> StepFault {
        let path = self.shown.clone();
        let untrusted = trust::Untrusted {
            component: path.clone(),
            path,
            flaw,
        };
        StepFault::Unfit(format!("the skeleton {untrusted}"))
    }

    fn unfit(&self, what: &str) -> StepFault {
        StepFault::Unfit(format!("the skeleton: {} {what}", self.shown.display()))
    }
}
