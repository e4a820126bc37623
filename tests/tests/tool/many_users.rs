//! `jailctl check` on a host with many users: what is the same for many is said once, and mended by one command.

use login_jail_tests::{Outcome, Sandbox, of_kind, skipped};

const CONFIG: &str = r#"exempt = ["root"]
[users]
k1 = "kit"
k2 = "kit"
k3 = "kit"
k4 = "kit"
k5 = "kit"
[groups]
students = "class"
sftponly = "drop"
[jails.class]
root = "/srv/class/{user}"
base = "host"
shell = "/bin/bash"
[jails.drop]
root = "/srv/drop/{user}"
base = "host"
[jails.kit]
root = "/srv/j"
shell = "/bin/bash"
"#;

/// 50 students of a group whose jail nobody has finished, 5 users whom sshd puts into a ChrootDirectory and 5 of jailkit,
/// each with a rule and, of the last two, still with the old door.
fn host() -> Option<Sandbox> {
    let sandbox = Sandbox::new().config(CONFIG);
    if sandbox.sh("command -v jk_init").code() != Some(0) {
        skipped(
            "check of a host with many users",
            "jailkit is not installed",
        );
        return None;
    }
    sandbox.must(
        "jk_init -j /srv/j basicshell >/dev/null 2>&1
         printf 'students:x:2900:\\nsftponly:x:2901:\\nkit:x:2902:\\n' >>/etc/group
         add() { # name uid gid home shell
             echo \"$1:x:$2:$3::$4:$5\" >>/etc/passwd; echo \"$1:!:20000:0:99999:7:::\" >>/etc/shadow
         }
         for n in $(seq 50); do
             add s$n $((3000 + n)) 2900 /home/s$n /usr/bin/jail-shell; mkdir -p /srv/class/s$n/home /home/s$n
             chmod 755 /srv/class/s$n; chown s$n /home/s$n
         done
         for n in 1 2 3 4 5; do
             add d$n $((3100 + n)) 2901 /home/d$n /bin/bash; mkdir -p /srv/drop/d$n/home/d$n /home/d$n
             chown d$n /home/d$n /srv/drop/d$n/home/d$n
             add k$n $((3200 + n)) 2902 /srv/j/./home/k$n /usr/sbin/jk_chrootsh; mkdir -p /srv/j/home/k$n
             chown k$n /srv/j/home/k$n
             tail -n 1 /etc/passwd | sed 's,/srv/j/./,/,' >>/srv/j/etc/passwd
         done
         printf 'Match Group sftponly\\n ChrootDirectory /srv/drop/%%u\\n ForceCommand internal-sftp\\nMatch all\\n' >>/etc/ssh/sshd_config
         ssh-keygen -A >/dev/null; rm -f /etc/cron.allow /etc/cron.deny; touch /etc/cron.deny",
    );
    Some(sandbox)
}

fn lines(report: &Outcome) -> usize {
    report.stdout.lines().count()
}

#[test]
fn sixty_users_of_three_kinds_are_a_screen_and_a_half() {
    let Some(sandbox) = host() else { return };
    let report = sandbox.run(&["jailctl", "check"]);
    assert_eq!(report.code(), Some(1), "{report}");
    assert!(report.stdout.contains("60 jailed users: "), "{report}");
    assert!(lines(&report) <= 40, "{} lines: {report}", lines(&report));
    // Errors first.
    let severities: Vec<String> = login_jail_tests::findings(&report)
        .into_iter()
        .map(|it| it.severity)
        .collect();
    assert!(severities.is_sorted(), "{severities:?}");
    // JSON has one finding for each user.
    let all = sandbox.run(&["jailctl", "check", "--json"]);
    let all: serde_json::Value = serde_json::from_str(&all.stdout).unwrap();
    let count = |rule: &str| {
        let found = all["findings"].as_array().unwrap().iter();
        let of_rule =
            |it: &&serde_json::Value| it["rule"].as_str().is_some_and(|it| it.ends_with(rule));
        found
            .filter(of_rule)
            .filter(|it| it["kind"] == "cron")
            .count()
    };
    assert_eq!((count("[groups] students"), count("[users] k1")), (50, 1));
}

