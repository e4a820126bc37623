//! Where each name at the top of a jail comes from. Pure: what is there in the root and in the base is told to it.

use std::ffi::OsStr;

use jail_config::{Base, Content, RootOwner};
use rustix::fs::FileType;

use crate::plan::{
    Plan,
    world::{From, Processes, View},
};

/// The host's top-level directories that `base = "host"` shows; /etc is made for the session.
pub(crate) const HOST_ENTRIES: [&str; 7] =
    ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// What a base never contributes: these are the session's own, or hold the host's state.
pub(crate) const NEVER_FROM_BASE: [&str; 5] = ["proc", "dev", "sys", "tmp", "run"];

/// What a root that belongs to its user never contributes behind PAM: root code reads or writes there.
const NEVER_FROM_USERS: [&str; 13] = [
    "bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "root", "run", "sbin", "usr",
    "var",
];

/// Where a name at the top of a jail comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The root directory: as its owner left it.
    Root,
    /// The base, read-only.
    Base,
    /// It is made for the session, or is not there.
    Made,
}

/// Which of the two directories has an entry of a name that is shown, see [`is_shown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct There {
    /// The root directory has it.
    pub root: bool,
    /// The base has it.
    pub base: bool,
}

impl There {
    /// In the root directory, whatever the base has.
    pub const IN_ROOT: There = There {
        root: true,
        base: false,
    };
}

/// Says where a name at the top of the jail comes from. Assembly and every look before it ask this, so that no two of them can
/// disagree.
#[must_use]
pub fn source(plan: &Plan, name: &OsStr, there: There) -> Source {
    if plan.world.view.is_none() {
        return Source::Root;
    }
    if is_made(plan, name) {
        Source::Made
    } else if has_no_base(plan) || there.root && may_come_from_root(plan, name) {
        Source::Root
    } else if there.base && may_come_from_base(plan, name) {
        Source::Base
    } else {
        Source::Made
    }
}

/// As [`source`], where root and base are asked for an entry of the name that is shown only if it may come from them.
///
/// # Errors
/// That of the one that was asked.
pub(crate) fn source_asking<E>(
    plan: &Plan,
    name: &OsStr,
    root: impl FnOnce() -> Result<bool, E>,
    base: impl FnOnce() -> Result<bool, E>,
) -> Result<Source, E> {
    let there = There {
        root: may_come_from_root(plan, name) && root()?,
        base: may_come_from_base(plan, name) && base()?,
    };
    Ok(source(plan, name, there))
}

/// Tells whether entries of a kind are shown where root and base are put together: a FIFO, socket or device is of no use there.
#[must_use]
pub fn is_shown(kind: FileType) -> bool {
    matches!(
        kind,
        FileType::Directory | FileType::RegularFile | FileType::Symlink
    )
}

/// Tells whether the entry of the root directory is shown, if there is one. Behind PAM, root code would go where a root that
/// belongs to its user has the system's directories.
pub(crate) fn may_come_from_root(plan: &Plan, name: &OsStr) -> bool {
    let hidden = plan.process.request().is_none()
        && plan.world.root_owner == RootOwner::User
        && !has_no_base(plan)
        && NEVER_FROM_USERS.iter().any(|known| name == *known);
    !is_made(plan, name) && !hidden
}

/// Tells whether the entry of the base is shown, if there is one and the root has none.
fn may_come_from_base(plan: &Plan, name: &OsStr) -> bool {
    let Some(view) = &plan.world.view else {
        return false;
    };
    let shown = match view.base {
        Base::None => false,
        Base::Host => HOST_ENTRIES.iter().any(|known| name == *known),
        Base::Directory(_) => !NEVER_FROM_BASE.iter().any(|known| name == *known),
    };
    shown && !is_made(plan, name)
}

/// Tells whether the session has its own.
fn is_made(plan: &Plan, name: &OsStr) -> bool {
    let Some(view) = &plan.world.view else {
        return false;
    };
    let system = ["etc"].iter().chain(&HOST_ENTRIES);
    if carries(view) && system.into_iter().any(|known| name == *known) {
        return true;
    }
    [("proc", view.proc), ("dev", view.dev), ("tmp", view.tmp)]
        .iter()
        .any(|(own, content)| name == *own && *content == Content::Private)
}

/// Tells whether the session's programs come from the host, and with them the system's directories.
pub(crate) fn carries(view: &View) -> bool {
    let from = view.executables.as_ref().map(|it| it.from);
    from == Some(From::Host)
}

/// Tells whether the session has a /dev/log of its own. Behind PAM nobody stays outside to read it.
#[must_use]
pub fn has_log(view: &View) -> bool {
    view.dev == Content::Private && view.processes == Processes::Own
}

fn has_no_base(plan: &Plan) -> bool {
    plan.world
        .view
        .as_ref()
        .is_none_or(|view| view.base == Base::None)
}
