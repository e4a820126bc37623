//! `scope = "user"`: all logins of a user share one world, and nothing outside of it gains by that.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

use login_jail_tests::{JAIL_SHELL, Sandbox};

/// What identifies a world from inside.
const WORLD: &str = "readlink /proc/self/ns/pid";

/// ann in a view of the host, with this besides `scope = "user"`.
fn host(keys: &str) -> Sandbox {
    Sandbox::new()
        .user("ann")
        .config(&format!(
            "users = {{ ann = 'w', bob = 'w' }}\n[jails.w]\nroot = '/srv/jails/ann'\nbase = 'host'\nshell = '/bin/bash'\nscope = 'user'\n{keys}\n"
        ))
        .with("mkdir -p /srv/jails/ann/home/ann; chown ann: /srv/jails/ann/home/ann")
}

/// Starts a session that stays until its process is ended, and waits until it is inside.
#[track_caller]
fn open(sandbox: &Sandbox, seconds: u32) {
    open_with(sandbox, &format!("exec sleep {seconds}"), seconds);
}

#[track_caller]
fn open_with(sandbox: &Sandbox, command: &str, seconds: u32) {
    let words = sandbox.ssh_argv("ann", &["-T"], Some(command));
    let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    sandbox.must(&format!(
        "setsid {} >/tmp/out.{seconds} 2>&1 </dev/null &
         for n in $(seq 300); do pgrep -u ann -f '^sleep {seconds}' >/dev/null && exit; sleep 0.02; done; cat /tmp/out.{seconds} >&2; exit 1",
        words.join(" ")
    ));
}

fn world_of(sandbox: &Sandbox, seconds: u32) -> String {
    sandbox.must(&format!(
        "readlink /proc/$(pgrep -u ann -f '^sleep {seconds}')/ns/pid"
    ))
}

#[track_caller]
fn gone(sandbox: &Sandbox) {
    let gone = sandbox.wait_until(|| {
        sandbox
            .must("pgrep -u ann || true")
            .is_empty()
            .then_some(())
    });
    assert!(
        gone.is_some(),
        "left: {}",
        sandbox.must("ps -o pid,ppid,stat,args -u ann || true")
    );
}

#[test]
fn a_login_sees_and_kills_the_processes_of_another_and_the_world_ends_with_the_last() {
    let sandbox = host("");
    open(&sandbox, 4001);
    let ps = sandbox.ssh("ann", "ps -eo args");
    assert!(ps.ok().contains("sleep 4001"), "{ps}");
    assert_eq!(
        sandbox.ssh("ann", WORLD).ok(),
        world_of(&sandbox, 4001),
        "another world"
    );
    for (door, world) in [
        ("su -", sandbox.su_dash_c("ann", WORLD)),
        ("su", sandbox.su_c("ann", WORLD)),
        (
            "jailctl enter",
            sandbox.jailctl(&["enter", "--user", "ann", "--", WORLD]),
        ),
    ] {
        assert_eq!(world.ok(), world_of(&sandbox, 4001), "{door}");
    }
    assert_eq!(
        sandbox
            .ssh("ann", "kill -TERM $(pgrep -f '^sleep 4001') && echo killed")
            .ok(),
        "killed"
    );
    gone(&sandbox);
}

/// sshd and su list the groups of a user as the kernel has them, a look-up as the files have them.
#[test]
fn every_way_in_joins_the_world_of_a_user_who_is_in_several_groups() {
    let sandbox = host("").with(
        "groupadd -g 7003 late; groupadd -g 7001 early; groupadd -g 7002 middle; usermod -aG middle,late,early ann",
    );
    open(&sandbox, 4007);
    let world = world_of(&sandbox, 4007);
    for command in [
        sandbox.ssh("ann", WORLD),
        sandbox.run(&["su", "-", "ann", "-c", WORLD]),
        sandbox.jailctl(&["enter", "--user", "ann", "--", WORLD]),
    ] {
        assert_eq!(command.ok(), world);
    }
}

