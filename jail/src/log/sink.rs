//! Where events go: a connection to the log daemon, opened while the host's files are in reach, and used after they are not.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, send, socket_with,
};

use super::{
    call::Call,
    event::{AUTHPRIV, Event, LOG_ERR},
    journal::{self, Speaker},
    syslog,
};

/// How long a line waits for room in the daemon's queue, which anybody can fill.
const LOGIN_WAITS: Duration = Duration::from_millis(100);
const REFUSAL_WAITS: Duration = Duration::from_secs(2);

/// The name of a program of our own in the log.
const NAME: &str = "jail-shell";

/// A connection to the log daemon, if there is one.
#[derive(Debug)]
pub struct Log {
    sink: Sink,
    /// How the login came in.
    pub call: Call,
}

/// Where events go.
#[derive(Debug)]
enum Sink {
    /// journald's own socket, which takes fields.
    Journal(OwnedFd),
    /// /dev/log, which takes text.
    Syslog(OwnedFd),
    /// A machine that logs nothing still serves logins.
    Nowhere,
}

/// What came of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The daemon has it.
    Yes,
    /// Its queue is full. [`Log::socket`] tells poll(2) when it is not.
    NoRoom,
    /// There is no daemon, or it does not take this.
    No,
}

impl Sink {
    /// Connects to journald, or where there is none to /dev/log. Never to both: journald reads /dev/log, too.
    fn open() -> Sink {
        let connected = |path: &str| -> rustix::io::Result<OwnedFd> {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
            connect(&socket, &SocketAddrUnix::new(path)?)?;
            Ok(socket)
        };
        if let Ok(socket) = connected(journal::SOCKET) {
            return Sink::Journal(socket);
        }
        connected("/dev/log").map_or(Sink::Nowhere, Sink::Syslog)
    }

    fn socket(&self) -> Option<&OwnedFd> {
        match self {
            Sink::Journal(socket) | Sink::Syslog(socket) => Some(socket),
            Sink::Nowhere => None,
        }
    }
}

impl Log {
    /// Connects to the log daemon of the host.
    #[must_use]
    pub fn open(call: Call) -> Log {
        Log {
            sink: Sink::open(),
            call,
        }
    }

    /// Makes one that goes nowhere, for a trial.
    #[must_use]
    pub fn nowhere() -> Log {
        Log {
            sink: Sink::Nowhere,
            call: Call::default(),
        }
    }

    /// Sends an event. A queue that stays full loses it: the login must not wait for the log.
    pub fn send(&self, event: &Event<'_>) -> Sent {
        // Nobody waits for what a refusal keeps them from.
        let patience = match event.severity() {
            LOG_ERR => REFUSAL_WAITS,
            _ => LOGIN_WAITS,
        };
        self.send_within(event, patience)
    }

    /// Sends an event if there is room for it now.
    pub fn try_send(&self, event: &Event<'_>) -> Sent {
        self.send_within(event, Duration::ZERO)
    }

    /// Gives what poll(2) tells about whether there is room for an event: POLLOUT. Another may take it first.
    #[must_use]
    pub fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.sink.socket().map(AsFd::as_fd)
    }

    fn send_within(&self, event: &Event<'_>, patience: Duration) -> Sent {
        let (socket, message) = match &self.sink {
            Sink::Nowhere => return Sent::No,
            Sink::Journal(socket) => (socket, journal::datagram(event, self.speaker())),
            Sink::Syslog(socket) => {
                let priority = AUTHPRIV << 3 | event.severity();
                let text = syslog::line(event);
                let line = format!("<{priority}>{NAME}[{}]: {text}", self.call.pid);
                (socket, line.into_bytes())
            }
        };
        let deadline = Instant::now() + patience;
        loop {
            match send(socket, &message, SendFlags::NOSIGNAL) {
                Ok(_) => return Sent::Yes,
                // Room that poll(2) sees may be another's by the time of send(2).
                Err(Errno::AGAIN) => {}
                // Nothing could be done about it, and there is nobody to tell.
                Err(_) => return Sent::No,
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let mut writable = [PollFd::new(socket, PollFlags::OUT)];
            let timeout = Timespec::try_from(left).ok();
            if left.is_zero() || poll(&mut writable, timeout.as_ref()).is_err() {
                return Sent::NoRoom;
            }
        }
    }

    fn speaker(&self) -> Speaker<'_> {
        Speaker {
            name: NAME,
            pid: self.call.pid,
            before: "",
        }
    }

    /// Connects anew.
    pub(super) fn reopen(&mut self) {
        self.sink = Sink::open();
    }

    /// Closes the connection.
    pub(super) fn close(&mut self) {
        self.sink = Sink::Nowhere;
    }
}
