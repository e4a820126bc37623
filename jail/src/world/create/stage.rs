//! Directories are put together beside their place, where nobody but root can reach them, and are moved there whole.
//!
//! Beside means in a directory `.login-jail` of the same directory, which goes again when nobody uses it. Each of its entries is
//! locked by whoever is at work in it: flock(2). One that can be locked is left from a login that was killed, and is removed.

use std::{
    ffi::{CStr, OsStr, OsString},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, FlockOperation, Mode, RenameFlags, flock, fstat, mkdirat, renameat, renameat_with,
        statat, unlinkat,
    },
    io::Errno,
};

use crate::{
    fault::{StepFault, failed},
    world::{
        create::{
            missing::{Missing, Owner},
            new::{New, give, list, new_directory, open},
            skeleton,
        },
        quota,
    },
};

/// The directory beside the place.
const STAGE: &CStr = c".login-jail";

/// How many logins of one user can be at work at a time, the dead ones that are found included.
const MOST: usize = 64;

/// How deep what is removed may be.
const DEEPEST: usize = 64;

/// The mode of directories that are on the way to a home.
const SEARCHABLE: Mode = Mode::from_raw_mode(0o755);

/// Makes what is missing, unless another login was faster.
pub(super) fn make(missing: &Missing, home: &New<'_>) -> Result<(), StepFault> {
    let above = &missing.above;
    let (stage, name, made) = begin(above, home.uid)?;
    let done = build(missing, &made, home).and_then(|()| {
        let to = missing.names.first().map_or(OsStr::new(""), |name| name);
        // The lock goes with the descriptor, once it is there.
        match renameat_with(&stage, &name, above, to, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(Errno::INVAL) => put(&stage, &name, above, to),
            Err(errno) => Err(failed("renameat2 of a new directory")(errno)),
        }
    });
    let cleared = match done {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => remove(&stage, &name, &made),
    };
    drop(made);
    let ended = end(above);
    done.and(cleared).and(ended)
}

/// Puts a new directory into its place on a file system that knows no flags of renameat2(2), as NFS and much of FUSE. Tells whether
/// the place was free.
///
/// Logins do so one after the other. Of what others put there at this very moment, an empty directory alone could be replaced.
fn put(stage: &OwnedFd, name: &Path, above: &OwnedFd, to: &OsStr) -> Result<bool, StepFault> {
    flock(stage, FlockOperation::LockExclusive).map_err(failed("lock .login-jail"))?;
    let moved = match statat(above, to, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Err(Errno::EXIST),
        Err(Errno::NOENT) => renameat(stage, name, above, to),
        Err(errno) => Err(errno),
    };
    // The lock lasts as long as the descriptor, which goes on to remove what was not used.
    match moved {
        Ok(()) => Ok(true),
        Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => Ok(false),
        Err(errno) => Err(failed("rename of a new directory")(errno)),
    }
}

/// Removes what logins have left that were killed.
pub(super) fn clear(above: &OwnedFd) -> Result<(), StepFault> {
    let Some(stage) = open(above, STAGE)? else {
        return Ok(());
    };
    if !insist_on_private(&stage)? {
        return Ok(());
    }
    let names = match list(&stage) {
        // Another login has taken it away.
        Err(Errno::NOENT | Errno::STALE) => Vec::new(),
        names => names.map_err(failed("list .login-jail"))?,
    };
    for name in names {
        if let Some(left) = lock(&stage, name.as_os_str())? {
            remove(&stage, name.as_os_str(), &left)?;
        }
    }
    end(above)
}

/// Takes the stage away, unless somebody uses it.
fn end(above: &OwnedFd) -> Result<(), StepFault> {
    match unlinkat(above, STAGE, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT) => Ok(()),
        Err(errno) => Err(failed("rmdir .login-jail")(errno)),
    }
}

/// Makes a directory to work in, and locks it.
fn begin(above: &OwnedFd, uid: u32) -> Result<(OwnedFd, PathBuf, OwnedFd), StepFault> {
    for number in 0..MOST {
        let stage = open_or_make(above)?;
        let name = PathBuf::from(format!("{uid}.{number}"));
        match mkdirat(&stage, &name, Mode::RWXU) {
            Ok(()) => {}
            // Another login is at work in it; or the stage has gone meanwhile.
            Err(Errno::EXIST | Errno::NOENT | Errno::STALE) => continue,
            Err(errno) => return Err(failed("mkdir in .login-jail")(errno)),
        }
        if let Some(made) = lock(&stage, &name)? {
            return Ok((stage, name, made));
        }
        // Somebody took it for one that was left.
    }
    let why = "too many logins of the user are making the home at this moment; try again";
    Err(StepFault::Unfit(why.to_owned()))
}

