//! Files of the host that come into roots: opened so that what is read is what was looked at.

use std::{fs::File, os::unix::fs::MetadataExt, path::Path};

use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, openat2},
    io::Errno,
};

use crate::fault::Fault;

/// Opens a regular file that everybody may read.
///
/// No part of the path is followed as a link: a path of a closure has none, and where somebody else than root can write to
/// a directory, one could have come there since, and lead to what nobody may read. Nor is a FIFO waited for.
///
/// # Errors
/// openat2(2); it is something else, or not for everybody.
pub fn open(path: &Path) -> Result<File, Fault> {
    let file = regular(path, ResolveFlags::NO_SYMLINKS).map_err(Fault::io("open", path))?;
    let metadata = file.metadata().map_err(Fault::io("stat", path))?;
    if metadata.mode() & 0o004 == 0 {
        let path = path.display();
        return Err(Fault::Failed(format!(
            "open {path}: it was for everybody to read, and is not any more"
        )));
    }
    Ok(file)
}

/// Opens a regular file to look at what it says it needs. Links are followed.
///
/// # Errors
/// openat2(2); EINVAL for something else.
pub fn look_at(path: &Path) -> Result<File, Errno> {
    regular(path, ResolveFlags::empty())
}

fn regular(path: &Path, resolve: ResolveFlags) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let resolve = resolve | ResolveFlags::NO_MAGICLINKS;
    let file = File::from(openat2(CWD, path, flags, Mode::empty(), resolve)?);
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(file),
        _ => Err(Errno::INVAL),
    }
}
