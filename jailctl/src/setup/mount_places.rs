//! Places to mount on that a rehearsed login makes in a root. They go again where the change that it was rehearsed for is not made.

use std::{
    fs,
    path::{Path, PathBuf},
};

use jail_config::{Base, Jail};

use super::directory::remove_empty;
use crate::{mountinfo::Mounted, process::Process};

/// What is mounted in each jail that is not told otherwise.
const PRIVATE: [&str; 3] = ["/proc", "/dev", "/tmp"];

/// The places that are missing in some roots and bases, those above others first.
#[derive(Debug, Default)]
pub(crate) struct MountPlaces(Vec<(PathBuf, Vec<PathBuf>)>);

impl MountPlaces {
    /// Finds what is missing before a login is rehearsed.
    pub(crate) fn missing<'a>(jails: impl IntoIterator<Item = &'a Jail>) -> MountPlaces {
        let mut places = MountPlaces::default();
        for jail in jails {
            let targets = jail.mounts.iter().map(|mount| mount.target.as_path());
            let targets: Vec<&Path> = PRIVATE.iter().map(Path::new).chain(targets).collect();
            let base = match &jail.base {
                Base::Directory(base) => Some(base),
                Base::None | Base::Host => None,
            };
            for top in [&jail.root].into_iter().chain(base) {
                if top.is_dir() && !places.0.iter().any(|(known, _)| known == top) {
                    places.0.push((top.clone(), missing_in(top, &targets)));
                }
            }
        }
        places
    }

    /// Removes those that are there by now and empty. In a root that a session is in they stay: it may have mounted something on them.
    pub(crate) fn remove(&self) {
        for (top, missing) in &self.0 {
            let is_open = Mounted::namespaces_with(top).map_or(true, |number| number > 0)
                || Process::has_root(top).unwrap_or(true);
            for path in missing.iter().rev().filter(|_| !is_open) {
                let is_directory = fs::symlink_metadata(path).is_ok_and(|it| it.is_dir());
                if is_directory {
                    // One that is not empty is somebody's by now.
                    drop(remove_empty(path));
                }
            }
        }
    }
}

fn missing_in(top: &Path, targets: &[&Path]) -> Vec<PathBuf> {
    let mut missing: Vec<PathBuf> = Vec::new();
    for target in targets {
        let mut path = top.to_owned();
        for name in target.strip_prefix("/").unwrap_or(target) {
            path.push(name);
            if path.symlink_metadata().is_err() && !missing.contains(&path) {
                missing.push(path.clone());
            }
        }
    }
    missing
}
