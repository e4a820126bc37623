//! Does what a plan says, once, in its order. Every failure refuses the login.
//!
//! Three values, each made from the one before: [`Prepared`] has looked and changed nothing, [`Entered`] is inside
//! with nothing left to give up, and only an [`Entered`] can be exec'd.

use std::{
    fmt,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use jail_config::{Base, Content, Home, Landlock, Network, RootOwner, Seccomp};
use nix::errno::Errno;
use rustix::{
    fs::{Mode, OFlags, openat},
    process::{chdir, getcwd, umask},
};

use crate::{
    door::refusal::Refusal,
    fault::{StepFault, hold, raw},
    plan::{HandOver, Plan, Processes, Step, View},
    process::{
        capabilities::{
            empty_bounding_set, empty_capabilities, expect_none, forbid_new_privileges,
            join_keyring, join_new_session_keyring, lock_securebits,
        },
        credentials::{set_gid, set_groups, set_uid},
        landlock, limits, program, seccomp,
        start::{self, Inherited, Limit},
        withheld,
    },
    session::{
        self, Ended, Link, Split,
        terminal::{self, Inside, Relay},
    },
    sys::close_range::close_range_on_exec_from,
    trust,
    world::{
        assemble::assemble,
        host_files::Shown,
        namespaces::{change_root, enter_namespaces},
        targets,
        top::{Opened, Trees, check_entries},
    },
};

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
    /// Limits that come into force with the shell.
    late: Vec<Limit>,
    /// What stays open for want of a wall that the config lets be missing: for the log.
    missing: Option<String>,
}

/// A host program's process that is in the jail, with its privileges.
#[derive(Debug)]
#[must_use = "walls that are missing belong in the log"]
pub struct Confined {
    missing: Option<String>,
}

impl Confined {
    /// Says what stays open, because the kernel lacks a part of Landlock that the config lets be missing.
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
/// The root directory, the base or a mount's source is missing, no directory, or not to be trusted; or the kernel lacks
/// what the jail must have of Landlock.
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
                // The account stage goes no further than this.
                if let Some(base) = base {
                    check_entries(&plan, root, base)
                        .map_err(|fault| Refusal::Step(step.name(), fault))?;
                }
                targets::check(&plan, root, base, &mounts)
                    .map_err(|fault| Refusal::Step(step.name(), fault))?;
            }
            _ => break,
        }
    }
    let Some(root) = root else {
        return Err(Refusal::Step(
            "open-root",
            StepFault::Bug("the plan names no root"),
        ));
    };
    // Said before anything is changed, so that `jailctl` can say it without entering; the step asks once more.
    landlock::foresee(&plan).map_err(|fault| Refusal::Step("landlock", fault))?;
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
                StepFault::Bug("a step behind PAM made a process"),
            )),
        }
    }

    /// Makes sure that a plan is done by whom it is for: behind PAM no privileges are given up, so nothing may be
    /// exec'd.
    fn insist_on(&self, shell: bool, step: &'static str) -> Result<(), Refusal> {
        if self.plan.request().is_some() == shell {
            return Ok(());
        }
        Err(Refusal::Step(
            step,
            StepFault::Bug("the plan is for another kind of door"),
        ))
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
            late: Vec::new(),
            missing: None,
            outside: None,
        };
        if plan.landlock != Landlock::Off {
            session.outside = Some(trust::open_host_root().map_err(Refusal::Root)?);
        }
        let mut is_as_started = true;
        for step in plan.steps() {
            is_as_started = is_as_started && step != Step::NoNewPrivs;
            let taken = session.take(step);
            let taken = taken.map_err(|refusal| match refusal {
                Refusal::Step(step, fault) if is_as_started => Refusal::Step(step, explain(fault)),
                other => other,
            });
            if let Some(outcome) = taken? {
                return Ok(Taken::Outcome(outcome));
            }
        }
        let Session {
            home,
            sftp_server,
            late,
            missing,
            ..
        } = session;
        Ok(Taken::All(Box::new(Entered {
            plan,
            home,
            sftp_server,
            late,
            missing,
        })))
    }
}

