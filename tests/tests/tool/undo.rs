//! `jailctl undo` where something is in its way, and the journals that it goes by.
#![allow(clippy::panic, reason = "a test reports by panicking")]

use login_jail_tests::documents::machine;
use login_jail_tests::{Outcome, Sandbox, fault::probe};

fn sh(sandbox: &Sandbox, script: &str) -> Outcome {
    sandbox.sh(&format!("export PATH=/usr/local/sbin:$PATH; {script}"))
}

const ANN: &str = "jailctl setup sftp --user ann --key /root/key.pub --yes";

#[test]
fn what_undo_can_not_make_roots_is_said_to_be_kept_and_the_rest_is_taken_back() {
    let sandbox = machine();
    let before = sandbox.must("cat /etc/passwd /etc/group /etc/login-jail/config.toml");
    sh(&sandbox, ANN).ok();
    // The directory above the home is no longer root's alone: whoever owns it could put another in the home's place.
    sandbox.must("touch /srv/jails/ann/home/ann/letter; chmod 777 /srv/jails/ann/home");
    let undone = sh(&sandbox, "jailctl undo");
    assert_eq!(undone.code(), Some(0), "{undone}");
    let kept: Vec<&str> = undone
        .stdout
        .lines()
        .filter(|line| line.starts_with("kept: "))
        .collect();
    assert!(
        kept.iter()
            .any(|line| line.contains("/srv/jails/ann/home/ann") && line.contains("mode 0777")),
        "{undone}"
    );
    assert_eq!(
        sandbox.must("cat /etc/passwd /etc/group /etc/login-jail/config.toml"),
        before
    );
    let list = sandbox.run(&["jailctl", "undo", "--list"]);
    assert_eq!(list.ok(), "no set-up can be taken back");
    sandbox.must("test -e /srv/jails/ann/home/ann/letter");
}

#[test]
fn a_root_in_which_a_chroot_session_is_open_stays_and_goes_by_itself_later() {
    let sandbox = machine().config("exempt = [\"root\"]\n");
    sandbox.must("useradd -m -p '*' -s /bin/bash ann");
    sandbox.write(
        "/root/state.toml",
        "[jails.kit]\nroot = \"/srv/kit\"\nshell = \"/bin/sh\"\nisolation = \"chroot\"\n[roots.\"/srv/kit\"]\nprograms = [\"sh\", \"sleep\"]\n[users.ann]\njail = \"kit\"\n",
    );
    let made = sh(&sandbox, "jailctl apply /root/state.toml");
    assert!(matches!(made.code(), Some(0 | 1)), "{made}");
    sandbox.must(
        "su - ann -c 'sleep 60' >/dev/null 2>&1 & until pgrep -u ann sleep; do sleep 0.05; done",
    );
    let undone = sh(&sandbox, "jailctl undo");
    assert!(
        undone
            .ok()
            .contains("kept: /srv/kit: it stays, because a session is open in it"),
        "{undone}"
    );
    sandbox.must("test -e /srv/kit/usr/bin/sleep -o -e /srv/kit/bin/sleep; pgrep -u ann sleep");
    assert_eq!(sandbox.must("getent passwd ann | cut -d: -f7"), "/bin/bash");
}

/// The oldest journals go when there are too many. Each call that removes something of one is the last of its process.
#[test]
fn old_journals_go_whole_wherever_their_removal_is_stopped() {
    let sandbox = machine();
    sh(&sandbox, ANN).ok();
    let fill = "cd /var/lib/login-jail/setup; for n in $(seq 103); do [ -e $n ] || cp -a $(ls | tail -n 1) $n; done";
    let next = "setup sftp --user bob --key /root/key.pub --yes";
    // unlink(2), with which the files of a journal go, and rmdir(2) and unlinkat(2), with which their directory does.
    for call in [
        "87#1", "87#2", "87#3", "87#9", "87#20", "84#1", "263#1", "263#3",
    ] {
        sandbox.must(fill);
        sh(
            &sandbox,
            &format!(
                "{} 0:0 call {call} kill /usr/sbin/jailctl jailctl {next}",
                probe("inject")
            ),
        );
        let list = sandbox.run(&["jailctl", "undo", "--list"]);
        assert_eq!(list.code(), Some(0), "{call}: {list}");
        // The set-up whose beginning was killed has changed nothing, and goes first.
        if list.stdout.contains("half-way") {
            sh(&sandbox, "jailctl undo").ok();
        }
        let made = sh(&sandbox, &format!("jailctl {next}"));
        assert_eq!(made.code(), Some(0), "{call}: {made}");
        let kept =
            sandbox.must("cd /var/lib/login-jail/setup; ls | wc -l; ls */setup.json | wc -l");
        assert_eq!(kept, "100\n100", "{call}");
        sandbox.must("PATH=/usr/local/sbin:$PATH jailctl undo; ! getent passwd bob");
    }
}

#[test]
fn a_list_names_some_users_of_a_large_set_up() {
    let sandbox = machine();
    sh(&sandbox, "jailctl setup sftp --yes").ok();
    let users: Vec<String> = (1..=40).map(|number| format!("u{number}")).collect();
    let added = sh(
        &sandbox,
        &format!(
            "jailctl add --group sftponly --create-accounts {}",
            users.join(" ")
        ),
    );
    assert!(matches!(added.code(), Some(0 | 1)), "{added}");
    let list = sandbox.run(&["jailctl", "undo", "--list"]);
    assert!(list.ok().contains(" u1,u2,u3 and 37 more "), "{list}");
    let list = sandbox.run(&["jailctl", "undo", "--list", "--json"]);
    assert!(list.ok().contains("\"u40\""), "{list}");
}
