//! `jailctl check`: what is wrong with the config, the jails and the doors to them, and what mends it.
//!
//! What a login would refuse is not judged here a second time: the config is read, the plan prepared and the jail entered by
//! the core itself. What is added is what a login does not look at: the files in a root, and the host's other programs that
//! act for a user.

mod accepted;
mod account_limits;
mod account_state;
mod config;
mod cron;
mod directory;
mod doors;
mod etc;
mod finding;
mod ftp;
mod home_services;
mod inside;
mod manager_condition;
mod mounts;
mod pam;
mod past;
mod printed;
mod reach;
mod report;
mod space;
mod sshd;
mod sudo;
mod together;
mod tree;
mod unit_settings;
mod units;
mod unlisted;
mod until;
mod user_manager;

use std::path::Path;

use crate::progress::Progress;
use jail::door::decision::{CONFIG_DIRECTORY, Config};

use crate::{
    accounts::account::{self, Accounts, Jailed},
    doctor::{attacked, mend, used},
    door::{Door, SSHD_CONFIG},
    failure::{Failure, Verdict, need_root},
    kept::Look,
    output::{Output, print_json},
    shell::shown,
};

pub(crate) use crate::doctor::kinds::{FindingKind, Severity};
pub(crate) use account_state::is_open as account_is_open;
pub(crate) use cron::{Denial, Denials, denial, denials, denials_of};
pub(crate) use doors::{SNIPPETS, is_jail_shell_line};
pub(crate) use finding::Finding;
use finding::Mend;
pub(crate) use home_services::{ALIASES, mail_comes_home};
pub(crate) use manager_condition::ManagerCondition;
pub(crate) use mounts::below_roots as mounts_below_roots;
pub(crate) use printed::Shows;
pub(crate) use reach::reaches_home;
use report::Fixed;
pub(crate) use report::Report;
pub(crate) use sshd::{
    asked::{
        forced_commands as sshd_forced_commands, forces_jail_shell as sshd_forces_jail_shell,
        session_is_jailed as sshd_session_is_jailed,
    },
    ignored_keys, keys_only_inside, leading_to_shell, obeyed as obeyed_by_sshd,
    usual::{self as sshd_for, Usual as SshdFor},
    written_keys,
};
use together::{Fix, Together};
pub(crate) use tree::{excess, is_misowned, is_strange_device};
pub(crate) use unlisted::{refuses as pam_refuses, without_rule as people_without_rule};
pub(crate) use user_manager::{has_manager, is_ruled_by, unit_to_mask};

/// What is asked of a check.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    /// The accounts; none: all whom a rule puts into a jail.
    pub(crate) users: &'a [String],
    pub(crate) fix: bool,
    /// Notes are shown, too.
    pub(crate) notes: bool,
    /// All members of a group are named.
    pub(crate) verbose: bool,
    pub(crate) attack: bool,
    pub(crate) sshd_config: &'a Path,
    pub(crate) output: Output,
}

/// Checks, mends if asked to, and reports.
pub(crate) fn run(config: &Path, asked: &Asked) -> Result<Verdict, Failure> {
    need_root("check roots and enter them")?;
    let mut report = look(config, asked)?;
    if asked.fix {
        let fixed = fix(&report, config);
        if !fixed.is_empty() {
            report = look(config, asked)?;
            report.fixed = fixed;
        }
    }
    report.findings.sort_by_key(|finding| finding.severity);
    let is_whole = asked.users.is_empty() && config == Path::new(CONFIG_DIRECTORY);
    if is_whole && asked.sshd_config == Path::new(SSHD_CONFIG) {
        // Whoever asked has the report.
        if let Err(failure) = report.in_numbers().keep() {
            eprintln!("jailctl: {failure}");
        }
    }
    if asked.output.json {
        print_json(&report)?;
    } else {
        report.print(Shows {
            notes: asked.notes,
            members: asked.verbose,
        });
    }
    Ok(Verdict::of(report.counts()))
}

/// Checks some users and the doors for them, for a command that reports more than that.
pub(crate) fn of_users(directory: &Path, users: &[String]) -> Result<Report, Failure> {
    let asked = Asked {
        users,
        fix: false,
        notes: false,
        verbose: false,
        attack: false,
        sshd_config: Path::new(SSHD_CONFIG),
        output: Output { json: false },
    };
    let mut report = look(directory, &asked)?;
    report.findings.sort_by_key(|finding| finding.severity);
    Ok(report)
}

