//! The trusted walk: opens a path by descriptors, one component at a time, and gives nothing that anybody but root
//! could have put there.
//!
//! What it returns is a descriptor; the path is never used again. It follows no symbolic link and no magic link.

use std::{
    ffi::OsStr,
    fs::File,
    os::fd::{AsFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use nix::errno::Errno;
use rustix::{
    fs::{FileType, Mode, OFlags, RawMode, ResolveFlags, Stat, fstat, mkdirat},
    process::geteuid,
};

use crate::{fault::errno_of, resolve::openat2, served};

pub(crate) use crate::untrusted::NO_OPENAT2;
pub use crate::untrusted::{Flaw, Untrusted, UntrustedSource};

/// Write permission for group or others. A POSIX ACL that lets anybody write shows in the group bits: acl(5).
const WRITABLE_BY_OTHERS: RawMode = 0o022;

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
    let mut walk = Walk::from_root(path)?;
    let names = walk.names()?;
    if let Some((last, above)) = names.split_last() {
        for name in above {
            walk.step(name, |opened| check_directory(opened, None))?;
        }
        walk.step(last, |opened| check_directory(opened, owner))?;
    }
    walk.end()
}

/// Opens what a mount shows: a directory, a regular file or a socket, whoever owns it and may write to it. Every directory
/// above it is root's alone. The descriptor is O_PATH: nothing is read, connected to, or waited for.
///
/// A socket may also be in a directory of its own owner, as services have them below /run, unless that is `user`, who is to
/// be jailed: such an owner can put nothing else in its place but what is theirs.
///
/// # Errors
/// The first component, from `/` down, that is missing, a link, or lets others than root exchange what is below it; or the
/// last one is of another kind.
pub fn open_source(path: &Path, user: u32) -> Result<OwnedFd, UntrustedSource> {
    source(path, user).map_err(UntrustedSource)
}

fn source(path: &Path, user: u32) -> Result<OwnedFd, Untrusted> {
    let mut walk = Walk::from_root(path)?;
    let names = walk.names()?;
    let Some((last, above)) = names.split_last() else {
        return walk.end();
    };
    let mut loose = None;
    for (number, name) in (1..).zip(above) {
        let holds = walk.step(name, |opened| match check_directory(opened, None) {
            // What it holds decides, if that is the source.
            Err(flaw @ (Flaw::Owner(_) | Flaw::Writable(_))) if number == above.len() => {
                let stat = fstat(opened).map_err(|errno| Flaw::Io(errno_of(errno)))?;
                if [0, user].contains(&stat.st_uid) || stat.st_mode & 0o002 != 0 {
                    return Err(flaw);
                }
                Ok(Some((flaw, stat.st_uid)))
            }
            other => other.map(|()| None),
        })?;
        loose = holds.map(|(flaw, owner)| (walk.untrusted(flaw), owner));
    }
    let stat = walk.step(last, check_source)?;
    match loose {
        Some((untrusted, owner))
            if FileType::from_raw_mode(stat.st_mode) != FileType::Socket
                || stat.st_uid != owner =>
        {
            Err(untrusted)
        }
        _ => walk.end(),
    }
}

/// Opens a directory that is root's alone, for files of root's own, and makes it where it is missing. So is every directory
/// above it, but that the last of them may let its group write, as /var/log does on some systems: whoever is in that group
/// can put nothing in its place but another directory of root's.
///
/// # Errors
/// As [`open_directory`], or mkdirat(2) failed.
pub fn open_or_make_directory(path: &Path) -> Result<OwnedFd, Untrusted> {
    own_directory(path, true)
}

/// As [`open_or_make_directory`], and makes nothing.
///
/// # Errors
/// As [`open_directory`].
pub fn open_own_directory(path: &Path) -> Result<OwnedFd, Untrusted> {
    own_directory(path, false)
}

fn own_directory(path: &Path, is_made: bool) -> Result<OwnedFd, Untrusted> {
    let mut walk = Walk::from_root(path)?;
    let names = walk.names()?;
    let Some((last, above)) = names.split_last() else {
        return walk.end();
    };
    for (number, name) in (1..).zip(above) {
        walk.step(name, |opened| match check_directory(opened, None) {
            Err(Flaw::Writable(mode)) if number == above.len() && mode & 0o002 == 0 => Ok(()),
            other => other,
        })?;
    }
    let own = |opened: &OwnedFd| check_directory(opened, None);
    match walk.step(last, own) {
        Err(missing) if is_made && matches!(missing.flaw, Flaw::Missing) => {
            if let Err(errno) = make_directory(&walk.reached, Path::new(last)) {
                return Err(walk.untrusted(Flaw::Io(errno_of(errno))));
            }
            walk.walked.pop();
            walk.step(last, own)?;
        }
        stepped => stepped?,
    }
    walk.end()
}

/// Makes a directory in an open one, for this process's user alone. Another login may have been faster: what is there stays, and
/// is to be looked at by whoever opens it.
///
/// # Errors
/// As mkdirat(2), without EEXIST; EPERM where this process's user is not root.
pub(crate) fn make_directory(directory: impl AsFd, name: &Path) -> rustix::io::Result<()> {
    // By capabilities alone it would be the user's.
    if !geteuid().is_root() {
        return Err(rustix::io::Errno::PERM);
    }
    match mkdirat(directory, name, Mode::RWXU) {
        Err(rustix::io::Errno::EXIST) => Ok(()),
        made => made,
    }
}

/// A walk along a path, from `/` to where it has come.
struct Walk<'a> {
    path: &'a Path,
    walked: PathBuf,
    reached: OwnedFd,
    /// The host's own root directory.
    host: (u64, u64),
}

