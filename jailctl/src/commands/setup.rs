//! `jailctl setup`: its arguments, what is shown before anything is changed, and the check at the end.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::{Path, PathBuf},
};

use clap::{Args, ValueHint};
use jail::door::decision::CONFIG_DIRECTORY;
use serde_json::{Value, json};

use crate::{
    accounts::edit::Lock,
    doctor::check::{self, Shows},
    failure::{Failure, Verdict, need_root},
    manual::{self, Manual},
    output::{Output, counted, print_json, say},
    setup::{
        asked::Asked,
        change::Change,
        engine,
        plan::{self, Plan},
        recipe::Recipe,
    },
    shell::shown,
};

/// Bring this host from nothing to a working set-up
///
/// Makes what a recipe takes: the group, the accounts, the root directories, the rule in the config, a file of keys for each user
/// that root alone can write, a file in sshd_config.d, lines that deny cron and at, PAM lines where the recipe needs them, and the
/// login shell jail-shell. A command is shown as it is run, and a file with the lines that change. Nothing is changed before you
/// agree, on a terminal or by --yes.
///
/// All members of the group are jailed, also those that it has already. A group keeps its recipe and its targets: what another
/// set-up would change for all members takes another --group. Nobody is brought into a group that gives the machine away, such as
/// sudo, disk or docker. Root, the user who calls this by sudo, and the last
/// administrator (a member of sudo, wheel or admin, or whom sudoers(5) or doas.conf(5) lets run everything as root) are never
/// jailed. sshd is reloaded only after `sshd -t` has passed. At the end the users are checked as by
/// `jailctl check`, which tries a login of each.
///
/// Each change is written to a journal before it is made. `jailctl undo` takes a set-up back, also one that has stopped half-way.
/// A second run changes nothing, and one with another --user adds that user. Needs root.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL.to_string())]
pub(crate) struct Arguments {
    /// What to set up
    #[arg(value_enum)]
    recipe: Recipe,
    /// The group whose members are jailed; each recipe has a name for it
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other)]
    group: Option<String>,
    /// A user; an account that does not exist is made; may be given several times
    #[arg(long = "user", value_name = "NAME", value_hint = ValueHint::Username)]
    users: Vec<String>,
    /// The directory for the root directories, one for each user [default: /srv/jails]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    root: Option<PathBuf>,
    /// The public key of the user; {user} in it stands for the name of each user
    ///
    /// A user who has keys in the home on the host and gets none by this option keeps those: they are copied. A new account has no
    /// password: without a key nobody can log in to it.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    key: Option<String>,
    /// A directory of the host that all see as /shared; the recipe class shows it read-only; made if only itself is missing
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    shared: Option<PathBuf>,
    /// A machine that users of a jump host may reach; may be given several times; users of other targets take another --group
    #[arg(long = "target", value_name = "HOST:PORT", value_hint = ValueHint::Other)]
    targets: Vec<String>,
    /// The date after which they can't log in: the key until of the jail
    #[arg(long, value_name = "DATE", value_hint = ValueHint::Other)]
    until: Option<String>,
    /// Limits of the jail, as in nproc=100,fsize=1G
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',', value_hint = ValueHint::Other)]
    limits: Vec<String>,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

const EXAMPLES: &str = "\
Examples:
  jailctl setup sftp --user ann --key /root/ann.pub --dry-run             show what it takes to give Ann SFTP and nothing else
  jailctl setup sftp --user ann --key /root/ann.pub --yes                 do it without a question
  jailctl setup sftp --user bob --key /root/bob.pub                       Bob comes into the same group
  jailctl setup class --user ann --user bob --key '/root/keys/{user}.pub' --shared /srv/lesson
  jailctl setup jump-host --user ann --key /root/ann.pub --target web1.internal:22
  jailctl setup contractor --user carl --until 2099-12-31 --limits nproc=50,fsize=1G
  jailctl setup build-host --group builders --root /srv/build --user ann --yes --json";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "the set-up works, or is there already, or --dry-run has shown it",
    found: Some("the set-up is made, and the check at the end has found something"),
    differs: None,
    files: &[
        manual::CONFIG,
        manual::JOURNALS,
        (
            "/etc/ssh/sshd_config.d/10-login-jail-GROUP.conf",
            "what sshd does not do for the group",
        ),
        manual::KEYS,
    ],
    examples: EXAMPLES,
};

