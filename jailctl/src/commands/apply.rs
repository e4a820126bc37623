//! `jailctl apply`: brings a host to a declared state, and takes the change back where it makes something worse.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use clap::{Args, ValueHint};
use jail::door::decision::CONFIG_DIRECTORY;
use serde_json::{Value, json};

use crate::{
    accounts::{account, edit::Lock},
    commands::{
        limited::limit_homes,
        setup::{report, show},
    },
    doctor::check::{self, FindingKind, Severity, Shows},
    failure::{Failure, Verdict, need_root},
    manual::{self, Manual},
    output::{Output, counted, print_json, say},
    setup::{
        engine,
        many::{plan, state, wanted::Wanted},
        plan::Plan,
    },
    shell::shown,
};

/// Bring this host to a declared state
///
/// The file says which jails, groups, users and roots there are to be; NOTES has its format. What differs on this host is changed:
/// jails and rules in the config, accounts and groups (only where the file says create), keys, root directories and homes, login
/// shells, denials of cron and at, and sshd's config for the keys. What the file does not name is left alone. If all is as
/// declared, nothing is written.
///
/// The whole file is checked first, and all that is wrong is listed with its line; nothing is changed then. Changes are journaled
/// as those of `jailctl setup`, and `jailctl undo` takes them back. After a change, users are checked as by `jailctl check`: all of
/// them, or one of each kind where they are more than 50. If that finds an error that was not there before, the change is taken
/// back at once, and the exit status is 3. A home that can't be limited as `disk` says is a finding and keeps no other account from its
/// change.
///
/// --check changes nothing and ends with exit status 4 if the host differs. The caller and the last administrator are never jailed,
/// as with `jailctl setup`. Needs root.
#[derive(Debug, Args)]
#[command(after_long_help = format!("{FORMAT}\n\n{MANUAL}"))]
pub(crate) struct Arguments {
    /// The declared state: TOML, or JSON with the same keys; - for standard input
    #[arg(value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// Show what differs, change nothing, and end with exit status 4 if something does
    #[arg(long)]
    check: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// The format of the file.
const FORMAT: &str = "\
The file has these keys. An unknown key is an error.

