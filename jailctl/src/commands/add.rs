//! `jailctl add`: who is jailed, changed in config and passwd. Here it is one user; [`many`] has several.
//!
//! The order makes every moment in between one in which a login goes where it went before or where it is to go: a rule is
//! written before jail-shell becomes the login shell.

mod many;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use clap::{Args, ValueHint};
use jail::{
    account::identity::Identity,
    door::{decision::Config, refusal::Refusal},
};
use jail_config::Decision;

use crate::{
    accounts::{
        account::{self, Accounts, Jailed, did_you_mean},
        administrators::Administrators,
        edit::{self, Lock},
        shells,
        trial::{Trial, with_user},
    },
    commands::{
        limited::{foresee_limit, limit_home},
        membership::{
            change_shell, is_installed, note_on_processes, own_file, print_difference, read,
            say_account_stays,
        },
        supposed::Supposed,
    },
    doctor::{
        check::{FindingKind, Report, of_account, pam_refuses, people_without_rule},
        mend::Kind,
        rehearsal::{self, Seen},
    },
    door::{Door, JAIL_SHELL_PATH, expect_jail_shell, has_jail_shell},
    failure::{Failure, Verdict, need_root},
    manual::{self, Manual},
    output::say,
    pam,
    process::Process,
    setup::guard::{self, Reach},
    shell::{quoted, shown},
};

/// Put users into a jail
///
/// For one user, writes the rule to [users] of config.toml, and makes jail-shell the login shell unless --door names another
/// door. Comments and layout of the config stay. The new config is checked, and a login by it is tried, before it replaces
/// the old one, which is kept as config.toml~. With --config DIR only that config is changed, and no account.
///
/// For one user, this command makes no account, no root and no home. Use useradd(8) for the account, `jailctl build` or `jailctl
/// import` for the root, and install(1) for the home; with base = "host" a home below the root is enough. Where the
/// jail has create = true, the first login makes what is missing. `jailctl check USER` lists what is missing. A home that is there is
/// limited as `disk` says; where that is not possible, nothing is changed. `jailctl release` takes the change of one user
/// back, but not the quota of the home. The command prints what the quota was before.
///
/// Several users, a group (--group) or a list (--from) are one change. Every user is checked before anything is changed, and all that
/// is wrong is listed. Roots and homes that are missing are made, keys go to files that only root can write, and sshd is told to
/// read them; cron and at are denied. Accounts and groups are made only with --create-accounts, all of them by one rewrite of
/// passwd(5), shadow(5), group(5) and gshadow(5), with jail-shell as the login shell and without a password. A user whose group has
/// a rule needs none; for others, and for those with --until, a file in users.d has the rule. Nobody is brought into a group that
/// gives the machine away, such as root, sudo, disk or docker, or whose members become root by sudoers(5) or doas.conf(5). A second run changes nothing. `jailctl undo` takes the change back, and
/// the quotas of homes with it. A home that can't be limited as `disk` says is a finding, and keeps no other account from its change.
/// The caller and the last administrator are never jailed, as with `jailctl setup`. Needs root.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL.to_string())]
pub(crate) struct Arguments {
    /// The accounts
    #[arg(value_hint = ValueHint::Username, required_unless_present_any = ["group", "from"])]
    pub(crate) users: Vec<String>,
    /// A jail of the config; without --jail and --root the rule stays as it is, and only the door is opened
    #[arg(long, value_name = "NAME", conflicts_with = "root", value_hint = ValueHint::Other)]
    pub(crate) jail: Option<String>,
    /// A root directory, with the keys of [defaults]; for one user
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) root: Option<String>,
    /// A group that the users come into; without users, all of its members are meant
    ///
    /// With --jail, the rule is one for the group.
    #[arg(long, value_name = "NAME", conflicts_with = "root", value_hint = ValueHint::Other)]
    pub(crate) group: Option<String>,
    /// A list of users: a CSV file, or - for standard input
    ///
    /// The first line names the columns, in any order: name, group (several with spaces between), key, until, jail, comment. Only
    /// name is required. A field that is empty is as --group, --key, --until and --jail say. A key is a public key without
    /// options, or the path of a file that has it, which begins at the directory of the list.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["root", "users"], value_hint = ValueHint::FilePath)]
    pub(crate) from: Option<PathBuf>,
    /// Make the accounts and groups that are missing
    #[arg(long, conflicts_with = "root")]
    pub(crate) create_accounts: bool,
    /// The public key of each user; {user} in it stands for the user's name
    #[arg(long, value_name = "FILE", conflicts_with = "root", value_hint = ValueHint::FilePath)]
    pub(crate) key: Option<String>,
    /// The date after which the users can't log in, as the key until of the config
    #[arg(long, value_name = "DATE", conflicts_with = "root", value_hint = ValueHint::Other)]
    pub(crate) until: Option<String>,
    /// The door that keeps the user inside
    #[arg(long, value_enum, default_value_t = Door::LoginShell)]
    pub(crate) door: Door,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print JSON: the changes, and what check found afterwards
    #[arg(long, conflicts_with = "root")]
    pub(crate) json: bool,
}

