//! What supervisor and init tell each other over their socket, and how it is read.

use std::os::fd::OwnedFd;

use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::session::Ended;

/// What init tells the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The main process has ended.
    Ended(Ended),
    /// The main process has stopped, by this signal.
    Stopped(i32),
    /// A stopped main process goes on.
    Continued,
    /// Others are left, and end with init: the session is over when init is.
    NoLinger,
    /// The program was found, and execve(2) has failed: the errno.
    NotStarted(i32),
    /// With this comes the socket that is /dev/log inside.
    Log,
}

impl Report {
    pub(crate) fn encode(self) -> [u8; 2] {
        match self {
            Report::Ended(Ended::Exited(status)) => [b'e', status],
            Report::Ended(Ended::Killed(signal)) => [b'k', u8::try_from(signal).unwrap_or(0)],
            Report::Stopped(signal) => [b's', u8::try_from(signal).unwrap_or(0)],
            Report::Continued => [b'c', 0],
            Report::NoLinger => [b'n', 0],
            Report::NotStarted(errno) => [b'x', u8::try_from(errno).unwrap_or(0)],
            Report::Log => [b'l', 0],
        }
    }

    pub(crate) fn decode(bytes: [u8; 2]) -> Option<Report> {
        match bytes {
            [b'e', status] => Some(Report::Ended(Ended::Exited(status))),
            [b'k', signal] => Some(Report::Ended(Ended::Killed(signal.into()))),
            [b's', signal] => Some(Report::Stopped(signal.into())),
            [b'c', _] => Some(Report::Continued),
            [b'n', _] => Some(Report::NoLinger),
            [b'x', errno] => Some(Report::NotStarted(errno.into())),
            [b'l', _] => Some(Report::Log),
            _ => None,
        }
    }
}

/// What the supervisor has init do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Send a signal to the main process.
    Signal(i32),
    /// Send a signal to the main process's group, as a key of the terminal does.
    GroupSignal(i32),
    /// Put the main process into the foreground of the session's terminal, and continue it.
    Foreground,
    /// Take it out of there: it is stopped when it asks for what is typed.
    Background,
}

impl Order {
    const GROUP: u8 = 0x80;

    pub(crate) fn encode(self) -> [u8; 1] {
        let number = |signal| u8::try_from(signal).unwrap_or(0);
        [match self {
            Order::Signal(signal) => number(signal),
            Order::GroupSignal(signal) => number(signal) | Order::GROUP,
            Order::Foreground => b'F',
            Order::Background => b'B',
        }]
    }

    /// Reads an order. Signals end at 64, before the letters.
    pub(crate) fn decode(byte: u8) -> Order {
        match byte {
            b'F' => Order::Foreground,
            b'B' => Order::Background,
            signal if signal & Order::GROUP != 0 => {
                Order::GroupSignal((signal & !Order::GROUP).into())
            }
            signal => Order::Signal(signal.into()),
        }
    }
}

pub(crate) fn report(socket: &OwnedFd, report: Report) {
    match send(socket, &report.encode(), SendFlags::NOSIGNAL) {
        // A supervisor that is gone needs no report.
        Ok(_) | Err(_) => {}
    }
}

/// Reads a message of the other side; nothing when that is gone and has left none.
pub(crate) fn receive<const LENGTH: usize>(socket: &OwnedFd) -> Option<[u8; LENGTH]> {
    let mut bytes = [0_u8; LENGTH];
    let mut was_reset = false;
    loop {
        match recv(socket, &mut bytes, RecvFlags::empty()) {
            Ok((length, _)) => return (length == LENGTH).then_some(bytes),
            Err(rustix::io::Errno::INTR) => {}
            // The other side ended with something unread. That is told once, before what is queued.
            Err(rustix::io::Errno::CONNRESET) if !was_reset => was_reset = true,
            Err(_) => return None,
        }
    }
}