  create = true: accounts and groups that are missing are made; the default is false. Each user and group can have a create of its own.
  prune = true: what apply has written before, and what the file no longer names, goes: jails and rules of groups with the mark \
# jailctl apply in the config, and files in users.d with that mark. Accounts, groups, keys and root directories stay. The default is false.

[jails.NAME] is a jail as in login-jail.toml(5), with the same keys. A jail of this name in the config is replaced if it has other keys.

[groups.NAME] is a group:
  jail = \"web\": the rule for the group
  create = true: the group is made if it is missing

[users.NAME] is a user:
  groups = [\"pupils\"]: groups that the user is in; the user stays in others; nobody is brought into root, sudo, disk, docker and their like
  jail = \"web\": the user's own rule, a file in users.d; not needed if a group leads there
  until = 2027-07-31: the date after which the user can't log in
  limits = { nproc = 50 }: limits that come before those of the jail
  keys = [\"ssh-ed25519 AAAA...\"]: all public keys of the user, or the path of a file that has them, from the directory of the state; without this key they stay as they are
  comment = \"Ann Archer\": the full name, for an account that is made
  create = true: the account is made if it is missing, with jail-shell as its login shell and without a password

[roots.\"/srv/shell\"] is a root with a system of its own:
  presets = [\"shell\", \"sftp\"], programs = [\"jq\"]: it is built as by jailctl build
  image = \"/root/debian.tar\": it is imported as by jailctl import, if it is missing; a path begins at the directory of the state

A jail and limits of a user that are no longer in the file end with the next apply: the user's file with the mark goes, or is written anew.";

const EXAMPLES: &str = "\
Examples:
  jailctl apply --dry-run /etc/login-jail/state.toml         show what would change
  jailctl apply /etc/login-jail/state.toml                   change it
  jailctl apply --check --json /etc/login-jail/state.toml    for a program: exit status 4 if the host differs";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "the host is as declared, or --dry-run has shown what would change",
    found: Some("the host is as declared, and the check at the end has found something"),
    differs: Some("--check was given, and the host differs from what is declared"),
    files: &[
        manual::CONFIG,
        manual::USERS_D,
        manual::KEYS,
        manual::JOURNALS,
    ],
    examples: EXAMPLES,
};

/// Applies it.
pub(crate) fn run(directory: &Path, arguments: &Arguments) -> Result<Verdict, Failure> {
    need_root("change the config and accounts")?;
    if directory != Path::new(CONFIG_DIRECTORY) {
        return Err(Failure::Usage(format!(
            "apply: it changes accounts and sshd, which go by {CONFIG_DIRECTORY}; leave --config out"
        )));
    }
    let json = arguments.output.json;
    let mut faults = Vec::new();
    let wanted = state::read(&arguments.file, &mut faults)?;
    let lock = Lock::take()?;
    engine::refuse_stopped()?;
    let plan = plan::make(&wanted, faults)?;
    let differs = !plan.changes.is_empty();
    if !json {
        show_state(&plan);
    }
    if !differs || arguments.dry_run || arguments.check {
        if json {
            print_json(&outcome(&plan, None, None, None)?)?;
        }
        return Ok(match differs && arguments.check {
            true => Verdict::Drift,
            false => Verdict::Fine,
        });
    }
    let some = wanted.examples(&plan.about.users);
    let before = errors(directory, &known(&some)?)?;
    let id = match engine::carry_out(plan.about.clone(), &plan.changes) {
        Ok(id) => id,
        Err(failure) => return Err(taken_back(&plan, None, &failure.to_string(), json)?),
    };
    // An account that the state takes away has no home to limit.
    let limited = known(&plan.about.users).and_then(|users| limit_homes(directory, id, users));
    let checked = limited
        .map_err(|failure| failure.to_string())
        .and_then(|limited| {
            let some = limited.checked_with(some);
            Ok((checked(directory, &some, &before)?, limited))
        });
    match checked {
        Ok((checked, limited)) => {
            drop(lock);
            limited.print(json);
            done(&wanted, &plan, id, &checked, json)
        }
        Err(why) => Err(taken_back(&plan, Some(id), &why, json)?),
    }
}

/// Takes back what was just made: `id`, or what has stopped half-way, which can be nothing else as long as the lock is held.
/// Gives the failure that says so.
fn taken_back(plan: &Plan, id: Option<u32>, why: &str, json: bool) -> Result<Failure, Failure> {
    let undone = match engine::find(id) {
        Ok(journal) if id.is_none() && journal.is_complete => {
            return Ok(Failure::Failed(why.to_owned()));
        }
        Err(_) if id.is_none() => return Ok(Failure::Failed(why.to_owned())),
        found => found.and_then(|it| engine::undo(it, engine::Rest::Stays)),
    };
    let reason = match undone {
        Ok(_) => format!("nothing was changed: the change was taken back, because {why}"),
        Err(failure) => format!("{why}; and the change could not be taken back: {failure}"),
    };
    if json {
        print_json(&outcome(plan, None, None, Some(&reason))?)?;
    }
    Ok(Failure::Failed(reason))
}

fn show_state(plan: &Plan) {
    match plan.changes.is_empty() {
        true => say("nothing to change: the host is as declared"),
        false => show(plan),
    }
}

fn done(
    wanted: &Wanted,
    plan: &Plan,
    id: u32,
    checked: &check::Report,
    json: bool,
) -> Result<Verdict, Failure> {
    if json {
        print_json(&outcome(plan, Some(id), Some(checked), None)?)?;
    } else {
        say(format_args!(
            "applied {}; to take it back, run: jailctl undo {id}",
            counted(plan.changes.len(), "change")
        ));
        checked.print(Shows::default());
        let (some, all) = (
            wanted.examples(&plan.about.users).len(),
            plan.about.users.len(),
        );
        if some < all {
            say(format_args!(
                "checked {some} of {}, at least one of each rule; jailctl check checks all",
                counted(all, "user")
            ));
        }
    }
    Ok(Verdict::of(checked.counts()))
}

/// Those who have an account now.
fn known(names: &[String]) -> Result<Vec<String>, Failure> {
    let listed = account::listed()?;
    Ok(names
        .iter()
        .filter(|it| listed.contains(*it))
        .cloned()
        .collect())
}

/// An error that a check finds: its kind, whom it is about, and what it says.
type Error = (FindingKind, Option<String>, String);

/// Lists the errors that there are already.
fn errors(directory: &Path, users: &[String]) -> Result<HashSet<Error>, Failure> {
    if users.is_empty() {
        return Ok(HashSet::new());
    }
    let report = check::of_users(directory, users)?;
    let errors = report
        .findings
        .into_iter()
        .filter(|it| it.severity == Severity::Error);
    Ok(errors.map(|it| (it.kind, it.user, it.what)).collect())
}

/// Checks users after the change.
///
/// # Errors
/// Why the change must not stay, in words.
fn checked(
    directory: &Path,
    users: &[String],
    before: &HashSet<Error>,
) -> Result<check::Report, String> {
    let report = check::of_users(directory, users).map_err(|failure| failure.to_string())?;
    let is_new = |it: &&check::Finding| {
        it.severity == Severity::Error
            && it.counts()
            // A home that can't be limited is no reason to keep others from what is declared.
            && it.kind != FindingKind::DiskUnlimited
            && !before.contains(&(it.kind, it.user.clone(), it.what.clone()))
    };
    let mut new = report.findings.iter().filter(is_new);
    let Some(first) = new.next() else {
        return Ok(report);
    };
    let more = match new.count() {
        0 => String::new(),
        more => format!(" (and {} more)", counted(more, "error")),
    };
    Err(format!(
        "check found a new error: {}{more}",
        shown(&first.what)
    ))
}

/// Gives plan and result for a program.
fn outcome(
    plan: &Plan,
    id: Option<u32>,
    checked: Option<&check::Report>,
    rolled_back: Option<&str>,
) -> Result<Value, Failure> {
    let mut value = report(plan, id, checked)?;
    if let Some(object) = value.as_object_mut() {
        object.remove("recipe");
        object.remove("group");
        object.insert("differs".to_owned(), json!(!plan.changes.is_empty()));
        object.insert("changed".to_owned(), json!(id.is_some()));
        object.insert("rolled_back".to_owned(), json!(rolled_back.is_some()));
        object.insert("reason".to_owned(), json!(rolled_back));
    }
    Ok(value)
}
