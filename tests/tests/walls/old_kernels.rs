//! Kernels with less of Landlock than this one: what is required holds or the login is refused, and what is open is said.
//!
//! The probe `oldkernel` answers the question for Landlock's version, for a program and all that it starts. What is asked for
//! after that is what a kernel of that version knows, and this one enforces that and no more.
#![allow(clippy::panic, reason = "a test reports by panicking")]

use login_jail_tests::{
    Outcome, Sandbox,
    fault::{install_probe, probe},
    jailctl, roots,
};

const WEB: &str = "users = { ann = \"web\" }\n[jails.web]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n";

/// A user whose jail has these keys besides, and jail-shell as login shell.
fn jailed(keys: &str) -> Sandbox {
    Sandbox::new()
        .user("ann")
        .root(roots::home())
        .config(&format!("{WEB}{keys}\n"))
}

/// The same behind pam_jail.so, with bash as login shell.
fn behind_pam(keys: &str) -> Sandbox {
    Sandbox::with_ann_behind_pam(
        roots::home(),
        &format!("base = \"host\"\nshell = \"/bin/bash\"\n{keys}"),
    )
}

/// A user whose root is a whole system, for chroot(2).
fn by_chroot(keys: &str) -> Sandbox {
    Sandbox::new()
        .user("ann")
        .isolation("chroot")
        .root(roots::busybox())
        .config(&format!(
            "users = {{ ann = \"web\" }}\n[jails.web]\nroot = \"/srv/jails/{{user}}\"\nisolation = \"chroot\"\n{keys}\n"
        ))
}

/// Runs a command as root on a kernel of this ABI.
fn on(sandbox: &Sandbox, abi: &str, argv: &[&str]) -> Outcome {
    sandbox.run(&[&[&probe("oldkernel"), abi], argv].concat())
}

fn su(sandbox: &Sandbox, abi: &str, command: &str) -> Outcome {
    on(sandbox, abi, &["su", "ann", "-c", command])
}

/// Gives the lines about open walls.
fn weakened(log: &[String]) -> Vec<&String> {
    log.iter()
        .filter(|line| line.contains(" weakened "))
        .collect()
}

#[test]
fn serves_on_stock_kernels_and_logs_once_what_is_open() {
    let sandbox = jailed("");
    for (abi, open) in [
        ("1", "can't be moved or linked"),
        ("2", "emptying the user's files outside"),
        ("4", "connecting to abstract sockets of the host"),
        (
            "5",
            "Linux 6.12 or newer stops all of it; network = \\\"none\\\" stops abstract sockets",
        ),
    ] {
        assert_eq!(su(&sandbox, abi, "id -un").ok(), "ann", "ABI {abi}");
        let abi = format!("Landlock ABI {abi}");
        let line = sandbox.logged(&["weakened ", &abi]);
        assert!(line.contains(open), "{line}");
        assert!(
            !line.contains("signals"),
            "the pid namespace stops these: {line}"
        );
        let log = sandbox.log();
        let said = weakened(&log)
            .into_iter()
            .filter(|line| line.contains(&abi));
        assert_eq!(said.count(), 1, "{log:?}");
    }
    assert_eq!(sandbox.su_c("ann", "id -un").ok(), "ann");
    assert_eq!(weakened(&sandbox.log()).len(), 4);
}

#[test]
fn what_another_wall_of_the_plan_stops_is_neither_needed_nor_logged() {
    let sandbox = jailed("network = \"none\"");
    for abi in ["3", "4", "5"] {
        assert_eq!(su(&sandbox, abi, "id -un").ok(), "ann", "ABI {abi}");
    }
    let log = sandbox.log();
    assert!(weakened(&log).is_empty(), "{log:?}");
}

#[test]
fn refuses_a_kernel_without_rules_for_files() {
    let sandbox = jailed("");
    for (abi, said) in [
        ("none", "this kernel has no Landlock"),
        ("off", "add landlock to lsm="),
    ] {
        su(&sandbox, abi, "id -un; touch /home/ann/ran").refused(123, "step");
        let line = sandbox.logged(&[
            "refused code=step",
            "landlock: no rules for opening files",
            said,
        ]);
        assert!(line.contains("Linux 5.13 or newer"), "{line}");
    }
    sandbox.must("! test -e /srv/jails/ann/home/ann/ran");
}

