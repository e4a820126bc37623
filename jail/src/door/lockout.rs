//! The way out of a PAM session that could not be opened: into an empty root.
//!
//! A host program may go on although a session module has failed, where the stack says `optional`. So before the
//! failure is returned, nothing must be left that could be run or read.

use std::fmt;

use landlock::{ABI, Access, AccessFs, Ruleset, RulesetAttr};
use nix::sys::resource::{Resource, setrlimit};
use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount,
        fsopen,
    },
    process::{chdir, chroot, fchdir},
};

/// What keeps a host program from running anything. The first that can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockedOut {
    /// Its root is an empty directory that nobody can write to.
    EmptyRoot,
    /// It may open, run and make nothing: Landlock.
    NoFiles,
    /// It can open no file, and a process that is no longer root's can run nothing.
    NoDescriptors,
    /// Nothing does. The return code is all that is left.
    Nothing,
}

impl fmt::Display for LockedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LockedOut::EmptyRoot => "its root is empty",
            LockedOut::NoFiles => "Landlock lets it open and run no file",
            LockedOut::NoDescriptors => "it may open no more descriptors",
            LockedOut::Nothing => {
                "only the return code refuses the login: make the line in the PAM stack required"
            }
        })
    }
}

/// Makes this process, and all it will start, unable to run or open anything. There is no way back.
///
/// It needs no mount namespace of its own and changes no mount of the host's: the empty file system is attached nowhere.
#[must_use = "what keeps the session shut belongs in the log"]
pub fn lock_out() -> LockedOut {
    if enter_empty_root().is_ok() {
        return LockedOut::EmptyRoot;
    }
    if forbid_files().is_ok() {
        return LockedOut::NoFiles;
    }
    let files = setrlimit(Resource::RLIMIT_NOFILE, 0, 0);
    let processes = setrlimit(Resource::RLIMIT_NPROC, 0, 0);
    match (files, processes) {
        (Ok(()), Ok(())) => LockedOut::NoDescriptors,
        _ => LockedOut::Nothing,
    }
}

fn enter_empty_root() -> rustix::io::Result<()> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "mode", "0555")?;
    fsconfig_set_string(&context, "size", "4k")?;
    fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let root = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    fchdir(&root)?;
    chroot(".")?;
    chdir("/")?;
    match openat(CWD, "/proc", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
        Err(rustix::io::Errno::NOENT) => Ok(()),
        Ok(_) => Err(rustix::io::Errno::EXIST),
        Err(errno) => Err(errno),
    }
}

fn forbid_files() -> Result<(), landlock::RulesetError> {
    Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V1))?
        .create()?
        .restrict_self()
        .map(drop)
}
