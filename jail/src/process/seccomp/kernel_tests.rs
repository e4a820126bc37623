//! What the kernel makes of the programs.

use std::{io, os::fd::AsRawFd, process::Command, thread};

use libc::c_long;
use nix::errno::Errno;
use rustix::{
    net::{AddressFamily, SocketFlags, SocketType, netlink, socket_with, socketpair},
    thread::set_no_new_privs,
};

use super::{
    To, install, install_ports,
    instruction::if_equal,
    seccomp_set_mode_filter,
    tests::{ALLOW, says},
};

/// Runs on a thread of its own, which alone is restricted: filters and rulesets are for good.
pub(crate) fn in_thread<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    thread::spawn(move || {
        set_no_new_privs(true).unwrap();
        body()
    })
    .join()
    .unwrap()
}

/// Has one call fail with `errno` on this thread from now on.
pub(crate) fn refuse(number: c_long, errno: i32) {
    let answers = |instruction| libc::sock_filter {
        code: 0x06,
        jt: 0,
        jf: 0,
        k: instruction,
    };
    seccomp_set_mode_filter(&[
        libc::sock_filter {
            code: 0x20,
            jt: 0,
            jf: 0,
            k: 0,
        },
        if_equal(number as u32, 1, 0),
        answers(ALLOW),
        answers(says(errno)),
    ])
    .unwrap();
}

#[test]
fn the_filter_holds_in_the_kernel() {
    let (families, pair, unshared, spawned) = in_thread(|| {
        install(To::OwnProcesses).unwrap();
        let families = [
            (AddressFamily::UNIX, None),
            (AddressFamily::INET, None),
            (AddressFamily::INET6, None),
            (AddressFamily::NETLINK, None),
            (AddressFamily::NETLINK, Some(netlink::SOCK_DIAG)),
            (AddressFamily::VSOCK, None),
        ]
        .map(|(family, protocol)| {
            socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, protocol)
                .map(drop)
                .map_err(rustix::io::Errno::raw_os_error)
        });
        let pair = socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .map(drop);
        let unshared = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER);
        // posix_spawn tries clone3 first.
        let spawned = Command::new("/bin/true")
            .status()
            .map(|status| status.success());
        (families, pair, unshared, spawned)
    });
    assert_eq!(
        families,
        [
            Ok(()),
            Ok(()),
            Ok(()),
            Ok(()),
            Err(libc::EPROTONOSUPPORT),
            Err(libc::EAFNOSUPPORT)
        ]
    );
    assert!(pair.is_ok());
    assert_eq!(unshared, Err(Errno::EPERM));
    assert!(spawned.unwrap());
}

#[test]
fn refuses_without_no_new_privs_unless_root() {
    let result = thread::spawn(|| {
        rustix::thread::set_capabilities(
            None,
            rustix::thread::CapabilitySets {
                effective: rustix::thread::CapabilitySet::empty(),
                permitted: rustix::thread::CapabilitySet::empty(),
                inheritable: rustix::thread::CapabilitySet::empty(),
            },
        )
        .unwrap();
        install(To::OwnProcesses)
    })
    .join()
    .unwrap();
    assert_eq!(
        result,
        Err(crate::fault::StepFault::Failed(
            "seccomp SECCOMP_SET_MODE_FILTER",
            Errno::EACCES
        ))
    );
}

#[test]
fn both_filters_together_keep_the_stricter_answer() {
    let mptcp = in_thread(|| {
        install_ports().unwrap();
        install(To::OwnProcesses).unwrap();
        let socket = socket_with(
            AddressFamily::INET,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            rustix::net::Protocol::from_raw(std::num::NonZero::new(262).unwrap()).into(),
        );
        socket
            .map(|socket| socket.as_raw_fd())
            .map_err(io::Error::from)
    });
    assert_eq!(
        mptcp.unwrap_err().raw_os_error(),
        Some(libc::EPROTONOSUPPORT)
    );
}
