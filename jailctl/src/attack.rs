//! `jailctl check --attack`: enters a jail as its user and tries what is known to lead out of jails.
//!
//! The probes are calls of this program's own, made behind every wall of a rehearsal. They read, or ask for what changes
//! nothing: arguments are such that a kernel that lets the call through finds nothing to do, and what a call makes ends
//! with the process that made it. Each is a process of its own. What there is to reach outside is put up for it, see
//! [`outside`].
//!
//! Each line of the list of threats "from inside" has probes here, but for what can't be tried without harm, or can't be
//! told from inside:
//!
//! * renaming a directory out of the root: it takes a rename on the host, in the user's root, and leaves a file when it
//!   is stopped half-way;
//! * writing through a descriptor that was sent in (create, unlink, truncate, rename, link, chmod): it would change the
//!   host's files where the wall is missing. The rule that refuses to open is the one that refuses these;
//! * signals that arrive, kill(-1), SIGIO, the priority of all of a user's processes: signal 0 and what a priority is
//!   already ask for the same right;
//! * reboot(2): never called;
//! * TIOCSTI and socket(2) by `int 0x80`: the entry is refused before its arguments are looked at;
//! * keys of the user's keyring: keyctl(2) itself is refused;
//! * a set-user-ID file, a hard link to one, a file with capabilities, a device node: none is planted. Whether it would
//!   count is asked of the mounts and of no_new_privs.

mod files;
mod judge;
mod kernel;
mod outside;
mod probe;
mod probes;
mod processes;
mod raw;
mod wall;

use std::{
    ffi::{OsStr, OsString},
    os::unix::net::UnixStream,
    path::Path,
    process::Command,
};

use serde::Serialize;

#[cfg(test)]
use self::probes::all;
use crate::{
    failure::{Failure, Verdict},
    output::say,
    shell::shown,
};

pub(crate) use judge::{Attack, Judge};
pub(crate) use outside::{Outside, be_accomplice};
pub(crate) use probe::Tried;
pub(crate) use probes::{count, try_all};

/// How long all probes may take, in seconds.
pub(crate) const LONGEST: &str = "30";

/// Writes what is told to another process.
pub(crate) fn to_json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::Failed(format!("print JSON: {error}")))
}

/// Gives the names of the walls that probes have, for the test of the help.
#[cfg(test)]
pub(crate) fn wall_names() -> impl Iterator<Item = &'static str> {
    all().flat_map(|probe| probe.walls).map(|wall| wall.name())
}

/// Tries all probes from here, with what is outside as it comes in by a socket of this path, and prints a line for each.
///
/// # Errors
/// Nobody is at the socket, or the descriptors did not come in.
pub(crate) fn try_here(socket: &Path) -> Result<Verdict, Failure> {
    let connected = UnixStream::connect(socket)
        .map_err(|error| Failure::Failed(format!("connect to {}: {error}", shown(socket))))?;
    for tried in try_all(connected)? {
        say(to_json(&tried)?);
    }
    Ok(Verdict::Fine)
}

/// Puts up the outside for a user's probes, at a socket of this path, and runs a program meanwhile. The tests have the
/// probes tried so wherever there is a session, and where no wall stands: it is what shows that a probe that is held
/// somewhere would otherwise have got through.
///
/// # Errors
/// Nothing could be put up outside, or the program not be started.
pub(crate) fn run_outside(
    user: &str,
    socket: &Path,
    program: &OsStr,
    arguments: &[OsString],
) -> Result<Verdict, Failure> {
    let mut command = Command::new(program);
    command.args(arguments);
    let status = Outside::of(user)?
        .serve(socket, command)
        .map_err(|error| Failure::Failed(format!("run the probes: {error}")))?;
    Ok(Verdict::of(!status.success()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{probes::all, wall::Wall};

    #[test]
    fn every_probe_has_a_name_of_its_own_and_a_wall() {
        let mut names = HashSet::new();
        for probe in all() {
            assert!(names.insert((probe.threat, probe.name)), "{}", probe.name);
            assert!(
                !probe.walls.is_empty() || probe.name == "sent in, stat",
                "{}",
                probe.name
            );
        }
        assert!(names.len() > 100, "{}", names.len());
    }

    #[test]
    fn what_was_found_and_is_not_the_hosts_is_any_walls_answer() {
        for wall in all().flat_map(|probe| probe.walls) {
            assert!(wall.answers(None), "{wall:?}");
            assert!(!wall.answers(Some(nix::errno::Errno::EIO)), "{wall:?}");
        }
        assert!(!Wall::Pids.answers(Some(nix::errno::Errno::EPERM)));
    }
}
