//! How a login came in, before anything is decided about it.

use std::{ffi::OsString, fs};

use rustix::rand::{GetRandomFlags, getrandom};

/// How a login came in: known before anything is decided about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The session's own id. It is random: nobody can guess it, and no two are the same.
    pub id: String,
    /// How the door was called.
    pub door: &'static str,
    /// Behind PAM the name of the stack, as the host program says.
    pub service: Option<OsString>,
    /// The process that was called, as the host knows it: all lines of a session have it, also those from inside.
    pub pid: u32,
    /// When that process was started, in clock ticks since the machine was: proc_pid_stat(5). With the pid it names the
    /// process for good.
    pub started: Option<u64>,
    /// The terminal.
    pub terminal: Option<OsString>,
    /// Where the user comes from.
    pub from: Option<Origin>,
}

/// Where a user comes from, by whose word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A host program of root's says so.
    Known(OsString),
    /// The caller says so, who may be the user.
    Claimed(OsString),
}

impl Call {
    /// Names this process, and the session that it begins.
    #[must_use]
    pub fn of_this_process(door: &'static str) -> Call {
        Call {
            id: new_id(),
            door,
            pid: std::process::id(),
            started: started(),
            ..Call::default()
        }
    }
}

/// Makes the id of a session: 64 random bits in hexadecimal. Nothing where the kernel has none, which it says of no kernel
/// that has Landlock.
fn new_id() -> String {
    let mut random = [0; 8];
    match getrandom(&mut random, GetRandomFlags::NONBLOCK) {
        Ok(8) => format!("{:016x}", u64::from_be_bytes(random)),
        _ => String::new(),
    }
}

/// Reads when this process was started.
fn started() -> Option<u64> {
    let stat = fs::read("/proc/self/stat").ok()?;
    started_in(&stat)
}

/// Finds the time in the text of /proc/PID/stat. The name of the program can have anything in it, also parentheses.
fn started_in(stat: &[u8]) -> Option<u64> {
    let behind_name = stat.rsplit(|byte| *byte == b')').next()?;
    let fields = std::str::from_utf8(behind_name).ok()?;
    // The state, the third of all, is the first behind the name.
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{new_id, started, started_in};

    #[test]
    fn the_start_is_found_behind_any_name() {
        let stat = b"7 (a) S 1 (\n\xff) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 9 9 9";
        assert_eq!(started_in(stat), Some(4711));
        assert!(started().is_some_and(|ticks| ticks > 0));
    }

    #[test]
    fn no_two_sessions_have_one_id() {
        let (one, other) = (new_id(), new_id());
        assert!(one.len() == 16 && one != other, "{one} {other}");
    }
}
