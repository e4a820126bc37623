//! `until`: no login after it, and open sessions end then.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

use std::time::Duration;

use login_jail_tests::{JAIL_SHELL, Sandbox, roots};

/// ann with a jail, in a zone that is six hours ahead of UTC, all the year round.
fn host() -> Sandbox {
    Sandbox::new()
        .user("ann")
        .root(roots::busybox())
        .password("ann", "secret")
        .with("ln -sf /usr/share/zoneinfo/Etc/GMT-6 /etc/localtime")
}

/// Sets `until`, written as `date` gives it in the zone: `+%F`, for example.
#[track_caller]
fn until(sandbox: &Sandbox, when: &str, format: &str) -> String {
    let written = sandbox.must(&format!("TZ=Etc/GMT-6 date -d '{when}' '{format}'"));
    set(sandbox, &format!("\"{written}\""));
    written
}

fn set(sandbox: &Sandbox, until: &str) {
    sandbox.set_defaults(&format!("until = {until}"));
}

fn sentence(until: &str) -> String {
    format!("login refused: this account was open until {until}; ask the administrator")
}

#[test]
fn refuses_every_login_from_the_end_on_and_says_until_when() {
    let sandbox = host();
    let written = until(&sandbox, "yesterday", "+%F");
    let refused = |outcome: login_jail_tests::Outcome| {
        assert_eq!(outcome.code(), Some(108), "{outcome}");
        assert_eq!(
            outcome.stderr,
            format!("jail-shell: {}\n", sentence(&written))
        );
        assert_eq!(outcome.stdout, "");
    };
    refused(sandbox.ssh("ann", "echo in"));
    refused(sandbox.su_dash_c("ann", "echo in"));
    refused(sandbox.run_as("ann", &["env", "SSH_ORIGINAL_COMMAND=echo in", JAIL_SHELL]));
    let sftp = sandbox.sftp("ann", "pwd");
    assert!(sftp.stderr.contains(&sentence(&written)), "{sftp}");
    sandbox.login("ann", "secret").expect(&sentence(&written));
    let reason = format!("reason=\"until: the account was open until {written}; to open it again");
    sandbox.logged(&["refused code=account", "user=\"ann\"", &reason]);
}

#[test]
fn a_date_counts_to_its_end_in_the_hosts_zone_and_not_in_the_callers() {
    let sandbox = host();
    for (when, format, is_open) in [
        ("today", "+%F", true),
        ("yesterday", "+%F", false),
        ("+1 minute", "+%F %H:%M:%S", true),
        ("-1 minute", "+%F %H:%M:%S", false),
        ("+1 minute", "+%FT%H:%M:%S", true),
        ("-1 minute", "+%FT%H:%M:%S%:z", false),
        ("+1 minute", "+%FT%H:%M:%S%:z", true),
    ] {
        let written = until(&sandbox, when, format);
        for zone in ["", "TZ=Etc/GMT-14", "TZ=Etc/GMT+12", "TZ=:/etc/shadow"] {
            let login = sandbox.run_as(
                "ann",
                &["env", zone, JAIL_SHELL, "-c", "echo in"]
                    .map(|it| if it.is_empty() { "A=b" } else { it }),
            );
            assert_eq!(
                login.code() == Some(0),
                is_open,
                "{written} {zone}: {login}"
            );
        }
    }
    // TOML's own dates, and what lifts it again.
    let tomorrow = sandbox.must("date -d tomorrow +%F");
    for (until, is_open) in [
        (tomorrow.as_str(), true),
        ("2020-01-31", false),
        ("2020-01-31T18:00:00Z", false),
        ("2020-01-31 18:00:00", false),
        ("\"never\"", true),
    ] {
        set(&sandbox, until);
        let login = sandbox.run_as("ann", &[JAIL_SHELL, "-c", "echo in"]);
        assert_eq!(login.code() == Some(0), is_open, "{until}: {login}");
    }
}

#[test]
fn an_open_session_ends_then_with_a_sentence_on_its_terminal() {
    let sandbox = host();
    sandbox.ssh("ann", "true").ok();
    let written = until(&sandbox, "+6 seconds", "+%F %H:%M:%S");
    // A full minute is said without its seconds.
    let written = written.strip_suffix(":00").unwrap_or(&written);
    let mut pty = sandbox.ssh_tty("ann", None);
    pty.line("echo rea''dy");
    pty.expect("ready\r\n");
    pty.expect(&format!(
        "jail-shell: this session ends: the account was open until {written}"
    ));
    assert_eq!(pty.finish().code(), Some(129));
    sandbox.logged(&[&format!("until: the account was open until {written}")]);
}

#[test]
fn what_runs_without_a_terminal_or_lingers_ends_then() {
    let sandbox = host();
    sandbox.ssh("ann", "true").ok();
    until(&sandbox, "+6 seconds", "+%F %H:%M:%S");
    let left = sandbox.ssh(
        "ann",
        "setsid sleep 4001 >/dev/null 2>&1 </dev/null & echo in",
    );
    assert_eq!(left.ok(), "in");
    let cut = sandbox.ssh("ann", "sleep 4002");
    assert_eq!(cut.code(), Some(129), "{cut}");
    // One that heeds no SIGHUP is killed.
    let gone = sandbox.wait_until(|| {
        (sandbox.sh("pgrep -u ann -f '^sleep 400'").code() == Some(1)).then_some(())
    });
    assert!(gone.is_some(), "{}", sandbox.must("ps -fu ann"));
}

