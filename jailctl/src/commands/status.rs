//! `jailctl status`: whether the doors are in working order, and what jailed users have running.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use clap::Args;
use jail::{
    door::{decision::Config, look::foresee},
    process::landlock,
};
use serde::Serialize;

use crate::{
    accounts::{
        account::{Accounts, Jailed},
        manager::Managed,
        open_until::OpenUntil,
        used_account::UsedAccount,
        used_disk::UsedDisk,
        used_sessions::UsedSessions,
    },
    doctor::used::{self, pam_before_jail_shell},
    door::{Door, JAIL_SHELL_PATH, has_jail_shell, has_no_shell},
    failure::{Failure, Verdict, need_root},
    kept::Look,
    manual::{self, Manual},
    output::{Output, counted, print_columns, print_json, say},
    pam,
    process::{Host, Process},
    shell::{quoted, shown},
};

/// Show whether the doors work, and what jailed users run
///
/// Prints the state of the config, of jail-shell, of the PAM stacks and of the kernel, and a line for each jailed user:
/// how many processes the user has inside and outside of the jail, and whether the next login is served.
///
/// A process counts as inside if its root and its namespaces are those of the jail that the config gives the user now.
/// A process that entered a weaker jail before the config changed counts as outside, and so does a process that can't
/// be examined. The user's systemd manager and its PAM session, which pam_systemd starts at each login, are not
/// counted. What this manager has started is outside of the jail and is listed by unit. Needs root.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL.to_string())]
pub(crate) struct Arguments {
    /// Print only what this kernel can do for jails
    ///
    /// This needs neither root nor a config. The exit status is 1 if the kernel lacks a part of Landlock that a jail by default uses.
    #[arg(long)]
    pub(crate) kernel: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

const EXAMPLES: &str = "\
Examples:
  jailctl status             the doors, the roots and what is running
  jailctl status --kernel    whether this kernel has what jails need
  jailctl status --json      all of it for a program";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "every user is served and inside",
    found: Some(
        "a login would be refused or not jailed, or a jailed user has a process outside of the jail; with --kernel: the kernel lacks a part of Landlock that a jail uses by default",
    ),
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
struct State {
    config: String,
    jail_shell: String,
    /// What Landlock the kernel has, and what it lacks.
    kernel: String,
    /// The PAM services whose sessions are jailed.
    pam: Vec<String>,
    /// Those that people log in by, or that run their jobs, and that jail nobody.
    pam_open: Vec<&'static str>,
    users: Vec<User>,
}

#[derive(Debug, Serialize)]
struct User {
    user: String,
    uid: u32,
    jail: String,
    /// What keeps the plan's first steps from being taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    /// What stays open inside because the kernel lacks a part of Landlock.
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<String>,
    /// The door that is in the user's way; none where logins lead to the host.
    door: Option<Door>,
    /// The services where pam_jail.so comes before jail-shell.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pam_first: Vec<String>,
    /// The login shell of the account database.
    shell: String,
    /// When logins end, where the config says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<OpenUntil>,
    /// The sessions that count, where the config limits them.
    #[serde(skip_serializing_if = "Option::is_none")]
    sessions: Option<UsedSessions>,
    /// What all processes of the account use of what the config lets them.
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<UsedAccount>,
    /// What the files in the home take of what the config lets them.
    #[serde(skip_serializing_if = "Option::is_none")]
    disk: Option<UsedDisk>,
    /// Whether that lets anybody in.
    can_log_in: bool,
    inside: usize,
    /// The processes that nothing puts into the jail, without those that are counted below.
    outside: usize,
    /// The processes of the user's systemd manager itself, which run nothing of the user's.
    manager: usize,
    /// The processes that the manager has started: they are outside of the jail.
    managed: usize,
    /// The units that those are in, the first few of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    units: Vec<String>,
}

/// Says how things are.
pub(crate) fn run(directory: &Path, arguments: &Arguments) -> Result<Verdict, Failure> {
    if arguments.kernel {
        return about_kernel(&arguments.output);
    }
    need_root("see the processes of others")?;
    let _look = Look::begin();
    let config = Config::read(directory)?;
    let accounts = Accounts::all(&config, directory)?;
    let host = Host::new();
    let owners = Process::owners()?;
    let users = accounts.jailed.iter().map(|it| {
        let has_some = owners.contains(&it.identity.uid);
        user(it, has_some, &host)
    });
    let users = users.collect::<Result<_, _>>()?;
    let state = State {
        config: directory.join("config.toml").display().to_string(),
        jail_shell: jail_shell(),
        kernel: kernel().0,
        pam: pam::jailing().collect(),
        pam_open: pam::open_doors()
            .into_iter()
            .chain(pam::open_jobs())
            .collect(),
        users,
    };
    if arguments.output.json {
        print_json(&state)?;
    } else {
        print(&state);
    }
    let led_past = |user: &User| user.door.is_none() && user.can_log_in;
    let outside = |user: &User| user.outside + user.managed > 0;
    let bad = |user: &User| user.refused.is_some() || outside(user) || led_past(user);
    Ok(Verdict::of(state.users.iter().any(bad)))
}

/// Says what the kernel has for jails, and whether that is everything.
fn kernel() -> (String, bool) {
    let kernel = landlock::kernel();
    match kernel.requirement() {
        Some(lacks) => (lacks, false),
        None => (format!("{kernel}, with all that a jail uses"), true),
    }
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

fn user(jailed: &Jailed, has_processes: bool, host: &Host) -> Result<User, Failure> {
    let processes = match has_processes {
        true => Process::of_user(jailed.identity.uid)?,
        false => Vec::new(),
    };
    let by_manager = Managed::of(jailed.identity.uid, &processes);
    let (mut inside, mut outside, mut manager, mut managed) = (0, 0, 0, 0);
    for process in processes {
        // A process that can't be examined is not known to be inside.
        let count = if process.is_inside(&jailed.jail, host) {
            match process.is_in_weaker_jail(&jailed.jail, host) {
                true => &mut outside,
                false => &mut inside,
            }
        } else if is_supervisor(&process, host) || !process.is_there() {
            continue;
        } else if by_manager.is_own(&process) {
            &mut manager
        } else if by_manager.has_started(&process) {
            &mut managed
        } else {
            &mut outside
        };
        *count += 1;
    }
    let door = used::by(&jailed.identity);
    let first = door.unwrap_or(Door::LoginShell);
    let (refused, open) = foreseen(jailed, first);
    let planned = first.plan(jailed.jail.clone(), None, &jailed.identity, []);
    let refused = refused.or_else(|| {
        let also = has_jail_shell(&jailed.identity) && pam::jails_anywhere();
        also.then(|| foreseen(jailed, Door::Pam).0).flatten()
    });
    Ok(User {
        user: jailed.name(),
        uid: jailed.identity.uid,
        jail: shown(&jailed.jail.name),
        refused,
        open,
        door,
        pam_first: pam_before_jail_shell(&jailed.identity),
        shell: shown(&jailed.identity.shell),
        until: OpenUntil::of(&jailed.jail),
        sessions: UsedSessions::of(jailed.identity.uid, &jailed.jail),
        limits: UsedAccount::of(jailed.identity.uid, &jailed.jail),
        disk: planned.ok().as_ref().and_then(UsedDisk::of),
        can_log_in: !has_no_shell(&jailed.identity),
        inside,
        outside,
        manager,
        managed,
        units: by_manager.units.iter().map(shown).collect(),
    })
}

/// Tells whether a process stands around a session, with the user's ids: our supervisor, or sshd's process for the
/// connection. That one is outside by design. The user can start both programs too, and make of them what they like: but
/// not with an empty bounding set, nor as a child of root's sshd.
fn is_supervisor(process: &Process, host: &Host) -> bool {
    match process.program().as_deref() {
        Some("jail-shell" | "jailctl") => process.has_empty_bounding_set(host),
        Some(name) if name.starts_with("sshd") => process.ancestors().next().is_some_and(|it| {
            let program = it.program();
            it.real_uid() == Some(0) && program.is_some_and(|name| name.starts_with("sshd"))
        }),
        _ => false,
    }
}

/// Says why a login would be refused, or else what would stay open in it.
fn foreseen(jailed: &Jailed, door: Door) -> (Option<String>, Option<String>) {
    let planned = door.plan(jailed.jail.clone(), None, &jailed.identity, []);
    match planned.and_then(|plan| foresee(&plan).map(|_| plan)) {
        Ok(plan) => {
            let open = landlock::foresee(&plan).ok().flatten();
            (None, open.map(|open| open.to_string()))
        }
        Err(refusal) => (Some(refusal.reason(&jailed.identity.name)), None),
    }
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

/// Says what becomes of a user's logins.
fn condition(user: &User, pam: &[String]) -> String {
    if let Some(until) = user.until.filter(|until| until.is_over()) {
        return format!("no login any more: until {until}");
    }
    match (&user.refused, user.door) {
        (Some(reason), _) => format!("refused: {}", shown(reason)),
        (None, Some(_)) if !user.pam_first.is_empty() => format!(
            "ready, by PAM at {}, and by jail-shell elsewhere",
            user.pam_first.join(", ")
        ),
        (None, Some(Door::Pam)) => {
            let services: Vec<String> = pam.iter().map(shown).collect();
            format!("ready, by PAM only: {}", services.join(", "))
        }
        (None, Some(Door::ForceCommand)) => "ready, by sshd's ForceCommand only".to_owned(),
        (None, Some(_)) => "ready".to_owned(),
        (None, None) if user.can_log_in => {
            format!("NOT JAILED: no door is in the way of {}", user.shell)
        }
        (None, None) => format!("no login: {}", user.shell),
    }
}

/// Says what the kernel at hand can do for jails, before there is any.
fn about_kernel(output: &Output) -> Result<Verdict, Failure> {
    let (kernel, has_all) = kernel();
    if output.json {
        print_json(&serde_json::json!({ "kernel": kernel, "has_all": has_all }))?;
    } else {
        say(kernel);
    }
    Ok(Verdict::of(!has_all))
}

fn print(state: &State) {
    say(format_args!("config      {}", shown(&state.config)));
    say(format_args!("jail-shell  {}", state.jail_shell));
    say(format_args!("PAM         {}", pam(state)));
    say(format_args!("kernel      {}", state.kernel));
    say("");
    let mut rows = vec![["USER", "JAIL", "INSIDE", "OUTSIDE", "STATE"].map(str::to_owned)];
    rows.extend(state.users.iter().map(|user| {
        let mut condition = condition(user, &state.pam);
        if let Some(until) = user.until.filter(|until| !until.is_over()) {
            condition.push_str(&format!("; until {until}"));
        }
        if let Some(sessions) = user.sessions {
            condition.push_str(&format!("; {sessions}"));
        }
        if let Some(limits) = &user.limits {
            condition.push_str(&format!("; {limits}"));
        }
        if let Some(disk) = &user.disk {
            condition.push_str(&format!("; {disk}"));
        }
        if user.open.is_some() {
            condition.push_str(", not behind every wall: see jailctl check");
        }
        if user.managed > 0 {
            let managed = counted(user.managed, "process");
            condition.push_str(&format!(
                "; {managed} outside of the jail by the user's systemd manager ({}), which systemctl mask --now user@{}.service ends and keeps away",
                user.units.join(", "),
                user.uid
            ));
        }
        if user.outside > 0 {
            let outside = counted(user.outside, "process");
            condition.push_str(&format!(
                "; {outside} outside of the jail, which jailctl kick {} ends",
                quoted(&user.user)
            ));
        }
        [
            user.user.clone(),
            user.jail.clone(),
            user.inside.to_string(),
            (user.outside + user.managed).to_string(),
            condition,
        ]
    }));
    print_columns(&rows);
}
