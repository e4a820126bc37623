//! The home in a jail: made where it is missing, and given to its user.
//!
//! What lies above may be the user's own, and the user is there at the same time. So a directory is made in one of two ways:
//! where nobody but root can write, by root, who then gives away what nobody else can have exchanged; in a directory of the
//! user's, with the user's ids, so that the kernel makes it the user's and allows nothing that the user could not do.

use std::{
    ffi::OsStr,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use jail::trust;
use jail_config::{Allowed, Home};
use rustix::{
    fs::{FileType, Gid, Mode, OFlags, Stat, Uid, fchmod, fchown, fstat, mkdirat, openat},
    io::Errno,
};

use crate::{
    accounts::account::Jailed,
    doctor::{
        mend::{
            Data, Extent,
            reach::{Root, as_user, failed, is_roots_alone, mode_words, open_entry},
        },
        used,
    },
    door::Door,
    failure::Failure,
    shell::shown,
};

/// Makes the home of a user, or gives it to them, and lets them search the way to it.
pub(crate) fn mend(
    jailed: &Jailed,
    all: &[Jailed],
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    let mut changes = Vec::new();
    for home in homes_of(jailed) {
        changes.extend(mend_one(home, jailed, all, extent)?);
    }
    Ok(changes)
}

fn mend_one(
    home: &Path,
    jailed: &Jailed,
    all: &[Jailed],
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    let below = home.strip_prefix("/").unwrap_or(home);
    let full = jailed.jail.root.join(below);
    let mounts = jailed.jail.mounts.iter();
    let over = mounts
        .map(|mount| &mount.target)
        .find(|target| home.starts_with(target));
    if let Some(target) = over {
        return Err(Failure::Failed(format!(
            "{} is shown by the mount at {}: that is data, and is not changed; make the home in the mount's source",
            shown(home),
            shown(target)
        )));
    }
    Data::of(all)?.refuse(&full)?;
    let root = Root::open(all, &jailed.jail.root)?;
    let mut walk = Walk {
        jailed,
        directory: root.directory()?,
        path: jailed.jail.root.clone(),
        roots: root.is_roots(),
        extent,
        changes: Vec::new(),
    };
    let mut ahead = below.components().peekable();
    while let Some(component) = ahead.next() {
        let is_home = ahead.peek().is_none();
        if !walk.step(component.as_os_str(), is_home)? {
            break;
        }
    }
    Ok(walk.changes)
}

/// Gives the directories that sessions start in, as paths of the jail: the home, and that of SFTP where it is another one.
fn homes_of(jailed: &Jailed) -> Vec<&Path> {
    if used::of(&jailed.identity) == Door::Pam {
        return vec![&jailed.identity.home];
    }
    let jail = &jailed.jail;
    let (Home::Set(home) | Home::Default(home)) = &jail.home;
    let sftp = jail.sftp.as_ref().and_then(|it| it.directory.as_deref());
    let has_sftp_alone = matches!(jail.commands.as_deref(), Some([Allowed::Sftp]));
    let home = (sftp.is_none() || !has_sftp_alone).then_some(home.as_path());
    home.into_iter().chain(sftp).collect()
}

/// The way from the root to the home.
struct Walk<'a> {
    jailed: &'a Jailed,
    directory: OwnedFd,
    path: PathBuf,
    /// Whether the directory, and all above it, are root's alone.
    roots: bool,
    extent: Extent,
    changes: Vec<String>,
}

