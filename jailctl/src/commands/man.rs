//! `jailctl man`: writes the man pages, made of the description of the arguments.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::{Args, Command};

use crate::{
    failure::{Failure, Verdict},
    page,
};

/// Write the man pages of this tool into a directory
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The directory
    pub(crate) directory: PathBuf,
}

/// Writes jailctl(8), and one page for each command that is not hidden.
pub(crate) fn run(tool: Command, arguments: &Arguments) -> Result<Verdict, Failure> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| Failure::io("write", &path, &error)
    };
    let pages = pages(tool).map_err(failed(&arguments.directory))?;
    for (name, text) in pages {
        let path = arguments.directory.join(name);
        fs::write(&path, &text).map_err(failed(&path))?;
    }
    Ok(Verdict::Fine)
}

/// Makes the pages, by the names of their files.
fn pages(tool: Command) -> io::Result<Vec<(String, String)>> {
    // What help does is what each page does.
    let mut tool = tool.disable_help_subcommand(true);
    tool.build();
    let mut pages = Vec::new();
    add_pages(&tool, "jailctl", &mut pages)?;
    Ok(pages)
}

fn add_pages(command: &Command, name: &str, pages: &mut Vec<(String, String)>) -> io::Result<()> {
    pages.push((format!("{name}.8"), page::of(command, name)?));
    for within in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        add_pages(within, &format!("{name}-{}", within.get_name()), pages)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use clap::Parser;

    use super::pages;
    use crate::{
        cli::{Cli, command},
        page::{self, Behind},
    };

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

    /// Calls with jailctl itself and each command of its, and what stands behind its help.
    fn with_each(look: impl Fn(&clap::Command, &Behind<'_>)) {
        fn walk(command: &clap::Command, look: &impl Fn(&clap::Command, &Behind<'_>)) {
            let text = page::behind(command);
            look(command, &Behind::of(&text));
            let shown = command.get_subcommands().filter(|it| !it.is_hide_set());
            shown.for_each(|it| walk(it, look));
        }
        let mut tool = command().disable_help_subcommand(true);
        tool.build();
        walk(&tool, &look);
    }

    /// Gives what is typed in the examples.
    fn typed<'a>(behind: &Behind<'a>) -> Vec<&'a str> {
        behind.examples.iter().map(|example| example.term).collect()
    }

    #[test]
    fn every_command_says_more_than_its_name_and_has_exit_statuses_and_files() {
        with_each(|command, behind| {
            let name = command.get_name();
            let about = command.get_about().unwrap().to_string();
            let long = command.get_long_about().map(ToString::to_string);
            let long = long.unwrap_or_default();
            assert!(long.len() > about.len() + 80, "{name}: {long}");
            assert!(about.len() <= 80, "{name}: {about}");
            assert!(behind.exit_status.len() >= 3, "{name}: {behind:?}");
            assert!(!behind.files.is_empty(), "{name}");
            let entries = behind.exit_status.iter().chain(&behind.files);
            assert!(
                entries.clone().all(|it| it.words.is_some()),
                "{name}: {behind:?}"
            );
        });
    }

    #[test]
    fn every_command_has_examples_that_its_arguments_allow() {
        with_each(|command, behind| {
            let name = command.get_name();
            assert!(!behind.examples.is_empty(), "{name} has no examples");
            for example in typed(behind) {
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
        with_each(|command, behind| {
            let is_tool = command.get_name() == "jailctl";
            let own = command.get_arguments().filter(|it| {
                let of_all = it.is_global_set() && !is_tool;
                !it.is_hide_set() && !of_all && !["help", "version"].contains(&it.get_id().as_str())
            });
            for long in own.filter_map(clap::Arg::get_long) {
                let option = format!("--{long}");
                let is_in = |example: &&str| words(example).contains(&option);
                assert!(
                    typed(behind).iter().any(is_in),
                    "{} {option}",
                    command.get_name()
                );
            }
        });
    }

    #[test]
    fn the_man_pages_that_are_kept_say_what_the_arguments_are() {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/man");
        for (name, text) in pages(command()).unwrap() {
            let found = fs::read_to_string(kept.join(&name)).unwrap_or_default();
            assert!(found == text, "{name} is out of date: run make man");
        }
    }
}
