//! What goes from one process of our own to another: messages, descriptors that go with them, files in memory for what is too
//! long for a message, and a wait that ends.

use std::{
    fs::File,
    io::{Read, Seek, Write},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Instant,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{MemfdFlags, memfd_create},
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

/// Makes a file in memory of these bytes, to be passed to another process: memfd_create(2). `name` is for /proc/PID/fd.
///
/// # Errors
/// The file can't be made or written.
pub(crate) fn pack(name: &str, bytes: &[u8]) -> std::result::Result<OwnedFd, StepFault> {
    let file = memfd_create(name, MemfdFlags::CLOEXEC).map_err(failed("memfd_create"))?;
    let mut file = File::from(file);
    file.write_all(bytes)
        .and_then(|()| file.rewind())
        .map_err(failed("write to a file in memory"))?;
    Ok(file.into())
}

/// Reads what [`pack`] has written, up to `longest` bytes.
///
/// # Errors
/// read(2) failed.
pub(crate) fn unpack(file: OwnedFd, longest: u64) -> std::result::Result<Vec<u8>, StepFault> {
    let mut bytes = Vec::new();
    File::from(file)
        .take(longest)
        .read_to_end(&mut bytes)
        .map_err(failed("read a file in memory"))?;
    Ok(bytes)
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
