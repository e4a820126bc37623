//! What a config says, once it was found to be valid.

use std::path::PathBuf;
use std::sync::Arc;

use crate::accepted::Accepted;
use crate::keys::Keys;
use crate::services::Services;
use crate::source::{Lines, Place};
use crate::template::Template;

/// One parsed `config.toml`. Two are equal if they say the same, wherever their lines stand.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(crate) file: PathBuf,
    pub(crate) lines: Lines,
    pub(crate) unlisted: Unlisted,
    pub(crate) unlisted_at: Option<Place>,
    /// In the order of the file.
    pub(crate) exempt_users: Vec<(String, Place)>,
    /// In the order of the file, without the `@`.
    pub(crate) exempt_groups: Vec<(String, Place)>,
    /// Sorted by name.
    pub(crate) users: Vec<Entry>,
    /// In the order of the file.
    pub(crate) groups: Vec<Entry>,
    pub(crate) defaults: Keys,
    /// Sorted by name.
    pub(crate) jails: Vec<Arc<Definition>>,
    /// In the order of the file. No login looks at these.
    pub(crate) accepted: Vec<(Accepted, Place)>,
    /// What `services` can name here, and in `users.d`.
    pub(crate) services: Services,
}

impl Policy {
    /// Lists the findings of `jailctl check` that are accepted, each with its line, in the order of the file.
    pub fn accepted(&self) -> impl Iterator<Item = (&Accepted, usize)> {
        let listed = self.accepted.iter();
        listed.map(|(accepted, place)| (accepted, self.lines.number(*place)))
    }
}

impl PartialEq for Policy {
    fn eq(&self, other: &Policy) -> bool {
        self.unlisted == other.unlisted
            && self.exempt_users == other.exempt_users
            && self.exempt_groups == other.exempt_groups
            && self.users == other.users
            && self.groups == other.groups
            && self.defaults == other.defaults
            && self.jails == other.jails
            && self.accepted == other.accepted
    }
}

impl Eq for Policy {}

/// What becomes of an account that no rule names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Unlisted {
    #[default]
    Refuse,
    Exempt,
}

/// A line of `[users]` or `[groups]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) target: Target,
    pub(crate) place: Place,
}

/// Where a rule leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A jail with a definition of its own.
    Jail(Arc<Definition>),
    /// A root directory; all else is as `[defaults]` says.
    Root(Template),
}

/// A jail as it is written, with its root looked up in `[defaults]` if need be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Definition {
    /// None in `users.d`, where a jail needs no name.
    pub(crate) name: Option<String>,
    pub(crate) root: Template,
    pub(crate) keys: Keys,
}

/// One parsed file of `users.d`, with the jail it chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFile {
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    pub(crate) definition: Arc<Definition>,
}
