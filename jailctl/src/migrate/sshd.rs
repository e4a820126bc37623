//! sshd: ChrootDirectory and `ForceCommand internal-sftp`, for all or in Match blocks. See sshd_config(5).
//!
//! Of each keyword the first value counts whose block matches, and a Match block comes before what stands outside of any.
//! What a block asks for other than user and group is not an account's to have, so its root is not carried over.

use std::path::{Path, PathBuf};

use jail::account::identity::Identity;
use jail_roots::pattern::fits;

use super::draft::{Draft, Now, Sketch};
use crate::{
    accounts::{account, login_defs::FIRST_ORDINARY},
    door::has_no_shell,
    failure::Failure,
    shell::shown,
    sshd_config,
};

const SFTP_SERVER: &str = "/usr/lib/openssh/sftp-server";
const INTERNAL: &str = "internal-sftp";

/// A value, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Setting {
    place: String,
    value: String,
}

/// Whom a block is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Whom {
    /// What stands outside of any Match block.
    Everybody,
    /// Both lists of patterns, where there are both; none is `Match all`.
    Accounts {
        users: Option<String>,
        groups: Option<String>,
    },
    /// Something that an account does not decide.
    Unclear(String),
}

#[derive(Clone, Debug)]
struct Block {
    /// The Match line and where it is.
    title: String,
    whom: Whom,
    chroot: Option<Setting>,
    forced: Option<Setting>,
}

/// What an account gets.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    chroot: Setting,
    forced: Option<Setting>,
}

/// What was read.
#[derive(Debug, Default)]
struct Config {
    blocks: Vec<Block>,
    lost: Vec<(String, String)>,
}

/// Reads what sshd has on this machine.
pub(crate) fn draft(file: &Path) -> Result<Draft, Failure> {
    let mut config = Config::default();
    config
        .blocks
        .push(Block::new(String::new(), Whom::Everybody));
    config.read(file)?;
    let mut draft = Draft::new(file.display().to_string());
    for (line, why) in config.lost.drain(..) {
        draft.lose(line, why);
    }
    let accounts = account::identities()?;
    let (roots, sorted): (Vec<_>, Vec<_>) = accounts
        .iter()
        .map(|it| (it, config.outcome_of(it)))
        .partition(|(identity, _)| identity.is_root());
    let mut jails: Vec<(Outcome, String)> = Vec::new();
    for (title, outcome) in config.outcomes(&sorted) {
        let members: Vec<&Identity> = sorted
            .iter()
            .filter(|(identity, it)| it.as_ref() == Some(&outcome) && config.is_carried(identity))
            .map(|(identity, _)| *identity)
            .collect();
        match sketch(&mut draft, &outcome, &members) {
            Ok(mut sketch) => {
                sketch.remark(if title.is_empty() {
                    outcome.chroot.place.clone()
                } else {
                    title.clone()
                });
                let name = draft.jail(&hint(&title), sketch);
                jails.push((outcome, name));
            }
            Err(why) => draft.lose(
                format!(
                    "{}: ChrootDirectory {}",
                    outcome.chroot.place, outcome.chroot.value
                ),
                format!("{why}; leave it in sshd's config, where it keeps restricting its users"),
            ),
        }
    }
    let jail_of = |outcome: &Outcome| {
        jails
            .iter()
            .find(|(it, _)| it == outcome)
            .map(|(_, name)| name.clone())
    };
    config.rules(&mut draft, jail_of);
    let mut now: Vec<(&Identity, Now)> = Vec::new();
    let (mut members, mut shut) = (Vec::new(), Vec::new());
    for (identity, outcome) in &sorted {
        match outcome.as_ref().map(jail_of) {
            None => now.push((identity, Now::Free)),
            Some(Some(jail)) if config.is_carried(identity) => {
                now.push((identity, Now::In(jail)));
                members.push(*identity);
            }
            Some(Some(_)) if !has_no_shell(identity) => shut.push(*identity),
            // sshd goes on keeping these in, or they have no shell to come in by.
            Some(_) => {}
        }
    }
    draft.settle(&now)?;
    for (identity, outcome) in roots {
        if let Some(Outcome { chroot, .. }) = outcome.filter(|it| jail_of(it).is_some()) {
            let name = identity.name.to_string_lossy();
            draft.lose(
                format!("{}: ChrootDirectory {}", chroot.place, chroot.value),
                format!("{name} is in it, too: uid 0 is never jailed, and has the host from now on; PermitRootLogin no keeps it out"),
            );
        }
    }
    let stays = |chroot: &Setting| !jails.iter().any(|(it, _)| it.chroot == *chroot);
    remaining(&mut draft, &config, stays, &members, &shut);
    Ok(draft)
}

