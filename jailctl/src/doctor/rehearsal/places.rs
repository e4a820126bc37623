//! Places to mount on that a rehearsed login makes in a root. A look changes nothing: they go again once it has ended.

use std::path::{Path, PathBuf};

use jail::{plan::Plan, resolve::openat2};
use jail_config::Base;
use jail_roots::tree::Tree;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, statat, unlinkat};

use crate::{mountinfo::Mounted, process::Process};

/// What is mounted in each jail that is not told otherwise, and what marks a session behind PAM.
const PRIVATE: [&str; 4] = ["/proc", "/dev", "/tmp", "/run/login-jail"];

/// The places that are missing in the root and in its base, those above others first; removed when it is dropped.
#[derive(Debug)]
pub(crate) struct MountPlaces(Vec<(PathBuf, Vec<PathBuf>)>);

impl MountPlaces {
    /// Finds what is missing before a login is rehearsed.
    pub(crate) fn missing(plan: &Plan) -> MountPlaces {
        let Some(view) = &plan.world.view else {
            return MountPlaces(Vec::new());
        };
        let mounts = view.mounts.iter().map(|mount| &mount.target);
        let services = view.services.iter().flat_map(|it| &it.shown);
        let services = services.flat_map(|shown| &shown.targets);
        let programs = plan.world.executables().map(|it| it.programs.as_slice());
        let programs = programs.unwrap_or_default().iter().flatten();
        let targets = mounts.chain(services).chain(programs).map(PathBuf::as_path);
        let targets: Vec<&Path> = PRIVATE.iter().map(Path::new).chain(targets).collect();
        let base = match &view.base {
            Base::Directory(base) => Some(base),
            Base::None | Base::Host => None,
        };
        let tops = [&plan.world.root].into_iter().chain(base);
        let tops = tops.filter_map(|top| top.canonicalize().ok());
        MountPlaces(
            tops.map(|top| {
                let missing = missing_in(&top, &targets);
                (top, missing)
            })
            .collect(),
        )
    }
}

impl Drop for MountPlaces {
    /// Removes those that are there by now and empty. In a root that a session is in they stay: it may have mounted something on them.
    fn drop(&mut self) {
        for (top, missing) in &self.0 {
            let made = missing.iter().rev();
            let mut made = made.filter(|it| top.join(it).symlink_metadata().is_ok());
            let Some(last) = made.next() else {
                continue;
            };
            let is_open = Mounted::namespaces_with(top).map_or(true, |number| number > 0)
                || Process::has_root(top).unwrap_or(true);
            if !is_open {
                for path in [last].into_iter().chain(made) {
                    // One that is not empty is somebody's by now.
                    remove_empty(top, path).unwrap_or_default();
                }
            }
        }
    }
}

/// Lists the paths below a directory that are missing on the way to some places in it.
fn missing_in(top: &Path, targets: &[&Path]) -> Vec<PathBuf> {
    let mut missing: Vec<PathBuf> = Vec::new();
    for target in targets {
        let mut path = PathBuf::new();
        for name in target.strip_prefix("/").unwrap_or(target) {
            path.push(name);
            if top.join(&path).symlink_metadata().is_err() && !missing.contains(&path) {
                missing.push(path.clone());
            }
        }
    }
    missing
}

/// Removes an empty directory or file. The root may be its user's: no link of theirs is followed.
fn remove_empty(top: &Path, path: &Path) -> Option<()> {
    let above = Tree::open_above(top).ok()?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let below = Path::new(top.file_name()?).join(path);
    let directory = openat2(&above, below.parent()?, flags, Mode::empty(), resolve).ok()?;
    let name = path.file_name()?;
    let stat = statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => unlinkat(&directory, name, AtFlags::REMOVEDIR).ok(),
        FileType::RegularFile if stat.st_size == 0 => {
            unlinkat(&directory, name, AtFlags::empty()).ok()
        }
        _ => None,
    }
}
