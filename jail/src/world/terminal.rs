//! The names that terminals get in a /dev that stands already.
//!
//! A host program's has the one that it has on the host: login(1) of util-linux, once the session is open, opens it again by that
//! name. Those of a world that several logins share come and go: each is /dev/console, or that with a number.

use std::{
    ffi::OsStr,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use nix::sched::{CloneFlags, setns};
use rustix::{
    fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat},
    io::Errno,
    mount::{UnmountFlags, unmount},
    pty::{OpenptFlags, openpt, ptsname},
    termios::ttyname,
};

use crate::{
    fault::{StepFault, expect_in_force, failed},
    marked::Marked,
    resolve::openat2,
    world::{
        dev::MOST_TERMINALS,
        mounts::{attach, copy_file, mount_id},
        targets::{new_file, open_entry},
    },
};

/// What is opened of a /dev: as it is.
const PATH: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

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
        let flags = PATH | OFlags::DIRECTORY;
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
/// open. Nothing where there may not be so many, of open files or of terminals.
fn hold_number(number: &Path) -> Result<Option<OwnedFd>, StepFault> {
    let number: Option<usize> = number.to_str().and_then(|text| text.parse().ok());
    let Some(number) = number.filter(|number| *number < MOST_TERMINALS) else {
        return Ok(None);
    };
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let opened: Result<Vec<_>, Errno> = (0..=number).map(|_| openpt(flags)).collect();
    let mut opened = match opened {
        Err(Errno::MFILE | Errno::NFILE | Errno::NOSPC) => return Ok(None),
        opened => opened.map_err(failed("open the new /dev/ptmx"))?,
    };
    let wanted = format!("/dev/pts/{number}");
    let held = opened.pop();
    Ok(held.filter(|it| {
        ptsname(it, Vec::new()).is_ok_and(|name| name.as_bytes() == wanted.as_bytes())
    }))
}

/// Enters a world by its mount namespace, and gives a terminal a name in its /dev. There is no way back for this process.
///
/// The names of terminals that are gone are given again. Where as many have one as may have, this one has none.
///
/// # Errors
/// A call that failed.
pub(crate) fn show_in_world(world: &OwnedFd, terminal: &OwnedFd) -> Result<(), StepFault> {
    let before = mount_id(CWD, c"/")?;
    setns(world, CloneFlags::CLONE_NEWNS).map_err(failed("setns"))?;
    expect_in_force("the world", mount_id(CWD, c"/")? != before)?;
    let flags = PATH | OFlags::DIRECTORY;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let dev = openat2(CWD, "/dev", flags, Mode::empty(), resolve)
        .map_err(failed("open /dev of the world"))?;
    let found = fstat(&dev).map_err(failed("stat /dev of the world"))?;
    // The config can mount anything there.
    if found.st_uid != 0 || found.st_mode & 0o022 != 0 {
        return Ok(());
    }
    for number in 0..MOST_TERMINALS {
        let name = match number {
            0 => "console".to_owned(),
            number => format!("console{number}"),
        };
        if let Some(place) = free_place(&dev, &name)? {
            return attach(terminal, place, c"");
        }
    }
    Ok(())
}

/// Finds the place of a name that no terminal has, or makes it.
fn free_place(dev: &OwnedFd, name: &str) -> Result<Option<OwnedFd>, StepFault> {
    let open = || match openat(dev, name, PATH, Mode::empty()) {
        Ok(entry) => Ok(Some(entry)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(failed("open in /dev of the world")(errno)),
    };
    let is_place = |entry: &OwnedFd| -> Result<bool, StepFault> {
        Ok(mount_id(entry, c"")? == mount_id(dev, c"")?)
    };
    let Some(entry) = open()? else {
        return match new_file(dev, Path::new(name)) {
            Ok(place) => Ok(Some(place)),
            // Another login was faster.
            Err(StepFault::Failed(_, nix::errno::Errno::EEXIST)) => Ok(None),
            Err(fault) => Err(fault),
        };
    };
    let found = fstat(&entry).map_err(failed("fstat in /dev of the world"))?;
    match FileType::from_raw_mode(found.st_mode) {
        FileType::RegularFile if is_place(&entry)? => Ok(Some(entry)),
        // A terminal that is gone, of which only the name is left.
        FileType::CharacterDevice if found.st_nlink == 0 => {
            let flags = UnmountFlags::DETACH | UnmountFlags::NOFOLLOW;
            match unmount(format!("/dev/{name}"), flags) {
                Ok(()) | Err(Errno::INVAL) => {}
                Err(errno) => return Err(failed("umount2 in /dev of the world")(errno)),
            }
            let place = open()?;
            let is_free = place.as_ref().map(is_place).transpose()?;
            Ok(place.filter(|_| is_free == Some(true)))
        }
        _ => Ok(None),
    }
}
