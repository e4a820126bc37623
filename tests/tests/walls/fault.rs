//! The fail-closed matrix: whatever system call of a login fails, nothing of the user's runs outside a whole jail, and
//! no process of the login is left.
//!
//! In place of the jail's shell stands the probe `report`; that it ran shows in its output and nowhere else. That no
//! process is left is in every outcome: the probe `inject` ends with the last of them, and says of one that stays that it
//! hangs.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

#[path = "fault_created.rs"]
mod created;

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::c_long;
use std::path::Path;
use std::thread;
use std::time::Duration;

use jail::account::identity::Identity;
use jail::plan::Plan;
use jail::plan::request::{Request, What};
use jail_config::{Decision, Policy};
use login_jail_tests::fault::{Call, End, Report, Run, install_probe, probe};
use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, roots};
use nix::libc;

/// Which of the calls that a row describes gets the fault.
#[derive(Clone, Copy, Debug)]
enum Which {
    Every,
    Nth(usize),
    /// The last, or so many before it.
    Last(usize),
}
use Which::{Every, Last, Nth};

/// How a login is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Start {
    /// As a command, without a terminal.
    Plain,
    /// As the leader of a session that has a terminal: sshd.
    Leader,
    /// As a leader, too, with a program that needs no shell.
    Listed,
    /// As a request for SFTP, which needs no terminal.
    Sftp,
    /// As an interactive shell in the foreground of another's session: su, login.
    Foreground,
    /// As a command beside another login, which stays.
    Second,
    /// As the leader of a session that has a terminal, beside such a login.
    SecondLeader,
}

