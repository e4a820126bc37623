//! Services of the host that a session reaches by their sockets: a directory of sockets, or a single one, shown read-only at
//! the places where clients look.
//!
//! A service may own its directory, and is not trusted with more than that: the directory is a descriptor that the trusted
//! walk has reached, nothing in it is opened here, and a link in it leads where it leads in the jail.

use std::{
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use jail_config::{Service, Shown};
use rustix::fs::{FileType, StatVfsMountFlags, fstatvfs};

use crate::{
    fault::{StepFault, failed},
    sys::mount::{NODEV, NOEXEC, NOSUID, RDONLY},
    trust::{self, UntrustedSource},
    world::{
        mounts::copy_tree,
        targets::{attach_source, file_type, open_entry},
    },
};

/// What of a service is there, opened; the descriptor is O_PATH.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) shown: Shown,
    pub(crate) source: OwnedFd,
}

/// Opens what is there of a service, which may be nothing: a service that does not run refuses no login.
///
/// # Errors
/// Others than root could put something else in its place.
pub(crate) fn open(service: &Service, user: u32) -> Result<Vec<Found>, UntrustedSource> {
    let mut found = Vec::new();
    for shown in &service.shown {
        match trust::open_source(&shown.source, user) {
            Ok(source) => found.push(Found {
                name: service.name.clone(),
                shown: shown.clone(),
                source,
            }),
            Err(untrusted) if untrusted.is_missing() => {}
            Err(untrusted) => return Err(untrusted),
        }
    }
    Ok(found)
}

/// Gives the first place of each: the further ones are left out where they don't fit.
pub(crate) fn first_places(found: &[Found]) -> Vec<(&Path, &OwnedFd)> {
    let firsts = found
        .iter()
        .filter_map(|it| Some((it.shown.targets.first()?, it)));
    firsts
        .map(|(target, it)| (target.as_path(), &it.source))
        .collect()
}

/// A detached copy for one place.
#[derive(Debug)]
pub(crate) struct Placed {
    tree: OwnedFd,
    target: PathBuf,
    /// Whether it may be left out: the first place has it as well.
    is_further: bool,
}

/// Copies what was found, once for each of its places.
pub(crate) fn copy(found: &[Found]) -> Result<Vec<Placed>, StepFault> {
    let mut placed = Vec::new();
    for Found { shown, source, .. } in found {
        for (number, target) in shown.targets.iter().enumerate() {
            placed.push(Placed {
                tree: copy_tree(source, NOSUID | NODEV | NOEXEC | RDONLY)?,
                target: target.clone(),
                is_further: number > 0,
            });
        }
    }
    Ok(placed)
}

/// Shows the copies in an attached root. A further place that a link leads to is left out: on most systems that is /var/run,
/// which leads to the first place. So is one that would have to be made where nothing can be: in a base.
pub(crate) fn attach(placed: &[Placed], root: &OwnedFd) -> Result<(), StepFault> {
    for one in placed {
        let below = one.target.strip_prefix("/").unwrap_or(&one.target);
        if !(one.is_further && is_left_out(root, below)?) {
            attach_source(&one.tree, root, below)?;
        }
    }
    Ok(())
}

fn is_left_out(root: &OwnedFd, path: &Path) -> Result<bool, StepFault> {
    let mut reached: Option<OwnedFd> = None;
    for name in path {
        let above = reached.as_ref().unwrap_or(root);
        let Some(next) = open_entry(above, Path::new(name))? else {
            let flags = fstatvfs(above).map_err(failed("fstatfs"))?.f_flag;
            return Ok(flags.contains(StatVfsMountFlags::RDONLY));
        };
        match file_type(&next)? {
            FileType::Symlink => return Ok(true),
            FileType::Directory => reached = Some(next),
            _ => return Ok(false),
        }
    }
    Ok(false)
}
