//! Probes of the calls that lead into the kernel: namespaces, mounts, and the parts that holes are found in.

use std::{io, os::fd::AsFd};

use nix::sched::{CloneFlags, unshare};
use rustix::thread::{
    LinkNameSpaceType, ThreadNameSpaceType, move_into_link_name_space, move_into_thread_name_spaces,
};

use super::{
    probe::{Inside, Probe, looked},
    raw::{self, Call, make},
    wall::Wall,
};

/// Where the kernel itself asks for no privilege, or its settings decide.
const FILTER: &[Wall] = &[Wall::Seccomp];
/// Where it does.
const BOTH: &[Wall] = &[Wall::Seccomp, Wall::Privileges];

pub(super) const PROBES: &[Probe] = &[
    namespaces("unshare, user", FILTER, |_| {
        Ok(unshare(CloneFlags::CLONE_NEWUSER)?)
    }),
    namespaces("unshare, mount", BOTH, |_| {
        Ok(unshare(CloneFlags::CLONE_NEWNS)?)
    }),
    namespaces("unshare, network", BOTH, |_| {
        Ok(unshare(CloneFlags::CLONE_NEWNET)?)
    }),
    namespaces("unshare, pid", BOTH, |_| {
        Ok(unshare(CloneFlags::CLONE_NEWPID)?)
    }),
    namespaces("clone, user", FILTER, |_| raw::clone_into_user_namespace()),
    namespaces("clone3, user", FILTER, |_| {
        raw::clone3_into_user_namespace()
    }),
    namespaces("setns, mount namespace sent in", BOTH, |it| {
        let wanted = Some(LinkNameSpaceType::Mount);
        Ok(move_into_link_name_space(it.mounts.as_fd(), wanted)?)
    }),
    namespaces("setns, pidfd sent in", BOTH, |it| {
        let wanted = ThreadNameSpaceType::MOUNT;
        Ok(move_into_thread_name_spaces(it.pidfd.as_fd(), wanted)?)
    }),
    kernel("mount", BOTH, |_| looked(make(Call::Mount))),
    kernel("umount2", BOTH, |_| looked(make(Call::Umount))),
    kernel("pivot_root", BOTH, |_| looked(make(Call::PivotRoot))),
    kernel("open_tree", FILTER, |_| looked(make(Call::OpenTree))),
    kernel("open_tree, clone", BOTH, |_| {
        looked(make(Call::OpenTreeClone))
    }),
    kernel("open_tree_attr", FILTER, |_| {
        looked(make(Call::OpenTreeAttr))
    }),
    kernel("move_mount", BOTH, |_| looked(make(Call::MoveMount))),
    kernel("mount_setattr", BOTH, |_| looked(make(Call::MountSetattr))),
    kernel("fsopen", BOTH, |_| looked(make(Call::Fsopen))),
    kernel("fsconfig", FILTER, |_| looked(make(Call::Fsconfig))),
    kernel("fsmount", BOTH, |_| looked(make(Call::Fsmount))),
    kernel("fspick", BOTH, |_| looked(make(Call::Fspick))),
    kernel("open_by_handle_at", BOTH, |it| {
        looked(raw::open_by_handle(&it.root))
    }),
    kernel("fanotify_init", FILTER, |_| {
        looked(make(Call::FanotifyInit))
    }),
    kernel("fanotify_init, content", BOTH, |_| {
        looked(make(Call::FanotifyInitContent))
    }),
    kernel("bpf", FILTER, |_| looked(make(Call::Bpf))),
    kernel("userfaultfd", FILTER, |_| looked(make(Call::Userfaultfd))),
    kernel("io_uring_setup", FILTER, |_| {
        looked(make(Call::IoUringSetup))
    }),
    kernel("perf_event_open", FILTER, |_| {
        looked(make(Call::PerfEventOpen))
    }),
    kernel("personality", FILTER, |_| looked(make(Call::Personality))),
    kernel("kexec_load", BOTH, |_| looked(make(Call::KexecLoad))),
    kernel("kexec_file_load", BOTH, |_| {
        looked(make(Call::KexecFileLoad))
    }),
    kernel("init_module", BOTH, |_| looked(make(Call::InitModule))),
    kernel("finit_module", BOTH, |_| looked(make(Call::FinitModule))),
    kernel("delete_module", BOTH, |_| looked(make(Call::DeleteModule))),
    kernel("quotactl", FILTER, |_| looked(make(Call::Quotactl))),
    kernel("quotactl_fd", FILTER, |_| looked(make(Call::QuotactlFd))),
    kernel("swapon", BOTH, |_| looked(make(Call::Swapon))),
    kernel("swapoff", BOTH, |_| looked(make(Call::Swapoff))),
    kernel("acct", BOTH, |_| looked(make(Call::Acct))),
    kernel("settimeofday", BOTH, |_| looked(make(Call::Settimeofday))),
    kernel("clock_settime", FILTER, |_| {
        looked(make(Call::ClockSettime))
    }),
    kernel("syslog", FILTER, |_| looked(make(Call::Syslog))),
    kernel("sethostname", BOTH, |_| looked(make(Call::Sethostname))),
    kernel("modify_ldt", FILTER, |_| looked(make(Call::ModifyLdt))),
    kernel("iopl", BOTH, |_| looked(make(Call::Iopl))),
    kernel("ioperm", BOTH, |_| looked(make(Call::Ioperm))),
    Probe::new("keys", "keyctl", FILTER, |_| looked(make(Call::Keyctl))),
    Probe::new("keys", "add_key", FILTER, |_| looked(make(Call::AddKey))),
    Probe::new("keys", "request_key", FILTER, |_| {
        looked(make(Call::RequestKey))
    }),
    Probe::new("entries", "int80", FILTER, |_| raw::int80()),
    Probe::new("entries", "x32", FILTER, |_| make(Call::X32).map(drop)),
    Probe::new("entries", "x32, unshare", FILTER, |_| {
        make(Call::X32Unshare).map(drop)
    }),
];

const fn namespaces(
    name: &'static str,
    walls: &'static [Wall],
    run: fn(&Inside) -> io::Result<()>,
) -> Probe {
    Probe::new("namespaces", name, walls, run)
}

const fn kernel(
    name: &'static str,
    walls: &'static [Wall],
    run: fn(&Inside) -> io::Result<()>,
) -> Probe {
    Probe::new("kernel", name, walls, run)
}
