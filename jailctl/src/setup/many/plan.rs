//! What is wanted of many users, made into changes of this host; or all that is wrong with it, and no change.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use jail::door::decision::{CONFIG_DIRECTORY, Config};
use jail_config::{RuleKind, user_file_name};

use super::{
    batch::{Batch, Small, What},
    doors,
    host::Host,
    planner::Planner,
    rewrite::some,
    roots::Root,
    rules::{self, USERS_D},
    wanted::{User, Wanted},
};
use crate::{
    accounts::{traces::KEYS, trial::Trial},
    doctor::{
        check::{Denials, denials_of},
        mend::keys_in_home,
    },
    door::expect_jail_shell,
    failure::Failure,
    setup::{
        asked::of_system,
        change::Change,
        file::{self, Purpose, Written},
        guard::{self, Reach},
        journal::About,
        plan::{Plan, not_taken, refuse_of_others},
        sshd,
        text::applied::Applied,
    },
    shell::shown,
};

/// Makes a plan. Nothing is changed by that.
///
/// # Errors
/// Something is wrong with what is wanted, each with its place: `faults` are those that were found before.
pub(crate) fn make(wanted: &Wanted, faults: Vec<String>) -> Result<Plan, Failure> {
    expect_jail_shell()?;
    let file = Path::new(CONFIG_DIRECTORY).join("config.toml");
    let config = config(wanted, &file)?;
    let text = match &config {
        Some(written) => written.after.clone(),
        None => file::read(&file)?.unwrap_or_default(),
    };
    let trial = Trial::new(&text, Path::new(CONFIG_DIRECTORY))?;
    let read = Config::read(&trial.0);
    let tried = read.map_err(|refusal| trial.named(refusal.into(), &file))?;
    let host = Host::read()?;
    let mut planner = Planner::new(wanted, host, tried.policy(), faults);
    planner.groups()?;
    let users = planner.users()?;
    if !planner.faults.is_empty() {
        return Err(wrong(&planner.faults));
    }
    planner.plan(&users, config, &tried)
}

/// Says all that is wrong.
fn wrong(faults: &[String]) -> Failure {
    let mut faults: Vec<String> = faults.iter().map(shown).collect();
    faults.sort_by_key(|fault| line_of(fault));
    if let [one] = faults.as_slice() {
        return Failure::Usage(format!("nothing was changed, because {one}"));
    }
    let count = faults.len();
    faults.insert(
        0,
        format!("nothing was changed, because of {count} errors:"),
    );
    Failure::Usage(faults.join("\n"))
}

/// Gives the line that a fault is in, as FILE:LINE: stands before it; 0 where it is in none.
fn line_of(fault: &str) -> u64 {
    let mut words = fault.split(':');
    words.find_map(|word| word.parse().ok()).unwrap_or_default()
}

/// Gives the change of the config, if it takes one.
fn config(wanted: &Wanted, file: &Path) -> Result<Option<Written>, Failure> {
    let groups = wanted.groups.iter();
    let groups = groups.filter_map(|it| Some((it.name.as_str(), it.jail.as_deref()?)));
    let jails = wanted.jails.iter();
    let applied = Applied {
        command: wanted.command,
        jails: jails
            .map(|it| (it.name.as_str(), it.keys.as_slice()))
            .collect(),
        groups: groups.collect(),
        prunes: wanted.prunes,
    };
    Written::new(file, Purpose::Applied, |text| {
        let with = applied.with(text);
        with.map_err(|error| Failure::Failed(format!("{}: {error}", file.display())))
    })
}

