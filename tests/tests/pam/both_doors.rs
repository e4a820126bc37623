//! Both doors at once: pam_jail.so in a stack and jail-shell as login shell. The jail is the module's, and jailctl says so.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use login_jail_tests::{JAIL_SHELL, Sandbox, roots};
use serde_json::Value;

/// sshd's config in the sandbox, where jailctl looks for it.
const CONFIG: &str = "/etc/ssh/sshd_config";

/// ann with jail-shell as login shell, and the module in the stacks of these services only.
fn ann(root: roots::Root, keys: &str, services: &str) -> Sandbox {
    let sandbox = Sandbox::with_ann_behind_pam(root, keys)
        .sshd("DisableForwarding yes\nAllowAgentForwarding no\nX11Forwarding no\nPermitTunnel no\nPermitUserRC no")
        .with(&format!("usermod -s {JAIL_SHELL} ann"));
    sandbox.must(&format!(
        "for file in /etc/pam.d/*; do
             case \" {services} \" in *\" ${{file##*/}} \"*) ;; *) sed -i /pam_jail/d $file;; esac
         done
         for list in /etc/cron.deny /etc/at.deny; do echo ann >>$list; done"
    ));
    sandbox.ssh("root", "true").ok();
    sandbox.must(&format!("cp /etc/ssh/sandbox/sshd_config {CONFIG}"));
    sandbox
}

fn with_base(keys: &str, services: &str) -> Sandbox {
    let keys = format!("base = \"host\"\nshell = \"/bin/bash\"\n{keys}");
    ann(roots::home(), &keys, services)
}

#[track_caller]
fn json(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let said = sandbox.run(&[&["jailctl"], arguments, &["--json"]].concat());
    serde_json::from_str(&said.stdout).unwrap()
}

#[track_caller]
fn findings(sandbox: &Sandbox, kind: &str) -> Vec<(String, String)> {
    let report = json(sandbox, &["check", "ann"]);
    let text = |it: &Value, key: &str| it[key].as_str().unwrap_or_default().to_owned();
    report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["kind"] == kind)
        .map(|it| (text(it, "severity"), text(it, "what")))
        .collect()
}

