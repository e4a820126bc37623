//! `create`: a root directory and a home that are missing are made at a login.
//!
//! [`foresee`] looks what is missing, by descriptors, and follows nothing; what is there stays as it is. [`make`] makes it: a directory
//! of root's is put together beside its place, by `stage`, with what `skeleton` copies, and moved there whole.
//! Whoever is slower than another login uses what that one has made.

mod automounter;
mod missing;
mod new;
mod place;
mod skeleton;
mod stage;

use std::{os::fd::OwnedFd, path::PathBuf};

use jail_config::{Create, Disk};
use rustix::{
    fs::{Mode, OFlags, mkdirat, openat},
    io::Errno,
    process::umask,
};

use crate::{
    fault::{StepFault, failed},
    plan::Plan,
    process::privilege::as_user,
    world::{
        create::{missing::Owner, new::New},
        quota::{self, Before, Counted},
    },
};

pub use missing::{CreateFault, Missing};

/// How often it is looked again what is missing: each time, another login has made a part of it.
const ROUNDS: usize = 16;

/// Finds what a login will make, and makes nothing.
///
/// # Errors
/// What a login would be refused for.
pub fn foresee(plan: &Plan) -> Result<Vec<Missing>, CreateFault> {
    place::find(plan, |_| Ok(()))
}

/// Reads what is counted for the home, where it is in the root directory or in a mount's source. Gives its path, too.
///
/// # Errors
/// As [`foresee`]; or the file system does not say.
pub fn counted(plan: &Plan) -> Result<Option<(PathBuf, Option<Counted>)>, CreateFault> {
    let Some((home, path)) = home(plan)? else {
        return Ok(None);
    };
    let counted = quota::of(&home, plan.process.ids.uid)?;
    Ok(Some((path, counted)))
}

/// Reads what limits the home, where it is in the root directory or in a mount's source, and changes nothing. Gives its path, too.
///
/// # Errors
/// As [`foresee`]; or the file system has no quotas.
pub fn limits(plan: &Plan) -> Result<Option<(PathBuf, Before)>, CreateFault> {
    let Some((home, path)) = home(plan)? else {
        return Ok(None);
    };
    let before = quota::before(&home, plan.process.ids.uid)?;
    Ok(Some((path, before)))
}

/// Limits what the home may take that is there, as `disk` says, and counts what is in it.
///
/// # Errors
/// As [`foresee`]; or the file system has no quotas, or does not take them.
pub fn limit(plan: &Plan, disk: Disk) -> Result<(), CreateFault> {
    if let Some((home, _)) = home(plan)? {
        quota::set_for_all(&home, plan.process.ids.uid, disk)?;
    }
    Ok(())
}

/// Opens the home, where it is in the root directory or in a mount's source: gives its path, too.
fn home(plan: &Plan) -> Result<Option<(OwnedFd, PathBuf)>, CreateFault> {
    let Some((home, path)) = place::home(plan)? else {
        return Ok(None);
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = openat(&home, ".", flags, Mode::empty()).map_err(failed("open the home"))?;
    Ok(Some((opened, path)))
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
        let home = New::of(create, plan.world.disk, &plan.process.ids)?;
        for missing in missing {
            match missing.owner {
                Owner::User => make_as_user(&missing, &home)?,
                Owner::Root | Owner::RootForUser => stage::make(&missing, &home)?,
            }
        }
    }
    let why = "directories that login-jail makes disappear again; see who removes them";
    Err(StepFault::Unfit(why.to_owned()).into())
}

/// Makes directories in one of the user's own, with the user's ids.
fn make_as_user(missing: &Missing, home: &New<'_>) -> Result<(), StepFault> {
    if home.disk.is_some() {
        let why = "disk: the directory above the home belongs to the user, whose files there would not be counted; make the home, and \
                   run: jailctl check USER";
        return Err(StepFault::Unfit(why.to_owned()));
    }
    let Some((name, rest)) = missing.names.split_first() else {
        return Ok(());
    };
    // What follows is made in the next round.
    let (group, mode) = match rest.is_empty() && missing.is_home {
        true => (home.group, home.create.mode & 0o777),
        false => (home.gid, 0o755),
    };
    as_user(home.uid, group, || {
        match mkdirat(&missing.above, name, Mode::from_raw_mode(mode)) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(failed("mkdirat of a home")(errno)),
        }
    })
}
