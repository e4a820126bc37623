//! `jailctl explain` says what a login does: the rule, the rules that lost, each step of the plan, and a refusal.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test reports by panicking"
)]

use jail_config::{Decision, Policy};
use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, roots};

const CONFIG: &str = r#"
exempt = ["root", "@sudo"]
[users]
ann = "web"
[groups]
games = "/srv/jails/games"
[jails.web]
root = "/srv/jails/{user}"
base = "host"
shell = "/bin/bash"
umask = "027"
limits = { nofile = 100 }
env = { set = { EDITOR = "vi" } }
"#;

/// ann, who has a rule and is in a group that has another, in a jail that works.
fn ann() -> Sandbox {
    Sandbox::new()
        .user_with_shell("ann", JAIL_SHELL)
        .with("usermod --append --groups games ann")
        .jailed("ann")
        .root(roots::home())
        .config(CONFIG)
        .with("sed -i '1i DisableForwarding yes\\nAllowAgentForwarding no\\nX11Forwarding no' /etc/ssh/sshd_config")
}

fn explain(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    sandbox.run(&[&["jailctl", "explain"], arguments].concat())
}

/// As [`explain`], with the steps.
fn steps(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    explain(sandbox, &[&["--steps"], arguments].concat())
}

/// Gives the sentence of a step.
fn step<'a>(outcome: &'a Outcome, name: &str) -> &'a str {
    let mut lines = outcome.stdout.lines();
    let found = lines.find_map(|line| {
        let mut words = line.split_whitespace();
        words.next()?.parse::<u8>().ok()?;
        (words.next()? == name).then(|| line.split_once(name).map_or("", |(_, said)| said.trim()))
    });
    found.unwrap_or_else(|| panic!("no step {name} in {outcome}"))
}

#[test]
fn names_the_rule_with_its_line_and_the_rules_that_lost() {
    let sandbox = ann();
    let said = explain(&sandbox, &["ann"]);
    let rule = "\nrule       /etc/login-jail/config.toml:4 [users] ann -> web\n";
    assert!(said.ok().contains(rule), "{said}");
    assert!(said.stdout.contains("1 other rule"), "{said}");
    let said = explain(&sandbox, &["ann", "--verbose"]);
    assert!(said.ok().contains(rule), "{said}");
    assert!(
        said.words().contains("lost /etc/login-jail/config.toml:6 [groups] games -> /srv/jails/games: a rule for the user comes"),
        "{said}"
    );
}

#[test]
fn the_own_file_of_a_user_wins_and_is_named() {
    let sandbox = ann();
    sandbox.write(
        "/etc/login-jail/users.d/ann.toml",
        "umask = \"077\"\njail = \"web\"\n",
    );
    let said = explain(&sandbox, &["ann"]);
    // A file is refused that has both, so this is one that has the name only.
    assert_eq!(said.code(), Some(3), "{said}");
    sandbox.write("/etc/login-jail/users.d/ann.toml", "jail = \"web\"\n");
    let said = explain(&sandbox, &["ann"]);
    assert!(
        said.ok()
            .contains("\nrule       /etc/login-jail/users.d/ann.toml:1 -> web\n"),
        "{said}"
    );
    let said = explain(&sandbox, &["ann", "--verbose"]);
    assert!(
        said.words()
            .contains("[users] ann -> web: the user's own file comes before [users]"),
        "{said}"
    );
    sandbox.write(
        "/etc/login-jail/users.d/ann.toml",
        "root = \"/srv/jails/own\"\n",
    );
    let said = steps(&sandbox, &["ann"]);
    assert!(
        step(&said, "open-root").starts_with("open /srv/jails/own:"),
        "{said}"
    );
}

#[test]
fn lists_the_steps_of_the_plan_in_their_order() {
    let sandbox = ann();
    assert!(!explain(&sandbox, &["ann"]).ok().contains("\nsteps\n"));
    let said = steps(&sandbox, &["ann"]);
    let said: Vec<&str> = said
        .ok()
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            words.next()?.parse::<u8>().ok()?;
            words.next()
        })
        .collect();
    assert_eq!(said, steps_of_the_plan());
}

