//! A report for a person: errors first, then warnings; what is accepted or a mere note is counted, and shown if asked for.

use super::{
    report::{Fixed, Report},
    together::{Fix, Together},
};
use crate::{
    attack::Attack,
    doctor::kinds::Severity,
    output::{counted, say},
    shell::shown,
    style::{Colour, Style},
};

/// How wide the word before a finding is; what belongs to the finding stands below its text.
const INDENT: usize = 9;

/// What the words before commands mean.
const LEGEND: &str = "What follows \"fix:\" only takes something away from a jail, and --fix runs it. Read what follows \
     \"by hand:\" before you run it.";

/// What is shown besides errors and warnings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shows {
    pub(super) notes: bool,
    /// All members of a group.
    pub(super) members: bool,
}

impl Report {
    /// Prints it for a person.
    pub(super) fn print(&self, shows: Shows) {
        let style = Style::of_stdout();
        self.attacks.iter().for_each(Attack::print);
        let (accepted, open): (Vec<_>, Vec<_>) = Together::all(&self.findings)
            .into_iter()
            .partition(Together::is_accepted);
        let mut has_fix = false;
        for one in &open {
            if shows.notes || severity(one) != Some(Severity::Note) {
                has_fix |= one.print(&style, shows);
            }
        }
        for one in &accepted {
            // It may mean that somebody is served unjailed.
            if shows.notes || shows.members || severity(one) == Some(Severity::Error) {
                one.print(&style, shows);
            }
        }
        for what in &self.unchecked {
            style.print_below(&format!("not checked: {}", shown(what)), 0);
        }
        for Fixed { command, succeeded } in &self.fixed {
            let word = if *succeeded { "done" } else { "failed" };
            say(format_args!("{word}: {command}"));
        }
        let count = |wanted| {
            open.iter()
                .filter(|it| severity(it) == Some(wanted))
                .count()
        };
        let notes = count(Severity::Note);
        let mut line = format!(
            "{}: {}, {}, {}",
            counted(self.users, "jailed user"),
            counted(count(Severity::Error), "error"),
            counted(count(Severity::Warning), "warning"),
            counted(notes, "note")
        );
        if !accepted.is_empty() {
            line.push_str(&format!(", {} accepted", accepted.len()));
        }
        if !shows.notes && (notes > 0 || !accepted.is_empty()) {
            line.push_str(" (--notes shows them)");
        }
        say(line);
        if has_fix {
            style.print_below(LEGEND, 0);
        }
    }
}

fn severity(one: &Together<'_>) -> Option<Severity> {
    one.first().map(|it| it.severity)
}

impl Together<'_> {
    /// Prints it, and what mends it on a line of its own. Tells whether there was such a line.
    fn print(&self, style: &Style, shows: Shows) -> bool {
        let Some(first) = self.first() else {
            return false;
        };
        let word = first.severity.word();
        let (word, colour) = match (&first.accepted, first.severity) {
            (Some(_), _) => (format!("accepted {word}"), Colour::Plain),
            (None, Severity::Error) => (word.to_owned(), Colour::Red),
            (None, Severity::Warning) => (word.to_owned(), Colour::Yellow),
            (None, Severity::Note) => (word.to_owned(), Colour::Plain),
        };
        let whom = self.whom().map(|whom| format!("{whom}: "));
        let text = format!(
            "{}{} {}",
            whom.unwrap_or_default(),
            shown(&self.what),
            first.tags()
        );
        style.print_headed(&word, colour, &text, INDENT);
        if shows.members && self.members.len() > 1 {
            style.print_below(&format!("users: {}", self.names().join(" ")), INDENT);
        }
        if let Some(accepted) = &first.accepted {
            style.print_below(&format!("why: {}", shown(&accepted.why)), INDENT);
            return false;
        }
        let (label, command) = match self.fix() {
            None => return false,
            Some(Fix::Safe(command)) => ("fix:", command),
            Some(Fix::ByHand(command)) => ("by hand:", command),
            Some(Fix::ForEach(command)) => ("by hand, for each {user}:", command),
        };
        // It is to be pasted: it stays on one line.
        say(format_args!(
            "{:INDENT$}{} {command}",
            "",
            style.bold(label)
        ));
        true
    }
}
