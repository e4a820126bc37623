//! How long the terminal of a session has had neither input nor output.
//!
//! Where the supervisor carries both, it knows. Where the session has its caller's terminal, the kernel does: the times of the
//! terminal's node are those of the last read and the last write, as w(1) shows them.

use std::{
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rustix::fs::fstat;

/// The kernel keeps these times in steps, in seconds, lest somebody learn from them when a key was hit (tty_update_time).
const STEP: Duration = Duration::from_secs(8);

/// The limit of a terminal session, and what is known of its terminal.
#[derive(Debug)]
pub(crate) struct Idle {
    pub(crate) limit: Duration,
    /// The session's own terminal; nothing where the supervisor carries what is typed and shown.
    own: Option<OwnedFd>,
    /// The last times that were read from it, in seconds since 1970.
    times: (i64, i64),
    /// When something was last typed or shown, as far as is known.
    last: Instant,
    looked: Instant,
}

impl Idle {
    pub(crate) fn new(limit: Duration, own: Option<OwnedFd>) -> Idle {
        let now = Instant::now();
        let times = own.as_ref().and_then(times).unwrap_or_default();
        Idle {
            limit,
            own,
            times,
            last: now,
            looked: now,
        }
    }

    /// Tells how long the terminal may stay as it is. `carried` is when the supervisor has last carried something.
    pub(crate) fn left(&mut self, carried: Option<Instant>) -> Duration {
        if let Some(carried) = carried {
            return self.limit.saturating_sub(carried.elapsed());
        }
        if let Some(times) = self.own.as_ref().and_then(times) {
            self.note(times, Instant::now(), now_in_seconds());
        }
        (self.limit + STEP).saturating_sub(self.last.elapsed())
    }

    /// Gives the session's own terminal, to tell its user.
    pub(crate) fn terminal(&self) -> Option<&OwnedFd> {
        self.own.as_ref()
    }

    /// Takes what a look at the terminal has shown. The clock of the times may have been set since the last look; then all that
    /// is known is that something was typed or shown.
    fn note(&mut self, times: (i64, i64), now: Instant, clock: i64) {
        if times != self.times {
            let (read, written) = times;
            let age = u64::try_from(clock.saturating_sub(read.max(written)))
                .map_or(Duration::ZERO, Duration::from_secs);
            let since_look = now.saturating_duration_since(self.looked);
            self.last = match age <= since_look {
                true => now.checked_sub(age).unwrap_or(now),
                false => now,
            };
            self.times = times;
        }
        self.looked = now;
    }
}

fn times(terminal: impl AsFd) -> Option<(i64, i64)> {
    let stat = fstat(terminal).ok()?;
    Some((stat.st_atime, stat.st_mtime))
}

fn now_in_seconds() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.ok()
        .and_then(|now| i64::try_from(now.as_secs()).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Idle;

    const MINUTE: Duration = Duration::from_secs(60);

    fn idle(began: Instant) -> Idle {
        Idle {
            limit: MINUTE,
            own: None,
            times: (1000, 1000),
            last: began,
            looked: began,
        }
    }

    #[test]
    fn the_later_of_input_and_output_counts() {
        let began = Instant::now();
        let mut idle = idle(began);
        let now = began + MINUTE;
        idle.note((1050, 1040), now, 1060);
        assert_eq!(idle.last, now - Duration::from_secs(10));
        // Nothing since.
        idle.note((1050, 1040), now + MINUTE, 1120);
        assert_eq!(idle.last, now - Duration::from_secs(10));
    }

    #[test]
    fn a_clock_that_was_set_ends_nobodys_session() {
        let began = Instant::now();
        let now = began + MINUTE;
        for clock in [0, 900, 1_000_000_000] {
            let mut idle = idle(began);
            idle.note((1050, 1040), now, clock);
            assert_eq!(idle.last, now, "{clock}");
        }
    }
}
