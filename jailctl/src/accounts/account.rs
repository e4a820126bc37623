//! The accounts of the host, each with what the config decides about it.

use std::{collections::BTreeSet, fs, path::Path};

use jail::{
    account::{
        identity::{Identity, IdentityError},
        local::Local,
        services::Unanswered,
    },
    door::{decision::Config, lookups::Lookups, refusal::Refusal},
};
use jail_config::{Decision, Jail, RuleKind, nearest};

pub(crate) use super::listed::passwd;
use super::{
    listed::{NameServices, RuleGroups},
    services::are_in_files_alone,
};
use crate::{failure::Failure, progress::Progress, shell};

/// Tells whether a directory is the home of an account.
pub(crate) fn is_home(directory: &Path) -> bool {
    let passwd = passwd().unwrap_or_default();
    let mut homes = passwd.lines().filter_map(|line| line.split(':').nth(5));
    homes.any(|home| Path::new(home) == directory)
}

/// An account that some rule puts into a jail.
#[derive(Debug)]
pub(crate) struct Jailed {
    pub(crate) identity: Identity,
    pub(crate) jail: Jail,
}

impl Jailed {
    /// Gives the account's name for people and for commands.
    pub(crate) fn name(&self) -> String {
        shell::shown(&self.identity.name)
    }
}

/// What became of every account.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    /// Those that are jailed.
    pub(crate) jailed: Vec<Jailed>,
    /// Those that a rule exempts, or `unlisted`.
    pub(crate) exempt: Vec<Identity>,
    /// Those that no rule names, and that are refused.
    pub(crate) unlisted: Vec<Identity>,
    /// Those about which nothing can be decided, and why.
    pub(crate) undecided: Vec<(Identity, Refusal)>,
    /// Names that the config has, and the account database has not.
    pub(crate) unknown: Vec<String>,
    /// A service that says that its directory is down: it may have more of all of them.
    pub(crate) silent: Option<Unanswered>,
    /// The groups that rules name, where all accounts were looked for.
    pub(crate) groups: RuleGroups,
}

impl Accounts {
    /// Decides about every account that can be listed and every one that the config names, by what is listed. Where a directory does
    /// not list what rules go by, each is looked up by itself.
    pub(crate) fn all(config: &Config, directory: &Path) -> Result<Accounts, Failure> {
        let mut accounts = Accounts::begin()?;
        let groups = RuleGroups::of(config)?;
        let listed = NameServices::read()?;
        let own = own()?;
        let is_enough = listed.suffices_for(&groups)?;
        let mut names: BTreeSet<String> = listed.names().cloned().collect();
        names.extend(
            config
                .policy()
                .rules()
                .filter_map(|named| match named.rule.kind {
                    RuleKind::User(user) | RuleKind::ExemptUser(user) => Some(user),
                    _ => None,
                }),
        );
        names.extend(with_own_file(directory));
        accounts.decide(config, names, |name| {
            let known = is_enough.then(|| listed.identity(name)).flatten();
            known.map_or_else(|| Identity::one_of_many(name, &own), Ok)
        })?;
        accounts.groups = groups;
        Ok(accounts)
    }

    /// Decides about these accounts.
    pub(crate) fn named(
        config: &Config,
        names: impl IntoIterator<Item = String>,
    ) -> Result<Accounts, Failure> {
        let mut accounts = Accounts::begin()?;
        let own = own()?;
        accounts.decide(config, names, |name| Identity::one_of_many(name, &own))?;
        Ok(accounts)
    }

    /// Looks those up that are jailed, each by itself as a login does, where a directory may have said more of them than it lists.
    pub(crate) fn looked_up(self, config: &Config) -> Result<Accounts, Failure> {
        if are_in_files_alone()? {
            return Ok(self);
        }
        let names = self.jailed.iter().map(|it| it.identity.name.clone());
        let names: Vec<String> = names.filter_map(|it| it.into_string().ok()).collect();
        let Accounts {
            jailed,
            undecided,
            exempt,
            unlisted,
            ..
        } = Accounts::named(config, names)?;
        let mut accounts = Accounts { jailed, ..self };
        accounts.undecided.extend(undecided);
        accounts.exempt.extend(exempt);
        accounts.unlisted.extend(unlisted);
        Ok(accounts)
    }

    fn begin() -> Result<Accounts, Failure> {
        // One that does not answer at all would keep each look-up waiting, and there are many.
        let silent = Lookups::of_host_program(true).silent_service()?;
        Ok(Accounts {
            silent,
            ..Accounts::default()
        })
    }

