//! Behind PAM: real programs open sessions, and what they do for a jailed user happens in the jail.

use login_jail_tests::{Outcome, Pty, Sandbox, roots};

/// What every session must agree on, one fact a line.
const FACTS: &str = "id -u; id -G; pwd; echo /*; grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status | tr '\\t' ' '; ls /proc | grep -cE '^1$'; ls /srv /var/log 2>&1; true";
const HOME: &str = "/srv/jails/ann/home/ann";

fn ann() -> Sandbox {
    Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\"\nshell = \"/bin/bash\"")
        .with("usermod --append --groups games ann; mkdir -p /home/ann")
}

/// The facts of a session in the jail; `directory` is where it starts.
fn inside(sandbox: &Sandbox, directory: &str) -> String {
    let ids = sandbox.must("id -u ann; id -G ann");
    let top = sandbox
        .must("cd /; echo /bin /dev /etc /home $(ls -d /lib*) /proc /run /sbin /tmp /usr /var");
    let words = [
        ids.as_str(),
        directory,
        &top,
        "NoNewPrivs: 1",
        "Seccomp: 2",
        "0",
        "ls: cannot access '/srv': No such file or directory",
        "ls: cannot open directory '/var/log': Permission denied",
    ];
    words.join("\n")
}

/// Asks on a terminal, then leaves.
fn on_terminal(mut pty: Pty, ask: &str) -> (String, Outcome) {
    pty.expect("$ ");
    pty.line(&format!("echo be''gin; {ask}; echo e''nd"));
    pty.expect("begin\r\n");
    let facts = pty.expect("\r\nend\r\n").replace('\r', "");
    pty.line("exit 7");
    (facts, pty.finish())
}

