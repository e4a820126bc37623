//! *Outside*: the process that sshd or su started. It passes signals on, carries what is typed and shown, and ends as the
//! session's main process ended.

use std::os::fd::{AsFd, OwnedFd};

use nix::{
    errno::Errno,
    sys::signalfd::{SignalFd, siginfo},
    unistd::{Pid, getpid},
};
use rustix::{
    event::PollFlags,
    net::{SendFlags, send},
    process::{Resource, Rlimit, WaitOptions, setrlimit, waitpid},
};

use crate::{
    fault::{StepFault, errno_of},
    session::{
        Ended,
        link::Link,
        messages::{Order, Report, receive},
        relay::Relay,
        waiting::{arrived, catch_signals, has_input, ready},
    },
    sys::signal::{Disposition, kill, rt_sigaction, rt_sigprocmask, send_signal_when_readable},
};

/// SI_KERNEL: a signal the kernel sent by itself, such as a terminal's: sigaction(2).
const SI_KERNEL: i32 = 0x80;

/// What the supervisor waits with: nothing of root's is left to it.
///
/// Returns how the session's main process ended.
///
/// # Errors
/// A call that failed before init was let go on: nothing of the user's has run then, and nothing will. Or init has ended
/// without a report.
pub(crate) fn supervise(
    init: Pid,
    link: Link,
    mut relay: Option<Relay>,
) -> Result<Ended, StepFault> {
    let signals = catch_signals()?;
    // Standard error last: why init was not let go on can be said until then.
    link.let_go_of_input_and_output()?;
    // The main process can be continued or killed by others of its session, which a stopped supervisor would not
    // notice: so every report continues it.
    send_signal_when_readable(link.socket(), getpid(), libc::SIGCONT)
        .map_err(|errno| StepFault::Failed("fcntl F_SETSIG", errno))?;
    let ended = match send(link.socket(), b"g", SendFlags::NOSIGNAL).map_err(errno_of) {
        Ok(_) => {
            link.let_go_of_errors()?;
            let socket = link.into_socket();
            if let Some(relay) = &mut relay {
                relay.begin();
            }
            follow(init, &socket, &signals, &mut relay)
        }
        // Init was refused before it could be told, and has said why.
        Err(Errno::EPIPE | Errno::ECONNRESET) => ended_without_report(init),
        Err(errno) => return Err(StepFault::Failed("send to init", errno)),
    };
    if let Some(relay) = &mut relay {
        relay.finish();
    }
    ended
}

