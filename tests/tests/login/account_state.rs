//! What refuses a login before any jail is asked for: a real sshd refuses, and `jailctl check` and `explain` say why.
#![allow(clippy::panic, reason = "a test reports by panicking")]

use login_jail_tests::{Found, JAIL_SHELL, Sandbox, findings, roots};

const CONFIG: &str = "/etc/ssh/sandbox/sshd_config";

/// ann with a key on the host and a real sshd that asks PAM, in the order in which she can log in.
fn stage() -> Sandbox {
    let sandbox = Sandbox::new()
        .pam()
        .user_with_shell("ann", JAIL_SHELL)
        .jailed("ann")
        .root(roots::home())
        .config("exempt = [\"root\"]\n[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n")
        .sshd("Match all\nAuthorizedKeysFile .ssh/authorized_keys");
    // Starts sshd and makes the key.
    sandbox.ssh("ann", "true");
    sandbox.must(
        "chmod 755 /home/ann
         install -d -m 700 -o ann -g ann /home/ann/.ssh
         install -m 600 -o ann -g ann /etc/ssh/sandbox/client.pub /home/ann/.ssh/authorized_keys",
    );
    logs_in(&sandbox, "at first");
    nothing_found(&sandbox, "at first");
    // What explain asks, and what it finds besides is none of the account.
    sandbox.must(&format!(
        "sed -i '1i DisableForwarding yes\\nAllowAgentForwarding no\\nX11Forwarding no' {CONFIG}; cp {CONFIG} /etc/ssh/sshd_config"
    ));
    sandbox
}

/// Has sshd read its config again.
fn reload(sandbox: &Sandbox) {
    sandbox.must("kill -HUP $(cat /run/sandbox-sshd.pid); sleep 0.5");
}

#[track_caller]
fn logs_in(sandbox: &Sandbox, when: &str) {
    // An sshd that has just been told to read its config again may not listen yet.
    let is_in = || sandbox.ssh("ann", "echo in").stdout.trim_end() == "in";
    let logged_in = sandbox.wait_until(|| is_in().then_some(()));
    assert!(logged_in.is_some(), "{when}\n{}", sandbox.sshd_log());
}

#[track_caller]
fn does_not_log_in(sandbox: &Sandbox, when: &str) {
    let outcome = sandbox.ssh("ann", "echo in");
    assert_ne!(outcome.code(), Some(0), "{when}: {outcome}");
    assert!(!outcome.stdout.contains("in\n"), "{when}: {outcome}");
}

/// Gives the findings about the account.
fn found(sandbox: &Sandbox) -> Vec<Found> {
    let report = sandbox.run(&[
        "jailctl",
        "check",
        "--notes",
        "--sshd-config",
        CONFIG,
        "ann",
    ]);
    let kinds = [
        "account-expired",
        "account-locked",
        "disk-full",
        "host-home-missing",
        "host-shell",
        "nologin",
        "pam-denies",
        "pam-shells",
        "password-expired",
        "sshd-denied",
        "sshd-keys-ignored",
        "sshd-keys-inside",
    ];
    let mut found = findings(&report);
    found.retain(|it| kinds.contains(&it.kind.as_str()));
    found
}

#[track_caller]
fn nothing_found(sandbox: &Sandbox, when: &str) {
    let found = found(sandbox);
    assert!(found.is_empty(), "{when}: {found:?}");
}

/// Insists that a state refuses the login, and that check and explain name it. Gives the command that mends it.
#[track_caller]
fn named(sandbox: &Sandbox, state: &str, kind: &str, parts: &[&str]) -> String {
    sandbox.must(state);
    does_not_log_in(sandbox, state);
    let mut found = found(sandbox);
    found.retain(|it| it.kind == kind);
    let [finding] = found.as_slice() else {
        panic!("{state}: {found:?}");
    };
    for part in parts {
        let there = finding.what.contains(part);
        assert!(there, "{state}: {part}: {finding:?}");
    }
    sandbox.must(&format!("cp {CONFIG} /etc/ssh/sshd_config"));
    let explained = sandbox.run(&["jailctl", "explain", "--verbose", "ann"]);
    assert!(
        explained.stdout.contains(&format!("[{kind}]")),
        "{state}: {explained}"
    );
    assert_eq!(
        explained.code(),
        Some(i32::from(finding.severity == "error")),
        "{state}: {explained}"
    );
    assert!(!finding.safe, "{state}: {finding:?}");
    finding.command.clone().unwrap_or_default()
}

