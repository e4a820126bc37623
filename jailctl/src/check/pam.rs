//! The PAM stacks: where pam_jail.so stands in them, and what else in them acts for a jailed user. See pam_jail(8).

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use jail::{
    decision::{CONFIG_DIRECTORY, CONFIG_FILE, decide_by},
    identity::Identity,
    refusal::Refusal,
};

use crate::{
    account::{Accounts, Jailed},
    check::{
        Finding, Report,
        doors::reaches_home,
        stack::{self, DIRECTORY, Line, MODULE},
        sudo,
    },
    shell::{quoted, shown},
};

/// Tells whether the session stack of a service jails its users.
pub(crate) fn jails(service: &str) -> bool {
    stack::of(service).iter().any(|line| line.jails("session"))
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
        let stack = stack::of(&name);
        report.extend(place(&name, &stack));
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
        if shuts_root_out(&stack) {
            shut.push(name);
        }
    }
    report.extend(administrators(all, config));
    let root_exempt = all.exempt.iter().any(|identity| identity.is_root());
    if !root_exempt && !shut.is_empty() {
        let what = format!(
            "{}: pam_jail.so is in the stack, and the config does not exempt uid 0: nobody can log in there to mend anything",
            shut.join(", ")
        );
        let command = format!("sed -i '{}' {}", exempting("root", config), quoted(config));
        report.add(Finding::error("lock-out", what).mended_by(command));
    }
}

/// Tells whether pam_jail.so decides about uid 0 as well: no pam_succeed_if(8) right before it lets root past.
fn shuts_root_out(stack: &[Line]) -> bool {
    let session: Vec<&Line> = stack.iter().filter(|line| line.kind == "session").collect();
    let Some(place) = session.iter().position(|line| line.jails("session")) else {
        return false;
    };
    let before = place.checked_sub(1).and_then(|before| session.get(before));
    !before.is_some_and(|line| {
        line.module.ends_with("pam_succeed_if.so") && line.arguments.join(" ").contains("uid = 0")
    })
}

/// Lists the installed services by which people log in and whose session stack jails nobody.
pub(crate) fn open_doors() -> Vec<&'static str> {
    open(&["sshd", "login", "su", "vsftpd"])
}

/// Lists the installed services that run jobs of a user's, as he likes, and whose session stack jails nobody.
pub(crate) fn open_jobs() -> Vec<&'static str> {
    open(&["cron", "atd"])
}

