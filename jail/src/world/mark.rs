//! The mark of a session that was opened behind PAM: jail-shell, started inside as the user, learns by it that it is in
//! the jail already and only has to become the shell.
//!
//! It is a file on a read-only mount of its own that nobody but root can have made. It gives nobody a right: whoever
//! could forge it runs what he likes already, as himself. A jail-shell that has its privileges never looks for it.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::Read,
    os::{
        fd::OwnedFd,
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Path, PathBuf},
};

use jail_config::{Allowed, Argument, Home, Program};
use rustix::fs::{StatVfsMountFlags, fstatvfs};

use crate::{plan::Plan, trust};

/// Where the mark is, in the jail. The mount is on the directory.
pub(crate) const DIRECTORY: &str = "/run/login-jail";
pub(crate) const FILE: &str = "session";

/// The longest mark, in bytes: some numbers, two paths, and a list of commands.
const LONGEST: u64 = 64 * 1024;

/// Separates the values: no path has it in it.
const END: u8 = 0;

/// In the place of a number of arguments, where any will do.
const ANY: &str = "any";

/// What a session was opened for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The user's.
    pub uid: u32,
    /// The file mode creation mask.
    pub umask: u32,
    /// The shell, a path in the jail.
    pub shell: PathBuf,
    /// The working directory, and whether `/` will do where it is not there.
    pub home: Home,
    /// What alone may be started; nothing where anything may be.
    pub commands: Option<Vec<Allowed>>,
}

impl Mark {
    /// Makes the mark of a plan.
    pub(crate) fn of(plan: &Plan) -> Mark {
        Mark {
            uid: plan.process.ids.uid,
            umask: plan.process.umask,
            shell: plan.process.shell.clone(),
            home: plan.process.home.clone(),
            commands: plan.process.commands.clone(),
        }
    }

    /// Reads the mark of this process's root. Gives nothing where there is none, or one that root alone can't have made.
    #[must_use]
    pub fn read() -> Option<Mark> {
        let directory = Path::new(DIRECTORY);
        let opened: OwnedFd = trust::open_directory(directory).ok()?;
        let file: File = trust::open_file(&opened, directory, Path::new(FILE)).ok()?;
        let file_system = fstatvfs(&file).ok()?;
        if !file_system.f_flag.contains(StatVfsMountFlags::RDONLY) {
            return None;
        }
        let mut text = Vec::new();
        file.take(LONGEST).read_to_end(&mut text).ok()?;
        Mark::decode(&text)
    }

    /// Writes it as it is in the file.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (kind, home) = match &self.home {
            Home::Set(path) => ("set", path),
            Home::Default(path) => ("default", path),
        };
        let values = [
            OsString::from(self.uid.to_string()),
            OsString::from(self.umask.to_string()),
            self.shell.clone().into_os_string(),
            OsString::from(kind),
            home.clone().into_os_string(),
        ];
        let mut text = Vec::new();
        let commands = self.commands.iter().flatten().flat_map(written);
        for value in values.into_iter().chain(commands) {
            text.extend_from_slice(value.as_bytes());
            text.push(END);
        }
        text
    }

    fn decode(text: &[u8]) -> Option<Mark> {
        let mut values = text.split(|byte| *byte == END);
        let mut next = || values.next();
        let number = |value: Option<&[u8]>| -> Option<u32> {
            std::str::from_utf8(value?).ok()?.parse().ok()
        };
        let path = |value: Option<&[u8]>| -> Option<PathBuf> {
            let path = PathBuf::from(OsString::from_vec(value?.to_vec()));
            path.is_absolute().then_some(path)
        };
        let uid = number(next())?;
        let umask = number(next())?;
        let shell = path(next())?;
        let kind = next().map(OsStr::from_bytes)?;
        let home = path(next())?;
        let home = match kind.to_str() {
            Some("set") => Home::Set(home),
            Some("default") => Home::Default(home),
            _ => return None,
        };
        let mut commands = Vec::new();
        while let Some(kind) = next().filter(|kind| !kind.is_empty()) {
            let mut text = || String::from_utf8(next()?.to_vec()).ok();
            let kind = String::from_utf8(kind.to_vec()).ok()?;
            if let Some(word) = Allowed::of_word(&kind) {
                commands.push(word);
                continue;
            }
            let path = text()?;
            let arguments = match kind.as_str() {
                ANY => None,
                number => {
                    let number: usize = number.parse().ok()?;
                    let arguments = (0..number).map(|_| text().map(|it| Argument::of(&it)));
                    Some(arguments.collect::<Option<_>>()?)
                }
            };
            commands.push(Allowed::Program(Program { path, arguments }));
        }
        Some(Mark {
            commands: (!commands.is_empty()).then_some(commands),
            uid,
            umask,
            shell,
            home,
        })
    }
}

/// Writes an entry: its word; or how many arguments a program takes, its path, and them.
fn written(entry: &Allowed) -> Vec<OsString> {
    let Allowed::Program(Program { path, arguments }) = entry else {
        return vec![entry.name().into()];
    };
    let number = arguments.as_ref().map(|list| list.len().to_string());
    let arguments = arguments.iter().flatten().map(|it| it.as_str().into());
    [number.unwrap_or(ANY.to_owned()).into(), path.into()]
        .into_iter()
        .chain(arguments)
        .collect()
}

#[cfg(test)]
mod tests {
    use jail_config::{Allowed, Argument, Home, Program};

    use super::Mark;

    #[test]
    fn a_mark_is_read_as_it_was_written_and_not_if_it_is_cut_short() {
        let program = |path: &str, arguments| {
            Allowed::Program(Program {
                path: path.to_owned(),
                arguments,
            })
        };
        let mark = Mark {
            commands: Some(vec![
                Allowed::Git,
                program("/a b", None),
                program(
                    "/c",
                    Some(vec![Argument::Fixed("git".to_owned()), Argument::Rest]),
                ),
                program("/d", Some(Vec::new())),
                Allowed::Sftp,
            ]),
            uid: 1001,
            umask: 0o027,
            shell: "/bin/a shell\n".into(),
            home: Home::Default("/home/ann".into()),
        };
        let text = mark.encode();
        assert_eq!(Mark::decode(&text), Some(mark.clone()));
        let mark = Mark {
            commands: None,
            ..mark
        };
        assert_eq!(Mark::decode(&mark.encode()), Some(mark));
        assert_eq!(Mark::decode(&text[..8]), None);
        assert_eq!(Mark::decode(b""), None);
        assert_eq!(Mark::decode(b"-1\x000\x00/x\x00set\x00/\x00"), None);
    }
}
