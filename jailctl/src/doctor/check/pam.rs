//! The PAM stacks: where pam_jail.so stands in them, and what else in them acts for a jailed user. See pam_jail(8).

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use jail::{
    account::identity::Identity,
    door::{
        decision::{CONFIG_DIRECTORY, CONFIG_FILE, decide_by},
        refusal::Refusal,
    },
};

use crate::{
    accounts::account::{Accounts, Jailed},
    doctor::{
        check::{
            Finding, FindingKind, Report, finding::with, past, reach::reaches_home, unlisted,
            user_manager,
        },
        mend::{Kind, Repair, installing_again},
    },
    door::{has_jail_shell, has_no_shell},
    guest::home,
    pam::{
        COMMON, installed, is_there, jails,
        lines::{added, is_sudo, opening, plain, recontrolled, taken_out, without},
        services, shuts_root_out,
        stack::{self, DIRECTORY, Line, MODULE},
        takes_in,
    },
    shell::{quoted, shown},
};

/// Checks every service.
pub(crate) fn check(report: &mut Report, all: &Accounts, jailed: &[Jailed], config: &Path) {
    let Some(names) = services() else {
        report.leave_unchecked(format!("PAM: {DIRECTORY} can't be read"));
        return;
    };
    let mut shut = Vec::new();
    report.extend(past::check(&names));
    report.extend(user_manager::check(jailed, &names));
    for name in names {
        let stack = stack::of(&name);
        report.extend(place(&name, &stack));
        report.extend(accounts_twice(&name, &stack));
        report.extend(halves(&name, &stack));
        for line in stack.iter().filter(|line| line.module.ends_with(MODULE)) {
            report.extend(options(line, config));
            report.extend(module(line));
        }
        let session = stack.iter().filter(|line| line.jails("session"));
        report.extend(session.filter_map(control));
        // What comes in by these variables stays inside where the session is in the jail.
        if !stack.iter().any(|line| line.jails("session")) {
            report.extend(read_environment(&stack, jailed));
        }
        if shuts_root_out(&name) {
            shut.push(name);
        }
    }
    report.extend(halves_of_programs());
    report.extend(untested(jailed));
    report.extend(unlisted::check(all, config));
    let root_exempt = all.exempt.iter().any(|identity| identity.is_root());
    if !root_exempt && !shut.is_empty() {
        let what = format!(
            "{}: pam_jail.so is in the stack, and the config does not exempt uid 0: nobody can log in there to mend anything",
            shut.join(", ")
        );
        report.add(
            Finding::error(FindingKind::LockOut, what)
                .mended_by(unlisted::exempting("root", config)),
        );
    }
}

/// Finds an account line that is there more than once.
fn accounts_twice(service: &str, stack: &[Line]) -> Option<Finding> {
    let lines: Vec<&Line> = stack.iter().filter(|line| line.jails("account")).collect();
    let [first, second, ..] = lines.as_slice() else {
        return None;
    };
    let what = format!(
        "{} and {}: pam_jail.so is in the account stack of {service} twice: it decides twice, and says twice that it refuses",
        first.place(),
        second.place()
    );
    Some(with(
        Finding::note(FindingKind::PamTwice, what),
        taken_out(service, "account", &[second, first]),
    ))
}

/// Programs that ask one service or another, as they are called.
const PAIRS: [(&str, &str); 2] = [("sudo", "sudo-i"), ("runuser", "runuser-l")];

/// Finds a program that jails the user called in one way, and not in the other. Of su that is said as of any door.
fn halves_of_programs() -> Vec<Finding> {
    let half = |(program, login): (&str, &'static str)| {
        let (jailing, not) = match (jails(program), jails(login)) {
            (true, false) => (program, login),
            (false, true) => (login, program),
            _ => return None,
        };
        if !is_there(not) {
            return None;
        }
        let what = format!(
            "{DIRECTORY}/{not} has no session line for pam_jail.so, and {DIRECTORY}/{jailing} has: {program} jails the user \
             called in one way, and not in the other"
        );
        Some(Finding::error(FindingKind::PamHalf, what).mended_by(opening(not)))
    };
    PAIRS.into_iter().filter_map(half).collect()
}

