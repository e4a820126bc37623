//! *Inside*: pid 1 of the session. It reaps, passes signals on, reports, and leaves.

use std::os::fd::{AsFd, OwnedFd};

use nix::{
    sys::signalfd::SignalFd,
    unistd::{Pid, getpgrp, tcsetpgrp},
};
use rustix::{
    event::PollFlags,
    process::{DumpableBehavior, WaitOptions, set_dumpable_behavior, wait},
};

use crate::{
    fault::{StepFault, errno_of, failed},
    process::privilege::{die_with_parent, set_death_signal},
    session::{
        Ended,
        close::Close,
        link::Link,
        messages::{Order, Report, receive, report},
        waiting::{arrived, catch_signals, ready, wait_for},
    },
    sys::signal::kill,
};

/// Gets ready to be pid 1: tells the supervisor so, waits until it has no privileges left, and lets the main process go on.
///
/// Returns the signals that are caught from now on.
///
/// # Errors
/// A call that failed. The caller ends the process, and the kernel ends the session with it.
pub(crate) fn get_ready(link: &mut Link) -> Result<SignalFd, StepFault> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(failed("prctl PR_SET_DUMPABLE"))?;
    die_with_parent()?;
    let signals = catch_signals()?;
    link.tell_ready()?;
    link.let_go_of_standard()?;
    link.let_main_go()?;
    Ok(signals)
}

/// What pid 1 does for the rest of the session: reap, pass signals on, report, and leave.
///
/// With `linger` it stays until the last process has ended, or the account closes; without, everything ends with the main process.
///
/// # Errors
/// A call that failed. The caller ends the process, and the kernel ends the session with it.
pub(crate) fn reap(
    (main, signals): (Pid, SignalFd),
    link: Link,
    terminal: Option<OwnedFd>,
    (linger, close): (bool, Option<Close>),
) -> Result<(), StepFault> {
    let supervisor = link.into_socket();
    if follow(main, &supervisor, &signals, terminal, linger)? != After::Stay {
        return Ok(());
    }
    drop(supervisor);
    match close.map(|close| close.go_on_then()) {
        // Without it all is well as long as nobody stops this process.
        None | Some(Ok(()) | Err(_)) => {}
    }
    loop {
        if close.is_some_and(|close| close.left().is_zero()) {
            return Ok(());
        }
        wait_for(&signals, close.map(|close| close.wait()));
        // Before the look: what arrives after it is there for the next round.
        arrived(&signals).for_each(drop);
        if reap_all(main)?.none_left {
            return Ok(());
        }
    }
}

/// What there is to do once the main process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Others linger.
    Stay,
    /// Everything ends.
    Leave,
    /// The supervisor is gone, and the main process has not ended.
    Abandoned,
}

/// Obeys the supervisor, and reports to it what becomes of the main process, until that has ended.
pub(super) fn follow(
    main: Pid,
    supervisor: &OwnedFd,
    signals: &SignalFd,
    terminal: Option<OwnedFd>,
    linger: bool,
) -> Result<After, StepFault> {
    // A main process that has ended before the signals were caught tells nobody.
    let mut look = true;
    loop {
        let [told, signalled] = if look {
            [false, true]
        } else {
            ready((supervisor.as_fd(), PollFlags::IN), signals.as_fd(), None)
        };
        look = false;
        if told {
            match receive(supervisor) {
                Some([order]) => obey(Order::decode(order), main, terminal.as_ref()),
                // The supervisor has been killed, and takes the session with it.
                None => return Ok(After::Abandoned),
            }
        }
        if !signalled {
            continue;
        }
        arrived(signals).for_each(drop);
        let reaped = reap_all(main)?;
        match reaped.job {
            Some(Job::Stopped(signal)) => report(supervisor, Report::Stopped(signal)),
            Some(Job::Continued) => report(supervisor, Report::Continued),
            None => {}
        }
        if let Some(ended) = reaped.main {
            // Before the report: the supervisor shows what is still on its way until the last process has closed it.
            drop(terminal);
            let stays = linger && !reaped.none_left;
            if stays {
                set_death_signal(None)?;
            } else if !reaped.none_left {
                report(supervisor, Report::NoLinger);
            }
            report(supervisor, Report::Ended(ended));
            return Ok(if stays { After::Stay } else { After::Leave });
        }
    }
}

/// Does what the supervisor asks for.
fn obey(order: Order, main: Pid, terminal: Option<&OwnedFd>) {
    let group = Pid::from_raw(-main.as_raw());
    let done = match (order, terminal) {
        (Order::Signal(signal), _) => kill(main, signal),
        (Order::GroupSignal(signal), _) => kill(group, signal),
        (Order::Foreground, Some(terminal)) => {
            tcsetpgrp(terminal, main).and_then(|()| kill(group, libc::SIGCONT))
        }
        (Order::Background, Some(terminal)) => tcsetpgrp(terminal, getpgrp()),
        (Order::Foreground | Order::Background, None) => Ok(()),
    };
    match done {
        // The main process has just ended, and is reaped in this round.
        Ok(()) | Err(_) => {}
    }
}

/// What one round of wait(2) found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reaped {
    pub(super) main: Option<Ended>,
    job: Option<Job>,
    none_left: bool,
}

/// What the main process does between its start and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    Stopped(i32),
    Continued,
}

/// Waits for every child that has something to tell.
pub(super) fn reap_all(main: Pid) -> Result<Reaped, StepFault> {
    let mut found = Reaped::default();
    loop {
        match wait(WaitOptions::NOHANG | WaitOptions::UNTRACED | WaitOptions::CONTINUED) {
            Ok(Some((pid, status))) => {
                if pid.as_raw_nonzero().get() != main.as_raw() {
                    continue;
                }
                if let Some(signal) = status.stopping_signal() {
                    found.job = Some(Job::Stopped(signal));
                } else if status.continued() {
                    found.job = Some(Job::Continued);
                } else if let Some(ended) = Ended::of(status) {
                    found.main = Some(ended);
                }
            }
            Ok(None) => return Ok(found),
            Err(rustix::io::Errno::CHILD) => {
                found.none_left = true;
                return Ok(found);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(StepFault::Failed("wait4", errno_of(errno))),
        }
    }
}
