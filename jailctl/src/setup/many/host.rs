//! The accounts and groups of the host, read once: thousands of look-ups would each read the files from their beginning.

use std::{collections::BTreeSet, ops::RangeInclusive};

use jail::account::{identity::Identity, names};
use nix::unistd::Uid;

use super::{database::Files, locked};
use crate::{
    accounts::{
        account,
        listed::{Listed, field},
        login_defs::LoginDefs,
        services::are_in_files_alone,
    },
    failure::Failure,
    setup::accounts,
};

/// What the host has.
#[derive(Debug)]
pub(in crate::setup) struct Host {
    /// What the files have.
    files: Listed,
    /// Accounts of a directory as well, as far as it lists them.
    all: Listed,
    /// Whether accounts and groups are nowhere else.
    has_files_alone: bool,
    /// Ids that users or groups have.
    taken: BTreeSet<u32>,
    gids: BTreeSet<u32>,
    uid_range: RangeInclusive<u32>,
    gid_range: RangeInclusive<u32>,
}

impl Host {
    pub(in crate::setup) fn read() -> Result<Host, Failure> {
        let Files { passwd, group, .. } = locked::read()?;
        let files = Listed::of(&passwd, &group);
        let all = account::passwd()?;
        let uids = all.lines().filter_map(|it| field(it, 2).parse().ok());
        let defs = LoginDefs::read();
        Ok(Host {
            taken: uids.chain(files.gids()).collect(),
            gids: files.gids().collect(),
            all: Listed::of(&all, ""),
            files,
            has_files_alone: are_in_files_alone()?,
            uid_range: defs.uids(),
            gid_range: defs.gids(),
        })
    }

    /// Looks an account up; nothing where there is none.
    pub(in crate::setup) fn identity(&self, name: &str) -> Result<Option<Identity>, Failure> {
        match self.has_files_alone {
            true => Ok(self.files.identity(name)),
            false => accounts::identity(name),
        }
    }

    /// Tells whether passwd(5) has an account.
    pub(in crate::setup) fn is_local(&self, name: &str) -> bool {
        self.files.line(name).is_some()
    }

    /// Gives the login shell as passwd(5) has it, which may be nothing.
    pub(super) fn login_shell(&self, name: &str) -> &str {
        self.files.line(name).map_or("", |line| field(line, 6))
    }

    /// Gives the gid of a group, and whether group(5) has it; nothing where there is no such group.
    pub(in crate::setup) fn group(&self, name: &str) -> Result<Option<(u32, bool)>, Failure> {
        if let Some(gid) = self.files.gid(name) {
            return Ok(Some((gid, true)));
        }
        if self.has_files_alone {
            return Ok(None);
        }
        Ok(accounts::group(name)?.map(|(gid, _)| (gid, false)))
    }

    /// Tells whether a name is free for a group. No program is started for that: it is asked for each account that is made.
    pub(super) fn is_free_group(&self, name: &str) -> bool {
        let is_local = self.files.gid(name).is_some();
        !is_local && (self.has_files_alone || matches!(names::group(name), Ok(None)))
    }

    /// Lists who is in a group: its members, and those whose primary group it is.
    pub(in crate::setup) fn members(&self, group: &str) -> Result<BTreeSet<String>, Failure> {
        let Some((gid, _)) = self.group(group)? else {
            return Ok(BTreeSet::new());
        };
        let listed = match self.has_files_alone {
            true => Vec::new(),
            false => accounts::group(group)?.map(|it| it.1).unwrap_or_default(),
        };
        let own = self
            .files
            .members(group)
            .chain(self.files.with_primary(gid))
            .chain(self.all.with_primary(gid));
        Ok(own.cloned().chain(listed).collect())
    }

    /// Gives an id for a new account and its group that nobody has: the one behind the highest, or where there is none, any that
    /// is free.
    pub(in crate::setup) fn new_id(&mut self) -> Result<u32, Failure> {
        loop {
            let id = next(&self.taken, &self.uid_range).ok_or_else(|| full("uid", "UID_MAX"))?;
            self.taken.insert(id);
            if self.has_files_alone || is_free(id)? {
                self.gids.insert(id);
                return Ok(id);
            }
        }
    }

    /// Gives a gid that no group has.
    pub(in crate::setup) fn new_gid(&mut self) -> Result<u32, Failure> {
        let gid = next(&self.gids, &self.gid_range).ok_or_else(|| full("gid", "GID_MAX"))?;
        self.gids.insert(gid);
        self.taken.insert(gid);
        Ok(gid)
    }
}

fn next(taken: &BTreeSet<u32>, range: &RangeInclusive<u32>) -> Option<u32> {
    if range.is_empty() {
        return None;
    }
    let highest = taken.range(range.clone()).next_back();
    let next = highest.map_or(*range.start(), |it| it.saturating_add(1));
    if range.contains(&next) {
        return Some(next);
    }
    range.clone().find(|id| !taken.contains(id))
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
