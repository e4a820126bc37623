//! What of the host is mounted below a root, and is nobody's jail: it is unmounted.

use std::path::Path;

use jail::resolve::openat2;
use rustix::{
    fs::{AtFlags, Mode, OFlags, ResolveFlags, StatxFlags, statx},
    mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount},
    process::fchdir,
};

use crate::{
    accounts::account::Jailed,
    doctor::{
        check::{Finding, mounts_below_roots},
        mend::{
            Extent, Kind, Repair,
            reach::{Root, failed},
        },
    },
    failure::Failure,
    mountinfo::Mounted,
    shell::shown,
};

/// Unmounts what is mounted at a path below a root, and what is mounted below that.
pub(crate) fn mend(path: &Path, all: &[Jailed], extent: Extent) -> Result<Vec<String>, Failure> {
    let wanted = Repair::of_path(Kind::MountInRoot, path);
    let is_wanted = |found: &Finding| found.mend.as_ref().is_some_and(|mend| mend.is(&wanted));
    if !mounts_below_roots(all)?.iter().any(is_wanted) {
        return Ok(Vec::new());
    }
    let mounted = Mounted::all()?;
    // Of two at one point, the later one covers the other.
    let at = mounted.iter().rev().find(|it| it.point == path);
    let Some(mount) = at else {
        return Ok(Vec::new());
    };
    let root = Root::above(all, path)?;
    let below = path.strip_prefix(root.path).unwrap_or(path);
    let parent = match below.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let name = below.file_name().unwrap_or_default();
    // Through other mounts, but through no link.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let directory = openat2(root.directory()?, parent, flags, Mode::empty(), resolve)
        .map_err(failed("open", path))?;
    let look = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
    let there =
        statx(&directory, name, look, StatxFlags::MNT_ID).map_err(failed("examine", path))?;
    if there.stx_mnt_id != mount.id {
        return Err(Failure::Failed(format!(
            "{}: something else is mounted there by now",
            shown(path)
        )));
    }
    let is_alone = !mounted
        .iter()
        .any(|it| it.point != path && it.point.starts_with(path));
    if extent == Extent::Whole {
        // A name without a slash, in a directory that is open: nothing is followed on the way to it.
        fchdir(&directory).map_err(failed("enter", path.parent().unwrap_or(path)))?;
        let unmounted = if is_alone {
            unmount(name, UnmountFlags::NOFOLLOW)
        } else {
            // What is mounted below may be one with the host's own mounts, which would go as well.
            mount_change(
                name,
                MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
            )
            .and_then(|()| unmount(name, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH))
        };
        unmounted.map_err(failed("unmount", path))?;
    }
    let more = if is_alone {
        ""
    } else {
        ", with all that is mounted below it"
    };
    Ok(vec![format!("{}: unmounted{more}", shown(path))])
}
