//! What one line of sftp-server's own log says. Pure.
//!
//! The names in it are the client's choice, and the server escapes no quotes in them. So a line is read from both ends: what
//! stands before the first quote and behind the last one is the server's own. Where that leaves more than one reading, none is
//! chosen.

use std::ops::Range;

/// A message of this length may have been cut: OpenSSH's log.c has 1024 bytes for one, with its end and what it escapes. What
/// stands at the end of a cut message is the client's choice.
const MAY_BE_CUT: usize = 1000;

/// What one line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A request, which is about to be done; or a file that is being closed.
    Request(Request),
    /// A request that changes nothing, or that is of no interest.
    Quiet,
    /// A request to read or write in an open file, whose name this is where it can be read.
    Data(Option<Vec<u8>>),
    /// A remark that begins no request and answers none.
    Aside,
    /// A request was refused before the server looked at it: its name in the protocol.
    Refused(String),
    /// The server has answered the request before with this; with data or attributes it answers otherwise.
    Status(Status),
    /// None of the known ones, or one that was cut.
    Other,
}

/// A request that opens, closes or changes a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is done.
    pub action: Action,
    /// Which files it is about.
    pub paths: Paths,
}

/// What a request does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A file is opened; and whether that is for writing.
    Open(bool),
    /// A file is closed, from which and to which so many bytes went.
    Close {
        /// Bytes that the client has read.
        read: u64,
        /// Bytes that the client has written.
        written: u64,
        /// Whether the client left it open.
        forced: bool,
    },
    /// Something else, by its name in the protocol.
    Change(&'static str),
    /// Size, mode, time or owner is set, as the server writes it: "mode 0644".
    Set(String),
}

/// The files of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paths {
    /// One.
    One(Vec<u8>),
    /// An old and a new name.
    Two(Vec<u8>, Vec<u8>),
    /// An old and a new name with what the server writes between them. It occurs more than once: which one is the server's is
    /// not known.
    Unclear(Vec<u8>),
}

/// The text of a status by SFTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(&'static str);

impl Status {
    /// All that OpenSSH's server sends, by status_to_message() of sftp-server.c.
    const ALL: [&'static str; 10] = [
        "Success",
        "End of file",
        "No such file",
        "Permission denied",
        "Failure",
        "Bad message",
        "No connection",
        "Connection lost",
        "Operation unsupported",
        "Unknown error",
    ];

    fn of(text: &[u8]) -> Option<Status> {
        let known = Status::ALL.into_iter();
        known.map(Status).find(|status| status.0.as_bytes() == text)
    }

    /// Gives the text.
    #[must_use]
    pub fn text(self) -> &'static str {
        self.0
    }

    /// Tells whether it is no error.
    #[must_use]
    pub fn is_fine(self) -> bool {
        matches!(self.0, "Success" | "End of file")
    }
}

/// What stands before the name in lines of requests that are not recorded.
const QUIET: [&str; 16] = [
    "debug1: request ",
    "opendir \"",
    "closedir \"",
    "forced closedir \"",
    "stat name \"",
    "lstat name \"",
    "realpath \"",
    "readlink \"",
    "statvfs \"",
    "fsync \"",
    "expand \"",
    "home-directory \"",
    "users-groups-by-id: ",
    "received client version ",
    "session opened for local user ",
    "session closed for local user ",
];

/// What stands before and behind the number of a request that moves data.
const NUMBER: &[u8] = b"debug1: request ";
const DATA: [&str; 3] = [": read \"", ": write \"", ": copy-data from \""];

/// What stands before the only name, or before the old one of two.
const CHANGES: [(&str, &str); 7] = [
    ("remove name \"", "remove"),
    ("rmdir name \"", "rmdir"),
    ("mkdir name \"", "mkdir"),
    ("rename old \"", "rename"),
    ("posix-rename old \"", "rename"),
    ("symlink old \"", "symlink"),
    ("hardlink old \"", "hardlink"),
];

/// What stands between two names.
const BETWEEN: &[u8] = b"\" new \"";

/// Reads one message: what one write(2) of the server had.
#[must_use]
pub fn read(message: &[u8]) -> Line {
    let Some(line) = message.strip_suffix(b"\r\n") else {
        return Line::Other;
    };
    if let Some(name) = data(line) {
        return Line::Data(name);
    }
    if QUIET.iter().any(|start| line.starts_with(start.as_bytes())) {
        return Line::Quiet;
    }
    if line.starts_with(b"debug1: ") {
        return Line::Aside;
    }
    if line.len() >= MAY_BE_CUT {
        return Line::Other;
    }
    if let Some(status) = line.strip_prefix(b"sent status ") {
        return Status::of(status).map_or(Line::Other, Line::Status);
    }
    if let Some(refused) = refused(line) {
        return Line::Refused(refused);
    }
    request(line).map_or(Line::Other, Line::Request)
}

/// Reads `debug1: request NUMBER: write "NAME" (handle …`, and gives the name; nothing in it where the line may have been cut.
fn data(line: &[u8]) -> Option<Option<Vec<u8>>> {
    let rest = line.strip_prefix(NUMBER)?;
    let digits = rest.iter().take_while(|it| it.is_ascii_digit()).count();
    let rest = rest.get(digits..).unwrap_or_default();
    let name = DATA
        .iter()
        .find_map(|it| rest.strip_prefix(it.as_bytes()))?;
    let whole = Some(name).filter(|_| line.len() < MAY_BE_CUT);
    let name = whole.and_then(at_last_quote).map(|(name, _)| name);
    Some(name.and_then(decoded))
}