/// A row of the matrix: a call of a step, the fault it gets, and the code that the login is refused with.
#[derive(Clone, Copy, Debug)]
struct Row {
    start: Start,
    step: &'static str,
    call: c_long,
    /// Arguments as inject takes them.
    arguments: &'static str,
    which: Which,
    /// The name of an errno, or `lie`: the call is said to have succeeded and is not done.
    fault: &'static str,
    code: (&'static str, i32),
}

impl Row {
    const fn from(self, start: Start) -> Row {
        Row { start, ..self }
    }
}

const STEP: (&str, i32) = ("step", 123);
const UNSAFE: (&str, i32) = ("root-unsafe", 112);
const HOME: (&str, i32) = ("home-missing", 116);

const fn row(
    step: &'static str,
    (call, arguments): (c_long, &'static str),
    which: Which,
    fault: &'static str,
    code: (&'static str, i32),
) -> Row {
    Row {
        start: Start::Plain,
        step,
        call,
        arguments,
        which,
        fault,
        code,
    }
}

/// A row of a fully isolated login: `in=1` is the supervisor and what it is forked from, `in=2` init and what it is
/// forked from, `in=3` the main process.
const fn step(
    name: &'static str,
    call: (c_long, &'static str),
    which: Which,
    fault: &'static str,
) -> Row {
    row(name, call, which, fault, STEP)
}

// prctl(2) and keyctl(2) by their first argument, prlimit(2) by the resource.
const JOIN_KEYRING: (c_long, &str) = (libc::SYS_keyctl, "0=1");
const CAPBSET_DROP_CHOWN: (c_long, &str) = (libc::SYS_prctl, "0=24,1=0");
const CAPBSET_DROP_ADMIN: (c_long, &str) = (libc::SYS_prctl, "0=24,1=21");
const SET_SECUREBITS: (c_long, &str) = (libc::SYS_prctl, "0=28");
const GET_SECUREBITS: (c_long, &str) = (libc::SYS_prctl, "0=27");
const SET_NO_NEW_PRIVS: (c_long, &str) = (libc::SYS_prctl, "0=38");
const GET_NO_NEW_PRIVS: (c_long, &str) = (libc::SYS_prctl, "0=39");
const CLEAR_AMBIENT: (c_long, &str) = (libc::SYS_prctl, "0=47,1=4");
const SET_DUMPABLE: (c_long, &str) = (libc::SYS_prctl, "0=4");
const RECORD_DIRECTORY: (c_long, &str) = (libc::SYS_openat2, "path=log,in=1");
const RECORD_FILE: (c_long, &str) = (libc::SYS_openat2, "path=sessions.jsonl,in=1");
const LIMIT_CORE: (c_long, &str) = (libc::SYS_prlimit64, "1=4");

/// The rows of `isolation = "chroot"`.
const CHROOT: &[Row] = &[
    row("record", RECORD_DIRECTORY, Every, "EACCES", STEP),
    row("record", RECORD_FILE, Every, "EMFILE", STEP),
    row("record", (libc::SYS_write, ""), Nth(1), "ENOSPC", STEP),
    row(
        "open-root",
        (libc::SYS_openat2, "path=jails"),
        Every,
        "EACCES",
        UNSAFE,
    ),
    row(
        "open-root",
        (libc::SYS_openat2, "path=ann"),
        Every,
        "EMFILE",
        UNSAFE,
    ),
    row("session-keyring", JOIN_KEYRING, Every, "EPERM", STEP),
    row("session-keyring", JOIN_KEYRING, Every, "EDQUOT", STEP),
    row("bounding-set", CAPBSET_DROP_CHOWN, Every, "EPERM", STEP),
    row("bounding-set", CAPBSET_DROP_ADMIN, Every, "EPERM", STEP),
    row("bounding-set", CAPBSET_DROP_ADMIN, Every, "EINVAL", STEP),
    row("securebits", SET_SECUREBITS, Every, "EPERM", STEP),
    row("chroot", (libc::SYS_fchdir, ""), Every, "EACCES", STEP),
    row("chroot", (libc::SYS_chroot, ""), Nth(1), "EPERM", STEP),
    row(
        "chroot",
        (libc::SYS_chdir, "path=/"),
        Nth(2),
        "EACCES",
        STEP,
    ),
    row("limits", LIMIT_CORE, Last(0), "EPERM", STEP),
    row("groups", (libc::SYS_setgroups, ""), Nth(1), "EPERM", STEP),
    row("gid", (libc::SYS_setresgid, ""), Nth(1), "EPERM", STEP),
    row(
        "session-keyring",
        (libc::SYS_setresuid, ""),
        Nth(1),
        "EPERM",
        STEP,
    ),
    row("uid", (libc::SYS_setresuid, ""), Nth(2), "EPERM", STEP),
    row("uid", (libc::SYS_setresuid, ""), Nth(2), "EAGAIN", STEP),
    row("uid", SET_DUMPABLE, Last(0), "EINVAL", STEP),
    row("capabilities", CLEAR_AMBIENT, Every, "EPERM", STEP),
    row("capabilities", (libc::SYS_capset, ""), Every, "EPERM", STEP),
    row("no-new-privs", SET_NO_NEW_PRIVS, Every, "EINVAL", STEP),
    row("verify", (libc::SYS_getresuid, ""), Last(0), "EFAULT", STEP),
    row("verify", (libc::SYS_getresgid, ""), Last(0), "EFAULT", STEP),
    row("verify", (libc::SYS_getgroups, ""), Last(0), "EFAULT", STEP),
    row("verify", (libc::SYS_capget, ""), Last(0), "EPERM", STEP),
    row("verify", GET_SECUREBITS, Last(0), "EPERM", STEP),
    row("verify", GET_NO_NEW_PRIVS, Last(0), "EPERM", STEP),
    row(
        "landlock",
        (libc::SYS_landlock_create_ruleset, ""),
        Last(0),
        "EPERM",
        STEP,
    ),
    row(
        "landlock",
        (libc::SYS_landlock_create_ruleset, ""),
        Every,
        "ENOSYS",
        STEP,
    ),
    row(
        "landlock",
        (libc::SYS_landlock_add_rule, ""),
        Nth(1),
        "ENOMEM",
        STEP,
    ),
    row(
        "landlock",
        (libc::SYS_landlock_restrict_self, ""),
        Every,
        "E2BIG",
        STEP,
    ),
    row("seccomp", (libc::SYS_seccomp, ""), Every, "EINVAL", STEP),
    row("umask", (libc::SYS_umask, ""), Last(0), "EPERM", STEP),
    row(
        "home",
        (libc::SYS_chdir, "path=/"),
        Last(0),
        "EACCES",
        ("root-unsearchable", 125),
    ),
    row(
        "home",
        (libc::SYS_chdir, "path=/home/ann"),
        Every,
        "EACCES",
        HOME,
    ),
    row("home", (libc::SYS_getcwd, ""), Last(0), "ENOENT", HOME),
    row(
        "program",
        (libc::SYS_openat2, "path=/bin/sh"),
        Every,
        "ENOENT",
        ("shell-missing", 113),
    ),
    row(
        "exec",
        (libc::SYS_execve, ""),
        Nth(1),
        "EACCES",
        ("exec", 124),
    ),
    row(
        "exec",
        (libc::SYS_execve, ""),
        Nth(1),
        "ENOMEM",
        ("exec", 124),
    ),
];

/// Calls said to have succeeded that were never done: `verify` must find out, by looking or by trying.
const CHROOT_LIES: &[Row] = &[
    row("chroot", (libc::SYS_chroot, ""), Nth(1), "lie", STEP),
    row("securebits", SET_SECUREBITS, Every, "lie", STEP),
    row("groups", (libc::SYS_setgroups, ""), Nth(1), "lie", STEP),
    row("gid", (libc::SYS_setresgid, ""), Nth(1), "lie", STEP),
    row("uid", (libc::SYS_setresuid, ""), Nth(2), "lie", STEP),
    row("capabilities", (libc::SYS_capset, ""), Every, "lie", STEP),
    row("no-new-privs", SET_NO_NEW_PRIVS, Every, "lie", STEP),
    // The trial of regaining root must fail. Said to have succeeded, it is believed.
    row("verify", (libc::SYS_setresuid, ""), Last(0), "lie", STEP),
    row("verify", (libc::SYS_setgroups, ""), Last(0), "lie", STEP),
    row("verify", (libc::SYS_chroot, ""), Last(0), "lie", STEP),
    row(
        "landlock",
        (libc::SYS_landlock_restrict_self, ""),
        Every,
        "lie",
        STEP,
    ),
    row("seccomp", (libc::SYS_seccomp, ""), Every, "lie", STEP),
];

// unshare(2), ioctl(2), fcntl(2) and fsconfig(2) by the argument that says what is to be done.
const NEW_PID: (c_long, &str) = (libc::SYS_unshare, "0=0x20000000,in=1");
const NEW_MOUNTS: (c_long, &str) = (libc::SYS_unshare, "0=0x4c020000,in=2");
const TAKE_TERMINAL: (c_long, &str) = (libc::SYS_ioctl, "1=0x540e,in=3");
const LEAD_ON_TERMINAL: (c_long, &str) = (libc::SYS_ioctl, "1=0x540e,in=2");
const UNLOCK_TERMINAL: (c_long, &str) = (libc::SYS_ioctl, "1=0x40045431,in=1");
const OPEN_TERMINAL: (c_long, &str) = (libc::SYS_ioctl, "1=0x5441,in=1");
const TAKE_SLOT: (c_long, &str) = (libc::SYS_fcntl, "1=37,in=1");
const LOOK_AT_SLOTS: (c_long, &str) = (libc::SYS_fcntl, "1=36,in=1");
const LOOPBACK: (c_long, &str) = (libc::SYS_ioctl, "1=0x8914,in=2");
const CREATE_FS: (c_long, &str) = (libc::SYS_fsconfig, "1=6,in=2");
const DEATH_SIGNAL: (c_long, &str) = (libc::SYS_prctl, "0=1,in=2");

/// The rows of a view of the host with a mount and without a network.
const FULL: &[Row] = &[
    step("record", RECORD_DIRECTORY, Every, "EACCES"),
    step("record", RECORD_FILE, Every, "EMFILE"),
    step("record", (libc::SYS_write, "in=1"), Nth(1), "ENOSPC"),
    step("record", (libc::SYS_write, "in=1"), Nth(1), "EIO"),
    row(
        "open-root",
        (libc::SYS_openat2, "path=jails"),
        Every,
        "EACCES",
        UNSAFE,
    ),
    row(
        "open-root",
        (libc::SYS_openat2, "path=ann"),
        Every,
        "EMFILE",
        UNSAFE,
    ),
    // The first look at "/" is for the root directory, the third for the mount's source.
    row(
        "open-base",
        (libc::SYS_openat2, "path=/,in=2"),
        Nth(2),
        "EACCES",
        UNSAFE,
    ),
    row(
        "open-mount",
        (libc::SYS_openat2, "path=/,in=2"),
        Nth(3),
        "EMFILE",
        UNSAFE,
    ),
    row(
        "open-mount",
        (libc::SYS_openat2, "path=shared,in=2"),
        Every,
        "EACCES",
        UNSAFE,
    ),
    row(
        "open-service",
        (libc::SYS_openat2, "path=/,in=2"),
        Nth(4),
        "EMFILE",
        UNSAFE,
    ),
    row(
        "open-service",
        (libc::SYS_openat2, "path=postgresql,in=2"),
        Every,
        "EACCES",
        UNSAFE,
    ),
    step(
        "open-devices",
        (libc::SYS_openat, "path=/proc/devices,in=2"),
        Every,
        "EACCES",
    ),
    step(
        "open-devices",
        (libc::SYS_openat2, "path=/,in=2"),
        Nth(5),
        "EACCES",
    ),
    step(
        "open-devices",
        (libc::SYS_openat2, "path=hwrng,in=2"),
        Every,
        "EACCES",
    ),
    step("session-keyring", JOIN_KEYRING, Every, "EPERM"),
    step("bounding-set", CAPBSET_DROP_ADMIN, Every, "EPERM"),
    step("securebits", SET_SECUREBITS, Every, "EPERM"),
    step(
        "sessions",
        (libc::SYS_openat2, "path=run,in=1"),
        Every,
        "EACCES",
    ),
    step(
        "sessions",
        (libc::SYS_openat2, "path=sessions,in=1"),
        Every,
        "EMFILE",
    ),
    step(
        "sessions",
        (libc::SYS_mkdirat, "path=login-jail,in=1"),
        Every,
        "ENOSPC",
    ),
    step(
        "sessions",
        (libc::SYS_mkdirat, "path=sessions,in=1"),
        Every,
        "EROFS",
    ),
    step("sessions", (libc::SYS_openat2, "in=1"), Last(0), "ENFILE"),
    step("sessions", TAKE_SLOT, Every, "ENOLCK"),
    step("sessions", TAKE_SLOT, Every, "ENOMEM"),
    step("sessions", LOOK_AT_SLOTS, Every, "EINVAL"),
    step("open-terminal", (libc::SYS_getsid, ""), Every, "EPERM"),
    step(
        "open-terminal",
        (libc::SYS_fcntl, "1=1030,in=1"),
        Nth(1),
        "EMFILE",
    )
    .from(Start::Foreground),
    step("copy-trees", (libc::SYS_open_tree, "in=2"), Nth(1), "EPERM"),
    step(
        "copy-trees",
        (libc::SYS_open_tree, "in=2"),
        Last(2),
        "ENOMEM",
    ),
    step("copy-trees", (libc::SYS_open_tree, "in=2"), Nth(1), "EPERM").from(Start::Leader),
    step(
        "copy-trees",
        (libc::SYS_mount_setattr, "in=2"),
        Nth(1),
        "EPERM",
    ),
    step(
        "copy-trees",
        (libc::SYS_mount_setattr, "in=2"),
        Last(2),
        "ENOSYS",
    ),
    step("copy-trees", (libc::SYS_fstatfs, "in=2"), Last(2), "EIO"),
    step("new-root", (libc::SYS_fstatfs, "in=2"), Last(1), "EIO"),
    step(
        "pid-namespace",
        (libc::SYS_openat, "path=/dev/null,in=1"),
        Last(0),
        "ENOENT",
    ),
    step(
        "pid-namespace",
        (libc::SYS_socketpair, "in=1"),
        Nth(1),
        "EMFILE",
    ),
    step(
        "pid-namespace",
        (libc::SYS_socketpair, "in=1"),
        Nth(2),
        "EMFILE",
    ),
    step(
        "pid-namespace",
        (libc::SYS_sendmsg, "in=1"),
        Every,
        "ETOOMANYREFS",
    ),
    step("pid-namespace", NEW_PID, Every, "EPERM"),
    step("pid-namespace", NEW_PID, Every, "ENOSPC"),
    step("pid-namespace", (libc::SYS_clone, "in=1"), Every, "EAGAIN"),
    step("pid-namespace", DEATH_SIGNAL, Nth(1), "EPERM"),
    // What the supervisor does before it lets init go on.
    step("groups", (libc::SYS_setgroups, "in=1"), Nth(1), "EPERM"),
    step("gid", (libc::SYS_setresgid, "in=1"), Nth(1), "EPERM"),
    step(
        "pid-namespace",
        (libc::SYS_setresuid, "in=1"),
        Nth(2),
        "EAGAIN",
    ),
    step(
        "pid-namespace",
        (libc::SYS_setresuid, "in=1"),
        Nth(3),
        "EPERM",
    ),
    step("uid", (libc::SYS_setresuid, "in=1"), Nth(4), "EAGAIN"),
    step(
        "pid-namespace",
        (libc::SYS_timer_delete, "in=1"),
        Every,
        "EINVAL",
    ),
    step("capabilities", (libc::SYS_capset, "in=1"), Every, "EPERM"),
    step(
        "pid-namespace",
        (libc::SYS_signalfd4, "in=1"),
        Every,
        "EMFILE",
    ),
    step("pid-namespace", (libc::SYS_dup2, "in=1"), Nth(1), "EBADF"),
    step(
        "pid-namespace",
        (libc::SYS_sendto, "2=1,in=1"),
        Every,
        "ENOMEM",
    ),
    step("namespaces", NEW_MOUNTS, Every, "EPERM"),
    step("namespaces", NEW_MOUNTS, Every, "ENOSPC"),
    step(
        "namespaces",
        (libc::SYS_statx, "path=/,in=2"),
        Nth(2),
        "EACCES",
    ),
    step(
        "open-root",
        (libc::SYS_statx, "3=256,in=2"),
        Every,
        "EACCES",
    ),
    step("namespaces", (libc::SYS_socket, "in=2"), Nth(1), "EMFILE"),
    step("namespaces", LOOPBACK, Every, "EPERM"),
    step(
        "new-root",
        (libc::SYS_openat2, "path=/,in=2"),
        Nth(7),
        "EACCES",
    ),
    step(
        "new-root",
        (libc::SYS_mount_setattr, "in=2"),
        Last(1),
        "EPERM",
    ),
    step("new-root", (libc::SYS_setresgid, "in=2"), Nth(1), "EPERM"),
    step("new-root", (libc::SYS_fsopen, "in=2"), Nth(1), "ENODEV"),
    step("new-root", (libc::SYS_fsopen, "in=2"), Last(0), "EPERM"),
    step("new-root", (libc::SYS_fsconfig, "in=2"), Nth(1), "EINVAL"),
    step("new-root", CREATE_FS, Nth(1), "ENOMEM"),
    step("new-root", CREATE_FS, Last(0), "EPERM"),
    step("new-root", (libc::SYS_fsmount, "in=2"), Nth(1), "EPERM"),
    step("new-root", (libc::SYS_fsmount, "in=2"), Last(0), "EMFILE"),
    step("new-root", (libc::SYS_move_mount, "in=2"), Nth(1), "EPERM"),
    step("new-root", (libc::SYS_move_mount, "in=2"), Nth(2), "EINVAL"),
    step(
        "new-root",
        (libc::SYS_move_mount, "in=2"),
        Last(0),
        "EINVAL",
    ),
    step(
        "new-root",
        (libc::SYS_mkdirat, "path=proc,in=2"),
        Every,
        "EACCES",
    ),
    step(
        "new-root",
        (libc::SYS_mkdirat, "path=data,in=2"),
        Every,
        "EROFS",
    ),
    step(
        "new-root",
        (libc::SYS_openat2, "path=proc,in=2"),
        Every,
        "ELOOP",
    ),
    step(
        "new-root",
        (libc::SYS_openat2, "path=data,in=2"),
        Every,
        "EXDEV",
    ),
    step("new-root", (libc::SYS_mknodat, "in=2"), Nth(1), "EPERM"),
    step("new-root", (libc::SYS_mknodat, "in=2"), Last(0), "EPERM"),
    step("new-root", (libc::SYS_symlinkat, "in=2"), Nth(1), "ENOSPC"),
    // The socket /dev/log, and how init hands it to the supervisor.
    step(
        "new-root",
        (libc::SYS_socket, "0=1,1=0x80802,in=2"),
        Every,
        "EMFILE",
    ),
    step("new-root", (libc::SYS_fchdir, "in=2"), Nth(1), "EACCES"),
    step("new-root", (libc::SYS_bind, "in=2"), Every, "ENOSPC"),
    step("new-root", (libc::SYS_bind, "in=2"), Every, "EADDRINUSE"),
    step(
        "new-root",
        (libc::SYS_sendmsg, "in=2"),
        Every,
        "ETOOMANYREFS",
    ),
    step(
        "pid-namespace",
        (libc::SYS_epoll_create1, "in=1"),
        Every,
        "EMFILE",
    ),
    step(
        "pid-namespace",
        (libc::SYS_epoll_ctl, "in=1"),
        Every,
        "ENOSPC",
    ),
    step("new-root", (libc::SYS_write, "in=2"), Nth(1), "ENOSPC"),
    step(
        "new-root",
        (libc::SYS_mount_setattr, "in=2"),
        Last(0),
        "EPERM",
    ),
    step("new-root", (libc::SYS_fchdir, "in=2"), Every, "EACCES"),
    step("new-root", (libc::SYS_pivot_root, ""), Every, "EINVAL"),
    step("new-root", (libc::SYS_pivot_root, ""), Every, "EPERM"),
    step("new-root", (libc::SYS_umount2, ""), Every, "EBUSY"),
    step(
        "new-root",
        (libc::SYS_statx, "in=2,path=/.."),
        Every,
        "EACCES",
    ),
    step("new-root", (libc::SYS_chdir, "in=2"), Every, "EACCES"),
    step("init", (libc::SYS_recvfrom, "in=2"), Nth(1), "ENOTCONN"),
    step("init", (libc::SYS_pipe2, "in=2"), Every, "EMFILE"),
    step("init", (libc::SYS_clone, "in=2"), Every, "EAGAIN"),
    // What init does before it lets the main process go on.
    step("groups", (libc::SYS_setgroups, "in=2"), Nth(1), "EPERM"),
    step("gid", (libc::SYS_setresgid, "in=2"), Last(0), "EPERM"),
    step(
        "namespaces",
        (libc::SYS_setresuid, "in=2"),
        Nth(1),
        "EAGAIN",
    ),
    step("namespaces", (libc::SYS_setresuid, "in=2"), Nth(2), "EPERM"),
    step(
        "namespaces",
        (libc::SYS_prctl, "0=4,in=2"),
        Nth(1),
        "EINVAL",
    ),
    step("uid", (libc::SYS_setresuid, "in=2"), Nth(3), "EAGAIN"),
    step("verify", (libc::SYS_timer_delete, "in=3"), Every, "EINVAL"),
    step("init", (libc::SYS_timer_create, "in=3"), Every, "EAGAIN"),
    step("capabilities", (libc::SYS_capset, "in=2"), Every, "EPERM"),
    step(
        "no-new-privs",
        (libc::SYS_prctl, "0=38,in=2"),
        Nth(1),
        "EINVAL",
    ),
    step(
        "landlock",
        (libc::SYS_landlock_restrict_self, "in=2"),
        Every,
        "E2BIG",
    ),
    step("seccomp", (libc::SYS_seccomp, "in=2"), Every, "ENOMEM"),
    step("init", (libc::SYS_prctl, "0=4,in=2"), Last(0), "EINVAL"),
    step("namespaces", DEATH_SIGNAL, Nth(2), "EINVAL"),
    step("new-root", DEATH_SIGNAL, Nth(4), "EINVAL"),
    step("new-root", DEATH_SIGNAL, Last(2), "EINVAL"),
    step("gid", DEATH_SIGNAL, Last(1), "EINVAL"),
    step("pid-namespace", (libc::SYS_ppoll, "in=2"), Nth(1), "ENOMEM"),
    step("new-root", (libc::SYS_ppoll, "in=2"), Nth(2), "ENOMEM"),
    step("pid-namespace", (libc::SYS_ppoll, "in=1"), Nth(1), "ENOMEM"),
    step("init", DEATH_SIGNAL, Last(0), "EINVAL"),
    step("init", (libc::SYS_signalfd4, "in=2"), Every, "EMFILE"),
    step("pid-namespace", (libc::SYS_dup2, "in=2"), Nth(1), "EBADF"),
    step(
        "pid-namespace",
        (libc::SYS_recvmsg, "in=2"),
        Every,
        "ENOMEM",
    ),
    step("pid-namespace", (libc::SYS_dup2, "in=2"), Nth(4), "EBADF"),
    step("init", (libc::SYS_dup2, "in=2"), Nth(7), "EBADF"),
    step("init", (libc::SYS_sendto, "2=16,in=2"), Nth(1), "ENOMEM"),
    step("init", (libc::SYS_write, "2=1,in=2"), Last(0), "EIO"),
    step("init", (libc::SYS_read, "2=1,in=3"), Last(0), "EIO"),
    step("terminal", (libc::SYS_setsid, "in=3"), Every, "EPERM").from(Start::Leader),
    step("terminal", TAKE_TERMINAL, Every, "EPERM").from(Start::Leader),
    step(
        "open-terminal",
        (libc::SYS_open, "path=/dev/ptmx,in=1"),
        Every,
        "ENOENT",
    )
    .from(Start::Foreground),
    step("open-terminal", UNLOCK_TERMINAL, Every, "EIO").from(Start::Foreground),
    step("open-terminal", OPEN_TERMINAL, Every, "EMFILE").from(Start::Foreground),
    step("init", (libc::SYS_setsid, "in=2"), Every, "EPERM").from(Start::Foreground),
    step("init", LEAD_ON_TERMINAL, Every, "EPERM").from(Start::Foreground),
    step("terminal", (libc::SYS_dup2, "in=3"), Nth(1), "EBUSY").from(Start::Foreground),
    step("terminal", (libc::SYS_setpgid, "in=3"), Every, "EPERM").from(Start::Foreground),
    step(
        "limits",
        (libc::SYS_prlimit64, "1=4,in=3"),
        Last(0),
        "EPERM",
    ),
    step("groups", (libc::SYS_setgroups, "in=3"), Nth(1), "EPERM"),
    step("gid", (libc::SYS_setresgid, "in=3"), Nth(1), "EPERM"),
    step("uid", (libc::SYS_setresuid, "in=3"), Nth(1), "EAGAIN"),
    step(
        "capabilities",
        (libc::SYS_prctl, "0=47,1=4,in=3"),
        Every,
        "EPERM",
    ),
    step("capabilities", (libc::SYS_capset, "in=3"), Every, "EPERM"),
    step("verify", (libc::SYS_getresuid, "in=3"), Last(0), "EFAULT"),
    step("verify", (libc::SYS_getgroups, "in=3"), Last(0), "EFAULT"),
    step("verify", (libc::SYS_capget, "in=3"), Last(0), "EPERM"),
    step(
        "landlock",
        (libc::SYS_landlock_create_ruleset, "in=2"),
        Last(0),
        "EPERM",
    ),
    step(
        "landlock",
        (libc::SYS_landlock_create_ruleset, "in=2"),
        Every,
        "ENOSYS",
    ),
    step(
        "landlock",
        (libc::SYS_landlock_create_ruleset, "in=2"),
        Every,
        "EOPNOTSUPP",
    ),
    step(
        "landlock",
        (libc::SYS_landlock_add_rule, "in=2"),
        Nth(1),
        "ENOMEM",
    ),
    step(
        "landlock",
        (libc::SYS_openat, "path=.,in=2"),
        Last(0),
        "ENOENT",
    ),
    step("seccomp", (libc::SYS_seccomp, "in=2"), Every, "EINVAL"),
    step("umask", (libc::SYS_umask, "in=3"), Last(0), "EPERM"),
    row(
        "home",
        (libc::SYS_chdir, "path=/,in=3"),
        Every,
        "EACCES",
        ("root-unsearchable", 125),
    ),
    row(
        "home",
        (libc::SYS_chdir, "path=/home/ann,in=3"),
        Every,
        "EACCES",
        HOME,
    ),
    row("home", (libc::SYS_getcwd, "in=3"), Last(0), "ENOENT", HOME),
    row(
        "program",
        (libc::SYS_openat2, "path=/bin/sh,in=3"),
        Every,
        "ENOENT",
        ("shell-missing", 113),
    ),
    row(
        "exec",
        (libc::SYS_execve, "in=3"),
        Every,
        "EACCES",
        ("exec", 124),
    ),
    row(
        "exec",
        (libc::SYS_execve, "in=3"),
        Every,
        "ENOMEM",
        ("exec", 124),
    ),
];

/// Lies to a fully isolated login.
const FULL_LIES: &[Row] = &[
    step("copy-trees", (libc::SYS_open_tree, "in=2"), Nth(1), "lie"),
    step(
        "copy-trees",
        (libc::SYS_mount_setattr, "in=2"),
        Nth(1),
        "lie",
    ),
    step(
        "copy-trees",
        (libc::SYS_mount_setattr, "in=2"),
        Last(2),
        "lie",
    ),
    step("pid-namespace", NEW_PID, Every, "lie"),
    step("pid-namespace", (libc::SYS_clone, "in=1"), Every, "lie"),
    step("groups", (libc::SYS_setgroups, "in=1"), Nth(1), "lie"),
    step("gid", (libc::SYS_setresgid, "in=1"), Nth(1), "lie"),
    step(
        "pid-namespace",
        (libc::SYS_setresuid, "in=1"),
        Nth(2),
        "lie",
    ),
    step(
        "pid-namespace",
        (libc::SYS_setresuid, "in=1"),
        Nth(3),
        "lie",
    ),
    step("uid", (libc::SYS_setresuid, "in=1"), Nth(4), "lie"),
    step(
        "pid-namespace",
        (libc::SYS_timer_delete, "in=1"),
        Every,
        "lie",
    ),
    step("verify", (libc::SYS_timer_delete, "in=3"), Every, "lie"),
    step("pid-namespace", (libc::SYS_dup2, "in=2"), Nth(5), "lie"),
    step("capabilities", (libc::SYS_capset, "in=1"), Every, "lie"),
    step("namespaces", NEW_MOUNTS, Every, "lie"),
    step("new-root", CREATE_FS, Nth(1), "lie"),
    step("new-root", (libc::SYS_fsconfig, "in=2"), Nth(1), "lie"),
    step("new-root", (libc::SYS_fsmount, "in=2"), Nth(1), "lie"),
    step("new-root", (libc::SYS_move_mount, "in=2"), Nth(1), "lie"),
    step("new-root", (libc::SYS_move_mount, "in=2"), Nth(2), "lie"),
    step("new-root", (libc::SYS_move_mount, "in=2"), Last(0), "lie"),
    step(
        "new-root",
        (libc::SYS_mount_setattr, "in=2"),
        Last(0),
        "lie",
    ),
    step("new-root", (libc::SYS_fchdir, "in=2"), Every, "lie"),
    step("new-root", (libc::SYS_fchdir, "in=2"), Nth(1), "lie"),
    step("new-root", (libc::SYS_bind, "in=2"), Every, "lie"),
    step("new-root", (libc::SYS_pivot_root, ""), Every, "lie"),
    step("new-root", (libc::SYS_umount2, ""), Every, "lie"),
    step("init", (libc::SYS_clone, "in=2"), Every, "lie"),
    step("groups", (libc::SYS_setgroups, "in=2"), Nth(1), "lie"),
    step("namespaces", (libc::SYS_setresuid, "in=2"), Nth(1), "lie"),
    step("namespaces", (libc::SYS_setresuid, "in=2"), Nth(2), "lie"),
    step("uid", (libc::SYS_setresuid, "in=2"), Nth(3), "lie"),
    step("capabilities", (libc::SYS_capset, "in=2"), Every, "lie"),
    step(
        "landlock",
        (libc::SYS_landlock_restrict_self, "in=2"),
        Every,
        "lie",
    ),
    step("seccomp", (libc::SYS_seccomp, "in=2"), Every, "lie"),
    step("terminal", (libc::SYS_setsid, "in=3"), Every, "lie").from(Start::Leader),
    step("terminal", (libc::SYS_setpgid, "in=3"), Every, "lie").from(Start::Foreground),
    step("terminal", TAKE_TERMINAL, Every, "lie").from(Start::Leader),
    step("open-terminal", (libc::SYS_setfsuid, "in=1"), Nth(1), "lie").from(Start::Foreground),
    step("init", LEAD_ON_TERMINAL, Every, "lie").from(Start::Foreground),
    step("groups", (libc::SYS_setgroups, "in=3"), Nth(1), "lie"),
    step("gid", (libc::SYS_setresgid, "in=3"), Nth(1), "lie"),
    step("uid", (libc::SYS_setresuid, "in=3"), Nth(1), "lie"),
    step("capabilities", (libc::SYS_capset, "in=3"), Every, "lie"),
    step("no-new-privs", SET_NO_NEW_PRIVS, Every, "lie"),
    step("verify", (libc::SYS_setresuid, "in=3"), Last(0), "lie"),
    step("verify", (libc::SYS_setgroups, "in=3"), Last(0), "lie"),
    step(
        "landlock",
        (libc::SYS_openat, "path=.,in=2"),
        Last(0),
        "lie",
    ),
];

/// What a recorded session has besides: the supervisor makes a file before it gives its privileges up.
const RECORDED: &[Row] = &[
    step(
        "record",
        (libc::SYS_mkdirat, "path=terminal,in=1"),
        Every,
        "ENOSPC",
    ),
    step(
        "record",
        (libc::SYS_openat2, "path=login-jail,in=1"),
        Last(0),
        "EACCES",
    ),
    step(
        "record",
        (libc::SYS_openat2, "path=terminal,in=1"),
        Every,
        "EMFILE",
    ),
    // The room that it takes, and that the user's others take.
    step("record", TAKE_SLOT, Every, "ENOLCK"),
    step("record", LOOK_AT_SLOTS, Every, "EINVAL"),
    step(
        "record",
        (libc::SYS_openat, "path=.,in=1"),
        Last(0),
        "EMFILE",
    ),
    step("record", (libc::SYS_getdents64, "in=1"), Last(0), "EIO"),
    step("record", (libc::SYS_openat, "in=1"), Last(0), "EACCES"),
    // The file itself, whose name is random, and its first line.
    step("record", (libc::SYS_openat2, "in=1"), Last(0), "EDQUOT"),
    step("record", (libc::SYS_write, "in=1"), Nth(1), "EIO"),
    step("terminal", (libc::SYS_setsid, "in=3"), Every, "EPERM"),
    step("terminal", TAKE_TERMINAL, Every, "EPERM"),
    step("terminal", TAKE_TERMINAL, Every, "lie"),
    step("open-terminal", UNLOCK_TERMINAL, Every, "EIO"),
    step("open-terminal", OPEN_TERMINAL, Every, "EMFILE"),
];

/// What the record of transfers adds: a socket for what the server says, and a timer for a log that takes nothing.
const LOGGED: &[Row] = &[
    step(
        "pid-namespace",
        (libc::SYS_socketpair, "in=1"),
        Nth(1),
        "EMFILE",
    ),
    step(
        "pid-namespace",
        (libc::SYS_socketpair, "in=1"),
        Nth(2),
        "ENFILE",
    ),
    step(
        "pid-namespace",
        (libc::SYS_socketpair, "in=1"),
        Nth(3),
        "ENOMEM",
    ),
    step(
        "pid-namespace",
        (libc::SYS_epoll_create1, "in=1"),
        Every,
        "EMFILE",
    ),
    step(
        "pid-namespace",
        (libc::SYS_timerfd_create, "in=1"),
        Every,
        "EMFILE",
    ),
    // /dev/log, the timer, the server.
    step(
        "pid-namespace",
        (libc::SYS_epoll_ctl, "in=1"),
        Nth(2),
        "ENOSPC",
    ),
    step(
        "pid-namespace",
        (libc::SYS_epoll_ctl, "in=1"),
        Nth(3),
        "ENOMEM",
    ),
    step("exec", (libc::SYS_dup2, "in=3"), Last(0), "EMFILE"),
];

/// What the limits of time add where the terminal is the session's own: a copy of it for each.
const TIMED: &[Row] = &[
    step(
        "pid-namespace",
        (libc::SYS_timer_create, "in=1"),
        Nth(2),
        "EAGAIN",
    ),
    step(
        "pid-namespace",
        (libc::SYS_timer_settime, "in=1"),
        Nth(2),
        "EINVAL",
    ),
];

/// What a login has besides whose world others may join: `in=2` is the init of the world, `in=3` the session's keeper, `in=4` the main
/// process.
const SHARED: &[Row] = &[
    step(
        "share-world",
        (libc::SYS_openat2, "path=worlds,in=1"),
        Every,
        "EACCES",
    ),
    step(
        "share-world",
        (libc::SYS_fcntl, "1=37,in=1"),
        Every,
        "EBADF",
    ),
    step("share-world", (libc::SYS_bind, "in=1"), Every, "EADDRINUSE"),
    step(
        "share-world",
        (libc::SYS_memfd_create, "in=1"),
        Every,
        "EMFILE",
    ),
    step(
        "namespaces",
        (libc::SYS_openat, "path=/proc/self/ns/mnt,in=2"),
        Every,
        "EMFILE",
    ),
    step("init", (libc::SYS_setsid, "in=2"), Every, "EPERM"),
    step("init", (libc::SYS_listen, "in=2"), Every, "EADDRINUSE"),
    step("init", (libc::SYS_sendto, "2=16,in=2"), Nth(1), "ENOMEM"),
    step("share-world", (libc::SYS_dup2, "in=3"), Nth(1), "EBADF"),
    step("limits", (libc::SYS_prlimit64, "1=6,in=3"), Every, "EPERM"),
    step("init", (libc::SYS_clone, "in=3"), Every, "EAGAIN"),
    step(
        "limits",
        (libc::SYS_prlimit64, "1=4,in=4"),
        Last(0),
        "EPERM",
    ),
    step("verify", (libc::SYS_getresuid, "in=4"), Last(0), "EFAULT"),
    step("verify", (libc::SYS_capget, "in=4"), Last(0), "EPERM"),
    step(
        "share-world",
        (libc::SYS_ioctl, "1=0x5422,in=1"),
        Every,
        "EIO",
    )
    .from(Start::Leader),
    step("terminal", (libc::SYS_setsid, "in=4"), Every, "EPERM").from(Start::Leader),
    step(
        "terminal",
        (libc::SYS_ioctl, "1=0x540e,in=4"),
        Every,
        "EPERM",
    )
    .from(Start::Leader),
    step("terminal", (libc::SYS_ioctl, "1=0x540e,in=4"), Every, "lie").from(Start::Leader),
    row(
        "home",
        (libc::SYS_chdir, "path=/home/ann,in=4"),
        Every,
        "EACCES",
        HOME,
    ),
    row(
        "program",
        (libc::SYS_openat2, "path=/bin/sh,in=4"),
        Every,
        "ENOENT",
        ("shell-missing", 113),
    ),
];

/// What a login has that joins a world: `in=5` is its supervisor, `in=6` its keeper, `in=7` its main process.
const JOINED: &[Row] = &[
    // The way to the world.
    step(
        "share-world",
        (libc::SYS_openat2, "path=worlds,in=5"),
        Every,
        "EACCES",
    ),
    step(
        "share-world",
        (libc::SYS_socket, "0=1,1=0x80805,in=5"),
        Every,
        "EMFILE",
    ),
    step(
        "share-world",
        (libc::SYS_connect, "2=0x2f,in=5"),
        Every,
        "EACCES",
    ),
    step(
        "share-world",
        (libc::SYS_getsockopt, "in=5"),
        Every,
        "ENOMEM",
    ),
    step(
        "share-world",
        (libc::SYS_fcntl, "1=4,2=0x8002,in=5"),
        Every,
        "EINVAL",
    ),
    // The look at what the host gives, which is that of a login alone.
    row(
        "open-root",
        (libc::SYS_openat2, "path=ann,in=5"),
        Every,
        "EMFILE",
        UNSAFE,
    ),
    row(
        "open-mount",
        (libc::SYS_openat2, "path=shared,in=5"),
        Every,
        "EACCES",
        UNSAFE,
    ),
    step(
        "share-world",
        (libc::SYS_statx, "3=256,in=5"),
        Last(0),
        "EACCES",
    ),
    step(
        "share-world",
        (libc::SYS_openat, "path=/dev/null,in=5"),
        Every,
        "ENOENT",
    ),
    // What is handed over, and the answers.
    step("share-world", (libc::SYS_ppoll, "in=5"), Nth(1), "ENOMEM"),
    step(
        "share-world",
        (libc::SYS_memfd_create, "in=5"),
        Every,
        "EMFILE",
    ),
    step(
        "share-world",
        (libc::SYS_write, "0=8,in=5"),
        Every,
        "ENOSPC",
    ),
    step(
        "share-world",
        (libc::SYS_openat, "path=/proc/self/cgroup,in=5"),
        Every,
        "EMFILE",
    ),
    step(
        "share-world",
        (libc::SYS_sendmsg, "in=5"),
        Every,
        "ETOOMANYREFS",
    ),
    step("share-world", (libc::SYS_ppoll, "in=5"), Nth(2), "ENOMEM"),
    // The name of its terminal in the world, which a child gives.
    step("copy-trees", (libc::SYS_open_tree, "in=5"), Every, "EPERM").from(Start::SecondLeader),
    step("share-world", (libc::SYS_setns, "in=8"), Every, "EPERM").from(Start::SecondLeader),
    step("share-world", (libc::SYS_setns, "in=8"), Every, "lie").from(Start::SecondLeader),
    step(
        "share-world",
        (libc::SYS_openat2, "path=/dev,in=8"),
        Every,
        "EMFILE",
    )
    .from(Start::SecondLeader),
    step(
        "share-world",
        (libc::SYS_move_mount, "in=8"),
        Every,
        "EPERM",
    )
    .from(Start::SecondLeader),
    step(
        "share-world",
        (libc::SYS_ioctl, "1=0x5422,in=5"),
        Every,
        "EIO",
    )
    .from(Start::SecondLeader),
    // What the supervisor does before it lets the session begin.
    step("groups", (libc::SYS_setgroups, "in=5"), Nth(1), "EPERM"),
    step("gid", (libc::SYS_setresgid, "in=5"), Nth(1), "EPERM"),
    step("uid", (libc::SYS_setresuid, "in=5"), Nth(2), "EAGAIN"),
    step(
        "no-new-privs",
        (libc::SYS_prctl, "0=38,in=5"),
        Nth(1),
        "EINVAL",
    ),
    step("capabilities", (libc::SYS_capset, "in=5"), Every, "EPERM"),
    step("verify", (libc::SYS_getgroups, "in=5"), Last(0), "EFAULT"),
    step(
        "share-world",
        (libc::SYS_timer_delete, "in=5"),
        Every,
        "EINVAL",
    ),
    step(
        "share-world",
        (libc::SYS_epoll_create1, "in=5"),
        Every,
        "EMFILE",
    ),
    step(
        "share-world",
        (libc::SYS_signalfd4, "in=5"),
        Every,
        "EMFILE",
    ),
    step("share-world", (libc::SYS_dup2, "in=5"), Nth(1), "EBADF"),
    step(
        "share-world",
        (libc::SYS_sendto, "2=1,in=5"),
        Every,
        "ENOMEM",
    ),
    // The keeper.
    step(
        "share-world",
        (libc::SYS_prctl, "0=15,in=6"),
        Every,
        "EINVAL",
    ),
    step("share-world", (libc::SYS_dup2, "in=6"), Nth(1), "EBADF"),
    step("share-world", (libc::SYS_dup2, "in=6"), Nth(3), "EBADF"),
    step("limits", (libc::SYS_prlimit64, "1=6,in=6"), Every, "EPERM"),
    step("init", (libc::SYS_pipe2, "in=6"), Every, "EMFILE"),
    step("init", (libc::SYS_clone, "in=6"), Every, "EAGAIN"),
    // The main process.
    step("init", (libc::SYS_rt_sigprocmask, "in=7"), Nth(1), "EINVAL"),
    step("init", (libc::SYS_timer_create, "in=7"), Every, "EAGAIN"),
    step(
        "limits",
        (libc::SYS_prlimit64, "1=4,in=7"),
        Last(0),
        "EPERM",
    ),
    step("gid", (libc::SYS_setresgid, "in=7"), Last(0), "EPERM"),
    step("verify", (libc::SYS_getresuid, "in=7"), Last(0), "EFAULT"),
    step("verify", (libc::SYS_getgroups, "in=7"), Last(0), "EFAULT"),
    step("verify", (libc::SYS_capget, "in=7"), Last(0), "EPERM"),
    step("verify", (libc::SYS_prctl, "0=27,in=7"), Last(0), "EPERM"),
    step("verify", (libc::SYS_prctl, "0=39,in=7"), Last(0), "EPERM"),
    step("verify", (libc::SYS_timer_delete, "in=7"), Every, "EINVAL"),
    step("umask", (libc::SYS_umask, "in=7"), Last(0), "EPERM"),
    step("terminal", (libc::SYS_setsid, "in=7"), Every, "EPERM").from(Start::SecondLeader),
    step(
        "terminal",
        (libc::SYS_ioctl, "1=0x540e,in=7"),
        Every,
        "EPERM",
    )
    .from(Start::SecondLeader),
    row(
        "home",
        (libc::SYS_chdir, "path=/,in=7"),
        Every,
        "EACCES",
        ("root-unsearchable", 125),
    ),
    row(
        "home",
        (libc::SYS_chdir, "path=/home/ann,in=7"),
        Every,
        "EACCES",
        HOME,
    ),
    row("home", (libc::SYS_getcwd, "in=7"), Last(0), "ENOENT", HOME),
    row(
        "program",
        (libc::SYS_openat2, "path=/bin/sh,in=7"),
        Every,
        "ENOENT",
        ("shell-missing", 113),
    ),
    row(
        "exec",
        (libc::SYS_execve, "in=7"),
        Every,
        "EACCES",
        ("exec", 124),
    ),
];

/// Lies to such a login.
const JOINED_LIES: &[Row] = &[
    step("groups", (libc::SYS_setgroups, "in=5"), Nth(1), "lie"),
    step("gid", (libc::SYS_setresgid, "in=5"), Nth(1), "lie"),
    step("uid", (libc::SYS_setresuid, "in=5"), Nth(2), "lie"),
    step("capabilities", (libc::SYS_capset, "in=5"), Every, "lie"),
    step("share-world", (libc::SYS_getsockopt, "in=5"), Every, "lie"),
    step("init", (libc::SYS_clone, "in=6"), Every, "lie"),
    step("verify", (libc::SYS_setresgid, "in=7"), Last(0), "lie"),
    step("verify", (libc::SYS_setresuid, "in=7"), Last(0), "lie"),
    step("verify", (libc::SYS_setgroups, "in=7"), Last(0), "lie"),
    step("verify", (libc::SYS_timer_delete, "in=7"), Every, "lie"),
    step("terminal", (libc::SYS_setsid, "in=7"), Every, "lie").from(Start::SecondLeader),
    step("terminal", (libc::SYS_ioctl, "1=0x540e,in=7"), Every, "lie").from(Start::SecondLeader),
];

/// What a login has besides where a name service may not answer: a child, `in=2`, looks the account up.
const ASKED: &[Row] = &[
    row("build", (libc::SYS_clone, "in=1"), Every, "EAGAIN", STEP),
    row(
        "build",
        (libc::SYS_socketpair, "in=1"),
        Nth(1),
        "EMFILE",
        STEP,
    ),
    row(
        "build",
        (libc::SYS_pidfd_open, "in=1"),
        Nth(1),
        "EMFILE",
        STEP,
    ),
    row(
        "build",
        (libc::SYS_timer_create, "in=2"),
        Nth(1),
        "EAGAIN",
        STEP,
    ),
    row(
        "build",
        (libc::SYS_close_range, "in=2"),
        Nth(1),
        "EPERM",
        STEP,
    ),
    row(
        "look-up",
        (libc::SYS_memfd_create, "in=2"),
        Nth(1),
        "EMFILE",
        STEP,
    ),
    row("look-up", (libc::SYS_write, "in=2"), Nth(1), "ENOSPC", STEP),
    row("build", (libc::SYS_sendmsg, "in=2"), Every, "ENOBUFS", STEP),
];

/// The ways of entering: two with all the steps that they can have, and some that add to the second.
#[derive(Clone, Copy, Debug)]
enum Way {
    Chroot,
    Full,
    Recorded,
    Logged,
    Shared,
    Joined,
    Timed,
    Asked,
}
use Way::{Asked, Chroot, Full, Joined, Logged, Recorded, Shared, Timed};

impl Way {
    fn config(self) -> &'static str {
        match self {
            Chroot | Asked => {
                r#"
users = { ann = "ann" }
[jails.ann]
root = "/srv/jails/{user}"
isolation = "chroot"
record = "sessions"
"#
            }
            Full => {
                r#"
users = { ann = "ann" }
[jails.ann]
root = "/srv/jails/{user}"
base = "host"
network = "none"
mounts = [{ source = "/srv/shared", target = "/data", mode = "ro" }]
record = "sessions"
services = ["postgresql"]
devices = ["/dev/hwrng"]
limits = { sessions = 100 }
"#
            }
            Recorded => {
                r#"
users = { ann = "ann" }
[jails.ann]
root = "/srv/jails/{user}"
base = "host"
network = "none"
commands = [{ program = "/bin/sh", arguments = [] }]
record = "terminal"
"#
            }
            Logged => {
                r#"
users = { ann = "ann" }
[jails.ann]
root = "/srv/jails/{user}"
network = "none"
commands = ["sftp"]
sftp = { log = true }
record = "sessions"
"#
            }
            Shared | Joined => {
                r#"
users = { ann = "ann" }
[jails.ann]
root = "/srv/jails/{user}"
base = "host"
network = "none"
mounts = [{ source = "/srv/shared", target = "/data", mode = "ro" }]
record = "sessions"
scope = "user"
"#
            }
            Timed => {
                r#"
users = { ann = "ann" }
[jails.ann]
root = "/srv/jails/{user}"
base = "host"
network = "none"
idle = "1h"
until = "2099-12-31"
record = "sessions"
"#
            }
        }
    }

    fn rows(self) -> &'static [Row] {
        match self {
            Chroot => CHROOT,
            Full => FULL,
            Recorded => RECORDED,
            Logged => LOGGED,
            Timed => TIMED,
            Asked => ASKED,
            Shared => SHARED,
            Joined => JOINED,
        }
    }

    fn lies(self) -> &'static [Row] {
        match self {
            Chroot => CHROOT_LIES,
            Full => FULL_LIES,
            Joined => JOINED_LIES,
            Recorded | Logged | Shared | Timed | Asked => &[],
        }
    }

    /// Gives a plan that this config makes, for the list of its steps.
    fn plan(self) -> Plan {
        let identity = Identity {
            shell: JAIL_SHELL.into(),
            ..Identity::example("ann", 1000)
        };
        let policy = Policy::parse(Path::new("config.toml"), self.config().as_bytes());
        let decision = policy
            .expect("a config")
            .decide(&identity.account(), None)
            .expect("a decision");
        let Decision::Jail(jail) = decision else {
            panic!("ann has a rule");
        };
        let command = "/bin/sh".into();
        let request = Request {
            login: true,
            what: match self {
                Logged => What::Sftp {
                    asked: "internal-sftp".into(),
                    options: Vec::new(),
                    unsure: false,
                    shell: false,
                },
                Chroot | Full | Shared | Joined | Timed | Asked => What::Shell,
                Recorded => What::Command {
                    command,
                    arguments: Vec::new(),
                },
            },
        };
        Plan::new(*jail, &identity, request, []).expect("a plan")
    }
}

/// A sandbox in which ann's shell is `report`.
struct Stage {
    sandbox: Sandbox,
    account: String,
    /// The calls of a login that goes in, and what it saw, for each way to start one.
    recorded: RefCell<HashMap<Start, (Vec<Call>, Report)>>,
}

impl Stage {
    fn new(way: Way) -> Stage {
        // Without a system of her own, what is shown of the host's is around the one directory.
        let server = format!(
            "for server in /usr/lib/openssh/sftp-server /usr/libexec/openssh/sftp-server; do\n\
             if test -e $server; then rm $server; cp {} $server; fi; done",
            probe("report")
        );
        let clear = match way {
            Chroot | Asked => "",
            // What the host has for an sftp-server is what runs.
            Logged => &server,
            Full | Recorded | Shared | Joined | Timed => {
                "rm -r $root/dev $root/etc $root/tmp $root/usr $root/bin/*"
            }
        };
        let shell = format!(
            "{clear}\nrm -f $root/bin/sh\ncp {} $root/bin/sh",
            probe("report")
        );
        let sandbox = Sandbox::new()
            .user("ann")
            .root(roots::busybox().then(&shell))
            .config(way.config());
        sandbox.must(
            "mkdir -p /srv/shared /run/postgresql; rm -f /dev/hwrng; mknod -m 644 /dev/hwrng c 10 183",
        );
        // A group of hers besides the first, and as the caller's own (as newgrp leaves it) one that she is no
        // member of: what a login does not set or drop itself shows.
        sandbox.must("groupadd friends; usermod -aG friends ann");
        let account = sandbox
            .must("echo $(id -u ann):$(getent group adm friends | cut -d: -f3 | paste -sd,)");
        if let Asked = way {
            // Whoever this is, it is asked for nobody of /etc/passwd.
            sandbox.must("sed -i 's/^passwd:.*/passwd: files remote/' /etc/nsswitch.conf");
        }
        Stage {
            sandbox,
            account,
            recorded: RefCell::default(),
        }
    }

