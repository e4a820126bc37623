//! The PAM stacks: where pam_jail.so stands in them, and what else in them acts for a jailed user. See pam.d(5).

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    account::{Accounts, Jailed},
    check::{Finding, Report, doors::reaches_home},
    shell::{quoted, shown},
};

const DIRECTORY: &str = "/etc/pam.d";
const MODULE: &str = "pam_jail.so";

/// How deep files may include each other.
const DEEPEST: usize = 16;

/// One rule of a stack, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    file: PathBuf,
    number: usize,
    kind: String,
    control: String,
    module: String,
    arguments: String,
}

/// Tells whether the session stack of a service jails its users.
pub(crate) fn jails(service: &str) -> bool {
    stack(service)
        .iter()
        .any(|line| line.kind == "session" && line.module.ends_with(MODULE))
}

/// Tells whether any service jails its users: a login shell is not all that lets somebody in.
pub(crate) fn jails_anywhere() -> bool {
    jailing().next().is_some()
}

/// Lists the services whose session stack jails their users.
pub(crate) fn jailing() -> impl Iterator<Item = String> {
    let all = services().into_iter().flatten();
    all.filter(|service| jails(service))
}

/// Lists the services that have a stack; nothing where they can't be listed.
fn services() -> Option<Vec<String>> {
    let files = fs::read_dir(DIRECTORY).ok()?;
    let mut names: Vec<String> = files
        .flatten()
        .filter_map(|file| file.file_name().into_string().ok())
        .filter(|name| !name.starts_with("common-"))
        .collect();
    names.sort();
    Some(names)
}

/// Checks every service.
pub(crate) fn check(report: &mut Report, all: &Accounts, jailed: &[Jailed], config: &Path) {
    let Some(names) = services() else {
        report.leave_unchecked(format!("PAM: {DIRECTORY} can't be read"));
        return;
    };
    let mut shut = Vec::new();
    for name in names {
        let stack = stack(&name);
        report.extend(judge(&name, &stack));
        report.extend(read_environment(&stack, jailed));
        if shuts_root_out(&stack) {
            shut.push(name);
        }
    }
    let root_exempt = all.exempt.iter().any(|identity| identity.is_root());
    if !root_exempt && !shut.is_empty() {
        let what = format!(
            "{}: pam_jail.so is in the stack, and the config does not exempt uid 0: nobody can log in there to mend anything",
            shut.join(", ")
        );
        let command = format!("sed -i '{}' {}", exempt_root(config), quoted(config));
        report.add(Finding::error("lock-out", what).mended_by(command));
    }
}

/// Tells whether pam_jail.so decides about uid 0 as well: no pam_succeed_if(8) right before it lets root past.
fn shuts_root_out(stack: &[Line]) -> bool {
    let session: Vec<&Line> = stack.iter().filter(|line| line.kind == "session").collect();
    let Some(place) = session
        .iter()
        .position(|line| line.module.ends_with(MODULE))
    else {
        return false;
    };
    let before = place.checked_sub(1).and_then(|before| session.get(before));
    !before.is_some_and(|line| {
        line.module.ends_with("pam_succeed_if.so") && line.arguments.contains("uid = 0")
    })
}

/// Lists the installed services by which people log in and whose session stack jails nobody.
pub(crate) fn open_doors() -> Vec<&'static str> {
    ["sshd", "login", "su", "vsftpd"]
        .into_iter()
        .filter(|service| Path::new(DIRECTORY).join(service).exists() && !jails(service))
        .collect()
}

/// Judges the place of pam_jail.so in one stack.
fn judge(service: &str, stack: &[Line]) -> Vec<Finding> {
    let session: Vec<&Line> = stack.iter().filter(|line| line.kind == "session").collect();
    let Some(place) = session
        .iter()
        .position(|line| line.module.ends_with(MODULE))
    else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let Some((line, after)) = session.get(place..).and_then(<[&Line]>::split_first) else {
        return found;
    };
    let at = format!("{}:{}", line.file.display(), line.number);
    let file = quoted(&line.file);
    if ["optional", "sufficient"].contains(&line.control.as_str()) {
        let what = format!(
            "{at}: pam_jail.so is {}, so that the session goes on where it fails; it is to be required",
            line.control
        );
        let command = format!(
            "sed -i '{}s/{}/required/' {file}",
            line.number, line.control
        );
        // Not by --fix: a module that fails lets nobody in from then on.
        found.push(Finding::error("pam-control", what).mended_by(command));
    }
    if let Some(next) = after.first() {
        let what = format!(
            "{at}: {} runs after pam_jail.so in {service}, as root and with the jail's files: pam_jail.so is to be the last",
            shown(&next.module)
        );
        let own = Path::new(DIRECTORY).join(service);
        let finding = Finding::error("pam-order", what);
        found.push(if line.file == own {
            finding.mended_by(format!(
                "sed -i -e '{}{{h;d}}' -e '${{p;x}}' {file}",
                line.number
            ))
        } else {
            finding
        });
    }
    found
}

