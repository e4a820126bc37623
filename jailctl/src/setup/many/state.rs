//! The declared state of a host, as `jailctl apply` reads it: TOML, or JSON with the same keys. jailctl-apply(8) describes it.

use std::{ops::Range, path::Path};

use jail_config::{is_jail_key, nearest};
use toml_edit::{Document, Item, TableLike, Value};

use super::{
    key,
    roots::Root,
    table::file_or_input,
    wanted::{Group, Jail, User, Wanted},
};
use crate::{failure::Failure, shell::shown};

/// What marks the rules.
pub(crate) const COMMAND: &str = "jailctl apply";

const TOP: [&str; 6] = ["create", "prune", "jails", "groups", "users", "roots"];
const GROUP: [&str; 2] = ["jail", "create"];
const USER: [&str; 7] = [
    "jail", "groups", "keys", "until", "limits", "comment", "create",
];
const ROOT: [&str; 3] = ["presets", "programs", "image"];

/// Reads a state. What is wrong with it is added to `faults`, and reading goes on.
///
/// # Errors
/// The file can't be read, or is no TOML or JSON.
pub(crate) fn read(file: &Path, faults: &mut Vec<String>) -> Result<Wanted, Failure> {
    let bytes = file_or_input(file).map_err(|error| Failure::io("read", file, &error))?;
    let text = String::from_utf8(bytes);
    let text =
        text.map_err(|_| Failure::Usage(format!("{}: it is no text in UTF-8", shown(file))))?;
    let directory = key::directory_of(file)?;
    let file = shown(file);
    let wrong = |what: String| Failure::Usage(format!("nothing was changed: {file}: {what}"));
    let mut wanted = match text.trim_start().starts_with('{') {
        true => {
            let value: serde_json::Value =
                serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
            let text = toml_of(&value).map_err(wrong)?;
            parse(&text, &file, false, faults).map_err(wrong)?
        }
        false => parse(&text, &file, true, faults).map_err(wrong)?,
    };
    for keys in wanted.users.iter_mut().filter_map(|it| it.keys.as_mut()) {
        *keys = key::placed(keys, &directory);
    }
    for image in wanted.roots.iter_mut().filter_map(|it| it.image.as_mut()) {
        *image = directory.join(&image);
    }
    Ok(wanted)
}

/// Writes JSON as TOML. JSON says nothing that TOML could not, but for null.
fn toml_of(value: &serde_json::Value) -> Result<String, String> {
    let value = value_of(value)?;
    let table = value.as_inline_table().ok_or("it is no object")?;
    let table = table.clone().into_table();
    Ok(toml_edit::DocumentMut::from(table).to_string())
}

fn value_of(value: &serde_json::Value) -> Result<Value, String> {
    use serde_json::Value as Json;
    Ok(match value {
        Json::Null => return Err("null is no value here; leave the key out".to_owned()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::from(number),
            None => return Err(format!("{number} is no whole number that fits")),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(all) => {
            let all: Result<Vec<Value>, String> = all.iter().map(value_of).collect();
            Value::Array(all?.into_iter().collect())
        }
        Json::Object(all) => {
            let mut table = toml_edit::InlineTable::new();
            for (key, value) in all {
                table.insert(key, value_of(value)?);
            }
            Value::InlineTable(table)
        }
    })
}

/// Reads the text of a state; `has_lines` says whether its lines are those of the file.
fn parse(
    text: &str,
    file: &str,
    has_lines: bool,
    faults: &mut Vec<String>,
) -> Result<Wanted, String> {
    let document = Document::parse(text).map_err(|error| error.to_string())?;
    let mut reader = Reader {
        file,
        starts: match has_lines {
            true => text.match_indices('\n').map(|(at, _)| at).collect(),
            false => Vec::new(),
        },
        has_lines,
        faults,
    };
    Ok(reader.state(document.as_table()))
}

struct Reader<'a> {
    file: &'a str,
    /// Where each line ends.
    starts: Vec<usize>,
    has_lines: bool,
    faults: &'a mut Vec<String>,
}

