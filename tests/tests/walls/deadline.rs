//! A file system that does not answer, and a user who stops and kills: a login ends in time, and nothing of root's stays.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

use std::time::{Duration, Instant};

use login_jail_tests::{
    JAIL_SHELL, Outcome, Sandbox,
    fault::probe,
    roots,
    stall::{end, has_fuse, stall},
};

/// How long a login may take that is refused without waiting. A machine under load is slow; the deadline is 20 s.
const AT_ONCE: Duration = Duration::from_secs(10);

/// How long one may take that waits for the deadline.
const IN_TIME: Duration = Duration::from_secs(30);

/// Names the processes of root's that a login has left, stuck ones included.
const LEFT: &str = "ps -eo euid=,comm= | grep -cE ' *0 jail(-shell|:)' || :";

fn timed(run: impl FnOnce() -> Outcome) -> (Outcome, Duration) {
    let before = Instant::now();
    let outcome = run();
    (outcome, before.elapsed())
}

fn ann(keys: &str) -> Sandbox {
    Sandbox::new().user("ann").root(roots::busybox()).config(&format!(
        "[users]\nann = 'web'\n[jails.web]\nroot = '/srv/jails/ann'\nshell = '/bin/sh'\n{keys}\n"
    ))
}

#[test]
fn what_root_serves_may_stall_and_the_login_ends_in_time() {
    let sandbox = ann("mounts = [{ source = '/srv/data', target = '/data', mode = 'rw' }]");
    if !has_fuse(&sandbox, "what root serves") {
        return;
    }
    sandbox.must("mkdir -p /srv/data");
    stall(&sandbox, "/srv/data", 0, "");
    let argv = ["runuser", "-u", "ann", "--", JAIL_SHELL, "-c", "echo in"];
    let (outcome, took) = timed(|| sandbox.run_within(IN_TIME, &argv));
    outcome.refused(123, "step");
    assert!(took < IN_TIME, "{took:?}");
    sandbox.logged(&["refused", "not done after 20 s", "/srv/data"]);
    end(&sandbox);
    assert_eq!(sandbox.must(LEFT), "0");
}

#[test]
fn a_root_for_chroot_that_stalls_is_refused_in_time() {
    let sandbox = ann("isolation = 'chroot'");
    if !has_fuse(&sandbox, "what root serves, for chroot") {
        return;
    }
    stall(&sandbox, "/srv/jails/ann", 0, "");
    let argv = ["runuser", "-u", "ann", "--", JAIL_SHELL, "-c", "echo in"];
    let (outcome, took) = timed(|| sandbox.run_within(IN_TIME, &argv));
    outcome.refused(123, "step");
    assert!(took < IN_TIME, "{took:?}");
    sandbox.logged(&["refused", "not done after 20 s", "/srv/jails/ann"]);
    end(&sandbox);
    assert_eq!(sandbox.must(LEFT), "0");
}

#[test]
fn what_came_before_the_stall_counts_and_the_login_still_says_why_it_ends() {
    let sandbox = ann("mounts = [{ source = '/srv/data', target = '/data', mode = 'rw' }]");
    // By a rule for her group, for which name services are asked.
    let text = sandbox.read("/etc/login-jail/config.toml");
    let sandbox = sandbox.config(&text.replace("[users]", "[groups]"));
    if !has_fuse(&sandbox, "a stall behind slow name services") {
        return;
    }
    let module = probe("libnss_dead.so.2");
    sandbox.must(&format!(
        "cp {module} /lib/$(gcc -print-multiarch)/; sed -i 's/^group:.*/group: dead files/' /etc/nsswitch.conf
         mkdir -p /srv/data"
    ));
    stall(&sandbox, "/srv/data", 0, "");
    sandbox.must("touch /run/nss-is-slow");
    // Killed without a word, it would say nothing, and what is stuck would keep what its caller reads open.
    let argv = [
        "setpriv",
        "--reuid",
        "ann",
        "--regid",
        "ann",
        "--clear-groups",
        "--",
        JAIL_SHELL,
        "-c",
        "echo in",
    ];
    sandbox.run_within(IN_TIME, &argv).refused(123, "step");
    sandbox.logged(&["refused", "not done after 20 s", "/srv/data"]);
    end(&sandbox);
    assert_eq!(sandbox.must(LEFT), "0");
}

