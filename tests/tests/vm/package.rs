//! The package: an upgrade, a restart of the machine, and its removal.

use std::process::Stdio;

use login_jail_tests::vm::Vm;

use crate::machine::{WHERE, inside, jailed};

pub(crate) fn an_upgrade_leaves_a_session_open(vm: &mut Vm) {
    vm.must("jailctl setup host-view --user ann --key /root/keys/key.pub --yes");
    let session = vm
        .client("ann")
        .args([
            "--",
            "vm",
            "until [ -e ~/go ]; do sleep 1; done; echo went-on",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    vm.must("for _ in $(seq 60); do pgrep -u ann -x sleep >/dev/null && break; sleep 1; done; pgrep -u ann -x sleep");
    vm.must(
        "cd /root; rm -rf newer; dpkg-deb -R login-jail.deb newer; sed -i 's/^Version: .*/&+newer/' newer/DEBIAN/control
        dpkg-deb -Zgzip -z1 -b newer newer.deb; dpkg -i newer.deb 2>&1; dpkg -s login-jail | grep -q '^Version: .*newer'",
    );
    inside(&vm.ssh("ann", WHERE));
    vm.ssh("ann", "touch ~/go").ok();
    let output = session.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "went-on\n");
    let check = vm.sh("jailctl check ann");
    assert_eq!(check.code(), Some(0), "{check}");
}

pub(crate) fn logins_are_served_after_a_restart(vm: &mut Vm) {
    vm.must("jailctl setup host-view --user ann --key /root/keys/key.pub --yes");
    vm.reboot();
    inside(&vm.ssh("ann", WHERE));
    let check = vm.sh("jailctl check");
    assert_eq!(check.code(), Some(0), "{check}");
    assert_eq!(vm.must("systemctl --failed --no-legend"), "");
}

pub(crate) fn without_the_package_nobody_is_served_unjailed(vm: &mut Vm) {
    jailed(vm, "ann", "/usr/bin/jail-shell", "");
    inside(&vm.ssh("ann", WHERE));
    let removed = vm.sh("dpkg -r login-jail");
    assert_eq!(removed.code(), Some(0), "{removed}");
    assert!(removed.stderr.contains("can't log in"), "{removed}");
    let refused = vm.ssh("ann", WHERE);
    assert_ne!(refused.code(), Some(0), "{refused}");
    assert!(!refused.stdout.contains("side"), "{refused}");
    let su = vm.sh(&format!("su ann -c '{WHERE}'"));
    assert!(!su.stdout.contains("side"), "{su}");
    vm.must("[ -e /etc/login-jail/config.toml ]; dpkg -i /root/login-jail.deb 2>&1");
    inside(&vm.ssh("ann", WHERE));
}
