//! What a login costs: fork, exec and wait of one `sh -c true` in a jail, by jail-shell and by others.
//!
//! The measure is the floor: a set-uid program that does chdir, chroot, setgroups, setresgid, setresuid and execve and
//! nothing else; for full isolation a second one, which makes the same namespaces and mounts besides. All contestants
//! take turns in one run, in the same sandbox, with the same user and root. It reports; it fails only where it can't
//! measure.
#![allow(
    clippy::print_stdout,
    clippy::panic,
    reason = "a report goes to standard output, and a benchmark that can't be done says so by panicking"
)]

use std::env;

use login_jail_tests::fault::probe;
use login_jail_tests::roots::{self, Root};
use login_jail_tests::{JAIL_SHELL, Sandbox};

const ROUNDS: &str = "1000";
const WARM_UP: &str = "50";

/// The most that jail-shell by chroot alone should take, as a multiple of the floor and of jailkit.
const AIM_FLOOR: f64 = 2.0;
const AIM_JAILKIT: f64 = 0.5;

/// The most that a whole default login, with all walls, should take, as a multiple of bubblewrap with the same
/// namespaces and mounts, and of jailkit, which has one wall only.
const AIM_ALL_BUBBLEWRAP: f64 = 0.75;
const AIM_ALL_JAILKIT: f64 = 0.8;

/// The most that work inside should take, as a multiple of the same work outside.
const AIM_WORK: f64 = 1.05;

/// The most private memory that supervisor and init together should hold, in KiB.
const AIM_MEMORY: u64 = 600;

/// The most that joining a world should take, as a multiple of making one.
const AIM_JOIN: f64 = 0.55;

/// With so many sessions of so many users that share worlds: the most private memory that one should hold, in KiB, and the most that a
/// login beside them should take, as a multiple of one without.
const MANY: (u64, u64) = (1000, 50);
const AIM_MEMORY_OF_MANY: u64 = 100;
const AIM_BESIDE_MANY: f64 = 1.15;

/// The jails that are measured, each with what its line of the report says, and its keys.
const JAILS: [(&str, &str, &str); 7] = [
    (
        BARE,
        "bare",
        "isolation = 'chroot'\nlandlock = 'off'\nseccomp = 'off'",
    ),
    (
        "  and Landlock",
        "landlock",
        "isolation = 'chroot'\nseccomp = 'off'",
    ),
    (
        "  and Landlock and seccomp",
        "walls",
        "isolation = 'chroot'",
    ),
    (
        "  full isolation alone",
        "spaces",
        "landlock = 'off'\nseccomp = 'off'",
    ),
    (ALL, "ann", ""),
    ("  all walls, base = host", "view", "base = 'host'"),
    ("  all walls, network = none", "lonely", "network = 'none'"),
];
/// The least that the same namespaces and mounts can cost, with none of the checks, walls and records.
const FLOOR_FULL: &str = "floor, with the namespaces";
const BARE: &str = "jail-shell, chroot alone";
const ALL: &str = "jail-shell, all walls (default)";
const BUBBLEWRAP: &str = "bwrap, same view";

const JAILKIT: &str = "/usr/sbin/jk_chrootsh";

fn main() {
    let rounds = env::var("LOGIN_BENCH_ROUNDS").unwrap_or_else(|_| ROUNDS.to_owned());
    let bash = roots::dynamic().then("[ -e $root/bin/sh ] || ln -s bash $root/bin/sh");
    for (title, root) in [
        ("a static shell (busybox)", roots::busybox()),
        ("a dynamic shell (bash)", bash),
    ] {
        let arena = Arena::new(root);
        let results = arena.measure(&rounds);
        println!(
            "{title}: fork, exec, `sh -c true`, wait; {rounds} rounds after {WARM_UP} to warm up\n"
        );
        report(&results);
        println!();
    }
    memory();
    sharing(&rounds);
    work();
}

/// One program to measure, in spawn's words.
struct Contestant {
    name: &'static str,
    account: String,
    argv: Vec<&'static str>,
}

/// What spawn found: nanoseconds and KiB.
struct Measure {
    name: String,
    median: f64,
    low: f64,
    high: f64,
    rss: u64,
    private: u64,
}

struct Arena {
    sandbox: Sandbox,
    jailkit: Result<(), String>,
}

