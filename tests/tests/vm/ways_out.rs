//! What systemd gives to every user: nothing of it is there in a jail, and what acts on the home of the host is found.

use login_jail_tests::vm::Vm;

use crate::machine::{WHERE, behind_pam, inside, jailed};

/// Each of these runs something outside, or tells something of it, for a user who is not jailed. Some may be missing.
const WAYS: &str = r#"
export XDG_RUNTIME_DIR=/run/user/$(id -u) DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$(id -u)/bus
try() { if timeout 30 "$@" </dev/null >/dev/null 2>&1; then echo "OUT $*"; fi; }
try systemd-run --user --wait true
try systemd-run --user --scope true
try systemd-run --wait true
try systemctl --user status
try systemctl --user start x.service
try systemctl status ssh.service
try loginctl list-sessions
try loginctl enable-linger
try loginctl terminate-user ann
try busctl list
try busctl --user list
try busctl call org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager ListSessions
try machinectl list
try machinectl shell .host /bin/true
try run0 true
try pkexec true
# Without a journal it succeeds as well, and says that there is none.
try sh -c "journalctl -q -n 1 -u ssh.service | grep -q ."
try at -l
try crontab -l
for one in /run/user /run/user/$(id -u) /run/systemd /run/dbus/system_bus_socket /run/systemd/private /run/udev /var/lib/systemd; do
    [ ! -e $one ] || echo "OUT $one"
done
"#;

pub(crate) fn what_systemd_offers_is_out_of_reach_at_every_door(vm: &mut Vm) {
    // Outside most of them work: a try that never succeeds shows nothing.
    vm.user("eve", "/bin/bash");
    let outside = vm.ssh("eve", WAYS);
    for way in [
        "systemd-run --user",
        "loginctl list-sessions",
        "busctl list",
        "/run/user",
    ] {
        assert!(
            outside.stdout.contains(&format!("OUT {way}")),
            "{way}: {outside}"
        );
    }
    jailed(vm, "ann", "/usr/bin/jail-shell", "");
    jailed(vm, "bob", "/bin/bash", "");
    vm.sh_with(
        "cat >/usr/local/bin/ways; chmod 644 /usr/local/bin/ways",
        WAYS.as_bytes(),
    )
    .ok();
    let ways = "bash /usr/local/bin/ways; echo done";
    let mut seen = vec![
        ("ssh", vm.ssh("ann", ways)),
        ("su", vm.sh(&format!("su - ann -c '{ways}'"))),
    ];
    jailed(vm, "cat", "/bin/bash", "");
    vm.must(
        "printf 'Match User cat\\n    ForceCommand /usr/bin/jail-shell\\n' >/etc/ssh/sshd_config.d/cat.conf
        systemctl reload ssh",
    );
    seen.push(("ForceCommand", vm.ssh("cat", ways)));
    // An administrator, by the login shell of whoever it is, and behind PAM by any command.
    vm.must(
        "echo 'eve ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/eve
        sed -i 's/^exempt = .*/exempt = [\"root\", \"eve\"]/' /etc/login-jail/config.toml",
    );
    seen.push((
        "sudo -i",
        vm.ssh("eve", &format!("sudo -i -u ann bash -c '{ways}'")),
    ));
    behind_pam(vm, &["sshd", "su", "sudo", "login", "cron", "atd"]);
    seen.push((
        "sudo",
        vm.ssh("eve", &format!("sudo -u bob bash -c '{ways}'")),
    ));
    vm.must(&format!(
        "cd /home/bob; echo '{{ {ways}; }} >~/now-at; mv ~/now-at ~/at' | runuser -u bob -- at now"
    ));
    // The daemon looks once a minute.
    vm.must(&format!(
        "echo '* * * * * bob [ -e $HOME/now ] || {{ {{ {ways}; }} >$HOME/now; ln $HOME/now $HOME/cron; }}' >/etc/cron.d/bob"
    ));
    seen.push(("ssh behind PAM", vm.ssh("bob", ways)));
    seen.push(("su behind PAM", vm.sh(&format!("su bob -c '{ways}'"))));
    vm.must(&format!(
        "echo '{{ {ways}; }} >~/login; exit' >/srv/jails/bob/home/bob/.bash_profile
        timeout 200 script -qec 'login -f bob' /dev/null </dev/null || :"
    ));
    for door in ["login", "cron", "at"] {
        let told = format!(
            "cd /srv/jails/bob/home/bob; for _ in $(seq 150); do [ -e {door} ] && break; sleep 1; done; cat {door}"
        );
        seen.push((door, vm.sh(&told)));
    }
    for (door, outcome) in seen {
        assert_eq!(outcome.ok(), "done", "{door}: {outcome}");
    }
}

