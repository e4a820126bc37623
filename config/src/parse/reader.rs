//! What every part of the parser needs: values of a wanted type, and a place for complaints.
//!
//! A file with a syntax error is read on as far as its parser recovers. What could be a mere
//! consequence of that error is then not reported: a person should mend causes.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use toml::de::{DeArray, DeTable, DeValue, Error};

use crate::fault::{Complaint, Faults, Findings};
use crate::nearest::{nearest, shortened};
use crate::parse::value::Value;
use crate::schema::{self, Key};
use crate::services::Services;
use crate::source::line_around;
use crate::words::Word;

/// The tables that have keys of their own.
#[derive(Debug, Clone, Copy)]
pub(super) enum Level<'a> {
    Top,
    Defaults,
    Jail(&'a str),
    UserFile,
    Network,
    Mount,
    Program,
    Sftp,
    Create,
    Disk,
    Record,
    Env,
    Limits,
    Check,
    Accept,
    Service,
    Shown,
}

impl Level<'_> {
    fn keys(self) -> impl Iterator<Item = &'static Key> {
        let (keys, more): (&[Key], &[Key]) = match self {
            Level::Top => (schema::TOP, &[]),
            Level::Defaults | Level::Jail(_) => (schema::JAIL, &[]),
            Level::UserFile => (schema::JAIL, schema::USER_FILE),
            Level::Network => (schema::NETWORK, &[]),
            Level::Mount => (schema::MOUNT, &[]),
            Level::Program => (schema::PROGRAM, &[]),
            Level::Sftp => (schema::SFTP, &[]),
            Level::Create => (schema::CREATE, &[]),
            Level::Disk => (schema::DISK, &[]),
            Level::Record => (schema::RECORD, &[]),
            Level::Env => (schema::ENV, &[]),
            Level::Limits => (schema::LIMITS, &[]),
            Level::Check => (schema::CHECK, &[]),
            Level::Accept => (schema::ACCEPT, &[]),
            Level::Service => (schema::SERVICE, &[]),
            Level::Shown => (schema::SHOWN, &[]),
        };
        keys.iter().chain(more)
    }
}

impl fmt::Display for Level<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Top => "a config",
            Level::Defaults => "[defaults]",
            Level::Jail(_) => "a jail",
            Level::UserFile => "a file in users.d",
            Level::Network => "network",
            Level::Mount => "a mount",
            Level::Program => "a command",
            Level::Sftp => "sftp",
            Level::Create => "create",
            Level::Disk => "disk",
            Level::Record => "record",
            Level::Env => "env",
            Level::Limits => "limits",
            Level::Check => "[check]",
            Level::Accept => "an acceptance",
            Level::Service => "a service",
            Level::Shown => "what a service shows",
        })
    }
}

/// One text that is being parsed.
#[derive(Debug)]
pub(super) struct Reader<'t> {
    text: &'t str,
    findings: Findings,
    /// What `services` can name.
    services: Services,
    /// Where the syntax is wrong.
    broken: Vec<Range<usize>>,
    /// Where keys may stand in a table they were not written for.
    doubtful: Vec<Range<usize>>,
    /// Something was left out, so there must be a fault.
    incomplete: bool,
}

