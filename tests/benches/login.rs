//! What a login costs: fork, exec and wait of one `sh -c true` in a jail, by jail-shell and by others.
//!
//! The measure is the floor: a set-uid program that does chdir, chroot, setgroups, setresgid, setresuid and execve and
//! nothing else. All contestants take turns in one run, in the same sandbox, with the same user and root. It reports;
//! it fails only where it can't measure.
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

/// The most that jail-shell should take, as a multiple of the floor and of jailkit.
const AIM_FLOOR: f64 = 2.0;
const AIM_JAILKIT: f64 = 0.5;

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
        let sandbox = Sandbox::new().user("ann").root(root);
        for floor in ["floor", "floor-dynamic"] {
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
                "jail-shell",
                &ann,
                &[JAIL_SHELL, "jail-shell", "-c", "true"],
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
    let jail_shell = median("jail-shell").unwrap_or(f64::NAN);
    judge("the floor", jail_shell / floor, AIM_FLOOR);
    if let Some(jailkit) = median("jk_chrootsh") {
        judge("jk_chrootsh", jail_shell / jailkit, AIM_JAILKIT);
    }
}

fn judge(what: &str, ratio: f64, aim: f64) {
    let verdict = if ratio <= aim { "met" } else { "missed" };
    println!("aim: at most {aim:.1} x {what}: {ratio:.2}, {verdict}");
}
