//! `jailctl enter`: chroot(1) for administrators, and the rehearsal of a user's login.

use login_jail_tests::{JAIL_SHELL, Sandbox, of_kind, roots, skipped};

const BUSYBOX_TAR: &str = "mkdir -p /srv/b/bin && cp -L $(command -v busybox) /srv/b/bin/busybox
    for applet in sh ls echo cat mkdir ash; do ln -s busybox /srv/b/bin/$applet; done
    tar -C /srv/b -cf /srv/b.tar . && rm -rf /srv/b && mkdir /srv/root && tar -C /srv/root -xf /srv/b.tar";

/// A host with an exported tree of busybox at /srv/root.
fn busybox() -> Sandbox {
    Sandbox::new().with(BUSYBOX_TAR)
}

#[test]
fn runs_one_command_in_an_exported_tree() {
    let sandbox = busybox();
    let entered = sandbox.run(&["jailctl", "enter", "/srv/root", "--", "ls", "/"]);
    assert_eq!(entered.ok(), "bin");
    let entered = sandbox.run(&["jailctl", "enter", "/srv/root", "--", "sh", "-c", "exit 7"]);
    assert_eq!(entered.code(), Some(7), "{entered}");
    let entered = sandbox.run(&[
        "jailctl",
        "enter",
        "/srv/root",
        "--",
        "/bin/echo",
        "a  b",
        "--mount",
    ]);
    assert_eq!(entered.ok(), "a  b --mount");
}

#[test]
fn a_root_with_a_single_static_program_is_enough() {
    let sandbox = Sandbox::new().with("mkdir /srv/one && cp -L $(command -v busybox) /srv/one/ls");
    let entered = sandbox.run(&["jailctl", "enter", "/srv/one", "--", "/ls", "/"]);
    assert_eq!(entered.ok(), "ls");
}

#[test]
fn without_a_command_the_shell_that_shell_names_is_interactive() {
    let sandbox = busybox();
    for (shell, name) in [("/usr/bin/ash", "ash"), ("/bin/zsh", "sh"), ("", "sh")] {
        let variable = format!("SHELL={shell}");
        let mut pty = sandbox.terminal(&["env", &variable, "jailctl", "enter", "/srv/root"]);
        pty.expect("# ");
        pty.line("echo name'='$0. flags'='$-.");
        pty.expect(&format!("name=/bin/{name}."));
        assert!(pty.expect(".").contains('i'));
        pty.line("exit 3");
        assert_eq!(pty.finish().code(), Some(3), "{shell}");
    }
}

#[test]
fn says_what_a_program_lacks_and_the_command_that_mends_it() {
    let sandbox = Sandbox::new().user("ann").root(roots::missing_library());
    let enter = || {
        sandbox.run(&[
            "jailctl",
            "enter",
            "/srv/jails/ann",
            "--",
            "/bin/bash",
            "-c",
            "echo in",
        ])
    };
    let entered = enter();
    assert_eq!(entered.code(), Some(3), "{entered}");
    assert!(
        entered
            .stderr
            .contains("required libraries are missing: libtinfo.so.6"),
        "{entered}"
    );
    assert!(entered.stderr.contains("run: jailctl check"), "{entered}");
    let report = sandbox.run(&["jailctl", "check"]);
    let found = of_kind(&report, "library-missing").remove(0);
    let command = "jailctl mend library-missing ann";
    assert_eq!(found.command.as_deref(), Some(command), "{report}");
    assert!(!found.safe, "{report}");
    sandbox.must("jailctl mend library-missing ann");
    assert_eq!(enter().ok(), "in");
}

#[test]
fn says_what_is_not_there() {
    let sandbox = busybox();
    for (arguments, part) in [
        (&["/srv/nowhere", "--", "ls"][..], "open root /srv/nowhere"),
        (
            &["/srv/root", "--", "emacs"],
            "find emacs in /srv/root: it is in no directory of PATH",
        ),
        (
            &["/srv/root", "--", "/bin/emacs"],
            "find /bin/emacs in the jail",
        ),
        (&["/srv/b.tar"], "open root /srv/b.tar"),
    ] {
        let entered = sandbox.run(&[&["jailctl", "enter"], arguments].concat());
        assert_eq!(entered.code(), Some(3), "{entered}");
        assert!(entered.stderr.contains(part), "{part} in {entered}");
    }
    assert_eq!(sandbox.run(&["jailctl", "enter"]).code(), Some(2));
}

