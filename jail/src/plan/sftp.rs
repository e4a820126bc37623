//! Whether a command line asks for an sftp-server, however it is spelt.
//!
//! Whoever has SFTP and nothing else must not find a shell before the server or beside it: bash reads `.bashrc` of theirs
//! where sshd starts it. So a line that is a server and its options is started without a shell, and a line that would start
//! one in a way that only a shell can read is refused.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::words::{self, RESERVED};

/// The program's name in every distribution, and what sshd puts in its place for its own: sshd_config(5).
const SERVERS: [&str; 2] = ["sftp-server", "internal-sftp"];

/// Shells that do nothing with a server and its options but start it. Another one may be there to refuse sftp.
const USUAL_SHELLS: [&str; 21] = [
    "ash", "bash", "csh", "dash", "elvish", "fish", "ksh", "loksh", "mksh", "nu", "oksh", "pdksh",
    "posh", "pwsh", "rc", "sh", "tcsh", "xonsh", "yash", "zsh", "lksh",
];

/// Programs that start what their arguments, their input or their script names.
const STARTERS: [&str; 69] = [
    ".",
    "awk",
    "bwrap",
    "busybox",
    "catchsegv",
    "chpst",
    "choom",
    "chroot",
    "chrt",
    "coproc",
    "daemonize",
    "dbus-run-session",
    "doas",
    "dumb-init",
    "env",
    "eval",
    "exec",
    "expect",
    "faketime",
    "fakeroot",
    "firejail",
    "flock",
    "gdb",
    "ionice",
    "linux32",
    "linux64",
    "ltrace",
    "lua",
    "nice",
    "node",
    "nohup",
    "nsenter",
    "numactl",
    "parallel",
    "perl",
    "php",
    "pkexec",
    "prlimit",
    "proot",
    "python",
    "ruby",
    "run0",
    "runcon",
    "runuser",
    "script",
    "setarch",
    "setpriv",
    "setsid",
    "softlimit",
    "source",
    "ssh-agent",
    "start-stop-daemon",
    "stdbuf",
    "strace",
    "su",
    "sudo",
    "systemd-run",
    "taskset",
    "tclsh",
    "time",
    "timeout",
    "tini",
    "torsocks",
    "toybox",
    "trap",
    "unbuffer",
    "unshare",
    "valgrind",
    "xargs",
];

/// How deep substitutions are followed.
const DEEPEST: usize = 16;

/// What a command line has to do with sftp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It is a server and its options.
    Server {
        asked: PathBuf,
        options: Vec<OsString>,
    },
    /// It would start a server, in a way that only a shell can read; and why that is so.
    Hidden(String),
    /// It is something else.
    Other,
}

/// Reads a command line.
pub(crate) fn read(line: &OsStr) -> Reading {
    let words = words::split(line);
    if let Ok(words) = &words {
        if let [program, options @ ..] = without_exec(words) {
            if is_server(program.as_bytes()) {
                return Reading::Server {
                    asked: program.into(),
                    options: options.to_vec(),
                };
            }
        }
    }
    let text = line.as_bytes();
    if !mentions_server(text) {
        return Reading::Other;
    }
    let mut scanner = Scanner {
        line: text,
        next: 0,
        depth: 0,
        commands: Vec::new(),
    };
    scanner.commands_until(None);
    let starter = scanner.commands.iter().find(|it| it.may_start_a_server());
    match (starter, words) {
        (None, _) => Reading::Other,
        (Some(_), Err(fault)) => Reading::Hidden(fault.to_string()),
        (Some(starter), Ok(_)) => {
            let name = String::from_utf8_lossy(&starter.text).into_owned();
            Reading::Hidden(format!("{name:?} would start it"))
        }
    }
}

/// Tells whether a client that asked for this may want sftp: it is a server, or one that only a shell could start, or the name
/// of a wrapper has "sftp" in it.
pub(crate) fn may_be_wanted_by(line: &OsStr) -> bool {
    if read(line) != Reading::Other {
        return true;
    }
    let words = words::split(line).unwrap_or_default();
    let name = without_exec(&words)
        .first()
        .map(Path::new)
        .and_then(Path::file_name);
    let name = name.map(OsStr::as_bytes).unwrap_or_default();
    name.windows(4).any(|part| part == b"sftp")
}

