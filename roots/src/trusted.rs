//! Directories that are reached through those that only root can change: what a jail's root must be.

use std::path::{Path, PathBuf};

use jail::{
    resolve::openat2,
    trust::{Flaw, open_directory, open_host_root},
};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, fstat, unlinkat};

use crate::{fault::Fault, tree::Tree};

impl Tree {
    /// Opens a directory that is root's alone, as is every directory above it: what a jail's root must be.
    ///
    /// # Errors
    /// The component that is not, and the command that mends it.
    pub fn open(path: &Path) -> Result<Tree, Fault> {
        let directory = open_directory(path);
        let directory = directory.map_err(|flaw| {
            Fault::Failed(match flaw.flaw {
                // It was named on the command line, and no config has a part in it.
                Flaw::Missing => format!(
                    "open {}: {} does not exist",
                    path.display(),
                    flaw.component.display()
                ),
                _ => format!("open {flaw}"),
            })
        })?;
        Ok(Tree::new(directory, path))
    }

    /// Opens a directory that is root's and writable by nobody else, whoever has the directories above it. No link is followed on
    /// the way, so that whoever has those can lead to a directory of root's that is below them already, and to no other.
    ///
    /// # Errors
    /// It is missing, behind a link, or not root's alone.
    pub fn open_below_others(path: &Path) -> Result<Tree, Fault> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let opened = openat2(CWD, path, flags, Mode::empty(), resolve)
            .and_then(|directory| Ok((fstat(&directory)?, directory)));
        let (stat, directory) = opened.map_err(Fault::io("open", path))?;
        if stat.st_uid != 0 || stat.st_mode & 0o022 != 0 {
            return Err(Fault::Failed(format!(
                "write to {}: it belongs to uid {} and has mode {:04o}; choose a directory that is root's and that nobody else can write to",
                path.display(),
                stat.st_uid,
                stat.st_mode & 0o7777
            )));
        }
        Ok(Tree::new(directory, path))
    }

    /// Opens the directory that a path is in, which may be the host's root directory.
    ///
    /// # Errors
    /// As [`Tree::open`].
    pub fn open_above(path: &Path) -> Result<Tree, Fault> {
        match path.parent() {
            Some(parent) if parent != Path::new("/") => Tree::open(parent),
            _ => {
                let root = open_host_root();
                let root = root.map_err(|flaw| Fault::Failed(format!("open {flaw}")))?;
                Ok(Tree::new(root, Path::new("/")))
            }
        }
    }

    /// Does what [`Tree::open_above`] does, and makes what is missing on the way, root's and mode 0755. What it has made
    /// is added to `made`, whatever comes of it.
    ///
    /// # Errors
    /// As [`Tree::open`], of what is there; mkdirat(2).
    pub fn make_above(path: &Path, made: &mut Vec<PathBuf>) -> Result<Tree, Fault> {
        let parent = path.parent().unwrap_or(Path::new("/"));
        while parent != Path::new("/") {
            // Each component is looked at anew: only what could be trusted up to here is built on.
            let missing = match open_directory(parent) {
                Err(flaw) if flaw.flaw == Flaw::Missing && !made.contains(&flaw.component) => {
                    flaw.component
                }
                _ => break,
            };
            let name = missing.file_name().unwrap_or_default();
            Tree::open_above(&missing)?.make_directory(Path::new(name), 0o755)?;
            made.push(missing);
        }
        Tree::open_above(path)
    }

    /// Removes directories that [`Tree::make_above`] has made, as far as nobody has put anything into them since.
    pub fn remove_above(made: &[PathBuf]) {
        for directory in made.iter().rev() {
            let name = Path::new(directory.file_name().unwrap_or_default());
            let removed = Tree::open_above(directory).map(|above| {
                let place = above.place(name)?;
                unlinkat(&place.directory, &place.name, AtFlags::REMOVEDIR)
            });
            // What is left is an empty directory of root's, or in use.
            if !matches!(removed, Ok(Ok(()))) {
                return;
            }
        }
    }
}
