//! The four files of accounts: passwd(5), shadow(5), group(5) and gshadow(5). What many new accounts make of them is decided
//! here, from text to text.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{accounts::listed::field, door::JAIL_SHELL_PATH};

/// The texts of the four files. A host may have no gshadow(5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) passwd: String,
    pub(super) shadow: String,
    pub(super) group: String,
    pub(super) gshadow: Option<String>,
}

/// An account that is made, with a group of its own name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) comment: String,
    pub(super) home: String,
}

/// A group that is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(super) name: String,
    pub(super) gid: u32,
}

/// The login shell of an account that there is, before it gets jail-shell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shell {
    pub(super) user: String,
    pub(super) before: String,
}

/// What one rewrite changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rewrite {
    pub(super) groups: Vec<Group>,
    pub(super) accounts: Vec<Account>,
    /// Who comes into which group.
    pub(super) members: BTreeMap<String, Vec<String>>,
    pub(super) shells: Vec<Shell>,
    /// The numbers of those who come into groups and get another login shell: a name can be given to somebody else later.
    #[serde(default)]
    pub(super) uids: BTreeMap<String, u32>,
}

/// How long a password is valid, for new lines of shadow(5): the day of its last change, counted from 1970, and the days that
/// login.defs(5) says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Aging {
    pub(super) today: i64,
    pub(super) least: u32,
    pub(super) most: u32,
    pub(super) warning: u32,
}

/// What is left of a rewrite that was taken back.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    /// Groups that somebody else is in by now.
    pub(super) groups: Vec<String>,
    /// Accounts that are others by now.
    pub(super) others: Vec<String>,
    /// How many accounts were removed.
    pub(super) removed: usize,
    /// How many accounts have their login shell back.
    pub(super) shells: usize,
}

impl Rewrite {
    pub(super) fn is_empty(&self) -> bool {
        *self == Rewrite::default()
    }

    /// Makes the new texts, or says what has come in between.
    pub(super) fn made_in(&self, files: &Files, aging: Aging) -> Result<Files, String> {
        self.refuse_taken(files)?;
        let shells = self.shells_before();
        let mut passwd = String::with_capacity(files.passwd.len());
        for line in files.passwd.split_inclusive('\n') {
            match shells.get(field(line, 0)) {
                Some(before) if field(line, 6) != *before => {
                    let user = field(line, 0);
                    return Err(format!("the login shell of {user} was changed meanwhile"));
                }
                Some(_) => passwd.push_str(&with_field(line, 6, JAIL_SHELL_PATH)),
                None => passwd.push_str(line),
            }
        }
        let passwd = with_lines(&passwd, self.accounts.iter().map(passwd_line));
        let shadow = self.accounts.iter().map(|it| {
            let Aging {
                today,
                least,
                most,
                warning,
            } = aging;
            format!("{}:*:{today}:{least}:{most}:{warning}:::\n", it.name)
        });
        let shadow = with_lines(&files.shadow, shadow);
        let group = self.joined(&files.group);
        let group = with_lines(&group, self.all_groups().map(|it| self.group_line(it)));
        let gshadow = files.gshadow.as_deref().map(|gshadow| {
            let gshadow = self.joined(gshadow);
            let line = |it: (&str, u32)| format!("{}:!::{}\n", it.0, self.members_of(it.0));
            with_lines(&gshadow, self.all_groups().map(line))
        });
        Ok(Files {
            passwd,
            shadow,
            group,
            gshadow,
        })
    }

