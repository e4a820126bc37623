//! Hardened service units: `check` reads their settings from systemd and says what each does to each door, and a refused
//! login names the setting and the unit.
//!
//! There is no systemd here: what `systemctl show` prints is recorded, and a filter of system calls stands for the unit's.
#![allow(clippy::panic, reason = "a test reports by panicking")]

use login_jail_tests::{Outcome, Sandbox, fault::probe, roots};

const DEBIAN: &str = include_str!("../../recordings/systemctl-show-debian-12");
const HARDENED: &str = include_str!("../../recordings/systemctl-show-hardened-rhel-9");

const CONFIG: &str = "exempt = [\"root\"]\nusers = { ann = \"web\" }\n[jails.web]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n";

fn jailed() -> Sandbox {
    Sandbox::new()
        .user("ann")
        .root(roots::home())
        .config(CONFIG)
}

/// Has systemctl print what was recorded.
fn record(sandbox: &Sandbox, text: &str) {
    sandbox.write("/run/recorded", text);
    let program = "#!/bin/sh\n[ \"$1\" = show ] || exit 1\ncat /run/recorded\n";
    sandbox.write("/usr/local/bin/systemctl", program);
    sandbox.must("chmod 755 /usr/local/bin/systemctl");
}

/// The findings about units, without the commands.
fn units(outcome: &Outcome) -> Vec<&str> {
    outcome
        .stdout
        .lines()
        .filter(|line| line.ends_with(" [unit]"))
        .collect()
}

/// The same recording with one property of one unit set otherwise.
fn with(text: &str, unit: &str, property: &str, value: &str) -> String {
    let id = format!("Id={unit}\n");
    let blocks = text.split("\n\n").map(|block| {
        if !format!("{block}\n").contains(&id) {
            return block.to_owned();
        }
        let lines = block.lines().map(|line| match line.split_once('=') {
            Some((name, _)) if name == property => format!("{property}={value}"),
            _ => line.to_owned(),
        });
        lines.collect::<Vec<_>>().join("\n")
    });
    blocks.collect::<Vec<_>>().join("\n\n")
}

#[test]
fn a_stock_host_has_no_finding_about_units() {
    let sandbox = jailed();
    record(&sandbox, DEBIAN);
    let found = sandbox.jailctl(&["check", "--notes"]);
    assert_eq!(units(&found), Vec::<&str>::new(), "{found}");
    assert!(!found.stdout.contains("not checked"), "{found}");
}

#[test]
fn each_setting_is_said_with_what_it_does_to_each_door() {
    let sandbox = jailed();
    for (property, value, severity, shell, pam) in [
        (
            "NoNewPrivileges",
            "yes",
            "error",
            "logins are refused (no-new-privs)",
            "no effect",
        ),
        (
            "RestrictNamespaces",
            "yes",
            "error",
            "logins are refused (step), because namespaces are not allowed: ipc, mnt, uts, pid",
            "logins are refused (step), because namespaces are not allowed: ipc, mnt, uts",
        ),
        (
            "RestrictNamespaces",
            "cgroup ipc mnt uts",
            "error",
            "not allowed: pid",
            "no effect",
        ),
        (
            "RestrictSUIDSGID",
            "yes",
            "error",
            "logins are refused (config-unreadable)",
            "logins are refused (config-unreadable)",
        ),
        (
            "CapabilityBoundingSet",
            "cap_setuid cap_setgid cap_setpcap cap_sys_chroot cap_mknod",
            "error",
            "logins are refused (capabilities), for want of CAP_SYS_ADMIN",
            "logins are refused (step), for want of CAP_SYS_ADMIN",
        ),
        (
            "PrivateDevices",
            "yes",
            "error",
            "logins are refused (capabilities), because the nodes",
            "logins are refused (step), because the nodes",
        ),
        (
            "PrivateUsers",
            "yes",
            "error",
            "logins are refused (capabilities)",
            "logins are refused (capabilities)",
        ),
        (
            "ProtectSystem",
            "strict",
            "warning",
            "read-only, without a word: /srv/jails/ann",
            "read-only, without a word: /srv/jails/ann",
        ),
        (
            "ProtectHome",
            "yes",
            "warning",
            "sshd sees no keys in /home/ann",
            "sshd sees no keys",
        ),
        (
            "InaccessiblePaths",
            "/srv",
            "error",
            "logins are refused (root-missing), because /srv/jails/ann",
            "root-missing",
        ),
        (
            "ReadOnlyPaths",
            "/srv/jails",
            "warning",
            "read-only",
            "read-only",
        ),
        (
            "NoExecPaths",
            "/",
            "error",
            "logins are refused (exec)",
            "logins are refused (exec)",
        ),
        (
            "SystemCallFilter",
            "~mount_setattr unshare:EACCES",
            "error",
            "not allowed: unshare, mount_setattr",
            "not allowed: unshare, mount_setattr",
        ),
        (
            "SystemCallFilter",
            "~setresuid",
            "error",
            "not allowed: setresuid",
            "no effect",
        ),
        (
            "RestrictAddressFamilies",
            "AF_INET AF_INET6",
            "warning",
            "nothing is logged",
            "nothing is logged",
        ),
        (
            "PrivateNetwork",
            "yes",
            "warning",
            "empty network",
            "empty network",
        ),
        (
            "MountFlags",
            "private",
            "warning",
            "is not seen",
            "is not seen",
        ),
        (
            "SecureBits",
            "3",
            "error",
            "logins are refused (capabilities)",
            "no effect",
        ),
    ] {
        record(&sandbox, &with(DEBIAN, "ssh.service", property, value));
        let found = sandbox.jailctl(&["check", "--notes"]);
        let findings = units(&found);
        let [finding] = findings[..] else {
            panic!("{property}={value}: not one finding: {found}");
        };
        assert!(
            finding.starts_with(severity),
            "{property}={value}: {finding}"
        );
        assert!(
            finding.contains("ssh.service has ") && finding.contains(property),
            "{finding}"
        );
        let (through_shell, behind_pam) = finding
            .split_once("; behind pam_jail.so: ")
            .unwrap_or_default();
        assert!(
            through_shell.contains(shell),
            "{property}={value}: {finding}"
        );
        assert!(behind_pam.contains(pam), "{property}={value}: {finding}");
    }
}

