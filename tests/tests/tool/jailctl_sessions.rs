//! `jailctl sessions` and `kick`: who is inside, and how all of it is ended.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use login_jail_tests::{
    JAIL_SHELL, Outcome, Pty, Sandbox,
    fault::{install_probe, probe},
    roots, skipped,
    stall::{end, has_fuse, stall},
};
use serde_json::Value;

/// ann and bob, jailed with a home and the host's system; carl, whom no rule names.
fn host(isolation: &'static str) -> Sandbox {
    Sandbox::new()
        .user("ann")
        .root(roots::busybox())
        .isolation(isolation)
        .user("bob")
        .root(roots::busybox())
        .isolation(isolation)
        .plain_user("carl")
}

fn jailctl(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    sandbox.run(&[&["jailctl"], arguments].concat())
}

fn sessions(sandbox: &Sandbox, users: &[&str]) -> Vec<Value> {
    let listed = jailctl(sandbox, &[&["sessions", "--json"], users].concat());
    let all: Value = serde_json::from_str(listed.ok()).unwrap();
    all.as_array().unwrap().clone()
}

/// Logs in on a terminal and has a shell wait there.
fn shell(sandbox: &Sandbox, user: &str) -> Pty {
    let mut pty = sandbox.ssh_tty(user, None);
    pty.line("echo rea''dy");
    pty.expect("ready\r\n");
    pty
}

/// Starts a login without a terminal that runs a command until it is ended.
fn start(sandbox: &Sandbox, user: &str, command: &str) {
    let words = sandbox.ssh_argv(user, &["-T"], Some(command));
    let words: Vec<String> = words
        .iter()
        .map(|word| format!("'{}'", word.replace('\'', r"'\''")))
        .collect();
    sandbox.must(&format!(
        "setsid {} >/dev/null 2>&1 </dev/null &",
        words.join(" ")
    ));
}

fn wait_for(sandbox: &Sandbox, user: &str, count: usize) -> Vec<Value> {
    wait_until(sandbox, user, |all| all.len() == count)
}

/// Waits until a session of ann's runs a command: before it does, there is what opened the session.
fn wait_for_command(sandbox: &Sandbox, command: &str) -> Vec<Value> {
    wait_until(sandbox, "ann", |all| {
        all.iter().any(|it| it["command"] == command)
    })
}

fn wait_until(sandbox: &Sandbox, user: &str, met: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let found = sandbox.wait_until(|| Some(sessions(sandbox, &[user])).filter(|all| met(all)));
    found.unwrap_or_else(|| {
        panic!(
            "{:?}\n{}",
            sessions(sandbox, &[user]),
            processes(sandbox, user)
        )
    })
}

fn processes(sandbox: &Sandbox, user: &str) -> String {
    sandbox.must(&format!("ps -o stat=,args= -U {user} | grep -v ^Z || true"))
}

#[test]
fn a_session_is_listed_with_its_user_door_origin_terminal_and_command() {
    for isolation in ["full", "chroot"] {
        let sandbox = host(isolation);
        assert!(sessions(&sandbox, &[]).is_empty());
        let mut pty = shell(&sandbox, "ann");
        start(&sandbox, "ann", "exec sleep 4321");
        let all = wait_until(&sandbox, "ann", |all| {
            all.len() == 2 && all.iter().any(|it| it["command"] == "sleep 4321")
        });
        assert!(sessions(&sandbox, &["bob"]).is_empty());
        for session in &all {
            assert_eq!(session["user"], "ann", "{isolation}");
            assert_eq!(session["service"], "sshd", "{isolation} {session}");
            let from = session["from"].as_str().unwrap();
            assert!(from.starts_with("127.0.0.1:"), "{isolation} {from}");
        }
        let on_terminal = all.iter().find(|it| it["terminal"] != Value::Null).unwrap();
        let without = all.iter().find(|it| it["terminal"] == Value::Null).unwrap();
        assert_eq!(without["command"], "sleep 4321", "{isolation}");
        // The terminal is the one that the host knows the login by.
        let terminal = on_terminal["terminal"].as_str().unwrap();
        let sshd = sandbox.must("ps -o args= -C sshd");
        assert!(
            sshd.contains(&format!("ann@{terminal}")),
            "{isolation} {terminal} {sshd}"
        );
        let since = on_terminal["since"].as_u64().unwrap();
        let now: u64 = sandbox.must("date +%s").parse().unwrap();
        assert!(since <= now + 1 && since + 60 > now, "{since} {now}");
        let shown = jailctl(&sandbox, &["sessions"]);
        assert!(shown.ok().contains("sleep 4321"), "{shown}");
        is_in_the_machines_zone(&sandbox, since);
        pty.line("exit");
        drop(pty.finish());
        wait_for(&sandbox, "ann", 1);
    }
}

