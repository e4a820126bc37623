//! A small populated root from the host's own files.

use std::path::PathBuf;

use jail_config::nearest;

use crate::{
    change::Change,
    closure::Closure,
    collect::Collector,
    etc::{self, Account},
    existing::{There, fill},
    fault::Fault,
    manifest::{Manifest, Method, Recipe},
    new_root::{absolute, new_root},
    note::Note,
    populate::Plan,
    presets::{Presets, find_program},
    progress::Progress,
    registry,
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
            ..Recipe::default()
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
