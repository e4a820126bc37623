//! `jailctl release`: nobody's jail any more, in config, passwd and groups, and in what was written for the user elsewhere.
//!
//! The order makes every moment in between one in which a login goes where it went before or where it is to go: a rule is
//! taken away after jail-shell was the login shell.

use std::{
    fs,
    io::{self, BufRead, IsTerminal, Write},
    path::{Path, PathBuf},
};

use clap::{Args, ValueHint};
use jail::{
    account::identity::{Identity, IdentityError},
    door::{decision::Config, refusal::Refusal},
};
use jail_config::{Decision, RuleKind};

use crate::{
    accounts::{
        account::{did_you_mean, suggestion},
        edit::{self, Lock, with_suffix},
        shells, traces,
    },
    commands::membership::{
        change_shell, is_installed, note_on_processes, own_file, print_difference, read,
        say_account_stays, usable_shell,
    },
    doctor::check::sshd_forces_jail_shell,
    door::{SSHD_CONFIG, has_jail_shell},
    failure::{Failure, Verdict, need_root},
    manual::{self, Manual},
    output::say,
    pam,
    process::Process,
    shell::{self, quoted, shown},
};

/// Take a user out of the jail
///
/// Gives the account its former login shell back, then takes the rule out of [users], or renames users.d/NAME.toml. It
/// also removes what the fixes of `jailctl check` have written for this user: lines of cron.deny and at.deny, the
/// user's block in login-jail's files below /etc/ssh/sshd_config.d, and the mask of the user's systemd manager.
///
/// If a rule for a group still jails the user, choose --exempt or --from-group. On a terminal the command asks; without
/// a terminal nothing is changed. With --config DIR only that config is changed, and no account. Needs root.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL.to_string())]
pub(crate) struct Arguments {
    /// The account
    #[arg(value_hint = ValueHint::Username)]
    pub(crate) user: String,
    /// The new login shell; by default the one from before `jailctl add`, or /bin/bash if that is not known
    #[arg(long, value_name = "SHELL", value_hint = ValueHint::FilePath)]
    pub(crate) shell: Option<PathBuf>,
    /// Write the user into exempt, which comes before every rule
    #[arg(long, conflicts_with = "from_group")]
    pub(crate) exempt: bool,
    /// Take the user out of the groups whose rules jail them
    #[arg(long)]
    pub(crate) from_group: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

const EXAMPLES: &str = "\
Examples:
  jailctl release ann                              back to the host, with the shell from before
  jailctl release --exempt ann                     a rule for a group jails her: write her into exempt
  jailctl release --from-group ann                 or take her out of the group
  jailctl release --shell /usr/sbin/nologin ann    out of the jail, and without a shell on the host
  jailctl release --dry-run ann                    only show what would change";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "the user is not jailed any more, or --dry-run has shown what would change",
    found: None,
    differs: None,
    files: &[
        manual::CONFIG,
        manual::USERS_D,
        manual::SHELLS,
        (
            "/etc/ssh/sshd_config.d",
            "the user's block in login-jail's files is removed",
        ),
    ],
    examples: EXAMPLES,
};

/// What the login shell becomes where nothing else is known.
const SHELL: &str = "/bin/bash";

/// How a user comes out of a jail that a rule for a group gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Exempt,
    FromGroup,
}

/// What is to be done.
struct Plan<'a> {
    directory: &'a Path,
    file: PathBuf,
    /// The text of the config, and what it becomes.
    text: String,
    new: String,
    /// The user's file of `users.d`.
    own: Option<PathBuf>,
    /// The groups that the user comes out of.
    groups: Vec<String>,
    /// Whether the user comes into `exempt`.
    is_exempting: bool,
    user: &'a str,
    dry_run: bool,
}

/// Takes a user out of their jail.
pub(crate) fn run(directory: &Path, arguments: &Arguments) -> Result<Verdict, Failure> {
    need_root("change the config and an account")?;
    let _lock = Lock::take()?;
    let identity = match Identity::named(&arguments.user) {
        Ok(identity) => Some(identity),
        // The account may have gone before its rule.
        Err(IdentityError::Unknown(_)) => None,
        Err(error) => return Err(Refusal::Identity(error).into()),
    };
    let config = Config::read(directory)?;
    let plan = Plan::new(directory, &config, identity.as_ref(), arguments)?;
    let changing = identity.as_ref().filter(|it| has_jail_shell(it));
    let changing = match changing {
        Some(identity) if !is_installed(directory) => {
            say_account_stays(identity);
            None
        }
        other => other,
    };
    if let Some(identity) = changing {
        let shell = match &arguments.shell {
            Some(shell) => shell.clone(),
            None => shell_before(&arguments.user)?,
        };
        usable_shell(&shell)?;
        change_shell(identity, &shell, arguments.dry_run)?;
    }
    let done = plan.carry_out();
    if let (Err(_), Some(identity), false) = (&done, changing, arguments.dry_run) {
        // The rule is there still: who has it is not to be on the host for that.
        change_shell(identity, &identity.shell, false)?;
    }
    done?;
    let Some(identity) = &identity else {
        return Ok(Verdict::Fine);
    };
    if is_installed(directory) {
        if !arguments.dry_run {
            shells::forget(&arguments.user)?;
        }
        traces::remove(identity, arguments.dry_run)?;
        if !arguments.dry_run {
            note_on_refusals(directory, identity)?;
        }
    }
    let running = Process::of_user(identity.uid)?.len();
    // No rule is for the user any more.
    note_on_processes(running, identity, "--any ");
    Ok(Verdict::Fine)
}

