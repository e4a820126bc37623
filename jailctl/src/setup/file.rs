//! A file of a set-up: what it was, what it becomes, and its replacement at once.

use std::{
    fs::{self, File, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use jail::door::decision::{CONFIG_DIRECTORY, Config};
use jail_roots::tree::Tree;
use serde::{Deserialize, Serialize};

use super::{
    command::Command,
    sshd,
    text::{
        config::{self, Rule},
        diff, lists, pam,
    },
};
use crate::{
    accounts::{
        edit::{create, make_like, target_of, with_suffix},
        host_text::{self, bytes_of},
        trial::Trial,
    },
    failure::Failure,
    shell::quoted,
};

/// What stands behind the name of a file while it is written. No program reads a file of such a name.
pub(super) const UNFINISHED: &str = ".login-jail-new";

/// What a file is for, which says how the set-up is taken out of it once somebody has changed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Purpose {
    /// The config, with a rule.
    Config(Rule),
    /// sshd's drop-in. sshd is asked whether it takes it, and reloaded.
    Sshd,
    /// The keys of a user.
    Keys,
    /// A list of who may not use cron or at, or who may.
    Denial,
    /// Whose mail goes to root.
    Aliases,
    /// What keeps the user managers of a group's members from starting. systemd is told.
    Manager,
    /// A PAM stack, for this group.
    Pam(String),
    /// The config, with jails and rules that are marked.
    Applied,
}

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Written {
    pub(super) path: PathBuf,
    pub(super) purpose: Purpose,
    /// What it has before; nothing where there is no such file. The journal keeps it in a file beside.
    #[serde(skip)]
    pub(super) before: Option<String>,
    pub(super) after: String,
}

impl Written {
    /// Makes a change of a file as it is now; nothing where it would be the same.
    pub(super) fn new(
        path: &Path,
        purpose: Purpose,
        edited: impl FnOnce(&str) -> Result<String, Failure>,
    ) -> Result<Option<Written>, Failure> {
        let before = read(path)?;
        refuse_hard_link(path)?;
        let after = edited(before.as_deref().unwrap_or_default())?;
        let is_same = before.as_deref().unwrap_or_default() == after;
        Ok((!is_same).then(|| Written {
            path: path.to_owned(),
            purpose,
            before,
            after,
        }))
    }

    /// Makes a change of a list of those who may not use cron or at, or where it takes names out, who may.
    pub(super) fn denial(
        file: &str,
        adds: bool,
        names: &[String],
    ) -> Result<Option<Written>, Failure> {
        Written::new(Path::new(file), Purpose::Denial, |text| {
            Ok(match adds {
                true => lists::with(text, names),
                false => lists::without(text, names),
            })
        })
    }

    /// Shows what changes.
    pub(super) fn shown(&self) -> Vec<String> {
        diff::shown(self.before.as_deref().unwrap_or_default(), &self.after)
    }

    /// Writes it, unless somebody has changed it since it was read.
    pub(super) fn write(&self) -> Result<(), Failure> {
        refuse_changed(&self.path, self.before.as_ref())?;
        replace(&self.path, Some(&self.after))?;
        self.spread()?;
        if self.purpose == Purpose::Sshd {
            if let Err(failure) = sshd::test() {
                replace(&self.path, self.before.as_deref())?;
                return Err(Failure::Failed(format!(
                    "{failure}; {} is as it was",
                    self.path.display()
                )));
            }
            drop(sshd::reload()?);
        }
        Ok(())
    }

    /// Brings what a program has made of the file up to date, where there is such a thing.
    fn spread(&self) -> Result<(), Failure> {
        let has_map = with_suffix(&self.path, ".db").exists();
        if self.purpose == Purpose::Aliases && has_map {
            return Command::of(&["newaliases"]).run();
        }
        if self.purpose == Purpose::Manager && Path::new("/run/systemd/system").exists() {
            return Command::of(&["systemctl", "daemon-reload"]).run();
        }
        Ok(())
    }

    /// Gives what the file becomes when the set-up is taken back, and what of the set-up stays in it.
    pub(super) fn without(&self) -> Result<(Option<String>, Option<String>), Failure> {
        match read(&self.path)? {
            Some(now) => self.without_in(&now),
            None => Ok((None, None)),
        }
    }

    /// Gives a later change of the same file as it would be without this one before it.
    pub(super) fn taken_out_of(&self, later: &Written) -> Result<Written, Failure> {
        let before = later.before.as_deref();
        let before = before.map(|it| self.without_in(it)).transpose()?;
        let (after, _) = self.without_in(&later.after)?;
        Ok(Written {
            before: before.and_then(|it| it.0),
            after: after.unwrap_or_default(),
            ..later.clone()
        })
    }

    fn without_in(&self, now: &str) -> Result<(Option<String>, Option<String>), Failure> {
        let before = self.before.as_deref().unwrap_or_default();
        if now == self.after || Some(now) == self.before.as_deref() {
            return Ok((self.before.clone(), None));
        }
        let (text, kept) = match &self.purpose {
            Purpose::Config(rule) => {
                let wrong = |error| Failure::Failed(format!("{}: {error}", self.path.display()));
                let changed = config::without(rule, [before, &self.after], now).map_err(wrong)?;
                refuse_wrong_config(&changed.0, &self.path)?;
                changed
            }
            Purpose::Sshd if self.before.is_none() => {
                (super::text::sshd::without(&self.after, now), None)
            }
            Purpose::Pam(group) => {
                let without = |text: &str| pam::without_skip(text, group);
                let [before, after] = [before, &self.after].map(without);
                (diff::taken_back(&before, &after, &without(now)), None)
            }
            Purpose::Denial if before.len() < self.after.len() => {
                let own = own_lines(before, &self.after);
                (lists::without(now, &own), None)
            }
            Purpose::Applied => {
                let text = diff::taken_back(before, &self.after, now);
                refuse_wrong_config(&text, &self.path)?;
                (text, None)
            }
            Purpose::Sshd
            | Purpose::Keys
            | Purpose::Denial
            | Purpose::Aliases
            | Purpose::Manager => (diff::taken_back(before, &self.after, now), None),
        };
        let is_gone = text.is_empty() && self.before.is_none();
        Ok(((!is_gone).then_some(text), kept))
    }

    /// Takes the set-up back in the file. Tells whether that changed it, and what of the set-up stays.
    pub(super) fn take_back(&self) -> Result<(bool, Option<String>), Failure> {
        remove(&with_suffix(&target_of(&self.path)?, UNFINISHED))?;
        let (text, kept) = self.without()?;
        let changes = read(&self.path)? != text;
        if changes {
            replace(&self.path, text.as_deref())?;
            self.spread()?;
        }
        Ok((changes, kept))
    }
}

/// Reads the text of a config as a login would, before it is written.
pub(super) fn refuse_wrong_config(text: &str, path: &Path) -> Result<(), Failure> {
    let trial = Trial::new(text, Path::new(CONFIG_DIRECTORY))?;
    match Config::read(&trial.0) {
        Ok(_) => Ok(()),
        Err(refusal) => Err(trial.named(refusal.into(), path)),
    }
}

/// Gives the lines that a text has more than another.
fn own_lines(before: &str, after: &str) -> Vec<String> {
    let steps = diff::steps(before, after);
    let own = steps.into_iter().filter_map(|step| match step {
        diff::Step::New(line) => Some(line.trim().to_owned()),
        _ => None,
    });
    own.collect()
}

/// Reads a file; nothing where there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, Failure> {
    match host_text::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::io("read", path, &error)),
    }
}