/// The names of the steps, as the core itself lists them for this config.
fn steps_of_the_plan() -> Vec<&'static str> {
    use jail::{
        account::identity::Identity,
        plan::{
            Plan,
            request::{Request, What},
        },
    };
    let identity = Identity {
        shell: JAIL_SHELL.into(),
        ..Identity::example("ann", 1001)
    };
    let policy = Policy::parse("config.toml".as_ref(), CONFIG.as_bytes()).unwrap();
    let Ok(Decision::Jail(jail)) = policy.decide(&identity.account(), None) else {
        panic!("ann has a rule");
    };
    let request = Request {
        login: true,
        what: What::Shell,
    };
    let plan = Plan::new(*jail, &identity, request, []).unwrap();
    plan.steps().iter().map(|step| step.name()).collect()
}

#[test]
fn the_values_are_those_that_a_login_has() {
    let sandbox = ann();
    let said = steps(&sandbox, &["ann", "--command", "echo 'a  b'"]);
    let login = |command: &str| sandbox.su_c("ann", command).ok().to_owned();
    let uid = login("id -u");
    assert_eq!(step(&said, "uid"), format!("set the user id to {uid}"));
    for gid in login("id -G").split_whitespace() {
        assert!(
            step(&said, "groups").contains(&format!("{gid} (")),
            "{said}"
        );
    }
    assert_eq!(step(&said, "umask"), "set the umask to 027");
    assert_eq!(login("umask"), "0027");
    assert!(step(&said, "limits").contains("nofile 100"), "{said}");
    assert_eq!(login("ulimit -n"), "100");
    assert!(step(&said, "home").contains(&login("pwd")), "{said}");
    let exec = step(&said, "exec");
    for variable in ["HOME", "USER", "LOGNAME", "SHELL", "EDITOR", "PATH"] {
        let value = login(&format!("echo ${variable}"));
        assert!(
            exec.contains(&format!("{variable}={value}")),
            "{variable}={value} in {exec}"
        );
    }
    assert!(
        exec.contains(r"arguments bash -c 'echo '\''a  b'\'''"),
        "{exec}"
    );
}

#[test]
fn a_forced_command_is_read_as_sshd_gives_it() {
    let sandbox = ann();
    let said = steps(
        &sandbox,
        &[
            "ann",
            "--door",
            "force-command",
            "--command",
            "internal-sftp",
        ],
    );
    assert!(
        step(&said, "exec").contains("the jail's own sftp-server in place of internal-sftp"),
        "{said}"
    );
    let said = steps(&sandbox, &["ann", "--door", "force-command"]);
    assert!(step(&said, "exec").contains("arguments -bash;"), "{said}");
}

#[test]
fn what_sshd_forces_in_place_of_a_request_is_said() {
    let sandbox = ann().with("mkdir -p /run/sshd; ssh-keygen -A >/dev/null");
    let forced = |line: &str| {
        sandbox.write("/etc/ssh/sshd_config", format!("Match User ann\n{line}\n"));
        explain(&sandbox, &["ann"]).words()
    };
    let said = forced("ForceCommand /usr/lib/openssh/sftp-server -u 027");
    assert!(
        said.contains("sshd has ForceCommand /usr/lib/openssh/sftp-server -u 027 for this user")
            && said.contains("This account is for SFTP only."),
        "{said}"
    );
    let said = forced("ForceCommand /usr/local/bin/menu");
    assert!(
        said.contains("ForceCommand /usr/local/bin/menu") && !said.contains("SFTP"),
        "{said}"
    );
    for line in [
        "ForceCommand /usr/bin/jail-shell",
        "ForceCommand none",
        "X11Forwarding no",
    ] {
        let said = forced(line);
        assert!(!said.contains("note sshd has ForceCommand"), "{said}");
    }
}

