//! What every door of a program of our own does with a plan: enter, log, and become the user's program or stand around it.

use std::process::exit;

use crate::{
    door::{enter::enter, phases::Outcome, refusal::Refusal},
    log::{Log, running::Running},
    plan::Plan,
    process::start::{Inherited, Watchdog},
    session::supervisor::end_like,
};

/// Follows a login from its plan to its end.
///
/// It returns with a refusal, or not at all: as the user's program, or ended as that ended.
#[must_use]
pub fn serve(plan: Plan, inherited: &Inherited, watchdog: Watchdog, log: &mut Log) -> Refusal {
    let mut running = Running::new(log, &plan);
    match enter(plan, inherited, watchdog, &mut running) {
        Ok(Outcome::Inside(entered)) => {
            if let Some(missing) = entered.missing() {
                running.weakened(missing);
            }
            entered.exec()
        }
        Ok(Outcome::Supervisor(ended)) => {
            running.leave(Some(ended));
            end_like(ended)
        }
        Ok(Outcome::Refused(ended)) => end_like(ended),
        Ok(Outcome::Init) => exit(0),
        Err(refusal) => refusal,
    }
}
