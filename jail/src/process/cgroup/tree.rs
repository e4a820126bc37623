//! The hierarchy of cgroups of version 2, as the kernel shows it: what is in force there, and limits of our own in it.

use std::{
    fs,
    io::{Read, Write},
    os::fd::OwnedFd,
    path::Path,
};

use jail_config::AccountLimits;
use rustix::{
    fs::{Mode, OFlags, ResolveFlags, StatFs, fstatfs, mkdirat, statfs},
    io::Errno,
};

use crate::{
    fault::{StepFault, errno_of_io, failed},
    process::cgroup::read::{self, InForce},
    resolve::openat2,
    trust,
};

/// Where the hierarchy is mounted.
pub(super) const MOUNT: &str = "/sys/fs/cgroup";

/// CGROUP2_SUPER_MAGIC of statfs(2).
const CGROUP2: u64 = 0x6367_7270;

/// How long a process can be without a processor once its share is used up, in microseconds: systemd has this as well.
const PERIOD: u64 = 100_000;

/// The longest of these files that is read, in bytes.
const LONGEST: u64 = 64 * 1024;

/// The hierarchy.
#[derive(Debug)]
pub(super) struct Tree(OwnedFd);

impl Tree {
    /// Opens it.
    ///
    /// # Errors
    /// This machine has none, as where version 1 is in use.
    pub(super) fn open() -> Result<Tree, StepFault> {
        let is_it = |system: StatFs| u64::try_from(system.f_type) == Ok(CGROUP2);
        let none = || {
            StepFault::Unfit(format!(
                "{MOUNT} is no cgroup v2, which limits of memory, tasks, cpu and io need; \
                 boot without systemd.unified_cgroup_hierarchy=0, or mount it, where version 1 has not taken the controllers: \
                 mount -t cgroup2 cgroup2 {MOUNT}"
            ))
        };
        let opened = trust::open_directory(Path::new(MOUNT)).map_err(|untrusted| {
            // What else is mounted there need not be root's alone.
            match statfs(MOUNT).is_ok_and(|system| !is_it(system)) {
                true => none(),
                false => StepFault::Unfit(untrusted.to_string()),
            }
        })?;
        if !is_it(fstatfs(&opened).map_err(failed("fstatfs of the cgroups"))?) {
            return Err(none());
        }
        Ok(Tree(opened))
    }

    /// Insists on what can limit what is wanted.
    pub(super) fn expect_controllers(&self, limits: &AccountLimits) -> Result<(), StepFault> {
        let text = self.text("", "cgroup.controllers")?.unwrap_or_default();
        let has = |name: &str| text.split_whitespace().any(|found| found == name);
        match controllers(limits).find(|(_, controller)| !has(controller)) {
            None => Ok(()),
            Some((key, controller)) => Err(StepFault::Unfit(format!(
                "limits.{key} needs the controller {controller:?} of cgroup v2, and {MOUNT}/cgroup.controllers does not \
                 have it; the kernel lacks it, or it is in use by cgroup v1 or was disabled when the machine was booted: \
                 see /proc/cgroups and /proc/cmdline"
            ))),
        }
    }

    /// Finds what is in force in a group: its own weight, and the smallest limit of it and of all groups above it. What is below
    /// may be the user's to loosen.
    pub(super) fn in_force(&self, group: &str) -> Result<InForce, StepFault> {
        let mut found = self.weight(group)?;
        let mut ends = group
            .match_indices('/')
            .map(|(end, _)| end)
            .collect::<Vec<_>>();
        ends.push(group.len());
        for end in ends {
            let above = group.get(..end).unwrap_or_default();
            found = found.and(self.limits(above)?);
        }
        // A kernel without swap has no limit of it.
        if found.swap.is_none() && !Path::new("/proc/swaps").exists() {
            found.swap = Some(0);
        }
        Ok(found)
    }

    /// Reads what one group itself limits.
    fn limits(&self, group: &str) -> Result<InForce, StepFault> {
        let read = |name| Ok::<_, StepFault>(self.text(group, name)?.unwrap_or_default());
        Ok(InForce {
            memory: read::limit(&read("memory.max")?),
            swap: read::limit(&read("memory.swap.max")?),
            tasks: read::limit(&read("pids.max")?),
            cpu: read::share(&read("cpu.max")?),
            io: None,
        })
    }

    /// Reads the weight of one group: with two schedulers, the larger one.
    fn weight(&self, group: &str) -> Result<InForce, StepFault> {
        let cost = self.text(group, "io.weight")?;
        let bfq = self.text(group, "io.bfq.weight")?;
        let weights = [
            cost.map(|text| read::weight(&text)),
            bfq.map(|text| read::weight(&text).map(read::of_bfq)),
        ];
        // A text that has no number is no weight, whatever the other one has.
        let weights: Option<Vec<u64>> = weights.into_iter().flatten().collect();
        Ok(InForce {
            io: weights.and_then(|weights| weights.into_iter().max()),
            ..InForce::default()
        })
    }

