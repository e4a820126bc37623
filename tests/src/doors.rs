//! The doors into the sandbox: sshd with its clients, su and login, all of them the machine's own.

use std::time::Duration;

use crate::installed::KEYS;
use crate::outcome::{LIMIT, Outcome, finish};
use crate::pty::Pty;
use crate::sandbox::Sandbox;

const SSHD_LOG: &str = "/run/sandbox-sshd.log";

impl Sandbox {
    /// Has sshd ask PAM.
    #[must_use]
    pub fn pam(mut self) -> Self {
        self.pam = true;
        self
    }

    /// Adds lines to sshd's config, `Match` blocks among them.
    #[must_use]
    pub fn sshd(mut self, lines: &str) -> Self {
        self.sshd_lines.push(lines.to_owned());
        self
    }

    /// Runs a command by ssh.
    #[track_caller]
    pub fn ssh(&self, user: &str, command: &str) -> Outcome {
        self.ssh_with(user, &[], Some(command), b"")
    }

    /// Asks sshd for a shell, without a terminal, and gives it `input`.
    #[track_caller]
    pub fn ssh_shell(&self, user: &str, input: &str) -> Outcome {
        self.ssh_with(user, &["-T"], None, input.as_bytes())
    }

    /// Runs ssh with options of the client, a command if one is given, and bytes on standard input.
    #[track_caller]
    pub fn ssh_with(
        &self,
        user: &str,
        options: &[&str],
        command: Option<&str>,
        input: &[u8],
    ) -> Outcome {
        let argv = self.ssh_argv(user, options, command);
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        finish(self.command(&argv), input, LIMIT)
    }

    /// As [`Sandbox::ssh`], for a login that may take long.
    #[track_caller]
    pub fn ssh_within(&self, limit: Duration, user: &str, command: &str) -> Outcome {
        let argv = self.ssh_argv(user, &[], Some(command));
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        self.run_within(limit, &argv)
    }

    /// Runs ssh on a terminal and asks for one on the other side: a command, or a shell.
    #[track_caller]
    #[must_use]
    pub fn ssh_tty(&self, user: &str, command: Option<&str>) -> Pty {
        let argv = self.ssh_argv(user, &["-tt"], command);
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        self.terminal(&argv)
    }

    /// Runs scp with these arguments; `ann@127.0.0.1:/path` is the other side.
    #[track_caller]
    pub fn scp(&self, arguments: &[&str]) -> Outcome {
        self.client("scp", arguments, b"")
    }

    /// Runs sftp with a batch of its commands.
    #[track_caller]
    pub fn sftp(&self, user: &str, batch: &str) -> Outcome {
        let host = format!("{user}@127.0.0.1");
        self.client("sftp", &["-b", "-", &host], batch.as_bytes())
    }

    /// `su - USER` as root, without a terminal, with `input` for the shell.
    #[track_caller]
    pub fn su_dash(&self, user: &str, input: &str) -> Outcome {
        self.run_with(&["su", "-", user], input.as_bytes())
    }

    /// `su USER -c COMMAND` as root.
    #[track_caller]
    pub fn su_c(&self, user: &str, command: &str) -> Outcome {
        self.run(&["su", user, "-c", command])
    }

    /// `su - USER -c COMMAND` as root.
    #[track_caller]
    pub fn su_dash_c(&self, user: &str, command: &str) -> Outcome {
        self.run(&["su", "-", user, "-c", command])
    }

    /// login(1) on a terminal, past the password.
    #[track_caller]
    #[must_use]
    pub fn login(&self, user: &str, password: &str) -> Pty {
        let mut pty = self.terminal(&["login"]);
        pty.expect("login: ");
        pty.line(user).expect("Password: ");
        pty.line(password);
        pty
    }

    /// The words of an ssh command; the first call starts sshd.
    #[track_caller]
    #[must_use]
    pub fn ssh_argv(&self, user: &str, options: &[&str], command: Option<&str>) -> Vec<String> {
        self.start_sshd();
        let client = client_options();
        let host = format!("{user}@127.0.0.1");
        let words = client
            .iter()
            .map(String::as_str)
            .chain(options.iter().copied());
        let words = std::iter::once("ssh").chain(words).chain([host.as_str()]);
        words.chain(command).map(str::to_owned).collect()
    }

    #[track_caller]
    fn client(&self, program: &str, arguments: &[&str], input: &[u8]) -> Outcome {
        self.start_sshd();
        let options = client_options();
        let options = options.iter().map(String::as_str);
        let argv: Vec<&str> = std::iter::once(program)
            .chain(options)
            .chain(arguments.iter().copied())
            .collect();
        self.run_with(&argv, input)
    }

    /// Starts sshd on the loopback interface, once.
    #[track_caller]
    fn start_sshd(&self) {
        self.sshd.get_or_init(|| {
            let lines = self.sshd_lines.join("\n");
            // sshd refuses a second one.
            let subsystem = if lines.contains("Subsystem ") {
                ""
            } else {
                "Subsystem sftp /usr/lib/openssh/sftp-server"
            };
            let config = format!(
                "Port 22\n\
                 ListenAddress 127.0.0.1\n\
                 HostKey {KEYS}/host\n\
                 PidFile /run/sandbox-sshd.pid\n\
                 AuthorizedKeysFile {KEYS}/client.pub\n\
                 PasswordAuthentication no\n\
                 KbdInteractiveAuthentication no\n\
                 UsePAM {}\n\
                 UseDNS no\n\
                 MaxStartups 100\n\
                 MaxSessions 100\n\
                 PrintMotd no\n\
                 LogLevel VERBOSE\n\
                 {subsystem}\n\
                 {lines}\n",
                if self.pam { "yes" } else { "no" },
            );
            self.write(&format!("{KEYS}/sshd_config"), config);
            self.must(&format!(
                "mkdir -p /run/sshd
                 for key in host client; do
                     [ -e {KEYS}/$key ] || ssh-keygen -q -t ed25519 -N '' -f {KEYS}/$key
                 done
                 /usr/sbin/sshd -f {KEYS}/sshd_config -E {SSHD_LOG}
                 until grep -q 'Server listening' {SSHD_LOG}; do sleep 0.01; done"
            ));
        });
    }

    /// Gives what sshd has logged until now.
    #[must_use]
    pub fn sshd_log(&self) -> String {
        self.read(SSHD_LOG)
    }
}

/// No config of the machine's, no question, no known hosts, and no notices between what the other
/// side says.
fn client_options() -> Vec<String> {
    let settings = [
        "BatchMode=yes",
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "LogLevel=ERROR",
        // The default of today costs a hundred times the processor time of this, at each login.
        "KexAlgorithms=curve25519-sha256",
    ];
    let key = format!("IdentityFile={KEYS}/client");
    let fixed = ["-F", "/dev/null", "-o", &key].map(str::to_owned);
    let settings = settings.iter().flat_map(|setting| ["-o", setting]);
    fixed
        .into_iter()
        .chain(settings.map(str::to_owned))
        .collect()
}
