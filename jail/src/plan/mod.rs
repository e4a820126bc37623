//! What a login will do, as a plain value: no descriptor, no system call, no look-up.
//!
//! [`World`] is what a session sees, [`Process`] what runs in it. [`Plan::steps`] is the one place that knows the order of
//! entering: `enter` takes the steps; `jailctl explain` prints them.

pub mod allowed;
mod command;
mod commands;
pub mod environment;
pub mod narrow;
pub mod process;
pub mod request;
pub(crate) mod sftp;
pub(crate) mod sharing;
pub mod steps;
mod usual_shell;
pub mod words;
pub mod world;

use std::ffi::OsString;

use jail_config::{Base, Content, Home, Jail, Landlock, RootOwner, Rule, Scope, Skeleton};

use crate::{
    account::identity::Identity,
    plan::{
        allowed::NotAllowed,
        environment::Variable,
        process::{HandOver, Process, SecondWall, only},
        request::{Request, What},
        world::{Executables, World},
    },
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
    /// What the session sees.
    pub world: World,
    /// What runs in it.
    pub process: Process,
}

/// Why there can be no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanFault {
    /// The account has uid 0, which is never jailed.
    UidZero,
    /// The jail wants what is not available in another program's process; what, and what mends it.
    BehindPam(&'static str),
    /// The jail's list of commands does not have what was asked for.
    NotAllowed(NotAllowed),
}

impl Plan {
    /// Makes the plan of one login from facts alone.
    ///
    /// `inherited` is the caller's environment.
    ///
    /// # Errors
    /// [`PlanFault::UidZero`] when the account is uid 0; [`PlanFault::NotAllowed`] when the jail's list of commands does not have
    /// what was asked for.
    pub fn new(
        mut jail: Jail,
        identity: &Identity,
        mut request: Request,
        inherited: impl IntoIterator<Item = Variable>,
    ) -> Result<Plan, PlanFault> {
        request = request.within(only(&jail)).map_err(PlanFault::NotAllowed)?;
        let sftp_is_logged = serve_sftp(&mut jail, &mut request);
        let mut plan = Plan::of(jail, identity, HandOver::Shell(request), inherited)?;
        plan.process.sftp_is_logged = sftp_is_logged;
        Ok(plan)
    }

    /// Makes the plan of a session that a program opens with PAM, and goes on in itself.
    ///
    /// # Errors
    /// [`PlanFault::UidZero`] when the account is uid 0; [`PlanFault::BehindPam`] when the jail wants what can't be had in
    /// somebody else's process.
    pub fn behind_pam(jail: Jail, identity: &Identity) -> Result<Plan, PlanFault> {
        let hand_over = HandOver::HostProgram {
            login_shell: identity.shell.clone(),
            home: identity.home.clone(),
        };
        let unavailable = unavailable_behind_pam(&jail);
        let plan = Plan::of(jail, identity, hand_over, [])?;
        if let Some(why) = unavailable {
            return Err(PlanFault::BehindPam(why));
        }
        match plan.not_behind_pam(identity) {
            Some(why) => Err(PlanFault::BehindPam(why)),
            None => Ok(plan),
        }
    }

