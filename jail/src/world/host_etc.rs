//! What `base = "host"` shows of the host's /etc: an allow-list, and what the config adds to it. It is opened by descriptor,
//! and only what everybody on the host may read is taken.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::Read,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat, readlinkat},
    io::Errno as OpenErrno,
};

use crate::{
    fault::{StepFault, errno_of_io, failed},
    resolve::openat2,
    trust,
    world::mounts,
};

/// What programs of the host's /usr look for in /etc, and everybody may read. None of it is a directory that has keys in
/// it: of /etc/ssl and /etc/pki only the certificates are listed, of /etc/php what its servers are told is not. A `*`
/// stands for any part of a name.
pub const SHOWN: [&str; 113] = [
    "DIR_COLORS",
    "ImageMagick-*",
    "OpenCL",
    "R",
    "X11/app-defaults",
    "X11/rgb.txt",
    "alternatives",
    "ant.conf",
    "ant.d",
    "bash.bashrc",
    "bash_completion",
    "bash_completion.d",
    "bashrc",
    "ca-certificates.conf",
    "chromium",
    "chromium.d",
    "crypto-policies",
    "csh.cshrc",
    "csh.login",
    "debian_version",
    "debuginfod",
    "dotnet",
    "dpkg/origins",
    "dpkg/shlibs.default",
    "dpkg/shlibs.override",
    "emacs",
    "environment-modules",
    "ethertypes",
    "firefox",
    "firefox-esr",
    "fish",
    "fonts",
    "gai.conf",
    "gdb",
    "gemrc",
    "ghostscript",
    "gitconfig",
    "glvnd",
    "gprofng.rc",
    "groff",
    "gtk-2.0",
    "gtk-3.0",
    "gtk-4.0",
    "host.conf",
    "hosts",
    "inputrc",
    "iproute2",
    "java",
    "java-*",
    "julia",
    "ld.so.cache",
    "ld.so.conf",
    "libpaper.d",
    "libreoffice",
    "locale.alias",
    "locale.conf",
    "localtime",
    "lsb-release",
    "lynx",
    "magic",
    "magic.mime",
    "mailcap",
    "man_db.conf",
    "manpath.config",
    "maven",
    "mime.types",
    "nanorc",
    "networks",
    "npmrc",
    "octave.conf",
    "openmpi",
    "os-release",
    "papersize",
    "paperspecs",
    "perl",
    "php.d",
    "php.ini",
    "php/*/cli",
    "php/*/mods-available",
    "pki/ca-trust/extracted",
    "pki/tls/certs",
    "postgresql-common",
    "profile",
    "profile.d",
    "protocols",
    "python",
    "python2*",
    "python3*",
    "redhat-release",
    "resolv.conf",
    "rpc",
    "rpm",
    "screenrc",
    "services",
    "sgml",
    "ssl/certs",
    "ssl/openssl.cnf",
    "system-release",
    "terminfo",
    "texmf",
    "timezone",
    "tmux.conf",
    "vim",
    "vimrc",
    "virc",
    "vulkan",
    "xdg",
    "xml",
    "zlogin",
    "zprofile",
    "zsh",
    "zshenv",
    "zshrc",
];

/// What a daemon may write, and a link in /etc leads to.
pub(crate) const RESOLVER: &str = "resolv.conf";

/// The longest file that is copied, in bytes. From about here on a mount is the cheaper way.
const LONGEST_COPY: u64 = 16 * 1024;

/// How many entries a directory may have that is copied.
const MOST_COPIED: usize = 16;

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
    let host = trust::open_host_root();
    let host = host.map_err(|fault| StepFault::Unfit(fault.to_string()))?;
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

/// Lists what is looked for in the host's /etc. What begins with a name that is shown as a whole is not listed apart.
pub(crate) fn names(host: &OwnedFd, further: &[String]) -> Result<Vec<PathBuf>, StepFault> {
    let mut names: Vec<PathBuf> = further.iter().map(PathBuf::from).collect();
    let there = list(host, Path::new(""))?;
    for pattern in SHOWN.map(Path::new) {
        for name in expand(host, &there, pattern)? {
            if !further.iter().any(|whole| name.starts_with(whole)) {
                names.push(name);
            }
        }
    }
    Ok(names)
}

/// Finds the names that a pattern stands for; `there` is what /etc has.
fn expand(host: &OwnedFd, there: &[OsString], pattern: &Path) -> Result<Vec<PathBuf>, StepFault> {
    let mut parts = pattern.iter();
    let first = parts.next().unwrap_or_default();
    let fitting = there.iter().filter(|name| fits(first, name));
    let mut found: Vec<PathBuf> = fitting.map(PathBuf::from).collect();
    for part in parts {
        let mut below = Vec::new();
        for path in found {
            if part.as_bytes().contains(&b'*') {
                let listed = list(host, &path)?;
                let fitting = listed.iter().filter(|name| fits(part, name));
                below.extend(fitting.map(|name| path.join(name)));
            } else {
                below.push(path.join(part));
            }
        }
        found = below;
    }
    Ok(found)
}

