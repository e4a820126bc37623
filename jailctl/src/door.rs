//! The doors, and the request that each makes of what a client asks for.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use jail::{
    account::identity::Identity,
    door::refusal::Refusal,
    plan::{Plan, environment::Variable, narrow, process::only, request::Request},
};
use jail_config::Jail;
use serde::Serialize;

use crate::failure::Failure;

/// A door into a jail. Its name is the same word in arguments, in JSON and in lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Door {
    /// jail-shell as the login shell
    #[value(alias = "login")]
    LoginShell,
    /// jail-shell as sshd's ForceCommand
    #[value(alias = "sshd")]
    ForceCommand,
    /// pam_jail.so in the PAM stack of sshd, login, su, cron or another program
    Pam,
}

impl Door {
    /// Makes the plan that this door would make. The door's own parser makes its request; `inherited` is the caller's
    /// environment.
    pub(crate) fn plan(
        self,
        jail: Jail,
        command: Option<&OsStr>,
        identity: &Identity,
        inherited: impl IntoIterator<Item = Variable>,
    ) -> Result<Plan, Refusal> {
        let (arguments, original): (Vec<OsString>, _) = match (self, command) {
            (Door::LoginShell, None) => (vec!["-jail-shell".into()], None),
            (Door::LoginShell, Some(command)) => {
                (vec!["jail-shell".into(), "-c".into(), command.into()], None)
            }
            (Door::ForceCommand, command) => {
                (vec!["jail-shell".into()], command.map(OsStr::to_owned))
            }
            // What runs there is the host program's own affair.
            (Door::Pam, _) => return Ok(Plan::behind_pam(jail, identity)?),
        };
        let request = match (command, only(&jail)) {
            // A shell is what nobody gets there.
            (None, Some(list)) => {
                let example = narrow::example(list);
                return Ok(Plan::new(jail, identity, example, inherited)?.with_all_programs());
            }
            _ => Request::parse(&arguments, original, self == Door::ForceCommand, identity)?,
        };
        Ok(Plan::new(jail, identity, request, inherited)?)
    }

    /// Gives the word for it, as the arguments have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Door::LoginShell => "login-shell",
            Door::ForceCommand => "force-command",
            Door::Pam => "pam",
        }
    }

    /// Names the door in a sentence.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Door::LoginShell => "through jail-shell as login shell",
            Door::ForceCommand => "through sshd's ForceCommand",
            Door::Pam => "through pam_jail.so in a PAM stack",
        }
    }
}

/// Says what of a jail has no effect where the module has made it and not jail-shell.
pub(crate) fn without_effect_behind_pam(jail: &Jail) -> Vec<&'static str> {
    let linger = (!jail.linger).then_some("linger = false");
    let set = (!jail.env.set.is_empty()).then_some("env.set");
    linger.into_iter().chain(set).collect()
}

/// What sshd reads.
pub(crate) const SSHD_CONFIG: &str = "/etc/ssh/sshd_config";

/// The name of the program that is a login shell and a ForceCommand.
pub(crate) const JAIL_SHELL: &str = "jail-shell";

/// Where it is installed.
pub(crate) const JAIL_SHELL_PATH: &str = "/usr/bin/jail-shell";

/// Insists on a jail-shell that is installed: without it nobody can be let in.
pub(crate) fn expect_jail_shell() -> Result<(), Failure> {
    match Path::new(JAIL_SHELL_PATH).is_file() {
        true => Ok(()),
        false => Err(Failure::Failed(format!(
            "nothing was changed, because {JAIL_SHELL_PATH} is not installed; run make install"
        ))),
    }
}

/// Tells whether an account's login shell is jail-shell.
pub(crate) fn has_jail_shell(identity: &Identity) -> bool {
    is_jail_shell(&identity.shell)
}

/// Tells whether a program is jail-shell, by its name.
pub(crate) fn is_jail_shell(program: &Path) -> bool {
    program.file_name() == Some(OsStr::new(JAIL_SHELL))
}

/// Tells whether an account's login shell is one of the programs that let nobody in.
pub(crate) fn has_no_shell(identity: &Identity) -> bool {
    let name = identity.shell.file_name().unwrap_or_default();
    name == "nologin" || name == "false"
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::Door;

    #[test]
    fn a_door_has_one_name_in_arguments_and_json() {
        for door in Door::value_variants() {
            let argument = door.to_possible_value().unwrap();
            assert_eq!(argument.get_name(), door.name());
            assert_eq!(serde_json::json!(door), door.name());
        }
    }

    #[test]
    fn the_former_names_of_doors_are_still_accepted() {
        assert_eq!(Door::from_str("login", false), Ok(Door::LoginShell));
        assert_eq!(Door::from_str("sshd", false), Ok(Door::ForceCommand));
    }
}
