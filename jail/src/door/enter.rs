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

use jail_config::{Content, Landlock};
use nix::unistd::Pid;

use crate::{
    channel,
    door::{
        child::Child,
        count::{Counted, count},
        entered::{Entered, find_program},
        look::{make_and_look, misplaced},
        recording,
        refusal::Refusal,
        until,
        user::{become_user, drop_privileges},
        walls::stand_behind,
    },
    fault::{StepFault, failed},
    log::running::Running,
    plan::{
        Plan,
        steps::{Phase, Step},
        world::View,
    },
    process::{
        capabilities::{empty_bounding_set, join_new_session_keyring, lock_securebits},
        cgroup::kills::spare_this_process,
        start::{Inherited, Watchdog},
        withheld::explain,
    },
    served,
    session::{
        Ended,
        close::Close,
        init::{get_ready, reap},
        link::{Link, Ready, Split, split_inside, split_outside},
        slot::Slot,
        standard::SetAside,
        supervisor::{self, give_up_on},
        terminal::{self, Inside, Outside, Wanted},
        to_log::ToLog,
    },
    trust,
    world::{
        assemble::assemble,
        mounts::copy_file,
        namespaces::{change_root, enter_namespaces},
        top::Trees,
    },
};

/// Which process comes out of entering.
#[derive(Debug)]
pub enum Outcome {
    /// The session's main process, which becomes the program.
    Inside(Box<Entered>),
    /// The supervisor, outside, whose work is done: how the session's main process ended.
    Supervisor(Ended),
    /// The supervisor of a session that never began: init was refused, and has said why; and how it ended.
    Refused(Ended),
    /// Init, inside, whose work is done.
    Init,
}

/// Enters the jail of a plan. There is no way back.
///
/// `running` is told once, by the process that was called, when nothing is left that the host could refuse. `watchdog` ends this process when it takes too long.
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
    enter_view((plan, view), slot, inherited, watchdog, running)
}

/// Enters a view of its own: forks init off, and follows the session from outside or builds the world inside.
fn enter_view(
    (plan, view): (Plan, View),
    slot: Option<Slot>,
    inherited: &Inherited,
    watchdog: Watchdog,
    running: &mut Running<'_>,
) -> Result<Outcome, Refusal> {
    let refuse = |step: Step<'_>| {
        let refuse = Refusal::at(step);
        move |fault| explained(refuse(fault))
    };
    let close = until::close(plan.process.until)?;
    let ids = (plan.process.ids.uid, plan.process.ids.gid);
    let wanted = Wanted {
        recorded: plan.process.record.recording().is_some(),
        idle: plan.process.idle,
        close,
    };
    let (terminal, outside) =
        terminal::of_caller(ids, wanted).map_err(refuse(Step::OpenTerminal))?;
    let standard = SetAside::copy().map_err(refuse(Step::PidNamespace))?;
    let record = (plan.process.sftp_is_logged)
        .then(channel::pair)
        .transpose()
        .map_err(refuse(Step::PidNamespace))?;
    let (record, errors) = record.unzip();
    match split_outside(plan.process.ids.uid).map_err(refuse(Step::PidNamespace))? {
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

/// Leaves what was inherited of rights and keys, before anything is opened and before the forks, so that every process has it.
fn be_alone(plan: &Plan) -> Result<(), Refusal> {
    for step in plan.steps_of(Phase::Alone) {
        match step {
            Step::SessionKeyring => join_new_session_keyring(),
            Step::BoundingSet => empty_bounding_set(),
            Step::Securebits => lock_securebits(),
            other => return Err(misplaced(other)),
        }
        .map_err(Refusal::at(step))?;
    }
    Ok(())
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
        supervisor::supervise(init, link, outside, to_log, running)
            .map(outcome)
            .map_err(refuse)
    }
}

/// Begins the recording of the terminal, where there is one and the config wants it.
fn begin_recording(
    plan: &Plan,
    outside: &mut Outside,
    running: &Running<'_>,
) -> Result<(), Refusal> {
    let recording = plan.process.record.recording();
    if let (Some(recording), Some(relay)) = (recording, &mut outside.relay) {
        let recorder = recording::begin(plan, recording, relay.size(), running)
            .map_err(Refusal::at(Step::Record(recording)))?;
        relay.recorder = Some(recorder);
    }
    Ok(())
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
        let outside = built?;
        let missing = stand_behind(&plan, outside)?;

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

/// Looks at what the host gives, and makes the world of it. Returns the host's root directory, for Landlock to be tried on.
fn build_world(
    plan: &Plan,
    view: &View,
    shown: Option<OwnedFd>,
    link: &mut Link,
) -> Result<Option<OwnedFd>, Refusal> {
    let looked = make_and_look(plan)?;
    link.root_file = served::number_of(&looked.0.root)
        .map_err(failed("statx of the root"))
        .map_err(Refusal::at(Step::OpenRoot(&plan.world.root)))?;
    let outside = open_outside(plan)?;
    let trees =
        Trees::copy(plan, view, &looked.0, shown).map_err(Refusal::at(Step::CopyTrees(view)))?;
    enter_namespaces(&plan.world.network, Some(plan.process.ids.uid))
        .map_err(Refusal::at(Step::Namespaces(&plan.world.network)))?;
    assemble(trees, view)
        .and_then(|log| {
            log.iter().try_for_each(|log| link.hand_over_log(log))?;
            link.die_with_supervisor()
        })
        .map_err(Refusal::at(Step::NewRoot(view)))?;
    Ok(outside)
}

/// Adds to a refusal from before the walls what whoever started this process has to do with it.
pub(crate) fn explained(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Step(step, fault) => Refusal::Step(step, explain(fault)),
        other => other,
    }
}

/// Copies the terminal's node, for its name in a /dev of the session's own.
pub(crate) fn shown_terminal(view: &View, terminal: &Inside) -> Result<Option<OwnedFd>, Refusal> {
    terminal
        .descriptor()
        .filter(|_| view.dev == Content::Private)
        .map(copy_file)
        .transpose()
        .map_err(Refusal::at(Step::CopyTrees(view)))
}

/// Opens the host's root directory, where Landlock will have to be tried on it.
pub(crate) fn open_outside(plan: &Plan) -> Result<Option<OwnedFd>, Refusal> {
    (plan.process.landlock != Landlock::Off)
        .then(trust::open_host_root)
        .transpose()
        .map_err(Refusal::Root)
}
