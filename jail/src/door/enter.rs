//! A login that becomes a program of the user's: from the plan to the last thing before execve(2). Every failure refuses it.
//!
//! With full isolation three processes come out of it:
//!
//! ```text
//! supervisor   keeps the deadline while the world is built, then gives its privileges up and follows the session
//!   init       looks, builds the world, stands behind its walls, forks the main process off, gives its privileges up
//!     main     becomes the user, goes home, finds the program, and becomes it
//! ```
//!
//! Until init has given its privileges up, the supervisor has user ID 0 in every respect, so that the user can't stop or kill
//! it: nobody else can end what builds the world. With chroot(2) there is one process for all of it.
//!
//! A phase is a function that takes the steps which `Plan::steps` has for it, in that order; what it needs of the phase before
//! is its argument.

use std::os::fd::OwnedFd;

use nix::unistd::Pid;

use crate::{
    channel,
    door::{
        child::Child,
        count::{Counted, count},
        entered::{Entered, find_program},
        look::make_and_look,
        phases::{
            Outcome, be_alone, begin_recording, build_world, explained, open_outside,
            shown_terminal,
        },
        refusal::Refusal,
        until,
        user::{become_user, drop_privileges},
        walls::stand_behind,
    },
    fault::StepFault,
    log::running::Running,
    plan::{Plan, steps::Step, world::View},
    process::{
        cgroup::kills::spare_this_process,
        start::{Inherited, Watchdog},
        withheld::explain,
    },
    served,
    session::{
        close::Close,
        init::{get_ready, reap},
        link::{Link, Ready, Split, split_inside, split_outside},
        slot::Slot,
        standard::SetAside,
        supervisor::{self, Within, give_up_on},
        terminal::{self, Inside, Outside, Wanted},
        to_log::ToLog,
    },
    world::namespaces::change_root,
};

/// Enters the jail of a plan. There is no way back.
///
/// `running` is told once, by the process that was called, when nothing is left that the host could refuse. `watchdog` ends this
/// process when it takes too long.
///
/// # Errors
/// The step that failed. The caller must end the process: part of the steps have been taken.
pub fn enter(
    plan: Plan,
    inherited: &Inherited,
    watchdog: Watchdog,
    running: &mut Running<'_>,
) -> Result<Outcome, Refusal> {
    if plan.process.request().is_none() {
        let fault = StepFault::Bug("the plan is one for a host program");
        return Err(Refusal::Step("exec", fault));
    }
    if plan.process.needs_terminal() && !terminal::is_complete() {
        return Err(Refusal::NoTerminal);
    }
    running.begin()?;
    be_alone(&plan).map_err(explained)?;
    let Counted { slot, kills } = count(&plan)?;
    running.kills = kills;
    let Some(view) = plan.world.view.clone() else {
        if slot.is_some() {
            let fault = StepFault::Bug("nobody would keep the slot of the session");
            return Err(Refusal::Step("sessions", fault));
        }
        let root = look_for_root(&plan, &watchdog)?;
        running.session.root_file = served::number_of(&root).ok();
        running.enter()?;
        return enter_root(plan, &root, inherited, watchdog).map(Outcome::Inside);
    };
    let close = until::close(plan.process.until)?;
    let ids = (plan.process.ids.uid, plan.process.ids.gid);
    let wanted = Wanted {
        recorded: plan.process.record.recording().is_some(),
        idle: plan.process.idle,
        close,
    };
    let (terminal, outside) = terminal::of_caller(ids, wanted)
        .map_err(|fault| explained(Refusal::Step(Step::OpenTerminal.name(), fault)))?;
    let login = Login {
        plan,
        view,
        terminal,
        outside,
        slot,
    };
    if login.plan.shares_world() {
        return login.share_world(inherited, watchdog, running);
    }
    login.have_own_world(close, inherited, watchdog, running)
}

/// What a login has, before there is a world.
pub(super) struct Login {
    pub(super) plan: Plan,
    pub(super) view: View,
    pub(super) terminal: Inside,
    pub(super) outside: Outside,
    pub(super) slot: Option<Slot>,
}

impl Login {
    /// Makes a world of this login's own: one process stands around it, the other one builds it.
    fn have_own_world(
        self,
        close: Option<Close>,
        inherited: &Inherited,
        watchdog: Watchdog,
        running: &mut Running<'_>,
    ) -> Result<Outcome, Refusal> {
        let Login {
            plan,
            view,
            terminal,
            outside,
            slot,
        } = self;
        let refuse = |fault| explained(Refusal::Step(Step::PidNamespace.name(), fault));
        let standard = SetAside::copy().map_err(refuse)?;
        let record = (plan.process.sftp_is_logged)
            .then(channel::pair)
            .transpose()
            .map_err(refuse)?;
        let (record, errors) = record.unzip();
        match split_outside(plan.process.ids.uid).map_err(refuse)? {
            Split::Before(init, link) => {
                drop(terminal);
                drop(errors);
                let around = Around {
                    plan,
                    init,
                    link,
                    outside,
                    standard,
                    slot,
                    record,
                };
                around.supervise(watchdog, running)
            }
            Split::After(link) => {
                // The supervisor's: a timer is not inherited.
                watchdog.forget();
                drop(outside);
                // What lingers once the supervisor is gone counts no more.
                drop(slot);
                drop(record);
                let world = World {
                    plan,
                    view,
                    terminal,
                    link,
                    standard,
                    errors,
                    close,
                };
                world.build(inherited, running)
            }
        }
    }
}

