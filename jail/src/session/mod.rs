//! The two processes that stand around a fully isolated session.
//!
//! *Outside*, the supervisor is the process that sshd or su started. It gives its privileges up, passes signals on, and
//! ends as the jailed shell ended. *Inside*, init is pid 1: it reaps, and leaves when `linger` lets it. Neither holds
//! the session's standard descriptors, so that a client sees the end of the output when the session's own processes
//! have closed it.
//!
//! They talk over a socket: one byte lets init go on once the supervisor has nothing left to give up, further ones are
//! orders, and init reports how the main process stopped and ended. Each sees by it that the other is gone.

pub(crate) mod terminal;

use std::{
    fs::OpenOptions,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use nix::{
    errno::Errno,
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd, siginfo},
    },
    unistd::{Pid, getpgrp, getpid, tcsetpgrp},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair},
    pipe::{PipeFlags, pipe_with},
    process::{
        DumpableBehavior, Resource, Rlimit, WaitOptions, WaitStatus, set_dumpable_behavior,
        set_parent_process_death_signal, setrlimit, wait, waitpid,
    },
};

use crate::{
    fault::{StepFault, hold, number, raw},
    process::{privilege::charged_to, start},
    session::terminal::{Inside, Relay, has_more_than_room, poll_all},
    sys::{
        process::{Side, fork},
        signal::{
            Disposition, LAST_SIGNAL, kill, rt_sigaction, rt_sigprocmask, send_signal_when_readable,
        },
    },
};

/// SI_KERNEL: a signal the kernel sent by itself, such as a terminal's: sigaction(2).
const SI_KERNEL: i32 = 0x80;

/// How many signals are taken before something else gets its turn.
const SIGNALS_AT_ONCE: usize = 32;

/// The pid of a namespace's init.
const INIT: Pid = Pid::from_raw(1);

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By exit(2), with this status.
    Exited(u8),
    /// By this signal.
    Killed(i32),
}

/// What init tells the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Report {
    /// The main process has ended.
    Ended(Ended),
    /// The main process has stopped, by this signal.
    Stopped(i32),
    /// A stopped main process goes on.
    Continued,
    /// Others are left, and end with init: the session is over when init is.
    NoLinger,
}

impl Report {
    fn encode(self) -> [u8; 2] {
        match self {
            Report::Ended(Ended::Exited(status)) => [b'e', status],
            Report::Ended(Ended::Killed(signal)) => [b'k', u8::try_from(signal).unwrap_or(0)],
            Report::Stopped(signal) => [b's', u8::try_from(signal).unwrap_or(0)],
            Report::Continued => [b'c', 0],
            Report::NoLinger => [b'n', 0],
        }
    }

    fn decode(bytes: [u8; 2]) -> Option<Report> {
        match bytes {
            [b'e', status] => Some(Report::Ended(Ended::Exited(status))),
            [b'k', signal] => Some(Report::Ended(Ended::Killed(signal.into()))),
            [b's', signal] => Some(Report::Stopped(signal.into())),
            [b'c', _] => Some(Report::Continued),
            [b'n', _] => Some(Report::NoLinger),
            _ => None,
        }
    }
}

/// What the supervisor has init do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// Send a signal to the main process.
    Signal(i32),
    /// Send a signal to the main process's group, as a key of the terminal does.
    GroupSignal(i32),
    /// Put the main process into the foreground of the session's terminal, and continue it.
    Foreground,
    /// Take it out of there: it is stopped when it asks for what is typed.
    Background,
}

impl Order {
    const GROUP: u8 = 0x80;

    fn encode(self) -> [u8; 1] {
        let number = |signal| u8::try_from(signal).unwrap_or(0);
        [match self {
            Order::Signal(signal) => number(signal),
            Order::GroupSignal(signal) => number(signal) | Order::GROUP,
            Order::Foreground => b'F',
            Order::Background => b'B',
        }]
    }

    /// Reads an order. Signals end at 64, before the letters.
    fn decode(byte: u8) -> Order {
        match byte {
            b'F' => Order::Foreground,
            b'B' => Order::Background,
            signal if signal & Order::GROUP != 0 => {
                Order::GroupSignal((signal & !Order::GROUP).into())
            }
            signal => Order::Signal(signal.into()),
        }
    }
}

