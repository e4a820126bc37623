//! What `jailctl check` finds in sshd's config, keys and certificates: each is first shown with a real sshd and its clients.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use login_jail_tests::{JAIL_SHELL, Sandbox, roots, skipped};
use serde_json::Value;

/// sshd's config in the sandbox, and the file of keys that it names there.
const CONFIG: &str = "/etc/ssh/sandbox/sshd_config";
const KEYS: &str = "/etc/ssh/sandbox/client.pub";

/// What closes sshd's other ways past a login shell.
const CLOSED: &str = "PermitUserEnvironment no\nDisableForwarding yes\nAllowAgentForwarding no\nX11Forwarding no\nPermitTunnel no\nPermitUserRC no";

/// ann in a jail with the host's system, by jail-shell as login shell, and a file of the host's that she is not to read.
fn ann(lines: &str) -> Sandbox {
    let sandbox = Sandbox::new()
        .user_with_shell("ann", JAIL_SHELL)
        .jailed("ann")
        .root(roots::home())
        .config("exempt = [\"root\"]\n[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n")
        .sshd(&format!("{CLOSED}\n{lines}"))
        .with("echo secret >/srv/outside; for list in /etc/cron.deny /etc/at.deny; do echo ann >>$list; done");
    // Starts sshd; what it forces may let nobody run this.
    sandbox.ssh("ann", "true");
    sandbox
}

/// Runs check and gives its findings of a kind, and what was not checked.
#[track_caller]
fn check(sandbox: &Sandbox, kind: &str) -> (Vec<Value>, String) {
    let report = sandbox.run(&["jailctl", "check", "--sshd-config", CONFIG, "--json", "ann"]);
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    let all = report["findings"].as_array().unwrap();
    let found = all.iter().filter(|it| it["kind"] == kind).cloned();
    (found.collect(), report["unchecked"].to_string())
}

/// Gives the only finding of a kind, which has these words.
#[track_caller]
fn only(sandbox: &Sandbox, kind: &str, severity: &str, parts: &[&str]) -> Value {
    let (found, unchecked) = check(sandbox, kind);
    assert_eq!(found.len(), 1, "{kind}: {found:?} {unchecked}");
    assert_eq!(found[0]["severity"], severity, "{found:?}");
    let what = found[0]["what"].as_str().unwrap();
    for part in parts {
        assert!(what.contains(part), "{part} in {what}");
    }
    found[0].clone()
}

#[track_caller]
fn none(sandbox: &Sandbox, kind: &str) {
    let (found, unchecked) = check(sandbox, kind);
    assert!(found.is_empty(), "{found:?} {unchecked}");
}

/// Runs the command that a finding has, and lets sshd read its config again.
#[track_caller]
fn mend(sandbox: &Sandbox, finding: &Value) {
    let command = finding["mend"]["command"].as_str().unwrap();
    sandbox.must(command);
    reload(sandbox);
}

#[track_caller]
fn reload(sandbox: &Sandbox) {
    sandbox.must("kill -HUP $(cat /run/sandbox-sshd.pid); sleep 0.5");
}

/// Tells whether SFTP shows the host's files.
#[track_caller]
fn shows_the_host(sandbox: &Sandbox, options: &[&str]) -> bool {
    let options = options.join(" ");
    let batch = format!(
        "rm -f /tmp/got; echo 'get /srv/outside /tmp/got' | sftp -b - -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=no \
         -o UserKnownHostsFile=/dev/null -o IdentityFile=/etc/ssh/sandbox/client {options} ann@127.0.0.1; cat /tmp/got"
    );
    sandbox.sh(&batch).stdout.contains("secret")
}

#[test]
fn finds_a_key_that_reaches_sshds_own_sftp() {
    let sandbox = ann("");
    none(&sandbox, "sshd-sftp");
    assert!(!shows_the_host(&sandbox, &[]), "in the jail");
    sandbox.must(&format!(
        "sed -i 's/^/restrict,Command=\"internal-sftp -l INFO\" /' {KEYS}"
    ));
    assert!(shows_the_host(&sandbox, &[]), "sshd serves it itself");
    only(
        &sandbox,
        "sshd-sftp",
        "error",
        &["/etc/ssh/sandbox/client.pub:1", "sftp-server"],
    );
    // What the finding says to write.
    sandbox.must(&format!(
        "sed -i 's,internal-sftp,/usr/lib/openssh/sftp-server,' {KEYS}"
    ));
    none(&sandbox, "sshd-sftp");
    assert!(!shows_the_host(&sandbox, &[]), "in the jail");
}

