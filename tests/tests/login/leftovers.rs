//! What a login leaves behind, however it ends: nothing. No mount, process, namespace or file; and while it lasts, no
//! mount of one side is seen on the other.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

use std::collections::BTreeMap;

use login_jail_tests::fault::{Call, End, Run, probe};
use login_jail_tests::{JAIL_SHELL, Sandbox, roots};

/// ann has a whole root and a directory of the host in it; bob's root is missing.
const CONFIG: &str = r#"
users = { ann = "ann", bob = "bob" }
[jails.ann]
root = "/srv/jails/ann"
mounts = [{ source = "/srv/shared", target = "/data", mode = "rw" }]
[jails.bob]
root = "/srv/jails/bob"
"#;

/// One login of many, `$1` its number: it prints how it ended. Some are killed at a random moment: the supervisor, init,
/// the shell. Each starts with nothing of the others'.
const LOGIN: &str = r#"
user=ann
[ $(($1 % 10)) = 9 ] && user=bob
setpriv --reuid $user --regid $user --clear-groups /usr/bin/jail-shell -c 'sleep 0.03; exit 7' 2>/dev/null &
outside=$!
moment=$(od -An -N1 -tu1 /dev/urandom)
case $(($1 % 10)) in
0) sleep 0.0$((moment % 50 + 10)); kill -9 $outside ;;
1) sleep 0.0$((moment % 50 + 10)); pkill -9 -P $outside ;;
2) sleep 0.0$((moment % 50 + 10))
   for init in $(pgrep -P $outside); do pkill -9 -P $init; done ;;
3) sleep 0.0$((moment % 50 + 10)); kill -TERM $outside ;;
esac 2>/dev/null
wait $outside 2>/dev/null
echo $(($1 % 10)) $?
"#;

fn stage() -> Sandbox {
    let sandbox = Sandbox::new()
        .user("ann")
        .root(roots::busybox())
        .user("bob")
        .config(CONFIG);
    sandbox.must("mkdir -p /srv/shared/box; chmod 777 /srv/shared/box");
    // The mount points that are missing are made once, and stay. So do the numbers of each jail.
    sandbox.run_as("ann", &[JAIL_SHELL, "-c", "true"]).ok();
    drop(sandbox.run_as("bob", &[JAIL_SHELL, "-c", "true"]));
    sandbox
}

/// What of the host's a login could leave something in: mounts, processes, namespaces, files, System V IPC.
fn state(sandbox: &Sandbox) -> String {
    sandbox.must(
        "for _ in $(seq 200); do pgrep -u ann,bob >/dev/null || pgrep '^jail(-shell|:)' >/dev/null || break; sleep 0.01; done
         cat /proc/self/mountinfo
         ps -eo user,stat,comm --no-headers | grep -E 'ann|bob|jail-shell|jail:|Z' | grep -v grep || true
         for kind in mnt pid net ipc uts user; do
             for link in /proc/[0-9]*/ns/$kind; do readlink $link; done | sort -u
         done
         find /srv /run /tmp /dev/shm -xdev | sort
         ipcs -a",
    )
}

/// Makes that many logins, `at_once` of them at a time, and gives how those of each kind ended.
fn logins(sandbox: &Sandbox, count: usize, at_once: usize) -> BTreeMap<u32, Vec<i32>> {
    sandbox.write("/usr/local/bin/one-login", LOGIN);
    let script = format!("seq {count} | xargs -n 1 -P {at_once} sh /usr/local/bin/one-login");
    // Longer than the sandbox allows one command.
    let output = sandbox
        .command(&["sh", "-c", &script])
        .output()
        .expect("run the logins");
    let mut ends: BTreeMap<u32, Vec<i32>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let (kind, status) = line.split_once(' ').expect("a kind and a status");
        let ended = ends.entry(kind.parse().expect("a kind")).or_default();
        ended.push(status.parse().expect("a status"));
    }
    ends
}

