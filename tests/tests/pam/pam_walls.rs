//! The walls behind PAM: the probes of walls.rs, run in a session that each host program has opened. There is no pid
//! namespace there; what is reached is listed below, and nothing else may be.
#![allow(clippy::panic, reason = "a test reports by panicking")]

use std::{collections::BTreeMap, fmt::Write as _, io::Write as _};

use login_jail_tests::{
    Sandbox,
    fault::{install_probe, probe},
    pam::WEB,
    roots,
};

const KEYS: &str = "base = \"host\"\nshell = \"/bin/bash\"\nmounts = [{ source = \"/run/walls/share\", target = \"/shared\", mode = \"rw\" }]";
const HOME: &str = "/srv/jails/ann/home/ann";

/// What is reached, why, and by which host programs; all where none is named.
const REACHED: [(&str, &[&str], &[&str]); 4] = [
    (
        "no kernel has a rule for it so far: a directory descriptor that an accomplice outside has sent, metadata only",
        &[
            "descriptors: stat",
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
    (
        "what a probe needs in order to try at all",
        &["control"],
        &[],
    ),
];

fn stage() -> Sandbox {
    let sandbox = Sandbox::with_ann_behind_pam(roots::home(), "")
        .with("usermod -u 7021 ann; chown -R ann: /srv/jails/ann/home/ann; mkdir -p /home/ann; chown ann /home/ann");
    sandbox.write("/etc/login-jail/config.toml", format!("{WEB}{KEYS}\n"));
    sandbox.must(&format!(
        "mkdir -p /run/walls/share /srv/programs
         printf outside >/etc/walls-secret; printf outside >/run/walls/secret
         chown ann: /run/walls/secret
         install -m 4755 {} /srv/programs/set-uid",
        probe("walls")
    ));
    sandbox
}

/// Puts what probes change back to where it was.
fn prepare(sandbox: &Sandbox) {
    sandbox.must(&format!(
        "rm -rf /srv/walls /run/walls/share/ann
         mkdir -p /srv/walls /run/walls/share/ann
         cd /srv/walls
         touch unlink-me link-me chmod-me; echo text >truncate-me
         cp {walls} walls
         chown -R ann: /srv/walls /run/walls/share/ann
         cd {HOME}
         rm -rf * && cp {walls} walls
         install -m 4755 walls set-uid; install -m 2755 walls set-gid
         cp walls capable && setcap cap_sys_chroot+ep capable
         ln /srv/programs/set-uid linked 2>/dev/null || cp -p /srv/programs/set-uid linked
         mknod -m 666 device c 1 5",
        walls = probe("walls")
    ));
}

/// Runs all probes in a session of a host program, and gives those that reached something.
fn reached(sandbox: &Sandbox, program: &str) -> Vec<String> {
    prepare(sandbox);
    let accomplice = install_probe(sandbox, "walls_accomplice");
    let accomplice = sandbox.run_as("ann", &[&accomplice, "/run/walls/share/ann", HOME]);
    let accomplice = accomplice.ok();
    let walls = install_probe(sandbox, "walls");
    let command = "/home/ann/walls probe /shared/ann /home/ann";
    let shown = match program {
        // With descriptors of the host's open in it, which su by itself would hand on.
        "su" => {
            sandbox
                .run(&[&walls, "leak", "/bin/su", "su", "ann", "-c", command])
                .stdout
        }
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
            pty.line(&format!("{command} >out 2>&1 </dev/tty; exit 0"));
            pty.finish().ok();
            sandbox.read(&format!("{HOME}/out"))
        }
    };
    sandbox.must(&format!("kill -9 {accomplice}"));
    assert!(
        shown.lines().any(|line| line.trim_end() == "DONE"),
        "{program}: the probes have not come to their end: {shown}\n{}",
        sandbox.syslog()
    );
    let mut found = Vec::new();
    for line in shown.lines().filter(|line| line.starts_with("PROBE\t")) {
        let words: Vec<&str> = line.split('\t').collect();
        let [_, threat, name, word, by] = words[..] else {
            panic!("not what the probe says: {line}");
        };
        match word {
            "reached" => found.push(format!("{threat}: {name}")),
            "held" | "absent" => {}
            _ => panic!("{program}: {threat}: {name}: the probe broke: {by}"),
        }
    }
    found
}

fn is_documented(probe: &str, program: &str) -> bool {
    REACHED.iter().any(|(_, probes, programs)| {
        probes
            .iter()
            .any(|known| probe == *known || *known == "control" && probe.starts_with("control"))
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
        for known in probes.iter().filter(|known| **known != "control") {
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
