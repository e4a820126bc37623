//! Public keys, as a list of users has them: checked as a whole before one is written.

use std::{
    fs::File,
    io::{self, Read},
    path::{self, Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags, open},
    io::Errno,
};

use crate::{
    failure::Failure,
    shell::{quoted, shown},
};

/// The most bytes that a file of keys may have.
const LARGEST: u64 = 64 << 10;

/// What stands before the beginning of a line that is no key, in messages.
const BEGINS: &str = "; it begins with ";

/// The types of keys that sshd takes, each with how many parts its key has: RFC 4253, RFC 5656, RFC 8709, PROTOCOL.u2f.
const TYPES: [(&str, usize); 7] = [
    ("ssh-ed25519", 2),
    ("ssh-rsa", 3),
    ("ecdsa-sha2-nistp256", 3),
    ("ecdsa-sha2-nistp384", 3),
    ("ecdsa-sha2-nistp521", 3),
    ("sk-ssh-ed25519@openssh.com", 3),
    ("sk-ecdsa-sha2-nistp256@openssh.com", 4),
];

/// Gives the directory at which paths begin that a file has.
pub(super) fn directory_of(file: &Path) -> Result<PathBuf, Failure> {
    let whole = path::absolute(file).map_err(|error| Failure::io("find", file, &error))?;
    Ok(whole.parent().unwrap_or(Path::new("/")).to_owned())
}

/// Gives what stands for the keys of a user with a whole path in place of one that begins at a directory. A key has spaces or
/// begins with its type, and a path has none.
pub(super) fn placed(text: &str, directory: &Path) -> String {
    let is_path = !text.contains(char::is_whitespace) && text.contains(['/', '.']);
    match is_path && !text.starts_with('/') {
        true => directory.join(text).to_string_lossy().into_owned(),
        false => text.to_owned(),
    }
}

/// Reads what stands for the keys of a user: keys, a line for each, or the path of a file that has them.
///
/// # Errors
/// What is wrong with it, in words. A key itself is never repeated.
pub(super) fn keys(text: &str, user: &str) -> Result<Vec<String>, String> {
    match text.starts_with('/') {
        true => of_file(Path::new(&text.replace("{user}", user))),
        false => lines(text),
    }
}

/// Reads the public keys that a file has. What else it has is for its readers alone: it is neither taken nor repeated.
///
/// # Errors
/// What is wrong with it, in words.
pub(in crate::setup) fn of_file(path: &Path) -> Result<Vec<String>, String> {
    let name = shown(path);
    let text = read(path).map_err(|error| format!("read the key {name}: {error}"))?;
    let keys = lines(&text).map_err(|why| {
        let why = why.split(BEGINS).next().unwrap_or_default();
        format!("{name}: {why}")
    })?;
    match keys.is_empty() {
        true => Err(format!("{name} has no key")),
        false => Ok(keys),
    }
}

/// Refuses keys that somebody has left for the name of an account that is yet to be made. `file` is the one that sshd will read.
pub(in crate::setup) fn refuse_left(file: &Path) -> Result<(), String> {
    match file.symlink_metadata() {
        Ok(_) => Err(format!(
            "{} is there, and the account is not: whoever has these keys would log in as the new user; move it away first: mv {} /root/",
            shown(file),
            quoted(file)
        )),
        Err(_) => Ok(()),
    }
}

/// Reads a small file. Others may be able to exchange it: it is opened once, and no link, device or pipe is followed or waited for.
fn read(path: &Path) -> io::Result<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = open(path, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::LOOP => io::Error::other("it is a symbolic link; give the file that it leads to"),
        other => other.into(),
    })?;
    let file = File::from(opened);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    match file.take(LARGEST + 1).read_to_end(&mut bytes)? as u64 {
        // A comment may be in whatever encoding.
        0..=LARGEST => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        _ => Err(io::Error::other("it has more than 64 KiB")),
    }
}

fn lines(text: &str) -> Result<Vec<String>, String> {
    if text.contains("PRIVATE KEY") {
        return Err("this is a private key; give the public one (.pub)".to_owned());
    }
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| check(line).map(|()| line.to_owned()))
        .collect()
}

/// Insists on one public key without options: by these, a user could get past a jail.
fn check(line: &str) -> Result<(), String> {
    let mut words = line.split_ascii_whitespace();
    let kind = words.next().unwrap_or_default();
    let Some((_, parts)) = TYPES.iter().find(|(known, _)| *known == kind) else {
        return Err(match TYPES.iter().any(|(known, _)| line.contains(known)) {
            true => "the key has options; give the key alone".to_owned(),
            false => format!(
                "this is no public key{BEGINS}{}",
                shown(kind.chars().take(20).collect::<String>())
            ),
        });
    };
    let key = words.next().unwrap_or_default();
    let found = decoded(key).and_then(|bytes| parts_of(&bytes));
    let is_whole = found.as_ref().is_some_and(|it| {
        it.len() == *parts && it.first().is_some_and(|first| first == kind.as_bytes())
    });
    match is_whole && !line.contains(char::is_control) {
        true => Ok(()),
        false => Err(format!("the {kind} key is damaged or cut off")),
    }
}

/// Splits a key into its parts, each behind its length: RFC 4251.
fn parts_of(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (part, rest) = rest.split_at_checked(length)?;
        parts.push(part.to_owned());
        bytes = rest;
    }
    Some(parts)
}

/// Decodes base64: RFC 4648.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let body = text.trim_end_matches('=');
    if text.len() % 4 != 0 || text.len() - body.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0_u32, 0_u32);
    for letter in body.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{keys, placed};

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ann@desk";

    #[test]
    fn a_whole_public_key_is_taken_and_nothing_else() {
        assert_eq!(keys(KEY, "ann").unwrap(), [KEY]);
        assert_eq!(
            keys(&format!("{KEY}\n\n# old\n{KEY}\n"), "ann")
                .unwrap()
                .len(),
            2
        );
        for (wrong, why) in [
            (format!("command=\"id\" {KEY}"), "options"),
            (KEY.replace("GKJl", ""), "cut off"),
            (KEY.replace("AAAAC3", "AAAAD3"), "cut off"),
            (KEY.replace("ssh-ed25519", "ssh-rsa"), "cut off"),
            (
                "-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(),
                "private key",
            ),
            ("hello".to_owned(), "no public key"),
            ("/nowhere/key.pub".to_owned(), "read the key"),
        ] {
            let said = keys(&wrong, "ann").unwrap_err();
            assert!(said.contains(why), "{wrong}: {said}");
        }
    }

    #[test]
    fn a_path_begins_at_the_directory_of_the_file_that_has_it() {
        for (text, whole) in [
            ("keys/{user}.pub", "/root/class/keys/{user}.pub"),
            ("./ann", "/root/class/./ann"),
            ("ann.pub", "/root/class/ann.pub"),
            ("/srv/ann.pub", "/srv/ann.pub"),
            (KEY, KEY),
            ("hello", "hello"),
        ] {
            assert_eq!(placed(text, Path::new("/root/class")), whole);
        }
    }

    #[test]
    fn a_file_of_keys_is_a_small_regular_file_and_what_else_it_has_is_not_repeated() {
        for (wrong, why) in [
            ("/dev/stdin", "symbolic link"),
            ("/dev/zero", "no regular file"),
            ("/", "no regular file"),
            ("/etc/passwd", "no public key"),
        ] {
            let said = keys(wrong, "ann").unwrap_err();
            assert!(said.contains(why) && !said.contains("root:"), "{said}");
        }
    }
}
