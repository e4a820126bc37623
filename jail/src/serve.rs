//! What every door of a program of our own does with a plan: enter, log, and become the user's program or stand around it.

use std::{ffi::OsStr, process::exit};

use crate::{
    door::{
        enter::{Outcome, enter},
        refusal::Refusal,
    },
    log::Log,
    plan::Plan,
    process::start::{Inherited, Watchdog},
    session::supervisor::end_like,
};

/// Follows a login from its plan to its end. `terminal` and `from` are for the log.
///
/// It returns with a refusal, or not at all: as the user's program, or ended as that ended.
#[must_use]
pub fn serve(
    plan: Plan,
    inherited: &Inherited,
    watchdog: Watchdog,
    log: &Log,
    (terminal, from): (Option<&OsStr>, Option<&OsStr>),
) -> Refusal {
    let (user, uid) = (plan.user.clone(), plan.process.ids.uid);
    let entering = |plan: &Plan| log.enter(plan, terminal, from);
    match enter(plan, inherited, watchdog, entering) {
        Ok(Outcome::Inside(entered)) => {
            if let Some(missing) = entered.missing() {
                log.weakened(missing, Some(&user), uid);
            }
            entered.exec()
        }
        Ok(Outcome::Supervisor(ended)) => {
            log.leave(ended, Some(&user), uid);
            end_like(ended)
        }
        Ok(Outcome::Refused(ended)) => end_like(ended),
        Ok(Outcome::Init) => exit(0),
        Err(refusal) => refusal,
    }
}
