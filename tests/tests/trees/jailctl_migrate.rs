//! `jailctl migrate`: users of jailkit, sshd and pam_chroot land in the same root as before.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use login_jail_tests::{Outcome, Sandbox, roots, skipped};

/// Migrates, and makes what was printed the config.
fn migrate(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    let before = sandbox.must("find /etc /srv /home | sort | sha256sum");
    let printed = sandbox.run(&[&["jailctl", "migrate"], arguments].concat());
    assert_eq!(
        sandbox.must("find /etc /srv /home | sort | sha256sum"),
        before
    );
    if matches!(printed.code(), Some(0 | 1)) {
        sandbox.write("/etc/login-jail/config.toml", &printed.stdout);
        let list = sandbox.run(&["jailctl", "list"]);
        list.ok();
    }
    printed
}

/// The root that `explain` decides for, or how else it decides.
fn decided(sandbox: &Sandbox, user: &str, door: &str) -> String {
    let told = sandbox.run(&["jailctl", "explain", user, "--door", door, "--json"]);
    let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    let text = |at: &str| told.pointer(at).and_then(|it| it.as_str());
    if text("/decision/outcome") != Some("refused") {
        assert_eq!(text("/refused/reason"), None, "{told}");
    }
    if text("/decision/outcome") != Some("jailed") {
        return text("/decision/outcome").unwrap_or_default().to_owned();
    }
    let steps = told.pointer("/steps").unwrap().as_array().unwrap();
    let roots = steps.iter().filter_map(|it| it["does"].as_str());
    let mut words = roots.flat_map(|it| it.split([' ', ',', ';', ':']));
    words
        .find(|it| it.starts_with("/srv/") || it.starts_with("/home/"))
        .unwrap_or_default()
        .to_owned()
}

/// Runs the commands that the comments at the end have, those that begin with these words.
fn do_what_remains(sandbox: &Sandbox, printed: &Outcome, words: &str) -> usize {
    let (_, remaining) = printed.stdout.split_once("# What remains").unwrap();
    let lines = remaining.lines().filter_map(|it| it.strip_prefix("#   "));
    let commands: Vec<&str> = lines.filter(|it| it.starts_with(words)).collect();
    for command in &commands {
        sandbox.must(command);
    }
    commands.len()
}

fn has(sandbox: &Sandbox, program: &str) -> bool {
    sandbox.sh(&format!("command -v {program}")).code() == Some(0)
}

#[test]
fn users_of_jailkit_land_in_the_same_root_and_home_with_the_same_shell() {
    let sandbox = Sandbox::new()
        .plain_user("ann")
        .plain_user("bob")
        .plain_user("cid");
    if !has(&sandbox, "jk_jailuser") {
        skipped("migrate jailkit", "jailkit is not installed");
        return;
    }
    sandbox.must(
        "mkdir /srv/j /srv/k; jk_init -j /srv/j basicshell jk_lsh >/dev/null 2>&1; jk_init -j /srv/k basicshell >/dev/null 2>&1
         jk_jailuser -m -n -j /srv/j -s /bin/bash ann; jk_jailuser -m -n -j /srv/j bob; jk_jailuser -m -n -j /srv/k -s /bin/bash cid
         printf '[ann]\\nenv = TERM, LD_PRELOAD, FOO\\nrelax_home_group=1\\n' >/etc/jailkit/jk_chrootsh.ini
         printf '[/srv/j/dev/log]\\nbase = 1\\n' >/etc/jailkit/jk_socketd.ini
         printf '[bob]\\nexecutables = /bin/true\\npaths = /bin\\n' >/srv/j/etc/jailkit/jk_lsh.ini
         useradd -M -d /srv/none/./home/dot -s /usr/sbin/jk_chrootsh john.doe; useradd -M -s /usr/sbin/jk_lsh free",
    );
    let script = "pwd; ls -di /; echo $FOO";
    let before = sandbox.sh(&format!("FOO=bar su ann -c '{script}'"));
    let before = before.ok().replace("bar", "");
    let printed = migrate(&sandbox, &["jailkit"]);
    assert_eq!(printed.code(), Some(1), "{printed}");
    for part in [
        "\"john.doe\" = \"none\"",
        "env = { pass = [\"TERM\", \"FOO\"] }",
        "/etc/jailkit/jk_chrootsh.ini: env LD_PRELOAD",
        "/etc/jailkit/jk_chrootsh.ini:3: [ann] relax_home_group = 1",
        "/etc/jailkit/jk_socketd.ini:1: [/srv/j/dev/log]",
        "free: login shell /usr/sbin/jk_lsh",
    ] {
        assert!(printed.stdout.contains(part), "{part} in {printed}");
    }
    sandbox.must("sed -i /john.doe/d /etc/login-jail/config.toml");
    for (user, root) in [("ann", "/srv/j"), ("bob", "/srv/j"), ("cid", "/srv/k")] {
        assert_eq!(decided(&sandbox, user, "login-shell"), root, "{printed}");
    }
    let three = printed.stdout.replace("jailctl add john.doe", "");
    let printed = Outcome {
        stdout: three,
        ..printed
    };
    assert_eq!(do_what_remains(&sandbox, &printed, "jailctl add "), 3);
    let after = sandbox.sh(&format!("FOO=bar su ann -c '{script}'"));
    assert_eq!(after.ok().replace("bar", ""), before);
    // jk_lsh goes on limiting: it is the shell inside.
    assert_eq!(sandbox.su_c("bob", "/bin/true").code(), Some(0));
    assert_ne!(sandbox.su_c("bob", "/bin/ls").code(), Some(0));
    assert!(sandbox.su_c("cid", "pwd").ok().starts_with("/home/cid"));
}

