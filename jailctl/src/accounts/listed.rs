//! All accounts and groups that the name services list, asked for once: thousands of look-ups would each read the files, or ask a
//! directory, from the beginning.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use jail::{account::identity::Identity, door::decision::Config};
use jail_config::RuleKind;

use super::services::others;
use crate::{failure::Failure, shell};

/// How many names one getent(1) is asked for.
const AT_ONCE: usize = 500;

/// Lines of passwd(5) and group(5), in the order in which a look-up finds them.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// A line of passwd(5) for each account.
    accounts: BTreeMap<String, String>,
    /// Each group, with the gid and the members that a look-up of its name gives: those of its first line.
    groups: BTreeMap<String, (u32, Vec<String>)>,
    /// The name of each gid, as a login has it.
    names: BTreeMap<u32, String>,
    /// Which groups list a user as a member, on whichever of their lines.
    memberships: BTreeMap<String, Vec<u32>>,
}

impl Listed {
    /// Takes the files of this host apart, or others like them.
    pub(crate) fn of(passwd: &str, group: &str) -> Listed {
        Listed::with_others(passwd, group, "")
    }

    /// Takes apart what is listed: the groups of this host, and those that all services list.
    ///
    /// A group may be on several lines, whoever has them: its members are those of all lines with its gid.
    fn with_others(passwd: &str, own: &str, others: &str) -> Listed {
        let mut listed = Listed::default();
        for line in entries(passwd) {
            let name = field(line, 0).to_owned();
            let known = listed.accounts.entry(name);
            known.or_insert_with(|| line.to_owned());
        }
        for line in entries(own) {
            listed.add_group(line, |name| !name.contains(char::REPLACEMENT_CHARACTER));
        }
        // A group of a directory that has the name of one of this host has no name: no rule means it.
        let own = listed.groups.clone();
        for line in entries(others) {
            listed.add_group(line, |name| !is_odd(name) && !own.contains_key(name));
        }
        listed
    }

    /// Adds a line of group(5), whose name counts where it `is_fit`.
    fn add_group(&mut self, line: &str, is_fit: impl FnOnce(&str) -> bool) {
        let name = field(line, 0);
        let Ok(gid) = field(line, 2).parse::<u32>() else {
            return;
        };
        let members = members_in(line);
        for member in &members {
            let of_member = self.memberships.entry(member.clone()).or_default();
            if !of_member.contains(&gid) {
                of_member.push(gid);
            }
        }
        if is_fit(name) {
            self.names.entry(gid).or_insert_with(|| name.to_owned());
        }
        let known = self.groups.entry(name.to_owned());
        known.or_insert((gid, members));
    }

    /// Lists the names of the accounts.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.accounts.keys()
    }

    /// Gives the line of an account.
    pub(crate) fn line(&self, name: &str) -> Option<&str> {
        self.accounts.get(name).map(String::as_str)
    }

    /// Lists the accounts whose primary group this is.
    pub(crate) fn with_primary(&self, gid: u32) -> impl Iterator<Item = &String> {
        let gid = gid.to_string();
        let has = move |line: &str| field(line, 3) == gid;
        let accounts = self.accounts.iter();
        accounts.filter_map(move |(name, line)| has(line).then_some(name))
    }

    /// Gives the gid of a group; nothing where it is not listed.
    pub(crate) fn gid(&self, group: &str) -> Option<u32> {
        self.groups.get(group).map(|it| it.0)
    }

    /// Lists the gids of groups.
    pub(crate) fn gids(&self) -> impl Iterator<Item = u32> {
        let of_names = self.groups.values().map(|it| it.0);
        self.names.keys().copied().chain(of_names)
    }

    /// Lists whom a group has as members, on whichever of its lines, and not by their primary group.
    pub(crate) fn members<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a String> {
        let is_it = move |gid: &u32| self.names.get(gid).is_some_and(|name| name == group);
        let memberships = self.memberships.iter();
        memberships.filter_map(move |(member, of)| of.iter().any(is_it).then_some(member))
    }

    /// Makes an account of its line and of the groups that list it.
    pub(crate) fn identity(&self, name: &str) -> Option<Identity> {
        let line = self.line(name)?;
        let gid = field(line, 3).parse().ok()?;
        let mut groups = vec![gid];
        let listed = self.memberships.get(name).into_iter().flatten();
        groups.extend(listed.filter(|it| **it != gid));
        let named = |gid: &u32| Some((*gid, self.names.get(gid)?.into()));
        let (group_ids, group_names) = groups.iter().filter_map(named).unzip();
        let shell = Some(field(line, 6)).filter(|it| !it.is_empty());
        Some(Identity {
            name: name.into(),
            uid: field(line, 2).parse().ok()?,
            gid,
            group: self.names.get(&gid).map(Into::into).unwrap_or_default(),
            unnamed_group: groups
                .iter()
                .find(|it| !self.names.contains_key(it))
                .copied(),
            groups,
            group_names,
            group_ids,
            unanswered: None,
            home: PathBuf::from(field(line, 5)),
            shell: PathBuf::from(shell.unwrap_or("/bin/sh")),
        })
    }

    fn has_uid(&self, uid: u32) -> bool {
        let uid = uid.to_string();
        self.accounts.values().any(|line| field(line, 2) == uid)
    }
}

