//! Completions and man pages, made of the description of the arguments.

use std::{fs, io};

use clap::CommandFactory;

use crate::{
    cli::{Cli, Completions, Man},
    failure::{Failure, Verdict},
};

/// Prints the completions for a shell.
pub(crate) fn completions(arguments: &Completions) -> Result<Verdict, Failure> {
    clap_complete::generate(
        arguments.shell,
        &mut Cli::command(),
        "jailctl",
        &mut io::stdout(),
    );
    Ok(Verdict::Fine)
}

/// Writes jailctl(8), and one page for each command that is not hidden.
pub(crate) fn man_pages(arguments: &Man) -> Result<Verdict, Failure> {
    let mut tool = Cli::command();
    for (name, text) in pages(&mut tool)? {
        let path = arguments.directory.join(name);
        fs::write(&path, &text).map_err(|error| Failure::io("write", &path, &error))?;
    }
    Ok(Verdict::Fine)
}

/// Makes the pages, by the names of their files.
fn pages(tool: &mut clap::Command) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    tool.build();
    let own = std::iter::once(("jailctl".to_owned(), &*tool));
    let commands = tool
        .get_subcommands()
        .filter(|it| !it.is_hide_set())
        .map(|command| (format!("jailctl-{}", command.get_name()), command));
    own.chain(commands)
        .map(|(name, command)| Ok((format!("{name}.8"), page(command, &name)?)))
        .collect()
}

fn page(command: &clap::Command, name: &str) -> Result<Vec<u8>, Failure> {
    let page = clap_mangen::Man::new(command.clone())
        .title(name.to_uppercase())
        .section("8")
        // The day it was made would make each build another one.
        .date("")
        .source(concat!("login-jail ", env!("CARGO_PKG_VERSION")))
        .manual("System Administration");
    let mut text = Vec::new();
    page.render(&mut text)
        .map_err(|error| Failure::Failed(format!("make the page {name}: {error}")))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use clap::CommandFactory;

    use super::pages;
    use crate::cli::Cli;

    #[test]
    fn the_man_pages_that_are_kept_say_what_the_arguments_are() {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/man");
        for (name, text) in pages(&mut Cli::command()).unwrap() {
            let found = fs::read(kept.join(&name)).unwrap_or_default();
            assert!(found == text, "{name} is out of date: run make man");
        }
    }
}
