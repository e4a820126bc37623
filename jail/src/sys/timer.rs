//! setitimer(2). POSIX timers end at execve(2); these are inherited through it.

use std::ptr;

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