/// Looks for a time among the sessions as the host's zone has it, which is none that the environment names.
#[track_caller]
fn is_in_the_machines_zone(sandbox: &Sandbox, since: u64) {
    if sandbox.sh("test -e /usr/share/zoneinfo").code() != Some(0) {
        return skipped(
            "a time zone of the host's",
            "no zones are installed (tzdata)",
        );
    }
    for zone in ["Asia/Kolkata", "America/St_Johns"] {
        sandbox.must(&format!(
            "ln -sfn /usr/share/zoneinfo/{zone} /etc/localtime"
        ));
        let expected = sandbox.must(&format!("date --date=@{since} '+%F %H:%M'"));
        let shown = sandbox.run(&["env", "TZ=UTC", "jailctl", "sessions"]);
        assert!(shown.ok().contains(&expected), "{zone} {expected} {shown}");
    }
}

#[test]
fn what_a_process_says_of_itself_is_escaped_and_does_not_hide_it() {
    let sandbox = host("full");
    start(
        &sandbox,
        "ann",
        "SSH_CONNECTION='6.6.6.6 1 6.6.6.6 22' exec sh -c 'sleep 4321; :' \"$(printf '\\033[2J')\"",
    );
    let all = wait_for(&sandbox, "ann", 1);
    assert!(all[0]["from"].as_str().unwrap().starts_with("127.0.0.1:"));
    let shown = jailctl(&sandbox, &["sessions"]);
    assert!(!shown.ok().contains('\u{1b}'), "{shown}");
    assert!(shown.ok().contains("sleep 4321"), "{shown}");
}

#[test]
fn a_session_behind_pam_and_one_of_su_are_listed_and_kicked() {
    let sandbox =
        Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\"\nshell = \"/bin/bash\"");
    start(&sandbox, "ann", "exec sleep 4321");
    let all = wait_for_command(&sandbox, "sleep 4321");
    assert_eq!(all[0]["service"], "sshd");
    assert!(all[0]["from"].as_str().unwrap().starts_with("127.0.0.1:"));
    sandbox.must("setsid su - ann -c 'exec sleep 4322' >/dev/null 2>&1 </dev/null &");
    let all = wait_for_command(&sandbox, "sleep 4322");
    let su = all.iter().find(|it| it["service"] == "su").unwrap();
    assert_eq!(su["command"], "sleep 4322");
    let kicked = jailctl(&sandbox, &["kick", "ann"]);
    assert!(kicked.ok().contains("ended "), "{kicked}");
    assert_eq!(processes(&sandbox, "ann"), "");
}

