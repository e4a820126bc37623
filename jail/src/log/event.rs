//! Everything that is logged, as one type: what happened, and the facts of it. How it is written is the sinks' business.

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
    time::Duration,
};

use jail_config::{Rule, Seccomp};

use crate::{
    code::Code,
    log::call::Call,
    plan::{Plan, request::What, steps::Step},
    process::{
        ended::Ended,
        landlock::{self, Kernel},
    },
};

/// What is known of a session once its plan is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// The account's name.
    pub user: OsString,
    /// Its uid.
    pub uid: u32,
    /// The jail's name in the config, or its root directory.
    pub jail: String,
    /// The rule that decided.
    pub rule: String,
    /// The root directory.
    pub root: PathBuf,
    /// Device and inode of the root directory that was opened: stat(2).
    pub root_file: Option<(u64, u64)>,
    /// What is started: empty for a shell, nothing behind PAM, where the host program decides.
    pub command: Option<OsString>,
    /// The walls that stand around it.
    pub walls: Vec<&'static str>,
    /// What stays open because the kernel lacks a part of Landlock that the config lets be missing.
    pub missing: Option<String>,
}

impl Session {
    /// Takes what a plan says.
    #[must_use]
    pub fn of(plan: &Plan) -> Session {
        let asked = plan.process.request().map(|request| &request.what);
        Session {
            user: plan.user.clone(),
            uid: plan.process.ids.uid,
            jail: plan.jail.clone(),
            rule: plan.rule.to_string(),
            root: plan.world.root.clone(),
            command: asked.map(|what| match what {
                What::Shell => OsString::new(),
                What::Command { command, .. } => command.clone(),
                What::Direct(direct) => direct.shown(),
                What::Sftp { asked, .. } => asked.clone().into_os_string(),
            }),
            root_file: None,
            walls: walls(plan),
            missing: landlock::foresee(plan)
                .ok()
                .flatten()
                .map(|open| open.to_string()),
        }
    }
}

/// Names the walls that will stand, as the steps of the plan are called.
fn walls(plan: &Plan) -> Vec<&'static str> {
    let has_landlock = matches!(landlock::kernel(), Kernel::Abi(_));
    let steps = plan.steps().into_iter();
    steps
        .filter_map(|step| match step {
            Step::Landlock(..) => has_landlock.then_some(step.name()),
            Step::Chroot
            | Step::PidNamespace
            | Step::Namespaces(_)
            | Step::NewRoot(_)
            | Step::NoNewPrivs
            | Step::Seccomp(Seccomp::Default, _) => Some(step.name()),
            _ => None,
        })
        .collect()
}

/// Whose an event of a running session is.
#[derive(Clone, Copy, Debug)]
pub struct Whose<'a> {
    /// The session's id.
    pub id: &'a str,
    /// The account's name.
    pub user: &'a OsStr,
    /// Its uid.
    pub uid: u32,
    /// The jail's name.
    pub jail: &'a str,
}