#[test]
fn behind_pam_stalled_logins_end_in_time_and_keep_nobody_out() {
    let keys = "mounts = [{ source = '/srv/data', target = '/data', mode = 'rw' }]";
    let sandbox = Sandbox::with_ann_behind_pam(roots::home(), &format!("base = 'host'\n{keys}"))
        .plain_user("bob")
        .sshd("MaxStartups 6");
    let text = sandbox.read("/etc/login-jail/config.toml");
    let sandbox = sandbox.config(&text.replace("exempt = [", "exempt = [\"bob\", "));
    if !has_fuse(&sandbox, "stalls behind PAM") {
        return;
    }
    sandbox.must("mkdir -p /srv/data");
    assert_eq!(sandbox.ssh("bob", "echo in").ok(), "in");
    stall(&sandbox, "/srv/data", 0, "");
    let words = sandbox.ssh_argv("ann", &[], Some("echo in"));
    let five = format!(
        "for n in 1 2 3 4 5; do {} >/tmp/out.$n 2>&1 & done; sleep 1",
        quoted(&words)
    );
    let (_, took) = timed(|| {
        sandbox.must(&five);
        assert_eq!(sandbox.ssh("bob", "echo in").ok(), "in");
        sandbox.sh("true")
    });
    assert!(took < AT_ONCE, "bob waited {took:?}");
    let refused = sandbox.wait_for(IN_TIME, || {
        let log = sandbox.module_log();
        let refused = log
            .iter()
            .filter(|line| line.contains("not done after 20 s"));
        (refused.count() >= 5).then_some(())
    });
    assert!(refused.is_some(), "{}", sandbox.syslog());
    assert_eq!(sandbox.must("cat /tmp/out.* | grep -c '^in' || :"), "0");
    end(&sandbox);
}

fn quoted(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    quoted.join(" ")
}

#[test]
fn signals_at_any_moment_leave_no_process_of_roots_behind() {
    let sandbox = Sandbox::new().user("ann").root(roots::busybox());
    // Delays from before the first instruction to after the last, in microseconds.
    let script = format!(
        r#"
        cat >/tmp/harass <<'END'
        for signal in STOP TSTP ALRM KILL; do
            delay=0
            while [ $delay -lt 4000 ]; do
                {JAIL_SHELL} -c 'sleep 1000' & of=$!
                [ $delay = 0 ] || perl -e "select undef, undef, undef, $delay / 1e6"
                kill -$signal $of 2>/dev/null
                delay=$((delay + 100))
            done
        done
        sleep 27
END
        setpriv --reuid ann --regid ann --init-groups bash /tmp/harass >/dev/null 2>&1 || :
        # Stopped before its first instruction, a process has armed nothing: it is the user's to kill.
        setpriv --reuid ann --regid ann --init-groups bash -c 'kill -KILL -1' || :
        sleep 0.5
        ps -eo ruid=,euid=,suid=,stat=,args= | grep 'jail-shell' | grep -v grep | grep '\b0\b' | grep -v ' Z' || :
        "#
    );
    let outcome = sandbox.run_within(Duration::from_secs(120), &["bash", "-c", &script]);
    assert_eq!(outcome.ok(), "");
}

#[test]
fn the_keys_of_a_terminal_stop_no_process_that_has_roots_ids() {
    let sandbox = Sandbox::new().user("ann").root(roots::busybox());
    // Every key at once, from before the start: what is typed ahead arrives at any moment of the login.
    for key in ["\u{1a}", "\u{3}", "\u{1c}"] {
        let mut pty = sandbox.terminal(&["su", "-", "ann"]);
        for _ in 0..20 {
            pty.send(key);
        }
        drop(pty);
    }
    let gone = sandbox.wait_for(IN_TIME, || {
        let left = sandbox
            .must("ps -eo euid=,stat=,comm= | grep -E ' *0 .*jail(-shell|:)' | grep -v ' Z' || :");
        left.is_empty().then_some(())
    });
    assert!(
        gone.is_some(),
        "{}",
        sandbox.must("ps -eo pid,ruid,euid,stat,args")
    );
}
