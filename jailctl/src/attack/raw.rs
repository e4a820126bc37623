//! The system calls that no library makes the way a probe has to make them.
//!
//! All unsafe code of jailctl is here. What a call is given is written here too, so that no caller can have the kernel
//! write elsewhere than into this module's own room; and where a wall is missing, so that the call does nothing: the
//! arguments are such that the kernel looks at the right to call, and then finds nothing to do.
#![allow(
    unsafe_code,
    reason = "system calls with arguments that libraries are made to prevent"
)]

use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd},
};

use nix::{
    errno::Errno,
    libc::{self, c_long},
    sys::wait::{WaitStatus, waitpid},
    unistd::{ForkResult, Pid},
};

/// A call with arguments that change nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// acct(2) on a file that is not there.
    Acct,
    /// add_key(2) to the keyring of this process, which ends with it.
    AddKey,
    /// bpf(2): BPF_MAP_CREATE, an array of one number.
    Bpf,
    /// clock_settime(2) of the clock that nobody can set.
    ClockSettime,
    /// delete_module(2) of a module that is not there.
    DeleteModule,
    /// fanotify_init(2) as any user may since Linux 5.13.
    FanotifyInit,
    /// fanotify_init(2) that lets its owner open what it tells of.
    FanotifyInitContent,
    /// finit_module(2) without a file.
    FinitModule,
    /// fsconfig(2) without a file system.
    Fsconfig,
    /// fsmount(2) without a file system.
    Fsmount,
    /// fsopen(2) of a tmpfs, mounted nowhere.
    Fsopen,
    /// fspick(2) at a path that is not there.
    Fspick,
    /// init_module(2) without an image.
    InitModule,
    /// io_uring_setup(2) for four entries.
    IoUringSetup,
    /// ioperm(2) of this process alone: the port of the POST codes.
    Ioperm,
    /// iopl(2) of this process alone.
    Iopl,
    /// kexec_file_load(2) with flags that no kernel knows.
    KexecFileLoad,
    /// kexec_load(2) with flags that no kernel knows.
    KexecLoad,
    /// keyctl(2): the serial number of the user's keyring.
    Keyctl,
    /// modify_ldt(2): read.
    ModifyLdt,
    /// mount(2) of a file system that no kernel knows.
    Mount,
    /// mount_setattr(2) of nothing.
    MountSetattr,
    /// move_mount(2) without a mount.
    MoveMount,
    /// open_tree(2) of "/".
    OpenTree,
    /// open_tree(2) of "/", as a copy that is mounted nowhere.
    OpenTreeClone,
    /// open_tree_attr(2) at no path.
    OpenTreeAttr,
    /// perf_event_open(2) of this process, the event that never happens.
    PerfEventOpen,
    /// personality(2): READ_IMPLIES_EXEC, for this process.
    Personality,
    /// pivot_root(2) to a path that is not there.
    PivotRoot,
    /// quotactl(2): Q_SYNC of all file systems, which any user may.
    Quotactl,
    /// quotactl_fd(2) without a file system.
    QuotactlFd,
    /// request_key(2) of a key that is not there, and nobody is asked to make.
    RequestKey,
    /// sethostname(2) with a name that is too long.
    Sethostname,
    /// settimeofday(2) to no time.
    Settimeofday,
    /// swapoff(2) of a file that is not there.
    Swapoff,
    /// swapon(2) of a file that is not there.
    Swapon,
    /// syslog(2): the size of the kernel's log.
    Syslog,
    /// umount2(2) of the root, as one that has expired, which a root never has.
    Umount,
    /// userfaultfd(2) for faults of user space only.
    Userfaultfd,
    /// getpid(2) by its x32 number.
    X32,
    /// unshare(2) of a user namespace by its x32 number.
    X32Unshare,
}

