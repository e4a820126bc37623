//! `[check]`: what `jailctl check` goes by. A mistake in it refuses logins like any other: nothing in a config is ignored.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::accepted::{Accepted, Whose};
use crate::fault::Complaint;
use crate::parse::reader::{Level, Reader};
use crate::parse::value::{Item, Value};
use crate::schema::{self, Key};
use crate::source::Place;

impl Reader<'_> {
    /// Takes `[check]`.
    pub(super) fn accepted(&mut self, item: Option<Item<'_>>) -> Vec<(Accepted, Place)> {
        let mut accepted = Vec::new();
        let Some(table) = self.table_of(item) else {
            return accepted;
        };
        for (name, value) in table {
            match schema::find(schema::CHECK, name.get_ref()) {
                None => self.unknown(Level::Check, name.get_ref(), name.span(), &value),
                Some(key) => accepted = self.acceptances(key, value),
            }
        }
        accepted
    }

    fn acceptances(&mut self, key: &Key, value: Value<'_>) -> Vec<(Accepted, Place)> {
        const WANTED: &str = "an array of tables";
        let mut accepted = Vec::new();
        let Some((items, _)) = self.array(key, WANTED, value) else {
            return accepted;
        };
        for item in items {
            let span = item.span();
            let place = Place(span.start);
            match item.into_inner() {
                DeValue::Table(table) => {
                    let one = self.acceptance(span, table);
                    accepted.extend(one.map(|one| (one, place)));
                }
                other => self.wrong_type(key, WANTED, &Value::new(span, other)),
            }
        }
        accepted
    }

    fn acceptance(&mut self, span: Range<usize>, table: DeTable<'_>) -> Option<Accepted> {
        for required in schema::ACCEPT {
            if !table.contains_key(required.name) {
                let complaint = Complaint::new(format!("an acceptance has no {}", required.name));
                let help = format!("for example: {}", required.example);
                self.lack(span.clone(), complaint.help(help));
            }
        }
        let (mut kind, mut whose, mut why) = (None, None, None);
        for (name, value) in table {
            let Some(key) = schema::find(schema::ACCEPT, name.get_ref()) else {
                self.unknown(Level::Accept, name.get_ref(), name.span(), &value);
                continue;
            };
            let Some((text, span)) = self.string(key, value) else {
                continue;
            };
            match key.name {
                "kind" => kind = self.not_empty(key, text, span),
                "why" => why = self.not_empty(key, text, span),
                _ => {
                    whose = Whose::parse(&text);
                    if whose.is_none() {
                        let complaint = Complaint::new(format!("{text:?} is no user or group"));
                        let help = "write a user, a group as \"@students\", or \"*\" for all";
                        self.fault(span, complaint.help(help));
                    }
                }
            }
        }
        Some(Accepted {
            kind: kind?,
            whose: whose?,
            why: why?,
        })
    }

    fn not_empty(&mut self, key: &Key, text: String, span: Range<usize>) -> Option<String> {
        if text.trim().is_empty() {
            let complaint = Complaint::new(format!("{:?} is empty", key.name));
            let help = format!("for example: {}", key.example);
            self.fault(span, complaint.help(help));
            return None;
        }
        Some(text)
    }
}
