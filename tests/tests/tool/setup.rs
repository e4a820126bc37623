//! `jailctl setup` and `jailctl undo`, on a machine with Debian's sshd: each recipe is one command to a login by the right
//! client, and one command back.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use login_jail_tests::documents::machine;
use login_jail_tests::{Outcome, Sandbox, skipped};
use serde_json::Value;

/// All of /etc, with modes, owners and contents; without the copies and locks that the programs for accounts leave.
const STATE: &str = r#"
cd /etc
others() { find . -regextype egrep \( -regex '\./g?(passwd|group|shadow)([-+]|\.lock|\.[0-9]+)' -o -name .pwd.lock \) -prune -o "$@"; }
others -printf '%p %y %m %U %G %l\n' | sort
others -type f -print0 | sort -z | xargs -0 sha256sum
"#;

fn state(sandbox: &Sandbox) -> String {
    sandbox.must(STATE)
}

/// Gives what is in one state and not in the other.
fn difference(before: &str, after: &str) -> String {
    let only = |one: &str, other: &str| -> String {
        let lines = one
            .lines()
            .filter(|line| !other.lines().any(|it| it == *line));
        lines.map(|line| format!("{line}\n")).collect()
    };
    format!("- {}+ {}", only(before, after), only(after, before))
}

#[track_caller]
fn assert_same(sandbox: &Sandbox, before: &str, when: &str) {
    let after = state(sandbox);
    assert!(before == after, "{when}:\n{}", difference(before, &after));
}

fn setup(sandbox: &Sandbox, words: &str) -> Outcome {
    sandbox.sh(&format!(
        "export PATH=/usr/local/sbin:$PATH; jailctl setup {words}"
    ))
}

fn undo(sandbox: &Sandbox) -> Outcome {
    sandbox.sh("export PATH=/usr/local/sbin:$PATH; jailctl undo")
}

/// Types a command as the user on the other machine, who has the key.
fn you(sandbox: &Sandbox, command: &str) -> Outcome {
    let script = format!("export HOME=/home/you; cd; {command}");
    sandbox.run_as("you", &["bash", "-c", &script])
}

/// Sets a recipe up on a fresh machine, lets somebody use it, sets it up again, and takes it back.
#[track_caller]
fn there_and_back(words: &str, prepare: &str, use_it: impl FnOnce(&Sandbox)) {
    let sandbox = machine();
    sandbox.must(prepare);
    let before = state(&sandbox);
    let dry = setup(&sandbox, &format!("{words} --dry-run"));
    assert_eq!(dry.code(), Some(0), "{dry}");
    assert_same(&sandbox, &before, "after --dry-run");
    let made = setup(&sandbox, &format!("{words} --yes"));
    assert_eq!(made.code(), Some(0), "{made}");
    assert!(made.stdout.contains("0 errors, 0 warnings"), "{made}");
    let checked = sandbox.run(&["jailctl", "check"]);
    assert_eq!(checked.code(), Some(0), "{checked}");
    use_it(&sandbox);
    let there = state(&sandbox);
    let again = setup(&sandbox, &format!("{words} --yes"));
    assert_eq!(again.code(), Some(0), "{again}");
    assert!(again.stdout.contains("nothing to change"), "{again}");
    assert_same(&sandbox, &there, "after the second run");
    sandbox.must("jailctl kick ann; sleep 0.2");
    let back = undo(&sandbox);
    assert_eq!(back.code(), Some(0), "{back}");
    assert_same(&sandbox, &before, &format!("after undo: {back}"));
    assert!(sandbox.sh("ls /var/lib/login-jail/setup").code() != Some(0));
}

const ANN: &str = "--user ann --key /root/key.pub";

#[test]
fn a_drop_box_is_one_command_there_and_one_back() {
    there_and_back(&format!("sftp {ANN} --shared /srv/all"), "", |sandbox| {
        let put = you(
            sandbox,
            "echo hello >letter; printf 'put letter\\nput letter /shared/letter\\n' | sftp -q -b - ann@server",
        );
        put.ok();
        assert_eq!(
            sandbox.must("cat /srv/jails/ann/home/ann/letter /srv/all/letter"),
            "hello\nhello"
        );
        let shell = you(sandbox, "ssh ann@server id 2>&1");
        assert_eq!(
            shell.stdout.trim(),
            "This account is for SFTP only.",
            "{shell}"
        );
    });
}