/// A path that leads nowhere, whatever the root.
const NOTHING: &CStr = c"/login-jail-nothing-here/nothing";
const EMPTY: &CStr = c"";
/// Numbers of calls that the libc crate does not have: quotactl_fd(2), Linux 5.14; open_tree_attr(2), Linux 6.15.
const SYS_QUOTACTL_FD: c_long = 443;
const SYS_OPEN_TREE_ATTR: c_long = 467;
/// ioprio_set(2).
const IOPRIO_WHO_PROCESS: c_long = 1;
/// keyctl(2).
const KEYCTL_GET_KEYRING_ID: c_long = 0;
const KEYCTL_JOIN_SESSION_KEYRING: c_long = 1;
const PROCESS_KEYRING: c_long = -2;
const SESSION_KEYRING: c_long = -3;
const USER_KEYRING: c_long = -4;
#[cfg(target_arch = "x86_64")]
const X32: c_long = 0x4000_0000;

/// Where calls may read and write: as large as the largest of them, the parameters of io_uring_setup(2) and of
/// perf_event_open(2), with room to spare.
#[derive(Debug)]
#[repr(align(16))]
struct Room([u32; 64]);

impl Call {
    /// Fills the room as the call wants it.
    fn furnish(self, room: &mut [u32; 64]) {
        match self {
            // BPF_MAP_TYPE_ARRAY, keys and values of 4 bytes, one of them: bpf(2).
            Call::Bpf => room.iter_mut().zip([2, 4, 4, 1]).for_each(put),
            // PERF_TYPE_SOFTWARE, the size of the first version, PERF_COUNT_SW_DUMMY; exclude_kernel, exclude_hv:
            // perf_event_open(2).
            Call::PerfEventOpen => {
                let attributes = [1, 64, 9, 0, 0, 0, 0, 0, 0, 0, 0b110_0000];
                room.iter_mut().zip(attributes).for_each(put);
            }
            _ => {}
        }
    }

