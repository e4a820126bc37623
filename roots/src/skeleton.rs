//! The directories that every root has of its own, and the homes of its accounts.

use std::{os::fd::AsFd, path::Path};

use jail::world::dev::DEVICES;
use rustix::{
    fs::{Gid, Uid, fchown, fstat},
    io::Errno,
};

use crate::{directory::list, etc::Account, fault::Fault, manifest::CONTROL, tree::Tree};

/// Directories that every root has, and their modes.
const SKELETON: [(&str, u32); 9] = [
    ("/dev", 0o755),
    ("/etc", 0o755),
    ("/home", 0o755),
    ("/proc", 0o755),
    ("/run", 0o755),
    ("/sys", 0o755),
    ("/tmp", 0o1777),
    ("/var", 0o755),
    ("/var/tmp", 0o1777),
];

/// Makes the directories, devices and the control directory that a root has of its own, as far as they are missing.
///
/// # Errors
/// Something else is there in their place, or a system call failed.
pub(crate) fn make_skeleton(root: &Tree) -> Result<(), Fault> {
    root.make_directory(Path::new(CONTROL), 0o700)?;
    for (path, mode) in SKELETON {
        if root.stat(Path::new(path))?.is_none() {
            root.make_directory(Path::new(path), mode)?;
        }
    }
    // A fully isolated session has a /dev of its own and does not see them.
    for (name, major, minor) in DEVICES {
        let path = &Path::new("/dev").join(name);
        if root.stat(path)?.is_some() {
            continue;
        }
        match root
            .place(path)
            .and_then(|place| place.make_device(major, minor))
        {
            // Not for whoever is root of a container only; a fully isolated session needs none of them.
            Ok(()) | Err(Errno::PERM) => {}
            Err(errno) => return Err(Fault::io("make device", &root.show(path))(errno)),
        }
    }
    Ok(())
}

/// Makes the homes that are missing.
///
/// # Errors
/// A system call that failed.
pub(crate) fn make_homes(root: &Tree, accounts: &[Account]) -> Result<(), Fault> {
    for account in accounts {
        let home = account.home();
        if root.stat(&home)?.is_none() {
            root.make_directory(&home, 0o700)?;
            let (uid, gid) = (account.user.uid.as_raw(), account.user.gid.as_raw());
            // By its descriptor: whoever could write to /home could have put something else there by now.
            let chowned = root.place(&home).and_then(|place| {
                let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
                let directory = place.open_directory()?;
                // Still the one that was made: root's, and with nothing in it.
                if fstat(&directory)?.st_uid != 0 || !list(directory.as_fd())?.is_empty() {
                    return Err(Errno::EXIST);
                }
                fchown(directory, Some(uid), Some(gid))
            });
            chowned.map_err(Fault::io("chown", &root.show(&home)))?;
        }
    }
    Ok(())
}
