//! The working directory and the file mode creation mask of the user's program.

use std::path::PathBuf;

use jail_config::Home;
use nix::errno::Errno;
use rustix::{
    fs::Mode,
    process::{chdir, getcwd, umask},
};

use crate::fault::{StepFault, errno_of, expect_in_force};

/// Why the home directory can't be entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HomeFault {
    /// The user may not search the root directory.
    RootUnsearchable(Errno),
    /// The home directory can't be entered.
    Home(PathBuf, Errno),
}

/// Sets the file mode creation mask. umask(2) reports no failure, so it is asked for what it has set.
///
/// # Errors
/// Another mask is in force.
pub(crate) fn set_umask(mask: u32) -> Result<(), StepFault> {
    let mask = Mode::from_raw_mode(mask);
    umask(mask);
    expect_in_force("the umask", umask(mask) == mask)
}

/// Changes to the home directory as the user and makes sure that the working directory is inside.
///
/// # Errors
/// The home can't be entered, is missing where the config names it, or is outside of the root.
pub(crate) fn go_home(home: &Home) -> Result<PathBuf, HomeFault> {
    let (wanted, fallback) = match home {
        Home::Set(path) => (path, false),
        Home::Default(path) => (path, true),
    };
    if let Err(errno) = chdir("/").map_err(errno_of) {
        return Err(HomeFault::RootUnsearchable(errno));
    }
    let reached = match chdir(wanted).map_err(errno_of) {
        Ok(()) => wanted.clone(),
        // The root is the working directory already.
        Err(Errno::ENOENT | Errno::ENOTDIR) if fallback => PathBuf::from("/"),
        Err(errno) => return Err(HomeFault::Home(wanted.clone(), errno)),
    };
    let directory =
        getcwd(Vec::new()).map_err(|errno| HomeFault::Home(wanted.clone(), errno_of(errno)))?;
    // The kernel writes "(unreachable)" before a directory that is not below the root: getcwd(3).
    if directory.as_bytes().starts_with(b"/") {
        return Ok(reached);
    }
    Err(HomeFault::Home(wanted.clone(), Errno::EXDEV))
}
