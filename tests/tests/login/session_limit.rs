//! `limits.sessions` where jail-shell is the door: how many sessions a user may have open, and what counts as one.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

use std::time::{Duration, Instant};

use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, roots};

/// The processes outside of ann's sessions: a supervisor's parent is not jail-shell.
const SUPERVISORS: &str = r#"
for process in $(pgrep -u ann -x jail-shell); do
    parent=$(ps -o ppid= -p $process) || continue
    [ "$(cat /proc/$((parent))/comm)" = jail-shell ] || echo $process
done"#;

/// ann and bob with a jail each, and this limit of sessions for both.
fn host(limit: u32) -> Sandbox {
    let sandbox = Sandbox::new()
        .user("ann")
        .root(roots::busybox())
        .user("bob")
        .root(roots::busybox());
    limit_to(&sandbox, &format!("sessions = {limit}"));
    sandbox
}

fn limit_to(sandbox: &Sandbox, limits: &str) {
    sandbox.set_defaults(&format!("limits = {{ {limits} }}"));
}

/// Starts a session that stays until its process is ended, and waits until it is inside.
#[track_caller]
fn open(sandbox: &Sandbox, user: &str, seconds: u32) {
    let words = sandbox.ssh_argv(user, &["-T"], Some(&format!("exec sleep {seconds}")));
    let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    sandbox.must(&format!(
        "setsid {} >/dev/null 2>&1 </dev/null &
         for n in $(seq 300); do pgrep -u {user} -f '^sleep {seconds}' >/dev/null && exit; sleep 0.02; done; exit 1",
        words.join(" ")
    ));
}

fn sentence(limit: u32) -> String {
    let sessions = if limit == 1 { "session" } else { "sessions" };
    format!(
        "login refused: you have {limit} {sessions} open, and no more are allowed; close one and log in again"
    )
}

#[track_caller]
fn insist_on_refusal(outcome: &Outcome, limit: u32) {
    assert_eq!(outcome.code(), Some(108), "{outcome}");
    let said = format!("jail-shell: {}\n", sentence(limit));
    assert_eq!(outcome.stderr, said, "{outcome}");
    assert_eq!(outcome.stdout, "", "{outcome}");
}

#[test]
fn refuses_one_more_session_than_the_limit_at_every_way_in() {
    let sandbox = host(2).password("ann", "secret");
    open(&sandbox, "ann", 4001);
    open(&sandbox, "ann", 4002);
    insist_on_refusal(&sandbox.ssh("ann", "echo in"), 2);
    insist_on_refusal(&sandbox.su_dash_c("ann", "echo in"), 2);
    let forced = sandbox.run_as("ann", &["env", "SSH_ORIGINAL_COMMAND=echo in", JAIL_SHELL]);
    insist_on_refusal(&forced, 2);
    let sftp = sandbox.sftp("ann", "pwd");
    assert!(sftp.stderr.contains(&sentence(2)), "{sftp}");
    let mut login = sandbox.login("ann", "secret");
    login.expect(&sentence(2));
    sandbox.logged(&[
        "refused code=account",
        "user=\"ann\"",
        "reason=\"sessions: the user has as many sessions open as limits.sessions allows, which is 2; to see them: jailctl sessions ann\"",
    ]);
    // Each user has a limit of their own.
    assert_eq!(sandbox.ssh("bob", "echo in").ok(), "in");
    sandbox.must("pkill -u ann -f 'sleep 4001'");
    let served =
        sandbox.wait_until(|| (sandbox.ssh("ann", "echo in").code() == Some(0)).then_some(()));
    assert!(served.is_some(), "a session that has ended still counts");
    open(&sandbox, "ann", 4003);
    insist_on_refusal(&sandbox.ssh("ann", "echo in"), 2);
}

