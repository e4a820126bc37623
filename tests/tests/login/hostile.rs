//! Hostile starts: a normal user may execute the set-uid binary from any process they can make. Each such start is
//! refused, or it ends in a jail no different from one that a decent start leads to.
//!
//! The probe `hostile` makes the process; in place of the jail's shell stands `report`.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

use login_jail_tests::fault::{End, Report, probe};
use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, roots, skipped};

const LOGIN: &[&str] = &[JAIL_SHELL, "jail-shell", "-c", "id"];

/// How ann is isolated.
#[derive(Clone, Copy, Debug)]
enum Way {
    Chroot,
    Full,
    /// Fully, in a world that another login of hers has made and stays in.
    Joined,
}

/// Makes two tests of each claim: every jail has to stand every start.
macro_rules! in_every_jail {
    ($($claim:ident,)*) => {
        mod chroot {
            $(#[test] fn $claim() { super::$claim(crate::hostile::Way::Chroot); })*
        }
        mod full {
            $(#[test] fn $claim() { super::$claim(crate::hostile::Way::Full); })*
        }
        mod joined {
            $(#[test] fn $claim() { super::$claim(crate::hostile::Way::Joined); })*
        }
    };
}

in_every_jail! {
    closed_standard_descriptors_become_dev_null,
    refuses_standard_descriptors_that_could_lead_out,
    accepts_what_programs_are_given_as_standard_descriptors,
    closes_every_other_descriptor,
    closes_a_descriptor_above_a_lowered_limit,
    a_limit_set_to_hurt_opens_nothing,
    all_limits_at_once_open_nothing,
    resets_signals,
    forgets_pending_signals,
    stops_timers,
    a_race_of_timers_opens_nothing,
    refuses_a_start_without_a_name,
    the_name_decides_nothing_but_login_shell,
    lets_no_hostile_variable_in,
    an_empty_or_a_huge_environment_opens_nothing,
    the_loader_can_not_be_made_to_run_anything,
    forgets_where_it_was_started_and_how,
    a_lowered_priority_stays_lowered_and_changes_nothing_else,
    refuses_under_no_new_privs,
    refuses_in_a_user_namespace,
    refuses_a_traced_start,
    refuses_a_start_that_shares_its_root_and_directory,
    refuses_a_reduced_bounding_set,
    refuses_securebits_that_take_roots_power,
    leaves_no_capability_whatever_the_caller_kept,
    refuses_a_copy_and_a_nosuid_mount,
    another_name_or_place_changes_nothing,
    stopping_and_continuing_changes_nothing,
    killed_at_any_moment_it_leaves_nothing,
    many_starts_at_once_all_go_in,
}

/// A sandbox in which ann's shell is `report`.
struct Stage {
    sandbox: Sandbox,
    account: String,
    decent: Report,
    /// Which world is to be joined; empty where none is.
    world: String,
}

impl Stage {
    fn new(way: Way) -> Stage {
        let report = probe("report");
        let shell = format!(
            "rm $root/bin/sh; cp {} $root/bin/sh; touch $root/report; chmod 666 $root/report",
            report
        );
        let isolation = match way {
            Way::Chroot => "chroot",
            Way::Full | Way::Joined => "full",
        };
        let sandbox = Sandbox::new()
            .user("ann")
            .isolation(isolation)
            .root(roots::busybox().then(&shell));
        let account = sandbox.must("echo $(id -u ann):$(id -g ann)");
        let mut stage = Stage {
            sandbox,
            account,
            decent: Report::default(),
            world: String::new(),
        };
        let outcome = stage.start(&[], LOGIN);
        stage.decent = Report::parse(outcome.ok()).expect("a report of a decent start");
        stage.check_decent();
        if let Way::Joined = way {
            stage.world = stage.open_world();
        }
        stage
    }

    /// Opens a session that stays, in a world that others join, and names that.
    fn open_world(&self) -> String {
        self.sandbox.must(&format!(
            "echo 'scope = \"user\"' >>/etc/login-jail/config.toml
             mkfifo /run/first; exec 8<>/run/first
             setsid setpriv --reuid ann --regid ann --init-groups {JAIL_SHELL} -c stay <&8 >/run/first.out 2>&1 &
             for n in $(seq 500); do grep -qs STAYS /run/first.out && break; sleep 0.02; done
             readlink /proc/$(pgrep -u ann -x sh)/ns/pid"
        ))
    }

    /// Tells what is different from a decent start.
    fn differences(&self, report: &Report, except: &[&str]) -> Vec<String> {
        let mut all = self.decent.differences(report, except);
        if !self.world.is_empty() && report.get("world") != self.world {
            all.push(format!("in the world {}", report.get("world")));
        }
        all
    }

    /// What all other starts are measured against is itself right.
    fn check_decent(&self) {
        let id = |which: &str| self.sandbox.must(&format!("id -{which} ann"));
        let four = |id: &str| [id; 4].join(" ");
        let none = "0000000000000000";
        for (key, value) in [
            ("uid", four(&id("u")).as_str()),
            ("gid", &four(&id("g"))),
            ("groups", &id("G")),
            ("cap.effective", none),
            ("cap.permitted", none),
            ("cap.inheritable", none),
            ("cap.bounding", none),
            ("cap.ambient", none),
            ("no_new_privs", "1"),
            ("sig.blocked", none),
            ("sig.pending", none),
            ("sig.ignored", none),
            ("sig.handled", none),
            ("umask", "022"),
            ("cwd", "/home/ann"),
            ("personality", "0"),
            ("above", self.decent.get("root")),
        ] {
            assert_eq!(self.decent.get(key), value, "{key}");
        }
        assert_eq!(self.decent.keys("fd."), ["fd.0", "fd.1", "fd.2"]);
    }

    /// Starts a program as ann from a process that `modifiers` describe.
    fn start(&self, modifiers: &[&str], program: &[&str]) -> Outcome {
        self.start_after(&[], modifiers, program)
    }

    /// Does what [`Stage::start`] does; `first` is done while the process is still root's.
    fn start_after(&self, first: &[&str], modifiers: &[&str], program: &[&str]) -> Outcome {
        let hostile = probe("hostile");
        let account = format!("become:{}", self.account);
        let hostile = [hostile.as_str()];
        self.sandbox
            .run(&[&hostile, first, &[&account], modifiers, &["--"], program].concat())
    }

    /// Tells whether ann can open a descriptor of this kind here.
    fn has(&self, kind: &str) -> bool {
        let open = format!("fd:9:{kind}");
        self.start(&[&open], &["/bin/true", "true"]).code() == Some(0)
    }

    /// Insists that a start goes in and that its jail differs from a decent one in nothing but keys beginning with
    /// one of `except`.
    fn goes_in(&self, modifiers: &[&str], except: &[&str]) -> Report {
        self.sandbox.must(": >/srv/jails/ann/report");
        let outcome = self.start(modifiers, LOGIN);
        // Standard output may lead nowhere, so the copy is read.
        let text = self.sandbox.read("/srv/jails/ann/report");
        let report = Report::parse(&text).unwrap_or_else(|| panic!("did not go in: {outcome}"));
        let differences = self.differences(&report, except);
        assert!(differences.is_empty(), "{modifiers:?}: {differences:#?}");
        report
    }

    /// Insists that a start is refused with this status and code, told and logged, and that nothing ran.
    fn refuses(&self, modifiers: &[&str], status: i32, code: &str) {
        self.is_refused(&self.start(modifiers, LOGIN), status, code);
    }

    fn is_refused(&self, outcome: &Outcome, status: i32, code: &str) {
        assert!(!outcome.stdout.contains("RAN"), "{outcome}");
        assert_eq!(outcome.code(), Some(status), "{outcome}");
        assert!(
            outcome.stderr.contains(&format!("login refused ({code})")),
            "{outcome}"
        );
        self.sandbox.logged(&[&format!("refused code={code} ")]);
    }

    /// Insists that a start goes in as [`Stage::goes_in`] says, or ends without running anything.
    fn is_safe(&self, modifiers: &[&str], except: &[&str]) {
        self.sandbox.must(": >/srv/jails/ann/report");
        let outcome = self.start(modifiers, LOGIN);
        let text = self.sandbox.read("/srv/jails/ann/report");
        if let Some(report) = Report::parse(&text) {
            let differences = self.differences(&report, except);
            assert!(
                differences.is_empty(),
                "{modifiers:?}: {differences:#?}\n{outcome}"
            );
        } else {
            assert!(
                !outcome.status.success(),
                "neither in nor refused: {outcome}"
            );
        }
    }
}

// Descriptors

fn closed_standard_descriptors_become_dev_null(way: Way) {
    let stage = Stage::new(way);
    for closed in [&[0][..], &[1], &[2], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2]] {
        let modifiers: Vec<String> = closed.iter().map(|fd| format!("close:{fd}")).collect();
        let modifiers: Vec<&str> = modifiers.iter().map(String::as_str).collect();
        let report = stage.goes_in(&modifiers, &["fd."]);
        assert_eq!(report.keys("fd."), ["fd.0", "fd.1", "fd.2"], "{closed:?}");
        for fd in closed {
            let null = report.get(&format!("fd.{fd}"));
            // Open for reading (0) or writing (1) as the number asks, or for both (2).
            let modes = if *fd == 0 { ["0", "2"] } else { ["1", "2"] };
            let expected = modes.map(|mode| format!("character access={mode} nonblock=0 rdev=103"));
            assert!(
                expected.iter().any(|one| one == null),
                "{closed:?}, fd {fd}: {null}"
            );
        }
    }
}

fn refuses_standard_descriptors_that_could_lead_out(way: Way) {
    let stage = Stage::new(way);
    stage
        .sandbox
        .sh("test -e /dev/fuse || mknod -m 666 /dev/fuse c 10 229");
    for kind in [
        "directory",
        "path",
        "path-null",
        "path-directory",
        "pidfd",
        "netns",
        "mntns",
        "eventfd",
        "epoll",
        "signalfd",
        "timerfd",
        "inotify",
        "master",
        "proc",
        "sysfs",
        "cgroup",
        "mqueue",
        "fuse",
    ] {
        if !stage.has(kind) {
            skipped(kind, "there is none here");
            continue;
        }
        for fd in 0..3 {
            let outcome = stage.start(&[&format!("fd:{fd}:{kind}")], LOGIN);
            assert_eq!(outcome.code(), Some(118), "{kind} at {fd}: {outcome}");
            assert!(!outcome.stdout.contains("RAN"), "{kind} at {fd}: {outcome}");
            // Where standard error is the bad one, the log alone can tell.
            let told = outcome.stderr.contains("login refused (descriptor)");
            assert!(told || fd == 2, "{kind} at {fd}: {outcome}");
            stage
                .sandbox
                .logged(&["refused code=descriptor ", &format!("descriptor {fd} ")]);
        }
    }
}

fn accepts_what_programs_are_given_as_standard_descriptors(way: Way) {
    let stage = Stage::new(way);
    for kind in ["null", "pipe", "socket", "slave", "file", "memfd"] {
        for fd in 0..3 {
            let key = format!("fd.{fd}");
            stage.goes_in(&[&format!("fd:{fd}:{kind}")], &[&key]);
        }
    }
}

fn closes_every_other_descriptor(way: Way) {
    let stage = Stage::new(way);
    stage.goes_in(&["many:200"], &[]);
    stage.goes_in(
        &["fd:3:directory", "fd:4:pidfd", "fd:5:mntns", "fd:6:epoll"],
        &[],
    );
}

fn closes_a_descriptor_above_a_lowered_limit(way: Way) {
    let stage = Stage::new(way);
    stage.goes_in(&["high:5000"], &["limit.nofile"]);
}

// Limits

fn a_limit_set_to_hurt_opens_nothing(way: Way) {
    let stage = Stage::new(way);
    for limit in [
        "nofile:0",
        "nofile:3",
        "nofile:6",
        "fsize:0",
        "stack:4096",
        "stack:131072",
        "as:0",
        "as:4000000",
        "data:0",
        "cpu:0",
        "cpu:1",
        "nproc:0",
        "nproc:1",
        "core:0",
        "core:18446744073709551615",
        "memlock:0",
        "sigpending:0",
        "rttime:0",
        "locks:0",
        "msgqueue:0",
    ] {
        stage.is_safe(&[&format!("limit:{limit}")], &["limit."]);
    }
}

fn all_limits_at_once_open_nothing(way: Way) {
    let stage = Stage::new(way);
    let all = [
        "limit:nofile:3",
        "limit:nproc:0",
        "limit:sigpending:0",
        "limit:fsize:0",
        "limit:data:0",
    ];
    stage.is_safe(&all, &["limit."]);
}

// Signals and timers

fn resets_signals(way: Way) {
    let stage = Stage::new(way);
    stage.goes_in(&["block"], &[]);
    stage.goes_in(&["ignore"], &[]);
    // SIGCHLD: with it ignored wait(2) forgets how children ended.
    stage.goes_in(&["ignore:17"], &[]);
    stage.goes_in(&["ignore", "block"], &[]);
}

fn forgets_pending_signals(way: Way) {
    Stage::new(way).goes_in(&["pending"], &[]);
}

fn stops_timers(way: Way) {
    let stage = Stage::new(way);
    stage.goes_in(&["alarm"], &[]);
    // Ignored, the signals can't kill the program before it comes to its own first instruction.
    stage.goes_in(&["ignore", "itimer"], &[]);
    stage.goes_in(&["block", "itimer"], &[]);
}

fn a_race_of_timers_opens_nothing(way: Way) {
    let stage = Stage::new(way);
    for _ in 0..20 {
        stage.is_safe(&["itimer"], &[]);
    }
}

// Arguments and environment

fn refuses_a_start_without_a_name(way: Way) {
    let stage = Stage::new(way);
    for program in [&[JAIL_SHELL][..], &[JAIL_SHELL, ""]] {
        let outcome = stage.start(&[], program);
        assert_eq!(outcome.code(), Some(100), "{outcome}");
        assert!(!outcome.stdout.contains("RAN"), "{outcome}");
    }
}

fn the_name_decides_nothing_but_login_shell(way: Way) {
    let stage = Stage::new(way);
    for name in [
        "-jail-shell",
        "-",
        "/bin/sh",
        "sh",
        "../../x",
        "%n%n\n\x1b[31m",
    ] {
        let outcome = stage.start(&[], &[JAIL_SHELL, name, "-c", "id"]);
        let report = Report::parse(outcome.ok()).unwrap_or_else(|| panic!("{outcome}"));
        let expected = if name.starts_with('-') { "-sh" } else { "sh" };
        assert_eq!(report.get("argv.0"), expected, "{name:?}");
        assert!(
            stage.differences(&report, &["argv."]).is_empty(),
            "{name:?}"
        );
    }
}

fn lets_no_hostile_variable_in(way: Way) {
    let stage = Stage::new(way);
    let report = stage.goes_in(&["env-hostile"], &["env"]);
    let environment = report.all("env");
    let mut names: Vec<&str> = environment
        .iter()
        .map(|entry| entry.split('=').next().unwrap_or_default())
        .collect();
    for name in &names {
        let allowed = [
            "HOME",
            "USER",
            "LOGNAME",
            "SHELL",
            "PATH",
            "TERM",
            "COLORTERM",
            "LANG",
            "LANGUAGE",
            "TZ",
        ];
        let ssh = [
            "SSH_CLIENT",
            "SSH_CONNECTION",
            "SSH_TTY",
            "SSH_ORIGINAL_COMMAND",
        ];
        assert!(
            allowed.contains(name) || ssh.contains(name) || name.starts_with("LC_"),
            "{name} is in: {environment:#?}"
        );
    }
    for entry in &environment {
        // report writes what is not printable as \xNN.
        for trace in ["evil", "..", "/tmp", "second", "shadow", "/root", "\\x"] {
            assert!(!entry.contains(trace), "{entry}");
        }
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(
        names.len(),
        count,
        "a variable stands twice: {environment:#?}"
    );
    for entry in ["HOME=/home/ann", "USER=ann", "LOGNAME=ann", "SHELL=/bin/sh"] {
        assert!(environment.contains(&entry), "{entry}: {environment:#?}");
    }
}

fn an_empty_or_a_huge_environment_opens_nothing(way: Way) {
    let stage = Stage::new(way);
    stage.goes_in(&["env-clear"], &["env"]);
    stage.is_safe(&["env-huge"], &["env"]);
    stage.is_safe(
        &["env-huge", "limit:stack:4194304"],
        &["env", "limit.stack"],
    );
}

fn the_loader_can_not_be_made_to_run_anything(way: Way) {
    let stage = Stage::new(way);
    // Some of these the loader itself answers by ending the program, even with status 0.
    for entry in [
        "LD_TRACE_LOADED_OBJECTS=1",
        "LD_VERIFY=1",
        "LD_SHOW_AUXV=1",
        "LD_DEBUG=help",
    ] {
        let outcome = stage.start(&[&format!("env:{entry}")], LOGIN);
        if let Some(report) = Report::parse(&outcome.stdout) {
            let differences = stage.differences(&report, &[]);
            assert!(differences.is_empty(), "{entry}: {differences:#?}");
        }
    }
}

// The rest of a process

fn forgets_where_it_was_started_and_how(way: Way) {
    let stage = Stage::new(way);
    for modifier in [
        "cwd:/",
        "cwd:/proc/self",
        "cwd-deleted",
        "umask:000",
        "umask:777",
        // UNAME26, SHORT_INODE, STICKY_TIMEOUTS and what the kernel clears for a set-uid program.
        "personality:0020000",
        "personality:1000000",
        "personality:4000000",
        "personality:0040000",
        "personality:0400000",
    ] {
        stage.goes_in(&[modifier], &[]);
    }
}

fn a_lowered_priority_stays_lowered_and_changes_nothing_else(way: Way) {
    Stage::new(way).goes_in(&["nice:7"], &["nice"]);
}

// Where the set-user-ID bit has no effect, or root's capabilities are not there

fn refuses_under_no_new_privs(way: Way) {
    Stage::new(way).refuses(&["nnp"], 121, "no-new-privs");
}

fn refuses_in_a_user_namespace(way: Way) {
    let stage = Stage::new(way);
    let uid = stage
        .account
        .split(':')
        .next()
        .unwrap_or_default()
        .to_owned();
    stage.refuses(&[&format!("userns:{uid}")], 122, "capabilities");
    // As its root: not even asked who it is on the host.
    let outcome = stage.start(&["userns:0"], LOGIN);
    assert!(matches!(outcome.code(), Some(100..=124)), "{outcome}");
    assert!(!outcome.stdout.contains("RAN"), "{outcome}");
}

fn refuses_a_traced_start(way: Way) {
    let stage = Stage::new(way);
    let outcome = stage.start(&["traced"], LOGIN);
    assert_eq!(End::parse_list(outcome.ok()), [End::Exit(122)], "{outcome}");
    assert!(!outcome.stdout.contains("RAN"), "{outcome}");
}

fn refuses_a_start_that_shares_its_root_and_directory(way: Way) {
    Stage::new(way).refuses(&["share"], 122, "capabilities");
}

fn refuses_a_reduced_bounding_set(way: Way) {
    let stage = Stage::new(way);
    // CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_SYS_CHROOT.
    for capability in [6, 7, 8, 18] {
        let outcome = stage.start_after(&[&format!("drop:{capability}")], &[], LOGIN);
        stage.is_refused(&outcome, 122, "capabilities");
    }
    // What only a view of its own takes is missed before anything is done: CAP_SYS_ADMIN, CAP_MKNOD.
    if !matches!(way, Way::Chroot) {
        for (capability, name) in [(21, "CAP_SYS_ADMIN"), (27, "CAP_MKNOD")] {
            let outcome = stage.start_after(&[&format!("drop:{capability}")], &[], LOGIN);
            stage.is_refused(&outcome, 122, "capabilities");
            stage.sandbox.logged_last(&[name, "CapabilityBoundingSet="]);
        }
    }
}

fn refuses_securebits_that_take_roots_power(way: Way) {
    let stage = Stage::new(way);
    // SECBIT_NOROOT, and locked.
    for bits in ["1", "3"] {
        let outcome = stage.start_after(&[&format!("securebits:{bits}")], &[], LOGIN);
        stage.is_refused(&outcome, 122, "capabilities");
    }
}

fn leaves_no_capability_whatever_the_caller_kept(way: Way) {
    let stage = Stage::new(way);
    // SECBIT_NO_SETUID_FIXUP, SECBIT_KEEP_CAPS, and each of them locked.
    for kept in [
        "inheritable",
        "securebits:4",
        "securebits:c",
        "securebits:10",
        "securebits:20",
    ] {
        let outcome = stage.start_after(&[kept], &[], LOGIN);
        if let Some(report) = Report::parse(&outcome.stdout) {
            let differences = stage.differences(&report, &[]);
            assert!(differences.is_empty(), "{kept}: {differences:#?}");
        } else {
            assert!(
                matches!(outcome.code(), Some(100..=124)),
                "{kept}: {outcome}"
            );
        }
    }
}

fn refuses_a_copy_and_a_nosuid_mount(way: Way) {
    let stage = Stage::new(way);
    stage
        .sandbox
        .must(&format!("install -m 755 -o ann {JAIL_SHELL} /tmp/copy"));
    stage.is_refused(
        &stage.start(&[], &["/tmp/copy", "jail-shell", "-c", "id"]),
        119,
        "no-setuid",
    );
    stage.sandbox.must(&format!(
        "mkdir /run/nosuid; mount -t tmpfs -o nosuid,mode=755 nosuid /run/nosuid; cp -p {JAIL_SHELL} /run/nosuid/"
    ));
    let outcome = stage.start(&[], &["/run/nosuid/jail-shell", "jail-shell", "-c", "id"]);
    stage.is_refused(&outcome, 120, "nosuid");
}

fn another_name_or_place_changes_nothing(way: Way) {
    let stage = Stage::new(way);
    stage.sandbox.must(&format!(
        "ln {JAIL_SHELL} /usr/bin/other; ln -s {JAIL_SHELL} /tmp/link"
    ));
    for path in ["/usr/bin/other", "/tmp/link"] {
        let outcome = stage.start(&[], &[path, "jail-shell", "-c", "id"]);
        let report = Report::parse(outcome.ok()).unwrap_or_else(|| panic!("{outcome}"));
        assert!(stage.differences(&report, &[]).is_empty(), "{path}");
    }
}

// Moments

fn stopping_and_continuing_changes_nothing(way: Way) {
    let stage = Stage::new(way);
    for _ in 0..5 {
        let outcome = stage.start(&["stopped"], LOGIN);
        assert_eq!(End::parse_list(outcome.ok()), [End::Exit(0)], "{outcome}");
        let report = Report::parse(&outcome.stdout).unwrap_or_else(|| panic!("{outcome}"));
        let differences = stage.differences(&report, &["end", "session", "group"]);
        assert!(differences.is_empty(), "{differences:#?}");
    }
}

fn killed_at_any_moment_it_leaves_nothing(way: Way) {
    let stage = Stage::new(way);
    let mounts = stage.sandbox.read("/proc/self/mountinfo");
    let before = stage.sandbox.must("pgrep -u ann -c || true");
    let ends = End::parse_list(stage.start(&["killed:200"], LOGIN).ok());
    assert_eq!(ends.len(), 200);
    assert!(
        ends.contains(&End::Signal(9)),
        "none was killed in time: {ends:?}"
    );
    assert!(
        ends.iter()
            .all(|end| matches!(end, End::Signal(9) | End::Exit(0))),
        "{ends:?}"
    );
    // What is killed with its supervisor takes a moment to be gone.
    stage
        .sandbox
        .must(&format!("for n in $(seq 20); do [ $(pgrep -u ann -c) = {before} ] && exit 0; sleep 0.1; done; ps -u ann; exit 1"));
    assert_eq!(stage.sandbox.read("/proc/self/mountinfo"), mounts);
}

fn many_starts_at_once_all_go_in(way: Way) {
    let stage = Stage::new(way);
    let outcome = stage.start(&["storm:64"], LOGIN);
    let ends = End::parse_list(outcome.ok());
    assert_eq!(ends, vec![End::Exit(0); 64], "{outcome}");
    // Their reports are interleaved in one pipe; each is written at once and whole.
    let ran = outcome.stdout.lines().filter(|line| *line == "RAN").count();
    assert_eq!(ran, 64);
}
