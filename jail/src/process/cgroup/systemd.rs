//! Limits of an account where systemd has the hierarchy of cgroups: on the account's slice, which logind has for its sessions.

use std::{path::Path, time::Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::{
    fault::StepFault,
    process::cgroup::{bus::Bus, message::Value, read::InForce},
};

/// Tells whether systemd is this machine's init: sd_booted(3).
pub(super) fn is_init() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Sets what is wanted of a slice until the next boot, whether anything runs in it or not: `systemctl set-property --runtime`.
/// Where `enters`, this process is moved into a scope of that slice besides.
///
/// Both take effect a little after systemd has answered.
pub(super) fn set(
    slice: &str,
    wanted: &InForce,
    enters: bool,
    deadline: Instant,
) -> Result<(), StepFault> {
    let mut bus = Bus::connect(deadline)?;
    let limits = [
        ("MemoryMax", wanted.memory),
        ("MemorySwapMax", wanted.swap),
        ("TasksMax", wanted.tasks),
        ("CPUQuotaPerSecUSec", wanted.cpu),
        ("IOWeight", wanted.io),
    ];
    let limits = limits
        .into_iter()
        .filter_map(|(name, limit)| Some((name, Value::Number(limit?))));
    bus.call_systemd(
        "SetUnitProperties",
        &[
            Value::Text(slice),
            Value::Boolean(true),
            Value::Properties(limits.collect()),
        ],
    )?;
    if !enters {
        return Ok(());
    }
    let pid = std::process::id();
    let name = scope(pid);
    let mut properties = vec![
        ("Slice", Value::Text(slice)),
        ("Description", Value::Text("Session of login-jail")),
        ("CollectMode", Value::Text("inactive-or-failed")),
        ("PIDs", Value::Numbers(vec![pid])),
        // As logind has it: a session does not end because one of its processes was killed for want of memory.
        ("OOMPolicy", Value::Text("continue")),
    ];
    let mut start = |properties: &[(&str, Value<'_>)]| {
        let arguments = [
            Value::Text(&name),
            Value::Text("fail"),
            Value::Properties(properties.to_vec()),
            Value::NoUnits,
        ];
        bus.call_systemd("StartTransientUnit", &arguments)
    };
    start(&properties).or_else(|_| {
        // Scopes have no such policy before systemd 253, and go on.
        properties.pop();
        start(&properties)
    })
}

/// Makes a name that no scope has had since the machine was booted.
fn scope(pid: u32) -> String {
    let now = clock_gettime(ClockId::Monotonic);
    format!("login-jail-{pid}-{}{:09}.scope", now.tv_sec, now.tv_nsec)
}
