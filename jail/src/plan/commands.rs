//! The commands in a line, as a shell would find them. Nothing is expanded.

use super::{
    command::Word,
    words::{self, RESERVED},
};

/// How deep substitutions are followed.
const DEEPEST: usize = 16;

/// Looks for the commands in a line, as far as that takes no knowledge of what they do. It may find one too many.
pub(super) struct Scanner<'a> {
    line: &'a [u8],
    next: usize,
    /// How many substitutions it is in.
    depth: usize,
    pub(super) commands: Vec<Word>,
    /// Whether a word is one that a shell may make a server's name of.
    pub(super) may_name_a_server: bool,
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
    /// Reads a whole line.
    pub(super) fn of(line: &[u8]) -> Scanner<'_> {
        let mut scanner = Scanner {
            line,
            next: 0,
            depth: 0,
            commands: Vec::new(),
            may_name_a_server: false,
        };
        scanner.commands_until(None);
        scanner
    }

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
                    closing = closing.or(self.expansion());
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

    /// Reads what follows a `$`. Gives what ends it, where that is still to come.
    fn expansion(&mut self) -> Option<u8> {
        match self.peek() {
            Some(b'(') => {
                self.next += 1;
                self.substitution(b')');
                None
            }
            Some(b'{') => {
                self.next += 1;
                Some(b'}')
            }
            _ => {
                self.skip_variable();
                None
            }
        }
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
