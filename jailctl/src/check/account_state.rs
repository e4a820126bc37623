//! The state of an account as PAM and login programs see it: what refuses a login before any jail is asked for.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use jail::account::identity::Identity;

use crate::{
    account::Jailed,
    check::{Finding, Report, reach},
    door::{has_jail_shell, has_no_shell},
    pam::{
        self,
        stack::{self, Action, Line},
        succeed_if::succeeds,
    },
    shell::{self, quoted, shown},
};

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

const SHADOW: &str = "/etc/shadow";

const SHELLS: &str = "/etc/shells";

/// Checks accounts.
pub(crate) fn check<'a>(report: &mut Report, accounts: impl IntoIterator<Item = &'a Jailed>) {
    let stacks: Vec<Asked> = DOORS.into_iter().filter_map(Asked::of).collect();
    for one in accounts {
        if one.identity.is_root() || has_no_shell(&one.identity) {
            continue;
        }
        let expiry = Shadow::of(&one.identity).and_then(|it| it.expiry(today()));
        report.extend(expiry.map(|it| expired(one, it)));
        report.extend(host_shell(one));
        for asked in &stacks {
            report.extend(refused_by_condition(one, asked));
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

/// What shadow(5) says of an account. Days are counted from 1970-01-01.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shadow {
    password: String,
    changed: Option<i64>,
    longest: Option<i64>,
    inactive: Option<i64>,
    expires: Option<i64>,
}

/// Why an account or its password is past its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expiry {
    /// The account has expired, so many days ago.
    Account(i64),
    /// The password is so old that it can't be changed any more.
    Inactive,
    /// The password must be changed at the next login.
    MustChange,
}

impl Shadow {
    /// Reads it, or asks the account database, where a directory service has the account.
    pub(super) fn of(identity: &Identity) -> Option<Shadow> {
        let name = identity.name.to_str()?;
        let text = fs::read_to_string(SHADOW).unwrap_or_default();
        let is_own = |line: &&str| line.split(':').next() == Some(name);
        if let Some(line) = text.lines().find(is_own) {
            return Shadow::parse(line);
        }
        let answer = shell::ask("getent", &["shadow", "--", name]).ok()??;
        Shadow::parse(&String::from_utf8_lossy(&answer.stdout))
    }

    fn parse(line: &str) -> Option<Shadow> {
        let fields: Vec<&str> = line.trim_end().split(':').collect();
        let number = |index: usize| {
            let number = fields.get(index)?.parse().ok()?;
            // An empty field and -1 are the same: nothing is set.
            (number != -1).then_some(number)
        };
        Some(Shadow {
            password: (*fields.get(1)?).to_owned(),
            changed: number(2),
            longest: number(4),
            inactive: number(6),
            expires: number(7),
        })
    }

    /// Tells whether passwd(1) has locked the account, or useradd(8) given it no password. sshd without PAM refuses it then.
    pub(super) fn is_locked(&self) -> bool {
        self.password.starts_with('!')
    }

    /// Tells whether some password opens the account.
    fn has_password(&self) -> bool {
        !self.password.starts_with(['!', '*'])
    }

    /// Judges as pam_unix(8) does: check_shadow_expiry of Linux-PAM.
    fn expiry(&self, today: i64) -> Option<Expiry> {
        if let Some(expires) = self.expires.filter(|day| today >= *day) {
            return Some(Expiry::Account(today - expires));
        }
        let changed = self.changed?;
        if changed == 0 {
            return Some(Expiry::MustChange);
        }
        let age = today - changed;
        let longest = self.longest.filter(|days| age > *days)?;
        let is_lost = |days: i64| age > days && age > longest + days;
        Some(if self.inactive.is_some_and(is_lost) {
            Expiry::Inactive
        } else {
            Expiry::MustChange
        })
    }
}

/// Tells whether some password opens an account. Where that is not known, one may.
pub(super) fn has_password(identity: &Identity) -> bool {
    Shadow::of(identity).is_none_or(|it| it.has_password())
}

/// Gives the day of today as shadow(5) counts.
fn today() -> i64 {
    const DAY: u64 = 24 * 60 * 60;
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |it| i64::try_from(it.as_secs() / DAY).unwrap_or(0))
}

