//! Findings that the config accepts. They stay in the report, and do not count.

use std::path::Path;

use clap::ValueEnum;
use jail_config::{Accepted, Policy, Whose};

use super::{
    config::edit,
    finding::{Acceptance, Finding, Whom},
    report::Report,
};
use crate::{accounts::account::did_you_mean, doctor::kinds::FindingKind, shell::shown};

/// What is left out of a check, so that an acceptance may well concern nothing.
pub(super) struct Scope {
    /// Not all users were looked at.
    pub(super) some_users: bool,
    /// The jails were attacked.
    pub(super) attacked: bool,
}

/// Marks what the config accepts, and finds what is wrong with that.
pub(super) fn apply(report: &mut Report, policy: &Policy, directory: &Path, scope: &Scope) {
    let file = directory.join("config.toml");
    let mut wrong = Vec::new();
    for (accepted, line) in policy.accepted() {
        let at = format!(
            "{}:{line}: [check] accepts {}",
            shown(&file),
            shown(&accepted.kind)
        );
        let Some(kind) = FindingKind::named(&accepted.kind) else {
            let finding = unknown(&at, &accepted.kind);
            wrong.push(finding.mended_by(edit(&file, line)));
            continue;
        };
        let mut concerned = report
            .findings
            .iter_mut()
            .filter(|it| concerns(accepted, kind, it));
        let mut is_used = false;
        for finding in concerned.by_ref() {
            is_used = true;
            finding.accepted.get_or_insert_with(|| Acceptance {
                why: accepted.why.clone(),
                line,
            });
        }
        let was_looked_for = kind != FindingKind::Reached || scope.attacked;
        if !is_used && !scope.some_users && was_looked_for && report.unchecked.is_empty() {
            let what = format!(
                "{at} for {}, and there is no such finding",
                shown(accepted.whose.to_string())
            );
            let finding = Finding::note(FindingKind::UnusedAcceptance, what);
            wrong.push(finding.mended_by(edit(&file, line)));
        }
    }
    report.extend(wrong);
}

/// Tells whether an acceptance is about a finding.
fn concerns(accepted: &Accepted, kind: FindingKind, finding: &Finding) -> bool {
    let member = finding.member.as_ref();
    finding.kind == kind
        && match &accepted.whose {
            Whose::Everybody => true,
            Whose::Group(group) => {
                member.is_some_and(|it| matches!(&it.whom, Whom::Group(of) if of == group))
            }
            Whose::User(user) => member.is_some_and(|it| it.name == *user),
        }
}

/// Makes a finding of a kind that there is not. A config of a newer release must not keep anybody out, so it is no error.
fn unknown(at: &str, word: &str) -> Finding {
    let names: Vec<String> = FindingKind::value_variants()
        .iter()
        .map(|it| it.name())
        .collect();
    let meant = did_you_mean(word, names.iter().map(String::as_str));
    let what = format!("{at}, which is no kind of finding{meant}");
    Finding::warning(FindingKind::UnknownKind, what)
}