    /// Gives the arguments of inject for a login of ann.
    fn argv(&self, start: Start, mode: &[&str]) -> Vec<String> {
        let pair = match start {
            Start::Second | Start::SecondLeader => Some(install_probe(&self.sandbox, "pair")),
            Start::Plain | Start::Leader | Start::Listed | Start::Sftp | Start::Foreground => None,
        };
        let (way, login): (&str, &[&str]) = match start {
            Start::Second => ("", &["pair", JAIL_SHELL, "jail-shell", "-c", "id"]),
            Start::SecondLeader => ("", &["pair", JAIL_SHELL, "@jail-shell", "-c", "id"]),
            Start::Plain => ("", &["jail-shell", "-c", "id"]),
            Start::Leader => ("@tty", &["jail-shell", "-c", "id"]),
            Start::Listed => ("@tty", &["jail-shell", "-c", "/bin/sh"]),
            Start::Sftp => ("", &["jail-shell", "-c", "internal-sftp"]),
            Start::Foreground => ("@foreground", &["-jail-shell"]),
        };
        let first = [probe("inject"), format!("{}{way}", self.account)];
        let rest = [mode, &[pair.as_deref().unwrap_or(JAIL_SHELL)], login].concat();
        first
            .into_iter()
            .chain(rest.into_iter().map(str::to_owned))
            .collect()
    }

