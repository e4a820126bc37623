//! `jailctl metrics`: what the doors count, and how it reaches a monitoring system.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use std::collections::BTreeMap;

use login_jail_tests::{JAIL_SHELL, Sandbox, roots, skipped};
use serde_json::Value;

/// Where the doors count.
const COUNTS: &str = "/run/login-jail/counts";

/// ann with a named jail, bob with jail-shell and no rule.
fn host() -> Sandbox {
    Sandbox::new()
        .user("ann")
        .root(roots::busybox())
        .user_with_shell("bob", JAIL_SHELL)
}

/// The samples, by their names with their labels.
fn metrics(sandbox: &Sandbox) -> BTreeMap<String, i64> {
    let said = sandbox.run(&["jailctl", "metrics", "--no-roots"]);
    let lines = said.ok().lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, number) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), number.parse().unwrap())
        })
        .collect()
}

fn logins(sandbox: &Sandbox, jail: &str) -> i64 {
    metrics(sandbox)[&format!("login_jail_logins_total{{jail=\"{jail}\"}}")]
}

fn refusals(sandbox: &Sandbox, jail: &str, code: &str) -> Option<i64> {
    let name = format!("login_jail_refusals_total{{jail=\"{jail}\",code=\"{code}\"}}");
    metrics(sandbox).get(&name).copied()
}

/// The name of ann's jail.
fn anns(sandbox: &Sandbox) -> String {
    let listed = sandbox.run(&["jailctl", "list", "--json"]);
    let listed: Value = serde_json::from_str(listed.ok()).unwrap();
    listed[0]["jail"].as_str().unwrap().to_owned()
}

#[test]
fn logins_and_refusals_are_counted_by_jail_and_code_at_every_door() {
    let sandbox = host();
    let jail = anns(&sandbox);
    assert_eq!(logins(&sandbox, &jail), 0, "before the first login");
    sandbox.ssh("ann", "true").ok();
    sandbox.su_dash_c("ann", "true").ok();
    sandbox.ssh("bob", "true").refused(102, "no-rule");
    assert_eq!(logins(&sandbox, &jail), 2);
    assert_eq!(refusals(&sandbox, "", "no-rule"), Some(1));
    assert_eq!(refusals(&sandbox, &jail, "shell-missing"), None);

    // Refused by the session's main process, in the jail and without privileges: it goes in, and is refused then.
    sandbox.must("mv /srv/jails/ann/bin /srv/jails/ann/away");
    sandbox.ssh("ann", "true").refused(113, "shell-missing");
    assert_eq!(refusals(&sandbox, &jail, "shell-missing"), Some(1));
    assert_eq!(logins(&sandbox, &jail), 3);
    sandbox.must("mv /srv/jails/ann/away /srv/jails/ann/bin");

    // Before a plan was made, and once the jail was known.
    sandbox.must("printf '[defaults]\\nuntil = \"2001-01-01\"\\n' >>/etc/login-jail/config.toml");
    assert_ne!(sandbox.ssh("ann", "true").code(), Some(0));
    assert_eq!(refusals(&sandbox, &jail, "account"), Some(1));
    sandbox.write("/etc/login-jail/config.toml", "x");
    sandbox.ssh("ann", "true").refused(107, "config-wrong");
    let said = sandbox.run(&["jailctl", "metrics"]);
    assert_eq!(said.code(), Some(1), "{said}");
    for line in [
        "login_jail_config_valid 0\n",
        "login_jail_refusals_total{jail=\"\",code=\"config-wrong\"} 1\n",
        &format!("login_jail_logins_total{{jail=\"{jail}\"}} 3\n"),
    ] {
        assert!(said.stdout.contains(line), "{line}: {said}");
    }
    assert!(said.stdout.ends_with("# EOF\n"), "{said}");
    assert!(said.stderr.contains("the config has errors"), "{said}");
}

