//! `record = "terminal"`: what a terminal shows is in a file of root's before the user sees it, whatever the door; what is typed
//! without echo is in none; and what can't be recorded does not begin, or ends.
#![allow(clippy::panic, reason = "a test reports by panicking")]

use std::time::Duration;

use login_jail_tests::{Outcome, Pty, Sandbox, roots};

const RECORDINGS: &str = "/var/log/login-jail/terminal";

/// Ann in a view of the host with these keys, sshd and a password.
fn ann(keys: &str) -> Sandbox {
    Sandbox::new()
        .user("ann")
        .root(roots::home())
        .config(&format!(
            "[users]\nann = \"watched\"\n[jails.watched]\nroot = \"/srv/jails/{{user}}\"\nbase = \"host\"\n\
             shell = \"/bin/bash\"\n{keys}\n"
        ))
        .password("ann", "pw")
        .sshd("")
}

const TERMINAL: &str = "record = \"terminal\"";

/// The last recording, whole, once it has this text.
#[track_caller]
fn recording(sandbox: &Sandbox, text: &str) -> String {
    let read = || {
        let all = sandbox.must(&format!("cat $(ls -t {RECORDINGS}/*.cast | head -n 1)"));
        all.contains(text).then_some(all)
    };
    sandbox.wait_until(read).unwrap_or_else(|| {
        panic!(
            "no {text:?} in {}",
            sandbox.must(&format!("cat {RECORDINGS}/*"))
        )
    })
}

fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

/// The doors that have a terminal.
const DOORS: [&str; 3] = ["sshd", "su", "login"];

/// Logs in by a door.
fn log_in(sandbox: &Sandbox, door: &str) -> Pty {
    let mut pty = match door {
        "sshd" => sandbox.ssh_tty("ann", None),
        "su" => sandbox.terminal(&["su", "-", "ann"]),
        _ => sandbox.login("ann", "pw"),
    };
    pty.expect("$ ");
    pty
}

#[test]
fn what_a_terminal_shows_is_recorded_at_every_door() {
    let sandbox = ann(TERMINAL);
    for door in DOORS {
        let mut pty = log_in(&sandbox, door);
        pty.line("printf 'f\\303\\274r \\377 \\033[1m%s\\033[m' $((40000 + 2))");
        pty.expect("40002");
        pty.resize(33, 101);
        pty.line(
            "until [ \"$(stty size)\" = '33 101' ]; do sleep 0.1; done; echo si''zed; tty; exit 3",
        );
        pty.expect("sized");
        let end = pty.finish();
        assert!(end.stdout.contains("/dev/console"), "{door}: {end}");
        if door != "login" {
            assert_eq!(end.code(), Some(3), "{door}: {end}");
        }
        let cast = recording(&sandbox, "sized");
        let header = cast.lines().next().unwrap();
        assert!(
            header.starts_with("{\"version\": 2, \"width\": 80, \"height\": 24, \"timestamp\": 1")
                && header.contains("\"title\": \"ann in watched\""),
            "{door}: {header}"
        );
        assert!(
            cast.contains("für \u{fffd} \\u001b[1m40002\\u001b[m"),
            "{door}: {cast}"
        );
        assert!(cast.contains(", \"r\", \"101x33\"]"), "{door}: {cast}");
        assert!(!cast.contains("\"i\""), "{door}: {cast}");
        sandbox.must(&format!("python3 -c 'import json, sys; [json.loads(l) for l in open(sys.argv[1])]' {RECORDINGS}/*.cast"));
        assert_eq!(
            sandbox.must(&format!(
                "stat -c '%U %a' /var/log/login-jail {RECORDINGS} {RECORDINGS}/*.cast"
            )),
            "root 700\nroot 700\nroot 600"
        );
        sandbox.must(&format!("rm {RECORDINGS}/*"));
    }
}

#[test]
fn a_recorded_session_behaves_as_one_that_is_not() {
    let sandbox = ann(TERMINAL);
    let mut pty = sandbox.ssh_tty("ann", None);
    pty.expect("$ ");
    // Job control of an interactive shell.
    pty.line("sleep 100");
    pause(300);
    pty.send("\x1a");
    pty.expect("Stopped");
    pty.line("fg");
    pause(300);
    pty.send("\x03");
    pty.expect("$ ");
    pty.line("echo $?-te''xt");
    pty.expect("130-text");
    pty.line("exit 7");
    assert_eq!(pty.finish().code(), Some(7));
    // A program that asks to be stopped where nobody could continue it is not.
    let mut pty = sandbox.ssh_tty("ann", Some("cat; echo go''es on"));
    pause(500);
    pty.send("\x1a").send("\x04");
    pty.expect("goes on");
    assert_eq!(pty.finish().code(), Some(0));
    // A signal as the end.
    let end = sandbox.ssh_tty("ann", Some("kill -TERM $$")).finish();
    assert_eq!(end.code(), Some(255), "{end}");
}

