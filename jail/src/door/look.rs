//! The steps of a plan that only look: what the host gives is opened, and is a descriptor from then on.

use std::{os::fd::OwnedFd, path::Path};

use jail_config::{Base, RootOwner};

use crate::{
    door::refusal::Refusal,
    fault::StepFault,
    plan::{
        Plan,
        steps::{Phase, Step},
    },
    process::{cgroup, landlock},
    trust,
    world::{
        self,
        create::{self, Missing},
        devices,
        host_files::Shown,
        sight::{self, Sight},
        targets,
        top::{Opened, check_entries},
    },
};

/// Finds what of root directory and home is missing, and will be made by a login. Changes nothing.
///
/// # Errors
/// It can't be made.
pub fn missing(plan: &Plan) -> Result<Vec<Missing>, Refusal> {
    match &plan.world.create {
        Some(_) => Ok(create::foresee(plan)?),
        None => Ok(Vec::new()),
    }
}

/// Looks as a login will find it, and changes nothing. Gives what the host gives, unless that will be made by the login, and what
/// will be made.
///
/// # Errors
/// As [`look`], or what is missing can't be made.
pub fn foresee(plan: &Plan) -> Result<(Option<Looked>, Vec<Missing>), Refusal> {
    let missing = missing(plan)?;
    let is_there = missing.iter().all(|it| it.is_below(&plan.world));
    let looked = is_there.then(|| look(plan)).transpose()?;
    Ok((looked, missing))
}

/// Makes what the config wants made and is missing, and looks.
///
/// # Errors
/// As [`look`], or what is missing can't be made.
pub(crate) fn make_and_look(plan: &Plan) -> Result<Looked, Refusal> {
    for step in plan.steps_of(Phase::Create) {
        match step {
            Step::Create(how) => create::make(plan, how)?,
            other => return Err(misplaced(other)),
        }
    }
    look(plan)
}

/// Takes the steps that only look, and changes nothing. `jailctl` takes these to say what a login would be refused for.
///
/// # Errors
/// The root directory, the base or a mount's source is missing, of another kind, or not to be trusted; root code of a host
/// program must not read what is inside; or the kernel lacks what the jail must have of Landlock.
pub fn look(plan: &Plan) -> Result<Looked, Refusal> {
    let mut steps = plan.steps_of(Phase::Look);
    let root = match steps.next() {
        Some(Step::OpenRoot(path)) => open_root(plan, path)?,
        Some(other) => return Err(misplaced(other)),
        None => {
            let fault = StepFault::Bug("the plan opens no root");
            return Err(Refusal::Step("open-root", fault));
        }
    };
    let mut base = None;
    let mut mounts = Vec::new();
    let mut services = Vec::new();
    let mut devices = devices::Found::default();
    for step in steps {
        match step {
            Step::OpenBase(from) => {
                let opened = match from {
                    Base::Directory(path) => trust::open_directory(path),
                    Base::Host | Base::None => trust::open_host_root(),
                };
                base = Some(opened.map_err(Refusal::Base)?);
            }
            Step::OpenMount(mount) => {
                // Whoever owns it: it is data, which nothing privileged reads.
                let opened = trust::open_source(&mount.source, plan.process.ids.uid);
                mounts.push(opened.map_err(Refusal::Mount)?);
            }
            Step::OpenService(service) => {
                let found = world::services::open(service, plan.process.ids.uid);
                services.extend(found.map_err(Refusal::Service)?);
            }
            Step::OpenDevices(wanted) => {
                devices = devices::open(wanted).map_err(Refusal::at(step))?;
            }
            Step::HostFiles(_) => {
                let refuse = Refusal::at(step);
                let (root, base) = (&root, base.as_ref());
                Shown { plan, root, base }
                    .check()
                    .map_err(Refusal::HostFiles)?;
                // The account stage goes no further than this.
                if let Some(base) = base {
                    check_entries(plan, root, base).map_err(refuse)?;
                }
                let places = world::services::first_places(&services);
                targets::check(plan, root, base, &mounts, &places).map_err(refuse)?;
            }
            other => return Err(misplaced(other)),
        }
    }
    // Said before anything is changed; the step asks once more.
    landlock::foresee(plan).map_err(|fault| Refusal::Step("landlock", fault))?;
    if let Some(limits) = &plan.process.account {
        cgroup::foresee(limits).map_err(Refusal::at(Step::Cgroup(limits)))?;
    }
    Ok(Looked(Opened {
        root,
        base,
        mounts,
        services,
        devices,
    }))
}

/// What the host gives, opened.
#[derive(Debug)]
#[must_use = "it is all that later steps need of the host"]
pub struct Looked(pub(crate) Opened);

impl Looked {
    /// Says what a session by this plan sees at the top of its root.
    ///
    /// # Errors
    /// Root or base can't be listed.
    pub fn sight<'a>(&'a self, plan: &'a Plan) -> Result<Sight<'a>, StepFault> {
        sight::of(plan, &self.0)
    }

    /// Gives the root directory alone.
    pub(crate) fn into_root(self) -> OwnedFd {
        self.0.root
    }
}

fn open_root(plan: &Plan, path: &Path) -> Result<OwnedFd, Refusal> {
    let owner = match plan.world.root_owner {
        RootOwner::Root => None,
        RootOwner::User => Some(plan.process.ids.uid),
    };
    trust::open_directory_of(path, owner).map_err(Refusal::Root)
}

/// Refuses a step that is not of the phase in which it was met.
pub(crate) fn misplaced(step: Step<'_>) -> Refusal {
    Refusal::Step(
        step.name(),
        StepFault::Bug("the step is in another phase than its own"),
    )
}
