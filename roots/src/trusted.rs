//! Directories that are reached through those that only root can change: what a jail's root must be.

use std::path::{Path, PathBuf};

use jail::trust::{Flaw, open_directory, open_host_root};
use rustix::fs::{AtFlags, unlinkat};

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
