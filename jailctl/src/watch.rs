//! Processes that come to have a jailed user's ids: whatever else has these can stop and kill
//! them.
//!
//! So a process of root's, which the user can neither stop nor kill, stands between them and who has asked. It ends them all
//! when time is up or one of them was stopped, those that were orphaned too, and then says so by its exit status.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use jail::session::{Ended, supervisor::end_like};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{
        Pid, PidfdFlags, Signal, WaitOptions, getpid, kill_process, pidfd_open,
        set_child_subreaper, wait,
    },
};

use crate::{
    failure::{Failure, Verdict},
    libexec::StandIn,
    process::Process,
};

/// How the process that watches ends when it had to end the others: because of the time, because one of them was stopped,
/// and when it could not, because one waits in the kernel.
const LATE: i32 = 124;
const STOPPED: i32 = 125;
const STUCK: i32 = 126;

/// How often is looked whether one was stopped. What is not stopped is done by then.
const PAUSE: Duration = Duration::from_millis(500);

/// How long processes may take to end after SIGKILL: one in an uninterruptible call, on a file system that does not
/// answer, ends when that returns.
const AFTER_KILL: Duration = Duration::from_secs(5);

/// What is to be run and watched, with the arguments that its caller adds.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) command: Command,
    /// Open until the command was started by it.
    _program: StandIn,
}

/// Prepares what stands in for a user to be run for so long, in seconds.
///
/// # Errors
/// The program is missing, or others than root can change it.
pub(crate) fn command(longest: &str, what: &str) -> Result<Watched, Failure> {
    let program = StandIn::open()?;
    let mut command = program.command();
    command
        .args(["watch", longest, what])
        // What is typed at the caller's terminal is not for it: stopped or killed it could end nothing.
        .process_group(0);
    Ok(Watched {
        command,
        _program: program,
    })
}

/// Runs what [`command`] has prepared and gives what it has printed. It does not wait for what is stuck in the kernel, and
/// may keep the pipes open.
///
/// # Errors
/// It can't be started, or not be read from.
pub(crate) fn output(mut watched: Watched) -> io::Result<Output> {
    let mut child = watched
        .command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    let pipes = [
        child.stdout.take().map(OwnedFd::from),
        child.stderr.take().map(OwnedFd::from),
    ];
    let [Some(stdout), Some(stderr)] = pipes else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let (mut stdout, mut stderr) = (File::from(stdout), File::from(stderr));
    let (mut said, mut errors) = (Vec::new(), Vec::new());
    loop {
        let [ended, told, complained] = ready([process.as_fd(), stdout.as_fd(), stderr.as_fd()])?;
        if told {
            read_some(&mut stdout, &mut said)?;
        }
        if complained {
            read_some(&mut stderr, &mut errors)?;
        }
        if ended && !told && !complained {
            break;
        }
    }
    Ok(Output {
        status: child.wait()?,
        stdout: said,
        stderr: errors,
    })
}

/// Waits until one of these is ready, and tells which have something to read.
fn ready(descriptors: [BorrowedFd<'_>; 3]) -> io::Result<[bool; 3]> {
    let mut polled = descriptors.map(|it| PollFd::from_borrowed_fd(it, PollFlags::IN));
    match poll(&mut polled, None) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    Ok(polled.map(|it| it.revents().contains(PollFlags::IN)))
}

fn read_some(from: &mut File, to: &mut Vec<u8>) -> io::Result<()> {
    let mut bytes = [0; 4096];
    let length = from.read(&mut bytes)?;
    to.extend(bytes.iter().take(length));
    Ok(())
}

/// Says why what was run did not come to its own end; nothing where it did.
pub(crate) fn cut_short(status: ExitStatus) -> Option<&'static str> {
    match status.code()? {
        LATE => Some("it was not done in time, and was ended"),
        STOPPED => Some("it was stopped by another process of the user's, and was ended"),
        STUCK => Some(
            "it waits in the kernel for a file system that does not answer, and can't be ended",
        ),
        _ => None,
    }
}

/// The process that watches: runs its own program with other arguments, and ends all that comes of it.
///
/// # Errors
/// It can't be started.
pub(crate) fn run(longest: u64, arguments: &[OsString]) -> Result<Verdict, Failure> {
    let failed = |error: io::Error| Failure::Failed(format!("watch a process: {error}"));
    // What loses its parent becomes a child of this process, which finds it so.
    set_child_subreaper(Some(getpid())).map_err(|errno| failed(errno.into()))?;
    // Itself, whatever has its name by now.
    let mut child = Command::new("/proc/self/exe")
        .args(arguments)
        .spawn()
        .map_err(failed)?;
    let ended = follow(&mut child, Duration::from_secs(longest)).map_err(failed)?;
    end_like(match (ended, end_all()) {
        (_, false) => exited(STUCK),
        (ended, true) => ended,
    })
}

/// Waits until the child has ended or has to be.
fn follow(child: &mut Child, longest: Duration) -> io::Result<Ended> {
    let started = Instant::now();
    let process = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    loop {
        let pause = Timespec::try_from(PAUSE).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&pause)) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(ending_of(child.wait()?)),
            Err(errno) => return Err(errno.into()),
        }
        let below = Process::own().descendants();
        if below.iter().filter_map(Process::stat).any(|it| it.stopped) {
            return Ok(exited(STOPPED));
        }
        if started.elapsed() >= longest {
            return Ok(exited(LATE));
        }
    }
}

fn exited(status: i32) -> Ended {
    Ended::Exited(u8::try_from(status).unwrap_or(u8::MAX))
}

fn ending_of(status: ExitStatus) -> Ended {
    match status.signal() {
        Some(signal) => Ended::Killed(signal),
        // Never 0 for an end that is neither.
        None => exited(status.code().unwrap_or(i32::MAX)),
    }
}

/// Kills every child, and what becomes one by that, until there is none; tells whether it came to that.
fn end_all() -> bool {
    let started = Instant::now();
    while started.elapsed() < AFTER_KILL {
        for child in Process::own().children() {
            if let Some(pid) = Pid::from_raw(child.pid) {
                // Ended already: its number is taken by no other before it was waited for.
                kill_process(pid, Signal::KILL).ok();
            }
        }
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return true,
            }
        }
        sleep(Duration::from_millis(5));
    }
    false
}
