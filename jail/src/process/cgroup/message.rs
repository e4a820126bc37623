//! Messages of D-Bus, as far as a login needs them: the calls that it sends, and what came of them.
//!
//! Pure: bytes to values and back. The D-Bus specification, "Message Protocol", has the format; dbus_message(3) has none of it.
//! Nothing that is read here is believed: it says whether to go on, and the kernel's own files then say what is in force.

/// The longest message that is read, in bytes. What answers a login is a hundredth of it.
pub const LONGEST: usize = 64 * 1024;

/// The fixed part of a header: byte order, type, flags, version, length of the body, serial, length of the fields.
const FIXED: usize = 16;

/// The only version of the protocol.
const VERSION: u8 = 1;

/// A call of a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call<'a> {
    /// The name on the bus of whoever is called.
    pub destination: &'a str,
    /// The object.
    pub path: &'a str,
    /// The interface of the method.
    pub interface: &'a str,
    /// The method.
    pub member: &'a str,
    /// The arguments.
    pub arguments: &'a [Value<'a>],
}

/// An argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A string: `s`.
    Text(&'a str),
    /// A boolean: `b`.
    Boolean(bool),
    /// A number of 64 bits: `t`.
    Number(u64),
    /// Numbers of 32 bits: `au`.
    Numbers(Vec<u32>),
    /// Properties of a unit, each with its name: `a(sv)`.
    Properties(Vec<(&'a str, Value<'a>)>),
    /// No further units: an empty `a(sa(sv))`.
    NoUnits,
}

impl Value<'_> {
    fn signature(&self) -> &'static str {
        match self {
            Value::Text(_) => "s",
            Value::Boolean(_) => "b",
            Value::Number(_) => "t",
            Value::Numbers(_) => "au",
            Value::Properties(_) => "a(sv)",
            Value::NoUnits => "a(sa(sv))",
        }
    }

    fn write(&self, to: &mut Written) {
        match self {
            Value::Text(text) => to.text(text),
            Value::Boolean(answer) => to.number(u32::from(*answer)),
            Value::Number(number) => {
                to.align(8);
                to.0.extend(number.to_le_bytes());
            }
            Value::Numbers(numbers) => to.array(4, |to| {
                numbers.iter().for_each(|number| to.number(*number));
            }),
            Value::Properties(properties) => to.array(8, |to| {
                for (name, value) in properties {
                    to.align(8);
                    to.text(name);
                    to.signature(value.signature());
                    value.write(to);
                }
            }),
            Value::NoUnits => to.array(8, |_| {}),
        }
    }
}

impl Call<'_> {
    /// Writes the message, in the little-endian order that it names itself.
    #[must_use]
    pub fn write(&self, serial: u32) -> Vec<u8> {
        let mut body = Written::default();
        let mut signature = String::new();
        for argument in self.arguments {
            signature.push_str(argument.signature());
            argument.write(&mut body);
        }
        let mut message = Written(vec![b'l', 1, 0, VERSION]);
        message.number(length(body.0.len()));
        message.number(serial);
        message.array(8, |fields| {
            let texts = [
                (1, "o", self.path),
                (2, "s", self.interface),
                (3, "s", self.member),
                (6, "s", self.destination),
            ];
            for (code, kind, text) in texts {
                fields.field(code, kind);
                fields.text(text);
            }
            if !signature.is_empty() {
                fields.field(8, "g");
                fields.signature(&signature);
            }
        });
        message.align(8);
        message.0.extend(body.0);
        message.0
    }
}

/// A length as the format has it. What a login writes is short.
fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// What is written, whose beginning is the place that everything is aligned from.
#[derive(Default)]
struct Written(Vec<u8>);

impl Written {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: u32) {
        self.align(4);
        self.0.extend(number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(length(text.len()));
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    fn signature(&mut self, signature: &str) {
        self.0
            .push(u8::try_from(signature.len()).unwrap_or(u8::MAX));
        self.0.extend(signature.as_bytes());
        self.0.push(0);
    }

    fn field(&mut self, code: u8, signature: &str) {
        self.align(8);
        self.0.push(code);
        self.signature(signature);
    }

    /// Writes an array; the bytes between its length and its first element do not count.
    fn array(&mut self, alignment: usize, elements: impl FnOnce(&mut Written)) {
        self.number(0);
        let place = self.0.len();
        self.align(alignment);
        let begin = self.0.len();
        elements(self);
        let long = length(self.0.len() - begin).to_le_bytes();
        if let Some(written) = self.0.get_mut(place - 4..place) {
            written.copy_from_slice(&long);
        }
    }
}

/// A message that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub kind: Kind,
    /// The serial of the call that it answers.
    pub answers: Option<u32>,
    /// The name of the error that it is.
    pub error: Option<String>,
    /// Its first argument, if that is a string: what an error says.
    pub text: Option<String>,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The answer of a method that was called.
    Return,
    /// The answer of one that failed.
    Error,
    /// A call, a signal, or something unknown.
    Other,
}

