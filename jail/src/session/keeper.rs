//! *Inside* a world that several logins share: its init, which forks a keeper for each login and reaps what is left, and the
//! keepers, each of which stands to the main process of its session as init does elsewhere.
//!
//! Init knows no supervisor. It believes whoever connects to its socket, which root alone can reach, and which nobody inside can take
//! from it: it can't be dumped, so that its descriptors are shut.

use std::{
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

use nix::{
    sys::signalfd::SignalFd,
    unistd::{Pid, setsid},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{RecvFlags, recv},
    process::{DumpableBehavior, WaitOptions, set_dumpable_behavior, wait},
};

use crate::{
    channel,
    fault::{StepFault, errno_of, failed},
    process::{privilege::set_death_signal, start::Limit},
    session::{
        arrival::Head,
        close::Close,
        init::{After, follow, reap_all},
        link::Link,
        messages::receive,
        terminal::Inside,
        waiting::{arrived, catch_signals, ready},
    },
    sys::{
        memory::give_back,
        process::{Side, fork},
        signal::kill,
    },
    world::keep::accept,
};

/// How long a keeper waits for what its login brings.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a keeper may take to end its session once its supervisor is gone. Its user can stop it.
const END: Duration = Duration::from_secs(2);

/// How many lines that nobody reads are thrown away before something else gets its turn.
const LINES_AT_ONCE: usize = 32;

/// Init of a world, which nothing of root's is left to.
#[derive(Debug)]
pub(crate) struct Init {
    signals: SignalFd,
    /// Where further logins connect; nothing where the world is that of one login.
    pub(crate) listener: Option<OwnedFd>,
    /// The socket that is /dev/log inside.
    pub(crate) log: Option<OwnedFd>,
    /// The mount namespace.
    mounts: Option<OwnedFd>,
    linger: bool,
    close: Option<Close>,
    keepers: Vec<Keeper>,
}

/// A keeper, as init has it.
#[derive(Debug)]
struct Keeper {
    pid: Pid,
    /// By which it is seen that the supervisor is gone; nothing from then on.
    connection: Option<OwnedFd>,
    /// When it is ended.
    end: Option<Instant>,
}

/// A login, as its keeper has it.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) connection: OwnedFd,
    /// It has made the world.
    pub(crate) is_first: bool,
    pub(crate) log: Option<OwnedFd>,
    pub(crate) mounts: Option<OwnedFd>,
}

/// Gives init a session of its own, which never has a terminal. To be done before a login's terminal is known.
///
/// # Errors
/// setsid(2) failed.
pub(crate) fn lead_session() -> Result<(), StepFault> {
    match setsid() {
        Ok(_) => Ok(()),
        Err(errno) => Err(StepFault::Failed("setsid", errno)),
    }
}

impl Init {
    /// Gets ready to be the init of a world, whose maker it no longer ends with.
    ///
    /// # Errors
    /// A call that failed. The caller ends the process.
    pub(crate) fn new(
        listener: Option<OwnedFd>,
        (log, mounts): (Option<OwnedFd>, Option<OwnedFd>),
        linger: bool,
        close: Option<Close>,
    ) -> Result<Init, StepFault> {
        set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .map_err(failed("prctl PR_SET_DUMPABLE"))?;
        let signals = catch_signals()?;
        set_death_signal(None)?;
        close
            .map_or(Ok(()), |close| close.go_on_then())
            .map_err(failed("timer_create"))?;
        Ok(Init {
            signals,
            listener,
            log,
            mounts,
            linger,
            close,
            keepers: Vec::new(),
        })
    }

