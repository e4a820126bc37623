//! The log: one line per event to authpriv, sent to /dev/log without waiting for more than a moment.
//!
//! Own code, because the `syslog` crate blocks the login while the log daemon stalls and lets newlines through. The
//! socket is connected while the host's /dev is in reach, and used after it is not.

use std::{
    ffi::OsStr,
    fmt::{self, Write},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, send, socket_with,
};

use jail_config::Rule;

use crate::{
    code::Code,
    door::refusal::Refusal,
    plan::{Plan, request::What},
    session::Ended,
};

/// LOG_AUTHPRIV, shifted as in a priority: syslog(3).
const AUTHPRIV: u8 = 10 << 3;
const LOG_ERR: u8 = 3;
const LOG_WARNING: u8 = 4;
const LOG_NOTICE: u8 = 5;

/// The most that a single value takes of a line, and a line in all, in bytes. A datagram of 1 KiB is what RFC 3164
/// promises to deliver. The daemons of today take 8 KiB and cut the rest off, wherever that is: so much is left for what
/// stands before the line, which syslog(3) and pam_syslog(3) add.
const LONGEST_VALUE: usize = 1024;
const LONGEST_LINE: usize = 8 * 1024 - 512;

/// How long a line waits for room in the daemon's queue, which anybody can fill.
const LOGIN_WAITS: Duration = Duration::from_millis(100);
const REFUSAL_WAITS: Duration = Duration::from_secs(2);

/// A connection to the log daemon, if there is one.
#[derive(Debug)]
pub struct Log {
    socket: Option<OwnedFd>,
    /// The process that was called, as the host knows it: all lines of a session have it, also those from inside.
    pid: u32,
}

impl Log {
    /// Connects to /dev/log. Without a daemon the log goes nowhere: a machine that logs nothing still serves logins.
    #[must_use]
    pub fn open() -> Log {
        let connected = || -> rustix::io::Result<OwnedFd> {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
            connect(&socket, &SocketAddrUnix::new("/dev/log")?)?;
            Ok(socket)
        };
        Log {
            socket: connected().ok(),
            pid: std::process::id(),
        }
    }

    /// Records that a login goes in: who, by which rule, where, from where, and for what.
    pub fn enter(&self, plan: &Plan, terminal: Option<&OsStr>, from: Option<&OsStr>) {
        self.send(LOG_NOTICE, &entering(plan, terminal, from));
    }

    /// Records how a fully isolated session's main process has ended. Others of the session may linger.
    pub fn leave(&self, ended: Ended, user: Option<&OsStr>, uid: u32) {
        let mut line = format!("leave uid={uid}");
        push(&mut line, "user", user.unwrap_or_default());
        line.push_str(&match ended {
            Ended::Exited(status) => format!(" status={status}"),
            Ended::Killed(signal) => format!(" signal={signal}"),
        });
        self.send(LOG_NOTICE, &line);
    }

    /// Records that a session goes in without walls that the config only wants best-effort.
    pub fn weakened(&self, missing: &str, user: Option<&OsStr>, uid: u32) {
        self.send(LOG_WARNING, &weakened(missing, user, uid));
    }

    /// Records that a login was refused, and why. `user` is the account's name where it is known by then.
    pub fn refused(&self, refusal: &Refusal, user: Option<&OsStr>, uid: u32) {
        self.send(LOG_ERR, &refused(refusal, user, uid));
    }

    /// Sends one line. A queue that stays full loses it: the login must not wait for the log.
    fn send(&self, severity: u8, text: &str) {
        let Some(socket) = &self.socket else {
            return;
        };
        let line = format!("<{}>jail-shell[{}]: {text}", AUTHPRIV | severity, self.pid);
        // Nobody waits for what a refusal keeps them from.
        let patience = if severity == LOG_ERR {
            REFUSAL_WAITS
        } else {
            LOGIN_WAITS
        };
        let deadline = Instant::now() + patience;
        // Room that poll(2) sees may be another's by the time of send(2).
        while send(socket, line.as_bytes(), SendFlags::NOSIGNAL) == Err(Errno::AGAIN) {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut writable = [PollFd::new(socket, PollFlags::OUT)];
            let timeout = Timespec::try_from(left).ok();
            if left.is_zero() || poll(&mut writable, timeout.as_ref()).is_err() {
                // Nothing could be done about it, and there is nobody to tell.
                return;
            }
        }
    }
}

