//! What the caller's environment must not change: who somebody is, and so what is decided about them. Name services read
//! variables of whoever asks them, and `su` keeps those of its caller.

use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, fault::probe, roots, skipped};

/// The variable by which the tests' own service of NSS hides ann's group.
const HIDES: &str = "NSS_KNOWS_NOTHING=1";

/// Ann is in the group `remote`, which a service of NSS alone knows, and in games. Members of `remote` are in a jail
/// without /usr/games, whoever else is in games has one with it.
fn by_a_remote_group(shell: &str, unlisted: &str) -> Sandbox {
    let module = probe("libnss_dead.so.2");
    Sandbox::new()
        .user_with_shell("ann", shell)
        .jailed("ann")
        .root(roots::home())
        .config(&format!(
            "unlisted = \"{unlisted}\"\n[groups]\nremote = \"strict\"\ngames = \"lax\"\n\
             [jails.strict]\nroot = \"/srv/jails/{{user}}\"\nbase = \"host\"\nshell = \"/bin/bash\"\nenv.set = {{ JAIL = \"strict\" }}\n\
             [jails.lax]\nroot = \"/srv/jails/{{user}}\"\nbase = \"host\"\nshell = \"/bin/bash\"\nenv.set = {{ JAIL = \"lax\" }}\n"
        ))
        .with(&format!(
            "cp {module} /lib/$(gcc -print-multiarch)/; sed -i 's/^group:.*/group: dead files/' /etc/nsswitch.conf"
        ))
}

/// Checks that the variable does hide the group from whoever obeys it.
fn premise(sandbox: &Sandbox) {
    assert!(sandbox.must("id -G ann").contains("4242"));
    assert!(!sandbox.must(&format!("{HIDES} id -G ann")).contains("4242"));
}

fn su(sandbox: &Sandbox, variable: &str, command: &str) -> Outcome {
    sandbox.run(&["env", variable, "su", "ann", "-c", command])
}

