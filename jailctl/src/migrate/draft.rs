//! A config in the making. What goes into it is tried on the parser first, so that the whole is always one that it takes.

use std::{fmt::Write, path::Path};

use jail::account::identity::Identity;
use jail::log::is_hidden;
use jail_config::{Decision, Policy};

use crate::{
    accounts::login_defs::FIRST_ORDINARY,
    door::JAIL_SHELL_PATH,
    failure::Failure,
    shell::{quoted, shown},
};

/// What is to be written, and what is to be said.
#[derive(Debug)]
pub(crate) struct Draft {
    /// What it is made of, for the first line.
    source: String,
    others: Others,
    exempt: Vec<Entry>,
    users: Vec<Entry>,
    groups: Vec<Entry>,
    jails: Vec<Sketch>,
    lost: Vec<Lost>,
    remaining: Vec<String>,
}

/// What becomes of users without a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    /// No door is theirs; should they come to one, they are refused.
    HaveNoDoor,
    /// They come to the door, too, and pass: behind PAM only.
    Pass,
    /// They come to the door, too, and are refused, for this reason.
    Refused(&'static str),
}

/// A name with the jail it leads to, and why it is there.
#[derive(Debug)]
struct Entry {
    name: String,
    jail: String,
    remark: String,
}

/// A line of the old configuration that is not in the new one.
#[derive(Debug)]
struct Lost {
    line: String,
    why: String,
}

/// The keys of a jail, as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sketch {
    name: String,
    keys: Vec<(&'static str, String)>,
    remarks: Vec<String>,
}

impl Sketch {
    /// Begins a jail by its root. The error says what the parser has against it.
    pub(super) fn new(root: &str) -> Result<Sketch, String> {
        let mut sketch = Sketch::default();
        sketch.set("root", string(root))?;
        Ok(sketch)
    }

    /// Adds a key with its value as TOML. The error says what the parser has against it.
    pub(super) fn set(&mut self, key: &'static str, value: String) -> Result<(), String> {
        let root = if key == "root" { "" } else { "root = \"/x\"\n" };
        tried(&format!("[jails.x]\n{root}{key} = {value}\n"))?;
        self.keys.push((key, value));
        Ok(())
    }

    /// Adds a key whose value is text.
    pub(super) fn set_text(&mut self, key: &'static str, value: &str) -> Result<(), String> {
        self.set(key, string(value))
    }

    /// Says something above the jail.
    pub(super) fn remark(&mut self, remark: impl Into<String>) {
        self.remarks.push(remark.into());
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for remark in &self.remarks {
            comment(&mut text, "", remark);
        }
        push(&mut text, format_args!("[jails.{}]\n", key(&self.name)));
        for (key, value) in &self.keys {
            push(&mut text, format_args!("{key} = {value}\n"));
        }
        text
    }
}

/// Where an account is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Now {
    /// Where this jail leads.
    In(String),
    /// In no root but the host's.
    Free,
    /// Nowhere, or in a root that could not be carried over.
    Refused,
}

impl Draft {
    pub(super) fn new(source: impl Into<String>) -> Draft {
        Draft {
            source: source.into(),
            others: Others::HaveNoDoor,
            exempt: vec![Entry {
                name: "root".to_owned(),
                jail: String::new(),
                remark: String::new(),
            }],
            users: Vec::new(),
            groups: Vec::new(),
            jails: Vec::new(),
            lost: Vec::new(),
            remaining: Vec::new(),
        }
    }

    /// Lets users without a rule pass, as long as no door but PAM's is theirs.
    pub(super) fn let_others_pass(&mut self) {
        self.others = Others::Pass;
    }

    /// Refuses users without a rule, as they are now.
    pub(super) fn refuse_others(&mut self) {
        self.others = Others::Refused("as it is now");
    }

    /// Refuses users without a rule because somebody else would pass with them.
    pub(super) fn close(&mut self) {
        if self.others == Others::Pass {
            self.others = Others::Refused(
                "not all of it could be carried over, as the end says; who passes now is exempt",
            );
        }
    }

