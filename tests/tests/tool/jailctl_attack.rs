//! `jailctl check --attack`: each wall is named where it stands, what the config has taken down is said, and nothing is left
//! behind. That each probe gets through where its wall is missing is shown by the test of the walls.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use std::collections::BTreeMap;

use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, jailctl, roots};
use serde_json::Value;

/// ann in a jail with the host's system, and nothing for `check` to find but what the probes do.
fn quiet(lines: &str) -> Sandbox {
    let sandbox = Sandbox::new()
        .user_with_shell("ann", JAIL_SHELL)
        .jailed("ann")
        .root(roots::home());
    configure(&sandbox, &format!("base = \"host\"\n{lines}"));
    sandbox.quiet_host();
    sandbox.must("sed -i 's/ user_readenv=1//' /etc/pam.d/*");
    sandbox
}

fn configure(sandbox: &Sandbox, lines: &str) {
    sandbox.write(
        "/etc/login-jail/config.toml",
        format!(
            "exempt = [\"root\"]\n[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{{user}}\"\nshell = \"/bin/bash\"\n{lines}\n"
        ),
    );
}

/// What came of the probes, by line of the list and name.
fn attack(sandbox: &Sandbox) -> (Outcome, BTreeMap<String, Value>) {
    let outcome = sandbox.jailctl(&["check", "--attack", "--json", "ann"]);
    let report: Value =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome}"));
    let probes = report["attacks"][0]["probes"].as_array();
    let probes = probes.unwrap_or_else(|| panic!("no attack: {outcome}"));
    let named = probes.iter().map(|it| {
        let word = |key: &str| it[key].as_str().expect("a word");
        (format!("{}: {}", word("threat"), word("probe")), it.clone())
    });
    let probes = named.collect();
    (outcome, probes)
}

#[track_caller]
fn is_held(probes: &BTreeMap<String, Value>, probe: &str, wall: &str) {
    let it = probes.get(probe).unwrap_or_else(|| panic!("no {probe}"));
    assert_eq!(
        (it["outcome"].as_str(), it["wall"].as_str()),
        (Some("held"), Some(wall)),
        "{probe}: {it}"
    );
}

#[track_caller]
fn is_not_walled(probes: &BTreeMap<String, Value>, probe: &str, why: &str) {
    let it = probes.get(probe).unwrap_or_else(|| panic!("no {probe}"));
    assert_eq!(
        (it["outcome"].as_str(), it["why"].as_str()),
        (Some("not-walled"), Some(why)),
        "{probe}: {it}"
    );
}

fn with_outcome<'a>(probes: &'a BTreeMap<String, Value>, outcome: &str) -> Vec<&'a str> {
    let found = probes.iter().filter(|(_, it)| it["outcome"] == outcome);
    found.map(|(name, _)| name.as_str()).collect()
}

