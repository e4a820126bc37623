//! The config itself, and the names in it.

use std::{
    ffi::{OsStr, OsString},
    fs,
    path::Path,
};

use jail::{
    door::{decision::Config, refusal::Refusal},
    trust::{Flaw, Untrusted},
};
use jail_config::{Decision, Policy, Rule, RuleKind, is_jail_key, nearest};

use crate::{
    accounts::{account::Accounts, listed::RuleGroups, login_defs::FIRST_ORDINARY},
    doctor::{
        check::{Finding, FindingKind, Report, sshd_forces_jail_shell},
        mend::{Kind, Repair, is_only_of_jail, keeps_its_owner},
        used,
    },
    door::{SSHD_CONFIG, has_jail_shell},
    shell::{self, quoted, shown},
};

/// Makes findings of a config that every login refuses.
pub(crate) fn refused(refusal: &Refusal) -> Vec<Finding> {
    match refusal {
        Refusal::ConfigMissing(path) => {
            let finding = Finding::refused(FindingKind::ConfigMissing, refusal);
            // Another file than config.toml is a PAM module's.
            vec![if path.ends_with("config.toml") {
                finding.mended(Repair::of_host(Kind::ConfigMissing))
            } else {
                finding
            }]
        }
        Refusal::ConfigUnsafe(untrusted) => {
            vec![walked(Kind::ConfigUnsafe, refusal, untrusted)]
        }
        Refusal::ConfigWrong(faults) => faults
            .iter()
            .map(|fault| {
                Finding::error(FindingKind::ConfigWrong, fault.one_line())
                    .with_code(refusal.code().name())
                    .mended_by(edit(&fault.file, fault.line))
            })
            .collect(),
        other => vec![Finding::refused(FindingKind::Config, other)],
    }
}

/// Makes a finding of a path that the trusted walk refuses.
pub(crate) fn walked(kind: Kind, refusal: &Refusal, untrusted: &Untrusted) -> Finding {
    let finding = Finding::refused(walked_kind(kind), refusal);
    let can_mend = match untrusted.flaw {
        Flaw::Missing => true,
        Flaw::Owner(uid) => keeps_its_owner(uid).is_none(),
        // It is the host's /tmp or the like: others need it as it is.
        Flaw::Writable(mode) => mode & 0o1000 == 0,
        _ => false,
    };
    if !can_mend {
        return finding;
    }
    let repair = match kind {
        Kind::ConfigUnsafe => Repair::of_host(kind),
        Kind::HostFiles => Repair::of_path(kind, &untrusted.component),
        kind => Repair::of_path(kind, &untrusted.path),
    };
    finding.mended(repair.not_only_of_jail(!is_only_of_jail(kind, untrusted)))
}

/// Gives the kind of a finding about a way.
fn walked_kind(kind: Kind) -> FindingKind {
    match kind {
        Kind::ConfigUnsafe => FindingKind::ConfigUnsafe,
        Kind::HostFiles => FindingKind::HostFiles,
        Kind::Base => FindingKind::Base,
        _ => FindingKind::Root,
    }
}

/// Checks that the names in the config are names of the host. One that no service has may be of the service that is `silent`.
pub(crate) fn names(report: &mut Report, config: &Config, accounts: &Accounts, all: &Accounts) {
    let groups = &all.groups;
    for (identity, refusal) in &accounts.undecided {
        let what = refusal.to_string();
        match refusal {
            Refusal::ConfigWrong(_) | Refusal::ConfigUnsafe(_) => report.extend(refused(refusal)),
            _ => {
                let finding = if has_jail_shell(identity) {
                    Finding::error(FindingKind::Undecided, what)
                } else {
                    // Somebody whom no door of ours concerns.
                    Finding::note(FindingKind::Undecided, what)
                };
                let finding = finding.with_code(refusal.code().name());
                report.add(finding.of_unjailed(identity));
            }
        }
    }
    let policy = config.policy();
    for named in policy.rules() {
        let rule = &named.rule;
        if let (Some(silent), true) = (&all.silent, is_nowhere(&rule.kind, accounts, groups)) {
            report.leave_unchecked(format!(
                "{rule}: no service that answers has this name, and {silent}"
            ));
            continue;
        }
        match &rule.kind {
            RuleKind::User(user) if accounts.unknown.contains(user) => {
                report.add(for_nobody(unknown_user(rule, user, accounts), rule, policy));
            }
            RuleKind::Group(group) => match groups.has(group) {
                Some(true) => {}
                Some(false) => report.add(for_nobody(unknown_group(rule, group), rule, policy)),
                None => report.leave_unchecked(format!("{rule}: getent group {group} failed")),
            },
            RuleKind::ExemptUser(user) if accounts.unknown.contains(user) => {
                report.add(Finding::note(
                    FindingKind::UnknownUser,
                    format!("{rule}: there is no such account"),
                ))
            }
            RuleKind::ExemptGroup(group) if groups.has(group) == Some(false) => {
                report.add(Finding::note(
                    FindingKind::UnknownGroup,
                    format!("{rule}: there is no such group"),
                ))
            }
            _ => {}
        }
    }
}

