//! `disk`.

use std::ops::Range;

use toml::de::DeValue;

use crate::disk::Disk;
use crate::fault::Complaint;
use crate::parse::reader::{Level, Reader};
use crate::parse::value::Value;
use crate::schema::{self, Key};
use crate::size;

impl Reader<'_> {
    /// Takes `disk`: a table, or the word that lifts what `[defaults]` say.
    pub(super) fn disk(&mut self, key: &Key, name: Range<usize>, value: Value<'_>) -> Option<Disk> {
        const WANTED: &str = "a table, or \"unlimited\"";
        let span = value.span();
        if self.is_broken(&span) {
            return None;
        }
        match value.get_ref() {
            DeValue::String(word) if word == "unlimited" => return Some(Disk::default()),
            DeValue::Table(_) => {}
            _ => {
                self.wrong_type(key, WANTED, &value);
                return None;
            }
        }
        let table = self.table(key, name, value)?;
        if table.is_empty() {
            let complaint = Complaint::new("\"disk\" limits nothing");
            self.lack(
                span,
                complaint.help(format!("for example: {}", key.example)),
            );
            return None;
        }
        let mut disk = Disk::default();
        for (name, value) in table {
            let Some(key) = schema::find(schema::DISK, name.get_ref()) else {
                self.unknown(Level::Disk, name.get_ref(), name.span(), &value);
                continue;
            };
            match key.name {
                "bytes" => disk.bytes = self.amount(key, &value, size::parse),
                _ => {
                    let no_unit = |text: &str| {
                        let complaint =
                            Complaint::new(format!("{text:?} is not a number of files"));
                        Err(complaint.help("write it without quotes: files = 100000"))
                    };
                    disk.files = self.amount(key, &value, no_unit);
                }
            }
        }
        Some(disk)
    }

    /// Takes a number; `with_unit` reads one that is a string. 0 is no limit to the kernel, and none here.
    fn amount(
        &mut self,
        key: &Key,
        value: &Value<'_>,
        with_unit: fn(&str) -> Result<u64, Complaint>,
    ) -> Option<u64> {
        let read = match value.get_ref() {
            DeValue::Integer(number) => {
                let read = u64::from_str_radix(number.as_str(), number.radix());
                read.map_err(|_| Complaint::new(format!("{number} is not a number")))
            }
            DeValue::String(text) => with_unit(text),
            _ => {
                self.wrong_type(key, "a number", value);
                return None;
            }
        };
        if self.is_broken(&value.span()) {
            return None;
        }
        let read = read.and_then(|number| match number {
            0 => Err(Complaint::new(format!(
                "{} = 0 leaves no room for a home",
                key.name
            ))),
            // The kernel counts blocks of 1024 bytes.
            number if number > 1 << 53 => Err(Complaint::new(format!("{} is too large", key.name))),
            number => Ok(number),
        });
        self.checked(read, value.span())
    }
}
