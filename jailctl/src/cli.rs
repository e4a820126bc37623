//! The arguments, as clap reads them. Help, completions and man pages are made of this.

use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand, ValueHint};
use jail::door::decision::CONFIG_DIRECTORY;

use crate::{
    commands::{
        add, apply, build::Build, check, complete, completions, enter, explain, import::Import,
        kick, list, man, mend, metrics, migrate, presets, release, replay, rollback::Rollback,
        sessions, setup, status, undo, update::Update, versions,
    },
    manual::{self, Manual},
};

/// Decide, check and explain who is jailed where at login
///
/// jailctl is root's tool for login-jail. It changes who is jailed, makes and updates the roots of jails, and finds out
/// what a login does or what is wrong with it. Doors into a jail are login-shell (jail-shell as the login shell),
/// force-command (jail-shell as sshd's ForceCommand) and pam (pam_jail.so in PAM stacks); all commands and the config
/// call them by these names. `jailctl help COMMAND` and the man page of each command have its options, files and
/// examples.
#[derive(Debug, Parser)]
#[command(name = "jailctl", version, after_long_help = MANUAL.to_string())]
pub(crate) struct Cli {
    /// Read config.toml and users.d below this directory
    ///
    /// Use it to try a config before it is installed. The doors always read /etc/login-jail.
    #[arg(long, global = true, display_order = 900, value_name = "DIR", default_value = CONFIG_DIRECTORY, value_hint = ValueHint::DirPath)]
    pub(crate) config: PathBuf,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  jailctl --config /root/new check          try the config in /root/new before it is installed
  jailctl --config /root/new explain ann    what it would do with ann";

const MANUAL: Manual = Manual {
    fine: "all is in order, or what was asked for is done",
    found: Some("there is something to report: a finding, or a login that would be refused"),
    differs: None,
    files: &[manual::CONFIG, manual::USERS_D, manual::ROOTS],
    examples: EXAMPLES,
};

/// The commands as `jailctl --help` groups them.
const GROUPS: [(&str, &[&str]); 3] = [
    (
        "Look",
        &[
            "check", "explain", "status", "list", "sessions", "replay", "metrics",
        ],
    ),
    (
        "Change who is jailed",
        &[
            "setup", "apply", "undo", "add", "release", "mend", "kick", "migrate",
        ],
    ),
    (
        "Roots, and the rest",
        &[
            "build",
            "update",
            "rollback",
            "import",
            "versions",
            "presets",
            "enter",
            "completions",
            "help",
        ],
    ),
];

/// Describes the command line, with the commands in groups.
pub(crate) fn command() -> clap::Command {
    let mut command = Cli::command();
    // This adds the command help to the others.
    command.build();
    let mut listed = String::new();
    for (heading, names) in GROUPS {
        listed.push_str(&format!("{heading}:\n"));
        for name in names {
            let about = command
                .find_subcommand(name)
                .and_then(clap::Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            listed.push_str(&format!("  {name:<12} {about}\n"));
        }
        listed.push('\n');
    }
    Cli::command().help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{listed}Options:\n{{options}}{{after-help}}"
    ))
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Explain(explain::Arguments),
    Check(check::Arguments),
    Mend(mend::Arguments),
    List(list::Arguments),
    Status(status::Arguments),
    Sessions(sessions::Arguments),
    Replay(replay::Arguments),
    Metrics(metrics::Arguments),
    Kick(kick::Arguments),
    Add(add::Arguments),
    Release(release::Arguments),
    Setup(setup::Arguments),
    Apply(apply::Arguments),
    Undo(undo::Arguments),
    Migrate(migrate::Arguments),
    Enter(enter::Arguments),
    Build(Build),
    Import(Import),
    Versions(versions::Arguments),
    Presets(presets::List),
    Update(Update),
    Rollback(Rollback),
    Completions(completions::Arguments),
    #[command(hide = true)]
    Complete(complete::Arguments),
    #[command(hide = true)]
    Man(man::Arguments),
}

#[cfg(test)]
mod tests {
    use super::{GROUPS, command};

    #[test]
    fn the_arguments_contradict_each_other_nowhere() {
        command().debug_assert();
    }

    #[test]
    fn the_first_screen_of_the_help_has_every_command_once_and_fits_a_terminal() {
        let mut tool = command();
        let help = tool.render_help().to_string();
        assert!(help.lines().count() <= 38, "{help}");
        assert!(
            help.lines().all(|line| line.chars().count() <= 100),
            "{help}"
        );
        tool.build();
        let mut commands: Vec<&str> = tool
            .get_subcommands()
            .filter(|it| !it.is_hide_set())
            .map(clap::Command::get_name)
            .collect();
        let mut grouped: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, names)| *names)
            .copied()
            .collect();
        commands.sort_unstable();
        grouped.sort_unstable();
        assert_eq!(commands, grouped);
    }
}
