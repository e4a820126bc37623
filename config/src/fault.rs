//! What is wrong with a config, for a person to read.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::source::{Lines, Place, line_around};

/// More faults than this are counted only.
const KEPT: usize = 100;
/// A longer line is cut, in characters.
const LONGEST_LINE: usize = 300;

/// One thing that is wrong with a config, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file, as it was named to the parser.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters from 1.
    pub column: usize,
    /// The line itself, at most 300 characters of it.
    pub source: String,
    /// How many characters are marked, at least 1.
    pub width: usize,
    /// What is wrong.
    pub message: String,
    /// What was probably meant, or what to do.
    pub help: Option<String>,
}

impl Fault {
    fn new(file: &Path, text: &str, lines: &Lines, found: Found) -> Fault {
        let place = found.span.start.min(text.len());
        let around = line_around(text, place);
        let line = text.get(around.clone()).unwrap_or_default();
        let before = text.get(around.start..place).unwrap_or_default();
        let marked_end = found.span.end.min(around.end).max(place);
        let marked = text.get(place..marked_end).unwrap_or_default();
        Fault {
            file: file.to_owned(),
            line: lines.number(Place(place)),
            column: before.chars().count() + 1,
            source: line
                .trim_end_matches('\r')
                .chars()
                .take(LONGEST_LINE)
                .collect(),
            width: marked.chars().count().max(1),
            message: escaped(found.message),
            help: found.help.map(escaped),
        }
    }

    /// Says it in one line, for a log: `config.toml:3:1: unknown key "shel"; did you mean "shell"?`
    pub fn one_line(&self) -> String {
        let position = format!("{}:{}:{}", self.file.display(), self.line, self.column);
        match &self.help {
            Some(help) => format!("{position}: {}; {help}", self.message),
            None => format!("{position}: {}", self.message),
        }
    }
}

/// Escapes control characters, as messages repeat parts of the file and end up on terminals and in
/// logs.
fn escaped(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if letter.is_control() {
            escaped.extend(letter.escape_default());
        } else {
            escaped.push(letter);
        }
    }
    escaped
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        // One column for each character, or the caret stands elsewhere than what it marks.
        let shown = self.source.replace(char::is_control, " ");
        let room = (shown.chars().count() + 2).saturating_sub(self.column);

        let file = self.file.display();
        writeln!(f, "{file}:{number}:{}: {}", self.column, self.message)?;
        writeln!(f, "{margin} |")?;
        writeln!(f, "{number} | {shown}")?;
        if room > 0 {
            let indent = " ".repeat(self.column - 1);
            let carets = "^".repeat(self.width.min(room));
            writeln!(f, "{margin} | {indent}{carets}")?;
        }
        if let Some(help) = &self.help {
            writeln!(f, "{margin} = {help}")?;
        }
        Ok(())
    }
}

/// Everything that is wrong with a config; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    kept: Vec<Fault>,
    omitted: usize,
}

impl Faults {
    /// Iterates over the faults, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.kept.iter()
    }

    /// Counts the faults that were found but not kept: of a file that is wrong all over, 100 are.
    pub fn omitted(&self) -> usize {
        self.omitted
    }
}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl std::error::Error for Faults {}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.kept.iter().enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            write!(f, "{fault}")?;
        }
        if self.omitted > 0 {
            writeln!(f, "\nand {} more", self.omitted)?;
        }
        Ok(())
    }
}

/// What a part of the parser says about a value it can't take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Complaint {
    pub(crate) fn new(message: impl Into<String>) -> Complaint {
        Complaint {
            message: message.into(),
            help: None,
        }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Complaint {
        Complaint {
            help: Some(help.into()),
            ..self
        }
    }
}

#[derive(Debug)]
struct Found {
    span: Range<usize>,
    message: String,
    help: Option<String>,
}

/// The faults found so far in one text.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: Vec<Found>,
    omitted: usize,
}

impl Findings {
    /// Tells if another fault would be counted only, so that nobody need think about its help.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() >= KEPT
    }

    pub(crate) fn add(&mut self, span: Range<usize>, complaint: Complaint) {
        if self.is_full() {
            self.omitted += 1;
            return;
        }
        let Complaint { message, help } = complaint;
        self.found.push(Found {
            span,
            message,
            help,
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Makes the faults presentable. There must be some.
    pub(crate) fn into_faults(mut self, file: &Path, text: &str) -> Faults {
        self.found.sort_by_key(|found| found.span.start);
        let lines = Lines::of(text);
        let kept = self.found.into_iter();
        Faults {
            kept: kept
                .map(|found| Fault::new(file, text, &lines, found))
                .collect(),
            omitted: self.omitted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str, spans: impl IntoIterator<Item = Range<usize>>) -> Faults {
        let mut findings = Findings::default();
        for span in spans {
            findings.add(span, Complaint::new("wrong").help("mend it"));
        }
        findings.into_faults(Path::new("c.toml"), text)
    }

    #[test]
    fn shows_the_line_and_marks_the_place() {
        let faults = faults("a = 1\n\tbé = 22\n", std::iter::once(13..15));
        let expected = "c.toml:2:7: wrong\n  |\n2 |  bé = 22\n  |       ^^\n  = mend it\n";
        assert_eq!(faults.to_string(), expected);
    }

    #[test]
    fn says_it_in_one_line() {
        let faults = faults("a = 1", std::iter::once(0..1));
        assert_eq!(
            faults.iter().next().unwrap().one_line(),
            "c.toml:1:1: wrong; mend it"
        );
    }

    #[test]
    fn keeps_the_order_of_the_file() {
        let faults = faults("a\nb\nc\n", [4..5, 0..1, 2..3]);
        assert_eq!(faults.iter().map(|f| f.line).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn marks_no_more_than_the_line_and_at_least_one_character() {
        for (span, column, width) in [(0..9, 1, 2), (2..2, 3, 1), (99..100, 1, 1)] {
            let faults = faults("ab\ncd\n", std::iter::once(span.clone()));
            let fault = faults.iter().next().unwrap();
            assert_eq!((fault.column, fault.width), (column, width), "{span:?}");
        }
    }

    #[test]
    fn counts_what_it_does_not_keep() {
        let faults = faults("x", vec![0..1; 103]);
        assert_eq!((faults.iter().count(), faults.omitted()), (100, 3));
        assert!(faults.to_string().ends_with("\nand 3 more\n"));
    }

    #[test]
    fn cuts_a_line_that_is_too_long() {
        let text = "x".repeat(10_000);
        let faults = faults(&text, std::iter::once(9_000..9_001));
        assert!(faults.to_string().len() < 1_000);
    }

    #[test]
    fn shows_no_control_characters() {
        let mut findings = Findings::default();
        findings.add(0..1, Complaint::new("a\nb").help("\x1bé"));
        let faults = findings.into_faults(Path::new("c.toml"), "a\x1b[2J\u{9b}");
        let line = faults.iter().next().unwrap().one_line();
        assert_eq!(line, "c.toml:1:1: a\\nb; \\u{1b}é");
        let shown = faults.to_string();
        assert!(
            !shown.contains(|c: char| c.is_control() && c != '\n'),
            "{shown:?}"
        );
    }
}