    /// Refuses names and ids that somebody else has taken since they were looked for.
    fn refuse_taken(&self, files: &Files) -> Result<(), String> {
        let taken = |what: &str, name: &str| {
            Err(format!(
                "{what} {name} was made by somebody else meanwhile, or its id was taken; run the command again"
            ))
        };
        let (names, uids) = (column(&files.passwd, 0), column(&files.passwd, 2));
        let shadow = column(&files.shadow, 0);
        for account in &self.accounts {
            let name = account.name.as_str();
            if shadow.contains(name) && !names.contains(name) {
                return Err(format!(
                    "/etc/shadow has a line for {name}, and /etc/passwd has none; run: pwck"
                ));
            }
            if names.contains(name) || uids.contains(account.uid.to_string().as_str()) {
                return taken("the account", name);
            }
        }
        let (names, gids) = (column(&files.group, 0), column(&files.group, 2));
        for (name, gid) in self.all_groups() {
            if names.contains(name) || gids.contains(gid.to_string().as_str()) {
                return taken("the group", name);
            }
        }
        let new: BTreeSet<&str> = self.groups.iter().map(|it| it.name.as_str()).collect();
        let missing = |it: &&String| !names.contains(it.as_str()) && !new.contains(it.as_str());
        match self.members.keys().find(missing) {
            Some(group) => Err(format!("the group {group} was removed meanwhile")),
            None => Ok(()),
        }
    }

    /// Takes the rewrite back in texts that may have been changed since.
    pub(super) fn taken_back_in(&self, files: &Files) -> (Files, Left) {
        let mut left = Left::default();
        let uids: BTreeMap<&str, String> = self
            .accounts
            .iter()
            .map(|it| (it.name.as_str(), it.uid.to_string()))
            .collect();
        let shells = self.shells_before();
        let is_another = |line: &&str| {
            let was = self.uids.get(field(line, 0));
            was.is_some_and(|uid| uid.to_string() != field(line, 2))
        };
        let another = files.passwd.lines().filter(is_another);
        let another: BTreeSet<&str> = another.map(|it| field(it, 0)).collect();
        left.others = another.iter().map(|it| (*it).to_owned()).collect();
        let mut passwd = String::new();
        for line in files.passwd.split_inclusive('\n') {
            let (name, shell) = (field(line, 0), field(line, 6));
            if uids.get(name).is_some_and(|uid| uid == field(line, 2)) {
                left.removed += 1;
                continue;
            }
            match shells.get(name) {
                Some(before) if shell == JAIL_SHELL_PATH && !another.contains(name) => {
                    left.shells += 1;
                    passwd.push_str(&with_field(line, 6, before));
                }
                _ => passwd.push_str(line),
            }
        }
        // An account of the same name that is not ours stays in all files.
        let others = column(&passwd, 0);
        let is_gone = |name: &str| uids.contains_key(name) && !others.contains(name);
        let shadow: String = files
            .shadow
            .split_inclusive('\n')
            .filter(|line| !is_gone(field(line, 0)))
            .collect();
        let gids: BTreeMap<&str, u32> = self.all_groups().collect();
        let primary = column(&passwd, 3);
        let mut group = String::new();
        let mut removed: BTreeSet<&str> = BTreeSet::new();
        for line in files.group.split_inclusive('\n') {
            let (name, gid) = (field(line, 0), field(line, 2));
            let line = self.left_line(line, name, &is_gone, &another);
            let is_own = gids.get(name).is_some_and(|it| it.to_string() == gid);
            if !is_own {
                group.push_str(&line);
            } else if field(&line, 3).is_empty() && !primary.contains(gid) {
                removed.insert(name);
            } else {
                left.groups.push(name.to_owned());
                group.push_str(&line);
            }
        }
        let listed = column(&group, 0);
        let gshadow = files.gshadow.as_deref().map(|gshadow| {
            let lines = gshadow.split_inclusive('\n');
            let lines = lines.filter(|line| {
                let name = field(line, 0);
                // Also where a rewrite was stopped between two files.
                !removed.contains(name) && (listed.contains(name) || !gids.contains_key(name))
            });
            lines
                .map(|line| self.left_line(line, field(line, 0), &is_gone, &another))
                .collect()
        });
        let files = Files {
            passwd,
            shadow,
            group,
            gshadow,
        };
        (files, left)
    }