    /// Says what of the plan can't be had behind PAM, and what mends it.
    fn not_behind_pam(&self, identity: &Identity) -> Option<&'static str> {
        let all = identity.groups.iter().chain([&identity.gid]);
        if all.into_iter().any(|gid| !self.process.ids.has_group(*gid)) {
            return Some(
                "groups = \"primary\": the groups are the host program's to set; take the user out of the others, \
                 or set groups = \"keep\"",
            );
        }
        let Some(view) = &self.world.view else {
            return self.process.door_inside().map(|_| {
                "jail-shell as login shell with isolation = \"chroot\": it would find no mark of the session, and no \
                 privilege; set isolation = \"full\", or give the user an ordinary login shell (usermod -s)"
            });
        };
        if self.world.root_owner == RootOwner::User && view.base == Base::None {
            return Some(
                "root_owner = \"user\" without a base: root code of the host program would read the user's own /etc; \
                 set base = \"host\", or give the root directory to root",
            );
        }
        if self.process.landlock == Landlock::Off && view.proc == Content::Private {
            return Some(
                "landlock = \"off\": without a pid namespace nothing else keeps /proc/PID/root shut; \
                 take that line away, or set proc = \"root\"",
            );
        }
        None
    }

    fn of(
        jail: Jail,
        identity: &Identity,
        hand_over: HandOver,
        inherited: impl IntoIterator<Item = Variable>,
    ) -> Result<Plan, PlanFault> {
        if identity.is_root() {
            return Err(PlanFault::UidZero);
        }
        let process = Process::of(&jail, identity, hand_over, inherited);
        let executables = match only(&jail) {
            Some(list) => Some(Executables::of(
                list,
                &jail.base,
                process.request(),
                process.door_inside(),
            )),
            None => process
                .request()
                .filter(|request| serves_alone(request, &jail))
                .map(|_| Executables::of_sftp()),
        };
        Ok(Plan {
            rule: jail.rule.clone(),
            jail: jail.name.clone(),
            user: identity.name.clone(),
            world: World::of(jail, process.sees(), executables),
            process,
        })
    }

    /// Makes the session one that root has opened, for a look: it does not count among the user's, and `until` is not for it.
    #[must_use]
    pub fn opened_by_root(mut self) -> Plan {
        self.process.sessions = None;
        self.process.until = None;
        self
    }

    /// Has a session hold all programs of its list of commands, and not only what its request takes: for a look at the jail.
    #[must_use]
    pub fn with_all_programs(mut self) -> Plan {
        let list = self.process.commands.as_deref();
        if let (Some(view), Some(list)) = (&mut self.world.view, list) {
            view.executables = Some(Executables::of(list, &view.base, None, None));
        }
        self
    }

    /// Says what the jail asks of Landlock; nothing where the config switches it off.
    #[must_use]
    pub fn landlock(&self) -> Option<SecondWall<'_>> {
        (self.process.landlock != Landlock::Off).then_some(SecondWall {
            mode: self.process.landlock,
            network: &self.world.network,
            processes: self.world.view.as_ref().map(|view| view.processes),
            executables: self.world.executables(),
        })
    }
}

/// Says which key of a jail is not available in another program's process.
fn unavailable_behind_pam(jail: &Jail) -> Option<&'static str> {
    if jail.sftp.is_some() {
        return Some(
            "sftp: sshd starts the server, by its own config; write the options there (internal-sftp -R -u 007 -d DIR) and \
             remove the key",
        );
    }
    if jail.record.recording().is_some() {
        return Some(
            "record = \"terminal\": no supervisor stands between the session and its terminal; make jail-shell the login shell \
             or the ForceCommand instead, or set record = \"sessions\"",
        );
    }
    if jail.scope == Scope::User {
        return Some(
            "scope = \"user\": the host program's process can't join the processes of other logins; make jail-shell the login shell or the \
             ForceCommand instead, or set scope = \"session\" for the users of this stack",
        );
    }
    jail.idle.map(|_| {
        "idle: no supervisor watches the terminal; make jail-shell the login shell or the ForceCommand instead, or remove the key"
    })
}

/// Tells whether a session must be the sftp-server and nothing else, though the jail has a shell: a program of the user's in its
/// place would write the record of transfers, or be a shell that needs no terminal where terminals are recorded.
fn serves_alone(request: &Request, jail: &Jail) -> bool {
    let is_sftp = matches!(request.what, What::Sftp { .. });
    is_sftp && (jail.record.recording().is_some() || jail.sftp.as_ref().is_some_and(|it| it.log))
}

