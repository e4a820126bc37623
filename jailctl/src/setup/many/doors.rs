//! sshd for many users: it reads the keys that root alone can write, and does nothing by itself that would lead past a jail.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use jail_config::Jail;

use super::wanted::{User, Wanted};
use crate::{
    accounts::traces::KEYS,
    door::SSHD_CONFIG,
    failure::Failure,
    setup::{
        file::{Purpose, Written},
        recipe::{COMMANDS, SHELL},
        sshd::DROP_INS,
        text::sshd as text,
    },
    shell,
};

/// How many names stand in one line of sshd's config.
const NAMES: usize = 50;

/// Those who have keys.
#[derive(Debug, Default)]
pub(super) struct Keyed {
    /// Groups of theirs, each with whether its users have a shell.
    groups: BTreeMap<String, bool>,
    /// Those without a group.
    users: BTreeMap<String, bool>,
}

impl Keyed {
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.users.is_empty()
    }

    pub(super) fn add(&mut self, user: &User, jail: &Jail) {
        let has_shell = jail.commands.is_none();
        let (all, name) = match user.groups.first() {
            Some(group) => (&mut self.groups, group),
            None => (&mut self.users, &user.name),
        };
        *all.entry(name.clone()).or_insert(true) &= has_shell;
    }
}

/// Gives the files of sshd's that are missing.
pub(super) fn drop_ins(keyed: &Keyed, wanted: &Wanted) -> Result<Vec<Written>, Failure> {
    let read_by_all = format!("authorizedkeysfile {KEYS}/%u");
    let asked = shell::ask(
        "sshd",
        &[
            "-T",
            "-f",
            SSHD_CONFIG,
            "-C",
            "user=root,host=h,addr=192.0.2.1",
        ],
    )?;
    let asked = asked.map(|it| String::from_utf8_lossy(&it.stdout).to_lowercase());
    if asked.is_some_and(|it| it.lines().any(|line| line.starts_with(&read_by_all))) {
        return Ok(Vec::new());
    }
    let others = others();
    let own = |has_shell: bool| match has_shell && wanted.by_login_shell {
        true => SHELL,
        false => COMMANDS,
    };
    let mut files = Vec::new();
    for (group, has_shell) in &keyed.groups {
        let criterion = format!("Group {group}");
        if others.iter().any(|it| reads_keys(it, &criterion)) {
            continue;
        }
        let path = Path::new(DROP_INS).join(format!("10-login-jail-{group}.conf"));
        let block = text::block(&criterion, KEYS, own(*has_shell));
        let new = text::whole(wanted.command, &[block]);
        files.extend(Written::new(&path, Purpose::Sshd, |_| Ok(new))?);
    }
    files.extend(of_users(keyed, wanted, &others, own)?);
    Ok(files)
}

/// Gives the file for users without a group, beside those that it is for already.
fn of_users(
    keyed: &Keyed,
    wanted: &Wanted,
    others: &[String],
    own: impl Fn(bool) -> &'static [&'static str],
) -> Result<Option<Written>, Failure> {
    let listed: BTreeSet<&str> = others
        .iter()
        .flat_map(|it| it.lines())
        .filter_map(|line| line.trim().strip_prefix("Match User "))
        .flat_map(|names| names.split(','))
        .collect();
    if keyed.users.keys().all(|it| listed.contains(it.as_str())) {
        return Ok(None);
    }
    let path = Path::new(DROP_INS).join("10-login-jail-users.conf");
    Written::new(&path, Purpose::Sshd, |there| {
        let mut blocks: Vec<String> = Vec::new();
        for has_shell in [true, false] {
            let new = keyed
                .users
                .iter()
                .filter(|(name, shell)| **shell == has_shell && !listed.contains(name.as_str()));
            let names: Vec<&str> = new.map(|(name, _)| name.as_str()).collect();
            for some in names.chunks(NAMES) {
                let criterion = format!("User {}", some.join(","));
                blocks.push(text::block(&criterion, KEYS, own(has_shell)));
            }
        }
        Ok(match there.strip_suffix("Match all\n") {
            Some(before) => format!("{before}{}Match all\n", blocks.concat()),
            None => text::whole(wanted.command, &blocks),
        })
    })
}

/// Tells whether a file has a block for this criterion that reads the keys.
fn reads_keys(file: &str, criterion: &str) -> bool {
    let mut lines = file.lines().map(str::trim);
    let mut is_in_block = false;
    lines.any(|line| {
        if let Some(other) = line.strip_prefix("Match ") {
            is_in_block = other == criterion;
        }
        is_in_block && line.starts_with("AuthorizedKeysFile ") && line.contains(KEYS)
    })
}

/// Reads what sshd's directory has.
fn others() -> Vec<String> {
    let files = fs::read_dir(DROP_INS).into_iter().flatten().flatten();
    let files = files.map(|it| it.path());
    let files = files.filter(|it| it.extension().is_some_and(|it| it == "conf"));
    files.filter_map(|it| fs::read_to_string(it).ok()).collect()
}
