//! `jailctl man`: writes the man pages, made of the description of the arguments.

use std::fs;

use clap::Command;

use crate::{
    failure::{Failure, Verdict},
    hidden::Man,
    page,
};

/// Writes jailctl(8), and one page for each command that is not hidden.
pub(crate) fn run(tool: &mut Command, arguments: &Man) -> Result<Verdict, Failure> {
    for (name, text) in pages(tool) {
        let path = arguments.directory.join(name);
        fs::write(&path, &text).map_err(|error| Failure::io("write", &path, &error))?;
    }
    Ok(Verdict::Fine)
}

/// Makes the pages, by the names of their files.
fn pages(tool: &mut Command) -> Vec<(String, String)> {
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
