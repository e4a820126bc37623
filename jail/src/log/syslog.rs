//! An event as a line of text: `kind key=value key="value"`, as the log has always had it.

use std::borrow::Cow;

use super::{event::Event, fields::Value, quoted::Quoted};

/// The most that a line takes in all, in bytes. A datagram of 1 KiB is what RFC 3164 promises to deliver. The daemons of
/// today take 8 KiB and cut the rest off, wherever that is: so much is left for what stands before the line, which
/// syslog(3) and pam_syslog(3) add.
const LONGEST_LINE: usize = 8 * 1024 - 512;

/// Writes the line of an event. It is bounded, whatever is in it.
#[must_use]
pub fn line(event: &Event<'_>) -> String {
    if let Event::NotShut { left } = event {
        return format!(
            "after the failure this process could not be put into an empty root: {left}"
        );
    }
    let mut line = event.kind().to_owned();
    for field in event.fields() {
        let Some(key) = field.in_text else { continue };
        let value = match field.value {
            Value::None => Cow::Borrowed("\"\""),
            Value::Number(number) => number.to_string().into(),
            Value::Word(word) => word,
            Value::Text(text) => Quoted::new(&text).to_string().into(),
            Value::List(words) => words.join(",").into(),
            Value::Rest(rest) => rest_of_line(line.len(), key, &rest).into(),
        };
        line.push_str(&format!(" {key}={value}"));
    }
    line
}

/// Writes the last value of a line, which may take all that is left of it.
fn rest_of_line(taken: usize, key: &str, rest: &str) -> String {
    // The equals sign, the space, the quotes, and the number of the bytes that are left out.
    const AROUND: usize = " =\"\"+18446744073709551615".len();
    let quoted = Quoted {
        value: rest.as_bytes(),
        longest: LONGEST_LINE.saturating_sub(taken + key.len() + AROUND),
    };
    quoted.to_string()
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_LINE, line};
    use crate::{code::Code, log::event::Event};

    fn wrong_words(why: &str) -> String {
        line(&Event::WrongWords {
            reason: format!("the line in the PAM stack: {why}"),
        })
    }

    fn refused(why: &str, user: &str) -> String {
        line(&Event::Refused {
            call: None,
            code: Code::Usage,
            user: Some(user.as_ref()),
            uid: u32::MAX,
            reason: why.to_owned(),
        })
    }

    /// Reads a quoted value back, as a program would: up to the first quote that no backslash escapes.
    fn read_back(line: &str, key: &str) -> (String, String) {
        let (_, rest) = line.split_once(&format!(" {key}=\"")).unwrap();
        let mut value = String::new();
        let mut letters = rest.chars();
        loop {
            match letters.next().unwrap() {
                '"' => return (value, letters.collect()),
                '\\' => value.push(letters.next().unwrap()),
                letter => value.push(letter),
            }
        }
    }

    #[test]
    fn a_quote_in_a_reason_does_not_end_it() {
        let why = "a \"b\" uid=0 \\ c";
        for line in [wrong_words(why), refused(why, "a\"b")] {
            let (reason, rest) = read_back(&line, "reason");
            assert!(reason.ends_with(why) && rest.is_empty(), "{line}");
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_characters_and_fits_into_a_datagram() {
        for one in ["é", "日", "\"", "\u{1b}", "a\u{202e}"] {
            let why = one.repeat(20_000);
            let user = one.repeat(2_000);
            for line in [wrong_words(&why), refused(&why, &user)] {
                assert!(line.len() <= LONGEST_LINE, "{}", line.len());
                let (_, rest) = read_back(&line, "reason");
                let number = rest.strip_prefix('+').unwrap();
                assert!(number.parse::<usize>().unwrap() > 10_000, "{line}");
            }
        }
    }
}
