//! A page of the manual. clap_mangen writes what the arguments are; exit status, files, notes and examples come from the
//! text behind the long help, which clap keeps as text only.

use std::io;

use clap::{Arg, Command, builder::StyledStr};
use clap_mangen::Man;

/// What stands between an example, a file or an exit status and the words on it.
const APART: &str = "   ";

/// The other pages that each page refers to.
const OTHERS: [(&str, &str); 5] = [
    ("jailctl", "8"),
    ("jail-shell", "8"),
    ("pam_jail", "8"),
    ("login-jail.toml", "5"),
    ("login-jail", "7"),
];

/// A line of a list: an example, a file or an exit status.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// What is typed, read or given.
    pub(crate) term: &'a str,
    /// What it is for, where that needs words.
    pub(crate) words: Option<&'a str>,
}

/// What stands behind the help of a command.
#[derive(Debug, Default)]
pub(crate) struct Behind<'a> {
    notes: String,
    pub(crate) exit_status: Vec<Entry<'a>>,
    pub(crate) files: Vec<Entry<'a>>,
    pub(crate) examples: Vec<Entry<'a>>,
}

impl<'a> Behind<'a> {
    /// Parts the text by the headings in it.
    pub(crate) fn of(text: &'a str) -> Behind<'a> {
        let mut behind = Behind::default();
        let mut list = None;
        for line in text.lines() {
            match line {
                "Exit status:" => list = Some(0),
                "Files:" => list = Some(1),
                "Examples:" => list = Some(2),
                _ => match list {
                    None => behind.notes.push_str(&format!("{line}\n")),
                    _ if line.trim().is_empty() => {}
                    Some(0) => behind.exit_status.push(entry(line)),
                    Some(1) => behind.files.push(entry(line)),
                    Some(_) => behind.examples.push(entry(line)),
                },
            }
        }
        behind
    }
}

fn entry(line: &str) -> Entry<'_> {
    match line.trim().split_once(APART) {
        Some((term, words)) => Entry {
            term,
            words: Some(words.trim()),
        },
        None => Entry {
            term: line.trim(),
            words: None,
        },
    }
}

/// Gives the text behind the long help of a command.
pub(crate) fn behind(command: &Command) -> String {
    let text = command.get_after_long_help();
    text.map(ToString::to_string).unwrap_or_default()
}

/// Writes the page of a command, whose file is `NAME.8`.
pub(crate) fn of(command: &Command, name: &str) -> io::Result<String> {
    let text = behind(command);
    let behind = Behind::of(&text);
    let usage = synopsis(command);
    let command = command
        .clone()
        .display_name(name)
        .override_usage(usage)
        .long_about(description(command));
    let has_commands = command.get_subcommands().any(|it| !it.is_hide_set());
    let man = Man::new(command).title(name.to_uppercase()).section("8");
    let mut page = title(name).into_bytes();
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if has_commands {
        man.render_subcommands_section(&mut page)?;
    }
    let mut page = typed_in_bold(&without_preambles(&String::from_utf8_lossy(&page)));
    page.push_str(&list("EXIT STATUS", &behind.exit_status));
    page.push_str(&list("FILES", &behind.files));
    page.push_str(&notes(&behind.notes));
    page.push_str(&list("EXAMPLES", &behind.examples));
    page.push_str(&see_also(name));
    Ok(page)
}

/// Writes the title: clap_mangen's loses an empty date, and the day of the build would make each build another one. Words are
/// neither parted nor spread, so that names are found as they are typed.
fn title(name: &str) -> String {
    format!(
        ".TH {} 8 \"\" \"login\\-jail {}\" \"System Administration\"\n.nh\n.ad l\n",
        escaped(&name.to_uppercase()),
        env!("CARGO_PKG_VERSION")
    )
}

/// Gives what a command does, without the line that NAME has already.
fn description(command: &Command) -> String {
    let text = |it: Option<&StyledStr>| it.map(ToString::to_string).unwrap_or_default();
    let (short, long) = (text(command.get_about()), text(command.get_long_about()));
    long.strip_prefix(&short).unwrap_or(&long).trim().to_owned()
}

