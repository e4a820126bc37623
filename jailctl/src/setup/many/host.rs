//! The accounts and groups of the host, read once: thousands of look-ups would each read the files from their beginning.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use jail::account::{identity::Identity, names};
use nix::unistd::Uid;

use super::{
    database::{Files, field},
    locked::{self, setting},
};
use crate::{
    accounts::account,
    failure::Failure,
    setup::{accounts, file},
};

/// Services of nsswitch.conf(5) that know no more than the files do; systemd does where it has records.
const OF_FILES: [&str; 4] = ["files", "compat", "cache", "systemd"];

/// Where systemd has records of users: nss-systemd(8).
const RECORDS: [&str; 3] = ["/etc/userdb", "/run/userdb", "/usr/lib/userdb"];

/// The ids that ordinary accounts have: login.defs(5).
const ORDINARY: (u32, u32) = (1000, 60_000);

/// What the host has.
#[derive(Debug)]
pub(super) struct Host {
    /// A line of passwd(5) for each account of the files.
    accounts: BTreeMap<String, String>,
    /// Each group of the files, with its gid.
    groups: BTreeMap<String, u32>,
    names: BTreeMap<u32, String>,
    /// Which groups list a user as a member.
    memberships: BTreeMap<String, Vec<u32>>,
    members: BTreeMap<String, Vec<String>>,
    /// Whether accounts and groups are nowhere else.
    has_files_alone: bool,
    /// Ids that users or groups have.
    taken: BTreeSet<u32>,
    gids: BTreeSet<u32>,
    uid_range: (u32, u32),
    gid_range: (u32, u32),
}

impl Host {
    pub(super) fn read() -> Result<Host, Failure> {
        let Files { passwd, group, .. } = locked::read()?;
        let own = |line: &&str| !line.is_empty() && !line.starts_with(['+', '-', '#']);
        let accounts: BTreeMap<String, String> = passwd
            .lines()
            .filter(own)
            .map(|line| (field(line, 0).to_owned(), line.to_owned()))
            .collect();
        let mut groups = BTreeMap::new();
        let mut names = BTreeMap::new();
        let mut memberships: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        let mut members = BTreeMap::new();
        for line in group.lines().filter(own) {
            let name = field(line, 0).to_owned();
            let Ok(gid) = field(line, 2).parse::<u32>() else {
                continue;
            };
            let listed = field(line, 3).split(',').filter(|it| !it.is_empty());
            let listed: Vec<String> = listed.map(str::to_owned).collect();
            for member in &listed {
                memberships.entry(member.clone()).or_default().push(gid);
            }
            names.entry(gid).or_insert_with(|| name.clone());
            members.entry(name.clone()).or_insert(listed);
            groups.entry(name).or_insert(gid);
        }
        // Those of a directory as well, as far as it lists them.
        let all = account::passwd()?;
        let uids = all.lines().filter_map(|it| field(it, 2).parse().ok());
        let defs = fs::read_to_string("/etc/login.defs").unwrap_or_default();
        let range = |least: &str, most: &str| {
            (
                setting(&defs, least).unwrap_or(ORDINARY.0),
                setting(&defs, most).unwrap_or(ORDINARY.1),
            )
        };
        Ok(Host {
            taken: uids.chain(groups.values().copied()).collect(),
            gids: groups.values().copied().collect(),
            accounts,
            groups,
            names,
            memberships,
            members,
            has_files_alone: has_files_alone()?,
            uid_range: range("UID_MIN", "UID_MAX"),
            gid_range: range("GID_MIN", "GID_MAX"),
        })
    }

    /// Looks an account up; nothing where there is none.
    pub(super) fn identity(&self, name: &str) -> Result<Option<Identity>, Failure> {
        match self.accounts.get(name) {
            Some(line) if self.has_files_alone => Ok(self.of_line(line)),
            _ => accounts::identity(name),
        }
    }

