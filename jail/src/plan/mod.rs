//! What a login will do, as a plain value: no descriptor, no system call, no look-up.
//!
//! [`Plan::steps`] is the one place that knows the order. `enter` takes the steps; `jailctl explain` prints them.

mod command;
mod commands;
pub mod environment;
pub mod request;
pub(crate) mod sftp;
mod usual_shell;
pub mod words;

use std::{
    ffi::{OsStr, OsString},
    fmt,
    path::{Path, PathBuf},
};

use jail_config::{
    Base, Content, Groups, Home, Isolation, Jail, Landlock, Limits, Mount, Network, RootOwner,
    Rule, Seccomp,
};

use crate::{
    account::identity::Identity,
    plan::{
        environment::Variable,
        request::{Request, Start},
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
    /// The directory that becomes the root.
    pub root: PathBuf,
    /// Who may own that directory.
    pub root_owner: RootOwner,
    /// The session's own view of the machine; without one, the root is changed by chroot(2) and nothing else is.
    pub view: Option<View>,
    /// How much of the second wall there must be.
    pub landlock: Landlock,
    /// The filter of system calls.
    pub seccomp: Seccomp,
    /// The network inside.
    pub network: Network,
    /// The ids inside.
    pub ids: Ids,
    /// The groups inside that have a name.
    pub group_names: Vec<(u32, OsString)>,
    /// The file mode creation mask.
    pub umask: u32,
    /// The resource limits that the config sets; the others are as the caller had them.
    pub limits: Limits,
    /// The working directory inside.
    pub home: Home,
    /// The shell, a path in the jail.
    pub shell: PathBuf,
    /// Who goes on once all is done.
    pub hand_over: HandOver,
    /// The environment, all but HOME.
    pub environment: Vec<Variable>,
}

/// Why there can be no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanFault {
    /// The account has uid 0, which is never jailed.
    UidZero,
    /// The jail wants what is not available in another program's process; what, and what mends it.
    BehindPam(&'static str),
}

/// Who goes on inside once all is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandOver {
    /// This process becomes the jail's shell, with what it is to do.
    Shell(Request),
    /// The program that opened a PAM session goes on, as root still. Ids, groups, capabilities and environment are its
    /// own to set, and it stays outside of any new pid namespace. It may start the account's shell, a path of the host.
    HostProgram {
        /// pw_shell.
        login_shell: PathBuf,
    },
}

/// Whose processes /proc shows, and whose ids the files of a new root get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processes {
    /// The session's own: it has a pid namespace.
    Own,
    /// Those of the host that the session may trace. Behind Landlock that is its own again.
    Traceable,
}

/// What a fully isolated session sees: private mount, pid, ipc and uts namespaces, and a root put together for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Where the system directories come from.
    pub base: Base,
    /// What /proc is.
    pub proc: Content,
    /// What /dev is.
    pub dev: Content,
    /// What /tmp is.
    pub tmp: Content,
    /// Further directories, files and sockets of the host.
    pub mounts: Vec<Mount>,
    /// Further entries of the host's /etc that `base = "host"` shows.
    pub etc: Vec<String>,
    /// Whether processes may outlive the session's main process.
    pub linger: bool,
    /// Whose processes /proc shows.
    pub processes: Processes,
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

impl Ids {
    /// Takes those of an account, with all its groups.
    #[must_use]
    pub fn of(identity: &Identity) -> Ids {
        Ids::with_groups(identity, identity.groups.clone())
    }

    fn with_groups(identity: &Identity, mut groups: Vec<u32>) -> Ids {
        groups.sort_unstable();
        groups.dedup();
        Ids {
            uid: identity.uid,
            gid: identity.gid,
            groups,
        }
    }

    /// Tells whether a group is the primary or one of the supplementary ones.
    #[must_use]
    pub fn has_group(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }
}

