//! What root code of a host program reads in the jail: a session is refused where somebody besides root could have
//! written it, or where it disagrees with the host on the user.

use login_jail_tests::{JAIL_SHELL, Sandbox, roots, skipped};

/// A root of its own, with bash and all that it needs, and an /etc that agrees with the host.
fn whole() -> Sandbox {
    let root = roots::programs(&["/usr/bin/id", "/bin/ls"]);
    Sandbox::with_ann_behind_pam(root, "shell = \"/bin/bash\"")
        .with("usermod --append --groups games ann; echo games:x:60:ann >>/srv/jails/ann/etc/group")
}

fn with_base(keys: &str) -> Sandbox {
    let keys = format!("base = \"host\"\nshell = \"/bin/bash\"\n{keys}");
    Sandbox::with_ann_behind_pam(roots::home(), &keys)
}

/// Lets su open a session, past the account stage, which refuses for the same reasons.
fn session_alone(sandbox: &Sandbox) {
    sandbox.must("sed -i '/^account.*pam_jail/d' /etc/pam.d/*");
}

/// Insists that both stages refuse and that nothing runs.
#[track_caller]
fn refused(sandbox: &Sandbox, parts: &[&str]) {
    sandbox.set_pam_lines("required", "");
    for stage in ["account", "session"] {
        if stage == "session" {
            session_alone(sandbox);
        }
        let seen = sandbox.su_c("ann", "echo GOTIN");
        assert_ne!(seen.code(), Some(0), "{stage}: {seen}");
        assert!(!seen.stdout.contains("GOTIN"), "{stage}: {seen}");
        let stage = format!("(su:{stage})");
        sandbox.module_logged(&[&["refused code=", stage.as_str()], parts].concat());
    }
}

#[test]
fn an_etc_that_agrees_with_the_host_is_taken() {
    let sandbox = whole();
    let seen = sandbox.su_c("ann", "id -G; ls /");
    let groups = sandbox.must("id -G ann");
    assert!(seen.ok().starts_with(&groups), "{seen}");
    assert!(!seen.ok().contains("srv"), "{seen}");
}

#[test]
fn a_planted_uid_0_line_gives_no_root_shell_under_login() {
    let sandbox = whole().with("sed -i '1i ann:x:0:0::/:/bin/bash' /srv/jails/ann/etc/passwd");
    session_alone(&sandbox);
    let mut pty = sandbox.login("ann", "secret");
    pty.line("id -u; echo GOT''IN");
    let end = pty.finish();
    assert!(!end.stdout.contains("GOTIN"), "{end}");
    sandbox.module_logged(&[
        "(login:session)",
        "/srv/jails/ann/etc/passwd:1 gives the user other ids",
    ]);
    sandbox.must("sed -i 1d /srv/jails/ann/etc/passwd; echo ann:x:0:0::/:/bin/bash >>/srv/jails/ann/etc/passwd");
    refused(&sandbox, &["gives the user other ids than the host"]);
}

#[test]
fn a_group_that_the_host_does_not_give_is_not_given_by_the_jail_under_sshd() {
    let sandbox = whole().with("echo shadow:x:42:root,ann >>/srv/jails/ann/etc/group");
    session_alone(&sandbox);
    let seen = sandbox.ssh("ann", "id -G; echo GOTIN");
    assert!(
        !seen.stdout.contains("GOTIN") && !seen.stdout.contains("42"),
        "{seen}"
    );
    sandbox.module_logged(&[
        "(sshd:session)",
        "etc/group:",
        "gives the user a group that the host does not",
    ]);
    // Without the module's look, sshd would take it: the premise of this test.
    sandbox
        .must("sed -i '/^session.*pam_jail/d' /etc/pam.d/sshd; echo shadow:x:42:ann >>/etc/group");
    assert!(sandbox.ssh("ann", "id -G").ok().contains("42"));
}

#[test]
fn a_group_that_only_the_host_gives_is_named_with_the_line_that_mends_it() {
    let sandbox = whole().with("sed -i /^games/d /srv/jails/ann/etc/group");
    refused(
        &sandbox,
        &["lacks a group that the user has on the host; add the line games:x:60:ann"],
    );
}

#[test]
fn includes_of_nis_are_refused() {
    for file in ["passwd", "group"] {
        let sandbox = whole().with(&format!("echo +::0:0::: >>/srv/jails/ann/etc/{file}"));
        refused(&sandbox, &["takes accounts in from elsewhere"]);
    }
}

