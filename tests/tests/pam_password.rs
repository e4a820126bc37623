//! A password that has expired is changed before the jail is entered, or the user is told how to change it. passwd(1) has no
//! effect in the jail, and sshd would start it there.

use login_jail_tests::{Pty, Sandbox, roots};

/// ann behind PAM with the host's system, and a password that has to be changed.
fn with_expired_password() -> Sandbox {
    Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\"\nshell = \"/bin/bash\"")
        .sshd("Match User ann\nPasswordAuthentication yes\nKbdInteractiveAuthentication yes")
        .with("chage -d 0 ann")
}

/// Types the old password and, twice, a new one.
fn change(pty: &mut Pty) {
    pty.expect("urrent password: ");
    pty.line("secret").expect("New password: ");
    pty.line("another-Word7").expect("etype new password: ");
    pty.line("another-Word7");
}

/// Insists that the password was changed, on the host.
#[track_caller]
fn is_changed(sandbox: &Sandbox) {
    let today = sandbox.must("echo $(($(date +%s) / 86400))");
    assert_eq!(
        sandbox.must("getent shadow ann | cut -d: -f3"),
        today,
        "the day of the last change"
    );
}

#[test]
fn a_key_does_not_get_past_an_expired_password_and_the_user_is_told_how_to_change_it() {
    let sandbox = with_expired_password();
    let sentence = "your password has expired, and can't be changed in this session; to change it, log in with \
                    ssh -o PreferredAuthentications=keyboard-interactive, or ask the administrator for a new one";
    let asked = sandbox.ssh_tty("ann", Some("echo I''N")).finish();
    assert_ne!(asked.code(), Some(0), "{asked}");
    assert!(!asked.stdout.contains("IN"), "{asked}");
    assert!(asked.stdout.contains(sentence), "{asked}");
    sandbox.module_logged(&["password-expired", "user=\"ann\"", "passwd USER"]);
    // Without a terminal, sshd says that it wants one.
    let asked = sandbox.ssh("ann", "echo I''N");
    assert_ne!(asked.code(), Some(0), "{asked}");
    assert!(!asked.stdout.contains("IN"), "{asked}");
    assert!(asked.stderr.contains("Password change required"), "{asked}");
}

#[test]
fn a_password_that_has_not_expired_is_not_spoken_of() {
    let sandbox = with_expired_password();
    for (changed, longest, told) in [(0, 30, false), (31, 30, true), (31, -1, false)] {
        sandbox.must(&format!(
            "chage -d $(($(date +%s) / 86400 - {changed})) -M {longest} ann"
        ));
        let shown = sandbox.ssh_tty("ann", Some("echo I''N")).finish();
        let said = shown.stdout.contains("your password has expired");
        assert_eq!(said, told, "{shown}");
        assert_eq!(shown.stdout.contains("IN\r\n"), !told, "{shown}");
    }
}

#[test]
fn sshd_has_a_password_changed_before_the_jail_by_keyboard_interactive() {
    let sandbox = with_expired_password();
    // Starts sshd.
    sandbox.ssh("root", "true").ok();
    let mut words = vec!["ssh", "-F", "/dev/null"];
    for option in [
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "LogLevel=ERROR",
        "PreferredAuthentications=keyboard-interactive",
    ] {
        words.extend(["-o", option]);
    }
    words.extend(["ann@127.0.0.1", "echo IN; ls -d /srv; exit 4"]);
    let mut pty = sandbox.terminal(&words);
    pty.expect("assword: ");
    pty.line("secret");
    change(&mut pty);
    pty.expect("IN\r\n");
    let end = pty.finish();
    assert_eq!(end.code(), Some(4), "{end}");
    assert!(!end.stdout.contains("/srv\r\n"), "{end}");
    is_changed(&sandbox);
}

#[test]
fn login_has_a_password_changed_before_the_jail() {
    let sandbox = with_expired_password();
    let mut pty = sandbox.login("ann", "secret");
    change(&mut pty);
    pty.expect("$ ");
    pty.line("echo I''N; ls -d /srv; exit 4");
    pty.expect("IN\r\n");
    let end = pty.finish();
    assert!(!end.stdout.contains("\n/srv\r\n"), "{end}");
    is_changed(&sandbox);
}
