//! The kinds of changes that a set-up is made of. Each can be shown, made and taken back, and tells whether it is made.

use std::path::Path;

use jail::door::decision::CONFIG_DIRECTORY;
use serde::{Deserialize, Serialize};

use super::{
    accounts,
    command::Command,
    directory::Directory,
    file::{self, Purpose, Written},
    many::{batch::Batch, database::Rewrite, directories::Directories, roots::Root},
    sshd,
    undone::Undone,
};
use crate::{
    accounts::disk_limit::{DiskLimit, DiskLimits},
    doctor::mend::limit_disks,
    door::JAIL_SHELL_PATH,
    failure::Failure,
    output::counted,
    shell::shown,
};

/// One change of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub(crate) enum Change {
    /// A group is made.
    Group { name: String, gid: u32 },
    /// An account is made, in a group, with jail-shell as its login shell.
    Account {
        user: String,
        group: String,
        uid: u32,
    },
    /// An account that there is comes into a group.
    Member {
        user: String,
        group: String,
        uid: u32,
    },
    /// An account that there is gets jail-shell as its login shell.
    LoginShell {
        user: String,
        before: String,
        uid: u32,
    },
    /// A directory is made.
    Directory(Directory),
    /// A file is written.
    File(Written),
    /// Accounts and groups are made, and members and login shells changed, by one rewrite of passwd(5) and its like.
    Accounts(Rewrite),
    /// Many directories are made.
    Directories(Directories),
    /// Many small files are written.
    Files(Batch),
    /// A root is built or imported.
    Root(Root),
    /// Homes that are there get limits.
    Disk(DiskLimits),
}

/// How many lines of a list are shown.
const MOST_NAMES: usize = 8;

impl Change {
    /// Tells whether the host is so already.
    pub(crate) fn is_done(&self) -> Result<bool, Failure> {
        Ok(match self {
            Change::Group { name, .. } => accounts::group(name)?.is_some(),
            Change::Account { user, .. } => accounts::identity(user)?.is_some(),
            Change::Member { user, group, .. } => accounts::is_member(user, group)?,
            Change::LoginShell { user, .. } => {
                let identity = accounts::identity(user)?;
                identity.is_some_and(|it| it.shell.as_os_str() == JAIL_SHELL_PATH)
            }
            Change::Directory(directory) => directory.is_there(),
            Change::File(written) => file::read(&written.path)?.as_ref() == Some(&written.after),
            Change::Accounts(rewrite) => rewrite.is_done()?,
            Change::Directories(directories) => directories.is_done(),
            Change::Files(batch) => batch.is_done()?,
            Change::Root(root) => root.is_done()?,
            Change::Disk(limits) => limits.is_done()?,
        })
    }

    /// Shows it: a command, or a file with the lines that change.
    pub(crate) fn show(&self) -> Vec<String> {
        match self {
            Change::Directory(directory) => vec![format!("make {}", directory.shown())],
            Change::File(written) => {
                let word = if written.before.is_some() {
                    "change"
                } else {
                    "write"
                };
                let mut lines = vec![format!("{word} {}", written.path.display())];
                let mut changed = written.shown();
                // A list of names says no more by its hundredth line.
                let more = changed.len().saturating_sub(MOST_NAMES);
                if written.purpose == Purpose::Denial && more > 1 {
                    changed.truncate(MOST_NAMES);
                    changed.push(format!("... and {more} more lines"));
                }
                lines.extend(changed.iter().map(|it| format!("    {}", shown(it))));
                if written.purpose == Purpose::Sshd {
                    lines.push("run sshd -t, and reload sshd".to_owned());
                }
                lines
            }
            Change::Accounts(rewrite) => rewrite.show(),
            Change::Directories(directories) => directories.show(),
            Change::Files(batch) => batch.show(),
            Change::Root(root) => root.show(),
            Change::Disk(limits) => limits.homes.iter().map(DiskLimit::shown).collect(),
            _ => self
                .command()
                .map(|command| format!("run {}", command.shown()))
                .into_iter()
                .collect(),
        }
    }

    /// Gives the directory that it makes.
    pub(crate) fn directory(&self) -> Option<&Path> {
        match self {
            Change::Directory(directory) => Some(&directory.path),
            _ => None,
        }
    }

