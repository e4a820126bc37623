//! The rules: `[users]`, `[groups]` and `exempt`.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::fault::Complaint;
use crate::nearest::nearest;
use crate::parse::reader::{Reader, type_name};
use crate::parse::value::{Item, Jails, Value};
use crate::policy::{Entry, Target};
use crate::schema::is_jail_key;
use crate::source::{Place, line_around};
use crate::template::Template;

/// The names in `exempt`.
#[derive(Debug, Default)]
pub(super) struct Exempt {
    pub(super) users: Vec<(String, Place)>,
    pub(super) groups: Vec<(String, Place)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Table {
    Users,
    Groups,
}

impl Reader<'_> {
    /// Takes `[users]`, sorted by name as the table is.
    pub(super) fn users(&mut self, item: Option<Item<'_>>, jails: &Jails) -> Vec<Entry> {
        self.entries(item, Table::Users, jails)
    }

    /// Takes `[groups]`, in the order of the file.
    pub(super) fn groups(&mut self, item: Option<Item<'_>>, jails: &Jails) -> Vec<Entry> {
        let mut entries = self.entries(item, Table::Groups, jails);
        entries.sort_by_key(|entry| entry.place.0);
        entries
    }

    fn entries(&mut self, item: Option<Item<'_>>, table: Table, jails: &Jails) -> Vec<Entry> {
        let Some(entries) = self.table_of(item) else {
            return Vec::new();
        };
        let mut rules = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            let place = Place(name.span().start);
            let Some(target) = self.entry(&name, value, table, jails) else {
                self.leave_out();
                continue;
            };
            rules.push(Entry {
                name: name.into_inner().into_owned(),
                target,
                place,
            });
        }
        rules
    }

    fn entry(
        &mut self,
        name: &Spanned<Cow<'_, str>>,
        value: Value<'_>,
        table: Table,
        jails: &Jails,
    ) -> Option<Target> {
        if let DeValue::Table(parts) = value.get_ref() {
            if self.is_dotted(name.span()) {
                self.report_dotted(name.get_ref(), parts);
                return None;
            }
        }
        if let Some(complaint) = name_complaint(name.get_ref(), table) {
            self.fault(name.span(), complaint);
        }
        let span = value.span();
        if self.is_broken(&span) {
            return None;
        }
        match value.into_inner() {
            DeValue::String(text) if text.starts_with(['/', '{']) => {
                let root = self.checked(Template::parse_root(text.into_owned()), span)?;
                Some(Target::Root(root))
            }
            DeValue::String(jail) => match jails.get(jail.as_ref()) {
                Some(definition) => definition.clone().map(Target::Jail),
                None => {
                    self.report_undefined(name.get_ref(), &jail, span, jails);
                    None
                }
            },
            other => {
                let found = type_name(&other);
                let name = name.get_ref();
                let message =
                    format!("{name:?} wants the name of a jail or a root directory, found {found}");
                let help = top_key_help(name).or_else(|| jail_key_help(name));
                let help = help.unwrap_or("for example: alice = \"web\"".to_owned());
                self.fault(span, Complaint::new(message).help(help));
                None
            }
        }
    }

    fn report_undefined(&mut self, name: &str, jail: &str, span: Range<usize>, jails: &Jails) {
        if self.is_full() {
            self.lack(span, Complaint::new(""));
            return;
        }
        let names = jails.keys().map(String::as_str);
        let is_misspelt = nearest(jail, names.clone()).is_some();
        let mut complaint = undefined_jail(jail, names);
        let jail_key = || jail_key_help(name).filter(|_| !is_misspelt);
        if let Some(help) = top_key_help(name).or_else(jail_key) {
            complaint = complaint.help(help);
        }
        self.lack(span, complaint);
    }

    /// Tells if a key that holds a table is the first part of `john.doe = …`.
    fn is_dotted(&self, key: Range<usize>) -> bool {
        let text = self.text();
        let line = line_around(text, key.start);
        let before = self.written(line.start..key.start);
        let after = self.written(key.end..line.end);
        after.trim_start().starts_with('.') && !before.contains('[')
    }

    /// Reports every name that is written with a dot and without quotes. The depth is the
    /// parser's limit on dotted keys.
    fn report_dotted(&mut self, name: &str, parts: &DeTable<'_>) {
        for (part, value) in parts {
            let name = format!("{name}.{}", part.get_ref());
            if let DeValue::Table(parts) = value.get_ref() {
                self.report_dotted(&name, parts);
                continue;
            }
            let line = line_around(self.text(), part.span().start);
            let written = self.written(line.start..part.span().end);
            let begin = part.span().end - written.trim_start().len();
            let jail = value.get_ref().as_str().unwrap_or("web");
            let complaint = Complaint::new("a name with a dot needs quotes");
            let help = format!("quote it: {name:?} = {jail:?}");
            self.fault(begin..part.span().end, complaint.help(help));
        }
    }

    /// Takes `exempt`.
    pub(super) fn exempt(&mut self, item: Option<Item<'_>>) -> Exempt {
        const WANTED: &str = "an array of names";
        let mut exempt = Exempt::default();
        let Some(Item { key, value, .. }) = item else {
            return exempt;
        };
        if self.is_broken(&value.span()) {
            return exempt;
        }
        let DeValue::Array(names) = value.get_ref() else {
            self.wrong_type(key, WANTED, &value);
            return exempt;
        };
        for item in names.iter() {
            let DeValue::String(text) = item.get_ref() else {
                self.wrong_type(key, WANTED, item);
                continue;
            };
            let (name, list) = match text.strip_prefix('@') {
                Some(group) => (group, &mut exempt.groups),
                None => (text.as_ref(), &mut exempt.users),
            };
            match bad_name(name) {
                None => list.push((name.to_owned(), Place(item.span().start))),
                Some(reason) => self.fault(item.span(), Complaint::new(reason)),
            }
        }
        exempt
    }
}