#[test]
fn lists_of_ports_hold_or_the_login_is_refused() {
    let sandbox = jailed("network = { connect = [443], bind = [] }");
    for abi in ["1", "3"] {
        su(&sandbox, abi, "id -un").refused(123, "step");
        sandbox.logged(&[
            "refused code=step",
            "no rules for TCP ports (ABI 4)",
            &format!("ABI {abi};"),
        ]);
    }
    let connected = su(&sandbox, "4", ": </dev/tcp/127.0.0.1/80");
    assert!(
        connected.stderr.contains("Permission denied"),
        "{connected}"
    );
    // Nothing listens there, and that it is nothing else is what comes back.
    let listed = su(&sandbox, "4", ": </dev/tcp/127.0.0.1/443");
    assert!(listed.stderr.contains("Connection refused"), "{listed}");
}

#[test]
fn require_stays_strict() {
    let sandbox = jailed("landlock = \"require\"\nnetwork = \"none\"");
    su(&sandbox, "5", "id -un").refused(123, "step");
    sandbox.logged(&[
        "no rules for signals and abstract sockets (ABI 6)",
        "set landlock = \\\"files\\\"",
    ]);
    assert_eq!(su(&sandbox, "6", "id -un").ok(), "ann");
}

#[test]
fn best_effort_serves_without_any_and_says_so() {
    let sandbox = jailed("landlock = \"best-effort\"");
    assert_eq!(su(&sandbox, "none", "id -un").ok(), "ann");
    sandbox.logged(&[
        "weakened ",
        "this kernel has no Landlock",
        "opening files outside",
    ]);
}

#[test]
fn all_doors_come_to_the_same_on_an_old_kernel() {
    for (abi, served) in [("2", true), ("none", false)] {
        let shell = jailed("");
        let login = su(&shell, abi, "id -un");
        let ids = "--reuid=ann --regid=ann --init-groups";
        let forced = on(
            &shell,
            abi,
            &[
                "sh",
                "-c",
                &format!(
                    "SSH_CONNECTION='::1 1 ::1 22' SSH_ORIGINAL_COMMAND='id -un' exec setpriv {ids} jail-shell"
                ),
            ],
        );
        let pam = su(&behind_pam(""), abi, "id -un");
        for (door, outcome) in [
            ("login shell", login),
            ("ForceCommand", forced),
            ("PAM", pam),
        ] {
            let said = format!("{}{}", outcome.stdout, outcome.stderr);
            if served {
                assert_eq!(outcome.ok(), "ann", "{door}");
            } else {
                assert!(said.contains("login refused (step)"), "{door}: {said}");
                assert!(!outcome.stdout.contains("ann"), "{door}: {said}");
            }
        }
    }
}

#[test]
fn without_a_pid_namespace_signals_are_open_and_said_to_be() {
    let sandbox = behind_pam("network = \"none\"");
    assert_eq!(su(&sandbox, "5", "id -un").ok(), "ann");
    let line = sandbox.module_logged(&["weakened ", "signals to the user's processes outside"]);
    assert!(
        line.contains("jail-shell in place of pam_jail.so stops signals"),
        "{line}"
    );
    assert!(!line.contains("abstract"), "{line}");

    let sandbox = by_chroot("");
    assert_eq!(su(&sandbox, "5", "id -un").ok(), "ann");
    let line = sandbox.logged(&[
        "weakened ",
        "signals to the user's processes outside, connecting to abstract sockets",
    ]);
    assert!(
        line.contains("isolation = \\\"full\\\" through jail-shell"),
        "{line}"
    );
}