    /// Takes a jail in and gives its name: that of one with the same keys, where there is one.
    pub(super) fn jail(&mut self, hint: &str, mut sketch: Sketch) -> String {
        if let Some(same) = self.jails.iter_mut().find(|it| it.keys == sketch.keys) {
            for remark in sketch.remarks {
                if !same.remarks.contains(&remark) {
                    same.remarks.push(remark);
                }
            }
            return same.name.clone();
        }
        let hint = plain_name(hint);
        let taken = |name: &str| self.jails.iter().any(|it| it.name == name);
        let mut name = hint.clone();
        let mut number = 2_usize;
        while taken(&name) {
            name = format!("{hint}-{number}");
            number += 1;
        }
        sketch.name.clone_from(&name);
        self.jails.push(sketch);
        name
    }

    /// Gives a user a rule, unless there is one; tells whether there is one now.
    pub(super) fn user(&mut self, name: &str, jail: &str, remark: &str) -> bool {
        Draft::enter(
            &mut self.users,
            &mut self.lost,
            ("users", name),
            jail,
            remark,
        )
    }

    /// Gives a group a rule, unless there is one; tells whether there is one now.
    pub(super) fn group(&mut self, name: &str, jail: &str, remark: &str) -> bool {
        Draft::enter(
            &mut self.groups,
            &mut self.lost,
            ("groups", name),
            jail,
            remark,
        )
    }

    fn enter(
        entries: &mut Vec<Entry>,
        lost: &mut Vec<Lost>,
        (table, name): (&str, &str),
        jail: &str,
        remark: &str,
    ) -> bool {
        if entries.iter().any(|it| it.name == name) {
            return true;
        }
        match tried(&format!("[{table}]\n{} = \"/x\"\n", key(name))) {
            Ok(()) => {
                entries.push(Entry {
                    name: name.to_owned(),
                    jail: jail.to_owned(),
                    remark: remark.to_owned(),
                });
                true
            }
            Err(why) => {
                lost.push(Lost {
                    line: format!("{remark}: {name}"),
                    why,
                });
                false
            }
        }
    }

    /// Gives the jail that a user's rule leads to; empty where there is none.
    pub(super) fn jail_of(&self, name: &str) -> String {
        let rule = self.users.iter().find(|it| it.name == name);
        rule.map(|it| it.jail.clone()).unwrap_or_default()
    }

    /// Records a line that is not carried over.
    pub(super) fn lose(&mut self, line: impl Into<String>, why: impl Into<String>) {
        let (line, why) = (line.into(), why.into());
        if !self.lost.iter().any(|it| it.line == line && it.why == why) {
            self.lost.push(Lost { line, why });
        }
    }

    /// Tells whether there is a line that is not carried over.
    pub(crate) fn lost_something(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Records something that is still to be done.
    pub(super) fn remains(&mut self, what: impl Into<String>) {
        self.remaining.push(what.into());
    }

    /// Says how these users get jail-shell as login shell: by name where they have a rule of their own.
    pub(super) fn remains_shell<'a>(&mut self, users: impl IntoIterator<Item = &'a Identity>) {
        for identity in users {
            if crate::door::has_jail_shell(identity) {
                continue;
            }
            let name = identity.name.to_string_lossy();
            let own = self.users.iter().find(|it| it.name == name);
            let command = match own {
                Some(entry) => format!("jailctl add {} --jail {}", quoted(&*name), entry.jail),
                None => format!("usermod -s {JAIL_SHELL_PATH} {}", quoted(&*name)),
            };
            self.remaining.push(if identity.uid < FIRST_ORDINARY {
                format!("{command} # of the system's: su(1) to it ends in the jail, too; or else DenyUsers, for sshd")
            } else {
                command
            });
        }
    }

    /// Decides about every account by the draft, and gives those a rule of their own who would come elsewhere than now.
    /// Nobody who is in a root or refused now is left to pass.
    pub(super) fn settle(&mut self, accounts: &[(&Identity, Now)]) -> Result<(), Failure> {
        let refused = accounts.iter().filter(|(_, now)| *now == Now::Refused);
        self.refuse(refused.map(|(identity, _)| *identity));
        self.give_own_rules(accounts)?;
        let policy = parse(&self.text())?;
        let slips_through = |(identity, now): &(&Identity, Now)| {
            let decided = policy.decide(&identity.account(), None);
            *now != Now::Free && matches!(decided, Ok(Decision::Exempt(_)))
        };
        if accounts.iter().any(slips_through) {
            self.close();
            self.give_own_rules(accounts)?;
        }
        Ok(())
    }

