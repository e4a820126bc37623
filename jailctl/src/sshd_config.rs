//! sshd's config as sshd reads it, line by line, with what Include takes in: sshd_config(5).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jail_roots::pattern::expand;

use crate::failure::Failure;

/// How deep files may include each other, as in sshd.
const DEEPEST: usize = 16;

/// Where the paths of Include begin that are not absolute.
const DIRECTORY: &str = "/etc/ssh";

/// One line of a file.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    file: &'a Path,
    number: usize,
    pub(crate) text: &'a str,
    /// The keyword and what follows it.
    pub(crate) words: &'a [String],
}

impl Line<'_> {
    /// Says where it is written.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.number)
    }
}

/// What could not be read, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unread {
    pub(crate) what: String,
    pub(crate) why: String,
}

/// Reads a file and those that it includes, and gives every line to `each`, with two values: what was in force where the
/// line's file begins, and what is in force now, which the line may change for those behind it. A file that is included
/// changes nothing for those behind the Include.
///
/// # Errors
/// A file can't be read, or files include each other too deep.
pub(crate) fn read<T: Copy>(
    file: &Path,
    begin: T,
    each: &mut impl FnMut(&Line<'_>, T, &mut T),
) -> Result<Vec<Unread>, Failure> {
    let mut unread = Vec::new();
    read_file(file, begin, 0, each, &mut unread)?;
    Ok(unread)
}

fn read_file<T: Copy>(
    file: &Path,
    begin: T,
    depth: usize,
    each: &mut impl FnMut(&Line<'_>, T, &mut T),
    unread: &mut Vec<Unread>,
) -> Result<(), Failure> {
    let text = fs::read(file).map_err(|error| Failure::io("read", file, &error))?;
    let mut now = begin;
    for (number, text) in (1..).zip(String::from_utf8_lossy(&text).lines()) {
        let Some(words) = words(text) else {
            unread.push(Unread {
                what: format!("{}:{number}: {}", file.display(), text.trim()),
                why: "a quotation mark has no other".to_owned(),
            });
            continue;
        };
        let line = Line {
            file,
            number,
            text,
            words: &words,
        };
        match words.split_first() {
            Some((keyword, patterns)) if keyword.eq_ignore_ascii_case("include") => {
                if depth == DEEPEST {
                    return Err(Failure::Failed(format!(
                        "{}: files include each other more than {DEEPEST} deep",
                        line.place()
                    )));
                }
                for pattern in patterns {
                    // glob(7) has sets of characters, which expand() does not know.
                    if pattern.contains(['[', '\\']) {
                        unread.push(Unread {
                            what: format!("{}: {}", line.place(), text.trim()),
                            why: "it names files by a set of characters".to_owned(),
                        });
                    }
                    for included in included(pattern) {
                        read_file(&included, now, depth + 1, each, unread)?;
                    }
                }
            }
            Some(_) => each(&line, begin, &mut now),
            None => {}
        }
    }
    Ok(())
}

/// Lists the files that a pattern of Include means. One that is gone is none.
fn included(pattern: &str) -> Vec<PathBuf> {
    let is_gone = |file: &PathBuf| matches!(fs::metadata(file), Err(error) if error.kind() == io::ErrorKind::NotFound);
    let mut files = expand(&Path::new(DIRECTORY).join(pattern).to_string_lossy());
    files.retain(|file| !is_gone(file));
    files
}

/// Cuts a line into words: the keyword may be followed by `=`, words may be quoted, and `#` begins a comment. Nothing
/// where a quotation mark is alone.
pub(crate) fn words(line: &str) -> Option<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut letters = line.chars().peekable();
    loop {
        let first = words.len() == 1;
        while letters
            .next_if(|it| it.is_whitespace() || first && *it == '=')
            .is_some()
        {}
        match letters.peek() {
            None | Some('#') => return Some(words),
            Some(_) => {}
        }
        let mut word = String::new();
        let mut quote = None;
        while let Some(letter) = letters.next_if(|it| {
            quote.is_some() || !(it.is_whitespace() || words.is_empty() && *it == '=')
        }) {
            match (letter, quote) {
                ('\\', _)
                    if letters
                        .peek()
                        .is_some_and(|it| ['"', '\'', '\\'].contains(it)) =>
                {
                    word.extend(letters.next())
                }
                ('"' | '\'', None) => quote = Some(letter),
                (_, Some(open)) if letter == open => quote = None,
                _ => word.push(letter),
            }
        }
        if quote.is_some() {
            return None;
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::words;

    fn split(line: &str) -> Vec<String> {
        words(line).unwrap()
    }

    #[test]
    fn cuts_lines_as_sshd_does() {
        assert_eq!(
            split("  ChrootDirectory = \"/srv/a b\" # x"),
            ["ChrootDirectory", "/srv/a b"]
        );
        assert_eq!(split("ChrootDirectory=%h"), ["ChrootDirectory", "%h"]);
        assert_eq!(
            split("Match User a,b Group=c"),
            ["Match", "User", "a,b", "Group=c"]
        );
        assert!(split("# Match all").is_empty());
        assert_eq!(words("ForceCommand \"a"), None);
    }
}
