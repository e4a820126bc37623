//! Jails and rules for groups that a command writes into the config, each with a mark that tells whose it is.

use std::collections::BTreeSet;

use toml_edit::{DocumentMut, Item, TomlError, Value};

use super::config::{jail, meaning, meaning_of};

/// What is to stand in a config.
#[derive(Debug)]
pub(crate) struct Applied<'a> {
    /// The command, which is the mark.
    pub(crate) command: &'a str,
    /// Each jail with its keys, which have their values in TOML.
    pub(crate) jails: Vec<(&'a str, &'a [(String, String)])>,
    /// Each group with its jail.
    pub(crate) groups: Vec<(&'a str, &'a str)>,
    /// Whether what has the mark and does not stand here goes.
    pub(crate) prunes: bool,
}

impl Applied<'_> {
    /// Writes it into a config. What is there and means the same stays as it is written.
    pub(crate) fn with(&self, text: &str) -> Result<String, TomlError> {
        let mut document: DocumentMut = text.parse()?;
        let mark = format!(" # {}", self.command);
        if self.prunes {
            self.prune(&mut document, &mark);
        }
        let mut behind = String::new();
        let mut new_groups = String::new();
        for (group, to) in &self.groups {
            match document.get_mut("groups").and_then(Item::as_table_like_mut) {
                Some(groups) if groups.get(group).and_then(Item::as_str) == Some(to) => {}
                Some(groups) => {
                    let mut value = Value::from(*to);
                    value.decor_mut().set_suffix(mark.as_str());
                    // In its place: the order of groups decides.
                    match groups.get_mut(group) {
                        Some(old) => *old = Item::Value(value),
                        None => drop(groups.insert(group, Item::Value(value))),
                    }
                }
                None => new_groups.push_str(&format!("{} = {to:?}{mark}\n", key(group))),
            }
        }
        if !new_groups.is_empty() {
            behind.push_str(&format!("\n[groups]\n{new_groups}"));
        }
        for (name, keys) in &self.jails {
            let wanted: String = keys
                .iter()
                .map(|(k, v)| format!("{} = {v}\n", key(k)))
                .collect();
            let means = wanted
                .parse::<DocumentMut>()
                .map(|it| meaning(it.as_item()))?;
            match jail(&document, name).map(meaning) {
                Some(there) if there == means => continue,
                Some(_) => {
                    let jails = document.get_mut("jails").and_then(Item::as_table_like_mut);
                    drop(jails.and_then(|it| it.remove(name)));
                }
                None => {}
            }
            behind.push_str(&format!("\n[jails.{}]{mark}\n{wanted}", key(name)));
        }
        let mut new = document.to_string();
        if !behind.is_empty() && !new.is_empty() && !new.ends_with('\n') {
            new.push('\n');
        }
        new.push_str(&behind);
        // A table that is written in another way can't be continued: then this is no TOML.
        new.parse::<DocumentMut>()?;
        Ok(new)
    }

    /// Takes out what has the mark and is no longer wanted.
    fn prune(&self, document: &mut DocumentMut, mark: &str) {
        let groups: BTreeSet<&str> = self.groups.iter().map(|(group, _)| *group).collect();
        let jails: BTreeSet<&str> = self.jails.iter().map(|(name, _)| *name).collect();
        let is_marked = |suffix: Option<&toml_edit::RawString>| {
            suffix
                .and_then(|it| it.as_str())
                .is_some_and(|it| it.trim() == mark.trim())
        };
        if let Some(table) = document.get_mut("groups").and_then(Item::as_table_mut) {
            table.retain(|group, item| {
                let suffix = item.as_value().and_then(|it| it.decor().suffix());
                groups.contains(group) || !is_marked(suffix)
            });
        }
        if let Some(table) = document.get_mut("jails").and_then(Item::as_table_mut) {
            table.retain(|name, item| {
                let suffix = item.as_table().and_then(|it| it.decor().suffix());
                jails.contains(name) || !is_marked(suffix)
            });
        }
    }
}

/// Writes a key of TOML, in quotes if it needs them.
pub(crate) fn key(name: &str) -> String {
    let is_bare = |it: char| it.is_ascii_alphanumeric() || "-_".contains(it);
    match !name.is_empty() && name.chars().all(is_bare) {
        true => name.to_owned(),
        false => Value::from(name).to_string(),
    }
}

/// What a file of `users.d` says, beside which nothing else of the user's rule stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UserRule {
    pub(crate) jail: Option<String>,
    /// Keys beside `jail`, each with its value in TOML.
    pub(crate) keys: Vec<(String, String)>,
}

/// What is there in a file of `users.d`.
#[derive(Debug)]
pub(crate) struct UserText<'a>(pub(crate) &'a str);

