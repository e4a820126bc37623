//! Many small files as one change: rules in users.d, and keys. All are written beside their places first, then brought to the
//! disk at once, and then renamed.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use jail_roots::tree::Tree;
use rustix::fs::syncfs;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::edit::{target_of, with_suffix},
    failure::Failure,
    output::counted,
    progress::Progress,
    setup::{
        file::{self, UNFINISHED},
        text::diff,
        undone::Undone,
    },
};

/// What the files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum What {
    /// Rules of single users, in users.d.
    Rules,
    /// Keys of users.
    Keys,
}

/// One of the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Small {
    pub(super) path: PathBuf,
    /// What it has before; nothing where there is no such file.
    pub(super) before: Option<String>,
    /// What it becomes; nothing where it is removed.
    pub(super) after: Option<String>,
}

/// The files, all in one directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Batch {
    pub(super) what: What,
    pub(super) files: Vec<Small>,
}

impl Batch {
    pub(crate) fn is_below(&self, directory: &Path) -> bool {
        self.files.iter().any(|it| it.path.starts_with(directory))
    }

    pub(crate) fn is_done(&self) -> Result<bool, Failure> {
        for one in &self.files {
            if file::read(&one.path)? != one.after {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Says what is written.
    pub(crate) fn show(&self) -> Vec<String> {
        let of = |is: &dyn Fn(&Small) -> bool| -> Vec<&Path> {
            let files = self.files.iter().filter(|it| is(it));
            files.map(|it| it.path.as_path()).collect()
        };
        let written = of(&|it| it.after.is_some() && it.before.is_none());
        let changed = of(&|it| it.after.is_some() && it.before.is_some());
        let removed = of(&|it| it.after.is_none());
        [("write", written), ("change", changed), ("remove", removed)]
            .into_iter()
            .filter_map(|(word, files)| self.show_some(word, &files))
            .collect()
    }

    fn show_some(&self, word: &str, files: &[&Path]) -> Option<String> {
        let (first, last) = (files.first()?, files.last()?);
        let what = match self.what {
            What::Rules => "rules of users",
            What::Keys => "files of keys",
        };
        Some(match files {
            [one] => format!("{word} {}", one.display()),
            [_, _] => format!("{word} {} and {}", first.display(), last.display()),
            _ => format!(
                "{word} {} {what}, from {} to {}",
                files.len(),
                first.display(),
                last.display()
            ),
        })
    }

    /// Writes them, unless somebody has changed one since it was read.
    ///
    /// # Errors
    /// One was changed, or can't be written. Those that are written by then are as a whole in their places.
    pub(crate) fn write(&self) -> Result<(), Failure> {
        let count = u64::try_from(self.files.len()).unwrap_or(0);
        let mut progress = Progress::new(count.saturating_mul(2));
        for one in &self.files {
            file::refuse_changed(&one.path, one.before.as_ref())?;
        }
        self.replace(&mut progress)
    }

    fn replace(&self, progress: &mut Progress) -> Result<(), Failure> {
        let Some(first) = self.files.first() else {
            return Ok(());
        };
        // All are in this directory, which nobody else can change.
        drop(Tree::open_above(&first.path)?);
        for one in &self.files {
            progress.add(1);
            if let Some(text) = &one.after {
                let place = target_of(&one.path)?;
                write(&with_suffix(&place, UNFINISHED), text, &place)?;
            }
        }
        let directory = first.path.parent().unwrap_or(Path::new("/"));
        let sync = || -> io::Result<()> { Ok(syncfs(File::open(directory)?)?) };
        sync().map_err(|error| Failure::io("sync", directory, &error))?;
        for one in &self.files {
            progress.add(1);
            if one.after.is_some() {
                let place = target_of(&one.path)?;
                let renamed = fs::rename(with_suffix(&place, UNFINISHED), &place);
                renamed.map_err(|error| Failure::io("write", &one.path, &error))?;
            } else {
                file::remove(&one.path)?;
            }
        }
        sync().map_err(|error| Failure::io("sync", directory, &error))
    }

    /// Takes them back.
    pub(crate) fn take_back(&self) -> Result<Undone, Failure> {
        let mut kept = Vec::new();
        let mut files = Vec::new();
        for one in &self.files {
            file::remove(&with_suffix(&target_of(&one.path)?, UNFINISHED))?;
            let now = file::read(&one.path)?;
            // One that others have removed stays removed.
            if now == one.before || now.is_none() && one.after.is_some() {
                continue;
            }
            let text = |it: &Option<String>| it.clone().unwrap_or_default();
            let after = if now == one.after {
                one.before.clone()
            } else if self.what == What::Keys {
                let left = diff::taken_back(&text(&one.before), &text(&one.after), &text(&now));
                let is_gone = left.is_empty() && one.before.is_none();
                (!is_gone).then_some(left)
            } else {
                let path = one.path.display();
                kept.push(format!("{path}: it stays, because it was changed since"));
                continue;
            };
            files.push(Small {
                path: one.path.clone(),
                before: now,
                after,
            });
        }
        let changed = files.len();
        let what = self.what;
        Batch { what, files }.replace(&mut Progress::new(0))?;
        let did = || format!("{}: as before", counted(changed, "file"));
        Ok(Undone::of(changed > 0, did).keeping(kept))
    }
}

fn write(new: &Path, text: &str, old: &Path) -> Result<(), Failure> {
    file::remove(new)?;
    let written = file::write_like(new, text, old);
    written
        .map(drop)
        .map_err(|error| Failure::io("write", new, &error))
}
