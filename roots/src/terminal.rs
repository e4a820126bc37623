//! Text from elsewhere, made fit for a terminal: names in archives, roots and configs are chosen by others.

use std::ffi::OsStr;

use jail::log::is_hidden;

/// Escapes what would move the cursor, reorder or hide, as the log does.
#[must_use]
pub fn shown(text: impl AsRef<OsStr>) -> String {
    let text = text.as_ref().to_string_lossy();
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_hidden(letter) {
            safe.extend(letter.escape_default());
        } else {
            safe.push(letter);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::{is_hidden, shown};

    #[test]
    fn what_is_printed_can_not_write_to_the_terminal() {
        for word in [
            "a\u{1b}[2Jb",
            "a\u{9b}b",
            "a\rb",
            "a\u{202e}b",
            "a\u{61c}b",
            "a\u{e0041}",
        ] {
            assert!(!shown(word).contains(is_hidden), "{word:?}");
        }
    }
}
