//! Reports of several lines and in JSON, made fit for a terminal as single words are.

use jail::log::is_hidden;
pub(crate) use jail_roots::terminal::shown;
use serde::Serialize;

/// Escapes the same in a text of several lines, which stay lines.
pub(crate) fn shown_lines(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(shown).collect();
    lines.join("\n")
}

/// Gives a report as JSON for people and programs: the same value, with each hidden letter of its strings escaped.
///
/// # Errors
/// The report can't be written as JSON.
pub(crate) fn json(report: &impl Serialize) -> serde_json::Result<String> {
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
    use super::{is_hidden, json};

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
