//! The generations of a root: the one in use, the one before, and the one in the making.
//!
//! A new one is made complete in `ROOT/.login-jail/next` and then takes the place of the old one, one top-level entry
//! after the other, each by a single renameat2(2): libraries first, since old programs run with newer ones. What users
//! have in the root never moves, and sessions that are open see the new files at once. A journal says what is to be
//! exchanged for what, so that a run that was killed in between is completed by the next one. At each moment there is
//! a whole system in the root.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    ffi::OsString,
    fs::File,
    io::{self, Write},
    os::fd::OwnedFd,
    path::{Component, Path, PathBuf},
};

use jail::world::dev::DEVICES;
use rustix::{
    fs::{AtFlags, CWD, FileType, RenameFlags, linkat},
    io::Errno,
};
use serde::{Deserialize, Serialize};

use crate::{
    closure::{Closure, Entry, OWN},
    etc::Made,
    fault::Fault,
    host,
    manifest::{
        CONTROL, FILE, Manifest, Method, Recipe, Record, check_control, digest, digest_text,
    },
    progress::Progress,
    tree::{Tree, set_times},
};

const NEXT: &str = ".login-jail/next";
const PREVIOUS: &str = ".login-jail/previous";
const JOURNAL: &str = ".login-jail/journal.json";
const LARGEST_JOURNAL: u64 = 1024 * 1024;
/// How often a file that somebody keeps exchanging is tried.
const MOST_TRIES: u32 = 100;

/// Directories that every root has, and their modes.
const SKELETON: [(&str, u32); 9] = [
    ("/dev", 0o755),
    ("/etc", 0o755),
    ("/home", 0o755),
    ("/proc", 0o755),
    ("/run", 0o755),
    ("/sys", 0o755),
    ("/tmp", 0o1777),
    ("/var", 0o755),
    ("/var/tmp", 0o1777),
];

/// What a new generation is to be.
#[derive(Debug)]
pub struct Plan {
    /// What was asked for.
    pub recipe: Recipe,
    /// What comes from the host.
    pub closure: Closure,
    /// What is made for this root.
    pub made: Vec<Made>,
}

/// One entry of a root that is to be exchanged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Step {
    /// Where it is used, below the root.
    inside: PathBuf,
    /// Where the other one is, below the root.
    beside: PathBuf,
    /// The inode that `inside` has once this is done; `None` where it is to be gone then.
    inode: Option<u64>,
}

/// What is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Journal {
    /// The generation that comes into use.
    from: PathBuf,
    steps: Vec<Step>,
}

/// Makes the directories, devices and the control directory that a root has of its own, as far as they are missing.
///
/// # Errors
/// Something else is there in their place, or a system call failed.
pub fn make_skeleton(root: &Tree) -> Result<(), Fault> {
    root.make_directory(Path::new(CONTROL), 0o700)?;
    for (path, mode) in SKELETON {
        if root.stat(Path::new(path))?.is_none() {
            root.make_directory(Path::new(path), mode)?;
        }
    }
    // A fully isolated session has a /dev of its own and does not see them.
    for (name, major, minor) in DEVICES {
        let path = &Path::new("/dev").join(name);
        if root.stat(path)?.is_some() {
            continue;
        }
        match root
            .place(path)
            .and_then(|place| place.make_device(major, minor))
        {
            // Not for whoever is root of a container only; a fully isolated session needs none of them.
            Ok(()) | Err(Errno::PERM) => {}
            Err(errno) => return Err(Fault::io("make device", &root.show(path))(errno)),
        }
    }
    Ok(())
}

/// Holds a root against other runs of this program, until the returned descriptor is closed: flock(2) on its control
/// directory, which nobody inside can open and so hold in his turn.
///
/// # Errors
/// There is none, others can open it, or another run holds it.
pub fn hold(root: &Tree) -> Result<OwnedFd, Fault> {
    check_control(root)?;
    let control = Path::new(CONTROL);
    if root.stat(control)?.is_none() {
        return Err(Fault::Failed(format!(
            "open {}: there is none; jailctl build and import make roots that have one",
            root.show(control).display()
        )));
    }
    root.subtree(control)?.lock()
}

