//! `limits` of memory, tasks, cpu and io, with systemd: they are the account's, at every door, and hold or refuse the login.

use std::io::Write;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use login_jail_tests::vm::Vm;

use crate::machine::{behind_pam, jailed, without_systemd};

/// What ann may use.
const LIMITS: &str = "limits = { memory = \"96M\", tasks = 40, cpu = \"50%\", io = 50 }";

/// Where a session says in which cgroup it is.
const GROUP: &str = "cat /proc/self/cgroup";

/// Takes more memory than there may be, and tells how that ended.
const HOG: &str = "head -c 200M /dev/zero | tail -n 1 >/dev/null; echo ${PIPESTATUS[1]}";

/// Finds the uid of ann.
fn slice(vm: &Vm) -> String {
    format!("user-{}.slice", vm.must("id -u ann").trim())
}

/// Insists on a session in ann's slice, with the limits in force there.
#[track_caller]
fn limited(vm: &Vm, said: &str) {
    let slice = slice(vm);
    assert!(said.contains(&format!("0::/user.slice/{slice}/")), "{said}");
    let set = vm.must(&format!(
        "systemctl show -p MemoryMax -p MemorySwapMax -p TasksMax -p CPUQuotaPerSecUSec -p IOWeight {slice}"
    ));
    for line in [
        "MemoryMax=100663296",
        "MemorySwapMax=0",
        "TasksMax=40",
        "CPUQuotaPerSecUSec=500ms",
        "IOWeight=50",
    ] {
        assert!(set.lines().any(|it| it == line), "{line}: {set}");
    }
}

/// Gives the last line of the record that a session has left.
fn left(vm: &Vm) -> String {
    vm.must("for _ in $(seq 50); do tail -n 1 /var/log/login-jail/sessions.jsonl | grep '\"leave\"' && break; sleep 0.2; done")
}

pub(crate) fn limits_of_an_account_hold_at_every_door(vm: &mut Vm) {
    jailed(vm, "ann", "/usr/bin/jail-shell", LIMITS);
    limited(vm, vm.ssh("ann", GROUP).ok());
    // Of root's own session, and of none.
    limited(vm, &vm.must(&format!("su - ann -c '{GROUP}'")));
    limited(
        vm,
        &vm.must(&format!(
            "systemd-run -q --pipe --wait -p User=ann jail-shell -c '{GROUP}'"
        )),
    );
    let hog = vm.ssh("ann", HOG);
    assert_eq!(hog.ok().trim(), "137", "{hog}");
    let line = left(vm);
    assert!(line.contains("\"out_of_memory\":1"), "{line}");
    // A session in a scope of ours goes on as one of logind's does.
    let hog = vm.must(&format!("su - ann -c '{HOG}'"));
    assert_eq!(hog.trim(), "137");
    let full = vm.ssh("ann", "head -c 200M /dev/zero >/tmp/file; echo end");
    assert!(
        !full.stdout.contains("end") || !full.stderr.is_empty(),
        "{full}"
    );
    let forks = vm.ssh(
        "ann",
        "for n in $(seq 60); do sleep 120 >/dev/null 2>&1 & done; kill $(jobs -p)",
    );
    assert!(forks.stderr.contains("fork"), "{forks}");
    vm.sh("pkill -u ann -x sleep");

    behind_pam(vm, &["sshd", "su-l", "cron"]);
    vm.must("usermod -s /bin/bash ann");
    limited(vm, vm.ssh("ann", GROUP).ok());
    limited(vm, &vm.must(&format!("su - ann -c '{GROUP}'")));
    vm.must(&format!(
        "echo '* * * * * ann {GROUP} >$HOME/cron' >/etc/cron.d/limits"
    ));
    let told = vm.must(
        "cd /srv/jails/ann/home/ann; for _ in $(seq 150); do [ -s cron ] && break; sleep 1; done; cat cron; rm /etc/cron.d/limits",
    );
    limited(vm, &told);
}

