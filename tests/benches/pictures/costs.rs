//! What a login, a root and its set-up cost, beside the peers, all in one run and in turns. Only ratios of medians are kept,
//! and sizes: a machine has its own times.

use std::time::Instant;

use login_jail_tests::{JAIL_SHELL, Sandbox, fault::probe, roots};
use serde_json::{Value, json};

use crate::peers::Peer;

const LOGINS: usize = 45;
const STARTS: usize = 15;
const SET_UPS: usize = 3;

/// What both know, by the same names.
const PRESETS: &str = "basicshell interactiveshell netutils editors git rsync sftp scp";

pub(crate) fn run() -> Value {
    let stages: Vec<(Peer, Sandbox)> = Peer::ALL
        .into_iter()
        .map(|peer| (peer, peer.set_up("")))
        .collect();
    let version = |peer: Peer, sandbox: &Sandbox| json!([peer.name(), peer.version(sandbox)]);
    json!({
        "versions": stages.iter().map(|(peer, sandbox)| version(*peer, sandbox)).collect::<Vec<_>>(),
        "date": Sandbox::bare().must("date +%Y-%m"),
        "kernel": Sandbox::bare().must("uname -r | cut -d. -f1,2"),
        "logins": logins(&stages),
        "starts": starts(&stages),
        "set_ups": set_ups(),
    })
}

/// Whole logins by ssh, as multiples of the one without a jail.
fn logins(stages: &[(Peer, Sandbox)]) -> Vec<Value> {
    println!("  logins");
    let mut taken: Vec<Vec<f64>> = stages.iter().map(|_| Vec::new()).collect();
    for turn in 0..=LOGINS {
        for ((_, sandbox), taken) in stages.iter().zip(&mut taken) {
            let started = Instant::now();
            sandbox.ssh("ann", "true").ok();
            // The first starts sshd.
            if turn > 0 {
                taken.push(started.elapsed().as_secs_f64());
            }
        }
    }
    let names = stages.iter().map(|(peer, _)| peer.name());
    ratios(names.zip(taken).collect())
}

/// The jail alone, where it is a program: its start, `true` in its shell, and its end, as multiples of the shell alone.
fn starts(stages: &[(Peer, Sandbox)]) -> Vec<Value> {
    println!("  starts");
    let stages: Vec<(&str, &Sandbox, &str)> = stages
        .iter()
        .filter_map(|(peer, sandbox)| match peer {
            Peer::Nothing => Some((peer.name(), sandbox, "/srv/jails/ann/bin/sh")),
            Peer::LoginShell => Some((peer.name(), sandbox, JAIL_SHELL)),
            Peer::Jailkit => Some((peer.name(), sandbox, "/usr/sbin/jk_chrootsh")),
            Peer::Firejail | Peer::Bubblewrap => {
                Some((peer.name(), sandbox, "/usr/local/bin/wrapper"))
            }
            Peer::Pam | Peer::ChrootDirectory | Peer::PamChroot => None,
        })
        .collect();
    let mut taken: Vec<Vec<f64>> = stages.iter().map(|_| Vec::new()).collect();
    for _ in 0..STARTS {
        for ((name, sandbox, program), taken) in stages.iter().zip(&mut taken) {
            let spawn = probe("spawn");
            // jk_chrootsh looks at the name by which it is called.
            let called = program.rsplit('/').next().unwrap_or_default();
            let argv = [
                &spawn,
                "41",
                "3",
                "it",
                "7041:7041",
                program,
                called,
                "-c",
                "true",
            ];
            let outcome = sandbox.run(&argv);
            let shown = outcome.ok();
            // The quickest tenth: what else the machine does lengthens the others.
            match shown.split(' ').nth(2).and_then(|time| time.parse().ok()) {
                Some(time) => taken.push(time),
                None => panic!("{name}: {shown}"),
            }
        }
    }
    ratios(stages.iter().map(|it| it.0).zip(taken).collect())
}

