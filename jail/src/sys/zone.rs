//! The machine's time zone: tzset(3), localtime_r(3).

use std::mem::MaybeUninit;

use nix::errno::Errno;

unsafe extern "C" {
    fn tzset();
}

/// Reads the zone anew, as the environment says: without TZ it is /etc/localtime, and UTC where there is none.
pub fn read() {
    // SAFETY: it changes only what the C library keeps behind a lock of its own.
    unsafe { tzset() };
}

/// Gives how many seconds the clocks of the zone are ahead of UTC at a moment, in seconds since 1970.
///
/// # Errors
/// EOVERFLOW for a year that the C library has no number for.
pub(crate) fn offset_at(seconds: i64) -> Result<i64, Errno> {
    let mut shown = MaybeUninit::<libc::tm>::uninit();
    // SAFETY: `seconds` is valid for reads and `shown` for writes.
    let result = unsafe { libc::localtime_r(&raw const seconds, shown.as_mut_ptr()) };
    if result.is_null() {
        return Err(Errno::last());
    }
    // SAFETY: it has succeeded, and has filled all of it in.
    Ok(unsafe { shown.assume_init() }.tm_gmtoff)
}
