//! The generations of a root: the one in use, the one before, and the one in the making.
//!
//! A new one is made complete in `ROOT/.login-jail/next` and then takes the place of the old one, one top-level entry
//! after the other, each by a single renameat2(2): libraries first, since old programs run with newer ones. What users
//! have in the root never moves, and sessions that are open see the new files at once. A journal says what is to be
//! exchanged for what, so that a run that was killed in between is completed by the next one. At each moment there is
//! a whole system in the root.

use std::{
    collections::HashSet,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use crate::{
    fault::Fault,
    journal::{NEXT, PREVIOUS, exchange},
    manifest::{CONTROL, Manifest, check_control},
    populate::{Plan, populate},
    progress::Progress,
    strangers::{carry_over, drop_strangers},
    tree::Tree,
};

/// Holds a root against other runs of this program, until the returned descriptor is closed: flock(2) on its control
/// directory, which nobody inside can open and so hold in his turn.
///
/// # Errors
/// There is none, others can open it, or another run holds it.
pub(crate) fn hold(root: &Tree) -> Result<OwnedFd, Fault> {
    check_control(root)?;
    let control = Path::new(CONTROL);
    if root.stat(control)?.is_none() {
        return Err(Fault::Failed(format!(
            "open {}: it is missing; only jailctl build and jailctl import make roots that have it",
            root.show(control).display()
        )));
    }
    root.subtree(control)?.lock()
}

/// Makes a new generation and puts it into use. `intact` are paths whose file in the root is just what it is to be: they
/// are kept as they are. The root must be locked, and recovered.
///
/// # Errors
/// A system call that failed; the old generation is in use then, or the next run completes this one.
pub(crate) fn put_in_place(
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
pub(crate) fn roll_back(root: &Tree) -> Result<Manifest, Fault> {
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
