//! What the last whole check has found, in numbers: `/var/lib/login-jail/last-check.json`. `jailctl metrics` prints it.

use std::{fs, io::ErrorKind, path::Path};

use jail_roots::tree::Tree;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// Where it is kept.
pub(crate) const FILE: &str = "/var/lib/login-jail/last-check.json";

/// What a check of all users and doors has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastCheck {
    /// When, in seconds since 1970.
    pub(crate) time: i64,
    pub(crate) errors: usize,
    pub(crate) warnings: usize,
    pub(crate) notes: usize,
    /// Those that the administrator has accepted, of any severity. They are not among the others.
    pub(crate) accepted: usize,
    /// What could not be checked.
    pub(crate) unchecked: usize,
}

impl LastCheck {
    /// Begins with the present time and no finding.
    pub(crate) fn now() -> LastCheck {
        LastCheck {
            time: Timestamp::now().as_second(),
            ..LastCheck::default()
        }
    }

    /// Keeps it, in place of the one before.
    ///
    /// # Errors
    /// The file can't be written.
    pub(crate) fn keep(&self) -> Result<(), Failure> {
        let file = Path::new(FILE);
        let text = serde_json::to_string(self)
            .map_err(|error| Failure::Failed(format!("write {FILE}: {error}")))?;
        let directory = Tree::make_above(file, &mut Vec::new())?;
        let name = Path::new(file.file_name().unwrap_or_default());
        Ok(directory.replace(name, format!("{text}\n").as_bytes(), 0o644)?)
    }

    /// Reads it; nothing where there was no check yet.
    ///
    /// # Errors
    /// The file can't be read, or makes no sense.
    pub(crate) fn read() -> Result<Option<LastCheck>, Failure> {
        let file = Path::new(FILE);
        let text = match fs::read(file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::io("read", file, &error)),
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| Failure::Failed(format!("read {FILE}: {error}; run: jailctl check")))
    }
}
