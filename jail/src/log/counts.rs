//! How many logins went in and how many were refused, for each jail and code since the machine started: `jailctl metrics`
//! prints it.
//!
//! The numbers of a jail are a small file below /run that root alone can open. A login maps it while it has its privileges, and
//! adds to a number by one atomic instruction: there is no lock, so that a login that is stopped holds up no other. Where a file
//! can't be had, nothing is counted, and no login is refused for it.

use std::{path::Path, sync::atomic::Ordering};

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use rustix::{
    fs::{FallocateFlags, FsWord, fallocate, fstat, fstatfs},
    process::geteuid,
};

use super::event::Event;
use crate::{
    code::Code,
    own,
    sys::mapping::{LENGTH, Shared},
    trust,
};

/// Where the files are.
pub const DIRECTORY: &str = "/run/login-jail/counts";

/// What stands before the jail's name in the name of a file.
pub const PREFIX: &str = "jail=";

/// The place of the logins that went in, in a file of numbers of 64 bits in the machine's byte order.
pub const LOGINS: usize = 0;

/// Gives the place of the refusals with a code.
#[must_use]
pub fn place(code: Code) -> usize {
    usize::from(code.status() - Code::Usage.status()) + 1
}

/// TMPFS_MAGIC of linux/magic.h.
const TMPFS: FsWord = 0x0102_1994;

/// The numbers of one jail.
#[derive(Debug)]
pub(super) struct Counts(Shared);

impl Counts {
    /// Opens the numbers of a jail, and makes the file where it is missing. Without a name they are those of the logins whose jail
    /// is not known.
    pub(super) fn open(jail: &str) -> Option<Counts> {
        // What is made by file capabilities alone would be the user's.
        if !geteuid().is_root() {
            return None;
        }
        let length = u64::try_from(LENGTH).ok()?;
        // Past the limit the kernel sends SIGXFSZ, which would end a host program.
        let (limit, _) = getrlimit(Resource::RLIMIT_FSIZE).ok()?;
        if limit != RLIM_INFINITY && limit < length {
            return None;
        }
        let shown = Path::new(DIRECTORY);
        trust::open_or_make_directory(shown.parent()?).ok()?;
        let directory = trust::open_or_make_directory(shown).ok()?;
        let name = file_name(jail);
        let file = own::open_for_sharing(&directory, shown, Path::new(&name)).ok()?;
        // Anywhere else a full disk would end this process, by SIGBUS.
        if fstatfs(&file).ok()?.f_type != TMPFS {
            return None;
        }
        fallocate(&file, FallocateFlags::empty(), 0, length).ok()?;
        let stat = fstat(&file).ok()?;
        let has = |bytes| u64::try_from(bytes).is_ok_and(|bytes| bytes >= length);
        if !has(stat.st_size) || !has(stat.st_blocks.saturating_mul(512)) {
            return None;
        }
        Shared::map(&file).ok().map(Counts)
    }

    /// Counts an event, if it is one that counts.
    pub(super) fn add(&self, event: &Event<'_>) {
        let place = match event {
            Event::Enter(..) => LOGINS,
            Event::Refused { code, .. } => place(*code),
            Event::WrongWords { .. } => place(Code::Usage),
            _ => return,
        };
        if let Some(number) = self.0.numbers().get(place) {
            number.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Makes a name of a file of a jail's name, which may be a path: whatever is no letter, digit, `-` or `_` is `%` and two digits.
fn file_name(jail: &str) -> String {
    let mut name = PREFIX.to_owned();
    for byte in jail.bytes() {
        match byte {
            b'-' | b'_' => name.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => name.push(char::from(byte)),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::{LENGTH, LOGINS, file_name, place};
    use crate::code::Code;

    #[test]
    fn a_jails_name_becomes_one_component_of_a_path() {
        assert_eq!(file_name(""), "jail=");
        assert_eq!(file_name("../a b%\n"), "jail=%2e%2e%2fa%20b%25%0a");
        assert_eq!(file_name("sftp-only_2"), "jail=sftp-only_2");
    }

    #[test]
    fn every_code_has_a_place_of_its_own_in_the_file() {
        for (before, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(place(code), LOGINS + before + 1);
            assert!((place(code) + 1) * 8 <= LENGTH);
        }
    }
}