    fn inject(&self, start: Start, mode: &[&str]) -> Outcome {
        let argv = self.argv(start, mode);
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        self.sandbox.run(&argv)
    }

    /// Gives the calls of a login that goes in, and what it saw.
    fn record(&self, start: Start) -> (Vec<Call>, Report) {
        let mut recorded = self.recorded.borrow_mut();
        let made = recorded.entry(start).or_insert_with(|| {
            let argv = self.argv(start, &["record"]).join(" ");
            let login = || self.sandbox.sh(&format!("exec {argv} 9>/tmp/calls"));
            // What stays on the machine is made at the first login, by calls that no other one makes.
            drop(login());
            let outcome = login();
            let report = Report::parse(outcome.ok()).expect("a report of the jail");
            (Call::parse_list(&self.sandbox.read("/tmp/calls")), report)
        });
        made.clone()
    }

    /// Does a row and says what is wrong with how it ended, `None` when nothing is.
    fn flaw(&self, row: &Row) -> Option<String> {
        let before = self.sandbox.log().len();
        let (calls, _) = self.record(row.start);
        let outcome = self.inject(
            row.start,
            &["call", &row.call_with_position(&calls), &errno(row.fault)],
        );
        let (code, status) = row.code;
        let shown = format!("{row:?}: {outcome}");
        let is_second = matches!(row.start, Start::Second | Start::SecondLeader);
        if is_second && !outcome.stdout.contains("FIRST=stayed") {
            return Some(format!("the other session has ended\n{shown}"));
        }
        if Report::parse(&outcome.stdout).is_some() {
            return Some(format!("the user's program ran\n{shown}"));
        }
        if outcome.code() != Some(status) {
            return Some(format!("not refused with status {status}\n{shown}"));
        }
        // Init has let go of standard error when it lets the main process go on, and takes that process with it.
        let silent = row.call == libc::SYS_write && row.step == "init"
            // What lies in the queue of the standard descriptors can't be written to.
            || row.call == libc::SYS_recvmsg
            || row.call == libc::SYS_dup2
            // What can't give root's privileges up says nothing to a standard error that may hold it.
            || row.call == libc::SYS_capset
            || row.call == libc::SYS_setresuid && row.fault == "lie";
        if !silent && !outcome.stderr.contains(&format!("login refused ({code})")) {
            return Some(format!("does not say {code}\n{shown}"));
        }
        // A lie is found out by a later step than the one it was told to.
        let of_step = if row.code == STEP && row.fault != "lie" {
            format!("step {}:", row.step)
        } else {
            String::new()
        };
        let said = format!("code={code} ");
        let in_log = || {
            let log = self.sandbox.log();
            log.iter()
                .skip(before)
                .any(|line| line.contains(&said) && line.contains(&of_step))
        };
        // The collector may be a little behind.
        for _ in 0..100 {
            if in_log() {
                return None;
            }
            thread::sleep(Duration::from_millis(10));
        }
        Some(format!(
            "not in the log\n{shown}{}",
            self.sandbox.log().join("\n")
        ))
    }

