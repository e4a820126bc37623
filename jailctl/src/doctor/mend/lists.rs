//! The host's lists of who may use what, and what already waits for a user there: cron, at, systemd, /etc/shells.
//!
//! A file of /etc is replaced at once; the old one stays beside it, with `~` behind its name.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use jail::trust;
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, openat, statat, unlinkat},
    io::Errno,
};

use crate::{
    accounts::{
        account::Jailed,
        edit::{self, Lock},
        host_text,
    },
    doctor::{
        check::{Denial, denial, is_jail_shell_line},
        mend::{
            Extent, Kind,
            reach::{failed, open_entry},
        },
    },
    failure::Failure,
    shell::{self, shown},
};

/// Where crontabs and jobs of at(1) wait, in Debian and elsewhere: a directory of root's, and the name in it.
const CRONTABS: [(&str, &str); 2] = [("/var/spool/cron", "crontabs"), ("/var/spool", "cron")];
const AT_JOBS: [(&str, &str); 2] = [("/var/spool/cron", "atjobs"), ("/var/spool", "at")];

const SHELLS: &str = "/etc/shells";
const LINGER: &str = "/var/lib/systemd/linger";

/// The longest crontab that is kept, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// Mends what the host's services would do for a user outside of the jail.
pub(crate) fn mend(kind: Kind, jailed: &Jailed, extent: Extent) -> Result<Vec<String>, Failure> {
    match kind {
        Kind::Crontab => crontab(jailed, extent),
        Kind::AtJobs => at_jobs(jailed, extent),
        Kind::Linger => linger(jailed, extent),
        _ => deny(kind, jailed, extent),
    }
}

/// Takes a user out of the list of those who may, or puts them into the list of those who may not.
fn deny(kind: Kind, jailed: &Jailed, extent: Extent) -> Result<Vec<String>, Failure> {
    let Some(Denial { file, adds, .. }) = denial(kind, jailed)? else {
        return Ok(Vec::new());
    };
    let name = jailed.identity.name.to_string_lossy();
    let path = Path::new(file);
    rewrite(path, extent, |text| {
        if !adds {
            return without_lines(text, |line| line.trim() == name);
        }
        let end = if text.is_empty() || text.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        format!("{text}{end}{name}\n")
    })?;
    let name = shown(&jailed.identity.name);
    Ok(vec![if adds {
        format!("{file}: lists {name} now")
    } else {
        format!("{file}: does not list {name} any more")
    }])
}

/// Takes jail-shell out of the list of shells.
pub(crate) fn shells(extent: Extent) -> Result<Vec<String>, Failure> {
    let path = Path::new(SHELLS);
    let changed = rewrite(path, extent, |text| without_lines(text, is_jail_shell_line))?;
    Ok(changed
        .then(|| format!("{SHELLS}: does not list jail-shell any more"))
        .into_iter()
        .collect())
}

fn without_lines(text: &str, is_out: impl Fn(&str) -> bool) -> String {
    text.split_inclusive('\n')
        .filter(|line| !is_out(line))
        .collect()
}

/// Replaces a file of /etc by what is made of its text. Tells whether that is something else.
fn rewrite(path: &Path, extent: Extent, edited: impl Fn(&str) -> String) -> Result<bool, Failure> {
    let _lock = Lock::take()?;
    let text = match host_text::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Failure::io("read", path, &error)),
    };
    let new = edited(&text);
    if new == text {
        return Ok(false);
    }
    if extent == Extent::DryRun {
        return Ok(true);
    }
    if path.symlink_metadata().is_ok() {
        edit::replace(path, &new)?;
        return Ok(true);
    }
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(path)
        .and_then(|mut file| file.write_all(&host_text::bytes_of(&new)));
    written.map_err(|error| Failure::io("write", path, &error))?;
    Ok(true)
}

/// A directory of the spool, into which others may write, but where they may not exchange what is another's.
struct Spool {
    directory: rustix::fd::OwnedFd,
    path: PathBuf,
}

impl Spool {
    /// Opens those of these places that there are.
    fn all(places: [(&str, &str); 2]) -> Result<Vec<Spool>, Failure> {
        let opened = places.map(|(above, name)| Spool::open(above, name));
        opened.into_iter().filter_map(Result::transpose).collect()
    }

    fn open(above: &str, name: &str) -> Result<Option<Spool>, Failure> {
        let path = Path::new(above).join(name);
        let above = match trust::open_directory(Path::new(above)) {
            Err(untrusted) if untrusted.flaw == trust::Flaw::Missing => return Ok(None),
            opened => opened.map_err(|untrusted| Failure::Failed(format!("open {untrusted}")))?,
        };
        match open_entry(&above, name.as_ref()) {
            Err(Errno::NOENT) => return Ok(None),
            opened => drop(opened.map_err(failed("open", &path))?),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory =
            openat(&above, name, flags, Mode::empty()).map_err(failed("open", &path))?;
        Ok(Some(Spool { directory, path }))
    }

    fn stat(&self, name: &Path) -> Result<Option<Stat>, Failure> {
        match statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(failed("examine", &self.path.join(name))(errno)),
        }
    }

