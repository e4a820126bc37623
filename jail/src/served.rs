//! File systems that a user serves (FUSE): whoever asks one waits for as long as that user likes. A request that the server has
//! read and does not answer can't be interrupted, not even by SIGKILL.
//!
//! So such a file system is recognised without asking it anything. To open a directory with O_PATH and to ask for the number of
//! its mount reaches no server; the kernel's table of mounts says the rest.

use std::{
    fs::File,
    io::Read,
    os::fd::AsFd,
    str::{self, FromStr},
};

use nix::errno::Errno;
use rustix::fs::{AtFlags, FsWord, Statx, StatxFlags, fstatfs, statx};

use crate::fault::{errno_of, errno_of_io};

/// The kernel's table of this process's mounts: proc_pid_mountinfo(5).
const MOUNTS: &str = "/proc/self/mountinfo";

/// How long the table is at the most on an ordinary machine, in bytes: so much is read at once.
const USUAL_TABLE: usize = 32 * 1024;

/// What all file systems of FUSE are called: `fuse`, `fuseblk`, and with a subtype `fuse.sshfs`.
const FUSE: &[u8] = b"fuse";

/// A mounted file system, as the table has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileSystem {
    /// Its type, such as `ext4`.
    pub(crate) kind: Vec<u8>,
    /// The uid of the user who serves it; nothing where the kernel or root serves it. An error where the table does not say.
    pub(crate) server: Result<Option<u32>, Errno>,
}

/// How the types of file systems begin that a program or another machine answers for.
const SERVED: [&[u8]; 10] = [
    FUSE, b"9p", b"afs", b"autofs", b"ceph", b"cifs", b"coda", b"lustre", b"nfs", b"smb",
];

/// FUSE_SUPER_MAGIC of fs/fuse/inode.c.
const FUSE_MAGIC: FsWord = 0x6573_5546;

/// Tells whether to change the owner of a link in a directory could change that of what it leads to: sshfs has no lchown(2), and its
/// server follows the link, wherever that leads. So it may be with all of FUSE.
///
/// # Errors
/// fstatfs(2) failed.
pub fn follows_links(directory: impl AsFd) -> rustix::io::Result<bool> {
    Ok(fstatfs(directory)?.f_type == FUSE_MAGIC)
}

/// Gives the uid of the user who serves the file system that `opened` is on; nothing where the kernel or root serves it.
///
/// # Errors
/// The table can't be read, or has no such mount. Nobody knows then who would be asked.
pub(crate) fn server(opened: impl AsFd) -> Result<Option<u32>, Errno> {
    let seen = examine(opened, StatxFlags::MNT_ID).map_err(errno_of)?;
    let table = table()?;
    let line = find(&table, |line| line.mount == Some(seen.stx_mnt_id)).ok_or(Errno::ENOENT)?;
    line.file_system().ok_or(Errno::ENOENT)?.server
}

/// Gives the file system that a file is on, by the number of its mount, or where that is a mount of another namespace, by its
/// device (major and minor number); nothing where no such file system is mounted here.
///
/// # Errors
/// The table can't be read.
pub(crate) fn file_system(mount: u64, device: (u32, u32)) -> Result<Option<FileSystem>, Errno> {
    let table = table()?;
    let line = find(&table, |line| line.mount == Some(mount))
        .or_else(|| find(&table, |line| line.device() == Some(device)));
    Ok(line.and_then(|line| line.file_system()))
}

/// Asks the kernel about an open file, and nobody who serves it: for no more than its type, its device and its mount.
///
/// # Errors
/// As statx(2).
pub(crate) fn examine(opened: impl AsFd, wanted: StatxFlags) -> rustix::io::Result<Statx> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
    statx(opened, c"", flags, wanted)
}

/// Gives device and inode of an open file, as stat(2) does, and asks nobody who serves it.
///
/// # Errors
/// As statx(2).
pub(crate) fn number_of(opened: impl AsFd) -> rustix::io::Result<(u64, u64)> {
    let seen = examine(opened, StatxFlags::INO)?;
    let device = rustix::fs::makedev(seen.stx_dev_major, seen.stx_dev_minor);
    Ok((device, seen.stx_ino))
}

fn table() -> Result<Vec<u8>, Errno> {
    let mut table = Vec::with_capacity(USUAL_TABLE);
    File::open(MOUNTS)
        .and_then(|mut file| file.read_to_end(&mut table))
        .map_err(|error| errno_of_io(&error))?;
    Ok(table)
}

/// Tells whether any file system is mounted that is somebody's to answer for, on this machine or another: root's too may be
/// silent for a while.
///
/// # Errors
/// The table can't be read.
pub(crate) fn any_may_stall() -> Result<bool, Errno> {
    Ok(any_stalls_in(&table()?))
}

