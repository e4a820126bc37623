//! `until`: the supervisor ends an open session, or logind has pid 1 end its scope. Where neither is there, check says that it stays.

use std::process::Stdio;
use std::time::{Duration, Instant};

use login_jail_tests::vm::Vm;

use crate::machine::{WHERE, behind_pam, inside, jailed};

pub(crate) fn pam_systemd_ends_what_is_open_at_the_end_of_the_account(vm: &mut Vm) {
    let end = vm.must("date -d '+60 seconds' '+%F %T'");
    jailed(vm, "bob", "/bin/bash", &format!("until = \"{end}\""));
    behind_pam(vm, &["sshd"]);
    inside(&vm.ssh("bob", WHERE));
    let mut session = vm
        .client("bob")
        .args(["--", "vm", "echo open; sleep 600"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let scope = vm.must(
        "for _ in $(seq 30); do pid=$(pgrep -u bob -x sleep) && break; sleep 1; done
        unit=$(sed -n 's/.*[/]\\(session-[^/]*[.]scope\\).*/\\1/p' /proc/$pid/cgroup)
        systemctl show -p RuntimeMaxUSec --value $unit",
    );
    assert!(scope.ends_with('s') || scope.ends_with("min"), "{scope}");
    let deadline = Instant::now() + Duration::from_secs(150);
    let ended = loop {
        if let Some(ended) = session.try_wait().unwrap() {
            break ended;
        }
        if Instant::now() > deadline {
            session.kill().ok();
            panic!("the session stays open: RuntimeMaxUSec is {scope}");
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    assert!(!ended.success(), "{ended}");
    // It was not before the end, and nothing of it is left; the user's manager stays for some seconds.
    vm.must(&format!(
        "[ $(date +%s) -ge $(date -d '{end}' +%s) ]
        for _ in $(seq 60); do pgrep -u bob >/dev/null || exit 0; sleep 1; done; pgrep -a -u bob; exit 1"
    ));
    let late = vm.ssh("bob", WHERE);
    assert_ne!(late.code(), Some(0), "{late}");
    assert!(!late.stdout.contains("side"), "{late}");
}

pub(crate) fn the_supervisor_ends_what_is_open_and_check_says_what_nothing_ends(vm: &mut Vm) {
    let end = vm.must("date -d '+150 seconds' '+%F %T'");
    let until = format!("until = \"{end}\"");
    jailed(vm, "ann", "/usr/bin/jail-shell", &until);
    jailed(vm, "bob", "/bin/bash", &until);
    let stays = "sessions that are open when until comes stay open";
    let check = vm.sh("jailctl check --notes ann");
    assert!(check.stdout.contains("logins end at"), "{check}");
    assert!(!check.stdout.contains(stays), "{check}");
    let mut session = vm
        .client("ann")
        .args(["--", "vm", "trap '' TERM HUP; sleep 600 & wait; sleep 600"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // What cron starts has a stack without pam_systemd, and behind PAM is no supervisor.
    behind_pam(vm, &["cron"]);
    vm.must("echo '* * * * * bob sleep 600' >/etc/cron.d/bob");
    let check = vm.sh("jailctl check --notes bob");
    let why = "nothing ends a session of cron, whose stack has no pam_systemd.so";
    assert!(
        check.stdout.contains(stays) && check.stdout.contains(why),
        "{check}"
    );
    vm.must(
        "for user in ann bob; do for _ in $(seq 100); do pgrep -u $user -x sleep && break; sleep 1; done; done
        rm /etc/cron.d/bob; pgrep -u ann -x sleep; pgrep -u bob -x sleep",
    );
    let deadline = Instant::now() + Duration::from_secs(240);
    let ended = loop {
        if let Some(ended) = session.try_wait().unwrap() {
            break ended;
        }
        if Instant::now() > deadline {
            session.kill().ok();
            panic!("the session stays open");
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    assert!(!ended.success(), "{ended}");
    // It was not before the end, and no process of it is left; the job stays.
    vm.must(&format!(
        "[ $(date +%s) -ge $(date -d '{end}' +%s) ]; ! pgrep -u ann -x sleep; pgrep -u bob -x sleep"
    ));
    let late = vm.ssh("ann", WHERE);
    assert_ne!(late.code(), Some(0), "{late}");
    assert!(!late.stdout.contains("side"), "{late}");
}
