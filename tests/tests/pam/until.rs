//! `until` behind PAM: both stages refuse, and pam_systemd is told how long a session may last.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

use login_jail_tests::{Sandbox, roots};

fn ann(until: &str) -> Sandbox {
    let keys = format!("base = \"host\"\nshell = \"/bin/bash\"\nuntil = \"{until}\"");
    Sandbox::with_ann_behind_pam(roots::home(), &keys).with("mkdir -p /home/ann")
}

#[test]
fn both_stages_refuse_from_the_end_on() {
    let sandbox = ann("2020-01-31");
    let sentence = "login refused: this account was open until 2020-01-31; ask the administrator";
    let su = sandbox.su_c("ann", "echo got-in");
    assert_ne!(su.code(), Some(0), "{su}");
    assert!(su.stdout.is_empty() && su.stderr.contains(sentence), "{su}");
    let ssh = sandbox.ssh("ann", "echo got-in");
    assert_ne!(ssh.code(), Some(0), "{ssh}");
    sandbox.module_logged(&[
        "(su:account)",
        "refused code=account",
        "until: the account was open until 2020-01-31",
    ]);
    sandbox.module_logged(&[
        "(sshd:account)",
        "until: the account was open until 2020-01-31",
    ]);
    sandbox.must("sed -i '/^account.*pam_jail/d' /etc/pam.d/*");
    let su = sandbox.su_c("ann", "echo got-in");
    assert_ne!(su.code(), Some(0), "{su}");
    assert!(su.stdout.is_empty() && su.stderr.contains(sentence), "{su}");
    sandbox.module_logged(&[
        "(su:session)",
        "until: the account was open until 2020-01-31",
    ]);
}

#[test]
fn an_account_that_is_open_still_gets_in_whatever_zone_the_caller_names() {
    let today = Sandbox::bare().must("date +%F");
    let sandbox = ann(&today);
    assert_eq!(sandbox.ssh("ann", "echo got-in").ok(), "got-in");
    let su = sandbox.sh("TZ=Etc/GMT-14 su ann -c 'echo got-in; date +%z'");
    assert_eq!(su.ok(), "got-in\n+1400");
}
