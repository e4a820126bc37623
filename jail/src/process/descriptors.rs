//! Standard input, output and error, which a caller of a privileged program chooses: what can't lead out of a jail comes in.
//!
//! A file on a file system that a user serves need never answer. So no file is asked anything here: its kind and the number of
//! its mount are known to the kernel, and the kernel's table of mounts says the rest.

use std::{borrow::Cow, fmt};

use nix::errno::Errno;
use rustix::{
    fs::{
        AtFlags, FileType, MemfdFlags, Mode, OFlags, Statx, StatxFlags, fcntl_getfl, memfd_create,
        open, statx,
    },
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout},
    thread::capabilities,
};

use crate::{
    fault::errno_of,
    served::{self, FileSystem},
    trust::kind,
};

/// File systems whose files speak to the kernel: they are no data, and some are handles on what is outside of a jail. Those that
/// are never mounted (pidfds, anonymous inodes) need no name here.
const OF_THE_KERNEL: [&str; 25] = [
    "binder",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "cpuset",
    "debugfs",
    "devpts",
    "efivarfs",
    "functionfs",
    "fusectl",
    "gadgetfs",
    "mqueue",
    "nfsd",
    "nsfs",
    "proc",
    "pstore",
    "resctrl",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "smackfs",
    "sysfs",
    "tracefs",
];

/// Devices by their major number: Documentation/admin-guide/devices.txt of Linux.
const MEMORY: u32 = 1;
const OLD_MASTERS: u32 = 2;
const TERMINALS: u32 = 5;
const MISCELLANEOUS: u32 = 10;
const MASTERS: std::ops::RangeInclusive<u32> = 128..=135;
/// /dev/mem, /dev/kmem, /dev/port and /dev/kmsg among [`MEMORY`]; the others are /dev/null and its like.
const OF_THE_MACHINE: [u32; 4] = [1, 2, 4, 11];
/// /dev/null and /dev/full among [`MEMORY`].
const NULL: u32 = 3;
const FULL: u32 = 7;
/// /dev/ptmx among [`TERMINALS`]: whatever name it was opened by, devpts's own too.
const PTMX: u32 = 2;

/// A standard descriptor that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadDescriptor {
    /// 0, 1 or 2.
    pub number: i32,
    /// What it is.
    pub what: Cow<'static, str>,
}

impl fmt::Display for BadDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "descriptor {} is a {}; only a terminal, pipe, socket, regular file or device such as /dev/null may come in",
            self.number, self.what
        )
    }
}

/// Why the standard descriptors can't be made sane.
#[derive(Debug)]
pub(crate) enum DescriptorFault {
    /// One of them is refused.
    Bad(BadDescriptor),
    /// A system call failed.
    Failed(&'static str, Errno),
}

/// Looks at the descriptors 0 to 2, and puts /dev/null in the place of those that the caller had closed.
///
/// Closed ones have something in them already: glibc sees to it in a set-user-ID program, and Rust's start-up in any.
///
/// # Errors
/// One that could carry a way out of a jail, or a system call that failed.
pub(crate) fn make_sane() -> Result<(), DescriptorFault> {
    for (number, fd) in [
        (0, rustix::stdio::stdin()),
        (1, rustix::stdio::stdout()),
        (2, rustix::stdio::stderr()),
    ] {
        let bad = |what| DescriptorFault::Bad(BadDescriptor { number, what });
        let failed = |call, errno| DescriptorFault::Failed(call, errno_of(errno));
        let flags = fcntl_getfl(fd).map_err(|_| bad("closed descriptor".into()))?;
        if flags.contains(OFlags::PATH) {
            return Err(bad("path descriptor (O_PATH)".into()));
        }
        let wanted = StatxFlags::TYPE | StatxFlags::MNT_ID;
        let seen = served::examine(fd, wanted).map_err(|errno| failed("statx", errno))?;
        check(&seen).map_err(bad)?;
        if is_stop_gap(number, &seen, flags) {
            reopen_as_null(number).map_err(|errno| failed("open /dev/null", errno))?;
        }
    }
    Ok(())
}

/// Says what a standard descriptor is if it must not come in.
fn check(seen: &Statx) -> Result<(), Cow<'static, str>> {
    match FileType::from_raw_mode(seen.stx_mode.into()) {
        FileType::Fifo | FileType::Socket => Ok(()),
        FileType::CharacterDevice => check_device(seen.stx_rdev_major, seen.stx_rdev_minor),
        FileType::RegularFile => check_file_system(seen),
        other => Err(kind(other).into()),
    }
}

/// Refuses devices that hand over more than what is read from and written to them: the master's side of a terminal is whoever
/// types there, and others are the machine's.
fn check_device(major: u32, minor: u32) -> Result<(), Cow<'static, str>> {
    match major {
        TERMINALS if minor == PTMX => Err("master side of a terminal".into()),
        OLD_MASTERS => Err("master side of a terminal".into()),
        other if MASTERS.contains(&other) => Err("master side of a terminal".into()),
        MEMORY if OF_THE_MACHINE.contains(&minor) => Err("device of the kernel".into()),
        MISCELLANEOUS => Err("device of the kernel".into()),
        _ => Ok(()),
    }
}

