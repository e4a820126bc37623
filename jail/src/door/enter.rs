//! Does what a plan says, once, in its order. Every failure refuses the login.
//!
//! Three values, each made from the one before: [`Prepared`] has looked and changed nothing, [`Entered`] is inside
//! with nothing left to give up, and only an [`Entered`] can be exec'd.

use std::{
    fmt,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use jail_config::{Base, Content, Home, Landlock, Limits, Network, RootOwner, Seccomp};
use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
    sys::resource::{Resource, setrlimit},
    unistd::{Gid, Uid, getgroups, getresgid, getresuid, setgroups, setresgid, setresuid},
};
use rustix::{
    fs::{CWD, Mode, OFlags, Stat, fstat, openat, stat},
    net::{AddressFamily, SocketFlags, SocketType, socket_with},
    process::{chdir, chroot, fchdir, getcwd, umask},
    thread::{
        CapabilitiesSecureBits, CapabilitySet, capabilities, capabilities_secure_bits,
        capability_is_in_bounding_set, clear_ambient_capability_set, no_new_privs,
        remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits,
        set_no_new_privs,
    },
};

use crate::{
    door::refusal::Refusal,
    fault::{StepFault, hold, raw},
    plan::{HandOver, Ids, Plan, Processes, Step, View},
    process::{
        landlock::{self, Enforced},
        privilege::{NO_CAPABILITIES, charged_to},
        program, seccomp,
        start::{self, Inherited},
    },
    session::{
        self, Ended, Link, Split,
        terminal::{self, Inside, Relay},
    },
    sys::{
        close_range::close_range_on_exec_from, keyctl::join_session_keyring, net::set_loopback_up,
    },
    trust,
    world::{
        host_files::Shown,
        rootfs::{self, Opened, Trees, mount_id},
    },
};

/// No privilege by user ID 0, no change of capabilities by a change of user ID, no ambient capabilities, and no way
/// back: capabilities(7).
const SECUREBITS: CapabilitiesSecureBits = CapabilitiesSecureBits::NO_ROOT
    .union(CapabilitiesSecureBits::NO_ROOT_LOCKED)
    .union(CapabilitiesSecureBits::NO_SETUID_FIXUP)
    .union(CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED)
    .union(CapabilitiesSecureBits::KEEP_CAPS_LOCKED)
    .union(CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE)
    .union(CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED);

/// CAP_CHECKPOINT_RESTORE: every kernel with close_range(2), which we need, has it (Linux 5.9).
const LAST_CAPABILITY: u32 = 40;

/// A plan whose look-only steps have been taken: the process is as it was.
#[derive(Debug)]
pub struct Prepared {
    plan: Plan,
    inherited: Inherited,
    opened: Opened,
}

/// A process that is in its jail. It can only be exec'd.
#[must_use = "a process that has entered must become the user's shell"]
pub struct Entered {
    plan: Plan,
    home: PathBuf,
    sftp_server: Option<PathBuf>,
    /// Walls of the second kind that the config lets be missing, and are: for the log.
    missing: Option<String>,
}

/// A host program's process that is in the jail, with its privileges.
#[derive(Debug)]
#[must_use = "walls that are missing belong in the log"]
pub struct Confined {
    missing: Option<String>,
}

impl Confined {
    /// Says what of the second wall the kernel lacks and the config lets be missing.
    #[must_use]
    pub fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }
}

impl fmt::Debug for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entered")
            .field("jail", &self.plan.jail)
            .finish_non_exhaustive()
    }
}

/// Which process comes out of entering.
#[derive(Debug)]
pub enum Outcome {
    /// The session's main process, which becomes the shell.
    Inside(Box<Entered>),
    /// The supervisor, outside, whose work is done: how the session's main process ended.
    Supervisor(Ended),
    /// Init, inside, whose work is done.
    Init,
}

