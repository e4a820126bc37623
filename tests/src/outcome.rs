//! How a command in the sandbox ended and what it said, collected under a time limit.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// How long a command may take before the test fails with what was seen so far.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);

/// The end of a command.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The command, for messages.
    pub command: String,
    /// Exit status or signal.
    pub status: ExitStatus,
    /// All of standard output; of a terminal, everything shown.
    pub stdout: String,
    /// All of standard error.
    pub stderr: String,
}

impl Outcome {
    /// Gives the exit status; `None` if a signal ended the command.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Gives the number of the signal that ended the command.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// Gives standard output with each run of blanks as one: a report may break its lines where a screen ends.
    #[must_use]
    pub fn words(&self) -> String {
        let words: Vec<&str> = self.stdout.split_whitespace().collect();
        words.join(" ")
    }

    /// Insists on exit status 0 and gives standard output without its last newlines.
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert!(self.status.success(), "should have succeeded: {self}");
        self.stdout.trim_end_matches(['\r', '\n'])
    }

    /// Insists on a refused login: nothing but the one sentence with this code, and its exit status.
    #[track_caller]
    pub fn refused(&self, status: i32, code: &str) {
        let sentence = format!(
            "jail-shell: login refused ({code}); ask the administrator, who finds the reason in the authpriv log\n"
        );
        let seen = (self.code(), self.stdout.as_str(), self.stderr.as_str());
        assert_eq!(seen, (Some(status), "", sentence.as_str()), "{self}");
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(out, "{}: {}", self.command, self.status)?;
        writeln!(out, "--- stdout\n{}", self.stdout)?;
        writeln!(out, "--- stderr\n{}", self.stderr)
    }
}

/// One piece of what a command said.
enum Piece {
    Out(Vec<u8>),
    Err(Vec<u8>),
}

/// Runs `command` with `input` as standard input and waits for its end and for the end of its
/// output; panics when that takes longer than `limit`.
#[track_caller]
pub(crate) fn finish(mut command: Command, input: &[u8], limit: Duration) -> Outcome {
    let described = describe(&command);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("start {described}: {error}"));
    let (sender, pieces) = mpsc::channel();
    let deadline = Instant::now() + limit;

    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_owned();
        // A command that does not read its input is a finding for the test, not an error here.
        thread::spawn(move || stdin.write_all(&input).ok());
    }
    forward(child.stdout.take(), sender.clone(), Piece::Out);
    forward(child.stderr.take(), sender, Piece::Err);

    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    loop {
        match pieces.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Piece::Out(bytes)) => stdout.extend(bytes),
            Ok(Piece::Err(bytes)) => stderr.extend(bytes),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                child.kill().ok();
                panic!(
                    "{described}: not done after {limit:?}\n--- stdout\n{}\n--- stderr\n{}",
                    String::from_utf8_lossy(&stdout),
                    String::from_utf8_lossy(&stderr),
                );
            }
        }
    }
    let status = wait(&mut child, deadline)
        .unwrap_or_else(|| panic!("{described}: its output has ended, but it has not"));
    Outcome {
        command: described,
        status,
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// Waits for a child until `deadline`; one that is not done by then is killed.
pub(crate) fn wait(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
            _ => {
                child.kill().ok();
                return None;
            }
        }
    }
}

fn forward(
    stream: Option<impl Read + Send + 'static>,
    sender: Sender<Piece>,
    piece: fn(Vec<u8>) -> Piece,
) {
    let Some(mut stream) = stream else { return };
    thread::spawn(move || {
        let mut bytes = vec![0; 1 << 16];
        while let Ok(length @ 1..) = stream.read(&mut bytes) {
            let seen = bytes.get(..length).unwrap_or_default().to_owned();
            if sender.send(piece(seen)).is_err() {
                break;
            }
        }
    });
}

/// The command's own words, without the way into the sandbox.
pub(crate) fn describe(command: &Command) -> String {
    let words: Vec<_> = command
        .get_args()
        .map(|word| word.to_string_lossy())
        .collect();
    let own = words.iter().position(|word| word == "--");
    words
        .get(own.map_or(0, |dashes| dashes + 1)..)
        .unwrap_or_default()
        .join(" ")
}
