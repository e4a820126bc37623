//! Splits a command line into words as a POSIX shell does, and expands nothing.
//!
//! What a shell would act on beyond quoting (an expansion, a pattern, an operator, a comment, an assignment, a reserved word)
//! makes the line unfit: whoever asks gets the word that is to blame, and no guess at what the shell would have made of it.
//! See "Shell Command Language" in POSIX, 2.2 to 2.4.

use std::{
    error,
    ffi::{OsStr, OsString},
    fmt,
    os::unix::ffi::{OsStrExt, OsStringExt},
};

/// Words that a shell reads as its own grammar where a command begins.
pub(super) const RESERVED: [&str; 20] = [
    "!", "[[", "]]", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for",
    "function", "if", "in", "select", "then", "time", "until", "while",
];

/// Why a line is more than words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotWords {
    /// The word as it is written.
    pub word: OsString,
    /// What is in it.
    pub what: Special,
}

/// What a shell does not take as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// A character that ends or joins commands, redirects, expands, matches names or begins a comment.
    Character(char),
    /// A quote that is not closed.
    OpenQuote(char),
    /// A backslash with nothing behind it.
    LastBackslash,
    /// `NAME=value` before the command.
    Assignment,
    /// A word of the shell's grammar in the place of the command.
    Reserved,
}

impl fmt::Display for NotWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = &self.word;
        match self.what {
            Special::Character('\n') => {
                write!(f, "a shell would begin another command after {word:?}")
            }
            Special::Character(special) => {
                write!(
                    f,
                    "a shell would act on the {special} in {word:?}; quote it"
                )
            }
            Special::OpenQuote(quote) => write!(f, "the {quote} in {word:?} is not closed"),
            Special::LastBackslash => write!(f, "{word:?} ends in a backslash"),
            Special::Assignment => write!(f, "a shell would set the variable in {word:?}"),
            Special::Reserved => write!(f, "{word:?} is a word of the shell's grammar"),
        }
    }
}

impl error::Error for NotWords {}

/// Splits a line.
///
/// # Errors
/// The first word with something that a shell would act on.
pub fn split(line: &OsStr) -> Result<Vec<OsString>, NotWords> {
    let words = read(line, false)?;
    Ok(words.into_iter().map(|word| word.text).collect())
}

/// Splits a line in which words may name files as a shell lets them: by a pattern, or from the home on. The first word, which
/// is the command, may not.
///
/// # Errors
/// As [`split`].
pub fn split_with_patterns(line: &OsStr) -> Result<Vec<Word>, NotWords> {
    read(line, true)
}

fn read(line: &OsStr, patterns: bool) -> Result<Vec<Word>, NotWords> {
    let mut reader = Reader {
        line: line.as_bytes(),
        next: 0,
        begin: 0,
        patterns,
    };
    let mut words = Vec::new();
    while reader.skip_blanks() {
        let word = reader.word(words.is_empty())?;
        words.extend(word);
    }
    Ok(words)
}

/// A word, its quotes taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// The word as it is without any expansion.
    pub text: OsString,
    /// It as a pattern of glob(3), quoted parts behind backslashes; nothing where it has none of `*`, `?` and `[` unquoted.
    pub pattern: Option<OsString>,
    /// It begins with an unquoted `~`, alone or before a slash, which stands for the home.
    pub home: bool,
}

impl Word {
    /// Makes a word that means what is written.
    #[must_use]
    pub fn plain(text: impl Into<OsString>) -> Word {
        Word {
            text: text.into(),
            ..Word::default()
        }
    }
}

/// Quotes a word, so that [`split`] and every shell read the same word again.
pub(crate) fn quoted(word: &OsStr) -> OsString {
    let bytes = word.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"%+,-./:@_".contains(byte);
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return word.to_owned();
    }
    let parts: Vec<&[u8]> = bytes.split(|byte| *byte == b'\'').collect();
    let inner = parts.join(br"'\''".as_slice());
    OsString::from_vec([b"'", inner.as_slice(), b"'"].concat())
}

