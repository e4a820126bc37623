//! A child that does what may stall: it asks name services, looks at the jail's files, and builds the world.
//!
//! The host program's process is another program's (sshd's monitor, login, cron): while it waits for a file system that does not
//! answer, nobody else is let in. So this child does it, and its parent waits with a deadline, kills it when that is over, and
//! joins the finished world. It has none of the host program's descriptors: one that is stuck for good holds nothing open.

use std::{
    os::fd::{AsFd, AsRawFd, OwnedFd, RawFd},
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use nix::{
    sched::{CloneFlags, setns},
    sys::signal::kill,
    sys::wait::{WaitPidFlag, WaitStatus, waitpid},
    unistd::Pid,
};
use rustix::{
    fs::{Mode, OFlags, open},
    net::{RecvFlags, recv},
    process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout},
};

use crate::{
    channel,
    code::Code,
    door::refusal::Refusal,
    fault::{StepFault, failed},
    plan::Plan,
    process::{
        name::name_for,
        privilege::die_with_parent,
        start::{DEADLINE, Watchdog},
    },
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
    /// What it has passed on.
    passed: Option<OwnedFd>,
}

impl Child {
    /// Starts a child for `work`, which keeps the descriptors `kept` and may pass one on, and waits until it is done.
    ///
    /// # Errors
    /// The refusal of `work`, with the same code and reason; a child that could not be started, has ended without a word, or
    /// was not done when the deadline came.
    pub(crate) fn run(
        plan: &Plan,
        kept: &[RawFd],
        work: impl FnOnce() -> Result<Option<OwnedFd>, Refusal>,
    ) -> Result<Child, Refusal> {
        Child::run_for(Duration::from_secs(DEADLINE.into()), plan, kept, work)
    }

    /// As [`run`](Child::run), where less time is left for it.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn run_for(
        longest: Duration,
        plan: &Plan,
        kept: &[RawFd],
        work: impl FnOnce() -> Result<Option<OwnedFd>, Refusal>,
    ) -> Result<Child, Refusal> {
        let uid = plan.process.ids.uid;
        let named = move || {
            name_for(uid).map_err(refuse)?;
            work()
        };
        let overdue = || Refusal::Overdue(plan.world.looked_at());
        Child::begin(longest, kept, named, overdue)
    }

    /// As [`run_for`](Child::run_for), before it is known for whom: the child keeps the name of this process. `overdue` is the
    /// refusal of one that was not done in time.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn begin(
        longest: Duration,
        kept: &[RawFd],
        work: impl FnOnce() -> Result<Option<OwnedFd>, Refusal>,
        overdue: impl FnOnce() -> Refusal,
    ) -> Result<Child, Refusal> {
        let (socket, theirs) = channel::pair().map_err(refuse)?;
        let side =
            clone_without_signal().map_err(|errno| refuse(StepFault::Failed("clone", errno)))?;
        let pid = match side {
            Side::Child => be_child(&theirs, kept, work),
            Side::Parent(pid) => pid,
        };
        drop(theirs);
        let pidfd = rustix::process::Pid::from_raw(pid.as_raw())
            .ok_or(rustix::io::Errno::SRCH)
            .and_then(|number| pidfd_open(number, PidfdFlags::empty()))
            .map_err(failed("pidfd_open"))
            .map_err(refuse)
            .inspect_err(|_| end(pid))?;
        let mut child = Child {
            pid,
            pidfd,
            socket,
            passed: None,
        };
        child.wait(longest, overdue)?;
        Ok(child)
    }

    /// Waits for the one message of the child.
    fn wait(
        &mut self,
        longest: Duration,
        overdue: impl FnOnce() -> Refusal,
    ) -> Result<(), Refusal> {
        let end = Instant::now() + longest;
        let told = channel::is_readable_by(&self.socket, end);
        if !told.map_err(failed("poll")).map_err(refuse)? {
            return Err(overdue());
        }
        let mut message = vec![0; LONGEST];
        let (length, passed) =
            channel::receive_with(&self.socket, &mut message, RecvFlags::empty())
                .map_err(failed("recvmsg from the child"))
                .map_err(refuse)?;
        message.truncate(length);
        match message.split_first() {
            Some((&READY, _)) => {
                self.passed = passed.into_iter().next();
                Ok(())
            }
            Some((code, reason)) => Err(Refusal::OfChild(
                Code::of_status(*code).unwrap_or(Code::Step),
                String::from_utf8_lossy(reason).into_owned(),
            )),
            None => Err(refuse(StepFault::PeerGone(
                "the child that looks, builds or asks name services",
            ))),
        }
    }

    /// Gives the descriptor that the child has passed on.
    pub(crate) fn take_passed(&mut self) -> Option<OwnedFd> {
        self.passed.take()
    }

    /// Joins namespaces of the child, and lets it end.
    ///
    /// # Errors
    /// The call that failed; setns(2) takes a pidfd since Linux 5.8.
    pub(crate) fn join(self, namespaces: CloneFlags) -> Result<(), StepFault> {
        setns(&self.pidfd, namespaces).map_err(failed("setns"))
    }
}