/// Takes `exec` off the front, with which a shell starts what follows.
pub(crate) fn without_exec(words: &[OsString]) -> &[OsString] {
    match words {
        [exec, dashes, rest @ ..] if exec == "exec" && dashes == "--" => rest,
        [exec, rest @ ..] if exec == "exec" => rest,
        all => all,
    }
}

/// Tells whether a shell is one of the usual ones, whatever its version, or a static build.
pub(crate) fn is_usual_shell(shell: &Path) -> bool {
    let Some(name) = shell.file_name().and_then(OsStr::to_str) else {
        return false;
    };
    USUAL_SHELLS.contains(&without_version(name))
}

/// Takes `-static` and a version off a program's name.
fn without_version(name: &str) -> &str {
    let name = name.strip_suffix("-static").unwrap_or(name);
    name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.' || letter == '-')
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

fn is_server(program: &[u8]) -> bool {
    SERVERS
        .iter()
        .any(|name| base_name(program) == name.as_bytes())
}

/// Tells whether a server's name is anywhere in a line, with the quoting taken off.
fn mentions_server(line: &[u8]) -> bool {
    let joined = line.iter().enumerate().filter(|(index, byte)| {
        let continued = **byte == b'\n' && *index > 0 && line.get(index - 1) == Some(&b'\\');
        !matches!(byte, b'\'' | b'"' | b'\\') && !continued
    });
    let joined: Vec<u8> = joined.map(|(_, byte)| *byte).collect();
    SERVERS.iter().any(|name| {
        joined
            .windows(name.len())
            .any(|part| part == name.as_bytes())
    })
}

/// A word that stands where a shell looks for a command.
#[derive(Debug)]
struct Command {
    text: Vec<u8>,
    /// Whether it is made by an expansion.
    expanded: bool,
}

impl Command {
    /// Tells whether a server may come of it, in a line that names one.
    fn may_start_a_server(&self) -> bool {
        let name = base_name(&self.text);
        let starts_others = |name: &str| {
            let plain = without_version(name);
            STARTERS.contains(&plain)
                || STARTERS.contains(&name)
                || USUAL_SHELLS.contains(&plain)
                || ["ld-linux", "ld-musl", "ld.so", "rbash", "git-shell"]
                    .iter()
                    .any(|it| name.starts_with(it))
        };
        self.expanded || is_server(name) || std::str::from_utf8(name).is_ok_and(starts_others)
    }
}

/// Looks for the commands in a line, as far as that takes no knowledge of what they do. It may find one too many.
struct Scanner<'a> {
    line: &'a [u8],
    next: usize,
    /// How many substitutions it is in.
    depth: usize,
    commands: Vec<Command>,
}

/// What comes next in a line.
enum Token {
    Word(Command),
    /// Behind it another command begins.
    Separator,
    /// Behind it comes the name of a file.
    Redirection,
}