    /// Gives number and arguments.
    fn arguments(self, room: c_long) -> Option<(c_long, [c_long; 6])> {
        let nothing = NOTHING.as_ptr() as c_long;
        let empty = EMPTY.as_ptr() as c_long;
        let word = |text: &'static CStr| text.as_ptr() as c_long;
        let here = c_long::from(libc::AT_FDCWD);
        Some(match self {
            Call::Acct => (libc::SYS_acct, [nothing, 0, 0, 0, 0, 0]),
            Call::AddKey => (
                libc::SYS_add_key,
                [
                    word(c"user"),
                    word(c"login-jail-probe"),
                    word(c"x"),
                    1,
                    PROCESS_KEYRING,
                    0,
                ],
            ),
            Call::Bpf => (libc::SYS_bpf, [0, room, 64, 0, 0, 0]),
            Call::ClockSettime => (
                libc::SYS_clock_settime,
                [c_long::from(libc::CLOCK_MONOTONIC), room, 0, 0, 0, 0],
            ),
            Call::DeleteModule => (
                libc::SYS_delete_module,
                [
                    word(c"login-jail-no-such-module"),
                    c_long::from(libc::O_NONBLOCK),
                    0,
                    0,
                    0,
                    0,
                ],
            ),
            // FAN_REPORT_FID: fanotify_init(2).
            Call::FanotifyInit => (libc::SYS_fanotify_init, [0x200, 0, 0, 0, 0, 0]),
            // FAN_CLASS_CONTENT.
            Call::FanotifyInitContent => (libc::SYS_fanotify_init, [4, 0, 0, 0, 0, 0]),
            Call::FinitModule => (libc::SYS_finit_module, [-1, empty, 0, 0, 0, 0]),
            Call::Fsconfig => (libc::SYS_fsconfig, [-1, 0, 0, 0, 0, 0]),
            Call::Fsmount => (libc::SYS_fsmount, [-1, 0, 0, 0, 0, 0]),
            Call::Fsopen => (libc::SYS_fsopen, [word(c"tmpfs"), 1, 0, 0, 0, 0]),
            Call::Fspick => (libc::SYS_fspick, [here, nothing, 0, 0, 0, 0]),
            Call::InitModule => (libc::SYS_init_module, [0, 0, empty, 0, 0, 0]),
            Call::IoUringSetup => (libc::SYS_io_uring_setup, [4, room, 0, 0, 0, 0]),
            #[cfg(target_arch = "x86_64")]
            Call::Ioperm => (libc::SYS_ioperm, [0x80, 1, 1, 0, 0, 0]),
            #[cfg(target_arch = "x86_64")]
            Call::Iopl => (libc::SYS_iopl, [3, 0, 0, 0, 0, 0]),
            Call::KexecFileLoad => (libc::SYS_kexec_file_load, [-1, -1, 0, 0, -1, 0]),
            Call::KexecLoad => (libc::SYS_kexec_load, [0, 0, 0, 0xffff, 0, 0]),
            Call::Keyctl => (
                libc::SYS_keyctl,
                [KEYCTL_GET_KEYRING_ID, USER_KEYRING, 1, 0, 0, 0],
            ),
            #[cfg(target_arch = "x86_64")]
            Call::ModifyLdt => (libc::SYS_modify_ldt, [0, room, 16, 0, 0, 0]),
            Call::Mount => (
                libc::SYS_mount,
                [empty, word(c"/"), word(c"login-jail-no-such-fs"), 0, 0, 0],
            ),
            Call::MountSetattr => (libc::SYS_mount_setattr, [here, word(c"/"), 0, room, 32, 0]),
            Call::MoveMount => (libc::SYS_move_mount, [-1, empty, -1, empty, 0, 0]),
            Call::OpenTree => (
                libc::SYS_open_tree,
                [here, word(c"/"), c_long::from(libc::O_CLOEXEC), 0, 0, 0],
            ),
            Call::OpenTreeClone => (
                libc::SYS_open_tree,
                [here, word(c"/"), c_long::from(libc::O_CLOEXEC | 1), 0, 0, 0],
            ),
            Call::OpenTreeAttr => (SYS_OPEN_TREE_ATTR, [-1, empty, 0, 0, 0, 0]),
            // FD_CLOEXEC: perf_event_open(2).
            Call::PerfEventOpen => (libc::SYS_perf_event_open, [room, 0, -1, -1, 8, 0]),
            Call::Personality => (libc::SYS_personality, [0x0040_0000, 0, 0, 0, 0, 0]),
            Call::PivotRoot => (libc::SYS_pivot_root, [nothing, nothing, 0, 0, 0, 0]),
            // QCMD(Q_SYNC, USRQUOTA): quotactl(2).
            Call::Quotactl => (libc::SYS_quotactl, [0x8000_0100, 0, 0, 0, 0, 0]),
            Call::QuotactlFd => (SYS_QUOTACTL_FD, [-1, 0x8000_0100, 0, 0, 0, 0]),
            Call::RequestKey => (
                libc::SYS_request_key,
                [word(c"user"), word(c"login-jail-probe"), 0, 0, 0, 0],
            ),
            Call::Sethostname => (libc::SYS_sethostname, [room, 65, 0, 0, 0, 0]),
            Call::Settimeofday => (libc::SYS_settimeofday, [0, 0, 0, 0, 0, 0]),
            Call::Swapoff => (libc::SYS_swapoff, [nothing, 0, 0, 0, 0, 0]),
            Call::Swapon => (libc::SYS_swapon, [nothing, 0, 0, 0, 0, 0]),
            // SYSLOG_ACTION_SIZE_BUFFER: syslog(2).
            Call::Syslog => (libc::SYS_syslog, [10, 0, 0, 0, 0, 0]),
            Call::Umount => (
                libc::SYS_umount2,
                [word(c"/"), c_long::from(libc::MNT_EXPIRE), 0, 0, 0, 0],
            ),
            // UFFD_USER_MODE_ONLY: userfaultfd(2), Linux 5.11.
            Call::Userfaultfd => (
                libc::SYS_userfaultfd,
                [c_long::from(libc::O_CLOEXEC | 1), 0, 0, 0, 0, 0],
            ),
            #[cfg(target_arch = "x86_64")]
            Call::X32 => (X32 | libc::SYS_getpid, [0; 6]),
            #[cfg(target_arch = "x86_64")]
            Call::X32Unshare => (
                X32 | libc::SYS_unshare,
                [c_long::from(libc::CLONE_NEWUSER), 0, 0, 0, 0, 0],
            ),
            #[cfg(not(target_arch = "x86_64"))]
            Call::Ioperm | Call::Iopl | Call::ModifyLdt | Call::X32 | Call::X32Unshare => {
                return None;
            }
        })
    }
}

