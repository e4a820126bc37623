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
    /// Processor time, in seconds.
    pub cpu: Option<u64>,
    /// Sessions of the user at a time. It is the one limit here that is no setrlimit(2).
    pub sessions: Option<u64>,
}

/// The largest number of sessions that a limit can have.
pub const MOST_SESSIONS: u64 = 1000;

impl Limits {
    /// Takes from `defaults` what is not set here.
    pub(crate) fn or(self, defaults: Limits) -> Limits {
        Limits {
            nofile: self.nofile.or(defaults.nofile),
            nproc: self.nproc.or(defaults.nproc),
            fsize: self.fsize.or(defaults.fsize),
            as_: self.as_.or(defaults.as_),
            core: self.core.or(defaults.core),
            cpu: self.cpu.or(defaults.cpu),
            sessions: self.sessions.or(defaults.sessions),
        }
    }

    /// Tells whether the limit with this name is a number of bytes.
    #[must_use]
    pub fn is_size(name: &str) -> bool {
        ["fsize", "as", "core"].contains(&name)
    }

    /// Gives how many sessions there may be at a time; nothing where that is not limited.
    #[must_use]
    pub fn sessions(&self) -> Option<u64> {
        self.sessions.filter(|limit| *limit != u64::MAX)
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
            _ => return None,
        })
    }

    /// Lists the limits by their names in a config.
    pub(crate) fn entries(&self) -> [(&'static str, Option<u64>); 7] {
        [
            ("nofile", self.nofile),
            ("nproc", self.nproc),
            ("fsize", self.fsize),
            ("as", self.as_),
            ("core", self.core),
            ("cpu", self.cpu),
            ("sessions", self.sessions),
        ]
    }
}