/// As [`named`], and insists that the command that is printed lets the user in again.
#[track_caller]
fn named_and_mended(sandbox: &Sandbox, state: &str, kind: &str, parts: &[&str]) {
    let command = named(sandbox, state, kind, parts);
    sandbox.must(&format!("cd /root; {command}"));
    reload(sandbox);
    logs_in(sandbox, &command);
    nothing_found(sandbox, &command);
}

#[test]
fn an_account_that_is_past_its_time_is_named() {
    let sandbox = stage();
    named_and_mended(
        &sandbox,
        "chage -E 10 ann",
        "account-expired",
        &["expired", "days ago"],
    );
    named_and_mended(
        &sandbox,
        "chage -d 0 ann",
        "password-expired",
        &["must be changed"],
    );
    named_and_mended(
        &sandbox,
        "chage -d 2000-01-01 -M 10 ann",
        "password-expired",
        &["must be changed"],
    );
    named_and_mended(
        &sandbox,
        "chage -d 2000-01-01 -M 10 -I 5 ann",
        "password-expired",
        &["is over"],
    );
    sandbox.must("chage -E $(($(date +%s) / 86400 + 1)) ann");
    logs_in(&sandbox, "a day before it expires");
    nothing_found(&sandbox, "a day before it expires");
}

#[test]
fn a_file_that_stops_everybody_is_named() {
    let sandbox = stage();
    named_and_mended(
        &sandbox,
        ": >/etc/nologin",
        "nologin",
        &["/etc/nologin", "sshd"],
    );
    named_and_mended(
        &sandbox,
        ": >/run/nologin",
        "nologin",
        &["/run/nologin", "systemd"],
    );
}

#[test]
fn an_sshd_that_does_not_let_the_user_in_is_named() {
    let sandbox = stage().with("groupadd wheel; groupadd class; usermod -aG class ann");
    let set = |lines: &str| {
        format!("sed -i '1i {lines}' {CONFIG}; kill -HUP $(cat /run/sandbox-sshd.pid); sleep 0.5")
    };
    let unset = |word: &str| {
        sandbox.must(&format!("sed -i /{word}/d {CONFIG}"));
        reload(&sandbox);
    };
    let denied = |line: &str, parts: &[&str]| named(&sandbox, &set(line), "sshd-denied", parts);
    for line in ["DenyUsers bob a?n", "DenyGroups cl*"] {
        let command = denied(line, &[line.split(' ').next().unwrap_or_default()]);
        assert!(sandbox.must(&command).contains(line), "{command}");
        unset("Deny");
        logs_in(&sandbox, "without the list");
    }
    named_and_mended(
        &sandbox,
        &set("AllowUsers bob"),
        "sshd-denied",
        &["AllowUsers"],
    );
    unset("AllowUsers");
    sandbox.must("rm /etc/ssh/sshd_config.d/*");
    named_and_mended(
        &sandbox,
        &set("AllowGroups wheel"),
        "sshd-denied",
        &["AllowGroups (wheel)"],
    );
    unset("AllowGroups");
    named_and_mended(
        &sandbox,
        &set("MaxSessions 0").replace("1i", "s/^MaxSessions.*/MaxSessions 0/; 1i"),
        "sshd-denied",
        &["MaxSessions"],
    );
}

#[test]
fn keys_that_sshd_does_not_obey_are_named() {
    let sandbox = stage().plain_user("bob");
    // What the user could change meanwhile has no command that root could paste.
    let by_hand = "chown ann: /home/ann /home/ann/.ssh; chmod 755 /home/ann; chmod 700 /home/ann/.ssh; \
                   chmod 600 /home/ann/.ssh/authorized_keys; gpasswd -d bob ann || :";
    let ignored = |state: &str, parts: &[&str]| {
        let command = named(&sandbox, state, "sshd-keys-ignored", parts);
        sandbox.must(if command.is_empty() {
            by_hand
        } else {
            &command
        });
        reload(&sandbox);
        logs_in(&sandbox, state);
        nothing_found(&sandbox, state);
    };
    ignored(
        "chmod 757 /home/ann",
        &["StrictModes", "/home/ann is mode 0757"],
    );
    ignored(
        "chgrp games /home/ann/.ssh; chmod g+w /home/ann/.ssh",
        &["/home/ann/.ssh is mode 0720"],
    );
    ignored(
        "chmod o+w /home/ann/.ssh/authorized_keys",
        &["authorized_keys is mode 0602"],
    );
    ignored("chown bob /home/ann", &["neither root"]);
    ignored(
        "chmod 000 /home/ann/.ssh",
        &[
            "/home/ann/.ssh is mode 0000 and belongs to uid",
            ", and the user can't enter it",
        ],
    );
    // The group of the user alone: Debian's sshd takes such keys.
    sandbox.must("chgrp ann /home/ann/.ssh; chmod 770 /home/ann/.ssh");
    logs_in(&sandbox, "her own group");
    nothing_found(&sandbox, "her own group");
    // With another member it does not.
    ignored("usermod -aG ann bob", &["/home/ann/.ssh is mode 0770"]);
    named(
        &sandbox,
        "chown root: /home/ann/.ssh/authorized_keys",
        "sshd-keys-ignored",
        &[
            "authorized_keys is mode 0600 and belongs to uid 0, and the user can't read it; give it to the user (chown)",
        ],
    );
}

