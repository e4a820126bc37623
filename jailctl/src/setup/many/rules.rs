//! The rule of one user among many: a file of `users.d`, where the user's groups do not lead there already.

use std::{
    fs,
    path::{Path, PathBuf},
};

use jail::account::identity::Identity;
use jail_config::{Decision, Policy};

use super::wanted::{User, Wanted};
use crate::{
    failure::Failure,
    setup::{
        file,
        text::applied::{UserRule, UserText},
    },
    shell::shown,
};

/// Where the rules of single users are.
pub(super) const USERS_D: &str = "/etc/login-jail/users.d";

/// Where the rule of a user is written.
#[derive(Debug)]
pub(super) struct Ruled<'a> {
    pub(super) wanted: &'a Wanted,
    pub(super) policy: &'a Policy,
    /// The user's file, and what it has now.
    pub(super) path: &'a Path,
    pub(super) before: Option<&'a str>,
}

impl Ruled<'_> {
    /// Gives what the user's file is to have; nothing where there is to be none.
    pub(super) fn text(&self, user: &User, identity: &Identity) -> Result<Option<String>, String> {
        let there = self.before.map(UserText);
        let own_jail = match &there {
            Some(text) => text
                .jail()
                .map_err(|error| format!("{}: {error}", self.path.display()))?,
            None => None,
        };
        let has_keys = user.until.is_some() || !user.limits.is_empty();
        let is_marked = |it: &UserText| it.is_marked(self.wanted.command);
        // A file of ours goes with the last thing that it is for.
        let is_over = self.wanted.is_whole && there.as_ref().is_some_and(is_marked);
        let without = match is_over {
            true => decide(self.policy, self.path, None, identity)?,
            false => decide(self.policy, self.path, self.before, identity)?,
        };
        let named = match &without {
            Decision::Jail(jail) => self.policy.jail_names().find(|it| *it == jail.name),
            _ => None,
        };
        let leads_there = match (&user.jail, &without) {
            (Some(jail), Decision::Jail(_)) => named == Some(jail),
            (None, _) => true,
            _ => false,
        };
        if leads_there && !has_keys {
            return Ok(self.before.filter(|_| !is_over).map(str::to_owned));
        }
        if there.is_some() && own_jail.is_none() {
            return Err(format!(
                "{} has a jail of its own; take it away first: jailctl release {}",
                self.path.display(),
                shown(&user.name)
            ));
        }
        let jail = match (&user.jail, named) {
            (Some(jail), _) => jail.clone(),
            (None, Some(named)) => named.to_owned(),
            (None, None) => {
                return Err(format!(
                    "until and limits of a single user take a jail of [jails], and no rule leads {} into one; give the jail, too",
                    shown(&user.name)
                ));
            }
        };
        if !self.wanted.is_whole
            && let Some(other) = own_jail.filter(|it| *it != jail)
        {
            return Err(format!(
                "{} leads to the jail {other:?}; take that away first: jailctl release {}",
                self.path.display(),
                shown(&user.name)
            ));
        }
        self.written(user, jail, there.as_ref()).map(Some)
    }

    fn written(
        &self,
        user: &User,
        jail: String,
        there: Option<&UserText>,
    ) -> Result<String, String> {
        let mut keys = Vec::new();
        if let Some(until) = &user.until {
            keys.push((
                "until".to_owned(),
                toml_edit::Value::from(until.as_str()).to_string(),
            ));
        }
        if !user.limits.is_empty() {
            let limits: Vec<String> = user
                .limits
                .iter()
                .map(|(k, v)| format!("{k} = {v}"))
                .collect();
            keys.push(("limits".to_owned(), format!("{{ {} }}", limits.join(", "))));
        }
        let rule = UserRule {
            jail: Some(jail),
            keys,
        };
        let new = rule.text(self.wanted.command);
        match there {
            Some(there) if self.wanted.is_whole => Ok(match there.is_like(&new) {
                true => there.0.to_owned(),
                false => new,
            }),
            Some(there) => there
                .with(&rule)
                .map_err(|error| format!("{}: {error}", self.path.display())),
            None => Ok(new),
        }
    }
}

/// Decides about an account as a login would that found this text in the user's file.
pub(super) fn decide(
    policy: &Policy,
    path: &Path,
    text: Option<&str>,
    identity: &Identity,
) -> Result<Decision, String> {
    let own = match text {
        Some(text) => {
            let parsed = policy.parse_user_file(path, text.as_bytes());
            Some(parsed.map_err(|faults| {
                let faults: Vec<String> = faults.iter().map(said).collect();
                faults.join("; ")
            })?)
        }
        None => None,
    };
    if let Some(service) = &identity.unanswered {
        return Err(format!("look up the groups of the user: {service}"));
    }
    policy
        .decide(&identity.account(), own.as_ref())
        .map_err(|error| error.to_string())
}

/// Says what is wrong without the place: the text is not written yet.
fn said(fault: &jail_config::Fault) -> String {
    match &fault.help {
        Some(help) => format!("{}; {help}", fault.message),
        None => fault.message.clone(),
    }
}

/// Lists the files of users that a command has written, each with its text.
pub(super) fn marked(command: &str) -> Result<Vec<(PathBuf, String)>, Failure> {
    let mut marked = Vec::new();
    let Ok(files) = fs::read_dir(USERS_D) else {
        return Ok(marked);
    };
    for path in files.flatten().map(|it| it.path()) {
        if path.extension().is_some_and(|it| it == "toml")
            && let Some(text) = file::read(&path)?
            && UserText(&text).is_marked(command)
        {
            marked.push((path, text));
        }
    }
    marked.sort();
    Ok(marked)
}
