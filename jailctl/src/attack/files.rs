//! Probes of the root, of descriptors that come in, and of /proc.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::Path,
};

use jail::world::{
    dev::DEVICES,
    devices::{Drivers, why_refused},
};

use nix::{
    errno::Errno,
    sys::stat::{Mode as NodeMode, SFlag, makedev, mknod},
};
use rustix::{
    fs::{
        Access, CWD, FileType, Mode, OFlags, StatVfsMountFlags, access, major, minor, openat,
        statat, statvfs,
    },
    process::{chroot, fchdir},
    thread::no_new_privs,
};

use super::{
    probe::{Inside, Probe, absent, looked},
    raw,
    wall::Wall,
};

/// How many directories a walk upwards goes.
const HIGHEST: usize = 32;

/// The walls that stand before the /proc of a process outside.
const OTHERS_PROC: &[Wall] = &[Wall::Proc, Wall::Pids, Wall::Landlock, Wall::Privileges];

pub(super) const PROBES: &[Probe] = &[
    // First: it looks from the working directory that the session began with.
    Probe::new("root", "kept working directory", &[Wall::Root], |it| {
        above(it, &open_directory(".")?)
    }),
    Probe::new("root", "..", &[Wall::Root], |it| {
        above(it, &open_directory("/")?)
    }),
    Probe::new(
        "root",
        "/etc/shadow",
        &[Wall::Place("/etc/shadow"), Wall::Privileges],
        |it| {
            let file = File::open("/etc/shadow")?;
            it.is_host("/etc/shadow", &file.metadata()?)
        },
    ),
    Probe::new(
        "root",
        "double chroot",
        &[Wall::SeccompOfShell, Wall::Privileges],
        |it| {
            let kept = open_directory("/")?;
            chroot(".")?;
            fchdir(&kept)?;
            above(it, &open_directory(".")?)
        },
    ),
    Probe::new("root", "/tmp", &[Wall::Place("/tmp")], |it| {
        place(it, "/tmp")
    }),
    Probe::new(
        "descriptors",
        "inherited",
        &[Wall::Descriptors],
        |it| match raw::is_open(it.told.inherited) {
            true => Ok(()),
            false => Err(Errno::EBADF.into()),
        },
    ),
    Probe::new("descriptors", "sent in, openat", &[Wall::Landlock], |it| {
        openat(&it.root, "etc/passwd", READ, Mode::empty())?;
        Ok(())
    }),
    Probe::new("descriptors", "sent in, list", &[Wall::Landlock], |it| {
        openat(&it.root, ".", READ | OFlags::DIRECTORY, Mode::empty())?;
        Ok(())
    }),
    Probe::new(
        "descriptors",
        "sent in, fchdir and open",
        &[Wall::Landlock],
        |it| {
            fchdir(&it.root)?;
            openat(CWD, "etc/passwd", READ, Mode::empty())?;
            Ok(())
        },
    ),
    Probe::new(
        "descriptors",
        "sent in, /proc/self/fd",
        &[Wall::Landlock],
        |it| {
            File::open(format!("/proc/self/fd/{}/etc/passwd", it.root.as_raw_fd()))?;
            Ok(())
        },
    ),
    Probe::new("descriptors", "sent in, execute", &[Wall::Landlock], |it| {
        looked(raw::execute_true(&it.root))
    }),
    // No wall: no kernel has a rule for it so far.
    Probe::new("descriptors", "sent in, stat", &[], |it| {
        statat(&it.root, "etc/passwd", rustix::fs::AtFlags::empty())?;
        Ok(())
    }),
    Probe::new("proc", "/proc of the host", &[Wall::Proc], |it| {
        place(it, "/proc")
    }),
    Probe::new(
        "proc",
        "/proc/1/root",
        &[Wall::Proc, Wall::Landlock, Wall::Privileges],
        |it| it.is_host("/", &fs::metadata("/proc/1/root/.")?),
    ),
    Probe::new("proc", "/proc/PID", &[Wall::Proc, Wall::Pids], |it| {
        fs::metadata(of_target(it, "cmdline")?).map(drop)
    }),
    Probe::new("proc", "/proc/PID/root", OTHERS_PROC, |it| {
        open_directory(&of_target(it, "root/.")?).map(drop)
    }),
    Probe::new("proc", "/proc/PID/cwd", OTHERS_PROC, |it| {
        open_directory(&of_target(it, "cwd/.")?).map(drop)
    }),
    Probe::new("proc", "/proc/PID/fd", OTHERS_PROC, |it| {
        fs::read_link(of_target(it, "fd/0")?).map(drop)
    }),
    Probe::new("proc", "/proc/PID/maps", OTHERS_PROC, |it| {
        File::open(of_target(it, "maps")?).map(drop)
    }),
    Probe::new(
        "proc",
        "/proc/PID/oom_score_adj, to write",
        &[Wall::Proc, Wall::Pids],
        |it| to_write(&of_target(it, "oom_score_adj")?),
    ),
    Probe::new("proc", "/proc/PID/environ", OTHERS_PROC, |it| {
        File::open(of_target(it, "environ")?).map(drop)
    }),
    Probe::new("proc", "/proc/PID/mem", OTHERS_PROC, |it| {
        File::open(of_target(it, "mem")?).map(drop)
    }),
    Probe::new(
        "proc",
        "/proc/sys, to write",
        &[Wall::Proc, Wall::Privileges],
        |_| to_write("/proc/sys/kernel/core_pattern"),
    ),
    Probe::new(
        "proc",
        "/proc/sysrq-trigger, to write",
        &[Wall::Proc, Wall::Privileges],
        |_| to_write("/proc/sysrq-trigger"),
    ),
    Probe::new("ipc", "/dev/shm", &[Wall::Place("/dev/shm")], |it| {
        place(it, "/dev/shm")
    }),
    Probe::new("ipc", "/dev/pts", &[Wall::Place("/dev/pts")], |it| {
        place(it, "/dev/pts")
    }),
    Probe::new(
        "programs",
        "set-user-ID files count",
        &[Wall::NoNewPrivs, Wall::MountFlags],
        |_| match no_new_privs()? {
            true => Err(io::Error::other("no_new_privs is set")),
            false => is_without(StatVfsMountFlags::NOSUID),
        },
    ),
    Probe::new(
        "programs",
        "device nodes count",
        &[Wall::MountFlags],
        |_| is_without(StatVfsMountFlags::NODEV),
    ),
    Probe::new(
        "programs",
        "a device that no jail gets",
        &[Wall::Place("/dev"), Wall::Privileges],
        |_| refused_device(Path::new("/dev"), 0),
    ),
    Probe::new("programs", "mknod", &[Wall::Privileges], |_| make_device()),
];

