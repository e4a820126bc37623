//! `jailctl apply`: a declared state becomes fact once, drift is seen, and a change that makes something worse is taken back.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use std::time::{Duration, Instant};

use login_jail_tests::documents::machine;
use login_jail_tests::{Outcome, Sandbox};
use serde_json::Value;

const ETC: &str = r#"
cd /etc
others() { find . -regextype egrep \( -regex '\./g?(passwd|group|shadow)([-+]|\.lock|\.[0-9]+)' -o -name .pwd.lock \) -prune -o "$@"; }
others -printf '%p %y %m %U %G %l\n' | sort
others -type f -print0 | sort -z | xargs -0 sha256sum
ls /srv /home
"#;

const STATE: &str = r#"
create = true
[jails.class]
root = "/srv/class/{user}"
base = "host"
shell = "/bin/bash"
network = "none"
limits = { nproc = 100 }
[groups.pupils]
jail = "class"
[users.ann]
groups = ["pupils"]
keys = "/root/key.pub"
[users.bob]
groups = ["pupils"]
keys = "/root/key.pub"
until = 2099-07-31
limits = { nproc = 50 }
comment = "Bob Baker"
"#;

fn apply(sandbox: &Sandbox, words: &str) -> Outcome {
    sandbox.sh(&format!(
        "export PATH=/usr/local/sbin:$PATH; jailctl apply {words} /root/state.toml"
    ))
}

fn host(state: &str) -> Sandbox {
    let sandbox = machine().config("exempt = [\"root\"]\n");
    sandbox.write("/root/state.toml", state);
    sandbox
}

#[track_caller]
fn json(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome}"))
}

/// Types a command as the user on the other machine, who has the key.
fn you(sandbox: &Sandbox, command: &str) -> Outcome {
    let script = format!("export HOME=/home/you; cd; {command}");
    sandbox.run_as("you", &["bash", "-c", &script])
}

#[test]
fn a_state_becomes_fact_once_and_goes_byte_for_byte() {
    let sandbox = host(STATE);
    let before = sandbox.must(ETC);
    let differs = apply(&sandbox, "--check --json");
    assert_eq!(differs.code(), Some(4), "{differs}");
    assert_eq!(json(&differs)["differs"], true);
    assert!(before == sandbox.must(ETC), "--check has changed something");
    let made = apply(&sandbox, "--json");
    assert_eq!(made.code(), Some(0), "{made}");
    assert_eq!(json(&made)["changed"], true);
    assert_eq!(
        you(&sandbox, "ssh bob@server 'ls /home; ulimit -u'").ok(),
        "bob\n50"
    );
    assert_eq!(
        you(&sandbox, "ssh ann@server 'ls /home; ulimit -u'").ok(),
        "ann\n100"
    );
    let there = sandbox.must(ETC);
    let again = apply(&sandbox, "--json");
    assert_eq!(again.code(), Some(0), "{again}");
    let report = json(&again);
    assert_eq!(
        (&report["changed"], &report["differs"]),
        (&Value::Bool(false), &Value::Bool(false))
    );
    assert!(
        there == sandbox.must(ETC),
        "a second run has changed something"
    );
    assert_eq!(apply(&sandbox, "--check").code(), Some(0));
    // What somebody changes is drift, and comes back.
    sandbox.must("sed -i 's/nproc = 100/nproc = 9/' /etc/login-jail/config.toml; gpasswd -d ann pupils >/dev/null");
    let drift = apply(&sandbox, "--check");
    assert_eq!(drift.code(), Some(4), "{drift}");
    assert!(
        drift
            .stdout
            .contains("put 1 user into the group pupils: ann"),
        "{drift}"
    );
    apply(&sandbox, "").ok();
    assert_eq!(you(&sandbox, "ssh ann@server 'ulimit -u'").ok(), "100");
    sandbox.must("PATH=/usr/local/sbin:$PATH jailctl undo; sed -i 's/nproc = 9/nproc = 100/' /etc/login-jail/config.toml; gpasswd -a ann pupils >/dev/null; jailctl kick ann; jailctl kick bob; sleep 0.2");
    let back = sandbox.sh("PATH=/usr/local/sbin:$PATH jailctl undo");
    assert_eq!(back.code(), Some(0), "{back}");
    assert!(before == sandbox.must(ETC), "{back}");
}

