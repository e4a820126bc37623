//! A root that is not there yet: made beside its place, complete, and then given its name.

use std::{
    ffi::OsString,
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
};

use rustix::fs::{RenameFlags, fstat};

use crate::{fault::Fault, tree::Tree};

/// Makes a path absolute, and refuses one that is not plain.
///
/// # Errors
/// It has `..` or control characters in it, or is `/`.
pub fn absolute(path: &Path) -> Result<PathBuf, Fault> {
    let absolute = std::path::absolute(path).map_err(Fault::io("find", path))?;
    let plain = !absolute
        .components()
        .any(|part| part == Component::ParentDir);
    // The list of roots has one a line.
    let printable = !absolute
        .as_os_str()
        .as_bytes()
        .iter()
        .any(u8::is_ascii_control);
    if plain && printable && absolute.file_name().is_some() {
        return Ok(absolute.components().collect());
    }
    Err(Fault::Usage(format!(
        "{} is no root for a jail",
        path.display()
    )))
}

/// Makes a root, and the directories above it that are missing.
///
/// # Errors
/// What `fill` says; a directory above is not root's alone; something has taken the name in the meantime. Nothing is left
/// then of what was made.
pub fn new_root<T>(path: &Path, fill: impl FnOnce(&Tree) -> Result<T, Fault>) -> Result<T, Fault> {
    let mut made = Vec::new();
    let filled = Tree::make_above(path, &mut made).and_then(|parent| root_in(&parent, path, fill));
    if filled.is_err() {
        Tree::remove_above(&made);
    }
    filled
}

/// Makes a root beside its place and gives it its name once it is complete.
fn root_in<T>(
    parent: &Tree,
    path: &Path,
    fill: impl FnOnce(&Tree) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let name = path.file_name().unwrap_or_default();
    let beside = beside(path);
    let beside = Path::new(&beside);
    remove_left(parent, beside)?;
    // Out of everybody's reach until it is complete.
    parent.make_directory(beside, 0o700)?;
    let root = parent.subtree(beside)?;
    let _held = root.lock()?;
    // Another run may have taken it for a killed one's before it was locked, and begun anew.
    let own = fstat(&root).map_err(Fault::io("stat", root.shown()))?;
    let there = parent.stat(beside)?;
    if there.is_none_or(|there| there.st_ino != own.st_ino) {
        return Err(Fault::Failed(format!(
            "make {}: another jailctl is at work on it",
            path.display()
        )));
    }
    let filled = fill(&root).and_then(|filled| {
        root.chmod(0o755)?;
        parent.rename(beside, Path::new(name), RenameFlags::NOREPLACE)?;
        Ok(filled)
    });
    if filled.is_err() {
        parent.remove(beside)?;
    }
    filled
}

/// Gives the name that a root has until it is complete.
pub(crate) fn beside(path: &Path) -> OsString {
    let mut beside = OsString::from(".");
    beside.push(path.file_name().unwrap_or_default());
    beside.push(".jailctl-new");
    beside
}

/// Removes what a run that was killed has left; one that is at work holds its lock.
fn remove_left(parent: &Tree, beside: &Path) -> Result<(), Fault> {
    if parent.stat(beside)?.is_some() {
        let _held = parent.subtree(beside)?.lock()?;
        parent.remove(beside)?;
    }
    Ok(())
}

/// Removes what is left of a root that was to be made.
///
/// # Errors
/// A run is at work on it; a system call failed.
pub(crate) fn remove_unfinished(path: &Path) -> Result<(), Fault> {
    let above = path.parent().unwrap_or(Path::new("/"));
    if above.symlink_metadata().is_err() {
        return Ok(());
    }
    remove_left(&Tree::open_above(path)?, Path::new(&beside(path)))
}
