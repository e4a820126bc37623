//! A directory: accounts and groups of a real LDAP server, by SSSD and by nslcd; keys of it; and what becomes of logins where it
//! is slow, silent, down or lying.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test reports by panicking"
)]

use std::process::Stdio;
use std::time::{Duration, Instant};

use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, directory::Client, of_kind, skipped};

/// How long a login may take that waits for nobody. A machine under load is slow; the deadline is 20 s.
const AT_ONCE: Duration = Duration::from_secs(10);

/// How long one may take that waits for the deadline.
const IN_TIME: Duration = Duration::from_secs(35);

/// The config: a rule by group, one by name for ann of /etc/passwd, and carl of /etc/passwd, who is exempt by name.
const CONFIG: &str = "exempt = ['root', 'carl', '@sudo']\n[users]\nann = 'web'\n[groups]\ndoors = 'web'\ng002 = 'web'\n\
                      [jails.web]\nroot = '/srv/jails/{user}'\nbase = 'host'\nshell = '/bin/bash'\n\
                      [jails.home]\nroot = '{home}'\nbase = 'host'\n";

/// Makes root directories with a home.
pub(crate) fn roots(sandbox: &Sandbox, users: &[&str]) {
    for user in users {
        sandbox.must(&format!(
            "install -d /srv/jails/{user}/home; install -d -o {user} -m 700 /srv/jails/{user}/home/{user}"
        ));
    }
}

pub(crate) fn account(name: &str, uid: u32, more: &str) -> String {
    let home = if more.contains("homeDirectory") {
        String::new()
    } else {
        format!("homeDirectory: /home/{name}\n")
    };
    format!(
        "\ndn: cn={name},ou=people,dc=example,dc=org\nobjectClass: account\nobjectClass: extensibleObject\nobjectClass: posixAccount\n\
         objectClass: ldapPublicKey\nuid: {name}\ncn: {name}\nuidNumber: {uid}\ngidNumber: 20000\n{home}{more}\n"
    )
}

pub(crate) fn group(name: &str, gid: u32, members: &[&str]) -> String {
    let members: String = members
        .iter()
        .map(|it| format!("memberUid: {it}\n"))
        .collect();
    format!(
        "\ndn: cn={name},ou=groups,dc=example,dc=org\nobjectClass: posixGroup\ncn: {name}\ngidNumber: {gid}\n{members}"
    )
}

/// ann and carl of /etc/passwd, bob whom no door of login-jail concerns, and a stack that has pam_jail.so alone.
fn machine(client: Client, more: &str) -> Option<Sandbox> {
    let sandbox = Sandbox::new()
        .user("ann")
        .plain_user("bob")
        .plain_user("carl")
        .pam()
        .with("printf 'account required pam_permit.so\\naccount required pam_jail.so\\nsession required pam_permit.so\\nsession required pam_jail.so\\n' >/etc/pam.d/jailtest")
        .directory(client, 200, 20, more)?
        .config(CONFIG);
    roots(&sandbox, &["ann"]);
    Some(sandbox)
}

/// Gives the program that calls jail-shell as sshd would, with these ids, and asks no name service itself.
fn caller(uid: u32, groups: &[u32], command: &str) -> String {
    let first = groups.first().unwrap();
    format!(
        "import os; os.setgroups({groups:?}); os.setresgid({first}, {first}, {first}); os.setresuid({uid}, {uid}, {uid})\n\
         os.execve('{JAIL_SHELL}', ['jail-shell', '-c', '''{command}'''], {{}})"
    )
}

fn shell(sandbox: &Sandbox, uid: u32, groups: &[u32], command: &str) -> Outcome {
    sandbox.run(&["python3", "-c", &caller(uid, groups, command)])
}

pub(crate) fn pam(sandbox: &Sandbox, user: &str, stages: &[&str]) -> Outcome {
    sandbox.run(&[&["pamtester", "jailtest", user], stages].concat())
}

fn timed(run: impl FnOnce() -> Outcome) -> (Outcome, Duration) {
    let before = Instant::now();
    (run(), before.elapsed())
}

