//! Behind PAM: the record of sessions, which the module writes in the host program's own process.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use login_jail_tests::{Sandbox, roots};
use serde_json::Value;

const RECORD: &str = "/var/log/login-jail/sessions.jsonl";

fn ann() -> Sandbox {
    Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\"\nshell = \"/bin/bash\"")
}

/// Waits for events of a kind.
fn wait_for(sandbox: &Sandbox, kind: &str, count: usize) -> Vec<Value> {
    let events = || -> Vec<Value> {
        let text = sandbox.must(&format!("cat {RECORD} 2>/dev/null || true"));
        let all = text.lines().map(|line| serde_json::from_str(line).unwrap());
        all.filter(|it: &Value| it["event"] == kind).collect()
    };
    let found = sandbox.wait_until(|| Some(events()).filter(|all| all.len() >= count));
    found.unwrap_or_else(|| panic!("no {count} of {kind}: {:?}", sandbox.read(RECORD)))
}

#[test]
fn beginning_and_end_are_recorded_with_what_the_program_says() {
    let sandbox = ann();
    assert_eq!(sandbox.ssh("ann", "echo ran").ok(), "ran");
    let enter = &wait_for(&sandbox, "enter", 1)[0];
    let leave = &wait_for(&sandbox, "leave", 1)[0];
    assert_eq!(enter["door"], "pam");
    assert_eq!(enter["service"], "sshd");
    assert_eq!(enter["tty"], "ssh");
    assert_eq!(enter["from"], "127.0.0.1");
    assert_eq!(enter["claimed_from"], Value::Null);
    let root = sandbox.must("stat -c '%d %i' /srv/jails/ann");
    assert_eq!(
        format!("{} {}", enter["root_device"], enter["root_inode"]),
        root
    );
    assert_eq!(enter["session"], leave["session"]);
    assert_eq!(leave["status"], Value::Null);
    sandbox.module_logged(&["leave uid=", "user=\"ann\""]);
    let ended = sandbox.run(&["jailctl", "sessions", "--ended", "ann"]);
    assert!(ended.ok().contains("closed"), "{ended}");

    assert_eq!(sandbox.run(&["su", "ann", "-c", "echo ran"]).ok(), "ran");
    assert_eq!(wait_for(&sandbox, "leave", 2)[1]["service"], "su");
}

#[test]
fn what_the_session_runs_does_not_have_the_record_and_a_running_session_is_listed_with_it() {
    let sandbox = ann();
    let mut pty = sandbox.ssh_tty("ann", None);
    pty.expect("$ ");
    pty.line("ls -l /proc/$$/fd | grep -c sessions.jsonl; echo e''nd");
    let shown = pty.expect("end\r\n");
    assert!(shown.contains("0\r\n"), "{shown}");
    let enter = &wait_for(&sandbox, "enter", 1)[0];
    let listed = sandbox.wait_until(|| {
        let listed = sandbox.run(&["jailctl", "sessions", "--json", "ann"]);
        let all: Value = serde_json::from_str(listed.ok()).unwrap();
        (all[0]["session"] == enter["session"] && all[0]["record"] == *enter).then_some(())
    });
    assert!(listed.is_some(), "{enter}");
    let ended = sandbox.run(&["jailctl", "sessions", "--ended"]);
    assert_eq!(ended.ok().lines().count(), 1, "{ended}");
    // A program that is killed writes no end.
    sandbox.must(&format!("kill -9 {}", enter["pid"]));
    pty.line("exit");
    drop(pty.finish());
    let ended = sandbox.wait_until(|| {
        let ended = sandbox.run(&["jailctl", "sessions", "--ended"]);
        ended.ok().contains("not recorded").then_some(())
    });
    assert!(ended.is_some());
}

#[test]
fn refuses_where_the_config_insists_on_a_record_that_can_not_be_had() {
    let sandbox = ann().with("rm -rf /var/log/login-jail; mkdir -m 0777 /var/log/login-jail");
    assert_eq!(sandbox.ssh("ann", "echo ran").ok(), "ran");
    sandbox.module_logged(&["unrecorded uid=", "open the record of sessions"]);
    sandbox.must("echo 'record = \"sessions\"' >>/etc/login-jail/config.toml");
    let refused = sandbox.ssh("ann", "echo ran");
    assert!(!refused.stdout.contains("ran"), "{refused}");
    sandbox.module_logged(&[
        "refused code=step",
        "step record: open the record of sessions",
    ]);
}

#[test]
fn a_limit_of_file_sizes_ends_no_host_program() {
    let sandbox = ann().with("printf 'limits = { fsize = 0 }\\n' >>/etc/login-jail/config.toml");
    assert_eq!(sandbox.ssh("ann", "echo ran").ok(), "ran");
    sandbox.module_logged(&[
        "unrecorded uid=",
        "write the record of sessions",
        "File too large",
    ]);
    sandbox.module_logged(&["leave uid="]);
}
