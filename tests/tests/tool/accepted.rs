//! Findings that the config accepts: they stay, and do not count.

use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, of_kind, roots};

const CONFIG: &str = "/etc/login-jail/config.toml";

/// ann in a jail with the host's system, where only her root has something that everybody may write.
fn host() -> Sandbox {
    let sandbox = Sandbox::new()
        .user_with_shell("ann", JAIL_SHELL)
        .jailed("ann")
        .root(roots::home())
        .config("exempt = [\"root\"]\n[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n");
    sandbox.write(
        "/etc/ssh/sshd_config",
        "UsePAM yes\nPermitUserRC no\nX11Forwarding no\nAllowAgentForwarding no\nDisableForwarding yes\n",
    );
    sandbox.must(
        "ssh-keygen -A >/dev/null; rm -f /etc/cron.allow /etc/at.allow; echo ann:secret | chpasswd
         for list in /etc/cron.deny /etc/at.deny; do echo ann >>$list; done
         mkdir -m 777 /srv/jails/ann/data",
    );
    sandbox
}

/// Makes this the list of what is accepted.
fn accept(sandbox: &Sandbox, list: &str) {
    sandbox.must(&format!("sed -i '/^.check.$/,$d' {CONFIG}"));
    let text = sandbox.read(CONFIG);
    sandbox.write(CONFIG, format!("{text}\n[check]\naccept = [{list}]\n"));
}

fn check(sandbox: &Sandbox, options: &[&str]) -> Outcome {
    sandbox.run(&[&["jailctl", "check"], options].concat())
}

#[test]
fn what_is_accepted_does_not_count_and_is_shown_if_asked_for() {
    let sandbox = host();
    let before = check(&sandbox, &[]);
    assert_eq!(before.code(), Some(1), "{before}");
    assert_eq!(of_kind(&before, "world-writable").len(), 1, "{before}");
    for whose in ["ann", "*"] {
        accept(
            &sandbox,
            &format!("{{ kind = \"world-writable\", for = \"{whose}\", why = \"a drop box\" }}"),
        );
        let report = check(&sandbox, &[]);
        assert!(of_kind(&report, "world-writable").is_empty(), "{report}");
        let summary =
            "1 jailed user: 0 errors, 0 warnings, 0 notes, 1 accepted (--notes shows them)";
        assert!(report.ok().contains(summary), "{report}");
    }
    for option in ["--notes", "--verbose"] {
        let shown = check(&sandbox, &[option]);
        let found = of_kind(&shown, "world-writable").remove(0);
        assert_eq!(found.severity, "accepted warning", "{shown}");
        assert_eq!(found.command, None, "{shown}");
        assert!(shown.ok().contains("why: a drop box\n"), "{shown}");
    }
    let json = check(&sandbox, &["--json"]);
    let json: serde_json::Value = serde_json::from_str(json.ok()).unwrap();
    assert_eq!(json["findings"][0]["accepted"]["why"], "a drop box");
    check(&sandbox, &["--fix"]).ok();
    assert_eq!(sandbox.must("stat -c %a /srv/jails/ann/data"), "777");
    // Somebody else's is not hers, and a group is one that has a rule.
    for whose in ["bob", "@ann"] {
        accept(
            &sandbox,
            &format!("{{ kind = \"world-writable\", for = \"{whose}\", why = \"x\" }}"),
        );
        let report = check(&sandbox, &[]);
        assert_eq!(report.code(), Some(1), "{report}");
        assert_eq!(of_kind(&report, "world-writable").len(), 1, "{report}");
    }
}

#[test]
fn an_error_that_is_accepted_is_always_shown() {
    let sandbox = host();
    sandbox.must("rmdir /srv/jails/ann/data; echo /usr/bin/jail-shell >>/etc/shells");
    accept(
        &sandbox,
        "{ kind = \"shells\", for = \"*\", why = \"FTP wants it\" }",
    );
    let report = check(&sandbox, &[]);
    assert_eq!(report.code(), Some(0), "{report}");
    let found = of_kind(&report, "shells").remove(0);
    assert_eq!(found.severity, "accepted error", "{report}");
    assert!(report.stdout.contains("why: FTP wants it\n"), "{report}");
}

#[test]
fn whoever_accepts_forwarded_ports_hears_of_forwarded_sockets() {
    let sandbox = host();
    sandbox.must(
        "rmdir /srv/jails/ann/data; sed -i 's/^DisableForwarding.*/AllowStreamLocalForwarding no/' /etc/ssh/sshd_config",
    );
    accept(
        &sandbox,
        "{ kind = \"sshd-forwarding\", for = \"*\", why = \"PermitOpen has one port\" }",
    );
    check(&sandbox, &[]).ok();
    sandbox.must("sed -i '/^AllowStreamLocalForwarding/d' /etc/ssh/sshd_config");
    let report = check(&sandbox, &[]);
    assert_eq!(report.code(), Some(1), "{report}");
    let found = of_kind(&report, "sshd-sockets").remove(0);
    assert_eq!(found.severity, "error", "{report}");
}

#[test]
fn an_acceptance_of_nothing_is_a_note_and_one_of_an_unknown_kind_keeps_nobody_out() {
    let sandbox = host().with("rmdir /srv/jails/ann/data");
    accept(
        &sandbox,
        "{ kind = \"cron\", for = \"ann\", why = \"x\" }, { kind = \"world-writeable\", for = \"*\", why = \"y\" }",
    );
    let report = check(&sandbox, &["--notes"]);
    assert_eq!(report.code(), Some(1), "{report}");
    let unused = of_kind(&report, "unused-acceptance").remove(0);
    assert_eq!(unused.severity, "note", "{report}");
    assert!(unused.what.contains("accepts cron for ann"), "{report}");
    let unknown = of_kind(&report, "unknown-kind").remove(0);
    assert_eq!(unknown.severity, "warning", "{report}");
    assert!(
        unknown.what.contains("did you mean world-writable?"),
        "{report}"
    );
    // Of one user it is not known what the others have.
    let of_ann = check(&sandbox, &["--notes", "ann"]);
    assert!(of_kind(&of_ann, "unused-acceptance").is_empty(), "{of_ann}");
    assert_eq!(sandbox.su_dash_c("ann", "echo in").ok(), "in");
    let behind_pam = Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\"");
    accept(
        &behind_pam,
        "{ kind = \"of a later release\", for = \"*\", why = \"y\" }",
    );
    assert_eq!(behind_pam.su_dash_c("ann", "echo in").ok(), "in");
}

#[test]
fn a_mistake_in_what_is_accepted_refuses_logins_as_any_other_does() {
    let sandbox = host();
    accept(&sandbox, "{ kind = \"cron\", for = \"ann\" }");
    let refused = sandbox.su_dash_c("ann", "echo in");
    refused.refused(107, "config-wrong");
    let report = check(&sandbox, &[]);
    let found = of_kind(&report, "config-wrong").remove(0);
    assert!(found.what.contains("an acceptance has no why"), "{report}");
    let command = found.command.unwrap_or_default();
    assert!(command.starts_with("editor +"), "{report}");
}