    fn insist(&self, rows: &[Row]) {
        let flaws: Vec<String> = rows.iter().filter_map(|row| self.flaw(row)).collect();
        assert!(flaws.is_empty(), "{}", flaws.join("\n"));
    }
}

impl Row {
    /// Gives the call as inject takes it; which one is the last is known from a recorded login.
    fn call_with_position(&self, calls: &[Call]) -> String {
        let call = match self.arguments {
            "" => self.call.to_string(),
            arguments => format!("{},{arguments}", self.call),
        };
        match self.which {
            Every => call,
            Nth(position) => format!("{call}#{position}"),
            Last(before) => {
                let count = calls.iter().filter(|one| self.describes(one)).count();
                format!("{call}#{}", count.saturating_sub(before))
            }
        }
    }

    fn describes(&self, call: &Call) -> bool {
        let number = |text: &str| match text.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        };
        call.number == self.call
            && self.arguments.split(',').filter(|one| !one.is_empty()).all(
                |argument| match argument.split_once('=') {
                    Some(("path", path)) => call.path == path,
                    Some(("in", process)) => process.parse() == Ok(call.process),
                    Some((which, value)) => call.argument(which) == number(value),
                    None => false,
                },
            )
    }
}

/// Gives a fault as inject takes it: an errno has a name here, and a number there.
fn errno(fault: &str) -> String {
    if ["lie", "kill"].contains(&fault) {
        return fault.to_owned();
    }
    let errno = (1..134)
        .map(nix::errno::Errno::from_raw)
        .find(|errno| format!("{errno:?}") == fault);
    (errno.expect("the name of an errno") as i32).to_string()
}

