//! `jailctl undo`: takes back what `jailctl setup`, `add` or `apply` has made.

use clap::Args;
use serde_json::json;

use crate::{
    accounts::edit::Lock,
    failure::{Failure, Verdict, need_root},
    manual::{self, Manual},
    output::{Output, print_columns, print_json, say},
    setup::{
        engine::{self, Rest},
        journal::{self, Journal},
    },
    shell::shown,
};

/// Take back what jailctl setup, add or apply has made
///
/// Each change of `jailctl setup`, of `jailctl apply`, and of `jailctl add` with several users is a set-up with a number. Takes back the last set-up, or the one with this number. It takes back what the journal has, the last change first, also of a
/// set-up that has stopped half-way. A file becomes what it was, byte for byte, if nobody has changed it since; otherwise only the
/// lines of the set-up go, and the others stay. Accounts that the set-up has made are removed; other accounts get back the login shell
/// that they had. Directories are removed if they are empty: files of users are never removed. One that stays for an account that has
/// gone becomes root's, so that it is not the next account's with this number. Quotas of homes become what they were, and what was
/// counted for them is counted as before. Not so a quota that `jailctl add` of one user, `build`, `mend` or a first login (`create`) has set: these are
/// no set-ups, and have no journal. Those commands print the quota of before, and setquota(8) sets it. A root that `jailctl apply` has made is removed
/// if nobody has put anything into it since. The last 100 set-ups can be taken back; the journals of older ones are removed.
///
/// sshd is reloaded only after `sshd -t` has passed. If something could not be taken back, run the command again, or
/// with --force. An account or a group of the same name that somebody has made since, with another number, is left alone. Needs root.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL.to_string())]
pub(crate) struct Arguments {
    /// The number of the set-up, as --list shows it; the last one by default
    id: Option<u32>,
    /// List the set-ups that can be taken back
    #[arg(long, conflicts_with_all = ["id", "dry_run"])]
    list: bool,
    /// Show what would be taken back, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Leave what can't be taken back as it is, and forget the set-up
    #[arg(long, conflicts_with_all = ["list", "dry_run"])]
    force: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

const EXAMPLES: &str = "\
Examples:
  jailctl undo --list         which set-ups there are
  jailctl undo --dry-run      show what taking the last one back changes
  jailctl undo                take the last one back
  jailctl undo 2              take set-up 2 back
  jailctl undo 2 --force      take back of it what can be, and forget the set-up
  jailctl undo 2 --json       and say for a program what was done";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "the set-up is taken back, or was shown",
    found: None,
    differs: None,
    files: &[manual::CONFIG, manual::JOURNALS],
    examples: EXAMPLES,
};

/// Takes a set-up back, or lists them.
pub(crate) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    need_root("take a set-up back")?;
    let json = arguments.output.json;
    if arguments.list {
        list(&journal::all()?, json)?;
        return Ok(Verdict::Fine);
    }
    let _lock = Lock::take()?;
    let journal = engine::find(arguments.id)?;
    let id = journal.id;
    let rest = match arguments.force {
        true => Rest::IsLeft,
        false => Rest::Stays,
    };
    let report = match arguments.dry_run {
        true => engine::show_undo(&journal)?,
        false => engine::undo(journal, rest)?,
    };
    if json {
        let dry_run = arguments.dry_run;
        print_json(
            &json!({ "id": id, "dry_run": dry_run, "changes": report.did, "kept": report.kept }),
        )?;
        return Ok(Verdict::Fine);
    }
    report.did.iter().map(shown).for_each(say);
    for kept in &report.kept {
        say(format_args!("kept: {}", shown(kept)));
    }
    if !arguments.dry_run {
        say(format_args!("set-up {id} is taken back"));
    }
    Ok(Verdict::Fine)
}

fn list(all: &[Journal], json: bool) -> Result<(), Failure> {
    let state = |it: &Journal| {
        if it.is_complete {
            "made"
        } else {
            "stopped half-way"
        }
    };
    if json {
        let all: Vec<_> = all
            .iter()
            .map(|it| json!({ "id": it.id, "about": it.about, "complete": it.is_complete }))
            .collect();
        return print_json(&all);
    }
    if all.is_empty() {
        say("no set-up can be taken back");
        return Ok(());
    }
    let heading = ["ID", "RECIPE", "GROUP", "USERS", "TIME", "STATE"].map(str::to_owned);
    let rows = all.iter().map(|it| {
        let about = &it.about;
        let users = some(&about.users);
        [
            it.id.to_string(),
            shown(&about.recipe),
            shown(&about.group),
            shown(users),
            shown(&about.time),
            state(it).to_owned(),
        ]
    });
    let rows: Vec<[String; 6]> = [heading].into_iter().chain(rows).collect();
    print_columns(&rows);
    Ok(())
}

/// Names users, and counts them where they are many.
fn some(users: &[String]) -> String {
    const NAMED: usize = 3;
    match users.get(..NAMED).filter(|_| users.len() > NAMED + 1) {
        Some(named) => format!("{} and {} more", named.join(","), users.len() - NAMED),
        None => users.join(","),
    }
}
