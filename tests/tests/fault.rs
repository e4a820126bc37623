//! The fail-closed matrix: whatever system call of a login fails, nothing of the user's runs outside a whole jail.
//!
//! In place of the jail's shell stands the probe `report`; that it ran shows in its output and nowhere else.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

use std::ffi::{OsString, c_long};
use std::thread;
use std::time::Duration;

use jail::plan::{Ids, Plan};
use jail::request::{Request, What};
use jail_config::{Home, Limits, Rule, RuleKind};
use login_jail_tests::fault::{Call, End, Report, Run, probe};
use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, roots};
use nix::libc;

/// Which of the calls that a row describes gets the fault.
#[derive(Clone, Copy, Debug)]
enum Which {
    Every,
    Nth(usize),
    Last,
}
use Which::{Every, Last, Nth};

/// A row of the matrix: a call of a step, the fault it gets, and the code that the login is refused with.
#[derive(Clone, Copy, Debug)]
struct Row {
    step: &'static str,
    call: c_long,
    /// Arguments as inject takes them.
    arguments: &'static str,
    which: Which,
    /// The name of an errno, or `lie`: the call is said to have succeeded and is not done.
    fault: &'static str,
    code: (&'static str, i32),
}

const STEP: (&str, i32) = ("step", 123);

const fn row(
    step: &'static str,
    (call, arguments): (c_long, &'static str),
    which: Which,
    fault: &'static str,
    code: (&'static str, i32),
) -> Row {
    Row {
        step,
        call,
        arguments,
        which,
        fault,
        code,
    }
}

// prctl(2) and keyctl(2) by their first argument, prlimit(2) by the resource.
const JOIN_KEYRING: (c_long, &str) = (libc::SYS_keyctl, "0=1");
const CAPBSET_DROP_CHOWN: (c_long, &str) = (libc::SYS_prctl, "0=24,1=0");
const CAPBSET_DROP_ADMIN: (c_long, &str) = (libc::SYS_prctl, "0=24,1=21");
const SET_SECUREBITS: (c_long, &str) = (libc::SYS_prctl, "0=28");
const GET_SECUREBITS: (c_long, &str) = (libc::SYS_prctl, "0=27");
const SET_NO_NEW_PRIVS: (c_long, &str) = (libc::SYS_prctl, "0=38");
const GET_NO_NEW_PRIVS: (c_long, &str) = (libc::SYS_prctl, "0=39");
const CLEAR_AMBIENT: (c_long, &str) = (libc::SYS_prctl, "0=47,1=4");
const LIMIT_CORE: (c_long, &str) = (libc::SYS_prlimit64, "1=4");

const ROWS: &[Row] = &[
    row(
        "open-root",
        (libc::SYS_openat2, "path=jails"),
        Every,
        "EACCES",
        ("root-unsafe", 112),
    ),
    row(
        "open-root",
        (libc::SYS_openat2, "path=ann"),
        Every,
        "EMFILE",
        ("root-unsafe", 112),
    ),
    row("session-keyring", JOIN_KEYRING, Every, "EPERM", STEP),
    row("session-keyring", JOIN_KEYRING, Every, "EDQUOT", STEP),
    row("bounding-set", CAPBSET_DROP_CHOWN, Every, "EPERM", STEP),
    row("bounding-set", CAPBSET_DROP_ADMIN, Every, "EPERM", STEP),
    row("bounding-set", CAPBSET_DROP_ADMIN, Every, "EINVAL", STEP),
    row("securebits", SET_SECUREBITS, Every, "EPERM", STEP),
    row("chroot", (libc::SYS_fchdir, ""), Every, "EACCES", STEP),
    row("chroot", (libc::SYS_chroot, ""), Nth(1), "EPERM", STEP),
    row(
        "chroot",
        (libc::SYS_chdir, "path=/"),
        Nth(2),
        "EACCES",
        STEP,
    ),
    row("limits", LIMIT_CORE, Last, "EPERM", STEP),
    row("groups", (libc::SYS_setgroups, ""), Nth(1), "EPERM", STEP),
    row("gid", (libc::SYS_setresgid, ""), Nth(1), "EPERM", STEP),
    row(
        "session-keyring",
        (libc::SYS_setresuid, ""),
        Nth(1),
        "EPERM",
        STEP,
    ),
    row("uid", (libc::SYS_setresuid, ""), Nth(2), "EPERM", STEP),
    row("uid", (libc::SYS_setresuid, ""), Nth(2), "EAGAIN", STEP),
    row("capabilities", CLEAR_AMBIENT, Every, "EPERM", STEP),
    row("capabilities", (libc::SYS_capset, ""), Every, "EPERM", STEP),
    row("no-new-privs", SET_NO_NEW_PRIVS, Every, "EINVAL", STEP),
    row("verify", (libc::SYS_getresuid, ""), Last, "EFAULT", STEP),
    row("verify", (libc::SYS_getresgid, ""), Last, "EFAULT", STEP),
    row("verify", (libc::SYS_getgroups, ""), Last, "EFAULT", STEP),
    row("verify", (libc::SYS_capget, ""), Last, "EPERM", STEP),
    row("verify", GET_SECUREBITS, Last, "EPERM", STEP),
    row("verify", GET_NO_NEW_PRIVS, Last, "EPERM", STEP),
    row("umask", (libc::SYS_umask, ""), Last, "EPERM", STEP),
    row(
        "home",
        (libc::SYS_chdir, "path=/"),
        Last,
        "EACCES",
        ("root-unsearchable", 125),
    ),
    row(
        "home",
        (libc::SYS_chdir, "path=/home/ann"),
        Every,
        "EACCES",
        ("home-missing", 116),
    ),
    row(
        "home",
        (libc::SYS_getcwd, ""),
        Last,
        "ENOENT",
        ("home-missing", 116),
    ),
    row(
        "program",
        (libc::SYS_openat2, "path=/bin/sh"),
        Every,
        "ENOENT",
        ("shell-missing", 113),
    ),
    row(
        "exec",
        (libc::SYS_execve, ""),
        Nth(1),
        "EACCES",
        ("exec", 124),
    ),
    row(
        "exec",
        (libc::SYS_execve, ""),
        Nth(1),
        "ENOMEM",
        ("exec", 124),
    ),
];

/// Calls said to have succeeded that were never done: `verify` must find out, by looking or by trying.
const LIES: &[Row] = &[
    row("chroot", (libc::SYS_chroot, ""), Nth(1), "lie", STEP),
    row("securebits", SET_SECUREBITS, Every, "lie", STEP),
    row("groups", (libc::SYS_setgroups, ""), Nth(1), "lie", STEP),
    row("gid", (libc::SYS_setresgid, ""), Nth(1), "lie", STEP),
    row("uid", (libc::SYS_setresuid, ""), Nth(2), "lie", STEP),
    row("capabilities", (libc::SYS_capset, ""), Every, "lie", STEP),
    row("no-new-privs", SET_NO_NEW_PRIVS, Every, "lie", STEP),
    // The trial of regaining root must fail. Said to have succeeded, it is believed.
    row("verify", (libc::SYS_setresuid, ""), Last, "lie", STEP),
    row("verify", (libc::SYS_setgroups, ""), Last, "lie", STEP),
    row("verify", (libc::SYS_chroot, ""), Last, "lie", STEP),
];

/// A sandbox in which ann's shell is `report`.
struct Stage {
    sandbox: Sandbox,
    account: String,
}

impl Stage {
    fn new() -> Stage {
        let report = probe("report");
        let shell = format!("rm $root/bin/sh\ncp {} $root/bin/sh", report);
        let sandbox = Sandbox::new()
            .user("ann")
            .root(roots::busybox().then(&shell));
        // A group of hers besides the first, and as the caller's own (as newgrp leaves it) one that she is no
        // member of: what a login does not set or drop itself shows.
        sandbox.must("groupadd friends; usermod -aG friends ann");
        let account = sandbox
            .must("echo $(id -u ann):$(getent group adm friends | cut -d: -f3 | paste -sd,)");
        Stage { sandbox, account }
    }

    /// Runs inject with `mode` on a login of ann.
    fn inject(&self, mode: &[&str]) -> Outcome {
        let inject = probe("inject");
        let login = [JAIL_SHELL, "jail-shell", "-c", "id"];
        self.sandbox
            .run(&[&[inject.as_str(), &self.account], mode, &login].concat())
    }

    /// Gives the calls of a login that goes in, and what it saw.
    fn record(&self) -> (Vec<Call>, Report) {
        let script = format!(
            "exec {} {} record {JAIL_SHELL} jail-shell -c id 9>/tmp/calls",
            probe("inject"),
            self.account
        );
        let outcome = self.sandbox.sh(&script);
        let report = Report::parse(outcome.ok()).expect("a report of the jail");
        (Call::parse_list(&self.sandbox.read("/tmp/calls")), report)
    }

    /// Does a row and says what is wrong with how it ended, `None` when nothing is.
    fn flaw(&self, row: &Row, calls: &[Call]) -> Option<String> {
        let before = self.sandbox.log().len();
        let outcome = self.inject(&["call", &row.call_with_position(calls), row.errno()]);
        let (code, status) = row.code;
        let shown = format!("{row:?}: {outcome}");
        if Report::parse(&outcome.stdout).is_some() {
            return Some(format!("the user's program ran\n{shown}"));
        }
        if outcome.code() != Some(status) {
            return Some(format!("not refused with status {status}\n{shown}"));
        }
        if !outcome.stderr.contains(&format!("login refused ({code})")) {
            return Some(format!("does not say {code}\n{shown}"));
        }
        // A lie is found out by a later step than the one it was told to.
        let of_step = if row.code == STEP && row.fault != "lie" {
            format!("step {}:", row.step)
        } else {
            String::new()
        };
        let said = format!("code={code} ");
        let in_log = || {
            let log = self.sandbox.log();
            log.iter()
                .skip(before)
                .any(|line| line.contains(&said) && line.contains(&of_step))
        };
        // The collector may be a little behind.
        for _ in 0..100 {
            if in_log() {
                return None;
            }
            thread::sleep(Duration::from_millis(10));
        }
        Some(format!(
            "not in the log\n{shown}{}",
            self.sandbox.log().join("\n")
        ))
    }

    fn insist(&self, rows: &[Row]) {
        let (calls, _) = self.record();
        let flaws: Vec<String> = rows
            .iter()
            .filter_map(|row| self.flaw(row, &calls))
            .collect();
        assert!(flaws.is_empty(), "{}", flaws.join("\n"));
    }
}

impl Row {
    /// Gives the call as inject takes it; which one is the last is known from a recorded login.
    fn call_with_position(&self, calls: &[Call]) -> String {
        let call = match self.arguments {
            "" => self.call.to_string(),
            arguments => format!("{},{arguments}", self.call),
        };
        match self.which {
            Every => call,
            Nth(position) => format!("{call}#{position}"),
            Last => format!(
                "{call}#{}",
                calls.iter().filter(|one| self.describes(one)).count()
            ),
        }
    }

    fn describes(&self, call: &Call) -> bool {
        call.number == self.call
            && self.arguments.split(',').filter(|one| !one.is_empty()).all(
                |argument| match argument.split_once('=') {
                    Some(("path", path)) => call.path == path,
                    Some((number, value)) => call.argument(number) == value.parse().ok(),
                    None => false,
                },
            )
    }

    fn errno(&self) -> &'static str {
        match self.fault {
            "EPERM" => "1",
            "ENOENT" => "2",
            "EAGAIN" => "11",
            "ENOMEM" => "12",
            "EACCES" => "13",
            "EFAULT" => "14",
            "EINVAL" => "22",
            "EMFILE" => "24",
            "EDQUOT" => "122",
            lie => lie,
        }
    }
}

/// A plan, for the list of its steps.
fn plan() -> Plan {
    Plan {
        rule: Rule {
            file: "/etc/login-jail/config.toml".into(),
            line: 2,
            kind: RuleKind::User("ann".to_owned()),
        },
        jail: "ann".to_owned(),
        user: OsString::from("ann"),
        root: "/srv/jails/ann".into(),
        ids: Ids {
            uid: 1000,
            gid: 1000,
            groups: vec![1000],
        },
        umask: 0o022,
        limits: Limits::default(),
        home: Home::Default("/home/ann".into()),
        shell: "/bin/sh".into(),
        request: Request {
            login: true,
            what: What::Shell,
        },
        environment: Vec::new(),
    }
}

#[test]
fn every_step_of_a_plan_has_a_row() {
    let plan = plan();
    let without: Vec<&str> = plan
        .steps()
        .iter()
        .map(|step| step.name())
        .filter(|name| !ROWS.iter().any(|row| row.step == *name))
        .collect();
    assert!(without.is_empty(), "steps without a row: {without:?}");
}

#[test]
fn every_row_is_of_a_step_of_the_plan() {
    let plan = plan();
    let names: Vec<&str> = plan.steps().iter().map(|step| step.name()).collect();
    for row in ROWS.iter().chain(LIES) {
        assert!(names.contains(&row.step), "no step {}", row.step);
    }
}

#[test]
fn refuses_when_a_call_of_a_step_fails() {
    Stage::new().insist(ROWS);
}

#[test]
fn refuses_when_a_call_of_a_step_succeeds_without_effect() {
    Stage::new().insist(LIES);
}

/// Every call of the whole login, from the loader's first to the last before the shell.
#[test]
fn no_single_failure_lets_anything_run_outside_a_whole_jail() {
    let stage = Stage::new();
    // EPERM, EINTR, ENOMEM, ENOSYS, and death.
    let runs = stage.sweep("1,4,12,38,kill");
    let (unharmed, harmed): (Vec<&Run>, Vec<&Run>) = runs.iter().partition(|run| run.error == 0);
    let whole = unharmed.first().and_then(|run| Report::parse(&run.stdout));
    let whole = whole.expect("the report of an unharmed login, at the end of the sweep");
    assert!(
        harmed.iter().any(|run| run.number == libc::SYS_execve),
        "the sweep stopped before the exec"
    );
    let flaws: Vec<String> = harmed
        .iter()
        .filter_map(|run| flaw_of(run, &whole))
        .collect();
    assert!(
        flaws.is_empty(),
        "{} of {}:\n{}",
        flaws.len(),
        harmed.len(),
        flaws.join("\n")
    );
    stage.sandbox.must("! pgrep -u ann");
}

impl Stage {
    fn sweep(&self, faults: &str) -> Vec<Run> {
        let inject = probe("inject");
        let argv = [
            inject.as_str(),
            &self.account,
            "sweep",
            faults,
            JAIL_SHELL,
            "jail-shell",
            "-c",
            "id",
        ];
        // Hundreds of logins: longer than the sandbox allows one command.
        let output = self.sandbox.command(&argv).output().expect("run the sweep");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Run::parse_list(&String::from_utf8_lossy(&output.stdout))
    }
}

fn flaw_of(run: &Run, whole: &Report) -> Option<String> {
    let at = format!(
        "call {} (number {}), errno {}",
        run.position, run.number, run.error
    );
    match (Report::parse(&run.stdout), run.end) {
        (_, End::Hang) => Some(format!("{at}: hangs")),
        (Some(report), End::Exit(0)) => {
            let differences = whole.differences(&report, excused(run.number));
            (!differences.is_empty()).then(|| format!("{at}: in another jail: {differences:?}"))
        }
        (None, End::Exit(status)) if status != 0 => None,
        (None, End::Signal(_)) => None,
        (ran, end) => Some(format!(
            "{at}: {end:?}, ran: {}, {}",
            ran.is_some(),
            run.stderr
        )),
    }
}

/// Gives the keys of a report that may differ after a failure of this call.
fn excused(number: i64) -> &'static [&'static str] {
    match number {
        // ENOSYS: a kernel without keyrings has none to leave behind.
        libc::SYS_keyctl => &["keyring.about"],
        _ => &[],
    }
}

/// The kernel's own errno filter, in place of the supervised one: the two ways must agree.
#[test]
fn a_filter_that_forbids_chroot_refuses_the_login() {
    let stage = Stage::new();
    let outcome = stage.inject(&["errno", &libc::SYS_chroot.to_string(), "1"]);
    assert_eq!(outcome.code(), Some(123), "{outcome}");
    assert!(!outcome.stdout.contains("RAN"), "{outcome}");
    stage.sandbox.logged(&["code=step", "step chroot: chroot"]);
}

/// Shows that the matrix can fail: without jail-shell between, `report` runs and is seen.
#[test]
fn a_program_that_ignores_failures_is_noticed() {
    let stage = Stage::new();
    stage.sandbox.must(&format!(
        "install -m 4755 {} /usr/bin/careless",
        probe("floor-dynamic")
    ));
    let inject = probe("inject");
    let argv = [
        inject.as_str(),
        &stage.account,
        "call",
        &format!("{}#1", libc::SYS_setgroups),
        "lie",
        "/usr/bin/careless",
        "sh",
    ];
    let outcome = stage.sandbox.run(&argv);
    let report = Report::parse(outcome.ok()).expect("a report");
    let (_, whole) = stage.record();
    assert!(
        !whole
            .differences(&report, &["fd", "env", "argv", "argc"])
            .is_empty()
    );
}