impl Arena {
    fn new(root: Root) -> Arena {
        let mut config = "[users]\n".to_owned();
        for (_, user, _) in JAILS {
            config += &format!("{user} = '{user}'\n");
        }
        for (_, user, keys) in JAILS {
            config += &format!("[jails.{user}]\nroot = '/srv/jails/ann'\nhome = '/'\n{keys}\n");
        }
        let sandbox = Sandbox::new().user("ann").root(root).config(&config);
        for (_, user, _) in JAILS.iter().filter(|(_, user, _)| *user != "ann") {
            sandbox.must(&format!("useradd -M -p '*' -s {JAIL_SHELL} {user}"));
        }
        for floor in ["floor", "floor-dynamic", "floor-full"] {
            sandbox.must(&format!(
                "install -m 4755 {} /usr/bin/{floor}",
                probe(floor)
            ));
        }
        let jailkit = set_up_jailkit(&sandbox);
        Arena { sandbox, jailkit }
    }

    fn contestants(&self) -> Vec<Contestant> {
        let account = |user: &str| {
            self.sandbox
                .must(&format!("echo $(id -u {user}):$(id -g {user})"))
        };
        let ann = account("ann");
        let one = |name, account: &str, argv: &[&'static str]| Contestant {
            name,
            account: account.to_owned(),
            argv: argv.to_vec(),
        };
        let mut all = vec![
            one("floor", &ann, &["/usr/bin/floor", "floor", "-c", "true"]),
            one(
                "floor, dynamically linked",
                &ann,
                &["/usr/bin/floor-dynamic", "floor", "-c", "true"],
            ),
            one(
                FLOOR_FULL,
                &ann,
                &["/usr/bin/floor-full", "floor", "-c", "true"],
            ),
            one(
                "chroot(1) --userspec, by root",
                "0:0",
                &[
                    "/usr/sbin/chroot",
                    "chroot",
                    "--userspec=ann",
                    "/srv/jails/ann",
                    "/bin/sh",
                    "-c",
                    "true",
                ],
            ),
        ];
        for (title, user, _) in JAILS {
            all.push(one(
                title,
                &account(user),
                &[JAIL_SHELL, "jail-shell", "-c", "true"],
            ));
        }
        // As root, which spares it the user namespace that jail-shell does not make either.
        let bubblewrap: Vec<&'static str> = "/usr/bin/bwrap bwrap --unshare-pid --unshare-ipc --unshare-uts \
             --die-with-parent --new-session --bind /srv/jails/ann / --proc /proc --dev /dev --tmpfs /dev/shm \
             --tmpfs /tmp /bin/sh -c true"
            .split_whitespace()
            .collect();
        if self
            .sandbox
            .run(&["test", "-x", "/usr/bin/bwrap"])
            .status
            .success()
        {
            all.push(one(BUBBLEWRAP, "0:0", &bubblewrap));
        } else {
            println!("bwrap: skipped, it is not installed (package bubblewrap)");
        }
        match &self.jailkit {
            Ok(()) => {
                all.push(one(
                    "jk_chrootsh",
                    &account("jk"),
                    &[JAILKIT, "jk_chrootsh", "-c", "true"],
                ));
            }
            Err(reason) => println!("jk_chrootsh: skipped, {reason}"),
        }
        all
    }

