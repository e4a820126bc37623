//! The standard descriptors of a session while its world is built.
//!
//! What builds the world may have to wait for a file system that never answers, and then nobody can end it. It must not keep
//! the session's descriptors open for as long: whoever reads them would wait for their end. So they lie in a queue meanwhile,
//! of which the supervisor has an end too, and empties it.

use std::{
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    fs::{fcntl_getfl, fstat},
    io::{IoSlice, IoSliceMut},
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
    },
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout, stderr, stdin, stdout},
};

use crate::fault::{StepFault, expect_in_force, failed};

/// Copies of the standard descriptors in a queue: SCM_RIGHTS of unix(7).
#[derive(Debug)]
pub(crate) struct SetAside {
    queue: OwnedFd,
}

impl SetAside {
    /// Puts copies of the standard descriptors aside. To be done before the fork, so that both sides have the queue.
    ///
    /// # Errors
    /// socketpair(2) or sendmsg(2) failed.
    pub(crate) fn copy() -> Result<SetAside, StepFault> {
        let (put, queue) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(failed("socketpair"))?;
        let fds = [stdin(), stdout(), stderr()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
            return Err(StepFault::Bug("no room for three descriptors"));
        }
        sendmsg(
            &put,
            &[IoSlice::new(b"d")],
            &mut control,
            SendFlags::NOSIGNAL,
        )
        .map_err(failed("sendmsg"))?;
        Ok(SetAside { queue })
    }

    /// Makes them this process's standard descriptors again.
    ///
    /// # Errors
    /// They are not there any more, because the supervisor has given up; or a call failed or was without effect.
    pub(crate) fn take_back(self) -> Result<(), StepFault> {
        let taken = self.take()?;
        let [input, output, errors] = &taken;
        dup2_stdin(input)
            .and_then(|()| dup2_stdout(output))
            .and_then(|()| dup2_stderr(errors))
            .map_err(failed("dup2 of the standard descriptors"))?;
        let mut all = taken.iter().zip([stdin(), stdout(), stderr()]);
        expect_in_force(
            "the standard descriptors",
            all.all(|(taken, standard)| are_alike(taken, standard).unwrap_or(false)),
        )
    }

    /// Empties the queue, so that who can't be ended does not hold them.
    pub(crate) fn let_go(self) {
        match self.take() {
            // The other side has them back, and can be ended.
            Ok(_) | Err(_) => {}
        }
    }

    fn take(self) -> Result<[OwnedFd; 3], StepFault> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0; 1];
        let mut buffers = [IoSliceMut::new(&mut byte)];
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        recvmsg(&self.queue, &mut buffers, &mut control, flags).map_err(failed("recvmsg"))?;
        let fds = control.drain().find_map(|it| match it {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds.collect::<Vec<_>>()),
            _ => None,
        });
        fds.and_then(|fds| fds.try_into().ok())
            .ok_or(StepFault::PeerGone(
                "whoever set the standard descriptors aside",
            ))
    }
}

/// Tells whether two descriptors are open on the same file in the same way, so far as the kernel says without kcmp(2).
fn are_alike(one: impl AsFd, other: impl AsFd) -> rustix::io::Result<bool> {
    let (here, there) = (fstat(&one)?, fstat(&other)?);
    Ok((here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
        && fcntl_getfl(&one)? == fcntl_getfl(&other)?)
}
