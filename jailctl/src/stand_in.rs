//! The second program of this package: what jailctl starts as processes of their own. They come to have a jailed user's
//! ids, enter a jail that has no way back, or read what may never answer.
//!
//! Its arguments are no interface: both programs are installed together, and come from one build.

use std::{ffi::OsString, path::Path};

use clap::ValueEnum;

use crate::{
    attack, command_lines,
    commands::kick,
    doctor::rehearsal::{self, Task},
    door::Door,
    failure::{Failure, Verdict},
    watch,
};

/// Does what the arguments say: a word, and what belongs to it.
///
/// # Errors
/// The arguments are none that jailctl gives, or what they ask for failed.
pub(crate) fn run(arguments: &[OsString]) -> Result<Verdict, Failure> {
    let by_hand =
        || Failure::Usage("jailctl starts this program; by hand it is of no use".to_owned());
    let (what, rest) = arguments.split_first().ok_or_else(by_hand)?;
    match (text(what)?, rest) {
        ("watch", [longest, rest @ ..]) => watch::run(number(longest)?, rest),
        ("rehearse", [config, door, user]) => {
            rehearsal::look_inside(Path::new(config), door_of(door)?, text(user)?, Task::Look)
        }
        ("rehearse-sftp", [config, door, user]) => {
            rehearsal::look_inside(Path::new(config), door_of(door)?, text(user)?, Task::Sftp)
        }
        ("attack", [config, door, user]) => {
            rehearsal::look_inside(Path::new(config), door_of(door)?, text(user)?, Task::Attack)
        }
        ("accomplice", [user]) => attack::be_accomplice(text(user)?),
        ("outside", [user, socket, program, arguments @ ..]) => {
            attack::run_outside(text(user)?, Path::new(socket), program, arguments)
        }
        ("probe", [socket]) => attack::try_here(Path::new(socket)),
        ("kill-all", [uid]) => kick::kill_all(number(uid)?),
        ("commands", pids) => {
            let pids: Result<Vec<i32>, Failure> = pids.iter().map(number).collect();
            command_lines::run(&pids?)
        }
        _ => Err(by_hand()),
    }
}

fn text(argument: &OsString) -> Result<&str, Failure> {
    let text = argument.to_str();
    text.ok_or_else(|| Failure::Usage("an argument is no UTF-8".to_owned()))
}

fn number<Number: std::str::FromStr>(argument: &OsString) -> Result<Number, Failure> {
    let number = text(argument)?.parse();
    number.map_err(|_| Failure::Usage("a number is wanted".to_owned()))
}

fn door_of(argument: &OsString) -> Result<Door, Failure> {
    Door::from_str(text(argument)?, false).map_err(Failure::Usage)
}
