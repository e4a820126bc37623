//! A report for a person: errors first, then warnings; what is accepted or a mere note is counted, and shown if asked for.

use super::{
    report::{Fixed, Report},
    together::{Fix, Together},
};
use crate::{
    attack::Attack,
    doctor::kinds::{FindingKind, Severity},
    last_check::LastCheck,
    output::{counted, say},
    shell::shown,
    style::{Colour, Style},
};

/// How wide the word before a finding is; what belongs to the finding stands below its text.
const INDENT: usize = 9;

/// What the words before commands mean.
const OF_FIX: &str =
    "What follows \"fix:\" only takes something away from a jail, and --fix runs it.";
const OF_BY_HAND: &str = "Read what follows \"by hand:\" before you run it.";

/// What is shown besides errors and warnings.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shows {
    pub(crate) notes: bool,
    /// All members of a group.
    pub(crate) members: bool,
}

impl Report {
    /// Counts the findings. One that several users have is one.
    pub(super) fn in_numbers(&self) -> LastCheck {
        let mut numbers = LastCheck::now();
        numbers.unchecked = self.unchecked.len();
        let all = Together::all(&self.findings);
        for finding in all.iter().filter_map(Together::first) {
            let number = match (&finding.accepted, finding.severity) {
                (Some(_), _) => &mut numbers.accepted,
                (None, Severity::Error) => &mut numbers.errors,
                (None, Severity::Warning) => &mut numbers.warnings,
                (None, Severity::Note) => &mut numbers.notes,
            };
            *number += 1;
        }
        numbers
    }

    /// Prints it for a person.
    pub(crate) fn print(&self, shows: Shows) {
        let style = Style::of_stdout();
        self.attacks.iter().for_each(Attack::print);
        let (accepted, open): (Vec<_>, Vec<_>) = Together::all(&self.findings)
            .into_iter()
            .partition(Together::is_accepted);
        let (printed, hidden): (Vec<_>, Vec<_>) =
            open.iter().partition(|it| shows.notes || !is_hidden(it));
        let legend: Vec<&str> = {
            let fixes: Vec<Fix> = printed
                .iter()
                .filter_map(|it| it.print(&style, shows))
                .collect();
            let is_safe = |it: &Fix| matches!(it, Fix::Safe(_));
            let of_fix = fixes.iter().any(is_safe).then_some(OF_FIX);
            let of_by_hand = (!fixes.iter().all(is_safe)).then_some(OF_BY_HAND);
            of_fix.into_iter().chain(of_by_hand).collect()
        };
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
        let numbers = self.in_numbers();
        let mut line = format!(
            "{}: {}, {}, {}",
            counted(self.users, "jailed user"),
            counted(numbers.errors, "error"),
            counted(numbers.warnings, "warning"),
            counted(numbers.notes, "note")
        );
        if numbers.accepted > 0 {
            line.push_str(&format!(", {} accepted", numbers.accepted));
        }
        if !hidden.is_empty() || !shows.notes && !accepted.is_empty() {
            line.push_str(" (--notes shows them)");
        }
        say(line);
        if !legend.is_empty() {
            style.print_below(&legend.join(" "), 0);
        }
    }
}

fn severity(one: &Together<'_>) -> Option<Severity> {
    one.first().map(|it| it.severity)
}

/// Tells whether it is only counted. Who is asked for by name and is in no jail is told so: "0 errors" would look as if they
/// were in one.
fn is_hidden(one: &Together<'_>) -> bool {
    one.first()
        .is_some_and(|it| it.severity == Severity::Note && it.kind != FindingKind::NotJailed)
}

impl Together<'_> {
    /// Prints it, and what mends it on a line of its own. Gives what stands on that line.
    fn print(&self, style: &Style, shows: Shows) -> Option<Fix> {
        let first = self.first()?;
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
            shown(first.state_in(&self.what)),
            first.tags()
        );
        style.print_headed(&word, colour, &text, INDENT);
        if shows.members && self.members.len() > 1 {
            style.print_below(&format!("users: {}", self.names().join(" ")), INDENT);
        }
        if let Some(accepted) = &first.accepted {
            style.print_below(&format!("why: {}", shown(&accepted.why)), INDENT);
            return None;
        }
        let fix = self.fix()?;
        let (label, command) = match &fix {
            Fix::Safe(command) => ("fix:", command),
            Fix::ByHand(command) => ("by hand:", command),
            Fix::ForEach(command) => ("by hand, for each {user}:", command),
        };
        // It is to be pasted: it stays on one line.
        say(format_args!(
            "{:INDENT$}{} {command}",
            "",
            style.bold(label)
        ));
        Some(fix)
    }
}
