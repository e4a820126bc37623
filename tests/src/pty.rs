//! A command on a terminal of the sandbox, driven like a person would: type, wait for a text, type.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::outcome::{LIMIT, Outcome, describe, wait};

/// A running command and the other end of its terminal.
#[derive(Debug)]
pub struct Pty {
    command: String,
    child: Child,
    terminal: File,
    shown: Receiver<Vec<u8>>,
    seen: Vec<u8>,
    /// How much of `seen` has been expected already.
    passed: usize,
}

impl Pty {
    /// Starts `command` with a terminal of 24 rows and 80 columns as its standard streams. `ptmx`
    /// is the sandbox's, so that the terminal has a name in there.
    pub(crate) fn spawn(mut command: Command, ptmx: &Path) -> Self {
        let described = describe(&command);
        let terminal = OpenOptions::new()
            .read(true)
            .write(true)
            .open(ptmx)
            .unwrap_or_else(|error| panic!("open {}: {error}", ptmx.display()));
        let peer = peer(&terminal);
        let stdio = || Stdio::from(peer.try_clone().expect("duplicate a descriptor"));
        let child = command
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio())
            .spawn()
            .unwrap_or_else(|error| panic!("start {described}: {error}"));
        let (sender, shown) = mpsc::channel();
        let mut reader = terminal.try_clone().expect("duplicate a descriptor");
        thread::spawn(move || {
            let mut bytes = vec![0; 4096];
            // Ends with EIO, once the last process has closed the terminal.
            while let Ok(length @ 1..) = reader.read(&mut bytes) {
                let piece = bytes.get(..length).unwrap_or_default().to_owned();
                if sender.send(piece).is_err() {
                    break;
                }
            }
        });
        Self {
            command: described,
            child,
            terminal,
            shown,
            seen: Vec::new(),
            passed: 0,
        }
    }

    /// Types `text` as it is: a line ends with `\r`, Ctrl-C is `\x03`.
    #[track_caller]
    pub fn send(&mut self, text: &str) -> &mut Self {
        self.terminal
            .write_all(text.as_bytes())
            .unwrap_or_else(|error| panic!("{}: type {text:?}: {error}", self.command));
        self
    }

    /// Types one line.
    #[track_caller]
    pub fn line(&mut self, text: &str) -> &mut Self {
        self.send(&format!("{text}\r"))
    }

    /// Waits until `text` is shown, after everything expected before, and gives what came before it.
    /// What is typed is shown too, unless the terminal does not echo: expect what only the output has.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            let rest = self.seen.get(self.passed..).unwrap_or_default();
            if let Some(at) = find(rest, text.as_bytes()) {
                let before = String::from_utf8_lossy(rest.get(..at).unwrap_or_default());
                let before = before.into_owned();
                self.passed += at + text.len();
                return before;
            }
            match self.shown.recv_timeout(left(deadline)) {
                Ok(piece) => self.seen.extend(piece),
                Err(reason) => panic!(
                    "{}: waited for {text:?}: {reason}; shown:\n{}",
                    self.command,
                    String::from_utf8_lossy(&self.seen)
                ),
            }
        }
    }

    /// Changes the size of the terminal, as a window does that is dragged.
    pub fn resize(&mut self, rows: u16, columns: u16) -> &mut Self {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.terminal, size).expect("set the size of a terminal");
        self
    }

    /// Waits for the end of the command; everything shown is its standard output.
    #[track_caller]
    #[must_use]
    pub fn finish(mut self) -> Outcome {
        let deadline = Instant::now() + LIMIT;
        let Some(status) = wait(&mut self.child, deadline) else {
            let shown = self.everything();
            panic!("{}: not done; shown:\n{shown}", self.command)
        };
        Outcome {
            status,
            stdout: self.everything(),
            stderr: String::new(),
            command: self.command.clone(),
        }
    }

    /// Takes what is still on its way. A process left in the background may hold the terminal open,
    /// so silence counts as the end.
    fn everything(&mut self) -> String {
        while let Ok(piece) = self.shown.recv_timeout(Duration::from_millis(500)) {
            self.seen.extend(piece);
        }
        String::from_utf8_lossy(&self.seen).into_owned()
    }
}

/// Opens the other end of a terminal, without a path that another namespace would read differently.
fn peer(terminal: &File) -> OwnedFd {
    unlockpt(terminal).expect("unlock a terminal");
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let peer = ioctl_tiocgptpeer(terminal, flags).expect("open the other end of a terminal");
    let size = Winsize {
        ws_row: 24,
        ws_col: 80,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&peer, size).expect("set the size of a terminal");
    peer
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|part| part == wanted)
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