impl Block {
    fn new(title: String, whom: Whom) -> Block {
        Block {
            title,
            whom,
            chroot: None,
            forced: None,
        }
    }

    fn is_unclear(&self) -> bool {
        matches!(self.whom, Whom::Unclear(_))
    }

    fn is_for(&self, identity: &Identity) -> bool {
        let Whom::Accounts { users, groups } = &self.whom else {
            return false;
        };
        let name = identity.name.as_encoded_bytes();
        let groups_of = || identity.group_names.iter().map(|it| it.as_encoded_bytes());
        users.as_ref().is_none_or(|list| listed(list, [name]))
            && groups.as_ref().is_none_or(|list| listed(list, groups_of()))
    }

    /// Gives the one list of plain names that says whom the block is for, if that is all that says it.
    fn plain(&self) -> Option<(&str, bool)> {
        let (list, is_group) = match &self.whom {
            Whom::Accounts {
                users: Some(list),
                groups: None,
            } => (list, false),
            Whom::Accounts {
                users: None,
                groups: Some(list),
            } => (list, true),
            _ => return None,
        };
        (!list.contains(['!', '*', '?'])).then_some((list.as_str(), is_group))
    }
}

/// Tells whether one of these names fits a list of patterns. One that an entry with `!` fits takes all the others along.
fn listed<'a>(list: &str, names: impl IntoIterator<Item = &'a [u8]>) -> bool {
    let mut found = false;
    for name in names {
        for entry in list.split(',') {
            match entry.strip_prefix('!') {
                Some(not) if fits(not.as_bytes(), name) => return false,
                Some(_) => {}
                None => found |= fits(entry.as_bytes(), name),
            }
        }
    }
    found
}

impl Config {
    /// Reads sshd's config: a line goes to the block of the Match before it.
    fn read(&mut self, file: &Path) -> Result<(), Failure> {
        let unread = sshd_config::read(file, 0, &mut |line, begin, at| {
            let place = line.place();
            let Some((keyword, values)) = line.words.split_first() else {
                return;
            };
            match keyword.to_ascii_lowercase().as_str() {
                "match" => {
                    let whom = if begin == 0 {
                        whom(values)
                    } else {
                        Whom::Unclear("a Match in a file that a Match block includes".to_owned())
                    };
                    let title = format!("{place}: {}", line.text.trim());
                    self.blocks.push(Block::new(title, whom));
                    *at = self.blocks.len() - 1;
                }
                "chrootdirectory" => self.set(*at, place, values, |block| &mut block.chroot),
                // What follows is one command, spaces and all.
                "forcecommand" => self.set(*at, place, values, |block| &mut block.forced),
                _ => {}
            }
        })?;
        self.lost
            .extend(unread.into_iter().map(|it| (it.what, it.why)));
        Ok(())
    }

    fn set(
        &mut self,
        at: usize,
        place: String,
        values: &[String],
        field: fn(&mut Block) -> &mut Option<Setting>,
    ) {
        if let Some(block) = self.blocks.get_mut(at) {
            field(block).get_or_insert(Setting {
                place,
                value: values.join(" "),
            });
        }
    }

