//! The keys of a jail's walls that are more than a word.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::fault::Complaint;
use crate::keys::{BaseKey, MountKey};
use crate::parse::reader::{Level, Reader};
use crate::parse::value::Value;
use crate::schema::{self, Key};
use crate::template::Template;
use crate::walls::Network;

impl Reader<'_> {
    pub(super) fn base(&mut self, key: &Key, value: Value<'_>) -> Option<BaseKey> {
        const WANTED: &str = "\"none\", \"host\" or the absolute path of a directory";
        let (text, span) = self.string(key, value)?;
        match text.as_str() {
            "none" => Some(BaseKey::None),
            "host" => Some(BaseKey::Host),
            path if path.starts_with(['/', '{']) => {
                let template = self.checked(Template::parse_base(text), span)?;
                Some(BaseKey::Directory(template))
            }
            other => {
                self.not_a_word(key, other, span, ["none", "host"], WANTED);
                None
            }
        }
    }

    pub(super) fn network(
        &mut self,
        key: &Key,
        name: Range<usize>,
        value: Value<'_>,
    ) -> Option<Network> {
        const WANTED: &str = "\"host\", \"none\" or a table of ports";
        let span = value.span();
        if self.is_broken(&span) {
            return None;
        }
        match value.into_inner() {
            DeValue::Table(lists) => self.ports(name, lists),
            DeValue::String(word) if word == "host" => Some(Network::Host),
            DeValue::String(word) if word == "none" => Some(Network::None),
            DeValue::String(word) => {
                self.not_a_word(key, &word, span, ["host", "none"], WANTED);
                None
            }
            other => {
                self.wrong_type(key, WANTED, &Value::new(span, other));
                None
            }
        }
    }

    fn ports(&mut self, network: Range<usize>, lists: DeTable<'_>) -> Option<Network> {
        if lists.is_empty() {
            let help = "write connect = [443] or bind = [] in it, or network = \"host\"";
            let complaint = Complaint::new("\"network\" has no list of ports");
            self.lack(network, complaint.help(help));
            return None;
        }
        let (mut connect, mut bind) = (None, None);
        for (name, value) in lists {
            match schema::find(schema::NETWORK, name.get_ref()) {
                None => self.unknown(Level::Network, name.get_ref(), name.span(), &value),
                Some(key) if key.name == "connect" => connect = self.port_list(key, &value),
                Some(key) => bind = self.port_list(key, &value),
            }
        }
        Some(Network::Ports { connect, bind })
    }

    fn port_list(&mut self, key: &Key, value: &Value<'_>) -> Option<Vec<u16>> {
        const WANTED: &str = "an array of ports";
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(key, WANTED, value);
            return None;
        };
        let mut ports = Vec::with_capacity(items.len());
        for item in items.iter() {
            let DeValue::Integer(number) = item.get_ref() else {
                self.wrong_type(key, WANTED, item);
                continue;
            };
            match u16::from_str_radix(number.as_str(), number.radix()) {
                Ok(port) => ports.push(port),
                Err(_) => {
                    let complaint = Complaint::new(format!("{number} is not a port"));
                    self.fault(
                        item.span(),
                        complaint.help("a port is a number from 0 to 65535"),
                    );
                }
            }
        }
        ports.sort_unstable();
        ports.dedup();
        Some(ports)
    }

    pub(super) fn mounts(&mut self, key: &Key, value: Value<'_>) -> Option<Vec<MountKey>> {
        const WANTED: &str = "an array of tables";
        let (items, _) = self.array(key, WANTED, value)?;
        let mut mounts: Vec<MountKey> = Vec::with_capacity(items.len());
        for item in items {
            let span = item.span();
            let table = match item.into_inner() {
                DeValue::Table(table) => table,
                other => {
                    self.wrong_type(key, WANTED, &Value::new(span, other));
                    continue;
                }
            };
            let target = table.get("target").map(|target| target.span());
            let Some(mount) = self.mount(span, table) else {
                continue;
            };
            if mounts.iter().any(|earlier| earlier.target == mount.target) {
                let message = format!("{:?} is the target of two mounts", mount.target.as_str());
                self.fault(target.unwrap_or_default(), Complaint::new(message));
            } else if let Some(covered) = mounts.iter().find(|earlier| mount.covers(earlier)) {
                let (over, below) = (mount.target.as_str(), covered.target.as_str());
                let message = format!(
                    "the mount at {over:?} hides the one at {below:?}, which is made before it"
                );
                let help = format!("write the mount at {over:?} first");
                self.fault(
                    target.unwrap_or_default(),
                    Complaint::new(message).help(help),
                );
            }
            mounts.push(mount);
        }
        Some(mounts)
    }

    fn mount(&mut self, span: Range<usize>, table: DeTable<'_>) -> Option<MountKey> {
        let (mut source, mut target, mut mode) = (None, None, None);
        for required in schema::MOUNT {
            if !table.contains_key(required.name) {
                let complaint = Complaint::new(format!("a mount has no {}", required.name));
                let help = format!("for example: {}", required.example);
                self.lack(span.clone(), complaint.help(help));
            }
        }
        for (name, value) in table {
            let Some(key) = schema::find(schema::MOUNT, name.get_ref()) else {
                self.unknown(Level::Mount, name.get_ref(), name.span(), &value);
                continue;
            };
            match key.name {
                "source" => source = self.template(key, value, Template::parse_root),
                "target" => target = self.template(key, value, Template::parse_target),
                _ => mode = self.choice(key, value),
            }
        }
        Some(MountKey {
            source: source?,
            target: target?,
            mode: mode?,
        })
    }
}