/// Gives the line of sed(1) that puts root into `exempt`.
fn exempt_root(config: &Path) -> &'static str {
    let text = fs::read_to_string(config).unwrap_or_default();
    if text.lines().any(|line| line.starts_with("exempt")) {
        "s/^exempt[[:space:]]*=[[:space:]]*\\[/&\"root\", /"
    } else {
        "1i exempt = [\"root\"]"
    }
}

/// Finds stacks that take variables from a file of the user's.
fn read_environment(stack: &[Line], jailed: &[Jailed]) -> Vec<Finding> {
    let reads = |line: &&Line| {
        line.module.ends_with("pam_env.so")
            && line
                .arguments
                .split_whitespace()
                .any(|it| it == "user_readenv=1")
    };
    let affected =
        |one: &&Jailed| reaches_home(one) || one.identity.home.join(".pam_environment").exists();
    let users: Vec<String> = jailed.iter().filter(affected).map(Jailed::name).collect();
    if users.is_empty() {
        return Vec::new();
    }
    stack
        .iter()
        .filter(reads)
        .map(|line| {
            let what = format!(
                "{}:{}: user_readenv=1 takes variables like LD_PRELOAD from ~/.pam_environment of {}, for programs outside of the jail",
                line.file.display(),
                line.number,
                users.join(", ")
            );
            let command = format!(
                "sed -i '{}s/[[:space:]]*user_readenv=1//' {}",
                line.number,
                quoted(&line.file)
            );
            Finding::error("pam-environment", what).mended_by(command)
        })
        .collect()
}

/// Reads the stack of a service, with what it includes in the place where it does.
fn stack(service: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    read(&Path::new(DIRECTORY).join(service), None, 0, &mut lines);
    lines
}

fn read(file: &Path, only: Option<&str>, depth: usize, lines: &mut Vec<Line>) {
    let Ok(text) = fs::read_to_string(file) else {
        return;
    };
    if depth == DEEPEST {
        return;
    }
    for (number, text) in (1..).zip(text.lines()) {
        let text = text.split('#').next().unwrap_or_default().trim();
        if let Some(included) = text.strip_prefix("@include") {
            read(
                &file.with_file_name(included.trim()),
                only,
                depth + 1,
                lines,
            );
            continue;
        }
        let Some(line) = parse(file, number, text) else {
            continue;
        };
        if only.is_some_and(|kind| kind != line.kind) {
            continue;
        }
        if ["include", "substack"].contains(&line.control.as_str()) {
            read(
                &file.with_file_name(&line.module),
                Some(&line.kind),
                depth + 1,
                lines,
            );
        } else {
            lines.push(line);
        }
    }
}

fn parse(file: &Path, number: usize, text: &str) -> Option<Line> {
    let (kind, rest) = text.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let (control, rest) = if rest.starts_with('[') {
        let end = rest.find(']')? + 1;
        rest.split_at_checked(end)?
    } else {
        rest.split_once(char::is_whitespace)?
    };
    let mut words = rest.split_whitespace();
    Some(Line {
        file: file.to_owned(),
        number,
        kind: kind.trim_start_matches('-').to_owned(),
        control: control.to_owned(),
        module: words.next()?.to_owned(),
        arguments: words.collect::<Vec<_>>().join(" "),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::parse;

    #[test]
    fn reads_a_rule_with_either_kind_of_control() {
        let line = parse(
            Path::new("f"),
            3,
            "session required pam_env.so user_readenv=1 x",
        )
        .unwrap();
        assert_eq!(
            (line.control.as_str(), line.module.as_str()),
            ("required", "pam_env.so")
        );
        assert_eq!(line.arguments, "user_readenv=1 x");
        let line = parse(
            Path::new("f"),
            3,
            "-session [success=ok default=die]\tpam_jail.so",
        )
        .unwrap();
        assert_eq!(line.kind, "session");
        assert_eq!(
            (line.control.as_str(), line.module.as_str()),
            ("[success=ok default=die]", "pam_jail.so")
        );
        assert!(parse(Path::new("f"), 1, "session required").is_none());
    }
}
