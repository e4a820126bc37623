//! What `base = "host"` shows of the host's /etc: an allow-list, and what the config adds to it. It is opened by descriptor,
//! and only what everybody on the host may read is taken.

pub mod names;
pub(crate) mod small;

use std::{
    ffi::OsStr,
    fs::File,
    io::Read,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FileType, Mode, OFlags, fstat, readlinkat},
    io::Errno as OpenErrno,
};

use self::names::{names, open};
use crate::{
    fault::{StepFault, failed},
    trust,
    world::mounts,
};

/// What a daemon may write, and a link in /etc leads to.
pub(crate) const RESOLVER: &str = "resolv.conf";

/// The longest file that is copied, in bytes. From about here on a mount is the cheaper way.
const LONGEST_COPY: u64 = 16 * 1024;

/// How many links are followed from a name in /etc to what it means.
const MOST_LINKS: usize = 8;

/// What one name in an /etc is.
#[derive(Debug)]
pub(crate) enum Item {
    /// A file with this text.
    Text(Vec<u8>),
    /// A symbolic link.
    Link(PathBuf),
    /// A directory with nothing in it but what other items have there.
    Folder,
    /// A directory of the host, as a detached mount.
    Directory(OwnedFd),
    /// A file of the host, as a detached mount.
    File(OwnedFd),
}

/// What a name in the host's /etc is.
#[derive(Debug)]
pub(crate) enum Found {
    /// Something that is shown as it is.
    Item(Item),
    /// A directory, which is copied or mounted.
    Directory(OwnedFd),
}

/// Lists what of the host's /etc a session with `base = "host"` shows, if `further` entries are shown as well: paths below
/// /etc.
///
/// # Errors
/// A system call that failed.
pub fn shown_of_host(further: &[String]) -> Result<Vec<PathBuf>, StepFault> {
    let host = trust::open_host_root()?;
    let mut shown = names(&host, further)?;
    let mut failed = None;
    shown.retain(|name| match find(&host, name) {
        Ok(item) => item.is_some(),
        Err(fault) => {
            failed = Some(fault);
            false
        }
    });
    failed.map_or(Ok(shown), Err)
}

/// Finds what a name in the host's /etc means.
///
/// A link may lead out of /etc, as that of resolv.conf does, into a directory that a daemon can write. So each link is
/// followed by itself and must be root's, and the file at the end must be everybody's to read: nobody can make us copy
/// what its reader could not have read. It is root's, but for resolv.conf, which the daemon writes.
pub(crate) fn find(host: &OwnedFd, name: &Path) -> Result<Option<Found>, StepFault> {
    let mut path = Path::new("/etc").join(name);
    for _ in 0..MOST_LINKS {
        // NONBLOCK: a FIFO in this place is left out below, not waited for.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        match open(host, &path, flags) {
            Ok(found) => return shown(found, name),
            Err(OpenErrno::LOOP) => {}
            Err(OpenErrno::NOENT | OpenErrno::NOTDIR | OpenErrno::NXIO) => return Ok(None),
            Err(errno) => return Err(failed("open a file of /etc")(errno)),
        }
        let link = open(host, &path, OFlags::PATH).map_err(failed("open a link of /etc"))?;
        let stat = fstat(&link).map_err(failed("fstat of a link of /etc"))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink || stat.st_uid != 0 {
            return Ok(None);
        }
        let to = readlinkat(&link, c"", Vec::new()).map_err(failed("readlink in /etc"))?;
        let to = Path::new(OsStr::from_bytes(to.to_bytes()));
        // /usr is shown as it is, by the same path.
        if to.starts_with("/usr") || (to.starts_with("../usr") && name.iter().count() == 1) {
            return Ok(Some(Found::Item(Item::Link(to.to_owned()))));
        }
        path = path.parent().unwrap_or(&path).join(to);
    }
    Ok(None)
}

fn shown(found: OwnedFd, name: &Path) -> Result<Option<Found>, StepFault> {
    let stat = fstat(&found).map_err(failed("fstat of a file of /etc"))?;
    let length = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    let has = |mode: Mode| stat.st_mode & mode.as_raw_mode() == mode.as_raw_mode();
    if stat.st_uid != 0 && name != Path::new(RESOLVER) {
        return Ok(None);
    }
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory if has(Mode::ROTH | Mode::XOTH) => Some(Found::Directory(found)),
        FileType::RegularFile if !has(Mode::ROTH) => None,
        FileType::RegularFile if length > LONGEST_COPY => {
            let tree = mounts::copy_read_only(&found)?;
            Some(Found::Item(Item::File(tree)))
        }
        FileType::RegularFile => Some(Found::Item(Item::Text(read(found, length)?))),
        _ => None,
    })
}

/// Reads a file of about this length, and not without end should it grow.
fn read(file: OwnedFd, length: u64) -> Result<Vec<u8>, StepFault> {
    let mut text = Vec::with_capacity(usize::try_from(length).unwrap_or(0).saturating_add(1));
    File::from(file)
        .take(LONGEST_COPY)
        .read_to_end(&mut text)
        .map_err(failed("read a file of /etc"))?;
    Ok(text)
}
