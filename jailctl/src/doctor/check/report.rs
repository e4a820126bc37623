//! What a check has found, and what it could not look at.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::finding::Finding;
use crate::{attack::Attack, doctor::kinds::FindingKind};

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
    known: HashSet<(FindingKind, Option<String>, String)>,
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
        let known = (finding.kind, finding.user.clone(), finding.what.clone());
        // The doors of two users may share one flaw.
        if self.known.insert(known) {
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

    /// Tells whether the exit status is 1. What could not be looked at is not known to be in order.
    pub(crate) fn counts(&self) -> bool {
        self.findings.iter().any(Finding::counts) || !self.unchecked.is_empty()
    }
}