/// Bytes that are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Reads the first message of some bytes, and tells how long it is; nothing where it goes on behind them.
///
/// # Errors
/// They are no message, or the beginning of one that is too long.
pub fn read(bytes: &[u8]) -> Result<Option<(Message, usize)>, Malformed> {
    let Some(fixed) = bytes.get(..FIXED) else {
        return Ok(None);
    };
    let is_little = match fixed.first() {
        Some(b'l') => true,
        Some(b'B') => false,
        _ => return Err(Malformed),
    };
    if fixed.get(3) != Some(&VERSION) {
        return Err(Malformed);
    }
    let mut header = Reader {
        bytes,
        at: 4,
        is_little,
    };
    let body = header.length()?;
    let _serial = header.number()?;
    let fields = FIXED + header.length()?;
    let begin = fields.next_multiple_of(8);
    let whole = begin + body;
    if whole > LONGEST {
        return Err(Malformed);
    }
    let (Some(named), Some(content)) = (bytes.get(..fields), bytes.get(begin..whole)) else {
        return Ok(None);
    };
    header.bytes = named;
    let mut message = Message {
        kind: match fixed.get(1) {
            Some(2) => Kind::Return,
            Some(3) => Kind::Error,
            _ => Kind::Other,
        },
        answers: None,
        error: None,
        text: None,
    };
    let mut has_text = false;
    while header.at < fields {
        header.align(8);
        let code = header.byte()?;
        match header.signature()?.as_str() {
            "s" | "o" if code == 4 => message.error = Some(header.text()?),
            "s" | "o" => drop(header.text()?),
            "g" => has_text = header.signature()?.starts_with('s') && code == 8,
            "u" if code == 5 => message.answers = Some(header.number()?),
            "u" => drop(header.number()?),
            _ => return Err(Malformed),
        }
    }
    if has_text {
        let mut body = Reader {
            bytes: content,
            at: 0,
            is_little,
        };
        message.text = Some(body.text()?);
    }
    Ok(Some((message, whole)))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    is_little: bool,
}