#[test]
fn sessions_behind_pam_and_by_chroot_are_counted_once_each() {
    let sandbox =
        Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\"\nshell = \"/bin/bash\"");
    let jail = anns(&sandbox);
    sandbox.ssh("ann", "true").ok();
    sandbox.su_c("ann", "true").ok();
    assert_eq!(logins(&sandbox, &jail), 2);
    sandbox.must("mv /srv/jails/ann /srv/jails/away");
    assert_ne!(sandbox.su_c("ann", "true").code(), Some(0));
    assert_eq!(refusals(&sandbox, &jail, "root-missing"), Some(1));
    assert_eq!(logins(&sandbox, &jail), 2);

    let sandbox = Sandbox::new()
        .user("ann")
        .root(roots::busybox())
        .isolation("chroot");
    sandbox.ssh("ann", "true").ok();
    assert_eq!(logins(&sandbox, &anns(&sandbox)), 1);
}

#[test]
fn logins_at_once_are_all_counted_and_one_that_is_stopped_holds_up_none() {
    let sandbox = host();
    sandbox.ssh("ann", "true").ok();
    // One that has the numbers in its memory, and is stopped for as long as the others come.
    sandbox.must("su - ann -c 'sleep 300' >/dev/null 2>&1 </dev/null &");
    // Not before it is inside: a login that is stopped on the way in is ended by its deadline.
    let stopped = "pgrep -x sleep && pkill -STOP -x jail-shell";
    let found = sandbox.wait_until(|| (sandbox.sh(stopped).code() == Some(0)).then_some(()));
    assert!(found.is_some(), "no session to be stopped");
    sandbox.must("for i in $(seq 30); do setpriv --reuid=ann --regid=ann --clear-groups jail-shell -c true & done; wait $(jobs -p)");
    sandbox.must("pkill -CONT -x jail-shell; pkill -x sleep; true");
    assert_eq!(logins(&sandbox, &anns(&sandbox)), 32);
}

#[test]
fn a_login_is_served_whatever_is_in_the_place_of_the_numbers_and_nobody_else_reaches_them() {
    let sandbox = host();
    let jail = anns(&sandbox);
    let served = |why: &str| {
        let outcome = sandbox.ssh("ann", "echo in");
        assert_eq!(outcome.stdout, "in\n", "{why}: {outcome}");
        sandbox.ssh("bob", "true").refused(102, "no-rule");
    };
    served("as it is");
    assert_eq!(
        sandbox.must(&format!(
            "stat -c '%a %U' /run/login-jail {COUNTS} {COUNTS}/*"
        )),
        "700 root\n700 root\n600 root\n600 root"
    );
    let file = format!("{COUNTS}/jail={}", jail.replace('/', "%2f"));
    sandbox.must(&format!("test -f {file}"));
    for (place, why) in [
        ("rm -f $f; mkfifo $f", "a FIFO"),
        ("rm -f $f; mkdir $f", "a directory"),
        ("rmdir $f; ln -s /srv/other $f", "a link"),
        ("rm -f $f; touch $f; chown bob $f", "a file of bob's"),
        (
            "rm -f $f; touch $f; chmod 666 $f",
            "a file that anybody writes",
        ),
        (
            "rm -f $f; touch /srv/two; ln /srv/two $f 2>/dev/null || ln -s /srv/two $f",
            "a file with two names",
        ),
        ("chmod 777 ${f%/*}", "a directory that anybody writes"),
        (
            "rm -rf ${f%/*}; ln -s /srv ${f%/*}",
            "a link in the place of the directory",
        ),
        (
            "rm -rf ${f%/*}; touch ${f%/*}",
            "a file in the place of the directory",
        ),
        (
            "rm -f ${f%/*}; mkdir ${f%/*}; mount -t ramfs -o mode=700 none ${f%/*}",
            "another file system",
        ),
    ] {
        sandbox.must(&format!("f={file}; {place}"));
        served(why);
    }
    sandbox.must("test ! -e /srv/other");
    assert_eq!(
        sandbox.must(&format!("cat {COUNTS}/* | wc -c")),
        "0",
        "none is grown"
    );

    // A file that was cut off is made whole, and one that is full of anything counts on from there.
    sandbox.must(&format!(
        "umount {COUNTS}; rm -rf {COUNTS}; mkdir -m 700 {COUNTS}; touch {file}; chmod 600 {file}"
    ));
    served("an empty file");
    assert_eq!(logins(&sandbox, &jail), 1);
    sandbox.must(&format!(
        "head -c 4096 /dev/zero | tr '\\0' '\\377' >{file}"
    ));
    served("numbers that can't grow");
    assert_eq!(logins(&sandbox, &jail), 0);
}

