//! jail-shell where it is in the jail already, because a PAM session has put the whole host program there: it becomes
//! the shell, as the user it is.
//!
//! There is nothing to give up and nothing to enter. The environment is the host program's own work, without what leads
//! to services of the host.

use std::{ffi::OsString, path::PathBuf};

use jail_config::Limits;
use nix::unistd::getresuid;
use rustix::{fs::Mode, process::umask};

use crate::{
    door::refusal::Refusal,
    fault::StepFault,
    plan::{
        environment::{OF_THE_HOST, Variable},
        request::{Request, Start, What},
    },
    process::{
        home::go_home,
        limits,
        program::{self, Root},
        start::Inherited,
    },
    world::mark::Mark,
};

/// Finds the mark of a session of this very user, where this process has no privileges of its own.
#[must_use]
pub fn of_caller() -> Option<Mark> {
    let ids = getresuid().ok()?;
    let plain = ids.real == ids.effective && ids.real == ids.saved && !ids.real.is_root();
    Mark::read().filter(|mark| plain && mark.uid == ids.real.as_raw())
}

/// Becomes the shell that the mark names. Returns only with what went wrong.
#[must_use]
pub fn exec(
    mark: &Mark,
    request: Request,
    environment: impl IntoIterator<Item = Variable>,
    inherited: &Inherited,
) -> Refusal {
    umask(Mode::from_raw_mode(mark.umask));
    let environment: Vec<Variable> = environment.into_iter().collect();
    let found = request
        .within(mark.commands.as_deref())
        .map_err(Refusal::NotAllowed)
        .and_then(|request| look(mark, &request, &environment));
    let (home, start, mut own) = match found {
        Ok(found) => found,
        Err(refusal) => return refusal,
    };
    own.extend([
        (OsString::from("SHELL"), mark.shell.clone().into_os_string()),
        (OsString::from("HOME"), home.into_os_string()),
    ]);
    let kept = environment
        .iter()
        .filter(|(name, _)| own.iter().all(|(own, _)| own != name))
        .filter(|(name, _)| OF_THE_HOST.iter().all(|outside| name != outside));
    if let Err(fault) = give_back(inherited, &start) {
        return Refusal::Step("limits", fault);
    }
    let errno = program::execute(&start, own.iter().chain(kept));
    Refusal::Exec(start.program, errno)
}

/// Sets the limits as the host program has left them.
fn give_back(inherited: &Inherited, start: &Start) -> Result<(), StepFault> {
    let late = limits::set(&Limits::default(), inherited)?;
    limits::tell_client_of_file_limit(start)?;
    limits::set_late(&late)
}

/// Changes to the home directory, and looks at the shell and the sftp-server as every login does: with the library path
/// that they will have. Gives what is to be started, and the variables that it needs.
fn look(
    mark: &Mark,
    request: &Request,
    environment: &[Variable],
) -> Result<(PathBuf, Start, Vec<Variable>), Refusal> {
    let home = go_home(&mark.home)?;
    let root = Root::current(program::library_path(environment)).map_err(Refusal::Program)?;
    let start = root.check_for(request, &mark.shell, &home)?;
    let own = match &request.what {
        What::Direct(direct) => direct.environment.clone(),
        What::Shell | What::Command { .. } | What::Sftp { .. } => Vec::new(),
    };
    Ok((home, start, own))
}
