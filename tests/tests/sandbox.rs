//! What the other tests rely on: the sandbox keeps to itself and leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use login_jail_tests::Sandbox;

const PROGRAM: &str = env!("CARGO_BIN_EXE_sandbox");

/// Counts the processes of the host that were started with this argument.
fn processes(argument: &str) -> usize {
    let argument = format!("\0{argument}\0");
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok())
        .filter(|words| words.contains(&argument))
        .count()
}

#[test]
fn changes_stay_inside() {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let sandbox = Sandbox::bare().plain_user("ann");
    sandbox.must("echo changed >/etc/issue; mount -t tmpfs none /srv; mknod /etc/null c 1 3; hostname changed");
    assert_eq!(sandbox.must("id -un ann; cat /etc/issue"), "ann\nchanged");
    assert!(!Path::new("/etc/null").exists());
    assert!(
        !fs::read_to_string("/etc/passwd")
            .unwrap()
            .contains("/home/ann:")
    );
    assert_ne!(
        fs::read_to_string("/etc/issue").unwrap_or_default(),
        "changed\n"
    );
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), mounts);
}

#[test]
fn everything_dies_with_the_value() {
    let sandbox = Sandbox::bare();
    sandbox.must("setsid sleep 987601 >/dev/null 2>&1 &");
    // The shell has answered as soon as it has forked; the command line comes with execve.
    let deadline = Instant::now() + Duration::from_secs(5);
    while processes("987601") == 0 {
        assert!(Instant::now() < deadline, "sleep never started");
        thread::sleep(Duration::from_millis(20));
    }
    drop(sandbox);
    gone("987601");
}

#[test]
fn everything_dies_when_the_process_that_holds_it_does() {
    // A process that dies, however it dies, closes what it holds: here the pipe to `serve`.
    let mut serve = Command::new(PROGRAM);
    serve
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut serve = serve.spawn().unwrap();
    let mut pid = String::new();
    BufReader::new(serve.stdout.take().unwrap())
        .read_line(&mut pid)
        .unwrap();
    let words = [
        "--target",
        pid.trim_end(),
        "--mount",
        "--pid",
        "sleep",
        "987602",
    ];
    let mut sleep = Command::new("nsenter").args(words).spawn().unwrap();
    drop(serve.stdin.take());
    sleep.wait().unwrap();
    gone("987602");
    assert!(serve.wait().unwrap().success());
}

#[test]
fn run_gives_the_status_of_its_command() {
    let status = |words: &[&str]| {
        let run = Command::new(PROGRAM)
            .args(["run", "--"])
            .args(words)
            .status();
        run.unwrap().code()
    };
    assert_eq!(status(&["true"]), Some(0));
    assert_eq!(status(&["sh", "-c", "exit 7"]), Some(7));
    assert_eq!(status(&["sh", "-c", "kill -TERM $$"]), Some(128 + 15));
}

#[test]
fn says_that_it_needs_root() {
    let run = Command::new(PROGRAM)
        .args(["run", "--", "true"])
        .uid(65534)
        .gid(65534)
        .output();
    // Nobody may not even be allowed to reach the program.
    if let Ok(run) = run {
        assert!(!run.status.success());
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(said.contains("needs root"), "{said}");
    }
}

#[test]
fn collects_what_is_logged() {
    let sandbox = Sandbox::bare();
    sandbox.must("logger -u /dev/log -t jail-shell -i one; logger -u /dev/log other");
    let line = sandbox.logged(&["one"]);
    assert!(line.starts_with("<13>"), "{line}");
    assert_eq!(sandbox.log().len(), 1);
}

#[track_caller]
fn gone(argument: &str) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while processes(argument) > 0 {
        assert!(Instant::now() < deadline, "{argument} still runs");
        thread::sleep(Duration::from_millis(20));
    }
}