impl<'a> Reader<'a> {
    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(length).ok_or(Malformed)?;
        let taken = self.bytes.get(self.at..end).ok_or(Malformed)?;
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        self.take(1)?.first().copied().ok_or(Malformed)
    }

    fn number(&mut self) -> Result<u32, Malformed> {
        self.align(4);
        let number = self.take(4)?.try_into().map_err(|_| Malformed)?;
        Ok(match self.is_little {
            true => u32::from_le_bytes(number),
            false => u32::from_be_bytes(number),
        })
    }

    /// Reads a length, which no message has that is read here if it is longer than the longest.
    fn length(&mut self) -> Result<usize, Malformed> {
        let length = usize::try_from(self.number()?).ok();
        length.filter(|length| *length <= LONGEST).ok_or(Malformed)
    }

    fn text(&mut self) -> Result<String, Malformed> {
        let length = self.length()?;
        self.terminated(length)
    }

    fn signature(&mut self) -> Result<String, Malformed> {
        let length = self.byte()?;
        self.terminated(length.into())
    }

    fn terminated(&mut self, length: usize) -> Result<String, Malformed> {
        let text = self.take(length)?.to_vec();
        match self.byte()? {
            0 => String::from_utf8(text).map_err(|_| Malformed),
            _ => Err(Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, Kind, LONGEST, Malformed, Message, Value, read};

    /// Makes an answer with header fields as they are written, each with its code.
    fn answer(kind: u8, fields: &[u8], body: &[u8]) -> Vec<u8> {
        let mut message = vec![b'l', kind, 1, 1];
        message.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
        message.extend(7_u32.to_le_bytes());
        message.extend(u32::try_from(fields.len()).unwrap().to_le_bytes());
        message.extend(fields);
        message.resize(message.len().next_multiple_of(8), 0);
        message.extend(body);
        message
    }

    /// What dbus-daemon answers Hello with.
    fn hello() -> Vec<u8> {
        answer(
            2,
            b"\x05\x01u\0\x01\0\0\0\x08\x01g\0\x01s\0\0\x07\x01s\0\x14\0\0\0org.freedesktop.DBus\0",
            b"\x05\0\0\0:1.42\0",
        )
    }

    #[test]
    fn a_call_is_written_as_the_specification_has_it() {
        let call = Call {
            destination: "a.b",
            path: "/a",
            interface: "a.c",
            member: "Set",
            arguments: &[
                Value::Text("u"),
                Value::Boolean(true),
                Value::Properties(vec![
                    ("Max", Value::Number(5)),
                    ("PIDs", Value::Numbers(vec![9])),
                ]),
                Value::NoUnits,
            ],
        };
        let header = b"l\x01\0\x01\x3e\0\0\0\x03\0\0\0\x4d\0\0\0\
            \x01\x01o\0\x02\0\0\0/a\0\0\0\0\0\0\
            \x02\x01s\0\x03\0\0\0a.c\0\0\0\0\0\
            \x03\x01s\0\x03\0\0\0Set\0\0\0\0\0\
            \x06\x01s\0\x03\0\0\0a.b\0\0\0\0\0\
            \x08\x01g\0\x10sba(sv)a(sa(sv))\0";
        let written = call.write(3);
        let (head, body) = written.split_at(header.len().next_multiple_of(8));
        let mut expected = header.to_vec();
        let fields = u32::try_from(header.len() - 16).unwrap();
        expected[12..16].copy_from_slice(&fields.to_le_bytes());
        let content = b"\x01\0\0\0u\0\0\0\x01\0\0\0\x30\0\0\0\
            \x03\0\0\0Max\0\x01t\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\
            \x04\0\0\0PIDs\0\x02au\0\0\0\0\x04\0\0\0\x09\0\0\0";
        assert_eq!(body.get(..content.len()), Some(&content[..]));
        // The empty array: its length, and what aligns an element that is not there.
        assert!(body[content.len()..].iter().all(|byte| *byte == 0));
        let long = u32::try_from(body.len()).unwrap();
        expected[4..8].copy_from_slice(&long.to_le_bytes());
        assert_eq!(head.get(..expected.len()), Some(&expected[..]));
    }

    #[test]
    fn what_is_written_is_a_message_that_is_read() {
        let call = Call {
            destination: "org.freedesktop.systemd1",
            path: "/org/freedesktop/systemd1",
            interface: "org.freedesktop.systemd1.Manager",
            member: "SetUnitProperties",
            arguments: &[Value::Text("user-1001.slice"), Value::Boolean(true)],
        };
        let written = call.write(1);
        let (message, length) = read(&written).unwrap().unwrap();
        assert_eq!((message.kind, length), (Kind::Other, written.len()));
        assert_eq!(message.text.as_deref(), Some("user-1001.slice"));
    }

    #[test]
    fn an_answer_is_read_once_it_is_whole_and_what_follows_is_left() {
        let mut bytes = hello();
        let long = bytes.len();
        for end in 0..long {
            assert_eq!(read(&bytes[..end]), Ok(None), "{end}");
        }
        bytes.extend(b"l\x04");
        let expected = Message {
            kind: Kind::Return,
            answers: Some(1),
            error: None,
            text: Some(":1.42".to_owned()),
        };
        assert_eq!(read(&bytes), Ok(Some((expected, long))));
    }

    #[test]
    fn an_error_has_a_name_and_a_text_in_either_byte_order() {
        let name = "org.freedesktop.DBus.Error.AccessDenied";
        let mut fields = b"\x05\x01u\0\0\0\0\x02\x04\x01s\0".to_vec();
        fields.extend(u32::try_from(name.len()).unwrap().to_be_bytes());
        fields.extend(name.as_bytes());
        fields.extend(b"\0\x08\x01g\0\x01s\0");
        // The last field begins at a multiple of eight.
        let mut bytes = vec![b'B', 3, 0, 1, 0, 0, 0, 7, 0, 0, 0, 1];
        let place = 16 + 12 + 4 + name.len() + 1;
        let padding = place.next_multiple_of(8) - place;
        let at = fields.len() - 8 + 1;
        for _ in 0..padding {
            fields.insert(at, 0);
        }
        bytes.extend(u32::try_from(fields.len()).unwrap().to_be_bytes());
        bytes.extend(&fields);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend(b"\0\0\0\x02no\0");
        let (message, _) = read(&bytes).unwrap().unwrap();
        assert_eq!(message.kind, Kind::Error);
        assert_eq!(message.answers, Some(2));
        assert_eq!(message.error.as_deref(), Some(name));
        assert_eq!(message.text.as_deref(), Some("no"));
    }

    #[test]
    fn what_is_no_message_is_refused_and_no_length_is_believed() {
        let whole = hello();
        for (place, byte) in [(0, b'x'), (3, 2), (6, 0xff), (7, 0xff), (15, 0x80)] {
            let mut wrong = whole.clone();
            wrong[place] = byte;
            assert_eq!(read(&wrong), Err(Malformed), "{place}");
        }
        for place in 0..whole.len() {
            for byte in [0, 1, 2, 5, 0x7f, 0xff] {
                let mut wrong = whole.clone();
                wrong[place] = byte;
                if let Ok(Some((_, length))) = read(&wrong) {
                    assert!(length <= wrong.len() && length <= LONGEST);
                }
            }
        }
    }
}
