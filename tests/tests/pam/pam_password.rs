//! A password that has expired is changed before the jail is entered, or the login is refused and the user told how to change
//! it. passwd(1) has no effect in the jail, and sshd would start it there.

use login_jail_tests::{Outcome, Pty, Sandbox, roots};

const SENTENCE: &str = "your password has expired; if you are not asked for a new one now, log in with \
                        ssh -o PreferredAuthentications=keyboard-interactive, or ask the administrator for a new one";

/// ann behind PAM with the host's system, and a password that has to be changed.
fn with_expired_password() -> Sandbox {
    Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\"\nshell = \"/bin/bash\"")
        .sshd("Match User ann\nPasswordAuthentication yes\nKbdInteractiveAuthentication yes")
        .with(
            "sed -i -e '/^account.*pam_jail/d' -e '1i account required pam_jail.so' /etc/pam.d/sshd; chage -d 0 ann",
        )
}

/// Gives all that a client shows.
fn shown(end: &Outcome) -> String {
    format!("{}{}", end.stdout, end.stderr)
}

/// Insists that the login is refused, and that nothing ran, passwd least of all.
#[track_caller]
fn is_refused(end: &Outcome) {
    assert_ne!(end.code(), Some(0), "{end}");
    let shown = shown(end);
    assert!(
        !shown.contains("IN\n") && !shown.contains("IN\r\n"),
        "{end}"
    );
    for word in ["urrent password", "New password", "passwd:"] {
        assert!(!shown.contains(word), "{word}: {end}");
    }
}

/// Insists besides that the user is told what to do.
#[track_caller]
fn is_refused_and_told(end: &Outcome) {
    is_refused(end);
    assert!(shown(end).contains(SENTENCE), "{end}");
}

/// Insists on what the log has of a refusal, and that it has no session.
#[track_caller]
fn is_logged(sandbox: &Sandbox) {
    sandbox.module_logged(&[
        "refused code=account",
        "user=\"ann\"",
        "password-expired",
        "passwd USER",
    ]);
    let log = sandbox.module_log();
    assert!(
        !log.iter().any(|line| line.contains("enter user=")),
        "{log:?}"
    );
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
    let changed = sandbox.must("getent shadow ann | cut -d: -f3");
    assert_eq!(changed, today, "the day of the last change");
}

#[test]
fn a_key_is_refused_with_what_to_do_on_a_terminal_and_without() {
    let sandbox = with_expired_password();
    for terminal in ["-tt", "-T"] {
        is_refused_and_told(&sandbox.ssh_loud("ann", "INFO", &[terminal], "echo IN"));
    }
    // Clients that are told to show no banner see sshd's own words only.
    is_refused(&sandbox.ssh("ann", "echo IN"));
    is_refused(&sandbox.ssh_tty("ann", Some("echo I''N")).finish());
    is_refused(&sandbox.ssh_tty("ann", None).finish());
    is_logged(&sandbox);
}

#[test]
fn clients_of_sftp_and_scp_are_told_what_to_do() {
    let sandbox = with_expired_password();
    let words = sandbox.ssh_argv("ann", &[], None);
    let options = words[1..words.len() - 1].join(" ");
    let options = options.replace("LogLevel=ERROR", "LogLevel=INFO");
    for client in [
        "sftp -b /dev/null",
        "scp /etc/hostname",
        "scp -O /etc/hostname",
    ] {
        let target = if client.starts_with("scp") { ":x" } else { "" };
        let (program, rest) = client.split_once(' ').unwrap_or_default();
        let end = sandbox.sh(&format!("{program} {options} {rest} ann@127.0.0.1{target}"));
        is_refused_and_told(&end);
    }
}