#[test]
fn of_many_logins_at_once_exactly_as_many_as_allowed_go_in() {
    let sandbox = host(3);
    for round in 0..3 {
        let outcome = sandbox.must(
            r#"
            rm -f /tmp/in.*
            for n in $(seq 20); do
                (setpriv --reuid ann --regid ann --clear-groups /usr/bin/jail-shell -c 'echo in; sleep 2' >/tmp/in.$n 2>/tmp/said.$n; echo $? >/tmp/ended.$n) &
            done
            wait
            cat /tmp/in.* | grep -c in
            cat /tmp/said.* | grep -c 'you have 3 sessions open'"#,
        );
        assert_eq!(outcome, "3\n17", "round {round}");
    }
}

#[test]
fn a_stopped_session_holds_its_own_slot_and_delays_nobody() {
    let sandbox = host(2);
    open(&sandbox, "ann", 4001);
    sandbox.must(&format!("kill -STOP $({SUPERVISORS})"));
    let begun = Instant::now();
    assert_eq!(sandbox.ssh("ann", "echo in").ok(), "in");
    open(&sandbox, "ann", 4002);
    insist_on_refusal(&sandbox.ssh("ann", "echo in"), 2);
    assert!(begun.elapsed() < Duration::from_secs(10), "it has waited");
    sandbox.must(&format!("kill -KILL $({SUPERVISORS})"));
}

#[test]
fn a_slot_is_free_once_its_supervisor_was_killed() {
    let sandbox = host(1);
    open(&sandbox, "ann", 4001);
    insist_on_refusal(&sandbox.ssh("ann", "echo in"), 1);
    sandbox.must(&format!("kill -KILL $({SUPERVISORS})"));
    assert_eq!(
        sandbox.run_as("ann", &[JAIL_SHELL, "-c", "echo in"]).ok(),
        "in"
    );
}

#[test]
fn what_lingers_after_its_session_does_not_count() {
    let sandbox = host(1);
    for _ in 0..3 {
        let left = sandbox.ssh(
            "ann",
            "setsid sleep 4001 >/dev/null 2>&1 </dev/null & echo in",
        );
        assert_eq!(left.ok(), "in");
    }
    // The last one need not have started its program yet.
    let all = sandbox.wait_until(|| {
        let count = sandbox.must("pgrep -c -u ann -f '^sleep 4001' || true");
        (count == "3").then_some(())
    });
    assert!(all.is_some(), "{}", sandbox.must("ps -fu ann || true"));
}

#[test]
fn sessions_from_before_the_limit_was_lowered_count() {
    let sandbox = host(3);
    for seconds in [4001, 4002, 4003] {
        open(&sandbox, "ann", seconds);
    }
    limit_to(&sandbox, "sessions = 2");
    insist_on_refusal(&sandbox.ssh("ann", "echo in"), 2);
    // The first two have the lower slots. With one of those and the third the user has two.
    sandbox.must("pkill -u ann -f 'sleep 4001'");
    sandbox.must(&format!(
        "until [ $({SUPERVISORS} | wc -l) = 2 ]; do sleep 0.02; done"
    ));
    insist_on_refusal(&sandbox.ssh("ann", "echo in"), 2);
    sandbox.must("pkill -u ann -f 'sleep 4002'");
    sandbox.must(&format!(
        "until [ $({SUPERVISORS} | wc -l) = 1 ]; do sleep 0.02; done"
    ));
    assert_eq!(sandbox.ssh("ann", "echo in").ok(), "in");
    limit_to(&sandbox, "sessions = \"unlimited\"");
    assert_eq!(sandbox.ssh("ann", "echo in").ok(), "in");
}

#[test]
fn a_user_reaches_no_slot_and_a_session_inherits_none() {
    let sandbox = host(2);
    let inside = sandbox.ssh("ann", "ls /proc/self/fd; ls -d /run/login-jail");
    assert_eq!(inside.words(), "0 1 2 3", "{inside}");
    assert_eq!(
        sandbox.must(
            "stat -c '%a %U' /run/login-jail /run/login-jail/sessions /run/login-jail/sessions/*"
        ),
        "700 root\n700 root\n600 root"
    );
    for path in ["/run/login-jail", "/run/login-jail/sessions/1001"] {
        let outside = sandbox.run_as("ann", &["ls", path]);
        assert!(outside.stderr.contains("Permission denied"), "{outside}");
    }
}

