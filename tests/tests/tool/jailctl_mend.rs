//! `jailctl mend`: it does what it says, on what check has found, and on nothing that the user puts in its way.
#![allow(clippy::panic, reason = "a test reports by panicking")]

use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, roots};

const ROOT: &str = "/srv/jails/ann";
const HOME: &str = "/srv/jails/ann/home/ann";

/// ann in a jail with the host's system.
fn with_base() -> Sandbox {
    Sandbox::new()
        .user_with_shell("ann", JAIL_SHELL)
        .jailed("ann")
        .root(roots::home())
        .config(&config(""))
}

fn config(more: &str) -> String {
    format!(
        "exempt = [\"root\"]\n[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{{user}}\"\nbase = \"host\"\n\
         shell = \"/bin/bash\"\n{more}\n"
    )
}

fn mend(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    sandbox.run(&[&["jailctl", "mend"], arguments].concat())
}

/// Mends, and insists that it was refused for this reason.
#[track_caller]
fn refused(sandbox: &Sandbox, arguments: &[&str], why: &str) {
    let outcome = mend(sandbox, arguments);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(outcome.stderr.contains(why), "{outcome}");
}

#[test]
fn a_home_is_made_for_its_user() {
    let sandbox = with_base();
    sandbox.must(&format!("rmdir {HOME} {ROOT}/home"));
    let tried = mend(&sandbox, &["--dry-run", "home-missing", "ann"]);
    assert!(tried.ok().contains("directory made"), "{tried}");
    sandbox.must(&format!("! test -e {ROOT}/home"));
    let made = mend(&sandbox, &["home-missing", "ann"]);
    assert!(
        made.ok()
            .contains("/home/ann: directory made, mode 0700, of ann"),
        "{made}"
    );
    let state = format!("stat -c '%U %G %a' {HOME} {ROOT}/home");
    assert_eq!(sandbox.must(&state), "ann ann 700\nroot root 755");
    let again = mend(&sandbox, &["home-missing", "ann"]);
    assert!(again.ok().contains("nothing to mend"), "{again}");
}

#[test]
fn a_home_below_the_users_own_directory_is_made_with_their_rights() {
    let sandbox = with_base().config(&config("home = \"/home/ann/deep/work\""));
    sandbox.must(&format!("mkdir -p {HOME}; chown ann: {HOME}"));
    assert!(
        mend(&sandbox, &["home-missing", "ann"])
            .ok()
            .contains("deep/work")
    );
    let state = format!("stat -c '%U %G' {HOME}/deep {HOME}/deep/work");
    assert_eq!(sandbox.must(&state), "ann ann\nann ann");
}

#[test]
fn refuses_a_link_where_the_home_is_to_be_made() {
    let sandbox = with_base().config(&config("home = \"/home/ann/work\""));
    sandbox.must(&format!(
        "mkdir -p {HOME} /srv/host; chown ann: {HOME}; chmod 700 /srv/host"
    ));
    for link in ["/srv/host", "../../../../../srv/host", "/nowhere"] {
        sandbox.must(&format!("rm -f {HOME}/work; ln -s {link} {HOME}/work"));
        for kind in ["home-missing", "home-not-writable"] {
            refused(&sandbox, &[kind, "ann"], "symbolic link");
        }
    }
    // And a link further up.
    sandbox.must(&format!(
        "rm {HOME}/work; mv {HOME} {ROOT}/home/other; ln -s /srv/host {HOME}"
    ));
    refused(&sandbox, &["home-missing", "ann"], "symbolic link");
    let state = "stat -c '%U %a' /srv/host; ls /srv/host; test ! -e /nowhere";
    assert_eq!(sandbox.must(state), "root 700");
}

