//! What alone may be executed in a session: each such file is a mount of its own, and every other mount is noexec.
//!
//! Landlock says the same of execve(2). The mounts say it of mmap(2) as well, by which a loader that may be executed would run
//! any program that is named to it. Where a program is a script, its interpreter can map what is in the system's directories of
//! libraries.

use std::{collections::HashSet, os::fd::OwnedFd, path::PathBuf};

use rustix::fs::fstat;

use crate::{
    fault::{StepFault, failed},
    plan::world::{Executables, From},
    process::program::Root,
    trust,
    world::{
        mounts::{attach, copy_read_only, mount_id, refuse_execution},
        targets::attach_source,
    },
};

/// Files of the host that a session is shown besides, by their paths inside; each a detached mount.
#[derive(Debug)]
pub(crate) struct Carried(Vec<(PathBuf, OwnedFd)>);

impl Carried {
    /// Copies what the programs take of the host, where that is where they come from.
    pub(crate) fn copy(wanted: &Executables) -> Result<Option<Carried>, StepFault> {
        if wanted.from != From::Host {
            return Ok(None);
        }
        let mut carried = Vec::new();
        let mut known = HashSet::new();
        for needed in Root::at(trust::open_host_root()?).needed(wanted)? {
            let stat = fstat(&needed.file).map_err(failed("fstat of a program"))?;
            // A library that has two paths needs one; a program and its loader are started by theirs.
            let is_new = known.insert((stat.st_dev, stat.st_ino));
            let has_path = carried.iter().any(|(path, _)| *path == needed.path);
            if !has_path && (is_new || needed.how.is_executed()) {
                carried.push((needed.path, copy_read_only(&needed.file)?));
            }
        }
        Ok(Some(Carried(carried)))
    }
}

/// Leaves nothing to be executed in an attached root but what was carried in, or else what the programs take of it.
pub(crate) fn leave_executable(
    root: &OwnedFd,
    wanted: &Executables,
    carried: Option<Carried>,
) -> Result<(), StepFault> {
    if let Some(Carried(carried)) = carried {
        refuse_execution(root)?;
        return carried.iter().try_for_each(|(path, tree)| {
            attach_source(tree, root, path.strip_prefix("/").unwrap_or(path))
        });
    }
    let top = root.try_clone().map_err(failed("dup"))?;
    // Copied first: a copy has the attributes that its mount has by then.
    let mut copies = Vec::new();
    let mut known = HashSet::new();
    let top = Root::at(top);
    let needed = top.needed(wanted)?;
    for directory in top.loaded_from(&needed)? {
        copies.push((copy_read_only(&directory)?, directory));
    }
    for needed in needed {
        let stat = fstat(&needed.file).map_err(failed("fstat of a program"))?;
        if known.insert((mount_id(&needed.file, c"")?, stat.st_ino)) {
            copies.push((copy_read_only(&needed.file)?, needed.file.into()));
        }
    }
    refuse_execution(root)?;
    copies
        .iter()
        .try_for_each(|(copy, file)| attach(copy, file, c""))
}
