//! What the caller asks for, from the arguments and SSH_ORIGINAL_COMMAND alone.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::{
    allowed::{Direct, SFTP_SERVERS},
    sftp::{self, Reading},
    usual_shell::is_usual_shell,
    words,
};
use crate::account::identity::Identity;

/// The longest command that is passed on, in bytes: what execve(2) takes as one argument, its NUL included
/// (MAX_ARG_STRLEN, 32 pages).
pub const LONGEST_COMMAND: usize = 32 * 4096 - 1;

/// The name of the door that both sshd's forced command and the login shell start.
const DOOR: &str = "jail-shell";

/// A program of the jail, and its arguments, argv\[0\] included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Its path in the jail.
    pub program: PathBuf,
    /// What it is given.
    pub arguments: Vec<OsString>,
}

impl Start {
    /// Starts a program by its own name.
    pub(crate) fn of(program: &Path, arguments: impl IntoIterator<Item = OsString>) -> Start {
        let name = program.file_name().unwrap_or_default().to_owned();
        Start {
            program: program.to_owned(),
            arguments: [name].into_iter().chain(arguments).collect(),
        }
    }
}

/// A request, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whether the shell is started as a login shell, with `-` before its name.
    pub login: bool,
    /// What to run.
    pub what: What,
}

/// Why a call is no request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestFault {
    /// The arguments make none.
    Usage(String),
    /// sftp was asked for by a command that only a shell can read: what of it.
    SftpCommand(String),
    /// The account's forced command is an sftp-server, and the client asked for this.
    SftpOnly(OsString),
}

/// What to run in the jail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// An interactive shell.
    Shell,
    /// `shell -c command arguments…`. The command is one argument; nothing outside the jail reads it.
    Command {
        /// The command line for the shell inside.
        command: OsString,
        /// What follows it: `$0` and the positional parameters, as sh(1) has them.
        arguments: Vec<OsString>,
    },
    /// The jail's own sftp-server.
    Sftp {
        /// The server that was asked for: a path, or `internal-sftp`, sshd's built-in one.
        asked: PathBuf,
        /// What followed it.
        options: Vec<OsString>,
        /// Whether the client may have asked for something else: sshd's forced command is all that is known, and it is the
        /// same for a client that wants a shell.
        unsure: bool,
        /// Whether the jail allows a shell, which may have a say in it.
        shell: bool,
    },
    /// A program that the jail's list of commands allows. No shell reads the request.
    Direct(Direct),
}

impl What {
    /// Makes a request of a command: it is sftp where that is an sftp-server.
    fn command(command: &OsStr, arguments: &[OsString]) -> Result<What, RequestFault> {
        let command = bounded(command)?;
        match sftp::read(&command) {
            Reading::Server { asked, options } => Ok(What::Sftp {
                asked,
                options,
                unsure: false,
                shell: true,
            }),
            Reading::Hidden(why) => Err(RequestFault::SftpCommand(why)),
            Reading::Other => Ok(What::Command {
                command,
                arguments: arguments.to_vec(),
            }),
        }
    }

    /// Looks at what the client has asked sshd for, where the login shell was told to start an sftp-server: the forced command
    /// is the same for every request. sshd hands no request over of a client that wants a shell, and none where no command is
    /// forced.
    fn for_client(self, original: Option<&OsStr>) -> Result<What, RequestFault> {
        let What::Sftp { asked, options, .. } = self else {
            return Ok(self);
        };
        let unsure = match original.map(|original| (original, sftp::read(original))) {
            None => true,
            Some((_, Reading::Server { .. })) => false,
            Some((original, _)) if sftp::may_be_wanted_by(original) => true,
            Some((original, _)) => return Err(RequestFault::SftpOnly(original.to_owned())),
        };
        Ok(What::Sftp {
            asked,
            options,
            unsure,
            shell: true,
        })
    }
}

impl Request {
    /// Reads a request from the arguments, argv\[0\] included, and from SSH_ORIGINAL_COMMAND.
    ///
    /// `sshd` tells that SSH_CONNECTION is set. argv\[0\] decides nothing but whether the shell is a login shell.
    ///
    /// # Errors
    /// No argv\[0\], an option other than `-c`, `-c` without a command, or a command over [`LONGEST_COMMAND`].
    pub fn parse(
        arguments: &[OsString],
        original: Option<OsString>,
        sshd: bool,
        caller: &Identity,
    ) -> Result<Request, RequestFault> {
        let (name, options) = match arguments.split_first() {
            Some((name, options)) if !name.is_empty() => (name, options),
            _ => return Err(usage("called without argv[0]")),
        };
        let login = name.as_bytes().starts_with(b"-");
        match options {
            // As login shell: sshd's own variable is not ours to read, a forced command has no "-".
            [] if login => Ok(Request {
                login,
                what: What::Shell,
            }),
            [] => forced(original, sshd),
            [dash_c, command] if dash_c == "-c" && is_this_door(command, caller) => {
                forced(original, sshd)
            }
            [dash_c, command, arguments @ ..] if dash_c == "-c" => {
                let what = What::command(command, arguments)?;
                let what = match sshd {
                    true => what.for_client(original.as_deref())?,
                    false => what,
                };
                Ok(Request { login, what })
            }
            [dash_c] if dash_c == "-c" => Err(usage("-c needs a command")),
            [other, ..] => Err(usage(&format!("unknown option {other:?}"))),
        }
    }
}

impl Request {
    /// Tells whether a call is as sshd's forced command makes it, for the log. Anybody can call like that.
    #[must_use]
    pub fn is_forced(arguments: &[OsString]) -> bool {
        match arguments {
            [name] => !name.as_bytes().starts_with(b"-"),
            [_, dash_c, command] => dash_c == "-c" && leads_to_door(command),
            _ => false,
        }
    }

