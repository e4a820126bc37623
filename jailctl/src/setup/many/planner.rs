//! One user after another, and what each takes: account, groups, rule, root, home and keys.

mod places;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use jail::account::identity::Identity;
use jail_config::{Decision, Jail, Policy, RuleKind, user_file_name};

use super::{
    batch::Small,
    database::{Account, Group, Rewrite, Shell},
    directories::Planned,
    doors::Served,
    host::Host,
    roots::Root,
    rules::{self, Ruled, USERS_D},
    wanted::{User, Wanted, at},
};
use crate::{
    accounts::{account::did_you_mean, administrators::Administrators},
    door::{JAIL_SHELL_PATH, has_jail_shell},
    failure::Failure,
    progress::Progress,
    setup::{
        accounts::HOMES,
        file, guard,
        targets::{self, Stop},
    },
    shell::shown,
};

/// Goes through what is wanted, and gathers what it takes.
pub(super) struct Planner<'a> {
    pub(super) wanted: &'a Wanted,
    pub(super) host: Host,
    pub(super) policy: &'a Policy,
    pub(super) faults: Vec<String>,
    pub(super) rewrite: Rewrite,
    /// Groups that are made, with their gids.
    pub(super) new_groups: BTreeMap<String, u32>,
    pub(super) directories: Planned,
    pub(super) rules: Vec<Small>,
    pub(super) keys: Vec<Small>,
    pub(super) served: Served,
    /// Groups that have a rule.
    pub(super) ruled_groups: BTreeSet<String>,
    pub(super) names: Vec<String>,
    pub(super) without_key: usize,
    pub(super) roots: Vec<Root>,
    administrators: Administrators,
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        wanted: &'a Wanted,
        host: Host,
        policy: &'a Policy,
        faults: Vec<String>,
    ) -> Self {
        let ruled_groups = policy.rules().filter_map(|it| match it.rule.kind {
            RuleKind::Group(group) => Some(group),
            _ => None,
        });
        Planner {
            wanted,
            host,
            policy,
            faults,
            rewrite: Rewrite::default(),
            new_groups: BTreeMap::new(),
            directories: Planned::default(),
            rules: Vec::new(),
            keys: Vec::new(),
            served: Served::default(),
            ruled_groups: ruled_groups.collect(),
            names: Vec::new(),
            without_key: 0,
            roots: wanted.roots.clone(),
            administrators: Administrators::read(),
        }
    }

    /// Notes what is wrong, so that all of it is listed.
    fn note<T>(&mut self, place: Option<&String>, planned: Result<T, Stop>) -> Result<(), Failure> {
        match planned {
            Ok(_) => {}
            Err(Stop::Wrong(what)) => self.faults.push(at(place, &what)),
            Err(Stop::Failure(failure)) => return Err(failure),
        }
        Ok(())
    }

    /// Makes the groups that are missing.
    pub(super) fn groups(&mut self) -> Result<(), Failure> {
        for group in &self.wanted.groups {
            if self.host.group(&group.name)?.is_some() {
                continue;
            }
            let made = match group.create {
                true => self.new_group(&group.name),
                false => Err(self.no_group(&group.name).into()),
            };
            self.note(group.place.as_ref(), made)?;
        }
        Ok(())
    }

    fn how_to_make(&self) -> &'static str {
        match self.wanted.is_whole {
            true => "create = true makes it",
            false => "--create-accounts makes it",
        }
    }

    fn no_group(&self, name: &str) -> String {
        format!("there is no group {}; {}", shown(name), self.how_to_make())
    }

    fn new_group(&mut self, name: &str) -> Result<u32, Stop> {
        if let Some(gid) = self.new_groups.get(name) {
            return Ok(*gid);
        }
        if !targets::is_name(name) {
            let name = shown(name);
            let what = format!("{name}: use a to z, 0 to 9, - and _ in the name of a group");
            return Err(what.into());
        }
        let gid = self.host.new_gid()?;
        self.new_groups.insert(name.to_owned(), gid);
        self.rewrite.groups.push(Group {
            name: name.to_owned(),
            gid,
        });
        Ok(gid)
    }

    /// Goes through all users, with the members of groups that are meant as a whole.
    pub(super) fn users(&mut self) -> Result<Vec<User>, Failure> {
        let mut users = self.wanted.users.clone();
        let mut known: BTreeSet<String> = users.iter().map(|it| it.name.clone()).collect();
        for group in self.wanted.groups.iter().filter(|it| it.with_members) {
            for name in self.host.members(&group.name)? {
                if known.insert(name.clone()) {
                    users.push(User {
                        name,
                        ..User::default()
                    });
                }
            }
        }
        let mut progress = Progress::new(u64::try_from(users.len()).unwrap_or(0));
        for user in &users {
            progress.add(1);
            let planned = self.user(user);
            self.note(user.place.as_ref(), planned)?;
        }
        Ok(users)
    }

    /// Plans one user.
    fn user(&mut self, user: &User) -> Result<(), Stop> {
        let found = self.host.identity(&user.name)?;
        let is_new = found.is_none();
        let mut identity = match found {
            Some(identity) => identity,
            None => self.new_account(user)?,
        };
        guard::refuse_account(&user.name, Some(&identity))?;
        for group in &user.groups {
            self.join(user, &mut identity, group)?;
        }
        let jail = self.rule(user, &identity)?;
        self.places(&jail, &identity, is_new)?;
        self.keys_of(user, is_new)?;
        if !is_new && self.wanted.by_login_shell && !has_jail_shell(&identity) {
            if !self.host.is_local(&user.name) {
                return Err(targets::account_elsewhere(&user.name).into());
            }
            self.rewrite.uids.insert(user.name.clone(), identity.uid);
            self.rewrite.shells.push(Shell {
                user: user.name.clone(),
                before: self.host.login_shell(&user.name).to_owned(),
            });
        }
        let mut groups = identity.group_names.iter().filter_map(|it| it.to_str());
        let group = groups.find(|it| self.ruled_groups.contains(*it));
        self.served
            .add(&user.name, group, &jail, user.keys.is_some());
        self.names.push(user.name.clone());
        Ok(())
    }

    /// Plans an account, with a group of its name.
    fn new_account(&mut self, user: &User) -> Result<Identity, Stop> {
        let name = shown(&user.name);
        let refused = |what: String| Err(what.into());
        targets::refuse_name(&user.name)?;
        if !user.create {
            return refused(format!(
                "there is no account {name}; {}",
                self.how_to_make()
            ));
        }
        if !self.host.is_free_group(&user.name) || self.new_groups.contains_key(&user.name) {
            return refused(format!(
                "there is a group {name} already, so the account can't have one of its name"
            ));
        }
        let comment = user.comment.clone().unwrap_or_default();
        if comment.contains([':', '\n', ',']) || comment.contains(char::is_control) {
            return refused(format!(
                "{name}: a comment has no colons, commas and control characters"
            ));
        }
        let uid = self.host.new_id()?;
        let gid = uid;
        let home = Path::new(HOMES).join(&user.name);
        self.rewrite.accounts.push(Account {
            name: user.name.clone(),
            uid,
            gid,
            comment,
            home: home.to_string_lossy().into_owned(),
        });
        Ok(Identity {
            name: user.name.clone().into(),
            uid,
            gid,
            group: user.name.clone().into(),
            groups: vec![gid],
            group_names: vec![user.name.clone().into()],
            group_ids: vec![gid],
            unnamed_group: None,
            unanswered: None,
            home,
            shell: JAIL_SHELL_PATH.into(),
        })
    }

    /// Brings a user into a group.
    fn join(&mut self, user: &User, identity: &mut Identity, group: &str) -> Result<(), Stop> {
        if identity.group_names.iter().any(|it| it == group) {
            return Ok(());
        }
        let found = self.host.group(group)?;
        let gid = found.map(|(gid, _)| gid);
        targets::refuse_powerful(&self.administrators, &user.name, group, gid)?;
        let gid = match found {
            Some((gid, true)) => gid,
            Some((_, false)) => return Err(targets::group_elsewhere(group, &user.name).into()),
            None if user.create || self.new_groups.contains_key(group) => self.new_group(group)?,
            None => return Err(self.no_group(group).into()),
        };
        self.rewrite.uids.insert(user.name.clone(), identity.uid);
        let members = self.rewrite.members.entry(group.to_owned());
        members.or_default().push(user.name.clone());
        identity.groups.push(gid);
        identity.group_ids.push(gid);
        identity.group_names.push(group.into());
        Ok(())
    }

    /// Finds the user's jail, and plans the rule that leads there.
    fn rule(&mut self, user: &User, identity: &Identity) -> Result<Jail, Stop> {
        if let Some(jail) = &user.jail {
            let names: Vec<&str> = self.policy.jail_names().collect();
            if !names.contains(&jail.as_str()) {
                let meant = did_you_mean(jail, names);
                let jail = shown(jail);
                return Err(format!("there is no jail {jail:?} in the config{meant}").into());
            }
        }
        let Ok(name) = user_file_name(&identity.name) else {
            return Err(format!("{}: no rule can name it", shown(&user.name)).into());
        };
        let path = Path::new(USERS_D).join(name);
        let before = file::read(&path)?;
        let ruled = Ruled {
            wanted: self.wanted,
            policy: self.policy,
            path: &path,
            before: before.as_deref(),
        };
        let after = ruled.text(user, identity)?;
        let decision = rules::decide(self.policy, &path, after.as_deref(), identity)?;
        if after != before {
            file::refuse_hard_link(&path)?;
            self.rules.push(Small {
                path,
                before,
                after,
            });
        }
        match decision {
            Decision::Jail(jail) => Ok(*jail),
            Decision::Exempt(rule) => Err(targets::exempted(rule.line, &user.name).into()),
            Decision::Unlisted(_) => {
                let name = shown(&user.name);
                let what = format!("no rule names {name}; give a jail, or a group that has a rule");
                Err(what.into())
            }
        }
    }
}
