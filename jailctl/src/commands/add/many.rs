//! `jailctl add` of several users, of a group, or of a list: one plan, journaled as a set-up is.

use std::path::{self, Path, PathBuf};

use jail::door::decision::CONFIG_DIRECTORY;

use crate::{
    accounts::edit::Lock,
    commands::{
        limited::limit_homes,
        setup::{report, show},
    },
    doctor::check::{self, Shows},
    door::Door,
    failure::{Failure, Verdict, need_root},
    output::{counted, print_json, say},
    setup::{
        engine,
        many::{
            plan, table,
            wanted::{Group, User, Wanted},
        },
    },
};

/// What marks the rules.
const COMMAND: &str = "jailctl add";

/// What is asked for.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) users: &'a [String],
    pub(super) jail: Option<&'a String>,
    pub(super) group: Option<&'a String>,
    /// A list of users, in place of the names.
    pub(super) from: Option<&'a PathBuf>,
    pub(super) create_accounts: bool,
    pub(super) key: Option<&'a String>,
    pub(super) until: Option<&'a String>,
    pub(super) door: Door,
    pub(super) dry_run: bool,
    pub(super) json: bool,
}

/// Adds them.
pub(super) fn run(directory: &Path, arguments: &Asked) -> Result<Verdict, Failure> {
    need_root("change the config and accounts")?;
    if directory != Path::new(CONFIG_DIRECTORY) {
        return Err(Failure::Usage(format!(
            "add: several users are added to the config that the doors read, {CONFIG_DIRECTORY}; leave --config out"
        )));
    }
    let mut faults = Vec::new();
    let wanted = wanted(arguments, &mut faults)?;
    let lock = Lock::take()?;
    engine::refuse_stopped()?;
    let plan = plan::make(&wanted, faults)?;
    if !arguments.json {
        show(&plan);
    }
    if plan.changes.is_empty() || arguments.dry_run {
        if arguments.json {
            print_json(&report(&plan, None, None)?)?;
        }
        return Ok(Verdict::Fine);
    }
    let id = engine::carry_out(plan.about.clone(), &plan.changes)?;
    let limited = limit_homes(directory, id, plan.about.users.clone())?;
    drop(lock);
    limited.print(arguments.json);
    let some = limited.checked_with(wanted.examples(&plan.about.users));
    let checked = check::of_users(directory, &some)?;
    if arguments.json {
        print_json(&report(&plan, Some(id), Some(&checked))?)?;
        return Ok(Verdict::of(checked.counts()));
    }
    say(format_args!(
        "added {}; to take this back, run: jailctl undo {id}",
        counted(plan.about.users.len(), "user")
    ));
    if matches!(arguments.door, Door::ForceCommand | Door::Pam) {
        say("the login shells stay: see jailctl check for doors that are not closed yet");
    }
    checked.print(Shows::default());
    if some.len() < plan.about.users.len() {
        say(format_args!(
            "checked {} of {}, at least one of each rule; jailctl check checks all",
            some.len(),
            counted(plan.about.users.len(), "user")
        ));
    }
    Ok(Verdict::of(checked.counts()))
}

/// Puts together what the arguments and the list say.
fn wanted(arguments: &Asked, faults: &mut Vec<String>) -> Result<Wanted, Failure> {
    let mut users = match arguments.from {
        Some(file) => table::read(file, faults)?,
        None => arguments.users.iter().map(|name| named(name)).collect(),
    };
    users.dedup_by(|one, other| one.place.is_none() && one.name == other.name);
    if users.is_empty() && arguments.group.is_none() && faults.is_empty() {
        return Err(Failure::Usage("the list names no users".to_owned()));
    }
    let group = arguments.group;
    let key = arguments.key.map(|key| {
        let whole = path::absolute(key).map_err(|error| Failure::io("find", key.as_ref(), &error));
        whole.map(|it| it.to_string_lossy().into_owned())
    });
    let key = key.transpose()?;
    for user in &mut users {
        if let Some(group) = group.filter(|_| user.groups.is_empty()) {
            user.groups.push(group.clone());
        }
        let is_by_group = group.is_some_and(|group| user.groups.contains(group));
        if let Some(jail) = arguments.jail.filter(|_| !is_by_group) {
            user.jail.get_or_insert_with(|| jail.clone());
        }
        if let Some(key) = &key {
            user.keys.get_or_insert_with(|| key.clone());
        }
        if let Some(until) = arguments.until {
            user.until.get_or_insert_with(|| until.clone());
        }
        user.create = arguments.create_accounts;
    }
    if let Some(key) = &key {
        refuse_shared_key(key, &users)?;
    }
    let groups = group.map(|name| Group {
        name: name.clone(),
        jail: arguments.jail.cloned(),
        create: arguments.create_accounts,
        with_members: arguments.from.is_none() && arguments.users.is_empty(),
        ..Group::default()
    });
    Ok(Wanted {
        command: COMMAND,
        users,
        groups: groups.into_iter().collect(),
        by_login_shell: arguments.door == Door::LoginShell,
        ..Wanted::default()
    })
}

fn named(name: &str) -> User {
    User {
        name: name.to_owned(),
        ..User::default()
    }
}

fn refuse_shared_key(key: &String, users: &[User]) -> Result<(), Failure> {
    if users.is_empty() {
        return Err(Failure::Usage(
            "--key: name the users whose keys these are".to_owned(),
        ));
    }
    let is_for_all = users
        .iter()
        .filter(|it| it.keys.as_ref() == Some(key))
        .count()
        > 1;
    if is_for_all && !key.contains("{user}") {
        return Err(Failure::Usage(
            "--key: several users can't share a key; write {user} in place of the name: --key '/root/keys/{user}.pub'"
                .to_owned(),
        ));
    }
    Ok(())
}
