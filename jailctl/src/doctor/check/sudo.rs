//! sudo: what a jailed user may run with it, wherever they get at it.

use std::{fs, path::Path};

use jail::account::identity::Identity;

use crate::{
    accounts::{account::Jailed, host_text},
    doctor::check::{Finding, FindingKind, Report},
    failure::Failure,
    shell::{self, pattern, quoted, shown},
};

/// The groups that sudo's packages give everything to.
const GROUPS: [&str; 3] = ["sudo", "wheel", "admin"];

/// What sudo says of who may run something, and of who may not: sudo(8), in the C locale.
const MAY: &str = "may run the following commands";
const MAY_NOT: &str = "is not allowed to run sudo";

/// Gives the group of these that an account is in.
pub(crate) fn group(identity: &Identity) -> Option<&'static str> {
    let is_in = |group: &&str| identity.group_names.iter().any(|it| it == *group);
    GROUPS.into_iter().find(is_in)
}

/// Asks sudo about every jailed user.
pub(crate) fn check(report: &mut Report, jailed: &[Jailed]) -> Result<(), Failure> {
    for one in jailed {
        let name = one.identity.name.to_string_lossy();
        let Some(answer) = shell::ask("sudo", &["-n", "-l", "-U", &name])? else {
            return Ok(());
        };
        let text = String::from_utf8_lossy(&answer.stdout);
        if !text.contains(MAY) && !text.contains(MAY_NOT) {
            let said = String::from_utf8_lossy(&answer.stderr);
            let said = said.lines().next().unwrap_or("nothing");
            report.leave_unchecked(format!("sudo: sudo -l -U {name} says: {said}"));
            continue;
        }
        let granted: Vec<&str> = text
            .lines()
            .skip_while(|line| !line.contains(MAY))
            .skip(1)
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        if granted.is_empty() {
            continue;
        }
        let what = format!(
            "sudo lets the user run {}: not from inside, but from every program that is not in the jail",
            shown(granted.join("; "))
        );
        let finding = Finding::warning(FindingKind::Sudo, what).of(one);
        report.add(match mend(one, &name) {
            Some(command) => finding.mended_by(command),
            None => finding,
        });
    }
    Ok(())
}

/// Gives the command that takes the right away: the group, or the lines that begin with the user's name.
fn mend(jailed: &Jailed, name: &str) -> Option<String> {
    let user = quoted(name);
    if let Some(group) = group(&jailed.identity) {
        return Some(format!("gpasswd -d {user} {group}"));
    }
    let more = fs::read_dir("/etc/sudoers.d")
        .into_iter()
        .flatten()
        .flatten();
    std::iter::once(Path::new("/etc/sudoers").to_owned())
        .chain(more.map(|file| file.path()))
        .find(|file| {
            let text = host_text::read(file).unwrap_or_default();
            text.lines()
                .any(|line| line.split_whitespace().next() == Some(name))
        })
        .zip(pattern(name))
        .map(|(file, name)| {
            format!(
                "sed -i '/^[[:space:]]*{name}[[:space:]]/d' {} && visudo -c",
                quoted(file)
            )
        })
}
