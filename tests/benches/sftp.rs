//! What SFTP through a jail costs: jail-shell with `commands = ["sftp"]` beside sshd's internal-sftp in a ChrootDirectory, with the
//! same client, the same files and the same file system, in turns in one run. It reports; it fails only where it can't measure.
//!
//! Client, its ssh, sshd and the server share few processors, so that the time of a transfer depends on which of them the kernel wakes where.
//! What the account's own processes had of the processors (proc_pid_schedstat(5)) does not: it is shown beside it.
#![allow(
    clippy::print_stdout,
    clippy::panic,
    reason = "a report goes to standard output, and a benchmark that can't be done says so by panicking"
)]

use std::env;
use std::time::{Duration, Instant};

use login_jail_tests::Sandbox;

/// How often each transfer is done by each account, and how many sessions are started for a transfer.
const ROUNDS: usize = 5;
const STARTS: usize = 8;

/// The least of internal-sftp's throughput, and the most of its time to start.
const AIM_TRANSFER: f64 = 0.98;
const AIM_START: f64 = 1.1;

const LIMIT: Duration = Duration::from_secs(600);

/// The accounts, in turns.
const ACCOUNTS: [&str; 2] = ["jailed", "chrooted"];

/// What is measured: its name, what sftp is told, and how often.
const WORK: [(&str, &str, usize); 5] = [
    ("start of a session, `pwd`", "pwd\n", STARTS),
    ("1 GiB up", "put /tmp/large large\n", 1),
    ("1 GiB down", "get large /dev/null\n", 1),
    ("10,000 small files up", "put -r /tmp/small small\n", 1),
    ("10,000 small files down", "get -r small /tmp/back\n", 1),
];

/// What one batch took, in seconds.
#[derive(Clone, Copy)]
struct Taken {
    wall: f64,
    /// Of the processors, by sshd's session, jail-shell and the server.
    processor: f64,
}

fn main() {
    let rounds = env::var("SFTP_BENCH_ROUNDS").ok();
    let rounds = rounds.and_then(|it| it.parse().ok()).unwrap_or(ROUNDS);
    let sandbox = arena();
    let mut taken = vec![[const { Vec::new() }; 2]; WORK.len()];
    for round in 0..=rounds {
        for ((_, batch, times), taken) in WORK.iter().zip(&mut taken) {
            // Whoever is first finds colder caches: that changes from round to round.
            let order = match round % 2 {
                0 => [0, 1],
                _ => [1, 0],
            };
            for _ in 0..*times {
                for account in order {
                    let each = measure(&sandbox, account, batch);
                    // The first round warms up.
                    if let (Some(all), 1..) = (taken.get_mut(account), round) {
                        all.push(each);
                    }
                }
            }
        }
        sandbox.must("rm -rf /srv/jails/jailed/home/jailed/* /srv/chroot/files/* /tmp/back");
    }
    println!(
        "SFTP: a jail with `commands = [\"sftp\"]` beside internal-sftp in a ChrootDirectory; medians of {rounds} rounds\n"
    );
    println!(
        "{:<28}{:>12}{:>16}{:>8}{:>24}",
        "", "login-jail", "internal-sftp", "ratio", "of the processor time"
    );
    for ((name, ..), taken) in WORK.iter().zip(&taken) {
        let of = |account: usize, what: fn(&Taken) -> f64| {
            median(taken.get(account).into_iter().flatten().map(what).collect())
        };
        let (jailed, chrooted) = (of(0, |it| it.wall), of(1, |it| it.wall));
        let processor = of(0, |it| it.processor) / of(1, |it| it.processor);
        let (ratio, what, aim, met) = if name.starts_with("start") {
            let ratio = jailed / chrooted;
            let aim = format!("at most {AIM_START}");
            (ratio, "of the time", aim, ratio <= AIM_START)
        } else {
            let ratio = chrooted / jailed;
            let aim = format!("at least {AIM_TRANSFER}");
            (ratio, "of the throughput", aim, ratio >= AIM_TRANSFER)
        };
        let verdict = if met { "met" } else { "missed" };
        println!(
            "{name:<28}{jailed:>10.3} s{chrooted:>14.3} s{ratio:>8.3}{processor:>24.3}  {what}: aim {aim}, {verdict}"
        );
    }
}

/// Gives what a batch of sftp's takes.
fn measure(sandbox: &Sandbox, account: usize, batch: &str) -> Taken {
    let user = ACCOUNTS.get(account).copied().unwrap_or_default();
    let script = format!(
        "sftp -q -F /root/config -b - {user} >/dev/null <<'END'\n{batch}!/tmp/spent {user}\nEND\n"
    );
    let begun = Instant::now();
    let outcome = sandbox.run_within(LIMIT, &["sh", "-c", &script]);
    let wall = begun.elapsed().as_secs_f64();
    if outcome.code() != Some(0) {
        panic!("{user}: {outcome}");
    }
    sandbox.must("rm -rf /tmp/back");
    let nanoseconds: f64 = sandbox
        .read("/tmp/nanoseconds")
        .trim()
        .parse()
        .unwrap_or(f64::NAN);
    Taken {
        wall,
        processor: nanoseconds / 1e9,
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Adds up what the processes of an account had of the processors, in nanoseconds.
const SPENT: &str = r#"#!/bin/sh
uid=$(id -u "$1")
for process in /proc/[0-9]*; do
  grep -qs "^Uid:	$uid	" "$process/status" && cut -d ' ' -f 1 "$process/schedstat"
done | awk '{ sum += $1 } END { printf "%.0f", sum }' >/tmp/nanoseconds
"#;

fn arena() -> Sandbox {
    let spent = format!("cat >/tmp/spent <<'END'\n{SPENT}END\nchmod 755 /tmp/spent");
    let sandbox = Sandbox::new()
        .with(&spent)
        .user("jailed")
        .plain_user("chrooted")
        .config("[users]\njailed = 'files'\n[jails.files]\nroot = '/srv/jails/{user}'\ncommands = ['sftp']\n")
        .sshd("Match User chrooted\n ChrootDirectory /srv/chroot\n ForceCommand internal-sftp -d /files")
        .with(
            "install -d /srv/jails/jailed/home; install -d -o jailed -g jailed /srv/jails/jailed/home/jailed
             install -d /srv/chroot; install -d -o chrooted -g chrooted /srv/chroot/files
             truncate -s 1G /tmp/large; mkdir /tmp/small; cd /tmp/small; for n in $(seq 10000); do echo $n >$n; done
             for user in jailed chrooted; do printf 'Host %s\\nHostName 127.0.0.1\\nUser %s\\nIdentityFile /etc/ssh/sandbox/client\\n\
             StrictHostKeyChecking no\\nUserKnownHostsFile /dev/null\\nLogLevel ERROR\\nCiphers aes128-gcm@openssh.com\\n' $user $user; done >/root/config",
        );
    // The first words start sshd.
    if sandbox.ssh_argv("jailed", &[], None).is_empty() {
        panic!("no ssh");
    }
    sandbox
}
