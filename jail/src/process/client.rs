//! The client of sftp at the other end of a session: whether there is one, and how a refusal reaches it.
//!
//! sshd throws away what a subsystem writes to its standard error, so a sentence there reaches nobody. What a client shows is
//! the text of an answer in its own protocol: draft-ietf-secsh-filexfer-02. sftp(1) shows it, and so does `scp -r`; scp(1)
//! without that shows "Permission denied", because it shows no text of a server's.

use std::{
    os::fd::{AsFd, BorrowedFd},
    time::{Duration, Instant},
};

use rustix::{
    fs::{FileType, fstat},
    io::{Errno, read, write},
    net::{RecvFlags, recv},
    pipe::{PipeFlags, SpliceFlags, pipe_with, tee},
    stdio::{stdin, stdout},
    termios::isatty,
};

use crate::{
    channel::is_readable_by,
    sys::signal::{Disposition, rt_sigaction},
};

/// How long a client may take for its first bytes, and a refused one for all. It sends them as soon as the session is open.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many packets of a refused client are answered, and how long one may be, in bytes.
const MOST_PACKETS: usize = 32;
const LONGEST_PACKET: usize = 64 * 1024;

/// The kinds of packets, and one of their kinds of failure.
const INIT: u8 = 1;
const LSTAT: u8 = 7;
const VERSION: u8 = 2;
const STATUS: u8 = 101;
const ATTRIBUTES: u8 = 105;
const PERMISSION_DENIED: u32 = 3;

/// What an answer to INIT says: protocol 3, as OpenSSH's server.
const PROTOCOL: u32 = 3;

/// In attributes: there is nothing but a mode, and that is of a symbolic link.
const HAS_MODE: u32 = 4;
const SYMBOLIC_LINK: u32 = 0o120_777;

/// Tells whether standard input is from a client of sftp, so far as that can be seen: not where it is a terminal, or ends
/// before it begins, or where something else is sent, or nothing for some seconds. Takes nothing of it.
pub(crate) fn speaks_sftp() -> bool {
    speaks_sftp_by(Instant::now() + PATIENCE)
}

fn speaks_sftp_by(deadline: Instant) -> bool {
    let input = stdin();
    if isatty(input) {
        return false;
    }
    if kind(input).is_none() {
        return true;
    }
    // A packet begins with its length, whose first byte is 0 below 16 MiB, and no text begins so.
    is_ready(input, deadline) && first_byte(input) == Ok(Some(0))
}

/// Looks at the first byte of what waits in a socket or pipe, and leaves it there. Nothing where that has ended.
fn first_byte(input: BorrowedFd<'_>) -> rustix::io::Result<Option<u8>> {
    let mut first = [0];
    let seen = match kind(input) {
        Some(FileType::Socket) => recv(input, &mut first, RecvFlags::PEEK)?.0,
        _ => {
            let (copy, end) = pipe_with(PipeFlags::CLOEXEC)?;
            tee(input, &end, 1, SpliceFlags::NONBLOCK)?;
            drop(end);
            read(&copy, &mut first)?
        }
    };
    Ok(first.get(..seen).and_then(<[u8]>::first).copied())
}

/// Tells a client of sftp a sentence, as the reason why each of its requests fails. Does nothing where there is none.
///
/// To be called without any privileges: it reads what the client sends.
pub fn tell(sentence: &str) {
    let deadline = Instant::now() + PATIENCE;
    if kind(stdin()).is_none() || !speaks_sftp_by(deadline) {
        return;
    }
    // A client that has gone must not end this process by a signal.
    if rt_sigaction(libc::SIGPIPE, Disposition::Ignore).is_err() {
        return;
    }
    for _ in 0..MOST_PACKETS {
        let Some(answer) = packet(deadline).and_then(|packet| answer(&packet, sentence)) else {
            return;
        };
        if write(stdout(), &answer) != Ok(answer.len()) {
            return;
        }
    }
}

