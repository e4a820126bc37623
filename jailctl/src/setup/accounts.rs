//! Groups, accounts and login shells, changed by the host's own programs: groupadd(8), useradd(8), gpasswd(1), usermod(8).

use std::{collections::BTreeSet, path::Path};

use jail::account::identity::{Identity, IdentityError};
use jail::door::refusal::Refusal;

use super::{command::Command, file};
use crate::{
    accounts::shells,
    door::JAIL_SHELL_PATH,
    failure::Failure,
    process::Process,
    shell::{self, quoted, shown},
};

/// Where accounts that are made have their homes.
pub(super) const HOMES: &str = "/home";

/// The files that list accounts and groups, and those beside them that have passwords.
pub(super) const PASSWD: &str = "/etc/passwd";
pub(super) const GROUP: &str = "/etc/group";
pub(super) const SHADOW: &str = "/etc/shadow";
pub(super) const GSHADOW: &str = "/etc/gshadow";

pub(super) fn make_group(name: &str) -> Command {
    Command::of(&["groupadd", name])
}

pub(super) fn remove_group(name: &str) -> Command {
    Command::of(&["groupdel", name])
}

/// Keeps useradd(8) from giving an account ids for containers.
const NO_SUBORDINATE_IDS: [&str; 4] = ["-K", "SUB_UID_COUNT=0", "-K", "SUB_GID_COUNT=0"];

/// Makes an account that a key opens and no password: an asterisk is no password and, unlike the default, no lock.
pub(super) fn make_account(user: &str, group: &str) -> Command {
    let home = format!("{HOMES}/{user}");
    let head = ["useradd", "-M", "-U", "-p", "*"];
    let tail = ["-G", group, "-d", &home, "-s", JAIL_SHELL_PATH, user];
    Command::of(&[head.as_slice(), &NO_SUBORDINATE_IDS, &tail].concat())
}

pub(super) fn remove_account(user: &str) -> Command {
    Command::of(&["userdel", user])
}

pub(super) fn join(user: &str, group: &str) -> Command {
    Command::of(&["gpasswd", "-a", user, group])
}

pub(super) fn leave(user: &str, group: &str) -> Command {
    Command::of(&["gpasswd", "-d", user, group])
}

pub(super) fn set_shell(user: &str, to: &str) -> Command {
    Command::of(&["usermod", "-s", to, user])
}

/// Looks an account up; nothing where there is none.
pub(super) fn identity(user: &str) -> Result<Option<Identity>, Failure> {
    match Identity::named(user) {
        Ok(identity) => Ok(Some(identity)),
        Err(IdentityError::Unknown(_)) => Ok(None),
        Err(error) => Err(Refusal::Identity(error).into()),
    }
}

/// Gives the members that a group lists, and its gid; nothing where there is no such group.
pub(super) fn group(name: &str) -> Result<Option<(u32, Vec<String>)>, Failure> {
    let failed = || Failure::Failed(format!("look up the group {name}: getent group failed"));
    let answer = shell::ask("getent", &["group", name])?.ok_or_else(failed)?;
    match answer.status.code() {
        Some(0) => {}
        // getent(1): the key was not found.
        Some(2) => return Ok(None),
        _ => return Err(failed()),
    }
    let text = String::from_utf8_lossy(&answer.stdout);
    let fields: Vec<&str> = text.trim_end().split(':').collect();
    let (Some(gid), Some(members)) = (fields.get(2), fields.get(3)) else {
        return Err(failed());
    };
    let gid = gid.parse().map_err(|_| failed())?;
    let members = members.split(',').filter(|it| !it.is_empty());
    Ok(Some((gid, members.map(str::to_owned).collect())))
}

/// Gives the login shell of an account as passwd(5) has it, which may be nothing.
pub(super) fn login_shell(user: &str) -> Result<String, Failure> {
    let failed = || Failure::Failed(format!("look up {}: getent passwd failed", shown(user)));
    let answer = shell::ask("getent", &["passwd", user])?.ok_or_else(failed)?;
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    let shell = text.trim_end_matches('\n').splitn(7, ':').nth(6);
    shell.map(str::to_owned).ok_or_else(failed)
}

