//! The numbers of logins and refusals that the doors have counted since the machine started.

use std::{ffi::OsStr, fs, io, os::unix::ffi::OsStrExt, path::Path};

use jail::{
    code::Code,
    log::counts::{DIRECTORY, LOGINS, PREFIX, place},
};

use crate::failure::Failure;

/// What was counted of one jail.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    /// The jail's name; empty for the logins whose jail was not known.
    pub(crate) jail: String,
    /// The logins that went in.
    pub(crate) logins: u64,
    /// The refusals, by code, without those that never happened.
    pub(crate) refusals: Vec<(Code, u64)>,
}

/// Reads what was counted, by the names of the jails; nothing where no login was counted.
///
/// # Errors
/// A file can't be read.
pub(crate) fn counted() -> Result<Vec<Counted>, Failure> {
    let directory = Path::new(DIRECTORY);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::io("read", directory, &error)),
    };
    let mut all = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Failure::io("read", directory, &error))?;
        if let Some(jail) = jail_of(&entry.file_name()) {
            let path = entry.path();
            let numbers = fs::read(&path).map_err(|error| Failure::io("read", &path, &error))?;
            all.push(Counted::of(jail, &numbers));
        }
    }
    all.sort_by(|one, other| one.jail.cmp(&other.jail));
    Ok(all)
}

impl Counted {
    fn of(jail: String, numbers: &[u8]) -> Counted {
        let number = |at: usize| {
            let bytes = numbers.chunks_exact(8).nth(at);
            let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
            bytes.map_or(0, u64::from_ne_bytes)
        };
        let refusals = Code::ALL
            .into_iter()
            .map(|code| (code, number(place(code))));
        Counted {
            jail,
            logins: number(LOGINS),
            refusals: refusals.filter(|(_, number)| *number > 0).collect(),
        }
    }
}

/// Gives the jail's name that a file is named after; nothing for another file.
fn jail_of(file: &OsStr) -> Option<String> {
    let mut rest = file.as_bytes().strip_prefix(PREFIX.as_bytes())?;
    let mut name = Vec::new();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                name.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
                rest = after;
            }
            other => name.push(*other),
        }
    }
    Some(String::from_utf8_lossy(&name).into_owned())
}

#[cfg(test)]
mod tests {
    use jail::code::Code;

    use super::{Counted, jail_of};

    #[test]
    fn a_name_of_a_file_is_read_as_it_was_made() {
        let read = |name: &str| jail_of(name.as_ref());
        assert_eq!(read("jail=").as_deref(), Some(""));
        assert_eq!(
            read("jail=%2esftp%20only%25").as_deref(),
            Some(".sftp only%")
        );
        assert_eq!(read("jail=%2"), None);
        assert_eq!(read("jail=%zz"), None);
        assert_eq!(read("other"), None);
    }

    #[test]
    fn a_file_that_is_cut_off_counts_as_far_as_it_goes() {
        let numbers: Vec<u8> = [7_u64, 2].iter().flat_map(|it| it.to_ne_bytes()).collect();
        let counted = Counted::of(String::new(), &numbers);
        assert_eq!(
            (counted.logins, counted.refusals.as_slice()),
            (7, &[(Code::Usage, 2)][..])
        );
        assert_eq!(Counted::of(String::new(), &[1, 2, 3]).logins, 0);
    }
}
