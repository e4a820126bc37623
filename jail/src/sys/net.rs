//! netdevice(7): the loopback interface. unix(7): who is at the other end.

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

/// Gives pid and uid of who connected a socket of AF_UNIX, or of who began to listen where this process has connected: SO_PEERCRED of
/// unix(7). The pid is 0 where that process is in no pid namespace below this one's.
///
/// # Errors
/// ENOTCONN, or the socket is of another family.
pub(crate) fn peer_of(socket: impl AsFd) -> Result<(libc::pid_t, libc::uid_t), Errno> {
    let mut peer = libc::ucred {
        pid: 0,
        uid: libc::uid_t::MAX,
        gid: libc::gid_t::MAX,
    };
    let mut length =
        libc::socklen_t::try_from(size_of::<libc::ucred>()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: `peer` is a ucred of `length` bytes, which the kernel fills.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut length,
        )
    };
    Errno::result(result).map(|_| (peer.pid, peer.uid))
}
