//! The service units that logins and jobs come from: what their settings do to each door, systemd.exec(5).
//!
//! A setting holds for all that a service starts, jail-shell and what is in the jail among it. systemd is asked, not the
//! files, so that drop-ins and defaults count.

use std::path::Path;

use crate::{
    accounts::account::Jailed,
    doctor::{
        check::{
            Finding, FindingKind, Report, Severity,
            unit_settings::{self as settings, Needs, Unit, parse},
        },
        used,
    },
    door::Door,
    pam, shell,
};

/// What systemd is asked about: the unit, and the PAM service that its program opens sessions by. Where a unit can have many
/// instances, any of them has the settings of all.
const UNITS: [(&str, &str); 12] = [
    ("ssh.service", "sshd"),
    ("sshd.service", "sshd"),
    ("ssh@login-jail.service", "sshd"),
    ("sshd@login-jail.service", "sshd"),
    ("getty@tty1.service", "login"),
    ("serial-getty@ttyS0.service", "login"),
    ("console-getty.service", "login"),
    ("cron.service", "cron"),
    ("crond.service", "crond"),
    ("atd.service", "atd"),
    ("vsftpd.service", "vsftpd"),
    ("proftpd.service", "proftpd"),
];

/// The services whose programs start the login shell of an account. The others are jailed by PAM alone.
const START_A_SHELL: [&str; 2] = ["sshd", "login"];

/// Asks systemd for the units that there are, and finds what their settings do to logins of these users.
pub(crate) fn check(report: &mut Report, jailed: &[Jailed]) {
    if jailed.is_empty() {
        return;
    }
    let properties = format!("--property={}", settings::PROPERTIES.join(","));
    let units = UNITS.iter().map(|(unit, _)| *unit);
    let words: Vec<&str> = ["show", "--no-pager", &properties, "--"]
        .into_iter()
        .chain(units)
        .collect();
    let text = match shell::ask("systemctl", &words) {
        Ok(Some(answer)) if answer.status.success() => {
            String::from_utf8_lossy(&answer.stdout).into_owned()
        }
        // Not a system that systemd has started.
        Ok(_) if !Path::new("/run/systemd/system").exists() => return,
        Ok(None) => return,
        Ok(Some(answer)) => {
            let said = String::from_utf8_lossy(&answer.stderr).into_owned();
            report.leave_unchecked(format!(
                "the settings of sshd's service: systemctl show: {}",
                said.trim()
            ));
            return;
        }
        Err(failure) => {
            report.leave_unchecked(format!("the settings of sshd's service: {failure}"));
            return;
        }
    };
    let comes_by = Doors::of(jailed);
    let needs = Needs::of(jailed);
    for unit in parse(&text) {
        let Some(service) = service_of(unit.name()) else {
            continue;
        };
        report.extend(findings(&unit, service, &comes_by, &needs));
    }
}

/// Finds the PAM service of a unit, by its name or, for an instance, by the name before the `@`.
fn service_of(unit: &str) -> Option<&'static str> {
    UNITS
        .iter()
        .find(|(known, _)| {
            *known == unit || (unit.contains('@') && template(known) == template(unit))
        })
        .map(|(_, service)| *service)
}

/// By which doors the users come who are looked at.
#[derive(Debug)]
struct Doors {
    jail_shell: bool,
    /// The PAM services that jail.
    pam: Vec<String>,
}

impl Doors {
    fn of(jailed: &[Jailed]) -> Doors {
        let by_jail_shell = |it: &Jailed| {
            matches!(
                used::by(&it.identity),
                Some(Door::LoginShell | Door::ForceCommand)
            )
        };
        Doors {
            jail_shell: jailed.iter().any(by_jail_shell),
            pam: pam::jailing().collect(),
        }
    }
}

/// Makes a finding of each setting that does something to a door. One that does it to a door that nobody comes by is a
/// note.
fn findings(unit: &Unit<'_>, service: &str, comes_by: &Doors, needs: &Needs) -> Vec<Finding> {
    let starts_a_shell = START_A_SHELL.contains(&service);
    let shell_is_used = starts_a_shell && comes_by.jail_shell;
    let pam_is_used = comes_by.pam.iter().any(|it| it == service);
    settings::effects(unit, service == "sshd", needs)
        .into_iter()
        .filter(|effect| effect.pam.harms() || (starts_a_shell && effect.jail_shell.harms()))
        .map(|effect| {
            let on_shell = effect.jail_shell.severity(shell_is_used);
            let on_pam = effect.pam.severity(pam_is_used);
            let severity = if starts_a_shell {
                on_shell.min(on_pam)
            } else {
                on_pam
            };
            let through_shell = format!("through jail-shell: {}; ", effect.jail_shell);
            let what = format!(
                "{} has {}; {}behind pam_jail.so: {}",
                shell::shown(template(unit.name())),
                shell::shown(&effect.written),
                if starts_a_shell { &through_shell } else { "" },
                effect.pam
            );
            let finding = match severity {
                Severity::Error => Finding::error(FindingKind::Unit, what),
                Severity::Warning => Finding::warning(FindingKind::Unit, what),
                Severity::Note => Finding::note(FindingKind::Unit, what),
            };
            match effect.remedy {
                Some(remedy) => finding.mended_by(drop_in(unit.name(), &remedy)),
                None => finding,
            }
        })
        .collect()
}

/// Gives a unit, and the template of an instance.
fn template(unit: &str) -> String {
    match unit.split_once('@') {
        Some((before, _)) => format!("{before}@.service"),
        None => unit.to_owned(),
    }
}

/// Gives the commands that add a line to a unit, behind the drop-ins that are there. An instance is changed by its template.
fn drop_in(unit: &str, line: &str) -> String {
    let unit = template(unit);
    let directory = shell::quoted(format!("/etc/systemd/system/{unit}.d"));
    let restart = if unit.contains('@') {
        String::new()
    } else {
        format!(" && systemctl restart {}", shell::quoted(&unit))
    };
    format!(
        "mkdir -p {directory} && printf '[Service]\\n%s\\n' {} >>{directory}/zz-login-jail.conf && systemctl daemon-reload{restart}",
        shell::quoted(line)
    )
}
