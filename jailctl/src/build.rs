//! `jailctl build`: a small populated root from the host's own files.

use std::{
    collections::HashSet,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use clap::Args;
use rustix::fs::{FileType, Gid, RenameFlags, Uid, fchown, fstat};
use serde_json::json as object;

use crate::{
    closure::{Closure, Collector, Note, OWN, find_program},
    etc::{self, Account},
    fault::{Fault, Verdict},
    generation::{self, Plan},
    manifest::{CONTROL, Manifest, Method, Recipe, Record},
    presets::Presets,
    registry,
    terminal::{json, shown},
    tree::Tree,
};

/// Make a root directory from this machine's own programs and what they need
///
/// Programs, their libraries and interpreters (read from the files, which are never run), and what is loaded at run time:
/// NSS, gconv, terminfo, locales, time zones, certificates. The root is built beside and takes its place by a rename, so
/// that killed at any moment the old one is still whole; the one before is kept for `jailctl rollback`. What was put
/// where from which package, with a digest, is in ROOT/.login-jail/manifest.json, which the user can't read. The root is
/// noted in /var/lib/login-jail/roots, where `jailctl update` finds it.
///
/// A user of the root needs a rule as well: `jailctl add`. Who needs the host's programs and nothing of their own needs
/// no such root: base = "host" in login-jail.toml(5).
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Build {
    /// The root directory; made if it is not there. One that was built before is built anew, users' files stay.
    root: PathBuf,
    /// Presets: shell, sftp, rsync, git, ... (jailctl presets lists them)
    #[arg(long, value_delimiter = ',', value_name = "PRESET")]
    with: Vec<String>,
    /// A further program, by name or path, or a directory: sh,ls,cat
    #[arg(long = "program", value_delimiter = ',', value_name = "PROGRAM")]
    programs: Vec<String>,
    /// An account that the root's passwd and group know and that has a home in it; several with commas between
    #[arg(long = "user", value_delimiter = ',', value_name = "NAME")]
    users: Vec<String>,
    /// Copy the host's files (the default)
    #[arg(long, group = "method")]
    copy: bool,
    /// Hard-link them instead: no disk use, on one file system
    #[arg(long, group = "method")]
    hardlink: bool,
    /// Share the disk's blocks, on Btrfs, XFS and the like
    #[arg(long, group = "method")]
    reflink: bool,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  jailctl build --with shell,sftp,rsync,git --user ann /srv/jails/ann    a whole system for ann
  jailctl build --program jq --program /opt/report /srv/jails/bob    these programs and what they need
  jailctl build --with shell --hardlink /srv/jails/ann      the host's own files, on one file system
  jailctl build --with shell --reflink /srv/jails/ann       on Btrfs or XFS
  jailctl build --with sftp --copy --json /srv/jails/ann    files of its own, and a report for a program";

impl Build {
    /// Builds the root and reports.
    ///
    /// # Errors
    /// Something asked for is not there, or a system call failed; a root that was there works as before.
    pub fn run(self) -> Result<Verdict, Fault> {
        if self.with.is_empty() && self.programs.is_empty() {
            return Err(Fault::Usage(
                "say what the root is for: --with shell,sftp,git or --program NAME".to_owned(),
            ));
        }
        let root = absolute(&self.root)?;
        let recipe = self.recipe();
        let accounts = accounts(&recipe)?;
        let collected = collect(&recipe, Missing::Refuse)?;
        let notes: Vec<Note> = collected.notes.iter().cloned().collect();
        let manifest = build(
            &root,
            |before| {
                let made = etc::make(&collected, &accounts, before)?;
                Ok(Plan {
                    recipe: recipe.clone(),
                    closure: collected.clone(),
                    made,
                })
            },
            &accounts,
        )?;
        registry::add(&root)?;
        if self.json {
            print_json(&root, &manifest, &notes);
        } else {
            print(&root, &manifest, &notes);
        }
        Ok(Verdict::of(notes.iter().any(Note::is_finding)))
    }

    fn recipe(&self) -> Recipe {
        let method = match (self.hardlink, self.reflink) {
            (true, _) => Method::Hardlink,
            (_, true) => Method::Reflink,
            _ => Method::Copy,
        };
        Recipe {
            with: self.with.clone(),
            programs: self.programs.clone(),
            users: self.users.clone(),
            method,
            imported: None,
        }
    }
}

/// Finds the accounts of a recipe.
///
/// # Errors
/// One that there is not.
pub fn accounts(recipe: &Recipe) -> Result<Vec<Account>, Fault> {
    let find = |name: &String| {
        let missing = || Fault::Failed(format!("look up user {name}: there is no such account"));
        Account::find(name)?.ok_or_else(missing)
    };
    recipe.users.iter().map(find).collect()
}

/// What becomes of a recipe that asks for what the host does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Nothing is built.
    Refuse,
    /// All else is: a package that was removed must not keep the others' files from being brought up to date.
    Report,
}

/// Puts together what a recipe needs of the host as it is now.
///
/// # Errors
/// A preset that is not known; what is not there, if that is to be refused.
pub fn collect(recipe: &Recipe, missing: Missing) -> Result<Closure, Fault> {
    let presets = Presets::load()?;
    let mut collector = Collector::new();
    for (name, preset) in presets.choose(&recipe.with)? {
        let asked = recipe.with.iter().any(|with| with == name);
        collector.preset(name, preset, asked && missing == Missing::Refuse)?;
    }
    for program in &recipe.programs {
        if find_program(program).is_none() && missing == Missing::Report {
            collector.note_removed(program);
        } else {
            collector.program(program)?;
        }
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

/// Builds a root: a new one beside its place, an existing one within itself.
fn build(
    path: &Path,
    plan: impl Fn(Option<&Tree>) -> Result<Plan, Fault>,
    accounts: &[Account],
) -> Result<Manifest, Fault> {
    if path.symlink_metadata().is_ok() {
        let root = Tree::open(path)?;
        if root.stat(Path::new(CONTROL))?.is_none() {
            refuse_foreign(&root)?;
            root.make_directory(Path::new(CONTROL), 0o700)?;
        }
        let _held = generation::hold(&root)?;
        generation::recover(&root)?;
        match Manifest::read(&root)? {
            None => refuse_foreign(&root)?,
            Some(Manifest { recipe, .. }) => refuse_imported(&root, &recipe)?,
        }
        return fill(&root, &plan(Some(&root))?, accounts);
    }
    new_root(path, |root| fill(root, &plan(None)?, accounts))
}

/// Makes a root beside its place and gives it its name once it is complete.
///
/// # Errors
/// What `fill` says; a directory above is not root's alone; something has taken the name in the meantime.
pub fn new_root<T>(path: &Path, fill: impl FnOnce(&Tree) -> Result<T, Fault>) -> Result<T, Fault> {
    let parent = Tree::open_above(path)?;
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
fn fill(root: &Tree, plan: &Plan, accounts: &[Account]) -> Result<Manifest, Fault> {
    generation::make_skeleton(root)?;
    make_homes(root, accounts)?;
    let old = Manifest::read(root)?;
    generation::put_in_place(root, plan, old.as_ref(), &HashSet::new())
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
                fchown(place.open_directory()?, Some(uid), Some(gid))
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

fn count(manifest: &Manifest) -> (usize, u64) {
    manifest
        .entries
        .values()
        .fold((0, 0), |(files, bytes), record| match record {
            Record::File { size, .. } => (files + 1, bytes + size),
            _ => (files, bytes),
        })
}

fn print(root: &Path, manifest: &Manifest, notes: &[Note]) {
    let (files, bytes) = count(manifest);
    for note in notes
        .iter()
        .filter(|note| !matches!(note, Note::NotInstalled { .. }))
    {
        let kind = if note.is_finding() { "finding" } else { "note" };
        eprintln!("{kind}: {}", shown(note.to_string()));
    }
    let missing: Vec<&str> = notes
        .iter()
        .filter_map(|note| match note {
            Note::NotInstalled { program, .. } => Some(program.as_str()),
            _ => None,
        })
        .collect();
    if !missing.is_empty() {
        eprintln!(
            "note: not on this host and left out: {}",
            shown(missing.join(" "))
        );
    }
    println!(
        "{}: {files} files, {} MiB",
        shown(root),
        bytes.div_ceil(1 << 20)
    );
}

fn print_json(root: &Path, manifest: &Manifest, notes: &[Note]) {
    let (files, bytes) = count(manifest);
    let findings = notes.iter().filter(|note| note.is_finding()).count();
    let report = object!({
        "root": root.to_string_lossy(),
        "files": files,
        "bytes": bytes,
        "recipe": manifest.recipe,
        "findings": findings,
        "notes": notes,
    });
    println!("{}", json(&report));
}
