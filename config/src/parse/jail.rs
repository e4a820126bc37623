//! The keys of a jail.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::env::check_set;
use crate::etc;
use crate::fault::Complaint;
use crate::glob::Glob;
use crate::keys::Keys;
use crate::parse::reader::{Level, Reader, type_name};
use crate::parse::value::Value;
use crate::policy::Policy;
use crate::schema::{self, Key};
use crate::template::{Template, check_components};
use crate::until::{self, Until};

/// What a jail or `[defaults]` says.
#[derive(Debug, Default)]
pub(super) struct JailKeys {
    pub(super) keys: Keys,
    /// Where each key is that is there, right or wrong.
    places: Vec<(&'static str, Range<usize>)>,
}

impl JailKeys {
    /// Takes the keys of a policy's `[defaults]`, which are right.
    pub(super) fn of_policy(policy: &Policy) -> JailKeys {
        let root = policy.defaults.root.as_ref().map(|_| ("root", 0..0));
        JailKeys {
            keys: policy.defaults.clone(),
            places: root.into_iter().collect(),
        }
    }

    /// Tells whether there is a key besides these, right or wrong.
    pub(super) fn has_other_than(&self, keys: &[&str]) -> bool {
        self.places.iter().any(|(name, _)| !keys.contains(name))
    }

    /// Finds a key, right or wrong.
    pub(super) fn place(&self, key: &str) -> Option<Range<usize>> {
        let mut places = self.places.iter();
        places
            .find(|(name, _)| *name == key)
            .map(|(_, place)| place.clone())
    }
}

impl Reader<'_> {
    /// Takes the keys of a jail.
    pub(super) fn jail_keys(&mut self, table: DeTable<'_>, level: Level<'_>) -> JailKeys {
        let mut jail = JailKeys::default();
        for (name, value) in table {
            let span = name.span();
            let Some(key) = schema::find(schema::JAIL, name.get_ref()) else {
                self.unknown(level, name.get_ref(), span, &value);
                continue;
            };
            jail.places.push((key.name, span.clone()));
            self.jail_key(key, span, value, &mut jail.keys);
        }
        jail
    }

    fn jail_key(&mut self, key: &Key, name: Range<usize>, value: Value<'_>, keys: &mut Keys) {
        match key.name {
            "root" => keys.root = self.template(key, value, Template::parse_root),
            "base" => keys.base = self.base(key, value),
            "shell" => keys.shell = self.shell(key, value),
            "home" => keys.home = self.template(key, value, Template::parse),
            "isolation" => keys.isolation = self.choice(key, value),
            "landlock" => keys.landlock = self.choice(key, value),
            "seccomp" => keys.seccomp = self.choice(key, value),
            "network" => keys.network = self.network(key, name, value),
            "proc" => keys.proc = self.choice(key, value),
            "dev" => keys.dev = self.choice(key, value),
            "tmp" => keys.tmp = self.choice(key, value),
            "mounts" => keys.mounts = self.mounts(key, value),
            "etc" => keys.etc = self.etc(key, value),
            "services" => keys.services = self.services(key, value),
            "devices" => keys.devices = self.devices(key, value),
            "commands" => keys.commands = self.commands(key, value),
            "sftp" => keys.sftp = self.sftp(key, name, value),
            "create" => keys.create = self.create(key, name, value),
            "disk" => keys.disk = self.disk(key, name, value),
            "idle" => keys.idle = self.duration(key, &value),
            "record" => keys.record = self.record(key, name, value),
            "env" => self.env(key, name, value, keys),
            "groups" => keys.groups = self.choice(key, value),
            "umask" => keys.umask = self.umask(key, value),
            "limits" => keys.limits = self.limits(key, name, value),
            "until" => keys.until = self.until(key, &value),
            "scope" => keys.scope = self.choice(key, value),
            "linger" => keys.linger = self.boolean(key, &value),
            "root_owner" => keys.root_owner = self.choice(key, value),
            _ => self.unsupported(key.name, name),
        }
    }

    /// Reports what was found out about a value, if it is wrong.
    pub(super) fn checked<T>(
        &mut self,
        value: Result<T, Complaint>,
        span: Range<usize>,
    ) -> Option<T> {
        value.map_err(|complaint| self.fault(span, complaint)).ok()
    }

    /// Takes a date: a string, or TOML's own.
    fn until(&mut self, key: &Key, value: &Value<'_>) -> Option<Until> {
        let read = match value.get_ref() {
            DeValue::String(text) => Until::parse(text),
            DeValue::Datetime(date) => Until::parse(&date.to_string()),
            _ => {
                self.wrong_type(key, until::WANTED, value);
                return None;
            }
        };
        if self.is_broken(&value.span()) {
            return None;
        }
        self.checked(read, value.span())
    }

