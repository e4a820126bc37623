//! The four files of accounts, under the locks that the host's programs take, and replaced each at once.
//!
//! The locks are those of lckpwdf(3) and of shadow-utils: a lock on `/etc/.pwd.lock`, and for each file a hard link
//! `/etc/passwd.lock` to a file with the pid of its owner. A copy of each file from before stays as `/etc/passwd-`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process, thread,
    time::{Duration, Instant},
};

use jail_roots::tree::Tree;
use rustix::{
    fs::{FlockOperation, fcntl_lock},
    io::Errno,
    process::{Pid, test_kill_process},
};

use super::database::{Aging, Files};
use crate::{
    accounts::{
        edit::{create, target_of, with_suffix},
        login_defs::LoginDefs,
    },
    failure::Failure,
    setup::{
        accounts::{GROUP, GSHADOW, PASSWD, SHADOW},
        file,
    },
    shell,
};

const PASSWORD_LOCK: &str = "/etc/.pwd.lock";

/// How long other programs are waited for: lckpwdf(3).
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(50);

/// Reads the four files.
pub(super) fn read() -> Result<Files, Failure> {
    let text = |path: &str| {
        let missing = || Failure::Failed(format!("{path} is missing; run: pwconv"));
        file::read(Path::new(path))?.ok_or_else(missing)
    };
    Ok(Files {
        passwd: text(PASSWD)?,
        shadow: text(SHADOW)?,
        group: text(GROUP)?,
        gshadow: file::read(Path::new(GSHADOW))?,
    })
}

/// Gives how long passwords are valid by login.defs(5), from today on.
pub(super) fn aging() -> Aging {
    let defs = LoginDefs::read();
    let days = |keyword: &str, default: u32| defs.number(keyword).unwrap_or(default);
    let seconds = jiff::Timestamp::now().as_second();
    Aging {
        today: seconds / (24 * 60 * 60),
        least: days("PASS_MIN_DAYS", 0),
        most: days("PASS_MAX_DAYS", 99_999),
        warning: days("PASS_WARN_AGE", 7),
    }
}

/// The right to change the four files, as long as it lives.
#[derive(Debug)]
pub(super) struct Locked {
    /// A lock of fcntl(2): closed, it is gone.
    _password_lock: File,
    links: Vec<PathBuf>,
}

impl Locked {
    /// Waits until no other program changes accounts.
    ///
    /// # Errors
    /// One does for longer than 15 seconds.
    pub(super) fn take() -> Result<Locked, Failure> {
        let end = Instant::now() + PATIENCE;
        let path = Path::new(PASSWORD_LOCK);
        let failed = |error: io::Error| Failure::io("lock", path, &error);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0))
            .open(path)
            .map_err(failed)?;
        loop {
            match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::AGAIN | Errno::ACCESS) if Instant::now() < end => thread::sleep(PAUSE),
                Err(Errno::AGAIN | Errno::ACCESS) => return Err(busy(path)),
                Err(errno) => return Err(failed(errno.into())),
            }
        }
        let mut locked = Locked {
            _password_lock: file,
            links: Vec::new(),
        };
        for file in [PASSWD, SHADOW, GROUP, GSHADOW] {
            locked.link(Path::new(file), end)?;
            remove_left(Path::new(file))?;
        }
        Ok(locked)
    }

    /// Takes the lock of one file. One of a process that has ended is removed.
    fn link(&mut self, file: &Path, end: Instant) -> Result<(), Failure> {
        let lock = with_suffix(file, ".lock");
        let own = with_suffix(file, &format!(".{}", process::id()));
        let failed = |error: &io::Error| Failure::io("lock", file, error);
        drop(fs::remove_file(&own));
        let pid = format!("{}\0", process::id());
        if let Err(error) = create(&own, pid.as_bytes()) {
            drop(fs::remove_file(&own));
            return Err(failed(&error));
        }
        let linked = loop {
            match fs::hard_link(&own, &lock) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => match owner(&lock) {
                    Some(pid) if is_gone(pid) => drop(fs::remove_file(&lock)),
                    _ if Instant::now() < end => thread::sleep(PAUSE),
                    _ => break Err(error),
                },
                other => break other,
            }
        };
        drop(fs::remove_file(&own));
        linked.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => busy(&lock),
            _ => failed(&error),
        })?;
        self.links.push(lock);
        Ok(())
    }

    /// Replaces the files that differ. An account comes last into passwd(5), and goes first: until all is written, nobody
    /// logs in by half of it.
    pub(super) fn write(&self, old: &Files, new: &Files) -> Result<(), Failure> {
        let gshadow = old.gshadow.as_deref().zip(new.gshadow.as_deref());
        let mut all = vec![
            (GROUP, Some((old.group.as_str(), new.group.as_str()))),
            (GSHADOW, gshadow),
            (SHADOW, Some((old.shadow.as_str(), new.shadow.as_str()))),
            (PASSWD, Some((old.passwd.as_str(), new.passwd.as_str()))),
        ];
        if new.passwd.len() < old.passwd.len() {
            all.reverse();
        }
        for (path, texts) in all {
            if let Some((_, new)) = texts.filter(|(old, new)| old != new) {
                replace(Path::new(path), new)?;
            }
        }
        forget_cached();
        Ok(())
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        for link in &self.links {
            drop(fs::remove_file(link));
        }
    }
}

