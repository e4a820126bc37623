//! The rule of a set-up in the config, its jail, and what `jailctl check` is told to accept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml_edit::{Array, DocumentMut, InlineTable, Item, TableLike, TomlError, Value};

use super::diff::taken_back;

/// What a set-up writes into the config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) recipe: String,
    /// The group, whose name the jail has as well.
    pub(crate) group: String,
    /// The keys of the jail, each with its value in TOML.
    pub(crate) keys: Vec<(String, String)>,
    /// Kinds of findings that are meant to be, and why.
    pub(crate) accepts: Vec<(String, String)>,
}

/// Adds the rule to a config. What is there stays as it is written.
pub(crate) fn with(text: &str, rule: &Rule) -> Result<String, TomlError> {
    let mut document: DocumentMut = text.parse()?;
    let group = rule.group.as_str();
    let mut behind = String::new();
    match document.get_mut("groups").and_then(Item::as_table_like_mut) {
        Some(groups) if groups.contains_key(group) => {}
        Some(groups) => drop(groups.insert(group, Item::Value(Value::from(group)))),
        None => behind.push_str(&format!("\n[groups]\n{group} = {group:?}\n")),
    }
    if jail(&document, group).is_none() {
        behind.push_str(&format!("\n[jails.{group}]\n"));
        for (key, value) in &rule.keys {
            behind.push_str(&format!("{key} = {value}\n"));
        }
    }
    let missing: Vec<Value> = rule
        .acceptances()
        .filter(|it| !accepted(&document).any(|known| is_same(known, it)))
        .collect();
    if !missing.is_empty() {
        match document.get_mut("check").and_then(Item::as_table_like_mut) {
            Some(check) => {
                let accept = check.entry("accept");
                let accept = accept.or_insert_with(|| Item::Value(Value::Array(Array::new())));
                if let Some(accept) = accept.as_array_mut() {
                    accept.extend(missing);
                }
            }
            None => {
                behind.push_str("\n[check]\naccept = [\n");
                for value in missing {
                    behind.push_str(&format!("  {value},\n"));
                }
                behind.push_str("]\n");
            }
        }
    }
    let mut new = document.to_string();
    if !behind.is_empty() {
        if !new.is_empty() && !new.ends_with('\n') {
            new.push('\n');
        }
        new.push_str(&format!("\n# jailctl setup {}{behind}", rule.recipe));
    }
    // A table that is written in another way can't be continued: then this is no TOML.
    new.parse::<DocumentMut>()?;
    Ok(new)
}

/// Takes the rule out of a config that was changed since, and says what of it stays. `before` and `after` are the texts
/// before and after the set-up.
pub(crate) fn without(
    rule: &Rule,
    [before, after]: [&str; 2],
    now: &str,
) -> Result<(String, Option<String>), TomlError> {
    let mut wanted: DocumentMut = now.parse()?;
    let ours: DocumentMut = after.parse()?;
    let group = rule.group.as_str();
    let (is, was) = (jail(&wanted, group), jail(&ours, group));
    let is_changed = is.is_some() && is.map(meaning) != was.map(meaning);
    let kept = is_changed.then(|| format!("[jails.{group}], which was changed since"));
    if let Some(groups) = wanted.get_mut("groups").and_then(Item::as_table_like_mut) {
        let leads_there = |it: &Item| it.as_str() == Some(group);
        if groups.get(group).is_some_and(leads_there) {
            groups.remove(group);
        }
    }
    let jails = wanted.get_mut("jails").and_then(Item::as_table_like_mut);
    if let Some(jails) = jails.filter(|_| !is_changed) {
        jails.remove(group);
    }
    let ours: Vec<Value> = rule.acceptances().collect();
    let had_list = accept_list(&before.parse()?).is_some();
    if let Some(check) = wanted.get_mut("check").and_then(Item::as_table_like_mut) {
        let accept = check.get_mut("accept").and_then(Item::as_array_mut);
        let is_empty = accept.is_some_and(|accept| {
            accept.retain(|it| !ours.iter().any(|own| is_same(it, own)));
            accept.is_empty()
        });
        if is_empty && !had_list {
            check.remove("accept");
        }
    }
    // By lines every comment stays. Where lines of others stand below a heading of ours, this means something else.
    let by_lines = taken_back(before, after, now);
    let is_wanted = by_lines
        .parse::<DocumentMut>()
        .is_ok_and(|it| meaning(it.as_item()) == meaning(wanted.as_item()));
    let text = if is_wanted {
        by_lines
    } else {
        wanted.to_string()
    };
    Ok((text, kept))
}

/// Gives the keys of the jail that a group has, each with its value; nothing where the group has no rule. The error is where
/// the group's rule leads, if it is not a jail of this name.
pub(crate) fn jail_of(
    text: &str,
    group: &str,
) -> Result<Result<Option<BTreeMap<String, String>>, String>, TomlError> {
    let document: DocumentMut = text.parse()?;
    let groups = document.get("groups").and_then(Item::as_table_like);
    let rule = groups.and_then(|groups| groups.get(group));
    let jail = jail(&document, group).and_then(Item::as_table_like);
    Ok(match (rule, jail) {
        (None, None) => Ok(None),
        (Some(rule), Some(jail)) if rule.as_str() == Some(group) => Ok(Some(
            jail.iter()
                .map(|(key, item)| (key.to_owned(), meaning(item)))
                .collect(),
        )),
        (Some(rule), _) => Err(rule.to_string().trim().to_owned()),
        (None, Some(_)) => Err(format!("[jails.{group}]")),
    })
}

