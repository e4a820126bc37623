//! `jailctl add` and `jailctl release`: who is jailed, changed in config and passwd.
//!
//! The order makes every moment in between one in which a login goes where it went before or where it is to go: a rule is
//! written before jail-shell becomes the login shell, and taken away after it was one.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use jail::{
    decision::Config,
    identity::{Identity, IdentityError},
    refusal::Refusal,
};
use jail_config::{Decision, RuleKind};

use crate::{
    account::Accounts,
    check::{
        jailing_pam_services, open_pam_jobs, open_pam_services, opening_pam, pam_refuses,
        people_without_rule,
    },
    cli::{Add, Release, Through},
    door::{Door, JAIL_SHELL, JAIL_SHELL_PATH, has_jail_shell},
    edit::{self, Lock, with_suffix},
    enter::need_root,
    failure::{Failure, Verdict},
    output::{counted, say},
    process::Process,
    rehearsal::{self, Seen},
    shell::{self, quoted, shown},
};

/// Puts a user into a jail.
pub(crate) fn add(directory: &Path, arguments: &Add) -> Result<Verdict, Failure> {
    need_root("change the config and an account")?;
    let _lock = Lock::take()?;
    let identity = Identity::named(&arguments.user).map_err(Refusal::Identity)?;
    if identity.is_root() {
        return Err(Refusal::UidZero.into());
    }
    if !Path::new(JAIL_SHELL_PATH).is_file() {
        return Err(Failure::Failed(format!(
            "nothing was changed, because {JAIL_SHELL_PATH} is not installed; run make install"
        )));
    }
    // Before the login is tried: what that leaves behind for a moment is not from before.
    let running = Process::of_user(identity.uid).len();
    // The old config must be right: what is wrong in it is not to be blamed on the new line.
    Config::read(directory)?;
    let file = directory.join("config.toml");
    let text = read(&file)?;
    let target = match (&arguments.jail, &arguments.root) {
        (Some(jail), _) => jail,
        (None, Some(root)) if root.starts_with('/') => root,
        (None, root) => {
            let root = root.clone().unwrap_or_default();
            return Err(Failure::Usage(format!(
                "--root {}: give an absolute path",
                shown(root)
            )));
        }
    };
    let new = edit::set_user(&text, &arguments.user, target)
        .map_err(|error| Failure::Failed(format!("read {}: {error}", file.display())))?;
    try_out(directory, &new, &identity, arguments)?;

    if arguments.dry_run {
        say(format_args!("would write to {}:", file.display()));
        print_difference(&text, &new);
    } else if new != text {
        edit::replace(&file, &new)?;
        say(format_args!(
            "{}: {} = {target:?}",
            file.display(),
            shown(&arguments.user)
        ));
    }
    match arguments.door {
        Through::Pam => say_behind_pam(),
        Through::LoginShell if has_jail_shell(&identity) => {}
        Through::LoginShell => {
            let changed = change_shell(&identity, Path::new(JAIL_SHELL_PATH), arguments.dry_run);
            if let (Err(_), false) = (&changed, new == text) {
                edit::restore(&file)?;
            }
            changed?;
        }
        Through::Sshd => say(format_args!(
            "now for sshd_config:\nMatch User {}\n\tForceCommand {JAIL_SHELL_PATH}\n\tDisableForwarding yes\n\tX11Forwarding no\n\tPermitTunnel no",
            shown(&identity.name)
        )),
    }
    if matches!(arguments.door, Through::Pam) {
        note_on_refused(directory, &identity)?;
    }
    note_on_processes(running, &identity, "");
    Ok(Verdict::Fine)
}