#[test]
fn names_the_wall_that_stops_each_probe_and_leaves_nothing_behind() {
    let sandbox = quiet("");
    let left = "set +e; ls -A /tmp /srv/jails/ann /srv/jails/ann/home/ann /dev/shm; ps -u ann -o args=; ipcs | grep -c ann;
                mkdir -p /run/q; mount -t mqueue none /run/q; ls /run/q; umount /run/q; true";
    let before = sandbox.must(left);
    let (outcome, probes) = attack(&sandbox);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(sandbox.must(left), before);
    for (probe, wall) in [
        ("root: ..", "root"),
        ("root: kept working directory", "root"),
        ("root: /etc/shadow", "root"),
        ("root: double chroot", "seccomp"),
        ("descriptors: inherited", "closed-descriptors"),
        ("descriptors: sent in, openat", "landlock"),
        ("descriptors: sent in, fchdir and open", "landlock"),
        ("proc: /proc/1/root", "own-proc"),
        ("proc: /proc/PID/root", "pid-namespace"),
        ("signals: kill", "pid-namespace"),
        ("signals: pidfd_send_signal", "pid-namespace"),
        ("priorities: setpriority", "pid-namespace"),
        ("processes: ptrace", "pid-namespace"),
        ("processes: process_vm_readv", "pid-namespace"),
        ("processes: pidfd_getfd, pidfd sent in", "seccomp"),
        ("ipc: shmget", "ipc-namespace"),
        ("ipc: mq_open", "ipc-namespace"),
        ("ipc: /dev/pts", "root"),
        ("keys: keyctl", "seccomp"),
        ("sockets: abstract, stream", "landlock"),
        ("sockets: raw", "privileges"),
        ("namespaces: clone3, user", "seccomp"),
        ("namespaces: setns, mount namespace sent in", "seccomp"),
        ("entries: int80", "seccomp"),
        ("terminal: TIOCSTI, a high bit", "seccomp"),
        ("programs: set-user-ID files count", "no-new-privs"),
        ("programs: device nodes count", "mount-flags"),
        ("programs: a device that no jail gets", "root"),
        ("privileges: setgroups", "privileges"),
        ("privileges: securebits not locked", "bounding-set"),
        ("privileges: no_new_privs not set", "no-new-privs"),
    ] {
        is_held(&probes, probe, wall);
    }
    is_not_walled(
        &probes,
        "sockets: TCP to a port of the host",
        "network = \"host\"",
    );
    assert_eq!(
        with_outcome(&probes, "not-walled"),
        [
            "descriptors: sent in, stat",
            "sockets: TCP to a port of the host"
        ]
    );
    assert_eq!(with_outcome(&probes, "reached"), [""; 0]);
    assert_eq!(with_outcome(&probes, "untried"), [""; 0]);
    let table = sandbox.jailctl(&["check", "--attack", "ann"]);
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = table.ok().lines().map(words).collect();
    for line in [
        "ann, login-shell:",
        "signals kill held by pid-namespace (ESRCH)",
        "sockets TCP to a port of the host not walled network = \"host\"",
    ] {
        assert!(lines.iter().any(|it| it == line), "{line}: {table}");
    }
}

#[test]
fn a_wall_that_the_config_takes_down_is_said_and_is_no_finding() {
    let sandbox = quiet("");
    let host = |lines: &str| format!("base = \"host\"\n{lines}");
    let off = "seccomp = \"off\"";
    configure(&sandbox, &host(off));
    let (outcome, probes) = attack(&sandbox);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    for probe in [
        "namespaces: unshare, user",
        "kernel: userfaultfd",
        "keys: add_key",
        "sockets: sock_diag",
        "terminal: TIOCSTI",
    ] {
        is_not_walled(&probes, probe, off);
    }
    // What else stands there.
    is_held(&probes, "kernel: mount", "privileges");
    is_held(&probes, "processes: pidfd_getfd, pidfd sent in", "landlock");
    is_held(
        &probes,
        "keys: session keyring of the caller",
        "session-keyring",
    );

    let off = "landlock = \"off\"";
    configure(&sandbox, &host(off));
    let (outcome, probes) = attack(&sandbox);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    is_not_walled(&probes, "descriptors: sent in, openat", off);
    is_not_walled(
        &probes,
        "sockets: abstract, stream",
        "network = \"host\", landlock = \"off\"",
    );
    is_held(&probes, "processes: ptrace", "pid-namespace");

    configure(&sandbox, &host("network = \"none\""));
    let (outcome, probes) = attack(&sandbox);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    for probe in ["abstract, datagram", "TCP to a port of the host"] {
        is_held(&probes, &format!("sockets: {probe}"), "network-namespace");
    }

    configure(&sandbox, &host("network = { connect = [80] }"));
    let (_, probes) = attack(&sandbox);
    is_held(
        &probes,
        "sockets: TCP to a port of the host",
        "landlock-ports",
    );
}

