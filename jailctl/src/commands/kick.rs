//! `jailctl kick`: ends all that a jailed user has running.

use std::{
    io,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use clap::{Args, ValueHint};
use jail::{
    account::identity::Identity,
    door::{decision::Config, refusal::Refusal},
};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal},
};
use serde::Serialize;

use crate::{
    accounts::account::{self, Accounts},
    command_lines,
    commands::sessions::{self, Session},
    failure::{Failure, Verdict, need_root},
    manual::{self, Manual},
    output::{Output, counted, print_json, say},
    process::Process,
    progress::Progress,
    shell::shown,
    watch,
};

/// End all processes of a jailed user
///
/// Asks every process of the user to end (SIGTERM and SIGHUP), waits, and then kills what is left, all in one call, so
/// that no process can escape by starting another one. This takes the processes in the jail, those in the background,
/// and those outside that belong to the session, such as sshd's process for the connection. Processes of other users
/// stay. The user can log in again at once; the account is not changed. Needs root.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL.to_string())]
pub(crate) struct Arguments {
    /// The account
    #[arg(value_hint = ValueHint::Username)]
    pub(crate) user: String,
    /// How many seconds the processes have to end by themselves
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_hint = ValueHint::Other)]
    pub(crate) grace: u16,
    /// End the processes even if no rule jails the user
    #[arg(long)]
    pub(crate) any: bool,
    /// Show what would be ended, and end nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

const EXAMPLES: &str = "\
Examples:
  jailctl kick ann                 end what ann has running
  jailctl kick --grace 0 ann       kill at once
  jailctl kick --dry-run ann       only show what would be ended
  jailctl kick --any --json bob    for bob, who is in no jail";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "the user has no process left",
    found: Some("some processes did not end"),
    differs: None,
    files: &[manual::CONFIG, manual::USERS_D],
    examples: EXAMPLES,
};

/// How often is looked whether all have ended.
const PAUSE: Duration = Duration::from_millis(20);

/// How long processes may take to end after SIGKILL: one in an uninterruptible call ends when that returns.
const AFTER_KILL: Duration = Duration::from_secs(10);

/// How long one try may take, in seconds.
const LONGEST: &str = "5";

/// The group of who kills: nogroup of Debian. kill(2) does not ask for it.
const NOBODYS_GROUP: u32 = 65534;

/// How many processes that did not end are printed.
const MOST_PRINTED: usize = 20;

/// What was done about a user.
#[derive(Debug, Serialize)]
struct Report {
    user: String,
    sessions: Vec<Session>,
    /// The processes that were there at first, those outside of the jail included, such as sshd's for the connection.
    found: usize,
    /// How many of those, and of what they started since, had to be killed.
    killed: usize,
    left: Vec<Left>,
}

/// A process that is still there.
#[derive(Debug, Serialize)]
struct Left {
    pid: i32,
    /// None where it has ended by now.
    command: Option<String>,
}

/// Ends the processes of a user.
pub(crate) fn run(directory: &Path, arguments: &Arguments) -> Result<Verdict, Failure> {
    need_root("end the processes of others")?;
    let identity = account::named(&arguments.user)?;
    if identity.is_root() {
        return Err(Refusal::UidZero.into());
    }
    refuse_shared_uid(&identity)?;
    let sessions = sessions_of(directory, arguments)?;
    let uid = identity.uid;
    let mut report = Report {
        user: shown(&identity.name),
        sessions,
        found: running(uid)?.len(),
        killed: 0,
        left: Vec::new(),
    };
    if !arguments.dry_run {
        ask_to_end(uid)?;
        wait(uid, Duration::from_secs(arguments.grace.into()))?;
        report.killed = kill(uid)?;
        let left: Vec<i32> = running(uid)?.iter().map(|process| process.pid).collect();
        let mut commands = command_lines::of(&left);
        let left = left.into_iter().map(|pid| Left {
            pid,
            command: commands.remove(&pid),
        });
        report.left = left.collect();
    }
    if arguments.output.json {
        print_json(&report)?;
    } else {
        print(&report, arguments.dry_run);
    }
    Ok(Verdict::of(!report.left.is_empty()))
}

/// Makes sure that a rule jails the user, and gives the sessions that there are.
fn sessions_of(directory: &Path, arguments: &Arguments) -> Result<Vec<Session>, Failure> {
    if arguments.any {
        return Ok(Vec::new());
    }
    let config = Config::read(directory)?;
    let accounts = Accounts::named(&config, [arguments.user.clone()])?.all_decided()?;
    match accounts.jailed.first() {
        Some(jailed) => sessions::of(jailed),
        None => {
            let user = shown(&arguments.user);
            Err(Failure::Failed(format!(
                "no rule jails {user}, and nothing was done; with --any the processes of {user} are ended all the same"
            )))
        }
    }
}

/// Refuses an account whose uid another has: the kernel can't tell whose a process is.
fn refuse_shared_uid(identity: &Identity) -> Result<(), Failure> {
    let accounts = account::with_uid(identity.uid)?;
    let other = accounts.iter().find(|name| identity.name != name.as_str());
    match other {
        None => Ok(()),
        Some(other) => Err(Failure::Failed(format!(
            "the account {} has the same uid, and its processes would end too; give each a uid of its own",
            shown(other)
        ))),
    }
}