fn groups_are_rules(client: Client) {
    let bash = "loginShell: /bin/bash\n";
    let more = [
        account("fay", 25_001, bash),
        account("pia", 25_002, bash),
        group("doors", 35_000, &["fay", "pia", "u00001"]),
    ]
    .concat();
    let Some(sandbox) = machine(client, &more) else {
        return;
    };
    let sandbox = sandbox.sshd("Match User fay\nForceCommand /usr/bin/jail-shell\nMatch all\n");
    roots(&sandbox, &["u00001", "fay", "pia"]);
    let look = "id -Gn | tr ' ' '\\n' | sort | tr '\\n' ' '; ls -d /srv 2>&1 | tail -c 10";
    for (user, groups) in [("u00001", "doors everyone g002"), ("fay", "doors everyone")] {
        let seen = sandbox.ssh(user, look);
        assert!(seen.stdout.starts_with(groups), "{client:?} {seen}");
        assert!(!seen.stdout.ends_with("/srv\n"), "{client:?} {seen}");
        sandbox.logged(&["enter", user, "[groups] doors"]);
    }
    // No rule is for a group of this one's.
    let seen = sandbox.ssh("u00002", "echo GOTIN");
    assert_eq!(
        (seen.code(), seen.stdout.as_str()),
        (Some(102), ""),
        "{client:?} {seen}"
    );
    assert!(
        seen.stderr.contains("login refused (no-rule)"),
        "{client:?} {seen}"
    );
    sandbox.set_pam_lines("required", "");
    for seen in [sandbox.ssh("pia", look), sandbox.su_c("pia", look)] {
        assert!(
            seen.stdout.starts_with("doors everyone"),
            "{client:?} {seen}"
        );
        assert!(!seen.stdout.ends_with("/srv\n"), "{client:?} {seen}");
    }
    sandbox.module_logged(&["enter", "pia", "[groups] doors"]);
    assert_eq!(sandbox.su_c("u00002", "echo GOTIN").stdout, "");
}

#[test]
fn groups_of_a_directory_are_rules_at_every_door_by_sssd() {
    groups_are_rules(Client::Sssd);
}

#[test]
fn groups_of_a_directory_are_rules_at_every_door_by_nslcd() {
    groups_are_rules(Client::Nslcd);
}

#[test]
fn the_first_login_of_an_account_of_a_directory_makes_root_and_home() {
    let more = [
        account("may", 25_004, "loginShell: /bin/bash\n"),
        group("makers", 35_003, &["may", "u00003"]),
    ]
    .concat();
    let sandbox = Sandbox::new().pam().with("mkdir /srv/made");
    let Some(sandbox) = sandbox.directory(Client::Sssd, 5, 2, &more) else {
        return;
    };
    let sandbox = sandbox.config(
        "exempt = ['root']\n[groups]\nmakers = 'made'\n\
         [jails.made]\nroot = '/srv/made/{user}'\nbase = 'host'\nshell = '/bin/bash'\ncreate = true\n",
    );
    let look = "cd; pwd; echo own >file; stat -c %U:%G . file";
    let made = |user: &str| format!("/home/{user}\n{user}:everyone\n{user}:everyone");
    let by_shell = sandbox.ssh("u00003", look);
    assert_eq!(by_shell.ok(), made("u00003"), "{by_shell}");
    sandbox.set_pam_lines("required", "");
    let by_pam = sandbox.ssh("may", look);
    assert_eq!(by_pam.ok(), made("may"), "{by_pam}");
    assert_eq!(sandbox.su_c("may", "cat ~/file").ok(), "own");
}

/// Where there is no sssd, a script of root's asks the directory for keys.
const LDAP_KEYS: &str = r#"#!/bin/sh
case $1 in '' | *[!a-z0-9._-]*) exit 0 ;; esac
ldapsearch -x -LLL -o ldif_wrap=no -H ldaps://ldap.example.org -b ou=people,dc=example,dc=org "(uid=$1)" sshPublicKey |
    sed -n 's/^sshPublicKey: //p'
"#;

