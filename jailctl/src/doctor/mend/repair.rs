//! What mends a finding, as a value: printed as the `jailctl mend` command that does it.
//!
//! A value names what is wrong and where, and nothing that is to be done: [`super::execute`] looks again before it changes
//! anything. So a command that was printed an hour ago, or typed by hand, can do no more than `jailctl check` would ask for.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use jail::door::decision::CONFIG_DIRECTORY;

use super::kind::{Kind, Object};
use crate::{
    doctor::{check::ManagerCondition, general::generalised},
    shell::quoted,
};

/// sshd's config.
const SSHD_CONFIG: &str = "/etc/ssh/sshd_config";

/// How far a fix goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// It is done.
    Whole,
    /// It is looked what would be done.
    DryRun,
}

/// A fix that jailctl executes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repair {
    pub(crate) kind: Kind,
    pub(crate) what: OsString,
    /// The directory of the config that it goes by.
    config: PathBuf,
    /// sshd's config, for fixes that go by it, where it is not the usual one.
    sshd_config: Option<PathBuf>,
    /// A rule that it supposes, which is not in the config yet.
    rule: Option<String>,
    /// Whether it may concern more than the jail: another name of the file, or data that is only shown there.
    shared: bool,
}

impl Repair {
    /// Makes a fix for a path.
    pub(crate) fn of_path(kind: Kind, path: &Path) -> Repair {
        Repair::new(kind, path.as_os_str())
    }

    /// Makes a fix for the host.
    pub(crate) fn of_host(kind: Kind) -> Repair {
        Repair::new(kind, OsStr::new(""))
    }

    /// Makes a fix for a user's jail.
    pub(crate) fn of_user(kind: Kind, user: &OsStr) -> Repair {
        Repair::new(kind, user)
    }

    pub(crate) fn new(kind: Kind, what: &OsStr) -> Repair {
        Repair {
            kind,
            what: what.to_owned(),
            config: CONFIG_DIRECTORY.into(),
            sshd_config: None,
            rule: None,
            shared: false,
        }
    }

    /// Says that it may concern more than the jail, and is left to the administrator.
    pub(crate) fn not_only_of_jail(self, shared: bool) -> Repair {
        Repair {
            shared: self.shared || shared,
            ..self
        }
    }

    /// Goes by another config.
    pub(crate) fn with_config(self, directory: &Path) -> Repair {
        Repair {
            config: directory.to_owned(),
            ..self
        }
    }

    /// Goes by another config of sshd's.
    pub(crate) fn with_sshd_config(self, file: &Path) -> Repair {
        let other = (file != Path::new(SSHD_CONFIG)).then(|| file.to_owned());
        Repair {
            sshd_config: other,
            ..self
        }
    }

    /// Supposes a rule that is not in the config yet.
    pub(crate) fn with_rule(self, rule: Option<&str>) -> Repair {
        Repair {
            rule: rule.map(str::to_owned),
            ..self
        }
    }

    /// Gives sshd's config.
    pub(crate) fn sshd_config(&self) -> &Path {
        self.sshd_config
            .as_deref()
            .unwrap_or(Path::new(SSHD_CONFIG))
    }

    /// Gives the group that it is for, and what keeps user managers of its members from starting.
    pub(super) fn of_group(&self) -> Option<(&str, ManagerCondition<'_>)> {
        let group = self.what.to_str()?.strip_prefix('@')?;
        let condition = ManagerCondition::of_group(group)?;
        (self.kind == Kind::UserManager).then_some((group, condition))
    }

    /// Tells whether `--fix` may execute it.
    pub(crate) fn is_safe(&self) -> bool {
        self.kind.only_takes_away() && !self.shared
    }
}

