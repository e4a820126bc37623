//! `jailctl update` and `jailctl rollback`: a root compared with its manifest and the host, and repaired.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt,
    io::Read,
    path::{Path, PathBuf},
};

use rustix::fs::FileType;
use serde::Serialize;

use crate::{
    build::{accounts, collect},
    closure::Entry,
    etc,
    fault::Fault,
    generation, host,
    journal::recover,
    manifest::{Manifest, Recipe, Record, digest, digest_text},
    note::Note,
    populate::Plan,
    progress::Progress,
    skeleton::{make_homes, make_skeleton},
    tree::Tree,
};

/// No file that is made for a root is longer: `etc` reads none that is.
const LONGEST_MADE: u64 = 64 * 1024 * 1024;

/// How a path differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The host has another version.
    Stale,
    /// The root does not have it any more.
    Missing,
    /// Somebody has changed it in the root.
    ChangedInside,
    /// Nothing needs it any more.
    Orphaned,
    /// It is needed now, and was not when the root was made.
    New,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Stale => "stale",
            Kind::Missing => "missing",
            Kind::ChangedInside => "changed inside",
            Kind::Orphaned => "orphaned",
            Kind::New => "new",
        })
    }
}

/// What differs in a root, and what is as it is to be.
#[derive(Debug, Default)]
struct Drift {
    differs: BTreeSet<(PathBuf, Kind)>,
    intact: HashSet<PathBuf>,
}

/// What was done with a root.
#[derive(Debug)]
pub struct Report {
    /// What differed, by path.
    pub drift: BTreeSet<(PathBuf, Kind)>,
    /// What is to be said about what it is to have.
    pub notes: Vec<Note>,
    /// Whether it is as it is to be now, and was not.
    pub repaired: bool,
}

/// Compares a root with the host as it is now and, unless it is to be left as it is, brings it up to date.
///
/// # Errors
/// It was not built here, something that it needs can't be examined, or a system call failed.
pub fn update(path: &Path, dry_run: bool, progress: &mut Progress<'_>) -> Result<Report, Fault> {
    let root = Tree::open(path)?;
    let _held = generation::hold(&root)?;
    recover(&root)?;
    let manifest = Manifest::read(&root)?.ok_or_else(|| {
        let path = path.display();
        Fault::Failed(format!(
            "update {path}: it has no manifest; jailctl build makes roots that have"
        ))
    })?;
    if let Some(source) = &manifest.recipe.imported {
        return Err(Fault::Failed(format!(
            "update {}: it was imported from {source}, not built from this machine; import a newer version, with jailctl import --as",
            path.display()
        )));
    }
    // Nothing is named now: what the host has no more is noted.
    let named = Recipe::default();
    let accounts = accounts(&manifest.recipe, &named)?;
    let closure = collect(&manifest.recipe, &named)?;
    let made = etc::make(&closure, &accounts, Some(&root))?;
    let plan = Plan {
        recipe: manifest.recipe.clone(),
        closure,
        made,
    };
    let drift = compare(&root, &manifest, &plan, progress)?;
    let repaired = !dry_run && !drift.differs.is_empty();
    if repaired {
        make_skeleton(&root)?;
        make_homes(&root, &accounts)?;
        generation::put_in_place(&root, &plan, Some(&manifest), &drift.intact, progress)?;
    }
    Ok(Report {
        drift: drift.differs,
        notes: plan.closure.notes.into_iter().collect(),
        repaired,
    })
}

