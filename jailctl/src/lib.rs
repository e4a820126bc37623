//! The administrator's tool. It explains what a login does, finds what is wrong with jails and the doors to them, and
//! changes who is jailed.
//!
//! Nothing here is set-user-ID, and nothing here decides: what a login does is asked of the core, whose plan is printed,
//! taken in part, or rehearsed, and never made up a second time.
//!
//! There is a file for each subcommand in `commands`. They use `migrate`; `setup`; `doctor`, which explains, checks and mends;
//! `attack`, which tries the walls of a jail; and `accounts`. Behind these stand files about the host (`process`, `door`,
//! `pam`) and about what is printed. Imports go in this order and never back: tests/tests/documents/layers.rs has the list.
//! `stand_in` is the second program of this package, which `watch` starts by way of `libexec`.
#![allow(clippy::print_stderr, reason = "a command-line program")]

mod accounts;
mod attack;
mod cli;
mod clock;
mod command_lines;
mod commands;
mod counts;
mod doctor;
mod door;
mod failure;
mod guest;
mod kept;
mod last_check;
mod libexec;
mod manual;
mod migrate;
mod mountinfo;
mod output;
mod page;
mod pam;
mod process;
mod progress;
mod record;
mod setup;
mod shell;
mod sshd_config;
mod stand_in;
mod stdout;
mod style;
mod terminal;
mod watch;

use std::{
    env,
    ffi::OsString,
    fmt::Display,
    io::{self, Write},
    path::{self, Component, Path, PathBuf},
    process::ExitCode,
};

use clap::FromArgMatches;

use crate::{
    cli::{Cli, Command},
    failure::{Failure, Verdict},
    terminal::shown_lines,
};

/// Runs jailctl.
#[must_use]
pub fn tool() -> ExitCode {
    let status = match cli::command()
        .try_get_matches()
        .and_then(|it| Cli::from_arg_matches(&it))
    {
        Ok(cli) => status_of(run(cli)),
        Err(told) => {
            let printed = told.print();
            // The help, which was asked for: what is wrong with the arguments goes elsewhere.
            if !told.use_stderr() {
                stdout::record(printed);
            }
            u8::try_from(told.exit_code()).unwrap_or(2)
        }
    };
    finish(status)
}

/// Runs the program that stands in for a jailed user.
#[must_use]
pub fn stand_in() -> ExitCode {
    // Started by its descriptor, it would be called by the number of that.
    rustix::thread::set_name(c"stand-in").ok();
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    finish(status_of(stand_in::run(&arguments)))
}

/// Gives the exit status for what came of a command, and says why it failed where it did.
fn status_of(ended: Result<Verdict, Failure>) -> u8 {
    match ended {
        Ok(verdict) => verdict.status(),
        Err(failure) => {
            complain(&failure);
            failure.status()
        }
    }
}

fn finish(status: u8) -> ExitCode {
    match stdout::finish() {
        Ok(()) => ExitCode::from(status),
        Err(error) => {
            let failure = Failure::Failed(format!("write to standard output: {error}"));
            complain(&failure);
            ExitCode::from(status.max(failure.status()))
        }
    }
}

/// Says why something failed. Where that can't be written, the exit status still says that it did.
fn complain(why: &impl Display) {
    let why = shown_lines(&why.to_string());
    drop(writeln!(io::stderr(), "jailctl: {why}"));
}

fn run(cli: Cli) -> Result<Verdict, Failure> {
    let config = from_root(&cli.config)
        .map_err(|error| Failure::io("find the config below", &cli.config, &error))?;
    match cli.command {
        Command::Explain(arguments) => commands::explain::run(&config, &arguments),
        Command::Check(arguments) => commands::check::run(&config, &arguments),
        Command::Mend(arguments) => commands::mend::run(&config, &arguments),
        Command::List(arguments) => commands::list::run(&config, &arguments),
        Command::Status(arguments) => commands::status::run(&config, &arguments),
        Command::Sessions(arguments) => commands::sessions::run(&config, &arguments),
        Command::Metrics(arguments) => commands::metrics::run(&config, &arguments),
        Command::Replay(arguments) => commands::replay::run(&arguments),
        Command::Kick(arguments) => commands::kick::run(&config, &arguments),
        Command::Add(arguments) => in_json(arguments.json, commands::add::run(&config, &arguments)),
        Command::Release(arguments) => commands::release::run(&config, &arguments),
        Command::Setup(arguments) => in_json(
            arguments.output.json,
            commands::setup::run(&config, &arguments),
        ),
        Command::Apply(arguments) => in_json(
            arguments.output.json,
            commands::apply::run(&config, &arguments),
        ),
        Command::Undo(arguments) => in_json(arguments.output.json, commands::undo::run(&arguments)),
        Command::Migrate(arguments) => commands::migrate::run(&arguments),
        Command::Enter(arguments) => commands::enter::run(&config, &arguments),
        Command::Build(build) => build.run(&config),
        Command::Import(import) => import.run(&config),
        Command::Versions(arguments) => commands::versions::run(&config, &arguments),
        Command::Presets(list) => list.run(),
        Command::Update(update) => {
            failure::need_root("compare and mend roots").and_then(|()| update.run())
        }
        Command::Rollback(rollback) => rollback.run(&config),
        Command::Complete(arguments) => commands::complete::run(&config, &arguments),
        Command::Completions(arguments) => commands::completions::run(&cli::command(), &arguments),
        Command::Man(arguments) => commands::man::run(cli::command(), &arguments),
    }
}

/// Says as JSON as well why a change failed, where a program has asked for JSON and has nothing yet.
fn in_json(json: bool, ended: Result<Verdict, Failure>) -> Result<Verdict, Failure> {
    if let Err(failure) = &ended
        && json
        && !stdout::has_said()
    {
        stdout::say_json(&serde_json::json!({ "error": failure.to_string() }));
    }
    ended
}

/// Gives a path as it is from `/` on, which is how the core walks to a config; `..` leads back the way it came.
fn from_root(path: &Path) -> io::Result<PathBuf> {
    let mut whole = PathBuf::new();
    for component in path::absolute(path)?.components() {
        match component {
            Component::ParentDir => drop(whole.pop()),
            other => whole.push(other),
        }
    }
    Ok(whole)
}
