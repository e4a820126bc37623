//! The sessions that have ended, from the record.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value};

use crate::{
    clock::{local, machine_zone, moment},
    failure::{Failure, Verdict},
    output::{Output, print_columns, print_json},
    record::{self, Recorded, text},
    shell::shown,
};

/// Lists the sessions that have ended since a time.
pub(crate) fn run(
    users: &[String],
    since: Option<&str>,
    output: Output,
) -> Result<Verdict, Failure> {
    let zone = machine_zone();
    let since = since.map(|text| {
        moment(text, Timestamp::now(), &zone).ok_or_else(|| {
            Failure::Usage(format!(
                "--since {} is no time; write 2h, 7d, 2026-01-31 or \"2026-01-31 17:30\"",
                shown(text)
            ))
        })
    });
    let since = since.transpose()?;
    let mut ended = record::sessions()?;
    ended.retain(|it| {
        let is_theirs = users.is_empty() || users.contains(&text(&it.enter, "user"));
        // Of one whose end nobody has written, the beginning is all that is known.
        let last = it.leave.as_ref().unwrap_or(&it.enter);
        let is_late = since.is_none_or(|since| Recorded::time(last).is_some_and(|at| at >= since));
        is_theirs && is_late && (it.leave.is_some() || it.running().is_none())
    });
    if output.json {
        let all: Vec<_> = ended.iter().map(merged).collect();
        print_json(&all)?;
    } else {
        print(&ended, &zone);
    }
    Ok(Verdict::Fine)
}

/// Gives all that is known of a session, as one object.
fn merged(session: &Recorded) -> Map<String, Value> {
    let mut all = session.enter.clone();
    all.remove("event");
    all.remove("started");
    let begun = all.remove("time").unwrap_or_default();
    all.insert("begun".to_owned(), begun);
    let end = session.leave.as_ref().and_then(|leave| leave.get("time"));
    all.insert("ended".to_owned(), end.cloned().unwrap_or_default());
    all.insert("end".to_owned(), self::end(session.leave.as_ref()).into());
    for (key, value) in session.leave.iter().flatten() {
        if key != "event" && key != "time" {
            all.insert(key.clone(), value.clone());
        }
    }
    all
}

fn print(ended: &[Recorded], zone: &TimeZone) {
    let mut rows = vec![
        [
            "SESSION", "USER", "JAIL", "BEGUN", "LASTED", "ENDED", "DOOR", "FROM", "TTY", "COMMAND",
        ]
        .map(str::to_owned),
    ];
    rows.extend(ended.iter().map(|session| row(session, zone)));
    print_columns(&rows);
}

fn row(session: &Recorded, zone: &TimeZone) -> [String; 10] {
    let enter = &session.enter;
    let or_none = |text: String| match text.is_empty() {
        true => "-".to_owned(),
        false => shown(&text),
    };
    let begun = Recorded::time(enter).map(|at| local(at, zone));
    let lasted = session.leave.as_ref().and_then(|it| it.get("duration_ms"));
    let from = match text(enter, "from") {
        from if !from.is_empty() => or_none(from),
        _ => claimed(&text(enter, "claimed_from")),
    };
    [
        or_none(text(enter, "session")),
        or_none(text(enter, "user")),
        or_none(text(enter, "jail")),
        begun.unwrap_or_else(|| "-".to_owned()),
        lasted
            .and_then(Value::as_u64)
            .map_or("-".to_owned(), lasting),
        end(session.leave.as_ref()),
        or_none(text(enter, "door")),
        from,
        or_none(text(enter, "tty")),
        or_none(text(enter, "command")),
    ]
}

/// Shows the address of sshd's variable, which the caller has handed over.
fn claimed(connection: &str) -> String {
    match connection.split_whitespace().next() {
        Some(address) => format!("{} (claimed)", shown(address)),
        None => "-".to_owned(),
    }
}

/// Says how a session ended: that it did, the kernel says, which has no process of it.
fn end(leave: Option<&Map<String, Value>>) -> String {
    let Some(leave) = leave else {
        return "not recorded".to_owned();
    };
    match (text(leave, "status"), text(leave, "signal")) {
        (status, _) if !status.is_empty() => format!("status {status}"),
        (_, signal) if !signal.is_empty() => format!("signal {signal}"),
        _ => "closed".to_owned(),
    }
}

fn lasting(millis: u64) -> String {
    match millis / 1000 {
        0 => format!("{millis}ms"),
        seconds @ ..60 => format!("{seconds}s"),
        seconds @ ..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        seconds => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
    }
}
