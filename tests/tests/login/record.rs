//! The record of sessions and the journal: what is written outside about each login, and that nobody inside can forge it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use std::time::{Duration, Instant};

use login_jail_tests::{Sandbox, roots, skipped};
use serde_json::Value;

const RECORD: &str = "/var/log/login-jail/sessions.jsonl";

/// What a user may hand over: a newline, what looks like fields of the journal, quotes, a NUL in JSON, a sequence for the
/// terminal, text that shows from right to left, and much of it.
const FORGED: &str = "x\nPRIORITY=0\nLOGIN_JAIL_USER=root\nMESSAGE=none\n\"}\n{\"time\":\"1\",\"event\":\"enter\",\"user\":\"root\"}\n\\u0000\x1b[2J\u{202e}";

/// Collects what reaches journald's socket: one line of JSON for each datagram, as the native protocol is documented.
const READER: &str = r#"
import json, os, socket, struct
os.makedirs("/run/systemd/journal", exist_ok=True)
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.bind("/run/systemd/journal/socket")
os.chmod("/run/systemd/journal/socket", 0o666)
out = open("/run/journal.jsonl", "a", buffering=1)
while True:
    rest = journal.recv(1 << 20)
    fields = []
    while rest:
        first, rest = rest.split(b"\n", 1)
        if b"=" in first:
            name, value = first.split(b"=", 1)
        else:
            (length,) = struct.unpack("<Q", rest[:8])
            name, value = first, rest[8 : 8 + length]
            assert rest[8 + length : 9 + length] == b"\n"
            rest = rest[9 + length :]
        fields.append([name.decode("ascii"), value.decode("utf-8", "replace")])
    out.write(json.dumps(fields) + "\n")
"#;

fn ann() -> Sandbox {
    Sandbox::new().user("ann").root(roots::busybox())
}

