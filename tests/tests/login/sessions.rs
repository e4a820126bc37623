//! A fully isolated session behaves like one without a jail: signals, job control, hang-up, what outlives what. And the
//! processes around it hold nothing.
//!
//! ann is jailed and bob is not, with the same shell; where nothing else is said, what happens to both must be the same.

#![allow(clippy::panic, reason = "a test reports by panicking")]

use std::thread::sleep;
use std::time::{Duration, Instant};

use login_jail_tests::{JAIL_SHELL, Outcome, Pty, Sandbox, roots};

const SHELLS: [&str; 2] = ["/bin/bash", "/bin/dash"];

const PROGRAMS: [&str; 8] = [
    "/bin/dash",
    "/bin/cat",
    "/bin/ls",
    "/bin/sleep",
    "/bin/stty",
    "/usr/bin/env",
    "/usr/bin/nohup",
    "/usr/bin/setsid",
];

/// ann in a jail with these keys, bob without one.
fn with_keys(shell: &str, keys: &str) -> Sandbox {
    Sandbox::new()
        .user("ann")
        .root(roots::programs(&PROGRAMS))
        .config(&format!(
            "[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{{user}}\"\nshell = \"{shell}\"\n{keys}\n"
        ))
        .user_with_shell("bob", shell)
        // What the system's own start-up files say is no part of the comparison.
        .with("rm -f /home/bob/.bashrc /home/bob/.profile /home/bob/.bash_logout")
        .with("rm -f /etc/bash.bashrc /etc/profile; : >/etc/motd")
}

fn ann_and_bob(shell: &str) -> Sandbox {
    with_keys(shell, "")
}

/// Does the same for both, with each shell, and insists on the same for both.
#[track_caller]
fn same<T: PartialEq + std::fmt::Debug>(run: impl Fn(&Sandbox, &str) -> T) {
    same_with(&SHELLS, run);
}

#[track_caller]
fn same_with<T: PartialEq + std::fmt::Debug>(shells: &[&str], run: impl Fn(&Sandbox, &str) -> T) {
    for shell in shells {
        let sandbox = ann_and_bob(shell);
        let [ann, bob] = ["ann", "bob"].map(|user| run(&sandbox, user));
        assert_eq!(ann, bob, "left is jailed: {shell}");
    }
}

/// What is compared of an outcome.
fn seen(outcome: &Outcome, user: &str) -> (Option<i32>, Option<i32>, String, String) {
    let text = |text: &str| text.replace(user, "USER");
    let (out, err) = (text(&outcome.stdout), text(&outcome.stderr));
    (outcome.code(), outcome.signal(), out, err)
}

/// The login shell of a user, as the password file has it.
fn login_shell(sandbox: &Sandbox, user: &str) -> String {
    sandbox.must(&format!("getent passwd {user} | cut -d: -f7"))
}

/// How `run_as` becomes a user, for scripts.
fn become_user(user: &str) -> String {
    format!("setpriv --reuid={user} --regid={user} --init-groups")
}

/// The processes of a user that have `text` in their words, as the machine numbers them.
fn processes(sandbox: &Sandbox, user: &str, text: &str) -> Vec<String> {
    let found = sandbox.sh(&format!("pgrep -u {user} -f -- '{text}'"));
    found.stdout.lines().map(str::to_owned).collect()
}

/// Waits until there is a process, and gives the first.
#[track_caller]
fn wait_for(sandbox: &Sandbox, user: &str, text: &str) -> String {
    let mut found = Vec::new();
    within(5, &format!("{user} runs {text}"), || {
        found = processes(sandbox, user, text);
        !found.is_empty()
    });
    found.remove(0)
}

/// Waits until no process of a user's is left.
#[track_caller]
fn wait_until_gone(sandbox: &Sandbox, user: &str) {
    within(5, &format!("nothing of {user}'s is left"), || {
        processes(sandbox, user, "").is_empty()
    });
}

#[track_caller]
fn within(seconds: u64, what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !holds() {
        assert!(
            Instant::now() < deadline,
            "not after {seconds} seconds: {what}"
        );
        sleep(Duration::from_millis(20));
    }
}

/// Lets the other side come to where a key means what the test means by it.
fn pause() {
    sleep(Duration::from_millis(300));
}

