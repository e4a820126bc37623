//! Device nodes of the host in a session's private /dev. The node itself is shown, by a descriptor; none is made, so the mode and
//! owner that the host gave it hold inside.
//!
//! What a name stands for is asked of the open node: see [`refused`].

mod refused;

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use jail_config::Device;
use rustix::fs::{Dir, FileType, Mode, OFlags, fstat, major, minor, openat};

use crate::{
    fault::{StepFault, failed},
    sys::mount::{NOEXEC, NOSUID, mount_setattr_recursive},
    trust::{self, Flaw, Untrusted},
    world::{
        mounts::{attach, copy_file, hold_attributes},
        targets::{make_directory, new_file},
    },
};
pub use refused::{Drivers, why_refused};

/// The most nodes that a session gets.
const MOST: usize = 256;

/// Where the host's nodes are.
const DEV: &str = "/dev";

/// What a list of devices comes to on this host.
#[derive(Debug, Default)]
pub struct Found {
    /// The nodes that a session gets, by their paths below /dev; the descriptors are O_PATH.
    pub(crate) nodes: BTreeMap<PathBuf, OwnedFd>,
    /// The names and patterns for which there is no node, with the reason.
    pub(crate) in_vain: Vec<(String, String)>,
}

impl Found {
    /// Lists the paths of the nodes that a session gets.
    pub fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.nodes.keys().map(|below| Path::new(DEV).join(below))
    }

    /// Says which names and patterns show nothing, and why.
    pub fn in_vain(&self) -> impl Iterator<Item = (&str, &str)> {
        self.in_vain.iter().map(|(name, why)| (&**name, &**why))
    }
}

/// Opens the nodes that a list of names and patterns stands for. What is not there is left out, as is what a pattern fits and no
/// jail gets.
///
/// # Errors
/// A name is written out, and no jail gets what is there; or a directory above it is not root's alone.
pub(crate) fn open(wanted: &[Device]) -> Result<Found, StepFault> {
    let mut found = Found::default();
    if wanted.is_empty() {
        return Ok(found);
    }
    let drivers = Drivers::read()?;
    for device in wanted {
        let shown = Path::new(DEV).join(device.directory());
        let directory = match trust::open_directory(&shown) {
            Ok(directory) => directory,
            Err(Untrusted {
                flaw: Flaw::Missing,
                ..
            }) => {
                found.miss(device, format!("{} does not exist", shown.display()));
                continue;
            }
            Err(untrusted) => return Err(untrusted.into()),
        };
        if device.is_pattern() {
            found.take_all(device, &directory, &drivers)?;
        } else {
            found.take_one(device, &directory, &drivers)?;
        }
        if found.nodes.len() > MOST {
            let what = format!("devices stands for more than {MOST} nodes; name fewer");
            return Err(StepFault::Unfit(what));
        }
    }
    Ok(found)
}

impl Found {
    fn miss(&mut self, device: &Device, why: String) {
        self.in_vain.push((device.as_str().to_owned(), why));
    }

    fn take_one(
        &mut self,
        device: &Device,
        directory: &OwnedFd,
        drivers: &Drivers,
    ) -> Result<(), StepFault> {
        let name = device.below().file_name().unwrap_or_default();
        match node(directory, name)? {
            None => self.miss(device, format!("{} does not exist", device.as_str())),
            Some(opened) => match refusal_of(&opened, drivers)? {
                None => drop(self.nodes.insert(device.below().to_owned(), opened)),
                Some(why) => {
                    let what = format!("{} {why}; remove it from devices", device.as_str());
                    return Err(StepFault::Unfit(what));
                }
            },
        }
        Ok(())
    }

    fn take_all(
        &mut self,
        device: &Device,
        directory: &OwnedFd,
        drivers: &Drivers,
    ) -> Result<(), StepFault> {
        let mut refused = None;
        let before = self.nodes.len();
        for name in names(directory)? {
            if !device.matches(&name) {
                continue;
            }
            // Gone since it was listed.
            let Some(opened) = node(directory, &name)? else {
                continue;
            };
            let below = device.directory().join(&name);
            match refusal_of(&opened, drivers)? {
                None => drop(self.nodes.insert(below, opened)),
                Some(why) => {
                    refused
                        .get_or_insert(format!("{} {why}", Path::new(DEV).join(below).display()));
                }
            }
            if self.nodes.len() > MOST {
                break;
            }
        }
        if self.nodes.len() == before {
            let why = refused.unwrap_or_else(|| "nothing fits".to_owned());
            self.miss(device, why);
        }
        Ok(())
    }
}

/// Opens an entry of a directory of /dev, whatever it is, and nothing where there is none.
fn node(directory: &OwnedFd, name: &OsStr) -> Result<Option<OwnedFd>, StepFault> {
    match trust::open_entry(directory, Path::new(name)) {
        Ok(opened) => Ok(Some(opened)),
        Err(Flaw::Missing) => Ok(None),
        Err(Flaw::Io(errno)) => Err(StepFault::Failed("openat2 in /dev", errno)),
        Err(_) => Err(StepFault::Unfit(format!(
            "/dev has something of a user's at {}",
            Path::new(name).display()
        ))),
    }
}

/// Says why no jail gets an open node; nothing where one may.
fn refusal_of(opened: &OwnedFd, drivers: &Drivers) -> Result<Option<String>, StepFault> {
    let stat = fstat(opened).map_err(failed("fstat of a device"))?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    let (major, minor) = (major(stat.st_rdev), minor(stat.st_rdev));
    Ok(why_refused(kind, major, minor, drivers))
}

fn names(directory: &OwnedFd) -> Result<Vec<OsString>, StepFault> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let readable = openat(directory, ".", flags, Mode::empty())
        .map_err(failed("open a directory of /dev to list it"))?;
    let mut names = Vec::new();
    for entry in Dir::new(readable).map_err(failed("list a directory of /dev"))? {
        let entry = entry.map_err(failed("list a directory of /dev"))?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// Copies the nodes, each as a mount of its own.
pub(crate) fn copy(found: &Found) -> Result<Vec<(PathBuf, OwnedFd)>, StepFault> {
    let mut nodes = Vec::with_capacity(found.nodes.len());
    for (below, opened) in &found.nodes {
        let node = copy_file(opened.as_fd())?;
        mount_setattr_recursive(&node, NOSUID | NOEXEC)
            .map_err(failed("mount_setattr of a device"))?;
        hold_attributes(&node, NOSUID | NOEXEC)?;
        nodes.push((below.clone(), node));
    }
    Ok(nodes)
}

/// Shows the copies in a /dev that is the session's own.
pub(crate) fn attach_nodes(nodes: &[(PathBuf, OwnedFd)], dev: &OwnedFd) -> Result<(), StepFault> {
    for (below, node) in nodes {
        let above = below.parent().filter(|above| !above.as_os_str().is_empty());
        let made = above.map(|above| make_directory(dev, above)).transpose()?;
        let name = Path::new(below.file_name().unwrap_or_default());
        attach(node, new_file(made.as_ref().unwrap_or(dev), name)?, c"")?;
    }
    Ok(())
}
