//! Standard output, and whether all that was to go there could be written: a report that is cut short, or a config, is not
//! taken for a whole one.
//!
//! What reports is told nothing, and goes on: the end of the program asks. So the first error is kept here, and whether there
//! was anything to say, in the only variables that this program has for all of it.

use std::{
    fmt::Display,
    io::{self, Write},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use serde::Serialize;

use crate::terminal::json;

static FIRST_ERROR: OnceLock<io::Error> = OnceLock::new();

static HAS_SAID: AtomicBool = AtomicBool::new(false);

/// Tells whether something was printed.
pub(crate) fn has_said() -> bool {
    HAS_SAID.load(Relaxed)
}

/// Prints a line.
pub(crate) fn say(text: impl Display) {
    HAS_SAID.store(true, Relaxed);
    record(writeln!(io::stdout(), "{text}"));
}

/// Prints a report as JSON.
pub(crate) fn say_json(report: &impl Serialize) {
    match json(report) {
        Ok(text) => say(text),
        Err(error) => record(Err(error.into())),
    }
}

/// Keeps in mind how writing there went. A reader that has seen enough is no failure of what is reported.
pub(crate) fn record(written: io::Result<()>) {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            // The first says why.
            FIRST_ERROR.get_or_init(|| error);
        }
        Ok(()) | Err(_) => {}
    }
}

/// Writes what is still held back.
///
/// # Errors
/// Something could not be written, now or before.
pub(crate) fn finish() -> Result<(), &'static io::Error> {
    record(io::stdout().flush());
    FIRST_ERROR.get().map_or(Ok(()), Err)
}