#[test]
fn a_hang_up_ends_a_recorded_session() {
    let sandbox = ann(TERMINAL);
    let hang_up = "import os, pty, sys, time\npid, terminal = pty.fork()\n\
                   if pid == 0: os.execvp('su', ['su', '-', 'ann'])\n\
                   time.sleep(1)\nos.close(terminal)\n";
    sandbox.write("/root/hang_up.py", hang_up);
    sandbox.must("python3 /root/hang_up.py");
    let ssh = sandbox.ssh_argv("ann", &["-tt"], Some("cat")).join(" ");
    sandbox.must(&format!("timeout 3 {ssh} </dev/zero >/dev/null 2>&1 || :"));
    sandbox.must("for n in $(seq 80); do pgrep -u ann >/dev/null || exit 0; sleep 0.1; done; ps -fu ann; exit 1");
}

#[test]
fn a_shell_without_a_terminal_is_refused_and_file_transfer_passes() {
    let sandbox = ann(TERMINAL).with("echo text >/tmp/letter");
    let told = |seen: &Outcome, how: &str| {
        assert_eq!(seen.code(), Some(1), "{how}: {seen}");
        assert_eq!(
            (seen.stdout.as_str(), seen.stderr.as_str()),
            (
                "",
                "jail-shell: sessions of this account are recorded, and a shell needs a terminal; connect with ssh -t\n"
            ),
            "{how}"
        );
    };
    told(&sandbox.ssh("ann", "id"), "a command");
    told(
        &sandbox.ssh("ann", "rsync --server; id"),
        "a line of commands",
    );
    told(&sandbox.ssh_shell("ann", "id\n"), "a shell");
    told(&sandbox.su_c("ann", "id"), "su -c");
    told(&sandbox.su_dash("ann", "id\n"), "su -");
    sandbox.logged(&["refused", "code=usage", "a shell was asked for", "ssh -t"]);
    // Of three descriptors two are no terminal.
    let mut pty = sandbox.terminal(&[
        "sh",
        "-c",
        "su ann -c id </dev/null 2>/dev/null; echo en''d",
    ]);
    assert!(!pty.expect("end").contains("uid="));
    sandbox.scp(&["/tmp/letter", "ann@127.0.0.1:a"]).ok();
    sandbox.scp(&["-O", "/tmp/letter", "ann@127.0.0.1:b"]).ok();
    sandbox.sftp("ann", "put /tmp/letter c\n").ok();
    let ssh = sandbox.ssh_argv("ann", &[], None);
    let ssh = ssh[..ssh.len() - 1].join(" ");
    sandbox.must(&format!("rsync -e '{ssh}' /tmp/letter ann@127.0.0.1:d"));
    assert_eq!(
        sandbox.must("cat /srv/jails/ann/home/ann/[a-d]"),
        "text\n".repeat(4).trim_end()
    );
    assert_eq!(sandbox.must(&format!("ls {RECORDINGS} 2>&1 | wc -l")), "1");
    sandbox.must(&format!("! ls {RECORDINGS}"));
}

#[test]
fn recording_goes_by_the_terminal_and_not_by_the_command() {
    let sandbox = ann(&format!("{TERMINAL}\ncommands = [\"sftp\", \"/bin/echo\"]"));
    let end = sandbox.ssh_tty("ann", Some("echo seen")).finish();
    assert!(end.stdout.contains("seen"), "{end}");
    let cast = recording(&sandbox, "seen\\r\\n");
    assert!(cast.contains("\"command\": \"echo seen\""), "{cast}");
    sandbox.must(&format!("rm {RECORDINGS}/*"));
    let mut pty = sandbox.ssh_tty("ann", Some("/usr/lib/openssh/sftp-server"));
    pause(500);
    pty.send("\x04");
    drop(pty.finish());
    assert_eq!(sandbox.must(&format!("ls {RECORDINGS} | wc -l")), "1");
}