impl Scanner<'_> {
    /// Reads commands up to the end of the line or of a substitution.
    fn commands_until(&mut self, end: Option<u8>) {
        let (mut wanted, mut file, mut behind) = (true, false, Vec::new());
        while let Some(token) = self.token(end) {
            match token {
                Token::Separator => {
                    (wanted, file) = (true, false);
                    behind.clear();
                }
                Token::Redirection => file = true,
                Token::Word(_) if file => file = false,
                Token::Word(_) if !wanted => {}
                Token::Word(word) if is_before_a_command(&word.text) => behind = word.text,
                // An option: what follows may belong to it.
                Token::Word(word) if word.text.starts_with(b"-") && !behind.is_empty() => {
                    wanted = false;
                    if !(behind == b"command" && word.text.eq_ignore_ascii_case(b"-v")) {
                        self.commands.push(Command {
                            text: b"exec".to_vec(),
                            expanded: false,
                        });
                    }
                }
                Token::Word(word) => {
                    wanted = false;
                    self.commands.push(word);
                }
            }
        }
    }

    fn token(&mut self, end: Option<u8>) -> Option<Token> {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.next += 1;
        }
        let byte = self.peek()?;
        if Some(byte) == end {
            self.next += 1;
            return None;
        }
        match byte {
            b'\n' | b';' | b'&' | b'|' | b'(' | b')' => {
                self.next += 1;
                Some(Token::Separator)
            }
            b'<' | b'>' => {
                while matches!(self.peek(), Some(b'<' | b'>' | b'&' | b'|')) {
                    self.next += 1;
                }
                Some(Token::Redirection)
            }
            b'#' => {
                while self.peek().is_some_and(|byte| byte != b'\n') {
                    self.next += 1;
                }
                self.token(end)
            }
            _ => Some(Token::Word(self.word(end))),
        }
    }

    fn word(&mut self, end: Option<u8>) -> Command {
        let mut word = Command {
            text: Vec::new(),
            expanded: false,
        };
        let mut double = false;
        while let Some(byte) = self.peek() {
            if !double && (Some(byte) == end || b" \t\n;&|()<>".contains(&byte)) {
                break;
            }
            self.next += 1;
            match byte {
                b'"' => double = !double,
                b'\'' if !double => {
                    while let Some(byte) = self.take().filter(|byte| *byte != b'\'') {
                        word.text.push(byte);
                    }
                }
                b'\\' => word.text.extend(self.take().filter(|byte| *byte != b'\n')),
                b'`' => {
                    word.expanded = true;
                    self.substitution(b'`');
                }
                b'$' => {
                    word.expanded = true;
                    if self.peek() == Some(b'(') {
                        self.next += 1;
                        self.substitution(b')');
                    }
                }
                b'*' | b'?' | b'[' | b'{' | b'~' if !double => {
                    word.expanded = true;
                    word.text.push(byte);
                }
                other => word.text.push(other),
            }
        }
        word
    }

    /// Reads what is substituted. What is nested deeper than anybody would nest it counts as a command that is not known.
    fn substitution(&mut self, end: u8) {
        if self.depth == DEEPEST {
            self.commands.push(Command {
                text: Vec::new(),
                expanded: true,
            });
            return;
        }
        self.depth += 1;
        self.commands_until(Some(end));
        self.depth -= 1;
    }

    fn peek(&self) -> Option<u8> {
        self.line.get(self.next).copied()
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.next += 1;
        Some(byte)
    }
}