/// Reads `Refusing non-allowlisted REQUEST request` and `Refusing REQUEST request in read-only mode`.
fn refused(line: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(line).ok()?.strip_prefix("Refusing ")?;
    let text = text
        .strip_suffix(" in read-only mode")
        .unwrap_or(text)
        .strip_suffix(" request")?;
    let name = text.rsplit(' ').next().unwrap_or(text);
    let is_name = !name.is_empty() && name.bytes().all(|it| it.is_ascii_lowercase() || it == b'-');
    is_name.then(|| name.to_owned())
}

fn request(line: &[u8]) -> Option<Request> {
    let one = |(action, name): (Action, &[u8])| {
        let paths = Paths::One(decoded(name)?);
        Some(Request { action, paths })
    };
    if let Some(rest) = line.strip_prefix(b"open \"") {
        return one(open(rest)?);
    }
    for (start, forced) in [("close \"", false), ("forced close \"", true)] {
        if let Some(rest) = line.strip_prefix(start.as_bytes()) {
            return one(close(rest, forced)?);
        }
    }
    if let Some(rest) = line.strip_prefix(b"set \"") {
        let (name, set) = at_last_quote(rest)?;
        return one((Action::Set(attribute(set)?), name));
    }
    let (start, action) = CHANGES
        .iter()
        .find(|(start, _)| line.starts_with(start.as_bytes()))?;
    let (names, rest) = at_last_quote(line.get(start.len()..)?)?;
    let is_whole = match *action {
        "mkdir" => mode(rest).is_some(),
        _ => rest.is_empty(),
    };
    let paths = match start.ends_with(" old \"") {
        true => two(names)?,
        false => Paths::One(decoded(names)?),
    };
    is_whole.then_some(Request {
        action: Action::Change(action),
        paths,
    })
}

/// Reads `NAME" flags FLAGS mode 0MODE`.
fn open(rest: &[u8]) -> Option<(Action, &[u8])> {
    let (name, rest) = at_last_quote(rest)?;
    let rest = std::str::from_utf8(rest).ok()?.strip_prefix(" flags ")?;
    let (flags, mode_of) = rest.split_once(' ')?;
    mode(format!(" {mode_of}").as_bytes())?;
    let is_flags = flags
        .bytes()
        .all(|it| it.is_ascii_uppercase() || it == b',');
    let writes = flags.split(',').any(|flag| flag == "WRITE");
    is_flags.then_some((Action::Open(writes), name))
}

/// Reads `NAME" bytes read NUMBER written NUMBER`.
fn close(rest: &[u8], forced: bool) -> Option<(Action, &[u8])> {
    let (name, rest) = at_last_quote(rest)?;
    let rest = std::str::from_utf8(rest).ok()?;
    let (read, written) = rest.strip_prefix(" bytes read ")?.split_once(" written ")?;
    let close = Action::Close {
        read: number(read)?,
        written: number(written)?,
        forced,
    };
    Some((close, name))
}

/// Reads ` mode 0MODE`, without which a new file or directory is not logged.
fn mode(rest: &[u8]) -> Option<()> {
    let digits = rest.strip_prefix(b" mode 0")?;
    let is_octal = digits.iter().all(|it| (b'0'..=b'7').contains(it));
    is_octal.then_some(())
}

/// Reads what is set: ` size NUMBER`, ` mode NUMBER`, ` modtime TIME` or ` owner NUMBER group NUMBER`.
fn attribute(rest: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(rest).ok()?.strip_prefix(' ')?;
    let mut words = text.split(' ');
    let is_number = |text: &str| number(text).is_some();
    let is_time = |text: &str| {
        let mut all = text.bytes();
        !text.is_empty() && all.all(|it| it.is_ascii_digit() || it == b'-' || it == b':')
    };
    let is_known = match words.next()? {
        "size" | "mode" => words.next().is_some_and(is_number),
        "modtime" => words.next().is_some_and(is_time),
        "owner" => {
            words.next().is_some_and(is_number)
                && words.next() == Some("group")
                && words.next().is_some_and(is_number)
        }
        _ => false,
    };
    (is_known && words.next().is_none()).then(|| text.to_owned())
}

fn number(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|it| it.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// Splits at the last quote. What follows in the server's lines has none.
fn at_last_quote(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().rposition(|it| *it == b'"')?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

fn two(names: &[u8]) -> Option<Paths> {
    let mut places = names
        .windows(BETWEEN.len())
        .enumerate()
        .filter(|(_, window)| *window == BETWEEN)
        .map(|(place, _)| place);
    let first = places.next()?;
    if places.next().is_some() {
        return decoded(names).map(Paths::Unclear);
    }
    let Range { start, end } = first..first + BETWEEN.len();
    Some(Paths::Two(
        decoded(names.get(..start)?)?,
        decoded(names.get(end..)?)?,
    ))
}

/// Takes back what the server has escaped: vis(3) with VIS_OCTAL.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            plain.push(*byte);
            continue;
        }
        if let Some(after) = rest.strip_prefix(b"\\") {
            plain.push(b'\\');
            rest = after;
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..3)?).ok()?;
        let is_octal = digits.bytes().all(|it| (b'0'..=b'7').contains(&it));
        plain.push(u8::from_str_radix(digits, 8).ok().filter(|_| is_octal)?);
        rest = rest.get(3..)?;
    }
    Some(plain)
}

#[cfg(test)]
mod tests;