/// Takes the steps of a plan that only look. What it returns is all that later steps need of the host.
///
/// # Errors
/// The root directory, the base or a mount's source is missing, no directory, or not to be trusted.
pub fn prepare(plan: Plan, inherited: Inherited) -> Result<Prepared, Refusal> {
    let mut root = None;
    let mut base = None;
    let mut mounts = Vec::new();
    for step in plan.steps() {
        match step {
            Step::OpenRoot(path) => {
                let owner = match plan.root_owner {
                    RootOwner::Root => None,
                    RootOwner::User => Some(plan.ids.uid),
                };
                root = Some(trust::open_directory_of(path, owner).map_err(Refusal::Root)?);
            }
            Step::OpenBase(from) => {
                let opened = match from {
                    Base::Directory(path) => trust::open_directory(path),
                    Base::Host | Base::None => trust::open_host_root(),
                };
                base = Some(opened.map_err(Refusal::Base)?);
            }
            Step::OpenMount(mount) => {
                // Whoever owns it: it is data, which nothing privileged reads.
                let opened = trust::open_source(&mount.source, plan.ids.uid);
                mounts.push(opened.map_err(Refusal::Mount)?);
            }
            Step::HostFiles(_) => {
                let Some(root) = &root else { break };
                let base = base.as_ref();
                let shown = Shown {
                    plan: &plan,
                    root,
                    base,
                };
                shown.check().map_err(Refusal::HostFiles)?;
            }
            _ => break,
        }
    }
    let Some(root) = root else {
        return Err(Refusal::Step(
            "open-root",
            StepFault::NotInForce("the plan names no root".to_owned()),
        ));
    };
    Ok(Prepared {
        plan,
        inherited,
        opened: Opened { root, base, mounts },
    })
}

impl Prepared {
    /// Gives the plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Takes the other steps, up to the one that ends the program. There is no way back after the first.
    ///
    /// With full isolation this returns in three processes, each with its [`Outcome`].
    ///
    /// # Errors
    /// The step that failed. The caller must end the process: part of the steps have been taken.
    pub fn enter(self) -> Result<Outcome, Refusal> {
        self.insist_on(true, "exec")?;
        match self.take_steps()? {
            Taken::Outcome(outcome) => Ok(outcome),
            Taken::All(entered) => Ok(Outcome::Inside(entered)),
        }
    }

    /// Takes the other steps in the process of a program that goes on by itself. There is no way back after the first.
    ///
    /// # Errors
    /// The step that failed. Part of the steps have been taken: the caller must see to it that this process runs
    /// nothing of the user's, see [`lock_out`](crate::door::lockout::lock_out).
    pub fn confine(self) -> Result<Confined, Refusal> {
        self.insist_on(false, "confine")?;
        // What the host program was called with is not its user's: a directory of the host's, or a file of root's.
        close_range_on_exec_from(3)
            .map_err(|errno| Refusal::Step("confine", StepFault::Failed("close_range", errno)))?;
        match self.take_steps()? {
            Taken::All(entered) => Ok(Confined {
                missing: entered.missing,
            }),
            Taken::Outcome(_) => Err(Refusal::Step(
                "confine",
                StepFault::NotInForce("a step behind PAM made a process".to_owned()),
            )),
        }
    }

    /// Makes sure that a plan is done by whom it is for: behind PAM no privileges are given up, so nothing may be
    /// exec'd.
    fn insist_on(&self, shell: bool, step: &'static str) -> Result<(), Refusal> {
        hold(
            "the plan for another hand-over",
            self.plan.request().is_some() == shell,
        )
        .map_err(|fault| Refusal::Step(step, fault))
    }

    fn take_steps(self) -> Result<Taken, Refusal> {
        let Prepared {
            plan,
            inherited,
            opened,
        } = self;
        let mut session = Session {
            plan: &plan,
            inherited: &inherited,
            opened: Some(opened),
            trees: None,
            terminal: None,
            relay: None,
            link: None,
            home: PathBuf::from("/"),
            sftp_server: None,
            missing: None,
            outside: None,
        };
        if plan.landlock != Landlock::Off {
            session.outside = Some(trust::open_host_root().map_err(Refusal::Root)?);
        }
        for step in plan.steps() {
            if let Some(outcome) = session.take(step)? {
                return Ok(Taken::Outcome(outcome));
            }
        }
        let Session {
            home,
            sftp_server,
            missing,
            ..
        } = session;
        Ok(Taken::All(Box::new(Entered {
            plan,
            home,
            sftp_server,
            missing,
        })))
    }
}

