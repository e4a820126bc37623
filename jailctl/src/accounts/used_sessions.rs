//! How many of the sessions that `limits.sessions` allows a user has open.

use std::fmt;

use jail::session::slot;
use jail_config::Jail;
use serde::Serialize;

/// A user's sessions, where the config limits them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct UsedSessions {
    /// Those that count; nothing where they can't be counted: that takes root.
    pub(crate) open: Option<u64>,
    pub(crate) limit: u64,
}

impl UsedSessions {
    /// Counts those of a user; nothing where the jail has no limit.
    pub(crate) fn of(uid: u32, jail: &Jail) -> Option<UsedSessions> {
        let limit = jail.limits.sessions()?;
        Some(UsedSessions {
            open: slot::open_sessions(uid).ok(),
            limit,
        })
    }

    /// Tells whether another login is refused.
    pub(crate) fn is_full(self) -> bool {
        self.open.is_some_and(|open| open >= self.limit)
    }
}

impl fmt::Display for UsedSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.open {
            Some(open) => write!(f, "{open} of {} sessions open", self.limit)?,
            None => write!(f, "at most {} sessions open", self.limit)?,
        }
        if self.is_full() {
            f.write_str(", so the next login is refused")?;
        }
        Ok(())
    }
}