fn put((place, value): (&mut u32, u32)) {
    *place = value;
}

/// Makes a call. A descriptor that comes back is left open: the process of a probe ends right after.
///
/// # Errors
/// Whatever the kernel says; `Unsupported` where this processor has no such call.
pub(super) fn make(call: Call) -> io::Result<c_long> {
    let mut room = Room([0; 64]);
    call.furnish(&mut room.0);
    let Some((number, arguments)) = call.arguments(room.0.as_mut_ptr() as c_long) else {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this processor has no such call",
        ));
    };
    let [first, second, third, fourth, fifth, sixth] = arguments;
    // SAFETY: `arguments` names no call that changes this process's memory, and every pointer in it is to a static text
    // or to `room`, which is larger than what any of these calls reads or writes.
    let made = unsafe { libc::syscall(number, first, second, third, fourth, fifth, sixth) };
    Ok(Errno::result(made)?)
}

/// Makes a copy of this process; nothing in the child.
///
/// # Errors
/// EAGAIN at RLIMIT_NPROC, ENOMEM.
pub(super) fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: this process has one thread, so that the child may do whatever the parent could.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Some(child)),
        ForkResult::Child => Ok(None),
    }
}

/// Ends a child without what its parent would do at its own end.
pub(super) fn exit(status: i32) -> ! {
    // SAFETY: always allowed.
    unsafe { libc::_exit(status) }
}

/// Makes a child in a user namespace of its own with clone(2). The child ends at once.
///
/// # Errors
/// EPERM where it is refused.
pub(super) fn clone_into_user_namespace() -> io::Result<()> {
    let flags = c_long::from(libc::CLONE_NEWUSER | libc::SIGCHLD);
    // SAFETY: without CLONE_VM and with no stack of its own the child is a copy, as after fork.
    let child = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    end_child(child)
}

/// Does the same with clone3(2), whose flags no filter can see.
///
/// # Errors
/// ENOSYS where it is hidden.
pub(super) fn clone3_into_user_namespace() -> io::Result<()> {
    // flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls: the first version of clone_args.
    let wanted: [u64; 8] = [
        libc::CLONE_NEWUSER as u64,
        0,
        0,
        0,
        libc::SIGCHLD as u64,
        0,
        0,
        0,
    ];
    // SAFETY: `wanted` is as large as said, and the child is a copy, as after fork.
    let child = unsafe { libc::syscall(libc::SYS_clone3, wanted.as_ptr(), size_of_val(&wanted)) };
    end_child(child)
}

fn end_child(child: c_long) -> io::Result<()> {
    if child == 0 {
        exit(0);
    }
    Errno::result(child)?;
    Ok(())
}

/// Asks for the pid by the entry of 32-bit programs, `int 0x80`.
///
/// # Errors
/// `Unsupported` on other processors. Where the kernel refuses the entry it ends this process by SIGSYS, and where it has
/// none, by SIGSEGV.
pub(super) fn int80() -> io::Result<()> {
    #[cfg(target_arch = "x86_64")]
    {
        // getpid of i386.
        let mut number: i64 = 20;
        // SAFETY: the call takes no argument and writes no memory; the kernel keeps all registers but these.
        unsafe {
            std::arch::asm!("int 0x80", inout("rax") number, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
        }
        if (-4095..0).contains(&number) {
            return Err(io::Error::from_raw_os_error(
                i32::try_from(-number).unwrap_or(libc::EIO),
            ));
        }
        Ok(())
    }
    #[cfg(not(target_arch = "x86_64"))]
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "this processor has no such entry",
    ))
}