/// How far the steps were taken in this process.
enum Taken {
    /// Part of them: this process stands around the session.
    Outcome(Outcome),
    /// All of them.
    All(Box<Entered>),
}

/// What one step leaves for a later one.
struct Session<'a> {
    plan: &'a Plan,
    inherited: &'a Inherited,
    opened: Option<Opened>,
    trees: Option<Trees>,
    terminal: Option<Inside>,
    relay: Option<Relay>,
    link: Option<Link>,
    home: PathBuf,
    sftp_server: Option<PathBuf>,
    missing: Option<String>,
    /// The host's root directory, for as long as Landlock has to be tried.
    outside: Option<OwnedFd>,
}

impl Session<'_> {
    /// Takes one step. A process that this leaves around the session comes back with its outcome.
    fn take(&mut self, step: Step<'_>) -> Result<Option<Outcome>, Refusal> {
        let refuse = |fault| Refusal::Step(step.name(), fault);
        match step {
            // Taken by `prepare`.
            Step::OpenRoot(_) | Step::OpenBase(_) | Step::OpenMount(_) | Step::HostFiles(_) => {}
            Step::SessionKeyring => match self.plan.hand_over {
                HandOver::Shell(_) => join_new_session_keyring().map_err(refuse)?,
                HandOver::HostProgram { .. } => join_keyring().map_err(refuse)?,
            },
            Step::BoundingSet => empty_bounding_set().map_err(refuse)?,
            Step::Securebits => lock_securebits().map_err(refuse)?,
            Step::Chroot => {
                change_root(&taken(&mut self.opened).map_err(refuse)?.root).map_err(refuse)?
            }
            Step::CopyTrees(view) => self.copy_trees(view).map_err(refuse)?,
            Step::PidNamespace => return self.split_outside(),
            Step::Namespaces(network) => {
                // A host program's ids are its own, and the namespaces count as its user's: root's.
                let user = self.plan.request().map(|_| self.plan.ids.uid);
                enter_namespaces(network, user).map_err(refuse)?;
            }
            Step::NewRoot(view) => {
                rootfs::assemble(taken(&mut self.trees).map_err(refuse)?, view).map_err(refuse)?;
                let link = self.link.as_ref();
                link.map_or(Ok(()), Link::die_with_supervisor)
                    .map_err(refuse)?;
            }
            Step::Init(view) => return self.split_inside(view.linger),
            Step::Terminal => {
                taken(&mut self.terminal)
                    .map_err(refuse)?
                    .hand_over()
                    .map_err(refuse)?;
            }
            Step::Limits(limits) => set_limits(limits, self.inherited).map_err(refuse)?,
            Step::Groups(groups) => set_groups(groups).map_err(refuse)?,
            Step::Gid(gid) => set_gid(gid).map_err(refuse)?,
            Step::Uid(uid) => {
                set_uid(uid).map_err(refuse)?;
                start::end_deadline().map_err(refuse)?;
            }
            Step::Capabilities => empty_capabilities().map_err(refuse)?,
            Step::NoNewPrivs => forbid_new_privileges().map_err(refuse)?,
            Step::Verify(ids) => verify(ids).map_err(refuse)?,
            Step::Landlock(mode, network) => {
                let outside = taken(&mut self.outside).map_err(refuse)?;
                match landlock::restrict(mode, network).map_err(refuse)? {
                    Enforced::All => try_outside(&outside).map_err(refuse)?,
                    Enforced::Less(what) => {
                        if self.shows_processes_of_the_host() {
                            try_outside(&outside).map_err(refuse)?;
                        }
                        self.missing = Some(what);
                    }
                    Enforced::Off => {}
                }
            }
            Step::Seccomp(mode, network) => {
                filter_calls(mode, network, &self.plan.hand_over).map_err(refuse)?;
            }
            Step::Umask(mask) => set_umask(mask).map_err(refuse)?,
            Step::Home(wanted) => self.home = go_home(wanted)?,
            Step::Program(shell) => self.sftp_server = find_programs(shell, self.plan)?,
            // Taken by `Entered::exec`, the only thing that can be done with what comes out. Nothing of the user's runs
            // before init has given up what this process has.
            Step::Exec(_) => {
                if let Some(link) = self.link.take() {
                    link.wait_for_init()
                        .map_err(|fault| Refusal::Step("init", fault))?;
                }
            }
        }
        Ok(None)
    }

    /// Tells whether only Landlock hides the host's processes in /proc, and shuts their /proc/PID/root.
    fn shows_processes_of_the_host(&self) -> bool {
        self.plan.view.as_ref().is_some_and(|view| {
            view.processes == Processes::Traceable && view.proc == Content::Private
        })
    }

    fn copy_trees(&mut self, view: &View) -> Result<(), StepFault> {
        let ids = &self.plan.ids;
        let (terminal, relay) = match self.plan.request() {
            Some(_) => terminal::of_caller(ids.uid, ids.gid)?,
            None => (terminal::of_host_program()?, None),
        };
        let shown = terminal
            .descriptor()
            .map(AsFd::as_fd)
            .filter(|_| view.dev == Content::Private);
        self.trees = Some(Trees::copy(
            self.plan,
            view,
            &taken(&mut self.opened)?,
            shown,
        )?);
        self.terminal = Some(terminal);
        self.relay = relay;
        Ok(())
    }

    /// Forks; the process that was there becomes the supervisor, with nothing of root's left to it.
    fn split_outside(&mut self) -> Result<Option<Outcome>, Refusal> {
        let refuse = |fault| Refusal::Step(Step::PidNamespace.name(), fault);
        match session::split_outside(self.plan.ids.uid).map_err(refuse)? {
            Split::After(link) => {
                self.relay = None;
                self.link = Some(link);
                Ok(None)
            }
            Split::Before(init, link) => {
                self.trees = None;
                self.outside = None;
                self.terminal = None;
                self.drop_privileges()?;
                let relay = self.relay.take();
                let ended = session::supervise(init, link, relay).map_err(refuse)?;
                Ok(Some(Outcome::Supervisor(ended)))
            }
        }
    }

    /// Forks; the process that was there becomes init, behind the same walls as the main process.
    fn split_inside(&mut self, linger: bool) -> Result<Option<Outcome>, Refusal> {
        let refuse = |fault| Refusal::Step("init", fault);
        let link = taken(&mut self.link).map_err(refuse)?;
        let terminal = taken(&mut self.terminal).map_err(refuse)?;
        match session::split_inside(link, &terminal).map_err(refuse)? {
            Split::After(link) => {
                self.link = Some(link);
                self.terminal = Some(terminal);
                Ok(None)
            }
            Split::Before(main, link) => {
                self.drop_privileges()?;
                session::reap(main, link, terminal.for_init(), linger).map_err(refuse)?;
                Ok(Some(Outcome::Init))
            }
        }
    }

    /// Takes the steps that give privileges up, in their order: a process around the session keeps none.
    fn drop_privileges(&mut self) -> Result<(), Refusal> {
        let plan = self.plan;
        for step in plan.steps().into_iter().filter(Step::drops_privileges) {
            self.take(step)?;
        }
        Ok(())
    }
}

