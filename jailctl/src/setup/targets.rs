//! Who comes into a jail by a set-up, and who must not.

use std::collections::BTreeSet;

use jail::{account::identity::Identity, door::decision::Config};
use jail_config::{Decision, RuleKind};

use super::{
    accounts::{GROUP, PASSWD},
    guard::{self, Reach},
    many::host::Host,
};
use crate::{
    accounts::administrators::Administrators,
    door::{JAIL_SHELL_PATH, has_jail_shell},
    failure::Failure,
    shell::{quoted, shown},
};

/// Groups whose members can become root or read every file, by a device, or by a daemon that does what they ask for. Those by sudo(8)
/// and doas(1) are [`Administrators`].
const POWERFUL: [&str; 8] = [
    "root",
    "disk",
    "shadow",
    "kmem",
    "docker",
    "lxd",
    "incus-admin",
    "libvirt",
];

/// A user whom a set-up jails.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: String,
    /// The account; nothing where it is to be made.
    pub(super) identity: Option<Identity>,
    /// Whether the command line names the user; others are members of the group already.
    pub(super) is_named: bool,
    /// Whether the user is in the group already.
    pub(super) is_member: bool,
}

/// Finds everybody whom the rule for a group jails: those who are asked for, and the members that the group has.
///
/// # Errors
/// One of them must not be jailed, or is not jailed by this rule.
pub(super) fn of(
    users: &[String],
    group: &str,
    config: &Config,
    host: &Host,
) -> Result<Vec<Target>, Failure> {
    let members = host.members(group)?;
    let mut targets: Vec<Target> = Vec::new();
    for name in users.iter().chain(&members) {
        if targets.iter().any(|it| it.name == *name) {
            continue;
        }
        let identity = host.identity(name)?;
        if identity.is_none() {
            refuse_name(name).map_err(|why| Failure::Usage(format!("--user {why}")))?;
        }
        targets.push(Target {
            is_named: users.contains(name),
            is_member: members.contains(name),
            name: name.clone(),
            identity,
        });
    }
    let unchanged = |why| Failure::Failed(format!("nothing was changed, because {why}"));
    let found = host.group(group)?;
    for target in &targets {
        refuse(target, group, config).map_err(|stop| match stop {
            Stop::Wrong(why) => unchanged(why),
            Stop::Failure(failure) => failure,
        })?;
        refuse_of_service(target, group, host, found).map_err(unchanged)?;
    }
    let reach = Reach {
        users: targets.iter().map(|it| it.name.as_str()).collect(),
        groups: BTreeSet::from([group]),
    };
    guard::refuse(&reach, Some(config), config)?;
    let administrators = Administrators::read();
    let gid = found.map(|(gid, _)| gid);
    for target in targets.iter().filter(|it| !it.is_member) {
        refuse_powerful(&administrators, &target.name, group, gid).map_err(unchanged)?;
    }
    Ok(targets)
}

/// What keeps a user from being planned.
pub(super) enum Stop {
    /// It is wrong, in words; the others are looked at all the same.
    Wrong(String),
    /// Nothing more can be looked at.
    Failure(Failure),
}

impl From<String> for Stop {
    fn from(what: String) -> Stop {
        Stop::Wrong(what)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failure(failure)
    }
}

/// Refuses a name that no account is made of.
pub(super) fn refuse_name(name: &str) -> Result<(), String> {
    match is_name(name) {
        true => Ok(()),
        false => Err(format!(
            "{}: there is no such account, and none of this name is made; use a to z, 0 to 9, - and _",
            shown(name)
        )),
    }
}

/// Says that a user is exempt, whatever rule is for a group.
pub(super) fn exempted(line: usize, user: &str) -> String {
    let user = shown(user);
    format!("line {line} of the config exempts {user}, which comes before the rule")
}

/// Says that the host's programs don't change an account, which a directory service has.
pub(super) fn account_elsewhere(user: &str) -> String {
    let user = shown(user);
    format!(
        "the account {user} is not in {PASSWD}; set its login shell to {JAIL_SHELL_PATH} where it is"
    )
}

/// Says that the host's programs don't change a group, which a directory service has.
pub(super) fn group_elsewhere(group: &str, user: &str) -> String {
    let (group, user) = (shown(group), shown(user));
    format!("the group {group} is not in {GROUP}; put {user} into it where it is")
}

/// Refuses to bring a user into a group that gives away the machine, and says what brings the user there all the same.
pub(super) fn refuse_powerful(
    administrators: &Administrators,
    user: &str,
    group: &str,
    gid: Option<u32>,
) -> Result<(), String> {
    let is_powerful = POWERFUL.contains(&group) || administrators.groups.contains(group);
    if !is_powerful && gid.is_none_or(|gid| gid != 0 && !administrators.gids.contains(&gid)) {
        return Ok(());
    }
    Err(format!(
        "members of the group {0} can take over this machine or read all of it, so {1} is not brought into it; give another group, \
         or run first: gpasswd -a {1} {0}",
        shown(group),
        quoted(user)
    ))
}

/// Tells whether groups and accounts of this name can be made everywhere: useradd(8).
pub(super) fn is_name(name: &str) -> bool {
    let is_first = |it: char| it.is_ascii_lowercase() || it == '_';
    let is_next = |it: char| is_first(it) || it.is_ascii_digit() || it == '-';
    name.len() <= 32 && name.starts_with(is_first) && name.chars().all(is_next)
}

/// Refuses a user who must not come into this jail, or would not.
fn refuse(target: &Target, group: &str, config: &Config) -> Result<(), Stop> {
    guard::refuse_account(&target.name, target.identity.as_ref())?;
    let Some(identity) = &target.identity else {
        return Ok(());
    };
    match config.decide(identity).map_err(Failure::from)? {
        Decision::Exempt(rule) => Err(exempted(rule.line, &target.name).into()),
        Decision::Jail(jail) if jail.rule.kind != RuleKind::Group(group.to_owned()) => {
            let what = format!(
                "another rule jails {name} already: {}; take it away by jailctl release {name}",
                shown(jail.rule.to_string()),
                name = shown(&target.name)
            );
            Err(what.into())
        }
        _ => Ok(()),
    }
}

/// Refuses accounts and groups of a directory service, where the host's programs would have to change them.
fn refuse_of_service(
    target: &Target,
    group: &str,
    host: &Host,
    found: Option<(u32, bool)>,
) -> Result<(), String> {
    let Some(identity) = &target.identity else {
        return Ok(());
    };
    if !has_jail_shell(identity) && !host.is_local(&target.name) {
        return Err(account_elsewhere(&target.name));
    }
    match found {
        Some((_, false)) if !target.is_member => Err(group_elsewhere(group, &target.name)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_that_other_programs_read_otherwise_are_none() {
        for (name, fine) in [
            ("ann", true),
            ("_a-1", true),
            ("Ann", false),
            ("-a", false),
            ("1a", false),
            ("a b", false),
            ("a:b", false),
            ("a.b", false),
            ("", false),
        ] {
            assert_eq!(is_name(name), fine, "{name}");
        }
    }
}
