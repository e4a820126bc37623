//! The resource limits of a session, and when each comes into force.

use jail_config::Limits;
use nix::{
    errno::Errno,
    sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit},
};

use crate::{
    fault::{StepFault, failed},
    plan::request::Start,
    process::start::{Inherited, Limit},
    sys::signal::{Disposition, rt_sigaction},
};

/// Limits that the last look at home and shell could run into, and would take for a fault of theirs. They come into force
/// right before execve(2).
const LATE: [Resource; 3] = [
    Resource::RLIMIT_NOFILE,
    Resource::RLIMIT_AS,
    Resource::RLIMIT_DATA,
];

/// All limits of a process.
pub(crate) const ALL: [Resource; 16] = [
    Resource::RLIMIT_AS,
    Resource::RLIMIT_CORE,
    Resource::RLIMIT_CPU,
    Resource::RLIMIT_DATA,
    Resource::RLIMIT_FSIZE,
    Resource::RLIMIT_LOCKS,
    Resource::RLIMIT_MEMLOCK,
    Resource::RLIMIT_MSGQUEUE,
    Resource::RLIMIT_NICE,
    Resource::RLIMIT_NOFILE,
    Resource::RLIMIT_NPROC,
    Resource::RLIMIT_RSS,
    Resource::RLIMIT_RTPRIO,
    Resource::RLIMIT_RTTIME,
    Resource::RLIMIT_SIGPENDING,
    Resource::RLIMIT_STACK,
];

/// The limits that [`raise`] leaves alone.
const NOT_RAISED: [Resource; 2] = [Resource::RLIMIT_NICE, Resource::RLIMIT_RTPRIO];

/// Gives back the limits that set-up had changed, with those of the config in their place. Returns those that
/// [`set_late`] has to set; nothing of them needs a privilege any more.
pub(crate) fn set(limits: &Limits, inherited: &Inherited) -> Result<Vec<Limit>, StepFault> {
    let mut late = Vec::new();
    for wanted in wanted(limits, inherited) {
        if !LATE.contains(&wanted.resource) {
            set_one(wanted.resource, wanted.soft, wanted.hard)?;
            continue;
        }
        let (soft, hard) = getrlimit(wanted.resource).map_err(failed("getrlimit"))?;
        if wanted.hard > hard {
            set_one(wanted.resource, soft, wanted.hard)?;
        }
        late.push(wanted);
    }
    if limits.fsize.is_some_and(|size| size != RLIM_INFINITY) {
        survive_file_limit().map_err(failed("rt_sigaction SIGXFSZ"))?;
    }
    Ok(late)
}

/// Raises the hard limits of this process, from which others are forked that set the limits of their callers without a privilege, as
/// far as it may. Those are left that others of the same user could give a process by: see setpriority(2), sched_setscheduler(2).
pub(crate) fn raise() {
    let most = std::fs::read_to_string("/proc/sys/fs/nr_open");
    let most = most.ok().and_then(|it| it.trim().parse().ok());
    for resource in ALL.into_iter().filter(|it| !NOT_RAISED.contains(it)) {
        let Ok((soft, hard)) = getrlimit(resource) else {
            continue;
        };
        let highest = match resource {
            Resource::RLIMIT_NOFILE => most.unwrap_or(hard).max(hard),
            _ => RLIM_INFINITY,
        };
        let soft = match resource {
            Resource::RLIMIT_NPROC => highest,
            _ => soft,
        };
        match setrlimit(resource, soft, highest) {
            // A login that needs more than it has is refused.
            Ok(()) | Err(_) => {}
        }
    }
}

/// Sets how many processes the user may have, before the process of a session is forked off: fork(2) asks for it.
pub(crate) fn set_processes(limits: &Limits, inherited: &Inherited) -> Result<(), StepFault> {
    let mut wanted = wanted(limits, inherited).into_iter();
    match wanted.find(|it| it.resource == Resource::RLIMIT_NPROC) {
        Some(limit) => set_one(limit.resource, limit.soft, limit.hard),
        None => Ok(()),
    }
}

/// Lowers the limits of a caller that [`raise`] has left to what this process can have.
pub(crate) fn lower_to_own(limits: &mut [Limit]) -> Result<(), StepFault> {
    for limit in limits
        .iter_mut()
        .filter(|it| NOT_RAISED.contains(&it.resource))
    {
        let (_, hard) = getrlimit(limit.resource).map_err(failed("getrlimit"))?;
        limit.hard = limit.hard.min(hard);
        limit.soft = limit.soft.min(hard);
    }
    Ok(())
}

/// Brings the last limits into force.
pub(crate) fn set_late(late: &[Limit]) -> Result<(), StepFault> {
    late.iter()
        .try_for_each(|limit| set_one(limit.resource, limit.soft, limit.hard))
}

/// Has the SFTP server report a file that grows beyond a limit, also one that the config does not set: the server has
/// nobody who could tell the client that a signal ended it.
pub(crate) fn tell_client_of_file_limit(start: &Start) -> Result<(), StepFault> {
    if start
        .program
        .file_name()
        .is_some_and(|name| name == "sftp-server")
    {
        survive_file_limit().map_err(failed("rt_sigaction SIGXFSZ"))?;
    }
    Ok(())
}

/// Lets write(2) fail with EFBIG where a file would grow beyond its limit. The signal would end most programs without a
/// word.
fn survive_file_limit() -> Result<(), Errno> {
    rt_sigaction(libc::SIGXFSZ, Disposition::Ignore)
}

/// Lists the limits of the config, and those of the caller that the config does not set.
fn wanted(limits: &Limits, inherited: &Inherited) -> Vec<Limit> {
    let configured = [
        (Resource::RLIMIT_NOFILE, limits.nofile),
        (Resource::RLIMIT_NPROC, limits.nproc),
        (Resource::RLIMIT_FSIZE, limits.fsize),
        (Resource::RLIMIT_AS, limits.as_),
        (Resource::RLIMIT_CORE, limits.core),
        (Resource::RLIMIT_CPU, limits.cpu),
    ];
    let own = configured.into_iter().filter_map(|(resource, value)| {
        value.map(|value| Limit {
            resource,
            soft: value,
            hard: value,
        })
    });
    let own: Vec<Limit> = own.collect();
    let others = inherited.limits.iter().copied();
    others
        .filter(|before| own.iter().all(|it| it.resource != before.resource))
        .chain(own.iter().copied())
        .collect()
}

fn set_one(resource: Resource, soft: u64, hard: u64) -> Result<(), StepFault> {
    setrlimit(resource, soft, hard).map_err(|errno| StepFault::Failed(call_for(resource), errno))
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
