//! Services of the host that a jail can be let reach by their sockets. Each is data: which directories or sockets of the host
//! are shown, and where clients look for them.
//!
//! Those that come with login-jail are in `config/services/`. An administrator's own are files of `services.d`, which the
//! caller has read; a name that is known already takes the place of the known one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::fault::{Complaint, Faults};
use crate::template::check_components;

/// What comes with login-jail.
const BUILT_IN: [(&str, &str); 5] = [
    ("mail", include_str!("../services/mail.toml")),
    ("memcached", include_str!("../services/memcached.toml")),
    ("mysql", include_str!("../services/mysql.toml")),
    ("postgresql", include_str!("../services/postgresql.toml")),
    ("redis", include_str!("../services/redis.toml")),
];

/// What is the system's own below /run, and no service's: root's programs look there, or ask there.
const NEVER_IN_RUN: [&str; 17] = [
    "console",
    "cron",
    "dbus",
    "faillock",
    "lock",
    "log",
    "login-jail",
    "motd.dynamic",
    "nologin",
    "nscd",
    "nslcd",
    "screen",
    "sshd",
    "sudo",
    "systemd",
    "user",
    "utmp",
];

/// A service of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name, as `services` has it.
    pub name: String,
    /// What it is, in a few words.
    pub about: String,
    /// What it takes besides, for people to read.
    pub needs: Option<String>,
    /// What is shown of the host, as far as it is there; never empty.
    pub shown: Vec<Shown>,
}

/// A directory of sockets or a single socket of the host, and its places in a jail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The directory or socket of the host.
    pub source: PathBuf,
    /// Where it appears; never empty.
    pub targets: Vec<PathBuf>,
}

/// The services that a config can name.
#[derive(Debug, Clone, Default)]
pub struct Services(BTreeMap<String, Service>);

impl Services {
    /// Takes in a file of `services.d`; `name` is the service's.
    pub fn add(&mut self, name: &str, file: &Path, text: &[u8]) -> Result<(), Faults> {
        let service = Service::parse(name, file, text)?;
        self.0.insert(name.to_owned(), service);
        Ok(())
    }

    /// Gives a service by its name.
    pub(crate) fn get(&self, name: &str) -> Option<Service> {
        if let Some(own) = self.0.get(name) {
            return Some(own.clone());
        }
        let (name, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Service::parse(name, Path::new(name), text.as_bytes()).ok()
    }

    /// Lists the names, sorted.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        let built_in = BUILT_IN.iter().map(|(name, _)| *name);
        self.0.keys().map(String::as_str).chain(built_in).collect()
    }
}

/// Checks the name of a service.
pub(crate) fn check_name(name: &str) -> Result<(), Complaint> {
    let known = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if !name.is_empty() && name.bytes().all(known) {
        return Ok(());
    }
    let complaint = Complaint::new(format!("{name:?} is no name of a service"));
    Err(complaint.help("a name has letters, digits, _ and -"))
}

/// Checks the path of a directory or socket of the host.
pub(crate) fn check_source(path: &str) -> Result<PathBuf, Complaint> {
    check_components(path)?;
    if !path.starts_with('/') || path == "/" {
        let complaint = Complaint::new(format!("{path:?} is no path of a directory or socket"));
        return Err(complaint.help("for example: source = \"/run/mysqld\""));
    }
    Ok(PathBuf::from(path))
}

/// Checks the place of a service in a jail: below /run or /var, and not in what is the system's own there.
pub(crate) fn check_target(path: &str) -> Result<PathBuf, Complaint> {
    check_components(path)?;
    let unfit = |why: &str| Err(Complaint::new(format!("{path:?} {why}")));
    let run = path
        .strip_prefix("/run/")
        .or(path.strip_prefix("/var/run/"));
    let first = |below: &'_ str| below.split('/').next().unwrap_or_default().to_owned();
    match run {
        Some(below) if NEVER_IN_RUN.contains(&first(below).as_str()) => {
            unfit("is in a place of the system's own")
        }
        Some(_) => Ok(PathBuf::from(path)),
        None => match path
            .strip_prefix("/var/lib/")
            .or(path.strip_prefix("/var/spool/"))
        {
            Some(below) if first(below) == "extrausers" => {
                unfit("is in a place of the system's own")
            }
            Some(_) => Ok(PathBuf::from(path)),
            None => unfit("is not below /run, /var/run, /var/lib or /var/spool"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_with_login_jail_is_understood() {
        for (name, text) in BUILT_IN {
            let service = Service::parse(name, Path::new(name), text.as_bytes());
            let service = service.unwrap_or_else(|faults| panic!("{faults}"));
            assert!(
                !service.about.is_empty() && service.needs.is_some(),
                "{name}"
            );
        }
    }

    #[test]
    fn no_target_is_where_roots_programs_look() {
        for path in [
            "/",
            "/etc/x",
            "/run",
            "/run/",
            "/var/run",
            "/run/systemd/x",
            "/var/run/utmp",
            "/run/nscd",
            "/run/../etc",
            "/var/log/x",
            "/var/lib/extrausers/passwd",
            "run/x",
            "/dev/x",
            "/usr/lib/x",
        ] {
            assert!(check_target(path).is_err(), "{path}");
        }
        for path in [
            "/run/mysqld",
            "/var/run/x.sock",
            "/var/lib/mysql/mysql.sock",
        ] {
            assert!(check_target(path).is_ok(), "{path}");
        }
    }
}
