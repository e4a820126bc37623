//! Who may become root: by a group that distributions give everything to, by sudoers(5), and by doas.conf(5).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use jail::account::identity::Identity;

/// The groups that sudo's packages, and polkit, give everything to.
const GROUPS: [&str; 3] = ["sudo", "wheel", "admin"];

const SUDOERS: &str = "/etc/sudoers";
const DOAS: &str = "/etc/doas.conf";

/// How many files a sudoers(5) can include, one in another: sudo's own limit.
const DEEPEST: usize = 128;

/// Who may run every command as root. Who is named by a netgroup, or by ALL, is not among them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Administrators {
    pub(crate) users: BTreeSet<String>,
    pub(crate) groups: BTreeSet<String>,
    pub(crate) uids: BTreeSet<u32>,
    pub(crate) gids: BTreeSet<u32>,
}

impl Administrators {
    /// Reads the files. What is missing or can't be read gives nobody.
    pub(crate) fn read() -> Administrators {
        let mut lines = Vec::new();
        gather(Path::new(SUDOERS), 0, &mut lines);
        let mut administrators = Administrators::of_sudoers(&lines);
        administrators.doas(&text(Path::new(DOAS)));
        administrators.groups.extend(GROUPS.map(str::to_owned));
        administrators
    }

    /// Tells whether an account is one that becomes root: root itself, whom sudoers(5) has as well, is none.
    pub(crate) fn has(&self, identity: &Identity) -> bool {
        if identity.is_root() {
            return false;
        }
        let mut groups = identity.group_names.iter().filter_map(|it| it.to_str());
        let name = identity.name.to_str();
        name.is_some_and(|it| self.users.contains(it))
            || groups.any(|it| self.groups.contains(it))
            || self.uids.contains(&identity.uid)
            || identity.groups.iter().any(|it| self.gids.contains(it))
    }

    fn of_sudoers(lines: &[String]) -> Administrators {
        let mut administrators = Administrators::default();
        let aliases = aliases(lines);
        for line in lines {
            let Some((who, what)) = line.split_once('=') else {
                continue;
            };
            let who = who.replace(", ", ",").replace(" ,", ",");
            let who = who.split_whitespace().next().unwrap_or_default();
            if who.ends_with("_Alias") || who.starts_with("Defaults") || !is_everything(what) {
                continue;
            }
            for name in who.split(',') {
                administrators.add(name, &aliases, 0);
            }
        }
        administrators
    }

    /// Adds whom a word of sudoers(5) names.
    fn add(&mut self, word: &str, aliases: &BTreeMap<&str, &str>, depth: usize) {
        let word = word.trim().trim_matches('"');
        if let Some(names) = aliases.get(word).filter(|_| depth < DEEPEST) {
            let names = names.split(',');
            return names.for_each(|name| self.add(name, aliases, depth + 1));
        }
        if let Some(gid) = word.strip_prefix("%#") {
            self.gids.extend(gid.parse::<u32>());
        } else if let Some(group) = word.strip_prefix('%') {
            self.groups.insert(group.to_owned());
        } else if let Some(uid) = word.strip_prefix('#') {
            self.uids.extend(uid.parse::<u32>());
        } else if !word.is_empty() && !word.starts_with(['!', '+']) && word != "ALL" {
            self.users.insert(word.to_owned());
        }
    }

    fn doas(&mut self, text: &str) {
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let is_option =
                |it: &&str| ["permit", "nopass", "nolog", "persist", "keepenv"].contains(it);
            let mut words = line.split_whitespace().peekable();
            if words.peek() != Some(&"permit") {
                continue;
            }
            while words.next_if(is_option).is_some() {}
            if words.next_if_eq(&"setenv").is_some() {
                while words.next_if(|it| !it.ends_with('}')).is_some() {}
                words.next();
            }
            while words.next_if(is_option).is_some() {}
            let who = words.next();
            let rest: Vec<&str> = words.collect();
            let (Some(who), [] | ["as", "root"]) = (who, rest.as_slice()) else {
                continue;
            };
            match who.strip_prefix(':') {
                Some(group) => self.groups.insert(group.to_owned()),
                None => self.users.insert(who.to_owned()),
            };
        }
    }
}