#[test]
fn refuses_where_the_sessions_cannot_be_counted() {
    let sandbox = host(2);
    assert_eq!(sandbox.ssh("ann", "echo in").ok(), "in");
    let uid = sandbox.must("id -u ann");
    for (spoil, mend, reason) in [
        (
            "chmod 755 /run/login-jail/sessions".to_owned(),
            "chmod go= /run/login-jail/sessions".to_owned(),
            "/run/login-jail/sessions belongs to uid 0 and has mode 0755; it must be root's alone",
        ),
        (
            format!("chmod 644 /run/login-jail/sessions/{uid}"),
            format!("chmod go= /run/login-jail/sessions/{uid}"),
            "has mode 0644; it must be root's alone",
        ),
        (
            "chown ann /run/login-jail".to_owned(),
            "chown root /run/login-jail".to_owned(),
            "/run/login-jail belongs to uid",
        ),
        (
            format!("cd /run/login-jail/sessions; rm {uid}; ln -s /etc/passwd {uid}"),
            format!("rm /run/login-jail/sessions/{uid}"),
            "open the user's file of sessions",
        ),
        (
            "mv /run/login-jail /run/x; ln -s /run/x /run/login-jail".to_owned(),
            "rm /run/login-jail; mv /run/x /run/login-jail".to_owned(),
            "/run/login-jail is a symbolic link",
        ),
        (
            "rm -r /run/login-jail; mount -t tmpfs -o ro,mode=755 none /run".to_owned(),
            "umount /run".to_owned(),
            "mkdir /run/login-jail: Read-only file system",
        ),
    ] {
        sandbox.must(&spoil);
        let refused = sandbox.run_as("ann", &[JAIL_SHELL, "-c", "echo in"]);
        sandbox.must(&mend);
        assert_eq!(refused.code(), Some(123), "{spoil}: {refused}");
        sandbox.logged(&["code=step", "step sessions", reason]);
        let served = sandbox.run_as("ann", &[JAIL_SHELL, "-c", "echo in"]);
        assert_eq!(served.ok(), "in", "{mend}");
    }
}

#[test]
fn jailctl_says_how_many_sessions_are_open() {
    let sandbox = host(2);
    open(&sandbox, "ann", 4001);
    let said = |arguments: &[&str]| sandbox.run(&[&["jailctl"], arguments].concat()).stdout;
    assert!(
        said(&["status"]).contains("; 1 of 2 sessions open\n"),
        "{}",
        said(&["status"])
    );
    assert!(said(&["sessions", "ann"]).contains("ann: 1 of 2 sessions open (limits.sessions)\n"));
    assert!(
        said(&["explain", "ann"]).contains("1 of 2 sessions open\n"),
        "{}",
        said(&["explain", "ann"])
    );
    open(&sandbox, "ann", 4002);
    let full = "2 of 2 sessions open, so the next login is refused";
    for arguments in [
        ["status", "--json"],
        ["sessions", "ann"],
        ["explain", "ann"],
    ] {
        let text = said(&arguments);
        if arguments.contains(&"--json") {
            let state: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let sessions = state.pointer("/users/0/sessions").expect("sessions of ann");
            assert_eq!(sessions, &serde_json::json!({ "open": 2, "limit": 2 }));
        } else {
            assert!(text.contains(full), "{text}");
        }
    }
    let explained = sandbox.run(&["jailctl", "explain", "ann"]);
    assert_eq!(explained.code(), Some(1), "{explained}");
    assert!(
        explained
            .stdout
            .contains("limits.sessions allows, which is 2"),
        "{explained}"
    );
    // What root opens does not count, and is not refused.
    let entered = sandbox.run(&["jailctl", "enter", "--user", "ann", "--", "echo", "in"]);
    assert_eq!(entered.ok(), "in");
}