const EXAMPLES: &str = "\
Examples:
  jailctl add --jail web ann               into the jail [jails.web] of the config
  jailctl add --root /srv/jails/bob bob    into a root, with the keys of [defaults]
  jailctl add --jail web --door pam ann    pam_jail.so keeps her inside; the login shell stays
  jailctl add ann                          ann or her group has a rule: only the login shell changes
  jailctl add --jail web --dry-run ann     only show what would change
  jailctl add --jail web ann bob cid       three users at once
  jailctl add --group students --jail class                         everybody who is in the group
  jailctl add --from class.csv --group students --create-accounts   a list; accounts that are missing are made
  jailctl add --group students --key '/root/keys/{user}.pub' --until 2027-07-31 ann bob
  jailctl add --from class.csv --dry-run --json                     what it would change, for a program";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "the rule is there, or --dry-run has shown it",
    found: Some("several users are added, and the check at the end has found something"),
    differs: None,
    files: &[
        manual::CONFIG,
        (
            "/etc/login-jail/config.toml~",
            "the config before the last change",
        ),
        manual::USERS_D,
        manual::KEYS,
        manual::JOURNALS,
        manual::SHELLS,
    ],
    examples: EXAMPLES,
};

/// Puts users into a jail.
pub(crate) fn run(directory: &Path, arguments: &Arguments) -> Result<Verdict, Failure> {
    let has_list = arguments.group.is_some() || arguments.from.is_some();
    let has_more = arguments.create_accounts
        || arguments.key.is_some()
        || arguments.until.is_some()
        || arguments.json;
    match arguments.users.as_slice() {
        [user] if !has_list && !has_more => one(directory, user, arguments),
        _ if arguments.root.is_some() => Err(Failure::Usage(
            "--root: it is for one user; give a jail: --jail NAME".to_owned(),
        )),
        _ => many::run(
            directory,
            &many::Asked {
                users: &arguments.users,
                jail: arguments.jail.as_ref(),
                group: arguments.group.as_ref(),
                from: arguments.from.as_ref(),
                create_accounts: arguments.create_accounts,
                key: arguments.key.as_ref(),
                until: arguments.until.as_ref(),
                door: arguments.door,
                dry_run: arguments.dry_run,
                json: arguments.json,
            },
        ),
    }
}

