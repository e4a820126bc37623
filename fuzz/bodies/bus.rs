//! Any bytes as what the system bus sends: no panic, no message that is longer than the bytes, and the same one whatever follows.
//! And what is written of them is a message that is read.

use jail::process::cgroup::message::{Call, Kind, LONGEST, Value, read};

/// Takes one input.
pub(crate) fn take(bytes: &[u8]) {
    if let Ok(Some((message, length))) = read(bytes) {
        // Whoever reads goes on behind it: at no message twice.
        assert!(length > 0 && length <= bytes.len() && length <= LONGEST);
        let alone = bytes.get(..length).unwrap_or_default();
        assert_eq!(read(alone), Ok(Some((message.clone(), length))));
        let shorter = bytes.get(..length - 1).unwrap_or_default();
        assert_eq!(read(shorter), Ok(None));
        for text in message.error.iter().chain(&message.text) {
            assert!(text.len() < length);
        }
    }
    let text = String::from_utf8_lossy(bytes);
    let mut words = text.split('\n');
    let mut next = || words.next().unwrap_or_default();
    let (member, first, name, second) = (next(), next(), next(), next());
    let number = second.len() as u64;
    let call = Call {
        destination: "org.freedesktop.systemd1",
        path: "/org/freedesktop/systemd1",
        interface: "org.freedesktop.systemd1.Manager",
        member,
        arguments: &[
            Value::Text(first),
            Value::Boolean(number > 0),
            Value::Properties(vec![
                (name, Value::Number(number)),
                (name, Value::Text(second)),
            ]),
            Value::Numbers(bytes.iter().copied().map(u32::from).collect()),
            Value::NoUnits,
        ],
    };
    let written = call.write(7);
    match read(&written) {
        Ok(Some((message, length))) => {
            assert_eq!((message.kind, length), (Kind::Other, written.len()));
            assert_eq!(message.text.as_deref(), Some(first));
            assert_eq!((message.answers, message.error), (None, None));
        }
        other => assert!(other.is_err() && written.len() > LONGEST, "{other:?}"),
    }
}
