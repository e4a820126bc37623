//! Every refusal: its exit status, the one sentence for the user, the reason in the log.

use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, roots, skipped};

const CONFIG: &str = "/etc/login-jail/config.toml";

/// A user whose jail would let them in.
fn ann() -> Sandbox {
    Sandbox::new().user("ann").root(roots::busybox())
}

/// Calls jail-shell as ann, who asks for a file that would show in the jail that it was run.
#[track_caller]
fn call(sandbox: &Sandbox) -> Outcome {
    sandbox.run_as("ann", &[JAIL_SHELL, "-c", "echo ran"])
}

/// Insists on the refusal, for the caller and in the log, with these words in the reason.
#[track_caller]
fn refused(sandbox: &Sandbox, outcome: &Outcome, status: i32, code: &str, reason: &[&str]) {
    outcome.refused(status, code);
    let code = format!("code={code} ");
    let parts = [&["refused", code.as_str()], reason].concat();
    // Nothing after it: nobody went in.
    let line = sandbox.logged_last(&parts);
    assert!(line.starts_with("<83>"), "authpriv.err: {line}");
}

#[test]
fn ann_gets_in_when_nothing_is_wrong() {
    assert_eq!(call(&ann()).ok(), "ran");
}

#[test]
fn refuses_a_caller_who_may_have_no_timer_and_names_the_limit() {
    let sandbox = ann();
    let argv = ["prlimit", "--sigpending=0", JAIL_SHELL, "-c", "echo ran"];
    let reason = ["timer_create", "raise the caller's limit (ulimit -i)"];
    refused(
        &sandbox,
        &sandbox.run_as("ann", &argv),
        123,
        "step",
        &reason,
    );
}

/// Insists on a refusal that is no login: the caller is told what is wrong with the call.
#[track_caller]
fn told(sandbox: &Sandbox, outcome: &Outcome, status: i32, code: &str, words: &str) {
    assert_eq!(outcome.code(), Some(status), "{outcome}");
    assert_eq!(outcome.stdout, "", "{outcome}");
    assert!(outcome.stderr.starts_with("jail-shell: "), "{outcome}");
    assert!(outcome.stderr.contains(words), "{outcome}");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
    sandbox.logged_last(&["refused", &format!("code={code} ")]);
}

#[test]
fn refuses_unknown_options() {
    let sandbox = ann();
    for argument in [
        "-l",
        "-i",
        "--login",
        "--config=/tmp/x",
        "--root=/",
        "id",
        "--",
        "",
    ] {
        let outcome = sandbox.run_as("ann", &[JAIL_SHELL, argument]);
        told(&sandbox, &outcome, 100, "usage", argument);
    }
    let words = ["--config", "/tmp/x"];
    let outcome = sandbox.run_as("ann", &[&[JAIL_SHELL], &words[..]].concat());
    told(&sandbox, &outcome, 100, "usage", "--config");
}

#[test]
fn refuses_c_without_a_command() {
    let sandbox = ann();
    let outcome = sandbox.run_as("ann", &[JAIL_SHELL, "-c"]);
    told(&sandbox, &outcome, 100, "usage", "-c needs a command");
}

#[test]
fn refuses_root() {
    let sandbox = ann();
    for argv in [&[JAIL_SHELL][..], &[JAIL_SHELL, "-c", "id"]] {
        told(
            &sandbox,
            &sandbox.run(argv),
            101,
            "root",
            "root is not jailed",
        );
    }
}

