//! The trusted walk: opens a path by descriptors, one component at a time, and gives nothing that anybody but root
//! could have put there.
//!
//! What it returns is a descriptor; the path is never used again. It follows no symbolic link and no magic link.

use std::{
    fmt,
    fs::File,
    os::fd::{AsFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use nix::errno::Errno;
use rustix::fs::{FileType, Mode, OFlags, RawMode, ResolveFlags, Stat, fstat, openat2};

use crate::{code::Code, fault::raw};

/// Write permission for group or others. A POSIX ACL that lets anybody write shows in the group bits: acl(5).
const WRITABLE_BY_OTHERS: RawMode = 0o022;

/// A component of a path that can't be trusted, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untrusted {
    /// The path that was asked for.
    pub path: PathBuf,
    /// The component of it that stopped the walk.
    pub component: PathBuf,
    /// What is wrong with that component.
    pub flaw: Flaw,
}

/// What is wrong with a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It does not exist.
    Missing,
    /// It is a symbolic link.
    SymbolicLink,
    /// It is no directory; what it is instead.
    NotDirectory(&'static str),
    /// It is no regular file; what it is instead.
    NotRegular(&'static str),
    /// It belongs to this uid, not to root.
    Owner(u32),
    /// Its mode lets group or others write.
    Writable(u32),
    /// It is the host's own root directory, mounted once more.
    HostRoot,
    /// It could not be opened.
    Io(Errno),
}

impl Untrusted {
    /// Gives the code of a refused root directory.
    pub(crate) fn root_code(&self) -> Code {
        match self.flaw {
            Flaw::Missing => Code::RootMissing,
            Flaw::NotDirectory(_) => Code::RootNotDirectory,
            _ => Code::RootUnsafe,
        }
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let component = self.component.display();
        write!(f, "{}: {component} ", self.path.display())?;
        match &self.flaw {
            Flaw::Missing => write!(
                f,
                "does not exist; make it (install -d -m 755 {component}), or correct the path in the config"
            ),
            Flaw::SymbolicLink => {
                f.write_str("is a symbolic link; write the path it leads to instead")
            }
            Flaw::NotDirectory(kind) => write!(f, "is a {kind}, not a directory"),
            Flaw::NotRegular(kind) => write!(f, "is a {kind}, not a regular file"),
            Flaw::Owner(uid) => write!(
                f,
                "belongs to uid {uid}, not to root; chown root {component}"
            ),
            Flaw::Writable(mode) if mode & 0o1000 != 0 => write!(
                f,
                "is mode {mode:04o}; chmod go-w {component}, or where others need it so, choose another place"
            ),
            Flaw::Writable(mode) => write!(f, "is mode {mode:04o}; chmod go-w {component}"),
            Flaw::HostRoot => {
                f.write_str("is the host's own root directory, mounted there; that is no jail")
            }
            Flaw::Io(Errno::ENOSYS) => {
                f.write_str("can't be opened: openat2 needs Linux 5.6 or newer")
            }
            Flaw::Io(errno) => write!(f, "can't be opened: {}", errno.desc()),
        }
    }
}

impl std::error::Error for Untrusted {}

/// Opens a directory that is root's alone, as is every directory above it. The descriptor is O_PATH.
///
/// # Errors
/// The first component, from `/` down, that is missing, a link, no directory, not root's, or writable by others.
pub fn open_directory(path: &Path) -> Result<OwnedFd, Untrusted> {
    open_directory_of(path, None)
}

/// Opens a directory that is root's or `owner`'s and writable by nobody else; every directory above it is root's alone.
///
/// # Errors
/// As [`open_directory`].
pub fn open_directory_of(path: &Path, owner: Option<u32>) -> Result<OwnedFd, Untrusted> {
    let untrusted = |component: &Path, flaw| Untrusted {
        path: path.to_owned(),
        component: component.to_owned(),
        flaw,
    };
    let mut walked = PathBuf::from("/");
    let mut directory = open_host_root()?;
    let host = identity(&directory).map_err(|flaw| untrusted(&walked, flaw))?;

    let mut components = path.components().peekable();
    while let Some(component) = components.next() {
        let name = match component {
            Component::RootDir => continue,
            Component::Normal(name) => name,
            // The config gives absolute paths without these; refused here as well, where it matters.
            Component::CurDir | Component::ParentDir | Component::Prefix(_) => {
                return Err(untrusted(path, Flaw::Io(Errno::EINVAL)));
            }
        };
        walked.push(name);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let owner = owner.filter(|_| components.peek().is_none());
        directory = open_beneath(&directory, Path::new(name), flags)
            .and_then(|next| check_directory(&next, owner).map(|()| next))
            .map_err(|flaw| untrusted(&walked, flaw))?;
    }
    match identity(&directory) {
        Ok(reached) if reached != host => Ok(directory),
        Ok(_) => Err(untrusted(&walked, Flaw::HostRoot)),
        Err(flaw) => Err(untrusted(&walked, flaw)),
    }
}

/// Opens the host's root directory, if it is root's and writable by nobody else. The descriptor is O_PATH.
///
/// # Errors
/// It is not.
pub fn open_host_root() -> Result<OwnedFd, Untrusted> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat2(
        rustix::fs::CWD,
        "/",
        flags,
        Mode::empty(),
        ResolveFlags::empty(),
    )
    .map_err(|errno| Flaw::Io(raw(errno)))
    .and_then(|root| check_directory(&root, None).map(|()| root))
    .map_err(|flaw| Untrusted {
        path: "/".into(),
        component: "/".into(),
        flaw,
    })
}

/// What a directory is, wherever it is mounted: stat(2).
fn identity(fd: impl AsFd) -> Result<(u64, u64), Flaw> {
    let stat = fstat(fd).map_err(|errno| Flaw::Io(raw(errno)))?;
    Ok((stat.st_dev, stat.st_ino))
}

/// Opens a directory in an open one, if it is root's and writable by nobody else. The descriptor is O_PATH.
///
/// `shown` is the outer directory's path, for the message only.
///
/// # Errors
/// As [`open_directory`], of this one component.
pub fn open_subdirectory(
    directory: impl AsFd,
    shown: &Path,
    name: &Path,
) -> Result<OwnedFd, Untrusted> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    open_beneath(directory, name, flags)
        .and_then(|opened| check_directory(&opened, None).map(|()| opened))
        .map_err(|flaw| Untrusted {
            path: shown.join(name),
            component: shown.join(name),
            flaw,
        })
}