/// Answers one packet; nothing where it is none that can be answered.
fn answer(packet: &[u8], sentence: &str) -> Option<Vec<u8>> {
    let (kind, rest) = packet.split_first()?;
    let mut body = Vec::new();
    if *kind == INIT {
        body.push(VERSION);
        body.extend(PROTOCOL.to_be_bytes());
        return Some(framed(&body));
    }
    let id = rest.get(..4)?;
    if *kind == LSTAT {
        // scp(1) would say "No such file or directory" of a file that it can't look at. What it is told is there can't be
        // followed, and it says "Permission denied".
        body.push(ATTRIBUTES);
        body.extend(id);
        body.extend(HAS_MODE.to_be_bytes());
        body.extend(SYMBOLIC_LINK.to_be_bytes());
        return Some(framed(&body));
    }
    body.push(STATUS);
    body.extend(id);
    body.extend(PERMISSION_DENIED.to_be_bytes());
    body.extend(framed(sentence.as_bytes()));
    // The language of the sentence.
    body.extend(framed(b""));
    Some(framed(&body))
}

/// Puts the length before something: both packets and the strings in them have it there.
fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [length.to_be_bytes().as_slice(), body].concat()
}

/// Reads one packet, without its length.
fn packet(deadline: Instant) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    fill(&mut length, deadline)?;
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    if length > LONGEST_PACKET {
        return None;
    }
    let mut packet = vec![0; length];
    fill(&mut packet, deadline)?;
    Some(packet)
}

/// Fills a buffer; nothing where the input ends before, or does not come in time.
fn fill(mut buffer: &mut [u8], deadline: Instant) -> Option<()> {
    while !buffer.is_empty() {
        if !is_ready(stdin(), deadline) {
            return None;
        }
        match read(stdin(), &mut *buffer) {
            Ok(0) => return None,
            Ok(read) => buffer = buffer.get_mut(read..)?,
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => return None,
        }
    }
    Some(())
}

/// Waits until there is something to read, or the end of it.
fn is_ready(fd: BorrowedFd<'_>, deadline: Instant) -> bool {
    is_readable_by(fd, deadline).unwrap_or(false)
}

/// Tells by what sshd is connected: a socket, or a pipe, as in Debian's. Nothing else is looked into.
fn kind(fd: impl AsFd) -> Option<FileType> {
    let kind = FileType::from_raw_mode(fstat(fd).ok()?.st_mode);
    matches!(kind, FileType::Socket | FileType::Fifo).then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::answer;

    #[test]
    fn every_request_fails_with_the_sentence() {
        let version = answer(&[1, 0, 0, 0, 3], "no").unwrap();
        assert_eq!(version, [0, 0, 0, 5, 2, 0, 0, 0, 3]);
        // REALPATH, OPEN, STAT, EXTENDED and what nobody knows.
        for kind in [16, 3, 17, 200, 255] {
            let failed = answer(&[kind, 0, 0, 1, 2, 0, 0, 0, 1, b'.'], "no").unwrap();
            let expected = [
                &[0, 0, 0, 19, 101, 0, 0, 1, 2, 0, 0, 0, 3][..],
                &[0, 0, 0, 2, b'n', b'o', 0, 0, 0, 0],
            ];
            assert_eq!(failed, expected.concat(), "{kind}");
        }
    }

    #[test]
    fn a_file_that_is_looked_at_is_not_said_to_be_missing() {
        let seen = answer(&[7, 0, 0, 1, 2, 0, 0, 0, 1, b'f'], "no").unwrap();
        assert_eq!(
            seen,
            [0, 0, 0, 13, 105, 0, 0, 1, 2, 0, 0, 0, 4, 0, 0, 0xa1, 0xff]
        );
    }

    #[test]
    fn what_is_no_packet_is_not_answered() {
        for packet in [&[][..], &[16], &[16, 0, 0, 1]] {
            assert_eq!(answer(packet, "no"), None, "{packet:?}");
        }
    }
}
