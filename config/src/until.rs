//! `until`: the last day, or the moment, up to which an account may log in.

use std::fmt;

use crate::fault::Complaint;

/// What a date of `until` looks like, for messages.
pub(crate) const WANTED: &str = "a date, a date and time, or \"never\"";

const EXAMPLE: &str =
    "write \"2027-03-31\", \"2027-03-31 18:00\", \"2027-03-31 18:00+02:00\" or \"never\"";

/// Up to when logins are served. A date counts to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Without an end: what a jail or `[defaults]` says otherwise is lifted.
    Never,
    /// To the end of this day, in the time zone of the host.
    Date(Date),
    /// To this moment, in the time zone of the host.
    Local(Date, Time),
    /// To this moment; so many minutes its clock is ahead of UTC.
    Exact(Date, Time, i16),
}

/// A day of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// A time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    hour: u8,
    minute: u8,
    second: u8,
}

/// When logins end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// When the host's clock shows this: seconds since 1970 if that clock were UTC.
    OnClock(i64),
    /// At this moment: seconds since 1970.
    At(i64),
}

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTE;

impl Until {
    /// Gives the first moment in which nobody is let in any more.
    #[must_use]
    pub fn end(self) -> Option<End> {
        Some(match self {
            Until::Never => return None,
            Until::Date(date) => End::OnClock(date.begin() + DAY),
            Until::Local(date, time) => End::OnClock(date.begin() + time.seconds()),
            Until::Exact(date, time, offset) => {
                End::At(date.begin() + time.seconds() - i64::from(offset) * MINUTE)
            }
        })
    }

    /// Reads what is written: `2027-03-31`, `2027-03-31 18:00`, with a `T` between them, with seconds, and with an offset from
    /// UTC such as `Z` or `+02:00`.
    pub(crate) fn parse(text: &str) -> Result<Until, Complaint> {
        if text == "never" {
            return Ok(Until::Never);
        }
        read(text).ok_or_else(|| {
            let why = match text.split_once(['T', 't', ' ']) {
                Some((date, time)) if Date::read(date).is_some() => {
                    format!(": {time:?} is no time of a day")
                }
                Some((date, _)) => format!(": {date:?} is no day"),
                None if text.starts_with(|it: char| it.is_ascii_digit()) => {
                    ": there is no such day, or it is not written as YYYY-MM-DD".to_owned()
                }
                None => String::new(),
            };
            Complaint::new(format!("{text:?} is not a date{why}")).help(EXAMPLE)
        })
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Until::Never => f.write_str("never"),
            Until::Date(date) => date.fmt(f),
            Until::Local(date, time) => write!(f, "{date} {time}"),
            Until::Exact(date, time, 0) => write!(f, "{date} {time}Z"),
            Until::Exact(date, time, offset) => {
                let (sign, minutes) = (if *offset < 0 { '-' } else { '+' }, offset.unsigned_abs());
                write!(
                    f,
                    "{date} {time}{sign}{:02}:{:02}",
                    minutes / 60,
                    minutes % 60
                )
            }
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)?;
        match self.second {
            0 => Ok(()),
            second => write!(f, ":{second:02}"),
        }
    }
}

impl Date {
    /// Gives the seconds from 1970 to the beginning of the day, without offset and leap seconds.
    fn begin(self) -> i64 {
        let (year, month) = (i64::from(self.year), i64::from(self.month));
        // A year that begins in March has its leap day at the end.
        let (year, month) = match month {
            ..=2 => (year - 1, month + 9),
            _ => (year, month - 3),
        };
        let leap_days = year / 4 - year / 100 + year / 400;
        let days = 365 * year + leap_days + (153 * month + 2) / 5 + i64::from(self.day) - 1;
        // 0000-03-01 is so many days before 1970-01-01.
        (days - 719_468) * DAY
    }

    fn read(text: &str) -> Option<Date> {
        let mut parts = text.split('-');
        let mut number = |length| digits(parts.next()?, length);
        let (year, month, day) = (number(4)?, number(2)?, number(2)?);
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        let fits = parts.next().is_none() && year >= 1970 && (1..=days).contains(&day);
        fits.then_some(Date {
            year,
            month: u8::try_from(month).ok()?,
            day: u8::try_from(day).ok()?,
        })
    }
}

impl Time {
    fn seconds(self) -> i64 {
        (i64::from(self.hour) * 60 + i64::from(self.minute)) * MINUTE + i64::from(self.second)
    }

