//! What login-jail keeps below /run for as long as the machine runs: directories and files that root alone can open.

use std::{os::fd::OwnedFd, path::Path};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};

use crate::{
    fault::{StepFault, failed},
    own,
    resolve::openat2,
    trust,
};

/// Where it is.
const RUN: &str = "/run";
const NAME: &str = "login-jail";
const OURS: &str = "/run/login-jail";

/// Opens one of the directories, which is made where it is missing.
///
/// # Errors
/// It can't be made or opened, or others than root can get into it.
pub(crate) fn directory(name: &str) -> Result<OwnedFd, StepFault> {
    let run = trust::open_directory(Path::new(RUN)).map_err(own::unfit)?;
    let ours = own::subdirectory(&run, RUN, NAME)?;
    let opened = own::subdirectory(&ours, OURS, name)?;
    own::insist_on_private(&opened, &format!("{OURS}/{name}"), FileType::Directory)?;
    Ok(opened)
}

/// Opens a file in such a directory, `shown` as such, which is made where it is missing. `opening` says what is tried, for the message.
///
/// # Errors
/// As [`directory`].
pub(crate) fn file(
    directory: &OwnedFd,
    shown: &str,
    name: &str,
    opening: &'static str,
) -> Result<OwnedFd, StepFault> {
    open_file(
        directory,
        (shown, name),
        OFlags::RDWR | OFlags::CREATE,
        opening,
    )
}

/// Opens a file that is there.
///
/// # Errors
/// As [`directory`].
pub(crate) fn existing_file(
    directory: &OwnedFd,
    shown: &str,
    name: &str,
    opening: &'static str,
) -> Result<OwnedFd, StepFault> {
    open_file(directory, (shown, name), OFlags::RDONLY, opening)
}

fn open_file(
    directory: &OwnedFd,
    (shown, name): (&str, &str),
    flags: OFlags,
    opening: &'static str,
) -> Result<OwnedFd, StepFault> {
    let flags = flags | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
    let mode = if flags.contains(OFlags::CREATE) {
        Mode::RUSR | Mode::WUSR
    } else {
        Mode::empty()
    };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let file = openat2(directory, name, flags, mode, resolve).map_err(failed(opening))?;
    own::insist_on_private(&file, &format!("{shown}/{name}"), FileType::RegularFile)?;
    Ok(file)
}
