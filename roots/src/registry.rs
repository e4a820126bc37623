//! The roots that were built here: `/var/lib/login-jail/roots`, one path a line, for `jailctl update` without a name.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    io::ErrorKind,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use crate::{fault::Fault, lock::Lock, tree::Tree};

/// Where they are listed.
pub const FILE: &str = "/var/lib/login-jail/roots";

/// Held while the list is changed.
const LOCK: &str = "/run/login-jail-roots.lock";

/// Gives the roots that are known: those that are there, and those that are not. One that can't be examined is counted
/// among the former: whoever opens it learns why.
///
/// # Errors
/// The list can't be read.
pub fn roots() -> Result<(Vec<PathBuf>, Vec<PathBuf>), Fault> {
    let is_there = |root: &PathBuf| match root.symlink_metadata() {
        Ok(_) => true,
        Err(error) => error.kind() != ErrorKind::NotFound,
    };
    Ok(known()?.into_iter().partition(is_there))
}

/// Adds a root. A root that is not there stays in the list: it may be on a file system that is not mounted now.
///
/// # Errors
/// The list can't be written.
pub fn add(root: &Path) -> Result<(), Fault> {
    let _lock = Lock::take(Path::new(LOCK))?;
    let mut roots = known()?;
    if !roots.insert(root.to_owned()) {
        return Ok(());
    }
    write(&roots)
}

/// Takes a root out of the list, and the list away that has no other.
///
/// # Errors
/// The list can't be written.
pub fn remove(root: &Path) -> Result<(), Fault> {
    let _lock = Lock::take(Path::new(LOCK))?;
    let mut roots = known()?;
    if !roots.remove(root) {
        return Ok(());
    }
    match roots.is_empty() {
        true => fs::remove_file(FILE).map_err(Fault::io("remove", Path::new(FILE))),
        false => write(&roots),
    }
}

fn write(roots: &BTreeSet<PathBuf>) -> Result<(), Fault> {
    let file = Path::new(FILE);
    // Whatever the umask is: in a directory that others can write to, the list would be refused from then on.
    let directory = Tree::make_above(file, &mut Vec::new())?;
    let mut text = Vec::new();
    for root in roots {
        text.extend_from_slice(root.as_os_str().as_encoded_bytes());
        text.push(b'\n');
    }
    let name = file.file_name().unwrap_or_default();
    directory.replace(Path::new(name), &text, 0o644)
}

fn known() -> Result<BTreeSet<PathBuf>, Fault> {
    match fs::read(FILE) {
        Ok(text) => {
            let lines = text.split(|byte| *byte == b'\n');
            let lines = lines.filter(|line| !line.is_empty());
            Ok(lines.map(|line| OsStr::from_bytes(line).into()).collect())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(Fault::io("read", Path::new(FILE))(error)),
    }
}