/// Mends again and again for some seconds while a script of perl's runs in a directory, and on a busy machine for as long as it takes
/// until each of two things was said: that shows that the race was run.
#[track_caller]
fn mend_while(
    sandbox: &Sandbox,
    directory: &str,
    script: &str,
    mends: &[&str],
    premises: [&str; 2],
) {
    let script = format!("chdir '{directory}' or die; until (-e '/srv/stop') {{ {script} }}");
    sandbox.write("/srv/race", script);
    let mends: String = mends
        .iter()
        .map(|it| format!("jailctl mend {it} || :; "))
        .collect();
    let [one, other] = premises;
    let said = sandbox.must(&format!(
        "perl /srv/race & race=$!
         run() {{ end=$(($(date +%s) + 6)); while [ $(date +%s) -lt $end ]; do {mends} done >>/srv/said 2>&1; }}
         for n in 1 2 3 4 5 6; do run; grep -qF '{one}' /srv/said && grep -qF '{other}' /srv/said && break; done
         touch /srv/stop; wait $race; sort -u /srv/said"
    ));
    for premise in premises {
        assert!(said.contains(premise), "{said}");
    }
}

/// While ann exchanges the place for a link, as fast as she can.
#[test]
fn a_link_that_comes_and_goes_gets_nothing_from_the_host() {
    let sandbox = with_base().config(&config("home = \"/home/ann/work\""));
    sandbox.must(&format!(
        "mkdir -p {HOME} /srv/host; chown ann: {HOME}; chmod 700 /srv/host"
    ));
    let (uid, gid) = (sandbox.must("id -u ann"), sandbox.must("id -g ann"));
    let script = format!(
        "$) = '{gid} {gid}'; $> = {uid}; unlink 'work'; rmdir 'work'; symlink '/srv/host', 'work'; unlink 'work'; mkdir 'work'; rmdir 'work';"
    );
    mend_while(
        &sandbox,
        HOME,
        &script,
        &["home-missing ann"],
        ["symbolic link", "directory made"],
    );
    assert_eq!(
        sandbox.must("stat -c '%U %a' /srv/host; ls /srv/host"),
        "root 700"
    );
}

#[test]
fn refuses_a_home_that_is_somebody_elses() {
    let sandbox = with_base();
    sandbox.must(&format!("chown daemon {HOME}"));
    refused(&sandbox, &["home-not-writable", "ann"], "belongs to uid");
    assert_eq!(sandbox.must(&format!("stat -c %U {HOME}")), "daemon");
    // What ann moved to the place of her home, when she could, was never given to her.
    sandbox.must(&format!("chown ann {ROOT}/home; chown root {HOME}"));
    refused(&sandbox, &["home-not-writable", "ann"], "others can write");
    assert_eq!(sandbox.must(&format!("stat -c %U {HOME}")), "root");
}

#[test]
fn a_file_with_a_name_outside_is_not_changed() {
    let sandbox = with_base();
    sandbox.must(&format!(
        "mkdir -p {ROOT}/opt; cp /bin/true /srv/su; chmod 4755 /srv/su; ln /srv/su {ROOT}/opt/su
         cp /bin/true /srv/ping; setcap cap_net_raw+ep /srv/ping; ln /srv/ping {ROOT}/opt/ping"
    ));
    refused(
        &sandbox,
        &["set-id", &format!("{ROOT}/opt/su")],
        "has 2 links",
    );
    refused(
        &sandbox,
        &["file-capabilities", &format!("{ROOT}/opt/ping")],
        "has 2 links",
    );
    let host = "stat -c %a /srv/su; getcap /srv/ping";
    let whole = "4755\n/srv/ping cap_net_raw=ep";
    sandbox.run(&["jailctl", "check", "--fix"]);
    assert_eq!(sandbox.must(host), whole);
    // A copy of its own has neither.
    for name in ["su", "ping"] {
        mend(&sandbox, &["hard-link", &format!("{ROOT}/opt/{name}")]).ok();
    }
    assert_eq!(sandbox.must(host), whole);
    let copies = format!("cd {ROOT}/opt; stat -c '%a %h' *; getcap ping; cmp su /srv/su; ls -A");
    assert_eq!(sandbox.must(&copies), "755 1\n755 1\nping\nsu");
}

