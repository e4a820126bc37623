//! The login shells that accounts had before `jailctl add` gave them jail-shell: `/var/lib/login-jail/shells`, a line
//! `NAME:SHELL` for each.
//!
//! Whoever changes the list holds the lock of the configs.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use jail::account::identity::Identity;
use jail_roots::tree::Tree;

use crate::failure::Failure;

/// Where they are listed.
const FILE: &str = "/var/lib/login-jail/shells";

/// Keeps an account's login shell in mind. One that could not stand on a line is left out.
///
/// # Errors
/// The list can't be read or written.
pub(crate) fn remember(identity: &Identity) -> Result<(), Failure> {
    let (Some(name), Some(shell)) = (identity.name.to_str(), identity.shell.to_str()) else {
        return Ok(());
    };
    if shell.is_empty() || format!("{name}{shell}").contains([':', '\n']) {
        return Ok(());
    }
    let mut shells = list()?;
    shells.insert(name.to_owned(), shell.to_owned());
    write(&shells)
}

/// Gives the login shell that an account had; nothing where that is not known.
///
/// # Errors
/// The list can't be read.
pub(crate) fn before(name: &str) -> Result<Option<PathBuf>, Failure> {
    Ok(list()?.remove(name).map(PathBuf::from))
}

/// Forgets what an account had.
///
/// # Errors
/// The list can't be read or written.
pub(crate) fn forget(name: &str) -> Result<(), Failure> {
    let mut shells = list()?;
    match shells.remove(name) {
        Some(_) => write(&shells),
        None => Ok(()),
    }
}

fn list() -> Result<BTreeMap<String, String>, Failure> {
    let text = match fs::read(FILE) {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(Failure::io("read", Path::new(FILE), &error)),
    };
    let pair = |line: &str| {
        line.split_once(':')
            .map(|(name, shell)| (name.to_owned(), shell.to_owned()))
    };
    Ok(text.lines().filter_map(pair).collect())
}

fn write(shells: &BTreeMap<String, String>) -> Result<(), Failure> {
    let file = Path::new(FILE);
    let directory = Tree::make_above(file, &mut Vec::new())?;
    let text: String = shells
        .iter()
        .map(|(name, shell)| format!("{name}:{shell}\n"))
        .collect();
    let name = Path::new(file.file_name().unwrap_or_default());
    Ok(directory.replace(name, text.as_bytes(), 0o644)?)
}
