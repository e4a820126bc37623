//! Mounts by descriptor: copies of what the host has, new file systems, and their attributes.
//!
//! A copy belongs to no mount namespace until it is attached, and ends with its descriptor. No mount of the host is changed.

use std::{
    ffi::{CStr, CString},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use nix::errno::Errno;
use rustix::{
    fs::{
        AtFlags, CWD, Mode, OFlags, ResolveFlags, StatVfsMountFlags, StatxFlags, fstat, fstatvfs,
        statx,
    },
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
        fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
    },
    system::sysinfo,
};

use crate::{
    fault::{StepFault, expect_in_force, failed},
    resolve::openat2,
    sys::mount::{NODEV, NOEXEC, NOSUID, RDONLY, mount_setattr, mount_setattr_recursive},
};

/// How much of the memory a session's /tmp and /dev/shm may take each: tmpfs(5).
const TMPFS_SIZE: &CStr = c"10%";

/// For how many bytes of that size there may be one file: a file without any takes memory of the kernel's as well,
/// about a kilobyte.
const BYTES_PER_INODE: u64 = 16 * 1024;

/// Gives the number of the mount that a path, or a descriptor itself, is on. No two that are there have the same.
pub(crate) fn mount_id(directory: impl AsFd, path: &CStr) -> Result<u64, StepFault> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT;
    statx(directory, path, flags, StatxFlags::MNT_ID)
        .map(|stat| stat.stx_mnt_id)
        .map_err(failed("statx"))
}

/// Reads back which attributes a mount has.
pub(crate) fn hold_attributes(mount: &OwnedFd, wanted: u64) -> Result<(), StepFault> {
    let found = fstatvfs(mount).map_err(failed("fstatfs"))?.f_flag;
    let missing = [
        (NOSUID, StatVfsMountFlags::NOSUID),
        (NODEV, StatVfsMountFlags::NODEV),
        (NOEXEC, StatVfsMountFlags::NOEXEC),
        (RDONLY, StatVfsMountFlags::RDONLY),
    ]
    .into_iter()
    .any(|(attribute, flag)| wanted & attribute != 0 && !found.contains(flag));
    expect_in_force("the attributes of a mount", !missing)
}

/// Copies a directory with all mounts below it.
pub(crate) fn copy_tree(directory: impl AsFd, attributes: u64) -> Result<OwnedFd, StepFault> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    let tree = open_tree(directory, c"", flags).map_err(failed("open_tree"))?;
    mount_setattr_recursive(&tree, attributes).map_err(failed("mount_setattr of a copied tree"))?;
    hold_attributes(&tree, attributes)?;
    Ok(tree)
}

/// Copies a directory of the host that is shown read-only.
pub(crate) fn copy_read_only(directory: impl AsFd) -> Result<OwnedFd, StepFault> {
    copy_tree(directory, NOSUID | NODEV | RDONLY)
}

/// Copies a single file, such as a terminal or a device, as a mount.
pub(crate) fn copy_file(file: BorrowedFd<'_>) -> Result<OwnedFd, StepFault> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    open_tree(file, c"", flags).map_err(failed("open_tree of a file"))
}

pub(crate) fn attach(mount: &OwnedFd, directory: impl AsFd, path: &CStr) -> Result<(), StepFault> {
    let flags = if path.is_empty() {
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH
    } else {
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH
    };
    move_mount(mount, c"", directory, path, flags).map_err(failed("move_mount"))
}

/// Makes every mount of this namespace private, so that nothing done here reaches another, or the other way round.
pub(crate) fn make_private() -> Result<(), StepFault> {
    let root = openat2(
        CWD,
        "/",
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::empty(),
    )
    .map_err(failed("open /"))?;
    mount_setattr_recursive(&root, 0).map_err(failed("mount_setattr MS_PRIVATE"))
}

/// Closes the new top directory for writing; what is mounted below it keeps its own attributes.
pub(crate) fn seal(root: &OwnedFd) -> Result<(), StepFault> {
    mount_setattr(root, RDONLY | NOSUID | NODEV)
        .map_err(failed("mount_setattr the new root read-only"))?;
    hold_attributes(root, RDONLY | NOSUID | NODEV)
}

/// Lets nothing below a root be executed, on whatever mount it is.
pub(crate) fn refuse_execution(root: &OwnedFd) -> Result<(), StepFault> {
    mount_setattr_recursive(root, NOEXEC).map_err(failed("mount_setattr noexec"))?;
    hold_attributes(root, NOEXEC)
}

/// Makes a tmpfs that everybody in the session may write to.
pub(crate) fn new_shared_tmpfs() -> Result<OwnedFd, StepFault> {
    let memory = sysinfo();
    let bytes = u64::from(memory.mem_unit).saturating_mul(memory.totalram);
    let files = CString::new((bytes / 10 / BYTES_PER_INODE).max(1024).to_string());
    let files = files.map_err(|_| StepFault::Failed("sysinfo", Errno::EINVAL))?;
    let bounds = (TMPFS_SIZE, files.as_c_str());
    new_tmpfs(c"1777", bounds, MountAttrFlags::MOUNT_ATTR_NODEV)
}

/// Makes a tmpfs. `size` is in bytes or per cent of the memory, `files` a number: tmpfs(5).
pub(crate) fn new_tmpfs(
    mode: &CStr,
    (size, files): (&CStr, &CStr),
    attributes: MountAttrFlags,
) -> Result<OwnedFd, StepFault> {
    let options = [
        (c"mode", Some(mode)),
        (c"size", Some(size)),
        (c"nr_inodes", Some(files)),
    ];
    let made = new_file_system(c"tmpfs", &options, attributes)?;
    let stat = fstat(&made).map_err(failed("fstat of a tmpfs"))?;
    let wanted = mode.to_str().map(|mode| u32::from_str_radix(mode, 8));
    expect_in_force(
        "the mode of a tmpfs",
        wanted == Ok(Ok(stat.st_mode & 0o7777)),
    )?;
    Ok(made)
}

/// Makes a file system of its own, set-user-ID without effect in it.
pub(crate) fn new_file_system(
    kind: &'static CStr,
    options: &[(&CStr, Option<&CStr>)],
    attributes: MountAttrFlags,
) -> Result<OwnedFd, StepFault> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).map_err(failed("fsopen"))?;
    for (key, value) in options {
        match value {
            Some(value) => fsconfig_set_string(&context, *key, *value),
            None => fsconfig_set_flag(&context, *key),
        }
        .map_err(failed("fsconfig"))?;
    }
    fsconfig_create(&context).map_err(failed("fsconfig create"))?;
    let attributes = attributes | MountAttrFlags::MOUNT_ATTR_NOSUID;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).map_err(failed("fsmount"))
}
