//! Where root directory and home are, and what of them is missing. Nothing is changed, and no link followed.

use std::{
    ffi::{OsStr, OsString},
    os::fd::OwnedFd,
    path::{Component, Path, PathBuf},
};

use jail_config::{Base, Mount, MountMode, RootOwner};
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, openat};

use crate::{
    fault::{StepFault, errno_of_io, failed},
    plan::Plan,
    trust::{self, Flaw, Untrusted, kind},
    world::{
        create::{
            automounter,
            missing::{CreateFault, Missing, Owner},
            new::list,
        },
        targets::{file_type, open_entry},
        view::{self, Source, carries},
    },
};

/// Finds what is missing of root directory and home, and may be made. `passing` is called with each directory that only root can
/// change and something could be made in.
///
/// # Errors
/// What is there does not fit, or could be changed by others than root and the user.
pub(super) fn find(
    plan: &Plan,
    passing: impl Fn(&OwnedFd) -> Result<(), StepFault>,
) -> Result<Vec<Missing>, CreateFault> {
    // What an automounter has is asked for nothing but the way: it would look for any name in its map.
    let passing = |directory: &OwnedFd| match automounter::has(directory)? {
        true => Ok(()),
        false => passing(directory),
    };
    let finding = Finding {
        plan,
        passing: &passing,
    };
    Ok(match finding.root()? {
        RootState::Elsewhere => Vec::new(),
        RootState::There(root) => match finding.home(Some(&root))? {
            Home::Missing(home) => vec![home],
            Home::There(_) | Home::Elsewhere | Home::InRoot(_) => Vec::new(),
        },
        RootState::Missing(mut root) => match finding.home(None)? {
            Home::There(_) | Home::Elsewhere => vec![root],
            Home::Missing(home) => vec![root, home],
            Home::InRoot(names) => {
                root.names.extend(names);
                root.is_home = true;
                vec![root]
            }
        },
    })
}

/// Opens the home, where the root directory or a mount's source has it.
pub(super) fn home(plan: &Plan) -> Result<Option<(OwnedFd, PathBuf)>, CreateFault> {
    let finding = Finding {
        plan,
        passing: &|_| Ok(()),
    };
    let RootState::There(root) = finding.root()? else {
        return Ok(None);
    };
    Ok(match finding.home(Some(&root))? {
        Home::There(way) => Some((way.directory, way.path)),
        Home::Elsewhere | Home::Missing(_) | Home::InRoot(_) => None,
    })
}

/// What there is of a root directory.
enum RootState {
    There(OwnedFd),
    Missing(Missing),
    /// There is none, and none is made: nothing would give it a system.
    Elsewhere,
}

/// A directory on the way, and who can change it.
struct Way {
    directory: OwnedFd,
    path: PathBuf,
    held: Held,
}

/// Who can change a directory and put another one in its place.
enum Held {
    Root,
    /// Root and the user.
    User,
    /// Others; what gives it away.
    Others(String),
}

struct Finding<'a> {
    plan: &'a Plan,
    passing: &'a dyn Fn(&OwnedFd) -> Result<(), StepFault>,
}

