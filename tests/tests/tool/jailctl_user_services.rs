//! `jailctl check` finds what makes services of the host act on files that a user writes from inside, and what closes it.

use login_jail_tests::{Found, JAIL_SHELL, Sandbox, of_kind, roots};

const STACK: &str = "/etc/pam.d/common-session";

/// ann, whose home of the host is in the jail, on a host with systemd's files.
fn at_home() -> Sandbox {
    let sandbox = Sandbox::new().user_with_shell("ann", JAIL_SHELL).jailed("ann").root(roots::home()).config(
        "exempt = [\"root\"]\n[users]\nann = \"pupil\"\n[jails.pupil]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n\
         mounts = [{ source = \"/home/{user}\", target = \"/home/{user}\", mode = \"rw\" }]\n",
    );
    sandbox.must(
        "chmod 700 /home/ann
         rm -f /etc/systemd/system/user@* /etc/pam.d/systemd-user
         [ -e /usr/lib/systemd/system/user@.service ] || { mkdir -p /usr/lib/systemd/system; echo '[Service]' >/usr/lib/systemd/system/user@.service; }
         [ -e /lib/x86_64-linux-gnu/security/pam_systemd.so ] || { mkdir -p /lib/security; : >/lib/security/pam_systemd.so; }
         sed -i '/pam_systemd/d' /etc/pam.d/*; echo 'session optional pam_systemd.so' >>/etc/pam.d/common-session",
    );
    sandbox
}

/// Gives the findings of a kind.
fn found(sandbox: &Sandbox, kind: &str) -> Vec<Found> {
    of_kind(&sandbox.run(&["jailctl", "check", "--notes", "ann"]), kind)
}

#[track_caller]
fn is_open(sandbox: &Sandbox) -> Found {
    let mut found = found(sandbox, "user-manager");
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[track_caller]
fn is_closed(sandbox: &Sandbox, by: &str) {
    let found = found(sandbox, "user-manager");
    assert!(found.is_empty(), "{by}: {found:?}");
}

#[test]
fn a_home_in_reach_and_pam_systemd_are_an_error_that_a_mask_mends() {
    let sandbox = at_home();
    let report = is_open(&sandbox);
    let uid = sandbox.must("id -u ann");
    let unit = format!("user@{uid}.service");
    assert_eq!(report.severity, "error", "{report:?}");
    for part in [unit.as_str(), "login", "sshd", "su", "/home/ann"] {
        assert!(report.what.contains(part), "{part}: {report:?}");
    }
    assert!(
        !report.what.contains("passwd") && !report.what.contains("systemd-user"),
        "{report:?}"
    );
    assert!(report.safe, "{report:?}");
    let command = report.command.unwrap();
    sandbox.must(&command);
    is_closed(&sandbox, &command);
    sandbox.must(&format!("systemctl unmask {unit}"));
    is_open(&sandbox);
    sandbox.run(&["jailctl", "check", "--fix", "ann"]);
    is_closed(&sandbox, "--fix");
}

#[test]
fn every_mask_that_systemd_knows_closes_it_and_nothing_that_looks_like_one() {
    let sandbox = at_home();
    let uid = sandbox.must("id -u ann");
    let own = format!("user@{uid}.service");
    for (make, undo) in [
        (
            format!("ln -s /dev/null /etc/systemd/system/{own}"),
            format!("rm /etc/systemd/system/{own}"),
        ),
        (
            "ln -s /dev/null /etc/systemd/system/user@.service".to_owned(),
            "rm /etc/systemd/system/user@.service".to_owned(),
        ),
        (
            format!("mkdir -p /run/systemd/system; ln -s /dev/null /run/systemd/system/{own}"),
            "rm -r /run/systemd/system".to_owned(),
        ),
        (
            format!(": >/etc/systemd/system/{own}"),
            format!("rm /etc/systemd/system/{own}"),
        ),
        (
            "mv /usr/lib/systemd/system/user@.service /root".to_owned(),
            "mv /root/user@.service /usr/lib/systemd/system".to_owned(),
        ),
    ] {
        sandbox.must(&make);
        is_closed(&sandbox, &make);
        sandbox.must(&undo);
        is_open(&sandbox);
    }
    for like in [
        "ln -s /dev/null /etc/systemd/system/user@9999.service",
        // The file of the instance counts before a mask of the template.
        &format!(
            "ln -s /dev/null /etc/systemd/system/user@.service; cp /usr/lib/systemd/system/user@.service /etc/systemd/system/{own}"
        ),
    ] {
        sandbox.must(like);
        is_open(&sandbox);
    }
}

/// Where a condition of a group is.
const CONDITION: &str = "/etc/systemd/system/user@.service.d/login-jail-class.conf";

/// ann and bob, jailed by the rule of a group, with their homes of the host in the jail.
fn class() -> Sandbox {
    let sandbox = at_home().user_with_shell("bob", JAIL_SHELL);
    sandbox.must(
        "groupadd class; usermod -aG class ann; usermod -aG class bob; chmod 700 /home/bob
         cp -a /srv/jails/ann /srv/jails/bob; rm -f /usr/local/sbin/systemctl
         sed -i 's/.*users.*/[groups]/; s/^ann = /class = /' /etc/login-jail/config.toml",
    );
    sandbox
}

