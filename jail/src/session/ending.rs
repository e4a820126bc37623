//! The end that the supervisor makes of a session: when there has to be one, and how.
//!
//! It is the end of a session whose terminal hangs up. What does not end by that is killed, main process first; what lingers
//! stays, as `linger` has it.

use std::{
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use crate::session::{
    Ended, close::Close, cut::Cut, idle::Idle, messages::Order, orders::Orders, relay::Relay,
};

/// How long the main process has to end by itself, and how long init has to kill it.
const GRACE: Duration = Duration::from_secs(5);
const LAST: Duration = Duration::from_secs(10);

/// The exit status of a session that is cut short: what a shell makes of SIGHUP.
const STATUS: u8 = 128 + 1;

/// What may end a session, and where that has got to.
#[derive(Debug)]
pub(crate) struct Ending {
    idle: Option<Idle>,
    close: Option<Close>,
    /// The session's own terminal, to tell its user; nothing where the supervisor carries what is shown.
    terminal: Option<OwnedFd>,
    /// Something that the session can't go on without has failed.
    failed: Option<Cut>,
    cut: Option<(Cut, Instant)>,
    killed: bool,
}

impl Ending {
    pub(crate) fn new(
        idle: Option<Idle>,
        close: Option<Close>,
        terminal: Option<OwnedFd>,
    ) -> Ending {
        Ending {
            idle,
            close,
            terminal,
            failed: None,
            cut: None,
            killed: false,
        }
    }

    /// Has the session end for a reason that the supervisor has found.
    pub(crate) fn fail(&mut self, cut: Cut) {
        self.failed.get_or_insert(cut);
    }

    /// Tells how long the supervisor may wait for anything else.
    pub(crate) fn waits(&mut self, relay: Option<&Relay>) -> Option<Duration> {
        if let Some((_, since)) = &self.cut {
            let stage = if self.killed { LAST } else { GRACE };
            return Some(stage.saturating_sub(since.elapsed()));
        }
        let settles = relay.and_then(Relay::settles_in);
        let closes = self.close.map(|close| close.wait());
        let idle = self.idle_for(relay);
        idle.into_iter().chain(settles).chain(closes).min()
    }

    /// Tells how long the session may stand still.
    pub(crate) fn stands_for(&mut self, relay: Option<&Relay>) -> Option<Duration> {
        let closes = self.close.map(|close| close.left());
        self.idle_for(relay).into_iter().chain(closes).min()
    }

    /// Tells how long the session may go on without input and output.
    fn idle_for(&mut self, relay: Option<&Relay>) -> Option<Duration> {
        let idle = self.idle.as_mut()?;
        Some(idle.left(relay.map(Relay::last)))
    }

    /// Does what the time has come for. Tells whether all that is left of the session has to be killed.
    pub(crate) fn go_on(&mut self, mut relay: Option<&mut Relay>, orders: &mut Orders) -> bool {
        if let Some(relay) = &mut relay {
            relay.settle();
        }
        if self.cut.is_none() {
            if let Some(cut) = self.reason(relay.as_deref()) {
                self.begin(cut, relay, orders);
            }
            return false;
        }
        if self.waits(None) != Some(Duration::ZERO) {
            return false;
        }
        if !self.killed {
            self.killed = true;
            orders.extend(Some(Order::Signal(libc::SIGKILL)));
            return false;
        }
        true
    }

    fn reason(&mut self, relay: Option<&Relay>) -> Option<Cut> {
        let unrecorded = relay.and_then(Relay::cut);
        let closed = self.close.filter(|close| close.left() == Duration::ZERO);
        let closed = closed.map(|close| Cut::Until(close.until));
        self.failed.or(unrecorded).or(closed).or_else(|| {
            let over = self.idle_for(relay)? == Duration::ZERO;
            self.idle
                .as_ref()
                .filter(|_| over)
                .map(|it| Cut::Idle(it.limit))
        })
    }

    fn begin(&mut self, cut: Cut, relay: Option<&mut Relay>, orders: &mut Orders) {
        let own = self.idle.as_ref().and_then(Idle::terminal);
        let own = own.or(self.terminal.as_ref());
        match (relay, own) {
            (Some(relay), _) => relay.end(cut),
            (None, Some(terminal)) => cut.tell(terminal),
            (None, None) => {}
        }
        // A stopped process takes the first once it goes on.
        orders.extend(Some(Order::GroupSignal(libc::SIGHUP)));
        orders.extend(Some(Order::GroupSignal(libc::SIGCONT)));
        self.cut = Some((cut, Instant::now()));
    }

    /// Says how the session has ended, where it was cut short.
    pub(crate) fn cut(&self, relay: Option<&mut Relay>) -> Option<(Ended, Cut)> {
        let late = || {
            let relay = relay?;
            let cut = relay.cut()?;
            relay.end(cut);
            Some(cut)
        };
        let cut = self.cut.map(|(cut, _)| cut).or_else(late)?;
        Some((Ended::Exited(STATUS), cut))
    }
}
