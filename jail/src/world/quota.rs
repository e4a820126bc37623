//! `disk`: how much the files in a home may take, by the quotas of its file system.
//!
//! A project quota counts what is in the home, and in whatever is made there; its number is the user's. Where the file system has
//! none, a user quota counts all files of the user's on it.

use std::os::fd::{AsFd, OwnedFd};

use jail_config::Disk;
use nix::errno::Errno;
use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags, fstat};

use crate::{
    fault::{StepFault, errno_of, expect_in_force},
    resolve::openat2,
    sys::quota::{self, INHERIT, LIMITS, Limits, Whose},
};

/// How deep what is in a home may be where it is to be counted.
const DEEPEST: usize = 256;

/// How what was listed and is gone, a link by now, or of another file system can't be opened.
const NOT_COUNTED: [rustix::io::Errno; 3] = [
    rustix::io::Errno::NOENT,
    rustix::io::Errno::LOOP,
    rustix::io::Errno::XDEV,
];

/// The kernel's blocks.
const BLOCK: u64 = 1024;

/// What is counted for a home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Whether a project is counted, and not the user.
    pub is_project: bool,
    /// The bytes and files that are there.
    pub used: (u64, u64),
    /// How much is allowed.
    pub allowed: Disk,
}

/// Sets how much a home may take that is there, and counts what is in it. What comes into a directory that is counted is counted, and
/// the kernel lets nothing be moved there that is not (EXDEV): so nobody can hide a file meanwhile. The limit comes last: where it is
/// set, all is counted.
///
/// # Errors
/// The file system has no quotas, or does not take them; what is in the home is too deep.
pub(crate) fn set_for_all(home: &OwnedFd, uid: u32, disk: Disk) -> Result<(), StepFault> {
    if has(home, Whose::Project, uid)? {
        count(home, uid, true)?;
        count_all_in(home, uid, DEEPEST)?;
    }
    set(home, uid, disk)
}

