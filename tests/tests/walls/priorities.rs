//! Where there is no pid namespace, no call changes a process of the same user outside; and what a program does to itself
//! works as anywhere.

use login_jail_tests::{Sandbox, roots};

/// Programs of the machine that change processes, their own or others'.
const PROGRAMS: [&str; 9] = [
    "/usr/bin/chrt",
    "/usr/bin/id",
    "/usr/bin/ionice",
    "/usr/bin/nice",
    "/usr/bin/nproc",
    "/usr/bin/prlimit",
    "/usr/bin/renice",
    "/usr/bin/sleep",
    "/usr/bin/taskset",
];

/// What would change the process outside, whose number is $1: each must fail.
const OUTWARD: [&str; 9] = [
    "renice -n 12 -p $1",
    "renice -n 12 -g $1",
    "renice -n 12 -u $(id -u)",
    "prlimit --pid $1 --core=0:0",
    "prlimit --pid $1 --nofile=20:20",
    "taskset -p 1 $1",
    "chrt -b -p 0 $1",
    "ionice -c 3 -p $1",
    "ionice -c 3 -u $(id -u)",
];

/// What a program does to itself, or only asks, and what it prints then.
const OWN: [(&str, &str); 12] = [
    ("own=$(nice); echo $(($(nice -n 3 nice) - own))", "3"),
    ("ulimit -Sn 64; ulimit -n", "64"),
    ("ulimit -c 0; ulimit -Hc", "0"),
    (
        "prlimit --nofile=77:88 bash -c 'ulimit -n; ulimit -Hn'",
        "77\n88",
    ),
    ("taskset -c 0 nproc", "1"),
    ("ionice -c 3 ionice", "idle"),
    ("ionice -c 2 -n 7 ionice", "best-effort: prio 7"),
    (
        "text=$(chrt -b 0 chrt -p 0); [[ $text == *SCHED_BATCH* ]] && echo batch",
        "batch",
    ),
    (
        "prlimit --pid $1 --core --noheadings --output=RESOURCE",
        "CORE",
    ),
    (
        "prlimit --pid $$ --core --noheadings --output=RESOURCE",
        "CORE",
    ),
    ("taskset -p $1 >/dev/null && echo asked", "asked"),
    ("ionice -p $1", "none: prio 0"),
];

/// By its own number a program is a process like any other.
const OWN_BY_NUMBER: [&str; 4] = [
    "renice -n 12 -p $$",
    "taskset -p 1 $$",
    "ionice -c 3 -p $$",
    "prlimit --pid $$ --nofile=20:20",
];

/// How a process is treated that ann has outside.
fn treatment(sandbox: &Sandbox, pid: &str) -> String {
    sandbox.must(&format!(
        "ps -o ni= -p {pid}; taskset -p {pid}; chrt -p {pid}; ionice -p {pid}; cat /proc/{pid}/limits"
    ))
}

fn start_outside(sandbox: &Sandbox) -> String {
    sandbox.must(
        "setsid setpriv --reuid ann --regid ann --init-groups sleep 1000 >/dev/null 2>&1 </dev/null &
         until pgrep -u ann -x sleep; do sleep 0.05; done",
    )
}

/// Runs the lines in one session of ann's, each by a shell with the number of the process outside as $1, and gives for each
/// whether it succeeded, and what it printed.
fn in_session(sandbox: &Sandbox, pam: bool, pid: &str, lines: &[&str]) -> Vec<(bool, String)> {
    let mut script = format!("set -- {pid}\n");
    for line in lines {
        script.push_str(&format!(
            "out=$( ({line}) 2>/dev/null); echo \"status=$?\"; echo \"$out\"\n"
        ));
    }
    let outcome = if pam {
        sandbox.su_c("ann", &script)
    } else {
        sandbox.run_as("ann", &[login_jail_tests::JAIL_SHELL, "-c", &script])
    };
    let answers: Vec<_> = outcome
        .stdout
        .split("status=")
        .skip(1)
        .filter_map(|part| part.split_once('\n'))
        .map(|(status, out)| (status == "0", out.trim().to_owned()))
        .collect();
    assert_eq!(answers.len(), lines.len(), "{outcome}");
    answers
}

/// Gives the ways into a jail without a pid namespace, and whether PAM is the door.
fn doors() -> [(&'static str, bool, Sandbox); 3] {
    let root = || roots::programs(&PROGRAMS);
    let chroot = "isolation = \"chroot\"";
    [
        (
            "login shell, chroot",
            false,
            Sandbox::new().user("ann").isolation("chroot").root(root()),
        ),
        (
            "PAM, a whole view",
            true,
            Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\"\nshell = \"/bin/bash\""),
        ),
        (
            "PAM, chroot",
            true,
            Sandbox::with_ann_behind_pam(root(), &format!("{chroot}\nshell = \"/bin/bash\"")),
        ),
    ]
}

#[test]
fn a_process_outside_keeps_priority_affinity_and_limits_and_a_program_changes_its_own() {
    for (door, pam, sandbox) in doors() {
        let pid = start_outside(&sandbox);
        let before = treatment(&sandbox, &pid);
        let answers = in_session(&sandbox, pam, &pid, &OUTWARD);
        for (line, (succeeded, said)) in OUTWARD.iter().zip(answers) {
            assert!(!succeeded, "{door}: {line}: {said}");
        }
        assert_eq!(treatment(&sandbox, &pid), before, "{door}");
        let lines = OWN.map(|(line, _)| line);
        let answers = in_session(&sandbox, pam, &pid, &lines);
        for ((line, expected), answer) in OWN.iter().zip(answers) {
            assert_eq!(answer, (true, (*expected).to_owned()), "{door}: {line}");
        }
        let answers = in_session(&sandbox, pam, &pid, &OWN_BY_NUMBER);
        for (line, (succeeded, _)) in OWN_BY_NUMBER.iter().zip(answers) {
            assert!(
                !succeeded,
                "{door}: {line}: it works: the manual says otherwise"
            );
        }
        sandbox.must("sed -i 's/^root = .*/&\\nseccomp = \"off\"/' /etc/login-jail/config.toml");
        let (succeeded, said) = &in_session(&sandbox, pam, &pid, &[OUTWARD[0]])[0];
        assert!(
            succeeded,
            "{door}: the process can't be reached at all: {said}"
        );
        assert_ne!(treatment(&sandbox, &pid), before, "{door}");
    }
}

#[test]
fn with_a_pid_namespace_a_session_changes_all_of_its_processes() {
    let sandbox = Sandbox::new()
        .user("ann")
        .root(roots::home())
        .config("[users]\nann = 'web'\n[jails.web]\nroot = '/srv/jails/ann'\nbase = 'host'\nshell = '/bin/bash'\n");
    let lines = [
        OWN_BY_NUMBER.as_slice(),
        &[
            "sleep 9 & renice -n 12 -p $! && kill $!",
            "renice -n 13 -u $(id -u)",
        ],
    ]
    .concat();
    let answers = in_session(&sandbox, false, "0", &lines);
    for (line, (succeeded, said)) in lines.iter().zip(answers) {
        assert!(succeeded, "{line}: {said}");
    }
}
