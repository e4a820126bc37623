//! login.defs(5): which ids ordinary accounts have, and how long passwords are valid.

use std::{ops::RangeInclusive, path::Path};

use super::host_text;

/// Accounts below are the system's, which a rule for everybody or a misspelt name is not meant for: UID_MIN.
pub(crate) const FIRST_ORDINARY: u32 = 1000;

/// The highest uid of an ordinary account: UID_MAX. Above are nobody, and what systemd makes up for services.
const LAST_ORDINARY: u32 = 60_000;

/// The text of the file.
#[derive(Debug)]
pub(crate) struct LoginDefs(String);

impl LoginDefs {
    /// Reads the file. Where there is none, every setting has its default.
    pub(crate) fn read() -> LoginDefs {
        LoginDefs(host_text::read(Path::new("/etc/login.defs")).unwrap_or_default())
    }

    /// Gives a setting that is a number; nothing where it is not set.
    pub(crate) fn number(&self, keyword: &str) -> Option<u32> {
        let mut lines = self.0.lines().map(str::split_whitespace);
        let value = lines.find_map(|mut line| (line.next() == Some(keyword)).then(|| line.next()));
        value?.and_then(|it| it.parse().ok())
    }

    /// Gives the uids of ordinary accounts.
    pub(crate) fn uids(&self) -> RangeInclusive<u32> {
        self.range("UID_MIN", "UID_MAX")
    }

    /// Gives the gids of ordinary groups.
    pub(crate) fn gids(&self) -> RangeInclusive<u32> {
        self.range("GID_MIN", "GID_MAX")
    }

    /// Tells whether a uid is of an account of the system, as a service has it.
    fn is_of_system(&self, id: u32) -> bool {
        id != 0 && !self.uids().contains(&id)
    }

    fn range(&self, least: &str, most: &str) -> RangeInclusive<u32> {
        let least = self.number(least).unwrap_or(FIRST_ORDINARY);
        least..=self.number(most).unwrap_or(LAST_ORDINARY)
    }
}

/// Tells whether a uid or gid is of an account of the system, as a service has it.
pub(crate) fn is_of_system(id: u32) -> bool {
    LoginDefs::read().is_of_system(id)
}

#[cfg(test)]
mod tests {
    use super::LoginDefs;

    #[test]
    fn accounts_of_the_system_are_those_outside_of_the_ordinary_range() {
        let cases = [
            (0, false),
            (104, true),
            (999, true),
            (1000, false),
            (65534, true),
        ];
        for (id, system) in cases {
            assert_eq!(LoginDefs(String::new()).is_of_system(id), system, "{id}");
        }
        let set = LoginDefs("# UID_MIN 1\nUID_MIN\t500\nUID_MAX 70000\nGID_MIN x\n".to_owned());
        for (id, system) in [(499, true), (500, false), (65534, false)] {
            assert_eq!(set.is_of_system(id), system, "{id}");
        }
        assert_eq!(set.gids(), 1000..=60_000);
        assert_eq!(set.number("PASS_MAX_DAYS"), None);
    }
}