/// Takes a user out of their jail.
pub(crate) fn release(directory: &Path, arguments: &Release) -> Result<Verdict, Failure> {
    need_root("change the config and an account")?;
    let _lock = Lock::take()?;
    let identity = match Identity::named(&arguments.user) {
        Ok(identity) => Some(identity),
        // The account may have gone before its rule.
        Err(IdentityError::Unknown(_)) => None,
        Err(error) => return Err(Refusal::Identity(error).into()),
    };
    let config = Config::read(directory)?;
    let file = directory.join("config.toml");
    let own = own_file(directory, &arguments.user)?.filter(|own| own.exists());
    let text = read(&file)?;
    let new = edit::remove_user(&text, &arguments.user)
        .map_err(|error| Failure::Failed(format!("read {}: {error}", file.display())))?;
    if let Some(identity) = &identity {
        refuse_if_jailed_by_group(&config, identity)?;
    }
    if new.is_none() && own.is_none() {
        return Err(Failure::Failed(format!(
            "no rule of {} is for {} alone",
            directory.display(),
            shown(&arguments.user)
        )));
    }
    if let Some(identity) = identity.as_ref().filter(|it| has_jail_shell(it)) {
        usable_shell(&arguments.shell)?;
        change_shell(identity, &arguments.shell, arguments.dry_run)?;
    }
    if let Some(new) = new {
        if arguments.dry_run {
            say(format_args!("would write to {}:", file.display()));
            print_difference(&text, &new);
        } else {
            edit::replace(&file, &new)?;
            say(format_args!(
                "{}: the rule of {} is gone",
                file.display(),
                shown(&arguments.user)
            ));
        }
    }
    if let Some(own) = own {
        let kept = with_suffix(&own, "~");
        if arguments.dry_run {
            say(format_args!(
                "would rename {} to {}",
                own.display(),
                kept.display()
            ));
        } else {
            fs::rename(&own, &kept).map_err(|error| Failure::io("rename", &own, &error))?;
            say(format_args!("{} is {} now", own.display(), kept.display()));
        }
    }
    if let Some(identity) = &identity {
        let running = Process::of_user(identity.uid).len();
        // No rule is for the user any more.
        note_on_processes(running, identity, "--any ");
    }
    Ok(Verdict::Fine)
}

fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|error| Failure::io("read", file, &error))
}

/// Names a user's file of `users.d`.
fn own_file(directory: &Path, user: &str) -> Result<Option<PathBuf>, Failure> {
    match jail_config::user_file_name(user.as_ref()) {
        Ok(name) => Ok(Some(directory.join("users.d").join(name))),
        Err(error) => Err(Refusal::UserFileName(error).into()),
    }
}

/// Tries a new config in a place of its own: the decision must be the user's new rule, and a login by it must come as far
/// as the shell.
fn try_out(
    directory: &Path,
    text: &str,
    identity: &Identity,
    arguments: &Add,
) -> Result<(), Failure> {
    let user = &arguments.user;
    if let Some(own) = own_file(directory, user)?.filter(|own| own.exists()) {
        return Err(Failure::Failed(format!(
            "{} is there and comes before [users]; change it, or take it away by jailctl release {}",
            own.display(),
            quoted(user)
        )));
    }
    let trial = Trial::new(text)?;
    let config = Config::read(&trial.0)?;
    match config.decide(identity)? {
        Decision::Jail(_) => {}
        Decision::Exempt(rule) => {
            return Err(Failure::Failed(format!(
                "line {} of the config exempts {}, which comes before every rule; take that away first",
                rule.line,
                shown(user)
            )));
        }
        Decision::Unlisted(rule) => return Err(Refusal::NoRule(rule).into()),
    }
    let door = match arguments.door {
        Through::LoginShell => Door::Login,
        Through::Sshd => Door::ForceCommand,
        Through::Pam => Door::Pam,
    };
    for seen in rehearsal::of(user, door, &trial.0)? {
        if let Seen::Refused { code, reason } = seen {
            return Err(Failure::Failed(format!(
                "nothing was changed, because a login would be refused ({}): {}",
                shown(&code),
                shown(&reason)
            )));
        }
    }
    Ok(())
}

/// Says which services jail the user now, and how those that don't are made to.
fn say_behind_pam() {
    let services: Vec<String> = jailing_pam_services().collect();
    match services.as_slice() {
        [] => say("no PAM stack has pam_jail.so yet: nothing keeps the user in"),
        services => say(format_args!("jailed by PAM at: {}", services.join(", "))),
    }
    for service in open_pam_services().into_iter().chain(open_pam_jobs()) {
        say(format_args!(
            "not yet at {service}: {}",
            opening_pam(service)
        ));
    }
}