    /// Lets logins in, the first of which has made the world, until the world ends. Returns in each keeper with its login, and in
    /// init with nothing, when the world is to end with it.
    ///
    /// # Errors
    /// A call that failed. The caller ends the process, and the kernel ends the world with it.
    pub(crate) fn let_in(mut self, first: OwnedFd) -> Result<Option<Login>, StepFault> {
        give_back();
        if let Some(connection) = self.fork_keeper(first)? {
            return Ok(Some(self.into_login(connection, true)));
        }
        loop {
            let [connected, logged] = self.wait();
            self.end_abandoned();
            let new = self
                .listener
                .as_ref()
                .filter(|_| connected)
                .and_then(accept);
            // A fork that fails is the login's own: its connection is closed, and it sees that nobody answers.
            if let Some(connection) = new
                && let Ok(Some(connection)) = self.fork_keeper(connection)
            {
                return Ok(Some(self.into_login(connection, false)));
            }
            if logged {
                self.throw_away();
            }
            // Before the look: what arrives after it is there for the next round.
            arrived(&self.signals).for_each(drop);
            if self.is_over()? {
                return Ok(None);
            }
        }
    }

    fn into_login(self, connection: OwnedFd, is_first: bool) -> Login {
        Login {
            connection,
            is_first,
            log: self.log,
            mounts: self.mounts,
        }
    }

    /// Waits for a login, for the end of a process or a supervisor, and where no supervisor reads them, for lines of the log; until
    /// the account closes, where no session is open.
    fn wait(&mut self) -> [bool; 2] {
        let unread = self.log.as_ref().filter(|_| self.keepers.is_empty());
        let signals = self.signals.as_fd();
        // One that is not to be waited for is waited for nothing.
        let or_nothing = |fd: Option<&OwnedFd>| match fd {
            Some(_) => PollFlags::IN,
            None => PollFlags::empty(),
        };
        let listener = self.listener.as_ref();
        let mut fds = vec![
            PollFd::from_borrowed_fd(listener.map_or(signals, AsFd::as_fd), or_nothing(listener)),
            PollFd::from_borrowed_fd(unread.map_or(signals, AsFd::as_fd), or_nothing(unread)),
            PollFd::from_borrowed_fd(signals, PollFlags::IN),
        ];
        let connections = self.keepers.iter().filter_map(|it| it.connection.as_ref());
        // What is said is for the keeper; that the other end is closed is told unasked.
        fds.extend(connections.map(|it| PollFd::new(it, PollFlags::empty())));
        let close = self.close.filter(|_| self.keepers.is_empty());
        let ends = self.keepers.iter().filter_map(|it| it.end);
        let left = ends.map(|end| end.saturating_duration_since(Instant::now()));
        let longest = left.chain(close.map(|close| close.wait())).min();
        let longest = longest.and_then(|it| Timespec::try_from(it).ok());
        if poll(&mut fds, longest.as_ref()).is_err() {
            return [false; 2];
        }
        let mut told = fds.iter().map(|it| !it.revents().is_empty());
        let both = [told.next(), told.next()].map(|it| it.unwrap_or(false));
        let gone: Vec<bool> = told.skip(1).collect();
        let open = self.keepers.iter_mut().filter(|it| it.connection.is_some());
        for (keeper, _) in open.zip(gone).filter(|(_, is_gone)| *is_gone) {
            keeper.connection = None;
            keeper.end = Some(Instant::now() + END);
        }
        both
    }

    /// Ends keepers that have outlived their supervisors: one that was stopped would keep the world, past `until` and the last session.
    /// What is left of the session is init's then.
    fn end_abandoned(&self) {
        let now = Instant::now();
        for keeper in &self.keepers {
            if keeper.end.is_some_and(|end| end <= now) {
                match kill(keeper.pid, libc::SIGKILL) {
                    // It has ended, and is reaped in this round.
                    Ok(()) | Err(_) => {}
                }
            }
        }
    }

    /// Forks a keeper. Gives the connection back in it.
    fn fork_keeper(&mut self, connection: OwnedFd) -> Result<Option<OwnedFd>, StepFault> {
        match fork() {
            Ok(Side::Child) => Ok(Some(connection)),
            Ok(Side::Parent(pid)) => {
                self.keepers.push(Keeper {
                    pid,
                    connection: Some(connection),
                    end: None,
                });
                Ok(None)
            }
            Err(errno) => Err(StepFault::Failed("fork", errno)),
        }
    }