#[test]
fn check_explain_and_status_say_what_is_open_before_anybody_logs_in() {
    let sandbox = jailed("");
    let found = on(&sandbox, "2", &["jailctl", "check", "--notes", "ann"]);
    let notes: Vec<&str> = found
        .stdout
        .lines()
        .filter(|line| line.ends_with("[weakened]"))
        .collect();
    let [note] = notes[..] else {
        panic!("not one note: {found}");
    };
    assert!(note.starts_with("note "), "{note}");
    assert!(
        note.contains("emptying the user's files outside")
            && note.contains("Linux 6.12 or newer stops all of it"),
        "{note}"
    );
    let explained = on(&sandbox, "2", &["jailctl", "explain", "ann"]);
    assert!(
        explained
            .words()
            .contains("note this kernel has Landlock ABI 2, which does not stop:"),
        "{explained}"
    );
    let status = on(&sandbox, "2", &["jailctl", "status"]);
    assert!(
        status
            .stdout
            .contains("kernel      this kernel has Landlock ABI 2"),
        "{status}"
    );
    assert!(
        status
            .stdout
            .contains("ready, not behind every wall: see jailctl check"),
        "{status}"
    );
    // Nothing of it on a kernel that has all.
    let found = sandbox.run(&["jailctl", "check", "--notes", "ann"]);
    assert!(!found.stdout.contains("weakened"), "{found}");
    let status = sandbox.run(&["jailctl", "status"]);
    assert!(
        status.stdout.contains("with all that a jail uses"),
        "{status}"
    );
}

#[test]
fn check_explain_and_status_say_that_logins_would_be_refused() {
    let sandbox = jailed("landlock = \"require\"");
    let reason = "step landlock: no rules for moving files between directories (ABI 2), ";
    for command in ["explain", "check"] {
        let said = on(&sandbox, "1", &["jailctl", command, "ann"]);
        assert!(said.words().contains(reason.trim_end()), "{said}");
        assert_eq!(said.code(), Some(1), "{said}");
    }
    let status = on(&sandbox, "1", &["jailctl", "status"]);
    assert!(
        status.stdout.contains(&format!("refused: {reason}")),
        "{status}"
    );
}

#[test]
fn an_attack_reaches_what_is_said_to_be_open_and_nothing_else() {
    let sandbox = jailed("");
    let attacked = on(&sandbox, "2", &["jailctl", "check", "--attack", "ann"]);
    assert!(!attacked.stdout.contains("[reached]"), "{attacked}");
    let row = |probe: &str| {
        let mut rows = attacked.stdout.lines();
        let found = rows.find(|line| line.contains(probe));
        found
            .unwrap_or_else(|| panic!("no {probe} in {attacked}"))
            .to_owned()
    };
    for probe in ["sent in, openat", "sent in, list", "pidfd_send_signal"] {
        assert!(row(probe).contains("held"), "{}", row(probe));
    }
    for probe in ["abstract, stream", "abstract, datagram"] {
        assert!(
            row(probe).contains("Landlock ABI 2, which does not stop:"),
            "{}",
            row(probe)
        );
    }
}

#[test]
fn installation_says_what_this_kernel_lacks() {
    let sandbox = Sandbox::new();
    let old = install_probe(&sandbox, "oldkernel");
    let repository = format!("{}/..", env!("CARGO_MANIFEST_DIR"));
    let install = format!("make -s -C {repository} install PRIVILEGE=setuid");
    let on_old = sandbox.sh(&format!("{old} 2 {install}"));
    assert!(
        on_old
            .stderr
            .contains("install: this kernel has Landlock ABI 2, which does not stop:"),
        "{on_old}"
    );
    let without = sandbox.sh(&format!("{old} none {install}"));
    assert!(
        without
            .stderr
            .contains("install: this kernel has no Landlock: every login is refused"),
        "{without}"
    );
    assert_eq!(without.code(), Some(0), "{without}");
    for quiet in [
        install.clone(),
        format!("{old} 2 {install} DESTDIR=/run/staged"),
    ] {
        let said = sandbox.sh(&quiet);
        assert!(!said.stderr.contains("Landlock"), "{said}");
    }
    // The package's script, as dpkg and rpm call it.
    for argument in ["configure", "1"] {
        let script = format!("{old} 2 sh {repository}/packaging/dpkg/postinst {argument}");
        let said = sandbox.sh(&script);
        assert_eq!(said.code(), Some(0), "{said}");
        assert!(
            said.stderr
                .contains("login-jail: this kernel has Landlock ABI 2"),
            "{said}"
        );
    }
    let kernel = sandbox.sh(&format!("{old} 3 {} status --kernel", jailctl()));
    assert_eq!(kernel.code(), Some(1), "{kernel}");
    assert!(
        kernel
            .stdout
            .contains("lists of ports in network: refused, they take Linux 6.7 or newer"),
        "{kernel}"
    );
    assert_eq!(sandbox.jailctl(&["status", "--kernel"]).code(), Some(0));
}
