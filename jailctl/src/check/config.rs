//! The config itself, and the names in it.

use std::{ffi::OsStr, path::Path};

use jail::{
    decision::Config,
    refusal::Refusal,
    trust::{Flaw, Untrusted},
};
use jail_config::{Decision, Policy, Rule, RuleKind, nearest};

use crate::{
    account::{Accounts, FIRST_ORDINARY},
    check::{Finding, Report},
    door::{Door, has_jail_shell},
    shell::{self, quoted, shown},
};

/// Makes findings of a config that every login refuses.
pub(crate) fn refused(refusal: &Refusal) -> Vec<Finding> {
    match refusal {
        Refusal::ConfigMissing(path) => {
            // An empty config is a valid one, and serves nobody.
            let command = format!("install -D -m 644 /dev/null {}", quoted(path));
            vec![Finding::refused("config-missing", refusal).mended_by(command)]
        }
        Refusal::ConfigUnsafe(untrusted) => {
            vec![walked("config-unsafe", refusal, untrusted)]
        }
        Refusal::ConfigWrong(faults) => faults
            .iter()
            .map(|fault| {
                Finding::error("config-wrong", fault.one_line())
                    .with_code(refusal.code().name())
                    .mended_by(edit(&fault.file, fault.line))
            })
            .collect(),
        other => vec![Finding::refused("config", other)],
    }
}

/// Makes a finding of a path that the trusted walk refuses.
pub(crate) fn walked(kind: &'static str, refusal: &Refusal, untrusted: &Untrusted) -> Finding {
    let finding = Finding::refused(kind, refusal);
    let component = quoted(&untrusted.component);
    match untrusted.flaw {
        Flaw::Missing => {
            finding.mended_by(format!("install -d -m 755 {}", quoted(&untrusted.path)))
        }
        Flaw::Owner(_) => finding.mended_by(format!("chown root {component}")),
        Flaw::Writable(_) => finding.safely_mended_by(format!("chmod go-w {component}")),
        _ => finding,
    }
}

/// Checks that the names in the config are names of the host.
pub(crate) fn names(report: &mut Report, config: &Config, accounts: &Accounts) {
    for (identity, refusal) in &accounts.undecided {
        let what = format!("{}: {refusal}", shown(&identity.name));
        match refusal {
            Refusal::ConfigWrong(_) | Refusal::ConfigUnsafe(_) => report.extend(refused(refusal)),
            _ => {
                let finding = if has_jail_shell(identity) {
                    Finding::error("undecided", what)
                } else {
                    // Somebody whom no door of ours concerns.
                    Finding::note("undecided", what)
                };
                report.add(finding.with_code(refusal.code().name()));
            }
        }
    }
    let policy = config.policy();
    for named in policy.rules() {
        let rule = &named.rule;
        match &rule.kind {
            RuleKind::User(user) if accounts.unknown.contains(user) => {
                report.add(for_nobody(unknown_user(rule, user, accounts), rule, policy));
            }
            RuleKind::Group(group) if !has_group(group) => {
                let finding =
                    Finding::warning("unknown-group", format!("{rule}: there is no such group"))
                        .mended_by(format!("groupadd -- {}", quoted(group)));
                report.add(for_nobody(finding, rule, policy));
            }
            RuleKind::ExemptUser(user) if accounts.unknown.contains(user) => report.add(
                Finding::note("unknown-user", format!("{rule}: there is no such account")),
            ),
            RuleKind::ExemptGroup(group) if !has_group(group) => report.add(Finding::note(
                "unknown-group",
                format!("{rule}: there is no such group"),
            )),
            _ => {}
        }
    }
}

/// Makes a finding of a rule for an account that does not exist.
fn unknown_user(rule: &Rule, user: &str, accounts: &Accounts) -> Finding {
    let what = format!("{rule}: there is no such account");
    let without_rule = accounts.unlisted.iter().chain(&accounts.exempt);
    let people = without_rule.filter(|it| it.uid >= FIRST_ORDINARY);
    match nearest(user, people.filter_map(|it| it.name.to_str())) {
        Some(meant) => Finding::warning(
            "unknown-user",
            format!("{what}; was {} meant?", shown(meant)),
        )
        .mended_by(edit(&rule.file, rule.line)),
        None => Finding::warning("unknown-user", what)
            .mended_by(format!("jailctl release {}", quoted(user))),
    }
}

/// Finds the rule for an account that does not exist by which this one was probably meant.
pub(crate) fn misspelt(policy: &Policy, all: &Accounts, name: &OsStr) -> Option<Rule> {
    let name = name.to_str()?;
    policy
        .rules()
        .map(|named| named.rule)
        .find(|rule| match &rule.kind {
            RuleKind::User(user) => all.unknown.contains(user) && nearest(user, [name]).is_some(),
            _ => false,
        })
}

/// Makes an error of a rule for nobody where others are let in: taking it away, or making a group of that name, would not
/// jail whoever was meant.
fn for_nobody(finding: Finding, rule: &Rule, policy: &Policy) -> Finding {
    if !policy.lets_others_in() {
        return finding;
    }
    let what = format!(
        "{}; if it is misspelt, unlisted = \"exempt\" lets whoever was meant in unjailed",
        finding.what
    );
    Finding::error(finding.kind, what).mended_by(edit(&rule.file, rule.line))
}

/// Gives the command that shows a line of the config to be mended by hand.
pub(crate) fn edit(file: &Path, line: usize) -> String {
    format!("editor +{line} {}", quoted(file))
}

/// Says what becomes of accounts that were asked for by name and are in no jail: silence would look as if they were in one.
pub(crate) fn not_jailed(report: &mut Report, config: &Config, accounts: &Accounts) {
    for identity in accounts.exempt.iter().chain(&accounts.unlisted) {
        let name = shown(&identity.name);
        let what = match config.decide(identity) {
            Ok(Decision::Exempt(rule)) => format!("{name}: not jailed, by {rule}"),
            Ok(Decision::Unlisted(rule)) => match Door::used_by(identity) {
                Some(door) => format!(
                    "{name}: not jailed: no rule names the user; logins {} are refused, by {rule}",
                    door.words()
                ),
                None => format!(
                    "{name}: not jailed: no rule names the user, no door of login-jail is in the way, and logins lead to the host, to {}",
                    shown(&identity.shell)
                ),
            },
            // Decided otherwise in the meantime: the next check has it.
            Ok(Decision::Jail(_)) | Err(_) => continue,
        };
        report.add(Finding::note("not-jailed", what));
    }
}

/// Tells whether the host has a group. One that could not be looked up is taken to be there.
fn has_group(name: &str) -> bool {
    shell::ask("getent", &["group", "--", name])
        .ok()
        .flatten()
        // 2: getent(1) has not found it.
        .is_none_or(|answer| answer.status.code() != Some(2))
}