impl<'t> Reader<'t> {
    /// Parses the syntax. `invalid` lists the places that are not UTF-8.
    pub(super) fn open(text: &'t str, invalid: &[usize]) -> (Reader<'t>, DeTable<'t>) {
        let mut reader = Reader {
            text,
            findings: Findings::default(),
            services: Services::default(),
            broken: Vec::new(),
            doubtful: Vec::new(),
            incomplete: false,
        };
        for &place in invalid {
            let end = place + char::REPLACEMENT_CHARACTER.len_utf8();
            let complaint = Complaint::new("this is not UTF-8").help("save the file as UTF-8");
            reader.findings.add(place..end, complaint);
            reader.broken.push(place..end);
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        reader.take_syntax_errors(&errors);
        (reader, table.into_inner())
    }

    /// Has services besides those that come with login-jail.
    pub(super) fn knowing(mut self, services: &Services) -> Self {
        self.services = services.clone();
        self
    }

    /// Gives what `services` can name.
    pub(super) fn known_services(&self) -> &Services {
        &self.services
    }

    fn take_syntax_errors(&mut self, errors: &[Error]) {
        let mut errors: Vec<(Range<usize>, &str)> = errors
            .iter()
            .map(|error| (error.span().unwrap_or(0..0), error.message()))
            .collect();
        errors.sort_by_key(|(span, _)| span.start);
        let mut last_line = None;
        for (span, message) in errors {
            if message == "duplicate key" {
                let key = self.written(span.clone());
                let complaint = Complaint::new(format!("{key} is there twice"));
                self.findings.add(span, complaint);
                continue;
            }
            // The first error of a line is the cause of those behind it, mostly.
            let is_seen = |line: &Range<usize>| span.start <= line.end;
            if !last_line.as_ref().is_some_and(is_seen) {
                let line = line_around(self.text, span.start);
                let complaint = self.syntax_complaint(&span, message);
                self.findings.add(span.clone(), complaint);
                self.doubt_keys_below(&line);
                last_line = Some(line);
            }
            self.broken.push(span);
        }
    }

    fn syntax_complaint(&self, span: &Range<usize>, message: &str) -> Complaint {
        let marked = self.written(span.clone());
        let complaint = Complaint::new(message);
        if message.contains("leading zero") {
            complaint.help("an octal number is a string: umask = \"022\"")
        } else if message.starts_with("string values must be quoted") && !marked.is_empty() {
            complaint.help(format!("quote it: {marked:?}"))
        } else {
            complaint
        }
    }

    /// A broken line that is no `key = value` may have been the header of a table.
    fn doubt_keys_below(&mut self, line: &Range<usize>) {
        let is_assignment = self.written(line.clone()).contains('=');
        let known = self.doubtful.last();
        if is_assignment || known.is_some_and(|region| line.start < region.end) {
            return;
        }
        let below = self.written(line.end..self.text.len());
        let lines = below.split_inclusive('\n').skip(1);
        let doubtful = lines.take_while(|below| !below.trim_start().starts_with('['));
        let length: usize = doubtful.map(str::len).sum();
        self.doubtful.push(line.start..line.end + 1 + length);
    }

    /// Gives what was read, or all faults if there are any.
    pub(super) fn finish<T>(mut self, file: &Path, read: Option<T>) -> Result<T, Faults> {
        let read = read.filter(|_| !self.incomplete);
        if self.findings.is_empty() {
            if let Some(read) = read {
                return Ok(read);
            }
            // Not reachable, and what must never be is a policy that silently lacks a rule.
            let complaint = Complaint::new("the file can't be understood");
            self.findings.add(0..0, complaint);
        }
        Err(self.findings.into_faults(file, self.text))
    }

    /// Notes that a part of the file is not in what was read.
    pub(super) fn leave_out(&mut self) {
        self.incomplete = true;
    }

    /// Tells if another fault would be counted only.
    pub(super) fn is_full(&self) -> bool {
        self.findings.is_full()
    }

    /// Gives what is written at some place.
    pub(super) fn written(&self, span: Range<usize>) -> &'t str {
        self.text.get(span).unwrap_or_default()
    }

    /// Gives the whole text.
    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// Reports what is wrong at some place.
    pub(super) fn fault(&mut self, span: Range<usize>, complaint: Complaint) {
        let mut doubtful = self.doubtful.iter();
        if !doubtful.any(|region| region.contains(&span.start)) {
            self.findings.add(span, complaint);
        }
    }

    /// Reports that something is not there. After a syntax error it may be there, but unread.
    pub(super) fn lack(&mut self, span: Range<usize>, complaint: Complaint) {
        if self.broken.is_empty() {
            self.findings.add(span, complaint);
        }
    }

    /// Tells if a value is not what was written, because of a syntax error in it.
    pub(super) fn is_broken(&self, span: &Range<usize>) -> bool {
        let touches = |error: &Range<usize>| span.start <= error.end && error.start <= span.end;
        !self.broken.is_empty() && (span.is_empty() || self.broken.iter().any(touches))
    }

    /// Reports a key that its table does not know.
    pub(super) fn unknown(
        &mut self,
        level: Level<'_>,
        name: &str,
        span: Range<usize>,
        value: &Value<'_>,
    ) {
        let help = if let Some(help) = misplaced(level, name) {
            help
        } else if let Some(meant) = nearest(name, level.keys().map(|key| key.name))
            .or_else(|| shortened(name, level.keys().map(|key| key.name)))
        {
            format!("did you mean {meant:?}?")
        } else if let (Level::Jail(jail), DeValue::Table(_)) = (level, value.get_ref()) {
            let name = format!("{jail}.{name}");
            format!("a name with a dot needs quotes: [jails.{name:?}]")
        } else {
            let keys: Vec<&str> = level.keys().map(|key| key.name).collect();
            format!("{level} has {}", keys.join(", "))
        };
        let complaint = Complaint::new(format!("unknown key {name:?}")).help(help);
        self.fault(span, complaint);
    }

    /// Reports a key whose effect is not built.
    pub(super) fn unsupported(&mut self, name: &str, span: Range<usize>) {
        let complaint = Complaint::new(format!("{name:?} is not supported yet"));
        self.fault(span, complaint.help("remove it"));
    }

