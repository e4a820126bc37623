//! A small populated root from the host's own files.

use std::{
    collections::HashSet,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use jail_config::nearest;
use rustix::{
    fs::{FileType, Gid, RenameFlags, Uid, fchown, fstat},
    io::Errno,
};

use crate::{
    change::Change,
    closure::{Closure, Collector, Note, OWN},
    etc::{self, Account},
    fault::Fault,
    generation::{self, Plan},
    manifest::{CONTROL, Manifest, Method, Recipe},
    presets::{Presets, find_program},
    progress::Progress,
    registry,
    tree::{Tree, list},
};

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The root directory.
    pub root: PathBuf,
    /// Presets.
    pub with: Vec<String>,
    /// Further programs, by name or path, and directories.
    pub programs: Vec<String>,
    /// Whether the presets and programs of before go.
    pub only: bool,
    /// Accounts that the root's passwd and group know and that have homes in it.
    pub users: Vec<String>,
    /// How the host's files come in; as before without it.
    pub method: Option<Method>,
}

/// What was built.
#[derive(Debug)]
pub struct Built {
    /// Where.
    pub root: PathBuf,
    /// What is there now.
    pub manifest: Manifest,
    /// What that changes of what was asked for before.
    pub change: Change,
    /// What is to be said about it.
    pub notes: Vec<Note>,
}

/// Builds a root, or builds it anew with what is asked for beside what it has.
///
/// # Errors
/// Something asked for is not there, or a system call failed; a root that was there works as before.
pub fn build(request: &Request, progress: &mut Progress<'_>) -> Result<Built, Fault> {
    let root = absolute(&request.root)?;
    let there = There::open(&root)?;
    let before = there.as_ref().and_then(There::recipe);
    let named = request.named();
    let recipe = request.recipe(&named, before);
    if recipe.with.is_empty() && recipe.programs.is_empty() {
        return Err(Fault::Usage(
            "say what the root is for: --with shell,sftp,git or --program NAME".to_owned(),
        ));
    }
    let accounts = accounts(&recipe, &named)?;
    let collected = collect(&recipe, &named)?;
    let notes: Vec<Note> = collected.notes.iter().cloned().collect();
    let made = etc::make(
        &collected,
        &accounts,
        there.as_ref().map(|there| &there.root),
    )?;
    let plan = Plan {
        recipe: recipe.clone(),
        closure: collected,
        made,
    };
    let manifest = match &there {
        Some(there) => there.fill(&plan, &accounts, progress)?,
        None => new_root(&root, |root| fill(root, &plan, &accounts, progress))?,
    };
    registry::add(&root)?;
    let change = Change::of(before, &named, &recipe);
    Ok(Built {
        root,
        manifest,
        change,
        notes,
    })
}

impl Request {
    /// What is named now, and nothing of before.
    fn named(&self) -> Recipe {
        Recipe {
            with: self.with.clone(),
            programs: self.programs.clone(),
            users: self.users.clone(),
            ..Recipe::default()
        }
    }

    /// What the root is to be: what is named now, beside what is kept of before.
    fn recipe(&self, named: &Recipe, before: Option<&Recipe>) -> Recipe {
        let method = self.method.or(before.map(|before| before.method));
        let nothing = Recipe::default();
        let before = before.unwrap_or(&nothing);
        let content = if self.only { &nothing } else { before };
        Recipe {
            with: joined(&content.with, &named.with),
            programs: joined(&content.programs, &named.programs),
            users: joined(&before.users, &named.users),
            method: method.unwrap_or_default(),
            imported: None,
        }
    }
}