/// Opens the root directory of a login by chroot(2). Where somebody else would have to answer for it, a child asks, and this
/// process keeps the time.
fn look_for_root(plan: &Plan, watchdog: &Watchdog) -> Result<OwnedFd, Refusal> {
    let refuse = Refusal::at(Step::OpenRoot(&plan.world.root));
    let stalls = served::any_may_stall()
        .map_err(|errno| refuse(StepFault::Failed("read /proc/self/mountinfo", errno)))?;
    if !stalls {
        return Ok(make_and_look(plan)?.into_root());
    }
    Child::run_for(watchdog.left(), plan, &[], || {
        make_and_look(plan).map(|it| Some(it.into_root()))
    })?
    .take_passed()
    .ok_or_else(|| refuse(StepFault::Bug("no root directory came out of the look")))
}

/// The one process of a login by chroot(2).
fn enter_root(
    plan: Plan,
    root: &OwnedFd,
    inherited: &Inherited,
    watchdog: Watchdog,
) -> Result<Box<Entered>, Refusal> {
    let outside = open_outside(&plan)?;
    change_root(root).map_err(|fault| Refusal::Step(Step::Chroot.name(), explain(fault)))?;
    let missing = stand_behind(&plan, outside)?;
    let late = become_user(&plan, inherited, watchdog)?;
    find_program(plan, late, missing)
}

/// What the supervisor has.
struct Around {
    plan: Plan,
    init: Pid,
    link: Link,
    outside: Outside,
    standard: SetAside,
    slot: Option<Slot>,
    /// What an sftp-server says of its transfers.
    record: Option<OwnedFd>,
}

impl Around {
    /// Waits until the world stands, gives every privilege up, and follows the session to its end.
    fn supervise(self, watchdog: Watchdog, running: &mut Running<'_>) -> Result<Outcome, Refusal> {
        let Around {
            plan,
            init,
            link,
            mut outside,
            standard,
            slot: _until_the_session_ends,
            record,
        } = self;
        if let Some(limits) = &plan.process.account {
            spare_this_process()
                .inspect_err(|_| give_up_on(init))
                .map_err(Refusal::at(Step::Cgroup(limits)))?;
        }
        let refuse = Refusal::at(Step::PidNamespace);
        // Whatever the wait comes to: init has root's ids, and would not end with a process that has none left.
        let ready = link
            .wait_until_ready(watchdog.left())
            .inspect_err(|_| give_up_on(init))
            .map_err(refuse)?;
        let (outcome, inside): (fn(_) -> _, _) = match ready {
            Ready::Yes { root, log } => {
                running.session.root_file = Some(root);
                begin_recording(&plan, &mut outside, running).inspect_err(|_| give_up_on(init))?;
                running.enter().inspect_err(|_| give_up_on(init))?;
                (Outcome::Supervisor, log)
            }
            Ready::Gone => (Outcome::Refused, None),
            Ready::Overdue => {
                give_up_on(init);
                standard.let_go();
                return Err(Refusal::Overdue(plan.world.looked_at()));
            }
        };
        drop(standard);
        drop_privileges(&plan)?;
        watchdog.disarm().map_err(refuse)?;
        let to_log = ToLog::new(inside, record).map_err(refuse)?;
        supervisor::supervise(Within::Init(init), link, outside, to_log, running)
            .map(outcome)
            .map_err(refuse)
    }
}

/// What init has, before there is a world.
struct World {
    plan: Plan,
    view: View,
    terminal: Inside,
    link: Link,
    standard: SetAside,
    /// The other end of the record of transfers.
    errors: Option<OwnedFd>,
    close: Option<Close>,
}

impl World {
    /// Looks, builds the world, and stands behind its walls. Returns in init and in the main process.
    fn build(self, inherited: &Inherited, running: &mut Running<'_>) -> Result<Outcome, Refusal> {
        let World {
            plan,
            view,
            terminal,
            mut link,
            standard,
            errors,
            close,
        } = self;
        let shown = shown_terminal(&view, &terminal).map_err(explained)?;
        let refuse = Refusal::at(Step::PidNamespace);
        link.let_go_of_standard().map_err(refuse)?;
        let built = build_world(&plan, &view, shown, &mut link).map_err(explained);
        // From here on nothing waits for a file system, and who is refused is told so.
        standard.take_back().map_err(refuse)?;
        let built = built?;
        built
            .log
            .iter()
            .try_for_each(|log| link.hand_over_log(log))
            .map_err(Refusal::at(Step::NewRoot(&view)))?;
        drop(built.log);
        let missing = stand_behind(&plan, built.outside)?;

        let refuse = Refusal::at(Step::Init(&view));
        match split_inside(link, &terminal).map_err(refuse)? {
            Split::Before(main, mut link) => {
                drop_privileges(&plan)?;
                drop(errors);
                let signals = get_ready(&mut link).map_err(refuse)?;
                running.let_go();
                let until = (view.linger, close);
                reap((main, signals), link, terminal.for_init(), until).map_err(refuse)?;
                Ok(Outcome::Init)
            }
            Split::After(link) => {
                let watchdog = Watchdog::arm().map_err(refuse)?;
                terminal.hand_over().map_err(Refusal::at(Step::Terminal))?;
                let late = become_user(&plan, inherited, watchdog)?;
                let entered = find_program(plan, late, missing);
                // Nothing of the user's runs before init and supervisor have given up what they have. And a refusal comes
                // behind what the supervisor logs.
                link.wait_for_init().map_err(refuse)?;
                let mut entered = entered?;
                entered.errors = errors;
                Ok(Outcome::Inside(entered))
            }
        }
    }
}
