//! Files of keys and of principals, as sshd reads them: AUTHORIZED_KEYS FILE FORMAT in sshd(8).
//!
//! What is kept of a line is its options. The key itself is never kept and never shown.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use rustix::fs::{Mode, OFlags};

use super::resolved::is_internal_sftp;

/// How much of a file is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// A line that lets somebody in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) line: usize,
    /// Names in lower case, and values without their quotes.
    options: Vec<(String, String)>,
}

impl Entry {
    /// Gives the command that the line forces.
    pub(super) fn command(&self) -> Option<&str> {
        self.value("command")
    }

    /// Tells whether the line is for all whose certificate its key has signed.
    pub(super) fn is_authority(&self) -> bool {
        self.value("cert-authority").is_some()
    }

    fn value(&self, name: &str) -> Option<&str> {
        let mut options = self.options.iter();
        options
            .find(|(it, _)| it == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Reads the lines of a file of keys.
pub(super) fn keys(text: &str) -> Vec<Entry> {
    entries(text, options_of_key)
}

/// Gives the options of a line with a key; nothing for one that is not understood.
fn options_of_key(line: &str) -> Option<&str> {
    if is_key(line) {
        return Some("");
    }
    let (options, key) = line.split_at_checked(end_of_options(line))?;
    is_key(key.trim_start()).then_some(options)
}

/// Lists the lines of a file of keys that are not understood, and that sshd may understand: it takes more kinds of space.
pub(super) fn not_understood(text: &str) -> Vec<usize> {
    (1..)
        .zip(text.lines().map(str::trim))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .filter(|(_, line)| options_of_key(line).is_none())
        .map(|(number, _)| number)
        .collect()
}

/// Keeps of a file of keys what leads to the login shell: comments, and keys that force no server of sshd's own and sign no
/// certificates. Gives how many lines are left out.
pub(crate) fn leading_to_shell(text: &str) -> (String, usize) {
    let mut kept = String::new();
    let mut left_out = 0;
    for whole in text.lines() {
        let line = whole.trim();
        let is_harmless = line.is_empty()
            || line.starts_with('#')
            || options_of_key(line).is_some_and(|text| {
                let entry = Entry {
                    line: 0,
                    options: options(text),
                };
                !entry.is_authority() && !entry.command().is_some_and(is_internal_sftp)
            });
        if is_harmless {
            kept.push_str(whole);
            kept.push('\n');
        } else {
            left_out += 1;
        }
    }
    (kept, left_out)
}

/// Reads the lines of a file of principals: the last word is the name, and what is before it are options.
pub(super) fn principals(text: &str) -> Vec<Entry> {
    entries(text, |line| {
        let end = line.rfind([' ', '\t']).unwrap_or(0);
        line.get(..end).map(str::trim_end)
    })
}

fn entries<'a>(text: &'a str, options_of: impl Fn(&'a str) -> Option<&'a str>) -> Vec<Entry> {
    (1..)
        .zip(text.lines().map(str::trim))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|(number, line)| {
            Some(Entry {
                line: number,
                options: options(options_of(line)?),
            })
        })
        .collect()
}

/// Tells whether a line begins with a type of key and a key, whose first bytes are the length of that type's name.
fn is_key(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    let kind = words.next().unwrap_or_default();
    !kind.contains(['"', '=', ',']) && words.next().is_some_and(|key| key.starts_with("AAAA"))
}

/// Gives where the options of a line end: at the first space outside of quotes. As sshd has it, a backslash means something
/// right before a quote, and nowhere else.
fn end_of_options(line: &str) -> usize {
    let mut quoted = false;
    let mut before = ' ';
    for (at, letter) in line.char_indices() {
        match letter {
            '"' if before != '\\' => quoted = !quoted,
            ' ' | '\t' if !quoted => return at,
            _ => {}
        }
        before = letter;
    }
    line.len()
}

/// Reads `name,name="value"`.
fn options(text: &str) -> Vec<(String, String)> {
    let mut options = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(['=', ',']).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        let (value, behind) = match behind.strip_prefix("=\"") {
            Some(quoted) => dequoted(quoted),
            None => (String::new(), behind),
        };
        options.push((name.trim().to_ascii_lowercase(), value));
        let next = behind.find(',').map_or(behind.len(), |at| at + 1);
        rest = behind.get(next..).unwrap_or_default();
    }
    options
}

/// Reads up to a quote that no backslash is before. Gives that, and what is behind the quote.
fn dequoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match (letter, letters.peek()) {
            ('"', _) => return (value, text.get(at + 1..).unwrap_or_default()),
            ('\\', Some((_, '"'))) => {
                letters.next();
                value.push('"');
            }
            _ => value.push(letter),
        }
    }
    (value, "")
}

