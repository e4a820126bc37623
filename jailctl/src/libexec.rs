//! Where the program is that stands in for a user: in libexec of where jailctl is installed, or beside a jailctl that was
//! built and not installed.
//!
//! Root runs it, so it is opened once, looked at, and started by its descriptor: nothing can take its name in between.

use std::{
    env,
    fs::File,
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

use jail_roots::tree::Tree;
use rustix::{
    fs::{CWD, FileType, Mode, OFlags, fstat, openat},
    io::Errno,
};

use crate::{
    failure::Failure,
    shell::{program, shown},
};

/// The name of the program.
const NAME: &str = "stand-in";
/// Where it is installed, below the prefix.
const INSTALLED: &str = "libexec/login-jail";

/// The program, held open until it was started.
#[derive(Debug)]
pub(crate) struct StandIn(OwnedFd);

impl StandIn {
    /// Opens it.
    ///
    /// # Errors
    /// It is missing, or others than root can change it.
    pub(crate) fn open() -> Result<StandIn, Failure> {
        let own = env::current_exe().map_err(failed("find the program of jailctl"))?;
        let beside = own.parent().unwrap_or(Path::new("/"));
        let installed = beside.parent().unwrap_or(Path::new("/")).join(INSTALLED);
        let (directory, place, owner) = if installed.symlink_metadata().is_ok() {
            // Only root may change this directory and those above it.
            let tree = Tree::open(&installed)?;
            let directory = tree.as_fd().try_clone_to_owned();
            (directory.map_err(failed("open"))?, installed, 0)
        } else {
            // Whoever owns a jailctl that was built and not installed could as well change that.
            let own = fstat(File::open("/proc/self/exe").map_err(failed("open jailctl"))?);
            let owner = own
                .map_err(|errno| failed("stat jailctl")(errno.into()))?
                .st_uid;
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let directory = openat(CWD, beside, flags, Mode::empty());
            let directory = directory.map_err(|errno| cannot(beside, errno))?;
            is_ours(&directory, beside, owner, FileType::Directory)?;
            (directory, beside.to_owned(), owner)
        };
        let place = place.join(NAME);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&directory, NAME, flags, Mode::empty());
        let file = file.map_err(|errno| cannot(&place, errno))?;
        is_ours(&file, &place, owner, FileType::RegularFile)?;
        Ok(StandIn(file))
    }

    /// Prepares it to be started, with a new environment and without input.
    pub(crate) fn command(&self) -> Command {
        let mut command = program(format!("/proc/self/fd/{}", self.0.as_raw_fd()));
        command.arg0(NAME);
        command
    }
}

/// Makes sure that a file is of this kind, and that nobody but root, or this owner, can change it.
fn is_ours(file: &OwnedFd, path: &Path, owner: u32, kind: FileType) -> Result<(), Failure> {
    let stat = fstat(file).map_err(|errno| cannot(path, errno))?;
    let path = shown(path);
    let why = if FileType::from_raw_mode(stat.st_mode) != kind {
        "it is not what jailctl was installed with; install login-jail again".to_owned()
    } else if ![0, owner].contains(&stat.st_uid) {
        format!(
            "it belongs to uid {}, and root would run it; install login-jail again",
            stat.st_uid
        )
    } else if stat.st_mode & 0o022 != 0 {
        // Whoever could write it may have done so: a better mode would not make it the old one again.
        "others than its owner can write to it, and root would run it; install login-jail again"
            .to_owned()
    } else {
        return Ok(());
    };
    Err(Failure::Failed(format!("open {path}: {why}")))
}

fn cannot(path: &Path, errno: Errno) -> Failure {
    let path: PathBuf = path.to_owned();
    let mend = match errno {
        Errno::NOENT => "; it belongs to jailctl: install login-jail again",
        _ => "",
    };
    Failure::Failed(format!(
        "open {}: {}{mend}",
        shown(path),
        io::Error::from(errno)
    ))
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> Failure {
    move |error| Failure::Failed(format!("{what}: {error}"))
}
