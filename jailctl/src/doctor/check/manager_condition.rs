//! What keeps the user managers of a group's members from starting: a drop-in of user@.service, whose condition systemd
//! tries before it starts one. Logins, their logind sessions and the limits of their slices are as without it.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use jail::account::identity::Identity;

const DIRECTORY: &str = "/etc/systemd/system/user@.service.d";
const BEGIN: &str = "login-jail-";
const END: &str = ".conf";

/// A condition for one group.
#[derive(Debug)]
pub(crate) struct ManagerCondition<'a> {
    group: &'a str,
}

impl<'a> ManagerCondition<'a> {
    /// Makes the condition of a group; nothing where the name means something to a shell or to systemd.
    pub(crate) fn of_group(group: &'a str) -> Option<Self> {
        let is_plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-' | b'.');
        let is_name = !group.is_empty() && !group.starts_with(['-', '.']);
        (is_name && group.bytes().all(is_plain)).then_some(Self { group })
    }

    /// Gives the place of its file.
    pub(crate) fn path(&self) -> PathBuf {
        Path::new(DIRECTORY).join(format!("{BEGIN}{}{END}", self.group))
    }

    /// Gives the text of its file. Where the groups of a user can't be found out, no manager is started either.
    pub(crate) fn text(&self) -> String {
        let group = self.group;
        format!(
            "# Made by: jailctl mend user-manager @{group}. Remove it, and run systemctl daemon-reload, to take it back.\n\
             [Service]\n\
             ExecCondition=+/bin/sh -c 'all=$$(id -nG \"$$1\") || exit 1; for one in $$all; do [ \"$$one\" != {group} ] || exit 1; done' sh %i\n"
        )
    }
}

/// Tells whether a condition keeps a user's manager from starting. Where other files could take that back, it counts for
/// nothing. `units` are the directories in which systemd looks for units.
pub(super) fn refuses(identity: &Identity, units: &[&str]) -> bool {
    let instance = format!("user@{}.service.d", identity.uid);
    let directories = units.iter().flat_map(|units| {
        let names = [instance.as_str(), "user@.service.d", "service.d"];
        names.map(|name| Path::new(units).join(name))
    });
    let mut is_refused = false;
    for file in directories.flat_map(files) {
        let text = fs::read(&file).unwrap_or_default();
        match group_of(&file, &text) {
            Some(group) => is_refused |= identity.group_names.contains(&group),
            None if decides_too(&file, &text) => return false,
            None => {}
        }
    }
    is_refused
}

fn files(directory: PathBuf) -> Vec<PathBuf> {
    let listed = fs::read_dir(directory).into_iter().flatten().flatten();
    listed.map(|entry| entry.path()).collect()
}

/// Gives the group that a file is the condition of, if it is as it was written.
fn group_of(file: &Path, text: &[u8]) -> Option<OsString> {
    let name = file.file_name()?.to_str()?;
    let group = name.strip_prefix(BEGIN)?.strip_suffix(END)?;
    let condition = ManagerCondition::of_group(group)?;
    let is_as_written = condition.path() == file && condition.text().as_bytes() == text;
    is_as_written.then(|| group.into())
}

/// Tells whether a file may change what a condition says: it has conditions, or stands in the place of one.
fn decides_too(file: &Path, text: &[u8]) -> bool {
    let name = file.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(BEGIN.as_bytes()) || String::from_utf8_lossy(text).contains("ExecCondition")
}