/// Tells whether no service has the account or group of a rule.
fn is_nowhere(kind: &RuleKind, accounts: &Accounts, groups: &RuleGroups) -> bool {
    match kind {
        RuleKind::User(user) | RuleKind::ExemptUser(user) => accounts.unknown.contains(user),
        RuleKind::Group(group) | RuleKind::ExemptGroup(group) => groups.has(group) != Some(true),
        _ => false,
    }
}

/// Makes a finding of a rule for an account that does not exist.
fn unknown_user(rule: &Rule, user: &str, accounts: &Accounts) -> Finding {
    let what = format!("{rule}: there is no such account");
    if is_jail_key(user) {
        let belongs = "as a key of a jail it has no effect here, and belongs below the header of the jail, or of [defaults]";
        return Finding::warning(FindingKind::UnknownUser, format!("{what}; {belongs}"))
            .mended_by(edit(&rule.file, rule.line));
    }
    let without_rule = accounts.unlisted.iter().chain(&accounts.exempt);
    let people = without_rule.filter(|it| it.uid >= FIRST_ORDINARY);
    match nearest(user, people.filter_map(|it| it.name.to_str())) {
        Some(meant) => Finding::warning(
            FindingKind::UnknownUser,
            format!("{what}; was {} meant?", shown(meant)),
        )
        .mended_by(edit(&rule.file, rule.line)),
        None => Finding::warning(FindingKind::UnknownUser, what)
            .mended_by(format!("jailctl release {}", quoted(user))),
    }
}

/// Makes a finding of a rule for a group that does not exist: misspelt, or renamed. Making one of that name would put
/// nobody into it.
fn unknown_group(rule: &Rule, group: &str) -> Finding {
    let listed = shell::ask("getent", &["group"]).ok().flatten();
    let text = listed.map(|answer| String::from_utf8_lossy(&answer.stdout).into_owned());
    let text = text.unwrap_or_default();
    let names = text.lines().filter_map(|line| line.split(':').next());
    let meant = nearest(group, names).map(|name| format!("; was {} meant?", shown(name)));
    let what = format!(
        "{rule}: there is no such group{}",
        meant.unwrap_or_default()
    );
    Finding::warning(FindingKind::UnknownGroup, what).mended_by(edit(&rule.file, rule.line))
}

/// Finds files of users.d that are nobody's: no login reads them.
pub(crate) fn stray_files(report: &mut Report, directory: &Path, accounts: &Accounts) {
    let directory = directory.join("users.d");
    let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
    let mut names: Vec<OsString> = entries.map(|entry| entry.file_name()).collect();
    names.sort();
    for name in names {
        let path = directory.join(&name);
        let name = name.to_string_lossy();
        // What an editor, dpkg or jailctl keeps beside a file.
        if name.ends_with('~') || name.starts_with('.') || name.contains(".dpkg-") {
            continue;
        }
        let finding = match name.strip_suffix(".toml") {
            Some(user) if accounts.unknown.iter().any(|it| it == user) => Finding::warning(
                FindingKind::UsersFile,
                format!("{}: there is no account of that name", shown(&path)),
            )
            .mended_by(format!("mv {0} {0}~", quoted(&path))),
            Some(_) => continue,
            None => {
                let right = directory.join(format!("{name}.toml"));
                Finding::warning(
                    FindingKind::UsersFile,
                    format!(
                        "{}: nobody reads it, because its name does not end in .toml",
                        shown(&path)
                    ),
                )
                .mended_by(format!("mv -n {} {}", quoted(&path), quoted(&right)))
            }
        };
        report.add(finding);
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
        let what = match config.decide(identity) {
            Ok(Decision::Exempt(_)) if has_jail_shell(identity) => continue,
            Ok(Decision::Exempt(rule))
                if sshd_forces_jail_shell(identity, Path::new(SSHD_CONFIG)) == Some(true) =>
            {
                let what = format!(
                    "sshd forces jail-shell on the user, and {rule} exempts the user: every login by ssh is refused; \
                     take the user out of the ForceCommand, or take the exemption away"
                );
                report.add(Finding::error(FindingKind::Exempt, what).of_unjailed(identity));
                continue;
            }
            Ok(Decision::Exempt(rule)) => format!("not jailed, by {rule}"),
            // Said with the command that mends it.
            Ok(Decision::Unlisted(_)) if has_jail_shell(identity) => continue,
            Ok(Decision::Unlisted(rule)) => match used::by(identity) {
                Some(door) => format!(
                    "not jailed: no rule names the user; logins {} are refused, by {rule}",
                    door.words()
                ),
                None => format!(
                    "not jailed: no rule names the user, no door of login-jail is in the way, and logins lead to the host, to {}",
                    shown(&identity.shell)
                ),
            },
            // Decided otherwise in the meantime: the next check has it.
            Ok(Decision::Jail(_)) | Err(_) => continue,
        };
        report.add(Finding::note(FindingKind::NotJailed, what).of_unjailed(identity));
    }
}
