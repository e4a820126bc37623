//! The user's home on the host, where sshd looks for keys before there is a jail.
//!
//! Everything in it is changed with the user's ids and none of root's rights: what a link of theirs could lead to, they could
//! change by themselves. No link is followed all the same.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::OwnedFd,
    path::Path,
};

use jail::trust;
use rustix::{
    fs::{CWD, FileType, Mode, OFlags, fchmod, fstat, mkdirat, openat},
    io::Errno,
};

use crate::{
    accounts::account::Jailed,
    doctor::{
        check::{ignored_keys, keys_only_inside, leading_to_shell, obeyed_by_sshd},
        mend::{
            Extent,
            reach::{Reached, Root, as_user, failed, mode_words},
        },
    },
    failure::Failure,
    output::counted,
    shell::shown,
};

/// How much is read of a file of keys, in bytes.
const MOST: u64 = 1 << 20;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// Takes away the permissions for which sshd does not obey the user's keys.
pub(crate) fn close(
    jailed: &Jailed,
    sshd_config: &Path,
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    let mut changes: Vec<String> = Vec::new();
    // What is above comes first, and hides what is wrong below it.
    loop {
        let mut done = Vec::new();
        for path in ignored_keys(jailed, sshd_config)? {
            done.extend(close_one(jailed, &path, extent)?);
        }
        if done.is_empty() || changes.iter().any(|it| done.contains(it)) {
            return Ok(changes);
        }
        changes.extend(done);
        if extent == Extent::DryRun {
            return Ok(changes);
        }
    }
}

fn close_one(jailed: &Jailed, path: &Path, extent: Extent) -> Result<Option<String>, Failure> {
    let identity = &jailed.identity;
    let opened = if path == identity.home {
        open_home(&identity.home)?
    } else {
        Reached::below(open_home(&identity.home)?, &identity.home, path)?.open()?
    };
    let mode = fstat(&opened).map_err(failed("examine", path))?.st_mode;
    let new = obeyed_by_sshd(mode);
    if new == mode {
        return Ok(None);
    }
    if extent == Extent::Whole {
        let set = as_user(identity, || {
            fchmod(&opened, Mode::from_raw_mode(new & 0o7777))
        });
        set.map_err(failed("chmod", path))?;
    }
    Ok(Some(mode_words(path, new & 0o7777, mode & 0o7777)))
}

/// Copies the keys in the jail's home to the home on the host. Those that lead past the login shell stay behind: whoever is in
/// the jail has written them.
pub(crate) fn take_keys(
    jailed: &Jailed,
    all: &[Jailed],
    sshd_config: &Path,
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    let Some(inside) = keys_only_inside(jailed, sshd_config)? else {
        return Ok(Vec::new());
    };
    let (keys, without) = leading_to_shell(&read(jailed, all, &inside)?);
    let to = jailed.identity.home.join(".ssh/authorized_keys");
    if keys.trim().is_empty() {
        return Err(Failure::Failed(format!(
            "{} has no key that leads to the login shell",
            shown(&inside)
        )));
    }
    if extent == Extent::Whole {
        add(jailed, &jailed.identity.home, &keys)?;
    }
    let mut changes = vec![format!(
        "{}: has the keys of {}",
        shown(&to),
        shown(&inside)
    )];
    changes.extend(left_out(&to, without));
    Ok(changes)
}

/// Reads a file of the user's in the jail, from the root or the mount that it is in.
fn read(jailed: &Jailed, all: &[Jailed], file: &Path) -> Result<String, Failure> {
    let sources = jailed.jail.mounts.iter().map(|mount| &mount.source);
    let source = sources
        .filter(|source| file.starts_with(source))
        .max_by_key(|source| source.components().count());
    let reached = match source {
        Some(source) => {
            let opened = trust::open_source(source, jailed.identity.uid)
                .map_err(|untrusted| Failure::Failed(untrusted.to_string()))?;
            Reached::below(opened, source, file)?
        }
        None => Root::above(all, file)?.reach(file)?,
    };
    let stat = &reached.stat;
    let is_users = stat.st_uid == jailed.identity.uid;
    // Root's, which somebody has put there for the user. With further names it could be any file of the host's.
    let is_roots = stat.st_uid == 0 && stat.st_nlink == 1 && stat.st_mode & 0o004 != 0;
    if reached.file_type() != FileType::RegularFile || !(is_users || is_roots) {
        return Err(Failure::Failed(format!(
            "{} is no file of {}",
            shown(file),
            jailed.name()
        )));
    }
    let mut bytes = Vec::new();
    File::from(reached.open()?)
        .take(MOST)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::io("read", file, &error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Adds lines to the file of keys in a home on the host, and makes it where it is missing.
pub(crate) fn add(jailed: &Jailed, home: &Path, keys: &str) -> Result<(), Failure> {
    let identity = &jailed.identity;
    let to = &home.join(".ssh/authorized_keys");
    let home = open_home(home)?;
    let flags = DIRECTORY.union(OFlags::NOFOLLOW);
    let above = as_user(identity, || {
        match mkdirat(&home, ".ssh", Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => openat(&home, ".ssh", flags, Mode::empty()),
            Err(errno) => Err(errno),
        }
    });
    let above = above.map_err(failed("make", to.parent().unwrap_or(to)))?;
    let name = to.file_name().unwrap_or_default();
    // NONBLOCK: a FIFO is not waited for.
    let flags = OFlags::WRONLY
        | OFlags::APPEND
        | OFlags::CREATE
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::CLOEXEC;
    let opened = as_user(identity, || {
        openat(&above, name, flags, Mode::from_raw_mode(0o600))
    });
    let mut file = File::from(opened.map_err(failed("open", to))?);
    let written = file
        .write_all(keys.as_bytes())
        .and_then(|()| file.sync_all());
    written.map_err(|error| Failure::io("write", to, &error))
}

/// Opens the home on the host. Root has made the links to it, if there are any.
fn open_home(home: &Path) -> Result<OwnedFd, Failure> {
    openat(CWD, home, DIRECTORY, Mode::empty()).map_err(failed("open", home))
}

/// Says how many lines were left out, if any were.
pub(crate) fn left_out(to: &Path, count: usize) -> Option<String> {
    (count > 0).then(|| {
        format!(
            "{}: {} not copied: keys that force sshd's own SFTP, keys that sign certificates, or what could not be read as a key",
            shown(to),
            counted(count, "line")
        )
    })
}
