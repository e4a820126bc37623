//! Everything that is logged, as one type: what happened, and the facts of it. How it is written is the sinks' business.

use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    time::Duration,
};

use jail_config::Rule;

use crate::{
    code::Code,
    log::call::{Call, Origin},
    plan::{Plan, request::What},
    process::ended::Ended,
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
            ..Session::default()
        }
    }
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

/// One fact of an event.
#[derive(Clone, Debug)]
pub(super) struct Field<'a> {
    /// What it is called in the record, and in capitals in the journal.
    pub(super) key: &'static str,
    /// What it is called in the text, if it is there.
    pub(super) in_text: Option<&'static str>,
    pub(super) value: Value<'a>,
}

/// What a fact is.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    /// Nothing is known.
    None,
    Number(u64),
    /// A word of our own, which needs no quotes.
    Word(Cow<'a, str>),
    /// Anything, from anybody.
    Text(Cow<'a, [u8]>),
    /// The last of a line, which may take all that is left of it.
    Rest(Cow<'a, str>),
    /// Words of our own.
    List(Vec<&'a str>),
}

impl<'a> Field<'a> {
    /// A fact that the text has as well.
    fn shown(key: &'static str, value: Value<'a>) -> Field<'a> {
        Field {
            key,
            in_text: Some(key),
            value,
        }
    }

    /// A fact that the text does not have.
    fn more(key: &'static str, value: Value<'a>) -> Field<'a> {
        Field {
            key,
            in_text: None,
            value,
        }
    }
}

impl<'a> Value<'a> {
    fn text(text: &'a (impl AsRef<OsStr> + ?Sized)) -> Value<'a> {
        Value::Text(text.as_ref().as_bytes().into())
    }

    fn option(text: Option<&'a (impl AsRef<OsStr> + ?Sized)>) -> Value<'a> {
        text.map_or(Value::None, Value::text)
    }
}

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
            Event::Weakened { .. } | Event::Cut { .. } | Event::Dropped { .. } => LOG_WARNING,
            Event::Enter(..) | Event::Leave { .. } => LOG_NOTICE,
            Event::Exempt { .. } | Event::Planned(_) => LOG_DEBUG,
            Event::Transfer { .. } => LOG_INFO,
            // Nobody inside can raise an alarm of the host's.
            Event::Inside { severity, .. } => (*severity).clamp(LOG_WARNING, LOG_DEBUG),
        }
    }

    /// The facts, in the order of the text.
    pub(super) fn fields(&self) -> Vec<Field<'a>> {
        match self {
            Event::Enter(call, session) => entered(call, session),
            Event::Leave {
                call,
                session,
                ended,
                lasted,
                moved,
            } => left(call, session, *ended, *lasted, *moved),
            Event::Refused {
                call,
                code,
                user,
                uid,
                reason,
            } => {
                let mut fields = vec![
                    Field::shown("code", Value::Word(code.to_string().into())),
                    Field::shown("uid", number(*uid)),
                ];
                fields.extend(user.map(|user| Field::shown("user", Value::text(user))));
                fields.extend(call.iter().flat_map(|call| called(call)));
                fields.push(Field::shown("reason", Value::Rest(reason.clone().into())));
                fields
            }
            Event::WrongWords { reason } => vec![
                Field::shown("code", Value::Word(Code::Usage.to_string().into())),
                Field::shown("reason", Value::Rest(reason.clone().into())),
            ],
            Event::Weakened { missing, user, uid } => vec![
                Field::shown("uid", number(*uid)),
                Field::shown("user", Value::option(*user)),
                Field::shown("missing", Value::text(*missing)),
            ],
            Event::Cut { whose, reason } => with(
                *whose,
                [Field::shown("reason", Value::Rest((*reason).into()))],
            ),
            Event::Exempt { user, rule } => vec![
                Field::shown("user", Value::text(*user)),
                Field::shown("rule", Value::Text(rule.to_string().into_bytes().into())),
            ],
            Event::Planned(plan) => planned(plan),
            Event::NotShut { left } => vec![Field::shown("left", Value::Rest(left.clone().into()))],
            Event::Inside { whose, text, .. } => {
                let text = Value::Text(Cow::Borrowed(*text));
                with(*whose, [Field::shown("text", text)])
            }
            Event::Dropped { whose, lines } => {
                with(*whose, [Field::shown("lines", Value::Number(*lines))])
            }
            Event::Transfer {
                whose,
                what,
                files,
                moved,
                detail,
                result,
                errors,
            } => {
                let text = |key, text: &'a [u8]| Field::shown(key, Value::Text(text.into()));
                let mut fields = vec![Field::shown("what", Value::Word((*what).into()))];
                match *files {
                    Files::None => {}
                    Files::One(path) => fields.push(text("path", path)),
                    Files::Two(old, new) => fields.extend([text("path", old), text("to", new)]),
                    Files::Unclear(both) => fields.push(text("paths", both)),
                }
                if let Some(Moved { up, down }) = *moved {
                    fields.push(Field::shown("up", Value::Number(up)));
                    fields.push(Field::shown("down", Value::Number(down)));
                }
                fields.extend(detail.map(|detail| text("detail", detail)));
                fields.push(Field::shown("result", Value::text(*result)));
                if *errors > 0 {
                    fields.push(Field::shown("errors", number(*errors)));
                }
                with(*whose, fields)
            }
        }
    }
}

