//! Directories and files of root's own: made where they are missing, and then root's alone.

use std::{
    fs::File,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use nix::errno::Errno;
use rustix::{
    fs::{FileType, Mode, OFlags, RawMode, ResolveFlags, Stat, fstat},
    process::geteuid,
};

use crate::{
    fault::{StepFault, errno_of, failed},
    resolve::openat2,
    trust::{self, Flaw, Untrusted, check_file},
};

/// Any permission for group or others.
const OPEN_TO_OTHERS: RawMode = 0o077;

/// Opens a directory in an open one, and makes it where it is missing. It is root's, and writable by nobody else.
///
/// `shown` is the outer directory's path, for the message only.
///
/// # Errors
/// It can't be made, or is no such directory.
pub(crate) fn subdirectory(
    directory: &OwnedFd,
    shown: &str,
    name: &str,
) -> Result<OwnedFd, StepFault> {
    trust::make_directory(directory, Path::new(name)).map_err(|errno| {
        let why = errno_of(errno).desc();
        StepFault::Unfit(format!("mkdir {shown}/{name}: {why}"))
    })?;
    trust::open_subdirectory(directory, Path::new(shown), Path::new(name)).map_err(unfit)
}

/// Opens a regular file in an open directory for writing at its end, and makes it where it is missing, for root alone. It is
/// root's, writable by nobody else, and has no other name.
///
/// `shown` is the directory's path, for the message only.
///
/// # Errors
/// The file can't be made, is a link, not regular, not root's, or writable by others.
pub(crate) fn open_for_appending(
    directory: impl AsFd,
    shown: &Path,
    name: &Path,
) -> Result<File, Untrusted> {
    open_or_make(directory, shown, name, OFlags::WRONLY | OFlags::APPEND)
}

/// Opens a regular file in an open directory for reading and writing, as [`open_for_appending`] does.
///
/// # Errors
/// As there.
pub(crate) fn open_for_sharing(
    directory: impl AsFd,
    shown: &Path,
    name: &Path,
) -> Result<File, Untrusted> {
    open_or_make(directory, shown, name, OFlags::RDWR)
}

fn open_or_make(
    directory: impl AsFd,
    shown: &Path,
    name: &Path,
    access: OFlags,
) -> Result<File, Untrusted> {
    // NONBLOCK: a FIFO in this place is refused, not waited for.
    // What is made by capabilities alone would be the user's.
    let made = match geteuid().is_root() {
        true => OFlags::CREATE,
        false => OFlags::empty(),
    };
    let flags =
        access | made | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let mode = Mode::RUSR | Mode::WUSR;
    openat2(directory, name, flags, mode, resolve)
        .map_err(|errno| match errno_of(errno) {
            Errno::ELOOP => Flaw::SymbolicLink,
            other => Flaw::Io(other),
        })
        .and_then(|file| {
            check_file(&file)?;
            let stat = fstat(&file).map_err(|errno| Flaw::Io(errno_of(errno)))?;
            match stat.st_nlink {
                1 => Ok(File::from(file)),
                _ => Err(Flaw::Io(Errno::EMLINK)),
            }
        })
        .map_err(|flaw| Untrusted {
            path: shown.join(name),
            component: shown.join(name),
            flaw,
        })
}

/// Insists on something that nobody but root can open.
///
/// # Errors
/// It is another kind of file, another user's, or has permissions for others.
pub(crate) fn insist_on_private(
    opened: &OwnedFd,
    path: &str,
    wanted: FileType,
) -> Result<(), StepFault> {
    let stat: Stat = fstat(opened).map_err(failed("fstat of root's own"))?;
    if FileType::from_raw_mode(stat.st_mode) != wanted {
        let wanted = trust::kind(wanted);
        return Err(StepFault::Unfit(format!(
            "{path} is no {wanted}; remove it"
        )));
    }
    if stat.st_uid != 0 || stat.st_mode & OPEN_TO_OTHERS != 0 {
        return Err(StepFault::Unfit(format!(
            "{path} belongs to uid {} and has mode {:04o}; it must be root's alone; run: chown root {path}; chmod go= {path}",
            stat.st_uid,
            stat.st_mode & 0o7777
        )));
    }
    Ok(())
}

/// Makes a step's fault of a path that is refused.
pub(crate) fn unfit(untrusted: Untrusted) -> StepFault {
    StepFault::Unfit(untrusted.to_string())
}
