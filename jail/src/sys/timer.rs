//! setitimer(2), whose timers are inherited through execve(2), and timer_create(2), whose timers end at it.

use std::{mem::MaybeUninit, ptr, time::Duration};

use nix::errno::Errno;

static NEVER: libc::itimerval = libc::itimerval {
    it_interval: libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    },
    it_value: libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    },
};

/// Stops the interval timer `which` (ITIMER_REAL is alarm(2)'s too).
///
/// # Errors
/// EINVAL for a number that is no timer.
pub(crate) fn stop_itimer(which: libc::c_int) -> Result<(), Errno> {
    // SAFETY: `NEVER` is valid for reads and no old value is asked for.
    let result = unsafe { libc::setitimer(which, &raw const NEVER, ptr::null_mut()) };
    Errno::result(result).map(drop)
}

/// A timer that sends a signal to this process. It ends with the process, or at execve(2); a child of fork(2) has none.
#[derive(Debug)]
pub(crate) struct SignalTimer(libc::timer_t);

/// Arms a timer that kills this process in so many seconds, also while it is stopped. The first process of a pid namespace is
/// not killed by a timer of its own.
///
/// # Errors
/// EAGAIN where the real user has as many signals pending as RLIMIT_SIGPENDING allows.
pub(crate) fn kill_after(seconds: u32) -> Result<SignalTimer, Errno> {
    let timer = SignalTimer::new(libc::SIGKILL, libc::CLOCK_BOOTTIME)?;
    timer.set(Duration::from_secs(seconds.into()))?;
    Ok(timer)
}

/// Arms a timer that continues this process, if it is stopped then. An interval would be of no use: the kernel sets a timer again when
/// its signal is taken, which a process that has stopped since does not do.
///
/// # Errors
/// As [`kill_after`].
pub(crate) fn continue_after(time: Duration) -> Result<SignalTimer, Errno> {
    let timer = SignalTimer::new(libc::SIGCONT, libc::CLOCK_BOOTTIME)?;
    timer.set(time)?;
    Ok(timer)
}

/// Arms a timer that kills this process, also while it is stopped, unless it is set anew before. A time in which the machine is
/// suspended does not count.
///
/// # Errors
/// As [`kill_after`].
pub(crate) fn kill_unless_set_within(time: Duration) -> Result<SignalTimer, Errno> {
    let timer = SignalTimer::new(libc::SIGKILL, libc::CLOCK_MONOTONIC)?;
    timer.set(time)?;
    Ok(timer)
}

impl SignalTimer {
    fn new(signal: libc::c_int, clock: libc::clockid_t) -> Result<SignalTimer, Errno> {
        // SAFETY: sigevent is plain data, for which all zeroes are a value.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = signal;
        let mut timer: libc::timer_t = ptr::null_mut();
        // SAFETY: `event` is valid for reads and `timer` for writes.
        let made = unsafe { libc::timer_create(clock, &raw mut event, &raw mut timer) };
        Errno::result(made)?;
        Ok(SignalTimer(timer))
    }

    /// Sets when the timer sends its signal, counted from now, whatever it was set to before.
    ///
    /// # Errors
    /// EINVAL for a time that is too long for the kernel.
    pub(crate) fn set(&self, time: Duration) -> Result<(), Errno> {
        // A time of 0 would be no timer.
        let time = time.max(Duration::from_millis(1));
        let never = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let times = libc::itimerspec {
            it_interval: never,
            it_value: libc::timespec {
                tv_sec: libc::time_t::try_from(time.as_secs()).map_err(|_| Errno::EINVAL)?,
                tv_nsec: time.subsec_nanos().into(),
            },
        };
        // SAFETY: the timer was made by timer_create, `times` is valid for reads, and no old value is asked for.
        let set = unsafe { libc::timer_settime(self.0, 0, &raw const times, ptr::null_mut()) };
        Errno::result(set).map(drop)
    }

    /// Takes the timer away, and tells whether it is gone.
    ///
    /// # Errors
    /// EINVAL where it was gone before: in a child of fork(2).
    pub(crate) fn delete(self) -> Result<bool, Errno> {
        // SAFETY: the timer was made by timer_create and is deleted once, because this consumes it.
        let result = unsafe { libc::timer_delete(self.0) };
        Errno::result(result)?;
        let mut left = MaybeUninit::uninit();
        // SAFETY: `left` is valid for writes; the kernel knows no timer by a number that it has given back: timer_gettime(2).
        let asked = unsafe { libc::timer_gettime(self.0, left.as_mut_ptr()) };
        Ok(Errno::result(asked) == Err(Errno::EINVAL))
    }
}