    fn measure(&self, rounds: &str) -> Vec<Measure> {
        let contestants = self.contestants();
        let numbers: Vec<String> = (0..contestants.len())
            .map(|number| number.to_string())
            .collect();
        let spawn = probe("spawn");
        let mut argv = vec![spawn.as_str(), rounds, WARM_UP];
        for (number, one) in numbers.iter().zip(&contestants) {
            argv.extend([number.as_str(), &one.account]);
            argv.extend(&one.argv);
            argv.push(",");
        }
        // Thousands of logins: longer than the sandbox allows one command.
        let output = match self.sandbox.command(&argv).output() {
            Ok(output) if output.status.success() => output,
            failed => panic!("measure: {failed:?}"),
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let results: Vec<Measure> = text
            .lines()
            .zip(&contestants)
            .filter_map(|(line, one)| Measure::parse(one.name, line))
            .collect();
        assert_eq!(results.len(), contestants.len(), "{text}");
        results
    }
}

impl Measure {
    fn parse(name: &str, line: &str) -> Option<Measure> {
        let mut words = line.split(' ').skip(1);
        let mut milliseconds = || -> Option<f64> { Some(words.next()?.parse::<f64>().ok()? / 1e6) };
        let (median, low, high) = (milliseconds()?, milliseconds()?, milliseconds()?);
        Some(Measure {
            name: name.to_owned(),
            median,
            low,
            high,
            rss: words.next()?.parse().ok()?,
            private: words.next()?.parse().ok()?,
        })
    }
}

/// Gives jailkit a user of its own and the same root; the reason when it can't take part.
fn set_up_jailkit(sandbox: &Sandbox) -> Result<(), String> {
    let script = format!(
        r#"
        [ -u {JAILKIT} ] || {{ echo "{JAILKIT} is not installed set-uid (package jailkit)" >&2; exit 1; }}
        useradd -M -p '*' -d /srv/jails/ann/./home/ann -s {JAILKIT} jk
        echo "jk:x:$(id -u jk):$(id -g jk)::/home/ann:/bin/sh" >>/srv/jails/ann/etc/passwd
        echo "jk:x:$(id -g jk):" >>/srv/jails/ann/etc/group
        # jailkit insists on a home that is the user's own.
        mkdir -p /srv/jails/ann/home/jk
        chown jk: /srv/jails/ann/home/jk
        sed -i 's,^\(jk:.*\)/home/ann:,\1/home/jk:,' /srv/jails/ann/etc/passwd
        usermod -d /srv/jails/ann/./home/jk jk
        mkdir -p /etc/jailkit
        setpriv --reuid jk --regid jk --init-groups {JAILKIT} -c true
        "#
    );
    let outcome = sandbox.run(&["sh", "-e", "-c", &script]);
    if outcome.status.success() {
        return Ok(());
    }
    Err(format!("{} ({})", outcome.stderr.trim(), outcome.status))
}

fn report(results: &[Measure]) {
    let median = |name: &str| {
        results
            .iter()
            .find(|one| one.name == name)
            .map(|one| one.median)
    };
    let floor = median("floor").unwrap_or(f64::NAN);
    println!(
        "{:<32}{:>9}{:>9}{:>9}{:>9}{:>10}{:>12}",
        "", "median", "p10", "p90", "x floor", "peak RSS", "private"
    );
    for one in results {
        // Several processes do the work there: see the line on supervisor and init.
        if one.rss == 0 {
            println!(
                "{:<32}{:>6.3} ms{:>6.3} ms{:>6.3} ms{:>9.2}",
                one.name,
                one.median,
                one.low,
                one.high,
                one.median / floor
            );
            continue;
        }
        println!(
            "{:<32}{:>6.3} ms{:>6.3} ms{:>6.3} ms{:>9.2}{:>6} KiB{:>8} KiB",
            one.name,
            one.median,
            one.low,
            one.high,
            one.median / floor,
            one.rss,
            one.private
        );
    }
    let bare = median(BARE).unwrap_or(f64::NAN);
    let all = median(ALL).unwrap_or(f64::NAN);
    judge("chroot alone", "the floor", bare / floor, AIM_FLOOR);
    if let Some(jailkit) = median("jk_chrootsh") {
        judge("chroot alone", "jk_chrootsh", bare / jailkit, AIM_JAILKIT);
        judge("all walls", "jk_chrootsh", all / jailkit, AIM_ALL_JAILKIT);
    }
    let full = median(FLOOR_FULL).unwrap_or(f64::NAN);
    println!(
        "all walls: {:.2} x the floor with the namespaces",
        all / full
    );
    if let Some(bubblewrap) = median(BUBBLEWRAP) {
        println!("that floor: {:.2} x bwrap", full / bubblewrap);
        judge("all walls", "bwrap", all / bubblewrap, AIM_ALL_BUBBLEWRAP);
    }
}

fn judge(who: &str, what: &str, ratio: f64, aim: f64) {
    let verdict = if ratio <= aim { "met" } else { "missed" };
    println!("aim: {who} at most {aim:.2} x {what}: {ratio:.2}, {verdict}");
}

/// What supervisor and init of a session hold that nobody else does.
fn memory() {
    let sandbox = Sandbox::new().user("ann").root(roots::busybox());
    let script = format!(
        r#"
        setpriv --reuid ann --regid ann --init-groups {JAIL_SHELL} -c 'sleep 2' &
        sleep 1
        cat $(pgrep -x jail-shell | sed 's,.*,/proc/&/smaps_rollup,') | awk '/^Private/ {{ n += $2 }} END {{ print n }}'
        "#
    );
    let held: u64 = sandbox.must(&script).trim().parse().unwrap_or(u64::MAX);
    let verdict = if held < AIM_MEMORY { "met" } else { "missed" };
    println!("supervisor and init, private memory together: {held} KiB");
    println!("aim: below {AIM_MEMORY} KiB, {verdict}\n");
}

/// `scope = "user"`: what joining a world costs against making one, and what many sessions cost the machine.
fn sharing(rounds: &str) {
    let (sessions, users) = MANY;
    let sandbox = Sandbox::new().user("ann").root(roots::busybox()).config(
        "[users]\nann = 'w'\n[groups]\nmany = 'w'\n[jails.w]\nroot = '/srv/jails/ann'\nhome = '/'\nscope = 'user'\n",
    );
    sandbox.must(&format!(
        "groupadd many; for n in $(seq {users}); do useradd -M -p '*' -s {JAIL_SHELL} -G many u$n; done"
    ));
    let spawn = probe("spawn");
    let median = |user: &str| -> f64 {
        let account = sandbox.must(&format!("echo $(id -u {user}):$(id -G {user} | tr ' ' ,)"));
        let argv = [
            &spawn,
            rounds,
            WARM_UP,
            "0",
            &account,
            JAIL_SHELL,
            "jail-shell",
            "-c",
            "true",
            ",",
        ];
        match sandbox.command(&argv).output() {
            Ok(output) if output.status.success() => {
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                Measure::parse("", text.trim_end()).map_or(f64::NAN, |it| it.median)
            }
            failed => panic!("measure: {failed:?}"),
        }
    };
    // The user has `all` of them then.
    let begin = |user: &str, count: u64, all: u64| {
        sandbox.must(&format!(
            "for n in $(seq {count}); do
                 setsid setpriv --reuid {user} --regid {user} --init-groups {JAIL_SHELL} -c 'exec sleep 600' </dev/null >/dev/null 2>&1 &
             done
             until [ $(pgrep -u {user} -xc sleep) = {all} ]; do sleep 0.05; done"
        ));
    };
    let alone = median("ann");
    begin("u1", 1, 1);
    let joining = median("u1");
    println!("scope = \"user\": making a world {alone:.3} ms, joining one {joining:.3} ms");
    judge("joining a world", "making one", joining / alone, AIM_JOIN);
    let each = sessions / users;
    begin("u1", each - 1, each);
    for number in 2..=users {
        begin(&format!("u{number}"), each, each);
    }
    let held: u64 = sandbox
        .must(
            "cat $(pgrep -x 'jail-shell|session:.*' | sed 's,.*,/proc/&/smaps_rollup,') | awk '/^Private/ { n += $2 } END { print n }'",
        )
        .trim()
        .parse()
        .unwrap_or(u64::MAX);
    let held = held / sessions;
    let verdict = if held <= AIM_MEMORY_OF_MANY {
        "met"
    } else {
        "missed"
    };
    println!("{sessions} sessions of {users} users: {held} KiB of private memory each");
    println!("aim: at most {AIM_MEMORY_OF_MANY} KiB, {verdict}");
    let beside = median("ann");
    judge(
        "a login beside them",
        "one without",
        beside / alone,
        AIM_BESIDE_MANY,
    );
    println!();
}

/// Work inside a host-view jail against the same work outside.
fn work() {
    let sandbox = Sandbox::new().user("ann").root(roots::busybox()).config(
        "[users]\nann = 'view'\n[jails.view]\nroot = '/srv/view'\nbase = 'host'\nhome = '/home/ann'\nshell = '/bin/sh'\n",
    );
    sandbox.must(
        r##"
        mkdir -p /srv/view/home/ann
        cd /srv/view/home/ann
        mkdir tree code
        for d in $(seq 100); do mkdir tree/$d; for f in $(seq 50); do echo $d $f >tree/$d/$f; done; done
        for f in $(seq 10); do
            echo "#include <stdio.h>" >code/$f.c
            echo "int f$f(int n) { return puts(__FILE__) + n; }" >>code/$f.c
        done
        chown -R ann: .
        su -s /bin/sh ann -c 'cd tree && git init -q && git add . && git -c user.name=a -c user.email=a commit -qm x'
        "##,
    );
    let spawn = probe("spawn");
    println!(
        "work inside a host-view jail against the same work outside, the login included; medians of 11\n"
    );
    for (title, command) in [
        (
            "git status, 5,000 files, ten times",
            "cd tree && for i in 0 1 2 3 4 5 6 7 8 9; do git status >/dev/null; done",
        ),
        (
            "a C build, ten files",
            "cd code && for f in *.c; do gcc -O1 -c $f -o /tmp/$f.$$.o; done",
        ),
        ("find /usr", "find /usr >/dev/null 2>&1 || :"),
    ] {
        let outside = format!("cd /srv/view/home/ann; {command}");
        let account = sandbox.must("echo $(id -u ann):$(id -g ann)");
        let argv = [
            &spawn,
            "11",
            "1",
            "0",
            &account,
            "/bin/sh",
            "sh",
            "-c",
            &outside,
            ",",
            "1",
            &account,
            JAIL_SHELL,
            "jail-shell",
            "-c",
            command,
        ];
        let output = match sandbox.command(&argv).output() {
            Ok(output) if output.status.success() => output,
            failed => panic!("measure {title}: {failed:?}"),
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let medians: Vec<f64> = text
            .lines()
            .filter_map(|line| Measure::parse(title, line))
            .map(|one| one.median)
            .collect();
        let &[outside, inside] = medians.as_slice() else {
            panic!("measure {title}: {text}");
        };
        println!("{title:<40}{outside:>9.1} ms outside{inside:>9.1} ms inside");
        judge("inside", "outside", inside / outside, AIM_WORK);
    }
}