impl Planner<'_> {
    /// Refuses the change where it jails somebody who is never jailed, by a name, by a rule for a group, or by sshd's file for one.
    fn refuse_reached(
        &self,
        users: &[User],
        sshds: &[String],
        tried: &Config,
    ) -> Result<(), Failure> {
        let before = Config::read(Path::new(CONFIG_DIRECTORY)).ok();
        let ruled: BTreeSet<String> = before
            .iter()
            .flat_map(|it| it.policy().rules())
            .filter_map(|it| match it.rule.kind {
                RuleKind::Group(group) => Some(group),
                _ => None,
            })
            .collect();
        let groups = self.wanted.groups.iter().filter(|it| it.jail.is_some());
        let groups = groups.map(|it| it.name.as_str());
        let new = groups.filter(|it| !ruled.contains(*it));
        let reach = Reach {
            users: users.iter().map(|it| it.name.as_str()).collect(),
            groups: new.chain(sshds.iter().map(String::as_str)).collect(),
        };
        guard::refuse(&reach, before.as_ref(), tried)
    }

    /// Says who else is in a group that gets a rule: nobody makes roots and keys for them.
    fn others(&self, users: &[User]) -> Result<Vec<String>, Failure> {
        let named: BTreeSet<&str> = users.iter().map(|it| it.name.as_str()).collect();
        let mut notes = Vec::new();
        for group in self.wanted.groups.iter().filter(|it| it.jail.is_some()) {
            let members = self.host.members(&group.name)?;
            let others: Vec<&str> = members.iter().map(String::as_str).collect();
            let others: Vec<&str> = others
                .into_iter()
                .filter(|it| !named.contains(it))
                .collect();
            if !others.is_empty() {
                notes.push(format!(
                    "the rule for the group {} jails its other members as well, who get no root and no keys by this: {}",
                    group.name,
                    some(&others)
                ));
            }
        }
        Ok(notes)
    }

    /// Puts the changes into their order: at each moment a login goes where it went before, or where it is to go, or is
    /// refused.
    fn plan(
        mut self,
        users: &[User],
        config: Option<Written>,
        tried: &Config,
    ) -> Result<Plan, Failure> {
        let mut changes = Vec::new();
        if self.wanted.prunes {
            self.prune(users)?;
        }
        let mut taken = Vec::new();
        let (drop_ins, sshds) = self.drop_ins(&mut taken)?;
        self.refuse_reached(users, &sshds, tried)?;
        let mut notes = self.others(users)?;
        notes.extend(taken);
        let roots = self.built_roots()?;
        for above in roots.iter().filter_map(|it| it.path.parent()) {
            self.directories.of_root(above);
        }
        if !self.rules.is_empty() {
            self.directories.of_root(Path::new(USERS_D));
        }
        if !self.keys.is_empty() {
            self.directories.of_root(Path::new(KEYS));
        }
        let directories = self.directories.into_directories();
        if !directories.is_empty() {
            changes.push(Change::Directories(directories));
        }
        changes.extend(config.map(Change::File));
        for (what, files) in [(What::Rules, self.rules), (What::Keys, self.keys)] {
            if !files.is_empty() {
                changes.push(Change::Files(Batch { what, files }));
            }
        }
        let names: BTreeSet<&str> = self.names.iter().map(String::as_str).collect();
        for Denials { file, adds, names } in denials_of(&names)? {
            changes.extend(Written::denial(file, adds, &names)?.map(Change::File));
        }
        changes.extend(drop_ins.into_iter().map(Change::File));
        for members in self.rewrite.members.values_mut() {
            members.sort_unstable();
        }
        if !self.rewrite.is_empty() {
            changes.push(Change::Accounts(self.rewrite));
        }
        // What builds a root looks its users up.
        changes.extend(roots.into_iter().map(Change::Root));
        if self.without_key > 0 {
            notes.push(format!(
                "{} of the accounts have no key and no password; keys go to {KEYS}/NAME",
                self.without_key
            ));
        }
        let group = self.wanted.groups.first().map(|it| it.name.clone());
        Ok(Plan {
            about: About::now(
                self.wanted.command.replace("jailctl ", ""),
                group.filter(|_| !self.wanted.is_whole).unwrap_or_default(),
                self.names,
            ),
            changes,
            notes,
        })
    }

    /// Gives sshd's files that are missing. Who loses keys by them, because these are in the home, gets them copied.
    /// Gives also the groups that they are for.
    fn drop_ins(
        &mut self,
        notes: &mut Vec<String>,
    ) -> Result<(Vec<Written>, Vec<String>), Failure> {
        if !sshd::is_there() || self.served.is_empty() || !self.wanted.by_login_shell {
            return Ok((Vec::new(), Vec::new()));
        }
        let missing = doors::drop_ins(&self.served, self.wanted.command)?;
        if !missing.files.is_empty() {
            sshd::refuse_unready()?;
        }
        let planned: BTreeSet<PathBuf> = self.keys.iter().map(|it| it.path.clone()).collect();
        for group in &missing.groups {
            for name in self.host.members(group)? {
                let path = Path::new(KEYS).join(&name);
                let Some(identity) = self.host.identity(&name)? else {
                    continue;
                };
                if path.symlink_metadata().is_ok() || planned.contains(&path) {
                    continue;
                }
                match keys_in_home(&identity) {
                    Ok(None) => {}
                    Ok(keys) => self.keys.push(Small {
                        path,
                        before: None,
                        after: keys,
                    }),
                    Err(why) => notes.push(not_taken(&name, &why)),
                }
            }
        }
        Ok((missing.files, missing.led))
    }

    /// Gives the roots that are not as they are to be.
    fn built_roots(&self) -> Result<Vec<Root>, Failure> {
        let mut changes = Vec::new();
        for root in &self.roots {
            if let Some(why) = of_system(&root.path).filter(|_| !root.is_there()) {
                let path = shown(&root.path);
                return Err(Failure::Usage(format!(
                    "nothing was changed, because of {path}: {why}"
                )));
            }
            // Where somebody else could change the way, it could be neither made nor taken back.
            let there = root
                .path
                .ancestors()
                .find(|it| it.symlink_metadata().is_ok());
            refuse_of_others(there.unwrap_or(Path::new("/")))?;
            if !root.is_done()? {
                changes.push(Root {
                    was_there: root.is_there(),
                    ..root.clone()
                });
            }
        }
        Ok(changes)
    }

    /// Removes rules of users that this command has written, and that are no longer wanted.
    fn prune(&mut self, users: &[User]) -> Result<(), Failure> {
        let names: BTreeSet<PathBuf> = users
            .iter()
            .filter_map(|it| user_file_name(it.name.as_ref()).ok())
            .map(|name| Path::new(USERS_D).join(name))
            .collect();
        for (path, text) in rules::marked(self.wanted.command)? {
            if !names.contains(&path) {
                self.rules.push(Small {
                    path,
                    before: Some(text),
                    after: None,
                });
            }
        }
        Ok(())
    }
}
