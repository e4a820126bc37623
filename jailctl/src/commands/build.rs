//! `jailctl build`: a small populated root from the host's own files.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use clap::{Args, ValueHint};
use jail_roots::{
    build::{Built, Request, build},
    manifest::{Manifest, Method, Record},
    note::Note,
    progress::Progress,
};
use serde_json::json as object;

use crate::{
    doctor::mend::{Extent, limit_disk},
    failure::{Failure, Verdict},
    manual::{self, Manual},
    progress::show_progress,
    stdout::{say, say_json},
    terminal::shown,
};

/// Make a root directory from this machine's own programs
///
/// Copies programs with all that they need: libraries and interpreters, which are found by reading the files (no
/// program is run), and what is loaded later: NSS, gconv, terminfo, locales, time zones, certificates. The new root is
/// built beside the old one and replaces it by a rename. If the command is killed, the old root is still complete. The
/// previous generation is kept for `jailctl rollback`. ROOT/.login-jail/manifest.json records each file with its
/// package and digest; users can't read it. The root is noted in /var/lib/login-jail/roots, where `jailctl update`
/// finds it.
///
/// If the root was built before, its presets, programs and accounts are kept, and those that you name are added. The
/// way files come in (--copy, --hardlink, --reflink) is kept too, unless you name another one, which then holds for all
/// files. If you name nothing, the root is built again as before. `--only` drops the presets and programs of before.
///
/// A user of the root also needs a rule: `jailctl add`. If users need the host's programs and no others, no such root
/// is required: see base = "host" in login-jail.toml(5). Needs root.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL.to_string())]
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
    /// Build only what is named now; presets and programs of before are removed, accounts and homes stay
    #[arg(long)]
    only: bool,
    /// Add this account to the root's passwd and group, and make its home there; several with commas between
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

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "the root is complete",
    found: Some("the root was made, but has problems; each finding is printed"),
    differs: None,
    files: &[
        manual::MANIFEST,
        manual::ROOTS,
        manual::PREVIOUS,
        manual::PRESETS_D,
    ],
    examples: EXAMPLES,
};

impl Build {
    /// Builds the root and reports.
    ///
    /// # Errors
    /// Something asked for is not there, or a system call failed; a root that was there works as before.
    pub(crate) fn run(&self, config: &Path) -> Result<Verdict, Failure> {
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
        // Homes that it has made, of users who have a rule already.
        if config.join("config.toml").exists() {
            let limited = limit_disk(config, self.users.clone(), Extent::Whole);
            let limited = limited.map_err(|failure| {
                Failure::Failed(format!(
                    "the root is built, and a home in it is not limited: {failure}; jailctl check finds whose"
                ))
            })?;
            if !self.json {
                limited.iter().for_each(say);
            }
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
