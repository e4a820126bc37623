//! Makes the file of a terminal's recording, as root, where the user never gets.

use std::{
    ffi::OsStr,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use jail_config::Recording;
use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, fstat},
    io::Errno,
};

use crate::{
    door::refusal::Refusal,
    fault::{StepFault, errno_of, failed},
    log::{record::DIRECTORY as RECORDS, running::Running},
    plan::{Plan, steps::Step},
    resolve::openat2,
    session::{cast::Header, recorder::Recorder},
    sys::signal::{Disposition, rt_sigaction},
    trust::{check_owner_and_mode, make_directory},
};

/// The directory of recordings in it.
const TERMINAL: &str = "terminal";

/// Where the recordings are, and what the name of each ends in.
pub const RECORDINGS: &str = "/var/log/login-jail/terminal";
/// See [`RECORDINGS`].
pub const SUFFIX: &str = ".cast";

/// Begins the recording of a session on a terminal of this size, in columns and rows.
///
/// # Errors
/// A directory that somebody else than root can change, or a call that failed. The session can't be recorded then.
pub(super) fn begin(
    plan: &Plan,
    recording: Recording,
    size: (u16, u16),
    running: &Running<'_>,
) -> Result<Recorder, StepFault> {
    // write(2) says so, too, and can be told from a session that was killed.
    rt_sigaction(libc::SIGXFSZ, Disposition::Ignore)
        .map_err(|errno| StepFault::Failed("rt_sigaction SIGXFSZ", errno))?;
    let records = directory(CWD, RECORDS, RECORDS)?;
    let terminal = directory(&records, TERMINAL, RECORDINGS)?;
    let id = running.whose().id;
    let file = openat2(
        &terminal,
        Path::new(&format!("{id}{SUFFIX}")),
        OFlags::WRONLY
            | OFlags::APPEND
            | OFlags::CREATE
            | OFlags::EXCL
            | OFlags::NOFOLLOW
            | OFlags::CLOEXEC,
        Mode::RUSR | Mode::WUSR,
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
    )
    .map_err(failed("open the recording"))?;
    let mut title = plan.user.clone();
    title.push(" in ");
    title.push(&plan.jail);
    let header = Header {
        // What a player takes for a size, where nobody has set one.
        size: if size == (0, 0) { (80, 24) } else { size },
        timestamp: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |now| now.as_secs()),
        title: &title,
        command: running
            .session
            .command
            .as_deref()
            .filter(|it| !it.is_empty()),
        term: term(plan),
    };
    let recorder = Recorder::begin(file, &header, recording);
    match recorder.cut() {
        None => Ok(recorder),
        Some(cut) => Err(StepFault::Unfit(cut.to_string())),
    }
}

/// Looks whether a recording could be made, and makes nothing.
///
/// # Errors
/// As the step of a login that makes one.
pub fn look() -> Result<(), Refusal> {
    let opened = open_directory(CWD, RECORDS, RECORDS)
        .and_then(|above| above.map_or(Ok(None), |it| open_directory(it, TERMINAL, RECORDINGS)));
    match opened {
        Ok(_) => Ok(()),
        Err(fault) => Err(Refusal::at(Step::Record(Recording::default()))(fault)),
    }
}

fn term(plan: &Plan) -> Option<&OsStr> {
    let mut variables = plan.process.environment.iter();
    let (_, value) = variables.find(|(name, _)| name == "TERM")?;
    Some(value)
}

/// Opens a directory, which is made where it is missing, and must be root's alone. What is above may have a group that can write
/// to it, as /var/log has on some hosts: such a group can move the directory away, but it can't make one that is root's.
fn directory(above: impl AsFd, name: &str, shown: &str) -> Result<OwnedFd, StepFault> {
    make_directory(&above, Path::new(name))
        .map_err(|errno| StepFault::Unfit(format!("mkdir {shown}: {}", errno_of(errno).desc())))?;
    let gone = || StepFault::Unfit(format!("{shown} was removed a moment ago"));
    open_directory(above, name, shown)?.ok_or_else(gone)
}

/// Opens a directory that must be root's alone, if it is there.
fn open_directory(above: impl AsFd, name: &str, shown: &str) -> Result<Option<OwnedFd>, StepFault> {
    let opened = openat2(
        above,
        name,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::NO_SYMLINKS,
    );
    let opened = match opened {
        Err(Errno::NOENT) => return Ok(None),
        other => other.map_err(|errno| {
            StepFault::Unfit(format!("open {shown}: {}", errno_of(errno).desc()))
        })?,
    };
    let stat = fstat(&opened).map_err(failed("fstat of the directory of recordings"))?;
    let others = Mode::RWXG | Mode::RWXO;
    let is_closed = !Mode::from_raw_mode(stat.st_mode).intersects(others);
    if check_owner_and_mode(&stat, None).is_ok() && is_closed {
        return Ok(Some(opened));
    }
    Err(StepFault::Unfit(format!(
        "the directory {shown} has owner {} and mode {:04o}; it must be root's, with mode 0700",
        stat.st_uid,
        stat.st_mode & 0o7777
    )))
}
