//! Text for a person at a terminal: colour, unless NO_COLOR is set, and lines that are not too long to read.
//!
//! What does not go to a terminal is read by another program: it has neither colour nor wrapped lines.

use std::{env, io};

use crate::stdout::say;
use rustix::termios::{isatty, tcgetwinsize};

/// The longest line, in characters.
const WIDEST: usize = 100;

/// The narrowest that a text is still wrapped to.
const NARROWEST: usize = 40;

/// What a word looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    Plain,
    Red,
    Yellow,
}

/// How text is printed.
#[derive(Debug)]
pub(crate) struct Style {
    colours: bool,
    /// How many characters a line has; nothing where lines are not wrapped.
    width: Option<usize>,
}

impl Style {
    /// Finds out what standard output is. See <https://no-color.org>.
    pub(crate) fn of_stdout() -> Style {
        let stdout = io::stdout();
        if !isatty(&stdout) {
            return Style {
                colours: false,
                width: None,
            };
        }
        let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        let columns = tcgetwinsize(&stdout).map_or(0, |size| usize::from(size.ws_col));
        let width = if columns == 0 { WIDEST } else { columns };
        Style {
            colours: !is_set("NO_COLOR") && !is_dumb,
            width: Some(width.clamp(NARROWEST, WIDEST)),
        }
    }

    /// Prints a word, and a text that stands beside it.
    pub(crate) fn print_headed(&self, word: &str, colour: Colour, text: &str, indent: usize) {
        let lines = self.wrapped(text, indent);
        let gap = " ".repeat(indent.saturating_sub(word.len()).max(2));
        let word = match colour {
            Colour::Plain => word.to_owned(),
            Colour::Red => self.painted(word, "1;31"),
            Colour::Yellow => self.painted(word, "1;33"),
        };
        for (number, line) in lines.iter().enumerate() {
            match number {
                0 => say(format_args!("{word}{gap}{line}")),
                _ => say(format_args!("{:indent$}{line}", "")),
            }
        }
    }

    /// Prints a text that is indented.
    pub(crate) fn print_below(&self, text: &str, indent: usize) {
        for line in self.wrapped(text, indent) {
            say(format_args!("{:indent$}{line}", ""));
        }
    }

    /// Gives a word in bold letters.
    pub(crate) fn bold(&self, word: &str) -> String {
        self.painted(word, "1")
    }

    fn painted(&self, word: &str, code: &str) -> String {
        match self.colours {
            true => format!("\u{1b}[{code}m{word}\u{1b}[0m"),
            false => word.to_owned(),
        }
    }

    /// Parts a text into lines, between words only: a long path stays whole.
    fn wrapped(&self, text: &str, indent: usize) -> Vec<String> {
        let Some(width) = self.width else {
            return vec![text.to_owned()];
        };
        let room = width.saturating_sub(indent);
        let mut lines: Vec<String> = Vec::new();
        for word in text.split(' ') {
            match lines.last_mut() {
                Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::Style;

    #[test]
    fn lines_are_parted_between_words_and_long_words_are_whole() {
        let style = Style {
            colours: false,
            width: Some(20),
        };
        let lines = style.wrapped("one two three four /a/path/longer/than/a/line five", 4);
        let expected = [
            "one two three",
            "four",
            "/a/path/longer/than/a/line",
            "five",
        ];
        assert_eq!(lines, expected);
        let plain = Style {
            colours: false,
            width: None,
        };
        assert_eq!(plain.wrapped("one two  three", 4), ["one two  three"]);
    }
}