    /// Gives all directories that it makes.
    pub(crate) fn directories(&self) -> Vec<&Path> {
        match self {
            Change::Directories(many) => many.made.iter().map(|it| it.path.as_path()).collect(),
            _ => self.directory().into_iter().collect(),
        }
    }

    /// Tells whether it makes something below a directory.
    pub(crate) fn is_below(&self, directory: &Path) -> bool {
        let is_below = |it: &Path| it != directory && it.starts_with(directory);
        match self {
            Change::File(written) => is_below(&written.path),
            Change::Files(batch) => batch.is_below(directory),
            Change::Root(root) => is_below(&root.path),
            _ => self.directories().into_iter().any(is_below),
        }
    }

    /// Gives the command that makes it, where one does.
    fn command(&self) -> Option<Command> {
        Some(match self {
            Change::Group { name, gid } => accounts::make_group(name, *gid),
            Change::Account { user, group, uid } => accounts::make_account(user, group, *uid),
            Change::Member { user, group, .. } => accounts::join(user, group),
            Change::LoginShell { user, .. } => accounts::set_shell(user, JAIL_SHELL_PATH),
            _ => return None,
        })
    }

    /// Makes it.
    ///
    /// # Errors
    /// It could not be made, and the host is as it was before, as far as this change is concerned.
    pub(crate) fn apply(&self) -> Result<(), Failure> {
        match self {
            Change::Directory(directory) => directory.make(),
            Change::File(written) => written.write(),
            Change::LoginShell { user, .. } => accounts::jail(user),
            Change::Accounts(rewrite) => rewrite.make(),
            Change::Directories(directories) => directories.make(),
            Change::Files(batch) => batch.write(),
            Change::Root(root) => root.make(),
            Change::Disk(limits) => {
                let mut failed = limit_disks(Path::new(CONFIG_DIRECTORY), limits).into_iter();
                failed.next().map_or(Ok(()), |(_, failure)| Err(failure))
            }
            _ => self.command().map_or(Ok(()), |command| command.run()),
        }
    }

    /// Refuses, before anything is taken back, what would keep this change from being taken back.
    pub(crate) fn can_be_undone(&self) -> Result<(), Failure> {
        match self {
            Change::Account { user, .. } if self.other()?.is_none() => {
                accounts::refuse_running(user)
            }
            Change::Accounts(rewrite) => rewrite.refuse_running(),
            _ => Ok(()),
        }
    }

    /// Says that the account or the group is another one by now, where it is: that stays as it is.
    fn other(&self) -> Result<Option<String>, Failure> {
        Ok(match self {
            Change::Group { name, gid } => {
                let found = accounts::group(name)?.map(|it| it.0);
                accounts::other("the group", name, *gid, found)
            }
            Change::Account { user, uid, .. }
            | Change::Member { user, uid, .. }
            | Change::LoginShell { user, uid, .. } => {
                let found = accounts::identity(user)?.map(|it| it.uid);
                accounts::other("the account", user, *uid, found)
            }
            _ => None,
        })
    }

    /// Shows what taking it back does; nothing where there is nothing to take back.
    pub(crate) fn show_undo(&self) -> Result<Vec<String>, Failure> {
        let run = |command: Command| vec![format!("run {}", command.shown())];
        if let Change::File(written) = self {
            let now = file::read(&written.path)?;
            let (text, kept) = written.without()?;
            if now == text {
                return Ok(Vec::new());
            }
            let shown = Change::File(Written {
                before: now,
                after: text.clone().unwrap_or_default(),
                ..written.clone()
            });
            let mut lines = shown.show();
            if let (None, Some(line)) = (text, lines.first_mut()) {
                *line = format!("remove {}", written.path.display());
            }
            lines.extend(kept.map(|what| format!("keep {what}")));
            return Ok(lines);
        }
        if let Some(kept) = self.other()? {
            return Ok(vec![format!("keep {kept}")]);
        }
        if !self.is_done()? {
            return Ok(Vec::new());
        }
        Ok(match self {
            Change::Group { name, .. } => run(accounts::remove_group(name)),
            Change::Account { user, .. } => run(accounts::remove_account(user)),
            Change::Member { user, group, .. } => run(accounts::leave(user, group)),
            Change::LoginShell { user, before, .. } => run(accounts::set_shell(user, before)),
            Change::Directory(directory) => {
                vec![format!(
                    "remove {}, if it is empty",
                    directory.path.display()
                )]
            }
            Change::Accounts(rewrite) => taken_back(rewrite.show()),
            Change::Directories(directories) => taken_back(directories.show()),
            Change::Files(batch) => taken_back(batch.show()),
            Change::Root(root) => taken_back(root.show()),
            Change::Disk(_) => taken_back(self.show()),
            Change::File(_) => Vec::new(),
        })
    }