/// Says whom the lines for one user shut out.
fn note_on_refused(directory: &Path, identity: &Identity) -> Result<(), Failure> {
    let all = Accounts::all(&Config::read(directory)?, directory)?;
    let others: Vec<&Identity> = people_without_rule(&all)
        .filter(|it| it.name != identity.name)
        .collect();
    let mut services: Vec<String> = jailing_pam_services().collect();
    let open = open_pam_services().into_iter().chain(open_pam_jobs());
    services.extend(open.map(str::to_owned));
    if let Some((what, command)) = pam_refuses(&others, &services, &directory.join("config.toml")) {
        eprintln!("note: {what}; {command} lets them in");
    }
    Ok(())
}

/// A directory with a config to be tried, which goes away again.
struct Trial(PathBuf);

impl Trial {
    fn new(text: &str) -> Result<Trial, Failure> {
        // Under the lock: what is there already is from one that was killed.
        let directory = PathBuf::from("/run/login-jail-trial");
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::io("remove", &directory, &error));
            }
            _ => {}
        }
        DirBuilder::new()
            .mode(0o700)
            .create(&directory)
            .map_err(|error| Failure::io("make", &directory, &error))?;
        let trial = Trial(directory);
        let file = trial.0.join("config.toml");
        fs::write(&file, text).map_err(|error| Failure::io("write", &file, &error))?;
        Ok(trial)
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("jailctl: remove {}: {error}", self.0.display());
        }
    }
}

/// Refuses to release somebody whom a group puts into a jail all the same.
fn refuse_if_jailed_by_group(config: &Config, identity: &Identity) -> Result<(), Failure> {
    let account = identity.account();
    let first_for_a_group = config
        .policy()
        .matches(&account, None)
        .find(|it| !matches!(it.rule.kind, RuleKind::User(_) | RuleKind::UserFile));
    match first_for_a_group.map(|it| it.rule) {
        Some(rule) => match &rule.kind {
            RuleKind::Group(group) => Err(Failure::Failed(format!(
                "nothing was changed, because {rule} puts {} into a jail all the same; gpasswd -d {} {} first",
                shown(&identity.name),
                quoted(&identity.name),
                quoted(group)
            ))),
            _ => Ok(()),
        },
        None => Ok(()),
    }
}

fn usable_shell(path: &Path) -> Result<(), Failure> {
    if path.file_name().is_some_and(|name| name == JAIL_SHELL) || !path.is_file() {
        return Err(Failure::Usage(format!(
            "--shell {}: give an ordinary shell of the host",
            shown(path)
        )));
    }
    Ok(())
}

/// Makes a program the login shell by usermod(8), which keeps a backup of passwd as /etc/passwd-.
fn change_shell(identity: &Identity, to: &Path, dry_run: bool) -> Result<(), Failure> {
    let command = format!("usermod -s {} -- {}", quoted(to), quoted(&identity.name));
    if dry_run {
        say(format_args!("would run: {command}"));
        return Ok(());
    }
    let output = shell::program("usermod")
        .arg("-s")
        .arg(to)
        .arg("--")
        .arg(&identity.name)
        .output()
        .map_err(|error| Failure::Failed(format!("start usermod: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::Failed(format!(
            "{command}: {}",
            shown(said.trim())
        )));
    }
    say(format_args!(
        "login shell of {}: {}",
        shown(&identity.name),
        shown(to)
    ));
    Ok(())
}

/// Prints the lines that one text has and the other has not.
fn print_difference(old: &str, new: &str) {
    for line in old
        .lines()
        .filter(|line| !new.lines().any(|other| other == *line))
    {
        say(format_args!("- {line}"));
    }
    for line in new
        .lines()
        .filter(|line| !old.lines().any(|other| other == *line))
    {
        say(format_args!("+ {line}"));
    }
}

fn note_on_processes(running: usize, identity: &Identity, option: &str) {
    if running > 0 {
        eprintln!(
            "note: what {} has running ({}) is from before, and keeps the root it has until it ends; jailctl kick {option}{} ends it",
            shown(&identity.name),
            counted(running, "process"),
            quoted(&identity.name)
        );
    }
}
