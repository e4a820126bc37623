//! *Outside*: the process that sshd or su started. It passes signals on, carries what is typed and shown, and ends as the
//! session's main process ended.

use std::{
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::signalfd::SignalFd,
    unistd::{Pid, getpid},
};
use rustix::{
    event::PollFlags,
    net::{SendFlags, send},
    process::{Resource, Rlimit, WaitOptions, setrlimit, waitpid},
};

use crate::{
    fault::{StepFault, errno_of, failed},
    log::running::Running,
    session::{
        Ended,
        cut::Cut,
        ending::Ending,
        link::Link,
        messages::{Order, Report, receive},
        orders::{Orders, order_for},
        relay::Relay,
        terminal::Outside,
        to_log::ToLog,
        waiting::{arrived, catch_signals, has_input, ready_with},
    },
    sys::{
        memory::give_back,
        signal::{Disposition, kill, rt_sigaction, rt_sigprocmask, send_signal_when_readable},
        timer::{SignalTimer, continue_after},
    },
};

/// Who stands to the main process inside.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Within {
    /// The init of the session, a child of the supervisor's.
    Init(Pid),
    /// The keeper of the session, in a world that others share.
    Keeper,
}

/// What the supervisor waits with: nothing of root's is left to it but the descriptors by which the session is logged.
///
/// Returns how the session's main process ended, or what it comes to where the session was cut short.
///
/// # Errors
/// A call that failed before init was let go on: nothing of the user's has run then, and nothing will. Or init has ended
/// without a report.
pub(crate) fn supervise(
    within: Within,
    link: Link,
    outside: Outside,
    mut to_log: ToLog,
    running: &mut Running<'_>,
) -> Result<Ended, StepFault> {
    let Outside {
        mut relay,
        idle,
        close,
        own,
    } = outside;
    let mut ending = Ending::new(idle, close, own).map_err(failed("timer_create"))?;
    let signals = catch_signals()?;
    // Standard error last: why init was not let go on can be said until then.
    link.let_go_of_input_and_output()?;
    // The main process can be continued or killed by others of its session, which a stopped supervisor would not
    // notice: so every report continues it.
    send_signal_when_readable(link.socket(), getpid(), libc::SIGCONT)
        .map_err(failed("fcntl F_SETSIG"))?;
    let ended = match send(link.socket(), b"g", SendFlags::NOSIGNAL).map_err(errno_of) {
        Ok(_) => {
            link.let_go_of_errors()?;
            let socket = link.into_socket();
            if let Some(relay) = &mut relay {
                relay.begin();
            }
            give_back();
            let around = (&mut relay, &mut ending);
            let ended = follow(within, &socket, &signals, around, (&mut to_log, running));
            to_log.finish(running);
            ended
        }
        // Init was refused before it could be told, and has said why.
        Err(Errno::EPIPE | Errno::ECONNRESET) => ended_without_report(within),
        Err(errno) => return Err(StepFault::Failed("send to init", errno)),
    };
    if let Some(relay) = &mut relay {
        relay.finish();
    }
    let ended = ended?;
    Ok(match ending.cut(relay.as_mut()) {
        Some((status, cut)) => {
            running.cut(&cut.to_string());
            status
        }
        None => ended,
    })
}

