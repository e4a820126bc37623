//! sshd for many users: it reads the keys that root alone can write, and does nothing by itself that would lead past a jail.

use std::{collections::BTreeMap, fs, path::Path};

use jail_config::Jail;

use crate::{
    accounts::{host_text, traces::KEYS},
    failure::Failure,
    setup::{
        file::{Purpose, Written},
        recipe::{COMMANDS, SHELL},
        sshd::DROP_INS,
        text::sshd as text,
    },
};

/// How many names stand in one line of sshd's config.
const NAMES: usize = 50;

/// What sshd has to know of some users.
#[derive(Clone, Copy, Debug)]
struct Needs {
    /// Their jails have a shell.
    shell: bool,
    /// They have keys that root alone can write.
    keys: bool,
}

/// The users whom sshd serves.
#[derive(Debug, Default)]
pub(super) struct Served {
    /// Groups all of whose members are jailed.
    groups: BTreeMap<String, Needs>,
    /// Users without such a group.
    users: BTreeMap<String, Needs>,
}

impl Served {
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.users.is_empty()
    }

    /// Adds a user; `group` is one that has a rule.
    pub(super) fn add(&mut self, user: &str, group: Option<&str>, jail: &Jail, has_keys: bool) {
        let (all, name) = match group {
            Some(group) => (&mut self.groups, group),
            None => (&mut self.users, user),
        };
        let needs = all.entry(name.to_owned()).or_insert(Needs {
            shell: true,
            keys: false,
        });
        needs.shell &= jail.commands.is_none();
        needs.keys |= has_keys;
    }
}

/// The files that are missing, and whose keys sshd no longer reads in the home by them.
#[derive(Debug, Default)]
pub(super) struct DropIns {
    pub(super) files: Vec<Written>,
    pub(super) groups: Vec<String>,
    /// Groups whose members sshd leads into their jail by them.
    pub(super) led: Vec<String>,
}

/// Gives the files of sshd's that are missing.
pub(super) fn drop_ins(served: &Served, command: &str) -> Result<DropIns, Failure> {
    let others = others();
    let mut missing = DropIns::default();
    for (group, needs) in &served.groups {
        let criterion = format!("Group {group}");
        let there = others.iter().filter_map(|it| block_of(it, &criterion));
        let blocks: Vec<String> = there.collect();
        let reads_keys = blocks.iter().any(|it| it.contains(KEYS));
        if !blocks.is_empty() && (reads_keys || !needs.keys) {
            continue;
        }
        let path = Path::new(DROP_INS).join(format!("10-login-jail-{group}.conf"));
        let new = text::whole(command, &[block(&criterion, *needs)]);
        missing
            .files
            .extend(Written::new(&path, Purpose::Sshd, |_| Ok(new))?);
        missing.led.push(group.clone());
        if needs.keys {
            missing.groups.push(group.clone());
        }
    }
    missing.files.extend(of_users(served, command, &others)?);
    Ok(missing)
}

fn block(criterion: &str, needs: Needs) -> String {
    let own = match needs.shell {
        true => SHELL,
        false => COMMANDS,
    };
    text::block(criterion, needs.keys.then_some(KEYS), own)
}

/// Gives the file for users without a group, beside those that it is for already.
fn of_users(served: &Served, command: &str, others: &[String]) -> Result<Option<Written>, Failure> {
    let mut listed: BTreeMap<&str, bool> = BTreeMap::new();
    for text in others {
        let mut names = Vec::new();
        for line in text.lines().map(str::trim) {
            if let Some(criterion) = line.strip_prefix("Match ") {
                let users = criterion.strip_prefix("User ").unwrap_or_default();
                names = users.split(',').collect();
                listed.extend(names.iter().map(|it| (*it, false)));
            } else if line.starts_with("AuthorizedKeysFile ") && line.contains(KEYS) {
                listed.extend(names.iter().map(|it| (*it, true)));
            }
        }
    }
    let is_missing = |(name, needs): &(&String, &Needs)| match listed.get(name.as_str()) {
        Some(reads_keys) => needs.keys && !reads_keys,
        None => true,
    };
    let missing: Vec<(&String, &Needs)> = served.users.iter().filter(is_missing).collect();
    if missing.is_empty() {
        return Ok(None);
    }
    let path = Path::new(DROP_INS).join("10-login-jail-users.conf");
    Written::new(&path, Purpose::Sshd, |there| {
        let mut blocks: Vec<String> = Vec::new();
        for (shell, keys) in [(true, true), (true, false), (false, true), (false, false)] {
            let alike = missing
                .iter()
                .filter(|(_, it)| (it.shell, it.keys) == (shell, keys));
            let names: Vec<&str> = alike.map(|(name, _)| name.as_str()).collect();
            for some in names.chunks(NAMES) {
                let criterion = format!("User {}", some.join(","));
                blocks.push(block(&criterion, Needs { shell, keys }));
            }
        }
        Ok(match there.strip_suffix("Match all\n") {
            Some(before) => format!("{before}{}Match all\n", blocks.concat()),
            None => text::whole(command, &blocks),
        })
    })
}

/// Gives the lines of the block for this criterion; nothing where there is none.
fn block_of(file: &str, criterion: &str) -> Option<String> {
    let mut lines = file.lines().map(str::trim);
    lines.find(|line| line.strip_prefix("Match ") == Some(criterion))?;
    let lines: Vec<&str> = lines
        .take_while(|line| !line.starts_with("Match "))
        .collect();
    Some(lines.join("\n"))
}

/// Reads what sshd's directory has.
fn others() -> Vec<String> {
    let files = fs::read_dir(DROP_INS).into_iter().flatten().flatten();
    let files = files.map(|it| it.path());
    let files = files.filter(|it| it.extension().is_some_and(|it| it == "conf"));
    files.filter_map(|it| host_text::read(&it).ok()).collect()
}
