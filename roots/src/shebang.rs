//! What a script says it is run by: the `#!` line, as execve(2) reads it and env(1) goes on from there.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
};

use jail::process::script;

/// Who runs a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shebang {
    /// The program that the kernel starts.
    pub interpreter: OsString,
    /// What that starts in its turn, where it is env(1): a name to be looked up in PATH, or a path.
    pub program: Option<OsString>,
}

/// Reads the first line of a file, given its beginning. `None` for what is no script. What a foreign line end has left of a
/// carriage return is no part of a name here: who wrote it meant none.
#[must_use]
pub fn parse(start: &[u8]) -> Option<Shebang> {
    let words = script::words(start)?;
    let mut words = words
        .map(|word| word.strip_suffix(b"\r").unwrap_or(word))
        .filter(|word| !word.is_empty());
    let interpreter = words.next()?;
    let name = interpreter.rsplit(|byte| *byte == b'/').next();
    let program = if name == Some(b"env") {
        of_env(words)
    } else {
        None
    };
    Some(Shebang {
        interpreter: OsStr::from_bytes(interpreter).to_owned(),
        program,
    })
}

/// Finds what env(1) starts: the first word that is neither an option nor a variable.
fn of_env<'line>(words: impl Iterator<Item = &'line [u8]>) -> Option<OsString> {
    let mut skip = false;
    for word in words {
        let option = word.starts_with(b"-") && word != b"-";
        // -S, -i and -v are followed by nothing of their own, these are by a name.
        let takes_word = matches!(word, b"-u" | b"-C" | b"--unset" | b"--chdir");
        let variable = word.contains(&b'=');
        if !skip && !option && !variable && word != b"-" {
            return Some(OsStr::from_bytes(word).to_owned());
        }
        skip = takes_word;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn read(text: &str) -> Option<(String, Option<String>)> {
        let shebang = parse(text.as_bytes())?;
        let program = shebang
            .program
            .map(|program| program.into_string().unwrap());
        Some((shebang.interpreter.into_string().unwrap(), program))
    }

    #[test]
    fn reads_interpreters_with_and_without_blanks_and_arguments() {
        let sh = Some(("/bin/sh".to_owned(), None));
        for line in [
            "#!/bin/sh",
            "#! /bin/sh -e\nx",
            "#!\t/bin/sh\r\n",
            "#!/bin/sh\0x",
        ] {
            assert_eq!(read(line), sh, "{line:?}");
        }
    }

    #[test]
    fn finds_what_env_starts() {
        for line in [
            "#!/usr/bin/env python3",
            "#!/usr/bin/env -S python3 -u",
            "#!/usr/bin/env -S -i A=b python3",
            "#!/usr/bin/env -u HOME python3",
        ] {
            let found = Some(("/usr/bin/env".to_owned(), Some("python3".to_owned())));
            assert_eq!(read(line), found, "{line:?}");
        }
        assert_eq!(
            read("#!/usr/bin/env"),
            Some(("/usr/bin/env".to_owned(), None))
        );
    }

    #[test]
    fn gives_nothing_for_what_is_no_script() {
        for text in ["", "#", "#!", "#! \n/bin/sh", "\u{7f}ELF", " #!/bin/sh"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
