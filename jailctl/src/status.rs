//! `jailctl status`: whether the doors are in working order, and what jailed users have running.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use jail::{
    decision::Config,
    enter::prepare,
    plan::Plan,
    request::{Request, What},
    start::Inherited,
};
use serde::Serialize;

use crate::{
    account::{Accounts, Jailed},
    check::{jailing_pam_services, open_pam_jobs, open_pam_services},
    cli::Status,
    door::{JAIL_SHELL_PATH, has_jail_shell},
    enter::need_root,
    failure::{Failure, Verdict},
    output::{print_columns, print_json, say},
    process::Process,
    shell::shown,
};

/// What stands around a session and has the user's ids: our supervisor, and sshd's process for the connection.
const AROUND_SESSIONS: [&str; 4] = ["jail-shell", "jailctl", "sshd", "sshd-session"];

#[derive(Debug, Serialize)]
struct State {
    config: String,
    jail_shell: String,
    /// The PAM services whose sessions are jailed.
    pam: Vec<String>,
    /// Those that people log in by, or that run their jobs, and that jail nobody.
    pam_open: Vec<&'static str>,
    users: Vec<User>,
}

#[derive(Debug, Serialize)]
struct User {
    user: String,
    jail: String,
    /// What keeps the plan's first steps from being taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    login_shell: bool,
    inside: usize,
    outside: usize,
}

/// Says how things are.
pub(crate) fn run(directory: &Path, arguments: &Status) -> Result<Verdict, Failure> {
    need_root("see the processes of others")?;
    let config = Config::read(directory)?;
    let accounts = Accounts::all(&config, directory)?;
    let state = State {
        config: directory.join("config.toml").display().to_string(),
        jail_shell: jail_shell(),
        pam: jailing_pam_services().collect(),
        pam_open: open_pam_services()
            .into_iter()
            .chain(open_pam_jobs())
            .collect(),
        users: accounts.jailed.iter().map(user).collect(),
    };
    if arguments.output.json {
        print_json(&state)?;
    } else {
        print(&state);
    }
    let bad = |user: &User| user.refused.is_some() || user.outside > 0;
    Ok(Verdict::of(state.users.iter().any(bad)))
}

fn jail_shell() -> String {
    match fs::metadata(JAIL_SHELL_PATH) {
        Ok(file) => format!(
            "{JAIL_SHELL_PATH}, mode {:04o}, uid {}",
            file.permissions().mode() & 0o7777,
            file.uid()
        ),
        Err(_) => format!("{JAIL_SHELL_PATH} is not installed"),
    }
}

fn user(jailed: &Jailed) -> User {
    let own_root = Process::own().root();
    let (mut inside, mut outside) = (0, 0);
    for process in Process::of_user(jailed.identity.uid) {
        // A process that can't be examined is not known to be inside.
        if process.root().is_some_and(|root| Some(root) != own_root) {
            inside += 1;
        } else if !is_supervisor(&process) {
            outside += 1;
        }
    }
    User {
        user: jailed.name(),
        jail: shown(&jailed.jail.name),
        refused: refused(jailed),
        login_shell: has_jail_shell(&jailed.identity),
        inside,
        outside,
    }
}

/// Tells whether a process stands around a session: that one is outside by design.
fn is_supervisor(process: &Process) -> bool {
    process
        .name()
        .is_some_and(|name| AROUND_SESSIONS.contains(&name.as_str()))
}

fn refused(jailed: &Jailed) -> Option<String> {
    let request = Request {
        login: true,
        what: What::Shell,
    };
    let nothing = Inherited { limits: Vec::new() };
    Plan::new(jailed.jail.clone(), &jailed.identity, request, [])
        .and_then(|plan| prepare(plan, nothing))
        .err()
        .map(|refusal| refusal.to_string())
}

/// Says which services have pam_jail.so, and which have not.
fn pam(state: &State) -> String {
    let jailing: Vec<String> = state.pam.iter().map(shown).collect();
    match (jailing.as_slice(), state.pam_open.as_slice()) {
        ([], _) => "pam_jail.so is in no stack".to_owned(),
        (jailing, []) => format!("jails by {}", jailing.join(", ")),
        (jailing, open) => format!(
            "jails by {}; not by {}",
            jailing.join(", "),
            open.join(", ")
        ),
    }
}

fn print(state: &State) {
    say(format_args!("config      {}", shown(&state.config)));
    say(format_args!("jail-shell  {}", state.jail_shell));
    say(format_args!("PAM         {}", pam(state)));
    say("");
    let mut rows = vec![["USER", "JAIL", "INSIDE", "OUTSIDE", "STATE"].map(str::to_owned)];
    rows.extend(state.users.iter().map(|user| {
        let condition = match (&user.refused, user.login_shell) {
            (Some(reason), _) => format!("refused: {}", shown(reason)),
            (None, true) => "ready".to_owned(),
            (None, false) if state.pam.is_empty() => {
                "ready, but jail-shell is not the login shell".to_owned()
            }
            (None, false) => format!(
                "ready, by PAM only: {}",
                state.pam.iter().map(shown).collect::<Vec<_>>().join(", ")
            ),
        };
        [
            user.user.clone(),
            user.jail.clone(),
            user.inside.to_string(),
            user.outside.to_string(),
            condition,
        ]
    }));
    print_columns(&rows);
}