#[test]
fn kick_ends_everything_of_one_user_and_nothing_of_others() {
    for isolation in ["full", "chroot"] {
        let sandbox = host(isolation);
        let mut pty = shell(&sandbox, "ann");
        let clinging = "trap '' TERM HUP INT; setsid sleep 4321 & (setsid sh -c 'trap \"\" TERM HUP; while :; do sleep 0.01; done' &)";
        pty.line(clinging);
        start(&sandbox, "ann", &format!("{clinging}; kill -STOP $$"));
        start(&sandbox, "bob", "exec sleep 4323");
        sandbox.must("setsid su carl -s /bin/sh -c 'exec sleep 4324' >/dev/null 2>&1 </dev/null &");
        wait_for(&sandbox, "bob", 1);
        sandbox.wait_until(|| {
            processes(&sandbox, "ann")
                .contains("sleep 4321")
                .then_some(())
        });
        let dry = jailctl(&sandbox, &["kick", "--dry-run", "ann"]);
        assert!(dry.ok().contains("would end"), "{dry}");
        assert!(
            processes(&sandbox, "ann").contains("sleep 4321"),
            "{isolation}"
        );
        let kicked = jailctl(&sandbox, &["kick", "--grace", "1", "ann"]);
        assert!(kicked.ok().contains("by SIGKILL"), "{isolation} {kicked}");
        assert_eq!(processes(&sandbox, "ann"), "", "{isolation}");
        assert!(
            processes(&sandbox, "bob").contains("sleep 4323"),
            "{isolation}"
        );
        assert!(
            processes(&sandbox, "carl").contains("sleep 4324"),
            "{isolation}"
        );
        assert_eq!(sandbox.ssh("ann", "echo again").ok(), "again");
        // What stood around that session ends a moment after its client.
        sandbox.wait_until(|| processes(&sandbox, "ann").is_empty().then_some(()));
        let kicked = jailctl(&sandbox, &["kick", "ann"]);
        assert!(kicked.ok().contains("has no process"), "{kicked}");
    }
}

/// Counts the threads of a user that run, with those whose process looks ended.
fn threads(sandbox: &Sandbox, user: &str) -> usize {
    let states = sandbox.must(&format!("ps -L -o stat= -U {user} || true"));
    states.lines().filter(|it| !it.starts_with('Z')).count()
}

#[test]
fn nobody_hides_by_an_odd_name_or_by_ending_their_first_thread() {
    for isolation in ["full", "chroot"] {
        let sandbox = host(isolation);
        for how in ["name", "leader"] {
            let probe = install_probe(&sandbox, "unseen");
            sandbox.must(&format!("install {probe} /srv/jails/ann/bin/"));
            start(&sandbox, "ann", &format!("exec /bin/unseen {how}"));
            let all = wait_for_command(&sandbox, &format!("/bin/unseen {how}"));
            assert_eq!(all.len(), 1, "{isolation} {how}: {all:?}");
            assert!(threads(&sandbox, "ann") > 0, "{isolation} {how}");
            let kicked = jailctl(&sandbox, &["kick", "--grace", "0", "ann"]);
            assert!(kicked.ok().contains("ended"), "{isolation} {how}: {kicked}");
            assert_eq!(threads(&sandbox, "ann"), 0, "{isolation} {how}: {kicked}");
        }
    }
}

#[test]
fn nobody_outruns_kick_by_forking_on() {
    for isolation in ["full", "chroot"] {
        let sandbox = host(isolation);
        let probe = install_probe(&sandbox, "unseen");
        sandbox.must(&format!("install {probe} /srv/jails/ann/bin/"));
        start(&sandbox, "ann", "exec /bin/unseen hop");
        wait_until(&sandbox, "ann", |all| !all.is_empty());
        let kicked = jailctl(&sandbox, &["kick", "--grace", "0", "ann"]);
        assert!(kicked.ok().contains("ended"), "{isolation}: {kicked}");
        assert_eq!(threads(&sandbox, "ann"), 0, "{isolation}: {kicked}");
    }
}

#[test]
fn what_lingers_is_a_session_without_a_door_and_is_kicked() {
    let sandbox = host("full");
    sandbox
        .ssh("ann", "setsid sleep 4321 >/dev/null 2>&1 </dev/null &")
        .ok();
    // The client may have its answer before the supervisor has gone, and before sleep is started.
    wait_until(&sandbox, "ann", |all| {
        all.len() == 1 && all[0]["service"] == Value::Null && all[0]["command"] == "sleep 4321"
    });
    let kicked = jailctl(&sandbox, &["kick", "ann", "--json"]);
    let report: Value = serde_json::from_str(kicked.ok()).unwrap();
    assert_eq!(report["left"].as_array().map(Vec::len), Some(0));
    assert_eq!(report["sessions"][0]["command"], "sleep 4321");
    assert!(sessions(&sandbox, &[]).is_empty());
}

