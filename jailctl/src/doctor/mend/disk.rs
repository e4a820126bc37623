//! `disk`: the quota of a home that is there. One that `create` makes has its own.

use std::path::Path;

use jail::{door::decision::Config, world::create};

use crate::{
    accounts::account::{Accounts, Jailed},
    doctor::{mend::Extent, used},
    door::Door,
    failure::Failure,
    shell::shown,
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

/// Limits the home of a user.
pub(super) fn mend(jailed: &Jailed, extent: Extent) -> Result<Vec<String>, Failure> {
    let Some(disk) = jailed.jail.disk else {
        return Ok(Vec::new());
    };
    let door = used::by(&jailed.identity).unwrap_or(Door::LoginShell);
    let plan = door.plan(jailed.jail.clone(), None, &jailed.identity, [])?;
    let refused = |fault| Failure::from(jail::door::refusal::Refusal::from(fault));
    let Some((path, counted)) = create::counted(&plan).map_err(refused)? else {
        return Ok(Vec::new());
    };
    if counted.is_some_and(|it| it.holds(disk)) {
        return Ok(Vec::new());
    }
    if extent == Extent::Whole {
        create::limit(&plan, disk).map_err(refused)?;
    }
    Ok(vec![format!("{}: limited to {disk}", shown(path))])
}
