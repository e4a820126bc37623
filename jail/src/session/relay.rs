//! What is carried between the caller's terminal and the session's, by the supervisor.

use std::{
    os::fd::{BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{read, write},
    termios::{
        LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
        tcsetwinsize,
    },
};

use crate::session::{
    cut::Cut,
    place::Place,
    recorder::Recorder,
    waiting::{has_more_than_room, poll_all, ready_with},
};

/// The most that is carried at once, in bytes: one page, as much as a terminal takes.
const PIECE: usize = 4096;

/// The most that is shown of a session that has ended, in bytes: as much as the kernel keeps of a terminal's output
/// (TTYB_DEFAULT_MEM_LIMIT). What comes after it is of those who linger.
const MOST_LAST_WORDS: usize = 640 * 1024;

/// How long the last words of a session may take to get through its terminal once it has ended, in nanoseconds. Only
/// where processes linger: without them the kernel tells the end.
const LAST_WORDS: i64 = 20_000_000;

/// How long the terminal may take nothing of the last words, in seconds.
const OUTPUT_WAITS: i64 = 60;

/// What the supervisor holds: the caller's terminal, and the controlling end of the session's.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) input: OwnedFd,
    pub(crate) output: OwnedFd,
    /// Let go of once the caller's terminal hangs up: the session's does the same then.
    pub(crate) controller: Option<OwnedFd>,
    pub(crate) place: Place,
    /// Whether the session has asked for what is typed.
    pub(crate) wanted: bool,
    /// The modes that the caller's terminal gets back.
    pub(crate) saved: Termios,
    pub(crate) keeps_output_modes: bool,
    /// Whether what is typed is the session's.
    pub(crate) granted: bool,
    /// Typed, and not yet taken by the session.
    pub(crate) typed: Vec<u8>,
    /// Written by the session, and not yet shown.
    pub(crate) to_show: Vec<u8>,
    /// A carriage return that ended a piece: what follows says whether it is shown.
    pub(crate) held_return: bool,
    /// When something was last typed or shown.
    pub(crate) last: Instant,
    pub(crate) recorder: Option<Recorder>,
}

impl Relay {
    /// Gives the session what is typed from the start, where it begins in the foreground.
    pub(crate) fn begin(&mut self) {
        if self.wanted {
            self.grant();
        }
    }

    /// Gives the session what is typed from now on, if the caller is in the foreground of the terminal.
    pub(crate) fn grant(&mut self) -> bool {
        self.wanted = true;
        if !self.place.is_foreground(&self.input) {
            return false;
        }
        if !self.granted {
            if let Ok(modes) = tcgetattr(&self.input) {
                self.saved = modes;
            }
            self.make_raw();
            self.resize();
        }
        true
    }

    /// Tells whether the session has asked for what is typed and does not get it.
    pub(crate) fn waits(&self) -> bool {
        self.wanted && !self.granted
    }

    /// Gives the terminal back as it was.
    pub(crate) fn give_back(&mut self) {
        if !self.granted {
            return;
        }
        self.give_back_by(OptionalActions::Drain);
    }

    fn give_back_by(&mut self, when: OptionalActions) {
        self.granted = false;
        // Whoever is in the foreground by now has modes of their own.
        if !self.place.is_foreground(&self.input) {
            return;
        }
        match tcsetattr(&self.input, when, &self.saved) {
            // A terminal that is gone needs no modes.
            Ok(()) | Err(_) => {}
        }
    }

    /// Makes the caller's terminal pass everything through: it is the session's own that edits, echoes and makes
    /// signals of keys.
    fn make_raw(&mut self) {
        let mut modes = self.saved.clone();
        modes.make_raw();
        if self.keeps_output_modes {
            modes.output_modes = self.saved.output_modes;
        }
        // A read of what somebody else has just read must not wait.
        modes.special_codes[SpecialCodeIndex::VMIN] = 0;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        match tcsetattr(&self.input, OptionalActions::Now, &modes) {
            Ok(()) | Err(_) => self.granted = true,
        }
    }

    /// Gives the session's terminal the size of the caller's. The kernel tells the programs inside.
    pub(crate) fn resize(&mut self) {
        if let (Some(controller), Ok(size)) = (&self.controller, tcgetwinsize(&self.input)) {
            match tcsetwinsize(controller, size) {
                Ok(()) | Err(_) => {}
            }
            if let Some(recorder) = &mut self.recorder {
                recorder.resize((size.ws_col, size.ws_row));
            }
        }
    }

