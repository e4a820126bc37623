//! The record of transfers: each is one line of the host's log, whatever the files are called, and none is lost while the log
//! takes nothing.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use std::{
    io::Write,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use login_jail_tests::{Sandbox, skipped};

use crate::inside_log::signal_log;

const ROOT: &str = "/srv/jails/ann";
const HOME: &str = "/srv/jails/ann/home/ann";

/// Ann, who has SFTP alone and a home in an otherwise empty root.
fn ann(sftp: &str) -> Sandbox {
    Sandbox::new()
        .user("ann")
        .config(&format!(
            "[users]\nann = \"drop\"\n[jails.drop]\nroot = \"{ROOT}\"\ncommands = [\"sftp\"]\nsftp = {{ {sftp} }}\n"
        ))
        .sshd("")
        .with(&format!(
            "install -d -o ann -g ann {HOME}; echo text >/tmp/letter"
        ))
}

/// Gives what of a log is about transfers, without what every line begins with.
fn transfers(log: &str) -> Vec<String> {
    let lines = log.lines().filter(|line| line.contains("jail-shell["));
    let marked = lines.filter_map(|line| line.split_once(": transfer "));
    marked
        .map(|(_, line)| {
            let (whose, rest) = line.split_once(" what=").expect("what");
            assert!(whose.starts_with("user=\"ann\" uid="), "{line}");
            assert!(whose.ends_with(" jail=\"drop\""), "{line}");
            rest.to_owned()
        })
        .collect()
}

/// Waits until a log has so many lines of transfers.
#[track_caller]
fn wait_for(count: usize, log: impl Fn() -> String) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let seen = transfers(&log());
        if seen.len() >= count || Instant::now() > deadline {
            assert_eq!(seen.len(), count, "{seen:#?}");
            return seen;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// A client whose requests are written one after the other.
struct Client(Child);

impl Client {
    fn start(sandbox: &Sandbox) -> Client {
        let words = sandbox.ssh_argv("ann", &[], None);
        let options = words[1..words.len() - 1].join(" ");
        let line = format!("sftp {options} -b - ann@127.0.0.1 >/run/client 2>&1");
        let mut command = sandbox.command(&["sh", "-c", &line]);
        Client(command.stdin(Stdio::piped()).spawn().expect("start sftp"))
    }

    fn say(&mut self, batch: &str) {
        let input = self.0.stdin.as_mut().expect("a pipe");
        input.write_all(batch.as_bytes()).expect("write to sftp");
    }

    #[track_caller]
    fn end(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().expect("wait for sftp").success());
    }
}

#[test]
fn each_transfer_and_each_change_is_one_line_with_its_result() {
    let sandbox = ann("log = true").with("touch /tmp/nothing");
    let batch = "put /tmp/letter letter\nget letter /tmp/back\n-get none\nput /tmp/nothing empty\nrename letter new\nmkdir d\n\
                 -mkdir d\nrmdir d\nln -s new s\nchmod 600 new\nrm s\n-rm none\nrm new\n";
    sandbox.sftp("ann", batch).ok();
    let expected = [
        r#"upload path="/home/ann/letter" up=5 down=0 result="ok""#,
        r#"download path="/home/ann/letter" up=0 down=5 result="ok""#,
        r#"upload path="/home/ann/empty" up=0 down=0 result="ok""#,
        r#"rename path="/home/ann/letter" to="/home/ann/new" result="ok""#,
        r#"mkdir path="/home/ann/d" result="ok""#,
        r#"mkdir path="/home/ann/d" result="Failure""#,
        r#"rmdir path="/home/ann/d" result="ok""#,
        r#"symlink path="new" to="/home/ann/s" result="ok""#,
        r#"set path="/home/ann/new" detail="mode 0600" result="ok""#,
        r#"remove path="/home/ann/s" result="ok""#,
        r#"remove path="/home/ann/none" result="No such file""#,
        r#"remove path="/home/ann/new" result="ok""#,
    ];
    assert_eq!(wait_for(expected.len(), || sandbox.syslog()), expected);
    sandbox.must(&format!("ls -l {HOME}/empty"));
}

#[test]
fn nothing_is_recorded_that_the_config_does_not_ask_for() {
    let sandbox = ann("log = false");
    sandbox.sftp("ann", "put /tmp/letter letter\n").ok();
    sandbox.logged(&["leave", "status=0"]);
    assert_eq!(transfers(&sandbox.syslog()), [""; 0]);
}

#[test]
fn what_is_refused_says_so() {
    let sandbox = ann("log = true, access = \"read-only\"")
        .with(&format!("echo secret >{HOME}/old; chmod 600 {HOME}/old"));
    sandbox
        .sftp("ann", "-put /tmp/letter new\n-rm old\n-get old /tmp/back\n")
        .ok();
    let expected = [
        r#"open path="/home/ann/new" result="Permission denied""#,
        r#"refused detail="remove" result="Permission denied""#,
        r#"open path="/home/ann/old" result="Permission denied""#,
    ];
    assert_eq!(wait_for(3, || sandbox.syslog()), expected);
}

