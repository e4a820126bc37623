//! What building a root takes: `jailctl build` beside jailkit's jk_init, for the same kinds of program, in turns, in one
//! run. It reports; it fails only where it can't measure.
#![allow(
    clippy::print_stdout,
    clippy::panic,
    reason = "a report goes to standard output, and a benchmark that can't be done says so by panicking"
)]

use std::time::Instant;

use login_jail_tests::{Sandbox, jailctl};

const TURNS: usize = 3;

/// What both know, by the same names.
const PRESETS: &str = "basicshell interactiveshell netutils editors git rsync sftp scp";

/// How many times faster than jk_init a build should be.
const AIM: f64 = 5.0;

fn main() {
    let sandbox = Sandbox::new();
    let with = PRESETS.replace(' ', ",");
    let contestants = [
        ("jk_init", format!("jk_init -j /srv/ROOT {PRESETS}")),
        (
            "jailctl build",
            format!("{} build /srv/ROOT --with {with}", jailctl()),
        ),
        (
            "jailctl build --hardlink",
            format!("{} build /srv/ROOT --with {with} --hardlink", jailctl()),
        ),
    ];
    let mut taken: Vec<Vec<f64>> = contestants.iter().map(|_| Vec::new()).collect();
    for turn in 0..TURNS {
        for (number, (name, command)) in contestants.iter().enumerate() {
            let command = command.replace("ROOT", &format!("root-{turn}-{number}"));
            let started = Instant::now();
            // jk_init takes longer than the sandbox allows one command on a slow machine.
            let outcome = sandbox.command(&["sh", "-c", &command]).output();
            let each = started.elapsed().as_secs_f64();
            if !outcome.is_ok_and(|outcome| outcome.status.success()) {
                panic!("{name}: {command} failed");
            }
            if let Some(all) = taken.get_mut(number) {
                all.push(each);
            }
        }
    }
    println!("a root with {PRESETS}: {TURNS} turns, median\n");
    let medians: Vec<f64> = taken
        .iter_mut()
        .map(|all| {
            all.sort_by(f64::total_cmp);
            all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
        })
        .collect();
    for (number, ((name, _), median)) in contestants.iter().zip(&medians).enumerate() {
        let size = sandbox.must(&format!(
            "find /srv/root-0-{number} -type f -links 1 -printf '%k\\n' | awk '{{ sum += $1 }} END {{ print sum + 0 }}'
             find /srv/root-0-{number} -type f | wc -l"
        ));
        let (size, files) = size.split_once('\n').unwrap_or_default();
        println!("{name:26}{median:8.2} s {size:>8} KiB of its own {files:>6} files");
    }
    if let [jailkit, ours, ..] = medians.as_slice() {
        println!(
            "\njk_init / jailctl build    {:8.1}   aim: at least {AIM}",
            jailkit / ours
        );
    }
}