/// Completes what a killed run has begun, and throws away what it had not finished making. The root must be locked.
///
/// # Errors
/// A system call that failed.
pub fn recover(root: &Tree) -> Result<(), Fault> {
    check_control(root)?;
    if let Some(text) = root.read(Path::new(JOURNAL), LARGEST_JOURNAL)? {
        let journal: Journal = serde_json::from_slice(&text).map_err(|error| {
            let path = root.show(Path::new(JOURNAL));
            Fault::Failed(format!("read {}: {error}", path.display()))
        })?;
        run(root, &journal)?;
    }
    root.remove(Path::new(NEXT))
}

/// Makes a new generation and puts it into use. `intact` are paths whose file in the root is just what it is to be: they
/// are kept as they are. The root must be locked, and recovered.
///
/// # Errors
/// A system call that failed; the old generation is in use then, or the next run completes this one.
pub fn put_in_place(
    root: &Tree,
    plan: &Plan,
    old: Option<&Manifest>,
    intact: &HashSet<PathBuf>,
    progress: &mut Progress<'_>,
) -> Result<Manifest, Fault> {
    match prepare(root, plan, old, intact, progress) {
        Ok(manifest) => {
            exchange(root, Path::new(NEXT), old, &manifest)?;
            Ok(manifest)
        }
        Err(fault) => {
            root.remove(Path::new(NEXT))?;
            Err(fault)
        }
    }
}

/// Makes a new generation beside the old one.
fn prepare(
    root: &Tree,
    plan: &Plan,
    old: Option<&Manifest>,
    intact: &HashSet<PathBuf>,
    progress: &mut Progress<'_>,
) -> Result<Manifest, Fault> {
    root.make_directory(Path::new(NEXT), 0o700)?;
    let stage_path = Path::new(NEXT).join("root");
    root.make_directory(&stage_path, 0o755)?;
    let stage = root.subtree(&stage_path)?;
    let entries = populate(&stage, root, plan, intact, progress)?;
    if let Some(old) = old {
        carry_over(&stage, root, old, &entries)?;
    }
    let mut manifest = Manifest::new(plan.recipe.clone(), entries);
    manifest.name_packages();
    let path = Path::new(NEXT).join("manifest.json");
    root.replace(&path, &manifest.text()?, 0o600)?;
    if old.is_some() {
        // The old generation is known to be on the disk, so the new one must be before it takes over.
        let file = root.open_file(&path)?;
        rustix::fs::syncfs(&file).map_err(Fault::io("sync", root.shown()))?;
    }
    Ok(manifest)
}

/// Puts the generation before into use again; the one in use is then the one before. The root must be locked, and
/// recovered.
///
/// # Errors
/// There is none, or a system call failed.
pub fn roll_back(root: &Tree) -> Result<Manifest, Fault> {
    let text = root.read(&Path::new(PREVIOUS).join("manifest.json"), u64::MAX - 1)?;
    let text = text.ok_or_else(|| {
        let root = root.shown().display();
        Fault::Failed(format!(
            "roll back {root}: no generation before this one is kept"
        ))
    })?;
    let previous: Manifest = serde_json::from_slice(&text)
        .map_err(|error| Fault::Failed(format!("roll back {}: {error}", root.shown().display())))?;
    let current = Manifest::read(root)?;
    if let Some(current) = &current {
        let stage = root.subtree(&Path::new(PREVIOUS).join("root"))?;
        drop_strangers(&stage, &previous)?;
        carry_over(&stage, root, current, &previous.entries)?;
    }
    exchange(root, Path::new(PREVIOUS), current.as_ref(), &previous)?;
    Ok(previous)
}

