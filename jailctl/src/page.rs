//! A page of the manual, made of what clap knows of a command: its synopsis, its options, and the text behind its help.
//!
//! The pages are written with man(7)'s own macros and nothing else, so that every man(1) shows them alike.

use clap::{Arg, Command, builder::StyledStr};

/// The line that the examples of a command stand below, in the text behind its help.
const EXAMPLES: &str = "Examples:";

/// What stands between an example and the words on it.
const APART: &str = "   ";

/// An example of a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Example<'a> {
    /// What is typed.
    pub(crate) typed: &'a str,
    /// What it is for, where that needs words.
    pub(crate) words: Option<&'a str>,
}

/// Writes the page of a command, whose file is `NAME.8`.
pub(crate) fn of(command: &mut Command, name: &str) -> String {
    let mut page = Page::default();
    page.title(name);
    page.synopsis(command);
    page.heading("DESCRIPTION");
    page.text(&about(command));
    page.heading("OPTIONS");
    // A command's own come before those that all commands have.
    page.arguments(command, |it| !is_everywhere(it));
    page.arguments(command, is_everywhere);
    page.commands(command, name);
    let behind = behind(command);
    let (notes, examples) = parted(&behind);
    if !notes.is_empty() {
        page.heading("NOTES");
        page.text(notes);
    }
    if !examples.is_empty() {
        page.heading("EXAMPLES");
        page.examples(&examples);
    }
    page.see_also(name);
    page.roff
}

/// Gives the text behind the long help of a command.
pub(crate) fn behind(command: &Command) -> String {
    plain(command.get_after_long_help())
}

/// Parts the text behind a help into what is no example, and the examples.
pub(crate) fn parted(behind: &str) -> (&str, Vec<Example<'_>>) {
    let Some((notes, examples)) = behind.split_once(EXAMPLES) else {
        return (behind.trim_end(), Vec::new());
    };
    let examples = examples.lines().map(str::trim).filter(|it| !it.is_empty());
    let examples = examples.map(|line| match line.split_once(APART) {
        Some((typed, words)) => Example {
            typed,
            words: Some(words.trim()),
        },
        None => Example {
            typed: line,
            words: None,
        },
    });
    (notes.trim_end(), examples.collect())
}

fn plain(text: Option<&StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default()
}

/// Gives what a command does, without the sentence that NAME has already.
fn about(command: &Command) -> String {
    let short = plain(command.get_about());
    let long = plain(command.get_long_about());
    match long.strip_prefix(&short) {
        Some(rest) if !rest.trim().is_empty() => rest.trim().to_owned(),
        _ => short,
    }
}

fn help(argument: &Arg) -> String {
    plain(argument.get_long_help().or_else(|| argument.get_help()))
}

/// Gives the names of an argument's values, as a synopsis has them.
fn values(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    names.join(" ")
}

/// Tells whether an option is one that every synopsis would have.
fn is_everywhere(argument: &Arg) -> bool {
    argument.is_global_set() || matches!(argument.get_id().as_str(), "help" | "version")
}

/// Makes text that roff shows as it stands.
fn escaped(text: &str) -> String {
    let mut shown = String::new();
    for (at, line) in text.lines().enumerate() {
        if at > 0 {
            shown.push('\n');
        }
        // At the beginning of a line these two begin a request.
        if line.starts_with(['.', '\'']) {
            shown.push_str(r"\&");
        }
        for character in line.chars() {
            match character {
                '\\' => shown.push_str(r"\e"),
                '-' => shown.push_str(r"\-"),
                '\'' => shown.push_str(r"\(aq"),
                '"' => shown.push_str(r"\(dq"),
                '`' => shown.push_str(r"\(ga"),
                '^' => shown.push_str(r"\(ha"),
                '~' => shown.push_str(r"\(ti"),
                other => shown.push(other),
            }
        }
    }
    shown
}

