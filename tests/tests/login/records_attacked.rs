//! What is recorded of sessions, attacked: by a user who knows how it is made.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test reports by panicking"
)]

use std::time::{Duration, Instant};

use login_jail_tests::{JAIL_SHELL, Sandbox};

const ROOT: &str = "/srv/jails/ann";
const HOME: &str = "/srv/jails/ann/home/ann";

/// Ann in a view of the host with these keys, and with a home of hers.
fn ann(keys: &str) -> Sandbox {
    Sandbox::new()
        .user("ann")
        .config(&format!(
            "[users]\nann = \"view\"\n[jails.view]\nroot = \"{ROOT}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n{keys}\n"
        ))
        .with(&format!("install -d -o ann -g ann {HOME}"))
}

/// A program that writes what the sftp-server would say of a removal.
const FORGER: &str = "#!/bin/sh\nprintf 'remove name \"/forged\"\\r\\n' >&2\n";

#[test]
fn the_record_of_transfers_is_no_program_of_the_users_to_write() {
    let sandbox = ann("sftp.log = true");
    for own in ["home/ann/sftp-server", "home/ann/internal-sftp"] {
        let path = format!("{ROOT}/{own}");
        sandbox.write(&path, FORGER);
        sandbox.must(&format!("chmod 755 {path}"));
        let asked = format!("/{own}");
        // What is started instead ends with its input.
        sandbox.run_as("ann", &[JAIL_SHELL, "-c", &asked]).ok();
    }
    let log = sandbox.log().join("\n");
    assert!(!log.contains("forged"), "{log}");
}

#[test]
fn no_program_of_the_users_takes_the_place_of_the_server_where_terminals_are_recorded() {
    let sandbox = ann("record = \"terminal\"");
    sandbox.write(
        &format!("{HOME}/sftp-server"),
        "#!/bin/sh\necho unrecorded >/home/ann/ran\n",
    );
    sandbox.must(&format!("chmod 755 {HOME}/sftp-server"));
    sandbox
        .run_as("ann", &[JAIL_SHELL, "-c", "/home/ann/sftp-server"])
        .ok();
    sandbox.must(&format!("! [ -e {HOME}/ran ]"));
}

#[test]
fn refuses_a_recorded_server_that_the_user_can_exchange() {
    for key in ["sftp.log = true", "record = \"terminal\""] {
        let sandbox = ann(&format!("{key}\nroot_owner = \"user\""));
        sandbox.must(&format!(
            "mkdir -p {ROOT}/usr/lib; cp -a /usr/lib/openssh {ROOT}/usr/lib/; chown -R ann {ROOT}"
        ));
        let seen = sandbox.run_as("ann", &[JAIL_SHELL, "-c", "internal-sftp"]);
        assert_ne!(seen.code(), Some(0), "{seen}");
        sandbox.logged(&["refused", "others than root can write"]);
    }
}

/// A packet of SFTP: draft-ietf-secsh-filexfer-02.
fn packet(kind: u8, body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    let length = u32::try_from(body.len() + 1).expect("a length");
    [&length.to_be_bytes()[..], &[kind], &body].concat()
}

fn string(text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("a length");
    [&length.to_be_bytes()[..], text].concat()
}

#[test]
fn no_request_makes_another_look_as_if_it_had_failed() {
    let sandbox = ann("sftp.log = true");
    let id = |number: u32| number.to_be_bytes();
    let remove = |number: u32, name: &str| packet(13, &[&id(number), &string(name.as_bytes())]);
    // A handle that is not there, of which the server says nothing but the status: FSTAT, CLOSE, WRITE.
    let wrong = string(&9999_u32.to_be_bytes());
    let fstat = packet(8, &[&id(100), &wrong]);
    let close = packet(4, &[&id(101), &wrong]);
    let write = packet(6, &[&id(102), &wrong, &[0; 8], &string(b"x")]);
    let mut input = packet(1, &[&id(3)]);
    for (number, name, quiet) in [(1, "a", &fstat), (2, "b", &close), (3, "c", &write)] {
        sandbox.must(&format!("touch {HOME}/{name}; chown ann {HOME}/{name}"));
        input.extend(remove(number, name));
        input.extend(quiet);
    }
    // The server reads no more once its input has ended.
    let script = format!("(cat; sleep 1) | {JAIL_SHELL} -c internal-sftp");
    sandbox
        .run_as_with("ann", &["sh", "-c", &script], &input)
        .ok();
    sandbox.must(&format!("! ls {HOME}/a {HOME}/b {HOME}/c"));
    sandbox.logged(&["leave", "status=0"]);
    for name in ["a", "b", "c"] {
        sandbox.logged(&[
            "transfer",
            &format!("what=remove path=\"{name}\" result=\"ok\""),
        ]);
    }
}

/// A client that takes nothing of what the session shows, and keeps the connection.
const READS_NOTHING: &str = "
import os, pty, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execvp('su', ['su', '-', 'ann'])
time.sleep(2)
os.write(fd, b'exec yes\\r')
time.sleep(60)
";

#[test]
fn a_terminal_that_takes_nothing_keeps_no_session_beyond_its_end() {
    for keys in ["", "record = \"terminal\""] {
        let sandbox = ann(keys);
        let until = sandbox.must("date -d '+7 seconds' '+%F %H:%M:%S'");
        sandbox.must(&format!(
            "printf 'until = \"{until}\"\\n' >>/etc/login-jail/config.toml"
        ));
        let mut client = sandbox
            .command(&["python3", "-c", READS_NOTHING])
            .spawn()
            .expect("start python3");
        let begun = Instant::now();
        let is_there = || sandbox.sh("pgrep -u ann -x yes").code() == Some(0);
        while !is_there() {
            assert!(begun.elapsed() < Duration::from_secs(6), "no session");
        }
        while is_there() && begun.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(200));
        }
        let took = begun.elapsed();
        client.kill().expect("kill python3");
        client.wait().expect("wait for python3");
        assert!(took < Duration::from_secs(20), "{keys}: {took:?}");
        sandbox.logged(&["cut", "until: the account was open until"]);
    }
}
