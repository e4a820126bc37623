//! The places in a new root that something is mounted on: reached without following a link, and made where they are missing.

use std::{
    fs::File,
    io::Write,
    os::fd::OwnedFd,
    path::{Component, Path, PathBuf},
};

use jail_config::Mount;
use nix::errno::Errno;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, mkdirat, openat};

use crate::{
    fault::{StepFault, expect_in_force, failed},
    plan::Plan,
    process::privilege::as_user,
    resolve::openat2,
    served,
    trust::kind,
    world::{
        mounts::{attach, mount_id},
        view::{self, Source},
    },
};

pub(crate) fn write_text(file: OwnedFd, text: &[u8]) -> Result<(), StepFault> {
    File::from(file)
        .write_all(text)
        .map_err(failed("write in /etc"))
}

/// Makes an empty file in a directory that is the session's own.
pub(crate) fn new_file(directory: &OwnedFd, name: &Path) -> Result<OwnedFd, StepFault> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    openat(directory, name, flags, Mode::from_raw_mode(0o644))
        .map_err(failed("create a file in the new root"))
}

/// Attaches a detached mount at a path below `root`, whose missing directories are made.
pub(crate) fn attach_at(mount: &OwnedFd, root: &OwnedFd, path: &Path) -> Result<(), StepFault> {
    let target = make_directory(root, path)?;
    attach(mount, target, c"")?;
    // A detached mount has nothing above it.
    expect_in_force("a mount", mount_id(mount, c"..")? != mount_id(mount, c"")?)
}

/// Attaches what the config mounts: a directory on a directory, a file or socket on a file.
pub(crate) fn attach_source(mount: &OwnedFd, root: &OwnedFd, path: &Path) -> Result<(), StepFault> {
    if file_type(mount)? == FileType::Directory {
        return attach_at(mount, root, path);
    }
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(unfit(path, "is no path below the root"));
    };
    let made = match above.as_os_str().is_empty() {
        true => None,
        false => Some(make_directory(root, above)?),
    };
    let directory = made.as_ref().unwrap_or(root);
    let shown = Path::new("/").join(path);
    let target = open_or_make_file(directory, Path::new(name));
    let target = target.map_err(unfit_by_failure(&shown))?;
    insist_on_file(&shown, file_type(&target)?)?;
    attach(mount, target, c"")?;
    let reached = open_entry(directory, Path::new(name))?;
    let reached = reached.map(|reached| mount_id(reached, c"")).transpose()?;
    expect_in_force("a mount", reached == Some(mount_id(mount, c"")?))
}

/// Opens a directory below `root` without following anything, and makes the components that are missing.
pub(crate) fn make_directory(root: &OwnedFd, path: &Path) -> Result<OwnedFd, StepFault> {
    let mut reached: Option<OwnedFd> = None;
    let mut shown = PathBuf::from("/");
    for component in path.components() {
        let Component::Normal(name) = component else {
            break;
        };
        shown.push(name);
        let next = open_or_make(reached.as_ref().unwrap_or(root), Path::new(name));
        let next = next.map_err(unfit_by_failure(&shown))?;
        insist_on_directory(&shown, file_type(&next)?)?;
        reached = Some(next);
    }
    reached.ok_or_else(|| unfit(path, "is no path below the root"))
}

/// Looks whether the places that the config mounts on are fit for that, as far as they are there, and changes nothing. What a
/// mount shows is not looked into, where another one is in it.
///
/// # Errors
/// What attaching would refuse, in the same words.
pub(crate) fn check(
    plan: &Plan,
    root: &OwnedFd,
    base: Option<&OwnedFd>,
    sources: &[OwnedFd],
    services: &[(&Path, &OwnedFd)],
) -> Result<(), StepFault> {
    let view = plan.world.view.as_ref();
    let mounts = view.map_or(&[][..], |view| &view.mounts);
    let of_mounts = mounts.iter().map(|mount| mount.target.as_path());
    let of_services = services.iter().copied();
    for (target, source) in of_mounts.zip(sources).chain(of_services) {
        let covers = |other: &Mount| other.target != target && target.starts_with(&other.target);
        let below = target.strip_prefix("/").unwrap_or(target);
        let Some(name) = below.iter().next() else {
            continue;
        };
        let has = |directory: &OwnedFd| match open_entry(directory, Path::new(name))? {
            Some(entry) => file_type(&entry).map(view::is_shown),
            None => Ok(false),
        };
        let in_base = || base.map_or(Ok(false), has);
        let from = match view::source_asking(plan, name, || has(root), in_base)? {
            Source::Root => Some(root),
            Source::Base => base,
            Source::Made => None,
        };
        if let Some(from) = from.filter(|_| !mounts.iter().any(covers)) {
            check_way(from, below, file_type(source)?)?;
        }
    }
    Ok(())
}

