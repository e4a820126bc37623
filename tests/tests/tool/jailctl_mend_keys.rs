//! Keys that `jailctl mend` takes along: only those that lead to the login shell, as a real sshd reads them, and read in a
//! process that has no hold on root's terminal.

use login_jail_tests::{JAIL_SHELL, Sandbox, roots};

const HOME: &str = "/srv/jails/ann/home/ann";
const PLACE: &str = "/etc/ssh/authorized_keys.d/ann";

/// ann in a jail with the host's system, whose keys are in reach of her, or where root keeps them.
fn stage() -> Sandbox {
    let sandbox = Sandbox::new()
        .user_with_shell("ann", JAIL_SHELL)
        .jailed("ann")
        .root(roots::home())
        .config("exempt = [\"root\"]\n[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n")
        .with("echo secret >/srv/outside");
    // Starts sshd and makes the key.
    sandbox.ssh("ann", "true").ok();
    sandbox.must(&format!(
        "sed -i 's,^AuthorizedKeysFile.*,AuthorizedKeysFile {HOME}/keys {PLACE},' /etc/ssh/sandbox/sshd_config
         kill -HUP $(cat /run/sandbox-sshd.pid); sleep 0.5; cp /etc/ssh/sandbox/sshd_config /etc/ssh/"
    ));
    sandbox
}

/// Tells what SFTP shows: the host's files, the jail's, or nothing; and how that came about.
#[track_caller]
fn shown(sandbox: &Sandbox) -> (&'static str, String) {
    sandbox.must("rm -f /tmp/got");
    let seen = sandbox.sftp("ann", "pwd\n-get /srv/outside /tmp/got\n");
    let got = sandbox.sh("cat /tmp/got").stdout;
    let what = match (seen.code(), got.contains("secret")) {
        (_, true) => "host",
        (Some(0), false) => "jail",
        _ => "nothing",
    };
    let log = format!("{seen}{}\n{}", sandbox.sshd_log(), sandbox.syslog());
    (what, log)
}

#[test]
fn keys_that_lead_past_the_shell_stay_behind_as_sshd_reads_them() {
    let sandbox = stage();
    for (options, before, after) in [
        ("", "jail", "jail"),
        ("restrict,no-pty", "jail", "jail"),
        (r#"command="internal-sftp""#, "host", "nothing"),
        (
            r#"restrict,Command="internal-sftp -l INFO""#,
            "host",
            "nothing",
        ),
        // A backslash means something right before a quote, and nowhere else.
        (
            r#"environment="A=\\" x",command="internal-sftp""#,
            "host",
            "nothing",
        ),
        (
            r#"environment="A=\" B=\"",command="internal-sftp""#,
            "host",
            "nothing",
        ),
        // Read otherwise, it ends sooner, and looks like a key without a command.
        (
            r#"environment="A=\\" ssh-ed25519 AAAAx",command="internal-sftp""#,
            "host",
            "nothing",
        ),
        // This forces nothing.
        (
            r#"environment="A=command=\"internal-sftp\"",no-pty"#,
            "jail",
            "jail",
        ),
        (r#"command="/usr/lib/openssh/sftp-server""#, "jail", "jail"),
    ] {
        let key = sandbox.read("/etc/ssh/sandbox/client.pub");
        sandbox.write(
            &format!("{HOME}/keys"),
            format!("# ann's\n{options} {key}\n"),
        );
        sandbox.must(&format!("rm -f {PLACE}; chown ann: {HOME}/keys"));
        let (seen, log) = shown(&sandbox);
        assert_eq!(seen, before, "the premise: {options}\n{log}");
        let mended = sandbox.run(&["jailctl", "mend", "sshd-keys", "ann"]);
        let is_left = mended
            .ok()
            .contains("1 line not copied: keys that force sshd's own SFTP");
        assert_eq!(is_left, after == "nothing", "{options}: {mended}");
        sandbox.must(&format!("rm {HOME}/keys"));
        let (seen, log) = shown(&sandbox);
        assert_eq!(seen, after, "{options}\n{}\n{log}", sandbox.read(PLACE));
    }
}

#[test]
fn an_authority_stays_behind() {
    let sandbox = stage();
    sandbox.must(&format!(
        "cd /etc/ssh/sandbox; ssh-keygen -q -t ed25519 -N '' -f ca
         (printf 'cert-authority '; cat ca.pub; cat client.pub) >{HOME}/keys; chown ann: {HOME}/keys"
    ));
    sandbox.run(&["jailctl", "mend", "sshd-keys", "ann"]).ok();
    let keys = sandbox.read(PLACE);
    assert!(!keys.contains("cert-authority"), "{keys}");
    sandbox.must(&format!("rm {HOME}/keys"));
    let (seen, log) = shown(&sandbox);
    assert_eq!(seen, "jail", "{log}");
}

/// A process of the user's that has root's terminal could type commands there: TIOCSTI of ioctl_tty(2).
#[test]
fn keys_are_read_without_roots_terminal() {
    let sandbox = stage();
    sandbox.must(&format!("echo >{HOME}/keys; chown ann: {HOME}/keys"));
    let traced = "exec strace -f -o /run/trace -e trace=setsid,execve jailctl mend sshd-keys ann";
    let pty = sandbox.terminal(&["sh", "-c", traced]);
    let ended = pty.finish();
    let trace = sandbox.read("/run/trace");
    // What reads as ann is told by what it executes; the process that becomes it has left root's session before.
    let reads = |line: &&str| line.contains("execve(") && line.contains("[\"timeout\"");
    let reader = trace.lines().find(reads).expect(&trace);
    let process = reader.split(' ').next().unwrap_or_default();
    let before = trace.split(reader).next().unwrap_or_default();
    let has_left = |line: &str| line.starts_with(process) && line.contains("setsid() ");
    assert!(before.lines().any(has_left), "its session: {trace}");
    assert_eq!(ended.code(), Some(0), "{trace}");
}
