//! `until`: accounts whose end has come or is near, and sessions that nothing ends then.

use jail_config::Isolation;

use crate::{
    accounts::{account::Jailed, open_until::OpenUntil},
    doctor::check::{Finding, FindingKind, Report},
    output::counted,
    pam::{self, stack},
    process::{Host, Process},
    shell::{quoted, shown},
};

/// How many days before the end of an account check says so.
const NEAR: u64 = 14;

/// The module that has systemd end a session.
const SYSTEMD: &str = "pam_systemd.so";

/// Checks accounts.
pub(super) fn check<'a>(report: &mut Report, accounts: impl IntoIterator<Item = &'a Jailed>) {
    let host = Host::new();
    for jailed in accounts {
        let Some(open) = OpenUntil::of(&jailed.jail) else {
            continue;
        };
        report.extend(end(open).map(|finding| finding.of(jailed)));
        if open.is_over() {
            report.extend(runs_on(jailed, open, &host).map(|finding| finding.of(jailed)));
        }
        report.extend(stays(jailed).map(|finding| finding.of(jailed)));
    }
}

/// Says that the end has come, or is near.
fn end(open: OpenUntil) -> Option<Finding> {
    let what = if open.is_over() {
        format!("until = \"{}\" is over: every login is refused", open.until)
    } else if open.days_left().is_some_and(|days| days < NEAR) {
        format!("logins end at until = {open}")
    } else {
        return None;
    };
    Some(Finding::note(FindingKind::Until, what))
}

/// Says that a session is open though the end is over: the end may have been made an earlier one since it began.
fn runs_on(jailed: &Jailed, open: OpenUntil, host: &Host) -> Option<Finding> {
    let all = Process::of_user(jailed.identity.uid).ok()?;
    let inside = |process: &&Process| process.is_there() && process.is_inside(&jailed.jail, host);
    let count = all.iter().filter(inside).count();
    if count == 0 {
        return None;
    }
    let what = format!(
        "until = \"{}\" is over, and the jail still has {}: a session ends at the until that held when it began, or never",
        open.until,
        counted(count, "process")
    );
    let kick = format!("jailctl kick {}", quoted(&jailed.identity.name));
    Some(Finding::warning(FindingKind::UntilStays, what).mended_by(kick))
}

/// Says that sessions which are open at the end stay open, where nothing ends them.
fn stays(jailed: &Jailed) -> Option<Finding> {
    let why = if jailed.jail.isolation == Isolation::Chroot {
        "with isolation = \"chroot\" nothing ends a session".to_owned()
    } else {
        let services: Vec<String> = pam::jailing()
            .filter(|service| !has_systemd(service))
            .map(shown)
            .collect();
        if services.is_empty() {
            return None;
        }
        format!(
            "nothing ends a session of {}, whose stack has no {SYSTEMD} in its session lines",
            services.join(", ")
        )
    };
    let what = format!("sessions that are open when until comes stay open: {why}");
    Some(Finding::note(FindingKind::UntilStays, what))
}

/// Tells whether systemd makes a scope for each session of a service, and can end it.
fn has_systemd(service: &str) -> bool {
    let has = |kind: &str, module: &str| {
        let mut lines = stack::of(service).into_iter();
        lines.any(|line| line.kind == kind && line.module.ends_with(module))
    };
    has("session", SYSTEMD) && has("account", "pam_jail.so")
}