impl Drop for Child {
    /// Kills the child, and takes its remains away unless it is stuck in the kernel.
    fn drop(&mut self) {
        match pidfd_send_signal(&self.pidfd, Signal::KILL) {
            // One that has ended already.
            Ok(()) | Err(_) => {}
        }
        match channel::is_readable_by(&self.pidfd, Instant::now() + END) {
            Ok(_) | Err(_) => {}
        }
        match waitpid(self.pid, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Ok(_) | Err(_) => {}
        }
    }
}

/// Ends a child of this process that there is no descriptor of: its number is its own until it is waited for.
fn end(pid: Pid) {
    match kill(pid, nix::sys::signal::Signal::SIGKILL) {
        // One that has ended already.
        Ok(()) | Err(_) => {}
    }
    match waitpid(pid, Some(WaitPidFlag::__WALL)) {
        Ok(_) | Err(_) => {}
    }
}

fn refuse(fault: StepFault) -> Refusal {
    Refusal::Step(CHILD, fault)
}

/// The life of the child. It never goes on as the host program.
fn be_child(
    socket: &OwnedFd,
    kept: &[RawFd],
    work: impl FnOnce() -> Result<Option<OwnedFd>, Refusal>,
) -> ! {
    let done = catch_unwind(AssertUnwindSafe(|| {
        let _watchdog = be_alone(socket, kept).map_err(refuse)?;
        work()
    }));
    let told = match done {
        Ok(Ok(passed)) => {
            let passed: Vec<_> = passed.iter().map(AsFd::as_fd).collect();
            channel::send_with(socket, &[READY], &passed)
        }
        Ok(Err(refusal)) => {
            let mut message = vec![refusal.code().status()];
            message.extend_from_slice(refusal.to_string().as_bytes());
            message.truncate(LONGEST);
            channel::send_with(socket, &message, &[])
        }
        Err(_) => exit_at_once(1),
    };
    match told {
        // Until the parent has joined, or is gone.
        Ok(_) => match recv(socket, &mut [0; 1], RecvFlags::empty()) {
            Ok(_) | Err(_) => exit_at_once(0),
        },
        Err(_) => exit_at_once(1),
    }
}

/// Lets go of what is the host program's: its signal handlers must not run here, and its descriptors not be held.
fn be_alone(socket: &OwnedFd, kept: &[RawFd]) -> Result<Watchdog, StepFault> {
    rt_sigprocmask(u64::MAX).map_err(failed("rt_sigprocmask"))?;
    die_with_parent()?;
    let watchdog = Watchdog::arm()?;
    let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .map_err(failed("open /dev/null"))?;
    dup2_stdin(&null)
        .and_then(|()| dup2_stdout(&null))
        .and_then(|()| dup2_stderr(&null))
        .map_err(failed("dup2 /dev/null"))?;
    let mut kept: Vec<u32> = kept
        .iter()
        .copied()
        .chain([socket.as_raw_fd(), null.as_raw_fd()])
        .filter_map(|fd| u32::try_from(fd).ok())
        .filter(|fd| *fd > 2)
        .collect();
    kept.sort_unstable();
    let mut first = 3;
    for fd in kept {
        if fd > first {
            close_range_between(first, fd - 1).map_err(failed("close_range"))?;
        }
        first = fd + 1;
    }
    close_range_between(first, u32::MAX).map_err(failed("close_range"))?;
    Ok(watchdog)
}
