//! Roots of a declared state: built from presets, or imported from an image.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use jail_roots::{
    archive::Policy,
    build::{self, build},
    import::{self, import},
    manifest::Manifest,
    progress::Progress,
    tree::Tree,
    untouched,
    update::roll_back,
};
use serde::{Deserialize, Serialize};

use crate::{
    failure::Failure, mountinfo::Mounted, process::Process, progress::show_progress,
    setup::undone::Undone, shell::shown,
};

/// A root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Root {
    pub(crate) path: PathBuf,
    pub(crate) presets: Vec<String>,
    pub(crate) programs: Vec<String>,
    /// What it is imported from, where it is not built.
    pub(crate) image: Option<PathBuf>,
    /// Accounts that it knows.
    pub(crate) users: Vec<String>,
    /// Whether it was there before.
    pub(crate) was_there: bool,
}

impl Root {
    /// Tells whether the host has it so.
    ///
    /// # Errors
    /// It can't be read, or it is another root that this one can't take the place of.
    pub(crate) fn is_done(&self) -> Result<bool, Failure> {
        if !self.is_there() {
            return Ok(false);
        }
        let other = |what: String| {
            let path = shown(&self.path);
            Err(Failure::Failed(format!(
                "nothing was changed, because {path} {what}; give another path"
            )))
        };
        let Some(manifest) = Manifest::read(&Tree::open(&self.path)?)? else {
            return other("is a directory that jailctl has not made".to_owned());
        };
        let recipe = manifest.recipe;
        let known: BTreeSet<&String> = recipe.users.iter().collect();
        let knows_all = self.users.iter().all(|it| known.contains(it));
        match (&self.image, &recipe.imported) {
            (Some(image), Some(from)) if image.as_os_str() == from.as_str() => Ok(knows_all),
            (_, Some(from)) => other(format!("was imported from {from}")),
            (Some(_), None) => other("was built from this host's files".to_owned()),
            (None, None) => Ok(is_same(&self.presets, &recipe.with)
                && is_same(&self.programs, &recipe.programs)
                && knows_all),
        }
    }

    pub(crate) fn is_there(&self) -> bool {
        self.path.symlink_metadata().is_ok()
    }

    /// Says what is made.
    pub(crate) fn show(&self) -> Vec<String> {
        let path = shown(&self.path);
        if self.was_there && self.image.is_some() {
            return vec![format!("add the users that {path} does not know to it")];
        }
        let list = |what: &str, all: &[String]| match all.is_empty() {
            true => String::new(),
            false => format!(" {what} {}", all.join(",")),
        };
        vec![match &self.image {
            Some(image) => format!("import {} into {path}", shown(image)),
            None => format!(
                "build {path}{}{}",
                list("with", &self.presets),
                list("and the programs", &self.programs)
            ),
        }]
    }

    /// Makes it.
    ///
    /// # Errors
    /// As `jailctl build` and `jailctl import`; a root that was there works as before.
    pub(crate) fn make(&self) -> Result<(), Failure> {
        match &self.image {
            Some(_) if self.was_there => import::add_users(&self.path, &self.users)?,
            Some(image) => {
                let request = import::Request {
                    source: image.clone(),
                    root: self.path.clone(),
                    image: None,
                    users: self.users.clone(),
                    mirror: None,
                    version: None,
                    policy: Policy::default(),
                };
                import(&request, Progress::to(&mut show_progress()))?;
            }
            None => {
                let request = build::Request {
                    root: self.path.clone(),
                    with: self.presets.clone(),
                    programs: self.programs.clone(),
                    only: true,
                    users: self.users.clone(),
                    method: None,
                };
                build(&request, &mut Progress::to(&mut show_progress()))?;
            }
        }
        if !self.was_there {
            untouched::mark(&self.path)?;
        }
        Ok(())
    }

    /// Removes a root that was made, or brings back the generation before.
    pub(crate) fn undo(&self) -> Result<Undone, Failure> {
        let path = shown(&self.path);
        if !self.was_there {
            return self.remove();
        }
        if !self.is_there() {
            return Ok(Undone::default());
        }
        if let Err(fault) = Tree::open_above(&self.path) {
            let kept = format!("{path}: it stays as it is, because {fault}");
            return Ok(Undone::kept(kept));
        }
        // One that was stopped before it was built is as it was.
        if !self.is_done()? {
            return Ok(Undone::default());
        }
        if self.image.is_some() {
            let kept =
                format!("{path}: it keeps the lines and homes of users that were added to it");
            return Ok(Undone::kept(kept));
        }
        roll_back(&self.path)?;
        Ok(Undone::of(true, || format!("rolled back {path}")))
    }

    fn remove(&self) -> Result<Undone, Failure> {
        let (path, was_there) = (shown(&self.path), self.is_there());
        let stays = |why: String| Ok(Undone::kept(format!("{path}: it stays, because {why}")));
        let is_open = || {
            Ok::<bool, Failure>(
                Mounted::namespaces_with(&self.path)? > 0 || Process::has_root(&self.path)?,
            )
        };
        if was_there && is_open()? {
            return stays("a session is open in it".to_owned());
        }
        // Where the way there is no longer root's alone, nothing is done by it: somebody else says where it leads.
        if let Err(fault) = Tree::open_above(&self.path) {
            return match was_there {
                true => stays(fault.to_string()),
                false => Ok(Undone::default()),
            };
        }
        match untouched::remove(&self.path)? {
            None => Ok(Undone::of(was_there, || format!("removed {path}"))),
            Some(changed) if changed == self.path => stays("it is not complete".to_owned()),
            Some(changed) => stays(format!(
                "{} was made or changed in it since",
                shown(&changed)
            )),
        }
    }

    /// Tells whether a path is this root.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        self.path == path
    }
}

fn is_same(one: &[String], other: &[String]) -> bool {
    let set = |all: &[String]| all.iter().cloned().collect::<BTreeSet<String>>();
    set(one) == set(other)
}
