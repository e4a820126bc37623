//! Completions and man pages, made of the description of the arguments.

use std::fs;

use clap::{Arg, Command, CommandFactory, ValueHint, builder::PossibleValuesParser};
use clap_complete::Shell;
use jail_roots::presets::Presets;

use crate::{
    cli::{Cli, Completions, Man},
    failure::{Failure, Verdict},
    output::say,
    page,
};

/// What stands for the accounts among the words that bash completes; clap_complete has no other way to say it there.
const ACCOUNTS: &str = "USER";

/// Prints the completions for a shell.
pub(crate) fn completions(arguments: &Completions) -> Result<Verdict, Failure> {
    let shell = arguments.shell;
    // Those that come with jailctl: what is printed is installed for everybody, and on other machines.
    let presets = Presets::built_in()?;
    let presets: Vec<&str> = presets.iter().map(|(name, _)| name).collect();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut offered(shell, &presets), "jailctl", &mut script);
    if shell == Shell::Bash {
        script = for_bash(&String::from_utf8_lossy(&script), &presets).into_bytes();
    }
    say(String::from_utf8_lossy(&script).trim_end());
    Ok(Verdict::Fine)
}

/// Gives what is completed: the commands that are not hidden, with the names of presets.
fn offered(shell: Shell, presets: &[&str]) -> Command {
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
    let tool = Cli::command();
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

/// Writes jailctl(8), and one page for each command that is not hidden.
pub(crate) fn man_pages(arguments: &Man) -> Result<Verdict, Failure> {
    let mut tool = Cli::command();
    for (name, text) in pages(&mut tool) {
        let path = arguments.directory.join(name);
        fs::write(&path, &text).map_err(|error| Failure::io("write", &path, &error))?;
    }
    Ok(Verdict::Fine)
}

/// Makes the pages, by the names of their files.
fn pages(tool: &mut clap::Command) -> Vec<(String, String)> {
    tool.build();
    let mut pages = vec![("jailctl.8".to_owned(), page::of(tool, "jailctl"))];
    for command in tool.get_subcommands_mut().filter(|it| !it.is_hide_set()) {
        let name = format!("jailctl-{}", command.get_name());
        pages.push((format!("{name}.8"), page::of(command, &name)));
    }
    pages
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use clap::{CommandFactory, Parser};

    use super::pages;
    use crate::{cli::Cli, page};

    /// Parts what is typed into words as a shell would, up to where its output goes.
    fn words(typed: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        for (at, part) in typed.split('\'').enumerate() {
            if at % 2 == 1 {
                words.last_mut().unwrap().push_str(part);
                continue;
            }
            for (at, word) in part.split(' ').enumerate() {
                if at > 0 {
                    words.push(String::new());
                }
                words.last_mut().unwrap().push_str(word);
            }
        }
        words.retain(|word| !word.is_empty());
        let end = words.iter().position(|word| word.starts_with('>'));
        words.truncate(end.unwrap_or(words.len()));
        words
    }

    /// Calls with jailctl itself and each command of its, by name, and the examples that its help has.
    fn with_examples(look: impl Fn(&clap::Command, &[&str])) {
        let mut tool = Cli::command();
        tool.build();
        for command in tool.get_subcommands().filter(|it| !it.is_hide_set()) {
            let behind = page::behind(command);
            let (_, examples) = page::parted(&behind);
            let typed: Vec<&str> = examples.iter().map(|example| example.typed).collect();
            look(command, &typed);
        }
        let behind = page::behind(&tool);
        let (_, examples) = page::parted(&behind);
        let typed: Vec<&str> = examples.iter().map(|example| example.typed).collect();
        look(&tool, &typed);
    }

    #[test]
    fn every_command_has_examples_that_its_arguments_allow() {
        with_examples(|command, examples| {
            let name = command.get_name();
            assert!(!examples.is_empty(), "{name} has no examples");
            for example in examples {
                // What another program writes into it is that one's affair.
                let example = example.rsplit(" | ").next().unwrap_or(example);
                let parsed = Cli::try_parse_from(words(example));
                assert!(parsed.is_ok(), "{example}: {parsed:?}");
                assert!(words(example).contains(&name.to_owned()), "{example}");
            }
        });
    }

    #[test]
    fn every_option_is_in_an_example_of_its_command() {
        with_examples(|command, examples| {
            let is_tool = command.get_name() == "jailctl";
            // Those of commands within a command stand in its page, as their examples do.
            let nested = command.get_subcommands().filter(|_| !is_tool);
            let nested = nested.flat_map(clap::Command::get_arguments);
            let own = command.get_arguments().chain(nested).filter(|it| {
                let of_all = it.is_global_set() && !is_tool;
                !it.is_hide_set() && !of_all && !["help", "version"].contains(&it.get_id().as_str())
            });
            for long in own.filter_map(clap::Arg::get_long) {
                let option = format!("--{long}");
                let is_in = |example: &&str| words(example).contains(&option);
                assert!(
                    examples.iter().any(is_in),
                    "{} {option}",
                    command.get_name()
                );
            }
        });
    }

    #[test]
    fn the_man_pages_that_are_kept_say_what_the_arguments_are() {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/man");
        for (name, text) in pages(&mut Cli::command()) {
            let found = fs::read_to_string(kept.join(&name)).unwrap_or_default();
            assert!(found == text, "{name} is out of date: run make man");
        }
    }
}