/// Tells whether a word only leads to the command: a word of the grammar, an assignment, or one that starts what follows it.
fn is_before_a_command(word: &[u8]) -> bool {
    let is_assignment = word
        .iter()
        .position(|byte| *byte == b'=')
        .is_some_and(|end| words::is_name(word.get(..end).unwrap_or_default()));
    let leads = |name: &&str| name.as_bytes() == word && !["time", "coproc"].contains(name);
    let others = ["{", "}", "exec", "command", "builtin"];
    is_assignment || RESERVED.iter().any(leads) || others.iter().any(leads)
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, path::Path};

    use super::{Reading, is_usual_shell, may_be_wanted_by, read};

    #[test]
    fn a_server_is_one_however_it_is_spelt() {
        for (line, asked, options) in [
            (
                "/usr/lib/openssh/sftp-server",
                "/usr/lib/openssh/sftp-server",
                &[][..],
            ),
            (
                "/usr/lib/openssh/sftp-server\t-l\tINFO",
                "/usr/lib/openssh/sftp-server",
                &["-l", "INFO"],
            ),
            (
                "/usr/lib//openssh/./sftp-server",
                "/usr/lib//openssh/./sftp-server",
                &[],
            ),
            (
                "  exec /usr/lib/openssh/sftp-server -e",
                "/usr/lib/openssh/sftp-server",
                &["-e"],
            ),
            (
                "exec -- /usr/lib/ssh/sftp-server",
                "/usr/lib/ssh/sftp-server",
                &[],
            ),
            (
                "'/usr/lib/openssh/sftp-server' -d \"/a b\"",
                "/usr/lib/openssh/sftp-server",
                &["-d", "/a b"],
            ),
            (
                "/usr/lib/openssh/sftp\\-server",
                "/usr/lib/openssh/sftp-server",
                &[],
            ),
            (
                "/opt/ssh/libexec/\"sftp-\"server",
                "/opt/ssh/libexec/sftp-server",
                &[],
            ),
            ("sftp-server -u 027", "sftp-server", &["-u", "027"]),
            ("internal-sftp  -l INFO", "internal-sftp", &["-l", "INFO"]),
            ("\nsftp-server\n", "sftp-server", &[]),
            (
                "/usr/lib/openssh/sftp-\\\nserver",
                "/usr/lib/openssh/sftp-server",
                &[],
            ),
        ] {
            let expected = Reading::Server {
                asked: asked.into(),
                options: options.iter().map(Into::into).collect(),
            };
            assert_eq!(read(OsStr::new(line)), expected, "{line:?}");
        }
    }

    #[test]
    fn a_server_that_only_a_shell_could_start_is_seen() {
        for line in [
            "umask 027; exec /usr/lib/openssh/sftp-server",
            "/usr/lib/openssh/sftp-server -d $HOME",
            "/usr/lib/openssh/sftp-server -d ~",
            "/usr/lib/openssh/sftp-server 2>/dev/null",
            "/usr/lib/openssh/sftp-server &",
            "/usr/lib/openssh/sftp-server # the server",
            "/usr/lib*/openssh/sftp-server",
            "'/usr/lib/openssh/sftp-server",
            "LC_ALL=C /usr/lib/openssh/sftp-server",
            "A='b c' exec sftp-server",
            "nice -n 10 /usr/lib/openssh/sftp-server",
            "/usr/bin/env A=b sftp-server",
            "exec -a x /usr/lib/openssh/sftp-server",
            "command -p sftp-server",
            "exec nice sftp-server",
            "sh -c 'exec /usr/lib/openssh/sftp-server'",
            "/bin/bash5 -c \"/usr/lib/openssh/sftp-server\"",
            "busybox sh -c sftp-server",
            "eval '/usr/lib/openssh/sftp-server'",
            "S=/usr/lib/openssh/sftp-server; $S",
            "S=/usr/lib/openssh/sftp-server; \"$S\" -e",
            "$(command -v sftp-server)",
            "`which sftp-server`",
            "echo \"$(/usr/lib/openssh/sftp-server)\"",
            "true && (sftp-server)",
            "true|sftp-server",
            "{ sftp-server; }",
            "if true; then sftp-server; fi",
            "! sftp-server",
            "time -p sftp-server",
            "</dev/null sftp-server",
            "cd /tmp\nsftp-server",
            "python3 -c 'import os; os.execv(\"/usr/lib/openssh/sftp-server\", [\"x\"])'",
            "/lib64/ld-linux-x86-64.so.2 /usr/lib/openssh/sftp-server",
            "internal-sftp; id",
            &format!("echo {} ; sftp-server", "$(".repeat(60_000)),
            &format!("echo {} sftp-server", "`\"`\"$(".repeat(20_000)),
        ] {
            let seen = read(OsStr::new(line));
            assert!(matches!(seen, Reading::Hidden(_)), "{line:?}: {seen:?}");
        }
    }

    #[test]
    fn what_only_mentions_a_server_is_something_else() {
        for line in [
            "",
            "id",
            "ls -l /usr/lib/openssh/sftp-server",
            "grep sftp-server /etc/ssh/sshd_config | wc -l",
            "pgrep -x sftp-server && echo yes",
            "kill $(pgrep sftp-server)",
            "echo \"$(pgrep -c sftp-server) servers\"",
            "command -v sftp-server",
            "cd src; make sftp-server",
            "echo done # sftp-server",
            "echo x >sftp-server",
            "git commit -m 'nice: sftp-server; env'",
            "/usr/lib/openssh/sftp-server.sh",
            "/usr/lib/openssh/internal-sftpd",
            "sftp ann@other",
            "sh -c 'exec id' \"a b",
            "nice ls $HOME",
        ] {
            assert_eq!(read(OsStr::new(line)), Reading::Other, "{line:?}");
        }
    }

    #[test]
    fn a_client_that_asked_for_a_wrapper_may_want_sftp() {
        for line in [
            "/usr/local/bin/our-sftp -x",
            "gesftpserver",
            "internal-sftp",
        ] {
            assert!(may_be_wanted_by(OsStr::new(line)), "{line}");
        }
        for line in ["ls sftp", "scp -t /sftp", "rsync --server . sftp/", "", "'"] {
            assert!(!may_be_wanted_by(OsStr::new(line)), "{line}");
        }
    }

    #[test]
    fn shells_are_known_by_any_version() {
        for shell in [
            "/bin/sh",
            "/usr/local/bin/bash5",
            "/bin/bash-static",
            "/bin/zsh-5.9",
            "/bin/ksh93",
        ] {
            assert!(is_usual_shell(Path::new(shell)), "{shell}");
        }
        for shell in [
            "/usr/bin/git-shell",
            "/bin/rbash",
            "/usr/bin/rssh",
            "/bin/bash-menu",
            "/bin/2",
        ] {
            assert!(!is_usual_shell(Path::new(shell)), "{shell}");
        }
    }
}
