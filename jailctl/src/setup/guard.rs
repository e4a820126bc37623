//! Whom no command jails: root, who calls it, and the last administrator. Setup, add and apply all ask here before they change
//! anything.

use std::{collections::BTreeSet, env, fs};

use jail::{
    account::{identity::Identity, names},
    door::decision::Config,
};
use jail_config::Decision;
use nix::unistd::{Gid, Uid};

use super::{accounts, many::host::Host};
use crate::{
    accounts::administrators::Administrators,
    doctor::check::account_is_open,
    door::{has_jail_shell, has_no_shell},
    failure::Failure,
    shell::shown,
};

/// Where sudo(8) and doas(1) say who calls.
const CALLERS: [&str; 2] = ["SUDO_USER", "DOAS_USER"];

/// Where the kernel says who has logged in, and sudo(8) who calls.
const LOGIN: &str = "/proc/self/loginuid";
const CALLER_UID: &str = "SUDO_UID";

/// Whom a change jails who was not jailed before.
pub(crate) struct Reach<'a> {
    /// Those whom it is about.
    pub(crate) users: BTreeSet<&'a str>,
    /// Groups that get a rule, or whose members sshd leads into their jail from then on.
    pub(crate) groups: BTreeSet<&'a str>,
}

impl Reach<'_> {
    fn covers(&self, identity: &Identity) -> bool {
        let mut groups = identity.group_names.iter().filter_map(|it| it.to_str());
        let name = identity.name.to_str();
        name.is_some_and(|it| self.users.contains(it)) || groups.any(|it| self.groups.contains(it))
    }
}

/// Refuses a change that would jail who calls this, or all administrators who could log in. `before` is the config as it is, and
/// `after` as it is to be.
///
/// # Errors
/// It would, or somebody can't be looked up.
pub(crate) fn refuse(
    reach: &Reach,
    before: Option<&Config>,
    after: &Config,
) -> Result<(), Failure> {
    let is_exempt = |it: &Identity| matches!(after.decide(it), Ok(Decision::Exempt(_)));
    let is_reached = |it: &Identity| reach.covers(it) && !is_exempt(it);
    for name in callers()? {
        // A directory service may not list who is in a group, so the caller's groups are asked for.
        let identity = accounts::identity(&name)?.filter(|it| !it.is_root());
        if identity.is_some_and(|it| is_reached(&it)) {
            return Err(Failure::Failed(format!(
                "nothing was changed, because {} is who calls this; the caller is never jailed",
                shown(&name)
            )));
        }
    }
    let is_jailed = |it: &Identity| {
        before.is_some_and(|config| matches!(config.decide(it), Ok(Decision::Jail(_))))
    };
    refuse_last_administrator(is_jailed, is_reached)
}

/// Refuses an account that is never jailed, whatever it is asked for.
pub(crate) fn refuse_account(name: &str, identity: Option<&Identity>) -> Result<(), String> {
    let shown = shown(name);
    if identity.is_some_and(Identity::is_root) {
        return Err(format!("{shown} has uid 0, which is never put into a jail"));
    }
    match is_caller(name, identity.map(|it| it.uid)) {
        true => Err(format!(
            "{shown} is who calls this; the caller is never jailed"
        )),
        false => Ok(()),
    }
}

/// Tells whether a user is who calls this program, as root by sudo(8), or as root by su(1) from a login of their own.
fn is_caller(name: &str, uid: Option<u32>) -> bool {
    let named = |variable: &str| env::var_os(variable).is_some_and(|it| it == *name);
    CALLERS.iter().any(|it| named(it)) || uid.is_some_and(|uid| caller_uids().contains(&uid))
}

/// Gives the uids of who calls: several names may have the same.
fn caller_uids() -> BTreeSet<u32> {
    let login = fs::read_to_string(LOGIN).ok();
    let uids = [login, env::var(CALLER_UID).ok()].into_iter().flatten();
    uids.filter_map(|it| it.trim().parse().ok()).collect()
}

fn callers() -> Result<BTreeSet<String>, Failure> {
    let mut callers: BTreeSet<String> = CALLERS.iter().filter_map(|it| env::var(it).ok()).collect();
    for uid in caller_uids() {
        let found = names::user_of(Uid::from_raw(uid));
        let found =
            found.map_err(|errno| Failure::Failed(format!("look up uid {uid}: {errno}")))?;
        callers.extend(found.map(|it| it.name));
    }
    Ok(callers)
}

fn refuse_last_administrator(
    is_jailed: impl Fn(&Identity) -> bool,
    is_reached: impl Fn(&Identity) -> bool,
) -> Result<(), Failure> {
    let administrators = Administrators::read();
    let mut names = administrators.users.clone();
    let mut groups = administrators.groups.clone();
    for gid in &administrators.gids {
        let group = names::group_of(Gid::from_raw(*gid)).ok().flatten();
        groups.extend(group.map(|it| it.name));
    }
    let host = Host::read()?;
    for group in groups {
        names.extend(host.members(&group)?);
    }
    for uid in &administrators.uids {
        let user = names::user_of(Uid::from_raw(*uid)).ok().flatten();
        names.extend(user.map(|it| it.name));
    }
    let mut open: Vec<Identity> = Vec::new();
    for name in names {
        let Some(identity) = accounts::identity(&name)? else {
            continue;
        };
        let has_shell = !has_no_shell(&identity) && !has_jail_shell(&identity);
        if has_shell && !is_jailed(&identity) && !identity.is_root() && account_is_open(&identity) {
            open.push(identity);
        }
    }
    match open.iter().find(|it| is_reached(it)) {
        Some(last) if open.iter().all(&is_reached) => Err(Failure::Failed(format!(
            "nothing was changed, because {} is the last administrator who can log in (by sudoers, doas.conf, or a group such as sudo); \
             the last one is never jailed",
            shown(&last.name)
        ))),
        _ => Ok(()),
    }
}
