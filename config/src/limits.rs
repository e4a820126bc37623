//! The groups and resource limits of a jail, as the config has them and a login sets them.

/// The supplementary groups inside a jail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Groups {
    /// All of the account's groups.
    Keep,
    /// The primary group alone.
    Primary,
}

/// The resource limits of a jail. `None` leaves a limit as it is, `u64::MAX` is unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Open files.
    pub nofile: Option<u64>,
    /// Processes of the user.
    pub nproc: Option<u64>,
    /// The size of a file, in bytes.
    pub fsize: Option<u64>,
    /// The address space, in bytes (the key `as`).
    pub as_: Option<u64>,
    /// The size of a core file, in bytes.
    pub core: Option<u64>,
    /// Processor time of a process, in seconds. The key `cpu` is this or `quota`, and never both.
    pub cpu: Option<u64>,
    /// Processor time of all of the account's processes, in percent of one processor (the key `cpu`).
    pub quota: Option<u64>,
    /// Sessions of the user at a time.
    pub sessions: Option<u64>,
    /// Memory of all of the account's processes, in bytes.
    pub memory: Option<u64>,
    /// Processes and threads of the account.
    pub tasks: Option<u64>,
    /// The account's share of the disks beside others, as a weight.
    pub io: Option<u64>,
}

/// What all processes of an account may use together, by a cgroup. `None` is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccountLimits {
    /// Memory, in bytes.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub tasks: Option<u64>,
    /// Processor time, in percent of one processor.
    pub cpu: Option<u64>,
    /// The share of the disks, as a weight; 100 is what others have.
    pub io: Option<u64>,
}

/// The largest number of sessions that a limit can have.
pub const MOST_SESSIONS: u64 = 1000;

/// The least memory that an account can be limited to: less is a number whose unit was forgotten.
pub(crate) const LEAST_MEMORY: u64 = 16 << 20;
/// The fewest tasks: a session has a supervisor, an init, a shell and what that starts.
pub(crate) const FEWEST_TASKS: u64 = 8;
/// The most processors that a quota can have, in percent of one.
pub(crate) const MOST_PERCENT: u64 = 100_000;
/// The largest weight: io.weight of cgroup v2.
pub(crate) const MOST_WEIGHT: u64 = 10_000;

impl Limits {
    /// Takes from `defaults` what is not set here.
    pub(crate) fn or(self, defaults: Limits) -> Limits {
        let is_set = self.cpu.or(self.quota).is_some();
        let cpu = if is_set { self } else { defaults };
        Limits {
            nofile: self.nofile.or(defaults.nofile),
            nproc: self.nproc.or(defaults.nproc),
            fsize: self.fsize.or(defaults.fsize),
            as_: self.as_.or(defaults.as_),
            core: self.core.or(defaults.core),
            cpu: cpu.cpu,
            quota: cpu.quota,
            sessions: self.sessions.or(defaults.sessions),
            memory: self.memory.or(defaults.memory),
            tasks: self.tasks.or(defaults.tasks),
            io: self.io.or(defaults.io),
        }
    }

    /// Tells whether the limit with this name is a number of bytes.
    #[must_use]
    pub fn is_size(name: &str) -> bool {
        ["fsize", "as", "core", "memory"].contains(&name)
    }

    /// Gives how many sessions there may be at a time; nothing where that is not limited.
    #[must_use]
    pub fn sessions(&self) -> Option<u64> {
        self.sessions.filter(|limit| *limit != u64::MAX)
    }

    /// Gives what the account's processes may use together; nothing where none of that is limited.
    #[must_use]
    pub fn of_account(&self) -> Option<AccountLimits> {
        let limited = |limit: Option<u64>| limit.filter(|limit| *limit != u64::MAX);
        let limits = AccountLimits {
            memory: limited(self.memory),
            tasks: limited(self.tasks),
            cpu: limited(self.quota),
            io: self.io,
        };
        (limits != AccountLimits::default()).then_some(limits)
    }

    /// Gives the limit with this name in a config.
    pub(crate) fn named(&mut self, name: &str) -> Option<&mut Option<u64>> {
        Some(match name {
            "nofile" => &mut self.nofile,
            "nproc" => &mut self.nproc,
            "fsize" => &mut self.fsize,
            "as" => &mut self.as_,
            "core" => &mut self.core,
            "cpu" => &mut self.cpu,
            "sessions" => &mut self.sessions,
            "memory" => &mut self.memory,
            "tasks" => &mut self.tasks,
            "io" => &mut self.io,
            _ => return None,
        })
    }

    /// Lists the limits by their names in a config.
    pub(crate) fn entries(&self) -> [(&'static str, Option<u64>); 10] {
        [
            ("nofile", self.nofile),
            ("nproc", self.nproc),
            ("fsize", self.fsize),
            ("as", self.as_),
            ("core", self.core),
            ("cpu", self.cpu),
            ("sessions", self.sessions),
            ("memory", self.memory),
            ("tasks", self.tasks),
            ("io", self.io),
        ]
    }
}