/// Refuses a file that somebody has changed since it was read.
pub(super) fn refuse_changed(path: &Path, before: Option<&String>) -> Result<(), Failure> {
    if read(path)?.as_ref() == before {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "{}: somebody has changed it meanwhile",
        path.display()
    )))
}

/// Refuses a file that has other names: they would go on having what it has now.
pub(super) fn refuse_hard_link(path: &Path) -> Result<(), Failure> {
    let path = target_of(path)?;
    match path.symlink_metadata() {
        Ok(found) if found.is_file() && found.nlink() > 1 => Err(Failure::Failed(format!(
            "nothing was changed, because {0} is one of {1} names of the same file, and the others would not change with it; make it a \
             file of its own first: cp -a {0} {0}.own && mv {0}.own {0}",
            quoted(&path),
            found.nlink()
        ))),
        _ => Ok(()),
    }
}

/// Replaces a file of root's at once, with the owner, mode and attributes of the old one; no text removes it.
fn replace(path: &Path, text: Option<&str>) -> Result<(), Failure> {
    let Some(text) = text else {
        drop(Tree::open_above(path)?);
        remove(path)?;
        return sync_above(path);
    };
    let path = &target_of(path)?;
    // Only where nobody else can change the way to it.
    drop(Tree::open_above(path)?);
    let new = with_suffix(path, UNFINISHED);
    remove(&new)?;
    let written = write_like(&new, text, path)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(&new, path));
    if let Err(error) = written {
        remove(&new)?;
        return Err(Failure::io("write", path, &error));
    }
    sync_above(path)
}

/// Removes a file, where there is one.
pub(super) fn remove(path: &Path) -> Result<(), Failure> {
    // A file system that is read-only says so also of what is not there.
    match path.symlink_metadata().and_then(|_| fs::remove_file(path)) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Failure::io("remove", path, &error))
        }
        _ => Ok(()),
    }
}

/// Writes a file that is to take the place of another, where there is one. It is not on the disk yet.
pub(super) fn write_like(new: &Path, text: &str, old: &Path) -> io::Result<File> {
    let file = create(new, &bytes_of(text))?;
    match make_like(&file, old) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            file.set_permissions(Permissions::from_mode(0o644))?;
        }
        made => made?,
    }
    Ok(file)
}

/// Makes a change of a directory's names last.
pub(super) fn sync_above(path: &Path) -> Result<(), Failure> {
    let above = path.parent().unwrap_or(Path::new("/"));
    let synced = File::open(above).and_then(|above| above.sync_all());
    synced.map_err(|error| Failure::io("sync", above, &error))
}