/// Passes signals on, carries what is typed and shown, and follows the main process until it has ended.
fn follow(
    within: Within,
    socket: &OwnedFd,
    signals: &SignalFd,
    (relay, ending): (&mut Option<Relay>, &mut Ending),
    (to_log, running): (&mut ToLog, &mut Running<'_>),
) -> Result<Ended, StepFault> {
    let mut lingers = true;
    let mut orders = Orders::default();
    loop {
        if ending.go_on(relay.as_mut(), &mut orders) {
            within.end();
            return Ok(Ended::Killed(libc::SIGKILL));
        }
        orders.send(socket);
        let wanted = PollFlags::IN | orders.wait_for();
        let longest = ending.waits(relay.as_ref());
        let others = [signals.as_fd(), to_log.descriptor()];
        let [reported, signalled, logged] = match relay {
            Some(relay) => relay.wait((socket.as_fd(), wanted), others, longest),
            None => ready_with((socket.as_fd(), wanted), others, longest),
        };
        if logged && let Some(errno) = to_log.pass_on(running) {
            ending.fail(Cut::TransfersFailed(errno_of(errno)));
        }
        if signalled {
            for signal in arrived(signals) {
                orders.extend(order_for(&signal, relay.as_mut()));
            }
        }
        if !reported {
            continue;
        }
        match receive(socket).and_then(Report::decode) {
            Some(Report::Stopped(signal)) => {
                orders.send(socket);
                let longest = ending.stands_for(relay.as_ref());
                stop_like_main(socket, signal, (relay.as_mut(), longest), &mut orders);
            }
            Some(Report::Continued | Report::Log) => {}
            Some(Report::NoLinger) => lingers = false,
            Some(Report::NotStarted(errno)) => running.not_started(Errno::from_raw(errno)),
            Some(Report::Ended(ended)) => {
                if !lingers {
                    within.end();
                }
                return Ok(ended);
            }
            None => return ended_without_report(within),
        }
    }
}

/// Kills what builds a world, and does not wait for its end: one that waits for a server ends when that answers or is gone.
pub(crate) fn give_up_on(init: Pid) {
    match kill(init, libc::SIGKILL) {
        // It has ended already.
        Ok(()) | Err(_) => {}
    }
}

impl Within {
    /// Ends init, and with it all that is left of the session. It would end by itself, but the user may have made it wait
    /// for a processor for long: sched_setscheduler(2), SCHED_IDLE. A keeper ends the session when its supervisor is gone.
    fn end(self) {
        if let Within::Init(init) = self {
            give_up_on(init);
            drop(wait_for_end(init));
        }
    }
}

/// Reads how init itself ended, where it had nothing to report: it was refused, or killed. Its success is not the main
/// process's, of which nothing is known then. A keeper that has nothing to report was killed.
pub(crate) fn ended_without_report(within: Within) -> Result<Ended, StepFault> {
    let Within::Init(init) = within else {
        return Ok(Ended::Killed(libc::SIGKILL));
    };
    match wait_for_end(init)? {
        Ended::Exited(0) => Err(StepFault::Bug(
            "init ended without reporting the exit status of the session",
        )),
        failure => Ok(failure),
    }
}

fn wait_for_end(init: Pid) -> Result<Ended, StepFault> {
    let pid = rustix::process::Pid::from_raw(init.as_raw());
    loop {
        match waitpid(pid, WaitOptions::empty()) {
            Ok(Some((_, status))) => {
                if let Some(ended) = Ended::of(status) {
                    return Ok(ended);
                }
            }
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(StepFault::Failed("wait4 for init", errno_of(errno))),
        }
    }
}

/// Stops as the main process has stopped, so that whoever started us sees it, and goes on when we are continued.
///
/// A main process that was stopped because it wants what is typed gets it, and goes on at once, where the terminal is
/// the caller's to give.
///
/// It stays stopped for so long at the most: a session that stands still is idle.
fn stop_like_main(
    socket: &OwnedFd,
    signal: i32,
    (mut relay, longest): (Option<&mut Relay>, Option<Duration>),
    orders: &mut Orders,
) {
    let wants_terminal = matches!(signal, libc::SIGTTIN | libc::SIGTTOU);
    if let Some(relay) = relay.as_mut().filter(|_| wants_terminal)
        && relay.grant()
    {
        orders.extend(Some(Order::Foreground));
        return;
    }
    if has_input(socket) {
        // The main process goes on already, or has ended.
        return;
    }
    let Some(relay) = relay else {
        stop(longest);
        return;
    };
    // From now on it has to ask for what is typed, whoever continues it.
    relay.give_back();
    orders.extend(Some(Order::Background));
    orders.send(socket);
    stop(longest);
    if relay.waits() && relay.grant() {
        orders.extend(Some(Order::Foreground));
    }
}

fn stop(longest: Option<Duration>) {
    let Ok(timer) = longest.map(continue_after).transpose() else {
        // Nothing would end the session.
        return;
    };
    match kill(getpid(), libc::SIGSTOP) {
        // Nobody can forbid a process to stop itself.
        Ok(()) | Err(_) => {}
    }
    match timer.map(SignalTimer::delete) {
        // One that is left continues what goes on already.
        None | Some(Ok(_) | Err(_)) => {}
    }
}

/// Ends this process as the main process has ended: by the same status or the same signal.
pub fn end_like(ended: Ended) -> ! {
    let signal = match ended {
        Ended::Exited(status) => std::process::exit(status.into()),
        Ended::Killed(signal) => signal,
    };
    // One core file is enough, and it is the main process's.
    let no_core = setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )
    .map_err(errno_of);
    let died = no_core
        .and_then(|()| rt_sigaction(signal, Disposition::Default).or(Ok(())))
        .and_then(|()| kill(getpid(), signal))
        // No other: what has arrived besides would be taken first.
        .and_then(|()| rt_sigprocmask(!(1 << (signal - 1))));
    // Reached only where the signal does not kill.
    match died {
        Ok(()) | Err(_) => std::process::exit(128 + signal),
    }
}
