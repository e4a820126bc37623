//! What a session uses of what its account has: whether another one may begin, and by which cgroup it is limited.

use crate::{
    door::refusal::Refusal,
    plan::{
        Plan,
        steps::{Phase, Step},
    },
    process::cgroup::{self, kills::Kills},
    session::slot::{self, Slot, Taken},
};

/// What goes with a session for as long as it is open.
#[derive(Debug, Default)]
#[must_use = "the session counts no longer than this value lives"]
pub(crate) struct Counted {
    /// What counts it, where sessions are limited.
    pub(crate) slot: Option<Slot>,
    /// What counts the processes that run out of memory, where that is limited.
    pub(crate) kills: Option<Kills>,
}

/// Takes the slot that the plan asks for, and joins the account's cgroup.
///
/// # Errors
/// All slots are taken, a limit does not come into force, or it can't be known.
pub(crate) fn count(plan: &Plan) -> Result<Counted, Refusal> {
    let mut counted = Counted::default();
    let uid = plan.process.ids.uid;
    for step in plan.steps_of(Phase::Supervisor) {
        let refuse = Refusal::at(step);
        match step {
            Step::Sessions(limit) => match slot::take(uid, limit).map_err(refuse)? {
                Taken::Yes(slot) => counted.slot = Some(slot),
                Taken::None => return Err(Refusal::Sessions(limit)),
            },
            Step::Cgroup(limits) => {
                counted.kills = Some(cgroup::limit(uid, limits).map_err(refuse)?);
            }
            // Taken by whoever goes on.
            _ => {}
        }
    }
    Ok(counted)
}