impl<'a> Walk<'a> {
    fn from_root(path: &'a Path) -> Result<Walk<'a>, Untrusted> {
        let reached = open_host_root()?;
        let walked = PathBuf::from("/");
        match identity(&reached) {
            Ok(host) => Ok(Walk {
                path,
                walked,
                reached,
                host,
            }),
            Err(flaw) => Err(Untrusted {
                path: path.to_owned(),
                component: walked,
                flaw,
            }),
        }
    }

    /// Lists the components of the path.
    fn names(&self) -> Result<Vec<&'a OsStr>, Untrusted> {
        let components = self.path.components();
        let names = components.filter(|component| *component != Component::RootDir);
        names
            .map(|component| match component {
                Component::Normal(name) => Ok(name),
                // The config gives absolute paths without these; refused here as well, where it matters.
                _ => Err(Untrusted {
                    component: self.path.to_owned(),
                    ..self.untrusted(Flaw::Io(Errno::EINVAL))
                }),
            })
            .collect()
    }

    /// Goes on to an entry of the directory that was reached, if it passes a check.
    fn step<T>(
        &mut self,
        name: &OsStr,
        check: impl FnOnce(&OwnedFd) -> Result<T, Flaw>,
    ) -> Result<T, Untrusted> {
        self.walked.push(name);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let checked = open_beneath(&self.reached, Path::new(name), flags)
            .and_then(|next| check(&next).map(|checked| (next, checked)));
        match checked {
            Ok((next, checked)) => {
                self.reached = next;
                Ok(checked)
            }
            Err(flaw) => Err(self.untrusted(flaw)),
        }
    }

    /// Gives what was reached, which can't be the host's own root.
    fn end(self) -> Result<OwnedFd, Untrusted> {
        match identity(&self.reached) {
            Ok(reached) if reached != self.host => Ok(self.reached),
            Ok(_) => Err(self.untrusted(Flaw::HostRoot)),
            Err(flaw) => Err(self.untrusted(flaw)),
        }
    }

    fn untrusted(&self, flaw: Flaw) -> Untrusted {
        Untrusted {
            path: self.path.to_owned(),
            component: self.walked.clone(),
            flaw,
        }
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
    .map_err(|errno| Flaw::Io(errno_of(errno)))
    .and_then(|root| check_directory(&root, None).map(|()| root))
    .map_err(|flaw| Untrusted {
        path: "/".into(),
        component: "/".into(),
        flaw,
    })
}

/// What a directory is, wherever it is mounted: stat(2).
fn identity(fd: impl AsFd) -> Result<(u64, u64), Flaw> {
    let stat = fstat(fd).map_err(|errno| Flaw::Io(errno_of(errno)))?;
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

/// Opens one component without following anything and without leaving `directory`. What a user serves is refused before
/// anything is asked of it.
fn open_beneath(directory: impl AsFd, name: &Path, flags: OFlags) -> Result<OwnedFd, Flaw> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let open = |flags, resolve| {
        openat2(&directory, name, flags, Mode::empty(), resolve).map_err(|errno| {
            match errno_of(errno) {
                Errno::ENOENT => Flaw::Missing,
                Errno::ELOOP => Flaw::SymbolicLink,
                other => Flaw::Io(other),
            }
        })
    };
    match open(flags, resolve | ResolveFlags::NO_XDEV) {
        // Something is mounted there.
        Err(Flaw::Io(Errno::EXDEV)) => {}
        other => return other,
    }
    let look = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = open(look, resolve)?;
    refuse_served(&found)?;
    if flags == look {
        return Ok(found);
    }
    open(flags, resolve)
}

/// Refuses what is on a file system that a user serves, who could keep whoever asks it waiting without end.
fn refuse_served(opened: impl AsFd) -> Result<(), Flaw> {
    match served::server(opened) {
        Ok(None) => Ok(()),
        Ok(Some(uid)) => Err(Flaw::Served(uid)),
        Err(errno) => Err(Flaw::Io(errno)),
    }
}

fn check_directory(fd: impl AsFd, owner: Option<u32>) -> Result<(), Flaw> {
    let stat = fstat(fd).map_err(|errno| Flaw::Io(errno_of(errno)))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => check_owner_and_mode(&stat, owner),
        // O_PATH with O_NOFOLLOW opens a link itself, RESOLVE_NO_SYMLINKS or not: open(2).
        FileType::Symlink => Err(Flaw::SymbolicLink),
        other => Err(Flaw::NotDirectory(kind(other))),
    }
}

/// Insists on something that a mount can show, and gives what it is.
fn check_source(fd: &OwnedFd) -> Result<Stat, Flaw> {
    let stat = fstat(fd).map_err(|errno| Flaw::Io(errno_of(errno)))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory | FileType::RegularFile | FileType::Socket => Ok(stat),
        FileType::Symlink => Err(Flaw::SymbolicLink),
        other => Err(Flaw::NoSource(kind(other))),
    }
}

pub(crate) fn check_file(fd: impl AsFd) -> Result<(), Flaw> {
    let stat = fstat(fd).map_err(|errno| Flaw::Io(errno_of(errno)))?;
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
#[must_use]
pub fn kind(file_type: FileType) -> &'static str {
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
