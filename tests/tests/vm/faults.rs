//! The fail-closed matrix of the cgroup steps, which take a machine with cgroups of version 2: whatever call of them fails, nothing of
//! the user's runs that its account's limits do not hold. See the suite `walls` for all other steps, and for what `inject` does.

use std::path::Path;

use login_jail_tests::fault::{Call, End, Report, Run, probe};
use login_jail_tests::vm::Vm;
use nix::errno::Errno;
use nix::libc;

use crate::machine::{jailed, without_systemd};

/// A call as `inject` takes it, and the errors that it gets, one after the other; none: it is said to have succeeded, and is not done.
type Row = (i64, &'static str, &'static [Errno]);

const LIE: &[Errno] = &[];
const FILE: &[Errno] = &[Errno::EACCES, Errno::EMFILE];

/// The steps that every way has: what is there, and what is in force in the end.
const READ: &[Row] = &[
    (libc::SYS_openat2, ",path=cgroup", FILE),
    (libc::SYS_openat2, ",path=*cgroup.controllers", FILE),
    (
        libc::SYS_openat,
        ",path=/proc/self/cgroup",
        &[Errno::EACCES, Errno::ENOENT],
    ),
    (libc::SYS_openat2, ",path=*memory.max", FILE),
    (
        libc::SYS_openat2,
        ",path=*memory.swap.max",
        &[Errno::EMFILE],
    ),
    (
        libc::SYS_openat2,
        ",path=*pids.max",
        &[Errno::EMFILE, Errno::ENOENT],
    ),
    (
        libc::SYS_openat2,
        ",path=*cpu.max",
        &[Errno::EMFILE, Errno::ENOENT],
    ),
    (libc::SYS_openat2, ",path=*io.weight", &[Errno::EMFILE]),
    (libc::SYS_openat2, ",path=*memory.events", FILE),
];

/// What systemd is asked for: the limits of the slice, and a scope.
const SYSTEMD: &[Row] = &[
    (libc::SYS_socket, ",0=1,1=0x80801", &[Errno::EMFILE]),
    (
        libc::SYS_connect,
        ",2=0x1e",
        &[Errno::ECONNREFUSED, Errno::EACCES],
    ),
    (libc::SYS_connect, ",2=0x1e", LIE),
    (libc::SYS_sendto, "#1", &[Errno::EPIPE]),
    (libc::SYS_sendto, "#3", &[Errno::ENOBUFS]),
    (libc::SYS_sendto, "#4", &[Errno::EPIPE]),
    (libc::SYS_sendto, "#5+", &[Errno::EPIPE]),
    (libc::SYS_recvfrom, "#1", &[Errno::ECONNRESET]),
    (libc::SYS_recvfrom, "#3", &[Errno::ECONNRESET]),
    (libc::SYS_recvfrom, "#4", &[Errno::ENOMEM]),
    (libc::SYS_ppoll, "#1", &[Errno::ENOMEM]),
    (libc::SYS_ppoll, "#4", &[Errno::ENOMEM]),
];

/// What is done without systemd: groups are made, limits written, and this process moves.
const OWN: &[Row] = &[
    (libc::SYS_mkdirat, ",path=login-jail", &[Errno::EROFS]),
    (libc::SYS_mkdirat, ",path=*/user-UID", &[Errno::ENOSPC]),
    (libc::SYS_openat2, ",path=*cgroup.subtree_control", FILE),
    (libc::SYS_openat2, ",path=*cgroup.procs", FILE),
    // Controllers, the five limits, and the way in.
    (libc::SYS_write, "#1", &[Errno::EBUSY]),
    (libc::SYS_write, "#4", &[Errno::EINVAL]),
    (libc::SYS_write, "#9", &[Errno::EINVAL]),
    (libc::SYS_write, "#10", &[Errno::EINVAL]),
    (libc::SYS_write, "#11", &[Errno::EINVAL]),
    (libc::SYS_write, "#12", &[Errno::EINVAL]),
    (libc::SYS_write, "#13", &[Errno::EINVAL]),
    (libc::SYS_write, "#14", &[Errno::EBUSY, Errno::EOPNOTSUPP]),
    (libc::SYS_write, "#9", LIE),
    (libc::SYS_write, "#14", LIE),
];

/// A login of ann's whose program is `report`, with these keys.
#[track_caller]
fn stage(vm: &Vm, keys: &str) {
    jailed(vm, "ann", "/usr/bin/jail-shell", keys);
    vm.must("sed -i 's#^shell = .*#shell = \"/usr/local/bin/report\"#' /etc/login-jail/users.d/ann.toml");
    for name in ["inject", "report", "pair"] {
        let path = format!("/usr/local/bin/{name}");
        vm.put(Path::new(&probe(name)), &path);
        vm.must(&format!("chmod 755 {path}"));
    }
}

const ALONE: &str = "/usr/bin/jail-shell jail-shell";
const SECOND: &str = "/usr/local/bin/pair pair /usr/bin/jail-shell jail-shell";

/// Gives the command line of `inject` in a mode, for a login.
fn inject(mode: &str, login: &str) -> String {
    format!("cd /; inject $(id -u ann):$(id -g ann) {mode} {login} -c id")
}

