//! Whom no command jails, and what no undo takes away: the caller, the last administrator, and what somebody else has made since.
#![allow(clippy::panic, reason = "a test reports by panicking")]

use login_jail_tests::{Outcome, Sandbox};

const JAIL: &str =
    "[jails.web]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n";

/// All that a set-up may change, with contents.
fn state(sandbox: &Sandbox) -> String {
    sandbox.must(
        "cd /; find etc srv home -xdev ! -name '*-' ! -name '.pwd.lock' | LC_ALL=C sort | xargs -d '\\n' stat -c '%N %a %U:%G'
         find etc -xdev -type f ! -name '*-' ! -name .pwd.lock | LC_ALL=C sort | xargs -d '\\n' sha256sum",
    )
}

fn host() -> Sandbox {
    Sandbox::new()
        .config(&format!("exempt = [\"root\"]\n{JAIL}"))
        .with(
            "mkdir -p /srv /etc/ssh/sshd_config.d; ssh-keygen -q -t ed25519 -N '' -f /root/key; groupadd staff2
             for user in boss other; do useradd -m -p '*' -s /bin/bash -G sudo,staff2 $user; done
             useradd -m -p '*' -s /bin/bash ann; usermod -p '!' root",
        )
}

#[track_caller]
fn refused(sandbox: &Sandbox, command: &str, why: &str) {
    let before = state(sandbox);
    let said = sandbox.sh(command);
    assert!(matches!(said.code(), Some(2 | 3)), "{command}: {said}");
    assert!(said.stderr.contains(why), "{command}: {said}");
    assert!(before == state(sandbox), "{command} has changed something");
    sandbox.must("test ! -e /var/lib/login-jail/setup");
}

#[track_caller]
fn fine(sandbox: &Sandbox, command: &str) -> Outcome {
    let said = sandbox.sh(command);
    assert!(matches!(said.code(), Some(0 | 1)), "{command}: {said}");
    said
}

#[test]
fn a_rule_for_a_group_jails_neither_the_caller_nor_the_last_administrator() {
    let sandbox = host();
    let group = "[groups.staff2]\njail = \"web\"\n";
    sandbox.write("/root/group.toml", format!("{JAIL}{group}"));
    sandbox.write(
        "/root/state.toml",
        format!("{JAIL}{group}[users.ann]\ngroups = [\"staff2\"]\n"),
    );
    let all = [
        "apply /root/group.toml",
        "apply /root/state.toml",
        "add --jail web --group staff2 ann",
        "add --jail web --group staff2",
        "setup host-view --group staff2 --user ann --yes",
    ];
    for words in all {
        let command = format!("SUDO_USER=boss jailctl {words}");
        refused(&sandbox, &command, "boss is who calls this");
        refused(
            &sandbox,
            &format!("jailctl {words}"),
            "is the last administrator",
        );
    }
    // By one name, and by another of the same uid.
    sandbox.must("usermod -s /usr/sbin/nologin other; useradd -M -o -u $(id -u boss) -g boss -p '*' -s /bin/bash boss2");
    for words in ["add --jail web", "setup host-view --yes --user"] {
        refused(
            &sandbox,
            &format!("SUDO_USER=boss jailctl {words} boss"),
            "boss is who calls this",
        );
        refused(
            &sandbox,
            &format!("SUDO_USER=boss SUDO_UID=$(id -u boss) jailctl {words} boss2"),
            "boss2 is who calls this",
        );
        refused(
            &sandbox,
            &format!("jailctl {words} boss"),
            "boss is the last administrator",
        );
    }
    // An existing rule jails nobody by itself; sshd's file for its group does.
    sandbox.must("printf '[groups]\\nstaff2 = \"web\"\\n' >>/etc/login-jail/config.toml");
    if sandbox.sh("command -v sshd").code() == Some(0) {
        refused(
            &sandbox,
            "SUDO_USER=boss jailctl add --group staff2 ann",
            "boss is who calls this",
        );
    }
    // Who is exempt stays outside, and others are named.
    sandbox.must(
        "sed -i '/^\\[groups\\]/,$d; s/\"root\"/\"root\", \"boss\"/' /etc/login-jail/config.toml",
    );
    let made = fine(
        &sandbox,
        "SUDO_USER=boss jailctl apply --dry-run /root/state.toml",
    );
    assert!(
        made.stdout.contains("other members as well") && made.stdout.contains("other"),
        "{made}"
    );
}

