//! `jailctl explain`: its arguments.

use std::{ffi::OsString, path::Path};

use clap::{Args, ValueHint};

use crate::{
    doctor::explain,
    door::Door,
    failure::{Failure, Verdict},
    manual::{self, Manual},
    output::Output,
};

/// Say what a login of a user would do, and why
///
/// Prints one screen: whether the user is jailed, by which rule and at which door; the root directory; what a session sees,
/// can write and can reach; the limits; what sshd forwards, and which files of keys count; and what would refuse a login now,
/// with the command that mends it. All of it comes from the plan that a login makes, from a rehearsal of the login, and from
/// what a check of this user finds. Needs no root for oneself where the config is readable; a user
/// who is not root is told what could not be looked at.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL.to_string())]
pub(crate) struct Arguments {
    /// The account
    #[arg(value_hint = ValueHint::Username)]
    pub(crate) user: String,
    /// The door the user comes through; by default the one that the user has
    #[arg(long, value_enum)]
    pub(crate) door: Option<Door>,
    /// The command that ssh or su is asked for, instead of a shell
    #[arg(long, value_name = "CMD", value_hint = ValueHint::CommandString)]
    pub(crate) command: Option<OsString>,
    /// Print each step of the login as well, with the values that it uses
    #[arg(long)]
    pub(crate) steps: bool,
    /// Print the rules that lost, every note and every finding as well
    #[arg(long, short)]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

const EXAMPLES: &str = "\
Examples:
  jailctl explain ann                                           where she is jailed, and what she can do there
  jailctl explain --steps ann                                   what her next login would do, step by step
  jailctl explain --verbose ann                                 the rules that lost, and every finding as well
  jailctl explain --door pam postgres                           what a job of cron for postgres would do
  jailctl explain --door force-command --command 'ls -l' ann    what ssh ann@host ls -l would do
  jailctl explain --json ann                                    all of it for a program";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "the login is served",
    found: Some("the login would be refused or not jailed, or an error was found"),
    differs: None,
    files: &[
        manual::CONFIG,
        manual::USERS_D,
        manual::SSHD_CONFIG,
        manual::PAM_D,
    ],
    examples: EXAMPLES,
};

/// Explains one login.
pub(crate) fn run(config: &Path, arguments: &Arguments) -> Result<Verdict, Failure> {
    let asked = explain::Asked {
        user: &arguments.user,
        door: arguments.door,
        command: arguments.command.as_deref(),
        steps: arguments.steps,
        verbose: arguments.verbose,
        output: arguments.output,
    };
    explain::run(config, &asked)
}
