//! The files of a root's /etc that are made for it: names of users and groups, and how names are looked up.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
};

use jail::{account::names, world::etc::NSSWITCH};
use nix::unistd::{Group, User};

use crate::{
    closure::{Closure, Entry},
    fault::Fault,
    host,
    tree::Tree,
};

/// The longest passwd, group or resolv.conf that is read.
const LONGEST: u64 = 16 * 1024 * 1024;

/// An account of the host that a root's passwd knows.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its name, numbers and the rest.
    pub user: User,
    groups: Vec<Group>,
}

impl Account {
    /// Looks an account up. `None` where there is none of this name.
    ///
    /// # Errors
    /// It can't be looked up.
    pub fn find(name: &str) -> Result<Option<Account>, Fault> {
        let failed = |errno: nix::errno::Errno| {
            Fault::Failed(format!("look up user {name}: {}", errno.desc()))
        };
        let Some(user) = names::user(name).map_err(failed)? else {
            return Ok(None);
        };
        let c_name = std::ffi::CString::new(name)
            .map_err(|_| Fault::Usage(format!("{name:?} is no name")))?;
        let mut groups = Vec::new();
        for gid in names::groups(&c_name, user.gid).map_err(failed)? {
            groups.extend(names::group_of(gid).map_err(failed)?);
        }
        Ok(Some(Account { user, groups }))
    }

    /// Its home in the root.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        Path::new("/home").join(&self.user.name)
    }
}

/// A file made for a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Where.
    pub path: PathBuf,
    /// What is in it.
    pub text: Vec<u8>,
}

/// Lines by the name that each begins with.
type Lines = BTreeMap<String, String>;

/// Gives the lines of passwd and group for accounts of the host.
fn lines(accounts: &[Account], shell: &str) -> (Lines, Lines) {
    let mut passwd = Lines::new();
    let mut members: BTreeMap<&str, (u32, Vec<&str>)> = BTreeMap::new();
    for account in accounts {
        let User { name, uid, gid, .. } = &account.user;
        let home = account.home();
        let line = format!("{name}:x:{uid}:{gid}::{}:{shell}", home.display());
        passwd.insert(name.clone(), line);
        for known in &account.groups {
            let entry = members
                .entry(&known.name)
                .or_insert((known.gid.as_raw(), Vec::new()));
            if known.gid != *gid {
                entry.1.push(name);
            }
        }
    }
    let line = |(name, (gid, users)): (&str, (u32, Vec<&str>))| {
        let line = format!("{name}:x:{gid}:{}", users.join(","));
        (name.to_owned(), line)
    };
    (passwd, members.into_iter().map(line).collect())
}

/// Makes accounts of the host known to a root that has a passwd and group of its own, or none: their lines go first, so
/// that a number which the root has under another name too is theirs, and take the place of lines of the same name.
///
/// # Errors
/// /etc or one of the files is a link or the like; a file can't be read or written.
pub fn add_accounts(root: &Tree, accounts: &[Account]) -> Result<(), Fault> {
    let bash = Path::new("bin/bash");
    let shell = if root.leads_to_file(bash) {
        "/bin/bash"
    } else {
        "/bin/sh"
    };
    let (passwd, group) = lines(accounts, shell);
    for (path, table) in [("/etc/passwd", passwd), ("/etc/group", group)] {
        let text = merged(table, path, Some(root))?;
        root.replace(Path::new(path), &text, 0o644)?;
    }
    Ok(())
}

/// Makes the files. What the root's own passwd and group know beside these accounts is kept: `before` is the root as it
/// was.
///
/// # Errors
/// The old files can't be read.
pub fn make(
    closure: &Closure,
    accounts: &[Account],
    before: Option<&Tree>,
) -> Result<Vec<Made>, Fault> {
    let is_there = |path: &str| {
        matches!(
            closure.entries.get(Path::new(path)),
            Some(Entry::File(_) | Entry::Link(_))
        )
    };
    let shell = if is_there("/usr/bin/bash") || is_there("/bin/bash") {
        "/bin/bash"
    } else {
        "/bin/sh"
    };

    let (mut passwd, mut group) = lines(accounts, shell);
    passwd.insert("root".to_owned(), format!("root:x:0:0:root:/root:{shell}"));
    passwd.insert(
        "nobody".to_owned(),
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin".to_owned(),
    );
    group.insert("root".to_owned(), "root:x:0:".to_owned());
    group.insert("tty".to_owned(), "tty:x:5:".to_owned());
    group.insert("nogroup".to_owned(), "nogroup:x:65534:".to_owned());
    let mut made = vec![
        Made {
            path: "/etc/passwd".into(),
            text: merged(passwd, "/etc/passwd", before)?,
        },
        Made {
            path: "/etc/group".into(),
            text: merged(group, "/etc/group", before)?,
        },
        Made {
            path: "/etc/nsswitch.conf".into(),
            text: NSSWITCH.into(),
        },
    ];
    // Often a link into /run, which a root has of its own; and what is in the cache is found by no other way where a
    // library is outside of the default directories.
    for path in ["/etc/resolv.conf", "/etc/ld.so.cache"] {
        let mut text = Vec::new();
        let file = host::look_at(Path::new(path)).ok();
        if file.is_some_and(|mut file| file.read_to_end(&mut text).is_ok()) {
            made.push(Made {
                path: path.into(),
                text,
            });
        }
    }
    Ok(made)
}

/// Puts the lines of a table and those that a root had for other names into one text.
fn merged(table: Lines, path: &str, before: Option<&Tree>) -> Result<Vec<u8>, Fault> {
    let old = before
        .map(|root| root.read(Path::new(path), LONGEST))
        .transpose()?
        .flatten();
    let old = String::from_utf8_lossy(old.as_deref().unwrap_or_default()).into_owned();
    let mut text = String::new();
    for (name, line) in &table {
        if name == "root" {
            text.insert_str(0, &format!("{line}\n"));
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    for line in old.lines().filter(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap_or_default();
        if !table.contains_key(name) {
            text.push_str(line);
            text.push('\n');
        }
    }
    Ok(text.into_bytes())
}