/// Adds to a failed call what whoever started this process has to do with it. Only before this program has taken anything
/// away itself.
fn explain(fault: StepFault) -> StepFault {
    let StepFault::Failed(call, errno) = fault else {
        return fault;
    };
    match withheld::by_caller(call, errno) {
        Some(why) => StepFault::Withheld(call, errno, why),
        None => fault,
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
    late: Vec<Limit>,
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
                assemble(taken(&mut self.trees).map_err(refuse)?, view).map_err(refuse)?;
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
            Step::Limits(limits) => {
                self.late = limits::set(limits, self.inherited).map_err(refuse)?;
                if self.plan.request().is_none() {
                    limits::set_late(&self.late).map_err(refuse)?;
                }
            }
            Step::Groups(groups) => set_groups(groups).map_err(refuse)?,
            Step::Gid(gid) => set_gid(gid).map_err(refuse)?,
            Step::Uid(uid) => {
                set_uid(uid).map_err(refuse)?;
                start::end_deadline().map_err(refuse)?;
            }
            Step::Capabilities => empty_capabilities().map_err(refuse)?,
            Step::NoNewPrivs => forbid_new_privileges().map_err(refuse)?,
            Step::Verify(ids) => ids.expect().and_then(|()| expect_none()).map_err(refuse)?,
            Step::Landlock(wanted) => {
                let outside = taken(&mut self.outside).map_err(refuse)?;
                let standing = landlock::restrict(wanted).map_err(refuse)?;
                if standing.files || self.shows_processes_of_the_host() {
                    try_outside(&outside).map_err(refuse)?;
                }
                self.missing = standing.open.map(|open| open.to_string());
            }
            Step::Seccomp(mode, network) => {
                filter_calls(mode, network, self.plan).map_err(refuse)?;
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
        .ok_or(StepFault::Bug("an earlier step was left out"))
}

impl Entered {
    /// Says what stays open, because the kernel lacks a part of Landlock that the config lets be missing.
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
            late,
            ..
        } = self;
        let home = ("HOME".into(), home.into_os_string());
        let Some(request) = plan.request() else {
            let fault = StepFault::Bug("the plan has nothing to start");
            return Refusal::Step("exec", fault);
        };
        let start = program::start(request, &plan.shell, sftp_server.as_deref());
        let last = limits::tell_client_of_file_limit(&start);
        if let Err(fault) = last.and_then(|()| limits::set_late(&late)) {
            return Refusal::Step(Step::Limits(&plan.limits).name(), fault);
        }
        let environment = [&home].into_iter().chain(&plan.environment);
        let errno = program::execute(&start, environment);
        Refusal::Exec(start.program, errno)
    }
}

/// Sets the file mode creation mask. umask(2) reports no failure, so it is asked for what it has set.
fn set_umask(mask: u32) -> Result<(), StepFault> {
    let mask = Mode::from_raw_mode(mask);
    umask(mask);
    hold("the umask", umask(mask) == mask)
}

/// Tries what Landlock must refuse: to open a directory outside by a descriptor from before.
fn try_outside(outside: &OwnedFd) -> Result<(), StepFault> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let tried = openat(outside, ".", flags, Mode::empty()).map_err(raw);
    hold("Landlock", matches!(tried, Err(Errno::EACCES)))
}

fn filter_calls(mode: Seccomp, network: &Network, plan: &Plan) -> Result<(), StepFault> {
    if matches!(network, Network::Ports { .. }) {
        seccomp::install_ports()?;
    }
    match mode {
        Seccomp::Off => Ok(()),
        Seccomp::Default => seccomp::install(match plan.hand_over {
            HandOver::HostProgram { .. } => seccomp::To::HostProgram,
            HandOver::Shell(_) if plan.has_pid_namespace() => seccomp::To::OwnProcesses,
            HandOver::Shell(_) => seccomp::To::AmongOthers,
        }),
    }
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
    let library_path = program::library_path(&plan.environment);
    let root = program::Root::current(library_path).map_err(Refusal::Program)?;
    match plan.request() {
        Some(request) => root.check_for(request, shell).map_err(Refusal::Program),
        None => root.check(shell).map(|()| None).map_err(Refusal::Program),
    }
}