#[test]
fn tmp_abstract_sockets_and_the_log_are_those_of_all_logins() {
    let sandbox = host("");
    sandbox.write(
        "/srv/jails/ann/home/ann/serve.py",
        "import socket\ns = socket.socket(socket.AF_UNIX)\ns.bind('\\0ours')\ns.listen()\nwhile True: s.accept()[0].sendall(b'hello')\n",
    );
    open_with(
        &sandbox,
        "echo shared >/tmp/mine; exec -a \"sleep 4002\" python3 /home/ann/serve.py",
        4002,
    );
    assert_eq!(sandbox.ssh("ann", "cat /tmp/mine").ok(), "shared");
    let said = sandbox.ssh(
        "ann",
        "python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect(\"\\0ours\"); print(s.recv(9))'",
    );
    assert_eq!(said.ok(), "b'hello'");
    assert_eq!(
        sandbox.ssh("ann", "logger -t of-ann joined").code(),
        Some(0)
    );
    sandbox.logged(&["of-ann", "joined"]);
}

#[test]
fn logins_at_once_make_one_world() {
    let sandbox = host("");
    let worlds = sandbox.must(&format!(
        "for n in $(seq 12); do
             setpriv --reuid ann --regid ann --clear-groups {JAIL_SHELL} -c '{WORLD}; sleep 1' >/tmp/w.$n &
         done
         wait
         cat /tmp/w.* | wc -l; sort -u /tmp/w.* | wc -l"
    ));
    assert_eq!(worlds, "12\n1");
    gone(&sandbox);
}

/// Adds lines to the jail's config.
fn set(sandbox: &Sandbox, keys: &str) {
    sandbox.must(&format!("echo \"{keys}\" >>/etc/login-jail/config.toml"));
}

#[test]
fn what_a_world_is_made_of_makes_another_one_and_the_old_one_stays() {
    let sandbox = host("");
    open(&sandbox, 4001);
    let old = world_of(&sandbox, 4001);
    for (what, change) in [
        (
            "what no world is made of",
            "echo 'idle = \"8h\"' >>/etc/login-jail/config.toml",
        ),
        (
            "a mask",
            "echo 'umask = \"027\"' >>/etc/login-jail/config.toml",
        ),
        (
            "a number of sessions",
            "echo 'limits = { sessions = 9 }' >>/etc/login-jail/config.toml",
        ),
    ] {
        sandbox.must(change);
        assert_eq!(sandbox.ssh("ann", WORLD).ok(), old, "{what}");
    }
    for (what, change) in [
        ("a group of the user's", "usermod -aG games ann"),
        (
            "a key",
            "echo 'network = \"none\"' >>/etc/login-jail/config.toml",
        ),
        (
            "another root directory",
            "mv /srv/jails/ann /srv/jails/old; cp -a /srv/jails/old /srv/jails/ann",
        ),
    ] {
        sandbox.must(change);
        let new = sandbox.ssh(
            "ann",
            &format!("{WORLD}; ps -eo args | grep -c '^sleep' || true"),
        );
        let (world, seen) = new.ok().split_once('\n').expect("two lines");
        assert_ne!(world, old, "{what}");
        assert_eq!(seen, "0", "{what}");
    }
    assert_eq!(world_of(&sandbox, 4001), old);
    sandbox.must("pkill -u ann -f 'sleep 4001'");
    gone(&sandbox);
}

#[test]
fn a_group_that_the_user_has_lost_is_in_no_world_that_is_joined() {
    let sandbox = host("").with("usermod -aG games ann");
    open(&sandbox, 4001);
    assert!(sandbox.ssh("ann", "id -Gn").ok().contains("games"));
    sandbox.must("gpasswd -d ann games");
    let groups = sandbox.ssh("ann", "id -Gn");
    assert!(!groups.ok().contains("games"), "{groups}");
}

#[test]
fn what_lingers_stays_in_the_world_until_its_end_and_without_linger_only_until_the_last_session() {
    let sandbox = host("");
    sandbox
        .ssh("ann", "setsid sleep 4005 >/dev/null 2>&1 & sleep 0.1")
        .ok();
    assert_eq!(sandbox.ssh("ann", WORLD).ok(), world_of(&sandbox, 4005));
    sandbox.ssh("ann", "pkill -f '^sleep 4005'").ok();
    gone(&sandbox);
    set(&sandbox, "linger = false");
    open(&sandbox, 4001);
    sandbox
        .ssh("ann", "setsid sleep 4005 >/dev/null 2>&1 & sleep 0.1")
        .ok();
    assert_eq!(world_of(&sandbox, 4005), world_of(&sandbox, 4001));
    sandbox.must("pkill -u ann -f 'sleep 4001'");
    gone(&sandbox);
}