#[test]
fn a_file_that_could_not_be_written_whole_says_so() {
    let sandbox = ann("log = true").with(&format!(
        "mount -t tmpfs -o size=64k none {ROOT}/home; install -d -o ann -g ann {HOME}; head -c 300000 /dev/zero >/tmp/big"
    ));
    sandbox.sftp("ann", "-put /tmp/big big\n").ok();
    let line = wait_for(1, || sandbox.syslog()).remove(0);
    assert!(
        line.starts_with(r#"upload path="/home/ann/big" up="#)
            && line.contains(r#" down=0 result="Failure" errors="#),
        "{line}"
    );
}

#[test]
fn no_name_forges_a_line_or_a_field() {
    let sandbox = ann("log = true");
    let path = |name: &str| format!("{HOME}/{name}");
    let names = [
        "a\" bytes read 0 written 5",
        "b\r\nremove name \"forged\"",
        "c\" up=9 result=\"ok\"",
        "d\\\"\u{202e}\t",
    ];
    for name in names {
        sandbox.write(&path(name), "12");
    }
    // Not UTF-8.
    sandbox.must(&format!(
        "cd {HOME}; printf 12 >\"$(printf 'e\\377')\"; chown -R ann {HOME}"
    ));
    let batch = "get [a-e]* /tmp/\n";
    sandbox.sftp("ann", batch).ok();
    let mut expected = vec![
        r#"download path="/home/ann/a\" bytes read 0 written 5" up=0 down=2 result="ok""#,
        r#"download path="/home/ann/b\u{d}\nremove name \"forged\"" up=0 down=2 result="ok""#,
        r#"download path="/home/ann/c\" up=9 result=\"ok\"" up=0 down=2 result="ok""#,
        r#"download path="/home/ann/d\\\"\u{202e}\t" up=0 down=2 result="ok""#,
        r#"download path="/home/ann/e\xff" up=0 down=2 result="ok""#,
    ];
    let mut seen = wait_for(expected.len(), || sandbox.syslog());
    seen.sort();
    expected.sort_unstable();
    assert_eq!(seen, expected);
    let rename = "rename a \"b\\\" new \\\"c\"\n";
    sandbox.must(&format!("printf 12 >{HOME}/a; chown ann {HOME}/a"));
    sandbox.sftp("ann", rename).ok();
    sandbox
        .logged(&[r#"what=rename paths="/home/ann/a\" new \"/home/ann/b\" new \"c" result="ok""#]);
}

/// OpenSSH has 1024 bytes for a line. A name can be as long as it takes to be cut behind what looks like the line's end.
#[test]
fn a_name_that_is_cut_is_told_as_what_is_left_of_it() {
    let sandbox = ann("log = true");
    let deep = format!("{0}/{0}/{0}/", "x".repeat(255));
    let end = "\" bytes read 0 written 5";
    for whole in [940, 1018, 1019, 1020, 1021, 1022, 1023, 1024] {
        let pad = whole - "close \"/home/ann/".len() - deep.len() - end.len();
        let name = format!("{deep}{}{end}{}", "y".repeat(pad), "z".repeat(4));
        sandbox.write(&format!("{HOME}/{name}"), "12");
    }
    sandbox.must(&format!("chown -R ann {HOME}"));
    let batch = format!("cd {deep}\nget * /tmp/\n");
    sandbox.sftp("ann", &batch).ok();
    sandbox.logged(&["leave", "status=0"]);
    let seen = transfers(&sandbox.syslog());
    assert!(!seen.is_empty());
    for line in &seen {
        assert!(!line.contains(" up=5 "), "{line}");
        assert!(
            line.starts_with("unclear detail=\"") || line.contains(" up=0 down=2 "),
            "{line}"
        );
    }
    let unclear = seen.iter().filter(|line| line.contains("close \\\""));
    assert_eq!(unclear.count(), 7, "{seen:#?}");
}

/// The server serves its own /proc/self/fd.
#[test]
fn a_client_can_t_write_to_the_record() {
    let sandbox = ann("log = true").with("printf 'remove name \"/forged\"\\r\\n' >/tmp/forged");
    let places = ["/proc/self/fd/2", "/dev/stderr", "/proc/self/task/*/fd/2"];
    for place in places {
        let seen = sandbox.sftp("ann", &format!("put /tmp/forged {place}\n"));
        assert_ne!(seen.code(), Some(0), "{place}: {seen}");
    }
    sandbox
        .sftp("ann", "-chmod 666 /proc/self/fd/2\n-ls /proc/self/fd\n")
        .ok();
    sandbox.logged(&["leave", "status=0"]);
    let log = sandbox.syslog();
    assert!(!log.contains("forged"), "{log}");
}

#[test]
fn a_shell_between_client_and_server_is_refused() {
    let sandbox = Sandbox::new()
        .user("ann")
        .config(&format!(
            "[users]\nann = \"drop\"\n[jails.drop]\nroot = \"{ROOT}\"\nbase = \"host\"\nshell = \"/opt/menu\"\nsftp.log = true\n"
        ))
        .sshd("")
        .with(&format!(
            "install -d -o ann -g ann {HOME}; install -D /bin/dash {ROOT}/opt/menu"
        ));
    assert_ne!(sandbox.sftp("ann", "pwd\n").code(), Some(0));
    sandbox.logged(&[
        "refused",
        "code=sftp-missing",
        "the jail's shell /opt/menu would start it",
    ]);
    sandbox.must(
        "sed -i 's,/opt/menu,/bin/bash,' /etc/login-jail/config.toml; echo text >/tmp/letter",
    );
    sandbox.sftp("ann", "put /tmp/letter\n").ok();
    assert_eq!(wait_for(1, || sandbox.syslog()).len(), 1);
}

const FILES: usize = 1500;

fn many(from: usize) -> String {
    (from..from + FILES)
        .map(|number| format!("put /tmp/letter {number}\n"))
        .collect()
}

#[test]
fn nothing_is_lost_while_the_log_is_stopped_and_full() {
    let sandbox = ann("log = true");
    let mut client = Client::start(&sandbox);
    client.say("put /tmp/letter first\n");
    wait_for(1, || sandbox.syslog());
    signal_log(&sandbox, "-STOP");
    client.say(&many(0));
    thread::sleep(Duration::from_secs(3));
    let there = || {
        sandbox
            .must(&format!("ls {HOME} | wc -l"))
            .parse::<usize>()
            .expect("a number")
    };
    let waits = there();
    assert!(waits < FILES, "the server has to wait: {waits}");
    thread::sleep(Duration::from_millis(300));
    assert_eq!(there(), waits, "nothing goes unrecorded");
    signal_log(&sandbox, "-CONT");
    client.end();
    assert_eq!(there(), FILES + 1);
    let seen = wait_for(FILES + 1, || sandbox.syslog());
    assert!(
        seen.iter()
            .all(|line| line.contains("up=5 down=0 result=\"ok\""))
    );
}

#[test]
fn a_session_ends_with_its_client_and_by_a_signal_while_the_log_is_stopped() {
    for end in [
        "pkill -KILL -x sftp; pkill -KILL -x ssh",
        "pkill -TERM -u ann jail-shell",
    ] {
        let sandbox = ann("log = true");
        let mut client = Client::start(&sandbox);
        client.say("put /tmp/letter first\n");
        wait_for(1, || sandbox.syslog());
        signal_log(&sandbox, "-STOP");
        client.say(&many(0));
        thread::sleep(Duration::from_secs(2));
        sandbox.must("pgrep -u ann sftp-server");
        sandbox.sh(end);
        let begun = Instant::now();
        // What has ended waits for pid 1, which is stopped.
        let script = "ps -o stat= -u ann | grep -v Z";
        while sandbox.sh(script).code() == Some(0) {
            let left = sandbox.sh("ps -ef").stdout;
            assert!(begun.elapsed() < Duration::from_secs(8), "{end}: {left}");
            thread::sleep(Duration::from_millis(100));
        }
        signal_log(&sandbox, "-CONT");
        client.0.wait().ok();
    }
}

/// The log of rsyslogd, where that is there.
const RSYSLOG: &str = "module(load=\"imuxsock\" SysSock.Name=\"/dev/log\" SysSock.RateLimit.Interval=\"0\")\n\
     template(name=\"raw\" type=\"string\" string=\"<%PRI%>%syslogtag%%msg%\\n\")\n*.* action(type=\"omfile\" file=\"/run/rsyslog.log\" template=\"raw\")\n";

#[test]
fn nothing_is_lost_while_rsyslogd_is_stopped_or_started_again() {
    if !std::path::Path::new("/usr/sbin/rsyslogd").exists() {
        skipped("the log of rsyslogd", "no rsyslogd (package rsyslog)");
        return;
    }
    let sandbox = ann("log = true");
    sandbox.write("/run/rsyslog.conf", RSYSLOG);
    let start = "rm -f /dev/log /run/rsyslogd.pid; rsyslogd -f /run/rsyslog.conf -i /run/rsyslogd.pid; \
                 while ! [ -S /dev/log ]; do sleep 0.05; done; : >>/run/rsyslog.log";
    sandbox.must(start);
    let log = || sandbox.read("/run/rsyslog.log");
    let mut client = Client::start(&sandbox);
    client.say("put /tmp/letter first\n");
    wait_for(1, log);
    sandbox.must("kill -STOP $(cat /run/rsyslogd.pid)");
    client.say(&many(0));
    thread::sleep(Duration::from_secs(2));
    sandbox.must("kill -CONT $(cat /run/rsyslogd.pid)");
    wait_for(FILES + 1, log);
    sandbox.must("kill $(cat /run/rsyslogd.pid); while pgrep rsyslogd; do sleep 0.05; done");
    client.say(&many(FILES));
    thread::sleep(Duration::from_secs(2));
    let there = sandbox.must(&format!("ls {HOME} | wc -l"));
    assert!(
        there.parse::<usize>().expect("a number") < 2 * FILES,
        "{there}"
    );
    sandbox.must(start);
    client.end();
    wait_for(2 * FILES + 1, log);
}
