//! The second wall, in whatever process it is to stand: no_new_privs, Landlock, seccomp.

use std::os::fd::OwnedFd;

use jail_config::{Content, Network, Seccomp};
use nix::errno::Errno;
use rustix::fs::{Mode, OFlags, openat};

use crate::{
    door::{look::misplaced, refusal::Refusal},
    fault::{StepFault, errno_of, expect_in_force},
    plan::{
        Plan,
        process::HandOver,
        steps::{Phase, Step},
        world::Processes,
    },
    process::{capabilities::forbid_new_privileges, landlock, seccomp},
};

/// Takes the steps of the second wall. `outside` is the host's root directory, on which Landlock is tried.
///
/// Returns what stays open, because the kernel lacks a part of Landlock that the config lets be missing.
///
/// # Errors
/// The step that failed.
pub(crate) fn stand_behind(
    plan: &Plan,
    outside: Option<OwnedFd>,
) -> Result<Option<String>, Refusal> {
    let mut missing = None;
    for step in plan.steps_of(Phase::Walls) {
        match step {
            Step::NoNewPrivs => forbid_new_privileges(),
            Step::Landlock(wanted) => landlock::restrict(wanted).and_then(|standing| {
                if let Some(outside) = &outside
                    && (standing.files || shows_processes_of_the_host(plan))
                {
                    try_outside(outside)?;
                }
                missing = standing.open.map(|open| open.to_string());
                Ok(())
            }),
            Step::Seccomp(mode, network) => filter_calls(mode, network, plan),
            other => return Err(misplaced(other)),
        }
        .map_err(Refusal::at(step))?;
    }
    Ok(missing)
}

/// Tells whether only Landlock hides the host's processes in /proc, and shuts their /proc/PID/root.
fn shows_processes_of_the_host(plan: &Plan) -> bool {
    plan.world
        .view
        .as_ref()
        .is_some_and(|view| view.processes == Processes::Traceable && view.proc == Content::Private)
}

/// Tries what Landlock must refuse: to open a directory outside by a descriptor from before.
fn try_outside(outside: &OwnedFd) -> Result<(), StepFault> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let tried = openat(outside, ".", flags, Mode::empty()).map_err(errno_of);
    expect_in_force("Landlock", matches!(tried, Err(Errno::EACCES)))
}

fn filter_calls(mode: Seccomp, network: &Network, plan: &Plan) -> Result<(), StepFault> {
    if matches!(network, Network::Ports { .. }) {
        seccomp::install_ports()?;
    }
    if plan.world.disk.is_some() {
        seccomp::install_quota()?;
    }
    match mode {
        Seccomp::Off => Ok(()),
        Seccomp::Default => seccomp::install(match plan.process.hand_over {
            HandOver::HostProgram { .. } => seccomp::To::HostProgram,
            HandOver::Shell(_) if plan.world.has_pid_namespace() => seccomp::To::OwnProcesses,
            HandOver::Shell(_) => seccomp::To::AmongOthers,
        }),
    }
}
