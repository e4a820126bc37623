//! `jailctl setup` and `undo` where somebody is in the way: users who own what is above a root, links, and another administrator.
#![allow(clippy::panic, reason = "a test reports by panicking")]

use login_jail_tests::Sandbox;

/// All that a set-up may change, with contents.
fn state(sandbox: &Sandbox) -> String {
    sandbox.must(
        "cd /; find etc srv home -xdev ! -name '*-' ! -name '.pwd.lock' | LC_ALL=C sort | xargs -d '\\n' stat -c '%N %a %U:%G'
         find etc -xdev -type f ! -name '*-' ! -name .pwd.lock | LC_ALL=C sort | xargs -d '\\n' sha256sum",
    )
}

fn host() -> Sandbox {
    Sandbox::new().with(
        "useradd -m eve; rm -rf /srv/jails; mkdir /srv/jails
         ssh-keygen -q -t ed25519 -N '' -f /root/key; mkdir -p /etc/ssh/sshd_config.d",
    )
}

#[test]
fn refuses_a_place_that_somebody_else_could_exchange_and_changes_nothing() {
    for (there, words, reason) in [
        ("", "--root /home/eve/jails", "/home/eve belongs to uid"),
        (
            "install -d -o eve /home/eve/jails /home/eve/jails/ann",
            "--root /home/eve/jails",
            "/home/eve belongs to uid",
        ),
        (
            "mkdir /srv/open; chmod 777 /srv/open",
            "--root /srv/open/jails",
            "/srv/open is mode 0777",
        ),
        (
            "ln -s /home/eve /srv/jails/ann",
            "",
            "/srv/jails/ann is a symbolic link",
        ),
        (
            "install -d -o eve /srv/jails/ann",
            "",
            "/srv/jails/ann belongs to uid",
        ),
        (
            "mkdir /srv/jails/ann; install -d -o eve /srv/jails/ann/home",
            "",
            "/srv/jails/ann/home belongs to uid",
        ),
        ("", "--shared /home/eve/shared", "/home/eve belongs to uid"),
    ] {
        let sandbox = host().with(there);
        let before = state(&sandbox);
        let said = sandbox.sh(&format!(
            "jailctl setup sftp --user ann --key /root/key.pub --yes {words}"
        ));
        assert_eq!(said.code(), Some(3), "{there} {words}: {said}");
        assert!(
            said.stderr.contains("nothing was changed, because of "),
            "{said}"
        );
        assert!(said.stderr.contains(reason), "{said}");
        assert!(state(&sandbox) == before, "{there} {words}");
        sandbox.must("test ! -e /var/lib/login-jail/setup");
    }
}

#[test]
fn what_takes_the_place_of_a_directory_later_stays_when_it_is_taken_back() {
    let sandbox = host();
    sandbox.must("jailctl setup sftp --user ann --key /root/key.pub --yes");
    // What the user can put into the home, and what root has put in its place.
    sandbox.must(
        "mkdir /srv/keep; touch /srv/keep/file; ln -s /srv/keep /srv/jails/ann/home/ann/link; ln /root/key.pub /srv/jails/ann/home/ann/hard",
    );
    let undone = sandbox.run(&["jailctl", "undo"]);
    assert_eq!(undone.code(), Some(0), "{undone}");
    let kept = "kept: /srv/jails/ann/home/ann: it stays, because it is not empty";
    assert!(undone.stdout.contains(kept), "{undone}");
    sandbox.must(
        "test -e /srv/keep/file; test -L /srv/jails/ann/home/ann/link; test -e /root/key.pub",
    );
}

#[test]
fn two_set_ups_at_once_are_made_one_after_the_other_and_both_are_taken_back() {
    let sandbox = host();
    let before = state(&sandbox);
    sandbox.must(
        "jailctl setup sftp --user ann --key /root/key.pub --yes >/run/one 2>&1 & one=$!
         jailctl setup build-host --user bob --key /root/key.pub --yes >/run/two 2>&1 & two=$!
         wait $one && wait $two || { cat /run/one /run/two >&2; exit 1; }",
    );
    let checked = sandbox.run(&["jailctl", "check"]);
    assert_eq!(checked.code(), Some(0), "{checked}");
    sandbox.must("jailctl undo; jailctl undo");
    let after = state(&sandbox);
    assert!(after == before, "{before}\n---\n{after}");
}
