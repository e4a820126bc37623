//! `disk`: the quota of a home that is there. One that `create` makes has its own.

use std::path::Path;

use jail::{
    door::{decision::Config, refusal::Refusal},
    plan::Plan,
    world::create,
};
use jail_config::Disk;

use crate::{
    accounts::{
        account::{Accounts, Jailed},
        disk_limit::{DiskLimit, DiskLimits},
    },
    doctor::{mend::Extent, used},
    door::Door,
    failure::Failure,
};

/// Limits the homes of these users, as far as their jails have `disk` and they are not. Gives what was changed, in words.
///
/// # Errors
/// A file system has no quotas, or does not take them.
pub(crate) fn limit(
    directory: &Path,
    users: impl IntoIterator<Item = String>,
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    let accounts = Accounts::named(&Config::read(directory)?, users)?;
    let mut changes = Vec::new();
    for jailed in &accounts.jailed {
        changes.extend(mend(jailed, extent)?);
    }
    Ok(changes)
}

/// Finds which homes of these users are not limited as their jails have it, and what limits them now; and which can't be limited.
///
/// # Errors
/// The config has errors, or an account can't be looked up.
pub(crate) fn unlimited(
    directory: &Path,
    users: impl IntoIterator<Item = String>,
) -> Result<(DiskLimits, Vec<(String, Failure)>), Failure> {
    let accounts = Accounts::named(&Config::read(directory)?, users)?;
    let (mut limits, mut failed) = (DiskLimits::default(), Vec::new());
    for jailed in &accounts.jailed {
        match missing(jailed) {
            Ok(found) => limits.homes.extend(found.map(|(.., limit)| limit)),
            Err(failure) => {
                let user = jailed.identity.name.to_string_lossy();
                failed.push((user.into_owned(), failure));
            }
        }
    }
    Ok((limits, failed))
}

/// Limits homes, and says of which users it could not.
pub(crate) fn set_all(directory: &Path, limits: &DiskLimits) -> Vec<(String, Failure)> {
    let set = |user: &String| limit(directory, [user.clone()], Extent::Whole).map(drop);
    let users = limits.homes.iter().map(|home| &home.user);
    users
        .filter_map(|user| set(user).err().map(|failure| (user.clone(), failure)))
        .collect()
}

/// Tells whether the home of a user could be limited, and changes nothing. One that is missing is limited when it is made.
///
/// # Errors
/// It could not: its file system has no quotas.
pub(crate) fn foresee(jailed: &Jailed) -> Result<(), Failure> {
    missing(jailed).map(drop)
}

/// Limits the home of a user.
pub(super) fn mend(jailed: &Jailed, extent: Extent) -> Result<Vec<String>, Failure> {
    let Some((plan, disk, missing)) = missing(jailed)? else {
        return Ok(Vec::new());
    };
    if extent == Extent::Whole {
        create::limit(&plan, disk).map_err(refused)?;
    }
    Ok(vec![missing.shown(), missing.shown_before()])
}

/// Finds a home that is not limited as the jail has it, and what limits it now.
fn missing(jailed: &Jailed) -> Result<Option<(Plan, Disk, DiskLimit)>, Failure> {
    let Some(disk) = jailed.jail.disk else {
        return Ok(None);
    };
    let identity = &jailed.identity;
    let door = used::by(identity).unwrap_or(Door::LoginShell);
    let plan = door.plan(jailed.jail.clone(), None, identity, [])?;
    let counted = create::counted(&plan).map_err(refused)?;
    if counted.is_none_or(|(_, counted)| counted.is_some_and(|it| it.holds(disk))) {
        return Ok(None);
    }
    let user = (identity.name.to_string_lossy().into_owned(), identity.uid);
    let before = create::limits(&plan).map_err(refused)?;
    Ok(before.map(|before| {
        let limit = DiskLimit::new(user, before, disk);
        (plan, disk, limit)
    }))
}

fn refused(fault: create::CreateFault) -> Failure {
    Refusal::from(fault).into()
}
