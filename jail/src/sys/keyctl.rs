//! keyctl(2): the one operation that is needed.

use std::ptr;

use nix::errno::Errno;

const KEYCTL_JOIN_SESSION_KEYRING: libc::c_int = 1;

/// Joins a new, anonymous session keyring, so that the one inherited from the host (often that of whoever started
/// sshd) is out of reach: session-keyring(7).
///
/// # Errors
/// EDQUOT when the user's key quota is used up, ENOSYS on a kernel without keyrings, EPERM where a filter forbids it.
pub(crate) fn join_session_keyring() -> Result<(), Errno> {
    // SAFETY: with a null name the kernel reads no memory of ours.
    let result = unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            KEYCTL_JOIN_SESSION_KEYRING,
            ptr::null::<libc::c_char>(),
        )
    };
    Errno::result(result).map(drop)
}
