//! `limits` of memory, tasks, cpu and io on a machine that can't enforce them: nobody is let in. That they hold where it can takes
//! cgroups of version 2 with controllers, which the test machine has: see the tests of the VM.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

use std::fs;

use login_jail_tests::{Outcome, Sandbox, roots, skipped};

/// ann in a jail with these limits.
fn host(limits: &str) -> Sandbox {
    let sandbox = Sandbox::new().user("ann").root(roots::busybox());
    limit_to(&sandbox, limits);
    sandbox
}

fn limit_to(sandbox: &Sandbox, limits: &str) {
    sandbox.set_defaults(&format!("limits = {{ {limits} }}"));
}

/// Whether this kernel has no controller left for version 2: those of version 1 are in use.
fn has_none_for_version_2() -> bool {
    let controllers = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers");
    let is_v1 = controllers.is_err();
    if !is_v1 {
        skipped("a machine without cgroup v2", "this one has it");
    }
    is_v1
}

#[track_caller]
fn insist_on_refusal(sandbox: &Sandbox, outcome: &Outcome, reason: &str) {
    assert!(!outcome.stdout.contains("got-in"), "{outcome}");
    sandbox.logged(&["refused code=step", "user=\"ann\"", "step cgroup: ", reason]);
}

#[test]
fn refuses_a_limit_that_the_machine_has_no_cgroup_for_and_says_what_is_missing() {
    if !has_none_for_version_2() {
        return;
    }
    for (limits, key, controller) in [
        ("memory = \"512M\"", "memory", "memory"),
        ("tasks = 100", "tasks", "pids"),
        ("cpu = \"150%\"", "cpu", "cpu"),
        ("io = 50", "io", "io"),
    ] {
        let sandbox = host(limits);
        let outcome = sandbox.ssh("ann", "echo got-in");
        assert_eq!(outcome.code(), Some(123), "{outcome}");
        insist_on_refusal(&sandbox, &outcome, "/sys/fs/cgroup is no cgroup v2");

        // The hierarchy alone is not enough.
        sandbox.must("mount -t cgroup2 cgroup2 /sys/fs/cgroup");
        let missing =
            format!("limits.{key} needs the controller \\\"{controller}\\\" of cgroup v2");
        insist_on_refusal(&sandbox, &sandbox.ssh("ann", "echo got-in"), &missing);
        let checked = sandbox.sh("jailctl check --notes ann");
        assert!(
            checked.stdout.contains(&format!("limits.{key} needs")),
            "{checked}"
        );
        // By what it is limited is not said where it is not.
        assert!(!checked.stdout.contains("[account-limits]"), "{checked}");
        assert!(
            sandbox
                .must("ls /sys/fs/cgroup")
                .lines()
                .all(|it| it != "login-jail")
        );

        // The other limits need none.
        limit_to(&sandbox, "nofile = 1000, cpu = 600, memory = \"unlimited\"");
        let outcome = sandbox.ssh("ann", "echo got-in");
        assert_eq!(outcome.stdout, "got-in\n", "{outcome}");
    }
}

#[test]
fn refuses_a_limit_that_the_machine_has_no_cgroup_for_behind_pam_in_both_stages() {
    if !has_none_for_version_2() {
        return;
    }
    let keys = "base = \"host\"\nlimits = { memory = \"512M\" }";
    let sandbox = Sandbox::with_ann_behind_pam(roots::home(), keys);
    for stage in ["account", "session"] {
        let outcome = sandbox.sh("su ann -c 'echo got-in'");
        assert_ne!(outcome.code(), Some(0), "{stage}: {outcome}");
        assert!(!outcome.stdout.contains("got-in\n"), "{stage}: {outcome}");
        let stage = format!("pam_jail(su:{stage})");
        sandbox.module_logged(&[&stage, "code=step", "step cgroup: ", "is no cgroup v2"]);
        sandbox.must("sed -i '/account.*pam_jail/d' /etc/pam.d/su");
    }
}
