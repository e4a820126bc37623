//! A look-up that fails is said, and is never taken for an answer.

use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, roots};

/// ann in a jail with the host's system, and with this login shell.
fn stage(shell: &str) -> Sandbox {
    Sandbox::new()
        .user_with_shell("ann", shell)
        .jailed("ann")
        .root(roots::home())
        .config("exempt = [\"root\"]\n[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n")
}

fn check(sandbox: &Sandbox) -> Outcome {
    sandbox.run(&["jailctl", "check", "--notes", "ann"])
}

#[track_caller]
fn says(outcome: &Outcome, parts: &[&str]) {
    for part in parts {
        let said = outcome.words().contains(part) || outcome.stderr.contains(part);
        assert!(said, "{part}: {outcome}");
    }
}

#[test]
fn an_sshd_that_does_not_answer_may_force_jail_shell() {
    let sandbox = stage("/bin/bash");
    let list = || sandbox.run(&["jailctl", "list"]);
    assert!(list().ok().contains(" none "), "{}", list());
    let forced =
        format!("printf 'Match User ann\\n ForceCommand {JAIL_SHELL}\\n' >>/etc/ssh/sshd_config");
    sandbox.must(&forced);
    assert!(list().ok().contains(" force-command "), "{}", list());
    says(
        &check(&sandbox),
        &["sshd forces jail-shell, but the login shell is"],
    );
    sandbox.must("echo Nonsense >>/etc/ssh/sshd_config");
    assert!(list().ok().contains(" force-command? "), "{}", list());
    let found = check(&sandbox);
    says(
        &found,
        &[
            "sshd could not be asked for its ForceCommand",
            "no door is known",
            "[door]",
        ],
    );
    assert!(!found.stdout.contains("has no ForceCommand"), "{found}");
    let explained = sandbox.run(&["jailctl", "explain", "ann"]);
    says(
        &explained,
        &["sshd could not be asked whether it forces jail-shell"],
    );
    let released = sandbox.run(&["jailctl", "release", "ann"]);
    says(
        &released,
        &["sshd could not be asked whether it forces jail-shell on ann"],
    );
}

#[test]
fn a_shadow_that_can_not_be_read_says_nothing_about_a_password() {
    let sandbox = stage(JAIL_SHELL);
    // Whoever may become root by sudo is in a jail, and root has no password.
    sandbox.must("passwd -l root >/dev/null; gpasswd -M '' sudo; usermod -aG sudo ann");
    says(&check(&sandbox), &["root has no password"]);
    let unknown = "ann: whether the account or its password has expired";
    assert!(!check(&sandbox).stdout.contains(unknown));
    sandbox.must("mv /etc/shadow /etc/shadow.away; mkdir /etc/shadow");
    let found = check(&sandbox);
    says(
        &found,
        &[unknown, "whether root has a password: read /etc/shadow"],
    );
    assert_eq!(found.code(), Some(1), "{found}");
    // One byte that is no text hides no line.
    sandbox.must(
        "rmdir /etc/shadow; (printf 'm\\374ller:!:1::::::\\n'; cat /etc/shadow.away) >/etc/shadow; chage -E 10 ann",
    );
    says(
        &check(&sandbox),
        &["root has no password", "[account-expired]"],
    );
}

#[test]
fn a_directory_service_that_fails_says_nothing_about_a_password() {
    let sandbox = stage(JAIL_SHELL).with("sed -i /^ann:/d /etc/shadow");
    let unknown = "ann: whether the account or its password has expired";
    let script = |shadow: &str| {
        let text = format!(
            "#!/bin/sh\n[ $1 != shadow ] || {{ {shadow}; }}\nexec /usr/bin/getent \"$@\"\n"
        );
        sandbox.write("/usr/local/sbin/getent", text);
        sandbox.must("chmod 755 /usr/local/sbin/getent");
        check(&sandbox)
    };
    let absent = script("exit 2");
    assert!(!absent.stdout.contains(unknown), "{absent}");
    says(
        &script("echo 'ann:x:10:::::10:'; exit 0"),
        &["[account-expired]"],
    );
    for failure in ["exit 3", "kill -9 $$"] {
        says(&script(failure), &[unknown, "getent shadow"]);
    }
}
