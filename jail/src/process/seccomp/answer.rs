//! What becomes of a call that is in a table, and the few instructions that decide it.
//!
//! Arguments that are pointers can't be looked at: the process may change what they point to after the filter has run.

use libc::sock_filter;

use super::instruction::{end, if_any_bit, if_equal, load_argument, load_upper_half};

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Allow,
    /// EPERM.
    NotPermitted,
    /// ENOSYS, for calls that programs try first and have a substitute for.
    NoSuchCall,
    /// The request decides.
    Ioctl,
    /// The flags decide.
    Clone,
    /// The flags decide.
    Unshare,
    /// Family and protocol decide.
    Socket,
    /// The family decides.
    SocketPair,
    /// The wanted personality decides.
    Personality,
    /// The protocol decides.
    SocketOfPorts,
    /// The flags decide, third argument.
    SendThird,
    /// The flags decide, fourth argument.
    SendFourth,
    /// The process decides, first argument: the caller itself or another one.
    OfProcess,
    /// Which kind of id it is decides, and then the process.
    OfPriority,
    /// As `OfPriority`, where the kinds of ids have other numbers.
    OfIoPriority,
    /// The process decides, and whether a limit is set at all.
    Limit,
    /// The request decides, where files are counted by their project.
    IoctlOfProject,
}

const ALLOW: sock_filter = end(libc::SECCOMP_RET_ALLOW);

const fn errno(number: i32) -> sock_filter {
    end(libc::SECCOMP_RET_ERRNO | number as u32)
}

/// CLONE_NEWTIME: its bit is part of the exit signal in clone(2), where it means nothing, and a flag in unshare(2).
const CLONE_NEWTIME: u32 = 0x80;
const NEW_NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;

const TIOCSTI: u32 = libc::TIOCSTI as u32;
const TIOCLINUX: u32 = libc::TIOCLINUX as u32;
const TIOCSETD: u32 = 0x5423;

/// The personality that changes nothing but that addresses are not random; gdb starts programs in it.
const ADDR_NO_RANDOMIZE: u32 = 0x0004_0000;
/// Asks for the personality and sets none.
const QUERY: u32 = 0xffff_ffff;

// The programs that answer. Jumps count from the line after.

const NOT_PERMITTED: &[sock_filter] = &[errno(libc::EPERM)];

const NO_SUCH_CALL: &[sock_filter] = &[errno(libc::ENOSYS)];

const IOCTL: &[sock_filter] = &[
    load_argument(1),
    if_equal(TIOCSTI, 3, 0),
    if_equal(TIOCLINUX, 2, 0),
    if_equal(TIOCSETD, 1, 0),
    ALLOW,
    errno(libc::EPERM),
];

const CLONE: &[sock_filter] = &[
    load_argument(0),
    if_any_bit(NEW_NAMESPACES, 1, 0),
    ALLOW,
    errno(libc::EPERM),
];

const UNSHARE: &[sock_filter] = &[
    load_argument(0),
    if_any_bit(NEW_NAMESPACES | CLONE_NEWTIME, 1, 0),
    ALLOW,
    errno(libc::EPERM),
];

const SOCKET: &[sock_filter] = &[
    load_argument(0),
    if_equal(libc::AF_UNIX as u32, 5, 0),
    if_equal(libc::AF_INET as u32, 4, 0),
    if_equal(libc::AF_INET6 as u32, 3, 0),
    if_equal(libc::AF_NETLINK as u32, 0, 3),
    load_argument(2),
    if_equal(libc::NETLINK_ROUTE as u32, 0, 2),
    ALLOW,
    // As a kernel built without it: PAM takes that for "there is no audit".
    errno(libc::EAFNOSUPPORT),
    errno(libc::EPROTONOSUPPORT),
];

const SOCKET_PAIR: &[sock_filter] = &[
    load_argument(0),
    if_equal(libc::AF_UNIX as u32, 0, 1),
    ALLOW,
    errno(libc::EAFNOSUPPORT),
];

const PERSONALITY: &[sock_filter] = &[
    load_argument(0),
    if_equal(0, 2, 0),
    if_equal(QUERY, 1, 0),
    if_equal(ADDR_NO_RANDOMIZE, 0, 1),
    ALLOW,
    errno(libc::EPERM),
];

/// SMC, which falls back to TCP below Landlock's check: Linux 6.11, as a protocol; 4.11, as a family.
const IPPROTO_SMC: u32 = 256;
const AF_SMC: u32 = 43;

