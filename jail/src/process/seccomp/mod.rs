//! The system calls that are refused inside a jail: the ways out of it, and the parts of the kernel where ways out have
//! been found again and again and that ordinary work does not need.
//!
//! It is a list of what is refused, because a shell account may run any program. Calls newer than the list do not exist
//! in a jail, as on an older kernel. The answer to a refused call is EPERM, or what a kernel says that was built
//! without it, where programs are known to go another way then.
//!
//! The programs are made by our own few lines (see [`filter`]), while the code is compiled. seccompiler builds them at
//! each login, has one answer per filter, compares a number at a time and can't refuse a range, which x32 takes.

mod answer;
mod filter;
mod instruction;
mod refused;

use nix::{
    errno::Errno,
    sys::personality::{self, Persona},
};

use self::{
    filter::{Filter, assemble},
    refused::{REFUSED, REFUSED_WITH_PORTS, allow_to_host_program},
};
use crate::{fault::StepFault, sys::seccomp::seccomp_set_mode_filter};

static DEFAULT: Filter = assemble(REFUSED);
static HOST_PROGRAM: Filter = assemble(&allow_to_host_program(REFUSED));
static PORTS: Filter = assemble(REFUSED_WITH_PORTS);

/// Refuses the calls of the list to this process and all it will start, for good.
///
/// no_new_privs must be set. Whatever needs a listed call must be done: no mount, no new namespace comes after this.
///
/// # Errors
/// seccomp(2) failed, or a call that it must refuse now is still answered.
pub(crate) fn install() -> Result<(), StepFault> {
    set(&DEFAULT).and_then(|()| try_refused_call())
}

/// Does the same in a program that goes on as root behind PAM, without what such programs can't do without.
///
/// # Errors
/// As [`install`].
pub(crate) fn install_in_host_program() -> Result<(), StepFault> {
    set(&HOST_PROGRAM).and_then(|()| try_refused_call())
}

fn try_refused_call() -> Result<(), StepFault> {
    // The kernel itself refuses this to nobody.
    match personality::set(Persona::SHORT_INODE) {
        Err(Errno::EPERM) => Ok(()),
        Ok(_) | Err(_) => Err(StepFault::NotInForce("the filter of system calls")),
    }
}

/// Refuses the ways to connect or listen by TCP that Landlock's port rules do not see.
///
/// # Errors
/// As [`install`].
pub(crate) fn install_ports() -> Result<(), StepFault> {
    set(&PORTS)
}