#[test]
fn a_shared_host_is_one_command_there_and_one_back() {
    // Of an account that there is already, with a key in its home.
    let prepare = "useradd -m -p '*' -s /bin/bash ann
        install -d -m 700 -o ann -g ann /home/ann/.ssh; install -m 600 -o ann -g ann /root/key.pub /home/ann/.ssh/authorized_keys";
    there_and_back("host-view --user ann", prepare, |sandbox| {
        let seen = you(sandbox, "ssh ann@server 'pwd; ls /home; ls .ssh 2>&1'");
        let text = seen.stdout.as_str();
        assert!(
            text.starts_with("/home/ann\nann\n") && text.contains("No such file"),
            "{seen}"
        );
        let outside = you(sandbox, "ssh ann@server 'cat /etc/shadow'");
        assert_ne!(outside.code(), Some(0), "{outside}");
    });
}

#[test]
fn a_class_is_one_command_there_and_one_back() {
    let prepare = "mkdir -p /srv/lesson; echo today >/srv/lesson/page
        useradd -m -p '*' -s /bin/bash bob
        printf 'session required pam_env.so user_readenv=1 envfile=/etc/default/locale\n' >>/etc/pam.d/su";
    let words = "class --user ann --user bob --key '/root/keys/{user}.pub' --shared /srv/lesson";
    let keys = "mkdir /root/keys; cp /root/key.pub /root/keys/ann.pub; cp /root/key.pub /root/keys/bob.pub";
    there_and_back(words, &format!("{prepare}\n{keys}"), |sandbox| {
        for user in ["ann", "bob"] {
            let seen = you(
                sandbox,
                &format!(
                    "ssh {user}@server 'cat /shared/page; ls /home; echo mine >work; ! touch /shared/x 2>&1'"
                ),
            );
            let text = format!("today\n{user}\n");
            assert!(seen.ok().starts_with(text.trim_end()), "{seen}");
            assert_eq!(sandbox.read(&format!("/home/{user}/work")), "mine");
        }
        let skips = sandbox.must("grep -c 'ingroup class' /etc/pam.d/* | grep -v :0 || true");
        let systemd = sandbox.must(
            "grep -lE '^-?session.*pam_systemd.so' /etc/pam.d/* | grep -v systemd-user || true",
        );
        assert_eq!(skips.lines().count(), systemd.lines().count(), "{skips}");
        assert!(!sandbox.read("/etc/pam.d/su").contains("user_readenv"));
        // Whoever joins later: systemd asks this before it starts a manager, whatever wants it started.
        let drop_in = "/etc/systemd/system/user@.service.d/login-jail-class.conf";
        let condition = sandbox.sh(&format!(
            "cp -a /etc/sub?id- /run; useradd -u 4711 -G class cid; useradd -u 4712 dan
             condition=$(sed -n 's/^ExecCondition=+//p' {drop_in} | sed 's/\\$\\$/$/g')
             for uid in 4711 4712; do eval \"$(echo \"$condition\" | sed \"s/%i/$uid/\")\"; echo $?; done
             userdel cid >/dev/null; userdel dan; cp -a /run/sub?id- /etc"
        ));
        assert_eq!(condition.stdout.trim(), "1\n0", "{condition}");
        sandbox.must("jailctl kick bob");
    });
}

#[test]
fn a_contractor_is_one_command_there_and_one_back() {
    there_and_back(
        &format!("contractor {ANN} --limits nproc=60"),
        "",
        |sandbox| {
            let git = "git init -q -b main work && cd work && git -c user.name=A -c user.email=a@b commit -q --allow-empty -m First";
            sandbox.must(
                "runuser -u ann -- git init -q --bare -b main /srv/jails/ann/home/ann/project.git",
            );
            you(
                sandbox,
                &format!("{git} && git push -q ann@server:project.git main"),
            )
            .ok();
            you(
                sandbox,
                "git clone -q ann@server:project.git got && cd got && git log --format=%s",
            )
            .ok();
            if sandbox.sh("command -v rsync").code() == Some(0) {
                you(
                    sandbox,
                    "mkdir site; echo page >site/index; rsync -a site/ ann@server:site",
                )
                .ok();
                assert_eq!(sandbox.read("/srv/jails/ann/home/ann/site/index"), "page");
            } else {
                skipped("rsync to a contractor's home", "rsync is not installed");
            }
            let shell = you(sandbox, "ssh ann@server id");
            assert_ne!(shell.code(), Some(0), "{shell}");
            assert!(
                sandbox
                    .read("/etc/login-jail/config.toml")
                    .contains("nproc = 60")
            );
        },
    );
}

