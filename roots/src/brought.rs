//! What a layer of an image has brought, in little memory.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    path::Path,
};

/// What a layer has brought. Paths are as long as an archive wants them to be, so each is kept as a hash that nobody can foretell.
#[derive(Debug, Default)]
pub(crate) struct Brought {
    state: RandomState,
    paths: HashSet<u64>,
    /// The directories above them.
    above: HashSet<u64>,
}

impl Brought {
    /// Notes a path, and each directory above it once.
    pub(crate) fn insert(&mut self, path: &Path) {
        self.paths.insert(self.state.hash_one(path));
        for above in path.ancestors().skip(1) {
            if !self.above.insert(self.state.hash_one(above)) {
                break;
            }
        }
    }

    /// Tells whether it has brought this.
    pub(crate) fn has(&self, path: &Path) -> bool {
        self.paths.contains(&self.state.hash_one(path))
    }

    /// Tells whether it has brought something below this.
    pub(crate) fn has_below(&self, path: &Path) -> bool {
        self.above.contains(&self.state.hash_one(path))
    }

    /// Gives how many directories are above what it has brought.
    pub(crate) fn above(&self) -> u64 {
        u64::try_from(self.above.len()).unwrap_or(u64::MAX)
    }
}