/// Passes signals on, carries what is typed and shown, and follows the main process until it has ended.
fn follow(
    init: Pid,
    socket: &OwnedFd,
    signals: &SignalFd,
    relay: &mut Option<Relay>,
) -> Result<Ended, StepFault> {
    let mut lingers = true;
    let mut orders = Orders::default();
    loop {
        orders.send(socket);
        let wanted = PollFlags::IN | orders.wait_for();
        let [reported, signalled] = match relay {
            Some(relay) => relay.wait((socket.as_fd(), wanted), signals.as_fd()),
            None => ready((socket.as_fd(), wanted), signals.as_fd()),
        };
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
                stop_like_main(socket, signal, relay.as_mut(), &mut orders);
            }
            Some(Report::Continued | Report::Ready) => {}
            Some(Report::NoLinger) => lingers = false,
            Some(Report::Ended(ended)) => {
                if !lingers {
                    end(init);
                }
                return Ok(ended);
            }
            None => return ended_without_report(init),
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

/// Ends init, and with it all that is left of the session. It would end by itself, but the user may have made it wait
/// for a processor for long: sched_setscheduler(2), SCHED_IDLE.
fn end(init: Pid) {
    match kill(init, libc::SIGKILL) {
        // It has ended already.
        Ok(()) | Err(_) => drop(wait_for_end(init)),
    }
}

/// Reads how init itself ended, where it had nothing to report: it was refused, or killed. Its success is not the main
/// process's, of which nothing is known then.
fn ended_without_report(init: Pid) -> Result<Ended, StepFault> {
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

/// Orders that init has not been sent yet. Its queue takes some hundred of them, and the user can keep init from reading
/// it: sched_setscheduler(2), SCHED_IDLE.
#[derive(Debug, Default)]
struct Orders {
    waiting: Vec<Order>,
}

impl Orders {
    /// Adds an order. A signal that waits already is not added again, as the kernel does with its own: signal(7). Of the
    /// orders about the foreground the last one counts.
    fn extend(&mut self, order: Option<Order>) {
        match order {
            Some(order @ (Order::Foreground | Order::Background)) => {
                self.waiting
                    .retain(|it| !matches!(it, Order::Foreground | Order::Background));
                self.waiting.push(order);
            }
            Some(order) if !self.waiting.contains(&order) => self.waiting.push(order),
            Some(_) | None => {}
        }
    }

    /// Sends as many as init's queue takes.
    fn send(&mut self, socket: &OwnedFd) {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let sent = self
            .waiting
            .iter()
            // An init that is gone obeys none.
            .take_while(|order| {
                send(socket, &order.encode(), flags) != Err(rustix::io::Errno::AGAIN)
            })
            .count();
        self.waiting.drain(..sent);
    }

    /// Names what to wait for besides reports.
    fn wait_for(&self) -> PollFlags {
        if self.waiting.is_empty() {
            PollFlags::empty()
        } else {
            PollFlags::OUT
        }
    }
}

/// Gives the order by which a signal is passed on. By word and not by a signal to init, which blocks them all.
///
/// Whoever sends one to the caller means its one process. What the kernel sends by itself, for a key of the caller's
/// terminal or because it hangs up, is for a whole process group.
fn order_for(signal: &siginfo, relay: Option<&mut Relay>) -> Option<Order> {
    let number = i32::try_from(signal.ssi_signo).unwrap_or(0);
    match (number, relay) {
        (libc::SIGCHLD, _) => None,
        (libc::SIGWINCH, Some(relay)) => {
            relay.resize();
            None
        }
        // As `fg` sends it: what the session has asked for it may have now.
        (libc::SIGCONT, Some(relay)) if relay.waits() => Some(if relay.grant() {
            Order::Foreground
        } else {
            Order::Signal(number)
        }),
        _ if signal.ssi_code == SI_KERNEL => Some(Order::GroupSignal(number)),
        _ if signal.ssi_code <= 0 => Some(Order::Signal(number)),
        _ => None,
    }
}

/// Stops as the main process has stopped, so that whoever started us sees it, and goes on when we are continued.
///
/// A main process that was stopped because it wants what is typed gets it, and goes on at once, where the terminal is
/// the caller's to give.
fn stop_like_main(
    socket: &OwnedFd,
    signal: i32,
    mut relay: Option<&mut Relay>,
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
        stop();
        return;
    };
    // From now on it has to ask for what is typed, whoever continues it.
    relay.give_back();
    orders.extend(Some(Order::Background));
    orders.send(socket);
    stop();
    if relay.waits() && relay.grant() {
        orders.extend(Some(Order::Foreground));
    }
}

fn stop() {
    match kill(getpid(), libc::SIGSTOP) {
        // Nobody can forbid a process to stop itself.
        Ok(()) | Err(_) => {}
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

#[cfg(test)]
mod tests {
    use super::Orders;
    use crate::session::messages::Order;

    #[test]
    fn a_signal_that_waits_is_not_added_again_and_the_last_word_about_the_foreground_counts() {
        let mut orders = Orders::default();
        for order in [
            Order::Signal(15),
            Order::Foreground,
            Order::Signal(28),
            Order::Signal(15),
            Order::GroupSignal(15),
            Order::Background,
        ] {
            orders.extend(Some(order));
        }
        let wanted = [
            Order::Signal(15),
            Order::Signal(28),
            Order::GroupSignal(15),
            Order::Background,
        ];
        assert_eq!(orders.waiting, wanted);
    }
}