/// What all name services list, and what the files of this host have of it.
#[derive(Debug)]
pub(crate) struct NameServices {
    all: Listed,
    own: Listed,
    /// Whether the groups could be listed.
    has_groups: bool,
}

impl NameServices {
    /// Asks for all of them.
    ///
    /// # Errors
    /// The accounts can't be listed.
    pub(crate) fn read() -> Result<NameServices, Failure> {
        let group = shell::ask("getent", &["group"])?.filter(|answer| answer.status.success());
        let has_groups = group.is_some();
        let group = group.map(|it| String::from_utf8_lossy(&it.stdout).into_owned());
        let group = group.unwrap_or_default();
        let file = |path| fs::read(path).map(|text| String::from_utf8_lossy(&text).into_owned());
        let own = file("/etc/group").unwrap_or_default();
        Ok(NameServices {
            all: Listed::with_others(&passwd()?, &own, &group),
            own: Listed::of(&file("/etc/passwd").unwrap_or_default(), &own),
            has_groups,
        })
    }

    /// Lists the names of the accounts.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.all.names()
    }

    /// Gives an account, if a look-up of it would find it just so: it does not contradict this host's files, and can have its name.
    pub(crate) fn identity(&self, name: &str) -> Option<Identity> {
        let identity = self.all.identity(name)?;
        let agrees = match self.own.identity(name) {
            Some(own) => own.uid == identity.uid,
            None => !self.own.has_uid(identity.uid),
        };
        (agrees && !is_odd(name)).then_some(identity)
    }

    /// Tells whether what is listed says of accounts and groups what a look-up of each says, whatever groups are meant.
    ///
    /// # Errors
    /// As [`others`].
    pub(crate) fn has_all(&self) -> Result<bool, Failure> {
        Ok(self.has_groups && others()?.is_empty())
    }

    /// Tells whether rules can be decided by what is listed.
    ///
    /// # Errors
    /// As [`others`].
    pub(crate) fn suffices_for(&self, rules: &RuleGroups) -> Result<bool, Failure> {
        Ok(self.has_groups && self.has_groups_of(rules, &others()?)?)
    }

    /// Tells whether what is listed says of the groups of rules what a look-up of each account says. A directory need not list its
    /// groups, and need not say who is in one that it lists; and it may put accounts into a group of this host, by its number.
    fn has_groups_of(&self, rules: &RuleGroups, others: &[String]) -> Result<bool, Failure> {
        if others.is_empty() {
            return Ok(true);
        }
        let set = |all: &[String]| all.iter().cloned().collect::<BTreeSet<String>>();
        let mut own = BTreeSet::new();
        for (name, group) in &rules.0 {
            let gids = self.own.names.iter().filter(|(_, it)| *it == name);
            own.extend(gids.map(|(gid, _)| gid.to_string()));
            let agrees = match group {
                Group::Missing | Group::Unknown => true,
                Group::Found(members) if members.is_empty() => self.own.gid(name).is_some(),
                Group::Found(members) => {
                    let listed = self.all.groups.get(name);
                    listed.is_some_and(|(_, listed)| set(listed) == set(members))
                }
            };
            if !agrees {
                return Ok(false);
            }
        }
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        for (service, some) in others
            .iter()
            .flat_map(|service| own.chunks(AT_ONCE).map(move |some| (service, some)))
        {
            let database = ["-s", service, "group", "--"];
            let answer = shell::ask("getent", &[&database[..], some].concat())?;
            if answer.is_none_or(|answer| !answer.stdout.is_empty()) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Gives what the host's database lists, as lines of passwd(5).
pub(crate) fn passwd() -> Result<String, Failure> {
    let answer = shell::ask("getent", &["passwd"])?
        .filter(|answer| answer.status.success())
        .ok_or_else(|| Failure::Failed("list the accounts: getent passwd failed".to_owned()))?;
    Ok(String::from_utf8_lossy(&answer.stdout).into_owned())
}

/// What the name services say of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Group {
    /// It is there, and has these members, without those whose primary group it is.
    Found(Vec<String>),
    Missing,
    /// It could not be looked up.
    Unknown,
}

/// The groups that rules name.
#[derive(Debug, Default)]
pub(crate) struct RuleGroups(BTreeMap<String, Group>);

impl RuleGroups {
    /// Looks them up, as many at once as one command takes.
    pub(crate) fn of(config: &Config) -> Result<RuleGroups, Failure> {
        let rules = config.policy().rules();
        let names = rules.filter_map(|named| match named.rule.kind {
            RuleKind::Group(group) | RuleKind::ExemptGroup(group) => Some(group),
            _ => None,
        });
        let names: BTreeSet<String> = names.collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut found = BTreeMap::new();
        for some in names.chunks(AT_ONCE) {
            let answer = shell::ask("getent", &[&["group", "--"], some].concat())?;
            let text = answer.map(|answer| String::from_utf8_lossy(&answer.stdout).into_owned());
            for line in text.unwrap_or_default().lines() {
                found.insert(field(line, 0).to_owned(), Group::Found(members_in(line)));
            }
        }
        let mut groups = BTreeMap::new();
        for name in names {
            let group = found.remove(name);
            groups.insert(name.to_owned(), group.map_or_else(|| one(name), Ok)?);
        }
        Ok(RuleGroups(groups))
    }

    /// Tells whether the host has a group; nothing where it could not be looked up.
    pub(crate) fn has(&self, name: &str) -> Option<bool> {
        match self.0.get(name) {
            Some(Group::Found(_)) => Some(true),
            Some(Group::Missing) => Some(false),
            Some(Group::Unknown) | None => None,
        }
    }

    /// Lists the members of a group, without those whose primary group it is.
    pub(crate) fn members(&self, name: &str) -> &[String] {
        match self.0.get(name) {
            Some(Group::Found(members)) => members,
            _ => &[],
        }
    }
}

/// Looks one group up: of several, getent(1) does not say which was missing, and which has another name where it is.
fn one(name: &str) -> Result<Group, Failure> {
    let Some(answer) = shell::ask("getent", &["group", "--", name])? else {
        return Ok(Group::Unknown);
    };
    Ok(match answer.status.code() {
        Some(0) => Group::Found(members_in(&String::from_utf8_lossy(&answer.stdout))),
        // getent(1) has not found it.
        Some(2) => Group::Missing,
        _ => Group::Unknown,
    })
}

fn members_in(line: &str) -> Vec<String> {
    // The C library passes over blanks before a member.
    let members = field(line, 3).split(',').map(str::trim_start);
    let members = members.filter(|it| !it.is_empty());
    members.map(str::to_owned).collect()
}

/// Gives a field of a line, without the end of the line.
pub(crate) fn field(line: &str, at: usize) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.split(':').nth(at).unwrap_or_default()
}

