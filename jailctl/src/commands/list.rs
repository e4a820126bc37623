//! `jailctl list`: who is jailed where.

use std::path::Path;

use clap::Args;
use jail::door::decision::Config;
use serde::Serialize;

use crate::{
    accounts::{
        account::{Accounts, Jailed},
        open_until::OpenUntil,
    },
    doctor::check::sshd_forces_jail_shell,
    door::{Door, SSHD_CONFIG, has_jail_shell},
    failure::{Failure, Verdict},
    manual::{self, Manual},
    output::{Output, print_columns, print_json},
    pam,
    shell::shown,
};

/// List who is jailed where, and through which door
///
/// Prints a line for each account that a rule puts into a jail: the jail, the root, the doors and the rule with its
/// file and line. A door is login-shell (jail-shell is the login shell), force-command (sshd starts jail-shell for
/// every connection) or pam (pam_jail.so is in the PAM stacks that are named behind it). A question mark behind
/// force-command means that sshd could not be asked. It is enough that the config is readable; root is not needed.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL.to_string())]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) output: Output,
}

const EXAMPLES: &str = "\
Examples:
  jailctl list           a line for each user and each rule
  jailctl list --json    the same for a program";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "the list was printed",
    found: None,
    differs: None,
    files: &[
        manual::CONFIG,
        manual::USERS_D,
        manual::SSHD_CONFIG,
        manual::PAM_D,
    ],
    examples: EXAMPLES,
};

#[derive(Debug, Serialize)]
struct Entry {
    user: String,
    uid: u32,
    jail: String,
    root: String,
    rule: String,
    /// When logins end, where the config says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<OpenUntil>,
    doors: Vec<&'static str>,
    /// The PAM services whose sessions are jailed, of this user as of all with a rule.
    pam: Vec<String>,
}

/// Lists every jailed account.
pub(crate) fn run(directory: &Path, arguments: &Arguments) -> Result<Verdict, Failure> {
    let config = Config::read(directory)?;
    let accounts = Accounts::all(&config, directory)?;
    let pam: Vec<String> = pam::jailing().collect();
    let entries: Vec<Entry> = accounts.jailed.iter().map(|it| entry(it, &pam)).collect();
    if arguments.output.json {
        print_json(&entries)?;
        return Ok(Verdict::Fine);
    }
    let ends = entries.iter().any(|entry| entry.until.is_some());
    let mut rows = vec![["USER", "JAIL", "ROOT", "DOORS", "UNTIL", "RULE"].map(str::to_owned)];
    rows.extend(entries.into_iter().map(|entry| {
        let pam = (!entry.pam.is_empty()).then(|| format!("pam:{}", entry.pam.join("+")));
        let doors: Vec<&str> = entry.doors.into_iter().chain(pam.as_deref()).collect();
        let doors = match doors.as_slice() {
            [] => "none".to_owned(),
            doors => doors.join(","),
        };
        let until = entry
            .until
            .map_or_else(|| "-".to_owned(), |until| until.to_string());
        [entry.user, entry.jail, entry.root, doors, until, entry.rule]
    }));
    if ends {
        print_columns(&rows);
    } else {
        let rows: Vec<[String; 5]> = rows
            .into_iter()
            .map(|[user, jail, root, doors, _, rule]| [user, jail, root, doors, rule])
            .collect();
        print_columns(&rows);
    }
    Ok(Verdict::Fine)
}

fn entry(jailed: &Jailed, pam: &[String]) -> Entry {
    let login = has_jail_shell(&jailed.identity).then_some(Door::LoginShell.name());
    // sshd takes its time to answer, and who comes in by ssh comes through the login shell anyway.
    let config = Path::new(SSHD_CONFIG);
    let forced = match login {
        Some(_) => Some(false),
        None => sshd_forces_jail_shell(&jailed.identity, config),
    };
    let forced = match forced {
        Some(true) => Some(Door::ForceCommand.name()),
        Some(false) => None,
        None => Some("force-command?"),
    };
    Entry {
        user: jailed.name(),
        uid: jailed.identity.uid,
        jail: shown(&jailed.jail.name),
        root: shown(&jailed.jail.root),
        rule: shown(jailed.jail.rule.to_string()),
        until: OpenUntil::of(&jailed.jail),
        doors: login.into_iter().chain(forced).collect(),
        pam: pam.to_vec(),
    }
}
