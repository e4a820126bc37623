//! Whether a passwd(5) and a group(5) say of one account what the host says. Pure.
//!
//! Root code of a host program believes the jail's files once it is inside. They are read here as the C library reads them.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use crate::plan::process::Ids;

const INCLUDES: &str = "takes accounts in from elsewhere (+ or -); take the line away";

/// Insists that every line of a passwd(5) that the C library takes for the user's has the host's ids.
///
/// # Errors
/// The first line that has not, counted from 1, and what is wrong with it.
pub fn passwd_agrees(text: &[u8], user: &OsStr, ids: &Ids) -> Result<(), (usize, String)> {
    for (number, line) in lines(text) {
        let mut fields = line.split(|byte| *byte == b':');
        let name = fields.next().unwrap_or_default();
        refuse_oddities(number, line)?;
        if name != user.as_bytes() {
            continue;
        }
        let found = (numeric(fields.nth(1)), numeric(fields.next()));
        if found != (Some(ids.uid), Some(ids.gid)) {
            return Err((
                number,
                format!(
                    "gives the user other ids than the host; make them {}:{}",
                    ids.uid, ids.gid
                ),
            ));
        }
    }
    Ok(())
}

/// Insists that every line of a group(5) that has the user for a member is a group that the user has on the host; gives
/// those.
///
/// # Errors
/// The first line that is not, counted from 1, and what is wrong with it.
pub fn group_agrees(text: &[u8], user: &OsStr, ids: &Ids) -> Result<Vec<u32>, (usize, String)> {
    let mut groups = Vec::new();
    for (number, line) in lines(text) {
        refuse_oddities(number, line)?;
        let mut fields = line.split(|byte| *byte == b':').skip(1);
        let gid = numeric(fields.nth(1));
        // The C library takes all that follows for members, and a colon or any space for what is between them.
        let between = |byte: &u8| b",:".contains(byte) || is_space(*byte);
        let is_member = |field: &[u8]| field.split(between).any(|name| name == user.as_bytes());
        if !fields.any(is_member) {
            continue;
        }
        match gid {
            Some(gid) if ids.has_group(gid) => groups.push(gid),
            _ => {
                return Err((
                    number,
                    "gives the user a group that the host does not; take the user out of it"
                        .to_owned(),
                ));
            }
        }
    }
    Ok(groups)
}

/// Refuses a line that takes in accounts from elsewhere, and those that the C library does not read as they stand: with a
/// NUL byte, or with space in front. glibc 2.36 moves such a line to the front of its buffer without the end, behind which
/// is what was there before.
fn refuse_oddities(number: usize, line: &[u8]) -> Result<(), (usize, String)> {
    let what = match line.first() {
        Some(b'+' | b'-') => INCLUDES,
        Some(byte) if is_space(*byte) => "has space in front; take it away",
        _ if line.contains(&0) => "has a NUL byte; take it away",
        _ => return Ok(()),
    };
    Err((number, what.to_owned()))
}

/// Gives the lines of a file that are neither blank nor a comment, counted from 1.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    text.split(|byte| *byte == b'\n')
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| {
            let meant = line.iter().find(|byte| !is_space(**byte));
            !matches!(meant, None | Some(b'#'))
        })
}

/// Tells what the C library skips in front of a line, and takes for a space within: isspace(3) in the C locale.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == b'\x0b'
}

/// Reads a number as the C library does not: with nothing around it. What only the C library takes is no agreement.
fn numeric(field: Option<&[u8]>) -> Option<u32> {
    std::str::from_utf8(field?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::{group_agrees, passwd_agrees};
    use crate::plan::process::Ids;

    fn ids() -> Ids {
        Ids {
            uid: 1000,
            gid: 100,
            groups: vec![100, 1001],
        }
    }

    #[test]
    fn what_the_c_library_takes_for_the_users_line_is_taken_for_it() {
        let faulty = |text: &[u8]| passwd_agrees(text, OsStr::new("ann"), &ids()).err();
        assert_eq!(
            faulty(b"#ann:x:0:0::/:/bin/sh\nann:x:1000:100::/:/bin/sh"),
            None
        );
        for text in [
            &b"x\n\x0b ann:x:0:0::/:/bin/sh\n"[..],
            b"\nann:x:1000:0::/:/bin/sh",
            b"\nann:x",
            b"\n+ann::::::",
            b"\n ann:x:1000:100",
            b"\nbob\0\n",
        ] {
            assert_eq!(faulty(text).map(|(line, _)| line), Some(2), "{text:?}");
        }
    }

    #[test]
    fn what_the_c_library_takes_for_a_member_is_taken_for_it() {
        let groups = |text: &[u8]| group_agrees(text, OsStr::new("ann"), &ids()).ok();
        assert_eq!(groups(b"web:x:1001:bob,ann\n"), Some(vec![1001]));
        assert_eq!(groups(b"web:x:42:bob,anna\n"), Some(vec![]));
        for text in [
            &b"web:x:42:ann"[..],
            b"web:x:42:bob\x0bann",
            b"web:x:42:bob:ann",
            b" web:x:1001:an\0",
        ] {
            assert_eq!(groups(text), None, "{text:?}");
        }
    }
}