/// Gives what `script` prints in the shell of a terminal.
#[track_caller]
fn answer(pty: &mut Pty, script: &str) -> String {
    pty.line(&format!("echo be''gin; {script}; echo e''nd"));
    pty.expect("begin\r\n");
    pty.expect("end\r\n")
}

/// Gives the status of the last command too.
#[track_caller]
fn status_and_answer(pty: &mut Pty, script: &str) -> String {
    pty.line(&format!("echo st''atus=$?; {script}; echo e''nd"));
    pty.expect("status=");
    pty.expect("end\r\n")
}

/// The supervisor and init of ann's only session.
#[track_caller]
fn around(sandbox: &Sandbox) -> (String, String) {
    let mut found = None;
    within(5, "a supervisor and an init", || {
        let all = sandbox.must("ps -o ppid=,pid= -C jail-shell || true");
        let all: Vec<(&str, &str)> = all
            .lines()
            .filter_map(|line| line.trim().split_once(' '))
            .map(|(parent, pid)| (parent, pid.trim()))
            .collect();
        found = all
            .iter()
            .find(|(parent, _)| all.len() == 2 && all.iter().any(|(_, pid)| pid == parent))
            .map(|(parent, pid)| ((*parent).to_owned(), (*pid).to_owned()));
        found.is_some()
    });
    found.unwrap_or_default()
}

// ---- how it ends

#[test]
fn exit_statuses_come_through_every_door() {
    same(|sandbox, user| {
        let mut all = Vec::new();
        for status in [0, 1, 2, 100, 126, 127, 128, 129, 137, 255] {
            let command = format!("exit {status}");
            let input = format!("exit {status}\n");
            let codes = [
                sandbox.su_c(user, &command).code(),
                sandbox.su_dash_c(user, &command).code(),
                sandbox.su_dash(user, &input).code(),
            ];
            assert_eq!(codes, [Some(status); 3]);
            all.push(codes);
        }
        all
    });
}

#[test]
fn death_by_a_signal_comes_through_every_door() {
    same(|sandbox, user| {
        let shell = login_shell(sandbox, user);
        [
            "HUP", "INT", "QUIT", "KILL", "SEGV", "PIPE", "TERM", "RTMIN",
        ]
        .map(|signal| {
            let command = format!("kill -{signal} $$; echo survived");
            [
                seen(&sandbox.ssh(user, &command), user),
                seen(&sandbox.su_c(user, &command), user),
                seen(&sandbox.run_as(user, &[&shell, "-c", &command]), user),
            ]
        })
    });
}

#[test]
fn a_signal_to_the_caller_reaches_the_main_process_once() {
    same(|sandbox, user| {
        let shell = login_shell(sandbox, user);
        let ids = become_user(user);
        let signals = ["HUP", "TERM", "USR1", "CONT", "ALRM"];
        // All at the same time: each session waits for its signal however late that is sent, and then goes on for a second, in
        // which a second signal would show.
        let sessions = signals.map(|signal| {
            let wait = "until [ $got ]; do sleep 0.1; done";
            let second = "i=0; while [ $i -lt 10 ]; do sleep 0.1; i=$((i+1)); done; exit 9";
            // Nothing ends by this one.
            let end = match signal {
                "CONT" => "sleep 1; exit 9",
                _ => "exec sleep 60",
            };
            format!(
                "session {signal} trapped 'trap \"echo got; got=1\" {signal}; echo ready; {wait}; {second}' &
                 session {signal} died 'echo ready; {end}' &\n"
            )
        });
        sandbox.must(&format!(
            "session() {{
                 # What the other user's session has left says \"ready\", too.
                 rm -f /tmp/$1.$2
                 {ids} {shell} -c \"$3\" >/tmp/$1.$2 2>&1 &
                 until grep -qs ready /tmp/$1.$2; do sleep 0.02; done
                 kill -$1 $!; wait $! || echo $? >>/tmp/$1.$2
             }}
             {}wait",
            sessions.concat()
        ));
        signals.map(|signal| {
            let read = |which: &str| sandbox.read(&format!("/tmp/{signal}.{which}"));
            let (trapped, died) = (read("trapped"), read("died"));
            assert!(trapped.starts_with("ready\ngot\n9"), "{signal}: {trapped}");
            assert!(died.starts_with("ready\n"), "{signal}: {died}");
            (trapped, died)
        })
    });
}

