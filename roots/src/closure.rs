//! What a root has of the host's files, and which of its directories are never filled with them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
};

use crate::note::Note;

/// What a root has of its own: the users' files, the system's state, and what is mounted at login. No preset puts
/// files there, and a root that is built anew keeps them as they are.
pub const OWN: [&str; 14] = [
    "home",
    "root",
    "tmp",
    "run",
    "var",
    "proc",
    "dev",
    "sys",
    "srv",
    "mnt",
    "media",
    "boot",
    "lost+found",
    ".login-jail",
];

/// What is at a path of a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A directory, root's and for everybody.
    Directory,
    /// A symbolic link, and its text.
    Link(PathBuf),
    /// A copy of the host's file of this path, with this mode.
    File(u32),
}

/// The result: what a root has, by path.
#[derive(Clone, Debug, Default)]
pub struct Closure {
    /// Everything, parents before children.
    pub entries: BTreeMap<PathBuf, Entry>,
    /// What is to be said about it.
    pub notes: BTreeSet<Note>,
}

/// Gives the first name of a path below the root.
pub(crate) fn top(path: &Path) -> Option<PathBuf> {
    path.components().find_map(|component| match component {
        Component::Normal(name) => Some(PathBuf::from(name)),
        _ => None,
    })
}

/// Whether a path is below what a root has of its own.
pub(crate) fn is_own(path: &Path) -> bool {
    top(path).is_some_and(|top| OWN.iter().any(|own| top == Path::new(own)))
}
