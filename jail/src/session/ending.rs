//! The end that the supervisor makes of a session: when there has to be one, and how.
//!
//! It is the end of a session whose terminal hangs up. What does not end by that is killed, main process first; what lingers
//! stays, as `linger` has it.
//!
//! A supervisor that does not get to it is killed by a timer, and the session ends with it as with any that is killed: another process
//! of the user may have stopped it, or it waits for a terminal that takes nothing.

use std::{
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use nix::errno::Errno;

use crate::{
    session::{
        Ended, close::Close, cut::Cut, idle::Idle, messages::Order, orders::Orders, relay::Relay,
    },
    sys::timer::{SignalTimer, kill_unless_set_within},
};

/// How long the main process has to end by itself, and how long init has to kill it.
const GRACE: Duration = Duration::from_secs(5);
const LAST: Duration = Duration::from_secs(10);

/// How long after its time an end is forced, or when it takes longer than this.
const FORCED: Duration = Duration::from_secs(20);

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
    /// Kills the supervisor. It is there where the session has an end.
    timer: Option<SignalTimer>,
}

impl Ending {
    /// Gets ready to end a session.
    ///
    /// # Errors
    /// There is no timer to be had.
    pub(crate) fn new(
        idle: Option<Idle>,
        close: Option<Close>,
        terminal: Option<OwnedFd>,
    ) -> Result<Ending, Errno> {
        let ends = idle.is_some() || close.is_some();
        let timer = ends.then(|| kill_unless_set_within(FORCED)).transpose()?;
        Ok(Ending {
            idle,
            close,
            terminal,
            failed: None,
            cut: None,
            killed: false,
            timer,
        })
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
        let looks = self.close.map(|close| close.wait());
        let stands = self.stands_for(relay);
        stands.into_iter().chain(settles).chain(looks).min()
    }

    /// Tells how long the session may stand still. If the supervisor has not looked again by then, it is killed.
    pub(crate) fn stands_for(&mut self, relay: Option<&Relay>) -> Option<Duration> {
        if self.cut.is_some() {
            return self.waits(relay);
        }
        let closes = self.close.map(|close| close.left());
        let longest = self.idle_for(relay).into_iter().chain(closes).min()?;
        self.force_after(longest.saturating_add(FORCED));
        Some(longest)
    }

    fn force_after(&self, time: Duration) {
        match self.timer.as_ref().map(|timer| timer.set(time)) {
            // It goes on as it was set before.
            None | Some(Ok(()) | Err(_)) => {}
        }
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
        if self.timer.is_none() {
            self.timer = kill_unless_set_within(FORCED).ok();
        }
        self.force_after(FORCED);
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
