//! mount_setattr(2), Linux 5.12.

use std::{
    ffi::c_int,
    os::fd::{AsFd, AsRawFd},
};

use nix::errno::Errno;

/// MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC: mount_setattr(2).
pub(crate) const RDONLY: u64 = 0x1;
pub(crate) const NOSUID: u64 = 0x2;
pub(crate) const NODEV: u64 = 0x4;
pub(crate) const NOEXEC: u64 = 0x8;

/// struct mount_attr, version 0.
#[repr(C)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

/// Sets attributes of the mount that `mount` is the root of, and of all mounts below it, and makes them private.
///
/// Unlike a remount of a bind mount it reaches the submounts.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN or against a locked attribute, ENOSYS before Linux 5.12.
pub(crate) fn mount_setattr_recursive(mount: impl AsFd, set: u64) -> Result<(), Errno> {
    call(mount, libc::AT_RECURSIVE, set, libc::MS_PRIVATE)
}

/// Sets attributes of the mount that `mount` is the root of, and of no other.
///
/// # Errors
/// As [`mount_setattr_recursive`].
pub(crate) fn mount_setattr(mount: impl AsFd, set: u64) -> Result<(), Errno> {
    call(mount, 0, set, 0)
}

fn call(mount: impl AsFd, flags: c_int, attr_set: u64, propagation: u64) -> Result<(), Errno> {
    let attributes = MountAttr {
        attr_set,
        attr_clr: 0,
        propagation,
        userns_fd: 0,
    };
    // SAFETY: the path is an empty C string, and the attributes are a struct of the size given, both valid for reads.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | flags,
            &raw const attributes,
            size_of::<MountAttr>(),
        )
    };
    Errno::result(result).map(drop)
}
