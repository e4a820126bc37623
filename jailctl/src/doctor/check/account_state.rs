//! The state of an account as PAM and login programs see it: what refuses a login before any jail is asked for.

mod shadow;

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use jail::account::{identity::Identity, password::today};

use crate::{
    accounts::{account::Jailed, host_text, traces::KEYS},
    doctor::check::{Finding, FindingKind, Report, reach},
    door::{has_jail_shell, has_no_shell},
    pam::{
        self,
        stack::{self, Action, Line},
        succeed_if::succeeds,
    },
    shell::{quoted, shown},
};

pub(super) use shadow::SHADOW;
use shadow::{Expiry, Shadow};

/// The services by which people log in.
const DOORS: [&str; 3] = ["sshd", "login", "su"];

/// Modules that decide about a login by what is not looked at here: their own lists, counters and programs.
const DECIDING: [&str; 9] = [
    "pam_abl.so",
    "pam_access.so",
    "pam_exec.so",
    "pam_faillock.so",
    "pam_listfile.so",
    "pam_script.so",
    "pam_tally.so",
    "pam_tally2.so",
    "pam_time.so",
];

/// Files that stop everybody but root: pam_nologin(8).
const NO_LOGIN: [&str; 2] = ["/run/nologin", "/etc/nologin"];

const SHELLS: &str = "/etc/shells";

/// Checks accounts.
pub(crate) fn check<'a>(report: &mut Report, accounts: impl IntoIterator<Item = &'a Jailed>) {
    let stacks: Vec<Asked> = DOORS.into_iter().filter_map(Asked::of).collect();
    for one in accounts {
        if one.identity.is_root() || has_no_shell(&one.identity) {
            continue;
        }
        match Shadow::of(&one.identity) {
            Ok(shadow) => {
                let expiry = shadow.and_then(|it| it.expiry(today()));
                report.extend(expiry.map(|it| expired(one, it)));
            }
            Err(why) => report.leave_unchecked(format!(
                "{}: whether the account or its password has expired, and whether a password opens it: {why}",
                one.name()
            )),
        }
        report.extend(host_shell(one));
        for asked in &stacks {
            refused_by_condition(report, one, asked);
            report.extend(refused_for_shell(one, asked));
        }
    }
    report.extend(no_login(&stacks));
    for Asked { service, lines } in &stacks {
        let is_asked = |name: &&str| lines.iter().any(|line| is_module(line, name));
        for name in DECIDING.iter().filter(|name| is_asked(name)) {
            report.leave_unchecked(format!(
                "PAM: whether {name} in the stack of {service} lets users in: see its manual page"
            ));
        }
    }
}

/// The lines by which a service asks PAM whether somebody may log in.
struct Asked {
    service: &'static str,
    lines: Vec<Line>,
}

impl Asked {
    fn of(service: &'static str) -> Option<Asked> {
        let mut lines = pam::is_there(service).then(|| stack::of(service))?;
        lines.retain(|line| ["auth", "account"].contains(&line.kind.as_str()));
        Some(Asked { service, lines })
    }
}

/// Tells whether some password opens an account. Where that is not known, which [`check`] says, one may.
pub(super) fn has_password(identity: &Identity) -> bool {
    match Shadow::of(identity) {
        Ok(Some(shadow)) => shadow.has_password(),
        Ok(None) | Err(_) => true,
    }
}

/// Tells whether somebody may still get into an account: it has not expired, and where it is locked, it has keys.
pub(crate) fn is_open(identity: &Identity) -> bool {
    let shadow = Shadow::of(identity).ok().flatten();
    let is_expired = shadow.as_ref().and_then(|it| it.expiry(today()));
    let keys = identity.home.join(".ssh/authorized_keys");
    let has_keys = keys.exists() || Path::new(KEYS).join(&identity.name).exists();
    is_expired.is_none() && (has_keys || !shadow.is_some_and(|it| it.is_locked()))
}

