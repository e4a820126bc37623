//! Accounts that sshd gives SFTP and nothing else: however the server is spelt no shell comes before it, whoever asks for
//! something else is told so at once, and a refusal reaches the client.

use std::time::{Duration, Instant};

use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, roots};

const SERVER: &str = "/usr/lib/openssh/sftp-server";
const SENTENCE: &str = "This account is for SFTP only.\n";
const HOME: &str = "/srv/jails/ann/home/ann";

/// Ann, in a jail with the host's programs and a bash that would read a `.bashrc` of hers, and sshd with these lines.
fn ann(keys: &str, sshd: &str) -> Sandbox {
    Sandbox::new()
        .user("ann")
        .root(roots::home())
        .config(&format!(
            "[users]\nann = \"drop\"\n[jails.drop]\nroot = \"/srv/jails/{{user}}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n{keys}\n"
        ))
        .sshd(sshd)
        .with(&format!(
            "echo 'echo read >/home/ann/read' >{HOME}/.bashrc; echo text >/tmp/letter"
        ))
}

fn forced(command: &str) -> String {
    format!("Match User ann\n ForceCommand {command}")
}

#[track_caller]
fn served(sandbox: &Sandbox, how: &str) {
    let seen = sandbox.sftp("ann", "put /tmp/letter letter\npwd\n");
    assert!(seen.ok().contains("/home/ann"), "{how}: {seen}");
    sandbox.scp(&["/tmp/letter", "ann@127.0.0.1:copy"]).ok();
    sandbox.scp(&["ann@127.0.0.1:letter", "/tmp/back"]).ok();
    assert_eq!(
        sandbox.must(&format!("ls {HOME}; rm {HOME}/*")),
        "copy\nletter",
        "{how}: no shell may have read .bashrc"
    );
}

/// Does something that must not wait for what never comes, which takes ten seconds.
#[track_caller]
fn at_once<T>(act: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let seen = act();
    assert!(begun.elapsed() < Duration::from_secs(9), "not at once");
    seen
}

#[track_caller]
fn told(seen: &Outcome, what: &str) {
    assert_eq!(seen.code(), Some(1), "{what}: {seen}");
    assert_eq!(
        (seen.stdout.as_str(), seen.stderr.as_str()),
        ("", SENTENCE),
        "{what}"
    );
}

