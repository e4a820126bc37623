//! File capabilities in place of the set-user-ID bit: they serve, and none of them is one too many.

use login_jail_tests::{JAIL_SHELL, Sandbox, roots};

/// A jail that needs everything: directories to make in a root of the user's that only they may search, a home to make and give away,
/// nodes, a loopback to bring up.
fn demanding() -> Sandbox {
    Sandbox::new()
        .user("ann")
        .root(roots::busybox())
        .config(
            "[users]\nann = 'web'\n[jails.web]\nroot = '/srv/jails/ann'\nnetwork = 'none'\nroot_owner = 'user'\n\
             create = true\nmounts = [{ source = '/srv/homes/ann', target = '/home/ann', mode = 'rw' }]\n",
        )
        .with("mkdir /srv/homes; rm -rf /srv/jails/ann/dev /srv/jails/ann/proc /srv/jails/ann/tmp; chown ann /srv/jails/ann; chmod 700 /srv/jails/ann")
        .with("chmod 0755 /usr/bin/jail-shell")
}

/// The capabilities that `make install PRIVILEGE=caps` gives, as the Makefile lists them.
fn capabilities() -> Vec<&'static str> {
    include_str!("../../../Makefile")
        .lines()
        .find_map(|line| line.strip_prefix("CAPS       := "))
        .unwrap_or_default()
        .split(',')
        .collect()
}

fn log_in_with(sandbox: &Sandbox, capabilities: &[&str]) -> Option<i32> {
    let list = capabilities.join(",");
    sandbox.must(&format!(
        "setcap {list}=ep {JAIL_SHELL}; cd /srv/jails/ann; rmdir dev proc tmp 2>/dev/null || :; rm -rf /srv/homes/*"
    ));
    sandbox.run_as("ann", &[JAIL_SHELL, "-c", "exit 7"]).code()
}

#[test]
fn the_listed_capabilities_serve_and_each_is_needed() {
    let sandbox = demanding();
    let all = capabilities();
    assert_eq!(log_in_with(&sandbox, &all), Some(7));
    for without in &all {
        let rest: Vec<&str> = all.iter().copied().filter(|one| one != without).collect();
        let code = log_in_with(&sandbox, &rest);
        assert!(
            matches!(code, Some(100..=125)),
            "without {without}: {code:?}"
        );
    }
}

/// What is the first user's would be refused for everybody from then on.
#[test]
fn what_a_login_makes_on_the_host_is_roots() {
    let sandbox = Sandbox::new().user("ann").root(roots::busybox()).user("bob").root(roots::busybox()).config(
        "[users]\nann = 'web'\nbob = 'web'\n[jails.web]\nroot = '/srv/jails/{user}'\nrecord = 'sessions'\nscope = 'user'\n\
         limits = { sessions = 3 }\n",
    );
    let made = "/run/login-jail /var/log/login-jail";
    let all = capabilities();
    // Those that a login does not get far without, and all of them: what is made there would be the user's by one alone.
    for without in ["cap_setgid", "cap_setuid", ""] {
        let list: Vec<&str> = all.iter().copied().filter(|it| *it != without).collect();
        sandbox.must(&format!(
            "rm -rf {made}; chmod 755 {JAIL_SHELL}; setcap {}=ep {JAIL_SHELL}",
            list.join(",")
        ));
        for user in ["ann", "bob"] {
            let login = sandbox.run_as(user, &[JAIL_SHELL, "-c", "echo in"]);
            match without {
                "" => assert_eq!(login.ok(), "in"),
                _ => assert!(matches!(login.code(), Some(100..=125)), "{login}"),
            }
        }
        let users = format!("find {made} ! -user root 2>/dev/null | sort; true");
        assert_eq!(sandbox.must(&users), "", "without {without:?}");
    }
    let there = sandbox.must(&format!(
        "stat -c '%U:%G %a' {made} {made}/*; ls /run/login-jail"
    ));
    assert!(
        there.contains("worlds") && there.contains("sessions"),
        "{there}"
    );
}

#[test]
fn nothing_of_the_capabilities_is_left_inside() {
    let sandbox = demanding();
    sandbox.must(&format!(
        "setcap {}=ep {JAIL_SHELL}",
        capabilities().join(",")
    ));
    let outcome = sandbox.run_as("ann", &[JAIL_SHELL, "-c", "grep ^Cap /proc/self/status"]);
    let status = outcome.ok();
    for line in status.lines() {
        assert!(line.ends_with("\t0000000000000000"), "{status}");
    }
    assert_eq!(status.lines().count(), 5, "{status}");
}
