//! seccomp(2): filters are not in nix or rustix.

use nix::errno::Errno;

/// Puts a filter before every system call of this thread and of all it will start, for good.
///
/// # Errors
/// EACCES without no_new_privs, EINVAL for a program the kernel does not take or a kernel without filters (before
/// Linux 3.17, or built without CONFIG_SECCOMP_FILTER), ENOMEM when the filters of the process are too long together.
pub(crate) fn seccomp_set_mode_filter(program: &[libc::sock_filter]) -> Result<(), Errno> {
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| Errno::EINVAL)?,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: `program` and the instructions it points to are valid for reads during the call, which copies them and
    // writes nothing.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0_u32,
            &raw const program,
        )
    };
    Errno::result(result).map(drop)
}
