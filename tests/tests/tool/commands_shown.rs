//! What `jailctl` says of a jail with a list of commands.

use login_jail_tests::{Sandbox, of_kind};

const ROOT: &str = "/srv/jails/ann";

/// Ann, who may use SFTP and rsync, in a root that has an sftp-server alone.
fn ann() -> Sandbox {
    Sandbox::new()
        .user("ann")
        .config(
            "exempt = [\"root\"]\n[users]\nann = \"files\"\n[jails.files]\nroot = \"/srv/jails/{user}\"\n\
             commands = [\"sftp\", \"rsync\"]\n",
        )
        .with(&format!(
            "jailctl build {ROOT} --with sftp; install -d -o ann -g ann {ROOT}/home/ann; usermod -s /usr/bin/jail-shell ann"
        ))
}

#[test]
fn check_names_the_program_of_the_list_that_the_jail_does_not_have() {
    let sandbox = ann();
    let report = sandbox.run(&["jailctl", "check"]);
    assert_eq!(report.code(), Some(1), "{report}");
    let found = of_kind(&report, "command-missing");
    let [rsync] = found.as_slice() else {
        panic!("rsync alone: {report}");
    };
    assert!(rsync.what.contains("\"rsync\""), "{report}");
    sandbox.must(&format!("jailctl build {ROOT} --with rsync"));
    let report = sandbox.run(&["jailctl", "check"]);
    assert!(of_kind(&report, "command-missing").is_empty(), "{report}");
}

#[test]
fn explain_says_what_alone_may_be_started() {
    let sandbox = ann();
    sandbox.must(&format!("jailctl build {ROOT} --with rsync"));
    let screen = sandbox.run(&["jailctl", "explain", "ann"]).stdout;
    let row = "starts     sftp, rsync; nothing else can be executed";
    assert!(screen.lines().any(|line| line == row), "{screen}");
    let read = sandbox.run(&["jailctl", "explain", "--json", "ann"]);
    let read: serde_json::Value = serde_json::from_str(&read.stdout).unwrap();
    assert_eq!(
        read["commands"],
        serde_json::json!(["sftp", "rsync"]),
        "{read}"
    );
}

/// What check says of a program of the list is what happens in a session.
#[test]
fn check_says_of_each_program_what_a_session_does() {
    let entries = ["/opt/fine", "/opt/plain", "/opt/by-env"];
    let config = |entries: &str| {
        format!(
            "exempt = [\"root\"]\n[users]\nann = \"files\"\n[jails.files]\nroot = \"/srv/jails/{{user}}\"\nbase = \"host\"\ncommands = [{entries}]\n"
        )
    };
    let listed = entries.map(|entry| format!("{entry:?}")).join(", ");
    let sandbox = Sandbox::new().user("ann").config(&config(&listed)).with(&format!(
        "install -d {ROOT}/opt; install -d -o ann -g ann {ROOT}/home/ann; cd {ROOT}/opt; printf '#!/bin/sh\\n:\\n' >fine; cp fine plain; \
         printf '#!/usr/bin/env sh\\n:\\n' >by-env; chmod 755 fine by-env; usermod -s /usr/bin/jail-shell ann"
    ));
    let report = sandbox.run(&["jailctl", "check"]);
    let found = of_kind(&report, "command-missing");
    let said = |entry: &str| {
        found
            .iter()
            .any(|it| it.what.contains(&format!("{entry:?}")))
    };
    for entry in entries {
        let starts = sandbox.su_c("ann", entry).code() == Some(0);
        assert_eq!(starts, entry == "/opt/fine", "{entry}");
        assert_eq!(said(entry), !starts, "{entry}: {report}");
    }
    // The last of the list, too, is looked at as a login does.
    sandbox.must(&format!("chmod 777 {ROOT}/opt"));
    let report = sandbox.run(&["jailctl", "check"]);
    assert!(
        report
            .words()
            .contains("others than root can write a directory on the way"),
        "{report}"
    );
}

/// A list of one program that is missing: what mends the shell does not mend that.
#[test]
fn check_tells_a_missing_program_from_a_missing_shell() {
    let sandbox = Sandbox::new().user("ann").config(
        "exempt = [\"root\"]\n[users]\nann = \"backup\"\n[jails.backup]\nroot = \"/srv/jails/{user}\"\n\
         commands = [\"rsync\"]\n",
    ).with(&format!("install -d -o ann -g ann {ROOT}/home/ann; usermod -s /usr/bin/jail-shell ann"));
    let report = sandbox.run(&["jailctl", "check"]);
    let found = of_kind(&report, "command-missing");
    let [rsync] = found.as_slice() else {
        panic!("rsync alone: {report}");
    };
    assert!(rsync.what.contains("/usr/bin/rsync"), "{report}");
    assert!(rsync.what.contains("`commands`"), "{report}");
    assert!(of_kind(&report, "shell-missing").is_empty(), "{report}");
    assert!(!report.words().contains("mend shell-missing"), "{report}");
}