/// Opens a regular file in an open directory for reading, if it is root's and writable by nobody else.
///
/// `shown` is the directory's path, for the message only.
///
/// # Errors
/// The file is missing, a link, not regular, not root's, or writable by others.
pub fn open_file(directory: impl AsFd, shown: &Path, name: &Path) -> Result<File, Untrusted> {
    // NONBLOCK: a FIFO in this place is refused below, not waited for.
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    open_beneath(directory, name, flags)
        .and_then(|file| check_file(&file).map(|()| File::from(file)))
        .map_err(|flaw| Untrusted {
            path: shown.join(name),
            component: shown.join(name),
            flaw,
        })
}

/// Opens one entry of a directory, whatever it is; a link is opened itself. The descriptor is O_PATH.
pub(crate) fn open_entry(directory: impl AsFd, name: &Path) -> Result<OwnedFd, Flaw> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    open_beneath(directory, name, flags)
}

/// Opens one component without following anything and without leaving `directory`.
fn open_beneath(directory: impl AsFd, name: &Path, flags: OFlags) -> Result<OwnedFd, Flaw> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(directory, name, flags, Mode::empty(), resolve).map_err(|errno| match raw(errno) {
        Errno::ENOENT => Flaw::Missing,
        Errno::ELOOP => Flaw::SymbolicLink,
        other => Flaw::Io(other),
    })
}

fn check_directory(fd: impl AsFd, owner: Option<u32>) -> Result<(), Flaw> {
    let stat = fstat(fd).map_err(|errno| Flaw::Io(raw(errno)))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => check_owner_and_mode(&stat, owner),
        // O_PATH with O_NOFOLLOW opens a link itself, RESOLVE_NO_SYMLINKS or not: open(2).
        FileType::Symlink => Err(Flaw::SymbolicLink),
        other => Err(Flaw::NotDirectory(kind(other))),
    }
}

fn check_file(fd: impl AsFd) -> Result<(), Flaw> {
    let stat = fstat(fd).map_err(|errno| Flaw::Io(raw(errno)))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => check_owner_and_mode(&stat, None),
        other => Err(Flaw::NotRegular(kind(other))),
    }
}

/// Insists that something is root's, or `owner`'s, and writable by nobody else.
pub(crate) fn check_owner_and_mode(stat: &Stat, owner: Option<u32>) -> Result<(), Flaw> {
    if stat.st_uid != 0 && Some(stat.st_uid) != owner {
        return Err(Flaw::Owner(stat.st_uid));
    }
    if stat.st_mode & WRITABLE_BY_OTHERS != 0 {
        return Err(Flaw::Writable(stat.st_mode & 0o7777));
    }
    Ok(())
}

/// Names a file type as a person would.
pub(crate) fn kind(file_type: FileType) -> &'static str {
    match file_type {
        FileType::RegularFile => "regular file",
        FileType::Directory => "directory",
        FileType::Symlink => "symbolic link",
        FileType::Fifo => "FIFO",
        FileType::Socket => "socket",
        FileType::CharacterDevice => "character device",
        FileType::BlockDevice => "block device",
        FileType::Unknown => "file of no known type",
    }
}
