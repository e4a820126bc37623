//! `jailctl replay`: plays the recording of a terminal session.

mod file;
mod filter;

use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueHint};
use jail::door::recording::{RECORDINGS, SUFFIX};
use jail_config::{duration, size};
use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    termios::tcgetwinsize,
};
use serde::Serialize;

use self::{
    file::{Header, Reader},
    filter::{Filter, Passes},
};
use crate::{
    clock::{local_time, machine_zone},
    failure::{Failure, Verdict, need_root},
    manual::Manual,
    output::{Output, print_columns, print_json, say},
    shell::{quoted, shown},
    stdout::record,
};

/// Play the recording of a terminal session
///
/// Plays what a session showed, as fast as it was shown. Recordings are made for jails with record = "terminal"; see
/// login-jail.toml(5). Without SESSION it lists them.
///
/// What a session showed is text of its user's. Therefore only printable text, line ends, colours and sequences that move the
/// cursor, erase or scroll are passed on. Everything else is left out: titles, the clipboard, questions to the terminal, whose
/// answers would be typed into your shell, and modes. Where standard output is not a terminal, the text alone is printed, at
/// once. Ctrl-C ends it. Needs root.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL.to_string())]
pub(crate) struct Arguments {
    /// The session: a name from the list, or the path of a recording, with a slash
    #[arg(value_name = "SESSION", value_hint = ValueHint::Other)]
    pub(crate) session: Option<PathBuf>,
    /// List the recordings, the newest last
    #[arg(long, conflicts_with_all = ["session", "speed", "idle_limit", "raw"])]
    pub(crate) list: bool,
    /// Play this many times as fast
    #[arg(long, value_name = "TIMES", default_value_t = 1.0, value_parser = positive, value_hint = ValueHint::Other)]
    pub(crate) speed: f64,
    /// Make no pause longer than this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = positive, value_hint = ValueHint::Other)]
    pub(crate) idle_limit: Option<f64>,
    /// Pass everything on to the terminal, which then obeys the session
    #[arg(long)]
    pub(crate) raw: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

const EXAMPLES: &str = "\
Examples:
  jailctl replay --list                            list the recordings
  jailctl replay --list --json                     the same for a program
  jailctl replay 3f1c9ab2d07e4655                  play one
  jailctl replay --speed 4 3f1c9ab2d07e4655        four times as fast
  jailctl replay --idle-limit 1 3f1c9ab2d07e4655   no pause longer than a second
  jailctl replay --raw 3f1c9ab2d07e4655            everything that the session wrote
  jailctl replay /mnt/3f1c9ab2d07e4655.cast        play a file from elsewhere";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "the recording was played, or listed",
    found: None,
    differs: None,
    files: &[(
        "/var/log/login-jail/terminal/UID-SESSION.cast",
        "the recording of a session, in the format asciicast v2",
    )],
    examples: EXAMPLES,
};

/// A recording, as it is listed.
#[derive(Debug, Serialize)]
struct Listed {
    session: String,
    /// Seconds since 1970.
    since: u64,
    /// How long it is, in seconds.
    seconds: u64,
    bytes: u64,
    /// The user and the jail.
    title: String,
    command: Option<String>,
}

/// Plays a recording, or lists them.
pub(crate) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    match &arguments.session {
        Some(session) if !arguments.output.json => {
            need_root("read what the terminals of others showed")?;
            play(session, arguments)?;
        }
        Some(_) => {
            return Err(Failure::Usage(
                "--json is for the list; a recording is lines of JSON itself".to_owned(),
            ));
        }
        None => {
            need_root("read what the terminals of others showed")?;
            list(arguments.output)?;
        }
    }
    Ok(Verdict::Fine)
}

/// Gives the sessions that have a recording, in the order of their names.
pub(crate) fn sessions() -> io::Result<Vec<String>> {
    let names = names()?;
    let mut sessions: Vec<String> = names
        .iter()
        .filter_map(|it| session_of(it))
        .map(str::to_owned)
        .collect();
    sessions.sort();
    Ok(sessions)
}

/// Gives the names of the recordings.
fn names() -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    let entries = match fs::read_dir(RECORDINGS) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(names),
        entries => entries?,
    };
    for entry in entries {
        let name = entry?.file_name();
        let name = name.to_str().filter(|name| name.ends_with(SUFFIX));
        names.extend(name.map(str::to_owned));
    }
    Ok(names)
}

