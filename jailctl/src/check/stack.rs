//! PAM stacks as libpam reads them, line by line: pam.d(5).

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where they are.
pub(crate) const DIRECTORY: &str = "/etc/pam.d";

/// The name of our module.
pub(crate) const MODULE: &str = "pam_jail.so";

/// What pam_jail.so returns where it refuses or can't begin, and libpam where it can't load it: pam.conf(5).
const FAILURES: [&str; 5] = [
    "abort",
    "system_err",
    "service_err",
    "module_unknown",
    "open_err",
];

/// How deep files may include each other.
const DEEPEST: usize = 16;

/// One rule of a stack, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) file: PathBuf,
    pub(crate) number: usize,
    /// Whether a module that can't be loaded is passed over.
    pub(crate) dispensable: bool,
    pub(crate) kind: String,
    pub(crate) control: String,
    pub(crate) module: String,
    pub(crate) arguments: Vec<String>,
}

impl Line {
    /// Tells whether it is of this kind, and our module's.
    pub(crate) fn jails(&self, kind: &str) -> bool {
        self.kind == kind && self.module.ends_with(MODULE)
    }

    /// Tells whether nobody gets in where the module refuses, or fails.
    pub(crate) fn fails_closed(&self) -> bool {
        if self.dispensable {
            return false;
        }
        let Some(pairs) = self.control.strip_prefix('[') else {
            return ["required", "requisite"].contains(&self.control.as_str());
        };
        let action = |result: &str| {
            pairs
                .trim_end_matches(']')
                .split_whitespace()
                .filter_map(|pair| pair.split_once('='))
                .filter(|(name, _)| *name == result)
                .map(|(_, action)| action)
                .next_back()
        };
        FAILURES.iter().all(|failure| {
            let action = action(failure).or(action("default"));
            action.is_some_and(|action| ["bad", "die"].contains(&action))
        })
    }

    /// Says where it is written.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.number)
    }
}

/// Reads the stack of a service, with what it includes in the place where it does.
pub(crate) fn of(service: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    read(&Path::new(DIRECTORY).join(service), None, 0, &mut lines);
    lines
}

fn read(file: &Path, only: Option<&str>, depth: usize, lines: &mut Vec<Line>) {
    let Ok(text) = fs::read_to_string(file) else {
        return;
    };
    if depth == DEEPEST {
        return;
    }
    for (number, text) in (1..).zip(text.lines()) {
        let text = text.split('#').next().unwrap_or_default().trim();
        if let Some(included) = text.strip_prefix("@include") {
            read(
                &file.with_file_name(included.trim()),
                only,
                depth + 1,
                lines,
            );
            continue;
        }
        let Some(line) = parse(file, number, text) else {
            continue;
        };
        if only.is_some_and(|kind| kind != line.kind) {
            continue;
        }
        if ["include", "substack"].contains(&line.control.as_str()) {
            read(
                &file.with_file_name(&line.module),
                Some(&line.kind),
                depth + 1,
                lines,
            );
        } else {
            lines.push(line);
        }
    }
}

fn parse(file: &Path, number: usize, text: &str) -> Option<Line> {
    let (kind, rest) = text.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let (control, rest) = if rest.starts_with('[') {
        let end = rest.find(']')? + 1;
        rest.split_at_checked(end)?
    } else {
        rest.split_once(char::is_whitespace)?
    };
    let mut words = words(rest).into_iter();
    Some(Line {
        file: file.to_owned(),
        number,
        dispensable: kind.starts_with('-'),
        kind: kind.trim_start_matches('-').to_ascii_lowercase(),
        control: control.to_ascii_lowercase(),
        module: words.next()?.to_owned(),
        arguments: words.collect(),
    })
}

/// Splits what stands behind the control: a word with spaces stands in brackets, in which `\]` is a bracket.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, behind) = if first == '[' {
            bracketed(rest)
        } else {
            let (word, behind) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            (word.to_owned(), behind)
        };
        words.push(word);
        rest = behind.trim_start();
    }
    words
}

/// Takes a word in brackets off the beginning.
fn bracketed(text: &str) -> (String, &str) {
    let mut word = String::new();
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        match (letter, letters.peek()) {
            (']', _) => return (word, text.get(at + 1..).unwrap_or_default()),
            ('\\', Some((_, ']'))) => {
                letters.next();
                word.push(']');
            }
            _ => word.push(letter),
        }
    }
    (word, "")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::parse;

    #[test]
    fn tells_what_lets_nobody_in_where_the_module_fails() {
        let closed = |text: &str| parse(Path::new("f"), 1, text).unwrap().fails_closed();
        for text in [
            "session required pam_jail.so",
            "SESSION Requisite pam_jail.so",
            "session [success=ok ignore=ignore default=bad] pam_jail.so",
            "session [default=die success=1] pam_jail.so",
        ] {
            assert!(closed(text), "{text}");
        }
        for text in [
            "session optional pam_jail.so",
            "session sufficient pam_jail.so",
            "-session required pam_jail.so",
            "session [success=ok default=ignore] pam_jail.so",
            "session [success=ok] pam_jail.so",
            "session [default=bad module_unknown=ignore] pam_jail.so",
            "session [default=bad abort=2] pam_jail.so",
        ] {
            assert!(!closed(text), "{text}");
        }
    }

    #[test]
    fn reads_a_rule_with_either_kind_of_control() {
        let line = parse(
            Path::new("f"),
            3,
            "session required pam_env.so user_readenv=1 x",
        )
        .unwrap();
        assert_eq!(
            (line.control.as_str(), line.module.as_str()),
            ("required", "pam_env.so")
        );
        assert_eq!(line.arguments, ["user_readenv=1", "x"]);
        let line = parse(
            Path::new("f"),
            3,
            "-session [success=ok default=die]\tpam_jail.so",
        )
        .unwrap();
        assert_eq!(line.kind, "session");
        assert_eq!(
            (line.control.as_str(), line.module.as_str()),
            ("[success=ok default=die]", "pam_jail.so")
        );
        assert!(parse(Path::new("f"), 1, "session required").is_none());
        let line = parse(Path::new("f"), 1, "session required m.so a [b c\\] d]e  [f").unwrap();
        assert_eq!(line.arguments, ["a", "b c] d", "e", "f"]);
    }
}
