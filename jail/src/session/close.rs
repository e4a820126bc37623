//! The moment at which `until` ends an account's sessions.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jail_config::Until;
use nix::errno::Errno;

use crate::sys::timer::continue_after;

/// How long a wait for the moment may be before the clock is looked at again: it may have been set.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// How long after it all supervisors have ended their sessions, or were killed.
const FORCED: Duration = Duration::from_secs(30);

/// When an account closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Close {
    pub(crate) until: Until,
    /// The first second in which it is closed, since 1970.
    pub(crate) moment: i64,
}

impl Close {
    /// Tells how long it is until then, by the clock as it is now; nothing is left of it from then on.
    pub(crate) fn left(&self) -> Duration {
        let moment = Duration::from_secs(u64::try_from(self.moment).unwrap_or(0));
        // A clock before 1970 is wrong: how long it is then is not known.
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(Duration::ZERO, |now| moment.saturating_sub(now))
    }

    /// Has this process go on then, and once no session is open any more, if another one of the same user has stopped it.
    ///
    /// # Errors
    /// There is no timer to be had.
    pub(crate) fn go_on_then(&self) -> Result<(), Errno> {
        // The timers are left to the end of the process.
        continue_after(self.left())?;
        continue_after(self.left().saturating_add(FORCED)).map(drop)
    }

    /// Tells how long a wait for it may be.
    pub(crate) fn wait(&self) -> Duration {
        self.left().min(LOOK_AGAIN)
    }
}