fn keys_come(client: Client) {
    let sandbox = Sandbox::new().with("ssh-keygen -q -t ed25519 -N '' -f /root/own");
    let key = sandbox.read("/root/own.pub");
    let more = [
        account(
            "kay",
            25_003,
            &format!("loginShell: {JAIL_SHELL}\nsshPublicKey: {key}\n"),
        ),
        group("doors", 35_000, &["kay"]),
    ]
    .concat();
    let Some(sandbox) = sandbox.directory(client, 5, 2, &more) else {
        return;
    };
    let command = match client {
        Client::Sssd => "/usr/bin/sss_ssh_authorizedkeys",
        _ => "/usr/local/sbin/ldap-keys",
    };
    sandbox.write("/usr/local/sbin/ldap-keys", LDAP_KEYS);
    sandbox.must("chmod 755 /usr/local/sbin/ldap-keys; echo 'TLS_CACERT /etc/ldap/tls/ca.pem' >>/etc/ldap/ldap.conf");
    let sandbox = sandbox.config(CONFIG).sshd(&format!(
        "Match all\nAuthorizedKeysFile none\nAuthorizedKeysCommand {command} %u\nAuthorizedKeysCommandUser nobody\n"
    ));
    roots(&sandbox, &["kay"]);
    let seen = sandbox.ssh_with(
        "kay",
        &["-o", "IdentityFile=/root/own"],
        Some("id -un"),
        b"",
    );
    assert_eq!(seen.ok(), "kay", "{client:?} {}", sandbox.sshd_log());
    assert_eq!(sandbox.ssh("kay", "echo GOTIN").code(), Some(255));
    let other = sandbox.ssh_with(
        "u00001",
        &["-o", "IdentityFile=/root/own"],
        Some("echo GOTIN"),
        b"",
    );
    assert_eq!(other.code(), Some(255));
}

#[test]
fn keys_come_from_the_directory_by_sssd_and_by_a_script() {
    keys_come(Client::Sssd);
    keys_come(Client::Nslcd);
}

/// Tries everybody while the directory says nothing: whoever depends on it is refused at the deadline, nobody else waits.
fn silence(client: Client, stop: &str) {
    let Some(sandbox) = machine(client, "") else {
        return;
    };
    roots(&sandbox, &["u00001"]);
    assert_eq!(
        shell(&sandbox, 20_001, &[20_000, 30_002], "echo in").ok(),
        "in"
    );
    sandbox.signal("STOP", stop);
    let since = Instant::now();
    let begin = |argv: &[&str]| {
        let mut command = sandbox.command(argv);
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(Stdio::piped()).spawn().unwrap()
    };
    let concerned = caller(20_021, &[20_000, 30_002], "echo GOTIN");
    let by_shell = begin(&["python3", "-c", &concerned]);
    let by_pam = begin(&[
        "pamtester",
        "jailtest",
        "u00041",
        "acct_mgmt",
        "open_session",
    ]);
    let session = begin(&["pamtester", "jailtest", "ann", "open_session"]);
    for (seen, took) in [
        timed(|| shell(&sandbox, 1000, &[1000], "echo in")),
        timed(|| pam(&sandbox, "ann", &["acct_mgmt"])),
        timed(|| pam(&sandbox, "carl", &["acct_mgmt", "open_session"])),
    ] {
        seen.ok();
        assert!(took < AT_ONCE, "{client:?} {took:?} {seen}");
    }
    let [by_shell, by_pam, session] = [by_shell, by_pam, session].map(|child| {
        let output = child.wait_with_output().unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    });
    assert!(
        since.elapsed() < IN_TIME,
        "{client:?} {:?}",
        since.elapsed()
    );
    assert_eq!(by_shell, (Some(108), String::new()), "{client:?}");
    assert_ne!(by_pam.0, Some(0), "{client:?} {by_pam:?}");
    // sshd would ask for ann's groups, too, and wait longer.
    assert_eq!(session.0, Some(0), "{client:?} {session:?}");
    sandbox.logged(&[
        "refused code=account uid=20021",
        "have not answered in 20 s",
    ]);
    sandbox.module_logged(&[
        "refused code=account",
        "u00041",
        "have not answered in 20 s",
    ]);
    sandbox.module_logged(&["enter", "ann"]);
    sandbox.signal("CONT", stop);
}

