//! sshd's units: settings of ssh.service that harden it, and ssh.socket in its place.

use login_jail_tests::vm::Vm;

use crate::machine::{WHERE, inside};

/// Puts lines into a drop-in of ssh.service, and restarts it. Root's connection stays.
#[track_caller]
fn harden(vm: &Vm, lines: &str) {
    vm.must(&format!(
        "mkdir -p /etc/systemd/system/ssh.service.d
        printf '[Service]\\n{lines}\\n' >/etc/systemd/system/ssh.service.d/hardened.conf
        systemctl daemon-reload; systemctl restart ssh"
    ));
}

pub(crate) fn a_hardened_unit_serves_jailed_or_not_at_all(vm: &mut Vm) {
    vm.must("jailctl setup host-view --user ann --key /root/keys/key.pub --yes");
    harden(
        vm,
        "PrivateTmp=yes\\nProtectKernelTunables=yes\\nProtectControlGroups=yes\\nProtectKernelModules=yes\\nProtectHostname=yes\\nLockPersonality=yes\\nSystemCallArchitectures=native",
    );
    inside(&vm.ssh("ann", WHERE));
    let check = vm.sh("jailctl check ann");
    assert_eq!(check.code(), Some(0), "{check}");
    for stops in [
        "NoNewPrivileges=yes",
        "RestrictNamespaces=yes",
        "CapabilityBoundingSet=~CAP_SYS_ADMIN",
    ] {
        harden(vm, stops);
        let refused = vm.ssh("ann", WHERE);
        assert_ne!(refused.code(), Some(0), "{stops}: {refused}");
        assert!(!refused.stdout.contains("side"), "{stops}: {refused}");
        let check = vm.sh("jailctl check ann");
        assert_ne!(check.code(), Some(0), "{stops}: {check}");
        let setting = stops.split('=').next().unwrap();
        assert!(check.stdout.contains(setting), "{stops}: {check}");
    }
}

pub(crate) fn a_socket_unit_serves_the_same(vm: &mut Vm) {
    vm.must("jailctl setup host-view --user ann --key /root/keys/key.pub --yes");
    vm.must("systemctl disable --now ssh.service; systemctl enable --now ssh.socket; systemctl is-active ssh.socket");
    inside(&vm.ssh("ann", WHERE));
    let check = vm.sh("jailctl check ann");
    assert_eq!(check.code(), Some(0), "{check}");
}