/// A process of the user's outside, from cron for example, stops whoever stands around the session.
#[test]
fn who_is_stopped_from_outside_keeps_no_session_past_the_end() {
    for (scope, stopped) in [("session", "-o"), ("user", "-o"), ("user", "")] {
        let sandbox = host();
        sandbox.must(&format!(
            "sed -i 's/^root = .*/&\\nscope = \"{scope}\"/' /etc/login-jail/config.toml"
        ));
        sandbox.ssh("ann", "true").ok();
        until(&sandbox, "+6 seconds", "+%F %H:%M:%S");
        let words = sandbox
            .ssh_argv("ann", &["-T"], Some("sleep 4003"))
            .iter()
            .map(|word| format!("'{word}' "))
            .collect::<String>();
        sandbox.must(&format!(
            "setsid {words} >/dev/null 2>&1 </dev/null &
             for n in $(seq 100); do pgrep -u ann -f '^sleep 4003' >/dev/null && exit; sleep 0.02; done; exit 1"
        ));
        let stop = format!("pkill {stopped} -STOP -u ann 'jail-shell|session:'; true");
        sandbox.run_as("ann", &["bash", "-c", &stop]).ok();
        let gone = sandbox.wait_for(Duration::from_secs(40), || {
            (sandbox.sh("pgrep -u ann -f '^sleep 400'").code() == Some(1)).then_some(())
        });
        assert!(
            gone.is_some(),
            "{scope} {stopped}: {}",
            sandbox.must("ps -fu ann")
        );
    }
}

/// The session shares what it has open, and sees how that is set.
#[test]
fn the_sentence_is_said_by_an_open_file_that_the_session_does_not_share() {
    let sandbox = Sandbox::new()
        .user("ann")
        .root(roots::home())
        .config("[users]\nann = \"view\"\n[jails.view]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n")
        .sshd("")
        .with("ln -sf /usr/share/zoneinfo/Etc/GMT-6 /etc/localtime");
    sandbox.write(
        "/tmp/look.py",
        "import fcntl, os, signal, sys, termios
signal.signal(signal.SIGHUP, signal.SIG_IGN)
print('rea' + 'dy', flush=True)
termios.tcdrain(1)
termios.tcflow(1, termios.TCOOFF)
seen = open(sys.argv[1], 'w')
while True:
    if fcntl.fcntl(1, fcntl.F_GETFL) & os.O_NONBLOCK: print('seen', file=seen, flush=True)
",
    );
    sandbox.must("mkdir -p /srv/jails/ann/home/ann; install -m 644 /tmp/look.py /srv/jails/ann/home/ann; chown -R ann: /srv/jails/ann/home/ann");
    until(&sandbox, "+6 seconds", "+%F %H:%M:%S");
    let mut pty = sandbox.ssh_tty("ann", Some("exec python3 /home/ann/look.py /home/ann/seen"));
    pty.expect("ready");
    assert_eq!(pty.finish().code(), Some(129));
    assert_eq!(sandbox.must("cat /srv/jails/ann/home/ann/seen"), "");
}

#[test]
fn an_end_that_is_made_earlier_leaves_open_sessions_to_kick_and_check_says_so() {
    let sandbox = host();
    until(&sandbox, "tomorrow", "+%F");
    sandbox
        .ssh("ann", "setsid sleep 4004 >/dev/null 2>&1 </dev/null & true")
        .ok();
    let over = until(&sandbox, "yesterday", "+%F");
    let check = || sandbox.run(&["jailctl", "check"]).stdout;
    let said = check();
    assert!(
        said.contains(&format!(
            "until = \"{over}\" is over, and the jail still has"
        )),
        "{said}"
    );
    assert!(
        said.contains("[until-stays]") && said.contains("jailctl kick ann"),
        "{said}"
    );
    sandbox
        .run(&["jailctl", "kick", "--grace", "0", "ann"])
        .ok();
    assert!(!check().contains("until-stays"), "{}", check());
}

#[test]
fn jailctl_shows_the_end_of_an_account() {
    let sandbox = host();
    let said = |arguments: &[&str]| sandbox.run(&[&["jailctl"], arguments].concat()).stdout;
    let near = until(&sandbox, "+3 days", "+%F");
    let left = format!("{near} (3 days left)");
    for arguments in [
        ["list", ""],
        ["explain", "ann"],
        ["status", ""],
        ["check", "--notes"],
    ] {
        let words: Vec<&str> = arguments.into_iter().filter(|it| !it.is_empty()).collect();
        let text = said(&words);
        assert!(text.contains(&left), "{words:?}: {text}");
    }
    let over = until(&sandbox, "yesterday", "+%F");
    let shown = format!("{over} (over)");
    for command in ["list", "status"] {
        assert!(said(&[command]).contains(&shown), "{}", said(&[command]));
    }
    let explained = sandbox.run(&["jailctl", "explain", "ann"]);
    assert_eq!(explained.code(), Some(1), "{explained}");
    assert!(
        explained
            .stdout
            .contains(&format!("the account was open until {over}")),
        "{explained}"
    );
    let checked = said(&["check", "--notes"]);
    assert!(
        checked.contains(&format!(
            "until = \"{over}\" is over: every login is refused"
        )),
        "{checked}"
    );
    assert!(checked.contains("[until]"), "{checked}");
    // Root can still look.
    let entered = sandbox.run(&["jailctl", "enter", "--user", "ann", "--", "echo", "in"]);
    assert_eq!(entered.ok(), "in");
    let ends = until(&sandbox, "+3 days", "+%F");
    sandbox.must("sed -i 's/^root = .*/&\\nisolation = \"chroot\"/' /etc/login-jail/config.toml");
    let checked = said(&["check", "--notes"]);
    assert!(checked.contains("sessions that are open when until comes stay open: with isolation = \"chroot\" nothing ends a session"), "{ends}: {checked}");
    assert!(checked.contains("[until-stays]"), "{checked}");
}
