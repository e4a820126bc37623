//! What starting a program takes of a root: what is executed, and what is loaded.
//!
//! Unlike the other looks at a program, this one is root's: only files that root alone can write are read.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs::File,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::fs::{StatVfsMountFlags, fstat, fstatvfs};

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

/// Where the interpreter of a script finds what it loads while it runs, as Python its modules and their libraries.
const LOADED_FROM: [&str; 4] = ["/usr/lib", "/usr/lib64", "/lib", "/lib64"];

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
    /// It is executed, and an interpreter reads it.
    Script,
    /// It is loaded as a library.
    Loaded,
}

impl How {
    /// Tells whether it takes the right to be executed.
    pub(crate) fn is_executed(self) -> bool {
        self != How::Loaded
    }
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

    /// Opens the directories from which scripts among these files load something. Only directories that the session can't
    /// write to are given: what is loaded is executed, too.
    ///
    /// # Errors
    /// The kernel does not say what a directory is.
    pub(crate) fn loaded_from(&self, needed: &[Needed]) -> Result<Vec<OwnedFd>, StepFault> {
        let mut directories = Vec::new();
        let mut known = HashSet::new();
        if needed.iter().all(|it| it.how != How::Script) {
            return Ok(directories);
        }
        for directory in LOADED_FROM
            .iter()
            .filter_map(|it| self.open(Path::new(it)).ok())
        {
            let stat = fstat(&directory).map_err(failed("fstat of a library directory"))?;
            let mount = fstatvfs(&directory).map_err(failed("fstatfs of a library directory"))?;
            // Often one is a link to another.
            let is_new = known.insert((stat.st_dev, stat.st_ino));
            let is_read_only = mount.f_flag.contains(StatVfsMountFlags::RDONLY);
            if is_new && is_read_only && check_owner_and_mode(&stat, None).is_ok() {
                directories.push(directory);
            }
        }
        Ok(directories)
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
                how: match script {
                    Some(_) => How::Script,
                    None => How::Executed,
                },
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
            "{} in the jail: others than root can write {what}; what commands, sftp.log or record starts alone must be root's",
            program.display()
        ))
    })
}