pub(crate) fn what_is_used_is_shown_and_a_limit_that_does_not_hold_refuses(vm: &mut Vm) {
    jailed(vm, "ann", "/usr/bin/jail-shell", LIMITS);
    let slice = slice(vm);
    let shown = vm.must("su - ann -c 'sleep 60' >/dev/null 2>&1 & sleep 8; jailctl status; jailctl check --notes ann || :");
    assert!(shown.contains(" of 96M, tasks "), "{shown}");
    assert!(shown.contains(&format!("by systemd's {slice}")), "{shown}");
    assert!(shown.contains("[account-limits]"), "{shown}");

    // What was set by hand gives way to the config.
    vm.must(&format!(
        "systemctl set-property --runtime {slice} MemoryMax=1G"
    ));
    limited(vm, &vm.must(&format!("su - ann -c '{GROUP}'")));

    // And without systemd's answer there is no login.
    vm.must("pkill -u ann; systemctl stop dbus.socket dbus.service; sleep 1");
    let refused = vm.sh("su - ann -c 'echo got-in'");
    vm.must("systemctl start dbus.socket");
    assert_eq!(refused.code(), Some(123), "{refused}");
    assert!(!refused.stdout.contains("got-in"), "{refused}");
    let log = vm.must("journalctl -n 20 -t jail-shell");
    assert!(
        log.contains("step cgroup: connect to the system bus"),
        "{log}"
    );
}

/// What takes all that it can get: a name, what reads the script, and the script.
const HOGS: [(&str, &str, &str); 4] = [
    (
        "fork bomb",
        "python3",
        "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n",
    ),
    (
        "memory",
        "bash",
        "while :; do head -c 300M /dev/zero | tail -n 1 >/dev/null; done",
    ),
    (
        "full /tmp",
        "bash",
        // What fills it is killed for want of memory, and not the shell.
        "while :; do (echo 1000 >/proc/self/oom_score_adj; exec cat /dev/zero >/tmp/file); : >/tmp/file; done",
    ),
    (
        "descriptors",
        "bash",
        "for p in $(seq 20); do (for n in $(seq 3 1000); do eval \"exec $n</dev/null\"; done; sleep 300) & done; wait",
    ),
];

/// The median of five logins of bob's by a door. A job of cron's comes when its minute does, so beside one bob comes by ssh.
fn login(vm: &Vm, door: &str) -> Duration {
    let mut times: Vec<Duration> = (0..5)
        .map(|_| {
            let since = Instant::now();
            match door {
                "su" => vm.must("su - bob -c true"),
                "login" => vm.must(
                    "cd /srv/jails/bob/home/bob; rm -f in; script -qec 'login -f bob' /dev/null </dev/null >/dev/null; [ -e in ]",
                ),
                _ => vm.ssh("bob", "true").ok().to_owned(),
            };
            since.elapsed()
        })
        .collect();
    times.sort();
    times[2]
}

/// Starts what takes all that it can get as ann by a door, and waits until it runs.
fn start(vm: &Vm, door: &str, (reader, script): (&str, &str)) -> Child {
    vm.sh_with(
        "cat >/usr/local/lib/hog; chmod 644 /usr/local/lib/hog",
        script.as_bytes(),
    )
    .ok();
    let hog = format!("exec {reader} /usr/local/lib/hog");
    let (user, command) = match door {
        "su" => ("root", format!("su - ann -c '{hog}'")),
        "login" => (
            "root",
            format!(
                "echo '{hog}' >/srv/jails/ann/home/ann/.bash_profile; script -qec 'login -f ann' /dev/null </dev/null"
            ),
        ),
        "cron" => (
            "root",
            format!("echo '* * * * * ann {hog}' >/etc/cron.d/hog; sleep 600"),
        ),
        _ => ("ann", hog),
    };
    let client = vm
        .client(user)
        .args(["--", "vm", &command])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    vm.must(
        "for _ in $(seq 180); do pgrep -u ann -f /usr/local/lib/hog >/dev/null && break; sleep 0.5; done
        rm -f /etc/cron.d/hog; pgrep -u ann -f /usr/local/lib/hog",
    );
    client
}