/// Refuses what looks like a regular file and is a handle to a kernel object, as files of /proc are, or a namespace descriptor,
/// or since Linux 6.9 a pidfd; and what a user serves.
fn check_file_system(seen: &Statx) -> Result<(), Cow<'static, str>> {
    // Without privileges this is as any program of the user's, and no jail is made.
    if !is_privileged() {
        return Ok(());
    }
    let device = (seen.stx_dev_major, seen.stx_dev_minor);
    match served::file_system(seen.stx_mnt_id, device) {
        Ok(Some(found)) => check_mounted(&found),
        // Not mounted here. On a disk it is data all the same, and memory has one device.
        Ok(None) if device.0 != 0 || is_of_memory(device) => Ok(()),
        Ok(None) => Err(
            "file that is on no file system mounted here, such as a pidfd or a namespace".into(),
        ),
        Err(errno) => Err(format!(
            "file on a file system that can't be examined ({})",
            errno.desc()
        )
        .into()),
    }
}

fn check_mounted(found: &FileSystem) -> Result<(), Cow<'static, str>> {
    let name = String::from_utf8_lossy(&found.kind);
    if OF_THE_KERNEL.contains(&name.as_ref()) {
        return Err(format!("file of {name}; use a pipe instead (cat FILE | ...)").into());
    }
    match found.server {
        Ok(None) => Ok(()),
        Ok(Some(uid)) => Err(format!(
            "file on a file system (FUSE) that uid {uid} serves; use a pipe instead (cat FILE | ...)"
        )
        .into()),
        Err(_) => Err("file on a file system (FUSE) that somebody unknown serves".into()),
    }
}

/// Tells whether this process can do more than its user; where that can't be asked, it can.
fn is_privileged() -> bool {
    !capabilities(None).is_ok_and(|sets| sets.permitted.is_empty())
}

/// Tells whether a device is that of files in memory, as memfd_create(2) makes them.
fn is_of_memory(device: (u32, u32)) -> bool {
    let own = memfd_create("login-jail", MemfdFlags::CLOEXEC);
    let own = own.and_then(|own| statx(&own, c"", AtFlags::EMPTY_PATH, StatxFlags::TYPE));
    own.is_ok_and(|own| (own.stx_dev_major, own.stx_dev_minor) == device)
}

/// Tells what glibc puts in the place of a closed descriptor: /dev/full for writing as 0, /dev/null for reading as 1
/// and 2, so that any use fails. The user's programs are to see an empty input and a sink instead.
fn is_stop_gap(number: i32, seen: &Statx, flags: OFlags) -> bool {
    let (minor, access) = if number == 0 {
        (FULL, OFlags::WRONLY)
    } else {
        (NULL, OFlags::RDONLY)
    };
    FileType::from_raw_mode(seen.stx_mode.into()) == FileType::CharacterDevice
        && (seen.stx_rdev_major, seen.stx_rdev_minor) == (MEMORY, minor)
        && flags & OFlags::RWMODE == access
}

fn reopen_as_null(number: i32) -> Result<(), rustix::io::Errno> {
    let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    match number {
        0 => dup2_stdin(&null),
        1 => dup2_stdout(&null),
        _ => dup2_stderr(&null),
    }
}

#[cfg(test)]
mod tests {
    use super::{check_device, check_mounted};
    use crate::served::FileSystem;

    #[test]
    fn every_device_that_is_a_terminals_other_side_or_the_machines_is_refused() {
        let masters = [(5, 2), (2, 0), (128, 0), (135, 255)];
        let machines = [
            (1, 1),
            (1, 2),
            (1, 4),
            (1, 11),
            (10, 229),
            (10, 200),
            (10, 232),
        ];
        for (major, minor) in masters.into_iter().chain(machines) {
            check_device(major, minor).unwrap_err();
        }
        // Virtual consoles, serial lines, slaves, /dev/tty, /dev/console, null, zero, full, random, urandom.
        for (major, minor) in [
            (4, 1),
            (4, 64),
            (136, 0),
            (143, 255),
            (3, 0),
            (5, 0),
            (5, 1),
            (188, 0),
            (204, 64),
            (1, 3),
            (1, 5),
            (1, 7),
            (1, 8),
            (1, 9),
        ] {
            assert_eq!(check_device(major, minor), Ok(()), "{major}:{minor}");
        }
    }

    #[test]
    fn files_of_disks_of_other_machines_and_of_memory_are_data() {
        for (kind, server, is_data) in [
            ("ext4", Ok(None), true),
            ("overlay", Ok(None), true),
            ("tmpfs", Ok(None), true),
            ("nfs4", Ok(None), true),
            ("fuse.sshfs", Ok(None), true),
            ("fuse.sshfs", Ok(Some(1001)), false),
            ("fuse", Err(nix::errno::Errno::ENOENT), false),
            ("proc", Ok(None), false),
            ("cgroup2", Ok(None), false),
        ] {
            let found = FileSystem {
                kind: kind.into(),
                server,
            };
            assert_eq!(check_mounted(&found).is_ok(), is_data, "{kind} {server:?}");
        }
    }
}
