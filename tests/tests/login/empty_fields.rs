//! Accounts with empty fields in /etc/passwd: login programs start /bin/sh for an empty shell, and in / for an empty home.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use login_jail_tests::{JAIL_SHELL, Sandbox, roots};
use serde_json::Value;

/// sshd's config, where jailctl looks for it.
const CONFIG: &str = "/etc/ssh/sshd_config";

/// ann with a rule, and these fields behind her group in passwd; sshd looks for her keys where it does by default.
fn ann(fields: &str) -> Sandbox {
    let sandbox = Sandbox::new()
        .user_with_shell("ann", "/bin/bash")
        .jailed("ann")
        .root(roots::home())
        .config("exempt = [\"root\"]\n[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n");
    sandbox.ssh("root", "true").ok();
    sandbox.must(&format!(
        "sed -i -E 's,^(ann:x:[0-9]+:[0-9]+):.*,\\1:{fields},' /etc/passwd
         sed -i 's,^AuthorizedKeysFile.*,AuthorizedKeysFile /etc/ssh/sandbox/client.pub .ssh/authorized_keys,' /etc/ssh/sandbox/sshd_config
         kill -HUP $(cat /run/sandbox-sshd.pid); sleep 0.5; cp /etc/ssh/sandbox/sshd_config {CONFIG}"
    ));
    sandbox
}

/// Gives what check finds of a kind.
#[track_caller]
fn found(sandbox: &Sandbox, kind: &str) -> String {
    let report = sandbox.run(&["jailctl", "check", "--json", "ann"]);
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    let all = report["findings"].as_array().unwrap();
    let found = all.iter().filter(|it| it["kind"] == kind);
    found
        .filter_map(|it| it["what"].as_str())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn an_empty_shell_is_bin_sh_wherever_it_is_named() {
    let sandbox = ann(":/home/ann:");
    assert_eq!(sandbox.ssh("ann", "echo $0").ok(), "sh");
    assert_eq!(sandbox.su_dash_c("ann", "echo $0").ok(), "-sh");
    let said = sandbox.run(&["jailctl", "explain", "ann"]);
    assert!(
        said.words().contains("to the host, to /bin/sh would be"),
        "{said}"
    );
    assert!(
        said.words().contains("the login shell is /bin/sh, so"),
        "{said}"
    );
    let said = sandbox.run(&["jailctl", "explain", "--json", "ann"]);
    assert!(said.stdout.contains("\"shell\": \"/bin/sh\""), "{said}");
    let said = sandbox.run(&["jailctl", "explain", "--steps", "--door", "pam", "ann"]);
    assert!(said.words().contains("and starts /bin/sh"), "{said}");
    let said = sandbox.run(&["jailctl", "status"]);
    assert!(
        said.stdout.contains("no door is in the way of /bin/sh\n"),
        "{said}"
    );
    let door = found(&sandbox, "door");
    assert!(door.contains("the login shell is /bin/sh, and"), "{door}");
    sandbox.must(&format!(
        "printf 'Match User ann\\n ForceCommand /bin/ls\\n' >>{CONFIG}"
    ));
    let forced = found(&sandbox, "sshd-forced");
    assert!(forced.ends_with("the login shell is /bin/sh"), "{forced}");
    sandbox.run(&["jailctl", "list"]).ok();
    // Of another config the account stays as it is.
    sandbox.must("cp -a /etc/login-jail /root/other");
    let said = sandbox.run(&["jailctl", "--config", "/root/other", "add", "ann"]);
    assert!(
        said.stdout.contains("login shell of ann stays /bin/sh:"),
        "{said}"
    );
    sandbox.run(&["jailctl", "add", "ann"]).ok();
    assert!(sandbox.must("getent passwd ann").ends_with(JAIL_SHELL));
}

#[test]
fn an_empty_home_is_the_root_directory_wherever_it_is_named() {
    let sandbox = ann("::/bin/bash");
    let seen = sandbox.ssh("ann", "pwd");
    assert_eq!(seen.stdout, "/\n", "{seen}");
    let said = sandbox.run(&["jailctl", "explain", "--steps", "--door", "pam", "ann"]);
    assert!(said.words().contains("changes to /, and"), "{said}");
    // Where sshd looks for her keys then: not below where check was called.
    sandbox.must(&format!(
        "usermod -s {JAIL_SHELL} ann; mkdir -m 755 /.ssh
         sed 's/^/command=\"internal-sftp\" /' /etc/ssh/sandbox/client.pub >/.ssh/authorized_keys; : >/etc/ssh/sandbox/client.pub"
    ));
    let seen = sandbox.sftp("ann", "ls /srv/jails");
    assert!(seen.stdout.contains("/srv/jails/ann"), "{seen}");
    let found = found(&sandbox, "sshd-sftp");
    assert!(found.contains("/.ssh/authorized_keys:1 "), "{found}");
    // A jail that goes by the home is refused, and the reason names it.
    let config = sandbox.read("/etc/login-jail/config.toml");
    sandbox.write(
        "/etc/login-jail/config.toml",
        format!("{config}\nhome = \"{{home}}\"\n"),
    );
    let said = sandbox.run(&["jailctl", "explain", "ann"]);
    assert_eq!(said.code(), Some(1), "{said}");
    assert!(
        said.words().contains("which is not an absolute path"),
        "{said}"
    );
}
