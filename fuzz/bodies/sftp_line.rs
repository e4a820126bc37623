//! Any bytes as a line of sftp-server's log: no panic, and no name or number that the line does not have.

use jail::session::sftp_line::{Action, Line, Paths, Request, read};

/// Takes one input.
pub(crate) fn take(bytes: &[u8]) {
    let whole = [bytes, b"\r\n"].concat();
    check(bytes);
    check(&whole);
}

fn check(message: &[u8]) {
    match read(message) {
        Line::Request(request) => check_request(message, &request),
        Line::Refused(name) => {
            assert!(message.starts_with(b"Refusing ") && has(message, name.as_bytes()));
            assert!(name.bytes().all(|it| it.is_ascii_lowercase() || it == b'-'));
        }
        Line::Status(status) => {
            let text = format!("sent status {}\r\n", status.text());
            assert_eq!(message, text.as_bytes());
        }
        Line::Data(_) | Line::Aside | Line::Quiet | Line::Other => {}
    }
}

fn check_request(message: &[u8], request: &Request) {
    let line = message.strip_suffix(b"\r\n").unwrap();
    match &request.action {
        Action::Open(_) => assert!(line.starts_with(b"open \"")),
        Action::Close {
            read,
            written,
            forced,
        } => {
            assert_eq!(line.starts_with(b"forced "), *forced);
            // Numbers may have zeros before them.
            let end = line.rsplit(|it| *it == b' ').next().unwrap();
            assert_eq!(std::str::from_utf8(end).unwrap().parse(), Ok(*written));
            let end = line.rsplit(|it| *it == b' ').nth(2).unwrap();
            assert_eq!(std::str::from_utf8(end).unwrap().parse(), Ok(*read));
        }
        Action::Change(name) => assert!(has(line, name.as_bytes())),
        Action::Set(what) => assert!(line.ends_with(format!("\" {what}").as_bytes())),
    }
    // What stands between the first quote and the last one is the names', as the server has escaped them.
    let first = line.iter().position(|it| *it == b'"').unwrap();
    let last = line.iter().rposition(|it| *it == b'"').unwrap();
    let names = &line[first + 1..last];
    match &request.paths {
        Paths::One(path) | Paths::Unclear(path) => assert!(is_decoded(names, path)),
        Paths::Two(old, new) => {
            let between = b"\" new \"";
            let places = names.windows(between.len()).filter(|it| it == between);
            assert_eq!(places.count(), 1);
            let place = names.windows(between.len()).position(|it| it == between);
            let place = place.unwrap();
            assert!(is_decoded(&names[..place], old));
            assert!(is_decoded(&names[place + between.len()..], new));
        }
    }
}

/// Tells whether vis(3) with VIS_OCTAL could have made one of the other: read from the end of neither, one byte by one.
fn is_decoded(escaped: &[u8], plain: &[u8]) -> bool {
    let mut rest = escaped;
    plain.iter().all(|byte| {
        let octal = format!("\\{byte:03o}");
        let ways: [&[u8]; 3] = [octal.as_bytes(), b"\\\\", &[*byte]];
        let is_way = |way: &&&[u8]| match **way {
            [b'\\', b'\\'] => *byte == b'\\' && rest.starts_with(b"\\\\"),
            [b'\\'] => false,
            way => rest.starts_with(way),
        };
        let length = ways.iter().find(is_way).map(|way| way.len());
        rest = &rest[length.unwrap_or(0)..];
        length.is_some()
    }) && rest.is_empty()
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|it| it == part)
}
