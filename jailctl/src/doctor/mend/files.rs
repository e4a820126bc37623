//! Files below a root: their modes, capabilities and owners, and devices.

use std::{os::fd::OwnedFd, path::Path};

use jail::trust;
use rustix::{
    fs::{AtFlags, FileType, Mode, Uid, fchmod, fchown, fgetxattr, fremovexattr, statat, unlinkat},
    io::Errno,
};

use crate::{
    accounts::account::Jailed,
    doctor::{
        check::{excess, is_misowned, is_strange_device},
        mend::{
            Data, Extent, Kind,
            reach::{Reached, Root, failed, mode_words},
        },
    },
    failure::Failure,
    shell::shown,
};

const CAPABILITIES: &str = "security.capability";
const ACCESS_LIST: &str = "system.posix_acl_access";

/// Mends one file, directory or device below a root.
pub(crate) fn mend(
    kind: Kind,
    path: &Path,
    all: &[Jailed],
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    let root = Root::above(all, path)?;
    let reached = root.reach(path)?;
    Data::of(all)?.refuse(&reached.shown)?;
    let below = path.strip_prefix(root.path).unwrap_or(path);
    if kind == Kind::Device {
        return remove_device(&reached, below, extent);
    }
    let opened = reached.open()?;
    let Some(change) = wanted(kind, &root, &reached, &opened, below)? else {
        return Ok(Vec::new());
    };
    reached.insist_on_one_link()?;
    if extent == Extent::Whole {
        reached.alone(|| {
            let applied = change.apply(&opened);
            applied.map_err(failed("change", &reached.shown))
        })?;
    }
    Ok(vec![change.words(&reached)])
}

/// A change of a file's inode.
enum Change {
    Mode(u32),
    NoCapabilities,
    RootsOwn,
}

impl Change {
    fn apply(&self, opened: &OwnedFd) -> Result<(), Errno> {
        match self {
            Change::Mode(mode) => fchmod(opened, Mode::from_raw_mode(*mode)),
            Change::NoCapabilities => fremovexattr(opened, CAPABILITIES),
            Change::RootsOwn => fchown(opened, Some(Uid::ROOT), None),
        }
    }

    fn words(&self, reached: &Reached) -> String {
        let shown = shown(&reached.shown);
        match self {
            Change::Mode(mode) => mode_words(&reached.shown, *mode, reached.mode()),
            Change::NoCapabilities => format!("{shown}: file capabilities removed"),
            Change::RootsOwn => {
                format!("{shown}: belongs to root, was uid {}", reached.stat.st_uid)
            }
        }
    }
}

/// Finds out what is still wrong with a file; nothing where it is as it should be.
fn wanted(
    kind: Kind,
    root: &Root<'_>,
    reached: &Reached,
    opened: &OwnedFd,
    below: &Path,
) -> Result<Option<Change>, Failure> {
    let has = |name: &str| match fgetxattr(opened, name, &mut [0_u8; 0]) {
        Ok(_) => Ok(true),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(false),
        Err(errno) => Err(failed("examine", &reached.shown)(errno)),
    };
    let is_file = reached.file_type() == FileType::RegularFile;
    let mode = reached.mode();
    let without = |bits: u32| (mode & bits != 0).then_some(Change::Mode(mode & !bits));
    Ok(match kind {
        Kind::SetId if is_file => without(0o6000),
        Kind::FileCapabilities if is_file && has(CAPABILITIES)? => Some(Change::NoCapabilities),
        Kind::SystemWritable | Kind::WorldWritable => {
            without(excess(&root.users, below, &reached.stat, has(ACCESS_LIST)?))
        }
        Kind::SystemOwner if is_misowned(&root.users, below, &reached.stat) => {
            Some(Change::RootsOwn)
        }
        _ => None,
    })
}

/// Removes a device. One that the user has put something else in the place of stays.
fn remove_device(reached: &Reached, below: &Path, extent: Extent) -> Result<Vec<String>, Failure> {
    if !is_strange_device(below, &reached.stat) {
        return Ok(Vec::new());
    }
    let (directory, name) = (&reached.directory, &reached.name);
    let now = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(failed("examine", &reached.shown))?;
    reached.insist_on_same(&now)?;
    if extent == Extent::Whole {
        unlinkat(directory, name, AtFlags::empty()).map_err(failed("remove", &reached.shown))?;
    }
    let kind = trust::kind(reached.file_type());
    Ok(vec![format!("{}: {kind} removed", shown(&reached.shown))])
}