#[test]
fn an_administrator_by_sudoers_alone_is_the_last_one_too() {
    for (file, line) in [
        ("/etc/sudoers.d/boss", "boss ALL=(ALL:ALL) NOPASSWD: ALL"),
        ("/etc/sudoers.d/ops", "%staff2 ALL=(ALL) ALL"),
        (
            "/etc/sudoers.d/all",
            "User_Alias OPS = \\\n  ann2, boss\nOPS ALL = ALL",
        ),
        ("/etc/doas.conf", "permit persist boss"),
    ] {
        let sandbox = host();
        sandbox.must("userdel other; gpasswd -d boss sudo >/dev/null; for user in $(getent group sudo | cut -d: -f4 | tr , ' '); do gpasswd -d $user sudo; done");
        sandbox.must("mkdir -p /etc/sudoers.d; rm -f /etc/sudoers.d/*; printf '@includedir /etc/sudoers.d\\n' >/etc/sudoers");
        sandbox.write(file, format!("{line}\n"));
        for words in ["setup host-view --yes --user boss", "add --jail web boss"] {
            let command = format!("jailctl {words}");
            refused(&sandbox, &command, "boss is the last administrator");
        }
        // One command is not everything.
        sandbox.write(
            file,
            "boss ALL=(root) /bin/systemctl reload nginx\npermit boss cmd reboot\n",
        );
        fine(&sandbox, "jailctl setup host-view --user boss --dry-run");
    }
}

#[test]
fn what_somebody_has_made_since_under_the_same_name_stays() {
    let sandbox = host();
    fine(
        &sandbox,
        "jailctl setup sftp --user new --user ann --key '/root/key.pub' --dry-run || true",
    );
    fine(
        &sandbox,
        "jailctl setup sftp --user new --key /root/key.pub --yes",
    );
    fine(&sandbox, "jailctl setup sftp --user ann --yes");
    sandbox.must(
        "userdel new; rm -rf /home/new; useradd -m -u 2222 -c 'Another One' -s /bin/bash new
         ann=$(id -u ann); userdel ann; useradd -M -u 2223 -c 'Another Ann' -G sftponly -s /usr/bin/jail-shell ann",
    );
    let undone = sandbox.run(&["jailctl", "undo", "2"]);
    assert_eq!(undone.code(), Some(0), "{undone}");
    assert!(
        undone.stdout.contains(
            "kept: the account ann: it stays as it is, because it is another one now, number 2223"
        ),
        "{undone}"
    );
    assert_eq!(
        sandbox
            .must("getent passwd ann | cut -d: -f3,7; id -Gn ann | tr ' ' '\\n' | grep sftponly"),
        "2223:/usr/bin/jail-shell\nsftponly"
    );
    // The group, too: somebody has made another.
    sandbox.must("groupdel sftponly; groupadd -g 3333 sftponly");
    let shown = sandbox.run(&["jailctl", "undo", "--dry-run"]);
    assert!(shown.ok().contains("keep the account new"), "{shown}");
    let undone = sandbox.run(&["jailctl", "undo"]);
    assert_eq!(undone.code(), Some(0), "{undone}");
    assert!(
        undone.stdout.contains("kept: the group sftponly"),
        "{undone}"
    );
    assert_eq!(
        sandbox.must("getent passwd new | cut -d: -f3,5; getent group sftponly; test -d /home/new"),
        "2222:Another One\nsftponly:x:3333:"
    );
}

#[test]
fn a_name_of_digits_is_a_name() {
    let sandbox = host();
    sandbox.must(
        "useradd --badname -m -u 4711 -p '*' -s /bin/dash zed; useradd --badname -m -u 4712 -p '*' -s /bin/bash 4711
         groupadd -g 4800 zeds",
    );
    fine(&sandbox, "jailctl setup host-view --user 4711 --yes");
    sandbox.must("jailctl undo");
    assert_eq!(
        sandbox.must("grep -E '^(zed|4711):' /etc/passwd | cut -d: -f1,7"),
        "zed:/bin/dash\n4711:/bin/bash"
    );
}

