//! File capabilities in place of the set-user-ID bit: they serve, and none of them is one too many.

use login_jail_tests::{JAIL_SHELL, Sandbox, roots};

/// A jail that needs everything: directories to make in a root of the user's that only they may search, nodes, a
/// loopback to bring up.
fn demanding() -> Sandbox {
    Sandbox::new()
        .user("ann")
        .root(roots::busybox())
        .config(
            "[users]\nann = 'web'\n[jails.web]\nroot = '/srv/jails/ann'\nnetwork = 'none'\nroot_owner = 'user'\n",
        )
        .with("rm -rf /srv/jails/ann/dev /srv/jails/ann/proc /srv/jails/ann/tmp; chown ann /srv/jails/ann; chmod 700 /srv/jails/ann")
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
        "setcap {list}=ep {JAIL_SHELL}; cd /srv/jails/ann; rmdir dev proc tmp 2>/dev/null || :"
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