#[test]
fn a_jump_host_is_one_command_there_and_one_back() {
    let targets = "printf '127.0.0.2 web1.internal\n127.0.0.4 db.internal\n' >>/etc/hosts
        useradd -m -p '*' -s /bin/bash deploy; install -m 644 /root/key.pub /etc/ssh/deploy
        printf 'ListenAddress 127.0.0.2\nListenAddress 127.0.0.4\nPidFile /run/targets.pid\nAuthorizedKeysFile /etc/ssh/%%u\n' >/etc/ssh/targets
        /usr/sbin/sshd -f /etc/ssh/targets; until [ -s /run/targets.pid ]; do sleep 0.01; done";
    let words = format!("jump-host {ANN} --target web1.internal:22");
    there_and_back(&words, targets, |sandbox| {
        let there = you(
            sandbox,
            "ssh -J ann@server deploy@web1.internal 'echo here'",
        );
        assert_eq!(there.ok(), "here");
        let other = you(sandbox, "ssh -J ann@server deploy@db.internal 'echo here'");
        assert_ne!(other.code(), Some(0), "{other}");
        let shell = you(sandbox, "ssh ann@server 2>&1");
        assert_eq!(
            shell.stdout.trim(),
            "This account is for ssh -J only.",
            "{shell}"
        );
    });
    let sandbox = machine();
    let without = setup(&sandbox, &format!("jump-host {ANN} --yes"));
    assert_eq!(without.code(), Some(2), "{without}");
}

#[test]
fn a_build_host_is_one_command_there_and_one_back() {
    there_and_back(&format!("build-host {ANN}"), "", |sandbox| {
        let built = you(
            sandbox,
            "echo 'int main(void) { return 7; }' >main.c; scp -q main.c ann@server: && ssh ann@server 'cc -o main main.c; ./main; echo $?; git init -q repo && git -C repo status -s'",
        );
        assert_eq!(built.ok(), "7");
    });
}

#[test]
fn a_second_user_joins_the_group_and_goes_alone() {
    let sandbox = machine();
    setup(&sandbox, &format!("sftp {ANN} --yes")).ok();
    let one = state(&sandbox);
    let second = setup(&sandbox, "sftp --user bob --key /root/key.pub --yes");
    assert!(
        second.ok().contains("useradd") && !second.stdout.contains("groupadd"),
        "{second}"
    );
    assert!(second.stdout.contains("2 jailed users"), "{second}");
    you(&sandbox, "echo ls | sftp -q -b - bob@server").ok();
    let earlier = sandbox.run(&["jailctl", "undo", "1"]);
    assert_eq!(earlier.code(), Some(3), "{earlier}");
    assert!(earlier.stderr.contains("jailctl undo 2"), "{earlier}");
    sandbox.must("jailctl kick bob");
    undo(&sandbox).ok();
    assert_same(&sandbox, &one, "after the second is taken back");
    you(&sandbox, "echo ls | sftp -q -b - ann@server").ok();
}

#[test]
fn nothing_is_changed_unasked() {
    let sandbox = machine();
    let before = state(&sandbox);
    let refused = setup(&sandbox, &format!("sftp {ANN}"));
    assert_eq!(refused.code(), Some(3), "{refused}");
    assert!(
        refused.stderr.contains("--yes makes the changes"),
        "{refused}"
    );
    assert!(
        refused.stdout.contains("run groupadd -g ") && refused.stdout.contains(" sftponly"),
        "{refused}"
    );
    assert!(
        refused.stdout.contains("+commands = [\"sftp\"]"),
        "{refused}"
    );
    for (answer, made) in [("n", false), ("y", true)] {
        let mut pty = sandbox.terminal(&[
            "jailctl",
            "setup",
            "sftp",
            "--user",
            "ann",
            "--key",
            "/root/key.pub",
        ]);
        pty.expect("[y/N] ");
        pty.line(answer);
        assert_eq!(pty.finish().code(), Some(if made { 0 } else { 3 }));
        assert_eq!(state(&sandbox) != before, made, "{answer}");
    }
}