/// While her own file is exchanged for further names of the host's su and for links to it, by which she could have the bit taken
/// from that. Root does it here: on most hosts she can make no further name.
#[test]
fn a_file_that_is_exchanged_meanwhile_is_never_the_hosts() {
    let sandbox = with_base();
    sandbox.must(&format!(
        "cp /bin/true /srv/su; chmod 4755 /srv/su; install -d -o ann {HOME}/bin"
    ));
    let uid = sandbox.must("id -u ann");
    let script = format!(
        "open my $new, '>', 'new'; chown {uid}, {uid}, 'new'; chmod 04755, 'new'; rename 'new', 'su';
         link '/srv/su', 'new'; rename 'new', 'su'; unlink 'new';
         open $new, '>', 'new'; chown {uid}, {uid}, 'new'; chmod 04755, 'new'; rename 'new', 'su';
         symlink '/srv/su', 'new'; rename 'new', 'su';"
    );
    let path = format!("{HOME}/bin/su");
    let mends = [format!("set-id {path}"), format!("hard-link {path}")];
    mend_while(
        &sandbox,
        &format!("{HOME}/bin"),
        &script,
        &[&mends[0], &mends[1]],
        ["su: mode 0755, was 4755", "links, and a change"],
    );
    assert_eq!(
        sandbox.must("stat -c '%a %U' /srv/su; cmp /bin/true /srv/su"),
        "4755 root"
    );
}

#[test]
fn what_a_mount_shows_is_data_and_is_not_changed() {
    let mount = |source: &str, target: &str| {
        config(&format!(
            "mounts = [{{ source = \"{source}\", target = \"{target}\", mode = \"rw\" }}]"
        ))
    };
    // The source is below the root, the root is a bind mount of a part of the source, and the home is the target.
    let sandbox = with_base().config(&mount("/srv/jails/ann/shared", "/shared"));
    sandbox.must(&format!(
        "mkdir -m 777 {ROOT}/shared; cp /bin/true {ROOT}/shared/s; chmod 4755 {ROOT}/shared/s"
    ));
    refused(
        &sandbox,
        &["set-id", &format!("{ROOT}/shared/s")],
        "that is data",
    );
    refused(
        &sandbox,
        &["world-writable", &format!("{ROOT}/shared")],
        "that is data",
    );
    sandbox.run(&["jailctl", "check", "--fix"]);
    let state = format!("stat -c %a {ROOT}/shared {ROOT}/shared/s");
    assert_eq!(sandbox.must(&state), "777\n4755");

    let sandbox = with_base().config(&mount("/srv/team", "/team"));
    sandbox.must(&format!(
        "mkdir -p /srv/team/x; cp /bin/true /srv/team/x/s; chmod 4755 /srv/team/x/s; cp -a {HOME}/.. /srv/team/x/home
         mount --bind /srv/team/x {ROOT}"
    ));
    refused(&sandbox, &["set-id", &format!("{ROOT}/s")], "that is data");
    refused(&sandbox, &["home-not-writable", "ann"], "that is data");
    sandbox.run(&["jailctl", "check", "--fix"]);
    assert_eq!(sandbox.must("stat -c %a /srv/team/x/s"), "4755");

    let sandbox = with_base().config(&mount("/srv/homes", "/home"));
    sandbox.must("mkdir /srv/homes");
    refused(&sandbox, &["home-missing", "ann"], "that is data");
}

