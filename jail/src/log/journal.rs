//! An event as journald's native protocol has it: <https://systemd.io/JOURNAL_NATIVE_PROTOCOL>.
//!
//! A field whose value has a control character in it is sent in the binary form, with its length before it: no value can end
//! its field or begin another.

use super::{
    event::{AUTHPRIV, Event},
    fields::Value,
    syslog::line,
};

/// Where journald listens.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

/// The most that is sent of one value, in bytes. The text has less.
pub(super) const LONGEST_VALUE: usize = 8 * 1024;

/// Who speaks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speaker<'a> {
    /// SYSLOG_IDENTIFIER.
    pub(super) name: &'a str,
    pub(super) pid: u32,
    /// What stands before the text.
    pub(super) before: &'a str,
}

/// Gives the id of a kind of event: journalctl(1) finds all of one kind by it. It never changes.
#[must_use]
pub fn message_id(event: &Event<'_>) -> &'static str {
    match event {
        Event::Enter(..) => "7b87bbbf6b874f5f8043a00ffcd9342a",
        Event::Leave { .. } => "3ae85305a59c49dc93d938187c67746e",
        Event::Refused { .. } | Event::WrongWords { .. } => "89da61cba81c463d82329f7d56e8357d",
        Event::Cut { .. } => "d9422b91212545ddbc3efd338646f231",
        Event::Weakened { .. } => "3b4896e26a00454dbb59a90819cf3169",
        Event::Unrecorded { .. } => "e5fa9b4ae4074f7e9231f2f3e6e17bc2",
        Event::Exempt { .. } => "1b4eb08ac4744fa182afbe5afef35b3c",
        Event::Planned(_) => "15bfbe0cd90d4608b8af4e5f2818782c",
        Event::NotShut { .. } => "1bed3609b0ba4264b52b643e7767fbea",
        Event::Inside { .. } => "568a4436ecdb485c946b69280d828d8b",
        Event::Dropped { .. } => "dc53b6c758474cd28e77f78844cce939",
        Event::Transfer { .. } => "0538d943e5144ff7bdcdbe35f5e8bb7e",
    }
}

/// Writes the datagram of an event.
pub(super) fn datagram(event: &Event<'_>, speaker: Speaker<'_>) -> Vec<u8> {
    let mut datagram = Datagram::default();
    let text = format!("{}{}", speaker.before, line(event));
    datagram.field("MESSAGE", text.as_bytes());
    datagram.field("PRIORITY", event.severity().to_string().as_bytes());
    datagram.field("SYSLOG_FACILITY", AUTHPRIV.to_string().as_bytes());
    datagram.field("SYSLOG_IDENTIFIER", speaker.name.as_bytes());
    datagram.field("SYSLOG_PID", speaker.pid.to_string().as_bytes());
    datagram.field("MESSAGE_ID", message_id(event).as_bytes());
    datagram.own("event", event.kind().as_bytes());
    for field in event.fields() {
        match &field.value {
            Value::None => {}
            Value::Number(number) => datagram.own(field.key, number.to_string().as_bytes()),
            Value::Word(word) | Value::Rest(word) => datagram.own(field.key, word.as_bytes()),
            Value::Text(text) => datagram.own(field.key, text),
            Value::List(words) => datagram.own(field.key, words.join(" ").as_bytes()),
        }
    }
    datagram.0
}

#[derive(Default)]
struct Datagram(Vec<u8>);

impl Datagram {
    /// Adds a field of our own, cut to a length; how much is left out is a field as well.
    fn own(&mut self, key: &str, value: &[u8]) {
        let name = format!("LOGIN_JAIL_{}", key.to_ascii_uppercase());
        let (kept, left_out) = value.split_at(value.len().min(LONGEST_VALUE));
        self.field(&name, kept);
        if !left_out.is_empty() {
            let number = left_out.len().to_string();
            self.field(&format!("{name}_LEFT_OUT"), number.as_bytes());
        }
    }

    fn field(&mut self, name: &str, value: &[u8]) {
        self.0.extend(name.as_bytes());
        if value.iter().any(|byte| *byte < b' ') {
            self.0.push(b'\n');
            let length = u64::try_from(value.len()).unwrap_or(u64::MAX);
            self.0.extend(length.to_le_bytes());
        } else {
            self.0.push(b'=');
        }
        self.0.extend(value);
        self.0.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{LONGEST_VALUE, Speaker, datagram};
    use crate::log::{
        call::{Call, Origin},
        event::{Event, Session},
    };

    /// Reads a datagram as journald does.
    fn read(mut rest: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut fields = BTreeMap::new();
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap();
            let (first, behind) = rest.split_at(end);
            let name = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let (name, value, behind) = match first.iter().position(|byte| *byte == b'=') {
                Some(at) => (name(&first[..at]), first[at + 1..].to_vec(), &behind[1..]),
                None => {
                    let length = u64::from_le_bytes(behind[1..9].try_into().unwrap());
                    let length = usize::try_from(length).unwrap();
                    assert_eq!(behind[9 + length], b'\n');
                    let value = behind[9..9 + length].to_vec();
                    (name(first), value, &behind[10 + length..])
                }
            };
            assert!(fields.insert(name, value).is_none(), "twice");
            rest = behind;
        }
        fields
    }

    #[test]
    fn no_value_can_end_its_field_or_begin_another() {
        let forged = "x\nPRIORITY=0\nLOGIN_JAIL_USER=root\nMESSAGE\n\0\0\0=\x1b[2J\r";
        let call = Call {
            door: "login-shell",
            from: Some(Origin::Claimed(forged.into())),
            terminal: Some(forged.into()),
            ..Call::default()
        };
        let session = Session {
            user: "ann".into(),
            command: Some(forged.repeat(1000).into()),
            ..Session::default()
        };
        let speaker = Speaker {
            name: "jail-shell",
            pid: 7,
            before: "",
        };
        let fields = read(&datagram(&Event::Enter(&call, &session), speaker));
        assert_eq!(fields["PRIORITY"], b"5");
        assert_eq!(fields["LOGIN_JAIL_USER"], b"ann");
        assert_eq!(fields["LOGIN_JAIL_CLAIMED_FROM"], forged.as_bytes());
        assert!(!fields.contains_key("LOGIN_JAIL_FROM"));
        assert_eq!(fields["LOGIN_JAIL_TTY"], forged.as_bytes());
        assert_eq!(fields["LOGIN_JAIL_COMMAND"].len(), LONGEST_VALUE);
        let left_out = (forged.len() * 1000 - LONGEST_VALUE).to_string();
        assert_eq!(fields["LOGIN_JAIL_COMMAND_LEFT_OUT"], left_out.as_bytes());
    }
}
