//! What root code of a host program reads inside, once it is there: looked at before anything changes.
//!
//! sshd takes the supplementary groups from the jail's /etc/group, login(1) looks its user up again in the jail's
//! /etc/passwd, PAM modules read the jail's /etc/security, and the C library loads what the jail's /etc and /lib name.
//! So all of that must be root's alone, and agree with the host on the one account. What is not there does no harm.
//!
//! Nothing of the user's can change between this look and the entering: whatever is on the way is root's alone.

use std::{
    error,
    ffi::OsStr,
    fmt,
    fs::File,
    io::Read,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Component, Path, PathBuf},
    rc::Rc,
};

use jail_config::Base;
use rustix::fs::{Dir, FileType, Mode, OFlags, fstat, openat, readlinkat};

use crate::{
    code::Code,
    fault::{number, raw},
    plan::Plan,
    trust::{self, Flaw, Untrusted},
    world::agreement::{group_agrees, passwd_agrees},
    world::view::{self, Source, There},
};

/// What the C library, PAM and its modules, sshd, login, su, cron and atd read or run as root. Of the directories with
/// a `/` at the end every entry counts.
const READ: [&str; 33] = [
    "/etc/",
    "/etc/default/",
    "/etc/ld.so.conf.d/",
    "/etc/pam.d/",
    "/etc/security/",
    "/etc/security/limits.d/",
    "/etc/security/namespace.d/",
    "/etc/ssh/",
    "/etc/update-motd.d/",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/usr/bin/run-parts",
    "/usr/bin/sh",
    "/usr/lib",
    "/usr/lib/locale",
    "/usr/lib/security/",
    "/usr/lib/sendmail",
    "/usr/lib64/security/",
    "/usr/sbin/sendmail",
    "/usr/sbin/unix_chkpwd",
    "/usr/share",
    "/usr/local",
    "/dev",
    "/root",
    "/run",
    "/var/log",
    "/var/run",
    "/var/lib/extrausers/",
    "/etc/selinux/",
];

/// Where libraries are, besides a directory for each architecture below.
const LIBRARIES: [&str; 4] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];

/// What is loaded while a host program runs: NSS modules, and what those and PAM's need of the C library's own.
const LOADED: [&str; 6] = ["libnss_", "ld-", "libc", "libgcc_s", "libpam", "gconv"];

/// Where the config may mount nothing, above or below.
const NEVER_MOUNTED: [&str; 12] = [
    "/bin", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/root", "/run", "/sbin",
    "/usr", "/var",
];

/// How many links are followed on the way to one file: path_resolution(7).
const MOST_LINKS: usize = 40;

/// The longest passwd(5) or group(5) that is read, in bytes.
const LONGEST: u64 = 4 * 1024 * 1024;

/// Why root code must not read what is inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostFilesFault {
    /// Somebody besides root could have written it.
    Untrusted(Untrusted),
    /// It could not be read.
    Unreadable(PathBuf, nix::errno::Errno),
    /// A mount of the config's lies over or below it, and is not looked into.
    Mount(PathBuf),
    /// The jail's passwd(5) gives the user other ids than the host: the file, the line, what is wrong.
    Passwd(PathBuf, usize, String),
    /// The login shell is jail-shell, and that is not in the jail.
    NoDoor(PathBuf),
    /// The jail's group(5) gives the user other groups than the host.
    Group(PathBuf, String),
}

impl HostFilesFault {
    /// Gives the code that the user is told.
    pub(crate) fn code(&self) -> Code {
        match self {
            HostFilesFault::Passwd(..) | HostFilesFault::Group(..) => Code::Account,
            HostFilesFault::NoDoor(_) => Code::ShellMissing,
            _ => Code::RootUnsafe,
        }
    }
}

impl fmt::Display for HostFilesFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("root code of the login program reads the jail's files: ")?;
        match self {
            HostFilesFault::Untrusted(untrusted) => untrusted.fmt(f),
            HostFilesFault::Unreadable(path, errno) => {
                write!(f, "{} can't be read: {}", path.display(), errno.desc())
            }
            HostFilesFault::Mount(target) => write!(
                f,
                "mounts has the target {}, which covers some of them; behind PAM choose another target",
                target.display()
            ),
            HostFilesFault::Passwd(path, line, what) => {
                write!(f, "{}:{line} {what}", path.display())
            }
            HostFilesFault::NoDoor(door) => write!(
                f,
                "the login shell {} will be started in the jail and is not there; give the user a login shell that is \
                 inside (usermod -s)",
                door.display()
            ),
            HostFilesFault::Group(path, what) => write!(f, "{} {what}", path.display()),
        }
    }
}

