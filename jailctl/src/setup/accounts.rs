//! Groups, accounts and login shells, changed by the host's own programs: groupadd(8), useradd(8), gpasswd(1), usermod(8).

use std::{collections::BTreeSet, path::Path};

use jail::account::{
    identity::{Identity, IdentityError},
    names,
};
use jail::door::refusal::Refusal;
use nix::errno::Errno;

use super::{command::Command, file};
use crate::{
    accounts::shells,
    door::JAIL_SHELL_PATH,
    failure::Failure,
    process::Process,
    shell::{quoted, shown},
};

/// Where accounts that are made have their homes.
pub(super) const HOMES: &str = "/home";

/// The files that list accounts and groups, and those beside them that have passwords.
pub(super) const PASSWD: &str = "/etc/passwd";
pub(super) const GROUP: &str = "/etc/group";
pub(super) const SHADOW: &str = "/etc/shadow";
pub(super) const GSHADOW: &str = "/etc/gshadow";

pub(super) fn make_group(name: &str, gid: u32) -> Command {
    Command::of(&["groupadd", "-g", &gid.to_string(), name])
}

pub(super) fn remove_group(name: &str) -> Command {
    Command::of(&["groupdel", name])
}

/// Keeps useradd(8) from giving an account ids for containers.
const NO_SUBORDINATE_IDS: [&str; 4] = ["-K", "SUB_UID_COUNT=0", "-K", "SUB_GID_COUNT=0"];

/// Makes an account that a key opens and no password: an asterisk is no password and, unlike the default, no lock.
pub(super) fn make_account(user: &str, group: &str, uid: u32) -> Command {
    let (home, uid) = (format!("{HOMES}/{user}"), uid.to_string());
    let head = ["useradd", "-u", &uid, "-M", "-U", "-p", "*"];
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

/// Gives the members that a group lists, and its gid; nothing where there is no such group. A name of digits is a name, which it
/// would not be for getent(1).
pub(super) fn group(name: &str) -> Result<Option<(u32, Vec<String>)>, Failure> {
    let found = names::group(name);
    let found = found.map_err(|errno| failed("the group", name, errno))?;
    Ok(found.map(|it| (it.gid.as_raw(), it.mem)))
}

/// Gives the login shell of an account as passwd(5) has it, which may be nothing.
pub(super) fn login_shell(user: &str) -> Result<String, Failure> {
    let found = names::user(user).map_err(|errno| failed("the account", user, errno))?;
    let found = found.ok_or_else(|| failed("the account", user, Errno::ENOENT))?;
    Ok(found.shell.to_string_lossy().into_owned())
}

fn failed(what: &str, name: &str, errno: Errno) -> Failure {
    Failure::Failed(format!("look up {what} {}: {errno}", shown(name)))
}

/// Says that an account or a group is not the one that the set-up has made or changed, where it is not: a name can be given again.
pub(super) fn other(what: &str, name: &str, was: u32, is: Option<u32>) -> Option<String> {
    let is = is.filter(|is| *is != was)?;
    Some(format!(
        "{what} {}: it stays as it is, because it is another one now, number {is} and not {was}",
        shown(name)
    ))
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
pub(super) fn remove(user: &str, uid: u32) -> Result<bool, Failure> {
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
    // useradd(8) gives the group the same number.
    let is_own = |(gid, members): (u32, Vec<String>)| gid == uid && members.is_empty();
    let is_left = group(user)?.is_none_or(is_own) && remove_empty_group(user, uid)?;
    Ok(is_there || is_half || is_left)
}

/// Removes a group that has no members, and tells whether there was something to remove.
pub(super) fn remove_empty_group(name: &str, gid: u32) -> Result<bool, Failure> {
    let is_there = group(name)?.is_some();
    let is_half = !is_there && line_of(GSHADOW, name)?.is_some();
    if is_half {
        make_group(name, gid).run()?;
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
