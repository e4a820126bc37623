//! The roots that were built here: `/var/lib/login-jail/roots`, one path a line, for `jailctl update` without a name.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use crate::{fault::Fault, tree::Tree};

/// Where they are listed.
pub const FILE: &str = "/var/lib/login-jail/roots";

/// Gives the roots that are known: those that are there, and those that are not.
///
/// # Errors
/// The list can't be read.
pub fn roots() -> Result<(Vec<PathBuf>, Vec<PathBuf>), Fault> {
    Ok(known()?.into_iter().partition(|root| root.is_dir()))
}

/// Adds a root.
///
/// # Errors
/// The list can't be written.
pub fn add(root: &Path) -> Result<(), Fault> {
    let mut roots = known()?;
    if !roots.insert(root.to_owned()) {
        return Ok(());
    }
    let file = Path::new(FILE);
    // Whatever the umask is: in a directory that others can write to, the list would be refused from then on.
    let directory = Tree::make_above(file, &mut Vec::new())?;
    let mut text = Vec::new();
    // One that is gone is forgotten on this occasion.
    for root in roots.iter().filter(|root| root.is_dir()) {
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
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(Fault::io("read", Path::new(FILE))(error)),
    }
}