    /// Reads lines of the log that no supervisor reads, so that nobody waits for room.
    fn throw_away(&self) {
        let mut line = [0; 1];
        for _ in 0..LINES_AT_ONCE {
            let read = |log| recv(log, &mut line, RecvFlags::DONTWAIT);
            if self.log.as_ref().map(read).is_none_or(|it| it.is_err()) {
                return;
            }
        }
    }

    /// Takes the remains of processes away, and tells whether the world is to end.
    fn is_over(&mut self) -> Result<bool, StepFault> {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, _))) => {
                    let ended = Pid::from_raw(pid.as_raw_nonzero().get());
                    self.keepers.retain(|keeper| keeper.pid != ended);
                }
                Ok(None) => break,
                Err(Errno::CHILD) => return Ok(true),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(StepFault::Failed("wait4", errno_of(errno))),
            }
        }
        let is_closed = || self.close.is_some_and(|close| close.left().is_zero());
        Ok(self.keepers.is_empty() && (!self.linger || is_closed()))
    }
}

/// What a keeper has received.
#[derive(Debug)]
pub(crate) struct Brought {
    /// The pid of the supervisor, on the host.
    pub(crate) supervisor: i32,
    /// How many processes the caller may have.
    pub(crate) processes: Limit,
    /// What is for the main process.
    pub(crate) arrival: OwnedFd,
    pub(crate) standard: [OwnedFd; 3],
    pub(crate) terminal: Inside,
    /// The file by which a process enters the login's cgroup.
    pub(crate) cgroup: Option<OwnedFd>,
}

impl Brought {
    /// Receives what a login brings; nothing where it is gone, or what it says makes no sense.
    pub(crate) fn receive(link: &Link) -> Option<Brought> {
        let end = Instant::now() + PATIENCE;
        let told = channel::is_readable_by(link.socket(), end).ok()?;
        if !told {
            return None;
        }
        let mut message = [0; Head::LONGEST];
        let (length, passed) =
            channel::receive_with(link.socket(), &mut message, RecvFlags::DONTWAIT).ok()?;
        let head = Head::decode(message.get(..length)?)?;
        let mut passed = passed.into_iter();
        let standard = [passed.next()?, passed.next()?, passed.next()?];
        let arrival = passed.next()?;
        let (mut terminal, mut cgroup) = (None, None);
        for (kind, fd) in head.kinds.chars().skip(4).zip(passed) {
            match kind {
                't' => terminal = Some(fd),
                'c' => cgroup = Some(fd),
                _ => return None,
            }
        }
        let terminal = Inside::of_word(head.terminal, terminal)?;
        Some(Brought {
            supervisor: head.supervisor,
            processes: head.processes,
            arrival,
            standard,
            terminal,
            cgroup,
        })
    }
}

/// What a keeper does for the rest of the session: lets the main process go once its supervisor says so, passes orders on, reports,
/// and leaves when the main process has ended. What lingers is init's then. A session whose supervisor is gone ends.
///
/// # Errors
/// A call that failed. The caller ends the process; the supervisor sees it.
pub(crate) fn keep(main: Pid, mut link: Link, terminal: Option<OwnedFd>) -> Result<(), StepFault> {
    let signals = catch_signals()?;
    // A main process that was refused before the signals were caught tells nobody.
    let mut look = true;
    loop {
        let [told, signalled] = match look {
            true => [false, true],
            false => {
                let socket = link.socket().as_fd();
                ready((socket, PollFlags::IN), signals.as_fd(), None)
            }
        };
        look = false;
        if told {
            match receive::<1>(link.socket()) {
                Some(_) => break,
                None => return end(main),
            }
        }
        if signalled {
            arrived(&signals).for_each(drop);
            if reap_all(main)?.main.is_some() {
                return Ok(());
            }
        }
    }
    link.let_main_go()?;
    let supervisor = link.into_socket();
    match follow(main, &supervisor, &signals, terminal, true)? {
        After::Abandoned => end(main),
        After::Stay | After::Leave => Ok(()),
    }
}

/// Ends a main process that has not been reaped, and its process group.
fn end(main: Pid) -> Result<(), StepFault> {
    for process in [Pid::from_raw(-main.as_raw()), main] {
        match kill(process, libc::SIGKILL) {
            // It has ended already.
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