/// What is tried at a terminal: ioctl_tty(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Terminal {
    /// Type into it.
    Type,
    /// The same, with a bit set above the 32 that the kernel looks at.
    TypeHighBit,
    /// The same, with all of them set.
    TypeHighBits,
    /// Ask the console what shift keys are held.
    Console,
    /// The same, with a bit set above the 32 that the kernel looks at.
    ConsoleHighBit,
    /// Set the line discipline that it has.
    Discipline,
}

/// Tries a request at a terminal.
///
/// # Errors
/// EPERM where it is refused, EIO where dev.tty.legacy_tiocsti is 0, ENOTTY where it is no console.
pub(super) fn try_terminal(terminal: impl AsFd, what: Terminal) -> io::Result<()> {
    const TIOCSETD: c_long = 0x5423;
    // The byte that is typed, and the number of the ordinary line discipline; 6: TIOCL_GETSHIFTSTATE.
    let (request, argument): (c_long, [u8; 4]) = match what {
        Terminal::Type => (libc::TIOCSTI as c_long, *b"x\0\0\0"),
        Terminal::TypeHighBit => (libc::TIOCSTI as c_long | 1 << 32, *b"x\0\0\0"),
        Terminal::TypeHighBits => (libc::TIOCSTI as c_long | -1 << 32, *b"x\0\0\0"),
        Terminal::Console => (libc::TIOCLINUX as c_long, [6, 0, 0, 0]),
        Terminal::ConsoleHighBit => (libc::TIOCLINUX as c_long | 1 << 32, [6, 0, 0, 0]),
        Terminal::Discipline => (TIOCSETD, [0; 4]),
    };
    let mut argument = argument;
    let number = c_long::from(terminal.as_fd().as_raw_fd());
    // SAFETY: each of the requests reads and writes at most the four bytes of `argument`.
    let done = unsafe { libc::syscall(libc::SYS_ioctl, number, request, argument.as_mut_ptr()) };
    Errno::result(done)?;
    Ok(())
}

/// Sends no signal to a process by a descriptor of it: pidfd_send_signal(2), signal 0, Linux 5.1.
///
/// # Errors
/// EINVAL where the process has no pid in the pid namespace of this one, EPERM where it may not be signalled.
pub(super) fn pidfd_signal_nothing(pidfd: impl AsFd) -> io::Result<()> {
    let number = c_long::from(pidfd.as_fd().as_raw_fd());
    // SAFETY: no signal is sent, and no memory given.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, number, 0, 0, 0) };
    Errno::result(sent)?;
    Ok(())
}

/// Asks whether two processes share their memory: kcmp(2), KCMP_VM.
///
/// # Errors
/// ESRCH, or EPERM where one of them may not be traced.
pub(super) fn compare(one: Pid, other: Pid) -> io::Result<()> {
    let [one, other] = [one, other].map(|pid| c_long::from(pid.as_raw()));
    // SAFETY: numbers only.
    let compared = unsafe { libc::syscall(libc::SYS_kcmp, one, other, 1, 0, 0) };
    Errno::result(compared)?;
    Ok(())
}

/// What is asked of another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// Send no signal to its first thread: tgkill(2), signal 0.
    Tgkill,
    /// Send no signal with a value: rt_sigqueueinfo(2), signal 0.
    Sigqueue,
    /// Where its list of locks is: get_robust_list(2).
    RobustList,
}

