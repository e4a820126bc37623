//! `limits.sessions` behind PAM: the program that has opened a session counts it until it is closed.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

use login_jail_tests::{JAIL_SHELL, Sandbox, roots};

const HOME: &str = "/srv/jails/ann/home/ann";
const SENTENCE: &str =
    "login refused: you have 2 sessions open, and no more are allowed; close one and log in again";

fn ann() -> Sandbox {
    let keys = "base = \"host\"\nshell = \"/bin/bash\"\nlimits = { sessions = 2 }";
    Sandbox::with_ann_behind_pam(roots::home(), keys).with("mkdir -p /home/ann")
}

/// Starts a session by sshd that stays.
#[track_caller]
fn open(sandbox: &Sandbox, seconds: u32) {
    let words = sandbox.ssh_argv("ann", &["-T"], Some(&format!("exec sleep {seconds}")));
    let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    start(sandbox, &words.join(" "), seconds);
}

#[track_caller]
fn start(sandbox: &Sandbox, command: &str, seconds: u32) {
    sandbox.must(&format!(
        "setsid {command} >/dev/null 2>&1 </dev/null &
         for n in $(seq 300); do pgrep -u ann -f '^sleep {seconds}' >/dev/null && exit; sleep 0.02; done; exit 1"
    ));
}

/// How many sessions count.
fn counted(sandbox: &Sandbox) -> String {
    let said = sandbox.run(&["jailctl", "sessions", "ann"]).stdout;
    let line = said.lines().find(|line| line.contains("limits.sessions"));
    line.unwrap_or_default().to_owned()
}

#[track_caller]
fn count(sandbox: &Sandbox, open: u32) {
    let wanted = format!("ann: {open} of 2 sessions open");
    let found = sandbox.wait_until(|| counted(sandbox).starts_with(&wanted).then_some(()));
    assert!(found.is_some(), "{wanted}: {}", counted(sandbox));
}

#[test]
fn refuses_one_session_too_many_of_sshd_su_and_cron_together() {
    let sandbox = ann();
    open(&sandbox, 4001);
    start(&sandbox, "su ann -c 'exec sleep 4002'", 4002);
    count(&sandbox, 2);
    let ssh = sandbox.ssh("ann", "echo got-in");
    assert_ne!(ssh.code(), Some(0), "{ssh}");
    assert!(!ssh.stdout.contains("got-in\n"), "{ssh}");
    assert!(
        format!("{}{}", ssh.stdout, ssh.stderr).contains(SENTENCE),
        "{ssh}"
    );
    let su = sandbox.su_c("ann", "echo got-in");
    assert_ne!(su.code(), Some(0), "{su}");
    assert!(su.stdout.is_empty() && su.stderr.contains(SENTENCE), "{su}");
    sandbox.must("rm -f /run/crond.reboot");
    assert_eq!(sandbox.cron("ann", "echo got-in", HOME), None);
    for program in [
        "pam_jail(sshd:session)",
        "pam_jail(su:session)",
        "pam_jail(cron:session)",
    ] {
        sandbox.module_logged(&[program, "refused code=account", "reason=\"sessions: "]);
    }
    // A refused session leaves no slot taken, and one that ends gives its own back.
    sandbox.must("pkill -u ann -f '^sleep 4002'");
    count(&sandbox, 1);
    assert_eq!(sandbox.su_c("ann", "echo got-in").ok(), "got-in");
    count(&sandbox, 1);
    assert_eq!(sandbox.ssh("ann", "echo got-in").ok(), "got-in");
    count(&sandbox, 1);
}

#[test]
fn a_job_of_cron_counts_until_it_ends() {
    let sandbox = ann();
    assert_eq!(
        sandbox
            .cron("ann", "echo in; ls /proc/self/fd | wc -l", HOME)
            .as_deref(),
        Some("in\n4")
    );
    count(&sandbox, 0);
}

#[test]
fn a_session_whose_program_was_killed_counts_no_more() {
    let sandbox = ann();
    open(&sandbox, 4001);
    start(&sandbox, "su ann -c 'exec sleep 4002'", 4002);
    count(&sandbox, 2);
    // sshd's process for the connection, which has root's ids, and the one that carries it as ann.
    sandbox.must("kill -KILL $(pgrep -f '^sshd.*: ann') $(pgrep -x su)");
    count(&sandbox, 0);
}

#[test]
fn a_stopped_program_holds_up_no_other_session() {
    let sandbox = ann();
    start(&sandbox, "su ann -c 'exec sleep 4001'", 4001);
    sandbox.must("kill -STOP $(pgrep -x su)");
    assert_eq!(sandbox.ssh("ann", "echo got-in").ok(), "got-in");
    sandbox.must("kill -KILL $(pgrep -x su)");
}

#[test]
fn both_doors_count_a_session_once() {
    let sandbox = ann().with(&format!("usermod -s {JAIL_SHELL} ann"));
    assert_eq!(sandbox.ssh("ann", "echo got-in").ok(), "got-in");
    open(&sandbox, 4001);
    count(&sandbox, 1);
    open(&sandbox, 4002);
    count(&sandbox, 2);
}

#[test]
fn refuses_where_the_sessions_cannot_be_counted() {
    let sandbox = ann();
    assert_eq!(sandbox.su_c("ann", "echo got-in").ok(), "got-in");
    sandbox.must("chmod 755 /run/login-jail/sessions");
    for refused in [
        sandbox.su_c("ann", "echo got-in"),
        sandbox.ssh("ann", "echo got-in"),
    ] {
        assert_ne!(refused.code(), Some(0), "{refused}");
        assert!(!refused.stdout.contains("got-in\n"), "{refused}");
    }
    sandbox.module_logged(&[
        "code=step",
        "step sessions: /run/login-jail/sessions",
        "mode 0755",
    ]);
}