#[test]
fn accounts_and_settings_of_another_machine_are_read_from_files() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "/tmp/passwd",
        "root:x:0:0::/root:/bin/sh\nzed:x:3000:3000::/data/j/./home/zed:/usr/sbin/jk_chrootsh\n",
    );
    sandbox.write(
        "/tmp/jk/jk_chrootsh.ini",
        "[zed]\nskip_injail_passwd_check=1\ninjail_shell=/bin/zsh\n",
    );
    let printed = sandbox.run(&[
        "jailctl",
        "migrate",
        "jailkit",
        "--passwd",
        "/tmp/passwd",
        "--directory",
        "/tmp/jk",
    ]);
    for part in ["zed = \"j\"", "root = \"/data/j\"", "shell = \"/bin/zsh\""] {
        assert!(printed.ok().contains(part), "{part} in {printed}");
    }
    let missing = sandbox.run(&["jailctl", "migrate", "sshd", "--file", "/nowhere"]);
    assert_eq!(missing.code(), Some(3), "{missing}");
    assert!(missing.stderr.contains("read /nowhere"), "{missing}");
}

const SSHD: &str = "Subsystem sftp internal-sftp\n\
    Match User eve\n\tChrootDirectory none\n\
    Match Group drop\n\tChrootDirectory /srv/drop/%u\n\tForceCommand internal-sftp -u 027\n\
    Match User web*,!webmaster\n\tChrootDirectory /srv/web\n\
    Match User bob\n\tChrootDirectory %h\n\tForceCommand internal-sftp\n\
    Match Address 10.0.0.0/8\n\tChrootDirectory /srv/far\n";

fn sshd_host() -> Sandbox {
    let mut sandbox = Sandbox::new();
    for user in ["ann", "bob", "eve", "web1", "webmaster"] {
        sandbox = sandbox.plain_user(user);
    }
    sandbox.must(
        "groupadd drop; usermod -aG drop ann; usermod -aG drop eve
         install -d /srv/drop/ann /srv/web; install -d -o ann /srv/drop/ann/up
         chown root: /home/bob; chmod 755 /home/bob; install -d -o bob /home/bob/up",
    );
    roots_web(&sandbox);
    sandbox.sshd(SSHD)
}

/// A root with a shell of its own.
fn roots_web(sandbox: &Sandbox) {
    sandbox.must(
        "install -d /srv/web/bin /srv/web/home /srv/web/home/web1; chown web1: /srv/web/home/web1; cp -aL --parents /bin/busybox /srv/web
         ln -s busybox /srv/web/bin/sh; for p in /bin/bash; do cp -L --parents $p $(ldd $p | grep -o '/[^ ]*') /srv/web; done",
    );
}

