//! `jailctl setup` where there has been another set-up, or where what is asked for is a slip of the administrator.

use login_jail_tests::documents::machine;
use login_jail_tests::{Outcome, Sandbox};

/// All of /etc that a set-up may change, and the roots and homes.
fn state(sandbox: &Sandbox) -> String {
    sandbox.must(
        "cd /; find etc srv home -xdev ! -name '*-' ! -name '.pwd.lock' | LC_ALL=C sort | xargs -d '\\n' stat -c '%N %a %U:%G'
         find etc -xdev -type f ! -name '*-' ! -name .pwd.lock | LC_ALL=C sort | xargs -d '\\n' sha256sum",
    )
}

fn setup(sandbox: &Sandbox, words: &str) -> Outcome {
    sandbox.sh(&format!(
        "export PATH=/usr/local/sbin:$PATH; cd /root; jailctl setup {words} --yes"
    ))
}

fn you(sandbox: &Sandbox, command: &str) -> Outcome {
    let script = format!("export HOME=/home/you; cd; {command}");
    sandbox.run_as("you", &["bash", "-c", &script])
}

/// Insists on a refusal for this reason that has changed nothing.
#[track_caller]
fn refused(sandbox: &Sandbox, words: &str, reason: &str) {
    let before = state(sandbox);
    let said = setup(sandbox, words);
    assert_eq!(said.code(), Some(3), "{said}");
    assert!(
        said.stderr.contains("nothing was changed, because "),
        "{said}"
    );
    assert!(said.stderr.contains(reason), "{reason}: {said}");
    assert!(state(sandbox) == before, "{words} changed something");
}

const TARGETS: &str = "printf '127.0.0.2 web1.internal\n127.0.0.4 db.internal\n' >>/etc/hosts
    printf 'ListenAddress 127.0.0.2\nListenAddress 127.0.0.4\nPidFile /run/targets.pid\n' >/etc/ssh/targets
    /usr/sbin/sshd -f /etc/ssh/targets; until [ -s /run/targets.pid ]; do sleep 0.01; done";

#[test]
fn each_group_of_a_jump_host_keeps_its_own_targets() {
    let sandbox = machine().with(TARGETS);
    let ann = "jump-host --user ann --key key.pub --target web1.internal:22";
    setup(&sandbox, ann).ok();
    let bob = "jump-host --user bob --key key.pub --target db.internal:22";
    refused(
        &sandbox,
        bob,
        "all users of the group jump may reach web1.internal:22",
    );
    setup(&sandbox, &format!("{bob} --group databases")).ok();
    let opens = |user: &str, target: &str| {
        let asked = format!("ssh -W {target}:22 {user}@server </dev/null | head -c 4");
        you(&sandbox, &asked).stdout == "SSH-"
    };
    for (user, target, is_open) in [
        ("ann", "web1.internal", true),
        ("ann", "db.internal", false),
        ("bob", "db.internal", true),
        ("bob", "web1.internal", false),
    ] {
        assert_eq!(opens(user, target), is_open, "{user} {target}");
        let explained = sandbox.run(&["jailctl", "explain", user]);
        assert_eq!(explained.code(), Some(0), "{explained}");
        let shown = format!("AllowTcpForwarding (to {target}:22)");
        assert_eq!(explained.words().contains(&shown), is_open, "{explained}");
    }
    // The same targets, in another order or left out, are no others.
    let again = setup(&sandbox, "jump-host --user cid --key key.pub");
    assert_eq!(again.code(), Some(0), "{again}");
    assert!(opens("cid", "web1.internal") && opens("ann", "web1.internal"));
}

#[test]
fn what_a_jump_host_says_is_no_answer_to_a_file_transfer() {
    let sandbox = machine().with(TARGETS);
    setup(
        &sandbox,
        "jump-host --user ann --key key.pub --target web1.internal:22",
    )
    .ok();
    // sshd lets nothing but the answer of a subsystem through, which is what sftp and the newer scp ask for.
    for (command, is_told) in [
        ("echo ls | sftp -b - ann@server", false),
        ("scp ann@server:file copy", false),
        ("scp -O ann@server:file copy", true),
        ("ssh ann@server id", true),
    ] {
        let said = you(&sandbox, command);
        assert_ne!(said.code(), Some(0), "{command}: {said}");
        assert_eq!(said.stdout, "", "{command}");
        let told = said.stderr.contains("This account is for ssh -J only.");
        assert_eq!(told, is_told, "{command}: {said}");
        assert!(!said.stderr.contains("message too long"), "{said}");
    }
}

