//! What a check has found, as it is printed.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::finding::{Finding, Severity};
use crate::{
    attack::Attack,
    output::{counted, say},
    shell::shown,
};

/// What a check has found, and what it could not look at.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// How many accounts were looked at.
    pub(super) users: usize,
    pub(crate) findings: Vec<Finding>,
    /// What came of the probes, for each jail that was attacked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) attacks: Vec<Attack>,
    /// What could not be checked, and why.
    pub(crate) unchecked: Vec<String>,
    /// What --fix did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) fixed: Vec<Fixed>,
    /// The directory of the config.
    #[serde(skip)]
    config: PathBuf,
    /// What has been found already, by kind, user and words.
    #[serde(skip)]
    known: HashSet<(&'static str, Option<String>, String)>,
}

/// A command that --fix ran.
#[derive(Debug, Serialize)]
pub(super) struct Fixed {
    pub(super) command: String,
    pub(super) succeeded: bool,
}

impl Report {
    /// Begins a report on what goes by the config in this directory.
    pub(crate) fn new(directory: &Path) -> Report {
        Report {
            config: directory.to_owned(),
            ..Report::default()
        }
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        let finding = finding.with_config(&self.config);
        let Finding {
            kind, user, what, ..
        } = &finding;
        // The doors of two users may share one flaw.
        if self.known.insert((kind, user.clone(), what.clone())) {
            self.findings.push(finding);
        }
    }

    pub(crate) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            self.add(finding);
        }
    }

    /// Records that something could not be looked at: silence must not look like health.
    pub(crate) fn leave_unchecked(&mut self, what: String) {
        if !self.unchecked.contains(&what) {
            self.unchecked.push(what);
        }
    }

    /// Prints it for a person.
    pub(super) fn print(&self) {
        self.attacks.iter().for_each(Attack::print);
        self.findings.iter().for_each(Finding::print);
        for what in &self.unchecked {
            say(format_args!("not checked: {}", shown(what)));
        }
        for Fixed { command, succeeded } in &self.fixed {
            say(format_args!(
                "{}: {command}",
                if *succeeded { "done" } else { "failed" }
            ));
        }
        let count = |severity| {
            self.findings
                .iter()
                .filter(|it| it.severity == severity)
                .count()
        };
        say(format_args!(
            "{}: {}, {}, {}",
            counted(self.users, "jailed user"),
            counted(count(Severity::Error), "error"),
            counted(count(Severity::Warning), "warning"),
            counted(count(Severity::Note), "note")
        ));
        if self.findings.iter().any(|it| it.mend.is_some()) {
            say(format_args!(
                "What follows # mends it, and --fix runs it; what follows #? mends it, and is left to you."
            ));
        }
    }
}
