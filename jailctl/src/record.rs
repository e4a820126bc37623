//! The record of sessions, read: what began, what ended, and what still runs.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::Path,
};

use jail::log::record::{DIRECTORY, FILE};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{
    failure::Failure,
    process::{Process, boot_time},
};

/// What a line begins with. No value has these letters in it, so that a line is also found behind one that was cut off.
const BEGIN: &str = "{\"time\":\"";

/// A session that was recorded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorded {
    /// The event of its beginning.
    pub(crate) enter: Map<String, Value>,
    /// The event of its end.
    pub(crate) leave: Option<Map<String, Value>>,
}

/// Reads the sessions of the record, the oldest first; none where there is no record. Files that were rotated away and are not
/// compressed count as well: a session writes its end where it has written its beginning.
pub(crate) fn sessions() -> Result<Vec<Recorded>, Failure> {
    let directory = Path::new(DIRECTORY);
    let failed = |path: &Path, error: &io::Error| Failure::io("read", path, error);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(directory, &error)),
    };
    let mut events = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| failed(directory, &error))?;
        let name = entry.file_name();
        let is_part = name.to_str().is_some_and(|name| {
            name.strip_prefix(FILE)
                .is_some_and(|rest| rest.bytes().all(|it| b".-0123456789".contains(&it)))
        });
        if is_part {
            let path = entry.path();
            let text = fs::read(&path).map_err(|error| failed(&path, &error))?;
            events.extend(String::from_utf8_lossy(&text).lines().filter_map(event));
        }
    }
    Ok(paired(events))
}

/// Reads one line.
fn event(line: &str) -> Option<Map<String, Value>> {
    let begin = line.rfind(BEGIN)?;
    serde_json::from_str(line.get(begin..)?).ok()
}

/// Puts beginnings and ends together, by the ids of the sessions.
fn paired(events: Vec<Map<String, Value>>) -> Vec<Recorded> {
    let mut all: BTreeMap<(String, String), Recorded> = BTreeMap::new();
    let mut ends = HashMap::new();
    for event in events {
        let id = text(&event, "session");
        match text(&event, "event").as_str() {
            "enter" => {
                let recorded = Recorded {
                    enter: event,
                    leave: None,
                };
                all.insert((text(&recorded.enter, "time"), id), recorded);
            }
            "leave" => drop(ends.insert(id, event)),
            _ => {}
        }
    }
    for ((_, id), recorded) in &mut all {
        recorded.leave = ends.remove(id);
    }
    all.into_values().collect()
}

/// Gives a value as text: what is not UTF-8 is a list of bytes in the record.
pub(crate) fn text(event: &Map<String, Value>, key: &str) -> String {
    match event.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(bytes)) => {
            let bytes = bytes.iter().filter_map(Value::as_u64);
            let bytes: Vec<u8> = bytes.filter_map(|it| u8::try_from(it).ok()).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

impl Recorded {
    /// Gives the time of an event.
    pub(crate) fn time(event: &Map<String, Value>) -> Option<Timestamp> {
        text(event, "time").parse().ok()
    }

    /// Gives the pid of the process that was called, if it still runs: the one with this pid was started at the same time.
    pub(crate) fn running(&self) -> Option<i32> {
        if self.leave.is_some() {
            return None;
        }
        let began = Recorded::time(&self.enter)?.as_second();
        if u64::try_from(began).ok()? < boot_time()?.saturating_sub(1) {
            return None;
        }
        let pid = i32::try_from(self.enter.get("pid")?.as_u64()?).ok()?;
        let stat = Process::new(pid).stat().filter(|stat| !stat.zombie)?;
        (Some(stat.start) == self.enter.get("started")?.as_u64()).then_some(pid)
    }
}

#[cfg(test)]
mod tests {
    use super::{event, paired, text};

    #[test]
    fn a_line_is_found_behind_one_that_was_cut_off() {
        let line = r#"{"time":"1","event":"enter","command":"x{\"time\":{"time":"2","event":"enter","session":"b"}"#;
        let read = event(line).unwrap();
        assert_eq!(text(&read, "time"), "2");
        assert!(event(r#"{"time":"1","event":"ent"#).is_none());
        assert!(event("").is_none());
    }

    #[test]
    fn an_end_is_put_to_its_beginning() {
        let lines = [
            r#"{"time":"2","event":"enter","session":"b"}"#,
            r#"{"time":"3","event":"leave","session":"a","status":1}"#,
            r#"{"time":"1","event":"enter","session":"a","user":[97,255]}"#,
            r#"{"time":"4","event":"refused","session":"c"}"#,
        ];
        let all = paired(lines.iter().filter_map(|line| event(line)).collect());
        assert_eq!(all.len(), 2);
        assert_eq!(text(&all[0].enter, "user"), "a\u{fffd}");
        assert_eq!(text(all[0].leave.as_ref().unwrap(), "status"), "1");
        assert!(all[1].leave.is_none());
    }
}