#[test]
fn what_harms_no_door_is_no_finding() {
    let sandbox = jailed();
    for (property, value) in [
        ("ProtectSystem", "full"),
        ("ProtectHome", "read-only"),
        ("ReadOnlyPaths", "/opt"),
        ("SystemCallFilter", "~reboot swapon kexec_load"),
        ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6"),
        ("MountFlags", "slave"),
        ("RestrictNamespaces", "ipc mnt pid uts"),
    ] {
        record(&sandbox, &with(DEBIAN, "ssh.service", property, value));
        let found = sandbox.jailctl(&["check", "--notes"]);
        assert_eq!(
            units(&found),
            Vec::<&str>::new(),
            "{property}={value}: {found}"
        );
    }
    let strict = with(DEBIAN, "ssh.service", "ProtectSystem", "strict");
    record(
        &sandbox,
        &with(
            &strict,
            "ssh.service",
            "ReadWritePaths",
            "-/srv/jails /var/log",
        ),
    );
    let found = sandbox.jailctl(&["check", "--notes"]);
    assert_eq!(units(&found), Vec::<&str>::new(), "{found}");
}

#[test]
fn a_door_that_nobody_comes_by_is_a_note() {
    let sandbox = jailed();
    record(
        &sandbox,
        &with(DEBIAN, "cron.service", "RestrictNamespaces", "yes"),
    );
    let found = sandbox.jailctl(&["check", "--notes"]);
    let [finding] = units(&found)[..] else {
        panic!("not one finding: {found}");
    };
    assert!(finding.starts_with("note "), "{finding}");
    assert!(
        !finding.contains("jail-shell"),
        "cron starts no login shell: {finding}"
    );

    let behind_pam =
        Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\"\nshell = \"/bin/bash\"");
    record(
        &behind_pam,
        &with(DEBIAN, "cron.service", "RestrictNamespaces", "yes"),
    );
    let found = behind_pam.jailctl(&["check", "--notes"]);
    assert!(
        units(&found)[..].iter().all(|it| it.starts_with("error ")) && units(&found).len() == 1,
        "{found}"
    );
    record(
        &behind_pam,
        &with(DEBIAN, "ssh.service", "NoNewPrivileges", "yes"),
    );
    let found = behind_pam.jailctl(&["check", "--notes"]);
    assert!(
        units(&found)[..].iter().all(|it| it.starts_with("note ")) && units(&found).len() == 1,
        "{found}"
    );
}

#[test]
fn instances_and_other_names_of_the_service_are_looked_at() {
    let sandbox = jailed();
    record(
        &sandbox,
        &with(DEBIAN, "ssh@login-jail.service", "NoNewPrivileges", "yes"),
    );
    let found = sandbox.jailctl(&["check", "--notes"]);
    let [finding] = units(&found)[..] else {
        panic!("not one finding: {found}");
    };
    assert!(
        finding.contains("ssh@.service has NoNewPrivileges=yes"),
        "{finding}"
    );
    assert!(
        found.stdout.contains(
            "/etc/systemd/system/ssh@.service.d/zz-login-jail.conf && systemctl daemon-reload\n"
        ),
        "{found}"
    );

    record(&sandbox, HARDENED);
    let found = sandbox.jailctl(&["check", "--notes"]);
    let settings = [
        "NoNewPrivileges",
        "RestrictNamespaces",
        "RestrictSUIDSGID",
        "CapabilityBoundingSet",
        "PrivateDevices",
        "SystemCallFilter",
        "RestrictAddressFamilies",
        "ProtectSystem",
        "ProtectHome",
    ];
    for setting in settings {
        let of_it = units(&found)
            .into_iter()
            .filter(|line| line.contains("sshd.service has ") && line.contains(setting));
        assert_eq!(of_it.count(), 1, "{setting}: {found}");
    }
    // An FTP server that is switched off is nobody's door.
    assert_eq!(units(&found).len(), settings.len(), "{found}");
    let command = "printf '[Service]\\n%s\\n' NoNewPrivileges=no >>/etc/systemd/system/sshd.service.d/zz-login-jail.conf && systemctl daemon-reload && systemctl restart sshd.service";
    assert!(found.stdout.contains(command), "{found}");
}