#[test]
fn users_of_chroot_directory_land_in_the_same_root() {
    let sandbox = sshd_host();
    let listing =
        |sandbox: &Sandbox, user: &str| sandbox.sftp(user, "ls -1 /").ok().replace("/", "");
    assert_eq!(listing(&sandbox, "ann").lines().last(), Some("up"));
    assert_eq!(sandbox.ssh("web1", "pwd").ok(), "/home/web1");
    let printed = migrate(
        &sandbox,
        &["sshd", "--file", "/etc/ssh/sandbox/sshd_config"],
    );
    assert_eq!(printed.code(), Some(1), "{printed}");
    for part in [
        "drop = \"drop\"",
        "\"eve\", # in no other root until now",
        "web1 = ",
        "root = \"/srv/drop/{user}\"",
        "root = \"{home}\"",
        "Match Address is nothing that a rule can ask for",
        "Match User web*,!webmaster\n#     a rule names one user",
        "ForceCommand /usr/lib/openssh/sftp-server -u 027 in place of",
    ] {
        assert!(printed.stdout.contains(part), "{part} in {printed}");
    }
    assert!(!printed.stdout.contains("webmaster = "), "{printed}");
    for (user, root) in [
        ("ann", "/srv/drop/ann"),
        ("bob", "/home/bob"),
        ("web1", "/srv/web"),
        ("eve", "exempt"),
    ] {
        assert_eq!(
            decided(
                &sandbox,
                user,
                if user == "eve" { "pam" } else { "login-shell" }
            ),
            root,
            "{printed}"
        );
    }
    assert_eq!(
        do_what_remains(&sandbox, &printed, "jailctl add ")
            + do_what_remains(&sandbox, &printed, "usermod "),
        3
    );
    // A second machine, whose sshd has what the comments ask for.
    let config = sandbox.read("/etc/login-jail/config.toml");
    sandbox.must(
        "kill $(cat /run/sandbox-sshd.pid); cd /etc/ssh/sandbox
         sed -i -e '/ChrootDirectory/d' -e 's,internal-sftp,/usr/lib/openssh/sftp-server,' sshd_config
         /usr/sbin/sshd -f sshd_config -E /run/sandbox-sshd.log; sleep 0.3",
    );
    assert!(
        listing(&sandbox, "ann").lines().any(|it| it == "up"),
        "{config}"
    );
    assert!(
        listing(&sandbox, "bob").lines().any(|it| it == "up"),
        "{config}"
    );
    assert_eq!(sandbox.ssh("web1", "pwd").ok(), "/home/web1");
    // She was in no root before: sshd's sftp served her the host.
    let host = sandbox.sftp("eve", "ls -1 /srv");
    assert!(host.ok().contains("web"), "{host}");
    sandbox.must("echo hello >/tmp/x");
    sandbox.sftp("ann", "put /tmp/x up/x").ok();
    assert_eq!(sandbox.must("stat -c %a /srv/drop/ann/up/x"), "640");
}

/// Tells whether a user comes to the host's files by sftp.
fn has_host(sandbox: &Sandbox, user: &str) -> bool {
    sandbox.sftp(user, "ls /etc/shadow").code() == Some(0)
}