#[test]
fn a_program_gets_json() {
    let sandbox = machine();
    let plan = setup(&sandbox, &format!("sftp {ANN} --dry-run --json"));
    let plan: Value = serde_json::from_str(plan.ok()).unwrap();
    let kinds: Vec<&str> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["change"]["kind"].as_str().unwrap())
        .collect();
    assert!(
        kinds.starts_with(&["group", "account", "directory"]),
        "{kinds:?}"
    );
    assert_eq!(
        (&plan["made"], &plan["id"]),
        (&Value::Bool(false), &Value::Null)
    );
    let made = setup(&sandbox, &format!("sftp {ANN} --yes --json"));
    let made: Value = serde_json::from_str(made.ok()).unwrap();
    assert_eq!(made["id"], 1);
    assert!(made["check"]["findings"].is_array(), "{made}");
    let list = sandbox.run(&["jailctl", "undo", "--list", "--json"]);
    let list: Value = serde_json::from_str(list.ok()).unwrap();
    assert_eq!(list[0]["about"]["users"], serde_json::json!(["ann"]));
    let undone = sandbox.run(&["jailctl", "undo", "--json"]);
    let undone: Value = serde_json::from_str(undone.ok()).unwrap();
    assert!(undone["changes"].as_array().unwrap().len() > 5, "{undone}");
}

#[test]
fn root_the_caller_and_the_last_administrator_are_never_jailed() {
    let sandbox = machine();
    sandbox.must("for user in ann bob; do useradd -m -p '*' -s /bin/bash -G sudo $user; done; useradd -m -p '*' -s /bin/bash carl");
    let before = state(&sandbox);
    let refused = |words: &str, why: &str| {
        let outcome = sandbox.sh(words);
        assert_eq!(outcome.code(), Some(3), "{outcome}");
        assert!(outcome.stderr.contains(why), "{why}: {outcome}");
        assert_same(&sandbox, &before, words);
    };
    refused("jailctl setup host-view --user root --yes", "root");
    refused(
        "SUDO_USER=carl jailctl setup host-view --user carl --yes",
        "carl is who calls this",
    );
    refused(
        "jailctl setup host-view --user ann --user bob --yes",
        "ann is the last administrator",
    );
    // A rule for a group is for all its members.
    refused(
        "jailctl setup host-view --group sudo --user carl --yes",
        "ann is the last administrator",
    );
    refused(
        "SUDO_USER=bob jailctl setup host-view --group sudo --yes",
        "bob is who calls this",
    );
    // A member whom the group does not list.
    sandbox.must("groupadd people; useradd -m -p '*' -g people -s /bin/bash dora");
    let outcome = sandbox.sh("SUDO_USER=dora jailctl setup host-view --group people --yes");
    assert!(
        outcome.stderr.contains("dora is who calls this"),
        "{outcome}"
    );
    // Who can't log in is no administrator who is left.
    sandbox.must("usermod -s /usr/sbin/nologin bob");
    let outcome = sandbox.sh("jailctl setup host-view --user ann --yes");
    assert!(
        outcome.stderr.contains("ann is the last administrator"),
        "{outcome}"
    );
    sandbox.must("usermod -s /bin/bash bob");
    // With another one left, an administrator may be jailed.
    let fine = setup(&sandbox, "host-view --user ann --dry-run");
    assert_eq!(fine.code(), Some(0), "{fine}");
}

#[test]
fn who_has_another_rule_is_left_alone() {
    let sandbox = machine();
    sandbox.must("useradd -m -p '*' -s /bin/bash ann");
    for (config, why) in [
        ("exempt = [\"root\", \"ann\"]\n", "exempts ann"),
        (
            "[users]\nann = \"/srv/ann\"\n",
            "another rule jails ann already",
        ),
        (
            "[groups]\nsftponly = \"/srv/{user}\"\n",
            "has a rule of its own for sftponly",
        ),
        (
            "[groups]\nsftponly = \"sftponly\"\n[jails.sftponly]\nroot = \"/srv/jails/{user}\"\n",
            "another commands",
        ),
    ] {
        sandbox.write("/etc/login-jail/config.toml", config);
        let before = state(&sandbox);
        let refused = setup(&sandbox, "sftp --user ann --yes");
        assert_eq!(refused.code(), Some(3), "{refused}");
        assert!(refused.stderr.contains(why), "{why}: {refused}");
        assert_same(&sandbox, &before, why);
    }
}

