//! A root that is taken back just after it was made: it goes, unless somebody has put anything into it or changed it since.

use std::path::{Path, PathBuf};

use rustix::fs::{FileType, RenameFlags};

use crate::{
    fault::Fault,
    generation,
    manifest::CONTROL,
    new_root::{absolute, beside, remove_unfinished},
    registry,
    tree::Tree,
};

/// Is written when all else is: what has a later time was changed since.
const MADE: &str = ".login-jail/made";

/// Notes that a root is as it was made.
///
/// # Errors
/// It can't be written.
pub fn mark(root: &Path) -> Result<(), Fault> {
    let tree = Tree::open(root)?;
    let _held = generation::hold(&tree)?;
    tree.replace(Path::new(MADE), b"", 0o600)
}

/// Removes a root that is as it was made, or what is left of the making of one. Gives what somebody has changed in it otherwise, and
/// leaves it as it is.
///
/// # Errors
/// A system call failed.
pub fn remove(root: &Path) -> Result<Option<PathBuf>, Fault> {
    let root = absolute(root)?;
    if root.symlink_metadata().is_err() {
        remove_unfinished(&root)?;
        registry::remove(&root)?;
        return Ok(None);
    }
    let tree = Tree::open(&root)?;
    let held = generation::hold(&tree)?;
    let Some(made) = tree.stat(Path::new(MADE))? else {
        return Ok(Some(root));
    };
    if let Some(changed) = changed_since(&tree, (made.st_ctime, made.st_ctime_nsec))? {
        return Ok(Some(tree.show(&changed)));
    }
    // Nobody makes anything in it any more.
    drop(tree);
    let name = Path::new(root.file_name().unwrap_or_default());
    let left = beside(&root);
    let above = Tree::open_above(&root)?;
    // It goes at once; what is left of it where this is killed is that of a root that was never complete.
    above.rename(name, Path::new(&left), RenameFlags::NOREPLACE)?;
    registry::remove(&root)?;
    above.remove(Path::new(&left))?;
    drop(held);
    Ok(None)
}

/// Finds what was changed after a moment, or is a file of somebody's own.
fn changed_since(tree: &Tree, moment: (i64, u64)) -> Result<Option<PathBuf>, Fault> {
    let mut open = vec![PathBuf::from("/")];
    while let Some(directory) = open.pop() {
        if directory != Path::new("/") && tree.is_mount_point(&directory)? {
            return Ok(Some(directory));
        }
        for (name, kind) in tree.list(&directory)? {
            let path = directory.join(name);
            if path == Path::new("/").join(CONTROL) {
                continue;
            }
            let Some(stat) = tree.stat(&path)? else {
                return Ok(Some(path));
            };
            let is_later = (stat.st_ctime, stat.st_ctime_nsec) > moment;
            let is_directory = kind == FileType::Directory;
            if is_later || stat.st_uid != 0 && !is_directory {
                return Ok(Some(path));
            }
            if is_directory {
                open.push(path);
            }
        }
    }
    Ok(None)
}
