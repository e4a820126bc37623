//! The tables: which calls are refused, with the reason for each.
//!
//! What is not refused although it looks like it, and why:
//!
//! * `ptrace`, `process_vm_readv`, `process_vm_writev`: gdb, strace and MPI need them. Landlock lets them reach
//!   processes of the same session only.
//! * `name_to_handle_at`, `statmount`, `listmount`: they tell, of what is below the root only, and open nothing.
//! * `memfd_secret`, `mbind`, `move_pages`, `inotify`, `landlock_*`, `seccomp`: in use (numactl, Java, tail, sandboxes
//!   that programs make for themselves), and bound to the caller's own processes and files.
//! * `getpriority`, `sched_getaffinity`, `ioprio_get` and their like: they tell how another process of the user's is treated, and
//!   change nothing. `migrate_pages`, `move_pages` and PR_SCHED_CORE ask whether the caller may trace, and Landlock says no.
//! * reading the clock's state by `adjtimex` and `clock_adjtime`: setting it takes a capability that nobody here has.
//!
//! Calls that every kernel we run on has lost (`_sysctl`, `nfsservctl`, `create_module`) need no entry.

use super::answer::Answer;

/// One system call and what becomes of it. The reason is for the reader of the table.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) number: u32,
    pub(super) answer: Answer,
    #[cfg_attr(not(test), allow(dead_code, reason = "the audit's note"))]
    pub(super) why: &'static str,
}

const fn refuse(number: libc::c_long, why: &'static str) -> Entry {
    check(number, Answer::NotPermitted, why)
}

const fn hide(number: libc::c_long, why: &'static str) -> Entry {
    check(number, Answer::NoSuchCall, why)
}

const fn check(number: libc::c_long, answer: Answer, why: &'static str) -> Entry {
    Entry {
        number: number as u32,
        answer,
        why,
    }
}

/// Linux 6.15; the same number everywhere, not in the libc crate yet.
const SYS_OPEN_TREE_ATTR: libc::c_long = 467;

