//! A session ends with the exit status of its main process, whatever signals arrive meanwhile. A job that fails never looks
//! like one that is done.

#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

use login_jail_tests::fault::probe;
use login_jail_tests::{JAIL_SHELL, Sandbox, roots};

/// Runs jail-shell as ann, `$2` times, and sends the signal `$1` to each run once it is ready: in every second run without
/// a pause until it has ended, in the others once at a random moment. Prints each run that ended otherwise than its main
/// process.
const RUNS: &str = r#"
signal=$1 runs=$2
mkfifo /tmp/ready
for ((run = 0; run < runs; run++)); do
    case $((run % 5)) in
        0) end='exit 0' wanted=0 ;;
        1) end='exit 7' wanted=7 ;;
        2) end='exit 255' wanted=255 ;;
        3) end='kill -KILL $$' wanted=137 ;;
        4) end='kill -USR1 $$' wanted=138 ;;
    esac
    # Some leave a process behind, which init waits for.
    [ $((run % 3)) != 0 ] || end="sleep 0.05 >/dev/null & $end"
    nap=0.0$((RANDOM % 3))$((RANDOM % 10))
    setpriv --reuid=ann --regid=ann --init-groups jail-shell -c "trap '' TERM HUP; echo ready; sleep $nap; $end" >/tmp/ready &
    # A writer of the run before may be closing it still.
    ready=
    for _ in 1 2 3; do read -rt 20 ready </tmp/ready; [ -z "$ready" ] || break; done
    if [ $((run / 5 % 2)) = 0 ]; then
        while kill -"$signal" $! 2>/dev/null; do :; done
    else
        sleep 0.0$((RANDOM % 4))$((RANDOM % 10))
        kill -"$signal" $! 2>/dev/null
    fi
    wait $!
    ended=$?
    [ "$ready $ended" = "ready $wanted" ] || echo "run $run ($end after $nap): $ready, ended with $ended"
done
"#;

fn sandbox(keys: &str) -> Sandbox {
    Sandbox::new()
        .user("ann")
        .root(roots::programs(&["/bin/dash", "/bin/sleep"]))
        .config(&format!(
            "[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{{user}}\"\nshell = \"/bin/dash\"\n{keys}\n"
        ))
}

/// Runs as many logins of each kind for each signal that a session gets from outside.
#[track_caller]
fn statuses_come_through(runs: u32) {
    for keys in ["linger = true", "linger = false"] {
        for signal in ["WINCH", "TERM", "HUP"] {
            let sandbox = sandbox(keys);
            // Hundreds of logins: longer than the sandbox allows one command.
            let output = sandbox
                .command(&["bash", "-c", RUNS, "bash", signal, &runs.to_string()])
                .output()
                .expect("run the logins");
            let said = String::from_utf8_lossy(&output.stdout);
            let errors = String::from_utf8_lossy(&output.stderr);
            let killed = |line: &&str| !line.contains("Killed") && !line.contains("User defined");
            let errors: Vec<&str> = errors.lines().filter(killed).collect();
            assert!(
                output.status.success() && said.is_empty() && errors.is_empty(),
                "{signal}, {keys}: {}\n{said}{errors:?}",
                output.status
            );
        }
    }
}

#[test]
fn an_exit_status_survives_signals_to_the_session() {
    statuses_come_through(60);
}

#[test]
#[ignore = "long: make test-long"]
fn a_thousand_exit_statuses_survive_each_signal_to_the_session() {
    statuses_come_through(1000);
}

/// On a terminal of its caller's, which the supervisor relays. SIGCONT changes nothing for a program that runs.
#[test]
fn an_exit_status_survives_signals_on_a_relayed_terminal() {
    let sandbox = sandbox("");
    let script = r#"
        for ((run = 0; run < 60; run++)); do
            setpriv --reuid=ann --regid=ann --init-groups jail-shell -c "sleep 0.01; exit $((run % 3 * 3))" </dev/tty &
            while kill -CONT $! 2>/dev/null && kill -WINCH $!; do :; done
            wait $!
            echo "run$run=$?;"
        done
    "#;
    let shown = sandbox.terminal(&["bash", "-c", script]).finish().stdout;
    for run in 0..60 {
        let line = format!("run{run}={};", run % 3 * 3);
        assert!(shown.contains(&line), "no {line} in {shown}");
    }
}

/// Init is kept from running, by root here; a user can do so by its scheduling class.
#[test]
fn no_signal_is_lost_while_init_does_not_run() {
    let sandbox = sandbox("");
    let ended = sandbox.must(
        r#"bash -c '
            setpriv --reuid=ann --regid=ann --init-groups jail-shell -c "sleep 60; exit 9" >/dev/null 2>&1 &
            until pgrep -u ann -x sleep >/dev/null; do sleep 0.02; done
            init=$(pgrep -P $! -x jail-shell)
            kill -STOP $init
            # One at a time: of each signal, the kernel keeps one that waits to be read.
            for ((i = 0; i < 600; i++)); do
                kill -WINCH $!
                until while read -r key pending; do [[ $key != ShdPnd: ]] || break; done </proc/$!/status
                    [[ $((0x$pending)) = 0 ]]
                do :; done
            done
            kill -TERM $!
            sleep 0.3
            kill -CONT $init
            wait $!; echo $?'"#,
    );
    assert_eq!(ended.lines().last(), Some("143"), "{ended}");
}

/// The last message of init is not sent, and init ends as if it had been.
#[test]
fn a_session_without_a_report_is_no_success() {
    let sandbox = sandbox("");
    let account = sandbox.must("echo $(id -u ann):$(id -g ann)");
    // What says that the world stands is longer.
    let report = format!("{},2=2,in=2#1", nix::libc::SYS_sendto);
    let outcome = sandbox.run(&[
        &probe("inject"),
        &account,
        "call",
        &report,
        "lie",
        JAIL_SHELL,
        "jail-shell",
        "-c",
        "exit 0",
    ]);
    assert_eq!(outcome.code(), Some(123), "{outcome}");
    sandbox.logged(&[
        "code=step",
        "init ended without reporting the exit status of the session",
    ]);
}

/// A terminal that takes nothing for the moment says so at once, where its open file is set not to wait.
#[test]
fn the_last_words_reach_a_terminal_that_takes_nothing_for_a_second() {
    let sandbox = sandbox("");
    // tcflow(3): TCOOFF, and TCOON a second later.
    let script = r#"
        perl -e 'use Fcntl; fcntl(STDOUT, F_SETFL, fcntl(STDOUT, F_GETFL, 0) | O_NONBLOCK) or die;
            ioctl(STDOUT, 0x540A, 0); if (!fork) { sleep 1; ioctl(STDOUT, 0x540A, 1); exit } exec @ARGV' \
            setpriv --reuid=ann --regid=ann --init-groups jail-shell -c 'echo first; sleep 0.1; echo last'
    "#;
    let shown = sandbox.terminal(&["sh", "-c", script]).finish().stdout;
    assert!(shown.contains("first\r\nlast\r\n"), "{shown:?}");
}
