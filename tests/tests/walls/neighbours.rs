//! What a user may not do to others: hold processes of root's, use up what all share, outlive what should end them.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, roots, skipped};

/// ann and bob in host-view jails of their own; ann owns hers.
fn ann_and_bob(keys: &str) -> Sandbox {
    let config = format!(
        "[users]\nann = 'hers'\nbob = 'his'\n\
         [jails.hers]\nroot = '/srv/jails/ann'\nbase = 'host'\nroot_owner = 'user'\n{keys}\n\
         [jails.his]\nroot = '/srv/jails/bob'\nbase = 'host'\n"
    );
    let sandbox = Sandbox::new()
        .user("ann")
        .root(roots::home())
        .user("bob")
        .root(roots::home())
        .config(&config);
    sandbox.must("chown ann: /srv/jails/ann");
    sandbox
}

fn login(sandbox: &Sandbox, user: &str, command: &str) -> Outcome {
    sandbox.run_as(user, &[JAIL_SHELL, "-c", command])
}

#[test]
fn a_refusal_that_nobody_reads_leaves_no_process_of_roots() {
    let sandbox = ann_and_bob("mounts = [{ source = '/srv', target = '/data', mode = 'ro' }]");
    sandbox.must("ln -s x /srv/jails/ann/data");
    login(&sandbox, "ann", "id").refused(123, "step");
    // A pipe that is full, and that its holder never reads: what is told blocks.
    let held = sandbox.must(&format!(
        r#"
        mkfifo -m 666 /tmp/full
        exec 3<>/tmp/full
        dd if=/dev/zero of=/tmp/full bs=4096 oflag=nonblock 2>/dev/null || :
        for n in 1 2 3 4 5; do setpriv --reuid ann --regid ann --init-groups {JAIL_SHELL} -c id 2>&3 & done
        sleep 1
        echo "of anns: $(pgrep -u ann -x jail-shell | wc -l)"
        echo "of roots: $(pgrep -u root -x jail-shell | wc -l)"
        pkill -KILL -u ann -x jail-shell
        sleep 0.5
        echo "after a kill: $(pgrep -x jail-shell | wc -l)"
        "#
    ));
    let [ann, root, after] = held.lines().collect::<Vec<_>>()[..] else {
        panic!("{held}");
    };
    assert_ne!(ann, "of anns: 0", "they block, or this proves nothing");
    assert_eq!([root, after], ["of roots: 0", "after a kill: 0"]);
}

#[test]
fn namespaces_count_against_the_user_who_keeps_them() {
    // No device can be made in a user namespace.
    let sandbox = ann_and_bob("[defaults]\ndev = 'root'");
    // In a user namespace that may have two mount namespaces at a time for each of its users.
    sandbox.write(
        "/tmp/inside",
        format!(
            r#"
            as() {{ setpriv --reuid $1 --regid $1 --init-groups {JAIL_SHELL} -c "$2"; }}
            read mapped
            echo 2 >/proc/sys/user/max_mnt_namespaces || {{ echo no limit; exit; }}
            as ann 'sleep 3' & as ann 'sleep 3' &
            sleep 1
            as ann true && echo "ann: in" || echo "ann: refused"
            as bob true && echo "bob: in" || echo "bob: refused"
            "#
        ),
    );
    let seen = sandbox.must(
        r#"
        mkfifo /tmp/go
        unshare --user --mount sh /tmp/inside </tmp/go 2>/dev/null &
        exec 3>/tmp/go
        until [ "$(readlink /proc/$!/ns/user)" != "$(readlink /proc/self/ns/user)" ]; do sleep 0.1; done
        echo '0 0 65536' >/proc/$!/uid_map
        echo '0 0 65536' >/proc/$!/gid_map
        echo mapped >&3
        wait
        "#,
    );
    if seen == "no limit" {
        let reason = "this machine has no CAP_SYS_RESOURCE to set user.max_mnt_namespaces with";
        skipped("namespaces_count_against_the_user_who_keeps_them", reason);
        return;
    }
    assert_eq!(
        seen,
        "ann: refused\nbob: in",
        "{}",
        sandbox.log().join("\n")
    );
    sandbox.logged(&["refused", "ann", "max_pid_namespaces"]);
}