#[test]
fn a_root_whose_way_is_somebody_elses_is_refused_beforehand_and_never_in_the_way_of_undo() {
    let sandbox = host();
    sandbox.must("mkdir -p /data/srv; ln -s /data/srv /srv/linked; install -d -o boss /srv/his; touch /srv/file");
    for (place, why) in [
        ("/srv/linked/web", "is a symbolic link"),
        ("/srv/his/web", "belongs to uid"),
        ("/tmp/web", "/tmp is mode"),
        ("/srv/file/web", "/srv/file"),
    ] {
        sandbox.write(
            "/root/state.toml",
            format!("[roots.{place:?}]\npresets = [\"sftp\"]\n"),
        );
        for words in ["", "--dry-run ", "--check "] {
            refused(
                &sandbox,
                &format!("jailctl apply {words}/root/state.toml"),
                why,
            );
        }
    }
    // The way changes hands later.
    sandbox.must("mkdir /srv/mine");
    sandbox.write(
        "/root/state.toml",
        "[roots.\"/srv/mine/web\"]\npresets = [\"sftp\"]\n",
    );
    fine(&sandbox, "jailctl apply /root/state.toml");
    sandbox.must("chown boss /srv/mine");
    let undone = sandbox.run(&["jailctl", "undo"]);
    assert_eq!(undone.code(), Some(0), "{undone}");
    assert!(
        undone
            .stdout
            .contains("kept: /srv/mine/web: it stays, because"),
        "{undone}"
    );
}

#[test]
fn a_damaged_journal_keeps_nobody_from_anything() {
    let sandbox = host();
    let before = state(&sandbox);
    let set_up = |user: &str| {
        fine(
            &sandbox,
            &format!("jailctl setup sftp --user {user} --key /root/key.pub --yes"),
        );
    };
    set_up("one");
    sandbox.must("cd /var/lib/login-jail/setup; echo '{' >1/setup.json; touch 7; cp -r 1 0001");
    set_up("two");
    let list = sandbox.run(&["jailctl", "undo", "--list"]);
    assert!(list.ok().contains("damaged"), "{list}");
    sandbox.must("jailctl undo 2");
    // A change that can't be read: the others can be taken back.
    sandbox.must("cd /var/lib/login-jail/setup/1; echo '{' >$(grep -l cron.deny *.json | head -1)");
    let refused = sandbox.run(&["jailctl", "undo", "1"]);
    assert_eq!(refused.code(), Some(3), "{refused}");
    assert!(
        refused.stderr.contains("run: jailctl undo 1 --force"),
        "{refused}"
    );
    let forced = sandbox.run(&["jailctl", "undo", "1", "--force"]);
    assert_eq!(forced.code(), Some(0), "{forced}");
    assert!(
        forced
            .stdout
            .contains("kept: read /var/lib/login-jail/setup/1/"),
        "{forced}"
    );
    sandbox.must("sed -i '/^one$/d' /etc/cron.deny; [ -s /etc/cron.deny ] || rm /etc/cron.deny; rm -r /var/lib/login-jail");
    let after = state(&sandbox);
    assert!(before == after, "{before}\n---\n{after}");
}

#[test]
fn what_stopped_on_a_read_only_etc_is_taken_back_there() {
    let sandbox = host();
    sandbox.must("mkdir -p /etc/login-jail/users.d; mount --bind -o ro /etc /etc 2>/dev/null || { mount --bind /etc /etc; mount -o remount,bind,ro /etc; }");
    let stopped = sandbox.run(&[
        "jailctl",
        "add",
        "--jail",
        "web",
        "--until",
        "2099-01-01",
        "ann",
    ]);
    assert_eq!(stopped.code(), Some(3), "{stopped}");
    assert!(
        stopped.stderr.contains("Read-only file system"),
        "{stopped}"
    );
    let undone = sandbox.run(&["jailctl", "undo"]);
    assert_eq!(undone.code(), Some(0), "{undone}");
    assert!(!undone.stderr.contains("login-jail-new"), "{undone}");
}