/// Says that nothing defines a jail.
pub(super) fn undefined_jail<'a>(
    name: &str,
    jails: impl Iterator<Item = &'a str> + Clone,
) -> Complaint {
    const LISTED: usize = 8;
    let complaint = Complaint::new(format!("jail {name:?} is not defined"));
    if name.is_empty() {
        return Complaint::new("the name of the jail is empty");
    }
    if name.contains('/') {
        return complaint.help("a root directory begins with /");
    }
    if let Some(meant) = nearest(name, jails.clone()) {
        return complaint.help(format!("did you mean {meant:?}?"));
    }
    let some: Vec<String> = jails
        .clone()
        .take(LISTED)
        .map(|jail| format!("{jail:?}"))
        .collect();
    if some.is_empty() {
        return complaint.help("no jail is defined: write [jails.NAME], and below it its root");
    }
    let more = if jails.count() > LISTED { " …" } else { "" };
    complaint.help(format!("defined are {}{more}", some.join(", ")))
}

/// A key of the top that was written below the header of a table belongs to that table.
fn top_key_help(name: &str) -> Option<String> {
    matches!(name, "unlisted" | "exempt")
        .then(|| format!("the key {name:?} belongs above the first table"))
}

/// A key of a jail that was written below the header of another table belongs to that table.
fn jail_key_help(name: &str) -> Option<String> {
    is_jail_key(name).then(|| {
        format!("the key {name:?} of a jail belongs below the header of the jail, or of [defaults]")
    })
}

fn name_complaint(name: &str, table: Table) -> Option<Complaint> {
    if let Some(group) = name.strip_prefix('@') {
        let complaint = Complaint::new(format!("{name:?} begins with @"));
        return Some(complaint.help(match table {
            Table::Users => format!("a group belongs in [groups], as {group:?}"),
            Table::Groups => format!("write {group:?}: all names here are groups"),
        }));
    }
    bad_name(name).map(Complaint::new)
}

fn bad_name(name: &str) -> Option<String> {
    if name.is_empty() {
        Some("the name is empty".to_owned())
    } else if name.contains(char::is_control) {
        Some(format!("{name:?} has a control character"))
    } else if name.contains('/') {
        Some(format!("{name:?} has a slash, which no name has"))
    } else {
        None
    }
}
