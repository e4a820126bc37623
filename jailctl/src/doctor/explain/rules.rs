//! The rule that decides, and those that name the user as well and do not.

use jail::{account::identity::Identity, door::decision::Config};
use jail_config::{Rule, RuleKind};
use serde::Serialize;

use crate::failure::Failure;

/// What was decided, and by which rule.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    pub(super) outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rule: Option<Where>,
}

/// What becomes of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    Jailed,
    Exempt,
    Refused,
}

impl Outcome {
    /// Gives the word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Outcome::Jailed => "jailed",
            Outcome::Exempt => "exempt",
            Outcome::Refused => "refused",
        }
    }
}

/// A rule and where it is written; line 0 is a built-in default.
#[derive(Debug, Serialize)]
pub(super) struct Where {
    file: String,
    line: usize,
    pub(super) text: String,
    pub(super) leads_to: String,
}

/// A rule that names the user as well and does not decide.
#[derive(Debug, Serialize)]
pub(super) struct Lost {
    #[serde(flatten)]
    pub(super) rule: Where,
    pub(super) because: &'static str,
}

/// Gives the rule that decides about an account, and the others that name it.
///
/// # Errors
/// The user's own file can't be read.
pub(super) fn of(
    config: &Config,
    identity: &Identity,
) -> Result<(Option<Where>, Vec<Lost>), Failure> {
    let user_file = config.user_file(identity)?;
    let account = identity.account();
    let mut named = config
        .policy()
        .matches(&account, user_file.as_ref())
        .map(|named| {
            let leads_to = named.leads_to().to_owned();
            (named.rule, leads_to)
        });
    let winner = named.next();
    let lost = named
        // That nobody else is named is not said of somebody who is.
        .filter(|(rule, _)| rule.kind != RuleKind::Unlisted)
        .map(|(rule, leads_to)| Lost {
            because: winner.as_ref().map_or("", |(won, _)| why_lost(won, &rule)),
            rule: at(&rule, leads_to),
        })
        .collect();
    Ok((winner.map(|(rule, leads_to)| at(&rule, leads_to)), lost))
}

fn at(rule: &Rule, leads_to: String) -> Where {
    Where {
        file: rule.file.display().to_string(),
        line: rule.line,
        text: rule.to_string(),
        leads_to,
    }
}

/// Says why one rule decides and not another that names the user as well.
fn why_lost(won: &Rule, lost: &Rule) -> &'static str {
    match (&won.kind, &lost.kind) {
        (RuleKind::ExemptUser(_), _) => {
            "a user in `exempt` is never jailed, whatever else names them"
        }
        (RuleKind::UserFile, RuleKind::User(_)) => "the user's own file comes before [users]",
        (RuleKind::UserFile | RuleKind::User(_), _) => {
            "a rule for the user comes before those for groups"
        }
        (RuleKind::ExemptGroup(_), RuleKind::ExemptGroup(_)) => "one group in `exempt` is enough",
        (RuleKind::ExemptGroup(_), _) => "a group in `exempt` comes before [groups]",
        (RuleKind::Group(_), RuleKind::Group(_)) => "of [groups] the first in the file decides",
        _ => "the other rule comes first",
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jail_config::{Account, Policy};

    use super::why_lost;

    #[test]
    fn every_rule_that_loses_has_its_reason() {
        let text = b"exempt = ['ann', '@wheel', '@adm']\nusers = { ann = '/srv/a' }\n\
                     [groups]\nweb = '/srv/b'\ngames = '/srv/c'\n";
        let policy = Policy::parse(Path::new("c"), text).unwrap();
        let file = policy
            .parse_user_file(Path::new("u"), b"root = '/srv/u'")
            .unwrap();
        let groups = ["web".into(), "games".into(), "wheel".into(), "adm".into()];
        let account = Account {
            name: "ann".as_ref(),
            uid: 1001,
            gid: 1001,
            group: "web".as_ref(),
            groups: &groups,
            home: Path::new("/home/ann"),
        };
        let all: Vec<_> = policy.matches(&account, Some(&file)).collect();
        assert_eq!(all.len(), 8);
        let fallback = "the other rule comes first";
        for (index, won) in all.iter().enumerate() {
            for lost in all.iter().take(all.len() - 1).skip(index + 1) {
                assert_ne!(
                    why_lost(&won.rule, &lost.rule),
                    fallback,
                    "{won:?} {lost:?}"
                );
            }
        }
    }
}
