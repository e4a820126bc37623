//! The /etc of a session with a base. With `base = "host"` it is an allow-list of the host's, with a passwd and a group
//! made for one user; those and resolv.conf also take the place of the same files in the /etc of another system.
//!
//! Everything is opened before the root changes. What is not listed is not there: keys, shadow, sudoers, cron, the
//! other users' names. A file is copied, because a bind mount of a single file is no fresher and costs more; a long one
//! is mounted, because copying it costs more than that; a link into /usr stays a link.

use std::{
    ffi::OsStr,
    fs::File,
    io::Read,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use jail_config::Home;
use rustix::{
    fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2, readlinkat},
    io::Errno as OpenErrno,
};

use crate::{
    fault::{StepFault, failed, number},
    plan::Plan,
    world::mounts,
};

/// What programs of the host's /usr look for in /etc. None of it is a directory that has keys in it: of /etc/ssl and
/// /etc/pki only the certificates are listed.
const SHOWN: [&str; 34] = [
    "alternatives",
    "bash.bashrc",
    "crypto-policies",
    "debian_version",
    "fonts",
    "gai.conf",
    "gitconfig",
    "host.conf",
    "hosts",
    "inputrc",
    "java-11-openjdk",
    "java-17-openjdk",
    "java-21-openjdk",
    "java-25-openjdk",
    "ld.so.cache",
    "ld.so.conf",
    "locale.alias",
    "locale.conf",
    "localtime",
    "manpath.config",
    "networks",
    "os-release",
    "pki/ca-trust/extracted",
    "pki/tls/certs",
    "profile",
    "profile.d",
    "protocols",
    "resolv.conf",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
    "vim",
];

/// Nothing but files and DNS: the services that other modules ask are not in the jail.
const NSSWITCH: &str = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n\
                        protocols: files\nservices: files\nethers: files\nrpc: files\n";

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
    /// A directory of the host, as a detached mount.
    Directory(OwnedFd),
    /// A file of the host, as a detached mount.
    File(OwnedFd),
}

/// The contents of an /etc, by paths below it.
#[derive(Debug)]
pub(crate) struct Etc(pub(crate) Vec<(&'static str, Item)>);

impl Etc {
    /// Opens what the host has; `host` is its root directory. What the host lacks is not there inside either.
    ///
    /// # Errors
    /// A system call that failed, or an account that passwd(5) can't hold.
    pub(crate) fn of_host(plan: &Plan, host: &OwnedFd) -> Result<Etc, StepFault> {
        let mut items = vec![
            ("nsswitch.conf", Item::Text(NSSWITCH.into())),
            ("passwd", Item::Text(passwd(plan)?)),
            ("group", Item::Text(group(plan))),
            ("mtab", Item::Link("../proc/self/mounts".into())),
        ];
        for name in SHOWN {
            if let Some(item) = find(host, name)? {
                items.push((name, item));
            }
        }
        Ok(Etc(items))
    }

    /// Makes what covers the same names in the /etc of another system: its own passwd knows nobody who logs in here,
    /// and its resolv.conf is of the machine that it was made on.
    ///
    /// # Errors
    /// As [`Etc::of_host`].
    pub(crate) fn over_base(plan: &Plan, host: &OwnedFd) -> Result<Etc, StepFault> {
        let mut items = vec![
            ("passwd", Item::Text(passwd(plan)?)),
            ("group", Item::Text(group(plan))),
        ];
        let network = find(host, "resolv.conf")?;
        items.extend(network.map(|item| ("resolv.conf", item)));
        Ok(Etc(items))
    }
}

/// Finds what a name in the host's /etc means.
///
/// A link may lead out of /etc, as that of resolv.conf does, into a directory that a daemon can write. So each link is
/// followed by itself and must be root's, and the file at the end must be everybody's to read: nobody can make us copy
/// what its reader could not have read.
fn find(host: &OwnedFd, name: &'static str) -> Result<Option<Item>, StepFault> {
    let mut path = Path::new("/etc").join(name);
    for _ in 0..MOST_LINKS {
        // NONBLOCK: a FIFO in this place is left out below, not waited for.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        match open(host, &path, flags) {
            Ok(found) => return shown(found),
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
        if to.starts_with("/usr") || (to.starts_with("../usr") && !name.contains('/')) {
            return Ok(Some(Item::Link(to.to_owned())));
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

fn shown(found: OwnedFd) -> Result<Option<Item>, StepFault> {
    let stat = fstat(&found).map_err(failed("fstat of a file of /etc"))?;
    let length = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    let everybodys = stat.st_mode & Mode::ROTH.as_raw_mode() != 0;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            mounts::copy_read_only(&found).map(|tree| Some(Item::Directory(tree)))
        }
        FileType::RegularFile if everybodys && length > LONGEST_COPY => {
            mounts::copy_read_only(&found).map(|tree| Some(Item::File(tree)))
        }
        FileType::RegularFile if everybodys => {
            read(found, length).map(|text| Some(Item::Text(text)))
        }
        _ => Ok(None),
    }
}

/// Reads a file of about this length, and not without end should it grow.
fn read(file: OwnedFd, length: u64) -> Result<Vec<u8>, StepFault> {
    let mut text = Vec::with_capacity(usize::try_from(length).unwrap_or(0).saturating_add(1));
    File::from(file)
        .take(LONGEST_COPY)
        .read_to_end(&mut text)
        .map_err(|error| StepFault::Failed("read a file of /etc", number(&error)))?;
    Ok(text)
}

/// Makes passwd(5): root, the user with the home and shell that the jail has, nobody.
fn passwd(plan: &Plan) -> Result<Vec<u8>, StepFault> {
    let home = match &plan.home {
        Home::Set(home) | Home::Default(home) => home,
    };
    let (home, shell) = (home.as_os_str(), plan.shell.as_os_str());
    for field in [&plan.user, home, shell] {
        if !fits_field(field) {
            return Err(StepFault::Unfit(format!(
                "{field:?} has a colon or a line break, which no passwd(5) can hold"
            )));
        }
    }
    let ids = format!(":x:{}:{}::", plan.ids.uid, plan.ids.gid);
    let fields = [&plan.user, OsStr::new(&ids), home, OsStr::new(":"), shell];
    let mut text = fields.map(OsStr::as_bytes).concat();
    text.push(b'\n');
    for (name, uid, home) in [("root", 0, "/root"), ("nobody", 65534, "/nonexistent")] {
        if plan.user != name && plan.ids.uid != uid {
            let line = format!("{name}:x:{uid}:{uid}:{name}:{home}:/usr/sbin/nologin\n");
            text.extend_from_slice(line.as_bytes());
        }
    }
    Ok(text)
}

/// Makes group(5): root, nogroup, and the groups that the user has inside.
fn group(plan: &Plan) -> Vec<u8> {
    let own = |gid: u32, name: &OsStr| {
        plan.group_names
            .iter()
            .any(|(other, of)| *other == gid || of == name)
    };
    let mut text = Vec::new();
    for (gid, name) in &plan.group_names {
        if fits_field(name) {
            let ids = format!(":x:{gid}:");
            for field in [name.as_bytes(), ids.as_bytes(), plan.user.as_bytes(), b"\n"] {
                text.extend_from_slice(field);
            }
        }
    }
    for (name, gid) in [("root", 0), ("nogroup", 65534)] {
        if !own(gid, OsStr::new(name)) {
            text.extend_from_slice(format!("{name}:x:{gid}:\n").as_bytes());
        }
    }
    text
}

fn fits_field(text: &OsStr) -> bool {
    !text.as_bytes().iter().any(|byte| b":\n".contains(byte))
}