impl Repair {
    /// Gives one command for the same fix of several users, each with its own; nothing where there is none. A group stands
    /// for all whom its rule jails.
    pub(crate) fn together(all: &[(&str, &Repair)], group: Option<&str>) -> Option<String> {
        let (_, first) = all.first()?;
        if !all.iter().all(|(_, one)| first.is_like(one)) {
            return None;
        }
        let mut whats: Vec<&OsStr> = all.iter().map(|(_, one)| one.what.as_os_str()).collect();
        whats.dedup();
        match (group, first.kind.object()) {
            _ if whats.len() == 1 => {}
            (Some(group), Object::User) => {
                let group = format!("@{group}");
                return Some(first.command(&[OsStr::new(&group)], None));
            }
            (Some(group), Object::Path) => {
                let mut generals = all.iter().map(|(name, one)| one.general(name));
                let general = generals.next()??;
                if generals.all(|it| it.as_ref() == Some(&general)) {
                    return Some(first.command(&[OsStr::new(&general)], Some(group)));
                }
            }
            _ => {}
        }
        Some(first.command(&whats, None))
    }

    /// Gives one command for the same fix of users of several rules: a group stands for all whom its rule jails.
    pub(crate) fn across(all: &[(Option<&str>, &Repair)]) -> Option<String> {
        let (_, first) = all.first()?;
        if !all.iter().all(|(_, one)| first.is_like(one)) {
            return None;
        }
        let mut whats: Vec<OsString> = Vec::new();
        for (group, one) in all {
            let what = match group {
                Some(group) => OsString::from(format!("@{group}")),
                None => one.what.clone(),
            };
            if !whats.contains(&what) {
                whats.push(what);
            }
        }
        let whats: Vec<&OsStr> = whats.iter().map(OsString::as_os_str).collect();
        Some(first.command(&whats, None))
    }

    /// Tells whether another does the same to something else.
    fn is_like(&self, other: &Repair) -> bool {
        let same = Repair {
            what: self.what.clone(),
            ..other.clone()
        };
        same == *self
    }

    /// Gives the path with `{user}` in the place of a name, if the name can be put there again.
    fn general(&self, name: &str) -> Option<String> {
        let path = self.what.to_str().filter(|path| !path.contains('{'))?;
        let general = generalised(path, name, "{user}");
        (general != path && general.replace("{user}", name) == path).then_some(general)
    }

    /// Gives the command for several things; `group` is whose names are meant by `{user}`.
    fn command(&self, whats: &[&OsStr], group: Option<&str>) -> String {
        let mut command = String::from("jailctl ");
        if self.config != Path::new(CONFIG_DIRECTORY) {
            command.push_str(&format!("--config {} ", quoted(&self.config)));
        }
        command.push_str("mend ");
        if let Some(file) = &self.sshd_config {
            command.push_str(&format!("--sshd-config {} ", quoted(file)));
        }
        if let Some(rule) = &self.rule {
            command.push_str(&format!("--rule {} ", quoted(rule)));
        }
        if let Some(group) = group {
            command.push_str(&format!("--for {} ", quoted(format!("@{group}"))));
        }
        let name = self.kind.name();
        if self.kind.object() == Object::Host {
            return command + &name;
        }
        // sh(1) takes newlines off the end of what a command prints, so this can't be left to printf(1).
        let is_plain = |what: &&OsStr| what.as_bytes().iter().all(|it| (b' '..=b'~').contains(it));
        let are_plain = whats.iter().all(is_plain);
        let words: Vec<String> = whats
            .iter()
            .map(|what| match are_plain {
                true => quoted(what),
                false => quoted(escaped(what.as_bytes())),
            })
            .collect();
        let escapes = if are_plain { "" } else { "--escaped " };
        let has_dash = whats.iter().any(|what| what.as_bytes().starts_with(b"-"));
        let end = if has_dash && are_plain { "-- " } else { "" };
        command + &format!("{escapes}{name} {end}{}", words.join(" "))
    }
}

/// The command, on one line and in letters that a terminal can show.
impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.command(&[&self.what], None))
    }
}

/// Writes bytes that can't be shown as a backslash and three octal digits.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        if (b' '..=b'~').contains(byte) && *byte != b'\\' {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("\\{byte:03o}"));
        }
    }
    text
}