/// Lets the config of SFTP take the place of what the client chose, where SFTP is what was asked for. Tells whether transfers are
/// recorded.
fn serve_sftp(jail: &mut Jail, request: &mut Request) -> bool {
    let is_alone = serves_alone(request, jail);
    let What::Sftp { asked, options, .. } = &mut request.what else {
        return false;
    };
    if is_alone {
        // A path would be the client's choice.
        *asked = "internal-sftp".into();
    }
    let Some(sftp) = &jail.sftp else {
        return false;
    };
    *options = sftp::options(sftp);
    jail.umask = sftp.umask.unwrap_or(jail.umask);
    if let Some(directory) = &sftp.directory {
        if let Some(create) = &mut jail.create {
            // It is for files to be sent, and no home.
            create.skeleton = Skeleton::None;
        }
        jail.home = Home::Set(directory.clone());
    }
    sftp.log
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jail_config::{Decision, Policy};

    use super::{Plan, PlanFault};
    use crate::{
        account::identity::Identity,
        plan::request::{Request, What},
    };

    fn ann(uid: u32) -> Identity {
        Identity {
            uid,
            groups: vec![1001, 27, 1001],
            shell: "/usr/bin/jail-shell".into(),
            ..Identity::example("ann", 1001)
        }
    }

    fn plan(uid: u32) -> Result<Plan, PlanFault> {
        let identity = ann(uid);
        let text = b"users = { ann = '/srv/ann' }\ndefaults = { isolation = 'chroot' }";
        let policy = Policy::parse(Path::new("config.toml"), text).unwrap();
        let Ok(Decision::Jail(jail)) = policy.decide(&identity.account(), None) else {
            panic!("ann has a rule");
        };
        let request = Request {
            login: true,
            what: What::Shell,
        };
        Plan::new(*jail, &identity, request, [])
    }

    #[test]
    fn uid_zero_is_never_jailed_whatever_its_name() {
        assert_eq!(plan(0).unwrap_err(), PlanFault::UidZero);
        assert!(plan(1001).is_ok());
    }

    #[test]
    fn groups_are_listed_once_and_in_order() {
        assert_eq!(plan(1001).unwrap().process.ids.groups, [27, 1001]);
    }

    #[test]
    fn behind_pam_ids_and_processes_are_left_alone_and_walls_come_last() {
        let text = b"users = { ann = '/srv/ann' }\ndefaults = { base = 'host', network = 'none' }";
        let policy = Policy::parse(Path::new("config.toml"), text).unwrap();
        let identity = ann(1001);
        let Ok(Decision::Jail(jail)) = policy.decide(&identity.account(), None) else {
            panic!("ann has a rule");
        };
        let plan = Plan::behind_pam(*jail, &identity).unwrap();
        let names: Vec<_> = plan.steps().iter().map(|step| step.name()).collect();
        let expected = [
            "open-root",
            "open-base",
            "host-files",
            "copy-trees",
            "namespaces",
            "new-root",
            "join",
            "session-keyring",
            "limits",
            "umask",
            "no-new-privs",
            "landlock",
            "seccomp",
        ];
        assert_eq!(names, expected);
        assert_eq!(plan.process.request(), None);
    }

    #[test]
    fn behind_pam_there_is_no_recording_and_no_limit_of_idleness() {
        for key in ["record = 'terminal'", "idle = '15m'"] {
            let text = format!(
                "users = {{ ann = 'w' }}\n[jails.w]\nroot = '/srv/ann'\nbase = 'host'\n{key}"
            );
            let policy = Policy::parse(Path::new("config.toml"), text.as_bytes()).unwrap();
            let identity = ann(1001);
            let Ok(Decision::Jail(jail)) = policy.decide(&identity.account(), None) else {
                panic!("ann has a rule");
            };
            let name = key.split(" = ").next().unwrap();
            let refused = Plan::behind_pam(*jail, &identity).unwrap_err();
            assert!(
                matches!(refused, PlanFault::BehindPam(why) if why.starts_with(name)),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn privileges_are_given_up_after_the_root_and_before_anything_of_the_users_is_looked_at() {
        let plan = plan(1001).unwrap();
        let names: Vec<_> = plan.steps().iter().map(|step| step.name()).collect();
        let at = |name: &str| names.iter().position(|other| *other == name).unwrap();
        let order = [
            "securebits",
            "open-root",
            "chroot",
            "no-new-privs",
            "landlock",
            "seccomp",
            "limits",
            "groups",
            "gid",
            "uid",
            "capabilities",
            "verify",
            "home",
            "program",
            "exec",
        ];
        assert!(order.is_sorted_by_key(|name| at(name)), "{names:?}");
    }
}