fn logins_leave_nothing(count: usize, at_once: usize) {
    let sandbox = stage();
    let before = state(&sandbox);
    let ends = logins(&sandbox, count, at_once);
    assert_eq!(ends.values().map(Vec::len).sum::<usize>(), count);
    for (kind, statuses) in &ends {
        let right = |status: &i32| match kind {
            0 => [137, 7].contains(status),
            // 123: killed before it had let the next process go on. That login is refused, with its reason.
            1 | 2 => [137, 123, 7].contains(status),
            3 => [143, 7].contains(status),
            9 => *status == 110,
            _ => *status == 7,
        };
        let wrong: Vec<_> = statuses.iter().filter(|status| !right(status)).collect();
        assert!(
            wrong.is_empty(),
            "{kind}: {wrong:?}\n{}",
            sandbox.log().join("\n")
        );
    }
    let refused = ends.get(&9).map_or(0, Vec::len);
    let reasons = sandbox
        .log()
        .iter()
        .filter(|line| line.contains("refused code=root-missing"))
        .count();
    // One login was refused before these.
    assert_eq!(reasons, refused + 1, "each refused login has its reason");
    assert_eq!(state(&sandbox), before);
}

#[test]
fn three_hundred_logins_leave_nothing() {
    logins_leave_nothing(300, 16);
}

#[test]
#[ignore = "long: make test-long"]
fn five_thousand_logins_leave_nothing() {
    logins_leave_nothing(5000, 64);
}

/// Each of the login's processes killed at every call that it makes, apart from every third: the fault matrix has those.
#[test]
fn killed_at_any_call_a_login_leaves_nothing() {
    let sandbox = stage();
    let before = state(&sandbox);
    let inject = probe("inject");
    let account = sandbox.must("echo $(id -u ann):$(id -g ann)");
    let record = format!("{inject} {account} record {JAIL_SHELL} jail-shell -c true 9>/run/calls");
    sandbox.must(&record);
    let calls = Call::parse_list(&sandbox.read("/run/calls"));
    sandbox.must("rm /run/calls");
    let points: Vec<String> = calls
        .iter()
        .filter(|call| call.position % 3 != 0)
        .map(|call| format!("{}.{}:kill", call.process, call.position))
        .collect();
    let points = points.join(",");
    let argv = [
        inject.as_str(),
        &account,
        "sweep",
        &points,
        JAIL_SHELL,
        "jail-shell",
        "-c",
        "true",
    ];
    let output = sandbox.command(&argv).output().expect("run the sweep");
    let runs = Run::parse_list(&String::from_utf8_lossy(&output.stdout));
    for process in 1..=3 {
        let killed = |run: &&Run| run.process == process && run.error == -1;
        assert!(
            runs.iter().filter(killed).count() > 10,
            "process {process} was not killed"
        );
    }
    let hanging: Vec<&Run> = runs.iter().filter(|run| run.end == End::Hang).collect();
    assert!(hanging.is_empty(), "{hanging:?}");
    assert_eq!(state(&sandbox), before);
}

#[test]
fn mounts_of_a_session_and_of_the_host_stay_apart() {
    let sandbox = stage();
    // As systemd leaves a host: what is mounted in one namespace shows in all others that are not told otherwise.
    sandbox.must("mount -t tmpfs shared /srv/shared; mkdir /srv/shared/late /srv/shared/box; chmod 755 /srv/shared; chmod 777 /srv/shared/box; mount --make-rshared /");
    let mounts = "cat /proc/self/mountinfo";
    let before = sandbox.must(mounts);
    let said = sandbox.must(
        "setpriv --reuid ann --regid ann --clear-groups jail-shell -c '
             touch /data/box/in
             until [ -e /data/box/mounted ]; do sleep 0.01; done
             ls /data/late; cat /proc/self/mountinfo; touch /data/box/done
         ' >/run/said &
         until [ -e /srv/shared/box/in ]; do sleep 0.01; done
         cat /proc/self/mountinfo >/run/during
         mount -t tmpfs late /srv/shared/late
         touch /srv/shared/late/seen /srv/shared/box/mounted
         wait
         umount /srv/shared/late
         cat /run/said",
    );
    assert!(
        !said.contains("seen"),
        "a mount of the host's came in: {said}"
    );
    assert!(
        said.contains(" /data "),
        "the session had its mount: {said}"
    );
    assert!(
        !said.contains("shared:"),
        "a mount of the session is shared: {said}"
    );
    assert!(
        !said.contains("master:"),
        "a mount of the session listens to the host: {said}"
    );
    assert_eq!(sandbox.read("/run/during"), before);
    assert_eq!(sandbox.must(mounts), before);
}