fn any_stalls_in(table: &[u8]) -> bool {
    let stalls = |system: FileSystem| SERVED.iter().any(|it| system.kind.starts_with(it));
    find(table, |line| line.file_system().is_some_and(stalls)).is_some()
}

/// Says what is wrong with a file that is on a file system which this uid serves, and what mends it.
pub(crate) fn state(uid: u32) -> String {
    format!(
        "is on a file system (FUSE) that uid {uid} serves and need never answer; unmount it, or have root mount it"
    )
}

/// Finds the first line of the table that is wanted.
fn find<'a>(table: &'a [u8], wanted: impl Fn(&Line<'a>) -> bool) -> Option<Line<'a>> {
    let lines = table.split(|byte| *byte == b'\n').map(Line::new);
    lines.into_iter().find(wanted)
}

/// A line of the table.
struct Line<'a> {
    mount: Option<u64>,
    text: &'a [u8],
}

impl<'a> Line<'a> {
    fn new(text: &'a [u8]) -> Line<'a> {
        let mut fields = text.split(|byte| *byte == b' ');
        Line {
            mount: fields.next().and_then(parse),
            text,
        }
    }

    fn fields(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.text.split(|byte| *byte == b' ')
    }

    /// Gives major and minor number of the device.
    fn device(&self) -> Option<(u32, u32)> {
        let text = str::from_utf8(self.fields().nth(2)?).ok()?;
        let (major, minor) = text.split_once(':')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    }

    /// Reads the file system; nothing where this is no line of the table.
    fn file_system(&self) -> Option<FileSystem> {
        // Behind the optional fields, a lone dash: the type, the source, the options of the file system.
        let mut fields = self.fields().skip_while(|field| *field != b"-").skip(1);
        let (kind, options) = (fields.next()?, fields.nth(1)?);
        let server = if kind.starts_with(FUSE) {
            options
                .split(|byte| *byte == b',')
                .find_map(|option| option.strip_prefix(b"user_id="))
                .and_then(parse)
                .ok_or(Errno::ENOENT)
                .map(|uid: u32| Some(uid).filter(|uid| *uid != 0))
        } else {
            Ok(None)
        };
        Some(FileSystem {
            kind: kind.to_vec(),
            server,
        })
    }
}

fn parse<T: FromStr>(digits: &[u8]) -> Option<T> {
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::{FileSystem, any_stalls_in, find, server};

    const TABLE: &[u8] = b"\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
40 22 0:35 / /srv/fuse\\040-\\040x rw,nosuid - fuse.sshfs ann@host:/ rw,user_id=1001,group_id=1001,allow_other\n\
41 22 0:36 / /srv/root rw master:3 - fuse.sshfs host:/ rw,user_id=0,group_id=0\n\
42 22 8:2 / /srv/ntfs rw - fuseblk /dev/sdb1 rw,user_id=1002,group_id=0\n\
43 22 0:37 / /srv/odd rw - fuse odd rw\n";

    fn in_table(mount: u64) -> Option<FileSystem> {
        find(TABLE, |line| line.mount == Some(mount))?.file_system()
    }

    fn server_in(mount: u64) -> Option<Option<u32>> {
        in_table(mount)?.server.ok()
    }

    #[test]
    fn a_user_is_told_from_root_and_from_the_kernel() {
        assert_eq!(server_in(22), Some(None));
        assert_eq!(server_in(40), Some(Some(1001)));
        assert_eq!(server_in(41), Some(None));
        assert_eq!(server_in(42), Some(Some(1002)));
    }

    #[test]
    fn a_mount_that_nothing_is_known_of_is_not_taken_for_the_kernels() {
        assert_eq!(server_in(43), None);
        assert_eq!(server_in(2), None);
        assert!(find(b"", |_| true).is_none_or(|line| line.file_system().is_none()));
    }

    #[test]
    fn what_a_program_or_another_machine_answers_for_may_stall() {
        let line = |kind: &str| format!("41 22 0:36 / /srv/x rw master:3 - {kind} host:/ rw");
        for kind in ["fuse.sshfs", "nfs4", "cifs", "9p", "autofs", "ceph"] {
            let table = format!("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n{}", line(kind));
            assert!(any_stalls_in(table.as_bytes()), "{kind}");
        }
        for kind in ["ext4", "btrfs", "xfs", "overlay", "tmpfs", "zfs"] {
            assert!(!any_stalls_in(line(kind).as_bytes()), "{kind}");
        }
    }

    #[test]
    fn a_mount_of_another_namespace_is_known_by_its_device() {
        let by_device = |device| find(TABLE, |line| line.device() == Some(device));
        let kind = by_device((8, 2)).and_then(|line| line.file_system());
        assert_eq!(kind.unwrap().kind, b"fuseblk");
        assert!(by_device((8, 3)).is_none());
    }

    #[test]
    fn this_machines_root_is_served_by_no_user() {
        assert_eq!(server(File::open("/").unwrap()), Ok(None));
    }
}
