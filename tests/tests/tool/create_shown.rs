//! What jailctl says of a root directory and a home that the first login will make. It makes nothing.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

use login_jail_tests::Sandbox;

fn host() -> Sandbox {
    Sandbox::new()
        .user("ann")
        .config("exempt = [\"root\"]\n[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\ncreate = true\n")
        .with("mkdir -p /srv/jails")
}

/// What would be left of a home that was made.
fn state(sandbox: &Sandbox) -> String {
    sandbox.must("find /srv -xdev; cat /proc/self/mountinfo")
}

#[test]
fn check_and_explain_say_what_the_first_login_will_make_and_make_nothing() {
    let sandbox = host();
    let before = state(&sandbox);
    let check = sandbox.run(&["jailctl", "check", "--notes", "ann"]);
    let says = "/srv/jails/ann/home/ann is missing, and the first login will make it";
    assert!(check.stdout.contains(says), "{check}");
    assert!(check.stdout.contains("[to-be-made]"), "{check}");
    assert!(
        !check.stdout.contains("[step]") && !check.stdout.contains("-missing]"),
        "{check}"
    );
    let explain = sandbox.run(&["jailctl", "explain", "--steps", "ann"]);
    let says = "the first login will make /srv/jails/ann/home/ann";
    assert!(explain.stdout.contains(says), "{explain}");
    let says = "make /srv/jails/ann, and the home /home/ann, where they are missing: the home with mode 700 and a copy of /etc/skel";
    assert!(explain.stdout.contains(says), "{explain}");
    // What sshd says of another home, before there is a jail.
    let remark = "until /home/ann is there on the host, sshd, su and login print that they can't chdir to it";
    assert!(!explain.words().contains(remark), "{explain}");
    sandbox.must("mv /home/ann /home/away");
    let explain = sandbox.run(&["jailctl", "explain", "ann"]);
    assert!(explain.words().contains(remark), "{explain}");
    sandbox.must("mv /home/away /home/ann");
    let json = sandbox.run(&["jailctl", "explain", "--json", "ann"]);
    assert!(json.stdout.contains("\"will_make\""), "{json}");
    assert_eq!(state(&sandbox), before);
    // Once it is there, nothing is said.
    assert_eq!(sandbox.su_dash_c("ann", "pwd").ok(), "/home/ann");
    let check = sandbox.run(&["jailctl", "check", "--notes", "ann"]);
    assert!(!check.stdout.contains("to-be-made"), "{check}");
    // A home alone that is missing.
    sandbox.must("rm -rf /srv/jails/ann/home/ann");
    let before = state(&sandbox);
    let check = sandbox.run(&["jailctl", "check", "--notes", "ann"]);
    assert!(check.stdout.contains("to-be-made"), "{check}");
    assert!(!check.stdout.contains("home-missing"), "{check}");
    assert_eq!(state(&sandbox), before);
}

#[test]
fn check_finds_what_the_first_login_would_be_refused_for() {
    let sandbox = host().with("mkdir -p /srv/jails/ann/home; ln -s /etc /srv/jails/ann/home/ann");
    let check = sandbox.run(&["jailctl", "check", "--notes", "ann"]);
    assert_eq!(check.code(), Some(1), "{check}");
    let says = "the home: /srv/jails/ann/home/ann is a symbolic link, not a directory; remove it";
    assert!(check.stdout.contains(says), "{check}");
    // Only the login itself finds this.
    let sandbox = host().with("mkfifo /etc/skel/pipe");
    let check = sandbox.run(&["jailctl", "check", "--notes", "ann"]);
    assert!(
        check.stdout.contains("/etc/skel/pipe is a FIFO; remove it"),
        "{check}"
    );
    assert_eq!(sandbox.must("ls -A /srv/jails"), "");
}
