//! Accounts and groups of a directory: what can't be listed, and what can't be known while it does not answer.

use std::{collections::BTreeSet, path::Path};

use jail::door::decision::Config;
use jail_config::RuleKind;

use crate::{
    accounts::{
        account::{self, Accounts},
        host_text,
    },
    doctor::check::{Finding, FindingKind, Report},
    failure::Failure,
    shell::{self, shown},
};

/// How many names a finding has.
const MOST: usize = 3;

/// Says of each rule for a group of a directory whose accounts have not been looked at.
pub(super) fn check(report: &mut Report, config: &Config, all: &Accounts) -> Result<(), Failure> {
    let own = host_text::read(Path::new("/etc/group")).unwrap_or_default();
    let is_own = |group: &str| {
        own.lines()
            .any(|line| line.split(':').next() == Some(group))
    };
    let listed = account::listed()?;
    let jailed = all.jailed.iter();
    let looked_at: BTreeSet<&str> = jailed
        .filter_map(|it| it.identity.name.to_str())
        .chain(listed.iter().map(String::as_str))
        .collect();
    for named in config.policy().rules() {
        let rule = &named.rule;
        match &rule.kind {
            RuleKind::Group(group) if !is_own(group) => {
                let members = all.groups.members(group);
                let unseen: Vec<&String> = members
                    .iter()
                    .filter(|it| !looked_at.contains(it.as_str()))
                    .collect();
                let Some(example) = unseen.first() else {
                    continue;
                };
                let names: Vec<String> = unseen.iter().take(MOST).map(shown).collect();
                let more = match unseen.len().checked_sub(MOST) {
                    None | Some(0) => String::new(),
                    Some(more) => format!(" and {more} more"),
                };
                let what = format!(
                    "{rule}: the group is of a directory that does not list its accounts (getent passwd), so they are not checked: {}{more}; \
                     to check one: jailctl check {}",
                    names.join(", "),
                    shell::quoted(example)
                );
                report.add(Finding::note(FindingKind::DirectoryGroup, what));
            }
            RuleKind::ExemptGroup(group)
                if !is_own(group) && !all.groups.members(group).is_empty() =>
            {
                let what = format!(
                    "{rule}: the group is of a directory: whoever can change it there lets users in unjailed"
                );
                report.add(Finding::note(FindingKind::DirectoryGroup, what));
            }
            _ => {}
        }
    }
    Ok(())
}
