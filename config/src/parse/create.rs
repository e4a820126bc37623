//! `create`.

use std::ops::Range;

use toml::de::DeValue;

use crate::create::{CreateKey, CreateKeys, SkelKey};
use crate::fault::Complaint;
use crate::parse::reader::{Level, Reader};
use crate::parse::value::Value;
use crate::schema::{self, Key};
use crate::template::Template;

impl Reader<'_> {
    /// Takes `create`: a word, or a table with more of it.
    pub(super) fn create(
        &mut self,
        key: &Key,
        name: Range<usize>,
        value: Value<'_>,
    ) -> Option<CreateKey> {
        const WANTED: &str = "true, false or a table";
        if self.is_broken(&value.span()) {
            return None;
        }
        match value.get_ref() {
            DeValue::Boolean(word) => return Some(CreateKey::Word(*word)),
            DeValue::Table(_) => {}
            _ => {
                self.wrong_type(key, WANTED, &value);
                return None;
            }
        }
        let mut keys = CreateKeys::default();
        for (name, value) in self.table(key, name, value)? {
            let span = name.span();
            let Some(key) = schema::find(schema::CREATE, name.get_ref()) else {
                self.unknown(Level::Create, name.get_ref(), span, &value);
                continue;
            };
            match key.name {
                "skel" => keys.skel = self.skeleton(key, value),
                "mode" => keys.mode = self.mode(key, value),
                _ => keys.group = self.group(key, value),
            }
        }
        Some(CreateKey::Table(keys))
    }

    fn skeleton(&mut self, key: &Key, value: Value<'_>) -> Option<SkelKey> {
        const WANTED: &str = "\"none\" or the absolute path of a directory";
        let (text, span) = self.string(key, value)?;
        if text == "none" {
            return Some(SkelKey::None);
        }
        if text.starts_with(['/', '{']) {
            let template = self.checked(Template::parse_root(text), span)?;
            return Some(SkelKey::Directory(template));
        }
        self.not_a_word(key, &text, span, ["none"], WANTED);
        None
    }

    /// Takes the mode of a home: its owner has every right, and nobody else may write but the group.
    fn mode(&mut self, key: &Key, value: Value<'_>) -> Option<u32> {
        if let DeValue::Integer(_) = value.get_ref() {
            if !self.is_broken(&value.span()) {
                let complaint = Complaint::new("\"mode\" wants a string, found an integer");
                self.fault(value.span(), complaint.help("quote it: mode = \"700\""));
            }
            return None;
        }
        let (text, span) = self.string(key, value)?;
        let is_octal = text.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
        let mode = match text.len() {
            3 | 4 if is_octal => u32::from_str_radix(&text, 8).ok(),
            _ => None,
        };
        let complaint = match mode {
            None => Complaint::new(format!("{text:?} is not a mode"))
                .help("write three octal digits: \"700\""),
            Some(mode) if mode & 0o700 != 0o700 => {
                Complaint::new(format!("with mode {text:?} the user can't use the home"))
                    .help("begin it with 7: \"700\"")
            }
            Some(mode) if mode & 0o002 != 0 => Complaint::new(format!(
                "with mode {text:?} everybody can write to the home"
            ))
            .help("for example \"700\", or \"750\" for the group to read"),
            Some(mode) if mode & 0o5000 != 0 => Complaint::new(format!(
                "mode {text:?} has a bit that a home has no use for"
            ))
            .help("of the first of four digits, only 2 is allowed: \"2770\""),
            Some(mode) => return Some(mode),
        };
        self.fault(span, complaint);
        None
    }

    fn group(&mut self, key: &Key, value: Value<'_>) -> Option<String> {
        let (name, span) = self.string(key, value)?;
        if name.is_empty() || name.contains([':', ',', '\0', '\n']) {
            let complaint = Complaint::new(format!("{name:?} is not the name of a group"));
            let help = format!("for example: {}", key.example);
            self.fault(span, complaint.help(help));
            return None;
        }
        Some(name)
    }
}