#[test]
fn only_what_check_would_find_is_changed() {
    let sandbox = with_base();
    sandbox.must(&format!(
        "cp /bin/true /srv/s; chmod 4755 /srv/s; ln -s /srv {ROOT}/link; mkdir {ROOT}/m; mount --bind /srv {ROOT}/m
         mkdir {ROOT}/opt; chmod 755 {ROOT}/opt"
    ));
    refused(&sandbox, &["set-id", "/srv/s"], "below the root of no jail");
    refused(
        &sandbox,
        &["set-id", "srv/jails/ann/s"],
        "below the root of no jail",
    );
    refused(
        &sandbox,
        &["set-id", &format!("{ROOT}/../../s")],
        "below the root of no jail",
    );
    refused(
        &sandbox,
        &["set-id", &format!("{ROOT}/link/s")],
        "symbolic link",
    );
    refused(
        &sandbox,
        &["set-id", &format!("{ROOT}/link")],
        "symbolic link",
    );
    refused(&sandbox, &["set-id", &format!("{ROOT}/m/s")], "is a mount");
    refused(
        &sandbox,
        &["home-missing", "root"],
        "no rule of this config jails root",
    );
    for kind in [
        "set-id",
        "world-writable",
        "system-owner",
        "device",
        "hard-link",
    ] {
        let outcome = mend(&sandbox, &[kind, &format!("{ROOT}/opt")]);
        assert!(outcome.ok().contains("nothing to mend"), "{outcome}");
    }
    let wrong = mend(&sandbox, &["no-such-kind", "ann"]);
    assert_eq!(wrong.code(), Some(2), "{wrong}");
    let wrong = mend(&sandbox, &["--escaped", "set-id", r"/srv/\9"]);
    assert_eq!(wrong.code(), Some(2), "{wrong}");
    let other = sandbox.run_as("ann", &["jailctl", "mend", "home-missing", "ann"]);
    assert_eq!(other.code(), Some(3), "{other}");
    assert_eq!(sandbox.must("stat -c %a /srv/s"), "4755");
}

#[test]
fn says_what_was_changed_to_programs_too() {
    let sandbox = with_base();
    sandbox.must(&format!("chmod 755 {ROOT}; mkdir -m 777 {ROOT}/srv"));
    let path = format!("{ROOT}/srv");
    let report = mend(&sandbox, &["--json", "world-writable", &path]);
    let read: serde_json::Value = serde_json::from_str(report.ok()).unwrap();
    let changes = serde_json::json!([format!("{path}: mode 0775, was 0777")]);
    assert_eq!(read["changes"], changes, "{report}");
    assert_eq!(read["dry_run"], false);
}

#[test]
fn what_a_service_or_somebody_else_needs_is_left_as_it_is() {
    let sandbox = with_base();
    sandbox.must(
        "install -d -o daemon /srv/mysqld; install -d /srv/mysqld/root; install -d -m 2775 -g mail /srv/mail; mkdir /srv/mail/root
         useradd -m bob; mkdir -p /home/bob/root; install -d -o ann /srv/own /srv/own/root; chown root /srv/own/root
         groupadd -g 4711 team; install -d -m 2770 -g team /srv/team; mkdir /srv/team/root",
    );
    for (root, state, why) in [
        (
            "/srv/mysqld",
            "/srv/mysqld belongs to uid",
            "whose service needs it",
        ),
        (
            "/srv/mysqld/root",
            "/srv/mysqld belongs to uid",
            "whose service needs it",
        ),
        ("/srv/mail/root", "/srv/mail is mode 2775", "writes there"),
        ("/srv/team/root", "/srv/team is mode 2770", "writes there"),
        (
            "/home/bob/root",
            "/home/bob belongs to uid",
            "the home of an account",
        ),
    ] {
        let owners = format!("stat -c '%u %a' {root} {root}/..");
        let before = sandbox.must(&owners);
        sandbox.write(
            "/etc/login-jail/config.toml",
            config("").replace("/srv/jails/{user}", root),
        );
        let report = sandbox.run(&["jailctl", "check", "--fix"]);
        assert!(report.stdout.contains(state), "{report}");
        for word in ["chown", "chmod"] {
            assert!(!report.stdout.contains(word), "{report}");
        }
        let refused = mend(&sandbox, &["root", root]);
        assert_eq!(refused.code(), Some(3), "{refused}");
        assert!(refused.stderr.contains(why), "{refused}");
        assert!(refused.stderr.contains("choose another place"), "{refused}");
        assert_eq!(sandbox.must(&owners), before, "{root}");
    }
    // What is nobody else's is put right.
    sandbox.write(
        "/etc/login-jail/config.toml",
        config("").replace("/srv/jails/{user}", "/srv/own/root"),
    );
    let mended = mend(&sandbox, &["root", "/srv/own/root"]);
    assert!(
        mended.ok().contains("/srv/own: belongs to root, was uid"),
        "{mended}"
    );
    assert_eq!(sandbox.must("stat -c %U /srv/own"), "root");
    refused(&sandbox, &["root", "/srv/mysqld"], "is the root of no jail");
}

