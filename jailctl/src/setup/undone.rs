//! What came of taking a change back.

/// What was done, and what was not.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Undone {
    /// What was done, in words; nothing where the change had not been made, or somebody has taken it back.
    pub(crate) did: Option<String>,
    /// What stays, and why.
    pub(crate) kept: Vec<String>,
}

impl Undone {
    pub(crate) fn of(is_done: bool, did: impl FnOnce() -> String) -> Undone {
        Undone {
            did: is_done.then(did),
            kept: Vec::new(),
        }
    }

    pub(crate) fn kept(what: String) -> Undone {
        Undone {
            did: None,
            kept: vec![what],
        }
    }

    /// Adds what stays.
    pub(crate) fn keeping(self, kept: impl IntoIterator<Item = String>) -> Undone {
        Undone {
            kept: self.kept.into_iter().chain(kept).collect(),
            ..self
        }
    }
}