const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC);

fn open_directory(path: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(CWD, path, flags, Mode::empty())?)
}

/// Looks for the host's root in a directory and above it.
fn above(inside: &Inside, directory: &OwnedFd) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut here = directory.try_clone()?;
    for _ in 0..HIGHEST {
        let found = File::from(here.try_clone()?).metadata()?;
        if inside.is_host("/", &found).is_ok() {
            return Ok(());
        }
        here = openat(&here, "..", flags, Mode::empty())?;
    }
    Err(io::Error::other("the host's root is not above"))
}

/// Looks whether a path leads to what the host has there.
fn place(inside: &Inside, path: &str) -> io::Result<()> {
    inside.is_host(path, &fs::metadata(path)?)
}

fn of_target(inside: &Inside, what: &str) -> io::Result<String> {
    Ok(format!("/proc/{}/{what}", inside.target()?))
}

/// Opens for writing, and writes nothing.
fn to_write(path: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(path).map(drop)
}

/// Looks for a place without this flag among those where users have files.
fn is_without(flag: StatVfsMountFlags) -> io::Result<()> {
    let places = ["/", ".", "/home", "/tmp", "/usr"];
    let found = places.iter().filter_map(|path| statvfs(*path).ok());
    for place in found {
        if !place.f_flag.contains(flag) {
            return Ok(());
        }
    }
    Err(io::Error::other("every mount has the flag"))
}

/// Looks for a device that no jail gets and that may be opened. None is: opening a watchdog starts it.
fn refused_device(directory: &Path, depth: usize) -> io::Result<()> {
    const DEEPEST: usize = 4;
    // The session's own: ptmx, and the terminals of its own devpts.
    let is_own = |numbers: (u32, u32)| {
        let mut usual = DEVICES.iter().map(|(_, major, minor)| (*major, *minor));
        usual.any(|it| it == numbers) || numbers == (5, 2) || (136..=143).contains(&numbers.0)
    };
    let drivers = Drivers::read().unwrap_or_default();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let found = fs::symlink_metadata(&path)?;
        if found.is_dir() && depth < DEEPEST {
            if refused_device(&path, depth + 1).is_ok() {
                return Ok(());
            }
            continue;
        }
        let numbers = (major(found.rdev()), minor(found.rdev()));
        let kind = FileType::from_raw_mode(found.mode());
        let is_device = matches!(kind, FileType::BlockDevice | FileType::CharacterDevice);
        if is_device
            && !is_own(numbers)
            && why_refused(kind, numbers.0, numbers.1, &drivers).is_some()
            && !statvfs(&path)?.f_flag.contains(StatVfsMountFlags::NODEV)
            && access(&path, Access::READ_OK).is_ok()
        {
            return Ok(());
        }
    }
    Err(io::Error::other("there is none"))
}

/// Makes the device that gives zeros, and takes it away at once.
fn make_device() -> io::Result<()> {
    let name = format!("login-jail-probe-{}", std::process::id());
    for directory in ["/tmp", "."] {
        let path = format!("{directory}/{name}");
        let mode = NodeMode::S_IRUSR;
        match mknod(path.as_str(), SFlag::S_IFCHR, mode, makedev(1, 5)) {
            Ok(()) => return fs::remove_file(path),
            // No directory to make one in says nothing of the right to.
            Err(Errno::ENOENT | Errno::EROFS | Errno::EACCES) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(absent("there is no directory to make one in"))
}
