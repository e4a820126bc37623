//! Changes to the text of a config that leave its comments and layout as they are, and the file replaced at once.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Component, Path, PathBuf},
};

use jail_roots::{lock, tree::Tree};
use rustix::{
    fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr},
    io::Errno,
};
use toml_edit::{Array, Document, DocumentMut, Item, Table, TableLike, TomlError, Value};

use super::host_text::bytes_of;
use crate::{failure::Failure, shell::shown};

/// Held while a config is changed. No user can open it, so none can keep it locked.
const LOCK: &str = "/run/login-jail.lock";

/// How many links may lead to each other.
const MOST_LINKS: usize = 8;

/// The most bytes that an attribute has, and a list of their names: xattr(7).
const LARGEST_ATTRIBUTE: usize = 64 << 10;

/// Attributes that sign what a file has in it.
const OF_CONTENT: [&[u8]; 2] = [b"security.ima", b"security.evm"];

/// Writes a user's rule into `[users]`, in place of the one that is there.
pub(crate) fn set_user(text: &str, user: &str, target: &str) -> Result<String, TomlError> {
    let mut document: DocumentMut = text.parse()?;
    let users = document
        .entry("users")
        .or_insert_with(|| Item::Table(Table::new()));
    if let Some(users) = users.as_table_like_mut() {
        let mut value = Value::from(target);
        match users.get_mut(user) {
            // In its place: inserting would make the key anew, without what is written above it.
            Some(old) => {
                if let Some(written) = old.as_value() {
                    *value.decor_mut() = written.decor().clone();
                }
                *old = Item::Value(value);
            }
            None => {
                users.insert(user, Item::Value(value));
            }
        }
    }
    Ok(document.to_string())
}

/// Takes a user's rule out of `[users]`; nothing where there is none. What is written above its line stays.
pub(crate) fn remove_user(text: &str, user: &str) -> Result<Option<String>, TomlError> {
    let document = Document::parse(text)?;
    let users = document.get("users").and_then(Item::as_table_like);
    let Some((key, item)) = users.and_then(|users| users.get_key_value(user)) else {
        return Ok(None);
    };
    let line = key
        .span()
        .zip(item.span())
        .and_then(|(key, value)| whole_line(text, key.start, value.end));
    if let Some((before, after)) = line {
        return Ok(Some(format!("{before}{after}")));
    }
    // Not on a line of its own: an inline table, whose comments can't be lost because it has none.
    let mut document: DocumentMut = text.parse()?;
    if let Some(users) = document.get_mut("users").and_then(Item::as_table_like_mut) {
        TableLike::remove(users, user);
    }
    Ok(Some(document.to_string()))
}

/// Writes a user into `exempt`, which goes before every rule. One who is there stays there once.
pub(crate) fn exempt_user(text: &str, user: &str) -> Result<String, TomlError> {
    let mut document: DocumentMut = text.parse()?;
    let exempt = document
        .entry("exempt")
        .or_insert_with(|| Item::Value(Value::Array(Array::new())));
    match exempt.as_array_mut() {
        Some(names) if names.iter().all(|name| name.as_str() != Some(user)) => names.push(user),
        _ => return Ok(text.to_owned()),
    }
    Ok(document.to_string())
}

/// Gives what stands before and after the lines that hold these bytes and nothing else but a comment.
fn whole_line(text: &str, start: usize, end: usize) -> Option<(&str, &str)> {
    let (before, _) = text.split_at_checked(start)?;
    let (_, after) = text.split_at_checked(end)?;
    let begin = before.rfind('\n').map_or(0, |newline| newline + 1);
    let (head, indent) = before.split_at_checked(begin)?;
    let (rest, tail) = after.split_once('\n').unwrap_or((after, ""));
    let rest = rest.trim();
    let alone = indent.trim().is_empty() && (rest.is_empty() || rest.starts_with('#'));
    alone.then_some((head, tail))
}

/// The right to change configs, as long as it lives.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held until it is dropped")] lock::Lock);

impl Lock {
    /// Waits until nobody else changes one.
    pub(crate) fn take() -> Result<Lock, Failure> {
        let waits = |holder: Option<u32>| {
            let holder = holder.map_or(String::new(), |pid| format!(" (pid {pid})"));
            eprintln!(
                "note: another jailctl{holder} is at work; this one waits until it has ended"
            );
        };
        Ok(Lock(lock::Lock::take_as_process(Path::new(LOCK), waits)?))
    }
}

/// Gives the file that a path leads to. A link that root has made is followed: it stays, and what it leads to is changed.
///
/// # Errors
/// Others than root can change a link, or the way to it; it leads nowhere.
pub(crate) fn target_of(path: &Path) -> Result<PathBuf, Failure> {
    let mut target = path.to_owned();
    for _ in 0..MOST_LINKS {
        let found = match target.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && target == path => {
                return Ok(target);
            }
            found => found.map_err(|error| Failure::io("follow the link", path, &error))?,
        };
        if !found.is_symlink() && target == path {
            return Ok(target);
        }
        drop(Tree::open_above(&target)?);
        if !found.is_symlink() {
            return Ok(target);
        }
        if found.uid() != 0 {
            break;
        }
        let to = fs::read_link(&target).map_err(|error| Failure::io("read", &target, &error))?;
        // No link is above it: `..` in the target leads to the directory that stands before it.
        target = plain(&target.parent().unwrap_or(Path::new("/")).join(to));
    }
    Err(Failure::Failed(format!(
        "{} is a link that is not root's, or leads through too many others; put a file in its place",
        shown(path)
    )))
}

/// Takes `.` and `..` out of a path.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => drop(plain.pop()),
            _ => {}
        }
    }
    plain
}