/// Reads what `escaped` has written; nothing of what it has not.
pub(crate) fn unescaped(text: &OsStr) -> Option<OsString> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        if *byte != b'\\' {
            bytes.push(*byte);
            rest = behind;
            continue;
        }
        let (digits, behind) = behind.split_at_checked(3)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()?);
        rest = behind;
    }
    Some(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

    use super::{Kind, Repair, escaped, unescaped};

    #[test]
    fn a_command_is_one_line_whatever_the_name() {
        for (name, command) in [
            ("/srv/a", "jailctl mend set-id /srv/a"),
            ("/srv/a b;c", "jailctl mend set-id '/srv/a b;c'"),
            ("/srv/a\n", r"jailctl mend --escaped set-id '/srv/a\012'"),
            (
                "/srv/\u{1b}[2J\\",
                r"jailctl mend --escaped set-id '/srv/\033[2J\134'",
            ),
            (
                "/srv/\u{e9}",
                r"jailctl mend --escaped set-id '/srv/\303\251'",
            ),
        ] {
            let repair = Repair::of_path(Kind::SetId, Path::new(name));
            assert_eq!(repair.to_string(), command);
        }
        let user = Repair::of_user(Kind::HomeMissing, OsStr::new("-ann"));
        assert_eq!(user.to_string(), "jailctl mend home-missing -- -ann");
        let other = user.with_config(Path::new("/root/new"));
        assert_eq!(
            other.to_string(),
            "jailctl --config /root/new mend home-missing -- -ann"
        );
    }

    #[test]
    fn one_command_mends_the_same_of_several() {
        let paths = ["/srv/jails/ann/home/ann/x", "/srv/jails/bob/home/bob/x"];
        let repairs = paths.map(|path| Repair::of_path(Kind::SetId, Path::new(path)));
        let all = [("ann", &repairs[0]), ("bob", &repairs[1])];
        let each = "jailctl mend --for @staff set-id '/srv/jails/{user}/home/{user}/x'";
        assert_eq!(Repair::together(&all, Some("staff")).as_deref(), Some(each));
        let list = "jailctl mend set-id /srv/jails/ann/home/ann/x /srv/jails/bob/home/bob/x";
        assert_eq!(Repair::together(&all, None).as_deref(), Some(list));
        let users = ["ann", "bob"].map(|name| Repair::of_user(Kind::Cron, OsStr::new(name)));
        let all = [("ann", &users[0]), ("bob", &users[1])];
        let group = Repair::together(&all, Some("staff"));
        assert_eq!(group.as_deref(), Some("jailctl mend cron @staff"));
        let both = Repair::together(&all, None);
        assert_eq!(both.as_deref(), Some("jailctl mend cron ann bob"));
        let across = Repair::across(&[(None, &users[0]), (Some("staff"), &users[1])]);
        assert_eq!(across.as_deref(), Some("jailctl mend cron ann @staff"));
        // A path in which another name stands can't be said for all.
        let odd = Repair::of_path(Kind::SetId, Path::new("/srv/jails/{user}/x"));
        let all = [("ann", &repairs[0]), ("bob", &odd)];
        let list = "jailctl mend set-id /srv/jails/ann/home/ann/x '/srv/jails/{user}/x'";
        assert_eq!(Repair::together(&all, Some("staff")).as_deref(), Some(list));
        let mixed = [("ann", &users[0]), ("bob", &odd)];
        assert_eq!(Repair::together(&mixed, Some("staff")), None);
    }

    #[test]
    fn what_was_escaped_is_read_as_it_was() {
        let name: Vec<u8> = (0..=255).collect();
        let name = OsStr::from_bytes(&name);
        let text = escaped(name.as_bytes());
        assert_eq!(unescaped(OsStr::new(&text)).as_deref(), Some(name));
        for wrong in [r"\", r"\01", r"\8", r"\777"] {
            assert_eq!(unescaped(OsStr::new(wrong)), None, "{wrong}");
        }
    }
}