    fn everybody(&self) -> Option<&Block> {
        self.blocks.first()
    }

    /// Gives what sshd does for an account, whatever address it comes from.
    fn outcome_of(&self, identity: &Identity) -> Option<Outcome> {
        let first = |field: fn(&Block) -> Option<&Setting>| {
            let matching = self.blocks.iter().filter(|block| block.is_for(identity));
            matching.chain(self.everybody()).find_map(field).cloned()
        };
        Outcome::of(
            first(|it| it.chroot.as_ref()),
            first(|it| it.forced.as_ref()),
        )
    }

    /// Tells whether an account that is in a root gets a rule.
    fn is_carried(&self, identity: &Identity) -> bool {
        identity.uid >= FIRST_ORDINARY || self.names(identity) && !has_no_shell(identity)
    }

    /// Tells whether the block that puts an account into a root names it, or a group of its: not one for everybody, or by
    /// pattern, in which accounts of the system are by chance.
    fn names(&self, identity: &Identity) -> bool {
        let mut matching = self.blocks.iter().filter(|block| block.is_for(identity));
        matching
            .find(|block| block.chroot.is_some())
            .is_some_and(|block| block.plain().is_some())
    }

    /// Gives what a block alone comes to.
    fn outcome_in(&self, block: &Block) -> Option<Outcome> {
        let outside = self.everybody();
        let chroot = block.chroot.clone()?;
        let forced = block
            .forced
            .clone()
            .or_else(|| outside.and_then(|it| it.forced.clone()));
        Outcome::of(Some(chroot), forced)
    }

    /// Lists every outcome once, with the block that it is called by.
    fn outcomes(&self, sorted: &[(&Identity, Option<Outcome>)]) -> Vec<(String, Outcome)> {
        let of_blocks = self.blocks.iter().filter(|it| !it.is_unclear());
        let of_blocks = of_blocks.filter_map(|it| Some((it.title.clone(), self.outcome_in(it)?)));
        let of_accounts = sorted.iter().filter_map(|(_, outcome)| {
            let outcome = outcome.clone()?;
            let block = self
                .blocks
                .iter()
                .find(|it| it.chroot.as_ref() == Some(&outcome.chroot));
            Some((
                block.map(|it| it.title.clone()).unwrap_or_default(),
                outcome,
            ))
        });
        let mut found: Vec<(String, Outcome)> = Vec::new();
        for (title, outcome) in of_blocks.chain(of_accounts) {
            if !found.iter().any(|(_, it)| *it == outcome) {
                found.push((title, outcome));
            }
        }
        found
    }

    /// Writes the rules that a block's own words come to, and says which come to none.
    fn rules(&self, draft: &mut Draft, jail_of: impl Fn(&Outcome) -> Option<String>) {
        for block in &self.blocks {
            let Some(chroot) = &block.chroot else {
                continue;
            };
            let line = format!("{}: ChrootDirectory {}", chroot.place, chroot.value);
            if let Whom::Unclear(what) = &block.whom {
                draft.lose(&*block.title, format!("{what} is nothing that a rule can ask for: a rule is for an account, wherever it comes from"));
                draft.lose(line, "stands below it");
                continue;
            }
            let Some(jail) = self.outcome_in(block).and_then(|it| jail_of(&it)) else {
                continue;
            };
            match block.plain() {
                Some((names, is_group)) => {
                    for name in names.split(',').filter(|it| !it.is_empty()) {
                        if is_group {
                            draft.group(name, &jail, &block.title);
                        } else if name != "root" {
                            draft.user(name, &jail, &block.title);
                        }
                    }
                }
                None => draft.lose(
                    if block.title.is_empty() { line } else { block.title.clone() },
                    format!(
                        "a rule names one user or one group: the accounts from uid {FIRST_ORDINARY} that it is for now have one each in [users], later ones take jailctl add; those of the system have none, and come in no more"
                    ),
                ),
            }
        }
    }
}

