//! From text to a policy, with everything that is wrong on the way.

mod check;
mod commands;
mod conflicts;
mod create;
mod disk;
mod jail;
mod limits;
mod reader;
mod record;
mod rules;
mod services;
mod value;
mod walls;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use crate::fault::{Complaint, Faults};
use crate::keys::Keys;
use crate::parse::jail::JailKeys;
use crate::parse::reader::{Level, Reader};
use crate::parse::value::{Item, Jails, Value};
use crate::policy::{Definition, Policy, Unlisted, UserFile};
use crate::print::Name;
use crate::schema;
use crate::services::Services;
use crate::source::{Lines, Place, decode};

impl Policy {
    /// Parses a config. `file` is the name used in messages and rules.
    ///
    /// It can name the services that come with login-jail.
    pub fn parse(file: &Path, text: &[u8]) -> Result<Policy, Faults> {
        Policy::parse_knowing(file, text, Services::default())
    }

    /// Parses a config that can name further services.
    pub fn parse_knowing(file: &Path, text: &[u8], services: Services) -> Result<Policy, Faults> {
        let (text, invalid) = decode(text);
        let (reader, table) = Reader::open(&text, &invalid);
        let mut reader = reader.knowing(&services);
        let mut top = Top::of(&mut reader, table);

        let defaults = match reader.table_of(top.defaults.take()) {
            Some(table) => reader.jail_keys(table, Level::Defaults),
            None => JailKeys::default(),
        };
        reader.conflicts(&defaults, &Keys::default());
        reader.counted_sessions(&defaults, &Keys::default(), 0..0);
        let jails = match reader.table_of(top.jails.take()) {
            Some(table) => reader.jails(table, &defaults),
            None => Jails::new(),
        };
        let users = reader.users(top.users.take(), &jails);
        let groups = reader.groups(top.groups.take(), &jails);
        let exempt = reader.exempt(top.exempt.take());
        let accepted = reader.accepted(top.check.take());
        let (unlisted, unlisted_at) = reader.unlisted(top.unlisted.take());

        let policy = Policy {
            file: file.to_owned(),
            lines: Lines::of(&text),
            unlisted,
            unlisted_at,
            exempt_users: exempt.users,
            exempt_groups: exempt.groups,
            users,
            groups,
            defaults: defaults.keys,
            jails: jails.into_values().flatten().collect(),
            accepted,
            services,
        };
        reader.finish(file, Some(policy))
    }

    /// Parses a file of `users.d`, whose jail is one of this policy's or has its defaults.
    pub fn parse_user_file(&self, file: &Path, text: &[u8]) -> Result<UserFile, Faults> {
        let (text, invalid) = decode(text);
        let (reader, table) = Reader::open(&text, &invalid);
        let mut reader = reader.knowing(&self.services);
        let chosen = reader.user_file(table, self);
        let (definition, place) = reader.finish(file, chosen)?;
        Ok(UserFile {
            file: file.to_owned(),
            line: Lines::of(&text).number(place),
            definition,
        })
    }
}

/// What stands at the top of a config.
#[derive(Default)]
struct Top<'i> {
    unlisted: Option<Item<'i>>,
    exempt: Option<Item<'i>>,
    users: Option<Item<'i>>,
    groups: Option<Item<'i>>,
    defaults: Option<Item<'i>>,
    jails: Option<Item<'i>>,
    check: Option<Item<'i>>,
}

impl<'i> Top<'i> {
    fn of(reader: &mut Reader<'_>, table: DeTable<'i>) -> Top<'i> {
        let mut top = Top::default();
        for (name, value) in table {
            let span = name.span();
            let Some(key) = schema::find(schema::TOP, name.get_ref()) else {
                reader.unknown(Level::Top, name.get_ref(), span, &value);
                continue;
            };
            let slot = match key.name {
                "unlisted" => &mut top.unlisted,
                "exempt" => &mut top.exempt,
                "users" => &mut top.users,
                "groups" => &mut top.groups,
                "defaults" => &mut top.defaults,
                "check" => &mut top.check,
                _ => &mut top.jails,
            };
            *slot = Some(Item { key, span, value });
        }
        top
    }
}

