//! The steps of entering, and their order.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use jail_config::{
    AccountLimits, Base, Create, Device, Home, Limits, Mount, Network, Recording, Seccomp, Service,
};

use crate::plan::{
    Plan,
    process::{HandOver, Ids, Process, SecondWall},
    world::{View, World},
};

/// A stretch of the steps that one function takes. They come in this order, and each needs what the one before has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// What was inherited of rights and keys is left, before the first fork.
    Alone,
    /// A supervisor stays outside, with what counts and limits the session.
    Supervisor,
    /// A root directory and a home that are missing are made.
    Create,
    /// What the host gives is opened, and nothing is changed.
    Look,
    /// The world is built of it, or the root changed.
    World,
    /// What concerns a host program's process alone.
    HostProgram,
    /// The second wall.
    Walls,
    /// The supervisor begins the recording, and the main process is forked off.
    Fork,
    /// It becomes the user.
    User,
    /// It goes home, and becomes the program.
    Program,
}

/// One step of entering. Each has a row in the fail-closed matrix of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Make the root directory and the home, where they are missing.
    Create(&'a Create),
    /// Open the root directory by the trusted walk.
    OpenRoot(&'a Path),
    /// Open the base that shows through the root, by the same walk.
    OpenBase(&'a Base),
    /// Open the source of a mount, by the same walk.
    OpenMount(&'a Mount),
    /// Open what is there of a service, by the same walk.
    OpenService(&'a Service),
    /// Open device nodes, and look at what they are.
    OpenDevices(&'a [Device]),
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
    /// Take one of so many slots of the user's, which whoever stands around the session keeps.
    Sessions(u64),
    /// Join the account's cgroup, and make sure that it limits what the config wants.
    Cgroup(&'a AccountLimits),
    /// Look at the caller's terminal, and make one where the session can't have it.
    OpenTerminal,
    /// Join the world that a child has built.
    Join(&'a Network),
    /// Copy the trees that the new root is made of, detached.
    CopyTrees(&'a View),
    /// Join the world that other logins of the user share, or claim to make it.
    ShareWorld(&'a View),
    /// Fork into a new pid namespace; the process that was called becomes the supervisor.
    PidNamespace,
    /// Enter mount, ipc and uts namespaces, and a network namespace where the jail has no network.
    Namespaces(&'a Network),
    /// Put the new root together and leave the old one.
    NewRoot(&'a View),
    /// Make the file of the terminal's recording, and keep it open.
    Record(Recording),
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
            Step::Create(_) => "create",
            Step::OpenRoot(_) => "open-root",
            Step::OpenBase(_) => "open-base",
            Step::OpenMount(_) => "open-mount",
            Step::OpenService(_) => "open-service",
            Step::OpenDevices(_) => "open-devices",
            Step::HostFiles(_) => "host-files",
            Step::SessionKeyring => "session-keyring",
            Step::BoundingSet => "bounding-set",
            Step::Securebits => "securebits",
            Step::Chroot => "chroot",
            Step::Sessions(_) => "sessions",
            Step::Cgroup(_) => "cgroup",
            Step::OpenTerminal => "open-terminal",
            Step::Join(_) => "join",
            Step::CopyTrees(_) => "copy-trees",
            Step::ShareWorld(_) => "share-world",
            Step::PidNamespace => "pid-namespace",
            Step::Namespaces(_) => "namespaces",
            Step::NewRoot(_) => "new-root",
            Step::Record(_) => "record",
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
            Step::Sessions(_)
            | Step::Cgroup(_)
            | Step::OpenTerminal
            | Step::ShareWorld(_)
            | Step::PidNamespace => Phase::Supervisor,
            Step::Create(_) => Phase::Create,
            Step::OpenRoot(_)
            | Step::OpenBase(_)
            | Step::OpenMount(_)
            | Step::OpenService(_)
            | Step::OpenDevices(_)
            | Step::HostFiles(_) => Phase::Look,
            Step::CopyTrees(_) | Step::Namespaces(_) | Step::NewRoot(_) | Step::Chroot => {
                Phase::World
            }
            Step::NoNewPrivs | Step::Landlock(..) | Step::Seccomp(..) => Phase::Walls,
            Step::Record(_) | Step::Init(_) | Step::Terminal => Phase::Fork,
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

impl World {
    /// Lists the directories of the host that a login looks at, for the message about one that does not answer.
    #[must_use]
    pub fn looked_at(&self) -> Vec<PathBuf> {
        let steps = self.look().into_iter();
        steps
            .flat_map(|step| match step {
                Step::Create(_) => Vec::new(),
                Step::OpenRoot(path) => vec![path.to_owned()],
                Step::OpenMount(mount) => vec![mount.source.clone()],
                Step::OpenBase(Base::Directory(path)) => vec![path.clone()],
                Step::OpenService(service) => {
                    service.shown.iter().map(|it| it.source.clone()).collect()
                }
                Step::OpenDevices(_) => vec![PathBuf::from("/dev")],
                _ => vec![PathBuf::from("/")],
            })
            .collect()
    }

    fn look(&self) -> Vec<Step<'_>> {
        let mut steps: Vec<Step<'_>> = self.create.iter().map(Step::Create).collect();
        steps.push(Step::OpenRoot(&self.root));
        if let Some(view) = &self.view {
            steps.extend((view.base != Base::None).then_some(Step::OpenBase(&view.base)));
            steps.extend(view.mounts.iter().map(Step::OpenMount));
            steps.extend(view.services.iter().map(Step::OpenService));
            let has_devices = !view.devices.is_empty();
            steps.extend(has_devices.then_some(Step::OpenDevices(&view.devices)));
        }
        steps
    }

    fn build(&self) -> Vec<Step<'_>> {
        match &self.view {
            None => vec![Step::Chroot],
            Some(view) => vec![
                Step::CopyTrees(view),
                Step::Namespaces(&self.network),
                Step::NewRoot(view),
            ],
        }
    }
}

impl Process {
    fn become_user(&self) -> [Step<'_>; 6] {
        [
            Step::Limits(&self.limits),
            Step::Groups(&self.ids.groups),
            Step::Gid(self.ids.gid),
            Step::Uid(self.ids.uid),
            Step::Capabilities,
            Step::Verify(&self.ids),
        ]
    }

    fn start_program(&self) -> [Step<'_>; 4] {
        [
            Step::Umask(self.umask),
            Step::Home(&self.home),
            Step::Program(&self.shell),
            Step::Exec(&self.shell),
        ]
    }
}

impl Plan {
    /// Lists the steps in the order in which they are taken, each for a reason:
    ///
    /// * the session keyring comes first, because the process has user ID 0 in every respect from then on: the user can
    ///   neither stop nor kill what keeps the deadline;
    /// * bounding set and securebits come before the user ID, which takes CAP_SETPCAP away, and before the forks, so
    ///   that every process has them;
    /// * the slot of the session is taken before the fork: init gives it back, and the supervisor keeps it;
    /// * a world that others share is looked for while root still: its socket is where nobody else gets, and what a login takes
    ///   there has privileges no more. Then the steps from the pid namespace to the forks were those of the login that made it;
    /// * the cgroup is joined once it is known that the session may begin, and before the fork, so that every process of it and
    ///   every page of the world counts;
    /// * the pid namespace comes before anything of the host's is opened: what may stall is done by a process that
    ///   another one can kill;
    /// * what is missing of root directory and home is made before it is opened;
    /// * what the host gives is opened while the host's paths still mean the host;
    /// * trees are copied before the mount namespace changes: a descriptor of one means nothing in another;
    /// * the pid namespace comes before the new root, whose /proc shows the namespace of whoever mounts it;
    /// * the terminal is handed over while root, because taking it from a session takes CAP_SYS_ADMIN;
    /// * the recording is made by the supervisor as root, once the world stands and before the supervisor gives its privileges up;
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
        match self.process.hand_over {
            HandOver::Shell(_) => self.steps_to_shell(),
            HandOver::HostProgram { .. } => self.steps_behind_pam(),
        }
    }

    /// Lists the steps of one phase, in their order.
    pub(crate) fn steps_of(&self, phase: Phase) -> impl Iterator<Item = Step<'_>> {
        let behind_pam = self.process.request().is_none();
        let steps = self.steps().into_iter();
        steps.filter(move |step| step.phase(behind_pam) == phase)
    }

    fn steps_behind_pam(&self) -> Vec<Step<'_>> {
        let mut steps: Vec<Step<'_>> = self.counted().collect();
        steps.extend(self.world.look());
        steps.push(Step::HostFiles(&self.process.ids));
        if self.world.view.is_some() {
            steps.extend(self.world.build());
            steps.push(Step::Join(&self.world.network));
        }
        steps.push(Step::SessionKeyring);
        steps.extend(self.world.view.is_none().then_some(Step::Chroot));
        steps.extend([
            Step::Limits(&self.process.limits),
            Step::Umask(self.process.umask),
        ]);
        steps.extend(self.second_wall());
        steps
    }

    fn steps_to_shell(&self) -> Vec<Step<'_>> {
        let mut steps = vec![Step::SessionKeyring, Step::BoundingSet, Step::Securebits];
        steps.extend(self.counted());
        if let Some(view) = &self.world.view {
            steps.push(Step::OpenTerminal);
            steps.extend(self.shares_world().then_some(Step::ShareWorld(view)));
            steps.push(Step::PidNamespace);
        }
        steps.extend(self.world.look());
        steps.extend(self.world.build());
        steps.extend(self.second_wall());
        if let Some(view) = &self.world.view {
            steps.extend(self.process.record.recording().map(Step::Record));
            steps.extend([Step::Init(view), Step::Terminal]);
        }
        steps.extend(self.process.become_user());
        steps.extend(self.process.start_program());
        steps
    }

    fn counted(&self) -> impl Iterator<Item = Step<'_>> {
        let sessions = self.process.sessions.map(Step::Sessions);
        let account = self.process.account.as_ref();
        sessions.into_iter().chain(account.map(Step::Cgroup))
    }

    fn second_wall(&self) -> impl Iterator<Item = Step<'_>> {
        let seccomp = self.process.seccomp != Seccomp::Off
            || self.world.disk.is_some()
            || matches!(self.world.network, Network::Ports { .. });
        [
            Some(Step::NoNewPrivs),
            self.landlock().map(Step::Landlock),
            seccomp.then_some(Step::Seccomp(self.process.seccomp, &self.world.network)),
        ]
        .into_iter()
        .flatten()
    }
}
