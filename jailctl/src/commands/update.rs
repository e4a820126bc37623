//! `jailctl update`: roots that were built here, compared with this machine and brought up to date.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use clap::{Args, ValueHint};
use jail_roots::{
    new_root::absolute,
    note::Note,
    progress::Progress,
    registry,
    update::{Report, update},
};
use serde_json::json as object;

use crate::{
    failure::{Failure, Verdict},
    manual::{self, Manual},
    progress::show_progress,
    stdout::{say, say_json},
    terminal::shown,
};

/// How many notes about what is left out are printed.
const MOST_NOTES: usize = 20;

/// Bring roots up to date with this machine
///
/// Compares each root with its manifest and with the host, and prints a line for each path that differs: stale (the
/// host has another version), missing, changed inside, orphaned (nothing needs it any more) or new. Then a corrected
/// root replaces the old one by a rename. Files that users made stay. Files of the host that not everybody can read are
/// left out, and are removed from the root if that has changed since.
///
/// A generation is what jailctl put into a root in one run. The previous one is kept in ROOT/.login-jail/previous, and
/// `jailctl rollback` puts it back.
///
/// The Debian package has a trigger that calls this command after each run of dpkg that changed programs, libraries or
/// /etc. A root that can't be updated never stops dpkg. To exclude a root, delete its line in
/// /var/lib/login-jail/roots. Needs root.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL.to_string())]
pub(crate) struct Update {
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

const EXAMPLES: &str = "\
Examples:
  jailctl update                             all roots that jailctl build has made
  jailctl update --dry-run /srv/jails/ann    only look at this one
  jailctl update --json                      a report for a program";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "the roots are up to date",
    found: Some("something differs (with --dry-run), a root is missing, or a finding was printed"),
    differs: None,
    files: &[manual::MANIFEST, manual::ROOTS, manual::PREVIOUS],
    examples: EXAMPLES,
};

impl Update {
    /// Compares, reports and repairs each root. One that can't be does not keep the others from it.
    ///
    /// # Errors
    /// What went wrong with the last root that something went wrong with.
    pub(crate) fn run(&self) -> Result<Verdict, Failure> {
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
            match update(&root, self.dry_run, &mut Progress::to(&mut show_progress())) {
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
        failed.map_or_else(|| Ok(Verdict::of(findings)), |fault| Err(fault.into()))
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