/// Tells whether a setting takes back what another has set.
fn is_none(setting: &Setting) -> bool {
    setting.value.eq_ignore_ascii_case("none")
}

impl Outcome {
    fn of(chroot: Option<Setting>, forced: Option<Setting>) -> Option<Outcome> {
        let chroot = chroot.filter(|it| !is_none(it))?;
        let forced = forced.filter(|it| !is_none(it));
        Some(Outcome { chroot, forced })
    }

    fn is_sftp(&self) -> bool {
        self.forced
            .as_ref()
            .is_some_and(|it| it.value.split_whitespace().next() == Some(INTERNAL))
    }

    /// Gives the root of an account.
    fn root_of(&self, identity: &Identity) -> Option<PathBuf> {
        let home = identity.home.to_str()?;
        let (name, uid) = (identity.name.to_str()?, identity.uid.to_string());
        let root = expanded(&self.chroot.value, |token| match token {
            'h' => Some(home.to_owned()),
            'u' => Some(name.to_owned()),
            'U' => Some(uid.clone()),
            _ => None,
        });
        root.ok().map(PathBuf::from)
    }
}

/// Replaces the tokens of ChrootDirectory.
fn expanded(path: &str, value: impl Fn(char) -> Option<String>) -> Result<String, String> {
    let mut made = String::new();
    let mut letters = path.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            made.push(letter);
            continue;
        }
        match letters.next() {
            Some('%') => made.push('%'),
            Some(token) => match value(token) {
                Some(value) => made.push_str(&value),
                None => return Err(format!("%{token} is no token of ChrootDirectory")),
            },
            None => return Err("a % has no token".to_owned()),
        }
    }
    Ok(made)
}

/// Gives the template that the path of a ChrootDirectory is.
fn template(path: &str) -> Result<String, String> {
    if path.contains(['{', '}']) {
        return Err("a root can't have { or } in it".to_owned());
    }
    let made = expanded(path, |token| {
        let variable = match token {
            'h' => "{home}",
            'u' => "{user}",
            'U' => "{uid}",
            _ => return None,
        };
        Some(variable.to_owned())
    })?;
    let mut clean: String = made
        .split('/')
        .filter(|it| !it.is_empty())
        .collect::<Vec<_>>()
        .join("/");
    if made.starts_with('/') {
        clean.insert(0, '/');
    }
    // A home is an absolute path itself.
    Ok(clean.replace("/{home}", "{home}"))
}

fn sketch(draft: &mut Draft, outcome: &Outcome, members: &[&Identity]) -> Result<Sketch, String> {
    let template = template(&outcome.chroot.value)?;
    let mut sketch = Sketch::new(&template)?;
    let mut roots: Vec<PathBuf> = members
        .iter()
        .filter_map(|it| outcome.root_of(it))
        .collect();
    if roots.is_empty() && !template.contains('{') {
        roots.push(PathBuf::from(&template));
    }
    let all_have = |path: &Path| {
        let inside = path.strip_prefix("/").unwrap_or(path);
        !roots.is_empty() && roots.iter().all(|root| root.join(inside).exists())
    };
    let mut shells: Vec<&Path> = members
        .iter()
        .map(|it| it.shell.as_path())
        .filter(|it| !crate::door::is_jail_shell(it))
        .collect();
    shells.dedup();
    let shell = match shells.as_slice() {
        [shell] if !outcome.is_sftp() => shell,
        _ => Path::new("/bin/sh"),
    };
    let needed = if outcome.is_sftp() {
        Path::new(SFTP_SERVER)
    } else {
        shell
    };
    if !(all_have(Path::new("/bin/sh")) && all_have(needed)) {
        sketch.set_text("base", "host")?;
        sketch.remark(format!(
            "base: {} is not in the root, and sshd's own internal-sftp needs no program there",
            needed.display()
        ));
    }
    if shell != Path::new("/bin/sh") {
        let named = shell.to_str().ok_or_else(|| "not UTF-8".to_owned());
        if let Err(why) = named.and_then(|shell| sketch.set_text("shell", shell)) {
            draft.lose(
                format!("login shell {}", shell.display()),
                format!("{why}: its users get /bin/sh"),
            );
        }
    } else if !outcome.is_sftp() && shells.len() > 1 {
        draft.lose(format!("{}: ChrootDirectory {}", outcome.chroot.place, outcome.chroot.value), "its users have different login shells: all get /bin/sh, which shell = in the jail or a file in users.d changes");
    }
    if outcome.is_sftp() {
        // internal-sftp reaches no network.
        sketch.set_text("network", "none")?;
    }
    home(draft, &mut sketch, outcome, members)?;
    if all_have(Path::new("/tmp")) {
        sketch.set_text("tmp", "root")?;
    }
    Ok(sketch)
}

