//! What a login takes its steps by, whichever processes come out of it.

use std::os::fd::OwnedFd;

use jail_config::{Content, Landlock};

use crate::{
    door::{
        entered::Entered,
        look::{make_and_look, misplaced},
        recording,
        refusal::Refusal,
    },
    fault::failed,
    log::running::Running,
    plan::{
        Plan,
        steps::{Phase, Step},
        world::View,
    },
    process::{
        capabilities::{empty_bounding_set, join_new_session_keyring, lock_securebits},
        withheld::explain,
    },
    served,
    session::{
        Ended,
        link::Link,
        terminal::{Inside, Outside},
    },
    trust,
    world::{
        assemble::assemble,
        mounts::copy_file,
        namespaces::{self, enter_namespaces},
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

/// Leaves what was inherited of rights and keys, before anything is opened and before the forks, so that every process has it.
pub(super) fn be_alone(plan: &Plan) -> Result<(), Refusal> {
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

/// Begins the recording of the terminal, where there is one and the config wants it.
pub(super) fn begin_recording(
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

/// What comes out of the building of a world.
#[derive(Debug)]
pub(super) struct Built {
    /// The host's root directory, for Landlock to be tried on.
    pub(super) outside: Option<OwnedFd>,
    /// The socket that is /dev/log inside, where somebody will read it.
    pub(super) log: Option<OwnedFd>,
    /// Which files of the host it is made of; nothing where no other login asks.
    pub(super) made_of: String,
    /// Its mount namespace, where other logins join it.
    pub(super) mounts: Option<OwnedFd>,
}

/// Looks at what the host gives, and makes the world of it.
pub(super) fn build_world(
    plan: &Plan,
    view: &View,
    shown: Option<OwnedFd>,
    link: &mut Link,
) -> Result<Built, Refusal> {
    let looked = make_and_look(plan)?;
    let made_of = match plan.shares_world() {
        true => looked.0.in_words(),
        false => Ok(String::new()),
    };
    let made_of = made_of.map_err(Refusal::at(Step::ShareWorld(view)))?;
    link.root_file = served::number_of(&looked.0.root)
        .map_err(failed("statx of the root"))
        .map_err(Refusal::at(Step::OpenRoot(&plan.world.root)))?;
    let outside = open_outside(plan)?;
    let trees =
        Trees::copy(plan, view, &looked.0, shown).map_err(Refusal::at(Step::CopyTrees(view)))?;
    enter_namespaces(&plan.world.network, Some(plan.process.ids.uid))
        .map_err(Refusal::at(Step::Namespaces(&plan.world.network)))?;
    let mounts = (plan.shares_world())
        .then(namespaces::own_mounts)
        .transpose()
        .map_err(Refusal::at(Step::Namespaces(&plan.world.network)))?;
    let log = assemble(trees, view)
        .and_then(|log| link.die_with_supervisor().map(|()| log))
        .map_err(Refusal::at(Step::NewRoot(view)))?;
    Ok(Built {
        outside,
        log,
        made_of,
        mounts,
    })
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
