//! `idle`: a terminal session that stands still ends as on a hang-up, its user is told, and no other session is concerned.

use std::time::{Duration, Instant};

use login_jail_tests::{Outcome, Sandbox, roots};

/// Ann in a view of the host, whose terminals may be idle for so long.
fn ann(limit: &str, keys: &str) -> Sandbox {
    Sandbox::new()
        .user("ann")
        .root(roots::home())
        .config(&format!(
            "[users]\nann = \"view\"\n[jails.view]\nroot = \"/srv/jails/{{user}}\"\nbase = \"host\"\n\
             shell = \"/bin/bash\"\nidle = \"{limit}\"\n{keys}\n"
        ))
        .sshd("")
}

fn sentence(limit: &str) -> String {
    format!("jail-shell: this session ends: it had no input and no output for {limit} (idle)")
}

#[track_caller]
fn ended(sandbox: &Sandbox, end: &Outcome, limit: &str) {
    assert_eq!(end.code(), Some(129), "{end}");
    let why = format!("idle: the terminal had no input and no output for {limit}");
    sandbox.logged(&["cut", "user=\"ann\"", &why]);
    sandbox.logged(&["leave", "user=\"ann\"", "status=129"]);
    none_left(sandbox);
}

#[track_caller]
fn none_left(sandbox: &Sandbox) {
    sandbox.must("for n in $(seq 100); do ps -o stat= -u ann | grep -qv Z || exit 0; sleep 0.1; done; ps -fu ann; exit 1");
}

#[test]
fn a_session_on_a_relayed_terminal_ends_once_nothing_is_typed_or_shown() {
    for keys in ["", "record = \"terminal\""] {
        let sandbox = ann("3s", keys);
        let mut pty = sandbox.terminal(&["su", "-", "ann"]);
        pty.expect("$ ");
        for _ in 0..4 {
            std::thread::sleep(Duration::from_millis(1200));
            pty.send("#");
        }
        pty.line("");
        pty.line("for n in 1 2 3 4; do sleep 1.2; echo o''utput; done");
        for _ in 0..4 {
            pty.expect("output");
        }
        let begun = Instant::now();
        pty.expect(&sentence("3s"));
        let took = begun.elapsed();
        assert!(
            took > Duration::from_millis(2500) && took < Duration::from_secs(8),
            "{took:?}"
        );
        ended(&sandbox, &pty.finish(), "3s");
    }
}

#[test]
fn a_session_by_sshd_ends_by_the_times_of_its_terminal() {
    let sandbox = ann("3s", "");
    let mut pty = sandbox.ssh_tty("ann", None);
    pty.expect("$ ");
    // The kernel keeps the times in steps of eight seconds, and none of them ends a session too early.
    pty.line("for n in $(seq 14); do sleep 1; echo o''utput; done");
    for _ in 0..14 {
        pty.expect("output");
    }
    let begun = Instant::now();
    pty.expect(&sentence("3s"));
    let took = begun.elapsed();
    assert!(
        took > Duration::from_millis(2500) && took < Duration::from_secs(14),
        "{took:?}"
    );
    ended(&sandbox, &pty.finish(), "3s");
}

#[test]
fn a_session_without_a_terminal_may_stand_still() {
    let sandbox = ann("1s", "");
    assert_eq!(sandbox.ssh("ann", "sleep 11; echo done").ok(), "done");
    assert_eq!(
        sandbox
            .run_as("ann", &["jail-shell", "-c", "sleep 3; echo done"])
            .ok(),
        "done"
    );
}

#[test]
fn a_stopped_session_is_idle() {
    let sandbox = ann("2s", "");
    let mut pty = sandbox.terminal(&["env", "PS1=root# ", "bash", "--norc", "-i"]);
    pty.expect("root# ");
    pty.line("su ann --session-command 'kill -STOP $$'");
    pty.expect("Stopped");
    pty.expect(&sentence("2s"));
    none_left(&sandbox);
    // By sshd nobody could continue it.
    let mut pty = sandbox.ssh_tty("ann", Some("kill -STOP $$"));
    pty.expect(&sentence("2s"));
    ended(&sandbox, &pty.finish(), "2s");
}

#[test]
fn what_ignores_the_hang_up_is_killed_and_what_lingers_stays() {
    let sandbox = ann("1s", "");
    let mut pty = sandbox.terminal(&["su", "-", "ann"]);
    pty.expect("$ ");
    pty.line("setsid sleep 1000 </dev/null >/dev/null 2>&1 & trap '' HUP");
    pty.line("sleep 999; sleep 999");
    pty.expect(&sentence("1s"));
    assert_eq!(pty.finish().code(), Some(129));
    assert_eq!(sandbox.must("pgrep -u ann -fx 'sleep 1000' | wc -l"), "1");
    sandbox.must("pkill -KILL -u ann");
}
