//! `jailctl metrics`: numbers about logins, jails and roots, for a monitoring system.

mod text;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::{Args, ValueHint};
use jail::door::decision::Config;
use jail_roots::{progress::Progress, registry, tree::Tree, update::update};

use crate::{
    accounts::account::{Accounts, Jailed},
    commands::sessions,
    counts::counted,
    failure::{Failure, Verdict, need_root},
    kept::Look,
    last_check::LastCheck,
    manual::{self, Manual},
    process::Process,
    progress::show_progress,
    stdout::say,
};
use text::{Kind, Text};

/// Print numbers for a monitoring system
///
/// Prints OpenMetrics text, which the textfile collector of node_exporter reads as well: logins and refusals by jail and
/// code, sessions, roots that this machine is ahead of, the findings of the last check, and when that was. No daemon is
/// needed. The doors count in memory of the kernel (/run), from 0 at each start of the machine, and a login is never
/// refused because it could not be counted. Roots are compared with the machine as jailctl update does; nothing is
/// changed in them.
///
/// The label jail is the jail's name in the config, or the root directory where a rule names that. It is empty where a login
/// was refused before its jail was known. A login that went in and was refused behind that, because its program could not
/// be started, counts as both.
///
/// jailctl check, called without names, keeps the numbers of its findings for this command. The package has the systemd
/// timers login-jail-check.timer and login-jail-metrics.timer, which are not enabled. Needs root.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL.to_string())]
pub(crate) struct Arguments {
    /// Write to this file, which is replaced at once; its directory must be root's and writable by nobody else
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
    /// Leave the roots out, whose comparison reads all their files
    #[arg(long)]
    no_roots: bool,
}

const EXAMPLES: &str = "\
Examples:
  jailctl metrics                the numbers, to look at
  jailctl metrics --no-roots     the same without reading the files of the roots
  jailctl metrics --output /var/lib/prometheus/node-exporter/login-jail.prom    for the textfile collector of node_exporter";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "all numbers are there",
    found: Some(
        "some numbers could not be had; the others are there, and the message says which are missing",
    ),
    differs: None,
    files: &[
        manual::CONFIG,
        (jail::log::counts::DIRECTORY, "what the doors have counted"),
        (crate::last_check::FILE, "the numbers of the last check"),
        manual::ROOTS,
    ],
    examples: EXAMPLES,
};

/// Gathers the numbers and prints them.
pub(crate) fn run(directory: &Path, arguments: &Arguments) -> Result<Verdict, Failure> {
    need_root("see what was counted")?;
    let _look = Look::begin();
    let mut text = Text::default();
    let mut missing = Vec::new();
    let mut add = |added: Result<(), Failure>| missing.extend(added.err());
    let jailed = jailed(&mut text, directory);
    let jails = jailed.iter().flatten().map(|it| (it.jail.name.clone(), 0));
    let jails: BTreeMap<String, i64> = jails.collect();
    add(logins(&mut text, jails.clone()));
    add(jailed.and_then(|jailed| running(&mut text, jails, &jailed)));
    if !arguments.no_roots {
        add(roots(&mut text));
    }
    add(check(&mut text));
    let text = text.end();
    match &arguments.output {
        Some(file) => replace(file, &text)?,
        None => say(text.trim_end()),
    }
    for failure in &missing {
        eprintln!("jailctl: {failure}");
    }
    Ok(Verdict::of(!missing.is_empty()))
}

/// Says whether the config is in order, and gives whom it jails.
fn jailed(text: &mut Text, directory: &Path) -> Result<Vec<Jailed>, Failure> {
    let config = Config::read(directory);
    text.family(
        "login_jail_config_valid",
        Kind::Gauge,
        "Whether the config can be read; 0 means that logins are refused.",
        [],
        [([], i64::from(config.is_ok()))],
    );
    Ok(Accounts::all(&config?, directory)?.jailed)
}