#[test]
fn a_group_keeps_its_recipe() {
    let sandbox = machine();
    setup(&sandbox, "class --group people --user ann --key key.pub").ok();
    refused(
        &sandbox,
        "jump-host --group people --target web1:22",
        "the group people has the recipe class already",
    );
}

#[test]
fn who_has_no_key_is_said_to_be_locked_out_until_there_is_one() {
    let sandbox = machine();
    let made = setup(&sandbox, "sftp --user ann");
    assert_eq!(made.code(), Some(0), "{made}");
    let file = "/etc/ssh/authorized_keys.d/ann";
    assert!(
        made.words().contains(&format!(
            "note: ann can't log in yet: there is no key, and a new account has no password; give --key FILE, or put the public key into {file}"
        )),
        "{made}"
    );
    assert_eq!(
        made.stdout.matches("note: ann can't log in yet").count(),
        2,
        "{made}"
    );
    assert!(
        made.stdout
            .contains("0 warnings, 1 note (--notes shows them)"),
        "{made}"
    );
    let said = sandbox.run(&["jailctl", "check", "--notes", "ann"]);
    assert!(said.stdout.contains("[account-locked]"), "{said}");
    assert!(
        said.words().contains("nobody can log in as this user"),
        "{said}"
    );
    assert!(
        said.words()
            .contains(&format!("put a public key into {file}")),
        "{said}"
    );
    let explained = sandbox.run(&["jailctl", "explain", "--verbose", "ann"]);
    assert!(explained.stdout.contains("[account-locked]"), "{explained}");
    setup(&sandbox, "sftp --user ann --key key.pub").ok();
    you(&sandbox, "echo ls | sftp -q -b - ann@server").ok();
    assert_eq!(sandbox.run(&["jailctl", "check"]).code(), Some(0));
}

#[test]
fn a_mistyped_directory_is_not_made() {
    let sandbox = machine();
    sandbox.must("mkdir /srv/lessons");
    let class = "class --user ann --key key.pub";
    for (option, above) in [("--shared", "/srv/lesson"), ("--root", "/srvv")] {
        refused(
            &sandbox,
            &format!("{class} {option} {above}/today"),
            &format!("{option} names a directory in {above}, which is missing"),
        );
    }
    let made = setup(&sandbox, &format!("{class} --shared /srv/lesson"));
    assert!(
        made.ok()
            .contains("note: /srv/lesson is missing, and is made as an empty directory"),
        "{made}"
    );
    let made = setup(
        &sandbox,
        "sftp --user bob --key key.pub --shared /srv/lessons",
    );
    assert!(!made.ok().contains("is missing"), "{made}");
}

#[test]
fn a_home_that_undo_has_left_stops_the_next_account_before_anything_is_changed() {
    let sandbox = machine();
    for (user, recipe, home) in [
        ("ann", "sftp", "/srv/jails/ann/home/ann"),
        ("bob", "class", "/home/bob"),
    ] {
        let words = format!("{recipe} --user {user} --key key.pub");
        setup(&sandbox, &words).ok();
        sandbox.must(&format!("touch {home}/letter; jailctl undo"));
        let move_away = format!("mv {home} {home}.old");
        refused(&sandbox, &words, &move_away);
        // Also for an account that somebody has made since.
        sandbox.must(&format!("useradd -M -p '*' {user}"));
        refused(&sandbox, &words, &move_away);
        sandbox.must(&format!("userdel {user}; {move_away}"));
        setup(&sandbox, &words).ok();
        sandbox.must("jailctl undo");
    }
    // By a list as well.
    sandbox.must("jailctl setup sftp --yes; jailctl add --group sftponly --create-accounts --key /root/key.pub ann");
    sandbox.must("touch /srv/jails/ann/home/ann/letter; jailctl undo");
    let before = state(&sandbox);
    let again =
        sandbox.sh("jailctl add --group sftponly --create-accounts --key /root/key.pub ann");
    assert!(
        again
            .stderr
            .contains("mv /srv/jails/ann/home/ann /srv/jails/ann/home/ann.old"),
        "{again}"
    );
    assert!(state(&sandbox) == before, "{again}");
}