/// Takes what an earlier step has left. The order of `Plan::steps` sees to it that it is there.
fn taken<T>(left: &mut Option<T>) -> Result<T, StepFault> {
    left.take()
        .ok_or_else(|| StepFault::NotInForce("an earlier step was left out".to_owned()))
}

impl Entered {
    /// Says what of the second wall the kernel lacks and the config lets be missing.
    #[must_use]
    pub fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }

    /// Becomes the shell, or the sftp-server. Returns only when execve(2) failed.
    #[must_use]
    pub fn exec(self) -> Refusal {
        let Entered {
            plan,
            home,
            sftp_server,
            ..
        } = self;
        let home = ("HOME".into(), home.into_os_string());
        let Some(start) = plan.start(sftp_server.as_deref()) else {
            let fault = StepFault::NotInForce("there is something to start".to_owned());
            return Refusal::Step("exec", fault);
        };
        let environment = [&home].into_iter().chain(&plan.environment);
        let errno = program::execute(&start, environment);
        Refusal::Exec(start.program, errno)
    }
}

/// Joins a new session keyring, as root in every respect: a keyring counts against the key quota of the real user ID,
/// and the user's may be used up. From here on the user can't signal this process either.
fn join_new_session_keyring() -> Result<(), StepFault> {
    let root = Uid::from_raw(0);
    setresuid(root, root, root).map_err(|errno| StepFault::Failed("setresuid", errno))?;
    join_keyring()
}

