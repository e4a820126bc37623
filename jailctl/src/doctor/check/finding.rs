//! One thing that is wrong, and what mends it.

use std::path::Path;

use jail::door::refusal::Refusal;
use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::{
    accounts::{account::Jailed, trial::by_config},
    doctor::mend::{Pasted, Repair},
    output::say,
    shell::shown,
};

/// How bad a finding is, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// A login is refused, or there is a way around a jail.
    Error,
    /// More can be reached than a jail is meant to let through, or will be.
    Warning,
    /// Something that users will miss.
    Note,
}

impl Severity {
    /// Gives the word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// What mends a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mend {
    /// jailctl does it itself.
    Repair(Repair),
    /// A command for sh(1), which an administrator should have read before it runs.
    Command(Pasted),
}

impl Mend {
    /// Gives the command to be printed.
    pub(crate) fn command(&self) -> String {
        match self {
            Mend::Repair(repair) => repair.to_string(),
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
            Mend::Command(_) => None,
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

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// A word for the kind, which stays the same from release to release.
    pub(crate) kind: &'static str,
    /// The code that a login is refused with for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'static str>,
    /// Whom it is about, if it is one user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// The thing and its state.
    pub(crate) what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mend: Option<Mend>,
}

impl Finding {
    /// Prints it, and what mends it on a line of its own.
    pub(crate) fn print(&self) {
        let user = self.user.as_ref().map(|user| format!("{user}: "));
        say(format_args!(
            "{:7}  {}{} {}",
            self.severity.word(),
            user.unwrap_or_default(),
            shown(&self.what),
            self.tags()
        ));
        if let Some(mend) = &self.mend {
            let mark = if mend.is_safe() { "#" } else { "#?" };
            say(format_args!("         {mark} {}", mend.command()));
        }
    }

    fn new(severity: Severity, kind: &'static str, what: impl Into<String>) -> Finding {
        Finding {
            severity,
            kind,
            code: None,
            user: None,
            what: what.into(),
            mend: None,
        }
    }

    pub(crate) fn error(kind: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(Severity::Error, kind, what)
    }

    /// Makes a finding of a login that is refused.
    pub(crate) fn refused(kind: &'static str, refusal: &Refusal) -> Finding {
        Finding::error(kind, refusal.to_string()).with_code(refusal.code().name())
    }

    /// Adds the code that the user is told.
    pub(crate) fn with_code(self, code: &'static str) -> Finding {
        Finding {
            code: Some(code),
            ..self
        }
    }

    /// Gives the words behind what is wrong: the code, where it is another word than the kind, and the kind.
    pub(crate) fn tags(&self) -> String {
        match self.code.filter(|code| *code != self.kind) {
            Some(code) => format!("({code}) [{}]", self.kind),
            None => format!("[{}]", self.kind),
        }
    }

    pub(crate) fn warning(kind: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(Severity::Warning, kind, what)
    }

    pub(crate) fn note(kind: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(Severity::Note, kind, what)
    }

    /// Says whom it is about.
    pub(crate) fn of(self, jailed: &Jailed) -> Finding {
        Finding {
            user: Some(jailed.name()),
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

    /// Lets a fix go by the config that was checked.
    pub(crate) fn with_config(self, directory: &Path) -> Finding {
        let mend = self.mend.map(|mend| match mend {
            Mend::Repair(repair) => Mend::Repair(repair.with_config(directory)),
            command => command,
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