/// Gives what a value in TOML means, in the form of [`jail_of`].
pub(crate) fn meaning_of(value: &str) -> Option<String> {
    let value: Value = value.parse().ok()?;
    Some(meaning(&Item::Value(value)))
}

impl Rule {
    fn acceptances(&self) -> impl Iterator<Item = Value> {
        self.accepts.iter().map(|(kind, why)| {
            let mut one = InlineTable::new();
            one.insert("kind", kind.as_str().into());
            one.insert("for", format!("@{}", self.group).into());
            one.insert("why", why.as_str().into());
            Value::InlineTable(one)
        })
    }
}

pub(super) fn jail<'d>(document: &'d DocumentMut, name: &str) -> Option<&'d Item> {
    let jails = document.get("jails").and_then(Item::as_table_like);
    jails.and_then(|jails| TableLike::get(jails, name))
}

fn accepted(document: &DocumentMut) -> impl Iterator<Item = &Value> {
    accept_list(document).into_iter().flatten()
}

fn accept_list(document: &DocumentMut) -> Option<&Array> {
    let check = document.get("check").and_then(Item::as_table_like)?;
    check.get("accept").and_then(Item::as_array)
}

fn is_same(one: &Value, other: &Value) -> bool {
    let of = |value: &Value| meaning(&Item::Value(value.clone()));
    of(one) == of(other)
}

/// Writes what an item means: without comments and layout, in the order of its keys, and without tables that are empty.
pub(super) fn meaning(item: &Item) -> String {
    if let Some(table) = item.as_table_like() {
        let entries = table.iter().map(|(key, item)| (key, meaning(item)));
        let entries: BTreeMap<&str, String> = entries.filter(|(_, it)| it != "{}").collect();
        let entries: Vec<String> = entries.iter().map(|(k, v)| format!("{k:?}={v}")).collect();
        return format!("{{{}}}", entries.join(","));
    }
    if let Some(array) = item.as_array() {
        let values = array.iter().map(|it| meaning(&Item::Value(it.clone())));
        let values: Vec<String> = values.collect();
        return format!("[{}]", values.join(","));
    }
    match item.as_str() {
        Some(text) => format!("{text:?}"),
        None => item.to_string().trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Rule, jail_of, meaning_of, with, without};

    const PACKAGED: &str = "# top\nunlisted = \"refuse\"\nexempt = [\"root\"]\n\n# Uncomment:\n# [users]\n# ann = \"web\"\n";

    fn rule() -> Rule {
        Rule {
            recipe: "class".to_owned(),
            group: "class".to_owned(),
            keys: vec![("root".to_owned(), "\"/srv/{user}\"".to_owned())],
            accepts: vec![("home-in-reach".to_owned(), "it is meant".to_owned())],
        }
    }

    #[test]
    fn a_rule_comes_behind_what_is_there_and_once() {
        let text = with(PACKAGED, &rule()).unwrap();
        assert_eq!(
            text,
            format!(
                "{PACKAGED}\n# jailctl setup class\n[groups]\nclass = \"class\"\n\n[jails.class]\nroot = \"/srv/{{user}}\"\n\n[check]\naccept = [\n  {{ kind = \"home-in-reach\", for = \"@class\", why = \"it is meant\" }},\n]\n"
            )
        );
        assert_eq!(with(&text, &rule()).unwrap(), text);
        let there = "[groups]\nstaff = \"web\" # us\n[check]\naccept = []\n";
        let text = with(there, &rule()).unwrap();
        assert!(
            text.starts_with(
                "[groups]\nstaff = \"web\" # us\nclass = \"class\"\n[check]\naccept = [{ kind"
            ),
            "{text}"
        );
        assert!(with("jails = { web = {} }\n", &rule()).is_err());
    }

    #[test]
    fn a_rule_goes_from_a_config_that_was_changed_and_nothing_else_does() {
        let after = with(PACKAGED, &rule()).unwrap();
        let gone = |now: &str| without(&rule(), [PACKAGED, &after], now).unwrap();
        let now = after.replace("# top", "# other");
        assert_eq!(gone(&now), (PACKAGED.replace("# top", "# other"), None));
        // Below our heading.
        let now = after.replace("[jails.class]", "staff = \"class2\"\n[jails.class]");
        let (text, kept) = gone(&now);
        assert!(
            text.contains("[groups]\n\nstaff = \"class2\"\n") && kept.is_none(),
            "{text}"
        );
        assert!(!text.contains("[jails.class]"), "{text}");
        // The jail is somebody else's by now.
        let now = after.replace("{user}\"\n", "{user}\"\numask = \"027\"\n");
        let (text, kept) = gone(&now);
        assert!(
            text.contains("umask") && !text.contains("class = \"class\""),
            "{text}"
        );
        assert!(kept.is_some());
    }

    #[test]
    fn the_jail_of_a_group_is_found() {
        let text = with("", &rule()).unwrap();
        let jail = jail_of(&text, "class").unwrap().unwrap().unwrap();
        assert_eq!(jail.get("root"), meaning_of("'/srv/{user}'").as_ref());
        assert_eq!(jail_of("", "class").unwrap(), Ok(None));
        assert!(
            jail_of("[groups]\nclass = \"web\"\n", "class")
                .unwrap()
                .is_err()
        );
        assert_eq!(
            meaning_of("{ b = 1, a = [ 2 ] }").unwrap(),
            "{\"a\"=[2],\"b\"=1}"
        );
    }
}
