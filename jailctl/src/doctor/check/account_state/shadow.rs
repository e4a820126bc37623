//! What shadow(5) says of an account.

use std::{fs, io::ErrorKind};

use jail::account::{identity::Identity, password::is_overdue};

use crate::shell;

/// The file of passwords.
pub(in crate::doctor::check) const SHADOW: &str = "/etc/shadow";

/// What shadow(5) says of an account. Days are counted from 1970-01-01.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shadow {
    password: String,
    changed: Option<i64>,
    longest: Option<i64>,
    inactive: Option<i64>,
    expires: Option<i64>,
}

/// Why an account or its password is past its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    /// The account has expired, so many days ago.
    Account(i64),
    /// The password is so old that it can't be changed any more.
    Inactive,
    /// The password must be changed at the next login.
    MustChange,
}

impl Shadow {
    /// Reads it, or asks the account database, where a directory service has the account. Nothing where neither has it.
    ///
    /// # Errors
    /// One of them could not be asked, and why.
    pub(super) fn of(identity: &Identity) -> Result<Option<Shadow>, String> {
        const NOT_FOUND: Option<i32> = Some(2);
        let name = identity.name.to_string_lossy();
        let text = match fs::read(SHADOW) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(format!("read {SHADOW}: {error}"));
            }
            read => read.unwrap_or_default(),
        };
        let text = String::from_utf8_lossy(&text);
        let is_own = |line: &&str| line.split(':').next() == Some(&name);
        if let Some(line) = text.lines().find(is_own) {
            return Ok(Shadow::parse(line));
        }
        match shell::ask("getent", &["shadow", "--", &name]) {
            Err(failure) => Err(failure.to_string()),
            Ok(Some(answer)) if answer.status.success() => {
                Ok(Shadow::parse(&String::from_utf8_lossy(&answer.stdout)))
            }
            Ok(Some(answer)) if answer.status.code() != NOT_FOUND => {
                Err(format!("getent shadow: {}", answer.status))
            }
            Ok(_) => Ok(None),
        }
    }

    fn parse(line: &str) -> Option<Shadow> {
        let fields: Vec<&str> = line.trim_end().split(':').collect();
        let number = |index: usize| {
            let number = fields.get(index)?.parse().ok()?;
            // An empty field and -1 are the same: nothing is set.
            (number != -1).then_some(number)
        };
        Some(Shadow {
            password: (*fields.get(1)?).to_owned(),
            changed: number(2),
            longest: number(4),
            inactive: number(6),
            expires: number(7),
        })
    }

    /// Tells whether passwd(1) has locked the account, or useradd(8) given it no password. sshd without PAM refuses it then.
    pub(super) fn is_locked(&self) -> bool {
        self.password.starts_with('!')
    }

    /// Tells whether some password opens the account.
    pub(super) fn has_password(&self) -> bool {
        !self.password.starts_with(['!', '*'])
    }

    /// Judges as pam_unix(8) does: check_shadow_expiry of Linux-PAM.
    pub(super) fn expiry(&self, today: i64) -> Option<Expiry> {
        if let Some(expires) = self.expires.filter(|day| today >= *day) {
            return Some(Expiry::Account(today - expires));
        }
        if !is_overdue(self.changed, self.longest, today) {
            return None;
        }
        // A day of 0 is no day: the password is to be changed at the next login, whenever that is.
        let age = self.changed.filter(|day| *day != 0).map(|day| today - day);
        let limit = self.longest.zip(self.inactive);
        let is_lost = age.zip(limit).is_some_and(|(age, (longest, inactive))| {
            age > inactive && age > longest.saturating_add(inactive)
        });
        Some(if is_lost {
            Expiry::Inactive
        } else {
            Expiry::MustChange
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Expiry, Shadow};

    fn expiry(line: &str) -> Option<Expiry> {
        Shadow::parse(line).and_then(|it| it.expiry(20_000))
    }

    #[test]
    fn judges_shadow_as_pam_unix_does() {
        for (line, expected) in [
            ("ann:*:19000:0:99999:7:::\n", None),
            ("ann:*:19000:0:99999:7::20001:", None),
            ("ann:*:19000:0:99999:7::20000:", Some(Expiry::Account(0))),
            ("ann:*:19000:0:99999:7::1:", Some(Expiry::Account(19_999))),
            ("ann:*:0:0:99999:7:::", Some(Expiry::MustChange)),
            ("ann:*:19990:0:10:7:::", None),
            ("ann:*:19989:0:10:7:::", Some(Expiry::MustChange)),
            ("ann:*:19989:0:10:7:5::", Some(Expiry::MustChange)),
            ("ann:*:19980:0:10:7:5::", Some(Expiry::Inactive)),
            ("ann:*:19980:0:10:7:-1:-1:", Some(Expiry::MustChange)),
            ("ann:*:20100:0:10:7:::", None),
            ("ann:*:::::::", None),
            ("", None),
        ] {
            assert_eq!(expiry(line), expected, "{line}");
        }
    }

    #[test]
    fn tells_a_lock_from_a_password_that_nothing_matches() {
        for (password, locked, usable) in [
            ("!", true, false),
            ("!$y$x", true, false),
            ("*", false, false),
            ("$y$x", false, true),
            ("", false, true),
        ] {
            let shadow = Shadow::parse(&format!("ann:{password}:1::::::")).unwrap();
            assert_eq!(
                (shadow.is_locked(), shadow.has_password()),
                (locked, usable)
            );
        }
    }
}
