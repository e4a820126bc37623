//! What the mode of a file gives to a user. Nothing here asks a file system that may not answer.

use std::os::fd::{AsFd, AsRawFd};

use jail::plan::process::Ids;
use rustix::{
    fs::{AtFlags, Statx, StatxFlags, getxattr, statx},
    io::Errno,
};

/// To write a file.
pub(crate) const WRITE: u32 = 0o2;

/// To search a directory.
pub(crate) const SEARCH: u32 = 0o1;

/// Where a file system keeps an ACL: acl(5).
const ACL: &str = "system.posix_acl_access";

/// Looks at an open file: statx(2), AT_STATX_DONT_SYNC.
///
/// # Errors
/// As statx(2).
pub(crate) fn stat_of(held: impl AsFd) -> Result<Statx, Errno> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    statx(held, "", flags, wanted)
}

/// Tells whether the mode gives the user these bits. An ACL may give more, or less.
pub(crate) fn mode_grants(found: &Statx, ids: &Ids, bits: u32) -> bool {
    let mode = u32::from(found.stx_mode);
    let granted = match (found.stx_uid == ids.uid, ids.has_group(found.stx_gid)) {
        (true, _) => mode >> 6,
        (_, true) => mode >> 3,
        _ => mode,
    };
    granted & bits == bits
}

/// Tells whether an open file has an ACL.
pub(crate) fn has_acl(held: impl AsFd) -> bool {
    let path = format!("/proc/self/fd/{}", held.as_fd().as_raw_fd());
    getxattr(path, ACL, &mut [0_u8; 0]).is_ok()
}