impl error::Error for HostFilesFault {}

/// The files that a session will see, before it does: the root's, and behind them the base's.
#[derive(Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) root: &'a OwnedFd,
    pub(crate) base: Option<&'a OwnedFd>,
}

/// An entry that was reached, by the directory that holds it.
struct Reached {
    directory: Rc<OwnedFd>,
    name: PathBuf,
    /// The entry itself, O_PATH.
    entry: Rc<OwnedFd>,
    kind: FileType,
    /// Its path on the host, for messages.
    shown: PathBuf,
}

impl Shown<'_> {
    /// Looks at all of it.
    ///
    /// # Errors
    /// The first thing that is not root's alone, or that does not agree with the host.
    pub(crate) fn check(&self) -> Result<(), HostFilesFault> {
        self.check_mounts()?;
        for path in READ {
            let Some(reached) = self.reach(Path::new(path))? else {
                continue;
            };
            if path.ends_with('/') && reached.kind == FileType::Directory {
                for name in names(&reached)? {
                    self.check_entry(&reached, Path::new(path), &name)?;
                }
            }
        }
        for path in LIBRARIES {
            self.check_libraries(Path::new(path), true)?;
        }
        self.check_door()?;
        if !self.is_made_for_user()? {
            self.check_passwd()?;
            self.check_group()?;
        }
        Ok(())
    }

    /// Insists that jail-shell is inside where it is the login shell: the host program will start it there.
    fn check_door(&self) -> Result<(), HostFilesFault> {
        let Some(door) = self.plan.door_inside() else {
            return Ok(());
        };
        let from_host = matches!(
            self.plan.view.as_ref().map(|view| &view.base),
            Some(Base::Host)
        ) && !matches!(self.top(first(door))?, Source::Root);
        if from_host || self.reach(door)?.is_some() {
            return Ok(());
        }
        Err(HostFilesFault::NoDoor(door.to_owned()))
    }

    /// Refuses mounts over or below what root code reads: what they show is not looked into.
    fn check_mounts(&self) -> Result<(), HostFilesFault> {
        let view = self.plan.view.as_ref();
        for mount in view.map_or(&[][..], |view| &view.mounts) {
            let target = &mount.target;
            let covers =
                |path: &&str| Path::new(path).starts_with(target) || target.starts_with(path);
            if NEVER_MOUNTED.iter().any(covers) {
                return Err(HostFilesFault::Mount(target.clone()));
            }
        }
        Ok(())
    }

    /// Checks what is loaded from a directory of libraries and from those of single architectures in it.
    fn check_libraries(&self, path: &Path, below: bool) -> Result<(), HostFilesFault> {
        let Some(reached) = self.reach(path)? else {
            return Ok(());
        };
        if reached.kind != FileType::Directory {
            return Ok(());
        }
        for name in names(&reached)? {
            if LOADED
                .iter()
                .any(|prefix| name.as_os_str().as_bytes().starts_with(prefix.as_bytes()))
            {
                self.check_entry(&reached, path, &name)?;
            }
            if below && name.as_os_str().as_bytes().ends_with(b"-linux-gnu") {
                self.check_libraries(&path.join(&name), false)?;
            }
        }
        Ok(())
    }

    /// Tells whether passwd(5) and group(5) are made for the user: with an /etc of the session's own, or over those of a
    /// base that is another system, where it has them as files.
    fn is_made_for_user(&self) -> Result<bool, HostFilesFault> {
        let base = match (self.top(OsStr::new("etc"))?, self.base) {
            (Source::Root, _) => return Ok(false),
            (Source::Base, Some(base)) => base,
            (Source::Base | Source::Made, _) => return Ok(true),
        };
        let Ok(etc) = trust::open_entry(base, Path::new("etc")) else {
            return Ok(false);
        };
        Ok(["passwd", "group"].iter().all(|name| {
            let file = trust::open_entry(&etc, Path::new(name)).ok();
            let stat = file.and_then(|file| fstat(file).ok());
            stat.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
        }))
    }

    /// Says where a name at the top of the new root comes from.
    fn top(&self, name: &OsStr) -> Result<Source, HostFilesFault> {
        let there = There {
            root: view::may_come_from_root(self.plan, name) && self.exists(self.root, name)?,
            base: match self.base {
                Some(base) if view::may_come_from_base(self.plan, name) => {
                    self.exists(base, name)?
                }
                _ => false,
            },
        };
        Ok(view::source(self.plan, name, there))
    }

    fn exists(&self, directory: &OwnedFd, name: &OsStr) -> Result<bool, HostFilesFault> {
        match trust::open_entry(directory, Path::new(name)) {
            Ok(_) => Ok(true),
            Err(Flaw::Missing) => Ok(false),
            Err(flaw) => Err(self.untrusted(Path::new(name), &self.plan.root.join(name), flaw)),
        }
    }

    /// Follows a path of the jail to its end, links included. Whatever is on the way must be root's and writable by
    /// nobody else. Gives nothing where the path ends nowhere.
    fn reach(&self, path: &Path) -> Result<Option<Reached>, HostFilesFault> {
        let mut ahead: Vec<PathBuf> = components(path);
        let mut walked: Vec<PathBuf> = Vec::new();
        let mut links = 0;
        let mut reached: Option<Reached> = None;
        while let Some(name) = ahead.pop() {
            if name == Path::new("..") {
                // Up from what was walked, never further than the root.
                walked.pop();
                let mut again = walked.split_off(0);
                again.reverse();
                ahead.extend(again);
                reached = None;
                continue;
            }
            let Some(next) = self.step(reached.as_ref(), path, &name)? else {
                return Ok(None);
            };
            if next.kind == FileType::Symlink {
                links += 1;
                let to = readlinkat(&next.entry, c"", Vec::new())
                    .map_err(|errno| HostFilesFault::Unreadable(next.shown.clone(), raw(errno)))?;
                let to = Path::new(OsStr::from_bytes(to.to_bytes())).to_owned();
                if links > MOST_LINKS {
                    return Ok(None);
                }
                if to.is_absolute() {
                    walked.clear();
                    reached = None;
                }
                ahead.extend(components(&to));
                continue;
            }
            walked.push(name);
            self.refuse_mounted(&walked)?;
            reached = Some(next);
        }
        Ok(reached)
    }

    /// Refuses a place that a mount covers: a link may lead root code from where nothing is mounted to there.
    fn refuse_mounted(&self, walked: &[PathBuf]) -> Result<(), HostFilesFault> {
        let place: PathBuf = [PathBuf::from("/")].iter().chain(walked).collect();
        let view = self.plan.view.as_ref();
        let mut mounts = view.map_or(&[][..], |view| &view.mounts).iter();
        match mounts.find(|mount| mount.target == place) {
            Some(mount) => Err(HostFilesFault::Mount(mount.target.clone())),
            None => Ok(()),
        }
    }

    /// Checks an entry of a directory that was reached by `path`, and whatever it leads to. Not from the root again: a
    /// login has to wait for it.
    fn check_entry(
        &self,
        within: &Reached,
        path: &Path,
        name: &Path,
    ) -> Result<(), HostFilesFault> {
        let path = path.join(name);
        match self.step(Some(within), &path, name)? {
            Some(entry) if entry.kind == FileType::Symlink => self.reach(&path).map(drop),
            _ => Ok(()),
        }
    }

    /// Opens one component and checks it.
    fn step(
        &self,
        from: Option<&Reached>,
        path: &Path,
        name: &Path,
    ) -> Result<Option<Reached>, HostFilesFault> {
        let (directory, above): (&OwnedFd, _) = match from {
            Some(from) if from.kind != FileType::Directory => return Ok(None),
            Some(from) => (&from.entry, from.shown.clone()),
            None => match (self.top(name.as_os_str())?, self.base, &self.plan.view) {
                (Source::Made, ..) => return Ok(None),
                (Source::Base, Some(base), Some(view)) => match &view.base {
                    Base::Directory(path) => (base, path.clone()),
                    // What the host runs by anyway.
                    Base::Host | Base::None => return Ok(None),
                },
                _ => (self.root, self.plan.root.clone()),
            },
        };
        let shown = above.join(name);
        let flawed = |flaw| self.untrusted(path, &shown, flaw);
        let entry = match trust::open_entry(directory, name) {
            Ok(entry) => entry,
            Err(Flaw::Missing) => return Ok(None),
            Err(flaw) => return Err(flawed(flaw)),
        };
        let stat = fstat(&entry).map_err(|errno| flawed(Flaw::Io(raw(errno))))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        match kind {
            // The mode of a link means nothing; who may change it is decided by its directory.
            FileType::Symlink if stat.st_uid == 0 => {}
            FileType::Symlink => return Err(flawed(Flaw::Owner(stat.st_uid))),
            // What belongs to a device's group is no file that is read: /dev is looked at as a directory.
            _ => trust::check_owner_and_mode(&stat, None).map_err(flawed)?,
        }
        let directory = match from {
            Some(from) => Rc::clone(&from.entry),
            None => directory
                .try_clone()
                .map(Rc::new)
                .map_err(|error| HostFilesFault::Unreadable(shown.clone(), number(&error)))?,
        };
        Ok(Some(Reached {
            directory,
            name: name.to_owned(),
            entry: Rc::new(entry),
            kind,
            shown,
        }))
    }

    fn untrusted(&self, path: &Path, component: &Path, flaw: Flaw) -> HostFilesFault {
        HostFilesFault::Untrusted(Untrusted {
            path: Path::new("/").join(path),
            component: component.to_owned(),
            flaw,
        })
    }

    /// Insists that every line for the user has the host's ids. A missing line is no harm: the program that asks for it
    /// refuses the login.
    fn check_passwd(&self) -> Result<(), HostFilesFault> {
        let Some((shown, text)) = self.read("/etc/passwd")? else {
            return Ok(());
        };
        passwd_agrees(&text, &self.plan.user, &self.plan.ids)
            .map_err(|(line, what)| HostFilesFault::Passwd(shown, line, what))
    }

    /// Insists that the user has the same groups as on the host.
    fn check_group(&self) -> Result<(), HostFilesFault> {
        let (shown, text) = match self.read("/etc/group")? {
            Some(read) => read,
            None => (self.plan.root.join("etc/group"), Vec::new()),
        };
        let ids = &self.plan.ids;
        let mut inside = match group_agrees(&text, &self.plan.user, ids) {
            Ok(groups) => groups,
            Err((line, what)) => return Err(HostFilesFault::Passwd(shown, line, what)),
        };
        inside.push(ids.gid);
        match ids.groups.iter().find(|gid| !inside.contains(gid)) {
            None => Ok(()),
            Some(gid) => {
                let name = self.plan.group_names.iter().find(|(of, _)| of == gid);
                let name = name.map_or_else(
                    || gid.to_string(),
                    |(_, name)| name.to_string_lossy().into_owned(),
                );
                Err(HostFilesFault::Group(
                    shown,
                    format!(
                        "lacks a group that the user has on the host; add the line {name}:x:{gid}:{}",
                        self.plan.user.to_string_lossy()
                    ),
                ))
            }
        }
    }

    /// Reads a file of the jail's that was found to be root's, and gives its path on the host.
    fn read(&self, path: &str) -> Result<Option<(PathBuf, Vec<u8>)>, HostFilesFault> {
        let Some(reached) = self.reach(Path::new(path))? else {
            return Ok(None);
        };
        let file: File = trust::open_file(&reached.directory, Path::new(""), &reached.name)
            .map_err(|untrusted| self.untrusted(Path::new(path), &reached.shown, untrusted.flaw))?;
        let mut text = Vec::new();
        let read = file.take(LONGEST).read_to_end(&mut text);
        match read {
            Ok(length) if (length as u64) < LONGEST => Ok(Some((reached.shown, text))),
            Ok(_) => Err(HostFilesFault::Unreadable(
                reached.shown,
                nix::errno::Errno::EFBIG,
            )),
            Err(error) => Err(HostFilesFault::Unreadable(reached.shown, number(&error))),
        }
    }
}

/// Gives the components of a path, the last one first.
fn components(path: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = path
        .components()
        .filter(|component| matches!(component, Component::Normal(_) | Component::ParentDir))
        .map(|component| PathBuf::from(component.as_os_str()))
        .collect();
    all.reverse();
    all
}

/// Gives the name at the top of an absolute path.
fn first(path: &Path) -> &OsStr {
    let mut all = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    all.next().unwrap_or_default()
}

fn names(directory: &Reached) -> Result<Vec<PathBuf>, HostFilesFault> {
    let unreadable = |errno| HostFilesFault::Unreadable(directory.shown.clone(), raw(errno));
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let readable = openat(&directory.entry, ".", flags, Mode::empty()).map_err(unreadable)?;
    let mut found = Vec::new();
    for entry in Dir::new(readable).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            found.push(PathBuf::from(name));
        }
    }
    Ok(found)
}
