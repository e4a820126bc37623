//! `jailctl build`: a small populated root from the host's own files.

use std::{collections::BTreeSet, path::PathBuf};

use clap::{Args, ValueHint};
use jail_roots::{
    build::{Built, Request, build},
    manifest::{Manifest, Method, Record},
    note::Note,
    progress::Progress,
};
use serde_json::json as object;

use crate::{
    failure::{Failure, Verdict},
    progress::show_progress,
    stdout::{say, say_json},
    terminal::shown,
};

/// Make a root directory from this machine's own programs and what they need
///
/// Programs, their libraries and interpreters (read from the files, which are never run), and what is loaded at run time:
/// NSS, gconv, terminfo, locales, time zones, certificates. The root is built beside and takes its place by a rename, so
/// that killed at any moment the old one is still whole; the one before is kept for `jailctl rollback`. What was put
/// where from which package, with a digest, is in ROOT/.login-jail/manifest.json, which the user can't read. The root is
/// noted in /var/lib/login-jail/roots, where `jailctl update` finds it.
///
/// On a root that was built before, what is named comes to what was asked for before: its presets, programs and accounts
/// are kept, and so is the way files come in, unless another one is named, which then holds for all files. Without anything
/// named the root is built anew as it was asked for. `--only` lets go of the presets and programs of before.
///
/// A user of the root needs a rule as well: `jailctl add`. Who needs the host's programs and nothing of their own needs
/// no such root: base = "host" in login-jail.toml(5).
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Build {
    /// The root directory; made if it is not there, with those above it, root's and mode 0755. One that was built before is
    /// built anew, users' files stay
    #[arg(value_hint = ValueHint::DirPath)]
    root: PathBuf,
    /// Presets: shell, sftp, rsync, git, ... (jailctl presets lists them)
    #[arg(long, value_delimiter = ',', value_name = "PRESET")]
    with: Vec<String>,
    /// A further program, by name or path, or a directory: sh,ls,cat
    #[arg(long = "program", value_delimiter = ',', value_name = "PROGRAM")]
    programs: Vec<String>,
    /// Just what is named now: the presets and programs of before go, accounts and homes stay
    #[arg(long)]
    only: bool,
    /// An account that the root's passwd and group know and that has a home in it; several with commas between
    #[arg(long = "user", value_delimiter = ',', value_name = "NAME", value_hint = ValueHint::Username)]
    users: Vec<String>,
    /// Copy the host's files (the default for a new root)
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
  jailctl build --with php /srv/jails/ann                   php too, beside what she has
  jailctl build --only --with sftp /srv/jails/ann           nothing but sftp from now on
  jailctl build --program jq --program /opt/report /srv/jails/bob    these programs and what they need
  jailctl build --with shell --hardlink /srv/jails/ann      the host's own files, on one file system
  jailctl build --with shell --reflink /srv/jails/ann       on Btrfs or XFS
  jailctl build --with sftp --copy --json /srv/jails/ann    files of its own, and a report for a program";

impl Build {
    /// Builds the root and reports.
    ///
    /// # Errors
    /// Something asked for is not there, or a system call failed; a root that was there works as before.
    pub(crate) fn run(&self) -> Result<Verdict, Failure> {
        let request = Request {
            root: self.root.clone(),
            with: self.with.clone(),
            programs: self.programs.clone(),
            only: self.only,
            users: self.users.clone(),
            method: self.method(),
        };
        let built = build(&request, &mut Progress::to(&mut show_progress()))?;
        if self.json {
            print_json(&built);
        } else {
            print(&built);
        }
        Ok(Verdict::of(built.notes.iter().any(Note::is_finding)))
    }

    fn method(&self) -> Option<Method> {
        match (self.copy, self.hardlink, self.reflink) {
            (true, ..) => Some(Method::Copy),
            (_, true, _) => Some(Method::Hardlink),
            (.., true) => Some(Method::Reflink),
            _ => None,
        }
    }
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

fn print(built: &Built) {
    let Built {
        root,
        manifest,
        change,
        notes,
    } = built;
    let (files, bytes) = count(manifest);
    for note in notes
        .iter()
        .filter(|note| !matches!(note, Note::NotInstalled { .. }))
    {
        let kind = if note.is_finding() { "finding" } else { "note" };
        eprintln!("{kind}: {}", shown(note.to_string()));
    }
    // Once, of however many presets it is.
    let missing: BTreeSet<&str> = notes
        .iter()
        .filter_map(|note| match note {
            Note::NotInstalled { program, .. } => Some(program.as_str()),
            _ => None,
        })
        .collect();
    if !missing.is_empty() {
        let missing: Vec<&str> = missing.into_iter().collect();
        eprintln!(
            "note: not on this host and left out: {}",
            shown(missing.join(" "))
        );
    }
    for line in change.lines(manifest.recipe.method) {
        say(format_args!("{}: {}", shown(root), shown(line)));
    }
    say(format_args!(
        "{}: {files} files, {} MiB",
        shown(root),
        bytes.div_ceil(1 << 20)
    ));
}

fn print_json(built: &Built) {
    let Built {
        root,
        manifest,
        change,
        notes,
    } = built;
    let (files, bytes) = count(manifest);
    let findings = notes.iter().filter(|note| note.is_finding()).count();
    let report = object!({
        "root": root.to_string_lossy(),
        "files": files,
        "bytes": bytes,
        "recipe": manifest.recipe,
        "change": change,
        "findings": findings,
        "notes": notes,
    });
    say_json(&report);
}
