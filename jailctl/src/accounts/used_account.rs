//! What of the limits of an account its processes use, and by what they are limited.

use std::fmt;

use jail::process::cgroup::{self, Cgroup, Usage};
use jail_config::{AccountLimits, Jail, size};
use serde::Serialize;

/// What all processes of an account use together, where the config limits it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct UsedAccount {
    /// In bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Used>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tasks: Option<Used>,
    /// In percent of one processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<u64>,
    /// A weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    io: Option<u64>,
    /// By what it is limited.
    by: String,
}

/// What is used of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Used {
    /// Nothing where nobody counts it now.
    pub(super) used: Option<u64>,
    pub(super) limit: u64,
}

impl Used {
    pub(super) fn shown(self, show: fn(u64) -> String) -> String {
        let used = self.used.map(|used| format!("{} of ", show(used)));
        format!("{}{}", used.unwrap_or_default(), show(self.limit))
    }
}

impl UsedAccount {
    /// Finds what a user uses; nothing where the jail has no such limit.
    pub(crate) fn of(uid: u32, jail: &Jail) -> Option<UsedAccount> {
        let limits = jail.limits.of_account()?;
        // What keeps it from being known is a finding of check's.
        Some(UsedAccount::new(
            limits,
            cgroup::usage(uid).unwrap_or_default(),
            &Cgroup::of(uid),
        ))
    }

    fn new(limits: AccountLimits, usage: Usage, group: &Cgroup) -> UsedAccount {
        let used = |used, limit: Option<u64>| limit.map(|limit| Used { used, limit });
        UsedAccount {
            memory: used(usage.memory, limits.memory),
            tasks: used(usage.tasks, limits.tasks),
            cpu: limits.cpu,
            io: limits.io,
            by: group.to_string(),
        }
    }
}

impl fmt::Display for UsedAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.memory
                .map(|it| format!("memory {}", it.shown(rounded))),
            self.tasks
                .map(|it| format!("tasks {}", it.shown(|it| it.to_string()))),
            self.cpu.map(|percent| format!("cpu {percent}%")),
            self.io.map(|weight| format!("io weight {weight}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        write!(f, "{} by {}", parts.join(", "), self.by)
    }
}

/// Writes a size that nobody chose, in whole megabytes or kilobytes.
pub(super) fn rounded(bytes: u64) -> String {
    let unit = if bytes < 10 << 20 { 1 << 10 } else { 1 << 20 };
    size(bytes.div_ceil(unit) * unit)
}

#[cfg(test)]
mod tests {
    use jail::process::cgroup::{Cgroup, Usage};
    use jail_config::AccountLimits;

    use super::UsedAccount;

    #[test]
    fn what_is_used_stands_beside_each_limit_and_nothing_does_where_nobody_counts() {
        let limits = AccountLimits {
            memory: Some(512 << 20),
            tasks: Some(100),
            cpu: Some(150),
            io: Some(50),
        };
        let group = Cgroup::Slice("user-7.slice".to_owned());
        let usage = Usage {
            memory: Some((12 << 20) - 5),
            tasks: Some(4),
        };
        assert_eq!(
            UsedAccount::new(limits, usage, &group).to_string(),
            "memory 12M of 512M, tasks 4 of 100, cpu 150%, io weight 50 by systemd's user-7.slice"
        );
        let tasks = AccountLimits {
            tasks: Some(100),
            ..AccountLimits::default()
        };
        assert_eq!(
            UsedAccount::new(tasks, Usage::default(), &group).to_string(),
            "tasks 100 by systemd's user-7.slice"
        );
    }
}