/// Reads a file whose path the user may have a say in: nothing but a file is waited for, and no more is read than a file of
/// keys has. Gives nothing where it is not there.
///
/// # Errors
/// It can't be read, or is too large.
pub(super) fn read(file: &Path) -> io::Result<Option<String>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let opened: File = match rustix::fs::open(file, flags, Mode::empty()) {
        Ok(opened) => opened.into(),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    if !opened.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    opened.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LARGEST {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::{keys, leading_to_shell, not_understood, principals};

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 ann@host";

    fn command(line: &str) -> Option<String> {
        let entries = keys(&format!("{line} {KEY}"));
        assert_eq!(entries.len(), 1, "{line}");
        entries[0].command().map(str::to_owned)
    }

    #[test]
    fn reads_the_command_of_a_key_as_sshd_does() {
        for (line, expected) in [
            (r#"command="internal-sftp""#, Some("internal-sftp")),
            (r#"restrict,Command="a \"b\", c",pty"#, Some(r#"a "b", c"#)),
            (r#"environment="A=command=\"x\"",no-pty"#, None),
            (r#"from="10.0.0.1,10.0.0.2",command="x y""#, Some("x y")),
            ("restrict", None),
            (
                r#"environment="A=\\" x",command="internal-sftp""#,
                Some("internal-sftp"),
            ),
        ] {
            assert_eq!(command(line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn a_line_without_a_key_lets_nobody_in() {
        let text = format!("# {KEY}\n\ncommand=\"x\" nothing\nroot:$6$x:1:\n {KEY}\n");
        let entries = keys(&text);
        assert_eq!(entries.len(), 1);
        assert_eq!((entries[0].line, entries[0].command()), (5, None));
    }

    #[test]
    fn a_line_that_sshd_may_understand_is_not_passed_over_in_silence() {
        let text = format!("command=\"internal-sftp\" ssh-ed25519 \u{b}AAAAC3\n{KEY}\n");
        assert_eq!(not_understood(&text), [1]);
        assert_eq!(leading_to_shell(&text), (format!("{KEY}\n"), 1));
    }

    #[test]
    fn keys_that_lead_past_the_shell_are_not_taken_along() {
        let text = format!(
            "# ann's\ncommand=\"internal-sftp\" {KEY}\ncert-authority {KEY}\ncommand=\"borg serve\" {KEY}\n"
        );
        let kept = format!("# ann's\ncommand=\"borg serve\" {KEY}\n");
        assert_eq!(leading_to_shell(&text), (kept, 2));
    }

    #[test]
    fn an_authority_is_told_from_a_key() {
        let text = format!("cert-authority,principals=\"a\" {KEY}\n{KEY}\n");
        let entries = keys(&text);
        assert!(entries[0].is_authority() && !entries[1].is_authority());
    }

    #[test]
    fn principals_have_options_too() {
        let text = "ann\ncommand=\"internal-sftp\",no-pty ann\n# x y\n";
        let entries = principals(text);
        let commands: Vec<_> = entries.iter().map(|it| it.command()).collect();
        assert_eq!(commands, [None, Some("internal-sftp")]);
    }
}
