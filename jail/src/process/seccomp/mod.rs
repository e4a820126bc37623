//! The system calls that are refused inside a jail: the ways out of it, and the parts of the kernel where ways out have
//! been found again and again and that ordinary work does not need.
//!
//! It is a list of what is refused, because a shell account may run any program. Calls newer than the list do not exist
//! in a jail, as on an older kernel. The answer to a refused call is EPERM, or what a kernel says that was built
//! without it, where programs are known to go another way then.
//!
//! The programs are made by our own few lines (see [`filter`]), while the code is compiled. seccompiler builds them at
//! each login, has one answer per filter, compares a number at a time and can't refuse a range, which x32 takes.

mod answer;
mod filter;
mod instruction;
mod refused;

use nix::{
    errno::Errno,
    sys::personality::{self, Persona},
};

use self::{
    filter::{Filter, assemble},
    refused::{
        REFUSED, REFUSED_WITH_PORTS, REFUSED_WITH_QUOTA, REFUSED_WITHOUT_PID_NAMESPACE,
        allow_to_host_program,
    },
};
use crate::{
    fault::{StepFault, failed},
    sys::seccomp::seccomp_set_mode_filter,
};

static DEFAULT: Filter = assemble(REFUSED);
static WITHOUT_PID_NAMESPACE: Filter = assemble(REFUSED_WITHOUT_PID_NAMESPACE);
static HOST_PROGRAM: Filter = assemble(&allow_to_host_program());
static PORTS: Filter = assemble(REFUSED_WITH_PORTS);
static QUOTA: Filter = assemble(REFUSED_WITH_QUOTA);

/// Whom the calls of the list are refused to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// A session with a pid namespace of its own: no number means a process outside.
    OwnProcesses,
    /// A session without one, which calls that change other processes could reach the outside from.
    AmongOthers,
    /// A program that goes on as root behind PAM, also without one: it keeps what such programs can't do without.
    HostProgram,
}

/// Refuses the calls of the list to this process and all it will start, for good.
///
/// no_new_privs must be set. Whatever needs a listed call must be done: no mount, no new namespace comes after this.
///
/// # Errors
/// seccomp(2) failed, or a call that it must refuse now is still answered.
pub(crate) fn install(to: To) -> Result<(), StepFault> {
    set(match to {
        To::OwnProcesses => &DEFAULT,
        To::AmongOthers => &WITHOUT_PID_NAMESPACE,
        To::HostProgram => &HOST_PROGRAM,
    })?;
    try_refused_call()
}

fn try_refused_call() -> Result<(), StepFault> {
    // The kernel itself refuses this to nobody.
    match personality::set(Persona::SHORT_INODE) {
        Err(Errno::EPERM) => Ok(()),
        Ok(_) | Err(_) => Err(StepFault::NotInForce("the filter of system calls")),
    }
}

/// Refuses the ways to connect or listen by TCP that Landlock's port rules do not see.
///
/// # Errors
/// As [`install`].
pub(crate) fn install_ports() -> Result<(), StepFault> {
    set(&PORTS)
}

/// Refuses the ways by which the owner of files takes them out of the project whose quota counts them.
///
/// # Errors
/// As [`install`].
pub(crate) fn install_quota() -> Result<(), StepFault> {
    set(&QUOTA)
}

fn set(filter: &Filter) -> Result<(), StepFault> {
    seccomp_set_mode_filter(filter.code()).map_err(failed("seccomp SECCOMP_SET_MODE_FILTER"))
}

#[cfg(test)]
pub(crate) mod kernel_tests;
#[cfg(test)]
mod tests;