#[test]
fn each_login_brings_its_own_limits_environment_mask_and_status() {
    let sandbox = host("limits = { nproc = 200 }");
    open(&sandbox, 4001);
    let facts = "ulimit -n; ulimit -Hn; ulimit -u; ulimit -s; umask; pwd; echo $HOME $ONE; id -u; [ -t 0 ] || echo none; exit 41";
    let run = |limits: &str, one: &str| {
        sandbox.sh(&format!(
            "cd /tmp; {limits}; exec env ONE={one} TERM=x setpriv --reuid ann --regid ann --init-groups {JAIL_SHELL} -c '{facts}' </dev/null"
        ))
    };
    set(&sandbox, "env = { pass = ['ONE'] }");
    let apart = {
        let other = host("limits = { nproc = 200 }\nenv = { pass = ['ONE'] }");
        other.sh(&format!(
            "cd /tmp; ulimit -Sn 500; ulimit -Hn 3000; ulimit -s 4000; exec env ONE=1 TERM=x setpriv --reuid ann --regid ann --init-groups {JAIL_SHELL} -c '{facts}' </dev/null"
        ))
    };
    let joined = run("ulimit -Sn 500; ulimit -Hn 3000; ulimit -s 4000", "1");
    assert_eq!(joined.stdout, apart.stdout, "{joined}");
    assert_eq!(joined.code(), Some(41), "{joined}");
    let more = run("ulimit -n 5000", "2");
    assert!(more.stdout.starts_with("5000\n5000\n200\n"), "{more}");
    sandbox.must("! grep -l ann /run/login-jail/worlds/* 2>/dev/null");
}

#[test]
fn a_joined_login_is_refused_for_what_any_login_is_refused_for() {
    let sandbox = host("");
    open(&sandbox, 4001);
    for (change, back, code) in [
        (
            "chmod 777 /srv/jails/ann",
            "chmod 755 /srv/jails/ann",
            "root-unsafe",
        ),
        (
            "mv /srv/jails/ann /srv/away",
            "mv /srv/away /srv/jails/ann",
            "root-missing",
        ),
        (
            "chmod 666 /etc/login-jail/config.toml",
            "chmod 644 /etc/login-jail/config.toml",
            "config-unsafe",
        ),
        (
            "echo \"home = '/nowhere'\" >>/etc/login-jail/config.toml",
            "sed -i /nowhere/d /etc/login-jail/config.toml",
            "home-missing",
        ),
        (
            "echo \"until = '2001-01-01'\" >>/etc/login-jail/config.toml",
            "sed -i /until/d /etc/login-jail/config.toml",
            "account",
        ),
    ] {
        sandbox.must(change);
        let refused = sandbox.su_c("ann", "echo in");
        assert_ne!(refused.code(), Some(0), "{code}: {refused}");
        assert_eq!(refused.stdout, "", "{code}: {refused}");
        sandbox.logged(&[&format!("refused code={code}")]);
        sandbox.must(back);
    }
    assert_eq!(sandbox.su_c("ann", WORLD).ok(), world_of(&sandbox, 4001));
}

#[test]
fn a_session_ends_with_its_supervisor_and_the_others_stay() {
    let sandbox = host("");
    open(&sandbox, 4001);
    open(&sandbox, 4002);
    let world = world_of(&sandbox, 4001);
    // The supervisor is named by the keeper, which is the parent of the main process.
    sandbox.must(
        "keeper=$(ps -o ppid= -p $(pgrep -u ann -f '^sleep 4002'))
         kill -KILL $(sed 's/session://' /proc/$((keeper))/comm)",
    );
    let ended = sandbox.wait_until(|| {
        sandbox
            .must("pgrep -u ann -f '^sleep 4002' || true")
            .is_empty()
            .then_some(())
    });
    assert!(ended.is_some());
    assert_eq!(world_of(&sandbox, 4001), world);
    assert_eq!(sandbox.ssh("ann", WORLD).ok(), world);
    // Whoever made the world may go.
    sandbox.must("pkill -u ann -f '^sleep 4001'");
    gone(&sandbox);
}

