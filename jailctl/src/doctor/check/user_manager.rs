//! systemd's user manager: pam_systemd(8) starts user@UID.service at a login, on the host, and it runs what the user's home
//! has for it: units, D-Bus services, environment.d.

use std::{fs, path::Path};

use jail::account::identity::Identity;
use jail_config::RuleKind;

use crate::{
    accounts::account::Jailed,
    doctor::{
        check::{Finding, FindingKind, manager_condition, reach},
        mend::{Kind, Repair},
    },
    guest::home,
    pam::{
        self,
        stack::{self, Line},
        succeed_if::succeeds,
        walk,
    },
    shell::shown,
};

/// Where systemd looks for a unit's file, the first first: systemd.unit(5).
const UNITS: [&str; 13] = [
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
];

/// What the manager and the bus that it starts take from a home.
const READ: [&str; 4] = [
    ".config/systemd/user",
    ".local/share/systemd/user",
    ".config/environment.d",
    ".local/share/dbus-1/services",
];

/// The service of the manager itself.
const ITS_SERVICE: &str = "systemd-user";

/// A service whose session stack may start the manager, and the stack.
struct Starting {
    service: String,
    stack: Vec<Line>,
}

/// Finds the users whose manager runs what they write from inside.
pub(super) fn check(jailed: &[Jailed], services: &[String]) -> Vec<Finding> {
    // Its own stack jails the manager: it can't start then.
    if pam::jails(ITS_SERVICE) {
        return Vec::new();
    }
    let starting: Vec<Starting> = services.iter().filter_map(Starting::of).collect();
    if starting.is_empty() {
        return Vec::new();
    }
    jailed
        .iter()
        .filter(|one| !one.identity.is_root() && can_start(&one.identity))
        .filter_map(|one| finding(one, &starting))
        .collect()
}

fn finding(jailed: &Jailed, starting: &[Starting]) -> Option<Finding> {
    let home = home(&jailed.identity);
    let is_writable = |path: &&str| reach::writes(jailed, &home.join(path));
    if home == Path::new("/") || !READ.iter().any(is_writable) {
        return None;
    }
    let services: Vec<&str> = starting
        .iter()
        .filter(|it| it.starts_for(&jailed.identity))
        .map(|it| it.service.as_str())
        .collect();
    if services.is_empty() {
        return None;
    }
    let unit = instance(&jailed.identity);
    let what = format!(
        "pam_systemd in the stack of {} starts {unit}: it runs units and D-Bus services of the host's home {} on the host, and \
         that home can be written from inside the jail",
        services.join(", "),
        shown(home)
    );
    let repair = Repair::of_user(Kind::UserManager, &jailed.identity.name);
    let finding = Finding::error(FindingKind::UserManager, what).of(jailed);
    Some(finding.mended(repair))
}

/// Gives the unit of a user's manager, if that runs what the user writes from inside.
pub(crate) fn unit_to_mask(jailed: &Jailed) -> Option<String> {
    let services = pam::services().unwrap_or_default();
    let found = check(std::slice::from_ref(jailed), &services);
    (!found.is_empty()).then(|| instance(&jailed.identity))
}

impl Starting {
    fn of(service: &String) -> Option<Starting> {
        if service == ITS_SERVICE || pam::opens_no_session(service) {
            return None;
        }
        let stack = stack::rules(service);
        let starts = stack
            .iter()
            .any(|line| is_pam_systemd(line) && pam::is_installed(line));
        starts.then(|| Starting {
            service: service.clone(),
            stack,
        })
    }

    /// Tells whether pam_systemd is asked for a user. What comes behind pam_jail.so is in the jail, and finds no systemd.
    fn starts_for(&self, identity: &Identity) -> bool {
        let answer = |line: &Line| {
            let succeeds = succeeds(line, identity)?;
            Some(if succeeds { "success" } else { "auth_err" })
        };
        walk::reaches(&self.stack, "session", is_pam_systemd, answer)
    }
}

fn is_pam_systemd(line: &Line) -> bool {
    let file = Path::new(&line.module).file_name();
    line.kind == "session" && file == Some("pam_systemd.so".as_ref())
}

/// Names the unit of a user's manager.
fn instance(identity: &Identity) -> String {
    format!("user@{}.service", identity.uid)
}

/// Tells whether systemd would start a user's manager: there is a unit, and it is not masked.
fn can_start(identity: &Identity) -> bool {
    // A file for the instance counts before the template, wherever each is.
    let names = [instance(identity), "user@.service".to_owned()];
    let mut files = names
        .iter()
        .flat_map(|name| UNITS.map(|it| Path::new(it).join(name)));
    files
        .find(|file| fs::symlink_metadata(file).is_ok())
        .is_some_and(|file| !is_masked(&file) && !manager_condition::refuses(identity, &UNITS))
}

/// Tells whether the host has user managers.
pub(crate) fn has_manager() -> bool {
    let mut units = UNITS.iter().map(|it| Path::new(it).join("user@.service"));
    units.any(|unit| unit.is_file())
}

/// Tells whether a user is jailed by the rule of a group.
pub(crate) fn is_ruled_by(jailed: &Jailed, group: &str) -> bool {
    matches!(&jailed.jail.rule.kind, RuleKind::Group(of) if of == group)
}

/// Tells whether a unit's file is a mask: a link to /dev/null, or an empty file.
fn is_masked(file: &Path) -> bool {
    match fs::read_link(file) {
        Ok(target) => target == Path::new("/dev/null"),
        Err(_) => fs::symlink_metadata(file).is_ok_and(|it| it.is_file() && it.len() == 0),
    }
}
