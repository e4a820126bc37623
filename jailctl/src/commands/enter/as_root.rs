//! Whether nobody but root can change what is run in a root directory as root: the program and all on the way to it, links
//! included, and what the loader and a shell read before they do anything.

use std::{
    ffi::OsStr,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use jail::resolve::{last_first, openat2};
use rustix::{
    fs::{
        AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, readlinkat, statat,
    },
    io::Errno,
};

use crate::{failure::Failure, shell::shown};

/// Directories in which every entry counts, at any depth: programs, libraries, and what they read at their start. Of `/` the
/// entries alone.
const DIRECTORIES: [&str; 10] = [
    "/", "/bin", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/root", "/sbin", "/usr",
];

/// How deep a directory may lie to be looked into.
const DEEPEST: usize = 64;

/// Entries of `/` that hold no programs: what everybody may write, homes, and what is mounted.
const DATA: [&str; 11] = [
    "dev",
    "home",
    "lost+found",
    "media",
    "mnt",
    "opt",
    "proc",
    "run",
    "srv",
    "sys",
    "tmp",
];

/// How many links are followed: path_resolution(7).
const MOST_LINKS: usize = 40;

/// Insists that what programs read in a root directory before they do anything is root's alone.
pub(super) fn check(root: &OwnedFd, path: &Path) -> Result<(), Failure> {
    let inside = Inside { root, path };
    for directory in DIRECTORIES.map(Path::new) {
        if let Some(opened) = inside.reach(directory)? {
            inside.check_entries(&opened, directory)?;
        }
    }
    Ok(())
}

/// Insists that a program in a root directory, and all on the way to it, is root's alone.
pub(super) fn check_program(root: &OwnedFd, path: &Path, program: &Path) -> Result<(), Failure> {
    Inside { root, path }.reach(program).map(drop)
}

/// A root directory, and its path for messages.
struct Inside<'a> {
    root: &'a OwnedFd,
    path: &'a Path,
}

impl Inside<'_> {
    /// Follows a path to its end as it would lead inside. Nothing where it ends nowhere.
    fn reach(&self, path: &Path) -> Result<Option<OwnedFd>, Failure> {
        let mut ahead = last_first(path);
        let mut walked: Vec<(PathBuf, OwnedFd)> = Vec::new();
        let mut links = 0;
        let top = self.open(self.root, OsStr::new("."), Path::new("/"))?;
        let Some(top) = top else {
            return Ok(None);
        };
        while let Some(name) = ahead.pop() {
            if name == Path::new("..") {
                walked.pop();
                continue;
            }
            let (above, directory) = match walked.last() {
                Some((above, directory)) => (above.as_path(), directory),
                None => (Path::new("/"), &top),
            };
            let here = above.join(&name);
            let entry = match self.open(directory, name.as_os_str(), &here)? {
                Some(entry) => entry,
                None => return Ok(None),
            };
            let stat = self.examine(&entry, &here)?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
                links += 1;
                if links > MOST_LINKS {
                    return Ok(None);
                }
                let to = readlinkat(&entry, "", Vec::new())
                    .map_err(|errno| self.failed(&here, errno))?;
                let to = Path::new(OsStr::from_bytes(to.to_bytes()));
                if to.is_absolute() {
                    walked.clear();
                }
                ahead.extend(last_first(to));
                continue;
            }
            walked.push((here, entry));
        }
        Ok(Some(walked.pop().map_or(top, |(_, entry)| entry)))
    }

    /// Opens one entry and insists that it is root's alone.
    fn open(
        &self,
        directory: impl AsFd,
        name: &OsStr,
        here: &Path,
    ) -> Result<Option<OwnedFd>, Failure> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let entry = match openat2(directory, name, flags, Mode::empty(), resolve) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            entry => entry.map_err(|errno| self.failed(here, errno))?,
        };
        let stat = self.examine(&entry, here)?;
        self.insist(&stat, here)?;
        Ok(Some(entry))
    }

    fn examine(&self, entry: &OwnedFd, here: &Path) -> Result<Stat, Failure> {
        fstat(entry).map_err(|errno| self.failed(here, errno))
    }

    /// Insists that all entries of a directory are root's alone.
    fn check_entries(&self, opened: &OwnedFd, directory: &Path) -> Result<(), Failure> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let listed = match openat(opened, ".", flags, Mode::empty()) {
            Err(Errno::NOTDIR) => return Ok(()),
            listed => listed.and_then(Dir::new),
        };
        for entry in listed.map_err(|errno| self.failed(directory, errno))? {
            let entry = entry.map_err(|errno| self.failed(directory, errno))?;
            let name = entry.file_name();
            let word = name.to_bytes();
            let is_data =
                directory == Path::new("/") && DATA.iter().any(|it| it.as_bytes() == word);
            if is_data || word == b"." || word == b".." {
                continue;
            }
            let here = directory.join(OsStr::from_bytes(word));
            let stat = statat(opened, name, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|errno| self.failed(&here, errno))?;
            self.insist(&stat, &here)?;
            let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            if !is_directory || directory == Path::new("/") {
                continue;
            }
            if here.components().count() > DEEPEST {
                return Err(self.failed(&here, Errno::NAMETOOLONG));
            }
            if let Some(next) = self.open(opened, here.file_name().unwrap_or_default(), &here)? {
                self.check_entries(&next, &here)?;
            }
        }
        Ok(())
    }

    fn insist(&self, stat: &Stat, here: &Path) -> Result<(), Failure> {
        // The mode of a link means nothing.
        let is_link = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
        let state = if stat.st_uid != 0 {
            format!("belongs to uid {}", stat.st_uid)
        } else if !is_link && stat.st_mode & 0o022 != 0 {
            format!("is mode {:04o}", stat.st_mode & 0o7777)
        } else {
            return Ok(());
        };
        Err(Failure::Failed(format!(
            "enter root {}: {} inside {state}, so that others decide what is run there as root; \
             jailctl enter --user NAME runs it as a user, and --trust-user-files runs it as root all the same",
            shown(self.path),
            shown(here)
        )))
    }

    fn failed(&self, here: &Path, errno: Errno) -> Failure {
        let whole = self.path.join(here.strip_prefix("/").unwrap_or(here));
        Failure::io("examine", &whole, &io::Error::from(errno))
    }
}