/// Tells whether a name is the pattern, in which `*` stands for any letters.
fn fits(pattern: &OsStr, name: &OsStr) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    match pattern.iter().position(|byte| *byte == b'*') {
        None => pattern == name,
        Some(star) => {
            let (start, end) = (pattern.get(..star), pattern.get(star + 1..));
            let rest = name.strip_prefix(start.unwrap_or_default());
            rest.is_some_and(|rest| rest.ends_with(end.unwrap_or_default()))
        }
    }
}

/// Lists a directory below the host's /etc, in the order of the names. What is no directory has nothing in it.
fn list(host: &OwnedFd, below: &Path) -> Result<Vec<OsString>, StepFault> {
    let path = Path::new("/etc").join(below);
    let directory = match open(host, &path, OFlags::RDONLY | OFlags::DIRECTORY) {
        Ok(directory) => directory,
        Err(OpenErrno::NOENT | OpenErrno::NOTDIR | OpenErrno::LOOP) => return Ok(Vec::new()),
        Err(errno) => return Err(failed("open a directory of /etc")(errno)),
    };
    let mut names = Vec::new();
    for entry in Dir::new(directory).map_err(failed("list a directory of /etc"))? {
        let entry = entry.map_err(failed("list a directory of /etc"))?;
        names.push(OsStr::from_bytes(entry.file_name().to_bytes()).to_owned());
    }
    names.sort_unstable();
    Ok(names)
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

fn open(host: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, OpenErrno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat2(host, path, flags, Mode::empty(), resolve)
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

/// Copies a directory that holds few and short files, if it is one. Who can't read a file of it does not see its name.
pub(crate) fn small(
    directory: &OwnedFd,
    name: &Path,
) -> Result<Option<Vec<(PathBuf, Item)>>, StepFault> {
    let mut items = vec![(name.to_owned(), Item::Folder)];
    let mut left = LONGEST_COPY;
    let fits = copy(directory, name, &mut left, &mut items)?;
    Ok(fits.then_some(items))
}

/// Copies what a directory holds, and says whether that is all. `left` is how many bytes more there may be.
fn copy(
    directory: &OwnedFd,
    path: &Path,
    left: &mut u64,
    items: &mut Vec<(PathBuf, Item)>,
) -> Result<bool, StepFault> {
    let readable = openat(
        directory,
        ".",
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(failed("open a directory of /etc"))?;
    for entry in Dir::new(readable).map_err(failed("list a directory of /etc"))? {
        let entry = entry.map_err(failed("list a directory of /etc"))?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let path = path.join(OsStr::from_bytes(name.to_bytes()));
        if items.len() > MOST_COPIED {
            return Ok(false);
        }
        let flags =
            OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = match openat(directory, name, flags, Mode::empty()) {
            Ok(opened) => opened,
            Err(OpenErrno::LOOP) => {
                let to =
                    readlinkat(directory, name, Vec::new()).map_err(failed("readlink in /etc"))?;
                items.push((path, Item::Link(OsStr::from_bytes(to.to_bytes()).into())));
                continue;
            }
            Err(_) => return Ok(false),
        };
        let stat = fstat(&opened).map_err(failed("fstat of a file of /etc"))?;
        let has = |mode: u32| stat.st_mode & mode == mode && stat.st_uid == 0;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory if has(0o005) => {
                items.push((path.clone(), Item::Folder));
                if !copy(&opened, &path, left, items)? {
                    return Ok(false);
                }
            }
            // A program keeps its mode.
            FileType::RegularFile if has(0o004) && stat.st_mode & 0o111 == 0 => {
                let length = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
                let Some(rest) = left.checked_sub(length) else {
                    return Ok(false);
                };
                *left = rest;
                items.push((path, Item::Text(read(opened, length)?)));
            }
            FileType::Directory | FileType::RegularFile if !has(0o004) => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// Reads a file of about this length, and not without end should it grow.
fn read(file: OwnedFd, length: u64) -> Result<Vec<u8>, StepFault> {
    let mut text = Vec::with_capacity(usize::try_from(length).unwrap_or(0).saturating_add(1));
    File::from(file)
        .take(LONGEST_COPY)
        .read_to_end(&mut text)
        .map_err(|error| StepFault::Failed("read a file of /etc", errno_of_io(&error)))?;
    Ok(text)
}

#[cfg(test)]
mod tests;
