//! What the host gives, copied: the trees that a new root is made of.
//!
//! Copied while still in the host's mount namespace, because a descriptor of it means nothing in another.

use std::{
    ffi::OsStr,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use jail_config::{Base, Content, MountMode, RootOwner};
use rustix::fs::{Dir, FileType, Mode, OFlags, openat, readlinkat};

use crate::{
    fault::{StepFault, failed},
    plan::{Plan, world::View},
    served,
    sys::mount::{NODEV, NOSUID, RDONLY},
    trust,
    world::{
        devices,
        etc::Etc,
        executables::Carried,
        mark::Mark,
        mounts::copy_tree,
        records::Records,
        services::{self, Placed},
        targets::{file_type, open_entry},
        view::{self, Source, There, carries},
    },
};

/// The most entries that root and base may have at their top together: each is a mount.
pub(crate) const MOST_ENTRIES: usize = 128;

/// What the host gives, opened by the trusted walk.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) root: OwnedFd,
    pub(crate) base: Option<OwnedFd>,
    pub(crate) mounts: Vec<OwnedFd>,
    pub(crate) services: Vec<services::Found>,
    pub(crate) devices: devices::Found,
}

impl Opened {
    /// Says which files of the host these are: by other ones, another world is made.
    ///
    /// # Errors
    /// statx(2) failed.
    pub(crate) fn in_words(&self) -> Result<String, StepFault> {
        let services = self.services.iter().map(|it| &it.source);
        let all = [Some(&self.root), self.base.as_ref()].into_iter().flatten();
        let all = all.chain(&self.mounts).chain(services);
        let all = all.chain(self.devices.nodes.values());
        let numbers: Result<Vec<_>, _> = all.map(served::number_of).collect();
        let numbers = numbers.map_err(failed("statx of what the host gives"))?;
        Ok(format!("{numbers:?}"))
    }
}

/// Detached copies of what the host gives.
#[derive(Debug)]
pub(crate) struct Trees {
    pub(crate) top: Top,
    /// The root's own /dev, where the jail uses it: the only part of a root whose device nodes work.
    pub(crate) devices: Option<OwnedFd>,
    pub(crate) mounts: Vec<OwnedFd>,
    pub(crate) services: Vec<Placed>,
    /// Nodes of the host for a private /dev, by their paths below it.
    pub(crate) nodes: Vec<(PathBuf, OwnedFd)>,
    pub(crate) terminal: Option<OwnedFd>,
    /// What of the host may be executed, where the programs come from there.
    pub(crate) carried: Option<Carried>,
    /// What a host program needs inside, besides.
    pub(crate) guest: Option<(Mark, Records)>,
}

/// What the top of the new root is.
#[derive(Debug)]
pub(crate) enum Top {
    /// The root directory itself.
    Whole(OwnedFd),
    /// A new, empty directory with these entries.
    Entries(Vec<Entry>, OwnEtc),
}

/// What a session has of an /etc made for it.
#[derive(Debug)]
pub(crate) enum OwnEtc {
    None,
    Whole(Etc),
    /// Files that cover those of the base.
    Over(Etc),
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: PathBuf,
    pub(crate) what: Shown,
}

#[derive(Debug)]
pub(crate) enum Shown {
    Directory(OwnedFd),
    File(OwnedFd),
    Link(PathBuf),
}

impl Trees {
    /// Copies the trees that a plan needs. The copies belong to no mount namespace; they end with their descriptors.
    pub(crate) fn copy(
        plan: &Plan,
        view: &View,
        opened: &Opened,
        terminal: Option<OwnedFd>,
    ) -> Result<Trees, StepFault> {
        let top = match (&view.base, &opened.base) {
            _ if carries(view) => Top::around(plan, &opened.root)?,
            (Base::None, _) | (_, None) => Top::Whole(copy_tree(&opened.root, NOSUID | NODEV)?),
            (base, Some(directory)) => Top::copy(plan, base, &opened.root, directory)?,
        };
        // Whoever owns the root can't make nodes, but may move those that lie about.
        let devices = match (view.dev, plan.world.root_owner) {
            (Content::Root, RootOwner::Root) => copy_devices(&opened.root)?,
            _ => None,
        };
        let mut mounts = Vec::with_capacity(opened.mounts.len());
        for (source, mount) in opened.mounts.iter().zip(&view.mounts) {
            let attributes = match mount.mode {
                MountMode::ReadOnly => NOSUID | NODEV | RDONLY,
                MountMode::ReadWrite => NOSUID | NODEV,
            };
            mounts.push(copy_tree(source, attributes)?);
        }
        let guest = match plan.process.request() {
            Some(_) => None,
            None => Some((Mark::of(plan), Records::copy()?)),
        };
        let carried = view.executables.as_ref().map(Carried::copy).transpose()?;
        Ok(Trees {
            carried: carried.flatten(),
            top,
            devices,
            mounts,
            services: services::copy(&opened.services)?,
            nodes: devices::copy(&opened.devices)?,
            terminal,
            guest,
        })
    }
}

