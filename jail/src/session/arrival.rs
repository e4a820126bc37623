//! What a login brings to a world that is there already: what is to run, and what of its caller's it gets.
//!
//! It lies in a file in memory, of which the world's init gets the descriptor: a message would be too small for a long command.
//! Only root writes it.
//!
//! The keeper of the session does not read it, but the main process, whose memory ends with execve(2). The few things that a keeper
//! has to know are the message.

use std::{os::fd::OwnedFd, path::PathBuf};

use jail_config::Home;
use nix::sys::resource::{Resource, getrlimit};

use crate::{
    channel,
    fault::{StepFault, failed},
    packed::{Packed, Unpacked},
    plan::{
        Plan,
        environment::Variable,
        request::{Request, What},
    },
    process::{
        limits,
        start::{Inherited, Limit},
    },
};

/// The most that a login brings, in bytes: the environment and the arguments that execve(2) takes, twice over.
const LONGEST: u64 = 16 * 1024 * 1024;

/// What a keeper has to know of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    /// What the descriptors are that come with it, by a letter each.
    pub(crate) kinds: &'a str,
    /// The pid of the supervisor, on the host: for the name of the keeper.
    pub(crate) supervisor: i32,
    /// How many processes the caller may have.
    pub(crate) processes: Limit,
    /// What the session does with the terminal, in a word of [`crate::session::terminal`].
    pub(crate) terminal: &'a str,
}

impl<'a> Head<'a> {
    /// The longest, in bytes.
    pub(crate) const LONGEST: usize = 128;

    /// Takes it of this process, which is to be the supervisor.
    ///
    /// # Errors
    /// getrlimit(2) failed.
    pub(crate) fn of(
        kinds: &'a str,
        terminal: &'a str,
        inherited: &Inherited,
    ) -> Result<Head<'a>, StepFault> {
        Ok(Head {
            kinds,
            supervisor: rustix::process::getpid().as_raw_nonzero().get(),
            processes: limit(Resource::RLIMIT_NPROC, inherited)?,
            terminal,
        })
    }

    pub(crate) fn encode(&self) -> String {
        let Head {
            kinds,
            supervisor,
            processes: Limit { soft, hard, .. },
            terminal,
        } = self;
        format!("{kinds} {supervisor} {soft} {hard} {terminal}")
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Head<'_>> {
        let mut words = std::str::from_utf8(bytes).ok()?.splitn(5, ' ');
        Some(Head {
            kinds: words.next()?,
            supervisor: words.next()?.parse().ok()?,
            processes: Limit {
                resource: Resource::RLIMIT_NPROC,
                soft: words.next()?.parse().ok()?,
                hard: words.next()?.parse().ok()?,
            },
            terminal: words.next()?,
        })
    }
}

/// What a login brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// What the world must be made of.
    pub(crate) world: String,
    /// What is to be run.
    pub(crate) request: Request,
    /// The file mode creation mask.
    pub(crate) umask: u32,
    /// The working directory inside.
    pub(crate) home: Home,
    /// The environment, all but HOME.
    pub(crate) environment: Vec<Variable>,
    /// Every limit of the caller's.
    pub(crate) limits: Vec<Limit>,
}

impl Arrival {
    /// Takes it of a plan. `world` is what the world must be made of.
    ///
    /// # Errors
    /// A program without a shell, which shares no world; or getrlimit(2) failed.
    pub(crate) fn of(
        plan: &Plan,
        world: String,
        inherited: &Inherited,
    ) -> Result<Arrival, StepFault> {
        let request = plan.process.request();
        let request = request.filter(|it| !matches!(it.what, What::Direct(_)));
        let request = request.ok_or(StepFault::Bug("what shares no world is to share one"))?;
        Ok(Arrival {
            world,
            request: request.clone(),
            umask: plan.process.umask,
            home: plan.process.home.clone(),
            environment: plan.process.environment.clone(),
            limits: limits::ALL
                .into_iter()
                .map(|resource| limit(resource, inherited))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Puts it into a file in memory.
    ///
    /// # Errors
    /// The file can't be made or written.
    pub(crate) fn write(&self) -> Result<OwnedFd, StepFault> {
        channel::pack("arrival", &self.encode())
    }

    /// Reads it of the file; nothing where it can't be read or makes no sense.
    pub(crate) fn read(file: OwnedFd) -> Option<Arrival> {
        Arrival::decode(&channel::unpack(file, LONGEST).ok()?)
    }

    fn encode(&self) -> Vec<u8> {
        let mut text = Packed::default();
        text.put(&self.world);
        text.put_if(self.request.login, "login");
        match &self.request.what {
            What::Shell | What::Direct(_) => text.put("shell"),
            What::Command { command, arguments } => {
                text.put("command");
                text.put(command);
                text.put_all(arguments);
            }
            What::Sftp {
                asked,
                options,
                unsure,
                shell,
            } => {
                text.put("sftp");
                text.put(asked);
                text.put_all(options);
                text.put_if(*unsure, "unsure");
                text.put_if(*shell, "shell");
            }
        }
        text.put_number(self.umask);
        match &self.home {
            Home::Set(path) => {
                text.put("set");
                text.put(path);
            }
            Home::Default(path) => {
                text.put("default");
                text.put(path);
            }
        }
        text.put_number(self.environment.len());
        for (name, value) in &self.environment {
            text.put(name);
            text.put(value);
        }
        for Limit { soft, hard, .. } in &self.limits {
            text.put_number(soft);
            text.put_number(hard);
        }
        text.into_bytes()
    }

    fn decode(text: &[u8]) -> Option<Arrival> {
        let mut text = Unpacked::new(text);
        let world = text.word()?;
        let login = text.is("login")?;
        let what = match text.word()?.as_str() {
            "shell" => What::Shell,
            "command" => What::Command {
                command: text.take()?,
                arguments: text.all(Unpacked::take)?,
            },
            "sftp" => What::Sftp {
                asked: text.take()?.into(),
                options: text.all(Unpacked::take)?,
                unsure: text.is("unsure")?,
                shell: text.is("shell")?,
            },
            _ => return None,
        };
        let umask = text.number()?;
        let home: fn(PathBuf) -> Home = match text.word()?.as_str() {
            "set" => Home::Set,
            "default" => Home::Default,
            _ => return None,
        };
        let home = home(text.take()?.into());
        let environment = text.all(|text| Some((text.take()?, text.take()?)))?;
        let mut limits = Vec::with_capacity(limits::ALL.len());
        for resource in limits::ALL {
            limits.push(Limit {
                resource,
                soft: text.number()?,
                hard: text.number()?,
            });
        }
        text.is_empty().then_some(Arrival {
            world,
            request: Request { login, what },
            umask,
            home,
            environment,
            limits,
        })
    }
}

/// Gives the caller's limit, which set-up may have changed.
fn limit(resource: Resource, inherited: &Inherited) -> Result<Limit, StepFault> {
    let mut all = inherited.limits.iter();
    if let Some(known) = all.find(|it| it.resource == resource) {
        return Ok(*known);
    }
    let (soft, hard) = getrlimit(resource).map_err(failed("getrlimit"))?;
    Ok(Limit {
        resource,
        soft,
        hard,
    })
}

#[cfg(test)]
mod tests;