/// One end of the socket between supervisor and init, and what both need to let go of the standard descriptors.
#[derive(Debug)]
pub(crate) struct Link {
    socket: OwnedFd,
    null: OwnedFd,
    /// The end of a pipe by which init lets the main process go on: init writes, the main process reads.
    gate: Option<OwnedFd>,
}

/// Which process this is after a split.
#[derive(Debug)]
pub(crate) enum Split {
    /// The process that was there before, with the pid of the new one.
    Before(Pid, Link),
    /// The new process.
    After(Link),
}

/// Forks into a new pid namespace, which counts as the user's: the child is its init.
///
/// # Errors
/// The call that failed.
pub(crate) fn split_outside(uid: u32) -> Result<Split, StepFault> {
    let null = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map_err(|error| StepFault::Failed("open /dev/null", number(&error)))?;
    let null = OwnedFd::from(null);
    let (ours, theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .map_err(|errno| StepFault::Failed("socketpair", raw(errno)))?;
    charged_to(uid, || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWPID)
            .map_err(|errno| StepFault::Failed("unshare CLONE_NEWPID", errno))
    })?;
    match fork().map_err(|errno| StepFault::Failed("fork", errno))? {
        Side::Parent(child) => Ok(Split::Before(
            child,
            Link {
                socket: ours,
                null,
                gate: None,
            },
        )),
        Side::Child => {
            drop(ours);
            die_with_parent()?;
            start::set_deadline();
            hold("the new pid namespace", getpid() == INIT)?;
            Ok(Split::After(Link {
                socket: theirs,
                null,
                gate: None,
            }))
        }
    }
}

/// Forks the main process off init, once the supervisor has said that it is ready.
///
/// # Errors
/// The supervisor is gone, or the fork failed.
pub(crate) fn split_inside(mut link: Link, terminal: &Inside) -> Result<Split, StepFault> {
    let mut go = [0_u8; 1];
    match recv(&link.socket, &mut go, RecvFlags::empty()) {
        Ok((1, _)) => {}
        Ok(_) => return Err(StepFault::PeerGone("the supervisor")),
        Err(errno) => return Err(StepFault::Failed("recv from the supervisor", raw(errno))),
    }
    terminal.lead()?;
    let (read, write) =
        pipe_with(PipeFlags::CLOEXEC).map_err(|errno| StepFault::Failed("pipe2", raw(errno)))?;
    match fork().map_err(|errno| StepFault::Failed("fork", errno))? {
        Side::Parent(main) => {
            link.gate = Some(write);
            Ok(Split::Before(main, link))
        }
        Side::Child if getpid() == INIT => Err(StepFault::NotInForce("a new process")),
        Side::Child => {
            link.gate = Some(read);
            Ok(Split::After(link))
        }
    }
}

fn die_with_parent() -> Result<(), StepFault> {
    set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .map_err(|errno| StepFault::Failed("prctl PR_SET_PDEATHSIG", raw(errno)))
}

