//! Behind PAM: what sshd's own SFTP server logs from inside a jail comes to a log daemon that listens in the root directory.

#![allow(clippy::panic, reason = "a test reports by panicking")]

use std::path::Path;

use login_jail_tests::{Sandbox, roots, skipped};

/// A socket of rsyslogd's in the root directory of ann's jail, with a file of its own for what comes by it: pam_jail(8).
const RSYSLOG: &str = r#"
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="/srv/jails/ann/dev/log" UseSysTimeStamp="on" Ruleset="jail-ann")
template(name="jail-ann" type="string" string="jail ann: %syslogtag%%msg%\n")
ruleset(name="jail-ann") { action(type="omfile" file="/run/jail-ann.log" template="jail-ann") }
"#;

const START: &str = "rm -f /run/rsyslogd.pid; rsyslogd -f /run/rsyslog.conf -i /run/rsyslogd.pid; \
                     while ! [ -S /srv/jails/ann/dev/log ]; do sleep 0.05; done";

const STOP: &str =
    "kill $(cat /run/rsyslogd.pid); while pgrep rsyslogd >/dev/null; do sleep 0.05; done";

/// Ann behind PAM with sshd's own server, and a log daemon that listens in her root directory; nothing without one.
fn ann(keys: &str) -> Option<Sandbox> {
    if !Path::new("/usr/sbin/rsyslogd").exists() {
        skipped(
            "the record of transfers behind PAM",
            "no rsyslogd (package rsyslog)",
        );
        return None;
    }
    let keys = format!("base = \"host\"\nshell = \"/bin/bash\"\n{keys}");
    let sandbox = Sandbox::with_ann_behind_pam(roots::home(), &keys)
        .sshd("Subsystem sftp internal-sftp -l VERBOSE -f AUTHPRIV");
    sandbox.write("/run/rsyslog.conf", RSYSLOG);
    sandbox.must(&format!(
        "install -d -m 755 /srv/jails/ann/dev; : >/run/jail-ann.log; echo text >/tmp/letter; {START}"
    ));
    Some(sandbox)
}

/// Waits until the log has a line with all parts.
fn wait_for(sandbox: &Sandbox, parts: &[&str]) -> String {
    let has = |line: &&str| parts.iter().all(|part| line.contains(part));
    let found = sandbox.wait_until(|| {
        let log = sandbox.read("/run/jail-ann.log");
        log.lines().find(has).map(str::to_owned)
    });
    found.unwrap_or_else(|| {
        let all = [sandbox.read("/run/jail-ann.log"), sandbox.syslog()];
        panic!("no line with {parts:?} in:\n{}", all.join("\n"))
    })
}

#[test]
fn a_log_daemon_that_listens_in_the_root_directory_has_each_transfer() {
    let Some(sandbox) = ann("dev = \"root\"") else {
        return;
    };
    let batch = "put /tmp/letter letter\nget letter /tmp/back\nrename letter new\nrm new\n";
    sandbox.sftp("ann", batch).ok();
    for parts in [
        &["close \"/home/ann/letter\" bytes read 0 written 5"][..],
        &["close \"/home/ann/letter\" bytes read 5 written 0"],
        &["rename old \"/home/ann/letter\" new \"/home/ann/new\""],
        &["remove name \"/home/ann/new\""],
    ] {
        let line = wait_for(&sandbox, parts);
        assert!(line.starts_with("jail ann: internal-sftp["), "{line}");
    }
    let host = sandbox.syslog();
    assert!(!host.contains("internal-sftp["), "{host}");
}

/// The server opens the socket by its name for each line, so an open session finds the one that a new daemon made.
#[test]
fn an_open_session_is_logged_again_after_the_log_daemon_was_restarted() {
    let Some(sandbox) = ann("dev = \"root\"") else {
        return;
    };
    let restart = format!("!sh -c '{}; {START}'\n", STOP.replace('\'', ""));
    let batch = format!("put /tmp/letter first\n{restart}put /tmp/letter second\n");
    sandbox.sftp("ann", &batch).ok();
    wait_for(&sandbox, &["close \"/home/ann/first\"", "written 5"]);
    wait_for(&sandbox, &["close \"/home/ann/second\"", "written 5"]);
}

/// Why pam_jail(8) asks for `dev = "root"`.
#[test]
fn a_private_dev_behind_pam_has_no_log() {
    let Some(sandbox) = ann("") else {
        return;
    };
    assert_eq!(
        sandbox
            .ssh("ann", "ls /dev/log 2>/dev/null || echo none")
            .ok(),
        "none"
    );
    sandbox.sftp("ann", "put /tmp/letter letter\n").ok();
    sandbox.module_logged(&["leave uid=", "user=\"ann\""]);
    sandbox.must("sleep 0.3");
    assert_eq!(sandbox.read("/run/jail-ann.log"), "");
    let host = sandbox.syslog();
    assert!(!host.contains("internal-sftp["), "{host}");
}