#[test]
fn what_others_can_write_is_refused_wherever_root_code_reads() {
    let flaws = [
        ("chmod 666 etc/passwd", "etc/passwd is mode 0666"),
        ("chmod 777 etc", "/srv/jails/ann/etc is mode 0777"),
        ("chown ann etc/group", "etc/group belongs to uid"),
        (
            "mkdir etc/security; chown ann etc/security",
            "etc/security belongs to uid",
        ),
        (
            "mkdir -p etc/security/limits.d; touch etc/security/limits.d/x; chmod 666 etc/security/limits.d/x",
            "limits.d/x is mode 0666",
        ),
        (
            "touch etc/ld.so.preload; chmod 666 etc/ld.so.preload",
            "ld.so.preload is mode 0666",
        ),
        (
            "mkdir etc/update-motd.d; chmod 777 etc/update-motd.d",
            "update-motd.d is mode 0777",
        ),
        ("chmod 777 usr", "/srv/jails/ann/usr is mode 0777"),
        (
            "mkdir -p usr/lib/x86_64-linux-gnu; touch usr/lib/x86_64-linux-gnu/libnss_evil.so.2; chown ann usr/lib/x86_64-linux-gnu/libnss_evil.so.2",
            "libnss_evil.so.2 belongs to uid",
        ),
        (
            "mkdir -p sbin; chown ann sbin",
            "/srv/jails/ann/sbin belongs to uid",
        ),
        (
            "ln -sf ../home/ann/group etc/group; echo x >home/ann/group",
            "home/ann belongs to uid",
        ),
        (
            "mkdir -p var/log; chmod 777 var/log",
            "var/log is mode 0777",
        ),
    ];
    for (flaw, part) in flaws {
        let sandbox = whole().with(&format!("cd /srv/jails/ann; {flaw}"));
        refused(
            &sandbox,
            &[
                "root code of the login program reads the jail's files",
                part,
            ],
        );
    }
}

#[test]
fn a_script_for_the_message_of_the_day_is_not_run_for_the_user_who_planted_it() {
    // Placed wrongly, before pam_motd: its scripts are the jail's then, and run as root.
    let sandbox = whole().with(
        "mkdir -p /srv/jails/ann/etc/update-motd.d; cd /srv/jails/ann/etc/update-motd.d
         printf '#!/bin/bash\\necho $UID >/tmp/motd\\n' >00-x; chmod 755 00-x; chown ann 00-x
         sed -i '/pam_jail/d' /etc/pam.d/sshd; sed -i '1i session required pam_jail.so' /etc/pam.d/sshd",
    );
    let seen = sandbox.ssh("ann", "echo GOTIN");
    assert!(!seen.stdout.contains("GOTIN"), "{seen}");
    sandbox.module_logged(&["(sshd:session)", "update-motd.d/00-x belongs to uid"]);
    assert_eq!(sandbox.sh("cat /srv/jails/ann/tmp/motd").code(), Some(1));
}

#[test]
fn a_root_that_its_user_owns_shows_nothing_of_the_users_where_root_code_reads() {
    let sandbox = with_base("root_owner = \"user\"").with(
        "cd /srv/jails/ann; mkdir -p etc usr/lib var/log dev run mine
         echo ann:x:0:0::/:/bin/bash >etc/passwd; chown -R ann .",
    );
    let seen = sandbox.su_c("ann", "id -u; ls -d /mine; ls /etc/passwd; touch /etc/x");
    let uid = sandbox.must("id -u ann");
    assert_eq!(
        seen.stdout,
        format!("{uid}\n/mine\n/etc/passwd\n"),
        "{seen}"
    );
    assert!(seen.stderr.contains("Read-only"), "{seen}");
    assert_eq!(
        sandbox.su_c("ann", "ls -ld /etc | cut -d' ' -f3").ok(),
        "root"
    );
}

#[test]
fn a_root_that_its_user_owns_is_refused_without_a_base() {
    let root = roots::busybox().then("chown -R $user $root");
    let sandbox = Sandbox::with_ann_behind_pam(root, "shell = \"/bin/sh\"\nroot_owner = \"user\"");
    refused(&sandbox, &["code=config-wrong", "root_owner"]);
}

#[test]
fn what_somebody_elses_process_can_not_have_is_refused() {
    let sandbox = with_base("groups = \"primary\"").with("usermod -aG games ann");
    refused(&sandbox, &["code=config-wrong", "groups"]);
    let sandbox = with_base("landlock = \"off\"");
    refused(&sandbox, &["code=config-wrong", "/proc/PID/root"]);
    for target in ["/etc/security", "/usr/bin", "/var/spool", "/usr"] {
        let mounts = format!("mounts = [{{ source = '/opt', target = '{target}', mode = 'ro' }}]");
        let covered = format!("mounts has the target {target}");
        refused(&with_base(&mounts), &["code=root-unsafe", &covered]);
    }
}

#[test]
fn jail_shell_as_login_shell_runs_in_the_same_jail() {
    let sandbox = with_base("umask = \"027\"").with(&format!("usermod -s {JAIL_SHELL} ann"));
    let facts = "id -u; pwd; echo $SHELL $0; umask; ls -d /srv; ls -d /run/login-jail/*";
    let uid = sandbox.must("id -u ann");
    let expected =
        |name: &str| format!("{uid}\n/home/ann\n/bin/bash {name}\n0027\n/run/login-jail/session\n");
    for (seen, name) in [
        (sandbox.ssh("ann", facts), "bash"),
        (sandbox.su_c("ann", facts), "bash"),
        (sandbox.su_dash_c("ann", facts), "-bash"),
    ] {
        assert_eq!(seen.stdout, expected(name), "{seen}");
    }
    let forced = with_base("").sshd(&format!("ForceCommand {JAIL_SHELL}"));
    assert_eq!(forced.ssh("ann", "echo $0; ls -d /srv").stdout, "bash\n");
    assert!(forced.ssh_shell("ann", "echo $0").ok().ends_with("-bash"));
    let sftp = forced.sftp("ann", "pwd\nls /srv");
    assert!(
        sftp.stdout.contains("/home/ann") && sftp.stderr.contains("not found"),
        "{sftp}"
    );
}

