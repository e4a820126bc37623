//! Who is shut out where pam_jail.so comes into a stack: it refuses everybody whom no rule names, unless the config says
//! otherwise.

use std::{fs, path::Path};

use jail::identity::Identity;

use crate::{
    account::Accounts,
    check::{Finding, pam, sudo},
    shell::{quoted, shown},
};

/// Checks whom the stacks refuse that jail.
pub(super) fn check(all: &Accounts, config: &Path) -> Vec<Finding> {
    let services: Vec<String> = pam::jailing().collect();
    if services.is_empty() {
        return Vec::new();
    }
    administrators(all, &services, config)
}

/// Finds administrators whom the module refuses, because no rule names them: they learn it at their next login.
fn administrators(all: &Accounts, services: &[String], config: &Path) -> Vec<Finding> {
    let refused = |identity: &Identity| {
        let group = sudo::group(identity)?;
        let what = format!(
            "{}: is in the group {group}, and no rule names the user: pam_jail.so refuses every login by {}",
            shown(&identity.name),
            services.join(", ")
        );
        let command = exempting(&format!("@{group}"), config);
        Some(Finding::error("lock-out", what).mended_by(command))
    };
    all.unlisted.iter().filter_map(refused).collect()
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