/// Gives the lines that are entries.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    let is_entry = |line: &&str| !line.is_empty() && !line.starts_with(['+', '-', '#']);
    text.lines().map(str::trim_start).filter(is_entry)
}

/// Tells whether a name is none that files could have.
fn is_odd(name: &str) -> bool {
    let is_odd = |one: char| one.is_control() || ['/', char::REPLACEMENT_CHARACTER].contains(&one);
    name.contains(is_odd)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Listed;

    const PASSWD: &str =
        "root:x:0:0::/root:\nann:x:1000:100::/home/ann:/bin/bash\nann:x:7:7:::\n+::::::\n";

    #[test]
    fn an_account_has_the_groups_that_list_it_and_of_a_directory_none_of_a_name_that_is_known_here()
    {
        let listed = Listed::with_others(
            PASSWD,
            "staff:x:50:bob, ann\nusers:x:100:\n",
            "staff:x:50:bob,ann\nusers:x:100:\nstaff:x:60:ann\n",
        );
        let ann = listed.identity("ann").unwrap();
        assert_eq!((ann.uid, ann.groups), (1000, vec![100, 50, 60]));
        assert_eq!(ann.group_names, ["users", "staff"]);
        assert_eq!(ann.unnamed_group, Some(60));
        let root = listed.identity("root").unwrap();
        assert_eq!(
            (root.shell.as_os_str(), root.unnamed_group),
            ("/bin/sh".as_ref(), Some(0))
        );
        assert_eq!(listed.identity("eve"), None);
    }

    #[test]
    fn a_group_on_several_lines_has_the_members_of_all_of_them_whatever_their_numbers() {
        let listed = Listed::of(PASSWD, "staff:x:50:bob\nstaff:x:60:ann\nstaff:x:50:eve\n");
        assert_eq!(listed.identity("ann").unwrap().group_names, ["staff"]);
        assert_eq!(
            listed.members("staff").collect::<Vec<_>>(),
            ["ann", "bob", "eve"]
        );
        assert_eq!(
            listed.gids().collect::<BTreeSet<_>>(),
            BTreeSet::from([50, 60])
        );
        // So it is in a directory.
        let listed = Listed::with_others(PASSWD, "", "web:x:50:bob\nweb:x:60:ann\na/b:x:61:ann\n");
        let ann = listed.identity("ann").unwrap();
        assert_eq!(
            (ann.group_names, ann.groups),
            (vec!["web".into()], vec![100, 60, 61])
        );
    }
}
