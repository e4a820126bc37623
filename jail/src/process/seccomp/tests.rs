//! Every number tried on the programs themselves.

use libc::c_long;

use super::{
    REFUSED, REFUSED_WITH_PORTS, REFUSED_WITH_QUOTA, REFUSED_WITHOUT_PID_NAMESPACE,
    answer::Answer,
    filter::tests::{Call, run},
};

fn default(number: c_long, arguments: &[u64]) -> u32 {
    run(&super::DEFAULT, Call::native(number, arguments))
}

fn ports(number: c_long, arguments: &[u64]) -> u32 {
    run(&super::PORTS, Call::native(number, arguments))
}

pub(super) const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;

pub(super) fn says(errno: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | errno as u32
}

#[test]
fn every_entry_has_its_answer_and_a_reason_and_all_other_calls_are_allowed() {
    for (table, filter) in [
        (REFUSED, &super::DEFAULT),
        (REFUSED_WITHOUT_PID_NAMESPACE, &super::WITHOUT_PID_NAMESPACE),
        (REFUSED_WITH_PORTS, &super::PORTS),
        (REFUSED_WITH_QUOTA, &super::QUOTA),
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
                Some(
                    Answer::NotPermitted
                    | Answer::Clone
                    | Answer::Unshare
                    | Answer::OfProcess
                    | Answer::OfPriority
                    | Answer::OfIoPriority
                    | Answer::Limit,
                ) => says(libc::EPERM),
                Some(Answer::Socket | Answer::SocketPair) => says(libc::EAFNOSUPPORT),
                Some(Answer::SendThird | Answer::SendFourth) => says(libc::EOPNOTSUPP),
                // All bits set is no request, the query, no protocol.
                Some(_) => ALLOW,
            };
            assert_eq!(action, expected, "{number}");
        }
    }
}

/// What a call may be about: the caller itself, by the number that stands for it; others; upper halves that the kernel
/// drops.
const OTHERS: [u64; 5] = [1, 4711, 0xffff_ffff, 1 << 31, 0xffff_ffff_0000_0001];
const CALLER: [u64; 2] = [0, 7 << 32];

#[test]
fn without_a_pid_namespace_a_process_changes_only_itself() {
    for filter in [&super::WITHOUT_PID_NAMESPACE, &super::HOST_PROGRAM] {
        let answer = |number, arguments: &[u64]| run(filter, Call::native(number, arguments));
        for number in [
            libc::SYS_sched_setaffinity,
            libc::SYS_sched_setscheduler,
            libc::SYS_sched_setparam,
            libc::SYS_sched_setattr,
        ] {
            for pid in CALLER {
                assert_eq!(answer(number, &[pid, u64::MAX, u64::MAX]), ALLOW);
            }
            for pid in OTHERS {
                assert_eq!(answer(number, &[pid, 0, 0]), says(libc::EPERM), "{pid:x}");
            }
        }
        for (number, process) in [(libc::SYS_setpriority, 0), (libc::SYS_ioprio_set, 1)] {
            for which in 0..5 {
                for who in CALLER {
                    let expected = if which == process {
                        ALLOW
                    } else {
                        says(libc::EPERM)
                    };
                    assert_eq!(answer(number, &[which, who, 5]), expected, "{which}");
                    assert_eq!(answer(number, &[which | 1 << 40, who, 5]), expected);
                }
                for who in OTHERS {
                    assert_eq!(answer(number, &[which, who, 5]), says(libc::EPERM));
                }
            }
        }
    }
}

#[test]
fn without_a_pid_namespace_limits_of_others_are_asked_for_and_not_set() {
    for filter in [&super::WITHOUT_PID_NAMESPACE, &super::HOST_PROGRAM] {
        let limit = |pid, new| run(filter, Call::native(libc::SYS_prlimit64, &[pid, 4, new, 1]));
        for new in [0, 1, 1 << 32, 0x7fff_0000_1000, u64::MAX] {
            for pid in CALLER {
                assert_eq!(limit(pid, new), ALLOW, "{new:x}");
            }
            for pid in OTHERS {
                let expected = if new == 0 { ALLOW } else { says(libc::EPERM) };
                assert_eq!(limit(pid, new), expected, "{pid:x} {new:x}");
            }
        }
    }
}

#[test]
fn with_a_pid_namespace_every_process_of_it_may_be_changed() {
    for entry in REFUSED_WITHOUT_PID_NAMESPACE {
        if REFUSED.iter().all(|other| other.number != entry.number) {
            assert_eq!(default(entry.number.into(), &[u64::MAX; 6]), ALLOW);
        }
    }
}

#[test]
fn a_host_program_may_change_its_root_and_nothing_else_besides() {
    for number in 0..=469 {
        let call = || Call::native(number, &[u64::MAX; 6]);
        let ours = run(&super::WITHOUT_PID_NAMESPACE, call());
        let expected = if number == libc::SYS_chroot {
            ALLOW
        } else {
            ours
        };
        assert_eq!(run(&super::HOST_PROGRAM, call()), expected, "{number}");
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
        for filter in [
            &super::DEFAULT,
            &super::WITHOUT_PID_NAMESPACE,
            &super::HOST_PROGRAM,
            &super::PORTS,
        ] {
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
fn files_stay_in_their_project_with_high_bits_set_too() {
    let ioctl = |request: u64| run(&super::QUOTA, Call::native(libc::SYS_ioctl, &[3, request]));
    for request in [0x401c_5820, 0x4008_6602, 0x4004_6602] {
        for high in [0, 1 << 32, u64::MAX << 32] {
            assert_eq!(ioctl(request | high), says(libc::EPERM), "{request:#x}");
        }
    }
    // To read them, as lsattr does, and to ask a terminal.
    for request in [0x801c_581f, 0x8008_6601, libc::TCGETS] {
        assert_eq!(ioctl(request), ALLOW, "{request:#x}");
    }
    assert_eq!(
        run(&super::QUOTA, Call::native(469, &[])),
        says(libc::EPERM)
    );
}
