//! The lines of a terminal recording: asciicast v2, as asciinema plays it.
//!
//! Pure: bytes and times in, lines out. A line is written whole, and is JSON whatever the session shows.

use std::{ffi::OsStr, fmt::Write, os::unix::ffi::OsStrExt, time::Duration};

/// What the first line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header<'a> {
    /// Columns and rows.
    pub(crate) size: (u16, u16),
    /// Seconds since 1970.
    pub(crate) timestamp: u64,
    pub(crate) title: &'a OsStr,
    pub(crate) command: Option<&'a OsStr>,
    pub(crate) term: Option<&'a OsStr>,
}

impl Header<'_> {
    pub(crate) fn line(&self) -> String {
        let (columns, rows) = self.size;
        let mut line = format!(
            "{{\"version\": 2, \"width\": {columns}, \"height\": {rows}, \"timestamp\": {}",
            self.timestamp
        );
        line.push_str(", \"title\": ");
        push_text(&mut line, &lossy(self.title));
        if let Some(command) = self.command {
            line.push_str(", \"command\": ");
            push_text(&mut line, &lossy(command));
        }
        if let Some(term) = self.term {
            line.push_str(", \"env\": {\"TERM\": ");
            push_text(&mut line, &lossy(term));
            line.push('}');
        }
        line.push_str("}\n");
        line
    }
}

/// What an event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Output,
    Input,
    Resize,
}

/// Writes the line of an event, so long after the first line.
pub(crate) fn event(after: Duration, kind: Kind, text: &str) -> String {
    let letter = match kind {
        Kind::Output => 'o',
        Kind::Input => 'i',
        Kind::Resize => 'r',
    };
    let (seconds, millionths) = (after.as_secs(), after.subsec_micros());
    let mut line = format!("[{seconds}.{millionths:06}, \"{letter}\", ");
    push_text(&mut line, text);
    line.push_str("]\n");
    line
}

/// Text that comes in pieces, which may end within a character.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// The beginning of a character: three bytes at the most.
    begun: Vec<u8>,
}

impl Decoder {
    /// Takes a piece and gives the text up to its last whole character. What is no UTF-8 becomes U+FFFD.
    pub(crate) fn take(&mut self, piece: &[u8]) -> String {
        self.begun.extend_from_slice(piece);
        let whole = std::mem::take(&mut self.begun);
        let mut text = String::with_capacity(whole.len());
        let mut chunks = whole.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(chunk.valid());
            if chunk.invalid().is_empty() {
                continue;
            }
            if chunks.peek().is_none() && may_go_on(chunk.invalid()) {
                self.begun = chunk.invalid().to_vec();
            } else {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        text
    }

    /// Gives what was begun and never ended.
    pub(crate) fn finish(&mut self) -> &'static str {
        match std::mem::take(&mut self.begun).is_empty() {
            true => "",
            false => "\u{fffd}",
        }
    }
}

/// Tells whether bytes that are no character may be the beginning of one.
fn may_go_on(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

fn lossy(value: &OsStr) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// Adds a JSON string. Everything that is not plain is written as its number, so that the file is safe to look at with any tool.
fn push_text(line: &mut String, text: &str) {
    line.push('"');
    for character in text.chars() {
        match character {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            control if control.is_control() => {
                // A control character is below U+00A0: one unit of UTF-16.
                match write!(line, "\\u{:04x}", u32::from(control)) {
                    Ok(()) | Err(_) => {}
                }
            }
            other => line.push(other),
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt, time::Duration};

    use super::{Decoder, Header, Kind, event};

    #[test]
    fn a_header_is_one_line_whatever_is_in_it() {
        let header = Header {
            size: (80, 24),
            timestamp: 1_700_000_000,
            title: OsStr::from_bytes(b"ann \"x\"\n\xff"),
            command: Some("vi\u{9b}".as_ref()),
            term: Some("xterm".as_ref()),
        };
        assert_eq!(
            header.line(),
            "{\"version\": 2, \"width\": 80, \"height\": 24, \"timestamp\": 1700000000, \"title\": \"ann \\\"x\\\"\\n\u{fffd}\", \
             \"command\": \"vi\\u009b\", \"env\": {\"TERM\": \"xterm\"}}\n"
        );
    }

    #[test]
    fn an_event_is_one_line_whatever_is_shown() {
        let line = event(
            Duration::from_micros(61_000_005),
            Kind::Output,
            "a\"\\\r\n\t\u{0}\u{1b}[1m\u{7f}\u{85}é日",
        );
        assert_eq!(
            line,
            "[61.000005, \"o\", \"a\\\"\\\\\\r\\n\\t\\u0000\\u001b[1m\\u007f\\u0085é日\"]\n"
        );
        assert_eq!(
            event(Duration::ZERO, Kind::Resize, "132x43"),
            "[0.000000, \"r\", \"132x43\"]\n"
        );
        assert!(event(Duration::ZERO, Kind::Input, "x").contains("\"i\""));
    }

    #[test]
    fn characters_that_come_in_pieces_are_joined() {
        let text = "für 日本 🦀 end";
        for size in 1..6 {
            let mut decoder = Decoder::default();
            let pieces = text.as_bytes().chunks(size);
            let joined: String = pieces.map(|piece| decoder.take(piece)).collect();
            assert_eq!(joined + decoder.finish(), text, "{size}");
        }
    }

    #[test]
    fn what_is_no_character_is_replaced_and_holds_nothing_up() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.take(b"a\xffb\xc3"), "a\u{fffd}b");
        assert_eq!(decoder.take(b"x"), "\u{fffd}x");
        assert_eq!(decoder.take(b"\xe6\x97"), "");
        assert_eq!(decoder.finish(), "\u{fffd}");
        assert_eq!(decoder.finish(), "");
        // A surrogate and an overlong form never become a character.
        assert_eq!(
            decoder
                .take(b"\xed\xa0\x80\xc0\xaf")
                .matches('\u{fffd}')
                .count(),
            5
        );
    }
}
