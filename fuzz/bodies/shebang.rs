//! Any bytes as the start of a script: no panic, and an interpreter that is a word of the first line.

use std::os::unix::ffi::OsStrExt;

/// Takes one input.
pub(crate) fn take(bytes: &[u8]) {
    let Some(script) = jail_roots::shebang::parse(bytes) else {
        return;
    };
    assert!(bytes.starts_with(b"#!"));
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap();
    for word in [Some(script.interpreter), script.program]
        .into_iter()
        .flatten()
    {
        let word = word.as_bytes();
        assert!(!word.is_empty() && !word.contains(&b' ') && !word.contains(&0));
        assert!(line.windows(word.len()).any(|part| part == word));
    }
}
