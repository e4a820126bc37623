//! A root that is to be built anew, or a directory that is to become one.

use std::{collections::HashSet, os::fd::OwnedFd, path::Path};

use rustix::fs::FileType;

use crate::{
    closure::OWN,
    etc::Account,
    fault::Fault,
    generation,
    journal::recover,
    manifest::{CONTROL, Manifest, Recipe},
    populate::Plan,
    progress::Progress,
    skeleton::{make_homes, make_skeleton},
    tree::Tree,
};

/// A root that is there already.
pub(crate) struct There {
    pub(crate) root: Tree,
    state: State,
}

/// What jailctl knows of a directory that is there.
enum State {
    /// Nothing: no system is in it.
    Empty,
    /// It is held against other runs, and was asked for this; for nothing, if its first build was killed.
    Held(
        #[expect(dead_code, reason = "held until it is dropped")] OwnedFd,
        Option<Recipe>,
    ),
}

impl There {
    /// Opens a root that was built before, and holds it, or a directory with no system in it. `None` where there is
    /// nothing.
    ///
    /// # Errors
    /// It was imported, or made by somebody else; another run holds it; a system call failed.
    pub(crate) fn open(path: &Path) -> Result<Option<There>, Fault> {
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        let root = Tree::open(path)?;
        // It gets no directory of ours before it is known that anything can be built.
        let state = if root.stat(Path::new(CONTROL))?.is_none() {
            refuse_foreign(&root)?;
            State::Empty
        } else {
            hold(&root)?
        };
        Ok(Some(There { root, state }))
    }

    /// What it was asked for.
    pub(crate) fn recipe(&self) -> Option<&Recipe> {
        match &self.state {
            State::Held(_, recipe) => recipe.as_ref(),
            State::Empty => None,
        }
    }

    pub(crate) fn fill(
        &self,
        plan: &Plan,
        accounts: &[Account],
        progress: &mut Progress<'_>,
    ) -> Result<Manifest, Fault> {
        let _held = match self.state {
            State::Held(..) => None,
            State::Empty => {
                self.root.make_directory(Path::new(CONTROL), 0o700)?;
                let state = hold(&self.root)?;
                if matches!(state, State::Held(_, Some(_))) {
                    return Err(Fault::Failed(format!(
                        "build {}: another jailctl has just built it",
                        self.root.shown().display()
                    )));
                }
                Some(state)
            }
        };
        fill(&self.root, plan, accounts, progress)
    }
}

/// Holds a root against other runs, completes what one was killed in, and reads what it was asked for.
fn hold(root: &Tree) -> Result<State, Fault> {
    let held = generation::hold(root)?;
    recover(root)?;
    let recipe = match Manifest::read(root)? {
        None => {
            refuse_foreign(root)?;
            None
        }
        Some(Manifest { recipe, .. }) => {
            refuse_imported(root, &recipe)?;
            Some(recipe)
        }
    };
    Ok(State::Held(held, recipe))
}

/// Fills a root that is locked and recovered.
pub(crate) fn fill(
    root: &Tree,
    plan: &Plan,
    accounts: &[Account],
    progress: &mut Progress<'_>,
) -> Result<Manifest, Fault> {
    make_skeleton(root)?;
    make_homes(root, accounts)?;
    let old = Manifest::read(root)?;
    generation::put_in_place(root, plan, old.as_ref(), &HashSet::new(), progress)
}

/// Refuses a root whose system came from elsewhere: nobody who names it wants the host's in its place.
fn refuse_imported(root: &Tree, recipe: &Recipe) -> Result<(), Fault> {
    let Some(source) = &recipe.imported else {
        return Ok(());
    };
    Err(Fault::Failed(format!(
        "build {}: it was imported from {source}; move it away, or build in another directory",
        root.shown().display()
    )))
}

/// Refuses a root that has a system in it which no manifest tells of.
fn refuse_foreign(root: &Tree) -> Result<(), Fault> {
    for (name, kind) in root.list(Path::new(""))? {
        let own = OWN.iter().any(|own| name == *own);
        let path = Path::new(&name);
        // An empty directory is nobody's system, and /etc with files in it is.
        let empty = kind == FileType::Directory && root.list(path)?.is_empty();
        if !own && !empty {
            return Err(Fault::Failed(format!(
                "build {}: {} was not made by jailctl; move it away, or build in another directory",
                root.shown().display(),
                root.show(path).display()
            )));
        }
    }
    Ok(())
}
