//! Every door leads into the jail: what a user sees from inside, through each of them.

use login_jail_tests::{JAIL_SHELL, Outcome, Pty, Sandbox, roots, under_every_isolation};

/// Asks for what every door must agree on, one fact a line.
const FACTS: &str = "echo $0; id -u; id -G; pwd; echo $HOME; umask; echo /*";
under_every_isolation! {
    ssh_shell_is_inside
    ssh_command_is_inside
    ssh_with_pam_is_inside
    ssh_terminal_is_inside
    force_command_is_inside
    force_command_with_jail_shell_as_login_shell_is_inside
    su_is_inside
    su_of_another_user_is_inside
    login_on_a_terminal_is_inside
    a_command_reaches_the_shell_inside_as_one_argument
    sftp_by_the_subsystem_is_inside
    forced_internal_sftp_is_the_jails_sftp_server
    scp_is_inside
    the_environment_is_built_from_nothing
    ssh_variables_come_in
    descriptors_of_the_caller_do_not_come_in
}

/// A user in a jail of busybox, with a supplementary group.
fn ann(isolation: &'static str, login_shell: &str) -> Sandbox {
    Sandbox::new()
        .user_with_shell("ann", login_shell)
        .with("usermod --append --groups games ann")
        .jailed("ann")
        .isolation(isolation)
        .root(roots::busybox())
        .opened("ann")
}

/// The facts of a jail with `$0` as given.
fn inside(sandbox: &Sandbox, isolation: &str, name: &str) -> String {
    let ids = sandbox.must("id -u ann; id -G ann");
    let [uid, groups] = ids.lines().collect::<Vec<_>>()[..] else {
        unreachable!("id prints one line each")
    };
    // The root of the jail, as the shell's `/*` shows it.
    let root = match isolation {
        "full" | "joined" => "/bin /dev /etc /home /proc /tmp /usr",
        _ => "/bin /dev /etc /home /tmp /usr",
    };
    [name, uid, groups, "/home/ann", "/home/ann", "0022", root].join("\n")
}

/// Asks on a terminal, then leaves.
fn facts_on(mut pty: Pty) -> (String, Outcome) {
    // What is typed before the shell asks for it is thrown away by su and login.
    pty.expect("$ ");
    // The quotes keep the echo of what is typed from looking like the output.
    pty.line(&format!("echo be''gin; {FACTS}; echo e''nd"));
    pty.expect("begin\r\n");
    let facts = pty.expect("\r\nend\r\n").replace('\r', "");
    pty.line("exit 7");
    (facts, pty.finish())
}