#[test]
fn what_somebody_has_written_since_stays_and_own_lines_go() {
    let sandbox = machine();
    setup(&sandbox, &format!("sftp {ANN} --yes")).ok();
    sandbox.must(
        "sed -i 's/^    PermitUserRC no/&\\n    Banner \\/etc\\/issue/' /etc/ssh/sshd_config.d/10-login-jail-sftponly.conf
         echo carl >>/etc/cron.deny
         sed -i 's/^sftponly = .*/&\\n# mine\\nstaff = \"\\/srv\\/{user}\"/' /etc/login-jail/config.toml
         cat /root/key.pub | sed 's/ssh-ed25519/no-pty &/' >>/etc/ssh/authorized_keys.d/ann
         touch /srv/jails/ann/home/ann/letter",
    );
    let shown = sandbox.run(&["jailctl", "undo", "--dry-run"]);
    assert!(
        shown.ok().contains("run userdel ann") && shown.stdout.contains("-[jails.sftponly]"),
        "{shown}"
    );
    let back = undo(&sandbox);
    assert!(
        back.ok()
            .contains("/srv/jails/ann/home/ann: it stays, because it is not empty"),
        "{back}"
    );
    // Not the next one's who gets the number of the account.
    assert_eq!(
        sandbox.must("stat -c '%u:%g %a' /srv/jails/ann/home/ann"),
        "0:0 700"
    );
    assert_eq!(
        sandbox.read("/etc/ssh/sshd_config.d/10-login-jail-sftponly.conf"),
        "Match Group sftponly\n    Banner /etc/issue\nMatch all"
    );
    assert_eq!(sandbox.read("/etc/cron.deny"), "carl");
    let config = sandbox.read("/etc/login-jail/config.toml");
    assert!(
        config.contains("# mine\nstaff = \"/srv/{user}\"") && !config.contains("sftponly"),
        "{config}"
    );
    let keys = sandbox.read("/etc/ssh/authorized_keys.d/ann");
    assert!(
        keys.starts_with("no-pty") && keys.lines().count() == 1,
        "{keys}"
    );
    sandbox.must("test -e /srv/jails/ann/home/ann/letter; sshd -t; jailctl check");
}

#[test]
fn an_account_without_a_shell_gets_that_back_and_a_group_with_somebody_else_stays() {
    let sandbox = machine();
    sandbox.must("useradd -m -p '*' ann; sed -i 's,^\\(ann:.*:\\)[^:]*$,\\1,' /etc/passwd; useradd -m -p '*' -s /bin/bash carl");
    let before = state(&sandbox);
    setup(&sandbox, &format!("host-view {ANN} --yes")).ok();
    undo(&sandbox).ok();
    assert_same(&sandbox, &before, "an empty shell");
    setup(&sandbox, &format!("host-view {ANN} --yes")).ok();
    sandbox.must("gpasswd -a carl jailed");
    let back = undo(&sandbox);
    assert!(
        back.ok()
            .contains("kept: the group jailed: it stays, because carl came into it later"),
        "{back}"
    );
    assert_eq!(sandbox.must("getent group jailed | cut -d: -f4"), "carl");
}

