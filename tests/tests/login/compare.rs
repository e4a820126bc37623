//! A jailed user beside one without a jail, same shell, same commands: the jail must not show in
//! anything but what it is there to take away.

use std::time::{Duration, Instant};

use login_jail_tests::{JAIL_SHELL, Outcome, Pty, Sandbox, roots, under_every_isolation};

under_every_isolation! {
    ssh_commands_are_the_same
    a_shell_that_reads_its_commands_is_the_same
    every_exit_status_comes_through
    death_by_a_signal_is_the_same
    a_hundred_megabytes_come_through_both_ways
    scp_is_the_same_both_ways
    a_terminal_is_the_same
    ctrl_c_interrupts_the_command_and_leaves_the_shell
    jobs_are_stopped_and_continued
    a_new_window_size_arrives
    hanging_up_ends_the_session
}

const PROGRAMS: [&str; 16] = [
    "/bin/cat",
    "/bin/ls",
    "/bin/sleep",
    "/bin/stty",
    "/usr/bin/env",
    "/usr/bin/head",
    "/usr/bin/id",
    "/usr/bin/mkfifo",
    "/usr/bin/rm",
    "/usr/bin/scp",
    "/usr/bin/sha256sum",
    "/usr/bin/sort",
    "/usr/bin/tr",
    "/usr/bin/wc",
    "/usr/bin/yes",
    "/usr/lib/openssh/sftp-server",
];

/// ann in a jail with bash, bob without one; both have the same name for the same thing.
fn ann_and_bob(isolation: &'static str) -> Sandbox {
    Sandbox::new()
        .user("ann")
        .isolation(isolation)
        .root(roots::programs(&PROGRAMS))
        .opened("ann")
        .plain_user("bob")
        // What the system's own start-up files say is no part of the comparison.
        .with("rm -f /home/bob/.bashrc /home/bob/.profile /home/bob/.bash_logout")
        .with("rm -f /etc/bash.bashrc /etc/profile; : >/etc/motd")
}

