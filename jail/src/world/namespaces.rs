//! The namespaces of a world, and the root of a process that has none of its own.

use std::os::fd::OwnedFd;

use jail_config::Network;
use nix::sched::{CloneFlags, unshare};
use rustix::{
    fs::{CWD, Mode, OFlags, Stat, fstat, openat, stat},
    net::{AddressFamily, SocketFlags, SocketType, socket_with},
    process::{chdir, chroot, fchdir},
};

use crate::{
    fault::{StepFault, expect_in_force, failed},
    process::privilege::charged_to,
    sys::net::set_loopback_up,
    world::mounts::mount_id,
};

/// Gives the namespaces that a world has, the pid namespace aside.
#[must_use]
pub(crate) fn of_world(network: &Network) -> CloneFlags {
    let own = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    match network {
        Network::None => own | CloneFlags::CLONE_NEWNET,
        Network::Host | Network::Ports { .. } => own,
    }
}

/// Enters the namespaces that need no fork. The host keeps its name in them. They count as `user`'s, where there is one.
///
/// # Errors
/// The call that failed.
pub(crate) fn enter_namespaces(network: &Network, user: Option<u32>) -> Result<(), StepFault> {
    let host = mount_id(CWD, c"/")?;
    let enter = || unshare(of_world(network)).map_err(failed("unshare"));
    match user {
        Some(uid) => charged_to(uid, enter)?,
        None => enter()?,
    }
    // Before anything is mounted: every mount of a new namespace has a number of its own.
    expect_in_force("the new namespaces", mount_id(CWD, c"/")? != host)?;
    if *network == Network::None {
        let socket = socket_with(
            AddressFamily::INET,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(failed("socket"))?;
        set_loopback_up(socket).map_err(failed("ioctl SIOCSIFFLAGS"))?;
    }
    Ok(())
}

/// Opens the mount namespace of this process, by the host's /proc.
///
/// # Errors
/// It can't be opened.
pub(crate) fn own_mounts() -> Result<OwnedFd, StepFault> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    openat(CWD, "/proc/self/ns/mnt", flags, Mode::empty()).map_err(failed("open /proc/self/ns/mnt"))
}

/// Makes an open directory the root. By descriptor: what the path leads to by now does not matter.
///
/// # Errors
/// The call that failed, or the root is another directory.
pub(crate) fn change_root(root: &OwnedFd) -> Result<(), StepFault> {
    fchdir(root).map_err(failed("fchdir"))?;
    chroot(".").map_err(failed("chroot"))?;
    chdir("/").map_err(failed("chdir"))?;
    let identity = |stat: Stat| (stat.st_dev, stat.st_ino);
    let wanted = fstat(root).map_err(failed("fstat"))?;
    let reached = stat("/").map_err(failed("stat"))?;
    expect_in_force("the new root", identity(wanted) == identity(reached))
}
