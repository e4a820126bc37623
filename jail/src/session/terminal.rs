//! The terminal of a session, and what of its caller's it never gets.
//!
//! sshd's is made for the session, and becomes the session's own. That of su or login belongs to whoever called:
//! who holds it reads what its owner types next, and can take it over. So it stays outside. The session gets a new
//! one, and the supervisor carries what is typed and shown between the two, as `su --pty` and sudo's `use_pty` do.

use std::{
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use nix::unistd::{Pid, getpgrp, getpid, getsid, setpgid, setsid, tcgetpgrp, tcsetpgrp};
use rustix::{
    fs::{Mode, OFlags, fcntl_setfl, open},
    io::fcntl_dupfd_cloexec,
    pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt},
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout, stderr, stdin, stdout},
    termios::{OptionalActions, isatty, tcgetattr, tcgetsid, tcsetattr},
};

use crate::{
    fault::{StepFault, expect_in_force, failed},
    process::privilege::as_user,
    session::{close::Close, idle::Idle, place::Place, relay::Relay},
    sys::{
        signal::{Disposition, rt_sigaction, rt_sigprocmask},
        terminal::{give_up_terminal, take_terminal},
    },
};

/// What the processes inside do with the terminal.
#[derive(Debug)]
pub(crate) enum Inside {
    /// The caller leads its session (sshd): the main process gets a session of its own, and the terminal, if any.
    Own(Option<Standard>),
    /// The caller's terminal stays outside, and this one takes its place.
    Relayed {
        terminal: OwnedFd,
        /// Which of the standard descriptors it takes the place of.
        standard: [bool; 3],
        /// Who leads the session on it.
        leader: Leader,
        /// Whether the main process begins in the foreground. Otherwise it is given that when it asks for it.
        foreground: bool,
    },
    /// No terminal, and the caller leads no session: init leads a new one, lest /dev/tty be the caller's.
    Without,
}

/// Who leads a session whose terminal is relayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leader {
    /// Init, and the main process is a job of it: a process group whose leader's parent is in the same session can be stopped,
    /// as it could without a jail.
    Init,
    /// The main process, as the caller led its own (sshd).
    Main,
}

/// What the supervisor has of the terminal.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    pub(crate) relay: Option<Relay>,
    pub(crate) idle: Option<Idle>,
    /// When the session ends at the latest.
    pub(crate) close: Option<Close>,
    /// The session's own terminal, to tell its user then.
    pub(crate) own: Option<OwnedFd>,
}

/// What the config asks of the supervisor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Whether what the terminal shows is recorded.
    pub(crate) recorded: bool,
    /// How long it may be without input and output.
    pub(crate) idle: Option<Duration>,
    /// When the session ends at the latest.
    pub(crate) close: Option<Close>,
}

/// Tells whether standard input, output and error are a terminal, all three.
#[must_use]
pub fn is_complete() -> bool {
    Standard::ALL.into_iter().all(|it| isatty(it.fd()))
}

/// A standard descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Standard {
    Input,
    Output,
    Errors,
}

impl Standard {
    const ALL: [Standard; 3] = [Standard::Input, Standard::Output, Standard::Errors];

    /// Finds the first that is a terminal.
    fn first_terminal() -> Option<Standard> {
        Standard::ALL.into_iter().find(|it| isatty(it.fd()))
    }

    fn fd(self) -> BorrowedFd<'static> {
        match self {
            Standard::Input => stdin(),
            Standard::Output => stdout(),
            Standard::Errors => stderr(),
        }
    }
}

/// Looks at the standard descriptors, and makes a terminal where the session can't have the caller's, or where what it shows
/// is recorded.
///
/// # Errors
/// A descriptor that can't be copied, or the host has no /dev/ptmx.
pub(crate) fn of_caller(
    (uid, gid): (u32, u32),
    wanted: Wanted,
) -> Result<(Inside, Outside), StepFault> {
    let session = getsid(None).map_err(failed("getsid"))?;
    let leads = session == getpid();
    let standard = Standard::ALL.map(Standard::fd);
    let terminals = standard.map(isatty);
    let Some(first) = Standard::first_terminal() else {
        let inside = if leads {
            Inside::Own(None)
        } else {
            Inside::Without
        };
        let outside = Outside {
            close: wanted.close,
            ..Outside::default()
        };
        return Ok((inside, outside));
    };
    let mut all = standard.iter().zip(terminals);
    let is_own = leads && all.all(|(fd, is)| !is || is_of(*fd, session));
    if is_own && !wanted.recorded {
        let own = || open_anew(first.fd()).or_else(|_| copy(first.fd()));
        let limit = wanted.idle;
        let idle = limit.map(|limit| own().map(|own| Idle::new(limit, Some(own))));
        let told = wanted.close.map(|_| own());
        let outside = Outside {
            relay: None,
            idle: idle.transpose()?,
            close: wanted.close,
            own: told.transpose()?,
        };
        return Ok((Inside::Own(Some(first)), outside));
    }
    let (controller, terminal) = as_user(uid, gid, new_terminal)?;
    let mut relay = relay(first.fd(), terminals, controller, session)?;
    let leader = match is_own {
        true => Leader::Main,
        false => Leader::Init,
    };
    tcsetattr(&terminal, OptionalActions::Now, &relay.saved).map_err(failed("tcsetattr"))?;
    relay.resize();
    let inside = Inside::Relayed {
        terminal,
        standard: terminals,
        leader,
        foreground: relay.wanted,
    };
    let outside = Outside {
        relay: Some(relay),
        idle: wanted.idle.map(|limit| Idle::new(limit, None)),
        close: wanted.close,
        own: None,
    };
    Ok((inside, outside))
}

