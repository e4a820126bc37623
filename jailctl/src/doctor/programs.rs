//! Whether the programs that a root has can start. Looked at from inside, as the user, like all of a rehearsal.

use std::{
    collections::HashSet,
    fs::{self, DirEntry},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use jail::process::program::Root;
use rustix::fs::{StatVfsMountFlags, statvfs};

/// Where PATH leads.
const DIRECTORIES: [&str; 6] = [
    "/bin",
    "/usr/bin",
    "/usr/local/bin",
    "/sbin",
    "/usr/sbin",
    "/usr/local/sbin",
];

/// How many entries of each are looked at.
const MOST: usize = 5_000;

/// Lists the programs that can't start, each with why; without those that somebody else looks at. What a base shows is left
/// out: it is read-only here, and somebody else's to mend.
pub(crate) fn broken(without: &[&Path]) -> Vec<(PathBuf, String)> {
    let Ok(root) = Root::current(None) else {
        return Vec::new();
    };
    // /bin may be /usr/bin once more.
    let mut known = HashSet::new();
    DIRECTORIES
        .iter()
        .filter(|directory| is_the_roots(directory))
        .filter(|directory| fs::canonicalize(directory).is_ok_and(|place| known.insert(place)))
        .filter_map(|directory| fs::read_dir(directory).ok())
        .flat_map(|entries| entries.flatten().take(MOST))
        .filter(is_program)
        .map(|entry| entry.path())
        .filter(|path| !without.contains(&path.as_path()))
        .filter_map(|path| {
            let fault = root.check(&path).err()?;
            Some((path, fault.to_string()))
        })
        .collect()
}

fn is_the_roots(directory: &str) -> bool {
    statvfs(directory).is_ok_and(|it| !it.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// Tells whether an entry is made to be run. A link that leads nowhere may have been.
fn is_program(entry: &DirEntry) -> bool {
    fs::metadata(entry.path()).map_or(true, |it| {
        it.is_file() && it.permissions().mode() & 0o111 != 0
    })
}