    pub(super) fn template(
        &mut self,
        key: &Key,
        value: Value<'_>,
        parse: fn(String) -> Result<Template, Complaint>,
    ) -> Option<Template> {
        let (text, span) = self.string(key, value)?;
        self.checked(parse(text), span)
    }

    fn shell(&mut self, key: &Key, value: Value<'_>) -> Option<String> {
        let (path, span) = self.string(key, value)?;
        let checked = if !path.starts_with('/') || path == "/" {
            let complaint = Complaint::new(format!("{path:?} is not the absolute path of a shell"));
            Err(complaint.help(format!("for example: {}", key.example)))
        } else if path.contains(['{', '}']) {
            let complaint = Complaint::new(format!("{path:?} has braces, and shell no variables"));
            Err(complaint.help("only root and home have variables"))
        } else {
            check_components(&path)
        };
        if let Err(complaint) = checked {
            self.fault(span, complaint);
            return None;
        }
        Some(path)
    }

    pub(super) fn umask(&mut self, key: &Key, value: Value<'_>) -> Option<u32> {
        if let DeValue::Integer(_) = value.get_ref() {
            if !self.is_broken(&value.span()) {
                let complaint = Complaint::new("\"umask\" wants a string, found an integer");
                self.fault(value.span(), complaint.help("quote it: umask = \"022\""));
            }
            return None;
        }
        let (text, span) = self.string(key, value)?;
        let digits = text
            .strip_prefix('0')
            .filter(|rest| rest.len() == 3)
            .unwrap_or(&text);
        if digits.len() == 3 && digits.bytes().all(|b| (b'0'..=b'7').contains(&b)) {
            return u32::from_str_radix(digits, 8).ok();
        }
        let complaint = Complaint::new(format!("{text:?} is not a umask"));
        self.fault(span, complaint.help("write three octal digits: \"022\""));
        None
    }

    fn env(&mut self, key: &Key, name: Range<usize>, value: Value<'_>, keys: &mut Keys) {
        if self.is_broken(&value.span()) {
            return;
        }
        for (name, value) in self.table(key, name, value).into_iter().flatten() {
            let span = name.span();
            let Some(key) = schema::find(schema::ENV, name.get_ref()) else {
                self.unknown(Level::Env, name.get_ref(), span, &value);
                continue;
            };
            match key.name {
                "pass" => keys.pass = self.pass(key, value),
                _ => keys.set = self.set(key, span, value),
            }
        }
    }

    fn etc(&mut self, key: &Key, value: Value<'_>) -> Option<Vec<String>> {
        const WANTED: &str = "an array of names";
        if self.is_broken(&value.span()) {
            return None;
        }
        let DeValue::Array(written) = value.get_ref() else {
            self.wrong_type(key, WANTED, &value);
            return None;
        };
        let mut names: Vec<String> = Vec::with_capacity(written.len());
        for name in written.iter() {
            let DeValue::String(text) = name.get_ref() else {
                self.wrong_type(key, WANTED, name);
                continue;
            };
            match etc::check_name(text) {
                Err(complaint) => self.fault(name.span(), complaint),
                Ok(()) if names.iter().any(|known| known == text) => {}
                Ok(()) => names.push(text.to_string()),
            }
        }
        Some(names)
    }

    fn pass(&mut self, key: &Key, value: Value<'_>) -> Option<Vec<Glob>> {
        if self.is_broken(&value.span()) {
            return None;
        }
        let DeValue::Array(patterns) = value.get_ref() else {
            self.wrong_type(key, "an array of patterns", &value);
            return None;
        };
        let mut globs = Vec::with_capacity(patterns.len());
        for pattern in patterns.iter() {
            let DeValue::String(text) = pattern.get_ref() else {
                self.wrong_type(key, "an array of patterns", pattern);
                continue;
            };
            match Glob::parse(text) {
                Ok(glob) => globs.push(glob),
                Err(complaint) => self.fault(pattern.span(), complaint),
            }
        }
        Some(globs)
    }

    fn set(&mut self, key: &Key, name: Range<usize>, value: Value<'_>) -> Vec<(String, String)> {
        if self.is_broken(&value.span()) {
            return Vec::new();
        }
        let mut variables = Vec::new();
        for (name, value) in self.table(key, name, value).into_iter().flatten() {
            if self.is_broken(&value.span()) {
                continue;
            }
            let DeValue::String(text) = value.get_ref() else {
                let found = type_name(value.get_ref());
                let name = name.into_inner();
                let complaint = Complaint::new(format!("{name:?} wants a string, found {found}"));
                let help = format!("for example: {}", key.example);
                self.fault(value.span(), complaint.help(help));
                continue;
            };
            match check_set(name.get_ref(), text) {
                Ok(()) => variables.push((name.into_inner().into_owned(), text.to_string())),
                Err(complaint) => self.fault(name.span(), complaint),
            }
        }
        variables
    }
}