/// What is refused in every jail that does not set `seccomp = "off"`.
#[rustfmt::skip]
pub(super) const REFUSED: &[Entry] = &[
    // The terminal, which may belong to somebody outside as well.
    check(libc::SYS_ioctl, Answer::Ioctl, "types into the terminal for whoever reads it next, loads line disciplines"),
    refuse(libc::SYS_vhangup, "hangs the terminal up for all who use it"),
    // Namespaces: in one of their own, users have all capabilities, and with them most of what follows.
    check(libc::SYS_clone, Answer::Clone, "makes namespaces"),
    check(libc::SYS_unshare, Answer::Unshare, "makes namespaces"),
    hide(libc::SYS_clone3, "makes namespaces, by flags in memory; C libraries fall back to clone"),
    refuse(libc::SYS_setns, "enters namespaces, the host's by a descriptor that leaked in"),
    // Sockets.
    check(libc::SYS_socket, Answer::Socket, "vsock, packet, alg, sock_diag: past the walls, or into a module"),
    check(libc::SYS_socketpair, Answer::SocketPair, "the same families"),
    // A second way into the kernel, where filters do not look.
    hide(libc::SYS_io_uring_setup, "opens, connects, makes sockets without a system call"),
    hide(libc::SYS_io_uring_enter, "the same, with a ring that leaked in"),
    hide(libc::SYS_io_uring_register, "the same, with a ring that leaked in"),
    // Mounts: the whole interface, also where a capability is asked for.
    refuse(libc::SYS_mount, "changes what the jail is made of"),
    refuse(libc::SYS_umount2, "uncovers what a mount covers"),
    refuse(libc::SYS_pivot_root, "changes the root"),
    refuse(libc::SYS_chroot, "changes the root, the classic way out"),
    refuse(libc::SYS_open_tree, "clones mounts"),
    refuse(SYS_OPEN_TREE_ATTR, "clones mounts"),
    refuse(libc::SYS_move_mount, "changes what the jail is made of"),
    refuse(libc::SYS_fsopen, "parses file systems"),
    refuse(libc::SYS_fsconfig, "parses file systems"),
    refuse(libc::SYS_fsmount, "makes mounts"),
    refuse(libc::SYS_fspick, "reconfigures mounted file systems"),
    refuse(libc::SYS_mount_setattr, "takes nosuid, nodev and read-only away"),
    refuse(libc::SYS_swapon, "has the kernel write to a file of the caller's choice"),
    refuse(libc::SYS_swapoff, "takes the host's swap away"),
    refuse(libc::SYS_quotactl, "changes and shows the host's quotas"),
    refuse(libc::SYS_quotactl_fd, "changes and shows the host's quotas"),
    // Files by other ways than a path below the root.
    refuse(libc::SYS_open_by_handle_at, "opens any file of a file system by its number, whatever the root"),
    refuse(libc::SYS_fanotify_init, "watches, and opens, files outside the root"),
    refuse(libc::SYS_fanotify_mark, "the same, with a descriptor that leaked in"),
    refuse(libc::SYS_acct, "has the kernel write to a file of the caller's choice"),
    refuse(libc::SYS_lookup_dcookie, "turns numbers of the profiler into paths of the host"),
    // Keys are kept per user, not per jail.
    refuse(libc::SYS_keyctl, "reads and changes keys that all sessions of the user share"),
    refuse(libc::SYS_add_key, "the same"),
    refuse(libc::SYS_request_key, "the same, and has the host start /sbin/request-key as root"),
    // Parts of the kernel that exploits start from.
    refuse(libc::SYS_bpf, "loads programs into the kernel"),
    refuse(libc::SYS_userfaultfd, "stops the kernel in the middle of a copy, which wins races"),
    refuse(libc::SYS_perf_event_open, "measures other processes and the kernel; a long list of holes"),
    check(libc::SYS_personality, Answer::Personality, "takes protections of memory away; the default and gdb's stay"),
    refuse(libc::SYS_kexec_load, "starts another kernel"),
    refuse(libc::SYS_kexec_file_load, "starts another kernel"),
    refuse(libc::SYS_init_module, "loads code into the kernel"),
    refuse(libc::SYS_finit_module, "loads code into the kernel"),
    refuse(libc::SYS_delete_module, "takes code from the kernel"),
    #[cfg(target_arch = "x86_64")]
    refuse(libc::SYS_modify_ldt, "16-bit segments: old code, old holes"),
    #[cfg(target_arch = "x86_64")]
    refuse(libc::SYS_uselib, "maps a library the way of before ELF"),
    #[cfg(target_arch = "x86_64")]
    refuse(libc::SYS_iopl, "reaches hardware"),
    #[cfg(target_arch = "x86_64")]
    refuse(libc::SYS_ioperm, "reaches hardware"),
    // Other processes. Landlock keeps them from the outside already; nothing ordinary needs them inside.
    refuse(libc::SYS_pidfd_getfd, "takes descriptors out of another process"),
    refuse(libc::SYS_kcmp, "tells what other processes share, kernel addresses included"),
    // The machine.
    refuse(libc::SYS_reboot, "the machine's, not the user's"),
    refuse(libc::SYS_syslog, "reads the kernel's log: addresses, the host's doings"),
    refuse(libc::SYS_settimeofday, "the machine's clock"),
    refuse(libc::SYS_clock_settime, "the machine's clock"),
    refuse(libc::SYS_sethostname, "the jail's name, which root has set"),
    refuse(libc::SYS_setdomainname, "the jail's name, which root has set"),
];