#[test]
fn a_main_process_that_is_stopped_and_continued_from_inside_goes_on() {
    same(|sandbox, user| {
        let (shell, ids) = (login_shell(sandbox, user), become_user(user));
        let command = "(sleep 0.5; kill -CONT $$) & kill -STOP $$; wait; echo back; exit 3";
        [
            seen(&sandbox.ssh(user, command), user),
            // Not by itself: what the sandbox is entered with would stop, too.
            seen(
                &sandbox.sh(&format!("{ids} {shell} -c '{command}'; exit $?")),
                user,
            ),
        ]
    });
}

#[test]
fn a_main_process_that_is_killed_while_stopped_ends_the_session() {
    same(|sandbox, user| {
        let (shell, ids) = (login_shell(sandbox, user), become_user(user));
        let command = "(sleep 0.5; kill -KILL $$) & kill -STOP $$; echo back";
        [
            seen(&sandbox.ssh(user, command), user),
            // Not by itself: what the sandbox is entered with would stop, too.
            seen(
                &sandbox.sh(&format!("{ids} {shell} -c '{command}'; exit $?")),
                user,
            ),
        ]
    });
}

#[test]
fn whoever_called_sees_it_stop_and_continues_it() {
    same(|sandbox, user| {
        let shell = login_shell(sandbox, user);
        let ids = become_user(user);
        sandbox.must(&format!(
            "{ids} {shell} -c 'kill -STOP $$; exit 5' &
             i=0
             until ps -o stat= -p $! | grep -q T; do sleep 0.05; i=$((i+1)); [ $i -lt 60 ] || exit 1; done
             kill -CONT $!; wait $! || echo $?"
        ))
    });
}

// ---- terminals

/// A way to an interactive shell on a terminal.
#[derive(Clone, Copy, Debug)]
enum Door {
    Ssh,
    Su,
    Login,
}

impl Door {
    fn open(self, sandbox: &Sandbox, user: &str) -> Pty {
        let mut pty = match self {
            Door::Ssh => sandbox.ssh_tty(user, None),
            Door::Su => sandbox.terminal(&["su", "-", user]),
            Door::Login => sandbox.login(user, "secret"),
        };
        pty.expect("$ ");
        pty
    }
}

/// Talks to a shell behind every door, for both users and with each shell.
#[track_caller]
fn same_on_terminals(talk: impl Fn(&mut Pty) -> String) {
    for shell in SHELLS {
        let sandbox = ann_and_bob(shell)
            .password("ann", "secret")
            .password("bob", "secret");
        for door in [Door::Ssh, Door::Su, Door::Login] {
            let [ann, bob] = ["ann", "bob"].map(|user| {
                let mut pty = door.open(&sandbox, user);
                let shown = talk(&mut pty).replace(user, "USER");
                (shown, pty.finish().code())
            });
            assert_eq!(ann, bob, "left is jailed: {shell} by {door:?}");
        }
    }
}

#[test]
fn jobs_are_stopped_continued_and_interrupted() {
    same_on_terminals(|pty| {
        pty.line("echo rea''dy; sleep 60");
        pty.expect("ready\r\n");
        pause();
        pty.send("\x1a");
        let stopped = answer(pty, "jobs");
        assert!(stopped.contains("Stopped"), "{stopped}");
        let running = answer(pty, "bg; sleep 0.2; jobs");
        assert!(running.contains("Running"), "{running}");
        pty.line("fg");
        pause();
        pty.send("\x03");
        let gone = status_and_answer(pty, "jobs");
        pty.line("exit 7");
        [stopped, running, gone].concat()
    });
}

#[test]
fn the_size_of_the_window_reaches_the_program_inside() {
    same_on_terminals(|pty| {
        let before = answer(pty, "stty size");
        // In the foreground's process group, where the terminal's signals go.
        pty.line("dash -c 'trap \"echo winch; stty size; trap : WINCH\" WINCH; echo read\"\"y; while sleep 0.1; do :; done'");
        pty.expect("ready\r\n");
        pause();
        pty.resize(50, 132);
        pty.expect("winch\r\n");
        let after = pty.expect("\r\n");
        pty.send("\x03");
        let gone = answer(pty, "stty size");
        pty.line("exit 0");
        assert_eq!((before.as_str(), after.as_str()), ("24 80\r\n", "50 132"));
        gone
    });
}

