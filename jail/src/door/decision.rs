//! From an account to the decision of the config in force. This is the only place that reads the config's files.

use std::{
    ffi::OsStr,
    fs::File,
    io::Read,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use jail_config::{Decision, Jail, Policy, RuleKind, Services, UserFile, user_file_name};
use nix::errno::Errno;
use rustix::fs::{Dir, Mode, OFlags, openat};

use crate::{
    account::identity::{Identity, IdentityError},
    door::refusal::Refusal,
    fault::{errno_of, errno_of_io},
    trust::{self, Flaw, Untrusted},
};

/// Where the config is. Compiled in: no variable and no option of a privileged program changes it.
pub const CONFIG_DIRECTORY: &str = "/etc/login-jail";

/// The name of the config in it.
pub const CONFIG_FILE: &str = "config.toml";
const USERS_DIRECTORY: &str = "users.d";
const SERVICES_DIRECTORY: &str = "services.d";

/// The largest config file that is read, in bytes.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Decides about an account whose groups have been looked up, by a config of any name.
///
/// # Errors
/// As [`Config::read`] and [`Config::decide`].
pub fn decide_by(directory: &Path, name: &OsStr, identity: &Identity) -> Result<Decision, Refusal> {
    Config::read_by(directory, name)?.decide(identity)
}

/// The config in force: `config.toml`, read, and the open directory that it is in.
#[derive(Debug)]
pub struct Config {
    directory: PathBuf,
    opened: OwnedFd,
    policy: Policy,
}

impl Config {
    /// Reads the config below `directory`.
    ///
    /// # Errors
    /// It is missing, unreadable, wrong, or writable by anybody but root.
    pub fn read(directory: &Path) -> Result<Config, Refusal> {
        Config::read_by(directory, OsStr::new(CONFIG_FILE))
    }

    /// As [`read`](Config::read), a config of any name.
    ///
    /// # Errors
    /// As there.
    pub fn read_by(directory: &Path, name: &OsStr) -> Result<Config, Refusal> {
        let file = directory.join(name);
        let opened = trust::open_directory(directory).map_err(|flaw| unopened(&file, flaw))?;
        let text = trust::open_file(&opened, directory, Path::new(name))
            .map_err(|flaw| unopened(&file, flaw))
            .and_then(|open| read(open, &file))?;
        let services = read_services(&opened, directory)?;
        let policy = Policy::parse_knowing(&file, &text, services).map_err(Refusal::ConfigWrong)?;
        Ok(Config {
            directory: directory.to_owned(),
            opened,
            policy,
        })
    }

    /// Gives what `config.toml` says.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Reads the account's file of `users.d`, if there is one.
    ///
    /// # Errors
    /// As [`decide`](Config::decide).
    pub fn user_file(&self, identity: &Identity) -> Result<Option<UserFile>, Refusal> {
        let name = user_file_name(&identity.name).map_err(Refusal::UserFileName)?;
        let users = self.directory.join(USERS_DIRECTORY);
        let users_directory = Path::new(USERS_DIRECTORY);
        match trust::open_subdirectory(&self.opened, &self.directory, users_directory) {
            Ok(opened) => read_user_file(&self.policy, opened, &users, Path::new(&name)),
            Err(Untrusted {
                flaw: Flaw::Missing,
                ..
            }) => Ok(None),
            Err(untrusted) => Err(unopened(&users, untrusted)),
        }
    }

    /// Decides about one account, of which not all groups may be known. Where they matter, `listed` looks them all up.
    ///
    /// # Errors
    /// As [`decide`](Config::decide), or those of `listed`.
    pub fn decide_with(
        &self,
        account: &Identity,
        listed: impl FnOnce() -> Result<Identity, Refusal>,
    ) -> Result<Decision, Refusal> {
        match self.decide(account) {
            Ok(decision) if !is_by_groups(&decision) => Ok(decision),
            Ok(_) | Err(Refusal::Identity(_)) => self.decide(&listed()?),
            Err(refusal) => Err(refusal),
        }
    }

    /// Decides about one account. The file of `users.d` is opened by its name: the cost does not grow with the number of users.
    ///
    /// # Errors
    /// A file that is unreadable, wrong, or writable by anybody but root; an account name that can't be a file name; a template
    /// that can't be filled; groups that are not all known.
    pub fn decide(&self, identity: &Identity) -> Result<Decision, Refusal> {
        let user_file = self.user_file(identity)?;
        let decision = self
            .policy
            .decide(&identity.account(), user_file.as_ref())
            .map_err(Refusal::Template)?;
        // With a group whose name is not known, or a service that has not answered, a rule for a group may have been
        // passed over.
        let by_groups = is_by_groups(&decision);
        match (&identity.unanswered, identity.unnamed_group) {
            (Some(service), _) if by_groups => Err(Refusal::Identity(IdentityError::Unanswered(
                service.clone(),
            ))),
            (_, Some(gid)) if by_groups => Err(Refusal::Identity(IdentityError::UnnamedGroup(gid))),
            _ => Ok(decision),
        }
    }
}

/// Gives the jail of a decision, for doors that serve nobody unjailed.
///
/// # Errors
/// The account is exempt, or no rule names it.
pub fn jail_of(decision: Decision) -> Result<Jail, Refusal> {
    match decision {
        Decision::Jail(jail) => Ok(*jail),
        Decision::Exempt(rule) => Err(Refusal::Exempt(rule)),
        Decision::Unlisted(rule) => Err(Refusal::NoRule(rule)),
    }
}

/// Tells whether another group of the account could have changed a decision.
fn is_by_groups(decision: &Decision) -> bool {
    let kind = match decision {
        Decision::Jail(jail) => &jail.rule.kind,
        Decision::Exempt(rule) | Decision::Unlisted(rule) => &rule.kind,
    };
    matches!(
        kind,
        RuleKind::Group(_) | RuleKind::ExemptGroup(_) | RuleKind::Unlisted
    )
}

/// Reads the administrator's services, those of `services.d/*.toml`.
fn read_services(directory: &OwnedFd, shown: &Path) -> Result<Services, Refusal> {
    let path = shown.join(SERVICES_DIRECTORY);
    let mut services = Services::default();
    let opened = match trust::open_subdirectory(directory, shown, Path::new(SERVICES_DIRECTORY)) {
        Ok(opened) => opened,
        Err(Untrusted {
            flaw: Flaw::Missing,
            ..
        }) => return Ok(services),
        Err(untrusted) => return Err(unopened(&path, untrusted)),
    };
    let unreadable = |errno| Refusal::ConfigUnreadable(path.clone(), errno_of(errno));
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let readable = openat(&opened, ".", flags, Mode::empty()).map_err(unreadable)?;
    for entry in Dir::new(readable).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = Path::new(OsStr::from_bytes(entry.file_name().to_bytes()));
        let is_hidden = entry.file_name().to_bytes().starts_with(b".");
        if is_hidden || name.extension() != Some(OsStr::new("toml")) {
            continue;
        }
        let file = path.join(name);
        let text = trust::open_file(&opened, &path, name)
            .map_err(|flaw| unopened(&file, flaw))
            .and_then(|open| read(open, &file))?;
        let service = name.file_stem().unwrap_or_default().to_string_lossy();
        let added = services.add(&service, &file, &text);
        added.map_err(Refusal::ConfigWrong)?;
    }
    Ok(services)
}

