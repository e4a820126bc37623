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

use clap::ValueEnum;
use jail::decision::CONFIG_DIRECTORY;

use crate::shell::quoted;

/// What is wrong, by the word that `jailctl check` calls it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Remove a device of a root that no jail needs
    Device,
    /// Remove the capabilities of a file of a root
    FileCapabilities,
    /// Give a root a copy of its own of a file that has names outside of it
    HardLink,
    /// Make the home in the jail, or give it to its user
    HomeMissing,
    /// Give the home in the jail to its user
    HomeNotWritable,
    /// Remove the set-user-ID and set-group-ID bits of a file of a root
    SetId,
    /// Give a program, library or account file of a root back to root
    SystemOwner,
    /// Take away the write permission for programs, libraries and account files of a root
    SystemWritable,
    /// Take away the write permission that everybody has for a file of a root
    WorldWritable,
}

/// What the second word of the command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    /// A path below the root of a jail.
    File,
    /// A jailed user.
    User,
}

impl Kind {
    /// Gives the word for it, which is also the finding's.
    pub(crate) fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    /// Says what it is about.
    pub(crate) fn object(self) -> Object {
        match self {
            Kind::Device
            | Kind::FileCapabilities
            | Kind::HardLink
            | Kind::SetId
            | Kind::SystemOwner
            | Kind::SystemWritable
            | Kind::WorldWritable => Object::File,
            Kind::HomeMissing | Kind::HomeNotWritable => Object::User,
        }
    }

    /// Tells whether it only takes something away, of a jail and of nothing else. Only such fixes are left to `--fix`.
    fn only_takes_away(self) -> bool {
        match self {
            Kind::FileCapabilities | Kind::SetId | Kind::SystemWritable | Kind::WorldWritable => {
                true
            }
            Kind::Device
            | Kind::HardLink
            | Kind::HomeMissing
            | Kind::HomeNotWritable
            | Kind::SystemOwner => false,
        }
    }
}

/// A fix that jailctl executes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repair {
    pub(crate) kind: Kind,
    pub(crate) what: OsString,
    /// The directory of the config that it goes by.
    config: PathBuf,
    /// Whether it may concern more than the jail: another name of the file, or data that is only shown there.
    shared: bool,
}

impl Repair {
    /// Makes a fix for a path below a root.
    pub(crate) fn of_file(kind: Kind, path: &Path) -> Repair {
        Repair::new(kind, path.as_os_str())
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

    /// Tells whether `--fix` may execute it.
    pub(crate) fn is_safe(&self) -> bool {
        self.kind.only_takes_away() && !self.shared
    }
}

/// The command, on one line and in letters that a terminal can show.
impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("jailctl ")?;
        if self.config != Path::new(CONFIG_DIRECTORY) {
            write!(f, "--config {} ", quoted(&self.config))?;
        }
        write!(f, "mend ")?;
        let bytes = self.what.as_bytes();
        // sh(1) takes newlines off the end of what a command prints, so this can't be left to printf(1).
        let is_plain = bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
        let name = self.kind.name();
        if !is_plain {
            return write!(f, "--escaped {name} {}", quoted(escaped(bytes)));
        }
        let end = if bytes.starts_with(b"-") { "-- " } else { "" };
        write!(f, "{name} {end}{}", quoted(&self.what))
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
            let repair = Repair::of_file(Kind::SetId, Path::new(name));
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