    /// Gives the size of the caller's terminal, in columns and rows.
    pub(crate) fn size(&self) -> (u16, u16) {
        let size = tcgetwinsize(&self.input).ok();
        // A terminal whose size nobody has set has none.
        size.map_or((0, 0), |size| (size.ws_col, size.ws_row))
    }

    /// Tells when something was last typed or shown.
    pub(crate) fn last(&self) -> Instant {
        self.last
    }

    /// Says why the session has to end, once something could not be recorded.
    pub(crate) fn cut(&self) -> Option<Cut> {
        self.recorder.as_ref()?.cut().copied()
    }

    /// Ends the session as the end of its terminal does, and tells its user.
    pub(crate) fn end(&mut self, cut: Cut) {
        if self.granted {
            // What waits for a terminal that takes nothing would keep the session.
            self.give_back_by(OptionalActions::Now);
        }
        self.hang_up();
        if let Some(recorder) = &mut self.recorder {
            recorder.show(cut.sentence().as_bytes());
        }
        cut.tell(&self.output);
    }

    /// Tells whether the session's terminal shows what is typed; nothing where that is not recorded.
    fn echoes(&self) -> Option<bool> {
        self.recorder.as_ref().filter(|it| it.with_input())?;
        let modes = self.controller.as_ref().map(tcgetattr);
        let echo = |modes: Termios| modes.local_modes.contains(LocalModes::ECHO);
        Some(modes.is_some_and(|modes| modes.is_ok_and(echo)))
    }

    /// Tells in what time there is something typed to record.
    pub(crate) fn settles_in(&self) -> Option<Duration> {
        let recorder = self.recorder.as_ref().filter(|_| self.typed.is_empty())?;
        recorder.settles_in()
    }

    /// Records what was typed, where the terminal has shown it.
    pub(crate) fn settle(&mut self) {
        if self.settles_in() != Some(Duration::ZERO) {
            return;
        }
        let echoes = self.echoes();
        if let (Some(recorder), Some(echoes)) = (&mut self.recorder, echoes) {
            recorder.settle(echoes);
        }
    }

