//! The doors: that every jailed user has one, that nothing leads around it, and that somebody can still mend it.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use jail::{
    account::identity::Identity,
    door::decision::{CONFIG_DIRECTORY, Config},
};
use jail_config::Policy;
use rustix::fs::{StatVfsMountFlags, lgetxattr, statvfs};

use crate::{
    accounts::{
        account::{Accounts, Jailed},
        administrators::Administrators,
    },
    doctor::{
        check::{
            Finding, FindingKind, Report,
            account_state::SHADOW,
            config::{edit, misspelt},
            reach::{reaches_home, writes},
            sshd,
        },
        mend::{Kind, Repair, installing_again},
        used::pam_before_jail_shell,
    },
    door::{JAIL_SHELL, JAIL_SHELL_PATH, has_jail_shell, has_no_shell, without_effect_behind_pam},
    pam,
    shell::{quoted, shown},
};

const SHELLS: &str = "/etc/shells";

/// Checks the accounts against the map, and the program that most of them go through.
pub(crate) fn check(
    report: &mut Report,
    config: &Config,
    all: &Accounts,
    chosen: &Accounts,
    directory: &Path,
    sshd_config: &Path,
) {
    let open = pam::open_doors();
    for jailed in &chosen.jailed {
        account(report, jailed, &open, sshd_config);
    }
    without_rule(report, config.policy(), all, chosen, directory);
    shared_uids(report, all);
    shells(report);
    program(report, all);
    lock_out(report, all);
}

/// The lines for each service's stack, as they are installed.
pub(crate) const SNIPPETS: &str = "/usr/share/doc/login-jail/pam.d";

fn account(report: &mut Report, jailed: &Jailed, open: &[&str], sshd_config: &Path) {
    let user = quoted(&jailed.identity.name);
    if jailed.identity.is_root() {
        let what =
            "has uid 0 and a rule: uid 0 is never jailed, and every login by jail-shell is refused";
        let command = format!("jailctl release {user}");
        report.add(
            Finding::error(FindingKind::UidZero, what)
                .of(jailed)
                .mended_by(command),
        );
        return;
    }
    if !has_jail_shell(&jailed.identity) && !open.is_empty() {
        let shell = shown(&jailed.identity.shell);
        let forced = match open.contains(&"sshd") {
            true => sshd::asked::forces_jail_shell(&jailed.identity, sshd_config),
            false => Some(false),
        };
        let finding = if has_no_shell(&jailed.identity) {
            let what = format!("has a rule, but can't log in: the login shell is {shell}");
            Finding::note(FindingKind::NoLogin, what)
        } else if forced == Some(true) {
            let what = format!(
                "sshd forces jail-shell, but the login shell is {shell}: it reads the user's start-up files outside of the jail, and su and login lead out of it"
            );
            Finding::warning(FindingKind::Door, what)
        } else if pam::jails_anywhere() {
            let what = format!(
                "has a rule, but the login shell is {shell}, and there is no session line for pam_jail.so in the stack of {}: \
                 that leads out of the jail",
                open.join(", ")
            );
            // The same command is printed for every user.
            let commands: Vec<String> = open.iter().map(|name| pam::opening(name)).collect();
            let command = commands.join("; ");
            report.add(
                Finding::error(FindingKind::Door, what)
                    .of(jailed)
                    .mended_by(command),
            );
            return;
        } else {
            let forced = match forced {
                None => "could not be asked for its ForceCommand: no door is known that leads",
                Some(_) => "has no ForceCommand: no door leads",
            };
            let what = format!(
                "has a rule, but the login shell is {shell}, and sshd {forced} into the jail"
            );
            Finding::error(FindingKind::Door, what)
        };
        let command = format!("usermod -s {JAIL_SHELL_PATH} {user}");
        report.add(finding.of(jailed).mended_by(command));
    }
    let lost = two_doors(jailed).or_else(|| no_effect(jailed));
    report.extend(lost.map(|it| it.of(jailed)));
}

/// Finds what of a user the host's programs act for, without any door.
pub(super) fn beside(report: &mut Report, jailed: &Jailed) {
    if jailed.identity.is_root() {
        return;
    }
    if reaches_home(jailed) {
        let home = &jailed.identity.home;
        let away = Path::new("/home").join(&jailed.identity.name);
        let what = format!(
            "the host's home {} can be written from inside the jail: programs of the host that act for the user \
             (sshd, PAM, systemd, mail) read files there",
            home.display()
        );
        let finding = Finding::warning(FindingKind::HomeInReach, what).of(jailed);
        let reached = away.exists() && writes(jailed, &away) || *home == away;
        report.add(if reached {
            // Where homes are kept on purpose, it is the services that are to be told to look elsewhere.
            finding
        } else {
            finding.mended(Repair::of_user(Kind::HomeInReach, &jailed.identity.name))
        });
    }
    let linger = Path::new("/var/lib/systemd/linger").join(&jailed.identity.name);
    if linger.exists() {
        let what = "lingers: systemd runs the user's services on the host, outside of the jail, from boot on";
        let repair = Repair::of_user(Kind::Linger, &jailed.identity.name);
        report.add(
            Finding::error(FindingKind::Linger, what)
                .of(jailed)
                .mended(repair),
        );
    }
}

