//! Whether a program can start in a root: it is there, so is its interpreter, so are its libraries.
//!
//! The kernel and the loader report a missing interpreter or library as if the program itself were missing
//! ("/bin/bash: No such file or directory"), so it is looked for here and named. This runs as the user, inside: a
//! file made to harm its reader harms the user only. It never refuses what the loader could find somewhere: the
//! search is wider than the loader's, and a file that can't be read is left to execve(2).

mod expand;
mod fault;
mod libraries;
mod needed;
mod root;

use std::{
    ffi::{CString, OsStr},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use nix::{errno::Errno, unistd::execve};

use super::client;
use crate::{
    plan::{
        allowed::{Direct, SFTP_SERVERS},
        environment::Variable,
        request::{Request, Start, What},
    },
    process::{
        elf::{self, Object},
        script,
    },
};

pub use fault::ProgramFault;
use libraries::Places;
pub use root::Root;
use root::regular;

/// Becomes a program. Returns only with why that failed.
pub(crate) fn execute<'a>(
    start: &Start,
    environment: impl IntoIterator<Item = &'a Variable>,
) -> Errno {
    let strings = || -> Result<_, Errno> {
        let path = c_string(start.program.as_os_str())?;
        let arguments = start.arguments.iter().map(|argument| c_string(argument));
        let environment = environment
            .into_iter()
            .map(|(name, value)| c_string(&[name, OsStr::new("="), value].join(OsStr::new(""))));
        Ok((
            path,
            arguments.collect::<Result<Vec<_>, _>>()?,
            environment.collect::<Result<Vec<_>, _>>()?,
        ))
    };
    let tried = strings()
        .and_then(|(path, arguments, environment)| execve(&path, &arguments, &environment));
    match tried {
        Err(errno) => errno,
    }
}

fn c_string(text: &OsStr) -> Result<CString, Errno> {
    CString::new(text.as_bytes()).map_err(|_| Errno::EINVAL)
}

/// Finds LD_LIBRARY_PATH in an environment.
pub(crate) fn library_path(environment: &[Variable]) -> Option<&OsStr> {
    environment
        .iter()
        .find(|(name, _)| name == "LD_LIBRARY_PATH")
        .map(|(_, value)| value.as_os_str())
}

impl Root {
    /// Finds the sftp-server: where it was asked for, or else where another distribution keeps it.
    #[must_use]
    pub fn sftp_server(&self, asked: &Path) -> Option<PathBuf> {
        std::iter::once(asked)
            .filter(|path| path.is_absolute())
            .chain(SFTP_SERVERS.iter().map(Path::new))
            .find(|path| self.has(path))
            .map(Path::to_owned)
    }

    /// Checks what a request takes of the root: the shell, unless the sftp-server is started without it, and the
    /// sftp-server where that is what was asked for, which it finds. Gives what is to be started.
    ///
    /// # Errors
    /// One of them is not there, or could not work.
    pub(crate) fn check_for(
        &self,
        request: &Request,
        shell: &Path,
        home: &Path,
    ) -> Result<Start, ProgramFault> {
        if let What::Direct(direct) = &request.what {
            return self.check_direct(direct, home);
        }
        let leads_to = self.leads_to(shell);
        if request.options_without_link(shell, &leads_to).is_none() {
            self.check(shell)?;
        }
        let server = self.server_for(&request.what)?;
        Ok(request.start(shell, &leads_to, server.as_deref()))
    }

    /// Finds a program that is started without a shell, and expands its arguments. Where none of its paths is there, the first
    /// is said to be missing.
    fn check_direct(&self, direct: &Direct, home: &Path) -> Result<Start, ProgramFault> {
        let there = direct.paths.iter().find(|path| self.has(path));
        let program = there
            .or(direct.paths.first())
            .map_or(Path::new("/"), PathBuf::as_path);
        self.check(program)?;
        let arguments = direct.arguments.iter();
        let arguments = arguments.flat_map(|word| expand::word(word, home));
        Ok(Start::of(program, arguments))
    }

    fn server_for(&self, what: &What) -> Result<Option<PathBuf>, ProgramFault> {
        let What::Sftp { asked, unsure, .. } = what else {
            return Ok(None);
        };
        if *unsure && !client::speaks_sftp() {
            return Err(ProgramFault::SftpNotWanted);
        }
        let server = self.sftp_server(asked).ok_or(ProgramFault::SftpMissing)?;
        self.check(&server)?;
        // sftp-server ends without a word where this is missing.
        if !self.has(Path::new("/dev/null")) {
            return Err(ProgramFault::SftpWithoutNull);
        }
        Ok(Some(server))
    }

    /// Checks a program, and through `#!` lines the program that it stands for.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub fn check(&self, program: &Path) -> Result<(), ProgramFault> {
        let mut current = program.to_owned();
        for depth in 0..script::DEEPEST {
            let file = match self.open(&current) {
                Ok(file) => file,
                // Executable without being readable: execve(2) has the last word.
                Err(Errno::EACCES) if self.has(&current) => return Ok(()),
                Err(errno) if depth == 0 => return Err(self.missing(current, errno)),
                Err(_) => return Err(ProgramFault::Interpreter(program.to_owned(), current)),
            };
            let Some(file) =
                regular(file).map_err(|kind| ProgramFault::NotRegular(current.clone(), kind))?
            else {
                return Ok(());
            };
            if let Some(interpreter) = script::interpreter_of(&file) {
                current = interpreter;
                continue;
            }
            return match elf::read_native(&file) {
                Some(object) => self.check_dynamic(program, &current, &object),
                None => Ok(()),
            };
        }
        Ok(())
    }

    /// Checks the interpreter and all libraries.
    fn check_dynamic(
        &self,
        program: &Path,
        file: &Path,
        object: &Object,
    ) -> Result<(), ProgramFault> {
        let Some(interpreter) = object.interpreter.as_deref().map(Path::new) else {
            return Ok(());
        };
        if !self.has(interpreter) {
            return Err(ProgramFault::Interpreter(
                program.to_owned(),
                interpreter.to_owned(),
            ));
        }
        let missing = libraries::search(self, interpreter, file, object, Places::One).missing;
        if missing.is_empty() {
            return Ok(());
        }
        Err(ProgramFault::Libraries(program.to_owned(), missing))
    }
}