#[test]
fn what_is_printed_for_keys_names_no_path_that_the_user_could_change() {
    let sandbox = stage();
    let command = named(
        &sandbox,
        "chmod 722 /home/ann/.ssh",
        "sshd-keys-ignored",
        &[],
    );
    assert_eq!(
        command,
        format!("jailctl mend --sshd-config {CONFIG} sshd-keys-ignored ann")
    );
    // A link in the place of the directory is changed as the user, who may not.
    sandbox.must("mv /home/ann/.ssh /home/ann/old; install -d -m 777 /srv/target; ln -s /srv/target /home/ann/.ssh");
    sandbox.sh(&command);
    assert_eq!(sandbox.must("stat -c %a /srv/target"), "777");
    let report = sandbox.run(&["jailctl", "check", "--sshd-config", CONFIG, "ann"]);
    assert!(
        report
            .stdout
            .contains("not checked: /home/ann/.ssh/authorized_keys"),
        "{report}"
    );
}

#[test]
fn a_key_in_the_jails_home_is_named() {
    let sandbox = stage();
    let state = "mv /home/ann/.ssh /srv/jails/ann/home/ann/";
    named_and_mended(
        &sandbox,
        state,
        "sshd-keys-inside",
        &[
            "/srv/jails/ann/home/ann/.ssh",
            "/home/ann/.ssh/authorized_keys",
        ],
    );
}

#[test]
fn only_keys_that_lead_to_the_login_shell_are_taken_out_of_a_jails_home() {
    let sandbox = stage();
    let state = "mv /home/ann/.ssh /srv/jails/ann/home/ann/; chmod 700 /srv/jails
        cd /srv/jails/ann/home/ann/.ssh
        sed 's/^/command=\"internal-sftp\" /' authorized_keys >first; cat authorized_keys >>first; cp first authorized_keys";
    let command = named(&sandbox, state, "sshd-keys-inside", &[]);
    assert_eq!(
        command,
        format!("jailctl mend --sshd-config {CONFIG} sshd-keys-inside ann")
    );
    let mended = sandbox.must(&command);
    assert!(
        mended.contains("1 line not copied: keys that force sshd's own SFTP"),
        "{mended}"
    );
    logs_in(&sandbox, &command);
    assert_eq!(
        sandbox.must("cd /home/ann; grep -c internal-sftp .ssh/authorized_keys || stat -c '%U %a' .ssh .ssh/authorized_keys"),
        "0\nann 700\nann 600"
    );
    // With nothing else in it there is nothing to take.
    sandbox.must(
        "cd /srv/jails/ann/home/ann/.ssh; head -n 1 first >authorized_keys; rm -r /home/ann/.ssh",
    );
    let refused = sandbox.sh(&command);
    assert_eq!(refused.code(), Some(3), "{refused}");
    assert!(
        refused
            .stderr
            .contains("has no key that leads to the login shell"),
        "{refused}"
    );
    sandbox.must("test ! -e /home/ann/.ssh");
}

#[test]
fn keys_are_put_into_a_home_with_the_users_rights_alone() {
    let sandbox = stage();
    let command = named(
        &sandbox,
        "mv /home/ann/.ssh /srv/jails/ann/home/ann/; install -d -m 755 /home/ann/.ssh",
        "sshd-keys-inside",
        &[],
    );
    let refused = sandbox.sh(&command);
    assert_eq!(refused.code(), Some(3), "{refused}");
    assert_eq!(sandbox.must("ls -A /home/ann/.ssh"), "");
    // A link to what she could write is not followed.
    sandbox.must(
        "rmdir /home/ann/.ssh; install -d -m 777 /srv/target; ln -s /srv/target /home/ann/.ssh",
    );
    sandbox.sh(&command);
    assert_eq!(sandbox.must("ls -A /srv/target"), "");
}

#[test]
fn a_missing_home_is_named() {
    let sandbox = stage();
    let command = named(
        &sandbox,
        "mv /home/ann /home/away",
        "host-home-missing",
        &["/home/ann"],
    );
    assert_eq!(command, "mkhomedir_helper ann");
    sandbox.must(&format!("{command}; mv /home/away/.ssh /home/ann/"));
    logs_in(&sandbox, &command);
    nothing_found(&sandbox, &command);
}