#[test]
fn a_terminal_has_a_name_and_its_keys() {
    same_on_terminals(|pty| {
        let shown = answer(
            pty,
            "stty -a; [ -t 0 ] && [ -t 1 ] && [ -t 2 ]; echo $?; echo x >/dev/tty",
        );
        pty.line("exit 0");
        shown
    });
}

#[test]
fn a_program_as_the_command_of_a_terminal_is_interrupted() {
    same(|sandbox, user| {
        let mut pty = sandbox.ssh_tty(user, Some("echo ready; sleep 60"));
        pty.expect("ready\r\n");
        pause();
        // Nobody could continue it: the key has no effect.
        pty.send("\x1a");
        pause();
        pty.send("\x03");
        pty.finish().code()
    });
}

/// Talks to root's bash on a terminal, from which su is called.
#[track_caller]
fn same_in_a_shell(talk: impl Fn(&mut Pty, &str) -> String) {
    same_in_a_shell_with(&SHELLS, talk);
}

#[track_caller]
fn same_in_a_shell_with(shells: &[&str], talk: impl Fn(&mut Pty, &str) -> String) {
    same_with(shells, |sandbox, user| {
        let words = ["env", "PS1=root# ", "bash", "--norc", "-i"];
        let mut pty = sandbox.terminal(&words);
        pty.expect("root# ");
        let shown = talk(&mut pty, user).replace(user, "USER");
        // The terminal is the caller's again, and so are its jobs.
        pty.line("sleep 60");
        pause();
        pty.send("\x1a");
        let jobs = answer(&mut pty, "jobs");
        assert!(jobs.contains("sleep 60"), "{jobs}");
        answer(&mut pty, "kill -KILL %%; sleep 0.3");
        pty.line("exit 4");
        let end = pty.finish();
        assert_eq!(end.code(), Some(4), "{end}");
        (shown, jobs)
    });
}

#[test]
fn the_callers_job_control_works_after_su() {
    same_in_a_shell(|pty, user| {
        pty.line(&format!("su - {user}"));
        pty.expect("$ ");
        let inside = answer(pty, "echo inside; stty size");
        pty.line("exit 3");
        pty.expect("root# ");
        inside + &status_and_answer(pty, ":")
    });
}

#[test]
fn the_callers_job_control_works_after_su_that_was_killed() {
    same_in_a_shell(|pty, user| {
        pty.line(&format!("su - {user}"));
        pty.expect("$ ");
        pty.line("kill -9 $$");
        pty.expect("root# ");
        status_and_answer(pty, ":")
    });
}

#[test]
fn a_script_reads_from_its_terminal_after_su() {
    same(|sandbox, user| {
        let script = format!("su - {user}; echo back; read line; echo \"got $line\"");
        let mut pty = sandbox.terminal(&["sh", "-c", &script]);
        pty.expect("$ ");
        pty.line("exit 3");
        pty.expect("back\r\n");
        pty.line("some text");
        pty.expect("got some text");
        pty.finish().code()
    });
}

#[test]
fn su_with_a_command_is_interrupted_by_its_caller() {
    same_in_a_shell(|pty, user| {
        pty.line(&format!("su {user} -c 'echo rea\"\"dy; sleep 100'"));
        pty.expect("ready\r\n");
        pause();
        pty.send("\x1a");
        // su shields itself from the key, and its command has no terminal.
        pty.send("\x03");
        pty.expect("root# ");
        status_and_answer(pty, "jobs")
    });
}

#[test]
fn su_in_the_callers_session_is_stopped_continued_and_interrupted() {
    same_in_a_shell(|pty, user| {
        pty.line(&format!(
            "su {user} --session-command 'echo rea\"\"dy; sleep 100'"
        ));
        pty.expect("ready\r\n");
        pause();
        pty.send("\x1a");
        // What is typed before it has stopped is the session's.
        pause();
        let stopped = answer(pty, "jobs");
        assert!(stopped.contains("Stopped"), "{stopped}");
        pty.line("fg");
        pause();
        pty.send("\x03");
        pause();
        stopped + &status_and_answer(pty, "jobs")
    });
}

