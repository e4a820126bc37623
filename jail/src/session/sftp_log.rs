//! The record of transfers, on its way from sftp-server's standard error to the host's log.
//!
//! The server's end of a socket that keeps messages apart is its standard error: what it writes at once is one message here, so
//! that no name can begin another line. A socket has no name that the server's client could open, as a pipe has in /proc/self/fd.
//!
//! Nothing is dropped while the client is there. Where the log takes nothing, nothing more is read, and the server waits.

use std::{
    collections::VecDeque,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use nix::unistd::{Pid, getppid};
use rustix::{
    io::Errno,
    net::{RecvFlags, recv},
};

use crate::{
    log::{
        Sent,
        event::{Event, Files, Moved},
        running::Running,
    },
    session::{
        sftp_line::Paths,
        transfers::{Transfer, Transfers},
    },
};

/// How many messages are read before something else gets its turn.
const AT_ONCE: usize = 64;

/// More than a message of the server has, in bytes: OpenSSH's log.c.
const LONGEST: usize = 2048;

/// How long a log that takes nothing is left alone.
const PAUSE: Duration = Duration::from_millis(20);

/// How much longer than its last process a session lasts for what its log has not taken.
const LAST_LINES: Duration = Duration::from_secs(2);

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Wait until the server says something; or for so long.
    Read(Option<Duration>),
    /// Wait for so long and do not read.
    Pause(Duration),
    /// The server has ended.
    Ended,
    /// What it says can't be read.
    Failed(Errno),
}

/// The end that the supervisor has.
#[derive(Debug)]
pub(crate) struct SftpLog {
    socket: OwnedFd,
    transfers: Transfers,
    /// What the log has not taken yet.
    waiting: VecDeque<Transfer>,
    /// How much it never took.
    lost: u64,
    /// Who started this: sshd. Without it there is no client.
    parent: Pid,
    ended: bool,
}

impl SftpLog {
    pub(crate) fn new(socket: OwnedFd) -> SftpLog {
        SftpLog {
            socket,
            transfers: Transfers::default(),
            waiting: VecDeque::new(),
            lost: 0,
            parent: getppid(),
            ended: false,
        }
    }

    /// Gives what to read from.
    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Reads what the server has said, and passes it on.
    pub(crate) fn pass_on(&mut self, running: &mut Running<'_>) -> Next {
        for _ in 0..AT_ONCE {
            if !self.send(running) {
                if getppid() == self.parent {
                    return Next::Pause(PAUSE);
                }
                // Nobody is left whom the server could keep waiting, and it could not end.
                self.give_up();
            }
            if self.ended {
                return Next::Ended;
            }
            let mut message = [0; LONGEST];
            match recv(&self.socket, &mut message, RecvFlags::DONTWAIT) {
                Ok((length @ 1.., _)) => {
                    let message = message.get(..length).unwrap_or_default();
                    self.waiting.extend(self.transfers.take(message));
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Next::Read(None),
                Ok((0, _)) => self.end(),
                Err(errno) => return Next::Failed(errno),
            }
            let (down, up) = self.transfers.bytes;
            running.moved = Moved { up, down };
        }
        Next::Read(Some(Duration::ZERO))
    }

    /// Passes on what is left, once the server has ended. A log that takes nothing holds it up for a moment only.
    pub(crate) fn finish(&mut self, running: &mut Running<'_>) {
        let deadline = Instant::now() + LAST_LINES;
        loop {
            match self.pass_on(running) {
                Next::Ended => break,
                Next::Read(Some(Duration::ZERO)) => {}
                // What holds the other end, if it is anybody, is not the server.
                Next::Read(_) | Next::Failed(_) => self.end(),
                Next::Pause(_) if Instant::now() >= deadline => self.give_up(),
                Next::Pause(pause) => std::thread::sleep(pause),
            }
        }
        if self.lost > 0 {
            let lost = self.lost.to_string();
            let event = Event::Transfer {
                whose: running.whose(),
                what: "lost",
                files: Files::None,
                moved: None,
                detail: Some(lost.as_bytes()),
                result: "the log took nothing",
                errors: 0,
            };
            running.log().send(&event);
        }
    }

    /// Sends what waits. Tells whether the log has taken all of it.
    fn send(&mut self, running: &mut Running<'_>) -> bool {
        while let Some(transfer) = self.waiting.front() {
            let event = event(transfer, running);
            match running.log().try_send(&event) {
                Sent::Yes => drop(self.waiting.pop_front()),
                Sent::NoRoom => return false,
                Sent::No => {
                    running.reconnect();
                    return false;
                }
            }
        }
        true
    }

    fn give_up(&mut self) {
        let lost = u64::try_from(self.waiting.len()).unwrap_or(u64::MAX);
        self.lost = self.lost.saturating_add(lost);
        self.waiting.clear();
    }

    fn end(&mut self) {
        self.ended = true;
        self.waiting.extend(self.transfers.finish());
        self.waiting.extend(self.transfers.left_over());
    }
}

fn event<'a>(transfer: &'a Transfer, running: &'a Running<'_>) -> Event<'a> {
    let files = match &transfer.paths {
        None => Files::None,
        Some(Paths::One(path)) => Files::One(path),
        Some(Paths::Two(old, new)) => Files::Two(old, new),
        Some(Paths::Unclear(both)) => Files::Unclear(both),
    };
    Event::Transfer {
        whose: running.whose(),
        what: transfer.action,
        files,
        moved: transfer.bytes.map(|(down, up)| Moved { up, down }),
        detail: transfer.detail.as_deref(),
        result: transfer.result,
        errors: transfer.errors,
    }
}
