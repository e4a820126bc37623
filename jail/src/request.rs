//! What the caller asks for, from the arguments and SSH_ORIGINAL_COMMAND alone.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use crate::{identity::Identity, program::SFTP_SERVERS, refusal::Refusal};

/// The longest command that is passed on, in bytes: what execve(2) takes as one argument, its NUL included
/// (MAX_ARG_STRLEN, 32 pages).
pub const LONGEST_COMMAND: usize = 32 * 4096 - 1;

/// What sshd puts into SSH_ORIGINAL_COMMAND for `Subsystem sftp internal-sftp`: sshd_config(5).
const INTERNAL_SFTP: &str = "internal-sftp";

/// A request, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whether the shell is started as a login shell, with `-` before its name.
    pub login: bool,
    /// What to run.
    pub what: What,
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
        /// What followed it, with the space between.
        options: OsString,
    },
}

impl What {
    /// Makes a request of a command: it is sftp where it begins with a server that sshd_config(5) would name.
    fn command(command: &OsStr, arguments: &[OsString]) -> Result<What, Refusal> {
        let command = bounded(command)?;
        let end = command.as_bytes().iter().position(|byte| *byte == b' ');
        let (server, options) = command.as_bytes().split_at(end.unwrap_or(command.len()));
        let server = OsStr::from_bytes(server);
        if server == INTERNAL_SFTP || SFTP_SERVERS.iter().any(|path| server == *path) {
            return Ok(What::Sftp {
                asked: server.into(),
                options: OsStr::from_bytes(options).to_owned(),
            });
        }
        Ok(What::Command {
            command,
            arguments: arguments.to_vec(),
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
    ) -> Result<Request, Refusal> {
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
            [dash_c, command, arguments @ ..] if dash_c == "-c" => Ok(Request {
                login,
                what: What::command(command, arguments)?,
            }),
            [dash_c] if dash_c == "-c" => Err(usage("-c needs a command")),
            [other, ..] => Err(usage(&format!("unknown option {other:?}"))),
        }
    }
}

impl Request {
    /// Gives the arguments that ask a shell for it. `sftp_server` is a path in the jail, found where it is asked for.
    pub(crate) fn arguments(&self, shell: &Path, sftp_server: Option<&Path>) -> Vec<OsString> {
        let mut name = OsString::from(if self.login { "-" } else { "" });
        name.push(shell.file_name().unwrap_or(shell.as_os_str()));
        let mut all = vec![name];
        match (&self.what, sftp_server) {
            (What::Shell, _) | (What::Sftp { .. }, None) => {}
            (What::Command { command, arguments }, _) => {
                all.extend(["-c".into(), command.clone()]);
                all.extend_from_slice(arguments);
            }
            (What::Sftp { options, .. }, Some(server)) => {
                let mut command = server.as_os_str().to_owned();
                command.push(options);
                all.extend(["-c".into(), command]);
            }
        }
        all
    }
}

/// Makes the request of a ForceCommand: what the client asked sshd for, or a login shell.
fn forced(original: Option<OsString>, sshd: bool) -> Result<Request, Refusal> {
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
    let named_so = Path::new(command).file_name() == Some(OsStr::new("jail-shell"));
    named_so
        && (command == "jail-shell"
            || caller.has_shell(command)
            || std::env::current_exe().is_ok_and(|own| own == command))
}

fn bounded(command: &OsStr) -> Result<OsString, Refusal> {
    if command.len() > LONGEST_COMMAND {
        return Err(usage(&format!(
            "the command is {} bytes long; {LONGEST_COMMAND} are the most",
            command.len()
        )));
    }
    Ok(command.to_owned())
}

fn usage(what: &str) -> Refusal {
    Refusal::Usage(what.to_owned())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::{LONGEST_COMMAND, Request, What};
    use crate::{identity::Identity, refusal::Code};

    fn caller() -> Identity {
        Identity {
            name: "ann".into(),
            uid: 1001,
            gid: 1001,
            group: "ann".into(),
            groups: vec![1001],
            group_names: vec!["ann".into()],
            group_ids: vec![1001],
            unnamed_group: None,
            unanswered: None,
            home: "/home/ann".into(),
            shell: "/usr/bin/jail-shell".into(),
        }
    }

    fn parse(arguments: &[&str], original: Option<&str>) -> Result<Request, Code> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        Request::parse(&arguments, original.map(OsString::from), true, &caller())
            .map_err(|refusal| refusal.code())
    }