/// Stops a set-up by making one program of the host fail or kill it, and takes back what was made.
#[test]
fn a_set_up_that_stopped_anywhere_can_be_taken_back() {
    let sandbox = machine();
    sandbox.must("useradd -m -p '*' -s /bin/bash ann; useradd -m -p '*' -s /bin/bash carl");
    let before = state(&sandbox);
    let words = "host-view --user ann --user bob --key '/root/keys/{user}.pub' --yes";
    sandbox.must("mkdir /root/keys; cp /root/key.pub /root/keys/ann.pub; cp /root/key.pub /root/keys/bob.pub");
    let drop_in = "/etc/ssh/sshd_config.d/10-login-jail-jailed.conf";
    let fails = "exit 9";
    let kills = "kill -9 $PPID; exec /usr/sbin/${0##*/} \"$@\"";
    let kills_too = "kill -9 $PPID; exec /usr/bin/${0##*/} \"$@\"";
    let on_drop_in = format!("[ ! -e {drop_in} ] || {{ echo broken >&2; exit 1; }}");
    let killed_on_drop_in = format!("[ ! -e {drop_in} ] || kill -9 $PPID");
    for (program, script) in [
        ("groupadd", fails),
        ("groupadd", kills),
        ("useradd", fails),
        ("useradd", kills),
        ("gpasswd", fails),
        ("gpasswd", kills_too),
        ("sshd", on_drop_in.as_str()),
        ("sshd", killed_on_drop_in.as_str()),
        ("usermod", fails),
        ("usermod", kills),
    ] {
        let shim = format!("/usr/local/sbin/{program}");
        sandbox.write(&shim, format!("#!/bin/sh\n{script}\n"));
        sandbox.must(&format!("chmod 755 {shim}"));
        let stopped = setup(&sandbox, words);
        assert_ne!(stopped.code(), Some(0), "{program}: {stopped}");
        sandbox.must(&format!("rm {shim}; sleep 0.1"));
        // Nothing begins before it is taken back.
        let next = setup(&sandbox, "sftp --user carl --yes");
        assert!(
            next.stderr.contains("stopped half-way"),
            "{program}: {next}"
        );
        let list = sandbox.run(&["jailctl", "undo", "--list"]);
        assert!(list.ok().contains("stopped half-way"), "{list}");
        let back = undo(&sandbox);
        assert_eq!(back.code(), Some(0), "{program}: {back}");
        assert_same(&sandbox, &before, &format!("{program} {script}: {back}"));
        sandbox.must("test ! -e /srv/jails; sshd -t");
    }
    setup(&sandbox, words).ok();
    undo(&sandbox).ok();
    assert_same(&sandbox, &before, "at last");
}

/// Kills a set-up, and then its undo, wherever it happens to be.
#[test]
fn a_set_up_that_was_killed_at_any_time_can_be_taken_back() {
    let sandbox = machine();
    let before = state(&sandbox);
    for hundredths in [2, 5, 8, 12, 16, 20, 26, 32, 40, 50] {
        let killed = sandbox.sh(&format!(
            "timeout -s KILL 0.{hundredths:02} jailctl setup sftp {ANN} --yes; sleep 0.2
             timeout -s KILL 0.{:02} jailctl undo; sleep 0.2; jailctl undo --list",
            hundredths / 3 + 1
        ));
        if !killed.stdout.contains("no set-up can be taken back") {
            undo(&sandbox).ok();
        }
        assert_same(
            &sandbox,
            &before,
            &format!("after 0.{hundredths:02} seconds: {killed}"),
        );
    }
}

/// A program for accounts that is killed writes one of its two files, and not the other.
#[test]
fn half_a_group_and_half_an_account_are_taken_back_as_a_whole() {
    let sandbox = machine();
    sandbox.must("useradd -m -p '*' -s /bin/bash carl");
    let before = state(&sandbox);
    for (files, names) in [
        ("/etc/group", "sftponly"),
        ("/etc/gshadow", "sftponly"),
        ("/etc/passwd", "ann"),
        ("/etc/shadow", "ann"),
        ("/etc/group", "ann"),
        ("/etc/gshadow", "ann"),
        ("/etc/passwd /etc/group", "ann"),
        ("/etc/shadow /etc/gshadow", "ann"),
    ] {
        setup(&sandbox, &format!("sftp {ANN} --yes")).ok();
        sandbox.must(&format!("sed -i '/^{names}:/d' {files}"));
        let back = undo(&sandbox);
        assert_eq!(back.code(), Some(0), "{files} {names}: {back}");
        assert_same(&sandbox, &before, &format!("{files} {names}: {back}"));
    }
    for file in ["group", "gshadow"] {
        setup(&sandbox, "sftp --user carl --yes");
        sandbox.must(&format!("sed -i '/^sftponly:/s/:carl$/:/' /etc/{file}"));
        let back = undo(&sandbox);
        assert_same(&sandbox, &before, &format!("{file}: {back}"));
    }
}

