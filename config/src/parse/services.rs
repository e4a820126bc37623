//! `services` and `devices`, and the files of `services.d`.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::devices::Device;
use crate::fault::{Complaint, Faults};
use crate::nearest::nearest;
use crate::parse::reader::{Level, Reader};
use crate::parse::value::Value;
use crate::schema::{self, Key};
use crate::services::{Service, Shown, check_name, check_source, check_target};
use crate::source::decode;

impl Service {
    /// Parses a file of `services.d`.
    pub(crate) fn parse(name: &str, file: &Path, text: &[u8]) -> Result<Service, Faults> {
        let (text, invalid) = decode(text);
        let (mut reader, table) = Reader::open(&text, &invalid);
        reader.checked(check_name(name), 0..0);
        let service = reader.service(name, table);
        reader.finish(file, service)
    }
}

impl Reader<'_> {
    /// Takes `services`: names that are known.
    pub(super) fn services(&mut self, key: &Key, value: Value<'_>) -> Option<Vec<Service>> {
        let mut services: Vec<Service> = Vec::new();
        for (name, span) in self.texts(key, "an array of names", value)? {
            if let Some(service) = self.known_services().get(&name) {
                if !services.contains(&service) {
                    services.push(service);
                }
                continue;
            }
            let names = self.known_services().names();
            let help = match nearest(&name, names.iter().copied()) {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => {
                    let names: Vec<String> = names.iter().map(|it| format!("{it:?}")).collect();
                    format!(
                        "there are {}; a file services.d/{name}.toml makes another",
                        names.join(", ")
                    )
                }
            };
            let complaint = Complaint::new(format!("there is no service {name:?}"));
            self.fault(span, complaint.help(help));
        }
        Some(services)
    }

    /// Takes `devices`.
    pub(super) fn devices(&mut self, key: &Key, value: Value<'_>) -> Option<Vec<Device>> {
        let mut devices: Vec<Device> = Vec::new();
        for (text, span) in self.texts(key, "an array of paths below /dev", value)? {
            let device = self.checked(Device::parse(&text), span);
            devices.extend(device.filter(|it| !devices.contains(it)));
        }
        Some(devices)
    }

    /// Takes an array of strings, each with its place.
    fn texts(
        &mut self,
        key: &Key,
        wanted: &str,
        value: Value<'_>,
    ) -> Option<Vec<(String, Range<usize>)>> {
        if self.is_broken(&value.span()) {
            return None;
        }
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(key, wanted, &value);
            return None;
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items.iter() {
            match item.get_ref() {
                DeValue::String(text) => texts.push((text.to_string(), item.span())),
                _ => self.wrong_type(key, wanted, item),
            }
        }
        Some(texts)
    }

    fn service(&mut self, name: &str, table: DeTable<'_>) -> Option<Service> {
        let (mut about, mut needs, mut shown) = (None, None, None);
        for required in ["about", "show"] {
            if let (false, Some(key)) = (
                table.contains_key(required),
                schema::find(schema::SERVICE, required),
            ) {
                let complaint = Complaint::new(format!("the service has no {required}"));
                self.lack(
                    0..0,
                    complaint.help(format!("for example: {}", key.example)),
                );
            }
        }
        for (name, value) in table {
            let span = name.span();
            let Some(key) = schema::find(schema::SERVICE, name.get_ref()) else {
                self.unknown(Level::Service, name.get_ref(), span, &value);
                continue;
            };
            match key.name {
                "about" => about = self.string(key, value).map(|(text, _)| text),
                "needs" => needs = self.string(key, value).map(|(text, _)| text),
                _ => shown = self.all_shown(key, span, value),
            }
        }
        Some(Service {
            name: name.to_owned(),
            about: about?,
            needs,
            shown: shown?,
        })
    }

    fn all_shown(&mut self, key: &Key, name: Range<usize>, value: Value<'_>) -> Option<Vec<Shown>> {
        const WANTED: &str = "an array of tables";
        let span = value.span();
        let items = match value.into_inner() {
            DeValue::Array(items) if !items.is_empty() => items,
            DeValue::Array(_) => {
                let complaint = Complaint::new("the service shows nothing");
                self.lack(
                    name,
                    complaint.help(format!("for example: {}", key.example)),
                );
                return None;
            }
            other => {
                self.wrong_type(key, WANTED, &Value::new(span, other));
                return None;
            }
        };
        let mut all: Vec<Shown> = Vec::with_capacity(items.len());
        for item in items {
            let span = item.span();
            match item.into_inner() {
                DeValue::Table(table) => {
                    let one = self.shown(span.clone(), table);
                    let mut taken = all.iter().flat_map(|it| &it.targets);
                    let twice = one.as_ref().and_then(|it| {
                        taken.find(|target| {
                            it.targets
                                .iter()
                                .any(|own| own.starts_with(target) || target.starts_with(own))
                        })
                    });
                    if let Some(target) = twice {
                        let what = format!("{target:?} and another target are in one place");
                        self.fault(span, Complaint::new(what));
                    }
                    all.extend(one);
                }
                other => self.wrong_type(key, WANTED, &Value::new(span, other)),
            }
        }
        Some(all)
    }

    fn shown(&mut self, span: Range<usize>, table: DeTable<'_>) -> Option<Shown> {
        let (mut source, mut targets) = (None, None);
        if !table.contains_key("source") {
            let complaint = Complaint::new("what a service shows has no source");
            self.lack(
                span.clone(),
                complaint.help("for example: source = \"/run/mysqld\""),
            );
        }
        for (name, value) in table {
            let Some(key) = schema::find(schema::SHOWN, name.get_ref()) else {
                self.unknown(Level::Shown, name.get_ref(), name.span(), &value);
                continue;
            };
            if key.name == "source" {
                source = self.string(key, value).and_then(|(text, span)| {
                    let path = self.checked(check_source(&text), span.clone())?;
                    Some((path, text, span))
                });
                continue;
            }
            let texts = self.texts(key, "an array of paths", value)?;
            if texts.is_empty() {
                let complaint = Complaint::new("\"target\" has no path");
                self.fault(
                    name.span(),
                    complaint.help("remove it: the source is the target then"),
                );
            }
            let checked = texts
                .into_iter()
                .map(|(text, span)| self.checked(check_target(&text), span));
            targets = Some(checked.collect::<Option<Vec<PathBuf>>>()?);
        }
        let (source, text, at) = source?;
        let targets = match targets {
            Some(targets) => targets,
            None => vec![self.checked(check_target(&text), at)?],
        };
        Some(Shown { source, targets })
    }
}