#[test]
fn kick_refuses_whom_it_is_not_for() {
    let sandbox = host("full");
    sandbox.must("setsid su carl -s /bin/sh -c 'exec sleep 4324' >/dev/null 2>&1 </dev/null &");
    sandbox.wait_until(|| {
        processes(&sandbox, "carl")
            .contains("sleep 4324")
            .then_some(())
    });
    for (user, part) in [
        ("carl", "no rule jails carl"),
        ("root", "uid 0"),
        ("nobody-of-that-name", "no such account"),
    ] {
        let refused = jailctl(&sandbox, &["kick", user]);
        assert_eq!(refused.code(), Some(3), "{refused}");
        assert!(refused.stderr.contains(part), "{refused}");
    }
    assert!(processes(&sandbox, "carl").contains("sleep 4324"));
    let refused = jailctl(&sandbox, &["sessions", "carl"]);
    assert!(refused.stderr.contains("no rule jails carl"), "{refused}");
    assert_eq!(
        jailctl(&sandbox, &["kick", "--any", "root"]).code(),
        Some(3)
    );
    sandbox.must("useradd -o -u $(id -u ann) twin");
    let shared = jailctl(&sandbox, &["kick", "ann"]);
    assert!(shared.stderr.contains("same uid"), "{shared}");
    jailctl(&sandbox, &["kick", "--any", "carl"]).ok();
    assert_eq!(processes(&sandbox, "carl"), "");
}

#[test]
fn kick_ends_nothing_where_an_account_could_not_be_looked_up() {
    let sandbox = host("full");
    sandbox.must("useradd -o -u $(id -u ann) twin");
    sandbox.must("setsid setpriv --reuid ann --clear-groups sleep 4321 >/dev/null 2>&1 </dev/null & until pgrep -u ann sleep >/dev/null; do sleep 0.01; done");
    let broken = |script: &str| {
        sandbox.write("/usr/local/sbin/getent", format!("#!/bin/sh\n{script}\n"));
        sandbox.must("chmod 755 /usr/local/sbin/getent");
        for arguments in [&["kick", "ann"][..], &["kick", "--any", "ann"]] {
            let refused = jailctl(&sandbox, arguments);
            assert_eq!(refused.code(), Some(3), "{script}: {refused}");
            assert!(
                processes(&sandbox, "ann").contains("sleep 4321"),
                "{script}"
            );
        }
    };
    // A directory service that is down, one that dies, and one that lists nothing.
    broken("exit 2");
    broken("kill -9 $$");
    broken("exit 0");
    broken("[ $# = 1 ] && exit 2; exec /usr/bin/getent \"$@\"");
    // One that does not list its accounts still knows whom a uid belongs to.
    broken("[ $# = 1 ] && exit 0; echo twin:x:$2:9::/:/bin/sh");
    sandbox.must("rm /usr/local/sbin/getent; userdel -f twin");
    jailctl(&sandbox, &["kick", "ann"]).ok();
    assert_eq!(processes(&sandbox, "ann"), "");
}

#[test]
fn without_proc_nobody_is_said_to_have_no_process() {
    let sandbox = host("full");
    for arguments in [&["kick", "ann"][..], &["sessions"], &["status"]] {
        let words = [
            &[
                "unshare",
                "--mount",
                "sh",
                "-c",
                "umount -l /proc; exec jailctl \"$@\"",
                "sh",
            ],
            arguments,
        ]
        .concat();
        let refused = sandbox.run(&words);
        assert_eq!(refused.code(), Some(3), "{refused}");
        assert_eq!(refused.stdout, "", "{refused}");
    }
}

#[test]
fn an_account_that_could_not_be_decided_is_not_called_unjailed() {
    let sandbox = host("full");
    sandbox.write("/etc/login-jail/users.d/ann.toml", "jail = \"ann\"\n");
    sandbox.must("chmod 666 /etc/login-jail/users.d/ann.toml");
    for arguments in [&["kick", "ann"][..], &["sessions", "ann"]] {
        let refused = jailctl(&sandbox, arguments);
        assert_eq!(refused.code(), Some(3), "{refused}");
        assert!(refused.stderr.contains("config-unsafe"), "{refused}");
        assert!(!refused.stderr.contains("no rule"), "{refused}");
    }
}

