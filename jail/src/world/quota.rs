//! `disk`: how much the files in a home may take, by the quotas of its file system.
//!
//! A project quota counts what is in the home, and in whatever is made there; its number is the user's. Where the file system has
//! none, a user quota counts all files of the user's on it.

use std::os::fd::{AsFd, OwnedFd};

use jail_config::Disk;
use nix::errno::Errno;
use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags, fstat};

use crate::{
    fault::{StepFault, errno_of, expect_in_force, failed},
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

/// What limits a home at some moment, so that it can be put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    /// The project of the home, and whether what is made in it is of that project; nothing where the user is counted.
    pub project: Option<(u32, bool)>,
    /// How many blocks there may be: the hard limit, and the soft one.
    pub blocks: [u64; 2],
    /// How many files there may be.
    pub files: [u64; 2],
}

/// Which files get which project.
#[derive(Clone, Copy, Debug)]
struct Project {
    /// Only those of this one.
    from: Option<u32>,
    to: u32,
    /// Whether what is made in a directory is of it.
    inherits: bool,
}

impl Project {
    /// All files become the user's.
    const fn of(uid: u32) -> Project {
        Project {
            from: None,
            to: uid,
            inherits: true,
        }
    }
}

/// Reads what limits a home, and changes nothing.
///
/// # Errors
/// The file system has no quotas, or does not say.
pub fn before(home: impl AsFd, uid: u32) -> Result<Before, StepFault> {
    let whose = counted_by(&home, uid)?;
    let found = limits(&home, whose, uid)?;
    let project = match whose {
        Whose::User => None,
        Whose::Project => {
            let found = quota::attributes(&home).map_err(failed("FS_IOC_FSGETXATTR"))?;
            Some((found.project, found.flags & INHERIT != 0))
        }
    };
    Ok(Before {
        project,
        blocks: [found.hard_blocks, found.soft_blocks],
        files: [found.hard_files, found.soft_files],
    })
}

/// Takes a limit back: the quota becomes what it was before, and so does the project of what was counted for it. Tells whether it was
/// so; a quota that somebody has changed since stays.
///
/// # Errors
/// The file system does not take it; what is in the home is too deep.
pub fn take_back(home: &OwnedFd, uid: u32, disk: Disk, before: Before) -> Result<bool, StepFault> {
    let whose = match before.project {
        Some(_) => Whose::Project,
        None => Whose::User,
    };
    let now = limits(home, whose, uid)?;
    let is = |it: &Limits| (now.hard_blocks, now.hard_files) == (it.hard_blocks, it.hard_files);
    let earlier = Limits {
        hard_blocks: before.blocks[0],
        soft_blocks: before.blocks[1],
        hard_files: before.files[0],
        soft_files: before.files[1],
        valid: LIMITS,
        ..Limits::default()
    };
    if !is(&wanted(disk)) && !is(&earlier) {
        return Ok(false);
    }
    if let Some((project, inherits)) = before.project
        && project != uid
    {
        let back = Project {
            from: Some(uid),
            to: project,
            inherits,
        };
        count(home, back, true)?;
        count_all_in(home, uid, back, DEEPEST)?;
    }
    quota::set_quota(home, whose, uid, earlier).map_err(failed("quotactl_fd Q_SETQUOTA"))?;
    Ok(true)
}

/// Sets how much a home may take that is there, and counts what is in it. What comes into a directory that is counted is counted, and
/// the kernel lets nothing be moved there that is not (EXDEV): so nobody can hide a file meanwhile. The limit comes last: where it is
/// set, all is counted.
///
/// # Errors
/// The file system has no quotas, or does not take them; what is in the home is too deep.
pub(crate) fn set_for_all(home: &OwnedFd, uid: u32, disk: Disk) -> Result<(), StepFault> {
    if has(home, Whose::Project, uid)? {
        count(home, Project::of(uid), true)?;
        count_all_in(home, uid, Project::of(uid), DEEPEST)?;
    }
    set(home, uid, disk)
}

fn count_all_in(
    directory: &OwnedFd,
    uid: u32,
    project: Project,
    deep: usize,
) -> Result<(), StepFault> {
    if deep == 0 {
        let why = format!(
            "disk: the home has more than {DEEPEST} directories in each other; remove some"
        );
        return Err(StepFault::Unfit(why));
    }
    let list = failed("list a directory of the home");
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
                count(&opened, project, kind == FileType::Directory)?;
                if kind == FileType::Directory {
                    count_all_in(&opened, uid, project, deep - 1)?;
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

/// Makes a file one of a project, and whatever comes into a directory.
fn count(file: impl AsFd, project: Project, is_directory: bool) -> Result<(), StepFault> {
    let mut wanted = quota::attributes(&file).map_err(failed("FS_IOC_FSGETXATTR"))?;
    if project.from.is_some_and(|from| from != wanted.project) {
        return Ok(());
    }
    wanted.project = project.to;
    if is_directory {
        wanted.flags = wanted.flags & !INHERIT | if project.inherits { INHERIT } else { 0 };
    }
    quota::set_attributes(&file, wanted).map_err(failed("FS_IOC_FSSETXATTR"))
}

/// Sets how much a new, empty home may take, and reads it back.
///
/// # Errors
/// The file system has no quotas, or does not take them.
pub(crate) fn set(home: impl AsFd, uid: u32, disk: Disk) -> Result<(), StepFault> {
    let whose = counted_by(&home, uid)?;
    if whose == Whose::Project {
        count(&home, Project::of(uid), true)?;
    }
    quota::set_quota(&home, whose, uid, wanted(disk)).map_err(failed("quotactl_fd Q_SETQUOTA"))?;
    let counted = of(home, uid)?;
    expect_in_force(
        "the quota of the home",
        counted.is_some_and(|it| it.holds(disk)),
    )
}

/// Gives the limits that the kernel is to have.
fn wanted(disk: Disk) -> Limits {
    Limits {
        // Without a soft limit there is no time of grace.
        hard_blocks: disk.bytes.unwrap_or(0).div_ceil(BLOCK),
        soft_blocks: 0,
        hard_files: disk.files.unwrap_or(0),
        soft_files: 0,
        valid: LIMITS,
        ..Limits::default()
    }
}

/// Finds by what the files in a home can be counted.
fn counted_by(home: impl AsFd, uid: u32) -> Result<Whose, StepFault> {
    for whose in [Whose::Project, Whose::User] {
        if has(&home, whose, uid)? {
            return Ok(whose);
        }
    }
    let why = "disk: the file system of the home has no quotas; mount it with the option prjquota, after tune2fs -O quota,project \
               where it is ext4, or remove disk";
    Err(StepFault::Unfit(why.to_owned()))
}

/// Reads what is allowed; nothing is limited where nothing was counted so far.
fn limits(home: impl AsFd, whose: Whose, uid: u32) -> Result<Limits, StepFault> {
    match quota::quota(home, whose, uid) {
        Err(Errno::ENOENT) => Ok(Limits::default()),
        found => found.map_err(failed("quotactl_fd Q_GETQUOTA")),
    }
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
