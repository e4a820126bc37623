//! What is written about a session outside the jail.

/// What is written about a session outside the jail, as its word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RecordWhat {
    /// That it began and ended, and how.
    #[default]
    Sessions,
    /// Also what its terminal shows.
    Terminal,
    /// Nothing.
    Off,
}

/// What is written about the sessions of a jail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Record {
    /// How much.
    pub what: RecordWhat,
    /// How the terminal is recorded.
    pub terminal: Recording,
    /// Whether the config says so itself: a login that can't be recorded is refused then.
    pub insists: bool,
}

impl Record {
    /// Says how the terminal is recorded, where it is.
    #[must_use]
    pub fn recording(&self) -> Option<Recording> {
        (self.what == RecordWhat::Terminal).then_some(self.terminal)
    }
}

/// How a terminal is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recording {
    /// Whether what is typed is recorded, too.
    pub input: bool,
    /// The largest file, in bytes; the session ends where it would become larger.
    pub size: u64,
    /// What all recordings of one user may come to, in bytes; no session begins that could make it more.
    pub total: u64,
}

impl Default for Recording {
    fn default() -> Recording {
        Recording {
            input: false,
            size: 256 << 20,
            total: 4 << 30,
        }
    }
}

/// `record` as it is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RecordKeys {
    pub(crate) what: RecordWhat,
    pub(crate) input: Option<bool>,
    pub(crate) size: Option<u64>,
    pub(crate) total: Option<u64>,
}

impl RecordKeys {
    pub(crate) fn fill(self) -> Record {
        let default = Recording::default();
        // Of the two, what is written decides what the other is by default.
        let total = self
            .total
            .unwrap_or(default.total.max(self.size.unwrap_or(0)));
        Record {
            what: self.what,
            terminal: Recording {
                input: self.input.unwrap_or(default.input),
                size: self.size.unwrap_or(default.size.min(total)),
                total,
            },
            insists: true,
        }
    }
}
