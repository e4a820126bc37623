//! What starting a program takes of a root: what is executed, and what is loaded.
//!
//! Unlike the other looks at a program, this one is root's: only files that root alone can write are read.

use std::{
    ffi::OsStr,
    fs::File,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::fs::fstat;

use super::{
    libraries::{self, Places},
    root::{Root, regular},
};
use crate::{
    fault::{StepFault, failed},
    plan::world::Executables,
    process::{elf, script},
    trust::check_owner_and_mode,
};

/// The module of the name service that a C library before glibc 2.34 loads for /etc/passwd.
const NAME_SERVICE: &str = "libnss_files.so.2";

/// A file that a program takes.
#[derive(Debug)]
pub(crate) struct Needed {
    /// Its path in the root.
    pub(crate) path: PathBuf,
    /// It, open for reading.
    pub(crate) file: File,
    /// What becomes of it.
    pub(crate) how: How,
}

/// What becomes of a file that a program takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// It is executed: the program, its interpreter, or the loader.
    Executed,
    /// It is loaded as a library.
    Loaded,
}

impl Root {
    /// Lists the files that these programs take. What is not there is left out: whoever asks for it is refused by name later.
    ///
    /// # Errors
    /// Others than root can write one of them.
    pub(crate) fn needed(&self, wanted: &Executables) -> Result<Vec<Needed>, StepFault> {
        let mut needed = Vec::new();
        for paths in &wanted.programs {
            if let Some(program) = paths.iter().find(|path| self.has(path)) {
                self.add(program, &mut needed)?;
            }
        }
        Ok(needed)
    }

    /// Adds a program and, through `#!` lines, what it is run by.
    fn add(&self, program: &Path, needed: &mut Vec<Needed>) -> Result<(), StepFault> {
        let mut current = program.to_owned();
        for _ in 0..script::DEEPEST {
            let Some(file) = self.trusted(&current)? else {
                return Ok(());
            };
            let script = script::interpreter_of(&file);
            let object = elf::read_native(&file);
            needed.push(Needed {
                path: current.clone(),
                file,
                how: How::Executed,
            });
            if let Some(interpreter) = script {
                current = interpreter;
                continue;
            }
            let interpreter = object.as_ref().and_then(|it| it.interpreter.clone());
            if let (Some(object), Some(interpreter)) = (object, interpreter.map(PathBuf::from)) {
                let search =
                    |places| libraries::search(self, &interpreter, &current, &object, places);
                let libraries = search(Places::All).found;
                let name_service = libraries.first().and_then(|path| path.parent());
                let name_service = name_service.map(|it| it.join(OsStr::new(NAME_SERVICE)));
                self.add_files([interpreter], How::Executed, needed)?;
                self.add_files(
                    libraries.into_iter().chain(name_service),
                    How::Loaded,
                    needed,
                )?;
            }
            return Ok(());
        }
        Ok(())
    }

    fn add_files(
        &self,
        paths: impl IntoIterator<Item = PathBuf>,
        how: How,
        needed: &mut Vec<Needed>,
    ) -> Result<(), StepFault> {
        for path in paths {
            if let Some(file) = self.trusted(&path)? {
                needed.push(Needed { path, file, how });
            }
        }
        Ok(())
    }

    /// Opens a regular file that root alone can write and exchange; nothing where there is none.
    fn trusted(&self, path: &Path) -> Result<Option<File>, StepFault> {
        let Ok(opened) = self.open(path) else {
            return Ok(None);
        };
        for above in self.leading_to(path) {
            trust(&above, path, "a directory on the way to it")?;
        }
        trust(&opened, path, "it")?;
        Ok(regular(opened).ok().flatten())
    }
}

/// Insists that what a program takes is root's. `what` of it is examined is said where it is not.
fn trust(opened: &OwnedFd, program: &Path, what: &str) -> Result<(), StepFault> {
    let stat = fstat(opened).map_err(failed("fstat of a program"))?;
    check_owner_and_mode(&stat, None).map_err(|_| {
        StepFault::Unfit(format!(
            "{} in the jail: others than root can write {what}; a list of commands needs programs of root's",
            program.display()
        ))
    })
}