/// Finds that the module makes the jail where jail-shell would, and what that takes away.
fn two_doors(jailed: &Jailed) -> Option<Finding> {
    let services = pam_before_jail_shell(&jailed.identity);
    if services.is_empty() {
        return None;
    }
    let lost = without_effect_behind_pam(&jailed.jail);
    let no_effect = match lost.as_slice() {
        [] => String::new(),
        [one] => format!(", and {one} has no effect"),
        several => format!(", and {} have no effect", several.join(" and ")),
    };
    let what = format!(
        "the login shell is jail-shell, and by {} pam_jail.so makes the jail before jail-shell is started: that jail has no pid \
         namespace{no_effect}; use one of the two doors there, see pam_jail(8)",
        services.join(", ")
    );
    Some(if lost.is_empty() {
        Finding::note(FindingKind::TwoDoors, what)
    } else {
        Finding::warning(FindingKind::TwoDoors, what)
    })
}

/// Finds keys of a jail that ask for something and get nothing, because the module is the only door.
fn no_effect(jailed: &Jailed) -> Option<Finding> {
    if has_jail_shell(&jailed.identity) || !pam::jails_anywhere() {
        return None;
    }
    let lost = without_effect_behind_pam(&jailed.jail);
    if lost.is_empty() {
        return None;
    }
    let what = format!(
        "comes in by pam_jail.so alone, behind which this has no effect: {}; background processes stay, and variables are the \
         host program's to set; jail-shell as login shell has both",
        lost.join(", ")
    );
    let rule = &jailed.jail.rule;
    Some(Finding::warning(FindingKind::NoEffect, what).mended_by(edit(&rule.file, rule.line)))
}

/// Tells whether a user can come in by any door: one who can't misses nothing in a root.
pub(crate) fn lets_in(jailed: &Jailed) -> bool {
    !has_no_shell(&jailed.identity) || pam::jails_anywhere()
}

/// Finds accounts whose login shell is jail-shell and whom it refuses.
fn without_rule(
    report: &mut Report,
    policy: &Policy,
    all: &Accounts,
    accounts: &Accounts,
    directory: &Path,
) {
    let option = if directory == Path::new(CONFIG_DIRECTORY) {
        String::new()
    } else {
        format!("--config {} ", quoted(directory))
    };
    for identity in accounts.unlisted.iter().filter(|it| has_jail_shell(it)) {
        let name = &identity.name;
        let what =
            "the login shell is jail-shell, and no rule names the user: every login is refused";
        let finding = match misspelt(policy, all, name) {
            Some(rule) => Finding::error(
                FindingKind::NoRule,
                format!(
                    "{what}; {rule} names an account that does not exist: is that a misspelling?"
                ),
            )
            .mended_by(edit(&rule.file, rule.line)),
            None => {
                let jail = match policy.jail_names().next() {
                    Some(jail) => format!("--jail {}", quoted(jail)),
                    None => format!("--root {}", quoted(Path::new("/srv/jails").join(name))),
                };
                let command = format!("jailctl {option}add {jail} -- {}", quoted(name));
                Finding::error(FindingKind::NoRule, what).mended_by(command)
            }
        };
        report.add(finding.of_unjailed(identity));
    }
    for identity in accounts.exempt.iter().filter(|it| has_jail_shell(it)) {
        if identity.is_root() {
            // Said as a lock-out.
            continue;
        }
        let what =
            "the login shell is jail-shell, and a rule exempts the user: every login is refused";
        let command = format!("usermod -s /bin/bash {}", quoted(&identity.name));
        let finding = Finding::error(FindingKind::Exempt, what).of_unjailed(identity);
        report.add(finding.mended_by(command));
    }
}

fn shared_uids(report: &mut Report, all: &Accounts) {
    let mut names: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    let identities = all.jailed.iter().map(|it| &it.identity);
    for identity in identities.chain(&all.exempt).chain(&all.unlisted) {
        names
            .entry(identity.uid)
            .or_default()
            .push(shown(&identity.name));
    }
    for jailed in &all.jailed {
        match names.get(&jailed.identity.uid) {
            Some(sharing) if sharing.len() > 1 => {
                let what = format!(
                    "uid {} is shared by {}: the kernel can't tell them apart, and the jail of one is the other's",
                    jailed.identity.uid,
                    sharing.join(" and ")
                );
                let command = format!(
                    "usermod -u $(getent passwd | awk -F: '$3 < 60000 && $3 > m {{ m = $3 }} END {{ print m + 1 }}') {}",
                    quoted(&jailed.identity.name)
                );
                report.add(Finding::error(FindingKind::SharedUid, what).mended_by(command));
            }
            _ => {}
        }
    }
}

