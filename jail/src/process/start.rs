//! The first instructions of a privileged program: whatever the caller left us with is made sane before anything
//! is looked up, opened or believed.
//!
//! It reads nothing of the config and knows nobody's name.

use std::time::{Duration, Instant};

use nix::{
    errno::Errno,
    sys::{
        personality,
        resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit},
    },
};
use rustix::{
    fs::Mode,
    process::{DumpableBehavior, chdir, set_dumpable_behavior, umask},
    thread::{CapabilitySet, capabilities},
};

use crate::{
    fault::{self, StepFault, errno_of, expect_in_force},
    process::descriptors::{self, BadDescriptor, DescriptorFault},
    sys::{
        close_range::close_range_from,
        environment,
        signal::{Disposition, LAST_SIGNAL, rt_sigaction, rt_sigpending, rt_sigprocmask},
        timer::{SignalTimer, kill_after, stop_itimer},
    },
};

pub use crate::sys::environment::in_empty_environment;

/// Limits that a caller can lower so far that set-up fails half-way, and what set-up needs of them.
///
/// CPU time in seconds, sizes in bytes.
const WORKING_LIMITS: [(Resource, u64); 7] = [
    (Resource::RLIMIT_CORE, 0),
    (Resource::RLIMIT_NOFILE, 256),
    (Resource::RLIMIT_FSIZE, RLIM_INFINITY),
    (Resource::RLIMIT_AS, RLIM_INFINITY),
    (Resource::RLIMIT_DATA, RLIM_INFINITY),
    (Resource::RLIMIT_CPU, RLIM_INFINITY),
    (Resource::RLIMIT_NPROC, RLIM_INFINITY),
];

/// How long the building of a world may take, in seconds. It takes about a millisecond. Whoever waits for it says so in the log.
pub(crate) const DEADLINE: u32 = 20;

/// How much later a process is killed that could not end by itself, in seconds.
const GRACE: u32 = 5;

/// How many open files setting up takes at least. A caller that may not have more than the fewest is refused.
const FEWEST_DESCRIPTORS: u64 = 16;

/// What the caller's process had before it was made sane, and gets back when the user's program starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inherited {
    /// The resource limits that were changed for the time of set-up.
    pub limits: Vec<Limit>,
}

/// A resource limit; `RLIM_INFINITY` is the largest number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What it limits.
    pub resource: Resource,
    /// The limit in force.
    pub soft: u64,
    /// What the soft limit may be raised to.
    pub hard: u64,
}

/// Why a process can't be made sane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartFault {
    /// A standard descriptor is refused.
    Descriptor(BadDescriptor),
    /// A system call failed.
    Step(StepFault),
}

impl From<DescriptorFault> for StartFault {
    fn from(fault: DescriptorFault) -> StartFault {
        match fault {
            DescriptorFault::Bad(bad) => StartFault::Descriptor(bad),
            DescriptorFault::Failed(call, errno) => failure(call, errno),
        }
    }
}

/// Makes environment, descriptors, signals, timers, umask and the working directory sane. Needs no privilege. Its first act is
/// to arm the watchdog. The environment is empty from here on: what a session may inherit of it is to be taken before.
///
/// # Errors
/// A descriptor from 0 to 2 that could carry a way out of a jail, or a system call that failed.
pub fn sanitize() -> Result<Watchdog, StartFault> {
    let watchdog = Watchdog::arm().map_err(StartFault::Step)?;
    // The C library, its name services and Rust's runtime obey variables, and these are the caller's.
    environment::clear();
    failed("close_range", close_range_from(3))?;
    failed(
        "prctl PR_SET_DUMPABLE",
        set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(errno_of),
    )?;
    // Before the signals get their default action: a timer that runs on would send one that ends us.
    for timer in [libc::ITIMER_REAL, libc::ITIMER_VIRTUAL, libc::ITIMER_PROF] {
        failed("setitimer", stop_itimer(timer))?;
    }
    failed("reset signals", reset_signals())?;
    set_job_control(Disposition::Ignore).map_err(StartFault::Step)?;
    failed(
        "personality",
        personality::set(personality::Persona::empty()).map(drop),
    )?;
    umask(Mode::from_raw_mode(0o077));
    failed("chdir /", chdir("/").map_err(errno_of))?;
    descriptors::make_sane()?;
    Ok(watchdog)
}