/// Gives the lists of users that have a name of their own.
fn aliases(lines: &[String]) -> BTreeMap<&str, &str> {
    let lists = lines.iter().filter_map(|it| it.strip_prefix("User_Alias"));
    let pairs = lists.flat_map(|it| it.split(':'));
    let pairs = pairs.filter_map(|it| it.split_once('='));
    pairs.map(|(name, users)| (name.trim(), users)).collect()
}

/// Tells whether what stands behind the hosts of a line is every command, as root.
fn is_everything(what: &str) -> bool {
    let what = what.trim_start();
    let (runas, commands) = match what.strip_prefix('(').and_then(|it| it.split_once(')')) {
        Some((runas, commands)) => (runas, commands),
        None => ("root", what),
    };
    let users = runas.split(':').next().unwrap_or_default();
    let is_root = |it: &str| ["ALL", "root", "#0"].contains(&it.trim());
    let mut commands = commands.split(',').map(|it| {
        // Behind tags such as NOPASSWD.
        it.rsplit(':').next().unwrap_or_default().trim()
    });
    users.split(',').any(is_root) && commands.any(|it| it == "ALL")
}

/// Reads the lines of a sudoers(5), with those of the files that it includes.
fn gather(file: &Path, depth: usize, lines: &mut Vec<String>) {
    let text = text(file).replace("\\\n", " ");
    for line in text.lines().map(str::trim) {
        let word = line.split_whitespace().next().unwrap_or_default();
        let included = line.strip_prefix(word).unwrap_or_default().trim();
        let included = file.with_file_name(included.trim_matches('"'));
        match word {
            "@include" | "#include" if depth < DEEPEST => gather(&included, depth + 1, lines),
            "@includedir" | "#includedir" if depth < DEEPEST => {
                for file in files_in(&included) {
                    gather(&file, depth + 1, lines);
                }
            }
            _ if is_comment(word) => {}
            _ => lines.push(without_comment(line).to_owned()),
        }
    }
}

/// Lists the files of a directory that sudo reads.
fn files_in(directory: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = files
        .map(|it| it.path())
        .filter(|it| {
            let name = it.file_name().unwrap_or_default().to_string_lossy();
            !name.contains('.') && !name.ends_with('~') && it.is_file()
        })
        .collect();
    files.sort();
    files
}

/// Tells a comment from a uid.
fn is_comment(word: &str) -> bool {
    let behind = word.strip_prefix('#');
    behind.is_some_and(|it| !it.starts_with(|it: char| it.is_ascii_digit()))
}

fn without_comment(line: &str) -> &str {
    let starts = line.match_indices(" #").map(|(at, _)| at);
    let is_end = |at: &usize| line.get(at + 1..).is_some_and(is_comment);
    let end = starts.into_iter().find(is_end);
    end.and_then(|at| line.get(..at)).unwrap_or(line)
}

fn text(file: &Path) -> String {
    let bytes = fs::read(file).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Administrators, without_comment};

    #[test]
    fn who_may_run_everything_as_root_is_an_administrator() {
        let lines = [
            "Defaults env_reset, passwd_tries=ALL",
            "User_Alias FULL = ann, %ops : MORE = FULL, #1007",
            "root ALL=(ALL:ALL) ALL",
            "%sudo\tALL=(ALL:ALL) ALL",
            "boss ALL = NOPASSWD: ALL",
            "MORE, eve ALL=(root) NOPASSWD:SETENV: /bin/ls, ALL",
            "%#1003 ALL=(ALL) ALL",
            "web ALL=(root) /bin/systemctl reload nginx",
            "dba ALL=(postgres) ALL",
            "grp ALL=(:adm) ALL",
            "ALL ALL=(ALL) ALL",
            "+net ALL=(ALL) ALL",
        ];
        let mut found = Administrators::of_sudoers(&lines.map(str::to_owned));
        found.doas(
            "permit persist :wheel\npermit nopass setenv { A=b } keepenv cid as root\ndeny dora\n\
             permit fay cmd reboot\npermit gil as postgres # x\n",
        );
        let set = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect();
        let wanted = Administrators {
            users: set(&["ann", "boss", "cid", "eve", "root"]),
            groups: set(&["ops", "sudo", "wheel"]),
            uids: [1007].into(),
            gids: [1003].into(),
        };
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_uid_is_no_comment() {
        assert_eq!(without_comment("ann ALL=ALL # all"), "ann ALL=ALL");
        assert_eq!(without_comment("A = #1000, #1001"), "A = #1000, #1001");
    }
}
