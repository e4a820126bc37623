//! The name of a user's file in `users.d`.

use std::ffi::{OsStr, OsString};
use std::fmt;

/// A user name that could leave the directory `users.d`, or hide in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsafeName {
    user: OsString,
    reason: &'static str,
}

/// Names a user's file in `users.d`: `alice` gives `alice.toml`.
pub fn user_file_name(user: &OsStr) -> Result<OsString, UnsafeName> {
    const LONGEST: usize = 250;
    let bytes = user.as_encoded_bytes();
    let reason = if bytes.is_empty() {
        "is empty"
    } else if bytes.starts_with(b".") {
        "begins with a dot"
    } else if bytes.contains(&b'/') {
        "contains a slash"
    } else if bytes.iter().any(u8::is_ascii_control) {
        "contains a control character"
    } else if bytes.len() > LONGEST {
        "is longer than 250 bytes"
    } else {
        let mut name = user.to_owned();
        name.push(".toml");
        return Ok(name);
    };
    Err(UnsafeName {
        user: user.to_owned(),
        reason,
    })
}

impl std::error::Error for UnsafeName {}

impl fmt::Display for UnsafeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user name {:?} {}", self.user, self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_file_of_an_ordinary_user() {
        for (user, file) in [
            ("alice", "alice.toml"),
            ("john.doe", "john.doe.toml"),
            ("a..b", "a..b.toml"),
            ("WORK\\ann", "WORK\\ann.toml"),
        ] {
            assert_eq!(user_file_name(OsStr::new(user)), Ok(OsString::from(file)));
        }
        let longest = "x".repeat(250);
        assert!(user_file_name(OsStr::new(&longest)).is_ok());
    }

    #[test]
    fn refuses_a_name_that_could_leave_the_directory_or_hide_in_it() {
        let too_long = "x".repeat(251);
        for user in [
            "", ".", "..", ".alice", "../alice", "a/b", "/", "a\0", "a\n", "\x7f", &too_long,
        ] {
            assert!(user_file_name(OsStr::new(user)).is_err(), "{user:?}");
        }
    }

    #[test]
    fn says_why_and_escapes_the_name() {
        let error = user_file_name(OsStr::new("a\n")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "user name \"a\\n\" contains a control character"
        );
    }
}