/// Debian's stack ends before it asks a line at its end.
#[test]
fn a_line_at_the_end_of_the_stack_refuses_and_check_says_where_it_belongs() {
    let sandbox = with_expired_password();
    sandbox.set_pam_lines("required", "");
    for terminal in ["-tt", "-T"] {
        is_refused(&sandbox.ssh_loud("ann", "INFO", &[terminal], "echo IN"));
    }
    is_logged(&sandbox);
    let found = sandbox.run(&["jailctl", "check", "ann"]);
    let wanted = "is told so if the account line of pam_jail.so stands at the top of the stack";
    assert!(found.stdout.contains(wanted), "{found}");
}

#[test]
fn a_password_that_the_client_sends_is_refused_with_what_to_do() {
    let sandbox = with_expired_password();
    // Starts sshd.
    sandbox.ssh("root", "true").ok();
    for more in ["", "-tt"] {
        let client = format!(
            "exec ssh -F /dev/null -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
             -o PreferredAuthentications=password {more} ann@127.0.0.1 \"echo I''N\""
        );
        let mut pty = sandbox.terminal(&["sh", "-c", &client]);
        pty.expect("password: ");
        pty.line("secret");
        is_refused_and_told(&pty.finish());
    }
    is_logged(&sandbox);
}

#[test]
fn a_password_that_has_not_expired_is_not_spoken_of() {
    let sandbox = with_expired_password();
    for (changed, longest, expired) in [(0, 30, false), (31, 30, true), (31, -1, false)] {
        sandbox.must(&format!(
            "chage -d $(($(date +%s) / 86400 - {changed})) -M {longest} ann"
        ));
        let end = sandbox.ssh_loud("ann", "INFO", &["-tt"], "echo IN");
        if expired {
            is_refused_and_told(&end);
        } else {
            assert_eq!(end.stdout, "IN\r\n", "{end}");
            assert!(!shown(&end).contains("expired"), "{end}");
        }
    }
}

#[test]
fn a_line_that_is_quiet_refuses_and_says_nothing() {
    let sandbox = with_expired_password();
    sandbox.must("sed -i '/pam_jail/s/$/ quiet/' /etc/pam.d/sshd");
    let end = sandbox.ssh_loud("ann", "INFO", &[], "echo IN");
    assert_ne!(end.code(), Some(0), "{end}");
    assert!(!shown(&end).contains(SENTENCE), "{end}");
    is_logged(&sandbox);
}

#[test]
fn where_pam_unix_lets_an_expired_password_pass_so_does_the_module() {
    let sandbox = with_expired_password();
    sandbox.set_pam_lines("required", "");
    sandbox.must(
        "sed -i 's/^\\(account.*pam_unix.so\\)/\\1 no_pass_expiry/' /etc/pam.d/common-account",
    );
    let check = || sandbox.run(&["jailctl", "check", "ann"]).stdout;
    is_refused_and_told(&sandbox.ssh("ann", "echo IN"));
    let found = check();
    assert!(found.contains("pam_jail.so (/etc/pam.d/sshd:"), "{found}");
    sandbox.set_pam_lines("required", "no_pass_expiry");
    let end = sandbox.ssh_loud("ann", "INFO", &[], "echo IN");
    assert_eq!(end.ok(), "IN");
    assert!(!shown(&end).contains("expired"), "{end}");
    let found = check();
    assert!(found.contains("sshd goes by keys all the same"), "{found}");
    assert!(!found.contains("pam-options"), "{found}");
}

#[test]
fn check_and_explain_say_that_the_module_refuses() {
    let sandbox = with_expired_password();
    for command in ["check", "explain"] {
        let found = sandbox.run(&["jailctl", command, "ann"]);
        assert!(!found.stdout.contains("is told so if"), "{found}");
        assert!(
            found
                .words()
                .contains("pam_jail.so refuses sshd's sessions, by key too"),
            "{found}"
        );
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

#[test]
fn a_program_that_asks_for_no_password_is_not_refused() {
    let sandbox = with_expired_password();
    let end = sandbox.run(&["sudo", "-u", "ann", "echo", "IN"]);
    assert_eq!(end.ok(), "IN");
    sandbox.module_logged(&["enter user=\"ann\""]);
}
