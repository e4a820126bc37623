//! A table of users: a CSV file whose first line names the columns.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    path::Path,
};

use csv::{ReaderBuilder, StringRecord, Trim};
use jail_config::nearest;

use super::{key, wanted::User};
use crate::{failure::Failure, shell::shown};

/// The columns there can be, each with other names for it.
const COLUMNS: [(&str, &[&str]); 6] = [
    ("name", &["user", "login"]),
    ("group", &["groups"]),
    ("key", &["keys"]),
    ("until", &[]),
    ("jail", &[]),
    ("comment", &["full name", "fullname"]),
];

/// Reads a table. What is wrong with single lines is added to `faults`, and reading goes on.
///
/// # Errors
/// The file can't be read, or its first line names no columns.
pub(crate) fn read(file: &Path, faults: &mut Vec<String>) -> Result<Vec<User>, Failure> {
    let bytes = file_or_input(file).map_err(|error| Failure::io("read", file, &error))?;
    let no_text = |_| Failure::Usage(format!("{}: it is no text in UTF-8", shown(file)));
    let text = String::from_utf8(bytes).map_err(no_text)?;
    // Programs for tables put a mark before the first column.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut users = parse(text, &shown(file), faults)?;
    let directory = key::directory_of(file)?;
    for keys in users.iter_mut().filter_map(|it| it.keys.as_mut()) {
        *keys = key::placed(keys, &directory);
    }
    Ok(users)
}

/// Reads a file, or with - standard input.
pub(super) fn file_or_input(file: &Path) -> io::Result<Vec<u8>> {
    if file != Path::new("-") {
        return fs::read(file);
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn parse(text: &str, file: &str, faults: &mut Vec<String>) -> Result<Vec<User>, Failure> {
    let first = text.lines().next().unwrap_or_default();
    let delimiter = match first.contains(';') && !first.contains(',') {
        true => b';',
        false => b',',
    };
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(Trim::All)
        .flexible(true)
        .from_reader(text.as_bytes());
    let wrong = |what: String| Failure::Usage(format!("nothing was changed: {file}:1: {what}"));
    let headers = reader.headers().map_err(|error| wrong(error.to_string()))?;
    let columns = columns(headers).map_err(wrong)?;
    let mut users = Vec::new();
    let mut lines: BTreeMap<String, u64> = BTreeMap::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                faults.push(format!("{file}:{line}: {error}"));
                continue;
            }
        };
        let line = record.position().map_or(0, |at| line_of(at, text));
        if record.iter().all(str::is_empty) {
            continue;
        }
        match user(&columns, &record) {
            Ok(user) => {
                let user = User {
                    place: Some(format!("{file}:{line}")),
                    ..user
                };
                match lines.insert(user.name.clone(), line) {
                    None => users.push(user),
                    Some(other) => faults.push(format!(
                        "{file}:{line}: {} is in line {other}, too",
                        shown(&user.name)
                    )),
                }
            }
            Err(what) => faults.push(format!("{file}:{line}: {what}")),
        }
    }
    Ok(users)
}

/// Gives the line of a record. The reader's position is before the empty lines above it.
fn line_of(at: &csv::Position, text: &str) -> u64 {
    let rest = usize::try_from(at.byte())
        .ok()
        .and_then(|byte| text.as_bytes().get(byte..));
    let empty = rest
        .unwrap_or_default()
        .iter()
        .take_while(|byte| b"\r\n".contains(byte));
    at.line() + empty.filter(|byte| **byte == b'\n').map(|_| 1).sum::<u64>()
}

/// Finds out which column is what.
fn columns(headers: &StringRecord) -> Result<Vec<&'static str>, String> {
    let mut columns: Vec<&'static str> = Vec::new();
    for header in headers {
        let word = header.to_lowercase();
        let known = COLUMNS
            .iter()
            .find(|(name, others)| *name == word || others.contains(&word.as_str()));
        let Some((name, _)) = known else {
            let names = COLUMNS.map(|(name, _)| name);
            let meant = nearest(&word, names)
                .map(|it| format!("; did you mean {it}?"))
                .unwrap_or_default();
            return Err(format!(
                "unknown column {:?}{meant} (columns: {})",
                shown(header),
                names.join(", ")
            ));
        };
        if columns.contains(name) {
            return Err(format!("two columns are {name}"));
        }
        columns.push(name);
    }
    match columns.contains(&"name") {
        true => Ok(columns),
        false => Err("there is no column name; the first line names the columns: name,group,key,until,jail,comment".to_owned()),
    }
}

fn user(columns: &[&str], record: &StringRecord) -> Result<User, String> {
    if record.len() != columns.len() {
        return Err(format!(
            "the line has {} fields, and the first line names {} columns",
            record.len(),
            columns.len()
        ));
    }
    let mut user = User::default();
    for (column, value) in columns.iter().zip(record) {
        if value.is_empty() {
            continue;
        }
        let value = value.to_owned();
        match *column {
            "name" => user.name = value,
            "group" => user.groups = value.split([' ', ',', ';']).map(str::to_owned).collect(),
            "key" => user.keys = Some(value),
            "until" => user.until = Some(value),
            "jail" => user.jail = Some(value),
            _ => user.comment = Some(value),
        }
    }
    user.groups.retain(|it| !it.is_empty());
    match user.name.is_empty() {
        true => Err("the line has no name".to_owned()),
        false => Ok(user),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn columns_go_by_their_names() {
        let mut faults = Vec::new();
        let text = "Login;until;groups\nann;2099-01-01;class staff\n\nbob;;\n";
        let users = parse(text, "l.csv", &mut faults).unwrap();
        assert!(faults.is_empty());
        assert_eq!(users.len(), 2);
        assert_eq!(users[0].groups, ["class", "staff"]);
        assert_eq!(users[1].place.as_deref(), Some("l.csv:4"));
        assert_eq!(users[1].until, None);
    }

    #[test]
    fn each_line_that_is_wrong_is_named() {
        let mut faults = Vec::new();
        let text = "name,until\nann,1\nann,2\n,3\nbob\n";
        parse(text, "l.csv", &mut faults).unwrap();
        assert_eq!(
            faults,
            [
                "l.csv:3: ann is in line 2, too",
                "l.csv:4: the line has no name",
                "l.csv:5: the line has 1 fields, and the first line names 2 columns",
            ]
        );
        for (header, said) in [
            ("nmae,until", "did you mean name?"),
            ("until,jail", "no column name"),
            ("name,user", "two columns are name"),
        ] {
            let failure = parse(header, "l.csv", &mut faults).unwrap_err();
            assert!(failure.to_string().contains(said), "{failure}");
        }
    }
}