fn bold(text: &str) -> String {
    format!(r"\fB{}\fR", escaped(text))
}

fn italic(text: &str) -> String {
    format!(r"\fI{}\fR", escaped(text))
}

/// Gives a name of the manual, as `jailctl(8)`, in the letters of one.
fn reference(name: &str, section: &str) -> String {
    format!("{}({section})", bold(name))
}

/// A page, as far as it is written.
#[derive(Default)]
struct Page {
    roff: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.roff.push_str(line);
        self.roff.push('\n');
    }

    fn heading(&mut self, heading: &str) {
        self.line(&format!(".SH \"{heading}\""));
    }

    fn title(&mut self, name: &str) {
        let version = env!("CARGO_PKG_VERSION");
        // The day it was made would make each build another one.
        self.line(&format!(
            ".TH {} 8 \"\" \"login\\-jail {version}\" \"System Administration\"",
            escaped(&name.to_uppercase())
        ));
        // Names are to be found as they are typed: neither parted nor spread.
        self.line(".nh");
        self.line(".ad l");
    }

    /// Writes NAME and SYNOPSIS: a line for each way to call the command, as its usage has them.
    fn synopsis(&mut self, command: &mut Command) {
        let name = command.get_display_name().unwrap_or(command.get_name());
        let name = escaped(name);
        self.heading("NAME");
        self.line(&format!(
            r"{name} \- {}",
            escaped(&plain(command.get_about()))
        ));
        self.heading("SYNOPSIS");
        let usage = command.render_usage().to_string();
        let usage = usage.trim_start_matches("Usage:");
        let options: String = command
            .get_arguments()
            .filter(|it| !it.is_positional() && !is_everywhere(it) && !it.is_hide_set())
            .filter_map(|it| Some((it.get_long()?, it)))
            .filter(|(long, _)| !usage.contains(&format!("--{long}")))
            .map(|(long, it)| format!(" [{}]", option(long, it)))
            .collect();
        for way in usage.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (before, behind) = match way.split_once(" [OPTIONS]") {
                Some((before, behind)) => (before, behind),
                None => (way, ""),
            };
            self.line(".HP");
            let shown = |part: &str| part.split(' ').map(word).collect::<Vec<_>>().join(" ");
            let options = if way.contains(" [OPTIONS]") {
                options.as_str()
            } else {
                ""
            };
            self.line(&format!("{}{options}{}", shown(before), shown(behind)));
        }
    }

    /// Writes paragraphs; what stands between grave accents is typed by somebody.
    fn text(&mut self, text: &str) {
        for (at, paragraph) in text.split("\n\n").enumerate() {
            if at > 0 {
                self.line(".PP");
            }
            self.paragraph(paragraph);
        }
    }

    fn paragraph(&mut self, paragraph: &str) {
        let parts = paragraph.trim().split('`').enumerate();
        let shown: String = parts
            .map(|(at, part)| {
                if at % 2 == 1 {
                    bold(part)
                } else {
                    escaped(part)
                }
            })
            .collect();
        self.line(&shown);
    }

    /// Writes those of a command's arguments that are asked for, what has no name before what has one.
    fn arguments(&mut self, command: &Command, asked: impl Fn(&Arg) -> bool) {
        let shown = || {
            command
                .get_arguments()
                .filter(|it| !it.is_hide_set() && asked(it))
        };
        for argument in shown().filter(|it| it.is_positional()) {
            self.line(".TP");
            self.line(&italic(&values(argument)));
            self.explanation(argument);
        }
        for argument in shown() {
            let Some(long) = argument.get_long() else {
                continue;
            };
            self.line(".TP");
            let short = argument
                .get_short()
                .map(|it| bold(&format!("-{it}")) + ", ");
            self.line(&(short.unwrap_or_default() + &option(long, argument)));
            self.explanation(argument);
        }
    }

    /// Writes what an argument is for, and what it may be.
    fn explanation(&mut self, argument: &Arg) {
        for (at, paragraph) in help(argument).split("\n\n").enumerate() {
            if at > 0 {
                self.line(".IP");
            }
            self.paragraph(paragraph);
        }
        if !argument.get_action().takes_values() {
            return;
        }
        let possible = argument.get_possible_values();
        if !possible.is_empty() {
            self.line(".RS");
            for value in possible.iter().filter(|it| !it.is_hide_set()) {
                self.line(".TP");
                self.line(&bold(value.get_name()));
                // A tag with nothing behind it would take the next one for its text.
                match value.get_help() {
                    Some(help) => self.paragraph(&help.to_string()),
                    None => self.line(r"\&"),
                }
            }
            self.line(".RE");
        }
        let defaults: Vec<_> = argument
            .get_default_values()
            .iter()
            .map(|it| it.to_string_lossy())
            .collect();
        if !defaults.is_empty() {
            self.line(".IP");
            self.line(&format!("By default {}.", bold(&defaults.join(","))));
        }
    }

    /// Writes the commands of a command: those of the tool have a page each, and those of theirs stand in it, options and
    /// all.
    fn commands(&mut self, command: &Command, name: &str) {
        let mut shown = command
            .get_subcommands()
            .filter(|it| !it.is_hide_set())
            .peekable();
        if shown.peek().is_some() {
            self.heading("COMMANDS");
        }
        for it in shown {
            self.line(".TP");
            if name == command.get_name() {
                self.line(&reference(&format!("{name}-{}", it.get_name()), "8"));
                self.line(&escaped(&plain(it.get_about())));
            } else {
                self.line(&bold(it.get_name()));
                self.line(&escaped(&plain(it.get_about())));
                self.line(".RS");
                self.arguments(it, |it| !is_everywhere(it));
                self.line(".RE");
            }
        }
    }

    fn examples(&mut self, examples: &[Example<'_>]) {
        for example in examples {
            self.line(if example.words.is_some() {
                ".TP"
            } else {
                ".PP"
            });
            self.line(&bold(example.typed));
            if let Some(words) = example.words {
                self.line(&escaped(words));
            }
        }
    }

    fn see_also(&mut self, name: &str) {
        self.heading("SEE ALSO");
        let others = [
            ("jailctl", "8"),
            ("jail-shell", "8"),
            ("pam_jail", "8"),
            ("login-jail.toml", "5"),
            ("login-jail", "7"),
        ];
        let shown: Vec<String> = others
            .iter()
            .filter(|(other, _)| *other != name)
            .map(|(other, section)| reference(other, section))
            .collect();
        self.line(&shown.join(",\n"));
    }
}

/// Gives an option and the name of its value.
fn option(long: &str, argument: &Arg) -> String {
    let mut shown = bold(&format!("--{long}"));
    if argument.get_action().takes_values() {
        shown.push_str(r"\ ");
        shown.push_str(&italic(&values(argument)));
    }
    shown
}

/// Gives a word of a usage: what stands for something else in italics, what is typed in bold.
fn word(word: &str) -> String {
    let mut shown = String::new();
    let mut rest = word;
    while !rest.is_empty() {
        let is_mark = |it: char| "<>[]|.".contains(it);
        let end = rest.find(is_mark).unwrap_or(rest.len());
        let (text, behind) = rest.split_at(end);
        if !text.is_empty() {
            let is_typed = text.chars().any(|it| it.is_ascii_lowercase()) || text.starts_with('-');
            shown += &if is_typed { bold(text) } else { italic(text) };
        }
        let marks = behind.find(|it| !is_mark(it)).unwrap_or(behind.len());
        let (mark, behind) = behind.split_at(marks);
        // An angle bracket around one name says nothing that italics do not say.
        let mark = if word.contains('|') {
            mark.to_owned()
        } else {
            mark.replace(['<', '>'], "")
        };
        shown += &mark;
        rest = behind;
    }
    shown
}
