//! The key `limits`.

use std::ops::{Range, RangeInclusive};

use toml::de::DeValue;

use crate::fault::Complaint;
use crate::limits::{FEWEST_TASKS, LEAST_MEMORY, Limits, MOST_PERCENT, MOST_SESSIONS, MOST_WEIGHT};
use crate::parse::reader::{Level, Reader};
use crate::parse::value::Value;
use crate::schema::{self, Key};
use crate::size::{self, size};

/// What no limit is.
const NO_LIMIT: u64 = u64::MAX;

impl Reader<'_> {
    pub(super) fn limits(&mut self, key: &Key, name: Range<usize>, value: Value<'_>) -> Limits {
        let mut limits = Limits::default();
        if self.is_broken(&value.span()) {
            return limits;
        }
        for (name, value) in self.table(key, name, value).into_iter().flatten() {
            let span = name.span();
            match schema::find(schema::LIMITS, name.get_ref()) {
                None => self.unknown(Level::Limits, name.get_ref(), span, &value),
                Some(key) => {
                    if key.name == "cpu"
                        && let Some(percent) = percent(&value)
                    {
                        limits.quota = self.quota(key, percent, &value);
                        continue;
                    }
                    let limit = self.limit(key, &value);
                    if let Some(slot) = limits.named(key.name) {
                        *slot = limit;
                    }
                }
            }
        }
        limits
    }

    /// Takes a share of the processors: what stands before the percent sign.
    fn quota(&mut self, key: &Key, percent: &str, value: &Value<'_>) -> Option<u64> {
        let is_number = !percent.is_empty() && percent.bytes().all(|byte| byte.is_ascii_digit());
        let quota = percent.parse().ok().filter(|_| is_number);
        let quota = quota.filter(|quota| (1..=MOST_PERCENT).contains(quota));
        if quota.is_none() && !self.is_broken(&value.span()) {
            let message = format!(
                "{:?} is not a share of the processors: it is a whole number from 1 to {MOST_PERCENT} and %",
                format!("{percent}%")
            );
            let help = format!("100% is one whole processor; for example: {}", key.example);
            self.fault(value.span(), Complaint::new(message).help(help));
        }
        quota
    }

    fn limit(&mut self, key: &Key, value: &Value<'_>) -> Option<u64> {
        let limit = self.written_limit(key, value);
        if let (Some(0), Some(why)) = (limit, why_not_zero(key.name)) {
            let message = format!("{:?} = 0 lets nobody in: {why}", key.name);
            let help = format!("for example: {}", key.example);
            self.fault(value.span(), Complaint::new(message).help(help));
            return limit;
        }
        let Some((range, wanted, help)) = range(key.name) else {
            return limit;
        };
        let wrong = limit.filter(|limit| !range.contains(limit) && *limit != NO_LIMIT);
        // A weight has no such thing.
        let wrong = wrong.or(limit.filter(|limit| *limit == NO_LIMIT && key.name == "io"));
        if let Some(wrong) = wrong {
            let written = match wrong {
                NO_LIMIT => "\"unlimited\"".to_owned(),
                bytes if Limits::is_size(key.name) => size(bytes),
                number => number.to_string(),
            };
            let message = format!("{:?} wants {wanted}, not {written}", key.name);
            self.fault(value.span(), Complaint::new(message).help(help));
        }
        limit
    }

    fn written_limit(&mut self, key: &Key, value: &Value<'_>) -> Option<u64> {
        let is_size = Limits::is_size(key.name);
        let ranged = range(key.name).map(|(_, wanted, _)| match key.name {
            "io" => wanted,
            _ => format!("{wanted}, or \"unlimited\""),
        });
        let wanted = match (key.name, &ranged) {
            _ if is_size => size::WANTED,
            ("cpu", _) => {
                "a number of seconds, a share of the processors such as \"150%\", or \"unlimited\""
            }
            (_, Some(wanted)) => wanted,
            (name, None) if why_not_zero(name).is_some() => {
                "a whole number from 1 up, or \"unlimited\""
            }
            _ => "a whole number from 0 up, or \"unlimited\"",
        };
        let (limit, written) = match value.get_ref() {
            DeValue::String(word) if word == "unlimited" => return Some(NO_LIMIT),
            DeValue::String(word) if is_size && !self.is_broken(&value.span()) => {
                return self.checked(size::parse(word), value.span());
            }
            DeValue::String(word) => (None, format!("{word:?}")),
            DeValue::Integer(number) => (
                u64::from_str_radix(number.as_str(), number.radix()).ok(),
                number.to_string(),
            ),
            _ => {
                self.wrong_type(key, wanted, value);
                return None;
            }
        };
        if limit.is_none() && !self.is_broken(&value.span()) {
            let message = format!("{:?} wants {wanted}, not {written}", key.name);
            let help = format!("for example: {}", key.example);
            self.fault(value.span(), Complaint::new(message).help(help));
        }
        limit
    }
}

/// Gives what stands before a percent sign.
fn percent<'v>(value: &'v Value<'_>) -> Option<&'v str> {
    match value.get_ref() {
        DeValue::String(text) => text.strip_suffix('%'),
        _ => None,
    }
}

/// Gives the numbers that a limit can have, how they are called in a message, and its help.
fn range(limit: &str) -> Option<(RangeInclusive<u64>, String, &'static str)> {
    Some(match limit {
        "sessions" => (
            0..=MOST_SESSIONS,
            format!("a number from 1 to {MOST_SESSIONS}"),
            "for no limit: sessions = \"unlimited\"",
        ),
        "memory" => (
            LEAST_MEMORY..=NO_LIMIT,
            format!("at least \"{}\"", size(LEAST_MEMORY)),
            "a number without a unit is one of bytes; write for example: memory = \"512M\"",
        ),
        "tasks" => (
            FEWEST_TASKS..=NO_LIMIT,
            format!("at least {FEWEST_TASKS}"),
            "each session has two processes of login-jail's beside its own; for example: tasks = 100",
        ),
        "io" => (
            1..=MOST_WEIGHT,
            format!("a weight from 1 to {MOST_WEIGHT}"),
            "100 is what others have; for example: io = 50",
        ),
        _ => return None,
    })
}

/// Says why no session can be had with a limit of 0, where that is so.
fn why_not_zero(limit: &str) -> Option<&'static str> {
    match limit {
        "as" | "memory" => Some("no program fits in no memory"),
        "cpu" => Some("the kernel kills the session at once"),
        "nofile" => Some("a program has to open its libraries"),
        // execve(2) fails with EAGAIN for whoever has more than the limit by then.
        "nproc" | "tasks" => Some("a session is a process itself"),
        "sessions" => Some("to close an account, use usermod -e 1"),
        _ => None,
    }
}