impl Finding<'_> {
    fn root(&self) -> Result<RootState, CreateFault> {
        let world = &self.plan.world;
        let (above, name) = above(&world.root)?;
        (self.passing)(&above.directory)?;
        match trust::open_entry(&above.directory, Path::new(&name)) {
            // Whether it will do is the login's to find out, in its own words.
            Ok(root) if file_type(&root)? == FileType::Directory => {
                return Ok(RootState::There(root));
            }
            Err(Flaw::Missing) => refuse_automounters(&above, &world.root)?,
            Ok(_) | Err(_) => return Ok(RootState::Elsewhere),
        }
        let view = world.view.as_ref();
        if !view.is_some_and(|view| view.base != Base::None || carries(view)) {
            return Ok(RootState::Elsewhere);
        }
        let owner = match world.root_owner {
            RootOwner::Root => Owner::Root,
            RootOwner::User => Owner::RootForUser,
        };
        Ok(RootState::Missing(Missing {
            above: above.directory,
            shown: above.path,
            names: vec![name],
            is_home: self.plan.process.starts_in() == Path::new("/") && owner == Owner::RootForUser,
            owner,
        }))
    }

    /// Finds what is missing of the home.
    fn home(&self, root: Option<&OwnedFd>) -> Result<Home, CreateFault> {
        // The account's own home can be written in any way.
        let mut parts = self.plan.process.starts_in().components();
        let is_absolute = parts.next() == Some(Component::RootDir);
        let home = parts.as_path();
        let names: Option<Vec<&OsStr>> = parts.map(normal).collect();
        let Some((names, top)) = names
            .filter(|_| is_absolute)
            .and_then(|names| names.first().copied().map(|top| (names, top)))
        else {
            return Ok(Home::Elsewhere);
        };
        if let Some(found) = self.mounted(home)? {
            return Ok(found);
        }
        let base = match self.plan.world.view.as_ref().map(|view| &view.base) {
            Some(Base::Directory(path)) => {
                Some(trust::open_directory(path).map_err(CreateFault::Base)?)
            }
            _ => None,
        };
        let has = |directory: Option<&OwnedFd>| -> Result<bool, StepFault> {
            let Some(directory) = directory else {
                return Ok(false);
            };
            let entry = open_entry(directory, Path::new(top))?;
            entry.map_or(Ok(false), |entry| file_type(&entry).map(view::is_shown))
        };
        let source = view::source_asking(self.plan, top, || has(root), || has(base.as_ref()))?;
        match (source, &base) {
            (Source::Base, Some(base)) => {
                let way = Way {
                    directory: reopen(base)?,
                    path: PathBuf::from("the base"),
                    held: Held::Root,
                };
                if let Home::There(_) = self.walk(way, &names, &|_| Ok(()))? {
                    return Ok(Home::Elsewhere);
                }
                refuse_to_hide(base, top)?;
            }
            (Source::Root, _) => {}
            // It is not the root's to have.
            _ if !view::may_come_from_root(self.plan, top) => return Ok(Home::Elsewhere),
            _ => {}
        }
        let Some(root) = root else {
            return Ok(Home::InRoot(
                names.into_iter().map(OsStr::to_owned).collect(),
            ));
        };
        let stat = fstat(root).map_err(failed("fstat of the root directory"))?;
        let way = Way {
            directory: reopen(root)?,
            held: self.held(&stat, &self.plan.world.root, Held::Root),
            path: self.plan.world.root.clone(),
        };
        Ok(self.walk(way, &names, self.passing)?)
    }

    /// Finds the home in what a mount shows, if one shows it.
    fn mounted(&self, home: &Path) -> Result<Option<Home>, CreateFault> {
        let view = self.plan.world.view.as_ref();
        // No mount hides an earlier one: the last that fits is the innermost.
        let mut mounts = view.map_or(&[][..], |view| &view.mounts).iter().rev();
        let below = |mount: &'_ Mount| {
            let target = mount.target.strip_prefix("/").ok()?;
            home.strip_prefix(target).ok()
        };
        let Some((mount, below)) = mounts.find_map(|it| Some((it, below(it)?))) else {
            return Ok(None);
        };
        if mount.mode == MountMode::ReadOnly {
            return Ok(Some(Home::Elsewhere));
        }
        let (above, name) = match above(&mount.source) {
            // Opening the source says why.
            Err(CreateFault::Above(_)) => return Ok(Some(Home::Elsewhere)),
            above => above?,
        };
        let names: Vec<&OsStr> = [name.as_os_str()].into_iter().chain(below).collect();
        Ok(Some(self.walk(above, &names, self.passing)?))
    }

    /// Walks to a home.
    fn walk(
        &self,
        mut way: Way,
        names: &[&OsStr],
        passing: &dyn Fn(&OwnedFd) -> Result<(), StepFault>,
    ) -> Result<Home, StepFault> {
        for (index, name) in names.iter().enumerate() {
            if matches!(way.held, Held::Root) {
                passing(&way.directory)?;
            }
            let path = way.path.join(name);
            if automounter::has(&way.directory)? {
                automounter::ask_for(&way.directory, name);
            }
            let entry = match trust::open_entry(&way.directory, Path::new(name)) {
                Ok(entry) => entry,
                Err(Flaw::Missing) => {
                    let missing = names.get(index..).unwrap_or_default();
                    return self.missing(way, missing).map(Home::Missing);
                }
                Err(flaw) => {
                    let component = path.clone();
                    let untrusted = Untrusted {
                        path,
                        component,
                        flaw,
                    };
                    return Err(StepFault::Unfit(format!("the home {untrusted}")));
                }
            };
            let stat = fstat(&entry).map_err(failed("fstat of a directory"))?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => {}
                other => {
                    let what = format!(
                        "is a {}, not a directory; remove it, or choose another home",
                        kind(other)
                    );
                    return Err(unfit(&path, &what));
                }
            }
            let is_home = index + 1 == names.len();
            if is_home && ![0, self.plan.process.ids.uid].contains(&stat.st_uid) {
                let what = format!(
                    "belongs to uid {}, who is not the user; give it to the user, or choose another home",
                    stat.st_uid
                );
                return Err(unfit(&path, &what));
            }
            way = Way {
                held: self.held(&stat, &path, way.held),
                directory: entry,
                path,
            };
        }
        Ok(Home::There(way))
    }

    /// Says who can change a directory, in one that is held like this.
    fn held(&self, stat: &Stat, path: &Path, above: Held) -> Held {
        let mode = stat.st_mode & 0o7777;
        let uid = self.plan.process.ids.uid;
        match above {
            Held::Others(_) => above,
            _ if mode & 0o022 != 0 => {
                Held::Others(format!("{} is mode {mode:04o}", path.display()))
            }
            Held::Root if stat.st_uid == 0 => Held::Root,
            _ if stat.st_uid == uid => Held::User,
            _ => Held::Others(format!("{} belongs to uid {}", path.display(), stat.st_uid)),
        }
    }

    /// Says how the missing part of a way to the home is made.
    fn missing(&self, way: Way, names: &[&OsStr]) -> Result<Missing, StepFault> {
        let path = names
            .iter()
            .fold(way.path.clone(), |it, name| it.join(name));
        refuse_automounters(&way, &path)?;
        let owner = match &way.held {
            Held::Root => Owner::Root,
            Held::User => Owner::User,
            Held::Others(why) => {
                let what = format!(
                    "is missing, and not made, because {why}, so that others could exchange it; make it, or let only root change what is above"
                );
                return Err(unfit(&path, &what));
            }
        };
        Ok(Missing {
            above: way.directory,
            shown: way.path,
            names: names.iter().copied().map(OsStr::to_owned).collect(),
            is_home: true,
            owner,
        })
    }
}

