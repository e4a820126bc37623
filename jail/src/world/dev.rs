//! The session's own /proc and /dev.

use std::{
    ffi::{CStr, CString},
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{
        AtFlags, CWD, Dev, FileType, Mode, OFlags, chmodat, fstat, makedev, mkdirat, mknodat,
        openat, statat, symlinkat,
    },
    mount::MountAttrFlags,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with},
    process::fchdir,
};

use crate::{
    fault::{StepFault, expect_in_force, failed},
    plan::world::{Processes, View},
    world::{
        mounts::{attach, copy_file, new_file_system, new_shared_tmpfs, new_tmpfs},
        targets::{attach_at, new_file},
    },
};

/// How many terminals a session may open of those that all of the host share (sysctl kernel.pty.max).
pub(crate) const MOST_TERMINALS: usize = 64;

/// Size and number of files of a /dev: what is made in it, and a place for each node of the host's.
const DEV_BOUNDS: (&CStr, &CStr) = (c"256k", c"1k");

/// The group `tty`, whose number every Linux distribution has fixed.
const TTY_GID: &CStr = c"5";

/// The device nodes of a private /dev, by null(4), random(4) and tty(4).
pub const DEVICES: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

/// Links that programs expect in /dev.
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// The files of /proc that show keys: keyrings(7).
const KEYS: [&str; 2] = ["keys", "key-users"];

/// Mounts a /proc of the session's own processes. What it would show of the user's keys, which all sessions share, is
/// covered by an empty file.
///
/// Without a pid namespace it is that of the host's processes, of which only those show that may be traced (hidepid=4,
/// Linux 5.8): Landlock lets nobody trace what is outside.
///
/// Where a list of commands says what may be executed, nothing of /proc can be written: whoever serves files would serve
/// /proc/PID/mem, and write code into a program of the list.
pub(crate) fn attach_proc(root: &OwnedFd, view: &View) -> Result<(), StepFault> {
    // Below /proc, where nobody gets to it: a file can be copied as a mount only where it is attached.
    let cover = new_tmpfs(c"0755", (c"4k", c"8"), MountAttrFlags::MOUNT_ATTR_NODEV)?;
    attach_at(&cover, root, Path::new("proc"))?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let empty = openat(&cover, "empty", flags, Mode::from_raw_mode(0o444))
        .map_err(failed("create a file below /proc"))?;
    let writing = match view.executables {
        Some(_) => MountAttrFlags::MOUNT_ATTR_RDONLY,
        None => MountAttrFlags::empty(),
    };
    let proc = new_file_system(
        c"proc",
        &[(
            c"hidepid",
            Some(match view.processes {
                Processes::Own => c"invisible",
                Processes::Traceable => c"ptraceable",
            }),
        )],
        MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC | writing,
    )?;
    attach_at(&proc, root, Path::new("proc"))?;
    for name in KEYS {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&proc, name, flags, Mode::empty()) {
            Ok(shown) => attach(&copy_file(empty.as_fd())?, shown, c"")?,
            // A kernel without keys.
            Err(rustix::io::Errno::NOENT) => {}
            Err(errno) => return Err(failed("open a file of /proc")(errno)),
        }
    }
    Ok(())
}

/// Makes a /dev with the usual nodes, a devpts and a shm of its own. Set-user-ID has no effect in it, and nobody
/// inside can make a node, because nobody has CAP_MKNOD.
pub(crate) fn new_dev() -> Result<OwnedFd, StepFault> {
    let dev = new_tmpfs(c"0755", DEV_BOUNDS, MountAttrFlags::MOUNT_ATTR_NOEXEC)?;
    for (name, major, minor) in DEVICES {
        let device: Dev = makedev(major, minor);
        mknodat(
            &dev,
            name,
            FileType::CharacterDevice,
            Mode::from_raw_mode(0o666),
            device,
        )
        .map_err(failed("mknod in /dev"))?;
    }
    for (name, to) in DEVICE_LINKS {
        symlinkat(to, &dev, name).map_err(failed("symlink in /dev"))?;
    }
    for name in ["pts", "shm"] {
        mkdirat(&dev, name, Mode::from_raw_mode(0o755)).map_err(failed("mkdir in /dev"))?;
    }
    Ok(dev)
}

/// Makes the socket to which programs inside log: syslog(3). Gives it, to be read by whoever stays outside.
///
/// Changes the working directory, because an address has no descriptor in it; the change of the root is to follow.
pub(crate) fn new_log(dev: &OwnedFd) -> Result<OwnedFd, StepFault> {
    const NAME: &str = "log";
    let mode = Mode::from_raw_mode(0o666);
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)
        .map_err(failed("socket"))?;
    let address = SocketAddrUnix::new(NAME).map_err(failed("the address /dev/log"))?;
    fchdir(dev).map_err(failed("fchdir to /dev"))?;
    // Elsewhere the name would be one of the host's.
    let meant = fstat(dev).map_err(failed("stat /dev"))?;
    let reached =
        statat(CWD, ".", AtFlags::empty()).map_err(failed("stat the working directory"))?;
    let is_there = (meant.st_dev, meant.st_ino) == (reached.st_dev, reached.st_ino);
    expect_in_force("the change to /dev", is_there)?;
    bind(&socket, &address).map_err(failed("bind /dev/log"))?;
    chmodat(dev, NAME, mode, AtFlags::empty()).map_err(failed("chmod /dev/log"))?;
    let made = statat(dev, NAME, AtFlags::SYMLINK_NOFOLLOW).map_err(failed("stat /dev/log"))?;
    let is_socket = FileType::from_raw_mode(made.st_mode) == FileType::Socket;
    let is_open = Mode::from_raw_mode(made.st_mode) == mode;
    expect_in_force("the socket /dev/log", is_socket && is_open)?;
    Ok(socket)
}

/// Mounts what lies below /dev, and shows a terminal of the host's devpts as /dev/console, so that tty(1) has a name
/// for it.
pub(crate) fn fill_dev(dev: &OwnedFd, terminal: Option<OwnedFd>) -> Result<(), StepFault> {
    let most = CString::new(MOST_TERMINALS.to_string()).unwrap_or_default();
    let options = [
        (c"newinstance", None),
        (c"ptmxmode", Some(c"0666")),
        (c"mode", Some(c"0620")),
        (c"gid", Some(TTY_GID)),
        (c"max", Some(most.as_c_str())),
    ];
    let pts = new_file_system(c"devpts", &options, MountAttrFlags::MOUNT_ATTR_NOEXEC)?;
    attach_at(&pts, dev, Path::new("pts"))?;
    let shm = new_shared_tmpfs()?;
    attach_at(&shm, dev, Path::new("shm"))?;
    if let Some(terminal) = terminal {
        attach(&terminal, new_file(dev, Path::new("console"))?, c"")?;
    }
    Ok(())
}
