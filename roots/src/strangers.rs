//! What somebody has put between the files of a generation: it goes along into the next.

use std::{
    collections::{BTreeMap, HashSet},
    ffi::OsString,
    path::{Path, PathBuf},
};

use rustix::{fs::FileType, io::Errno};

use crate::{
    fault::Fault,
    manifest::{Manifest, Record},
    tree::Tree,
};

/// How often a file that somebody keeps exchanging is tried.
const MOST_TRIES: u32 = 100;

/// Takes along what somebody has put between the files of the old generation.
pub(crate) fn carry_over(
    stage: &Tree,
    root: &Tree,
    old: &Manifest,
    new: &BTreeMap<PathBuf, Record>,
) -> Result<(), Fault> {
    let mut open: Vec<PathBuf> = old
        .tops()
        .iter()
        .map(|top| Path::new("/").join(top))
        .collect();
    open.retain(|path| is_directory(root, path).unwrap_or(false));
    while let Some(directory) = open.pop() {
        let known = old.entries.contains_key(&directory) || new.contains_key(&directory);
        let listed = list_unmounted(root, &directory);
        let listed = match listed {
            // Its owner has taken it away since, or put something else there.
            Err(fault) if !known && is_gone(&fault) => continue,
            listed => listed?,
        };
        for (name, kind) in listed {
            let path = directory.join(name);
            let known = old.entries.contains_key(&path) || new.contains_key(&path);
            if kind == FileType::Directory {
                if !known {
                    stage.make_directories(&path)?;
                    copy_owner(stage, root, &path)?;
                }
                open.push(path);
            } else if !known {
                stage.make_directories(&directory)?;
                take_along(stage, root, &path)?;
            }
        }
    }
    Ok(())
}

/// Gives a file of somebody's own its name in the new generation as well; links, sockets and the rest too, for linkat(2)
/// takes what it is given and follows nothing. What its owner turns into a directory meanwhile stays behind.
fn take_along(stage: &Tree, root: &Tree, path: &Path) -> Result<(), Fault> {
    let mut tries = 0;
    loop {
        match stage.link_from(root, path) {
            Err(fault) if is_gone(&fault) => return Ok(()),
            Err(_) if is_directory(root, path)? => return Ok(()),
            // It may have been one for a moment.
            Err(_) if tries < MOST_TRIES => tries += 1,
            linked => return linked,
        }
    }
}

/// Lists a directory that goes with its generation, and nothing else with it.
fn list_unmounted(root: &Tree, directory: &Path) -> Result<Vec<(OsString, FileType)>, Fault> {
    if root.is_mount_point(directory)? {
        return Err(Fault::Failed(format!(
            "exchange {}: something is mounted on it, and would go with the old generation; unmount it, and mount it below \
             /srv, /mnt or /media in the root",
            root.show(directory).display()
        )));
    }
    root.list(directory)
}

/// Whether something was not where it was found a moment before.
fn is_gone(fault: &Fault) -> bool {
    let gone = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP].map(|errno| Some(errno.raw_os_error()));
    matches!(fault, Fault::Io { error, .. } if gone.contains(&error.raw_os_error()))
}

fn is_directory(root: &Tree, path: &Path) -> Result<bool, Fault> {
    let stat = root.stat(path)?;
    Ok(stat.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory))
}

/// Removes what a generation has beside what its manifest knows: it was somebody's own, and who it belongs to may have
/// changed or deleted it since.
pub(crate) fn drop_strangers(stage: &Tree, manifest: &Manifest) -> Result<(), Fault> {
    let known = manifest.entries.keys().flat_map(|path| path.ancestors());
    let known: HashSet<&Path> = known.collect();
    let mut open = vec![PathBuf::from("/")];
    while let Some(directory) = open.pop() {
        for (name, kind) in stage.list(&directory)? {
            let path = directory.join(name);
            if !known.contains(path.as_path()) {
                stage.remove(&path)?;
            } else if kind == FileType::Directory {
                open.push(path);
            }
        }
    }
    Ok(())
}

fn copy_owner(stage: &Tree, root: &Tree, path: &Path) -> Result<(), Fault> {
    let Some(stat) = root.stat(path)? else {
        return Ok(());
    };
    stage.make_directory(path, stat.st_mode & 0o7777)?;
    let place = stage
        .place(path)
        .map_err(Fault::io("open", &stage.show(path)))?;
    let changed = place.chown(stat.st_uid, stat.st_gid);
    changed.map_err(Fault::io("chown", &stage.show(path)))?;
    let directory = place
        .open_directory()
        .map_err(Fault::io("open", &stage.show(path)))?;
    let mode = rustix::fs::Mode::from_raw_mode(stat.st_mode & 0o7777);
    rustix::fs::fchmod(directory, mode).map_err(Fault::io("chmod", &stage.show(path)))
}
