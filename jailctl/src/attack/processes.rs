//! Probes of other processes, of what processes share, and of what a process may be.

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{Ipv4Addr, TcpStream},
    num::NonZero,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram, UnixStream},
    },
};

use nix::{
    errno::Errno,
    mqueue::{MQ_OFlag, mq_open},
    sys::{
        ptrace,
        signal::{kill, killpg},
        stat::Mode,
        uio::{RemoteIoVec, process_vm_readv, process_vm_writev},
    },
    unistd::{
        Gid, Uid, getegid, getgid, getgroups, getpid, setgroups, setresgid, setresuid, setuid,
    },
};
use rustix::{
    net::{AddressFamily, Protocol, SocketFlags, SocketType, netlink, socket_with, socketpair},
    process::{
        Pid, PidfdFlags, PidfdGetfdFlags, Resource, Rlimit, getpriority_pgrp, getpriority_process,
        ioctl_tiocsctty, pidfd_getfd, pidfd_open, prlimit, setpriority_pgrp, setpriority_process,
        setsid,
    },
    thread::{
        CapabilitiesSecureBits, CapabilitySet, CapabilitySets, CpuSet, capabilities,
        capabilities_secure_bits, capability_is_in_bounding_set,
        configure_capability_in_ambient_set, no_new_privs, sched_setaffinity, set_capabilities,
    },
};

use super::{
    outside::{IPC, SECRET},
    probe::{Inside, Probe, absent, looked},
    raw::{self, About, Ipc, Terminal},
    wall::Wall,
};

/// The walls between processes, where a filter looks at neither.
const OTHERS: &[Wall] = &[Wall::Pids, Wall::Landlock];
/// The walls before the priority and the limits of another process: a filter where there is no pid namespace.
const PRIORITIES: &[Wall] = &[Wall::Pids, Wall::SeccompAmongOthers];
const SIGNALS: &[Wall] = &[Wall::Pids, Wall::Signals];
const NETWORK: &[Wall] = &[Wall::NetworkNamespace, Wall::AbstractSockets];
const FAMILIES: &[Wall] = &[Wall::Seccomp];
const TERMINAL: &[Wall] = &[Wall::Seccomp];