impl Top {
    /// Copies the entries of the root, then those that only the base has.
    fn copy(
        plan: &Plan,
        base: &Base,
        root: &OwnedFd,
        directory: &OwnedFd,
    ) -> Result<Top, StepFault> {
        let [own, others] = list(plan, root, Some(directory))?;
        let has_etc = own.iter().any(|listed| listed.name.as_os_str() == "etc");
        let mut entries = Vec::with_capacity(own.len() + others.len());
        for (listed, attributes) in [(own, NOSUID | NODEV), (others, NOSUID | NODEV | RDONLY)] {
            for entry in listed {
                entries.push(entry.copy(attributes)?);
            }
        }
        let etc = match base {
            _ if has_etc => OwnEtc::None,
            Base::Host => OwnEtc::Whole(Etc::of_host(plan, directory)?),
            _ => {
                let host = trust::open_host_root()?;
                OwnEtc::Over(Etc::over_base(plan, &host)?)
            }
        };
        Ok(Top::Entries(entries, etc))
    }

    /// Copies the entries of a root that need hold no program: the system's directories are not among them.
    fn around(plan: &Plan, root: &OwnedFd) -> Result<Top, StepFault> {
        let [own, _] = list(plan, root, None)?;
        let entries = own.into_iter().map(|entry| entry.copy(NOSUID | NODEV));
        let etc = Etc::alone(plan, trust::open_host_root()?)?;
        Ok(Top::Entries(
            entries.collect::<Result<_, _>>()?,
            OwnEtc::Whole(etc),
        ))
    }
}

/// Copies the root's own /dev, if it is a directory.
fn copy_devices(root: &OwnedFd) -> Result<Option<OwnedFd>, StepFault> {
    match open_entry(root, Path::new("dev"))? {
        Some(dev) if file_type(&dev)? == FileType::Directory => copy_tree(&dev, NOSUID).map(Some),
        _ => Ok(None),
    }
}

/// An entry of root or base that is shown.
struct Listed {
    name: PathBuf,
    opened: OwnedFd,
    kind: FileType,
}

impl Listed {
    fn copy(self, attributes: u64) -> Result<Entry, StepFault> {
        let what = match self.kind {
            FileType::Directory => Shown::Directory(copy_tree(&self.opened, attributes)?),
            FileType::RegularFile => Shown::File(copy_tree(&self.opened, attributes)?),
            _ => {
                let to = readlinkat(&self.opened, c"", Vec::new()).map_err(failed("readlink"))?;
                Shown::Link(PathBuf::from(OsStr::from_bytes(to.to_bytes())))
            }
        };
        Ok(Entry {
            name: self.name,
            what,
        })
    }
}

/// Makes sure that root and base have no more entries than a session can be shown, and changes nothing.
///
/// # Errors
/// There are more, or they can't be listed.
pub(crate) fn check_entries(
    plan: &Plan,
    root: &OwnedFd,
    directory: &OwnedFd,
) -> Result<(), StepFault> {
    list(plan, root, Some(directory)).map(drop)
}

/// Lists what is shown of the root, and what only the base has.
fn list(
    plan: &Plan,
    root: &OwnedFd,
    directory: Option<&OwnedFd>,
) -> Result<[Vec<Listed>; 2], StepFault> {
    // What the session has of its own is not looked at.
    let from = |source, name: &OsStr, there| view::source(plan, name, there) == source;
    let own = entries_of(root, 0, |name| from(Source::Root, name, There::IN_ROOT))?;
    let Some(directory) = directory else {
        return Ok([own, Vec::new()]);
    };
    let others = entries_of(directory, own.len(), |name| {
        let there = There {
            root: own.iter().any(|known| known.name.as_os_str() == name),
            base: true,
        };
        from(Source::Base, name, there)
    })?;
    Ok([own, others])
}

/// Lists the entries of a directory that are wanted, where so many are shown already.
fn entries_of(
    directory: &OwnedFd,
    shown: usize,
    wanted: impl Fn(&OsStr) -> bool,
) -> Result<Vec<Listed>, StepFault> {
    let readable = openat(
        directory,
        ".",
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(failed("open a directory to list it"))?;
    // Counted before they are looked at: a user's root may have any number of whatever.
    let mut counted = shown;
    let mut entries = Vec::new();
    for entry in Dir::new(readable).map_err(failed("list a directory"))? {
        let entry = entry.map_err(failed("list a directory"))?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." || !wanted(name) {
            continue;
        }
        counted += 1;
        if counted > MOST_ENTRIES {
            return Err(StepFault::Unfit(format!(
                "root and base have more than {MOST_ENTRIES} entries at their top; move some below a directory"
            )));
        }
        let Some(opened) = open_entry(directory, Path::new(name))? else {
            // Gone since it was listed.
            continue;
        };
        let kind = file_type(&opened)?;
        if view::is_shown(kind) {
            entries.push(Listed {
                name: PathBuf::from(name),
                opened,
                kind,
            });
        }
    }
    Ok(entries)
}