#[test]
fn what_is_typed_is_recorded_on_request_and_never_without_echo() {
    let sandbox = ann("record = { what = \"terminal\", input = true }");
    for door in DOORS {
        let mut pty = log_in(&sandbox, door);
        pty.line("cat");
        pause(300);
        pty.line("typed aloud");
        pty.expect("typed aloud\r\ntyped aloud");
        pty.send("\x04");
        pty.line(
            "read -p 'fi''rst: ' -s one; read -p 'sec''ond: ' two; echo \"$one-$two\" | sha256sum",
        );
        pty.expect("first: ");
        pty.line("secret1");
        pty.expect("second: ");
        pty.line("no secret");
        pty.expect("  -");
        // Typed ahead: the terminal echoes nothing while the program sleeps.
        pty.line("stty -echo; sleep 1; stty echo; echo re''ady");
        pause(300);
        pty.line("echo 'secret2' | wc -c");
        pty.expect("ready");
        // bash reads its lines in raw mode, and the line above is shown by bash itself; what python reads is not.
        pty.line("python3 -c 'import getpass; print(len(getpass.getpass(\"thi\" \"rd: \")))'");
        pty.expect("third: ");
        pty.line("secret3");
        pty.expect("7\r\n");
        pty.line("exit");
        drop(pty.finish());
        let cast = recording(&sandbox, "third: ");
        let typed: Vec<&str> = cast
            .lines()
            .filter(|line| line.contains(", \"i\", "))
            .collect();
        let typed = typed.join("\n");
        assert!(
            typed.contains("typed aloud") && typed.contains("no secret"),
            "{door}: {typed}"
        );
        assert!(
            !typed.contains("secret1") && !typed.contains("secret2") && !typed.contains("secret3"),
            "{door}: {typed}"
        );
        assert!(
            !cast.contains("secret1") && !cast.contains("secret3"),
            "{door}: {cast}"
        );
        sandbox.must(&format!("rm {RECORDINGS}/*"));
    }
}

#[test]
fn a_session_ends_where_its_recording_is_full() {
    let sandbox = ann("record = { what = \"terminal\", size = \"64K\" }");
    for door in DOORS {
        let mut pty = log_in(&sandbox, door);
        pty.line("yes 0123456789");
        pty.expect("jail-shell: this session ends: its recording has reached its largest size (record.size)");
        let end = pty.finish();
        if door != "login" {
            assert_eq!(end.code(), Some(129), "{door}: {end}");
        }
        let shown = end.stdout.matches("0123456789\r\n").count();
        assert!(
            recording(&sandbox, "0123456789").len() <= 64 << 10,
            "{door}"
        );
        let joined = format!(
            "python3 -c 'import json, sys; print(\"\".join(json.loads(l)[2] for l in list(open(sys.argv[1]))[1:]))' \
             {RECORDINGS}/*.cast"
        );
        let recorded = sandbox.must(&joined).matches("0123456789\r\n").count();
        assert!(
            shown > 100 && shown <= recorded + 1,
            "{door}: {shown} of {recorded}"
        );
        sandbox.logged(&["cut", "user=\"ann\"", "record.size = \\\"64K\\\""]);
        sandbox.must("for n in $(seq 80); do pgrep -u ann >/dev/null || exit 0; sleep 0.1; done; ps -fu ann; exit 1");
        sandbox.must(&format!("rm {RECORDINGS}/*"));
    }
}

#[test]
fn a_session_ends_where_its_recording_can_not_be_written() {
    let sandbox = ann(TERMINAL).with(&format!(
        "mkdir -m 700 -p /var/log/login-jail && mkdir -m 700 -p {RECORDINGS} && mount -t tmpfs -o size=16k,mode=700 none {RECORDINGS}"
    ));
    let mut pty = sandbox.ssh_tty("ann", None);
    pty.expect("$ ");
    pty.line("trap '' HUP; yes");
    pty.expect(
        "jail-shell: this session ends: it can't be recorded any more; ask the administrator",
    );
    assert_eq!(pty.finish().code(), Some(129));
    sandbox.logged(&["cut", "user=\"ann\"", "No space left on device"]);
    sandbox.must("for n in $(seq 80); do pgrep -u ann >/dev/null || exit 0; sleep 0.1; done; ps -fu ann; exit 1");
    // There is no room for the first line.
    sandbox.must(&format!(
        "head -c 16K /dev/zero >{RECORDINGS}/full 2>/dev/null || :"
    ));
    let end = sandbox.ssh_tty("ann", Some("id")).finish();
    assert_eq!(end.code(), Some(123), "{end}");
    assert!(!end.stdout.contains("uid="), "{end}");
    sandbox.logged(&["refused", "step record", "No space left on device"]);
}

