//! A child of a host program that does what may stall: it looks at the jail's files, and builds the world.
//!
//! The host program's process is another program's (sshd's monitor, login, cron): while it waits for a file system that does not
//! answer, nobody else is let in. So this child does it, and its parent waits with a deadline, kills it when that is over, and
//! joins the finished world. It has none of the host program's descriptors: one that is stuck for good holds nothing open.

use std::{
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sched::{CloneFlags, setns},
    sys::wait::{WaitPidFlag, WaitStatus, waitpid},
    unistd::Pid,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags, open},
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
    },
    process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal, set_parent_process_death_signal},
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout},
};

use crate::{
    code::Code,
    door::refusal::Refusal,
    fault::{StepFault, failed, raw},
    process::start::{DEADLINE, kill_when_overdue},
    sys::{
        close_range::close_range_between,
        exit::exit_at_once,
        process::{Side, clone_without_signal},
        signal::rt_sigprocmask,
    },
};

/// The name of this stage in a refusal.
const CHILD: &str = "build";

/// How long the end of a child is waited for once it was killed. One that waits for a server that does not answer ends later, or
/// never.
const END: Duration = Duration::from_millis(200);

/// The longest reason of a refusal that comes out of a child, in bytes.
const LONGEST: usize = 16 * 1024;

/// What a child says when all is done. A refusal begins with its code instead.
const READY: u8 = 0;

/// A child that has done its work, and waits.
#[derive(Debug)]
#[must_use = "it ends with this value"]
pub(crate) struct Child {
    pid: Pid,
    pidfd: OwnedFd,
    socket: OwnedFd,
}

impl Child {
    /// Starts a child for `work`, which is given the descriptors `kept`, and waits until it is done.
    ///
    /// # Errors
    /// The refusal of `work`, with the same code and reason; a child that could not be started, has ended without a word, or
    /// was not done when the deadline came.
    pub(crate) fn run(
        kept: &[BorrowedFd<'_>],
        work: impl FnOnce() -> Result<(), Refusal>,
    ) -> Result<Child, Refusal> {
        let refuse = |fault| Refusal::Step(CHILD, fault);
        let (ours, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(failed("socketpair"))
        .map_err(refuse)?;
        let side = clone_without_signal()
            .map_err(|errno| refuse(StepFault::Failed("clone", errno)))?;
        let pid = match side {
            Side::Child => be_child(&theirs, kept, work),
            Side::Parent(pid) => pid,
        };
        drop(theirs);
        let number = rustix::process::Pid::from_raw(pid.as_raw());
        let pidfd = number
            .ok_or(rustix::io::Errno::SRCH)
            .and_then(|number| pidfd_open(number, PidfdFlags::empty()))
            .map_err(failed("pidfd_open"))
            .map_err(refuse)?;
        let child = Child {
            pid,
            pidfd,
            socket: ours,
        };
        child.wait()?;
        Ok(child)
    }

    /// Waits for the one message of the child.
    fn wait(&self) -> Result<(), Refusal> {
        let refuse = |fault| Refusal::Step(CHILD, fault);
        let end = Instant::now() + Duration::from_secs(DEADLINE.into());
        if !readable(&self.socket, end).map_err(refuse)? {
            return Err(Refusal::Overdue);
        }
        let mut message = vec![0; LONGEST];
        let length = recv(&self.socket, &mut message, RecvFlags::empty())
            .map_err(failed("recv from the child"))
            .map_err(refuse)?
            .1;
        message.truncate(length);
        match message.split_first() {
            Some((&READY, _)) => Ok(()),
            Some((code, reason)) => Err(Refusal::OfChild(
                Code::of_status(*code).unwrap_or(Code::Step),
                String::from_utf8_lossy(reason).into_owned(),
            )),
            None => Err(refuse(StepFault::PeerGone("the child that builds the jail"))),
        }
    }

    /// Joins namespaces of the child, and lets it end.
    ///
    /// # Errors
    /// The call that failed; setns(2) takes a pidfd since Linux 5.8.
    pub(crate) fn join(self, namespaces: CloneFlags) -> Result<(), StepFault> {
        setns(&self.pidfd, namespaces).map_err(|errno| StepFault::Failed("setns", errno))
    }
}

impl Drop for Child {
    /// Kills the child, and takes its remains away unless it is stuck in the kernel.
    fn drop(&mut self) {
        match pidfd_send_signal(&self.pidfd, Signal::KILL) {
            // One that has ended already.
            Ok(()) | Err(_) => {}
        }
        match readable(&self.pidfd, Instant::now() + END) {
            Ok(_) | Err(_) => {}
        }
        match waitpid(self.pid, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Ok(_) | Err(_) => {}
        }
    }
}

/// Waits until there is something to read, or somebody is gone. Gives false at the end of the time.
fn readable(fd: impl AsFd, end: Instant) -> Result<bool, StepFault> {
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(|_| StepFault::Failed("poll", Errno::EINVAL))?;
        let mut fds = [PollFd::new(&fd, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(ready) => return Ok(ready > 0),
            // The host program's own signals.
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(failed("poll")(errno)),
        }
    }
}

/// The life of the child. It never goes on as the host program.
fn be_child(
    socket: &OwnedFd,
    kept: &[BorrowedFd<'_>],
    work: impl FnOnce() -> Result<(), Refusal>,
) -> ! {
    let done = catch_unwind(AssertUnwindSafe(|| {
        let alone = be_alone(socket, kept).map_err(|fault| Refusal::Step(CHILD, fault));
        alone.and_then(|()| work())
    }));
    let message = match done {
        Ok(Ok(())) => vec![READY],
        Ok(Err(refusal)) => {
            let mut message = vec![refusal.code().status()];
            message.extend_from_slice(refusal.to_string().as_bytes());
            message.truncate(LONGEST);
            message
        }
        Err(_) => exit_at_once(1),
    };
    match send(socket, &message, SendFlags::NOSIGNAL) {
        // Until the parent has joined, or is gone.
        Ok(_) => match recv(socket, &mut [0; 1], RecvFlags::empty()) {
            Ok(_) | Err(_) => exit_at_once(0),
        },
        Err(_) => exit_at_once(1),
    }
}

/// Lets go of what is the host program's: its signal handlers must not run here, and its descriptors not be held.
fn be_alone(socket: &OwnedFd, kept: &[BorrowedFd<'_>]) -> Result<(), StepFault> {
    rt_sigprocmask(u64::MAX).map_err(|errno| StepFault::Failed("rt_sigprocmask", errno))?;
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(failed("prctl PR_SET_PDEATHSIG"))?;
    kill_when_overdue()?;
    let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .map_err(failed("open /dev/null"))?;
    dup2_stdin(&null)
        .and_then(|()| dup2_stdout(&null))
        .and_then(|()| dup2_stderr(&null))
        .map_err(failed("dup2 /dev/null"))?;
    let mut kept: Vec<u32> = kept
        .iter()
        .map(AsRawFd::as_raw_fd)
        .chain([socket.as_raw_fd(), null.as_raw_fd()])
        .filter_map(|fd| u32::try_from(fd).ok())
        .filter(|fd| *fd > 2)
        .collect();
    kept.sort_unstable();
    let mut first = 3;
    for fd in kept {
        if fd > first {
            close_range_between(first, fd - 1)
                .map_err(|errno| StepFault::Failed("close_range", errno))?;
        }
        first = fd + 1;
    }
    close_range_between(first, u32::MAX).map_err(|errno| StepFault::Failed("close_range", errno))
}
