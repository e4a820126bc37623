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
    remember_all([(name, shell)])
}

/// Keeps the login shells of several accounts in mind, each with the account's name before it.
///
/// # Errors
/// As [`remember`].
pub(crate) fn remember_all<'a>(
    accounts: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), Failure> {
    let can_stand = |(name, shell): &(&str, &str)| {
        !shell.is_empty() && !name.contains([':', '\n']) && !shell.contains([':', '\n'])
    };
    let mut new = accounts.into_iter().filter(can_stand).peekable();
    if new.peek().is_none() {
        return Ok(());
    }
    let mut shells = list()?;
    shells.extend(new.map(|(name, shell)| (name.to_owned(), shell.to_owned())));
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
    forget_all([name])
}

/// Forgets what several accounts had.
///
/// # Errors
/// As [`forget`].
pub(crate) fn forget_all<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<(), Failure> {
    let mut shells = list()?;
    let before = shells.len();
    for name in names {
        shells.remove(name);
    }
    if shells.len() == before {
        return Ok(());
    }
    write(&shells)
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