/// Reads `users.d/NAME.toml`, if there is one.
fn read_user_file(
    policy: &Policy,
    users: OwnedFd,
    shown: &Path,
    name: &Path,
) -> Result<Option<UserFile>, Refusal> {
    let path = shown.join(name);
    let text = match trust::open_file(users, shown, name) {
        Ok(file) => read(file, &path)?,
        Err(Untrusted {
            flaw: Flaw::Missing,
            ..
        }) => return Ok(None),
        Err(untrusted) => return Err(unopened(&path, untrusted)),
    };
    policy
        .parse_user_file(&path, &text)
        .map(Some)
        .map_err(Refusal::ConfigWrong)
}

fn read(file: File, path: &Path) -> Result<Vec<u8>, Refusal> {
    let unreadable = |errno| Refusal::ConfigUnreadable(path.to_owned(), errno);
    let mut text = Vec::new();
    let mut bounded = file.take(LARGEST + 1);
    bounded
        .read_to_end(&mut text)
        .map_err(|error| unreadable(errno_of_io(&error)))?;
    if bounded.limit() == 0 {
        return Err(unreadable(Errno::EFBIG));
    }
    Ok(text)
}

fn unopened(path: &Path, untrusted: Untrusted) -> Refusal {
    let path = PathBuf::from(path);
    match untrusted.flaw {
        Flaw::Missing => Refusal::ConfigMissing(path),
        Flaw::Io(errno) => Refusal::ConfigUnreadable(path, errno),
        _ => Refusal::ConfigUnsafe(untrusted),
    }
}