/// Asks something of another process.
///
/// # Errors
/// ESRCH, or EPERM where it may not be signalled or traced.
pub(super) fn about(process: Pid, what: About) -> io::Result<()> {
    let who = c_long::from(process.as_raw());
    let mut room = Room([0; 64]);
    // SI_QUEUE, the third number of siginfo_t: anything above is the kernel's to say.
    if let Some(code) = room.0.get_mut(2) {
        *code = u32::MAX;
    }
    let [first, second] = [0, 32].map(|at| room.0.as_mut_ptr().wrapping_add(at) as c_long);
    let (number, arguments) = match what {
        About::Tgkill => (libc::SYS_tgkill, [who, who, 0]),
        About::Sigqueue => (libc::SYS_rt_sigqueueinfo, [who, 0, first]),
        About::RobustList => (libc::SYS_get_robust_list, [who, first, second]),
    };
    let [one, two, three] = arguments;
    // SAFETY: no signal is sent; siginfo_t is read from `room`, which has its size, and a pointer and a length are
    // written to its halves.
    let asked = unsafe { libc::syscall(number, one, two, three) };
    Errno::result(asked)?;
    Ok(())
}

/// Starts the host's true(1) by a descriptor of its root, in a child: execveat(2).
///
/// # Errors
/// EACCES where it may not be executed.
pub(super) fn execute_true(root: impl AsFd) -> io::Result<()> {
    let number = c_long::from(root.as_fd().as_raw_fd());
    let program = c"bin/true".as_ptr();
    let arguments = [program, std::ptr::null()];
    let (list, none) = (arguments.as_ptr(), std::ptr::null::<*const libc::c_char>());
    let Some(child) = fork()? else {
        // What true says where it finds no libraries goes nowhere.
        // SAFETY: nothing in this child owns the descriptor.
        unsafe { libc::close(libc::STDERR_FILENO) };
        // SAFETY: the list ends with a null pointer.
        unsafe { libc::syscall(libc::SYS_execveat, number, program, list, none, 0) };
        exit(Errno::last_raw());
    };
    match waitpid(child, None)? {
        WaitStatus::Exited(_, errno) if errno != 0 => Err(io::Error::from_raw_os_error(errno)),
        _ => Ok(()),
    }
}

/// Gives a process the input and output priority that it has: ioprio_set(2).
pub(super) fn keep_io_priority(process: Pid) -> io::Result<()> {
    let (what, who) = (IOPRIO_WHO_PROCESS, c_long::from(process.as_raw()));
    // SAFETY: all arguments are numbers.
    let now = Errno::result(unsafe { libc::syscall(libc::SYS_ioprio_get, what, who) })?;
    // SAFETY: as above.
    Errno::result(unsafe { libc::syscall(libc::SYS_ioprio_set, what, who, now) })?;
    Ok(())
}

/// Gives a process the scheduler and its attributes that it has: sched_setattr(2).
pub(super) fn keep_scheduler(process: Pid) -> io::Result<()> {
    // struct sched_attr, of any kernel: the first number is its size.
    let mut attributes = [0_u64; 32];
    let room = size_of_val(&attributes);
    let who = c_long::from(process.as_raw());
    let address = attributes.as_mut_ptr();
    // SAFETY: the kernel writes no more than `room` bytes to the array.
    let got = unsafe { libc::syscall(libc::SYS_sched_getattr, who, address, room, 0) };
    Errno::result(got)?;
    // SAFETY: the kernel reads as much of the array as it has written.
    Errno::result(unsafe { libc::syscall(libc::SYS_sched_setattr, who, address, 0) })?;
    Ok(())
}

/// Asks for the serial number of this process's session keyring: keyctl(2), KEYCTL_GET_KEYRING_ID.
///
/// # Errors
/// ENOSYS without keyrings, EPERM where it is refused.
pub(super) fn session_keyring() -> io::Result<c_long> {
    // SAFETY: numbers only.
    let keyring =
        unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_GET_KEYRING_ID, SESSION_KEYRING, 0) };
    Ok(Errno::result(keyring)?)
}