#[test]
fn a_silent_server_keeps_nobody_waiting_past_the_deadline_and_no_local_user_at_all() {
    silence(Client::Nslcd, "slapd");
}

#[test]
fn a_silent_client_keeps_nobody_waiting_past_the_deadline_and_no_local_user_at_all() {
    silence(Client::Sssd, Client::Sssd.daemon());
}

/// Measures how long logins of local users take while the server says nothing: sshd and PAM ask it for groups, whoever logs in.
#[expect(clippy::print_stdout, reason = "what it measures is worth knowing")]
fn silence_side_by_side(client: Client) {
    let Some(sandbox) = machine(client, "") else {
        return;
    };
    let sandbox = sandbox.plain_user("dan").plain_user("eve").user("fay");
    roots(&sandbox, &["dan", "fay"]);
    let sandbox =
        sandbox.config(&CONFIG.replace("ann = 'web'", "ann = 'web'\ndan = 'web'\nfay = 'web'"));
    for known in ["bob", "ann", "carl", "dan"] {
        sandbox.ssh(known, "echo in").ok();
    }
    sandbox.signal("STOP", "slapd");
    let login = |user: &str| {
        let limit = Duration::from_secs(110);
        let (seen, took) = timed(|| sandbox.ssh_within(limit, user, "echo in"));
        assert_eq!(seen.ok(), "in", "{client:?} {user} {seen}");
        took
    };
    // A client may wait long once, and know then that the server is away; and for each user whom it has not been asked for.
    let first = login("bob");
    let without = [login("bob"), login("bob")];
    let by_shell = login("ann");
    let unknown = [login("eve"), login("fay")];
    sandbox.set_pam_lines("required", "");
    let by_pam = login("dan");
    let exempt = login("carl");
    let longest = without.iter().max().unwrap();
    println!(
        "{client:?}, server silent: unjailed {first:?} at first, then {without:?}; login shell {by_shell:?} ({:.2} of unjailed), \
         PAM {by_pam:?} ({:.2}), exempt {exempt:?} ({:.2}); not asked for before: unjailed and jailed {unknown:?}",
        by_shell.as_secs_f64() / longest.as_secs_f64(),
        by_pam.as_secs_f64() / longest.as_secs_f64(),
        exempt.as_secs_f64() / longest.as_secs_f64()
    );
    let longest = *longest;
    for (took, longest) in [
        (by_shell, longest),
        (by_pam, longest),
        (exempt, longest),
        (unknown[1], unknown[0]),
    ] {
        assert!(
            took < longest.mul_f64(1.2) + Duration::from_secs(2),
            "{client:?} {took:?} {longest:?}"
        );
    }
    sandbox.signal("CONT", "slapd");
}

#[test]
#[ignore = "takes minutes: logins that wait for a silent server; make test-long"]
fn while_the_server_is_silent_a_local_user_waits_as_long_as_without_login_jail() {
    // With nslcd, sshd alone waits for more than two minutes: there is nothing to compare with.
    silence_side_by_side(Client::Sssd);
}

/// A directory's client that takes half a second for each question, and counts them. nslcd itself is asked after that: a question that
/// it does not hear within half a second is none for it, and who asks gets no answer.
const SLOW: &str = r#"
import os, socket, threading, time
path = "/run/nslcd/socket"
os.rename(path, path + ".real")
server = socket.socket(socket.AF_UNIX)
server.bind(path)
os.chmod(path, 0o666)
server.listen(64)
def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
def serve(client):
    with open("/run/asked", "a") as asked:
        asked.write("x")
    time.sleep(0.5)
    real = socket.socket(socket.AF_UNIX)
    real.connect(path + ".real")
    threading.Thread(target=copy, args=(real, client), daemon=True).start()
    copy(client, real)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"#;