#[test]
fn a_systemd_that_does_not_answer_is_said() {
    let sandbox = jailed();
    sandbox.write(
        "/usr/local/bin/systemctl",
        "#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n",
    );
    sandbox.must("chmod 755 /usr/local/bin/systemctl; mkdir -p /run/systemd/system");
    let found = sandbox.jailctl(&["check", "--notes"]);
    assert!(
        found.stdout.contains(
            "not checked: the settings of sshd's service: systemctl show: Failed to connect to bus"
        ),
        "{found}"
    );
    // A host without systemd has no units.
    sandbox.must("rmdir /run/systemd/system");
    let found = sandbox.jailctl(&["check", "--notes"]);
    assert!(!found.stdout.contains("not checked"), "{found}");
}

/// Starts a program as if a unit had started it, with a call made to fail as by that unit's filter.
fn in_unit(sandbox: &Sandbox, unit: &str, filter: &[&str], program: &[&str]) -> Outcome {
    sandbox.write("/run/cgroup", format!("0::/system.slice/{unit}\n"));
    let script = "mount --bind /run/cgroup /proc/$$/cgroup; \"$@\"; status=$?; umount /proc/$$/cgroup; exit $status";
    let inject = probe("inject");
    let words = [&["sh", "-c", script, "sh", &inject, "0:0"], filter, program].concat();
    sandbox.run(&words)
}

const SU: [&str; 5] = ["/bin/su", "su", "ann", "-c", "id"];

#[test]
fn a_refusal_names_the_setting_and_the_unit() {
    let sandbox = jailed();
    let filter = ["errno", &nix::libc::SYS_unshare.to_string(), "1"];
    in_unit(&sandbox, "ssh.service", &filter, &SU).refused(123, "step");
    let line = sandbox.logged(&["refused code=step", "unshare"]);
    assert!(line.contains("this process was started behind a filter of system calls: see RestrictNamespaces= and SystemCallFilter= of ssh.service"), "{line}");
    assert!(
        !line.contains("this host allows no new namespaces"),
        "{line}"
    );
}

#[test]
fn a_refusal_behind_pam_names_the_setting_and_the_unit() {
    let sandbox =
        Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\"\nshell = \"/bin/bash\"");
    let filter = ["errno", &nix::libc::SYS_mount_setattr.to_string(), "1"];
    let outcome = in_unit(&sandbox, "cron.service", &filter, &SU);
    assert!(!outcome.stdout.contains("uid="), "{outcome}");
    let line = sandbox.module_logged(&["refused code=step", "mount_setattr"]);
    assert!(
        line.contains("see SystemCallFilter= of cron.service"),
        "{line}"
    );
}

#[test]
fn no_new_privs_names_the_unit() {
    let sandbox = jailed();
    sandbox.write(
        "/run/cgroup",
        "0::/system.slice/system-ssh.slice/ssh@0-1.service\n",
    );
    let script = "mount --bind /run/cgroup /proc/$$/cgroup; setpriv --no-new-privs su ann -c id; status=$?; umount /proc/$$/cgroup; exit $status";
    sandbox.sh(script).refused(121, "no-new-privs");
    sandbox.logged(&[
        "refused code=no-new-privs",
        "set NoNewPrivileges=no for ssh@0-1.service",
    ]);
}

#[test]
fn a_missing_capability_names_the_settings_and_the_unit() {
    let sandbox = jailed();
    for (capability, settings) in [
        ("sys_admin", "see CapabilityBoundingSet= of ssh.service"),
        (
            "mknod",
            "see CapabilityBoundingSet= and PrivateDevices= of ssh.service",
        ),
    ] {
        sandbox.write("/run/cgroup", "0::/system.slice/ssh.service\n");
        let script = format!(
            "mount --bind /run/cgroup /proc/$$/cgroup; setpriv --bounding-set -{capability} su ann -c id; status=$?; \
             umount /proc/$$/cgroup; exit $status"
        );
        sandbox.sh(&script).refused(122, "capabilities");
        let name = format!("CAP_{}", capability.to_uppercase());
        sandbox.logged(&["refused code=capabilities", &name, settings]);
    }
}

#[test]
fn without_openat2_the_settings_that_take_it_are_named() {
    let sandbox = jailed();
    let filter = ["errno", &nix::libc::SYS_openat2.to_string(), "38"];
    let outcome = in_unit(&sandbox, "ssh.service", &filter, &SU);
    assert_eq!(outcome.stdout, "", "{outcome}");
    sandbox.logged(&["refused ", "see RestrictSUIDSGID= and SystemCallFilter="]);
}