/// Says that another program has the accounts locked.
fn busy(lock: &Path) -> Failure {
    Failure::Failed(format!(
        "lock the accounts: another program has held {} for {} seconds",
        lock.display(),
        PATIENCE.as_secs()
    ))
}

/// Gives the pid in a lock.
fn owner(lock: &Path) -> Option<i32> {
    let text = fs::read_to_string(lock).ok()?;
    text.trim_end_matches(['\0', '\n']).parse().ok()
}

/// Removes what programs have left that were killed while they had a lock, which is held now, or while they waited for it.
fn remove_left(file: &Path) -> Result<(), Failure> {
    file::remove(&with_suffix(&target_of(file)?, "+"))?;
    let directory = file.parent().unwrap_or(Path::new("/"));
    let listed = fs::read_dir(directory);
    let listed = listed.map_err(|error| Failure::io("read", directory, &error))?;
    for path in listed.flatten().map(|it| it.path()) {
        let pid = path
            .extension()
            .and_then(|it| it.to_str()?.parse::<i32>().ok());
        let is_lock = |pid: i32| {
            let has_pid = owner(&path) == Some(pid);
            // The disk was full.
            let is_empty = || path.symlink_metadata().is_ok_and(|it| it.len() == 0);
            is_gone(pid) && (has_pid || is_empty())
        };
        if path.with_extension("") == file && pid.is_some_and(is_lock) {
            file::remove(&path)?;
        }
    }
    Ok(())
}

fn is_gone(pid: i32) -> bool {
    Pid::from_raw(pid).is_none_or(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

/// Replaces a file at once, and keeps a copy of the old one behind the name with a `-`.
fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let path = &target_of(path)?;
    drop(Tree::open_above(path)?);
    let old = file::read(path)?.unwrap_or_default();
    for (suffix, text) in [("-", old.as_str()), ("+", text)] {
        let new = with_suffix(path, suffix);
        file::remove(&new)?;
        let written = file::write_like(&new, text, path).and_then(|file| file.sync_all());
        if let Err(error) = written {
            file::remove(&new)?;
            return Err(Failure::io("write", &new, &error));
        }
    }
    fs::rename(with_suffix(path, "+"), path)
        .map_err(|error| Failure::io("replace", path, &error))?;
    file::sync_above(path)
}

/// Lets caches of accounts read the files again, where there are some.
fn forget_cached() {
    for (program, arguments) in [
        ("nscd", ["-i", "passwd"].as_slice()),
        ("nscd", &["-i", "group"]),
        ("sss_cache", &["-U", "-G"]),
    ] {
        // Without a cache there is nothing to forget.
        drop(shell::ask(program, arguments));
    }
}
