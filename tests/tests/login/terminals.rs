//! The terminal of whoever calls su: the session inside has one of its own, and what is typed on the caller's belongs to
//! the session only while the caller's job control says so.

use std::time::Duration;

use login_jail_tests::{JAIL_SHELL, Pty, Sandbox, roots};

fn sandbox() -> Sandbox {
    Sandbox::new()
        .user("ann")
        .root(roots::dynamic().then("cp /bin/cat /bin/sleep /usr/bin/yes $root/bin/"))
}

/// root's bash on a terminal.
fn shell(sandbox: &Sandbox) -> Pty {
    let mut pty = sandbox.terminal(&["env", "PS1=root# ", "bash", "--norc", "-i"]);
    pty.expect("root# ");
    pty
}

fn pause() {
    std::thread::sleep(Duration::from_millis(500));
}

/// Insists that root's shell gets what is typed, line by line, and shows it.
fn is_the_callers(pty: &mut Pty) {
    for number in 1..4 {
        pty.line(&format!("echo line''{number}"));
        pty.expect(&format!("line{number}\r\n"));
    }
}

#[test]
fn a_session_ends_with_its_main_process_whoever_goes_on_writing() {
    let sandbox = sandbox();
    // A terminal that shows all it gets, and fast.
    let show = "import os, pty, sys\npid, terminal = pty.fork()\n\
                if pid == 0: os.execvp('sh', ['sh', '-c', sys.argv[1] + '; :'])\n\
                try:\n    while os.read(terminal, 65536): pass\n\
                except OSError: pass\n";
    sandbox.write("/root/show.py", show);
    for option in ["-c", "--session-command"] {
        sandbox.must(&format!(
            "timeout 15 python3 /root/show.py \"su ann {option} 'yes & sleep 0.3'\""
        ));
        sandbox.must("pkill -KILL -u ann || :");
    }
}

#[test]
fn what_is_typed_for_the_callers_shell_is_never_a_sessions_in_the_background() {
    let sandbox = sandbox();
    sandbox.must("install -d -o ann /srv/jails/ann/home/ann");
    for option in ["-c", "--session-command"] {
        let mut pty = shell(&sandbox);
        pty.line(&format!("su ann {option} 'cat >/home/ann/typed' & sleep 1"));
        is_the_callers(&mut pty);
        pty.line("stty -a | head -n 4; echo e''nd");
        assert!(!pty.expect("end\r\n").contains("-opost"));
        assert_eq!(
            sandbox.read("/srv/jails/ann/home/ann/typed"),
            "",
            "{option}"
        );
        sandbox.must("pkill -KILL -u ann || :");
    }
}

#[test]
fn a_session_that_stops_itself_and_goes_on_takes_nothing_until_it_is_in_the_foreground() {
    let sandbox = sandbox();
    let mut pty = shell(&sandbox);
    pty.line("su ann --session-command '(sleep 1; kill -CONT $$) & kill -STOP $$; read line; echo \"got $line\"'");
    pty.expect("Stopped");
    std::thread::sleep(Duration::from_millis(1500));
    is_the_callers(&mut pty);
    pty.line("fg");
    pause();
    pty.line("hers");
    pty.expect("got hers\r\n");
    // What is typed before its end is the session's.
    pty.expect("root# ");
    is_the_callers(&mut pty);
}

#[test]
fn a_refusal_leaves_the_callers_terminal_as_it_was() {
    let sandbox = sandbox().config(
        "[users]\nann = 'hers'\n[jails.hers]\nroot = '/srv/jails/ann'\nbase = 'host'\nroot_owner = 'user'\n",
    );
    sandbox.must(
        "chown ann: /srv/jails/ann; cd /srv/jails/ann; for n in $(seq 200); do mkdir $n; done",
    );
    let mut pty = sandbox.terminal(&["sh", "-c", "stty -g; su - ann; stty -g"]);
    let before = pty.expect("\r\n");
    pty.expect("login refused (step)");
    pty.expect("\r\n");
    let end = pty.finish();
    assert!(end.stdout.trim_end().ends_with(&before), "{end}");
}

#[test]
fn hanging_up_reaches_the_session() {
    let sandbox = sandbox();
    let hang_up = "import os, pty, sys, time\npid, terminal = pty.fork()\n\
                   if pid == 0: os.execvp('sh', ['sh', '-c', sys.argv[1] + '; :'])\n\
                   time.sleep(1)\nos.close(terminal)\n";
    sandbox.write("/root/hang_up.py", hang_up);
    for su in [
        "su - ann -c cat",
        "su ann --session-command cat",
        "su - ann",
    ] {
        sandbox.must(&format!("python3 /root/hang_up.py '{su}'"));
        sandbox.must("for n in $(seq 50); do pgrep -u ann >/dev/null || exit 0; sleep 0.1; done; ps -fu ann; exit 1");
    }
}

#[test]
fn everything_is_shown_whether_or_not_the_terminal_is_asked_for() {
    let sandbox = sandbox();
    for su in ["su ann -c", "su ann --session-command"] {
        let command = "for n in {1..3000}; do echo \"line $n\"; done";
        let mut pty = sandbox.terminal(&["sh", "-c", &format!("{su} '{command}' 2>&1; echo over")]);
        let shown = pty.expect("over\r\n");
        let expected: String = (1..=3000).map(|n| format!("line {n}\r\n")).collect();
        assert!(
            shown == expected,
            "{su}: {} of {} bytes",
            shown.len(),
            expected.len()
        );
    }
}

#[test]
fn a_session_can_not_take_all_terminals() {
    let sandbox = sandbox()
        .config("[users]\nann = 'view'\n[jails.view]\nroot = '/srv/jails/ann'\nbase = 'host'\n");
    sandbox.must("rm -rf /srv/jails/ann/[!h]*");
    let take = "python3 -c 'import os\nheld = []\ntry:\n    while True: held.append(os.openpty())\nexcept OSError as e: print(len(held), e.errno)'";
    let seen = sandbox.run_as("ann", &[JAIL_SHELL, "-c", take]);
    assert_eq!(seen.ok(), "64 28");
}
