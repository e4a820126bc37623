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
/// Prints the rule that decides, with file and line, the rules that name the user and lost, and the plan of the login step
/// by step, with the values it would use. For root it also rehearses the login, as check does, and looks at the account as PAM and sshd
/// will: what is found is listed with the command that mends it. Needs no root for oneself where the config is readable.
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
    #[command(flatten)]
    pub(crate) output: Output,
}

const EXAMPLES: &str = "\
Examples:
  jailctl explain ann                                           what her next login would do
  jailctl explain --door pam postgres                           what a job of cron for postgres would do
  jailctl explain --door force-command --command 'ls -l' ann    what ssh ann@host ls -l would do
  jailctl explain --json ann                                    the same for a program";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "the login is served",
    found: Some("the login would be refused or not jailed, or an error was found"),
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
        output: arguments.output,
    };
    explain::run(config, &asked)
}