impl UserText<'_> {
    /// Gives the jail that it names; nothing where it has a jail of its own.
    pub(crate) fn jail(&self) -> Result<Option<String>, TomlError> {
        let document: DocumentMut = self.0.parse()?;
        Ok(document
            .get("jail")
            .and_then(Item::as_str)
            .map(str::to_owned))
    }

    /// Tells whether a command has written it.
    pub(crate) fn is_marked(&self, command: &str) -> bool {
        self.0.lines().next() == Some(&header(command))
    }

    /// Puts keys into it. Keys of `limits` come one by one.
    pub(crate) fn with(&self, rule: &UserRule) -> Result<String, TomlError> {
        let mut document: DocumentMut = self.0.parse()?;
        if let Some(jail) = &rule.jail
            && document.get("jail").and_then(Item::as_str) != Some(jail)
        {
            document.insert("jail", toml_edit::value(jail.as_str()));
        }
        for (key, written) in &rule.keys {
            let value: Value = written.parse()?;
            let there = document.get(key).map(meaning);
            if there != meaning_of(written) {
                document.insert(key, Item::Value(value));
            }
        }
        Ok(document.to_string())
    }

    /// Tells whether it means the same as another text.
    pub(crate) fn is_like(&self, other: &str) -> bool {
        let of = |text: &str| {
            text.parse::<DocumentMut>()
                .map(|it| meaning(it.as_item()))
                .ok()
        };
        of(self.0) == of(other)
    }
}

fn header(command: &str) -> String {
    format!("# {command}")
}

impl UserRule {
    /// Writes a new file.
    pub(crate) fn text(&self, command: &str) -> String {
        let mut text = format!("{}\n", header(command));
        if let Some(jail) = &self.jail {
            text.push_str(&format!("jail = {}\n", Value::from(jail.as_str())));
        }
        for (key, value) in &self.keys {
            text.push_str(&format!("{key} = {value}\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Applied, UserRule, UserText};

    const TEXT: &str = "# top\nexempt = [\"root\"]\n\n[groups]\nstaff = \"web\" # us\n\n# for all\n[jails.web]\nroot = \"/srv/{user}\"\n";

    fn keys() -> Vec<(String, String)> {
        vec![
            ("root".to_owned(), "\"/srv/c/{user}\"".to_owned()),
            ("base".to_owned(), "\"host\"".to_owned()),
        ]
    }

    fn applied(keys: &[(String, String)]) -> Applied<'_> {
        Applied {
            command: "jailctl apply",
            jails: vec![("class", keys)],
            groups: vec![("pupils", "class")],
            prunes: true,
        }
    }

    #[test]
    fn what_is_wanted_comes_in_once_with_a_mark_and_goes_when_it_is_no_longer_wanted() {
        let keys = keys();
        let there = applied(&keys).with(TEXT).unwrap();
        assert_eq!(
            there,
            TEXT.replace("# us\n", "# us\npupils = \"class\" # jailctl apply\n")
                + "\n[jails.class] # jailctl apply\nroot = \"/srv/c/{user}\"\nbase = \"host\"\n"
        );
        assert_eq!(applied(&keys).with(&there).unwrap(), there);
        let none = Applied {
            jails: Vec::new(),
            groups: Vec::new(),
            ..applied(&keys)
        };
        assert_eq!(none.with(&there).unwrap().trim_end(), TEXT.trim_end());
        let kept = Applied {
            prunes: false,
            ..none
        };
        assert_eq!(kept.with(&there).unwrap(), there);
    }

    #[test]
    fn a_jail_that_differs_is_replaced_as_a_whole() {
        let keys = vec![("root".to_owned(), "\"/new/{user}\"".to_owned())];
        let web = Applied {
            jails: vec![("web", &keys)],
            groups: Vec::new(),
            prunes: false,
            ..applied(&keys)
        };
        let text = web.with(TEXT).unwrap();
        assert!(
            text.ends_with("[jails.web] # jailctl apply\nroot = \"/new/{user}\"\n"),
            "{text}"
        );
        assert!(!text.contains("/srv/{user}"), "{text}");
        assert!(web.with("jails = { x = {} }\n").is_err());
    }

    #[test]
    fn a_users_file_keeps_what_it_has() {
        let rule = UserRule {
            jail: Some("web".to_owned()),
            keys: vec![("until".to_owned(), "\"2099-01-01\"".to_owned())],
        };
        let text = rule.text("jailctl add");
        assert_eq!(
            text,
            "# jailctl add\njail = \"web\"\nuntil = \"2099-01-01\"\n"
        );
        let there = "# mine\njail = \"web\"\nlimits = { nproc = 5 }\n";
        let with = UserText(there).with(&rule).unwrap();
        assert_eq!(with, format!("{there}until = \"2099-01-01\"\n"));
        assert_eq!(UserText(&with).with(&rule).unwrap(), with);
        assert!(
            UserText(&text).is_marked("jailctl add") && !UserText(there).is_marked("jailctl add")
        );
    }
}