#[test]
fn needs_no_root_for_oneself() {
    let sandbox = ann();
    let arguments = ["ann", "--steps", "--json"];
    let all = |said: &Outcome| -> serde_json::Value { serde_json::from_str(said.ok()).unwrap() };
    let own = all(&sandbox.run_as("ann", &[&["jailctl", "explain"][..], &arguments].concat()));
    let roots = all(&explain(&sandbox, &arguments));
    for part in [
        "decision", "lost", "doors", "root", "base", "world", "reach", "limits", "steps", "remarks",
    ] {
        assert_eq!(own[part], roots[part], "{part}");
    }
    // What only root can look at is said to be unknown, and not to be in order.
    let said = sandbox.run_as("ann", &["jailctl", "explain", "ann"]);
    assert!(
        said.words().contains("not seen only root can look at sshd"),
        "{said}"
    );
    assert!(!said.stdout.contains("nothing refuses it"), "{said}");
    let said = explain(&sandbox, &["ann"]);
    assert!(
        said.ok()
            .contains("\nlogin      at present, nothing refuses it"),
        "{said}"
    );
    assert!(!said.stdout.contains("not seen"), "{said}");
}

#[test]
fn what_only_root_can_see_is_no_refusal() {
    let sandbox = ann();
    sandbox.must("chmod 700 /srv/jails");
    let own = sandbox.run_as("ann", &["jailctl", "explain", "ann"]);
    assert_eq!(own.code(), Some(0), "{own}");
    assert!(
        own.words()
            .contains("note whether the root can be opened is only known to root"),
        "{own}"
    );
    sandbox.must("chmod 711 /srv/jails; chmod 777 /srv/jails/ann");
    let own = sandbox.run_as("ann", &["jailctl", "explain", "ann"]);
    assert_eq!(own.code(), Some(1), "{own}");
}

#[test]
fn says_why_a_login_would_be_refused_and_reports_it() {
    let sandbox = ann().plain_user("bob");
    sandbox.must("chmod 0777 /srv/jails");
    let said = explain(&sandbox, &["ann"]);
    assert_eq!(said.code(), Some(1), "{said}");
    assert!(
        said.words()
            .contains("at present every login is REFUSED (root-unsafe)"),
        "{said}"
    );
    assert!(
        said.words().contains(
            "/srv/jails is mode 0777 (root-unsafe) [root] by hand: jailctl mend root /srv/jails/ann"
        ),
        "{said}"
    );

    let said = explain(&sandbox, &["bob"]);
    assert_eq!(said.code(), Some(1), "{said}");
    assert!(said.stdout.contains("(no-rule)"), "{said}");

    let said = explain(&sandbox, &["root"]);
    assert_eq!(said.code(), Some(1), "{said}");
    assert!(
        said.stdout
            .contains("rule       /etc/login-jail/config.toml:2 exempt root -> exempt"),
        "{said}"
    );

    let said = explain(&sandbox, &["nobody-of-that-name"]);
    assert_eq!(said.code(), Some(3), "{said}");
    assert_eq!(explain(&sandbox, &[]).code(), Some(2));
    assert_eq!(
        explain(&sandbox, &["ann", "--door", "window"]).code(),
        Some(2)
    );
}

#[test]
fn shows_a_wrong_config_with_every_line_that_is_wrong() {
    let sandbox =
        ann().config("[users]\nann = \"wbe\"\nbob = 3\n[jails.web]\nroot = \"/srv/{user}\"\n");
    let said = explain(&sandbox, &["ann"]);
    assert_eq!(said.code(), Some(3), "{said}");
    for part in [
        "config.toml:2:",
        "config.toml:3:",
        "ann = \"wbe\"",
        "\"web\"",
    ] {
        assert!(said.stderr.contains(part), "{part} in {said}");
    }
}