/// Tells whether an account is known to be locked.
pub(super) fn is_locked(identity: &Identity) -> bool {
    let shadow = Shadow::of(identity).ok().flatten();
    shadow.is_some_and(|it| it.is_locked())
}

fn expired(jailed: &Jailed, expiry: Expiry) -> Finding {
    let user = quoted(&jailed.identity.name);
    let finding = match expiry {
        Expiry::Account(days) => {
            let what = format!(
                "the account expired {days} days ago (chage -l): sshd, login and cron refuse every login"
            );
            Finding::error(FindingKind::AccountExpired, what)
                .mended_by(format!("chage -E -1 {user}"))
        }
        Expiry::Inactive => {
            let what = "the password expired, and the time to change it is over (chage -l): every login is refused, by key too";
            renewed(Finding::error(FindingKind::PasswordExpired, what), &user)
        }
        Expiry::MustChange => {
            let what = format!(
                "the password has expired and must be changed (chage -l): {}",
                at_sshd()
            );
            renewed(Finding::error(FindingKind::PasswordExpired, what), &user)
        }
    };
    finding.of(jailed)
}

/// Says what comes of a password that must be changed where sshd asks PAM.
fn at_sshd() -> String {
    let stack = stack::of("sshd");
    let ignores = |line: &Line| line.arguments.iter().any(|word| word == "no_pass_expiry");
    let accounts: Vec<&Line> = stack.iter().filter(|it| it.kind == "account").collect();
    let unix = accounts
        .iter()
        .position(|line| is_module(line, "pam_unix.so"));
    let own = accounts.iter().position(|line| line.jails("account"));
    let is_ignored = unix
        .and_then(|at| accounts.get(at))
        .is_some_and(|line| ignores(line));
    let mut jailing = stack.iter().filter(|line| line.jails("session"));
    let refusing = jailing.find(|line| !ignores(line));
    match (refusing, is_ignored) {
        (None, true) => "pam_unix has no_pass_expiry, so sshd goes by keys all the same; login and su want a new password".to_owned(),
        (None, false) => "sshd refuses commands, scp and sftp, by key too; only on a terminal can the user set a new password".to_owned(),
        (Some(line), true) => format!(
            "pam_unix has no_pass_expiry, but pam_jail.so ({}) has not, and refuses sshd's sessions, by key too; add no_pass_expiry there",
            line.place()
        ),
        (Some(_), false) => format!(
            "pam_jail.so refuses sshd's sessions, by key too, because passwd can't work in the jail; the user sets a new password \
             by keyboard-interactive authentication (KbdInteractiveAuthentication yes), or by login{}",
            // Where there is none of ours, nothing is before anything.
            match (own, unix) {
                (Some(own), Some(unix)) if own < unix => "",
                _ => ", and is told so if the account line of pam_jail.so stands at the top of the stack",
            }
        ),
    }
}

/// Adds the command that lets the password count as changed today.
fn renewed(finding: Finding, user: &str) -> Finding {
    finding.mended_by(format!("chage -d \"$(date +%F)\" {user}"))
}

/// Finds a login shell that the host can't start: sshd looks at it before it starts a session.
fn host_shell(jailed: &Jailed) -> Option<Finding> {
    let shell = &jailed.identity.shell;
    // What is said of jail-shell is said once, for all users.
    if has_jail_shell(&jailed.identity) || reach::is_in_reach(jailed, shell) {
        return None;
    }
    let state = match fs::metadata(shell) {
        Err(_) => "is not there",
        Ok(it) if !it.is_file() || it.permissions().mode() & 0o111 == 0 => "is not a program",
        Ok(_) => return None,
    };
    let what = format!(
        "the login shell {} {state} on the host: sshd refuses every login",
        shown(shell)
    );
    let command = format!("usermod -s /bin/sh {}", quoted(&jailed.identity.name));
    let finding = Finding::error(FindingKind::HostShell, what).of(jailed);
    Some(finding.mended_by(command))
}

