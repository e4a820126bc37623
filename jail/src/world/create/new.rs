//! How a home is made, and what is made of it: directories, their owners and modes.

use std::{
    ffi::{CStr, OsStr},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::Path,
};

use jail_config::{Create, Disk};
use rustix::{
    fs::{Gid, Mode, OFlags, ResolveFlags, Uid, fchmod, fchown, mkdirat},
    io::Errno,
};

use crate::{
    account::names,
    fault::{StepFault, failed},
    plan::process::Ids,
    resolve::openat2,
};

/// How a home is made.
#[derive(Debug)]
pub(super) struct New<'a> {
    pub(super) create: &'a Create,
    /// How much it may take.
    pub(super) disk: Option<Disk>,
    pub(super) uid: u32,
    /// The user's own.
    pub(super) gid: u32,
    /// The home's.
    pub(super) group: u32,
}

impl<'a> New<'a> {
    pub(super) fn of(
        create: &'a Create,
        disk: Option<Disk>,
        ids: &Ids,
    ) -> Result<New<'a>, StepFault> {
        let group = match &create.group {
            None => ids.gid,
            Some(name) => gid_of(name)?,
        };
        Ok(New {
            create,
            disk,
            uid: ids.uid,
            gid: ids.gid,
            group,
        })
    }
}

fn gid_of(name: &str) -> Result<u32, StepFault> {
    let found = names::group(name).map_err(|errno| StepFault::Failed("getgrnam_r", errno))?;
    found.map(|group| group.gid.as_raw()).ok_or_else(|| {
        let why = "create.group names no group of the host";
        StepFault::Unfit(format!("{why}: {name:?}; correct it, or make the group"))
    })
}

/// Opens a directory in an open one, if there is one.
pub(super) fn open(
    directory: &OwnedFd,
    name: impl rustix::path::Arg,
) -> Result<Option<OwnedFd>, StepFault> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    match openat2(directory, name, flags, Mode::empty(), resolve) {
        Ok(opened) => Ok(Some(opened)),
        // On a file system of a server, what is gone meanwhile is stale.
        Err(Errno::NOENT | Errno::STALE) => Ok(None),
        Err(errno) => Err(failed("open .login-jail")(errno)),
    }
}

/// Makes a directory that only root can reach into.
pub(super) fn new_directory(directory: &OwnedFd, name: &OsStr) -> Result<OwnedFd, StepFault> {
    mkdirat(directory, name, Mode::RWXU).map_err(failed("mkdir in a new directory"))?;
    let opened = open(directory, Path::new(name))?;
    opened.ok_or(StepFault::Failed(
        "open a new directory",
        nix::errno::Errno::ENOENT,
    ))
}

/// Gives a new file or directory its mode, and then its owner: that takes no bits from a directory, and no others have any to take. The
/// mode of what is the user's would take a capability more.
pub(super) fn give(file: &OwnedFd, ids: (u32, u32), mode: Mode) -> Result<(), StepFault> {
    let (uid, gid) = (Uid::from_raw(ids.0), Gid::from_raw(ids.1));
    fchmod(file, mode).map_err(failed("fchmod of a new file"))?;
    fchown(file, Some(uid), Some(gid)).map_err(failed("fchown of a new file"))
}

/// Gives a name as it is listed.
pub(super) fn name_of(listed: &CStr) -> &OsStr {
    OsStr::from_bytes(listed.to_bytes())
}