/// Gives a user a unit that systemd would start with the user's manager, and that leaves a trace in /var/tmp of the host.
#[track_caller]
fn with_unit(vm: &Vm, user: &str) {
    jailed(
        vm,
        user,
        "/usr/bin/jail-shell",
        &format!(
            "mounts = [{{ source = \"/home/{user}\", target = \"/home/{user}\", mode = \"rw\" }}]"
        ),
    );
    vm.must(&format!(
        "rm /etc/login-jail/users.d/{user}.toml; chmod 700 /home/{user}; usermod -aG class {user}"
    ));
    // From inside, as the user would.
    vm.ssh(
        user,
        "mkdir -p ~/.config/systemd/user/default.target.wants; cd ~/.config/systemd/user
        printf '[Service]\\nType=oneshot\\nExecStart=/bin/touch /var/tmp/out-%%u\\n' >e.service; ln -s ../e.service default.target.wants/",
    )
    .ok();
}

pub(crate) fn units_in_a_home_are_found_and_mended_for_a_group_and_who_joins_later(vm: &mut Vm) {
    vm.must(
        "groupadd class
        cat >>/etc/login-jail/config.toml <<'END'
[groups]
class = \"class\"
[jails.class]
root = \"/srv/jails/{user}\"
base = \"host\"
shell = \"/bin/bash\"
mounts = [{ source = \"/home/{user}\", target = \"/home/{user}\", mode = \"rw\" }]
END",
    );
    with_unit(vm, "ann");
    with_unit(vm, "bob");
    vm.must("systemctl stop user@$(id -u ann).service");
    inside(&vm.ssh("ann", WHERE));
    let escapes = "for _ in $(seq 20); do [ -e /var/tmp/out-ann ] && exit; sleep 1; done; exit 1";
    vm.must(escapes);
    let check = vm.sh("jailctl check");
    assert!(check.stdout.contains("mend user-manager @class"), "{check}");
    vm.must("jailctl mend user-manager @class; rm -f /var/tmp/out-*");
    let running = vm.sh("systemctl is-active user@$(id -u ann).service");
    assert_eq!(running.stdout.trim(), "inactive");

    with_unit(vm, "cat");
    for user in ["ann", "bob", "cat"] {
        inside(&vm.ssh(user, WHERE));
        let session = vm.ssh(user, "cat /proc/self/cgroup");
        assert!(
            session.ok().contains("/session-"),
            "logind has one: {session}"
        );
    }
    let check = vm.sh("jailctl check");
    assert!(!check.stdout.contains("user-manager"), "{check}");
    vm.must("sleep 5; ! ls /var/tmp/out-* 2>/dev/null");
    // Nobody else is concerned.
    vm.user("eve", "/bin/bash");
    vm.ssh("eve", "true").ok();
    vm.must("systemctl is-active user@$(id -u eve).service");
}

pub(crate) fn what_lingers_is_found_and_mended(vm: &mut Vm) {
    jailed(vm, "ann", "/usr/bin/jail-shell", "");
    vm.must("loginctl enable-linger ann; [ -e /var/lib/systemd/linger/ann ]");
    let check = vm.sh("jailctl check --notes ann");
    assert!(check.stdout.contains("linger"), "{check}");
    vm.must("jailctl mend linger ann; [ ! -e /var/lib/systemd/linger/ann ]");
    let check = vm.sh("jailctl check --notes ann");
    assert!(!check.stdout.contains("mend linger"), "{check}");
    inside(&vm.ssh("ann", WHERE));
}
