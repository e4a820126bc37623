//! `jailctl complete`: what the scripts of `jailctl completions` offer at the moment that somebody presses Tab.

use std::path::Path;

use clap::{Args, ValueEnum};
use jail::door::decision::Config;
use jail_roots::presets::Presets;

use crate::{
    accounts::account::Accounts,
    commands::replay,
    doctor::mend::Kind,
    failure::{Failure, Verdict},
    output::say,
};

/// Print names for a shell to offer
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What kind of names
    #[arg(value_enum)]
    names: Names,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Names {
    /// The jails of the config
    Jails,
    /// The users whom a rule puts into a jail
    Jailed,
    /// What jailctl mend can mend
    Kinds,
    /// What jailctl build --with takes
    Presets,
    /// The recordings of terminal sessions
    Recordings,
}

/// Prints the names, one in a line. What can't be found out is not offered: whoever types a command gets no message for it.
pub(crate) fn run(directory: &Path, arguments: &Arguments) -> Result<Verdict, Failure> {
    let names = names(directory, arguments.names).unwrap_or_default();
    names.iter().filter(|name| is_word(name)).for_each(say);
    Ok(Verdict::Fine)
}

fn names(directory: &Path, names: Names) -> Result<Vec<String>, Failure> {
    Ok(match names {
        Names::Jails => {
            let config = Config::read(directory)?;
            config.policy().jail_names().map(str::to_owned).collect()
        }
        Names::Jailed => {
            let config = Config::read(directory)?;
            let accounts = Accounts::all(&config, directory)?;
            accounts.jailed.iter().map(|it| it.name()).collect()
        }
        Names::Kinds => {
            let kinds = Kind::value_variants().iter();
            kinds.map(|kind| kind.name()).collect()
        }
        Names::Recordings => replay::sessions().unwrap_or_default(),
        Names::Presets => {
            let presets = Presets::load()?;
            presets.iter().map(|(name, _)| name.to_owned()).collect()
        }
    })
}

/// Tells whether a shell takes a name as it stands: bash expands what it completes by, so nothing that it reads is offered.
fn is_word(name: &str) -> bool {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "_.-+@".contains(it);
    !name.is_empty() && !name.starts_with('-') && name.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::is_word;

    #[test]
    fn offers_no_name_that_a_shell_would_read_as_more() {
        assert!(is_word("ann-marie.2"));
        for name in [
            "",
            "-x",
            "a b",
            "$(id)",
            "`id`",
            "a;b",
            "*",
            "a\nb",
            "\u{202e}b",
        ] {
            assert!(!is_word(name), "{name:?}");
        }
    }
}