/// Does each row to one of a login's processes, and insists that each fault refuses it.
#[track_caller]
fn insist(vm: &Vm, login: &str, process: usize, rows: &[Row]) {
    let uid = vm.must("id -u ann");
    let flaws: Vec<String> = rows
        .iter()
        .flat_map(|(call, which, errors)| {
            let (arguments, position) = which.split_at(which.find('#').unwrap_or(which.len()));
            let arguments = arguments.replace("UID", &uid);
            let what = format!("{call}{arguments},in={process}{position}");
            let lie = errors.is_empty().then(|| "lie".to_owned());
            let errors = errors.iter().map(|errno| (*errno as i32).to_string());
            errors
                .chain(lie)
                .map(move |fault| format!("{what} {fault}"))
        })
        .filter_map(|fault| {
            let outcome = vm.sh(&inject(&format!("call {fault}"), login));
            let is_refused = outcome.code() == Some(123)
                && Report::parse(&outcome.stdout).is_none()
                && outcome.stderr.contains("login refused (step)");
            let stays = login != SECOND || outcome.stdout.contains("FIRST=stayed");
            (!is_refused || !stays).then(|| format!("{fault}: {outcome}"))
        })
        .collect();
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
}

/// EPERM, EINTR, ENOMEM, ENOSYS, and death.
const FAULTS: [&str; 5] = ["1", "4", "12", "38", "kill"];

/// Has the calls of the step fail, from its first one up to `end`, each by one of the faults in turn, and insists that no login begins that
/// is not in the account's group.
#[track_caller]
fn sweep(vm: &Vm, group: &str, end: impl Fn(&Call) -> bool) {
    vm.must(&format!("{} 9>/tmp/calls", inject("record", ALONE)));
    let calls = Call::parse_list(&vm.must("cat /tmp/calls"));
    let begin = |call: &&Call| call.number != libc::SYS_openat2 || call.path != "cgroup";
    let of_first = calls.iter().filter(|call| call.process == 1);
    let step = of_first.skip_while(begin).take_while(|call| !end(call));
    // What only closes a descriptor or looks at it.
    let dull = [libc::SYS_close, libc::SYS_statx, libc::SYS_lseek];
    let points: Vec<String> = step
        .filter(|call| !dull.contains(&call.number))
        .enumerate()
        .map(|(number, call)| format!("1.{}:{}", call.position, FAULTS[number % FAULTS.len()]))
        .collect();
    assert!(points.len() > 20, "{points:?}");
    for points in points.chunks(10) {
        let done = vm.must(&inject(&format!("sweep {}", points.join(",")), ALONE));
        let runs = Run::parse_list(&done);
        assert_eq!(runs.len(), points.len(), "{done}");
        for run in runs {
            let report = Report::parse(&run.stdout);
            let is_limited = report.is_some_and(|it| it.get("cgroup").starts_with(group));
            let is_right = match run.end {
                End::Exit(0) => is_limited,
                End::Exit(_) | End::Signal(_) => !run.stdout.contains("RAN"),
                End::Hang => false,
            };
            assert!(is_right, "{run:?}");
        }
    }
    vm.must("! pgrep -u ann");
}

const LIMITS: &str = "limits = { memory = \"96M\", tasks = 40, cpu = \"50%\", io = 50 }";

pub(crate) fn no_failure_of_a_call_to_systemd_or_of_a_look_lets_a_login_begin(vm: &mut Vm) {
    stage(vm, LIMITS);
    let group = format!("0::/user.slice/user-{}.slice/", vm.must("id -u ann"));
    let whole = vm.must(&format!("{} 9>/dev/null", inject("record", ALONE)));
    let report = Report::parse(&whole).expect("a login that is let alone");
    assert!(report.get("cgroup").starts_with(&group), "{report}");
    insist(vm, ALONE, 1, READ);
    insist(vm, ALONE, 1, SYSTEMD);
    // From the wait for systemd on, no two logins have the same calls.
    sweep(vm, &group, |call| call.number == libc::SYS_clock_nanosleep);
    // A login that joins a world is moved there by who keeps it.
    vm.must("sed -i 's/^limits/scope = \"user\"\\nlimits/' /etc/login-jail/users.d/ann.toml");
    insist(vm, SECOND, 5, READ);
    insist(
        vm,
        SECOND,
        5,
        &[(libc::SYS_open, ",path=*cgroup.procs", FILE)],
    );
    insist(
        vm,
        SECOND,
        6,
        &[
            (libc::SYS_write, ",2=1#1", &[Errno::EACCES]),
            (libc::SYS_write, ",2=1#1", LIE),
        ],
    );
}

pub(crate) fn no_failure_of_a_call_to_a_cgroup_of_login_jails_own_lets_a_login_begin(vm: &mut Vm) {
    stage(vm, LIMITS);
    without_systemd(vm);
    let group = format!("0::/login-jail/user-{}", vm.must("id -u ann"));
    insist(vm, ALONE, 1, READ);
    insist(vm, ALONE, 1, OWN);
    sweep(vm, &group, |call| call.path.ends_with("memory.events"));
}