#[test]
fn a_key_file_in_the_users_reach_is_an_error_where_nothing_is_forced() {
    let at = "AuthorizedKeysFile /etc/ssh/sandbox/client.pub /srv/jails/%u/home/%u/keys";
    let sandbox =
        ann(at).with("sed -i /^AuthorizedKeysFile.*client.pub$/d /etc/ssh/sandbox/sshd_config");
    reload(&sandbox);
    // As the user, from inside.
    sandbox.must("cd /srv/jails/ann/home/ann; cp /etc/ssh/sandbox/client.pub keys; chown ann: keys; : >/etc/ssh/sandbox/client.pub");
    sandbox
        .ssh("ann", "sed -i 's/^/command=\"internal-sftp\" /' keys")
        .ok();
    assert!(shows_the_host(&sandbox, &[]), "sshd serves it itself");
    let parts = ["/srv/jails/ann/home/ann/keys", "internal-sftp"];
    only(&sandbox, "sshd-keys", "error", &parts);
    sandbox.must(&format!(
        "printf 'Match User ann\\n ForceCommand {JAIL_SHELL}\\n' >>{CONFIG}"
    ));
    reload(&sandbox);
    assert!(!shows_the_host(&sandbox, &[]), "in the jail");
    only(&sandbox, "sshd-keys", "note", &["restrict nobody"]);
}

#[test]
fn a_certificate_can_not_be_seen_and_a_forced_command_rules_its_own_out() {
    let ca = "TrustedUserCAKeys /etc/ssh/sandbox/ca.pub";
    let sandbox = ann("").with("ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/sandbox/ca");
    none(&sandbox, "sshd-unseen-keys");
    sandbox.must(&format!(
        "cd /etc/ssh/sandbox; ssh-keygen -q -t ed25519 -N '' -f signed
         ssh-keygen -q -s ca -I x -n ann -O force-command=internal-sftp signed.pub
         sed -i '1i {ca}' {CONFIG}"
    ));
    reload(&sandbox);
    let signed = ["-o", "IdentityFile=/etc/ssh/sandbox/signed"];
    sandbox.must("mv /etc/ssh/sandbox/client /etc/ssh/sandbox/other");
    assert!(shows_the_host(&sandbox, &signed), "sshd serves it itself");
    let parts = ["TrustedUserCAKeys /etc/ssh/sandbox/ca.pub", "force-command"];
    let found = only(&sandbox, "sshd-unseen-keys", "warning", &parts);
    mend(&sandbox, &found);
    assert!(!shows_the_host(&sandbox, &signed), "in the jail");
    only(&sandbox, "sshd-unseen-keys", "note", &["TrustedUserCAKeys"]);
}

#[test]
fn finds_authorities_commands_and_principals() {
    let sandbox = ann("");
    let unseen = |plant: &str, part: &str| {
        sandbox.must(&format!(
            "cp {CONFIG} /tmp/config; cp {KEYS} /tmp/keys; {plant}"
        ));
        only(&sandbox, "sshd-unseen-keys", "warning", &[part]);
        sandbox.must(&format!("cp /tmp/config {CONFIG}; cp /tmp/keys {KEYS}"));
    };
    let line = |line: &str| format!("sed -i '1i {line}' {CONFIG}");
    unseen(
        &format!("sed -i 's/^/cert-authority /' {KEYS}"),
        "cert-authority in /etc/ssh/sandbox/client.pub:1",
    );
    unseen(
        &line("AuthorizedKeysCommand /usr/bin/true %u\\nAuthorizedKeysCommandUser nobody"),
        "AuthorizedKeysCommand /usr/bin/true %u",
    );
    unseen(
        &line(
            "TrustedUserCAKeys /ca\\nAuthorizedPrincipalsCommand /usr/bin/true\\nAuthorizedPrincipalsCommandUser nobody",
        ),
        "AuthorizedPrincipalsCommand /usr/bin/true",
    );
    // Principals have options as keys do, and files that a user may write.
    sandbox.must(&line(
        "TrustedUserCAKeys /ca\\nAuthorizedPrincipalsFile /etc/ssh/principals/%u",
    ));
    sandbox.must(
        "mkdir /etc/ssh/principals; echo 'command=\"internal-sftp\" ann' >/etc/ssh/principals/ann",
    );
    let parts = ["/etc/ssh/principals/ann:1", "internal-sftp"];
    only(&sandbox, "sshd-sftp", "error", &parts);
    sandbox.must(&format!(
        "sed -i 's,^AuthorizedPrincipalsFile.*,AuthorizedPrincipalsFile /srv/jails/%u/home/%u/principals,' {CONFIG}"
    ));
    none(&sandbox, "sshd-sftp");
    let parts = ["/srv/jails/ann/home/ann/principals"];
    only(&sandbox, "sshd-keys", "error", &parts);
    // Without keys none of this opens anything.
    sandbox.must(&line("PubkeyAuthentication no"));
    none(&sandbox, "sshd-keys");
    none(&sandbox, "sshd-unseen-keys");
}

