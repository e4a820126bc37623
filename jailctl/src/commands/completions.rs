//! `jailctl completions`: what shells complete, made of the description of the arguments.

use clap::{Arg, Args, Command, ValueHint, builder::PossibleValuesParser};
use clap_complete::Shell;
use jail_roots::presets::Presets;

use crate::{
    failure::{Failure, Verdict},
    manual::Manual,
    output::say,
};

/// Print completions for a shell
///
/// The package and `make install` install them. For an installation of your own, write the output to the file where
/// your shell looks for completions; the examples have the usual places. Jails and jailed users are asked of jailctl at
/// the moment that you press the Tab key: nothing is offered where you may not read the config.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL.to_string())]
pub(crate) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  jailctl completions bash >/usr/share/bash-completion/completions/jailctl
  jailctl completions zsh >/usr/share/zsh/vendor-completions/_jailctl
  jailctl completions fish >/usr/share/fish/vendor_completions.d/jailctl.fish";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "the completions were printed",
    found: None,
    files: &[
        ("/usr/share/bash-completion/completions/jailctl", "for bash"),
        ("/usr/share/zsh/vendor-completions/_jailctl", "for zsh"),
        (
            "/usr/share/fish/vendor_completions.d/jailctl.fish",
            "for fish",
        ),
    ],
    examples: EXAMPLES,
};

/// What stands for the accounts among the words that bash completes; clap_complete has no other way to say it there.
const ACCOUNTS: &str = "USER";

/// Prints the completions for a shell.
pub(crate) fn run(tool: &Command, arguments: &Arguments) -> Result<Verdict, Failure> {
    let shell = arguments.shell;
    // Those that come with jailctl: what is printed is installed for everybody, and on other machines.
    let presets = Presets::built_in()?;
    let presets: Vec<&str> = presets.iter().map(|(name, _)| name).collect();
    let mut script = Vec::new();
    clap_complete::generate(
        shell,
        &mut offered(tool, shell, &presets),
        "jailctl",
        &mut script,
    );
    if shell == Shell::Bash {
        script = for_bash(&String::from_utf8_lossy(&script), &presets).into_bytes();
    }
    say(String::from_utf8_lossy(&script).trim_end());
    Ok(Verdict::Fine)
}

/// Gives what is completed: the commands that are not hidden, with the names of presets.
fn offered(tool: &Command, shell: Shell, presets: &[&str]) -> Command {
    let named = |argument: Arg| {
        let is_user = argument.get_value_hint() == ValueHint::Username;
        if argument.get_id() == "with" {
            argument.value_parser(PossibleValuesParser::new(
                presets.iter().map(ToString::to_string),
            ))
        } else if is_user && shell == Shell::Bash {
            argument.value_parser(PossibleValuesParser::new([ACCOUNTS]))
        } else {
            argument
        }
    };
    let commands = tool.get_subcommands().filter(|it| !it.is_hide_set());
    let commands = commands.map(|command| command.clone().mut_args(named));
    // A command is never taken out of a description, so this is another one.
    Command::new("jailctl")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true)
        .args(tool.get_arguments().cloned())
        .subcommands(commands)
}

/// Has bash complete accounts, and each name of a list with commas.
fn for_bash(script: &str, presets: &[&str]) -> String {
    const WORDS: &str = r#"COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )"#;
    const WORDS_OR_ACCOUNTS: &str = r#"COMPREPLY=( $(compgen -W "${opts% USER}" -- "${cur}") )
                [[ ${opts} != *" USER" || ${cur} == -* ]] || COMPREPLY+=( $(compgen -u -- "${cur}") )"#;
    const ONE: &str = r#" -- "${cur}""#;
    const LAST: &str = r#" -P "${cur%"${cur##*,}"}" -- "${cur##*,}""#;
    let presets = format!(r#"compgen -W "{}""#, presets.join(" "));
    let accounts = format!(r#"compgen -W "{ACCOUNTS}""#);
    script
        .replace(WORDS, WORDS_OR_ACCOUNTS)
        .replace(&format!("{presets}{ONE}"), &format!("{presets}{LAST}"))
        .replace(&format!("{accounts}{ONE}"), &format!("compgen -u{LAST}"))
}
