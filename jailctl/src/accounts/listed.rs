//! All accounts and groups that the name services list, asked for once: thousands of look-ups would each read the files, or ask a
//! directory, from the beginning.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use jail::{account::identity::Identity, door::decision::Config};
use jail_config::RuleKind;

use crate::{failure::Failure, shell};

/// Services of nsswitch.conf(5) that know no more than the files do; systemd does where it has records.
const OF_FILES: [&str; 4] = ["files", "compat", "cache", "systemd"];

/// Where systemd has records of users: nss-systemd(8).
const RECORDS: [&str; 3] = ["/etc/userdb", "/run/userdb", "/usr/lib/userdb"];

/// How many names one getent(1) is asked for.
const AT_ONCE: usize = 500;

/// Lines of passwd(5) and group(5), in the order in which a look-up finds them.
#[derive(Debug)]
pub(crate) struct Listed {
    /// A line of passwd(5) for each account.
    accounts: BTreeMap<String, String>,
    /// Each group, with its gid.
    pub(crate) groups: BTreeMap<String, u32>,
    names: BTreeMap<u32, String>,
    /// Which groups list a user as a member.
    memberships: BTreeMap<String, Vec<u32>>,
    members: BTreeMap<String, Vec<String>>,
}

impl Listed {
    /// Takes two texts apart.
    pub(crate) fn of(passwd: &str, group: &str) -> Listed {
        let own = |line: &&str| !line.is_empty() && !line.starts_with(['+', '-', '#']);
        let mut accounts = BTreeMap::new();
        for line in passwd.lines().map(str::trim_start).filter(own) {
            let name = field(line, 0).to_owned();
            accounts.entry(name).or_insert_with(|| line.to_owned());
        }
        let mut groups = BTreeMap::new();
        let mut names = BTreeMap::new();
        let mut memberships: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        let mut members = BTreeMap::new();
        for line in group.lines().map(str::trim_start).filter(own) {
            let name = field(line, 0).to_owned();
            let Ok(gid) = field(line, 2).parse::<u32>() else {
                continue;
            };
            let listed = field(line, 3).split(',').filter(|it| !it.is_empty());
            let listed: Vec<String> = listed.map(str::to_owned).collect();
            for member in &listed {
                let of_member = memberships.entry(member.clone()).or_default();
                if !of_member.contains(&gid) {
                    of_member.push(gid);
                }
            }
            // A group of a directory that has the name of one of this host has no name: no rule means it.
            let first = groups.entry(name.clone()).or_insert(gid);
            if *first == gid {
                names.entry(gid).or_insert_with(|| name.clone());
            }
            members.entry(name).or_insert(listed);
        }
        Listed {
            accounts,
            groups,
            names,
            memberships,
            members,
        }
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

    /// Lists the members of a group; nothing where it is not listed.
    pub(crate) fn members(&self, group: &str) -> Option<&Vec<String>> {
        self.members.get(group)
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
            // The name that a gid has here comes before all others.
            all: Listed::of(&passwd()?, &format!("{}\n{group}", own.trim_end())),
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
        let is_odd =
            |one: char| one.is_control() || ['/', char::REPLACEMENT_CHARACTER].contains(&one);
        let identity = self.all.identity(name)?;
        let agrees = match self.own.identity(name) {
            Some(own) => own.uid == identity.uid,
            None => !self.own.has_uid(identity.uid),
        };
        (agrees && !name.contains(is_odd)).then_some(identity)
    }

    /// Tells whether rules can be decided by what is listed.
    ///
    /// # Errors
    /// As [`are_in_files_alone`].
    pub(crate) fn suffices_for(&self, rules: &RuleGroups) -> Result<bool, Failure> {
        Ok(self.has_groups && (are_in_files_alone()? || self.has_groups_of(rules)))
    }

    /// Tells whether what is listed says of the groups of rules what a look-up of each says: a directory need not list its groups, and
    /// need not say who is in one that it lists.
    fn has_groups_of(&self, rules: &RuleGroups) -> bool {
        let set = |all: &[String]| all.iter().cloned().collect::<BTreeSet<String>>();
        rules.0.iter().all(|(name, group)| match group {
            Group::Missing | Group::Unknown => true,
            Group::Found(members) if members.is_empty() => self.own.groups.contains_key(name),
            Group::Found(members) => {
                let listed = self.all.members(name);
                listed.is_some_and(|listed| set(listed) == set(members))
            }
        })
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
    let members = field(line, 3).split(',').filter(|it| !it.is_empty());
    members.map(str::to_owned).collect()
}

/// Gives a field of a line, without the end of the line.
pub(crate) fn field(line: &str, at: usize) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.split(':').nth(at).unwrap_or_default()
}

/// Tells whether all accounts and groups are in files of this host.
///
/// # Errors
/// nsswitch.conf(5) can't be read.
pub(crate) fn are_in_files_alone() -> Result<bool, Failure> {
    let path = Path::new("/etc/nsswitch.conf");
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        other => other.map_err(|error| Failure::io("read", path, &error))?,
    };
    let has_records = RECORDS
        .iter()
        .any(|directory| fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some()));
    let mut services = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| ["passwd", "group", "initgroups"].contains(&name.trim()))
        .flat_map(|(_, services)| services.split_whitespace())
        .filter(|it| !it.starts_with('['));
    Ok(!has_records && services.all(|it| OF_FILES.contains(&it)))
}

#[cfg(test)]
mod tests {
    use super::Listed;

    #[test]
    fn an_account_has_the_groups_that_list_it_and_none_of_a_name_that_another_has() {
        let passwd =
            "root:x:0:0::/root:\nann:x:1000:100::/home/ann:/bin/bash\nann:x:7:7:::\n+::::::\n";
        let group = "staff:x:50:bob,ann\nusers:x:100:\nstaff:x:60:ann\n";
        let listed = Listed::of(passwd, group);
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
}