#[test]
fn prints_json_that_says_the_same() {
    let sandbox = ann();
    let said = explain(&sandbox, &["ann", "--json"]);
    let read: serde_json::Value = serde_json::from_str(said.ok()).unwrap();
    assert_eq!(read["decision"]["outcome"], "jailed");
    assert_eq!(read["decision"]["rule"]["line"], 4);
    assert_eq!(read["uid"].to_string(), sandbox.must("id -u ann"));
    assert_eq!(read["lost"].as_array().map(Vec::len), Some(1));
    let steps = read["steps"].as_array().into_iter().flatten();
    let steps: Vec<_> = steps.filter_map(|step| step["step"].as_str()).collect();
    assert_eq!(steps, steps_of_the_plan());
}

#[test]
fn whom_no_door_keeps_in_is_said_to_be_on_the_host() {
    let sandbox = ann();
    sandbox.must("usermod -s /bin/bash ann; useradd -m -s /bin/bash zoe");
    let said = explain(&sandbox, &["ann"]);
    assert_eq!(said.code(), Some(1), "{said}");
    assert!(said.stdout.contains("is NOT JAILED"), "{said}");
    assert!(said.words().contains("to the host, to /bin/bash"), "{said}");
    // What it would be is still told.
    assert!(
        said.words().contains("would be jailed by login-shell"),
        "{said}"
    );
    let more = steps(&sandbox, &["ann"]);
    assert!(more.stdout.contains("\nsteps\n"), "{more}");
    let status = sandbox.run(&["jailctl", "status"]);
    assert_eq!(status.code(), Some(1), "{status}");
    assert!(status.stdout.contains("NOT JAILED: no door"), "{status}");
    let said = explain(&sandbox, &["zoe"]);
    assert_eq!(said.code(), Some(1), "{said}");
    assert!(said.stdout.contains("is NOT JAILED"), "{said}");
    assert!(said.words().contains("would be refused by"), "{said}");
    let check = sandbox.run(&["jailctl", "check", "--notes", "zoe"]);
    assert!(check.stdout.contains("logins lead to the host"), "{check}");

    sandbox.must(
        "ssh-keygen -A >/dev/null
         printf 'Match User ann\\n ForceCommand /usr/bin/jail-shell\\n' >>/etc/ssh/sshd_config",
    );
    let said = explain(&sandbox, &["ann"]);
    assert!(said.ok().contains(" is jailed\n"), "{said}");
    assert!(said.ok().contains("\ndoor       force-command\n"), "{said}");
    // There is no lock on the others.
    let note = "lead to the host, to /bin/bash";
    assert!(said.words().contains(note), "{said}");
    let status = sandbox.run(&["jailctl", "status"]);
    assert!(
        status.stdout.contains("by sshd's ForceCommand only"),
        "{status}"
    );
    // Asked for a door, it does not ask whether that is in use.
    let said = explain(&sandbox, &["ann", "--door", "login-shell"]);
    assert!(said.ok().contains(" is jailed\n"), "{said}");
    assert!(
        said.words()
            .contains("the login shell is /bin/bash, so this door is not in use"),
        "{said}"
    );
}

#[test]
fn whom_one_pam_stack_keeps_in_is_not_said_to_be_jailed_where_others_lead_to_the_host() {
    let sandbox = Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\"");
    let said = explain(&sandbox, &["ann"]);
    assert!(!said.stdout.contains("NOT JAILED"), "{said}");
    sandbox.must("sed -i /pam_jail/d /etc/pam.d/sshd; ssh-keygen -A >/dev/null");
    let said = explain(&sandbox, &["ann"]);
    assert_eq!(said.code(), Some(1), "{said}");
    let title = "is NOT JAILED by sshd: what comes in there is on the host";
    assert!(said.words().contains(title), "{said}");
    let json = sandbox.run(&["jailctl", "explain", "--json", "ann"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["led_past"], serde_json::json!(["sshd"]));
    // Nobody is served where every login is refused, but not all of these are.
    sandbox.must("chmod 777 /srv/jails/ann");
    let said = explain(&sandbox, &["ann"]);
    assert!(said.words().contains("is NOT JAILED by sshd"), "{said}");
}

