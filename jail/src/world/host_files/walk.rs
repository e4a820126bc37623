//! The walk to a file as root code will reach it inside, from outside: links lead where they will lead then, and whatever is
//! on the way must be root's alone.

use std::{
    ffi::OsStr,
    fs::File,
    io::Read,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Component, Path, PathBuf},
    rc::Rc,
};

use jail_config::Base;
use rustix::fs::{Dir, FileType, Mode, OFlags, fstat, openat, readlinkat};

use super::fault::HostFilesFault;
use crate::{
    fault::{errno_of, errno_of_io},
    plan::Plan,
    resolve::last_first,
    trust::{self, Flaw, Untrusted},
    world::view::{self, Source},
};

/// How many links are followed on the way to one file: path_resolution(7).
const MOST_LINKS: usize = 40;

/// The longest passwd(5) or group(5) that is read, in bytes.
const LONGEST: u64 = 4 * 1024 * 1024;

/// The files that a session will see, before it does: the root's, and behind them the base's.
#[derive(Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) root: &'a OwnedFd,
    pub(crate) base: Option<&'a OwnedFd>,
}

/// An entry that was reached, by the directory that holds it.
pub(super) struct Reached {
    directory: Rc<OwnedFd>,
    name: PathBuf,
    /// The entry itself, O_PATH.
    entry: Rc<OwnedFd>,
    pub(super) kind: FileType,
    /// Its path on the host, for messages.
    shown: PathBuf,
}

impl Shown<'_> {
    /// Says where a name at the top of the new root comes from.
    pub(super) fn top(&self, name: &OsStr) -> Result<Source, HostFilesFault> {
        let base = || self.base.map_or(Ok(false), |base| self.shows(base, name));
        view::source_asking(self.plan, name, || self.shows(self.root, name), base)
    }

    /// Tells whether a directory has an entry of a name that is shown.
    fn shows(&self, directory: &OwnedFd, name: &OsStr) -> Result<bool, HostFilesFault> {
        let kind = trust::open_entry(directory, Path::new(name))
            .and_then(|entry| fstat(&entry).map_err(|errno| Flaw::Io(errno_of(errno))))
            .map(|stat| FileType::from_raw_mode(stat.st_mode));
        match kind {
            Ok(kind) => Ok(view::is_shown(kind)),
            Err(Flaw::Missing) => Ok(false),
            Err(flaw) => {
                Err(self.untrusted(Path::new(name), &self.plan.world.root.join(name), flaw))
            }
        }
    }

    /// Follows a path of the jail to its end, links included. Whatever is on the way must be root's and writable by
    /// nobody else. Gives nothing where the path ends nowhere.
    pub(super) fn reach(&self, path: &Path) -> Result<Option<Reached>, HostFilesFault> {
        let mut ahead = last_first(path);
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
                let to = readlinkat(&next.entry, c"", Vec::new()).map_err(|errno| {
                    HostFilesFault::Unreadable(next.shown.clone(), errno_of(errno))
                })?;
                let to = Path::new(OsStr::from_bytes(to.to_bytes())).to_owned();
                if links > MOST_LINKS {
                    return Ok(None);
                }
                if to.is_absolute() {
                    walked.clear();
                    reached = None;
                }
                ahead.extend(last_first(&to));
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
        let view = self.plan.world.view.as_ref();
        let mounts = view.into_iter().flat_map(|view| &view.mounts);
        let services = view.into_iter().flat_map(|view| &view.services);
        let shown = services.flat_map(|service| &service.shown);
        let mut targets = mounts
            .map(|mount| &mount.target)
            .chain(shown.flat_map(|shown| &shown.targets));
        match targets.find(|target| **target == place) {
            Some(target) => Err(HostFilesFault::Mount(target.clone())),
            None => Ok(()),
        }
    }

    /// Opens one component and checks it.
    pub(super) fn step(
        &self,
        from: Option<&Reached>,
        path: &Path,
        name: &Path,
    ) -> Result<Option<Reached>, HostFilesFault> {
        let (directory, above): (&OwnedFd, _) = match from {
            Some(from) if from.kind != FileType::Directory => return Ok(None),
            Some(from) => (&from.entry, from.shown.clone()),
            None => match (
                self.top(name.as_os_str())?,
                self.base,
                &self.plan.world.view,
            ) {
                (Source::Made, ..) => return Ok(None),
                (Source::Base, Some(base), Some(view)) => match &view.base {
                    Base::Directory(path) => (base, path.clone()),
                    // What the host runs by anyway.
                    Base::Host | Base::None => return Ok(None),
                },
                _ => (self.root, self.plan.world.root.clone()),
            },
        };
        let shown = above.join(name);
        let flawed = |flaw| self.untrusted(path, &shown, flaw);
        let entry = match trust::open_entry(directory, name) {
            Ok(entry) => entry,
            Err(Flaw::Missing) => return Ok(None),
            Err(flaw) => return Err(flawed(flaw)),
        };
        let stat = fstat(&entry).map_err(|errno| flawed(Flaw::Io(errno_of(errno))))?;
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
                .map_err(|error| HostFilesFault::Unreadable(shown.clone(), errno_of_io(&error)))?,
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

    /// Reads a file of the jail's that was found to be root's, and gives its path on the host.
    pub(super) fn read(&self, path: &str) -> Result<Option<(PathBuf, Vec<u8>)>, HostFilesFault> {
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
            Err(error) => Err(HostFilesFault::Unreadable(
                reached.shown,
                errno_of_io(&error),
            )),
        }
    }
}

/// Gives the name at the top of an absolute path.
pub(super) fn first(path: &Path) -> &OsStr {
    let mut all = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    all.next().unwrap_or_default()
}

pub(super) fn names(directory: &Reached) -> Result<Vec<PathBuf>, HostFilesFault> {
    let unreadable = |errno| HostFilesFault::Unreadable(directory.shown.clone(), errno_of(errno));
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
