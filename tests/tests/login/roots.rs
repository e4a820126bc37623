//! Jails made of real systems: what a user does first in each of them works.

use login_jail_tests::{Sandbox, roots, skipped};

#[test]
fn busybox_runs_its_applets() {
    let sandbox = Sandbox::new().user("ann").root(roots::busybox());
    let applets = sandbox.ssh("ann", "/bin/busybox --list");
    assert!(
        applets.ok().lines().any(|applet| applet == "sh"),
        "{applets}"
    );
    assert_eq!(sandbox.ssh("ann", "whoami").ok(), "ann");
    assert_eq!(
        sandbox.ssh("ann", "cat /etc/issue").ok(),
        "a jail of busybox"
    );
    let round = "echo text >/tmp/file && cat /tmp/file && rm /tmp/file";
    assert_eq!(sandbox.ssh("ann", round).ok(), "text");
}

#[test]
fn busybox_has_an_interactive_shell() {
    let sandbox = Sandbox::new().user("ann").root(roots::busybox());
    let mut pty = sandbox.ssh_tty("ann", None);
    pty.line("for word in a b; do");
    pty.line("echo $word'-'$word; done");
    pty.expect("a-a");
    pty.expect("b-b");
    pty.line("cat /nowhere; echo status'='$?");
    pty.expect("status=1");
    pty.line("exit");
    assert_eq!(pty.finish().code(), Some(0));
}

#[test]
fn dynamic_bash_runs_with_nothing_but_its_libraries() {
    let sandbox = Sandbox::new().user("ann").root(roots::dynamic());
    let script = "echo $BASH_VERSION; echo text >/tmp/file; echo $(</tmp/file); type ls cat";
    let outcome = sandbox.ssh("ann", script);
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{outcome}");
    assert_eq!(lines[1], "text");
    assert_eq!(outcome.code(), Some(1), "there is no ls: {outcome}");

    let mut pty = sandbox.ssh_tty("ann", None);
    pty.line("echo shell'='$0 options'='$-");
    pty.expect("shell=-bash options=");
    assert!(pty.expect("\r\n").contains('i'), "the shell is interactive");
    pty.line("exit 5");
    assert_eq!(pty.finish().code(), Some(5));
}

#[test]
fn debian_is_a_debian() {
    let root = match roots::debian() {
        Ok(root) => root,
        Err(reason) => {
            skipped("a Debian root", reason);
            return;
        }
    };
    let sandbox = Sandbox::new().user("ann").root(root);
    assert_eq!(sandbox.ssh("ann", "whoami").ok(), "ann");
    assert!(
        sandbox
            .ssh("ann", "cat /etc/issue")
            .ok()
            .starts_with("Debian")
    );
    let round = "echo text >/tmp/file && cat /tmp/file && rm /tmp/file";
    assert_eq!(sandbox.ssh("ann", round).ok(), "text");
    assert!(
        sandbox
            .ssh("ann", "dpkg --list")
            .ok()
            .contains("base-files")
    );
    assert_eq!(sandbox.ssh("ann", "perl -e 'print 6 * 7'").ok(), "42");
    // The host's home of ann and the host's jails are nowhere.
    assert_eq!(sandbox.ssh("ann", "ls /srv").ok(), "");

    let mut pty = sandbox.ssh_tty("ann", None);
    pty.line("echo $0' in '$PWD");
    pty.expect("-bash in /home/ann");
    pty.line("exit");
    assert_eq!(pty.finish().code(), Some(0));
}

#[test]
fn each_user_is_in_a_root_of_their_own() {
    let sandbox = Sandbox::new()
        .user("ann")
        .root(roots::busybox())
        .user("bea")
        .root(roots::busybox());
    sandbox.ssh("ann", "echo ann >mine").ok();
    sandbox.ssh("bea", "echo bea >mine").ok();
    assert_eq!(sandbox.ssh("ann", "cat mine; ls /home").ok(), "ann\nann");
    assert_eq!(sandbox.ssh("bea", "cat mine; ls /home").ok(), "bea\nbea");
}