/// What changes another process of the user's.
const PRIORITIES: [&str; 5] = [
    "priorities: setpriority",
    "priorities: prlimit",
    "priorities: sched_setaffinity",
    "priorities: ioprio_set",
    "priorities: sched_setattr",
];

#[test]
fn a_chroot_says_what_it_does_not_wall() {
    let sandbox = Sandbox::new().user("ann").root(roots::busybox());
    let configured = |lines: &str| {
        let shell = "shell = \"/bin/sh\"\nisolation = \"chroot\"";
        sandbox.write(
            "/etc/login-jail/config.toml",
            format!(
                "[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/ann\"\n{shell}\n{lines}\n"
            ),
        );
        attack(&sandbox).1
    };
    let probes = configured("");
    for probe in PRIORITIES {
        is_held(&probes, probe, "seccomp");
    }
    for probe in ["ipc: msgget", "programs: device nodes count"] {
        is_not_walled(&probes, probe, "isolation = \"chroot\"");
    }
    for probe in ["signals: kill", "processes: ptrace", "ipc: mq_open"] {
        is_held(&probes, probe, "landlock");
    }
    assert_eq!(with_outcome(&probes, "reached"), [""; 0]);
    let probes = configured("landlock = \"off\"\nseccomp = \"off\"");
    for probe in ["signals: kill", "processes: ptrace", "ipc: mq_open"] {
        is_not_walled(&probes, probe, "isolation = \"chroot\", landlock = \"off\"");
    }
    for probe in PRIORITIES {
        is_not_walled(&probes, probe, "isolation = \"chroot\", seccomp = \"off\"");
    }
    assert_eq!(with_outcome(&probes, "reached"), [""; 0]);
}