fn look(directory: &Path, asked: &Asked) -> Result<Report, Failure> {
    let _look = Look::begin();
    let mut report = Report::new(directory);
    let config = match Config::read(directory) {
        Ok(config) => config,
        Err(refusal) => {
            report.extend(config::refused(&refusal));
            return Ok(report);
        }
    };
    let mut all = Accounts::all(&config, directory)?;
    if asked.users.is_empty() {
        all = all.looked_up(&config)?;
    }
    let accounts = if asked.users.is_empty() {
        &all
    } else {
        &Accounts::named(&config, asked.users.iter().cloned())?
    };
    if let (false, [unknown, ..]) = (asked.users.is_empty(), accounts.unknown.as_slice()) {
        return Err(Failure::Failed(format!(
            "there is no account {}{}",
            shown(unknown),
            account::suggestion(unknown)
        )));
    }
    report.users = accounts.jailed.len();
    config::names(&mut report, &config, accounts, &all);
    self::directory::check(&mut report, &config, &all)?;
    if asked.users.is_empty() {
        config::stray_files(&mut report, directory, accounts);
    } else {
        config::not_jailed(&mut report, &config, accounts);
    }
    doors::check(
        &mut report,
        &config,
        &all,
        accounts,
        directory,
        asked.sshd_config,
    );
    // Each is entered, and asked about of sshd.
    let users = u64::try_from(accounts.jailed.len()).unwrap_or(0);
    let mut progress = Progress::new(users.saturating_mul(2));
    for jailed in accounts.jailed.iter().filter(|it| doors::lets_in(it)) {
        progress.add(1);

        inside::check(&mut report, jailed, used::of(&jailed.identity), directory);
        space::check(&mut report, jailed);
        if asked.attack {
            attack(&mut report, jailed, directory);
        }
    }
    let let_in = accounts.jailed.iter().filter(|it| doors::lets_in(it));
    account_state::check(&mut report, let_in);
    around(
        &mut report,
        &accounts.jailed,
        asked.sshd_config,
        &mut progress,
    )?;
    drop(progress);
    let file = directory.join("config.toml");
    pam::check(&mut report, &all, &accounts.jailed, &file);
    ftp::check(&mut report);
    let scope = accepted::Scope {
        some_users: !asked.users.is_empty(),
        attacked: asked.attack,
    };
    accepted::apply(&mut report, config.policy(), directory, &scope);
    Ok(report)
}

/// Finds what is wrong around users, apart from their logins: in their roots, and in what the host does for them.
fn around(
    report: &mut Report,
    jailed: &[Jailed],
    sshd_config: &Path,
    progress: &mut Progress,
) -> Result<(), Failure> {
    for one in jailed {
        doors::beside(report, one);
    }
    account_limits::check(report, jailed);
    until::check(report, jailed);
    tree::check(report, jailed);
    mounts::check(report, jailed);
    etc::check(report, jailed);
    sshd::check(report, jailed, sshd_config, progress)?;
    units::check(report, jailed);
    report.extend(home_services::check(jailed));
    cron::check(report, jailed);
    sudo::check(report, jailed)
}

/// Finds what one login would meet, by this door: the jail as a rehearsal finds it, and the account as PAM and sshd see it.
pub(crate) fn of_login(
    report: &mut Report,
    jailed: &Jailed,
    door: Door,
    directory: &Path,
) -> Result<(), Failure> {
    inside::check(report, jailed, door, directory);
    of_account(report, jailed)
}

/// Adds to what [`of_login`] finds what a check of this user finds besides, and marks what the config accepts.
pub(crate) fn around_login(
    report: &mut Report,
    jailed: &Jailed,
    directory: &Path,
    config: &Config,
) -> Result<(), Failure> {
    let one = std::slice::from_ref(jailed);
    around(report, one, Path::new(SSHD_CONFIG), &mut Progress::hidden())?;
    let scope = accepted::Scope {
        some_users: true,
        attacked: false,
    };
    accepted::apply(report, config.policy(), directory, &scope);
    Ok(())
}

/// Finds what of an account refuses a login before any jail is asked for.
pub(crate) fn of_account(report: &mut Report, jailed: &Jailed) -> Result<(), Failure> {
    account_state::check(report, [jailed]);
    space::check(report, jailed);
    sshd::check_account(report, jailed, Path::new(SSHD_CONFIG))
}

/// Attacks one user's jail. One that can't be attacked must not hide what others have.
fn attack(report: &mut Report, jailed: &Jailed, directory: &Path) {
    match attacked::of(jailed, directory) {
        Ok(attack) => {
            let got_through = attack.got_through();
            report.extend(
                got_through.map(|what| Finding::error(FindingKind::Reached, what).of(jailed)),
            );
            for what in attack.untried() {
                report.leave_unchecked(format!("{}: {what}", jailed.name()));
            }
            report.attacks.push(attack);
        }
        Err(failure) => report.leave_unchecked(failure.to_string()),
    }
}

/// Executes the fixes that can do no harm: each only takes something away, and concerns a jail and nothing else.
fn fix(report: &Report, config: &Path) -> Vec<Fixed> {
    let mut fixed: Vec<Fixed> = Vec::new();
    let everyone = mend::Everyone::of(config, None);
    let all = Together::all(&report.findings).into_iter();
    for together in all.filter(|it| !it.is_accepted()) {
        let Some(Fix::Safe(command)) = together.fix() else {
            continue;
        };
        if fixed.iter().any(|it| it.command == command) {
            continue;
        }
        eprintln!("+ {command}");
        let mends = together.members.iter().filter_map(|it| it.mend.as_ref());
        let mut succeeded = true;
        for repair in mends.filter_map(Mend::safe_repair) {
            match mend::execute(repair, &everyone, mend::Extent::Whole) {
                Ok(changes) => changes.iter().for_each(|change| eprintln!("  {change}")),
                Err(failure) => {
                    succeeded = false;
                    eprintln!("  {failure}");
                }
            }
        }
        fixed.push(Fixed { command, succeeded });
    }
    fixed
}
