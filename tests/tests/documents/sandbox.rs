//! What the other tests rely on: the sandbox keeps to itself and leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use login_jail_tests::{Sandbox, skipped};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sandbox");

/// Counts the processes of the host that were started with this argument.
fn processes(argument: &str) -> usize {
    let argument = format!("\0{argument}\0");
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok())
        .filter(|words| words.contains(&argument))
        .count()
}

#[test]
fn changes_stay_inside() {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let sandbox = Sandbox::bare().plain_user("ann");
    sandbox.must("echo changed >/etc/issue; mount -t tmpfs none /srv; mknod /etc/null c 1 3; hostname changed");
    assert_eq!(sandbox.must("id -un ann; cat /etc/issue"), "ann\nchanged");
    assert!(!Path::new("/etc/null").exists());
    assert!(
        !fs::read_to_string("/etc/passwd")
            .unwrap()
            .contains("/home/ann:")
    );
    assert_ne!(
        fs::read_to_string("/etc/issue").unwrap_or_default(),
        "changed\n"
    );
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), mounts);
}

#[test]
fn everything_dies_with_the_value() {
    let sandbox = Sandbox::bare();
    sandbox.must("setsid sleep 987601 >/dev/null 2>&1 &");
    // The shell has answered as soon as it has forked; the command line comes with execve.
    let deadline = Instant::now() + Duration::from_secs(5);
    while processes("987601") == 0 {
        assert!(Instant::now() < deadline, "sleep never started");
        thread::sleep(Duration::from_millis(20));
    }
    drop(sandbox);
    gone("987601");
}

#[test]
fn everything_dies_when_the_process_that_holds_it_does() {
    // A process that dies, however it dies, closes what it holds: here the pipe to `serve`.
    let mut serve = Command::new(PROGRAM);
    serve
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut serve = serve.spawn().unwrap();
    let mut pid = String::new();
    BufReader::new(serve.stdout.take().unwrap())
        .read_line(&mut pid)
        .unwrap();
    let words = [
        "--target",
        pid.trim_end(),
        "--mount",
        "--pid",
        "sleep",
        "987602",
    ];
    let mut sleep = Command::new("nsenter").args(words).spawn().unwrap();
    drop(serve.stdin.take());
    sleep.wait().unwrap();
    gone("987602");
    assert!(serve.wait().unwrap().success());
}

/// What an administrator may have on a machine, and a test would see.
const LIVED_IN: &str = r#"
    for place in /srv /home /opt /mnt /media /var/tmp /root; do mkdir -p $place/mine && echo mine >$place/mine/file; done
    chmod 2770 /srv /opt; chmod 711 /home
    groupadd team && useradd -m -G team,games -s /bin/sh ann && useradd -m carla
    echo 'carla:100000:65536' >>/etc/subuid
    mkdir -p /etc/login-jail /var/lib/login-jail /root/.ssh /etc/profile.d /etc/security/limits.d /etc/userdb
    echo 'unlisted = "exempt"' >/etc/login-jail/config.toml
    echo mine >/root/.ssh/config
    echo 'exit 1' >/etc/profile.d/mine.sh
    echo 'ann ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/mine
    echo '* hard nproc 1' | tee /etc/security/limits.d/mine.conf >>/etc/security/limits.conf
    echo 'ForceCommand internal-sftp' >/etc/ssh/sshd_config.d/mine.conf
    echo 'AllowUsers nobody' >>/etc/ssh/sshd_config
    echo 'session required pam_jail.so' >>/etc/pam.d/su
    echo 'session required pam_deny.so' >>/etc/pam.d/common-session
    sed -i 's/^passwd:.*/passwd: ldap/' /etc/nsswitch.conf
    sed -i 's/^UMASK.*/UMASK 077/; s/^UID_MIN.*/UID_MIN 5000/' /etc/login.defs; echo 'HOME_MODE 0700' >>/etc/login.defs
    echo 'ALL: ALL' >>/etc/hosts.deny; echo 'LD_BIND_NOW=1' >>/etc/environment; touch /etc/nologin /etc/cron.allow
    echo '* * * * * true' >/var/spool/cron/crontabs/carla
    ln -s /dev/null /etc/systemd/system/user@1000.service
"#;