    /// Waits until the socket or the others have something to read, or there is something to carry, and carries it.
    /// Tells which of the three have something; also waits until the socket has what else is wanted of it.
    pub(crate) fn wait(
        &mut self,
        (socket, wanted): (BorrowedFd<'_>, PollFlags),
        [signals, others]: [BorrowedFd<'_>; 2],
        longest: Option<Duration>,
    ) -> [bool; 3] {
        let Some(controller) = &self.controller else {
            return ready_with((socket, wanted), [signals, others], longest);
        };
        let socket = PollFd::from_borrowed_fd(socket, wanted);
        let signals = PollFd::from_borrowed_fd(signals, PollFlags::IN);
        let others = PollFd::from_borrowed_fd(others, PollFlags::IN);
        let when = |wanted, flag| if wanted { flag } else { PollFlags::empty() };
        let session = when(self.to_show.is_empty(), PollFlags::IN)
            | when(!self.typed.is_empty(), PollFlags::OUT);
        // The input is looked at in any case: that it hangs up is told without being asked for.
        let listens = self.granted && self.typed.is_empty();
        let shown = when(!self.to_show.is_empty(), PollFlags::OUT);
        let fds = &mut [
            socket,
            signals,
            others,
            PollFd::new(controller, session),
            PollFd::new(&self.input, when(listens, PollFlags::IN)),
            PollFd::new(&self.output, shown),
        ];
        let [told, signalled, logged, session, typed, shown] = poll_all(fds, longest);
        if typed.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            self.hang_up();
        } else if !typed.is_empty() {
            self.read_typed();
        }
        if !session.is_empty() {
            self.write_typed();
            self.read_shown();
        }
        if !shown.is_empty() || !session.is_empty() {
            self.show();
        }
        [
            has_more_than_room(told),
            !signalled.is_empty(),
            !logged.is_empty(),
        ]
    }

    /// Shows what the session wrote before its end, and gives the terminal back. It ends, whatever lingers and goes on
    /// writing.
    pub(crate) fn finish(&mut self) {
        let patience = Timespec {
            tv_sec: 0,
            tv_nsec: LAST_WORDS,
        };
        let mut left = MOST_LAST_WORDS;
        self.show_all();
        while let Some(controller) = self.controller.as_ref().filter(|_| left > 0) {
            let mut fds = [PollFd::new(controller, PollFlags::IN)];
            if !poll(&mut fds, Some(&patience)).is_ok_and(|ready| ready > 0) || !self.read_shown() {
                break;
            }
            left = left.saturating_sub(self.to_show.len().max(1));
            self.show_all();
        }
        if self.held_return {
            self.to_show.push(b'\r');
            self.show_all();
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.finish();
        }
        self.give_back();
    }

    /// Hangs up on the session as the caller's terminal has hung up on us: the kernel tells the programs inside.
    fn hang_up(&mut self) {
        self.controller = None;
        self.granted = false;
        self.wanted = false;
        self.typed.clear();
        self.to_show.clear();
    }

    fn read_typed(&mut self) {
        // Not what is typed for a shell that has taken the foreground meanwhile.
        if !self.place.is_foreground(&self.input) {
            self.granted = false;
            return;
        }
        let mut piece = [0; PIECE];
        match read(&self.input, &mut piece) {
            Ok(length) => {
                let typed = piece.get(..length).unwrap_or_default();
                self.typed.extend_from_slice(typed);
                self.last = Instant::now();
                let echoes = self.echoes();
                if let (Some(recorder), Some(echoes)) = (&mut self.recorder, echoes) {
                    recorder.take_typed(typed, echoes);
                }
                self.write_typed();
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            // EIO: in the background since we looked. A terminal that has hung up says so to poll(2).
            Err(_) => self.granted = false,
        }
    }

    fn write_typed(&mut self) {
        let Some(controller) = self.controller.as_ref().filter(|_| !self.typed.is_empty()) else {
            return;
        };
        match write(controller, &self.typed) {
            Ok(length) => drop(self.typed.drain(..length)),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            // Nobody is left to read it.
            Err(_) => self.typed.clear(),
        }
        // Once more: it may have been switched off since it was typed.
        let echoes = self.echoes();
        if let (Some(recorder), Some(echoes)) = (&mut self.recorder, echoes) {
            recorder.look_after_write(echoes);
        }
    }

    /// Reads what the session shows; tells whether there may be more.
    fn read_shown(&mut self) -> bool {
        let Some(controller) = self.controller.as_ref().filter(|_| self.to_show.is_empty()) else {
            return true;
        };
        let mut piece = [0; PIECE];
        match read(controller, &mut piece) {
            Ok(length) => {
                let shown = piece.get(..length).unwrap_or_default();
                self.last = Instant::now();
                let is_recorded = self.recorder.as_mut().is_none_or(|it| it.show(shown));
                if is_recorded {
                    self.take_shown(shown);
                }
                is_recorded && length > 0
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => true,
            // EIO: the last process has closed it.
            Err(_) => false,
        }
    }

    /// Takes what the session shows. Its terminal has put a carriage return before each line feed, and the caller's,
    /// unless it is raw now, puts one there as well: then the first is taken away.
    fn take_shown(&mut self, shown: &[u8]) {
        for byte in shown {
            let doubled = *byte == b'\n' && !self.granted;
            if self.held_return && !doubled {
                self.to_show.push(b'\r');
            }
            self.held_return = *byte == b'\r';
            if !self.held_return {
                self.to_show.push(*byte);
            }
        }
        if self.granted && self.held_return {
            self.to_show.push(b'\r');
            self.held_return = false;
        }
    }

    /// Shows everything, also where the terminal takes nothing for a moment.
    fn show_all(&mut self) {
        let patience = Timespec {
            tv_sec: OUTPUT_WAITS,
            tv_nsec: 0,
        };
        self.show();
        while !self.to_show.is_empty() {
            let mut fds = [PollFd::new(&self.output, PollFlags::OUT)];
            if !poll(&mut fds, Some(&patience)).is_ok_and(|ready| ready > 0) {
                self.to_show.clear();
            }
            self.show();
        }
    }

    fn show(&mut self) {
        while !self.to_show.is_empty() {
            match write(&self.output, &self.to_show) {
                Ok(length) => drop(self.to_show.drain(..length)),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return,
                // A terminal that is gone shows nothing.
                Err(_) => self.to_show.clear(),
            }
        }
    }
}