#[test]
fn refuses_a_user_whom_no_rule_names() {
    let sandbox = ann().user_with_shell("eve", JAIL_SHELL);
    let outcome = sandbox.run_as("eve", &[JAIL_SHELL, "-c", "id"]);
    refused(
        &sandbox,
        &outcome,
        102,
        "no-rule",
        &[r#"user="eve""#, "[users]"],
    );
}

#[test]
fn refuses_over_ssh_with_the_same_words_and_status() {
    let sandbox = ann().user_with_shell("eve", JAIL_SHELL);
    sandbox.ssh("eve", "id").refused(102, "no-rule");
    sandbox.ssh_shell("eve", "id\n").refused(102, "no-rule");
    sandbox.su_c("eve", "id").refused(102, "no-rule");
}

#[test]
fn refuses_an_exempt_user() {
    let sandbox = ann().config("exempt = [\"ann\"]\n");
    refused(
        &sandbox,
        &call(&sandbox),
        103,
        "exempt",
        &[CONFIG, "usermod -s"],
    );
}

#[test]
fn refuses_without_a_config() {
    let sandbox = ann().with(&format!("rm {CONFIG}"));
    refused(&sandbox, &call(&sandbox), 104, "config-missing", &[CONFIG]);
    sandbox.must("rm -r /etc/login-jail");
    refused(&sandbox, &call(&sandbox), 104, "config-missing", &[CONFIG]);
}

#[test]
fn refuses_a_config_that_can_not_be_read() {
    let sandbox = ann().with(&format!("truncate -s 17M {CONFIG}"));
    refused(
        &sandbox,
        &call(&sandbox),
        105,
        "config-unreadable",
        &[CONFIG],
    );
}

#[test]
fn refuses_a_config_that_others_could_have_written() {
    let spoilt = [
        (
            "chmod g+w /etc/login-jail/config.toml",
            "/etc/login-jail/config.toml is mode 0664; run: jailctl mend config-unsafe",
        ),
        (
            "chmod o+w /etc/login-jail/config.toml",
            "/etc/login-jail/config.toml is mode 0646; run: jailctl mend config-unsafe",
        ),
        (
            "chown ann /etc/login-jail/config.toml",
            "not to root; run: jailctl mend config-unsafe",
        ),
        (
            "chmod o+w /etc/login-jail",
            "/etc/login-jail is mode 0757; run: jailctl mend config-unsafe",
        ),
        (
            "chown ann /etc/login-jail",
            "not to root; run: jailctl mend config-unsafe",
        ),
        (
            "chmod g+w /etc",
            "/etc is mode 0775; run: jailctl mend config-unsafe",
        ),
        (
            "mv /etc/login-jail/config.toml /etc/x; ln -s /etc/x /etc/login-jail/config.toml",
            "/etc/login-jail/config.toml is a symbolic link",
        ),
        (
            "mv /etc/login-jail /etc/x; ln -s /etc/x /etc/login-jail",
            "/etc/login-jail is a symbolic link",
        ),
        (
            "rm /etc/login-jail/config.toml; mkfifo /etc/login-jail/config.toml",
            "/etc/login-jail/config.toml is a FIFO",
        ),
        (
            "mkdir -p /etc/login-jail/users.d; chmod g+w /etc/login-jail/users.d",
            "/etc/login-jail/users.d is mode 0775; run: jailctl mend config-unsafe",
        ),
        (
            "mkdir -p /etc/login-jail/users.d; echo >/etc/login-jail/users.d/ann.toml
             chown ann /etc/login-jail/users.d/ann.toml",
            "not to root; run: jailctl mend config-unsafe",
        ),
    ];
    let sandbox = ann();
    for (spoil, reason) in spoilt {
        sandbox.must("rm -rf /tmp/kept; cp -a /etc/login-jail /tmp/kept");
        sandbox.must(spoil);
        refused(&sandbox, &call(&sandbox), 106, "config-unsafe", &[reason]);
        sandbox
            .must("chmod g-w /etc; rm -rf /etc/login-jail /etc/x; cp -a /tmp/kept /etc/login-jail");
    }
    assert_eq!(
        call(&sandbox).ok(),
        "ran",
        "the last way of spoiling was undone"
    );
}

#[test]
fn refuses_a_config_with_errors() {
    let sandbox = ann();
    for (text, reason) in [
        ("[users\n", "config.toml:1"),
        ("[users]\nann = \"web\"\n", "web"),
        (
            "[users]\nann = \"/srv/jails/ann\"\nann = \"/srv\"\n",
            "config.toml:3",
        ),
        ("shel = \"/bin/sh\"\n", "shel"),
        ("[users]\nann = 7\n", "config.toml:2"),
    ] {
        let sandbox_log = sandbox.log().len();
        sandbox.write(CONFIG, text);
        refused(
            &sandbox,
            &call(&sandbox),
            107,
            "config-wrong",
            &[CONFIG, reason],
        );
        // An earlier line may have been taken for this one's, which is on its way.
        sandbox.wait_until(|| (sandbox.log().len() > sandbox_log).then_some(()));
        assert_eq!(
            sandbox.log().len(),
            sandbox_log + 1,
            "one line for one refusal"
        );
    }
}

#[test]
fn names_every_error_of_the_config_at_once() {
    let sandbox = ann().config("colour = 1\n[jails.web]\nrood = \"/srv\"\n");
    refused(
        &sandbox,
        &call(&sandbox),
        107,
        "config-wrong",
        &["colour", "rood"],
    );
}

#[test]
fn refuses_a_caller_without_an_account() {
    let sandbox = ann();
    let words = [
        "setpriv",
        "--reuid=4242",
        "--regid=4242",
        "--clear-groups",
        JAIL_SHELL,
        "-c",
        "id",
    ];
    refused(&sandbox, &sandbox.run(&words), 108, "account", &["4242"]);
}

#[test]
fn refuses_a_missing_root() {
    let sandbox = Sandbox::new().user("ann");
    let reason = ["/srv/jails/ann", "does not exist"];
    refused(&sandbox, &call(&sandbox), 110, "root-missing", &reason);
}

#[test]
fn refuses_a_root_that_is_no_directory() {
    let sandbox = Sandbox::new()
        .user("ann")
        .with("mkdir -p /srv/jails; touch /srv/jails/ann");
    let reason = ["/srv/jails/ann is a regular file"];
    refused(
        &sandbox,
        &call(&sandbox),
        111,
        "root-not-directory",
        &reason,
    );
}

#[test]
fn refuses_a_root_below_a_file() {
    let sandbox = Sandbox::new().user("ann").with("touch /srv/jails");
    let reason = ["/srv/jails is a regular file"];
    refused(
        &sandbox,
        &call(&sandbox),
        111,
        "root-not-directory",
        &reason,
    );
}

#[test]
fn refuses_a_root_that_others_could_change() {
    let sandbox = ann();
    for (spoil, mend, reason) in [
        (
            "chmod g+w /srv/jails/ann",
            "chmod g-w /srv/jails/ann",
            "/srv/jails/ann is mode 0775; run: jailctl mend root /srv/jails/ann",
        ),
        (
            "chmod o+w /srv/jails/ann",
            "chmod o-w /srv/jails/ann",
            "/srv/jails/ann is mode 0757; run: jailctl mend root /srv/jails/ann",
        ),
        (
            "chown ann /srv/jails/ann",
            "chown root /srv/jails/ann",
            "not to root; run: jailctl mend root /srv/jails/ann",
        ),
        (
            "chmod 0777 /srv/jails",
            "chmod 0755 /srv/jails",
            "/srv/jails is mode 0777; run: jailctl mend root /srv/jails/ann",
        ),
        (
            "chmod 1777 /srv/jails",
            "chmod 0755 /srv/jails",
            "/srv/jails is mode 1777; others need it so: choose another place",
        ),
        (
            "chown ann /srv",
            "chown root /srv",
            "not to root; run: jailctl mend root /srv/jails/ann",
        ),
        // A service needs what belongs to its account.
        (
            "chown daemon /srv",
            "chown root /srv",
            "an account of the system, whose service needs it: choose another place",
        ),
        (
            "mv /srv/jails/ann /srv/x; ln -s /srv/x /srv/jails/ann",
            "rm /srv/jails/ann; mv /srv/x /srv/jails/ann",
            "/srv/jails/ann is a symbolic link",
        ),
        (
            "mv /srv/jails /srv/x; ln -s x /srv/jails",
            "rm /srv/jails; mv /srv/x /srv/jails",
            "/srv/jails is a symbolic link",
        ),
    ] {
        sandbox.must(spoil);
        refused(
            &sandbox,
            &call(&sandbox),
            112,
            "root-unsafe",
            &["/srv/jails/ann", reason],
        );
        sandbox.must(mend);
    }
    assert_eq!(
        call(&sandbox).ok(),
        "ran",
        "the last way of spoiling was undone"
    );
}

#[test]
fn refuses_a_root_that_an_acl_lets_others_change() {
    let sandbox = ann();
    let acl = sandbox.sh("command -v setfacl && setfacl -m u:ann:rwx /srv/jails/ann");
    if !acl.status.success() {
        skipped("an ACL on a root", acl);
        return;
    }
    refused(
        &sandbox,
        &call(&sandbox),
        112,
        "root-unsafe",
        &["/srv/jails/ann"],
    );
}

#[test]
fn refuses_a_root_without_the_shell() {
    let sandbox = ann().with("rm /srv/jails/ann/bin/sh");
    refused(
        &sandbox,
        &call(&sandbox),
        113,
        "shell-missing",
        &["/bin/sh"],
    );
}

#[test]
fn refuses_a_shell_that_can_not_be_executed() {
    let sandbox = ann().with("chmod 644 /srv/jails/ann/bin/busybox");
    let reason = ["/bin/sh", "execute bit"];
    refused(&sandbox, &call(&sandbox), 124, "exec", &reason);
}

#[test]
fn refuses_a_shell_that_is_a_link_to_the_host() {
    let sandbox = ann().with("ln -sf /usr/bin/dash /srv/jails/ann/bin/sh");
    refused(
        &sandbox,
        &call(&sandbox),
        113,
        "shell-missing",
        &["/bin/sh"],
    );
}

#[test]
fn refuses_a_shell_without_its_interpreter() {
    let sandbox = Sandbox::new()
        .user("ann")
        .root(roots::missing_interpreter());
    let reason = ["/bin/bash", "ld-linux"];
    refused(
        &sandbox,
        &call(&sandbox),
        114,
        "interpreter-missing",
        &reason,
    );
}

#[test]
fn refuses_a_shell_without_one_of_its_libraries() {
    let sandbox = Sandbox::new().user("ann").root(roots::missing_library());
    let reason = ["/bin/bash", "libtinfo.so.6"];
    refused(&sandbox, &call(&sandbox), 115, "library-missing", &reason);
}

#[test]
fn refuses_a_home_that_is_asked_for_and_missing() {
    let sandbox = ann().config(
        "[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{user}\"\n\
         home = \"/nowhere\"\n",
    );
    refused(
        &sandbox,
        &call(&sandbox),
        116,
        "home-missing",
        &["/nowhere", "jailctl mend home-missing ann\""],
    );
}

#[test]
fn refuses_a_home_that_the_user_may_not_enter() {
    let sandbox =
        ann().with("chown root /srv/jails/ann/home/ann; chmod 700 /srv/jails/ann/home/ann");
    refused(
        &sandbox,
        &call(&sandbox),
        116,
        "home-missing",
        &["/home/ann"],
    );
}

#[test]
fn starts_in_the_root_where_there_is_no_home() {
    let sandbox = ann().with("rmdir /srv/jails/ann/home/ann");
    assert_eq!(sandbox.ssh("ann", "pwd; echo $HOME").ok(), "/\n/");
}

#[test]
fn refuses_sftp_in_a_jail_without_an_sftp_server() {
    let sandbox = ann()
        .sshd("Subsystem sftp internal-sftp")
        .sshd("ForceCommand /usr/bin/jail-shell");
    let outcome = sandbox.sftp("ann", "ls");
    assert_ne!(outcome.code(), Some(0), "{outcome}");
    sandbox.logged(&["refused", "code=sftp-missing "]);
    let words = ["env", "SSH_ORIGINAL_COMMAND=internal-sftp", JAIL_SHELL];
    refused(
        &sandbox,
        &sandbox.run_as("ann", &words),
        117,
        "sftp-missing",
        &["jailctl mend sftp-server-missing ann, or"],
    );
}

#[test]
fn refuses_a_directory_as_standard_descriptor() {
    let sandbox = ann();
    let outcome = sandbox.run_as("ann", &["sh", "-c", "exec jail-shell -c 'echo ran' </"]);
    refused(
        &sandbox,
        &outcome,
        118,
        "descriptor",
        &["descriptor 0", "directory"],
    );
    for number in [1, 2] {
        let script = format!("exec jail-shell -c 'echo ran' {number}</");
        let outcome = sandbox.run_as("ann", &["sh", "-c", &script]);
        assert_eq!(outcome.code(), Some(118), "{outcome}");
    }
}

#[test]
fn refuses_a_file_of_the_kernels_as_standard_descriptor_and_takes_it_through_a_pipe() {
    let sandbox = ann();
    let script = "exec jail-shell -c 'echo ran' </proc/self/status";
    let outcome = sandbox.run_as("ann", &["sh", "-c", script]);
    let said = ["descriptor 0 is a file of proc", "cat FILE | "];
    refused(&sandbox, &outcome, 118, "descriptor", &said);
    let script = "cat /proc/self/status | exec jail-shell -c 'read line; echo $line'";
    let outcome = sandbox.run_as("ann", &["sh", "-c", script]);
    assert!(outcome.ok().starts_with("Name:"), "{outcome}");
}

#[test]
fn what_help_waits_for_is_no_process_of_roots() {
    let sandbox = ann();
    for option in ["--help", "--version"] {
        // A pipe that is full, and whose reader takes nothing.
        let status = sandbox.must(&format!(
            "rm -f /run/full; mkfifo -m 666 /run/full
             exec 8<>/run/full; dd if=/dev/zero of=/run/full bs=65536 count=1 2>/dev/null
             setpriv --reuid ann --regid ann --clear-groups --reset-env {JAIL_SHELL} {option} >/run/full 8>&- &
             pid=$!; for _ in $(seq 100); do grep -q pipe /proc/$pid/wchan && break; sleep 0.02; done
             grep -E '^(Name|Uid|Gid|CapPrm|CapEff)' /proc/$pid/status; kill -9 $pid"
        ));
        let [uid, gid] = ["u", "g"].map(|which| sandbox.must(&format!("id -{which} ann")));
        let none = "0000000000000000";
        let four = |name: &str, id: &str| format!("{name}:\t{id}\t{id}\t{id}\t{id}");
        let expected = [
            "Name:\tjail-shell".to_owned(),
            four("Uid", &uid),
            four("Gid", &gid),
            format!("CapPrm:\t{none}"),
            format!("CapEff:\t{none}"),
        ];
        assert_eq!(status, expected.join("\n"), "{option}");
    }
}

#[test]
fn accepts_closed_standard_descriptors() {
    let sandbox = ann();
    let script = "exec jail-shell -c 'echo ran >ran' <&- >&- 2>&-";
    sandbox.run_as("ann", &["sh", "-c", script]).ok();
    assert_eq!(sandbox.read("/srv/jails/ann/home/ann/ran"), "ran");
}

#[test]
fn refuses_when_it_is_not_setuid() {
    let sandbox = ann().with("chmod u-s /usr/bin/jail-shell");
    refused(&sandbox, &call(&sandbox), 119, "no-setuid", &["mode 4755"]);
}

#[test]
fn refuses_when_the_setuid_bit_is_not_roots() {
    let sandbox = ann().with("chown bin /usr/bin/jail-shell; chmod 4755 /usr/bin/jail-shell");
    let outcome = call(&sandbox);
    assert_ne!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(outcome.stdout, "");
}

#[test]
fn refuses_on_a_nosuid_mount() {
    let sandbox = ann().with(
        "mount --bind /usr/bin/jail-shell /usr/bin/jail-shell
         mount -o remount,bind,nosuid /usr/bin/jail-shell",
    );
    refused(&sandbox, &call(&sandbox), 120, "nosuid", &["nosuid"]);
}

#[test]
fn refuses_under_no_new_privs() {
    let sandbox = ann();
    let words = ["setpriv", "--no-new-privs", JAIL_SHELL, "-c", "echo ran"];
    refused(
        &sandbox,
        &sandbox.run_as("ann", &words),
        121,
        "no-new-privs",
        &["no_new_privs"],
    );
}

#[test]
fn refuses_with_a_reduced_bounding_set() {
    let sandbox = ann();
    for missing in ["sys_chroot", "setuid", "setgid", "setpcap"] {
        let bounding = format!("--bounding-set=-{missing}");
        let words = [
            "setpriv",
            "--reuid=ann",
            "--regid=ann",
            "--init-groups",
            &bounding,
            JAIL_SHELL,
            "-c",
            "echo ran",
        ];
        let outcome = sandbox.run(&words);
        refused(&sandbox, &outcome, 122, "capabilities", &[]);
    }
}

#[test]
fn refuses_in_a_user_namespace() {
    let sandbox = ann();
    for map in ["--map-root-user", "--map-current-user"] {
        let outcome = sandbox.run_as(
            "ann",
            &["unshare", "--user", map, JAIL_SHELL, "-c", "echo ran"],
        );
        assert!(outcome.code().is_some_and(|code| code > 100), "{outcome}");
        assert_eq!(outcome.stdout, "", "{outcome}");
    }
}

#[test]
fn refuses_a_program_of_another_machine() {
    // The ELF header of a machine that this is not, and nothing after it.
    let foreign = r"printf '\177ELF\002\001\001\000\000\000\000\000\000\000\000\000\002\000\026\000\001\000\000\000' >/srv/jails/ann/bin/sh2";
    let sandbox = ann().with(foreign).with("chmod 755 /srv/jails/ann/bin/sh2; rm /srv/jails/ann/bin/sh; mv /srv/jails/ann/bin/sh2 /srv/jails/ann/bin/sh");
    let outcome = call(&sandbox);
    assert!(matches!(outcome.code(), Some(113 | 124)), "{outcome}");
    assert_eq!(outcome.stdout, "");
}

#[test]
fn help_and_version_need_neither_config_nor_rule() {
    let sandbox = Sandbox::new().with("rm -rf /etc/login-jail");
    let help = sandbox.run_as("nobody", &[JAIL_SHELL, "--help"]);
    assert!(help.ok().contains("jail-shell"), "{help}");
    assert!(help.ok().contains("-c COMMAND"), "{help}");
    let version = sandbox.run_as("nobody", &[JAIL_SHELL, "--version"]);
    assert_eq!(
        version.ok(),
        concat!("jail-shell ", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(sandbox.run(&[JAIL_SHELL, "--version"]).ok(), version.ok());
}

#[test]
fn a_forged_log_line_stays_one_line() {
    let sandbox = ann();
    let forged = "echo ran; : '\n<86>jail-shell[1]: enter user=\"root\" \u{1b}[2J\u{9b}\u{202e}'";
    assert_eq!(
        sandbox.run_as("ann", &[JAIL_SHELL, "-c", forged]).ok(),
        "ran"
    );
    let line = sandbox.logged(&["enter", r#"user="ann""#]);
    // The sandbox would show a newline in the datagram as U+2424.
    for raw in ['\u{2424}', '\u{1b}', '\u{9b}', '\u{202e}'] {
        assert!(!line.contains(raw), "{line}");
    }
    let lines = sandbox.log();
    let others = lines.iter().filter(|other| **other != line);
    for other in others {
        assert!(other.contains("]: leave uid="), "{other}");
    }
}

#[test]
fn the_log_does_not_stop_a_login_when_nobody_reads_it() {
    let sandbox = ann().with("rm /dev/log");
    assert_eq!(call(&sandbox).ok(), "ran");
}

#[test]
fn refuses_a_root_that_the_user_may_not_search() {
    let sandbox = ann().with("chmod 0700 /srv/jails/ann");
    let outcome = call(&sandbox);
    let code = "root-unsearchable";
    refused(
        &sandbox,
        &outcome,
        125,
        code,
        &[
            "enter the root directory as the user",
            "jailctl mend root-unsearchable ann\"",
        ],
    );
}

#[test]
fn refuses_the_hosts_own_root_mounted_elsewhere() {
    let sandbox = ann().with("mount --bind / /srv/jails/ann");
    let outcome = call(&sandbox);
    refused(
        &sandbox,
        &outcome,
        112,
        "root-unsafe",
        &["/srv/jails/ann is the host's own root"],
    );
}

#[test]
fn refuses_a_decision_that_a_nameless_group_could_have_changed() {
    let sandbox = ann().with(
        "groupadd -g 4242 gone; usermod -aG gone ann; groupadd lax; usermod -aG lax ann\n\
         sed -i '/^ann = /d; s/^\\[users\\]/[groups]\\ngone = \"ann\"\\nlax = \"ann\"\\n[users]/' \
         /etc/login-jail/config.toml\n\
         sed -i '/^gone:/d' /etc/group",
    );
    let words = [
        "setpriv",
        "--reuid=ann",
        "--regid=ann",
        "--groups=4242,1001",
        JAIL_SHELL,
        "-c",
        "echo ran",
    ];
    let outcome = sandbox.run(&words);
    refused(
        &sandbox,
        &outcome,
        108,
        "account",
        &["group 4242 of the user has no name"],
    );
}

#[test]
fn refuses_the_second_account_of_a_uid() {
    let sandbox =
        ann().with("useradd -m -o -u $(id -u ann) -g ann -p '*' -s /usr/bin/jail-shell eve");
    let outcome = sandbox.su_dash_c("eve", "echo ran");
    refused(
        &sandbox,
        &outcome,
        108,
        "account",
        &["the account \\\"eve\\\" has the same uid"],
    );
}

#[test]
fn refuses_sftp_that_would_end_without_a_word() {
    // A private /dev has what it needs.
    let sandbox = ann().isolation("chroot").with(
        "mkdir -p /srv/jails/ann/usr/lib/openssh; cp /bin/busybox /srv/jails/ann/usr/lib/openssh/sftp-server; rm -f /srv/jails/ann/dev/null",
    );
    let words = [JAIL_SHELL, "-c", "/usr/lib/openssh/sftp-server"];
    let outcome = sandbox.run_as("ann", &words);
    refused(
        &sandbox,
        &outcome,
        117,
        "sftp-missing",
        &["needs /dev/null", "jailctl mend null-missing ann\""],
    );
}

#[test]
fn a_full_key_quota_of_the_users_does_not_keep_them_out() {
    let sandbox = ann();
    let used_up = "import ctypes\nlibc = ctypes.CDLL(None)\n\
                   for i in range(400): libc.syscall(248, b'user', b'k%d' % i, b'x', 1, -4)\n";
    sandbox.write("/run/used-up.py", used_up);
    if sandbox.sh("/usr/bin/python3 --version").code() != Some(0) {
        return skipped("a full key quota", "there is no /usr/bin/python3 here");
    }
    let command = format!("/usr/bin/python3 /run/used-up.py; {JAIL_SHELL} -c 'echo ran'");
    let outcome = sandbox.run_as("ann", &["/bin/sh", "-c", &command]);
    assert_eq!(outcome.ok(), "ran");
}