/// Raises the limits that set-up needs, takes core dumps away, and remembers what they were.
///
/// Where CAP_SYS_RESOURCE is missing, as in many containers, a soft limit is raised as far as the hard one lets it;
/// a set-up that this is not enough for fails, and refuses the login.
///
/// # Errors
/// A limit that can't be set.
pub fn take_limits() -> Result<Inherited, StartFault> {
    let may_raise_hard = capabilities(None)
        .map_err(|errno| failure("capget", errno_of(errno)))?
        .effective
        .contains(CapabilitySet::SYS_RESOURCE);
    let mut limits = Vec::with_capacity(WORKING_LIMITS.len());
    for (resource, needed) in WORKING_LIMITS {
        let (soft, hard) = getrlimit(resource).map_err(|errno| failure("getrlimit", errno))?;
        let maximum = if may_raise_hard {
            hard.max(needed)
        } else {
            hard
        };
        let current = match resource {
            Resource::RLIMIT_CORE => 0,
            _ => soft.max(needed).min(maximum),
        };
        if (current, maximum) != (soft, hard) {
            let set = match setrlimit(resource, current, maximum) {
                // In a user namespace of its own the capability is there, and without effect.
                Err(Errno::EPERM) => setrlimit(resource, current.min(hard), hard),
                other => other,
            };
            failed("setrlimit", set)?;
        }
        if resource == Resource::RLIMIT_NOFILE {
            insist_on_descriptors()?;
        }
        limits.push(Limit {
            resource,
            soft,
            hard,
        });
    }
    Ok(Inherited { limits })
}

/// Refuses where a file that is there would look as if it were not.
fn insist_on_descriptors() -> Result<(), StartFault> {
    let (soft, hard) =
        getrlimit(Resource::RLIMIT_NOFILE).map_err(|errno| failure("getrlimit", errno))?;
    if soft >= FEWEST_DESCRIPTORS {
        return Ok(());
    }
    Err(StartFault::Step(StepFault::Unfit(format!(
        "the caller may have {hard} open files, {FEWEST_DESCRIPTORS} are needed; raise its hard limit (ulimit -Hn)"
    ))))
}

/// Ends this process when it takes too long with root's privileges, also while it is stopped; and keeps a key of its terminal
/// from stopping it until then. SIGSTOP is the one that can't be kept away: a user can send it only before the first step.
#[derive(Debug)]
#[must_use = "a process that keeps it is killed"]
pub struct Watchdog {
    timer: SignalTimer,
    armed: Instant,
}

impl Watchdog {
    /// Begins to watch. A child of fork(2) is not watched.
    ///
    /// # Errors
    /// timer_create(2) or sigaction(2) failed.
    pub fn arm() -> Result<Watchdog, StepFault> {
        let timer = kill_after(DEADLINE + GRACE).map_err(fault::failed("timer_create"))?;
        set_job_control(Disposition::Ignore)?;
        Ok(Watchdog {
            timer,
            armed: Instant::now(),
        })
    }

    /// Tells how long a wait may take that says so in the log: what came before it counts, or this process would be killed first.
    pub(crate) fn left(&self) -> Duration {
        Duration::from_secs(DEADLINE.into()).saturating_sub(self.armed.elapsed())
    }

    /// Ends the watch, once there are no privileges left.
    ///
    /// # Errors
    /// The timer goes on.
    pub(crate) fn disarm(self) -> Result<(), StepFault> {
        let gone = self.timer.delete().map_err(fault::failed("timer_delete"))?;
        expect_in_force("the end of the deadline", gone)?;
        set_job_control(Disposition::Default)
    }

    /// Lets go of the parent's watchdog, in a child that it does not watch.
    pub(crate) fn forget(self) {}
}

/// Sets what the signals do by which a terminal stops a process: SIGSTOP is not among them.
fn set_job_control(disposition: Disposition) -> Result<(), StepFault> {
    for signal in [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU] {
        rt_sigaction(signal, disposition).map_err(fault::failed("rt_sigaction"))?;
    }
    Ok(())
}

/// Sets every signal to its default, with none blocked and none pending from before.
fn reset_signals() -> Result<(), Errno> {
    // Blocked first, so that nothing arrives while a disposition changes; what had arrived is ignored for a moment,
    // because that is what makes the kernel forget it.
    rt_sigprocmask(u64::MAX)?;
    let pending = rt_sigpending()?;
    for signal in (1..=LAST_SIGNAL).filter(|it| ![libc::SIGKILL, libc::SIGSTOP].contains(it)) {
        if pending & (1 << (signal - 1)) != 0 {
            rt_sigaction(signal, Disposition::Ignore)?;
        }
        rt_sigaction(signal, Disposition::Default)?;
    }
    rt_sigprocmask(0)
}

fn failed(call: &'static str, result: Result<(), Errno>) -> Result<(), StartFault> {
    result.map_err(|errno| failure(call, errno))
}

fn failure(call: &'static str, errno: Errno) -> StartFault {
    StartFault::Step(StepFault::Failed(call, errno))
}
