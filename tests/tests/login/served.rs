//! A file system that a user serves (FUSE) need never answer: it is refused by name, and asked nothing.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

use std::time::{Duration, Instant};

use login_jail_tests::{
    JAIL_SHELL, Sandbox, roots,
    stall::{has_fuse, stall},
};

/// How long a refusal may take. The probe answers nothing, so that whoever asks it waits without end.
const AT_ONCE: Duration = Duration::from_secs(10);

#[test]
fn what_a_user_serves_is_refused_by_name_and_asked_nothing() {
    let mount = "mounts = [{ source = '/srv/data', target = '/data', mode = 'rw' }]";
    let cases = [
        ("/srv/jails/ann", "", "root-unsafe"),
        ("/srv/jails/ann", "isolation = 'chroot'", "root-unsafe"),
        ("/srv/jails", "", "root-unsafe"),
        ("/srv/base", "base = '/srv/base'", "root-unsafe"),
        ("/srv/data", mount, "root-unsafe"),
        ("/srv/jails/ann/data", mount, "step"),
    ];
    for (served, keys, code) in cases {
        let config = format!(
            "[users]\nann = 'web'\n[jails.web]\nroot = '/srv/jails/ann'\nshell = '/bin/sh'\n{keys}\n"
        );
        let sandbox = Sandbox::new()
            .user("ann")
            .root(roots::busybox())
            .config(&config);
        if !has_fuse(&sandbox, "what a user serves") {
            return;
        }
        sandbox.must("mkdir -p /srv/base /srv/data /srv/jails/ann/data");
        let uid = sandbox.must("id -u ann");
        stall(&sandbox, served, &uid, "");
        let before = Instant::now();
        let outcome = sandbox.run_as("ann", &[JAIL_SHELL, "-c", "echo in"]);
        assert_eq!(outcome.stdout, "", "{served}: {outcome}");
        assert!(before.elapsed() < AT_ONCE, "{served}: {outcome}");
        let named = format!("FUSE) that uid {uid} serves");
        sandbox.logged(&["refused", &format!("code={code}"), &named]);
        let left = sandbox.must("ps -eo euid=,comm= | grep -cE ' *0 jail(-shell|:)' || :");
        assert_eq!(left, "0", "{served}");
    }
}

#[test]
fn a_standard_descriptor_that_a_user_serves_is_refused_and_asked_nothing() {
    let sandbox = Sandbox::new().user("ann").root(roots::busybox());
    if !has_fuse(&sandbox, "what a user serves") {
        return;
    }
    let uid = sandbox.must("id -u ann");
    stall(&sandbox, "/srv/fuse", &uid, "open");
    let refused = |number: usize, before: &str, why: &str| {
        let started = Instant::now();
        let outcome = sandbox.sh(&format!(
            "exec {number}</srv/fuse/file; {before}
             exec setpriv --reuid ann --regid ann --clear-groups {JAIL_SHELL} -c 'echo in'"
        ));
        assert_eq!(outcome.code(), Some(118), "{number} {before}: {outcome}");
        assert!(started.elapsed() < AT_ONCE, "{number} {before}: {outcome}");
        let descriptor = format!("descriptor {number} ");
        sandbox.logged_last(&["refused code=descriptor ", &descriptor, why]);
    };
    for number in 0..3 {
        refused(number, "", &format!("FUSE) that uid {uid} serves"));
    }
    // Unmounted with a file of it open, it still is what the file is on.
    refused(0, "umount -l /srv/fuse", "no file system mounted here");
}
