//! File systems that a user serves (FUSE): whoever asks one waits for as long as that user likes. A request that the server has
//! read and does not answer can't be interrupted, not even by SIGKILL.
//!
//! So such a file system is recognised without asking it anything. To open a directory with O_PATH and to ask for the number of
//! its mount reaches no server; the kernel's table of mounts says the rest.

use std::{
    fs,
    os::fd::AsFd,
    str::{self, FromStr},
};

use nix::errno::Errno;
use rustix::fs::{AtFlags, StatxFlags, statx};

use crate::fault::{number, raw};

/// The kernel's table of this process's mounts: proc_pid_mountinfo(5).
const MOUNTS: &str = "/proc/self/mountinfo";

/// What all file systems of FUSE are called: `fuse`, `fuseblk`, and with a subtype `fuse.sshfs`.
const FUSE: &[u8] = b"fuse";

/// Gives the uid of the user who serves the file system that `opened` is on; nothing where the kernel or root serves it.
///
/// # Errors
/// The table can't be read, or has no such mount. Nobody knows then who would be asked.
pub(crate) fn server(opened: impl AsFd) -> Result<Option<u32>, Errno> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
    let mount = statx(opened, c"", flags, StatxFlags::MNT_ID)
        .map_err(raw)?
        .stx_mnt_id;
    let table = fs::read(MOUNTS).map_err(|error| number(&error))?;
    server_in(&table, mount).ok_or(Errno::ENOENT)
}

/// Says what is wrong with a file that is on a file system which this uid serves, and what mends it.
pub(crate) fn state(uid: u32) -> String {
    format!(
        "is on a file system (FUSE) that uid {uid} serves and need never answer; unmount it, or have root mount it"
    )
}

/// Looks a mount up in the table. Nothing where it is not there or its line is no line of the table.
fn server_in(table: &[u8], mount: u64) -> Option<Option<u32>> {
    let line = table
        .split(|byte| *byte == b'\n')
        .find(|line| first_number(line) == Some(mount))?;
    // Behind the optional fields, a lone dash: the type, the source, the options of the file system.
    let mut fields = line
        .split(|byte| *byte == b' ')
        .skip_while(|field| *field != b"-")
        .skip(1);
    let (kind, options) = (fields.next()?, fields.nth(1)?);
    if !kind.starts_with(FUSE) {
        return Some(None);
    }
    let server = options
        .split(|byte| *byte == b',')
        .find_map(|option| option.strip_prefix(b"user_id="))?;
    let server: u32 = parse(server)?;
    Some(Some(server).filter(|uid| *uid != 0))
}

fn first_number(line: &[u8]) -> Option<u64> {
    parse(line.split(|byte| *byte == b' ').next()?)
}

fn parse<T: FromStr>(digits: &[u8]) -> Option<T> {
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::{server, server_in};

    const TABLE: &[u8] = b"\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
40 22 0:35 / /srv/fuse\\040-\\040x rw,nosuid - fuse.sshfs ann@host:/ rw,user_id=1001,group_id=1001,allow_other\n\
41 22 0:36 / /srv/root rw master:3 - fuse.sshfs host:/ rw,user_id=0,group_id=0\n\
42 22 8:2 / /srv/ntfs rw - fuseblk /dev/sdb1 rw,user_id=1002,group_id=0\n\
43 22 0:37 / /srv/odd rw - fuse odd rw\n";

    #[test]
    fn a_user_is_told_from_root_and_from_the_kernel() {
        assert_eq!(server_in(TABLE, 22), Some(None));
        assert_eq!(server_in(TABLE, 40), Some(Some(1001)));
        assert_eq!(server_in(TABLE, 41), Some(None));
        assert_eq!(server_in(TABLE, 42), Some(Some(1002)));
    }

    #[test]
    fn a_mount_that_nothing_is_known_of_is_not_taken_for_the_kernels() {
        assert_eq!(server_in(TABLE, 43), None);
        assert_eq!(server_in(TABLE, 2), None);
        assert_eq!(server_in(b"", 22), None);
    }

    #[test]
    fn this_machines_root_is_served_by_no_user() {
        assert_eq!(server(File::open("/").unwrap()), Ok(None));
    }
}
