//! Who is shut out where pam_jail.so comes into a stack: it refuses everybody whom no rule names, unless the config says
//! otherwise.

use std::{fs, path::Path};

use jail::account::identity::Identity;

use crate::{
    accounts::{account::Accounts, login_defs::FIRST_ORDINARY},
    doctor::check::{Finding, FindingKind, sudo},
    door::{has_jail_shell, has_no_shell},
    pam,
    shell::{quoted, shown},
};

/// Checks whom the stacks refuse that jail.
pub(super) fn check(all: &Accounts, config: &Path) -> Vec<Finding> {
    let services: Vec<String> = pam::jailing().collect();
    if services.is_empty() {
        return Vec::new();
    }
    let mut found = administrators(all, &services, config);
    found.extend(people(all, &services, config));
    found
}

/// Finds administrators whom the module refuses, because no rule names them: they learn it at their next login.
fn administrators(all: &Accounts, services: &[String], config: &Path) -> Vec<Finding> {
    let refused = |identity: &Identity| {
        let group = sudo::group(identity)?;
        let what = format!(
            "is in the group {group}, and no rule names the user: pam_jail.so refuses every login by {}",
            services.join(", ")
        );
        let command = exempting(&format!("@{group}"), config);
        let finding = Finding::error(FindingKind::LockOut, what).of_unjailed(identity);
        Some(finding.mended_by(command))
    };
    all.unlisted.iter().filter_map(refused).collect()
}

/// Finds the other people whom the module refuses: lines that are meant for one user shut out everybody without a rule.
fn people(all: &Accounts, services: &[String], config: &Path) -> Option<Finding> {
    let people: Vec<&Identity> = without_rule(all)
        .filter(|identity| sudo::group(identity).is_none())
        .collect();
    let (what, command) = refuses(&people, services, config)?;
    Some(Finding::warning(FindingKind::PamRefuses, what).mended_by(command))
}

/// Lists the people who could log in, and whom no rule names.
pub(crate) fn without_rule(all: &Accounts) -> impl Iterator<Item = &Identity> {
    all.unlisted.iter().filter(|identity| {
        let has_shell = !has_no_shell(identity) && !has_jail_shell(identity);
        identity.uid >= FIRST_ORDINARY && has_shell
    })
}

/// Says whom these services refuse, and gives the command that lets them in.
pub(crate) fn refuses(
    people: &[&Identity],
    services: &[String],
    config: &Path,
) -> Option<(String, String)> {
    const MOST: usize = 5;
    if people.is_empty() || services.is_empty() {
        return None;
    }
    let mut names: Vec<String> = people.iter().take(MOST).map(|it| shown(&it.name)).collect();
    if let Some(more) = people.len().checked_sub(MOST).filter(|more| *more > 0) {
        names.push(format!("{more} more"));
    }
    let last = names.pop()?;
    let names = if names.is_empty() {
        last
    } else {
        format!("{} and {last}", names.join(", "))
    };
    let what = format!(
        "{names}: could log in, and no rule names them: by unlisted = \"refuse\" pam_jail.so refuses every login by {}",
        services.join(", ")
    );
    Some((what, letting_others_in(config)))
}

/// Gives the command that sets `unlisted = "exempt"`.
fn letting_others_in(config: &Path) -> String {
    let text = fs::read_to_string(config).unwrap_or_default();
    let is_set = |line: &str| {
        let key = line.split_once('=').map(|(key, _)| key.trim());
        key.is_some_and(|key| key.trim_matches(['"', '\'']) == "unlisted")
    };
    if text.lines().any(is_set) {
        format!(
            "sed -i '/^\\W*unlisted\\W*=/s/refuse/exempt/' {}",
            quoted(config)
        )
    } else {
        with_first_line("unlisted = \"exempt\"", &text, config)
    }
}

/// Gives the command that puts somebody into `exempt`.
pub(super) fn exempting(name: &str, config: &Path) -> String {
    let text = fs::read_to_string(config).unwrap_or_default();
    if text.lines().any(|line| line.starts_with("exempt")) {
        let script = format!("s/^exempt[[:space:]]*=[[:space:]]*\\[/&\"{name}\", /");
        format!("sed -i '{script}' {}", quoted(config))
    } else {
        with_first_line(&format!("exempt = [\"{name}\"]"), &text, config)
    }
}

/// Gives the command that puts a line before all others. sed(1) knows no first line of a file that is empty.
fn with_first_line(line: &str, text: &str, config: &Path) -> String {
    if text.is_empty() {
        format!("echo '{line}' >>{}", quoted(config))
    } else {
        format!("sed -i '1i {line}' {}", quoted(config))
    }
}