/// What is compared of an outcome.
#[derive(Debug, PartialEq)]
struct Seen {
    code: Option<i32>,
    signal: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Seen {
    fn of(outcome: &Outcome, user: &str) -> Self {
        let anonymous = |text: &str| text.replace(user, "USER");
        Self {
            code: outcome.code(),
            signal: outcome.signal(),
            stdout: anonymous(&outcome.stdout),
            stderr: anonymous(&outcome.stderr),
        }
    }
}

/// Does the same for both, and insists on the same for both.
#[track_caller]
fn same(what: &str, run: impl Fn(&str) -> Outcome) {
    let [ann, bob] = ["ann", "bob"].map(|user| Seen::of(&run(user), user));
    assert_eq!(ann, bob, "left is jailed: {what}");
}

fn ssh_commands_are_the_same(isolation: &'static str) {
    let sandbox = ann_and_bob(isolation);
    for command in [
        "true",
        "false",
        "exit 3",
        "echo out; echo err >&2; exit 200",
        "cat",
        "wc -c",
        "head -c 3; exit 4",
        "no-such-program",
        "cd /no/such/directory",
        "echo $0 $# $- $PPID | tr -d 0-9",
        "umask; pwd; echo ~",
        "ulimit -a",
        "ulimit -aH",
        "trap",
        "kill -l $(( $(sleep 1 & kill -TERM $!; wait $!; echo $?) - 128 ))",
        "sleep 0.1 & wait; echo $?",
        "echo a | tr a b | cat; echo ${PIPESTATUS[@]}",
        "yes | head -n 1",
        "exec 3<&-; echo closed",
        "(exit 9) || echo $?",
        "",
    ] {
        same(command, |user| {
            sandbox.ssh_with(user, &[], Some(command), b"some input\n")
        });
    }
}

fn a_shell_that_reads_its_commands_is_the_same(isolation: &'static str) {
    let sandbox = ann_and_bob(isolation);
    for script in [
        "echo $0; shopt -q login_shell && echo login; exit 6\n",
        "pwd; false\n",
        "syntax ( error\n",
        "",
    ] {
        same(script, |user| sandbox.ssh_shell(user, script));
    }
}

fn every_exit_status_comes_through(isolation: &'static str) {
    let sandbox = ann_and_bob(isolation);
    for user in ["ann", "bob"] {
        // One connection, or 256 key exchanges are most of the time.
        let path = "-oControlPath=/tmp/control-%r";
        let master = sandbox
            .ssh_argv(user, &[path, "-oControlMaster=yes", "-fN"], None)
            .join(" ");
        let each = sandbox.ssh_argv(user, &[path], None).join(" ");
        sandbox.must(&format!("{master} >/dev/null 2>&1"));
        for range in ["0 127", "128 255"] {
            let script =
                format!("for i in $(seq {range}); do {each} exit $i && echo 0 || echo $?; done");
            let wanted = sandbox.must(&format!("seq {range}"));
            assert_eq!(sandbox.must(&script), wanted, "{user}");
        }
    }
}

fn death_by_a_signal_is_the_same(isolation: &'static str) {
    let sandbox = ann_and_bob(isolation);
    for signal in [
        "HUP", "INT", "QUIT", "ABRT", "KILL", "USR1", "SEGV", "PIPE", "ALRM", "TERM",
    ] {
        let command = format!("kill -{signal} $$; echo survived");
        same(&command, |user| sandbox.ssh(user, &command));
        // Without ssh between, the signal itself is seen.
        same(&command, |user| {
            let shell = if user == "ann" {
                JAIL_SHELL
            } else {
                "/bin/bash"
            };
            sandbox.run_as(user, &[shell, "-c", &command])
        });
    }
}

fn a_hundred_megabytes_come_through_both_ways(isolation: &'static str) {
    let sandbox = ann_and_bob(isolation).with("head -c 100M /dev/urandom >/tmp/big");
    let sum = sandbox.must("sha256sum </tmp/big");
    for user in ["ann", "bob"] {
        let cat = sandbox.ssh_argv(user, &[], Some("cat")).join(" ");
        assert_eq!(
            sandbox.must(&format!("{cat} </tmp/big | sha256sum")),
            sum,
            "{user}"
        );
    }
}

fn scp_is_the_same_both_ways(isolation: &'static str) {
    let sandbox = ann_and_bob(isolation)
        .with("mkdir -p /tmp/tree/sub; echo a >/tmp/tree/a; echo b >/tmp/tree/sub/b");
    sandbox.must("head -c 5M /dev/urandom >/tmp/tree/big");
    for protocol in ["-O", "-s"] {
        for user in ["ann", "bob"] {
            let there = format!("{user}@127.0.0.1:tree{protocol}");
            sandbox.must("rm -rf /tmp/back");
            sandbox.scp(&[protocol, "-rp", "/tmp/tree", &there]).ok();
            sandbox.scp(&[protocol, "-rp", &there, "/tmp/back"]).ok();
            sandbox.must("diff -r /tmp/tree /tmp/back");
        }
        same("a missing file", |user| {
            sandbox.scp(&[protocol, &format!("{user}@127.0.0.1:none"), "/tmp/back"])
        });
    }
}

/// Runs one conversation on a terminal for both and compares what is between the marks.
#[track_caller]
fn same_on_a_terminal(sandbox: &Sandbox, command: Option<&str>, talk: impl Fn(&mut Pty) -> String) {
    let [ann, bob] = ["ann", "bob"].map(|user| {
        let mut pty = sandbox.ssh_tty(user, command);
        let shown = talk(&mut pty).replace(user, "USER");
        (shown, pty.finish().code())
    });
    assert_eq!(ann, bob, "left is jailed");
}

/// Gives what `script` prints in the shell of a terminal.
#[track_caller]
fn answer(pty: &mut Pty, script: &str) -> String {
    pty.line(&format!("echo be''gin; {script}; echo e''nd"));
    pty.expect("begin\r\n");
    pty.expect("end\r\n")
}

fn a_terminal_is_the_same(isolation: &'static str) {
    let sandbox = ann_and_bob(isolation);
    same_on_a_terminal(&sandbox, None, |pty| {
        let shown = answer(
            pty,
            "stty -a; echo $0 $-; [ -t 0 ] && [ -t 1 ] && [ -t 2 ]; echo $?",
        );
        pty.line("exit 42");
        shown
    });
    same_on_a_terminal(&sandbox, Some("stty size; exit 3"), |pty| pty.expect("\n"));
}

fn ctrl_c_interrupts_the_command_and_leaves_the_shell(isolation: &'static str) {
    let sandbox = ann_and_bob(isolation);
    same_on_a_terminal(&sandbox, None, |pty| {
        pty.line("echo rea''dy; sleep 60");
        pty.expect("ready\r\n");
        pause();
        pty.send("\x03");
        let shown = answer(pty, "echo $?");
        pty.line("exit 1");
        shown
    });
    same_on_a_terminal(&sandbox, Some("echo ready; sleep 60"), |pty| {
        pty.expect("ready\r\n");
        pause();
        pty.send("\x03");
        String::new()
    });
}

fn jobs_are_stopped_and_continued(isolation: &'static str) {
    let sandbox = ann_and_bob(isolation);
    same_on_a_terminal(&sandbox, None, |pty| {
        pty.line("echo rea''dy; sleep 60");
        pty.expect("ready\r\n");
        pause();
        pty.send("\x1a");
        let stopped = answer(pty, "jobs");
        let running = answer(pty, "bg; sleep 0.2; jobs");
        pty.line("fg");
        pause();
        pty.send("\x03");
        let gone = answer(pty, "jobs");
        pty.line("exit 0");
        [stopped, running, gone].concat()
    });
}

fn a_new_window_size_arrives(isolation: &'static str) {
    let sandbox = ann_and_bob(isolation);
    same_on_a_terminal(&sandbox, None, |pty| {
        let before = answer(pty, "stty size");
        pty.resize(50, 132);
        pause();
        let after = answer(pty, "stty size");
        pty.line("exit 0");
        assert_eq!(
            (before.as_str(), after.as_str()),
            ("24 80\r\n", "50 132\r\n")
        );
        after
    });
}

fn hanging_up_ends_the_session(isolation: &'static str) {
    let sandbox = ann_and_bob(isolation);
    for user in ["ann", "bob"] {
        let mut pty = sandbox.ssh_tty(user, None);
        pty.line("echo rea''dy; sleep 4321");
        pty.expect("ready\r\n");
        pause();
        sandbox.must(&format!("pgrep -u {user} -f 'sleep 4321'"));
        sandbox.must("pkill -x ssh");
        assert!(!pty.finish().status.success(), "{user}");
        let deadline = Instant::now() + Duration::from_secs(5);
        while sandbox
            .sh(&format!("pgrep -u {user} -f 'sleep 4321'"))
            .status
            .success()
        {
            assert!(
                Instant::now() < deadline,
                "{user}'s command outlives the connection"
            );
        }
    }
}

/// Lets the other side come to where a key means what the test means by it.
fn pause() {
    std::thread::sleep(Duration::from_millis(300));
}
