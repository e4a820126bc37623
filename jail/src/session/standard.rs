//! The standard descriptors of a session while its world is built.
//!
//! What builds the world may have to wait for a file system that never answers, and then nobody can end it. It must not keep
//! the session's descriptors open for as long: whoever reads them would wait for their end. So they lie in a queue meanwhile,
//! of which the supervisor has an end too, and empties it.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    fs::{fcntl_getfl, fstat},
    net::RecvFlags,
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout, stderr, stdin, stdout},
};

use crate::{
    channel,
    fault::{StepFault, expect_in_force, failed},
};

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
        let (put, queue) = channel::pair()?;
        let fds = [stdin(), stdout(), stderr()];
        channel::send_with(&put, b"d", &fds).map_err(failed("sendmsg"))?;
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
        let (_, fds) = channel::receive_with(&self.queue, &mut [0; 1], RecvFlags::DONTWAIT)
            .map_err(failed("recvmsg"))?;
        fds.try_into()
            .map_err(|_| StepFault::PeerGone("whoever set the standard descriptors aside"))
    }
}

/// Tells whether two descriptors are open on the same file in the same way, so far as the kernel says without kcmp(2).
fn are_alike(one: impl AsFd, other: impl AsFd) -> rustix::io::Result<bool> {
    let (here, there) = (fstat(&one)?, fstat(&other)?);
    Ok((here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
        && fcntl_getfl(&one)? == fcntl_getfl(&other)?)
}
