//! What set-ups have changed, so that it can be taken back: `/var/lib/login-jail/setup/ID`, which root alone can read.
//!
//! A change is written down, and on the disk, before it is made. So whatever a set-up was stopped by, each change that may
//! have been made is known.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use jail::trust;
use jail_roots::tree::Tree;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    change::Change,
    file::{Written, sync_above},
};
use crate::{accounts::host_text::bytes_of, failure::Failure};

/// Where the journals of all set-ups are.
pub(crate) const DIRECTORY: &str = "/var/lib/login-jail/setup";

/// How many set-ups can be taken back. jailctl-undo(8) says so.
const KEPT: usize = 100;

/// What a set-up is.
const ABOUT: &str = "setup.json";

/// Directories that an earlier set-up has made, which was taken back.
const INHERITED: &str = "inherited.json";

/// There once all changes are made.
const COMPLETE: &str = "complete";

/// What a set-up is, for a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    pub(crate) recipe: String,
    pub(crate) group: String,
    pub(crate) users: Vec<String>,
    /// When it began, as RFC 3339 has it.
    pub(crate) time: String,
}

impl About {
    /// Begins the description of a set-up that is made now.
    pub(super) fn now(recipe: String, group: String, users: Vec<String>) -> About {
        let time = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        About {
            recipe,
            group,
            users,
            time,
        }
    }
}

/// The journal of one set-up.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(crate) id: u32,
    directory: PathBuf,
    pub(crate) about: About,
    /// Whether all its changes are made.
    pub(crate) is_complete: bool,
}

impl Journal {
    /// Begins one.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) fn begin(about: About) -> Result<Journal, Failure> {
        let all = Path::new(DIRECTORY);
        let above = Tree::make_above(&all.join(ABOUT), &mut Vec::new())?;
        drop(above);
        let closed = fs::set_permissions(all, Permissions::from_mode(0o700));
        closed.map_err(|error| Failure::io("chmod", all, &error))?;
        remove_empty()?;
        let id = ids()?.last().map_or(1, |last| last.saturating_add(1));
        let directory = all.join(id.to_string());
        fs::create_dir(&directory).map_err(|error| Failure::io("make", &directory, &error))?;
        let closed = fs::set_permissions(&directory, Permissions::from_mode(0o700));
        closed.map_err(|error| Failure::io("chmod", &directory, &error))?;
        let journal = Journal {
            id,
            directory,
            about,
            is_complete: false,
        };
        journal.write(ABOUT, json(&journal.about)?.as_bytes())?;
        sync_above(&journal.directory)?;
        remove_old()?;
        Ok(journal)
    }

    /// Writes a change down that is about to be made.
    pub(crate) fn note(&self, number: usize, change: &Change) -> Result<(), Failure> {
        self.note_as(&format!("{number:04}"), change)
    }

    fn note_as(&self, number: &str, change: &Change) -> Result<(), Failure> {
        if let Change::File(written) = change {
            let name = format!("{number}.before");
            match &written.before {
                Some(before) => self.write(&name, &bytes_of(before))?,
                None => super::file::remove(&self.directory.join(name))?,
            }
        }
        self.write(&format!("{number}.json"), json(change)?.as_bytes())
    }

    /// Writes what it has of files anew; nothing where that is right as it is.
    pub(crate) fn revise(
        &self,
        mut revised: impl FnMut(&Written) -> Result<Option<Written>, Failure>,
    ) -> Result<(), Failure> {
        for number in self.numbers()? {
            // One that is damaged is no worse by that.
            let Ok(Change::File(written)) = self.change(&number) else {
                continue;
            };
            if let Some(new) = revised(&written)? {
                self.note_as(&number, &Change::File(new))?;
            }
        }
        Ok(())
    }

    /// Takes over directories of a set-up that was taken back: they stay for what this one has below them, and go with it.
    pub(crate) fn inherit(&self, directories: Vec<Change>) -> Result<(), Failure> {
        let mut all = self.inherited();
        all.extend(
            directories
                .into_iter()
                .filter(|it| !all.contains(it))
                .collect::<Vec<_>>(),
        );
        self.write(INHERITED, json(&all)?.as_bytes())
    }

    fn inherited(&self) -> Vec<Change> {
        parsed(&self.directory.join(INHERITED)).unwrap_or_default()
    }

    /// Notes that all is made.
    pub(crate) fn complete(&self) -> Result<(), Failure> {
        self.write(COMPLETE, b"")
    }

    /// Reads the changes that were noted, in their order, and says which can't be read.
    pub(crate) fn changes(&self) -> Result<(Vec<Change>, Vec<String>), Failure> {
        let numbers = self.numbers()?;
        let (mut changes, mut damaged) = (self.inherited(), Vec::new());
        for number in &numbers {
            match self.change(number) {
                Ok(change) => changes.push(change),
                Err(failure) => damaged.push(failure.to_string()),
            }
        }
        Ok((changes, damaged))
    }

    fn numbers(&self) -> Result<Vec<String>, Failure> {
        let listed = fs::read_dir(&self.directory);
        let listed = listed.map_err(|error| Failure::io("read", &self.directory, &error))?;
        let mut numbers: Vec<String> = listed
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
            .filter(|number| number.bytes().all(|it| it.is_ascii_digit()))
            .collect();
        numbers.sort();
        Ok(numbers)
    }

    fn change(&self, number: &str) -> Result<Change, Failure> {
        let change: Change = parsed(&self.directory.join(format!("{number}.json")))?;
        let Change::File(mut written) = change else {
            return Ok(change);
        };
        written.before = super::file::read(&self.directory.join(format!("{number}.before")))?;
        Ok(Change::File(written))
    }

    /// Removes it: all is taken back.
    pub(crate) fn remove(self) -> Result<(), Failure> {
        self.forget()?;
        remove_empty()?;
        // The directory of all of them stays where it has another.
        drop(fs::remove_dir(DIRECTORY));
        Ok(())
    }

    fn forget(self) -> Result<(), Failure> {
        // What it is goes last: until then, an undo that is killed can be run again.
        for entry in fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten()
        {
            if entry.file_name() != ABOUT {
                drop(fs::remove_file(entry.path()));
            }
        }
        let removed = fs::remove_dir_all(&self.directory);
        removed.map_err(|error| Failure::io("remove", &self.directory, &error))
    }

    /// Writes a file, so that it is there as a whole or not at all, and is there after a power failure.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.directory.join(name);
        let new = self.directory.join(format!(".{name}.new"));
        let written = || -> io::Result<()> {
            let mut file = OpenOptions::new();
            let mut file = file
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&new)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(&self.directory)?.sync_all()
        };
        written().map_err(|error| Failure::io("write", &path, &error))
    }
}