#[test]
fn a_session_whose_keeper_its_user_has_stopped_keeps_no_world() {
    let sandbox = host("linger = false");
    open(&sandbox, 4001);
    let keeper = "$(ps -o ppid= -p $(pgrep -f '^sleep 4001'))";
    sandbox.ssh("ann", &format!("kill -STOP {keeper}")).ok();
    sandbox.must(&format!(
        "kill -KILL $(sed 's/session://' /proc/$(({keeper}))/comm)"
    ));
    gone(&sandbox);
}

/// What is left of it lingers, as of any session; nothing waits for it.
#[test]
fn a_keeper_that_its_user_has_killed_ends_its_session_and_no_other() {
    let sandbox = host("");
    open(&sandbox, 4001);
    open(&sandbox, 4002);
    let world = world_of(&sandbox, 4001);
    let killed = sandbox.ssh(
        "ann",
        "kill -KILL $(ps -o ppid= -p $(pgrep -f '^sleep 4002'))",
    );
    assert_eq!(killed.code(), Some(0), "{killed}");
    let ended = sandbox.wait_until(|| {
        let supervisors = sandbox.must("pgrep -cf '^[^ ]*jail-shell -c exec sleep 4002$' || true");
        (supervisors == "0").then_some(())
    });
    assert!(ended.is_some(), "{}", sandbox.must("ps -ef"));
    assert_eq!(world_of(&sandbox, 4001), world);
    assert_eq!(sandbox.ssh("ann", WORLD).ok(), world);
    sandbox.must("pkill -u ann -f '^sleep 400[12]'");
    gone(&sandbox);
}

/// Each login joins the world before its end, or makes the next one.
#[test]
fn logins_that_come_as_a_world_ends_all_go_in() {
    for keys in ["", "linger = false"] {
        let sandbox = host(keys);
        let ends = sandbox.must(&format!(
            "for loop in $(seq 4); do
                 (for n in $(seq 25); do
                     setpriv --reuid ann --regid ann --clear-groups {JAIL_SHELL} -c 'exit 7' || echo $?
                 done) >/tmp/ends.$loop 2>&1 &
             done
             wait
             cat /tmp/ends.* | sort | uniq -c"
        ));
        assert_eq!(ends.trim(), "100 7", "{keys}: {}", sandbox.syslog());
        gone(&sandbox);
    }
}

#[test]
fn the_maker_of_a_world_leaves_and_others_go_on() {
    let sandbox = host("");
    open(&sandbox, 4001);
    open(&sandbox, 4002);
    let world = world_of(&sandbox, 4002);
    sandbox.must("pkill -u ann -f '^sleep 4001'");
    assert_eq!(sandbox.ssh("ann", WORLD).ok(), world);
    assert_eq!(
        sandbox.ssh("ann", "logger -t of-ann late; echo sent").ok(),
        "sent"
    );
    sandbox.logged(&["of-ann", "late"]);
}

#[test]
fn a_process_of_the_same_uid_outside_gains_nothing() {
    let sandbox = host("");
    open(&sandbox, 4001);
    let old = world_of(&sandbox, 4001);
    let init = sandbox.must("ps -o ppid= -p $(ps -o ppid= -p $(pgrep -u ann -f '^sleep 4001'))");
    let outside = |script: &str| sandbox.run_as("ann", &["bash", "-c", script]);
    for script in [
        "ls /run/login-jail/worlds".to_owned(),
        "python3 -c 'import socket, glob; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(\"/run/login-jail/worlds/\" + \"x\")'".to_owned(),
        format!("ls /proc/{}/fd", init.trim()),
        format!("readlink /proc/{}/root", init.trim()),
        format!("gdb --version >/dev/null 2>&1; cat /proc/{}/mem", init.trim()),
        format!("nsenter -t {} -m true", init.trim()),
    ] {
        let tried = outside(&script);
        assert_ne!(tried.code(), Some(0), "{script}: {tried}");
    }
    // A world that is stopped answers nobody: the next login makes another one.
    outside(&format!("kill -STOP {}", init.trim()));
    let new = sandbox.ssh("ann", WORLD);
    assert_ne!(new.ok(), old);
    outside(&format!("kill -CONT {}", init.trim()));
    assert_eq!(world_of(&sandbox, 4001), old);
    outside(&format!("kill -KILL {}", init.trim()));
    gone(&sandbox);
    // The kernel may give the number of the former one to the next.
    assert_eq!(sandbox.ssh("ann", "echo in").ok(), "in");
}