fn shells(report: &mut Report) {
    let text = match fs::read(SHELLS) {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => return report.leave_unchecked(format!("read {SHELLS}: {error}")),
    };
    for line in text.lines().map(str::trim) {
        if is_jail_shell_line(line) {
            let what = format!(
                "{SHELLS} lists {}: su -s, su -p, chsh and FTP servers get around it",
                shown(line)
            );
            report.add(
                Finding::error(FindingKind::Shells, what).mended(Repair::of_host(Kind::Shells)),
            );
        }
    }
}

/// Tells whether a line of shells(5) is jail-shell, wherever it is.
pub(crate) fn is_jail_shell_line(line: &str) -> bool {
    let name = Path::new(line.trim()).file_name();
    name.is_some_and(|name| name == JAIL_SHELL)
}

/// Checks the installed jail-shell, if anybody goes through it.
fn program(report: &mut Report, all: &Accounts) {
    if !all.jailed.iter().any(|it| has_jail_shell(&it.identity)) {
        return;
    }
    let path = Path::new(JAIL_SHELL_PATH);
    let Ok(file) = fs::metadata(path) else {
        let what =
            format!("{JAIL_SHELL_PATH} is not installed, and is the login shell of jailed users");
        report.add(Finding::error(FindingKind::JailShell, what));
        return;
    };
    let mode = file.permissions().mode() & 0o7777;
    let capabilities = lgetxattr(path, "security.capability", &mut [0_u8; 64]).is_ok();
    if !capabilities && (file.uid() != 0 || mode & 0o4000 == 0) {
        let what = format!(
            "{JAIL_SHELL_PATH} belongs to uid {} and is mode {mode:04o}: without the set-user-ID bit it can jail nobody, and refuses",
            file.uid()
        );
        let finding = Finding::error(FindingKind::JailShell, what);
        report.add(if file.uid() == 0 && mode & 0o022 == 0 {
            finding.mended_by(format!("chmod 4755 {JAIL_SHELL_PATH}"))
        } else {
            finding.mended_by(installing_again())
        });
    }
    if mode & 0o022 != 0 {
        let what =
            format!("{JAIL_SHELL_PATH} is mode {mode:04o}: others may replace what runs as root");
        let repair = Repair::of_host(Kind::JailShellWritable);
        report.add(Finding::error(FindingKind::JailShellWritable, what).mended(repair));
    }
    let nosuid = statvfs(path).is_ok_and(|it| it.f_flag.contains(StatVfsMountFlags::NOSUID));
    if nosuid {
        let what = format!(
            "{JAIL_SHELL_PATH} is on a file system mounted nosuid: it can jail nobody, and refuses"
        );
        report.add(Finding::error(FindingKind::JailShell, what));
    }
}

/// Finds out whether root can still come in.
fn lock_out(report: &mut Report, all: &Accounts) {
    let roots = |identity: &&Identity| identity.is_root();
    let jailed = all.jailed.iter().map(|it| &it.identity);
    let every = jailed.chain(&all.exempt).chain(&all.unlisted);
    for identity in every.filter(roots).filter(|it| has_jail_shell(it)) {
        let name = quoted(&identity.name);
        let what = format!(
            "{}: the login shell of uid 0 is jail-shell, which refuses it",
            shown(&identity.name)
        );
        let command = format!("usermod -s /bin/bash {name}");
        report.add(Finding::error(FindingKind::LockOut, what).mended_by(command));
    }
    let administrators = Administrators::read();
    let administers = |identity: &Identity| administrators.has(identity);
    let free = all.exempt.iter().chain(&all.unlisted).any(administers);
    let jailed = all.jailed.iter().find(|it| administers(&it.identity));
    let (Some(jailed), false) = (jailed, free) else {
        return;
    };
    let is_locked = root_is_locked().unwrap_or_else(|error| {
        report.leave_unchecked(format!(
            "whether root has a password: read {SHADOW}: {error}"
        ));
        false
    });
    if is_locked {
        let what = "root has no password, and all users who can become root by sudo are jailed";
        let command = format!("jailctl release {}", quoted(&jailed.identity.name));
        report.add(
            Finding::error(FindingKind::LockOut, what)
                .of(jailed)
                .mended_by(command),
        );
    }
}

/// Tells whether root has no password that opens anything: shadow(5).
fn root_is_locked() -> io::Result<bool> {
    let text = fs::read(SHADOW)?;
    let mut lines = text.split(|byte| *byte == b'\n');
    let fields = lines.find_map(|line| line.strip_prefix(b"root:"));
    Ok(fields.is_some_and(|fields| fields.starts_with(b"!") || fields.starts_with(b"*")))
}