#[test]
fn su_that_stops_itself_is_a_job_of_its_caller() {
    // dash does not ask for the foreground again, and stops at once.
    same_in_a_shell_with(&["/bin/bash"], |pty, user| {
        pty.line(&format!("su - {user}"));
        pty.expect("$ ");
        pty.line("kill -STOP $$");
        pty.expect("root# ");
        let stopped = answer(pty, "jobs");
        pty.line("fg");
        pause();
        let inside = answer(pty, "echo inside");
        pty.line("exit 6");
        pty.expect("root# ");
        stopped + &inside + &status_and_answer(pty, "jobs")
    });
}

#[test]
fn what_lingers_after_su_has_no_hold_on_the_callers_terminal() {
    let sandbox = ann_and_bob("/bin/bash");
    let words = ["env", "PS1=root# ", "bash", "--norc", "-i"];
    for su in [
        "su - ann",
        "su ann -c bash",
        "su ann --session-command bash",
    ] {
        let mut pty = sandbox.terminal(&words);
        pty.expect("root# ");
        pty.line(su);
        pty.expect("$ ");
        // By the descriptor, by the name, and with the foreground taken.
        pty.line("(trap '' HUP TTIN TTOU; sleep 1; cat >/tmp/typed; cat /dev/tty >/tmp/typed; sleep 60) & sleep 0.1");
        pty.line("exit 0");
        pty.expect("root# ");
        std::thread::sleep(Duration::from_millis(1500));
        let shown = answer(&mut pty, "echo mine");
        assert_eq!(shown, "mine\r\n", "{su}");
        pty.line("exit 0");
        assert_eq!(pty.finish().code(), Some(0));
        let typed = sandbox.must("cat /proc/$(pgrep -n -u ann sleep)/root/tmp/typed");
        assert_eq!(typed, "", "{su}");
        sandbox.must("pkill -KILL -u ann; :");
        wait_until_gone(&sandbox, "ann");
    }
}

#[test]
fn a_command_without_a_terminal_finds_none_of_its_callers() {
    let sandbox = ann_and_bob("/bin/bash");
    let words = ["env", "PS1=root# ", "bash", "--norc", "-i"];
    let mut pty = sandbox.terminal(&words);
    pty.expect("root# ");
    pty.line("su ann --session-command 'echo shown >/dev/tty' </dev/null 2>&1 | cat; echo e''nd");
    let shown = pty.expect("end\r\n");
    assert!(
        shown.contains("/dev/tty: No such device or address"),
        "{shown}"
    );
}

#[test]
fn su_in_a_pipeline_does_not_hang() {
    for option in ["-c", "--session-command"] {
        same_in_a_shell(|pty, user| {
            pty.line(&format!("su {user} {option} cat | head -n 1"));
            pause();
            pty.line("one");
            pause();
            pty.line("two");
            pause();
            answer(pty, "echo ${PIPESTATUS[@]}")
        });
    }
}

#[test]
fn hanging_up_ends_what_it_ends_without_a_jail() {
    for cut in ["pkill -x ssh", "pkill -KILL -f '^sshd: USER'"] {
        same(|sandbox, user| {
            let mut pty = sandbox.ssh_tty(user, None);
            pty.expect("$ ");
            pty.line("sleep 4321 & nohup sleep 4322 >/dev/null 2>&1 & setsid sleep 4323 &");
            pause();
            pty.line("echo rea''dy; sleep 4324");
            pty.expect("ready\r\n");
            wait_for(sandbox, user, "^sleep 4324");
            sandbox.must(&cut.replace("USER", user));
            assert!(!pty.finish().status.success());
            sleep(Duration::from_secs(1));
            let left = [4321, 4322, 4323, 4324]
                .map(|which| processes(sandbox, user, &format!("^sleep {which}")).len());
            assert_eq!(left[3], 0, "the command in the foreground outlives it");
            assert_eq!(left[2], 1, "a session of its own outlives it");
            sandbox.must(&format!("pkill -KILL -u {user} sleep; true"));
            wait_until_gone(sandbox, user);
            left
        });
    }
}

