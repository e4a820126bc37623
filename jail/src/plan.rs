//! What a login will do, as a plain value: no descriptor, no system call, no look-up.
//!
//! [`Plan::steps`] is the one place that knows the order. `enter` takes the steps; `jailctl explain` prints them.

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
};

use jail_config::{Groups, Home, Jail, Limits, Rule};

use crate::{
    environment::{self, Variable},
    identity::Identity,
    refusal::Refusal,
    request::{Request, What},
};

/// Everything that entering takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The rule of the config that made it.
    pub rule: Rule,
    /// The jail's name in the config.
    pub jail: String,
    /// The account's name.
    pub user: OsString,
    /// The directory that becomes the root.
    pub root: PathBuf,
    /// The ids inside.
    pub ids: Ids,
    /// The file mode creation mask.
    pub umask: u32,
    /// The resource limits that the config sets; the others are as the caller had them.
    pub limits: Limits,
    /// The working directory inside.
    pub home: Home,
    /// The shell, a path in the jail.
    pub shell: PathBuf,
    /// What the shell is to do.
    pub request: Request,
    /// The environment, all but HOME.
    pub environment: Vec<Variable>,
}

/// User, group and supplementary groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// Real, effective and saved user ID.
    pub uid: u32,
    /// Real, effective and saved group ID.
    pub gid: u32,
    /// Supplementary groups, ascending, each once.
    pub groups: Vec<u32>,
}