#[test]
fn what_the_file_no_longer_names_goes_with_prune_alone() {
    let sandbox = host(STATE);
    sandbox.must("printf '[groups]\\nstaff = \"mine\"\\n[jails.mine]\\nroot = \"/srv/{user}\"\\nbase = \"host\"\\n' >>/etc/login-jail/config.toml");
    apply(&sandbox, "").ok();
    let rest = "[users.ann]\ngroups = [\"pupils\"]\n";
    sandbox.write("/root/state.toml", rest);
    assert!(apply(&sandbox, "").ok().contains("nothing to change"));
    // The rule by which ann is jailed would go: the file must say who jails her.
    sandbox.write("/root/state.toml", format!("prune = true\n{rest}"));
    let refused = apply(&sandbox, "");
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert!(
        refused
            .stderr
            .contains("/root/state.toml:2: no rule names ann"),
        "{refused}"
    );
    let rest = format!("prune = true\n[groups.pupils]\njail = \"class\"\n{rest}");
    sandbox.write(
        "/root/state.toml",
        format!("{rest}[jails.class]\nroot = \"/srv/class/{{user}}\"\nbase = \"host\"\n"),
    );
    apply(&sandbox, "").ok();
    let config = sandbox.read("/etc/login-jail/config.toml");
    assert!(
        config.contains("staff = \"mine\"\npupils = \"class\" # jailctl apply"),
        "{config}"
    );
    assert!(
        config.contains("[jails.mine]") && !config.contains("nproc"),
        "{config}"
    );
    assert!(sandbox.sh("ls /etc/login-jail/users.d/bob.toml").code() != Some(0));
    assert!(sandbox.sh("getent passwd bob").code() == Some(0));
}

#[test]
fn a_change_that_check_refuses_is_taken_back_at_once() {
    let sandbox = host(STATE);
    apply(&sandbox, "").ok();
    let before = sandbox.must(ETC);
    for (from, to) in [
        ("shell = \"/bin/bash\"", "shell = \"/bin/nothing\""),
        ("\"/srv/class/{user}\"", "\"/tmp/class/{user}\""),
    ] {
        sandbox.write("/root/state.toml", STATE.replace(from, to));
        let refused = apply(&sandbox, "--json");
        assert_eq!(refused.code(), Some(3), "{refused}");
        assert!(refused.stderr.contains("nothing was changed"), "{refused}");
        if to.contains("nothing") {
            let report = json(&refused);
            assert_eq!(
                (&report["rolled_back"], &report["changed"]),
                (&Value::Bool(true), &Value::Bool(false))
            );
        }
        you(&sandbox, "ssh ann@server true").ok();
        sandbox.must("rm -rf /tmp/class; sleep 0.2");
        let undone = sandbox.sh("PATH=/usr/local/sbin:$PATH jailctl undo --list");
        assert!(undone.stdout.lines().count() == 2, "{undone}");
    }
    assert!(
        before == sandbox.must(ETC),
        "the config differs from before"
    );
}

/// The file system of a sandbox has no quotas.
#[test]
fn a_home_that_cannot_be_limited_is_a_finding_and_keeps_nobody_else_from_the_change() {
    let sandbox = host(&format!(
        "{STATE}[jails.small]\nroot = \"/srv/small/{{user}}\"\nbase = \"host\"\nshell = \"/bin/bash\"\ndisk = {{ bytes = \"4M\" }}\n[groups.small]\njail = \"small\"\n[users.cid]\ngroups = [\"small\"]\nkeys = \"/root/key.pub\"\n"
    ));
    let before = sandbox.must(ETC);
    let made = apply(&sandbox, "--json");
    assert_eq!(made.code(), Some(1), "{made}");
    let report = json(&made);
    assert_eq!(
        (&report["changed"], &report["rolled_back"]),
        (&Value::Bool(true), &Value::Bool(false))
    );
    let findings = report["check"]["findings"].as_array().unwrap();
    let unlimited = findings.iter().filter(|it| it["kind"] == "disk-unlimited");
    let of: Vec<&Value> = unlimited.map(|it| &it["user"]).collect();
    assert_eq!(of, ["cid"], "{made}");
    assert!(
        made.stderr.contains("the home of cid is not limited: ")
            && made.stderr.contains("prjquota"),
        "{made}"
    );
    for user in ["ann", "bob", "cid"] {
        let login = you(&sandbox, &format!("ssh {user}@server 'ls /home'"));
        assert_eq!(login.ok(), user);
    }
    sandbox.must("jailctl kick ann; jailctl kick bob; jailctl kick cid; sleep 0.2");
    let back = sandbox.sh("PATH=/usr/local/sbin:$PATH jailctl undo");
    assert_eq!(back.code(), Some(0), "{back}");
    assert!(before == sandbox.must(ETC), "{back}");
}

