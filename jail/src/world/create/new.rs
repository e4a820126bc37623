//! How a home is made, and what is made of it: directories, their owners and modes.

use std::{
    ffi::{OsStr, OsString},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::Path,
};

use jail_config::{Create, Disk};
use rustix::{
    fs::{
        Gid, Mode, OFlags, RawDir, ResolveFlags, Stat, Uid, fchmod, fchown, fstat, mkdirat, openat,
    },
    io::Errno,
};

use crate::{
    account::names,
    fault::{StepFault, expect_in_force, failed},
    plan::process::Ids,
    resolve::openat2,
};

/// How many bytes of a directory are read at once.
const BUFFER: usize = 16 << 10;

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
/// mode of what is the user's would take a capability more. Both are read back: some file systems only say that they keep them.
pub(super) fn give(file: &OwnedFd, ids: (u32, u32), mode: Mode) -> Result<(), StepFault> {
    let (uid, gid) = (Uid::from_raw(ids.0), Gid::from_raw(ids.1));
    fchmod(file, mode).map_err(failed("fchmod of a new file"))?;
    fchown(file, Some(uid), Some(gid)).map_err(failed("fchown of a new file"))?;
    let stat = fstat(file).map_err(failed("fstat of a new file"))?;
    expect_in_force(
        "the mode of a new file",
        stat.st_mode & 0o7777 == mode.bits(),
    )?;
    expect_owner(&stat, ids)
}

/// Insists on the owner and group of something new.
pub(super) fn expect_owner(stat: &Stat, ids: (u32, u32)) -> Result<(), StepFault> {
    expect_in_force("the owner of a new file", (stat.st_uid, stat.st_gid) == ids)
}

/// Lists a directory. One that is removed meanwhile is an error: `Dir` takes it for an empty one.
pub(super) fn list(directory: &OwnedFd) -> Result<Vec<OsString>, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = openat(directory, ".", flags, Mode::empty())?;
    let mut buffer = Vec::with_capacity(BUFFER);
    let mut entries = RawDir::new(opened, buffer.spare_capacity_mut());
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        match entry {
            Ok(entry) => names.push(OsStr::from_bytes(entry.file_name().to_bytes()).to_owned()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    names.retain(|name| name != "." && name != "..");
    Ok(names)
}
