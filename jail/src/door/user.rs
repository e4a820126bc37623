//! Becoming the user: the steps by which a process of a login gives its privileges up, in the order of the plan.

use crate::{
    door::{look::misplaced, refusal::Refusal},
    plan::{
        Plan,
        steps::{Phase, Step},
    },
    process::{
        capabilities::{empty_capabilities, expect_none, forbid_new_privileges},
        credentials::{set_gid, set_gid_around, set_groups, set_uid},
        limits,
        start::{Inherited, Limit, Watchdog},
    },
};

/// Takes the steps that give privileges up, in their order: a process around the session keeps none, and the user can't set its
/// resource limits.
pub(super) fn drop_privileges(plan: &Plan) -> Result<(), Refusal> {
    let steps = plan.steps().into_iter().filter(Step::drops_privileges);
    for step in steps {
        match step {
            Step::Gid(gid) => set_gid_around(gid).map_err(Refusal::at(step))?,
            Step::Verify(ids) => (ids.expect_around())
                .and_then(|()| expect_none())
                .map_err(Refusal::at(step))?,
            other => take_of_user(other)?,
        }
    }
    Ok(())
}

/// Becomes the user, with the limits of the jail. From then on a wait concerns the user alone.
///
/// Returns the limits that come into force with the program.
pub(super) fn become_user(
    plan: &Plan,
    inherited: &Inherited,
    watchdog: Watchdog,
) -> Result<Vec<Limit>, Refusal> {
    let mut late = Vec::new();
    for step in plan.steps_of(Phase::User) {
        let refuse = Refusal::at(step);
        match step {
            Step::Terminal => {}
            Step::Limits(limits) => late = limits::set(limits, inherited).map_err(refuse)?,
            other => take_of_user(other)?,
        }
    }
    watchdog
        .disarm()
        .map_err(Refusal::at(Step::Verify(&plan.process.ids)))?;
    Ok(late)
}

/// Takes one of these steps.
pub(super) fn take_of_user(step: Step<'_>) -> Result<(), Refusal> {
    match step {
        Step::Groups(groups) => set_groups(groups),
        Step::Gid(gid) => set_gid(gid),
        Step::Uid(uid) => set_uid(uid),
        Step::Capabilities => empty_capabilities(),
        Step::NoNewPrivs => forbid_new_privileges(),
        Step::Verify(ids) => ids.expect().and_then(|()| expect_none()),
        other => return Err(misplaced(other)),
    }
    .map_err(Refusal::at(step))
}