/// Measures bob's logins without and beside one of these, and tells whether they take at most three times as long.
fn is_fast(vm: &Vm, door: &str, (name, reader, script): (&str, &str, &str)) -> bool {
    let idle = login(vm, door);
    let mut client = start(vm, door, (reader, script));
    std::thread::sleep(Duration::from_secs(10));
    let beside = login(vm, door);
    // It has not ended by itself, and is limited.
    let of = vm.must("cat /proc/$(pgrep -o -u ann -f /usr/local/lib/hog)/cgroup");
    limited(vm, &of);
    client.kill().ok();
    client.wait().unwrap();
    vm.sh("for _ in $(seq 20); do pkill -9 -u ann || break; done");
    let line = format!("{name} by {door}: a login takes {beside:?}, {idle:?} without\n");
    std::io::stderr().write_all(line.as_bytes()).ok();
    beside <= idle * 3
}

pub(crate) fn one_user_does_not_slow_the_logins_of_another(vm: &mut Vm) {
    jailed(vm, "ann", "/usr/bin/jail-shell", LIMITS);
    jailed(vm, "bob", "/usr/bin/jail-shell", LIMITS);
    vm.must("echo ': >~/in; exit' >/srv/jails/bob/home/bob/.bash_profile");
    let mut slow = String::new();
    for door in ["jail-shell", "su", "ForceCommand", "pam", "login", "cron"] {
        match door {
            "ForceCommand" => {
                vm.must(
                    "usermod -s /bin/bash ann; usermod -s /bin/bash bob
                    printf 'Match User ann,bob\\n    ForceCommand /usr/bin/jail-shell\\n' >/etc/ssh/sshd_config.d/both.conf
                    systemctl reload ssh",
                );
            }
            "pam" => {
                vm.must("rm /etc/ssh/sshd_config.d/both.conf; systemctl reload ssh");
                behind_pam(vm, &["sshd", "login", "cron"]);
            }
            _ => {}
        }
        for hog in HOGS {
            // The machine that this one runs on has other work as well, and not always the same: what seems too slow is measured again.
            if !is_fast(vm, door, hog) && !is_fast(vm, door, hog) {
                slow.push_str(&format!("{} by {door}\n", hog.0));
            }
        }
    }
    assert_eq!(slow, "");
}

pub(crate) fn without_systemd_a_cgroup_of_login_jails_own_limits_an_account(vm: &mut Vm) {
    jailed(vm, "ann", "/usr/bin/jail-shell", LIMITS);
    jailed(vm, "bob", "/bin/bash", LIMITS);
    without_systemd(vm);
    behind_pam(vm, &["sshd", "su-l"]);
    // By jail-shell and behind PAM, by sshd and by su of root's.
    for user in ["ann", "bob"] {
        let group = format!("/login-jail/user-{}", vm.must(&format!("id -u {user}")));
        let limits = format!(
            "cd /sys/fs/cgroup{group}; cat memory.max memory.swap.max pids.max cpu.max io.weight"
        );
        for said in [
            vm.ssh(user, GROUP),
            vm.sh(&format!("su - {user} -c '{GROUP}'")),
        ] {
            assert_eq!(said.ok().trim(), format!("0::{group}"), "{said}");
            let set = vm.must(&limits);
            assert_eq!(
                set.lines().collect::<Vec<_>>(),
                ["100663296", "0", "40", "50000 100000", "default 50"],
                "{user}"
            );
        }
        let hog = vm.ssh(user, HOG);
        assert_eq!(hog.ok().trim(), "137", "{hog}");
        let forks = vm.ssh(
            user,
            "for n in $(seq 60); do sleep 120 >/dev/null 2>&1 & done; kill $(jobs -p)",
        );
        assert!(forks.stderr.contains("fork"), "{forks}");
        vm.sh(&format!("pkill -u {user} -x sleep"));
        let check = vm.sh(&format!("jailctl check --notes {user}"));
        let by = format!("by the cgroup /sys/fs/cgroup{group}");
        assert!(check.stdout.contains(&by), "{check}");
        // What was set by hand gives way to the config.
        vm.must(&format!("echo max >/sys/fs/cgroup{group}/memory.max"));
        vm.ssh(user, "true").ok();
        assert!(vm.must(&limits).starts_with("100663296\n"));
    }
    // What can't be set refuses.
    vm.must("mount -o remount,ro /sys/fs/cgroup");
    for user in ["ann", "bob"] {
        let refused = vm.ssh(user, "echo got-in");
        assert_ne!(refused.code(), Some(0), "{refused}");
        assert!(!refused.stdout.contains("got-in"), "{refused}");
    }
}