/// Who could set limits of the world's first process could keep every later login out, those of root too.
#[test]
fn nobody_of_the_same_uid_sets_limits_of_a_process_around_a_session() {
    for scope in ["user", "session"] {
        let sandbox = host("");
        sandbox.must(&format!(
            "sed -i \"s/^scope = .*/scope = '{scope}'/\" /etc/login-jail/config.toml"
        ));
        open(&sandbox, 4001);
        let around = sandbox.must("pgrep -u ann -d ' ' 'jail-shell|session:'");
        let many = if scope == "user" { 3 } else { 2 };
        assert_eq!(around.split(' ').count(), many, "{around}");
        let inside = sandbox.ssh(
            "ann",
            "for p in 1 $(pgrep session:); do prlimit --pid $p --nofile=0:0 && echo limited; prlimit --pid $p && echo read; done; true",
        );
        assert_eq!(inside.ok(), "", "{scope}");
        let outside = sandbox.run_as(
            "ann",
            &[
                "bash",
                "-c",
                &format!(
                    "for p in {around}; do prlimit --pid $p --fsize=0:0 && echo limited; done; true"
                ),
            ],
        );
        assert_eq!(outside.ok(), "", "{scope}");
        assert_eq!(sandbox.ssh("ann", "echo in").ok(), "in");
        // What they start has the user's ids, all three.
        let own = sandbox.ssh("ann", "grep Gid: /proc/self/status; id -g");
        let (gids, gid) = own.ok().split_once('\n').expect("two lines");
        assert_eq!(gids.matches(gid).count(), 4, "{gids}");
    }
}

#[test]
fn a_login_that_can_not_be_forked_ends_no_world() {
    let sandbox = host("");
    // What other tests' users have running counts for a uid that they share.
    sandbox.must("usermod -u 54322 ann; chown ann: /srv/jails/ann/home/ann");
    // Where root may not set limits of the world's first process either, those of the first login hold.
    sandbox.must(&format!(
        "prlimit --nproc=8:8 setpriv --reuid ann --regid ann --init-groups {JAIL_SHELL} -c 'setsid sleep 4005 >/dev/null 2>&1 & sleep 0.1'"
    ));
    let old = world_of(&sandbox, 4005);
    sandbox.must(
        "prlimit --pid $(ps -o ppid= -p $(pgrep -u ann -f '^sleep 4005')) --nproc=1:1 || true
         for n in 1 2 3 4 5 6 7 8; do setpriv --reuid ann --regid ann --clear-groups setsid -f sleep 4006 >/dev/null 2>&1 </dev/null; done",
    );
    assert_ne!(sandbox.ssh("ann", WORLD).ok(), old);
    assert_eq!(world_of(&sandbox, 4005), old);
}

#[test]
fn no_process_of_a_session_has_the_place_of_worlds_open() {
    let sandbox = host("");
    open(&sandbox, 4001);
    open(&sandbox, 4002);
    let descriptors = sandbox.must("ls -l $(pgrep -u ann | sed 's|.*|/proc/&/fd|')");
    assert!(!descriptors.contains("login-jail/worlds"), "{descriptors}");
}