/// Changes over from these lines of sshd's, in the order that is printed. At no moment one of these users has the host.
fn change_over(lines: &str, users: &[&str]) -> (Sandbox, Outcome) {
    let sandbox = Sandbox::new().plain_user("ann").sshd(lines);
    sandbox.must(
        "groupadd drop; useradd -r -u 500 -m -s /bin/bash -p '*' -G drop svc
         useradd -r -u 501 -m -s /usr/sbin/nologin -p '*' -G drop quiet; usermod -aG drop ann
         install -d /srv/x/home; for u in ann svc quiet; do install -d -o $u /srv/x/home/$u; done",
    );
    for user in users {
        let seen = sandbox.sftp(user, "ls -1 /home");
        assert!(seen.ok().contains("svc"), "{user}: {seen}");
        assert!(!has_host(&sandbox, user), "{user}");
    }
    let printed = migrate(
        &sandbox,
        &["sshd", "--file", "/etc/ssh/sandbox/sshd_config"],
    );
    let (_, remaining) = printed.stdout.split_once("# What remains").unwrap();
    let mut restarted = false;
    for line in remaining.lines().filter_map(|it| it.strip_prefix("#   ")) {
        if line.starts_with("jailctl add ") || line.starts_with("usermod ") {
            sandbox.must(line);
        } else if let Some(denied) = line.strip_suffix(", before any Match") {
            sandbox.must(&format!(
                "sed -i '1i {denied}' /etc/ssh/sandbox/sshd_config"
            ));
        } else if line.contains(": take ChrootDirectory ") {
            sandbox.must("sed -i /^ChrootDirectory/d /etc/ssh/sandbox/sshd_config");
        } else if line.contains(": ForceCommand /usr/lib") || line.starts_with("Subsystem sftp ") {
            sandbox.must(
                "sed -i s,internal-sftp,/usr/lib/openssh/sftp-server, /etc/ssh/sandbox/sshd_config",
            );
        } else if line.starts_with("sshd -t && ") {
            sandbox.must("/usr/sbin/sshd -t -f /etc/ssh/sandbox/sshd_config");
            restarted = true;
        } else {
            continue;
        }
        // Nor has one where somebody stops here, and sshd is started anew.
        sandbox.must("kill -HUP $(cat /run/sandbox-sshd.pid); sleep 0.3");
        for user in users {
            assert!(!has_host(&sandbox, user), "{user} after {line}: {printed}");
        }
    }
    assert!(restarted, "{printed}");
    sandbox.must("echo hello >/tmp/x");
    sandbox.sftp("ann", "put /tmp/x x").ok();
    assert_eq!(sandbox.read("/srv/x/home/ann/x"), "hello");
    (sandbox, printed)
}

#[test]
fn accounts_of_the_system_in_a_group_that_is_named_stay_where_they_are() {
    let (sandbox, printed) = change_over(
        "Subsystem sftp internal-sftp\nMatch Group drop\nForceCommand internal-sftp\nChrootDirectory /srv/x\n",
        &["ann", "svc", "quiet"],
    );
    for part in [
        "#   usermod -s /usr/bin/jail-shell ann\n",
        "#   usermod -s /usr/bin/jail-shell svc # of the system's",
    ] {
        assert!(printed.stdout.contains(part), "{part} in {printed}");
    }
    assert!(!printed.stdout.contains("jail-shell quiet"), "{printed}");
    assert_eq!(printed.code(), Some(0), "{printed}");
    sandbox.sftp("svc", "put /tmp/x x").ok();
    assert_eq!(sandbox.read("/srv/x/home/svc/x"), "hello");
}

#[test]
fn a_chroot_for_everybody_leaves_nobody_but_root_on_the_host() {
    let (sandbox, printed) = change_over(
        "Subsystem sftp internal-sftp\nForceCommand internal-sftp\nChrootDirectory /srv/x\n",
        &["ann", "svc", "quiet"],
    );
    for part in [
        "ann = \"sshd\"",
        "#   DenyUsers ",
        "root is in it, too: uid 0 is never jailed",
        "those of the system have none, and come in no more",
    ] {
        assert!(printed.stdout.contains(part), "{part} in {printed}");
    }
    assert!(!printed.stdout.contains("svc = "), "{printed}");
    assert_ne!(sandbox.sftp("svc", "ls").code(), Some(0), "{printed}");
    assert!(has_host(&sandbox, "root"), "{printed}");
    assert_eq!(printed.code(), Some(1), "{printed}");
}

#[test]
fn what_is_not_carried_over_stays_with_sshd() {
    let sandbox = Sandbox::new().plain_user("ann").plain_user("bob");
    sandbox.write(
        "/tmp/sshd",
        "Match User ann\nChrootDirectory /srv/x/../y\nForceCommand internal-sftp\n\
         Match User bob\nChrootDirectory /srv/z\n\
         Match Address 10.0.0.0/8\nForceCommand internal-sftp\n\
         Match LocalPort 23\nChrootDirectory /srv/far\nForceCommand internal-sftp -R\n",
    );
    let printed = migrate(&sandbox, &["sshd", "--file", "/tmp/sshd"]);
    assert_eq!(printed.code(), Some(1), "{printed}");
    for part in [
        "ChrootDirectory /srv/x/../y\n",
        "leave it in sshd's config",
        "/tmp/sshd:5: take ChrootDirectory /srv/z out",
        // From there bob would have the host's files, for internal-sftp starts no login shell.
        "/tmp/sshd:7: ForceCommand /usr/lib/openssh/sftp-server in place of",
    ] {
        assert!(printed.stdout.contains(part), "{part} in {printed}");
    }
    for part in [
        "take ChrootDirectory /srv/x/../y out",
        "take ChrootDirectory /srv/far out",
        "/tmp/sshd:3: ForceCommand",
        "/tmp/sshd:10: ForceCommand",
        "jail-shell ann",
        "jailctl add ann",
    ] {
        assert!(!printed.stdout.contains(part), "{part} in {printed}");
    }
}

