//! The doors, and the request that each makes of what a client asks for.

use std::ffi::{OsStr, OsString};

use jail::{identity::Identity, refusal::Refusal, request::Request};

/// A door into a jail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Door {
    /// jail-shell as the login shell
    Login,
    /// jail-shell as sshd's ForceCommand
    ForceCommand,
}

impl Door {
    /// Makes the request that this door would make. The door's own parser makes it.
    pub(crate) fn request(
        self,
        command: Option<&OsStr>,
        identity: &Identity,
    ) -> Result<Request, Refusal> {
        let (arguments, original): (Vec<OsString>, _) = match (self, command) {
            (Door::Login, None) => (vec!["-jail-shell".into()], None),
            (Door::Login, Some(command)) => {
                (vec!["jail-shell".into(), "-c".into(), command.into()], None)
            }
            (Door::ForceCommand, command) => {
                (vec!["jail-shell".into()], command.map(OsStr::to_owned))
            }
        };
        Request::parse(&arguments, original, self == Door::ForceCommand, identity)
    }

    /// Names the door in a sentence.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Door::Login => "through jail-shell as login shell",
            Door::ForceCommand => "through sshd's ForceCommand",
        }
    }
}

/// The name of the program that is a login shell and a ForceCommand.
pub(crate) const JAIL_SHELL: &str = "jail-shell";

/// Where it is installed.
pub(crate) const JAIL_SHELL_PATH: &str = "/usr/bin/jail-shell";

/// Tells whether an account's login shell is jail-shell.
pub(crate) fn has_jail_shell(identity: &Identity) -> bool {
    identity.shell.file_name() == Some(OsStr::new(JAIL_SHELL))
}