#[test]
fn whoever_asks_for_something_else_is_told_so_at_once() {
    for keys in ["", "network = \"none\"\nlinger = false"] {
        let sandbox = ann(keys, &forced(SERVER));
        served(&sandbox, keys);
        told(&at_once(|| sandbox.ssh("ann", "id")), "a command");
        told(
            &at_once(|| sandbox.ssh("ann", "exit 0; sftp")),
            "a command with sftp in it",
        );
        told(
            &at_once(|| sandbox.ssh_shell("ann", "")),
            "a shell, with nothing on its input",
        );
        told(
            &at_once(|| sandbox.ssh_shell("ann", "id\n")),
            "a shell, with commands",
        );
        for command in [None, Some("id")] {
            let seen = at_once(|| sandbox.ssh_tty("ann", command).finish());
            assert_eq!(seen.code(), Some(1), "{command:?}: {seen}");
            assert_eq!(seen.stdout.trim_end(), SENTENCE.trim_end(), "{command:?}");
        }
        let scp = at_once(|| sandbox.scp(&["-O", "/tmp/letter", "ann@127.0.0.1:x"]));
        assert_ne!(scp.code(), Some(0), "{scp}");
        assert!(scp.stderr.starts_with(SENTENCE), "{scp}");
        let ssh = sandbox.ssh_argv("ann", &[], None);
        let ssh = ssh[..ssh.len() - 1].join(" ");
        let copy = ["rsync", "-e", &ssh, "/tmp/letter", "ann@127.0.0.1:x"];
        let rsync = at_once(|| sandbox.run(&copy));
        assert_ne!(rsync.code(), Some(0), "{rsync}");
        assert!(rsync.stderr.starts_with(SENTENCE), "{rsync}");
        assert_eq!(sandbox.must(&format!("ls {HOME}")), "", "{keys}");
        sandbox.logged(&[
            "refused",
            "code=usage ",
            r#"user="ann""#,
            "asked for \\\"id\\\"",
        ]);
        sandbox.logged(&["refused", "code=usage ", r#"user="ann""#, "speaks no SFTP"]);
    }
}

#[test]
fn a_shell_without_a_terminal_that_says_nothing_ends_by_itself() {
    let sandbox = ann("", &forced(SERVER));
    let words = sandbox.ssh_argv("ann", &["-T"], None).join(" ");
    let open = "mkfifo /run/silent; exec 3<>/run/silent";
    told(
        &sandbox.sh(&format!("{open}; {words} <&3")),
        "a silent client",
    );
}

#[test]
fn a_key_with_the_server_as_its_command_is_the_same() {
    let sandbox = ann("", "");
    served(&sandbox, "no forced command");
    assert_eq!(sandbox.ssh("ann", "echo shell; rm -f read").ok(), "shell");
    sandbox.must(&format!(
        "rm -f {HOME}/*; sed -i 's,^,command=\"exec {SERVER} -e\" ,' /etc/ssh/sandbox/client.pub"
    ));
    served(&sandbox, "a key's command");
    told(&sandbox.ssh("ann", "id"), "a key's command");
}

#[test]
fn a_server_is_served_without_a_shell_however_it_is_spelt() {
    for spelt in [
        "/usr/lib/openssh/sftp-server\t-l\tINFO",
        "/usr/lib//openssh/./sftp-server",
        "exec /usr/lib/openssh/sftp-server",
        "'/usr/lib/openssh/sftp-server' -l \"INFO\"",
        "/usr/lib/openssh/sftp\\-server",
        "/usr/lib/sftp-server",
        "/opt/nowhere/sftp-server -u 077",
        "sftp-server",
    ] {
        let sandbox = ann("", &forced(spelt));
        served(&sandbox, spelt);
        told(&sandbox.ssh("ann", "id"), spelt);
    }
}

#[test]
fn refuses_a_server_that_only_a_shell_could_start() {
    for (spelt, word) in [
        ("umask 027; exec /usr/lib/openssh/sftp-server", "027;"),
        ("/usr/lib/openssh/sftp-server -d $HOME", "$HOME"),
        ("nice -n 5 /usr/lib/openssh/sftp-server", "nice"),
        ("bash -c /usr/lib/openssh/sftp-server", "bash"),
        ("2>/dev/null /usr/lib/openssh/sftp-server -e", "2>/dev/null"),
        (
            "exec 2>/dev/null /usr/lib/openssh/sftp-server",
            "2>/dev/null",
        ),
        (
            "{log}>/dev/null /usr/lib/openssh/sftp-server",
            "{log}>/dev/null",
        ),
        (
            "function ls { /usr/lib/openssh/sftp-server; }; ls",
            "function",
        ),
        ("/usr/lib/openssh/sftp-serve[r]", "sftp-serve[r]"),
        ("/usr/lib/openssh/s*", "openssh/s*"),
        ("/usr/lib/openssh/sftp-${NOTHING:-server}", "sftp-"),
        ("/usr/lib/openssh/sftp{-,}server -e", "sftp{-,}server"),
    ] {
        let sandbox = ann("", &forced(spelt));
        let sentence = "jail-shell: login refused (usage); ask the administrator, who finds the reason in the authpriv log";
        let seen = sandbox.sftp("ann", "pwd\n");
        assert_ne!(seen.code(), Some(0), "{spelt}: {seen}");
        assert!(seen.stderr.contains(sentence), "{spelt}: {seen}");
        sandbox.logged(&[
            "refused",
            "code=usage ",
            r#"user="ann""#,
            word,
            "ForceCommand",
        ]);
        for command in ["id", SERVER] {
            sandbox.ssh("ann", command).refused(100, "usage");
        }
        sandbox.ssh_shell("ann", "id\n").refused(100, "usage");
        assert_eq!(
            sandbox.must(&format!("ls {HOME}")),
            "",
            "{spelt}: .bashrc was read"
        );
    }
}

/// What bash reads where it is started by sshd, restricted or by another name, would run before the server.
#[test]
fn a_restricted_shell_and_a_link_to_a_shell_are_not_started_beside_the_server() {
    let sandbox = ann("", &forced(SERVER)).with(
        "mkdir -p /srv/jails/ann/opt; cd /srv/jails/ann/opt; ln -s /bin/bash entry; ln -s entry menu; ln -s ../bin/rbash tool",
    );
    for shell in ["/bin/rbash", "/opt/entry", "/opt/menu", "/opt/tool"] {
        sandbox.must(&format!(
            "sed -i 's,^shell = .*,shell = \"{shell}\",' /etc/login-jail/config.toml"
        ));
        served(&sandbox, shell);
    }
}

#[test]
fn a_command_that_only_mentions_a_server_is_the_shells_as_before() {
    let sandbox = ann("", "").with(&format!("rm {HOME}/.bashrc"));
    for (command, expected) in [
        ("ls /usr/lib/openssh/sftp-server", SERVER),
        ("echo sftp-server | cat", "sftp-server"),
        ("test $(echo 'sftp-server' | wc -l) = 1 && echo one", "one"),
        ("X=1; echo $X sftp-server", "1 sftp-server"),
    ] {
        assert_eq!(sandbox.ssh("ann", command).ok(), expected, "{command}");
    }
}

#[test]
fn servers_are_found_where_any_distribution_keeps_them() {
    for place in [
        "/usr/libexec/openssh",
        "/usr/libexec/ssh",
        "/usr/libexec",
        "/usr/lib64/misc",
        "/usr/lib64/ssh",
        "/usr/lib/misc",
        "/usr/lib/ssh",
        "/usr/lib",
    ] {
        let sandbox = Sandbox::new()
            .user("ann")
            .root(roots::programs(&[SERVER]).then(&format!(
                "mkdir -p $root{place}; mv $root{SERVER} $root{place}/"
            )))
            .with("echo text >/tmp/letter");
        let seen = sandbox.sftp("ann", "put /tmp/letter letter\npwd\n");
        assert!(seen.ok().contains("/home/ann"), "{place}: {seen}");
    }
}

/// sshd throws away what a subsystem writes to its standard error, so the sentence has to come by the protocol.
#[test]
fn a_refused_client_of_sftp_shows_the_refusal() {
    for sshd in [String::new(), forced(JAIL_SHELL), forced(SERVER)] {
        let sandbox = ann("", &sshd).with("sed -i 's/^ann/bob/' /etc/login-jail/config.toml");
        let sentence = "jail-shell: login refused (no-rule); ask the administrator, who finds the reason in the authpriv log";
        let seen = sandbox.sftp("ann", "pwd\n");
        assert_ne!(seen.code(), Some(0), "{seen}");
        assert_eq!(
            seen.stderr.lines().next(),
            Some(format!("realpath .: {sentence}").as_str()),
            "{sshd} {seen}"
        );
        assert!(!seen.stderr.contains("Connection closed"), "{seen}");
        let scp = |arguments: &[&str]| {
            let seen = sandbox.scp(arguments);
            assert_eq!(seen.code(), Some(1), "{arguments:?} {seen}");
            seen.stderr
        };
        let up = scp(&["-s", "/tmp/letter", "ann@127.0.0.1:x"]);
        assert!(up.contains("\"x\": Permission denied"), "{up}");
        let down = scp(&["-s", "ann@127.0.0.1:x", "/tmp/back"]);
        assert!(down.contains("Permission denied"), "{down}");
        let tree = scp(&["-s", "-r", "/etc/ssh", "ann@127.0.0.1:x"]);
        assert!(tree.contains(sentence), "{tree}");
        let old = sandbox.scp(&["-O", "/tmp/letter", "ann@127.0.0.1:x"]);
        let shown = if sshd.contains(SERVER) {
            SENTENCE.trim_end()
        } else {
            sentence
        };
        assert!(old.stderr.starts_with(shown), "{old}");
    }
}

#[test]
fn a_refused_client_of_sftp_behind_pam_shows_the_refusal() {
    let sandbox = Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\"")
        .with("chmod 777 /srv/jails/ann");
    let sentence = "login refused (root-unsafe); ask the administrator";
    // The client's own level of messages decides whether it shows what sshd says before the session.
    let words = sandbox.ssh_argv("ann", &[], None);
    let options = words[1..words.len() - 1]
        .join(" ")
        .replace("LogLevel=ERROR", "LogLevel=INFO");
    for client in [
        "sftp -b /dev/null",
        "scp /etc/hostname",
        "scp -O /etc/hostname",
    ] {
        let target = if client.starts_with("scp") { ":x" } else { "" };
        let (program, rest) = client.split_once(' ').expect("two words");
        let seen = sandbox.sh(&format!("{program} {options} {rest} ann@127.0.0.1{target}"));
        assert_ne!(seen.code(), Some(0), "{client}: {seen}");
        assert!(seen.stderr.contains(sentence), "{client}: {seen}");
    }
}

#[test]
fn a_refused_client_that_hangs_is_left_alone() {
    let sandbox = ann("", "").with("sed -i 's/^ann/bob/' /etc/login-jail/config.toml");
    let words = sandbox.ssh_argv("ann", &["-s"], Some("sftp")).join(" ");
    // A length without its packet, and one of no packet.
    for length in ["\\0\\0\\1\\0", "\\0\\377\\377\\377"] {
        let open = "rm -f /run/silent; mkfifo /run/silent; exec 3<>/run/silent";
        let seen = sandbox.sh(&format!("{open}; printf '{length}' >&3; {words} <&3"));
        assert_eq!(seen.code(), Some(102), "{length}: {seen}");
    }
}
