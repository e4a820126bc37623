//! Values from outside in a line of the log: nothing in them can end the line, forge another, or hide.

use std::{
    ffi::OsStr,
    fmt::{self, Write},
    os::unix::ffi::OsStrExt,
};

/// The most that a single value takes of a line, in bytes.
pub(super) const LONGEST_VALUE: usize = 1024;

/// Writes a value from outside as the log has it: quoted, escaped and bounded.
#[must_use]
pub fn quoted(value: &OsStr) -> String {
    Quoted::new(value.as_bytes()).to_string()
}

/// A value from outside as the log has it: in quotes, with everything escaped that could end the line or the quotes,
/// hide text or reorder it, and cut to a length.
pub(super) struct Quoted<'a> {
    pub(super) value: &'a [u8],
    pub(super) longest: usize,
}

impl<'a> Quoted<'a> {
    pub(super) fn new(value: &'a [u8]) -> Quoted<'a> {
        Quoted {
            value,
            longest: LONGEST_VALUE,
        }
    }
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let mut left_out = 0;
        for chunk in self.value.utf8_chunks() {
            for character in chunk.valid().chars() {
                escape(&mut text, character, self.longest, &mut left_out)?;
            }
            for byte in chunk.invalid() {
                // What follows something that is left out is left out too.
                if left_out > 0 || text.len() + "\\xff".len() > self.longest {
                    left_out += 1;
                } else {
                    write!(text, "\\x{byte:02x}")?;
                }
            }
        }
        write!(f, "\"{text}\"")?;
        if left_out > 0 {
            write!(f, "+{left_out}")?;
        }
        Ok(())
    }
}

/// Adds one character, escaped where needed, or counts the bytes left out once the text is full.
fn escape(text: &mut String, character: char, longest: usize, left_out: &mut usize) -> fmt::Result {
    const LONGEST_ESCAPE: usize = "\\u{10ffff}".len();
    if *left_out > 0 || text.len() + LONGEST_ESCAPE > longest {
        *left_out += character.len_utf8();
        return Ok(());
    }
    match character {
        '"' | '\\' => write!(text, "\\{character}"),
        '\n' => text.write_str("\\n"),
        '\t' => text.write_str("\\t"),
        _ if is_hidden(character) => {
            write!(text, "\\u{{{:x}}}", u32::from(character))
        }
        _ => text.write_char(character),
    }
}

/// Tells the characters that show nothing or change how the text around them shows: controls, zero width, line and paragraph
/// separators, bidirectional controls (UAX #9), fillers and blanks, variation selectors, tags.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{180b}'..='\u{180f}' | '\u{2800}' |
        '\u{3164}' | '\u{ffa0}' | '\u{1d173}'..='\u{1d17a}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' |
        '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' |
        '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_VALUE, Quoted};

    fn quoted(value: &[u8]) -> String {
        Quoted::new(value).to_string()
    }

    #[test]
    fn escapes_what_could_forge_hide_or_reorder_a_line() {
        assert_eq!(quoted(b"id"), "\"id\"");
        assert_eq!(
            quoted(b"a\nb\r\"c\\\x1b[1m"),
            r#""a\nb\u{d}\"c\\\u{1b}[1m""#
        );
        assert_eq!(
            quoted("\u{85}\u{9b}\u{202e}\u{2066}\u{feff}".as_bytes()),
            r#""\u{85}\u{9b}\u{202e}\u{2066}\u{feff}""#
        );
        assert_eq!(quoted(b"\xff\x80x"), r#""\xff\x80x""#);
        assert_eq!(quoted("für 日本".as_bytes()), "\"für 日本\"");
    }

    #[test]
    fn bounds_a_value_and_says_how_much_is_left_out() {
        let long = quoted(&[b'x'; 100_000]);
        assert!(long.len() < LONGEST_VALUE + 16, "{}", long.len());
        assert!(long.contains("\"+9"), "{long}");
        assert!(quoted(&[b'\n'; 5000]).len() < LONGEST_VALUE + 16);
        assert!(quoted(&[0xff; 5000]).len() < LONGEST_VALUE + 16);
    }

    #[test]
    fn nothing_comes_behind_what_is_left_out() {
        let mut value = vec![b'a'; LONGEST_VALUE - 6];
        value.extend("é".as_bytes());
        value.push(0xff);
        value.push(b'b');
        let cut = quoted(&value);
        assert!(cut.ends_with("a\"+7"), "{cut}");
    }
}
