//! The resource limits that the user's program gets: getrlimit(2).

use jail_config::Limits;
use nix::sys::resource::{Resource, setrlimit};

use crate::{fault::StepFault, process::start::Inherited};

/// Gives back the limits that set-up had changed, with those of the config in their place.
///
/// # Errors
/// setrlimit(2) failed: EPERM above the hard limit without CAP_SYS_RESOURCE.
pub(crate) fn set_limits(limits: &Limits, inherited: &Inherited) -> Result<(), StepFault> {
    let configured = [
        (Resource::RLIMIT_NOFILE, limits.nofile),
        (Resource::RLIMIT_NPROC, limits.nproc),
        (Resource::RLIMIT_FSIZE, limits.fsize),
        (Resource::RLIMIT_AS, limits.as_),
        (Resource::RLIMIT_CORE, limits.core),
        (Resource::RLIMIT_CPU, limits.cpu),
    ];
    let set = |resource, soft, hard| {
        setrlimit(resource, soft, hard)
            .map_err(|errno| StepFault::Failed(call_for(resource), errno))
    };
    for before in &inherited.limits {
        if !configured
            .iter()
            .any(|(other, value)| *other == before.resource && value.is_some())
        {
            set(before.resource, before.soft, before.hard)?;
        }
    }
    for (resource, value) in configured {
        if let Some(value) = value {
            set(resource, value, value)?;
        }
    }
    Ok(())
}

/// Names the call that sets a limit, for the log.
fn call_for(resource: Resource) -> &'static str {
    match resource {
        Resource::RLIMIT_NOFILE => "setrlimit nofile",
        Resource::RLIMIT_NPROC => "setrlimit nproc",
        Resource::RLIMIT_FSIZE => "setrlimit fsize",
        Resource::RLIMIT_AS => "setrlimit as",
        Resource::RLIMIT_CORE => "setrlimit core",
        Resource::RLIMIT_CPU => "setrlimit cpu",
        _ => "setrlimit",
    }
}
