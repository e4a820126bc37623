//! What `jailctl add` and `jailctl release` have in common: the login shell, and what they say about it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use jail::{
    account::identity::Identity,
    door::{decision::CONFIG_DIRECTORY, refusal::Refusal},
};

use crate::{
    door::JAIL_SHELL,
    failure::Failure,
    output::{counted, say},
    shell::{self, quoted, shown},
};

/// Tells whether a config is the one that the doors go by.
pub(crate) fn is_installed(directory: &Path) -> bool {
    directory == Path::new(CONFIG_DIRECTORY)
}

/// Says that a config that no door reads changes no account.
pub(crate) fn say_account_stays(identity: &Identity) {
    say(format_args!(
        "the login shell of {} stays {}: the doors read {CONFIG_DIRECTORY}",
        shown(&identity.name),
        shown(&identity.shell)
    ));
}

/// Reads the text of a config.
pub(crate) fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|error| Failure::io("read", file, &error))
}

/// Names a user's file of `users.d`.
pub(crate) fn own_file(directory: &Path, user: &str) -> Result<Option<PathBuf>, Failure> {
    match jail_config::user_file_name(user.as_ref()) {
        Ok(name) => Ok(Some(directory.join("users.d").join(name))),
        Err(error) => Err(Refusal::UserFileName(error).into()),
    }
}

/// Refuses a login shell that would lead into a jail, or nowhere.
pub(crate) fn usable_shell(path: &Path) -> Result<(), Failure> {
    let is_door = |path: &Path| path.file_name().is_some_and(|name| name == JAIL_SHELL);
    let leads_to_door = fs::canonicalize(path).is_ok_and(|path| is_door(&path));
    if is_door(path) || leads_to_door || !path.is_file() {
        return Err(Failure::Usage(format!(
            "--shell {}: give an ordinary shell of the host",
            shown(path)
        )));
    }
    Ok(())
}

/// Makes a program the login shell by usermod(8), which keeps a backup of passwd as /etc/passwd-.
pub(crate) fn change_shell(identity: &Identity, to: &Path, dry_run: bool) -> Result<(), Failure> {
    let command = format!("usermod -s {} -- {}", quoted(to), quoted(&identity.name));
    if dry_run {
        say(format_args!("would run: {command}"));
        return Ok(());
    }
    let output = shell::program("usermod")
        .arg("-s")
        .arg(to)
        .arg("--")
        .arg(&identity.name)
        .output()
        .map_err(|error| Failure::Failed(format!("start usermod: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::Failed(format!(
            "{command}: {}",
            shown(said.trim())
        )));
    }
    say(format_args!(
        "login shell of {}: {}",
        shown(&identity.name),
        shown(to)
    ));
    Ok(())
}

/// Prints the lines that one text has and the other has not.
pub(crate) fn print_difference(old: &str, new: &str) {
    for line in old
        .lines()
        .filter(|line| !new.lines().any(|other| other == *line))
    {
        say(format_args!("- {line}"));
    }
    for line in new
        .lines()
        .filter(|line| !old.lines().any(|other| other == *line))
    {
        say(format_args!("+ {line}"));
    }
}

/// Says that what runs already keeps the root that it has.
pub(crate) fn note_on_processes(running: usize, identity: &Identity, option: &str) {
    if running > 0 {
        eprintln!(
            "note: what {} has running ({}) is from before, and keeps the root it has until it ends; jailctl kick {option}{} ends it",
            shown(&identity.name),
            counted(running, "process"),
            quoted(&identity.name)
        );
    }
}