/// The top-level names that a manifest has files or links below, or as.
fn tops(entries: &BTreeMap<PathBuf, Record>) -> BTreeSet<PathBuf> {
    let files = entries
        .iter()
        .filter(|(_, record)| **record != Record::Directory);
    files.filter_map(|(path, _)| top(path)).collect()
}

fn top(path: &Path) -> Option<PathBuf> {
    path.components().find_map(|component| match component {
        Component::Normal(name) => Some(PathBuf::from(name)),
        _ => None,
    })
}

/// Whether a path is below what a root has of its own.
fn is_own(path: &Path) -> bool {
    top(path).is_some_and(|top| OWN.iter().any(|own| top == Path::new(own)))
}

/// Fills a directory with what a plan has; what a root has of its own is made in the root itself.
fn populate(
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
        let record = match entry {
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
        };
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

impl crate::tree::Place {
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

/// Takes along what somebody has put between the files of the old generation.
fn carry_over(
    stage: &Tree,
    root: &Tree,
    old: &Manifest,
    new: &BTreeMap<PathBuf, Record>,
) -> Result<(), Fault> {
    let mut open: Vec<PathBuf> = tops(&old.entries)
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
fn drop_strangers(stage: &Tree, manifest: &Manifest) -> Result<(), Fault> {
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

/// Says what is to be exchanged, writes it down, and does it.
fn exchange(root: &Tree, from: &Path, old: Option<&Manifest>, new: &Manifest) -> Result<(), Fault> {
    let after = tops(&new.entries);
    let before = old.map(|old| tops(&old.entries)).unwrap_or_default();
    let mut steps = Vec::new();
    for name in after.union(&before) {
        let beside = from.join("root").join(name);
        let coming = root.stat(&beside)?.map(|stat| stat.st_ino);
        if coming.is_none() && root.stat(name)?.is_none() {
            continue;
        }
        steps.push(Step {
            inside: name.clone(),
            beside,
            inode: coming,
        });
    }
    steps.sort_by_key(|step| rank(&step.inside));
    let beside = from.join("manifest.json");
    let inode = root.stat(&beside)?.map(|stat| stat.st_ino);
    steps.push(Step {
        inside: FILE.into(),
        beside,
        inode,
    });

    let journal = Journal {
        from: from.to_owned(),
        steps,
    };
    let text = serde_json::to_vec_pretty(&journal);
    let text = text.map_err(|error| Fault::Failed(format!("write the journal: {error}")))?;
    root.replace(Path::new(JOURNAL), &text, 0o600)?;
    run(root, &journal)
}

/// Libraries go before programs, and /etc goes last.
fn rank(name: &Path) -> u8 {
    match name.to_str() {
        Some(name) if name.starts_with("lib") => 0,
        Some("usr") => 1,
        Some("etc") => 3,
        _ => 2,
    }
}

/// Does what a journal says, as far as it is not done yet.
fn run(root: &Tree, journal: &Journal) -> Result<(), Fault> {
    for Step {
        inside,
        beside,
        inode,
    } in &journal.steps
    {
        let there = root.stat(inside)?.map(|stat| stat.st_ino);
        match (inode, there) {
            (Some(wanted), Some(there)) if *wanted == there => {}
            (None, None) => {}
            (Some(_), Some(_)) => root.rename(beside, inside, RenameFlags::EXCHANGE)?,
            (Some(_), None) => root.rename(beside, inside, RenameFlags::NOREPLACE)?,
            (None, Some(_)) => root.rename(inside, beside, RenameFlags::NOREPLACE)?,
        }
    }
    let next = Path::new(NEXT);
    if journal.from == next && root.stat(next)?.is_some() {
        root.remove(Path::new(PREVIOUS))?;
        if root.stat(&next.join("manifest.json"))?.is_some() {
            root.rename(next, Path::new(PREVIOUS), RenameFlags::NOREPLACE)?;
        } else {
            root.remove(next)?;
        }
    }
    root.remove(Path::new(JOURNAL))
}