/// Says what a test would see of that: nothing.
const TRACES: &str = r#"
    find /srv /home /opt /mnt /media /var/tmp /root /etc/login-jail /etc/profile.d /etc/sudoers.d /etc/cron.d          /etc/ssh/sshd_config.d /etc/security/limits.d /var/spool/cron/crontabs /var/lib/login-jail -xdev ! -type d
    stat -c '%n %a' /srv /home /opt /root /var/tmp
    cut -d: -f1 /etc/passwd /etc/shadow /etc/group /etc/gshadow | grep -x 'ann\|carla\|team'
    grep -w 'ann\|carla' /etc/group /etc/gshadow /etc/subuid
    grep -l 'pam_jail' /etc/pam.d/*
    grep -c pam_deny /etc/pam.d/common-session
    grep -h 'AllowUsers\|UMASK 077\|UID_MIN 5\|^HOME_MODE\|ldap\|ALL: ALL\|^LD_\|nproc 1$' /etc/ssh/sshd_config /etc/login.defs          /etc/nsswitch.conf /etc/hosts.deny /etc/environment /etc/security/limits.conf
    ls -d /etc/nologin /etc/cron.allow /etc/systemd/system/user@* 2>/dev/null
    true
"#;

#[test]
fn nothing_of_the_hosts_administrator_is_in_it() {
    let host = Sandbox::bare();
    host.must(LIVED_IN);
    // The sandbox in a sandbox: the host of this one is a machine that somebody uses.
    let seen = host.run(&[PROGRAM, "run", "--", "sh", "-c", TRACES]);
    if seen.stderr.contains("may itself be an overlay only once") {
        return skipped("a sandbox on a machine that is lived in", seen.stderr);
    }
    assert_eq!(
        seen.ok(),
        "/srv 755\n/home 755\n/opt 755\n/root 700\n/var/tmp 1777\n1"
    );
    // The system's own accounts are as they were, and the test's own can be made.
    let script =
        "id -u daemon nobody && useradd -m -U ann && id -u ann && su - ann -c 'umask; pwd'";
    let seen = host.run(&[PROGRAM, "run", "--", "sh", "-ec", script]);
    assert_eq!(seen.ok(), "1\n65534\n1000\n0022\n/home/ann");
}

#[test]
fn run_gives_the_status_of_its_command() {
    let status = |words: &[&str]| {
        let run = Command::new(PROGRAM)
            .args(["run", "--"])
            .args(words)
            .status();
        run.unwrap().code()
    };
    assert_eq!(status(&["true"]), Some(0));
    assert_eq!(status(&["sh", "-c", "exit 7"]), Some(7));
    assert_eq!(status(&["sh", "-c", "kill -TERM $$"]), Some(128 + 15));
}

#[test]
fn says_that_it_needs_root() {
    let run = Command::new(PROGRAM)
        .args(["run", "--", "true"])
        .uid(65534)
        .gid(65534)
        .output();
    // Nobody may not even be allowed to reach the program.
    if let Ok(run) = run {
        assert!(!run.status.success());
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(said.contains("needs root"), "{said}");
    }
}

#[test]
fn collects_what_is_logged() {
    let sandbox = Sandbox::bare();
    sandbox.must("logger -u /dev/log -t jail-shell -i one; logger -u /dev/log other");
    let line = sandbox.logged(&["one"]);
    assert!(line.starts_with("<13>"), "{line}");
    assert_eq!(sandbox.log().len(), 1);
}

#[track_caller]
fn gone(argument: &str) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while processes(argument) > 0 {
        assert!(Instant::now() < deadline, "{argument} still runs");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn has_what_make_install_installs() {
    let see = |sandbox: &Sandbox| {
        sandbox.must(
            "cd /; find etc/login-jail usr -xdev -path '*jail*' -printf '%p %M %U %G %l\\n' | sort
             find etc/login-jail usr -xdev -type f -path '*jail*' -exec sha256sum {} + | sort
             getcap usr/bin/jail-shell",
        )
    };
    let sandbox = Sandbox::new();
    let copied = see(&sandbox);
    let privilege = std::env::var("LOGIN_JAIL_PRIVILEGE").unwrap_or("setuid".to_owned());
    sandbox.must(&format!(
        "rm -r /etc/login-jail; rm /usr/bin/jail-shell /usr/sbin/jailctl
         make -s -C {}/.. install PRIVILEGE={privilege}",
        env!("CARGO_MANIFEST_DIR")
    ));
    assert_eq!(copied, see(&sandbox));
    for name in [
        "jail-shell",
        "jailctl",
        "pam_jail.so",
        "config.toml",
        "pam_jail.8",
    ] {
        assert!(copied.contains(&format!("/{name} -rw")), "{name}: {copied}");
    }
}