/// Each is a command of its own; what it writes to is exchanged for a link to the host meanwhile.
#[test]
fn what_is_copied_or_written_into_a_root_does_not_leave_it() {
    let sandbox = Sandbox::new().user("ann").root(roots::programs(&[]));
    sandbox.must(&format!(
        "mkdir /srv/host; cd {ROOT}; rm -f etc/localtime etc/resolv.conf; rm -rf dev; ln -s /srv/host dev
         mv etc etc.old; ln -s /srv/host etc"
    ));
    for kind in [
        "null-missing",
        "passwd-line-missing",
        "passwd-disagrees",
        "second-root",
        "group-disagrees",
    ] {
        let outcome = mend(&sandbox, &[kind, "ann"]);
        assert_eq!(outcome.code(), Some(3), "{kind}: {outcome}");
    }
    for kind in ["time-zone-missing", "resolver-missing"] {
        mend(&sandbox, &[kind, "ann"]);
    }
    assert_eq!(sandbox.must("ls -A /srv/host"), "");
    // A link that leads inside is followed inside, and a mount is not entered.
    sandbox.must(&format!("cd {ROOT}; rm etc; mv etc.old etc; mkdir m; mount --bind /srv/host m; mv usr usr.old; ln -s m usr; rm -f bin/bash"));
    let outcome = mend(&sandbox, &["shell-missing", "ann"]);
    assert_ne!(outcome.code(), Some(1), "{outcome}");
    assert_eq!(sandbox.must("ls -A /srv/host"), "");
}

#[test]
fn what_waits_in_spools_is_taken_away_and_a_crontab_is_kept() {
    let sandbox = with_base();
    sandbox.must(
        "mkdir -p /var/spool/cron; install -d -m 1730 /var/spool/cron/crontabs; install -d -m 1770 -o daemon /var/spool/cron/atjobs
         echo '* * * * * true' >/var/spool/cron/crontabs/ann; chown ann /var/spool/cron/crontabs/ann; chmod 600 /var/spool/cron/crontabs/ann
         cd /var/spool/cron/atjobs; rm -rf *; touch a0001 b0001; chown ann a0001; ln -s /etc/hostname c0001; chown -h ann c0001",
    );
    let dry = mend(&sandbox, &["--dry-run", "crontab", "ann"]);
    assert!(dry.ok().contains("/root/crontab.ann"), "{dry}");
    sandbox.must("test -e /var/spool/cron/crontabs/ann");
    mend(&sandbox, &["crontab", "ann"]).ok();
    mend(&sandbox, &["at-jobs", "ann"]).ok();
    assert_eq!(
        sandbox.must("stat -c '%U %a' /root/crontab.ann"),
        "root 600"
    );
    assert_eq!(sandbox.must("cat /root/crontab.ann"), "* * * * * true");
    assert_eq!(
        sandbox.must("ls /var/spool/cron/crontabs /var/spool/cron/atjobs | grep 0001"),
        "b0001\nc0001"
    );
    let again = mend(&sandbox, &["crontab", "ann"]);
    assert!(again.ok().contains("nothing to mend"), "{again}");
}

#[test]
fn what_is_changed_in_etc_is_kept_beside_it() {
    let sandbox = with_base();
    sandbox.must("printf '/bin/sh\n/usr/bin/jail-shell\n' >/etc/shells; chmod 640 /etc/shells; chgrp mail /etc/shells");
    mend(&sandbox, &["shells"]).ok();
    assert_eq!(
        sandbox.must("cat /etc/shells; stat -c '%a %G' /etc/shells"),
        "/bin/sh\n640 mail"
    );
    assert_eq!(sandbox.read("/etc/shells~"), "/bin/sh\n/usr/bin/jail-shell");
    assert_eq!(mend(&sandbox, &["shells", "ann"]).code(), Some(2));
    assert_eq!(mend(&sandbox, &["home-missing"]).code(), Some(2));
}