#[test]
fn hanging_up_without_a_terminal_is_the_same() {
    same(|sandbox, user| {
        let words = sandbox
            .ssh_argv(user, &["-T"], Some("sleep 4321"))
            .join(" ");
        sandbox.must(&format!("setsid {words} >/dev/null 2>&1 </dev/null &"));
        wait_for(sandbox, user, "^sleep 4321");
        sandbox.must("pkill -x ssh");
        sleep(Duration::from_secs(1));
        let left = processes(sandbox, user, "^sleep 4321").len();
        sandbox.must(&format!("pkill -KILL -u {user} sleep; true"));
        wait_until_gone(sandbox, user);
        left
    });
}

// ---- what outlives what

/// Processes that do all they can to stay, each with the argument 4321.
const CLINGING: &str =
    "trap '' HUP INT TERM QUIT USR1; sleep 4321 & nohup sleep 4321 >/dev/null 2>&1 &
    setsid sleep 4321 & (setsid sh -c 'trap \"\" TERM HUP; sleep 4321 & exit' &)";

#[test]
fn killing_the_supervisor_kills_the_session() {
    for victim in ["supervisor", "init"] {
        for shell in SHELLS {
            let sandbox = ann_and_bob(shell);
            let shell =
                format!("{CLINGING}; exec sleep 4321").replace("sh -c", &format!("{shell} -c"));
            sandbox.write("/tmp/command", shell);
            sandbox.must(&format!(
                "{} {JAIL_SHELL} -c \"$(cat /tmp/command)\" >/dev/null 2>&1 </dev/null &",
                become_user("ann")
            ));
            within(5, "five that cling", || {
                processes(&sandbox, "ann", "^sleep 4321").len() == 5
            });
            let (supervisor, init) = around(&sandbox);
            let pid = if victim == "init" { init } else { supervisor };
            sandbox.must(&format!("kill -KILL {pid}"));
            within(2, "all of it is gone", || {
                processes(&sandbox, "ann", "").is_empty()
            });
        }
    }
}

#[test]
fn what_lets_go_of_the_descriptors_outlives_the_session_and_not_the_client() {
    same(|sandbox, user| {
        let background = [
            "sleep 4321 >/dev/null 2>&1 </dev/null & echo x",
            "nohup sleep 4321 >/dev/null 2>&1 </dev/null & echo x",
            "(setsid sleep 4321 >/dev/null 2>&1 </dev/null &); echo x",
            "(trap '' HUP; (sleep 4321 >/dev/null 2>&1 </dev/null &)); echo x",
        ];
        background.map(|command| {
            let started = Instant::now();
            assert_eq!(sandbox.ssh(user, command).ok(), "x", "{command}");
            assert!(
                started.elapsed() < Duration::from_secs(5),
                "the client waits for {command}"
            );
            sleep(Duration::from_millis(300));
            let left = processes(sandbox, user, "^sleep 4321").len();
            assert_eq!(left, 1, "{command}");
            sandbox.must(&format!("pkill -u {user} -f '^sleep 4321'"));
            // Init leaves with the last of them.
            wait_until_gone(sandbox, user);
        })
    });
}

#[test]
fn what_holds_the_descriptors_is_waited_for() {
    same(|sandbox, user| {
        let started = Instant::now();
        let shown = sandbox.ssh(user, "(sleep 2; echo late) & echo x");
        assert!(started.elapsed() >= Duration::from_secs(2));
        seen(&shown, user)
    });
}

#[test]
fn what_lingers_still_works() {
    for shell in SHELLS {
        let sandbox = ann_and_bob(shell);
        let command = "(sleep 1; ls / >late; kill -0 $$ 2>/dev/null || echo alone >>late) >/dev/null 2>&1 </dev/null & echo x";
        assert_eq!(sandbox.ssh("ann", command).ok(), "x");
        wait_until_gone(&sandbox, "ann");
        let late = sandbox.read("/srv/jails/ann/home/ann/late");
        assert!(late.contains("usr") && !late.contains("srv"), "{late}");
        assert!(late.ends_with("alone"), "{late}");
    }
}

#[test]
fn many_that_end_at_once_let_init_leave() {
    // The last one's end can come while init is busy with the others'.
    let sandbox = ann_and_bob("/bin/dash");
    let many =
        "i=0; while [ $i -lt 40 ]; do (sleep 0.3 &) >/dev/null 2>&1 </dev/null; i=$((i+1)); done";
    for _ in 0..5 {
        sandbox.run_as("ann", &[JAIL_SHELL, "-c", many]).ok();
    }
    wait_until_gone(&sandbox, "ann");
}

