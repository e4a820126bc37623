//! What sshd does for a user on the usual connection, as `jailctl explain` says it.

use std::path::Path;

use serde::Serialize;

use super::{
    acts,
    criteria::Connections,
    host_keys::{self, KeyFile},
    resolved::Resolved,
};
use crate::{
    accounts::account::Jailed, doctor::check::FindingKind, failure::Failure, shell::shown,
};

/// What sshd does for one user.
#[derive(Debug, Serialize)]
pub(crate) struct Usual {
    /// What it forwards: the keywords that are not `no`.
    pub(crate) forwards: Vec<&'static str>,
    /// The machines that it lets clients connect to by -L and -J; nothing where it lets them connect to all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) targets: Vec<String>,
    /// Whether its own process for the connection is in the jail, and with it what it forwards.
    pub(crate) is_inside: bool,
    /// Whether it serves SFTP by itself, with the whole host: for all, or for whoever has one of the keys.
    pub(crate) serves_host: bool,
    /// What it runs in place of what a client asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) forced: Option<String>,
    /// Whether it takes keys at all.
    pub(crate) takes_keys: bool,
    /// The files in which it looks for them.
    pub(crate) keys: Vec<KeyFile>,
    /// A program that it asks for keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_command: Option<String>,
    /// Whether it lets the user in by a password.
    pub(crate) takes_passwords: bool,
}

/// Asks sshd. Nothing where there is none, and what it said where it did not answer.
pub(crate) fn of(jailed: &Jailed, config: &Path) -> Result<Option<Result<Usual, String>>, Failure> {
    let connections = Connections::of(config);
    let Some(connection) = connections.all.first() else {
        return Ok(None);
    };
    let answer = Resolved::of(&jailed.identity, config, connection)?;
    Ok(answer.map(|said| said.map(|resolved| usual(jailed, &resolved, config))))
}

fn usual(jailed: &Jailed, resolved: &Resolved, config: &Path) -> Usual {
    let (found, _) = super::of_user(jailed, resolved, config);
    let set = |keyword: &str| {
        let value = resolved.value(keyword);
        (!["", "none"].contains(&value)).then(|| shown(value))
    };
    Usual {
        forwards: acts::open_forwardings(resolved)
            .map(|it| it.keyword)
            .collect(),
        targets: targets(resolved),
        is_inside: resolved.session_is_jailed(),
        serves_host: found.iter().any(|it| it.kind == FindingKind::SshdSftp),
        forced: resolved.forced().map(shown),
        takes_keys: !resolved.is_no("PubkeyAuthentication"),
        keys: host_keys::states(jailed, resolved),
        key_command: set("AuthorizedKeysCommand"),
        takes_passwords: !resolved.is_no("PasswordAuthentication")
            || !resolved.is_no("KbdInteractiveAuthentication"),
    }
}

/// Lists what PermitOpen allows.
fn targets(resolved: &Resolved) -> Vec<String> {
    let words = resolved.all("PermitOpen").flat_map(str::split_whitespace);
    words.filter(|it| *it != "any").map(shown).collect()
}
