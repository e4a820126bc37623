//! The recording of a terminal: a file that root opened, which the user can't reach, and what is written there.
//!
//! What a session shows is written before the user sees it. Where that fails, the session ends: nothing is shown that is not
//! recorded.

use std::{
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use jail_config::Recording;
use rustix::{
    fs::ftruncate,
    io::{Errno, write},
};

use crate::{
    fault::errno_of,
    session::{
        cast::{Decoder, Header, Kind, event},
        cut::Cut,
    },
};

/// How long what was typed waits until it is recorded. The session's terminal takes it a moment after it was written there,
/// and whether it echoes has to be asked after that, too.
const SETTLES: Duration = Duration::from_millis(20);

/// The most that is looked at for an echo, in bytes.
const MOST_ECHOED: usize = 64 * 1024;

/// A recording that has begun.
#[derive(Debug)]
pub(crate) struct Recorder {
    file: OwnedFd,
    began: Instant,
    /// How large the file is, and may become.
    length: u64,
    longest: u64,
    with_input: bool,
    size: (u16, u16),
    shown: Decoder,
    typed: Decoder,
    /// Typed while the terminal echoed, and not yet recorded; and since when.
    pending: Vec<u8>,
    since: Option<Instant>,
    /// Shown meanwhile.
    echoed: Vec<u8>,
    /// The terminal did not echo at one of the looks.
    is_doubtful: bool,
    cut: Option<Cut>,
}

impl Recorder {
    /// Begins a recording in an empty file.
    pub(crate) fn begin(file: OwnedFd, header: &Header<'_>, recording: Recording) -> Recorder {
        let mut recorder = Recorder {
            file,
            began: Instant::now(),
            length: 0,
            longest: recording.size,
            with_input: recording.input,
            size: header.size,
            shown: Decoder::default(),
            typed: Decoder::default(),
            pending: Vec::new(),
            since: None,
            echoed: Vec::new(),
            is_doubtful: false,
            cut: None,
        };
        recorder.write(&header.line());
        recorder
    }

    /// Tells whether what is typed is recorded.
    pub(crate) fn with_input(&self) -> bool {
        self.with_input
    }

    /// Says why the session has to end, once something could not be recorded.
    pub(crate) fn cut(&self) -> Option<&Cut> {
        self.cut.as_ref()
    }

    /// Records what the session shows. Tells whether it may be shown.
    pub(crate) fn show(&mut self, piece: &[u8]) -> bool {
        if !self.pending.is_empty() && self.echoed.len() < MOST_ECHOED {
            self.echoed.extend_from_slice(piece);
        }
        let text = self.shown.take(piece);
        self.write_event(Kind::Output, &text);
        self.cut.is_none()
    }

    /// Records a new size of the terminal, in columns and rows.
    pub(crate) fn resize(&mut self, size: (u16, u16)) {
        if size != self.size {
            self.size = size;
            let (columns, rows) = size;
            self.write_event(Kind::Resize, &format!("{columns}x{rows}"));
        }
    }

    /// Takes what is typed, where the terminal echoes at the moment. Otherwise it is a password, or typed ahead of the question
    /// for one.
    pub(crate) fn take_typed(&mut self, typed: &[u8], echoes: bool) {
        if echoes {
            self.pending.extend_from_slice(typed);
        }
        self.look_after_write(echoes);
    }

    /// Takes another look at the echo, once the terminal has been given what was typed; that waits from now on.
    pub(crate) fn look_after_write(&mut self, echoes: bool) {
        self.is_doubtful |= !echoes;
        self.since = (!self.pending.is_empty()).then(Instant::now);
    }

    /// Tells how long what is pending has still to wait.
    pub(crate) fn settles_in(&self) -> Option<Duration> {
        let since = self.since?;
        Some(SETTLES.saturating_sub(since.elapsed()))
    }

    /// Records what has been pending for long enough. Where the echo went off meanwhile, as at the end of a program that has read
    /// a line, only what was shown is recorded.
    pub(crate) fn settle(&mut self, echoes: bool) {
        if self.settles_in() != Some(Duration::ZERO) {
            return;
        }
        let pending = std::mem::take(&mut self.pending);
        let echoed = std::mem::take(&mut self.echoed);
        let is_doubtful = std::mem::take(&mut self.is_doubtful) || !echoes;
        self.since = None;
        if !is_doubtful || is_shown(&pending, &echoed) {
            let text = self.typed.take(&pending);
            self.write_event(Kind::Input, &text);
        }
    }

    /// Records what is left, at the end of the session.
    pub(crate) fn finish(&mut self) {
        let text = self.shown.finish();
        self.write_event(Kind::Output, text);
    }

    fn write_event(&mut self, kind: Kind, text: &str) {
        if !text.is_empty() && self.cut.is_none() {
            self.write(&event(self.began.elapsed(), kind, text));
        }
    }

    /// Writes a line, or ends the recording with the last whole one.
    fn write(&mut self, line: &str) {
        let length = self.length + line.len() as u64;
        if length > self.longest {
            self.cut = Some(Cut::RecordingFull(self.longest));
            return;
        }
        match write_all(&self.file, line.as_bytes()) {
            Ok(()) => self.length = length,
            Err(errno) => {
                self.cut = Some(Cut::RecordingFailed(errno_of(errno)));
                match ftruncate(&self.file, self.length) {
                    // What plays it does without a line that is not whole.
                    Ok(()) | Err(_) => {}
                }
            }
        }
    }
}

/// Tells whether all that was typed has been shown: each stretch without a control character, one after the other.
fn is_shown(typed: &[u8], mut shown: &[u8]) -> bool {
    let stretches = typed.split(u8::is_ascii_control);
    stretches.filter(|it| !it.is_empty()).all(|stretch| {
        let at = shown.windows(stretch.len()).position(|it| it == stretch);
        let rest = at.and_then(|at| shown.get(at + stretch.len()..));
        shown = rest.unwrap_or_default();
        rest.is_some()
    })
}

fn write_all(file: &OwnedFd, mut left: &[u8]) -> Result<(), Errno> {
    while !left.is_empty() {
        match write(file, left) {
            Ok(0) => return Err(Errno::NOSPC),
            Ok(length) => left = left.get(length..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{io::Read, os::fd::OwnedFd, thread::sleep};

    use jail_config::Recording;
    use rustix::fs::{MemfdFlags, memfd_create};

    use super::{Recorder, SETTLES};
    use crate::session::{cast::Header, cut::Cut};

    fn begin(file: OwnedFd, longest: u64) -> Recorder {
        let header = Header {
            size: (80, 24),
            timestamp: 0,
            title: "x".as_ref(),
            command: None,
            term: None,
        };
        let recording = Recording {
            input: true,
            size: longest,
            total: longest,
        };
        Recorder::begin(file, &header, recording)
    }

    fn recorder(longest: u64) -> (Recorder, std::fs::File) {
        let file = memfd_create("cast", MemfdFlags::CLOEXEC).unwrap();
        let copy: OwnedFd = file.try_clone().unwrap();
        (begin(file, longest), copy.into())
    }

    fn read(mut file: &std::fs::File) -> String {
        use std::io::Seek;
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn what_is_typed_without_echo_is_never_recorded() {
        let (mut recorder, file) = recorder(1 << 20);
        recorder.take_typed(b"seen", true);
        sleep(SETTLES);
        recorder.settle(true);
        recorder.take_typed(b"secret1", false);
        // The echo goes off between the look and the moment the terminal takes it.
        recorder.take_typed(b"secret2", true);
        recorder.look_after_write(false);
        recorder.take_typed(b"secret3", true);
        sleep(SETTLES);
        recorder.settle(false);
        recorder.take_typed(b"secret4", true);
        recorder.take_typed(b"secret5", false);
        sleep(SETTLES);
        recorder.settle(true);
        // A program that has read a line ends, and the shell reads the next one key by key.
        recorder.take_typed(b"a line\r", true);
        recorder.show(b"a li");
        recorder.show(b"ne\r\n$ ");
        recorder.take_typed(b"secret6", false);
        sleep(SETTLES);
        recorder.settle(false);
        let text = read(&file);
        assert!(text.contains("\"i\", \"a line\\r\""), "{text}");
        assert!(
            text.contains("\"i\", \"seen\"") && !text.contains("secret"),
            "{text}"
        );
    }

    #[test]
    fn a_recording_ends_with_a_whole_line_where_it_is_full() {
        let (mut recorder, file) = recorder(200);
        let shown = (0..100)
            .take_while(|_| recorder.show(b"0123456789"))
            .count();
        assert!((1..10).contains(&shown), "{shown}");
        assert_eq!(recorder.cut(), Some(&Cut::RecordingFull(200)));
        assert!(!recorder.show(b"more"));
        recorder.resize((1, 1));
        let text = read(&file);
        assert!(text.len() <= 200 && text.ends_with("\"]\n"), "{text}");
        assert_eq!(text.matches("0123456789").count(), shown);
    }

    #[test]
    fn a_failed_write_is_why_the_session_ends() {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let recorder = begin(full.into(), 1 << 20);
        assert_eq!(
            recorder.cut(),
            Some(&Cut::RecordingFailed(nix::errno::Errno::ENOSPC))
        );
    }
}
