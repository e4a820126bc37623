//! What is wanted of users and groups, whoever says so: arguments, a table, or a declared state.

use std::collections::BTreeMap;

use super::roots::Root;

/// What is wanted of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct User {
    /// Where that is said, as FILE:LINE; nothing for an argument.
    pub(crate) place: Option<String>,
    pub(crate) name: String,
    /// The comment of an account that is made: the user's full name.
    pub(crate) comment: Option<String>,
    pub(crate) groups: Vec<String>,
    /// A jail of the config.
    pub(crate) jail: Option<String>,
    /// As the key `until` of the config has it.
    pub(crate) until: Option<String>,
    /// Limits, each with its value in TOML.
    pub(crate) limits: Vec<(String, String)>,
    /// Public keys, or the path of a file that has them; nothing where the keys stay as they are.
    pub(crate) keys: Option<String>,
    /// Whether an account that is missing is made.
    pub(crate) create: bool,
}

/// What is wanted of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) place: Option<String>,
    pub(crate) name: String,
    /// The jail that its rule leads to; nothing where the rule stays as it is.
    pub(crate) jail: Option<String>,
    pub(crate) create: bool,
    /// Whether its members get jail-shell as well.
    pub(crate) with_members: bool,
}

/// A jail of the config, with its keys, each with its value in TOML.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Jail {
    pub(crate) name: String,
    pub(crate) keys: Vec<(String, String)>,
}

/// All that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The command that asks for it, which marks what it writes.
    pub(crate) command: &'static str,
    pub(crate) users: Vec<User>,
    pub(crate) groups: Vec<Group>,
    pub(crate) jails: Vec<Jail>,
    /// What is said of a user is all there is: other keys, and other settings of the user's rule, go.
    pub(crate) is_whole: bool,
    /// Rules that this command has written before, and that are no longer wanted, go.
    pub(crate) prunes: bool,
    /// Whether jail-shell becomes the login shell.
    pub(crate) by_login_shell: bool,
    /// Roots that are made before anything else.
    pub(crate) roots: Vec<Root>,
}

/// How many users are checked after a change of many: each is entered, and asked about of sshd.
const CHECKED: usize = 50;

impl Wanted {
    /// Chooses users to be checked: all, or where these are many, one of each kind.
    pub(crate) fn examples(&self, names: &[String]) -> Vec<String> {
        if names.len() <= CHECKED {
            return names.to_vec();
        }
        let kinds = self
            .users
            .iter()
            .map(|it| ((&it.groups, &it.jail), &it.name));
        let kinds: BTreeMap<_, _> = kinds.rev().collect();
        let mut some: Vec<String> = kinds.into_values().take(CHECKED).cloned().collect();
        // Members of a group that is meant as a whole.
        some.extend(names.first().filter(|_| some.is_empty()).cloned());
        some.retain(|it| names.contains(it));
        some
    }
}

/// Puts the place before what is wrong there.
pub(super) fn at(place: Option<&String>, what: &str) -> String {
    match place {
        Some(place) => format!("{place}: {what}"),
        None => what.to_owned(),
    }
}
