//! The walls behind PAM: the escape probes, run in a session that each host program has opened. There is no pid
//! namespace there; what is reached is listed below, and nothing else may be.
#![allow(clippy::panic, reason = "a test reports by panicking")]

use std::{collections::BTreeMap, fmt::Write as _, io::Write as _};

use login_jail_tests::{
    Sandbox,
    escape::{CONTROL, Probes, SHARED, Verdict},
    pam::WEB,
    roots,
};

const KEYS: &str = "base = \"host\"\nshell = \"/bin/bash\"\n";
const HOME: &str = "/srv/jails/ann/home/ann";

/// What is reached, why, and by which host programs; all where none is named.
const REACHED: [(&str, &[&str], &[&str]); 4] = [
    (
        "no kernel has a rule for it so far: a directory descriptor that an accomplice outside has sent, metadata only",
        &[
            "descriptors: sent in, stat",
            "descriptors: chmod",
            "descriptors: connect to a path socket",
        ],
        &[],
    ),
    (
        "network = \"host\"",
        &["sockets: TCP to a port of the host"],
        &[],
    ),
    (
        "capabilities are the host program's to drop: of what is left, no_new_privs lets nothing be used",
        &[
            "privileges: left-over bounding set",
            "privileges: securebits not locked",
        ],
        &[],
    ),
    ("what a probe needs in order to try at all", &[CONTROL], &[]),
];

fn stage() -> Sandbox {
    let sandbox = Sandbox::with_ann_behind_pam(roots::home(), "")
        .with("usermod -u 7021 ann; chown -R ann: /srv/jails/ann/home/ann; mkdir -p /home/ann; chown ann /home/ann");
    sandbox.write(
        "/etc/login-jail/config.toml",
        format!("{WEB}{KEYS}{SHARED}\n"),
    );
    sandbox.must("mkdir -p /run/walls/share");
    sandbox
}

/// Runs all probes in a session of a host program, and gives those that reached something.
fn reached(sandbox: &Sandbox, program: &str) -> Vec<String> {
    let probes = Probes {
        sandbox,
        user: "ann",
        root: "/srv/jails/ann",
    };
    let command = probes.command();
    let said = match program {
        // With descriptors of the host's open in it, which su by itself would hand on.
        "su" => probes.tried(|| {
            let argv = probes.beside(&["su", "ann", "-c", &command]);
            let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
            sandbox.run(&argv).stdout
        }),
        _ => probes.tried_in_session(|| in_session(sandbox, program, &command)),
    };
    let reached = said.iter().filter(|it| it.verdict == Verdict::Reached);
    reached.map(|it| it.probe()).collect()
}

fn in_session(sandbox: &Sandbox, program: &str, command: &str) -> String {
    match program {
        "sudo" => {
            sandbox
                .run(&["sudo", "-u", "ann", "bash", "-c", command])
                .stdout
        }
        "sshd" => sandbox.ssh("ann", command).stdout,
        "cron" => sandbox.cron("ann", command, HOME).unwrap_or_default(),
        "atd" => sandbox.at("ann", command, HOME).unwrap_or_default(),
        _ => {
            let mut pty = sandbox.login("ann", "secret");
            pty.expect("$ ");
            pty.line(&format!("({command}) >out 2>&1 </dev/tty; exit 0"));
            pty.finish().ok();
            sandbox.read(&format!("{HOME}/out"))
        }
    }
}

fn is_documented(probe: &str, program: &str) -> bool {
    REACHED.iter().any(|(_, probes, programs)| {
        probes
            .iter()
            .any(|known| probe == *known || *known == CONTROL && probe.starts_with(CONTROL))
            && (programs.is_empty() || programs.contains(&program))
    })
}

#[test]
fn no_probe_reaches_more_behind_pam_than_is_listed() {
    let mut table: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let programs = ["sshd", "login", "su", "sudo", "cron", "atd"];
    for program in programs {
        for probe in reached(&stage(), program) {
            table.entry(probe).or_default().push(program);
        }
    }
    let mut text = format!("\n{:48} reached behind PAM, under\n", "probe");
    let mut flaws = Vec::new();
    for (probe, by) in &table {
        writeln!(text, "{probe:48} {}", by.join(" ")).ok();
        let unlisted = by.iter().filter(|program| !is_documented(probe, program));
        flaws.extend(unlisted.map(|program| format!("{probe} under {program}")));
    }
    for (_, probes, programs_of) in REACHED {
        for known in probes.iter().filter(|known| **known != CONTROL) {
            let by = table.get(*known).cloned().unwrap_or_default();
            let missing = programs
                .iter()
                .filter(|program| programs_of.is_empty() || programs_of.contains(program));
            flaws.extend(
                missing
                    .filter(|program| !by.contains(program))
                    .map(|program| format!("{known} not reached under {program}")),
            );
        }
    }
    std::io::stderr().write_all(text.as_bytes()).ok();
    assert!(flaws.is_empty(), "\n{}", flaws.join("\n"));
}