#[test]
fn a_forged_mark_makes_no_unjailed_session() {
    // Forged as far as a user can, and by root as far as no user can: the setuid door asks the config all the same.
    let sandbox = with_base("").plain_user("bob").with(
        "mkdir -p /run/login-jail; printf '%s\\0%s\\0/bin/bash\\0set\\0/\\0' $(id -u bob) 18 >/run/login-jail/session
         mount --bind -o ro /run/login-jail /run/login-jail; mount -o remount,bind,ro /run/login-jail",
    );
    sandbox
        .run_as("bob", &[JAIL_SHELL, "-c", "echo GOTIN"])
        .refused(102, "no-rule");
    // Without its privileges and without a mark that root has made it refuses, too.
    let sandbox = with_base("").plain_user("bob");
    let seen = sandbox.run_as(
        "bob",
        &["setpriv", "--no-new-privs", JAIL_SHELL, "-c", "echo GOTIN"],
    );
    seen.refused(121, "no-new-privs");
}

#[test]
fn jail_shell_as_login_shell_is_refused_where_it_could_not_start() {
    let sandbox = whole().with(&format!("usermod -s {JAIL_SHELL} ann"));
    refused(
        &sandbox,
        &[
            "code=shell-missing",
            "will be started in the jail and is not there",
        ],
    );
    let sandbox = Sandbox::with_ann_behind_pam(
        roots::busybox(),
        "shell = \"/bin/sh\"\nisolation = \"chroot\"",
    )
    .with(&format!("usermod -s {JAIL_SHELL} ann"));
    refused(&sandbox, &["code=config-wrong", "isolation"]);
}

#[test]
fn a_jail_in_a_jail_is_refused() {
    let sandbox = with_base("").with("echo 'session required pam_jail.so' >>/etc/pam.d/su");
    let seen = sandbox.su_c("ann", "echo GOTIN");
    assert!(!seen.stdout.contains("GOTIN"), "{seen}");
    let uid = format!("uid={}", sandbox.must("id -u ann"));
    sandbox.module_logged(&[
        "refused",
        r#"user="ann""#,
        &uid,
        "this process is in a jail already",
    ]);
}

#[test]
fn a_debian_is_taken_as_it_comes_as_root_and_as_base() {
    let root = match roots::debian() {
        Ok(root) => root,
        Err(reason) => return skipped("a Debian root behind PAM", reason),
    };
    let sandbox = Sandbox::with_ann_behind_pam(root, "shell = \"/bin/bash\"");
    let facts = "id -un; ls -d /srv/jails /var/lib/dpkg";
    let seen = sandbox.su_c("ann", facts);
    assert_eq!(seen.stdout, "ann\n/var/lib/dpkg\n", "{seen}");
    sandbox.must("mkdir -p /srv/homes/ann/home/ann; chown ann: /srv/homes/ann/home/ann");
    sandbox.write(
        "/etc/login-jail/config.toml",
        "users = { ann = \"web\" }\n[jails.web]\nroot = \"/srv/homes/{user}\"\nbase = \"/srv/jails/ann\"\n",
    );
    let seen = sandbox.su_c("ann", facts);
    assert_eq!(seen.stdout, "ann\n/var/lib/dpkg\n", "{seen}");
    // What is not a file is not covered by one that is made.
    sandbox.must("cd /srv/jails/ann/etc; mv passwd other; echo ann:x:0:0::/:/bin/bash >>other; sed -i '0,/^ann:/{/^ann:/d}' other; ln -s other passwd");
    refused(&sandbox, &["etc/other:", "gives the user other ids"]);
    sandbox.must("chmod 666 /srv/jails/ann/etc/nsswitch.conf");
    refused(&sandbox, &["etc/nsswitch.conf is mode 0666"]);
}

#[test]
fn what_a_fifo_of_the_root_does_not_hide_of_the_base_is_looked_at() {
    // The session is shown the base's, which anybody may write.
    let sandbox = whole().with(
        "mv /srv/jails/ann /srv/base; mkdir -p /srv/jails/ann; mkfifo /srv/jails/ann/etc
         sed -i 's,^shell,base = \"/srv/base\"\\n&,' /etc/login-jail/config.toml",
    );
    assert_eq!(sandbox.su_c("ann", "echo in").ok(), "in");
    sandbox.must("chmod 666 /srv/base/etc/group");
    refused(&sandbox, &["/srv/base/etc/group is mode 0666"]);
}
