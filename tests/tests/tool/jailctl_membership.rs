//! `jailctl add`, `release`, `list` and `status`: who is jailed, changed and shown.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, roots};

const CONFIG: &str = "# who goes where\nexempt = [\"root\"]\n\n[users] # by name\n# the web people\nann = \"web\"   # since May\n\n[groups]\ngames = \"web\"\n\n# jails\n[jails.web]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n";

/// ann, who is jailed, and bob, who is not; each has a root that works.
fn host() -> Sandbox {
    Sandbox::new()
        .user_with_shell("bob", "/bin/bash")
        .jailed("bob")
        .root(roots::home())
        .user("ann")
        .root(roots::home())
        .config(CONFIG)
}

fn jailctl(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    sandbox.run(&[&["jailctl"], arguments].concat())
}

fn config(sandbox: &Sandbox) -> String {
    sandbox.read("/etc/login-jail/config.toml") + "\n"
}

fn shell_of(sandbox: &Sandbox, user: &str) -> String {
    sandbox.must(&format!("getent passwd {user} | cut -d: -f7"))
}

#[test]
fn add_jails_a_user_and_changes_one_line() {
    let sandbox = host();
    jailctl(&sandbox, &["add", "bob", "--jail", "web"]).ok();
    let expected = CONFIG.replace("since May\n", "since May\nbob = \"web\"\n");
    assert_eq!(config(&sandbox), expected);
    assert_eq!(sandbox.read("/etc/login-jail/config.toml~") + "\n", CONFIG);
    let stat = "stat -c '%a %U' /etc/login-jail/config.toml";
    assert_eq!(sandbox.must(stat), "644 root");
    assert_eq!(shell_of(&sandbox, "bob"), JAIL_SHELL);
    assert_eq!(
        sandbox.ssh("bob", "pwd; ls /").ok().lines().next(),
        Some("/home/bob")
    );
    sandbox.logged(&["enter", r#"user="bob""#, r#"jail="web""#]);
}

#[test]
fn add_for_the_pam_door_writes_the_rule_and_says_where_the_lines_are_missing() {
    let sandbox = host();
    let added = jailctl(&sandbox, &["add", "bob", "--jail", "web", "--door", "pam"]);
    assert!(added.ok().contains("nothing keeps the user in"), "{added}");
    assert_eq!(shell_of(&sandbox, "bob"), "/bin/bash");
    let line = added
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("not yet at su: "));
    for service in ["cron", "atd"] {
        let there = sandbox.sh(&format!("test -e /etc/pam.d/{service}")).code() == Some(0);
        let said = added.stdout.contains(&format!("not yet at {service}: "));
        assert_eq!(said, there, "{added}");
    }
    let status = |part: &str| {
        let status = jailctl(&sandbox, &["status"]);
        assert!(status.stdout.contains(part), "{part} in {status}");
    };
    status("PAM         pam_jail.so is in no stack");
    status("NOT JAILED: no door is in the way of /bin/bash");
    sandbox.must(line.unwrap());
    status("PAM         jails by su");
    status("; not by sshd, login");
    status("ready, by PAM only: su");
    assert_eq!(
        sandbox.su_dash_c("bob", "pwd; ls /home").ok(),
        "/home/bob\nbob"
    );
    let again = jailctl(&sandbox, &["add", "bob", "--jail", "web", "--door", "pam"]);
    assert!(again.ok().contains("jailed by PAM at: su"), "{again}");
    assert!(!again.stdout.contains("not yet at su:"), "{again}");
    let listed = jailctl(&sandbox, &["list"]);
    let bob = listed
        .ok()
        .lines()
        .find(|line| line.starts_with("bob "))
        .unwrap();
    assert!(bob.contains(" pam:su"), "{bob}");
}

#[test]
fn add_for_the_pam_door_says_whom_the_lines_shut_out() {
    let sandbox = host();
    sandbox.must("useradd -m -s /bin/bash aaron; useradd -m -s /bin/bash -G sudo aaron2");
    for arguments in [&["--dry-run"][..], &[]] {
        let add = ["add", "bob", "--jail", "web", "--door", "pam"];
        let said = jailctl(&sandbox, &[&add, arguments].concat()).stderr;
        assert!(said.starts_with("note: aaron and aaron2: "), "{said}");
        assert!(!said.contains("bob"), "{said}");
        assert!(
            said.contains("refuses every login by sshd, login, su,"),
            "{said}"
        );
        assert!(said.ends_with("/config.toml lets them in\n"), "{said}");
    }
    let command = "sed -i '1i unlisted = \"exempt\"' /etc/login-jail/config.toml";
    sandbox.must(command);
    let add = ["add", "bob", "--jail", "web", "--door", "pam"];
    assert_eq!(jailctl(&sandbox, &add).stderr, "");
}

#[test]
fn add_for_the_pam_door_refuses_what_the_module_would_refuse() {
    let sandbox = host();
    sandbox.must("sed -i 's/^base/groups = \"primary\"\\nbase/' /etc/login-jail/config.toml; groupadd more; usermod -aG more bob");
    let before = config(&sandbox);
    let refused = jailctl(&sandbox, &["add", "bob", "--jail", "web", "--door", "pam"]);
    assert_eq!(refused.code(), Some(3), "{refused}");
    assert!(refused.stderr.contains("nothing was changed"), "{refused}");
    assert_eq!(config(&sandbox), before);
    jailctl(&sandbox, &["add", "bob", "--jail", "web"]).ok();
}

#[test]
fn add_with_a_root_directory_is_a_jail_of_its_own() {
    let sandbox = host();
    sandbox.must(
        "cp -aL --parents /bin/busybox /srv/jails/bob && ln -s busybox /srv/jails/bob/bin/sh",
    );
    jailctl(&sandbox, &["add", "bob", "--root", "/srv/jails/bob"]).ok();
    assert_eq!(
        sandbox.su_dash_c("bob", "echo /*").ok(),
        "/bin /dev /home /proc /tmp"
    );
}

#[test]
fn add_for_sshd_writes_the_rule_and_prints_lines_that_jail() {
    let host = host();
    let added = jailctl(
        &host,
        &["add", "bob", "--jail", "web", "--door", "force-command"],
    );
    assert_eq!(shell_of(&host, "bob"), "/bin/bash");
    let (_, lines) = added.ok().split_once("systemctl reload ssh:\n").unwrap();
    let sandbox = Sandbox::new()
        .user_with_shell("bob", "/bin/bash")
        .jailed("bob")
        .root(roots::home())
        .config(&config(&host))
        .sshd(lines);
    assert_eq!(sandbox.ssh("bob", "pwd").ok(), "/home/bob");
    sandbox.logged(&["enter", r#"user="bob""#, r#"jail="web""#]);
}

#[test]
fn add_changes_nothing_where_the_login_would_be_refused() {
    let sandbox = host();
    sandbox.must("useradd -m -s /bin/bash zoe");
    let before = (config(&sandbox), sandbox.read("/etc/passwd"));
    for (arguments, part) in [
        (
            &["zoe", "--jail", "web"][..],
            "/srv/jails/zoe does not exist",
        ),
        (&["zoe", "--jail", "wbe"], "did you mean"),
        (
            &["zoe", "--root", "/srv/jails/ann"],
            "find /bin/sh in the jail",
        ),
        (&["nobody-of-that-name", "--jail", "web"], "no such account"),
        (&["root", "--jail", "web"], "uid 0"),
    ] {
        let refused = jailctl(&sandbox, &[&["add"], arguments].concat());
        assert_eq!(refused.code(), Some(3), "{refused}");
        assert!(refused.stderr.contains(part), "{part} in {refused}");
    }
    let wrong = jailctl(&sandbox, &["add", "zoe", "--root", "srv"]);
    assert_eq!(wrong.code(), Some(2), "{wrong}");
    assert_eq!(jailctl(&sandbox, &["add", "zoe"]).code(), Some(2));
    assert_eq!(before, (config(&sandbox), sandbox.read("/etc/passwd")));
    assert_eq!(
        sandbox.must("ls /etc/login-jail; ls -d /run/login-jail-trial* 2>/dev/null || true"),
        "config.toml\nusers.d"
    );
}

/// Has `jailctl add` refuse with these codes, one after the other, runs the command that it prints each time, and insists
/// that it adds the user then.
#[track_caller]
fn refused_and_mended(sandbox: &Sandbox, arguments: &[&str], codes: &[&str]) {
    let before = config(sandbox);
    let arguments = [&["add", "bob"], arguments].concat();
    for code in codes {
        let refused = jailctl(sandbox, &arguments);
        assert_eq!(refused.code(), Some(3), "{refused}");
        assert!(refused.stderr.contains(&format!("({code})")), "{refused}");
        let (_, command) = refused.stderr.trim_end().split_once("; run: ").unwrap();
        assert!(command.starts_with("jailctl mend --rule bob="), "{command}");
        sandbox.must(command);
        assert_eq!(config(sandbox), before, "{command}");
    }
    jailctl(sandbox, &arguments).ok();
    sandbox.ssh("bob", "true").ok();
    jailctl(sandbox, &["release", "bob"]).ok();
}

#[test]
fn what_add_tells_to_run_works_before_there_is_a_rule() {
    let sandbox = host();
    let web = ["--jail", "web"];
    sandbox.must("rm -r /srv/jails/bob");
    refused_and_mended(&sandbox, &web, &["root-missing"]);
    sandbox.must("chmod 777 /srv/jails/bob");
    refused_and_mended(&sandbox, &web, &["root-unsafe"]);
    let own = ["--root", "/srv/own/bob"];
    refused_and_mended(&sandbox, &own, &["root-missing", "shell-missing"]);
    sandbox.must("echo 'home = \"/home/{user}\"' >>/etc/login-jail/config.toml");
    refused_and_mended(&sandbox, &web, &["home-missing"]);
    // Where the config is another, too.
    sandbox.must("cp -a /etc/login-jail /root/new; rm -r /srv/jails/bob");
    let add = ["--config", "/root/new", "add", "bob", "--jail", "web"];
    let refused = jailctl(&sandbox, &add);
    let (_, command) = refused.stderr.trim_end().split_once("; run: ").unwrap();
    assert_eq!(
        command,
        "jailctl --config /root/new mend --rule bob=web root /srv/jails/bob"
    );
    sandbox.must(command);
    assert!(!jailctl(&sandbox, &add).stderr.contains("root-missing"));
}

#[test]
fn what_add_tells_to_run_brings_what_the_shell_needs() {
    let sandbox = Sandbox::new()
        .user_with_shell("bob", "/bin/bash")
        .jailed("bob")
        .root(roots::missing_library())
        .config("exempt = [\"root\"]\n[jails.web]\nroot = \"/srv/jails/{user}\"\nshell = \"/bin/bash\"\n");
    refused_and_mended(&sandbox, &["--jail", "web"], &["library-missing"]);
}

#[test]
fn a_rule_that_is_supposed_is_a_users() {
    let sandbox = host();
    for (rule, code, part) in [
        ("bob", 2, "give USER=JAIL"),
        ("zoe=web", 3, "no such account"),
        ("bob=wbe", 3, "wbe"),
        ("root=web", 3, "exempts root"),
    ] {
        let refused = jailctl(
            &sandbox,
            &["mend", "--rule", rule, "root", "/srv/jails/bob"],
        );
        assert_eq!(refused.code(), Some(code), "{refused}");
        assert!(refused.stderr.contains(part), "{rule}: {refused}");
    }
    // It makes nothing a root that the rule does not lead to.
    let refused = jailctl(
        &sandbox,
        &["mend", "--rule", "bob=web", "root", "/srv/jails/zoe"],
    );
    assert_eq!(refused.code(), Some(3), "{refused}");
}

#[test]
fn a_finding_without_a_mend_is_not_taken_for_a_similar_one() {
    let sandbox = host();
    for kind in ["mount", "sshd-sftp", "unit"] {
        let refused = jailctl(&sandbox, &["mend", kind, "ann"]);
        assert_eq!(refused.code(), Some(2), "{refused}");
        let says = format!("jailctl does not mend {kind} by itself");
        assert!(refused.stderr.contains(&says), "{refused}");
        assert!(!refused.stderr.contains("similar"), "{refused}");
    }
    let refused = jailctl(&sandbox, &["mend", "home-mising", "ann"]);
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert!(refused.stderr.contains("'home-missing'"), "{refused}");
}

#[test]
fn add_gives_nobody_a_login_shell_that_is_not_there() {
    let sandbox = host();
    sandbox.must("rm /usr/bin/jail-shell");
    let refused = jailctl(&sandbox, &["add", "bob", "--jail", "web"]);
    assert_eq!(refused.code(), Some(3), "{refused}");
    assert_eq!(config(&sandbox), CONFIG);
    assert_eq!(shell_of(&sandbox, "bob"), "/bin/bash");
}

#[test]
fn add_refuses_what_would_have_no_effect() {
    let sandbox = host();
    sandbox.must("sed -i 's/\\[\"root\"\\]/[\"root\", \"bob\"]/' /etc/login-jail/config.toml");
    let exempt = jailctl(&sandbox, &["add", "bob", "--jail", "web"]);
    assert!(
        exempt.stderr.contains("line 2 of the config exempts bob"),
        "{exempt}"
    );
    let sandbox = host();
    sandbox.write("/etc/login-jail/users.d/bob.toml", "jail = \"web\"\n");
    let own = jailctl(&sandbox, &["add", "bob", "--jail", "web"]);
    assert!(own.stderr.contains("users.d/bob.toml is there"), "{own}");
}

#[test]
fn add_takes_its_rule_back_where_the_shell_could_not_be_changed() {
    let sandbox = host();
    sandbox.must("printf '#!/bin/sh\\necho no >&2; exit 1\\n' >/usr/local/sbin/usermod; chmod 755 /usr/local/sbin/usermod");
    let failed = jailctl(&sandbox, &["add", "bob", "--jail", "web"]);
    assert_eq!(failed.code(), Some(3), "{failed}");
    assert_eq!(config(&sandbox), CONFIG);
}

#[test]
fn a_dry_run_shows_and_changes_nothing() {
    let sandbox = host();
    let shown = jailctl(&sandbox, &["add", "bob", "--jail", "web", "--dry-run"]);
    assert!(shown.ok().contains("+ bob = \"web\""), "{shown}");
    assert!(
        shown
            .ok()
            .contains("would run: usermod -s /usr/bin/jail-shell -- bob"),
        "{shown}"
    );
    let shown = jailctl(&sandbox, &["release", "ann", "--dry-run"]);
    assert!(
        shown.ok().contains("- ann = \"web\"   # since May"),
        "{shown}"
    );
    assert_eq!(config(&sandbox), CONFIG);
    assert_eq!(shell_of(&sandbox, "ann"), JAIL_SHELL);
}

#[test]
fn release_takes_the_rule_away_and_gives_a_shell() {
    let sandbox = host();
    jailctl(&sandbox, &["release", "ann"]).ok();
    assert_eq!(
        config(&sandbox),
        CONFIG.replace("ann = \"web\"   # since May\n", "")
    );
    assert_eq!(shell_of(&sandbox, "ann"), "/bin/bash");
    assert_eq!(sandbox.ssh("ann", "ls -d /srv/jails").ok(), "/srv/jails");
    let again = jailctl(&sandbox, &["release", "ann"]);
    assert_eq!(again.code(), Some(3), "{again}");
}

#[test]
fn release_keeps_the_own_file_of_a_user_beside_its_place() {
    let sandbox = host().config(&CONFIG.replace("ann = \"web\"   # since May\n", ""));
    sandbox.write("/etc/login-jail/users.d/ann.toml", "jail = \"web\"\n");
    jailctl(&sandbox, &["release", "ann", "--shell", "/bin/sh"]).ok();
    assert_eq!(sandbox.must("ls /etc/login-jail/users.d"), "ann.toml~");
    assert_eq!(shell_of(&sandbox, "ann"), "/bin/sh");
}

#[test]
fn release_refuses_where_a_group_would_jail_all_the_same() {
    let sandbox = host();
    sandbox.must("usermod -aG games ann");
    let refused = jailctl(&sandbox, &["release", "ann"]);
    assert_eq!(refused.code(), Some(3), "{refused}");
    for way in [
        "jailctl release --exempt ann",
        "jailctl release --from-group ann",
    ] {
        assert!(refused.stderr.contains(way), "{refused}");
    }
    assert_eq!(
        (config(&sandbox), shell_of(&sandbox, "ann")),
        (CONFIG.to_owned(), JAIL_SHELL.to_owned())
    );
    for shell in [JAIL_SHELL, "/nowhere"] {
        sandbox.must("gpasswd -d ann games 2>/dev/null || true");
        let refused = jailctl(&sandbox, &["release", "ann", "--shell", shell]);
        assert_eq!(refused.code(), Some(2), "{refused}");
        assert_eq!(config(&sandbox), CONFIG);
    }
}

#[test]
fn release_exempts_from_the_rule_of_a_group_where_that_is_asked_for() {
    let sandbox = host();
    sandbox.must("usermod -aG games ann");
    let dry = jailctl(&sandbox, &["release", "ann", "--exempt", "--dry-run"]);
    assert!(dry.ok().contains("+ exempt = [\"root\", \"ann\"]"), "{dry}");
    assert_eq!(config(&sandbox), CONFIG);
    jailctl(&sandbox, &["release", "ann", "--exempt"]).ok();
    let text = CONFIG.replace("ann = \"web\"   # since May\n", "");
    let text = text.replace("[\"root\"]", "[\"root\", \"ann\"]");
    assert_eq!(config(&sandbox), text);
    assert_eq!(sandbox.ssh("ann", "ls -d /srv/jails").ok(), "/srv/jails");
}

#[test]
fn release_takes_the_user_out_of_the_group_where_that_is_asked_for() {
    let sandbox = host();
    sandbox
        .must("usermod -aG games ann; usermod -aG games bob; usermod -s /usr/bin/jail-shell bob");
    let dry = jailctl(&sandbox, &["release", "bob", "--from-group", "--dry-run"]);
    assert!(
        dry.ok().contains("would run: gpasswd -d bob games"),
        "{dry}"
    );
    assert!(sandbox.must("id -Gn bob").contains("games"));
    for (user, left) in [
        ("ann", CONFIG.replace("ann = \"web\"   # since May\n", "")),
        ("bob", String::new()),
    ] {
        jailctl(&sandbox, &["release", user, "--from-group"]).ok();
        if !left.is_empty() {
            assert_eq!(config(&sandbox), left);
        }
        assert!(!sandbox.must(&format!("id -Gn {user}")).contains("games"));
        assert_eq!(sandbox.ssh(user, "ls -d /srv/jails").ok(), "/srv/jails");
    }
    // Nobody leaves a primary group.
    sandbox.must("usermod -g games ann; usermod -s /usr/bin/jail-shell ann");
    let refused = jailctl(&sandbox, &["release", "ann", "--from-group"]);
    assert_eq!(refused.code(), Some(3), "{refused}");
    assert!(refused.stderr.contains("primary group"), "{refused}");
    assert_eq!(shell_of(&sandbox, "ann"), JAIL_SHELL);
}

#[test]
fn release_asks_at_a_terminal_and_changes_nothing_without_an_answer() {
    let sandbox = host();
    sandbox.must("usermod -aG games ann");
    for (answer, text) in [
        ("n", "nothing was changed"),
        ("", "nothing was changed"),
        ("e", "ann is exempt"),
    ] {
        let mut pty = sandbox.terminal(&["jailctl", "release", "ann"]);
        pty.expect("Which one? ");
        pty.line(answer);
        let said = pty.finish();
        assert!(said.stdout.contains(text), "{answer}: {said}");
        if answer != "e" {
            assert_eq!(config(&sandbox), CONFIG, "{answer}");
            assert_eq!(shell_of(&sandbox, "ann"), JAIL_SHELL, "{answer}");
        }
    }
    assert_eq!(sandbox.ssh("ann", "ls -d /srv/jails").ok(), "/srv/jails");
}

#[test]
fn a_group_that_can_not_be_changed_leaves_everything_as_it_was() {
    let sandbox = host();
    sandbox.must("usermod -aG games ann; printf '#!/bin/sh\necho no >&2; exit 3\n' >/usr/local/sbin/gpasswd; chmod 755 /usr/local/sbin/gpasswd");
    let failed = jailctl(&sandbox, &["release", "ann", "--from-group"]);
    assert_eq!(failed.code(), Some(3), "{failed}");
    assert_eq!(
        (config(&sandbox), shell_of(&sandbox, "ann")),
        (CONFIG.to_owned(), JAIL_SHELL.to_owned())
    );
    assert!(sandbox.must("id -Gn ann").contains("games"));
}

#[test]
fn release_takes_back_what_the_mends_of_check_have_written_for_the_user() {
    let sandbox = host();
    sandbox.must(
        "printf 'ann\nbob\n' >/etc/cron.deny; printf 'daemon\nann' >/etc/at.deny
         printf 'Match User ann\n  X11Forwarding no\nMatch User bob\n  X11Forwarding no\n' >/etc/ssh/sshd_config.d/10-login-jail.conf
         mkdir -p /etc/ssh/authorized_keys.d; echo key >/etc/ssh/authorized_keys.d/ann
         mkdir -p /etc/systemd/system; ln -s /dev/null /etc/systemd/system/user@$(id -u ann).service
         printf '#!/bin/sh\necho \"$@\" >>/srv/systemctl\n' >/usr/local/sbin/systemctl; chmod 755 /usr/local/sbin/systemctl",
    );
    let files = "cat /etc/cron.deny /etc/at.deny /etc/ssh/sshd_config.d/10-login-jail.conf";
    let before = sandbox.must(files);
    let dry = jailctl(&sandbox, &["release", "ann", "--dry-run"]);
    assert!(dry.ok().contains("-   X11Forwarding no"), "{dry}");
    assert_eq!(sandbox.must(files), before);
    let done = jailctl(&sandbox, &["release", "ann"]);
    assert!(
        done.ok()
            .contains("/etc/ssh/authorized_keys.d/ann has keys"),
        "{done}"
    );
    assert_eq!(
        sandbox.must(files),
        "bob\ndaemon\nMatch User bob\n  X11Forwarding no"
    );
    let uid = sandbox.must("id -u ann");
    assert_eq!(
        sandbox.read("/srv/systemctl"),
        format!("unmask user@{uid}.service")
    );
}

#[test]
fn release_gives_back_the_login_shell_from_before() {
    let sandbox = host();
    sandbox.must("usermod -s /bin/dash bob");
    jailctl(&sandbox, &["add", "bob", "--jail", "web"]).ok();
    // Once more: what it was before the first time counts.
    jailctl(&sandbox, &["add", "bob", "--jail", "web"]).ok();
    jailctl(&sandbox, &["release", "bob"]).ok();
    assert_eq!(shell_of(&sandbox, "bob"), "/bin/dash");
    assert_eq!(sandbox.must("cat /var/lib/login-jail/shells"), "");
    jailctl(&sandbox, &["add", "bob", "--jail", "web"]).ok();
    jailctl(&sandbox, &["release", "bob", "--shell", "/bin/sh"]).ok();
    assert_eq!(shell_of(&sandbox, "bob"), "/bin/sh");
    // One that is gone is not given back.
    sandbox.must("usermod -s /bin/gone bob");
    jailctl(&sandbox, &["add", "bob", "--jail", "web"]).ok();
    jailctl(&sandbox, &["release", "bob"]).ok();
    assert_eq!(shell_of(&sandbox, "bob"), "/bin/bash");
}

#[test]
fn release_says_who_is_refused_from_then_on() {
    let sandbox = host();
    sandbox.must("echo 'session required pam_jail.so' >>/etc/pam.d/su");
    let released = jailctl(&sandbox, &["release", "ann"]);
    assert!(
        released
            .stderr
            .contains("pam_jail.so refuses every login of theirs by su"),
        "{released}"
    );
    assert!(
        released.stderr.contains("jailctl release --exempt ann"),
        "{released}"
    );
    // She has no rule any more, and that is no dead end.
    jailctl(&sandbox, &["release", "--exempt", "ann"]).ok();
    assert_eq!(
        sandbox.su_dash_c("ann", "ls -d /srv/jails").ok(),
        "/srv/jails"
    );
}

#[test]
fn a_misspelt_name_gets_a_suggestion() {
    let sandbox = host();
    for (arguments, part) in [
        (
            &["add", "bob", "--jail", "wbe"][..],
            "there is no jail \"wbe\" in /etc/login-jail/config.toml; did you mean web?",
        ),
        (&["add", "bbo", "--jail", "web"], "did you mean bob?"),
        (&["release", "anm"], "did you mean ann?"),
        (&["kick", "anm"], "did you mean ann?"),
        (&["explain", "anm"], "did you mean ann?"),
        (&["sessions", "anm"], "did you mean ann?"),
        (&["check", "anm"], "did you mean ann?"),
        (&["enter", "--user", "anm"], "did you mean ann?"),
        (&["mend", "home-missing", "anm"], "did you mean ann?"),
        (&["mend", "home-missin", "ann"], "home-missing"),
        (
            &["build", "--with", "bash", "/srv/jails/x"],
            "it is a program of this host: --program bash",
        ),
        (
            &["build", "--with", "shel", "/srv/jails/x"],
            "did you mean shell?",
        ),
        (
            &["build", "--program", "sftp-serve", "/srv/jails/x"],
            "not on this host",
        ),
        (
            &["build", "--with", "shell", "--user", "anm", "/srv/jails/x"],
            "did you mean ann?",
        ),
        (&["add", "--door", "force-comand", "bob"], "force-command"),
    ] {
        let refused = jailctl(&sandbox, arguments);
        assert!(refused.stderr.contains(part), "{arguments:?}: {refused}");
        assert!(refused.code() >= Some(2), "{refused}");
    }
    assert_eq!(config(&sandbox), CONFIG);
}

#[test]
fn add_and_release_leave_the_text_as_it_was() {
    let sandbox = host();
    jailctl(&sandbox, &["add", "bob", "--jail", "web"]).ok();
    jailctl(&sandbox, &["release", "bob"]).ok();
    assert_eq!(config(&sandbox), CONFIG);
}

#[test]
fn many_at_once_lose_nothing() {
    let sandbox = host();
    sandbox.must(
        "for n in 1 2 3 4 5 6 7 8; do
             useradd -m -s /bin/bash u$n; install -d /srv/jails/u$n/home; install -d -o u$n /srv/jails/u$n/home/u$n
         done
         for n in 1 2 3 4 5 6 7 8; do jailctl add u$n --jail web & done; wait",
    );
    let text = config(&sandbox);
    for n in 1..=8 {
        assert!(text.contains(&format!("u{n} = \"web\"\n")), "{text}");
        assert_eq!(shell_of(&sandbox, &format!("u{n}")), JAIL_SHELL);
    }
}

#[test]
fn tells_of_processes_from_before() {
    let sandbox = host();
    sandbox.must(
        "setpriv --reuid bob --regid bob --init-groups sleep 60 >/dev/null 2>&1 &
         until pgrep -u bob sleep >/dev/null; do sleep 0.01; done",
    );
    let told = jailctl(&sandbox, &["add", "bob", "--jail", "web"]);
    let note = "note: what bob has running (1 process) is from before, and keeps the root it has until it ends; jailctl kick bob";
    assert!(told.stderr.contains(note), "{told}");
    // The login that add tries first leaves none behind that it would tell of.
    let again = jailctl(&sandbox, &["add", "ann", "--jail", "web"]);
    assert_eq!(
        (again.code(), again.stderr.as_str()),
        (Some(0), ""),
        "{again}"
    );
}

#[test]
fn list_shows_jail_root_doors_and_rule_of_everybody_jailed() {
    let sandbox = host();
    sandbox.must("usermod -aG games bob");
    let listed = jailctl(&sandbox, &["list"]);
    let rows: Vec<Vec<&str>> = listed
        .ok()
        .lines()
        .map(|it| it.split_whitespace().collect())
        .collect();
    let row = |user: &str| {
        rows.iter()
            .find(|row| row[0] == user)
            .map(|row| row[1..4].to_vec())
    };
    assert_eq!(
        row("ann"),
        Some(vec!["web", "/srv/jails/ann", "login-shell"])
    );
    assert_eq!(row("bob"), Some(vec!["web", "/srv/jails/bob", "none"]));
    assert!(
        listed.stdout.contains("config.toml:9 [groups] games"),
        "{listed}"
    );
    assert!(!listed.stdout.contains("root "), "{listed}");
}

#[test]
fn status_counts_processes_inside_and_outside() {
    // Without the rule for a group: the machine has an account of that name, and its root is not there.
    let sandbox = host().config(&CONFIG.replace("games", "nobodies"));
    let mut session = sandbox.ssh_tty("ann", None);
    session.expect("$ ");
    let row = |sandbox: &Sandbox| {
        let status = jailctl(sandbox, &["status"]);
        let line = status
            .stdout
            .lines()
            .find(|line| line.starts_with("ann "))
            .map(str::to_owned);
        let words: Vec<String> = line
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        (status.code(), words.get(2..4).unwrap_or_default().join(" "))
    };
    // The shell and its init are inside; supervisor and sshd are around the session.
    assert_eq!(row(&sandbox), (Some(0), "2 0".to_owned()));
    let outside = "setpriv --reuid ann --regid ann --init-groups sleep 60 >/dev/null 2>&1 &
                   until pgrep -u ann sleep >/dev/null; do sleep 0.01; done";
    sandbox.must(outside);
    assert_eq!(row(&sandbox), (Some(1), "2 1".to_owned()));
    session.line("exit");
    assert_eq!(session.finish().code(), Some(0));
    sandbox.must("chmod 777 /srv/jails");
    let status = jailctl(&sandbox, &["status"]);
    assert_eq!(status.code(), Some(1), "{status}");
    assert!(
        status
            .stdout
            .contains("refused: open root /srv/jails/ann: /srv/jails is mode 0777"),
        "{status}"
    );
}

#[test]
fn only_root_changes_anything() {
    let sandbox = host();
    for arguments in [
        &["add", "bob", "--jail", "web"][..],
        &["release", "ann"],
        &["status"],
    ] {
        let refused = sandbox.run_as("bob", &[&["jailctl"], arguments].concat());
        assert_eq!(refused.code(), Some(3), "{refused}");
        assert!(refused.stderr.contains("takes root"), "{refused}");
    }
}

#[test]
fn list_and_status_print_json() {
    let sandbox = host().config(&CONFIG.replace("games", "nobodies"));
    for (command, pointer) in [("list", "/0/root"), ("status", "/users/0/jail")] {
        let printed = jailctl(&sandbox, &[command, "--json"]);
        let read: serde_json::Value = serde_json::from_str(printed.ok()).unwrap();
        let expected = if command == "list" {
            "/srv/jails/ann"
        } else {
            "web"
        };
        assert_eq!(
            read.pointer(pointer).and_then(|it| it.as_str()),
            Some(expected),
            "{printed}"
        );
    }
}

#[test]
fn add_without_a_jail_opens_the_door_of_the_rule_that_is_there() {
    let sandbox = host();
    let none = jailctl(&sandbox, &["add", "bob"]);
    assert_eq!(none.code(), Some(2), "{none}");
    assert!(
        none.stderr.contains("--jail NAME (web") && none.stderr.contains("--root DIR"),
        "{none}"
    );
    sandbox.must(
        "mkdir -p /etc/login-jail/users.d; echo 'jail = \"web\"' >/etc/login-jail/users.d/bob.toml",
    );
    let other = jailctl(&sandbox, &["add", "bob", "--jail", "web"]);
    assert!(
        other.stderr.contains("jailctl add bob goes by it"),
        "{other}"
    );
    let before = sandbox.read("/etc/login-jail/config.toml");
    jailctl(&sandbox, &["add", "bob"]).ok();
    assert_eq!(sandbox.must("getent passwd bob | cut -d: -f7"), JAIL_SHELL);
    assert_eq!(sandbox.read("/etc/login-jail/config.toml"), before);
}

#[test]
fn a_config_that_no_door_reads_changes_no_account() {
    let sandbox = host();
    sandbox.must("cp -a /etc/login-jail /srv/new");
    let shell = |user: &str| sandbox.must(&format!("getent passwd {user} | cut -d: -f7"));
    let (ann, bob) = (shell("ann"), shell("bob"));
    let elsewhere = |arguments: &[&str]| {
        let said = jailctl(&sandbox, &[&["--config", "/srv/new"], arguments].concat());
        assert!(
            said.ok().contains("the doors read /etc/login-jail"),
            "{said}"
        );
    };
    elsewhere(&["release", "ann"]);
    elsewhere(&["add", "bob", "--jail", "web"]);
    assert_eq!((shell("ann"), shell("bob")), (ann, bob));
    let new = sandbox.read("/srv/new/config.toml");
    assert!(new.contains("bob = ") && !new.contains("ann = "), "{new}");
}

#[test]
fn a_release_that_can_not_write_the_config_leaves_the_user_in_the_jail() {
    let sandbox = host();
    sandbox.must(
        "mount --bind /etc/login-jail /etc/login-jail; mount -o remount,bind,ro /etc/login-jail",
    );
    let refused = jailctl(&sandbox, &["release", "ann"]);
    assert_eq!(refused.code(), Some(3), "{refused}");
    assert_eq!(sandbox.must("getent passwd ann | cut -d: -f7"), JAIL_SHELL);
}