/// Gives the login shell that the account had before it was jailed.
fn shell_before(user: &str) -> Result<PathBuf, Failure> {
    let before = shells::before(user)?.filter(|shell| usable_shell(shell).is_ok());
    Ok(before.unwrap_or_else(|| SHELL.into()))
}

impl<'a> Plan<'a> {
    /// Decides what is to be done, and asks where there is more than one way.
    fn new(
        directory: &'a Path,
        config: &Config,
        identity: Option<&Identity>,
        arguments: &'a Arguments,
    ) -> Result<Plan<'a>, Failure> {
        let user = arguments.user.as_str();
        let file = directory.join("config.toml");
        let text = read(&file)?;
        let wrong = |error| Failure::Failed(format!("read {}: {error}", file.display()));
        let mut new = edit::remove_user(&text, user)
            .map_err(wrong)?
            .unwrap_or_else(|| text.clone());
        let jailing = identity.map_or(Vec::new(), |identity| jailing_groups(config, identity));
        let way = match (arguments.exempt, arguments.from_group) {
            (true, _) => Some(Way::Exempt),
            (_, true) if jailing.is_empty() => {
                return Err(Failure::Failed(format!(
                    "nothing was changed, because no rule for a group jails {}",
                    shown(user)
                )));
            }
            (_, true) => Some(Way::FromGroup),
            _ => match (identity, jailing.first()) {
                (Some(identity), Some(_)) => Some(asked(identity, &jailing)?),
                _ => None,
            },
        };
        let mut groups = Vec::new();
        match way {
            Some(Way::Exempt) => new = edit::exempt_user(&new, user).map_err(wrong)?,
            Some(Way::FromGroup) => {
                if !is_installed(directory) {
                    return Err(Failure::Usage(
                        "--from-group changes the account, and --config changes none; use --exempt"
                            .to_owned(),
                    ));
                }
                refuse_primary(identity, &jailing)?;
                groups = jailing;
            }
            None => {}
        }
        let own = own_file(directory, user)?.filter(|own| own.exists());
        if new == text && own.is_none() && groups.is_empty() {
            let named = config.policy().rules().filter_map(|it| match it.rule.kind {
                RuleKind::User(user) => Some(user),
                _ => None,
            });
            let named: Vec<String> = named.collect();
            let meant = match identity {
                Some(_) => String::new(),
                None => match did_you_mean(user, named.iter().map(String::as_str)) {
                    meant if meant.is_empty() => suggestion(user),
                    meant => meant,
                },
            };
            return Err(Failure::Failed(format!(
                "no rule of {} is for {} alone{meant}",
                directory.display(),
                shown(user)
            )));
        }
        Ok(Plan {
            directory,
            file,
            text,
            new,
            own,
            groups,
            is_exempting: way == Some(Way::Exempt),
            user,
            dry_run: arguments.dry_run,
        })
    }

    /// Does it, or says what would be done. Where a step fails, what was done before it is undone.
    fn carry_out(&self) -> Result<(), Failure> {
        let mut left: Vec<&String> = Vec::new();
        let mut done = Ok(());
        for group in &self.groups {
            done = change_groups("-d", self.user, group, self.dry_run);
            if done.is_err() {
                break;
            }
            left.push(group);
        }
        let done = done
            .and_then(|()| self.change_config())
            .and_then(|()| self.own.as_ref().map_or(Ok(()), |own| self.put_aside(own)));
        if done.is_err() && !self.dry_run {
            for group in left {
                change_groups("-a", self.user, group, false)?;
            }
        }
        done
    }

    /// Writes the config, or shows what would be other in it.
    fn change_config(&self) -> Result<(), Failure> {
        if self.new == self.text {
            return Ok(());
        }
        if self.dry_run {
            say(format_args!("would write to {}:", self.file.display()));
            print_difference(&self.text, &self.new);
            return Ok(());
        }
        edit::replace(&self.file, &self.new)?;
        let user = shown(self.user);
        let config = Config::read(self.directory);
        // It was right before: nothing that was written here may be wrong.
        if let Err(refusal) = config {
            edit::restore(&self.file)?;
            return Err(refusal.into());
        }
        let what = if self.is_exempting {
            format!("{user} is exempt")
        } else {
            format!("the rule of {user} is gone")
        };
        say(format_args!("{}: {what}", self.file.display()));
        Ok(())
    }

    /// Renames a user's own file, so that it is nobody's, or says what it would be called.
    fn put_aside(&self, own: &Path) -> Result<(), Failure> {
        let kept = with_suffix(own, "~");
        let (from, to) = (own.display(), kept.display());
        if self.dry_run {
            say(format_args!("would rename {from} to {to}"));
            return Ok(());
        }
        fs::rename(own, &kept).map_err(|error| Failure::io("rename", own, &error))?;
        say(format_args!("{from} is {to} now"));
        Ok(())
    }
}