#[test]
fn nobody_keeps_jailctl_waiting_for_a_file_system_that_does_not_answer() {
    for what in ["root", "arguments"] {
        let sandbox = host("chroot");
        let silent = install_probe(&sandbox, "silent");
        sandbox.must("mkdir -p /srv/stall/fs; [ -e /dev/fuse ] || mknod /dev/fuse c 10 229");
        let started = sandbox.sh(&format!(
            "setsid {silent} /srv/stall/fs $(id -u ann):$(id -g ann) {what} $(printf %010000d 0) >/srv/said 2>&1 </dev/null &
             for n in $(seq 100); do [ -s /srv/said ] && break; sleep 0.05; done; cat /srv/said"
        ));
        if started.stdout != "ready\n" {
            skipped("a file system that does not answer", &started.stdout);
            return;
        }
        let asked = std::time::Instant::now();
        let all = sessions(&sandbox, &["ann"]);
        assert_eq!(all.len(), 1, "{what}: {all:?}");
        if what == "arguments" {
            assert_eq!(all[0]["command"], "[silent]");
        }
        assert_eq!(counted(&sandbox), (1, 0), "{what}");
        let kicked = jailctl(&sandbox, &["kick", "--grace", "0", "ann"]);
        assert!(
            kicked.ok().contains("ended 1 process of ann"),
            "{what}: {kicked}"
        );
        assert_eq!(processes(&sandbox, "ann"), "", "{what}");
        assert!(
            asked.elapsed().as_secs() < 30,
            "{what}: {:?}",
            asked.elapsed()
        );
    }
}

/// What `status` says of ann, as JSON.
fn status_of_ann(sandbox: &Sandbox) -> (Option<i32>, Value) {
    let status = jailctl(sandbox, &["status", "--json"]);
    let report: Value = serde_json::from_str(&status.stdout).unwrap();
    let users = report["users"].as_array().unwrap();
    let ann = users.iter().find(|it| it["user"] == "ann").unwrap();
    (status.code(), ann.clone())
}

#[test]
fn the_user_manager_of_systemd_is_told_from_what_it_runs_and_from_others() {
    let sandbox = host("full");
    // Processes whose control groups are as systemd makes them. `adopt` starts one with init as its parent.
    sandbox.must("mkdir -p /usr/local/lib/test; cp /bin/sleep /usr/local/lib/test/systemd");
    sandbox.write("/srv/group", "#!/bin/sh\nprintf '0::/user.slice/user-%s.slice/%s\\n' $(id -u ann) \"$2\" >/srv/group.$1; mount --bind /srv/group.$1 /proc/$1/cgroup\n");
    sandbox.write(
        "/srv/adopt",
        "#!/bin/sh\nfor n in $(seq $1); do (setsid setpriv --reuid ann --regid ann --clear-groups $2 4321 >/dev/null 2>&1 </dev/null & echo $! >>/srv/pids); done\nsleep 0.3\n",
    );
    sandbox.must("chmod 755 /srv/group /srv/adopt");
    let start = |program: &str, unit: &str| {
        sandbox.must(&format!(
            ": >/srv/pids; /srv/adopt 1 {program}; /srv/group $(cat /srv/pids) \"{unit}\"; cat /srv/pids"
        ))
    };
    let count = |key: &str| status_of_ann(&sandbox).1[key].as_u64().unwrap();
    let service = "user@$(id -u ann).service";
    let manager = "/usr/local/lib/test/systemd";
    start(manager, &format!("{service}/init.scope"));
    assert_eq!(
        (count("manager"), count("managed"), count("outside")),
        (1, 0, 0)
    );
    assert_eq!(status_of_ann(&sandbox).0, Some(0));

    // One that the manager runs is outside, and is called by its unit.
    start("/bin/sleep", &format!("{service}/app.slice/e.service"));
    let (code, ann) = status_of_ann(&sandbox);
    assert_eq!(
        (count("manager"), count("managed"), count("outside")),
        (1, 1, 0)
    );
    assert_eq!(
        (code, ann["units"][0].as_str()),
        (Some(1), Some("e.service"))
    );
    let said = jailctl(&sandbox, &["status"]);
    assert!(
        said.stdout
            .contains("1 process outside of the jail by the user's systemd manager (e.service)"),
        "{said}"
    );

    // What goes by the manager's name elsewhere, or is no program of systemd's there, is no manager.
    start(manager, "session-4.scope");
    assert_eq!(
        (count("manager"), count("managed"), count("outside")),
        (1, 1, 1)
    );
    start("/bin/sleep", &format!("{service}/init.scope"));
    assert_eq!(
        (count("manager"), count("managed"), count("outside")),
        (1, 2, 1)
    );
    // Only one is, and it is the child of the host's init.
    sandbox.must(&format!(
        "setsid setpriv --reuid ann --regid ann --clear-groups sh -c '{manager} 4321 & echo $! >/srv/child; wait' >/dev/null 2>&1 </dev/null & sleep 0.3"
    ));
    assert_eq!(count("outside"), 3);
}