#[test]
fn describes_the_door_that_is_really_taken() {
    let sandbox = with_base("", "sshd");
    // A process of the host has no number in a pid namespace of the jail's own.
    let pid = sandbox.ssh("ann", "echo $PPID $$");
    let pids: Vec<u32> = pid.ok().split(' ').map(|it| it.parse().unwrap()).collect();
    assert!(pids.iter().all(|pid| *pid > 2), "{pids:?}");
    sandbox.module_logged(&["enter", r#"user="ann""#]);
    let said = json(&sandbox, &["explain", "ann"]);
    assert_eq!(said["door"], "pam", "{said}");
    let steps = said["steps"].to_string();
    assert!(!steps.contains("pid-namespace"), "{steps}");
    let remarks = said["remarks"].to_string();
    assert!(remarks.contains("sshd"), "{remarks}");
    assert!(
        remarks.contains("jail-shell is started in the jail"),
        "{remarks}"
    );
    assert!(!remarks.contains("starts /usr/bin/jail-shell"), "{remarks}");
    let status = json(&sandbox, &["status"]);
    assert_eq!(status["users"][0]["door"], "pam", "{status}");
    let status = sandbox.run(&["jailctl", "status"]);
    assert!(
        status
            .stdout
            .contains("ready, by PAM at sshd, and by jail-shell elsewhere"),
        "{status}"
    );
    // ann herself, whom sshd does not answer.
    let said = sandbox.run_as("ann", &["jailctl", "explain", "--json", "ann"]);
    assert!(said.stdout.contains(r#""door": "pam""#), "{said}");
    let found = findings(&sandbox, "two-doors");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "note");
    assert!(found[0].1.contains("no pid namespace"), "{found:?}");
}

#[test]
fn the_login_shell_is_the_door_where_no_stack_that_starts_it_jails() {
    for services in ["", "cron atd vsftpd"] {
        let sandbox = with_base("", services);
        assert_eq!(sandbox.ssh("ann", "echo $$").ok(), "2", "{services}");
        let said = json(&sandbox, &["explain", "ann"]);
        assert_eq!(said["door"], "login-shell", "{said}");
        assert_eq!(findings(&sandbox, "two-doors"), []);
        let status = json(&sandbox, &["status"]);
        assert_eq!(status["users"][0]["door"], "login-shell", "{status}");
    }
    // In sshd's stack, and sshd does not ask.
    let sandbox = with_base("", "sshd");
    sandbox.must(&format!("sed -i 's/^UsePAM yes/UsePAM no/' /etc/ssh/sandbox/sshd_config {CONFIG}; kill -HUP $(cat /run/sandbox-sshd.pid); sleep 0.5"));
    assert_eq!(sandbox.ssh("ann", "echo $$").ok(), "2");
    let said = json(&sandbox, &["explain", "ann"]);
    assert_eq!(said["door"], "login-shell", "{said}");
    assert_eq!(findings(&sandbox, "two-doors"), []);
}

#[test]
fn what_lingers_although_the_config_forbids_it_is_a_warning() {
    let sandbox = with_base("linger = false", "sshd");
    sandbox
        .ssh("ann", "sleep 4321 >/dev/null 2>&1 </dev/null &")
        .ok();
    let left = sandbox.sh("pgrep -u ann -f '^sleep 4321'");
    assert_eq!(left.stdout.lines().count(), 1, "{left}");
    let found = findings(&sandbox, "two-doors");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "warning");
    assert!(found[0].1.contains("linger = false"), "{found:?}");
    let said = json(&sandbox, &["explain", "ann"]);
    let remarks = said["remarks"].to_string();
    assert!(remarks.contains("linger = false"), "{remarks}");
}

#[test]
fn keys_without_effect_are_a_warning_where_the_module_is_the_only_door() {
    let with = |keys: &str| {
        let sandbox = with_base(keys, "sshd login su sudo cron atd vsftpd");
        sandbox.must("usermod -s /bin/bash ann");
        findings(&sandbox, "no-effect")
    };
    let found = with("linger = false\nenv = { set = { EDITOR = \"vi\" } }");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "warning");
    assert!(found[0].1.contains("linger = false, env.set"), "{found:?}");
    assert_eq!(with("linger = true"), []);
}

#[test]
fn a_root_without_jail_shell_is_an_error_wherever_the_module_is() {
    let whole = || roots::programs(&["/bin/bash", "/usr/lib/openssh/sftp-server"]);
    for services in ["sshd", "su su-l", "cron"] {
        let sandbox = ann(whole(), "shell = \"/bin/bash\"", services);
        let refused = findings(&sandbox, "host-files");
        assert_eq!(refused.len(), 1, "{services}: {refused:?}");
        assert_eq!(refused[0].0, "error");
        assert!(refused[0].1.contains("jail-shell"), "{refused:?}");
        let login = match services {
            "sshd" => sandbox.ssh("ann", "true"),
            _ => sandbox.run(&["su", "ann", "-c", "true"]),
        };
        assert_eq!(login.status.success(), services == "cron", "{login}");
        sandbox.must("cp /usr/bin/jail-shell /srv/jails/ann/usr/bin/");
        assert_eq!(findings(&sandbox, "host-files"), [], "{services}");
        let login = match services {
            "sshd" => sandbox.ssh("ann", "true"),
            _ => sandbox.run(&["su", "ann", "-c", "true"]),
        };
        assert_eq!(login.code(), Some(0), "{login}");
    }
}

#[test]
fn a_forced_jail_shell_must_be_in_the_root_behind_the_module() {
    let sandbox = ann(
        roots::programs(&["/bin/bash", "/usr/lib/openssh/sftp-server"]),
        "shell = \"/bin/bash\"",
        "sshd",
    );
    sandbox.must(&format!(
        "usermod -s /bin/bash ann; for file in {CONFIG} /etc/ssh/sandbox/sshd_config; do printf 'Match User ann\\n ForceCommand {JAIL_SHELL}\\n' >>$file; done
         kill -HUP $(cat /run/sandbox-sshd.pid); sleep 0.5"
    ));
    assert_ne!(sandbox.ssh("ann", "true").code(), Some(0));
    let found = findings(&sandbox, "sshd-forced");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].1.contains("is not in the jail"), "{found:?}");
    sandbox.must("cp /usr/bin/jail-shell /srv/jails/ann/usr/bin/");
    assert_eq!(sandbox.ssh("ann", "true").code(), Some(0));
    assert_eq!(findings(&sandbox, "sshd-forced"), []);
    let said = json(&sandbox, &["explain", "ann"]);
    assert_eq!(said["door"], "pam", "{said}");
}

#[test]
fn sshds_forced_command_is_the_door_where_only_other_stacks_jail() {
    let sandbox = with_base("", "cron");
    sandbox.must(&format!(
        "usermod -s /bin/bash ann; printf 'Match User ann\\n ForceCommand {JAIL_SHELL}\\n' >>{CONFIG}"
    ));
    let said = json(&sandbox, &["explain", "ann"]);
    assert_eq!(said["door"], "force-command", "{said}");
}
