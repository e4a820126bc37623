//! _exit(2).

/// Ends this process and runs nothing on the way: no handler of atexit(3), which in a child of another program is that
/// program's own.
pub(crate) fn exit_at_once(status: i32) -> ! {
    // SAFETY: _exit takes an integer and does not return.
    unsafe { libc::_exit(status) }
}
