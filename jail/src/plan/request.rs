//! What the caller asks for, from the arguments and SSH_ORIGINAL_COMMAND alone.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::{
    sftp::{self, Reading},
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
    },
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
    /// Tells whether a client of sftp may have made a call, whoever it is for: such a client shows no other text than what an
    /// sftp-server says.
    #[must_use]
    pub fn is_for_sftp(arguments: &[OsString], original: Option<&OsStr>) -> bool {
        let command = match arguments {
            [_, dash_c, command, ..] if dash_c == "-c" => Some(command.as_os_str()),
            _ => original,
        };
        let forces_door = |program: &PathBuf| program.file_name() == Some(OsStr::new(DOOR));
        let command = match command.and_then(program_of) {
            Some(program) if forces_door(&program) => original,
            _ => command,
        };
        let is_server = command.is_some_and(|command| sftp::read(command) != Reading::Other);
        is_server && original.is_none_or(sftp::may_be_wanted_by)
    }

    /// Says what is to be started. `sftp_server` is a path in the jail, found where it is asked for; `leads_to` is where
    /// the shell leads there as a link.
    pub(crate) fn start(&self, shell: &Path, leads_to: &Path, sftp_server: Option<&Path>) -> Start {
        let options = self.options_without_link(shell, leads_to);
        if let (Some(options), Some(server)) = (options, sftp_server) {
            let mut arguments = vec![server.file_name().unwrap_or_default().to_owned()];
            arguments.extend_from_slice(options);
            return Start {
                program: server.to_owned(),
                arguments,
            };
        }
        let mut name = OsString::from(if self.login { "-" } else { "" });
        name.push(shell.file_name().unwrap_or(shell.as_os_str()));
        let mut arguments = vec![name];
        match (&self.what, sftp_server) {
            (What::Shell, _) | (What::Sftp { .. }, None) => {}
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
            What::Sftp { options, .. } if sftp::is_usual_shell(shell, leads_to) => Some(options),
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
mod tests {
    use std::{
        ffi::{OsStr, OsString},
        path::Path,
    };

    use super::{LONGEST_COMMAND, Request, What};
    use crate::{
        account::identity::Identity, code::Code, door::refusal::Refusal, process::program,
    };

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
            .map_err(|fault| Refusal::from(fault).code())
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
        for spelt in [
            "exec /usr/bin/jail-shell",
            "/usr/bin//jail-shell\t",
            "'jail-shell'",
        ] {
            let request = parse(&["jail-shell", "-c", spelt], Some("id")).unwrap();
            assert_eq!(request.what, command("id"), "{spelt}");
        }
        let elsewhere = parse(&["jail-shell", "-c", "/tmp/jail-shell"], Some("id")).unwrap();
        assert_eq!(elsewhere.what, command("/tmp/jail-shell"));
    }

    #[test]
    fn internal_sftp_becomes_the_jails_sftp_server() {
        let what = parse(&["jail-shell"], Some("internal-sftp -l INFO"))
            .unwrap()
            .what;
        let sftp = |asked: &str, options: &[&str], unsure| What::Sftp {
            asked: asked.into(),
            options: options.iter().map(Into::into).collect(),
            unsure,
        };
        assert_eq!(what, sftp("internal-sftp", &["-l", "INFO"], false));
        let server = "/usr/lib/openssh/sftp-server";
        let what = parse(&["jail-shell", "-c", server], None).unwrap().what;
        assert_eq!(what, sftp(server, &[], true));
        let what = parse(&["jail-shell"], Some("internal-sftpd")).unwrap().what;
        assert_eq!(what, command("internal-sftpd"));
    }

    #[test]
    fn sftp_is_started_without_a_usual_shell() {
        let server = Path::new("/usr/lib/sftp-server");
        let start = |shell: &str, command: &str| {
            let request = parse(&["jail-shell"], Some(command)).unwrap();
            let start = request.start(Path::new(shell), Path::new(shell), Some(server));
            (start.program, start.arguments)
        };
        let itself = (
            server.to_owned(),
            ["sftp-server", "-l", "INFO"].map(OsString::from).to_vec(),
        );
        assert_eq!(start("/bin/sh", "internal-sftp  -l INFO"), itself);
        assert_eq!(start("/usr/bin/bash", "internal-sftp -l INFO"), itself);
        let through = |shell: &str, options: &str| {
            let command = format!("/usr/lib/sftp-server{options}");
            let name = Path::new(shell).file_name().unwrap().to_owned();
            let arguments = vec![name, "-c".into(), command.into()];
            assert_eq!(
                start(shell, &format!("internal-sftp{options}")),
                (shell.into(), arguments)
            );
        };
        // It may be there to refuse sftp.
        through("/usr/bin/git-shell", "");
        through("/usr/bin/git-shell", " -d '/a b'");
        assert_eq!(
            start("/bin/sh", "exec /usr/lib//openssh/sftp-server\t-d '/a b'").1,
            ["sftp-server", "-d", "/a b"].map(OsString::from)
        );
    }

    #[test]
    fn sftp_is_started_without_a_shell_that_leads_to_a_usual_one() {
        let directory = std::env::temp_dir().join(format!("jail-request-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let program = |to: &str| {
            let link = directory.join("our-shell");
            drop(std::fs::remove_file(&link));
            std::os::unix::fs::symlink(to, &link).unwrap();
            let request = parse(&["jail-shell"], Some("internal-sftp")).unwrap();
            let server = Path::new("/usr/lib/sftp-server");
            (program::start(&request, &link, Some(server)).program == server).then_some(())
        };
        let seen = ["/nowhere/bash", "/nowhere/git-shell"].map(program);
        std::fs::remove_dir_all(&directory).unwrap();
        assert_eq!(seen, [Some(()), None]);
    }

    #[test]
    fn refuses_a_server_that_only_a_shell_could_start() {
        for line in [
            "internal-sftp -d \"$HOME\"",
            "internal-sftp ; id",
            "/usr/lib/openssh/sftp-server -d ~",
            "umask 027; exec /usr/lib/openssh/sftp-server",
            "nice /usr/lib/openssh/sftp-server",
        ] {
            assert_eq!(parse(&["jail-shell"], Some(line)), Err(Code::Usage));
            for original in [None, Some("internal-sftp"), Some("id")] {
                let seen = parse(&["jail-shell", "-c", line], original);
                assert_eq!(seen, Err(Code::Usage), "{line}");
            }
        }
    }

    #[test]
    fn a_forced_server_serves_nobody_who_asked_for_something_else() {
        let forced = ["jail-shell", "-c", "/usr/lib/openssh/sftp-server -e"];
        let sshd = |original: Option<&str>| {
            let arguments: Vec<OsString> = forced.iter().map(OsString::from).collect();
            Request::parse(&arguments, original.map(OsString::from), true, &caller())
        };
        for original in [
            "id",
            "",
            "scp -t /x",
            "rsync --server . x",
            "jail-shell",
            "sftp;id",
        ] {
            let refusal = Refusal::from(sshd(Some(original)).unwrap_err());
            assert!(matches!(&refusal, Refusal::SftpOnly(it) if it == original));
            assert_eq!(refusal.status(), 1);
        }
        for (original, expected) in [
            (None, true),
            (Some("/usr/local/bin/our-sftp"), true),
            (Some("/usr/lib/openssh/sftp-server -d ~"), true),
            (Some("internal-sftp"), false),
            (Some("/usr/libexec/openssh/sftp-server -l INFO"), false),
        ] {
            let What::Sftp { unsure, .. } = sshd(original).unwrap().what else {
                panic!("{original:?}");
            };
            assert_eq!(unsure, expected, "{original:?}");
        }
        // Without sshd there is no client, and the variable is anybody's.
        let arguments = forced.map(OsString::from);
        let request = Request::parse(&arguments, Some("id".into()), false, &caller()).unwrap();
        assert!(matches!(request.what, What::Sftp { unsure: false, .. }));
    }

    #[test]
    fn a_call_for_sftp_is_known_before_the_account_is() {
        let is_for_sftp = |arguments: &[&str], original: Option<&str>| {
            let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            Request::is_for_sftp(&arguments, original.map(OsStr::new))
        };
        let server = "/usr/lib/openssh/sftp-server";
        assert!(is_for_sftp(&["jail-shell", "-c", server], None));
        assert!(is_for_sftp(&["jail-shell"], Some(server)));
        assert!(is_for_sftp(
            &["jail-shell", "-c", "exec /usr/bin/jail-shell"],
            Some(server)
        ));
        assert!(is_for_sftp(&["jail-shell", "-c", "nice sftp-server"], None));
        assert!(!is_for_sftp(&["jail-shell", "-c", "id"], Some(server)));
        assert!(!is_for_sftp(
            &["jail-shell", "-c", server],
            Some("scp -t x")
        ));
        assert!(!is_for_sftp(&["-jail-shell"], None));
        assert!(!is_for_sftp(&[], None));
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
