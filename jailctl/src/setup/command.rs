//! A command of the host: shown as it is typed, and run.

use crate::{
    failure::Failure,
    shell::{self, quoted, shown},
};

/// A command of the host.
#[derive(Debug)]
pub(super) struct Command(Vec<String>);

impl Command {
    pub(super) fn of(words: &[&str]) -> Command {
        Command(words.iter().map(|word| (*word).to_owned()).collect())
    }

    /// Gives it as it is typed.
    pub(super) fn shown(&self) -> String {
        let words: Vec<String> = self.0.iter().map(quoted).collect();
        words.join(" ")
    }

    pub(super) fn run(&self) -> Result<(), Failure> {
        let words: Vec<&str> = self.0.iter().map(String::as_str).collect();
        let Some((program, arguments)) = words.split_first() else {
            return Ok(());
        };
        let missing = || Failure::Failed(format!("{}: it is not installed", self.shown()));
        let answer = shell::ask(program, arguments)?.ok_or_else(missing)?;
        if answer.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&answer.stderr).into_owned();
        Err(Failure::Failed(format!(
            "{}: {}",
            self.shown(),
            shown(said.trim())
        )))
    }
}
