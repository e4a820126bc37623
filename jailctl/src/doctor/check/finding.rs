//! One thing that is wrong, and what mends it.

use std::path::Path;

use jail::{account::identity::Identity, door::refusal::Refusal};
use jail_config::RuleKind;
use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::sshd::lines::MatchLines;
use crate::{
    accounts::{account::Jailed, trial::by_config},
    doctor::{
        kinds::{FindingKind, Severity},
        mend::{Pasted, Repair},
    },
    shell::shown,
};

/// What mends a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mend {
    /// jailctl does it itself.
    Repair(Repair),
    /// Lines for sshd's config that concern the user alone.
    Lines(MatchLines),
    /// A command for sh(1), which an administrator should have read before it runs.
    Command(Pasted),
}

impl Mend {
    /// Gives the command to be printed.
    pub(crate) fn command(&self) -> String {
        match self {
            Mend::Repair(repair) => repair.to_string(),
            Mend::Lines(lines) => lines.to_string(),
            Mend::Command(command) => command.text().to_owned(),
        }
    }

    /// Tells whether it is this fix.
    pub(crate) fn is(&self, other: &Repair) -> bool {
        matches!(self, Mend::Repair(repair) if (repair.kind, &repair.what) == (other.kind, &other.what))
    }

    /// Gives the fix, if it is one that --fix executes.
    pub(crate) fn safe_repair(&self) -> Option<&Repair> {
        match self {
            Mend::Repair(repair) => Some(repair).filter(|repair| repair.is_safe()),
            Mend::Lines(_) | Mend::Command(_) => None,
        }
    }

    /// Tells whether --fix runs it.
    pub(crate) fn is_safe(&self) -> bool {
        self.safe_repair().is_some()
    }
}

impl Serialize for Mend {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut mend = serializer.serialize_struct("Mend", 2)?;
        mend.serialize_field("command", &self.command())?;
        mend.serialize_field("safe", &self.is_safe())?;
        mend.end()
    }
}

/// By what users belong together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Whom {
    /// The rule of this group jails them.
    Group(String),
    /// Rules of their own put them into this jail.
    Jail(String),
    /// No rule jails them.
    WithoutJail,
}

/// The user whom a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) whom: Whom,
}

/// An acceptance of the config, and the line that it is on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct Acceptance {
    pub(crate) why: String,
    pub(super) line: usize,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) kind: FindingKind,
    /// The code that a login is refused with for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'static str>,
    /// Whom it is about, if it is one user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// The rule that jails the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<String>,
    /// The thing and its state.
    pub(crate) what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mend: Option<Mend>,
    /// What the config says about it, where it accepts this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) accepted: Option<Acceptance>,
    #[serde(skip)]
    pub(crate) member: Option<Member>,
}

impl Finding {
    fn new(severity: Severity, kind: FindingKind, what: impl Into<String>) -> Finding {
        Finding {
            severity,
            kind,
            code: None,
            user: None,
            rule: None,
            what: what.into(),
            mend: None,
            accepted: None,
            member: None,
        }
    }

    pub(crate) fn error(kind: FindingKind, what: impl Into<String>) -> Finding {
        Finding::new(Severity::Error, kind, what)
    }

    /// Leaves the command out of its words, or of words that are true of others as well, where one stands on a line of its
    /// own: of two commands nobody knows which to run.
    pub(crate) fn state_in<'t>(&self, what: &'t str) -> &'t str {
        match &self.mend {
            Some(_) => what.split("; run: ").next().unwrap_or(what),
            None => what,
        }
    }

    /// Makes a finding of a login that is refused.
    pub(crate) fn refused(kind: FindingKind, refusal: &Refusal) -> Finding {
        Finding::error(kind, refusal.to_string()).with_code(refusal.code().name())
    }

    pub(crate) fn warning(kind: FindingKind, what: impl Into<String>) -> Finding {
        Finding::new(Severity::Warning, kind, what)
    }

    pub(crate) fn note(kind: FindingKind, what: impl Into<String>) -> Finding {
        Finding::new(Severity::Note, kind, what)
    }

    /// Adds the code that the user is told.
    pub(crate) fn with_code(self, code: &'static str) -> Finding {
        Finding {
            code: Some(code),
            ..self
        }
    }

    /// Tells whether it makes the exit status 1.
    pub(crate) fn counts(&self) -> bool {
        self.severity != Severity::Note && self.accepted.is_none()
    }

    /// Tells whether it is an error that nobody has accepted.
    pub(crate) fn is_error(&self) -> bool {
        self.severity == Severity::Error && self.accepted.is_none()
    }

    /// Gives the words behind what is wrong: the code, where it is another word than the kind, and the kind.
    pub(crate) fn tags(&self) -> String {
        let kind = self.kind.name();
        match self.code.filter(|code| *code != kind) {
            Some(code) => format!("({code}) [{kind}]"),
            None => format!("[{kind}]"),
        }
    }

    /// Says whom it is about.
    pub(crate) fn of(self, jailed: &Jailed) -> Finding {
        let rule = &jailed.jail.rule;
        let whom = match &rule.kind {
            RuleKind::Group(group) => Whom::Group(group.clone()),
            _ => Whom::Jail(jailed.jail.name.clone()),
        };
        Finding {
            rule: Some(rule.to_string()),
            ..self.about(&jailed.identity, whom)
        }
    }

    /// Says which user it is about whom no rule jails.
    pub(crate) fn of_unjailed(self, identity: &Identity) -> Finding {
        self.about(identity, Whom::WithoutJail)
    }

    fn about(self, identity: &Identity, whom: Whom) -> Finding {
        let name = shown(&identity.name);
        Finding {
            user: Some(name.clone()),
            member: Some(Member {
                name,
                uid: identity.uid,
                gid: identity.gid,
                whom,
            }),
            ..self
        }
    }

    /// Adds a fix that jailctl executes, if there is one.
    pub(crate) fn mended(self, repair: impl Into<Option<Repair>>) -> Finding {
        match repair.into() {
            Some(repair) => Finding {
                mend: Some(Mend::Repair(repair)),
                ..self
            },
            None => self,
        }
    }

    /// Adds a command to be pasted. One that names a path which others than root can change is none.
    pub(crate) fn mended_by(self, command: impl AsRef<str>) -> Finding {
        let mend = Pasted::of(command.as_ref()).map(Mend::Command);
        Finding { mend, ..self }
    }

    /// Adds lines for sshd's config, unless the command that writes them names a path which others than root can change.
    pub(crate) fn mended_by_lines(self, lines: MatchLines) -> Finding {
        let mend = Pasted::of(&lines.to_string()).map(|_| Mend::Lines(lines));
        Finding { mend, ..self }
    }

    /// Lets a fix go by the config that was checked.
    pub(crate) fn with_config(self, directory: &Path) -> Finding {
        let mend = self.mend.map(|mend| match mend {
            Mend::Repair(repair) => Mend::Repair(repair.with_config(directory)),
            other => other,
        });
        let what = by_config(&self.what, directory);
        Finding { what, mend, ..self }
    }
}

/// Adds a command, if there is one.
pub(super) fn with(finding: Finding, command: Option<String>) -> Finding {
    match command {
        Some(command) => finding.mended_by(command),
        None => finding,
    }
}
