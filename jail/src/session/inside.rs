//! What programs inside send to the session's /dev/log, on its way to the host's log.
//!
//! It is the user's: it is read without waiting, and whatever comes faster than a log bears is dropped and counted. Descriptors
//! that come with it are never received, because no room is given for them.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::net::{RecvFlags, recv};

use crate::log::{Sent, event::Event, running::Running};

/// How many lines may come at once.
const BURST: u32 = 100;

/// How long it takes until one more may come: ten in a second.
const PER_LINE: Duration = Duration::from_millis(100);

/// How many are read before something else gets its turn.
const AT_ONCE: usize = 32;

/// The most that is read of one, in bytes. The log shows less.
const LONGEST: usize = 2048;

/// LOG_NOTICE, for what has no severity of its own: syslog(3).
const NOTICE: u8 = 5;

/// The socket that is /dev/log inside.
#[derive(Debug)]
pub(crate) struct Inside {
    socket: OwnedFd,
    bucket: Bucket,
    dropped: u64,
}

impl Inside {
    /// Takes the socket, which must not wait.
    pub(crate) fn new(socket: OwnedFd) -> Inside {
        Inside {
            socket,
            bucket: Bucket::full(Instant::now()),
            dropped: 0,
        }
    }

    /// Gives what to wait for.
    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Passes on what has come. Tells whether there may be more.
    pub(crate) fn pass_on(&mut self, running: &Running<'_>) -> bool {
        let mut buffer = [0; LONGEST];
        for _ in 0..AT_ONCE {
            match recv(&self.socket, &mut buffer, RecvFlags::DONTWAIT) {
                Ok((length, _)) => {
                    let message = buffer.get(..length).unwrap_or_default();
                    self.log(message, running);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// Passes on the last that has come, and tells how much was dropped.
    pub(crate) fn finish(&mut self, running: &Running<'_>) {
        // As many as a queue may hold (net.unix.max_dgram_qlen), and no more: others of the session may go on sending.
        for _ in 0..BURST {
            if !self.pass_on(running) {
                break;
            }
        }
        if self.dropped > 0 {
            let lines = self.dropped;
            let whose = running.whose();
            running.log().send(&Event::Dropped { whose, lines });
        }
    }

    fn log(&mut self, message: &[u8], running: &Running<'_>) {
        if !self.bucket.take(Instant::now()) {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        let whose = running.whose();
        if self.dropped > 0 {
            let lines = self.dropped;
            if running.log().try_send(&Event::Dropped { whose, lines }) == Sent::Yes {
                self.dropped = 0;
            }
        }
        let (severity, text) = parts(message);
        let event = Event::Inside {
            whose,
            severity,
            text,
        };
        if running.log().try_send(&event) != Sent::Yes {
            self.dropped = self.dropped.saturating_add(1);
        }
    }
}

/// Takes the priority off a line, of which only the severity counts, and what ends it.
fn parts(message: &[u8]) -> (u8, &[u8]) {
    let text = message.trim_ascii_end();
    let text = text.strip_suffix(b"\0").unwrap_or(text).trim_ascii_end();
    let priority = text.strip_prefix(b"<").and_then(|rest| {
        let end = rest.iter().take(4).position(|it| *it == b'>')?;
        let number = std::str::from_utf8(rest.get(..end)?).ok()?;
        let is_number = number.bytes().all(|it| it.is_ascii_digit());
        let number: u16 = number.parse().ok().filter(|_| is_number)?;
        Some((u8::try_from(number & 7).ok()?, rest.get(end + 1..)?))
    });
    priority.unwrap_or((NOTICE, text))
}

/// A token bucket.
#[derive(Debug)]
struct Bucket {
    left: u32,
    /// Up to when tokens have been put in.
    filled: Instant,
}

impl Bucket {
    fn full(now: Instant) -> Bucket {
        Bucket {
            left: BURST,
            filled: now,
        }
    }

    /// Takes a token, if there is one. The clock never goes back: clock_gettime(2), CLOCK_MONOTONIC.
    fn take(&mut self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.filled);
        let new = u32::try_from(since.as_millis() / PER_LINE.as_millis()).unwrap_or(u32::MAX);
        if new >= BURST {
            (self.left, self.filled) = (BURST, now);
        } else {
            self.left = self.left.saturating_add(new).min(BURST);
            self.filled += PER_LINE * new;
        }
        let has_one = self.left > 0;
        self.left = self.left.saturating_sub(1);
        has_one
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{BURST, Bucket, parts};

    #[test]
    fn of_a_priority_only_the_severity_counts() {
        for (message, expected) in [
            (
                &b"<13>Jan  1 00:00:00 a: b\n\0"[..],
                (5, &b"Jan  1 00:00:00 a: b"[..]),
            ),
            (b"<0>kernel: panic", (0, b"kernel: panic")),
            (b"<191>x", (7, b"x")),
            (b"<1911>x", (5, b"<1911>x")),
            (b"<+3>x", (5, b"<+3>x")),
            (b"<>x", (5, b"<>x")),
            (b"<3", (5, b"<3")),
            (b"", (5, b"")),
        ] {
            assert_eq!(parts(message), expected, "{message:?}");
        }
    }

    #[test]
    fn a_burst_passes_and_then_ten_in_a_second() {
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        let mut passed = |after: u64, tried: u32| {
            let now = start + Duration::from_millis(after);
            (0..tried).filter(|_| bucket.take(now)).count()
        };
        assert_eq!(passed(0, 1000), 100);
        assert_eq!(passed(99, 5), 0);
        assert_eq!(passed(100, 5), 1);
        assert_eq!(passed(1099, 50), 9);
        assert_eq!(passed(1100, 50), 1);
        assert_eq!(passed(100_000_000, 1000), BURST as usize);
    }
}