fn join_keyring() -> Result<(), StepFault> {
    match join_session_keyring() {
        // No keyrings in this kernel: nothing to leave behind.
        Ok(()) | Err(Errno::ENOSYS) => Ok(()),
        Err(errno) => Err(StepFault::Failed(
            "keyctl KEYCTL_JOIN_SESSION_KEYRING",
            errno,
        )),
    }
}

fn empty_bounding_set() -> Result<(), StepFault> {
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        match remove_capability_from_bounding_set(capability).map_err(raw) {
            Ok(()) => {}
            // Past the last capability of this kernel.
            Err(Errno::EINVAL) if number > LAST_CAPABILITY => break,
            Err(errno) => return Err(StepFault::Failed("prctl PR_CAPBSET_DROP", errno)),
        }
        let left = capability_is_in_bounding_set(capability)
            .map_err(|errno| StepFault::Failed("prctl PR_CAPBSET_READ", raw(errno)))?;
        hold("the empty bounding set", !left)?;
    }
    Ok(())
}

fn lock_securebits() -> Result<(), StepFault> {
    failed(
        "prctl PR_SET_SECUREBITS",
        set_capabilities_secure_bits(SECUREBITS),
    )
}

/// Makes an open directory the root. By descriptor: what the path leads to by now does not matter.
fn change_root(root: &OwnedFd) -> Result<(), StepFault> {
    failed("fchdir", fchdir(root))?;
    failed("chroot", chroot("."))?;
    failed("chdir", chdir("/"))?;
    let identity = |stat: Stat| (stat.st_dev, stat.st_ino);
    let wanted = fstat(root).map_err(|errno| StepFault::Failed("fstat", raw(errno)))?;
    let reached = stat("/").map_err(|errno| StepFault::Failed("stat", raw(errno)))?;
    hold("the new root", identity(wanted) == identity(reached))
}

/// Sets the file mode creation mask. umask(2) reports no failure, so it is asked for what it has set.
fn set_umask(mask: u32) -> Result<(), StepFault> {
    let mask = Mode::from_raw_mode(mask);
    umask(mask);
    hold("the umask", umask(mask) == mask)
}

/// Gives back the limits that set-up had changed, with those of the config in their place.
fn set_limits(limits: &Limits, inherited: &Inherited) -> Result<(), StepFault> {
    let configured = [
        (Resource::RLIMIT_NOFILE, limits.nofile),
        (Resource::RLIMIT_NPROC, limits.nproc),
        (Resource::RLIMIT_FSIZE, limits.fsize),
        (Resource::RLIMIT_AS, limits.as_),
        (Resource::RLIMIT_CORE, limits.core),
        (Resource::RLIMIT_CPU, limits.cpu),
    ];
    let set = |resource, soft, hard| {
        setrlimit(resource, soft, hard)
            .map_err(|errno| StepFault::Failed(call_for(resource), errno))
    };
    for before in &inherited.limits {
        if !configured
            .iter()
            .any(|(other, value)| *other == before.resource && value.is_some())
        {
            set(before.resource, before.soft, before.hard)?;
        }
    }
    for (resource, value) in configured {
        if let Some(value) = value {
            set(resource, value, value)?;
        }
    }
    Ok(())
}

