//! The accounts of a set-up: made, shown and taken back as one change.

use std::collections::BTreeSet;

use super::{
    database::Rewrite,
    locked::{self, Locked},
};
use crate::{
    accounts::{listed::field, shells},
    door::JAIL_SHELL_PATH,
    failure::Failure,
    output::counted,
    process::Process,
    setup::undone::Undone,
};

impl Rewrite {
    /// Says what is changed.
    pub(crate) fn show(&self) -> Vec<String> {
        let groups = self.groups.iter();
        let mut lines: Vec<String> = groups
            .map(|it| format!("make the group {} (gid {})", it.name, it.gid))
            .collect();
        let names: Vec<&str> = self.accounts.iter().map(|it| it.name.as_str()).collect();
        if let (Some(first), Some(last)) = (self.accounts.first(), self.accounts.last()) {
            lines.push(format!(
                "make {}: {} (uid {} to {}, login shell {JAIL_SHELL_PATH})",
                counted(names.len(), "account"),
                some(&names),
                first.uid,
                last.uid
            ));
        }
        for (group, users) in &self.members {
            let names: Vec<&str> = users.iter().map(String::as_str).collect();
            lines.push(format!(
                "put {} into the group {group}: {}",
                counted(names.len(), "user"),
                some(&names)
            ));
        }
        if !self.shells.is_empty() {
            let names: Vec<&str> = self.shells.iter().map(|it| it.user.as_str()).collect();
            lines.push(format!(
                "make {JAIL_SHELL_PATH} the login shell of {}: {}",
                counted(names.len(), "user"),
                some(&names)
            ));
        }
        lines
    }

    /// Tells whether something of it is made.
    pub(crate) fn is_done(&self) -> Result<bool, Failure> {
        let files = locked::read()?;
        Ok(self.taken_back_in(&files).0 != files)
    }

    /// Makes it: one lock, and each file written once.
    ///
    /// # Errors
    /// Another program holds the lock; names or ids were taken meanwhile; a file can't be written.
    pub(crate) fn make(&self) -> Result<(), Failure> {
        let shells = self.shells.iter();
        shells::remember_all(shells.map(|it| (it.user.as_str(), it.before.as_str())))?;
        let lock = Locked::take()?;
        let files = locked::read()?;
        let new = self.made_in(&files, locked::aging()).map_err(|why| {
            Failure::Failed(format!("the accounts are as they were, because {why}"))
        })?;
        lock.write(&files, &new)
    }

    /// Takes it back.
    ///
    /// # Errors
    /// As [`Rewrite::make`].
    pub(crate) fn undo(&self) -> Result<Undone, Failure> {
        let lock = Locked::take()?;
        let files = locked::read()?;
        let (new, left) = self.taken_back_in(&files);
        lock.write(&files, &new)?;
        drop(lock);
        shells::forget_all(self.shells.iter().map(|it| it.user.as_str()))?;
        let did = (new != files).then(|| {
            let mut parts = vec!["accounts and groups: as before".to_owned()];
            if left.removed > 0 {
                parts.push(format!("removed {}", counted(left.removed, "account")));
            }
            if left.shells > 0 {
                parts.push(format!("{} back", counted(left.shells, "login shell")));
            }
            parts.join("; ")
        });
        let kept = [
            ("groups that others came into later", &left.groups),
            (
                "accounts that are others by now, with another number",
                &left.others,
            ),
        ];
        let kept = kept.iter().filter(|(_, names)| !names.is_empty());
        let kept: Vec<String> = kept
            .map(|(what, names)| {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                format!("{what}: {}", some(&names))
            })
            .collect();
        Ok(Undone { did, kept })
    }

    /// Refuses to go on while one of the accounts that would go has processes.
    pub(crate) fn refuse_running(&self) -> Result<(), Failure> {
        let files = locked::read()?;
        let ours: BTreeSet<(&str, String)> = self
            .accounts
            .iter()
            .map(|it| (it.name.as_str(), it.uid.to_string()))
            .collect();
        let lines = files.passwd.lines();
        let going =
            lines.filter(|line| ours.contains(&(field(line, 0), field(line, 2).to_owned())));
        let uids: BTreeSet<u32> = going
            .filter_map(|line| field(line, 2).parse().ok())
            .collect();
        let running = Process::still_running(&uids)?;
        if running.is_empty() {
            return Ok(());
        }
        let is_running = |uid: u32| running.contains(&uid);
        let accounts = self.accounts.iter().filter(|it| is_running(it.uid));
        let names: Vec<&str> = accounts.map(|it| it.name.as_str()).collect();
        Err(Failure::Failed(format!(
            "nothing was changed, because {} that would go {} processes ({}); end them first, as by: jailctl kick {}",
            counted(names.len(), "account"),
            if names.len() == 1 { "has" } else { "have" },
            some(&names),
            names.first().unwrap_or(&"")
        )))
    }
}

/// Names the first of many.
pub(super) fn some(names: &[&str]) -> String {
    const NAMED: usize = 3;
    match names.len().saturating_sub(NAMED) {
        0 | 1 => names.join(", "),
        more => {
            let named: Vec<&str> = names.iter().take(NAMED).copied().collect();
            format!("{} and {more} more", named.join(", "))
        }
    }
}