/// Gives the events of the record, each line of which is one.
fn events(sandbox: &Sandbox) -> Vec<Value> {
    let text = sandbox.must(&format!("cat {RECORD} 2>/dev/null || true"));
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// Waits for events of a kind.
fn wait_for(sandbox: &Sandbox, kind: &str, count: usize) -> Vec<Value> {
    let found = sandbox.wait_until(|| {
        let mut all = events(sandbox);
        all.retain(|it| it["event"] == kind);
        (all.len() >= count).then_some(all)
    });
    found.unwrap_or_else(|| panic!("no {count} of {kind}: {:?}", events(sandbox)))
}

#[test]
fn a_session_is_recorded_with_its_beginning_and_its_end() {
    let sandbox = ann();
    assert_eq!(sandbox.ssh("ann", "exit 7").code(), Some(7));
    let leave = &wait_for(&sandbox, "leave", 1)[0];
    let enter = &wait_for(&sandbox, "enter", 1)[0];
    let uid: u64 = sandbox.must("id -u ann").parse().unwrap();
    for event in [enter, leave] {
        assert_eq!(event["user"], "ann");
        assert_eq!(event["uid"], uid);
        assert_eq!(event["jail"], "ann");
        assert_eq!(event["door"], "login-shell");
        assert_eq!(event["session"], enter["session"]);
        assert_eq!(event["pid"], enter["pid"]);
    }
    assert_eq!(enter["session"].as_str().unwrap().len(), 16);
    assert_eq!(enter["root"], "/srv/jails/ann");
    let root = sandbox.must("stat -c '%d %i' /srv/jails/ann");
    assert_eq!(
        format!("{} {}", enter["root_device"], enter["root_inode"]),
        root
    );
    assert_eq!(enter["command"], "exit 7");
    assert!(
        enter["rule"].as_str().unwrap().contains("config.toml:"),
        "{enter}"
    );
    // sshd's variable is whatever the caller has in it.
    assert_eq!(enter["from"], Value::Null);
    assert!(
        enter["claimed_from"]
            .as_str()
            .unwrap()
            .starts_with("127.0.0.1 ")
    );
    let walls = enter["walls"].as_array().unwrap();
    for wall in ["pid-namespace", "new-root", "no-new-privs", "seccomp"] {
        assert!(walls.iter().any(|it| it == wall), "{enter}");
    }
    assert_eq!(leave["status"], 7);
    assert!(leave["duration_ms"].as_u64().unwrap() < 60_000, "{leave}");
    assert_eq!(leave["bytes_up"], 0);
    // It is root's alone, and nobody inside has it open.
    assert_eq!(
        sandbox.must(&format!("stat -c '%a %U %G' /var/log/login-jail {RECORD}")),
        "700 root root\n600 root root"
    );
}

#[test]
fn a_signal_is_recorded_and_a_terminal_and_each_session_has_an_id() {
    let sandbox = ann();
    sandbox.ssh("ann", "kill -9 $$");
    let mut pty = sandbox.ssh_tty("ann", None);
    pty.line("exit");
    drop(pty.finish());
    let leaves = wait_for(&sandbox, "leave", 2);
    assert_eq!(leaves[0]["signal"], 9);
    assert_eq!(leaves[1]["status"], 0);
    let enters = wait_for(&sandbox, "enter", 2);
    assert_eq!(enters[0]["tty"], Value::Null);
    assert!(enters[1]["tty"].as_str().unwrap().starts_with("/dev/pts/"));
    assert_eq!(enters[1]["command"], "");
    assert_ne!(enters[0]["session"], enters[1]["session"]);
}

#[test]
fn a_refusal_is_recorded_also_before_there_is_a_plan() {
    let sandbox = ann().plain_user("bob");
    sandbox
        .run_as("bob", &["jail-shell", "-c", "id"])
        .refused(102, "no-rule");
    let refused = &wait_for(&sandbox, "refused", 1)[0];
    assert_eq!(refused["code"], "no-rule");
    assert_eq!(refused["user"], "bob");
    assert!(
        refused["reason"].as_str().unwrap().contains("no rule"),
        "{refused}"
    );
    sandbox.must("chmod 0777 /srv/jails/ann");
    sandbox.ssh("ann", "id").refused(112, "root-unsafe");
    let refused = &wait_for(&sandbox, "refused", 2)[1];
    assert_eq!(refused["code"], "root-unsafe");
    assert_eq!(refused["user"], "ann");
}

#[test]
fn nothing_that_a_caller_hands_over_forges_a_line_or_a_field() {
    let sandbox = ann();
    let forged = format!("{FORGED}{}", "A".repeat(100_000));
    let connection = format!("SSH_CONNECTION={FORGED}");
    let command = format!(": {}", FORGED.replace('\n', " "));
    sandbox.run_as("ann", &["env", &connection, "jail-shell", "-c", &command]);
    sandbox.run_as(
        "ann",
        &[
            "env",
            &connection,
            "jail-shell",
            "-c",
            &format!("#{forged}"),
        ],
    );
    let enters = wait_for(&sandbox, "enter", 2);
    assert_eq!(enters.len(), 2);
    for enter in &enters {
        assert_eq!(enter["user"], "ann");
        assert_eq!(enter["claimed_from"], FORGED);
    }
    assert_eq!(enters[0]["command"], command);
    let left_out = enters[1]["command_left_out"].as_u64().unwrap();
    assert!(left_out > 90_000, "{left_out}");
    let raw = sandbox.read(RECORD);
    assert!(!raw.contains('\x1b') && !raw.contains('\u{202e}'), "{raw}");
    wait_for(&sandbox, "leave", 2);
    let listed = sandbox.run(&["jailctl", "sessions", "--ended"]);
    assert!(
        !listed.ok().contains('\x1b') && !listed.stdout.contains('\u{202e}'),
        "{listed}"
    );
    assert_eq!(listed.stdout.lines().count(), 3, "{listed}");
}

#[test]
fn nobody_inside_and_no_one_else_of_the_same_uid_reaches_the_record() {
    let sandbox = ann();
    let mut pty = sandbox.ssh_tty("ann", None);
    pty.line("echo rea''dy");
    pty.expect("ready\r\n");
    let enter = &wait_for(&sandbox, "enter", 1)[0];
    let supervisor = enter["pid"].to_string();
    // The supervisor has it open, and init and the shell do not.
    let open = format!("ls -l /proc/{supervisor}/fd | grep -c sessions.jsonl");
    assert_eq!(sandbox.must(&open), "1");
    let others = sandbox.sh(&format!(
        "for pid in $(pgrep -U ann); do [ $pid = {supervisor} ] || ls -l /proc/$pid/fd; done | grep sessions.jsonl"
    ));
    assert_eq!(others.stdout, "");
    let tried = sandbox.run_as(
        "ann",
        &[
            "sh",
            "-c",
            &format!(
                "echo forged >>/proc/{supervisor}/fd/4; ls /proc/{supervisor}/fd; cat {RECORD}"
            ),
        ],
    );
    assert_eq!(tried.stdout, "");
    pty.line("exit");
    drop(pty.finish());
}

#[test]
fn a_record_that_can_not_be_had_is_said_in_the_log_and_refuses_where_the_config_insists() {
    for spoil in [
        "rm -rf /var/log/login-jail; ln -s /tmp /var/log/login-jail",
        "rm -rf /var/log/login-jail; mkdir -m 0777 /var/log/login-jail",
        "rm -rf /var/log/login-jail; mkdir -m 0700 /var/log/login-jail; mkfifo /var/log/login-jail/sessions.jsonl",
        "rm -rf /var/log/login-jail; mkdir -m 0700 /var/log/login-jail; ln -s /etc/passwd /var/log/login-jail/sessions.jsonl",
        "rm -rf /var/log/login-jail; mkdir -m 0700 /var/log/login-jail; touch /srv/x; ln /srv/x /var/log/login-jail/sessions.jsonl || touch -d 2001-01-01 /tmp/x; chown ann /var/log/login-jail/sessions.jsonl",
    ] {
        let sandbox = ann().with(spoil);
        assert_eq!(sandbox.ssh("ann", "echo ran").ok(), "ran", "{spoil}");
        sandbox.logged(&["]: unrecorded uid=", "open the record of sessions"]);
        sandbox
            .must("sed -i 's/^root = .*/&\\nrecord = \"sessions\"/' /etc/login-jail/config.toml");
        sandbox.ssh("ann", "echo ran").refused(123, "step");
        sandbox.logged(&[
            "]: refused code=step",
            "step record: open the record of sessions",
        ]);
        sandbox.must("sed -i 's/^record = .*/record = \"off\"/' /etc/login-jail/config.toml");
        assert_eq!(sandbox.ssh("ann", "echo ran").ok(), "ran", "{spoil}");
        assert!(!sandbox.read("/etc/passwd").contains("{\"time\""));
    }
}

#[test]
fn a_missing_directory_is_made_and_a_full_disk_refuses_only_where_the_config_insists() {
    let sandbox = ann().with("rm -rf /var/log/login-jail");
    assert_eq!(sandbox.ssh("ann", "echo ran").ok(), "ran");
    wait_for(&sandbox, "leave", 1);
    sandbox.must(
        "mount -t tmpfs -o size=4k,mode=0700 full /var/log/login-jail; install -m 0600 /dev/null /var/log/login-jail/sessions.jsonl
         head -c 3990 /dev/zero | tr '\\0' '#' >/var/log/login-jail/sessions.jsonl",
    );
    assert_eq!(sandbox.ssh("ann", "echo ran").ok(), "ran");
    sandbox.logged(&[
        "]: unrecorded uid=",
        "write the record of sessions",
        "No space left",
    ]);
    sandbox.must("sed -i 's/^root = .*/&\\nrecord = \"sessions\"/' /etc/login-jail/config.toml");
    sandbox.ssh("ann", "echo ran").refused(123, "step");
}

#[test]
fn the_journal_gets_fields_and_dev_log_nothing_where_journald_listens() {
    if sandbox_lacks_python() {
        return skipped("the journal's fields", "python3 is not installed");
    }
    let sandbox = ann();
    sandbox.write("/run/reader.py", READER);
    sandbox.must("python3 /run/reader.py >/dev/null 2>/run/reader.err </dev/null & echo $! >/run/reader.pid; until test -S /run/systemd/journal/socket; do sleep 0.05; done");
    let connection = format!("SSH_CONNECTION={FORGED}");
    let begun = Instant::now();
    sandbox.run_as("ann", &["env", &connection, "jail-shell", "-c", "exit 3"]);
    let read = || {
        let text = sandbox.must("cat /run/journal.jsonl 2>/dev/null || true");
        let lines: Vec<Vec<(String, String)>> = text
            .lines()
            .map(|it| serde_json::from_str(it).unwrap())
            .collect();
        (lines.len() >= 2).then_some(lines)
    };
    let lines = sandbox
        .wait_until(read)
        .unwrap_or_else(|| panic!("{}", sandbox.read("/run/reader.err")));
    assert!(begun.elapsed() < Duration::from_secs(10));
    let value = |line: &[(String, String)], name: &str| {
        let all: Vec<String> = line
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, it)| it.clone())
            .collect();
        assert!(all.len() < 2, "{name} twice: {line:?}");
        all.into_iter().next()
    };
    let [enter, leave] = [&lines[0], &lines[1]];
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(value(enter, "LOGIN_JAIL_EVENT"), some("enter"));
    assert_eq!(
        value(enter, "MESSAGE_ID"),
        some("7b87bbbf6b874f5f8043a00ffcd9342a")
    );
    assert_eq!(value(enter, "PRIORITY"), some("5"));
    assert_eq!(value(enter, "SYSLOG_FACILITY"), some("10"));
    assert_eq!(value(enter, "SYSLOG_IDENTIFIER"), some("jail-shell"));
    assert_eq!(value(enter, "LOGIN_JAIL_USER"), some("ann"));
    assert_eq!(value(enter, "LOGIN_JAIL_CLAIMED_FROM"), some(FORGED));
    assert_eq!(value(enter, "LOGIN_JAIL_FROM"), None);
    assert_eq!(value(leave, "LOGIN_JAIL_EVENT"), some("leave"));
    assert_eq!(value(leave, "LOGIN_JAIL_STATUS"), some("3"));
    assert_eq!(
        value(leave, "LOGIN_JAIL_SESSION"),
        value(enter, "LOGIN_JAIL_SESSION")
    );
    assert!(
        value(enter, "MESSAGE")
            .unwrap()
            .starts_with("enter user=\"ann\" uid=")
    );
    assert!(sandbox.log().is_empty(), "twice: {}", sandbox.syslog());
    // With journald gone, and its socket left behind, there is /dev/log.
    sandbox.must("kill $(cat /run/reader.pid)");
    assert_eq!(sandbox.ssh("ann", "echo ran").ok(), "ran");
    sandbox.logged(&["]: enter user=\"ann\""]);
}

