//! Names files as a shell would, in a word that no shell reads: a pattern, or the home. It runs as the user, inside.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
};

use crate::{plan::words::Word, sys::glob::glob};

/// Expands one word. A pattern that no file fits stands for itself, without its quotes: POSIX, Shell Command Language, 2.6.6.
pub(super) fn word(word: &Word, home: &Path) -> Vec<OsString> {
    let at_home = |text: &OsStr, home: &[u8]| match word.home {
        true => {
            let rest = text.as_bytes().get(1..).unwrap_or_default();
            OsString::from_vec([home, rest].concat())
        }
        false => text.to_owned(),
    };
    let home = home.as_os_str().as_bytes();
    let literal = at_home(&word.text, home);
    let Some(pattern) = &word.pattern else {
        return vec![literal];
    };
    match glob(&at_home(pattern, &escaped(home))) {
        Some(found) if !found.is_empty() => found.into_iter().map(as_file).collect(),
        _ => vec![literal],
    }
}

/// Has what a pattern has found be no option: its name is the user's choice, and the options were looked at before.
fn as_file(found: OsString) -> OsString {
    match found.as_bytes().starts_with(b"-") {
        true => OsString::from_vec([b"./", found.as_bytes()].concat()),
        false => found,
    }
}

/// Has a text stand for itself in a pattern.
fn escaped(text: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(text.len());
    for byte in text {
        if b"*?[\\".contains(byte) {
            escaped.push(b'\\');
        }
        escaped.push(*byte);
    }
    escaped
}
