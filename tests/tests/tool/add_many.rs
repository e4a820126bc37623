//! `jailctl add` of several users, of a group and of a list: one change, checked as a whole before, and taken back as a whole.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use std::time::{Duration, Instant};

use login_jail_tests::documents::machine;
use login_jail_tests::{Outcome, Sandbox};
use serde_json::Value;

/// All of /etc, with modes, owners and contents; without the copies and locks that programs for accounts leave.
const STATE: &str = r#"
cd /etc
others() { find . -regextype egrep \( -regex '\./g?(passwd|group|shadow)([-+]|\.lock|\.[0-9]+)' -o -name .pwd.lock \) -prune -o "$@"; }
others -printf '%p %y %m %U %G %l\n' | sort
others -type f -print0 | sort -z | xargs -0 sha256sum
ls /srv /home; ls /var/lib/login-jail/setup 2>&1 || true
"#;

const CONFIG: &str = "exempt = [\"root\"]\n[groups]\npupils = \"class\"\n[jails.class]\nroot = \"/srv/class/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\nnetwork = \"none\"\n[jails.web]\nroot = \"/srv/web/{user}\"\nbase = \"host\"\n";

#[track_caller]
fn assert_same(sandbox: &Sandbox, before: &str) {
    let after = sandbox.must(STATE);
    let only = |one: &str, other: &str| -> Vec<String> {
        let lines = one
            .lines()
            .filter(|line| !other.lines().any(|it| it == *line));
        lines.map(str::to_owned).collect()
    };
    assert!(
        before == after,
        "- {:#?} + {:#?}",
        only(before, &after),
        only(&after, before)
    );
}

fn host() -> Sandbox {
    machine().config(CONFIG)
}