#[test]
fn whom_sshd_serves_the_whole_host_by_sftp_is_not_said_to_be_jailed() {
    let sandbox = ann();
    sandbox.must("ssh-keygen -A >/dev/null; install -d -o ann /home/ann/.ssh");
    let without = "UsePAM yes\nDisableForwarding yes\nAllowAgentForwarding no\nX11Forwarding no\nPermitUserRC no\n";
    sandbox.write("/etc/ssh/sshd_config", without);
    assert!(explain(&sandbox, &["ann"]).stdout.contains(" is jailed\n"));
    let title = "is NOT JAILED by sshd's internal-sftp: ";
    sandbox.write(
        "/etc/ssh/sshd_config",
        format!("{without}Subsystem sftp internal-sftp\n"),
    );
    let said = explain(&sandbox, &["ann"]);
    assert!(said.words().contains(title), "{said}");
    assert_eq!(said.code(), Some(1), "{said}");
    // A key is enough.
    sandbox.write("/etc/ssh/sshd_config", without);
    sandbox.must("printf 'command=\"internal-sftp\" %s\\n' \"$(cat /etc/ssh/ssh_host_ed25519_key.pub)\" >/home/ann/.ssh/authorized_keys; chown ann /home/ann/.ssh/authorized_keys");
    let said = explain(&sandbox, &["ann"]);
    assert!(said.words().contains(title), "{said}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let sandbox = ann();
    let said = sandbox
        .sh("(sleep 0.3; jailctl explain ann) | true; (sleep 0.3; jailctl check --json) | true");
    assert_eq!(said.stderr, "");
}

#[test]
fn what_can_not_be_written_is_a_failure_and_who_reads_no_more_is_none() {
    let sandbox = ann();
    for command in [
        "explain ann",
        "list --json",
        "migrate sshd --file /etc/login-jail/config.toml",
        "presets",
        "presets --json",
        "completions bash",
        "build /srv/made --program true --json",
        "build /srv/made --program true",
        "update /srv/made",
        "rollback /srv/made",
        "explain --help",
        "--version",
    ] {
        let said = sandbox.sh(&format!("jailctl {command} >/dev/full"));
        assert_eq!(said.code(), Some(3), "{command}: {said}");
        assert!(
            said.stderr
                .contains("jailctl: write to standard output: No space left on device"),
            "{command}: {said}"
        );
        let said = sandbox.sh(&format!(
            "(sleep 0.1; jailctl {command}; echo $? >/tmp/ended) | true; exit $(cat /tmp/ended)"
        ));
        assert!(matches!(said.code(), Some(0 | 1)), "{command}: {said}");
    }
    // Where nothing can be said at all, the exit status still does.
    let said = sandbox.sh("jailctl explain nobody-there >/dev/full 2>/dev/full");
    assert_eq!(said.code(), Some(3), "{said}");
}

#[test]
fn a_config_is_found_from_where_one_is() {
    let sandbox = ann();
    sandbox.must("mkdir -p /root/new/deep; cp /etc/login-jail/config.toml /root/new");
    for (directory, config) in [
        ("/root/new", "."),
        ("/root", "./new/"),
        ("/root/new/deep", ".."),
        ("/", "root/new/deep/.."),
    ] {
        let said = sandbox.sh(&format!(
            "cd {directory} && jailctl --config {config} explain ann"
        ));
        assert!(
            said.ok()
                .contains("rule       /root/new/config.toml:4 [users] ann"),
            "{said}"
        );
    }
    // It is entered by another process.
    let said = sandbox.sh("cd /root/new && jailctl --config . check ann");
    assert!(matches!(said.code(), Some(0 | 1)), "{said}");
    assert!(!said.stdout.contains("[config"), "{said}");
}

#[test]
fn behind_pam_it_says_where_and_what_the_host_program_does_after_the_last_step() {
    let sandbox = Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\"\numask = \"027\"");
    // Nobody has said which door.
    let said = steps(&sandbox, &["ann", "--command", "echo a  b"]);
    assert!(
        said.ok()
            .contains("\ndoor       pam (atd, cron, login, sshd, su"),
        "{said}"
    );
    let text = said.words();
    assert!(
        text.contains("note the stacks that jail: atd, cron, login, sshd, su"),
        "{said}"
    );
    let uid = sandbox.must("id -u ann");
    for part in [
        format!("sets user id {uid}, group id {}", sandbox.must("id -g ann")),
        format!("the supplementary groups {}", sandbox.must("id -G ann")),
        "changes to /home/ann, and starts /bin/bash -c 'echo a b'".to_owned(),
    ] {
        assert!(text.contains(&part), "{part} in {said}");
    }
    assert_eq!(step(&said, "umask"), "set the umask to 027");
    let last = said.stdout.lines().rfind(|line| line.starts_with(' '));
    assert!(
        last.is_some_and(|line| line.contains(" seccomp ")),
        "{said}"
    );
    let login = explain(&sandbox, &["ann", "--door", "login-shell"]);
    assert!(
        login
            .words()
            .contains("the login shell is /bin/bash, so this door is not in use"),
        "{login}"
    );
    sandbox.must("sed -i /pam_jail/d /etc/pam.d/*");
    let unused = explain(&sandbox, &["ann", "--door", "pam"]);
    assert!(
        unused.words().contains("no stack below /etc/pam.d"),
        "{unused}"
    );
}

