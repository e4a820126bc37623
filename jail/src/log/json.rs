//! An event as one line of JSON. Own code: it is written with root's privileges, and is no more than this.

use std::{
    fmt::Write,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{event::Event, fields::Value, quoted::is_hidden};

/// The most that is kept of one value, in bytes.
pub(super) const LONGEST_VALUE: usize = 8 * 1024;

/// Writes the line of an event, its newline included.
///
/// It begins with `{"time":"`, and no value can have these letters in it: a reader finds the next line by them, also behind
/// one that a full disk has cut off.
pub(super) fn line(event: &Event<'_>, now: SystemTime) -> String {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut line = format!("{{\"time\":\"{}\"", time(since));
    member(&mut line, "event", event.kind().as_bytes());
    for field in event.fields() {
        let key = field.key;
        match &field.value {
            Value::None => line.push_str(&format!(",\"{key}\":null")),
            Value::Number(number) => line.push_str(&format!(",\"{key}\":{number}")),
            Value::Word(word) => member(&mut line, key, word.as_bytes()),
            Value::Text(text) => member(&mut line, key, text),
            Value::Rest(rest) => member(&mut line, key, rest.as_bytes()),
            Value::List(words) => {
                let words: Vec<String> = words.iter().map(|word| string(word)).collect();
                line.push_str(&format!(",\"{key}\":[{}]", words.join(",")));
            }
        }
    }
    line.push_str("}\n");
    line
}

/// Adds a value, cut to a length; how much is left out is a member as well. What is not UTF-8 is a list of its bytes, as
/// journalctl(1) has it.
fn member(line: &mut String, key: &str, value: &[u8]) {
    let longest = value.len().min(LONGEST_VALUE);
    // Not in the middle of a character.
    let is_inside = |at: &usize| value.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let end = (0..=longest).rev().take(4).find(|at| !is_inside(at));
    let (kept, left_out) = value.split_at(end.unwrap_or(longest));
    let shown = match std::str::from_utf8(kept) {
        Ok(text) => string(text),
        Err(_) => {
            let bytes: Vec<String> = kept.iter().map(u8::to_string).collect();
            format!("[{}]", bytes.join(","))
        }
    };
    line.push_str(&format!(",\"{key}\":{shown}"));
    if !left_out.is_empty() {
        line.push_str(&format!(",\"{key}_left_out\":{}", left_out.len()));
    }
}

/// Writes a string. What shows nothing, or changes how the text around it shows, is escaped as well: people read this, too.
fn string(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 2);
    written.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                written.push('\\');
                written.push(character);
            }
            _ if is_hidden(character) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing to a string can't fail.
                    let (Ok(()) | Err(_)) = write!(written, "\\u{unit:04x}");
                }
            }
            _ => written.push(character),
        }
    }
    written.push('"');
    written
}

/// Writes a time as RFC 3339 has it, in UTC, to the microsecond.
fn time(since: Duration) -> String {
    let seconds = since.as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // The days of an era of 400 years from 1 March of a year that 400 divides: Howard Hinnant, "chrono-compatible low-level
    // date algorithms".
    let day = days + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:06}Z",
        second / 3_600,
        second / 60 % 60,
        second % 60,
        since.subsec_micros()
    )
}

#[cfg(test)]
mod tests {
    use std::{
        ffi::OsStr,
        os::unix::ffi::OsStrExt,
        time::{Duration, UNIX_EPOCH},
    };

    use super::{LONGEST_VALUE, line, string, time};
    use crate::log::event::{Event, Session};

    #[test]
    fn a_time_is_written_as_date_has_it() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_399, "2000-02-28T23:59:59.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000000Z"),
            (1_798_761_599, "2026-12-31T23:59:59.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(time(Duration::from_secs(seconds)), expected);
        }
        assert_eq!(
            time(Duration::from_micros(1_000_042)),
            "1970-01-01T00:00:01.000042Z"
        );
    }

    #[test]
    fn everything_that_could_end_a_string_or_hide_is_escaped() {
        assert_eq!(
            string("a\"b\\c\nd\0\u{1b}\u{7f}\u{9b}\u{202e}\u{e0041}é"),
            r#""a\"b\\c\u000ad\u0000\u001b\u007f\u009b\u202e\udb40\udc41é""#
        );
    }

    #[test]
    fn a_line_has_one_newline_and_one_beginning_whatever_is_in_it() {
        let forged = "\"}\n{\"time\":\"2026\",\"event\":\"enter\"";
        let session = Session {
            user: OsStr::from_bytes(b"a\xff\n").to_owned(),
            jail: "é".repeat(LONGEST_VALUE),
            command: Some(forged.into()),
            ..Session::default()
        };
        let call = Default::default();
        let line = line(&Event::Enter(&call, &session), UNIX_EPOCH);
        assert_eq!(line.find('\n'), Some(line.len() - 1));
        assert_eq!(line.matches("{\"time\":\"").count(), 1, "{line}");
        assert!(line.contains("\"user\":[97,255,10],"), "{line}");
        let left_out = format!("\",\"jail_left_out\":{LONGEST_VALUE},");
        assert!(line.contains(&left_out), "{line}");
    }
}