fn open(services: &[&'static str]) -> Vec<&'static str> {
    services
        .iter()
        .copied()
        .filter(|service| Path::new(DIRECTORY).join(service).exists() && !jails(service))
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
        let superfluous = [**second, line].into_iter().find(|it| it.file == own);
        let finding = Finding::error("pam-twice", what);
        found.push(match superfluous {
            Some(it) => {
                // Twice in a row it takes no other line away.
                let (number, own) = (it.number, quoted(&own));
                finding.mended_by(format!("sed -i '{number}{{/pam_jail[.]so/d}}' {own}"))
            }
            None => finding,
        });
    }
    if let Some(next) = after.iter().find(|it| !it.jails("session")) {
        let what = format!(
            "{at}: {} runs after pam_jail.so in {service}, as root and with the jail's files: pam_jail.so is to be the last",
            shown(&next.module)
        );
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

/// Finds a line behind which a session goes on where the module refuses.
fn control(line: &Line) -> Option<Finding> {
    if line.fails_closed() {
        return None;
    }
    let (at, number, file) = (line.place(), line.number, quoted(&line.file));
    let what = if line.dispensable {
        format!(
            "{at}: the dash before session lets everybody in unjailed where pam_jail.so can't be loaded"
        )
    } else {
        format!(
            "{at}: pam_jail.so is {}, so that the session goes on where it fails; it is to be required",
            shown(&line.control)
        )
    };
    let replaced = r"s/^[[:space:]]*-?(session[[:space:]]+)(\[[^]]*\]|[^[:space:]]+)/\1required/I";
    // Not by --fix: a module that fails lets nobody in from then on.
    let command = format!("sed -E -i '{number}{replaced}' {file}");
    Some(Finding::error("pam-control", what).mended_by(command))
}

/// Looks at the module itself, which every program that opens a session runs as root.
fn module(line: &Line) -> Option<Finding> {
    let named = Path::new(&line.module);
    let installed = if named.is_absolute() {
        Some(named.to_owned()).filter(|file| file.exists())
    } else {
        module_directories()
            .map(|directory| directory.join(named))
            .find(|file| file.exists())
    };
    let Some(file) = installed else {
        let what = format!(
            "{}: {} is not installed: PAM refuses every session there",
            line.place(),
            shown(&line.module)
        );
        return Some(Finding::error("pam-module", what));
    };
    let metadata = fs::metadata(&file).ok()?;
    let (mode, shown) = (metadata.permissions().mode() & 0o7777, shown(&file));
    if metadata.uid() != 0 {
        let what = format!(
            "{shown} belongs to uid {}, who may replace what runs as root",
            metadata.uid()
        );
        let command = format!("chown root {}", quoted(&file));
        return Some(Finding::error("pam-module", what).mended_by(command));
    }
    (mode & 0o022 != 0).then(|| {
        let what = format!("{shown} is mode {mode:04o}: others may replace what runs as root");
        let command = format!("chmod go-w {}", quoted(&file));
        Finding::error("pam-module", what).safely_mended_by(command)
    })
}

/// Lists where libpam may look for modules: which one is compiled into it.
fn module_directories() -> impl Iterator<Item = PathBuf> {
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    ["/lib", "/usr/lib", "/lib64", "/usr/lib64"]
        .into_iter()
        .flat_map(move |library| {
            let library = Path::new(library);
            [
                library.join(&triplet).join("security"),
                library.join("security"),
            ]
        })
}

/// Finds a line of one kind that lacks the other.
fn halves(service: &str, stack: &[Line]) -> Option<Finding> {
    let of_kind = |kind: &str| stack.iter().find(|line| line.jails(kind));
    let own = quoted(Path::new(DIRECTORY).join(service));
    let added = |kind: &str, like: &Line| {
        let words = std::iter::once(MODULE).chain(like.arguments.iter().map(String::as_str));
        let line = format!("{kind}  required  {}", words.collect::<Vec<_>>().join(" "));
        format!("echo {} >>{own}", quoted(line))
    };
    match (of_kind("account"), of_kind("session")) {
        (Some(account), None) => {
            let what = format!(
                "{}: {service} has an account line for pam_jail.so and no session line: that one jails nobody",
                account.place()
            );
            Some(Finding::error("pam-no-session", what).mended_by(added("session", account)))
        }
        // There the account is that of the user who calls, not of the one who is jailed.
        (None, Some(_)) if service.starts_with("sudo") => None,
        (None, Some(session)) if stack.iter().any(|line| line.kind == "account") => {
            let what = format!(
                "{}: {service} has a session line for pam_jail.so and no account line: a user who is refused learns it \
                 after having logged in, or not at all",
                session.place()
            );
            Some(Finding::note("pam-no-account", what).mended_by(added("account", session)))
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
            None if ["debug", "quiet"].contains(&word.as_str()) => continue,
            None => Finding::error(
                "pam-options",
                format!(
                    "{at}: pam_jail.so has no option {}, and refuses everybody; there are config=PATH, debug and quiet",
                    shown(word)
                ),
            ),
            Some(path) if !path.is_absolute() => Finding::error(
                "pam-options",
                format!(
                    "{at}: {} needs an absolute path, and pam_jail.so refuses everybody",
                    shown(word)
                ),
            ),
            Some(path) => match other_config(path, checked) {
                Some(what) => Finding::warning("pam-config", format!("{at}: {what}")),
                None => continue,
            },
        };
        found.push(match without(line, word) {
            Some(command) => finding.mended_by(command),
            None => finding,
        });
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
            "pam_jail.so goes by {}, and refuses everybody: {refusal}",
            shown(&named)
        ));
    }
    Some(format!(
        "pam_jail.so goes by {}, and this check by {}: what is found here is not what is so there",
        shown(&named),
        shown(checked)
    ))
}

/// Gives the command that takes a word out of a line of ours, if all others can stand in a command as they are.
fn without(line: &Line, word: &str) -> Option<String> {
    let others = line.arguments.iter().filter(|other| *other != word);
    let words: Vec<&str> = std::iter::once(line.module.as_str())
        .chain(others.map(String::as_str))
        .collect();
    let plain = |word: &&str| {
        word.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"/._-=".contains(&byte))
    };
    words.iter().all(plain).then(|| {
        format!(
            "sed -i '{}s,[^[:space:]]*pam_jail[.]so.*,{},' {}",
            line.number,
            words.join(" "),
            quoted(&line.file)
        )
    })
}

/// Finds administrators whom the module refuses, because no rule names them: they learn it at their next login.
fn administrators(all: &Accounts, config: &Path) -> Vec<Finding> {
    let services: Vec<String> = jailing().collect();
    if services.is_empty() {
        return Vec::new();
    }
    let refused = |identity: &Identity| {
        let group = sudo::GROUPS
            .iter()
            .find(|group| identity.group_names.iter().any(|it| it == *group))?;
        let what = format!(
            "{}: is in the group {group}, and no rule names the user: pam_jail.so refuses every login by {}",
            shown(&identity.name),
            services.join(", ")
        );
        let name = format!("@{group}");
        let command = format!("sed -i '{}' {}", exempting(&name, config), quoted(config));
        Some(Finding::error("lock-out", what).mended_by(command))
    };
    all.unlisted.iter().filter_map(refused).collect()
}

/// Gives the line of sed(1) that puts somebody into `exempt`.
fn exempting(name: &str, config: &Path) -> String {
    let text = fs::read_to_string(config).unwrap_or_default();
    if text.lines().any(|line| line.starts_with("exempt")) {
        format!("s/^exempt[[:space:]]*=[[:space:]]*\\[/&\"{name}\", /")
    } else {
        format!("1i exempt = [\"{name}\"]")
    }
}

/// Finds stacks that take variables from a file of the user's.
fn read_environment(stack: &[Line], jailed: &[Jailed]) -> Vec<Finding> {
    let reads = |line: &&Line| {
        line.module.ends_with("pam_env.so")
            && line.arguments.iter().any(|it| it == "user_readenv=1")
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