/// Looking goes no further than to the root: what a shell in it leads to as a link, the login finds out.
#[test]
fn says_that_a_link_to_a_usual_shell_is_not_started_for_sftp() {
    let sandbox = ann().with("mkdir /srv/jails/ann/opt; ln -s /bin/bash /srv/jails/ann/opt/entry");
    let server = "/usr/lib/openssh/sftp-server";
    let said = |shell: &str| {
        sandbox.must(&format!(
            "sed -i 's,^shell = .*,shell = \"{shell}\",' /etc/login-jail/config.toml"
        ));
        let explained = steps(&sandbox, &["ann", "--command", server]);
        step(&explained, "exec").to_owned()
    };
    let usual = said("/bin/bash");
    assert!(usual.contains("itself and without the shell; "), "{usual}");
    let link = said("/opt/entry");
    assert!(
        link.contains(
            "where /opt/entry is a link inside to one of the usual shells, the server itself"
        ),
        "{link}"
    );
}

#[test]
fn the_exit_status_is_1_where_a_user_is_not_jailed_or_check_has_an_error_of_this_user() {
    let sandbox = ann();
    explain(&sandbox, &["ann"]).ok();
    // A rule exempts root.
    let said = explain(&sandbox, &["root"]);
    assert_eq!(said.code(), Some(1), "{said}");
    assert!(said.stdout.contains("NOT JAILED"), "{said}");
    // What concerns ann beside her login.
    for (plant, kind) in [
        (
            "mkdir -p /var/lib/systemd/linger; touch /var/lib/systemd/linger/ann",
            "linger",
        ),
        (
            "rm /var/lib/systemd/linger/ann; sed -i /^DisableForwarding/d /etc/ssh/sshd_config",
            "sshd-sockets",
        ),
    ] {
        sandbox.must(plant);
        let found = format!("[{kind}]");
        let checked = sandbox.run(&["jailctl", "check", "ann"]);
        assert!(checked.stdout.contains(&found), "{checked}");
        let said = explain(&sandbox, &["ann"]);
        assert_eq!(said.code(), Some(1), "{said}");
        assert!(said.stdout.contains("\nfound      1 error"), "{said}");
        let said = explain(&sandbox, &["--verbose", "ann"]);
        assert!(said.stdout.contains(&found), "{said}");
    }
    // An error that the config accepts counts no more than at check.
    let accept = format!(
        "{CONFIG}[check]\naccept = [{{ kind = \"sshd-sockets\", for = \"ann\", why = \"a test\" }}]\n"
    );
    sandbox.write("/etc/login-jail/config.toml", accept);
    let said = explain(&sandbox, &["ann"]);
    assert!(said.ok().contains("1 accepted finding"), "{said}");
    let said = explain(&sandbox, &["--verbose", "ann"]);
    assert!(said.stdout.contains("accepted: a test"), "{said}");
}
