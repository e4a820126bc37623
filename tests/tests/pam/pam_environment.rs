//! What leads to a user's services on the host does not come inside behind PAM.

use login_jail_tests::{JAIL_SHELL, Sandbox, roots};

const SHOW: &str = "env | grep -E '^(XDG_RUNTIME_DIR|DBUS_SESSION_BUS_ADDRESS|KEPT)=' | sort";

/// ann behind PAM, bob exempt, and a module before ours that sets what pam_systemd(8) sets.
fn stage() -> Sandbox {
    let sandbox =
        Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\"\nshell = \"/bin/bash\"")
            .plain_user("bob");
    sandbox.must("sed -i 's/\"root\"/\"root\", \"bob\"/' /etc/login-jail/config.toml");
    sandbox.write(
        "/etc/of-the-host",
        "XDG_RUNTIME_DIR=/run/user/1001\nDBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1001/bus\nKEPT=yes\n",
    );
    sandbox.must(
        "for service in sshd su login; do
             sed -i '/^session.*pam_jail/i session required pam_env.so readenv=1 envfile=/etc/of-the-host' /etc/pam.d/$service
         done",
    );
    sandbox
}

#[test]
fn the_hosts_runtime_directory_and_bus_do_not_come_inside_by_sshd() {
    let sandbox = stage();
    assert_eq!(sandbox.ssh("ann", SHOW).ok(), "KEPT=yes");
    assert_eq!(
        sandbox.ssh("bob", SHOW).ok(),
        "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1001/bus\nKEPT=yes\nXDG_RUNTIME_DIR=/run/user/1001"
    );
    sandbox.must(&format!("usermod -s {JAIL_SHELL} ann"));
    assert_eq!(sandbox.ssh("ann", SHOW).ok(), "KEPT=yes");
}

#[test]
fn a_login_without_them_logs_no_error() {
    let sandbox =
        Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\"\nshell = \"/bin/bash\"");
    sandbox.ssh("ann", "true").ok();
    sandbox.must("su - ann -c true");
    let log = sandbox.syslog();
    assert!(log.contains("pam_jail(sshd:session): enter"), "{log}");
    let complaints: Vec<&str> = log.lines().filter(|it| it.contains("pam_putenv")).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[test]
fn what_the_caller_of_su_has_of_them_does_not_come_inside() {
    let sandbox = stage();
    let called = "XDG_RUNTIME_DIR=/run/user/0 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/0/bus";
    for su in ["su ann", "su - ann", "su -p ann"] {
        let shown = sandbox.must(&format!("{called} {su} -c \"{SHOW}\""));
        assert_eq!(shown, "KEPT=yes", "{su}");
    }
}

#[test]
fn jail_shell_inside_drops_what_a_program_sets_behind_the_module() {
    let sandbox = stage().with(&format!("usermod -s {JAIL_SHELL} ann"));
    // sshd takes variables of its client's last, behind every module.
    let sandbox = sandbox.sshd("AcceptEnv XDG_RUNTIME_DIR KEPT");
    let words = sandbox.ssh_argv(
        "ann",
        &["-o", "SetEnv=XDG_RUNTIME_DIR=/run/user/7"],
        Some(SHOW),
    );
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_eq!(sandbox.run(&words).ok(), "KEPT=yes");
}
