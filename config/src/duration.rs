//! Durations, with units: `"15m"`.

use std::time::Duration;

use crate::fault::Complaint;

/// The units, each with its seconds.
const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];

/// The longest, in seconds: a hundred years, which every clock can count.
const LONGEST: u64 = 100 * 365 * 86_400;

/// What a duration looks like, for messages.
pub(crate) const WANTED: &str = "a duration such as \"15m\" or \"8h\", or a number of seconds";

/// Reads a duration: a number and one of s, m, h and d.
pub(crate) fn parse(text: &str) -> Result<Duration, Complaint> {
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let known = UNITS.iter().find(|(letter, _)| unit.chars().eq([*letter]));
    let Some((_, seconds)) = known.filter(|_| is_number) else {
        let complaint = Complaint::new(format!("{text:?} is not a duration"));
        return Err(complaint.help("write a whole number and s, m, h or d: \"15m\""));
    };
    let number = digits.parse().ok();
    of_seconds(number.and_then(|number: u64| number.checked_mul(*seconds)))
}

/// Checks a number of seconds; `None` is one that is too large to be read.
pub(crate) fn of_seconds(seconds: Option<u64>) -> Result<Duration, Complaint> {
    match seconds {
        Some(0) => Err(Complaint::new("0 is no duration").help("for example: \"15m\"")),
        Some(seconds @ ..=LONGEST) => Ok(Duration::from_secs(seconds)),
        Some(_) | None => {
            Err(Complaint::new("the duration is too long").help("\"36500d\" is the longest"))
        }
    }
}

/// Writes a duration with the largest unit that leaves a whole number.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let mut units = UNITS.iter().rev();
    match units.find(|(_, unit)| seconds != 0 && seconds % *unit == 0) {
        Some((letter, unit)) => format!("{}{letter}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{duration, parse};

    #[test]
    fn what_is_written_is_read_back() {
        for (seconds, text) in [
            (1, "1s"),
            (90, "90s"),
            (900, "15m"),
            (7200, "2h"),
            (86_400, "1d"),
            (3_153_600_000, "36500d"),
        ] {
            assert_eq!(duration(Duration::from_secs(seconds)), text);
            assert_eq!(parse(text).ok(), Some(Duration::from_secs(seconds)));
        }
        assert_eq!(parse("120m").ok(), Some(Duration::from_secs(7200)));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "m",
            "15",
            "0m",
            "15 m",
            "15M",
            "15min",
            "-5m",
            "1.5h",
            "1h30m",
            "36501d",
            "99999999999999999999s",
            "999999999999999999d",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
