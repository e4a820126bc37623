//! Whether all that was to say something about a user's groups has said it.
//!
//! A service that is down takes its groups away without a word (see [`sys::nss`](crate::sys::nss)). Where a rule by
//! group, or that of those without a rule, then decides, it decides by half of the facts: with `unlisted = "exempt"` a
//! user would get in unjailed.

use std::{ffi::CStr, fmt, fs};

use nix::errno::Errno;

use crate::sys::nss::{Answer, ask_for_groups};

/// Services that read files of this machine, or are asked through the C library itself. There is no daemon to be down.
const LOCAL: [&str; 7] = [
    "files",
    "compat",
    "db",
    "extrausers",
    "altfiles",
    "systemd",
    "cache",
];

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
    // Without the file the C library asks files alone.
    let text = fs::read_to_string(NSSWITCH).unwrap_or_default();
    for service in for_groups(&text) {
        let errno = match ask_for_groups(service, user) {
            Answer::Answered => continue,
            Answer::Unavailable(errno) => Some(errno),
            Answer::NoModule => None,
        };
        return Some(Unanswered {
            service: service.to_owned(),
            errno,
        });
    }
    None
}

/// Lists the services for groups that are not local, as nsswitch.conf(5) has them: the line `initgroups` if there is
/// one, else `group`.
fn for_groups(text: &str) -> impl Iterator<Item = &str> {
    let line = |database: &str| {
        text.lines().find_map(|line| {
            let line = line.split('#').next().unwrap_or_default();
            let (name, services) = line.split_once(':')?;
            (name.trim() == database).then_some(services)
        })
    };
    let services = line("initgroups")
        .or_else(|| line("group"))
        .unwrap_or_default();
    let mut in_action = false;
    services.split_whitespace().filter(move |word| {
        // [NOTFOUND=return], which may have spaces in it.
        let action = in_action || word.starts_with('[');
        in_action = action && !word.ends_with(']');
        !action && !LOCAL.contains(word) && !word.contains('/')
    })
}

#[cfg(test)]
mod tests {
    use super::for_groups;

    fn services(text: &str) -> Vec<&str> {
        for_groups(text).collect()
    }

    #[test]
    fn only_services_that_can_be_down_are_asked() {
        assert_eq!(services("group: files systemd\npasswd: ldap"), [""; 0]);
        assert_eq!(
            services("# group: x\n group : files ldap # sss\n"),
            ["ldap"]
        );
        assert_eq!(
            services("group: sss [ NOTFOUND=return ] files [!UNAVAIL=merge] winbind"),
            ["sss", "winbind"]
        );
        assert_eq!(services("group: sss\ninitgroups: files ldap"), ["ldap"]);
        assert_eq!(services(""), [""; 0]);
    }
}