impl Walk<'_> {
    /// Goes on to the next directory. Tells whether there is one: in a dry run, what is missing is not made.
    fn step(&mut self, name: &OsStr, is_home: bool) -> Result<bool, Failure> {
        self.path.push(name);
        let entry = match open_entry(&self.directory, name) {
            Err(Errno::NOENT) => return self.make(name, is_home),
            entry => entry.map_err(failed("open", &self.path))?,
        };
        let stat = fstat(&entry).map_err(failed("examine", &self.path))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind != FileType::Directory {
            return Err(Failure::Failed(format!(
                "{} is a {}, not a directory, and none is followed",
                shown(&self.path),
                trust::kind(kind)
            )));
        }
        let opened = self.open(name)?;
        let same = fstat(&opened).map_err(failed("examine", &self.path))?;
        if (same.st_dev, same.st_ino) != (stat.st_dev, stat.st_ino) {
            return Err(self.exchanged());
        }
        if is_home {
            self.give(&opened, &stat)?;
        } else {
            self.let_through(&opened, &stat)?;
        }
        self.roots &= is_roots_alone(&stat);
        self.directory = opened;
        Ok(true)
    }

    fn open(&self, name: &OsStr) -> Result<OwnedFd, Failure> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&self.directory, name, flags, Mode::empty()).map_err(failed("open", &self.path))
    }

    fn exchanged(&self) -> Failure {
        Failure::Failed(format!(
            "{} has become something else meanwhile; nothing was changed",
            shown(&self.path)
        ))
    }

    /// Makes a directory that is missing, and goes into it.
    fn make(&mut self, name: &OsStr, is_home: bool) -> Result<bool, Failure> {
        let identity = &self.jailed.identity;
        let above = fstat(&self.directory).map_err(failed("examine", &self.path))?;
        let mode = Mode::from_raw_mode(if is_home { 0o700 } else { 0o755 });
        let by_root = self.roots && is_roots_alone(&above);
        if !by_root && (above.st_uid != identity.uid || above.st_mode & 0o022 != 0) {
            return Err(Failure::Failed(format!(
                "make {}: the directory above is uid {}'s and mode {:04o}, and others than root and {} can write it",
                shown(&self.path),
                above.st_uid,
                above.st_mode & 0o7777,
                self.jailed.name()
            )));
        }
        let users_own = is_home || !by_root;
        let owner = if users_own {
            self.jailed.name()
        } else {
            "root".to_owned()
        };
        self.changes.push(format!(
            "{}: directory made, mode {:04o}, of {owner}",
            shown(&self.path),
            mode.as_raw_mode()
        ));
        if self.extent == Extent::DryRun {
            return Ok(false);
        }
        let made = if by_root {
            mkdirat(&self.directory, name, mode)
        } else {
            as_user(&self.jailed.identity, || {
                mkdirat(&self.directory, name, mode)
            })
        };
        made.map_err(failed("make", &self.path))?;
        let opened = self.open(name)?;
        let stat = fstat(&opened).map_err(failed("examine", &self.path))?;
        if by_root {
            if !is_roots_alone(&stat) {
                return Err(self.exchanged());
            }
            // Past the umask.
            fchmod(&opened, mode).map_err(failed("chmod", &self.path))?;
            if users_own {
                self.chown(&opened)?;
            }
        }
        self.roots &= !users_own;
        self.directory = opened;
        Ok(true)
    }

    fn chown(&self, opened: &OwnedFd) -> Result<(), Failure> {
        let identity = &self.jailed.identity;
        let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
        fchown(opened, Some(uid), Some(gid)).map_err(failed("chown", &self.path))
    }

    /// Gives the home to the user. What belongs to somebody else stays theirs.
    fn give(&mut self, opened: &OwnedFd, stat: &Stat) -> Result<(), Failure> {
        let mode = stat.st_mode & 0o7777;
        let full = mode | 0o700;
        let is_users = stat.st_uid == self.jailed.identity.uid;
        if !is_users && stat.st_uid != 0 {
            return Err(Failure::Failed(format!(
                "{} belongs to uid {}, who is neither root nor {}; choose another home in the config",
                shown(&self.path),
                stat.st_uid,
                self.jailed.name()
            )));
        }
        // Whoever can rename here could have put another directory of root's in this place.
        if !is_users && !self.roots {
            return Err(Failure::Failed(format!(
                "{} belongs to root, in a directory that others can write; remove it, and run this again",
                shown(&self.path)
            )));
        }
        let whole = self.extent == Extent::Whole;
        if !is_users {
            if whole {
                self.chown(opened)?;
            }
            let name = self.jailed.name();
            self.changes.push(format!(
                "{}: belongs to {name}, was root's",
                shown(&self.path)
            ));
        }
        if full != mode {
            if whole {
                fchmod(opened, Mode::from_raw_mode(full)).map_err(failed("chmod", &self.path))?;
            }
            self.changes.push(mode_words(&self.path, full, mode));
        }
        Ok(())
    }

    /// Lets the user search a directory of root's on the way to the home.
    fn let_through(&mut self, opened: &OwnedFd, stat: &Stat) -> Result<(), Failure> {
        let identity = &self.jailed.identity;
        let mode = stat.st_mode & 0o7777;
        let bit = if stat.st_gid == identity.gid || identity.groups.contains(&stat.st_gid) {
            0o010
        } else {
            0o001
        };
        if stat.st_uid != 0 || !self.roots || mode & bit != 0 {
            return Ok(());
        }
        let new = mode | bit;
        if self.extent == Extent::Whole {
            fchmod(opened, Mode::from_raw_mode(new)).map_err(failed("chmod", &self.path))?;
        }
        self.changes.push(mode_words(&self.path, new, mode));
        Ok(())
    }
}
