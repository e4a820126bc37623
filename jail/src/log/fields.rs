//! The facts of an event, each with its name: what every sink writes.

use std::{borrow::Cow, ffi::OsStr, os::unix::ffi::OsStrExt, time::Duration};

use super::{
    call::{Call, Origin},
    event::{Event, Files, Moved, Session, Whose},
};
use crate::{code::Code, plan::Plan, process::ended::Ended};

/// Of the processes that the kernel has killed for want of memory. The text has it where there are any.
const OUT_OF_MEMORY: &str = "out_of_memory";

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
                out_of_memory,
            } => {
                let mut fields = left(call, session, *ended, *lasted, *moved);
                fields.extend(out_of_memory.map(|number| match number {
                    0 => Field::more(OUT_OF_MEMORY, Value::Number(0)),
                    number => Field::shown(OUT_OF_MEMORY, Value::Number(number)),
                }));
                fields
            }
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
            Event::Unrecorded { user, uid, reason } => vec![
                Field::shown("uid", number(*uid)),
                Field::shown("user", Value::option(*user)),
                Field::shown("reason", Value::Rest(reason.clone().into())),
            ],
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
