//! The program that jailctl starts to stand in for a jailed user: where it may be, and who may have written it.

use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, jailctl};

const INSTALLED: &str = "/usr/libexec/login-jail/stand-in";

fn sandbox() -> Sandbox {
    Sandbox::new().user_with_shell("ann", JAIL_SHELL)
}

/// Has what only the stand-in can do: all of a user's processes killed at once.
fn kick(sandbox: &Sandbox, program: &str) -> Outcome {
    sandbox.run(&[program, "kick", "--any", "--grace", "0", "ann"])
}

#[track_caller]
fn is_refused(outcome: &Outcome, why: &str) {
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(outcome.stderr.contains(why), "{outcome}");
}

#[test]
fn an_installed_jailctl_starts_the_one_in_libexec_that_only_root_can_change() {
    let sandbox = sandbox();
    let jailctl = "/usr/sbin/jailctl";
    kick(&sandbox, jailctl).ok();
    for (spoiled, mended, why) in [
        (
            format!("chmod o+w {INSTALLED}"),
            format!("chmod o-w {INSTALLED}"),
            "others than its owner can write to it, and root would run it; install login-jail again",
        ),
        (
            format!("chown ann {INSTALLED}"),
            format!("chown root {INSTALLED}"),
            "it belongs to uid",
        ),
        (
            "chmod g+w /usr/libexec/login-jail".to_owned(),
            "chmod g-w /usr/libexec/login-jail".to_owned(),
            "/usr/libexec/login-jail is mode 0775; let only root write it",
        ),
        (
            format!("mv {INSTALLED} /root/kept; ln -s /root/kept {INSTALLED}"),
            format!("rm {INSTALLED}; mv /root/kept {INSTALLED}"),
            "it is not what jailctl was installed with",
        ),
        (
            format!("mv {INSTALLED} /root/kept"),
            format!("mv /root/kept {INSTALLED}"),
            "it belongs to jailctl: install login-jail again",
        ),
    ] {
        sandbox.must(&spoiled);
        is_refused(&kick(&sandbox, jailctl), why);
        sandbox.must(&mended);
        kick(&sandbox, jailctl).ok();
    }
}

#[test]
fn a_jailctl_that_is_not_installed_starts_the_one_beside_it_of_the_same_owner() {
    let sandbox = sandbox().plain_user("bob");
    let built = jailctl();
    let stand_in = built.replace("/jailctl", "/stand-in");
    sandbox.must(&format!(
        "mkdir -p /opt/built; cp {built} {stand_in} /opt/built; chown -R bob /opt/built"
    ));
    kick(&sandbox, "/opt/built/jailctl").ok();
    sandbox.must("chown ann /opt/built/stand-in");
    is_refused(&kick(&sandbox, "/opt/built/jailctl"), "it belongs to uid");
    sandbox.must("chown bob /opt/built/stand-in; chmod 777 /opt/built");
    is_refused(
        &kick(&sandbox, "/opt/built/jailctl"),
        "open /opt/built: others than its owner can write to it",
    );
}

#[test]
fn what_the_stand_in_does_is_no_command_of_jailctl_and_not_done_by_hand() {
    let sandbox = sandbox();
    for word in [
        "rehearse",
        "accomplice",
        "outside",
        "kill-all",
        "commands",
        "watch",
    ] {
        let outcome = sandbox.run(&["jailctl", word]);
        assert_eq!(outcome.code(), Some(2), "{outcome}");
        assert!(
            outcome.stderr.contains("unrecognized subcommand"),
            "{outcome}"
        );
    }
    let outcome = sandbox.run(&[INSTALLED]);
    assert_eq!(outcome.code(), Some(2), "{outcome}");
    assert!(
        outcome.stderr.contains("by hand it is of no use"),
        "{outcome}"
    );
    // It takes a user's ids, and gives nobody any.
    let outcome = sandbox.run_as("ann", &[INSTALLED, "kill-all", "0"]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
}