/// The recording is not the user's file.
#[test]
fn a_limit_on_files_of_the_user_does_not_concern_the_recording() {
    let sandbox = ann(&format!("{TERMINAL}\nlimits = {{ fsize = 1000 }}"));
    let mut pty = sandbox.terminal(&["bash", "-c", "ulimit -Sf 1; su - ann"]);
    pty.expect("$ ");
    pty.line("seq 2000; echo en''d; exit");
    pty.expect("end");
    assert_eq!(pty.finish().code(), Some(0));
    assert!(recording(&sandbox, "end").len() > 8000);
}

#[test]
fn a_directory_of_recordings_that_is_not_roots_alone_refuses_the_login() {
    let sandbox = ann(TERMINAL);
    let (above, home) = ("/var/log/login-jail", "/srv/jails/ann/home/ann");
    let owner = "belongs to uid 1000";
    for (make, why) in [
        (
            format!("install -d -m 700 -o ann {RECORDINGS}"),
            format!("{RECORDINGS} {owner}"),
        ),
        (
            format!("install -d -m 755 {RECORDINGS}"),
            format!("{RECORDINGS} belongs to uid 0 and has mode 0755"),
        ),
        (
            format!("ln -s {home} {RECORDINGS}"),
            format!("{RECORDINGS} is a symbolic link"),
        ),
        (
            format!("rm -r {above}; ln -s {home} {above}"),
            format!("{above}: "),
        ),
        (
            format!("rm -rf {above}; install -d -m 700 -o ann {above}"),
            // The record of sessions comes first.
            format!("{above} belongs to uid 1000"),
        ),
    ] {
        sandbox.must(&format!(
            "rm -rf {above}; install -d -m 700 {above}; {make}"
        ));
        let end = sandbox.ssh_tty("ann", Some("id")).finish();
        assert_eq!(end.code(), Some(123), "{make}: {end}");
        assert!(!end.stdout.contains("uid="), "{make}: {end}");
        sandbox.logged(&["refused", "step record", &why]);
        assert_eq!(sandbox.must("ls -A /srv/jails/ann/home/ann"), "", "{make}");
    }
}

/// What a session that is open may become counts from its beginning: any number could be opened at once.
#[test]
fn the_recordings_of_a_user_come_to_no_more_than_the_config_allows() {
    let sandbox = ann("record = { what = \"terminal\", size = \"64K\", total = \"192K\" }");
    let is_refused = |why: &str| {
        let end = sandbox.ssh_tty("ann", Some("id")).finish();
        assert_eq!(end.code(), Some(123), "{end}");
        assert!(!end.stdout.contains("uid="), "{end}");
        sandbox.logged(&["refused", "step record", why]);
        // Nothing is left of it that would count.
        let left = sandbox.must(&format!("find {RECORDINGS} -name '1000-*' -size -2c"));
        assert_eq!(left, "");
    };
    let goes_in = || {
        let end = sandbox.ssh_tty("ann", Some("id")).finish();
        assert!(end.stdout.contains("uid="), "{end}");
    };
    let open: Vec<Pty> = (0..3).map(|_| log_in(&sandbox, "sshd")).collect();
    is_refused("the recordings of uid 1000 may come to 256K");
    for mut pty in open {
        pty.line("exit");
        assert_eq!(pty.finish().code(), Some(0));
    }
    goes_in();
    let make = |name: &str| {
        sandbox.must(&format!("head -c 150K /dev/zero >{RECORDINGS}/{name}.cast"));
    };
    // Those of others, and those that are not of a user.
    make("1001-0123");
    make("10000-0123");
    make("0123");
    goes_in();
    make("1000-0123");
    is_refused("record.total is \\\"192K\\\"; remove old ones: find");
    let report = sandbox.run(&["jailctl", "check", "ann"]);
    assert!(report.stdout.contains("record.total is"), "{report}");
    sandbox.must(&format!("rm {RECORDINGS}/1000-0123.cast"));
    goes_in();
    let report = sandbox.run(&["jailctl", "check", "ann"]);
    assert!(!report.stdout.contains("record.total is"), "{report}");
}
