//! The administrator's tool. It explains what a login does, finds what is wrong with jails and the doors to them, and
//! changes who is jailed.
//!
//! Nothing here is set-user-ID, and nothing here decides: what a login does is asked of the core, whose plan is printed,
//! taken in part, or rehearsed, and never made up a second time.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program"
)]

mod account;
mod attack;
mod check;
mod cli;
mod door;
mod edit;
mod enter;
mod explain;
mod failure;
mod generate;
mod guest;
mod kick;
mod list;
mod membership;
mod migrate;
mod output;
mod page;
mod process;
mod programs;
mod rehearsal;
mod sessions;
mod shell;
mod status;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    cli::{Cli, Command},
    failure::Failure,
};

fn main() -> ExitCode {
    let Cli { config, command } = Cli::parse();
    let done = match command {
        Command::Explain(arguments) => explain::run(&config, &arguments),
        Command::Check(arguments) => check::run(&config, &arguments),
        Command::List(arguments) => list::run(&config, &arguments),
        Command::Status(arguments) => status::run(&config, &arguments),
        Command::Sessions(arguments) => sessions::run(&config, &arguments),
        Command::Kick(arguments) => kick::run(&config, &arguments),
        Command::Add(arguments) => membership::add(&config, &arguments),
        Command::Release(arguments) => membership::release(&config, &arguments),
        Command::Migrate(arguments) => migrate::run(&arguments),
        Command::Enter(arguments) => enter::run(&config, &arguments),
        Command::Build(build) => build.run().map_err(Failure::from),
        Command::Import(import) => import.run().map_err(Failure::from),
        Command::Presets(list) => list.run().map_err(Failure::from),
        Command::Update(update) => update.run().map_err(Failure::from),
        Command::Rollback(rollback) => rollback.run().map_err(Failure::from),
        Command::Completions(arguments) => generate::completions(&arguments),
        Command::Man(arguments) => generate::man_pages(&arguments),
        Command::Rehearse(arguments) => rehearsal::look_inside(&config, &arguments),
        Command::Accomplice(arguments) => attack::be_accomplice(&arguments),
        Command::Unwalled(arguments) => attack::try_unwalled(&arguments),
        Command::KillAll(arguments) => kick::kill_all(&arguments),
        Command::Watch(arguments) => watch::run(&arguments),
    };
    match done {
        Ok(verdict) => ExitCode::from(verdict.status()),
        Err(failure) => {
            eprintln!("jailctl: {failure}");
            ExitCode::from(failure.status())
        }
    }
}