/// Writes the line of a login that goes in: who, by which rule, where, from where, and for what.
#[must_use]
pub fn entering(plan: &Plan, terminal: Option<&OsStr>, from: Option<&OsStr>) -> String {
    let (user, uid) = (Quoted::new(&plan.user), plan.process.ids.uid);
    let mut line = format!("enter user={user} uid={uid}");
    push(&mut line, "jail", plan.jail.as_ref());
    push(&mut line, "rule", plan.rule.to_string().as_ref());
    push(&mut line, "root", plan.world.root.as_ref());
    push(&mut line, "tty", terminal.unwrap_or_default());
    push(&mut line, "from", from.unwrap_or_default());
    match plan.process.request().map(|request| &request.what) {
        None => {}
        Some(What::Shell) => push(&mut line, "command", OsStr::new("")),
        Some(What::Command { command, .. }) => push(&mut line, "command", command),
        Some(What::Direct(direct)) => push(&mut line, "command", &direct.shown()),
        Some(What::Sftp { asked, .. }) => push(&mut line, "command", asked.as_os_str()),
    }
    line
}

/// Writes the line of a session that goes in without walls that the config only wants best-effort.
#[must_use]
pub fn weakened(missing: &str, user: Option<&OsStr>, uid: u32) -> String {
    let mut line = format!("weakened uid={uid}");
    push(&mut line, "user", user.unwrap_or_default());
    push(&mut line, "missing", missing.as_ref());
    line
}

/// Writes the line of a login that is refused, and why. It is bounded, whatever is in it.
#[must_use]
pub fn refused(refusal: &Refusal, user: Option<&OsStr>, uid: u32) -> String {
    let mut line = format!("refused code={} uid={uid}", refusal.code());
    if let Some(user) = user {
        push(&mut line, "user", user);
    }
    push_reason(&mut line, &refusal.to_string());
    line
}

/// Writes the line of a PAM stack's words that can't be understood.
#[must_use]
pub fn wrong_words(error: &impl fmt::Display) -> String {
    let mut line = format!("refused code={}", Code::Usage);
    push_reason(&mut line, &format!("the line in the PAM stack: {error}"));
    line
}

/// Writes the line of a user whom a rule exempts.
#[must_use]
pub fn exempt(user: &OsStr, rule: &Rule) -> String {
    let mut line = "exempt".to_owned();
    push(&mut line, "user", user);
    push(&mut line, "rule", rule.to_string().as_ref());
    line
}

/// Writes the line of a plan that was made, with the names of its steps.
#[must_use]
pub fn planned(plan: &Plan, user: &OsStr) -> String {
    let steps: Vec<&str> = plan.steps().iter().map(|step| step.name()).collect();
    let mut line = "jail".to_owned();
    push(&mut line, "user", user);
    push(&mut line, "rule", plan.rule.to_string().as_ref());
    line.push_str(&format!(" steps={}", steps.join(",")));
    line
}

/// Writes a value from outside as the log has it: quoted, escaped and bounded.
#[must_use]
pub fn quoted(value: &OsStr) -> String {
    Quoted::new(value).to_string()
}

fn push(line: &mut String, key: &str, value: &OsStr) {
    line.push_str(&format!(" {key}={}", Quoted::new(value)));
}

/// Adds the last value of a line, which may take all that is left of it.
fn push_reason(line: &mut String, reason: &str) {
    // The key, the quotes, and the number of the bytes that are left out.
    const AROUND: usize = " reason=\"\"+18446744073709551615".len();
    let quoted = Quoted {
        value: reason.as_bytes(),
        longest: LONGEST_LINE.saturating_sub(line.len() + AROUND),
    };
    line.push_str(&format!(" reason={quoted}"));
}

/// A value from outside as the log has it: in quotes, with everything escaped that could end the line or the quotes,
/// hide text or reorder it, and cut to a length.
struct Quoted<'a> {
    value: &'a [u8],
    longest: usize,
}

impl<'a> Quoted<'a> {
    fn new(value: &'a OsStr) -> Quoted<'a> {
        Quoted {
            value: value.as_bytes(),
            longest: LONGEST_VALUE,
        }
    }
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let mut left_out = 0;
        for chunk in self.value.utf8_chunks() {
            for character in chunk.valid().chars() {
                escape(&mut text, character, self.longest, &mut left_out)?;
            }
            for byte in chunk.invalid() {
                // What follows something that is left out is left out too.
                if left_out > 0 || text.len() + "\\xff".len() > self.longest {
                    left_out += 1;
                } else {
                    write!(text, "\\x{byte:02x}")?;
                }
            }
        }
        write!(f, "\"{text}\"")?;
        if left_out > 0 {
            write!(f, "+{left_out}")?;
        }
        Ok(())
    }
}