    /// Tells whether a client of sftp may have made a call, whoever it is for: such a client shows no other text than what an
    /// sftp-server says.
    #[must_use]
    pub fn is_for_sftp(arguments: &[OsString], original: Option<&OsStr>) -> bool {
        let command = match arguments {
            [_, dash_c, command, ..] if dash_c == "-c" => Some(command.as_os_str()),
            _ => original,
        };
        let command = match command {
            Some(command) if leads_to_door(command) => original,
            _ => command,
        };
        let is_server = command.is_some_and(|command| sftp::read(command) != Reading::Other);
        is_server && original.is_none_or(sftp::may_be_wanted_by)
    }

    /// Says what is to be started. `sftp_server` is a path in the jail, found where it is asked for; `leads_to` is where
    /// the shell leads there as a link.
    pub(crate) fn start(&self, shell: &Path, leads_to: &Path, sftp_server: Option<&Path>) -> Start {
        if let What::Direct(direct) = &self.what {
            let program = direct.paths.first().map_or(shell, PathBuf::as_path);
            let arguments = direct.arguments.iter().map(|word| word.text.clone());
            return Start::of(program, arguments);
        }
        let options = self.options_without_link(shell, leads_to);
        if let (Some(options), Some(server)) = (options, sftp_server) {
            return Start::of(server, options.iter().cloned());
        }
        let mut name = OsString::from(if self.login { "-" } else { "" });
        name.push(shell.file_name().unwrap_or(shell.as_os_str()));
        let mut arguments = vec![name];
        match (&self.what, sftp_server) {
            (What::Shell | What::Direct(_), _) | (What::Sftp { .. }, None) => {}
            (
                What::Command {
                    command,
                    arguments: more,
                },
                _,
            ) => {
                arguments.extend(["-c".into(), command.clone()]);
                arguments.extend_from_slice(more);
            }
            (What::Sftp { options, .. }, Some(server)) => {
                let words = std::iter::once(server.as_os_str());
                let words = words.chain(options.iter().map(OsString::as_os_str));
                let words: Vec<OsString> = words.map(words::quoted).collect();
                arguments.extend(["-c".into(), words.join(OsStr::new(" "))]);
            }
        }
        Start {
            program: shell.to_owned(),
            arguments,
        }
    }

    /// Gives the paths of the program that a list of commands has started for it; nothing for a shell.
    pub(super) fn starts_directly(&self) -> Option<Vec<PathBuf>> {
        match &self.what {
            What::Direct(direct) => Some(direct.paths.clone()),
            What::Sftp { .. } => Some(SFTP_SERVERS.map(PathBuf::from).to_vec()),
            What::Shell | What::Command { .. } => None,
        }
    }

    /// Gives the sftp-server's options where it is started itself, and the shell plays no part. Whoever has SFTP and nothing
    /// else must not find a shell beside the server: it reads start-up files of theirs (bash, where SSH_CLIENT is set), and
    /// where it waits for the server, its memory can be written through /proc/PID/mem, which the server serves. A shell that
    /// is none of the usual may be there to refuse sftp. This goes by the shell's own name, and follows no link.
    #[must_use]
    pub fn options_without_shell(&self, shell: &Path) -> Option<&[OsString]> {
        self.options_without_link(shell, shell)
    }

    /// As [`Request::options_without_shell`], where it is known what the shell leads to as a link.
    pub(crate) fn options_without_link(
        &self,
        shell: &Path,
        leads_to: &Path,
    ) -> Option<&[OsString]> {
        match &self.what {
            What::Sftp {
                options,
                shell: asked,
                ..
            } if !asked || is_usual_shell(shell, leads_to) => Some(options),
            _ => None,
        }
    }
}

/// Makes the request of a ForceCommand: what the client asked sshd for, or a login shell.
fn forced(original: Option<OsString>, sshd: bool) -> Result<Request, RequestFault> {
    let Some(command) = original else {
        return Ok(Request {
            login: sshd,
            what: What::Shell,
        });
    };
    Ok(Request {
        login: false,
        what: What::command(&command, &[])?,
    })
}

/// Tells whether a command is this very program: sshd runs a ForceCommand as `SHELL -c COMMAND`, and where jail-shell
/// is both, that is no command of the user's.
fn is_this_door(command: &OsStr, caller: &Identity) -> bool {
    let words = words::split(command).unwrap_or_default();
    let [program] = sftp::without_exec(&words) else {
        return false;
    };
    let program = Path::new(program);
    program.file_name() == Some(OsStr::new(DOOR))
        && (program == Path::new(DOOR)
            || program == caller.shell
            || std::env::current_exe().is_ok_and(|own| own == program))
}

/// Tells whether a command starts a program of this one's name.
fn leads_to_door(command: &OsStr) -> bool {
    program_of(command).is_some_and(|program| program.file_name() == Some(OsStr::new(DOOR)))
}

/// Gives the program of a command, however it is spelt; nothing where a shell would do more than start one.
#[must_use]
pub fn program_of(command: &OsStr) -> Option<PathBuf> {
    let words = words::split(command).ok()?;
    sftp::without_exec(&words).first().map(PathBuf::from)
}

fn bounded(command: &OsStr) -> Result<OsString, RequestFault> {
    if command.len() > LONGEST_COMMAND {
        return Err(usage(&format!(
            "the command is {} bytes long; {LONGEST_COMMAND} are the most",
            command.len()
        )));
    }
    Ok(command.to_owned())
}

fn usage(what: &str) -> RequestFault {
    RequestFault::Usage(what.to_owned())
}

#[cfg(test)]
mod tests;