/// Tells whether a terminal is that of a session.
fn is_of(terminal: BorrowedFd<'_>, session: Pid) -> bool {
    tcgetsid(terminal).is_ok_and(|sid| sid.as_raw_nonzero().get() == session.as_raw())
}

/// Makes what carries between the caller's terminal and the controlling end of the session's. `first` is the first of the
/// standard descriptors that is a terminal; `terminals` says which are.
fn relay(
    first: BorrowedFd<'_>,
    terminals: [bool; 3],
    controller: OwnedFd,
    session: Pid,
) -> Result<Relay, StepFault> {
    let [input, shown, errors] = terminals;
    let output = match (shown, errors) {
        (true, _) => stdout(),
        (false, true) => stderr(),
        (false, false) => stdin(),
    };
    Ok(Relay {
        input: copy(first)?,
        output: open_anew(output).or_else(|_| copy(output))?,
        controller: Some(controller),
        place: Place::of(first, is_of(first, session))?,
        // In a pipeline, and behind `su -c`, whose session is not the terminal's, it has to ask.
        wanted: input && shown && tcgetpgrp(first) == Ok(getpgrp()),
        saved: tcgetattr(first).map_err(failed("tcgetattr"))?,
        // What else runs in a pipeline goes on writing to the caller's terminal.
        keeps_output_modes: !shown,
        granted: false,
        typed: Vec::new(),
        to_show: Vec::new(),
        held_return: false,
        last: Instant::now(),
        recorder: None,
    })
}

/// Opens a terminal once more, to write to it without waiting: whoever reads at its other end may stop, and the supervisor has
/// more to do. The caller's open file stays as it is. Where it can't be opened, because it is somebody else's and there are
/// file capabilities in place of the set-user-ID bit, that one has to do.
fn open_anew(terminal: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let path = format!("/proc/self/fd/{}", terminal.as_raw_fd());
    open(path, flags, Mode::empty())
}

/// Finds the terminal of a host program, which keeps it as it is: it is given a name inside, and no more.
pub(crate) fn of_host_program() -> Inside {
    Inside::Own(Standard::first_terminal())
}

/// Makes a pair of terminal ends on the host's devpts: pts(4). The first controls, the second is the session's.
fn new_terminal() -> Result<(OwnedFd, OwnedFd), StepFault> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let controller = openpt(flags).map_err(failed("open /dev/ptmx"))?;
    unlockpt(&controller).map_err(failed("ioctl TIOCSPTLCK"))?;
    let terminal = ioctl_tiocgptpeer(&controller, flags).map_err(failed("ioctl TIOCGPTPEER"))?;
    fcntl_setfl(&controller, OFlags::RDWR | OFlags::NONBLOCK).map_err(failed("fcntl F_SETFL"))?;
    Ok((controller, terminal))
}