/// What a jail asks of Landlock, and which walls stand beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecondWall<'a> {
    /// How much of it there must be.
    pub mode: Landlock,
    /// The network inside, whose lists of ports it enforces.
    pub network: &'a Network,
    /// Whose processes the session sees; nothing with chroot(2), which leaves that to the root.
    pub processes: Option<Processes>,
}

/// A stretch of the steps that one function takes. They come in this order, and each needs what the one before has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// What was inherited of rights and keys is left, before the first fork.
    Alone,
    /// A supervisor stays outside.
    Supervisor,
    /// What the host gives is opened, and nothing is changed.
    Look,
    /// The world is built of it, or the root changed.
    World,
    /// What concerns a host program's process alone.
    HostProgram,
    /// The second wall.
    Walls,
    /// The main process is forked off.
    Fork,
    /// It becomes the user.
    User,
    /// It goes home, and becomes the program.
    Program,
}

/// One step of entering. Each has a row in the fail-closed matrix of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Open the root directory by the trusted walk.
    OpenRoot(&'a Path),
    /// Open the base that shows through the root, by the same walk.
    OpenBase(&'a Base),
    /// Open the source of a mount, by the same walk.
    OpenMount(&'a Mount),
    /// Look at what root code of the host program will read inside, and hold it against the host's facts.
    HostFiles(&'a Ids),
    /// Join a new session keyring.
    SessionKeyring,
    /// Empty the capability bounding set.
    BoundingSet,
    /// Lock the securebits.
    Securebits,
    /// Make the open directory the root and the working directory.
    Chroot,
    /// Look at the caller's terminal, and make one where the session can't have it.
    OpenTerminal,
    /// Join the world that a child has built.
    Join(&'a Network),
    /// Copy the trees that the new root is made of, detached.
    CopyTrees(&'a View),
    /// Fork into a new pid namespace; the process that was called becomes the supervisor.
    PidNamespace,
    /// Enter mount, ipc and uts namespaces, and a network namespace where the jail has no network.
    Namespaces(&'a Network),
    /// Put the new root together and leave the old one.
    NewRoot(&'a View),
    /// Fork the main process off; the process before becomes its init.
    Init(&'a View),
    /// Hand session, process group and terminal to the main process.
    Terminal,
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
    /// Restrict what can be opened to what is below the root.
    Landlock(SecondWall<'a>),
    /// Refuse system calls that no session needs.
    Seccomp(Seccomp, &'a Network),
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
            Step::OpenBase(_) => "open-base",
            Step::OpenMount(_) => "open-mount",
            Step::HostFiles(_) => "host-files",
            Step::SessionKeyring => "session-keyring",
            Step::BoundingSet => "bounding-set",
            Step::Securebits => "securebits",
            Step::Chroot => "chroot",
            Step::OpenTerminal => "open-terminal",
            Step::Join(_) => "join",
            Step::CopyTrees(_) => "copy-trees",
            Step::PidNamespace => "pid-namespace",
            Step::Namespaces(_) => "namespaces",
            Step::NewRoot(_) => "new-root",
            Step::Init(_) => "init",
            Step::Terminal => "terminal",
            Step::Limits(_) => "limits",
            Step::Groups(_) => "groups",
            Step::Gid(_) => "gid",
            Step::Uid(_) => "uid",
            Step::Capabilities => "capabilities",
            Step::NoNewPrivs => "no-new-privs",
            Step::Verify(_) => "verify",
            Step::Landlock(..) => "landlock",
            Step::Seccomp(..) => "seccomp",
            Step::Umask(_) => "umask",
            Step::Home(_) => "home",
            Step::Program(_) => "program",
            Step::Exec(_) => "exec",
        }
    }

    /// Gives the phase that the step is of, behind PAM or not.
    fn phase(&self, behind_pam: bool) -> Phase {
        match self {
            Step::Join(_) => Phase::HostProgram,
            Step::SessionKeyring | Step::Chroot | Step::Limits(_) | Step::Umask(_)
                if behind_pam =>
            {
                Phase::HostProgram
            }
            Step::SessionKeyring | Step::BoundingSet | Step::Securebits => Phase::Alone,
            Step::OpenTerminal | Step::PidNamespace => Phase::Supervisor,
            Step::OpenRoot(_) | Step::OpenBase(_) | Step::OpenMount(_) | Step::HostFiles(_) => {
                Phase::Look
            }
            Step::CopyTrees(_) | Step::Namespaces(_) | Step::NewRoot(_) | Step::Chroot => {
                Phase::World
            }
            Step::NoNewPrivs | Step::Landlock(..) | Step::Seccomp(..) => Phase::Walls,
            Step::Init(_) | Step::Terminal => Phase::Fork,
            Step::Limits(_)
            | Step::Groups(_)
            | Step::Gid(_)
            | Step::Uid(_)
            | Step::Capabilities
            | Step::Verify(_) => Phase::User,
            Step::Umask(_) | Step::Home(_) | Step::Program(_) | Step::Exec(_) => Phase::Program,
        }
    }

    /// Tells whether the step takes privileges away: supervisor and init take these, and no others.
    pub(crate) fn drops_privileges(&self) -> bool {
        matches!(
            self,
            Step::Groups(_)
                | Step::Gid(_)
                | Step::Uid(_)
                | Step::Capabilities
                | Step::NoNewPrivs
                | Step::Verify(_)
        )
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
    /// [`PlanFault::UidZero`] when the account is uid 0.
    pub fn new(
        jail: Jail,
        identity: &Identity,
        request: Request,
        inherited: impl IntoIterator<Item = Variable>,
    ) -> Result<Plan, PlanFault> {
        Plan::of(jail, identity, HandOver::Shell(request), inherited)
    }

    /// Makes the plan of a session that a program opens with PAM, and goes on in itself.
    ///
    /// # Errors
    /// [`PlanFault::UidZero`] when the account is uid 0; [`PlanFault::BehindPam`] when the jail wants what can't be had in
    /// somebody else's process.
    pub fn behind_pam(jail: Jail, identity: &Identity) -> Result<Plan, PlanFault> {
        let hand_over = HandOver::HostProgram {
            login_shell: identity.shell.clone(),
        };
        let plan = Plan::of(jail, identity, hand_over, [])?;
        match plan.not_behind_pam(identity) {
            Some(why) => Err(PlanFault::BehindPam(why)),
            None => Ok(plan),
        }
    }

    /// Says what of the plan can't be had behind PAM, and what mends it.
    fn not_behind_pam(&self, identity: &Identity) -> Option<&'static str> {
        let all = identity.groups.iter().chain([&identity.gid]);
        if all.into_iter().any(|gid| !self.ids.has_group(*gid)) {
            return Some(
                "groups = \"primary\": the groups are the host program's to set; take the user out of the others, \
                 or set groups = \"keep\"",
            );
        }
        let Some(view) = &self.view else {
            return self.door_inside().map(|_| {
                "jail-shell as login shell with isolation = \"chroot\": it would find no mark of the session, and no \
                 privilege; set isolation = \"full\", or give the user an ordinary login shell (usermod -s)"
            });
        };
        if self.root_owner == RootOwner::User && view.base == Base::None {
            return Some(
                "root_owner = \"user\" without a base: root code of the host program would read the user's own /etc; \
                 set base = \"host\", or give the root directory to root",
            );
        }
        if self.landlock == Landlock::Off && view.proc == Content::Private {
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
        let environment = environment::build(&jail.env, identity, &jail.shell, inherited);
        let ids = match jail.groups {
            Groups::Keep => Ids::of(identity),
            Groups::Primary => Ids::with_groups(identity, vec![identity.gid]),
        };
        let mut group_names = identity.named_groups();
        group_names.retain(|(gid, _)| ids.groups.contains(gid));
        let view = match jail.isolation {
            Isolation::Chroot => None,
            Isolation::Full => Some(View {
                base: jail.base,
                proc: jail.proc,
                dev: jail.dev,
                tmp: jail.tmp,
                mounts: jail.mounts,
                etc: jail.etc,
                linger: jail.linger,
                processes: match hand_over {
                    HandOver::Shell(_) => Processes::Own,
                    HandOver::HostProgram { .. } => Processes::Traceable,
                },
            }),
        };
        Ok(Plan {
            rule: jail.rule,
            jail: jail.name,
            user: identity.name.clone(),
            root: jail.root,
            root_owner: jail.root_owner,
            view,
            landlock: jail.landlock,
            seccomp: jail.seccomp,
            network: jail.network,
            group_names,
            ids,
            umask: jail.umask,
            limits: jail.limits,
            home: jail.home,
            shell: jail.shell,
            hand_over,
            environment,
        })
    }

    /// Lists the steps in the order in which they are taken, each for a reason:
    ///
    /// * the session keyring comes first, because the process has user ID 0 in every respect from then on: the user can
    ///   neither stop nor kill what keeps the deadline;
    /// * bounding set and securebits come before the user ID, which takes CAP_SETPCAP away, and before the forks, so
    ///   that every process has them;
    /// * the pid namespace comes before anything of the host's is opened: what may stall is done by a process that
    ///   another one can kill;
    /// * what the host gives is opened while the host's paths still mean the host;
    /// * trees are copied before the mount namespace changes: a descriptor of one means nothing in another;
    /// * the pid namespace comes before the new root, whose /proc shows the namespace of whoever mounts it;
    /// * the terminal is handed over while root, because taking it from a session takes CAP_SYS_ADMIN;
    /// * limits come before the user ID, because raising one takes CAP_SYS_RESOURCE;
    /// * groups come before the group ID and that before the user ID, each of which takes the right to the former;
    /// * capabilities come after it, because the locked securebits keep the kernel from clearing them by itself;
    /// * no_new_privs, Landlock and seccomp come after the last mount, which they would refuse, and before init forks the
    ///   main process off: in a Landlock domain of its own, the one could not signal the other;
    /// * what the user could have arranged in the root (home, shell, libraries) is looked at last, as the user, behind
    ///   every wall.
    ///
    /// Behind PAM, where the process is another program's, for these besides:
    ///
    /// * a child looks and builds the world, up to the step `join`: whatever leaves the process as it was comes first;
    /// * limits and umask come after the new root, which is made with many descriptors and modes of its own.
    #[must_use]
    pub fn steps(&self) -> Vec<Step<'_>> {
        match self.hand_over {
            HandOver::Shell(_) => self.steps_to_shell(),
            HandOver::HostProgram { .. } => self.steps_behind_pam(),
        }
    }

    /// Lists the steps of one phase, in their order.
    pub(crate) fn steps_of(&self, phase: Phase) -> impl Iterator<Item = Step<'_>> {
        let behind_pam = self.request().is_none();
        let steps = self.steps().into_iter();
        steps.filter(move |step| step.phase(behind_pam) == phase)
    }

    /// Lists the directories of the host that a login looks at, for the message about one that does not answer.
    #[must_use]
    pub fn looked_at(&self) -> Vec<PathBuf> {
        let steps = self.steps_that_look().into_iter();
        steps
            .map(|step| match step {
                Step::OpenRoot(path) => path.to_owned(),
                Step::OpenMount(mount) => mount.source.clone(),
                Step::OpenBase(Base::Directory(path)) => path.clone(),
                _ => PathBuf::from("/"),
            })
            .collect()
    }

    fn steps_that_look(&self) -> Vec<Step<'_>> {
        let mut steps = vec![Step::OpenRoot(&self.root)];
        if let Some(view) = &self.view {
            steps.extend((view.base != Base::None).then_some(Step::OpenBase(&view.base)));
            steps.extend(view.mounts.iter().map(Step::OpenMount));
        }
        steps
    }

    fn steps_behind_pam(&self) -> Vec<Step<'_>> {
        let mut steps = self.steps_that_look();
        steps.push(Step::HostFiles(&self.ids));
        if let Some(view) = &self.view {
            steps.extend([
                Step::CopyTrees(view),
                Step::Namespaces(&self.network),
                Step::NewRoot(view),
                Step::Join(&self.network),
            ]);
        }
        steps.push(Step::SessionKeyring);
        steps.extend(self.view.is_none().then_some(Step::Chroot));
        steps.extend([Step::Limits(&self.limits), Step::Umask(self.umask)]);
        steps.extend(self.second_wall());
        steps
    }

    fn steps_to_shell(&self) -> Vec<Step<'_>> {
        let mut steps = vec![Step::SessionKeyring, Step::BoundingSet, Step::Securebits];
        if self.view.is_some() {
            steps.extend([Step::OpenTerminal, Step::PidNamespace]);
        }
        steps.extend(self.steps_that_look());
        match &self.view {
            None => steps.push(Step::Chroot),
            Some(view) => steps.extend([
                Step::CopyTrees(view),
                Step::Namespaces(&self.network),
                Step::NewRoot(view),
            ]),
        }
        steps.extend(self.second_wall());
        if let Some(view) = &self.view {
            steps.extend([Step::Init(view), Step::Terminal]);
        }
        steps.extend([
            Step::Limits(&self.limits),
            Step::Groups(&self.ids.groups),
            Step::Gid(self.ids.gid),
            Step::Uid(self.ids.uid),
            Step::Capabilities,
            Step::Verify(&self.ids),
            Step::Umask(self.umask),
            Step::Home(&self.home),
            Step::Program(&self.shell),
            Step::Exec(&self.shell),
        ]);
        steps
    }

    fn second_wall(&self) -> impl Iterator<Item = Step<'_>> {
        let seccomp = self.seccomp != Seccomp::Off || matches!(self.network, Network::Ports { .. });
        [
            Some(Step::NoNewPrivs),
            self.landlock().map(Step::Landlock),
            seccomp.then_some(Step::Seccomp(self.seccomp, &self.network)),
        ]
        .into_iter()
        .flatten()
    }

    /// Says what the jail asks of Landlock; nothing where the config switches it off.
    #[must_use]
    pub fn landlock(&self) -> Option<SecondWall<'_>> {
        (self.landlock != Landlock::Off).then_some(SecondWall {
            mode: self.landlock,
            network: &self.network,
            processes: self.view.as_ref().map(|view| view.processes),
        })
    }

    /// Tells whether the session has a pid namespace of its own, in which no number means a process outside.
    #[must_use]
    pub fn has_pid_namespace(&self) -> bool {
        let view = self.view.as_ref();
        view.is_some_and(|view| view.processes == Processes::Own)
    }

    /// Gives what the shell is asked for, where the jail's shell is who goes on.
    #[must_use]
    pub fn request(&self) -> Option<&Request> {
        match &self.hand_over {
            HandOver::Shell(request) => Some(request),
            HandOver::HostProgram { .. } => None,
        }
    }

    /// Says what is started where no sftp-server is asked for; nothing behind PAM.
    #[must_use]
    pub fn start(&self) -> Option<Start> {
        let request = self.request()?;
        Some(request.start(&self.shell, &self.shell, None))
    }

    /// Gives the path of jail-shell where that is the account's login shell, and so will be started in the jail.
    pub(crate) fn door_inside(&self) -> Option<&Path> {
        match &self.hand_over {
            HandOver::HostProgram { login_shell } => Some(login_shell.as_path())
                .filter(|shell| shell.file_name() == Some(OsStr::new("jail-shell"))),
            HandOver::Shell(_) => None,
        }
    }
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
            name: "ann".into(),
            uid,
            gid: 1001,
            group: "ann".into(),
            groups: vec![1001, 27, 1001],
            group_names: vec!["ann".into()],
            group_ids: vec![1001],
            unnamed_group: None,
            unanswered: None,
            home: "/home/ann".into(),
            shell: "/usr/bin/jail-shell".into(),
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
        assert_eq!(plan(1001).unwrap().ids.groups, [27, 1001]);
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
        assert_eq!(plan.request(), None);
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