#[test]
fn lines_of_pam_that_refuse_the_user_are_named() {
    let sandbox = stage();
    let line = |line: &str| format!("sed -i '1i account required {line}' /etc/pam.d/sshd");
    named_and_mended(
        &sandbox,
        &line("pam_shells.so"),
        "pam-shells",
        &["/etc/pam.d/sshd:1", JAIL_SHELL],
    );
    let command = named(
        &sandbox,
        &line("pam_succeed_if.so user ingroup games"),
        "pam-denies",
        &["/etc/pam.d/sshd:1", "ingroup games"],
    );
    assert!(command.contains("/etc/pam.d/sshd"), "{command}");
    sandbox.must("sed -i 1d /etc/pam.d/sshd");
    logs_in(&sandbox, "without the line");
    // A condition that jailctl does not understand is left to the reader.
    sandbox.must(&line("pam_succeed_if.so tty = x"));
    let report = sandbox.run(&["jailctl", "check", "--sshd-config", CONFIG, "ann"]);
    let part = "not checked: PAM: /etc/pam.d/sshd:1: whether pam_succeed_if tty = x";
    assert!(report.stdout.contains(part), "{report}");
    sandbox.must("sed -i 1d /etc/pam.d/sshd");
    sandbox.must(&line("pam_access.so"));
    let report = sandbox.run(&["jailctl", "check", "--sshd-config", CONFIG, "ann"]);
    assert!(
        report
            .stdout
            .contains("not checked: PAM: whether pam_access.so in the stack of sshd"),
        "{report}"
    );
}

#[test]
fn a_login_shell_that_the_host_does_not_have_is_named() {
    let sandbox =
        Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\"\nshell = \"/bin/bash\"");
    logs_in(&sandbox, "at first");
    for state in ["usermod -s /bin/gone ann", "usermod -s /etc/passwd ann"] {
        named_and_mended(&sandbox, state, "host-shell", &["the login shell /"]);
    }
}

#[test]
fn a_full_disk_is_named() {
    let sandbox = stage();
    let fill = "mount -t tmpfs -o size=64k,mode=755 tmpfs /srv/jails/ann
                mkdir -p /srv/jails/ann/home/ann; chown ann: /srv/jails/ann/home/ann
                cat /dev/zero >/srv/jails/ann/fill 2>/dev/null || true";
    sandbox.must(fill);
    let found = found(&sandbox);
    let is_full = |it: &Found| it.what.contains("/srv/jails/ann has no free space");
    assert!(
        found.iter().any(|it| it.kind == "disk-full" && is_full(it)),
        "{found:?}"
    );
    let outcome = sandbox.ssh("ann", "cp /etc/services mine");
    assert_ne!(outcome.code(), Some(0), "{outcome}");
    sandbox.must("rm /srv/jails/ann/fill");
    nothing_found(&sandbox, "with room again");
}

#[test]
fn explain_has_what_a_rehearsal_finds() {
    let sandbox = stage();
    let fine = sandbox.run(&["jailctl", "explain", "ann"]);
    assert_eq!(fine.code(), Some(0), "{fine}");
    sandbox.must("sed -i 's,/bin/bash,/bin/gone,' /etc/login-jail/config.toml");
    let explained = sandbox.run(&["jailctl", "explain", "ann"]);
    assert_eq!(explained.code(), Some(1), "{explained}");
    for part in ["REFUSED (shell-missing)", "[shell-missing]"] {
        assert!(explained.stdout.contains(part), "{part}: {explained}");
    }
}

#[test]
fn an_account_that_nothing_opens_is_named() {
    let sandbox = stage().with("usermod -p '!' ann");
    logs_in(&sandbox, "with a key");
    nothing_found(&sandbox, "with a key");
    let remove = "rm /home/ann/.ssh/authorized_keys";
    let command = named(&sandbox, remove, "account-locked", &["no key"]);
    assert_eq!(command, "passwd ann");
    let sandbox = sandbox.password("ann", "secret");
    nothing_found(&sandbox, "with a password");
}

#[test]
fn add_says_what_refuses_the_account_all_the_same() {
    let sandbox = stage().with("rm -r /srv/jails/ann/home/ann; chage -E 10 ann");
    let added = sandbox.run(&["jailctl", "add", "ann"]);
    assert_eq!(added.code(), Some(0), "{added}");
    for part in [
        "note: the home /home/ann is missing in the jail",
        "jailctl mend home-missing ann",
        "note: the account expired",
        "chage -E -1 ann",
    ] {
        assert!(added.stderr.contains(part), "{part}: {added}");
    }
}