impl Inside {
    /// Gives the terminal's descriptor, for a name in the new /dev.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Inside::Own(terminal) => terminal.map(Standard::fd),
            Inside::Relayed { terminal, .. } => Some(terminal.as_fd()),
            Inside::Without => None,
        }
    }

    /// Says in a word what it is, for the world that a login joins.
    pub(crate) fn in_a_word(&self) -> String {
        let sign = |is: bool, sign: char| if is { sign } else { '-' };
        match self {
            Inside::Own(None) => "own".to_owned(),
            Inside::Own(Some(standard)) => format!("own {}", *standard as u8),
            Inside::Without => "without".to_owned(),
            Inside::Relayed {
                standard: [input, output, errors],
                leader,
                foreground,
                ..
            } => [
                sign(*input, 'i'),
                sign(*output, 'o'),
                sign(*errors, 'e'),
                sign(*leader == Leader::Init, 'j'),
                sign(*foreground, 'f'),
            ]
            .iter()
            .collect(),
        }
    }

    /// Reads such a word. `terminal` is the one that takes the caller's place, where there is one.
    pub(crate) fn of_word(word: &str, terminal: Option<OwnedFd>) -> Option<Inside> {
        match (word, terminal) {
            ("own", None) => Some(Inside::Own(None)),
            ("without", None) => Some(Inside::Without),
            (own, None) => {
                let number = own.strip_prefix("own ")?.parse::<usize>().ok()?;
                let standard = *Standard::ALL.get(number)?;
                Some(Inside::Own(Some(standard)))
            }
            (relayed, Some(terminal)) => {
                let has = |sign| relayed.contains(sign);
                Some(Inside::Relayed {
                    terminal,
                    standard: [has('i'), has('o'), has('e')],
                    leader: if has('j') { Leader::Init } else { Leader::Main },
                    foreground: has('f'),
                })
            }
        }
    }

    /// Gives the terminal that takes the place of the caller's.
    pub(crate) fn relayed(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Inside::Relayed { terminal, .. } => Some(terminal.as_fd()),
            Inside::Own(_) | Inside::Without => None,
        }
    }

    /// Lets go of the caller's own terminal, for a process without privileges to take it. Nothing happens where that was done
    /// already.
    ///
    /// # Errors
    /// The call that failed.
    pub(crate) fn give_up(&self) -> Result<(), StepFault> {
        let Inside::Own(Some(standard)) = self else {
            return Ok(());
        };
        let terminal = standard.fd();
        if !is_of(terminal, getpid()) {
            return Ok(());
        }
        // The kernel hangs up whoever is in the foreground.
        rt_sigaction(libc::SIGHUP, Disposition::Ignore)
            .and_then(|()| give_up_terminal(terminal))
            .and_then(|()| rt_sigaction(libc::SIGHUP, Disposition::Default))
            .map_err(failed("ioctl TIOCNOTTY"))
    }

    /// Gives init a session to lead, where the main process is to be a job of it. Before the main process is forked off.
    ///
    /// # Errors
    /// The call that failed.
    pub(crate) fn lead(&self) -> Result<(), StepFault> {
        match self {
            Inside::Own(_)
            | Inside::Relayed {
                leader: Leader::Main,
                ..
            } => Ok(()),
            Inside::Relayed { terminal, .. } => lead_session(Some(terminal.as_fd())),
            Inside::Without => lead_session(None),
        }
    }

    /// Keeps what init needs to put the main process into the foreground.
    pub(crate) fn for_init(self) -> Option<OwnedFd> {
        match self {
            Inside::Relayed {
                terminal,
                leader: Leader::Init,
                ..
            } => Some(terminal),
            Inside::Relayed { .. } | Inside::Own(_) | Inside::Without => None,
        }
    }

    /// Sets up session, process group and terminal of the main process, which runs this while it is root still: taking
    /// a terminal from another session takes CAP_SYS_ADMIN.
    ///
    /// # Errors
    /// The call that failed.
    pub(crate) fn hand_over(self) -> Result<(), StepFault> {
        match self {
            Inside::Own(terminal) => lead_session(terminal.map(Standard::fd)),
            Inside::Without => lead_group(),
            Inside::Relayed {
                terminal,
                standard: [input, output, errors],
                leader,
                foreground,
            } => {
                match leader {
                    Leader::Main => lead_session(Some(terminal.as_fd()))?,
                    Leader::Init => lead_group()?,
                }
                if leader == Leader::Init && foreground {
                    take_foreground(&terminal, getpgrp())?;
                }
                let put = |wanted, result: fn(&OwnedFd) -> rustix::io::Result<()>| {
                    if wanted { result(&terminal) } else { Ok(()) }
                };
                put(input, |fd| dup2_stdin(fd))
                    .and_then(|()| put(output, |fd| dup2_stdout(fd)))
                    .and_then(|()| put(errors, |fd| dup2_stderr(fd)))
                    .map_err(failed("dup2 of the terminal"))
            }
        }
    }
}

fn lead_session(terminal: Option<BorrowedFd<'_>>) -> Result<(), StepFault> {
    let session = setsid().map_err(failed("setsid"))?;
    expect_in_force("a session of its own", session == getpid())?;
    let Some(terminal) = terminal else {
        return Ok(());
    };
    take_terminal(terminal).map_err(failed("ioctl TIOCSCTTY"))?;
    let taken = tcgetsid(terminal).map_err(failed("ioctl TIOCGSID"))?;
    expect_in_force(
        "the controlling terminal",
        taken.as_raw_nonzero().get() == session.as_raw(),
    )
}

fn lead_group() -> Result<(), StepFault> {
    let this = Pid::from_raw(0);
    setpgid(this, this).map_err(failed("setpgid"))?;
    expect_in_force("a process group of its own", getpgrp() == getpid())
}

/// Puts a group into the foreground. From the background that sends SIGTTOU, unless it is blocked: tcsetpgrp(3).
fn take_foreground(terminal: &OwnedFd, group: Pid) -> Result<(), StepFault> {
    rt_sigprocmask(u64::MAX)
        .and_then(|()| tcsetpgrp(terminal, group))
        .and_then(|()| rt_sigprocmask(0))
        .map_err(failed("tcsetpgrp"))
}

fn copy(fd: impl AsFd) -> Result<OwnedFd, StepFault> {
    fcntl_dupfd_cloexec(fd, 3).map_err(failed("fcntl F_DUPFD_CLOEXEC"))
}