    fn read(text: &str) -> Option<Time> {
        // TOML's own may have a fraction of a second, which is left out.
        let text = text.split_once('.').map_or(text, |(whole, _)| whole);
        let mut parts = text.split(':');
        let mut number = |below| {
            let number = digits(parts.next()?, 2).filter(|number| *number < below)?;
            u8::try_from(number).ok()
        };
        let (hour, minute) = (number(24)?, number(60)?);
        let second = match text.len() {
            5 => 0,
            _ => number(60)?,
        };
        parts.next().is_none().then_some(Time {
            hour,
            minute,
            second,
        })
    }
}

fn read(text: &str) -> Option<Until> {
    let Some((date, time)) = text.split_once(['T', 't', ' ']) else {
        return Date::read(text).map(Until::Date);
    };
    let date = Date::read(date)?;
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return Some(Until::Exact(date, Time::read(time)?, 0));
    }
    let Some(at) = time.find(['+', '-']) else {
        return Some(Until::Local(date, Time::read(time)?));
    };
    let (time, offset) = time.split_at(at);
    let (sign, offset) = match offset.strip_prefix('-') {
        Some(offset) => (-1, offset),
        None => (1, offset.strip_prefix('+')?),
    };
    let offset = Time::read(offset).filter(|offset| offset.second == 0)?;
    let minutes = i16::from(offset.hour) * 60 + i16::from(offset.minute);
    Some(Until::Exact(date, Time::read(time)?, sign * minutes))
}

/// Reads a number of exactly so many digits.
fn digits(text: &str, length: usize) -> Option<u16> {
    let fits = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| fits)
}

#[cfg(test)]
mod tests {
    use super::{End, Until};

    fn end(text: &str) -> Option<End> {
        Until::parse(text).unwrap().end()
    }

    #[test]
    fn a_date_counts_to_its_end_and_a_time_to_its_moment() {
        assert_eq!(end("1970-01-01"), Some(End::OnClock(86_400)));
        assert_eq!(end("2000-02-29"), Some(End::OnClock(951_868_800)));
        assert_eq!(end("2027-03-31"), Some(End::OnClock(1_806_537_600)));
        assert_eq!(end("9999-12-31"), Some(End::OnClock(253_402_300_800)));
        let six = Some(End::OnClock(1_806_516_000));
        for text in [
            "2027-03-31 18:00",
            "2027-03-31T18:00",
            "2027-03-31 18:00:00.9",
        ] {
            assert_eq!(end(text), six, "{text}");
        }
        assert_eq!(
            end("2027-03-31 18:00:07"),
            Some(End::OnClock(1_806_516_007))
        );
        for text in [
            "2027-03-31T18:00:00Z",
            "2027-03-31 18:00z",
            "2027-03-31 20:00+02:00",
            "2027-03-31 12:30:00-05:30",
        ] {
            assert_eq!(end(text), Some(End::At(1_806_516_000)), "{text}");
        }
        assert_eq!(end("never"), None);
    }

    #[test]
    fn what_is_shown_is_read_again_as_the_same() {
        for (text, shown) in [
            ("2027-03-31", "2027-03-31"),
            ("2027-03-31T18:00:00", "2027-03-31 18:00"),
            ("2027-03-31T18:00:05.25", "2027-03-31 18:00:05"),
            ("2027-03-31T18:00:00Z", "2027-03-31 18:00Z"),
            ("2027-03-31T18:00:00-00:30", "2027-03-31 18:00-00:30"),
            ("2027-03-31T18:00:00+13:45", "2027-03-31 18:00+13:45"),
            ("never", "never"),
        ] {
            let until = Until::parse(text).unwrap();
            assert_eq!(until.to_string(), shown);
            assert_eq!(Until::parse(shown).unwrap(), until);
        }
    }

    #[test]
    fn nothing_else_is_a_date() {
        for text in [
            "",
            "Never",
            "2027",
            "2027-3-31",
            "2027-02-29",
            "2100-02-29",
            "2027-04-31",
            "2027-00-01",
            "2027-13-01",
            "2027-01-00",
            "1969-12-31",
            "27-03-31",
            "2027-03-31-01",
            "2027-03-31 ",
            "2027-03-31 24:00",
            "2027-03-31 18",
            "2027-03-31 18:60",
            "2027-03-31 18:00:60",
            "2027-03-31 18:00:00:00",
            "2027-03-31 18:00 +02:00",
            "2027-03-31 18:00+2",
            "18:00:00",
            "2027-03-31 18:00+02:00:01",
            "+027-03-31",
            "2027-03-31\u{660}",
        ] {
            assert!(Until::parse(text).is_err(), "{text}");
        }
    }
}
