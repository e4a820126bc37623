//! Whether a password is past its time: sshd then starts passwd(1) in the session, and nothing else. In a jail passwd can
//! change nothing.

use std::{ffi::CString, ffi::OsStr, os::unix::ffi::OsStrExt, time::SystemTime};

use crate::account::names::shadow_days;

const SECONDS_OF_DAY: u64 = 24 * 60 * 60;

/// Tells whether the password of an account has to be changed, as far as shadow(5) says. An account without an entry there
/// has no such password.
#[must_use]
pub fn has_expired(name: &OsStr) -> bool {
    let days = CString::new(name.as_bytes())
        .ok()
        .as_deref()
        .and_then(shadow_days);
    days.is_some_and(|(changed, longest)| is_overdue(changed, longest, today()))
}

/// Gives the day of today as shadow(5) counts, from 1970-01-01.
#[must_use]
pub fn today() -> i64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(since.as_secs() / SECONDS_OF_DAY).unwrap_or(i64::MAX)
}

/// Decides as pam_unix(8) does, by the day of the last change and the days that a password may be kept. `None` is a field
/// that is empty.
#[must_use]
pub fn is_overdue(changed: Option<i64>, longest: Option<i64>, today: i64) -> bool {
    match (changed, longest) {
        (Some(0), _) => true,
        (Some(changed), Some(longest)) => today.saturating_sub(changed) > longest,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_overdue;

    #[test]
    fn a_password_is_overdue_after_its_longest_age_or_when_it_was_said_so() {
        for (changed, longest, wanted) in [
            (Some(0), None, true),
            (Some(0), Some(99_999), true),
            (Some(20_000), Some(99_999), false),
            (Some(20_000), Some(30), false),
            (Some(19_970), Some(30), false),
            (Some(19_969), Some(30), true),
            (Some(19_969), None, false),
            (None, Some(30), false),
            (Some(20_001), Some(0), false),
            (Some(-30_000), Some(1), true),
        ] {
            let told = is_overdue(changed, longest, 20_000);
            assert_eq!(told, wanted, "{changed:?} {longest:?}");
        }
    }
}