/// Reads all journals that there are, the oldest first.
///
/// # Errors
/// Others than root could have changed them, or one can't be read.
pub(crate) fn all() -> Result<Vec<Journal>, Failure> {
    let ids = ids()?;
    ids.into_iter()
        .filter_map(|id| read(id).transpose())
        .collect()
}

/// Reads one; nothing where its set-up was stopped before it was written down, and so had changed nothing.
fn read(id: u32) -> Result<Option<Journal>, Failure> {
    let directory = Path::new(DIRECTORY).join(id.to_string());
    if !directory.join(ABOUT).exists() {
        return Ok(None);
    }
    // One that is damaged does not keep the others from anything, and its changes can still be taken back.
    let about = parsed(&directory.join(ABOUT)).unwrap_or_else(|failure: Failure| About {
        recipe: format!("damaged: {failure}"),
        group: String::new(),
        users: Vec::new(),
        time: String::new(),
    });
    Ok(Some(Journal {
        id,
        about,
        is_complete: directory.join(COMPLETE).exists(),
        directory,
    }))
}

/// Removes what is left of set-ups that were stopped before they were written down: they have changed nothing.
fn remove_empty() -> Result<(), Failure> {
    for id in ids()? {
        let directory = Path::new(DIRECTORY).join(id.to_string());
        if !directory.join(ABOUT).exists() {
            let removed = fs::remove_dir_all(&directory);
            removed.map_err(|error| Failure::io("remove", &directory, &error))?;
        }
    }
    Ok(())
}

/// Removes the oldest, so that their number does not grow for good.
fn remove_old() -> Result<(), Failure> {
    let all = all()?;
    let old = all.len().saturating_sub(KEPT);
    all.into_iter().take(old).try_for_each(|one| {
        // What it is goes first: one without is nothing to be taken back, however much is left of it.
        let about = one.directory.join(ABOUT);
        fs::remove_file(&about).map_err(|error| Failure::io("remove", &about, &error))?;
        one.forget()
    })
}

fn ids() -> Result<Vec<u32>, Failure> {
    let all = Path::new(DIRECTORY);
    match trust::open_directory(all) {
        Ok(_) => {}
        Err(untrusted) if untrusted.flaw == trust::Flaw::Missing => return Ok(Vec::new()),
        Err(untrusted) => return Err(Failure::Failed(format!("open {untrusted}"))),
    }
    let listed = fs::read_dir(all).map_err(|error| Failure::io("read", all, &error))?;
    let names = listed
        .flatten()
        .filter_map(|it| it.file_name().into_string().ok());
    // Nothing that somebody else has put there.
    let is_own = |name: &String| all.join(name).is_dir();
    let ids = names.filter(is_own).filter_map(|name| {
        let id: u32 = name.parse().ok()?;
        (id.to_string() == name).then_some(id)
    });
    let mut ids: Vec<u32> = ids.collect();
    ids.sort_unstable();
    Ok(ids)
}

fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map_err(|error| Failure::Failed(format!("write a journal: {error}")))
}

fn parsed<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let text = fs::read(path).map_err(|error| Failure::io("read", path, &error))?;
    serde_json::from_slice(&text)
        .map_err(|error| Failure::Failed(format!("read {}: {error}", path.display())))
}
