//! What of a session's output is passed on: text, line ends, colours, and what moves the cursor, erases or scrolls.
//!
//! Nothing is passed as it came: a sequence that is let through is written anew from what the parser has read. So a terminal that
//! reads differently than this parser does gets nothing else than what is listed here.

use vte::{Params, Parser, Perform};

/// How much is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passes {
    /// Everything, as it came.
    All,
    /// What changes the screen only.
    Screen,
    /// Text and line feeds.
    Text,
}

/// A filter, and where it is in a sequence.
pub(super) struct Filter {
    passes: Passes,
    parser: Parser,
    screen: Screen,
}

/// What is passed on of the last piece, and what has to be undone at the end.
#[derive(Debug, Default)]
struct Screen {
    passed: Vec<u8>,
    text_alone: bool,
    /// The other screen, which full-screen programs use.
    is_other: bool,
    has_region: bool,
}

/// Final letters of sequences without a prefix: cursor up to position, erase, insert, delete, scroll, colours, scrolling region,
/// save and restore.
const PASSED: &str = "@ABCDEFGHIJKLMPSTXZ`adefmrsu";

/// Modes of DEC's that only change how the screen looks: line wrap, the cursor, the other screen.
const MODES: [u16; 5] = [7, 25, 47, 1047, 1049];

/// The most that one sequence repeats a letter.
const MOST_REPEATED: u16 = 1000;

impl Filter {
    pub(super) fn new(passes: Passes) -> Filter {
        let screen = Screen {
            text_alone: passes == Passes::Text,
            ..Screen::default()
        };
        Filter {
            passes,
            parser: Parser::new(),
            screen,
        }
    }

    /// Gives what is passed on of a piece.
    pub(super) fn pass(&mut self, piece: &str) -> Vec<u8> {
        if self.passes == Passes::All {
            return piece.as_bytes().to_vec();
        }
        self.parser.advance(&mut self.screen, piece.as_bytes());
        std::mem::take(&mut self.screen.passed)
    }

    /// Gives what undoes at the end what the session may have left.
    pub(super) fn end(&self) -> Vec<u8> {
        let mut end = String::new();
        if self.passes == Passes::Screen {
            if self.screen.has_region {
                // It moves the cursor, too.
                end.push_str("\u{1b}7\u{1b}[r\u{1b}8");
            }
            if self.screen.is_other {
                end.push_str("\u{1b}[?1049l");
            }
            end.push_str("\u{1b}[0m\u{1b}[?7h\u{1b}[?25h");
        }
        end.into_bytes()
    }
}

impl Screen {
    fn push(&mut self, text: &str) {
        self.passed.extend_from_slice(text.as_bytes());
    }

    fn sequence(&mut self, prefix: &str, params: &str, action: char) {
        if !self.text_alone {
            self.push(&format!("\u{1b}[{prefix}{params}{action}"));
        }
    }
}

impl Perform for Screen {
    fn print(&mut self, letter: char) {
        if !letter.is_control() {
            self.push(letter.encode_utf8(&mut [0; 4]));
        }
    }

    fn execute(&mut self, byte: u8) {
        let passed = match byte {
            b'\n' | b'\t' => true,
            b'\r' | 0x08 | 0x0b | 0x0c => !self.text_alone,
            _ => false,
        };
        if passed {
            self.passed.push(byte);
        }
    }

    fn csi_dispatch(&mut self, params: &Params, prefix: &[u8], ignore: bool, action: char) {
        let first = params.iter().next().and_then(|it| it.first()).copied();
        match (prefix, action) {
            _ if ignore => {}
            (b"", 'b') => {
                let times = first.unwrap_or(1).min(MOST_REPEATED);
                self.sequence("", &times.to_string(), 'b');
            }
            (b"", action) if PASSED.contains(action) => {
                self.has_region |= action == 'r' && !self.text_alone;
                self.sequence("", &written(params), action);
            }
            (b"?", 'h' | 'l') => {
                for mode in params.iter().flatten().filter(|it| MODES.contains(it)) {
                    if ![7, 25].contains(mode) {
                        self.is_other = action == 'h';
                    }
                    self.sequence("?", &mode.to_string(), action);
                }
            }
            _ => {}
        }
    }

    fn esc_dispatch(&mut self, prefix: &[u8], ignore: bool, byte: u8) {
        // Save and restore the cursor, line down and up.
        if prefix.is_empty() && !ignore && b"78DEM".contains(&byte) && !self.text_alone {
            self.push("\u{1b}");
            self.passed.push(byte);
        }
    }
}