#[test]
fn a_full_disk_leaves_nothing_behind() {
    let sandbox = machine();
    sandbox.must("mkdir -p /var/lib/login-jail/setup");
    let before = state(&sandbox);
    for blocks in [0, 2, 4, 6, 8, 12] {
        sandbox.must(&format!(
            "mount -t tmpfs -o size=128k,mode=700 full /var/lib/login-jail/setup
             dd if=/dev/zero of=/var/lib/login-jail/setup/.fill bs=4k count=$((31 - {blocks})) 2>/dev/null"
        ));
        let stopped = setup(&sandbox, &format!("sftp {ANN} --yes"));
        assert_eq!(stopped.code(), Some(3), "{stopped}");
        assert!(stopped.stderr.contains("No space left"), "{stopped}");
        let back = undo(&sandbox);
        let is_back = back.code() == Some(0) || back.stderr.contains("there is no set-up");
        assert!(is_back, "{back}");
        sandbox.must("umount /var/lib/login-jail/setup");
        assert_same(
            &sandbox,
            &before,
            &format!("{blocks} blocks: {stopped}{back}"),
        );
    }
}

#[test]
fn an_account_with_processes_is_not_removed_and_nothing_else_is_taken_back_then() {
    let sandbox = machine();
    setup(&sandbox, &format!("build-host {ANN} --yes")).ok();
    let there = state(&sandbox);
    sandbox
        .must("runuser -u you -- sh -c 'cd; ssh ann@server sleep 60 >/dev/null 2>&1 &'; sleep 1");
    let refused = undo(&sandbox);
    assert_eq!(refused.code(), Some(3), "{refused}");
    assert!(refused.stderr.contains("jailctl kick ann"), "{refused}");
    assert_same(&sandbox, &there, "refused");
    sandbox.must("jailctl kick ann; sleep 0.2");
    undo(&sandbox).ok();
}

#[test]
fn a_config_of_sshds_that_it_refuses_already_stops_before_anything_is_made() {
    let sandbox = machine();
    sandbox.must("echo Nonsense yes >/etc/ssh/sshd_config.d/99-other.conf");
    let before = state(&sandbox);
    let refused = setup(&sandbox, &format!("sftp {ANN} --yes"));
    assert!(refused.stderr.contains("sshd -t: "), "{refused}");
    assert_same(&sandbox, &before, "refused");
    sandbox.must("rm /etc/ssh/sshd_config.d/99-other.conf; sed -i /Include/d /etc/ssh/sshd_config");
    let refused = setup(&sandbox, &format!("sftp {ANN} --yes"));
    assert!(
        refused.stderr.contains("write at its beginning: Include"),
        "{refused}"
    );
}

#[test]
fn accounts_of_a_directory_service_are_changed_where_they_are() {
    let sandbox = machine();
    sandbox.write(
        "/etc/userdb/dora.user",
        r#"{"userName":"dora","uid":4321,"gid":4321,"homeDirectory":"/home/dora","shell":"/bin/bash"}"#,
    );
    sandbox.must("ln -s dora.user /etc/userdb/4321.user; groupadd -g 4321 dora");
    if sandbox.sh("getent passwd dora").code() != Some(0) {
        return skipped("an account of systemd's userdb", "getent does not find it");
    }
    let before = state(&sandbox);
    let refused = setup(&sandbox, "host-view --user dora --yes");
    assert!(
        refused
            .stderr
            .contains("set its login shell to /usr/bin/jail-shell where it is"),
        "{refused}"
    );
    assert_same(&sandbox, &before, "refused");
}

#[test]
fn keys_that_are_none_and_keys_for_several_are_refused() {
    let sandbox = machine();
    sandbox.must("echo text >/root/text");
    for (words, why) in [
        (
            "--user ann --key /root/.ssh/id_ed25519",
            "this is a private key",
        ),
        ("--user ann --key /root/text", "this is no public key"),
        (
            "--user ann --user bob --key /root/key.pub",
            "several users can't share a key",
        ),
        ("--user 'a b'", "none of this name is made"),
        ("--user ann --root srv", "give an absolute path"),
        ("--user ann --limits nproc", "give KEY=VALUE"),
        ("--user ann --target web:22", "only the recipe jump-host"),
    ] {
        let refused = setup(&sandbox, &format!("sftp {words} --yes"));
        assert_eq!(refused.code(), Some(2), "{refused}");
        assert!(refused.stderr.contains(why), "{why}: {refused}");
    }
    let refused = setup(&sandbox, "sftp --user ann --limits nonsense=1 --yes");
    assert!(
        refused.code() == Some(3) && refused.stderr.contains("nonsense"),
        "{refused}"
    );
}