#[test]
fn all_that_is_wrong_is_listed_and_nothing_is_changed() {
    let state = "crate = true\n[jails.class]\nroot = \"/srv/{user}\"\nbase = \"host\"\nshel = \"/bin/sh\"\n[users.ann]\njail = \"clas\"\n[users.cid]\njail = \"class\"\ncreate = true\nuntil = \"soon\"\n[users.root]\njail = \"class\"\n";
    let sandbox = host(state);
    let before = sandbox.must(ETC);
    let refused = apply(&sandbox, "");
    assert_eq!(refused.code(), Some(3), "{refused}");
    // A jail that the config would refuse comes first: nothing can be decided by it.
    assert!(refused.stderr.contains("unknown key \"shel\""), "{refused}");
    sandbox.write("/root/state.toml", state.replace("shel =", "shell ="));
    let refused = apply(&sandbox, "");
    assert_eq!(refused.code(), Some(2), "{refused}");
    for part in [
        "because of 4 errors:",
        "/root/state.toml:1: unknown key \"crate\"; did you mean \"create\"?",
        "/root/state.toml:6: there is no account ann; create = true makes it",
        "/root/state.toml:8: \"soon\" is not a date",
        "/root/state.toml:12: root has uid 0",
    ] {
        assert!(refused.stderr.contains(part), "{part} is not in {refused}");
    }
    assert!(before == sandbox.must(ETC));
    sandbox.write(
        "/root/state.toml",
        "{ \"users\": { \"ann\": { \"jails\": \"x\" } } }",
    );
    let refused = apply(&sandbox, "");
    assert!(
        refused
            .stderr
            .contains("/root/state.toml: users.ann: unknown key \"jails\"; did you mean \"jail\"?"),
        "{refused}"
    );
}

#[test]
fn a_root_is_built_with_its_users_and_again_when_it_is_to_have_more() {
    let state = "create = true\n[jails.kit]\nroot = \"/srv/kit\"\nshell = \"/bin/sh\"\n[roots.\"/srv/kit\"]\nprograms = [\"sh\", \"ls\"]\n[users.ann]\njail = \"kit\"\n";
    let sandbox = host(state);
    let made = apply(&sandbox, "");
    assert!(matches!(made.code(), Some(0 | 1)), "{made}");
    assert!(
        made.stdout
            .contains("build /srv/kit and the programs sh,ls"),
        "{made}"
    );
    assert_eq!(sandbox.must("su - ann -c 'ls /home'"), "ann");
    assert!(apply(&sandbox, "").ok().contains("nothing to change"));
    sandbox.write(
        "/root/state.toml",
        state.replace("\"ls\"", "\"ls\", \"cat\""),
    );
    assert_eq!(apply(&sandbox, "--check").code(), Some(4));
    let more = apply(&sandbox, "");
    assert!(matches!(more.code(), Some(0 | 1)), "{more}");
    sandbox.must("su - ann -c 'cat /etc/passwd' >/dev/null");
    sandbox.must("PATH=/usr/local/sbin:$PATH jailctl undo; test ! -e /srv/kit/bin/cat && test ! -e /srv/kit/usr/bin/cat");
}

/// Two roots that are new: one is built, the other imported, in a directory that is missing.
const ROOTS: &str = r#"
create = true
[jails.kit]
root = "/srv/new/kit"
shell = "/bin/sh"
[jails.image]
root = "/srv/new/image"
shell = "/bin/sh"
[roots."/srv/new/kit"]
programs = ["sh", "ls"]
[roots."/srv/new/image"]
image = "/root/image.tar"
[users.ann]
jail = "kit"
[users.bob]
jail = "image"
"#;

