//! What is made beside its place and then takes it, at once: nobody meets half of it, and nothing is written through a link
//! that is in the place.

use std::{ffi::OsStr, fs::File, io::Write, os::fd::OwnedFd, path::Path};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid, fchmod, fchown, openat, renameat, unlinkat};

use crate::{
    doctor::mend::reach::{failed, name_beside},
    failure::Failure,
};

/// Makes a file that nobody else can open; `path` names it in messages.
pub(crate) fn create(directory: &OwnedFd, name: &OsStr, path: &Path) -> Result<File, Failure> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = openat(directory, name, flags, Mode::RUSR | Mode::WUSR);
    made.map(File::from).map_err(failed("make", path))
}

/// Puts a file with these bytes in the place of whatever has its name in a directory. Without an owner it is the caller's.
pub(crate) fn put(
    directory: &OwnedFd,
    name: &OsStr,
    path: &Path,
    bytes: &[u8],
    owner: Option<(u32, u32)>,
    mode: u32,
) -> Result<(), Failure> {
    let new = name_beside();
    let mut file = create(directory, &new, path)?;
    let owner = owner.map(|(uid, gid)| (Uid::from_raw(uid), Gid::from_raw(gid)));
    let (uid, gid) = owner.unzip();
    let written = file
        .write_all(bytes)
        .and_then(|()| Ok(fchown(&file, uid, gid)?))
        .and_then(|()| Ok(fchmod(&file, Mode::from_raw_mode(mode))?))
        .and_then(|()| file.sync_all());
    let put = written
        .map_err(|error| Failure::io("write", path, &error))
        .and_then(|()| renameat(directory, &new, directory, name).map_err(failed("replace", path)));
    if put.is_err() {
        unlinkat(directory, &new, AtFlags::empty()).unwrap_or_default();
    }
    put
}
