//! What a script says it is run by: its `#!` line, as execve(2) reads it.

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