#[test]
fn a_probe_that_gets_through_a_wall_is_an_error() {
    let sandbox = quiet("tmp = \"root\"");
    sandbox.must("mkdir /srv/jails/ann/tmp; mount --bind /tmp /srv/jails/ann/tmp");
    let outcome = sandbox.jailctl(&["check", "--attack", "ann"]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let line = "error    ann: root: /tmp: got through, past: root [reached]";
    assert!(outcome.stdout.lines().any(|it| it == line), "{outcome}");
    let (_, probes) = attack(&sandbox);
    assert_eq!(with_outcome(&probes, "reached"), ["root: /tmp"]);
}

#[test]
fn what_could_not_be_attacked_is_said() {
    let sandbox = quiet("limits = { nproc = 1 }");
    let (outcome, probes) = attack(&sandbox);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert_eq!(with_outcome(&probes, "untried").len(), probes.len());
    assert!(outcome.stdout.contains("Resource temporarily"), "{outcome}");
    configure(&sandbox, "shell = \"/bin/not-there\"");
    sandbox.must("sed -i '0,/^shell/{/^shell/d}' /etc/login-jail/config.toml");
    let outcome = sandbox.jailctl(&["check", "--attack", "ann"]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let said = "not checked: attack the jail of ann: the login is refused: ";
    assert!(outcome.stdout.contains(said), "{outcome}");
}

/// Has a process of ann's outside do something to her others, over and over.
fn harass(sandbox: &Sandbox, what: &str) {
    sandbox.must(&format!(
        "setsid setpriv --reuid ann --regid ann --init-groups sh -c 'while :; do {what}; done' >/dev/null 2>&1 </dev/null &
         echo $! >/run/harasser"
    ));
}

#[test]
fn what_another_process_of_the_users_stops_is_not_waited_for_and_not_left_behind() {
    let sandbox = quiet("");
    for door in [
        "",
        "usermod -s /bin/bash ann; echo 'session required pam_jail.so' >>/etc/pam.d/su",
    ] {
        sandbox.must(&format!("true; {door}"));
        harass(&sandbox, "kill -STOP -1");
        let outcome = sandbox.jailctl(&["check", "--attack", "ann"]);
        assert_eq!(outcome.code(), Some(1), "{outcome}");
        // One that is quick enough ends by itself; both have not been seen to be.
        let stopped: Vec<&str> = outcome
            .stdout
            .lines()
            .filter(|it| it.starts_with("not checked: "))
            .collect();
        let why = "stopped by another process of the user's";
        assert!(!stopped.is_empty(), "{outcome}");
        assert!(stopped.iter().all(|it| it.contains(why)), "{outcome}");
        // What is left of a session that was killed is no finding.
        assert!(!outcome.stdout.contains("[step]"), "{outcome}");
        sandbox.must("kill -KILL $(cat /run/harasser)");
        let left = sandbox
            .must("ps -e -o stat=,user=,args= | grep -e '[j]ailctl' -e '[s]tand-in' || true");
        assert_eq!(left, "", "{outcome}");
    }
    let outcome = sandbox.jailctl(&["check", "--attack", "ann"]);
    assert!(!outcome.stdout.contains("not checked"), "{outcome}");
}

#[test]
fn no_wall_has_held_where_what_stood_outside_was_ended() {
    let sandbox = quiet("");
    harass(&sandbox, "pkill -KILL -u ann -f [a]ccomplice");
    let outcome = sandbox.jailctl(&["check", "--attack", "ann"]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let line = "not checked: attack the jail of ann: ";
    assert!(outcome.stdout.contains(line), "{outcome}");
}

#[test]
fn behind_pam_the_walls_are_those_of_the_module() {
    let sandbox = quiet("");
    sandbox.must("usermod -s /bin/bash ann; echo 'session required pam_jail.so' >>/etc/pam.d/su");
    let (outcome, probes) = attack(&sandbox);
    assert!(outcome.stdout.contains("\"door\": \"pam\""), "{outcome}");
    for (probe, wall) in [
        ("signals: kill", "landlock"),
        ("processes: ptrace", "landlock"),
        ("proc: /proc/PID/root", "own-proc"),
        ("ipc: shmget", "ipc-namespace"),
        ("root: double chroot", "privileges"),
        ("namespaces: unshare, user", "seccomp"),
    ] {
        is_held(&probes, probe, wall);
    }
    for probe in PRIORITIES {
        is_held(&probes, probe, "seccomp");
    }
    assert_eq!(with_outcome(&probes, "reached"), [""; 0]);
    configure(&sandbox, "base = \"host\"\nseccomp = \"off\"");
    let (_, probes) = attack(&sandbox);
    for probe in PRIORITIES {
        is_not_walled(
            &probes,
            probe,
            "behind PAM: no pid-namespace, seccomp = \"off\"",
        );
    }
}

#[test]
fn the_process_outside_is_the_users_and_has_nothing() {
    let sandbox = quiet("");
    let stand_in = jailctl().replace("/jailctl", "/stand-in");
    let seen = sandbox.must(&format!(
        "set +e; mkfifo /run/end; {stand_in} accomplice ann </run/end >/run/told & exec 9>/run/end
         until [ -s /run/told ]; do sleep 0.05; done
         pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/' /run/told)
         grep -E '^(Uid|CapPrm|CapBnd|NoNewPrivs|Groups)' /proc/$pid/status
         echo root: $(ls -A /proc/$pid/root/); touch /proc/$pid/root/x 2>&1; ipcs -m | grep -c ann
         exec 9>&-; wait; ipcs -m | grep -c ann || true"
    ));
    let uid = sandbox.must("id -u ann");
    for line in [
        format!("Uid:\t{uid}\t{uid}\t{uid}\t{uid}").as_str(),
        "CapPrm:\t0000000000000000",
        "NoNewPrivs:\t1",
        "root:",
        "touch: cannot touch",
    ] {
        assert!(
            seen.lines().any(|it| it.starts_with(line)),
            "{line}: {seen}"
        );
    }
    assert!(seen.ends_with("1\n0"), "{seen}");
}