/// Names the call that sets a limit, for the log.
fn call_for(resource: Resource) -> &'static str {
    match resource {
        Resource::RLIMIT_NOFILE => "setrlimit nofile",
        Resource::RLIMIT_NPROC => "setrlimit nproc",
        Resource::RLIMIT_FSIZE => "setrlimit fsize",
        Resource::RLIMIT_AS => "setrlimit as",
        Resource::RLIMIT_CORE => "setrlimit core",
        Resource::RLIMIT_CPU => "setrlimit cpu",
        _ => "setrlimit",
    }
}

/// Enters the namespaces that need no fork. The host keeps its name in them.
fn enter_namespaces(network: &Network, user: Option<u32>) -> Result<(), StepFault> {
    let own = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    let unshared = match network {
        Network::None => own | CloneFlags::CLONE_NEWNET,
        Network::Host | Network::Ports { .. } => own,
    };
    let host = mount_id(CWD, c"/")?;
    let enter = || unshare(unshared).map_err(|errno| StepFault::Failed("unshare", errno));
    match user {
        Some(uid) => charged_to(uid, enter)?,
        None => enter()?,
    }
    // Before anything is mounted: every mount of a new namespace has a number of its own.
    hold("the new namespaces", mount_id(CWD, c"/")? != host)?;
    if *network == Network::None {
        let socket = socket_with(
            AddressFamily::INET,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(|errno| StepFault::Failed("socket", raw(errno)))?;
        set_loopback_up(socket).map_err(|errno| StepFault::Failed("ioctl SIOCSIFFLAGS", errno))?;
    }
    Ok(())
}

/// Tries what Landlock must refuse: to open a directory outside by a descriptor from before.
fn try_outside(outside: &OwnedFd) -> Result<(), StepFault> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let tried = openat(outside, ".", flags, Mode::empty()).map_err(raw);
    hold("Landlock", matches!(tried, Err(Errno::EACCES)))
}

fn filter_calls(mode: Seccomp, network: &Network, hand_over: &HandOver) -> Result<(), StepFault> {
    if matches!(network, Network::Ports { .. }) {
        seccomp::install_ports()?;
    }
    match (mode, hand_over) {
        (Seccomp::Off, _) => Ok(()),
        (Seccomp::Default, HandOver::Shell(_)) => seccomp::install(),
        (Seccomp::Default, HandOver::HostProgram { .. }) => seccomp::install_in_host_program(),
    }
}

fn set_groups(groups: &[u32]) -> Result<(), StepFault> {
    let groups: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
    setgroups(&groups).map_err(|errno| StepFault::Failed("setgroups", errno))
}

fn set_gid(gid: u32) -> Result<(), StepFault> {
    let gid = Gid::from_raw(gid);
    setresgid(gid, gid, gid).map_err(|errno| StepFault::Failed("setresgid", errno))
}

fn set_uid(uid: u32) -> Result<(), StepFault> {
    let uid = Uid::from_raw(uid);
    setresuid(uid, uid, uid).map_err(|errno| StepFault::Failed("setresuid", errno))
}

fn empty_capabilities() -> Result<(), StepFault> {
    failed(
        "prctl PR_CAP_AMBIENT_CLEAR_ALL",
        clear_ambient_capability_set(),
    )?;
    failed("capset", set_capabilities(None, NO_CAPABILITIES))
}

fn forbid_new_privileges() -> Result<(), StepFault> {
    failed("prctl PR_SET_NO_NEW_PRIVS", set_no_new_privs(true))
}

