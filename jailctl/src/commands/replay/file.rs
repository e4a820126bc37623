//! A recording, as it is read: asciicast v2, a header and a line of JSON for each event.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::{CWD, Mode, OFlags, openat};
use serde::Deserialize;

use crate::failure::Failure;

/// The longest line: far more than a supervisor writes at once.
const LONGEST: u64 = 1 << 20;

/// The first line.
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    pub(super) version: u64,
    pub(super) width: u64,
    pub(super) height: u64,
    pub(super) timestamp: Option<u64>,
    pub(super) title: Option<String>,
    pub(super) command: Option<String>,
}

/// An event: how long after the beginning, of what kind, and its text.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) after: Duration,
    kind: String,
    pub(super) text: String,
}

impl Event {
    /// Tells whether the session showed the text.
    pub(super) fn is_output(&self) -> bool {
        self.kind == "o"
    }
}

/// An open recording.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) header: Header,
    /// Its size in bytes.
    pub(super) length: u64,
    path: PathBuf,
    lines: BufReader<File>,
    number: usize,
}

impl Reader {
    /// Opens a recording and reads its header.
    pub(super) fn open(path: &Path) -> Result<Reader, Failure> {
        let failed = |error: std::io::Error| Failure::io("open", path, &error);
        // A FIFO in this place is refused, not waited for.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = openat(CWD, path, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?;
        let file = File::from(file);
        let metadata = file.metadata().map_err(failed)?;
        let mut lines = BufReader::new(file);
        let (line, _) = line(&mut lines, path)?;
        let header = serde_json::from_str::<Header>(&line).ok();
        let header = header.filter(|it| it.version == 2 && metadata.is_file());
        let Some(header) = header else {
            return Err(Failure::Failed(format!(
                "{} is not a recording: its first line is no header of asciicast version 2",
                path.display()
            )));
        };
        Ok(Reader {
            header,
            length: metadata.len(),
            path: path.to_owned(),
            lines,
            number: 1,
        })
    }

    /// Reads the next event; nothing at the end, or where the last line was cut short.
    pub(super) fn next(&mut self) -> Result<Option<Event>, Failure> {
        let (line, is_whole) = line(&mut self.lines, &self.path)?;
        self.number += 1;
        if line.is_empty() {
            return Ok(None);
        }
        match event(&line) {
            Some(event) => Ok(Some(event)),
            None if !is_whole => Ok(None),
            None => Err(Failure::Failed(format!(
                "{}, line {}: not an event of a recording",
                self.path.display(),
                self.number
            ))),
        }
    }

    /// Reads when the last event was.
    pub(super) fn last(&mut self) -> Result<Duration, Failure> {
        let near_end = self.length.saturating_sub(LONGEST);
        let read = self.lines.seek(SeekFrom::Start(near_end)).and_then(|_| {
            let mut end = Vec::new();
            self.lines.read_to_end(&mut end).map(|_| end)
        });
        let end = read.map_err(|error| Failure::io("read", &self.path, &error))?;
        let end = String::from_utf8_lossy(&end);
        let last = end.lines().rev().find_map(event);
        Ok(last.map_or(Duration::ZERO, |event| event.after))
    }
}

fn event(line: &str) -> Option<Event> {
    let (after, kind, text): (f64, String, String) = serde_json::from_str(line).ok()?;
    let after = Duration::try_from_secs_f64(after).ok()?;
    Some(Event { after, kind, text })
}

/// Reads a line, and tells whether it has an end.
fn line(lines: &mut BufReader<File>, path: &Path) -> Result<(String, bool), Failure> {
    let mut line = Vec::new();
    let read = lines.take(LONGEST).read_until(b'\n', &mut line);
    read.map_err(|error| Failure::io("read", path, &error))?;
    let is_whole = line.ends_with(b"\n") || line.len() as u64 == LONGEST;
    Ok((String::from_utf8_lossy(&line).into_owned(), is_whole))
}
