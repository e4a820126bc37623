//! netdevice(7): the loopback interface.

use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;

/// Brings the interface `lo` up. `socket` is any socket of AF_INET.
///
/// # Errors
/// EPERM without CAP_NET_ADMIN in the network namespace of the socket.
pub(crate) fn set_loopback_up(socket: impl AsFd) -> Result<(), Errno> {
    // SAFETY: ifreq is plain data, for which all zeroes are a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
        *to = *from as libc::c_char;
    }
    let up = libc::IFF_UP | libc::IFF_RUNNING;
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(up).map_err(|_| Errno::EINVAL)?;
    // SAFETY: SIOCSIFFLAGS reads one ifreq, which `request` is.
    let result = unsafe {
        libc::ioctl(
            socket.as_fd().as_raw_fd(),
            libc::SIOCSIFFLAGS,
            &raw const request,
        )
    };
    Errno::result(result).map(drop)
}