/// How many processes of ann's `status` counts inside, and how many outside.
fn counted(sandbox: &Sandbox) -> (u64, u64) {
    let status = jailctl(sandbox, &["status", "--json"]);
    let report: Value = serde_json::from_str(&status.stdout).unwrap();
    let users = report["users"].as_array().unwrap();
    let ann = users.iter().find(|it| it["user"] == "ann").unwrap();
    let count = |key: &str| ann[key].as_u64().unwrap();
    // Outside is what the exit status says.
    assert_eq!(status.code() == Some(1), count("outside") > 0, "{status}");
    (count("inside"), count("outside"))
}

/// Starts a command as ann on the host, outside of any jail, and waits until `status` counts so much.
fn start_outside(sandbox: &Sandbox, command: &str, wanted: (u64, u64)) {
    sandbox.must(&format!(
        "setsid setpriv --reuid ann --regid ann --init-groups {command} >/dev/null 2>&1 </dev/null &"
    ));
    let met = sandbox.wait_until(|| (counted(sandbox) == wanted).then_some(()));
    assert!(
        met.is_some(),
        "{command}: {:?}\n{}",
        counted(sandbox),
        processes(sandbox, "ann")
    );
}

#[test]
fn what_a_user_makes_to_look_like_a_jail_is_outside() {
    for isolation in ["full", "chroot"] {
        let sandbox = host(isolation);
        if sandbox.run_as("ann", &["unshare", "-Ur", "true"]).code() != Some(0) {
            skipped("what looks like a jail", "users make no namespaces here");
            return;
        }
        assert_eq!(counted(&sandbox), (0, 0));
        // A root of its own takes a user namespace, and everything else can be had there.
        for (own, count) in [("-Ur", 1), ("-Urmpf --kill-child", 2)] {
            let command = format!("unshare {own} chroot /srv/jails/ann /bin/sleep 4321");
            start_outside(&sandbox, &command, (0, count));
            assert!(sessions(&sandbox, &[]).is_empty(), "{isolation} {own}");
            jailctl(&sandbox, &["kick", "--grace", "0", "ann"]).ok();
        }
    }
}

#[test]
fn what_stands_around_sessions_is_told_from_what_a_user_starts() {
    let sandbox = host("full");
    start(&sandbox, "ann", "exec sleep 4321");
    wait_for_command(&sandbox, "sleep 4321");
    // Init and sleep; sshd's process and the supervisor are neither.
    assert_eq!(counted(&sandbox), (2, 0));
    sandbox.must(
        "ssh-keygen -q -t ed25519 -N '' -f /srv/key; chown ann /srv/key; cp /bin/sleep /srv/jail-shell",
    );
    let sshd =
        "$(command -v sshd) -D -f /dev/null -h /srv/key -p 4022 -o UsePAM=no -o PidFile=none";
    start_outside(&sandbox, sshd, (2, 1));
    // In place of one that a loader has brought something of hers into.
    start_outside(&sandbox, "/srv/jail-shell 4322", (2, 2));
    let left = sandbox.must("ps -o args= -U ann");
    assert!(left.contains("4022") && left.contains("4322"), "{left}");
}