    /// Takes out the rules that would let these accounts into a jail. What remains refuses them.
    fn refuse<'a>(&mut self, refused: impl Iterator<Item = &'a Identity> + Clone) {
        self.users
            .retain(|it| !refused.clone().any(|identity| identity.name == *it.name));
        let is_in =
            |identity: &Identity, group: &str| identity.group_names.iter().any(|it| it == group);
        let (taken_out, groups) = self
            .groups
            .drain(..)
            .partition(|it| refused.clone().any(|identity| is_in(identity, &it.name)));
        self.groups = groups;
        for Entry { name, remark, .. } in taken_out {
            self.lose(
                remark,
                format!("some members of group {name} are refused, so the group has no rule: each other member has a rule in [users]; later members are refused until you run jailctl add"),
            );
        }
    }

    fn give_own_rules(&mut self, accounts: &[(&Identity, Now)]) -> Result<(), Failure> {
        let policy = parse(&self.text())?;
        for (identity, now) in accounts {
            // An error is for names that can't be part of a path: the login is refused, and says so.
            let decided = policy.decide(&identity.account(), None);
            let Some(name) = identity.name.to_str() else {
                continue;
            };
            let is_right = match (now, &decided) {
                (Now::In(jail), Ok(Decision::Jail(decided))) => decided.name == *jail,
                (Now::In(_), Ok(_)) => false,
                (Now::Free, Ok(Decision::Exempt(_))) => true,
                (Now::Free, Ok(Decision::Unlisted(_))) => self.others == Others::HaveNoDoor,
                (Now::Free, _) => false,
                (Now::In(_), Err(_)) | (Now::Refused, _) => true,
            };
            if is_right {
                continue;
            }
            self.users.retain(|it| it.name != name);
            match now {
                Now::In(jail) => drop(self.user(name, jail, "an account that is there now")),
                Now::Free | Now::Refused => self.exempt(name),
            }
        }
        Ok(())
    }

    fn exempt(&mut self, name: &str) {
        let remark = "in no other root until now";
        // What is behind an @ is a group.
        let tried = match name.strip_prefix('@') {
            None => tried(&format!("exempt = [{}]\n", string(name))),
            Some(_) => Err("no name of a user".to_owned()),
        };
        match tried {
            Ok(()) => self.exempt.push(Entry {
                name: name.to_owned(),
                jail: String::new(),
                remark: remark.to_owned(),
            }),
            Err(why) => self.lose(format!("{name}: {remark}"), why),
        }
    }

    /// Writes the config.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        comment(
            &mut text,
            "",
            &format!("login-jail, from {}. See login-jail.toml(5).", self.source),
        );
        let (unlisted, why) = match self.others {
            Others::Pass => ("exempt", ""),
            Others::HaveNoDoor => ("refuse", ""),
            Others::Refused(why) => ("refuse", why),
        };
        push(
            &mut text,
            format_args!("\nunlisted = \"{unlisted}\"{}\nexempt = [\n", behind(why)),
        );
        for entry in &self.exempt {
            push(
                &mut text,
                format_args!("  {},{}\n", string(&entry.name), behind(&entry.remark)),
            );
        }
        text.push_str("]\n");
        for (table, entries) in [("users", &self.users), ("groups", &self.groups)] {
            if entries.is_empty() {
                continue;
            }
            push(&mut text, format_args!("\n[{table}]\n"));
            for entry in entries {
                let (name, jail) = (key(&entry.name), string(&entry.jail));
                push(
                    &mut text,
                    format_args!("{name} = {jail}{}\n", behind(&entry.remark)),
                );
            }
        }
        for jail in &self.jails {
            push(&mut text, format_args!("\n{}", jail.text()));
        }
        if self.jails.is_empty() {
            text.push_str("\n# Nothing there puts anybody into a root.\n");
        }
        self.end(&mut text);
        text
    }

    fn end(&self, text: &mut String) {
        if !self.lost.is_empty() {
            text.push_str("\n# Not carried over:\n");
        }
        for Lost { line, why } in &self.lost {
            comment(text, "  ", line);
            comment(text, "    ", why);
        }
        if !self.remaining.is_empty() {
            text.push_str(
                "\n# What remains to be done, as root, with a second session of root's open:\n",
            );
        }
        for what in &self.remaining {
            comment(text, "  ", what);
        }
    }
}