    fn decide(
        &mut self,
        config: &Config,
        names: impl IntoIterator<Item = String>,
        look_up: impl Fn(&str) -> Result<Identity, IdentityError>,
    ) -> Result<(), Failure> {
        let names: Vec<String> = names.into_iter().collect();
        let mut progress = Progress::new(u64::try_from(names.len()).unwrap_or(0));
        for name in names {
            progress.add(1);
            let identity = match look_up(&name) {
                Ok(identity) => Identity {
                    unanswered: self.silent.clone(),
                    ..identity
                },
                Err(IdentityError::Unknown(_)) => {
                    self.unknown.push(name);
                    continue;
                }
                Err(error) => return Err(Refusal::Identity(error).into()),
            };
            match config.decide(&identity) {
                Ok(Decision::Jail(jail)) => self.jailed.push(Jailed {
                    identity,
                    jail: *jail,
                }),
                Ok(Decision::Exempt(_)) => self.exempt.push(identity),
                Ok(Decision::Unlisted(_)) => self.unlisted.push(identity),
                Err(refusal) => self.undecided.push((identity, refusal)),
            }
        }
        Ok(())
    }

    /// Insists on a decision about each: one that could not be made says nothing.
    pub(crate) fn all_decided(mut self) -> Result<Accounts, Failure> {
        match self.undecided.pop() {
            None => Ok(self),
            Some((_, refusal)) => Err(refusal.into()),
        }
    }
}

/// Reads what this host's own files say.
fn own() -> Result<Local, Failure> {
    let own = Local::read()
        .map_err(|errno| IdentityError::LookUp("the files passwd and group of /etc", errno));
    Ok(own.map_err(Refusal::Identity)?)
}

/// Lists the accounts that the host's database lists; a directory service may have more.
pub(crate) fn listed() -> Result<BTreeSet<String>, Failure> {
    Ok(passwd()?
        .lines()
        .filter_map(|line| line.split(':').next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect())
}

/// Gives the facts about the accounts that the host's database lists.
pub(crate) fn identities() -> Result<Vec<Identity>, Failure> {
    let listed = NameServices::read()?;
    let own = own()?;
    let is_enough = listed.has_all()?;
    let mut found = Vec::new();
    for name in listed.names() {
        let known = is_enough.then(|| listed.identity(name)).flatten();
        match known.map_or_else(|| Identity::one_of_many(name, &own), Ok) {
            Ok(identity) => found.push(identity),
            // Gone since it was listed, or of a name that no rule could have.
            Err(IdentityError::Unknown(_) | IdentityError::Name(_)) => {}
            Err(error) => return Err(Refusal::Identity(error).into()),
        }
    }
    Ok(found)
}

/// Looks an account up by its name. One that is not there may be misspelt.
///
/// # Errors
/// There is none of that name, or the look-up has failed.
pub(crate) fn named(name: &str) -> Result<Identity, Failure> {
    if let Err(silent @ Refusal::Unanswered(_)) = Lookups::of_host_program(true).named(name) {
        return Err(silent.into());
    }
    Identity::named(name).map_err(|error| {
        let is_unknown = matches!(error, IdentityError::Unknown(_));
        let refusal = Refusal::Identity(error);
        match suggestion(name) {
            meant if is_unknown && !meant.is_empty() => {
                Failure::Failed(format!("{refusal} ({}){meant}", refusal.code()))
            }
            _ => refusal.into(),
        }
    })
}

/// Says which account of the host is probably meant by a name that none has; nothing where none is near.
pub(crate) fn suggestion(name: &str) -> String {
    // It is a hint: where the accounts can't be listed there is none.
    let listed = listed().unwrap_or_default();
    did_you_mean(name, listed.iter().map(String::as_str))
}

/// Says which of the known words is probably meant by another; nothing where none is near.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known)
        .map(|meant| format!("; did you mean {}?", shell::shown(meant)))
        .unwrap_or_default()
}

/// Lists the accounts that have this uid, as far as the database lists them, and the one that it gives for the number.
///
/// # Errors
/// A look-up has failed, or finds none.
pub(crate) fn with_uid(uid: u32) -> Result<BTreeSet<String>, Failure> {
    let number = uid.to_string();
    let failed = || Failure::Failed(format!("look up uid {uid}: getent passwd {uid} failed"));
    let first = shell::ask("getent", &["passwd", &number])?
        .filter(|answer| answer.status.success())
        .ok_or_else(failed)?;
    let first = String::from_utf8_lossy(&first.stdout).into_owned();
    let name = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1) == Some(&number)).then(|| name.to_owned())
    };
    let given = first.lines().find_map(name).ok_or_else(failed)?;
    let listed = passwd()?;
    Ok(listed.lines().filter_map(name).chain([given]).collect())
}

/// Lists who has a file in `users.d`. What else lies there is nobody's.
fn with_own_file(directory: &Path) -> Vec<String> {
    let Ok(files) = fs::read_dir(directory.join("users.d")) else {
        return Vec::new();
    };
    files
        .flatten()
        .filter_map(|file| file.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".toml").map(str::to_owned))
        .collect()
}
