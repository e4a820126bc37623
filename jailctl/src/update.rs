//! `jailctl update` and `jailctl rollback`: a root compared with its manifest and the host, and repaired.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt,
    io::Read,
    path::{Path, PathBuf},
};

use clap::{Args, ValueHint};
use rustix::fs::FileType;
use serde::Serialize;
use serde_json::json as object;

use crate::{
    build::{absolute, accounts, collect, make_homes},
    closure::{Entry, Note},
    etc,
    fault::{Fault, Verdict},
    generation::{self, Plan},
    host,
    manifest::{Manifest, Recipe, Record, digest, digest_text},
    progress::Progress,
    registry,
    stdout::{say, say_json},
    terminal::shown,
    tree::Tree,
};

/// No file that is made for a root is longer: `etc` reads none that is.
const LONGEST_MADE: u64 = 64 * 1024 * 1024;
/// How many notes about what is left out are printed.
const MOST_NOTES: usize = 20;

/// Bring roots up to date with this machine, and mend what has changed in them
///
/// Compares manifest, root and host, and prints a line for each path that differs: stale (the host has another version),
/// missing, changed inside, orphaned (nothing needs it any more), new. Then puts a root that is right in the place of the
/// old one, by a rename. What users made themselves stays. What not everybody can read on this machine is left out, and
/// what has become so since is taken away.
///
/// A generation is what jailctl put into a root in one run. The one before is kept in ROOT/.login-jail/previous and can be
/// put back by `jailctl rollback`.
///
/// The Debian package calls this after each run of dpkg that changed programs, libraries or /etc, by a trigger on their
/// directories; a root that can't be updated never stops dpkg. To keep a root out of it, take its line out of
/// /var/lib/login-jail/roots.
#[derive(Debug, Args)]
#[command(after_long_help = UPDATE_EXAMPLES)]
pub struct Update {
    /// Roots that were made by jailctl build; without any, all that are known
    #[arg(value_hint = ValueHint::DirPath)]
    roots: Vec<PathBuf>,
    /// Say what differs and change nothing; exit status 1 if something does
    #[arg(long)]
    dry_run: bool,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

const UPDATE_EXAMPLES: &str = "\
Examples:
  jailctl update                             all roots that jailctl build has made
  jailctl update --dry-run /srv/jails/ann    only look at this one
  jailctl update --json                      a report for a program";

/// Put the generation of a root before the last update or build into use again
///
/// Only what jailctl put there changes back; users' files stay as they are. The generation that was in use is kept, so
/// that a second call undoes the first. One generation is kept, not more; see jailctl-update(8).
///
/// The next `jailctl update`, and the package's trigger with it, brings the root forward again: to stay with the old
/// programs, take the root's line out of /var/lib/login-jail/roots.
#[derive(Debug, Args)]
#[command(after_long_help = ROLLBACK_EXAMPLES)]
pub struct Rollback {
    /// The root; a second call undoes the first
    #[arg(value_hint = ValueHint::DirPath)]
    root: PathBuf,
}

const ROLLBACK_EXAMPLES: &str = "\
Examples:
  jailctl rollback /srv/jails/ann    the generation before; once more, and it is the newer one again";

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
struct Report {
    drift: BTreeSet<(PathBuf, Kind)>,
    notes: Vec<Note>,
    repaired: bool,
}

impl Update {
    /// Compares, reports and repairs each root. One that can't be does not keep the others from it.
    ///
    /// # Errors
    /// What went wrong with the last root that something went wrong with.
    pub fn run(self) -> Result<Verdict, Fault> {
        let (roots, gone) = if self.roots.is_empty() {
            registry::roots()?
        } else {
            let named = self.roots.iter().map(|root| absolute(root));
            (named.collect::<Result<_, _>>()?, Vec::new())
        };
        if !self.json {
            for root in &gone {
                eprintln!(
                    "finding: {} is not there; bring it back, or take its line out of {}",
                    shown(root),
                    registry::FILE
                );
            }
        }
        let mut failed = None;
        let mut findings = !gone.is_empty();
        let mut left_out = BTreeSet::new();
        let mut reports = Vec::new();
        for root in roots {
            match update(&root, self.dry_run) {
                Ok(report) => {
                    findings |= (self.dry_run && !report.drift.is_empty())
                        || report.notes.iter().any(Note::is_finding);
                    if self.json {
                        reports.push(as_json(&root, &report));
                    } else {
                        print(&root, &report);
                    }
                    let notes = report.notes.into_iter();
                    left_out.extend(notes.filter(Note::is_left_out));
                }
                Err(fault) => {
                    if let Some(before) = failed.replace(fault) {
                        eprintln!("jailctl: {before}");
                    }
                }
            }
        }
        if self.json {
            let gone: Vec<_> = gone.iter().map(|root| root.to_string_lossy()).collect();
            say_json(&object!({ "roots": reports, "gone": gone }));
        } else {
            print_left_out(&left_out);
        }
        failed.map_or_else(|| Ok(Verdict::of(findings)), Err)
    }
}

impl Rollback {
    /// Exchanges the two generations of a root.
    ///
    /// # Errors
    /// There is only one, or a system call failed.
    pub fn run(self) -> Result<Verdict, Fault> {
        let path = absolute(&self.root)?;
        let root = Tree::open(&path)?;
        let _held = generation::hold(&root)?;
        generation::recover(&root)?;
        let manifest = generation::roll_back(&root)?;
        let with = manifest.recipe.with.join(",");
        say(format_args!(
            "{}: rolled back to what was built with {}",
            shown(&path),
            shown(with)
        ));
        Ok(Verdict::Fine)
    }
}

fn update(path: &Path, dry_run: bool) -> Result<Report, Fault> {
    let root = Tree::open(path)?;
    let _held = generation::hold(&root)?;
    generation::recover(&root)?;
    let manifest = Manifest::read(&root)?.ok_or_else(|| {
        let path = path.display();
        Fault::Failed(format!(
            "update {path}: it has no manifest; jailctl build makes roots that have"
        ))
    })?;
    if let Some(source) = &manifest.recipe.imported {
        return Err(Fault::Failed(format!(
            "update {}: it was imported from {source}, not built from this machine; import it anew",
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
    let drift = compare(&root, &manifest, &plan)?;
    let repaired = !dry_run && !drift.differs.is_empty();
    if repaired {
        generation::make_skeleton(&root)?;
        make_homes(&root, &accounts)?;
        generation::put_in_place(&root, &plan, Some(&manifest), &drift.intact)?;
    }
    Ok(Report {
        drift: drift.differs,
        notes: plan.closure.notes.into_iter().collect(),
        repaired,
    })
}

/// Compares manifest, root and host.
fn compare(root: &Tree, manifest: &Manifest, plan: &Plan) -> Result<Drift, Fault> {
    let mut drift = Drift::default();
    let wanted = wanted(plan)?;
    let mut progress = Progress::new(u64::try_from(wanted.len()).unwrap_or(0));
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

fn print(root: &Path, report: &Report) {
    let root = shown(root);
    for note in report.notes.iter().filter(|note| note.is_finding()) {
        eprintln!("finding: {}", shown(note.to_string()));
    }
    for (path, kind) in &report.drift {
        say(format_args!("{}: {kind}: {}", root, shown(path)));
    }
    let what = match (report.drift.is_empty(), report.repaired) {
        (true, _) => "up to date".to_owned(),
        (_, true) => format!("brought up to date; jailctl rollback {} undoes it", root),
        _ => format!(
            "{} differences; jailctl update {} mends them",
            report.drift.len(),
            root
        ),
    };
    say(format_args!("{}: {what}", root));
}

/// Says what of the host is left out, once for all roots. How much there is may be its owner's choice.
fn print_left_out(notes: &BTreeSet<Note>) {
    for note in notes.iter().take(MOST_NOTES) {
        eprintln!("note: {}", shown(note.to_string()));
    }
    if let more @ 1.. = notes.len().saturating_sub(MOST_NOTES) {
        eprintln!("note: {more} more of the kind; jailctl update --json has them all");
    }
}

fn as_json(root: &Path, report: &Report) -> serde_json::Value {
    let drift: Vec<_> = report
        .drift
        .iter()
        .map(|(path, kind)| object!({ "path": path.to_string_lossy(), "kind": kind }))
        .collect();
    object!({ "root": root.to_string_lossy(), "drift": drift, "notes": report.notes, "repaired": report.repaired })
}