/// Writes parameters as a terminal reads them.
fn written(params: &Params) -> String {
    let all = params.iter().map(|group| {
        let group: Vec<String> = group.iter().map(u16::to_string).collect();
        group.join(":")
    });
    let all: Vec<String> = all.collect();
    all.join(";")
}

#[cfg(test)]
mod tests {
    use super::{Filter, Passes};

    fn passed(text: &str) -> String {
        let mut filter = Filter::new(Passes::Screen);
        String::from_utf8(filter.pass(text)).unwrap()
    }

    #[test]
    fn text_colours_and_movements_pass() {
        for same in [
            "für 日本 🦀\r\n\ttext\u{8}\u{8}",
            "\u{1b}[1;31mred\u{1b}[0m",
            "\u{1b}[38;5;208m\u{1b}[48:2:1:2:3m",
            "\u{1b}[2J\u{1b}[10;20H\u{1b}[3A\u{1b}[0K\u{1b}[5;10r",
            "\u{1b}[?25l\u{1b}[?1049h",
            "\u{1b}7\u{1b}8\u{1b}M",
        ] {
            assert_eq!(passed(same), same);
        }
        assert_eq!(passed("\u{1b}[m\u{1b}[H"), "\u{1b}[0m\u{1b}[0H");
    }

    #[test]
    fn nothing_passes_that_a_terminal_answers_stores_or_obeys() {
        for hostile in [
            // Titles, the clipboard, hyperlinks, a palette.
            "\u{1b}]0;title\u{7}",
            "\u{1b}]2;title\u{1b}\\",
            "\u{1b}]52;c;aGk=\u{7}",
            "\u{1b}]8;;http://x\u{1b}\\\u{1b}]8;;\u{1b}\\",
            "\u{1b}]4;1;?\u{7}",
            // Device control, applications, private messages, start of string.
            "\u{1b}P$qm\u{1b}\\",
            "\u{1b}P+q544e\u{1b}\\",
            "\u{1b}_Gi=1;x\u{1b}\\",
            "\u{1b}^pm\u{1b}\\",
            "\u{1b}Xsos\u{1b}\\",
            // Questions: attributes, status, position, modes, size and title of the window.
            "\u{1b}[c\u{1b}[>c\u{1b}[=c\u{1b}Z",
            "\u{1b}[5n\u{1b}[6n\u{1b}[?6n",
            "\u{1b}[?2004$p",
            "\u{1b}[21t\u{1b}[18t\u{1b}[8;1;1t",
            "\u{1b}[>q\u{1b}[x",
            "\u{5}",
            // Bracketed paste, the mouse, keys, printing, reset, character sets, the bell.
            "\u{1b}[?2004h\u{1b}[?1000h\u{1b}[?1h\u{1b}=\u{1b}[>4;1m\u{1b}[4h\u{1b}[20h",
            "\u{1b}[5i\u{1b}[4i",
            "\u{1b}c\u{1b}[!p",
            "\u{1b}(0\u{e}\u{f}",
            "\u{7}\u{0}\u{7f}",
            "\u{85}\u{9b}",
        ] {
            assert_eq!(passed(hostile), "", "{hostile:?}");
        }
        // A control of eight bits is left out, and what it would begin is text.
        assert_eq!(passed("\u{9d}0;title\u{9c}"), "0;title");
        // A sequence in a title's place ends with the title.
        assert_eq!(
            passed("a\u{1b}]0;\u{1b}[31m\u{7}b").replace("\u{1b}[31m", ""),
            "ab"
        );
    }

    #[test]
    fn a_sequence_that_comes_in_pieces_is_one() {
        let mut filter = Filter::new(Passes::Screen);
        let pieces = ["a\u{1b}", "]0;ti", "tle", "\u{7}b\u{1b}[3", "1mc"];
        let all: Vec<u8> = pieces.iter().flat_map(|it| filter.pass(it)).collect();
        assert_eq!(String::from_utf8(all).unwrap(), "ab\u{1b}[31mc");
    }

    #[test]
    fn what_is_no_terminal_gets_the_text() {
        let mut filter = Filter::new(Passes::Text);
        assert_eq!(
            filter.pass("\u{1b}[1mbold\u{1b}[m\r\n\u{1b}]0;t\u{7}\u{1b}[?25lx\u{8}\n"),
            b"bold\nx\n"
        );
        assert_eq!(filter.end(), b"");
    }

    #[test]
    fn what_a_session_left_is_undone() {
        let mut filter = Filter::new(Passes::Screen);
        filter.pass("\u{1b}[?1049h\u{1b}[2;3r\u{1b}[31m");
        let end = String::from_utf8(filter.end()).unwrap();
        assert!(end.contains("[?1049l") && end.contains("[r") && end.contains("[0m"));
    }
}
