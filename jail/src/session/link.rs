//! The three processes of a session come apart: two forks, and the socket between supervisor and init.

use std::{
    fs::OpenOptions,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use nix::unistd::{Pid, getpid};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, fcntl_dupfd_cloexec},
    net::{RecvFlags, SendFlags, send},
    pipe::{PipeFlags, pipe_with},
    stdio::stdin,
};

use crate::{
    channel,
    fault::{StepFault, errno_of, expect_in_force, failed},
    process::privilege::{charged_to, die_with_parent},
    session::{
        messages::{Report, receive},
        terminal::Inside,
    },
    sys::process::{Side, fork},
};

/// How long the message is by which init says that the world stands: two numbers. Every other one has another length.
pub(super) const READY: usize = 16;

/// The pid of a namespace's init.
const INIT: Pid = Pid::from_raw(1);

/// One end of the socket between supervisor and init, and what both need to let go of the standard descriptors.
#[derive(Debug)]
pub(crate) struct Link {
    socket: OwnedFd,
    null: OwnedFd,
    /// The end of a pipe by which init lets the main process go on: init writes, the main process reads.
    gate: Option<OwnedFd>,
    /// Device and inode of the root directory that was opened, once it is: for the log.
    pub(crate) root_file: (u64, u64),
}

/// Which process this is after a split.
#[derive(Debug)]
pub(crate) enum Split {
    /// The process that was there before, with the pid of the new one.
    Before(Pid, Link),
    /// The new process.
    After(Link),
}

/// Forks into a new pid namespace, which counts as the user's: the child is its init.
///
/// # Errors
/// The call that failed.
pub(crate) fn split_outside(uid: u32) -> Result<Split, StepFault> {
    let null = open_null()?;
    let (ours, theirs) = channel::pair()?;
    charged_to(uid, || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWPID)
            .map_err(failed("unshare CLONE_NEWPID"))
    })?;
    match fork().map_err(failed("fork"))? {
        Side::Parent(child) => Ok(Split::Before(
            child,
            Link {
                socket: ours,
                null,
                gate: None,
                root_file: (0, 0),
            },
        )),
        Side::Child => {
            drop(ours);
            let link = Link {
                socket: theirs,
                null,
                gate: None,
                root_file: (0, 0),
            };
            link.die_with_supervisor()?;
            expect_in_force("the new pid namespace", getpid() == INIT)?;
            Ok(Split::After(link))
        }
    }
}

fn open_null() -> Result<OwnedFd, StepFault> {
    let mut options = OpenOptions::new();
    let null = options.read(true).write(true).open("/dev/null");
    null.map(OwnedFd::from).map_err(failed("open /dev/null"))
}

/// Reads the two numbers of a message.
pub(super) fn numbers(message: &[u8]) -> (u64, u64) {
    let number = |half: &[u8]| half.iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
    let (device, inode) = message.split_at(message.len() / 2);
    (number(device), number(inode))
}

/// Forks the main process off init.
///
/// # Errors
/// The fork failed.
pub(crate) fn split_inside(mut link: Link, terminal: &Inside) -> Result<Split, StepFault> {
    terminal.lead()?;
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(failed("pipe2"))?;
    match fork().map_err(failed("fork"))? {
        Side::Parent(main) => {
            link.gate = Some(write);
            Ok(Split::Before(main, link))
        }
        Side::Child if getpid() == INIT => Err(StepFault::NotInForce("a new process")),
        Side::Child => {
            link.gate = Some(read);
            Ok(Split::After(link))
        }
    }
}

/// How the building of a world has ended, as the supervisor sees it.
#[derive(Debug)]
pub(crate) enum Ready {
    /// The world stands, and init has no privileges left.
    Yes {
        /// Device and inode of the root directory.
        root: (u64, u64),
        /// The socket that is /dev/log inside, if there is one.
        log: Option<OwnedFd>,
    },
    /// Init was refused, and has said why; or it was killed.
    Gone,
    /// Nothing was heard of it in time.
    Overdue,
}

impl Link {
    /// Makes the end of a connection that was made otherwise.
    ///
    /// # Errors
    /// /dev/null can't be opened.
    pub(crate) fn of(socket: OwnedFd) -> Result<Link, StepFault> {
        Ok(Link {
            socket,
            null: open_null()?,
            gate: None,
            root_file: (0, 0),
        })
    }

    /// Makes it inside of a world, where standard input leads to /dev/null.
    ///
    /// # Errors
    /// The descriptor can't be copied.
    pub(crate) fn inside(socket: OwnedFd) -> Result<Link, StepFault> {
        Ok(Link {
            socket,
            null: fcntl_dupfd_cloexec(stdin(), 3).map_err(failed("fcntl F_DUPFD_CLOEXEC"))?,
            gate: None,
            root_file: (0, 0),
        })
    }

    /// Makes a second one of the same connection.
    ///
    /// # Errors
    /// The descriptors can't be copied.
    pub(crate) fn another(&self) -> Result<Link, StepFault> {
        let copy = |fd| fcntl_dupfd_cloexec(fd, 3).map_err(failed("fcntl F_DUPFD_CLOEXEC"));
        Ok(Link {
            socket: copy(&self.socket)?,
            null: copy(&self.null)?,
            gate: None,
            root_file: self.root_file,
        })
    }