fn of_user(sandbox: &Sandbox, user: &str) -> usize {
    of_kind(
        &sandbox.run(&["jailctl", "check", "--notes", user]),
        "user-manager",
    )
    .len()
}

#[test]
fn one_fix_of_a_group_holds_for_those_who_join_later() {
    let sandbox = class();
    let found = of_kind(&sandbox.run(&["jailctl", "check"]), "user-manager");
    let command = found[0].command.clone().unwrap();
    assert_eq!(command, "jailctl mend user-manager @class", "{found:?}");
    let would = sandbox.must("jailctl mend --dry-run user-manager @class");
    assert!(would.contains(CONDITION), "{would}");
    assert_eq!(of_user(&sandbox, "ann"), 1);
    sandbox.must(&command);
    assert_eq!(sandbox.must(&format!("stat -c %a {CONDITION}")), "644");
    let sandbox = sandbox.user_with_shell("cat", JAIL_SHELL);
    sandbox.must("usermod -aG class cat; chmod 700 /home/cat; cp -a /srv/jails/ann /srv/jails/cat");
    for user in ["ann", "bob", "cat"] {
        assert_eq!(of_user(&sandbox, user), 0, "{user}");
    }
    let again = sandbox.must(&command);
    assert!(again.contains("nothing to mend"), "{again}");
    // What systemd executes says so of members, and of them alone; of a user who is unknown, too.
    sandbox.must(&format!(
        r#"condition=$(sed -n "s/^ExecCondition=+.bin.sh -c '\(.*\)' sh %i$/\1/p" {CONDITION} | sed 's/[$][$]/$/g')
        [ -n "$condition" ]; useradd -m eve; groupadd classes; usermod -aG classes eve
        sh -c "$condition" sh "$(id -u eve)"
        for uid in $(id -u ann) $(id -u cat) 54321; do ! sh -c "$condition" sh $uid; done"#
    ));
}

#[test]
fn a_condition_of_a_group_counts_as_written_and_where_no_other_file_takes_it_back() {
    let sandbox = class();
    sandbox.must("jailctl mend user-manager @class");
    assert_eq!(of_user(&sandbox, "ann"), 0);
    let runtime = "/run/systemd/system/user@.service.d";
    for (change, back) in [
        (
            format!("sed -i s/class/other/g {CONDITION}"),
            format!("sed -i s/other/class/g {CONDITION}"),
        ),
        (
            format!("mkdir -p {runtime}; printf '[Service]\nExecCondition=\n' >{runtime}/z.conf"),
            "rm -r /run/systemd/system".to_owned(),
        ),
        (
            format!(
                "mkdir -p /etc/systemd/system.control/user@.service.d; ln -s /dev/null /etc/systemd/system.control/user@.service.d/{}",
                CONDITION.rsplit('/').next().unwrap()
            ),
            "rm -r /etc/systemd/system.control".to_owned(),
        ),
        (
"gpasswd -d ann class; sed -i 's/.*groups.*/[users]/; s/^class = /ann = /' /etc/login-jail/config.toml".to_owned(),
            String::new(),
        ),
    ] {
        sandbox.must(&change);
        assert_eq!(of_user(&sandbox, "ann"), 1, "{change}");
        if !back.is_empty() {
            sandbox.must(&back);
            assert_eq!(of_user(&sandbox, "ann"), 0, "{back}");
        }
    }
    // One of another group is nobody else's.
    sandbox.must(&format!(
        "cp {CONDITION} /etc/systemd/system/user@.service.d/login-jail-other.conf; sed -i s/class/other/g /etc/systemd/system/user@.service.d/login-jail-other.conf"
    ));
    assert_eq!(of_user(&sandbox, "ann"), 1);
}