/// Gives a line for each way to call a command, with the values of its options, which clap_mangen leaves out.
fn synopsis(command: &Command) -> String {
    if let Some(usage) = command.get_overridden_usage() {
        return usage.to_string();
    }
    let mut words = vec![command.get_bin_name().unwrap_or("jailctl").to_owned()];
    let is_shown = |it: &&Arg| {
        let of_all = it.is_global_set() || matches!(it.get_id().as_str(), "help" | "version");
        !it.is_hide_set() && !of_all
    };
    let shown: Vec<&Arg> = command.get_arguments().filter(is_shown).collect();
    for option in shown.iter().filter(|it| !it.is_positional()) {
        words.push(format!("[{}]", option.to_string().replace(['<', '>'], "")));
    }
    for argument in shown.iter().filter(|it| it.is_positional()) {
        words.push(argument.to_string().replace(['<', '>'], ""));
    }
    if command.has_subcommands() {
        words.push("COMMAND ...".to_owned());
    }
    words.join(" ")
}

/// Takes away what each section of clap_mangen begins with, a definition of the apostrophe, and writes that as groff has it.
fn without_preambles(page: &str) -> String {
    let is_preamble = |line: &str| line.starts_with(".ie \\n(.g") || line.starts_with(".el .ds Aq");
    let lines = page.lines().filter(|line| !is_preamble(line));
    lines
        .map(|line| format!("{}\n", line.replace(r"\*(Aq", r"\(aq")))
        .collect()
}

/// Sets in bold what stands between grave accents: that is what somebody types.
fn typed_in_bold(page: &str) -> String {
    let mut shown = String::new();
    for (at, part) in page.split('`').enumerate() {
        if at > 0 {
            shown.push_str(if at % 2 == 1 { r"\fB" } else { r"\fR" });
        }
        shown.push_str(part);
    }
    shown
}

/// Makes text that roff shows as it stands.
fn escaped(text: &str) -> String {
    let mut shown = String::new();
    // At the beginning of a line these two begin a request.
    if text.starts_with(['.', '\'']) {
        shown.push_str(r"\&");
    }
    for character in text.chars() {
        match character {
            '\\' => shown.push_str(r"\e"),
            '-' => shown.push_str(r"\-"),
            '\'' => shown.push_str(r"\(aq"),
            '"' => shown.push_str(r"\(dq"),
            '^' => shown.push_str(r"\(ha"),
            '~' => shown.push_str(r"\(ti"),
            other => shown.push(other),
        }
    }
    shown
}

fn list(heading: &str, entries: &[Entry<'_>]) -> String {
    let mut section = format!(".SH \"{heading}\"\n");
    for Entry { term, words } in entries {
        let tag = if words.is_some() { ".TP" } else { ".PP" };
        section.push_str(&format!("{tag}\n\\fB{}\\fR\n", escaped(term)));
        if let Some(words) = words {
            section.push_str(&format!("{}\n", typed_in_bold(&escaped(words))));
        }
    }
    section
}

fn notes(text: &str) -> String {
    let mut section = String::new();
    for paragraph in text.trim().split("\n\n").filter(|it| !it.is_empty()) {
        let request = if section.is_empty() {
            ".SH NOTES"
        } else {
            ".PP"
        };
        let lines: Vec<String> = paragraph.lines().map(escaped).collect();
        section.push_str(&format!(
            "{request}\n{}\n",
            typed_in_bold(&lines.join("\n"))
        ));
    }
    section
}

fn see_also(name: &str) -> String {
    let shown: Vec<String> = OTHERS
        .iter()
        .filter(|(other, _)| *other != name)
        .map(|(other, section)| format!("\\fB{}\\fR({section})", escaped(other)))
        .collect();
    format!(".SH \"SEE ALSO\"\n{}\n", shown.join(",\n"))
}
