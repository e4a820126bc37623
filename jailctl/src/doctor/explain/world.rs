//! What a session sees, can write and can reach, before there is one.
//!
//! Where each name comes from, the core says, by the function that puts the root together; the mode of what is there says who
//! writes to it.

use std::{
    collections::BTreeMap,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use jail::{
    door::look::Looked,
    plan::Plan,
    world::{
        sight::{Name, Sight, open_to_all},
        view::Source,
    },
};
use jail_config::{Base, MountMode};
use rustix::fs::{FileType, Mode, OFlags, openat};
use serde::Serialize;

use crate::{
    doctor::rights::{SEARCH, WRITE, has_acl, mode_grants, stat_of},
    mountinfo::Mounted,
    shell::shown,
};

/// What a session sees and can write.
#[derive(Debug, Default, Serialize)]
pub(super) struct World {
    /// The names at the top, by where they come from.
    pub(super) sees: Sees,
    /// What the config mounts.
    pub(super) mounts: Vec<Mounting>,
    /// The services of the host that can be reached.
    pub(super) services: Vec<ServiceShown>,
    /// Device nodes of the host.
    pub(super) devices: Vec<String>,
    /// Names of devices that show nothing, and why.
    pub(super) devices_missing: Vec<String>,
    /// Where the user can make files.
    pub(super) writes: Vec<String>,
    /// Where an ACL decides, which is not read here.
    pub(super) writes_by_acl: Vec<String>,
    /// Where the session begins, and what is the matter with that.
    pub(super) home: HomeState,
}

/// The names at the top of the root.
#[derive(Debug, Default, Serialize)]
pub(super) struct Sees {
    /// The base, read-only.
    pub(super) base: Vec<String>,
    /// The directory that the base is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) base_directory: Option<PathBuf>,
    /// The root directory of the jail.
    pub(super) root: Vec<String>,
    /// What is made for the session.
    pub(super) made: Vec<String>,
}

/// One mount of the config.
#[derive(Debug, Serialize)]
pub(super) struct Mounting {
    pub(super) source: String,
    pub(super) target: String,
    pub(super) writable: bool,
    /// Whether it is a socket of the host's.
    pub(super) is_socket: bool,
}

/// One service.
#[derive(Debug, Serialize)]
pub(super) struct ServiceShown {
    pub(super) name: String,
    /// What the service takes besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) needs: Option<String>,
    /// Where it is seen; nothing where the host does not have it.
    pub(super) at: Vec<String>,
}

/// What there is at the home's path.
#[derive(Debug, Default, Serialize)]
pub(super) struct HomeState {
    pub(super) path: String,
    pub(super) is_there: bool,
}

/// Whether the user can make files somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Yes,
    No,
    /// An ACL says.
    ByAcl,
}

/// What is looked at, and for whom.
struct Looking<'a> {
    plan: &'a Plan,
    sight: Sight<'a>,
    /// The mounts of the host, by number: some are read-only.
    mounted: BTreeMap<u64, Mounted>,
}

impl World {
    /// Looks at what a plan's session will see.
    ///
    /// # Errors
    /// What kept anything from being looked at.
    pub(super) fn of(plan: &Plan, looked: &Looked, home: &Path) -> Result<World, String> {
        let sight = looked.sight(plan).map_err(|fault| fault.to_string())?;
        let mounted = Mounted::all().map_err(|failure| failure.to_string())?;
        let looking = Looking {
            plan,
            sight,
            mounted: mounted.into_iter().map(|it| (it.id, it)).collect(),
        };
        let mut world = World {
            sees: looking.sees(),
            mounts: looking.mounts(),
            services: looking.services(),
            devices: looking.sight.devices.paths().map(shown).collect(),
            devices_missing: looking.devices_missing(),
            ..World::default()
        };
        for (path, written) in looking.writes(home, &mut world.home) {
            let list = match written {
                Written::Yes => &mut world.writes,
                Written::ByAcl => &mut world.writes_by_acl,
                Written::No => continue,
            };
            let path = shown(path);
            if !list.contains(&path) {
                list.push(path);
            }
        }
        Ok(world)
    }
}

