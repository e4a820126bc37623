//! A rehearsal of a login that makes a root directory or a home: nothing of it stays on the host.
//!
//! In a mount namespace of its own, the directory that something would be made in is covered by an empty one in memory. So the login
//! makes all of it there, and the rehearsal sees what a first login will see.

use std::os::fd::AsRawFd;

use jail::{
    door::{
        look::missing,
        refusal::{Refusal, StepFault},
    },
    plan::Plan,
};
use jail_config::Home;
use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};

/// What the directory in memory is, so that the trusted walk passes it.
const OPTIONS: &std::ffi::CStr = c"mode=0755,size=64m";

/// Has a plan make what is missing apart from the host. In the root directory itself nothing can be covered: a home that is
/// missing there is not made, and the session starts in `/`.
///
/// # Errors
/// The login would be refused, or no namespace can be had.
pub(super) fn make_apart(plan: &mut Plan) -> Result<(), Refusal> {
    if missing(plan)?.is_empty() {
        return Ok(());
    }
    let refuse = |call| {
        move |errno: rustix::io::Errno| {
            let errno = Errno::from_raw(errno.raw_os_error());
            Refusal::Step("rehearsal", StepFault::Failed(call, errno))
        }
    };
    unshare(CloneFlags::CLONE_NEWNS)
        .map_err(|errno| Refusal::Step("rehearsal", StepFault::Failed("unshare", errno)))?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).map_err(refuse("mount / private"))?;
    // Descriptors from before mean directories that are not in this namespace.
    for missing in missing(plan)? {
        let (above, path) = missing.above();
        if path == plan.world.root {
            plan.world.create = None;
            plan.process.home = Home::Set("/".into());
            continue;
        }
        let target = format!("/proc/self/fd/{}", above.as_raw_fd());
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        mount("rehearsal", target, "tmpfs", flags, OPTIONS).map_err(refuse("mount a tmpfs"))?;
    }
    Ok(())
}