#[test]
fn a_local_user_with_a_rule_waits_for_a_slow_directory_as_long_as_without_login_jail() {
    let Some(sandbox) = machine(Client::Nslcd, "") else {
        return;
    };
    let sandbox = sandbox.plain_user("dan");
    roots(&sandbox, &["dan"]);
    let sandbox = sandbox.config(&CONFIG.replace("ann = 'web'", "ann = 'web'\ndan = 'web'"));
    sandbox.write("/run/slow.py", SLOW);
    for known in ["bob", "ann", "carl", "dan"] {
        sandbox.ssh(known, "echo in").ok();
    }
    sandbox.must("setsid python3 /run/slow.py >/dev/null 2>&1 & until [ -S /run/nslcd/socket.real ] && [ -S /run/nslcd/socket ]; do sleep 0.05; done");
    // The premise: it is slow, and answers.
    let (known, took) = timed(|| sandbox.run(&["id", "-un", "u00003"]));
    assert_eq!(known.ok(), "u00003");
    assert!(took > Duration::from_millis(500), "{took:?}");
    let asked = |user: &str| {
        sandbox.must("rm -f /run/asked; touch /run/asked");
        let (seen, took) = timed(|| sandbox.ssh(user, "echo in"));
        assert_eq!(seen.ok(), "in", "{user} {seen}");
        (sandbox.read("/run/asked").len(), took)
    };
    let (unjailed, without) = asked("bob");
    assert!(unjailed > 0, "sshd asks for the groups of whoever logs in");
    let by_shell = asked("ann");
    sandbox.set_pam_lines("required", "");
    let by_pam = asked("dan");
    let exempt = asked("carl");
    for (door, (questions, took)) in [
        ("login shell", by_shell),
        ("PAM", by_pam),
        ("exempt", exempt),
    ] {
        println!(
            "{door}: {questions} questions to a directory that takes 0.5 s for each, in {took:?}; unjailed {unjailed} in {without:?}"
        );
        assert!(
            questions <= unjailed,
            "{door}: {questions} questions, unjailed {unjailed}"
        );
        assert!(
            took < without + Duration::from_secs(2),
            "{door}: {took:?}, unjailed {without:?}"
        );
    }
}

#[test]
fn a_directory_that_is_down_refuses_whom_it_concerns_at_once_and_says_so() {
    let Some(sandbox) = machine(Client::Nslcd, "") else {
        return;
    };
    roots(&sandbox, &["u00001"]);
    sandbox.signal("KILL", "slapd");
    sandbox.signal("KILL", "nslcd");
    let (seen, took) = timed(|| shell(&sandbox, 20_001, &[20_000, 30_002], "echo GOTIN"));
    seen.refused(108, "account");
    assert!(took < AT_ONCE, "{took:?}");
    sandbox.logged(&["refused code=account uid=20001", "does not answer"]);
    // A group of the directory may be missing from what the kernel has.
    shell(&sandbox, 1001, &[1001], "echo GOTIN").refused(108, "account");
    sandbox.logged(&[
        "refused code=account",
        "bob",
        "\\\"ldap\\\"",
        "does not answer",
    ]);
    assert_eq!(shell(&sandbox, 1000, &[1000], "echo in").ok(), "in");
    assert_eq!(sandbox.ssh("ann", "echo in").ok(), "in");
    let check = sandbox.run(&["jailctl", "check", "ann"]);
    assert!(
        check.words().contains(
            "[groups] g002: no service that answers has this name, and the service \"ldap\""
        ),
        "{check}"
    );
    assert!(!check.stdout.contains("there is no such group"), "{check}");
    let explain = sandbox.run(&["jailctl", "explain", "bob"]);
    assert!(explain.stdout.contains("does not answer"), "{explain}");
}