fn number<'a>(number: impl Into<u64>) -> Value<'a> {
    Value::Number(number.into())
}

/// What every event of a running session begins with.
fn with<'a>(whose: Whose<'a>, fields: impl IntoIterator<Item = Field<'a>>) -> Vec<Field<'a>> {
    let mut all = vec![
        Field::shown("user", Value::text(whose.user)),
        Field::shown("uid", number(whose.uid)),
        Field::shown("jail", Value::text(whose.jail)),
        Field::more("session", Value::Word(whose.id.into())),
    ];
    all.extend(fields);
    all
}

/// How a login came in. The text has only where it came from and the terminal, and only where it goes in.
fn called(call: &Call) -> Vec<Field<'_>> {
    let (known, claimed) = match &call.from {
        Some(Origin::Known(from)) => (Value::text(from), Value::None),
        Some(Origin::Claimed(from)) => (Value::None, Value::text(from)),
        None => (Value::None, Value::None),
    };
    vec![
        Field::more("session", Value::Word(call.id.as_str().into())),
        Field::more("door", Value::Word(call.door.into())),
        Field::more("service", Value::option(call.service.as_ref())),
        Field::more("pid", number(call.pid)),
        Field::more("started", call.started.map_or(Value::None, Value::Number)),
        Field::more("tty", Value::option(call.terminal.as_ref())),
        Field::more("from", known),
        Field::more("claimed_from", claimed),
    ]
}

fn entered<'a>(call: &'a Call, session: &'a Session) -> Vec<Field<'a>> {
    let mut fields = vec![
        Field::shown("user", Value::text(&session.user)),
        Field::shown("uid", number(session.uid)),
        Field::shown("jail", Value::text(&session.jail)),
        Field::shown("rule", Value::text(&session.rule)),
        Field::shown("root", Value::text(&session.root)),
    ];
    for mut field in called(call) {
        match field.key {
            "tty" => field.in_text = Some("tty"),
            // One of the two is always empty.
            "claimed_from" if matches!(call.from, Some(Origin::Claimed(_))) => {
                field.in_text = Some("from");
            }
            "from" if !matches!(call.from, Some(Origin::Claimed(_))) => {
                field.in_text = Some("from");
            }
            _ => {}
        }
        fields.push(field);
    }
    let command = session.command.as_ref();
    fields.extend(command.map(|command| Field::shown("command", Value::text(command))));
    let (device, inode) = session.root_file.unzip();
    let maybe = |number: Option<u64>| number.map_or(Value::None, Value::Number);
    fields.extend([
        Field::more("root_device", maybe(device)),
        Field::more("root_inode", maybe(inode)),
        Field::more("walls", Value::List(session.walls.clone())),
        Field::more("missing", Value::option(session.missing.as_ref())),
    ]);
    fields
}

fn left<'a>(
    call: &'a Call,
    session: &'a Session,
    ended: Option<Ended>,
    lasted: Duration,
    moved: Moved,
) -> Vec<Field<'a>> {
    let mut fields = vec![
        Field::shown("uid", number(session.uid)),
        Field::shown("user", Value::text(&session.user)),
    ];
    fields.extend(ended.map(|ended| match ended {
        Ended::Exited(status) => Field::shown("status", number(status)),
        Ended::Killed(signal) => Field::shown("signal", number(signal.unsigned_abs())),
    }));
    let millis = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX);
    fields.extend([
        Field::more("session", Value::Word(call.id.as_str().into())),
        Field::more("door", Value::Word(call.door.into())),
        Field::more("service", Value::option(call.service.as_ref())),
        Field::more("pid", number(call.pid)),
        Field::more("jail", Value::text(&session.jail)),
        Field::more("duration_ms", Value::Number(millis)),
        Field::more("bytes_up", Value::Number(moved.up)),
        Field::more("bytes_down", Value::Number(moved.down)),
    ]);
    fields
}

fn planned(plan: &Plan) -> Vec<Field<'_>> {
    let steps: Vec<&str> = plan.steps().iter().map(|step| step.name()).collect();
    vec![
        Field::shown("user", Value::text(&plan.user)),
        Field::shown(
            "rule",
            Value::Text(plan.rule.to_string().into_bytes().into()),
        ),
        Field::shown("steps", Value::Word(steps.join(",").into())),
    ]
}