fn set(filter: &Filter) -> Result<(), StepFault> {
    seccomp_set_mode_filter(filter.code())
        .map_err(|errno| StepFault::Failed("seccomp SECCOMP_SET_MODE_FILTER", errno))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{io, os::fd::AsRawFd, process::Command, thread};

    use libc::c_long;
    use nix::errno::Errno;
    use rustix::{
        net::{AddressFamily, SocketFlags, SocketType, netlink, socket_with, socketpair},
        thread::set_no_new_privs,
    };

    use super::{
        REFUSED, REFUSED_WITH_PORTS,
        answer::Answer,
        filter::tests::{Call, run},
        install, install_ports,
        instruction::if_equal,
        seccomp_set_mode_filter,
    };

    /// Runs on a thread of its own: a filter is for good.
    fn in_thread<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
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

    fn default(number: c_long, arguments: &[u64]) -> u32 {
        run(&super::DEFAULT, Call::native(number, arguments))
    }

    fn ports(number: c_long, arguments: &[u64]) -> u32 {
        run(&super::PORTS, Call::native(number, arguments))
    }

    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;

    fn says(errno: i32) -> u32 {
        libc::SECCOMP_RET_ERRNO | errno as u32
    }

    #[test]
    fn every_entry_has_its_answer_and_a_reason_and_all_other_calls_are_allowed() {
        for (table, filter) in [
            (REFUSED, &super::DEFAULT),
            (REFUSED_WITH_PORTS, &super::PORTS),
        ] {
            for number in 0..=469 {
                let action = run(filter, Call::native(number, &[u64::MAX; 6]));
                let expected = match table
                    .iter()
                    .find(|entry| entry.number == number as u32)
                    .map(|entry| {
                        assert!(!entry.why.is_empty(), "{number}");
                        entry.answer
                    }) {
                    None => ALLOW,
                    Some(Answer::NoSuchCall) => says(libc::ENOSYS),
                    Some(Answer::NotPermitted | Answer::Clone | Answer::Unshare) => {
                        says(libc::EPERM)
                    }
                    Some(Answer::Socket | Answer::SocketPair) => says(libc::EAFNOSUPPORT),
                    Some(Answer::SendThird | Answer::SendFourth) => says(libc::EOPNOTSUPP),
                    // All bits set is no request, the query, no protocol.
                    Some(_) => ALLOW,
                };
                assert_eq!(action, expected, "{number}");
            }
        }
    }

    #[test]
    fn newer_calls_than_the_list_and_x32_are_unknown() {
        assert_eq!(default(470, &[]), says(libc::ENOSYS));
        assert_eq!(default(0x3fff_ffff, &[]), says(libc::ENOSYS));
        for number in 0..600 {
            assert_eq!(default(0x4000_0000 | number, &[]), says(libc::ENOSYS));
        }
        assert_eq!(default(0xffff_fffe, &[]), says(libc::ENOSYS));
        assert_eq!(default(-1, &[]), ALLOW);
    }

    #[test]
    fn a_foreign_entry_point_ends_the_process() {
        // i386, arm, x86_64 seen from arm64 and the other way round.
        for arch in [0x4000_0003, 0x4000_0028, 0, u32::MAX] {
            for filter in [&super::DEFAULT, &super::PORTS] {
                let call = Call::foreign(arch, 20);
                assert_eq!(run(filter, call), libc::SECCOMP_RET_KILL_PROCESS);
            }
        }
    }

    #[test]
    fn typing_into_the_terminal_is_refused_with_high_bits_set_too() {
        for request in [libc::TIOCSTI, libc::TIOCLINUX, 0x5423] {
            for high in [0, 1 << 32, 0xffff_ffff << 32] {
                let action = default(libc::SYS_ioctl, &[0, request | high, 0]);
                assert_eq!(action, says(libc::EPERM), "{request:x}");
            }
        }
        for request in [
            libc::TIOCGWINSZ,
            libc::TCGETS,
            libc::TIOCSCTTY,
            libc::FIONREAD,
        ] {
            assert_eq!(
                default(libc::SYS_ioctl, &[0, request]),
                ALLOW,
                "{request:x}"
            );
        }
    }

    #[test]
    fn any_flag_that_makes_a_namespace_is_refused() {
        for flag in [
            0x0002_0000_u64,
            0x0200_0000,
            0x0400_0000,
            0x0800_0000,
            0x1000_0000,
            0x2000_0000,
            0x4000_0000,
        ] {
            for number in [libc::SYS_clone, libc::SYS_unshare] {
                assert_eq!(default(number, &[flag | 17]), says(libc::EPERM));
                assert_eq!(default(number, &[flag | 1 << 40]), says(libc::EPERM));
            }
        }
        assert_eq!(default(libc::SYS_unshare, &[0x80]), says(libc::EPERM));
        // fork, a thread of glibc, vfork, and what unshare(2) is used for in threads.
        for flags in [0x0120_0011, 0x003d_0f00, 0x4111] {
            assert_eq!(default(libc::SYS_clone, &[flags]), ALLOW, "{flags:x}");
        }
        for flags in [0, 0x200, 0x400] {
            assert_eq!(default(libc::SYS_unshare, &[flags]), ALLOW, "{flags:x}");
        }
    }

    #[test]
    fn sockets_are_unix_internet_and_route() {
        let socket = |family, protocol| default(libc::SYS_socket, &[family, 3, protocol]);
        for family in 0..64 {
            let expected = match family {
                1 | 2 | 10 | 16 => ALLOW,
                _ => says(libc::EAFNOSUPPORT),
            };
            assert_eq!(socket(family, 0), expected, "{family}");
            assert_eq!(socket(family | 1 << 32, 0), expected, "{family}");
        }
        for protocol in 1..32 {
            assert_eq!(socket(16, protocol), says(libc::EPROTONOSUPPORT));
        }
        assert_eq!(socket(2, 6), ALLOW);
        assert_eq!(default(libc::SYS_socketpair, &[1, 1, 0]), ALLOW);
        assert_eq!(
            default(libc::SYS_socketpair, &[30, 1, 0]),
            says(libc::EAFNOSUPPORT)
        );
    }

    #[test]
    fn personality_can_be_asked_reset_and_set_as_gdb_does() {
        for persona in [0, 0xffff_ffff, 0x0004_0000] {
            assert_eq!(default(libc::SYS_personality, &[persona]), ALLOW);
        }
        for persona in [0x0040_0000, 0x0044_0000, 8, 0x0010_0000] {
            assert_eq!(
                default(libc::SYS_personality, &[persona]),
                says(libc::EPERM)
            );
        }
    }

    #[test]
    fn ways_around_a_list_of_ports_are_refused() {
        let fast_open = 0x2000_0000;
        assert_eq!(
            ports(libc::SYS_sendto, &[3, 0, 0, fast_open | 0x4000]),
            says(libc::EOPNOTSUPP)
        );
        assert_eq!(
            ports(libc::SYS_sendmsg, &[3, 0, fast_open]),
            says(libc::EOPNOTSUPP)
        );
        assert_eq!(
            ports(libc::SYS_sendmmsg, &[3, 0, 1, fast_open]),
            says(libc::EOPNOTSUPP)
        );
        assert_eq!(
            ports(libc::SYS_socket, &[2, 1, 262]),
            says(libc::EPROTONOSUPPORT)
        );
        assert_eq!(ports(libc::SYS_socket, &[2, 1, 6]), ALLOW);
        assert_eq!(ports(libc::SYS_sendto, &[3, 0, 0, 0x4000]), ALLOW);
        assert_eq!(ports(libc::SYS_io_uring_setup, &[]), says(libc::ENOSYS));
    }

    #[test]
    fn the_filter_holds_in_the_kernel() {
        let (families, pair, unshared, spawned) = in_thread(|| {
            install().unwrap();
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
            install()
        })
        .join()
        .unwrap();
        assert_eq!(
            result,
            Err(super::StepFault::Failed(
                "seccomp SECCOMP_SET_MODE_FILTER",
                Errno::EACCES
            ))
        );
    }

    #[test]
    fn both_filters_together_keep_the_stricter_answer() {
        let mptcp = in_thread(|| {
            install_ports().unwrap();
            install().unwrap();
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
}
