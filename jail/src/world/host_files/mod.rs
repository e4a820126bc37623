//! What root code of a host program reads inside, once it is there: looked at before anything changes.
//!
//! sshd takes the supplementary groups from the jail's /etc/group, login(1) looks its user up again in the jail's
//! /etc/passwd, PAM modules read the jail's /etc/security, and the C library loads what the jail's /etc and /lib name.
//! So all of that must be root's alone, and agree with the host on the one account. What is not there does no harm.
//!
//! Nothing of the user's can change between this look and the entering: whatever is on the way is root's alone.

mod fault;
mod walk;

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

use jail_config::Base;
use rustix::fs::{FileType, fstat};

use crate::{
    trust,
    world::{
        agreement::{group_agrees, passwd_agrees},
        view::Source,
    },
};

pub use fault::HostFilesFault;
pub(crate) use walk::Shown;
use walk::{Reached, first, names};

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
        let Some(door) = self.plan.process.door_inside() else {
            return Ok(());
        };
        let from_host = matches!(
            self.plan.world.view.as_ref().map(|view| &view.base),
            Some(Base::Host)
        ) && !matches!(self.top(first(door))?, Source::Root);
        if from_host || self.reach(door)?.is_some() {
            return Ok(());
        }
        Err(HostFilesFault::NoDoor(door.to_owned()))
    }

    /// Refuses mounts over or below what root code reads: what they show is not looked into.
    fn check_mounts(&self) -> Result<(), HostFilesFault> {
        let view = self.plan.world.view.as_ref();
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

    /// Insists that every line for the user has the host's ids. A missing line is no harm: the program that asks for it
    /// refuses the login.
    fn check_passwd(&self) -> Result<(), HostFilesFault> {
        let Some((shown, text)) = self.read("/etc/passwd")? else {
            return Ok(());
        };
        passwd_agrees(&text, &self.plan.user, &self.plan.process.ids)
            .map_err(|(line, what)| HostFilesFault::Passwd(shown, line, what))
    }

    /// Insists that the user has the same groups as on the host.
    fn check_group(&self) -> Result<(), HostFilesFault> {
        let (shown, text) = match self.read("/etc/group")? {
            Some(read) => read,
            None => (self.plan.world.root.join("etc/group"), Vec::new()),
        };
        let ids = &self.plan.process.ids;
        let mut inside = match group_agrees(&text, &self.plan.user, ids) {
            Ok(groups) => groups,
            Err((line, what)) => return Err(HostFilesFault::Passwd(shown, line, what)),
        };
        inside.push(ids.gid);
        match ids.groups.iter().find(|gid| !inside.contains(gid)) {
            None => Ok(()),
            Some(gid) => {
                let name = self
                    .plan
                    .process
                    .group_names
                    .iter()
                    .find(|(of, _)| of == gid);
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
}
