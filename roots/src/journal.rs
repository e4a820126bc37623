//! The exchange of two generations: written down before it is begun, so that the next run completes what a killed one has
//! begun.

use std::path::{Path, PathBuf};

use rustix::fs::RenameFlags;
use serde::{Deserialize, Serialize};

use crate::{
    fault::Fault,
    manifest::{FILE, Manifest, check_control},
    tree::Tree,
};

/// The generation in the making.
pub(crate) const NEXT: &str = ".login-jail/next";
/// The one before.
pub(crate) const PREVIOUS: &str = ".login-jail/previous";
const JOURNAL: &str = ".login-jail/journal.json";
const LARGEST_JOURNAL: u64 = 1024 * 1024;

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

/// Completes what a killed run has begun, and throws away what it had not finished making. The root must be locked.
///
/// # Errors
/// A system call that failed.
pub(crate) fn recover(root: &Tree) -> Result<(), Fault> {
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

/// Says what is to be exchanged, writes it down, and does it.
pub(crate) fn exchange(
    root: &Tree,
    from: &Path,
    old: Option<&Manifest>,
    new: &Manifest,
) -> Result<(), Fault> {
    let after = new.tops();
    let before = old.map(Manifest::tops).unwrap_or_default();
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