#[test]
fn nobody_is_brought_into_a_group_that_gives_the_machine_away() {
    let sandbox = machine();
    sandbox.must("jailctl setup sftp --yes; useradd -M -p '*' bob; groupadd -o -g 0 zero
        for group in ops crew byid; do groupadd $group; done; mkdir -p /etc/sudoers.d
        printf '@includedir /etc/sudoers.d\\n' >>/etc/sudoers; printf '%%ops ALL=(ALL) ALL\\n' >/etc/sudoers.d/ops
        printf '%%#%s ALL=(ALL) ALL\\n' $(getent group byid | cut -d: -f3) >/etc/sudoers.d/byid
        echo 'permit persist :crew' >/etc/doas.conf");
    for group in [
        "root", "sudo", "disk", "shadow", "docker", "zero", "ops", "byid", "crew",
    ] {
        sandbox.write("/root/l.csv", format!("name,group\nann,sftponly {group}\n"));
        sandbox.write(
            "/root/state.toml",
            format!("create = true\n[users.ann]\ngroups = [\"sftponly\", \"{group}\"]\n"),
        );
        let before = state(&sandbox);
        for command in [
            format!("setup host-view --group {group} --user bob --key /root/key.pub --yes"),
            format!("setup host-view --group {group} --user ann --key /root/key.pub --yes"),
            format!("add --group {group} --jail sftponly --create-accounts ann eve"),
            "add --from /root/l.csv --create-accounts".to_owned(),
            "apply /root/state.toml".to_owned(),
        ] {
            let said = sandbox.sh(&format!("jailctl {command}"));
            assert!(matches!(said.code(), Some(2 | 3)), "{command}: {said}");
            let reason = match command.starts_with("setup") && ["root", "zero"].contains(&group) {
                true => "root has uid 0, which is never put into a jail".to_owned(),
                false => format!(
                    "members of the group {group} can take over this machine or read all of it"
                ),
            };
            assert!(said.stderr.contains(&reason), "{command}: {said}");
            assert!(state(&sandbox) == before, "{command}");
        }
    }
    // Whoever is in it already stays there, and can be jailed.
    sandbox.must("gpasswd -a bob disk");
    let added = sandbox.sh("jailctl add --group sftponly bob");
    assert!(matches!(added.code(), Some(0 | 1)), "{added}");
    // And it is said what the jail does not take away.
    let note = "note: bob can become root by sudo or doas";
    assert!(!sandbox.sh("jailctl add bob").stderr.contains(note));
    sandbox.must("gpasswd -a bob ops");
    let added = sandbox.sh("jailctl add bob");
    assert!(added.stderr.contains(note), "{added}");
}

#[test]
fn every_recipe_takes_every_option_and_goes_without_a_trace() {
    let sandbox = machine();
    let before = state(&sandbox);
    for recipe in [
        "sftp",
        "host-view",
        "class",
        "contractor",
        "jump-host",
        "build-host",
    ] {
        let target = match recipe {
            "jump-host" => "--target web1.internal:22",
            _ => "",
        };
        let words = format!(
            "{recipe} --group own --root /srv/own --user ann --key key.pub --shared /srv/all --until 2099-12-31 --limits nproc=40,fsize=1G {target}"
        );
        let made = setup(&sandbox, &words);
        assert_eq!(made.code(), Some(0), "{made}");
        for command in ["check", "explain ann"] {
            let said = sandbox.sh(&format!("jailctl {command}"));
            assert_eq!(said.code(), Some(0), "{recipe}: {said}");
        }
        let explained = sandbox.run(&["jailctl", "explain", "ann"]);
        for part in ["2099-12-31", "nproc 40", "/shared is /srv/all"] {
            assert!(
                explained.words().contains(part),
                "{recipe} {part}: {explained}"
            );
        }
        let there = state(&sandbox);
        assert!(setup(&sandbox, &words).ok().contains("nothing to change"));
        assert!(
            state(&sandbox) == there,
            "{recipe}: the second run changed something"
        );
        let undone = sandbox.sh("PATH=/usr/local/sbin:$PATH; jailctl undo");
        assert_eq!(undone.code(), Some(0), "{undone}");
        assert!(!undone.stdout.contains("kept"), "{recipe}: {undone}");
        let after = state(&sandbox);
        assert!(after == before, "{recipe}:\n{before}\n{after}");
    }
}
