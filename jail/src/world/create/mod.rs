//! `create`: a root directory and a home that are missing are made at a login.
//!
//! [`foresee`] looks what is missing, by descriptors, and follows nothing; what is there stays as it is. [`make`] makes it: a directory
//! of root's is put together beside its place, by `stage`, with what `skeleton` copies, and moved there whole.
//! Whoever is slower than another login uses what that one has made.

mod place;
mod skeleton;
mod stage;

use std::{
    ffi::{OsStr, OsString},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use jail_config::Create;
use rustix::{
    fs::{Mode, mkdirat},
    io::Errno,
    process::umask,
};

use crate::{
    account::names,
    fault::{StepFault, failed},
    plan::{Plan, process::Ids, world::World},
    process::privilege::as_user,
    trust::Untrusted,
};

/// How often it is looked again what is missing: each time, another login has made a part of it.
const ROUNDS: usize = 16;

/// What is missing, and will be made.
#[derive(Debug)]
pub struct Missing {
    /// The directory that it will be in.
    above: OwnedFd,
    /// The path of that directory.
    shown: PathBuf,
    /// The components that are missing; the last one is the home, or the root directory.
    names: Vec<OsString>,
    /// Whether the last one is the home.
    is_home: bool,
    owner: Owner,
}

/// Who can change the directory that something is made in, and owns what is made above a home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// Nobody but root.
    Root,
    /// Nobody but root, and it is made for the user.
    RootForUser,
    /// The user. Nothing is copied there: with root's rights, only a directory is made in what is the user's.
    User,
}

impl Missing {
    /// Gives the path on the host of the first directory that will be made.
    #[must_use]
    pub fn first(&self) -> PathBuf {
        let first = self.names.first();
        self.shown
            .join(first.map_or(OsStr::new(""), OsString::as_os_str))
    }

    /// Gives the path on the host of the last directory that will be made.
    #[must_use]
    pub fn last(&self) -> PathBuf {
        let path = self.shown.clone();
        self.names.iter().fold(path, |path, name| path.join(name))
    }

    /// Gives the directory that it will be in, and its path.
    #[must_use]
    pub fn above(&self) -> (&OwnedFd, &Path) {
        (&self.above, &self.shown)
    }

    /// Tells whether nothing is missing but what is in the root directory, or in the source of a mount: these are there.
    #[must_use]
    pub fn is_below(&self, world: &World) -> bool {
        let mounts = world.view.as_ref().map_or(&[][..], |view| &view.mounts);
        let mut roots = mounts
            .iter()
            .map(|mount| &mount.source)
            .chain([&world.root]);
        roots.any(|root| self.shown.starts_with(root))
    }

    /// Tells whether the last directory that will be made is the home.
    #[must_use]
    pub fn is_home(&self) -> bool {
        self.is_home
    }
}

/// Why nothing can be made.
#[derive(Debug)]
pub enum CreateFault {
    /// The directory above the root directory, or above a mount's source.
    Above(Untrusted),
    /// The base.
    Base(Untrusted),
    /// Anything else.
    Step(StepFault),
}

impl From<StepFault> for CreateFault {
    fn from(fault: StepFault) -> CreateFault {
        CreateFault::Step(fault)
    }
}

/// Finds what a login will make, and makes nothing.
///
/// # Errors
/// What a login would be refused for.
pub fn foresee(plan: &Plan) -> Result<Vec<Missing>, CreateFault> {
    place::find(plan, |_| Ok(()))
}

/// Makes what is missing.
///
/// # Errors
/// What is there is not to be trusted, or a call failed. What was begun is removed, or at the next login.
pub(crate) fn make(plan: &Plan, create: &Create) -> Result<(), CreateFault> {
    // Modes are as asked for here.
    let mask = umask(Mode::empty());
    let made = make_all(plan, create);
    umask(mask);
    made
}

fn make_all(plan: &Plan, create: &Create) -> Result<(), CreateFault> {
    for _ in 0..ROUNDS {
        let missing = place::find(plan, stage::clear)?;
        if missing.is_empty() {
            return Ok(());
        }
        let home = New::of(create, &plan.process.ids)?;
        for missing in missing {
            match missing.owner {
                Owner::User => missing.make_as_user(&home)?,
                Owner::Root | Owner::RootForUser => stage::make(&missing, &home)?,
            }
        }
    }
    let why = "directories that login-jail makes disappear again; see who removes them";
    Err(StepFault::Unfit(why.to_owned()).into())
}

/// How a home is made.
#[derive(Debug)]
struct New<'a> {
    create: &'a Create,
    uid: u32,
    /// The user's own.
    gid: u32,
    /// The home's.
    group: u32,
}

impl<'a> New<'a> {
    fn of(create: &'a Create, ids: &Ids) -> Result<New<'a>, StepFault> {
        let group = match &create.group {
            None => ids.gid,
            Some(name) => gid_of(name)?,
        };
        Ok(New {
            create,
            uid: ids.uid,
            gid: ids.gid,
            group,
        })
    }
}

fn gid_of(name: &str) -> Result<u32, StepFault> {
    let found = names::group(name).map_err(|errno| StepFault::Failed("getgrnam_r", errno))?;
    found.map(|group| group.gid.as_raw()).ok_or_else(|| {
        let why = "create.group names no group of the host";
        StepFault::Unfit(format!("{why}: {name:?}; correct it, or make the group"))
    })
}

impl Missing {
    /// Makes directories in one of the user's own, with the user's ids.
    fn make_as_user(&self, home: &New<'_>) -> Result<(), StepFault> {
        let Some((name, rest)) = self.names.split_first() else {
            return Ok(());
        };
        // What follows is made in the next round.
        let (group, mode) = match rest.is_empty() && self.is_home {
            true => (home.group, home.create.mode & 0o777),
            false => (home.gid, 0o755),
        };
        as_user(home.uid, group, || {
            match mkdirat(&self.above, name, Mode::from_raw_mode(mode)) {
                Ok(()) | Err(Errno::EXIST) => Ok(()),
                Err(errno) => Err(failed("mkdirat of a home")(errno)),
            }
        })
    }
}