fn add(sandbox: &Sandbox, words: &str) -> Outcome {
    sandbox.sh(&format!(
        "export PATH=/usr/local/sbin:$PATH; jailctl add {words}"
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

/// Writes a list of 50 users with one key.
fn list(sandbox: &Sandbox) {
    sandbox.must(
        "{ echo 'name,comment,key,until'
           for n in $(seq 50); do echo \"s$n,Student $n,$(cat /root/key.pub),2099-07-31\"; done; } >/root/class.csv",
    );
}

#[test]
fn fifty_students_of_a_list_are_one_command_there_and_one_back() {
    let sandbox = host();
    list(&sandbox);
    let before = sandbox.must(STATE);
    let words = "--from /root/class.csv --group pupils --create-accounts";
    let dry = add(&sandbox, &format!("{words} --dry-run"));
    assert_eq!(dry.code(), Some(0), "{dry}");
    assert_same(&sandbox, &before);
    let made = add(&sandbox, words);
    assert_eq!(made.code(), Some(0), "{made}");
    assert!(
        made.stdout
            .contains("50 jailed users: 0 errors, 0 warnings"),
        "{made}"
    );
    // Fifty of them are not two hundred lines.
    assert!(made.stdout.lines().count() < 55, "{made}");
    let seen = you(&sandbox, "ssh s7@server 'pwd; ls /home; id -Gn'");
    assert_eq!(seen.ok(), "/home/s7\ns7\ns7 pupils");
    let line = sandbox.must("getent passwd s50; getent shadow s50 | cut -d: -f2; getent gshadow s50; grep s50: /etc/subuid || echo none");
    assert!(
        line.contains(":Student 50:/home/s50:/usr/bin/jail-shell\n*\n"),
        "{line}"
    );
    assert!(line.ends_with("none"), "{line}");
    assert_eq!(
        sandbox.must("stat -c '%a %U:%G' /srv/class/s9 /srv/class/s9/home /srv/class/s9/home/s9 /home/s9 /etc/login-jail/users.d/s9.toml /etc/ssh/authorized_keys.d/s9 /etc/shadow"),
        "755 root:root\n755 root:root\n700 s9:s9\n700 s9:s9\n644 root:root\n644 root:root\n640 root:shadow"
    );
    assert!(
        sandbox
            .sh("pwck -r && grpck -r")
            .stdout
            .lines()
            .all(|it| !it.contains("s9"))
    );
    let there = sandbox.must(STATE);
    let again = add(&sandbox, words);
    assert!(again.ok().contains("nothing to change"), "{again}");
    assert_same(&sandbox, &there);
    sandbox.must("jailctl kick s7; sleep 0.2");
    let back = undo(&sandbox);
    assert_eq!(back.code(), Some(0), "{back}");
    assert_same(&sandbox, &before);
}

#[test]
fn refuses_a_new_account_whose_home_somebody_else_has() {
    for home in ["/home/eve", "/srv/class/eve/home/eve"] {
        let sandbox = host().plain_user("bob");
        sandbox.must(&format!(
            "groupadd pupils; mkdir -p {home}; chown bob: {home}; printf 'name,group\neve,pupils\n' >/root/class.csv"
        ));
        let before = sandbox.must(STATE);
        let refused = add(&sandbox, "--from /root/class.csv --create-accounts");
        assert_ne!(refused.code(), Some(0), "{refused}");
        assert!(refused.stderr.contains(home), "{refused}");
        assert_same(&sandbox, &before);
    }
}

#[test]
fn refuses_a_new_account_whose_keys_somebody_else_has() {
    let sandbox = host();
    sandbox.must(
        "groupadd pupils; install -D -m 644 /root/key.pub /etc/ssh/authorized_keys.d/eve
         printf 'name,group\neve,pupils\n' >/root/class.csv",
    );
    let before = sandbox.must(STATE);
    for more in ["", "--key /root/key.pub"] {
        let words = format!("--from /root/class.csv --create-accounts {more}");
        let refused = add(&sandbox, &words);
        assert_ne!(refused.code(), Some(0), "{refused}");
        assert!(
            refused.stderr.contains("whoever has these keys"),
            "{refused}"
        );
        assert_same(&sandbox, &before);
    }
}

#[test]
fn a_config_with_a_service_of_the_administrators_own_is_tried_with_it() {
    let sandbox = host();
    sandbox.must(
        "groupadd pupils; sed -i '$a services = [\"own\"]' /etc/login-jail/config.toml
         install -d /etc/login-jail/services.d /run/own
         printf 'about = \"x\"\\n[[show]]\\nsource = \"/run/own\"\\ntarget = [\"/run/own\"]\\n' >/etc/login-jail/services.d/own.toml
         printf 'name,group\neve,pupils\n' >/root/class.csv",
    );
    add(&sandbox, "--from /root/class.csv --create-accounts").ok();
}

#[test]
fn every_line_that_is_wrong_is_listed_and_nothing_is_changed() {
    let sandbox = host().plain_user("bob");
    sandbox.must(
        "{ echo 'name,group,key,until,jail'
           echo 'ann,pupils,,2099-01-01,'
           echo 'Ann,pupils,,,'
           echo 'ann,pupils,,,'
           echo 'cid,pupils,ssh-ed25519 AAAA,,'
           echo 'dan,pupils,,31.12.2099,'
           echo 'eve,pupils,,,wbe'
           echo 'fay,other staff,,,'
           echo 'gil,,,,'
           echo 'root,,,,web'
           echo 'hal,pupils,/root/none.pub,,'
           echo 'ivy,pupils,command=\"id\" '$(cut -d' ' -f1,2 /root/key.pub)',,'
           echo 'bob,pupils,,,'
           echo 'jon,pupils'; } >/root/l.csv",
    );
    let before = sandbox.must(STATE);
    let refused = add(&sandbox, "--from /root/l.csv --create-accounts");
    assert_eq!(refused.code(), Some(2), "{refused}");
    let said = &refused.stderr;
    for part in [
        "because of 11 errors:",
        "/root/l.csv:3: Ann: there is no such account, and none of this name is made",
        "/root/l.csv:4: ann is in line 2, too",
        "/root/l.csv:5: the ssh-ed25519 key is damaged or cut off",
        "/root/l.csv:6: \"31.12.2099\" is not a date",
        "/root/l.csv:7: there is no jail \"wbe\" in the config; did you mean web?",
        "/root/l.csv:9: no rule names gil",
        "/root/l.csv:10: root has uid 0",
        "/root/l.csv:11: read the key /root/none.pub",
        "/root/l.csv:12: the key has options",
        "/root/l.csv:14: the line has 2 fields",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert_same(&sandbox, &before);
    let without = add(&sandbox, "--group pupils zoe yan");
    assert_eq!(without.code(), Some(2), "{without}");
    assert!(
        without
            .stderr
            .contains("there is no account zoe; --create-accounts makes it"),
        "{without}"
    );
    assert_same(&sandbox, &before);
}

#[test]
fn a_group_and_several_users_are_added_with_what_they_have() {
    let sandbox = host().plain_user("ann").plain_user("bob").plain_user("cid");
    sandbox.must(
        "groupadd pupils; groupadd staff2; gpasswd -a ann staff2 >/dev/null; gpasswd -a bob staff2 >/dev/null",
    );
    let before = sandbox.must(STATE);
    let made = add(&sandbox, "--group staff2 --jail web --json");
    assert_eq!(made.code(), Some(0), "{made}");
    let report: Value = serde_json::from_str(&made.stdout).unwrap();
    assert_eq!(report["users"], serde_json::json!(["ann", "bob"]));
    assert_eq!(
        sandbox.must("getent passwd ann bob cid | cut -d: -f7"),
        "/usr/bin/jail-shell\n/usr/bin/jail-shell\n/bin/bash"
    );
    assert_eq!(sandbox.must("su - bob -c 'ls /home'"), "bob");
    assert!(
        sandbox
            .read("/etc/login-jail/config.toml")
            .contains("staff2 = \"web\" # jailctl add")
    );
    let two = add(&sandbox, "--jail class --until 2099-01-01 cid ann");
    assert_eq!(two.code(), Some(0), "{two}");
    assert_eq!(
        sandbox.read("/etc/login-jail/users.d/cid.toml"),
        "# jailctl add\njail = \"class\"\nuntil = \"2099-01-01\""
    );
    let explained = sandbox.must("jailctl explain ann");
    assert!(explained.contains("/srv/class/ann"), "{explained}");
    // Jails differ, and the user's file says so.
    let other = add(&sandbox, "--jail web cid ann");
    assert_eq!(other.code(), Some(2), "{other}");
    assert!(other.stderr.contains("jailctl release cid"), "{other}");
    undo(&sandbox).ok();
    undo(&sandbox).ok();
    assert_same(&sandbox, &before);
}

/// The file system of a sandbox has no quotas.
#[test]
fn a_home_that_cannot_be_limited_refuses_one_user_before_anything_is_changed_and_is_a_finding_of_several()
 {
    let sandbox = host();
    sandbox.must(
        "printf 'disk = { bytes = \"4M\" }\nshell = \"/bin/bash\"\n' >>/etc/login-jail/config.toml
         for user in ann bob; do useradd -m -p '*' -s /bin/bash $user; install -d -o $user -g $user /srv/web/$user/home/$user; done",
    );
    let before = sandbox.must(STATE);
    let refused = add(&sandbox, "--jail web ann");
    assert_eq!(refused.code(), Some(3), "{refused}");
    assert!(
        refused
            .stderr
            .contains("nothing was changed, because the home could not be limited: ")
            && refused.stderr.contains("prjquota"),
        "{refused}"
    );
    assert_same(&sandbox, &before);
    let both = add(&sandbox, "--jail web ann bob");
    assert_eq!(both.code(), Some(1), "{both}");
    for user in ["ann", "bob"] {
        let why = format!("the home of {user} is not limited: ");
        assert!(both.stderr.contains(&why), "{both}");
        let entered = sandbox.sh(&format!("su - {user} -c 'ls /home'"));
        assert_eq!(entered.ok(), user, "{entered}");
    }
    assert_eq!(undo(&sandbox).code(), Some(0));
    assert_same(&sandbox, &before);
}

#[test]
fn a_lock_of_other_programs_is_waited_for_and_one_of_the_dead_is_not() {
    let sandbox = host();
    sandbox.must("echo 999999 >/etc/passwd.lock; printf '%s' 999998 >/etc/shadow.lock");
    add(&sandbox, "--group pupils --create-accounts ann bob").ok();
    sandbox.must("sleep 3 >/dev/null 2>&1 </dev/null & echo $! >/etc/group.lock");
    let started = Instant::now();
    add(&sandbox, "--group pupils --create-accounts cid dan").ok();
    assert!(
        started.elapsed() > Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    assert!(sandbox.sh("ls /etc/*.lock").code() != Some(0));
    // What useradd writes is read anew.
    sandbox.must("useradd -M eve; getent passwd ann cid eve | wc -l");
}

#[test]
fn a_change_that_was_stopped_at_any_of_its_parts_is_taken_back() {
    let sandbox = host();
    let before = sandbox.must(STATE);
    let words = "--group pupils --create-accounts --key /root/key.pub --until 2099-01-01 ann";
    // The last part can't be made: a name that was taken meanwhile looks like this.
    sandbox.must("echo 'ann:!:20000:0:99999:7:::' >>/etc/shadow");
    let stopped = add(&sandbox, words);
    assert_eq!(stopped.code(), Some(3), "{stopped}");
    assert!(
        stopped.stderr.contains("run: pwck") && stopped.stderr.contains("jailctl undo"),
        "{stopped}"
    );
    let refused = add(&sandbox, words);
    assert!(refused.stderr.contains("has stopped half-way"), "{refused}");
    sandbox.must("sed -i '/^ann:/d' /etc/shadow");
    undo(&sandbox).ok();
    assert_same(&sandbox, &before);
    add(&sandbox, words).ok();
    // What others have done since stays.
    sandbox.must("echo hello >/home/ann/file; gpasswd -a you pupils >/dev/null; echo '# mine' >>/etc/login-jail/users.d/ann.toml");
    let back = undo(&sandbox);
    assert!(
        back.ok()
            .contains("kept: /home/ann: it stays, because it is not empty"),
        "{back}"
    );
    assert!(
        back.stdout
            .contains("kept: groups that others came into later: pupils"),
        "{back}"
    );
    assert!(
        back.stdout
            .contains("users.d/ann.toml: it stays, because it was changed since"),
        "{back}"
    );
    assert!(sandbox.sh("id ann").code() != Some(0));
}

#[test]
fn hostile_names_and_links_in_the_way_change_nothing_of_others() {
    let sandbox = host().plain_user("bob");
    sandbox.must("groupadd pupils; echo secret >/root/secret");
    let before = sandbox.must(STATE);
    let names = [
        "../../etc/cron.d/x",
        "-r",
        "a;id",
        "$(id)",
        "a b",
        "a\tb",
        "\u{1b}[2J",
        "x:0:0",
        "é",
        "root\u{202e}",
        ".",
        "..",
        "*",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "+nis",
        "@wheel",
        "0",
    ];
    for name in names {
        let list = format!("name,group\n\"{name}\",pupils\n");
        sandbox.write("/root/class.csv", list);
        let refused = add(&sandbox, "--from /root/class.csv --create-accounts");
        assert_eq!(refused.code(), Some(2), "{name:?} {refused}");
        let hidden = |it: char| it.is_control() && it != '\n' || it == '\u{202e}';
        assert!(!refused.stderr.contains(hidden), "{name:?} {refused}");
        assert_same(&sandbox, &before);
    }
    for (what, list) in [
        (
            "comment",
            "name,group,comment\neve,pupils,\"x\nroot2:x:0:0::/:/bin/sh\"\n",
        ),
        ("key", "name,group,key\neve,pupils,/root/secret\n"),
        ("group", "name,group\neve,\"pupils:x:0:\"\n"),
        (
            "until",
            "name,group,until\neve,pupils,\"2099-01-01\"\"\nexempt = true\"\n",
        ),
    ] {
        sandbox.write("/root/class.csv", list);
        let refused = add(&sandbox, "--from /root/class.csv --create-accounts");
        assert_eq!(refused.code(), Some(2), "{what} {refused}");
        assert!(!refused.stderr.contains("secret\n"), "{refused}");
        assert_same(&sandbox, &before);
    }
    // Links where files and directories are to be made.
    sandbox.write(
        "/root/class.csv",
        "name,group,until\neve,pupils,2099-01-01\n",
    );
    for plant in [
        "ln -s /etc/shadow /etc/login-jail/users.d/eve.toml",
        "install -d /etc/ssh/authorized_keys.d; ln -s /etc/shadow /etc/ssh/authorized_keys.d/eve",
        "ln -s /root /home/eve",
        "ln -s /root /srv/class",
        "install -d -o bob /srv/class",
    ] {
        sandbox.must(&format!("mkdir -p /etc/login-jail/users.d; {plant}"));
        let planted = sandbox.must(&format!("{STATE} sha256sum /etc/shadow; ls -la /root"));
        let refused = add(&sandbox, "--from /root/class.csv --create-accounts");
        assert_ne!(refused.code(), Some(0), "{plant} {refused}");
        sandbox.sh("PATH=/usr/local/sbin:$PATH jailctl undo");
        let after = sandbox.must(&format!("{STATE} sha256sum /etc/shadow; ls -la /root"));
        assert!(planted == after, "{plant} {refused} {planted} {after}");
        sandbox
            .must("rm -rf /etc/login-jail/users.d /etc/ssh/authorized_keys.d /home/eve /srv/class");
    }
}

#[test]
#[ignore = "takes half a minute: 10,000 accounts; make test-long"]
fn ten_thousand_accounts_are_made_in_a_minute_and_none_of_them_is_looked_at_twice() {
    let sandbox = host();
    sandbox.must(
        "{ echo 'name,key,until'
           seq 10000 | sed \"s|.*|s&,$(cat /root/key.pub),2099-07-31|\"; } >/root/class.csv",
    );
    let timed = |words: &str| {
        let started = Instant::now();
        let script = format!("export PATH=/usr/local/sbin:$PATH; jailctl {words}");
        let outcome = sandbox.run_within(Duration::from_secs(300), &["sh", "-c", &script]);
        (outcome, started.elapsed())
    };
    let words = "add --from /root/class.csv --group pupils --create-accounts";
    let (made, took) = timed(words);
    assert!(matches!(made.code(), Some(0 | 1)), "{made}");
    let (again, took_again) = timed(words);
    assert!(again.ok().contains("nothing to change"), "{again}");
    let one = Instant::now();
    sandbox.must("for n in 1 2 3 4 5; do useradd -M x$n; done");
    let one = one.elapsed() / 5;
    eprintln!(
        "10,000 accounts: {took:?}; again: {took_again:?}; useradd: {one:?} each, {:.1} times as long for 10,000",
        one.as_secs_f64() * 10_000.0 / took.as_secs_f64()
    );
    assert_eq!(sandbox.must("getent passwd | grep -c jail-shell; ls /srv/class | wc -l; getent group pupils | tr , '\\n' | wc -l"), "10000\n10000\n10000");
    assert!(took < Duration::from_secs(60), "{took:?}");
    assert!(took_again < Duration::from_secs(5), "{took_again:?}");
    // Whoever asks about one of them does not wait for the look-ups of all.
    for words in [
        "check s777",
        "explain s777",
        "list",
        "sessions",
        "status",
        "metrics",
    ] {
        let (seen, took) = timed(words);
        assert!(
            matches!(seen.code(), Some(0 | 1)),
            "{words} {}",
            seen.stderr
        );
        eprintln!("{words}: {took:?}");
        assert!(took < Duration::from_secs(10), "{words} {took:?}");
    }
    let (back, took) = timed("undo");
    back.ok();
    eprintln!("taken back in {took:?}");
    assert_eq!(
        sandbox.must("getent passwd | grep -c jail-shell || true; ls /srv"),
        "0"
    );
}

#[test]
fn paths_of_keys_begin_at_the_list_at_the_state_or_where_the_command_is_typed() {
    let sandbox = host();
    sandbox.must("mkdir -p /root/class/keys /root/own; for user in ann bob cid; do cp /root/key.pub /root/class/keys/$user.pub; done");
    sandbox.write("/root/class/l.csv", "name,key\nann,keys/{user}.pub\n");
    sandbox.write(
        "/root/class/state.toml",
        "create = true\n[users.bob]\ngroups = [\"pupils\"]\nkeys = \"keys/bob.pub\"\n",
    );
    for (user, command) in [
        (
            "ann",
            "cd /; jailctl add --from /root/class/l.csv --group pupils --create-accounts",
        ),
        ("bob", "cd /root; jailctl apply class/state.toml"),
        (
            "cid",
            "cd /root/class; jailctl add --group pupils --create-accounts --key keys/cid.pub cid",
        ),
    ] {
        let made = sandbox.sh(command);
        assert_eq!(made.code(), Some(0), "{made}");
        you(&sandbox, &format!("ssh {user}@server true")).ok();
    }
    sandbox.write("/root/class/l.csv", "name,key\ndan,key/dan.pub\n");
    let refused = add(
        &sandbox,
        "--from /root/class/l.csv --group pupils --create-accounts",
    );
    assert!(
        refused
            .stderr
            .contains("read the key /root/class/key/dan.pub: No such file"),
        "{refused}"
    );
}

#[test]
fn what_is_wrong_with_a_list_comes_in_the_order_of_its_lines() {
    let sandbox = host();
    sandbox.write(
        "/root/l.csv",
        "name,group,key\nroot,pupils,\nann,pupils,nonsense key\nbob\n,pupils,\ncid,pupils,/root/none\nA B,pupils,\n",
    );
    let refused = add(&sandbox, "--from /root/l.csv --create-accounts");
    assert_eq!(refused.code(), Some(2), "{refused}");
    let lines = refused.stderr.lines().skip(1);
    let places: Vec<&str> = lines.filter_map(|line| line.split(": ").next()).collect();
    let expected: Vec<String> = (2..=7).map(|line| format!("/root/l.csv:{line}")).collect();
    assert_eq!(places, expected, "{refused}");
}
