//! One try to reach the outside, in a process of its own: what it changes, or dies of, does not matter to the next.

use std::{
    fs,
    io::{self, IoSliceMut, Read, Write},
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
};

use nix::{
    errno::Errno,
    libc,
    sys::{
        signal::Signal,
        wait::{WaitStatus, waitpid},
    },
    unistd::{Pid, alarm},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg},
    pipe::{PipeFlags, pipe_with},
};
use serde::{Deserialize, Serialize};

use super::{
    outside::{SENT, Told},
    raw,
    wall::Wall,
};

/// How long a probe may take, in seconds.
const LONGEST: u32 = 5;

/// How long is waited for what is sent.
const PATIENCE: Timespec = Timespec {
    tv_sec: 2,
    tv_nsec: 0,
};

/// How much is told at most: a user may have thousands of groups.
const MOST_TOLD: usize = 1 << 16;

/// A way out to try.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    /// The line of the list of threats that it belongs to.
    pub(super) threat: &'static str,
    pub(super) name: &'static str,
    /// The walls that stand in its way, in the order in which the kernel comes to them.
    pub(super) walls: &'static [Wall],
    /// Tries. Success means that the outside was reached; an error without a number, that what was found is not the
    /// host's; `Unsupported`, that there is nothing to reach.
    pub(super) run: fn(&Inside) -> io::Result<()>,
}

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// The outside was reached.
    Reached,
    /// It was not, with this errno; without one, what was found there is not the host's.
    Held(Option<i32>),
    /// The kernel ended the process for it.
    Killed,
    /// There is nothing to reach.
    Absent(String),
    /// It could not be tried.
    Broken(String),
}

/// An answer, with the probe that it is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tried {
    pub(crate) threat: String,
    pub(crate) probe: String,
    pub(crate) answer: Answer,
}

/// What a probe has: what it was told, and what was sent to it.
#[derive(Debug)]
pub(super) struct Inside {
    pub(super) told: Told,
    /// The host's root.
    pub(super) root: OwnedFd,
    /// The host's mount namespace.
    pub(super) mounts: OwnedFd,
    /// The process outside.
    pub(super) pidfd: OwnedFd,
    /// A terminal of nobody's.
    pub(super) terminal: OwnedFd,
    /// Whether the process outside has a pid here: or else its number may be another process's.
    is_visible: bool,
}

impl Inside {
    /// Takes what was sent by a socket.
    ///
    /// # Errors
    /// Nothing was sent, or there are too few descriptors left for it.
    pub(super) fn receive(socket: impl AsFd) -> io::Result<Inside> {
        let mut told = vec![0; MOST_TOLD];
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SENT))];
        let mut message = RecvAncillaryBuffer::new(&mut room);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let mut bytes = [IoSliceMut::new(&mut told)];
        poll(&mut [PollFd::new(&socket, PollFlags::IN)], Some(&PATIENCE))?;
        let length = recvmsg(&socket, &mut bytes, &mut message, flags)?.bytes;
        let mut sent: Vec<OwnedFd> = Vec::new();
        for part in message.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = part {
                sent.extend(descriptors);
            }
        }
        let sent: Result<[OwnedFd; SENT], _> = sent.try_into();
        let Ok([root, mounts, pidfd, terminal]) = sent else {
            return Err(io::Error::other(
                "the descriptors did not come in; limits.nofile may be too low for it",
            ));
        };
        let told = serde_json::from_slice(told.get(..length).unwrap_or_default())?;
        // Landlock's EPERM comes after the pid was looked for.
        let signalled = raw::pidfd_signal_nothing(&pidfd);
        let is_visible = errno_of(signalled) != Some(Errno::EINVAL);
        Ok(Inside {
            told,
            root,
            mounts,
            pidfd,
            terminal,
            is_visible,
        })
    }

    /// Gives the process outside, for calls that take a number.
    ///
    /// # Errors
    /// ESRCH where no number means it.
    pub(super) fn target(&self) -> io::Result<Pid> {
        if self.is_visible {
            return Ok(Pid::from_raw(self.told.target.pid));
        }
        Err(Errno::ESRCH.into())
    }

    /// Insists that a file is the host's.
    ///
    /// # Errors
    /// It is another one.
    pub(super) fn is_host(&self, path: &str, found: &fs::Metadata) -> io::Result<()> {
        let place = self.told.places.iter().find(|place| place.path == path);
        match place {
            Some(place) if place.is(found) => Ok(()),
            Some(_) => Err(io::Error::other("not the host's")),
            None => Err(absent("the host has none")),
        }
    }
}

/// Says that there is nothing to reach.
pub(super) fn absent(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, why)
}

/// Takes a call for made when the kernel has looked at its arguments, which are mostly wrong.
///
/// # Errors
/// The call was refused, whatever the arguments.
pub(super) fn looked<T>(made: io::Result<T>) -> io::Result<()> {
    let Err(error) = made else {
        return Ok(());
    };
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES | libc::ENOSYS) | None => Err(error),
        Some(_) => Ok(()),
    }
}

fn errno_of<T>(result: io::Result<T>) -> Option<Errno> {
    result.err()?.raw_os_error().map(Errno::from_raw)
}

impl Probe {
    pub(super) const fn new(
        threat: &'static str,
        name: &'static str,
        walls: &'static [Wall],
        run: fn(&Inside) -> io::Result<()>,
    ) -> Probe {
        Probe {
            threat,
            name,
            walls,
            run,
        }
    }

    /// Tries it in a child, and gives what came of it.
    pub(super) fn attempt(&self, inside: &Inside) -> Tried {
        let answer = self
            .in_child(inside)
            .unwrap_or_else(|error| Answer::Broken(error.to_string()));
        Tried {
            threat: self.threat.to_owned(),
            probe: self.name.to_owned(),
            answer,
        }
    }

    fn in_child(&self, inside: &Inside) -> io::Result<Answer> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        let Some(child) = raw::fork()? else {
            alarm::set(LONGEST);
            let answer = Answer::of((self.run)(inside));
            let told = serde_json::to_vec(&answer).unwrap_or_default();
            drop(fs::File::from(writer).write_all(&told));
            raw::exit(0);
        };
        drop(writer);
        let mut said = Vec::new();
        fs::File::from(reader).read_to_end(&mut said)?;
        Ok(match waitpid(child, None)? {
            WaitStatus::Exited(..) => serde_json::from_slice(&said)?,
            WaitStatus::Signaled(_, Signal::SIGSYS, _) => Answer::Killed,
            // What a kernel without the entry of 32-bit programs answers.
            WaitStatus::Signaled(_, Signal::SIGSEGV, _) => {
                Answer::Absent("this kernel has no such entry".to_owned())
            }
            other => Answer::Broken(format!("its process ended with {other:?}")),
        })
    }
}

impl Answer {
    fn of(tried: io::Result<()>) -> Answer {
        match tried {
            Ok(()) => Answer::Reached,
            Err(error) => match (error.raw_os_error(), error.kind()) {
                (Some(number), _) => Answer::Held(Some(number)),
                (None, io::ErrorKind::Unsupported) => Answer::Absent(error.to_string()),
                (None, _) => Answer::Held(None),
            },
        }
    }
}
