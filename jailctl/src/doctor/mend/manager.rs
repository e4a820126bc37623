//! systemd's user manager: masked for a user, or kept from starting for whoever is in a group when it would start.

use std::{ffi::OsStr, fs, io, os::unix::fs::DirBuilderExt, path::Path};

use crate::{
    accounts::{
        account::Jailed,
        edit::{self, Lock},
    },
    doctor::{
        check::{ManagerCondition, is_ruled_by, unit_to_mask},
        mend::Extent,
    },
    failure::Failure,
    shell::{self, shown},
};

/// Masks the manager of a user.
pub(super) fn mask(jailed: &Jailed, extent: Extent) -> Result<Vec<String>, Failure> {
    let Some(unit) = unit_to_mask(jailed) else {
        return Ok(Vec::new());
    };
    if extent == Extent::Whole {
        let now: &[&str] = if is_running() { &["--now"] } else { &[] };
        systemctl(&[&["mask"], now, &[&unit]].concat())?;
    }
    Ok(vec![format!("{unit}: masked")])
}

/// Keeps the managers of a group's members from starting, of those who join later as well, and stops what runs.
pub(super) fn refuse(
    group: &str,
    condition: &ManagerCondition,
    all: &[Jailed],
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    let members = all.iter().filter(|one| is_ruled_by(one, group));
    let units: Vec<String> = members.filter_map(unit_to_mask).collect();
    if units.is_empty() {
        return Ok(Vec::new());
    }
    let path = condition.path();
    if extent == Extent::Whole {
        write(&path, &condition.text())?;
        if is_running() {
            systemctl(&["daemon-reload"])?;
            let units = units.iter().map(String::as_str);
            systemctl(&std::iter::once("stop").chain(units).collect::<Vec<_>>())?;
        }
    }
    let group = shown(OsStr::new(group));
    Ok(vec![format!(
        "{}: systemd starts no user manager for members of {group}, whoever joins",
        shown(&path)
    )])
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let _lock = Lock::take()?;
    if let Some(directory) = path.parent() {
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(directory);
        made.map_err(|error| Failure::io("make", directory, &error))?;
    }
    if path.symlink_metadata().is_ok() {
        return edit::replace(path, text);
    }
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| {
            io::Write::write_all(&mut file, text.as_bytes())?;
            // Whoever has a strict umask: systemd's own tools read it as everybody.
            file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        });
    written.map_err(|error| Failure::io("write", path, &error))
}

/// Tells whether systemd is this machine's first process: otherwise there is nothing to stop.
fn is_running() -> bool {
    Path::new("/run/systemd/system").exists()
}

fn systemctl(arguments: &[&str]) -> Result<(), Failure> {
    let answer = shell::ask("systemctl", arguments)?;
    if answer.is_some_and(|answer| answer.status.success()) {
        return Ok(());
    }
    let words = arguments.join(" ");
    Err(Failure::Failed(format!("systemctl {words}: it failed")))
}