    /// Takes it back, if it was made and nobody else has taken it back.
    ///
    /// # Errors
    /// It could not be taken back; trying again may.
    pub(crate) fn undo(&self) -> Result<Undone, Failure> {
        if let Some(kept) = self.other()? {
            return Ok(Undone::kept(kept));
        }
        match self {
            Change::Group { name, gid } => undo_group(name, *gid),
            Change::Account { user, uid, .. } => {
                let is_gone = accounts::remove(user, *uid)?;
                Ok(Undone::of(is_gone, || {
                    format!("removed the account {user}")
                }))
            }
            Change::Member { user, group, .. } => {
                let is_out = accounts::remove_member(user, group)?;
                Ok(Undone::of(is_out, || format!("took {user} out of {group}")))
            }
            Change::LoginShell { user, before, .. } => {
                let is_back = accounts::unjail(user, before)?;
                Ok(Undone::of(is_back, || {
                    format!("login shell of {user}: {before}")
                }))
            }
            Change::Directory(directory) => {
                let removed = directory.remove();
                let did = || format!("removed {}", directory.path.display());
                Ok(match removed {
                    Ok(is_gone) => Undone::of(is_gone, did),
                    Err(kept) => Undone::kept(kept),
                })
            }
            Change::File(written) => undo_file(written),
            Change::Accounts(rewrite) => rewrite.undo(),
            Change::Directories(directories) => Ok(directories.remove()),
            Change::Root(root) => root.undo(),
            Change::Disk(limits) => undo_limits(limits),
            Change::Files(batch) => batch.take_back(),
        }
    }
}

/// Says of each line what was made, and that it goes.
fn taken_back(lines: Vec<String>) -> Vec<String> {
    lines.iter().map(|it| format!("take back: {it}")).collect()
}

/// Puts back what limited homes before. One that can't be done does not keep the others from it.
fn undo_limits(limits: &DiskLimits) -> Result<Undone, Failure> {
    let (mut undone, mut back, mut failed) = (Undone::default(), 0, None);
    for home in &limits.homes {
        let changed = home.is_done();
        match changed.and_then(|changed| changed.then(|| home.take_back()).transpose()) {
            Ok(None) => {}
            Ok(Some(true)) => back += 1,
            Ok(Some(false)) => undone.kept.push(format!(
                "{}: the quota stays, because it was changed since",
                home.shown()
            )),
            Err(failure) => failed = Some(failure),
        }
    }
    undone.did = (back > 0).then(|| format!("limits of {}: as before", counted(back, "home")));
    failed.map_or(Ok(undone), Err)
}

/// Removes a group that was made, unless somebody else has come into it since.
fn undo_group(name: &str, gid: u32) -> Result<Undone, Failure> {
    match accounts::group(name)? {
        Some((_, members)) if !members.is_empty() => Ok(Undone::kept(format!(
            "the group {name}: it stays, because {} came into it later",
            members.join(", ")
        ))),
        _ => {
            let is_gone = accounts::remove_empty_group(name, gid)?;
            Ok(Undone::of(is_gone, || format!("removed the group {name}")))
        }
    }
}

fn undo_file(written: &Written) -> Result<Undone, Failure> {
    let is_sshds = written.purpose == Purpose::Sshd && sshd::is_there();
    let (changed, kept) = written.take_back()?;
    let path = written.path.display();
    let mut undone = Undone::of(changed, || format!("{path}: as before"))
        .keeping(kept.map(|what| format!("{path}: it keeps {what}")));
    // Also where the file is as it was: a set-up or an undo may have been killed before the reload.
    if is_sshds {
        match sshd::test() {
            Ok(()) => drop(sshd::reload()?),
            Err(failure) => {
                undone.kept = vec![format!("sshd was not reloaded, because {failure}")];
            }
        }
    }
    Ok(undone)
}