fn count_all_in(directory: &OwnedFd, uid: u32, deep: usize) -> Result<(), StepFault> {
    if deep == 0 {
        let why = format!(
            "disk: the home has more than {DEEPEST} directories in each other; remove some"
        );
        return Err(StepFault::Unfit(why));
    }
    let list = |errno| StepFault::Failed("list a directory of the home", errno_of(errno));
    for entry in Dir::read_from(directory).map_err(list)? {
        let entry = entry.map_err(list)?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        // Nothing that reacts to being opened: the user may exchange what is there, and makes no devices.
        let open = |flags| {
            let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
            openat2(directory, name, flags, Mode::empty(), resolve)
                .and_then(|it| Ok((fstat(&it)?, it)))
        };
        let (stat, _) = match open(OFlags::PATH) {
            Ok(seen) => seen,
            // What is gone, a link, or of another file system counts for nothing.
            Err(gone) if NOT_COUNTED.contains(&gone) => continue,
            Err(errno) => {
                return Err(StepFault::Failed(
                    "look at a file of the home",
                    errno_of(errno),
                ));
            }
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        // One that has another name may be somebody else's, elsewhere.
        let is_own = stat.st_nlink == 1 || stat.st_uid == uid;
        if kind != FileType::Directory && !(kind == FileType::RegularFile && is_own) {
            continue;
        }
        match open(OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY) {
            Ok((again, opened)) if again.st_ino == stat.st_ino => {
                count(&opened, uid, kind == FileType::Directory)?;
                if kind == FileType::Directory {
                    count_all_in(&opened, uid, deep - 1)?;
                }
            }
            // It has been moved meanwhile, to where it is counted.
            Ok(_) => {}
            Err(gone) if NOT_COUNTED.contains(&gone) => {}
            Err(errno) => {
                return Err(StepFault::Failed(
                    "open a file of the home",
                    errno_of(errno),
                ));
            }
        }
    }
    Ok(())
}

/// Makes a file one of the user's project, and whatever comes into a directory.
fn count(file: impl AsFd, uid: u32, is_directory: bool) -> Result<(), StepFault> {
    let mut wanted = quota::attributes(&file).map_err(failed("FS_IOC_FSGETXATTR"))?;
    wanted.project = uid;
    if is_directory {
        wanted.flags |= INHERIT;
    }
    quota::set_attributes(&file, wanted).map_err(failed("FS_IOC_FSSETXATTR"))
}

/// Sets how much a new, empty home may take, and reads it back.
///
/// # Errors
/// The file system has no quotas, or does not take them.
pub(crate) fn set(home: impl AsFd, uid: u32, disk: Disk) -> Result<(), StepFault> {
    let whose = if has(&home, Whose::Project, uid)? {
        count(&home, uid, true)?;
        Whose::Project
    } else if has(&home, Whose::User, uid)? {
        Whose::User
    } else {
        let why = "disk: the file system of the home has no quotas; mount it with the option prjquota, after tune2fs -O quota,project \
                   where it is ext4, or remove disk";
        return Err(StepFault::Unfit(why.to_owned()));
    };
    let wanted = Limits {
        // Without a soft limit there is no time of grace.
        hard_blocks: disk.bytes.unwrap_or(0).div_ceil(BLOCK),
        soft_blocks: 0,
        hard_files: disk.files.unwrap_or(0),
        soft_files: 0,
        valid: LIMITS,
        ..Limits::default()
    };
    quota::set_quota(&home, whose, uid, wanted).map_err(failed("quotactl_fd Q_SETQUOTA"))?;
    let counted = of(home, uid)?;
    expect_in_force(
        "the quota of the home",
        counted.is_some_and(|it| it.holds(disk)),
    )
}

/// Reads what is counted for a home; nothing where nothing is.
///
/// # Errors
/// The file system does not say.
pub fn of(home: impl AsFd, uid: u32) -> Result<Option<Counted>, StepFault> {
    let is_project = match quota::attributes(&home) {
        Ok(found) => found.project == uid && found.flags & INHERIT != 0,
        // It has no projects.
        Err(Errno::ENOTTY | Errno::EOPNOTSUPP) => false,
        Err(errno) => return Err(failed("FS_IOC_FSGETXATTR")(errno)),
    };
    let whose = match is_project {
        true => Whose::Project,
        false => Whose::User,
    };
    let found = match quota::quota(&home, whose, uid) {
        Ok(found) => found,
        Err(errno) if is_off(errno) || errno == Errno::ENOENT => return Ok(None),
        Err(errno) => return Err(failed("quotactl_fd Q_GETQUOTA")(errno)),
    };
    let limit = |number: u64| Some(number).filter(|number| *number != 0);
    Ok(Some(Counted {
        is_project,
        used: (found.bytes, found.files),
        allowed: Disk {
            bytes: limit(found.hard_blocks.saturating_mul(BLOCK)),
            files: limit(found.hard_files),
        },
    }))
}

impl Counted {
    /// Tells whether no more is allowed than the config says, to a block.
    #[must_use]
    pub fn holds(&self, disk: Disk) -> bool {
        let within = |allowed: Option<u64>, wanted: Option<u64>| match (allowed, wanted) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(allowed), Some(wanted)) => allowed <= wanted.next_multiple_of(BLOCK),
        };
        within(self.allowed.bytes, disk.bytes) && within(self.allowed.files, disk.files)
    }
}

/// Tells whether a kind of quota is counted on the file system of an open file.
fn has(file: impl AsFd, whose: Whose, id: u32) -> Result<bool, StepFault> {
    match quota::quota(file, whose, id) {
        // Nothing is counted for this one so far.
        Ok(_) | Err(Errno::ENOENT) => Ok(true),
        Err(errno) if is_off(errno) => Ok(false),
        Err(errno) => Err(failed("quotactl_fd Q_GETQUOTA")(errno)),
    }
}

/// Tells whether the kernel or the file system has no quotas, or they are not switched on.
fn is_off(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::ESRCH | Errno::ENOSYS | Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENODEV
    )
}

fn failed(call: &'static str) -> impl Fn(Errno) -> StepFault {
    move |errno| StepFault::Failed(call, errno)
}
