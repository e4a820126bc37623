//! Directories of a set-up: made below directories that root alone can change, and removed while they are empty.

use std::{
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use jail::account::names;
use jail_roots::tree::Tree;
use rustix::{
    fs::{AtFlags, Gid, Mode, OFlags, Uid, fchmod, fchown, fstat, mkdirat, openat, unlinkat},
    io::Errno,
};
use serde::{Deserialize, Serialize};

use super::accounts;
use crate::{failure::Failure, shell::quoted};

/// A directory to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Directory {
    pub(super) path: PathBuf,
    pub(super) mode: u32,
    /// The user whose it is, with the user's group; root where there is none.
    pub(super) user: Option<String>,
    /// The group whose it is, where it is root's.
    pub(super) group: Option<String>,
}

impl Directory {
    /// A directory that root alone can change.
    pub(super) fn of_root(path: &Path) -> Directory {
        Directory {
            path: path.to_owned(),
            mode: 0o755,
            user: None,
            group: None,
        }
    }

    pub(super) fn shown(&self) -> String {
        let user = self.user.as_deref().unwrap_or("root");
        let group = self.group.as_deref().or(self.user.as_deref());
        format!(
            "{} (mode {:o}, {user}:{})",
            self.path.display(),
            self.mode,
            group.unwrap_or("root")
        )
    }

    pub(super) fn is_there(&self) -> bool {
        self.path.symlink_metadata().is_ok()
    }

    /// Makes it.
    ///
    /// # Errors
    /// Something is there already; others than root can change the directory above it; a system call failed.
    pub(super) fn make(&self) -> Result<(), Failure> {
        let (uid, gid) = self.ids()?;
        let above = Tree::open_above(&self.path)?;
        make_in(&above, &self.path, self.mode, (uid, gid))
            .map_err(|errno| Failure::io("make", &self.path, &errno.into()))
    }

    fn ids(&self) -> Result<(u32, u32), Failure> {
        let gone = |what: &str, name: &str| Failure::Failed(format!("there is no {what} {name}"));
        match (&self.user, &self.group) {
            (Some(user), _) => {
                let identity = accounts::identity(user)?.ok_or_else(|| gone("account", user))?;
                Ok((identity.uid, identity.gid))
            }
            (None, Some(group)) => {
                let (gid, _) = accounts::group(group)?.ok_or_else(|| gone("group", group))?;
                Ok((0, gid))
            }
            (None, None) => Ok((0, 0)),
        }
    }

    /// Removes it if it is empty, and tells whether it has gone by that. The error is what stays, and why.
    pub(super) fn remove(&self) -> Result<bool, String> {
        remove_empty(&self.path)
            .map_err(|why| format!("{}: it stays, because {why}", self.path.display()))
    }
}

/// Makes a directory root's that stays behind for an account or a group that has gone: the next one with its number would own it. Tells
/// whether it was so.
///
/// # Errors
/// Others than root can change the directory above it; a look-up or a system call failed.
pub(super) fn leave_to_root(path: &Path) -> Result<bool, Failure> {
    let failed = |errno: io::Error| Failure::io("make root's", path, &errno);
    if path.symlink_metadata().is_err() {
        return Ok(false);
    }
    let above = Tree::open_above(path)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let name = path.file_name().unwrap_or_default();
    let left = openat(&above, name, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?;
    let stat = fstat(&left).map_err(|errno| failed(errno.into()))?;
    let is_known = match (stat.st_uid, stat.st_gid) {
        (0, 0) => return Ok(false),
        (0, gid) => names::group_of(gid.into()).map(|it| it.is_some()),
        (uid, _) => names::user_of(uid.into()).map(|it| it.is_some()),
    };
    if is_known.map_err(|errno| failed(errno.into()))? {
        return Ok(false);
    }
    fchmod(&left, Mode::from_raw_mode(0o700)).map_err(|errno| failed(errno.into()))?;
    fchown(&left, Some(Uid::ROOT), Some(Gid::ROOT)).map_err(|errno| failed(errno.into()))?;
    Ok(true)
}

/// Refuses a home that a user who has gone has left: its owner could change it, or the next user would get the files in it. `is_new`
/// says whether the account is yet to be made.
pub(super) fn refuse_left(home: &Path, is_new: bool) -> Result<(), String> {
    let Ok(found) = home.symlink_metadata() else {
        return Ok(());
    };
    let home = quoted(home);
    if (found.uid(), found.gid()) == (0, 0) && found.mode() & 0o077 == 0 {
        return Err(format!(
            "the home {home} is root's alone, as jailctl undo leaves one with the files of a user who has gone; move it away first: \
             mv {home} {home}.old"
        ));
    }
    if is_new && (!found.is_dir() || found.uid() != 0) {
        return Err(format!(
            "{home} is there and belongs to uid {}, and the account is not; move it away first: mv {home} {home}.old",
            found.uid()
        ));
    }
    Ok(())
}

/// Makes a directory in the one above it, with the ids of its owner. It is nobody's but root's until it has them.
pub(super) fn make_in(
    above: &Tree,
    path: &Path,
    mode: u32,
    (uid, gid): (u32, u32),
) -> Result<(), Errno> {
    let name = path.file_name().unwrap_or_default();
    mkdirat(above, name, Mode::from_raw_mode(0o700))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = openat(above, name, flags, Mode::empty())?;
    fchown(&made, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    fchmod(&made, Mode::from_raw_mode(mode))
}

/// Removes a directory if it is empty, and tells whether it has gone by that. The error is why it stays.
pub(super) fn remove_empty(path: &Path) -> Result<bool, String> {
    if path.symlink_metadata().is_err() {
        return Ok(false);
    }
    let above = Tree::open_above(path).map_err(|fault| fault.to_string())?;
    let name = path.file_name().unwrap_or_default();
    match unlinkat(&above, name, AtFlags::REMOVEDIR) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Err("it is not empty".to_owned()),
        Err(errno) => Err(errno.to_string()),
    }
}