impl Reader<'_> {
    /// Says where something is: by its line, or by its key where the text has other lines than the file.
    fn place(&self, key: &str, span: Option<Range<usize>>) -> String {
        match span.filter(|_| self.has_lines) {
            Some(span) => {
                let line = self.starts.partition_point(|end| *end < span.start) + 1;
                format!("{}:{line}", self.file)
            }
            None => format!("{}: {}", self.file, shown(key)),
        }
    }

    fn fault(&mut self, place: &str, what: &str) {
        self.faults.push(format!("{place}: {what}"));
    }

    fn state(&mut self, top: &dyn TableLike) -> Wanted {
        self.known(top, "", &TOP);
        let create = self.flag(top, "", "create").unwrap_or(false);
        let mut wanted = Wanted {
            command: COMMAND,
            is_whole: true,
            prunes: self.flag(top, "", "prune").unwrap_or(false),
            by_login_shell: true,
            ..Wanted::default()
        };
        for (name, place, table) in self.tables(top, "jails") {
            wanted.jails.push(self.jail(name, &place, table));
        }
        for (name, place, table) in self.tables(top, "groups") {
            self.known(table, &format!("groups.{name}"), &GROUP);
            wanted.groups.push(Group {
                jail: self.text(table, name, "jail"),
                create: self.flag(table, name, "create").unwrap_or(create),
                name: name.to_owned(),
                place: Some(place),
                with_members: false,
            });
        }
        for (name, place, table) in self.tables(top, "users") {
            let user = self.user(name, table);
            wanted.users.push(User {
                create: self.flag(table, name, "create").unwrap_or(create),
                place: Some(place),
                ..user
            });
        }
        for (path, place, table) in self.tables(top, "roots") {
            if let Some(root) = self.root(path, &place, table) {
                wanted.roots.push(root);
            }
        }
        wanted
    }

    /// Takes the keys of a jail as they are written; what they say is the config's business.
    fn jail(&mut self, name: &str, place: &str, table: &dyn TableLike) -> Jail {
        for (key, item) in table.iter() {
            if !is_jail_key(key) {
                let place = match self.has_lines {
                    true => self.place("", item.span()),
                    false => place.to_owned(),
                };
                self.fault(
                    &place,
                    &format!("unknown key {key:?} of a jail; see login-jail.toml(5)"),
                );
            }
        }
        Jail {
            name: name.to_owned(),
            keys: table
                .iter()
                .map(|(key, item)| (key.to_owned(), written(item)))
                .collect(),
        }
    }

    fn user(&mut self, name: &str, table: &dyn TableLike) -> User {
        let within = format!("users.{name}");
        self.known(table, &within, &USER);
        let keys = match table.get("keys").map(Item::as_array) {
            Some(Some(_)) => Some(self.list(table, &within, "keys").join("\n")),
            Some(None) => self.text(table, &within, "keys"),
            None => None,
        };
        let until = table.get("until");
        let until = match until.and_then(Item::as_datetime) {
            Some(date) => Some(date.to_string()),
            None => self.text(table, &within, "until"),
        };
        let limits = match table.get("limits").map(|it| (it, it.as_table_like())) {
            Some((_, Some(limits))) => limits
                .iter()
                .map(|(key, item)| (key.to_owned(), written(item)))
                .collect(),
            Some((item, None)) => {
                let place = self.place(&within, item.span());
                self.fault(&place, "limits: give a table, as { nproc = 50 }");
                Vec::new()
            }
            None => Vec::new(),
        };
        User {
            place: None,
            name: name.to_owned(),
            comment: self.text(table, &within, "comment"),
            groups: self.list(table, &within, "groups"),
            jail: self.text(table, &within, "jail"),
            until,
            limits,
            keys,
            create: false,
        }
    }

    fn root(&mut self, path: &str, place: &str, table: &dyn TableLike) -> Option<Root> {
        self.known(table, &format!("roots.{path}"), &ROOT);
        let root = Root {
            path: path.into(),
            presets: self.list(table, path, "presets"),
            programs: self.list(table, path, "programs"),
            image: self.text(table, path, "image").map(Into::into),
            ..Root::default()
        };
        let is_built = !root.presets.is_empty() || !root.programs.is_empty();
        let what = match (is_built, &root.image) {
            _ if !Path::new(path).is_absolute() || path.contains(['{', '}']) => {
                "give the absolute path of a root, without {user}"
            }
            (true, Some(_)) => {
                "a root is built from presets and programs, or imported from an image; give one of them"
            }
            (false, None) => "say what is in the root: presets, programs or image",
            _ => return Some(root),
        };
        self.fault(place, what);
        None
    }

    /// Gives the tables of a table, each with its name and place.
    fn tables<'t>(
        &mut self,
        top: &'t dyn TableLike,
        key: &str,
    ) -> Vec<(&'t str, String, &'t dyn TableLike)> {
        let Some(item) = top.get(key) else {
            return Vec::new();
        };
        let Some(table) = item.as_table_like() else {
            let place = self.place(key, item.span());
            self.fault(
                &place,
                &format!("{key}: give a table for each of them, as [{key}.NAME]"),
            );
            return Vec::new();
        };
        let mut found = Vec::new();
        for (name, item) in table.iter() {
            let place = self.place(&format!("{key}.{name}"), item.span());
            match item.as_table_like() {
                Some(table) => found.push((name, place, table)),
                None => self.fault(
                    &place,
                    &format!("{key}.{name}: give a table, as [{key}.{name}]"),
                ),
            }
        }
        found
    }

    /// Refuses keys that nothing has.
    fn known(&mut self, table: &dyn TableLike, within: &str, known: &[&str]) {
        for (key, item) in table.iter() {
            if known.contains(&key) {
                continue;
            }
            let meant = nearest(key, known.iter().copied());
            let meant = meant
                .map(|it| format!("; did you mean {it:?}?"))
                .unwrap_or_default();
            let place = self.place(within, item.span());
            self.fault(
                &place,
                &format!(
                    "unknown key {:?}{meant} (keys: {})",
                    shown(key),
                    known.join(", ")
                ),
            );
        }
    }

    fn text(&mut self, table: &dyn TableLike, within: &str, key: &str) -> Option<String> {
        let item = table.get(key)?;
        if let Some(text) = item.as_str() {
            return Some(text.to_owned());
        }
        let place = self.place(within, item.span());
        self.fault(&place, &format!("{key}: give a text"));
        None
    }

    fn flag(&mut self, table: &dyn TableLike, within: &str, key: &str) -> Option<bool> {
        let item = table.get(key)?;
        if let Some(flag) = item.as_bool() {
            return Some(flag);
        }
        let place = self.place(within, item.span());
        self.fault(&place, &format!("{key}: give true or false"));
        None
    }

    fn list(&mut self, table: &dyn TableLike, within: &str, key: &str) -> Vec<String> {
        let Some(item) = table.get(key) else {
            return Vec::new();
        };
        let texts = item.as_array().map(|all| {
            let texts = all.iter().map(|it| it.as_str().map(str::to_owned));
            texts.collect::<Option<Vec<String>>>()
        });
        if let Some(Some(texts)) = texts {
            return texts;
        }
        let place = self.place(within, item.span());
        self.fault(
            &place,
            &format!("{key}: give a list of texts, as [\"a\", \"b\"]"),
        );
        Vec::new()
    }
}

/// Writes an item as a value in one line.
fn written(item: &Item) -> String {
    let value = item.clone().into_value();
    value.map_or_else(
        |_| String::new(),
        |mut value| {
            inline(&mut value);
            value.to_string()
        },
    )
}

/// Takes the layout away, which could have line ends and comments.
fn inline(value: &mut Value) {
    value.decor_mut().clear();
    match value {
        Value::Array(all) => {
            all.iter_mut().for_each(inline);
            all.fmt();
        }
        Value::InlineTable(table) => {
            table.iter_mut().for_each(|(_, it)| inline(it));
            table.fmt();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
