//! Makes the file of a terminal's recording, as root, where the user never gets.

use std::{
    ffi::OsStr,
    os::fd::OwnedFd,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use jail_config::{Recording, size};
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat, unlinkat},
    io::Errno,
};

use crate::{
    door::refusal::Refusal,
    fault::{StepFault, failed},
    lock,
    log::{record::DIRECTORY as RECORDS, running::Running},
    own,
    plan::{Plan, steps::Step},
    resolve::openat2,
    session::{cast::Header, recorder::Recorder},
    sys::signal::{Disposition, rt_sigaction},
    trust::{self, Flaw, Untrusted},
};

/// The directory of recordings in it.
const TERMINAL: &str = "terminal";

/// Where the recordings are. The name of each begins with the uid and a dash, and has the session's id.
pub const RECORDINGS: &str = "/var/log/login-jail/terminal";
/// What the smallest file takes of a disk, in bytes: of many short ones there is an end, too.
const BLOCK: u64 = 4096;

/// What the name of each ends in.
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
    rt_sigaction(libc::SIGXFSZ, Disposition::Ignore).map_err(failed("rt_sigaction SIGXFSZ"))?;
    let file = new_file(plan.process.ids.uid, running.whose().id, recording)?;
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

/// Makes the file of a session's recording, where there is room for it among the user's others.
fn new_file(uid: u32, id: &str, recording: Recording) -> Result<OwnedFd, StepFault> {
    let recordings = directory()?;
    let name = format!("{uid}-{}{SUFFIX}", id);
    let file = openat2(
        &recordings,
        Path::new(&name),
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
    // First: of two sessions that begin at the same time, each counts the other.
    if !lock::take(&file, 0, recording.size)? {
        return Err(StepFault::NotInForce("the lock of the new recording"));
    }
    if let Err(full) = insist_on_room(&recordings, uid, (0, recording.total)) {
        unlinkat(&recordings, name.as_str(), AtFlags::empty())
            .map_err(failed("remove the new recording"))?;
        return Err(full);
    }
    Ok(file)
}

/// Looks whether a recording of this user could be made, and makes nothing.
///
/// # Errors
/// As the step of a login that makes one.
pub fn look(uid: u32, recording: Recording) -> Result<(), Refusal> {
    let room = (recording.size, recording.total);
    find_directory()
        .and_then(|found| found.map_or(Ok(()), |it| insist_on_room(&it, uid, room)))
        .map_err(Refusal::at(Step::Record(recording)))
}

fn term(plan: &Plan) -> Option<&OsStr> {
    let mut variables = plan.process.environment.iter();
    let (_, value) = variables.find(|(name, _)| name == "TERM")?;
    Some(value)
}

/// Opens the directory of recordings, and makes it where it is missing. It is root's alone, and so is the one above it.
fn directory() -> Result<OwnedFd, StepFault> {
    let records = trust::open_or_make_directory(Path::new(RECORDS)).map_err(own::unfit)?;
    own::insist_on_private(&records, RECORDS, FileType::Directory)?;
    let recordings = own::subdirectory(&records, RECORDS, TERMINAL)?;
    own::insist_on_private(&recordings, RECORDINGS, FileType::Directory)?;
    Ok(recordings)
}

/// As [`directory`], and makes nothing.
fn find_directory() -> Result<Option<OwnedFd>, StepFault> {
    let found = |opened: Result<OwnedFd, Untrusted>, shown| match opened {
        Err(untrusted) if matches!(untrusted.flaw, Flaw::Missing) => Ok(None),
        Err(untrusted) => Err(own::unfit(untrusted)),
        Ok(opened) => {
            own::insist_on_private(&opened, shown, FileType::Directory)?;
            Ok(Some(opened))
        }
    };
    let above = Path::new(RECORDS);
    let Some(records) = found(trust::open_own_directory(above), RECORDS)? else {
        return Ok(None);
    };
    let opened = trust::open_subdirectory(&records, above, Path::new(TERMINAL));
    found(opened, RECORDINGS)
}

/// Refuses where the recordings of a user may come to more than the config allows; `more` is what is to be added.
fn insist_on_room(
    recordings: &OwnedFd,
    uid: u32,
    (more, total): (u64, u64),
) -> Result<(), StepFault> {
    let taken = taken(recordings, uid)?.saturating_add(more);
    if taken <= total {
        return Ok(());
    }
    Err(StepFault::Unfit(format!(
        "the recordings of uid {uid} may come to {}, and record.total is \"{}\"; remove old ones: find {RECORDINGS} -name '{uid}-*' \
         -mtime +30 -delete",
        size(taken),
        size(total)
    )))
}

/// Counts what the recordings of a user take, in bytes. One of a session that is open counts for as much as it may become: that
/// much of it is locked.
fn taken(recordings: &OwnedFd, uid: u32) -> Result<u64, StepFault> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let listed = openat(recordings, ".", flags, Mode::empty())
        .and_then(Dir::new)
        .map_err(failed("list the recordings"))?;
    let own = format!("{uid}-");
    let mut taken: u64 = 0;
    for entry in listed {
        let entry = entry.map_err(failed("list the recordings"))?;
        if !entry.file_name().to_bytes().starts_with(own.as_bytes()) {
            continue;
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(recordings, entry.file_name(), flags, Mode::empty()) {
            // Removed a moment ago.
            Err(Errno::NOENT) => continue,
            opened => opened.map_err(failed("open a recording"))?,
        };
        let length = fstat(&file)
            .map_err(failed("fstat of a recording"))?
            .st_size;
        let may_become = lock::held(&file, 0, 0)?.unwrap_or(0);
        let length = u64::try_from(length).unwrap_or(0).max(BLOCK);
        taken = taken.saturating_add(may_become.max(length));
    }
    Ok(taken)
}