/// Shows what a recipe takes, asks, makes it, and checks it.
pub(crate) fn run(directory: &Path, arguments: &Arguments) -> Result<Verdict, Failure> {
    need_root("set up a host")?;
    if directory != Path::new(CONFIG_DIRECTORY) {
        return Err(Failure::Usage(format!(
            "setup: it changes accounts and sshd, which go by {CONFIG_DIRECTORY}; leave --config out"
        )));
    }
    let asked = Asked {
        recipe: arguments.recipe,
        group: arguments.group.as_deref(),
        users: &arguments.users,
        root: arguments.root.as_deref(),
        key: arguments.key.as_deref(),
        shared: arguments.shared.as_deref(),
        until: arguments.until.as_deref(),
        limits: &arguments.limits,
        machines: &arguments.targets,
    };
    let planned = || {
        let lock = Lock::take()?;
        engine::refuse_stopped()?;
        Ok::<_, Failure>((plan::make(&asked)?, lock))
    };
    let (plan, mut lock) = planned()?;
    let json = arguments.output.json;
    if !json {
        show(&plan);
    }
    if plan.changes.is_empty() || arguments.dry_run {
        if json {
            print_json(&report(&plan, None, None)?)?;
        }
        return Ok(Verdict::Fine);
    }
    if !arguments.yes {
        // Others need not wait for the answer.
        drop(lock);
        ask(&plan, json)?;
        let again = planned()?;
        lock = again.1;
        if again.0.changes != plan.changes {
            return Err(Failure::Failed(
                "nothing was changed, because this host has changed since the question was asked; run the command again".to_owned(),
            ));
        }
    }
    let (users, about) = (plan.about.users.clone(), plan.about.clone());
    let id = engine::carry_out(about, &plan.changes)?;
    drop(lock);
    let checked = check::of_users(directory, &users)?;
    if json {
        print_json(&report(&plan, Some(id), Some(&checked))?)?;
    } else {
        say(format_args!(
            "made {} of set-up {id}; to take it back, run: jailctl undo {id}",
            counted(plan.changes.len(), "change")
        ));
        // They stood above all that was changed, where nobody looks any more.
        say_notes(&plan);
        checked.print(Shows::default());
    }
    Ok(Verdict::of(checked.counts()))
}

/// Shows each change.
pub(crate) fn show(plan: &Plan) {
    for line in plan.changes.iter().flat_map(Change::show) {
        say(shown(line));
    }
    say_notes(plan);
    if plan.changes.is_empty() {
        say("nothing to change: all of it is there already");
    }
}

fn say_notes(plan: &Plan) {
    for note in &plan.notes {
        say(format_args!("note: {}", shown(note)));
    }
}

/// Asks whether the changes are to be made. Without a terminal nobody can be asked.
fn ask(plan: &Plan, json: bool) -> Result<(), Failure> {
    if json || !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(Failure::Failed(
            "nothing was changed, because there is no terminal to ask at; --yes makes the changes, --dry-run shows them"
                .to_owned(),
        ));
    }
    let failed = |error: io::Error| Failure::Failed(format!("ask at the terminal: {error}"));
    let mut stderr = io::stderr();
    let question = format!("Make {}? [y/N] ", counted(plan.changes.len(), "change"));
    stderr.write_all(question.as_bytes()).map_err(failed)?;
    stderr.flush().map_err(failed)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::Failed("nothing was changed".to_owned())),
    }
}

/// Gives plan and result for a program.
pub(crate) fn report(
    plan: &Plan,
    id: Option<u32>,
    checked: Option<&check::Report>,
) -> Result<Value, Failure> {
    let failed = |error| Failure::Failed(format!("print JSON: {error}"));
    let changes: Vec<Value> = plan
        .changes
        .iter()
        .map(|change| json!({ "change": change, "shown": change.show() }))
        .collect();
    let checked = checked
        .map(serde_json::to_value)
        .transpose()
        .map_err(failed)?;
    Ok(json!({
        "id": id,
        "recipe": plan.about.recipe,
        "group": plan.about.group,
        "users": plan.about.users,
        "made": id.is_some(),
        "changes": changes,
        "notes": plan.notes,
        "check": checked,
    }))
}
