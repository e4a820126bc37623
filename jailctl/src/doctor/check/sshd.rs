//! What sshd does for a jailed user by itself: it never asks the login shell for it. See sshd_config(5).
//!
//! [`criteria`] decides about which connections sshd is asked, [`resolved`] asks, [`lines`] writes what mends. [`acts`],
//! [`door`] and [`keys`] judge what sshd said. [`account`] judges whether sshd lets the account in at all, by [`lists`] and
//! [`host_keys`].

mod account;
mod acts;
pub(crate) mod asked;
mod criteria;
mod door;
mod host_keys;
mod key_file;
mod keys;
pub(crate) mod lines;
mod lists;
mod resolved;
pub(crate) mod usual;

use std::path::{Path, PathBuf};

use crate::progress::Progress;

use crate::{
    accounts::account::Jailed,
    doctor::check::{Finding, Report},
    failure::Failure,
    shell::shown,
};

use criteria::{Connection, Connections};
pub(crate) use host_keys::obeyed;
pub(crate) use key_file::leading_to_shell;
use resolved::Resolved;

/// Checks what sshd resolves for each jailed user, by each connection that its config tells apart.
pub(crate) fn check(
    report: &mut Report,
    jailed: &[Jailed],
    config: &Path,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let connections = Connections::of(config);
    let mut asked = false;
    for one in jailed {
        progress.add(1);
        let mut known: Vec<(Resolved, Vec<Finding>)> = Vec::new();
        for connection in &connections.all {
            let resolved = match Resolved::of(&one.identity, config, connection)? {
                Some(Ok(resolved)) => resolved,
                Some(Err(said)) => {
                    report.leave_unchecked(format!("sshd: sshd -T says: {said}"));
                    return Ok(());
                }
                None => return Ok(()),
            };
            asked = true;
            if known.iter().any(|(it, _)| *it == resolved) {
                continue;
            }
            let (found, unread) = of_user(one, &resolved, config);
            for what in unread {
                report.leave_unchecked(what);
            }
            let is_new = |it: &&Finding| !known.iter().any(|(_, before)| before.contains(it));
            for finding in found.iter().filter(is_new) {
                report.add(by(connection, finding.clone()).of(one));
            }
            known.push((resolved, found));
        }
    }
    if asked {
        for what in &connections.untried {
            report.leave_unchecked(format!("sshd: {what}"));
        }
    }
    Ok(())
}

/// Checks whether sshd lets one account in at all.
pub(crate) fn check_account(
    report: &mut Report,
    jailed: &Jailed,
    config: &Path,
) -> Result<(), Failure> {
    let connections = Connections::of(config);
    let mut known: Vec<Finding> = Vec::new();
    for connection in &connections.all {
        let resolved = match Resolved::of(&jailed.identity, config, connection)? {
            Some(Ok(resolved)) => resolved,
            Some(Err(said)) => {
                report.leave_unchecked(format!("sshd: sshd -T says: {said}"));
                return Ok(());
            }
            None => return Ok(()),
        };
        let (found, unread) = account::check(jailed, &resolved, config);
        unread.into_iter().for_each(|it| report.leave_unchecked(it));
        for finding in found {
            if !known.contains(&finding) {
                report.add(by(connection, finding.clone()).of(jailed));
                known.push(finding);
            }
        }
    }
    Ok(())
}

/// Says by which connection it is so, where it is not the usual one.
fn by(connection: &Connection, finding: Finding) -> Finding {
    match connection.words() {
        None => finding,
        Some(words) => Finding {
            what: format!("{} (for connections with {})", finding.what, shown(words)),
            ..finding
        },
    }
}

/// Lists the files in which sshd looks for a user's keys and which the user can write from inside.
pub(crate) fn written_keys(jailed: &Jailed, config: &Path) -> Result<Vec<PathBuf>, Failure> {
    of_each_connection(jailed, config, keys::written)
}

/// Lists the parts of paths for which sshd takes no keys, where they belong to the user and are in the home.
pub(crate) fn ignored_keys(jailed: &Jailed, config: &Path) -> Result<Vec<PathBuf>, Failure> {
    of_each_connection(jailed, config, host_keys::users_own_ignored)
}

/// Gives the file of keys in the jail's home, where sshd finds no other and looks for one in the home on the host.
pub(crate) fn keys_only_inside(jailed: &Jailed, config: &Path) -> Result<Option<PathBuf>, Failure> {
    let files = of_each_connection(jailed, config, |jailed, resolved| {
        host_keys::only_inside(jailed, resolved)
            .into_iter()
            .collect()
    });
    Ok(files?.pop())
}

/// Gives the paths that concern a user by one connection or the other, each once.
fn of_each_connection(
    jailed: &Jailed,
    config: &Path,
    find: impl Fn(&Jailed, &Resolved) -> Vec<PathBuf>,
) -> Result<Vec<PathBuf>, Failure> {
    let mut files: Vec<PathBuf> = Vec::new();
    for connection in &Connections::of(config).all {
        match Resolved::of(&jailed.identity, config, connection)? {
            Some(Ok(resolved)) => files.extend(find(jailed, &resolved)),
            Some(Err(said)) => {
                return Err(Failure::Failed(format!("sshd -T says: {}", shown(said))));
            }
            None => {}
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// Gives what is wrong, and what could not be looked at.
fn of_user(jailed: &Jailed, resolved: &Resolved, config: &Path) -> (Vec<Finding>, Vec<String>) {
    let (mut found, mut unread) = keys::check(jailed, resolved, config);
    let (refusing, unknown) = account::check(jailed, resolved, config);
    found.extend(refusing);
    unread.extend(unknown);
    found.extend(door::door(jailed, resolved, config));
    // Otherwise what sshd does for the user it does in the jail, which the session is in before any of it.
    if resolved.session_is_jailed() {
        found.extend(acts::forced_inside(jailed, resolved));
    } else {
        found.extend(acts::own_code(jailed, resolved, config));
        found.extend(acts::sftp(resolved, config));
        found.extend(acts::forced(jailed, resolved));
    }
    found.extend(acts::forwardings(jailed, resolved, config));
    (found, unread)
}
