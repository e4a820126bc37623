//! A host program's terminal under the name that it has on the host: login(1) of util-linux, once the session is open, opens it
//! again by that name.

use std::{
    ffi::OsStr,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    pty::{OpenptFlags, openpt, ptsname},
    termios::ttyname,
};

use crate::{
    fault::{StepFault, failed},
    marked::Marked,
    world::{
        dev::MOST_TERMINALS,
        mounts::{attach, copy_file},
        targets::{new_file, open_entry},
    },
};

/// A terminal of the host's, and its name below /dev.
#[derive(Debug)]
pub(crate) struct NamedTerminal {
    mount: OwnedFd,
    name: PathBuf,
}

/// What keeps the name of a terminal, for as long as this value lives.
#[derive(Debug)]
#[must_use = "the terminal has its name no longer than this value lives"]
pub struct TerminalName {
    _place: Option<Marked>,
}

impl NamedTerminal {
    /// Copies the node of a terminal, where it has a name on the host.
    ///
    /// # Errors
    /// The node can't be copied.
    pub(crate) fn of(terminal: BorrowedFd<'_>) -> Result<Option<Self>, StepFault> {
        // One of another devpts, such as a container's.
        let Ok(path) = ttyname(terminal, Vec::new()) else {
            return Ok(None);
        };
        let path = Path::new(OsStr::from_bytes(path.as_bytes()));
        let Ok(name) = path.strip_prefix("/dev") else {
            return Ok(None);
        };
        Ok(Some(Self {
            mount: copy_file(terminal)?,
            name: name.to_owned(),
        }))
    }

    /// Gives the terminal its name in the /dev of this process's root, which is the session's own and fresh. A name that is
    /// taken, or that can't be made there, is left out: the terminal has another one, /dev/console.
    ///
    /// # Errors
    /// The call that failed.
    pub(crate) fn show(self) -> Result<TerminalName, StepFault> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dev = openat(CWD, "/dev", flags, Mode::empty()).map_err(failed("open the new /dev"))?;
        let (place, held) = match self.name.strip_prefix("pts") {
            Ok(number) => match hold_number(number)? {
                Some(held) => {
                    let pts = openat(&dev, "pts", flags, Mode::empty())
                        .map_err(failed("open the new /dev/pts"))?;
                    (open_entry(&pts, number)?, Some(held))
                }
                None => (None, None),
            },
            Err(_) if self.name.components().count() == 1 => {
                let is_free = open_entry(&dev, &self.name)?.is_none();
                let file = is_free.then(|| new_file(&dev, &self.name)).transpose()?;
                (file, None)
            }
            Err(_) => (None, None),
        };
        if let Some(place) = place {
            attach(&self.mount, place, c"")?;
        }
        Ok(TerminalName {
            _place: held.map(Marked::of),
        })
    }
}

/// Opens terminals of the new devpts, which numbers them from 0, until one has this number. It keeps the name as long as it is
/// open.
fn hold_number(number: &Path) -> Result<Option<OwnedFd>, StepFault> {
    let number: Option<usize> = number.to_str().and_then(|text| text.parse().ok());
    let Some(number) = number.filter(|number| *number < MOST_TERMINALS) else {
        return Ok(None);
    };
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let mut opened = (0..=number)
        .map(|_| openpt(flags).map_err(failed("open the new /dev/ptmx")))
        .collect::<Result<Vec<_>, _>>()?;
    let wanted = format!("/dev/pts/{number}");
    let held = opened.pop();
    Ok(held.filter(|it| {
        ptsname(it, Vec::new()).is_ok_and(|name| name.as_bytes() == wanted.as_bytes())
    }))
}
