//! The last of a login: as the user, home and the program are found, and the program is become.

use std::{
    fmt,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use nix::errno::Errno;
use rustix::stdio::dup2_stderr;

use crate::{
    door::{look::misplaced, refusal::Refusal},
    fault::{StepFault, errno_of},
    plan::{
        Plan,
        request::{Start, What},
        steps::{Phase, Step},
    },
    process::{
        home::{go_home, set_umask},
        limits,
        program::{self, ProgramFault},
        start::Limit,
    },
    session::{
        link::Link,
        messages::{Report, report},
    },
};

/// A process that is in its jail, with nothing left to give up. It can only be exec'd.
#[must_use = "a process that has entered must become the user's program"]
pub struct Entered {
    plan: Plan,
    home: PathBuf,
    start: Start,
    /// Limits that come into force with the shell.
    late: Vec<Limit>,
    /// What stays open for want of a wall that the config lets be missing: for the log.
    missing: Option<String>,
    /// What standard error becomes: an sftp-server's is the record of its transfers.
    pub(super) errors: Option<OwnedFd>,
    /// Who is told where the program does not start, because nobody here has a log.
    pub(super) supervisor: Option<Link>,
}

impl fmt::Debug for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entered")
            .field("jail", &self.plan.jail)
            .finish_non_exhaustive()
    }
}

impl Entered {
    /// Says what of the second wall the kernel lacks and the config lets be missing.
    #[must_use]
    pub fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }

    /// Gives the program that it becomes, a path in the jail.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.start.program
    }

    /// Becomes the shell, or the sftp-server. Returns only when execve(2) failed.
    #[must_use]
    pub fn exec(mut self) -> Refusal {
        let supervisor = self.supervisor.take();
        let refusal = self.become_program();
        let errno = match &refusal {
            Refusal::Exec(_, errno) | Refusal::Step(_, StepFault::Failed(_, errno)) => *errno,
            _ => Errno::EINVAL,
        };
        if let Some(link) = supervisor {
            report(link.socket(), Report::NotStarted(errno as i32));
        }
        refusal
    }

    fn become_program(self) -> Refusal {
        let Entered {
            plan,
            home,
            start,
            late,
            errors,
            ..
        } = self;
        let home = ("HOME".into(), home.into_os_string());
        let last = limits::tell_client_of_file_limit(&start);
        if let Err(fault) = last.and_then(|()| limits::set_late(&late)) {
            return Refusal::Step(Step::Limits(&plan.process.limits).name(), fault);
        }
        // Last: until here it is where a refusal is told. Nobody else in the session gets it.
        if let Some(Err(errno)) = errors.map(dup2_stderr) {
            let fault = StepFault::Failed("dup2 of the record of transfers", errno_of(errno));
            return Refusal::Step("exec", fault);
        }
        let environment = [&home].into_iter().chain(&plan.process.environment);
        let errno = program::execute(&start, environment);
        Refusal::Exec(start.program, errno)
    }
}

/// Goes home and finds the program, as the user and behind every wall: the user could have arranged all of it.
pub(super) fn find_program(
    plan: Plan,
    late: Vec<Limit>,
    missing: Option<String>,
) -> Result<Box<Entered>, Refusal> {
    let mut home = PathBuf::from("/");
    let mut start = None;
    for step in plan.steps_of(Phase::Program) {
        match step {
            Step::Umask(mask) => {
                set_umask(mask).map_err(Refusal::at(step))?;
            }
            Step::Home(wanted) => home = go_home(wanted)?,
            Step::Program(shell) => start = Some(find_programs(shell, &home, &plan)?),
            // Taken by `Entered::exec`.
            Step::Exec(_) => {}
            other => return Err(misplaced(other)),
        }
    }
    let start = start.ok_or_else(nothing_to_start)?;
    Ok(Box::new(Entered {
        plan,
        home,
        start,
        late,
        missing,
        errors: None,
        supervisor: None,
    }))
}

/// Checks what a request takes: the shell, the sftp-server, or both. Gives what is to be started.
fn find_programs(shell: &Path, home: &Path, plan: &Plan) -> Result<Start, Refusal> {
    let request = plan.process.request().ok_or_else(nothing_to_start)?;
    let library_path = program::library_path(&plan.process.environment);
    let root = program::Root::current(library_path)?;
    let start = root.check_for(request, shell, home)?;
    // A shell in between would hold the record of transfers, or need no terminal where terminals are recorded.
    let is_alone = plan.world.executables().is_some();
    if is_alone && matches!(request.what, What::Sftp { .. }) && start.program == shell {
        return Err(ProgramFault::SftpByShell(shell.to_owned()).into());
    }
    Ok(start)
}

fn nothing_to_start() -> Refusal {
    let fault = StepFault::Bug("the plan has nothing to start");
    Refusal::Step("exec", fault)
}