/// What there is of a home.
enum Home {
    /// It is not the root's or a mount's to have.
    Elsewhere,
    There(Way),
    Missing(Missing),
    /// These are missing in a root directory that is missing itself.
    InRoot(Vec<OsString>),
}

/// Opens the directory that a path is in, and gives the name in it.
fn above(path: &Path) -> Result<(Way, OsString), CreateFault> {
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(StepFault::Bug("a path to be made has no name").into());
    };
    let directory = match above == Path::new("/") {
        true => trust::open_host_root(),
        false => trust::open_directory(above),
    };
    let way = Way {
        directory: directory.map_err(CreateFault::Above)?,
        path: above.to_owned(),
        held: Held::Root,
    };
    Ok((way, name.to_owned()))
}

fn normal(component: Component<'_>) -> Option<&OsStr> {
    match component {
        Component::Normal(name) => Some(name),
        _ => None,
    }
}

/// A directory that is made in the root hides the one of the base: all that is in it.
fn refuse_to_hide(base: &OwnedFd, top: &OsStr) -> Result<(), StepFault> {
    if top == "home" {
        return Ok(());
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let names = openat(base, top, flags, Mode::empty()).and_then(|opened| list(&opened));
    if names
        .map_err(failed("list a directory of the base"))?
        .is_empty()
    {
        return Ok(());
    }
    let top = Path::new("/").join(top);
    let what = format!(
        "of the base is not empty, and a home made in the root directory would hide what is in it; make {} in the root \
         directory, or choose another home",
        top.display()
    );
    Err(unfit(&top, &what))
}

/// Refuses to make anything where an automounter decides what there is.
fn refuse_automounters(above: &Way, path: &Path) -> Result<(), StepFault> {
    if !automounter::has(&above.directory)? {
        return Ok(());
    }
    let what = format!(
        "is missing, and not made, because an automounter (autofs) has what is in {}; add it to the automounter's map",
        above.path.display()
    );
    Err(unfit(path, &what))
}

fn reopen(directory: &OwnedFd) -> Result<OwnedFd, StepFault> {
    directory
        .try_clone()
        .map_err(|error| StepFault::Failed("dup", errno_of_io(&error)))
}

fn unfit(path: &Path, what: &str) -> StepFault {
    StepFault::Unfit(format!("the home: {} {what}", path.display()))
}