/// What LDAP can say of an account, and what becomes of it.
fn lies(client: Client) {
    let bash = format!("loginShell: {JAIL_SHELL}\n");
    let mut more = [
        account("zero", 0, &bash),
        account("twin", 1000, &bash),
        account("slash", 25_010, &format!("{bash}homeDirectory: /\n")),
        account("sly", 25_011, &bash),
        // The name of a group of this machine, which is exempt, with another number.
        group("sudo", 35_100, &["sly"]),
        group("doors", 35_000, &["zero", "twin", "sly"]),
        group("other", 35_101, &["slash"]),
    ]
    .concat();
    more.push_str(
        "\ndn: cn=odd,ou=people,dc=example,dc=org\nobjectClass: account\nobjectClass: extensibleObject\nobjectClass: posixAccount\nuid:: YQFi\n\
         cn: odd\nuidNumber: 25012\ngidNumber: 20000\nhomeDirectory: /home/odd\nloginShell: /bin/bash\n",
    );
    let Some(sandbox) = machine(client, &more) else {
        return;
    };
    let sandbox = sandbox.config(&CONFIG.replace("g002 = 'web'", "other = 'home'"));
    roots(&sandbox, &["sly"]);
    // By PAM each is known by name.
    let refused = |user: &str, reason: &str| {
        let seen = pam(&sandbox, user, &["acct_mgmt"]);
        assert_ne!(seen.code(), Some(0), "{client:?} {user}: {seen}");
        let seen = pam(&sandbox, user, &["open_session"]);
        assert_ne!(seen.code(), Some(0), "{client:?} {user}: {seen}");
        sandbox.module_logged(&["refused", reason]);
    };
    // sssd has no accounts with uid 0.
    if client == Client::Nslcd {
        refused(
            "zero",
            r#"\"zero\" has uid 0, which is that of \"root\" in /etc/passwd"#,
        );
    } else {
        refused("zero", "there is no such account");
    }
    refused(
        "twin",
        r#"\"twin\" has uid 1000, which is that of \"ann\" in /etc/passwd"#,
    );
    refused("slash", "which is the host's own root");
    // A client may leave it out; no door lets it in.
    let odd = pam(&sandbox, "a\u{1}b", &["acct_mgmt"]);
    assert_ne!(odd.code(), Some(0), "{client:?} {odd}");
    // It would be exempt by the name of the group, which counts for nothing.
    refused("sly", "group 35100 of the user has no name");
    shell(&sandbox, 25_011, &[20_000, 35_000, 35_100], "echo GOTIN").refused(108, "account");
    // The kernel has the number alone: it is ann's account, by the name of another.
    let argv = ["env", "USER=twin", JAIL_SHELL, "-c", "echo GOTIN"];
    sandbox.run_as("ann", &argv).refused(108, "account");
}

#[test]
fn a_directory_that_lies_lets_nobody_in_by_sssd() {
    lies(Client::Sssd);
}

#[test]
fn a_directory_that_lies_lets_nobody_in_by_nslcd() {
    lies(Client::Nslcd);
}

#[test]
fn a_group_with_more_members_than_are_read_refuses_by_rules_for_groups_alone() {
    let members: Vec<String> = (0..150_000).map(|number| format!("m{number:06}")).collect();
    let mut members: Vec<&str> = members.iter().map(String::as_str).collect();
    members.extend(["u00001", "u00005"]);
    let Some(sandbox) = machine(Client::Nslcd, &group("huge", 36_000, &members)) else {
        return;
    };
    let sandbox = sandbox.config(&CONFIG.replace("ann = 'web'", "u00005 = 'web'"));
    roots(&sandbox, &["u00001", "u00005"]);
    let (seen, took) = timed(|| shell(&sandbox, 20_001, &[20_000, 30_002, 36_000], "echo GOTIN"));
    seen.refused(108, "account");
    assert!(took < IN_TIME, "{took:?}");
    sandbox.logged(&[
        "refused",
        "group 36000 of the user has more members than are read",
    ]);
    assert_eq!(
        shell(&sandbox, 20_005, &[20_000, 36_000], "echo in").ok(),
        "in"
    );
}

#[test]
fn check_and_explain_say_what_a_directory_keeps_from_them() {
    let Some(sandbox) = machine(Client::Sssd, "") else {
        return;
    };
    roots(&sandbox, &["u00001"]);
    let check = sandbox.run(&["jailctl", "check", "--notes"]);
    let found = of_kind(&check, "directory-group");
    let what = &found.first().unwrap_or_else(|| panic!("{check}")).what;
    assert!(what.contains("g002") && what.contains("more"), "{what}");
    let explain = sandbox.run(&["jailctl", "explain", "u00001"]);
    assert!(
        explain.words().contains("a directory has the account"),
        "{explain}"
    );
    let explain = sandbox.run(&["jailctl", "explain", "ann"]);
    assert!(
        !explain.words().contains("a directory has the account"),
        "{explain}"
    );
}