#[test]
fn mounts_what_programs_expect_and_leaves_nothing() {
    let sandbox = busybox();
    let before = sandbox.must("cat /proc/self/mounts; find /srv/root");
    let missing = sandbox.run(&["jailctl", "enter", "--mount", "/srv/root", "--", "ls"]);
    assert_eq!(missing.code(), Some(3), "{missing}");
    let why = "the root has no directory proc for it; make one in /srv/root";
    assert!(missing.stderr.contains(why), "{missing}");
    assert_eq!(
        sandbox.must("cat /proc/self/mounts; find /srv/root"),
        before
    );

    sandbox.must("cd /srv/root && mkdir proc sys dev etc && touch etc/resolv.conf && echo nameserver 192.0.2.1 >/etc/resolv.conf");
    let before = sandbox.must("cat /proc/self/mounts; find /srv/root");
    let script = "cat /etc/resolv.conf; ls -d /proc/1 /sys/kernel /dev/null; cat /proc/self/mounts >/dev/null && echo mounts";
    let entered = sandbox.run(&[
        "jailctl",
        "enter",
        "--mount",
        "/srv/root",
        "--",
        "sh",
        "-c",
        script,
    ]);
    assert_eq!(
        entered.ok(),
        "nameserver 192.0.2.1\n/dev/null\n/proc/1\n/sys/kernel\nmounts"
    );
    assert_eq!(
        sandbox.must("cat /proc/self/mounts; find /srv/root"),
        before
    );

    // While it runs, nobody else sees it.
    let mut pty = sandbox.terminal(&["env", "SHELL=", "jailctl", "enter", "--mount", "/srv/root"]);
    pty.expect("# ");
    assert_eq!(
        sandbox.must("cat /proc/self/mounts; find /srv/root"),
        before
    );
    pty.line("exit");
    assert_eq!(pty.finish().code(), Some(0));
}

#[test]
fn a_resolv_conf_that_belongs_to_a_service_of_the_host_is_mounted_too() {
    let sandbox = busybox();
    // As systemd-resolved has it.
    sandbox.must(
        "mkdir -p /run/resolve; echo nameserver 192.0.2.1 >/run/resolve/stub; chown daemon /run/resolve/stub
         rm -f /etc/resolv.conf; ln -s /run/resolve/stub /etc/resolv.conf
         cd /srv/root && mkdir proc sys dev etc && touch etc/resolv.conf",
    );
    let enter = ["jailctl", "enter", "--mount", "/srv/root", "--"];
    let entered = sandbox.run(&[&enter[..], &["cat", "/etc/resolv.conf"]].concat());
    assert_eq!(entered.ok(), "nameserver 192.0.2.1");
}

#[test]
fn mounts_follow_no_link_out_of_the_root() {
    let sandbox = busybox();
    sandbox.must("cd /srv/root && mkdir sys dev etc && ln -s /etc proc");
    let entered = sandbox.run(&["jailctl", "enter", "--mount", "/srv/root", "--", "ls"]);
    assert_eq!(entered.code(), Some(3), "{entered}");
}

#[test]
fn a_debian_tree_runs_a_command_and_a_shell() {
    let root = match roots::debian() {
        Ok(root) => root,
        Err(reason) => return skipped("entering a Debian tree", reason),
    };
    let sandbox = Sandbox::new().user("ann").root(root);
    let enter = ["jailctl", "enter", "--mount", "/srv/jails/ann", "--"];
    let entered = sandbox.run(&[&enter[..], &["dpkg", "--version"]].concat());
    assert!(entered.ok().contains("package management"), "{entered}");
    let entered = sandbox.run(&[&enter[..], &["bash", "-c", "cat <(echo $BASH)"]].concat());
    assert!(
        entered.ok().ends_with("/bash") || entered.ok().ends_with("bash"),
        "{entered}"
    );
}