#[test]
fn one_command_mends_what_is_the_same_for_all_of_a_group() {
    let Some(sandbox) = host() else { return };
    let report = sandbox.run(&["jailctl", "check"]);
    let of_students = |kind: &str| {
        let found = of_kind(&report, kind).into_iter();
        let mut found = found.filter(|it| it.what.contains("@students"));
        let one = found.next();
        assert!(found.next().is_none(), "{kind} twice: {report}");
        one.unwrap_or_else(|| panic!("no {kind}: {report}"))
    };
    let cron = of_students("cron");
    // Users of several rules, by one command as well.
    let command = "jailctl mend cron @sftponly k1 k2 k3 k4 k5 @students";
    assert_eq!((cron.command.as_deref(), cron.safe), (Some(command), true));
    let part = "60 users of @sftponly, jail kit, @students (d1, d2, d3 and 57 more): ";
    assert!(cron.what.starts_with(part), "{cron:?}");
    let said = sandbox.must(command);
    // Sixty times the same line would not say who is done.
    assert!(said.contains("/etc/cron.deny: lists s7 now"), "{said}");
    assert_eq!(sandbox.must("grep -c '^[dks][0-9]*$' /etc/cron.deny"), "60");
    let home = of_students("home-missing");
    let part = "50 users of @students (s1, s10, s11 and 47 more): there is no /home/{user}";
    assert!(home.what.starts_with(part), "{home:?}");
    let command = "jailctl mend home-missing @students";
    assert_eq!(home.command.as_deref(), Some(command));
    sandbox.must(&home.command.unwrap());
    sandbox.must("test -d /srv/class/s1/home/s1 && test -d /srv/class/s50/home/s50");
    let rc = of_students("sshd-user-rc").command.unwrap();
    assert_eq!(rc.matches("Match ").count(), 1, "{rc}");
    sandbox.must(&rc);
    let again = sandbox.run(&["jailctl", "check"]);
    for kind in ["cron", "home-missing", "sshd-user-rc"] {
        let left = of_kind(&again, kind).into_iter();
        let left: Vec<_> = left.filter(|it| it.what.contains("@students")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
    // All of them are named if asked for.
    let verbose = sandbox.run(&["jailctl", "check", "--verbose"]);
    assert!(
        verbose.stdout.contains("users: k1 k2 k3 k4 k5\n"),
        "{verbose}"
    );
}

#[test]
fn whatever_is_done_for_all_of_a_group_lists_the_accounts_once() {
    let Some(sandbox) = host() else { return };
    sandbox.must(
        "printf '#!/bin/sh\\necho \"$@\" >>/run/asked\\nexec /usr/bin/getent \"$@\"\\n' >/usr/local/sbin/getent
         chmod 755 /usr/local/sbin/getent",
    );
    for words in [
        "mend cron @students",
        "mend home-missing @students",
        "mend --for @students root '/srv/class/{user}'",
        "migrate sshd",
        "migrate pam_chroot",
    ] {
        if words.contains("root") {
            sandbox.must("chmod g+w /srv/class/s*");
        }
        let said = sandbox.sh(&format!("rm -f /run/asked; jailctl {words}"));
        assert!(matches!(said.code(), Some(0 | 1)), "{said}");
        let asked = sandbox.must("grep -c '^passwd' /run/asked");
        assert_eq!(asked, "1", "{words}");
    }
    if sandbox.sh("command -v strace").code() != Some(0) {
        return skipped("what migrate reads", "strace is not installed");
    }
    // Nor is each looked up by itself: that reads the files from the beginning.
    let opened = sandbox.must("strace -f -e trace=openat -o /run/calls jailctl migrate sshd >/dev/null; grep -c '\"/etc/passwd\"' /run/calls");
    assert!(
        opened.parse::<u32>().is_ok_and(|opened| opened < 20),
        "{opened}"
    );
}

#[test]
fn a_path_in_each_root_of_a_group_is_mended_by_one_command() {
    let Some(sandbox) = host() else { return };
    sandbox.must("chmod g+w /srv/class/s*; for n in 1 2 3; do install -m 4755 -D /bin/true /srv/class/s$n/opt/x; done; chmod g-w /srv/class/s1 /srv/class/s2 /srv/class/s3");
    let report = sandbox.run(&["jailctl", "check"]);
    let root = of_kind(&report, "root").remove(0);
    let command = "jailctl mend --for @students root '/srv/class/{user}'";
    assert_eq!(root.command.as_deref(), Some(command), "{report}");
    assert!(root.what.contains("47 users of @students"), "{root:?}");
    sandbox.must(command);
    assert_eq!(sandbox.must("stat -c %a /srv/class/s* | sort -u"), "755");
    let set_id = of_kind(&report, "set-id").remove(0);
    assert!(
        set_id.safe
            && set_id
                .what
                .starts_with("3 users of @students (s1, s2, s3): "),
        "{set_id:?}"
    );
    // Whoever has none is passed over, and said.
    let mended = sandbox.sh(&set_id.command.unwrap());
    assert_eq!(
        sandbox.must("stat -c %a /srv/class/s[123]/opt/x | sort -u"),
        "755",
        "{mended}"
    );
    // What has one meaning only.
    for arguments in [
        &["cron", "@student"][..],
        &["--for", "@students", "cron", "s1"],
        &["--for", "@students", "root", "/srv/class/s1"],
        &["shells", "x"],
        &["cron"],
    ] {
        let refused = sandbox.run(&[&["jailctl", "mend"], arguments].concat());
        assert!(matches!(refused.code(), Some(2 | 3)), "{refused}");
    }
}

#[test]
fn a_command_for_a_group_leaves_alone_what_is_accepted_or_wants_reading() {
    let Some(sandbox) = host() else { return };
    sandbox.must(
        "printf '[check]\\naccept = [{ kind = \"cron\", for = \"s1\", why = \"reports\" }]\\n' >>/etc/login-jail/config.toml
         for n in 1 2 3; do install -m 4755 -D /bin/true /srv/class/s$n/opt/x; done
         install -m 4755 /bin/true /srv/tool; mkdir /srv/class/s4/opt; ln /srv/tool /srv/class/s4/opt/x",
    );
    let report = sandbox.run(&["jailctl", "check"]);
    let safe = |kind: &str| {
        let mut found = of_kind(&report, kind).into_iter();
        let found = found.find(|it| it.safe && it.what.contains("@students"));
        found
            .and_then(|it| it.command)
            .unwrap_or_else(|| panic!("{kind}: {report}"))
    };
    // sshd's lines and other kinds have nobody to leave out.
    assert!(safe("at").contains("@students"), "{report}");
    for command in [safe("cron"), safe("set-id")] {
        assert!(!command.contains("@students"), "{command}");
        sandbox.must(&command);
    }
    assert_eq!(sandbox.must("grep -c '^[dks][0-9]*$' /etc/cron.deny"), "59");
    assert_eq!(sandbox.sh("grep -x s1 /etc/cron.deny").code(), Some(1));
    assert_eq!(sandbox.must("stat -c %a /srv/tool"), "4755");
    assert_eq!(
        sandbox.must("stat -c %a /srv/class/s[123]/opt/x | sort -u"),
        "755"
    );
}

#[test]
fn a_terminal_gets_colours_and_lines_that_fit_and_commands_in_one_piece() {
    let Some(sandbox) = host() else { return };
    let plain = sandbox.run(&["jailctl", "check"]);
    assert!(!plain.stdout.contains('\u{1b}'), "{plain}");
    let command = of_kind(&plain, "sshd-user-rc").remove(0).command.unwrap();
    let shown = |environment: &str| {
        let mut pty = sandbox.terminal(&["env", environment, "TERM=xterm", "jailctl", "check"]);
        pty.resize(50, 80);
        pty.finish().stdout.replace('\r', "")
    };
    let coloured = shown("A=b");
    assert!(
        coloured.contains("\u{1b}[1;31merror\u{1b}[0m"),
        "{coloured:?}"
    );
    let without = shown("NO_COLOR=1");
    assert!(!without.contains("\u{1b}[1"), "{without:?}");
    assert!(without.contains(&command), "{without:?}");
    let is_text = |line: &&str| !["fix: ", "by hand", "/"].iter().any(|it| line.contains(it));
    for line in without.lines().filter(is_text) {
        assert!(line.chars().count() <= 100, "{line:?}");
    }
}