#[test]
fn a_question_keeps_nobody_waiting_and_who_waits_is_told_for_whom() {
    let sandbox = host();
    let mut asking = sandbox.terminal(&[
        "jailctl",
        "setup",
        "sftp",
        "--user",
        "new",
        "--key",
        "/root/key.pub",
    ]);
    asking.expect("Make ");
    let other = sandbox.sh("timeout 20 jailctl setup sftp --user ann --dry-run");
    assert_eq!(other.code(), Some(0), "{other}");
    // What has changed meanwhile is not what was agreed to.
    fine(
        &sandbox,
        "jailctl setup sftp --user ann --key /root/key.pub --yes",
    );
    asking.send("y\n");
    asking.expect("has changed since the question was asked");
    let held = sandbox.sh(
        "( flock 9; echo 4711 >&9; sleep 2.5 ) 9>/run/login-jail.lock & sleep 0.3; jailctl setup sftp --user bob --dry-run",
    );
    assert!(
        held.stderr
            .contains("another jailctl (pid 4711) is at work"),
        "{held}"
    );
}

#[test]
fn set_ups_leave_nothing_in_whatever_order_they_are_taken_back() {
    let sandbox = host();
    sandbox.must("rm -rf /etc/cron.deny /etc/at.deny /etc/ssh/authorized_keys.d /srv/jails; touch /etc/cron.deny; rm /etc/cron.deny");
    let recipes = ["sftp", "host-view", "class"];
    let orders = [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2]];
    for order in orders {
        let before = state(&sandbox);
        for (n, recipe) in recipes.iter().enumerate() {
            fine(
                &sandbox,
                &format!("jailctl setup {recipe} --user new{n} --key /root/key.pub --yes"),
            );
        }
        for id in order {
            let undone = sandbox.run(&["jailctl", "undo", &id.to_string()]);
            assert_eq!(undone.code(), Some(0), "{order:?}: {undone}");
        }
        let after = state(&sandbox);
        assert!(before == after, "{order:?}: {before}\n---\n{after}");
    }
}

#[test]
fn a_program_is_told_of_early_failures_in_json_and_lists_come_by_standard_input() {
    let sandbox = host();
    for words in [
        "setup sftp --user root --yes --json",
        "undo 9 --json",
        "add --jail none --json ann boss",
        "apply --json /root/missing",
    ] {
        let said = sandbox.sh(&format!("jailctl {words}"));
        assert!(matches!(said.code(), Some(2 | 3)), "{words}: {said}");
        assert!(said.stdout.contains("\"error\": \""), "{words}: {said}");
    }
    for words in ["apply --check -", "apply --check --json -"] {
        let said = sandbox.sh(&format!(
            "printf '[users.ann]\\njail = \"web\"\\n' | jailctl {words}"
        ));
        assert_eq!(said.code(), Some(4), "{words}: {said}");
    }
    let said = sandbox.sh("printf 'name\\nann\\n' | jailctl add --jail web --from - --dry-run");
    assert_eq!(said.code(), Some(0), "{said}");
}

#[test]
fn a_place_of_the_systems_is_refused_beforehand() {
    let sandbox = host();
    for words in [
        "--root /proc",
        "--root /sys/jails",
        "--root /etc/jails",
        "--root /",
        "--shared /root",
        "--shared /etc/login-jail",
    ] {
        let said = sandbox.sh(&format!("jailctl setup sftp --user new --dry-run {words}"));
        assert_eq!(said.code(), Some(2), "{words}: {said}");
        assert!(said.stderr.contains("is for the system itself"), "{said}");
    }
    sandbox.write(
        "/root/s.toml",
        "[roots.\"/proc/x\"]\npresets = [\"sftp\"]\n",
    );
    let said = sandbox.run(&["jailctl", "apply", "--dry-run", "/root/s.toml"]);
    assert_eq!(said.code(), Some(2), "{said}");
    fine(
        &sandbox,
        "jailctl setup class --user new --dry-run --shared /usr/share/doc --key /root/key.pub",
    );
}
