//! Files of the host that come into roots: reached as somebody without rights would reach them, whatever rights the one
//! who looks has, and opened so that what is read is what was looked at.
//!
//! Each step is by the descriptor of the one before. Where somebody else than root can write to a directory, what a path
//! leads to may change between two looks at it; what is held open does not.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs::File,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStringExt,
    },
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat},
    io::Errno,
};

use crate::{directory, fault::Fault};

/// As the kernel: path_resolution(7).
const MOST_LINKS: usize = 40;

/// What others may do with a file, and with a directory.
const READ: u32 = 0o004;
const SEARCH: u32 = 0o001;

/// Why a path of the host is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// It leads nowhere.
    Missing(Errno),
    /// Not everybody can reach or read it.
    Private,
    /// It leads to one of the directories that were not to be entered.
    Own,
}

/// What a walk came through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A directory, which may be where it ended.
    Directory,
    /// A symbolic link, and its text.
    Link(PathBuf),
}

/// What a path leads to, as everybody can reach it.
#[derive(Debug)]
pub struct Reached {
    /// Where it is: no part of this is a link.
    pub path: PathBuf,
    /// What it is.
    pub kind: FileType,
    /// Its permissions.
    pub mode: u32,
    /// What was on the way, in its order.
    pub way: Vec<(PathBuf, Step)>,
    /// Whether somebody else than root has made one of the links on the way.
    pub by_others: bool,
    /// The directory itself, or the one that the file is in.
    directory: OwnedFd,
}

/// A directory on the way, held open.
struct Directory {
    held: OwnedFd,
    mode: u32,
}

impl Reached {
    /// Whether everybody may read the file, or list the directory and reach what is in it.
    #[must_use]
    pub fn is_public(&self) -> bool {
        let needed = if self.kind == FileType::Directory {
            READ | SEARCH
        } else {
            READ
        };
        self.mode & needed == needed
    }

    /// Opens the file.
    fn open(&self) -> Result<File, Left> {
        // Looked at before it is opened: opening a device may do something.
        let name = self.path.file_name();
        let name = name.filter(|_| self.kind == FileType::RegularFile);
        let name = name.ok_or(Errno::INVAL)?;
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = openat(&self.directory, name, flags, Mode::empty())?;
        // And after: something else may have taken the name.
        let stat = fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Left::Missing(Errno::INVAL));
        }
        if stat.st_mode & READ == 0 {
            return Err(Left::Private);
        }
        Ok(File::from(file))
    }
}

impl Directory {
    fn root() -> Result<Directory, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let held = openat(CWD, "/", flags, Mode::empty())?;
        let mode = fstat(&held)?.st_mode;
        Ok(Directory { held, mode })
    }

    /// Goes to a directory that was reached before: none of its names may be a link now.
    fn again(path: &Path) -> Result<Directory, Left> {
        names(path).try_fold(Directory::root()?, |here, name| {
            let (held, stat) = here.open(&name)?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => Ok(Directory {
                    held,
                    mode: stat.st_mode,
                }),
                _ => Err(Left::Missing(Errno::NOTDIR)),
            }
        })
    }

    /// Holds what has a name in it, whatever that is, if everybody can.
    fn open(&self, name: &OsStr) -> Result<(OwnedFd, Stat), Left> {
        if self.mode & SEARCH == 0 {
            return Err(Left::Private);
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let held = openat(&self.held, name, flags, Mode::empty())?;
        let stat = fstat(&held)?;
        Ok((held, stat))
    }
}

impl From<Errno> for Left {
    fn from(errno: Errno) -> Left {
        Left::Missing(errno)
    }
}

/// Goes to where a path leads, through links and all, if everybody can go there. `own` are names in `/` that no way may
/// lead to.
///
/// # Errors
/// Why nothing is taken from there. Whether everybody may read what is there is still to be asked.
pub fn follow(path: &Path, own: &[&str]) -> Result<Reached, Left> {
    let mut here = Directory::root()?;
    let mut reached = PathBuf::from("/");
    let mut open: VecDeque<OsString> = names(path).collect();
    let mut way = Vec::new();
    let (mut links, mut by_others) = (0, false);
    while let Some(name) = open.pop_front() {
        if name == ".." {
            reached.pop();
            here = Directory::again(&reached)?;
            continue;
        }
        if reached == Path::new("/") && own.iter().any(|own| name == *own) {
            return Err(Left::Own);
        }
        let (held, stat) = here.open(&name)?;
        let next = reached.join(&name);
        let (kind, mode) = (FileType::from_raw_mode(stat.st_mode), stat.st_mode);
        match kind {
            FileType::Directory => {
                way.push((next.clone(), Step::Directory));
                reached = next;
                here = Directory { held, mode };
            }
            FileType::Symlink => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(Left::Missing(Errno::LOOP));
                }
                by_others |= stat.st_uid != 0;
                let target = readlinkat(&held, "", Vec::new())?.into_bytes();
                let target = PathBuf::from(OsString::from_vec(target));
                if target.is_absolute() {
                    reached = PathBuf::from("/");
                    here = Directory::root()?;
                }
                for name in names(&target).rev() {
                    open.push_front(name);
                }
                way.push((next, Step::Link(target)));
            }
            _ if open.is_empty() => {
                return Ok(Reached {
                    path: next,
                    kind,
                    mode,
                    way,
                    by_others,
                    directory: here.held,
                });
            }
            _ => return Err(Left::Missing(Errno::NOTDIR)),
        }
    }
    Ok(Reached {
        path: reached,
        kind: FileType::Directory,
        mode: here.mode,
        way,
        by_others,
        directory: here.held,
    })
}

/// Opens a regular file that everybody can reach and read.
///
/// No part of the path is followed as a link: a path of a closure has none, and where somebody else than root can write to
/// a directory, one could have come there since. Nor is a FIFO waited for.
///
/// # Errors
/// openat(2); it is something else, or not for everybody.
pub fn open(path: &Path) -> Result<File, Fault> {
    let opened = straight(path).and_then(|reached| reached.open());
    opened.map_err(|left| match left {
        Left::Missing(errno) => Fault::io("open", path)(errno),
        Left::Private | Left::Own => Fault::Failed(format!(
            "open {}: it was for everybody to read, and is not any more",
            path.display()
        )),
    })
}

/// Lists the names in a directory that everybody can reach and list, and what each is. No part of the path is followed as
/// a link.
///
/// # Errors
/// openat(2), getdents(2); it is something else, or not for everybody.
pub fn list(path: &Path) -> Result<Vec<(OsString, FileType)>, Left> {
    let reached = straight(path)?;
    if !reached.is_public() {
        return Err(Left::Private);
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat(&reached.directory, ".", flags, Mode::empty())?;
    Ok(directory::list(directory.as_fd())?)
}

/// Opens a regular file that everybody can reach and read to look at what it says it needs. Links are followed.
///
/// # Errors
/// openat(2); it is something else, or not for everybody.
pub fn look_at(path: &Path) -> Result<File, Left> {
    follow(path, &[])?.open()
}

/// Goes to a path that has no links in it.
fn straight(path: &Path) -> Result<Reached, Left> {
    let reached = follow(path, &[])?;
    let is_link = |(_, step): &(PathBuf, Step)| matches!(step, Step::Link(_));
    if reached.way.iter().any(is_link) {
        return Err(Left::Missing(Errno::LOOP));
    }
    Ok(reached)
}

/// The names that a path has the walk go through.
fn names(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    })
}