impl Reader<'_> {
    fn table_of<'i>(&mut self, item: Option<Item<'i>>) -> Option<DeTable<'i>> {
        let Item { key, span, value } = item?;
        self.table(key, span, value)
    }

    fn unlisted(&mut self, item: Option<Item<'_>>) -> (Unlisted, Option<Place>) {
        let Some(Item { key, span, value }) = item else {
            return (Unlisted::default(), None);
        };
        let chosen = self.choice(key, value);
        (chosen.unwrap_or_default(), Some(Place(span.start)))
    }

    fn jails(&mut self, table: DeTable<'_>, defaults: &JailKeys) -> Jails {
        let mut jails = Jails::new();
        for (name, value) in table {
            let span = name.span();
            let name = name.into_inner().into_owned();
            let definition = self.named_jail(&name, span, value, defaults);
            if definition.is_none() {
                self.leave_out();
            }
            jails.insert(name, definition.map(Arc::new));
        }
        jails
    }

    fn named_jail(
        &mut self,
        name: &str,
        span: Range<usize>,
        value: Value<'_>,
        defaults: &JailKeys,
    ) -> Option<Definition> {
        if let Some(complaint) = jail_name_complaint(name) {
            self.fault(span.clone(), complaint);
        }
        let found = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            if !self.is_broken(&found) {
                let complaint = Complaint::new(format!("jail {name:?} wants a table of its keys"));
                let name = Name(name);
                let help = format!("write [jails.{name}], and below it root = \"/srv/…\"");
                self.fault(span, complaint.help(help));
            }
            return None;
        };
        let own = self.jail_keys(table, Level::Jail(name));
        self.definition(Some(name), span, own, defaults)
    }

    /// Makes a jail of its own keys and the defaults; neither may lack what a jail needs.
    fn definition(
        &mut self,
        name: Option<&str>,
        span: Range<usize>,
        own: JailKeys,
        defaults: &JailKeys,
    ) -> Option<Definition> {
        let called = name.map_or("the jail".to_owned(), |name| format!("jail {name:?}"));
        if own.place("root").or(defaults.place("root")).is_none() {
            let complaint = Complaint::new(format!("{called} has no root"));
            let help = "write root = \"/srv/jails/{user}\" or another directory";
            self.lack(span.clone(), complaint.help(help));
        }
        self.conflicts(&own, &defaults.keys);
        self.etc_without_host(&own, &defaults.keys, span.clone());
        self.restricted_sftp(&own, &defaults.keys, span.clone());
        self.counted_sessions(&own, &defaults.keys, span);
        let root = own.keys.root.as_ref().or(defaults.keys.root.as_ref())?;
        Some(Definition {
            name: name.map(str::to_owned),
            root: root.clone(),
            keys: own.keys,
        })
    }

    fn user_file(
        &mut self,
        mut table: DeTable<'_>,
        policy: &Policy,
    ) -> Option<(Arc<Definition>, Place)> {
        let Some(first) = table.keys().map(|name| name.span().start).min() else {
            let help = "write jail = \"web\", or root = \"/srv/…\" for a jail of its own";
            self.lack(0..0, Complaint::new("the file names no jail").help(help));
            return None;
        };
        let key = schema::find(schema::USER_FILE, "jail")?;
        let Some((jail, value)) = table.remove_entry(key.name) else {
            let defaults = JailKeys::of_policy(policy);
            let own = self.jail_keys(table, Level::UserFile);
            let definition = self.definition(None, 0..0, own, &defaults)?;
            return Some((Arc::new(definition), Place(first)));
        };
        let own = self.jail_keys(table, Level::UserFile);
        if own.has_other_than(&schema::BESIDE_JAIL) {
            let complaint = Complaint::new("the file has both \"jail\" and keys of a jail");
            let help =
                "beside jail only until and limits can stand; write all keys of a jail without it";
            self.fault(jail.span(), complaint.help(help));
        }
        let (name, span) = self.string(key, value)?;
        let known = |jail: &Arc<Definition>| jail.name.as_deref() == Some(&name);
        if let Some(definition) = policy.jails.iter().find(|jail| known(jail)) {
            let inherited = definition.keys.over(&policy.defaults);
            self.counted_sessions(&own, &inherited, jail.span());
            let definition = Definition {
                keys: own.keys.over(&definition.keys),
                ..Definition::clone(definition)
            };
            return Some((Arc::new(definition), Place(jail.span().start)));
        }
        let names = policy.jails.iter().filter_map(|jail| jail.name.as_deref());
        let mut complaint = rules::undefined_jail(&name, names);
        if name.starts_with(['/', '{']) {
            complaint = complaint.help(format!("write root = {name:?} for a jail of its own"));
        }
        self.fault(span, complaint);
        None
    }
}

fn jail_name_complaint(name: &str) -> Option<Complaint> {
    if name.is_empty() {
        Some(Complaint::new("a jail's name is empty"))
    } else if name.contains(char::is_control) {
        Some(Complaint::new(format!("{name:?} has a control character")))
    } else if name.starts_with(['/', '{']) {
        let complaint = Complaint::new(format!("{name:?} is a path, not the name of a jail"));
        Some(complaint.help("give the jail a name, and write the path as its root"))
    } else {
        None
    }
}