fn open_or_make(above: &OwnedFd) -> Result<OwnedFd, StepFault> {
    for _ in 0..MOST {
        match mkdirat(above, STAGE, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(failed("mkdir .login-jail")(errno)),
        }
        if let Some(stage) = open(above, STAGE)?
            && insist_on_private(&stage)?
        {
            return Ok(stage);
        }
    }
    Err(StepFault::Failed(
        "open .login-jail",
        nix::errno::Errno::ENOENT,
    ))
}

/// Insists on a directory that nobody but root can reach into. Tells whether it is still there, as far as a file system says so.
fn insist_on_private(stage: &OwnedFd) -> Result<bool, StepFault> {
    let stat = match fstat(stage) {
        Err(Errno::STALE) => return Ok(false),
        other => other.map_err(failed("fstat of .login-jail"))?,
    };
    if stat.st_uid == 0 && stat.st_mode & 0o077 == 0 {
        return Ok(true);
    }
    let (uid, mode) = (stat.st_uid, stat.st_mode & 0o7777);
    Err(StepFault::Unfit(format!(
        "a directory .login-jail, where new directories are prepared, belongs to uid {uid} and is mode {mode:04o}; remove it"
    )))
}

/// Locks an entry of the stage that nobody is at work in. Nothing where somebody is, or where it is gone.
fn lock(
    stage: &OwnedFd,
    name: impl rustix::path::Arg + Copy,
) -> Result<Option<OwnedFd>, StepFault> {
    let Some(opened) = open(stage, name)? else {
        return Ok(None);
    };
    match flock(&opened, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(None),
        Err(errno) => return Err(failed("flock in .login-jail")(errno)),
    }
    // It may have been moved to its place before it was locked, and is a home now. While it is locked here, nobody moves it.
    let inode = |file: &OwnedFd| match fstat(file) {
        Ok(stat) => Ok(Some(stat.st_ino)),
        Err(Errno::STALE) => Ok(None),
        Err(errno) => Err(failed("fstat in .login-jail")(errno)),
    };
    let same = match open(stage, name)? {
        Some(again) => {
            let now = inode(&again)?;
            now.is_some() && now == inode(&opened)?
        }
        None => false,
    };
    Ok(same.then_some(opened))
}

/// Removes an entry of the stage that this process has locked, with all that is in it.
fn remove(
    stage: &OwnedFd,
    name: impl rustix::path::Arg,
    opened: &OwnedFd,
) -> Result<(), StepFault> {
    empty(opened, DEEPEST)?;
    unlinkat(stage, name, AtFlags::REMOVEDIR).map_err(failed("rmdir in .login-jail"))
}

fn empty(directory: &OwnedFd, deep: usize) -> Result<(), StepFault> {
    if deep == 0 {
        let why = "a directory in .login-jail is too deep to be removed; remove it";
        return Err(StepFault::Unfit(why.to_owned()));
    }
    for name in list(directory).map_err(failed("list a directory in .login-jail"))? {
        let name = name.as_os_str();
        let removed = match unlinkat(directory, name, AtFlags::empty()) {
            Err(Errno::ISDIR | Errno::PERM) => {
                if let Some(below) = open(directory, name)? {
                    empty(&below, deep - 1)?;
                }
                unlinkat(directory, name, AtFlags::REMOVEDIR)
            }
            removed => removed,
        };
        removed.map_err(failed("unlink in .login-jail"))?;
    }
    Ok(())
}

/// Puts together what is missing: `made` is the first of it.
fn build(missing: &Missing, made: &OwnedFd, home: &New<'_>) -> Result<(), StepFault> {
    let ids = match missing.owner {
        Owner::RootForUser => (home.uid, home.gid),
        Owner::Root | Owner::User => (0, 0),
    };
    // Then all of it is the user's to fill.
    if let (Owner::RootForUser, Some(disk)) = (missing.owner, home.disk) {
        quota::set(made, home.uid, disk)?;
    }
    let rest = missing.names.get(1..).unwrap_or_default();
    build_in(made, rest, missing.is_home, ids, home)
}

/// Fills a directory with what is below it, then gives it away: whoever owns it can't reach what is not done.
fn build_in(
    directory: &OwnedFd,
    below: &[OsString],
    is_home: bool,
    ids: (u32, u32),
    home: &New<'_>,
) -> Result<(), StepFault> {
    let Some((name, rest)) = below.split_first() else {
        return match is_home {
            true => fill_home(directory, home),
            false => give(directory, ids, SEARCHABLE),
        };
    };
    let next = new_directory(directory, name)?;
    build_in(&next, rest, is_home, ids, home)?;
    give(directory, ids, SEARCHABLE)
}

fn fill_home(directory: &OwnedFd, home: &New<'_>) -> Result<(), StepFault> {
    let ids = (home.uid, home.group);
    // What is copied is counted.
    if let Some(disk) = home.disk {
        quota::set(directory, home.uid, disk)?;
    }
    skeleton::copy(&home.create.skeleton, directory, ids)?;
    give(directory, ids, Mode::from_raw_mode(home.create.mode))
}
