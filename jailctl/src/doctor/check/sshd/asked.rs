//! What sshd says of a user, by all connections that its config tells apart.

use std::{ffi::OsStr, path::Path};

use jail::{account::identity::Identity, plan::request::program_of};

use super::{criteria::Connections, resolved::Resolved};
use crate::{door::is_jail_shell, pam};

/// Tells whether sshd forces jail-shell on a user whatever the connection. Nothing where sshd does not answer, as to somebody who
/// is not root, and where not every connection can be tried.
pub(crate) fn forces_jail_shell(identity: &Identity, config: &Path) -> Option<bool> {
    let connections = Connections::of(config);
    let mut is_known = connections.untried.is_empty();
    for connection in &connections.all {
        let resolved = match Resolved::of(identity, config, connection) {
            Ok(Some(Ok(resolved))) => resolved,
            // There is no sshd.
            Ok(None) => return Some(false),
            Ok(Some(Err(_))) | Err(_) => {
                is_known = false;
                continue;
            }
        };
        let program = resolved
            .forced()
            .and_then(|forced| program_of(OsStr::new(forced)));
        if !program.is_some_and(|program| is_jail_shell(&program)) {
            return Some(false);
        }
    }
    is_known.then_some(true)
}

/// Lists what sshd runs for a user in place of what a client asks for, by one connection or the other, as far as sshd can be
/// asked.
pub(crate) fn forced_commands(identity: &Identity, config: &Path) -> Vec<String> {
    let mut forced: Vec<String> = Vec::new();
    for connection in &Connections::of(config).all {
        if let Ok(Some(Ok(resolved))) = Resolved::of(identity, config, connection) {
            forced.extend(resolved.forced().map(str::to_owned));
        }
    }
    forced.sort();
    forced.dedup();
    forced
}

/// Tells whether pam_jail.so puts sshd's own process for the connection into the jail. An sshd that can't be asked, as by
/// somebody who is not root, is taken to ask PAM for sshd, as distributions set it up.
pub(crate) fn session_is_jailed(identity: &Identity, config: &Path) -> bool {
    // Match blocks have no say in it.
    let connections = Connections::of(config);
    let Some(connection) = connections.all.first() else {
        return false;
    };
    match Resolved::of(identity, config, connection) {
        Ok(Some(Ok(resolved))) => resolved.session_is_jailed(),
        Ok(Some(Err(_))) => pam::jails("sshd"),
        Ok(None) | Err(_) => false,
    }
}
