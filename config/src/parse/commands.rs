//! `commands` and `sftp`.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::commands::{Allowed, Argument, Program, SftpKeys};
use crate::fault::Complaint;
use crate::nearest::nearest;
use crate::parse::reader::{Level, Reader};
use crate::parse::value::Value;
use crate::schema::{self, Key};
use crate::template::{Template, check_components};

const WANTED: &str = "an array of words, paths and tables";

impl Reader<'_> {
    /// Takes `commands`: an empty list would let nobody in.
    pub(super) fn commands(&mut self, key: &Key, value: Value<'_>) -> Option<Vec<Allowed>> {
        let (items, span) = self.array(key, WANTED, value)?;
        if items.is_empty() {
            let complaint = Complaint::new("commands = [] lets nobody start anything");
            self.fault(
                span,
                complaint.help(format!("for example: {}", key.example)),
            );
            return None;
        }
        let mut commands = Vec::with_capacity(items.len());
        for item in items {
            let span = item.span();
            let allowed = match item.into_inner() {
                DeValue::String(text) => self.word_or_path(key, &text, span),
                DeValue::Table(table) => self.program(span, table).map(Allowed::Program),
                other => {
                    self.wrong_type(key, WANTED, &Value::new(span, other));
                    None
                }
            };
            commands.extend(allowed.filter(|it| !commands.contains(it)));
        }
        Some(commands)
    }

    fn word_or_path(&mut self, key: &Key, text: &str, span: Range<usize>) -> Option<Allowed> {
        if text.starts_with('/') {
            let path = self.checked(program_path(text), span)?;
            return Some(Allowed::Program(Program {
                path,
                arguments: None,
            }));
        }
        if let Some(allowed) = Allowed::of_word(text) {
            return Some(allowed);
        }
        let words = Allowed::WORDS.iter().map(|(word, _)| *word);
        let help = match nearest(text, words.clone()) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => {
                let words: Vec<String> = words.map(|word| format!("{word:?}")).collect();
                format!(
                    "write {} or the absolute path of a program",
                    words.join(", ")
                )
            }
        };
        let complaint = Complaint::new(format!("{:?} can't have {text:?}", key.name));
        self.fault(span, complaint.help(help));
        None
    }

    fn program(&mut self, span: Range<usize>, table: DeTable<'_>) -> Option<Program> {
        for required in schema::PROGRAM {
            if !table.contains_key(required.name) {
                let complaint = Complaint::new(format!(
                    "{:?} is missing in this table of commands",
                    required.name
                ));
                let help = format!("for example: {}", required.example);
                self.lack(span.clone(), complaint.help(help));
            }
        }
        let (mut path, mut arguments) = (None, None);
        for (name, value) in table {
            match schema::find(schema::PROGRAM, name.get_ref()) {
                None => self.unknown(Level::Program, name.get_ref(), name.span(), &value),
                Some(key) if key.name == "program" => {
                    path = self
                        .string(key, value)
                        .and_then(|(text, span)| self.checked(program_path(&text), span));
                }
                Some(key) => arguments = self.arguments(key, &value),
            }
        }
        Some(Program {
            path: path?,
            arguments: Some(arguments?),
        })
    }

    fn arguments(&mut self, key: &Key, value: &Value<'_>) -> Option<Vec<Argument>> {
        const WANTED: &str = "an array of strings";
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(key, WANTED, value);
            return None;
        };
        let mut arguments = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let DeValue::String(text) = item.get_ref() else {
                self.wrong_type(key, WANTED, item);
                continue;
            };
            let argument = Argument::of(text);
            if argument == Argument::Rest && index + 1 < items.len() {
                let complaint = Complaint::new("\"**\" stands for all further arguments");
                self.fault(
                    item.span(),
                    complaint.help("write it last, or \"*\" for one argument"),
                );
            }
            if text.contains('\0') {
                self.fault(item.span(), Complaint::new("an argument can't have a NUL"));
            }
            arguments.push(argument);
        }
        Some(arguments)
    }

    /// Takes `sftp`.
    pub(super) fn sftp(
        &mut self,
        key: &Key,
        name: Range<usize>,
        value: Value<'_>,
    ) -> Option<SftpKeys> {
        if self.is_broken(&value.span()) {
            return None;
        }
        let mut keys = SftpKeys::default();
        for (name, value) in self.table(key, name, value)? {
            let span = name.span();
            let Some(key) = schema::find(schema::SFTP, name.get_ref()) else {
                self.unknown(Level::Sftp, name.get_ref(), span, &value);
                continue;
            };
            match key.name {
                "access" => keys.access = self.choice(key, value),
                "directory" => keys.directory = self.template(key, value, Template::parse),
                "umask" => keys.umask = self.umask(key, value),
                "log" => keys.log = self.boolean(key, &value),
                other => self.unsupported(&format!("sftp.{other}"), span),
            }
        }
        Some(keys)
    }
}

/// Checks the path of a program in the jail.
fn program_path(text: &str) -> Result<String, Complaint> {
    if !text.starts_with('/') || text == "/" {
        let complaint = Complaint::new(format!("{text:?} is not the absolute path of a program"));
        return Err(complaint.help(r#"for example: "/usr/bin/report""#));
    }
    if text.contains(['{', '}']) {
        let complaint = Complaint::new(format!("{text:?} has braces, and commands no variables"));
        return Err(
            complaint.help("only root, base, home, mounts and sftp.directory have variables")
        );
    }
    check_components(text).map(|()| text.to_owned())
}
