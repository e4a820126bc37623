//! What programs inside send to /dev/log comes into the host's log: marked, escaped and bounded, and nobody waits for it.

#![allow(clippy::expect_used, reason = "a test reports by panicking")]

use std::time::{Duration, Instant};

use login_jail_tests::Sandbox;

const ROOT: &str = "/srv/jails/ann";
const HOME: &str = "/srv/jails/ann/home/ann";

/// Stops and continues what reads the sandbox's /dev/log.
pub(crate) fn signal_log(sandbox: &Sandbox, signal: &str) {
    let pid = sandbox.host_path("");
    let pid = pid.parent().and_then(|it| it.file_name()).expect("a pid");
    let done = std::process::Command::new("kill")
        .arg(signal)
        .arg(pid)
        .status();
    assert!(done.expect("run kill").success());
}

/// Ann with a shell and the host's programs.
fn ann_with_shell() -> Sandbox {
    Sandbox::new()
        .user("ann")
        .config(&format!(
            "[users]\nann = \"web\"\n[jails.web]\nroot = \"{ROOT}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n"
        ))
        .sshd("")
        .with(&format!("install -d -o ann -g ann {HOME}"))
}

const FLOOD: &str = r#"
import array, os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect("/dev/log")
s.sendmsg([b"<2>one\nenter user=\"root\"\x1b[2J\xff"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
s.send(b"x" * 60000)
s.send(b"")
for n in range(3000):
    s.send(b"<13>line %d" % n)
    if n % 300 == 0:
        t = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        t.connect("/dev/log")
print("done")
"#;

#[test]
fn what_programs_inside_log_is_marked_escaped_and_bounded() {
    let sandbox = ann_with_shell();
    sandbox.ssh("ann", "logger -t job 'all is well'").ok();
    sandbox.logged(&[
        r#"inside user="ann" uid="#,
        r#" jail="web" text=""#,
        "job: all is well\"",
    ]);
    sandbox.write(&format!("{HOME}/flood.py"), FLOOD);
    let begun = Instant::now();
    let seen = sandbox.ssh("ann", "/usr/bin/python3 -I flood.py");
    assert_eq!(seen.ok(), "done");
    assert!(begun.elapsed() < Duration::from_secs(8));
    sandbox.logged(&[r#"<84>"#, r#"text="one\nenter user=\"root\"\u{1b}[2J\xff""#]);
    sandbox.logged(&["xxxx\"+"]);
    sandbox.logged(&["dropped user=\"ann\"", " lines="]);
    let log = sandbox.log();
    let passed = log.iter().filter(|line| line.contains(" text=\"line "));
    let passed = passed.count();
    // Fewer where the log itself is slow: what it has no room for is dropped, too.
    assert!((1..250).contains(&passed), "{passed}");
    let dropped = log.iter().filter_map(|line| line.split_once(" lines="));
    let dropped: usize = dropped
        .filter_map(|(_, number)| number.parse::<usize>().ok())
        .sum();
    assert_eq!(passed + dropped, 3000, "{passed} {dropped}");
}

#[test]
fn a_program_inside_does_not_wait_for_a_log_that_is_stopped() {
    let sandbox = ann_with_shell();
    sandbox.write(&format!("{HOME}/flood.py"), FLOOD);
    let ssh = sandbox
        .ssh_argv("ann", &[], Some("'sleep 1; /usr/bin/python3 -I flood.py'"))
        .join(" ");
    let line = format!("{ssh} >/run/client 2>&1");
    let mut client = sandbox
        .command(&["sh", "-c", &line])
        .spawn()
        .expect("start ssh");
    sandbox.logged(&["enter user=\"ann\""]);
    signal_log(&sandbox, "-STOP");
    let begun = Instant::now();
    client.wait().expect("wait for ssh");
    let took = begun.elapsed();
    signal_log(&sandbox, "-CONT");
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert_eq!(sandbox.read("/run/client").trim_end(), "done");
}
