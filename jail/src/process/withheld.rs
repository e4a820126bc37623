//! What whoever started this process keeps from it, as a service manager's settings do. It is looked at only once a step has
//! failed, to name what mends it, and decides nothing.

use std::fs;

use nix::errno::Errno;
use rustix::thread::{CapabilitySet, capabilities};

use crate::fault::StepFault;

/// How many processes above this one are asked for their unit: sshd's, a shell, su and the like.
const FURTHEST: usize = 16;

/// How long the name of a unit may be, in bytes, to be shown.
const LONGEST_NAME: usize = 128;

/// What is left to a process, and the unit that it came from.
#[derive(Debug)]
struct Left {
    capabilities: CapabilitySet,
    /// A filter of system calls that is not ours is in force.
    is_filtered: bool,
    unit: Option<String>,
}

/// Adds to a failed call what whoever started this process has to do with it. To be asked before this program has installed
/// filters and given up capabilities of its own.
pub(crate) fn explain(fault: StepFault) -> StepFault {
    let StepFault::Failed(call, errno) = fault else {
        return fault;
    };
    match by_caller(call, errno) {
        Some(why) => StepFault::Withheld(call, errno, why),
        None => fault,
    }
}

/// Says which setting of a service unit has made a call fail, where that is what the state of this process means.
fn by_caller(call: &str, errno: Errno) -> Option<String> {
    if !matches!(errno, Errno::EPERM | Errno::EACCES | Errno::ENOSYS) {
        return None;
    }
    let left = Left {
        // What can't be asked is no reason.
        capabilities: capabilities(None).map_or(CapabilitySet::all(), |sets| sets.effective),
        is_filtered: field("self", "Seccomp:").is_some_and(|mode| mode != "0"),
        unit: unit_of_caller(),
    };
    left.reason(call, errno)
}

impl Left {
    fn reason(&self, call: &str, errno: Errno) -> Option<String> {
        let unit = self
            .unit
            .as_deref()
            .unwrap_or("the service unit that started it");
        if let Some((needed, name)) =
            needed(call).filter(|(needed, _)| !self.capabilities.contains(*needed))
        {
            let besides = if needed == CapabilitySet::MKNOD {
                " and PrivateDevices="
            } else {
                ""
            };
            return Some(format!(
                "this process was started without {name}: see CapabilityBoundingSet={besides} of {unit}"
            ));
        }
        if !self.is_filtered || errno == Errno::EACCES {
            return None;
        }
        let settings = if call.starts_with("unshare") {
            "RestrictNamespaces= and SystemCallFilter="
        } else {
            "SystemCallFilter="
        };
        Some(format!(
            "this process was started behind a filter of system calls: see {settings} of {unit}"
        ))
    }
}

/// Gives the capability that a call takes, with its name: capabilities(7).
fn needed(call: &str) -> Option<(CapabilitySet, &'static str)> {
    const OF_MOUNTS: [&str; 9] = [
        "unshare",
        "open_tree",
        "mount_setattr",
        "move_mount",
        "fsopen",
        "fsconfig",
        "fsmount",
        "pivot_root",
        "umount2",
    ];
    let name = call.split(' ').next().unwrap_or_default();
    if OF_MOUNTS.contains(&name) {
        return Some((CapabilitySet::SYS_ADMIN, "CAP_SYS_ADMIN"));
    }
    match call {
        "mknod in /dev" => Some((CapabilitySet::MKNOD, "CAP_MKNOD")),
        "ioctl SIOCSIFFLAGS" => Some((CapabilitySet::NET_ADMIN, "CAP_NET_ADMIN")),
        "chroot" => Some((CapabilitySet::SYS_CHROOT, "CAP_SYS_CHROOT")),
        _ => None,
    }
}

/// Finds the service unit that this process came from. pam_systemd(8) moves a session into a scope of its own, so the
/// processes above are asked as well.
pub(crate) fn unit_of_caller() -> Option<String> {
    let mut pid = "self".to_owned();
    for _ in 0..FURTHEST {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        if let Some(unit) = service_in(&groups) {
            return Some(unit);
        }
        pid = field(&pid, "PPid:").filter(|parent| parent != "0")?;
    }
    None
}

/// Finds the name of a service in what /proc/PID/cgroup says: cgroups(7). Of a user's own manager it is that manager.
fn service_in(groups: &str) -> Option<String> {
    let systemd = |line: &&str| line.starts_with("0::") || line.contains(":name=systemd:");
    groups
        .lines()
        .filter(systemd)
        .flat_map(|line| line.split('/').skip(1))
        .find(|name| name.ends_with(".service") && name.len() <= LONGEST_NAME)
        .map(str::to_owned)
}

/// Reads a line of /proc/PID/status.
fn field(pid: &str, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let mut lines = status.lines();
    let value = lines.find_map(|line| line.strip_prefix(name))?;
    Some(value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;
    use rustix::thread::CapabilitySet;

    use super::{Left, service_in};

    #[test]
    fn the_unit_is_the_first_service_on_the_way() {
        for (groups, unit) in [
            ("0::/system.slice/ssh.service\n", Some("ssh.service")),
            (
                "1:name=systemd:/system.slice/sshd.service\n0::/\n",
                Some("sshd.service"),
            ),
            (
                "0::/system.slice/system-ssh.slice/ssh@3-1.service\n",
                Some("ssh@3-1.service"),
            ),
            ("0::/user.slice/user-1001.slice/session-5.scope\n", None),
            (
                "0::/user.slice/user-1001.slice/user@1001.service/app.slice/x.service\n",
                Some("user@1001.service"),
            ),
            ("7:blkio:/docker/x.service\n0::/\n", None),
            ("", None),
        ] {
            assert_eq!(service_in(groups).as_deref(), unit, "{groups}");
        }
    }

    fn reason(
        left: (CapabilitySet, bool, Option<&str>),
        call: &str,
        errno: Errno,
    ) -> Option<String> {
        let (capabilities, is_filtered, unit) = left;
        let unit = unit.map(str::to_owned);
        Left {
            capabilities,
            is_filtered,
            unit,
        }
        .reason(call, errno)
    }

    #[test]
    fn the_setting_that_made_a_call_fail_is_named() {
        let all = CapabilitySet::all();
        let ssh = Some("ssh.service");
        for (left, call, errno, said) in [
            (
                (all, true, ssh),
                "unshare CLONE_NEWPID",
                Errno::EPERM,
                "this process was started behind a filter of system calls: \
                 see RestrictNamespaces= and SystemCallFilter= of ssh.service",
            ),
            (
                (all, true, None),
                "mount_setattr of a copied tree",
                Errno::ENOSYS,
                "this process was started behind a filter of system calls: \
                 see SystemCallFilter= of the service unit that started it",
            ),
            (
                (all.difference(CapabilitySet::SYS_ADMIN), true, ssh),
                "unshare",
                Errno::EPERM,
                "this process was started without CAP_SYS_ADMIN: see CapabilityBoundingSet= of ssh.service",
            ),
            (
                (all.difference(CapabilitySet::MKNOD), false, ssh),
                "mknod in /dev",
                Errno::EPERM,
                "this process was started without CAP_MKNOD: see CapabilityBoundingSet= and PrivateDevices= of ssh.service",
            ),
        ] {
            assert_eq!(reason(left, call, errno).as_deref(), Some(said), "{call}");
        }
        assert_eq!(reason((all, false, ssh), "unshare", Errno::EPERM), None);
        assert_eq!(reason((all, true, ssh), "unshare", Errno::EACCES), None);
    }
}