    /// Takes those who have joined, and accounts that are gone, out of a line of group(5) or gshadow(5).
    fn left_line(
        &self,
        line: &str,
        group: &str,
        is_gone: &dyn Fn(&str) -> bool,
        another: &BTreeSet<&str>,
    ) -> String {
        let joined = self.members.get(group);
        let members = field(line, 3);
        let is_out = |name: &str| {
            is_gone(name)
                || !another.contains(name)
                    && joined.is_some_and(|it| it.binary_search_by(|it| (**it).cmp(name)).is_ok())
        };
        if !members.split(',').any(is_out) {
            return line.to_owned();
        }
        let kept: Vec<&str> = members.split(',').filter(|name| !is_out(name)).collect();
        with_field(line, 3, &kept.join(","))
    }

    /// Gives all groups that are made: those that were asked for, and one for each account.
    fn all_groups(&self) -> impl Iterator<Item = (&str, u32)> {
        let asked = self.groups.iter().map(|it| (it.name.as_str(), it.gid));
        let own = self.accounts.iter().map(|it| (it.name.as_str(), it.gid));
        asked.chain(own)
    }

    /// Gives the login shells from before, by user.
    fn shells_before(&self) -> BTreeMap<&str, &str> {
        let shells = self.shells.iter();
        shells
            .map(|it| (it.user.as_str(), it.before.as_str()))
            .collect()
    }

    fn members_of(&self, group: &str) -> String {
        self.members
            .get(group)
            .map(|it| it.join(","))
            .unwrap_or_default()
    }

    fn group_line(&self, (name, gid): (&str, u32)) -> String {
        format!("{name}:x:{gid}:{}\n", self.members_of(name))
    }

    /// Adds the members to the groups that there are.
    fn joined(&self, text: &str) -> String {
        let mut new = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            let Some(joining) = self.members.get(field(line, 0)) else {
                new.push_str(line);
                continue;
            };
            let members = field(line, 3);
            let known: BTreeSet<&str> = members.split(',').collect();
            let more = joining.iter().map(String::as_str);
            let more = more.filter(|it| !known.contains(it));
            let all: Vec<&str> = Some(members)
                .into_iter()
                .filter(|it| !it.is_empty())
                .chain(more)
                .collect();
            new.push_str(&with_field(line, 3, &all.join(",")));
        }
        new
    }
}

fn passwd_line(account: &Account) -> String {
    let Account {
        name,
        uid,
        gid,
        comment,
        home,
    } = account;
    format!("{name}:x:{uid}:{gid}:{comment}:{home}:{JAIL_SHELL_PATH}\n")
}

/// Puts another value into a field of a line.
fn with_field(line: &str, at: usize, value: &str) -> String {
    let (body, end) = match line.strip_suffix('\n') {
        Some(body) => (body, "\n"),
        None => (line, ""),
    };
    let fields = body.split(':').enumerate();
    let fields: Vec<&str> = fields
        .map(|(n, it)| if n == at { value } else { it })
        .collect();
    format!("{}{end}", fields.join(":"))
}

/// Gives the values of one field, each once.
fn column(text: &str, at: usize) -> BTreeSet<&str> {
    text.lines().map(|line| field(line, at)).collect()
}

/// Adds lines, before those that ask another database: nsswitch.conf(5), compat.
fn with_lines(text: &str, lines: impl Iterator<Item = String>) -> String {
    let is_own = |line: &&str| !line.starts_with(['+', '-']);
    let own: usize = text
        .split_inclusive('\n')
        .take_while(is_own)
        .map(str::len)
        .sum();
    let (head, tail) = text.split_at_checked(own).unwrap_or((text, ""));
    let mut new = head.to_owned();
    let mut lines = lines.peekable();
    if lines.peek().is_some() && !new.is_empty() && !new.ends_with('\n') {
        new.push('\n');
    }
    new.extend(lines);
    new.push_str(tail);
    new
}

#[cfg(test)]
mod tests;
