//! What of root directory and home is missing, as a value.

use std::{
    ffi::{OsStr, OsString},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use crate::{fault::StepFault, plan::world::World, trust::Untrusted};

/// What is missing, and will be made.
#[derive(Debug)]
pub struct Missing {
    /// The directory that it will be in.
    pub(super) above: OwnedFd,
    /// The path of that directory.
    pub(super) shown: PathBuf,
    /// The components that are missing; the last one is the home, or the root directory.
    pub(super) names: Vec<OsString>,
    /// Whether the last one is the home.
    pub(super) is_home: bool,
    pub(super) owner: Owner,
}

/// Who can change the directory that something is made in, and owns what is made above a home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
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
