//! What a module adds to opening and closing a PAM session: pam_jail beside pam_chroot and pam_namespace, all in one run,
//! in turns, by a driver like pamtester. A round is a process of its own that starts PAM, loads the stack, opens and
//! closes. It reports; it fails only where it can't measure.
#![allow(
    clippy::print_stdout,
    clippy::panic,
    reason = "a report goes to standard output, and a benchmark that can't be done says so by panicking"
)]

use login_jail_tests::fault::probe;
use login_jail_tests::{Sandbox, roots};

const ROUNDS: &str = "300";
const TURNS: usize = 15;

/// The most that all walls should add, as a multiple of what pam_namespace adds.
const AIM_NAMESPACE: f64 = 1.5;

const EMPTY: &str = "pam_permit alone";
const NAMESPACE: &str = "pam_namespace (/tmp, /var/tmp)";
const CHROOT: &str = "pam_chroot";
const ALL: &str = "pam_jail, all walls, base = host";
const WHOLE: &str = "pam_jail, all walls, no base";
const BARE: &str = "pam_jail, chroot alone";
const EXEMPT: &str = "pam_jail, exempt user";

/// Name, service, user.
const CONTESTANTS: [(&str, &str, &str); 7] = [
    (EMPTY, "b-permit", "ann"),
    (NAMESPACE, "b-namespace", "ann"),
    (CHROOT, "b-chroot", "ann"),
    (ALL, "b-jail", "ann"),
    (WHOLE, "b-jail", "whole"),
    (BARE, "b-jail", "bare"),
    (EXEMPT, "b-jail", "free"),
];

fn main() {
    let sandbox = arena();
    let mut taken: Vec<Vec<f64>> = CONTESTANTS.iter().map(|_| Vec::new()).collect();
    for _ in 0..TURNS {
        for ((name, service, user), taken) in CONTESTANTS.iter().zip(&mut taken) {
            taken.push(measure(&sandbox, name, service, user));
        }
    }
    let medians: Vec<f64> = taken
        .iter_mut()
        .map(|all| {
            all.sort_by(f64::total_cmp);
            all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
        })
        .collect();
    let of = |name: &str| {
        let found = CONTESTANTS
            .iter()
            .zip(&medians)
            .find(|(one, _)| one.0 == name);
        found.map_or(f64::NAN, |(_, median)| *median)
    };
    println!(
        "open and close of a PAM session, {TURNS} turns of {ROUNDS} rounds; median, and what is added to an empty stack\n"
    );
    for ((name, ..), median) in CONTESTANTS.iter().zip(&medians) {
        println!(
            "{name:36} {:8.0} µs {:+8.0} µs",
            median / 1e3,
            (median - of(EMPTY)) / 1e3
        );
    }
    let added = |name: &str| of(name) - of(EMPTY);
    let config = added(EXEMPT);
    println!(
        "\nall walls / pam_namespace            {:6.2}   aim: at most {AIM_NAMESPACE}",
        added(ALL) / added(NAMESPACE)
    );
    println!(
        "all walls, no base / pam_namespace   {:6.2}",
        added(WHOLE) / added(NAMESPACE)
    );
    println!(
        "chroot alone / (pam_chroot + config) {:6.2}   aim: at most 1, with {:.0} µs for loading the module and reading the config",
        added(BARE) / (added(CHROOT) + config),
        config / 1e3
    );
}

fn measure(sandbox: &Sandbox, name: &str, service: &str, user: &str) -> f64 {
    let outcome = sandbox.run(&[&probe("cycles"), service, user, ROUNDS, "oc", "fork"]);
    let shown = outcome.ok();
    let each = shown.lines().find_map(|line| line.strip_prefix("each="));
    match each.and_then(|each| each.parse().ok()) {
        Some(each) if shown.contains("codes=-1,0,") => each,
        _ => panic!("{name}: {outcome}"),
    }
}

fn arena() -> Sandbox {
    let sandbox = Sandbox::new()
        .user_with_shell("ann", "/bin/bash")
        .user_with_shell("whole", "/bin/bash")
        .user_with_shell("bare", "/bin/bash")
        .plain_user("free")
        .jailed("ann")
        .root(roots::home())
        .jailed("whole")
        .root(roots::dynamic())
        .with(
            "for user in ann bare; do echo $user:x:$(id -u $user):$(id -g $user)::/:/bin/bash; done >>/srv/jails/whole/etc/passwd
             mkdir -m 000 -p /run/inst
             printf '/tmp /run/inst/tmp- user root\\n/var/tmp /run/inst/var- user root\\n' >/etc/security/namespace.conf
             echo 'ann /srv/jails/whole' >/etc/security/chroot.conf
             for module in permit namespace chroot jail; do
                 printf \"session required pam_permit.so\\nsession required pam_$module.so\\n\" >/etc/pam.d/b-$module
             done
             ls /lib/*/security/pam_chroot.so >/dev/null",
        );
    sandbox.config(
        "exempt = ['free']\nusers = { ann = 'ann', whole = 'whole', bare = 'bare' }\n\
         [jails.ann]\nroot = '/srv/jails/ann'\nbase = 'host'\nshell = '/bin/bash'\n\
         [jails.whole]\nroot = '/srv/jails/whole'\n\
         [jails.bare]\nroot = '/srv/jails/whole'\nisolation = 'chroot'\nlandlock = 'off'\nseccomp = 'off'\n",
    )
}
