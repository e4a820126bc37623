//! A session that a host program opens with PAM, and goes on in itself, as root: it is put into the jail, and nothing is exec'd.
//!
//! What may stall is done by a [`Child`]: it looks, and builds the world. The host program's own process only joins.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use jail_config::Content;
use rustix::{fs::CWD, process::chdir};

use crate::{
    door::{
        child::Child,
        count::{Counted, count},
        look::{foresee, make_and_look, misplaced},
        phases::{explained, open_outside, shown_terminal},
        refusal::Refusal,
        walls::stand_behind,
    },
    fault::{StepFault, expect_in_force, failed},
    plan::{
        Plan,
        steps::{Phase, Step},
        world::View,
    },
    process::{
        capabilities::join_keyring, cgroup::kills::Kills, home::set_umask, limits, start::Inherited,
    },
    served,
    session::{slot::Slot, terminal},
    sys::close_range::close_range_on_exec_from,
    world::{
        assemble::assemble,
        mounts::mount_id,
        namespaces::{change_root, enter_namespaces, of_world},
        terminal::{NamedTerminal, TerminalName},
        top::Trees,
    },
};

/// The name of this stage in a refusal.
const CONFINE: &str = "confine";

/// A host program's process that is in the jail, with its privileges.
#[derive(Debug)]
#[must_use = "walls that are missing belong in the log"]
pub struct Confined {
    missing: Option<String>,
    counted: Counted,
    terminal: Option<TerminalName>,
}

impl Confined {
    /// Says what stays open, because the kernel lacks a part of Landlock that the config lets be missing.
    #[must_use]
    pub fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }

    /// Gives what the host program keeps for as long as the session is open: what counts it, and what names its terminal. Besides,
    /// what counts the processes that run out of memory.
    #[must_use]
    pub fn into_kept(self) -> ((Option<Slot>, Option<TerminalName>), Option<Kills>) {
        ((self.counted.slot, self.terminal), self.counted.kills)
    }
}

/// Looks whether a session could be opened, and changes nothing.
///
/// # Errors
/// What [`look`] would refuse, or the look was not over in time.
pub fn look_ahead(plan: &Plan) -> Result<(), Refusal> {
    Child::run(plan, &[], || foresee(plan).map(|_| None)).map(drop)
}

/// Puts this process into the jail of a plan. There is no way back.
///
/// `entering` is called once, when nothing is left that the host could refuse and its files can still be reached: it writes the
/// log. It is told device and inode of the root directory, and may refuse as well.
///
/// # Errors
/// The step that failed. Part of the steps have been taken: the caller must see to it that this process runs
/// nothing of the user's, see [`lock_out`](crate::door::lockout::lock_out).
pub fn confine(
    plan: &Plan,
    entering: impl FnOnce(Option<(u64, u64)>) -> Result<(), Refusal>,
) -> Result<Confined, Refusal> {
    let refuse = |fault| Refusal::Step(CONFINE, fault);
    if plan.process.request().is_some() {
        return Err(refuse(StepFault::Bug(
            "the plan is one for a program of the user's",
        )));
    }
    // What the host program was called with is not its user's: a directory of the host's, or a file of root's.
    close_range_on_exec_from(3).map_err(|errno| refuse(StepFault::Failed("close_range", errno)))?;
    let counted = count(plan)?;
    let outside = open_outside(plan)?;
    let mut terminal = None;
    let root = match &plan.world.view {
        Some(view) => {
            let named = named_terminal(view).map_err(explained)?;
            let mut built = build_world(plan, view)?;
            entering(built.take_passed().and_then(number_of))?;
            join(built, plan).map_err(Refusal::at(Step::Join(&plan.world.network)))?;
            let shown = named.map(NamedTerminal::show).transpose();
            terminal = shown.map_err(Refusal::at(Step::NewRoot(view)))?;
            None
        }
        None => {
            let mut looked = Child::run(plan, &[], || {
                make_and_look(plan).map(|it| Some(it.into_root()))
            })?;
            let root = looked.take_passed();
            entering(root.as_ref().and_then(number_of))?;
            root
        }
    };
    go_on(plan, root.as_ref()).map_err(explained)?;
    let missing = stand_behind(plan, outside)?;
    Ok(Confined {
        missing,
        counted,
        terminal,
    })
}

/// Gives device and inode of the root directory.
fn number_of(root: impl AsFd) -> Option<(u64, u64)> {
    served::number_of(root).ok()
}

/// Copies the terminal for its own name in a /dev of the session's own.
fn named_terminal(view: &View) -> Result<Option<NamedTerminal>, Refusal> {
    let terminal = terminal::of_host_program();
    match terminal.descriptor() {
        Some(descriptor) if view.dev == Content::Private => {
            NamedTerminal::of(descriptor).map_err(Refusal::at(Step::CopyTrees(view)))
        }
        _ => Ok(None),
    }
}

/// Has a child look at what the host gives, and build the world of it in namespaces of its own.
fn build_world(plan: &Plan, view: &View) -> Result<Child, Refusal> {
    let shown = shown_terminal(view, &terminal::of_host_program()).map_err(explained)?;
    let kept: Vec<RawFd> = shown.iter().map(AsRawFd::as_raw_fd).collect();
    Child::run(plan, &kept, move || {
        let build = || {
            let looked = make_and_look(plan)?;
            let trees = Trees::copy(plan, view, &looked.0, shown)
                .map_err(Refusal::at(Step::CopyTrees(view)))?;
            // A host program's ids are its own, and the namespaces count as its user's: root's.
            enter_namespaces(&plan.world.network, None)
                .map_err(Refusal::at(Step::Namespaces(&plan.world.network)))?;
            assemble(trees, view)
                .map(drop)
                .map_err(Refusal::at(Step::NewRoot(view)))?;
            Ok(Some(looked.into_root()))
        };
        build().map_err(explained)
    })
}

/// Joins the finished world: its root becomes that of this process.
fn join(built: Child, plan: &Plan) -> Result<(), StepFault> {
    let host = mount_id(CWD, c"/")?;
    built.join(of_world(&plan.world.network))?;
    chdir("/").map_err(failed("chdir"))?;
    expect_in_force("the new root", mount_id(CWD, c"/")? != host)
}

/// Takes the steps that concern the process alone.
fn go_on(plan: &Plan, root: Option<&OwnedFd>) -> Result<(), Refusal> {
    for step in plan.steps_of(Phase::HostProgram) {
        match (step, root) {
            // Joined already.
            (Step::Join(_), _) => Ok(()),
            (Step::SessionKeyring, _) => join_keyring(),
            (Step::Chroot, Some(root)) => change_root(root),
            (Step::Chroot, None) => Err(StepFault::Bug("no root directory came out of the look")),
            (Step::Limits(wanted), _) => {
                limits::set(wanted, &Inherited::default()).and_then(|late| limits::set_late(&late))
            }
            (Step::Umask(mask), _) => set_umask(mask),
            (other, _) => return Err(misplaced(other)),
        }
        .map_err(Refusal::at(step))?;
    }
    Ok(())
}