#[test]
fn every_step_of_a_plan_has_a_row() {
    for way in [Chroot, Full] {
        let plan = way.plan();
        let without: Vec<&str> = plan
            .steps()
            .iter()
            .map(|step| step.name())
            .filter(|name| !way.rows().iter().any(|row| row.step == *name))
            .collect();
        assert!(
            without.is_empty(),
            "{way:?}: steps without a row: {without:?}"
        );
    }
}

#[test]
fn every_row_is_of_a_step_of_the_plan() {
    for way in [Chroot, Full, Recorded, Logged, Shared, Joined, Timed] {
        let plan = way.plan();
        let names: Vec<&str> = plan.steps().iter().map(|step| step.name()).collect();
        for row in way.rows().iter().chain(way.lies()) {
            // The record of sessions begins before the plan's first step.
            assert!(
                row.step == "record" || names.contains(&row.step),
                "{way:?} has no step {}",
                row.step
            );
        }
    }
}

#[test]
fn refuses_when_a_call_of_a_step_of_chroot_fails() {
    Stage::new(Chroot).insist(CHROOT);
}

#[test]
fn refuses_when_a_call_of_a_step_of_full_isolation_fails() {
    Stage::new(Full).insist(FULL);
}

#[test]
fn refuses_when_a_call_of_a_recording_fails() {
    let rows: Vec<Row> = RECORDED.iter().map(|row| row.from(Start::Listed)).collect();
    Stage::new(Recorded).insist(&rows);
}