#[test]
fn sessions_believes_no_process_that_calls_itself_one_around_a_session() {
    let sandbox = host("");
    sandbox.write(
        "/tmp/named.c",
        "#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>
__attribute__((constructor)) static void f(void) { prctl(PR_SET_NAME, getenv(\"NAME\")); for (;;) pause(); }
",
    );
    sandbox.must("gcc -shared -fPIC -o /srv/jails/ann/home/ann/named.so /tmp/named.c");
    open(&sandbox, 4001);
    let supervisor = sandbox
        .must("sed 's/session://' /proc/$(($(ps -o ppid= -p $(pgrep -f '^sleep 4001'))))/comm");
    sandbox
        .ssh(
            "ann",
            &format!("setsid -f sh -c 'NAME=session:{supervisor} LD_PRELOAD=/home/ann/named.so exec {JAIL_SHELL}' >/dev/null 2>&1 </dev/null"),
        )
        .ok();
    let both = format!("pgrep -u ann -cx session:{supervisor}");
    let forged = sandbox.wait_until(|| (sandbox.must(&both) == "2").then_some(()));
    assert!(
        forged.is_some(),
        "{}",
        sandbox.must("ps -eo pid,user,comm,args")
    );
    let listed = sandbox.jailctl(&["sessions", "--json"]);
    // The session, and what lingers beside it.
    for (what, count) in [("\"world\": ", 2), ("\"service\": \"sshd\"", 1)] {
        assert_eq!(listed.ok().matches(what).count(), count, "{what}: {listed}");
    }
}

#[test]
fn refuses_a_place_that_others_than_root_can_get_into_and_a_socket_that_is_not_roots() {
    let sandbox = host("");
    open(&sandbox, 4001);
    sandbox.must("chmod 711 /run/login-jail/worlds");
    sandbox.su_c("ann", "echo in").refused(123, "step");
    sandbox.logged(&["share-world", "/run/login-jail/worlds"]);
    sandbox.must("chmod 700 /run/login-jail/worlds");
    // A listener in the very place that is not root's.
    sandbox.must(
        "cd /run/login-jail/worlds; name=$(ls -d [0-9]*.*); rm $name
         python3 -c '
import os, socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind(sys.argv[1]); os.setresuid(*[int(sys.argv[2])] * 3); s.listen(); time.sleep(60)' $name $(id -u ann) >/dev/null 2>&1 &
         sleep 1",
    );
    sandbox.su_c("ann", "echo in").refused(123, "step");
    sandbox.logged(&["share-world", "the world of root's making"]);
}

#[test]
fn behind_pam_it_is_refused_with_the_reason() {
    let sandbox = host("")
        .with("usermod -s /bin/bash ann")
        .behind_pam("required", "");
    let refused = sandbox.su_dash_c("ann", "echo in");
    assert_ne!(refused.code(), Some(0), "{refused}");
    assert_eq!(refused.stdout, "", "{refused}");
    let reason = sandbox.wait_until(|| sandbox.syslog().contains("scope = ").then_some(()));
    assert!(reason.is_some(), "{}", sandbox.syslog());
}

#[test]
fn tmux_and_screen_are_attached_from_another_login() {
    let sandbox = host("");
    for tool in ["tmux", "screen"] {
        if sandbox.run(&["which", tool]).code() != Some(0) {
            login_jail_tests::skipped(
                "attaching from another login",
                format!("{tool} is not installed"),
            );
            return;
        }
    }
    let mut first = sandbox.ssh_tty("ann", None);
    first.line("tmux new -s one");
    first.line("echo in''side-$((6*7)) $TMUX");
    first.expect("inside-42");
    let mut second = sandbox.ssh_tty("ann", Some("tmux attach -t one"));
    second.expect("inside-42");
    second.line("echo from-the-sec''ond");
    first.expect("from-the-second");
    second.line("tmux kill-server; exit");
    let mut first = sandbox.ssh_tty("ann", Some("screen -S two"));
    first.line("echo in''side-$((6*7)); tty");
    first.expect("inside-42\r\n/dev/pts/");
    let listed = sandbox.ssh("ann", "screen -ls");
    assert!(listed.stdout.contains(".two"), "{listed}");
    let mut second = sandbox.ssh_tty("ann", Some("screen -x two"));
    second.expect("inside-42");
    second.line("echo from-the-sec''ond; screen -d two");
    first.expect("from-the-second");
    let mut third = sandbox.ssh_tty("ann", Some("screen -r two"));
    third.expect("from-the-second");
    sandbox.ssh("ann", "screen -S two -X quit").ok();
}

/// A name is that of a terminal, and of another one once that is gone.
#[test]
fn each_terminal_has_a_name_in_the_world() {
    let sandbox = host("");
    open(&sandbox, 4001);
    let ask = "t=$(tty); echo \"at $t\"; exec 3<>$t && echo ope''ned; id -u >&3";
    let uid = sandbox.must("id -u ann");
    let name_of = |pty: &mut login_jail_tests::Pty| {
        pty.line(ask).expect("at /dev/");
        let name = pty.expect("\r\n");
        pty.expect("opened");
        pty.expect(&uid);
        name
    };
    let mut first = sandbox.ssh_tty("ann", None);
    assert_eq!(name_of(&mut first), "console");
    let mut second = sandbox.terminal(&["su", "-", "ann"]);
    assert_eq!(name_of(&mut second), "console1");
    first.line("exit");
    drop(first.finish());
    let mut third = sandbox.ssh_tty("ann", None);
    assert_eq!(name_of(&mut third), "console");
    third.line("ls -d /dev/cons*; echo e''nd");
    let listed = third.expect("end\r\n");
    assert_eq!(listed.matches("/dev/console").count(), 2, "{listed}");
    let without = sandbox.ssh("ann", "tty; ls -l /dev/console1");
    assert!(without.stdout.starts_with("not a tty\nc"), "{without}");
}

#[test]
fn files_are_carried_beside_a_shell() {
    let sandbox = host("").with("echo text >/tmp/here");
    open(&sandbox, 4001);
    let world = world_of(&sandbox, 4001);
    // What is carried is seen by whoever is inside already, in a /tmp that is nobody else's.
    for protocol in ["-O", "-s"] {
        sandbox
            .scp(&[protocol, "/tmp/here", "ann@127.0.0.1:/tmp/there"])
            .ok();
        let seen = sandbox.ssh(
            "ann",
            &format!("{WORLD}; cat /tmp/there; mv /tmp/there /tmp/back"),
        );
        assert_eq!(seen.ok(), format!("{world}\ntext"), "{protocol}");
        sandbox
            .scp(&[protocol, "ann@127.0.0.1:/tmp/back", "/tmp/back"])
            .ok();
        assert_eq!(sandbox.must("cat /tmp/back; rm /tmp/back"), "text");
    }
    let batch = "put /tmp/here /tmp/by-sftp\nget /tmp/by-sftp /tmp/back\n";
    sandbox.sftp("ann", batch).ok();
    assert_eq!(sandbox.read("/tmp/back"), "text");
    assert_eq!(sandbox.ssh("ann", "cat /tmp/by-sftp").ok(), "text");
    assert_eq!(world_of(&sandbox, 4001), world);
    assert_eq!(
        sandbox.must("ls /tmp/there /tmp/by-sftp 2>/dev/null || true"),
        ""
    );
}

/// What the editors do that work on another machine: a script on standard input starts a server unless one runs, and every later
/// login finds it by its lock, its pid, its port and its sockets.
#[test]
fn a_server_that_one_login_has_started_is_found_by_the_next() {
    let sandbox = host("");
    sandbox.write(
        "/srv/jails/ann/home/ann/server.py",
        "import os, socket, threading
def serve(s):
    s.listen()
    while True: s.accept()[0].sendall(b'here %d' % os.getpid())
tcp = socket.socket(); tcp.bind(('127.0.0.1', 0))
path = socket.socket(socket.AF_UNIX); path.bind('/tmp/editor.sock')
name = socket.socket(socket.AF_UNIX); name.bind('\\0editor')
for s in tcp, path, name: threading.Thread(target=serve, args=[s]).start()
open('/home/ann/.editor/port', 'w').write(str(tcp.getsockname()[1]))
",
    );
    let script = r#"
d=~/.editor; mkdir -p $d
exec 9>$d/lock; flock 9
if [ -e $d/pid ] && kill -0 $(cat $d/pid) 2>/dev/null && grep -q server.py /proc/$(cat $d/pid)/cmdline; then
    echo found
else
    rm -f $d/port
    nohup python3 ~/server.py >$d/log 2>&1 </dev/null 9>&- &
    echo $! >$d/pid
    until [ -s $d/port ]; do sleep 0.05; done
    echo started
fi
flock -u 9
python3 - <<'END'
import socket
port = int(open('/home/ann/.editor/port').read())
for family, address in (socket.AF_INET, ('127.0.0.1', port)), (socket.AF_UNIX, '/tmp/editor.sock'), (socket.AF_UNIX, '\0editor'):
    s = socket.socket(family); s.connect(address); print(s.recv(99).decode())
END
"#;
    let said = |word: &str| {
        let pid = sandbox.read("/srv/jails/ann/home/ann/.editor/pid");
        let pid = pid.trim_end();
        format!("{word}\nhere {pid}\nhere {pid}\nhere {pid}")
    };
    let first = sandbox.ssh_shell("ann", script);
    assert_eq!(first.ok(), said("started"));
    for _ in 0..2 {
        let next = sandbox.ssh_shell("ann", script);
        assert_eq!(next.ok(), said("found"));
    }
    // The way in of what runs on the client: a port that sshd forwards.
    let port = sandbox.read("/srv/jails/ann/home/ann/.editor/port");
    let forward = format!("-L9191:127.0.0.1:{port}");
    let words = sandbox.ssh_argv("ann", &["-fN", &forward], None).join(" ");
    let reached = sandbox.must(&format!(
        "{words} >/dev/null 2>&1; python3 -c 'import socket; s = socket.create_connection((\"127.0.0.1\", 9191)); print(s.recv(99).decode())'"
    ));
    assert!(reached.starts_with("here "), "{reached}");
    sandbox.ssh("ann", "kill $(cat ~/.editor/pid)").ok();
    sandbox.must("pkill -x ssh");
    gone(&sandbox);
}

#[test]
fn sessions_lists_each_login_and_the_world_that_they_share() {
    let sandbox = host("");
    open(&sandbox, 4001);
    open(&sandbox, 4002);
    let listed = sandbox.jailctl(&["sessions", "--json"]);
    let lines: Vec<&str> = listed
        .ok()
        .lines()
        .filter(|line| line.contains("\"world\""))
        .collect();
    assert_eq!(lines.len(), 2, "{listed}");
    assert_eq!(lines.first(), lines.last(), "{listed}");
    for command in ["sleep 4001", "sleep 4002"] {
        assert!(listed.ok().contains(command), "{listed}");
    }
    assert_eq!(
        listed.ok().matches("\"service\": \"sshd\"").count(),
        2,
        "{listed}"
    );
    assert!(!listed.ok().contains("\"session\": null"), "{listed}");
    let shown = sandbox.jailctl(&["sessions"]);
    assert_eq!(shown.ok().matches("(world ").count(), 2, "{shown}");
    // Also once nothing is left there but what lingers.
    sandbox
        .ssh("ann", "setsid sleep 4003 >/dev/null 2>&1 </dev/null &")
        .ok();
    sandbox.must("pkill -u ann -f '^sleep 400[12]'");
    let left = sandbox.wait_until(|| {
        let shown = sandbox.jailctl(&["sessions"]);
        let lines = shown.ok().lines().filter(|it| it.contains("(world "));
        (lines.count() == 1 && shown.ok().contains("sleep 4003")).then_some(())
    });
    assert!(left.is_some(), "{}", sandbox.jailctl(&["sessions"]));
    let explained = sandbox.jailctl(&["explain", "ann"]);
    let says = "those of all sessions of the user";
    assert!(explained.stdout.contains(says), "{explained}");
}

#[test]
fn status_counts_a_world_with_the_network_outside_of_a_jail_that_has_none_by_now() {
    let sandbox = host("");
    open(&sandbox, 4001);
    let counted = || {
        let status = sandbox.jailctl(&["status"]);
        let line = status.stdout.lines().find(|it| it.starts_with("ann "));
        let words: Vec<String> = line
            .into_iter()
            .flat_map(str::split_whitespace)
            .map(str::to_owned)
            .collect();
        (words[2] != "0", words[3] != "0")
    };
    assert_eq!(counted(), (true, false));
    set(&sandbox, "network = 'none'");
    assert_eq!(counted(), (false, true));
    open(&sandbox, 4002);
    assert_eq!(counted(), (true, true));
    sandbox.jailctl(&["kick", "ann"]).ok();
    gone(&sandbox);
}

#[test]
fn refuses_one_more_session_of_a_world_than_the_limit() {
    let sandbox = host("limits = { sessions = 1 }");
    open(&sandbox, 4001);
    let refused = sandbox.ssh("ann", "echo in");
    assert_eq!(refused.code(), Some(108), "{refused}");
    assert!(
        refused.stderr.contains("you have 1 session open"),
        "{refused}"
    );
    sandbox.must("pkill -u ann -f '^sleep 4001'");
    gone(&sandbox);
    assert_eq!(sandbox.ssh("ann", "echo in").ok(), "in");
}
