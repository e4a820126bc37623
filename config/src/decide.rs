//! The decision about one account: which rule names it, and what that rule's jail is for it.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use crate::jail::Jail;
use crate::keys::Keys;
use crate::policy::{Definition, Entry, Policy, Target, Unlisted, UserFile};
use crate::source::Place;
use crate::template::TemplateError;

/// The facts about an account that a rule can ask for.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    /// The login name.
    pub name: &'a OsStr,
    /// The user id.
    pub uid: u32,
    /// The primary group's id.
    pub gid: u32,
    /// The primary group's name.
    pub group: &'a OsStr,
    /// The names of all groups, the primary one included.
    pub groups: &'a [OsString],
    /// The home directory of the account (`pw_dir`), used for `{home}` only.
    pub home: &'a Path,
}

/// What is to happen to an account at login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is put into this jail.
    Jail(Box<Jail>),
    /// It is never jailed.
    Exempt(Rule),
    /// No rule names it, and such accounts are refused.
    Unlisted(Rule),
}

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

impl Policy {
    /// Decides about an account. `user_file` is what `users.d` holds for this very account.
    ///
    /// Fails where the account's name, group or home can't be part of the jail's paths; the login
    /// is to be refused then.
    pub fn decide(
        &self,
        account: &Account<'_>,
        user_file: Option<&UserFile>,
    ) -> Result<Decision, TemplateError> {
        // A name that is not UTF-8 can't be written in a config, so no rule names it.
        let name = account.name.to_str();
        let is_name = |user: &str| Some(user) == name;
        if let Some((user, place)) = self.exempt_users.iter().find(|(user, _)| is_name(user)) {
            return Ok(self.exempt(RuleKind::ExemptUser(user.clone()), *place));
        }
        if let Some(UserFile {
            file,
            line,
            definition,
        }) = user_file
        {
            let rule = Rule {
                file: file.clone(),
                line: *line,
                kind: RuleKind::UserFile,
            };
            return self.defined(rule, definition, account);
        }
        if let Some(entry) = name.and_then(|name| self.user(name)) {
            let kind = RuleKind::User(entry.name.clone());
            return self.jail(kind, entry, account);
        }

        let membership = Membership::of(account);
        let is_member = |group: &str| membership.has(group);
        if let Some((group, place)) = self
            .exempt_groups
            .iter()
            .find(|(group, _)| is_member(group))
        {
            return Ok(self.exempt(RuleKind::ExemptGroup(group.clone()), *place));
        }
        if let Some(entry) = self.groups.iter().find(|entry| is_member(&entry.name)) {
            let kind = RuleKind::Group(entry.name.clone());
            return self.jail(kind, entry, account);
        }

        let rule = Rule {
            file: self.file.clone(),
            line: self.unlisted_at.map_or(0, |place| self.lines.number(place)),
            kind: RuleKind::Unlisted,
        };
        Ok(match self.unlisted {
            Unlisted::Refuse => Decision::Unlisted(rule),
            Unlisted::Exempt => Decision::Exempt(rule),
        })
    }

    fn user(&self, name: &str) -> Option<&Entry> {
        let found = self
            .users
            .binary_search_by(|entry| entry.name.as_str().cmp(name));
        self.users.get(found.ok()?)
    }

    fn rule(&self, kind: RuleKind, place: Place) -> Rule {
        Rule {
            file: self.file.clone(),
            line: self.lines.number(place),
            kind,
        }
    }

    fn exempt(&self, kind: RuleKind, place: Place) -> Decision {
        Decision::Exempt(self.rule(kind, place))
    }

    fn jail(
        &self,
        kind: RuleKind,
        entry: &Entry,
        account: &Account<'_>,
    ) -> Result<Decision, TemplateError> {
        let rule = self.rule(kind, entry.place);
        match &entry.target {
            Target::Jail(definition) => self.defined(rule, definition, account),
            Target::Root(root) => {
                let definition = Definition {
                    name: None,
                    root: root.clone(),
                    keys: Keys::default(),
                };
                self.defined(rule, &definition, account)
            }
        }
    }

    fn defined(
        &self,
        rule: Rule,
        definition: &Definition,
        account: &Account<'_>,
    ) -> Result<Decision, TemplateError> {
        let Definition { name, root, keys } = definition;
        let keys = keys.over(&self.defaults);
        let jail = Jail::fill(rule, name.as_deref(), root, keys, account)?;
        Ok(Decision::Jail(Box::new(jail)))
    }
}

/// The names of an account's groups, sorted: a policy may have thousands of groups and an account
/// as many.
struct Membership<'a>(Vec<&'a OsStr>);

impl Membership<'_> {
    fn of<'a>(account: &Account<'a>) -> Membership<'a> {
        let all = account.groups.iter().map(OsString::as_os_str);
        let mut names: Vec<&OsStr> = all.chain([account.group]).collect();
        names.sort_unstable();
        Membership(names)
    }

    fn has(&self, group: &str) -> bool {
        self.0.binary_search(&OsStr::new(group)).is_ok()
    }
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
