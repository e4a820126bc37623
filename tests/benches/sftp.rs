//! What SFTP through a jail costs: jail-shell with `commands = ["sftp"]` beside sshd's internal-sftp in a ChrootDirectory, with the
//! same client, the same files and the same file system, in turns in one run. It reports; it fails only where it can't measure.
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
        "{:<28}{:>12}{:>16}{:>8}",
        "", "login-jail", "internal-sftp", "ratio"
    );
    for ((name, ..), taken) in WORK.iter().zip(&mut taken) {
        let [jailed, chrooted] = taken;
        let (jailed, chrooted) = (median(jailed), median(chrooted));
        let is_start = name.starts_with("start");
        let (ratio, aim, met) = match is_start {
            true => (
                jailed / chrooted,
                format!("at most {AIM_START}"),
                jailed / chrooted <= AIM_START,
            ),
            false => (
                chrooted / jailed,
                format!("at least {AIM_TRANSFER}"),
                chrooted / jailed >= AIM_TRANSFER,
            ),
        };
        let what = if is_start {
            "of the time"
        } else {
            "of the throughput"
        };
        let verdict = if met { "met" } else { "missed" };
        println!(
            "{name:<28}{jailed:>10.3} s{chrooted:>14.3} s{ratio:>8.3} {what}, aim {aim}: {verdict}"
        );
    }
}

/// Gives how many seconds a batch of sftp's takes.
fn measure(sandbox: &Sandbox, account: usize, batch: &str) -> f64 {
    let user = ACCOUNTS.get(account).copied().unwrap_or_default();
    let script = format!("sftp -q -F /root/config -b - {user} >/dev/null <<'END'\n{batch}END\n");
    let begun = Instant::now();
    let outcome = sandbox.run_within(LIMIT, &["sh", "-c", &script]);
    let taken = begun.elapsed().as_secs_f64();
    if outcome.code() != Some(0) {
        panic!("{user}: {outcome}");
    }
    sandbox.must("rm -rf /tmp/back");
    taken
}

fn median(all: &mut [f64]) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

fn arena() -> Sandbox {
    let sandbox = Sandbox::new()
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
