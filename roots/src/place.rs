//! A name in an open directory, and what can be done with whatever has it. Nothing here follows a symbolic link.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use jail::served::follows_links;
use rustix::{
    fs::{
        AtFlags, FileType, Gid, Mode, OFlags, Stat, Timestamps, Uid, chownat, fstat, linkat,
        makedev, mkdirat, mknodat, openat, readlinkat, statat, symlinkat, unlinkat,
    },
    io::Errno,
    process::umask,
};

use crate::directory::{empty, open_unmounted};

/// A name in an open directory.
#[derive(Debug)]
pub struct Place {
    pub(crate) directory: OwnedFd,
    pub(crate) name: OsString,
}

impl Place {
    /// Says what is there, without following it.
    ///
    /// # Errors
    /// fstatat(2).
    pub fn stat(&self) -> Result<Stat, Errno> {
        statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Makes a new file for writing, root's alone until its owner and mode are set.
    ///
    /// # Errors
    /// openat(2).
    pub fn create(&self) -> Result<File, Errno> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&self.directory, &self.name, flags, Mode::RUSR | Mode::WUSR).map(File::from)
    }

    /// Opens a regular file for reading.
    ///
    /// # Errors
    /// openat(2); EINVAL for what is no regular file.
    pub fn open_file(&self) -> Result<File, Errno> {
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        // Looked at before it is opened: opening a device may do something.
        let is_file = |stat: Stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        if !is_file(self.stat()?) {
            return Err(Errno::INVAL);
        }
        let file = openat(&self.directory, &self.name, flags, Mode::empty())?;
        // And after: something else may have taken the name.
        if !is_file(fstat(&file)?) {
            return Err(Errno::INVAL);
        }
        Ok(File::from(file))
    }

    /// Opens a directory.
    ///
    /// # Errors
    /// openat(2).
    pub fn open_directory(&self) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&self.directory, &self.name, flags, Mode::empty())
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// mkdirat(2).
    pub fn make_directory(&self) -> Result<(), Errno> {
        mkdirat(&self.directory, &self.name, Mode::RWXU)
    }

    /// The directory and the name in it.
    #[must_use]
    pub fn parts(&self) -> (BorrowedFd<'_>, &OsStr) {
        (self.directory.as_fd(), &self.name)
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// symlinkat(2).
    pub fn symlink(&self, target: &Path) -> Result<(), Errno> {
        symlinkat(target, &self.directory, &self.name)
    }

    /// Reads a symbolic link's text.
    ///
    /// # Errors
    /// readlinkat(2).
    pub fn read_link(&self) -> Result<PathBuf, Errno> {
        let text = readlinkat(&self.directory, &self.name, Vec::new())?;
        Ok(PathBuf::from(OsStr::from_bytes(text.to_bytes())))
    }

    /// Gives what is here another name. A symbolic link is not followed.
    ///
    /// # Errors
    /// linkat(2).
    pub fn link_to(&self, to: &Place) -> Result<(), Errno> {
        linkat(
            &self.directory,
            &self.name,
            &to.directory,
            &to.name,
            AtFlags::empty(),
        )
    }

    /// Changes the owner of what is here, not of what it may lead to. On FUSE, links keep theirs.
    ///
    /// # Errors
    /// fchownat(2).
    pub fn chown(&self, uid: u32, gid: u32) -> Result<(), Errno> {
        let is_link = FileType::from_raw_mode(self.stat()?.st_mode) == FileType::Symlink;
        if is_link && follows_links(&self.directory)? {
            return Ok(());
        }
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        chownat(
            &self.directory,
            &self.name,
            Some(uid),
            Some(gid),
            AtFlags::SYMLINK_NOFOLLOW,
        )
    }

    /// Makes a device node that everybody may read and write.
    ///
    /// # Errors
    /// mknodat(2): only the first user namespace's root may.
    pub fn make_device(&self, major: u32, minor: u32) -> Result<(), Errno> {
        // The mode comes with the node. A chmod(2) later would follow a link that somebody has put in its place.
        let before = umask(Mode::empty());
        let made = mknodat(
            &self.directory,
            &self.name,
            FileType::CharacterDevice,
            Mode::from_raw_mode(0o666),
            makedev(major, minor),
        );
        umask(before);
        made
    }

    /// Removes what is here, with all that is below it. Nothing there is fine.
    ///
    /// # Errors
    /// unlinkat(2).
    pub fn remove(&self) -> Result<(), Errno> {
        // No name of `.` or `..` gets here: Path::file_name gives none, and whiteouts are checked.
        match unlinkat(&self.directory, &self.name, AtFlags::empty()) {
            Err(Errno::ISDIR) => {}
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(errno),
        }
        empty(open_unmounted(self.directory.as_fd(), &self.name)?)?;
        unlinkat(&self.directory, &self.name, AtFlags::REMOVEDIR)
    }

    /// Names something else in the same directory.
    ///
    /// # Errors
    /// dup(2); EINVAL for what is no single name.
    pub fn beside(&self, name: &OsStr) -> Result<Place, Errno> {
        if Path::new(name).file_name() != Some(name) {
            return Err(Errno::INVAL);
        }
        Ok(Place {
            directory: self.directory.try_clone().map_err(|_| Errno::MFILE)?,
            name: name.to_owned(),
        })
    }
}

/// Sets when a file was last changed.
///
/// # Errors
/// futimens(2).
pub fn set_times(file: &File, modified: i64) -> Result<(), Errno> {
    let at = rustix::fs::Timespec {
        tv_sec: modified,
        tv_nsec: 0,
    };
    let times = Timestamps {
        last_access: at,
        last_modification: at,
    };
    rustix::fs::futimens(file, &times)
}