    fn command(text: &str) -> What {
        What::Command {
            command: text.into(),
            arguments: Vec::new(),
        }
    }

    #[test]
    fn a_dash_makes_a_login_shell_that_ignores_the_ssh_request() {
        let request = parse(&["-jail-shell"], Some("id")).unwrap();
        assert_eq!(
            request,
            Request {
                login: true,
                what: What::Shell
            }
        );
    }

    #[test]
    fn passes_a_command_on_as_one_argument() {
        let text = "echo $(id) 'a\nb' \"c\"";
        let request = parse(&["jail-shell", "-c", text], None).unwrap();
        assert_eq!(
            request,
            Request {
                login: false,
                what: command(text)
            }
        );
        assert!(parse(&["-jail-shell", "-c", text], None).unwrap().login);
    }

    #[test]
    fn passes_positional_parameters_on() {
        let request = parse(&["jail-shell", "-c", "echo $1", "x", "-y"], None).unwrap();
        let arguments = vec!["x".into(), "-y".into()];
        assert_eq!(
            request.what,
            What::Command {
                command: "echo $1".into(),
                arguments
            }
        );
    }

    #[test]
    fn a_forced_command_runs_what_the_client_asked_for() {
        assert_eq!(
            parse(&["jail-shell"], Some("id")).unwrap().what,
            command("id")
        );
        assert_eq!(
            parse(&["/usr/bin/jail-shell"], None).unwrap().what,
            What::Shell
        );
    }

    #[test]
    fn a_forced_command_under_jail_shell_as_login_shell_is_no_command_of_the_users() {
        for own in ["/usr/bin/jail-shell", "jail-shell"] {
            assert_eq!(
                parse(&["jail-shell", "-c", own], Some("id")).unwrap().what,
                command("id")
            );
            let shell = parse(&["jail-shell", "-c", own], None).unwrap();
            assert_eq!(
                shell,
                Request {
                    login: true,
                    what: What::Shell
                }
            );
        }
        let elsewhere = parse(&["jail-shell", "-c", "/tmp/jail-shell"], Some("id")).unwrap();
        assert_eq!(elsewhere.what, command("/tmp/jail-shell"));
    }

    #[test]
    fn internal_sftp_becomes_the_jails_sftp_server() {
        let what = parse(&["jail-shell"], Some("internal-sftp -l INFO"))
            .unwrap()
            .what;
        let sftp = |asked: &str, options: &str| What::Sftp {
            asked: asked.into(),
            options: options.into(),
        };
        assert_eq!(what, sftp("internal-sftp", " -l INFO"));
        let server = "/usr/lib/openssh/sftp-server";
        let what = parse(&["jail-shell", "-c", server], None).unwrap().what;
        assert_eq!(what, sftp(server, ""));
        let what = parse(&["jail-shell"], Some("internal-sftpd")).unwrap().what;
        assert_eq!(what, command("internal-sftpd"));
    }

    #[test]
    fn refuses_everything_else() {
        let long = "x".repeat(LONGEST_COMMAND + 1);
        for arguments in [
            &[][..],
            &[""],
            &["", "-c", "id"],
            &["jail-shell", "-c"],
            &["jail-shell", "-l"],
            &["jail-shell", "--config", "/tmp/x"],
            &["jail-shell", "id"],
            &["jail-shell", "-c", &long],
        ] {
            assert_eq!(parse(arguments, None), Err(Code::Usage), "{arguments:?}");
        }
    }
}
