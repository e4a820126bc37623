//! A directory in the sandbox: a real LDAP server with TLS, with SSSD or nslcd as its client, from Debian's packages. They are
//! unpacked in the sandbox and nowhere else: a machine with them looks its accounts up in another way.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

use crate::sandbox::Sandbox;
use crate::skipped;

/// An LDAP server and its two clients.
const PACKAGES: [&str; 8] = [
    "slapd",
    "ldap-utils",
    "sssd-ldap",
    "nslcd",
    "libnss-ldapd",
    "libnss-sss",
    "libpam-ldapd",
    "libpam-sss",
];

/// Who asks the directory for the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// sssd(8), with a cache.
    Sssd,
    /// nslcd(8), without one.
    Nslcd,
    /// Nobody: the server alone.
    None,
}

impl Client {
    /// Gives the name of its daemon that answers name services.
    #[must_use]
    pub fn daemon(self) -> &'static str {
        match self {
            Client::Sssd => "sssd_nss",
            Client::Nslcd => "nslcd",
            Client::None => "slapd",
        }
    }
}

impl Sandbox {
    /// Starts a directory with accounts `u00001`, uid 20001, and so on, and a client of it. Account number N is in the group
    /// `everyone`, its primary one, gid 20000, and in that of the `groups` that is number N modulo their number, plus 1: `g001`,
    /// gid 30001, and so on. `more` are further entries, in LDIF.
    ///
    /// Nothing where the packages are not to be had, which is said as skipped.
    #[must_use]
    pub fn directory(self, client: Client, accounts: u32, groups: u32, more: &str) -> Option<Self> {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let repository = repository.canonicalize().expect("the repository");
        let packages = repository.join("target/directory");
        if let Err(reason) = fetch(&packages, &PACKAGES) {
            skipped("a directory (LDAP, SSSD, nslcd)", reason);
            return None;
        }
        self.write("/run/more.ldif", more);
        let client = match client {
            Client::Sssd => "sssd",
            Client::Nslcd => "nslcd",
            Client::None => "none",
        };
        let serve = repository.join("tests/directory/serve");
        self.must(&format!(
            "{} {} {accounts} {groups} {client} /run/more.ldif",
            serve.display(),
            packages.display(),
        ));
        Some(self)
    }

    /// Sends a signal to all processes of a program.
    #[track_caller]
    pub fn signal(&self, signal: &str, program: &str) {
        self.must(&format!("kill -{signal} $(pidof {program})"));
    }
}

/// Has packages of Debian fetched into a directory, once for all tests.
///
/// # Errors
/// They are not to be had, and why.
pub fn fetch(into: &Path, packages: &[&str]) -> Result<(), String> {
    let lock = File::create(into.with_extension("lock")).map_err(|error| error.to_string())?;
    flock(&lock, FlockOperation::LockExclusive).map_err(|error| error.to_string())?;
    let fetched = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/directory/fetch"))
        .arg(into)
        .args(packages)
        .output()
        .map_err(|error| error.to_string())?;
    match fetched.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&fetched.stderr)
            .trim_end()
            .to_owned()),
    }
}