    /// Opens a file that was looked at.
    fn read(&self, name: &Path, stat: &Stat) -> Result<File, Failure> {
        let path = self.path.join(name);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = openat(&self.directory, name, flags, Mode::empty());
        let opened = opened.map_err(failed("open", &path))?;
        let same = fstat(&opened).map_err(failed("examine", &path))?;
        if (same.st_dev, same.st_ino) != (stat.st_dev, stat.st_ino) {
            return Err(Failure::Failed(format!(
                "{} was exchanged meanwhile",
                shown(&path)
            )));
        }
        Ok(File::from(opened))
    }

    fn remove(&self, name: &Path) -> Result<(), Failure> {
        unlinkat(&self.directory, name, AtFlags::empty())
            .map_err(failed("remove", &self.path.join(name)))
    }
}

/// Moves a crontab to root's home. Not by crontab -r, which obeys the lists of who may have one, even for root.
fn crontab(jailed: &Jailed, extent: Extent) -> Result<Vec<String>, Failure> {
    let name = Path::new(&jailed.identity.name);
    let mut changes = Vec::new();
    for spool in Spool::all(CRONTABS)? {
        let Some(stat) = spool.stat(name)? else {
            continue;
        };
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        // A user may be called as the directory is.
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            continue;
        }
        let from = spool.path.join(name);
        let to = PathBuf::from(format!(
            "/root/crontab.{}",
            jailed.identity.name.to_string_lossy()
        ));
        if extent == Extent::Whole {
            // What is no file is nobody's crontab, and goes without being read.
            if is_file {
                keep(spool.read(name, &stat)?, &to)?;
            }
            spool.remove(name)?;
        }
        changes.push(format!("{}: moved to {}", shown(&from), shown(&to)));
    }
    Ok(changes)
}

/// Writes what is read to a new file of root's; an older one of the name stays beside it.
fn keep(from: File, to: &Path) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::io("write", to, &error);
    match fs::rename(to, edit::with_suffix(to, "~")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(failed)?;
    io::copy(&mut from.take(LONGEST), &mut file).map_err(failed)?;
    file.sync_all().map_err(failed)
}

/// Removes jobs of at(1) that wait.
fn at_jobs(jailed: &Jailed, extent: Extent) -> Result<Vec<String>, Failure> {
    let mut changes = Vec::new();
    for spool in Spool::all(AT_JOBS)? {
        let listed = fs::read_dir(&spool.path);
        let listed = listed.map_err(|error| Failure::io("read", &spool.path, &error))?;
        for entry in listed.flatten() {
            let name = PathBuf::from(entry.file_name());
            let is_job = |stat: &Stat| {
                FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
                    && stat.st_uid == jailed.identity.uid
                    && !name.as_os_str().as_encoded_bytes().starts_with(b".")
            };
            if spool.stat(&name)?.as_ref().is_some_and(is_job) {
                if extent == Extent::Whole {
                    spool.remove(&name)?;
                }
                changes.push(format!("{}: removed", shown(spool.path.join(&name))));
            }
        }
    }
    Ok(changes)
}

/// Ends lingering.
fn linger(jailed: &Jailed, extent: Extent) -> Result<Vec<String>, Failure> {
    let name = Path::new(&jailed.identity.name);
    let path = Path::new(LINGER).join(name);
    if path.symlink_metadata().is_err() {
        return Ok(Vec::new());
    }
    if extent == Extent::Whole {
        if Path::new("/run/systemd/system").exists() {
            let user = jailed.identity.name.to_string_lossy();
            let answer = shell::ask("loginctl", &["disable-linger", "--", &user])?;
            if !answer.is_some_and(|answer| answer.status.success()) {
                return Err(Failure::Failed(format!(
                    "loginctl disable-linger {}: it failed",
                    shown(&*user)
                )));
            }
        } else {
            let above = trust::open_directory(Path::new(LINGER));
            let above = above.map_err(|untrusted| Failure::Failed(format!("open {untrusted}")))?;
            unlinkat(above, name, AtFlags::empty()).map_err(failed("remove", &path))?;
        }
    }
    Ok(vec![format!("{}: does not linger any more", jailed.name())])
}

#[cfg(test)]
mod tests {
    use super::without_lines;

    #[test]
    fn only_whole_lines_go() {
        let text = "ann\n annette\n ann \nann";
        assert_eq!(
            without_lines(text, |line| line.trim() == "ann"),
            " annette\n"
        );
    }
}