    /// Reports a value of a wrong type.
    pub(super) fn wrong_type(&mut self, key: &Key, wanted: &str, value: &Value<'_>) {
        if self.is_broken(&value.span()) {
            return;
        }
        let found = type_name(value.get_ref());
        let message = format!("{:?} wants {wanted}, found {found}", key.name);
        let help = format!("for example: {}", key.example);
        self.fault(value.span(), Complaint::new(message).help(help));
    }

    /// Takes an array of what `wanted` says, and where it is.
    pub(super) fn array<'i>(
        &mut self,
        key: &Key,
        wanted: &str,
        value: Value<'i>,
    ) -> Option<(DeArray<'i>, Range<usize>)> {
        let span = value.span();
        if self.is_broken(&span) {
            return None;
        }
        match value.into_inner() {
            DeValue::Array(items) => Some((items, span)),
            other => {
                self.wrong_type(key, wanted, &Value::new(span, other));
                None
            }
        }
    }

    /// Takes a string, and says where it is.
    pub(super) fn string(&mut self, key: &Key, value: Value<'_>) -> Option<(String, Range<usize>)> {
        let span = value.span();
        if self.is_broken(&span) {
            return None;
        }
        match value.into_inner() {
            DeValue::String(text) => Some((text.into_owned(), span)),
            other => {
                self.wrong_type(key, "a string", &Value::new(span, other));
                None
            }
        }
    }

    /// Takes a table.
    pub(super) fn table<'i>(
        &mut self,
        key: &Key,
        name: Range<usize>,
        value: Value<'i>,
    ) -> Option<DeTable<'i>> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => Some(table),
            DeValue::Array(_) if self.written(span.clone()).starts_with("[[") => {
                let message = format!("{:?} is a table, not a list of tables", key.name);
                let help = format!("write [{0}], not [[{0}]]", key.name);
                self.fault(name, Complaint::new(message).help(help));
                None
            }
            other => {
                self.wrong_type(key, "a table", &Value::new(span, other));
                None
            }
        }
    }

    /// Takes one of a few words.
    pub(super) fn choice<T: Word>(&mut self, key: &Key, value: Value<'_>) -> Option<T> {
        let (text, span) = self.string(key, value)?;
        if let Some((_, chosen)) = T::WORDS.iter().find(|(word, _)| *word == text) {
            return Some(*chosen);
        }
        let words = T::WORDS.iter().map(|(word, _)| *word);
        let quoted: Vec<String> = words.clone().map(|word| format!("{word:?}")).collect();
        let wanted = match quoted.split_last() {
            Some((last, others)) if !others.is_empty() => {
                format!("{} or {last}", others.join(", "))
            }
            _ => quoted.concat(),
        };
        self.not_a_word(key, &text, span, words, &wanted);
        None
    }

    /// Reports a string that is none of the words a key has.
    pub(super) fn not_a_word<'a>(
        &mut self,
        key: &Key,
        text: &str,
        span: Range<usize>,
        words: impl IntoIterator<Item = &'a str>,
        wanted: &str,
    ) {
        let complaint = Complaint::new(format!("{:?} can't be {text:?}", key.name));
        let help = match nearest(text, words) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => format!("it is {wanted}"),
        };
        self.fault(span, complaint.help(help));
    }

    /// Takes true or false.
    pub(super) fn boolean(&mut self, key: &Key, value: &Value<'_>) -> Option<bool> {
        match value.get_ref() {
            DeValue::Boolean(answer) => Some(*answer),
            _ => {
                self.wrong_type(key, "true or false", value);
                None
            }
        }
    }
}

/// Says where a key belongs that is known, but not here.
fn misplaced(level: Level<'_>, name: &str) -> Option<String> {
    let is_in = |keys| schema::find(keys, name).is_some();
    match level {
        Level::Top if is_in(schema::JAIL) => {
            Some(format!("{name:?} belongs in [defaults] or in a jail"))
        }
        Level::Top if is_in(schema::CHECK) => Some(format!("{name:?} belongs in [check]")),
        Level::Defaults | Level::Jail(_) if is_in(schema::TOP) => Some(format!(
            "{name:?} belongs above the first table, or is one of its own"
        )),
        Level::Defaults | Level::Jail(_) | Level::UserFile => {
            let tables = [
                ("network", schema::NETWORK),
                ("mounts", schema::MOUNT),
                ("commands", schema::PROGRAM),
                ("sftp", schema::SFTP),
                ("create", schema::CREATE),
                ("disk", schema::DISK),
                ("record", schema::RECORD),
                ("env", schema::ENV),
                ("limits", schema::LIMITS),
            ];
            let (table, _) = tables.into_iter().find(|(_, keys)| is_in(keys))?;
            Some(format!("{name:?} belongs in {table}"))
        }
        _ => None,
    }
}

/// Names the type of a value with its article.
pub(super) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
