//! Whether all that was to say something about a user's groups has said it.
//!
//! A service that is down takes its groups away without a word (see [`sys::nss`](crate::sys::nss)). Where a rule by
//! group, or that of those without a rule, then decides, it decides by half of the facts: with `unlisted = "exempt"` a
//! user would get in unjailed.

use std::{ffi::CStr, fmt, fs, io};

use nix::errno::Errno;

use super::names::{Answer, ask_for_groups};
use crate::fault::errno_of_io;

/// Services that read files of this machine, or are asked through the C library itself. There is no daemon to be down.
const LOCAL: [&str; 6] = ["files", "compat", "db", "extrausers", "altfiles", "cache"];

/// The client of userdb: nss-systemd(8).
const USERDB: &str = "systemd";

/// Where whoever serves userdb has a socket.
const USERDB_SOCKETS: &str = "/run/systemd/userdb";

const NSSWITCH: &str = "/etc/nsswitch.conf";

/// The databases of nsswitch.conf(5) that a login asks.
const GROUPS: [&str; 3] = ["initgroups", "group", "group_compat"];
const ACCOUNTS: [&str; 4] = ["passwd", "passwd_compat", "shadow", "shadow_compat"];

/// A service that has not said whether the user is in groups of its.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// Its name in nsswitch.conf(5).
    pub service: String,
    /// What it said instead; nothing where it has no module.
    pub errno: Option<Errno>,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the service {:?} of {NSSWITCH} ", self.service)?;
        match self.errno {
            Some(errno) => write!(f, "does not answer: {}", errno.desc()),
            None => f.write_str("has no module that could be asked"),
        }
    }
}

/// Asks every service for groups by itself; gives the first that does not answer.
pub(crate) fn unanswered(user: &CStr) -> Option<Unanswered> {
    let text = match fs::read(NSSWITCH) {
        Ok(text) => text,
        // Without the file the C library asks files alone.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            return Some(Unanswered {
                service: "files".to_owned(),
                errno: Some(errno_of_io(&error)),
            });
        }
    };
    // Any byte is a character here: what is no name of a service has no module.
    let text: String = text.into_iter().map(char::from).collect();
    for service in services(&text, &GROUPS) {
        let errno = match ask_for_groups(&service, user) {
            Answer::Answered => continue,
            // No service has its socket in /run/systemd/userdb: there is nobody who could be down.
            Answer::Unavailable(Errno::ESRCH) if service == USERDB => continue,
            Answer::Unavailable(errno) => Some(errno),
            Answer::NoModule => None,
        };
        return Some(Unanswered { service, errno });
    }
    None
}

/// Tells whether a service that accounts or groups are looked up in may keep whoever asks waiting: one that is not local.
pub(crate) fn may_stall() -> bool {
    let all = match fs::read(NSSWITCH) {
        Ok(text) => {
            let text: String = text.into_iter().map(char::from).collect();
            services(&text, &[&ACCOUNTS[..], &GROUPS[..]].concat())
        }
        Err(error) => return error.kind() != io::ErrorKind::NotFound,
    };
    all.iter().any(|service| service != USERDB || has_userdb())
}

/// Tells whether anybody serves userdb, whom nss-systemd(8) would ask.
fn has_userdb() -> bool {
    fs::read_dir(USERDB_SOCKETS).map_or_else(
        |error| error.kind() != io::ErrorKind::NotFound,
        |mut sockets| sockets.next().is_some(),
    )
}

/// Lists the services of some databases that are not local: those of every line of nsswitch.conf(5) that the C library may go
/// by. For groups that is `initgroups` or `group`, the first or the last of them, and `group_compat` behind `compat`.
fn services(text: &str, databases: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let Some((name, services)) = line.split_once(':') else {
            continue;
        };
        if !databases.contains(&name.trim()) {
            continue;
        }
        for service in without_actions(services).split_whitespace() {
            if !LOCAL.contains(&service) && !all.iter().any(|known| known == service) {
                all.push(service.to_owned());
            }
        }
    }
    all
}

/// Takes the actions out, such as `[NOTFOUND=return]`, between which and a service there need be no space.
fn without_actions(services: &str) -> String {
    let mut inside = false;
    services
        .chars()
        .map(|character| match character {
            '[' => {
                inside = true;
                ' '
            }
            ']' => {
                inside = false;
                ' '
            }
            _ if inside => ' ',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::GROUPS;

    fn services(text: &str) -> Vec<String> {
        super::services(text, &GROUPS)
    }

    #[test]
    fn only_services_that_can_be_down_are_asked() {
        assert_eq!(services("group: files altfiles\npasswd: ldap"), [""; 0]);
        assert_eq!(
            services("# group: x\n group : files ldap # sss\n"),
            ["ldap"]
        );
        assert_eq!(
            services("group: sss [ NOTFOUND=return ] files [!UNAVAIL=merge] winbind"),
            ["sss", "winbind"]
        );
        assert_eq!(
            services("group: sss\ninitgroups: files ldap"),
            ["sss", "ldap"]
        );
        assert_eq!(services("group: files\ngroup: files ldap"), ["ldap"]);
        assert_eq!(
            services("group: files [NOTFOUND=continue]ldap[SUCCESS=merge]sss"),
            ["ldap", "sss"]
        );
        assert_eq!(services("group: compat\ngroup_compat: ldap"), ["ldap"]);
        assert_eq!(services("# f\u{fc}r ldap\ngroup: ldap"), ["ldap"]);
        assert_eq!(services("group: files systemd"), ["systemd"]);
        assert_eq!(services(""), [""; 0]);
    }
}