#[test]
fn included_files_count_in_the_place_where_they_are() {
    let sandbox = Sandbox::new().plain_user("ann").plain_user("bob");
    sandbox.write(
        "/tmp/d/1.conf",
        "Match User ann\nChrootDirectory \"/srv/one\" # quoted\n",
    );
    sandbox.write(
        "/tmp/d/2.conf",
        "ChrootDirectory=/srv/two\nMatch User bob\nChrootDirectory /srv/x\n",
    );
    sandbox.write(
        "/tmp/sshd",
        "Include /tmp/d/1.conf\nMatch User ann,bob\nInclude /tmp/d/2.conf\n",
    );
    let printed = migrate(&sandbox, &["sshd", "--file", "/tmp/sshd"]);
    sandbox.must("mkdir /srv/one /srv/two");
    assert!(
        printed
            .stdout
            .contains("a Match in a file that a Match block includes"),
        "{printed}"
    );
    assert_eq!(
        decided(&sandbox, "ann", "login-shell"),
        "/srv/one",
        "{printed}"
    );
    assert_eq!(
        decided(&sandbox, "bob", "login-shell"),
        "/srv/two",
        "{printed}"
    );
}

fn with_pam_chroot() -> Option<Sandbox> {
    let sandbox = Sandbox::new();
    let found = sandbox.sh("find /lib /usr/lib -name pam_chroot.so | grep .");
    if found.code() == Some(0) {
        return Some(sandbox);
    }
    skipped("migrate pam_chroot", "libpam-chroot is not installed");
    None
}

#[test]
fn users_of_pam_chroot_land_in_the_same_root() {
    let Some(mut sandbox) = with_pam_chroot() else {
        return;
    };
    for user in ["ann", "bob", "cid", "dan"] {
        sandbox = sandbox
            .user_with_shell(user, "/bin/sh")
            .jailed(user)
            .root(roots::busybox());
    }
    sandbox.must(
        "groupadd shut; usermod -aG shut cid; getent group shut >>/srv/jails/cid/etc/group
         printf 'nobody-there\\n^ANN$ /srv/jails/ann\\n^b.b$ /srv/jails/%%u # x\\n@^shut$ /srv/jails/%%u\\n^z\\\\(.*\\\\)$ /srv/%%1\\n' >/etc/security/chroot.conf
         echo 'session required pam_chroot.so use_regex use_groups' >>/etc/pam.d/su",
    );
    let look = |user: &str| {
        let seen = sandbox.su_c(user, "ls -di /bin | cut -d' ' -f1; cat /etc/issue");
        seen.stdout
    };
    let before: Vec<String> = ["ann", "bob", "cid", "dan"].map(look).into();
    assert!(
        before.first().unwrap().contains("a jail of busybox"),
        "{before:?}"
    );
    let printed = migrate(&sandbox, &["pam_chroot"]);
    assert_eq!(printed.code(), Some(1), "{printed}");
    for part in [
        // Whom the last line would put somewhere must not be on the host instead.
        "unlisted = \"refuse\" # not all of it could be carried over",
        "\"dan\", # in no other root until now",
        "shut = ",
        "bob = ",
        "ann = ",
        "chroot.conf:1: nobody-there",
        "chroot.conf:5: ^z",
    ] {
        assert!(printed.stdout.contains(part), "{part} in {printed}");
    }
    sandbox.must("sed -i /pam_chroot/d /etc/pam.d/su; cat /usr/share/doc/login-jail/pam.d/su >>/etc/pam.d/su");
    for user in ["ann", "bob", "cid"] {
        assert_eq!(
            decided(&sandbox, user, "pam"),
            format!("/srv/jails/{user}"),
            "{printed}"
        );
    }
    let after: Vec<String> = ["ann", "bob", "cid", "dan"].map(look).into();
    assert_eq!(before, after, "{printed}");
}

