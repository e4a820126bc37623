//! Where events go: a connection to the log daemon, opened while the host's files are in reach, and used after they are not.

use std::{
    mem::{forget, replace},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, send, socket_with,
};

use jail_config::{Record as Wanted, RecordWhat};

use crate::served;

use super::{
    call::Call,
    counts::Counts,
    event::{AUTHPRIV, Event, LOG_ERR},
    journal::{self, Speaker},
    record::{Record, Unrecorded},
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
    record: Recording,
    /// Where it is counted, as long as something may be.
    counts: Option<Counts>,
    /// Who speaks, by the name of the program.
    name: String,
    /// What stands before each text.
    before: String,
    /// Device and inode of the two descriptors, by which [`Log::disown_strangers`] knows them.
    numbers: [Option<(u64, u64)>; 2],
    /// How the login came in.
    pub call: Call,
    /// The name of the jail that the config has for it; empty as long as that is not known.
    pub jail: String,
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

/// The record of sessions, as far as it was needed until now.
#[derive(Debug)]
enum Recording {
    /// Not opened yet.
    Untried,
    Open(Record),
    /// It is not wanted, or can't be had, and the log says so.
    Off,
    /// A trial opens it and writes nothing.
    Trial,
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
            record: Recording::Untried,
            name: NAME.to_owned(),
            ..Log::nowhere_for(call)
        }
    }

    /// Connects to the log daemon of the host, for a stage of the PAM module: the host program speaks, and its lines look as
    /// those of pam_syslog(3).
    #[must_use]
    pub fn of_module(call: Call, stage: &str) -> Log {
        let service = call.service.as_deref().unwrap_or_default();
        let before = format!("pam_jail({}:{stage}): ", word(service.as_encoded_bytes()));
        let name = std::fs::read("/proc/self/comm").unwrap_or_default();
        Log {
            name: word(&name),
            before,
            ..Log::open(call)
        }
    }

    /// Makes one that goes nowhere, for a trial.
    #[must_use]
    pub fn nowhere() -> Log {
        Log::nowhere_for(Call::default())
    }

    fn nowhere_for(call: Call) -> Log {
        Log {
            sink: Sink::Nowhere,
            record: Recording::Trial,
            counts: None,
            jail: String::new(),
            name: String::new(),
            before: String::new(),
            numbers: [None; 2],
            call,
        }
    }

    /// Forgets the descriptors that are not its own any more: a host program closes what it does not know, and opens something
    /// else under the same number. To be called when the program comes back after a time of its own.
    pub fn disown_strangers(&mut self) {
        let [socket, record] = self.own_numbers();
        let [own_socket, own_record] = self.numbers;
        if socket != own_socket
            && let Sink::Journal(fd) | Sink::Syslog(fd) = replace(&mut self.sink, Sink::Nowhere)
        {
            forget(fd);
        }
        if record != own_record
            && let Recording::Open(record) = replace(&mut self.record, Recording::Off)
        {
            forget(record);
        }
    }

    /// Remembers which descriptors are its own, before a host program goes on. Nothing is counted after that.
    pub fn mark_own(&mut self) {
        self.counts = None;
        self.numbers = self.own_numbers();
    }

    fn own_numbers(&self) -> [Option<(u64, u64)>; 2] {
        let number = |fd: BorrowedFd<'_>| served::number_of(fd).ok();
        let record = match &self.record {
            Recording::Open(record) => Some(record.as_fd()),
            _ => None,
        };
        [self.socket().and_then(number), record.and_then(number)]
    }

    /// Says that there is to be no record.
    pub fn without_record(&mut self) {
        self.record = Recording::Off;
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

    /// Opens what counts logins and, if the config wants one, the record of sessions, before privileges are given up.
    ///
    /// # Errors
    /// The record can't be opened.
    pub fn open_record(&mut self, wanted: Wanted) -> Result<(), Unrecorded> {
        let is_trial = matches!(self.record, Recording::Trial);
        if !is_trial {
            self.counts = Counts::open(&self.jail);
        }
        self.record = Recording::Off;
        if wanted.what != RecordWhat::Off {
            let record = Record::open()?;
            self.record = match is_trial {
                true => Recording::Trial,
                false => Recording::Open(record),
            };
        }
        Ok(())
    }

    /// Writes an event to the record of sessions, if that is open.
    ///
    /// # Errors
    /// It can't be written.
    pub fn record(&self, event: &Event<'_>) -> Result<(), Unrecorded> {
        match &self.record {
            Recording::Open(record) => record.write(event),
            Recording::Untried | Recording::Off | Recording::Trial => Ok(()),
        }
    }

    /// Counts an event.
    pub(super) fn count(&self, event: &Event<'_>) {
        if let Some(counts) = &self.counts {
            counts.add(event);
        }
    }

    /// Logs, counts and records that a login was refused. The record is opened for it where nobody has said yet that there is to be
    /// none; where it can't be had, the log alone has to do. Says whether the log has it.
    pub fn refuse(&mut self, refusal: &Event<'_>) -> Sent {
        let sent = self.send(refusal);
        if let Recording::Untried = self.record {
            self.record = Record::open().map_or(Recording::Off, Recording::Open);
            self.counts = Counts::open(&self.jail);
        }
        self.count(refusal);
        let (Ok(()) | Err(_)) = self.record(refusal);
        sent
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
                let Speaker { name, pid, before } = self.speaker();
                let line = format!("<{priority}>{name}[{pid}]: {before}{text}");
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
            name: &self.name,
            pid: self.call.pid,
            before: &self.before,
        }
    }

    /// Connects anew.
    pub(super) fn reopen(&mut self) {
        self.sink = Sink::open();
    }

    /// Closes the connection.
    pub(super) fn close(&mut self) {
        self.sink = Sink::Nowhere;
        self.record = Recording::Off;
        self.counts = None;
    }
}

/// Takes out of a name what could end it in a line.
fn word(name: &[u8]) -> String {
    let letters = name.iter().copied().map(char::from);
    letters
        .filter(|letter| letter.is_ascii_graphic() && !"[]():".contains(*letter))
        .take(64)
        .collect()
}
