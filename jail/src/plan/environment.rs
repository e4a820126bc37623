//! The environment inside: built from nothing, never filtered from what came in.

use std::{collections::HashSet, ffi::OsString, hash::Hash, os::unix::ffi::OsStrExt, path::Path};

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
    let own = [
        ("USER", identity.name.as_os_str()),
        ("LOGNAME", identity.name.as_os_str()),
        ("SHELL", shell.as_os_str()),
    ];
    let own = own.map(|(name, value)| (name.into(), value.to_owned()));
    let set = rules.set.iter();
    let set = set.map(|(name, value)| (name.into(), value.into()));
    let path = [("PATH".into(), DEFAULT_PATH.into())];
    let passed = inherited.into_iter().filter(|(name, value)| {
        // What an exported function looks like to a bash from before 2014 (CVE-2014-6271).
        let function = value.as_bytes().starts_with(b"() {");
        !function && rules.passes(name.as_bytes(), value.as_bytes())
    });
    first_of_each(own.into_iter().chain(set).chain(path).chain(passed))
}

/// Keeps the first value of each name, in one look at each: a caller has megabytes of variables if they like.
fn first_of_each<N: Clone + Eq + Hash, V>(all: impl Iterator<Item = (N, V)>) -> Vec<(N, V)> {
    let mut known = HashSet::new();
    all.filter(|(name, _)| known.insert(name.clone())).collect()
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        hash::{Hash, Hasher},
        iter,
    };

    use super::first_of_each;

    thread_local! {
        static LOOKS: Cell<usize> = const { Cell::new(0) };
    }

    /// A name that counts how often it is looked at.
    #[derive(Clone)]
    struct Counted(usize);

    fn count() {
        LOOKS.with(|looks| looks.set(looks.get() + 1));
    }

    impl Hash for Counted {
        fn hash<H: Hasher>(&self, state: &mut H) {
            count();
            self.0.hash(state);
        }
    }

    impl PartialEq for Counted {
        fn eq(&self, other: &Counted) -> bool {
            count();
            self.0 == other.0
        }
    }

    impl Eq for Counted {}

    fn looks(names: usize) -> usize {
        LOOKS.with(|looks| looks.set(0));
        let twice = (0..names).chain(0..names).map(Counted);
        assert_eq!(first_of_each(twice.zip(iter::repeat(()))).len(), names);
        LOOKS.with(Cell::get)
    }

    #[test]
    fn twice_as_many_variables_are_looked_at_twice_as_often() {
        for names in [100, 1_000, 10_000] {
            assert!(looks(names) < 10 * names, "{names}: {}", looks(names));
        }
    }
}
