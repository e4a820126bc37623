//! Whether a command is an sftp-server, or may come to be one: what an expansion makes of a word is guessed, and a server is
//! guessed rather too often than too seldom.

/// The program's name in every distribution, and what sshd puts in its place for its own: sshd_config(5).
const SERVERS: [&str; 2] = ["sftp-server", "internal-sftp"];

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

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

pub(super) fn is_server(program: &[u8]) -> bool {
    SERVERS
        .iter()
        .any(|name| base_name(program) == name.as_bytes())
}

/// Tells whether a server's name is anywhere in a line, with the quoting taken off.
pub(super) fn mentions_server(line: &[u8]) -> bool {
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
pub(super) struct Word {
    pub(super) text: Vec<u8>,
    /// Whether it is made by an expansion.
    pub(super) expanded: bool,
    /// The text, with nothing where an expansion or a pattern puts what is not known.
    pub(super) pattern: Vec<Option<u8>>,
}

impl Word {
    pub(super) fn literal(&mut self, byte: u8) {
        self.text.push(byte);
        self.pattern.push(Some(byte));
    }

    /// Tells whether no server may come of it as a command, in a line that names one.
    pub(super) fn is_harmless(&self) -> bool {
        let name = base_name(&self.text);
        // A program of another name, with a server's in it.
        let is_another = !is_server(name) && mentions_server(name);
        let is_known = HARMLESS.iter().any(|it| it.as_bytes() == name);
        self.text == b"[" || !self.expanded && (is_another || is_known)
    }

    /// Tells whether a shell may make a server's name of it, as far as what is written shows it.
    pub(super) fn may_name_a_server(&self, as_command: bool) -> bool {
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
