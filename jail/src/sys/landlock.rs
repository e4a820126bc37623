//! landlock_create_ruleset(2): the one question that restricts nothing.

use std::ptr;

use nix::errno::Errno;

/// LANDLOCK_CREATE_RULESET_VERSION
const VERSION: libc::c_uint = 1;

/// Asks the kernel for its Landlock ABI.
///
/// # Errors
/// ENOSYS where Landlock is not built in, EOPNOTSUPP where it was not enabled at boot.
pub(crate) fn abi() -> Result<i32, Errno> {
    // SAFETY: with a null attribute of size 0 the kernel reads no memory of ours.
    let result = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            ptr::null::<libc::c_void>(),
            0_usize,
            VERSION,
        )
    };
    let abi = Errno::result(result)?;
    i32::try_from(abi).map_err(|_| Errno::ERANGE)
}