#[test]
fn a_line_that_skips_pam_systemd_closes_it_for_whom_it_names() {
    let sandbox = at_home().with("groupadd class; usermod -aG class ann");
    for (line, closes) in [
        (
            "[success=1 default=ignore] pam_succeed_if.so quiet user = ann",
            true,
        ),
        (
            "[success=1 default=ignore] pam_succeed_if.so quiet user ingroup class",
            true,
        ),
        (
            "[success=1 default=ignore] pam_succeed_if.so quiet user = bob",
            false,
        ),
        (
            "[success=1 default=ignore] pam_succeed_if.so quiet user notingroup class",
            false,
        ),
        (
            "[success=ignore default=1] pam_succeed_if.so quiet user notingroup class",
            true,
        ),
        ("required pam_succeed_if.so quiet user ingroup class", false),
        ("[success=1 default=ignore] pam_localuser.so", false),
    ] {
        sandbox.must(&format!("sed -i '/pam_systemd/i session {line}' {STACK}"));
        match closes {
            true => is_closed(&sandbox, line),
            false => drop(is_open(&sandbox)),
        }
        sandbox.must(&format!(
            "sed -i '/pam_succeed_if/d; /pam_localuser/d' {STACK}"
        ));
    }
    // A stack of its own may have the module as well.
    sandbox.must(&format!(
        "sed -i '/pam_systemd/i session [success=1 default=ignore] pam_succeed_if.so quiet user = ann' {STACK}
         echo 'session optional pam_systemd.so' >/etc/pam.d/vsftpd"
    ));
    let report = is_open(&sandbox);
    let part = "stack of vsftpd starts";
    assert!(report.what.contains(part), "{report:?}");
}

#[test]
fn a_jailed_manager_a_missing_module_and_a_home_out_of_reach_are_no_finding() {
    let sandbox = at_home();
    sandbox.must("cp /usr/lib/pam.d/systemd-user /etc/pam.d/; echo 'session required pam_jail.so' >>/etc/pam.d/systemd-user");
    is_closed(&sandbox, "pam_jail.so in systemd-user");
    sandbox.must("rm /etc/pam.d/systemd-user");
    is_open(&sandbox);
    sandbox.must(&format!("sed -i s/pam_systemd/pam_elsewhere/ {STACK}"));
    is_closed(&sandbox, "another module");
    sandbox.must(&format!("sed -i s/pam_elsewhere/pam_systemd/ {STACK}"));
    is_open(&sandbox);
    sandbox.must("chown root: /home/ann; chmod 755 /home/ann");
    is_closed(&sandbox, "a home that she can't write");
    sandbox.must("install -d -o ann /home/ann/.config");
    is_open(&sandbox);
    sandbox.must("rm -r /home/ann/.config; chown ann: /home/ann; sed -i /mounts/d /etc/login-jail/config.toml");
    is_closed(&sandbox, "a home that is not shown");
}

#[test]
fn neither_a_link_nor_a_second_mount_hides_that_a_home_is_in_reach() {
    let sandbox =
        at_home().with("mkdir -p /data; mv /home/ann /data/ann; ln -s /data/ann /home/ann");
    sandbox.must("sed -i 's,source = \"/home,source = \"/data,' /etc/login-jail/config.toml");
    is_open(&sandbox);
    sandbox.must("rm /home/ann; mkdir /home/ann; mount --bind /data/ann /home/ann");
    is_open(&sandbox);
    sandbox.must("umount /home/ann; install -d -o ann /home/ann");
    is_closed(&sandbox, "another home");
    // What is shown may be a part of the home.
    sandbox.must("install -d -o ann /home/ann/.config; sed -i 's,source = \"/data/{user},source = \"/home/{user}/.config,' /etc/login-jail/config.toml");
    is_open(&sandbox);
}

#[test]
fn a_mail_server_obeys_a_home_in_reach_unless_an_alias_comes_first() {
    let sandbox =
        at_home().with("rm -f /usr/sbin/exim* /usr/sbin/postfix /usr/bin/procmail /etc/aliases");
    assert!(found(&sandbox, "mail-forward").is_empty());
    sandbox.must("printf '#!/bin/sh\\n' >/usr/sbin/exim4; chmod 755 /usr/sbin/exim4");
    let report = found(&sandbox, "mail-forward").remove(0);
    assert!(
        report.what.contains(".forward") && report.what.contains("/usr/sbin/exim4"),
        "{report:?}"
    );
    assert!(!report.safe, "{report:?}");
    let command = report.command.unwrap();
    for aliases in ["", "printf 'root: ann\\nann: ann' >/etc/aliases; "] {
        sandbox.must(&format!("rm -f /etc/aliases; {aliases}{command}"));
        let again = found(&sandbox, "mail-forward");
        assert!(
            again.is_empty(),
            "{again:?} {}",
            sandbox.read("/etc/aliases")
        );
    }
    assert_eq!(sandbox.read("/etc/aliases"), "root: ann\nann: root");
}
