//! What the tests of the parser share.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "clippy allows them in tests, and these are parts of tests"
)]

use std::ffi::{OsStr, OsString};
use std::path::Path;

use jail_config::{Account, Decision, Faults, Jail, Policy, UserFile};

pub(crate) fn parse(text: &str) -> Result<Policy, Faults> {
    Policy::parse(Path::new("config.toml"), text.as_bytes())
}

#[track_caller]
pub(crate) fn policy(text: &str) -> Policy {
    parse(text).unwrap_or_else(|faults| panic!("{faults}"))
}

/// What a person reads about a wrong config, one fault a line.
#[track_caller]
pub(crate) fn faults(text: &str) -> Vec<String> {
    one_lines(&parse(text).expect_err("the config is wrong"))
}

pub(crate) fn one_lines(faults: &Faults) -> Vec<String> {
    let lines = faults.iter().map(|fault| fault.one_line());
    lines
        .map(|line| line.trim_start_matches("config.toml:").to_owned())
        .collect()
}

pub(crate) fn user_file(policy: &Policy, text: &str) -> Result<UserFile, Faults> {
    policy.parse_user_file(Path::new("users.d/ann.toml"), text.as_bytes())
}

/// An account with a home in /home; its first group is the primary one.
pub(crate) struct Person {
    pub(crate) name: OsString,
    pub(crate) groups: Vec<OsString>,
}

impl Person {
    pub(crate) fn new(name: impl AsRef<OsStr>, groups: &[&str]) -> Person {
        Person {
            name: name.as_ref().to_owned(),
            groups: groups.iter().map(OsString::from).collect(),
        }
    }

    pub(crate) fn account(&self) -> Account<'_> {
        Account {
            name: &self.name,
            uid: 1000,
            gid: 100,
            group: self.groups.first().map_or(OsStr::new("users"), |g| g),
            groups: &self.groups,
            home: Path::new("/home/ann"),
        }
    }
}

#[track_caller]
pub(crate) fn decide(policy: &Policy, name: &str, groups: &[&str]) -> Decision {
    let person = Person::new(name, groups);
    policy.decide(&person.account(), None).expect("a decision")
}

#[track_caller]
pub(crate) fn jail(policy: &Policy, name: &str, groups: &[&str]) -> Jail {
    match decide(policy, name, groups) {
        Decision::Jail(jail) => *jail,
        other => panic!("no jail: {other:?}"),
    }
}

/// The decision in a few words: `jail web, config.toml:7 [users] alice`.
#[track_caller]
pub(crate) fn decided(policy: &Policy, name: &str, groups: &[&str]) -> String {
    say(&decide(policy, name, groups))
}

pub(crate) fn say(decision: &Decision) -> String {
    match decision {
        Decision::Jail(jail) => format!("jail {}, {}", jail.name, jail.rule),
        Decision::Exempt(rule) => format!("exempt, {rule}"),
        Decision::Unlisted(rule) => format!("unlisted, {rule}"),
    }
}