/// Gives the names of both, each once.
fn joined(first: &[String], second: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in first.iter().chain(second) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// Finds the accounts of a recipe. One that is only kept and that the host has no more keeps its line, as all that the
/// root's passwd knows beside the host's accounts.
///
/// # Errors
/// One that is named now and that there is not.
pub fn accounts(recipe: &Recipe, named: &Recipe) -> Result<Vec<Account>, Fault> {
    let mut accounts = Vec::new();
    for name in &recipe.users {
        match Account::find(name)? {
            Some(account) => accounts.push(account),
            None if named.users.contains(name) => {
                return Err(Fault::Failed(format!(
                    "look up user {name}: there is no such account{}",
                    did_you_mean(name)
                )));
            }
            None => {}
        }
    }
    Ok(accounts)
}

/// Says which account is probably meant by a name that none has. It is a hint: a directory service may have more.
fn did_you_mean(name: &str) -> String {
    let text = std::fs::read("/etc/passwd").unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let names = text.lines().filter_map(|line| line.split(':').next());
    nearest(name, names)
        .map(|meant| format!("; did you mean {meant}?"))
        .unwrap_or_default()
}

/// Puts together what a recipe needs of the host as it is now. What is named now has to be there; what was asked for
/// before is noted if it is not: a package that was removed must not keep the others' files from being brought up to date.
///
/// # Errors
/// A preset that is not known; what is named now and not there.
pub fn collect(recipe: &Recipe, named: &Recipe) -> Result<Closure, Fault> {
    let presets = Presets::load()?;
    let mut collector = Collector::new();
    for (name, preset) in presets.choose(&recipe.with)? {
        let asked = named.with.iter().any(|with| with == name);
        collector.preset(name, preset, asked)?;
    }
    for program in &recipe.programs {
        if named.programs.contains(program) {
            if find_program(program).is_none() {
                return Err(Fault::Failed(format!(
                    "program {program}: not on this host{}",
                    presets.hint(program)
                )));
            }
            collector.program(program)?;
        } else {
            collector.program_of_before(program);
        }
    }
    if !recipe.users.is_empty() {
        collector.note_shell();
    }
    Ok(collector.finish())
}

/// Makes a path absolute, and refuses one that is not plain.
///
/// # Errors
/// It has `..` or control characters in it, or is `/`.
pub fn absolute(path: &Path) -> Result<PathBuf, Fault> {
    let absolute = std::path::absolute(path).map_err(Fault::io("find", path))?;
    let plain = !absolute
        .components()
        .any(|part| part == std::path::Component::ParentDir);
    // The list of roots has one a line.
    let printable = !absolute
        .as_os_str()
        .as_bytes()
        .iter()
        .any(u8::is_ascii_control);
    if plain && printable && absolute.file_name().is_some() {
        return Ok(absolute.components().collect());
    }
    Err(Fault::Usage(format!(
        "{} is no root for a jail",
        path.display()
    )))
}

/// A root that is there already.
struct There {
    root: Tree,
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
    fn open(path: &Path) -> Result<Option<There>, Fault> {
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
    fn recipe(&self) -> Option<&Recipe> {
        match &self.state {
            State::Held(_, recipe) => recipe.as_ref(),
            State::Empty => None,
        }
    }

    fn fill(
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
    generation::recover(root)?;
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

/// Makes a root, and the directories above it that are missing.
///
/// # Errors
/// What `fill` says; a directory above is not root's alone; something has taken the name in the meantime. Nothing is left
/// then of what was made.
pub fn new_root<T>(path: &Path, fill: impl FnOnce(&Tree) -> Result<T, Fault>) -> Result<T, Fault> {
    let mut made = Vec::new();
    let filled = Tree::make_above(path, &mut made).and_then(|parent| root_in(&parent, path, fill));
    if filled.is_err() {
        Tree::remove_above(&made);
    }
    filled
}

/// Makes a root beside its place and gives it its name once it is complete.
fn root_in<T>(
    parent: &Tree,
    path: &Path,
    fill: impl FnOnce(&Tree) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let name = path.file_name().unwrap_or_default();
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(".jailctl-new");
    let beside = Path::new(&beside);
    // What a run that was killed has left; one that is at work holds its lock.
    if parent.stat(beside)?.is_some() {
        let _held = parent.subtree(beside)?.lock()?;
        parent.remove(beside)?;
    }
    // Out of everybody's reach until it is complete.
    parent.make_directory(beside, 0o700)?;
    let root = parent.subtree(beside)?;
    let _held = root.lock()?;
    // Another run may have taken it for a killed one's before it was locked, and begun anew.
    let own = fstat(&root).map_err(Fault::io("stat", root.shown()))?;
    let there = parent.stat(beside)?;
    if there.is_none_or(|there| there.st_ino != own.st_ino) {
        return Err(Fault::Failed(format!(
            "make {}: another jailctl is at work on it",
            path.display()
        )));
    }
    let filled = fill(&root).and_then(|filled| {
        root.chmod(0o755)?;
        parent.rename(beside, Path::new(name), RenameFlags::NOREPLACE)?;
        Ok(filled)
    });
    if filled.is_err() {
        parent.remove(beside)?;
    }
    filled
}

/// Fills a root that is locked and recovered.
fn fill(
    root: &Tree,
    plan: &Plan,
    accounts: &[Account],
    progress: &mut Progress<'_>,
) -> Result<Manifest, Fault> {
    generation::make_skeleton(root)?;
    make_homes(root, accounts)?;
    let old = Manifest::read(root)?;
    generation::put_in_place(root, plan, old.as_ref(), &HashSet::new(), progress)
}

/// Makes the homes that are missing.
///
/// # Errors
/// A system call that failed.
pub fn make_homes(root: &Tree, accounts: &[Account]) -> Result<(), Fault> {
    for account in accounts {
        let home = account.home();
        if root.stat(&home)?.is_none() {
            root.make_directory(&home, 0o700)?;
            let (uid, gid) = (account.user.uid.as_raw(), account.user.gid.as_raw());
            // By its descriptor: whoever could write to /home could have put something else there by now.
            let chowned = root.place(&home).and_then(|place| {
                let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
                let directory = place.open_directory()?;
                // Still the one that was made: root's, and with nothing in it.
                if fstat(&directory)?.st_uid != 0 || !list(directory.as_fd())?.is_empty() {
                    return Err(Errno::EXIST);
                }
                fchown(directory, Some(uid), Some(gid))
            });
            chowned.map_err(Fault::io("chown", &root.show(&home)))?;
        }
    }
    Ok(())
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
