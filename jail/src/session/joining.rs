//! What a login and the world that it joins say to each other, until the session begins.

use std::{
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags, send},
};

use crate::{
    channel,
    fault::{StepFault, failed},
    session::{
        link::{Link, READY, numbers},
        messages::{Report, receive},
    },
};

/// By its first byte, what a world answers: somebody is here, before anything is handed over; it takes the login; it is another world; it
/// refuses, with the reason. Then it says that it is ready, as to any supervisor.
const HERE: u8 = b'h';
const ACCEPTED: u8 = b'a';
const OTHER: u8 = b'o';
const REFUSED: u8 = b'R';

/// The longest reason of a refusal, in bytes.
const LONGEST: usize = 4096;

/// What a world answers to a login that joins it.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It has the login, whose program was found and waits.
    Ready {
        /// Device and inode of the root directory.
        root: (u64, u64),
        /// The socket that is /dev/log inside, if there is one.
        log: Option<OwnedFd>,
        /// The mount namespace of the world.
        mounts: Option<OwnedFd>,
    },
    /// It has refused the login: the first byte says more of that, the others are the reason.
    Refused(u8, u8, Vec<u8>),
    /// It is made of something else, or it has not answered at all: it has nothing of the login.
    NotThis,
    /// It has taken the login, and has ended.
    Gone,
    /// It has taken the login, and was not done with it in time.
    Overdue,
}

impl Link {
    /// Waits for a word of a world, before anything is handed over: what lies in the queue of one that is stopped could not be taken
    /// back. Tells whether somebody is here.
    ///
    /// # Errors
    /// poll(2) failed.
    pub(crate) fn wait_for_word(&self, longest: Duration) -> Result<bool, StepFault> {
        let told = channel::is_readable_by(self.socket(), Instant::now() + longest);
        Ok(told.map_err(failed("poll"))? && receive(self.socket()) == Some([HERE]))
    }

    /// Says such a word.
    pub(crate) fn say_word(&self) {
        self.answer(&[HERE]);
    }

    /// Waits for the answer of a world, so long at the most until it says a first word, and so long until it is ready.
    ///
    /// # Errors
    /// A call that failed.
    pub(crate) fn wait_for_answer(
        &self,
        word: Duration,
        longest: Duration,
    ) -> Result<Answer, StepFault> {
        let mut deadline = Instant::now() + word.min(longest);
        let last = Instant::now() + longest;
        let (mut is_taken, mut log) = (false, None);
        loop {
            let told = channel::is_readable_by(self.socket(), deadline);
            if !told.map_err(failed("poll"))? {
                return Ok(if is_taken {
                    Answer::Overdue
                } else {
                    Answer::NotThis
                });
            }
            let mut message = vec![0; LONGEST];
            let received = channel::receive_with(self.socket(), &mut message, RecvFlags::DONTWAIT);
            let (length, passed) = match received {
                Ok(received) => received,
                Err(Errno::INTR | Errno::AGAIN) => continue,
                Err(_) => (0, Vec::new()),
            };
            message.truncate(length);
            match message.as_slice() {
                [] if is_taken => return Ok(Answer::Gone),
                [] | [OTHER, ..] => return Ok(Answer::NotThis),
                [ACCEPTED] => (is_taken, deadline) = (true, last),
                [REFUSED, code, more, reason @ ..] => {
                    return Ok(Answer::Refused(*code, *more, reason.to_owned()));
                }
                ready if ready.len() == READY => {
                    return Ok(Answer::Ready {
                        root: numbers(ready),
                        log,
                        mounts: passed.into_iter().next(),
                    });
                }
                [first, second] if Report::decode([*first, *second]) == Some(Report::Log) => {
                    log = passed.into_iter().next();
                }
                _ => return Err(StepFault::Bug("a world told something that nobody asked")),
            }
        }
    }

    /// Says to a login that this world takes it, or that it is another one.
    pub(crate) fn accept(&self, is_this: bool) {
        let word = if is_this { ACCEPTED } else { OTHER };
        self.answer(&[word]);
    }

    /// Refuses a login: with a code, what else there is to say, and the reason.
    pub(crate) fn refuse(&self, code: u8, more: u8, reason: &str) {
        let mut message = vec![REFUSED, code, more];
        message.extend_from_slice(reason.as_bytes());
        message.truncate(LONGEST);
        // Of no other message's length.
        if message.len() == READY {
            message.push(b' ');
        }
        self.answer(&message);
    }

    fn answer(&self, message: &[u8]) {
        match send(self.socket(), message, SendFlags::NOSIGNAL) {
            // Who is gone needs no answer.
            Ok(_) | Err(_) => {}
        }
    }
}
