//! The decision about one account: which rule names it, and what that rule's jail is for it.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use crate::env::Env;
use crate::policy::{
    Definition, Entry, Groups, Isolation, Keys, Limits, Policy, Target, Unlisted, UserFile,
};
use crate::source::Place;
use crate::template::{Template, TemplateError};

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

/// A jail with every template filled in for one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jail {
    /// The rule that chose this jail.
    pub rule: Rule,
    /// The jail's name, or the path where the rule names a root directory.
    pub name: String,
    /// The directory that becomes the root.
    pub root: PathBuf,
    /// The login shell, a path in the jail.
    pub shell: PathBuf,
    /// The working directory and `HOME`, a path in the jail.
    pub home: Home,
    /// How the account is kept inside.
    pub isolation: Isolation,
    /// The environment inside.
    pub env: Env,
    /// The supplementary groups inside.
    pub groups: Groups,
    /// The file mode creation mask.
    pub umask: u32,
    /// The resource limits.
    pub limits: Limits,
}

/// The home directory inside a jail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Home {
    /// Configured: it must exist.
    Set(PathBuf),
    /// The default: this directory if it exists, else `/`.
    Default(PathBuf),
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
            return self.fill(rule, account, &Chosen::of(definition));
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
            Target::Jail(definition) => self.fill(rule, account, &Chosen::of(definition)),
            Target::Root(root, isolation) => {
                let chosen = Chosen {
                    name: None,
                    root,
                    isolation: *isolation,
                    keys: &Keys::default(),
                };
                self.fill(rule, account, &chosen)
            }
        }
    }

    /// Makes the jail of one account: its own keys, then those of `[defaults]`, then the built-in
    /// ones.
    fn fill(
        &self,
        rule: Rule,
        account: &Account<'_>,
        chosen: &Chosen<'_>,
    ) -> Result<Decision, TemplateError> {
        let (keys, defaults) = (chosen.keys, &self.defaults);
        let root = fill(chosen.root, "root", account, &rule)?;
        if root == Path::new("/") {
            let reason = "it becomes \"/\", which is the host's own root".to_owned();
            return Err(error(chosen.root.as_str(), "root", reason, &rule));
        }
        let home = match keys.home.as_ref().or(defaults.home.as_ref()) {
            Some(home) => Home::Set(fill(home, "home", account, &rule)?),
            None => Home::Default(fill(&Template::default_home(), "home", account, &rule)?),
        };
        let shell = keys.shell.as_deref().or(defaults.shell.as_deref());
        let pass = keys.pass.as_ref().or(defaults.pass.as_ref());
        Ok(Decision::Jail(Box::new(Jail {
            name: match chosen.name {
                Some(name) => name.to_owned(),
                None => root.display().to_string(),
            },
            root,
            shell: PathBuf::from(shell.unwrap_or("/bin/sh")),
            home,
            isolation: chosen.isolation,
            env: Env {
                pass: pass.cloned().unwrap_or_else(Env::default_pass),
                set: merge(&keys.set, &defaults.set),
            },
            groups: keys.groups.or(defaults.groups).unwrap_or(Groups::Keep),
            umask: keys.umask.or(defaults.umask).unwrap_or(0o022),
            limits: keys.limits.or(defaults.limits),
            rule,
        })))
    }
}

/// The jail a rule led to.
struct Chosen<'a> {
    name: Option<&'a str>,
    root: &'a Template,
    isolation: Isolation,
    keys: &'a Keys,
}

impl Chosen<'_> {
    fn of(definition: &Definition) -> Chosen<'_> {
        Chosen {
            name: definition.name.as_deref(),
            root: &definition.root,
            isolation: definition.isolation,
            keys: &definition.keys,
        }
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

fn fill(
    template: &Template,
    key: &'static str,
    account: &Account<'_>,
    rule: &Rule,
) -> Result<PathBuf, TemplateError> {
    let filled = template.fill(account);
    filled.map_err(|reason| error(template.as_str(), key, reason, rule))
}

fn error(template: &str, key: &'static str, reason: String, rule: &Rule) -> TemplateError {
    TemplateError {
        rule: Box::new(rule.clone()),
        key,
        template: template.to_owned(),
        reason,
    }
}

/// Merges two lists of variables that are sorted by name; the first wins.
fn merge(first: &[(String, String)], second: &[(String, String)]) -> Vec<(String, String)> {
    let mut merged = first.to_vec();
    for variable in second {
        if let Err(at) = merged.binary_search_by(|known| known.0.cmp(&variable.0)) {
            merged.insert(at, variable.clone());
        }
    }
    merged
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
