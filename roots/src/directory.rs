//! Open directories: what is in them, and how they are emptied.

use std::{
    ffi::{OsStr, OsString},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
};

use jail::resolve::openat2;
use rustix::{
    fs::{
        AtFlags, Dir, FileType, Gid, Mode, OFlags, RenameFlags, ResolveFlags, Uid, fchmod, fchown,
        fstat, renameat_with, statat, unlinkat,
    },
    io::Errno,
};

/// How many directories are open at once when a tree is removed.
const DEEPEST: usize = 64;

/// A directory that is being emptied.
struct Emptied {
    directory: OwnedFd,
    /// Its name in the one above.
    name: OsString,
    left: Vec<(OsString, FileType)>,
}

impl Emptied {
    /// Shuts a directory to everybody else, who could go on changing it from inside, and lists it.
    fn of(directory: OwnedFd, name: OsString) -> Result<Emptied, Errno> {
        let stat = fstat(&directory)?;
        if stat.st_uid != 0 || stat.st_mode & 0o022 != 0 {
            fchown(&directory, Some(Uid::ROOT), Some(Gid::ROOT))?;
            fchmod(&directory, Mode::RWXU)?;
        }
        let left = list(directory.as_fd())?;
        Ok(Emptied {
            directory,
            name,
            left,
        })
    }
}

/// Removes everything in a directory. Its depth is its maker's choice and may be more than the descriptors that there are:
/// what is far down is brought to the top, and goes from there.
pub(crate) fn empty(top: OwnedFd) -> Result<(), Errno> {
    let mut open = vec![Emptied::of(top, OsString::new())?];
    let mut brought = 0;
    while let Some(mut here) = open.pop() {
        let deep = open.len() > DEEPEST;
        match (here.left.pop(), open.first_mut()) {
            (Some((name, FileType::Directory)), Some(top)) if deep => {
                bring_up(&here, &name, top, &mut brought)?;
                open.push(here);
            }
            (Some((name, FileType::Directory)), _) => {
                let below = open_unmounted(here.directory.as_fd(), &name)?;
                let below = Emptied::of(below, name)?;
                open.extend([here, below]);
            }
            (Some((name, _)), _) => {
                unlinkat(&here.directory, &name, AtFlags::empty())?;
                open.push(here);
            }
            (None, _) => {
                let above = open.last().map(|above| &above.directory);
                let gone = above.map(|above| unlinkat(above, &here.name, AtFlags::REMOVEDIR));
                gone.transpose()?;
            }
        }
    }
    Ok(())
}

/// Opens a directory to remove what is in it: never what is mounted there.
pub(crate) fn open_unmounted(directory: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
    openat2(directory, name, flags, Mode::empty(), resolve)
}

/// Moves a directory that is far down to the top, under a name that nothing has there.
fn bring_up(
    here: &Emptied,
    name: &OsStr,
    top: &mut Emptied,
    brought: &mut u64,
) -> Result<(), Errno> {
    loop {
        let new = OsString::from(format!(".jailctl-{brought}"));
        *brought += 1;
        let flags = RenameFlags::NOREPLACE;
        match renameat_with(&here.directory, name, &top.directory, &new, flags) {
            Ok(()) => {
                top.left.push((new, FileType::Directory));
                return Ok(());
            }
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Lists the names in an open directory and what each is.
pub(crate) fn list(directory: BorrowedFd<'_>) -> Result<Vec<(OsString, FileType)>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let name = OsStr::from_bytes(name).to_owned();
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let stat = statat(directory, &name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            known => known,
        };
        names.push((name, kind));
    }
    Ok(names)
}
