//! What `jailctl explain` says of a session on its one screen is what a probe observes in a real one: what is there at the top,
//! where files can be made, which network there is, and whether processes outside can be signalled.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};

use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, roots};
use serde_json::Value;

/// Where the host listens: a port of the sandbox's network.
const PORT: u16 = 7411;

/// Tries to make a file in each directory named, and prints where that worked; says what is at the top, whether the host answers
/// on two ports, and whether a process outside can be signalled. All of it is bash itself: a root may have nothing else.
const PROBE: &str = r#"
shopt -s dotglob nullglob
printf 'top %s\n' /*
for place in DIRECTORIES; do
    [[ -d $place && ! -L $place ]] || continue
    if (: >"$place/.probe") 2>/dev/null; then echo "writes $place"; fi
done
for port in PORTS; do
    if (: </dev/tcp/127.0.0.1/$port) 2>/dev/null; then echo "answers $port"; fi
done
if kill -0 OUTSIDE 2>/dev/null; then echo "signals yes"; fi
if [[ -S /dev/log ]]; then echo "log yes"; fi
"#;

/// A bash that knows nothing but itself, so that the root needs nothing else.
fn plain() -> roots::Root {
    roots::programs(&[])
}

fn ann(root: roots::Root, keys: &str) -> Sandbox {
    let config = format!(
        "[users]\nann = \"x\"\n[jails.x]\nroot = \"/srv/jails/{{user}}\"\nshell = \"/bin/bash\"\n{keys}\n"
    );
    Sandbox::new().user("ann").root(root).config(&config)
}

/// Lists the strings at a place in what explain says.
fn strings(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap())
        .collect()
}

/// Compares what explain says with what a session finds. `enter` runs a command in the jail.
#[track_caller]
fn compare(sandbox: &Sandbox, enter: impl Fn(&Sandbox, &str) -> Outcome) {
    let listening = sandbox.sh(&format!(
        "python3 -c 'import socket, time
all = [socket.create_server((\"127.0.0.1\", port)) for port in ({PORT}, {PORT} + 1)]
print(1, flush=True); time.sleep(60)' >/tmp/listening 2>/tmp/listening.why </dev/null &
         for turn in $(seq 100); do [ -s /tmp/listening ] && break; sleep 0.05; done
         setpriv --reuid ann --regid ann --clear-groups sleep 60 >/dev/null 2>&1 </dev/null & echo $!"
    ));
    let outside = listening.ok();
    let said = sandbox.run(&["jailctl", "explain", "--json", "ann"]);
    let said: Value = serde_json::from_str(&said.stdout).unwrap();
    let world = &said["world"];
    assert!(world.is_object(), "{said}");

    let mounts = world["mounts"].as_array().unwrap();
    let targets = mounts.iter().map(|it| it["target"].as_str().unwrap());
    let targets: Vec<&str> = targets.collect();
    let mut seen: BTreeSet<&str> = ["base", "root", "made"]
        .iter()
        .flat_map(|from| strings(&world["sees"][from]))
        .collect();
    seen.extend(targets.iter().filter(|it| it.matches('/').count() == 1));
    let claimed: BTreeSet<&str> = strings(&world["writes"]).into_iter().collect();
    let places: BTreeSet<&str> = [
        &["/"][..],
        &targets,
        &seen.iter().copied().collect::<Vec<_>>(),
    ]
    .concat()
    .into_iter()
    .chain(claimed.iter().copied())
    .collect();
    let places: Vec<String> = places.iter().map(|it| format!("'{it}'")).collect();
    let probe = PROBE
        .replace("DIRECTORIES", &places.join(" "))
        .replace("PORTS", &format!("{PORT} {}", PORT + 1))
        .replace("OUTSIDE", outside);
    let inside = enter(sandbox, &probe);
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in inside.ok().lines() {
        let (what, it) = line.split_once(' ').unwrap();
        found.entry(what).or_default().insert(it);
    }
    let of = |what: &str| found.get(what).cloned().unwrap_or_default();
    assert_eq!(of("top"), seen, "what is there: {said} {inside}");
    assert_eq!(of("writes"), claimed, "what is writable: {said} {inside}");

    let reach = &said["reach"];
    let connects = |port: u16| match reach["network"].as_str().unwrap() {
        "host" => true,
        "none" => false,
        _ => reach["connect"].as_array().unwrap().contains(&port.into()),
    };
    for port in [PORT, PORT + 1] {
        let answers = of("answers").contains(port.to_string().as_str());
        assert_eq!(answers, connects(port), "port {port}: {reach} {inside}");
    }
    let signals = of("signals").contains("yes");
    assert_eq!(signals, reach["signals"] == true, "{reach} {inside}");
    let log = of("log").contains("yes");
    assert_eq!(log, reach["log"] == true, "{reach} {inside}");

    // And it is on one screen.
    let ask = "stty cols 100; NO_COLOR=1 exec jailctl explain ann";
    let screen = sandbox.terminal(&["sh", "-c", ask]).finish();
    assert!(screen.stdout.lines().count() <= 24, "{screen}");
    let widest = screen
        .stdout
        .lines()
        .map(|line| line.trim_end().chars().count())
        .max();
    assert!(widest <= Some(100), "{screen}");
    for path in claimed {
        assert!(screen.stdout.contains(path), "{path}: {screen}");
    }
}

/// By the login shell, without anything around it.
fn by_shell(sandbox: &Sandbox, command: &str) -> Outcome {
    sandbox.run_as("ann", &[JAIL_SHELL, "-c", command])
}

fn by_su(sandbox: &Sandbox, command: &str) -> Outcome {
    sandbox.su_c("ann", command)
}

#[test]
fn of_the_hosts_system_around_a_home() {
    compare(&ann(roots::home(), "base = \"host\""), by_shell);
}

#[test]
fn of_a_root_that_is_the_whole_system() {
    compare(&ann(plain(), ""), by_shell);
}

#[test]
fn of_a_root_that_belongs_to_its_user() {
    let sandbox = ann(plain(), "root_owner = \"user\"");
    sandbox.must("chown ann: /srv/jails/ann /srv/jails/ann/etc");
    compare(&sandbox, by_shell);
}

#[test]
fn of_a_root_by_chroot() {
    let sandbox = ann(plain(), "isolation = \"chroot\"");
    sandbox.must("mkdir -m 1777 /srv/jails/ann/drop; install -d -o ann -m 500 /srv/jails/ann/mine");
    compare(&sandbox, by_shell);
}

#[test]
fn of_mounts_and_directories_of_every_owner_and_mode() {
    let keys = format!(
        "base = \"host\"\nnetwork = {{ connect = [{PORT}] }}\ntmp = \"root\"\nlimits = {{ nofile = 100 }}
         mounts = [
           {{ source = \"/srv/mine\", target = \"/mine\", mode = \"rw\" }},
           {{ source = \"/srv/roots\", target = \"/roots\", mode = \"rw\" }},
           {{ source = \"/srv/read\", target = \"/deep/read\", mode = \"ro\" }},
           {{ source = \"/srv/mine\", target = \"/home/ann\", mode = \"rw\" }},
         ]"
    );
    let sandbox = ann(roots::home(), &keys);
    sandbox.must(
        "install -d -o ann -m 700 /srv/mine /srv/read; install -d -m 755 /srv/roots
         cd /srv/jails/ann; mkdir -m 1777 tmp; mkdir -m 2775 team; mkdir -m 755 kept; install -d -o ann -m 500 shut
         groupadd team; chgrp team team kept; usermod -aG team ann; ln -s team link; mkdir -m 777 ro; mount -t tmpfs -o ro,mode=777 none ro",
    );
    compare(&sandbox, by_shell);
}

#[test]
fn of_a_jail_without_network() {
    compare(
        &ann(roots::home(), "base = \"host\"\nnetwork = \"none\""),
        by_shell,
    );
}

#[test]
fn of_the_hosts_system_behind_pam() {
    compare(
        &Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\""),
        by_su,
    );
}

#[test]
fn of_a_whole_root_behind_pam() {
    let sandbox = Sandbox::with_ann_behind_pam(plain(), "shell = \"/bin/bash\"");
    compare(&sandbox, by_su);
}

/// Where an ACL decides, explain says so, and neither yes nor no.
#[test]
fn an_acl_is_left_to_whoever_reads_it() {
    let sandbox = ann(roots::home(), "base = \"host\"");
    sandbox.must("mkdir /srv/jails/ann/listed");
    if sandbox
        .sh("setfacl -m u:ann:rwx /srv/jails/ann/listed")
        .code()
        != Some(0)
    {
        return login_jail_tests::skipped(
            "an ACL",
            "setfacl is missing, or the file system has no ACLs",
        );
    }
    let said = sandbox.run(&["jailctl", "explain", "ann"]);
    assert!(
        said.stdout.contains("/listed (as its ACL says: getfacl)"),
        "{said}"
    );
}