/// A host with a state of two roots, and the image of one.
fn host_with_image() -> Sandbox {
    let sandbox = host(ROOTS);
    sandbox.must(
        "PATH=/usr/local/sbin:$PATH jailctl build /root/tree --with shell >/dev/null
         rm -r /root/tree/.login-jail; tar -C /root/tree -cf /root/image.tar .; rm -rf /root/tree /var/lib/login-jail",
    );
    sandbox
}

#[test]
fn roots_that_are_new_go_with_undo_unless_somebody_has_put_something_into_them() {
    let sandbox = host_with_image();
    let all =
        format!("{ETC}\nls -lR /srv; find /var/lib/login-jail -mindepth 1 2>/dev/null || true");
    let before = sandbox.must(&all);
    let made = apply(&sandbox, "");
    assert!(matches!(made.code(), Some(0 | 1)), "{made}");
    for user in ["ann", "bob"] {
        assert_eq!(sandbox.must(&format!("su - {user} -c 'ls /home'")), user);
    }
    assert!(apply(&sandbox, "").ok().contains("nothing to change"));
    let undo = || {
        sandbox.sh("PATH=/usr/local/sbin:$PATH; jailctl kick ann; jailctl kick bob; sleep 0.2; jailctl undo")
    };
    let back = undo();
    assert!(back.ok().contains("removed /srv/new/kit"), "{back}");
    let after = sandbox.must(&all);
    assert!(before == after, "{back} {before} {after}");
    // What is the users' stays.
    apply(&sandbox, "");
    sandbox.must("su - ann -c 'echo mine >file'; touch /srv/new/image/usr/admin");
    let back = undo();
    for kept in [
        "/srv/new/kit: it stays, because /srv/new/kit/home/ann",
        "/srv/new/image: it stays, because /srv/new/image/usr",
    ] {
        assert!(back.ok().contains(kept), "{kept} {back}");
    }
    assert_eq!(sandbox.read("/srv/new/kit/home/ann/file"), "mine");
}

#[test]
fn a_user_who_comes_later_is_added_to_an_imported_root() {
    let sandbox = host(ROOTS);
    sandbox.must(
        "PATH=/usr/local/sbin:$PATH jailctl build /root/tree --with shell >/dev/null
         rm -r /root/tree/.login-jail; tar -C /root/tree -cf /root/image.tar .",
    );
    apply(&sandbox, "");
    sandbox.write(
        "/root/state.toml",
        format!("{ROOTS}[users.cid]\njail = \"image\"\n"),
    );
    let more = apply(&sandbox, "");
    assert!(
        more.stdout
            .contains("add the users that /srv/new/image does not know"),
        "{more}"
    );
    assert_eq!(
        sandbox.must("su - cid -c 'ls /home; whoami'"),
        "bob\ncid\ncid"
    );
    assert!(apply(&sandbox, "").ok().contains("nothing to change"));
}

#[test]
fn the_last_hundred_changes_can_be_taken_back() {
    let sandbox = host(STATE);
    apply(&sandbox, "").ok();
    sandbox.must("cd /var/lib/login-jail/setup; for n in $(seq 2 120); do cp -a 1 $n; done");
    sandbox.write(
        "/root/state.toml",
        STATE.replace("nproc = 50", "nproc = 51"),
    );
    apply(&sandbox, "").ok();
    let kept = sandbox.must("ls /var/lib/login-jail/setup | sort -n | sed -n '1p;$p'; ls /var/lib/login-jail/setup | wc -l");
    assert_eq!(kept, "22\n121\n100");
}

#[test]
fn of_two_at_once_one_waits_or_is_refused_and_nothing_is_half_made() {
    let sandbox = host(STATE);
    let both = "export PATH=/usr/local/sbin:$PATH
        jailctl apply /root/state.toml >/root/1 2>&1 & jailctl apply /root/state.toml >/root/2 2>&1 & wait
        cat /root/1 /root/2; jailctl undo --list; jailctl apply --check /root/state.toml";
    let seen = sandbox.sh(both);
    assert_eq!(seen.code(), Some(0), "{seen}");
    assert!(!seen.stdout.contains("half-way"), "{seen}");
    assert_eq!(seen.stdout.matches("applied ").count(), 1, "{seen}");
    assert_eq!(
        sandbox.must("grep -c ^ann: /etc/passwd /etc/shadow /etc/group | cut -d: -f2"),
        "1\n1\n1"
    );
}

