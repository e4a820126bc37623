//! A rehearsal of a login in which the probes are tried, and what has come of it.

use std::{ffi::OsStr, fmt, io, path::Path, process::Stdio};

use jail::process::landlock;

use crate::{
    accounts::account::Jailed,
    attack::{self, Attack, Judge, LONGEST, Outside, Tried},
    doctor::{
        rehearsal::{MountPlaces, Seen, read_back},
        used,
    },
    failure::Failure,
    shell::shown,
    watch,
};

/// Attacks the jail of a user through the door that they have.
///
/// # Errors
/// Nothing could be put up outside, or the login that is attacked does not get into its jail.
pub(crate) fn of(jailed: &Jailed, config: &Path) -> Result<Attack, Failure> {
    let door = used::of(&jailed.identity);
    let plan = door.plan(jailed.jail.clone(), None, &jailed.identity, [])?;
    let user = jailed.identity.name.to_string_lossy().into_owned();
    let _places = MountPlaces::missing(&plan);
    let outside = Outside::of(&user)?;
    let attack_failed = |why: &dyn fmt::Display| {
        Failure::Failed(format!("attack the jail of {}: {why}", jailed.name()))
    };
    let said = probed(
        &outside,
        &[config.as_os_str(), door.name().as_ref(), user.as_ref()],
    )
    .map_err(|why| attack_failed(&why))?;
    // What is not there any more is not reached, and no wall has held.
    if !outside.stands() {
        return Err(attack_failed(
            &"what stood outside to be reached was ended, by another process of the user's",
        ));
    }
    let tried = tried(&said).map_err(|why| attack_failed(&why))?;
    let judge = Judge {
        plan: &plan,
        open: landlock::foresee(&plan).ok().flatten(),
        port: outside.told.target.port,
    };
    Ok(judge.attack(jailed.name(), door, tried))
}

/// Runs the probes inside, with the descriptors of the outside as its standard input, and gives what it printed, or why it did
/// not come to that.
fn probed(outside: &Outside, arguments: &[&OsStr]) -> Result<String, String> {
    let failed = |error: io::Error| format!("start the probes: {error}");
    let mut watched = watch::command(LONGEST, "attack").map_err(|failure| failure.to_string())?;
    watched
        .command
        .args(arguments)
        .stdin(Stdio::from(outside.sent().map_err(failed)?));
    let output = watch::output(watched).map_err(failed)?;
    if let Some(why) = watch::cut_short(output.status) {
        return Err(why.to_owned());
    }
    if !output.stderr.is_empty() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(shown(said.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Reads what came of all probes, or why there is less.
fn tried(said: &str) -> Result<Vec<Tried>, String> {
    let mut tried = Vec::new();
    let mut is_done = false;
    for seen in read_back(said) {
        match seen {
            Seen::Refused { reason, .. } => {
                return Err(format!("the login is refused: {}", shown(reason)));
            }
            Seen::Tried(one) => tried.push(one),
            Seen::Done => is_done = true,
            _ => {}
        }
    }
    if is_done {
        return Ok(tried);
    }
    let (ended, all) = (tried.len(), attack::count());
    Err(format!("it ended after {ended} of {all} probes"))
}
