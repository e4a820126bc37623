use super::{Transfer, Transfers};
use crate::session::sftp_line::Paths;

fn recorded(lines: &[&str]) -> Vec<String> {
    let mut transfers = Transfers::default();
    let mut all = Vec::new();
    for line in lines {
        all.extend(transfers.take(format!("{line}\r\n").as_bytes()));
    }
    all.extend(transfers.finish());
    all.extend(transfers.left_over());
    all.iter().map(shown).collect()
}

fn shown(entry: &Transfer) -> String {
    let mut text = entry.action.to_owned();
    let name = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
    match &entry.paths {
        Some(Paths::One(path)) => text += &format!(" {}", name(path)),
        Some(Paths::Two(old, new)) => text += &format!(" {} {}", name(old), name(new)),
        Some(Paths::Unclear(both)) => text += &format!(" ?{}", name(both)),
        None => {}
    }
    if let Some((read, written)) = entry.bytes {
        text += &format!(" {read}/{written}");
    }
    if let Some(detail) = &entry.detail {
        text += &format!(" [{}]", name(detail));
    }
    text += &format!(" {}", entry.result);
    if entry.errors > 0 {
        text += &format!(" {}", entry.errors);
    }
    text
}

#[test]
fn a_file_is_recorded_once_when_it_is_closed() {
    let seen = recorded(&[
        "received client version 3",
        "Refusing posix-rename request in read-only mode",
        "Refusing hardlink request in read-only mode",
        "open \"/a\" flags WRITE,CREATE,TRUNCATE mode 0644",
        "close \"/a\" bytes read 0 written 5",
        "stat name \"/a\"",
        "open \"/a\" flags READ mode 0666",
        "close \"/a\" bytes read 5 written 0",
        "open \"/b\" flags WRITE,CREATE mode 0666",
        "close \"/b\" bytes read 0 written 0",
        "open \"/b\" flags READ mode 0666",
        "forced close \"/b\" bytes read 0 written 0",
    ]);
    let expected = [
        "upload /a 0/5 ok",
        "download /a 5/0 ok",
        "upload /b 0/0 ok",
        "download /b 0/0 interrupted",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_failure_is_that_of_the_request_before_it() {
    let seen = recorded(&[
        "stat name \"/none\"",
        "sent status No such file",
        "remove name \"/none\"",
        "sent status No such file",
        "remove name \"/a\"",
        "sent status Success",
        "rename old \"/a\" new \"/b\"",
        "sent status Failure",
        "open \"/c\" flags WRITE,CREATE mode 0666",
        "sent status Permission denied",
        "mkdir name \"/d\" mode 0777",
        "sent status Success",
        "Refusing non-allowlisted remove request",
        "sent status Permission denied",
        "open \"/e\" flags WRITE mode 0666",
        "Refusing open request in read-only mode",
        "sent status Permission denied",
        "set \"/a\" mode 0600",
        "sent status Success",
    ]);
    let expected = [
        "remove /none No such file",
        "remove /a ok",
        "rename /a /b Failure",
        "open /c Permission denied",
        "mkdir /d ok",
        "refused [remove] Permission denied",
        "open /e Permission denied",
        "set /a [mode 0600] ok",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_file_that_may_not_be_read_is_no_download_that_went_well() {
    let seen = recorded(&[
        "open \"/a\" flags READ mode 0666",
        "Refusing non-allowlisted read request",
        "sent status Permission denied",
        "close \"/a\" bytes read 0 written 0",
    ]);
    let wanted = [
        "refused [read] Permission denied",
        "download /a 0/0 Permission denied 1",
    ];
    assert_eq!(seen, wanted);
}

#[test]
fn an_answer_that_is_another_requests_changes_nothing() {
    let seen = recorded(&[
        "remove name \"/a\"",
        "sent status Success",
        // CLOSE of a handle that is not there has no line.
        "sent status No such file",
        "open \"/b\" flags WRITE,CREATE mode 0644",
        "debug1: request 3: sent handle handle 0",
        "sent status Failure",
        "debug1: request 4: write \"/b\" (handle 0) off 0 len 5",
        "sent status Success",
        "debug1: request 5: write \"\" (handle -1) off 0 len 5",
        "sent status Failure",
        "close \"/b\" bytes read 0 written 5",
        "sent status Success",
        "rmdir name \"/c\"",
    ]);
    let expected = [
        "remove /a ok",
        "upload /b 0/5 ok",
        "rmdir /c interrupted",
        "errors Failure 1",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn what_one_request_sets_has_one_answer() {
    let seen = recorded(&[
        "debug1: request 2: setstat name \"/a\"",
        "set \"/a\" size 5",
        "set \"/a\" mode 0600",
        "sent status Permission denied",
        "set \"/a\" mode 0644",
        "sent status Success",
    ]);
    let expected = [
        "set /a [size 5] Permission denied",
        "set /a [mode 0600] Permission denied",
        "set /a [mode 0644] ok",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn failed_reads_and_writes_are_counted_for_their_file() {
    let write = |name: &str| format!("debug1: request 9: write \"{name}\" (handle 0) off 0 len 9");
    let (to_a, to_b) = (write("/a"), write("/b"));
    let seen = recorded(&[
        "open \"/a\" flags WRITE,CREATE mode 0644",
        "debug1: request 3: sent handle handle 0",
        &to_a,
        "sent status Failure",
        &to_a,
        "sent status Failure",
        "open \"/b\" flags WRITE,CREATE mode 0644",
        "debug1: request 3: sent handle handle 1",
        &to_b,
        "sent status Failure",
        "close \"/a\" bytes read 0 written 0",
        "sent status Success",
        "stat name \"/b\"",
        "sent status Failure",
        "forced close \"/b\" bytes read 0 written 9",
    ]);
    let expected = ["upload /a 0/0 Failure 2", "upload /b 0/9 Failure 1"];
    assert_eq!(seen, expected);
}

#[test]
fn what_is_not_understood_is_one_value() {
    let seen = recorded(&[
        "bad message from 192.0.2.1 local user ann",
        "rename old \"a\" new \"b\" new \"c\"",
        "sent status Success",
    ]);
    let expected = [
        "unclear [bad message from 192.0.2.1 local user ann] ok",
        "rename ?a\" new \"b\" new \"c ok",
    ];
    assert_eq!(seen, expected);
}