/// Records of systemd's userdb, as files: an account, its groups, and that it is in one of them.
const RECORDS: &str = r#"
install -d /etc/userdb /run/userdb
cat >/etc/userdb/dora.user <<END
{"userName":"dora","uid":26001,"gid":26001,"homeDirectory":"/home/dora","shell":"/usr/bin/jail-shell","disposition":"regular"}
END
ln -s dora.user /etc/userdb/26001.user
echo '{"groupName":"dora","gid":26001}' >/etc/userdb/dora.group
ln -s dora.group /etc/userdb/26001.group
echo '{"groupName":"doors","gid":26100}' >/run/userdb/doors.group
ln -s doors.group /run/userdb/26100.group
# An empty one counts as masked.
echo '{}' >/run/userdb/dora:doors.membership
"#;

#[test]
fn records_of_userdb_are_rules_and_a_silent_service_of_it_keeps_nobody_waiting_past_the_deadline() {
    let sandbox = Sandbox::new()
        .user("ann")
        .with(RECORDS)
        .with("printf 'account required pam_jail.so\\nsession required pam_jail.so\\n' >/etc/pam.d/jailtest")
        .config(CONFIG);
    if sandbox.sh("id -Gn dora | grep -q doors").code() != Some(0) {
        return skipped("records of userdb", "nss-systemd does not read them here");
    }
    roots(&sandbox, &["ann", "dora"]);
    assert_eq!(
        shell(&sandbox, 26_001, &[26_001, 26_100], "id -Gn").ok(),
        "dora doors"
    );
    pam(&sandbox, "dora", &["acct_mgmt", "open_session"]).ok();
    sandbox.module_logged(&["enter", "dora", "[groups] doors"]);
    // Somebody serves userdb who never answers.
    sandbox.must(
        "mkdir -p /run/systemd/userdb
         setsid python3 -c \"
import socket, time
server = socket.socket(socket.AF_UNIX); server.bind('/run/systemd/userdb/io.example.Silent'); server.listen(64); time.sleep(300)\" \
         >/dev/null 2>&1 &
         until [ -S /run/systemd/userdb/io.example.Silent ]; do sleep 0.05; done",
    );
    let (seen, took) = timed(|| shell(&sandbox, 1000, &[1000], "echo in"));
    assert_eq!(seen.ok(), "in");
    assert!(took < AT_ONCE, "{took:?}");
    let (seen, took) = timed(|| shell(&sandbox, 26_001, &[26_001, 26_100], "echo GOTIN"));
    seen.refused(108, "account");
    assert!(took < IN_TIME, "{took:?}");
    sandbox.logged(&[
        "refused code=account uid=26001",
        "have not answered in 20 s",
    ]);
}

#[test]
#[ignore = "ten thousand accounts take a minute"]
fn ten_thousand_accounts_and_two_hundred_groups() {
    for client in [Client::Sssd, Client::Nslcd] {
        let sandbox = Sandbox::new().user("ann").pam();
        let Some(sandbox) = sandbox.directory(client, 10_000, 200, "") else {
            return;
        };
        let rules: String = (1..=200).map(|it| format!("g{it:03} = 'web'\n")).collect();
        let sandbox = sandbox.config(&CONFIG.replace("g002 = 'web'\n", &rules));
        for number in [1, 777, 5000, 9999, 10_000] {
            let name = format!("u{number:05}");
            roots(&sandbox, &[&name]);
            let (first, slow) = timed(|| sandbox.ssh(&name, "id -un"));
            assert_eq!(first.ok(), name, "{client:?}");
            let (again, fast) = timed(|| sandbox.ssh(&name, "id -un"));
            assert_eq!(again.ok(), name, "{client:?}");
            println!("{client:?} {name}: first login {slow:?}, second {fast:?}");
        }
        for words in ["check u00777", "explain u00777", "list", "sessions"] {
            let argv = ["sh", "-c", &format!("jailctl {words}")];
            let (seen, took) = timed(|| sandbox.run_within(Duration::from_secs(600), &argv));
            assert!(matches!(seen.code(), Some(0 | 1)), "{client:?} {seen}");
            println!("{client:?}: jailctl {words} takes {took:?}");
            assert!(took < AT_ONCE, "{client:?} {words} {took:?}");
        }
    }
}