    /// Reads all that one group itself limits.
    pub(super) fn own(&self, group: &str) -> Result<InForce, StepFault> {
        Ok(self.weight(group)?.and(self.limits(group)?))
    }

    /// Reads a file of a group; nothing where there is none.
    pub(super) fn text(&self, group: &str, name: &str) -> Result<Option<String>, StepFault> {
        let Some(file) = self.file(group, name, OFlags::RDONLY)? else {
            return Ok(None);
        };
        let mut text = String::new();
        match fs::File::from(file).take(LONGEST).read_to_string(&mut text) {
            Ok(_) => Ok(Some(text)),
            // The group was removed.
            Err(error) if errno_of_io(&error) == nix::errno::Errno::ENODEV => Ok(None),
            Err(error) => Err(StepFault::Failed(
                "read a file of a cgroup",
                errno_of_io(&error),
            )),
        }
    }

    /// Opens a file of a group; nothing where there is none.
    pub(super) fn file(
        &self,
        group: &str,
        name: &str,
        access: OFlags,
    ) -> Result<Option<OwnedFd>, StepFault> {
        let path = format!("{}/{name}", group.trim_matches('/'));
        let flags = access | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
        match openat2(
            &self.0,
            path.trim_start_matches('/'),
            flags,
            Mode::empty(),
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV,
        ) {
            Ok(file) => Ok(Some(file)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(failed("open a file of a cgroup")(errno)),
        }
    }

    /// Makes a group where there is none, whose groups have the controllers that are wanted.
    pub(super) fn make(&self, group: &str, limits: &AccountLimits) -> Result<(), StepFault> {
        let (above, _) = group.rsplit_once('/').unwrap_or_default();
        for (_, controller) in controllers(limits) {
            self.write(above, "cgroup.subtree_control", &format!("+{controller}"))?;
        }
        let mode = Mode::RWXU | Mode::RGRP | Mode::XGRP | Mode::ROTH | Mode::XOTH;
        match mkdirat(&self.0, group.trim_start_matches('/'), mode) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(failed("mkdir of a cgroup")(errno)),
        }
    }

    /// Sets what is wanted of a group.
    pub(super) fn set(&self, group: &str, wanted: &InForce) -> Result<(), StepFault> {
        let set = |name: &str, value: Option<u64>| match value {
            Some(value) => self.write(group, name, &value.to_string()),
            None => Ok(()),
        };
        set("memory.max", wanted.memory)?;
        set("pids.max", wanted.tasks)?;
        if let Some(share) = wanted.cpu {
            let quota = share / (read::SECOND / PERIOD);
            self.write(group, "cpu.max", &format!("{quota} {PERIOD}"))?;
        }
        // Which of these there are is the kernel's; what is missing shows where all is read back.
        let there = |name: &str| Ok::<_, StepFault>(self.text(group, name)?.is_some());
        if there("memory.swap.max")? {
            set("memory.swap.max", wanted.swap)?;
        }
        if there("io.weight")? {
            set("io.weight", wanted.io)?;
        }
        if there("io.bfq.weight")? {
            set("io.bfq.weight", wanted.io.map(read::to_bfq))?;
        }
        Ok(())
    }

    /// Moves this process into a group.
    pub(super) fn enter(&self, group: &str) -> Result<(), StepFault> {
        self.write(group, "cgroup.procs", "0")
    }

    fn write(&self, group: &str, name: &str, value: &str) -> Result<(), StepFault> {
        let fault = |what: String| StepFault::Unfit(format!("{MOUNT}{group}/{name}: {what}"));
        let file = self.file(group, name, OFlags::WRONLY)?;
        let file = file.ok_or_else(|| fault("there is no such file".to_owned()))?;
        fs::File::from(file)
            .write_all(value.as_bytes())
            .map_err(|error| fault(format!("write {value:?}: {}", errno_of_io(&error).desc())))
    }
}

/// Lists the keys that are set, each with the controller that it needs.
fn controllers(limits: &AccountLimits) -> impl Iterator<Item = (&'static str, &'static str)> {
    [
        ("memory", "memory", limits.memory),
        ("tasks", "pids", limits.tasks),
        ("cpu", "cpu", limits.cpu),
        ("io", "io", limits.io),
    ]
    .into_iter()
    .filter_map(|(key, controller, limit)| limit.map(|_| (key, controller)))
}