/// Services that open a session without asking the login shell.
const NO_SHELL: [&str; 15] = [
    "cockpit",
    "gdm-autologin",
    "gdm-fingerprint",
    "gdm-password",
    "gdm-smartcard",
    "greetd",
    "lightdm",
    "lightdm-autologin",
    "lxdm",
    "sddm",
    "sddm-autologin",
    "slim",
    "wdm",
    "xdm",
    "xrdp-sesman",
];

/// Services that let in whoever has a login shell of /etc/shells, and don't run it.
const ANY_SHELL: [&str; 2] = ["proftpd", "pure-ftpd"];

/// Finds services with which pam_jail.so is not tested, and by which a jailed user who has a password comes to the host.
fn untested(jailed: &[Jailed]) -> Vec<Finding> {
    let shells = jailed.iter().any(|it| {
        let identity = &it.identity;
        !has_jail_shell(identity) && !has_no_shell(identity)
    });
    let services = NO_SHELL.iter().filter(|_| !jailed.is_empty());
    let services = services.chain(ANY_SHELL.iter().filter(|_| shells));
    services
        .filter(|service| is_there(service) && !jails(service))
        .map(|service| {
            let what = format!(
                "{DIRECTORY}/{service} has no session line for pam_jail.so, and {service} asks no login shell: a jailed user with \
                 a password comes in unjailed there; pam_jail.so jails or refuses, and is not tested with it"
            );
            Finding::warning(FindingKind::PamOther, what).mended_by(opening(service))
        })
        .collect()
}

/// Judges the place of pam_jail.so in one stack.
fn place(service: &str, stack: &[Line]) -> Vec<Finding> {
    let session: Vec<&Line> = stack.iter().filter(|line| line.kind == "session").collect();
    let Some(place) = session.iter().position(|line| line.jails("session")) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let Some((line, after)) = session.get(place..).and_then(<[&Line]>::split_first) else {
        return found;
    };
    let at = line.place();
    let file = quoted(&line.file);
    let own = Path::new(DIRECTORY).join(service);
    let again: Vec<&&Line> = after.iter().filter(|it| it.jails("session")).collect();
    if let Some(second) = again.first() {
        let what = format!(
            "{at} and {}: pam_jail.so is in the session stack of {service} twice: the second finds itself in the jail, \
             and refuses every session",
            second.place()
        );
        found.push(with(
            Finding::error(FindingKind::PamTwice, what),
            taken_out(service, "session", &[second, line]),
        ));
    }
    if let Some(next) = after.iter().find(|it| !it.jails("session")) {
        let what = format!(
            "{at}: {} runs after pam_jail.so in {service}, as root and with the jail's files: pam_jail.so is to be the last",
            shown(&next.module)
        );
        let finding = Finding::error(FindingKind::PamOrder, what);
        let last = (line.whole && line.file == own).then(|| {
            let number = line.number;
            format!("sed -i -e '{number}{{h;d}}' -e '${{p;x}}' {file}")
        });
        found.push(with(finding, last));
    }
    found
}

/// Finds a line behind which a session goes on where the module refuses.
fn control(line: &Line) -> Option<Finding> {
    if line.fails_closed() {
        return None;
    }
    let what = format!(
        "{}: pam_jail.so is {}, so that the session goes on where it fails; it is to be required",
        line.place(),
        shown(&line.control)
    );
    // Not by --fix: a module that fails lets nobody in from then on.
    Some(with(
        Finding::error(FindingKind::PamControl, what),
        recontrolled(line, "required"),
    ))
}

/// Looks at the module itself, which every program that opens a session runs as root.
fn module(line: &Line) -> Option<Finding> {
    let Some(file) = installed(line) else {
        let what = format!(
            "{}: {} is not installed: PAM refuses every session there",
            line.place(),
            shown(&line.module)
        );
        return Some(Finding::error(FindingKind::PamModule, what));
    };
    let metadata = fs::metadata(&file).ok()?;
    let (mode, shown) = (metadata.permissions().mode() & 0o7777, shown(&file));
    if metadata.uid() != 0 {
        let what = format!(
            "{shown} belongs to uid {}, who may replace what runs as root",
            metadata.uid()
        );
        return Some(Finding::error(FindingKind::PamModule, what).mended_by(installing_again()));
    }
    (mode & 0o022 != 0).then(|| {
        let what = format!("{shown} is mode {mode:04o}: others may replace what runs as root");
        Finding::error(FindingKind::PamModule, what).mended(Repair::of_path(Kind::PamModule, &file))
    })
}