#[test]
fn sshd_by_key_is_inside() {
    let sandbox = ann();
    assert_eq!(
        sandbox.ssh("ann", FACTS).ok(),
        inside(&sandbox, "/home/ann")
    );
    assert_eq!(sandbox.ssh("ann", "exit 7").code(), Some(7));
    assert!(
        sandbox
            .ssh_shell("ann", FACTS)
            .ok()
            .ends_with(&inside(&sandbox, "/home/ann"))
    );
    let line = sandbox.module_logged(&["enter", r#"user="ann""#]);
    for part in [
        r#"jail="web""#,
        r#"root="/srv/jails/ann""#,
        r#"from="127.0.0.1""#,
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
}

#[test]
fn sshd_by_password_is_inside() {
    let sandbox = ann().sshd("Match all\nPasswordAuthentication yes");
    let shown = sandbox.ssh_by_password("ann", "secret", "echo /*").finish();
    assert!(shown.ok().contains("/bin /dev /etc /home"), "{shown}");
    assert!(!shown.ok().contains("/srv"), "{shown}");
}

#[test]
fn sshd_gives_a_terminal_that_works_and_records_it_on_the_host() {
    let sandbox = ann().with("rm -f /var/log/lastlog; touch /var/log/wtmp /var/log/lastlog; chmod 664 /var/log/wtmp /var/log/lastlog");
    let (facts, end) = on_terminal(sandbox.ssh_tty("ann", None), "tty; id -un; ls /var/run/");
    assert!(facts.starts_with("/dev/pts/0\nann\n"), "{facts}");
    assert!(facts.contains("Permission denied"), "{facts}");
    assert_eq!(end.code(), Some(7), "{end}");
    let recorded = || {
        let last = sandbox.must("last -w -f /var/log/wtmp ann");
        last.contains(" (00:0").then_some(last)
    };
    let last = sandbox.wait_until(recorded);
    assert!(
        last.is_some(),
        "{}",
        sandbox.must("last -w -f /var/log/wtmp")
    );
    let lastlog = sandbox.must("lastlog -u ann");
    assert!(lastlog.contains("127.0.0.1"), "{lastlog}");
}

#[test]
fn sshd_closes_the_session() {
    let sandbox = ann();
    sandbox.ssh("ann", "true").ok();
    let closed = sandbox.wait_until(|| {
        let log = sandbox.syslog();
        log.contains("pam_unix(sshd:session): session closed for user ann")
            .then_some(())
    });
    assert!(closed.is_some(), "{}", sandbox.syslog());
    assert_eq!(
        sandbox.must("grep -c /srv/jails /proc/self/mounts || true"),
        "0"
    );
}

#[test]
fn sshd_transfers_files_inside_only() {
    for subsystem in ["internal-sftp", "/usr/lib/openssh/sftp-server"] {
        let sandbox = ann()
            .sshd(&format!("Subsystem sftp {subsystem}"))
            .with("echo text >/tmp/here; echo secret >/srv/outside");
        let batch = "pwd\nput /tmp/here there\nget there /tmp/back\n";
        let shown = sandbox.sftp("ann", batch);
        assert!(
            shown.ok().contains("Remote working directory: /home/ann"),
            "{shown}"
        );
        assert_eq!(sandbox.read(&format!("{HOME}/there")), "text");
        assert_eq!(sandbox.sftp("ann", "ls /srv/outside").code(), Some(1));
        for protocol in ["-O", "-s"] {
            sandbox
                .scp(&[protocol, "ann@127.0.0.1:there", "/tmp/back2"])
                .ok();
            assert_eq!(sandbox.must("cat /tmp/back2; rm /tmp/back2"), "text");
            sandbox
                .scp(&[protocol, "/tmp/here", "ann@127.0.0.1:again"])
                .ok();
            assert_eq!(
                sandbox.must(&format!("cat {HOME}/again; rm {HOME}/again")),
                "text"
            );
            let outside = sandbox.scp(&[protocol, "ann@127.0.0.1:/srv/outside", "/tmp/stolen"]);
            assert_ne!(outside.code(), Some(0), "{outside}");
        }
    }
}

#[test]
fn sshd_forwards_ports_and_the_agent() {
    let sandbox = ann();
    let words = sandbox.ssh_argv("ann", &["-N", "-L", "2222:127.0.0.1:22"], None);
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let banner = sandbox.must(&format!(
        "{} >/dev/null 2>&1 & pid=$!
         for i in 1 2 3 4 5 6 7 8 9; do
             ssh-keyscan -p 2222 -t ed25519 127.0.0.1 2>/dev/null && break; sleep 0.3; done
         kill $pid",
        quoted.join(" ")
    ));
    assert!(banner.contains("ssh-ed25519"), "{banner}");

    let words = sandbox.ssh_argv("ann", &["-A"], Some("ssh-add -l; echo $SSH_AUTH_SOCK"));
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let listed = sandbox.must(&format!(
        "eval $(ssh-agent) >/dev/null; ssh-add -q /etc/ssh/sandbox/client; {}; kill $SSH_AGENT_PID",
        quoted.join(" ")
    ));
    assert!(listed.contains("(ED25519)"), "{listed}");
    assert!(listed.contains("/tmp/ssh-"), "{listed}");
}

#[test]
fn channels_of_one_connection_share_the_jail() {
    let sandbox = ann();
    let words = sandbox.ssh_argv("ann", &["-S", "/run/channels"], None);
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let ssh = quoted.join(" ");
    let seen = sandbox.must(&format!(
        "{ssh} -M -N >/dev/null 2>&1 & master=$!
         until [ -S /run/channels ]; do sleep 0.05; done
         {ssh} 'echo shared >/tmp/note; sleep 5 >/dev/null 2>&1 & echo $! >/tmp/pid'
         {ssh} 'cat /tmp/note; kill $(cat /tmp/pid) && echo killed; ls -d /srv 2>/dev/null; true'
         kill $master"
    ));
    assert_eq!(seen, "shared\nkilled");
}

#[test]
fn sshd_makes_new_keys_in_the_middle_of_a_session() {
    let sandbox = ann();
    // With pauses: all at once it is over before the keys are.
    let command = "for i in 1 2 3 4 5; do head -c 200000 /dev/zero; sleep 0.2; done";
    let seen = sandbox.ssh_loud("ann", "DEBUG1", &["-o", "RekeyLimit=64K"], command);
    assert_eq!(seen.code(), Some(0), "{}", seen.stderr);
    assert_eq!(seen.stdout.len(), 1_000_000);
    // The first are those of the beginning.
    assert!(seen.stderr.matches("SSH2_MSG_NEWKEYS received").count() > 3);
}

#[test]
fn login_is_inside_on_its_terminal() {
    let sandbox = ann();
    // login(1) of util-linux opens it again by its name.
    let ask = format!(
        r#"tty; exec 3<>"$(tty)" && echo opened; [ /dev/console -ef "$(tty)" ] || echo other; {FACTS}"#
    );
    let (facts, _) = on_terminal(sandbox.login("ann", "secret"), &ask);
    let (name, rest) = facts.split_once('\n').unwrap();
    assert!(name.starts_with("/dev/pts/"), "{facts}");
    assert_eq!(rest, format!("opened\n{}", inside(&sandbox, "/home/ann")));
}

/// The names before it would take more open files than it may have.
#[test]
fn su_goes_in_where_its_terminal_can_have_no_name() {
    let sandbox = ann();
    sandbox.must(
        "python3 -c 'import os, time; all = [os.openpty() for n in range(40)]; print(1, flush=True); time.sleep(600)' >/tmp/opened 2>&1 &
         until [ -s /tmp/opened ]; do sleep 0.02; done",
    );
    let script = "tty; ulimit -n 32; exec su ann -c 'echo in; tty'";
    let shown = sandbox.terminal(&["sh", "-c", script]).finish();
    let (outside, inside) = shown.ok().split_once("\r\n").unwrap();
    let number: u32 = outside.rsplit('/').next().unwrap().parse().unwrap();
    assert!(number >= 32, "{shown}");
    assert_eq!(inside, "in\r\n/dev/console", "{shown}");
}

#[test]
fn su_is_inside() {
    let sandbox = ann();
    assert_eq!(
        sandbox.su_dash_c("ann", FACTS).ok(),
        inside(&sandbox, "/home/ann")
    );
    assert_eq!(sandbox.su_c("ann", "exit 7").code(), Some(7));
    let seen = sandbox.run(&["su", "-s", "/bin/sh", "ann", "-c", "echo /srv/*"]);
    assert_eq!(seen.ok(), "/srv/*");
}

#[test]
fn su_hands_no_descriptor_of_its_callers_in() {
    let sandbox = ann();
    let script = "exec 8</etc/shadow 9</srv; su ann -c 'ls /proc/self/fd; cat <&8'";
    let seen = sandbox.run(&["bash", "-c", script]);
    assert!(!seen.stdout.contains("root:"), "{seen}");
    assert!(seen.stderr.contains("8: Bad file descriptor"), "{seen}");
    assert!(
        !seen.stdout.lines().any(|line| ["8", "9"].contains(&line)),
        "{seen}"
    );
}

#[test]
fn sudo_is_inside() {
    let sandbox = ann();
    let seen = sandbox.run(&[
        "sudo",
        "-u",
        "ann",
        "sh",
        "-c",
        "cd; echo $(pwd) /srv/*; id -u",
    ]);
    let uid = sandbox.must("id -u ann");
    assert_eq!(seen.ok(), format!("/home/ann /srv/*\n{uid}"));
}

#[test]
fn a_cron_job_is_inside() {
    let sandbox = ann();
    let expected = format!("{}\n", inside(&sandbox, "/home/ann"));
    let seen = sandbox.cron("ann", FACTS, HOME).unwrap_or_default();
    assert_eq!(
        format!("{}\n", seen.trim_end()),
        expected,
        "{}",
        sandbox.syslog()
    );
}

#[test]
fn an_at_job_is_inside() {
    let sandbox = ann();
    let seen = sandbox.at("ann", FACTS, HOME).unwrap_or_default();
    assert_eq!(
        seen.trim_end(),
        inside(&sandbox, "/"),
        "{}",
        sandbox.syslog()
    );
}

#[test]
fn vsftpd_is_inside() {
    let sandbox = ann()
        .vsftpd()
        .with("echo text >/tmp/here; echo secret >/srv/outside");
    let top = sandbox.ftp("ann", "/", &["--list-only"]);
    let mut top: Vec<&str> = top.ok().lines().collect();
    top.sort_unstable();
    assert!(top.contains(&"home") && !top.contains(&"srv"), "{top:?}");
    sandbox.ftp("ann", "there", &["-T", "/tmp/here"]).ok();
    assert_eq!(sandbox.read(&format!("{HOME}/there")), "text");
    assert_ne!(sandbox.ftp("ann", "/srv/outside", &[]).code(), Some(0));
}

#[test]
fn root_and_exempt_users_pass_unjailed_and_a_user_without_a_rule_is_refused() {
    let sandbox = ann()
        .plain_user("bob")
        .with("chpasswd <<-E\n\tbob:secret\n\tE");
    assert_eq!(sandbox.ssh("root", "echo /srv").ok(), "/srv");
    let refused = sandbox.ssh("bob", "echo GOTIN");
    assert_ne!(refused.code(), Some(0));
    assert!(!refused.stdout.contains("GOTIN"), "{refused}");
    sandbox.module_logged(&["refused code=no-rule", r#"user="bob""#]);
    let config = sandbox.read("/etc/login-jail/config.toml");
    sandbox.write(
        "/etc/login-jail/config.toml",
        format!("unlisted = \"exempt\"\n{config}\n"),
    );
    assert_eq!(sandbox.ssh("bob", "ls -d /srv/jails").ok(), "/srv/jails");
    assert_ne!(sandbox.ssh("ann", "ls -d /srv/jails").code(), Some(0));
}

#[test]
fn the_account_stage_refuses_a_broken_jail_with_one_sentence() {
    let sandbox = ann().with("chmod 777 /srv/jails");
    let refused = sandbox.ssh_loud("ann", "INFO", &[], "echo GOTIN");
    assert_ne!(refused.code(), Some(0));
    let sentence = "login refused (root-unsafe); ask the administrator, who finds the reason in the authpriv log";
    assert!(refused.stderr.contains(sentence), "{refused}");
    let line = sandbox.module_logged(&["refused code=root-unsafe", "(sshd:account)"]);
    assert!(
        line.contains("/srv/jails is mode 0777; run: jailctl mend root /srv/jails/ann"),
        "{line}"
    );
    sandbox.set_pam_lines("required", "quiet");
    let refused = sandbox.ssh_loud("ann", "INFO", &[], "echo GOTIN");
    assert!(!refused.stderr.contains("login refused"), "{refused}");
    assert_ne!(refused.code(), Some(0));
}

#[test]
fn chroot_isolation_is_inside_its_own_root() {
    let sandbox = Sandbox::with_ann_behind_pam(
        roots::busybox(),
        "isolation = \"chroot\"\nshell = \"/bin/sh\"",
    )
    .with("usermod -s /bin/sh ann; mkdir -p /srv/jails/ann/proc");
    for seen in [
        sandbox.ssh("ann", "cat /etc/issue; ls /srv"),
        sandbox.su_dash_c("ann", "cat /etc/issue; ls /srv"),
    ] {
        assert!(seen.stdout.contains("a jail of busybox"), "{seen}");
        assert!(seen.stderr.contains("/srv: No such file"), "{seen}");
    }
}

#[test]
fn a_root_without_a_base_is_inside() {
    let sandbox = Sandbox::with_ann_behind_pam(roots::busybox(), "shell = \"/bin/sh\"")
        .with("usermod -s /bin/sh ann");
    let seen = sandbox.ssh("ann", "cat /etc/issue; ls /srv; ls /proc | grep -c '^1$'");
    assert_eq!(
        seen.stdout,
        "a jail of busybox\n0\n",
        "{seen} {}",
        sandbox.syslog()
    );
}

#[test]
fn host_programs_may_change_the_root_once_more() {
    let sandbox = ann()
        .sshd("Subsystem sftp internal-sftp\nMatch User ann\nChrootDirectory /home")
        .with("touch /srv/jails/ann/home/ann/mine");
    let seen = sandbox.sftp("ann", "ls -1 /\nls -1 /ann\n");
    assert!(
        seen.ok().contains("/ann\n") && seen.ok().contains("mine"),
        "{seen}"
    );
    sandbox.write(
        "/run/vsftpd.conf",
        "listen=YES\nlisten_address=127.0.0.1\nbackground=YES\nlocal_enable=YES\nsession_support=YES\n\
         pam_service_name=vsftpd\nsecure_chroot_dir=/run/vsftpd/empty\nchroot_local_user=YES\n\
         allow_writeable_chroot=YES\n",
    );
    sandbox.must("mkdir -p /run/vsftpd/empty; vsftpd /run/vsftpd.conf; sleep 0.2");
    assert_eq!(sandbox.ftp("ann", "/", &["--list-only"]).ok(), "mine");
}

#[test]
fn vsftpd_is_behind_the_walls() {
    let sandbox = ann().vsftpd();
    // A session that stays open while it is looked at.
    let shown = sandbox.run(&[
        "bash",
        "-c",
        "exec 3<>/dev/tcp/127.0.0.1/21; read -u 3 line
         printf 'USER ann\\r\\n' >&3; read -u 3 line
         printf 'PASS secret\\r\\n' >&3; read -u 3 line; echo \"$line\"
         for pid in $(pgrep -u ann vsftpd); do
             grep -E '^(NoNewPrivs|Seccomp):' /proc/$pid/status | tr '\\t' ' '
             for kind in mnt ipc uts; do
                 [ \"$(readlink /proc/$pid/ns/$kind)\" != \"$(readlink /proc/self/ns/$kind)\" ] && echo own $kind
             done
         done; true",
    ]);
    let shown = shown.ok().replace('\r', "");
    for part in [
        "230 Login",
        "NoNewPrivs: 1",
        "Seccomp: 2",
        "own mnt",
        "own ipc",
        "own uts",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

#[test]
fn without_a_network_a_session_of_sshd_goes_on_and_its_forwards_do_not() {
    let sandbox = Sandbox::with_ann_behind_pam(
        roots::home(),
        "base = \"host\"\nshell = \"/bin/bash\"\nnetwork = \"none\"",
    );
    let interfaces = "grep -c : /proc/net/dev";
    assert_eq!(sandbox.ssh("ann", interfaces).ok(), "1");
    let seen = sandbox.ssh_with("ann", &["-W", "127.0.0.1:22"], None, b"");
    assert!(!seen.stdout.contains("SSH-2.0"), "{seen}");
}

#[test]
fn the_lines_that_are_shipped_are_what_the_stacks_take() {
    let sandbox = ann();
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/pam.d");
    sandbox.must(&format!(
        "cd {shipped}; for service in *; do
             sed -i /pam_jail/d /etc/pam.d/$service; cat $service >>/etc/pam.d/$service; done"
    ));
    let inside = inside(&sandbox, "/home/ann");
    assert_eq!(sandbox.ssh("ann", FACTS).ok(), inside);
    assert_eq!(sandbox.su_dash_c("ann", FACTS).ok(), inside);
    assert_eq!(sandbox.ssh("root", "ls -d /srv").ok(), "/srv");
    let seen = sandbox.run(&["sudo", "-u", "ann", "bash", "-c", "echo /srv/*"]);
    assert_eq!(seen.ok(), "/srv/*");
}

/// A module behind this one does its work in the jail. pam_loginuid writes to /proc, which with a list of commands is read-only
/// there: the session is refused, and is served where the lines are in the order of the manual.
#[test]
fn pam_loginuid_behind_this_module_refuses_where_a_list_of_commands_is_and_is_served_before_it() {
    let keys = "base = \"host\"\ncommands = [\"sftp\"]";
    let sandbox =
        Sandbox::with_ann_behind_pam(roots::home(), keys).sshd("Subsystem sftp internal-sftp");
    let line = "session required pam_loginuid.so";
    sandbox.must(&format!(
        "sed -i /pam_loginuid/d /etc/pam.d/sshd; echo '{line}' >>/etc/pam.d/sshd"
    ));
    let behind = sandbox.sftp("ann", "pwd\n");
    assert_ne!(behind.code(), Some(0), "{behind}");
    let log = sandbox.syslog();
    assert!(
        log.contains("pam_loginuid(sshd:session): Cannot open /proc/self/loginuid: Read-only"),
        "{log}"
    );
    sandbox.must(&format!(
        "sed -i /pam_loginuid/d /etc/pam.d/sshd; sed -i '/^session.*pam_jail/i {line}' /etc/pam.d/sshd"
    ));
    let before = sandbox.sftp("ann", "pwd\n");
    assert!(before.ok().contains("/home/ann"), "{before}");
}
