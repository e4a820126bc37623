use super::{Action, Line, Paths, Request, read};

fn line(text: &str) -> Line {
    read(format!("{text}\r\n").as_bytes())
}

fn request(text: &str) -> Request {
    match line(text) {
        Line::Request(request) => request,
        other => panic!("{text}: {other:?}"),
    }
}

fn one(text: &str) -> (Action, Vec<u8>) {
    let Request { action, paths } = request(text);
    match paths {
        Paths::One(path) => (action, path),
        other => panic!("{text}: {other:?}"),
    }
}

fn closed(read: u64, written: u64) -> Action {
    Action::Close {
        read,
        written,
        forced: false,
    }
}

#[test]
fn reads_every_line_that_the_server_writes_of_a_change() {
    for (text, action, path) in [
        (
            "open \"/a b\" flags READ mode 0666",
            Action::Open(false),
            "/a b",
        ),
        (
            "open \"/a\" flags WRITE,CREATE,TRUNCATE mode 0644",
            Action::Open(true),
            "/a",
        ),
        ("close \"/a\" bytes read 7 written 12", closed(7, 12), "/a"),
        ("remove name \"/a\"", Action::Change("remove"), "/a"),
        ("rmdir name \"/a\"", Action::Change("rmdir"), "/a"),
        ("mkdir name \"/a\" mode 0777", Action::Change("mkdir"), "/a"),
        (
            "set \"/a\" mode 0644",
            Action::Set("mode 0644".into()),
            "/a",
        ),
        ("set \"/a\" size 0", Action::Set("size 0".into()), "/a"),
        (
            "set \"/a\" modtime 20260102-03:04:05",
            Action::Set("modtime 20260102-03:04:05".into()),
            "/a",
        ),
        (
            "set \"/a\" owner 1 group 2",
            Action::Set("owner 1 group 2".into()),
            "/a",
        ),
    ] {
        assert_eq!(one(text), (action, path.as_bytes().to_vec()), "{text}");
    }
    let forced = one("forced close \"/a\" bytes read 0 written 5").0;
    assert!(matches!(forced, Action::Close { forced: true, .. }));
    for (text, action) in [
        ("rename old \"/a\" new \"/b\"", "rename"),
        ("posix-rename old \"/a\" new \"/b\"", "rename"),
        ("symlink old \"/a\" new \"/b\"", "symlink"),
        ("hardlink old \"/a\" new \"/b\"", "hardlink"),
    ] {
        let expected = Request {
            action: Action::Change(action),
            paths: Paths::Two(b"/a".to_vec(), b"/b".to_vec()),
        };
        assert_eq!(request(text), expected);
    }
    for (text, name) in [
        ("Refusing remove request in read-only mode", "remove"),
        (
            "Refusing non-allowlisted posix-rename request",
            "posix-rename",
        ),
        ("Refusing denylisted open request", "open"),
    ] {
        assert_eq!(line(text), Line::Refused(name.to_owned()), "{text}");
    }
    for text in [
        "opendir \"/\"",
        "stat name \"/a\"",
        "received client version 3",
    ] {
        assert_eq!(line(text), Line::Quiet, "{text}");
    }
    assert!(
        matches!(line("sent status No such file"), Line::Status(it) if it.text() == "No such file")
    );
}

#[test]
fn a_name_forges_no_field() {
    for name in [
        "x\" bytes read 0 written 5",
        "x\" flags READ mode 0644",
        "x\" mode 0777",
        "x\nclose \"y\" bytes read 1 written 1",
        "x\r\nremove name \"y\"",
        "\"",
        "",
    ] {
        let written = format!("close \"{name}\" bytes read 1 written 2");
        assert_eq!(one(&written), (closed(1, 2), name.into()));
        let written = format!("open \"{name}\" flags READ mode 0666");
        assert_eq!(one(&written), (Action::Open(false), name.into()));
        let written = format!("remove name \"{name}\"");
        assert_eq!(one(&written), (Action::Change("remove"), name.into()));
        let written = format!("set \"{name}\" mode 0600");
        assert_eq!(
            one(&written),
            (Action::Set("mode 0600".into()), name.into())
        );
    }
}

#[test]
fn two_names_with_more_than_one_place_between_them_stay_together() {
    for (old, new) in [
        ("a\" new \"b", "c"),
        ("a", "b\" new \"c"),
        ("a\" new ", "\" new \"c"),
    ] {
        let whole = format!("{old}\" new \"{new}");
        let text = format!("rename old \"{whole}\"");
        assert_eq!(
            request(&text).paths,
            Paths::Unclear(whole.into_bytes()),
            "{text}"
        );
    }
    let quotes = request("rename old \"a\"\" new \"\"b\"");
    assert_eq!(quotes.paths, Paths::Two(b"a\"".to_vec(), b"\"b".to_vec()));
}

#[test]
fn what_the_server_has_escaped_is_taken_back() {
    let (_, path) = one(r#"remove name "/\303\274 \\101 \033""#);
    assert_eq!(path, b"/\xc3\xbc \\101 \x1b");
    for broken in [
        r#"remove name "\30""#,
        r#"remove name "\4440""#,
        r#"remove name "\x""#,
    ] {
        assert_eq!(line(broken), Line::Other, "{broken}");
    }
}

/// The end of a line that was cut is what the client has chosen to be there.
#[test]
fn a_line_that_may_have_been_cut_is_not_read() {
    let end = "\" bytes read 0 written 5";
    for length in 990..1022 {
        let name = "a".repeat(length - "close \"".len() - end.len());
        let text = format!("close \"{name}{end}");
        assert_eq!(text.len(), length);
        assert_eq!(line(&text) == Line::Other, length >= 1000, "{length}");
    }
    for text in [
        "close \"/a\" bytes read 7 written",
        "close \"/a\" bytes read 7 written ",
        "close \"/a\" bytes read +7 written 1",
        "close \"/a\" bytes read 7 written 99999999999999999999",
        "open \"/a\" flags READ mode 0888",
        "remove name \"/a\" ",
        "rename old \"/a\"",
        "set \"/a\" mode",
        "set \"/a\" mode ",
        "set \"/a\" modtime ",
        "set \"/a\" owner 1",
        "sent status OK",
        "sent status ",
        "",
    ] {
        assert_eq!(line(text), Line::Other, "{text}");
    }
    assert_eq!(read(b"remove name \"/a\""), Line::Other);
}