/// Parses a draft, as a door would.
pub(crate) fn parse(text: &str) -> Result<Policy, Failure> {
    Policy::parse(Path::new("config.toml"), text.as_bytes()).map_err(|faults| {
        Failure::Failed(format!("what was made of it is not a config:\n\n{faults}"))
    })
}

fn tried(text: &str) -> Result<(), String> {
    let Err(faults) = Policy::parse(Path::new("x"), text.as_bytes()) else {
        return Ok(());
    };
    Err(faults
        .iter()
        .next()
        .map_or_else(String::new, |fault| match &fault.help {
            Some(help) => format!("{}; {help}", fault.message),
            None => fault.message.clone(),
        }))
}

/// Writes text as a string of TOML, on one line and with nothing that a terminal would obey.
pub(super) fn string(text: &str) -> String {
    let mut written = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => written.extend(['\\', letter]),
            _ if is_hidden(letter) => {
                push(&mut written, format_args!("\\U{:08X}", u32::from(letter)))
            }
            _ => written.push(letter),
        }
    }
    written.push('"');
    written
}

/// Writes a key of TOML, quoted where it has to be.
fn key(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if !name.is_empty() && name.bytes().all(bare) {
        name.to_owned()
    } else {
        string(name)
    }
}

/// Makes the name of a jail of whatever the old configuration has.
fn plain_name(hint: &str) -> String {
    let fit = |letter: char| {
        if letter.is_ascii_alphanumeric() || "_-".contains(letter) {
            letter
        } else {
            '-'
        }
    };
    let name: String = hint.chars().map(fit).collect();
    match name.trim_matches('-') {
        "" => "jail".to_owned(),
        name => name.to_owned(),
    }
}

fn behind(remark: &str) -> String {
    if remark.is_empty() {
        String::new()
    } else {
        format!(" # {}", shown(remark))
    }
}

fn comment(text: &mut String, indent: &str, what: &str) {
    push(text, format_args!("# {indent}{}\n", shown(what)));
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    match text.write_fmt(what) {
        // Writing to a String can't fail.
        Ok(()) | Err(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Draft, Sketch, parse, string};

    #[test]
    fn whatever_names_and_paths_are_the_draft_is_a_config() {
        let mut draft = Draft::new("a\nb\u{1b}[2J");
        for hostile in [
            "a\nroot = \"/etc\"",
            "a\"b",
            "\u{1b}[2J",
            "x\u{202e}y",
            "a#b",
            "",
            "[users]",
            "a'''b",
            "\\",
            "a\u{85}b",
        ] {
            let mut sketch = Sketch::new("/srv/x").unwrap();
            sketch.remark(hostile);
            let jail = draft.jail(hostile, sketch);
            draft.user(hostile, &jail, hostile);
            draft.group(hostile, &jail, hostile);
            draft.lose(hostile, hostile);
            draft.remains(hostile);
            if let Err(why) = Sketch::new(&format!("/srv/{hostile}")) {
                draft.lose(hostile, why);
            }
        }
        let text = draft.text();
        parse(&text).unwrap();
        assert!(!text.contains(|letter: char| letter.is_control() && letter != '\n'));
        assert!(!text.contains('\u{202e}'));
        assert!(text.lines().all(|line| line != "root = \"/etc\""), "{text}");
    }

    #[test]
    fn a_string_is_read_back_as_it_was() {
        for text in ["a\nb", "\u{7f}\u{0}", "\"\\\"", "\u{202e}", "é"] {
            let document: toml_edit::DocumentMut = format!("a = {}", string(text)).parse().unwrap();
            assert_eq!(document.get("a").and_then(|it| it.as_str()), Some(text));
        }
    }
}
