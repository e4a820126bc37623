//! Quotas: ioctl_fsgetxattr, quotactl_fd(2).

use std::{
    mem,
    os::fd::{AsFd, AsRawFd},
    ptr::addr_of_mut,
};

use nix::errno::Errno;

/// struct fsxattr of linux/fs.h.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attributes {
    pub(crate) flags: u32,
    extent_size: u32,
    extents: u32,
    pub(crate) project: u32,
    cow_extent_size: u32,
    padding: [u8; 8],
}

/// struct if_dqblk of linux/quota.h. Blocks are 1024 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) hard_blocks: u64,
    pub(crate) soft_blocks: u64,
    pub(crate) bytes: u64,
    pub(crate) hard_files: u64,
    pub(crate) soft_files: u64,
    pub(crate) files: u64,
    pub(crate) block_time: u64,
    pub(crate) file_time: u64,
    pub(crate) valid: u32,
}

/// FS_XFLAG_PROJINHERIT: what is made in a directory is of its project.
pub(crate) const INHERIT: u32 = 0x200;

/// QIF_LIMITS: both kinds of limits are given.
pub(crate) const LIMITS: u32 = 1 | 4;

const FS_IOC_FSGETXATTR: libc::c_ulong = 0x801c_581f;
const FS_IOC_FSSETXATTR: libc::c_ulong = 0x401c_5820;

const Q_GETQUOTA: u32 = 0x80_0007;
const Q_SETQUOTA: u32 = 0x80_0008;

/// Whose files are counted: USRQUOTA, PRJQUOTA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    User = 0,
    Project = 2,
}

/// Reads the attributes of an open file.
pub(crate) fn attributes(file: impl AsFd) -> Result<Attributes, Errno> {
    let mut found = Attributes::default();
    let fd = file.as_fd().as_raw_fd();
    // SAFETY: the request writes one `struct fsxattr`, which `found` is, and keeps no pointer.
    let done = unsafe { libc::ioctl(fd, FS_IOC_FSGETXATTR as _, addr_of_mut!(found)) };
    Errno::result(done).map(|_| found)
}

/// Sets the attributes of an open file.
pub(crate) fn set_attributes(file: impl AsFd, mut wanted: Attributes) -> Result<(), Errno> {
    let fd = file.as_fd().as_raw_fd();
    // SAFETY: the request reads one `struct fsxattr`, which `wanted` is, and keeps no pointer.
    let done = unsafe { libc::ioctl(fd, FS_IOC_FSSETXATTR as _, addr_of_mut!(wanted)) };
    Errno::result(done).map(drop)
}

/// Reads what is counted and allowed on the file system of an open file.
pub(crate) fn quota(file: impl AsFd, whose: Whose, id: u32) -> Result<Limits, Errno> {
    let mut found = Limits::default();
    quotactl_fd(file, Q_GETQUOTA, whose, id, &mut found)?;
    Ok(found)
}

/// Sets what is allowed there.
pub(crate) fn set_quota(
    file: impl AsFd,
    whose: Whose,
    id: u32,
    mut wanted: Limits,
) -> Result<(), Errno> {
    quotactl_fd(file, Q_SETQUOTA, whose, id, &mut wanted)
}

fn quotactl_fd(
    file: impl AsFd,
    command: u32,
    whose: Whose,
    id: u32,
    limits: &mut Limits,
) -> Result<(), Errno> {
    const _: () = assert!(mem::size_of::<Limits>() == 72 && mem::size_of::<Attributes>() == 28);
    let fd = file.as_fd().as_raw_fd();
    let command = command << 8 | whose as u32;
    let number = libc::SYS_quotactl_fd;
    // SAFETY: both commands take one `struct if_dqblk`, which `limits` is, and keep no pointer.
    let done = unsafe { libc::syscall(number, fd, command, id, addr_of_mut!(*limits)) };
    Errno::result(done).map(drop)
}