#[test]
fn a_kill_at_any_moment_leaves_what_undo_takes_back() {
    let sandbox = host_with_image();
    let all = format!("{ETC}\nls -laR /srv | grep -v ' \\.\\.*$'");
    let before = sandbox.must(&all);
    for milliseconds in (10..1500).step_by(75) {
        let killed = sandbox.sh(&format!(
            "export PATH=/usr/local/sbin:$PATH; timeout -s KILL 0.{milliseconds:03} jailctl apply /root/state.toml; while pgrep stand-in >/dev/null; do sleep 0.05; done; jailctl undo; true"
        ));
        let after = sandbox.must(&all);
        assert!(
            before == after,
            "{milliseconds} ms: {killed} {before} {after}"
        );
        if milliseconds > 990 {
            break;
        }
    }
}

#[test]
#[ignore = "takes half a minute: 10,000 accounts; make test-long"]
fn ten_thousand_unchanged_accounts_take_less_than_five_seconds() {
    let sandbox = host("");
    sandbox.must(
        "{ echo 'create = true'; printf '[jails.class]\\nroot = \"/srv/class/{user}\"\\nbase = \"host\"\\n[groups.pupils]\\njail = \"class\"\\n'
           seq 10000 | sed 's|.*|[users.s&]\\ngroups = [\"pupils\"]\\nkeys = \"/root/key.pub\"\\nuntil = 2099-07-31|'; } >/root/state.toml",
    );
    let timed = |words: &str| {
        let started = Instant::now();
        let script =
            format!("export PATH=/usr/local/sbin:$PATH; jailctl apply {words} /root/state.toml");
        let outcome = sandbox.run_within(Duration::from_secs(300), &["sh", "-c", &script]);
        (outcome, started.elapsed())
    };
    let (made, took) = timed("");
    assert!(matches!(made.code(), Some(0 | 1)), "{made}");
    let (again, took_again) = timed("");
    assert!(again.ok().contains("nothing to change"), "{again}");
    eprintln!(
        "apply of 10,000 accounts: {took:?}; of 10,000 unchanged: {took_again:?}, {:.1} times as fast",
        took.as_secs_f64() / took_again.as_secs_f64()
    );
    assert!(took_again < Duration::from_secs(5), "{took_again:?}");
}

#[test]
fn a_login_that_is_only_tried_leaves_nothing_in_a_root_that_was_there() {
    let sandbox = host("[users.cid]\njail = \"hand\"\n");
    sandbox.must(
        "PATH=/usr/local/sbin:$PATH jailctl build /srv/hand --with shell >/dev/null; mkdir /srv/data; useradd -M -p '*' -s /bin/bash cid
         cd /srv/hand; rm -r .login-jail dev proc tmp; mkdir home/cid; chown cid: home/cid; rm -rf /var/lib/login-jail",
    );
    let all = format!("{ETC}\nfind /srv -printf '%p %y %m %U %s\\n' | sort");
    for (shell, command, status) in [
        ("nothing", "apply /root/state.toml", 3),
        ("nothing", "add --jail hand cid", 3),
        ("sh", "add --dry-run --jail hand cid", 0),
    ] {
        sandbox.write(
            "/etc/login-jail/config.toml",
            format!("exempt = [\"root\"]\n[jails.hand]\nroot = \"/srv/hand\"\nshell = \"/bin/{shell}\"\nmounts = [{{ source = \"/srv/data\", target = \"/srv/deep/data\", mode = \"ro\" }}]\n"),
        );
        let before = sandbox.must(&all);
        let said = sandbox.sh(&format!(
            "export PATH=/usr/local/sbin:$PATH; jailctl {command}"
        ));
        assert_eq!(said.code(), Some(status), "{said}");
        let after = sandbox.must(&all);
        assert!(before == after, "{command}: {said}\n{before}\n{after}");
    }
}
