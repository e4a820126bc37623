//! The set-ups of the quick start, and each door, with the services that Debian starts by itself.

use login_jail_tests::vm::Vm;

use crate::machine::{WHERE, behind_pam, inside, jailed};

pub(crate) fn set_ups_serve_logins_and_check_finds_nothing(vm: &mut Vm) {
    vm.must("jailctl setup host-view --user ann --key /root/keys/key.pub --limits nproc=100 --yes");
    vm.must("jailctl setup sftp --user bea --key /root/keys/key.pub --yes");
    inside(&vm.ssh("ann", WHERE));
    let refused = vm.ssh("ann", "touch /usr/bin/mine");
    assert_ne!(refused.code(), Some(0), "{refused}");
    let only = vm.ssh("bea", "id");
    assert!(only.stderr.contains("for SFTP only"), "{only}");
    let check = vm.sh("jailctl check");
    assert_eq!(check.code(), Some(0), "{check}");
    assert!(check.stdout.contains("2 jailed users: 0 errors"), "{check}");
    // The user's manager stays for some seconds, and an account with processes is not removed.
    vm.must(
        "for _ in $(seq 60); do pgrep -u ann,bea >/dev/null || break; sleep 1; done
        jailctl undo 2; jailctl undo 1",
    );
    let gone = vm.ssh("ann", WHERE);
    assert_ne!(gone.code(), Some(0), "{gone}");
}

pub(crate) fn every_door_jails(vm: &mut Vm) {
    jailed(vm, "ann", "/usr/bin/jail-shell", "");
    inside(&vm.ssh("ann", WHERE));
    inside(&vm.sh(&format!("su ann -c '{WHERE}'")));
    inside(&vm.sh(&format!("su - ann -c '{WHERE}'")));

    jailed(vm, "cat", "/bin/bash", "");
    vm.must(
        "printf 'Match User cat\\n    ForceCommand /usr/bin/jail-shell\\n' >/etc/ssh/sshd_config.d/cat.conf
        systemctl reload ssh",
    );
    inside(&vm.ssh("cat", WHERE));

    jailed(vm, "bob", "/bin/bash", "");
    behind_pam(vm, &["sshd", "su", "login", "cron", "atd"]);
    // The daemon looks once a minute: what it starts is looked for last.
    vm.must(&format!(
        "printf '* * * * * bob {{ {WHERE}; }} >/home/bob/cron\\n' >/etc/cron.d/bob"
    ));
    inside(&vm.ssh("bob", WHERE));
    inside(&vm.sh(&format!("su bob -c '{WHERE}'")));
    // login(1) wants a terminal, which that of Debian 13 opens again by its name, and starts a login shell.
    vm.must(&format!(
        "echo '{{ tty; {WHERE}; }} >~/login$(tty | tr / -); exit' >/srv/jails/bob/home/bob/.bash_profile
        timeout 100 script -qec 'login -f bob' /dev/null </dev/null || :
        timeout 100 setsid -c -w login -f bob <>/dev/ttyS0 >&0 2>&0 || :"
    ));
    vm.must(&format!(
        "cd /home/bob; echo '{{ {WHERE}; }} >/home/bob/at' | runuser -u bob -- at now"
    ));
    for door in ["login-dev-pts-0", "login-dev-ttyS0", "at", "cron"] {
        let script = format!(
            "for _ in $(seq 90); do [ -s /srv/jails/bob/home/bob/{door} ] && break; sleep 1; done; cat /srv/jails/bob/home/bob/{door}"
        );
        inside(&vm.sh(&script));
    }
    assert_eq!(
        vm.must("ls -A /home/bob"),
        ".bash_logout\n.bashrc\n.profile\n.ssh"
    );
}
