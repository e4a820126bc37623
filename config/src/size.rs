//! Sizes in bytes, with units: `"512M"`.

use crate::fault::Complaint;

/// The units, each 1024 times the one before, and the power of two that each is.
const UNITS: [(char, u32); 4] = [('K', 10), ('M', 20), ('G', 30), ('T', 40)];

/// What a limit of bytes looks like, for messages.
pub(crate) const WANTED: &str =
    "a number of bytes, a size such as \"512M\" or \"2G\", or \"unlimited\"";

/// Reads a size: a number and one of K, M, G and T.
pub(crate) fn parse(text: &str) -> Result<u64, Complaint> {
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let known = UNITS.iter().find(|(letter, _)| unit.chars().eq([*letter]));
    if let Some((_, power)) = known.filter(|_| is_number) {
        let number: Option<u64> = digits.parse().ok();
        let bytes = number.and_then(|number| number.checked_mul(1 << power));
        return bytes.ok_or_else(|| {
            let complaint = Complaint::new(format!("{text:?} is more than there can be"));
            complaint.help("write \"unlimited\" for no limit")
        });
    }
    let complaint = Complaint::new(format!("{text:?} is not a size"));
    Err(match meant(digits, unit).filter(|_| is_number) {
        Some(meant) if unit.is_empty() && meant != "0" => complaint.help(format!(
            "write {meant} for so many bytes, or a unit behind it: \"{meant}M\""
        )),
        Some(meant) => complaint.help(format!("did you mean {meant}?")),
        None => complaint.help("write a whole number and K, M, G or T: \"512M\""),
    })
}

/// Guesses from a number and what follows it.
fn meant(digits: &str, unit: &str) -> Option<String> {
    let unit = unit.trim().to_ascii_uppercase();
    let unit = unit.strip_suffix('B').unwrap_or(&unit);
    let unit = unit.strip_suffix('I').unwrap_or(unit);
    if unit.is_empty() {
        return Some(digits.to_owned());
    }
    let is_known = UNITS.iter().any(|(letter, _)| unit.chars().eq([*letter]));
    is_known.then(|| format!("\"{digits}{unit}\""))
}

/// Writes a size with the largest unit that leaves a whole number.
#[must_use]
pub fn size(bytes: u64) -> String {
    let fits = |power: u32| bytes != 0 && bytes.trailing_zeros() >= power;
    match UNITS.iter().rev().find(|(_, power)| fits(*power)) {
        Some((letter, power)) => format!("{}{letter}", bytes >> power),
        None => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{parse, size};

    #[test]
    fn what_is_written_is_read_back() {
        for (bytes, text) in [
            (1 << 10, "1K"),
            (512 << 20, "512M"),
            (2 << 30, "2G"),
            (3 << 40, "3T"),
            (1025 << 10, "1025K"),
        ] {
            assert_eq!(size(bytes), text);
            assert_eq!(parse(text).ok(), Some(bytes));
        }
        for plain in [0, 1, 1000, 1_000_000_000, u64::MAX] {
            assert_eq!(size(plain), plain.to_string());
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in [
            "",
            "M",
            "5",
            "5 M",
            "5m",
            "5MB",
            "0x5M",
            "-5M",
            "1.5G",
            "5MM",
            "16777216T",
            "M5",
            "5\u{212a}",
            "99999999999999999999K",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
