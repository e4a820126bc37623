//! The root directory of a process, as programs are looked for in it: its links lead nowhere outside.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::Read,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Component, Path, PathBuf},
};

use nix::errno::Errno;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, readlinkat};

use super::fault::ProgramFault;
use crate::{fault::errno_of, process::elf, resolve::openat2, trust::kind};

/// How many links are followed: MAXSYMLINKS in Linux.
const MOST_LINKS: usize = 40;

/// The part of ld.so.conf and ld.so.cache that is read, in bytes.
const LARGEST_CACHE: u64 = 4 * 1024 * 1024;

/// The root in which programs are looked for.
#[derive(Debug)]
pub struct Root {
    descriptor: OwnedFd,
    /// LD_LIBRARY_PATH, as what is started will have it.
    pub(super) library_path: Vec<PathBuf>,
}

impl Root {
    /// Takes the root directory of this process; `library_path` is LD_LIBRARY_PATH in the new environment.
    ///
    /// # Errors
    /// It can't be opened.
    pub fn current(library_path: Option<&OsStr>) -> Result<Root, ProgramFault> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptor = openat2(
            rustix::fs::CWD,
            "/",
            flags,
            Mode::empty(),
            ResolveFlags::empty(),
        )
        .map_err(|errno| ProgramFault::Root(errno_of(errno)))?;
        let library_path = library_path.map(elf::search_path).unwrap_or_default();
        Ok(Root {
            descriptor,
            library_path,
        })
    }

    /// Follows a program that is a link, as far as there are links. What it leads to need not be there.
    pub(crate) fn leads_to(&self, program: &Path) -> PathBuf {
        let mut current = program.to_owned();
        for _ in 0..MOST_LINKS {
            let link = self.open_with(&current, OFlags::PATH | OFlags::NOFOLLOW);
            // Fails for what is no link.
            let Some(to) = link
                .ok()
                .and_then(|link| readlinkat(&link, c"", Vec::new()).ok())
            else {
                break;
            };
            // The kernel resolves "..", so the directory stays as it is written.
            let to = Path::new(OsStr::from_bytes(to.to_bytes()));
            current = current.parent().unwrap_or(Path::new("/")).join(to);
        }
        current
    }

    /// Opens each directory that decides what a path leads to, those that links lead through among them. A path that leads
    /// nowhere gives those up to there.
    pub(super) fn leading_to(&self, path: &Path) -> Vec<OwnedFd> {
        let directory = |at: &Path| self.open_with(at, OFlags::PATH | OFlags::DIRECTORY);
        let mut passed = Vec::new();
        let mut reached = PathBuf::from("/");
        let mut ahead: Vec<OsString> = names_reversed(path);
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            let Ok(above) = directory(&reached) else {
                break;
            };
            passed.push(above);
            if name == ".." {
                reached.pop();
                continue;
            }
            let next = reached.join(&name);
            let link = self.open_with(&next, OFlags::PATH | OFlags::NOFOLLOW);
            let to = link
                .ok()
                .and_then(|link| readlinkat(&link, c"", Vec::new()).ok());
            let Some(to) = to else {
                reached = next;
                continue;
            };
            links += 1;
            if links > MOST_LINKS {
                break;
            }
            let to = Path::new(OsStr::from_bytes(to.to_bytes()));
            if to.is_absolute() {
                reached = PathBuf::from("/");
            }
            ahead.extend(names_reversed(to));
        }
        passed
    }

    /// Takes another directory as root, which must be open.
    pub(crate) fn at(descriptor: OwnedFd) -> Root {
        Root {
            descriptor,
            library_path: Vec::new(),
        }
    }

    pub(super) fn missing(&self, program: PathBuf, errno: Errno) -> ProgramFault {
        let link = self
            .open_with(&program, OFlags::PATH | OFlags::NOFOLLOW)
            .ok()
            .and_then(|link| readlinkat(&link, c"", Vec::new()).ok());
        match (errno, link) {
            (Errno::ENOENT, Some(to)) => {
                let to = PathBuf::from(OsStr::from_bytes(to.to_bytes()));
                ProgramFault::Dangling(program, to)
            }
            _ => ProgramFault::Missing(program, errno),
        }
    }

    /// Tells whether there is something of this path inside.
    #[must_use]
    pub fn has(&self, path: &Path) -> bool {
        self.open_with(path, OFlags::PATH).is_ok()
    }

    pub(super) fn open(&self, path: &Path) -> Result<OwnedFd, Errno> {
        self.open_with(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)
    }

    /// Opens a path as it is seen inside, links followed inside only.
    fn open_with(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        openat2(
            self.descriptor.as_fd(),
            path,
            flags | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
        )
        .map_err(errno_of)
    }

    pub(crate) fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let file = regular(self.open(path).ok()?).ok()??;
        let mut text = Vec::new();
        file.take(LARGEST_CACHE).read_to_end(&mut text).ok()?;
        Some(text)
    }
}

/// Lists the names in a path, the last one first.
fn names_reversed(path: &Path) -> Vec<OsString> {
    let names = path
        .components()
        .rev()
        .filter(|it| matches!(it, Component::Normal(_) | Component::ParentDir));
    names.map(|it| it.as_os_str().to_owned()).collect()
}

/// Gives a regular file; nothing for one that can't be examined; an error, with what it is, for any other kind.
pub(super) fn regular(file: OwnedFd) -> Result<Option<File>, &'static str> {
    let Ok(stat) = fstat(&file) else {
        return Ok(None);
    };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(Some(File::from(file))),
        other => Err(kind(other)),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use super::Root;

    #[test]
    fn links_are_followed_in_the_root() {
        let base = std::env::temp_dir().join(format!("jail-program-{}", std::process::id()));
        fs::create_dir_all(base.join("usr/bin")).unwrap();
        fs::create_dir_all(base.join("usr/etc")).unwrap();
        symlink("usr/bin", base.join("bin")).unwrap();
        symlink("/bin/second", base.join("usr/bin/first")).unwrap();
        symlink("../etc/third", base.join("usr/bin/second")).unwrap();
        symlink("/bin/bash", base.join("usr/etc/third")).unwrap();
        fs::write(base.join("usr/bin/bash"), "").unwrap();
        symlink("circle", base.join("usr/bin/circle")).unwrap();
        let root = Root {
            descriptor: fs::File::open(&base).unwrap().into(),
            library_path: Vec::new(),
        };
        let names = ["/bin/first", "/bin/bash", "/bin/circle", "/bin/none"];
        let seen = names.map(|name| root.leads_to(Path::new(name)));
        fs::remove_dir_all(&base).unwrap();
        let expected = ["/bin/bash", "/bin/bash", "/bin/circle", "/bin/none"];
        assert_eq!(seen, expected.map(std::path::PathBuf::from));
    }
}
