//! `jailctl replay`: what a session showed is played with its timing, and nothing of it reaches whoever looks but text, colours and
//! movements of the cursor.

use std::time::{Duration, Instant};

use login_jail_tests::{Sandbox, jailctl, roots};

const RECORDINGS: &str = "/var/log/login-jail/terminal";

/// A recording of two seconds with a pause of one in it, and of what a hostile session shows.
const CAST: &str = r#"{"version": 2, "width": 80, "height": 24, "timestamp": 1764500000, "title": "ann in web", "command": "top"}
[0.100000, "o", "\u001b[1mfür\u001b[0m 日本\r\n"]
[0.200000, "i", "typed"]
[0.300000, "r", "101x33"]
[0.400000, "o", "\u001b]0;title\u0007\u001b]52;c;aGk=\u0007\u001b[6n\u001b[c\u001b[?2004h\u001bP$qm\u001b\\"]
[1.400000, "o", "\u001b[2K\u001b[3Aend\r\n"]
[1.500000, "o", "cut sho
"#;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new().user("ann").root(roots::home());
    sandbox.must(&format!(
        "install -d -m 700 /var/log/login-jail {RECORDINGS}"
    ));
    sandbox.write(
        &format!("{RECORDINGS}/0123456789abcdef.cast"),
        CAST.trim_end(),
    );
    sandbox
}

#[test]
fn a_list_has_every_recording() {
    let sandbox = sandbox();
    for arguments in [&["replay"][..], &["replay", "--list"]] {
        let list = sandbox.jailctl(arguments);
        let line = list.ok().lines().nth(1).unwrap().to_owned();
        for part in [
            "0123456789abcdef ",
            " 2025-11-30 ",
            " 1s ",
            "ann in web",
            "top",
        ] {
            assert!(line.contains(part), "{part}: {list}");
        }
    }
    let json = sandbox.jailctl(&["replay", "--json"]);
    assert!(
        json.ok().contains("\"session\": \"0123456789abcdef\""),
        "{json}"
    );
    assert_eq!(
        sandbox.jailctl(&["complete", "recordings"]).ok(),
        "0123456789abcdef"
    );
    sandbox.must("rm -r /var/log/login-jail");
    assert!(sandbox.jailctl(&["replay"]).ok().contains("no recordings"));
}

#[test]
fn a_terminal_gets_text_colours_and_movements_with_their_timing_and_nothing_else() {
    let sandbox = sandbox();
    let program = jailctl();
    let play = |options: &[&str]| {
        let argv = [&[program.as_str(), "replay", "0123456789abcdef"], options].concat();
        let begun = Instant::now();
        let end = sandbox.terminal(&argv).finish();
        assert_eq!(end.code(), Some(0), "{end}");
        (end.stdout.clone(), begun.elapsed())
    };
    let (shown, took) = play(&[]);
    assert!(took > Duration::from_millis(1400), "{took:?}");
    assert!(
        shown.contains("\u{1b}[1mfür\u{1b}[0m 日本\r") && shown.contains("\u{1b}[2K\u{1b}[3Aend"),
        "{shown:?}"
    );
    for hostile in [
        "title", "aGk=", "\u{1b}]", "\u{1b}P", "[6n", "[c", "2004", "typed", "101", "\u{7}",
    ] {
        assert!(!shown.contains(hostile), "{hostile:?}: {shown:?}");
    }
    let (_, fast) = play(&["--speed", "20"]);
    let (_, short) = play(&["--idle-limit", "0.05"]);
    assert!(fast < took - Duration::from_millis(500), "{fast:?}");
    assert!(short < took - Duration::from_millis(500), "{short:?}");
    let (raw, _) = play(&["--raw", "--speed", "20"]);
    assert!(
        raw.contains("\u{1b}]52;c;aGk=\u{7}\u{1b}[6n\u{1b}[c\u{1b}[?2004h"),
        "{raw:?}"
    );
    // Whoever has seen enough gets the terminal back as it was.
    let mut pty = sandbox.terminal(&[
        program.as_str(),
        "replay",
        "--speed",
        "0.01",
        "0123456789abcdef",
    ]);
    std::thread::sleep(Duration::from_millis(500));
    pty.send("\x03");
    let end = pty.finish();
    assert_eq!(end.code(), Some(0), "{end}");
    assert!(
        end.stdout.ends_with("\u{1b}[0m\u{1b}[?7h\u{1b}[?25h"),
        "{end}"
    );
}

#[test]
fn what_is_no_terminal_gets_the_text_at_once() {
    let sandbox = sandbox();
    let begun = Instant::now();
    let text = sandbox.jailctl(&["replay", "0123456789abcdef"]);
    assert_eq!(text.ok(), "für 日本\nend");
    assert!(begun.elapsed() < Duration::from_secs(1) + Duration::from_millis(300));
    // As ls(1) shows it.
    let by_file = sandbox.jailctl(&["replay", "0123456789abcdef.cast"]);
    assert_eq!(by_file.ok(), "für 日本\nend");
    sandbox.must(&format!("cp {RECORDINGS}/*.cast /root/x.cast"));
    assert_eq!(
        sandbox.jailctl(&["replay", "/root/x.cast"]).ok(),
        "für 日本\nend"
    );
}

#[test]
fn what_is_no_recording_is_said_so() {
    let sandbox = sandbox();
    sandbox.must(&format!(
        "cd {RECORDINGS}; echo text >text.cast; echo '{{\"version\": 1}}' >old.cast; mkdir dir.cast; mkfifo pipe.cast; \
         (head -n 2 0123456789abcdef.cast; echo '[\"x\"]'; echo '[1, \"o\", \"\"]') >bad.cast"
    ));
    for (session, why) in [
        (
            "missing",
            "there is no recording missing; jailctl replay lists them",
        ),
        (
            "text",
            "text.cast is not a recording: its first line is no header of asciicast version 2",
        ),
        ("old", "is not a recording"),
        ("dir", "dir.cast"),
        ("pipe", "is not a recording"),
        ("bad", "bad.cast, line 3: not an event of a recording"),
    ] {
        let seen = sandbox.jailctl(&["replay", session]);
        assert_eq!(seen.code(), Some(3), "{session}: {seen}");
        assert!(seen.stderr.contains(why), "{session}: {seen}");
    }
    // They don't hide the others.
    let list = sandbox.jailctl(&["replay"]);
    assert!(list.ok().contains("0123456789abcdef"), "{list}");
    for wrong in [
        "--speed=0",
        "--speed=-1",
        "--speed=x",
        "--idle-limit=nan",
        "--list",
    ] {
        let seen = sandbox.jailctl(&["replay", wrong, "x"]);
        assert_eq!(seen.code(), Some(2), "{wrong}: {seen}");
    }
}
