//! Signals and messages, waited for together: signalfd(2), poll(2).

use std::{
    os::fd::{BorrowedFd, OwnedFd},
    time::Duration,
};

use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd, siginfo},
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{
    fault::{StepFault, failed},
    sys::signal::{LAST_SIGNAL, rt_sigprocmask},
};

/// How many signals are taken before something else gets its turn.
const SIGNALS_AT_ONCE: usize = 32;

/// Blocks every signal and makes a descriptor to read them from.
pub(crate) fn catch_signals() -> Result<SignalFd, StepFault> {
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
    rt_sigprocmask(blocked).map_err(failed("rt_sigprocmask"))?;
    SignalFd::with_flags(&caught, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .map_err(failed("signalfd"))
}

/// Takes signals that have arrived: not all, for the user may send them faster than they can be read. Init looks at its
/// children after each lot, and heeds no other.
pub(crate) fn arrived(signals: &SignalFd) -> impl Iterator<Item = siginfo> {
    (0..SIGNALS_AT_ONCE).map_while(|_| signals.read_signal().ok().flatten())
}

/// Waits until the socket or the signals have something to read, and tells which; also until the socket has what else is
/// wanted of it.
pub(crate) fn ready(
    (socket, wanted): (BorrowedFd<'_>, PollFlags),
    signals: BorrowedFd<'_>,
    longest: Option<Duration>,
) -> [bool; 2] {
    let fds = &mut [
        PollFd::from_borrowed_fd(socket, wanted),
        PollFd::from_borrowed_fd(signals, PollFlags::IN),
    ];
    let [socket, signals] = poll_all(fds, longest);
    [has_more_than_room(socket), !signals.is_empty()]
}

/// As [`ready`], with a third descriptor.
pub(crate) fn ready_with(
    (socket, wanted): (BorrowedFd<'_>, PollFlags),
    [signals, others]: [BorrowedFd<'_>; 2],
    longest: Option<Duration>,
) -> [bool; 3] {
    let fds = &mut [
        PollFd::from_borrowed_fd(socket, wanted),
        PollFd::from_borrowed_fd(signals, PollFlags::IN),
        PollFd::from_borrowed_fd(others, PollFlags::IN),
    ];
    let [socket, signals, others] = poll_all(fds, longest);
    [
        has_more_than_room(socket),
        !signals.is_empty(),
        !others.is_empty(),
    ]
}

pub(crate) fn has_input(socket: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(socket, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

pub(crate) fn wait_for(signals: &SignalFd, longest: Option<Duration>) {
    let _ = poll_all(&mut [PollFd::new(signals, PollFlags::IN)], longest);
}

/// Tells whether a descriptor has something to read or to say, and not only room for what is written to it.
pub(crate) fn has_more_than_room(flags: PollFlags) -> bool {
    !flags.difference(PollFlags::OUT).is_empty()
}

/// Waits for any of these and tells what each has; nothing where the wait was interrupted, or has lasted for the longest time.
pub(crate) fn poll_all<const N: usize>(
    fds: &mut [PollFd<'_>; N],
    longest: Option<Duration>,
) -> [PollFlags; N] {
    // What is too long for the kernel's type is no limit.
    let longest = longest.and_then(|it| Timespec::try_from(it).ok());
    match poll(fds, longest.as_ref()) {
        Ok(_) => {
            std::array::from_fn(|index| fds.get(index).map_or(PollFlags::empty(), PollFd::revents))
        }
        Err(_) => [PollFlags::empty(); N],
    }
}
