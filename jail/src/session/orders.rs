//! What the supervisor has init do: which signals are passed on, and the orders that still have to be sent.

use std::os::fd::OwnedFd;

use nix::sys::signalfd::siginfo;
use rustix::{
    event::PollFlags,
    net::{SendFlags, send},
};

use crate::session::{messages::Order, relay::Relay};

/// SI_KERNEL: a signal the kernel sent by itself, such as a terminal's: sigaction(2).
const SI_KERNEL: i32 = 0x80;

/// Orders that init has not been sent yet. Its queue takes some hundred of them, and the user can keep init from reading
/// it: sched_setscheduler(2), SCHED_IDLE.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    waiting: Vec<Order>,
}

impl Orders {
    /// Adds an order. A signal that waits already is not added again, as the kernel does with its own: signal(7). Of the
    /// orders about the foreground the last one counts.
    pub(crate) fn extend(&mut self, order: Option<Order>) {
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
    pub(crate) fn send(&mut self, socket: &OwnedFd) {
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
    pub(crate) fn wait_for(&self) -> PollFlags {
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
pub(crate) fn order_for(signal: &siginfo, relay: Option<&mut Relay>) -> Option<Order> {
    let number = i32::try_from(signal.ssi_signo).unwrap_or(0);
    match (number, relay) {
        // The second: a recording that grows beyond a limit of the caller's. write(2) says so, too.
        (libc::SIGCHLD | libc::SIGXFSZ, _) => None,
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
