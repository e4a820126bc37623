//! Where a host program records who was logged in, last(1) and lastlog(8): behind PAM it does so inside the jail.
//!
//! Where neither root nor base has a /var, the host's two files are shown below a directory that only root can search.
//! The user can neither read nor write them. The host's utmp(5) is not among them: the jail's terminals have numbers of
//! their own, and an entry for one would take the place of another's on the host. An empty one stands in for it, without
//! which sshd records no log-out.

use std::{os::fd::OwnedFd, path::Path};

use rustix::{
    fs::{FileType, Mode, OFlags, ResolveFlags, fstat, mkdirat},
    mount::MountAttrFlags,
};

use crate::{
    fault::{StepFault, failed},
    resolve::openat2,
    sys::mount::{NODEV, NOSUID},
    trust,
    world::{mounts, targets},
};

/// The files, all in one directory.
const FILES: [&str; 2] = ["wtmp", "lastlog"];

/// The host's files as detached mounts, by name.
#[derive(Debug)]
pub(crate) struct Records(Vec<(&'static str, OwnedFd)>);

impl Records {
    /// Copies what the host has. A file that is not root's, or not there, is left out: programs do without.
    pub(crate) fn copy() -> Result<Records, StepFault> {
        let found = find()?.into_iter();
        found
            .map(|(name, file)| Ok((name, mounts::copy_tree(&file, NOSUID | NODEV)?)))
            .collect::<Result<_, _>>()
            .map(Records)
    }

    /// Shows them below the new root, which has no /var.
    pub(crate) fn attach(self, root: &OwnedFd) -> Result<(), StepFault> {
        if self.0.is_empty() {
            return Ok(());
        }
        let var = targets::make_directory(root, Path::new("var"))?;
        mkdirat(&var, "log", Mode::RWXU).map_err(failed("mkdir in the new root"))?;
        let log = targets::make_directory(&var, Path::new("log"))?;
        for (name, tree) in self.0 {
            mounts::attach(&tree, targets::new_file(&log, Path::new(name))?, c"")?;
        }
        let run = mounts::new_tmpfs(c"0711", (c"64k", c"64"), MountAttrFlags::MOUNT_ATTR_NODEV)?;
        targets::new_file(&run, Path::new("utmp"))?;
        targets::attach_at(&run, root, Path::new("var/run"))
    }
}

/// Tells whether the host has any.
pub(crate) fn exist() -> bool {
    find().is_ok_and(|found| !found.is_empty())
}

/// Opens what the host has.
fn find() -> Result<Vec<(&'static str, OwnedFd)>, StepFault> {
    let host = trust::open_host_root()?;
    let mut found = Vec::new();
    for name in FILES {
        let path = Path::new("var/log").join(name);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let Ok(file) = openat2(&host, &path, flags, Mode::empty(), resolve) else {
            continue;
        };
        let stat = fstat(&file).map_err(failed("fstat of a record"))?;
        let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        if regular && stat.st_uid == 0 {
            found.push((name, file));
        }
    }
    Ok(found)
}
