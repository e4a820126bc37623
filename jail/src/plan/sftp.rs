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

/// Shells that do nothing with a server and its options but start it, or keep it from nobody who has SFTP. Another one may be
/// there to refuse sftp.
const USUAL_SHELLS: [&str; 23] = [
    "ash", "bash", "busybox", "csh", "dash", "elvish", "fish", "ksh", "loksh", "lksh", "mksh",
    "nu", "oksh", "pdksh", "posh", "pwsh", "rc", "sh", "tcsh", "toysh", "xonsh", "yash", "zsh",
];

/// Programs that are many, by the name they are called by: one of them is `nologin`.
const MANY_IN_ONE: [&str; 2] = ["busybox", "toybox"];

/// Commands that start no program that an argument names, as they are used. Any other one may.
const HARMLESS: [&str; 80] = [
    "[",
    "awk",
    "basename",
    "cat",
    "cd",
    "chgrp",
    "chmod",
    "chown",
    "cksum",
    "cmp",
    "cp",
    "cut",
    "date",
    "dd",
    "diff",
    "dirname",
    "du",
    "echo",
    "egrep",
    "exit",
    "export",
    "false",
    "fgrep",
    "file",
    "git",
    "grep",
    "head",
    "hexdump",
    "id",
    "install",
    "kill",
    "killall",
    "less",
    "ln",
    "ls",
    "make",
    "md5sum",
    "mkdir",
    "more",
    "mv",
    "nano",
    "nm",
    "objdump",
    "od",
    "pgrep",
    "pidof",
    "pkill",
    "printf",
    "ps",
    "pwd",
    "readelf",
    "readlink",
    "realpath",
    "rm",
    "rmdir",
    "rsync",
    "scp",
    "sed",
    "sha256sum",
    "sleep",
    "sort",
    "stat",
    "strings",
    "tail",
    "tar",
    "tee",
    "test",
    "touch",
    "tr",
    "true",
    "type",
    "umask",
    "uniq",
    "unset",
    "vi",
    "vim",
    "wc",
    "whereis",
    "which",
    "xxd",
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
    let mut scanner = Scanner {
        line: text,
        next: 0,
        depth: 0,
        commands: Vec::new(),
        may_name_a_server: false,
    };
    scanner.commands_until(None);
    if !scanner.may_name_a_server && !mentions_server(text) {
        return Reading::Other;
    }
    let starter = scanner.commands.iter().find(|it| !it.is_harmless());
    match (starter, words) {
        (None, _) => Reading::Other,
        (Some(_), Err(fault)) => Reading::Hidden(fault.to_string()),
        (Some(starter), Ok(_)) => {
            let name = String::from_utf8_lossy(&starter.text).into_owned();
            Reading::Hidden(format!("{name:?} may start it"))
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

/// Tells whether a shell is one of the usual ones, by its name, or by the name of what it leads to as a link.
pub(crate) fn is_usual_shell(shell: &Path, leads_to: &Path) -> bool {
    let name = |path: &Path| {
        let name = path.file_name().and_then(OsStr::to_str);
        name.map(str::to_owned).unwrap_or_default()
    };
    // The name it is called by says which of the many it is.
    let target = name(leads_to);
    let is_many = MANY_IN_ONE.contains(&without_version(&target));
    is_usual_name(&name(shell)) || !is_many && is_usual_name(&target)
}

/// Tells whether a name is a usual shell's, whatever its version and build: of a login shell, or of a restricted one too.
fn is_usual_name(name: &str) -> bool {
    let name = without_version(name.strip_prefix('-').unwrap_or(name));
    let unrestricted = name.strip_prefix('r').unwrap_or(name);
    USUAL_SHELLS.contains(&name) || USUAL_SHELLS.contains(&unrestricted)
}

/// Takes a version, and what marks a build or a program that was put aside, off a program's name.
fn without_version(name: &str) -> &str {
    let is_version = |letter: char| letter.is_ascii_digit() || letter == '.' || letter == '-';
    let mut name = name;
    loop {
        let shorter = name.trim_end_matches(is_version);
        let shorter = ["-static", ".static", ".real"]
            .iter()
            .find_map(|end| shorter.strip_suffix(end))
            .unwrap_or(shorter);
        if shorter == name {
            return name;
        }
        name = shorter;
    }
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

/// A word, such as stands where a shell looks for a command.
#[derive(Debug, Default)]
struct Word {
    text: Vec<u8>,
    /// Whether it is made by an expansion.
    expanded: bool,
    /// The text, with nothing where an expansion or a pattern puts what is not known.
    pattern: Vec<Option<u8>>,
}

impl Word {
    fn literal(&mut self, byte: u8) {
        self.text.push(byte);
        self.pattern.push(Some(byte));
    }

    /// Tells whether no server may come of it as a command, in a line that names one.
    fn is_harmless(&self) -> bool {
        let name = base_name(&self.text);
        // A program of another name, with a server's in it.
        let is_another = !is_server(name) && mentions_server(name);
        let is_known = HARMLESS.iter().any(|it| it.as_bytes() == name);
        self.text == b"[" || !self.expanded && (is_another || is_known)
    }

    /// Tells whether a shell may make a server's name of it, as far as what is written shows it.
    fn may_name_a_server(&self, as_command: bool) -> bool {
        if !self.expanded {
            return false;
        }
        let base = self.pattern.rsplit(|it| *it == Some(b'/')).next();
        let base = base.unwrap_or_default();
        let written = |part: &[u8]| {
            let part: Vec<Option<u8>> = part.iter().copied().map(Some).collect();
            self.pattern.windows(part.len()).any(|it| it == part)
        };
        let letters = base.iter().flatten().count();
        let shows = written(b"sftp")
            || written(b"internal-")
            || as_command && (letters >= 4 || written(b"ssh/"));
        shows && SERVERS.iter().any(|name| matches(base, name.as_bytes()))
    }
}

/// Tells whether a name may come of a pattern.
fn matches(pattern: &[Option<u8>], name: &[u8]) -> bool {
    // Which beginnings of the name the pattern so far may be.
    let mut reached = vec![false; name.len() + 1];
    reached.iter_mut().take(1).for_each(|it| *it = true);
    for part in pattern {
        let mut before = false;
        for (index, it) in reached.iter_mut().enumerate() {
            let last = index.checked_sub(1).and_then(|last| name.get(last));
            let now = match part {
                None => *it || before,
                Some(byte) => before && last == Some(byte),
            };
            before = if part.is_none() { now } else { *it };
            *it = now;
        }
    }
    reached.last() == Some(&true)
}

/// Looks for the commands in a line, as far as that takes no knowledge of what they do. It may find one too many.
struct Scanner<'a> {
    line: &'a [u8],
    next: usize,
    /// How many substitutions it is in.
    depth: usize,
    commands: Vec<Word>,
    /// Whether a word is one that a shell may make a server's name of.
    may_name_a_server: bool,
}

/// What comes next in a line.
enum Token {
    Word(Word),
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
                Token::Word(word) if !wanted => {
                    self.may_name_a_server |= word.may_name_a_server(false);
                }
                // The name; behind it is what it stands for.
                Token::Word(_) if behind == b"function" => behind.clear(),
                Token::Word(word) if is_before_a_command(&word.text) => behind = word.text,
                // An option: what follows may belong to it.
                Token::Word(word) if word.text.starts_with(b"-") && !behind.is_empty() => {
                    wanted = false;
                    if !(behind == b"command" && word.text.eq_ignore_ascii_case(b"-v")) {
                        self.commands.push(Word {
                            text: behind.clone(),
                            ..Word::default()
                        });
                    }
                }
                Token::Word(word) => {
                    wanted = false;
                    self.may_name_a_server |= word.may_name_a_server(true);
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
            _ => {
                let number = self.number_of_redirection();
                if number > 0 {
                    self.next += number;
                    return self.token(end);
                }
                Some(Token::Word(self.word(end)))
            }
        }
    }

    /// Gives the length of the descriptor that a redirection begins with: digits, or the name of a variable in braces.
    fn number_of_redirection(&self) -> usize {
        let rest = self.line.get(self.next..).unwrap_or_default();
        let end = rest
            .iter()
            .position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'{' | b'}'));
        let Some(end) = end.filter(|end| matches!(rest.get(*end), Some(b'<' | b'>'))) else {
            return 0;
        };
        let number = rest.get(..end).unwrap_or_default();
        let name = number
            .strip_prefix(b"{")
            .and_then(|it| it.strip_suffix(b"}"));
        match number.iter().all(u8::is_ascii_digit) || name.is_some_and(words::is_name) {
            true => end,
            false => 0,
        }
    }

    fn word(&mut self, end: Option<u8>) -> Word {
        let mut word = Word::default();
        let mut double = false;
        // What ends the pattern or the expansion that is read.
        let mut closing: Option<u8> = None;
        while let Some(byte) = self.peek() {
            if !double && (Some(byte) == end || b" \t\n;&|()<>".contains(&byte)) {
                break;
            }
            self.next += 1;
            let known = word.pattern.len();
            match byte {
                b'"' => double = !double,
                b'\'' if !double => {
                    while let Some(byte) = self.take().filter(|byte| *byte != b'\'') {
                        word.literal(byte);
                    }
                }
                b'\\' => {
                    if let Some(byte) = self.take().filter(|byte| *byte != b'\n') {
                        word.literal(byte);
                    }
                }
                b'`' => {
                    word.expanded = true;
                    self.substitution(b'`');
                    word.pattern.push(None);
                }
                b'$' => {
                    word.expanded = true;
                    word.pattern.push(None);
                    match self.peek() {
                        Some(b'(') => {
                            self.next += 1;
                            self.substitution(b')');
                        }
                        Some(b'{') => {
                            self.next += 1;
                            closing = closing.or(Some(b'}'));
                        }
                        _ => self.skip_variable(),
                    }
                }
                b'*' | b'?' | b'[' | b'{' | b'~' if !double => {
                    word.expanded = true;
                    word.text.push(byte);
                    word.pattern.push(None);
                    closing = closing.or(match byte {
                        b'[' => Some(b']'),
                        b'{' => Some(b'}'),
                        _ => None,
                    });
                }
                // Extended patterns of ksh and bash are more than this reads: the "(" ends the word.
                other => word.literal(other),
            }
            if closing.is_some() {
                // One "not known" stands for all of it.
                word.pattern.truncate(known.max(1));
                if word.pattern.last() != Some(&None) {
                    word.pattern.push(None);
                }
                if closing == Some(byte) {
                    closing = None;
                }
            }
        }
        word
    }

    fn skip_variable(&mut self) {
        while self
            .peek()
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            self.next += 1;
        }
    }

    /// Reads what is substituted. What is nested deeper than anybody would nest it counts as a command that is not known.
    fn substitution(&mut self, end: u8) {
        if self.depth == DEEPEST {
            self.commands.push(Word {
                expanded: true,
                ..Word::default()
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
mod tests;
