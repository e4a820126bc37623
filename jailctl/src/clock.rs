//! Times as the machine's zone has them, and as an administrator writes them.

use std::fs;

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

/// Gives the machine's time zone, whatever TZ of the caller says; UTC where none is set up.
pub(crate) fn machine_zone() -> TimeZone {
    let rules = fs::read("/etc/localtime").ok();
    let zone = rules.and_then(|rules| TimeZone::tzif("", &rules).ok());
    zone.unwrap_or(TimeZone::UTC)
}

/// Writes a time in seconds since 1970 as who(1) does.
pub(crate) fn local_time(seconds: u64, zone: &TimeZone) -> Option<String> {
    let at = Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    Some(local(at, zone))
}

/// Writes a time as who(1) does.
pub(crate) fn local(at: Timestamp, zone: &TimeZone) -> String {
    let local = at.to_zoned_datetime(zone.clone());
    local.strftime("%F %H:%M").to_string()
}

/// Reads a time: how long ago it was (`90s`, `15m`, `2h`, `7d`, `4w`), or a date of the machine's zone, with a time of day or
/// without.
pub(crate) fn moment(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    if let Some((number, unit)) = text.split_at_checked(text.len().checked_sub(1)?)
        && let Ok(number) = number.parse::<u32>()
    {
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 7 * 86_400,
            _ => return None,
        };
        let ago = SignedDuration::from_secs(i64::from(number) * seconds);
        return now.checked_sub(ago).ok();
    }
    let at: DateTime = text.parse().ok()?;
    zone.to_timestamp(at).ok()
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::TimeZone};

    use super::moment;

    #[test]
    fn a_time_is_a_date_or_how_long_ago_it_was() {
        let now = Timestamp::from_second(1_000_000_000).unwrap();
        let read = |text| moment(text, now, &TimeZone::UTC).map(Timestamp::as_second);
        assert_eq!(read("90s"), Some(999_999_910));
        assert_eq!(read("1w"), Some(999_395_200));
        assert_eq!(read("2001-09-09"), Some(999_993_600));
        assert_eq!(read("2001-09-09 01:46:40"), Some(1_000_000_000));
        for wrong in ["", "d", "yesterday", "7y", "-1d", "2001-13-01"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