fn sandbox_lacks_python() -> bool {
    !std::path::Path::new("/usr/bin/python3").exists()
}

#[test]
fn a_journald_of_systemd_takes_the_fields_and_finds_events_by_them() {
    let daemon = "/lib/systemd/systemd-journald";
    if !std::path::Path::new(daemon).exists()
        || !std::path::Path::new("/usr/bin/journalctl").exists()
    {
        return skipped("systemd's own journald", "it is not installed");
    }
    let sandbox = ann();
    sandbox.must(&format!(
        "mkdir -p /run/systemd/journal /run/log/journal; mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup || true; test -s /etc/machine-id || echo 0123456789abcdef0123456789abcdef >/etc/machine-id
         {daemon} >/run/journald.out 2>&1 </dev/null &
         echo $! >/run/journald.pid; sleep 1"
    ));
    let is_there = "test -S /run/systemd/journal/socket && kill -0 $(cat /run/journald.pid)";
    if sandbox.sh(is_there).code() != Some(0) {
        return skipped(
            "systemd's own journald",
            format!(
                "it does not start here: {}",
                sandbox.read("/run/journald.out")
            ),
        );
    }
    assert_eq!(sandbox.ssh("ann", "exit 9").code(), Some(9));
    let found = sandbox.wait_until(|| {
        let found = sandbox.sh("journalctl -D /run/log/journal --sync 2>/dev/null; journalctl --file '/run/log/journal/*/*.journal' -o json LOGIN_JAIL_EVENT=leave LOGIN_JAIL_USER=ann");
        let line = found.stdout.lines().next()?.to_owned();
        serde_json::from_str::<Value>(&line).ok()
    });
    let leave = found.unwrap_or_else(|| panic!("{}", sandbox.read("/run/journald.out")));
    assert_eq!(leave["LOGIN_JAIL_STATUS"], "9");
    assert_eq!(leave["MESSAGE_ID"], "3ae85305a59c49dc93d938187c67746e");
    assert_eq!(leave["SYSLOG_IDENTIFIER"], "jail-shell");
}

