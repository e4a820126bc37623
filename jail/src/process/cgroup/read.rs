//! The text of the kernel's files about a cgroup, and what it says of limits. Pure: cgroups(7), and the kernel's
//! admin-guide/cgroup-v2.

use jail_config::{AccountLimits, size};

/// What is in force of limits. `None` is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InForce {
    /// Memory, in bytes.
    pub memory: Option<u64>,
    /// Swap, in bytes.
    pub swap: Option<u64>,
    /// Processes and threads.
    pub tasks: Option<u64>,
    /// Processor time, in microseconds of a second.
    pub cpu: Option<u64>,
    /// The weight for the disks.
    pub io: Option<u64>,
}

/// Microseconds of a second.
pub(super) const SECOND: u64 = 1_000_000;

/// The share that one percent of a processor is, in microseconds of a second.
pub(super) const PERCENT: u64 = SECOND / 100;

impl InForce {
    /// Takes the smaller one of each limit; the weight is that of whichever has one.
    pub(super) fn and(self, other: InForce) -> InForce {
        let smaller = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        InForce {
            memory: smaller(self.memory, other.memory),
            swap: smaller(self.swap, other.swap),
            tasks: smaller(self.tasks, other.tasks),
            cpu: smaller(self.cpu, other.cpu),
            io: self.io.or(other.io),
        }
    }

    /// What is wanted, as it will be in force: memory counts together with swap, so that there is none of that.
    #[must_use]
    pub fn wanted(limits: &AccountLimits) -> InForce {
        InForce {
            memory: limits.memory,
            swap: limits.memory.map(|_| 0),
            tasks: limits.tasks,
            cpu: limits.cpu.map(|percent| percent.saturating_mul(PERCENT)),
            io: limits.io,
        }
    }

    /// Tells whether it is just what is wanted, apart from what is not limited.
    pub(super) fn is(&self, wanted: &InForce) -> bool {
        let is = |found: Option<u64>, wanted: Option<u64>| wanted.is_none() || found == wanted;
        is(self.memory, wanted.memory)
            && is(self.swap, wanted.swap)
            && is(self.tasks, wanted.tasks)
            && is(self.cpu, wanted.cpu)
            && is(self.io, wanted.io)
    }

    /// Says which limit is looser than what is wanted, in words; nothing where none is.
    #[must_use]
    pub fn looser_than(&self, wanted: &InForce) -> Option<String> {
        let is_looser = |found: Option<u64>, wanted: Option<u64>| {
            wanted.is_some_and(|wanted| found.is_none_or(|found| found > wanted))
        };
        let found = |found: Option<u64>, shown: fn(u64) -> String| {
            found.map_or_else(|| "not limited".to_owned(), shown)
        };
        let percent = |share: u64| format!("{}%", share.div_ceil(PERCENT));
        if is_looser(self.memory, wanted.memory) {
            Some(format!("memory is {}", found(self.memory, size)))
        } else if is_looser(self.swap, wanted.swap) {
            Some(format!(
                "swap, which counts with memory and must be 0, is {}",
                found(self.swap, size)
            ))
        } else if is_looser(self.tasks, wanted.tasks) {
            Some(format!(
                "tasks is {}",
                found(self.tasks, |it| it.to_string())
            ))
        } else if is_looser(self.cpu, wanted.cpu) {
            Some(format!("cpu is {}", found(self.cpu, percent)))
        } else if is_looser(self.io, wanted.io) {
            let none = || "io has no weight: the kernel has neither io.cost nor BFQ".to_owned();
            Some(
                self.io
                    .map_or_else(none, |weight| format!("io is {weight}")),
            )
        } else {
            None
        }
    }
}

/// Finds the path of a process in the hierarchy of version 2, in the text of /proc/PID/cgroup.
#[must_use]
pub fn path(text: &str) -> Option<&str> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    // A process whose group was removed; and one outside of this process's cgroup namespace.
    let is_whole = !path.ends_with(" (deleted)") && !path.split('/').any(|name| name == "..");
    (is_whole && path.starts_with('/')).then_some(path)
}

/// Reads a file that has a number or `max`. Text that is neither is no limit: nobody is let in by it.
#[must_use]
pub fn limit(text: &str) -> Option<u64> {
    text.trim_end_matches('\n').parse().ok()
}

/// Reads cpu.max: so many microseconds in each period of so many. Gives those of a second, rounded up.
#[must_use]
pub fn share(text: &str) -> Option<u64> {
    let (quota, period) = text.trim_end_matches('\n').split_once(' ')?;
    let (quota, period): (u64, u64) = (quota.parse().ok()?, period.parse().ok()?);
    let whole = quota.checked_mul(SECOND)?;
    (period > 0).then(|| whole.div_ceil(period))
}