impl Link {
    /// Has the kernel kill this process with the supervisor. Once more after each change of ids, at which the kernel
    /// forgets it: prctl(2). A supervisor that has gone in between has closed its end.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub(crate) fn die_with_supervisor(&self) -> Result<(), StepFault> {
        die_with_parent()?;
        let mut fds = [PollFd::new(&self.socket, PollFlags::empty())];
        match poll(&mut fds, Some(&Timespec::default())) {
            Ok(0) => Ok(()),
            Ok(_) => Err(StepFault::PeerGone("the supervisor")),
            Err(errno) => Err(StepFault::Failed("poll", raw(errno))),
        }
    }

    /// Waits, in the main process, until init has nothing of root's left.
    ///
    /// # Errors
    /// Init is gone, and this process will be in a moment.
    pub(crate) fn wait_for_init(self) -> Result<(), StepFault> {
        let mut go = [0_u8; 1];
        let gate = self.gate.as_ref();
        match gate.map(|gate| rustix::io::read(gate, &mut go)) {
            Some(Ok(1)) => Ok(()),
            Some(Err(errno)) => Err(StepFault::Failed("read from init", raw(errno))),
            _ => Err(StepFault::PeerGone("init")),
        }
    }

    /// Lets the main process go on.
    fn let_main_go(&mut self) -> Result<(), StepFault> {
        let Some(gate) = self.gate.take() else {
            return Ok(());
        };
        match rustix::io::write(gate, b"g") {
            // Refused and gone already: what it ended with is reported as any end.
            Ok(_) | Err(rustix::io::Errno::PIPE) => Ok(()),
            Err(errno) => Err(StepFault::Failed("write to the main process", raw(errno))),
        }
    }

    /// Keeps nothing but the socket.
    fn into_socket(self) -> OwnedFd {
        self.socket
    }

    /// Points the standard descriptors at /dev/null.
    fn let_go_of_standard(&self) -> Result<(), StepFault> {
        rustix::stdio::dup2_stdin(&self.null)
            .and_then(|()| rustix::stdio::dup2_stdout(&self.null))
            .and_then(|()| rustix::stdio::dup2_stderr(&self.null))
            .map_err(|errno| StepFault::Failed("dup2 /dev/null", raw(errno)))
    }
}

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
    link.let_go_of_standard()?;
    let socket = link.into_socket();
    // The main process can be continued or killed by others of its session, which a stopped supervisor would not
    // notice: so every report continues it.
    send_signal_when_readable(&socket, getpid(), libc::SIGCONT)
        .map_err(|errno| StepFault::Failed("fcntl F_SETSIG", errno))?;
    let ended = match send(&socket, b"g", SendFlags::NOSIGNAL).map_err(raw) {
        Ok(_) => {
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
            Some(Report::Continued) => {}
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
                if let Some(ended) = ended(status) {
                    return Ok(ended);
                }
            }
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(StepFault::Failed("wait4 for init", raw(errno))),
        }
    }
}

fn ended(status: WaitStatus) -> Option<Ended> {
    if let Some(signal) = status.terminating_signal() {
        return Some(Ended::Killed(signal));
    }
    // An exit status is one byte: wait(2).
    status
        .exit_status()
        .map(|status| Ended::Exited(u8::try_from(status & 0xff).unwrap_or(u8::MAX)))
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
    .map_err(raw);
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

/// What pid 1 does for the rest of the session: reap, pass signals on, report, and leave.
///
/// With `linger` it stays until the last process has ended; without, everything ends with the main process.
///
/// # Errors
/// A call that failed before it was ready. The caller ends the process, and the kernel ends the session with it.
pub(crate) fn reap(
    main: Pid,
    mut link: Link,
    mut terminal: Option<OwnedFd>,
    linger: bool,
) -> Result<(), StepFault> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|errno| StepFault::Failed("prctl PR_SET_DUMPABLE", raw(errno)))?;
    die_with_parent()?;
    let signals = catch_signals()?;
    link.let_go_of_standard()?;
    link.let_main_go()?;
    let mut supervisor = Some(link.into_socket());
    // A main process that has ended before the signals were caught tells nobody.
    let mut look = true;
    loop {
        let Some(socket) = &supervisor else {
            // The main process has ended, and others linger.
            wait_for(&signals);
            // Before the look: what arrives after it is there for the next round.
            arrived(&signals).for_each(drop);
            if reap_all(main)?.none_left {
                return Ok(());
            }
            continue;
        };
        let [told, signalled] = if look {
            [false, true]
        } else {
            ready((socket.as_fd(), PollFlags::IN), signals.as_fd())
        };
        look = false;
        if told {
            match receive(socket) {
                Some([order]) => obey(Order::decode(order), main, terminal.as_ref()),
                // The supervisor has been killed, and takes the session with it.
                None => return Ok(()),
            }
        }
        if !signalled {
            continue;
        }
        arrived(&signals).for_each(drop);
        let reaped = reap_all(main)?;
        match reaped.job {
            Some(Job::Stopped(signal)) => report(socket, Report::Stopped(signal)),
            Some(Job::Continued) => report(socket, Report::Continued),
            None => {}
        }
        if let Some(ended) = reaped.main {
            // Before the report: the supervisor shows what is still on its way until the last process has closed it.
            terminal = None;
            match (linger, reaped.none_left) {
                (true, false) => set_parent_process_death_signal(None)
                    .map_err(|errno| StepFault::Failed("prctl PR_SET_PDEATHSIG", raw(errno)))?,
                (false, false) => report(socket, Report::NoLinger),
                (_, true) => {}
            }
            report(socket, Report::Ended(ended));
            if !linger || reaped.none_left {
                return Ok(());
            }
            supervisor = None;
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
struct Reaped {
    main: Option<Ended>,
    job: Option<Job>,
    none_left: bool,
}

/// What the main process does between its start and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Job {
    Stopped(i32),
    Continued,
}

/// Waits for every child that has something to tell.
fn reap_all(main: Pid) -> Result<Reaped, StepFault> {
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
                } else if let Some(ended) = ended(status) {
                    found.main = Some(ended);
                }
            }
            Ok(None) => return Ok(found),
            Err(rustix::io::Errno::CHILD) => {
                found.none_left = true;
                return Ok(found);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(StepFault::Failed("wait4", raw(errno))),
        }
    }
}