#[test]
fn a_rehearsal_is_the_login_itself() {
    let sandbox = Sandbox::new()
        .user_with_shell("ann", JAIL_SHELL)
        .with("usermod --append --groups games ann")
        .jailed("ann")
        .root(roots::busybox());
    let facts = "echo $0; id -u; id -G; pwd; echo $HOME $USER $PATH; umask; echo /*; grep -E '^(Cap|NoNew|Seccomp|Uid|Gid)' /proc/self/status; ls /proc | grep '^[a-z]'";
    let rehearsed = sandbox.run(&["jailctl", "enter", "--user", "ann", "--", facts]);
    assert_eq!(rehearsed.ok(), sandbox.su_c("ann", facts).ok());
    let shell = ["jailctl", "enter", "--user", "ann"];
    let rehearsed = sandbox.run_with(&shell, facts.as_bytes());
    assert_eq!(rehearsed.ok(), sandbox.su_dash("ann", facts).ok());
    assert!(rehearsed.stdout.starts_with("-sh\n"), "{rehearsed}");
    let status = sandbox.run(&["jailctl", "enter", "--user", "ann", "--", "exit", "7"]);
    assert_eq!(status.code(), Some(7), "{status}");
    sandbox.logged(&["enter", r#"user="ann""#, r#"from="jailctl enter --user""#]);
}

#[test]
fn a_rehearsal_is_refused_for_the_reason_that_the_log_has() {
    let sandbox = Sandbox::new()
        .user("ann")
        .root(roots::missing_library())
        .plain_user("bob");
    let refused = sandbox.run(&["jailctl", "enter", "--user", "ann"]);
    assert_eq!(refused.code(), Some(3), "{refused}");
    assert!(
        refused
            .stderr
            .contains("required libraries are missing: libtinfo.so.6"),
        "{refused}"
    );
    for user in ["bob", "root"] {
        let refused = sandbox.run(&["jailctl", "enter", "--user", user, "--", "id"]);
        assert_eq!(
            (refused.code(), refused.stdout.as_str()),
            (Some(3), ""),
            "{refused}"
        );
    }
}

#[test]
fn a_rehearsal_behind_pam_is_the_session_of_a_host_program() {
    let sandbox = Sandbox::with_ann_behind_pam(
        roots::home(),
        "base = \"host\"\numask = \"027\"\nlimits = { nofile = 100 }",
    );
    let facts = "echo $0; id -u; id -G; pwd; echo $HOME $USER $LOGNAME $SHELL; umask; ulimit -n; echo /*; \
                 readlink /proc/self/root; grep -E '^(NoNew|Seccomp:|Uid|Gid|CapEff|CapPrm)' /proc/self/status";
    sandbox.must("usermod --append --groups games ann");
    let enter = ["jailctl", "enter", "--user", "ann"];
    // Nobody has said which door: the login shell is bash, and the stacks have the module.
    let rehearsed = sandbox.run_with(&enter, facts.as_bytes());
    assert_eq!(rehearsed.ok(), sandbox.su_dash("ann", facts).ok());
    assert!(rehearsed.stdout.starts_with("-bash\n"), "{rehearsed}");
    assert!(rehearsed.stdout.contains("\n0027\n100\n"), "{rehearsed}");
    let named = sandbox.run(&[&enter[..], &["--door", "pam", "--", "exit", "7"]].concat());
    assert_eq!(named.code(), Some(7), "{named}");
    // The other door starts the shell of the jail.
    let other = sandbox.run(&[&enter[..], &["--door", "login-shell", "--", "echo $0"]].concat());
    assert_eq!(other.ok(), "sh");
    sandbox.must("usermod -s /bin/nowhere ann");
    let refused = sandbox.run(&[&enter[..], &["--", "id"]].concat());
    assert_eq!(refused.code(), Some(3), "{refused}");
    assert!(refused.stderr.contains("execute /bin/nowhere"), "{refused}");
}

#[test]
fn nobody_but_root_enters() {
    let sandbox = Sandbox::new().user("ann").root(roots::busybox());
    for arguments in [&["--user", "ann"][..], &["/srv/jails/ann"]] {
        let refused = sandbox.run_as("ann", &[&["jailctl", "enter"], arguments].concat());
        assert_eq!(refused.code(), Some(3), "{refused}");
        assert!(refused.stderr.contains("takes root"), "{refused}");
    }
}

#[test]
fn words_behind_a_rehearsal_keep_their_bounds_and_one_is_a_line() {
    let sandbox = Sandbox::new().user("ann").root(roots::busybox());
    let said = sandbox.run(&[
        "jailctl",
        "enter",
        "--user",
        "ann",
        "--",
        "printf",
        "[%s]\\n",
        "a  b",
        "it's $HOME",
        "",
    ]);
    assert_eq!(said.ok(), "[a  b]\n[it's $HOME]\n[]");
    let said = sandbox.run(&["jailctl", "enter", "--user", "ann", "--", "cd /; echo $PWD"]);
    assert_eq!(said.ok(), "/");
}

#[test]
fn a_user_in_the_place_of_a_root_is_told_how_to_rehearse_the_login() {
    let sandbox = Sandbox::new().user("ann");
    let enter = |what: &str| sandbox.run(&["jailctl", "enter", what]);
    let said = enter("ann");
    assert_eq!(said.code(), Some(3), "{said}");
    let command = "to rehearse the user's login, run: jailctl enter --user ann\n";
    assert!(said.stderr.ends_with(command), "{said}");
    // What is missing is entered by no option.
    let said = enter("/srv/none");
    assert!(said.stderr.contains("/srv/none does not exist"), "{said}");
    assert!(!said.stderr.contains("--trust-user-files"), "{said}");
}

#[test]
fn refuses_to_run_as_root_what_a_user_can_change() {
    let sandbox = busybox();
    sandbox.must(
        "useradd -m ann; cd /srv/root; mkdir -p lib usr/bin opt home; ln -s /opt/tool usr/bin/tool",
    );
    let enter = |more: &[&str]| sandbox.run(&[&["jailctl", "enter"], more].concat());
    let run = ["/srv/root", "--", "ls", "/"];
    for (plant, away, part) in [
        ("chown ann .", "chown root .", "/srv/root belongs to uid"),
        ("chown ann ..", "chown root ..", "/srv belongs to uid"),
        ("chmod o+w bin", "chmod o-w bin", "/bin inside is mode 0757"),
        (
            "chown ann bin/busybox",
            "chown root bin/busybox",
            "/bin/busybox inside belongs to uid",
        ),
        (
            "chown -h ann bin/ls",
            "chown -h root bin/ls",
            "/bin/ls inside belongs to uid",
        ),
        (
            "chown ann lib",
            "chown root lib",
            "/lib inside belongs to uid",
        ),
        (
            "mkdir etc; touch etc/ld.so.preload; chown ann etc/ld.so.preload",
            "rm -r etc",
            "/etc/ld.so.preload inside",
        ),
        (
            "mkdir -p lib/x86_64-linux-gnu; touch lib/x86_64-linux-gnu/libc.so.6; chown ann lib/x86_64-linux-gnu/libc.so.6",
            "rm -r lib/x86*",
            "libc.so.6 inside",
        ),
        // As deep as it may lie: what a program reads there decides what it does.
        (
            "mkdir -p usr/share/perl5/a/b/c/d; touch usr/share/perl5/a/b/c/d/x.pm; chown ann usr/share/perl5/a/b/c/d/x.pm",
            "rm -r usr/share/perl5",
            "/usr/share/perl5/a/b/c/d/x.pm inside belongs to uid",
        ),
        (
            "mkdir -p etc/profile.d/more/deep; chmod o+w etc/profile.d/more/deep",
            "rm -r etc",
            "/etc/profile.d/more/deep inside is mode 0757",
        ),
        (
            "mv bin x; ln -s x bin; chown ann x",
            "rm bin; chown root x; mv x bin",
            "/x inside belongs to uid",
        ),
    ] {
        sandbox.must(&format!("cd /srv/root; {plant}"));
        let refused = enter(&run);
        assert_eq!(refused.code(), Some(3), "{plant}: {refused}");
        assert!(refused.stderr.contains(part), "{plant}: {refused}");
        assert!(
            refused.stderr.contains("--trust-user-files"),
            "{plant}: {refused}"
        );
        let trusted = enter(&[&["--trust-user-files"], &run[..]].concat());
        assert_eq!(trusted.code(), Some(0), "{plant}: {trusted}");
        sandbox.must(&format!("cd /srv/root; {away}"));
        enter(&run).ok();
    }
    // By the whole way of the program, wherever that is.
    sandbox.must(
        "cd /srv/root; cp bin/busybox home/tool; chown ann home/tool; ln -s ../home/tool opt/tool",
    );
    let refused = enter(&["/srv/root", "--", "/usr/bin/tool", "ls"]);
    assert!(
        refused.stderr.contains("/home/tool inside belongs to uid"),
        "{refused}"
    );
    assert_eq!(refused.code(), Some(3), "{refused}");
    let wrong = enter(&["--trust-user-files", "--user", "ann"]);
    assert_eq!(wrong.code(), Some(2), "{wrong}");
}