#[test]
fn refuses_when_a_call_of_the_record_of_transfers_fails() {
    let rows: Vec<Row> = LOGGED.iter().map(|row| row.from(Start::Sftp)).collect();
    Stage::new(Logged).insist(&rows);
}

#[test]
fn refuses_when_a_call_of_a_limit_of_time_fails() {
    let rows: Vec<Row> = TIMED.iter().map(|row| row.from(Start::Leader)).collect();
    Stage::new(Timed).insist(&rows);
}

/// The calls by which the supervisor waits and makes the session stand still fail, from where nothing refuses any more.
#[test]
fn no_failure_of_a_call_of_a_running_session_makes_it_last_longer_than_its_limits() {
    let sandbox = Sandbox::new()
        .user("ann")
        .root(roots::home())
        .config("[users]\nann = \"ann\"\n[jails.ann]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n");
    let account = sandbox.must("echo $(id -u ann):$(id -g ann)");
    let inject = |mode: &str, command: &str| {
        let inject = probe("inject");
        sandbox.sh(&format!(
            "exec {inject} {account}@foreground {mode} {JAIL_SHELL} jail-shell -c '{command}' 9>/tmp/calls"
        ))
    };
    sandbox.must("echo 'idle = \"1h\"' >>/etc/login-jail/config.toml");
    inject("record", "true").ok();
    let calls = Call::parse_list(&sandbox.read("/tmp/calls"));
    let supervisor = calls.iter().filter(|call| call.process == 1);
    let begun = supervisor
        .take_while(|call| !(call.number == libc::SYS_sendto && call.argument("2") == Some(1)));
    let (waits, timers) = begun.fold((0, 0), |(waits, timers), call| match call.number {
        libc::SYS_ppoll => (waits + 1, timers),
        libc::SYS_timer_create => (waits, timers + 1),
        _ => (waits, timers),
    });
    let stand_still = "sleep 30";
    let stop = "kill -STOP $$; sleep 30";
    let soon = || sandbox.must("date -ud '+4 seconds' '+%Y-%m-%dT%H:%M:%SZ'");
    for name in ["idle", "until"] {
        for (call, from, errno, command) in [
            (libc::SYS_ppoll, waits, libc::EINTR, stand_still),
            (libc::SYS_ppoll, waits, libc::ENOMEM, stand_still),
            (libc::SYS_timer_create, timers, libc::EAGAIN, stop),
        ] {
            let key = match name {
                "idle" => "idle = \"2s\"".to_owned(),
                _ => format!("until = \"{}\"", soon()),
            };
            sandbox.must(&format!(
                "sed -i '/^idle\\|^until/d' /etc/login-jail/config.toml; echo '{key}' >>/etc/login-jail/config.toml"
            ));
            let from = from + 1;
            let end = inject(&format!("call {call},in=1#{from}+ {errno}"), command);
            assert_eq!(end.code(), Some(129), "{name}, call {call}, {errno}: {end}");
            sandbox.logged(&["cut", &format!("{name}: ")]);
        }
    }
}

#[test]
fn refuses_when_a_call_of_a_look_up_fails() {
    Stage::new(Asked).insist(ASKED);
}

/// The sftp-server does not mind where nobody reads what it says of its transfers.
#[test]
fn a_record_of_transfers_that_can_not_be_read_ends_the_session() {
    let sandbox = Sandbox::new()
        .user("ann")
        .config(Logged.config())
        .with("install -d -m 755 /srv/jails/ann/home; install -d -o ann -g ann /srv/jails/ann/home/ann; echo text >/tmp/letter");
    let account = sandbox.must("echo $(id -u ann):$(id -g ann)");
    let puts: String = (0..2000)
        .map(|number| format!("put /tmp/letter {number}\n"))
        .collect();
    sandbox.write("/tmp/batch", &puts);
    let inject = probe("inject");
    // Of those that read messages of the server and of programs inside, and of those that set the timer.
    for (call, arguments, errno) in [
        (libc::SYS_recvfrom, "2=2048", libc::ENOMEM),
        (libc::SYS_timerfd_settime, "1=0", libc::EINVAL),
    ] {
        let server = format!(
            "{inject} {account} call {call},in=1,{arguments}#5+ {errno} {JAIL_SHELL} jail-shell -c internal-sftp"
        );
        let end = sandbox.run(&["sftp", "-D", &server, "-b", "/tmp/batch"]);
        assert_ne!(end.code(), Some(0), "{end}");
        sandbox.logged(&["cut", "sftp.log: read the record of transfers"]);
        sandbox.must("! pgrep -u ann; test $(ls /srv/jails/ann/home/ann | wc -l) -lt 2000; rm -f /srv/jails/ann/home/ann/*");
    }
}

#[test]
fn refuses_when_a_call_fails_of_a_login_whose_world_others_share() {
    Stage::new(Shared).insist(SHARED);
}

#[test]
fn refuses_when_a_call_fails_of_a_login_that_joins_a_world() {
    Stage::new(Joined).insist(&of_second(JOINED));
}

#[test]
fn refuses_when_a_call_of_a_login_that_joins_a_world_succeeds_without_effect() {
    Stage::new(Joined).insist(&of_second(JOINED_LIES));
}

/// Has the logins of these rows come second.
fn of_second(rows: &[Row]) -> Vec<Row> {
    rows.iter()
        .map(|row| match row.start {
            Start::Plain => row.from(Start::Second),
            _ => *row,
        })
        .collect()
}

#[test]
fn refuses_when_a_call_of_a_step_of_chroot_succeeds_without_effect() {
    Stage::new(Chroot).insist(CHROOT_LIES);
}

#[test]
fn refuses_when_a_call_of_a_step_of_full_isolation_succeeds_without_effect() {
    Stage::new(Full).insist(FULL_LIES);
}

/// EPERM, EINTR, ENOMEM, ENOSYS, and death.
const FAULTS: [&str; 5] = ["1", "4", "12", "38", "kill"];

/// An address of a socket has no descriptor: /dev/log is bound in the working directory, which is the caller's until it is changed.
#[test]
fn a_change_to_dev_that_was_not_made_leaves_no_socket_with_the_caller() {
    let stage = Stage::new(Full);
    let argv = stage.argv(Start::Plain, &["call", "CALL", "lie"]).join(" ");
    let argv = argv.replace("CALL", &format!("{},in=2#1", libc::SYS_fchdir));
    stage.sandbox.must("mkdir -m 777 /run/here");
    let outcome = stage.sandbox.sh(&format!("cd /run/here; exec {argv}"));
    assert_eq!(outcome.code(), Some(123), "{outcome}");
    stage.sandbox.logged(&["code=step", "the change to /dev"]);
    assert_eq!(
        stage
            .sandbox
            .must("ls -A /run/here; ls -d /log 2>/dev/null || true"),
        ""
    );
}

/// Every call of the whole login, from the loader's first to the last before the shell.
#[test]
fn no_single_failure_lets_anything_run_outside_a_whole_chroot() {
    Stage::new(Chroot).sweep_all(|_| FAULTS.to_vec());
}

/// As above, of all three processes; each call with one fault of the five in turn, and what only closes a descriptor or
/// maps memory now and then.
#[test]
fn no_single_failure_lets_anything_run_outside_a_whole_view() {
    Stage::new(Full).sweep_all(|call| {
        let dull = [libc::SYS_close, libc::SYS_rt_sigaction, libc::SYS_mmap];
        if dull.contains(&call.number) && call.position % 10 != 0 {
            return Vec::new();
        }
        FAULTS
            .get(call.position % FAULTS.len())
            .into_iter()
            .copied()
            .collect()
    });
}

/// As above, of the four processes of a login that makes a world for others to join.
#[test]
fn no_single_failure_lets_anything_run_outside_of_a_world_that_others_share() {
    Stage::new(Shared).sweep_all(|call| {
        let dull = [libc::SYS_close, libc::SYS_rt_sigaction, libc::SYS_mmap];
        if dull.contains(&call.number) || call.position % 2 != 0 {
            return Vec::new();
        }
        FAULTS
            .get(call.position / 2 % FAULTS.len())
            .into_iter()
            .copied()
            .collect()
    });
}

/// As above, of the processes of a login that joins such a world: its supervisor, and what init forks for it; and of init from when it
/// has let the first login in.
#[test]
fn no_single_failure_lets_a_login_that_joins_run_outside_or_ends_another_session() {
    let stage = Stage::new(Joined);
    let (calls, _) = stage.record(Start::Second);
    let accepts = |call: &Call| call.process == 2 && call.number == libc::SYS_accept4;
    let connected = calls.iter().find(|call| accepts(call));
    let connected = connected.expect("init accepts the login").position;
    stage.sweep_all_of(Start::Second, |call| {
        let of_init = call.process == 2 && call.position >= connected;
        if call.process < 5 && !of_init {
            return Vec::new();
        }
        let dull = [libc::SYS_close, libc::SYS_rt_sigaction, libc::SYS_mmap];
        if dull.contains(&call.number) && call.position % 10 != 0 {
            return Vec::new();
        }
        FAULTS
            .get(call.position % FAULTS.len())
            .into_iter()
            .copied()
            .collect()
    });
}