#[test]
fn nothing_outlives_the_session_without_linger() {
    for shell in SHELLS {
        let sandbox = with_keys(shell, "linger = false");
        let command = format!("{CLINGING}; sleep 0.3; echo x; exit 3")
            .replace("sh -c", &format!("{shell} -c"));
        let end = sandbox.run_as("ann", &[JAIL_SHELL, "-c", &command]);
        assert_eq!((end.code(), end.stdout.as_str()), (Some(3), "x\n"), "{end}");
        // At once: whoever sees the end of the session may rely on it.
        assert_eq!(processes(&sandbox, "ann", ""), [""; 0], "{shell}");

        let killed = command.replace("exit 3", "kill -KILL $$");
        let end = sandbox.run_as("ann", &[JAIL_SHELL, "-c", &killed]);
        assert_eq!(end.signal(), Some(9), "{end}");
        assert_eq!(processes(&sandbox, "ann", ""), [""; 0], "{shell}");

        let started = Instant::now();
        assert_eq!(sandbox.ssh("ann", &command).code(), Some(3));
        assert!(started.elapsed() < Duration::from_secs(10));
        wait_until_gone(&sandbox, "ann");
    }
}

// ---- what stands around it

/// The values of a field of `/proc/PID/status`.
fn status(sandbox: &Sandbox, pid: &str, field: &str) -> Vec<String> {
    let line = sandbox.must(&format!("grep '^{field}:' /proc/{pid}/status"));
    let words = line.split_whitespace().skip(1);
    words.map(str::to_owned).collect()
}

#[test]
fn no_process_of_a_session_has_any_privilege() {
    let sandbox = ann_and_bob("/bin/bash").with("usermod --append --groups games ann");
    let [uid, gid, groups] = ["id -u ann", "id -g ann", "id -G ann"].map(|ask| sandbox.must(ask));
    for door in [Door::Ssh, Door::Su] {
        let mut pty = door.open(&sandbox, "ann");
        let (supervisor, init) = around(&sandbox);
        let main = sandbox.must(&format!("pgrep -P {init}"));
        for pid in [&supervisor, &init, &main] {
            let name = status(&sandbox, pid, "Name");
            assert_eq!(status(&sandbox, pid, "Uid"), [&uid[..]; 4], "{name:?}");
            // What stands around the session can't have its limits set by the user's other processes: prlimit(2) compares all ids.
            let saved = if *pid == main { &gid } else { "65534" };
            assert_eq!(
                status(&sandbox, pid, "Gid"),
                [&gid, &gid, saved, &gid],
                "{name:?}"
            );
            let mut seen: Vec<u32> = numbers(&status(&sandbox, pid, "Groups"));
            let mut wanted = numbers(&groups.split(' ').map(str::to_owned).collect::<Vec<_>>());
            seen.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(seen, wanted, "{name:?}");
            for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                let empty = ["0000000000000000"];
                assert_eq!(status(&sandbox, pid, set), empty, "{set} of {name:?}");
            }
            assert_eq!(status(&sandbox, pid, "NoNewPrivs"), ["1"], "{name:?}");
        }
        for pid in [&init, &main] {
            assert_eq!(status(&sandbox, pid, "Seccomp"), ["2"]);
        }
        // What is not dumpable is root's in /proc, and out of the user's reach.
        for pid in [&supervisor, &init] {
            let owner = sandbox.must(&format!("stat -c %u /proc/{pid}/environ"));
            assert_eq!(owner, "0");
            for file in ["environ", "mem", "maps"] {
                let path = format!("/proc/{pid}/{file}");
                assert_ne!(sandbox.run_as("ann", &["cat", &path]).code(), Some(0));
            }
        }
        pty.line("exit");
        assert_eq!(pty.finish().code(), Some(0));
        wait_until_gone(&sandbox, "ann");
    }
}

