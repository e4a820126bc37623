//! `record` and `idle`.

use std::ops::Range;
use std::time::Duration;

use toml::de::DeValue;

use crate::duration;
use crate::fault::Complaint;
use crate::parse::reader::{Level, Reader};
use crate::parse::value::Value;
use crate::record::{RecordKeys, RecordWhat};
use crate::schema::{self, Key};
use crate::size;

/// The smallest file for which a session is worth beginning, in bytes.
const SMALLEST: u64 = 64 << 10;

impl Reader<'_> {
    /// Takes `record`: a word, or a table with more of it.
    pub(super) fn record(
        &mut self,
        key: &Key,
        name: Range<usize>,
        value: Value<'_>,
    ) -> Option<RecordKeys> {
        if !matches!(value.get_ref(), DeValue::Table(_)) {
            let what = self.choice(key, value)?;
            return Some(RecordKeys {
                what,
                ..RecordKeys::default()
            });
        }
        if self.is_broken(&value.span()) {
            return None;
        }
        let span = value.span();
        let mut keys = RecordKeys::default();
        let mut more = None;
        let mut total = None;
        let table = self.table(key, name, value)?;
        let has_what = table.contains_key("what");
        for (name, value) in table {
            let span = name.span();
            let Some(key) = schema::find(schema::RECORD, name.get_ref()) else {
                self.unknown(Level::Record, name.get_ref(), span, &value);
                continue;
            };
            match key.name {
                // One that is wrong is reported; the others fit a terminal.
                "what" => keys.what = self.choice(key, value).unwrap_or(RecordWhat::Terminal),
                "input" => keys.input = self.boolean(key, &value),
                "size" => keys.size = self.size(key, value),
                _ => {
                    total = Some(value.span());
                    keys.total = self.size(key, value);
                }
            }
            if key.name != "what" {
                more = Some(span);
            }
        }
        if !has_what {
            let complaint = Complaint::new("\"what\" is missing in this table of record");
            self.lack(span, complaint.help("for example: what = \"terminal\""));
        } else if let Some(more) = more.filter(|_| keys.what != RecordWhat::Terminal) {
            let complaint = Complaint::new("input, size and total need what = \"terminal\"");
            self.fault(
                more,
                complaint.help("write what = \"terminal\", or remove this"),
            );
        }
        if let (Some(size), Some(all), Some(span)) = (keys.size, keys.total, total)
            && all < size
        {
            let complaint = Complaint::new("total is less than size: no session could begin");
            self.fault(span, complaint.help("make it several times size"));
        }
        Some(keys)
    }

    fn size(&mut self, key: &Key, value: Value<'_>) -> Option<u64> {
        let span = value.span();
        let size = match value.get_ref() {
            DeValue::Integer(number) => {
                let bytes = u64::from_str_radix(number.as_str(), number.radix()).ok();
                bytes.ok_or_else(|| Complaint::new(format!("{number} is not a size")))
            }
            DeValue::String(text) => size::parse(text),
            _ => {
                self.wrong_type(key, "a size such as \"64M\"", &value);
                return None;
            }
        };
        if self.is_broken(&span) {
            return None;
        }
        let size = size.and_then(|size| match size {
            0..SMALLEST => Err(Complaint::new("this size is too small for a recording")
                .help("the smallest is \"64K\"")),
            enough => Ok(enough),
        });
        self.checked(size, span)
    }

    /// Takes `idle`.
    pub(super) fn duration(&mut self, key: &Key, value: &Value<'_>) -> Option<Duration> {
        let read = match value.get_ref() {
            DeValue::Integer(number) => {
                let seconds = u64::from_str_radix(number.as_str(), number.radix());
                duration::of_seconds(seconds.ok())
            }
            DeValue::String(text) => duration::parse(text),
            _ => {
                self.wrong_type(key, duration::WANTED, value);
                return None;
            }
        };
        if self.is_broken(&value.span()) {
            return None;
        }
        self.checked(read, value.span())
    }
}
