//! Sockets between processes of our own: messages, descriptors that go with them, and a wait that ends.

use std::{
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Instant,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, IoSlice, IoSliceMut, Result},
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
    },
};

use crate::fault::{StepFault, failed};

/// How many descriptors go with a message at the most: the standard ones, and what a login brings to a world.
pub(crate) const MOST: usize = 6;

/// Makes the two ends of a socket that keeps messages apart.
///
/// # Errors
/// socketpair(2) failed.
pub(crate) fn pair() -> std::result::Result<(OwnedFd, OwnedFd), StepFault> {
    socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .map_err(failed("socketpair"))
}

/// Sends a message, and copies of descriptors with it: SCM_RIGHTS of unix(7).
///
/// # Errors
/// ENOBUFS for more than [`MOST`] descriptors, or sendmsg(2) failed.
pub(crate) fn send_with(
    socket: &OwnedFd,
    message: &[u8],
    passed: &[BorrowedFd<'_>],
) -> Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !passed.is_empty() && !control.push(SendAncillaryMessage::ScmRights(passed)) {
        return Err(Errno::NOBUFS);
    }
    sendmsg(
        socket,
        &[IoSlice::new(message)],
        &mut control,
        SendFlags::NOSIGNAL,
    )
}

/// Reads a message, of which it gives the length, and the descriptors that come with it.
///
/// # Errors
/// recvmsg(2) failed.
pub(crate) fn receive_with(
    socket: &OwnedFd,
    message: &mut [u8],
    flags: RecvFlags,
) -> Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut buffers = [IoSliceMut::new(message)];
    let flags = flags | RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(socket, &mut buffers, &mut control, flags)?;
    let passed = control.drain().filter_map(|it| match it {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    Ok((received.bytes, passed.flatten().collect()))
}

/// Waits until there is something to read, or the other side is gone. Gives false at the end of the time. A signal does not
/// end the wait.
///
/// # Errors
/// poll(2) failed.
pub(crate) fn is_readable_by(fd: impl AsFd, deadline: Instant) -> Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(|_| Errno::INVAL)?;
        match poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&timeout)) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}