/// The host's copy of a program may be somebody else's by now, and lead to what nobody may read.
#[test]
fn a_program_of_the_hosts_that_is_a_link_to_a_secret_is_not_copied() {
    let sandbox = Sandbox::new()
        .user("ann")
        .root(roots::programs(&["/bin/true"]));
    sandbox.must(&format!(
        "install -d {ROOT}/usr/local/bin /usr/local/bin /usr/local/data
         printf '#!/nowhere\\n' >{ROOT}/usr/local/bin/tool; chmod 755 {ROOT}/usr/local/bin/tool
         printf '#!/bin/true\\n# only-for-root\\n' >/root/secret; chmod 700 /root/secret; cp /root/secret /usr/local/data/"
    ));
    for secret in ["/root/secret", "/usr/local/data/secret"] {
        sandbox.must(&format!("ln -sf {secret} /usr/local/bin/tool"));
        let outcome = mend(
            &sandbox,
            &["program-broken", &format!("{ROOT}/usr/local/bin/tool")],
        );
        assert_eq!(outcome.code(), Some(3), "{outcome}");
        let found = format!("grep -rl only-for-root {ROOT} || :");
        assert_eq!(sandbox.must(&found), "", "{secret}");
    }
    // The premise: what everybody may read is copied.
    sandbox.must("chmod 755 /usr/local/data/secret");
    mend(
        &sandbox,
        &["program-broken", &format!("{ROOT}/usr/local/bin/tool")],
    )
    .ok();
    let found = format!("grep -rl only-for-root {ROOT}");
    assert_ne!(sandbox.must(&found), "");
}

#[test]
fn a_root_that_root_keeps_is_not_given_away_with_the_way_to_it() {
    let sandbox = with_base().config(&config("root_owner = \"user\""));
    sandbox.must("chmod 0777 /srv/jails");
    mend(&sandbox, &["root", ROOT]).ok();
    assert_eq!(
        sandbox.must(&format!("stat -c '%U %a' /srv/jails {ROOT}")),
        "root 755\nroot 755"
    );
}

/// ann writes a file of any length, which takes no disk, and a further name of it is enough for the finding.
#[test]
fn a_file_with_holes_is_not_copied_until_the_disk_is_full() {
    let sandbox = with_base();
    sandbox.must(&format!(
        "install -d -o ann {HOME}/a; truncate -s 64M {HOME}/a/holes; ln {HOME}/a/holes /srv/other
         head -c 2000000 /dev/urandom >{HOME}/a/whole; ln {HOME}/a/whole /srv/whole"
    ));
    let holes = format!("{HOME}/a/holes");
    refused(&sandbox, &["hard-link", &holes], "has holes");
    let state = format!("cd {HOME}/a; ls -A; stat -c %h holes; du -k holes | cut -f1");
    assert_eq!(sandbox.must(&state), "holes\nwhole\n2\n0");
    mend(&sandbox, &["hard-link", &format!("{HOME}/a/whole")]).ok();
    let state = format!("cd {HOME}/a; stat -c %h whole; cmp whole /srv/whole");
    assert_eq!(sandbox.must(&state), "1");
}

/// The source of a mount may lie in the root, and a link there may lead into it.
#[test]
fn what_is_copied_into_a_root_follows_no_link_into_a_mount_source() {
    let sandbox = Sandbox::new().user("ann").root(roots::programs(&[])).with(
        "printf 'mounts = [{ source = \"/srv/jails/ann/data/team\", target = \"/team\", mode = \"rw\" }]\n' >>/etc/login-jail/config.toml",
    );
    sandbox.must(&format!(
        "cd {ROOT}; mkdir -p data/team; mv etc etc.old; ln -s data/team etc; rm -rf usr/share; ln -s ../data/team usr/share"
    ));
    for kind in ["time-zone-missing", "resolver-missing", "terminfo-missing"] {
        refused(&sandbox, &[kind, "ann"], "that is data");
    }
    sandbox.must(&format!(
        "cd {ROOT}; rm -r bin; ln -s data/team bin; rm -f usr/bin/bash"
    ));
    mend(&sandbox, &["shell-missing", "ann"]);
    assert_eq!(sandbox.must(&format!("ls -A {ROOT}/data/team")), "");
}
