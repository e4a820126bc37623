//! The way to what is mended: by descriptors, from the root of a jail of the config down, through no link and no mount.
//!
//! What was looked at is what is changed: it is opened once, examined by its descriptor, and changed by a descriptor of the
//! same device and inode. Where the object has further names, one of them may be the host's, and nothing is changed.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use jail::{account::identity::Identity, resolve::openat2, trust};
use jail_config::RootOwner;
use nix::unistd::{setfsgid, setfsuid};
use rustix::{
    fs::{
        AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, mkdirat, renameat, statat,
        unlinkat,
    },
    io::Errno,
};

use crate::{
    accounts::account::Jailed,
    doctor::mend::{kind::Kind, repair::Repair},
    failure::Failure,
    shell::shown,
};

/// The root directory of one or more jailed users, opened.
pub(crate) struct Root<'a> {
    pub(crate) path: &'a Path,
    pub(crate) users: Vec<&'a Jailed>,
    directory: OwnedFd,
    /// Who owns it: root, or the one user of it.
    owner: u32,
}

/// Something below a root.
pub(crate) struct Reached {
    /// The directory that it is in.
    pub(crate) directory: OwnedFd,
    pub(crate) name: OsString,
    /// What it is; it was not followed.
    pub(crate) stat: Stat,
    pub(crate) shown: PathBuf,
}

impl<'a> Root<'a> {
    /// Opens the root that a path is below.
    pub(crate) fn above(all: &'a [Jailed], path: &Path) -> Result<Root<'a>, Failure> {
        let is_plain = path.is_absolute()
            && path
                .components()
                .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        let roots = all.iter().map(|one| one.jail.root.as_path());
        let nearest = roots
            .filter(|root| is_plain && path != *root && path.starts_with(root))
            .max_by_key(|root| root.components().count());
        let root = nearest.ok_or_else(|| {
            Failure::Failed(format!(
                "{} is below the root of no jail of this config",
                shown(path)
            ))
        })?;
        Root::open(all, root)
    }

    /// Opens a root of these users.
    pub(crate) fn open(all: &'a [Jailed], root: &'a Path) -> Result<Root<'a>, Failure> {
        let users: Vec<&Jailed> = all.iter().filter(|one| one.jail.root == root).collect();
        let owner = match users.as_slice() {
            [only] if only.jail.root_owner == RootOwner::User => Some(only.identity.uid),
            _ => None,
        };
        let directory = trust::open_directory_of(root, owner)
            .map_err(|untrusted| Failure::Failed(format!("open root {untrusted}")))?;
        let stat = fstat(&directory).map_err(failed("examine", root))?;
        Ok(Root {
            path: root,
            users,
            directory,
            owner: stat.st_uid,
        })
    }

    /// Gives a descriptor of the root itself.
    pub(crate) fn directory(&self) -> Result<OwnedFd, Failure> {
        let cloned = self.directory.try_clone();
        cloned.map_err(|error| Failure::io("open", self.path, &error))
    }

    /// Tells whether the root belongs to root, as all above it does.
    pub(crate) fn is_roots(&self) -> bool {
        self.owner == 0
    }

    /// Goes to something below it. A link on the way, or a mount, ends the way.
    pub(crate) fn reach(&self, path: &Path) -> Result<Reached, Failure> {
        Reached::below(self.directory()?, self.path, path)
    }
}