#[test]
fn what_is_no_file_of_keys_is_not_waited_for() {
    let sandbox = ann("").with(&format!("rm {KEYS}; mkfifo {KEYS}"));
    let (_, unchecked) = check(&sandbox, "sshd-keys");
    assert!(unchecked.contains("not a regular file"), "{unchecked}");
}

#[test]
fn a_subsystem_of_any_name_is_sshds_own_sftp() {
    let sandbox = ann("Subsystem files internal-sftp\nSubsystem sftp /usr/lib/openssh/sftp-server");
    assert!(shows_the_host(&sandbox, &["-s", "files"]));
    let found = only(&sandbox, "sshd-sftp", "error", &["Subsystem files"]);
    mend(&sandbox, &found);
    none(&sandbox, "sshd-sftp");
    assert!(!shows_the_host(&sandbox, &["-s", "files"]));
}

#[test]
fn finds_what_a_match_block_does_for_one_address() {
    let block = "Match Address 127.0.0.2\nForceCommand internal-sftp";
    let sandbox = ann(block);
    assert!(!shows_the_host(&sandbox, &[]), "by the usual address");
    let there = ["-o", "BindAddress=127.0.0.2"];
    assert!(shows_the_host(&sandbox, &there), "sshd serves it itself");
    let parts = ["ForceCommand internal-sftp", "Address 127.0.0.2"];
    only(&sandbox, "sshd-sftp", "error", &parts);
    let (_, unchecked) = check(&sandbox, "sshd-sftp");
    assert_eq!(unchecked, "[]");
}

#[test]
fn tries_every_criterion_of_match_blocks_also_in_included_files() {
    let sandbox =
        ann("Include /etc/ssh/sandbox/more.d/*.conf").with("mkdir /etc/ssh/sandbox/more.d");
    for (criteria, part) in [
        ("Address !10.1.0.0/16,10.0.0.0/8", "Address 10.0.255.255"),
        ("Address 2001:db8:7::/48", "Address 2001:db8:7::"),
        ("Address 10.9.*", "Address 10.9.1.1"),
        ("Host *.example.org", "Host x.example.org"),
        ("LocalAddress 192.0.2.7", "LocalAddress 192.0.2.7"),
        ("LocalPort 2222", "LocalPort 2222"),
        ("RDomain red", "RDomain red"),
        (
            "User ann Address 10.1.1.1 LocalPort 2222",
            "Address 10.1.1.1, LocalPort 2222",
        ),
    ] {
        let lines = format!("Match {criteria}\n ForceCommand internal-sftp\n");
        sandbox.write("/etc/ssh/sandbox/more.d/1.conf", lines);
        only(&sandbox, "sshd-sftp", "error", &[part]);
    }
    for criteria in ["User bob Address 10.1.1.1", "Group games LocalPort 2222"] {
        let lines = format!("Match {criteria}\n ForceCommand internal-sftp\n");
        sandbox.write("/etc/ssh/sandbox/more.d/1.conf", lines);
        none(&sandbox, "sshd-sftp");
    }
}

#[test]
fn connections_that_are_not_tried_are_said() {
    let blocks: String = (1..40)
        .map(|it| format!("Match Address 10.0.0.{it}\n X11Forwarding no\n"))
        .collect();
    let sandbox = ann(&blocks);
    let (_, unchecked) = check(&sandbox, "sshd-sftp");
    assert!(unchecked.contains("were not tried"), "{unchecked}");
    let report = sandbox.run(&["jailctl", "check", "--sshd-config", CONFIG, "ann"]);
    assert_eq!(report.code(), Some(1), "{report}");
}

#[test]
fn a_door_that_one_address_leads_past_is_none() {
    let blocks = format!(
        "Match Address 127.0.0.2\nForceCommand none\nMatch User ann\nForceCommand {JAIL_SHELL}"
    );
    let sandbox = ann(&blocks).with("usermod -s /bin/bash ann");
    let seen = |options: &[&str]| sandbox.ssh_with("ann", options, Some("ls /srv"), b"");
    assert_eq!(seen(&[]).code(), Some(2), "in the jail");
    assert!(seen(&["-b", "127.0.0.2"]).ok().contains("outside"));
    let parts = ["no door leads into the jail"];
    only(&sandbox, "door", "error", &parts);
}