    /// Waits, in the supervisor, until the world stands; for so long at the most.
    ///
    /// # Errors
    /// A call that failed: init may be ready all the same, and has to be ended.
    pub(crate) fn wait_until_ready(&self, longest: Duration) -> Result<Ready, StepFault> {
        let deadline = Instant::now() + longest;
        let mut log = None;
        loop {
            let told = channel::is_readable_by(&self.socket, deadline);
            if !told.map_err(failed("poll"))? {
                return Ok(Ready::Overdue);
            }
            let mut message = [0; READY];
            let received = channel::receive_with(&self.socket, &mut message, RecvFlags::DONTWAIT);
            match (received, message) {
                (Ok((READY, _)), message) => {
                    let root = numbers(&message);
                    return Ok(Ready::Yes { root, log });
                }
                (Ok((2, passed)), [first, second, ..])
                    if Report::decode([first, second]) == Some(Report::Log) =>
                {
                    log = passed.into_iter().next();
                }
                (Ok((0, _)) | Err(Errno::CONNRESET), _) => return Ok(Ready::Gone),
                (Err(Errno::INTR | Errno::AGAIN), _) => {}
                (Err(errno), _) => {
                    return Err(StepFault::Failed("recvmsg from init", errno_of(errno)));
                }
                (Ok(_), _) => {
                    return Err(StepFault::Bug(
                        "init told something else than that it is ready",
                    ));
                }
            }
        }
    }

    /// Hands the socket that is /dev/log inside to the supervisor.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub(crate) fn hand_over_log(&self, log: &OwnedFd) -> Result<(), StepFault> {
        let message = Report::Log.encode();
        channel::send_with(&self.socket, &message, &[log.as_fd()])
            .map(drop)
            .map_err(failed("sendmsg to the supervisor"))
    }

    /// Tells the supervisor, from init, that the world stands and no privileges are left here; waits until there are none left
    /// there either.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub(crate) fn tell_ready(&self) -> Result<(), StepFault> {
        self.say_ready(None)?;
        match receive::<1>(&self.socket) {
            Some(_) => Ok(()),
            None => Err(StepFault::PeerGone("the supervisor")),
        }
    }

    /// Tells the supervisor so, and does not wait. Hands over the mount namespace of a world whose supervisor was not there when
    /// it was made.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub(crate) fn say_ready(&self, mounts: Option<BorrowedFd<'_>>) -> Result<(), StepFault> {
        let (device, inode) = self.root_file;
        let ready = [device.to_be_bytes(), inode.to_be_bytes()].concat();
        let sent = match mounts {
            None => send(&self.socket, &ready, SendFlags::NOSIGNAL),
            Some(mounts) => channel::send_with(&self.socket, &ready, &[mounts]),
        };
        sent.map(drop).map_err(failed("send to the supervisor"))
    }

    /// Has the kernel kill this process with the supervisor. Once more after each change of ids, at which the kernel
    /// forgets it: prctl(2). A supervisor that has gone in between has closed its end.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub(crate) fn die_with_supervisor(&self) -> Result<(), StepFault> {
        die_with_parent()?;
        let mut fds = [PollFd::new(&self.socket, PollFlags::empty())];
        match poll(&mut fds, Some(&Timespec::default())) {
            Ok(0) => Ok(()),
            Ok(_) => Err(StepFault::PeerGone("the supervisor")),
            Err(errno) => Err(StepFault::Failed("poll", errno_of(errno))),
        }
    }

    /// Waits, in the main process, until init has nothing of root's left.
    ///
    /// # Errors
    /// Init is gone, and this process will be in a moment.
    pub(crate) fn wait_for_init(self) -> Result<(), StepFault> {
        let mut go = [0_u8; 1];
        let gate = self.gate.as_ref();
        match gate.map(|gate| rustix::io::read(gate, &mut go)) {
            Some(Ok(1)) => Ok(()),
            Some(Err(errno)) => Err(StepFault::Failed("read from init", errno_of(errno))),
            _ => Err(StepFault::PeerGone("init")),
        }
    }

    /// Lets the main process go on.
    pub(crate) fn let_main_go(&mut self) -> Result<(), StepFault> {
        let Some(gate) = self.gate.take() else {
            return Ok(());
        };
        match rustix::io::write(gate, b"g") {
            // Refused and gone already: what it ended with is reported as any end.
            Ok(_) | Err(rustix::io::Errno::PIPE) => Ok(()),
            Err(errno) => Err(StepFault::Failed(
                "write to the main process",
                errno_of(errno),
            )),
        }
    }

    /// Keeps nothing but the socket.
    pub(crate) fn into_socket(self) -> OwnedFd {
        self.socket
    }

    /// Points the standard descriptors at /dev/null.
    pub(crate) fn let_go_of_standard(&self) -> Result<(), StepFault> {
        self.let_go_of_input_and_output()?;
        self.let_go_of_errors()
    }

    /// Points standard input and output at /dev/null.
    pub(crate) fn let_go_of_input_and_output(&self) -> Result<(), StepFault> {
        rustix::stdio::dup2_stdin(&self.null)
            .and_then(|()| rustix::stdio::dup2_stdout(&self.null))
            .map_err(failed("dup2 /dev/null"))
    }

    /// Points standard error at /dev/null.
    pub(crate) fn let_go_of_errors(&self) -> Result<(), StepFault> {
        rustix::stdio::dup2_stderr(&self.null).map_err(failed("dup2 /dev/null"))
    }

    /// Gives the socket.
    pub(crate) fn socket(&self) -> &OwnedFd {
        &self.socket
    }
}