/// One step of entering. Each has a row in the fail-closed matrix of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Open the root directory by the trusted walk.
    OpenRoot(&'a Path),
    /// Join a new session keyring.
    SessionKeyring,
    /// Empty the capability bounding set.
    BoundingSet,
    /// Lock the securebits.
    Securebits,
    /// Make the open directory the root and the working directory.
    Chroot,
    /// Set the resource limits.
    Limits(&'a Limits),
    /// Set the supplementary groups.
    Groups(&'a [u32]),
    /// Set the group IDs.
    Gid(u32),
    /// Set the user IDs.
    Uid(u32),
    /// Empty the capability sets.
    Capabilities,
    /// Set no_new_privs.
    NoNewPrivs,
    /// Read all of it back, and try to regain it.
    Verify(&'a Ids),
    /// Set the file mode creation mask.
    Umask(u32),
    /// Change to the home directory, as the user.
    Home(&'a Home),
    /// Look at the shell, its interpreter and its libraries, as the user.
    Program(&'a Path),
    /// Become the shell.
    Exec(&'a Path),
}

impl Step<'_> {
    /// Gives the step's name, as refusals, the log and the tests have it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Step::OpenRoot(_) => "open-root",
            Step::SessionKeyring => "session-keyring",
            Step::BoundingSet => "bounding-set",
            Step::Securebits => "securebits",
            Step::Chroot => "chroot",
            Step::Limits(_) => "limits",
            Step::Groups(_) => "groups",
            Step::Gid(_) => "gid",
            Step::Uid(_) => "uid",
            Step::Capabilities => "capabilities",
            Step::NoNewPrivs => "no-new-privs",
            Step::Verify(_) => "verify",
            Step::Umask(_) => "umask",
            Step::Home(_) => "home",
            Step::Program(_) => "program",
            Step::Exec(_) => "exec",
        }
    }

    /// Tells whether the step leaves the process as it was, so that it can be taken for a look only.
    #[must_use]
    pub fn only_looks(&self) -> bool {
        matches!(self, Step::OpenRoot(_))
    }
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Plan {
    /// Makes the plan of one login from facts alone.
    ///
    /// `inherited` is the caller's environment.
    ///
    /// # Errors
    /// [`Refusal::UidZero`] when the account is uid 0.
    pub fn new(
        jail: Jail,
        identity: &Identity,
        request: Request,
        inherited: impl IntoIterator<Item = Variable>,
    ) -> Result<Plan, Refusal> {
        if identity.is_root() {
            return Err(Refusal::UidZero);
        }
        let environment = environment::build(&jail.env, identity, &jail.shell, inherited);
        let mut groups = match jail.groups {
            Groups::Keep => identity.groups.clone(),
            Groups::Primary => vec![identity.gid],
        };
        groups.sort_unstable();
        groups.dedup();
        Ok(Plan {
            rule: jail.rule,
            jail: jail.name,
            user: identity.name.clone(),
            root: jail.root,
            ids: Ids {
                uid: identity.uid,
                gid: identity.gid,
                groups,
            },
            umask: jail.umask,
            limits: jail.limits,
            home: jail.home,
            shell: jail.shell,
            request,
            environment,
        })
    }

    /// Lists the steps in the order in which they are taken, each for a reason:
    ///
    /// * the root is opened while the host's paths still mean the host;
    /// * bounding set and securebits come before the user ID, which takes CAP_SETPCAP away;
    /// * limits come before the user ID, because raising one takes CAP_SYS_RESOURCE;
    /// * groups come before the group ID and that before the user ID, each of which takes the right to the former;
    /// * capabilities come after it, because the locked securebits keep the kernel from clearing them by itself;
    /// * everything the user could have arranged in the root (home, shell, libraries) is looked at as the user.
    #[must_use]
    pub fn steps(&self) -> Vec<Step<'_>> {
        vec![
            Step::OpenRoot(&self.root),
            Step::SessionKeyring,
            Step::BoundingSet,
            Step::Securebits,
            Step::Chroot,
            Step::Limits(&self.limits),
            Step::Groups(&self.ids.groups),
            Step::Gid(self.ids.gid),
            Step::Uid(self.ids.uid),
            Step::Capabilities,
            Step::NoNewPrivs,
            Step::Verify(&self.ids),
            Step::Umask(self.umask),
            Step::Home(&self.home),
            Step::Program(&self.shell),
            Step::Exec(&self.shell),
        ]
    }

    /// Gives the shell's arguments. `sftp_server` is its path in the jail, found where the request asks for it.
    pub(crate) fn arguments(&self, sftp_server: Option<&Path>) -> Vec<OsString> {
        let mut name = OsString::from(if self.request.login { "-" } else { "" });
        name.push(self.shell.file_name().unwrap_or(self.shell.as_os_str()));
        let mut all = vec![name];
        match (&self.request.what, sftp_server) {
            (What::Shell, _) | (What::Sftp { .. }, None) => {}
            (What::Command { command, arguments }, _) => {
                all.extend(["-c".into(), command.clone()]);
                all.extend_from_slice(arguments);
            }
            (What::Sftp { options, .. }, Some(server)) => {
                let mut command = server.as_os_str().to_owned();
                command.push(options);
                all.extend(["-c".into(), command]);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jail_config::{Decision, Policy};

    use super::Plan;
    use crate::{
        identity::Identity,
        refusal::Code,
        request::{Request, What},
    };

    fn plan(uid: u32) -> Result<Plan, Code> {
        let identity = Identity {
            name: "ann".into(),
            uid,
            gid: 1001,
            group: "ann".into(),
            groups: vec![1001, 27, 1001],
            group_names: vec!["ann".into()],
            unnamed_group: None,
            home: "/home/ann".into(),
            shell: "/usr/bin/jail-shell".into(),
        };
        let text = b"users = { ann = '/srv/ann' }\ndefaults = { isolation = 'chroot' }";
        let policy = Policy::parse(Path::new("config.toml"), text).unwrap();
        let Ok(Decision::Jail(jail)) = policy.decide(&identity.account(), None) else {
            panic!("ann has a rule");
        };
        let request = Request {
            login: true,
            what: What::Shell,
        };
        Plan::new(*jail, &identity, request, []).map_err(|refusal| refusal.code())
    }

    #[test]
    fn uid_zero_is_never_jailed_whatever_its_name() {
        assert_eq!(plan(0).unwrap_err(), Code::UidZero);
        assert!(plan(1001).is_ok());
    }

    #[test]
    fn groups_are_listed_once_and_in_order() {
        assert_eq!(plan(1001).unwrap().ids.groups, [27, 1001]);
    }

    #[test]
    fn privileges_are_given_up_after_the_root_and_before_anything_of_the_users_is_looked_at() {
        let plan = plan(1001).unwrap();
        let names: Vec<_> = plan.steps().iter().map(|step| step.name()).collect();
        let at = |name: &str| names.iter().position(|other| *other == name).unwrap();
        let order = [
            "open-root",
            "securebits",
            "chroot",
            "limits",
            "groups",
            "gid",
            "uid",
            "capabilities",
            "no-new-privs",
            "verify",
            "home",
            "program",
            "exec",
        ];
        assert!(order.is_sorted_by_key(|name| at(name)), "{names:?}");
    }
}