/// Tells whether an account is in a group.
pub(super) fn is_member(user: &str, group: &str) -> Result<bool, Failure> {
    let identity = identity(user)?;
    Ok(identity.is_some_and(|it| it.group_names.iter().any(|name| name == group)))
}

/// Gives jail-shell to an account, and keeps the shell in mind that it has, for `jailctl release`.
pub(super) fn jail(user: &str) -> Result<(), Failure> {
    if let Some(identity) = identity(user)? {
        shells::remember(&identity)?;
    }
    set_shell(user, JAIL_SHELL_PATH).run()
}

/// Gives an account the shell from before, unless somebody has given it another one.
pub(super) fn unjail(user: &str, before: &str) -> Result<bool, Failure> {
    let identity = identity(user)?;
    let is_jailed = identity.is_some_and(|it| it.shell == Path::new(JAIL_SHELL_PATH));
    if is_jailed {
        set_shell(user, before).run()?;
    }
    shells::forget(user)?;
    Ok(is_jailed)
}

/// Removes an account that was made, with the group of its name, if useradd has made that and userdel has left it. Tells
/// whether there was something to remove.
pub(super) fn remove(user: &str) -> Result<bool, Failure> {
    let is_there = identity(user)?.is_some();
    // A program that was killed between two files: made as a whole again, it can be removed as a whole.
    let is_half = !is_there && line_of(SHADOW, user)?.is_some();
    if is_half {
        let (head, tail) = (["useradd", "-M", "-N"], ["-d", "/", user]);
        Command::of(&[head.as_slice(), &NO_SUBORDINATE_IDS, &tail].concat()).run()?;
    }
    if is_there || is_half {
        remove_account(user).run()?;
    }
    let is_left = group(user)?.is_none_or(|(_, members)| members.is_empty());
    let is_left = is_left && remove_empty_group(user)?;
    Ok(is_there || is_half || is_left)
}

/// Removes a group that has no members, and tells whether there was something to remove.
pub(super) fn remove_empty_group(name: &str) -> Result<bool, Failure> {
    let is_there = group(name)?.is_some();
    let is_half = !is_there && line_of(GSHADOW, name)?.is_some();
    if is_half {
        make_group(name).run()?;
    }
    if is_there || is_half {
        remove_group(name).run()?;
    }
    Ok(is_there || is_half)
}

/// Takes a user out of a group, and tells whether there was something to do.
pub(super) fn remove_member(user: &str, group: &str) -> Result<bool, Failure> {
    let is_there = is_member(user, group)?;
    let members = line_of(GSHADOW, group)?;
    let members = members.as_deref().and_then(|line| line.rsplit(':').next());
    let is_half = !is_there && members.is_some_and(|it| it.split(',').any(|name| name == user));
    if is_half && self::group(group)?.is_some() {
        join(user, group).run()?;
    } else if !is_there {
        return Ok(false);
    }
    leave(user, group).run()?;
    Ok(true)
}

/// Tells whether a file of the host has an account or a group, and not a directory service.
pub(super) fn is_local(file: &str, name: &str) -> Result<bool, Failure> {
    Ok(line_of(file, name)?.is_some())
}

/// Gives the line of a name in a file such as passwd(5).
fn line_of(file: &str, name: &str) -> Result<Option<String>, Failure> {
    let text = file::read(Path::new(file))?.unwrap_or_default();
    let mut lines = text.lines();
    let line = lines.find(|line| line.split(':').next() == Some(name));
    Ok(line.map(str::to_owned))
}

/// Refuses to go on while an account has processes, which userdel(8) would refuse too late.
pub(super) fn refuse_running(user: &str) -> Result<(), Failure> {
    let Some(identity) = identity(user)? else {
        return Ok(());
    };
    if Process::still_running(&BTreeSet::from([identity.uid]))?.is_empty() {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "nothing was changed, because the account {0} goes and has processes; run: jailctl kick {0}",
        quoted(user)
    )))
}
