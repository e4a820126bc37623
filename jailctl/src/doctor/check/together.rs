//! Findings that say the same of several users, as one: a person reads a sentence once, and mends all with one command.

use std::collections::{HashMap, HashSet};

use super::{
    finding::{Acceptance, Finding, Member, Mend, Whom},
    sshd::lines::MatchLines,
};
use crate::{
    doctor::{
        general::generalised,
        kinds::{FindingKind, Severity},
        mend::{Object, Repair},
    },
    output::counted,
};

/// How many users a sentence names.
const NAMED: usize = 3;

/// What one finding has in common with others.
#[derive(PartialEq, Eq, Hash)]
struct Common {
    severity: Severity,
    kind: FindingKind,
    code: Option<&'static str>,
    accepted: Option<Acceptance>,
    whom: Option<Whom>,
    what: String,
    mend: Option<(String, bool)>,
}

/// Findings that are printed as one.
pub(super) struct Together<'a> {
    pub(super) members: Vec<&'a Finding>,
    /// The thing and its state, in words that are true of all.
    pub(super) what: String,
    /// Whether others of the same group have something of the kind that is accepted, or is left to the administrator: a
    /// command that names the group would change that, too.
    is_apart: bool,
}

/// What mends all of them.
pub(super) enum Fix {
    /// One command, which --fix runs.
    Safe(String),
    /// One command that needs reading.
    ByHand(String),
    /// A command for each user.
    ForEach(String),
}

impl<'a> Together<'a> {
    /// Puts together what belongs together, in the order of the findings.
    pub(super) fn all(findings: impl IntoIterator<Item = &'a Finding>) -> Vec<Together<'a>> {
        let mut all: Vec<Together<'a>> = Vec::new();
        let mut places: HashMap<Common, usize> = HashMap::new();
        for finding in findings {
            let common = Common::of(finding);
            let what = common.what.clone();
            let place = *places.entry(common).or_insert(all.len());
            match all.get_mut(place) {
                Some(same) => same.members.push(finding),
                None => all.push(Together {
                    members: vec![finding],
                    what,
                    is_apart: false,
                }),
            }
        }
        set_apart(&mut all);
        // What is about one user has its own words.
        for one in &mut all {
            if let [only] = one.members.as_slice() {
                one.what.clone_from(&only.what);
            }
        }
        all
    }

    /// Gives one of them: they have kind and severity in common.
    pub(super) fn first(&self) -> Option<&'a Finding> {
        self.members.first().copied()
    }

    /// Tells whether the config accepts them.
    pub(super) fn is_accepted(&self) -> bool {
        self.first().is_some_and(|it| it.accepted.is_some())
    }

    /// Says whom it is about; nothing where it is about nobody.
    pub(super) fn whom(&self) -> Option<String> {
        let members: Vec<&Member> = self.people().collect();
        let names: Vec<&str> = members.iter().map(|it| it.name.as_str()).collect();
        let named = match names.get(..NAMED).filter(|_| names.len() > NAMED + 1) {
            Some(named) => format!("{} and {} more", named.join(", "), names.len() - NAMED),
            None => names.join(", "),
        };
        let count = counted(names.len(), "user");
        let mut of: Vec<String> = Vec::new();
        for member in &members {
            let part = match &member.whom {
                Whom::Group(group) => format!("@{group}"),
                Whom::Jail(jail) => format!("jail {}", member.generalise(jail)),
                Whom::WithoutJail => "no jail".to_owned(),
            };
            if !of.contains(&part) {
                of.push(part);
            }
        }
        Some(match of.as_slice() {
            [] => return None,
            _ if names.len() == 1 => named,
            of => format!("{count} of {} ({named})", of.join(", ")),
        })
    }

    /// Gives the names of all.
    pub(super) fn names(&self) -> Vec<&'a str> {
        self.people().map(|it| it.name.as_str()).collect()
    }

    fn people(&self) -> impl Iterator<Item = &'a Member> {
        self.members.iter().filter_map(|it| it.member.as_ref())
    }

    /// Gives what mends them all.
    pub(super) fn fix(&self) -> Option<Fix> {
        let mends: Vec<&Mend> = self
            .members
            .iter()
            .filter_map(|it| it.mend.as_ref())
            .collect();
        let first = *mends.first()?;
        let command = first.command();
        let is_one = mends.iter().all(|it| it.command() == command);
        let together = if is_one {
            Some(command.clone())
        } else {
            self.command()
        };
        Some(match together {
            Some(command) if first.is_safe() => Fix::Safe(command),
            Some(command) => Fix::ByHand(command),
            None => Fix::ForEach(self.people().next()?.generalise(&command)),
        })
    }

    /// Gives one command for all, where there is one.
    fn command(&self) -> Option<String> {
        let group_of = |member: &'a Member| member.group().filter(|_| !self.is_apart);
        let group = group_of(self.people().next()?);
        let mut repairs: Vec<(&str, &Repair)> = Vec::new();
        let mut lines: Vec<&MatchLines> = Vec::new();
        for finding in &self.members {
            match (&finding.mend, &finding.member) {
                (Some(Mend::Repair(repair)), Some(member)) => repairs.push((&member.name, repair)),
                (Some(Mend::Lines(one)), Some(_)) => lines.push(one),
                _ => return None,
            }
        }
        let is_of_users = |(_, repair): &(&str, &Repair)| repair.kind.object() == Object::User;
        if !lines.is_empty() {
            return MatchLines::together(&lines, group);
        }
        if !repairs.iter().all(is_of_users) {
            return Repair::together(&repairs, group);
        }
        let repairs = repairs.iter().map(|(_, repair)| *repair);
        let across: Vec<_> = self.people().map(group_of).zip(repairs).collect();
        Repair::across(&across)
    }
}