/// How many bytes of files a session has moved by SFTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// From the client.
    pub up: u64,
    /// To the client.
    pub down: u64,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A login goes in.
    Enter(&'a Call, &'a Session),
    /// A session has ended: its main process, others of it may linger. Behind PAM the host program has closed it.
    Leave {
        /// How it came in.
        call: &'a Call,
        /// What it was.
        session: &'a Session,
        /// How the main process ended; nothing behind PAM.
        ended: Option<Ended>,
        /// How long it took.
        lasted: Duration,
        /// What it has moved.
        moved: Moved,
        /// How many of its processes the kernel has killed because memory ran out; nothing where that is not limited.
        out_of_memory: Option<u64>,
    },
    /// A login was refused.
    Refused {
        /// How it came in.
        call: Option<&'a Call>,
        /// The code that the user is told.
        code: Code,
        /// The account's name where it is known by then.
        user: Option<&'a OsStr>,
        /// Its uid.
        uid: u32,
        /// Why.
        reason: String,
    },
    /// A session goes in without walls that the config only wants best-effort.
    Weakened {
        /// What stays open.
        missing: &'a str,
        /// The account's name.
        user: Option<&'a OsStr>,
        /// Its uid.
        uid: u32,
    },
    /// The supervisor ends a session before its main process has ended.
    Cut {
        /// Whose session it is.
        whose: Whose<'a>,
        /// Why.
        reason: &'a str,
    },
    /// The record of sessions could not be written.
    Unrecorded {
        /// The account's name.
        user: Option<&'a OsStr>,
        /// Its uid.
        uid: u32,
        /// Why not.
        reason: String,
    },
    /// A rule exempts the user.
    Exempt {
        /// The account's name.
        user: &'a OsStr,
        /// The rule.
        rule: &'a Rule,
    },
    /// A plan was made.
    Planned(&'a Plan),
    /// A PAM stack has words that can't be understood.
    WrongWords {
        /// Which, and why not.
        reason: String,
    },
    /// After a failure the host program's process could not be put into an empty root.
    NotShut {
        /// What keeps it from running anything instead.
        left: String,
    },
    /// A program inside has sent this to the jail's /dev/log.
    Inside {
        /// Whose session it is.
        whose: Whose<'a>,
        /// How much it matters, as the program says: a severity of syslog(3).
        severity: u8,
        /// What was sent. Nothing in it is true because it says so.
        text: &'a [u8],
    },
    /// So many lines of programs inside were dropped, because they came too fast.
    Dropped {
        /// Whose session it is.
        whose: Whose<'a>,
        /// How many.
        lines: u64,
    },
    /// The sftp-server has done something with a file.
    Transfer {
        /// Whose session it is.
        whose: Whose<'a>,
        /// What it was: `upload`, `download`, `rename`, `remove` and the like.
        what: &'a str,
        /// Which files it was done with.
        files: Files<'a>,
        /// How much was moved.
        moved: Option<Moved>,
        /// What else the server says of it.
        detail: Option<&'a [u8]>,
        /// How it went.
        result: &'a str,
        /// How many reads and writes have failed before.
        errors: u32,
    },
}

/// Paths in the jail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files<'a> {
    /// None.
    None,
    /// One.
    One(&'a [u8]),
    /// An old and a new one.
    Two(&'a [u8], &'a [u8]),
    /// Two, and it is not known where the one ends and the other begins.
    Unclear(&'a [u8]),
}

/// LOG_AUTHPRIV, a facility: syslog(3).
pub(super) const AUTHPRIV: u8 = 10;

/// Levels of syslog(3).
pub(super) const LOG_ERR: u8 = 3;
const LOG_WARNING: u8 = 4;
const LOG_NOTICE: u8 = 5;
const LOG_INFO: u8 = 6;
const LOG_DEBUG: u8 = 7;

impl<'a> Event<'a> {
    /// The word that it is called by: in the record, in the journal, and first in the text.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Enter(..) => "enter",
            Event::Leave { .. } => "leave",
            Event::Refused { .. } | Event::WrongWords { .. } => "refused",
            Event::Weakened { .. } => "weakened",
            Event::Cut { .. } => "cut",
            Event::Unrecorded { .. } => "unrecorded",
            Event::Exempt { .. } => "exempt",
            Event::Planned(_) => "jail",
            Event::NotShut { .. } => "not-shut",
            Event::Inside { .. } => "inside",
            Event::Dropped { .. } => "dropped",
            Event::Transfer { .. } => "transfer",
        }
    }

    /// How much it matters: a severity of syslog(3).
    #[must_use]
    pub fn severity(&self) -> u8 {
        match self {
            Event::Refused { .. } | Event::WrongWords { .. } | Event::NotShut { .. } => LOG_ERR,
            Event::Weakened { .. }
            | Event::Unrecorded { .. }
            | Event::Cut { .. }
            | Event::Dropped { .. } => LOG_WARNING,
            Event::Enter(..) | Event::Leave { .. } => LOG_NOTICE,
            Event::Exempt { .. } | Event::Planned(_) => LOG_DEBUG,
            Event::Transfer { .. } => LOG_INFO,
            // Nobody inside can raise an alarm of the host's.
            Event::Inside { severity, .. } => (*severity).clamp(LOG_WARNING, LOG_DEBUG),
        }
    }
}
