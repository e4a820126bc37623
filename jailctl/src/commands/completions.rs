//! `jailctl completions`: what shells complete, made of the description of the arguments.

use clap::{Arg, Args, Command, ValueHint, builder::PossibleValuesParser};
use clap_complete::Shell;

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
    differs: None,
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

/// What bash runs in place of `compgen`: a word with an @ stands for names, and those of a list come behind a comma.
const BASH: &str = include_str!("completions/names.bash");
/// The same for zsh.
const ZSH: &str = include_str!("completions/names.zsh");
/// The same for fish.
const FISH: &str = include_str!("completions/names.fish");

/// Prints the completions for a shell.
pub(crate) fn run(tool: &Command, arguments: &Arguments) -> Result<Verdict, Failure> {
    let shell = arguments.shell;
    let mut offered = offered(tool, shell);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut offered, "jailctl", &mut script);
    let script = String::from_utf8_lossy(&script);
    let script = match shell {
        Shell::Bash => for_bash(&script),
        Shell::Zsh => for_zsh(&script),
        Shell::Fish => for_fish(&script, &offered),
        _ => script.into_owned(),
    };
    say(script.trim_end());
    Ok(Verdict::Fine)
}

/// Gives the names that an argument takes, as `jailctl complete` calls them; `accounts` are the shell's to know.
fn names(command: &str, argument: &Arg) -> Option<&'static str> {
    match (command, argument.get_id().as_str()) {
        ("add", "jail") => Some("jails"),
        ("build", "with") => Some("presets"),
        ("mend", "kind") => Some("kinds"),
        ("mend", "what") => Some("jailed"),
        ("replay", "session") => Some("recordings"),
        _ if argument.get_value_hint() != ValueHint::Username => None,
        ("add" | "build" | "import", _) => Some("accounts"),
        _ => Some("jailed"),
    }
}

/// Gives what is completed: the commands that are not hidden, with a word that stands for the names that an argument takes.
fn offered(tool: &Command, shell: Shell) -> Command {
    let has_script = matches!(shell, Shell::Bash | Shell::Zsh | Shell::Fish);
    let commands = tool.get_subcommands().filter(|it| !it.is_hide_set());
    let commands = commands.map(|command| {
        let name = command.get_name().to_owned();
        command.clone().mut_args(|argument| {
            let comma = argument.get_value_delimiter().map_or("", |_| ",");
            match names(&name, &argument) {
                // The kinds are known already, and zsh says what each does.
                None | Some("kinds") => argument,
                Some("accounts") if shell != Shell::Bash => argument,
                Some(names) if has_script => {
                    argument.value_parser(PossibleValuesParser::new([format!("@{names}{comma}")]))
                }
                Some(_) => argument,
            }
        })
    });
    // A command is never taken out of a description, so this is another one.
    Command::new("jailctl")
        .version(env!("CARGO_PKG_VERSION"))
        .args(tool.get_arguments().cloned())
        .subcommands(commands)
}

fn for_bash(script: &str) -> String {
    let script = script.replace("compgen -W ", "_jailctl_words ");
    // It is the command's function that has all words of the line.
    script
        .replace(
            "_jailctl_words \"${opts}\" -- ",
            "_jailctl_words \"${opts}\" ",
        )
        .replace("\" -- \"${cur}\"", "\" \"${cur}\"")
        + BASH
}

fn for_zsh(script: &str) -> String {
    let mut script = script.to_owned();
    for names in ["jails", "jailed", "presets", "recordings"] {
        script = script
            .replace(
                &format!("(@{names},)"),
                &format!("_sequence _jailctl_{names}"),
            )
            .replace(&format!("(@{names})"), &format!("_jailctl_{names}"));
    }
    // The functions come before the line that calls the command's own.
    match script.split_once("\n\n") {
        Some((head, rest)) => format!("{head}\n\n{ZSH}\n{rest}"),
        None => script,
    }
}

/// Adds the arguments without an option, which clap_complete leaves out for fish.
fn for_fish(script: &str, offered: &Command) -> String {
    let mut script = format!("{FISH}{script}");
    for names in ["jails", "jailed", "presets", "recordings"] {
        script = script
            .replace(
                &format!("@{names}\\,\\t''"),
                &format!("(__fish_append , (__jailctl_names {names}))"),
            )
            .replace(
                &format!("@{names}\\t''"),
                &format!("(__jailctl_names {names})"),
            );
    }
    for command in offered.get_subcommands() {
        let name = command.get_name();
        for argument in command.get_positionals() {
            let offers = match names(name, argument) {
                None => continue,
                Some("accounts") => "__fish_complete_users".to_owned(),
                Some(names) => format!("__jailctl_names {names}"),
            };
            script.push_str(&format!(
                "complete -c jailctl -n \"__fish_jailctl_using_subcommand {name}\" -f -a \"({offers})\"\n"
            ));
        }
    }
    script
}