impl Reached {
    /// Goes to something below an open directory. A link on the way, or a mount, ends the way.
    pub(crate) fn below(
        mut directory: OwnedFd,
        start: &Path,
        path: &Path,
    ) -> Result<Reached, Failure> {
        let below = path.strip_prefix(start).unwrap_or(path);
        let mut walked = start.to_owned();
        let mut ahead = below.components().peekable();
        while let Some(component) = ahead.next() {
            let name = component.as_os_str();
            walked.push(name);
            let next = open_entry(&directory, name).map_err(failed("open", &walked))?;
            let stat = fstat(&next).map_err(failed("examine", &walked))?;
            if ahead.peek().is_none() {
                return Ok(Reached {
                    directory,
                    name: name.to_owned(),
                    stat,
                    shown: walked,
                });
            }
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => {}
                other => {
                    let kind = trust::kind(other);
                    return Err(Failure::Failed(format!(
                        "{}: {} is a {kind}, not a directory",
                        shown(path),
                        shown(&walked)
                    )));
                }
            }
            directory = next;
        }
        Err(Failure::Failed(format!(
            "{} is the root directory itself",
            shown(path)
        )))
    }

    /// Says what kind of thing it is.
    pub(crate) fn file_type(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }

    /// Gives its permission bits.
    pub(crate) fn mode(&self) -> u32 {
        self.stat.st_mode & 0o7777
    }

    /// Opens a regular file or a directory to change it. Anything else in its place by now is refused.
    pub(crate) fn open(&self) -> Result<OwnedFd, Failure> {
        let kind = self.file_type();
        if !matches!(kind, FileType::RegularFile | FileType::Directory) {
            return Err(Failure::Failed(format!(
                "{} is a {}; only files and directories are changed",
                shown(&self.shown),
                trust::kind(kind)
            )));
        }
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = openat2(&self.directory, &self.name, flags, Mode::empty(), resolve())
            .map_err(failed("open", &self.shown))?;
        let stat = fstat(&opened).map_err(failed("examine", &self.shown))?;
        self.insist_on_same(&stat)?;
        Ok(opened)
    }

    /// Refuses what is not the thing that was looked at.
    pub(crate) fn insist_on_same(&self, other: &Stat) -> Result<(), Failure> {
        let is_same = (other.st_dev, other.st_ino) == (self.stat.st_dev, self.stat.st_ino);
        if is_same && other.st_mode == self.stat.st_mode && other.st_uid == self.stat.st_uid {
            return Ok(());
        }
        Err(self.changed())
    }

    /// Does something to what was opened here, while this is its only name. Who can write to the directory could give a file of
    /// the host's this name, and take it away again, between any two looks at it: so the file is moved meanwhile to where
    /// nobody else can name it.
    pub(crate) fn alone<T>(&self, act: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        let above = fstat(&self.directory).map_err(failed("examine", &self.shown))?;
        if self.file_type() == FileType::Directory || is_roots_alone(&above) {
            return act();
        }
        let aside = name_beside();
        let shown_aside = self.shown.with_file_name(&aside);
        let mode = Mode::from_raw_mode(0o700);
        mkdirat(&self.directory, &aside, mode).map_err(failed("make", &shown_aside))?;
        let private = open_entry(&self.directory, &aside).map_err(failed("open", &shown_aside))?;
        let stat = fstat(&private).map_err(failed("examine", &shown_aside))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory
            || stat.st_uid != 0
            || stat.st_mode & 0o077 != 0
        {
            return Err(self.changed());
        }
        let moved = renameat(&self.directory, &self.name, &private, &self.name);
        let done = moved.map_err(failed("move", &self.shown)).and_then(|()| {
            let done = self.is_the_only_name(&private).and_then(|()| act());
            renameat(&private, &self.name, &self.directory, &self.name)
                .map_err(failed("put back what is now in", &shown_aside))?;
            done
        });
        // Where it is not empty, the file is in it.
        unlinkat(&self.directory, &aside, AtFlags::REMOVEDIR).unwrap_or_default();
        done
    }

    /// Insists that a directory of root's alone has what was looked at, and that nothing else has.
    fn is_the_only_name(&self, private: &OwnedFd) -> Result<(), Failure> {
        let now = statat(private, &self.name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(failed("examine", &self.shown))?;
        self.insist_on_same(&now)?;
        if now.st_nlink == 1 {
            Ok(())
        } else {
            Err(self.changed())
        }
    }

    fn changed(&self) -> Failure {
        Failure::Failed(format!(
            "{} has become something else meanwhile; nothing was changed",
            shown(&self.shown)
        ))
    }

    /// Refuses a file with further names, one of which may be the host's.
    pub(crate) fn insist_on_one_link(&self) -> Result<(), Failure> {
        if self.file_type() == FileType::Directory || self.stat.st_nlink == 1 {
            return Ok(());
        }
        Err(Failure::Failed(format!(
            "{} has {} links, and a change is seen at each of them, outside of the root too; run: {}",
            shown(&self.shown),
            self.stat.st_nlink,
            Repair::of_path(Kind::HardLink, &self.shown)
        )))
    }
}

/// Does one call with a user's ids for files, and none of root's rights: setfsuid(2).
pub(crate) fn as_user<T>(identity: &Identity, call: impl FnOnce() -> T) -> T {
    let group = setfsgid(identity.gid.into());
    let user = setfsuid(identity.uid.into());
    let result = call();
    setfsuid(user);
    setfsgid(group);
    result
}

/// Tells whether nobody but root can change a directory.
pub(crate) fn is_roots_alone(stat: &Stat) -> bool {
    stat.st_uid == 0 && stat.st_mode & 0o022 == 0
}

/// Gives a name for what is in the making beside its place.
pub(crate) fn name_beside() -> OsString {
    OsString::from(format!(".jailctl-{}", std::process::id()))
}

fn resolve() -> ResolveFlags {
    ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV
}

/// Opens one entry of a directory, whatever it is. The descriptor is O_PATH.
pub(crate) fn open_entry(directory: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat2(directory, name, flags, Mode::empty(), resolve())
}

/// Says which mode something has now, and which it had.
pub(crate) fn mode_words(path: &Path, new: u32, old: u32) -> String {
    format!("{}: mode {new:04o}, was {old:04o}", shown(path))
}

/// Says which action on which path failed.
pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(Errno) -> Failure {
    let path = path.to_owned();
    move |errno| match errno {
        Errno::XDEV => Failure::Failed(format!(
            "{} is a mount, and what is mounted is not changed",
            shown(&path)
        )),
        Errno::LOOP => Failure::Failed(format!(
            "{} is a symbolic link, and none is followed",
            shown(&path)
        )),
        errno => Failure::Failed(format!(
            "{action} {}: {}",
            shown(&path),
            io::Error::from(errno)
        )),
    }
}