impl Looking<'_> {
    fn sees(&self) -> Sees {
        let mut sees = Sees::default();
        let view = self.plan.world.view.as_ref();
        if let Some(Base::Directory(base)) = view.map(|view| &view.base) {
            sees.base_directory = Some(base.clone());
        }
        for Name { name, source, .. } in &self.sight.names {
            let path = Path::new("/").join(name);
            if self.is_mounted(&path) {
                continue;
            }
            let list = match source {
                Source::Base => &mut sees.base,
                Source::Root => &mut sees.root,
                Source::Made => &mut sees.made,
            };
            list.push(shown(path));
        }
        sees
    }

    /// Tells whether the config mounts something at exactly this path.
    fn is_mounted(&self, path: &Path) -> bool {
        self.sight.mounts.iter().any(|(it, _)| it.target == *path)
    }

    fn mounts(&self) -> Vec<Mounting> {
        let is_socket = |source| {
            stat_of(source)
                .is_ok_and(|it| FileType::from_raw_mode(u32::from(it.stx_mode)) == FileType::Socket)
        };
        let mounts = self.sight.mounts.iter();
        mounts
            .map(|(mount, source)| Mounting {
                source: shown(&mount.source),
                target: shown(&mount.target),
                writable: mount.mode == MountMode::ReadWrite,
                is_socket: is_socket(*source),
            })
            .collect()
    }

    fn services(&self) -> Vec<ServiceShown> {
        let view = self.plan.world.view.as_ref();
        let of_config = view.into_iter().flat_map(|view| &view.services);
        of_config
            .zip(&self.sight.services)
            .map(|(service, (_, found))| ServiceShown {
                name: service.name.clone(),
                needs: service.needs.clone(),
                at: found
                    .iter()
                    .filter_map(|it| it.targets.first())
                    .map(shown)
                    .collect(),
            })
            .collect()
    }

    fn devices_missing(&self) -> Vec<String> {
        let in_vain = self.sight.devices.in_vain();
        in_vain
            .map(|(name, why)| format!("{name} ({why})"))
            .collect()
    }

    /// Judges each place that may be writable: the home first, and then the others by name.
    fn writes(&self, home: &Path, state: &mut HomeState) -> Vec<(PathBuf, Written)> {
        state.path = shown(home);
        let mut places: Vec<(PathBuf, Written)> = Vec::new();
        if let Some(found) = self.at(home) {
            state.is_there = true;
            places.push((home.to_owned(), found));
        }
        if let Some(root) = self.sight.whole {
            places.push(("/".into(), self.judge(root)));
        }
        for name in &self.sight.names {
            let path = Path::new("/").join(&name.name);
            if !self.is_mounted(&path) {
                places.extend(self.name(name, path));
            }
        }
        for (mount, source) in &self.sight.mounts {
            let written = match mount.mode {
                MountMode::ReadOnly => Written::No,
                MountMode::ReadWrite => self.judge(*source),
            };
            places.push((mount.target.clone(), written));
        }
        places
    }

    /// Judges one name at the top.
    fn name(&self, name: &Name, path: PathBuf) -> Vec<(PathBuf, Written)> {
        match (name.source, &name.file) {
            (Source::Root, Some(file)) => vec![(path, self.judge(file))],
            (Source::Made, _) => open_to_all(self.plan, &name.name)
                .iter()
                .map(|below| (below.into(), Written::Yes))
                .collect(),
            (Source::Root | Source::Base, _) => Vec::new(),
        }
    }

    /// Judges a path inside; nothing where there is no directory.
    fn at(&self, path: &Path) -> Option<Written> {
        let mounts = self.sight.mounts.iter();
        let covering = mounts
            .filter_map(|(mount, source)| {
                Some((mount, source, path.strip_prefix(&mount.target).ok()?))
            })
            .max_by_key(|(mount, ..)| mount.target.as_os_str().len());
        if let Some((mount, source, below)) = covering {
            let reached = self.below(source.try_clone_to_owned().ok()?, below)?;
            return Some(match mount.mode {
                MountMode::ReadOnly => Written::No,
                MountMode::ReadWrite => reached,
            });
        }
        let mut below = path.strip_prefix("/").unwrap_or(path).components();
        let Some(first) = below.next() else {
            return Some(
                self.sight
                    .whole
                    .map_or(Written::No, |root| self.judge(root)),
            );
        };
        let names = self.sight.names.iter();
        let name = names.into_iter().find(|it| it.name == first.as_os_str())?;
        match (name.source, &name.file) {
            (Source::Root | Source::Base, Some(file)) => {
                let reached = self.below(file.try_clone().ok()?, below.as_path())?;
                let is_base = name.source == Source::Base;
                Some(if is_base { Written::No } else { reached })
            }
            (_, None) if below.as_path().as_os_str().is_empty() => {
                let own = open_to_all(self.plan, &name.name).contains(&path.to_str()?);
                Some(if own { Written::Yes } else { Written::No })
            }
            _ => None,
        }
    }

    /// Judges a directory below another, without following a link.
    fn below(&self, directory: OwnedFd, path: &Path) -> Option<Written> {
        let mut held = directory;
        for name in path {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC;
            held = openat(&held, name, flags, Mode::empty()).ok()?;
        }
        let found = stat_of(&held).ok()?;
        let kind = FileType::from_raw_mode(u32::from(found.stx_mode));
        (kind == FileType::Directory).then(|| self.judge(&held))
    }

    /// Judges what is there: by its mode, and by how the host has it mounted.
    fn judge(&self, held: impl AsFd) -> Written {
        let Ok(found) = stat_of(&held) else {
            return Written::No;
        };
        let bits = match FileType::from_raw_mode(u32::from(found.stx_mode)) {
            FileType::Directory => WRITE | SEARCH,
            FileType::RegularFile | FileType::Socket => WRITE,
            _ => return Written::No,
        };
        let mount = self.mounted.get(&found.stx_mnt_id);
        if mount.is_some_and(|mount| !mount.writable) {
            return Written::No;
        }
        let ids = &self.plan.process.ids;
        if found.stx_uid != ids.uid && has_acl(&held) {
            return Written::ByAcl;
        }
        if mode_grants(&found, ids, bits) {
            Written::Yes
        } else {
            Written::No
        }
    }
}
