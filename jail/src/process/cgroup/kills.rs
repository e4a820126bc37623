//! How many processes of a session the kernel has killed because there was no memory left for them.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
};

use rustix::fs::OFlags;

use crate::{
    fault::{StepFault, failed},
    marked::Marked,
    process::cgroup::{read, tree::Tree},
};

/// The longest text of memory.events that is read, in bytes.
const LONGEST: usize = 4096;

/// How much smaller this process looks to the kernel that has to kill one, in thousandths of the memory that there may be:
/// proc_pid_oom_score_adj(5).
const SPARED: &str = "-500";

/// Has the kernel kill another process of the session first: this one has to tell of it.
///
/// # Errors
/// CAP_SYS_RESOURCE is missing.
pub(crate) fn spare_this_process() -> Result<(), StepFault> {
    fs::write("/proc/self/oom_score_adj", SPARED).map_err(failed("write /proc/self/oom_score_adj"))
}

/// The count of a session, from its beginning. Root opens the file; to read it takes no privilege.
#[derive(Debug)]
pub struct Kills {
    /// Nothing where memory is not counted.
    events: Option<Marked>,
    before: u64,
}

impl Kills {
    /// Begins to count for a process in a cgroup. Where that has other sessions of the account as well, theirs count too.
    pub(super) fn watch(tree: &Tree, group: &str) -> Result<Kills, StepFault> {
        let events = tree.file(group, "memory.events", OFlags::RDONLY)?;
        let mut kills = Kills {
            events: events.map(Marked::of),
            before: 0,
        };
        kills.before = kills.all().unwrap_or(0);
        Ok(kills)
    }

    /// Counts those from the beginning on; nothing where that is not known.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        self.all()?.checked_sub(self.before)
    }

    fn all(&self) -> Option<u64> {
        let file: File = self
            .events
            .as_ref()?
            .get()?
            .try_clone_to_owned()
            .ok()?
            .into();
        let mut text = vec![0; LONGEST];
        let length = file.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(text.get(..length)?).ok()?;
        read::named(text, "oom_kill")
    }
}