#[test]
fn a_flood_of_signals_does_not_keep_a_session_that_must_end() {
    let sandbox = ann_and_bob("linger = false");
    // The kernel counts pending signals by uid, and other sandboxes have an ann, too.
    sandbox.must("usermod -u 54321 ann; chown -R ann: /srv/jails/ann");
    let flood = "import os, signal, time\n\
                 for n in range(8):\n\
                 \x20   if os.fork() == 0:\n\
                 \x20       while True: os.kill(1, signal.SIGRTMIN + n)\n\
                 time.sleep(1)\n";
    sandbox.write("/srv/jails/ann/flood.py", flood);
    let before = std::time::Instant::now();
    let outcome = login(&sandbox, "ann", "python3 /flood.py; exit 7");
    assert_eq!(outcome.code(), Some(7), "{outcome}");
    assert!(before.elapsed().as_secs() < 15, "the flood held it back");
    sandbox.must("sleep 1; ! pgrep -u ann");
}

#[test]
fn a_tmpfs_of_a_session_bounds_its_files() {
    let sandbox = ann_and_bob("");
    let memory: u64 = sandbox
        .must("awk '/MemTotal/ { printf \"%.0f\", $2 * 1024 }' /proc/meminfo")
        .parse()
        .expect("a number");
    for directory in ["/tmp", "/dev/shm"] {
        let command = format!("stat -f -c '%b %S %c' {directory}");
        let shown = login(&sandbox, "ann", &command);
        let numbers: Vec<u64> = shown
            .ok()
            .split(' ')
            .filter_map(|n| n.trim().parse().ok())
            .collect();
        let &[blocks, size, files] = numbers.as_slice() else {
            panic!("{shown}");
        };
        // The kernel counts a little more than it shows as usable.
        let tenth = memory / 10 * 101 / 100;
        assert!(blocks * size <= tenth, "{shown}");
        assert!(files <= tenth / 16384, "{shown}");
    }
}

#[test]
fn every_line_of_a_session_has_the_pid_that_the_host_knows() {
    let sandbox = ann_and_bob("");
    sandbox.must("mkdir /srv/jails/ann/home/ann/x; chmod 0 /srv/jails/ann/home/ann; chown root /srv/jails/ann/home/ann");
    login(&sandbox, "ann", "id").refused(116, "home-missing");
    let pid = |line: &str| {
        let (_, after) = line.split_once("jail-shell[").expect("a tag");
        after.split_once(']').expect("a tag").0.to_owned()
    };
    let [enter, refused] = ["enter", "refused"].map(|event| pid(&sandbox.logged(&[event, "ann"])));
    assert_eq!(enter, refused);
}

#[test]
fn what_a_mount_shows_keeps_its_owner_and_what_lies_above_is_nobody_elses_than_roots() {
    let sandbox =
        ann_and_bob("mounts = [{ source = '/srv/homes/ann', target = '/home/ann', mode = 'rw' }]");
    sandbox.must("install -d -m 700 -o ann -g ann /srv/homes/ann");
    login(&sandbox, "ann", "echo kept >~/file").ok();
    assert_eq!(sandbox.read("/srv/homes/ann/file"), "kept");
    // Somebody else's is shown, too, and what it holds stays theirs.
    sandbox.must("chown bob /srv/homes/ann; chmod 755 /srv/homes/ann; chmod 600 /srv/homes/ann/file; chown bob /srv/homes/ann/file");
    let seen = login(&sandbox, "ann", "cat ~/file; touch ~/new");
    assert_eq!((seen.code(), seen.stdout.as_str()), (Some(1), ""), "{seen}");
    sandbox.must("chown bob /srv/homes");
    let refused = login(&sandbox, "ann", "id");
    assert_eq!(refused.stdout, "", "{refused}");
    sandbox.logged(&["open the source of a mount", "/srv/homes belongs to uid"]);
}

#[test]
fn what_is_missing_in_a_root_of_the_users_is_made_as_theirs() {
    let sandbox = Sandbox::new().user("ann").root(roots::busybox()).config(
        "[users]\nann = 'hers'\n[jails.hers]\nroot = '/srv/jails/ann'\nroot_owner = 'user'\n",
    );
    sandbox.must("cd /srv/jails/ann; rm -rf proc dev tmp; chown ann: .");
    login(&sandbox, "ann", "true").ok();
    let made = sandbox.must("cd /srv/jails/ann; stat -c '%n %U' proc dev tmp");
    assert_eq!(made, "proc ann\ndev ann\ntmp ann");
}