/// Reads back what was set, then tries to regain root, which must fail.
fn verify(ids: &Ids) -> Result<(), StepFault> {
    let (uid, gid) = (Uid::from_raw(ids.uid), Gid::from_raw(ids.gid));
    let uids = getresuid().map_err(|errno| StepFault::Failed("getresuid", errno))?;
    hold(
        "the user IDs",
        (uids.real, uids.effective, uids.saved) == (uid, uid, uid),
    )?;
    let gids = getresgid().map_err(|errno| StepFault::Failed("getresgid", errno))?;
    hold(
        "the group IDs",
        (gids.real, gids.effective, gids.saved) == (gid, gid, gid),
    )?;
    let mut groups: Vec<u32> = getgroups()
        .map_err(|errno| StepFault::Failed("getgroups", errno))?
        .into_iter()
        .map(Gid::as_raw)
        .collect();
    groups.sort_unstable();
    hold("the supplementary groups", groups == ids.groups)?;

    let sets = capabilities(None).map_err(|errno| StepFault::Failed("capget", raw(errno)))?;
    hold("the empty capability sets", sets == NO_CAPABILITIES)?;
    let bits = capabilities_secure_bits()
        .map_err(|errno| StepFault::Failed("prctl PR_GET_SECUREBITS", raw(errno)))?;
    hold("the locked securebits", bits == SECUREBITS)?;
    let no_new_privs = no_new_privs()
        .map_err(|errno| StepFault::Failed("prctl PR_GET_NO_NEW_PRIVS", raw(errno)))?;
    hold("no_new_privs", no_new_privs)?;

    let root = Uid::from_raw(0);
    hold(
        "the loss of root",
        setresuid(root, root, root) == Err(Errno::EPERM),
    )?;
    hold("the loss of setgroups", setgroups(&[]) == Err(Errno::EPERM))?;
    // EACCES: the user may not even search the root directory; `go_home` says so.
    let refused = matches!(chroot("/").map_err(raw), Err(Errno::EPERM | Errno::EACCES));
    hold("the loss of chroot", refused)
}

/// Changes to the home directory as the user and makes sure that the working directory is inside.
pub(crate) fn go_home(home: &Home) -> Result<PathBuf, Refusal> {
    let (wanted, fallback) = match home {
        Home::Set(path) => (path, false),
        Home::Default(path) => (path, true),
    };
    if let Err(errno) = chdir("/").map_err(raw) {
        return Err(Refusal::RootUnsearchable(errno));
    }
    let reached = match chdir(wanted).map_err(raw) {
        Ok(()) => wanted.clone(),
        // The root is the working directory already.
        Err(Errno::ENOENT | Errno::ENOTDIR) if fallback => PathBuf::from("/"),
        Err(errno) => return Err(Refusal::Home(wanted.clone(), errno)),
    };
    let directory =
        getcwd(Vec::new()).map_err(|errno| Refusal::Home(wanted.clone(), raw(errno)))?;
    // The kernel writes "(unreachable)" before a directory that is not below the root: getcwd(3).
    if directory.as_bytes().starts_with(b"/") {
        return Ok(reached);
    }
    Err(Refusal::Home(wanted.clone(), Errno::EXDEV))
}

/// Checks what a request takes: the shell or the sftp-server, which it finds, or both.
fn find_programs(shell: &Path, plan: &Plan) -> Result<Option<PathBuf>, Refusal> {
    let library_path = plan
        .environment
        .iter()
        .find(|(name, _)| name == "LD_LIBRARY_PATH")
        .map(|(_, value)| value.as_os_str());
    let root = program::Root::current(library_path).map_err(Refusal::Program)?;
    match plan.request() {
        Some(request) => root.check_for(request, shell).map_err(Refusal::Program),
        None => root.check(shell).map(|()| None).map_err(Refusal::Program),
    }
}

fn failed(call: &'static str, result: rustix::io::Result<()>) -> Result<(), StepFault> {
    result.map_err(|errno| StepFault::Failed(call, raw(errno)))
}