/// Replaces a file at once, with the owner, mode and attributes of the old one, which stays beside it with a `~` behind its name.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let path = &target_of(path)?;
    let backup = with_suffix(path, "~");
    // A link in this place is replaced, not followed.
    match fs::remove_file(&backup) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Failure::io("replace", &backup, &error));
        }
        _ => {}
    }
    fs::hard_link(path, &backup).map_err(|error| Failure::io("make", &backup, &error))?;
    let new = with_suffix(path, ".new");
    write_like(&new, text, path).map_err(|error| Failure::io("write", &new, &error))?;
    fs::rename(&new, path)
        .and_then(|()| sync_directory(path))
        .map_err(|error| Failure::io("replace", path, &error))
}

/// Puts back what [`replace`] has replaced.
pub(crate) fn restore(path: &Path) -> Result<(), Failure> {
    let path = &target_of(path)?;
    fs::rename(with_suffix(path, "~"), path).map_err(|error| Failure::io("restore", path, &error))
}

fn write_like(path: &Path, text: &str, old: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = create(path, &bytes_of(text))?;
    make_like(&file, old)?;
    file.sync_all()
}

/// Makes a file that root alone can open, and writes it.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Gives a file the owner and mode of another, and its extended attributes: SELinux's label and access lists are among them.
pub(crate) fn make_like(file: &File, other: &Path) -> io::Result<()> {
    let other = File::open(other)?;
    let old = other.metadata()?;
    fchown(file, Some(old.uid()), Some(old.gid()))?;
    file.set_permissions(fs::Permissions::from_mode(
        old.permissions().mode() & 0o7777,
    ))?;
    let mut names = vec![0_u8; LARGEST_ATTRIBUTE];
    let length = match flistxattr(&other, names.as_mut_slice()) {
        Err(Errno::NOTSUP) => 0,
        length => length?,
    };
    let names = names.get(..length).unwrap_or_default();
    for name in names.split(|byte| *byte == 0).filter(|it| !it.is_empty()) {
        if OF_CONTENT.contains(&name) {
            continue;
        }
        let mut value = vec![0_u8; LARGEST_ATTRIBUTE];
        let length = fgetxattr(&other, name, value.as_mut_slice())?;
        let value = value.get(..length).unwrap_or_default();
        fsetxattr(file, name, value, XattrFlags::empty())?;
    }
    Ok(())
}

fn sync_directory(path: &Path) -> io::Result<()> {
    path.parent()
        .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// Adds to the end of a file's name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::{exempt_user, remove_user, set_user};

    const TEXT: &str = "# who\nunlisted = \"refuse\"   # nobody else\n\n[users]\n# the web people\nann   = \"web\" # since May\n\"j.d\" = '/srv/j'\n\n# jails\n[jails.web]\nroot = \"/srv/jails/{user}\"\n";

    #[test]
    fn a_new_rule_is_the_only_difference() {
        let changed = set_user(TEXT, "bob", "web").unwrap();
        let added = "bob = \"web\"\n";
        assert_eq!(changed.replacen(added, "", 1), TEXT);
        assert!(
            changed.contains(&format!("'/srv/j'\n{added}\n# jails")),
            "{changed}"
        );
    }

    #[test]
    fn a_changed_rule_keeps_its_comments() {
        let changed = set_user(TEXT, "ann", "/srv/ann").unwrap();
        assert_eq!(
            changed,
            TEXT.replace("\"web\" # since", "\"/srv/ann\" # since")
        );
    }

    #[test]
    fn a_name_that_needs_quotes_gets_them() {
        let changed = set_user(TEXT, "john.doe", "web").unwrap();
        assert!(changed.contains("\n\"john.doe\" = \"web\"\n"), "{changed}");
    }

    #[test]
    fn a_rule_that_was_set_and_removed_leaves_the_text_as_it_was() {
        for text in [
            TEXT,
            "[users]\n",
            "users = { ann = \"web\" }\n",
            "[users]\nann = \"web\"",
        ] {
            let there = set_user(text, "bob", "web").unwrap();
            assert_ne!(there, text);
            let gone = remove_user(&there, "bob").unwrap().unwrap();
            assert_eq!(gone.trim_end(), text.trim_end());
        }
    }

    #[test]
    fn a_first_rule_makes_the_table() {
        let made = set_user("# empty\nunlisted = \"refuse\"\n", "bob", "/srv/bob").unwrap();
        assert_eq!(
            made,
            "# empty\nunlisted = \"refuse\"\n\n[users]\nbob = \"/srv/bob\"\n"
        );
    }

    #[test]
    fn an_exemption_is_the_only_difference() {
        let there = "# c\nexempt = [\"root\"] # us\n[users]\nann = \"web\"\n";
        let changed = exempt_user(there, "ann").unwrap();
        assert_eq!(changed, there.replace("[\"root\"]", "[\"root\", \"ann\"]"));
        assert_eq!(exempt_user(&changed, "ann").unwrap(), changed);
        let first =
            exempt_user("unlisted = \"refuse\"\n\n[users]\nbob = \"web\"\n", "ann").unwrap();
        assert_eq!(
            first,
            "unlisted = \"refuse\"\nexempt = [\"ann\"]\n\n[users]\nbob = \"web\"\n"
        );
    }

    #[test]
    fn removing_keeps_what_stands_around_it() {
        let gone = remove_user(TEXT, "ann").unwrap().unwrap();
        assert_eq!(gone, TEXT.replace("ann   = \"web\" # since May\n", ""));
        assert_eq!(remove_user(TEXT, "bob").unwrap(), None);
        assert_eq!(remove_user("unlisted = \"refuse\"", "bob").unwrap(), None);
    }
}