    fn of_line(&self, line: &str) -> Option<Identity> {
        let name = field(line, 0);
        let gid = field(line, 3).parse().ok()?;
        let mut groups = vec![gid];
        let listed = self.memberships.get(name).into_iter().flatten();
        groups.extend(listed.filter(|it| **it != gid));
        let named = |gid: &u32| Some((*gid, self.names.get(gid)?.into()));
        let (group_ids, group_names) = groups.iter().filter_map(named).unzip();
        let shell = Some(field(line, 6)).filter(|it| !it.is_empty());
        Some(Identity {
            name: name.into(),
            uid: field(line, 2).parse().ok()?,
            gid,
            group: self.names.get(&gid).map(Into::into).unwrap_or_default(),
            unnamed_group: groups
                .iter()
                .find(|it| !self.names.contains_key(it))
                .copied(),
            groups,
            group_names,
            group_ids,
            unanswered: None,
            home: PathBuf::from(field(line, 5)),
            shell: PathBuf::from(shell.unwrap_or("/bin/sh")),
        })
    }

    /// Tells whether passwd(5) has an account.
    pub(super) fn is_local(&self, name: &str) -> bool {
        self.accounts.contains_key(name)
    }

    /// Gives the login shell as passwd(5) has it, which may be nothing.
    pub(super) fn login_shell(&self, name: &str) -> &str {
        self.accounts.get(name).map_or("", |line| field(line, 6))
    }

    /// Gives the gid of a group, and whether group(5) has it; nothing where there is no such group.
    pub(super) fn group(&self, name: &str) -> Result<Option<(u32, bool)>, Failure> {
        if let Some(gid) = self.groups.get(name) {
            return Ok(Some((*gid, true)));
        }
        Ok(accounts::group(name)?.map(|(gid, _)| (gid, false)))
    }

    /// Lists who is in a group: its members, and those whose primary group it is.
    pub(super) fn members(&self, group: &str) -> Result<BTreeSet<String>, Failure> {
        let Some((gid, _)) = self.group(group)? else {
            return Ok(BTreeSet::new());
        };
        let listed = match self.members.get(group) {
            Some(listed) if self.has_files_alone => listed.clone(),
            _ => accounts::group(group)?.map(|it| it.1).unwrap_or_default(),
        };
        let gid = gid.to_string();
        let primary = self
            .accounts
            .iter()
            .filter(|(_, line)| field(line, 3) == gid);
        let primary = primary.map(|(name, _)| name.clone());
        Ok(primary.chain(listed).collect())
    }

    /// Gives an id for a new account and its group that nobody has: the one behind the highest, or where there is none, any that
    /// is free.
    pub(super) fn new_id(&mut self) -> Result<u32, Failure> {
        loop {
            let id = next(&self.taken, self.uid_range).ok_or_else(|| full("uid", "UID_MAX"))?;
            self.taken.insert(id);
            if self.has_files_alone || is_free(id)? {
                self.gids.insert(id);
                return Ok(id);
            }
        }
    }

    /// Gives a gid that no group has.
    pub(super) fn new_gid(&mut self) -> Result<u32, Failure> {
        let gid = next(&self.gids, self.gid_range).ok_or_else(|| full("gid", "GID_MAX"))?;
        self.gids.insert(gid);
        self.taken.insert(gid);
        Ok(gid)
    }
}

fn next(taken: &BTreeSet<u32>, (least, most): (u32, u32)) -> Option<u32> {
    let highest = taken.range(least..=most).next_back();
    let next = highest.map_or(least, |it| it.saturating_add(1));
    if next <= most {
        return Some(next);
    }
    (least..=most).find(|id| !taken.contains(id))
}

fn full(what: &str, setting: &str) -> Failure {
    Failure::Failed(format!(
        "nothing was changed, because no {what} is free; raise {setting} in /etc/login.defs"
    ))
}

/// Asks a directory, which need not list its accounts.
fn is_free(uid: u32) -> Result<bool, Failure> {
    let found = names::user_of(Uid::from_raw(uid));
    let found = found.map_err(|errno| Failure::Failed(format!("look up uid {uid}: {errno}")))?;
    Ok(found.is_none())
}

/// Tells whether all accounts and groups are in files of this host.
fn has_files_alone() -> Result<bool, Failure> {
    let text = file::read(Path::new("/etc/nsswitch.conf"))?.unwrap_or_default();
    let has_records = RECORDS
        .iter()
        .any(|directory| fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some()));
    let mut services = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| ["passwd", "group", "initgroups"].contains(&name.trim()))
        .flat_map(|(_, services)| services.split_whitespace())
        .filter(|it| !it.starts_with('['));
    Ok(!has_records && services.all(|it| OF_FILES.contains(&it)))
}
