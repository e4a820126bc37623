//! A policy as TOML: in canonical form, and parsed again it is the same policy.

use std::fmt::{self, Display, Formatter};

use crate::policy::{Entry, Groups, Isolation, Keys, Policy, Target, Unlisted};

impl Display for Policy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let unlisted = match self.unlisted {
            Unlisted::Refuse => "refuse",
            Unlisted::Exempt => "exempt",
        };
        writeln!(f, "unlisted = {}", Text(unlisted))?;
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

fn entries(f: &mut Formatter<'_>, table: &str, entries: &[Entry]) -> fmt::Result {
    if !entries.is_empty() {
        writeln!(f, "\n[{table}]")?;
    }
    for Entry { name, target, .. } in entries {
        let value = match target {
            Target::Jail(definition) => definition.name.as_deref().unwrap_or_default(),
            Target::Root(root, _) => root.as_str(),
        };
        writeln!(f, "{} = {}", Name(name), Text(value))?;
    }
    Ok(())
}

impl Display for Keys {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(root) = &self.root {
            writeln!(f, "root = {}", Text(root.as_str()))?;
        }
        if let Some(shell) = &self.shell {
            writeln!(f, "shell = {}", Text(shell))?;
        }
        if let Some(home) = &self.home {
            writeln!(f, "home = {}", Text(home.as_str()))?;
        }
        match self.isolation {
            Some(Isolation::Chroot) => writeln!(f, "isolation = \"chroot\"")?,
            None => {}
        }
        env(f, self)?;
        match self.groups {
            Some(Groups::Keep) => writeln!(f, "groups = \"keep\"")?,
            Some(Groups::Primary) => writeln!(f, "groups = \"primary\"")?,
            None => {}
        }
        if let Some(umask) = self.umask {
            writeln!(f, "umask = \"{umask:03o}\"")?;
        }
        limits(f, self)
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
    let parts: Vec<String> = set
        .filter_map(|(name, limit)| match limit? {
            u64::MAX => Some(format!("{name} = \"unlimited\"")),
            limit => Some(format!("{name} = {limit}")),
        })
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
