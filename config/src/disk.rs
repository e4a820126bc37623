//! `disk`: how much the user's files may take.

use std::fmt;

use crate::size::size;

/// How much the user's files may take. What is not set is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Disk {
    /// The bytes in them.
    pub bytes: Option<u64>,
    /// The number of them, directories included.
    pub files: Option<u64>,
}

impl Disk {
    /// Tells whether anything is limited.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        *self != Disk::default()
    }
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes.map(|bytes| format!("{} bytes", size(bytes)));
        let files = self.files.map(|files| format!("{files} files"));
        let parts: Vec<String> = bytes.into_iter().chain(files).collect();
        f.write_str(&parts.join(", "))
    }
}
