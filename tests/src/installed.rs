//! What every sandbox has besides the machine's own files: login-jail, installed by `make install`, and keys for ssh. Both
//! are made once for what is built, below `target/`, and copied into each sandbox.

use std::fs::{self, DirBuilder, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rustix::fs::{FlockOperation, flock};

/// Where commands of the sandbox are found.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Keys and host keys: a place that no user and no jail writes to.
pub(crate) const KEYS: &str = "/etc/ssh/sandbox";

/// The files that belong to an installation, at their places below a directory.
#[derive(Debug)]
struct Installed {
    directory: PathBuf,
    /// Held until the process ends: nobody removes the directory before.
    _lock: File,
}

/// Gives the directory whose files a sandbox starts with.
///
/// # Panics
/// A program is not built, or can't be installed.
pub(crate) fn installed() -> &'static Path {
    static INSTALLED: OnceLock<Installed> = OnceLock::new();
    &INSTALLED.get_or_init(Installed::find_or_make).directory
}

impl Installed {
    fn find_or_make() -> Self {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        // "caps": the suites run again with file capabilities in place of the set-user-ID bit.
        let privilege = std::env::var("LOGIN_JAIL_PRIVILEGE");
        let privilege = privilege.unwrap_or_else(|_| "setuid".to_owned());
        let all = repository.join("target/installed");
        let name = format!("{privilege}-{:016x}", fingerprint(&repository));
        // Set-user-ID programs are in there: no user of the host gets to them.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&all)
            .unwrap_or_else(|error| panic!("make {}: {error}", all.display()));
        Self::find(&all.join(&name)).unwrap_or_else(|| {
            let made = Self::make(&repository, &all, &name, &privilege);
            remove_others(&all, &name);
            made
        })
    }

    fn find(directory: &Path) -> Option<Self> {
        let lock = File::open(directory).ok()?;
        flock(&lock, FlockOperation::LockShared).ok()?;
        // Whoever removes one has renamed it before.
        let is_there = fs::metadata(directory).is_ok_and(|it| is_same(&it, &lock));
        is_there.then(|| Self {
            directory: directory.to_owned(),
            _lock: lock,
        })
    }

    /// Makes the directory under another name, so that it is complete once it has its own.
    fn make(repository: &Path, all: &Path, name: &str, privilege: &str) -> Self {
        let partial = all.join(format!("partial-{}", std::process::id()));
        let lock = fs::remove_dir_all(&partial)
            .or_else(none_there)
            .and_then(|()| fs::create_dir(&partial))
            .and_then(|()| File::open(&partial))
            .unwrap_or_else(|error| panic!("make {}: {error}", partial.display()));
        flock(&lock, FlockOperation::LockShared).expect("lock a directory");
        run(Command::new("make")
            .args(["-s", "-C"])
            .arg(repository)
            .args(["install", &format!("PRIVILEGE={privilege}")])
            .arg(format!("DESTDIR={}", partial.display())));
        let keys = partial.join(KEYS.trim_start_matches('/'));
        fs::create_dir_all(&keys).expect("make a directory for keys");
        for key in ["host", "client"] {
            run(Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(keys.join(key)));
        }
        let directory = all.join(name);
        match fs::rename(&partial, &directory) {
            Ok(()) => Self {
                directory,
                _lock: lock,
            },
            // Another process was faster.
            Err(error) => {
                fs::remove_dir_all(&partial).expect("remove what another process has made");
                Self::find(&directory)
                    .unwrap_or_else(|| panic!("rename to {}: {error}", directory.display()))
            }
        }
    }
}

/// Tells one state of what `make install` installs from another, by sizes and times.
fn fingerprint(repository: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    for built in [
        "target/setuid/jail-shell",
        "target/module/libpam_jail.so",
        "target/tool/jailctl",
        "target/tool/stand-in",
    ] {
        let built = repository.join(built);
        assert!(
            built.exists(),
            "{} is missing: run `make build` first",
            built.display()
        );
        hash(&built, &mut hasher);
    }
    for part in ["Makefile", "packaging", "docs"] {
        hash(&repository.join(part), &mut hasher);
    }
    hasher.finish()
}

fn hash(path: &Path, hasher: &mut DefaultHasher) {
    let stat = fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    (
        path,
        stat.mode(),
        stat.size(),
        stat.mtime(),
        stat.mtime_nsec(),
    )
        .hash(hasher);
    if stat.is_dir() {
        let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            hash(&path, hasher);
        }
    }
}

/// Removes what no process uses any more.
fn remove_others(all: &Path, name: &str) {
    for entry in fs::read_dir(all).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_another = entry.file_name() != name;
        if is_another
            && let Ok(directory) = File::open(&path)
            && flock(&directory, FlockOperation::NonBlockingLockExclusive).is_ok()
        {
            let gone = all.join(format!("gone-{}", std::process::id()));
            let renamed = fs::rename(&path, &gone);
            renamed.and_then(|()| fs::remove_dir_all(&gone)).ok();
        }
    }
}

fn is_same(stat: &fs::Metadata, file: &File) -> bool {
    let other = file.metadata();
    other.is_ok_and(|other| (stat.dev(), stat.ino()) == (other.dev(), other.ino()))
}

fn none_there(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}

#[track_caller]
fn run(command: &mut Command) {
    let command = command.env_clear().env("PATH", PATH).env("HOME", "/root");
    let done = command.output();
    let done = done.unwrap_or_else(|error| panic!("start {command:?}: {error}"));
    assert!(
        done.status.success(),
        "{command:?}: {}\n{}",
        done.status,
        String::from_utf8_lossy(&done.stderr)
    );
}
