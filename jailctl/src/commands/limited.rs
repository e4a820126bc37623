//! The homes of those whom a change puts into jails with `disk`. Where the change has a journal, each limit is in it before it is set, and
//! one that can't be set keeps no other account from anything.

use std::path::Path;

use crate::{
    accounts::account::Jailed,
    doctor::mend::{Extent, foresee_disk, limit_disk, limit_disks, unlimited_disks},
    failure::Failure,
    output::{counted, say},
    setup::{change::Change, engine},
    shell::{quoted, shown},
};

/// How many of those are checked, and said why, whose homes could not be limited: for one file system it is the same for all.
const MOST: usize = 20;

/// What came of it.
#[derive(Debug)]
pub(crate) struct Limited {
    did: Vec<String>,
    failed: Vec<(String, Failure)>,
}

/// Limits the homes of these users that are not limited as their jails have it.
///
/// # Errors
/// The config has errors; the journal can't be written.
pub(crate) fn limit_homes(
    directory: &Path,
    id: u32,
    users: Vec<String>,
) -> Result<Limited, Failure> {
    let (limits, mut failed) = unlimited_disks(directory, users)?;
    if limits.homes.is_empty() {
        let did = Vec::new();
        return Ok(Limited { did, failed });
    }
    let change = Change::Disk(limits.clone());
    let unset = engine::add_to(id, &change, || limit_disks(directory, &limits))?;
    let is_set = |user: &String| !unset.iter().any(|(it, _)| it == user);
    let set = limits.homes.iter().filter(|it| is_set(&it.user));
    let did = set.map(|it| it.shown()).collect();
    failed.extend(unset);
    Ok(Limited { did, failed })
}

/// Refuses, before anything is changed, a user whose home could not be limited.
///
/// # Errors
/// The file system of the home has no quotas.
pub(crate) fn foresee_limit(jailed: &Jailed) -> Result<(), Failure> {
    foresee_disk(jailed).map_err(|failure| {
        let why = "nothing was changed, because the home could not be limited";
        Failure::Failed(format!("{why}: {failure}"))
    })
}

/// Limits the home of a user who has a rule by now.
///
/// # Errors
/// It could not be limited, and what stands.
pub(crate) fn limit_home(directory: &Path, user: &str) -> Result<(), Failure> {
    let limited = limit_disk(directory, [user.to_owned()], Extent::Whole);
    let limited = limited.map_err(|failure| {
        let user = quoted(user);
        Failure::Failed(format!(
            "{user} has the rule and the door, and the home is not limited: {failure}; then run: jailctl mend disk-unlimited {user}"
        ))
    })?;
    limited.iter().for_each(say);
    Ok(())
}

impl Limited {
    /// Says what was done, unless it goes to a program, and what was not.
    pub(crate) fn print(&self, json: bool) {
        if !json {
            self.did.iter().for_each(say);
        }
        for (user, why) in self.failed.iter().take(MOST) {
            eprintln!("note: the home of {} is not limited: {why}", shown(user));
        }
        if let Some(more @ 1..) = self.failed.len().checked_sub(MOST) {
            eprintln!("note: and {} more", counted(more, "home"));
        }
    }

    /// Adds to those who are checked the ones whose homes are not limited.
    pub(crate) fn checked_with(&self, mut users: Vec<String>) -> Vec<String> {
        let failed = self.failed.iter().take(MOST).map(|(user, _)| user);
        let new: Vec<String> = failed.filter(|it| !users.contains(it)).cloned().collect();
        users.extend(new);
        users
    }
}