fn numbers(words: &[String]) -> Vec<u32> {
    words.iter().filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn supervisor_and_init_hold_no_descriptor_that_they_do_not_need() {
    let sandbox = ann_and_bob("/bin/bash");
    for door in [Door::Ssh, Door::Su] {
        let mut pty = door.open(&sandbox, "ann");
        let (supervisor, init) = around(&sandbox);
        for pid in [&supervisor, &init] {
            let all = sandbox.must(&format!(
                "cd /proc/{pid}/fd; for fd in *; do echo $fd $(readlink $fd); done"
            ));
            let (mut sockets, mut own) = (0, Vec::new());
            let mut terminals = Vec::new();
            for line in all.lines() {
                let (number, what) = line.split_once(' ').unwrap_or_default();
                match (number, what) {
                    ("0" | "1" | "2", "/dev/null") | (_, "anon_inode:[signalfd]") => {}
                    // The log, each other, and the /dev/log of the session.
                    (_, socket) if socket.starts_with("socket:") => sockets += 1,
                    (_, "/var/log/login-jail/sessions.jsonl" | "anon_inode:[eventpoll]") => {
                        own.push(what)
                    }
                    // What su was called on, and the two ends of the session's own terminal.
                    (_, terminal) if matches!(door, Door::Su) => terminals.push(terminal),
                    _ => panic!("{door:?}: {line} in:\n{all}"),
                }
            }
            let (most, owns) = match pid == &supervisor {
                true => (3, 2),
                false => (1, 0),
            };
            assert!(sockets <= most && own.len() <= owns, "{all}");
            match (&door, pid == &supervisor) {
                (Door::Su, true) => {
                    terminals.sort_unstable();
                    let [callers, again, controller] = terminals.as_slice() else {
                        panic!("{all}");
                    };
                    assert!(
                        callers.starts_with("/dev/pts/") && callers == again,
                        "{all}"
                    );
                    assert!(controller.ends_with("/ptmx"), "{all}");
                }
                (Door::Su, false) => assert_eq!(terminals.len(), 1, "{all}"),
                _ => assert!(terminals.is_empty(), "{all}"),
            }
        }
        let main = sandbox.must(&format!("pgrep -P {init}"));
        let all = sandbox.must(&format!("cd /proc/{main}/fd; ls"));
        assert_eq!(
            all, "0\n1\n2\n255",
            "bash's own copy of the terminal is 255"
        );
        pty.line("exit");
        assert_eq!(pty.finish().code(), Some(0));
        wait_until_gone(&sandbox, "ann");
    }
}

#[test]
fn init_leaves_no_zombie() {
    let sandbox = ann_and_bob("/bin/dash");
    let mut pty = sandbox.ssh_tty("ann", None);
    pty.expect("$ ");
    let shown = answer(
        &mut pty,
        "i=0; while [ $i -lt 30 ]; do (sleep 0.1 &); i=$((i+1)); done; sleep 0.5",
    );
    let zombies = sandbox.sh("ps -eo stat=,user=,args= | grep ^Z");
    assert_eq!(zombies.stdout, "", "{shown}");
    pty.line("exit");
    assert_eq!(pty.finish().code(), Some(0));
}

#[test]
fn parallel_sessions_leave_nothing_behind() {
    let sandbox = ann_and_bob("/bin/dash");
    let state = "cat /proc/1/mountinfo; ls /proc/1/fd | wc -l; lsns -n -o NS,TYPE 2>/dev/null; \
                 ps -eo pid=,comm= | grep -v 'ps$\\|sh$\\|grep$\\|ls$\\|wc$\\|lsns$\\|cat$'; find /srv /tmp /run -xdev | sort";
    sandbox.run_as("ann", &[JAIL_SHELL, "-c", "true"]).ok();
    wait_until_gone(&sandbox, "ann");
    let before = sandbox.must(state);
    let ids = become_user("ann");
    let each = format!("{ids} {JAIL_SHELL} -c \"(setsid sleep 0.5 &); exit $i\"");
    let statuses = sandbox.must(&format!(
        "for i in $(seq 30); do ({each} >/dev/null 2>&1 </dev/null || echo $?) & done; wait"
    ));
    let mut statuses = numbers(&statuses.lines().map(str::to_owned).collect::<Vec<_>>());
    statuses.sort_unstable();
    assert_eq!(statuses, (1..=30).collect::<Vec<_>>());
    wait_until_gone(&sandbox, "ann");
    assert_eq!(sandbox.must(state), before);
}
