//! Many directories as one change: roots and homes, made by descriptor below directories that root alone can change.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use jail_roots::tree::Tree;
use serde::{Deserialize, Serialize};

use crate::{
    failure::Failure,
    progress::Progress,
    setup::{
        directory::{make_in, remove_empty},
        undone::Undone,
    },
};

/// A directory to be made, with the ids of its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) path: PathBuf,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Directories to be made, those above others first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Directories {
    pub(crate) made: Vec<Made>,
}

/// Directories that are planned, each once.
#[derive(Debug, Default)]
pub(super) struct Planned {
    made: Vec<Made>,
    known: BTreeSet<PathBuf>,
}

impl Planned {
    /// Adds one of root's and what is missing above it.
    pub(super) fn of_root(&mut self, path: &Path) {
        self.add(path, 0o755, [0, 0]);
    }

    /// Adds one and what is missing above it; `ids` are uid and gid of its owner.
    pub(super) fn add(&mut self, path: &Path, mode: u32, ids: [u32; 2]) {
        if self.known.contains(path) || path.symlink_metadata().is_ok() {
            return;
        }
        if let Some(above) = path.parent() {
            self.of_root(above);
        }
        let [uid, gid] = ids;
        self.known.insert(path.to_owned());
        self.made.push(Made {
            path: path.to_owned(),
            mode,
            uid,
            gid,
        });
    }

    pub(super) fn into_directories(self) -> Directories {
        Directories { made: self.made }
    }
}

impl Directories {
    pub(crate) fn is_empty(&self) -> bool {
        self.made.is_empty()
    }

    pub(crate) fn is_done(&self) -> bool {
        let is_there = |it: &Made| it.path.symlink_metadata().is_ok();
        self.made.iter().any(is_there)
    }

    /// Says what is made.
    pub(crate) fn show(&self) -> Vec<String> {
        const SHOWN: usize = 4;
        let mut lines: Vec<String> = self
            .made
            .iter()
            .take(SHOWN)
            .map(
                |Made {
                     path,
                     mode,
                     uid,
                     gid,
                 }| {
                    format!("make {} (mode {mode:o}, {uid}:{gid})", path.display())
                },
            )
            .collect();
        let more = self.made.len().saturating_sub(SHOWN);
        if more > 0 {
            let last = self.made.last().map(|it| it.path.display().to_string());
            lines.push(format!(
                "make {more} more directories, up to {}",
                last.unwrap_or_default()
            ));
        }
        lines
    }

    /// Makes them.
    ///
    /// # Errors
    /// Something is there already; others than root can change the directory above; a system call failed.
    pub(crate) fn make(&self) -> Result<(), Failure> {
        let mut progress = Progress::new(u64::try_from(self.made.len()).unwrap_or(0));
        let mut above: Option<(&Path, Tree)> = None;
        for one in &self.made {
            let parent = one.path.parent().unwrap_or(Path::new("/"));
            let tree = match above.take() {
                Some((path, tree)) if path == parent => tree,
                _ => Tree::open_above(&one.path)?,
            };
            make_in(&tree, &one.path, one.mode, (one.uid, one.gid))
                .map_err(|errno| Failure::io("make", &one.path, &errno.into()))?;
            above = Some((parent, tree));
            progress.add(1);
        }
        Ok(())
    }

    /// Removes those that are empty.
    pub(crate) fn remove(&self) -> Undone {
        let mut progress = Progress::new(u64::try_from(self.made.len()).unwrap_or(0));
        let (mut gone, mut kept) = (0_usize, Vec::<(&Path, String)>::new());
        for one in self.made.iter().rev() {
            progress.add(1);
            match remove_empty(&one.path) {
                Ok(true) => gone += 1,
                Ok(false) => {}
                // Those above a directory that stays have to stay, too.
                Err(_) if kept.last().is_some_and(|(it, _)| it.starts_with(&one.path)) => {}
                Err(why) => kept.push((&one.path, why)),
            }
        }
        let kept = kept.iter();
        Undone::of(gone > 0, || format!("removed {gone} directories"))
            .keeping(kept.map(|(path, why)| format!("{}: it stays, because {why}", path.display())))
    }
}
