//! What the findings of `jailctl check` must never print, whichever test plants them.

use crate::outcome::Outcome;

/// Insists that no command that is printed names a path which a user could change. Every `jailctl check` of a test comes by
/// here, and with it each kind of finding.
#[track_caller]
pub(crate) fn refuse_unsafe_commands(report: &Outcome) {
    let lines = report.stdout.lines().map(str::trim_start);
    let commands = lines.filter_map(|line| line.strip_prefix("# ").or(line.strip_prefix("#? ")));
    let pieces = commands.flat_map(|line| line.split(['&', ';', '|', '(']));
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
