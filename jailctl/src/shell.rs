//! Commands for an administrator to read and run: words quoted for sh(1), and running one.

use std::{
    ffi::OsStr,
    fmt::Write,
    os::unix::ffi::OsStrExt,
    process::{Command, Output, Stdio},
};

use jail::log::is_hidden;
pub(crate) use jail_roots::terminal::shown;

use crate::failure::Failure;

/// Where the host's own programs are, whatever the caller's PATH says.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Quotes a word for sh(1), if it needs it. A word with control characters is made by printf(1), so that it can be shown
/// on a terminal; but for newlines at its end, which sh(1) takes off what a command has printed.
pub(crate) fn quoted(word: impl AsRef<OsStr>) -> String {
    let bytes = word.as_ref().as_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"%+,-./:=@_".contains(byte);
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(is_hidden) => format!("'{}'", text.replace('\'', r"'\''")),
        _ => {
            let mut made = String::from("\"$(printf '");
            let end = bytes.iter().rposition(|byte| *byte != b'\n');
            let (body, newlines) = bytes.split_at(end.map_or(0, |end| end + 1));
            for byte in body {
                // Neither a conversion nor an option.
                if plain(byte) && !b"%-".contains(byte) {
                    made.push(char::from(*byte));
                } else if write!(made, "\\{byte:03o}").is_err() {
                    break;
                }
            }
            made.push_str("')");
            made.extend(newlines.iter().map(|_| '\n'));
            made.push('"');
            made
        }
    }
}

/// Makes a pattern of sed(1) that matches this text only, to stand within single quotes; nothing of text that could not be
/// shown, or that could end the pattern.
pub(crate) fn pattern(text: &str) -> Option<String> {
    let usual = |letter: char| letter.is_alphanumeric() || "._+@-$ ".contains(letter);
    text.chars().all(usual).then(|| {
        let escaped = |letter: char| match letter {
            '.' | '$' => format!("\\{letter}"),
            other => other.to_string(),
        };
        text.chars().map(escaped).collect()
    })
}

/// Prepares a program of the host, without input and with a fixed PATH and the C locale as its whole environment: the name
/// services that getent(1) or sshd ask in it obey variables.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    command
}

/// Runs a program of the host and gives what it said; nothing where it is not installed.
pub(crate) fn ask(name: &str, arguments: &[&str]) -> Result<Option<Output>, Failure> {
    match program(name).args(arguments).output() {
        Ok(output) => Ok(Some(output)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::Failed(format!("start {name}: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_hidden, pattern, program, quoted};

    /// What sh(1) makes of a quoted word.
    fn read_back(word: &str) -> String {
        let script = format!("printf '%s' {}", quoted(word));
        let output = program("sh").args(["-c", &script]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn a_quoted_word_is_the_same_word_to_a_shell() {
        for word in [
            "/srv/jails/ann",
            "",
            "a b",
            "it's",
            "$(id)",
            "`id`",
            "a\"b",
            "*",
            "~",
            "é",
            "a\nb",
            "a\n",
            "\na\n\n",
            "\n",
            "\u{1b}[2J",
            "%s",
            "-e\u{1b}",
            "a\\b",
            "\t%d\\",
        ] {
            assert_eq!(read_back(word), word, "{}", quoted(word));
        }
    }

    #[test]
    fn a_pattern_matches_its_own_text_only() {
        assert_eq!(pattern("john.doe").as_deref(), Some(r"john\.doe"));
        for hostile in ["a/d", "a'b", "a\nb", "a\\", "*", "[a]", "\u{1b}"] {
            assert_eq!(pattern(hostile), None, "{hostile:?}");
        }
    }

    #[test]
    fn a_quoted_word_can_not_write_to_the_terminal() {
        for word in ["a\u{1b}[2Jb", "a\u{9b}b", "a\rb", "a\u{202e}b"] {
            assert!(!quoted(word).contains(is_hidden), "{word:?}");
        }
    }
}