/// Reads io.weight and io.bfq.weight: the weight for all disks, unless one of them has a larger one.
#[must_use]
pub fn weight(text: &str) -> Option<u64> {
    let mut lines = text.lines();
    let default = lines.next()?;
    let default: u64 = default
        .strip_prefix("default ")
        .unwrap_or(default)
        .parse()
        .ok()?;
    lines.try_fold(default, |largest, line| {
        let (_, weight) = line.rsplit_once(' ')?;
        Some(largest.max(weight.parse().ok()?))
    })
}

/// Reads a number from a file of `NAME NUMBER` lines: memory.events, cpu.stat.
#[must_use]
pub fn named(text: &str, name: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    line.parse().ok()
}

/// How much more a weight above 100 counts with io.cost than with BFQ, whose largest is 1000: so systemd has it.
const ABOVE: u64 = (10_000 - 100) / (1000 - 100);

/// Gives BFQ's weight of a share.
#[must_use]
pub fn to_bfq(weight: u64) -> u64 {
    weight.min(100) + weight.saturating_sub(100) / ABOVE
}

/// Gives the share of a weight of BFQ's.
#[must_use]
pub fn of_bfq(weight: u64) -> u64 {
    weight.min(100) + weight.saturating_sub(100).saturating_mul(ABOVE)
}

#[cfg(test)]
mod tests {
    use jail_config::AccountLimits;

    use super::{InForce, limit, named, of_bfq, path, share, to_bfq, weight};

    #[test]
    fn the_path_is_that_of_version_2() {
        let text =
            "9:name=systemd:/x\n4:memory:/y\n0::/user.slice/user-1001.slice/session-3.scope\n";
        assert_eq!(
            path(text),
            Some("/user.slice/user-1001.slice/session-3.scope")
        );
        assert_eq!(path("0::/\n"), Some("/"));
        for text in [
            "",
            "4:memory:/y\n",
            "0::/a (deleted)\n",
            "0::/../b\n",
            "0::x\n",
        ] {
            assert_eq!(path(text), None, "{text}");
        }
    }

    #[test]
    fn a_file_without_a_number_is_no_limit() {
        assert_eq!(limit("536870912\n"), Some(512 << 20));
        assert_eq!(limit("0\n"), Some(0));
        for text in ["max\n", "", "\n", "-1\n", "99999999999999999999\n", "1 2\n"] {
            assert_eq!(limit(text), None, "{text:?}");
        }
        assert_eq!(share("150000 100000\n"), Some(1_500_000));
        assert_eq!(share("1 3\n"), Some(333_334), "rounded up");
        for text in [
            "max 100000\n",
            "100000\n",
            "1 0\n",
            "18446744073709551615 1\n",
        ] {
            assert_eq!(share(text), None, "{text:?}");
        }
        assert_eq!(weight("default 50\n"), Some(50));
        assert_eq!(weight("50\n"), Some(50));
        assert_eq!(weight("default 50\n8:0 200\n8:16 10\n"), Some(200));
        for text in ["", "default\n", "default 50\n8:0 x\n"] {
            assert_eq!(weight(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_weight_of_bfq_is_that_of_systemd() {
        assert_eq!([1, 50, 100, 10_000].map(to_bfq), [1, 50, 100, 1000]);
        for share in 1..=10_000 {
            assert!(of_bfq(to_bfq(share)) <= share, "{share}");
        }
    }

    #[test]
    fn a_number_is_found_by_its_whole_name() {
        let events = "low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\noom_group_kill 0\n";
        assert_eq!(named(events, "oom_kill"), Some(2));
        assert_eq!(named(events, "oom"), Some(1));
        assert_eq!(named(events, "kill"), None);
    }

    #[test]
    fn the_smallest_limit_counts_and_one_that_is_missing_is_looser_than_any() {
        let wanted = InForce::wanted(&AccountLimits {
            memory: Some(512 << 20),
            tasks: Some(50),
            cpu: Some(150),
            io: Some(20),
        });
        assert_eq!(wanted.looser_than(&wanted), None);
        let above = InForce {
            memory: Some(1 << 30),
            tasks: Some(10),
            ..InForce::default()
        };
        let both = wanted.and(above);
        assert_eq!((both.memory, both.tasks), (wanted.memory, Some(10)));
        assert_eq!(both.looser_than(&wanted), None);
        let looser = |change: fn(&mut InForce)| {
            let mut found = wanted;
            change(&mut found);
            found.looser_than(&wanted).unwrap()
        };
        assert_eq!(looser(|it| it.memory = Some(513 << 20)), "memory is 513M");
        assert_eq!(looser(|it| it.memory = None), "memory is not limited");
        assert!(looser(|it| it.swap = None).ends_with("is not limited"));
        assert!(looser(|it| it.swap = Some(4096)).ends_with("must be 0, is 4K"));
        assert_eq!(looser(|it| it.tasks = None), "tasks is not limited");
        assert_eq!(looser(|it| it.cpu = Some(1_500_001)), "cpu is 151%");
        assert_eq!(looser(|it| it.io = Some(21)), "io is 21");
        assert!(looser(|it| it.io = None).contains("neither"));
        assert_eq!(InForce::default().looser_than(&InForce::default()), None);
    }
}
