//! What /etc/passwd and /etc/group say themselves, which nobody but root writes: no name service is asked, so that this neither
//! waits nor changes. A directory may not take an account or a group of this machine for one of its own.

use std::{cell::RefCell, collections::BTreeMap, ffi::OsString, fs, io, path::Path};

use nix::errno::Errno;

use crate::fault::errno_of_io;

/// The accounts and groups of this machine's own files, and what has been heard of other groups: who looks many accounts up asks
/// for the name of each group once.
#[derive(Clone, Debug, Default)]
pub struct Local {
    passwd: Vec<u8>,
    group: Vec<u8>,
    pub(super) heard: RefCell<BTreeMap<u32, Option<OsString>>>,
}

/// How an account contradicts the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Contradiction {
    /// The name has another uid there.
    Name(u32),
    /// The uid is another name's there, and this name is not.
    Uid(String),
}

impl Local {
    /// Reads the files.
    ///
    /// # Errors
    /// One that is there can't be read.
    pub fn read() -> Result<Local, Errno> {
        Ok(Local {
            passwd: file("/etc/passwd")?,
            group: file("/etc/group")?,
            heard: RefCell::default(),
        })
    }

    /// Gives the uid of an account.
    pub(crate) fn uid_of(&self, name: &str) -> Option<u32> {
        let mut lines = lines(&self.passwd);
        lines.find_map(|line| (field(line, 0)? == name.as_bytes()).then(|| number(line, 2))?)
    }

    /// Says how an account contradicts the file. Several names of one uid are no contradiction where the file has them all.
    pub(crate) fn contradicts(&self, name: &str, uid: u32) -> Option<Contradiction> {
        if let Some(own) = self.uid_of(name) {
            return (own != uid).then_some(Contradiction::Name(own));
        }
        let owner = lines(&self.passwd).find(|line| number(line, 2) == Some(uid))?;
        let owner = String::from_utf8_lossy(field(owner, 0)?).into_owned();
        Some(Contradiction::Uid(owner))
    }

    /// Gives the name of a group; the first where several have the number.
    pub(crate) fn group_of(&self, gid: u32) -> Option<String> {
        let line = lines(&self.group).find(|line| number(line, 2) == Some(gid))?;
        String::from_utf8(field(line, 0)?.to_vec()).ok()
    }

    /// Tells whether a group of this name is here with another number.
    pub(crate) fn has_other_group(&self, name: &str, gid: u32) -> bool {
        lines(&self.group).any(|line| {
            field(line, 0) == Some(name.as_bytes()) && number(line, 2).is_some_and(|it| it != gid)
        })
    }

    /// Lists the groups that name an account among their members. The C library passes over blanks before a name.
    pub(crate) fn groups_with<'a>(&'a self, name: &'a str) -> impl Iterator<Item = u32> + 'a {
        lines(&self.group).filter_map(move |line| {
            let mut members = field(line, 3)?.split(|byte| *byte == b',');
            members
                .any(|member| member.trim_ascii_start() == name.as_bytes())
                .then(|| number(line, 2))?
        })
    }
}

/// Gives the lines that are entries: not empty, no comment, and no `+` or `-` by which `compat` asks another service. The C library
/// passes over blanks before an entry.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
        .map(|line| line.trim_ascii_start())
        .filter(|line| !matches!(line.first(), None | Some(b'#' | b'+' | b'-')))
}

fn field(line: &[u8], number: usize) -> Option<&[u8]> {
    line.split(|byte| *byte == b':').nth(number)
}

fn number(line: &[u8], at: usize) -> Option<u32> {
    std::str::from_utf8(field(line, at)?).ok()?.parse().ok()
}

/// Reads a file; one that is not there is empty, as for the C library.
fn file(path: impl AsRef<Path>) -> Result<Vec<u8>, Errno> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(|error| errno_of_io(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Contradiction, Local};

    fn local() -> Local {
        Local {
            passwd: b"root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n\
                      +::::::\n-eve:x:7:7:::\nbroken\n"
                .to_vec(),
            group: b"\t sudo:x:27:ann, bob\nann:x:1000:\nalso:x:27:bob\n+:::ann\n".to_vec(),
            ..Local::default()
        }
    }

    #[test]
    fn a_directory_can_not_have_an_account_of_this_machine() {
        let local = local();
        for (name, uid, found) in [
            ("ann", 1000, None),
            ("toor", 0, None),
            ("dora", 5000, None),
            ("eve", 7, None),
            ("ann", 5000, Some(Contradiction::Name(1000))),
            ("ann", 0, Some(Contradiction::Name(1000))),
            ("dora", 1000, Some(Contradiction::Uid("ann".into()))),
            ("dora", 0, Some(Contradiction::Uid("root".into()))),
        ] {
            assert_eq!(local.contradicts(name, uid), found, "{name} {uid}");
        }
    }

    #[test]
    fn groups_are_those_of_the_file() {
        let local = local();
        assert_eq!(local.groups_with("bob").collect::<Vec<_>>(), [27, 27]);
        assert_eq!(local.groups_with("ann").collect::<Vec<_>>(), [27]);
        assert_eq!(local.groups_with("an").count(), 0);
        assert_eq!(local.group_of(27).as_deref(), Some("sudo"));
        assert_eq!(local.group_of(28), None);
        assert!(local.has_other_group("sudo", 30_001));
        assert!(!local.has_other_group("sudo", 27) && !local.has_other_group("staff", 30_001));
    }
}