#[test]
fn accounts_of_the_system_are_in_a_jail_or_shut_out() {
    let sandbox = Sandbox::new().plain_user("ann");
    sandbox.must(
        "groupadd drop; usermod -aG drop ann; useradd -r -u 500 -M -s /bin/bash -G drop svc
         useradd -r -u 501 -M -s /bin/bash other; install -d /srv/drop/ann /srv/drop/svc",
    );
    let block = "Match Group drop\n\tChrootDirectory /srv/drop/%u\n\tForceCommand internal-sftp\n";
    sandbox.write("/tmp/sshd", block);
    let printed = migrate(&sandbox, &["sshd", "--file", "/tmp/sshd"]);
    assert!(
        printed.stdout.contains("\nnetwork = \"none\"\n"),
        "{printed}"
    );
    let at = |part: &str| {
        let found = printed.stdout.find(part);
        found.unwrap_or_else(|| panic!("{part} in {printed}"))
    };
    // Between the two nobody is let in; the other way round everybody would be, to the host.
    assert!(
        at("usermod -s /usr/bin/jail-shell svc") < at("take ChrootDirectory"),
        "{printed}"
    );
    assert!(!printed.stdout.contains("other"), "{printed}");
    assert_eq!(decided(&sandbox, "svc", "login-shell"), "/srv/drop/svc");

    sandbox.write(
        "/tmp/sshd",
        format!("ChrootDirectory /srv/drop/%u\n{block}"),
    );
    let printed = migrate(&sandbox, &["sshd", "--file", "/tmp/sshd"]);
    assert_eq!(printed.code(), Some(1), "{printed}");
    let denied = printed
        .stdout
        .lines()
        .find(|line| line.contains("  DenyUsers "));
    let denied = denied.unwrap_or_else(|| panic!("{printed}"));
    assert!(
        denied.contains(" other") && !denied.contains(" svc"),
        "{printed}"
    );
    assert!(printed.stdout.contains("PermitRootLogin no"), "{printed}");
}

/// Where logins through su end: in the root with this mark, on the host, or nowhere.
fn ends(sandbox: &Sandbox, users: &[&str]) -> String {
    // All at once: to be refused takes a second.
    let said = sandbox.sh(&format!(
        "cd /srv; for u in {0}; do (su -s /bin/sh $u -c 'echo at /IN_*' || echo at /IN_refused) >end.$u 2>/dev/null & done
         wait; for u in {0}; do cat end.$u; done",
        users.join(" ")
    ));
    let lines = said.stdout.lines();
    let ends = lines.filter_map(|line| line.strip_prefix("at /IN_"));
    let ends = ends.map(|end| if end == "*" { "host" } else { end });
    ends.collect::<Vec<_>>().join(" ")
}

/// What stands in su's stack, what in chroot.conf, and where ann, bob (who is in a group, too), games (an account of the
/// system's) and root come before and after.
type Row = (&'static str, &'static str, &'static str, &'static str);

