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

const NSSWITCH: &str = "/etc/nsswitch.conf";

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
    for service in for_groups(&text) {
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

/// Lists the services for groups that are not local: those of every line of nsswitch.conf(5) that the C library may go
/// by, which is `initgroups` or `group`, the first or the last of them, and `group_compat` behind `compat`.
fn for_groups(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let Some((name, services)) = line.split_once(':') else {
            continue;
        };
        if !["initgroups", "group", "group_compat"].contains(&name.trim()) {
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
    use super::for_groups;

    fn services(text: &str) -> Vec<String> {
        for_groups(text)
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