/// Puts a user into a jail.
fn one(directory: &Path, user: &str, arguments: &Arguments) -> Result<Verdict, Failure> {
    need_root("change the config and an account")?;
    let _lock = Lock::take()?;
    let identity = account::named(user)?;
    if identity.is_root() {
        return Err(Refusal::UidZero.into());
    }
    expect_jail_shell()?;
    // Before the login is tried: what that leaves behind for a moment is not from before.
    let running = Process::of_user(identity.uid)?.len();
    // The old config must be right: what is wrong in it is not to be blamed on the new line.
    let config = Config::read(directory)?;
    let file = directory.join("config.toml");
    if let Some(jail) = &arguments.jail {
        known_jail(&config, jail, &file)?;
    }
    if is_installed(directory) {
        guard::refuse_account(user, Some(&identity))
            .map_err(|why| Failure::Failed(format!("nothing was changed, because {why}")))?;
        let reach = Reach {
            users: BTreeSet::from([user]),
            groups: BTreeSet::new(),
        };
        guard::refuse(&reach, Some(&config), &config)?;
    }
    let text = read(&file)?;
    let target = match (&arguments.jail, &arguments.root) {
        (Some(jail), _) => Some(jail),
        (None, Some(root)) if !root.starts_with('/') => {
            return Err(Failure::Usage(format!(
                "--root {}: give an absolute path",
                shown(root)
            )));
        }
        (None, root) => root.as_ref(),
    };
    let new = match target {
        Some(target) => {
            refuse_own_file(directory, user)?;
            with_user(&text, user, target, &file)?
        }
        None => text.clone(),
    };
    if new == text {
        let supposed = Supposed::config(directory, user);
        try_out(directory, user, &identity, arguments, &supposed)?;
    } else {
        let trial = Trial::new(&new, directory)?;
        let supposed = Supposed::rule(directory, user, target.map_or("", String::as_str));
        try_out(&trial.0, user, &identity, arguments, &supposed)
            .map_err(|failure| trial.named(failure, &file))?;
    }

    if new == text {
        say(format_args!("the rule of {} is there already", shown(user)));
    } else if arguments.dry_run {
        say(format_args!("would write to {}:", file.display()));
        print_difference(&text, &new);
    } else {
        edit::replace(&file, &new)?;
        say(format_args!(
            "{}: {} = {:?}",
            file.display(),
            shown(user),
            target.map_or("", String::as_str)
        ));
    }
    let config = (new != text).then_some(file.as_path());
    open_door(directory, &identity, arguments, config)?;
    if !arguments.dry_run && is_installed(directory) {
        limit_home(directory, user)?;
    }
    if matches!(arguments.door, Door::Pam) {
        note_on_refused(directory, &identity)?;
    }
    note_on_account(directory, &identity)?;
    if Administrators::read().has(&identity) {
        eprintln!(
            "note: {} can become root by sudo or doas: not from inside, but from every program that is not in the jail; see: jailctl check {}",
            shown(user),
            quoted(user)
        );
    }
    note_on_processes(running, &identity, "");
    Ok(Verdict::Fine)
}

/// Opens the door that was asked for, or says how. `config` is the file that has the new rule, which goes again where
/// the login shell can't be changed.
fn open_door(
    directory: &Path,
    identity: &Identity,
    arguments: &Arguments,
    config: Option<&Path>,
) -> Result<(), Failure> {
    match arguments.door {
        Door::LoginShell if !is_installed(directory) => say_account_stays(identity),
        Door::Pam => say_behind_pam(),
        Door::LoginShell if has_jail_shell(identity) => {}
        Door::LoginShell => {
            // For jailctl release, which gives it back.
            if !arguments.dry_run {
                shells::remember(identity)?;
            }
            let changed = change_shell(identity, Path::new(JAIL_SHELL_PATH), arguments.dry_run);
            if let (Err(_), Some(config)) = (&changed, config) {
                edit::restore(config)?;
            }
            changed?;
        }
        Door::ForceCommand => say(format_args!(
            "now for sshd_config, and then sshd -t && systemctl reload ssh:\nMatch User {}\n\tForceCommand {JAIL_SHELL_PATH}\n\tDisableForwarding yes\n\tAllowAgentForwarding no\n\tX11Forwarding no\n\tPermitTunnel no\n\tPermitUserRC no\nMatch all",
            shown(&identity.name)
        )),
    }
    Ok(())
}

/// Says what of the account refuses its logins, whatever the jail is like.
fn note_on_account(directory: &Path, identity: &Identity) -> Result<(), Failure> {
    let Ok(Decision::Jail(jail)) = Config::read(directory)?.decide(identity) else {
        return Ok(());
    };
    let (mut report, identity) = (Report::new(directory), identity.clone());
    let jail = *jail;
    of_account(&mut report, &Jailed { identity, jail })?;
    // An account that gets its key or password later is no surprise.
    report
        .findings
        .retain(|it| it.kind != FindingKind::AccountLocked);
    for finding in report.findings {
        let command = finding
            .mend
            .map(|mend| format!("; mended by: {}", mend.command()));
        eprintln!(
            "note: {}{}",
            shown(&finding.what),
            command.unwrap_or_default()
        );
    }
    Ok(())
}

