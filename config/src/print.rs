//! A policy as TOML: in canonical form, and parsed again it is the same policy.

use std::fmt::{self, Display, Formatter};

use crate::commands::{Allowed, Argument, Program};
use crate::create::{CreateKey, SkelKey};
use crate::devices::Device;
use crate::duration::duration;
use crate::keys::{BaseKey, Keys, MountKey};
use crate::limits::Limits;
use crate::policy::{Entry, Policy, Target};
use crate::size::size;
use crate::template::Template;
use crate::walls::Network;
use crate::words::Word;

impl Display for Policy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        word(f, "unlisted", Some(self.unlisted))?;
        let users = self
            .exempt_users
            .iter()
            .map(|(user, _)| Text(user).to_string());
        let groups = self.exempt_groups.iter();
        let groups = groups.map(|(group, _)| Text(&format!("@{group}")).to_string());
        let exempt: Vec<String> = users.chain(groups).collect();
        if !exempt.is_empty() {
            writeln!(f, "exempt = [{}]", exempt.join(", "))?;
        }
        accepted(f, self)?;
        entries(f, "users", &self.users)?;
        entries(f, "groups", &self.groups)?;
        if self.defaults != Keys::default() {
            write!(f, "\n[defaults]\n{}", self.defaults)?;
        }
        for jail in &self.jails {
            let name = jail.name.as_deref().unwrap_or_default();
            write!(f, "\n[jails.{}]\n{}", Name(name), jail.keys)?;
        }
        Ok(())
    }
}

fn accepted(f: &mut Formatter<'_>, policy: &Policy) -> fmt::Result {
    let accepted = policy.accepted.iter().map(|(one, _)| {
        let (kind, why) = (Text(&one.kind), Text(&one.why));
        let whose = one.whose.to_string();
        format!("{{ kind = {kind}, for = {}, why = {why} }}", Text(&whose))
    });
    let accepted: Vec<String> = accepted.collect();
    if accepted.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n[check]\naccept = [{}]", accepted.join(", "))
}

fn entries(f: &mut Formatter<'_>, table: &str, entries: &[Entry]) -> fmt::Result {
    if !entries.is_empty() {
        writeln!(f, "\n[{table}]")?;
    }
    for Entry { name, target, .. } in entries {
        let value = match target {
            Target::Jail(definition) => definition.name.as_deref().unwrap_or_default(),
            Target::Root(root) => root.as_str(),
        };
        writeln!(f, "{} = {}", Name(name), Text(value))?;
    }
    Ok(())
}

impl Display for Keys {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        text(f, "root", self.root.as_ref().map(Template::as_str))?;
        text(f, "base", self.base.as_ref().map(BaseKey::as_str))?;
        text(f, "shell", self.shell.as_deref())?;
        text(f, "home", self.home.as_ref().map(Template::as_str))?;
        word(f, "isolation", self.isolation)?;
        word(f, "landlock", self.landlock)?;
        word(f, "seccomp", self.seccomp)?;
        network(f, self)?;
        word(f, "proc", self.proc)?;
        word(f, "dev", self.dev)?;
        word(f, "tmp", self.tmp)?;
        mounts(f, self)?;
        let etc = self.etc.iter().flatten();
        list(f, "etc", &self.etc, etc.map(String::as_str))?;
        let services = self.services.iter().flatten();
        list(f, "services", &self.services, services.map(|it| &*it.name))?;
        let devices = self.devices.iter().flatten();
        list(f, "devices", &self.devices, devices.map(Device::as_str))?;
        commands(f, self)?;
        sftp(f, self)?;
        create(f, self)?;
        disk(f, self)?;
        env(f, self)?;
        word(f, "groups", self.groups)?;
        if let Some(umask) = self.umask {
            writeln!(f, "umask = \"{umask:03o}\"")?;
        }
        limits(f, self)?;
        text(f, "idle", self.idle.map(duration).as_deref())?;
        record(f, self)?;
        text(f, "until", self.until.map(|it| it.to_string()).as_deref())?;
        word(f, "scope", self.scope)?;
        if let Some(linger) = self.linger {
            writeln!(f, "linger = {linger}")?;
        }
        word(f, "root_owner", self.root_owner)
    }
}

