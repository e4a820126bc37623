//! What a script says it is run by: its `#!` line, as execve(2) reads it.

use std::{
    ffi::OsStr,
    fs::File,
    os::unix::{ffi::OsStrExt, fs::FileExt},
    path::PathBuf,
};

/// How much of a file the kernel looks at: BINPRM_BUF_SIZE.
pub const LONGEST_LINE: usize = 256;

/// How deep such lines may be nested: BINPRM_MAX_RECURSION in Linux is 5.
pub const DEEPEST: usize = 5;

/// Gives the words of the line, the interpreter first, given the first [`LONGEST_LINE`] bytes of a file. `None` for what is no
/// script.
#[must_use]
pub fn words(start: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let start = start.get(..LONGEST_LINE).unwrap_or(start);
    let line = start.strip_prefix(b"#!")?;
    let line = line.split(|byte| *byte == b'\n').next()?;
    let mut words = line
        .split(|byte| matches!(byte, b' ' | b'\t' | b'\0'))
        .filter(|word| !word.is_empty())
        .peekable();
    words.peek()?;
    Some(words)
}

/// Reads the interpreter of a script. `None` for what is no script, or can't be read.
pub(crate) fn interpreter_of(file: &File) -> Option<PathBuf> {
    let mut start = [0_u8; LONGEST_LINE];
    let length = file.read_at(&mut start, 0).ok()?;
    let interpreter = words(start.get(..length)?)?.next()?;
    Some(PathBuf::from(OsStr::from_bytes(interpreter)))
}