/// sshd goes to the home of passwd(5) as it is inside, and to / where that is not there.
fn home(
    draft: &mut Draft,
    sketch: &mut Sketch,
    outcome: &Outcome,
    members: &[&Identity],
) -> Result<(), String> {
    let is_default = |it: &Identity| {
        it.home.file_name() == Some(it.name.as_os_str())
            && it.home.parent() == Some(Path::new("/home"))
    };
    let is_there = |it: &Identity| {
        let inside = it.home.strip_prefix("/").unwrap_or(&it.home);
        outcome
            .root_of(it)
            .is_some_and(|root| !inside.as_os_str().is_empty() && root.join(inside).is_dir())
    };
    let other: Vec<&&Identity> = members
        .iter()
        .filter(|it| is_there(it) && !is_default(it))
        .collect();
    let Some(first) = other.first() else {
        return Ok(());
    };
    if members.iter().all(|it| is_there(it)) {
        return sketch.set_text("home", "{home}");
    }
    draft.lose(
        format!("{}: ChrootDirectory {}", outcome.chroot.place, outcome.chroot.value),
        format!("not all its users have their home inside, as {} has; home = \"{{home}}\" in a file in users.d is for those who have", first.name.to_string_lossy()),
    );
    Ok(())
}

/// Says what is to be changed in sshd's config and the accounts, in an order in which nobody has the host in between: as long
/// as a ChrootDirectory is there it hides jail-shell, and sftp-server with it.
fn remaining(
    draft: &mut Draft,
    config: &Config,
    stays: impl Fn(&Setting) -> bool,
    members: &[&Identity],
    shut: &[&Identity],
) {
    let chroots = config.blocks.iter().filter(|it| !it.is_unclear());
    let chroots = chroots.filter_map(|it| it.chroot.as_ref());
    let chroots: Vec<&Setting> = chroots.filter(|it| !is_none(it) && !stays(it)).collect();
    if chroots.is_empty() {
        return;
    }
    draft.remains("install this as /etc/login-jail/config.toml, then change the login shell of each user; until ChrootDirectory is removed, sshd does not find that shell, and nobody can log in:");
    draft.remains_shell(members.iter().copied());
    draft.remains("change also the login shell of users who come into these blocks later, or whom getent passwd does not list: without it they are not jailed");
    draft.remains("then in sshd's config:");
    if !shut.is_empty() {
        let names: Vec<String> = shut.iter().map(|it| shown(&it.name)).collect();
        let names = names.join(" ");
        draft.lose(
            format!("accounts of the system that have a login shell: {names}"),
            "ChrootDirectory is for them as well, and a jail is not: without DenyUsers sshd would let them onto the host",
        );
        draft.remains(format!("DenyUsers {names}, before any Match"));
    }
    for block in &config.blocks {
        let Some(forced) = block.forced.as_ref().filter(|it| !is_none(it)) else {
            continue;
        };
        let chroot = block.chroot.as_ref().filter(|it| !is_none(it));
        match forced.value.strip_prefix(INTERNAL) {
            // It goes with a ChrootDirectory that stays.
            Some(_) if chroot.is_some_and(&stays) => {}
            Some(options) => draft.remains(format!(
                "{}: ForceCommand {SFTP_SERVER}{options} in place of ForceCommand {}: internal-sftp starts no login shell",
                forced.place, forced.value
            )),
            None => draft.remains(format!("{}: ForceCommand {} stays: the login shell runs it, in the jail", forced.place, forced.value)),
        }
    }
    draft.remains(format!("Subsystem sftp {SFTP_SERVER}, if it is internal-sftp; in the Match blocks also DisableForwarding yes, AllowAgentForwarding no, PermitUserRC no, X11Forwarding no, PermitTunnel no"));
    for chroot in chroots {
        draft.remains(format!(
            "{}: take ChrootDirectory {} out: it would hide jail-shell",
            chroot.place, chroot.value
        ));
    }
    draft.remains("sshd -t && systemctl reload ssh");
    draft.remains("jailctl check");
}

