//! What an administrator asks for, and whether it makes sense by itself.

use std::path::{Component, Path};

use super::{
    recipe::{Recipe, Shape},
    targets,
};
use crate::{failure::Failure, shell::shown};

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) recipe: Recipe,
    pub(crate) group: Option<&'a str>,
    pub(crate) users: &'a [String],
    /// The directory with the root directories of all users.
    pub(crate) root: Option<&'a Path>,
    /// A file of keys; `{user}` in it stands for the user's name.
    pub(crate) key: Option<&'a str>,
    pub(crate) shared: Option<&'a Path>,
    pub(crate) until: Option<&'a str>,
    /// Limits, `KEY=VALUE`.
    pub(crate) limits: &'a [String],
    /// The machines of a jump host, `HOST:PORT`.
    pub(crate) machines: &'a [String],
}

impl Asked<'_> {
    /// Refuses arguments that contradict each other.
    pub(super) fn refuse_nonsense(&self, group: &str, shape: &Shape) -> Result<(), Failure> {
        let usage = |what: String| Err(Failure::Usage(what));
        if !targets::is_name(group) {
            return usage(format!(
                "--group {}: use a to z, 0 to 9, - and _ in the name of a group",
                shown(group)
            ));
        }
        for (option, path) in [("--root", self.root), ("--shared", self.shared)] {
            if let Some(path) = path.filter(|it| !is_plain(it)) {
                return usage(format!(
                    "{option} {}: give an absolute path without .., spaces and braces",
                    shown(path)
                ));
            }
        }
        let shared = self.shared.filter(|it| {
            let is_read = shape.shared != "rw" && it.starts_with("/usr");
            !is_read
        });
        for (option, path) in [("--root", self.root), ("--shared", shared)] {
            if let Some(why) = path.and_then(of_system) {
                return usage(format!(
                    "{option} {}: {why}",
                    shown(path.unwrap_or(Path::new("")))
                ));
            }
        }
        if let Some(key) = self.key {
            if self.users.is_empty() {
                return usage("--key: give the users whose key it is: --user NAME".to_owned());
            }
            if self.users.len() > 1 && !key.contains("{user}") {
                return usage(
                    "--key: several users can't share a key; write {user} in place of the name: --key /root/keys/{user}.pub"
                        .to_owned(),
                );
            }
        }
        if !shape.forwards && !self.machines.is_empty() {
            return usage("--target: only the recipe jump-host has targets".to_owned());
        }
        let is_host = |it: char| it.is_ascii_alphanumeric() || ".:-_[]*".contains(it);
        let is_target = |it: &&String| it.contains(':') && it.chars().all(is_host);
        match self.machines.iter().find(|it| !is_target(it)) {
            Some(target) => usage(format!(
                "--target {}: give HOST:PORT, as in web1.internal:22",
                shown(target)
            )),
            None => Ok(()),
        }
    }
}

/// Where the system has its own: nothing of users can be made there, or it would be lost, or change what programs do.
const SYSTEMS: [&str; 12] = [
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/run", "/sbin", "/sys",
    "/usr",
];

/// Says why a directory is none for users, where it is none.
pub(super) fn of_system(path: &Path) -> Option<String> {
    let mut systems = SYSTEMS.iter().filter(|it| path.starts_with(it));
    let system = systems
        .next()
        .or_else(|| (path == Path::new("/")).then_some(&"/"))?;
    Some(format!(
        "{system} is for the system itself, not for what users have; give a directory such as /srv/jails"
    ))
}

/// Tells whether a path can stand in a config and in sshd's, and leads where it says.
fn is_plain(path: &Path) -> bool {
    let is_name = |it: Component| matches!(it, Component::RootDir | Component::Normal(_));
    let is_plain = |it: char| !it.is_whitespace() && !it.is_control() && !"{}\"\\'".contains(it);
    let text = path.to_str().unwrap_or(" ");
    path.is_absolute() && path.components().all(is_name) && text.chars().all(is_plain)
}