/// Compares manifest, root and host.
fn compare(
    root: &Tree,
    manifest: &Manifest,
    plan: &Plan,
    progress: &mut Progress<'_>,
) -> Result<Drift, Fault> {
    let mut drift = Drift::default();
    let wanted = wanted(plan)?;
    progress.begin(u64::try_from(wanted.len()).unwrap_or(0));
    let paths: BTreeSet<&PathBuf> = wanted.keys().chain(manifest.entries.keys()).collect();
    for path in paths {
        let (wanted, known) = (wanted.get(path), manifest.entries.get(path));
        let found = look(root, path, wanted, known)?;
        if found
            .as_ref()
            .zip(wanted)
            .is_some_and(|(found, wanted)| same(found, wanted))
        {
            if matches!(wanted, Some(Record::File { .. })) {
                drift.intact.insert(path.clone());
            }
            // As it is to be, however it came to that: only the manifest may be behind.
            if known
                .zip(wanted)
                .is_some_and(|(known, wanted)| same(known, wanted))
            {
                continue;
            }
        }
        let made = matches!(wanted, Some(Record::Made { .. }));
        let kind = match (known, wanted, &found) {
            (None, Some(_), _) => Kind::New,
            (Some(_), _, None) => Kind::Missing,
            (Some(_), None, _) => Kind::Orphaned,
            // Its administrator's lines are taken over into what is made.
            (Some(_), Some(wanted), Some(found)) if made && same(found, wanted) => continue,
            // The host's change is there already, as it is with a hard link: the manifest is behind.
            (Some(_), Some(wanted), Some(found)) if same(found, wanted) => Kind::Stale,
            (Some(known), _, Some(found)) if !same(found, known) => Kind::ChangedInside,
            _ => Kind::Stale,
        };
        drift.differs.insert((path.clone(), kind));
        progress.add(1);
    }
    Ok(drift)
}

/// Says what each path is to be, by the host as it is now.
fn wanted(plan: &Plan) -> Result<BTreeMap<PathBuf, Record>, Fault> {
    let mut wanted = BTreeMap::new();
    for (path, entry) in &plan.closure.entries {
        let record = match entry {
            Entry::Directory => Record::Directory,
            Entry::Link(to) => Record::Link { to: to.clone() },
            Entry::File(mode) => {
                let file = host::open(path)?;
                let (sha256, size) = digest(file, |_| Ok(())).map_err(Fault::io("read", path))?;
                Record::File {
                    sha256,
                    mode: *mode,
                    size,
                    package: None,
                }
            }
        };
        wanted.insert(path.clone(), record);
    }
    for made in &plan.made {
        let sha256 = digest_text(&made.text);
        wanted.insert(
            made.path.clone(),
            Record::Made {
                sha256,
                mode: 0o644,
            },
        );
    }
    Ok(wanted)
}

/// Says what is at a path of a root, as a record of a file of the host's. `None` where there is nothing. A file of a length
/// that neither it is to have nor it had is not read: it may be of any.
fn look(
    root: &Tree,
    path: &Path,
    wanted: Option<&Record>,
    known: Option<&Record>,
) -> Result<Option<Record>, Fault> {
    let Some(stat) = root.stat(path)? else {
        return Ok(None);
    };
    Ok(Some(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Record::Directory,
        FileType::Symlink => Record::Link {
            to: root.read_link(path)?,
        },
        FileType::RegularFile => {
            let length = u64::try_from(stat.st_size).unwrap_or(0);
            let likely = |record: &Record| match record {
                Record::File { size, .. } => *size == length,
                _ => length <= LONGEST_MADE,
            };
            let (sha256, size) = if [wanted, known].into_iter().flatten().any(likely) {
                let file = root.open_file(path)?.take(length);
                digest(file, |_| Ok(())).map_err(Fault::io("read", &root.show(path)))?
            } else {
                (String::new(), length)
            };
            // Of somebody else, it is never what it is to be.
            let owner = if stat.st_uid == 0 { 0 } else { u32::MAX };
            Record::File {
                sha256,
                mode: (stat.st_mode & 0o7777) | owner,
                size,
                package: None,
            }
        }
        _ => Record::Link { to: PathBuf::new() },
    }))
}

/// Whether two records are of the same thing, whatever package it is of.
fn same(one: &Record, other: &Record) -> bool {
    let file = |record: &Record| match record {
        Record::File { sha256, mode, .. } | Record::Made { sha256, mode } => {
            Some((sha256.clone(), *mode))
        }
        _ => None,
    };
    match (file(one), file(other)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => one == other,
        _ => false,
    }
}

/// Exchanges the two generations of a root, and gives the manifest of the one that is in use then.
///
/// # Errors
/// There is only one, or a system call failed.
pub fn roll_back(path: &Path) -> Result<Manifest, Fault> {
    let root = Tree::open(path)?;
    let _held = generation::hold(&root)?;
    recover(&root)?;
    generation::roll_back(&root)
}