/// Lists the groups whose rules jail a user when no rule for the user does, the first of them first; none where something
/// else comes before them.
fn jailing_groups(config: &Config, identity: &Identity) -> Vec<String> {
    let account = identity.account();
    let for_groups: Vec<RuleKind> = config
        .policy()
        .matches(&account, None)
        .map(|it| it.rule.kind)
        .filter(|kind| !matches!(kind, RuleKind::User(_) | RuleKind::UserFile))
        .collect();
    let listed = for_groups.iter().map_while(|kind| match kind {
        RuleKind::Group(group) => Some(group.clone()),
        _ => None,
    });
    listed.collect()
}

/// Asks which way the user is to come out of a group's jail. Without a terminal nobody can be asked.
fn asked(identity: &Identity, groups: &[String]) -> Result<Way, Failure> {
    let (user, rules) = (shown(&identity.name), listed(groups));
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        let name = quoted(&identity.name);
        let from_group = if is_primary(identity, groups) {
            String::new()
        } else {
            format!(", or jailctl release --from-group {name} takes {user} out of the group")
        };
        return Err(Failure::Failed(format!(
            "nothing was changed, because the rule for the group {rules} jails {user} all the same; \
             jailctl release --exempt {name} writes an exemption{from_group}"
        )));
    }
    let mut stderr = io::stderr();
    let question = format!(
        "The rule for the group {rules} jails {user} all the same.\n  e  exempt {user} in the config\n  g  take {user} out of the group {rules}\n  n  change nothing\nWhich one? "
    );
    let failed = |error: io::Error| Failure::Failed(format!("ask at the terminal: {error}"));
    stderr.write_all(question.as_bytes()).map_err(failed)?;
    stderr.flush().map_err(failed)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    match answer.trim() {
        "e" => Ok(Way::Exempt),
        "g" => Ok(Way::FromGroup),
        _ => Err(Failure::Failed("nothing was changed".to_owned())),
    }
}

fn listed(groups: &[String]) -> String {
    let shown: Vec<String> = groups.iter().map(shown).collect();
    shown.join(", ")
}

fn is_primary(identity: &Identity, groups: &[String]) -> bool {
    groups.iter().any(|group| identity.group == group.as_str())
}

/// Refuses to take a user out of their primary group: every account has one.
fn refuse_primary(identity: Option<&Identity>, groups: &[String]) -> Result<(), Failure> {
    match identity.filter(|it| is_primary(it, groups)) {
        None => Ok(()),
        Some(identity) => {
            let (group, user) = (shown(&identity.group), quoted(&identity.name));
            Err(Failure::Failed(format!(
                "nothing was changed, because {group} is the primary group of {user}; give the account another one (usermod -g GROUP {user}), or use --exempt"
            )))
        }
    }
}

/// Takes a user out of a group, or puts them back, by gpasswd(1).
fn change_groups(option: &str, user: &str, group: &str, dry_run: bool) -> Result<(), Failure> {
    let command = format!("gpasswd {option} {} {}", quoted(user), quoted(group));
    if dry_run {
        say(format_args!("would run: {command}"));
        return Ok(());
    }
    let missing = || Failure::Failed("start gpasswd: it is not installed".to_owned());
    let answer = shell::ask("gpasswd", &[option, user, group])?.ok_or_else(missing)?;
    if !answer.status.success() {
        let said = String::from_utf8_lossy(&answer.stderr);
        return Err(Failure::Failed(format!(
            "{command}: {}",
            shown(said.trim())
        )));
    }
    say(format_args!("ran: {command}"));
    Ok(())
}

/// Says which doors refuse a user who is in no jail.
fn note_on_refusals(directory: &Path, identity: &Identity) -> Result<(), Failure> {
    let name = quoted(&identity.name);
    // As the account is now: it may have left a group.
    let identity = &Identity::of_name(&identity.name).map_err(Refusal::Identity)?;
    if let Decision::Unlisted(_) = Config::read(directory)?.decide(identity)? {
        let services: Vec<String> = pam::jailing().map(shown).collect();
        if !services.is_empty() {
            eprintln!(
                "note: no rule names {0}, and pam_jail.so refuses every login of theirs by {1}; jailctl release --exempt {name} lets them in",
                shown(&identity.name),
                services.join(", ")
            );
        }
    }
    let how = match sshd_forces_jail_shell(identity, Path::new(SSHD_CONFIG)) {
        Some(false) => return Ok(()),
        Some(true) => "forces jail-shell",
        None => "could not be asked whether it forces jail-shell",
    };
    eprintln!(
        "note: sshd {how} on {0}, which refuses who is in no jail; take the ForceCommand for {0} out of sshd's config",
        shown(&identity.name)
    );
    Ok(())
}
