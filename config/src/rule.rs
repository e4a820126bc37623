//! A rule as messages and the log name it: where it is written, and what kind of rule it is.

use std::fmt;
use std::path::PathBuf;

/// The rule that made a decision, and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The file, as it was named to the parser.
    pub file: PathBuf,
    /// The line, from 1; 0 stands for a built-in default.
    pub line: usize,
    /// What kind of rule it is.
    pub kind: RuleKind,
}

/// The kinds of rules, in their order of precedence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleKind {
    /// A user in `exempt`.
    ExemptUser(String),
    /// A file in `users.d`.
    UserFile,
    /// A user in `[users]`.
    User(String),
    /// A group in `exempt`, without the `@`.
    ExemptGroup(String),
    /// A group in `[groups]`.
    Group(String),
    /// The key `unlisted`, or its default.
    Unlisted,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "built-in default")?;
        } else {
            write!(f, "{}:{}", self.file.display(), self.line)?;
        }
        match &self.kind {
            RuleKind::ExemptUser(user) => write!(f, " exempt {user}"),
            RuleKind::UserFile => Ok(()),
            RuleKind::User(user) => write!(f, " [users] {user}"),
            RuleKind::ExemptGroup(group) => write!(f, " exempt @{group}"),
            RuleKind::Group(group) => write!(f, " [groups] {group}"),
            RuleKind::Unlisted => write!(f, " unlisted"),
        }
    }
}