fn expired(jailed: &Jailed, expiry: Expiry) -> Finding {
    let user = quoted(&jailed.identity.name);
    let finding = match expiry {
        Expiry::Account(days) => {
            let what = format!(
                "the account expired {days} days ago (chage -l): sshd, login and cron refuse every login"
            );
            Finding::error("account-expired", what).mended_by(format!("chage -E -1 {user}"))
        }
        Expiry::Inactive => {
            let what = "the password expired, and the time to change it is over (chage -l): every login is refused, by key too";
            renewed(Finding::error("password-expired", what), &user)
        }
        Expiry::MustChange => {
            let what = "the password has expired and must be changed (chage -l): sshd refuses commands, scp and sftp, by key too; only \
                        on a terminal can the user set a new password";
            renewed(Finding::error("password-expired", what), &user)
        }
    };
    finding.of(jailed)
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
    let finding = Finding::error("host-shell", what).of(jailed);
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
    Finding::error("nologin", what).mended_by(format!("rm {file}"))
}

/// Finds lines of pam_succeed_if(8) that refuse a user.
fn refused_by_condition(jailed: &Jailed, asked: &Asked) -> Vec<Finding> {
    let service = asked.service;
    let refuses = |line: &&Line| {
        is_fatal(line, "auth_err") && succeeds(line, &jailed.identity, service) == Some(false)
    };
    let lines = asked.lines.iter();
    lines
        .filter(refuses)
        .map(|line| {
            let what = format!(
                "{}: pam_succeed_if {} does not hold for the user: {service} refuses the login",
                line.place(),
                shown(line.arguments.join(" "))
            );
            let finding = Finding::warning("pam-denies", what).of(jailed);
            finding.mended_by(super::config::edit(&line.file, line.number))
        })
        .collect()
}

/// Finds pam_shells(8), which refuses a login shell that /etc/shells does not have.
fn refused_for_shell(jailed: &Jailed, asked: &Asked) -> Option<Finding> {
    let service = asked.service;
    let line = asked
        .lines
        .iter()
        .find(|it| is_module(it, "pam_shells.so") && is_fatal(it, "auth_err"))?;
    let listed = fs::read_to_string(SHELLS).unwrap_or_default();
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
    let finding = Finding::error("pam-shells", what).of(jailed);
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

#[cfg(test)]
mod tests {
    use super::{Expiry, Shadow};

    fn expiry(line: &str) -> Option<Expiry> {
        Shadow::parse(line).and_then(|it| it.expiry(20_000))
    }

    #[test]
    fn judges_shadow_as_pam_unix_does() {
        for (line, expected) in [
            ("ann:*:19000:0:99999:7:::\n", None),
            ("ann:*:19000:0:99999:7::20001:", None),
            ("ann:*:19000:0:99999:7::20000:", Some(Expiry::Account(0))),
            ("ann:*:19000:0:99999:7::1:", Some(Expiry::Account(19_999))),
            ("ann:*:0:0:99999:7:::", Some(Expiry::MustChange)),
            ("ann:*:19990:0:10:7:::", None),
            ("ann:*:19989:0:10:7:::", Some(Expiry::MustChange)),
            ("ann:*:19989:0:10:7:5::", Some(Expiry::MustChange)),
            ("ann:*:19980:0:10:7:5::", Some(Expiry::Inactive)),
            ("ann:*:19980:0:10:7:-1:-1:", Some(Expiry::MustChange)),
            ("ann:*:20100:0:10:7:::", None),
            ("ann:*:::::::", None),
            ("", None),
        ] {
            assert_eq!(expiry(line), expected, "{line}");
        }
    }

    #[test]
    fn tells_a_lock_from_a_password_that_nothing_matches() {
        for (password, locked, usable) in [
            ("!", true, false),
            ("!$y$x", true, false),
            ("*", false, false),
            ("$y$x", false, true),
            ("", false, true),
        ] {
            let shadow = Shadow::parse(&format!("ann:{password}:1::::::")).unwrap();
            assert_eq!(
                (shadow.is_locked(), shadow.has_password()),
                (locked, usable)
            );
        }
    }
}