const ROWS: &[Row] = &[
    (
        "session required pam_chroot.so",
        "ann /srv/x",
        "x host host host",
        "x host host host",
    ),
    (
        "session required pam_chroot.so onerr=fail",
        "ann /srv/x",
        "x refused refused refused",
        "x refused refused host",
    ),
    (
        "session required pam_chroot.so debug [notfound=failure]",
        "ann /srv/x",
        "x refused refused refused",
        "x refused refused host",
    ),
    (
        "session required pam_chroot.so \\\n onerr=fail # x",
        "ann /srv/x",
        "x refused refused refused",
        "x refused refused host",
    ),
    (
        "session required pam_chroot.so notfound=failure onerr=succeed",
        "ann /srv/x",
        "x host host host",
        "x host host host",
    ),
    (
        "session required pam_chroot.so notfound=failure onerr=sucede",
        "ann /srv/x",
        "x refused refused refused",
        "x refused refused host",
    ),
    // For accounts, whom no line names is refused whatever it is told; bob is by the modules behind it, in the root.
    (
        "account required pam_chroot.so notfound=success",
        "bob /srv/x",
        "refused refused refused refused",
        "refused x refused host",
    ),
    (
        "session required pam_chroot.so chroot_dir=/srv/y chroot_dir=/srv/x",
        "ann /srv/x",
        "y y y y",
        "y y y host",
    ),
    (
        "session required pam_chroot.so chroot_dir=srv/y",
        "",
        "refused refused refused refused",
        "refused refused refused host",
    ),
    (
        "session required pam_chroot.so chroot_dir=/srv/%u",
        "",
        "refused refused refused refused",
        "refused refused refused host",
    ),
    (
        "session required pam_chroot.so",
        "ann /srv/x/../y",
        "y host host host",
        "refused host host host",
    ),
    (
        "session required pam_chroot.so",
        "ann /srv/x\nbob srv/x\nbob /srv/y",
        "x refused host host",
        "x refused host host",
    ),
    (
        "session required pam_chroot.so",
        "ann /srv/%z\nbob /srv/%1",
        "refused refused host host",
        "refused refused host host",
    ),
    (
        "session required pam_chroot.so",
        "ann /srv/{x}\nbob //",
        "refused host host host",
        "refused host host host",
    ),
    // The module reads no further.
    (
        "session required pam_chroot.so",
        "ann /srv/x\n@chrooted /srv/y\ngames /srv/y",
        "x refused refused refused",
        "x refused refused host",
    ),
    (
        "session required pam_chroot.so use_groups",
        "ann /srv/x\n@chrooted /srv/y",
        "x y host host",
        "x y host host",
    ),
    // A rule for the group would let in who is refused.
    (
        "session required pam_chroot.so use_groups",
        "bob /srv/x/../nowhere\n@chrooted /srv/y",
        "host refused host host",
        "host refused host host",
    ),
    (
        "session required pam_chroot.so use_groups use_regex",
        "@ /srv/y",
        "y y y y",
        "y y y host",
    ),
    (
        "session required pam_chroot.so use_regex",
        "^a.* /srv/x\nO /srv/y",
        "x y host y",
        "x y host host",
    ),
    (
        "session required pam_chroot.so use_regex",
        "^a.* /srv/x/../x",
        "x host host host",
        "refused host host host",
    ),
    (
        "session required pam_chroot.so use_ext_regex",
        "carl)|ann /srv/x\nbob /srv/y",
        "x y host host",
        "x y host host",
    ),
    // What grep(1) does not take for an expression regcomp(3) may.
    (
        "session required pam_chroot.so use_regex",
        "[:alpha:]n /srv/x",
        "x host host host",
        "refused refused refused host",
    ),
    (
        "session required pam_chroot.so no_chroot onerr=fail",
        "ann /srv/x",
        "host refused refused refused",
        "x refused refused host",
    ),
    // What it refuses there, PAM lets in.
    (
        "session optional pam_chroot.so onerr=fail",
        "ann /srv/x/../nowhere",
        "host host host host",
        "refused refused refused host",
    ),
];

#[test]
fn nobody_whom_pam_chroot_jails_or_refuses_is_on_the_host_after_it() {
    let Some(sandbox) = with_pam_chroot() else {
        return;
    };
    let sandbox = sandbox.plain_user("ann").plain_user("bob");
    sandbox.must(
        "groupadd chrooted; usermod -aG chrooted bob; cp /etc/pam.d/su /srv/su
         for r in x y; do jailctl build /srv/$r --with shell >/dev/null 2>&1; touch /srv/$r/IN_$r; getent group chrooted >>/srv/$r/etc/group; done",
    );
    let long = format!("#{}ann /srv/x", "x".repeat(1022));
    let rows = ROWS.iter().copied();
    let cut = (
        "session required pam_chroot.so",
        long.as_str(),
        "x host host host",
        "x host host host",
    );
    for (stack, conf, before, after) in rows.chain([cut]) {
        let look = |sandbox: &Sandbox| ends(sandbox, &["ann", "bob", "games", "root"]);
        sandbox.write("/etc/security/chroot.conf", format!("{conf}\n"));
        sandbox.must("cp /srv/su /etc/pam.d/su");
        let own = sandbox.read("/etc/pam.d/su");
        sandbox.write("/etc/pam.d/su", format!("{own}\n{stack}\n"));
        assert_eq!(look(&sandbox), before, "{stack}: {conf}");
        let printed = sandbox.run(&["jailctl", "migrate", "pam_chroot"]);
        sandbox.write("/etc/login-jail/config.toml", &printed.stdout);
        // What is not the same is said.
        let is_same = before == after;
        assert!(
            is_same || printed.code() == Some(1),
            "{stack}: {conf}: {printed}"
        );
        let says_root = printed.stdout.contains("\n#   root\n");
        assert!(says_root || before.ends_with("host"), "{printed}");
        // While both modules are there, nobody has the host who has not.
        assert_eq!(do_what_remains(&sandbox, &printed, "cat "), 1, "{printed}");
        let between = ends(&sandbox, &["ann", "bob", "games"]);
        for (before, between) in before.split(' ').zip(between.split(' ')) {
            assert!(
                before == "host" || between != "host",
                "{stack}: {conf}: {between}: {printed}"
            );
        }
        sandbox.must("cp /srv/su /etc/pam.d/su");
        do_what_remains(&sandbox, &printed, "cat ");
        assert_eq!(look(&sandbox), after, "{stack}: {conf}: {printed}");
    }
}