#[test]
fn names_the_keys_whose_command_is_replaced() {
    let forced = format!("Match User ann\nForceCommand {JAIL_SHELL}");
    let sandbox = ann(&forced);
    none(&sandbox, "sshd-key-command");
    sandbox.must(&format!(
        "sed -i 's,^,command=\"/usr/bin/rrsync -ro /secret/place\" ,' {KEYS}"
    ));
    assert_eq!(sandbox.ssh("ann", "echo any").ok(), "any");
    let parts = ["/etc/ssh/sandbox/client.pub:1", "rrsync", "whole shell"];
    let found = only(&sandbox, "sshd-key-command", "warning", &parts);
    let what = found["what"].as_str().unwrap();
    let key = sandbox.read(KEYS);
    let material = key.split(' ').find(|word| word.starts_with("AAAA"));
    assert!(!what.contains(material.unwrap()), "{what}");
    assert!(!what.contains("/secret/place"), "{what}");
    // By the login shell alone the key's own command runs, in the jail.
    sandbox.must(&format!(
        "sed -i 's,command=\"[^\"]*\",command=\"echo $SSH_ORIGINAL_COMMAND; ls /srv\",' {KEYS}"
    ));
    mend(&sandbox, &found);
    none(&sandbox, "sshd-key-command");
    let shown = sandbox.ssh("ann", "echo any");
    assert_eq!(shown.stdout, "echo any\n", "{shown}");
    assert!(shown.stderr.contains("cannot access '/srv'"), "{shown}");
}

#[test]
fn gives_no_command_that_takes_away_what_keeps_a_user_in() {
    // Without the forced command, sshd's own SFTP is open.
    let forced = format!("Subsystem sftp internal-sftp\nMatch User ann\nForceCommand {JAIL_SHELL}");
    let sandbox = ann(&forced).with(&format!(
        "sed -i 's,^,command=\"/usr/bin/rrsync /\" ,' {KEYS}"
    ));
    let found = only(&sandbox, "sshd-key-command", "warning", &["rrsync"]);
    assert_eq!(found.get("mend"), None, "{found}");
    // Nor where another command is the policy, or another login shell would run the key's on the host.
    let sandbox = ann("Match User ann\nForceCommand /usr/lib/openssh/sftp-server");
    sandbox.must(&format!(
        "sed -i 's,^,command=\"/usr/bin/rrsync /\" ,' {KEYS}"
    ));
    let found = only(
        &sandbox,
        "sshd-key-command",
        "warning",
        &["gets that instead"],
    );
    assert_eq!(found.get("mend"), None, "{found}");
    sandbox.must(&format!(
        "sed -i 's,/usr/bin/rrsync /,internal-sftp,' {KEYS}"
    ));
    none(&sandbox, "sshd-key-command");
}

#[test]
fn disable_forwarding_is_not_taken_to_cover_the_agent() {
    let sandbox = ann("").with(&format!("sed -i /^AllowAgentForwarding/d {CONFIG}"));
    reload(&sandbox);
    let socket = || {
        sandbox.must(
            "rm -f /run/agent; ssh-agent -a /run/agent sh -c '
                 ssh -A -F /dev/null -i /etc/ssh/sandbox/client -o BatchMode=yes -o StrictHostKeyChecking=no \
                     -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR ann@127.0.0.1 sleep 2 &
                 sleep 1; find /tmp /home/ann -user ann -type s; wait'",
        )
    };
    if socket().is_empty() {
        skipped(
            "an agent's socket on the host",
            "this sshd's DisableForwarding covers it",
        );
    }
    let parts = ["AllowAgentForwarding yes"];
    let found = only(&sandbox, "sshd-forwarding", "warning", &parts);
    mend(&sandbox, &found);
    none(&sandbox, "sshd-forwarding");
    assert_eq!(socket(), "");
}

#[test]
fn a_link_of_roots_to_a_file_in_the_users_reach_is_no_file_of_roots() {
    let at = "AuthorizedKeysFile /etc/ssh/keys/%u";
    let sandbox = ann("").with(&format!(
        "sed -i 's,^AuthorizedKeysFile.*,{at},' {CONFIG}; mkdir /etc/ssh/keys
         cp {KEYS} /srv/jails/ann/home/ann/keys; chown ann: /srv/jails/ann/home/ann/keys
         ln -s ../../../srv/jails/ann/home /etc/ssh/keys/homes; ln -s homes/ann/keys /etc/ssh/keys/ann"
    ));
    reload(&sandbox);
    sandbox
        .ssh("ann", "sed -i 's/^/command=\"internal-sftp\" /' keys")
        .ok();
    assert!(shows_the_host(&sandbox, &[]), "sshd serves it itself");
    only(&sandbox, "sshd-keys", "error", &["/etc/ssh/keys/ann"]);
    // A home, too.
    sandbox.must("rm /etc/ssh/keys/ann; ln -s /srv/jails/ann/home /home/others; usermod -d /home/others/ann ann");
    only(&sandbox, "home-in-reach", "warning", &["/home/others/ann"]);
}