/// Gives what the doors have counted. A jail that nobody has logged in to has a 0, so that the first login shows as a rise.
fn logins(text: &mut Text, mut logins: BTreeMap<String, i64>) -> Result<(), Failure> {
    let counted = counted()?;
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let known = counted.iter().filter(|it| !it.jail.is_empty());
    logins.extend(known.map(|it| (it.jail.clone(), number(it.logins))));
    text.family(
        "login_jail_logins",
        Kind::Counter,
        "Logins that went into a jail since the machine started.",
        ["jail"],
        logins.into_iter().map(|(jail, number)| ([jail], number)),
    );
    let refusals = counted.iter().flat_map(|it| {
        let all = it.refusals.iter();
        all.map(|(code, count)| ([it.jail.clone(), code.to_string()], number(*count)))
    });
    text.family(
        "login_jail_refusals",
        Kind::Counter,
        "Logins that were refused since the machine started, by the code that the user was told.",
        ["jail", "code"],
        refusals,
    );
    Ok(())
}

/// Counts the sessions that are open.
fn running(
    text: &mut Text,
    mut jails: BTreeMap<String, i64>,
    jailed: &[Jailed],
) -> Result<(), Failure> {
    let owners = Process::owners()?;
    for user in jailed.iter().filter(|it| owners.contains(&it.identity.uid)) {
        let open = sessions::of(user)?;
        let inside = open.iter().filter(|session| !session.is_entering()).count();
        let count = jails.entry(user.jail.name.clone()).or_default();
        *count = count.saturating_add(i64::try_from(inside).unwrap_or(i64::MAX));
    }
    text.family(
        "login_jail_sessions",
        Kind::Gauge,
        "Sessions in a jail now, with those of which only background processes are left.",
        ["jail"],
        jails.into_iter().map(|(jail, number)| ([jail], number)),
    );
    Ok(())
}

/// Compares the roots that jailctl has built with this machine.
fn roots(text: &mut Text) -> Result<(), Failure> {
    let (there, gone) = registry::roots()?;
    let (mut current, mut stale, mut failed) = (0, 0, None);
    for root in &there {
        match update(root, true, &mut Progress::to(&mut show_progress())) {
            Ok(report) if report.drift.is_empty() => current += 1,
            Ok(_) => stale += 1,
            Err(fault) => {
                let (_, count) = failed.unwrap_or((None, 0));
                failed = Some((Some(fault), count + 1));
            }
        }
    }
    let gone = i64::try_from(gone.len()).unwrap_or(i64::MAX);
    let unknown = failed.as_ref().map_or(0, |(_, count)| *count);
    let states = [
        ("current", current),
        ("stale", stale),
        ("missing", gone),
        ("unknown", unknown),
    ];
    text.family(
        "login_jail_roots",
        Kind::Gauge,
        "Roots that jailctl build has made: stale if this machine has other files, unknown if they can not be compared.",
        ["state"],
        states.map(|(state, number)| ([state.to_owned()], number)),
    );
    match failed {
        Some((Some(fault), _)) => Err(fault.into()),
        _ => Ok(()),
    }
}

/// Gives the numbers of the last check.
fn check(text: &mut Text) -> Result<(), Failure> {
    let Some(last) = LastCheck::read()? else {
        return Ok(());
    };
    let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let severities = [
        ("error", last.errors),
        ("warning", last.warnings),
        ("note", last.notes),
    ];
    text.family(
        "login_jail_findings",
        Kind::Gauge,
        "Findings of the last check that are not accepted.",
        ["severity"],
        severities.map(|(severity, count)| ([severity.to_owned()], number(count))),
    );
    let more = [
        (
            "login_jail_findings_accepted",
            "Findings of the last check that the config accepts.",
            number(last.accepted),
        ),
        (
            "login_jail_unchecked",
            "What the last check could not look at.",
            number(last.unchecked),
        ),
        (
            "login_jail_last_check_timestamp_seconds",
            "When the last check of all users and doors was.",
            last.time,
        ),
    ];
    for (name, help, number) in more {
        text.family(name, Kind::Gauge, help, [], [([], number)]);
    }
    Ok(())
}

/// Replaces a file by a new one at once.
fn replace(file: &Path, text: &str) -> Result<(), Failure> {
    let whole = std::path::absolute(file).map_err(|error| Failure::io("find", file, &error))?;
    let (Some(directory), Some(name)) = (whole.parent(), whole.file_name()) else {
        return Err(Failure::Usage(format!(
            "--output {}: this is no file",
            file.display()
        )));
    };
    let directory = Tree::open_below_others(directory)?;
    Ok(directory.replace(Path::new(name), text.as_bytes(), 0o644)?)
}
