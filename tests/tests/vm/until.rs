//! `until` behind PAM: logind has pid 1 end the session's scope.

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
