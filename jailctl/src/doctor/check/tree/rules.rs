//! What the owner, the mode and the kind of a file below a root should be.

use std::path::Path;

use jail::world::dev::DEVICES;
use jail_config::RootOwner;
use rustix::fs::{FileType, Stat, lgetxattr, major, minor};

use crate::accounts::account::Jailed;

/// Where programs, libraries and accounts are: nobody who is jailed may write there.
const SYSTEM: [&str; 8] = [
    "bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc",
];

/// What a /dev may have besides [`DEVICES`]: console, ptmx.
const OTHER_DEVICES: [(u32, u32); 2] = [(5, 1), (5, 2)];

/// Tells whether more than owner, group and others have a say: acl(5).
pub(super) fn has_access_list(path: &Path) -> bool {
    lgetxattr(path, "system.posix_acl_access", &mut [0_u8; 0]).is_ok()
}

/// Tells whether a path below a root is where programs, libraries and accounts are.
pub(super) fn is_system(below: &Path) -> bool {
    let first = below.components().next();
    first.is_some_and(|first| SYSTEM.iter().any(|name| first.as_os_str() == *name))
}

pub(super) fn is_users(users: &[&Jailed], uid: u32) -> bool {
    uid != 0 && users.iter().any(|one| one.identity.uid == uid)
}

/// Tells whether a jailed user owns what should be root's.
pub(crate) fn is_misowned(users: &[&Jailed], below: &Path, stat: &Stat) -> bool {
    let may_own = |one: &&Jailed| one.jail.root_owner == RootOwner::User;
    is_system(below) && is_users(users, stat.st_uid) && !users.iter().any(may_own)
}

/// Gives the write permissions, of group and others, that a file or directory below a root should not have.
pub(crate) fn excess(users: &[&Jailed], below: &Path, stat: &Stat, has_list: bool) -> u32 {
    let mode = stat.st_mode & 0o7777;
    let users_own = is_users(users, stat.st_uid);
    let is_users_group = users
        .iter()
        .any(|one| one.identity.groups.contains(&stat.st_gid));
    // The group's bits are the mask of the list where there is one: acl(5).
    let by_group = is_system(below) && (has_list || is_users_group && !users_own);
    let sticky = FileType::from_raw_mode(stat.st_mode) == FileType::Directory && mode & 0o1000 != 0;
    let by_all = !sticky && !users_own;
    mode & (if by_group { 0o020 } else { 0 } | if by_all { 0o002 } else { 0 })
}

/// Tells whether a device below a root is one that jails do not need.
pub(crate) fn is_strange_device(below: &Path, stat: &Stat) -> bool {
    let kind = FileType::from_raw_mode(stat.st_mode);
    let device = (major(stat.st_rdev), minor(stat.st_rdev));
    let mut usual = DEVICES.iter().map(|(_, major, minor)| (*major, *minor));
    let is_known = OTHER_DEVICES.contains(&device) || usual.any(|it| it == device);
    let is_usual = kind == FileType::CharacterDevice && below.starts_with("dev") && is_known;
    matches!(kind, FileType::CharacterDevice | FileType::BlockDevice) && !is_usual
}