#[test]
fn behind_pam_a_variable_of_sus_caller_lets_nobody_out() {
    for (unlisted, more) in [("exempt", "true"), ("refuse", "usermod -aG games ann")] {
        let sandbox = by_a_remote_group("/bin/bash", unlisted)
            .behind_pam("required", "")
            .with(more);
        premise(&sandbox);
        for variable in ["NSS_KNOWS_SOMETHING=1", HIDES] {
            let seen = su(&sandbox, variable, "ls -d /srv; echo $NSS_KNOWS_NOTHING");
            assert!(!seen.stdout.contains("/srv"), "{unlisted} {seen}");
            sandbox.module_logged(&["enter", r#"user="ann""#, r#"jail="strict""#]);
            assert!(!sandbox.syslog().contains(r#"jail="lax""#), "{unlisted}");
            // The environment is the host program's again: su passes its caller's on.
            let passed = if variable == HIDES { "1" } else { "" };
            assert_eq!(seen.stdout.trim_end(), passed, "{seen}");
        }
    }
}

#[test]
fn jail_shell_decides_by_groups_that_a_variable_has_hidden_from_su() {
    let sandbox = by_a_remote_group(JAIL_SHELL, "refuse").with("usermod -aG games ann");
    premise(&sandbox);
    for variable in ["NSS_KNOWS_SOMETHING=1", HIDES] {
        let seen = su(&sandbox, variable, "echo $JAIL");
        assert_eq!(seen.ok(), "strict", "{variable}");
        let own = ["env", variable, JAIL_SHELL, "-c", "echo $JAIL"];
        assert_eq!(sandbox.run_as("ann", &own).ok(), "strict", "{variable}");
    }
    let login = ["env", HIDES, "su", "-", "ann", "-c", "echo $JAIL"];
    assert_eq!(sandbox.run(&login).ok(), "strict");
}

#[test]
fn jail_shell_does_not_decide_by_the_groups_of_a_service_that_was_down_at_sus_time() {
    let sandbox = by_a_remote_group(JAIL_SHELL, "refuse")
        .with("usermod -aG games ann; touch /run/nss-is-down");
    sandbox.su_c("ann", "true").refused(108, "account");
    sandbox.logged_last(&["look up the user's groups", "Connection refused"]);
}

#[test]
fn jailctl_shows_the_same_whatever_its_callers_variables() {
    let sandbox = by_a_remote_group(JAIL_SHELL, "refuse").with("usermod -aG games ann");
    premise(&sandbox);
    for arguments in [
        &["explain", "ann"][..],
        &["list"],
        &["check", "ann"],
        &["enter", "--user", "ann", "--", "echo $JAIL"],
    ] {
        let plain = sandbox.run(&[&["jailctl"], arguments].concat());
        let hidden = sandbox.run(&[&["env", HIDES, "jailctl"], arguments].concat());
        assert_eq!(hidden.stdout, plain.stdout, "{arguments:?} {hidden}");
        assert_eq!(hidden.stderr, plain.stderr, "{arguments:?}");
        assert_eq!(hidden.code(), plain.code(), "{arguments:?}");
    }
    let explained = sandbox.run(&["env", HIDES, "jailctl", "explain", "ann"]);
    assert!(explained.stdout.contains("strict"), "{explained}");
}

/// A service of userdb, as systemd-userdbd is one, which knows the group `remote` and that ann is in it: the User/Group Record
/// Lookup API of systemd.
const USERDB: &str = r#"
import json, os, socket
path = "/run/systemd/userdb/org.example.Test"
record = {"groupName": "remote", "gid": 4343, "service": "org.example.Test"}
server = socket.socket(socket.AF_UNIX)
server.bind(path)
os.chmod(path, 0o666)
server.listen(64)
while True:
    client, _ = server.accept()
    asked = b""
    while not asked.endswith(b"\0"):
        more = client.recv(4096)
        if not more:
            break
        asked += more
    if not asked:
        continue
    asked = json.loads(asked[:-1])
    method, words = asked["method"], asked["parameters"]
    if method.endswith("GetMemberships") and words.get("userName") == "ann":
        answer = {"parameters": {"userName": "ann", "groupName": "remote"}}
    elif method.endswith("GetGroupRecord") and (words.get("groupName") == "remote" or words.get("gid") == 4343):
        answer = {"parameters": {"record": record, "incomplete": False}}
    else:
        answer = {"error": "io.systemd.UserDatabase.NoRecordFound", "parameters": {}}
    client.sendall(json.dumps(answer).encode() + b"\0")
    client.close()
"#;

/// The real one: nss-systemd(8) asks no service but the one that this names.
#[test]
fn systemds_userdb_is_asked_whatever_systemd_only_userdb_says() {
    const ONLY: &str = "SYSTEMD_ONLY_USERDB=x";
    let sandbox = by_a_remote_group("/bin/bash", "exempt")
        .behind_pam("required", "")
        .with("sed -i 's/^group:.*/group: files [SUCCESS=merge] systemd/' /etc/nsswitch.conf; mkdir -p /run/systemd/userdb");
    if sandbox
        .sh("/usr/bin/python3 --version && ls /lib/*/libnss_systemd.so.2")
        .code()
        != Some(0)
    {
        return skipped(
            "SYSTEMD_ONLY_USERDB",
            "libnss-systemd or /usr/bin/python3 is not here",
        );
    }
    sandbox.write("/run/userdb.py", USERDB);
    sandbox.must(
        "/usr/bin/python3 /run/userdb.py </dev/null >/dev/null 2>&1 &
         until [ -e /run/systemd/userdb/* ]; do sleep 0.01; done; sleep 0.2",
    );
    assert!(sandbox.must("id -G ann").contains("4343"));
    assert!(!sandbox.must(&format!("{ONLY} id -G ann")).contains("4343"));
    for variable in ["A=1", ONLY] {
        let seen = su(&sandbox, variable, "echo in; ls -d /srv");
        assert!(!seen.stdout.contains("/srv"), "{variable}: {seen}");
        assert!(seen.stdout.contains("in"), "{variable}: {seen}");
    }
}