const DROP: &str = "exempt = [\"root\"]\n[users]\nann = \"drop\"\n[jails.drop]\nroot = \"/srv/jails/{user}\"\n\
                    commands = [\"sftp\"]\nsftp = { access = \"ACCESS\", directory = \"/files\", umask = \"007\", log = true }\n";

#[test]
fn the_directory_of_sftp_is_named_and_made_where_it_is_missing() {
    let sandbox = Sandbox::new()
        .user("ann")
        .config(&DROP.replace("ACCESS", "upload-only"))
        .with("install -d /srv/jails/ann; usermod -s /usr/bin/jail-shell ann");
    let report = sandbox.run(&["jailctl", "check"]);
    let found = of_kind(&report, "home-missing");
    let [missing] = found.as_slice() else {
        panic!("one: {report}");
    };
    assert!(missing.what.contains("/files"), "{report}");
    assert!(missing.what.contains("`sftp.directory`"), "{report}");
    sandbox.must("jailctl mend home-missing ann");
    let made = sandbox.must("stat -c '%n %U' /srv/jails/ann/*");
    assert_eq!(made.trim(), "/srv/jails/ann/files ann");
    let report = sandbox.run(&["jailctl", "check"]);
    assert!(of_kind(&report, "home-missing").is_empty(), "{report}");
    let screen = sandbox.run(&["jailctl", "explain", "ann"]).stdout;
    let row =
        "sftp       upload-only, starts in /files, umask 007, each transfer is one line of the log";
    assert!(screen.lines().any(|line| line == row), "{screen}");
}

#[test]
fn nobody_is_told_to_let_a_reader_write() {
    for (access, notes) in [("read-only", 0), ("read-write", 1)] {
        let sandbox = Sandbox::new()
            .user("ann")
            .config(&DROP.replace("ACCESS", access))
            .with("install -d /srv/jails/ann/files; usermod -s /usr/bin/jail-shell ann");
        let report = sandbox.run(&["jailctl", "check", "--notes"]);
        let found = of_kind(&report, "home-not-writable");
        assert_eq!(found.len(), notes, "{access}: {report}");
    }
}

/// With a shell in the jail, SFTP that is recorded is a login of its own: it may be refused where the shell is not.
#[test]
fn check_and_explain_say_beforehand_that_sftp_is_refused() {
    let config = |keys: &str| {
        format!(
            "exempt = [\"root\"]\n[users]\nann = \"files\"\n[jails.files]\nroot = \"/srv/jails/{{user}}\"\n{keys}\n"
        )
    };
    let write = |sandbox: &Sandbox, keys: &str| {
        let config = config(keys);
        sandbox.must(&format!(
            "cat >/etc/login-jail/config.toml <<'end'\n{config}\nend"
        ));
    };
    let log = "sftp = { log = true }";
    let menu = "base = \"host\"\nshell = \"/opt/menu\"";
    let sandbox = Sandbox::new().user("ann").config(&config(menu)).with(&format!(
        "install -d {ROOT}/opt; install /bin/dash {ROOT}/opt/menu; install -d -o ann -g ann {ROOT}/home/ann; \
         usermod -s /usr/bin/jail-shell ann"
    ));
    let found = |sandbox: &Sandbox, severity: &str, part: &str| {
        let report = sandbox.run(&["jailctl", "check", "--notes"]);
        let found = of_kind(&report, "sftp-refused");
        let [one] = found.as_slice() else {
            panic!("one finding: {report}");
        };
        assert_eq!(one.severity, severity, "{report}");
        assert!(one.what.contains(part), "{report}");
        let explained = sandbox.run(&["jailctl", "explain", "--verbose", "ann"]);
        assert!(explained.words().contains(part), "{explained}");
        let served = sandbox.su_c("ann", "internal-sftp");
        assert!(!matches!(served.code(), Some(0)), "{served}");
    };
    let none = |sandbox: &Sandbox| {
        let report = sandbox.run(&["jailctl", "check", "--notes"]);
        assert!(of_kind(&report, "sftp-refused").is_empty(), "{report}");
    };
    none(&sandbox);
    let by_shell = "the jail's shell /opt/menu would start it";
    write(&sandbox, &format!("{menu}\n{log}"));
    found(&sandbox, "error", by_shell);
    write(&sandbox, &format!("{menu}\nrecord = \"terminal\""));
    found(&sandbox, "note", by_shell);
    let usual = "base = \"host\"\nshell = \"/bin/bash\"";
    write(&sandbox, &format!("{usual}\n{log}"));
    none(&sandbox);
    // The root's own server, which others can exchange.
    sandbox.must(&format!(
        "rm -r {ROOT}/opt; jailctl build {ROOT} --with shell --with sftp; chmod 777 {ROOT}/usr/lib/openssh"
    ));
    write(&sandbox, &format!("shell = \"/bin/bash\"\n{log}"));
    found(&sandbox, "error", "others than root can write a directory");
}