/// From an account to a jail that it can log in to: seconds as multiples of the first, and the disk that it takes.
fn set_ups() -> Vec<Value> {
    println!("  set-ups");
    let with = PRESETS.replace(' ', ",");
    let own = |how: &str| {
        format!(
            "jailctl build /srv/own/USER --with {with} --user USER {how} && jailctl add USER --jail own"
        )
    };
    let contestants = [
        (
            "login-jail, base = \"host\"",
            "/srv/view/USER",
            "install -d -m 755 /srv/view/USER && jailctl add USER --jail view && jailctl mend home-missing USER".to_owned(),
        ),
        ("login-jail, jailctl build --hardlink", "/srv/own/USER", own("--hardlink")),
        ("login-jail, jailctl build", "/srv/own/USER", own("")),
        (
            "jailkit, jk_init and jk_jailuser",
            "/srv/kit/USER",
            format!("jk_init -j /srv/kit/USER {PRESETS} && jk_jailuser -m -s /bin/bash -j /srv/kit/USER USER"),
        ),
    ];
    let mut taken: Vec<Vec<f64>> = contestants.iter().map(|_| Vec::new()).collect();
    let mut sizes: Vec<f64> = Vec::new();
    for turn in 0..SET_UPS {
        // Nothing that an earlier turn has made is there.
        let sandbox = Sandbox::new().config(
            "exempt = ['root']\n[jails.view]\nroot = '/srv/view/{user}'\nbase = 'host'\nshell = '/bin/bash'\n\
             [jails.own]\nroot = '/srv/own/{user}'\nshell = '/bin/bash'\n",
        );
        sandbox.must("install -d -m 755 /srv/view /srv/own /srv/kit");
        for (number, ((name, root, command), taken)) in
            contestants.iter().zip(&mut taken).enumerate()
        {
            let user = format!("user{number}");
            sandbox.must(&format!("useradd -m -s /bin/bash {user}"));
            let command = command.replace("USER", &user);
            let started = Instant::now();
            // jk_init takes longer than the sandbox allows one command on a slow machine.
            let output = sandbox.command(&["sh", "-c", &command]).output();
            taken.push(started.elapsed().as_secs_f64());
            if !output.as_ref().is_ok_and(|output| output.status.success()) {
                panic!("{name}: {output:?}");
            }
            if turn == 0 {
                sizes.push(megabytes(&sandbox, &root.replace("USER", &user)));
            }
        }
    }
    let mut rows = ratios(contestants.iter().map(|it| it.0).zip(taken).collect());
    for (row, size) in rows.iter_mut().zip(&sizes) {
        if let Some(row) = row.as_object_mut() {
            row.insert("megabytes".to_owned(), json!(size));
        }
    }
    match roots::debian() {
        Ok(root) => {
            let sandbox = Sandbox::new().user("ann").root(root);
            let size = megabytes(&sandbox, "/srv/jails/ann");
            rows.push(json!({ "name": "debootstrap --variant=minbase", "megabytes": size }));
        }
        Err(reason) => println!("  debootstrap: skipped, {reason}"),
    }
    rows
}

/// What a root has that is no hard link of the host's.
fn megabytes(sandbox: &Sandbox, root: &str) -> f64 {
    let size = sandbox.must(&format!(
        "find {root} -type f -links 1 -printf '%k\\n' | awk '{{ sum += $1 }} END {{ printf \"%.1f\", sum / 1024 }}'"
    ));
    size.parse().unwrap_or(f64::NAN)
}

/// The medians, and the quartiles around them, of what each took as a multiple of what the first took in the same turn.
fn ratios(taken: Vec<(&str, Vec<f64>)>) -> Vec<Value> {
    let units = taken.first().map_or(Vec::new(), |(_, first)| first.clone());
    taken
        .into_iter()
        .map(|(name, all)| {
            let mut all: Vec<f64> = all.iter().zip(&units).map(|(it, unit)| it / unit).collect();
            all.sort_by(f64::total_cmp);
            let at = |part: usize| {
                let value = all.get(all.len() * part / 4).copied().unwrap_or(f64::NAN);
                (value * 1000.0).round() / 1000.0
            };
            println!("    {name}: {} ({} to {})", at(2), at(1), at(3));
            json!({ "name": name, "ratio": at(2), "quartiles": [at(1), at(3)] })
        })
        .collect()
}