fn text(f: &mut Formatter<'_>, key: &str, value: Option<&str>) -> fmt::Result {
    match value {
        Some(value) => writeln!(f, "{key} = {}", Text(value)),
        None => Ok(()),
    }
}

fn word(f: &mut Formatter<'_>, key: &str, value: Option<impl Word>) -> fmt::Result {
    text(f, key, value.map(Word::word))
}

fn network(f: &mut Formatter<'_>, keys: &Keys) -> fmt::Result {
    match &keys.network {
        None => Ok(()),
        Some(Network::Host) => text(f, "network", Some("host")),
        Some(Network::None) => text(f, "network", Some("none")),
        Some(Network::Ports { connect, bind }) => {
            let lists = [("connect", connect), ("bind", bind)].into_iter();
            // A list of numbers looks the same in Rust and in TOML.
            let lists =
                lists.filter_map(|(key, ports)| Some(format!("{key} = {:?}", ports.as_ref()?)));
            let lists: Vec<String> = lists.collect();
            writeln!(f, "network = {{ {} }}", lists.join(", "))
        }
    }
}

fn mounts(f: &mut Formatter<'_>, keys: &Keys) -> fmt::Result {
    let Some(mounts) = &keys.mounts else {
        return Ok(());
    };
    let mounts: Vec<String> = mounts.iter().map(MountKey::to_string).collect();
    writeln!(f, "mounts = [{}]", mounts.join(", "))
}

impl Display for MountKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (source, target) = (Text(self.source.as_str()), Text(self.target.as_str()));
        let mode = Text(self.mode.word());
        write!(
            f,
            "{{ source = {source}, target = {target}, mode = {mode} }}"
        )
    }
}

/// Prints a list of strings, where the key is written.
fn list<'a, T>(
    f: &mut Formatter<'_>,
    key: &str,
    written: &Option<T>,
    items: impl Iterator<Item = &'a str>,
) -> fmt::Result {
    if written.is_none() {
        return Ok(());
    }
    let items: Vec<String> = items.map(|item| Text(item).to_string()).collect();
    writeln!(f, "{key} = [{}]", items.join(", "))
}

fn commands(f: &mut Formatter<'_>, keys: &Keys) -> fmt::Result {
    let Some(commands) = &keys.commands else {
        return Ok(());
    };
    let commands: Vec<String> = commands.iter().map(Allowed::to_string).collect();
    writeln!(f, "commands = [{}]", commands.join(", "))
}

impl Display for Allowed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Allowed::Program(Program {
            path,
            arguments: Some(arguments),
        }) = self
        else {
            return Text(self.name()).fmt(f);
        };
        let arguments = arguments.iter().map(Argument::as_str);
        let arguments: Vec<String> = arguments.map(|it| Text(it).to_string()).collect();
        write!(
            f,
            "{{ program = {}, arguments = [{}] }}",
            Text(path),
            arguments.join(", ")
        )
    }
}