/// Joins a new session keyring, so that the caller's is out of reach: keyctl(2), KEYCTL_JOIN_SESSION_KEYRING.
///
/// # Errors
/// EDQUOT at the quota of keys.
pub(super) fn leave_session_keyring() -> io::Result<()> {
    // SAFETY: numbers only; no name is a new keyring without one.
    let joined = unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0) };
    match Errno::result(joined) {
        // A kernel without keyrings.
        Ok(_) | Err(Errno::ENOSYS) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Tells whether a number is an open descriptor.
pub(super) fn is_open(descriptor: RawFd) -> bool {
    // SAFETY: asks for a flag, of whatever the number is.
    unsafe { libc::fcntl(descriptor, libc::F_GETFD) >= 0 }
}

/// A System V object: sysvipc(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ipc {
    /// A segment of shared memory.
    Memory,
    /// A queue of messages.
    Messages,
    /// A set of semaphores.
    Semaphores,
}

/// Finds an object by its key, or makes one of the smallest size that only this user may use.
///
/// # Errors
/// ENOENT where there is none, EEXIST where one is to be made, ENOSYS without System V IPC.
pub(super) fn ipc_get(object: Ipc, key: i32, make: bool) -> io::Result<i32> {
    let flags = if make {
        libc::IPC_CREAT | libc::IPC_EXCL | 0o600
    } else {
        0
    };
    let id = match object {
        // SAFETY: numbers only.
        Ipc::Memory => unsafe { libc::shmget(key, usize::from(make), flags) },
        // SAFETY: numbers only.
        Ipc::Messages => unsafe { libc::msgget(key, flags) },
        // SAFETY: numbers only.
        Ipc::Semaphores => unsafe { libc::semget(key, i32::from(make), flags) },
    };
    Ok(Errno::result(id)?)
}

/// Removes an object.
///
/// # Errors
/// EINVAL where it is gone, EPERM where it is another user's.
pub(super) fn ipc_remove(object: Ipc, id: i32) -> io::Result<()> {
    let removed = match object {
        // SAFETY: IPC_RMID uses no argument but the number.
        Ipc::Memory => unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) },
        // SAFETY: as above.
        Ipc::Messages => unsafe { libc::msgctl(id, libc::IPC_RMID, std::ptr::null_mut()) },
        // SAFETY: as above.
        Ipc::Semaphores => unsafe { libc::semctl(id, 0, libc::IPC_RMID) },
    };
    Errno::result(removed)?;
    Ok(())
}

/// Opens a directory by the kernel's number for it, whatever the root: name_to_handle_at(2), open_by_handle_at(2).
///
/// # Errors
/// EPERM where it is refused; ESTALE or EOPNOTSUPP where the file system has no such numbers.
pub(super) fn open_by_handle(directory: impl AsFd) -> io::Result<OwnedFd> {
    /// struct file_handle: the length of what follows, its type, and room for the longest, MAX_HANDLE_SZ.
    #[repr(C)]
    struct Handle {
        length: u32,
        kind: i32,
        bytes: [u8; 128],
    }
    let mut handle = Handle {
        length: 128,
        kind: 0,
        bytes: [0; 128],
    };
    let mut mount = 0_i32;
    let number = c_long::from(directory.as_fd().as_raw_fd());
    // SAFETY: the handle has the room that its length says, and `mount` is the int that the kernel fills in.
    let named = unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            number,
            EMPTY.as_ptr(),
            &raw mut handle,
            &raw mut mount,
            libc::AT_EMPTY_PATH,
        )
    };
    if named < 0 {
        // No file system like this one gives numbers out. One of nobody's asks for the right all the same.
        handle.length = 8;
    }
    let flags = c_long::from(libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC);
    // SAFETY: the handle is as long as it says.
    let opened =
        unsafe { libc::syscall(libc::SYS_open_by_handle_at, number, &raw mut handle, flags) };
    let opened = Errno::result(opened)?;
    let opened = RawFd::try_from(opened).map_err(io::Error::other)?;
    // SAFETY: a new descriptor, which nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(opened) })
}