struct Reader<'a> {
    line: &'a [u8],
    /// The byte that is read next.
    next: usize,
    /// The first byte of the word.
    begin: usize,
    /// Whether words but the first may be patterns, or begin at the home.
    patterns: bool,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.line.get(self.next).copied()
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.next += 1;
        Some(byte)
    }

    /// Goes to the next word; tells whether there is one. Newlines around all words do nothing.
    fn skip_blanks(&mut self) -> bool {
        let rest = self.line.get(self.next..).unwrap_or_default();
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let is_void = |byte: &u8| is_blank(byte) || *byte == b'\n';
        let skipped = if self.begin == 0 && self.next == 0 || rest.iter().all(is_void) {
            rest.iter().take_while(|byte| is_void(byte)).count()
        } else {
            rest.iter().take_while(|byte| is_blank(byte)).count()
        };
        self.next += skipped;
        self.begin = self.next;
        self.peek().is_some()
    }

    /// Reads one word; nothing where there is only a line continuation.
    fn word(&mut self, first: bool) -> Result<Option<Word>, NotWords> {
        let mut word = Vec::new();
        // Where unquoted characters of a pattern are.
        let mut special = Vec::new();
        let mut home = false;
        // Whether anything of it is quoted, which makes an empty word a word and no word a reserved one.
        let mut quoted = false;
        // Whether a tilde would be expanded here: at the start, and in what looks like an assignment.
        let mut tilde = true;
        while let Some(byte) = self.peek() {
            if matches!(byte, b' ' | b'\t') {
                break;
            }
            self.next += 1;
            let at_start = word.is_empty() && !quoted;
            match byte {
                b'\\' => match self.take() {
                    Some(b'\n') => continue,
                    Some(escaped) => {
                        word.push(escaped);
                        quoted = true;
                    }
                    None => return self.fault(Special::LastBackslash),
                },
                b'\'' => {
                    self.single_quotes(&mut word)?;
                    quoted = true;
                }
                b'"' => {
                    self.double_quotes(&mut word)?;
                    quoted = true;
                }
                b'=' if first && !quoted && is_name(&word) => {
                    return self.fault(Special::Assignment);
                }
                b'\n' if self.is_at_end() => break,
                b'\n' => {
                    self.next -= 1;
                    return self.fault(Special::Character('\n'));
                }
                b'*' | b'?' | b'[' if self.patterns && !first => {
                    special.push(word.len());
                    word.push(byte);
                }
                b'~' if self.patterns && !first && at_start && self.ends_tilde() => {
                    home = true;
                    word.push(byte);
                }
                b'|' | b'&' | b';' | b'<' | b'>' | b'(' | b')' | b'$' | b'`' | b'*' | b'?'
                | b'[' | b'{' | b'}' => {
                    return self.fault(Special::Character(char::from(byte)));
                }
                b'#' if at_start => return self.fault(Special::Character('#')),
                b'~' if tilde => return self.fault(Special::Character('~')),
                other => word.push(other),
            }
            tilde = byte == b'=' || byte == b':' && word.contains(&b'=');
        }
        if first && !quoted && RESERVED.iter().any(|it| it.as_bytes() == word) {
            return self.fault(Special::Reserved);
        }
        let pattern = (!special.is_empty()).then(|| pattern(&word, &special));
        Ok((quoted || !word.is_empty()).then(|| Word {
            text: OsString::from_vec(word),
            pattern,
            home,
        }))
    }

    /// Tells whether a tilde stands for the user's own home: what follows names nobody else's.
    fn ends_tilde(&self) -> bool {
        matches!(self.peek(), None | Some(b'/' | b' ' | b'\t' | b'\n'))
    }

    fn is_at_end(&self) -> bool {
        let rest = self.line.get(self.next..).unwrap_or_default();
        rest.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\n'))
    }

    fn single_quotes(&mut self, word: &mut Vec<u8>) -> Result<(), NotWords> {
        loop {
            match self.take() {
                Some(b'\'') => return Ok(()),
                Some(byte) => word.push(byte),
                None => return self.fault(Special::OpenQuote('\'')),
            }
        }
    }

    fn double_quotes(&mut self, word: &mut Vec<u8>) -> Result<(), NotWords> {
        loop {
            match self.take() {
                Some(b'"') => return Ok(()),
                Some(byte @ (b'$' | b'`')) => {
                    return self.fault(Special::Character(char::from(byte)));
                }
                Some(b'\\') => match self.take() {
                    Some(b'\n') => {}
                    Some(byte @ (b'$' | b'`' | b'"' | b'\\')) => word.push(byte),
                    Some(byte) => word.extend([b'\\', byte]),
                    None => return self.fault(Special::OpenQuote('"')),
                },
                Some(byte) => word.push(byte),
                None => return self.fault(Special::OpenQuote('"')),
            }
        }
    }

    /// Blames the word as it is written, up to the next blank.
    fn fault<T>(&self, what: Special) -> Result<T, NotWords> {
        let rest = self.line.get(self.next..).unwrap_or_default();
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n');
        let more = rest.iter().position(is_blank).unwrap_or(rest.len());
        let word = self.line.get(self.begin..self.next + more);
        let word = word.unwrap_or_default().trim_ascii_end();
        Err(NotWords {
            word: OsStr::from_bytes(word).to_owned(),
            what,
        })
    }
}

/// Makes a pattern of a word: what is not special stands for itself.
fn pattern(word: &[u8], special: &[usize]) -> OsString {
    let mut pattern = Vec::with_capacity(word.len() + special.len());
    for (index, byte) in word.iter().enumerate() {
        if b"*?[\\".contains(byte) && !special.contains(&index) {
            pattern.push(b'\\');
        }
        pattern.push(*byte);
    }
    OsString::from_vec(pattern)
}

/// Tells whether a shell takes this as the name of a variable.
pub(super) fn is_name(text: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    text.first().is_some_and(|first| !first.is_ascii_digit()) && text.iter().all(is_letter)
}

#[cfg(test)]
mod tests;
