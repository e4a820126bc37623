//! systemd's user manager, which pam_systemd starts with a user's first login: user@UID.service.
//!
//! It is outside of every jail, and so is whatever it starts. The manager itself and its PAM session are systemd's own
//! programs, and run nothing of the user's. What it starts may be the user's own: units below ~/.config/systemd/user.

use std::path::Path;

use crate::process::Process;

/// What systemd calls the programs of a manager: (sd-pam) is systemd-executor since version 255.
const MANAGER: &str = "systemd";
const PAM_SESSION: [&str; 2] = [MANAGER, "systemd-executor"];

/// The unit in which a manager itself is.
const OWN_UNIT: &str = "init.scope";

/// The most units that are named.
const MOST_NAMED: usize = 5;

/// What of a user's processes belongs to the user's manager.
#[derive(Debug, Default)]
pub(crate) struct Managed {
    /// The manager and its PAM session.
    own: Vec<i32>,
    /// The other processes in the manager's control group.
    started: Vec<i32>,
    /// The units that these are in, as far as they are named.
    pub(crate) units: Vec<String>,
}

impl Managed {
    /// Looks for the manager of a user among the user's processes, and for what it has started.
    ///
    /// The kernel keeps processes in their control group: nobody but root moves one from elsewhere into the manager's, but a
    /// user moves what the manager has started about in it. So the manager is the one that the host's init is the parent of,
    /// and its PAM session is the first process that it has started.
    pub(crate) fn of(uid: u32, processes: &[Process]) -> Managed {
        let mut managed = Managed::default();
        let mut inside = Vec::new();
        for process in processes {
            let groups = process.control_groups();
            if let Some(unit) = groups.iter().find_map(|it| unit_in(it, uid)) {
                inside.push((process, unit));
            }
        }
        let in_own_unit = inside.iter().filter(|(_, unit)| unit == OWN_UNIT);
        let parent = |process: &Process| process.stat().map(|stat| stat.parent);
        let program = |process: &Process, names: &[&str]| {
            process
                .program()
                .is_some_and(|name| names.contains(&name.as_str()))
        };
        let manager = in_own_unit
            .clone()
            .map(|(process, _)| process)
            .find(|it| parent(it) == Some(1) && program(it, &[MANAGER]));
        if let Some(manager) = manager {
            managed.own.push(manager.pid);
            let children = in_own_unit
                .map(|(process, _)| process)
                .filter(|it| parent(it) == Some(manager.pid) && program(it, &PAM_SESSION));
            let first = children.min_by_key(|it| it.stat().map(|stat| (stat.start, it.pid)));
            managed.own.extend(first.map(|it| it.pid));
        }
        for (process, unit) in inside {
            if managed.own.contains(&process.pid) {
                continue;
            }
            managed.started.push(process.pid);
            if !managed.units.contains(&unit) && managed.units.len() < MOST_NAMED {
                managed.units.push(unit);
            }
        }
        managed
    }

    /// Tells whether a process is the manager's own.
    pub(crate) fn is_own(&self, process: &Process) -> bool {
        self.own.contains(&process.pid)
    }

    /// Tells whether a process is what the manager has started.
    pub(crate) fn has_started(&self, process: &Process) -> bool {
        self.started.contains(&process.pid)
    }
}

/// Gives the unit of a manager that a control group belongs to; nothing where it is none of this user's manager.
fn unit_in(group: &Path, uid: u32) -> Option<String> {
    let service = format!("user@{uid}.service");
    let mut names = group.iter();
    names.find(|name| *name == service.as_str())?;
    // Units are in slices; below a unit its processes make groups of their own.
    let unit = names.find(|name| !name.to_string_lossy().ends_with(".slice"));
    Some(unit.map_or(service.clone(), |unit| unit.to_string_lossy().into_owned()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::unit_in;

    #[test]
    fn a_unit_is_told_by_the_control_group() {
        let manager = "/user.slice/user-1001.slice/user@1001.service";
        for (group, unit) in [
            ("init.scope", Some("init.scope")),
            ("app.slice/e.service", Some("e.service")),
            ("app.slice/app-x.slice/e.service/own", Some("e.service")),
            ("", Some("user@1001.service")),
        ] {
            let found = unit_in(&Path::new(manager).join(group), 1001);
            assert_eq!(found.as_deref(), unit, "{group}");
        }
        for group in [
            "/user.slice/user-1001.slice/session-4.scope",
            "/user.slice/user-1002.slice/user@1002.service/init.scope",
            "/system.slice/user@1001.service.d",
            "/",
        ] {
            assert_eq!(unit_in(Path::new(group), 1001), None, "{group}");
        }
    }
}
