//! What a jailed user can write of the host from inside: the jail's root and its writable mounts.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs,
    path::{Component, Path, PathBuf},
};

use jail::account::identity::Identity;
use jail_config::MountMode;
use rustix::{
    fs::{AtFlags, CWD, FileType, Statx, StatxFlags, lgetxattr, statx},
    io::Errno,
};

use crate::{accounts::account::Jailed, guest::home};

/// File system and inode.
type Id = (u64, u64, u64);

/// Where a file system keeps an ACL: acl(5).
const ACL: &str = "system.posix_acl_access";

/// As the kernel: path_resolution(7).
const MOST_LINKS: usize = 40;

/// Tells whether the host's home of a user is in a directory that the jail shows writable.
pub(crate) fn reaches_home(jailed: &Jailed) -> bool {
    let home = home(&jailed.identity);
    home != Path::new("/") && is_in_reach(jailed, home)
}

/// Tells whether a path of the host is in a directory that the jail shows writable. Owner and mode do not count.
pub(crate) fn is_in_reach(jailed: &Jailed, path: &Path) -> bool {
    shown_directory_on(jailed, path).is_some()
}

/// Tells whether a user can write a file of the host from inside, or put it there. What can't be judged counts as yes.
pub(crate) fn writes(jailed: &Jailed, path: &Path) -> bool {
    let Some((mut here, rest)) = shown_directory_on(jailed, path) else {
        return false;
    };
    let mut rest = rest.into_iter();
    loop {
        match may_change(&here, &jailed.identity) {
            // Whoever can't write the directory can't make what is missing in it.
            Err(Errno::NOENT) => return false,
            Err(_) | Ok(true) => return true,
            Ok(false) => {}
        }
        match rest.next() {
            Some(name) => here.push(name),
            None => return false,
        }
    }
}

/// Finds the first directory on the way to a path that the jail shows writable, and the names that are left from there.
/// Links, and a directory that is mounted in a second place, hide nothing.
///
/// Nothing below such a directory is looked at: what is there can change at any time, and may be served by its user.
fn shown_directory_on(jailed: &Jailed, path: &Path) -> Option<(PathBuf, VecDeque<OsString>)> {
    let writable: Vec<(&Path, Option<Id>)> = shown_writable(jailed)
        .map(|directory| (directory, id_of(directory)))
        .collect();
    let is_shown = |here: &Path| {
        let id = id_of(here);
        let is_it = |(directory, other): &(&Path, Option<Id>)| {
            here == *directory || id.is_some() && id == *other
        };
        writable.iter().any(is_it)
    };
    let mut here = PathBuf::from("/");
    let mut open: VecDeque<OsString> = names(path).collect();
    let mut links = 0;
    while !is_shown(&here) {
        let name = open.pop_front()?;
        if name == ".." {
            here.pop();
            continue;
        }
        here.push(name);
        let Ok(target) = fs::read_link(&here) else {
            continue;
        };
        links += 1;
        if links > MOST_LINKS {
            // Such a path leads nowhere.
            return None;
        }
        here.pop();
        if target.is_absolute() {
            here = PathBuf::from("/");
        }
        names(&target).rev().for_each(|name| open.push_front(name));
    }
    Some((here, open))
}

/// Tells whether a user may write a file, or make others in a directory. A link may lead anywhere.
fn may_change(path: &Path, identity: &Identity) -> Result<bool, Errno> {
    let found = look_at(path)?;
    let mode = u32::from(found.stx_mode);
    let is_member = identity.gid == found.stx_gid || identity.groups.contains(&found.stx_gid);
    // With an ACL the bits of the group are the most that any of its entries gives.
    let has_acl = || lgetxattr(path, ACL, &mut [0_u8; 0]).is_ok();
    Ok(FileType::from_raw_mode(mode) == FileType::Symlink
        || found.stx_uid == identity.uid
        || mode & 0o002 != 0
        || mode & 0o020 != 0 && (is_member || has_acl()))
}

/// Lists the host's directories that the jail does not show read-only.
pub(crate) fn shown_writable(jailed: &Jailed) -> impl Iterator<Item = &Path> {
    let writable = jailed
        .jail
        .mounts
        .iter()
        .filter(|mount| mount.mode == MountMode::ReadWrite)
        .map(|mount| mount.source.as_path());
    std::iter::once(jailed.jail.root.as_path()).chain(writable)
}

/// Lists the names that a path goes through.
fn names(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    })
}

/// Identifies what a path leads to.
fn id_of(path: &Path) -> Option<Id> {
    let found = look_at(path).ok()?;
    Some((
        u64::from(found.stx_dev_major),
        u64::from(found.stx_dev_minor),
        found.stx_ino,
    ))
}

/// Looks at what a path leads to. A file system that does not answer is not asked: statx(2), AT_STATX_DONT_SYNC.
fn look_at(path: &Path) -> Result<Statx, Errno> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
    statx(CWD, path, flags, StatxFlags::BASIC_STATS)
}
