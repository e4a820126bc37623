//! A new generation in the making: the host's files, brought in one way or another, and those made for this root.

use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, CWD, linkat},
    io::Errno,
};

use crate::{
    closure::{Closure, Entry, is_own},
    etc::Made,
    fault::Fault,
    host,
    manifest::{Method, Recipe, Record, digest, digest_text},
    place::{Place, set_times},
    progress::Progress,
    tree::Tree,
};

/// What a new generation is to be.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What was asked for.
    pub(crate) recipe: Recipe,
    /// What comes from the host.
    pub(crate) closure: Closure,
    /// What is made for this root.
    pub(crate) made: Vec<Made>,
}

/// Fills a directory with what a plan has; what a root has of its own is made in the root itself.
pub(crate) fn populate(
    stage: &Tree,
    root: &Tree,
    plan: &Plan,
    intact: &HashSet<PathBuf>,
    progress: &mut Progress<'_>,
) -> Result<BTreeMap<PathBuf, Record>, Fault> {
    let mut entries = BTreeMap::new();
    let files = plan.closure.entries.len().saturating_add(plan.made.len());
    progress.begin(u64::try_from(files).unwrap_or(0));
    for (path, entry) in &plan.closure.entries {
        if plan.made.iter().any(|made| made.path == *path) {
            continue;
        }
        let record = place(stage, root, plan, path, entry, intact)?;
        entries.insert(path.clone(), record);
        progress.add(1);
    }
    for Made { path, text } in &plan.made {
        stage.make_directories(path.parent().unwrap_or(Path::new("")))?;
        let written = stage.create(path, 0o644)?.write_all(text);
        written.map_err(Fault::io("write", &stage.show(path)))?;
        let sha256 = digest_text(text);
        entries.insert(
            path.clone(),
            Record::Made {
                sha256,
                mode: 0o644,
            },
        );
    }
    Ok(entries)
}

/// Puts one thing of the host into the directory, or into the root itself.
fn place(
    stage: &Tree,
    root: &Tree,
    plan: &Plan,
    path: &Path,
    entry: &Entry,
    intact: &HashSet<PathBuf>,
) -> Result<Record, Fault> {
    Ok(match entry {
        Entry::Directory if is_own(path) => {
            root.make_directories(path)?;
            Record::Directory
        }
        Entry::Directory => {
            stage.make_directory(path, 0o755)?;
            Record::Directory
        }
        Entry::Link(to) => {
            stage.symlink(to, path)?;
            Record::Link { to: to.clone() }
        }
        Entry::File(mode) => {
            let from_root = intact.contains(path).then_some(root);
            let (sha256, size) = bring(stage, path, *mode, plan.recipe.method, from_root)?;
            Record::File {
                sha256,
                mode: *mode,
                size,
                package: None,
            }
        }
    })
}

/// Brings one file of the host, and gives its digest and length.
fn bring(
    stage: &Tree,
    path: &Path,
    mode: u32,
    method: Method,
    intact: Option<&Tree>,
) -> Result<(String, u64), Fault> {
    if let Some(root) = intact {
        stage.link_from(root, path)?;
        let file = stage.open_file(path)?;
        return digest(file, |_| Ok(())).map_err(Fault::io("read", &stage.show(path)));
    }
    let source = host::open(path)?;
    let stat = rustix::fs::fstat(&source).map_err(Fault::io("stat", path))?;
    // Under another name it is the same file, owner and mode included; one that others could change is copied.
    if method == Method::Hardlink && stat.st_uid == 0 && stat.st_mode & 0o7777 == mode {
        let place = stage
            .place(path)
            .map_err(Fault::io("open", &stage.show(path)))?;
        place
            .link_host_file(&source, path)
            .map_err(|errno| not_shared(path, errno, "--hardlink"))?;
        return digest(source, |_| Ok(())).map_err(Fault::io("read", path));
    }
    let mut copy = stage.create(path, mode)?;
    let found = if method == Method::Reflink {
        let cloned = rustix::fs::ioctl_ficlone(&copy, &source);
        cloned.map_err(|errno| not_shared(path, errno, "--reflink"))?;
        digest(source, |_| Ok(()))
    } else {
        digest(source, |bytes| copy.write_all(bytes))
    };
    let found = found.map_err(Fault::io("copy", path))?;
    // Compiled files of Python's and others' are good for a source of one time only.
    set_times(&copy, stat.st_mtime).map_err(Fault::io("set the time of", &stage.show(path)))?;
    Ok(found)
}

fn not_shared(path: &Path, errno: Errno, option: &str) -> Fault {
    let error = io::Error::from(errno);
    Fault::Failed(format!(
        "{option}: {}: {error}; both must be on one file system that can do it; --copy works anywhere",
        path.display()
    ))
}

impl Place {
    /// Gives a file of the host a further name here.
    fn link_host_file(&self, file: &File, path: &Path) -> Result<(), Errno> {
        let (directory, name) = self.parts();
        // By descriptor where the kernel lets us, so that it is the file that was looked at.
        match linkat(file, "", directory, name, AtFlags::EMPTY_PATH) {
            Err(Errno::NOENT | Errno::PERM) => {
                linkat(CWD, path, directory, name, AtFlags::empty())?;
                let (wanted, linked) = (rustix::fs::fstat(file)?, self.stat()?);
                if (wanted.st_dev, wanted.st_ino) == (linked.st_dev, linked.st_ino) {
                    return Ok(());
                }
                self.remove()?;
                Err(Errno::STALE)
            }
            result => result,
        }
    }
}