#[test]
fn stacks_that_do_different_things_with_pam_chroot_leave_nobody_on_the_host() {
    let sandbox = Sandbox::new()
        .plain_user("ann")
        .plain_user("bob")
        .plain_user("cid");
    sandbox.write("/tmp/chroot.conf", "ann /srv/x\nbob /srv/y\n");
    sandbox.write(
        "/tmp/pam.d/login",
        "session required pam_chroot.so chroot_dir=/srv/y\n",
    );
    sandbox.write("/tmp/pam.d/su", "session required pam_chroot.so\n");
    let from = [
        "pam_chroot",
        "--file",
        "/tmp/chroot.conf",
        "--pam",
        "/tmp/pam.d",
    ];
    sandbox.must("install -d /srv/x /srv/y");
    let printed = migrate(&sandbox, &from);
    assert_eq!(printed.code(), Some(1), "{printed}");
    for (user, decision) in [("ann", "refused"), ("bob", "/srv/y"), ("cid", "/srv/y")] {
        assert_eq!(
            decided(&sandbox, user, "pam"),
            decision,
            "{user}: {printed}"
        );
    }
    assert!(printed.stdout.contains("pam.d/su:1: session"), "{printed}");
    // The same twice is nothing that would have to be said.
    sandbox.must("cp /tmp/pam.d/su /tmp/pam.d/login");
    assert_eq!(migrate(&sandbox, &from).code(), Some(0));
    sandbox.must("echo 'session required pam_chroot.so onerr=fail' >/tmp/pam.d/login");
    let printed = migrate(&sandbox, &from);
    assert_eq!(decided(&sandbox, "ann", "pam"), "/srv/x", "{printed}");
    assert_eq!(decided(&sandbox, "cid", "pam"), "refused", "{printed}");
    // What others may write to, sec_checks takes no line from.
    sandbox.must("rm /tmp/pam.d/login; echo 'session required pam_chroot.so sec_checks' >/tmp/pam.d/su; chmod 1777 /tmp");
    let printed = migrate(&sandbox, &from);
    assert_eq!(decided(&sandbox, "ann", "pam"), "refused", "{printed}");
    // And a stack that can't be read may have said anything.
    sandbox.must("ln -s /nowhere /tmp/pam.d/sshd");
    assert_eq!(
        sandbox
            .run(&[&["jailctl", "migrate"], &from[..]].concat())
            .code(),
        Some(3)
    );
}

#[test]
fn hostile_names_stay_names() {
    let sandbox = Sandbox::new();
    let line = "x\\033[2J\\\"\\nroot = \\\"/etc\\\"";
    sandbox.must(&format!("printf 'Match User %b\\n ChrootDirectory /srv/\\033]0;x\\n' '{line}' >/tmp/sshd; printf '%b /srv/x\\n' '{line}' >/tmp/chroot.conf"));
    for arguments in [
        &["sshd", "--file", "/tmp/sshd"][..],
        &["pam_chroot", "--file", "/tmp/chroot.conf"],
    ] {
        let printed = migrate(&sandbox, arguments);
        assert_eq!(printed.code(), Some(1), "{printed}");
        assert!(!printed.stdout.contains('\u{1b}'), "{printed}");
        assert!(
            printed.stdout.lines().all(|it| it != "root = \"/etc\""),
            "{printed}"
        );
    }
}
