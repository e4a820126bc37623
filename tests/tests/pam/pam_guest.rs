//! The module as a guest: it keeps nothing, tolerates everything and survives what no host program does.

use login_jail_tests::{Sandbox, fault::probe, roots};

/// Rounds in one process. In `make test-long` it is ten thousand.
const ROUNDS: &str = "3000";

/// Rounds that each have a process of their own, so that their parent could keep no memory of them.
const CHILDREN: &str = "1000";

/// A service whose stack is pam_jail.so alone, with what lets a user without a rule pass.
fn stage() -> Sandbox {
    let sandbox =
        Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\"\nshell = \"/bin/bash\"")
            .plain_user("bob");
    sandbox.write(
        "/etc/pam.d/cycles",
        "account required pam_permit.so\naccount required pam_jail.so quiet\nsession required pam_permit.so\nsession required pam_jail.so quiet\n",
    );
    sandbox
}

/// Runs rounds and insists that neither descriptors nor memory have grown since the first tenth of them.
#[track_caller]
fn keeps_nothing(sandbox: &Sandbox, rounds: &str, [user, stages, extra]: [&str; 3], codes: &str) {
    let cycles = probe("cycles");
    let mut words = vec![cycles.as_str(), "cycles", user, rounds, stages];
    words.extend(Some(extra).filter(|it| !it.is_empty()));
    let output = sandbox.command(&words).output();
    let shown = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let shown = shown.unwrap_or_default();
    let value = |when: &str, key: &str| -> Option<i64> {
        let line = shown.lines().find(|line| line.starts_with(when))?;
        let found = line.split(' ').find_map(|word| word.strip_prefix(key))?;
        found.parse().ok()
    };
    assert!(shown.contains(&format!("codes={codes}\n")), "{shown}");
    assert_eq!(
        value("early", "descriptors="),
        value("late", "descriptors="),
        "{shown}"
    );
    let (early, late) = (value("early", "resident="), value("late", "resident="));
    let grown = late.zip(early).map(|(late, early)| late - early);
    assert!(grown.is_some_and(|grown| grown < 128), "{shown}");
}

fn an_exempt_users_sessions_leave_nothing(rounds: &str) {
    keeps_nothing(&stage(), rounds, ["root", "aoc", ""], "0,0,0");
}

fn looks_at_a_jail_leave_nothing(rounds: &str) {
    keeps_nothing(&stage(), rounds, ["ann", "a", ""], "0,-1,-1");
}

fn refused_sessions_leave_nothing(rounds: &str) {
    // PAM_ABORT, from inside the empty root after the first; libpam lets nobody close what was not opened.
    let sandbox = stage().with("chmod 777 /srv/jails");
    keeps_nothing(&sandbox, rounds, ["ann", "oc", "one"], "-1,26,6");
}

fn sessions_of_children_leave_nothing_in_their_parent(rounds: &str) {
    let sandbox = stage();
    let mounts = sandbox.must("wc -l </proc/self/mounts");
    // All but those that look.
    let look = "ps -eo comm= | grep -vxE 'ps|sh|grep' || :";
    let processes = sandbox.must(look);
    keeps_nothing(&sandbox, rounds, ["ann", "oc", "fork"], "-1,0,-1");
    assert_eq!(sandbox.must("wc -l </proc/self/mounts"), mounts);
    assert_eq!(sandbox.must(look), processes);
}

#[test]
fn thousands_of_sessions_of_an_exempt_user_leave_nothing() {
    an_exempt_users_sessions_leave_nothing(ROUNDS);
}

#[test]
fn thousands_of_looks_at_a_jail_leave_nothing() {
    looks_at_a_jail_leave_nothing(ROUNDS);
}

#[test]
fn thousands_of_refused_sessions_leave_nothing() {
    refused_sessions_leave_nothing(ROUNDS);
}

#[test]
fn a_thousand_sessions_of_children_leave_nothing_in_their_parent() {
    sessions_of_children_leave_nothing_in_their_parent(CHILDREN);
}

#[test]
#[ignore = "long: make test-long"]
fn ten_thousand_rounds_of_each_kind_leave_nothing() {
    let rounds = "10000";
    an_exempt_users_sessions_leave_nothing(rounds);
    looks_at_a_jail_leave_nothing(rounds);
    refused_sessions_leave_nothing(rounds);
    sessions_of_children_leave_nothing_in_their_parent(rounds);
}

#[test]
fn valgrind_finds_no_block_of_the_modules_lost() {
    let sandbox = stage();
    for (user, stages) in [("root", "aoc"), ("ann", "a"), ("bob", "a")] {
        let cycles = probe("cycles");
        let words = [
            "valgrind",
            "--leak-check=full",
            "--errors-for-leak-kinds=definite",
            "--error-exitcode=9",
            &cycles,
            "cycles",
            user,
            "20",
            stages,
        ];
        let shown = sandbox.run(&words);
        assert_eq!(shown.code(), Some(0), "{user} {stages}: {shown}");
    }
}

#[test]
fn calls_that_libpam_never_makes_are_answered() {
    let sandbox = stage();
    let module = sandbox.must("ls /lib/*/security/pam_jail.so | head -n 1");
    let shown = sandbox.run(&[&probe("edge"), &module]);
    // PAM_SYSTEM_ERR; there is nothing to close.
    let expected =
        "pam_sm_acct_mgmt 4 4 4 4\npam_sm_open_session 4 4 4 4\npam_sm_close_session 0 0 0 0";
    assert_eq!(shown.ok(), expected);
}

#[test]
fn a_program_that_could_be_jailed_in_part_only_is_refused() {
    let sandbox = stage();
    let cycles = probe("cycles");
    let words = [cycles.as_str(), "cycles", "ann", "1", "o", "thread"];
    let shown = sandbox.run(&words);
    assert!(shown.ok().contains("codes=-1,26,-1"), "{shown}");
    sandbox.module_logged(&["refused", "more than one thread"]);
    let shown = sandbox.run_as("ann", &[&cycles, "cycles", "ann", "1", "o"]);
    assert!(shown.ok().contains("codes=-1,26,-1"), "{shown}");
    sandbox.module_logged(&["refused", "is not root"]);
}
