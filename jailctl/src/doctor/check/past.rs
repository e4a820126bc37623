//! The lines of PAM stacks that lead past pam_jail.so, and what leads to it again.

use std::path::Path;

use crate::{
    doctor::check::{Finding, FindingKind, finding::with},
    pam::{
        lines::{is_sudo, plain, recontrolled},
        stack::{self, DIRECTORY, Line},
        walk::{self, Skip},
    },
    shell::{quoted, shown},
};

/// How a line leads past pam_jail.so, and what mends it.
#[derive(PartialEq, Eq)]
struct Past {
    kind: &'static str,
    what: String,
    command: Option<String>,
}

/// Finds the lines that lead past pam_jail.so: each once, in whatever stacks it is.
pub(super) fn check(services: &[String]) -> Vec<Finding> {
    let mut found: Vec<(Past, Vec<&str>)> = Vec::new();
    for service in services {
        for past in Past::all(service) {
            match found.iter_mut().find(|(known, _)| *known == past) {
                Some((_, services)) => services.push(service),
                None => found.push((past, vec![service])),
            }
        }
    }
    let finding = |(past, services): (Past, Vec<&str>)| past.finding(&services.join(", "));
    found.into_iter().map(finding).collect()
}

impl Past {
    fn all(service: &str) -> Vec<Past> {
        let stack = stack::rules(service);
        let sessions = walk::skips(&stack, "session", is_sudo(service));
        let accounts = walk::skips(&stack, "account", false);
        let sessions = sessions.iter().map(|skip| Past {
            kind: "session",
            what: way(skip, service),
            command: recontrolled(skip.line, skip.instead),
        });
        let accounts = accounts.iter().map(|skip| Past {
            kind: "account",
            what: way(skip, service),
            command: put_before(service, &stack, skip.line),
        });
        sessions.chain(accounts).collect()
    }

    fn finding(self, services: &str) -> Finding {
        let finding = if self.kind == "session" {
            let what = format!(
                "{}: that opens an unjailed session by {services}",
                self.what
            );
            Finding::error(FindingKind::PamSkip, what)
        } else {
            let what = format!(
                "{}: a user whom pam_jail.so refuses in {services} learns it after having logged in, or not at all",
                self.what
            );
            Finding::warning(FindingKind::PamSkip, what)
        };
        with(finding, self.command)
    }
}

/// Says how a line leads past pam_jail.so.
fn way(skip: &Skip<'_>, service: &str) -> String {
    let Skip { line, results, .. } = skip;
    let words: Vec<&str> = std::iter::once(line.module.as_str())
        .chain(line.arguments.iter().map(String::as_str))
        .collect();
    let when = match results.as_slice() {
        ["success"] => "where it succeeds".to_owned(),
        ["success", ..] => "where it succeeds, and where it does not".to_owned(),
        _ if is_sudo(service) => {
            "where it fails: if session_err is returned, after which sudo goes on".to_owned()
        }
        [one] => format!("where it returns {one}"),
        _ => "where it does not succeed".to_owned(),
    };
    let does = if skip.jumps {
        "jumps over pam_jail.so"
    } else {
        "ends the stack before pam_jail.so"
    };
    format!(
        "{}: {} is {}, and {does} {when}",
        line.place(),
        shown(words.join(" ")),
        shown(&line.control)
    )
}

/// Gives the command that moves the account line of ours in front of another: it only looks, and may be the first.
fn put_before(service: &str, stack: &[Line], other: &Line) -> Option<String> {
    let line = stack.iter().find(|line| line.jails("account"))?;
    let words = plain(line)?;
    let before = if other.file == line.file {
        other.number
    } else {
        let own = Path::new(DIRECTORY).join(service);
        Some(other.own).filter(|_| line.file == own)?
    };
    (line.whole && before < line.number).then(|| {
        format!(
            "sed -i -e '{before}i account  required  {words}' -e '{}{{/pam_jail[.]so/d}}' {}",
            line.number,
            quoted(&line.file)
        )
    })
}
