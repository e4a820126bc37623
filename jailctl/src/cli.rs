//! The arguments, as clap reads them. Help, completions and man pages are made of this.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueHint};
use jail::door::decision::CONFIG_DIRECTORY;

use crate::{
    commands::{
        add, build::Build, check, completions, enter, explain, import::Import, kick, list, mend,
        migrate, presets, release, rollback::Rollback, sessions, status, update::Update,
    },
    hidden::{Accomplice, Commands, KillAll, Man, Rehearse, Unwalled, Watch},
};

/// Explains, checks and changes who is jailed where
///
/// Exit status: 0 when all is fine, 1 when there is something to report (findings of check, a login that explain says
/// would be refused), 2 for wrong arguments, 3 when the command failed. `jailctl enter` ends as what it runs ends.
#[derive(Debug, Parser)]
#[command(name = "jailctl", version, disable_help_subcommand = true, after_long_help = EXAMPLES)]
pub(crate) struct Cli {
    /// Read config.toml and users.d below this directory
    ///
    /// For trying a config before it is installed; the doors always read /etc/login-jail.
    #[arg(long, global = true, value_name = "DIR", default_value = CONFIG_DIRECTORY, value_hint = ValueHint::DirPath)]
    pub(crate) config: PathBuf,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  jailctl --config /root/new check          try the config in /root/new before it is installed
  jailctl --config /root/new explain ann    what it would do with ann";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Explain(explain::Arguments),
    Check(check::Arguments),
    Mend(mend::Arguments),
    List(list::Arguments),
    Status(status::Arguments),
    Sessions(sessions::Arguments),
    Kick(kick::Arguments),
    Add(add::Arguments),
    Release(release::Arguments),
    Migrate(migrate::Arguments),
    Enter(enter::Arguments),
    Build(Build),
    Import(Import),
    Presets(presets::List),
    Update(Update),
    Rollback(Rollback),
    Completions(completions::Arguments),
    #[command(hide = true)]
    Man(Man),
    #[command(hide = true)]
    Rehearse(Rehearse),
    #[command(hide = true)]
    Accomplice(Accomplice),
    #[command(hide = true)]
    Unwalled(Unwalled),
    #[command(hide = true)]
    KillAll(KillAll),
    #[command(hide = true)]
    Commands(Commands),
    #[command(hide = true)]
    Watch(Watch),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_arguments_contradict_each_other_nowhere() {
        Cli::command().debug_assert();
    }
}