/// Finds a file for which pam_nologin stops everybody at some service.
fn no_login(stacks: &[Asked]) -> Option<Finding> {
    let is_asked = |it: &&Asked| {
        it.lines
            .iter()
            .any(|line| is_module(line, "pam_nologin.so"))
    };
    let services: Vec<&str> = stacks
        .iter()
        .filter(is_asked)
        .map(|it| it.service)
        .collect();
    let file = no_login_file(&NO_LOGIN).filter(|_| !services.is_empty())?;
    let who = format!("pam_nologin in the stack of {}", services.join(", "));
    Some(stopped(file, &who))
}

/// Finds the file for which an sshd without PAM refuses everybody but root.
pub(super) fn no_login_without_pam() -> Option<Finding> {
    let file = no_login_file(&["/etc/nologin"])?;
    Some(stopped(file, "sshd"))
}

fn no_login_file(files: &[&'static str]) -> Option<&'static str> {
    let mut files = files.iter().copied();
    files.find(|file| fs::symlink_metadata(file).is_ok())
}

fn stopped(file: &str, who: &str) -> Finding {
    let what = if file.starts_with("/run/") {
        format!(
            "{file} is there: {who} refuses everybody but root; systemd makes the file while it starts and before it stops the machine"
        )
    } else {
        format!("{file} is there: {who} refuses everybody but root")
    };
    Finding::error(FindingKind::Nologin, what).mended_by(format!("rm {file}"))
}

/// Finds lines of pam_succeed_if(8) that refuse a user, and those that are not understood.
fn refused_by_condition(report: &mut Report, jailed: &Jailed, asked: &Asked) {
    let service = asked.service;
    let is_one = |line: &&Line| is_module(line, "pam_succeed_if.so") && is_fatal(line, "auth_err");
    for line in asked.lines.iter().filter(is_one) {
        let (at, words) = (line.place(), shown(line.arguments.join(" ")));
        match succeeds(line, &jailed.identity) {
            Some(true) => {}
            None => report.leave_unchecked(format!(
                "PAM: {at}: whether pam_succeed_if {words} lets users in: see its manual page"
            )),
            Some(false) => {
                let what = format!(
                    "{at}: pam_succeed_if {words} does not hold for the user: {service} refuses the login"
                );
                let finding = Finding::warning(FindingKind::PamDenies, what).of(jailed);
                report.add(finding.mended_by(super::config::edit(&line.file, line.number)));
            }
        }
    }
}

/// Finds pam_shells(8), which refuses a login shell that /etc/shells does not have.
fn refused_for_shell(jailed: &Jailed, asked: &Asked) -> Option<Finding> {
    let service = asked.service;
    let line = asked
        .lines
        .iter()
        .find(|it| is_module(it, "pam_shells.so") && is_fatal(it, "auth_err"))?;
    let listed = host_text::read(Path::new(SHELLS)).unwrap_or_default();
    let shell = &jailed.identity.shell;
    if listed.lines().any(|it| Path::new(it.trim()) == shell) {
        return None;
    }
    let what = format!(
        "{}: pam_shells is in the stack of {service}, and {SHELLS} does not list {}: every login is refused; take the line out, and \
         do not list jail-shell",
        line.place(),
        shown(shell)
    );
    let finding = Finding::error(FindingKind::PamShells, what).of(jailed);
    Some(if line.whole {
        let (number, file) = (line.number, quoted(&line.file));
        finding.mended_by(format!("sed -i '{number}{{/pam_shells/d}}' {file}"))
    } else {
        finding
    })
}

fn is_module(line: &Line, name: &str) -> bool {
    Path::new(&line.module).file_name() == Some(name.as_ref())
}

/// Tells whether nobody gets in by a line that returns `result`.
fn is_fatal(line: &Line, result: &str) -> bool {
    matches!(line.action(result), Action::Bad | Action::Die)
}
