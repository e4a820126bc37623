//! Text from elsewhere, made fit for a terminal: names in archives, roots and configs are chosen by others.

use std::ffi::OsStr;

use jail::log::is_hidden;
use serde::Serialize;

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

/// Escapes the same in a text of several lines, which stay lines.
#[must_use]
pub fn shown_lines(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(shown).collect();
    lines.join("\n")
}

/// Gives a report as JSON for people and programs: the same value, with each hidden letter of its strings escaped.
///
/// # Errors
/// The report can't be written as JSON.
pub fn json(report: &impl Serialize) -> serde_json::Result<String> {
    let text = serde_json::to_string_pretty(report)?;
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        // JSON itself escapes the controls of ASCII, and has newlines between its parts only.
        if is_hidden(letter) && letter != '\n' {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            safe.push(letter);
        }
    }
    Ok(safe)
}

#[cfg(test)]
mod tests {
    use super::{is_hidden, json, shown};

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

    #[test]
    fn escaped_json_is_the_same_value() {
        let report =
            serde_json::json!({ "a\u{9b}\u{1b}": ["b\u{202e}\n", "é\u{feff}\u{61c}\u{e0041}", 1] });
        let text = json(&report).unwrap();
        assert!(!text.replace('\n', "").contains(is_hidden), "{text:?}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            report
        );
    }
}