fn sftp(f: &mut Formatter<'_>, keys: &Keys) -> fmt::Result {
    let Some(sftp) = &keys.sftp else {
        return Ok(());
    };
    let directory = sftp.directory.as_ref().map(Template::as_str);
    let parts: Vec<String> = [
        sftp.access
            .map(|it| format!("access = {}", Text(it.word()))),
        directory.map(|it| format!("directory = {}", Text(it))),
        sftp.umask.map(|it| format!("umask = \"{it:03o}\"")),
        sftp.log.map(|it| format!("log = {it}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    match parts.is_empty() {
        true => writeln!(f, "sftp = {{}}"),
        false => writeln!(f, "sftp = {{ {} }}", parts.join(", ")),
    }
}

fn create(f: &mut Formatter<'_>, keys: &Keys) -> fmt::Result {
    let keys = match &keys.create {
        None => return Ok(()),
        Some(CreateKey::Word(word)) => return writeln!(f, "create = {word}"),
        Some(CreateKey::Table(keys)) => keys,
    };
    let (skel, group) = (keys.skel.as_ref(), keys.group.as_deref());
    let parts: Vec<String> = [
        skel.map(|it| format!("skel = {}", Text(SkelKey::as_str(it)))),
        keys.mode.map(|it| format!("mode = \"{it:03o}\"")),
        group.map(|it| format!("group = {}", Text(it))),
    ]
    .into_iter()
    .flatten()
    .collect();
    match parts.is_empty() {
        true => writeln!(f, "create = {{}}"),
        false => writeln!(f, "create = {{ {} }}", parts.join(", ")),
    }
}

fn disk(f: &mut Formatter<'_>, keys: &Keys) -> fmt::Result {
    let Some(disk) = keys.disk else {
        return Ok(());
    };
    let bytes = disk.bytes.map(|it| format!("bytes = {}", written_size(it)));
    let files = disk.files.map(|it| format!("files = {it}"));
    let parts: Vec<String> = bytes.into_iter().chain(files).collect();
    match parts.is_empty() {
        true => text(f, "disk", Some("unlimited")),
        false => writeln!(f, "disk = {{ {} }}", parts.join(", ")),
    }
}

fn record(f: &mut Formatter<'_>, keys: &Keys) -> fmt::Result {
    let Some(record) = keys.record else {
        return Ok(());
    };
    if record.input.is_none() && record.size.is_none() && record.total.is_none() {
        return text(f, "record", Some(record.what.word()));
    }
    let parts: Vec<String> = [
        Some(format!("what = {}", Text(record.what.word()))),
        record.input.map(|it| format!("input = {it}")),
        record.size.map(|it| format!("size = {}", written_size(it))),
        record
            .total
            .map(|it| format!("total = {}", written_size(it))),
    ]
    .into_iter()
    .flatten()
    .collect();
    writeln!(f, "record = {{ {} }}", parts.join(", "))
}

/// Writes a size as a string where it has a unit.
fn written_size(bytes: u64) -> String {
    match size(bytes) {
        plain if plain.ends_with(|last: char| last.is_ascii_digit()) => plain,
        with_unit => format!("\"{with_unit}\""),
    }
}

fn env(f: &mut Formatter<'_>, keys: &Keys) -> fmt::Result {
    let pass = keys.pass.as_ref().map(|globs| {
        let globs: Vec<String> = globs.iter().map(|g| Text(g.as_str()).to_string()).collect();
        format!("pass = [{}]", globs.join(", "))
    });
    let variables = keys.set.iter();
    let variables = variables.map(|(name, value)| format!("{} = {}", Name(name), Text(value)));
    let set: Vec<String> = variables.collect();
    let set = (!set.is_empty()).then(|| format!("set = {{ {} }}", set.join(", ")));
    let parts: Vec<String> = pass.into_iter().chain(set).collect();
    if !parts.is_empty() {
        writeln!(f, "env = {{ {} }}", parts.join(", "))?;
    }
    Ok(())
}

fn limits(f: &mut Formatter<'_>, keys: &Keys) -> fmt::Result {
    let set = keys.limits.entries().into_iter();
    let quota = keys.limits.quota;
    let parts: Vec<String> = set
        .filter_map(|(name, limit)| match limit? {
            u64::MAX => Some(format!("{name} = \"unlimited\"")),
            limit if Limits::is_size(name) => Some(format!("{name} = {}", written_size(limit))),
            limit => Some(format!("{name} = {limit}")),
        })
        .chain(quota.map(|percent| format!("cpu = \"{percent}%\"")))
        .collect();
    if !parts.is_empty() {
        writeln!(f, "limits = {{ {} }}", parts.join(", "))?;
    }
    Ok(())
}

/// A string in quotes.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for letter in self.0.chars() {
            match letter {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                control if control.is_control() => write!(f, "\\u{:04X}", u32::from(control))?,
                other => write!(f, "{other}")?,
            }
        }
        f.write_str("\"")
    }
}

/// A key, in quotes where it needs them.
pub(crate) struct Name<'a>(pub(crate) &'a str);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if !self.0.is_empty() && self.0.bytes().all(bare) {
            f.write_str(self.0)
        } else {
            Text(self.0).fmt(f)
        }
    }
}