fn ssh_shell_is_inside(isolation: &'static str) {
    let sandbox = ann(isolation, JAIL_SHELL);
    let shell = sandbox.ssh_shell("ann", FACTS);
    assert_eq!(shell.ok(), inside(&sandbox, isolation, "-sh"));
    let line = sandbox.logged_last(&["enter", r#"user="ann""#]);
    for part in [
        r#"jail="ann""#,
        r#"rule="/etc/login-jail/config.toml:2 [users] ann""#,
        r#"root="/srv/jails/ann""#,
        r#"from="127.0.0.1 "#,
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
}

fn ssh_command_is_inside(isolation: &'static str) {
    let sandbox = ann(isolation, JAIL_SHELL);
    assert_eq!(
        sandbox.ssh("ann", FACTS).ok(),
        inside(&sandbox, isolation, "sh")
    );
    assert_eq!(sandbox.ssh("ann", "exit 7").code(), Some(7));
    sandbox.logged(&["enter", r#"user="ann""#, r#"command="exit 7""#]);
}

fn ssh_with_pam_is_inside(isolation: &'static str) {
    let sandbox = ann(isolation, JAIL_SHELL).pam();
    assert_eq!(
        sandbox.ssh("ann", FACTS).ok(),
        inside(&sandbox, isolation, "sh")
    );
}

fn ssh_terminal_is_inside(isolation: &'static str) {
    let sandbox = ann(isolation, JAIL_SHELL);
    let (facts, end) = facts_on(sandbox.ssh_tty("ann", None));
    assert_eq!(facts, inside(&sandbox, isolation, "-sh"));
    assert_eq!(end.code(), Some(7), "{end}");
    sandbox.logged(&["enter", r#"tty="/dev/pts/"#]);

    let command = "[ -t 0 ] && [ -t 1 ] && echo a terminal";
    let shown = sandbox.ssh_tty("ann", Some(command)).finish();
    assert_eq!(shown.ok(), "a terminal");
}

#[test]
fn the_process_that_sshd_starts_becomes_the_shell() {
    // Full isolation puts two processes around it: sessions.rs.
    let sandbox = ann("chroot", JAIL_SHELL);
    let mut pty = sandbox.ssh_tty("ann", None);
    pty.line("echo pid'='$$.");
    pty.expect("pid=");
    let pid = pty.expect(".");
    let parent = sandbox.must(&format!("ps -o comm= -p $(ps -o ppid= -p {pid})"));
    assert_eq!(parent, "sshd");
}

fn force_command_is_inside(isolation: &'static str) {
    forced_is_inside(isolation, "/bin/bash");
}

fn force_command_with_jail_shell_as_login_shell_is_inside(isolation: &'static str) {
    forced_is_inside(isolation, JAIL_SHELL);
}

fn forced_is_inside(isolation: &'static str, login_shell: &str) {
    let sandbox = ann(isolation, login_shell).sshd("ForceCommand /usr/bin/jail-shell");
    assert_eq!(
        sandbox.ssh("ann", FACTS).ok(),
        inside(&sandbox, isolation, "sh")
    );
    assert_eq!(
        sandbox.ssh_shell("ann", FACTS).ok(),
        inside(&sandbox, isolation, "-sh")
    );
    let (facts, end) = facts_on(sandbox.ssh_tty("ann", None));
    assert_eq!(facts, inside(&sandbox, isolation, "-sh"));
    assert_eq!(end.code(), Some(7), "{end}");
}

fn su_is_inside(isolation: &'static str) {
    let sandbox = ann(isolation, JAIL_SHELL);
    assert_eq!(
        sandbox.su_dash("ann", FACTS).ok(),
        inside(&sandbox, isolation, "-sh")
    );
    assert_eq!(
        sandbox.su_c("ann", FACTS).ok(),
        inside(&sandbox, isolation, "sh")
    );
    assert_eq!(
        sandbox.su_dash_c("ann", FACTS).ok(),
        inside(&sandbox, isolation, "-sh")
    );
    assert_eq!(sandbox.su_c("ann", "exit 7").code(), Some(7));
}

fn su_of_another_user_is_inside(isolation: &'static str) {
    let sandbox = ann(isolation, JAIL_SHELL)
        .password("ann", "secret")
        .plain_user("bob");
    let expected = inside(&sandbox, isolation, "-sh");
    let words = [
        "setpriv",
        "--reuid",
        "bob",
        "--regid",
        "bob",
        "--init-groups",
    ];
    let mut pty = sandbox.terminal(&[&words[..], &["su", "-", "ann"]].concat());
    pty.expect("Password: ");
    pty.line("secret");
    let (facts, end) = facts_on(pty);
    assert_eq!(facts, expected);
    assert_eq!(end.code(), Some(7), "{end}");
}

fn login_on_a_terminal_is_inside(isolation: &'static str) {
    let sandbox = ann(isolation, JAIL_SHELL).password("ann", "secret");
    let (facts, _) = facts_on(sandbox.login("ann", "secret"));
    assert_eq!(facts, inside(&sandbox, isolation, "-sh"));
    sandbox.logged(&["enter", r#"user="ann""#, r#"tty="/dev/pts/"#]);
}

fn a_command_reaches_the_shell_inside_as_one_argument(isolation: &'static str) {
    let sandbox = ann(isolation, JAIL_SHELL);
    let command = "printf '%s\\n' \"a  b\" '$HOME' \"$(echo c)\"\necho 'd\te'";
    let expected = "a  b\n$HOME\nc\nd\te";
    assert_eq!(sandbox.ssh("ann", command).ok(), expected);
    assert_eq!(sandbox.su_c("ann", command).ok(), expected);
    let forced = ann(isolation, "/bin/bash").sshd("ForceCommand /usr/bin/jail-shell");
    assert_eq!(forced.ssh("ann", command).ok(), expected);
}

fn sftp_by_the_subsystem_is_inside(isolation: &'static str) {
    for login_shell in [JAIL_SHELL, "/bin/bash"] {
        let sandbox = sftp_jail(isolation, login_shell);
        let sandbox = match login_shell {
            JAIL_SHELL => sandbox,
            _ => sandbox.sshd("ForceCommand /usr/bin/jail-shell"),
        };
        sftp_stays_inside(&sandbox);
    }
}

fn forced_internal_sftp_is_the_jails_sftp_server(isolation: &'static str) {
    for login_shell in [JAIL_SHELL, "/bin/bash"] {
        let sandbox = sftp_jail(isolation, login_shell)
            .sshd("Subsystem sftp internal-sftp")
            .sshd("ForceCommand /usr/bin/jail-shell");
        sftp_stays_inside(&sandbox);
    }
}

fn sftp_jail(isolation: &'static str, login_shell: &str) -> Sandbox {
    Sandbox::new()
        .user_with_shell("ann", login_shell)
        .jailed("ann")
        .isolation(isolation)
        .root(roots::programs(&["/usr/lib/openssh/sftp-server"]))
        .opened("ann")
        .with("echo outside >/tmp/here; echo outside >/tmp/outside")
}

/// Lists, writes and reads by sftp, and finds nothing of the host's.
fn sftp_stays_inside(sandbox: &Sandbox) {
    let batch = "pwd\nls -1 /\nput /tmp/here /home/ann/there\nget /home/ann/there /tmp/back\n";
    let shown = sandbox.sftp("ann", batch);
    let shown = shown.ok();
    assert!(
        shown.contains("Remote working directory: /home/ann"),
        "{shown}"
    );
    assert!(!shown.contains("/srv"), "{shown}");
    assert_eq!(sandbox.read("/srv/jails/ann/home/ann/there"), "outside");
    assert_eq!(sandbox.read("/tmp/back"), "outside");
    assert_eq!(sandbox.sftp("ann", "ls /tmp/outside").code(), Some(1));
}

fn scp_is_inside(isolation: &'static str) {
    let sandbox = Sandbox::new()
        .user("ann")
        .isolation(isolation)
        .root(roots::programs(&[
            "/usr/bin/scp",
            "/usr/lib/openssh/sftp-server",
        ]))
        .opened("ann")
        .with("echo text >/tmp/here");
    for protocol in ["-O", "-s"] {
        sandbox
            .scp(&[protocol, "/tmp/here", "ann@127.0.0.1:/home/ann/there"])
            .ok();
        assert_eq!(sandbox.must("cat /srv/jails/ann/home/ann/there"), "text");
        sandbox
            .scp(&[protocol, "ann@127.0.0.1:/home/ann/there", "/tmp/back"])
            .ok();
        assert_eq!(sandbox.must("cat /tmp/back"), "text");
        sandbox.must("rm /srv/jails/ann/home/ann/there /tmp/back");
    }
}

fn the_environment_is_built_from_nothing(isolation: &'static str) {
    let sandbox = ann(isolation, JAIL_SHELL);
    let caller = [
        "env",
        "EVIL=1",
        "BASH_ENV=/x",
        "ENV=/x",
        "IFS=x",
        "HOME=/x",
        "USER=x",
        "SHELL=/x",
        "PATH=/usr/bin:/x",
        "GLIBC_TUNABLES=x",
        "TERM=vt100",
        "LANG=C.UTF-8",
        "LC_ALL=C",
        "TZ=UTC",
        JAIL_SHELL,
        "-c",
        "env",
    ];
    let seen = sandbox.run_as("ann", &caller);
    let mut seen: Vec<_> = seen.ok().lines().filter(made_by_config).collect();
    seen.sort_unstable();
    let expected = [
        "HOME=/home/ann",
        "LANG=C.UTF-8",
        "LC_ALL=C",
        "LOGNAME=ann",
        "PATH=/usr/local/bin:/usr/bin:/bin",
        "SHELL=/bin/sh",
        "TERM=vt100",
        "TZ=UTC",
        "USER=ann",
    ];
    assert_eq!(seen, expected);
}

/// Leaves out what the shell inside sets by itself.
fn made_by_config(line: &&str) -> bool {
    !["PWD=", "OLDPWD=", "SHLVL=", "_="]
        .iter()
        .any(|own| line.starts_with(own))
}

fn ssh_variables_come_in(isolation: &'static str) {
    let sandbox = ann(isolation, JAIL_SHELL);
    let command = "echo ${SSH_CONNECTION%% *} ${SSH_CLIENT%% *}";
    assert_eq!(sandbox.ssh("ann", command).ok(), "127.0.0.1 127.0.0.1");
    let tty = sandbox.ssh_tty("ann", Some("echo $SSH_TTY $TERM")).finish();
    assert!(tty.ok().starts_with("/dev/pts/"), "{tty}");
    assert!(tty.ok().ends_with(" xterm"), "{tty}");
}

fn descriptors_of_the_caller_do_not_come_in(isolation: &'static str) {
    let sandbox = ann(isolation, JAIL_SHELL);
    let caller = format!("exec 5</ 7</etc/passwd; exec {JAIL_SHELL} -c 'cat <&7; cd /dev/fd/5'");
    let seen = sandbox.run_as("ann", &["sh", "-c", &caller]);
    assert_eq!(seen.stdout, "");
    assert!(seen.stderr.contains("7"), "{seen}");
    assert_ne!(seen.code(), Some(0));
}

/// What an SFTP client can write must never become code: no shell reads its start-up files, and none waits beside the server
/// for its memory to be written through /proc, which the server serves.
#[test]
fn sftp_starts_no_shell_that_a_client_could_make_its_own() {
    for shell in ["/bin/bash", "/bin/sh"] {
        let sandbox = Sandbox::new()
            .user("ann")
            .root(roots::home())
            .config(&format!(
                "[users]\nann = \"drop\"\n[jails.drop]\nroot = \"/srv/jails/{{user}}\"\nbase = \"host\"\nshell = \"{shell}\"\n"
            ))
            .sshd("Match User ann\n ForceCommand /usr/lib/openssh/sftp-server");
        sandbox.write("/tmp/rc", "echo read >/home/ann/read\n");
        let put = "put /tmp/rc .bashrc\nput /tmp/rc .profile\nput /tmp/rc .bash_profile\n";
        sandbox.sftp("ann", put).ok();
        sandbox.sftp("ann", "ls\n").ok();
        let home = sandbox.must("ls -A /srv/jails/ann/home/ann");
        assert_eq!(home, ".bash_profile\n.bashrc\n.profile", "{shell}");
        let words = sandbox.ssh_argv("ann", &["-s"], Some("sftp")).join(" ");
        sandbox.must(&format!(
            "(sleep 30 | setsid {words}) >/dev/null 2>&1 &
             until pgrep -u ann -x sftp-server >/dev/null; do sleep 0.01; done"
        ));
        // The supervisor, init and the server; sshd's own process is around them.
        let processes = sandbox.must("ps -o args= -U ann | grep -v '^sshd'");
        let (around, inside): (Vec<_>, Vec<_>) = processes
            .lines()
            .partition(|line| line.starts_with("jail-shell "));
        assert_eq!(
            (around.len(), inside.as_slice()),
            (2, &["sftp-server"][..]),
            "{shell}: {processes}"
        );
        sandbox.must("pkill -KILL -u ann; true");
    }
}