pub(super) const PROBES: &[Probe] = &[
    Probe::new("signals", "kill", SIGNALS, |it| {
        Ok(kill(it.target()?, None)?)
    }),
    Probe::new("signals", "kill a group", SIGNALS, |it| {
        Ok(killpg(it.target()?, None)?)
    }),
    Probe::new("signals", "tgkill", SIGNALS, |it| {
        raw::about(it.target()?, About::Tgkill)
    }),
    Probe::new("signals", "sigqueue", SIGNALS, |it| {
        raw::about(it.target()?, About::Sigqueue)
    }),
    Probe::new("signals", "pidfd_send_signal", SIGNALS, |it| {
        raw::pidfd_signal_nothing(&it.pidfd)
    }),
    Probe::new("priorities", "setpriority", PRIORITIES, |it| {
        // What it is already: less would take a privilege.
        let now = getpriority_process(target(it)?)?;
        Ok(setpriority_process(target(it)?, now)?)
    }),
    Probe::new("priorities", "setpriority of a group", PRIORITIES, |it| {
        let now = getpriority_pgrp(target(it)?)?;
        Ok(setpriority_pgrp(target(it)?, now)?)
    }),
    Probe::new("priorities", "prlimit", PRIORITIES, |it| {
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        prlimit(target(it)?, Resource::Core, none)?;
        Ok(())
    }),
    Probe::new("priorities", "sched_setaffinity", PRIORITIES, |it| {
        let mut first = CpuSet::new();
        first.set(0);
        Ok(sched_setaffinity(target(it)?, &first)?)
    }),
    Probe::new("priorities", "ioprio_set", PRIORITIES, |it| {
        raw::keep_io_priority(it.target()?)
    }),
    Probe::new("priorities", "sched_setattr", PRIORITIES, |it| {
        raw::keep_scheduler(it.target()?)
    }),
    Probe::new("processes", "ptrace", OTHERS, |it| {
        Ok(ptrace::seize(it.target()?, ptrace::Options::empty())?)
    }),
    Probe::new("processes", "process_vm_readv", OTHERS, read_memory),
    // To memory that nobody can write to.
    Probe::new("processes", "process_vm_writev", OTHERS, |it| {
        write_memory(it)
    }),
    Probe::new("processes", "get_robust_list", OTHERS, |it| {
        raw::about(it.target()?, About::RobustList)
    }),
    Probe::new(
        "processes",
        "pidfd_getfd",
        &[Wall::Pids, Wall::Seccomp, Wall::Landlock],
        |it| {
            let pidfd = pidfd_open(
                Pid::from_raw(it.target()?.as_raw()).ok_or(Errno::ESRCH)?,
                PidfdFlags::empty(),
            )?;
            pidfd_getfd(&pidfd, 0, PidfdGetfdFlags::empty())?;
            Ok(())
        },
    ),
    Probe::new(
        "processes",
        "pidfd_getfd, pidfd sent in",
        &[Wall::Seccomp, Wall::Landlock],
        |it| {
            pidfd_getfd(&it.pidfd, 0, PidfdGetfdFlags::empty())?;
            Ok(())
        },
    ),
    Probe::new(
        "processes",
        "kcmp",
        &[Wall::Seccomp, Wall::Pids, Wall::Landlock],
        |it| {
            // A number that means nobody has the filter asked all the same.
            let other = it.target().unwrap_or(nix::unistd::Pid::from_raw(i32::MAX));
            raw::compare(getpid(), other)
        },
    ),
    Probe::new("ipc", "shmget", &[Wall::Ipc], |it| ipc(it, Ipc::Memory)),
    Probe::new("ipc", "msgget", &[Wall::Ipc], |it| ipc(it, Ipc::Messages)),
    Probe::new("ipc", "semget", &[Wall::Ipc], |it| ipc(it, Ipc::Semaphores)),
    Probe::new("ipc", "mq_open", &[Wall::Ipc, Wall::Landlock], |it| {
        let Some(queue) = &it.told.target.queue else {
            return Err(absent("this kernel has none"));
        };
        mq_open(queue.as_str(), MQ_OFlag::O_RDWR, Mode::empty(), None)?;
        Ok(())
    }),
    Probe::new(
        "keys",
        "session keyring of the caller",
        &[Wall::Seccomp, Wall::Keyring],
        |it| match (raw::session_keyring()?, it.told.keyring) {
            (_, None) => Err(absent("the caller has none")),
            (own, Some(callers)) if own == callers => Ok(()),
            _ => Err(io::Error::other("another one")),
        },
    ),
    Probe::new("sockets", "abstract, stream", NETWORK, |it| {
        let address = SocketAddr::from_abstract_name(&it.told.target.stream)?;
        UnixStream::connect_addr(&address).map(drop)
    }),
    Probe::new("sockets", "abstract, datagram", NETWORK, |it| {
        let address = SocketAddr::from_abstract_name(&it.told.target.datagram)?;
        UnixDatagram::unbound()?.connect_addr(&address)
    }),
    Probe::new(
        "sockets",
        "TCP to a port of the host",
        &[Wall::NetworkNamespace, Wall::Ports],
        |it| TcpStream::connect((Ipv4Addr::LOCALHOST, it.told.target.port)).map(drop),
    ),
    Probe::new("sockets", "sock_diag", FAMILIES, |_| {
        let kind = Some(netlink::SOCK_DIAG);
        socket(AddressFamily::NETLINK, SocketType::RAW, kind)
    }),
    Probe::new("sockets", "other netlink", FAMILIES, |_| {
        let others = (1..32).filter(|it| *it != netlink::SOCK_DIAG.as_raw().get());
        any(others, |it| {
            let kind = NonZero::new(it).map(Protocol::from_raw);
            socket(AddressFamily::NETLINK, SocketType::RAW, kind)
        })
    }),
    Probe::new("sockets", "odd families", FAMILIES, |_| {
        let usual = [
            AddressFamily::UNIX,
            AddressFamily::INET,
            AddressFamily::INET6,
            AddressFamily::NETLINK,
        ];
        let odd = (0..64)
            .map(AddressFamily::from_raw)
            .filter(|it| !usual.contains(it));
        let kinds = [
            SocketType::STREAM,
            SocketType::DGRAM,
            SocketType::RAW,
            SocketType::RDM,
            SocketType::SEQPACKET,
        ];
        let odd = odd.flat_map(|family| kinds.map(|kind| (family, kind)));
        any(odd, |(family, kind)| socket(family, kind, None))
    }),
    Probe::new("sockets", "odd socketpair", FAMILIES, |_| {
        socketpair(
            AddressFamily::TIPC,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok(())
    }),
    Probe::new("sockets", "vsock", FAMILIES, |_| {
        socket(AddressFamily::VSOCK, SocketType::STREAM, None)
    }),
    Probe::new("sockets", "crypto", FAMILIES, |_| {
        // rustix has no name for AF_ALG.
        let family = AddressFamily::from_raw(38);
        socket(family, SocketType::SEQPACKET, None)
    }),
    Probe::new(
        "sockets",
        "packet",
        &[Wall::Seccomp, Wall::Privileges],
        |_| socket(AddressFamily::PACKET, SocketType::RAW, None),
    ),
    Probe::new("sockets", "raw", &[Wall::Privileges], |_| {
        let kind = Some(rustix::net::ipproto::ICMP);
        socket(AddressFamily::INET, SocketType::RAW, kind)
    }),
    Probe::new("terminal", "TIOCSTI", TERMINAL, |it| {
        own_terminal(it, Terminal::Type)
    }),
    Probe::new("terminal", "TIOCSTI, a high bit", TERMINAL, |it| {
        own_terminal(it, Terminal::TypeHighBit)
    }),
    Probe::new("terminal", "TIOCSTI, all high bits", TERMINAL, |it| {
        own_terminal(it, Terminal::TypeHighBits)
    }),
    // The kernel looks, and finds no console.
    Probe::new("terminal", "TIOCLINUX", TERMINAL, |it| {
        looked(own_terminal(it, Terminal::Console))
    }),
    Probe::new("terminal", "TIOCLINUX, a high bit", TERMINAL, |it| {
        looked(own_terminal(it, Terminal::ConsoleHighBit))
    }),
    Probe::new("terminal", "TIOCSETD", TERMINAL, |it| {
        own_terminal(it, Terminal::Discipline)
    }),
    Probe::new("privileges", "setuid", &[Wall::Privileges], |_| {
        Ok(setuid(Uid::from_raw(0))?)
    }),
    Probe::new("privileges", "setresuid", &[Wall::Privileges], |_| {
        let root = Uid::from_raw(0);
        Ok(setresuid(root, root, root)?)
    }),
    Probe::new("privileges", "setresgid", &[Wall::Privileges], |_| {
        let root = Gid::from_raw(0);
        Ok(setresgid(root, root, root)?)
    }),
    Probe::new("privileges", "setgroups", &[Wall::Privileges], |_| {
        Ok(setgroups(&[Gid::from_raw(0)])?)
    }),
    Probe::new(
        "privileges",
        "left-over groups",
        &[Wall::Privileges],
        |it| {
            let mut groups = getgroups()?;
            groups.extend([getgid(), getegid()]);
            let known = |group: &Gid| it.told.target.groups.contains(&group.as_raw());
            is_left(!groups.iter().all(known))
        },
    ),
    Probe::new(
        "privileges",
        "left-over capabilities",
        &[Wall::Privileges],
        |_| {
            let sets = capabilities(None)?;
            is_left(!(sets.effective | sets.permitted | sets.inheritable).is_empty())
        },
    ),
    Probe::new("privileges", "capset", &[Wall::Privileges], |_| {
        let wanted = CapabilitySet::SYS_CHROOT;
        let sets = CapabilitySets {
            effective: wanted,
            permitted: wanted,
            inheritable: CapabilitySet::empty(),
        };
        Ok(set_capabilities(None, sets)?)
    }),
    Probe::new(
        "privileges",
        "ambient capability",
        &[Wall::Privileges],
        |_| {
            let mut sets = capabilities(None)?;
            sets.inheritable = sets.permitted;
            set_capabilities(None, sets)?;
            Ok(configure_capability_in_ambient_set(
                CapabilitySet::SYS_CHROOT,
                true,
            )?)
        },
    ),
    Probe::new(
        "privileges",
        "left-over bounding set",
        &[Wall::Bounds],
        |_| {
            let all = CapabilitySet::all();
            let in_set = |it: CapabilitySet| capability_is_in_bounding_set(it).unwrap_or(false);
            is_left(all.iter().any(in_set))
        },
    ),
    Probe::new(
        "privileges",
        "securebits not locked",
        &[Wall::Bounds],
        |_| {
            let locked = CapabilitiesSecureBits::NO_ROOT
                | CapabilitiesSecureBits::NO_ROOT_LOCKED
                | CapabilitiesSecureBits::NO_SETUID_FIXUP
                | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED;
            is_left(!capabilities_secure_bits()?.contains(locked))
        },
    ),
    Probe::new(
        "privileges",
        "no_new_privs not set",
        &[Wall::NoNewPrivs],
        |_| is_left(!no_new_privs()?),
    ),
];

fn target(inside: &Inside) -> io::Result<Option<Pid>> {
    Ok(Pid::from_raw(inside.target()?.as_raw()))
}

fn is_left(left: bool) -> io::Result<()> {
    if left {
        return Ok(());
    }
    Err(io::Error::other("nothing is left"))
}

fn read_memory(inside: &Inside) -> io::Result<()> {
    let mut read = [0; SECRET.len()];
    let there = RemoteIoVec {
        base: inside.told.target.address,
        len: SECRET.len(),
    };
    process_vm_readv(
        inside.target()?,
        &mut [IoSliceMut::new(&mut read)],
        &[there],
    )?;
    if read == SECRET {
        return Ok(());
    }
    Err(Errno::ESRCH.into())
}

/// Tries to write what is there already, and may not be written.
fn write_memory(inside: &Inside) -> io::Result<()> {
    let there = RemoteIoVec {
        base: inside.told.target.address,
        len: SECRET.len(),
    };
    match process_vm_writev(inside.target()?, &[IoSlice::new(&SECRET)], &[there]) {
        Ok(_) | Err(Errno::EFAULT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Tries one after the other, and gives the last error where none succeeds.
fn any<T>(all: impl Iterator<Item = T>, attempt: impl Fn(T) -> io::Result<()>) -> io::Result<()> {
    let mut last = Err(absent("there is nothing to try"));
    for it in all {
        last = attempt(it);
        if last.is_ok() {
            break;
        }
    }
    last
}

fn ipc(inside: &Inside, object: Ipc) -> io::Result<()> {
    debug_assert!(IPC.contains(&object));
    match inside.told.target.key {
        Some(key) => raw::ipc_get(object, key, false).map(drop),
        None => Err(absent("this kernel has none")),
    }
}

fn socket(family: AddressFamily, kind: SocketType, protocol: Option<Protocol>) -> io::Result<()> {
    socket_with(family, kind, SocketFlags::CLOEXEC, protocol)?;
    Ok(())
}

/// Tries a request at a terminal that is the controlling one of this process, as that of a session would be.
fn own_terminal(inside: &Inside, what: Terminal) -> io::Result<()> {
    setsid()?;
    ioctl_tiocsctty(&inside.terminal)?;
    raw::try_terminal(&inside.terminal, what)
}
