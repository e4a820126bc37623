//! What jailctl prints: fit for a terminal whatever names users choose, and bounded however much they make.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use login_jail_tests::{Outcome, Sandbox, roots};
use serde_json::Value;

/// A control of C1, marks that change the direction, and one that shows nothing.
const HIDDEN: [char; 5] = ['\u{9b}', '\u{202e}', '\u{2066}', '\u{61c}', '\u{200b}'];

fn ann() -> Sandbox {
    Sandbox::new()
        .user("ann")
        .root(roots::busybox())
        .isolation("chroot")
}

fn jailctl(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    sandbox.run(&[&["jailctl"], arguments].concat())
}

#[test]
fn no_report_has_a_letter_that_a_terminal_would_not_show() {
    let sandbox = ann();
    let name: String = HIDDEN.iter().collect();
    sandbox.must(&format!(
        "mkdir -p '/srv/jails/ann/home/ann/{name}'; cp /bin/busybox '/srv/jails/ann/home/ann/{name}/f'; chmod 4755 '/srv/jails/ann/home/ann/{name}/f'
         jailctl build --program true '/srv/jails/{name}' >/dev/null; rm '/srv/jails/{name}/usr/bin/true'
         setpriv --reuid ann --regid ann --clear-groups --no-new-privs chroot /srv/jails/ann true 2>/dev/null || true
         setsid chroot /srv/jails/ann /bin/busybox true; cp /bin/busybox /srv/jails/ann/bin/run"
    ));
    sandbox.must(&format!(
        "setsid setpriv --no-new-privs chroot --userspec=$(id -u ann):$(id -g ann) /srv/jails/ann /bin/sh -c 'sleep 4321; :' '{name}' >/dev/null 2>&1 </dev/null &
         until pgrep -u ann sleep >/dev/null; do sleep 0.01; done"
    ));
    for arguments in [
        &["check", "--json"][..],
        &["status", "--json"],
        &["sessions", "--json"],
        &["kick", "--dry-run", "--json", "ann"],
        &["list", "--json"],
        &["explain", "--json", "ann"],
        &["update", "--dry-run", "--json"],
        &[
            "build",
            "--json",
            "--program",
            "true",
            &format!("/srv/jails/{name}"),
        ],
        &["presets", "--json"],
        &["check", "--notes", "--verbose"],
        &["sessions"],
        &["update", "--dry-run"],
        &["explain", &name],
        &["build", "--program", &name, "/srv/jails/x"],
    ] {
        let said = jailctl(&sandbox, arguments);
        for text in [&said.stdout, &said.stderr] {
            let raw = text.chars().find(|it| HIDDEN.contains(it));
            assert_eq!(raw, None, "{arguments:?}: {said}");
        }
        if arguments.contains(&"--json") {
            assert!(
                serde_json::from_str::<Value>(&said.stdout).is_ok(),
                "{said}"
            );
        }
    }
    // Escaped, and not left out.
    for arguments in [
        &["check", "--json"][..],
        &["sessions", "--json"],
        &["update", "--dry-run", "--json"],
    ] {
        let said = jailctl(&sandbox, arguments);
        assert!(
            said.stdout.contains("\\u009b") || said.stdout.contains("\\u{9b}"),
            "{said}"
        );
    }
}

#[test]
fn many_deep_directories_are_counted_and_not_listed() {
    let sandbox = ann();
    sandbox.must(
        "cd /srv/jails/ann/home/ann
         deep=$(printf 'd/%.0s' $(seq 110)); mkdir -p $deep; cd $(printf 'd/%.0s' $(seq 98))
         for n in $(seq 2000); do echo n$n; done | xargs mkdir; chown -R ann .",
    );
    let said = jailctl(&sandbox, &["check"]);
    let lines = said.stdout.lines().filter(|it| it.contains("too deep"));
    let lines: Vec<&str> = lines.collect();
    assert_eq!(lines.len(), 21, "{said}");
    assert!(lines[20].contains("/srv/jails/ann: 198"), "{}", lines[20]);
    assert_eq!(said.code(), Some(1), "{said}");
    let report = jailctl(&sandbox, &["check", "--json"]);
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    assert!(report["unchecked"].as_array().unwrap().len() < 30);
}

#[test]
fn many_sessions_of_one_user_are_counted_and_not_listed() {
    let sandbox = ann();
    sandbox.must(
        "for n in $(seq 60); do
             setsid setpriv --no-new-privs chroot --userspec=$(id -u ann):$(id -g ann) /srv/jails/ann /bin/sleep 4321 >/dev/null 2>&1 </dev/null &
         done
         until [ $(pgrep -c -u ann sleep) = 60 ]; do sleep 0.05; done",
    );
    let said = jailctl(&sandbox, &["sessions"]);
    let listed = said.ok().lines().filter(|it| it.starts_with("ann "));
    assert_eq!(listed.count(), 50, "{said}");
    assert!(said.stdout.contains("10 more sessions of ann"), "{said}");
    let all = jailctl(&sandbox, &["sessions", "--json"]);
    let all: Value = serde_json::from_str(all.ok()).unwrap();
    assert_eq!(all.as_array().unwrap().len(), 60);
    let kicked = jailctl(&sandbox, &["kick", "--dry-run", "ann"]);
    assert!(kicked.ok().contains("10 more sessions of ann"), "{kicked}");
}