/// Lists what a user has running, and what of root's is about to let them in.
fn running(uid: u32) -> Result<Vec<Process>, Failure> {
    let mut all = Process::of_user_or_login(uid)?;
    all.retain(|process| process.stat().is_some_and(|stat| !stat.zombie));
    Ok(all)
}

/// Sends a signal to a process, if it is this user's still when nothing can take its id any more: pidfd_open(2).
fn send(process: &Process, uid: u32, signal: Signal) -> bool {
    let Some(pid) = Pid::from_raw(process.pid) else {
        return false;
    };
    let Ok(descriptor) = pidfd_open(pid, PidfdFlags::empty()) else {
        return false;
    };
    process.is_of(uid) && pidfd_send_signal(&descriptor, signal).is_ok()
}

/// Asks all to end, as a hang-up and a shutdown do, the stopped ones too.
fn ask_to_end(uid: u32) -> Result<(), Failure> {
    for process in running(uid)? {
        // A shell on a terminal takes no SIGTERM.
        for signal in [Signal::TERM, Signal::HUP, Signal::CONT] {
            send(&process, uid, signal);
        }
    }
    Ok(())
}

/// Waits until nothing of the user's is seen to run.
fn wait(uid: u32, limit: Duration) -> Result<(), Failure> {
    let started = Instant::now();
    let mut progress = Progress::new(0);
    while started.elapsed() < limit && !running(uid)?.is_empty() {
        sleep(PAUSE);
        progress.add(1);
    }
    Ok(())
}

/// Kills all that is left; gives how many were seen before. It is done where none is seen, too: of processes that fork and
/// end faster than /proc is read, each is missed.
fn kill(uid: u32) -> Result<usize, Failure> {
    let started = Instant::now();
    let seen = running(uid)?;
    // Those of root's first: the user can't kill these, and they come to be the user's.
    for process in seen.iter().filter(|it| it.enters_for(uid)) {
        send(process, uid, Signal::KILL);
    }
    while !kill_at_once(uid)? {
        if started.elapsed() >= AFTER_KILL {
            return Err(Failure::Failed(format!(
                "kill all of uid {uid}: whoever came to do it was stopped or killed each time; run it again"
            )));
        }
    }
    wait(uid, AFTER_KILL)?;
    Ok(seen.len())
}

/// Tells whether the process that kills all of a user's came to that: with the user's id, it can be stopped or killed by
/// them first.
fn kill_at_once(uid: u32) -> Result<bool, Failure> {
    let failed = |what: String| Failure::Failed(format!("kill all of uid {uid}: {what}"));
    let mut watched = watch::command(LONGEST, "kill-all")?;
    watched.command.arg(uid.to_string());
    let output = watch::output(watched).map_err(|error| failed(error.to_string()))?;
    match output.status.code() {
        None => Ok(false),
        Some(_) if watch::cut_short(output.status).is_some() => Ok(false),
        Some(0) => Ok(true),
        Some(_) => Err(failed(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        )),
    }
}

/// Takes a user's id and kills all that may be killed with it. One call of kill(2) for all: whatever forks meanwhile waits
/// for it and ends as well, where processes that are killed one by one can outrun that.
pub(crate) fn kill_all(uid: u32) -> Result<Verdict, Failure> {
    let failed = |what: &str, errno: i32| {
        let error = io::Error::from_raw_os_error(errno);
        Failure::Failed(format!("{what}: {error}"))
    };
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(NOBODYS_GROUP));
    if uid.is_root() {
        return Err(Refusal::UidZero.into());
    }
    setgroups(&[]).map_err(|errno| failed("setgroups", errno as i32))?;
    setresgid(gid, gid, gid).map_err(|errno| failed("setresgid", errno as i32))?;
    setresuid(uid, uid, uid).map_err(|errno| failed("setresuid", errno as i32))?;
    // A process group of 1 is all processes, as kill(-1): kill(2).
    match kill_process_group(Pid::INIT, Signal::KILL) {
        Ok(()) | Err(Errno::SRCH) => Ok(Verdict::Fine),
        Err(errno) => Err(failed("kill", errno.raw_os_error())),
    }
}

fn print(report: &Report, dry_run: bool) {
    if !report.sessions.is_empty() {
        sessions::print(&report.sessions);
        say("");
    }
    let user = &report.user;
    if report.found == 0 {
        say(format_args!("{user} has no process"));
        return;
    }
    let count = counted(report.found, "process");
    if dry_run {
        say(format_args!("would end {count} of {user}"));
        return;
    }
    for left in report.left.iter().take(MOST_PRINTED) {
        let command = left.command.as_deref().unwrap_or_default();
        say(format_args!("still there: {} {command}", left.pid));
    }
    match (report.left.len(), report.killed) {
        (0, 0) => say(format_args!("ended {count} of {user}")),
        (0, killed) => say(format_args!("ended {count} of {user}, {killed} by SIGKILL")),
        (left, _) => say(format_args!(
            "{left} of {user}'s processes did not end; they wait in the kernel, for a disk or a network mount"
        )),
    }
    say(format_args!(
        "the account {user} is unchanged; to keep the user out, run: usermod -e 1 -- {user}"
    ));
}
