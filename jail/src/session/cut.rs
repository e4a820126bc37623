//! Why a session is ended before its main process has ended, and what its user is told.

use std::{fmt, os::fd::OwnedFd, time::Duration};

use jail_config::{Until, duration, size};
use nix::errno::Errno;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    io::write,
};

/// How long a terminal that takes nothing is waited for.
const PATIENCE: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// Why a session is cut short. `Display` is the reason as the administrator reads it in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Its terminal had no input and no output for so long.
    Idle(Duration),
    /// The account was open until then.
    Until(Until),
    /// Its recording has reached its largest size, in bytes.
    RecordingFull(u64),
    /// Its recording could not be written.
    RecordingFailed(Errno),
    /// What its sftp-server says of transfers could not be read.
    TransfersFailed(Errno),
}

impl Cut {
    /// Says it to the user, in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Cut::Idle(limit) => format!(
                "this session ends: it had no input and no output for {} (idle)",
                duration(*limit)
            ),
            Cut::Until(until) => format!("this session ends: the account was open until {until}"),
            Cut::RecordingFull(_) => {
                "this session ends: its recording has reached its largest size (record.size)"
                    .to_owned()
            }
            Cut::RecordingFailed(_) | Cut::TransfersFailed(_) => {
                "this session ends: it can't be recorded any more; ask the administrator".to_owned()
            }
        }
    }
}

impl Cut {
    /// Tells the user on the session's terminal. One that takes nothing, because what was shown before waits in it, gets a moment.
    pub(crate) fn tell(&self, terminal: &OwnedFd) {
        let text = format!("\r\njail-shell: {}\r\n", self.sentence());
        let Ok(flags) = fcntl_getfl(terminal) else {
            return;
        };
        if fcntl_setfl(terminal, flags | OFlags::NONBLOCK).is_err() {
            return;
        }
        let mut left = text.as_bytes();
        let mut fds = [PollFd::new(terminal, PollFlags::OUT)];
        // Twice, so that one that takes a byte at a time does not keep the session.
        for _ in 0..2 {
            if left.is_empty() || !poll(&mut fds, Some(&PATIENCE)).is_ok_and(|ready| ready > 0) {
                break;
            }
            match write(terminal, left) {
                Ok(length) => left = left.get(length..).unwrap_or_default(),
                Err(_) => break,
            }
        }
        // The open file is the caller's, too, where it could not be opened anew.
        match fcntl_setfl(terminal, flags) {
            Ok(()) | Err(_) => {}
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cut::Idle(limit) => write!(
                f,
                "idle: the terminal had no input and no output for {}",
                duration(*limit)
            ),
            Cut::Until(until) => write!(f, "until: the account was open until {until}"),
            Cut::RecordingFull(longest) => write!(
                f,
                "record: the recording of the terminal has reached record.size = \"{}\"; raise it, or keep large output off the \
                 terminal",
                size(*longest)
            ),
            Cut::RecordingFailed(errno) => write!(
                f,
                "record: write the recording of the terminal: {}; see df /var/log/login-jail",
                errno.desc()
            ),
            Cut::TransfersFailed(errno) => write!(
                f,
                "sftp.log: read the record of transfers: {}; transfers would go unrecorded",
                errno.desc()
            ),
        }
    }
}