#[test]
fn no_call_without_effect_lets_a_login_that_joins_run_outside() {
    Stage::new(Joined).sweep_all_of(Start::Second, |call| {
        // What the keeper was not given leads to /dev/null.
        let leads_nowhere = call.process == 6 && call.number == libc::SYS_dup2;
        if call.process >= 5 && !leads_nowhere && BELIEVED.contains(&call.number) {
            vec!["lie"]
        } else {
            Vec::new()
        }
    });
}

#[test]
#[ignore = "long: make test-long"]
fn no_failure_of_any_kind_lets_anything_run_outside_a_whole_view() {
    Stage::new(Full).sweep_all(|_| FAULTS.to_vec());
}

/// The calls that report nothing but success, each said to have succeeded when it was not done.
#[test]
fn no_call_without_effect_lets_anything_run_outside_a_whole_view() {
    Stage::new(Full).sweep_all(|call| {
        if BELIEVED.contains(&call.number) {
            vec!["lie"]
        } else {
            Vec::new()
        }
    });
}

/// The error of a run whose call was lied to.
const LIE: i32 = -2;

/// What answers 0 for success.
const BELIEVED: [c_long; 33] = [
    libc::SYS_bind,
    libc::SYS_fchmodat,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_fsconfig,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_symlinkat,
    libc::SYS_pivot_root,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_clone,
    libc::SYS_fchdir,
    libc::SYS_chdir,
    libc::SYS_fchmod,
    libc::SYS_setsid,
    libc::SYS_setpgid,
    libc::SYS_ioctl,
    libc::SYS_socketpair,
    libc::SYS_pipe2,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_restrict_self,
    libc::SYS_seccomp,
    libc::SYS_prctl,
    libc::SYS_capset,
    libc::SYS_setgroups,
    libc::SYS_setresgid,
    libc::SYS_setresuid,
    libc::SYS_close_range,
    libc::SYS_setitimer,
    libc::SYS_keyctl,
    libc::SYS_umask,
    libc::SYS_dup2,
];

impl Stage {
    /// Makes a login for each call and each of the faults that `faults` gives it, and insists that each is refused or
    /// ends in a jail no different from that of an unharmed login.
    fn sweep_all(&self, faults: impl Fn(&Call) -> Vec<&'static str>) {
        self.sweep_all_of(Start::Plain, faults);
    }

    fn sweep_all_of(&self, start: Start, faults: impl Fn(&Call) -> Vec<&'static str>) {
        let (calls, _) = self.record(start);
        let points: Vec<String> = calls
            .iter()
            .flat_map(|call| {
                faults(call)
                    .into_iter()
                    .map(move |fault| format!("{}.{}:{fault}", call.process, call.position))
            })
            .collect();
        let unharmed = self.sweep(start, &["0.0:0".to_owned()]);
        let whole = unharmed
            .first()
            .and_then(|run| Report::parse(&run.stdout))
            .expect("the report of an unharmed login");
        let runs: Vec<Run> = points
            .chunks(1000)
            .flat_map(|points| self.sweep(start, points))
            .collect();
        assert_eq!(runs.len(), points.len());
        let flaws: Vec<String> = runs
            .iter()
            .filter(|run| run.error != 0)
            // The calls of two logins may be a few apart, and no other call can be lied to with sense.
            .filter(|run| run.error != LIE || BELIEVED.contains(&run.number))
            .filter_map(|run| flaw_of(run, &whole, &calls))
            .collect();
        assert!(
            flaws.is_empty(),
            "{} of {}:\n{}",
            flaws.len(),
            runs.len(),
            flaws.join("\n")
        );
        self.sandbox.must("! pgrep -u ann");
    }

    fn sweep(&self, start: Start, points: &[String]) -> Vec<Run> {
        let argv = self.argv(start, &["sweep", &points.join(",")]);
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        // Hundreds of logins: longer than the sandbox allows one command.
        let output = self.sandbox.command(&argv).output().expect("run the sweep");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Run::parse_list(&String::from_utf8_lossy(&output.stdout))
    }
}

/// Tells whether a call comes after the one by which its process, around the session, has let the next one go on: from
/// there it can end the session, and can't make it another.
fn is_after_go(run: &Run, calls: &[Call]) -> bool {
    let go = |call: &&Call| {
        let one_byte = call.argument("2") == Some(1);
        let sends = match call.process {
            1 | 5 => libc::SYS_sendto,
            // The init of a shared world, once the world stands.
            2 if call.number == libc::SYS_sendto && call.argument("2") == Some(16) => {
                return call.process == run.process;
            }
            2 | 3 | 6 => libc::SYS_write,
            _ => return false,
        };
        call.process == run.process && call.number == sends && one_byte
    };
    calls
        .iter()
        .rfind(go)
        .is_some_and(|call| run.position > call.position)
}

fn flaw_of(run: &Run, whole: &Report, calls: &[Call]) -> Option<String> {
    let at = format!(
        "call {}.{} (number {}), errno {}",
        run.process, run.position, run.number, run.error
    );
    match (Report::parse(&run.stdout), run.end) {
        (_, End::Hang) => Some(format!("{at}: hangs, {}", run.stderr)),
        // The init of a world takes it along.
        _ if run.process > 2 && run.stdout.contains("FIRST=gone") => {
            Some(format!("{at}: the other session has ended: {}", run.stderr))
        }
        (Some(report), end) if end == End::Exit(0) || is_after_go(run, calls) => {
            let mut differences = whole.differences(&report, excused(run));
            // A root that is made for the session has numbers of its own.
            if report.get("root") != report.get("above") {
                differences.push("something is above the root".to_owned());
            }
            (!differences.is_empty()).then(|| format!("{at}: in another jail: {differences:?}"))
        }
        (None, End::Exit(status)) if status != 0 => None,
        (None, End::Signal(_)) => None,
        (ran, end) => Some(format!(
            "{at}: {end:?}, ran: {}, {}",
            ran.is_some(),
            run.stderr
        )),
    }
}

/// Gives the keys of a report that may differ after a failure of this call.
fn excused(run: &Run) -> &'static [&'static str] {
    match (run.number, run.error) {
        // ENOSYS: a kernel without keyrings has none to leave behind.
        (libc::SYS_keyctl, _) => &["keyring.about", "root", "above"],
        _ if run.process == 2 && run.stdout.contains("FIRST=") => &["root", "above", "FIRST"],
        // Left in the root directory: no wall is less for it.
        (libc::SYS_chdir, LIE) => &["cwd", "root", "above"],
        _ => &["root", "above"],
    }
}

/// The kernel forgets the parent-death signal at each change of ids: prctl(2). A process with root's ids that goes on without it
/// outlives a supervisor that is killed.
#[test]
fn init_is_told_to_die_with_its_supervisor_after_each_change_of_its_ids() {
    let (calls, _) = Stage::new(Full).record(Start::Plain);
    let init: Vec<&Call> = calls.iter().filter(|call| call.process == 2).collect();
    let changes = [
        libc::SYS_setresgid,
        libc::SYS_setresuid,
        libc::SYS_setfsgid,
        libc::SYS_setfsuid,
    ];
    let asks = [
        libc::SYS_geteuid,
        libc::SYS_getegid,
        libc::SYS_getresuid,
        libc::SYS_getresgid,
    ];
    let becomes_user = |call: &Call| {
        call.number == libc::SYS_setresuid
            && !["0", "2"]
                .iter()
                .any(|id| call.argument(id) != call.argument("1"))
    };
    let end = init
        .iter()
        .position(|call| becomes_user(call))
        .expect("init becomes the user");
    let roots = init.get(..end).expect("what comes before");
    let mut seen = 0;
    for (place, call) in roots.iter().enumerate() {
        if !changes.contains(&call.number) {
            continue;
        }
        seen += 1;
        let mut after = roots.iter().skip(place + 1);
        let told = after
            .by_ref()
            .take_while(|it| {
                it.number == libc::SYS_prctl
                    || changes.contains(&it.number)
                    || asks.contains(&it.number)
            })
            .any(|it| it.number == libc::SYS_prctl && it.argument("0") == Some(1));
        assert!(told, "{call:?} is followed by {:?}", roots.get(place + 1));
    }
    // The namespaces that count as the user's, the group of what is made, the user's group.
    assert!(seen >= 4, "{seen}");
}

/// The kernel's own errno filter, in place of the supervised one: the two ways must agree.
#[test]
fn a_filter_that_forbids_chroot_refuses_the_login() {
    let stage = Stage::new(Chroot);
    let outcome = stage.inject(Start::Plain, &["errno", &libc::SYS_chroot.to_string(), "1"]);
    assert_eq!(outcome.code(), Some(123), "{outcome}");
    assert!(!outcome.stdout.contains("RAN"), "{outcome}");
    stage.sandbox.logged(&["code=step", "step chroot: chroot"]);
}

/// Shows that the matrix can fail: without jail-shell between, `report` runs and is seen.
#[test]
fn a_program_that_ignores_failures_is_noticed() {
    let stage = Stage::new(Chroot);
    stage.sandbox.must(&format!(
        "install -m 4755 {} /usr/bin/careless",
        probe("floor-dynamic")
    ));
    let inject = probe("inject");
    let argv = [
        inject.as_str(),
        &stage.account,
        "call",
        &format!("{}#1", libc::SYS_setgroups),
        "lie",
        "/usr/bin/careless",
        "sh",
    ];
    let outcome = stage.sandbox.run(&argv);
    let report = Report::parse(outcome.ok()).expect("a report");
    let (_, whole) = stage.record(Start::Plain);
    assert!(
        !whole
            .differences(&report, &["fd", "env", "argv", "argc"])
            .is_empty()
    );
}
