//! What a host program does behind pam_jail.so once the session is open: it takes the user's ids by itself, and starts the
//! login shell that the account database names. Both as in a jail of its own process, as the module leaves it.

use std::{
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt,
    path::Path,
    process::Command,
};

use jail::{
    account::identity::Identity,
    door::{host_program::Confined, refusal::Refusal},
    plan::process::Ids,
};
use nix::errno::Errno;
use rustix::process::chdir;

/// The name of this stage in a refusal.
const GUEST: &str = "host-program";

/// What login(1), su(1) and sshd set: no variable of the caller's comes in but TERM.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A session that is in its jail and has the user's ids.
#[derive(Debug)]
#[must_use = "a process with a user's ids is good for nothing but the user's session"]
pub(crate) struct Guest {
    /// What of the second wall is missing.
    pub(crate) missing: Option<String>,
}

/// Gives up what the host program still has: groups first, for they take the right of uid 0, which comes last.
///
/// # Errors
/// The ids did not come into force, or could be had back; or the user may not search the root directory, where nothing
/// of theirs would start.
pub(crate) fn take_ids(confined: &Confined, identity: &Identity) -> Result<Guest, Refusal> {
    Ids::of(identity)
        .assume()
        .map_err(|fault| Refusal::Step(GUEST, fault))?;
    rustix::fs::access("/", rustix::fs::Access::EXEC_OK).map_err(unsearchable)?;
    Ok(Guest {
        missing: confined.missing().map(str::to_owned),
    })
}

/// Gives the directory that the host's programs start in: `/` for an account whose home is empty.
pub(crate) fn home(identity: &Identity) -> &Path {
    if identity.home.as_os_str().is_empty() {
        Path::new("/")
    } else {
        &identity.home
    }
}

impl Guest {
    /// Becomes the login shell, in the home that the account database names, or in `/` where it is not there. Returns with
    /// why that failed.
    pub(crate) fn start_shell(
        self,
        identity: &Identity,
        command: Option<&OsStr>,
        terminal: Option<OsString>,
    ) -> Refusal {
        let (shell, home) = (identity.shell.as_path(), home(identity));
        if chdir(home).is_err() {
            eprintln!(
                "jailctl: there is no home {} inside, and the session starts in /",
                crate::shell::shown(home)
            );
            if let Err(errno) = chdir("/") {
                return unsearchable(errno);
            }
        }
        let name = shell.file_name().unwrap_or_default();
        let mut program = Command::new(shell);
        match command {
            Some(command) => program.arg0(name).arg("-c").arg(command),
            None => program.arg0([OsStr::new("-"), name].join(OsStr::new(""))),
        };
        program
            .env_clear()
            .env("HOME", home)
            .env("SHELL", shell)
            .env("USER", &identity.name)
            .env("LOGNAME", &identity.name)
            .env("PATH", PATH)
            .envs(terminal.map(|terminal| ("TERM", terminal)));
        let error = program.exec();
        let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
        Refusal::Exec(shell.to_owned(), errno)
    }
}

fn unsearchable(errno: rustix::io::Errno) -> Refusal {
    Refusal::RootUnsearchable(Errno::from_raw(errno.raw_os_error()))
}
