//! How long `until` leaves an account open.

use std::fmt;

use jail::door::until::left;
use jail_config::{Jail, Until};
use serde::{Serialize, Serializer, ser::SerializeStruct};

const DAY: u64 = 24 * 60 * 60;

/// The end that the config gives an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenUntil {
    pub(crate) until: Until,
    /// In seconds, 0 where it is over; nothing where the time zone is not known.
    left: Option<u64>,
}

impl OpenUntil {
    /// Gives the end of an account in this jail; nothing where it has none.
    pub(crate) fn of(jail: &Jail) -> Option<OpenUntil> {
        let until = jail.until?;
        Some(OpenUntil {
            until,
            left: left(until).ok(),
        })
    }

    /// Tells whether it is over.
    pub(crate) fn is_over(self) -> bool {
        self.left == Some(0)
    }

    /// Tells how many whole days are left.
    pub(crate) fn days_left(self) -> Option<u64> {
        self.left.map(|left| left / DAY)
    }
}

impl fmt::Display for OpenUntil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.until.fmt(f)?;
        match (self.left, self.days_left()) {
            (Some(0), _) => f.write_str(" (over)"),
            (_, Some(0)) => f.write_str(" (less than a day left)"),
            (_, Some(1)) => f.write_str(" (1 day left)"),
            (_, Some(days)) => write!(f, " ({days} days left)"),
            (_, None) => Ok(()),
        }
    }
}

impl Serialize for OpenUntil {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_struct("OpenUntil", 2)?;
        all.serialize_field("until", &self.until.to_string())?;
        all.serialize_field("days_left", &self.days_left())?;
        all.end()
    }
}
