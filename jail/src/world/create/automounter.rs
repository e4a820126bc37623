//! Directories of an automounter, which mounts what is asked for in them: autofs(5).

use std::{ffi::OsStr, os::fd::OwnedFd};

use rustix::fs::{FsWord, Mode, OFlags, ResolveFlags, fstatfs};

use crate::{
    fault::{StepFault, failed},
    resolve::openat2,
};

/// AUTOFS_SUPER_MAGIC of linux/magic.h.
const AUTOFS: FsWord = 0x0187;

/// Tells whether a directory is an automounter's, which mounts what is asked for in it: autofs(5).
pub(super) fn has(directory: &OwnedFd) -> Result<bool, StepFault> {
    let found = fstatfs(directory).map_err(failed("fstatfs of a directory"))?;
    Ok(found.f_type == AUTOFS)
}

/// Has a directory mounted: one that is listed before stays empty until somebody asks for a directory.
pub(super) fn ask_for(directory: &OwnedFd, name: &OsStr) {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    // What there is then is looked at as anything else.
    let (Ok(_) | Err(_)) = openat2(directory, name, flags, Mode::empty(), resolve);
}
