//! Which door a user comes through, as the host is set up.

use std::{fmt, path::Path};

use jail::account::identity::Identity;
use serde::Serialize;

use crate::{
    doctor::check::{sshd_forces_jail_shell, sshd_session_is_jailed},
    door::{Door, SSHD_CONFIG, has_jail_shell, has_no_shell},
    pam,
};

/// Gives the door that is in this user's way by ssh, so far as sshd can be asked: pam_jail.so, where sshd asks a stack that
/// has it, for it comes before anything that sshd starts, or else jail-shell. After that comes pam_jail.so in any other
/// stack. None: logins lead to the host.
pub(crate) fn by(identity: &Identity) -> Option<Door> {
    let config = Path::new(SSHD_CONFIG);
    let behind_pam = pam::jails_anywhere();
    if behind_pam && sshd_session_is_jailed(identity, config) {
        Some(Door::Pam)
    } else if has_jail_shell(identity) {
        Some(Door::LoginShell)
    } else if sshd_forces_jail_shell(identity, config) == Some(true) {
        Some(Door::ForceCommand)
    } else {
        behind_pam.then_some(Door::Pam)
    }
}

/// A door that is in a user's way.
#[derive(Debug, Serialize)]
pub(crate) struct InUse {
    /// The word for it.
    pub(crate) door: Door,
    /// The services whose PAM stack has it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    services: Vec<String>,
}

impl fmt::Display for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.door.name())?;
        match self.services.as_slice() {
            [] => Ok(()),
            services => write!(f, " ({})", services.join(", ")),
        }
    }
}

/// Lists the doors that are in this user's way, so far as sshd can be asked.
pub(crate) fn all(identity: &Identity) -> Vec<InUse> {
    let is_forced = || sshd_forces_jail_shell(identity, Path::new(SSHD_CONFIG)) == Some(true);
    let services: Vec<String> = pam::jailing().collect();
    let used = [
        (Door::LoginShell, has_jail_shell(identity)),
        (Door::ForceCommand, is_forced()),
        (Door::Pam, !services.is_empty()),
    ];
    used.into_iter()
        .filter(|(_, is_used)| *is_used)
        .map(|(door, _)| InUse {
            door,
            services: if door == Door::Pam {
                services.clone()
            } else {
                Vec::new()
            },
        })
        .collect()
}

/// Gives the door that a user has; where none is in use, the one that would be opened first.
pub(crate) fn of(identity: &Identity) -> Door {
    by(identity).unwrap_or(Door::LoginShell)
}

/// Lists the installed services by which this user's logins lead to the host, although others have a door.
pub(crate) fn past_doors(identity: &Identity) -> Vec<&'static str> {
    let mut services = match has_jail_shell(identity) || has_no_shell(identity) {
        true => Vec::new(),
        false => pam::open_doors(),
    };
    let is_forced = || sshd_forces_jail_shell(identity, Path::new(SSHD_CONFIG)) == Some(true);
    services.retain(|service| *service != "sshd" || !is_forced());
    services
}

/// Services that start the login shell of whoever comes in by them.
const STARTING_A_SHELL: [&str; 6] = ["login", "remote", "runuser-l", "su", "su-l", "sudo-i"];

/// Lists the services where pam_jail.so puts the session into the jail before jail-shell is started as login shell. There the
/// jail is the module's, and jail-shell is the jail's shell.
pub(crate) fn pam_before_jail_shell(identity: &Identity) -> Vec<String> {
    let services: Vec<String> = pam::jailing().collect();
    if services.is_empty() || !has_jail_shell(identity) {
        return Vec::new();
    }
    let by_ssh = sshd_session_is_jailed(identity, Path::new(SSHD_CONFIG));
    let others = STARTING_A_SHELL.iter().copied();
    let others = others.filter(|it| services.iter().any(|service| service == it));
    let all = by_ssh.then_some("sshd").into_iter().chain(others);
    all.map(str::to_owned).collect()
}