#[test]
fn a_log_that_is_stopped_and_full_delays_no_login_beyond_a_moment() {
    if sandbox_lacks_python() {
        return skipped("a journal that is full", "python3 is not installed");
    }
    let sandbox = ann();
    sandbox.write("/run/reader.py", READER);
    sandbox.must(
        "python3 /run/reader.py >/dev/null 2>&1 </dev/null & echo $! >/run/reader.pid; until test -S /run/systemd/journal/socket; do sleep 0.05; done
         kill -STOP $(cat /run/reader.pid)
         python3 -c 'import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.setblocking(False); s.connect(\"/run/systemd/journal/socket\")
try:
    while True: s.send(b\"A=b\\n\")
except BlockingIOError: pass'",
    );
    let begun = Instant::now();
    let ran = sandbox.run_as("ann", &["jail-shell", "-c", "echo ran"]);
    assert_eq!(ran.ok(), "ran");
    // Twice the 100 milliseconds, for beginning and end, and much for a slow machine.
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    wait_for(&sandbox, "leave", 1);
}

/// Has sshd send a signal to a session, as RFC 4254 has it in 6.9.
const SIGNALLER: &str = r#"
import asyncio, sys, asyncssh
async def main():
    async with asyncssh.connect("127.0.0.1", username="ann", client_keys=["/etc/ssh/sandbox/client"], known_hosts=None,
                                config=None, agent_path=None) as connection:
        process = await connection.create_process("echo in; exec sleep 100")
        assert await process.stdout.readline() == "in\n"
        process.send_signal(sys.argv[1])
        await process.wait()
        print(process.exit_signal[0] if process.exit_signal else process.exit_status)
asyncio.run(main())
"#;

/// Nobody is left who could write the end of a session whose supervisor is killed: that it is over, the kernel says.
#[test]
fn a_session_that_its_client_kills_is_over_without_an_end() {
    let sandbox = ann().sshd("");
    if sandbox.sh("python3 -c 'import asyncssh'").code() != Some(0) {
        skipped(
            "a session that its client kills",
            "python3-asyncssh is not installed",
        );
        return;
    }
    // The first login starts sshd.
    assert_eq!(sandbox.ssh("ann", "echo in").ok(), "in");
    wait_for(&sandbox, "leave", 1);
    let send = |signal: &str| {
        let client = sandbox.run(&["python3", "-c", SIGNALLER, signal]);
        assert_eq!(client.ok(), signal, "{client}");
    };
    send("TERM");
    let leave = &wait_for(&sandbox, "leave", 2)[1];
    assert_eq!(leave["signal"], 15, "{leave}");
    send("KILL");
    let none_left =
        "for n in $(seq 100); do pgrep -U ann >/dev/null || exit 0; sleep 0.1; done; exit 1";
    sandbox.must(none_left);
    let ended = sandbox.must("jailctl sessions --ended");
    let ends: Vec<&str> = ended.lines().skip(1).collect();
    assert!(
        ends.len() == 3 && ends[1].contains("signal 15") && ends[2].contains("not recorded"),
        "{ended}"
    );
}

/// With chroot isolation no process is left around the session.
#[test]
fn a_session_by_chroot_is_over_without_an_end() {
    let sandbox = ann().isolation("chroot");
    assert_eq!(sandbox.su_c("ann", "echo in").ok(), "in");
    let ended = sandbox.must("jailctl sessions --ended");
    assert!(ended.contains("not recorded"), "{ended}");
    let read = sandbox.must("jailctl sessions --ended --json");
    let read: Value = serde_json::from_str(&read).unwrap();
    assert_eq!(read[0]["end"], "not recorded", "{read}");
}