/// Finds a line of one kind that lacks the other.
fn halves(service: &str, stack: &[Line]) -> Option<Finding> {
    let of_kind = |kind: &str| stack.iter().find(|line| line.jails(kind));
    let of_another = |line: &Line| {
        let file = line.file.file_name().and_then(OsStr::to_str);
        file.is_some_and(|other| takes_in(service, other) && !other.starts_with(COMMON))
    };
    let like = |kind: &str, line: &Line| Some(added(service, kind, &plain(line)?));
    match (of_kind("account"), of_kind("session")) {
        // It is said of the other service.
        (Some(line), None) | (None, Some(line)) if of_another(line) => None,
        (Some(account), None) => {
            let what = format!(
                "{}: {service} has an account line for pam_jail.so and no session line: that one jails nobody",
                account.place()
            );
            let finding = Finding::error(FindingKind::PamNoSession, what);
            Some(with(finding, like("session", account)))
        }
        // There the account is that of the user who calls, not of the one who is jailed.
        (None, Some(_)) if is_sudo(service) => None,
        (None, Some(session)) if stack.iter().any(|line| line.kind == "account") => {
            let what = format!(
                "{}: {service} has a session line for pam_jail.so and no account line: a user who is refused learns it \
                 after having logged in, or not at all",
                session.place()
            );
            let finding = Finding::note(FindingKind::PamNoAccount, what);
            Some(with(finding, like("account", session)))
        }
        _ => None,
    }
}

/// Judges the words behind pam_jail.so. One that it does not know makes it refuse everybody.
fn options(line: &Line, checked: &Path) -> Vec<Finding> {
    let at = line.place();
    let mut found = Vec::new();
    for word in &line.arguments {
        let finding = match word.strip_prefix("config=").map(Path::new) {
            None if ["debug", "no_pass_expiry", "quiet"].contains(&word.as_str()) => continue,
            None => Finding::error(
                FindingKind::PamOptions,
                format!(
                    "{at}: pam_jail.so has no option {}, and refuses everybody; there are config=PATH, debug, \
                     no_pass_expiry and quiet",
                    shown(word)
                ),
            ),
            Some(path) if !path.is_absolute() => Finding::error(
                FindingKind::PamOptions,
                format!(
                    "{at}: {} needs an absolute path, and pam_jail.so refuses everybody",
                    shown(word)
                ),
            ),
            Some(path) => match other_config(path, checked) {
                Some(what) => Finding::warning(FindingKind::PamConfig, format!("{at}: {what}")),
                None => continue,
            },
        };
        found.push(with(finding, without(line, word)));
    }
    found
}

/// Says what is to be known of a config that a line of a stack names, where it is not the one that is checked.
fn other_config(path: &Path, checked: &Path) -> Option<String> {
    let (directory, file) = if path.extension() == Some(OsStr::new("toml")) {
        (path.parent()?, path.file_name()?)
    } else {
        (path, OsStr::new(CONFIG_FILE))
    };
    let named: PathBuf = directory.join(file);
    if named == checked || named == Path::new(CONFIG_DIRECTORY).join(CONFIG_FILE) {
        return None;
    }
    let root = Identity::named("root").ok()?;
    if let Err(
        refusal @ (Refusal::ConfigMissing(_)
        | Refusal::ConfigUnreadable(..)
        | Refusal::ConfigUnsafe(_)
        | Refusal::ConfigWrong(_)),
    ) = decide_by(directory, file, &root)
    {
        return Some(format!(
            "pam_jail.so reads {}, and refuses everybody: {refusal}",
            shown(&named)
        ));
    }
    Some(format!(
        "pam_jail.so reads {}, and this check reads {}: the findings here do not apply to logins there",
        shown(&named),
        shown(checked)
    ))
}

/// Finds stacks that take variables from a file of the user's.
fn read_environment(stack: &[Line], jailed: &[Jailed]) -> Vec<Finding> {
    let reads = |line: &&Line| {
        line.module.ends_with("pam_env.so")
            && line.arguments.iter().any(|it| it == "user_readenv=1")
    };
    let affected =
        |one: &&Jailed| reaches_home(one) || home(&one.identity).join(".pam_environment").exists();
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
            Finding::error(FindingKind::PamEnvironment, what).mended_by(command)
        })
        .collect()
}