/// Finds those of which a command may name no group.
fn set_apart(all: &mut [Together<'_>]) {
    let key = |finding: &'_ Finding| {
        let group = finding.member.as_ref()?.group()?;
        Some((finding.kind, group.to_owned()))
    };
    let is_safe = |finding: &Finding| finding.mend.as_ref().is_some_and(Mend::is_safe);
    let members = || all.iter().flat_map(|it| it.members.iter().copied());
    let accepted = members().filter(|it| it.accepted.is_some());
    let accepted: HashSet<_> = accepted.filter_map(key).collect();
    let by_hand: HashSet<_> = members()
        .filter(|it| !is_safe(it))
        .filter_map(key)
        .collect();
    for one in all {
        let safe = one.first().is_some_and(is_safe);
        let mut keys = one.members.iter().copied().filter_map(key);
        one.is_apart = keys.any(|it| accepted.contains(&it) || safe && by_hand.contains(&it));
    }
}

impl Common {
    fn of(finding: &Finding) -> Common {
        let general = |text: &str| match &finding.member {
            Some(member) => member.generalise(text),
            None => text.to_owned(),
        };
        let mend = finding.mend.as_ref();
        // One command for users is one for those of several rules, too; paths and sshd's blocks are of one rule.
        let is_by_rule = match mend {
            Some(Mend::Repair(repair)) => repair.kind.object() == Object::Path,
            Some(Mend::Lines(_)) => true,
            Some(Mend::Command(_)) | None => false,
        };
        let member = finding.member.as_ref();
        let whom = member.map(|member| match &member.whom {
            _ if !is_by_rule => Whom::WithoutJail,
            Whom::Jail(jail) => Whom::Jail(member.generalise(jail)),
            other => other.clone(),
        });
        Common {
            severity: finding.severity,
            kind: finding.kind,
            code: finding.code,
            accepted: finding.accepted.clone(),
            whom,
            what: general(&finding.what),
            mend: mend.map(|mend| (general(&mend.command()), mend.is_safe())),
        }
    }
}

impl Member {
    /// Gives the group whose rule jails the user.
    fn group(&self) -> Option<&str> {
        match &self.whom {
            Whom::Group(group) => Some(group),
            Whom::Jail(_) | Whom::WithoutJail => None,
        }
    }

    /// Puts words that are true of others as well in the place of what is this user's.
    fn generalise(&self, text: &str) -> String {
        let text = generalised(text, &self.name, "{user}");
        let text = generalised(&text, &self.uid.to_string(), "{uid}");
        generalised(&text, &self.gid.to_string(), "{gid}")
    }
}

#[cfg(test)]
mod tests {
    use super::{Fix, Together};
    use crate::{
        doctor::check::finding::{Finding, Member, Whom},
        doctor::kinds::FindingKind,
    };

    fn finding(name: &str, uid: u32, whom: Whom) -> Finding {
        let what = format!("/home/{name} belongs to uid {uid}");
        let finding = Finding::warning(FindingKind::Cron, what);
        let finding = finding.mended_by(format!("usermod -s /bin/sh {name}"));
        Finding {
            member: Some(Member {
                name: name.to_owned(),
                uid,
                gid: uid,
                whom,
            }),
            ..finding
        }
    }

    #[test]
    fn says_of_many_what_is_true_of_each() {
        let staff = Whom::Group("staff".to_owned());
        let mut all: Vec<Finding> = (1..=50)
            .map(|number| finding(&format!("s{number}"), 3000 + number, staff.clone()))
            .collect();
        all.push(finding("bob", 4000, Whom::Jail("web".to_owned())));
        all.push(Finding {
            what: "/home/eve is missing".to_owned(),
            ..finding("eve", 5000, staff)
        });
        let together = Together::all(&all);
        assert_eq!(together.len(), 2);
        assert_eq!(together[0].what, "/home/{user} belongs to uid {uid}");
        let whom = together[0].whom();
        let expected = "51 users of @staff, jail web (s1, s2, s3 and 48 more)";
        assert_eq!(whom.as_deref(), Some(expected));
        let fix = together[0].fix();
        assert!(matches!(fix, Some(Fix::ForEach(it)) if it == "usermod -s /bin/sh {user}"));
        // What is one user's has its own words.
        assert_eq!(together[1].what, "/home/eve is missing");
        assert_eq!(together[1].whom().as_deref(), Some("eve"));
        let fix = together[1].fix();
        assert!(matches!(fix, Some(Fix::ByHand(it)) if it == "usermod -s /bin/sh eve"));
    }
}
