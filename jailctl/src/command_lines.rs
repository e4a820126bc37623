//! What processes say that they run: their arguments.
//!
//! The kernel reads these out of the process's own memory. A user can have a file there whose file system never answers,
//! and whoever reads them waits for it. So another process reads them, which is given up after a while.

use std::collections::BTreeMap;

use crate::stdout::say;
use serde::{Deserialize, Serialize};

use crate::{
    failure::{Failure, Verdict},
    process::Process,
    shell::shown,
    watch,
};

/// How long it may take to read them all, in seconds.
const LONGEST: &str = "2";

/// What one process runs.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    pid: i32,
    command: String,
}

/// Gives the arguments of processes, by their ids, made fit for a terminal; the name in brackets where they could not be
/// read; nothing where a process has ended.
pub(crate) fn of(pids: &[i32]) -> BTreeMap<i32, String> {
    let mut found: BTreeMap<i32, String> = pids
        .iter()
        .filter_map(|pid| Some((*pid, named(&Process::seen(*pid))?)))
        .collect();
    if found.is_empty() {
        return found;
    }
    // What was not said in time is called by its name.
    let said = watch::command(LONGEST, "commands")
        .ok()
        .and_then(|mut watched| {
            watched.command.args(found.keys().map(i32::to_string));
            watch::output(watched).ok()
        });
    let said = said.map(|output| output.stdout).unwrap_or_default();
    for line in said.split(|byte| *byte == b'\n') {
        if let Ok(Line { pid, command }) = serde_json::from_slice(line) {
            found.insert(pid, command);
        }
    }
    found
}

/// Prints a line of JSON for each process, as it is read.
pub(crate) fn run(pids: &[i32]) -> Result<Verdict, Failure> {
    for pid in pids {
        let process = Process::seen(*pid);
        let text = process.arguments().unwrap_or_default();
        if text.is_empty() {
            continue;
        }
        let line = Line {
            pid: *pid,
            command: shown(text),
        };
        let line = serde_json::to_string(&line);
        say(line.map_err(|error| Failure::Failed(format!("print JSON: {error}")))?);
    }
    Ok(Verdict::Fine)
}

fn named(process: &Process) -> Option<String> {
    Some(format!("[{}]", shown(process.name()?)))
}