fn list(output: Output) -> Result<(), Failure> {
    let names = names().map_err(|error| Failure::io("read", Path::new(RECORDINGS), &error))?;
    let mut listed = Vec::with_capacity(names.len());
    for name in names {
        let path = Path::new(RECORDINGS).join(&name);
        let session = session_of(&name).unwrap_or(&name).to_owned();
        // One that was removed meanwhile is not listed, and one that is broken does not hide the others.
        match Reader::open(&path).and_then(|mut reader| look(session, &mut reader)) {
            Ok(found) => listed.push(found),
            Err(failure) => eprintln!("jailctl: {failure}"),
        }
    }
    listed.sort_by(|one, other| (one.since, &one.session).cmp(&(other.since, &other.session)));
    if output.json {
        return print_json(&listed);
    }
    if listed.is_empty() {
        say(format_args!("no recordings in {RECORDINGS}"));
        return Ok(());
    }
    let heading = ["SESSION", "SINCE", "LENGTH", "SIZE", "WHO", "COMMAND"].map(str::to_owned);
    let zone = machine_zone();
    let rows = listed.iter().map(|it| {
        [
            it.session.clone(),
            local_time(it.since, &zone).unwrap_or_default(),
            duration(Duration::from_secs(it.seconds)),
            size(it.bytes),
            it.title.clone(),
            it.command.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    });
    let rows: Vec<_> = [heading].into_iter().chain(rows).collect();
    print_columns(&rows);
    Ok(())
}

fn look(session: String, reader: &mut Reader) -> Result<Listed, Failure> {
    let last = reader.last()?;
    let Header {
        timestamp,
        title,
        command,
        ..
    } = &reader.header;
    Ok(Listed {
        session,
        since: timestamp.unwrap_or(0),
        seconds: last.as_secs(),
        bytes: reader.length,
        title: shown(title.as_deref().unwrap_or_default()),
        command: command.as_deref().map(shown),
    })
}

/// Gives the session of a recording's name, which begins with the uid and a dash.
fn session_of(name: &str) -> Option<&str> {
    let name = name.strip_suffix(SUFFIX)?;
    Some(name.split_once('-').map_or(name, |(_, session)| session))
}

/// Gives the path of a recording that was asked for: by its session, or by its name.
fn path_of(session: &Path) -> PathBuf {
    if session.as_os_str().as_encoded_bytes().contains(&b'/') {
        return session.to_owned();
    }
    let mut name = session.as_os_str().to_owned();
    if !name.as_encoded_bytes().ends_with(SUFFIX.as_bytes()) {
        name.push(SUFFIX);
    }
    let named = Path::new(RECORDINGS).join(&name);
    if fs::exists(&named).is_ok_and(|it| it) {
        return named;
    }
    let wanted = name.to_str().and_then(session_of);
    let mut names = names().unwrap_or_default().into_iter();
    let found = names.find(|it| wanted.is_some() && session_of(it) == wanted);
    found.map_or(named, |found| Path::new(RECORDINGS).join(found))
}

fn play(session: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let path = path_of(session);
    let mut reader = Reader::open(&path).map_err(|failure| match fs::exists(&path) {
        Ok(false) => Failure::Failed(format!(
            "there is no recording {}; jailctl replay lists them",
            quoted(session)
        )),
        Ok(true) | Err(_) => failure,
    })?;
    let at_terminal = io::stdout().is_terminal();
    if at_terminal {
        tell_of_size(&reader.header);
    }
    let passes = match (arguments.raw, at_terminal) {
        (true, _) => Passes::All,
        (false, true) => Passes::Screen,
        (false, false) => Passes::Text,
    };
    let mut filter = Filter::new(passes);
    let mut pauses = Pauses::new(arguments)?;
    while let Some(event) = reader.next()? {
        if at_terminal && pauses.until(event.after)? {
            break;
        }
        if event.is_output() {
            show(&filter.pass(&event.text));
        }
    }
    show(&filter.end());
    Ok(())
}

fn show(bytes: &[u8]) {
    let mut out = io::stdout();
    record(out.write_all(bytes).and_then(|()| out.flush()));
}

/// Says where the terminal is too small to look as the other did.
fn tell_of_size(header: &Header) {
    let fits = tcgetwinsize(io::stdout()).is_ok_and(|size| {
        u64::from(size.ws_col) >= header.width && u64::from(size.ws_row) >= header.height
    });
    if !fits {
        eprintln!(
            "jailctl: note: the session's terminal had {} columns and {} rows, this one has fewer",
            header.width, header.height
        );
    }
}

/// The pauses between events.
struct Pauses {
    speed: f64,
    longest: Option<Duration>,
    last: Duration,
    /// Ctrl-C: the terminal has to be left as it was.
    interrupts: SignalFd,
}

impl Pauses {
    fn new(arguments: &Arguments) -> Result<Pauses, Failure> {
        let failed = |errno: nix::errno::Errno| {
            Failure::Failed(format!("wait for Ctrl-C: {}", errno.desc()))
        };
        let mut caught = SigSet::empty();
        caught.add(Signal::SIGINT);
        caught.add(Signal::SIGTERM);
        caught.thread_block().map_err(failed)?;
        Ok(Pauses {
            speed: arguments.speed,
            longest: arguments.idle_limit.map(seconds).transpose()?,
            last: Duration::ZERO,
            interrupts: SignalFd::with_flags(&caught, SfdFlags::SFD_CLOEXEC).map_err(failed)?,
        })
    }

    /// Waits until it is time for an event, so long after the beginning. Tells whether somebody has seen enough.
    fn until(&mut self, after: Duration) -> Result<bool, Failure> {
        let pause = after.saturating_sub(self.last);
        self.last = self.last.max(after);
        let pause = self.longest.map_or(pause, |longest| pause.min(longest));
        let pause = seconds(pause.as_secs_f64() / self.speed)?;
        let timeout = Timespec::try_from(pause)
            .map_err(|_| Failure::Failed("a pause of the recording is too long".to_owned()))?;
        let mut fds = [PollFd::new(&self.interrupts, PollFlags::IN)];
        let came = poll(&mut fds, Some(&timeout));
        came.map(|number| number > 0)
            .map_err(|errno| Failure::Failed(format!("wait: {errno}")))
    }
}

fn seconds(number: f64) -> Result<Duration, Failure> {
    Duration::try_from_secs_f64(number)
        .map_err(|error| Failure::Failed(format!("{number} seconds: {error}")))
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok();
    number
        .filter(|number| number.is_finite() && *number > 0.0)
        .ok_or_else(|| "it must be a number above 0".to_owned())
}