#[test]
fn without_privileges_nothing_is_counted_and_with_file_capabilities_it_is_as_with_roots_ids() {
    let sandbox = host();
    sandbox.must("chmod 755 /usr/bin/jail-shell; rm -rf /run/login-jail");
    assert_eq!(
        sandbox.run_as("ann", &[JAIL_SHELL, "-c", "true"]).code(),
        Some(119)
    );
    sandbox.must("test ! -e /run/login-jail");
    let caps = include_str!("../../../Makefile").lines();
    let caps = caps.filter_map(|line| line.strip_prefix("CAPS       := "));
    sandbox.must(&format!(
        "setcap {}=ep {JAIL_SHELL}",
        caps.collect::<String>()
    ));
    sandbox.run_as("ann", &[JAIL_SHELL, "-c", "true"]).ok();
    sandbox
        .run_as("bob", &[JAIL_SHELL, "-c", "true"])
        .refused(102, "no-rule");
    assert_eq!(logins(&sandbox, &anns(&sandbox)), 1);
    assert_eq!(refusals(&sandbox, "", "no-rule"), Some(1));
    assert_eq!(sandbox.must("find /run/login-jail ! -user root"), "");
}

/// What Python's clients of Prometheus read of a text, by the names of the samples.
const PARSE: &str = r#"
import json, sys
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics
text = sys.stdin.read()
found = {}
for family in openmetrics.text_string_to_metric_families(text):
    assert family.documentation and family.type in ("counter", "gauge"), family
    for sample in family.samples:
        found[sample.name + json.dumps(sample.labels, sort_keys=True)] = sample.value
old = {}
for family in parser.text_string_to_metric_families(text):
    for sample in family.samples:
        old[sample.name + json.dumps(sample.labels, sort_keys=True)] = sample.value
assert old == found, (old, found)
print(json.dumps(found))
"#;