/// Adds one character, escaped where needed, or counts the bytes left out once the text is full.
fn escape(text: &mut String, character: char, longest: usize, left_out: &mut usize) -> fmt::Result {
    const LONGEST_ESCAPE: usize = "\\u{10ffff}".len();
    if *left_out > 0 || text.len() + LONGEST_ESCAPE > longest {
        *left_out += character.len_utf8();
        return Ok(());
    }
    match character {
        '"' | '\\' => write!(text, "\\{character}"),
        '\n' => text.write_str("\\n"),
        '\t' => text.write_str("\\t"),
        _ if is_hidden(character) => {
            write!(text, "\\u{{{:x}}}", u32::from(character))
        }
        _ => text.write_char(character),
    }
}

/// Tells the characters that show nothing or change how the text around them shows: controls, zero width, line and paragraph
/// separators, bidirectional controls (UAX #9), fillers and blanks, variation selectors, tags.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{180b}'..='\u{180f}' | '\u{2800}' |
        '\u{3164}' | '\u{ffa0}' | '\u{1d173}'..='\u{1d17a}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' |
        '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' |
        '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    use super::{LONGEST_LINE, LONGEST_VALUE, Quoted, refused, wrong_words};
    use crate::door::refusal::Refusal;

    fn quoted(value: &[u8]) -> String {
        Quoted::new(OsStr::from_bytes(value)).to_string()
    }

    #[test]
    fn escapes_what_could_forge_hide_or_reorder_a_line() {
        assert_eq!(quoted(b"id"), "\"id\"");
        assert_eq!(
            quoted(b"a\nb\r\"c\\\x1b[1m"),
            r#""a\nb\u{d}\"c\\\u{1b}[1m""#
        );
        assert_eq!(
            quoted("\u{85}\u{9b}\u{202e}\u{2066}\u{feff}".as_bytes()),
            r#""\u{85}\u{9b}\u{202e}\u{2066}\u{feff}""#
        );
        assert_eq!(quoted(b"\xff\x80x"), r#""\xff\x80x""#);
        assert_eq!(quoted("für 日本".as_bytes()), "\"für 日本\"");
    }

    #[test]
    fn bounds_a_value_and_says_how_much_is_left_out() {
        let long = quoted(&[b'x'; 100_000]);
        assert!(long.len() < LONGEST_VALUE + 16, "{}", long.len());
        assert!(long.contains("\"+9"), "{long}");
        assert!(quoted(&[b'\n'; 5000]).len() < LONGEST_VALUE + 16);
        assert!(quoted(&[0xff; 5000]).len() < LONGEST_VALUE + 16);
    }

    /// Reads a quoted value back, as a program would: up to the first quote that no backslash escapes.
    fn read_back(line: &str, key: &str) -> (String, String) {
        let (_, rest) = line.split_once(&format!(" {key}=\"")).unwrap();
        let mut value = String::new();
        let mut letters = rest.chars();
        loop {
            match letters.next().unwrap() {
                '"' => return (value, letters.collect()),
                '\\' => value.push(letters.next().unwrap()),
                letter => value.push(letter),
            }
        }
    }

    #[test]
    fn a_quote_in_a_reason_does_not_end_it() {
        let why = "a \"b\" uid=0 \\ c";
        for line in [
            wrong_words(&why),
            refused(&Refusal::Usage(why.to_owned()), Some("a\"b".as_ref()), 7),
        ] {
            let (reason, rest) = read_back(&line, "reason");
            assert!(reason.ends_with(why) && rest.is_empty(), "{line}");
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_characters_and_fits_into_a_datagram() {
        for one in ["é", "日", "\"", "\u{1b}", "a\u{202e}"] {
            let why = one.repeat(20_000);
            let user = one.repeat(2_000);
            for line in [
                wrong_words(&why),
                refused(&Refusal::Usage(why.clone()), Some(user.as_ref()), u32::MAX),
            ] {
                assert!(line.len() <= LONGEST_LINE, "{}", line.len());
                let (_, rest) = read_back(&line, "reason");
                let number = rest.strip_prefix('+').unwrap();
                assert!(number.parse::<usize>().unwrap() > 10_000, "{line}");
            }
        }
    }

    #[test]
    fn nothing_comes_behind_what_is_left_out() {
        let mut value = vec![b'a'; LONGEST_VALUE - 6];
        value.extend("é".as_bytes());
        value.push(0xff);
        value.push(b'b');
        let cut = quoted(&value);
        assert!(cut.ends_with("a\"+7"), "{cut}");
    }
}