/// Refuses a jail that the config has not.
fn known_jail(config: &Config, jail: &str, file: &Path) -> Result<(), Failure> {
    let names: Vec<&str> = config.policy().jail_names().collect();
    if names.contains(&jail) {
        return Ok(());
    }
    let known = if names.is_empty() {
        "it has none; give --root DIR".to_owned()
    } else {
        let names: Vec<String> = names.iter().map(shown).collect();
        format!("there are: {}", names.join(", "))
    };
    Err(Failure::Failed(format!(
        "there is no jail {:?} in {}{}; {known}",
        jail,
        shown(file),
        did_you_mean(jail, names)
    )))
}

/// Refuses a rule in [users] where the user has a file that goes before it.
fn refuse_own_file(directory: &Path, user: &str) -> Result<(), Failure> {
    match own_file(directory, user)?.filter(|own| own.exists()) {
        None => Ok(()),
        Some(own) => Err(Failure::Failed(format!(
            "{} is there and comes before [users]; jailctl add {1} goes by it, without --jail and --root; or change it, or take it away by jailctl release {1}",
            own.display(),
            quoted(user)
        ))),
    }
}

/// Tries a config: the decision must be a jail, and a login by it must come as far as the shell.
fn try_out(
    directory: &Path,
    user: &str,
    identity: &Identity,
    arguments: &Arguments,
    supposed: &Supposed,
) -> Result<(), Failure> {
    let config = Config::read(directory)?;
    let jail = match config.decide(identity)? {
        Decision::Jail(jail) => jail,
        Decision::Exempt(rule) => {
            return Err(Failure::Failed(format!(
                "line {} of the config exempts {}, which comes before every rule; take that away first",
                rule.line,
                shown(user)
            )));
        }
        Decision::Unlisted(_) => {
            let names: Vec<String> = config.policy().jail_names().map(quoted).collect();
            let jails = if names.is_empty() {
                "--root DIR".to_owned()
            } else {
                format!("--jail NAME ({}) or --root DIR", names.join(", "))
            };
            return Err(Failure::Usage(format!(
                "no rule names {}; give {jails}",
                shown(user)
            )));
        }
    };
    foresee_limit(&Jailed {
        identity: identity.clone(),
        jail: (*jail).clone(),
    })?;
    for seen in rehearsal::of(user, arguments.door, directory)? {
        match seen {
            Seen::Refused { code, reason } => {
                return Err(Failure::Failed(format!(
                    "nothing was changed, because a login would be refused ({}): {}",
                    shown(&code),
                    shown(supposed.reason(&code, &reason))
                )));
            }
            Seen::NoHome(home) => eprintln!(
                "note: the home {} is missing in the jail, and sessions start in /; run: {}",
                shown(&home),
                supposed.mend(Kind::HomeMissing)
            ),
            _ => {}
        }
    }
    Ok(())
}

/// Says which services jail the user now, and how those that don't are made to.
fn say_behind_pam() {
    let services: Vec<String> = pam::jailing().collect();
    match services.as_slice() {
        [] => say("no PAM stack has pam_jail.so yet: nothing keeps the user in"),
        services => say(format_args!("jailed by PAM at: {}", services.join(", "))),
    }
    for service in pam::open_doors().into_iter().chain(pam::open_jobs()) {
        say(format_args!(
            "not yet at {service}: {}",
            pam::opening(service)
        ));
    }
}

/// Says whom the lines for one user shut out.
fn note_on_refused(directory: &Path, identity: &Identity) -> Result<(), Failure> {
    let all = Accounts::all(&Config::read(directory)?, directory)?;
    let others: Vec<&Identity> = people_without_rule(&all)
        .filter(|it| it.name != identity.name)
        .collect();
    let mut services: Vec<String> = pam::jailing().collect();
    let open = pam::open_doors().into_iter().chain(pam::open_jobs());
    services.extend(open.map(str::to_owned));
    if let Some((what, command)) = pam_refuses(&others, &services, &directory.join("config.toml")) {
        eprintln!("note: {what}; {command} lets them in");
    }
    Ok(())
}
