//! A directory that is written to by descriptor only: openat2(2).
//!
//! Nothing here follows a symbolic link or leaves the directory, whatever is in it. [`Tree::place_through_links`] is the
//! one exception to the former: it follows links as they would be followed inside.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{
        FileType, FlockOperation, Mode, OFlags, RenameFlags, ResolveFlags, Stat, fchmod, flock,
        fstat, mkdirat, openat, renameat_with, symlinkat,
    },
    io::Errno,
};

use jail::resolve::openat2;

use crate::{directory::list, fault::Fault, place::Place};

/// A directory and the name it goes by in messages.
#[derive(Debug)]
pub struct Tree {
    directory: OwnedFd,
    shown: PathBuf,
}

impl Tree {
    /// Takes an open directory.
    #[must_use]
    pub fn new(directory: OwnedFd, shown: &Path) -> Tree {
        Tree {
            directory,
            shown: shown.to_owned(),
        }
    }

    /// Changes the mode of the directory itself.
    ///
    /// # Errors
    /// fchmod(2).
    pub fn chmod(&self, mode: u32) -> Result<(), Fault> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let changed = openat(&self.directory, ".", flags, Mode::empty())
            .and_then(|directory| fchmod(directory, Mode::from_raw_mode(mode)));
        changed.map_err(Fault::io("chmod", &self.shown))
    }

    /// The name it goes by.
    #[must_use]
    pub fn shown(&self) -> &Path {
        &self.shown
    }

    /// The name that a path in it goes by.
    #[must_use]
    pub fn show(&self, path: &Path) -> PathBuf {
        self.shown.join(relative(path))
    }

    /// Opens a directory in it as a tree of its own.
    ///
    /// # Errors
    /// openat2(2).
    pub fn subtree(&self, path: &Path) -> Result<Tree, Fault> {
        let directory = self
            .directory(path)
            .map_err(Fault::io("open", &self.show(path)))?;
        Ok(Tree::new(directory, &self.show(path)))
    }

    fn directory(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let path = relative(path);
        let path = if path == Path::new("") {
            Path::new(".")
        } else {
            path
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve =
            ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        openat2(&self.directory, path, flags, Mode::empty(), resolve)
    }

    /// Tells whether something else is mounted on a directory in it, or on one above.
    ///
    /// # Errors
    /// It is no directory.
    pub fn is_mount_point(&self, path: &Path) -> Result<bool, Fault> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        match openat2(
            &self.directory,
            relative(path),
            flags,
            Mode::empty(),
            resolve,
        ) {
            Ok(_) => Ok(false),
            Err(Errno::XDEV) => Ok(true),
            Err(errno) => Err(Fault::io("open", &self.show(path))(errno)),
        }
    }

    /// Opens the directory that a path's last name is in.
    ///
    /// # Errors
    /// openat2(2); EINVAL for a path that ends in no name.
    pub fn place(&self, path: &Path) -> Result<Place, Errno> {
        let name = path.file_name().ok_or(Errno::INVAL)?.to_owned();
        let directory = self.directory(path.parent().unwrap_or(Path::new("")))?;
        Ok(Place { directory, name })
    }

    /// Does what [`Tree::place`] does, and follows links on the way to the directory, as they lead inside. Directories
    /// that are missing are made, and added to `made`, whatever comes of it.
    ///
    /// # Errors
    /// As [`Tree::place`]; ENOTDIR or ELOOP where the way leads through something else.
    pub fn place_through_links(&self, path: &Path, made: &mut u64) -> Result<Place, Errno> {
        let name = path.file_name().ok_or(Errno::INVAL)?.to_owned();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let parent = relative(path.parent().unwrap_or(Path::new("")));
        let open = |path: &Path| {
            let path = if path == Path::new("") {
                Path::new(".")
            } else {
                path
            };
            openat2(&self.directory, path, flags, Mode::empty(), resolve)
        };
        let mut opened = open(parent);
        if matches!(opened, Err(Errno::NOENT)) {
            let mut walked = PathBuf::new();
            for component in parent.components() {
                let above = open(&walked)?;
                walked.push(component);
                match mkdirat(&above, component.as_os_str(), Mode::from_raw_mode(0o755)) {
                    Ok(()) => *made += 1,
                    Err(Errno::EXIST) => {}
                    Err(errno) => return Err(errno),
                }
            }
            opened = open(parent);
        }
        opened.map(|directory| Place { directory, name })
    }

    /// Says what is at a path, without following it. `None` where there is nothing.
    ///
    /// # Errors
    /// Anything but its absence.
    pub fn stat(&self, path: &Path) -> Result<Option<Stat>, Fault> {
        let found = self.place(path).and_then(|place| place.stat());
        match found {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(Fault::io("stat", &self.show(path))(errno)),
        }
    }

    /// Tells whether a path leads to a regular file, following links as they lead inside.
    #[must_use]
    pub fn leads_to_file(&self, path: &Path) -> bool {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let found = openat2(
            &self.directory,
            relative(path),
            flags,
            Mode::empty(),
            resolve,
        );
        let stat = found.and_then(fstat);
        stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
    }

    /// Makes a directory, if there is none, and gives it this mode.
    ///
    /// # Errors
    /// mkdirat(2); something else is there.
    pub fn make_directory(&self, path: &Path, mode: u32) -> Result<(), Fault> {
        let made = self.place(path).and_then(|place| {
            match mkdirat(&place.directory, &place.name, Mode::from_raw_mode(mode)) {
                Err(Errno::EXIST) => place.open_directory().map(drop),
                // Past the umask.
                Ok(()) => fchmod(place.open_directory()?, Mode::from_raw_mode(mode)),
                Err(errno) => Err(errno),
            }
        });
        made.map_err(Fault::io("make directory", &self.show(path)))
    }

    /// Makes a directory and those above it.
    ///
    /// # Errors
    /// As [`Tree::make_directory`].
    pub fn make_directories(&self, path: &Path) -> Result<(), Fault> {
        let mut above: Vec<&Path> = path
            .ancestors()
            .filter(|path| path.file_name().is_some())
            .collect();
        above.reverse();
        above
            .into_iter()
            .try_for_each(|path| self.make_directory(path, 0o755))
    }

    /// Makes a new file of root's for writing.
    ///
    /// # Errors
    /// openat(2); something is there.
    pub fn create(&self, path: &Path, mode: u32) -> Result<File, Fault> {
        let file = self.place(path).and_then(|place| place.create());
        let file = file.map_err(Fault::io("make", &self.show(path)))?;
        fchmod(&file, Mode::from_raw_mode(mode)).map_err(Fault::io("chmod", &self.show(path)))?;
        Ok(file)
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// symlinkat(2).
    pub fn symlink(&self, target: &Path, path: &Path) -> Result<(), Fault> {
        let place = self.place(path);
        let made = place.and_then(|place| symlinkat(target, &place.directory, &place.name));
        made.map_err(Fault::io("make link", &self.show(path)))
    }

    /// Makes a file of another tree appear here as well.
    ///
    /// # Errors
    /// linkat(2), among it EXDEV for another file system.
    pub fn link_from(&self, other: &Tree, path: &Path) -> Result<(), Fault> {
        let from = other
            .place(path)
            .map_err(Fault::io("open", &other.show(path)))?;
        let to = self
            .place(path)
            .map_err(Fault::io("open", &self.show(path)))?;
        from.link_to(&to)
            .map_err(Fault::io("hard link", &self.show(path)))
    }

    /// Opens a regular file for reading; not one that is a link, and not waiting for a FIFO.
    ///
    /// # Errors
    /// openat(2); it is no regular file.
    pub fn open_file(&self, path: &Path) -> Result<File, Fault> {
        let file = self.place(path).and_then(|place| place.open_file());
        file.map_err(Fault::io("open", &self.show(path)))
    }

    /// Reads a regular file of at most `most` bytes. `None` where there is none.
    ///
    /// # Errors
    /// It can't be read, or is longer.
    pub fn read(&self, path: &Path, most: u64) -> Result<Option<Vec<u8>>, Fault> {
        if self.stat(path)?.is_none() {
            return Ok(None);
        }
        let mut text = Vec::new();
        let file = self.open_file(path)?;
        let read = file.take(most + 1).read_to_end(&mut text);
        read.map_err(Fault::io("read", &self.show(path)))?;
        if u64::try_from(text.len()).is_ok_and(|length| length > most) {
            return Err(Fault::Failed(format!(
                "read {}: longer than {most} bytes",
                self.show(path).display()
            )));
        }
        Ok(Some(text))
    }

    /// Reads a symbolic link's text.
    ///
    /// # Errors
    /// readlinkat(2).
    pub fn read_link(&self, path: &Path) -> Result<PathBuf, Fault> {
        let text = self.place(path).and_then(|place| place.read_link());
        text.map_err(Fault::io("read link", &self.show(path)))
    }

    /// Lists the names in a directory and what each is.
    ///
    /// # Errors
    /// The directory can't be read.
    pub fn list(&self, path: &Path) -> Result<Vec<(OsString, FileType)>, Fault> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let listed = self
            .directory(path)
            .and_then(|directory| openat(directory, ".", flags, Mode::empty()))
            .and_then(|directory| list(directory.as_fd()));
        listed.map_err(Fault::io("read", &self.show(path)))
    }

    /// Removes whatever is at a path, with all that is below it. Nothing there is fine.
    ///
    /// # Errors
    /// unlinkat(2).
    pub fn remove(&self, path: &Path) -> Result<(), Fault> {
        let removed = match self.place(path) {
            Ok(place) => place.remove(),
            Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno),
        };
        removed.map_err(Fault::io("remove", &self.show(path)))
    }

    /// Renames within the tree: renameat2(2).
    ///
    /// # Errors
    /// As that.
    pub fn rename(&self, from: &Path, to: &Path, flags: RenameFlags) -> Result<(), Fault> {
        let renamed = self.place(from).and_then(|from| {
            let to = self.place(to)?;
            renameat_with(&from.directory, &from.name, &to.directory, &to.name, flags)
        });
        renamed.map_err(Fault::io("rename to", &self.show(to)))
    }

    /// Replaces a file of root's by a new text at once.
    ///
    /// # Errors
    /// A system call that failed; the old text is there then.
    pub fn replace(&self, path: &Path, text: &[u8], mode: u32) -> Result<(), Fault> {
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let new = Path::new(&name);
        self.remove(new)?;
        let mut file = self.create(new, mode)?;
        let written = io::Write::write_all(&mut file, text).and_then(|()| file.sync_all());
        written.map_err(Fault::io("write", &self.show(new)))?;
        self.rename(new, path, RenameFlags::empty())
    }

    /// Holds the tree against other runs of this program, until the returned descriptor is closed: flock(2). Whoever can
    /// open the directory can hold it as well.
    ///
    /// # Errors
    /// Another run holds it.
    pub fn lock(&self) -> Result<OwnedFd, Fault> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let held = openat(&self.directory, ".", flags, Mode::empty());
        let held = held.map_err(Fault::io("open", &self.shown))?;
        match flock(&held, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(held),
            Err(Errno::WOULDBLOCK) => Err(Fault::Failed(format!(
                "lock {}: another jailctl is at work on it",
                self.shown.display()
            ))),
            Err(errno) => Err(Fault::io("lock", &self.shown)(errno)),
        }
    }
}

impl AsFd for Tree {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

fn relative(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}