/// Looks at the components of a path that are there.
fn check_way(directory: &OwnedFd, path: &Path, source: FileType) -> Result<(), StepFault> {
    let mut reached: Option<OwnedFd> = None;
    let mut shown = PathBuf::from("/");
    let mut ahead = path.iter().peekable();
    while let Some(name) = ahead.next() {
        shown.push(name);
        let above = reached.as_ref().unwrap_or(directory);
        let Some(entry) = open_entry(above, Path::new(name))? else {
            return Ok(());
        };
        let kind = file_type(&entry)?;
        if ahead.peek().is_some() || source == FileType::Directory {
            insist_on_directory(&shown, kind)?;
        } else {
            insist_on_file(&shown, kind)?;
        }
        reached = Some(entry);
    }
    Ok(())
}

/// Refuses what is no directory where one is needed.
fn insist_on_directory(path: &Path, found: FileType) -> Result<(), StepFault> {
    match found {
        FileType::Directory => Ok(()),
        other => Err(unfit(path, &format!("is a {}; remove it", kind(other)))),
    }
}

/// Refuses what no file or socket can be mounted on.
fn insist_on_file(path: &Path, found: FileType) -> Result<(), StepFault> {
    match found {
        FileType::RegularFile | FileType::Socket => Ok(()),
        other => {
            let why = format!("is a {}, and the source is a file or socket", kind(other));
            Err(unfit(path, &format!("{why}; remove it")))
        }
    }
}

/// Refuses a component of a mount's target by its path in the jail.
fn unfit(path: &Path, why: &str) -> StepFault {
    StepFault::Unfit(format!(
        "a place to mount on: {} in the jail {why}",
        path.display()
    ))
}

/// Has a system call that failed at a component of a mount's target say which one that is.
fn unfit_by_failure(path: &Path) -> impl Fn(StepFault) -> StepFault {
    move |fault| match fault {
        StepFault::Failed(_, errno) => unfit(path, &format!("fails: {}", errno.desc())),
        other => other,
    }
}

/// Opens a directory, or makes it.
fn open_or_make(directory: &OwnedFd, name: &Path) -> Result<OwnedFd, StepFault> {
    open_or(directory, name, || {
        mkdirat(directory, name, Mode::from_raw_mode(0o755)).map_err(failed("mkdirat"))
    })
}

/// Opens a file, whatever it is, or makes an empty one.
fn open_or_make_file(directory: &OwnedFd, name: &Path) -> Result<OwnedFd, StepFault> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    open_or(directory, name, || {
        openat(directory, name, flags, Mode::from_raw_mode(0o644))
            .map(drop)
            .map_err(failed("create a file to mount on"))
    })
}

/// Opens an entry, or makes it: it is then of whoever owns the directory, so that no root-owned entry appears in a
/// user-owned root.
fn open_or(
    directory: &OwnedFd,
    name: &Path,
    make: impl FnOnce() -> Result<(), StepFault>,
) -> Result<OwnedFd, StepFault> {
    if let Some(opened) = open_entry(directory, name)? {
        return Ok(opened);
    }
    let above = fstat(directory).map_err(failed("fstat in the new root"))?;
    let make = || match make() {
        Err(StepFault::Failed(_, Errno::EEXIST)) => Ok(()),
        made => made,
    };
    if above.st_uid == 0 {
        make()?;
    } else {
        as_user(above.st_uid, above.st_gid, make)?;
    }
    open_entry(directory, name)?.ok_or(StepFault::Failed("openat2", Errno::ENOENT))
}

/// Opens one entry of a directory, whatever it is; a link is opened itself. The descriptor is O_PATH. Gives nothing where there
/// is none.
///
/// # Errors
/// openat2(2) failed, or a user serves the file system that is mounted there.
pub(crate) fn open_entry(directory: &OwnedFd, name: &Path) -> Result<Option<OwnedFd>, StepFault> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let open = |resolve| openat2(directory, name, flags, Mode::empty(), resolve);
    match open(resolve | ResolveFlags::NO_XDEV) {
        Ok(opened) => return Ok(Some(opened)),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        // Something is mounted there.
        Err(rustix::io::Errno::XDEV) => {}
        Err(errno) => return Err(failed("openat2")(errno)),
    }
    let opened = open(resolve).map_err(failed("openat2"))?;
    match served::server(&opened) {
        Ok(None) => Ok(Some(opened)),
        Ok(Some(uid)) => Err(unfit(name, &served::state(uid))),
        Err(errno) => Err(StepFault::Failed("find a mount in mountinfo", errno)),
    }
}

/// Tells what an open file is.
pub(crate) fn file_type(fd: &OwnedFd) -> Result<FileType, StepFault> {
    let stat = fstat(fd).map_err(failed("fstat in the new root"))?;
    Ok(FileType::from_raw_mode(stat.st_mode))
}
