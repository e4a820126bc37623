//! What `jailctl check` has found, read as a person reads it; and what it must never print, whichever test plants it.

use crate::outcome::Outcome;

/// A finding as it is printed.
#[derive(Debug, Clone)]
pub struct Found {
    /// `error`, `warning`, `note`, or `accepted` and one of these.
    pub severity: String,
    /// The word in brackets.
    pub kind: String,
    /// Whom it is about, and the sentence, with the code in parentheses where there is one.
    pub what: String,
    /// What stands behind `fix:` or `by hand:`.
    pub command: Option<String>,
    /// Whether it stands behind `fix:`, so that `--fix` runs it.
    pub safe: bool,
}

/// What stands before the commands that mend.
const LABELS: [&str; 3] = ["fix: ", "by hand: ", "by hand, for each {user}: "];

/// Gives the command of a line that has one.
fn command(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("         ")?;
    LABELS
        .iter()
        .find_map(|label| Some((*label, line.strip_prefix(label)?)))
}

/// Reads the findings of a report that went to no terminal.
#[must_use]
pub fn findings(report: &Outcome) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for line in report.stdout.lines() {
        if let (Some((label, command)), Some(last)) = (command(line), found.last_mut()) {
            last.command = Some(command.to_owned());
            last.safe = label == "fix: ";
        }
        let (accepted, rest) = match line.strip_prefix("accepted ") {
            Some(rest) => ("accepted ", rest),
            None => ("", line),
        };
        let words = rest
            .split_once("  ")
            .filter(|(word, _)| ["error", "warning", "note"].contains(word));
        let ending = words.and_then(|(word, text)| {
            let (what, kind) = text.trim_start().strip_suffix(']')?.rsplit_once(" [")?;
            Some((word, what, kind))
        });
        if let Some((word, what, kind)) = ending {
            found.push(Found {
                severity: format!("{accepted}{word}"),
                kind: kind.to_owned(),
                what: what.to_owned(),
                command: None,
                safe: false,
            });
        }
    }
    found
}

/// Reads the findings of a kind.
#[must_use]
pub fn of_kind(report: &Outcome, kind: &str) -> Vec<Found> {
    let mut found = findings(report);
    found.retain(|it| it.kind == kind);
    found
}

/// Insists that no command that is printed names a path which a user could change. Every `jailctl check` of a test comes by
/// here, and with it each kind of finding.
#[track_caller]
pub(crate) fn refuse_unsafe_commands(report: &Outcome) {
    let commands = report.stdout.lines().filter_map(command);
    let pieces = commands.flat_map(|(_, line)| line.split(['&', ';', '|', '(']));
    for piece in pieces.filter(|piece| !piece.trim_start().starts_with("jailctl ")) {
        let paths = [
            "/srv",
            "/home",
            "/tmp",
            "/mnt",
            "/var/spool",
            "/opt",
            "/run/",
            "~/",
            "$HOME",
        ];
        // Files of root's own, which root alone can change.
        let piece = piece
            .replace("[ ! -e /run/sshd.pid ]", "")
            .replace("rm /run/nologin", "");
        for path in paths {
            assert!(!piece.contains(path), "{piece:?} names {path}: {report}");
        }
        let mut words = piece.split([' ', '\'', '"']);
        assert!(
            !words.any(|word| word.starts_with('~')),
            "{piece:?} names a home: {report}"
        );
    }
}