/// Takes signals that have arrived: not all, for the user may send them faster than they can be read. Init looks at its
/// children after each lot, and heeds no other.
fn arrived(signals: &SignalFd) -> impl Iterator<Item = siginfo> {
    (0..SIGNALS_AT_ONCE).map_while(|_| signals.read_signal().ok().flatten())
}

/// Blocks every signal and makes a descriptor to read them from.
fn catch_signals() -> Result<SignalFd, StepFault> {
    let mut caught = SigSet::all();
    for fault in [
        Signal::SIGSEGV,
        Signal::SIGBUS,
        Signal::SIGFPE,
        Signal::SIGILL,
    ] {
        caught.remove(fault);
    }
    // Not by pthread_sigmask, whose errors nix takes for success: it returns them, and sets no errno.
    let blocked = (1..=LAST_SIGNAL)
        .filter(|number| !Signal::try_from(*number).is_ok_and(|signal| !caught.contains(signal)))
        .fold(0, |mask, number| mask | 1 << (number - 1));
    rt_sigprocmask(blocked).map_err(|errno| StepFault::Failed("rt_sigprocmask", errno))?;
    SignalFd::with_flags(&caught, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .map_err(|errno| StepFault::Failed("signalfd", errno))
}

/// Waits until the socket or the signals have something to read, and tells which; also until the socket has what else is
/// wanted of it.
fn ready((socket, wanted): (BorrowedFd<'_>, PollFlags), signals: BorrowedFd<'_>) -> [bool; 2] {
    let [socket, signals] = poll_all(&mut [
        PollFd::from_borrowed_fd(socket, wanted),
        PollFd::from_borrowed_fd(signals, PollFlags::IN),
    ]);
    [has_more_than_room(socket), !signals.is_empty()]
}

fn has_input(socket: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(socket, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

fn wait_for(signals: &SignalFd) {
    let mut fds = [PollFd::new(signals, PollFlags::IN)];
    match poll(&mut fds, None) {
        Ok(_) | Err(_) => {}
    }
}

fn report(socket: &OwnedFd, report: Report) {
    match send(socket, &report.encode(), SendFlags::NOSIGNAL) {
        // A supervisor that is gone needs no report.
        Ok(_) | Err(_) => {}
    }
}

/// Reads a message of the other side; nothing when that is gone and has left none.
fn receive<const LENGTH: usize>(socket: &OwnedFd) -> Option<[u8; LENGTH]> {
    let mut bytes = [0_u8; LENGTH];
    let mut was_reset = false;
    loop {
        match recv(socket, &mut bytes, RecvFlags::empty()) {
            Ok((length, _)) => return (length == LENGTH).then_some(bytes),
            Err(rustix::io::Errno::INTR) => {}
            // The other side ended with something unread. That is told once, before what is queued.
            Err(rustix::io::Errno::CONNRESET) if !was_reset => was_reset = true,
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Order, Orders};

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