#[test]
fn what_makes_a_user_namespace_inside_is_inside() {
    let sandbox = host("full");
    sandbox.must("sed -i '/^shell/a seccomp = \"off\"' /etc/login-jail/config.toml");
    start(&sandbox, "ann", "exec unshare -Ur sleep 4321");
    wait_for_command(&sandbox, "sleep 4321");
    assert_eq!(counted(&sandbox), (2, 0));
}

/// Starts a login of ann's that comes to its new root and no further, with root's ids, until it is killed.
fn start_entering(sandbox: &Sandbox) {
    let inject = probe("inject");
    let ids = sandbox.must("echo $(id -u ann):$(id -g ann)");
    sandbox.must(&format!(
        "setsid {inject} {ids} call {},#1 hold {JAIL_SHELL} jail-shell -c 'sleep 4321' >/dev/null 2>&1 </dev/null 9>&- &",
        nix::libc::SYS_pivot_root
    ));
}

#[test]
fn a_login_that_has_roots_ids_is_listed_for_its_user_and_ended() {
    let sandbox = host("full");
    start_entering(&sandbox);
    // Who waits outside until the jail stands, and who builds it.
    let all = wait_until(&sandbox, "ann", |all| {
        all.len() == 1 && all[0]["processes"] == 2
    });
    assert_eq!(all[0]["entering"], true, "{all:?}");
    let of_root = sandbox.must("ps -eo ruid=,args= | grep -c '^ *0 [j]ail-shell -c'");
    assert_eq!(of_root, "2", "{all:?}");
    assert!(sessions(&sandbox, &["bob"]).is_empty());
    let seen = jailctl(&sandbox, &["sessions"]);
    assert!(seen.ok().contains("(entering)"), "{seen}");
    let kicked = jailctl(&sandbox, &["kick", "--grace", "0", "bob"]);
    assert!(kicked.ok().contains("bob has no process"), "{kicked}");
    assert_eq!(sessions(&sandbox, &["ann"]).len(), 1);
    let kicked = jailctl(&sandbox, &["kick", "--grace", "0", "ann"]);
    assert!(kicked.ok().contains("ended 2 processes of ann"), "{kicked}");
    let left = sandbox.must("ps -eo uid=,args= | grep '[j]ail-shell -c' | grep -v inject || true");
    assert_eq!(left, "");
    start(&sandbox, "ann", "exec sleep 4321");
    let all = wait_for_command(&sandbox, "sleep 4321");
    assert_eq!(all[0]["entering"], false, "{all:?}");
}

#[test]
fn a_login_behind_pam_that_waits_for_a_file_system_is_listed_for_its_user() {
    let sandbox = Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\"");
    if !has_fuse(&sandbox, "a file system that does not answer") {
        return;
    }
    // Root's own, which is asked.
    stall(&sandbox, "/srv/jails/ann", 0, "");
    sandbox.must("setsid su ann -c true >/dev/null 2>&1 </dev/null &");
    let all = wait_for(&sandbox, "ann", 1);
    assert_eq!(all[0]["entering"], true, "{all:?}");
    assert_eq!(all[0]["service"], "su", "{all:?}");
    end(&sandbox);
    wait_for(&sandbox, "ann", 0);
}

/// What is wrong with the arguments is said with the command that does what was meant.
#[test]
fn an_option_that_takes_another_says_which() {
    let sandbox = host("full");
    for (arguments, said) in [
        (
            &["sessions", "--since", "2h"][..],
            "jailctl: --since is for sessions that have ended; run: jailctl sessions --ended --since 2h\n",
        ),
        (
            &["enter", "--door", "pam", "/srv/jails/ann"],
            "jailctl: --door is for the login of a user; run: jailctl enter --user NAME --door pam\n",
        ),
        (
            &["enter"],
            "jailctl: a root directory or --user NAME is missing; run: jailctl enter ROOT, or: jailctl enter --user NAME\n",
        ),
    ] {
        let outcome = jailctl(&sandbox, arguments);
        assert_eq!(outcome.code(), Some(2), "{outcome}");
        assert_eq!(outcome.stderr, said);
    }
}