/// What is refused besides where there is no pid namespace: a process of the same user outside could be slowed and limited.
/// A filter can't tell a thread or child of the caller's own from it, so only the caller itself is left.
#[rustfmt::skip]
const REFUSED_AMONG_OTHERS: &[Entry] = &[
    check(libc::SYS_setpriority, Answer::OfPriority, "slows other processes, all of the user's at once"),
    check(libc::SYS_ioprio_set, Answer::OfIoPriority, "slows the input and output of other processes"),
    check(libc::SYS_sched_setaffinity, Answer::OfProcess, "crowds other processes together on one processor"),
    check(libc::SYS_sched_setscheduler, Answer::OfProcess, "has other processes wait for all the rest"),
    check(libc::SYS_sched_setparam, Answer::OfProcess, "the same"),
    check(libc::SYS_sched_setattr, Answer::OfProcess, "the same"),
    check(libc::SYS_prlimit64, Answer::Limit, "limits other processes until they fail"),
];

const AMONG_OTHERS: [Entry; REFUSED.len() + REFUSED_AMONG_OTHERS.len()] =
    join(REFUSED, REFUSED_AMONG_OTHERS);

/// What is refused in a jail without a pid namespace.
pub(super) const REFUSED_WITHOUT_PID_NAMESPACE: &[Entry] = &AMONG_OTHERS;

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of range does not compile"
)]
const fn join<const LENGTH: usize>(first: &[Entry], second: &[Entry]) -> [Entry; LENGTH] {
    assert!(first.len() + second.len() == LENGTH);
    let mut made = [first[0]; LENGTH];
    let mut index = 0;
    while index < LENGTH {
        made[index] = if index < first.len() {
            first[index]
        } else {
            second[index - first.len()]
        };
        index += 1;
    }
    made
}

/// What a host program still does as root behind PAM. Each takes a capability, which nobody else in the jail has, nor
/// can get: new user namespaces stay refused, to root too.
const ALLOWED_TO_HOST_PROGRAM: &[Entry] = &[check(
    libc::SYS_chroot,
    Answer::Allow,
    "sshd has ChrootDirectory, vsftpd chroot_local_user",
)];

/// Gives the table for a host program, which has no pid namespace.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of range does not compile"
)]
pub(super) const fn allow_to_host_program() -> [Entry; AMONG_OTHERS.len()] {
    let mut made = AMONG_OTHERS;
    let mut index = 0;
    while index < made.len() {
        let mut other = 0;
        while other < ALLOWED_TO_HOST_PROGRAM.len() {
            if ALLOWED_TO_HOST_PROGRAM[other].number == made[index].number {
                made[index] = ALLOWED_TO_HOST_PROGRAM[other];
            }
            other += 1;
        }
        index += 1;
    }
    made
}

/// What is refused besides where the config lists TCP ports, also with `seccomp = "off"`: ways to connect that
/// Landlock's port rules do not see (seen on Linux 6.18).
#[rustfmt::skip]
pub(super) const REFUSED_WITH_PORTS: &[Entry] = &[
    check(libc::SYS_socket, Answer::SocketOfPorts, "multipath TCP is TCP to the other side"),
    check(libc::SYS_sendto, Answer::SendFourth, "MSG_FASTOPEN connects while sending"),
    check(libc::SYS_sendmsg, Answer::SendThird, "MSG_FASTOPEN connects while sending"),
    check(libc::SYS_sendmmsg, Answer::SendFourth, "MSG_FASTOPEN connects while sending"),
    hide(libc::SYS_io_uring_setup, "does all of these without a system call"),
    hide(libc::SYS_io_uring_enter, "the same, with a ring that leaked in"),
    hide(libc::SYS_io_uring_register, "the same, with a ring that leaked in"),
];

/// Linux 6.17; the same number everywhere, not in the libc crate yet.
const SYS_FILE_SETATTR: libc::c_long = 469;

/// What is refused besides where `disk` limits the files of a home, also with `seccomp = "off"`: their owner may change their
/// project, and whether what is made in a directory is of its project. The ring of io_uring has no such request.
#[rustfmt::skip]
pub(super) const REFUSED_WITH_QUOTA: &[Entry] = &[
    check(libc::SYS_ioctl, Answer::IoctlOfProject, "FS_IOC_FSSETXATTR changes the project, FS_IOC_SETFLAGS what inherits it"),
    refuse(SYS_FILE_SETATTR, "does what FS_IOC_FSSETXATTR does"),
];
