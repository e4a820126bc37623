//! The walk along a path: its components, and openat2(2), where the kernel could not tell for the moment whether a path stays below.

use std::{
    os::fd::{AsFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags, ResolveFlags},
    io::{Errno, Result},
    path::Arg,
};

/// How often one path is tried. The user of a jail can rename without an end, and must not keep root's programs for as long.
const TRIES: usize = 10_000;

/// Opens a file as openat2(2) does, and tries again where that is all there is to do: with RESOLVE_BENEATH and
/// RESOLVE_IN_ROOT, `..` fails with EAGAIN while anybody on this machine renames or mounts anything.
///
/// # Errors
/// As openat2(2); EAGAIN after very many tries.
#[allow(
    clippy::disallowed_methods,
    reason = "this is the place it is allowed in"
)]
pub fn openat2(
    directory: impl AsFd,
    path: impl Arg,
    flags: OFlags,
    mode: Mode,
    resolve: ResolveFlags,
) -> Result<OwnedFd> {
    let directory = directory.as_fd();
    path.into_with_c_str(|path| {
        for _ in 1..TRIES {
            match rustix::fs::openat2(directory, path, flags, mode, resolve) {
                Err(Errno::AGAIN) => {}
                done => return done,
            }
        }
        rustix::fs::openat2(directory, path, flags, mode, resolve)
    })
}

/// Gives the components of a path as a walk takes them off: the last one first, `..` among them.
#[must_use]
pub fn last_first(path: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = path
        .components()
        .filter(|component| matches!(component, Component::Normal(_) | Component::ParentDir))
        .map(|component| PathBuf::from(component.as_os_str()))
        .collect();
    all.reverse();
    all
}
