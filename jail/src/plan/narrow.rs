//! Holds a request against the list of commands that a jail allows.

use std::path::PathBuf;

use jail_config::{Allowed, Argument, Jail};

use super::{
    allowed::{Asked, Direct, NotAllowed, direct, named},
    request::{Request, What},
    words::Word,
};

impl Request {
    /// Holds a request against a list of commands that has no shell; nothing narrows it where there is none.
    ///
    /// # Errors
    /// The list does not allow it.
    pub(crate) fn within(self, commands: Option<&[Allowed]>) -> Result<Request, NotAllowed> {
        match commands {
            Some(list) => narrow(self, list),
            None => Ok(self),
        }
    }

    /// Makes of a request without a terminal, where the sessions of a jail are recorded, what no shell has to read: clients of
    /// scp, rsync and git ask for nothing else. Leaves any other as it is.
    #[must_use]
    pub fn without_terminal(self, jail: &Jail) -> Request {
        let is_command = matches!(self.what, What::Command { .. });
        if jail.record.recording().is_none() || !is_command {
            return self;
        }
        let list = match &jail.commands {
            None => vec![Allowed::Scp, Allowed::Rsync, Allowed::Git],
            Some(list) => list.clone(),
        };
        let list: Vec<Allowed> = list
            .into_iter()
            .filter(|it| *it != Allowed::Shell)
            .collect();
        match narrow(self.clone(), &list) {
            Ok(Request {
                login,
                what: What::Direct(direct),
            }) => {
                // Git then refuses another's repository: here its hooks may start anything.
                let environment = Vec::new();
                let what = What::Direct(Direct {
                    environment,
                    ..direct
                });
                Request { login, what }
            }
            Ok(_) | Err(_) => self,
        }
    }
}

/// Holds a request against a list without `"shell"`.
///
/// # Errors
/// The list does not allow it.
fn narrow(request: Request, list: &[Allowed]) -> Result<Request, NotAllowed> {
    let refuse = |asked| NotAllowed::new(asked, list);
    let has = |entry: Allowed| list.contains(&entry);
    let what = match request.what {
        What::Shell => Err(Asked::Shell),
        // The old protocol of scp is a command of its own.
        What::Sftp {
            options, unsure, ..
        } if has(Allowed::Sftp) || has(Allowed::Scp) => {
            Ok(What::Sftp {
                // A path would be the client's choice.
                asked: PathBuf::from("internal-sftp"),
                options,
                unsure,
                shell: false,
            })
        }
        What::Sftp { .. } => Err(Asked::Sftp),
        What::Command { command, arguments } if arguments.is_empty() => {
            direct(&command, list).map(What::Direct)
        }
        What::Command { .. } => Err(Asked::Shell),
        // Only this module makes one.
        What::Direct(direct) => Ok(What::Direct(direct)),
    };
    Ok(Request {
        login: false,
        what: what.map_err(refuse)?,
    })
}

/// Makes a request that a list allows: that of its first entry.
#[must_use]
pub fn example(list: &[Allowed]) -> Request {
    let plain = |words: &[&str]| words.iter().map(Word::plain).collect();
    let what = match list.first() {
        None | Some(Allowed::Shell) => What::Shell,
        Some(Allowed::Sftp | Allowed::Scp) => What::Sftp {
            asked: PathBuf::from("internal-sftp"),
            options: Vec::new(),
            unsure: false,
            shell: false,
        },
        Some(Allowed::Rsync) => What::Direct(named("rsync", plain(&["--server", "-e.", ".", "."]))),
        Some(Allowed::Git) => What::Direct(named("git", plain(&["upload-pack", "."]))),
        Some(Allowed::Program(program)) => {
            let fixed = |argument: &Argument| match argument {
                Argument::Fixed(text) => Some(Word::plain(text)),
                Argument::One => Some(Word::plain("-")),
                Argument::Rest => None,
            };
            What::Direct(Direct {
                paths: vec![PathBuf::from(&program.path)],
                arguments: program
                    .arguments
                    .iter()
                    .flatten()
                    .filter_map(fixed)
                    .collect(),
                environment: Vec::new(),
            })
        }
    };
    Request { login: false, what }
}

#[cfg(test)]
mod tests;
