//! `limits.sessions`: whether another session of the user may begin.

use crate::{
    door::refusal::Refusal,
    plan::{
        Plan,
        steps::{Phase, Step},
    },
    session::slot::{self, Slot, Taken},
};

/// Takes the slot that the plan asks for; none where sessions are not limited.
///
/// # Errors
/// All are taken, or it can't be known.
pub(crate) fn count(plan: &Plan) -> Result<Option<Slot>, Refusal> {
    let mut steps = plan.steps_of(Phase::Supervisor);
    let Some(step @ Step::Sessions(limit)) = steps.next() else {
        return Ok(None);
    };
    match slot::take(plan.process.ids.uid, limit).map_err(Refusal::at(step))? {
        Taken::Yes(slot) => Ok(Some(slot)),
        Taken::None => Err(Refusal::Sessions(limit)),
    }
}
