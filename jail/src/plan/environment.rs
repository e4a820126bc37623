//! The environment inside: built from nothing, never filtered from what came in.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use jail_config::Env;

use crate::account::identity::Identity;

/// PATH where the jail's `env.set` gives none: what login(1) gives a user on Debian, without the games.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Variables that lead to the user's services on the host. pam_systemd(8) sets them, and inside a jail they lead nowhere.
pub const OF_THE_HOST: [&str; 2] = ["XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"];

/// A variable's name and value.
pub type Variable = (OsString, OsString);

/// Builds the environment of a session, all but HOME, which is known only inside.
///
/// `inherited` is what the caller has. Of two variables with one name the first counts, as for getenv(3). What the
/// config sets wins over what it lets pass, and over neither wins anything of the caller's.
#[must_use]
pub fn build(
    rules: &Env,
    identity: &Identity,
    shell: &Path,
    inherited: impl IntoIterator<Item = Variable>,
) -> Vec<Variable> {
    let mut variables: Vec<Variable> = vec![
        ("USER".into(), identity.name.clone()),
        ("LOGNAME".into(), identity.name.clone()),
        ("SHELL".into(), shell.into()),
    ];
    variables.extend(
        rules
            .set
            .iter()
            .map(|(name, value)| (name.into(), value.into())),
    );
    if !has(&variables, OsStr::new("PATH")) {
        variables.push(("PATH".into(), DEFAULT_PATH.into()));
    }
    for (name, value) in inherited {
        // What an exported function looks like to a bash from before 2014 (CVE-2014-6271).
        let function = value.as_bytes().starts_with(b"() {");
        let passes = !function && rules.passes(name.as_bytes(), value.as_bytes());
        if passes && !has(&variables, &name) {
            variables.push((name, value));
        }
    }
    variables
}

fn has(variables: &[Variable], name: &OsStr) -> bool {
    variables.iter().any(|(known, _)| known == name)
}
