//! The name of a process that has root's ids for the time of a login: it says whose login that is. Nothing else does, for nothing
//! of the process is the user's then. ps(1) shows it, and `jailctl` goes by it.
//!
//! It can be believed where the real user ID is 0. A user chooses the name that a program starts with, and a program of root's
//! that a user has started, and named so, is that user's own affair.

use std::ffi::CString;

use rustix::{
    process::getuid,
    thread::{name, set_name},
};

use crate::fault::{StepFault, errno_of};

/// What the program is called once the ids are the user's.
const PROGRAM: &str = "jail-shell";

/// What stands before the number of the user. With the longest number it is as long as a name can be: 15 bytes.
const PREFIX: &str = "jail:";

/// Gives the uid of the user for whose login a process has root's ids, by its name; nothing where the name is another one.
#[must_use]
pub fn login_of(name: &str) -> Option<u32> {
    let digits = name.strip_prefix(PREFIX)?;
    let uid = digits.parse().ok()?;
    (text_for(uid) == name).then_some(uid)
}

/// What stands before the pid of a session's supervisor.
const KEEPER: &str = "session:";

/// Names this process, which stands for a session in a world that others share, for the session's supervisor outside.
///
/// # Errors
/// prctl(2) failed.
pub(crate) fn name_keeper(supervisor: i32) -> Result<(), StepFault> {
    rename(&format!("{KEEPER}{supervisor}"))
}

/// Gives the pid of the supervisor for which a process stands in a shared world, by its name; nothing where the name is another one.
/// It can be believed where the process has the group IDs of one around a session: a user can start jail-shell, and give it any name.
#[must_use]
pub fn supervisor_of(name: &str) -> Option<i32> {
    name.strip_prefix(KEEPER)?.parse().ok()
}

fn text_for(uid: u32) -> String {
    format!("{PREFIX}{uid}")
}

/// Names this process, which is about to take root's ids, for its caller. Root is none.
///
/// # Errors
/// prctl(2) failed.
pub(crate) fn name_for_caller() -> Result<(), StepFault> {
    match getuid().as_raw() {
        0 => Ok(()),
        uid => name_for(uid),
    }
}

/// Names this process, which has root's ids, for a user.
///
/// # Errors
/// prctl(2) failed.
pub(crate) fn name_for(uid: u32) -> Result<(), StepFault> {
    rename(&text_for(uid))
}

/// Gives this process, which has the user's ids again, the name of its program.
///
/// # Errors
/// As [`name_for`].
pub(crate) fn name_as_program() -> Result<(), StepFault> {
    let now = name().map_err(failed)?;
    match now.to_str().ok().and_then(login_of) {
        Some(_) => rename(PROGRAM),
        None => Ok(()),
    }
}

fn rename(name: &str) -> Result<(), StepFault> {
    let name = CString::new(name).map_err(|_| StepFault::Bug("a name with a NUL"))?;
    set_name(&name).map_err(failed)
}

fn failed(errno: rustix::io::Errno) -> StepFault {
    StepFault::Failed("prctl PR_SET_NAME", errno_of(errno))
}

#[cfg(test)]
mod tests {
    use super::{login_of, text_for};

    #[test]
    fn a_name_says_whose_login_it_is_and_others_say_nothing() {
        for uid in [1, 1001, 65534, u32::MAX] {
            assert!(text_for(uid).len() <= 15);
            assert_eq!(login_of(&text_for(uid)), Some(uid));
        }
        for name in [
            "jail-shell",
            "jail:",
            "jail:x",
            "jail:01001",
            "jail:+1",
            "jail:1001 ",
            "sshd",
        ] {
            assert_eq!(login_of(name), None, "{name}");
        }
    }
}
