//! The directories of the host's /etc that are copied, because that costs less than a mount.

use std::{
    ffi::{CStr, OsStr},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Dir, FileType, Mode, OFlags, fstat, openat, readlinkat},
    io::Errno as OpenErrno,
};

use super::{Item, LONGEST_COPY, read};
use crate::fault::{StepFault, failed};

/// How many entries a directory may have that is copied.
const MOST_COPIED: usize = 16;

/// Copies a directory that holds few and short files, if it is one. Who can't read a file of it does not see its name.
pub(crate) fn small(
    directory: &OwnedFd,
    name: &Path,
) -> Result<Option<Vec<(PathBuf, Item)>>, StepFault> {
    let mut copied = Copied {
        items: vec![(name.to_owned(), Item::Folder)],
        left: LONGEST_COPY,
    };
    let fits = copied.directory(directory, name)?;
    Ok(fits.then_some(copied.items))
}

/// What has been copied of a directory.
struct Copied {
    items: Vec<(PathBuf, Item)>,
    /// How many bytes more there may be.
    left: u64,
}

impl Copied {
    /// Copies what a directory holds, and says whether that is all.
    fn directory(&mut self, directory: &OwnedFd, path: &Path) -> Result<bool, StepFault> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let readable = openat(directory, ".", flags, Mode::empty())
            .map_err(failed("open a directory of /etc"))?;
        for entry in Dir::new(readable).map_err(failed("list a directory of /etc"))? {
            let entry = entry.map_err(failed("list a directory of /etc"))?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            if self.items.len() > MOST_COPIED {
                return Ok(false);
            }
            let path = path.join(OsStr::from_bytes(name.to_bytes()));
            if !self.entry(directory, name, path)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Copies one name of a directory, and says whether that is all of it.
    fn entry(
        &mut self,
        directory: &OwnedFd,
        name: &CStr,
        path: PathBuf,
    ) -> Result<bool, StepFault> {
        let flags =
            OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = match openat(directory, name, flags, Mode::empty()) {
            Ok(opened) => opened,
            Err(OpenErrno::LOOP) => {
                let to =
                    readlinkat(directory, name, Vec::new()).map_err(failed("readlink in /etc"))?;
                let to = Item::Link(OsStr::from_bytes(to.to_bytes()).into());
                self.items.push((path, to));
                return Ok(true);
            }
            Err(_) => return Ok(false),
        };
        let stat = fstat(&opened).map_err(failed("fstat of a file of /etc"))?;
        let has = |mode: u32| stat.st_mode & mode == mode && stat.st_uid == 0;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory if has(0o005) => {
                self.items.push((path.clone(), Item::Folder));
                self.directory(&opened, &path)
            }
            // A program keeps its mode.
            FileType::RegularFile if has(0o004) && stat.st_mode & 0o111 == 0 => {
                let length = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
                let Some(left) = self.left.checked_sub(length) else {
                    return Ok(false);
                };
                self.left = left;
                self.items.push((path, Item::Text(read(opened, length)?)));
                Ok(true)
            }
            FileType::Directory | FileType::RegularFile if !has(0o004) => Ok(true),
            _ => Ok(false),
        }
    }
}