#[test]
fn the_parsers_of_others_read_what_is_printed() {
    let known = std::process::Command::new("/usr/bin/python3")
        .args(["-c", "import prometheus_client"])
        .output();
    if !known.is_ok_and(|it| it.status.success()) {
        return skipped(
            "metrics read by Python",
            "python3-prometheus-client is not installed",
        );
    }
    let sandbox = host();
    // A name that has to be escaped, in a file of its own.
    sandbox.must(r#"cp -r /srv/jails/ann /srv/jails/carl; useradd -M -s /usr/bin/jail-shell carl; printf '\n[jails."a \\"b\\" \\\\c"]\nroot = "/srv/jails/carl"\n' >>/etc/login-jail/config.toml; printf 'jail = "a \\"b\\" \\\\c"\n' >/etc/login-jail/users.d/carl.toml"#);
    sandbox.ssh("bob", "true").refused(102, "no-rule");
    sandbox.must("su - carl -c true");
    sandbox.must("jailctl build --with shell /srv/jails/built >/dev/null; jailctl check >/dev/null || test $? = 1");
    sandbox.write("/srv/parse.py", PARSE);
    let found = sandbox.must("jailctl metrics | /usr/bin/python3 /srv/parse.py");
    let found: BTreeMap<String, f64> = serde_json::from_str(&found).unwrap();
    let is =
        |name: &str, number: f64| assert_eq!(found.get(name), Some(&number), "{name}: {found:?}");
    is(r#"login_jail_logins_total{"jail": "a \"b\" \\c"}"#, 1.0);
    is(
        r#"login_jail_refusals_total{"code": "no-rule", "jail": ""}"#,
        1.0,
    );
    is(r#"login_jail_roots{"state": "current"}"#, 1.0);
    is(r#"login_jail_roots{"state": "stale"}"#, 0.0);
    is("login_jail_config_valid{}", 1.0);
    assert!(
        found["login_jail_last_check_timestamp_seconds{}"] > 1.6e9,
        "{found:?}"
    );
}

#[test]
fn sessions_roots_and_findings_are_those_of_now_and_of_the_last_whole_check() {
    let sandbox = host();
    let jail = anns(&sandbox);
    let open = format!("login_jail_sessions{{jail=\"{jail}\"}}");
    assert_eq!(metrics(&sandbox)[&open], 0);
    let mut pty = sandbox.ssh_tty("ann", None);
    pty.line("echo rea''dy").expect("ready\r\n");
    assert_eq!(metrics(&sandbox)[&open], 1);
    pty.line("exit");
    assert_eq!(pty.finish().code(), Some(0));

    let errors = "login_jail_findings{severity=\"error\"}";
    let time = "login_jail_last_check_timestamp_seconds";
    assert!(!metrics(&sandbox).contains_key(time), "never checked");
    sandbox.run(&["jailctl", "check", "ann"]);
    assert!(!metrics(&sandbox).contains_key(time), "of one user only");
    let whole = sandbox.run(&["jailctl", "check", "--json"]);
    let whole: Value = serde_json::from_str(&whole.stdout).unwrap();
    let count = |severity: &str| {
        let all = whole["findings"].as_array().unwrap().iter();
        let of = all.filter(|it| it["severity"] == severity && it["accepted"].is_null());
        i64::try_from(of.count()).unwrap()
    };
    let shown = metrics(&sandbox);
    assert!(shown.contains_key(time));
    for severity in ["error", "warning", "note"] {
        let name = format!("login_jail_findings{{severity=\"{severity}\"}}");
        assert_eq!(shown[&name], count(severity), "{severity}");
    }
    let before = shown[errors];
    sandbox.must("chmod 777 /srv/jails/ann; jailctl check >/dev/null || test $? = 1");
    assert!(metrics(&sandbox)[errors] > before);

    sandbox.must("jailctl build --with shell /srv/jails/built >/dev/null");
    let roots = || sandbox.must("jailctl metrics | grep login_jail_roots{");
    let all = |current, stale, missing| {
        format!(
            "login_jail_roots{{state=\"current\"}} {current}\nlogin_jail_roots{{state=\"stale\"}} {stale}\nlogin_jail_roots{{state=\"missing\"}} {missing}\nlogin_jail_roots{{state=\"unknown\"}} 0"
        )
    };
    assert_eq!(roots(), all(1, 0, 0));
    sandbox.must("echo x >>/srv/jails/built/etc/shells; rm /srv/jails/built/bin/sh");
    assert_eq!(roots(), all(0, 1, 0));
    sandbox.must("test ! -e /srv/jails/built/bin/sh; rm -rf /srv/jails/built");
    assert_eq!(roots(), all(0, 0, 1));
}

#[test]
fn a_file_for_the_collector_is_replaced_at_once_in_a_directory_of_roots_and_in_no_other() {
    let sandbox = host();
    let write = |file: &str| sandbox.run(&["jailctl", "metrics", "--no-roots", "--output", file]);
    // As Debian has it: root's own, in a directory of the collector's.
    sandbox.must("install -d -o bob /srv/collector; install -d /srv/collector/own /srv/collector/other; install -d -o bob /srv/bobs; install -d -m 777 /srv/open; ln -s own /srv/collector/link");
    let file = "/srv/collector/own/login-jail.prom";
    for _ in 0..2 {
        assert_eq!(write(file).ok(), "");
        assert_eq!(sandbox.must(&format!("stat -c '%a %U' {file}")), "644 root");
        assert!(sandbox.read(file).trim_end().ends_with("# EOF"));
    }
    sandbox.must(&format!(
        "ln -f /etc/shadow {file} 2>/dev/null || ln -sf /etc/shadow {file}"
    ));
    write(file).ok();
    assert!(
        sandbox.read("/etc/shadow").contains("ann:"),
        "replaced, not written to"
    );
    assert_eq!(sandbox.must("ls /srv/collector/own"), "login-jail.prom");
    for (file, why) in [
        ("/srv/bobs/x.prom", "it belongs to uid"),
        ("/srv/open/x.prom", "mode 0777"),
        ("/srv/collector/link/x.prom", "open /srv/collector/link"),
        ("/srv/nowhere/x.prom", "open /srv/nowhere"),
    ] {
        let refused = write(file);
        assert_eq!(refused.code(), Some(3), "{file}: {refused}");
        assert!(refused.stderr.contains(why), "{file}: {refused}");
    }
    sandbox.must("test ! -e /srv/bobs/x.prom; test ! -e /srv/open/x.prom");
    let refused = sandbox.run_as("bob", &["/usr/sbin/jailctl", "metrics"]);
    assert_eq!(refused.code(), Some(3), "{refused}");
}

/// What the units leave root of its capabilities, as setpriv(1) takes them.
fn kept(unit: &str) -> String {
    let path = format!("{}/../packaging/systemd/{unit}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let set = text
        .lines()
        .find_map(|it| it.strip_prefix("CapabilityBoundingSet="));
    let names = set
        .unwrap()
        .split(' ')
        .map(|it| it.trim_start_matches("CAP_").to_lowercase());
    names.fold("-all".to_owned(), |all, name| format!("{all},+{name}"))
}

#[test]
fn the_capabilities_of_the_units_are_enough() {
    let sandbox = host();
    let mut pty = sandbox.ssh_tty("ann", None);
    pty.line("echo rea''dy").expect("ready\r\n");
    sandbox.must("jailctl build --with shell --user ann /srv/jails/built >/dev/null; chmod 700 /srv/jails/built/etc; install -d -o bob /srv/collector; install -d /srv/collector/own");
    let with = |unit: &str, command: &str| {
        let set = kept(unit);
        sandbox.must(&format!(
            "setpriv --no-new-privs --bounding-set {set} --inh-caps -all {command}"
        ));
    };
    with(
        "login-jail-metrics.service",
        "jailctl metrics --output /srv/collector/own/x.prom",
    );
    let whole = sandbox.must("jailctl metrics");
    assert_eq!(sandbox.read("/srv/collector/own/x.prom").trim_end(), whole);
    sandbox.must("chmod 755 /srv/jails/built/etc; echo x >>/srv/jails/built/etc/shells; chown bob /srv/jails/built/bin/sh; rm -rf /srv/jails/built/lib64 /srv/jails/built/home/ann");
    with("login-jail-update.service", "jailctl update");
    assert_eq!(sandbox.must("stat -c %U /srv/jails/built/home/ann"), "ann");
    sandbox.must("jailctl update --dry-run");
}

#[test]
fn what_several_users_have_is_one_finding_as_check_counts_it() {
    let sandbox = Sandbox::new()
        .user("ann")
        .user("bob")
        .config("[users]\nann = \"web\"\nbob = \"web\"\n[jails.web]\nroot = \"/srv/missing/{user}\"\nbase = \"host\"\n");
    let checked = sandbox.run(&["jailctl", "check"]);
    let last = checked
        .stdout
        .lines()
        .find(|line| line.contains("2 jailed users: "))
        .unwrap();
    let said = metrics(&sandbox);
    for (severity, word) in [("error", "error"), ("warning", "warning"), ("note", "note")] {
        let number = said[&format!("login_jail_findings{{severity=\"{severity}\"}}")];
        assert!(
            last.contains(&format!(" {number} {word}")),
            "{severity} {number}: {checked}"
        );
    }
    assert!(
        said["login_jail_findings{severity=\"error\"}"] > 0,
        "{checked}"
    );
}