/// Makes a name of a Match line: the first name in it.
fn hint(title: &str) -> String {
    let name = title.split_whitespace().nth(3).unwrap_or("sshd");
    name.split(',').next().unwrap_or("sshd").to_owned()
}

/// Reads what stands behind Match.
fn whom(words: &[String]) -> Whom {
    let (mut users, mut groups) = (None, None);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (criterion, value) = match word.split_once('=') {
            Some((criterion, value)) => (criterion, Some(value.to_owned())),
            None if word.eq_ignore_ascii_case("all") => continue,
            None => (word.as_str(), words.next().cloned()),
        };
        let list = match criterion.to_ascii_lowercase().as_str() {
            "user" => &mut users,
            "group" => &mut groups,
            _ => return Whom::Unclear(format!("Match {criterion}")),
        };
        match value {
            Some(value) if list.is_none() => *list = Some(value),
            _ => return Whom::Unclear(format!("Match {criterion}, twice or without a value,")),
        }
    }
    Whom::Accounts { users, groups }
}

#[cfg(test)]
mod tests {
    use super::{Whom, listed, template, whom};
    use crate::sshd_config::words;

    fn split(line: &str) -> Vec<String> {
        words(line).unwrap()
    }

    #[test]
    fn a_negated_pattern_comes_before_all_others() {
        let names =
            |list, names: &[&'static str]| listed(list, names.iter().map(|it| it.as_bytes()));
        assert!(names("a*,b", &["abc"]));
        assert!(!names("*,!abc", &["abc"]));
        assert!(!names("!abc", &["x"]));
        assert!(!names("web,!adm", &["web", "adm"]));
    }

    #[test]
    fn tokens_become_variables() {
        assert_eq!(template("/srv//%u/%U%%/").unwrap(), "/srv/{user}/{uid}%");
        assert_eq!(template("%h").unwrap(), "{home}");
        assert_eq!(template("/srv/%h/x").unwrap(), "/srv{home}/x");
        for wrong in ["/srv/%g", "/srv/%", "/srv/{user}"] {
            assert!(template(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_an_account_does_not_decide_is_told_apart() {
        let read = |line: &str| whom(&split(line)[1..]);
        assert!(matches!(
            read("Match user a GROUP b"),
            Whom::Accounts {
                users: Some(_),
                groups: Some(_)
            }
        ));
        assert!(matches!(
            read("Match all"),
            Whom::Accounts {
                users: None,
                groups: None
            }
        ));
        for line in [
            "Match Address 10.0.0.0/8",
            "Match User a LocalPort 22",
            "Match User",
        ] {
            assert!(matches!(read(line), Whom::Unclear(_)), "{line}");
        }
    }
}
