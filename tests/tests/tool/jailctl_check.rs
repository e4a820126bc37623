//! `jailctl check`: every kind of finding is planted, found, and mended by the command that is printed for it.
#![allow(clippy::panic, reason = "a test reports by panicking")]

use login_jail_tests::{Found, JAIL_SHELL, Outcome, Sandbox, of_kind, roots, skipped};

fn check(sandbox: &Sandbox) -> Outcome {
    sandbox.run(&["jailctl", "check", "--notes"])
}

/// A host whose last check is known: what was found after one thing was mended is what there was before the next.
struct Checked<'a> {
    sandbox: &'a Sandbox,
    last: Outcome,
}

impl<'a> Checked<'a> {
    fn of(sandbox: &'a Sandbox) -> Checked<'a> {
        let last = check(sandbox);
        Checked { sandbox, last }
    }

    /// Plants one thing: see [`Checked::planted_together`].
    #[track_caller]
    fn planted(&mut self, kind: &str, plant: &str, parts: &[&str]) -> Found {
        self.planted_together(&[(kind, plant, parts)]).remove(0)
    }

    /// Plants things that have nothing to do with each other, insists that each is found with all of its parts and was not
    /// before, runs the commands that are printed, and insists that each is gone. That takes two checks.
    #[track_caller]
    fn planted_together(&mut self, plants: &[(&str, &str, &[&str])]) -> Vec<Found> {
        let has =
            |found: &Found, parts: &[&str]| parts.iter().all(|part| found.what.contains(part));
        for (kind, plant, parts) in plants {
            let before = of_kind(&self.last, kind);
            let is_there = before.iter().any(|found| has(found, parts));
            assert!(!is_there, "{kind} before it was planted: {}", self.last);
            self.sandbox.must(plant);
        }
        let after = check(self.sandbox);
        let mut all = Vec::new();
        for (kind, _, parts) in plants {
            let mut found = of_kind(&after, kind).into_iter();
            let Some(found) = found.find(|found| has(found, parts)) else {
                panic!("{kind} with {parts:?} was not found: {after}");
            };
            all.push(found);
        }
        if all.iter().any(|found| found.severity != "note") {
            assert_eq!(after.code(), Some(1), "{after}");
        }
        for found in &all {
            let kind = &found.kind;
            let Some(command) = &found.command else {
                panic!("{kind} has no command: {after}");
            };
            // Not in `/`, where a path that lost its first slash would be found all the same.
            let mended = self.sandbox.sh(&format!("cd /root; {command}"));
            assert_eq!(mended.code(), Some(0), "{kind}: {mended}");
            if command.contains("cp ") {
                assert_eq!(mended.stderr, "", "{kind}: {mended}");
            }
        }
        self.last = check(self.sandbox);
        for (kind, _, parts) in plants {
            let again = of_kind(&self.last, kind);
            let is_there = again.iter().any(|found| has(found, parts));
            assert!(!is_there, "{kind} after its command: {}", self.last);
        }
        all
    }
}

/// Plants one thing on a host that was not checked before.
#[track_caller]
fn planted(sandbox: &Sandbox, kind: &str, plant: &str, parts: &[&str]) -> Found {
    Checked::of(sandbox).planted(kind, plant, parts)
}

/// ann in a jail with the host's system, and a host where sshd can be asked.
fn with_base() -> Sandbox {
    let sandbox = Sandbox::new()
        .user_with_shell("ann", JAIL_SHELL)
        .jailed("ann")
        .root(roots::home())
        .config("exempt = [\"root\"]\n[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n");
    quiet_host(&sandbox);
    sandbox
}

/// ann in a root that is a whole system, in which all that check wants is there.
fn whole() -> Sandbox {
    let sandbox = Sandbox::new()
        .user("ann")
        .root(roots::programs(&["/usr/lib/openssh/sftp-server"]).then(
            "cp -aL --parents $(ls -d /lib/terminfo /usr/share/terminfo /usr/lib/locale 2>/dev/null) $root
             install -D -m 644 /etc/localtime $root/etc/localtime
             install -D -m 644 /etc/resolv.conf $root/etc/resolv.conf",
        ));
    quiet_host(&sandbox);
    sandbox
}

/// Closes what a machine has open from its installation, for everybody. ann has a password, so that something opens her account.
fn quiet_host(sandbox: &Sandbox) {
    sandbox.quiet_host();
    sandbox.must(
        "usermod -p '$6$salt$hash' ann
         for user in $(awk -F: '$3 >= 1000 && $1 != \"ann\" { print $1 }' /etc/passwd); do
             usermod -s /usr/sbin/nologin $user
         done",
    );
}

#[test]
fn a_jail_in_order_has_no_findings() {
    for sandbox in [with_base(), whole()] {
        let report = check(&sandbox);
        assert!(
            report
                .ok()
                .contains("1 jailed user: 0 errors, 0 warnings, 0 notes"),
            "{report}"
        );
        assert!(!report.stdout.contains("not checked"), "{report}");
    }
}

#[test]
fn finds_what_is_wrong_with_the_config() {
    let sandbox = with_base();
    let mut host = Checked::of(&sandbox);
    let safe = host.planted(
        "config-unsafe",
        "chmod 666 /etc/login-jail/config.toml",
        &["mode 0666"],
    );
    assert!(safe.safe);
    host.planted(
        "config-unsafe",
        "chown ann /etc/login-jail",
        &["not to root"],
    );
    host.planted(
        "unknown-user",
        "sed -i 's/^ann = .*/&\\nzoe = \"web\"/' /etc/login-jail/config.toml",
        &["[users] zoe"],
    );
    host.planted("users-file",
        "mkdir -p /etc/login-jail/users.d; echo 'jail = \"web\"' >/etc/login-jail/users.d/annn.toml",
        &["annn.toml", "no account"],
    );
    host.planted(
        "users-file",
        "echo 'jail = \"web\"' >/etc/login-jail/users.d/ann",
        &["users.d/ann", ".toml"],
    );
    sandbox.must("rm /etc/login-jail/users.d/*");
    sandbox.must("printf '[groups]\\nann2 = \"web\"\\n' >>/etc/login-jail/config.toml");
    let found = of_kind(&check(&sandbox), "unknown-group");
    assert!(
        found.iter().any(|it| it.what.contains("[groups] ann2")
            && it
                .command
                .as_deref()
                .is_some_and(|it| it.starts_with("editor +"))),
        "{found:?}"
    );
    sandbox.must("sed -i '/ann2/d; /groups/d' /etc/login-jail/config.toml");
    host.planted(
        "config-missing",
        "rm /etc/login-jail/config.toml",
        &["does not exist"],
    );
}

#[test]
fn a_rule_for_nobody_is_an_error_where_others_are_let_in_unjailed() {
    let sandbox = with_base();
    sandbox.must(
        "sed -i 's/^ann = .*/&\\nzoe = \"web\"/' /etc/login-jail/config.toml
         printf '[groups]\\nnobodies = \"web\"\\n' >>/etc/login-jail/config.toml",
    );
    let severities = || {
        let outcome = check(&sandbox);
        ["unknown-user", "unknown-group"].map(|kind| {
            let found = of_kind(&outcome, kind);
            found.first().map(|it| it.severity.clone())
        })
    };
    assert_eq!(
        severities(),
        ["warning", "warning"].map(|it| Some(it.into()))
    );
    sandbox.must("sed -i '1i unlisted = \"exempt\"' /etc/login-jail/config.toml");
    assert_eq!(severities(), ["error", "error"].map(|it| Some(it.into())));
}

#[test]
fn a_key_of_a_jail_among_the_users_is_told_from_a_user() {
    let sandbox = with_base();
    sandbox.must("sed -i 's,^ann = .*,&\\nshell = \"/bin/bash\",' /etc/login-jail/config.toml");
    let outcome = check(&sandbox);
    let found = of_kind(&outcome, "unknown-user");
    assert!(
        found[0]
            .what
            .contains("as a key of a jail it has no effect here"),
        "{outcome}"
    );
    let command = found[0].command.as_deref();
    assert_eq!(command, Some("editor +4 /etc/login-jail/config.toml"));
}

#[test]
fn a_misspelt_name_is_shown_beside_the_account_that_was_meant() {
    let sandbox = with_base();
    sandbox.must(
        "useradd -m -s /usr/bin/jail-shell william
         sed -i 's/^ann = .*/&\\nwiliam = \"web\"/' /etc/login-jail/config.toml",
    );
    let outcome = check(&sandbox);
    for (kind, part) in [
        ("unknown-user", "was william meant?"),
        ("no-rule", "[users] wiliam"),
    ] {
        let found = of_kind(&outcome, kind);
        assert!(found[0].what.contains(part), "{kind}: {outcome}");
        let command = found[0].command.as_deref();
        let edit = "editor +4 /etc/login-jail/config.toml";
        assert_eq!(command, Some(edit), "{kind}: {outcome}");
    }
    // Whom nobody's name is near to is to have a rule.
    sandbox.must("sed -i 's/^wiliam/zoe/' /etc/login-jail/config.toml");
    let found = of_kind(&check(&sandbox), "no-rule");
    let command = found[0].command.as_deref().unwrap_or_default();
    assert!(
        command.starts_with("jailctl add --jail web -- william"),
        "{command}"
    );
}

#[test]
fn says_of_a_user_asked_for_by_name_that_no_rule_jails_them() {
    let sandbox = with_base();
    sandbox.must("useradd -m -s /bin/bash zoe");
    let told = |parts: &[&str]| {
        let outcome = sandbox.run(&["jailctl", "check", "--notes", "zoe"]);
        let found = of_kind(&outcome, "not-jailed");
        let is_told = |it: &Found| parts.iter().all(|part| it.what.contains(part));
        assert!(found.iter().any(is_told), "{outcome}");
    };
    told(&["zoe", "logins lead to the host, to /bin/bash"]);
    sandbox.must("sed -i '1i unlisted = \"exempt\"' /etc/login-jail/config.toml");
    told(&["not jailed, by", "config.toml"]);
    assert_eq!(of_kind(&check(&sandbox), "not-jailed").len(), 0);
    // Asked for by name, it is no mere note: nobody has to know --notes.
    let plain = sandbox.run(&["jailctl", "check", "zoe"]);
    assert!(plain.ok().contains("zoe: not jailed, by"), "{plain}");
    assert!(!plain.stdout.contains("--notes"), "{plain}");
}

#[test]
fn says_of_an_exempt_user_whom_sshd_forces_into_jail_shell_that_ssh_is_refused() {
    let sandbox = with_base();
    sandbox.must(
        "usermod -s /bin/bash ann; sed -i 's/^exempt.*/exempt = [\"root\", \"ann\"]/' /etc/login-jail/config.toml
         printf 'Match User ann\\n ForceCommand /usr/bin/jail-shell\\n' >/etc/ssh/sshd_config.d/99.conf",
    );
    let report = sandbox.run(&["jailctl", "check", "ann"]);
    let found = of_kind(&report, "exempt");
    let state = "every login by ssh is refused; take the user out of the ForceCommand";
    assert!(found.iter().any(|it| it.what.contains(state)), "{report}");
    let explained = sandbox.run(&["jailctl", "explain", "ann"]);
    assert!(
        explained.stdout.contains("sshd's ForceCommand"),
        "{explained}"
    );
}

#[test]
fn names_one_command_for_a_finding_and_explains_only_the_words_that_it_uses() {
    let sandbox = with_base();
    let (of_fix, of_by_hand) = ("What follows \"fix:\"", "Read what follows \"by hand:\"");
    for (plant, command, said, not_said) in [
        (
            "chmod 777 /srv/jails/ann",
            "fix: jailctl mend root",
            of_fix,
            of_by_hand,
        ),
        (
            "chmod 755 /srv/jails/ann; chmod 777 /srv/jails",
            "by hand: jailctl mend root",
            of_by_hand,
            of_fix,
        ),
    ] {
        sandbox.must(plant);
        let report = check(&sandbox);
        assert!(report.stdout.contains(command), "{report}");
        assert_eq!(
            report.stdout.matches("jailctl mend root").count(),
            1,
            "{report}"
        );
        assert!(report.stdout.contains(said), "{report}");
        assert!(!report.stdout.contains(not_said), "{report}");
    }
}

#[test]
fn shows_every_fault_of_the_config_and_where_to_edit() {
    let sandbox = with_base()
        .config("[users]\nann = \"wbe\"\nbob = 3\n[jails.web]\nroot = \"/srv/jails/{user}\"\n");
    let report = check(&sandbox);
    let faults = of_kind(&report, "config-wrong");
    let commands: Vec<_> = faults
        .iter()
        .filter_map(|it| it.command.as_deref())
        .collect();
    let expected = [
        "editor +2 /etc/login-jail/config.toml",
        "editor +3 /etc/login-jail/config.toml",
    ];
    assert_eq!(commands, expected, "{report}");
    assert_eq!(report.code(), Some(1));
}

#[test]
fn finds_what_is_wrong_on_the_way_to_the_root() {
    let sandbox = with_base();
    let mut host = Checked::of(&sandbox);
    // Others may have their roots there, too.
    assert!(
        !host
            .planted(
                "root",
                "chmod 0777 /srv/jails",
                &["/srv/jails is mode 0777"]
            )
            .safe
    );
    assert!(
        host.planted(
            "root",
            "chmod g+w /srv/jails/ann",
            &["/srv/jails/ann is mode 0775"]
        )
        .safe
    );
    host.planted("root", "chown ann /srv/jails/ann", &["not to root"]);
    host.planted("root", "chown ann /srv/jails", &["/srv/jails belongs to"]);
    host.planted(
        "root",
        "mv /srv/jails/ann /srv/jails/other",
        &["does not exist"],
    );
    sandbox.must("rm -rf /srv/jails/ann; ln -s other /srv/jails/ann");
    let link = check(&sandbox);
    assert!(
        of_kind(&link, "root")[0]
            .what
            .contains("is a symbolic link"),
        "{link}"
    );
}

#[test]
fn finds_what_a_login_would_be_refused_for() {
    let sandbox = whole();
    let mut host = Checked::of(&sandbox);
    let root = "/srv/jails/ann";
    let plant = |what: &str| what.replace("$root", root);
    host.planted(
        "shell-missing",
        &plant("rm $root/bin/bash"),
        &["find /bin/bash in the jail"],
    );
    host.planted(
        "library-missing",
        &plant("find $root -name 'libtinfo.so*' -exec rm {} +"),
        &["required libraries are missing: libtinfo.so.6"],
    );
    host.planted(
        "interpreter-missing",
        &plant("find $root -name 'ld-linux*' -exec rm {} +"),
        &["its interpreter", "is missing"],
    );
    host.planted(
        "home-missing",
        &plant("chmod 700 $root/home/ann; chown root $root/home/ann"),
        &["Permission denied"],
    );
    host.planted(
        "root-unsearchable",
        &plant("chmod 700 $root"),
        &["enter the root directory as the user: Permission denied"],
    );
    // And the login itself is as check says.
    assert_eq!(sandbox.su_dash_c("ann", "echo in").ok(), "in");
}

#[test]
fn finds_what_users_will_miss_inside() {
    let sandbox = whole();
    let mut host = Checked::of(&sandbox);
    host.planted(
        "home-missing",
        "rm -rf /srv/jails/ann/home/ann",
        &["/home/ann"],
    );
    let parts = |part: &'static str| if part.is_empty() { vec![] } else { vec![part] };
    let mut planted = |plants: &[(&str, &str, &'static str)]| {
        let plants: Vec<_> = plants
            .iter()
            .map(|(kind, plant, part)| (*kind, format!("cd /srv/jails/ann; {plant}"), parts(part)))
            .collect();
        let plants: Vec<(&str, &str, &[&str])> = plants
            .iter()
            .map(|(kind, plant, parts)| (*kind, plant.as_str(), parts.as_slice()))
            .collect();
        host.planted_together(&plants);
    };
    planted(&[
        ("sftp-server-missing", "rm usr/lib/openssh/sftp-server", ""),
        ("passwd-line-missing", "sed -i /^ann:/d etc/passwd", ""),
        (
            "second-root",
            "echo toor:x:0:0::/:/bin/sh >>etc/passwd",
            "toor",
        ),
        (
            "terminfo-missing",
            "rm -rf lib/terminfo usr/share/terminfo",
            "",
        ),
        (
            "program-broken",
            "cp -L --parents /usr/bin/ssh .",
            "libcrypto.so",
        ),
        (
            "program-broken",
            "printf '#!/usr/bin/nowhere\n' >usr/bin/tool; chmod 755 usr/bin/tool",
            "/usr/bin/nowhere",
        ),
        (
            "locale-missing",
            "rm -rf usr/lib/locale; mkdir -p usr/lib/locale usr/share/locale/de",
            "",
        ),
        ("time-zone-missing", "rm etc/localtime", ""),
        ("resolver-missing", "rm etc/resolv.conf", ""),
        (
            "nss-library-missing",
            "printf 'passwd: files oracle\n' >etc/nsswitch.conf",
            "libnss_oracle.so.2",
        ),
    ]);
    planted(&[
        (
            "home-not-writable",
            "chmod 755 home/ann; chown root home/ann",
            "/home/ann",
        ),
        (
            "sftp-server-broken",
            "rm -f usr/lib/openssh/sftp-server; printf '#!/nowhere\n' >usr/lib/openssh/sftp-server
             chmod 755 usr/lib/openssh/sftp-server",
            "/nowhere",
        ),
        (
            "passwd-disagrees",
            "sed -i 's/^ann:x:[0-9]*/ann:x:4711/' etc/passwd",
            "uid 4711",
        ),
        (
            "terminfo-missing",
            "rm -rf lib/terminfo usr/share/terminfo; mkdir -p lib/terminfo/x",
            "",
        ),
        ("locale-missing", "rm -rf usr/lib/locale", ""),
    ]);
}

/// Roots have the least, or hard links to the host's files, or links that lead to them from outside.
#[test]
fn what_is_copied_from_the_host_comes_into_any_root() {
    let root = "/srv/jails/ann";
    let plant = |what: &str| what.replace("$root", root);
    let sandbox = whole();
    let mut host = Checked::of(&sandbox);
    host.planted(
        "terminfo-missing",
        &plant("rm -rf $root/lib/terminfo $root/usr/share"),
        &[],
    );
    host.planted("locale-missing", &plant("rm -rf $root/usr/lib"), &[]);
    host.planted("program-broken",
        // Moved, so that the sandbox's own file system has it.
        &plant(
            "cp -p /usr/bin/ssh /usr/bin/moved; mv /usr/bin/moved /usr/bin/ssh; ln /usr/bin/ssh $root/usr/bin",
        ),
        &["/usr/bin/ssh", "libcrypto.so"],
    );
    host.planted(
        "program-broken",
        &plant(
            "find $root -name 'libcrypto.so*' -exec rm {} +
             ln -s /usr/bin/ssh /usr/bin/tool; ln -s /usr/bin/ssh $root/usr/bin/tool",
        ),
        &["/usr/bin/tool", "libcrypto.so"],
    );
    sandbox.must("cmp /usr/bin/ssh /srv/jails/ann/usr/bin/tool");
}

/// ann behind the PAM stacks, with bash as login shell, in a root that is a whole system.
fn behind_pam() -> Sandbox {
    let sandbox = whole();
    sandbox.must(
        "usermod -s /bin/bash ann
         sed -i 's/^shell = .*/shell = \"\\/bin\\/sh\"/' /etc/login-jail/config.toml
         sed -i '1i exempt = [\"root\"]' /etc/login-jail/config.toml
         for service in sshd login su cron atd vsftpd; do
             [ -e /etc/pam.d/$service ] || continue
             printf 'account required pam_jail.so\\nsession required pam_jail.so\\n' >>/etc/pam.d/$service
         done
         sed -i 's/ user_readenv=1//' /etc/pam.d/*
         [ ! -e /etc/vsftpd.conf ] || echo session_support=YES >>/etc/vsftpd.conf",
    );
    sandbox.pam()
}

#[test]
fn a_jail_behind_pam_is_rehearsed_as_the_module_enters_it() {
    let sandbox = behind_pam();
    let mut host = Checked::of(&sandbox);
    let report = check(&sandbox);
    assert!(
        report.ok().contains("1 jailed user: 0 errors, 0 warnings"),
        "{report}"
    );
    let root = "/srv/jails/ann";
    let plant = |what: &str| what.replace("$root", root);
    host.planted(
        "login-shell",
        &plant("rm $root/bin/bash"),
        &["find /bin/bash in the jail"],
    );
    host.planted(
        "login-shell",
        &plant("find $root -name 'libtinfo.so*' -exec rm {} +"),
        &["required libraries are missing: libtinfo.so.6"],
    );
    host.planted(
        "home-missing",
        &plant("rm -rf $root/home/ann"),
        &["/home/ann"],
    );
    host.planted(
        "root-unsearchable",
        &plant("chmod 700 $root"),
        &["enter the root directory as the user: Permission denied"],
    );
    assert_eq!(sandbox.su_dash("ann", "echo in").ok(), "in");
}

#[test]
fn finds_what_the_module_refuses_and_jail_shell_does_not_mind() {
    let sandbox = behind_pam();
    let mut host = Checked::of(&sandbox);
    let root = "/srv/jails/ann";
    let plant = |what: &str| what.replace("$root", root);
    let found = host.planted(
        "host-files",
        &plant("chgrp ann $root/etc/passwd; chmod 664 $root/etc/passwd"),
        &["/etc/passwd is mode 0664", "(root-unsafe)"],
    );
    assert!(!found.safe, "{found:?}");
    for line in ["ann:x:0:0::/:/bin/sh", "ann:x:4711:4711::/:/bin/sh"] {
        let rewritten = format!("sed -i 's,^ann:.*,{line},' $root/etc/passwd");
        host.planted(
            "host-files",
            &plant(&rewritten),
            &["/etc/passwd:", "(account)"],
        );
    }
    sandbox.must(
        "sed -i 's/^shell = .*/&\\ngroups = \"primary\"/' /etc/login-jail/config.toml; usermod -aG games ann",
    );
    let report = check(&sandbox);
    let found = of_kind(&report, "behind-pam");
    assert_eq!(found.len(), 1, "{report}");
    assert!(found[0].what.contains("(config-wrong)"), "{report}");
    assert!(
        found[0].what.contains("(pam_jail.so is in ") && found[0].what.contains(" su-l"),
        "{report}"
    );
    let refused = sandbox.su_dash("ann", "echo in");
    assert!(!refused.stdout.contains("in"), "{refused}");
}

#[test]
fn an_administrator_whom_no_rule_names_is_locked_out_behind_pam() {
    let sandbox = behind_pam();
    planted(
        &sandbox,
        "lock-out",
        "useradd -m -s /bin/bash -G sudo chief",
        &["chief: is in the group sudo", "sshd"],
    );
    let entered = sandbox.su_dash("chief", "echo in");
    assert_eq!(entered.ok(), "in");
    sandbox.must("sed -i 's/\"@sudo\", //' /etc/login-jail/config.toml");
    let refused = sandbox.su_dash("chief", "echo in");
    assert_eq!(refused.stdout, "", "{refused}");
}

#[test]
fn su_is_a_door_like_any_other() {
    let sandbox = behind_pam();
    planted(
        &sandbox,
        "door",
        "sed -i /pam_jail/d /etc/pam.d/su",
        &["no session line for pam_jail.so in the stack of su"],
    );
    let inside = sandbox.su_dash("ann", "ls -d /srv/jails; echo in");
    assert_eq!(inside.ok(), "in");
}

#[test]
fn says_the_code_that_the_user_is_told() {
    let sandbox = with_base();
    for (plant, code, kind) in [
        ("chmod 777 /srv/jails", "root-unsafe", "root"),
        (
            "chmod 755 /srv/jails; mv /srv/jails/ann /srv/other",
            "root-missing",
            "root",
        ),
        ("touch /srv/jails/ann", "root-not-directory", "root"),
        (
            "echo '[' >>/etc/login-jail/config.toml",
            "config-wrong",
            "config-wrong",
        ),
        (
            "chmod 666 /etc/login-jail/config.toml",
            "config-unsafe",
            "config-unsafe",
        ),
    ] {
        sandbox.must(plant);
        let report = check(&sandbox);
        let tags = if code == kind {
            format!(" [{kind}]\n")
        } else {
            format!(" ({code}) [{kind}]\n")
        };
        assert!(report.stdout.contains(&tags), "{plant}: {report}");
        let json = sandbox.run(&["jailctl", "check", "--json"]);
        let read: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(read["findings"][0]["code"], code, "{json}");
        // And explain says the same.
        let said = sandbox.run(&["jailctl", "explain", "ann"]);
        let all = format!("{}{}", said.stdout, said.stderr);
        assert!(all.contains(&format!("({code})")), "{said}");
    }
}

#[test]
fn finds_a_missing_null_where_the_root_has_its_own_dev() {
    let sandbox = whole().isolation("chroot");
    planted(
        &sandbox,
        "null-missing",
        "rm /srv/jails/ann/dev/null",
        &["/dev/null"],
    );
}

#[test]
fn finds_dangerous_files_in_a_root() {
    let sandbox = whole();
    let mut host = Checked::of(&sandbox);
    let root = "/srv/jails/ann";
    let plant = |what: &str| what.replace("$root", root);
    let safe = [
        (
            "set-id",
            "cp /bin/true $root/bin/su; chmod 4755 $root/bin/su",
            "/bin/su is mode 4755",
        ),
        (
            "set-id",
            "cp /bin/true $root/bin/wall; chgrp tty $root/bin/wall; chmod 2755 $root/bin/wall",
            "/bin/wall is mode 2755",
        ),
        (
            "system-writable",
            "chmod o+w $(find $root/lib* -name 'ld-linux*' -type f | head -n 1)",
            "/ld-linux",
        ),
        (
            "system-writable",
            "chmod o+w $(find $root/lib* $root/usr/lib* -name 'libtinfo.so*' -type f | head -n 1)",
            "/libtinfo.so",
        ),
        (
            "system-writable",
            "cp /bin/true $root/bin/acl; setfacl -m u:ann:rwx $root/bin/acl",
            "/bin/acl is mode 0775, and an access control list",
        ),
        (
            "file-capabilities",
            "cp /bin/true $root/bin/ping; setcap cap_net_raw+ep $root/bin/ping",
            "/bin/ping",
        ),
        (
            "world-writable",
            "mkdir -m 777 $root/srv",
            "/srv is mode 0777",
        ),
        (
            "system-writable",
            "chmod 666 $root/etc/passwd",
            "/etc/passwd is mode 0666",
        ),
        (
            "system-writable",
            "chgrp ann $root/bin/bash; chmod g+w $root/bin/bash",
            "a group of the user",
        ),
        // A name that is made to be run, and one that is made to be shown.
        (
            "world-writable",
            "mkdir $root/var; touch \"$root/var/a;id\"; chmod 666 $root/var/a*",
            "/var/a;id",
        ),
        (
            "world-writable",
            "touch \"$(printf '%s/var/\\033[2J' $root)\"; chmod 666 $root/var/*J",
            "\\u{1b}[2J",
        ),
    ];
    let plants = safe.map(|(kind, script, part)| (kind, plant(script), [part]));
    let plants: Vec<(&str, &str, &[&str])> = plants
        .iter()
        .map(|(kind, script, parts)| (*kind, script.as_str(), parts.as_slice()))
        .collect();
    let mut found = host.planted_together(&plants);
    // What lies in it could be exchanged meanwhile.
    let part = &["/lib64 is mode 0757"];
    found.push(host.planted("system-writable", &plant("chmod o+w $root/lib64"), part));
    for found in found {
        assert!(found.safe, "{found:?}");
    }
    let scripts = [
        "mknod $root/home/ann/disk b 8 0",
        "mknod $root/dev/mem c 1 1",
        "chown ann $root/bin/bash",
        "cp /bin/true /srv/true; ln /srv/true $root/bin/true",
        "cp /bin/true /srv/s; chmod 4755 /srv/s; ln /srv/s $root/bin/s",
    ]
    .map(plant);
    let found = host.planted_together(&[
        ("device", &scripts[0], &["(8, 0)"]),
        ("device", &scripts[1], &["(1, 1)"]),
        ("system-owner", &scripts[2], &["/bin/bash belongs to"]),
        ("hard-link", &scripts[3], &["/bin/true has 2 links"]),
        ("hard-link", &scripts[4], &["/bin/s has"]),
    ]);
    assert_eq!(found[4].severity, "error");
}

#[test]
fn what_users_do_in_their_own_home_is_their_own() {
    let sandbox = whole();
    sandbox.must("cd /srv/jails/ann/home/ann; touch a; ln a b; ln a /srv/alias; chmod 4777 a; mkdir -m 777 c; chown -R ann: .");
    let report = check(&sandbox);
    assert!(
        report.ok().contains("0 errors, 0 warnings, 0 notes"),
        "{report}"
    );
}

#[test]
fn finds_what_makes_others_of_the_host_the_jailed_user() {
    let sandbox = whole();
    let home = "/srv/jails/ann/home/ann";
    for (mode, part) in [("4755", "/home/ann/s is mode 4755"), ("2755", "mode 2755")] {
        let plant = format!(
            "cp /bin/true {home}/s; chown ann:ann {home}/s; chmod {mode} {home}/s; chmod 755 {home}"
        );
        let parts = [part, "who is jailed there"];
        let found = planted(&sandbox, "set-id", &plant, &parts);
        assert_eq!((found.severity.as_str(), found.safe), ("warning", false));
    }
    // However many a user makes, what is root's is listed.
    sandbox.must(&format!(
        "cd {home}; for n in $(seq 50); do touch $n; done; chown ann *; chmod 4755 *
         install -m 4755 /bin/true /srv/jails/ann/usr/bin/su"
    ));
    let report = check(&sandbox);
    let found = of_kind(&report, "set-id");
    let is_roots = |it: &Found| it.what.contains("/usr/bin/su is mode 4755, uid 0:");
    assert!(found.iter().any(is_roots), "{report}");
    assert_eq!(found.len(), 21, "{report}");
}

#[test]
fn a_closed_directory_above_the_roots_shuts_others_out_and_serves_the_jailed() {
    let outside = "/srv/jails/ann/home/ann/s";
    let served = |sandbox: &Sandbox| {
        sandbox.must(&format!(
            "cp /bin/sh {outside}; chown ann: {outside}; chmod 4755 {outside}; chmod 755 /srv/jails/ann/home/ann"
        ));
        sandbox.must("id carl >/dev/null 2>&1 || useradd -m carl");
        let tried = format!("{outside} -c true");
        let runs = || sandbox.run_as("carl", &["sh", "-c", &tried]).code();
        assert_eq!(runs(), Some(0), "the mode alone lets carl");
        for mode in ["0700", "0750"] {
            sandbox.must(&format!("chmod {mode} /srv/jails"));
            assert_ne!(runs(), Some(0), "{mode}");
            assert_eq!(sandbox.su_dash_c("ann", "echo in").ok(), "in", "{mode}");
            assert_eq!(sandbox.ssh("ann", "echo in").ok(), "in", "{mode}");
            let report = check(sandbox);
            let note = "0 errors, 0 warnings, 1 note";
            assert!(report.ok().contains(note), "{report}");
            assert_eq!(of_kind(&report, "set-id")[0].severity, "note");
        }
    };
    for isolation in ["full", "chroot"] {
        served(&whole().isolation(isolation));
    }
    served(&with_base());
    let sandbox = Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\"");
    sandbox.must("chmod 700 /srv/jails");
    assert_eq!(sandbox.su_dash_c("ann", "echo in").ok(), "in");
    assert_eq!(sandbox.ssh("ann", "echo in").ok(), "in");
}

/// A login makes the places that it mounts on. A rehearsal of one leaves none behind, in a root of root's and in one of the user's.
#[test]
fn a_look_makes_nothing_in_a_root() {
    for owner in ["root", "user"] {
        let sandbox = whole().config(&format!(
            r#"exempt = ["root"]
[users]
ann = "own"
[jails.own]
root = "/srv/jails/{{user}}"
root_owner = "{owner}"
shell = "/bin/bash"
mounts = [
    {{ source = "/srv/data", target = "/mnt/deep/data", mode = "ro" }},
    {{ source = "/srv/data/file", target = "/one.txt", mode = "ro" }},
]
"#
        ));
        let owner = owner.replace("user", "ann");
        sandbox.must(&format!(
            "install -D /dev/null /srv/data/file; cd /srv/jails/ann; rm -rf proc tmp dev; chown {owner}: ."
        ));
        let tree = || sandbox.must("find /srv -printf '%p %y %m %U %G %s\\n' | sort");
        let before = tree();
        for look in [
            "check ann",
            "check --attack ann",
            "explain ann",
            "mend --dry-run home-missing ann",
            "add --dry-run ann",
        ] {
            let said = sandbox.sh(&format!("jailctl {look}"));
            let all = format!("{said}");
            assert!(!all.contains("would be refused"), "{look}: {said}");
            assert_eq!(tree(), before, "{look}: {said}");
        }
        let login = sandbox.sh("su - ann -c 'echo /mnt/deep/data/*'");
        assert_eq!(login.ok(), "/mnt/deep/data/file", "{login}");
        sandbox.must("cd /srv/jails/ann; ls -d proc dev tmp mnt/deep/data one.txt");
    }
}

#[test]
fn a_root_is_walked_without_leaving_it() {
    let sandbox = whole();
    sandbox.must(
        "chmod 666 /etc/hostname; ln -s /etc /srv/jails/ann/home/ann/etc; mkdir /srv/jails/ann/mnt /srv/m
         touch /srv/m/x; chmod 666 /srv/m/x; mount --bind /srv/m /srv/jails/ann/mnt",
    );
    let report = check(&sandbox);
    assert!(
        report.ok().contains("0 errors, 0 warnings, 1 note"),
        "{report}"
    );
    let found = of_kind(&report, "mount-in-root");
    assert!(
        found[0]
            .what
            .contains("/srv/jails/ann/mnt has /srv/m of the host mounted"),
        "{report}"
    );
}

#[test]
fn finds_what_of_the_host_is_mounted_below_a_root() {
    let sandbox = whole();
    let root = "/srv/jails/ann";
    sandbox.must(&format!("mkdir {root}/host '{root}/a b' {root}/proc"));
    let severity = |how: &str, parts: &[&str]| {
        let plant = how.replace("$root", root);
        planted(&sandbox, "mount-in-root", &plant, parts).severity
    };
    for (how, part) in [
        ("mount --bind / $root/host", "/host has / of the host"),
        // With all that is mounted below it, of which the host loses nothing by the command.
        (
            "mount --make-rshared /; mount --rbind / $root/host",
            "/host has / of the host",
        ),
        ("mount --bind /etc $root/etc", "/etc has /etc of the host"),
        (
            "mount --bind /srv '$root/a b'; mount -o remount,bind,ro '$root/a b'",
            "/a b has /srv of the host",
        ),
    ] {
        let how = format!("true; {how}");
        assert_eq!(severity(&how, &[part]), "error", "{how}");
    }
    let shared = "mount --bind /tmp $root/host; mount -o remount,bind,ro $root/host";
    let parts = ["/host has /tmp of the host", "read-only"];
    assert_eq!(severity(shared, &parts), "warning");
    sandbox.must("test -e /proc/self && test -e /dev/null");
    // What a session has of its own covers these.
    sandbox.must(&format!(
        "mount --bind /tmp {root}/tmp; mount -t proc proc {root}/proc; mount -t tmpfs -o mode=755 home {root}/home
         install -d -o ann {root}/home/ann"
    ));
    let report = check(&sandbox);
    let found = of_kind(&report, "mount-in-root");
    assert_eq!(found.len(), 1, "{report}");
    assert_eq!(found[0].severity, "note", "{report}");
    let part = "/home has a file system of its own mounted (tmpfs on home, read-write)";
    assert!(found[0].what.contains(part), "{report}");
    assert_eq!(report.code(), Some(0), "{report}");
}

#[test]
fn many_findings_of_a_kind_are_counted() {
    let sandbox = whole();
    sandbox.must("mkdir /srv/jails/ann/var; for i in $(seq 30); do touch /srv/jails/ann/var/$i; done; chmod 666 /srv/jails/ann/var/*");
    let report = check(&sandbox);
    assert_eq!(of_kind(&report, "world-writable").len(), 20, "{report}");
    assert!(
        of_kind(&report, "more")[0]
            .what
            .contains("10 more of world-writable"),
        "{report}"
    );
}

#[test]
fn finds_what_is_wrong_with_the_doors() {
    let sandbox = with_base();
    let mut host = Checked::of(&sandbox);
    host.planted(
        "door",
        "usermod -s /bin/bash ann",
        &["the login shell is /bin/bash", "no door"],
    );
    host.planted("no-login", "usermod -s /usr/sbin/nologin ann", &["nologin"]);
    host.planted("no-rule",
        "useradd -m -s /usr/bin/jail-shell zoe; install -d -o zoe /srv/jails/zoe/home/zoe; chown root /srv/jails/zoe /srv/jails/zoe/home",
        &["zoe"],
    );
    host.planted("exempt",
        "useradd -s /usr/bin/jail-shell adm2; sed -i 's/\"root\"/\"root\", \"adm2\"/' /etc/login-jail/config.toml",
        &["adm2"],
    );
    host.planted(
        "lock-out",
        "usermod -s /usr/bin/jail-shell root",
        &["uid 0"],
    );
    let last = "passwd -l root >/dev/null; gpasswd -M '' sudo; usermod -aG sudo ann";
    host.planted("lock-out", last, &["root has no password"]);
    sandbox.must("gpasswd -d ann sudo; jailctl add ann --jail web");
    host.planted(
        "shared-uid",
        "useradd -o -u $(id -u ann) -s /bin/bash twin",
        &["ann and twin"],
    );
    assert!(
        host.planted(
            "shells",
            "echo /usr/bin/jail-shell >>/etc/shells",
            &["/etc/shells"]
        )
        .safe
    );
    host.planted(
        "jail-shell",
        "chmod 755 /usr/bin/jail-shell",
        &["mode 0755"],
    );
    assert!(
        host.planted(
            "jail-shell-writable",
            "chmod g+w /usr/bin/jail-shell",
            &["mode 4775"]
        )
        .safe
    );
    host.planted(
        "home-in-reach",
        "usermod -d /srv/jails/ann/home/ann ann",
        &["/srv/jails/ann/home/ann"],
    );
    assert!(
        host.planted(
            "linger",
            "mkdir -p /var/lib/systemd/linger; touch /var/lib/systemd/linger/ann",
            &["lingers"]
        )
        .safe
    );
}

#[test]
fn file_capabilities_are_as_good_as_the_set_user_id_bit() {
    let sandbox = with_base();
    sandbox.must(concat!(
        "make -s -C ",
        env!("CARGO_MANIFEST_DIR"),
        "/.. install PRIVILEGE=caps 2>/dev/null"
    ));
    assert_eq!(sandbox.must("stat -c %a /usr/bin/jail-shell"), "755");
    check(&sandbox).ok();
    planted(
        &sandbox,
        "jail-shell",
        "setcap -r /usr/bin/jail-shell",
        &["mode 0755"],
    );
}

#[test]
fn finds_cron_and_at() {
    let sandbox = with_base();
    let mut host = Checked::of(&sandbox);
    let programs = sandbox.sh("command -v crontab >/dev/null && command -v at >/dev/null");
    if programs.code() != Some(0) {
        skipped("what check finds of cron and at", "they are not installed");
        return;
    }
    assert!(
        host.planted(
            "cron",
            "sed -i /^ann$/d /etc/cron.deny",
            &["/etc/cron.deny"]
        )
        .safe
    );
    host.planted(
        "cron",
        "rm -f /etc/cron.deny",
        &["there is no /etc/cron.deny"],
    );
    host.planted(
        "cron",
        "printf 'bob\\nann\\n' >/etc/cron.allow",
        &["/etc/cron.allow lists"],
    );
    host.planted("at", "sed -i /^ann$/d /etc/at.deny", &["/etc/at.deny"]);
    host.planted("at", "echo ann >/etc/at.allow", &["/etc/at.allow lists"]);
    host.planted("crontab",
        "echo '0 0 1 1 * true' >/var/spool/cron/crontabs/ann; chown ann:crontab /var/spool/cron/crontabs/ann; chmod 600 /var/spool/cron/crontabs/ann",
        &["crontabs/ann"],
    );
    host.planted(
        "at-jobs",
        "touch /var/spool/cron/atjobs/a0001; chown ann /var/spool/cron/atjobs/a0001",
        &["1 jobs"],
    );
}

#[test]
fn a_list_that_is_no_file_is_not_waited_for() {
    let sandbox = with_base();
    sandbox.must("rm /etc/cron.deny /etc/at.deny; mkfifo /etc/cron.deny /etc/at.deny");
    let report = sandbox.run(&["timeout", "15", "jailctl", "check", "--fix"]);
    assert_eq!(report.code(), Some(1), "{report}");
    for (program, list) in [("crontab", "/etc/cron.deny"), ("at", "/etc/at.deny")] {
        if sandbox.sh(&format!("command -v {program}")).code() == Some(0) {
            let line = format!("not checked: {list} is no file; rm {list}");
            assert!(report.stdout.lines().any(|it| it == line), "{report}");
        }
    }
}

#[test]
fn finds_what_sudo_grants() {
    let sandbox = with_base();
    let mut host = Checked::of(&sandbox);
    if sandbox.sh("command -v sudo").code() != Some(0) {
        skipped("what check finds of sudo", "it is not installed");
        return;
    }
    host.planted(
        "sudo",
        "echo 'ann ALL=(ALL) NOPASSWD: /bin/ls' >/etc/sudoers.d/ann; chmod 440 /etc/sudoers.d/ann",
        &["/bin/ls"],
    );
    host.planted("sudo", "usermod -aG sudo ann", &["ALL"]);
}

#[test]
fn finds_what_sshd_does_by_itself() {
    let sandbox = with_base();
    let mut host = Checked::of(&sandbox);
    let last = |line: &str| {
        format!(
            "sed -i 's/^DisableForwarding.*/DisableForwarding no/; /^AllowAgent/d; /^X11Forwarding/d' /etc/ssh/sshd_config; echo '{line}' >>/etc/ssh/sshd_config"
        )
    };
    for (keyword, kind) in [
        ("AllowTcpForwarding", "sshd-forwarding"),
        ("AllowStreamLocalForwarding", "sshd-sockets"),
        ("AllowAgentForwarding", "sshd-forwarding"),
        ("X11Forwarding", "sshd-forwarding"),
    ] {
        let others = match keyword {
            "AllowStreamLocalForwarding" => "",
            _ => "\nAllowStreamLocalForwarding no",
        };
        let plant = last(&format!("{keyword} yes{others}"));
        host.planted(kind, &plant, &[keyword]);
        sandbox.must("rm -f /etc/ssh/sshd_config.d/*");
        quiet_host(&sandbox);
    }
    host.planted(
        "sshd-sockets",
        "echo 'PermitTunnel yes' >>/etc/ssh/sshd_config",
        &["PermitTunnel"],
    );
    host.planted(
        "sshd-user-rc",
        "sed -i 's/^PermitUserRC no/PermitUserRC yes/' /etc/ssh/sshd_config",
        &["PermitUserRC"],
    );
    host.planted(
        "sshd-user-environment",
        "echo 'PermitUserEnvironment yes' >>/etc/ssh/sshd_config",
        &["~/.ssh/environment"],
    );
    host.planted(
        "sshd-accept-env",
        "echo 'AcceptEnv LANG LD_*' >>/etc/ssh/sshd_config",
        &["AcceptEnv has LD_*"],
    );
    host.planted(
        "sshd-sftp",
        "sed -i 's,^Subsystem.*,Subsystem sftp internal-sftp,' /etc/ssh/sshd_config",
        &["Subsystem sftp internal-sftp"],
    );
    host.planted(
        "sshd-sftp",
        "printf 'Match User ann\\n ForceCommand internal-sftp\\n' >>/etc/ssh/sshd_config",
        &["ForceCommand internal-sftp"],
    );
    host.planted(
        "sshd-chroot",
        "quiet() { :; }; printf 'Match User ann\\n ChrootDirectory /srv\\n' >>/etc/ssh/sshd_config",
        &["ChrootDirectory /srv"],
    );
    host.planted(
        "sshd-keys",
        "usermod -d /srv/jails/ann/home/ann ann",
        &["AuthorizedKeysFile"],
    );
    let elsewhere = "usermod -d /home/ann ann; rm -f /etc/ssh/sshd_config.d/*
        printf 'AuthorizedKeysFile /srv/jails/%%u/home/%%u/keys\\n' >/etc/ssh/sshd_config.d/98.conf";
    host.planted("sshd-keys", elsewhere, &["/srv/jails/ann/home/ann/keys"]);
    // Below the root, and root's.
    sandbox.must(
        "rm /etc/ssh/sshd_config.d/*; mkdir /srv/jails/ann/keys
         echo 'AuthorizedKeysFile /srv/jails/ann/keys/%u' >/etc/ssh/sshd_config.d/98.conf",
    );
    assert!(of_kind(&check(&sandbox), "sshd-keys").is_empty());
    host.planted("sshd-forced",
        "usermod -s /bin/bash ann; printf 'Match User ann\\n ForceCommand /bin/ls\\n' >/etc/ssh/sshd_config.d/99.conf",
        &["ForceCommand /bin/ls"],
    );
    host.planted("door",
        "usermod -s /bin/bash ann; printf 'Match User ann\\n ForceCommand /usr/bin/jail-shell\\n' >/etc/ssh/sshd_config.d/99.conf",
        &["sshd forces jail-shell"],
    );
}

#[test]
fn what_is_added_to_a_list_does_not_run_into_its_last_line() {
    let sandbox = with_base();
    sandbox.must("printf eve >/etc/cron.deny; printf eve >/etc/at.deny");
    sandbox.run(&["jailctl", "check", "--fix", "ann"]);
    assert_eq!(sandbox.read("/etc/cron.deny"), "eve\nann");
    assert_eq!(sandbox.read("/etc/at.deny"), "eve\nann");
    sandbox.must("printf 'Match all' >/etc/ssh/sshd_config.d/10-login-jail.conf; sed -i /PermitUserRC/d /etc/ssh/sshd_config");
    let report = check(&sandbox);
    let found = of_kind(&report, "sshd-user-rc");
    sandbox.must(found[0].command.as_deref().unwrap_or("false"));
    let lines = sandbox.read("/etc/ssh/sshd_config.d/10-login-jail.conf");
    assert!(lines.starts_with("Match all\nMatch User ann\n"), "{lines}");
}

#[test]
fn a_directory_that_everybody_needs_is_left_as_it_is() {
    let sandbox = with_base();
    sandbox.must("cp -a /etc/login-jail /tmp/new");
    let report = sandbox.run(&["jailctl", "--config", "/tmp/new", "check", "--fix"]);
    assert!(report.stdout.contains("choose another place"), "{report}");
    assert_eq!(sandbox.must("stat -c %a /tmp"), "1777", "{report}");
}

#[test]
fn keys_go_along_where_sshd_is_told_to_look_elsewhere() {
    let mend = |kind: &str, keys: &str| {
        let sandbox = with_base();
        let plant = format!(
            "usermod -d /srv/jails/ann/home/ann ann; cd /srv/jails/ann/home/ann; mkdir .ssh; {keys}; chown -hR ann: .ssh"
        );
        let command = planted(&sandbox, kind, &plant, &["/srv/jails/ann/home/ann"]).command;
        let wanted = format!("jailctl mend {kind} ann");
        assert!(command.is_some_and(|it| it.starts_with(&wanted)), "{kind}");
        sandbox
            .sh("cat /etc/ssh/authorized_keys.d/ann /home/ann/.ssh/authorized_keys 2>/dev/null")
            .stdout
    };
    for kind in ["sshd-keys", "home-in-reach"] {
        let key = mend(kind, "echo ssh-ed25519 AAAA >.ssh/authorized_keys");
        assert_eq!(key, "ssh-ed25519 AAAA\n", "{kind}");
    }
    // As the user, who may have put a link there.
    let sandbox = with_base();
    sandbox.must(
        "usermod -d /srv/jails/ann/home/ann ann; cd /srv/jails/ann/home/ann; mkdir .ssh
         ln -s /etc/shadow .ssh/authorized_keys; chown -hR ann: .ssh",
    );
    let report = check(&sandbox);
    let found = of_kind(&report, "home-in-reach");
    let mended = sandbox.sh(found[0].command.as_deref().unwrap_or("true"));
    assert_ne!(mended.code(), Some(0), "{mended}");
    sandbox.must("test ! -e /home/ann/.ssh/authorized_keys");
}

#[test]
fn finds_an_account_that_sshd_takes_for_locked() {
    let sandbox = Sandbox::new().user("ann").root(roots::busybox());
    sandbox.must("usermod -p '!' ann");
    let login = || sandbox.ssh("ann", "echo in").code();
    assert_eq!(login(), Some(255), "sshd is to refuse keys as well");
    let check = || {
        sandbox.run(&[
            "jailctl",
            "check",
            "--sshd-config",
            "/etc/ssh/sandbox/sshd_config",
            "ann",
        ])
    };
    let report = check();
    let found = of_kind(&report, "sshd-locked");
    let Some(command) = found.first().and_then(|it| it.command.as_deref()) else {
        panic!("{report}");
    };
    sandbox.must(command);
    assert_eq!(login(), Some(0), "{command}");
    assert!(of_kind(&check(), "sshd-locked").is_empty());
}

#[test]
fn finds_a_shell_that_could_not_be_started() {
    let sandbox = whole();
    planted(
        &sandbox,
        "exec",
        "chmod 644 /srv/jails/ann/bin/bash",
        &["/bin/bash", "execute bit"],
    );
    let shell = "/srv/jails/ann/bin/bash";
    for (made, part) in [
        ("head -c 99999 /dev/zero", "Exec format error"),
        ("true", "Exec format error"),
        ("echo '#!/bin/bash'", "Too many"),
    ] {
        sandbox.must(&format!("cp {shell} /srv/bash; {made} >{shell}"));
        let report = check(&sandbox);
        let found = of_kind(&report, "exec");
        assert_eq!(found.len(), 1, "{report}");
        assert!(found[0].what.contains(part), "{report}");
        assert_eq!(found[0].command, None, "{report}");
        // As the login itself.
        assert_eq!(sandbox.su_dash_c("ann", "true").code(), Some(124));
        sandbox.must(&format!("cat /srv/bash >{shell}"));
    }
    let noexec = "cp -a /srv/jails/ann/. /mnt/; mount -t tmpfs -o noexec tmpfs /srv/jails/ann
        cp -a /mnt/. /srv/jails/ann/";
    sandbox.must(noexec);
    let report = check(&sandbox);
    let found = of_kind(&report, "exec");
    assert!(
        found.iter().any(|it| it.what.contains("noexec")),
        "{report}"
    );
}

#[test]
fn says_what_could_not_be_checked() {
    let sandbox = with_base();
    sandbox.must("echo Nonsense >>/etc/ssh/sshd_config");
    let report = check(&sandbox);
    assert_eq!(report.code(), Some(1), "{report}");
    let line = "not checked: sshd: sshd -T says:";
    assert!(report.stdout.contains(line), "{report}");
}

#[test]
fn finds_what_is_wrong_with_pam_stacks() {
    let sandbox = with_base();
    let mut host = Checked::of(&sandbox);
    let stack = |lines: &str| format!("printf '%b' '{lines}' >/etc/pam.d/trial");
    let order = "auth required pam_unix.so\\nsession required pam_jail.so\\nsession required pam_unix.so\\n";
    host.planted(
        "pam-order",
        &stack(order),
        &["/etc/pam.d/trial:2", "pam_unix.so runs after"],
    );
    assert_eq!(
        sandbox.read("/etc/pam.d/trial"),
        "auth required pam_unix.so\nsession required pam_unix.so\nsession required pam_jail.so"
    );
    assert!(
        !host
            .planted(
                "pam-control",
                &stack("session optional pam_jail.so\\n"),
                &["is optional"]
            )
            .safe
    );
    for control in ["[success=ok default=ignore]", "sufficient"] {
        host.planted(
            "pam-control",
            &stack(&format!("session {control} pam_jail.so quiet\\n")),
            &["/etc/pam.d/trial:1"],
        );
        let mended = sandbox.read("/etc/pam.d/trial");
        assert_eq!(mended, "session required pam_jail.so quiet");
    }
    // The dash keeps it out of the log that a module is missing, and no more.
    sandbox.must(&stack("-session required pam_jail.so\\n"));
    assert!(of_kind(&check(&sandbox), "pam-control").is_empty());
    let module =
        "$(ls /lib/*/security/pam_jail.so /lib*/security/pam_jail.so 2>/dev/null | head -n 1)";
    let writable = format!("chmod g+w {module}");
    host.planted("pam-module", &writable, &["security/pam_jail.so"]);
    // What ann owned may be what ann wrote.
    sandbox.must(&format!("chown ann {module}"));
    let report = check(&sandbox);
    let found = of_kind(&report, "pam-module");
    assert!(
        found[0]
            .what
            .contains("security/pam_jail.so belongs to uid"),
        "{report}"
    );
    assert!(
        found[0]
            .command
            .as_ref()
            .is_some_and(|it| it.contains("install")),
        "{report}"
    );
    sandbox.must(&format!("chown root {module}"));
    let gone = format!("cp -p {module} /srv/kept; rm {module}");
    sandbox.must(&format!("echo {module} >/srv/where; {gone}"));
    let report = check(&sandbox);
    assert!(
        of_kind(&report, "pam-module")[0]
            .what
            .contains("/etc/pam.d/trial:1: pam_jail.so is not installed"),
        "{report}"
    );
    sandbox.must("mv /srv/kept $(cat /srv/where)");
    host.planted(
        "lock-out",
        "sed -i '/^exempt/d' /etc/login-jail/config.toml",
        &["trial: pam_jail.so is in the stack"],
    );
    host.planted(
        "lock-out",
        "sed -i 's/^exempt.*/exempt = [\"@adm\"]/' /etc/login-jail/config.toml",
        &["trial: pam_jail.so is in the stack"],
    );
    assert!(
        sandbox
            .read("/etc/login-jail/config.toml")
            .starts_with("exempt = [\"root\", \"@adm\"]")
    );
    sandbox.must("rm /etc/pam.d/trial");
    sandbox.must("usermod -s /bin/bash ann; echo 'session required pam_jail.so' >>/etc/pam.d/sshd");
    let without = "sed -i 's/^UsePAM yes/UsePAM no/' /etc/ssh/sshd_config";
    host.planted("sshd-pam", without, &["UsePAM is no"]);
    let environment = "touch /home/ann/.pam_environment; printf 'session required pam_env.so user_readenv=1\\n' >/etc/pam.d/trial";
    host.planted("pam-environment", environment, &["/etc/pam.d/trial:1"]);
}

#[test]
fn finds_words_behind_the_module_that_it_does_not_know_or_that_lead_elsewhere() {
    let sandbox = behind_pam();
    let mut host = Checked::of(&sandbox);
    let line = |words: &str| {
        format!(
            "sed -i 's/^session.*pam_jail.so.*/session required pam_jail.so {words}/' /etc/pam.d/su"
        )
    };
    host.planted(
        "pam-options",
        &line("quiet silent debug"),
        &["/etc/pam.d/su:", "no option silent"],
    );
    let last = sandbox.must("tail -n 1 /etc/pam.d/su");
    assert_eq!(last, "session required pam_jail.so quiet debug");
    host.planted(
        "pam-options",
        &line("config=config.toml"),
        &["config=config.toml needs an absolute path"],
    );
    host.planted(
        "pam-config",
        &line("config=\\/etc\\/trial"),
        &["/etc/trial/config.toml", "does not exist"],
    );
    sandbox.must("mkdir /etc/trial; cp /etc/login-jail/config.toml /etc/trial/su.toml");
    let elsewhere = line("config=\\/etc\\/trial\\/su.toml");
    host.planted(
        "pam-config",
        &elsewhere,
        &["/etc/trial/su.toml", "/etc/login-jail/config.toml"],
    );
    // The config that is checked is the one that the stack has.
    sandbox.must("mv /etc/trial/su.toml /etc/trial/config.toml");
    sandbox.must(&line("config=\\/etc\\/trial"));
    let report = sandbox.run(&["jailctl", "--config", "/etc/trial", "check"]);
    assert!(of_kind(&report, "pam-config").is_empty(), "{report}");
    assert_eq!(of_kind(&check(&sandbox), "pam-config").len(), 1);
}

#[test]
fn finds_the_module_twice_and_half() {
    let sandbox = behind_pam();
    let mut host = Checked::of(&sandbox);
    let line = "session required pam_jail.so";
    host.planted(
        "pam-twice",
        &format!("echo '{line}' >>/etc/pam.d/su"),
        &["the session stack of su twice"],
    );
    // su-l includes su.
    host.planted(
        "pam-twice",
        &format!("echo '{line}' >>/etc/pam.d/su-l"),
        &["/etc/pam.d/su-l:", "/etc/pam.d/su:"],
    );
    let log = sandbox.su_dash("ann", "echo in");
    assert_eq!(log.ok(), "in");
    host.planted(
        "pam-no-session",
        "sed -i '/^session.*pam_jail/d' /etc/pam.d/su",
        &["su has an account line"],
    );
    host.planted(
        "pam-no-account",
        "sed -i 's/^session.*pam_jail.so/& quiet/; /^account.*pam_jail/d' /etc/pam.d/su",
        &["su has a session line"],
    );
    let last = sandbox.must("tail -n 1 /etc/pam.d/su");
    assert_eq!(last, "account  required  pam_jail.so quiet");
    assert_eq!(sandbox.su_dash("ann", "echo in").ok(), "in");
    let found = host.planted(
        "pam-twice",
        "sed -i '1i account required pam_jail.so' /etc/pam.d/su",
        &["the account stack of su twice"],
    );
    assert_eq!(found.severity, "note");
}

#[test]
fn mends_of_one_stack_in_any_order_give_each_line_once() {
    // What is there, with a last line that has no end.
    for there in [
        "account required pam_jail.so",
        "session required pam_jail.so",
        "#",
    ] {
        for reversed in [false, true] {
            let sandbox = behind_pam();
            sandbox.must(&format!(
                "sed -i /pam_jail/d /etc/pam.d/su; printf '{there}' >>/etc/pam.d/su"
            ));
            let report = check(&sandbox);
            let mut commands: Vec<String> = ["door", "pam-no-session", "pam-no-account"]
                .iter()
                .flat_map(|kind| of_kind(&report, kind))
                .filter_map(|found| found.command)
                .collect();
            if reversed {
                commands.reverse();
            }
            for command in &commands {
                sandbox.must(command);
            }
            let lines = sandbox.must("grep -h '^[^#]*pam_jail' /etc/pam.d/su /etc/pam.d/su-l");
            let mut kinds: Vec<&str> = lines
                .lines()
                .filter_map(|it| it.split(' ').next())
                .collect();
            kinds.sort_unstable();
            assert_eq!(kinds, ["account", "session"], "{report}");
            assert_eq!(sandbox.su_dash_c("ann", "echo /srv/*").ok(), "/srv/*");
        }
    }
}

#[test]
fn finds_a_line_that_leads_past_the_module() {
    let sandbox = behind_pam();
    let plant = |line: &str| format!("sed -i '/^session.*pam_jail/i {line}' /etc/pam.d/su");
    let see = || sandbox.su_dash_c("ann", "echo /srv/*").ok().to_owned();
    let inside = see();
    assert_eq!(inside, "/srv/*");
    let sub = "printf 'session sufficient pam_permit.so\\n' >/etc/pam.d/trial;";
    for (prepared, line) in [
        ("", "session sufficient pam_permit.so"),
        ("", "session [ success = done default=bad ] pam_permit.so"),
        (
            "",
            "session [success=1 default=ignore] pam_succeed_if.so quiet user = ann",
        ),
        (
            "",
            "session [success=1 default=ignore] pam_succeed_if.so use_uid uid = 0",
        ),
        (sub, "session include trial"),
        (sub, "@include trial"),
    ] {
        planted(
            &sandbox,
            "pam-skip",
            &format!("{prepared} {}", plant(line)),
            &["so where it succeeds: that opens an unjailed session by su, su-l"],
        );
        assert_eq!(see(), inside, "after the mend of {line}");
        sandbox.must(
            "sed -i '/trial/d; /sufficient *pam_permit/d' /etc/pam.d/su; rm -f /etc/pam.d/trial",
        );
    }
    // What is found is what happens.
    sandbox.must(&plant("session sufficient pam_permit.so"));
    assert_ne!(see(), inside);
    sandbox.must("sed -i '/^session sufficient/d' /etc/pam.d/su");
    // Nothing of this leads past it.
    for line in [
        "session requisite pam_permit.so",
        "session [success=1 default=ignore] pam_succeed_if.so quiet uid = 0",
        "session substack trial",
    ] {
        sandbox.must(&format!("{sub} {}", plant(line)));
    }
    assert_eq!(
        of_kind(&check(&sandbox), "pam-skip").len(),
        0,
        "{}",
        check(&sandbox)
    );
    assert_eq!(see(), inside);
}

#[test]
fn finds_a_line_that_leads_past_the_account_stage() {
    let sandbox = behind_pam();
    let found = planted(
        &sandbox,
        "pam-skip",
        "sed -i '1i account sufficient pam_permit.so' /etc/pam.d/su",
        &["/etc/pam.d/su:1", "refuses in su, su-l"],
    );
    assert_eq!(found.severity, "warning");
    let stack = sandbox.read("/etc/pam.d/su");
    assert_eq!(stack.lines().next(), Some("account  required  pam_jail.so"));
    assert_eq!(stack.matches("pam_jail").count(), 2, "{stack}");
    sandbox.must("sed -i 's/^ann = .*/ann = \"\\/srv\\/nowhere\"/' /etc/login-jail/config.toml");
    let refused = sandbox.su_dash("ann", "echo in");
    assert!(!refused.stdout.contains("in\n"), "{refused}");
}

#[test]
fn sudo_goes_on_after_a_requisite_line_that_fails() {
    let sandbox = with_base().pam();
    let mut host = Checked::of(&sandbox);
    sandbox.must("sed -i /pam_jail/d /etc/pam.d/*");
    for service in ["sudo", "sudo-i"] {
        sandbox.must(&format!(
            "echo 'session required pam_jail.so' >>/etc/pam.d/{service}"
        ));
    }
    let see = || sandbox.run(&["sudo", "-u", "ann", "/bin/sh", "-c", "echo /srv/*"]);
    assert_eq!(see().ok(), "/srv/*");
    let plant = "sed -i '1i session requisite pam_deny.so' /etc/pam.d/sudo";
    sandbox.must(plant);
    assert_ne!(see().stdout.trim(), "/srv/*");
    assert_eq!(see().code(), Some(0));
    sandbox.must("sed -i 1d /etc/pam.d/sudo");
    host.planted(
        "pam-skip",
        plant,
        &[
            "/etc/pam.d/sudo:1",
            "after which sudo goes on",
            "session by sudo",
        ],
    );
    host.planted(
        "pam-half",
        "sed -i /pam_jail/d /etc/pam.d/sudo-i",
        &["/etc/pam.d/sudo-i has no session line"],
    );
}

#[test]
fn finds_stacks_that_do_not_take_in_the_one_that_jails() {
    let sandbox = behind_pam();
    let mut host = Checked::of(&sandbox);
    let own = "printf 'auth sufficient pam_rootok.so\\naccount required pam_permit.so\\nsession required pam_permit.so\\n'";
    sandbox.must("cp /etc/pam.d/su-l /srv/su-l");
    host.planted(
        "door",
        &format!("{own} >/etc/pam.d/su-l"),
        &["no session line for pam_jail.so in the stack of su-l"],
    );
    assert_eq!(sandbox.su_dash_c("ann", "echo /srv/*").ok(), "/srv/*");
    // A stack that includes another is said with that one, and needs no line of its own.
    sandbox.must("cp /srv/su-l /etc/pam.d/su-l; sed -i /pam_jail/d /etc/pam.d/su");
    let report = check(&sandbox);
    let found = of_kind(&report, "door");
    assert!(found[0].what.contains("in the stack of su: "), "{report}");
    sandbox.must(found[0].command.as_ref().unwrap());
    for service in ["gdm-password", "proftpd"] {
        host.planted(
            "pam-other",
            &format!("echo '@include common-session' >/etc/pam.d/{service}"),
            &[service, "not tested"],
        );
    }
    // The lines of other are those of a service that has none of that kind.
    sandbox.must("echo 'auth required pam_deny.so' >/etc/pam.d/lightdm");
    assert_eq!(of_kind(&check(&sandbox), "pam-other").len(), 1);
    sandbox.must("echo 'session required pam_jail.so' >>/etc/pam.d/other");
    assert_eq!(of_kind(&check(&sandbox), "pam-other").len(), 0);
}

#[test]
fn finds_an_sshd_that_asks_another_service() {
    let sandbox = behind_pam();
    // Only OpenSSH since 9.8 can be told.
    planted(
        &sandbox,
        "sshd-pam",
        "mv /usr/sbin/sshd /usr/sbin/sshd.whole; cp /etc/pam.d/other /etc/pam.d/mine
         printf '#!/bin/sh\\n/usr/sbin/sshd.whole \"$@\" && echo pamservicename mine\\n' >/usr/sbin/sshd; chmod 755 /usr/sbin/sshd",
        &["PAMServiceName is mine"],
    );
}

#[test]
fn finds_people_whom_the_lines_for_another_shut_out() {
    let sandbox = behind_pam();
    let mut host = Checked::of(&sandbox);
    let config = "/etc/login-jail/config.toml";
    let plant = "for user in bob carl dan eve fay gus; do useradd -m -s /bin/bash $user; done
                 useradd -m -s /usr/sbin/nologin shut; useradd -r -s /bin/bash system";
    let found = host.planted(
        "pam-refuses",
        plant,
        &[
            "bob, carl, dan, eve, fay and 1 more: could log in",
            "by atd, cron, login, sshd, su, su-l",
        ],
    );
    assert_eq!((found.severity.as_str(), found.safe), ("warning", false));
    assert_eq!(
        sandbox.read(config).lines().next(),
        Some("unlisted = \"exempt\"")
    );
    assert_eq!(sandbox.su_dash("bob", "echo in").ok(), "in");
    // In place, where the key is there.
    host.planted(
        "pam-refuses",
        &format!("sed -i '1s/.*/# first\\nunlisted = \"refuse\" # all/' {config}"),
        &["bob, carl"],
    );
    assert!(
        sandbox
            .read(config)
            .starts_with("# first\nunlisted = \"exempt\" # all\n")
    );
    sandbox.must(&format!("sed -i '/unlisted/d; s/^exempt = ./&\"bob\", \"carl\", \"dan\", \"eve\", \"fay\", /' {config}"));
    let found = of_kind(&check(&sandbox), "pam-refuses");
    assert!(found[0].what.starts_with("gus: could"), "{found:?}");
    assert_eq!(sandbox.su_dash("gus", "echo in").stdout, "");
}

#[test]
fn finds_an_ftp_server_that_asks_no_session_module() {
    let sandbox = behind_pam();
    let mut host = Checked::of(&sandbox);
    if sandbox.sh("command -v vsftpd").code() != Some(0) {
        skipped("what check finds of vsftpd", "it is not installed");
        return;
    }
    sandbox.write(
        "/etc/vsftpd.conf",
        "local_enable=YES\nsession_support=YES\npam_service_name=vsftpd\n",
    );
    host.planted(
        "ftp",
        "sed -i /^session_support/d /etc/vsftpd.conf",
        &["without session_support=YES"],
    );
    host.planted(
        "ftp",
        "echo session_support=NO >>/etc/vsftpd.conf",
        &["without session_support=YES"],
    );
    host.planted(
        "ftp",
        "sed -i /^pam_service_name/d /etc/vsftpd.conf",
        &["the service ftp"],
    );
    // Nobody of the host's comes in: there is nothing to mend.
    sandbox.must("sed -i 's/^local_enable=.*/local_enable=NO/; /^session/d' /etc/vsftpd.conf");
    let report = check(&sandbox);
    assert!(of_kind(&report, "ftp").is_empty(), "{report}");
}

#[test]
fn what_sshd_does_in_the_jail_is_no_finding() {
    let sandbox = behind_pam();
    sandbox.must(
        "sed -i 's/^PermitUserRC.*/PermitUserRC yes/; s/^X11F.*/X11Forwarding yes/; s/^Dis.*/PermitUserEnvironment yes/' /etc/ssh/sshd_config
         sed -i 's,^Subsystem.*,Subsystem sftp internal-sftp,; s/^AcceptEnv.*/AcceptEnv LD_*/' /etc/ssh/sshd_config
         printf 'PermitTunnel yes\\nMatch User ann\\n ForceCommand /bin/true\\n' >>/etc/ssh/sshd_config
         echo 'session required pam_env.so user_readenv=1' >/etc/pam.d/trial; touch /home/ann/.pam_environment
         sed -i '1i session required pam_env.so user_readenv=1' /etc/pam.d/sshd",
    );
    let report = check(&sandbox);
    assert!(!report.stdout.contains("[sshd-"), "{report}");
    // The stack that jails nobody is still one, the other is not.
    let found = of_kind(&report, "pam-environment");
    assert_eq!(found.len(), 1, "{report}");
    assert!(found[0].what.contains("/etc/pam.d/trial:1"), "{report}");
    sandbox.must("sed -i '/^session.*pam_jail/d' /etc/pam.d/sshd");
    let report = check(&sandbox);
    for kind in ["sockets", "user-environment", "accept-env", "forced"] {
        let found = of_kind(&report, &format!("sshd-{kind}"));
        assert_eq!(found.len(), 1, "{kind} in {report}");
    }
}

#[test]
fn a_tunnel_takes_the_device_that_a_jail_has() {
    let sandbox = behind_pam();
    sandbox.must("sed -i 's/^DisableForwarding.*/PermitTunnel yes/' /etc/ssh/sshd_config");
    assert!(of_kind(&check(&sandbox), "sshd-sockets").is_empty());
    sandbox.must("sed -i 's/^shell = .*/&\\ndev = \"root\"/' /etc/login-jail/config.toml");
    let report = check(&sandbox);
    let found = of_kind(&report, "sshd-sockets");
    assert_eq!(found.len(), 1, "{report}");
    assert!(found[0].what.contains("PermitTunnel"), "{report}");
    assert!(!found[0].what.contains("AllowTcp"), "{report}");
}

#[test]
fn a_file_that_a_user_could_swap_is_not_fixed_by_path() {
    let sandbox = whole();
    let plant = "cp /bin/true /srv/jails/ann/home/ann/x; chmod 4755 /srv/jails/ann/home/ann/x";
    let found = planted(&sandbox, "set-id", plant, &["home/ann/x is mode 4755"]);
    assert!(!found.safe, "{found:?}");
    // With a link to the host in its place, the same command changes nothing.
    sandbox.must(&format!(
        "cp /bin/true /srv/victim; chmod 4755 /srv/victim; {plant}"
    ));
    let found = of_kind(&check(&sandbox), "set-id");
    let command = found[0].command.clone().unwrap();
    sandbox.must("ln -sf /srv/victim /srv/jails/ann/home/ann/x");
    sandbox.sh(&command);
    assert_eq!(sandbox.must("stat -c %a /srv/victim"), "4755");
}

#[test]
fn a_name_that_ends_in_a_newline_is_no_other_file() {
    let sandbox = whole();
    sandbox.must(
        "cd /srv/jails/ann/bin; n='
'; for name in x \"x$n\" \"y$n\"; do cp /bin/true \"$name\"; done
         cp /bin/true y; chmod 4755 x \"x$n\" \"y$n\"; ln \"x$n\" /srv/out",
    );
    let report = check(&sandbox);
    for found in of_kind(&report, "set-id") {
        // One of them is the host's file, too.
        let is_linked = found.command.as_deref()
            == Some(r"jailctl mend --escaped hard-link '/srv/jails/ann/bin/x\012'");
        assert_eq!(found.safe, !is_linked, "{report}");
        assert!(found.command.is_some(), "{report}");
    }
    let report = sandbox.run(&["jailctl", "check", "--fix"]);
    let left = of_kind(&report, "set-id");
    assert_eq!(left.len(), 1, "{report}");
    assert!(report.stdout.contains("hard-link"), "{report}");
    let modes = "stat -c %a /srv/jails/ann/bin/[xy]* /srv/out";
    assert_eq!(sandbox.must(modes), "755\n4755\n755\n755\n4755", "{report}");
    sandbox.must(left[0].command.as_deref().unwrap_or("false"));
    assert_eq!(sandbox.must(modes), "755\n755\n755\n755\n4755", "{report}");
}

#[test]
fn gives_no_command_that_would_write_through_a_link_of_the_users() {
    for plant in [
        "sed -i /^ann:/d etc/passwd; mv etc/passwd etc/p; ln -s p etc/passwd",
        "sed -i /^ann:/d etc/passwd; chown ann etc",
        "sed -i /^ann:/d etc/passwd; mv etc home/ann/etc; ln -s /srv/jails/ann/home/ann/etc etc",
    ] {
        let sandbox = whole();
        sandbox.must(&format!("cd /srv/jails/ann; {plant}"));
        let report = check(&sandbox);
        let found = of_kind(&report, "passwd-line-missing");
        assert_eq!(found.len(), 1, "{report}");
        // Nor does jailctl.
        let state = "cd /srv/jails/ann; find . -ls; cat etc/p home/ann/etc/passwd 2>/dev/null || :";
        let before = sandbox.must(state);
        let refused = sandbox.sh(found[0].command.as_deref().unwrap_or("false"));
        assert_eq!(refused.code(), Some(3), "{refused}");
        assert_eq!(sandbox.must(state), before, "{refused}");
    }
}

#[test]
fn hostile_names_inside_become_no_part_of_a_command() {
    let sandbox = whole();
    sandbox.must(
        r#"cd /srv/jails/ann/etc; echo 'x/d;s/.*/evil/;:x:0:0::/:/bin/sh' >>passwd; echo "passwd: files a'/;e\ touch\ /srv/evil" >nsswitch.conf"#,
    );
    let report = check(&sandbox);
    for kind in ["second-root", "nss-library-missing"] {
        let found = of_kind(&report, kind);
        assert!(!found.is_empty(), "{report}");
        let command = format!("jailctl mend {kind} ann");
        assert!(
            found
                .iter()
                .all(|it| it.command.as_deref() == Some(&command)),
            "{report}"
        );
        sandbox.must(&command);
    }
    let report = check(&sandbox);
    assert!(of_kind(&report, "second-root").is_empty(), "{report}");
    sandbox.must("grep -q '^ann:' /srv/jails/ann/etc/passwd && test ! -e /srv/evil");
}

#[test]
fn finds_what_is_wrong_with_base_and_mounts() {
    let sandbox = with_base().config(
        "[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{user}\"\nbase = \"/srv/base\"\nshell = \"/bin/sh\"\n\
         mounts = [{ source = \"/srv/data\", target = \"/data\", mode = \"rw\" }]\n",
    );
    let mut host = Checked::of(&sandbox);
    sandbox
        .must("mkdir -p /srv/base/bin /srv/data && cp -L $(command -v busybox) /srv/base/bin/sh");
    assert!(
        !host
            .planted("base", "chmod 777 /srv/base", &["/srv/base is mode 0777"])
            .safe
    );
    sandbox.must("rmdir /srv/data");
    let report = check(&sandbox);
    let found = of_kind(&report, "mount");
    assert_eq!(found.len(), 1, "{report}");
    assert!(
        found[0].what.contains("/srv/data does not exist"),
        "{report}"
    );
    let command = found[0].command.clone().unwrap_or_default();
    assert!(command.starts_with("editor +"), "{report}");
    sandbox.must("mkdir /srv/data");
    host.planted(
        "home-in-reach",
        "mkdir /srv/data/ann; usermod -d /srv/data/ann ann",
        &["/srv/data/ann"],
    );
}

#[test]
fn owner_and_mode_of_what_a_mount_shows_are_never_to_be_changed() {
    let keys = "mounts = [{ source = \"/srv/in/data\", target = \"/data\", mode = \"rw\" }, \
                { source = \"/srv/jails/ann/box\", target = \"/box\", mode = \"rw\" }]";
    let sandbox = with_base();
    sandbox.must(&format!(
        "mkdir -p /srv/in/data /srv/jails/ann/box; echo '{keys}' >>/etc/login-jail/config.toml"
    ));
    for plant in [
        "chown www-data /srv/in/data; chmod 2777 /srv/in/data",
        "chown www-data /srv/in",
        "chgrp games /srv/in; chmod g+w /srv/in",
        "chmod 1777 /srv/in",
        "mv /srv/in/data /srv/in/d; ln -s d /srv/in/data",
        "rm -r /srv/in/data",
        // Below a root, where else each of these would be found.
        "cd /srv/jails/ann/box; echo x >open; chmod 666 open; install -m 4755 /bin/true suid; ln /bin/cat cat",
        "chown www-data /srv/jails/ann/box; chmod 777 /srv/jails/ann/box",
    ] {
        sandbox.must("cp -a /srv/in /run/in; cp -a /srv/jails/ann/box /run/box");
        sandbox.must(plant);
        let report = check(&sandbox);
        let changes = |line: &str| {
            ["chmod", "chown", "rm ", "mv ", "install", "mend"]
                .iter()
                .any(|word| line.contains(word))
        };
        for line in report.stdout.lines() {
            let of_source = ["/srv/in", "/srv/jails/ann/box"]
                .iter()
                .any(|path| line.contains(path));
            assert!(!(of_source && changes(line)), "{plant}: {report}");
        }
        for found in of_kind(&report, "mount") {
            assert!(
                !changes(&found.command.unwrap_or_default()),
                "{plant}: {report}"
            );
        }
        let refused = of_kind(&report, "mount").len();
        let is_wrong = !plant.contains("box") && !plant.contains("2777");
        assert_eq!(refused, usize::from(is_wrong), "{plant}: {report}");
        sandbox.must(
            "rm -rf /srv/in /srv/jails/ann/box; mv /run/in /srv/in; mv /run/box /srv/jails/ann/box",
        );
    }
}

#[test]
fn finds_a_socket_by_which_the_host_is_commanded() {
    let sandbox = with_base();
    let mount = "mounts = [{ source = \"/run/docker.sock\", target = \"/run/docker.sock\", mode = \"ro\" }]";
    sandbox.must(&format!(
        "echo '{mount}' >>/etc/login-jail/config.toml
         /usr/bin/python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"/run/docker.sock\")'"
    ));
    let report = check(&sandbox);
    let found = of_kind(&report, "mount-in-root");
    assert_eq!(found.len(), 1, "{report}");
    assert_eq!(found[0].severity, "warning", "{report}");
    assert!(found[0].what.contains("/run/docker.sock"), "{report}");
}

#[test]
fn finds_what_the_config_shows_of_the_hosts_own() {
    for (source, count) in [
        ("/etc", 1),
        ("/home", 1),
        ("/proc", 1),
        ("/srv/jails", 1),
        ("/opt", 0),
    ] {
        let sandbox = with_base();
        let mount =
            format!("mounts = [{{ source = \"{source}\", target = \"/shown\", mode = \"ro\" }}]");
        sandbox.must(&format!("echo '{mount}' >>/etc/login-jail/config.toml"));
        let report = check(&sandbox);
        let found = of_kind(&report, "mount-in-root");
        assert_eq!(found.len(), count, "{report}");
        for found in found {
            assert_eq!(found.severity, "warning", "{report}");
            let part = format!("mounts shows {source} of the host at /shown, read-only");
            assert!(found.what.contains(&part), "{report}");
            let command = found.command.unwrap_or_default();
            assert!(command.starts_with("editor +"), "{report}");
        }
    }
}

#[test]
fn finds_what_links_of_usr_lead_to_and_a_jail_does_not_show() {
    let sandbox = with_base();
    let line = "etc = [\"absent\", \"theirs\"]";
    sandbox.must(&format!(
        "mkdir -p /etc/tool /etc/theirs; chown www-data /etc/theirs; echo x >/etc/tool/settings; echo x >/etc/tool/more
         echo '{line}' >>/etc/login-jail/config.toml"
    ));
    let before = check(&sandbox);
    let found = of_kind(&before, "etc-missing");
    let parts = ["/etc/absent is not there", "/etc/theirs is not root's"];
    assert_eq!(found.len(), parts.len(), "{before}");
    for (found, part) in found.iter().zip(parts) {
        assert!(
            found.severity == "note" && found.what.contains(part),
            "{before}"
        );
    }
    sandbox.must(
        "mkdir /usr/lib/tool; ln -s /etc/tool/settings /usr/lib/tool/a; ln -s ../../../etc/tool/more /usr/lib/tool/b
         ln -s /etc/shadow /usr/lib/tool/c; ln -s /etc/ssl/private /usr/lib/tool/d; ln -s /etc/gone /usr/lib/tool/e
         ln -s /etc/hosts /usr/lib/tool/f; install -d -m 700 /etc/shut; ln -s /etc/shut /usr/lib/tool/g",
    );
    let report = check(&sandbox);
    let found = of_kind(&report, "etc-missing");
    assert_eq!(found.len(), parts.len() + 1, "{report}");
    let part = "web: 2 links such as /usr/lib/tool/a lead to /etc/tool, which is not shown; \
                etc = [\"absent\", \"theirs\", \"tool\"] shows it";
    assert!(
        found.iter().any(|found| found.what.contains(part)),
        "{report}"
    );
    // As it says.
    let sed = "sed -i 's/^etc = .*/etc = [\"tool\"]/' /etc/login-jail/config.toml";
    sandbox.must(sed);
    let report = check(&sandbox);
    assert!(of_kind(&report, "etc-missing").is_empty(), "{report}");
    assert_eq!(sandbox.su_c("ann", "cat /usr/lib/tool/b").ok(), "x");
}

#[test]
fn a_root_that_its_user_may_own_is_in_order() {
    let owned = "exempt = [\"root\"]\n[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{user}\"\n\
                 base = \"host\"\nshell = \"/bin/bash\"\nroot_owner = \"user\"\n";
    let sandbox = with_base().config(owned);
    sandbox.must("chown -R ann: /srv/jails/ann; mkdir -p /srv/jails/ann/usr/local/bin; chown -R ann /srv/jails/ann/usr");
    let report = check(&sandbox);
    // What the user puts in the place of the base's is the user's own affair.
    assert!(of_kind(&report, "system-owner").is_empty(), "{report}");
    planted(
        &sandbox,
        "root",
        "mv /srv/jails/ann /srv/other",
        &["does not exist"],
    );
    assert_eq!(sandbox.must("stat -c '%U %a' /srv/jails/ann"), "ann 755");
}

#[test]
fn finds_accounts_that_nothing_can_be_decided_about() {
    let sandbox = with_base();
    planted(
        &sandbox,
        "uid-zero",
        "useradd -o -u 0 -s /bin/bash toor; sed -i 's/^ann = .*/&\\ntoor = \"web\"/' /etc/login-jail/config.toml",
        &["uid 0"],
    );
    sandbox.must("userdel -f toor; useradd -g 4711 -N -s /usr/bin/jail-shell odd 2>/dev/null || { groupadd -g 4711 odd; useradd -g odd -N -s /usr/bin/jail-shell odd; groupdel -f odd; }");
    let report = check(&sandbox);
    let found = of_kind(&report, "undecided");
    assert!(
        found[0].what.contains("group 4711 of the user has no name"),
        "{report}"
    );
    sandbox.must("userdel -f odd");
    sandbox.write("/etc/login-jail/users.d/ann.toml", "jial = \"web\"\n");
    let report = check(&sandbox);
    assert!(
        of_kind(&report, "config-wrong")[0]
            .what
            .contains("users.d/ann.toml:1:1"),
        "{report}"
    );
}

#[test]
fn the_config_that_is_asked_for_is_the_one_that_is_checked() {
    let sandbox = with_base();
    sandbox.must("mkdir /etc/trial; sed 's,/srv/jails,/srv/nowhere,' /etc/login-jail/config.toml >/etc/trial/config.toml");
    let report = sandbox.run(&["jailctl", "--config", "/etc/trial", "check"]);
    assert_eq!(of_kind(&report, "root").len(), 1, "{report}");
}

#[test]
fn prints_json_with_the_same_findings() {
    let sandbox = with_base();
    sandbox.must("chmod 777 /srv/jails");
    let report = sandbox.run(&["jailctl", "check", "--json"]);
    assert_eq!(report.code(), Some(1), "{report}");
    let read: serde_json::Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(read["users"], 1);
    assert_eq!(read["unchecked"], serde_json::json!([]));
    assert_eq!(
        read["findings"].as_array().map(Vec::len),
        Some(1),
        "{report}"
    );
    let found = &read["findings"][0];
    assert_eq!(found["kind"], "root");
    assert_eq!(found["severity"], "error");
    assert_eq!(found["user"], "ann");
    let mend = serde_json::json!({ "command": "jailctl mend root /srv/jails/ann", "safe": false });
    assert_eq!(found["mend"], mend);
}

#[test]
fn fix_runs_the_safe_commands_only_and_shows_them() {
    let sandbox = whole();
    sandbox.must("chmod 666 /srv/jails/ann/etc/passwd; rm /srv/jails/ann/bin/bash");
    let report = sandbox.run(&["jailctl", "check", "--fix"]);
    assert_eq!(report.code(), Some(1), "{report}");
    let command = "jailctl mend system-writable /srv/jails/ann/etc/passwd";
    assert!(report.stderr.contains(&format!("+ {command}")), "{report}");
    assert!(
        report.stdout.contains(&format!("done: {command}")),
        "{report}"
    );
    assert!(of_kind(&report, "system-writable").is_empty(), "{report}");
    assert_eq!(of_kind(&report, "shell-missing").len(), 1, "{report}");
    assert_eq!(sandbox.must("stat -c %a /srv/jails/ann/etc/passwd"), "664");
}

#[test]
fn a_check_leaves_everything_as_it_was() {
    let sandbox = whole();
    sandbox.must("mkdir -p /srv/jails/ann/proc");
    let state = "find /srv/jails /etc /var/spool -printf '%p %m %u %g %s %T@\\n' | sort | cksum; cut -d' ' -f2- /proc/self/mounts | cksum; ls /run";
    let before = sandbox.must(state);
    check(&sandbox).ok();
    assert_eq!(sandbox.must(state), before);
}

#[test]
fn only_root_checks_and_only_who_is_there() {
    let sandbox = with_base();
    let other = sandbox.run_as("ann", &["jailctl", "check"]);
    assert_eq!(other.code(), Some(3), "{other}");
    let unknown = sandbox.run(&["jailctl", "check", "zoe"]);
    assert_eq!(unknown.code(), Some(3), "{unknown}");
    assert!(
        sandbox
            .run(&["jailctl", "check", "ann"])
            .ok()
            .contains("1 jailed user")
    );
}

#[test]
fn a_look_up_that_fails_is_no_answer() {
    let sandbox = whole();
    let fails = |program: &str, script: &str| {
        let file = format!("/usr/local/sbin/{program}");
        sandbox.write(&file, format!("#!/bin/sh\n{script}\n"));
        sandbox.must(&format!("chmod 755 {file}"));
    };
    let is_left = |what: &str| {
        let report = check(&sandbox);
        assert!(
            report.stdout.contains(&format!("not checked: {what}")),
            "{report}"
        );
        assert_eq!(report.code(), Some(1), "{report}");
    };
    fails("sudo", "echo sudo: no plugin >&2; exit 1");
    is_left("sudo: sudo -l -U ann says: sudo: no plugin");
    sandbox.must("rm /usr/local/sbin/sudo; printf '[groups]\\ngames = \"/srv/x\"\\n' >>/etc/login-jail/config.toml");
    fails(
        "getent",
        "[ $1 = group ] && exit 3; exec /usr/bin/getent \"$@\"",
    );
    let report = check(&sandbox);
    assert!(
        report.stdout.contains("getent group games failed"),
        "{report}"
    );
}

#[test]
fn a_comment_in_another_encoding_hides_no_line() {
    let sandbox = whole();
    sandbox.must(
        "printf '# caf\\351\\nsession required pam_jail.so\\n' >>/etc/pam.d/su
         printf '# caf\\351\\n/usr/bin/jail-shell\\n' >>/etc/shells",
    );
    assert_eq!(of_kind(&check(&sandbox), "shells").len(), 1);
    let listed = sandbox.run(&["jailctl", "list"]);
    assert!(listed.ok().contains("pam:su"), "{listed}");
}

#[test]
fn a_hostile_root_harms_nobody_who_checks_it() {
    // The shell is a FIFO; passwd never ends, and nobody ever writes nsswitch.conf.
    for (plant, kind) in [
        ("rm bin/bash; mkfifo bin/bash", "shell-missing"),
        (
            "rm etc/passwd; ln -s /dev/zero etc/passwd; rm -f etc/nsswitch.conf; mkfifo etc/nsswitch.conf",
            "passwd-line-missing",
        ),
    ] {
        let sandbox = whole();
        sandbox.must(&format!("cd /srv/jails/ann; {plant}"));
        let report = check(&sandbox);
        assert_eq!(of_kind(&report, kind).len(), 1, "{report}");
    }
}

#[test]
fn who_waits_at_a_terminal_sees_how_far_it_is() {
    let sandbox = Sandbox::new().config(
        "exempt = [\"root\"]\n[groups]\nmany = \"home\"\n[jails.home]\nroot = \"/srv/{user}\"\nbase = \"host\"\n",
    );
    sandbox.must(
        "echo many:x:2900: >>/etc/group; for n in $(seq 150); do
             id=$((3000 + n)); echo \"u$n:x:$id:2900::/home/u$n:/usr/bin/jail-shell\" >>/etc/passwd
             mkdir -p /srv/u$n/home/u$n; chown $id /srv/u$n/home/u$n
         done",
    );
    let mut pty = sandbox.terminal(&["jailctl", "check"]);
    // Two looks at each.
    pty.expect("/300");
    pty.expect("150 jailed users");
    drop(pty.finish());
}

#[test]
fn a_config_that_is_too_large_to_be_read_is_named() {
    let sandbox = Sandbox::new().user("ann").root(roots::busybox());
    sandbox.must("truncate -s 17M /etc/login-jail/config.toml");
    let report = check(&sandbox);
    assert_eq!(of_kind(&report, "config").len(), 1, "{report}");
}
