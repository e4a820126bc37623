//! Memory that a process which waits has no use for: malloc_trim(3).

/// Gives the kernel back what was freed of the heap. It counts for nothing whether it could.
pub(crate) fn give_back() {
    // SAFETY: only what nobody has allocated is given back.
    unsafe { libc::malloc_trim(0) };
}
