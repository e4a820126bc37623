//! Whether a password has expired: sshd has it changed by passwd(1), which it starts in the session and so in the jail.

use std::{ffi::CString, ffi::OsStr, os::unix::ffi::OsStrExt, time::SystemTime};

use nix::libc::c_long;

use crate::sys::nss::shadow_days;

const SECONDS_OF_DAY: u64 = 86_400;

/// Tells whether the password of an account has to be changed before anything else, as far as shadow(5) says. An account that
/// has no entry there has no such password.
#[must_use]
pub fn has_expired(name: &OsStr) -> bool {
    let Ok(name) = CString::new(name.as_bytes()) else {
        return false;
    };
    let now = SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap_or_default()
        .as_secs();
    let today = c_long::try_from(now / SECONDS_OF_DAY).unwrap_or(c_long::MAX);
    shadow_days(&name).is_some_and(|(changed, longest)| is_overdue(changed, longest, today))
}

/// Decides as pam_unix(8) does. All three are in days; -1 is a field that is empty.
fn is_overdue(changed: c_long, longest: c_long, today: c_long) -> bool {
    match (changed, longest) {
        (0, _) => true,
        (-1, _) | (_, -1) => false,
        (changed, longest) => today.saturating_sub(changed) > longest,
    }
}

#[cfg(test)]
mod tests {
    use super::is_overdue;

    #[test]
    fn a_password_is_overdue_after_its_longest_age_or_when_it_was_said_so() {
        for (changed, longest, wanted) in [
            (0, -1, true),
            (0, 99_999, true),
            (20_000, 99_999, false),
            (20_000, 30, false),
            (19_970, 30, false),
            (19_969, 30, true),
            (19_969, -1, false),
            (-1, 30, false),
            (20_001, 0, false),
            (-30_000, 1, true),
        ] {
            assert_eq!(
                is_overdue(changed, longest, 20_000),
                wanted,
                "{changed} {longest}"
            );
        }
    }
}