const SOCKET_OF_PORTS: &[sock_filter] = &[
    load_argument(0),
    if_equal(AF_SMC, 4, 0),
    load_argument(2),
    if_equal(libc::IPPROTO_MPTCP as u32, 2, 0),
    if_equal(IPPROTO_SMC, 1, 0),
    ALLOW,
    errno(libc::EPROTONOSUPPORT),
];

const SEND_THIRD: &[sock_filter] = &[
    load_argument(2),
    if_any_bit(libc::MSG_FASTOPEN as u32, 1, 0),
    ALLOW,
    errno(libc::EOPNOTSUPP),
];

const SEND_FOURTH: &[sock_filter] = &[
    load_argument(3),
    if_any_bit(libc::MSG_FASTOPEN as u32, 1, 0),
    ALLOW,
    errno(libc::EOPNOTSUPP),
];

/// Requests of linux/fs.h; the last is what a 32-bit program would call the second.
const FS_IOC_FSSETXATTR: u32 = 0x401c_5820;
const FS_IOC_SETFLAGS: u32 = 0x4008_6602;
const FS_IOC32_SETFLAGS: u32 = 0x4004_6602;

const IOCTL_OF_PROJECT: &[sock_filter] = &[
    load_argument(1),
    if_equal(FS_IOC_FSSETXATTR, 3, 0),
    if_equal(FS_IOC_SETFLAGS, 2, 0),
    if_equal(FS_IOC32_SETFLAGS, 1, 0),
    ALLOW,
    errno(libc::EPERM),
];

/// What stands for the calling process itself, where a call takes the number of a process.
const CALLER: u32 = 0;

/// PRIO_PROCESS: setpriority(2).
const PRIORITY_OF_PROCESS: u32 = 0;

/// IOPRIO_WHO_PROCESS: ioprio_set(2).
const IO_PRIORITY_OF_PROCESS: u32 = 1;

const OF_PROCESS: &[sock_filter] = &[
    load_argument(0),
    if_equal(CALLER, 0, 1),
    ALLOW,
    errno(libc::EPERM),
];

const OF_PRIORITY: &[sock_filter] = &of_priority(PRIORITY_OF_PROCESS);

const OF_IO_PRIORITY: &[sock_filter] = &of_priority(IO_PRIORITY_OF_PROCESS);

/// Allows a call for the calling process. `process` says that the second argument is the number of one: a process group or
/// a user has 0 for the caller's, too, and others in it.
const fn of_priority(process: u32) -> [sock_filter; 6] {
    [
        load_argument(0),
        if_equal(process, 0, 3),
        load_argument(1),
        if_equal(CALLER, 0, 1),
        ALLOW,
        errno(libc::EPERM),
    ]
}

/// A new limit is at an address; without one the call only asks, of any process.
const LIMIT: &[sock_filter] = &[
    load_argument(0),
    if_equal(CALLER, 4, 0),
    load_argument(2),
    if_equal(0, 0, 3),
    load_upper_half(2),
    if_equal(0, 0, 1),
    ALLOW,
    errno(libc::EPERM),
];

impl Answer {
    /// Every answer, in the order of its number.
    pub(super) const ALL: [Answer; 17] = [
        Answer::Allow,
        Answer::NotPermitted,
        Answer::NoSuchCall,
        Answer::Ioctl,
        Answer::Clone,
        Answer::Unshare,
        Answer::Socket,
        Answer::SocketPair,
        Answer::Personality,
        Answer::SocketOfPorts,
        Answer::SendThird,
        Answer::SendFourth,
        Answer::OfProcess,
        Answer::OfPriority,
        Answer::OfIoPriority,
        Answer::Limit,
        Answer::IoctlOfProject,
    ];

    /// Gives the instructions that answer.
    pub(super) const fn code(self) -> &'static [sock_filter] {
        match self {
            Answer::Allow => &[ALLOW],
            Answer::NotPermitted => NOT_PERMITTED,
            Answer::NoSuchCall => NO_SUCH_CALL,
            Answer::Ioctl => IOCTL,
            Answer::Clone => CLONE,
            Answer::Unshare => UNSHARE,
            Answer::Socket => SOCKET,
            Answer::SocketPair => SOCKET_PAIR,
            Answer::Personality => PERSONALITY,
            Answer::SocketOfPorts => SOCKET_OF_PORTS,
            Answer::SendThird => SEND_THIRD,
            Answer::SendFourth => SEND_FOURTH,
            Answer::OfProcess => OF_PROCESS,
            Answer::OfPriority => OF_PRIORITY,
            Answer::OfIoPriority => OF_IO_PRIORITY,
            Answer::Limit => LIMIT,
            Answer::IoctlOfProject => IOCTL_OF_PROJECT,
        }
    }
}
